/* agent/keeper/jitter.h: hosts that begin together do not work together.
 * Pure.
 *
 * A schedule's wait is made longer or shorter by up to JITTER_PERCENT, by a hash of the host's name and of what is
 * waited for: even over many hosts, and the same on one host for ever, so that a restart changes nothing. */
#ifndef KEDGE_AGENT_KEEPER_JITTER_H
#define KEDGE_AGENT_KEEPER_JITTER_H

#include <stdint.h>

enum {
	JITTER_PERCENT = 20,
	JITTER_OVERDUE_PERCENT = 10, /* of its schedule: what is late already is not made much later */
	JITTER_OVERDUE_MAX_MS = 5 * 60 * 1000,
};

/* Within every_ms -20 % (inclusive) and +20 % (exclusive); 0 for 0.  every_ms: at most half of UINT64_MAX. */
uint64_t jittered_ms(const char *host, const char *what, uint64_t every_ms);
/* What fell due while nobody was there to do it: when its turn is, counted from now.  0 (inclusive) to
 * JITTER_OVERDUE_PERCENT of every_ms, at most JITTER_OVERDUE_MAX_MS (exclusive): who begins again with a whole fleet
 * does not catch up together with it. */
uint64_t jitter_overdue_ms(const char *host, const char *what, uint64_t every_ms);

#endif
