/* controller/anomaly/sequence.c: see sequence.h.
 *
 * Everything is measured in nats, -ln of how probable it is in a normal session, so that it adds up.  Novelty (kinds,
 * pairs of known kinds, triples of known pairs that were not seen) is a rate: normal sessions that a model has not seen
 * bring some, too, the longer the more.  Counts are compared with the nearest profile: of each kind that differs, how
 * often normal sessions differ there, and by how much. */
#include "controller/anomaly/sequence.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/grams.h"
#include "controller/anomaly/profiles.h"

enum { NOVEL_KINDS, NOVEL_PAIRS, NOVEL_TRIPLES, NOVEL_COUNT, VIEW_COUNTS = NOVEL_COUNT, VIEW_COUNT };
static const double held_out_odds = 0.02;    /* of unseen normal sessions that may lie beyond the limit */
static const double usual_difference = 0.05; /* a kind whose count differs this much on average weighs half */
static const double most_anomalies = 0.1;    /* of all sessions in nature, however many a batch has been given */
static const double least_limit = 1;         /* nats of what is hardly strange at all */
static const double rounding = 1e-9;
static const double first_difference = 0.7; /* as long as none was seen: one event more or less, about ln 2 */

/* What one set of normal sessions has shown. */
struct part {
	uint32_t *kinds; /* sessions that had it, by kind */
	struct grams pairs, triples;
	struct profiles profiles;
};

struct sequence_model {
	struct grams kinds; /* event -> kind + 1 */
	size_t kind_count;
	uint32_t *events; /* of all sessions kept, as kinds */
	size_t event_count, event_capacity;
	size_t *ends; /* of each session, in events */
	size_t session_count, session_capacity;
	uint64_t offered;
	unsigned thinned; /* every 2^thinned-th session is kept */
	bool fitted;
	struct part whole;
	float *weights;            /* by kind */
	struct habit {             /* of a kind: how its counts differ from the nearest profile's in normal sessions */
		uint32_t sessions; /* in which they do */
		double sum;        /* of the differences */
	} * habits;
	double rates[NOVEL_COUNT], limit;
	double usual_strange; /* how often a new kind occurs in a normal session that has one: mean of ln(1 + count) */
	/* Nats of normal sessions by models that had not seen them, ascending; session_count each. */
	double *usual[VIEW_COUNT], *usual_total;
	/* scratch of one session */
	struct grams strangers;
	uint32_t *session, *sorted;
	struct amount *amounts, *differences;
};

struct measure {
	size_t novel[NOVEL_COUNT], length;
	double strange;    /* ln(1 + count) of the most frequent kind that is new; 0: there is none */
	double difference; /* the surprise in how counts differ from the nearest profile's */
};

uint64_t sequence_event(const void *word, size_t size)
{
	const unsigned char *p = word;
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return gram_mix(h, size);
}

