/* agent/rollback/search.h: which restore point to try next, of a row of them.
 *
 * Pure.  Places are counted from 1, the oldest, to count, the newest.  One fault is looked for: what was taken before
 * it came is good, what was taken since is bad.  Few places are walked, newest first, to the first good one; more are
 * bisected: the middle between the newest known to be good and the oldest known to be bad, leaning to the newer side,
 * where faults are likelier and where the last one tried is likelier the one to stay on. */
#ifndef KEDGE_AGENT_ROLLBACK_SEARCH_H
#define KEDGE_AGENT_ROLLBACK_SEARCH_H

#include <stdbool.h>

enum {
	SEARCH_WALK_MAX = 3, /* up to here a walk asks no more often than a bisection, and loses less of what is new */
	SEARCH_PLACES_MAX = 31, /* five questions: a service is not started anew for ever while people wait (R6) */
};

struct search {
	unsigned count;
	unsigned good,
	    bad; /* the newest that is good, 0: none is known; the oldest that is bad above it, count + 1: none */
	bool known_bad[SEARCH_PLACES_MAX + 1];
};

/* count: at most SEARCH_PLACES_MAX. */
void search_begin(struct search *s, unsigned count);
/* What is known of a place, asked for or not. */
void search_learn(struct search *s, unsigned place, bool good);
/* The next to try; 0: it is over, and s->good is the newest good one, or 0. */
unsigned search_next(struct search *s);

#endif
