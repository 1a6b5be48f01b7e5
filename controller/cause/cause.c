/* controller/cause/cause.c: one inquiry: services, calls, and the ranking at its end. */
#include "controller/cause/cause.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cause/internal.h"
#include "controller/cause/model.h"

enum { ARENA_LIMIT = 128 * 1024 * 1024, REASON_MAX = 512 };

enum err_code cause_new(struct cause **ret, struct err *reterr)
{
	struct cause *c = calloc(1, sizeof *c);
	if (c) {
		c->arena = arena_new(ARENA_LIMIT);
		c->names = map_new();
		c->calls = map_new();
		if (c->arena && c->names && c->calls) {
			*ret = c;
			return ERR_OK;
		}
	}
	cause_free(c);
	return err_set(reterr, ERR_NOMEM, "out of memory for an inquiry");
}

void cause_free(struct cause *c)
{
	if (!c)
		return;
	logs_free(c->logs);
	free(c->services);
	free(c->edges);
	free(c->neighbours);
	free(c->back);
	free(c->series);
	map_free(c->names);
	map_free(c->calls);
	arena_free(c->arena);
	free(c);
}

/* Room for one more of an array of at most `max`. */
static enum err_code grow(
    void **items, size_t *room, size_t count, size_t max, size_t size, const char *what, struct err *reterr)
{
	if (count < *room)
		return ERR_OK;
	if (count >= max)
		return err_set(reterr, ERR_LIMIT, "more than %zu %s", max, what);
	size_t next = *room ? *room * 2 : 64;
	if (next > max)
		next = max;
	void *p = realloc(*items, next * size);
	if (!p)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu %s", next, what);
	*items = p;
	*room = next;
	return ERR_OK;
}

enum err_code cause_index(struct cause *c, const char *service, size_t *ret, struct err *reterr)
{
	size_t size = strnlen(service, CAUSE_NAME_MAX);
	uintptr_t known = (uintptr_t)map_get(c->names, service, size);
	if (known) {
		*ret = known - 1;
		return ERR_OK;
	}
	enum err_code rc = grow((void **)&c->services, &c->service_room, c->service_count, CAUSE_SERVICES_MAX,
	    sizeof *c->services, "services", reterr);
	if (rc != ERR_OK)
		return rc;
	const char *name = arena_strndup(c->arena, service, size);
	if (!name || !map_put(c->names, service, size, (void *)(uintptr_t)(c->service_count + 1)))
		return err_set(reterr, ERR_NOMEM, "out of memory for a service");
	c->services[c->service_count] = (struct service){.name = name};
	*ret = c->service_count++;
	return ERR_OK;
}

enum err_code cause_service(struct cause *c, const char *service, struct err *reterr)
{
	size_t at;
	return cause_index(c, service, &at, reterr);
}

enum err_code cause_edge(struct cause *c, const char *caller, const char *callee, bool *ret_new, struct err *reterr)
{
	size_t from, to;
	enum err_code rc = cause_index(c, caller, &from, reterr);
	if (rc != ERR_OK || (rc = cause_index(c, callee, &to, reterr)) != ERR_OK)
		return rc;
	const size_t key[2] = {from, to};
	*ret_new = from != to && !map_get(c->calls, key, sizeof key);
	if (!*ret_new)
		return ERR_OK;
	if (!map_put(c->calls, key, sizeof key, c))
		return err_set(reterr, ERR_NOMEM, "out of memory for a call");
	rc = grow((void **)&c->edges, &c->edge_room, c->edge_count, CAUSE_EDGES_MAX, sizeof *c->edges, "calls", reterr);
	if (rc == ERR_OK)
		c->edges[c->edge_count++] = (struct edge){from, to};
	return rc;
}

enum err_code cause_calls(struct cause *c, const char *caller, const char *callee, struct err *reterr)
{
	bool is_new = false;
	enum err_code rc = cause_edge(c, caller, callee, &is_new, reterr);
	c->told_edges += rc == ERR_OK && is_new;
	return rc;
}

enum err_code cause_alert(struct cause *c, const char *service, const char *metric, struct err *reterr)
{
	size_t at;
	enum err_code rc = cause_index(c, service, &at, reterr);
	if (rc == ERR_OK) {
		c->alert = at + 1;
		c->alert_class = metric ? cause_meaning_of(metric).class : CAUSE_OTHER;
		c->alert_unread = metric && c->alert_class == CAUSE_OTHER;
	}
	return rc;
}

