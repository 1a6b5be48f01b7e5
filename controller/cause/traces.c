/* controller/cause/traces.c: a window of traces, summed up by operation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cause/internal.h"
#include "controller/cause/stats.h"
#include "shared/base/siphash.h"

struct span {
	uint64_t id, parent; /* id 0: another has it; parent 0: a root */
	uint32_t operation;
	bool inner; /* its parent is of the same service */
	double start, duration;
};
struct name {
	const char *service, *operation;
	uint64_t key;
};
struct value { /* one observation of a feature */
	uint32_t operation;
	const char *other; /* the service called, or NULL */
	double value;
};
struct trace_window {
	struct arena *arena;
	struct map *known; /* "service\0operation" -> index + 1 */
	struct name *names;
	size_t name_count, name_room;
	struct span *spans;
	size_t span_count, span_room;
	struct trace_summary summary;
};
enum { NONE = UINT32_MAX, ARENA_LIMIT = 64 * 1024 * 1024 };

static const uint64_t hash_key[2] = {
    0x7472616365, 0x77696e646f77}; /* the same in every window; steers nothing but tables */

enum err_code trace_window_new(struct trace_window **ret, struct err *reterr)
{
	struct trace_window *w = calloc(1, sizeof *w);
	if (w) {
		w->arena = arena_new(ARENA_LIMIT);
		w->known = map_new();
		if (w->arena && w->known) {
			*ret = w;
			return ERR_OK;
		}
	}
	trace_window_free(w);
	return err_set(reterr, ERR_NOMEM, "out of memory for a window of traces");
}

void trace_window_free(struct trace_window *w)
{
	if (!w)
		return;
	free(w->spans);
	free(w->names);
	free(w->summary.features);
	free(w->summary.operations);
	free(w->summary.lasts);
	map_free(w->known);
	arena_free(w->arena);
	free(w);
}

const struct trace_summary *trace_window_summary(const struct trace_window *w)
{
	return &w->summary;
}

/* ---- taking spans ---- */

/* A segment of a path that is a number or a hexadecimal id, and what follows a question mark, tells apart requests and
 * not operations.  out holds size bytes. */
static void general(const char *operation, char *out, size_t size)
{
	size_t n = 0;
	for (const char *at = operation; *at && *at != '?' && n + 2 < size;) {
		size_t length = strcspn(at, "/?"), id = strspn(at, "0123456789abcdefABCDEF-");
		bool number = id == length && strcspn(at, "0123456789") < length;
		for (size_t i = 0; i < length && n + 2 < size; i++)
			if (!number || i == 0)
				out[n++] = number ? '*' : at[i];
		at += length;
		if (*at == '/')
			out[n++] = *at++;
	}
	out[n] = '\0';
}

/* "service\0operation" as the index of its name; NONE: no room for another. */
static enum err_code intern(
    struct trace_window *w, const char *service, const char *operation, size_t most, uint32_t *ret, struct err *reterr)
{
	char text[2 * CAUSE_NAME_MAX + 1];
	size_t n = strnlen(service, CAUSE_NAME_MAX), m = strnlen(operation, CAUSE_NAME_MAX);
	memcpy(text, service, n);
	text[n] = '\0';
	memcpy(text + n + 1, operation, m);
	uintptr_t known = (uintptr_t)map_get(w->known, text, n + 1 + m);
	*ret = known ? (uint32_t)(known - 1) : NONE;
	if (known || w->name_count >= most)
		return ERR_OK;
	if (w->name_count == w->name_room) {
		size_t room = w->name_room ? 2 * w->name_room : 128;
		struct name *p = realloc(w->names, room * sizeof *p);
		if (!p)
			return err_set(reterr, ERR_NOMEM, "out of memory for an operation");
		w->names = p;
		w->name_room = room;
	}
	struct name it = {arena_strndup(w->arena, service, n), arena_strndup(w->arena, operation, m),
	    siphash(hash_key, text, n + 1 + m)};
	if (!it.service || !it.operation || !map_put(w->known, text, n + 1 + m, (void *)(uintptr_t)(w->name_count + 1)))
		return err_set(reterr, ERR_NOMEM, "out of memory for an operation");
	*ret = (uint32_t)w->name_count;
	w->names[w->name_count++] = it;
	return ERR_OK;
}

static enum err_code name_of(
    struct trace_window *w, const char *service, const char *operation, uint32_t *ret, struct err *reterr)
{
	char name[CAUSE_NAME_MAX + 1];
	general(operation, name, sizeof name);
	enum err_code rc = intern(w, service, name, CAUSE_OPERATIONS_MAX, ret, reterr);
	if (rc == ERR_OK && *ret == NONE) /* beyond the limit a service has but one more */
		rc = intern(w, service, "(other operations)", CAUSE_OPERATIONS_MAX + CAUSE_SERVICES_MAX, ret, reterr);
	if (rc == ERR_OK && *ret == NONE)
		rc = err_set(reterr, ERR_LIMIT, "more than %d operations in a window of traces", CAUSE_OPERATIONS_MAX);
	return rc;
}

