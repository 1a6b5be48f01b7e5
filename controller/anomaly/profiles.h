/* controller/anomaly/profiles.h: sessions as counts of their events, and the nearest of many.
 *
 * A profile lists the kinds of events of a session in ascending order, each with ln(1 + count): three retries instead
 * of two weigh as much as thirty instead of twenty.  The distance is the sum over all kinds of how far the two differ,
 * each times the kind's weight.  Not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_PROFILES_H
#define KEDGE_CONTROLLER_ANOMALY_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/anomaly/grams.h"

struct amount {
	uint32_t kind;
	float amount;
};
struct profile {
	size_t at, count; /* its amounts */
	uint64_t hash;
	uint32_t sessions; /* that have it */
};
struct profiles {
	struct profile *items;
	size_t count, capacity;
	struct amount *amounts;
	size_t amount_count, amount_capacity;
	struct grams places; /* hash -> index + 1 */
};

void profiles_init(struct profiles *p);
void profiles_done(struct profiles *p);
/* False: no memory. */
bool profiles_add(struct profiles *p, const struct amount *a, size_t count);
/* When all were added: the commonest come first, no more than limit are kept. */
void profiles_settle(struct profiles *p, size_t limit);

struct nearest {
	double distance;
	size_t index; /* of the profile */
};
/* weights by kind; a kind from weight_count on weighs 1.  There is at least one profile. */
struct nearest profiles_nearest(
    const struct profiles *p, const struct amount *a, size_t count, const float *weights, size_t weight_count);
/* Where it differs: the kinds in ascending order, each with how far (above 0).  ret holds as many as both have together
 *; returns how many. */
size_t profiles_compare(
    const struct profiles *p, size_t index, const struct amount *a, size_t count, struct amount *ret);

#endif
