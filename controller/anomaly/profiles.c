/* controller/anomaly/profiles.c: see profiles.h. */
#include "controller/anomaly/profiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/limits.h"

void profiles_init(struct profiles *p)
{
	*p = (struct profiles){0};
	grams_init(&p->places, SEQUENCE_SESSIONS_MAX);
}

void profiles_done(struct profiles *p)
{
	free(p->items);
	free(p->amounts);
	grams_done(&p->places);
	*p = (struct profiles){0};
}

static uint64_t hash_of(const struct amount *a, size_t count)
{
	uint64_t h = count;
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;
		memcpy(&bits, &a[i].amount, sizeof bits);
		h = gram_mix(h, (uint64_t)a[i].kind << 32 | bits);
	}
	return h;
}

/* Room for one more profile of so many amounts. */
static bool room(struct profiles *p, size_t count)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 64;
		struct profile *items = reallocarray(p->items, capacity, sizeof *items);
		if (!items)
			return false;
		p->items = items;
		p->capacity = capacity;
	}
	if (p->amount_capacity - p->amount_count < count) {
		size_t capacity = 2 * p->amount_capacity + count + 1024;
		struct amount *amounts = reallocarray(p->amounts, capacity, sizeof *amounts);
		if (!amounts)
			return false;
		p->amounts = amounts;
		p->amount_capacity = capacity;
	}
	return true;
}

bool profiles_add(struct profiles *p, const struct amount *a, size_t count)
{
	uint64_t hash = hash_of(a, count), *index = grams_at(&p->places, hash);
	if (!index)
		return p->places.count == p->places.limit;
	if (*index) {
		p->items[*index - 1].sessions++;
		return true;
	}
	if (!room(p, count))
		return false;
	p->items[p->count] = (struct profile){p->amount_count, count, hash, 1};
	if (count)
		memcpy(p->amounts + p->amount_count, a, count * sizeof *a);
	p->amount_count += count;
	*index = ++p->count;
	return true;
}

/* The commonest first; among equals the hash decides, so that the order of learning does not. */
static int commoner(const void *a, const void *b)
{
	const struct profile *x = a, *y = b;
	if (x->sessions != y->sessions)
		return x->sessions > y->sessions ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

void profiles_settle(struct profiles *p, size_t limit)
{
	grams_done(&p->places);
	if (p->count)
		qsort(p->items, p->count, sizeof *p->items, commoner);
	if (p->count > limit)
		p->count = limit;
}

static double weight_of(uint32_t kind, const float *weights, size_t weight_count)
{
	return kind < weight_count ? (double)weights[kind] : 1;
}

/* Two profiles side by side. */
struct pair {
	const struct amount *a, *b;
	size_t a_count, b_count;
};

/* The next kind that either has, and how far they differ in it. */
static struct amount pair_next(struct pair *p)
{
	struct amount r;
	if (!p->b_count || (p->a_count && p->a->kind < p->b->kind)) {
		r = *p->a++;
		p->a_count--;
	} else if (!p->a_count || p->b->kind < p->a->kind) {
		r = *p->b++;
		p->b_count--;
	} else {
		r = (struct amount){p->a->kind, fabsf(p->a++->amount - p->b++->amount)};
		p->a_count--;
		p->b_count--;
	}
	return r;
}

struct nearest profiles_nearest(
    const struct profiles *p, const struct amount *a, size_t count, const float *weights, size_t weight_count)
{
	struct nearest best = {INFINITY, 0};
	for (size_t i = 0; i < p->count && best.distance > 0; i++) {
		const struct profile *q = &p->items[i];
		struct pair both = {a, p->amounts + q->at, count, q->count};
		double sum = 0;
		while ((both.a_count || both.b_count) && sum < best.distance) {
			struct amount d = pair_next(&both);
			if (d.amount > 0)
				sum += (double)d.amount * weight_of(d.kind, weights, weight_count);
		}
		if (sum < best.distance)
			best = (struct nearest){sum, i};
	}
	return best;
}

size_t profiles_compare(
    const struct profiles *p, size_t index, const struct amount *a, size_t count, struct amount *ret)
{
	const struct profile *q = &p->items[index];
	struct pair both = {a, p->amounts + q->at, count, q->count};
	size_t n = 0;
	while (both.a_count || both.b_count) {
		ret[n] = pair_next(&both);
		n += ret[n].amount > 0;
	}
	return n;
}