void cause_weigh(struct cause *c, size_t service, enum cause_kind kind, double weight, const char *fmt, ...)
{
	struct service *s = &c->services[service];
	char text[REASON_MAX];
	if (!(weight > s->weight[kind]))
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->weight[kind] = weight;
	s->reason[kind] = arena_strdup(c->arena, text); /* NULL: the weight stands without its words */
}

enum err_code cause_evidence(struct cause *c, const char *service, double weight, const char *text, struct err *reterr)
{
	size_t at;
	enum err_code rc = cause_index(c, service, &at, reterr);
	if (rc == ERR_OK && isfinite(weight))
		cause_weigh(c, at, CAUSE_BY_TOLD, weight, "%s", text);
	return rc;
}

/* ---- the graph ---- */

static int by_caller(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return x->callee < y->callee ? -1 : x->callee > y->callee;
}

static int by_callee(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	if (x->callee != y->callee)
		return x->callee < y->callee ? -1 : 1;
	return x->caller < y->caller ? -1 : x->caller > y->caller;
}

enum err_code cause_neighbours(struct cause *c, struct err *reterr)
{
	size_t n = c->edge_count;
	c->neighbours = calloc(n ? 2 * n : 1, sizeof *c->neighbours);
	if (!c->neighbours)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu calls", n);
	if (n)
		qsort(c->edges, n, sizeof *c->edges, by_callee);
	for (size_t i = 0; i < n; i++) {
		struct ends *e = &c->services[c->edges[i].callee].callers;
		if (e->count++ == 0)
			e->first = n + i;
		c->neighbours[n + i] = c->edges[i].caller;
	}
	if (n)
		qsort(c->edges, n, sizeof *c->edges, by_caller);
	for (size_t i = 0; i < n; i++) {
		struct ends *e = &c->services[c->edges[i].caller].callees;
		if (e->count++ == 0)
			e->first = i;
		c->neighbours[i] = c->edges[i].callee;
	}
	return ERR_OK;
}

struct visit {
	size_t service, next; /* the callee to go to next */
};

/* Goes down from one service.  A call back to a service that is still being gone through closes a circle: it is marked,
 * and whoever goes along calls then always comes to an end. */
static void go_down(struct cause *c, size_t from, struct visit *path)
{
	size_t depth = 0;
	path[depth++] = (struct visit){from, 0};
	c->services[from].state = VISIT_OPEN;
	while (depth) {
		struct visit *v = &path[depth - 1];
		struct service *s = &c->services[v->service];
		if (v->next == s->callees.count) {
			s->state = VISIT_DONE;
			depth--;
			continue;
		}
		size_t edge = s->callees.first + v->next++, to = c->neighbours[edge];
		if (c->services[to].state == VISIT_OPEN) {
			c->back[edge] = true;
		} else if (c->services[to].state == VISIT_NONE) { /* each service is put there once */
			c->services[to].state = VISIT_OPEN;
			path[depth++] = (struct visit){to, 0};
		}
	}
}

/* Marks what the service with the alarm depends on; everything, when nobody said where it was or it calls nobody.  And
 * the calls that close circles. */
static enum err_code reach(struct cause *c, struct err *reterr)
{
	struct visit *path = calloc(c->service_count + 1, sizeof *path);
	c->back = calloc(c->edge_count + 1, sizeof *c->back);
	if (!path || !c->back) {
		free(path);
		return err_set(reterr, ERR_NOMEM, "out of memory for the graph");
	}
	bool all = !c->alert || c->services[c->alert - 1].callees.count == 0;
	if (!all)
		go_down(c, c->alert - 1, path);
	for (size_t i = 0; i < c->service_count; i++)
		c->services[i].reached = all || c->services[i].state != VISIT_NONE;
	for (size_t i = 0; i < c->service_count; i++) /* first from where requests come in */
		if (c->services[i].state == VISIT_NONE && !c->services[i].callers.count)
			go_down(c, i, path);
	for (size_t i = 0; i < c->service_count; i++)
		if (c->services[i].state == VISIT_NONE)
			go_down(c, i, path);
	free(path);
	return ERR_OK;
}

