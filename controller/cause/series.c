/* controller/cause/series.c: metrics: how far each moved, and what of that is the service's own doing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cause/internal.h"
#include "controller/cause/model.h"
#include "controller/cause/stats.h"
#include "shared/base/siphash.h"

enum { SEVERAL = 10 };

/* ---- taking one ---- */

struct samples { /* sorted */
	double *before, *settled, *during;
	size_t before_count, settled_count, during_count;
};

/* A counter that only ever grows is looked at by its steps. */
static bool only_grows(const double *v, size_t count)
{
	size_t steps = 0, up = 0;
	double last = NAN;
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(v[i]))
			continue;
		if (v[i] < last)
			return false;
		steps += v[i] >= last;
		up += v[i] > last;
		last = v[i];
	}
	return steps >= 4 && 2 * up >= steps;
}

static void to_steps(double *v, size_t count)
{
	double last = NAN;
	for (size_t i = 0; i < count; i++) {
		double now = v[i];
		v[i] = now - last;
		if (isfinite(now))
			last = now;
	}
}

static double *copy(const double *v, size_t count)
{
	double *p = calloc(count ? count : 1, sizeof *p);
	if (p && count)
		memcpy(p, v, count * sizeof *p);
	return p;
}

static void sum_up(struct series *s, const struct samples *x)
{
	s->count = x->before_count;
	s->level = stats_quantile(x->before, x->before_count, 0.5);
	s->spread = stats_spread(x->before, x->before_count);
	s->high_before = stats_high(x->before, x->before_count);
	s->low_before = stats_low(x->before, x->before_count);
	if (!x->during_count)
		return;
	s->high = stats_high(x->during, x->during_count);
	s->low = stats_low(x->during, x->during_count);
	if (x->during_count < SEVERAL) /* quartiles of a handful are its outliers */
		s->high = s->low = stats_quantile(x->during, x->during_count, 0.5);
	double top = s->level, bottom = s->level;
	if (x->settled_count) { /* what was so already just before is not the fault's doing */
		double settled = stats_quantile(x->settled, x->settled_count, 0.5);
		top = fmax(top, settled);
		bottom = fmin(bottom, settled);
		s->high_before = fmax(s->high_before, settled);
		s->low_before = fmin(s->low_before, settled);
	}
	for (size_t i = 0; i < x->during_count; i++) {
		s->mean += x->during[i] / (double)x->during_count;
		s->excess += fmax(0, x->during[i] - top - s->spread) / (double)x->during_count;
		s->lack += fmax(0, bottom - x->during[i] - s->spread) / (double)x->during_count;
	}
}

static enum err_code keep(struct cause *c, const struct series *s, struct err *reterr)
{
	if (c->series_count == c->series_room) {
		size_t room = c->series_room ? 2 * c->series_room : 256;
		struct series *p = c->series_count < CAUSE_SERIES_MAX ? realloc(c->series, room * sizeof *p) : NULL;
		if (!p)
			return c->series_count < CAUSE_SERIES_MAX
				   ? err_set(reterr, ERR_NOMEM, "out of memory for a series")
				   : err_set(reterr, ERR_LIMIT, "more than %d series", CAUSE_SERIES_MAX);
		c->series = p;
		c->series_room = room;
	}
	c->series[c->series_count++] = *s;
	return ERR_OK;
}

static enum err_code take(struct cause *c, const struct cause_series *from, struct samples *x, struct err *reterr)
{
	static const uint64_t key[2] = {0x6b696e, 0x73657269};
	struct series s = {.m = cause_meaning_of(from->metric)};
	if (s.m.cumulative && only_grows(x->before, x->before_count) && only_grows(x->during, x->during_count)) {
		to_steps(x->before, x->before_count);
		to_steps(x->settled, x->settled_count);
		to_steps(x->during, x->during_count);
	}
	x->before_count = stats_sort(x->before, x->before_count);
	x->settled_count = stats_sort(x->settled, x->settled_count);
	x->during_count = stats_sort(x->during, x->during_count);
	if (!x->before_count && x->settled_count) { /* nothing is known of before: of just before, then */
		double *swap = x->before;
		x->before = x->settled;
		x->settled = swap;
		x->before_count = x->settled_count;
		x->settled_count = 0;
	}
	/* Gone: it was always there, and is no more. */
	s.gone = !x->during_count && from->during_count && 10 * x->before_count >= 9 * from->before_count;
	enum err_code rc = cause_index(c, from->service, &s.service, reterr);
	if (rc != ERR_OK || !x->before_count || (!x->during_count && !s.gone))
		return rc;
	s.kin = siphash(key, from->metric, strlen(from->metric));
	s.metric = arena_strndup(c->arena, from->metric, CAUSE_NAME_MAX);
	if (!s.metric)
		return err_set(reterr, ERR_NOMEM, "out of memory for a series");
	sum_up(&s, x);
	return keep(c, &s, reterr);
}

