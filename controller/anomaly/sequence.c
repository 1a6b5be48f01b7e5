/* controller/anomaly/sequence.c: see sequence.h; learning, and one session. */
#include "controller/anomaly/sequence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/anomaly/sequence_internal.h"

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
	m->pairs = malloc((SEQUENCE_EVENTS_MAX + 1) * sizeof *m->pairs);
	m->amounts = malloc(SEQUENCE_EVENTS_MAX * sizeof *m->amounts);
	m->differences = malloc(2 * SEQUENCE_EVENTS_MAX * sizeof *m->differences);
	if (!m->session || !m->sorted || !m->pairs || !m->amounts || !m->differences) {
		sequence_model_free(m);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	grams_init(&m->kinds, SEQUENCE_KINDS_MAX);
	grams_init(&m->strangers, SEQUENCE_EVENTS_MAX);
	*ret = m;
	return ERR_OK;
}

void sequence_model_free(struct sequence_model *m)
{
	if (!m)
		return;
	part_done(&m->whole);
	relations_done(&m->relations);
	spreads_done(&m->kind_amounts);
	spreads_done(&m->kind_runs);
	spreads_done(&m->pair_amounts);
	grams_done(&m->kinds);
	grams_done(&m->strangers);
	free(m->events);
	free(m->ends);
	free(m->weights);
	free(m->session);
	free(m->sorted);
	free(m->pairs);
	free(m->amounts);
	free(m->differences);
	free(m->habits);
	for (size_t v = 0; v < VIEW_COUNT; v++)
		free(m->usual[v]);
	free(m->totals);
	free(m->views);
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

enum err_code sequence_model_fit(struct sequence_model *m, struct err *reterr)
{
	if (m->fitted || !m->session_count)
		return err_set(
		    reterr, ERR_STATE, m->fitted ? "this model has been fitted" : "no normal session was learnt");
	m->weights = calloc(m->kind_count + 1, sizeof *m->weights);
	m->habits = calloc(m->kind_count + 1, sizeof *m->habits);
	m->totals = calloc(m->session_count, sizeof *m->totals);
	m->views = calloc(m->session_count * VIEW_COUNT, sizeof *m->views);
	bool ok = m->weights && m->habits && m->totals && m->views;
	for (size_t v = 0; v < VIEW_COUNT; v++)
		ok = (m->usual[v] = calloc(m->session_count, sizeof *m->usual[v])) && ok;
	spreads_init(&m->kind_amounts, SEQUENCE_KINDS_MAX);
	spreads_init(&m->kind_runs, SEQUENCE_KINDS_MAX);
	spreads_init(&m->pair_amounts, SEQUENCE_GRAMS_MAX);
	ok = ok && part_build(&m->whole, m, SEQUENCE_FOLDS) &&
	     relations_init(&m->relations, m->whole.kinds, m->kind_count) && usual_learn(m);
	m->fitted = ok;
	return ok ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

/* ---- scoring ---- */

bool sequence_translate(struct sequence_model *m, const uint64_t *events, size_t count)
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

bool sequence_measure(struct sequence_model *m, const uint64_t *events, size_t count, struct measure *ret)
{
	if (!sequence_translate(m, events, count))
		return false;
	part_measure(&m->whole, m, m->session, count, ret);
	ret->nats[VIEW_COUNTS] = sequence_differences_nats(m, part_differences(&m->whole, m, m->session, count));
	quantities_measure(m, m->session, count, ret);
	return true;
}

enum err_code sequence_model_measure(
    struct sequence_model *m, const uint64_t *events, size_t count, double *ret_nats, struct err *reterr)
{
	if (!m->fitted)
		return err_set(reterr, ERR_STATE, "this model has not been fitted");
	struct measure x;
	if (!sequence_measure(m, events, count < SEQUENCE_EVENTS_MAX ? count : SEQUENCE_EVENTS_MAX, &x))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret_nats = usual_total(m, &x);
	return ERR_OK;
}

double sequence_score(double nats, double limit)
{
	double r = nats / limit;
	/* At the limit itself a session is still as normal ones are. */
	return r > 1 ? fmax(0.5, r / (1 + r)) : fmin(0.499, r / (1 + r));
}

double sequence_model_score(const struct sequence_model *m, double nats)
{
	return sequence_score(nats, m->limit);
}
