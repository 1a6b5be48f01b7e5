/* controller/cause/flow.c: over a graph with numbers of requests: how much of the time, and of the errors, that the
 * fault added does each service add itself?
 *
 * What a service adds is its requests times what each takes longer than usual, less what the services that it calls
 * add.  A slow leaf that is seldom called thus explains little, a callee that is as slow as its caller explains it. */
#include <math.h>
#include <stdlib.h>

#include "controller/cause/internal.h"
#include "controller/cause/model.h"
#include "controller/cause/stats.h"

/* Sums of what nobody can have measured stay finite. */
static double bounded(double v)
{
	return isnan(v) ? 0 : fmin(v, 1e200);
}

struct symptom { /* of all services */
	double *added, *own;
	double sum; /* of own */
	double z;   /* the strongest move */
};
struct slower { /* of one service */
	double sum, parts, z;
	bool mean;
};
struct flow {
	const struct series **requests;
	struct slower *slower;
	const struct series **good; /* or the errors */
	struct symptom time, errors;
	size_t count, counted; /* services that show a symptom; of them with numbers of requests */
};

static bool new_symptom(struct symptom *s, size_t count)
{
	s->added = calloc(count, sizeof *s->added);
	s->own = calloc(count, sizeof *s->own);
	return s->added && s->own;
}

static void free_symptom(struct symptom *s)
{
	free(s->added);
	free(s->own);
}

/* The one series of a class that speaks for each service: a mean if there is one. */
static void choose(const struct series **best, const struct series *s)
{
	const struct series *b = best[s->service];
	if (!b || (s->m.mean && !b->m.mean))
		best[s->service] = s;
}

/* What of a distribution's mass lies about a quantile, where the usual ones are known. */
static double mass(double quantile)
{
	return quantile <= 0.5    ? 0.7
	       : quantile <= 0.75 ? 0.2
	       : quantile <= 0.9  ? 0.15
	       : quantile <= 0.95 ? 0.06
	       : quantile <= 0.99 ? 0.03
				  : 0.01;
}

/* What a request takes longer on average: by the mean, or as the quantiles together tell.  Slow ones that are few show
 * in the high ones only. */
static void add_latency(struct flow *f, const struct series *s)
{
	struct slower *l = &f->slower[s->service];
	bool mean = s->m.quantile == 0;
	double part = mean ? 1 : mass(s->m.quantile);
	if (mean && !l->mean)
		*l = (struct slower){.mean = true};
	if (l->mean && !mean)
		return;
	l->sum += part * s->excess;
	l->parts += part;
	l->z = fmax(l->z, s->z);
}

static void choose_series(const struct cause *c, struct flow *f)
{
	for (size_t i = 0; i < c->series_count; i++) {
		const struct series *s = &c->series[i];
		if (s->m.class == CAUSE_TRAFFIC)
			choose(f->requests, s);
		else if (s->m.class == CAUSE_LATENCY && !s->m.outward)
			add_latency(f, s);
		else if (s->m.class == CAUSE_ERRORS || s->m.class == CAUSE_SUCCESS)
			choose(f->good, s);
	}
	for (size_t i = 0; i < c->service_count; i++) {
		f->count += f->slower[i].parts > 0 || f->good[i];
		f->counted += f->requests[i] && (f->slower[i].parts > 0 || f->good[i]);
	}
}

static double errors_added(const struct series *s, double requests)
{
	if (s->m.class == CAUSE_ERRORS && s->level > 1) /* a number of errors */
		return s->excess;
	double whole = s->level > 1 || s->high > 1 ? 100 : 1; /* per cent, or a share */
	double part = s->m.class == CAUSE_SUCCESS ? s->lack : s->excess;
	return fmin(part / whole, 1) * requests;
}

/* Requests that should have come and did not. */
static double lost(const struct series *requests)
{
	return requests ? requests->lack : 0;
}

static void add_up(const struct cause *c, struct flow *f)
{
	for (size_t i = 0; i < c->service_count; i++) {
		const struct series *r = f->requests[i], *e = f->good[i];
		const struct slower *l = &f->slower[i];
		double requests = !f->counted ? 1 : r ? r->mean : 0; /* nobody counts them: all are asked alike */
		if (l->parts > 0) {
			f->time.added[i] = bounded(l->sum / l->parts * requests);
			f->time.z = fmax(f->time.z, c->services[i].reached ? l->z : 0);
		}
		if (e) {
			f->errors.added[i] = bounded(errors_added(e, requests));
			f->errors.z = fmax(f->errors.z, c->services[i].reached ? e->z : 0);
		}
	}
}

