/* controller/anomaly/sequence_usual.c: see sequence_internal.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/sequence_internal.h"

static const double held_out_odds = 0.02;    /* of unseen normal sessions that may lie beyond the limit */
static const double usual_difference = 0.05; /* a kind whose count differs this much on average weighs half */
/* A session that was learnt is measured without itself: what is the same differs by so much. */
static const double same_share = 0.03, same_nats = 0.02;
static const double first_strange = 0.7; /* as long as no new kind was seen: ln(1 + 1) */
/* Views are combined by the norm of this power: what one of them alone is sure of counts nearly whole, and several that
 * are half sure add up a little.  A plain sum lets the noise of many views hide what one of them sees. */
static const double agreement = 4;

/* -ln P(N >= n) of a Poisson variable of that mean; 0 where n is no more than the mean. */
static double surprise(size_t n, double mean)
{
	if ((double)n <= mean)
		return 0;
	double k = (double)n, sum = 1, term = 1;
	for (int i = 1; i < 64 && term > 1e-9; i++)
		sum += term *= mean / (k + i);
	return mean - k * log(mean) + lgamma(k + 1) - log(sum);
}

/* As the sums assume that events are independent of each other. */
static double assumed(const struct sequence_model *m, const struct measure *x, size_t view)
{
	if (view >= NOVEL_COUNT)
		return x->nats[view];
	double nats = surprise(x->novel[view], m->rates[view] * (double)x->length);
	return view == NOVEL_KINDS ? nats + fmax(0, x->strange / m->usual_strange - 1) : nats;
}

/* The first of count ascending values that is not below. */
static size_t place_of(const double *values, size_t count, double value)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (values[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

double usual_share(const double *values, size_t count, double value)
{
	return ((double)(count - place_of(values, count, value)) + 1) / ((double)count + 1);
}

/* Beyond the largest of the normal sessions', as far as it lies in multiples of that. */
double usual_view(const struct sequence_model *m, const struct measure *x, size_t view)
{
	double nats = assumed(m, x, view), largest = m->usual[view][m->session_count - 1];
	if (nats <= 0)
		return 0;
	double seen = -log(usual_share(m->usual[view], m->session_count, nats * (1 - same_share) - same_nats));
	return fmin(nats, seen + fmax(0, nats - largest) / fmax(1, largest));
}

double usual_total(const struct sequence_model *m, const struct measure *x)
{
	double sum = 0;
	for (size_t v = 0; v < VIEW_COUNT; v++)
		sum += pow(usual_view(m, x, v), agreement);
	return pow(sum, 1 / agreement);
}

int usual_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

double usual_limit(const double *totals, size_t count)
{
	double rare = log(fmin(SEQUENCE_ODDS, (double)count + 1));
	return fmax(rare, totals[count - 1 - (size_t)(held_out_odds * (double)count)]);
}

struct held_out {
	struct measure *measures; /* by session */
	struct habit *habits;     /* those that this round finds */
};

/* Goes over every session by a model of the other folds, with weights and habits as they stand. */
static bool cross_validate(struct sequence_model *m, struct held_out *h)
{
	for (size_t f = 0; f < SEQUENCE_FOLDS; f++) {
		struct part part;
		if (!part_build(&part, m, m->session_count > 1 ? f : SEQUENCE_FOLDS))
			return false;
		for (size_t i = f; i < m->session_count; i += SEQUENCE_FOLDS) {
			struct learnt s = sequence_learnt(m, i);
			part_measure(&part, m, s.events, s.count, &h->measures[i]);
			size_t n = part_differences(&part, m, s.events, s.count);
			h->measures[i].nats[VIEW_COUNTS] = sequence_differences_nats(m, n);
			for (size_t k = 0; k < n; k++) {
				struct habit *habit = &h->habits[m->differences[k].kind];
				habit->sessions++;
				habit->sum += (double)m->differences[k].amount;
			}
		}
		part_done(&part);
	}
	return true;
}

/* Amounts and relations can take a session back: each is judged by all the others. */
static bool cross_validate_quantities(struct sequence_model *m, struct held_out *h)
{
	bool ok = true;
	for (size_t i = 0; i < m->session_count && ok; i++)
		ok = quantities_learn(m, sequence_learnt(m, i), 1);
	for (size_t i = 0; i < m->session_count && ok && m->session_count > 1; i++) {
		struct learnt s = sequence_learnt(m, i);
		ok = quantities_learn(m, s, -1);
		quantities_measure(m, s.events, s.count, &h->measures[i]);
		ok = ok && quantities_learn(m, s, 1);
	}
	return ok;
}

/* Sessions less alike than the views assume move the limit up. */
static bool set_limit(struct sequence_model *m, const struct held_out *h)
{
	double length = 0, strange = first_strange;
	size_t novel[NOVEL_COUNT] = {0}, n = m->session_count, with_strange = 1;
	for (size_t i = 0; i < n; i++) {
		length += (double)h->measures[i].length;
		strange += h->measures[i].strange;
		with_strange += h->measures[i].strange > 0;
		for (size_t v = 0; v < NOVEL_COUNT; v++)
			novel[v] += h->measures[i].novel[v];
	}
	m->usual_strange = strange / (double)with_strange;
	for (size_t v = 0; v < NOVEL_COUNT; v++)
		m->rates[v] = ((double)novel[v] + 0.5) / length;
	for (size_t v = 0; v < VIEW_COUNT; v++) {
		for (size_t i = 0; i < n; i++)
			m->usual[v][i] = assumed(m, &h->measures[i], v);
		qsort(m->usual[v], n, sizeof *m->usual[v], usual_order);
	}
	double *sorted = calloc(n, sizeof *sorted);
	if (!sorted)
		return false;
	for (size_t i = 0; i < n; i++) {
		m->totals[i] = sorted[i] = usual_total(m, &h->measures[i]);
		for (size_t v = 0; v < VIEW_COUNT; v++)
			m->views[i * VIEW_COUNT + v] = (float)usual_view(m, &h->measures[i], v);
	}
	qsort(sorted, n, sizeof *sorted, usual_order);
	m->limit = usual_limit(sorted, n);
	free(sorted);
	return true;
}

/* Twice: first all kinds weigh the same; then those whose counts differ among normal sessions weigh less. */
static bool learn(struct sequence_model *m, struct held_out *h)
{
	for (size_t k = 0; k < m->kind_count; k++)
		m->weights[k] = 1;
	for (int round = 0; round < 2; round++) {
		memset(h->habits, 0, m->kind_count * sizeof *h->habits);
		if (!cross_validate(m, h))
			return false;
		memcpy(m->habits, h->habits, m->kind_count * sizeof *h->habits);
		for (size_t k = 0; k < m->kind_count && round == 0; k++)
			m->weights[k] = (float)(usual_difference /
						(usual_difference + m->habits[k].sum / (double)m->session_count));
	}
	return cross_validate_quantities(m, h) && set_limit(m, h);
}

bool usual_learn(struct sequence_model *m)
{
	struct held_out h = {calloc(m->session_count, sizeof *h.measures), calloc(m->kind_count + 1, sizeof *h.habits)};
	bool ok = h.measures && h.habits && learn(m, &h);
	free(h.measures);
	free(h.habits);
	return ok;
}
