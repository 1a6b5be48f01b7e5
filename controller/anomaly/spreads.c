/* controller/anomaly/spreads.c: see spreads.h. */
#include "controller/anomaly/spreads.h"

#include <math.h>
#include <stdlib.h>

static const double least_spread = 0.2; /* ln(1 + count): a fifth more or less is never news */
static const double first_spread = 0.7; /* of what was seen too seldom to tell: one more or less of one */

void spreads_init(struct spreads *s, size_t limit)
{
	*s = (struct spreads){0};
	grams_init(&s->places, limit);
}

void spreads_done(struct spreads *s)
{
	grams_done(&s->places);
	free(s->items);
	*s = (struct spreads){0};
}

bool spreads_learn(struct spreads *s, uint64_t key, size_t count, int by)
{
	uint64_t *index = grams_at(&s->places, key);
	if (!index)
		return s->places.count == s->places.limit;
	if (!*index) {
		*index = s->places.count;
		if (s->places.count > s->capacity) {
			size_t capacity = s->capacity ? 2 * s->capacity : 256;
			struct spread *items = reallocarray(s->items, capacity, sizeof *items);
			if (!items)
				return false;
			s->items = items;
			s->capacity = capacity;
		}
		s->items[*index - 1] = (struct spread){0};
	}
	struct spread *x = &s->items[*index - 1];
	double amount = log1p((double)count);
	x->sessions += by;
	x->sum += by * amount;
	x->squares += by * amount * amount;
	return true;
}

/* -ln of how likely an amount that far off is: Student's t with as many degrees of freedom as sessions, whose tail is
 * wide while they are few. */
double spreads_surprise(const struct spreads *s, uint64_t key, size_t count)
{
	uint64_t index = grams_get(&s->places, key);
	const struct spread *x = index ? &s->items[index - 1] : NULL;
	if (!x || x->sessions < 0.5)
		return 0;
	double n = x->sessions, mean = x->sum / n, square = fmax(0, x->squares / n - mean * mean);
	double spread = sqrt((n * square + first_spread * first_spread) / (n + 1) + least_spread * least_spread);
	double z = (log1p((double)count) - mean) / spread;
	return (n + 1) / 2 * log1p(z * z / n);
}
