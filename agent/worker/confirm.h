/* agent/worker/confirm.h: is the controller still heard from, after something that may have cut this host off?
 *
 * Nothing is concluded from what was under way before: the change first gets a moment to bite, then the controller is
 * asked something, and what counts is an acknowledgement, or a new connection, later than that moment.  Blocking. */
#ifndef KEDGE_AGENT_WORKER_CONFIRM_H
#define KEDGE_AGENT_WORKER_CONFIRM_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/message/message.h"

enum { WORK_CONFIRM_SETTLE_MS = 2000 }; /* a reload answers before its rules are in force */

struct work_confirm {                     /* borrowed */
	const _Atomic uint64_t *heard_ms; /* monotonic; written by another process; NULL: nobody knows */
	uint64_t settle_ms, within_ms;    /* the second counts from the call, and holds the first */
	void *ctx;
	void (*ask)(void *ctx); /* once: send something that will be acknowledged */
};
/* False: not heard from in time; text says so. */
bool work_confirm(const struct work_confirm *c, char text[TEXT_LINE_MAX]);

#endif
