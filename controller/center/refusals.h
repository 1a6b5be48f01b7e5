/* controller/center/refusals.h: how many refused peers a port writes to the audit trail.
 *
 * Anybody can knock; the trail is for ever.  Beyond REFUSALS_PER_MINUTE they are counted and the count is logged.  Each
 * port has its own; one thread. */
#ifndef KEDGE_CONTROLLER_CENTER_REFUSALS_H
#define KEDGE_CONTROLLER_CENTER_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

enum { REFUSALS_PER_MINUTE = 120 };

struct refusals {           /* zero at first */
	uint64_t minute_ms; /* monotonic */
	uint32_t told, untold;
};
/* True: write this one. */
bool refusals_take(struct refusals *r, uint64_t mono_ms, const char *port);

#endif
