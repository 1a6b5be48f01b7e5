/* agent/link/reconnect.h: how long to wait before the next attempt.
 *
 * Full jitter: each wait is uniform between nothing and a window, which doubles from RECONNECT_BASE_MS with every
 * failure up to a cap, the controller's word if it gave one.  Agents that were asked to spread out do so from the first
 * attempt.  Pure. */
#ifndef KEDGE_AGENT_LINK_RECONNECT_H
#define KEDGE_AGENT_LINK_RECONNECT_H

#include "agent/link/limits.h"
#include "shared/base/random.h"
#include "shared/message/message.h"

struct reconnect {
	uint32_t failures; /* since the last good connection */
	uint64_t hint_ms;  /* what welcome said last; 0: nothing yet */
};

enum reconnect_why {
	RECONNECT_FAILED, /* no connection, or it broke */
	RECONNECT_ASKED,  /* the controller asked for a spread: asked_ms, or welcome's when that is 0 */
	RECONNECT_SLOW,   /* nothing changes until a person acts: between half of RECONNECT_SLOW_MS and all */
};
enum reconnect_why reconnect_why(enum bye_reason reason);

uint64_t reconnect_window_ms(const struct reconnect *r, enum reconnect_why why, uint64_t asked_ms);
/* The wait, from now; counts a failure. */
uint64_t reconnect_delay_ms(struct reconnect *r, enum reconnect_why why, uint64_t asked_ms, struct random *random);
void reconnect_good(struct reconnect *r); /* the connection that ended was a good one */

#endif
