/* controller/turn/limits.h: what one turn may use. */
#ifndef KEDGE_CONTROLLER_TURN_LIMITS_H
#define KEDGE_CONTROLLER_TURN_LIMITS_H

enum {
	TURN_KEY_MAX = 511, /* table, field, index value and key together: LMDB's limit as Debian builds it */
	TURN_VALUE_MAX =
	    4 << 20, /* one encoded record; the largest (a plan of 1,024 hosts with its evidence) is below 1 MiB */
	TURN_ARENA_LIMIT =
	    256 << 20, /* one input: a scan of a year's records of a thousand hosts; a runaway input is refused alone */
	TURN_EFFECTS_MAX =
	    1 << 16,          /* of one input: an order, a notification and an event for every host, many times over */
	TURN_SERIES_MAX = 64, /* name of a number series */
};

#endif
