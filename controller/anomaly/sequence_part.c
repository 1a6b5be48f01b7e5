/* controller/anomaly/sequence_part.c: see sequence_internal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/sequence_internal.h"

static const double first_difference = 0.7; /* as long as none was seen: one event more or less, about ln 2 */

struct learnt sequence_learnt(const struct sequence_model *m, size_t index)
{
	size_t from = index ? m->ends[index - 1] : 0;
	return (struct learnt){m->events + from, m->ends[index] - from};
}

static uint64_t at_or_edge(const uint32_t *e, size_t count, size_t i)
{
	return i == 0 || i > count ? UINT32_MAX : e[i - 1];
}

uint64_t sequence_pair(const uint32_t *e, size_t count, size_t i)
{
	return at_or_edge(e, count, i) << 32 | at_or_edge(e, count, i + 1);
}

static uint64_t triple_at(const uint32_t *e, size_t count, size_t i)
{
	return gram_mix(sequence_pair(e, count, i), at_or_edge(e, count, i + 2));
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

size_t sequence_amounts(struct sequence_model *m, const uint32_t *e, size_t count)
{
	if (count)
		memcpy(m->sorted, e, count * sizeof *e);
	qsort(m->sorted, count, sizeof *m->sorted, by_number);
	size_t n = 0;
	for (size_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && m->sorted[i + run] == m->sorted[i];)
			run++;
		m->amounts[n++] = (struct amount){m->sorted[i], (float)log1p((double)run)};
	}
	return n;
}

/* False: no memory.  Past its limit a set takes no more: novelty is then overestimated, on held-out sessions, too. */
static bool gram_learn(struct grams *g, uint64_t key)
{
	uint64_t *n = grams_at(g, key);
	if (n)
		++*n;
	return n || g->count == g->limit;
}

static bool part_learn(struct part *p, struct sequence_model *m, const uint32_t *e, size_t count)
{
	size_t amounts = sequence_amounts(m, e, count);
	for (size_t i = 0; i < amounts; i++)
		p->kinds[m->amounts[i].kind]++;
	bool ok = profiles_add(&p->profiles, m->amounts, amounts);
	for (size_t i = 0; i <= count && ok; i++)
		ok = gram_learn(&p->pairs, sequence_pair(e, count, i));
	for (size_t i = 0; i + 1 <= count && ok; i++)
		ok = gram_learn(&p->triples, triple_at(e, count, i));
	return ok;
}

void part_done(struct part *p)
{
	free(p->kinds);
	grams_done(&p->pairs);
	grams_done(&p->triples);
	profiles_done(&p->profiles);
	*p = (struct part){0};
}

bool part_build(struct part *p, struct sequence_model *m, size_t without)
{
	*p = (struct part){.kinds = calloc(m->kind_count + 1, sizeof *p->kinds)};
	grams_init(&p->pairs, SEQUENCE_GRAMS_MAX);
	grams_init(&p->triples, SEQUENCE_GRAMS_MAX);
	profiles_init(&p->profiles);
	bool ok = p->kinds;
	for (size_t i = 0; i < m->session_count && ok; i++) {
		struct learnt s = sequence_learnt(m, i);
		if (i % SEQUENCE_FOLDS != without)
			ok = part_learn(p, m, s.events, s.count);
	}
	if (ok)
		profiles_settle(&p->profiles, SEQUENCE_PROFILES_MAX);
	else
		part_done(p);
	return ok;
}

static bool knows(const struct part *p, const struct sequence_model *m, uint64_t kind)
{
	return kind < m->kind_count && p->kinds[kind];
}

/* The i-th of at_or_edge(). */
static bool is_known(const struct part *p, const struct sequence_model *m, const uint32_t *e, size_t count, size_t i)
{
	uint64_t kind = at_or_edge(e, count, i);
	return kind == UINT32_MAX || knows(p, m, kind);
}

/* Runs of places where something is new: one event out of its place makes all that it is part of new. */
struct runs {
	size_t count, last; /* last: place of the latest one + 1; 0: there is none */
};

/* span: places that one event takes part in. */
static void runs_add(struct runs *r, size_t place, size_t span)
{
	if (!r->last || place + 1 - r->last >= span)
		r->count++;
	r->last = place + 1;
}

void part_measure(const struct part *p, struct sequence_model *m, const uint32_t *e, size_t count, struct measure *ret)
{
	struct runs pairs = {0}, triples = {0};
	*ret = (struct measure){.length = count + 1};
	size_t amounts = sequence_amounts(m, e, count);
	for (size_t i = 0; i < amounts; i++)
		if (!knows(p, m, m->amounts[i].kind)) {
			ret->novel[NOVEL_KINDS]++;
			ret->strange = fmax(ret->strange, (double)m->amounts[i].amount);
		}
	bool before = false; /* the pair at i - 1 is known */
	for (size_t i = 0; i <= count; i++) {
		bool known = grams_get(&p->pairs, sequence_pair(e, count, i));
		if (!known && is_known(p, m, e, count, i) && is_known(p, m, e, count, i + 1))
			runs_add(&pairs, i, 2);
		if (known && before && !grams_get(&p->triples, triple_at(e, count, i - 1)))
			runs_add(&triples, i, 3);
		before = known;
	}
	ret->novel[NOVEL_PAIRS] = pairs.count;
	ret->novel[NOVEL_TRIPLES] = triples.count;
}

