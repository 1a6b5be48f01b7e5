/* controller/anomaly/grams.c: see grams.h. */
#include "controller/anomaly/grams.h"

#include <stdlib.h>

enum { FIRST = 256 };

uint64_t gram_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15u ^ (b + 0x632be59bd9b4e019u + (a << 6) + (a >> 2));
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
	return x ^ x >> 29;
}

void grams_init(struct grams *g, size_t limit)
{
	*g = (struct grams){.limit = limit};
}

void grams_done(struct grams *g)
{
	free(g->places);
	*g = (struct grams){0};
}

static struct gram *place(struct gram *places, size_t capacity, uint64_t key)
{
	size_t at = (size_t)gram_mix(key, 1) & (capacity - 1);
	while (places[at].value && places[at].key != key)
		at = (at + 1) & (capacity - 1);
	return &places[at];
}

uint64_t grams_get(const struct grams *g, uint64_t key)
{
	return g->count ? place(g->places, g->capacity, key)->value : 0;
}

static bool grow(struct grams *g)
{
	size_t capacity = g->capacity ? g->capacity * 2 : FIRST;
	struct gram *places = calloc(capacity, sizeof *places);
	if (!places)
		return false;
	for (size_t i = 0; i < g->capacity; i++)
		if (g->places[i].value)
			*place(places, capacity, g->places[i].key) = g->places[i];
	free(g->places);
	g->places = places;
	g->capacity = capacity;
	return true;
}

uint64_t *grams_at(struct grams *g, uint64_t key)
{
	if (2 * (g->count + 1) > g->capacity && !grow(g))
		return NULL;
	struct gram *p = place(g->places, g->capacity, key);
	if (!p->value) {
		if (g->count == g->limit)
			return NULL;
		g->count++;
		p->key = key;
	}
	return &p->value;
}