enum err_code sequence_model_new(struct sequence_model **ret, struct err *reterr)
{
	struct sequence_model *m = calloc(1, sizeof *m);
	if (!m)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	m->session = malloc(SEQUENCE_EVENTS_MAX * sizeof *m->session);
	m->sorted = malloc(SEQUENCE_EVENTS_MAX * sizeof *m->sorted);
	m->amounts = malloc(SEQUENCE_EVENTS_MAX * sizeof *m->amounts);
	m->differences = malloc(2 * SEQUENCE_EVENTS_MAX * sizeof *m->differences);
	if (!m->session || !m->sorted || !m->amounts || !m->differences) {
		sequence_model_free(m);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	grams_init(&m->kinds, SEQUENCE_KINDS_MAX);
	grams_init(&m->strangers, SEQUENCE_EVENTS_MAX);
	*ret = m;
	return ERR_OK;
}

static void part_done(struct part *p)
{
	free(p->kinds);
	grams_done(&p->pairs);
	grams_done(&p->triples);
	profiles_done(&p->profiles);
	*p = (struct part){0};
}

void sequence_model_free(struct sequence_model *m)
{
	if (!m)
		return;
	part_done(&m->whole);
	grams_done(&m->kinds);
	grams_done(&m->strangers);
	free(m->events);
	free(m->ends);
	free(m->weights);
	free(m->session);
	free(m->sorted);
	free(m->amounts);
	free(m->differences);
	free(m->habits);
	for (size_t v = 0; v < VIEW_COUNT; v++)
		free(m->usual[v]);
	free(m->usual_total);
	free(m);
}

/* ---- learning ---- */

/* Every other session goes, and from now on every other one that comes. */
static void thin(struct sequence_model *m)
{
	size_t kept = 0, at = 0;
	for (size_t i = 0; i < m->session_count; i += 2) {
		size_t from = i ? m->ends[i - 1] : 0, size = m->ends[i] - from;
		memmove(m->events + at, m->events + from, size * sizeof *m->events);
		at += size;
		m->ends[kept++] = at;
	}
	/* The ends just written lie before those still to be read: kept <= i. */
	m->session_count = kept;
	m->event_count = at;
	m->thinned++;
}

static bool room(struct sequence_model *m, size_t count)
{
	if (m->session_count == m->session_capacity) {
		size_t capacity = m->session_capacity ? 2 * m->session_capacity : 256;
		size_t *ends = reallocarray(m->ends, capacity, sizeof *ends);
		if (!ends)
			return false;
		m->ends = ends;
		m->session_capacity = capacity;
	}
	if (m->event_capacity - m->event_count < count) {
		size_t capacity = 2 * m->event_capacity + count + 4096;
		uint32_t *events = reallocarray(m->events, capacity, sizeof *events);
		if (!events)
			return false;
		m->events = events;
		m->event_capacity = capacity;
	}
	return true;
}

enum err_code sequence_model_learn(struct sequence_model *m, const uint64_t *events, size_t count, struct err *reterr)
{
	if (m->fitted)
		return err_set(reterr, ERR_STATE, "this model has been fitted and learns no more");
	if (count > SEQUENCE_EVENTS_MAX)
		count = SEQUENCE_EVENTS_MAX;
	if (m->offered++ & ((1ull << m->thinned) - 1))
		return ERR_OK;
	while (m->session_count &&
	       (m->session_count == SEQUENCE_SESSIONS_MAX || m->event_count + count > SEQUENCE_KEPT_MAX))
		thin(m);
	if (!room(m, count))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		uint64_t *kind = grams_at(&m->kinds, events[i]);
		if (!kind && m->kinds.count < m->kinds.limit)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		if (kind && !*kind)
			*kind = ++m->kind_count;
		/* Past the limit all further kinds are the last one. */
		m->events[m->event_count + i] = (uint32_t)((kind ? *kind : m->kind_count) - 1);
	}
	m->event_count += count;
	m->ends[m->session_count++] = m->event_count;
	return ERR_OK;
}

/* ---- a session's pairs, triples and counts ---- */

/* Before the first event and behind the last one stands an edge: how a session begins and ends is part of its order. */
static uint64_t at_or_edge(const uint32_t *e, size_t count, size_t i)
{
	return i == 0 || i > count ? UINT32_MAX : e[i - 1];
}

static uint64_t pair_at(const uint32_t *e, size_t count, size_t i)
{
	return at_or_edge(e, count, i) << 32 | at_or_edge(e, count, i + 1);
}

static uint64_t triple_at(const uint32_t *e, size_t count, size_t i)
{
	return gram_mix(pair_at(e, count, i), at_or_edge(e, count, i + 2));
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* Fills m->amounts, returns how many. */
static size_t amounts_of(struct sequence_model *m, const uint32_t *e, size_t count)
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
	size_t amounts = amounts_of(m, e, count);
	for (size_t i = 0; i < amounts; i++)
		p->kinds[m->amounts[i].kind]++;
	bool ok = profiles_add(&p->profiles, m->amounts, amounts);
	for (size_t i = 0; i <= count && ok; i++)
		ok = gram_learn(&p->pairs, pair_at(e, count, i));
	for (size_t i = 0; i + 1 <= count && ok; i++)
		ok = gram_learn(&p->triples, triple_at(e, count, i));
	return ok;
}

