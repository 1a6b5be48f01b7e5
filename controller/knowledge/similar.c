/* controller/knowledge/similar.c: rows of damped counts, and the distances between them. */
#include "controller/knowledge/similar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/map.h"

enum { LEVELS = 40, MEASURES = 4, VOTERS = 7 };
static const double support_weight = 0.3;

struct cell {
	uint32_t event;
	float value; /* log(1 + count); before similar_ready the count */
};
struct row {
	char *id, *cause_name;
	uint32_t cause;     /* plus one; 0: not known */
	uint32_t group;     /* rows of one incident */
	struct cell *cells; /* by event */
	uint32_t count, room;
	bool past;
};
struct event {
	double deviation; /* of its values over all rows */
	double told;      /* N times the mutual information with the causes, but for terms that all events share */
	double *by_cause; /* [LEVELS][causes]: rows that have it at this level and have this cause */
	double by_level[LEVELS];
};
struct similar {
	struct map *event_ids, *cause_ids, *group_ids;
	struct event *events;
	size_t event_count, event_room;
	struct row *rows;
	size_t row_count, row_room;
	const char **causes; /* names, borrowed from rows */
	double *cause_rows;
	size_t cause_count, cause_room;
	size_t group_count;
	double known; /* past rows with a cause */
	double *distance[MEASURES], *weight;
	bool ready, told_ready;
};

enum err_code similar_new(struct similar **ret, struct err *reterr)
{
	struct similar *s = calloc(1, sizeof *s);
	if (s) {
		s->event_ids = map_new();
		s->cause_ids = map_new();
		s->group_ids = map_new();
	}
	if (!s || !s->event_ids || !s->cause_ids || !s->group_ids) {
		similar_free(s);
		return err_set(reterr, ERR_NOMEM, "out of memory for past incidents");
	}
	*ret = s;
	return ERR_OK;
}

void similar_free(struct similar *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->row_count; i++) {
		free(s->rows[i].id);
		free(s->rows[i].cause_name);
		free(s->rows[i].cells);
	}
	for (size_t i = 0; i < s->event_count; i++)
		free(s->events[i].by_cause);
	for (unsigned k = 0; k < MEASURES; k++)
		free(s->distance[k]);
	map_free(s->event_ids);
	map_free(s->cause_ids);
	map_free(s->group_ids);
	free(s->events);
	free(s->rows);
	free(s->causes);
	free(s->cause_rows);
	free(s->weight);
	free(s);
}

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return true;
	size_t more = *room ? 2 * *room : 64;
	void *p = realloc(*items, more * size);
	if (!p)
		return false;
	*items = p;
	*room = more;
	return true;
}

/* The number of a name, from 0; a new one is the next. */
static bool number_of(struct map *m, const char *name, size_t size, size_t next, uint32_t *ret, bool *ret_new)
{
	uintptr_t at = (uintptr_t)map_get(m, name, size);
	*ret_new = at == 0;
	*ret = at ? (uint32_t)(at - 1) : (uint32_t)next;
	return at || map_put(m, name, size, (void *)(uintptr_t)(next + 1));
}

static bool name_cause(struct similar *s, struct row *r)
{
	bool fresh;
	uint32_t at;
	if (!grow((void **)&s->causes, &s->cause_room, s->cause_count, sizeof *s->causes) ||
	    !number_of(s->cause_ids, r->cause_name, strlen(r->cause_name), s->cause_count, &at, &fresh))
		return false;
	if (fresh)
		s->causes[s->cause_count++] = r->cause_name;
	r->cause = at + 1;
	return true;
}