size_t part_differences(const struct part *p, struct sequence_model *m, const uint32_t *e, size_t count)
{
	size_t amounts = sequence_amounts(m, e, count);
	struct nearest n = profiles_nearest(&p->profiles, m->amounts, amounts, m->weights, m->kind_count);
	size_t all = profiles_compare(&p->profiles, n.index, m->amounts, amounts, m->differences), kept = 0;
	for (size_t i = 0; i < all; i++) /* a kind never seen is novelty, and counts as that */
		if (knows(p, m, m->differences[i].kind))
			m->differences[kept++] = m->differences[i];
	return kept;
}

/* Of a kind's count that differs so much, by what differences normal sessions have shown. */
static double difference_nats(const struct sequence_model *m, struct amount d)
{
	struct habit h = d.kind < m->kind_count ? m->habits[d.kind] : (struct habit){0};
	double usual = (h.sum + first_difference) / (h.sessions + 1);
	return -log((h.sessions + 0.5) / ((double)m->session_count + 1)) + fmax(0, (double)d.amount / usual - 1);
}

double sequence_differences_nats(const struct sequence_model *m, size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += difference_nats(m, m->differences[i]);
	return sum;
}

/* ---- amounts, repeats, relations ---- */

static size_t count_of(struct amount a)
{
	return (size_t)lround(expm1((double)a.amount));
}

static int by_kind(const void *a, const void *b)
{
	const struct amount *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->amount < y->amount ? 1 : x->amount > y->amount ? -1 : 0;
}

size_t sequence_runs(struct sequence_model *m, const uint32_t *e, size_t count)
{
	size_t n = 0, kept = 0;
	for (size_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && e[i + run] == e[i];)
			run++;
		m->amounts[n++] = (struct amount){e[i], (float)log1p((double)run)};
	}
	qsort(m->amounts, n, sizeof *m->amounts, by_kind);
	for (size_t i = 0; i < n; i++)
		if (!kept || m->amounts[kept - 1].kind != m->amounts[i].kind)
			m->amounts[kept++] = m->amounts[i];
	return kept;
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Fills m->pairs, equal ones side by side; returns how many. */
static size_t sorted_pairs(struct sequence_model *m, const uint32_t *e, size_t count)
{
	for (size_t i = 0; i <= count; i++)
		m->pairs[i] = sequence_pair(e, count, i);
	qsort(m->pairs, count + 1, sizeof *m->pairs, by_key);
	return count + 1;
}

static size_t run_from(const uint64_t *sorted, size_t count, size_t i)
{
	size_t run = 1;
	while (i + run < count && sorted[i + run] == sorted[i])
		run++;
	return run;
}

bool quantities_learn(struct sequence_model *m, struct learnt s, int by)
{
	relations_learn(&m->relations, s.events, s.count, by);
	size_t n = sequence_amounts(m, s.events, s.count);
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++)
		ok = spreads_learn(&m->kind_amounts, m->amounts[i].kind, count_of(m->amounts[i]), by);
	n = sequence_runs(m, s.events, s.count);
	for (size_t i = 0; i < n && ok; i++)
		ok = spreads_learn(&m->kind_runs, m->amounts[i].kind, count_of(m->amounts[i]), by);
	n = sorted_pairs(m, s.events, s.count);
	for (size_t i = 0, run; i < n && ok; i += run) {
		run = run_from(m->pairs, n, i);
		ok = spreads_learn(&m->pair_amounts, m->pairs[i], run, by);
	}
	return ok;
}

/* The greatest of those in m->amounts. */
static double amounts_surprise(const struct sequence_model *m, const struct spreads *usual, size_t count)
{
	double most = 0;
	for (size_t i = 0; i < count; i++)
		most = fmax(most, spreads_surprise(usual, m->amounts[i].kind, count_of(m->amounts[i])));
	return most;
}

void quantities_measure(struct sequence_model *m, const uint32_t *e, size_t count, struct measure *ret)
{
	size_t n = sequence_amounts(m, e, count);
	double amounts = amounts_surprise(m, &m->kind_amounts, n), repeats = 0;
	n = sequence_runs(m, e, count);
	double runs = amounts_surprise(m, &m->kind_runs, n);
	n = sorted_pairs(m, e, count);
	for (size_t i = 0, run; i < n; i += run) {
		run = run_from(m->pairs, n, i);
		repeats = fmax(repeats, spreads_surprise(&m->pair_amounts, m->pairs[i], run));
	}
	ret->nats[VIEW_AMOUNTS] = amounts;
	ret->nats[VIEW_RUNS] = runs;
	ret->nats[VIEW_REPEATS] = repeats;
	ret->nats[VIEW_RELATIONS] = relations_broken(&m->relations, e, count);
}