enum err_code cause_series_add(struct cause *c, const struct cause_series *s, struct err *reterr)
{
	size_t settled = s->settled ? s->settled_count : 0;
	struct samples x = {copy(s->before, s->before_count), copy(s->settled, settled),
	    copy(s->during, s->during_count), s->before_count, settled, s->during_count};
	enum err_code rc = x.before && x.settled && x.during ? take(c, s, &x, reterr)
							     : err_set(reterr, ERR_NOMEM, "out of memory for a series");
	free(x.before);
	free(x.settled);
	free(x.during);
	return rc;
}

/* ---- judging all ---- */

static int by_kin(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	if (x->kin != y->kin)
		return x->kin < y->kin ? -1 : 1;
	return x->service < y->service ? -1 : x->service > y->service;
}

static double usual_level(const struct series *s, size_t count, double *scratch)
{
	for (size_t i = 0; i < count; i++)
		scratch[i] = fabs(s[i].level);
	return stats_quantile(scratch, stats_sort(scratch, count), 0.5);
}

/* What a share of is no news: the level; of what is good when high, how far it is from all good, and a little of all.
 */
static double base_of(const struct series *s)
{
	double whole = fmax(s->level, s->high) > 1.5 ? 100 : 1;
	return s->m.class == CAUSE_SUCCESS ? fmax(whole - s->level, 0) + whole / 100 : fabs(s->level);
}

/* In spreads.  A rise harms, but of what is good when high a fall does; the other direction is a weaker sign, of
 * resources, and none of latency and errors. */
static void judge(struct series *s, double kin)
{
	const struct cause_model *m = &cause_model;
	bool symptom = s->m.class == CAUSE_LATENCY || s->m.class == CAUSE_ERRORS || s->m.class == CAUSE_SUCCESS;
	double unit = (s->spread + m->level_share * base_of(s) + m->kin_share * kin) * (1 + m->few / (double)s->count);
	if (s->gone) {
		s->z = m->gone;
		return;
	}
	if (!(unit > 0)) /* was always zero, as all its kin: any move is a move */
		unit = m->level_share * fmax(fabs(s->high), fabs(s->low));
	if (!(unit > 0) || !isfinite(unit))
		return;
	double up = (s->high - s->high_before) / unit, down = (s->low_before - s->low) / unit;
	double harmful = s->m.class == CAUSE_SUCCESS ? down : up, other = s->m.class == CAUSE_SUCCESS ? up : down;
	if (symptom)
		other = 0;
	else if (s->m.class != CAUSE_MEMORY)
		other *= m->fall_part;
	if (s->m.class == CAUSE_TRAFFIC)
		harmful *= m->fall_part;
	s->fell = (other > harmful) != (s->m.class == CAUSE_SUCCESS);
	double z = fmax(harmful, other) * (s->m.class == CAUSE_MEMORY ? m->memory_part : 1);
	s->z = isfinite(z) ? z : 0;
}

enum err_code series_judge(struct cause *c, struct err *reterr)
{
	double *scratch = calloc(c->series_count ? c->series_count : 1, sizeof *scratch);
	if (!scratch)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu series", c->series_count);
	if (c->series_count)
		qsort(c->series, c->series_count, sizeof *c->series, by_kin);
	for (size_t i = 0, end; i < c->series_count; i = end) {
		for (end = i + 1; end < c->series_count && c->series[end].kin == c->series[i].kin;)
			end++;
		double kin = usual_level(&c->series[i], end - i, scratch);
		for (size_t k = i; k < end; k++)
			judge(&c->series[k], kin);
	}
	free(scratch);
	return ERR_OK;
}