enum err_code similar_row(struct similar *s, const char *id, const char *group, const char *cause, bool past,
    uint32_t *ret_row, struct err *reterr)
{
	struct row r = {.past = past};
	bool fresh;
	if (s->row_count >= SIMILAR_INCIDENTS_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d incidents", SIMILAR_INCIDENTS_MAX);
	const char *of = group ? group : id, *slash = group ? NULL : strrchr(id, '/');
	size_t size = slash ? (size_t)(slash - of) : strlen(of);
	r.id = strdup(id);
	r.cause_name = cause ? strdup(cause) : NULL;
	bool ok = r.id && (!cause || r.cause_name) &&
		  grow((void **)&s->rows, &s->row_room, s->row_count, sizeof *s->rows) &&
		  number_of(s->group_ids, of, size, s->group_count, &r.group, &fresh) && (!cause || name_cause(s, &r));
	if (!ok) {
		free(r.id);
		if (!r.cause || s->causes[r.cause - 1] != r.cause_name)
			free(r.cause_name);
		return err_set(reterr, ERR_NOMEM, "out of memory for past incidents");
	}
	s->group_count += fresh;
	*ret_row = (uint32_t)s->row_count;
	s->rows[s->row_count++] = r;
	return ERR_OK;
}

enum err_code similar_event(struct similar *s, const char *event, double count, struct err *reterr)
{
	uint32_t at;
	bool fresh;
	if (!(count > 0) || s->row_count == 0)
		return ERR_OK;
	struct row *r = &s->rows[s->row_count - 1];
	if (s->event_count >= INCIDENT_EVENTS_MAX && !map_get(s->event_ids, event, strlen(event)))
		return ERR_OK; /* kinds beyond the limit are rare ones: they tell little */
	size_t room = r->room;
	if (!grow((void **)&s->events, &s->event_room, s->event_count, sizeof *s->events) ||
	    !number_of(s->event_ids, event, strlen(event), s->event_count, &at, &fresh) ||
	    !grow((void **)&r->cells, &room, r->count, sizeof *r->cells))
		return err_set(reterr, ERR_NOMEM, "out of memory for an incident's events");
	r->room = (uint32_t)room;
	if (fresh)
		s->events[s->event_count++] = (struct event){0};
	r->cells[r->count++] = (struct cell){at, (float)count};
	return ERR_OK;
}

/* ---- ready ---- */

static int by_event(const void *a, const void *b)
{
	uint32_t x = ((const struct cell *)a)->event, y = ((const struct cell *)b)->event;
	return (x > y) - (x < y);
}

static void settle(struct row *r)
{
	uint32_t n = 0;
	if (r->count)
		qsort(r->cells, r->count, sizeof *r->cells, by_event);
	for (uint32_t i = 0; i < r->count; i++) {
		if (n && r->cells[n - 1].event == r->cells[i].event)
			r->cells[n - 1].value += r->cells[i].value;
		else
			r->cells[n++] = r->cells[i];
	}
	r->count = n;
	for (uint32_t i = 0; i < n; i++)
		r->cells[i].value = log1pf(fminf(r->cells[i].value, 1e9f));
}

static unsigned level_of(float value)
{
	double count = expm1((double)value);
	unsigned level = count < 8 ? (unsigned)(count + 0.5) : 8 + (unsigned)(2 * log2(count / 8));
	return level < LEVELS ? level : LEVELS - 1;
}

static double xlogx(double x)
{
	return x > 0 ? x * log(x) : 0;
}

static void spread(struct similar *s)
{
	double n = (double)s->row_count;
	double *mean = s->weight; /* borrowed: it is filled anew for each question */
	memset(mean, 0, s->event_count * sizeof *mean);
	for (size_t i = 0; i < s->row_count; i++)
		for (uint32_t k = 0; k < s->rows[i].count; k++)
			mean[s->rows[i].cells[k].event] += (double)s->rows[i].cells[k].value / n;
	for (size_t i = 0; i < s->row_count; i++)
		for (uint32_t k = 0; k < s->rows[i].count; k++) {
			const struct cell *c = &s->rows[i].cells[k];
			double m = mean[c->event], v = (double)c->value;
			s->events[c->event].deviation +=
			    ((v - m) * (v - m) - m * m) / n; /* the rows without it have 0 */
		}
	for (size_t e = 0; e < s->event_count; e++) {
		double square = s->events[e].deviation + mean[e] * mean[e];
		s->events[e].deviation = square > 0 ? sqrt(square) : 0;
	}
}

/* Rows by level and cause, an event; level 0 is what is left over. */
static bool count_causes(struct similar *s)
{
	for (size_t e = 0; e < s->event_count; e++) {
		struct event *v = &s->events[e];
		v->by_cause = calloc(LEVELS * s->cause_count + 1, sizeof *v->by_cause);
		if (!v->by_cause)
			return false;
		memcpy(v->by_cause, s->cause_rows, s->cause_count * sizeof *v->by_cause);
		v->by_level[0] = s->known;
	}
	for (size_t i = 0; i < s->row_count; i++) {
		const struct row *r = &s->rows[i];
		for (uint32_t k = 0; r->past && r->cause && k < r->count; k++) {
			struct event *v = &s->events[r->cells[k].event];
			unsigned level = level_of(r->cells[k].value);
			v->by_cause[r->cause - 1]--;
			v->by_level[0]--;
			v->by_cause[level * s->cause_count + r->cause - 1]++;
			v->by_level[level]++;
		}
	}
	for (size_t e = 0; e < s->event_count; e++) {
		struct event *v = &s->events[e];
		for (unsigned l = 0; l < LEVELS; l++) {
			v->told -= xlogx(v->by_level[l]);
			for (size_t c = 0; c < s->cause_count; c++)
				v->told += xlogx(v->by_cause[l * s->cause_count + c]);
		}
	}
	return true;
}

enum err_code similar_ready(struct similar *s, struct err *reterr)
{
	for (size_t i = 0; i < s->row_count; i++)
		settle(&s->rows[i]);
	s->weight = calloc(s->event_count + 1, sizeof *s->weight);
	s->cause_rows = calloc(s->cause_count + 1, sizeof *s->cause_rows);
	bool ok = s->weight && s->cause_rows;
	for (unsigned k = 0; k < MEASURES; k++)
		ok = (s->distance[k] = calloc(s->row_count + 1, sizeof *s->distance[k])) != NULL && ok;
	if (ok)
		spread(s);
	for (size_t i = 0; ok && i < s->row_count; i++)
		if (s->rows[i].past && s->rows[i].cause) {
			s->cause_rows[s->rows[i].cause - 1]++;
			s->known++;
		}
	/* With as many causes as incidents nothing can be learned from them, and the tables would be large. */
	s->told_ready = ok && s->cause_count > 1 && (double)s->cause_count * 3 <= s->known &&
			s->cause_count * LEVELS * s->event_count < SIMILAR_TABLE_MAX;
	if (s->told_ready)
		ok = count_causes(s);
	if (!ok)
		return err_set(reterr, ERR_NOMEM, "out of memory for past incidents");
	s->ready = true;
	return ERR_OK;
}

/* ---- asking ---- */

/* How much an event told about the causes, were this row not among the past ones; per row, above 0. */
static double told_without(const struct similar *s, const struct event *v, const struct row *without, float value)
{
	double told = v->told, known = s->known, causes = 0;
	if (without->past && without->cause) {
		unsigned level = level_of(value);
		double both = v->by_cause[level * s->cause_count + without->cause - 1], all = v->by_level[level];
		told += xlogx(both - 1) - xlogx(both) - xlogx(all - 1) + xlogx(all);
		known--;
	}
	for (size_t c = 0; c < s->cause_count; c++)
		causes += xlogx(s->cause_rows[c] - (without->past && without->cause == c + 1));
	double mi = known > 0 ? (told - causes + xlogx(known)) / known : 0;
	return mi > 0 ? mi : 0;
}

static void weigh_events(struct similar *s, const struct row *r)
{
	uint32_t k = 0;
	for (size_t e = 0; e < s->event_count; e++) {
		while (k < r->count && r->cells[k].event < e)
			k++;
		float value = k < r->count && r->cells[k].event == e ? r->cells[k].value : 0.0f;
		s->weight[e] =
		    s->told_ready ? told_without(s, &s->events[e], r, value) / (s->events[e].deviation + 0.1) : 1.0;
	}
}

struct sums {
	double ab, aa, bb, wab, waa, wbb, low, high, differ;
};
static void take_pair(struct sums *m, double a, double b, double w)
{
	m->ab += a * b;
	m->aa += a * a;
	m->bb += b * b;
	m->wab += w * a * b;
	m->waa += w * a * a;
	m->wbb += w * b * b;
	m->low += a < b ? a : b;
	m->high += a > b ? a : b;
	m->differ += w * fabs(a - b);
}

static double angle(double ab, double aa, double bb)
{
	if (aa > 0 && bb > 0)
		return 1 - ab / sqrt(aa * bb);
	return aa > 0 || bb > 0 ? 1 : 0;
}

static void measure(struct similar *s, const struct row *x, size_t other)
{
	const struct row *y = &s->rows[other];
	struct sums m = {0};
	for (uint32_t i = 0, k = 0; i < x->count || k < y->count;) {
		uint32_t a = i < x->count ? x->cells[i].event : UINT32_MAX,
			 b = k < y->count ? y->cells[k].event : UINT32_MAX;
		double va = a <= b ? (double)x->cells[i++].value : 0, vb = b <= a ? (double)y->cells[k++].value : 0;
		take_pair(&m, va, vb, s->weight[a < b ? a : b]);
	}
	s->distance[0][other] = angle(m.ab, m.aa, m.bb);
	s->distance[1][other] = m.high > 0 ? 1 - m.low / m.high : 0;
	s->distance[2][other] = angle(m.wab, m.waa, m.wbb);
	s->distance[3][other] = m.differ;
}

/* Nearest by the mean of the measures, each on the scale of its own mean. */
static size_t nearest(struct similar *s, const struct row *asked, struct similar_hit *ret, size_t max)
{
	double scale[MEASURES] = {0};
	size_t n = 0;
	for (size_t i = 0; i < s->row_count; i++)
		if (s->rows[i].past && s->rows[i].group != asked->group)
			for (unsigned k = 0; k < MEASURES; k++)
				scale[k] += s->distance[k][i];
	for (size_t i = 0; i < s->row_count; i++) {
		double d = 0;
		if (!s->rows[i].past || s->rows[i].group == asked->group)
			continue;
		for (unsigned k = 0; k < MEASURES; k++)
			d += scale[k] > 0 ? s->distance[k][i] / scale[k] * (double)s->row_count / MEASURES : 0;
		if (n == max && ret[n - 1].distance <= d)
			continue;
		size_t at = n < max ? n++ : n - 1;
		for (; at && ret[at - 1].distance > d; at--)
			ret[at] = ret[at - 1];
		ret[at] = (struct similar_hit){(uint32_t)i, d};
	}
	return n;
}

/* The share of the neighbours that have the i-th one's cause; nearer ones count more. */
static double support(const struct similar *s, const struct similar_hit *hits, size_t n, size_t i)
{
	double with = 0, all = 0;
	for (size_t k = 0; k < n; k++) {
		double weight = pow(0.85, (double)k) / (hits[k].distance + 0.1 * hits[n - 1].distance + 1e-3);
		all += weight;
		with += s->rows[hits[k].row].cause == s->rows[hits[i].row].cause ? weight : 0;
	}
	return with / all;
}

static int by_distance(const void *a, const void *b)
{
	const struct similar_hit *x = a, *y = b;
	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/* Among the nearest, one whose cause the others share goes before a lone one that is a little nearer.  Returns what
 * speaks for the first one's cause, two neighbours of no cause being always among those asked. */
static double order_by_support(const struct similar *s, struct similar_hit *hits, size_t n)
{
	double moved[VOTERS], confidence;
	n = n < VOTERS ? n : VOTERS;
	if (n == 0 || !s->rows[hits[0].row].cause)
		return 0;
	for (size_t i = 0; i < n; i++)
		moved[i] = (hits[i].distance + 0.02) * (1 - support_weight * support(s, hits, n, i));
	for (size_t i = 0; i < n; i++)
		hits[i].distance = moved[i];
	qsort(hits, n, sizeof *hits, by_distance);
	confidence = support(s, hits, n, 0);
	return (confidence * (double)n + 0.1) / ((double)n + 0.3);
}

enum err_code similar_find(struct similar *s, uint32_t row, struct similar_hit *ret, size_t max, size_t *ret_count,
    double *ret_confidence, struct err *reterr)
{
	struct similar_hit hits[SIMILAR_RANK_MAX];
	if (!s->ready || row >= s->row_count)
		return err_set(reterr, ERR_STATE, "the past incidents are not ready");
	const struct row *r = &s->rows[row];
	weigh_events(s, r);
	for (size_t i = 0; i < s->row_count; i++)
		if (s->rows[i].past && s->rows[i].group != r->group)
			measure(s, r, i);
	size_t n = nearest(s, r, hits, SIMILAR_RANK_MAX);
	*ret_confidence = order_by_support(s, hits, n);
	*ret_count = n < max ? n : max;
	memcpy(ret, hits, *ret_count * sizeof *hits);
	return ERR_OK;
}

size_t similar_count(const struct similar *s)
{
	return s->row_count;
}
const char *similar_id(const struct similar *s, uint32_t row)
{
	return s->rows[row].id;
}
const char *similar_cause(const struct similar *s, uint32_t row)
{
	return s->rows[row].cause_name;
}
