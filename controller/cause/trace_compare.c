/* controller/cause/trace_compare.c: the traces of a fault beside those of before: where did time and calls go? */
#include <math.h>
#include <stdlib.h>

#include "controller/cause/internal.h"
#include "controller/cause/model.h"
#include "controller/cause/stats.h"

enum { SPANS_LEAST = 2, ENDINGS_LEAST = 4 }; /* of fewer nothing can be said */

struct comparison {
	struct cause *c;
	const struct trace_summary *before[CAUSE_WINDOWS_MAX], *now;
	size_t before_count;
	double floor; /* time that nobody would notice */
};

/* How much longer a part takes than it did, in spreads.  Earlier windows tell how much it varies from one to another:
 * a level that wanders is no fault's doing.  NaN: not comparable. */
static double slower(const struct comparison *k, const struct trace_feature *f)
{
	const struct cause_model *m = &cause_model;
	double level[CAUSE_WINDOWS_MAX], spread[CAUSE_WINDOWS_MAX], wander = 0;
	size_t n = 0;
	for (size_t i = 0; i < k->before_count; i++) {
		const struct trace_feature *b = trace_feature_find(k->before[i], f->key);
		if (b && b->count >= SPANS_LEAST) {
			level[n] = b->high;
			spread[n++] = b->spread;
		}
	}
	if (!n || f->count < SPANS_LEAST)
		return NAN;
	(void)stats_sort(level, n);
	(void)stats_sort(spread, n);
	double usual = stats_quantile(level, n, 0.5);
	if (n > 2) {
		for (size_t i = 0; i < n; i++)
			level[i] = fabs(level[i] - usual);
		(void)stats_sort(level, n);
		wander = stats_quantile(level, n, 0.5);
	}
	double several = sqrt((double)(f->count < 30 ? f->count : 30)); /* beyond, spans are not independent */
	double unit = 1.5 * stats_quantile(spread, n, 0.5) / several + m->trace_level_share * usual +
		      m->trace_history * wander + k->floor;
	return unit > 0 ? (f->high - usual) / unit : NAN;
}

/* ---- time ---- */

struct between { /* of the calls that a service makes or serves */
	double sum, best;
	size_t slow, all;
	const struct trace_feature *worst;
};

static void count_call(struct between *b, const struct trace_feature *f, double z)
{
	b->all++;
	b->slow += z > 2;
	if (z <= 1)
		return;
	b->sum += z;
	if (z > b->best) {
		b->best = z;
		b->worst = f;
	}
}

/* The time between a call and its service is either one's doing: of the one most of whose calls are slow. */
static enum err_code weigh_calls(struct comparison *k, struct between *b, struct err *reterr)
{
	struct cause *c = k->c;
	for (size_t i = 0; i < k->now->feature_count; i++) {
		const struct trace_feature *f = &k->now->features[i];
		double z = slower(k, f);
		size_t from, to;
		enum err_code rc = cause_index(c, f->service, &from, reterr);
		if (rc != ERR_OK)
			return rc;
		if (isnan(z))
			continue;
		if (f->part == TRACE_SELF) {
			cause_weigh(c, from, CAUSE_BY_TRACE, stats_weight(z),
			    "%s takes longer in itself (%.3g spreads)", f->operation, z);
			continue;
		}
		if ((rc = cause_index(c, f->other, &to, reterr)) != ERR_OK)
			return rc;
		count_call(&b[from], f, z);
		count_call(&b[to], f, z);
	}
	for (size_t i = 0; i < c->service_count; i++)
		if (b[i].worst)
			cause_weigh(c, i, CAUSE_BY_TRACE, stats_weight(b[i].sum) * (double)b[i].slow / (double)b[i].all,
			    "%zu of its %zu calls take longer between caller and service, most %s from %s to %s",
			    b[i].slow, b[i].all, b[i].worst->operation, b[i].worst->service, b[i].worst->other);
	return ERR_OK;
}

/* ---- calls after which operations break off ---- */

/* By how many standard deviations more of the operation's spans end with this call than did.  Where the call always was
 * the last one when it came, the operation does something else rather than break off: a weaker sign, for what it is
 * asked may have changed. */
static double more_often(
    const struct comparison *k, const struct trace_operation *o, const struct trace_last *last, size_t total)
{
	double then = 0, calls = 0;
	for (size_t i = 0; i < k->before_count; i++) {
		const struct trace_operation *b = trace_operation_find(k->before[i], o->key);
		const struct trace_last *l = b ? trace_last_find(k->before[i], b, last->child) : NULL;
		then += l ? (double)l->count : 0;
		calls += l ? (double)l->calls : 0;
	}
	double n0 = (double)total, n1 = (double)o->count, count = (double)last->count;
	double p = (count + then + 1) / (n0 + n1 + 2);
	double z =
	    (count / n1 - then / n0) / sqrt(p * (1 - p) * (1 / n0 + 1 / n1) + 0.0004); /* two points are never news */
	bool breaks = !last->child || count * calls > 1.1 * then * (double)last->calls;
	return breaks ? z : z * cause_model.fall_part;
}