/* ---- weighing ---- */

static bool is_symptom(const struct series *s)
{
	return s->m.class == CAUSE_LATENCY || s->m.class == CAUSE_ERRORS || s->m.class == CAUSE_SUCCESS;
}

bool series_is_resource(const struct series *s)
{
	return s->m.class == CAUSE_CPU || s->m.class == CAUSE_MEMORY || s->m.class == CAUSE_DISK ||
	       s->m.class == CAUSE_NETWORK;
}

static void weigh_series(struct cause *c, enum cause_kind kind, const struct series *s, double weight)
{
	if (s->gone)
		cause_weigh(c, s->service, kind, weight, "%s has no more values", s->metric);
	else
		cause_weigh(c, s->service, kind, weight, "%s %s from %.4g to %.4g (%.3g spreads)", s->metric,
		    s->fell ? "fell" : "rose", s->level, s->fell ? s->low : s->high, s->z);
}

/* The strongest latency, wait and errors of each service. */
static void find_symptoms(struct cause *c)
{
	for (size_t i = 0; i < c->series_count; i++) {
		const struct series *s = &c->series[i];
		struct service *v = &c->services[s->service];
		if (s->m.class == CAUSE_LATENCY && s->m.outward)
			v->waiting = fmax(v->waiting, s->z);
		else if (s->m.class == CAUSE_LATENCY && s->z > v->latency) {
			v->latency = s->z;
			v->latency_series = s;
		} else if ((s->m.class == CAUSE_ERRORS || s->m.class == CAUSE_SUCCESS) && s->z > v->errors) {
			v->errors = s->z;
			v->errors_series = s;
		}
	}
}

/* What is left of a symptom when the same symptom of those that it calls is taken off. */
static void weigh_symptoms(struct cause *c, size_t at)
{
	const struct service *s = &c->services[at];
	double latency = s->waiting, errors = 0, waiting = s->callers.count ? INFINITY : 0;
	for (size_t k = 0; k < s->callees.count; k++) {
		const struct service *v = &c->services[c->neighbours[s->callees.first + k]];
		if (c->back[s->callees.first + k])
			continue;
		latency = fmax(latency, v->latency);
		errors = fmax(errors, v->errors);
	}
	if (s->latency_series)
		weigh_series(c, CAUSE_BY_SYMPTOM, s->latency_series,
		    cause_model.symptom * stats_weight(s->latency) /
			(1 + cause_model.explained * latency / s->latency));
	if (s->errors_series)
		weigh_series(c, CAUSE_BY_SYMPTOM, s->errors_series,
		    cause_model.symptom * stats_weight(s->errors) / (1 + cause_model.explained * errors / s->errors));
	for (size_t k = 0; k < s->callers.count; k++)
		waiting = fmin(waiting, c->services[c->neighbours[s->callers.first + k]].waiting);
	cause_weigh(c, at, CAUSE_BY_SYMPTOM, cause_model.waiting * stats_weight(waiting),
	    "all that call it wait longer for what they call");
}

void series_weigh(struct cause *c, bool symptoms)
{
	find_symptoms(c);
	for (size_t i = 0; i < c->series_count; i++) {
		const struct series *s = &c->series[i];
		struct service *v = &c->services[s->service];
		v->slight = fmax(v->slight, fmin(s->z, 1));
		if (s->m.class == CAUSE_TRAFFIC && symptoms) /* of traffic a graph tells more; it comes from others */
			weigh_series(c, CAUSE_BY_SYMPTOM, s, cause_model.symptom * stats_weight(s->z));
		else if (s->m.class != CAUSE_TRAFFIC && !is_symptom(s))
			weigh_series(c, CAUSE_BY_METRIC, s, stats_weight(s->z));
	}
	for (size_t i = 0; symptoms && i < c->service_count; i++)
		weigh_symptoms(c, i);
}