static uint64_t id_of(const char *trace, const char *span)
{
	char text[2 * CAUSE_NAME_MAX + 1];
	size_t n = strnlen(trace, CAUSE_NAME_MAX), m = strnlen(span, CAUSE_NAME_MAX);
	memcpy(text, trace, n);
	text[n] = '\0';
	memcpy(text + n + 1, span, m);
	uint64_t id = siphash(hash_key, text, n + 1 + m);
	return id ? id : 1;
}

enum err_code trace_window_add(struct trace_window *w, const struct cause_span *s, struct err *reterr)
{
	if (!s->service || !s->service[0] || !isfinite(s->start) || !isfinite(s->duration) || s->duration < 0)
		return ERR_OK;
	if (w->span_count == w->span_room) {
		size_t room = w->span_room ? 2 * w->span_room : 4096;
		if (w->span_count >= CAUSE_SPANS_MAX)
			return err_set(reterr, ERR_LIMIT, "more than %d spans in a window of traces", CAUSE_SPANS_MAX);
		struct span *p = realloc(w->spans, room * sizeof *p);
		if (!p)
			return err_set(reterr, ERR_NOMEM, "out of memory for %zu spans", room);
		w->spans = p;
		w->span_room = room;
	}
	struct span it = {.id = id_of(s->trace, s->span),
	    .parent = s->parent && s->parent[0] ? id_of(s->trace, s->parent) : 0,
	    .start = s->start,
	    .duration = s->duration};
	enum err_code rc = name_of(w, s->service, s->operation ? s->operation : "", &it.operation, reterr);
	if (rc == ERR_OK)
		w->spans[w->span_count++] = it;
	return rc;
}

/* ---- summing up ---- */

