/* agent/worker/confirm.h: is the controller still heard from, after something that may have cut this host off?
 *
 * Nothing is concluded from what was under way before: the change first gets a moment to bite, then the controller is
 * asked something, and what counts is an acknowledgement, or a new connection, later than that moment.  The time that
 * may pass counts from the change: what starting and probing took of it is gone, so that nobody is cut off for longer
 * (RULES R11), but for a last moment in which an answer can still come.  Blocking. */
#ifndef KEDGE_AGENT_WORKER_CONFIRM_H
#define KEDGE_AGENT_WORKER_CONFIRM_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/message/message.h"

enum { WORK_CONFIRM_SETTLE_MS = 2000 }; /* a reload answers before its rules are in force */

struct work_confirm {                     /* borrowed */
	const _Atomic uint64_t *heard_ms; /* monotonic; written by another process; NULL: nobody knows */
	uint64_t settle_ms;               /* from the call: before that nothing is asked and nothing counts */
	uint64_t in_place_ms, within_ms;  /* monotonic; from then it has so long, */
	uint64_t least_ms;                /* and from the call at least this, which holds settle_ms */
	void *ctx;
	void (*ask)(void *ctx); /* once: send something that will be acknowledged */
};
/* When it is given up, for a call at now_ms.  Pure. */
uint64_t work_confirm_until(const struct work_confirm *c, uint64_t now_ms);
/* False: not heard from in time; text says so. */
bool work_confirm(const struct work_confirm *c, char text[TEXT_LINE_MAX]);

#endif
