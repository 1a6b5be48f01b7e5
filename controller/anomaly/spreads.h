/* controller/anomaly/spreads.h: how often something occurs within a normal session, of many things.
 *
 * Of each key the amounts ln(1 + count) of the sessions that have it: how many, mean and spread.  Sessions can be taken
 * back, so that each is judged by what the others showed.  Pure, not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_SPREADS_H
#define KEDGE_CONTROLLER_ANOMALY_SPREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/anomaly/grams.h"

struct spread {
	double sessions, sum, squares;
};
struct spreads {
	struct grams places; /* key -> index + 1 */
	struct spread *items;
	size_t capacity;
};

void spreads_init(struct spreads *s, size_t limit);
void spreads_done(struct spreads *s);
/* One session more in which key occurs count (> 0) times (by = 1), or one taken back (by = -1).  Past the limit new
 * keys are passed over.  False: no memory. */
bool spreads_learn(struct spreads *s, uint64_t key, size_t count, int by);
/* The surprise, in nats, in that count; 0 for a key that is not known. */
double spreads_surprise(const struct spreads *s, uint64_t key, size_t count);

#endif