static size_t total_before(const struct comparison *k, const struct trace_operation *o, const char **ret_callee)
{
	size_t total = 0;
	for (size_t i = 0; i < k->before_count; i++) {
		const struct trace_operation *b = trace_operation_find(k->before[i], o->key);
		total += b ? b->count : 0;
		if (b && b->callee && 10 * b->callee_count >= 9 * b->count)
			*ret_callee = b->callee;
	}
	return total;
}

struct shift {                       /* the strongest of what an operation does last */
	const struct trace_last *to; /* NULL: none */
	double z;
	const char *usual; /* the service that nearly all of its spans called before, or NULL */
};

static struct shift shift_of(const struct comparison *k, const struct trace_operation *o)
{
	struct shift s = {.z = cause_model.break_off};
	size_t total = total_before(k, o, &s.usual);
	if (o->count < ENDINGS_LEAST || total < ENDINGS_LEAST)
		return s;
	for (size_t i = 0; i < o->last_count; i++) {
		const struct trace_last *last = &k->now->lasts[o->first_last + i];
		double z = more_often(k, o, last, total);
		if (z > s.z) {
			s.z = z;
			s.to = last;
		}
	}
	return s;
}

static enum err_code weigh_shift(struct comparison *k, const struct shift *all, size_t at, struct err *reterr)
{
	const struct trace_operation *o = &k->now->operations[at], *child = NULL;
	const struct shift *s = &all[at];
	const char *blamed = o->service;
	size_t service;
	if (s->to->child) {
		child = trace_operation_find(k->now, s->to->child);
		if (!child || all[child - k->now->operations].to) /* the break is further down */
			return ERR_OK;
		blamed = child->callee ? child->callee : child->service;
	} else if (s->usual) {
		blamed = s->usual; /* a call that its service does not answer any more */
	}
	enum err_code rc = cause_index(k->c, blamed, &service, reterr);
	if (rc == ERR_OK)
		cause_weigh(k->c, service, CAUSE_BY_TRACE, stats_weight(s->z),
		    "%s of %s ends more often %s%s (%.3g deviations)", o->operation, o->service,
		    child ? "after " : "without a call", child ? child->operation : "", s->z);
	return rc;
}

static enum err_code weigh_endings(struct comparison *k, struct err *reterr)
{
	size_t n = k->now->operation_count;
	struct shift *all = calloc(n ? n : 1, sizeof *all);
	enum err_code rc = all ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory to compare traces");
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		all[i] = shift_of(k, &k->now->operations[i]);
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		if (all[i].to)
			rc = weigh_shift(k, all, i, reterr);
	free(all);
	return rc;
}

static enum err_code add_edges(struct cause *c, const struct trace_summary *s, struct err *reterr)
{
	bool is_new;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < s->edge_count; i++)
		rc = cause_edge(c, s->edges[i].caller, s->edges[i].callee, &is_new, reterr);
	for (size_t i = 0; rc == ERR_OK && i < s->operation_count; i++)
		rc = cause_service(c, s->operations[i].service, reterr);
	return rc;
}

enum err_code cause_traces(struct cause *c, const struct trace_window *const *before, size_t before_count,
    const struct trace_window *during, struct err *reterr)
{
	struct comparison k = {.c = c, .now = trace_window_summary(during)};
	size_t skip = before_count > CAUSE_WINDOWS_MAX ? before_count - CAUSE_WINDOWS_MAX : 0;
	double whole = 0;
	enum err_code rc = add_edges(c, k.now, reterr);
	for (size_t i = skip; rc == ERR_OK && i < before_count; i++) {
		const struct trace_summary *s = trace_window_summary(before[i]);
		k.before[k.before_count++] = s;
		whole += s->whole;
		rc = add_edges(c, s, reterr);
	}
	if (rc != ERR_OK || !k.before_count)
		return rc;
	k.floor = cause_model.trace_floor * whole / (double)k.before_count;
	struct between *b = calloc(c->service_count ? c->service_count : 1, sizeof *b);
	if (!b)
		return err_set(reterr, ERR_NOMEM, "out of memory to compare traces");
	rc = weigh_calls(&k, b, reterr);
	free(b);
	return rc == ERR_OK ? weigh_endings(&k, reterr) : rc;
}
