/* agent/link/limits.h: the bounds of the link, each with its reason. */
#ifndef KEDGE_AGENT_LINK_LIMITS_H
#define KEDGE_AGENT_LINK_LIMITS_H

#include <stdint.h>

/* Sequences grow by one a report: no host ever gets near.  Beyond it a controller is lying. */
#define LINK_SEQUENCE_MAX       (UINT64_MAX / 2)
#define SPOOL_LIMIT_LEAST_BYTES ((uint64_t)1 << 20) /* one report of the largest kind; as in agent.yaml */
#define SPOOL_LIMIT_MAX_BYTES   ((uint64_t)16 << 30)

enum {
	SPOOL_BATCH_MAX = 64,       /* reports that one sync makes durable */
	SPOOL_RESERVE_PAGES = 256,  /* of disk, held ready: forgetting what was acknowledged must work on a full one */
	SPOOL_TRIM_BYTES = 1 << 20, /* of reports read and forgotten: then their pages leave our memory */
	SPOOL_CHUNK = 64,           /* reports that one transaction drops or forgets: it fits the reserve three times */
	SPOOL_GROW_BYTES =
	    256 << 10, /* the file grows by this: fewer changes of its size, which a sync must write too */

	SESSION_WINDOW_COUNT = 256,      /* reports under way: at 300 bytes and 50 ms there and back, 5,000 a second */
	SESSION_WINDOW_BYTES = 1 << 20,  /* or one of the largest */
	SESSION_DIAL_MS = 60 * 1000,     /* shared/ws ends an attempt by itself after a quarter of it */
	SESSION_GREETING_MS = 30 * 1000, /* from hello to welcome, with a controller that is busy */
	SESSION_CLOSING_MS = 10 * 1000,  /* shared/ws takes 2 s at most */
	SESSION_ACK_MS = 5 * 60 * 1000,  /* reports were sent and nothing is acknowledged: the connection is no good */
	SESSION_FORGET_COUNT = 128,      /* acknowledged reports that are forgotten with one sync … */
	SESSION_FORGET_MS = 2000,        /* … or after this */
	SESSION_RENEW_SPREAD_MS = 30 * 1000, /* a renewed certificate is used within this: a fleet renews at once */
	SESSION_REDECLARE_MS = 1000,         /* a new declaration needs a new hello: several in a row need one */
	SESSION_CLOCK_STEP_MS =
	    5 * 1000,                  /* the host's clock was set, or drifted so far: the controller must hear of it */
	SESSION_DRAIN_MS = 10 * 1000,  /* how long such a reconnect waits for reports under way */
	SESSION_STABLE_MS = 10 * 1000, /* a connection that lasted this long was a good one: waits begin anew */
	SESSION_ARENA_BYTES = 8 << 20, /* one decoded frame of the largest size with its structs */

	RECONNECT_BASE_MS = 250,
	RECONNECT_CAP_MS = 30 * 1000,      /* until a controller says otherwise */
	RECONNECT_CAP_LEAST_MS = 1000,     /* whatever it says */
	RECONNECT_SLOW_MS = 5 * 60 * 1000, /* when a person must act first */

	LINK_FLUSH_MS = 10,          /* the keeper's socket was full: try again */
	LINK_FULL_MS = 1000,         /* the disk was full: try again */
	LINK_TURN_MAX = 256,         /* messages of the keeper before the network gets its turn */
	LINK_BATCH_BYTES = 1 << 20,  /* decoded reports that wait for one sync */
	LINK_TRIM_MS = 3000,         /* after a connection: what the handshake needed is given back */
	LINK_DESCRIPTORS = 256,      /* libwebsockets takes memory for every one that the limit allows */
	LINK_OUTBOX_BYTES = 2 << 20, /* the window, a certificate request and progress */
};

#endif
