/* controller/anomaly/relations.h: what of two kinds of events always holds within a normal session.
 *
 * For kinds b and a of which b occurs: the first a comes before the first b; the last a comes after the last b; there
 * are at least as many a as b.  Counted over sessions, so that a relation that held in n of n
 * sessions with b is broken in an (n + 1)-th with probability 1 / (n + 2), whatever else is interleaved with both.
 *
 * Only the RELATIONS_KINDS commonest kinds have relations.  Sessions can be taken back, so that each is judged by
 * what the others showed.  Pure, not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_RELATIONS_H
#define KEDGE_CONTROLLER_ANOMALY_RELATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/anomaly/limits.h"

enum { RELATION_BEFORE, RELATION_AFTER, RELATION_AS_MANY, RELATION_COUNT };

struct relations {
	uint32_t *slots;    /* by kind: its place here + 1; 0: none */
	size_t kind_count;  /* of slots */
	size_t count;       /* places in use */
	uint32_t *sessions; /* by place: that had it */
	uint32_t *held;     /* [relation][b][a]: sessions with b in which it held */
	struct {            /* of the session being looked at, by place */
		uint32_t first, last, amount;
	} * seen;
	uint32_t *present; /* places in the session */
};

/* sessions: by kind, how many have it.  False: no memory. */
bool relations_init(struct relations *r, const uint32_t *sessions, size_t kind_count);
void relations_done(struct relations *r);
/* One session more (by = 1), or one taken back (by = -1). */
void relations_learn(struct relations *r, const uint32_t *events, size_t count, int by);
/* The surprise, in nats, in the most certain of the relations that a session breaks; 0: it breaks none. */
double relations_broken(struct relations *r, const uint32_t *events, size_t count);

#endif
