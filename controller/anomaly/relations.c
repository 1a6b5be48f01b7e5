/* controller/anomaly/relations.c: see relations.h. */
#include "controller/anomaly/relations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double certain = 0.75; /* a relation that holds less often tells nothing when it is broken */

struct candidate {
	uint32_t kind, sessions;
};

static int commoner(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->sessions != y->sessions)
		return x->sessions > y->sessions ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static size_t cell(const struct relations *r, size_t relation, size_t b, size_t a)
{
	return (relation * r->count + b) * r->count + a;
}

bool relations_init(struct relations *r, const uint32_t *sessions, size_t kind_count)
{
	*r = (struct relations){.kind_count = kind_count};
	struct candidate *c = calloc(kind_count + 1, sizeof *c);
	if (!c)
		return false;
	for (size_t k = 0; k < kind_count; k++)
		c[k] = (struct candidate){(uint32_t)k, sessions[k]};
	qsort(c, kind_count, sizeof *c, commoner);
	r->count = kind_count < RELATIONS_KINDS ? kind_count : RELATIONS_KINDS;
	size_t n = r->count + 1; /* never nothing */
	r->slots = calloc(kind_count + 1, sizeof *r->slots);
	r->sessions = calloc(n, sizeof *r->sessions);
	r->held = calloc(RELATION_COUNT * n * n, sizeof *r->held);
	r->seen = calloc(n, sizeof *r->seen);
	r->present = calloc(n, sizeof *r->present);
	bool ok = r->slots && r->sessions && r->held && r->seen && r->present;
	for (size_t i = 0; ok && i < r->count; i++)
		r->slots[c[i].kind] = (uint32_t)i + 1;
	free(c);
	if (!ok)
		relations_done(r);
	return ok;
}

void relations_done(struct relations *r)
{
	free(r->slots);
	free(r->sessions);
	free(r->held);
	free(r->seen);
	free(r->present);
	*r = (struct relations){0};
}

/* Fills r->seen and r->present; returns how many are present. */
static size_t look(struct relations *r, const uint32_t *events, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < r->count; i++)
		r->seen[i].amount = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t slot = events[i] < r->kind_count ? r->slots[events[i]] : 0;
		if (!slot--)
			continue;
		if (!r->seen[slot].amount++) {
			r->seen[slot].first = (uint32_t)i;
			r->present[n++] = slot;
		}
		r->seen[slot].last = (uint32_t)i;
	}
	return n;
}

static bool holds(const struct relations *r, size_t relation, uint32_t b, uint32_t a)
{
	if (!r->seen[a].amount)
		return false;
	switch (relation) {
	case RELATION_BEFORE:
		return r->seen[a].first < r->seen[b].first;
	case RELATION_AFTER:
		return r->seen[a].last > r->seen[b].last;
	default:
		return r->seen[a].amount >= r->seen[b].amount;
	}
}

void relations_learn(struct relations *r, const uint32_t *events, size_t count, int by)
{
	size_t n = look(r, events, count);
	for (size_t i = 0; i < n; i++) {
		uint32_t b = r->present[i];
		r->sessions[b] += (uint32_t)by;
		for (size_t k = 0; k < n; k++)
			for (size_t relation = 0; relation < RELATION_COUNT && k != i; relation++)
				if (holds(r, relation, b, r->present[k]))
					r->held[cell(r, relation, b, r->present[k])] += (uint32_t)by;
	}
}

double relations_broken(struct relations *r, const uint32_t *events, size_t count)
{
	size_t n = look(r, events, count);
	double most = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t b = r->present[i];
		double with = r->sessions[b];
		for (size_t relation = 0; relation < RELATION_COUNT; relation++)
			for (uint32_t a = 0; a < r->count; a++) {
				double held = r->held[cell(r, relation, b, a)];
				if (held < certain * with || a == b || held == 0 || holds(r, relation, b, a))
					continue;
				most = fmax(most, log((with + 2) / (with - held + 1)));
			}
	}
	return most;
}