/* All sessions but those of one fold; SEQUENCE_FOLDS: all.  False: no memory. */
static bool part_build(struct part *p, struct sequence_model *m, size_t without)
{
	*p = (struct part){.kinds = calloc(m->kind_count + 1, sizeof *p->kinds)};
	grams_init(&p->pairs, SEQUENCE_GRAMS_MAX);
	grams_init(&p->triples, SEQUENCE_GRAMS_MAX);
	profiles_init(&p->profiles);
	bool ok = p->kinds;
	for (size_t i = 0; i < m->session_count && ok; i++) {
		size_t from = i ? m->ends[i - 1] : 0;
		if (i % SEQUENCE_FOLDS != without)
			ok = part_learn(p, m, m->events + from, m->ends[i] - from);
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

static void part_measure(
    const struct part *p, struct sequence_model *m, const uint32_t *e, size_t count, struct measure *ret)
{
	struct runs pairs = {0}, triples = {0};
	*ret = (struct measure){.length = count + 1};
	size_t amounts = amounts_of(m, e, count);
	for (size_t i = 0; i < amounts; i++)
		if (!knows(p, m, m->amounts[i].kind)) {
			ret->novel[NOVEL_KINDS]++;
			ret->strange = fmax(ret->strange, (double)m->amounts[i].amount);
		}
	bool before = false; /* the pair at i - 1 is known */
	for (size_t i = 0; i <= count; i++) {
		bool known = grams_get(&p->pairs, pair_at(e, count, i));
		if (!known && is_known(p, m, e, count, i) && is_known(p, m, e, count, i + 1))
			runs_add(&pairs, i, 2);
		if (known && before && !grams_get(&p->triples, triple_at(e, count, i - 1)))
			runs_add(&triples, i, 3);
		before = known;
	}
	ret->novel[NOVEL_PAIRS] = pairs.count;
	ret->novel[NOVEL_TRIPLES] = triples.count;
}

/* How far the session's counts lie from the nearest profile's; leaves the differences in m->differences. */
static size_t differences_of(const struct part *p, struct sequence_model *m, size_t amounts)
{
	struct nearest n = profiles_nearest(&p->profiles, m->amounts, amounts, m->weights, m->kind_count);
	size_t count = profiles_compare(&p->profiles, n.index, m->amounts, amounts, m->differences), kept = 0;
	for (size_t i = 0; i < count; i++) /* a kind never seen is novelty, and counts as that */
		if (knows(p, m, m->differences[i].kind))
			m->differences[kept++] = m->differences[i];
	return kept;
}

/* ---- what is usual ---- */

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

/* Of a kind's count that differs so much, by what differences normal sessions have shown. */
static double difference_surprise(const struct sequence_model *m, struct amount d)
{
	struct habit h = d.kind < m->kind_count ? m->habits[d.kind] : (struct habit){0};
	double usual = (h.sum + first_difference) / (h.sessions + 1);
	return -log((h.sessions + 0.5) / ((double)m->session_count + 1)) + fmax(0, (double)d.amount / usual - 1);
}

static double differences_surprise(const struct sequence_model *m, size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += difference_surprise(m, m->differences[i]);
	return sum;
}

/* As the sums assume that events are independent of each other. */
static double assumed(const struct sequence_model *m, const struct measure *x, size_t view)
{
	if (view == VIEW_COUNTS)
		return x->difference;
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

/* The share of unseen normal sessions that reach a value, one more counted among them. */
static double share_from(const double *values, size_t count, double value)
{
	return ((double)(count - place_of(values, count, value)) + 1) / ((double)count + 1);
}

/* No more than unseen normal sessions bear out: beyond the largest of them, as far as it lies in multiples of that. */
static double view_nats(const struct sequence_model *m, const struct measure *x, size_t view)
{
	double nats = assumed(m, x, view), largest = m->usual[view][m->session_count - 1];
	if (nats <= 0)
		return 0;
	double seen = -log(share_from(m->usual[view], m->session_count, nats - rounding));
	return fmin(nats, seen + fmax(0, nats - largest) / fmax(1, largest));
}

static double total(const struct sequence_model *m, const struct measure *x)
{
	double sum = 0;
	for (size_t v = 0; v < VIEW_COUNT; v++)
		sum += view_nats(m, x, v);
	return sum;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
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
			size_t from = i ? m->ends[i - 1] : 0;
			part_measure(&part, m, m->events + from, m->ends[i] - from, &h->measures[i]);
			size_t n = differences_of(&part, m, amounts_of(m, m->events + from, m->ends[i] - from));
			h->measures[i].difference = differences_surprise(m, n);
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

/* The limit lies where nats say that one normal session in SEQUENCE_ODDS would be, or as far out as so few sessions can
 * show: below what was never seen, above what was seen once.  Sessions less alike than the sums assume move it up. */
static void set_limit(struct sequence_model *m, struct held_out *h)
{
	double length = 0, strange = first_difference;
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
		qsort(m->usual[v], n, sizeof *m->usual[v], by_size);
	}
	for (size_t i = 0; i < n; i++)
		m->usual_total[i] = total(m, &h->measures[i]);
	qsort(m->usual_total, n, sizeof *m->usual_total, by_size);
	m->limit =
	    fmax(log(fmin(SEQUENCE_ODDS, (double)n + 1)), m->usual_total[n - 1 - (size_t)(held_out_odds * (double)n)]);
}

/* Twice: first all kinds weigh the same; then those whose counts differ among normal sessions weigh less. */
static bool learn_usual(struct sequence_model *m, struct held_out *h)
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
	set_limit(m, h);
	return true;
}

enum err_code sequence_model_fit(struct sequence_model *m, struct err *reterr)
{
	if (m->fitted || !m->session_count)
		return err_set(
		    reterr, ERR_STATE, m->fitted ? "this model has been fitted" : "no normal session was learnt");
	struct held_out h = {calloc(m->session_count, sizeof *h.measures), calloc(m->kind_count + 1, sizeof *h.habits)};
	m->weights = calloc(m->kind_count + 1, sizeof *m->weights);
	m->habits = calloc(m->kind_count + 1, sizeof *m->habits);
	m->usual_total = calloc(m->session_count, sizeof *m->usual_total);
	bool ok = h.measures && h.habits && m->weights && m->habits && m->usual_total;
	for (size_t v = 0; v < VIEW_COUNT; v++)
		ok = (m->usual[v] = calloc(m->session_count, sizeof *m->usual[v])) && ok;
	ok = ok && learn_usual(m, &h) && part_build(&m->whole, m, SEQUENCE_FOLDS);
	free(h.measures);
	free(h.habits);
	m->fitted = ok;
	return ok ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

/* ---- scoring ---- */

/* Kinds that were never learnt get numbers of their own behind the others, for this session. */
static bool translate(struct sequence_model *m, const uint64_t *events, size_t count)
{
	bool ok = true;
	for (size_t i = 0; i < count && ok; i++) {
		uint64_t kind = grams_get(&m->kinds, events[i]);
		if (!kind && m->kinds.count == m->kinds.limit) {
			kind = m->kind_count; /* as when learning */
		} else if (!kind) {
			uint64_t *stranger = grams_at(&m->strangers, events[i]);
			ok = stranger;
			if (ok && !*stranger)
				*stranger = m->kind_count + m->strangers.count;
			kind = ok ? *stranger : 1;
		}
		m->session[i] = (uint32_t)(kind - 1);
	}
	if (m->strangers.count || !ok) {
		grams_done(&m->strangers);
		grams_init(&m->strangers, SEQUENCE_EVENTS_MAX);
	}
	return ok;
}

enum err_code sequence_model_measure(
    struct sequence_model *m, const uint64_t *events, size_t count, double *ret_nats, struct err *reterr)
{
	if (!m->fitted)
		return err_set(reterr, ERR_STATE, "this model has not been fitted");
	if (count > SEQUENCE_EVENTS_MAX)
		count = SEQUENCE_EVENTS_MAX;
	struct measure x;
	if (!translate(m, events, count))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	part_measure(&m->whole, m, m->session, count, &x);
	x.difference = differences_surprise(m, differences_of(&m->whole, m, amounts_of(m, m->session, count)));
	*ret_nats = total(m, &x);
	return ERR_OK;
}

double sequence_model_score(const struct sequence_model *m, double nats)
{
	double r = nats / m->limit;
	/* At the limit itself a session is still as normal ones are. */
	return r > 1 ? fmax(0.5, r / (1 + r)) : fmin(0.499, r / (1 + r));
}

/* ---- the limit for a batch ---- */

void sequence_model_adapt(struct sequence_model *m, const double *nats, size_t count)
{
	double *v = m->fitted && count >= SEQUENCE_BATCH_LEAST ? malloc(count * sizeof *v) : NULL;
	if (!v)
		return;
	memcpy(v, nats, count * sizeof *v);
	qsort(v, count, sizeof *v, by_size);
	double anomalies = 0, sure = 0, best = 0, limit = m->limit;
	for (size_t i = 0; i < count; i++) {
		double told = (double)(count - i) / (double)count,
		       usual = share_from(m->usual_total, m->session_count, v[i]);
		double error = sqrt(usual * (1 - usual) * (1 / (double)count + 1 / (double)m->session_count));
		if (usual < 0.5 && (i == 0 || v[i] > v[i - 1])) {
			anomalies = fmax(anomalies, (told - usual) / (1 - usual));
			sure = fmax(sure, told - usual - 2 * error);
		}
	}
	for (size_t i = 1; i < count && sure > 0; i++) {
		double told = (double)(count - i) / (double)count,
		       wrong = share_from(m->usual_total, m->session_count, v[i]);
		wrong += sqrt(wrong / (double)m->session_count); /* so few have shown it that it may be more */
		double found = fmin(1, (told - wrong * (1 - anomalies)) / anomalies),
		       share = fmin(anomalies, most_anomalies);
		double f1 = 2 * share * found / (share + share * found + (1 - share) * wrong);
		if (v[i] > v[i - 1] && f1 > best) {
			best = f1;
			limit = v[i - 1] + (v[i] - v[i - 1]) / 2;
		}
	}
	m->limit = fmax(limit, least_limit);
	free(v);
}
