/* controller/anomaly/contrast.c: see contrast.h. */
#include "controller/anomaly/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every column becomes stretches between these, in nats; what lies beyond the last counts no further. */
static const double knots[] = {0, 1, 2, 4, 8, 16};
static const double stiffness = 4; /* what a slope costs that differs by 1 from what was expected, in nats */
enum { STRETCHES = sizeof knots / sizeof *knots - 1, ROUNDS = 24 };

struct contrast {
	size_t columns, terms; /* terms: stretches of all columns, and one that is the same for all rows */
	double *expected;      /* by term */
	double *weights[CONTRAST_FOLDS];
};

/* Rows of one fit, as terms. */
struct table {
	size_t count, firsts;
	float *terms; /* [term][row] */
	double *odds; /* by row */
};

void contrast_free(struct contrast *c)
{
	if (!c)
		return;
	free(c->expected);
	for (size_t f = 0; f < CONTRAST_FOLDS; f++)
		free(c->weights[f]);
	free(c);
}

struct contrast *contrast_new(const double *slopes, size_t columns)
{
	struct contrast *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->columns = columns;
	c->terms = columns * STRETCHES + 1;
	bool ok = (c->expected = calloc(c->terms, sizeof *c->expected));
	for (size_t f = 0; f < CONTRAST_FOLDS; f++)
		ok = (c->weights[f] = calloc(c->terms, sizeof **c->weights)) && ok;
	for (size_t i = 0; i < columns * STRETCHES && ok; i++)
		c->expected[i] = slopes[i / STRETCHES];
	if (!ok) {
		contrast_free(c);
		return NULL;
	}
	return c;
}

static double stretch(double x, size_t i)
{
	return fmax(0, fmin(x, knots[i + 1]) - knots[i]);
}

static double term_of(const struct contrast *c, const float *row, size_t term)
{
	return term == c->terms - 1 ? 1 : stretch((double)row[term / STRETCHES], term % STRETCHES);
}

double contrast_odds(const struct contrast *c, const float *row, size_t index)
{
	const double *w = c->weights[index % CONTRAST_FOLDS];
	double sum = w[c->terms - 1];
	for (size_t i = 0; i + 1 < c->terms; i++)
		if (w[i] != 0)
			sum += w[i] * term_of(c, row, i);
	return sum;
}

/* ---- fitting ---- */

/* One term's weight, by Newton's step; what the others say stands. */
static void improve(const struct contrast *c, struct table *t, double *w, size_t term)
{
	const float *x = t->terms + term * t->count;
	bool level = term == c->terms - 1;
	double slope = level ? 0 : stiffness * (c->expected[term] - w[term]), curve = level ? 1e-6 : stiffness;
	for (size_t i = 0; i < t->count; i++) {
		if (x[i] == 0)
			continue;
		double p = 1 / (1 + exp(-t->odds[i]));
		slope += (double)x[i] * ((i >= t->firsts) - p);
		curve += (double)x[i] * (double)x[i] * fmax(p * (1 - p), 0.01);
	}
	double to = w[term] + fmax(-1, fmin(1, slope / curve));
	if (!level)
		to = fmax(0, to);
	double by = to - w[term];
	if (by == 0)
		return;
	w[term] = to;
	for (size_t i = 0; i < t->count; i++)
		t->odds[i] += by * (double)x[i];
}

struct rows {
	const float *rows;
	size_t count;
};

/* The rows of a set that are looked at: evenly spread, without those of one fold. */
static void take(const struct contrast *c, struct table *t, struct rows of, size_t without, size_t capacity)
{
	size_t kept = of.count < CONTRAST_ROWS ? of.count : CONTRAST_ROWS;
	for (size_t k = 0; k < kept; k++) {
		size_t i = (size_t)((double)k / (double)kept * (double)of.count);
		if (i % CONTRAST_FOLDS == without)
			continue;
		for (size_t term = 0; term < c->terms; term++)
			t->terms[term * capacity + t->count] = (float)term_of(c, of.rows + i * c->columns, term);
		t->count++;
	}
}

static size_t capacity_of(size_t count)
{
	return count < CONTRAST_ROWS ? count : CONTRAST_ROWS;
}

bool contrast_fit(struct contrast *c, const float *first, size_t first_count, const float *second, size_t second_count)
{
	size_t capacity = capacity_of(first_count) + capacity_of(second_count);
	struct table t = {
	    .terms = calloc(capacity * c->terms + 1, sizeof *t.terms), .odds = calloc(capacity + 1, sizeof *t.odds)};
	bool ok = t.terms && t.odds;
	for (size_t f = 0; f < CONTRAST_FOLDS && ok; f++) {
		double *w = c->weights[f];
		memcpy(w, c->expected, c->terms * sizeof *w);
		t.count = 0;
		take(c, &t, (struct rows){first, first_count}, f, capacity);
		t.firsts = t.count;
		take(c, &t, (struct rows){second, second_count}, f, capacity);
		for (size_t term = 1; term < c->terms;
		     term++) /* terms lie side by side only now that rows are counted */
			memmove(t.terms + term * t.count, t.terms + term * capacity, t.count * sizeof *t.terms);
		for (size_t i = 0; i < t.count; i++) {
			t.odds[i] = 0;
			for (size_t term = 0; term < c->terms; term++)
				t.odds[i] += w[term] * (double)t.terms[term * t.count + i];
		}
		for (int round = 0; round < ROUNDS; round++)
			for (size_t term = c->terms; term-- > 0;)
				improve(c, &t, w, term);
	}
	free(t.terms);
	free(t.odds);
	return ok;
}