static int by_parent(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_id(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Of spans that claim one id the first has the children; a window of nothing but such would cost its square else. */
static void disown_doubles(struct trace_window *w)
{
	uint64_t last = 0;
	for (size_t i = 0; i < w->span_count; i++) {
		bool twice = w->spans[i].id == last;
		last = w->spans[i].id;
		if (twice)
			w->spans[i].id = 0;
	}
}

static struct span *children(const struct trace_window *w, uint64_t id, size_t *ret_count)
{
	size_t low = 0, high = w->span_count;
	if (!id) {
		*ret_count = 0;
		return w->spans;
	}
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (w->spans[mid].parent < id)
			low = mid + 1;
		else
			high = mid;
	}
	for (high = low; high < w->span_count && w->spans[high].parent == id;)
		high++;
	*ret_count = high - low;
	return w->spans + low;
}

static void mark_inner(struct trace_window *w, const struct span *s)
{
	size_t n;
	struct span *child = children(w, s->id, &n);
	for (size_t i = 0; i < n; i++)
		child[i].inner |= strcmp(w->names[child[i].operation].service, w->names[s->operation].service) == 0;
}

/* What of the span no child covers. */
static double self_time(const struct span *s, const struct span *child, size_t count)
{
	double covered = 0, reached = s->start, end = s->start + s->duration;
	for (size_t i = 0; i < count; i++) {
		double from = fmax(child[i].start, reached), to = fmin(child[i].start + child[i].duration, end);
		if (to > from) {
			covered += to - from;
			reached = to;
		}
	}
	return fmax(0, s->duration - covered);
}

struct call {                      /* from within an operation; and one a span for what it did last */
	uint32_t operation, child; /* child NONE: nothing */
	bool last;
	const char *callee; /* of the last: another service that the span calls, or NULL */
};
struct looking {
	struct value *values; /* one a span */
	struct call *calls;   /* at most two a span */
	size_t value_count, call_count;
};

static void look_at(const struct trace_window *w, const struct span *s, struct looking *l)
{
	size_t n;
	const struct span *child = children(w, s->id, &n), *last = NULL;
	const char *service = w->names[s->operation].service;
	struct call end = {s->operation, NONE, true, NULL};
	for (size_t i = 0; i < n && s->id != s->parent; i++) {
		const char *other = w->names[child[i].operation].service;
		if (!last || child[i].start + child[i].duration >= last->start + last->duration)
			last = &child[i];
		if (strcmp(other, service) != 0)
			end.callee = other;
	}
	if (last)
		end.child = last->operation;
	l->calls[l->call_count++] = end;
	/* A call as its caller sees it is within the caller's own work.  What a service does between being called and
	 * calling on is its own. */
	if (n == 1 && end.callee && s->inner)
		l->values[l->value_count++] = (struct value){s->operation, end.callee, s->duration - child[0].duration};
	else
		l->values[l->value_count++] = (struct value){s->operation, NULL, self_time(s, child, n)};
}

static void look_at_calls(const struct trace_window *w, const struct span *s, struct looking *l)
{
	size_t n;
	const struct span *child = children(w, s->id, &n);
	for (size_t i = 0; i < n && l->call_count < 2 * w->span_count; i++)
		l->calls[l->call_count++] = (struct call){s->operation, child[i].operation, false, NULL};
}

static int by_feature(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	if (x->operation != y->operation)
		return x->operation < y->operation ? -1 : 1;
	int order = strcmp(x->other ? x->other : "", y->other ? y->other : "");
	return order ? order : x->value < y->value ? -1 : x->value > y->value;
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static enum err_code sum_features(struct trace_window *w, struct value *values, struct err *reterr)
{
	struct trace_summary *s = &w->summary;
	size_t n = w->span_count, count = 0;
	double *sample = calloc(n ? n : 1, sizeof *sample);
	if (n)
		qsort(values, n, sizeof *values, by_feature);
	for (size_t i = 0; i < n; i++)
		count +=
		    i == 0 || values[i].operation != values[i - 1].operation ||
		    strcmp(values[i].other ? values[i].other : "", values[i - 1].other ? values[i - 1].other : "") != 0;
	s->features = calloc(count ? count : 1, sizeof *s->features);
	if (!sample || !s->features) {
		free(sample);
		return err_set(reterr, ERR_NOMEM, "out of memory for a window of traces");
	}
	for (size_t i = 0, end; i < n; i = end) {
		const struct value *v = &values[i];
		const struct name *name = &w->names[v->operation];
		for (end = i; end < n && values[end].operation == v->operation &&
			      strcmp(values[end].other ? values[end].other : "", v->other ? v->other : "") == 0;
		     end++)
			sample[end - i] = values[end].value;
		uint64_t other = v->other ? siphash(hash_key, v->other, strlen(v->other)) : 0;
		s->features[s->feature_count++] = (struct trace_feature){.key = name->key ^ other,
		    .part = v->other ? TRACE_BETWEEN : TRACE_SELF,
		    .service = name->service,
		    .other = v->other,
		    .operation = name->operation,
		    .count = end - i,
		    .high = stats_high(sample, end - i),
		    .spread = stats_spread(sample, end - i)};
	}
	free(sample);
	if (count)
		qsort(s->features, count, sizeof *s->features, by_key);
	return ERR_OK;
}

static int by_call(const void *a, const void *b)
{
	const struct call *x = a, *y = b;
	if (x->operation != y->operation)
		return x->operation < y->operation ? -1 : 1;
	return x->child < y->child ? -1 : x->child > y->child;
}

/* The service that most of these spans call. */
static void find_callee(const struct call *e, size_t count, struct trace_operation *o)
{
	size_t votes = 0; /* majority by pairs cancelling out (Boyer and Moore, 1981) */
	for (size_t i = 0; i < count; i++) {
		if (!e[i].callee)
			continue;
		if (!votes)
			o->callee = e[i].callee;
		if (strcmp(o->callee, e[i].callee) == 0)
			votes++;
		else
			votes--;
	}
	for (size_t i = 0; o->callee && i < count; i++)
		o->callee_count += e[i].callee && strcmp(e[i].callee, o->callee) == 0;
}

static int by_operation_key(const void *a, const void *b)
{
	return by_key(&((const struct trace_operation *)a)->key, &((const struct trace_operation *)b)->key);
}

static int by_child_key(const void *a, const void *b)
{
	return by_key(&((const struct trace_last *)a)->child, &((const struct trace_last *)b)->child);
}

static enum err_code sum_calls(struct trace_window *w, struct call *e, size_t n, struct err *reterr)
{
	struct trace_summary *s = &w->summary;
	size_t count = 0;
	if (n)
		qsort(e, n, sizeof *e, by_call);
	for (size_t i = 0; i < n; i++)
		count += i == 0 || by_call(&e[i], &e[i - 1]) != 0;
	s->lasts = calloc(count ? count : 1, sizeof *s->lasts);
	s->operations = calloc(w->name_count ? w->name_count : 1, sizeof *s->operations);
	if (!s->lasts || !s->operations)
		return err_set(reterr, ERR_NOMEM, "out of memory for a window of traces");
	for (size_t i = 0, end; i < n; i = end) {
		const struct name *name = &w->names[e[i].operation];
		struct trace_operation *o = &s->operations[s->operation_count++];
		*o = (struct trace_operation){.key = name->key,
		    .service = name->service,
		    .operation = name->operation,
		    .first_last = s->last_count};
		for (end = i; end < n && e[end].operation == e[i].operation; end++) {
			if (end == i || e[end].child != e[end - 1].child)
				s->lasts[s->last_count++] = (struct trace_last){
				    name->key, e[end].child == NONE ? 0 : w->names[e[end].child].key, 0, 0};
			s->lasts[s->last_count - 1].count += e[end].last;
			s->lasts[s->last_count - 1].calls += !e[end].last;
			o->count += e[end].last;
		}
		o->last_count = s->last_count - o->first_last;
		qsort(s->lasts + o->first_last, o->last_count, sizeof *s->lasts, by_child_key);
		find_callee(e + i, end - i, o);
	}
	qsort(s->operations, s->operation_count, sizeof *s->operations, by_operation_key);
	return ERR_OK;
}

static enum err_code sum_edges(struct trace_window *w, const struct call *e, size_t count, struct err *reterr)
{
	struct trace_summary *s = &w->summary;
	struct map *seen = map_new();
	size_t room = 0;
	for (size_t i = 0; seen && i < count; i++) {
		const struct trace_edge edge = {w->names[e[i].operation].service, e[i].callee};
		const uint64_t key[2] = {siphash(hash_key, edge.caller, strlen(edge.caller)),
		    edge.callee ? siphash(hash_key, edge.callee, strlen(edge.callee)) : 0};
		if (!edge.callee || map_get(seen, key, sizeof key))
			continue;
		if (s->edge_count == room) {
			struct trace_edge *p = arena_array(w->arena, room = room ? 2 * room : 64, sizeof *p);
			if (!p)
				break;
			if (s->edge_count)
				memcpy(p, s->edges, s->edge_count * sizeof *p);
			s->edges = p;
		}
		s->edges[s->edge_count++] = edge;
		if (!map_put(seen, key, sizeof key, s))
			break;
	}
	bool failed = !seen || s->edge_count > map_count(seen);
	map_free(seen);
	return failed ? err_set(reterr, ERR_NOMEM, "out of memory for a window of traces") : ERR_OK;
}

static void mean_root(struct trace_window *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->span_count; i++)
		if (!w->spans[i].parent) {
			w->summary.whole += w->spans[i].duration;
			n++;
		}
	if (n)
		w->summary.whole /= (double)n;
}

enum err_code trace_window_close(struct trace_window *w, struct err *reterr)
{
	size_t n = w->span_count ? w->span_count : 1;
	struct looking l = {calloc(n, sizeof *l.values), calloc(2 * n, sizeof *l.calls), 0, 0};
	enum err_code rc = ERR_OK;
	if (l.values && l.calls) {
		if (w->span_count)
			qsort(w->spans, w->span_count, sizeof *w->spans, by_id);
		disown_doubles(w);
		if (w->span_count)
			qsort(w->spans, w->span_count, sizeof *w->spans, by_parent);
		for (size_t i = 0; i < w->span_count; i++)
			mark_inner(w, &w->spans[i]);
		for (size_t i = 0; i < w->span_count; i++)
			look_at(w, &w->spans[i], &l);
		for (size_t i = 0; i < w->span_count; i++)
			look_at_calls(w, &w->spans[i], &l);
		mean_root(w);
		if ((rc = sum_edges(w, l.calls, l.call_count, reterr)) == ERR_OK &&
		    (rc = sum_features(w, l.values, reterr)) == ERR_OK)
			rc = sum_calls(w, l.calls, l.call_count, reterr);
	} else {
		rc = err_set(reterr, ERR_NOMEM, "out of memory for a window of traces");
	}
	free(l.values);
	free(l.calls);
	free(w->spans);
	w->spans = NULL;
	w->span_count = w->span_room = 0;
	return rc;
}

/* ---- finding ---- */

const struct trace_feature *trace_feature_find(const struct trace_summary *s, uint64_t key)
{
	return s->feature_count ? bsearch(&key, s->features, s->feature_count, sizeof *s->features, by_key) : NULL;
}

const struct trace_operation *trace_operation_find(const struct trace_summary *s, uint64_t key)
{
	return s->operation_count ? bsearch(&key, s->operations, s->operation_count, sizeof *s->operations, by_key)
				  : NULL;
}

const struct trace_last *trace_last_find(const struct trace_summary *s, const struct trace_operation *o, uint64_t child)
{
	const struct trace_last like = {.child = child};
	return o->last_count ? bsearch(&like, s->lasts + o->first_last, o->last_count, sizeof like, by_child_key)
			     : NULL;
}