/* What has latency and errors, no resources, and no place in a graph that is known is a view of the whole, not a
 * service: of such nothing can be the cause. */
static void set_views_apart(struct cause *c)
{
	bool resources = false;
	for (size_t i = 0; i < c->series_count; i++) {
		struct service *s = &c->services[c->series[i].service];
		s->measured = true;
		s->has_resources |= series_is_resource(&c->series[i]);
		resources |= s->has_resources;
	}
	for (size_t i = 0; resources && c->edge_count && i < c->service_count; i++) {
		struct service *s = &c->services[i];
		if (s->measured && !s->has_resources && !s->callees.count && !s->callers.count)
			s->view = true;
	}
}

/* ---- the end ---- */

static int by_score(const void *a, const void *b)
{
	const struct cause_ranked *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return strcmp(x->service, y->service);
}

static double score(const struct service *s, struct cause_ranked *ret)
{
	double sum = 0;
	ret->service = s->name;
	for (unsigned k = 0; k < CAUSE_KIND_COUNT; k++) {
		ret->weight[k] = s->weight[k];
		ret->reason[k] = s->reason[k];
		sum += s->weight[k];
	}
	/* What is out of reach of the alarm, or no service, is named last, but named. */
	return s->view ? sum * 1e-9 : s->reached ? sum : sum / 10;
}

static double confidence(const struct cause *c, const struct cause_ranked *first, const struct cause_ranked *second)
{
	double weight = 0, scale = first->score > 0 ? 1 / first->score : 0;
	for (unsigned k = 0; k < CAUSE_KIND_COUNT; k++)
		weight += first->weight[k] * (k == CAUSE_BY_FLOW                           ? cause_model.flow_trust
						 : k == CAUSE_BY_SYMPTOM && !c->edge_count ? cause_model.symptom_trust
											   : 1);
	double sure = cause_confidence(weight, weight * (second ? first->score - second->score : first->score) * scale);
	return c->alert_unread && !(first->weight[CAUSE_BY_TOLD] > 0) ? fmin(sure, cause_model.unread) : sure;
}

enum err_code cause_conclude(struct cause *c, struct cause_verdict *ret, struct err *reterr)
{
	bool flowed = false;
	enum err_code rc = cause_neighbours(c, reterr);
	if (rc != ERR_OK || (rc = reach(c, reterr)) != ERR_OK || (rc = series_judge(c, reterr)) != ERR_OK ||
	    (rc = flow_weigh(c, &flowed, reterr)) != ERR_OK)
		return rc;
	set_views_apart(c);
	series_weigh(c, !flowed);
	logs_weigh(c);
	struct cause_ranked *r = arena_array(c->arena, c->service_count ? c->service_count : 1, sizeof *r);
	if (!r)
		return err_set(reterr, ERR_NOMEM, "out of memory for a ranking");
	for (size_t i = 0; i < c->service_count; i++)
		r[i].score = score(&c->services[i], &r[i]);
	/* Of equals the one that calls more comes first: where nothing is to be seen it is the one most can go wrong
	 * in. And the one that moved a little. */
	for (size_t i = 0; i < c->service_count; i++)
		r[i].score += 1e-6 * (double)c->services[i].callees.count + 1e-9 * c->services[i].slight;
	if (c->service_count)
		qsort(r, c->service_count, sizeof *r, by_score);
	bool silent = !c->service_count || r[0].score < cause_model.silence;
	*ret = (struct cause_verdict){.ranked = r,
	    .count = c->service_count,
	    .abstained = silent,
	    .confidence = c->service_count ? confidence(c, &r[0], c->service_count > 1 ? &r[1] : NULL) : 0};
	return ERR_OK;
}

const char *cause_kind_name(enum cause_kind kind)
{
	static const char *const names[] = {[CAUSE_BY_METRIC] = "metric",
	    [CAUSE_BY_SYMPTOM] = "symptom",
	    [CAUSE_BY_FLOW] = "flow",
	    [CAUSE_BY_TRACE] = "trace",
	    [CAUSE_BY_LOG] = "log",
	    [CAUSE_BY_TOLD] = "told"};
	return (unsigned)kind < CAUSE_KIND_COUNT ? names[kind] : "?";
}
