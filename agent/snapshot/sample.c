#include "agent/snapshot/sample.h"

#include "shared/base/random.h"
#include "shared/base/siphash.h"

void sample_begin(struct sample *s)
{
	struct random random;
	random_init_system(&random);
	*s = (struct sample){.below = UINT64_MAX};
	random_fill(&random, s->key, sizeof s->key);
}

static uint64_t number_of(const struct sample *s, const struct need *n)
{
	return siphash(s->key, n->id.b, CHUNK_ID_SIZE);
}

static int by_number(const void *a, const void *b, void *ctx)
{
	uint64_t x = number_of(ctx, a), y = number_of(ctx, b);
	return (x > y) - (x < y);
}

/* The lowest ones, each once. */
static void cut(struct sample *s, struct needs *n)
{
	size_t kept = 0;
	qsort_r(n->all, n->count, sizeof *n->all, by_number, s);
	for (size_t i = 0; i < n->count && kept < VERIFY_SAMPLE_CHUNKS; i++)
		if (!kept || memcmp(n->all[kept - 1].id.b, n->all[i].id.b, CHUNK_ID_SIZE) != 0)
			n->all[kept++] = n->all[i];
	if (kept == VERIFY_SAMPLE_CHUNKS)
		s->below = number_of(s, &n->all[kept - 1]) + 1;
	n->count = kept;
}

void sample_take(struct sample *s, struct needs *n)
{
	size_t kept = s->seen;
	for (size_t i = s->seen; i < n->count; i++)
		if (number_of(s, &n->all[i]) < s->below)
			n->all[kept++] = n->all[i];
	n->count = kept;
	if (n->count >= 2 * (size_t)VERIFY_SAMPLE_CHUNKS)
		cut(s, n);
	s->seen = n->count;
}

void sample_end(struct sample *s, struct needs *n, uint64_t *ret_total)
{
	sample_take(s, n);
	cut(s, n);
	double share = (double)s->below / (double)UINT64_MAX;
	*ret_total = n->count < VERIFY_SAMPLE_CHUNKS ? n->count : (uint64_t)((double)n->count / share);
	needs_sort(n);
}