static void take_off(const struct cause *c, struct symptom *s)
{
	for (size_t i = 0; i < c->service_count; i++) {
		double rest = s->added[i];
		for (size_t k = 0; k < c->services[i].callees.count; k++)
			if (!c->back[c->services[i].callees.first + k])
				rest -= fmax(0, s->added[c->neighbours[c->services[i].callees.first + k]]);
		s->own[i] = c->services[i].reached && isfinite(rest) ? fmax(0, rest) : 0;
		s->sum += s->own[i];
	}
}

/* Whom nobody reaches any more has no errors of its own to show: those that its callers seem to make are its. */
static void blame_silent(const struct cause *c, struct flow *f)
{
	for (size_t i = 0; i < c->service_count; i++) {
		const struct series *r = f->requests[i];
		if (!r || !(r->level > 0) || 2 * lost(r) < r->level || !c->services[i].reached)
			continue;
		for (size_t k = 0; k < c->services[i].callers.count; k++) {
			size_t caller = c->neighbours[c->services[i].callers.first + k];
			const struct series *its = f->requests[caller];
			if (!its || 2 * lost(its) >= its->level) /* it has not been asked either */
				continue;
			f->errors.own[i] += f->errors.own[caller];
			f->errors.own[caller] = 0;
		}
	}
}

static void weigh(struct cause *c, const struct symptom *s, double part, const char *what)
{
	double whole = part * stats_weight(fmax(s->z, 1));
	for (size_t i = 0; s->sum > 0 && i < c->service_count; i++)
		if (s->own[i] > 0)
			cause_weigh(c, i, CAUSE_BY_FLOW, whole * s->own[i] / s->sum, "adds %.0f %% of the %s",
			    100 * s->own[i] / s->sum, what);
}

/* How strongly the alarm is of that class: at the service where it was, or where requests come in. */
static double alarm(const struct cause *c, bool time)
{
	double z = 0;
	for (size_t i = 0; i < c->series_count; i++) {
		const struct series *s = &c->series[i];
		bool of =
		    time ? s->m.class == CAUSE_LATENCY : s->m.class == CAUSE_ERRORS || s->m.class == CAUSE_SUCCESS;
		bool there = c->alert ? s->service == c->alert - 1 : c->services[s->service].callers.count == 0;
		if (of && there && !s->gone)
			z = fmax(z, s->z);
	}
	return z;
}

static void weigh_both(struct cause *c, const struct flow *f)
{
	double time = alarm(c, true), errors = alarm(c, false), most = fmax(fmax(time, errors), 1);
	if (c->alert_class == CAUSE_LATENCY) {
		most = time = 1;
		errors = cause_model.other_symptom;
	} else if (c->alert_class == CAUSE_ERRORS || c->alert_class == CAUSE_SUCCESS) {
		most = errors = 1;
		time = cause_model.other_symptom;
	}
	weigh(c, &f->time, time / most, "time that was added");
	weigh(c, &f->errors, errors / most, "errors that were added");
}

enum err_code flow_weigh(struct cause *c, bool *ret_done, struct err *reterr)
{
	struct flow f = {0};
	size_t n = c->service_count ? c->service_count : 1;
	enum err_code rc = ERR_OK;
	f.requests = calloc(n, sizeof *f.requests);
	f.slower = calloc(n, sizeof *f.slower);
	f.good = calloc(n, sizeof *f.good);
	if (!f.requests || !f.slower || !f.good || !new_symptom(&f.time, n) || !new_symptom(&f.errors, n)) {
		rc = err_set(reterr, ERR_NOMEM, "out of memory for the graph");
	} else if (c->told_edges) {
		choose_series(c, &f);
		if (f.count >= 2) { /* of one alone nothing can be shared out */
			add_up(c, &f);
			take_off(c, &f.time);
			take_off(c, &f.errors);
			blame_silent(c, &f);
			weigh_both(c, &f);
			*ret_done = f.time.sum > 0 || f.errors.sum > 0;
		}
	}
	free(f.requests);
	free(f.slower);
	free(f.good);
	free_symptom(&f.time);
	free_symptom(&f.errors);
	return rc;
}
