/* controller/anomaly/grams.h: a bounded set of 64-bit keys with a number each (open addressing).  Keys are mixed with a
 * constant, not keyed: a crafted file can make it slow, not wrong, and no larger than its bound.  Not thread-safe. */
#ifndef KEDGE_CONTROLLER_ANOMALY_GRAMS_H
#define KEDGE_CONTROLLER_ANOMALY_GRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gram {
	uint64_t key;
	uint64_t value; /* 0: the place is free */
};
struct grams {
	struct gram *places;
	size_t capacity, count, limit;
};

void grams_init(struct grams *g, size_t limit);
void grams_done(struct grams *g);
/* 0: not there. */
uint64_t grams_get(const struct grams *g, uint64_t key);
/* The number of key, which starts as 0 and must not stay so; NULL: no memory, or a new key beyond the limit. */
uint64_t *grams_at(struct grams *g, uint64_t key);
uint64_t gram_mix(uint64_t a, uint64_t b);

#endif
