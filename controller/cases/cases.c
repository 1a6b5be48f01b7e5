/* controller/cases/cases.c: one case after the other through the ranking. */
#include "controller/cases/cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cases/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { ARENA_LIMIT = 32 * 1024 * 1024, PROBLEMS_MAX = 8, REASONS_OF = 3, TEXT_MAX = 1024 };

/* ---- what stands in a case and in its answer ---- */

static const struct field given_case_fields[] = {
    {.name = "case",
	.doc = "its name",
	.kind = FIELD_STRING,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct given_case, name),
	.max = TEXT_MAX},
    F_STRING(struct given_case, system, TEXT_MAX, 0, "cases of one system share their history"),
    F_STRING(struct given_case, metrics, CASES_PATH_MAX, 0, "table of metrics"),
    F_STRING(struct given_case, normal_metrics, CASES_PATH_MAX, 0, "table of metrics of a time without fault"),
    F_STRING(struct given_case, graph, CASES_PATH_MAX, 0, "table of calls"),
    F_STRING(struct given_case, normal_spans, CASES_PATH_MAX, 0, "table of spans of a time without fault"),
    F_STRING(struct given_case, spans, CASES_PATH_MAX, 0, "table of spans of the fault"),
    F_STRING(struct given_case, normal_logs, CASES_PATH_MAX, 0, "table of log lines of a time without fault"),
    F_STRING(struct given_case, logs, CASES_PATH_MAX, 0, "table of log lines of the fault"),
    F_JSON(struct given_case, normal, TEXT_MAX, 0, "[from, to]"),
    F_JSON(struct given_case, abnormal, TEXT_MAX, 0, "[from, to]"),
    F_JSON(struct given_case, from, TEXT_MAX, 0, "when the fault began"),
    F_JSON(struct given_case, to, TEXT_MAX, 0, "when it ended"),
    F_JSON(struct given_case, inject_time, TEXT_MAX, 0, "when it began, to the end of the table"),
    F_JSON(struct given_case, alert, 4 * TEXT_MAX, 0, "where and when it was noticed"),
};
const struct record_type given_case_type =
    RECORD_TYPE("case", struct given_case, given_case_fields, "An incident as files");

static const struct field case_alert_fields[] = {
    F_STRING(struct case_alert, node, TEXT_MAX, 0, "the service"),
    F_STRING(struct case_alert, metric, TEXT_MAX, 0, "its metric"),
    F_JSON(struct case_alert, time, TEXT_MAX, 0, "when"),
};
const struct record_type case_alert_type =
    RECORD_TYPE("case_alert", struct case_alert, case_alert_fields, "Where an incident was noticed");

static const struct field case_reason_fields[] = {
    F_STRING(struct case_reason, service, 4 * TEXT_MAX, 0, "whom it speaks against"),
    F_STRING(struct case_reason, kind, 16, 0, "metric, flow, trace, log or told"),
    F_F64(struct case_reason, weight, FIELD_ALWAYS, "what it adds to the service's score"),
    F_STRING(struct case_reason, text, 4 * TEXT_MAX, 0, "what was seen"),
};
static const struct record_type case_reason_type =
    RECORD_TYPE("case_reason", struct case_reason, case_reason_fields, "What speaks for a cause");

static const struct field case_answer_fields[] = {
    {.name = "case",
	.doc = "its name",
	.kind = FIELD_STRING,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct case_answer, name),
	.max = TEXT_MAX},
    F_STRINGS(struct case_answer, rank, CASES_ANSWER_MAX, FIELD_ALWAYS, "services, the likeliest cause first"),
    {.name = "conf",
	.doc = "how likely the first of them is right",
	.kind = FIELD_F64,
	.flags = FIELD_ALWAYS,
	.offset = offsetof(struct case_answer, confidence)},
    F_F64(struct case_answer, seconds, FIELD_ALWAYS, "how long it took"),
    F_BOOL(struct case_answer, abstained, 0, "nothing speaks for any of them"),
    F_LIST(
	struct case_answer, evidence, &case_reason_type, REASONS_OF *CAUSE_KIND_COUNT, 0, "what speaks for the first"),
    F_STRINGS(struct case_answer, problems, PROBLEMS_MAX, 0, "what could not be read"),
};
const struct record_type case_answer_type =
    RECORD_TYPE("case_answer", struct case_answer, case_answer_fields, "What `kedge analyze cause` says of a case");

const struct record_type *const cases_types[] = {
    &given_case_type, &case_alert_type, &case_reason_type, &case_answer_type, NULL};

/* ---- the runner ---- */

struct past { /* an earlier case */
	char *system;
	double from;
	struct trace_window *window; /* or NULL */
	char *logs;                  /* where its log lines are, or NULL */
};
struct case_runner {
	char *folder;
	struct arena *arena;
	struct table_file *tables[CASES_TABLES_KEPT];
	size_t next_table;
	char *quiet_path; /* of quiet */
	struct trace_window *quiet;
	struct past past[CASES_HISTORY_MAX];
	size_t past_count;
	/* of the case at hand */
	struct cause *cause;
	struct given_case given;
	struct case_alert alert;
	const char *problems[PROBLEMS_MAX];
	size_t problem_count;
};

enum err_code case_runner_new(const char *folder, struct case_runner **ret, struct err *reterr)
{
	struct case_runner *r = calloc(1, sizeof *r);
	if (r) {
		r->folder = strdup(folder ? folder : "");
		r->arena = arena_new(ARENA_LIMIT);
		if (r->folder && r->arena) {
			*ret = r;
			return ERR_OK;
		}
	}
	case_runner_free(r);
	return err_set(reterr, ERR_NOMEM, "out of memory for cases");
}

static void free_past(struct past *p)
{
	free(p->system);
	free(p->logs);
	trace_window_free(p->window);
}

void case_runner_free(struct case_runner *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < CASES_TABLES_KEPT; i++)
		table_free(r->tables[i]);
	for (size_t i = 0; i < r->past_count; i++)
		free_past(&r->past[i]);
	trace_window_free(r->quiet);
	free(r->quiet_path);
	cause_free(r->cause);
	arena_free(r->arena);
	free(r->folder);
	free(r);
}

/* Texts of records are UTF-8; what is not becomes '?'. */
static const char *valid_text(struct arena *a, const char *text)
{
	size_t left = strlen(text);
	char *copy = arena_strndup(a, text, left < TEXT_MAX ? left : TEXT_MAX), *at = copy;
	for (left = copy ? strlen(copy) : 0; left;) {
		size_t n = text_utf8_length(at, left);
		if (!n)
			*at = '?';
		at += n ? n : 1;
		left -= n ? n : 1;
	}
	return copy;
}

/* A file that cannot be read is told and done without; other errors end the case. */
static enum err_code problem(struct case_runner *r, enum err_code rc, struct err *reterr)
{
	if (rc == ERR_OK || rc == ERR_NOMEM)
		return rc;
	const char *text = valid_text(r->arena, reterr->msg);
	if (text && r->problem_count < PROBLEMS_MAX)
		r->problems[r->problem_count++] = text;
	return ERR_OK;
}

static const char *path_of(struct case_runner *r, const char *path)
{
	return path[0] == '/' || !r->folder[0] ? path : arena_printf(r->arena, "%s/%s", r->folder, path);
}

/* ---- metrics ---- */

static enum err_code table_of(
    struct case_runner *r, const char *path, const struct table_file **ret, struct err *reterr)
{
	const char *full = path_of(r, path);
	for (size_t i = 0; i < CASES_TABLES_KEPT; i++)
		if (r->tables[i] && text_equal(r->tables[i]->path, full)) {
			r->next_table = (i + 1) % CASES_TABLES_KEPT; /* the other one gives way first */
			*ret = r->tables[i];
			return ERR_OK;
		}
	struct table_file *t;
	enum err_code rc = full ? table_load(full, &t, reterr) : err_set(reterr, ERR_NOMEM, "out of memory for a path");
	if (rc != ERR_OK)
		return rc;
	table_free(r->tables[r->next_table]);
	*ret = r->tables[r->next_table] = t;
	r->next_table = (r->next_table + 1) % CASES_TABLES_KEPT;
	return ERR_OK;
}

static size_t pick(
    const struct table_file *t, const double *values, const enum phase *phases, enum phase phase, double *out)
{
	size_t n = 0;
	for (size_t i = 0; i < t->row_count; i++)
		if (phases[i] == phase)
			out[n++] = values[i];
	return n;
}

/* The column of that name in the table of a quiet time; most often in the same order. */
static const struct column *twin(const struct table_file *t, const struct column *c, size_t guess)
{
	for (size_t i = 0; t && i < t->column_count; i++) {
		const struct column *q = &t->columns[(guess + i) % t->column_count];
		if (text_equal(q->service, c->service) && text_equal(q->metric, c->metric))
			return q;
	}
	return NULL;
}

static enum err_code add_columns(struct case_runner *r, const struct table_file *t, const struct table_file *quiet,
    const enum phase *phases, double *scratch, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < t->column_count; i++) {
		const struct column *c = &t->columns[i], *q = twin(quiet, c, i);
		double *at = scratch;
		struct cause_series s = {.service = c->service, .metric = c->metric};
		s.before = q ? q->values : at;
		s.before_count = q ? quiet->row_count : pick(t, c->values, phases, PHASE_BEFORE, at);
		at += q ? 0 : s.before_count;
		s.settled = at;
		at += s.settled_count = pick(t, c->values, phases, PHASE_SETTLED, at);
		s.during = at;
		s.during_count = pick(t, c->values, phases, PHASE_DURING, at);
		if (c->service[0])
			rc = cause_series_add(r->cause, &s, reterr);
	}
	return rc;
}

static enum err_code add_metrics(struct case_runner *r, const struct windows *w, struct err *reterr)
{
	const struct table_file *t, *quiet = NULL;
	if (!r->given.metrics)
		return ERR_OK;
	enum err_code rc = ERR_OK;
	if (r->given.normal_metrics)
		rc = problem(r, table_of(r, r->given.normal_metrics, &quiet, reterr), reterr);
	if (rc == ERR_OK)
		rc = table_of(r, r->given.metrics, &t, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_free) enum phase *phases = calloc(t->row_count + 1, sizeof *phases);
	CLEANUP(cleanup_free) double *scratch = calloc(t->row_count + 1, sizeof *scratch);
	if (!phases || !scratch)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu rows", t->row_count);
	windows_rows(w, t, quiet != NULL, phases);
	return add_columns(r, t, quiet, phases, scratch, reterr);
}

/* ---- the rest ---- */

static enum err_code take_call(void *ctx, const struct field_text *f, size_t count, struct err *reterr)
{
	struct case_runner *r = ctx;
	(void)count;
	return f[0].text[0] && f[1].text[0] ? cause_calls(r->cause, f[0].text, f[1].text, reterr) : ERR_OK;
}

static enum err_code take_span(void *ctx, const struct field_text *f, size_t count, struct err *reterr)
{
	struct cause_span s = {f[0].text, f[1].text, f[2].text, f[3].text, f[4].text, NAN, NAN};
	(void)count;
	if (text_f64(f[5].text, &s.start, NULL) != ERR_OK || text_f64(f[6].text, &s.duration, NULL) != ERR_OK)
		return ERR_OK;
	return trace_window_add(ctx, &s, reterr);
}

static enum err_code window_of(struct case_runner *r, const char *path, struct trace_window **ret, struct err *reterr)
{
	struct trace_window *w = NULL;
	const char *full = path_of(r, path);
	enum err_code rc = full ? trace_window_new(&w, reterr) : err_set(reterr, ERR_NOMEM, "out of memory for a path");
	if (rc == ERR_OK && (rc = rows_each(full, 7, take_span, w, reterr)) == ERR_OK)
		rc = trace_window_close(w, reterr);
	if (rc == ERR_OK)
		*ret = w;
	else
		trace_window_free(w);
	return rc;
}

static enum err_code load_quiet(struct case_runner *r, struct err *reterr)
{
	const char *path = r->given.normal_spans;
	if (!path || text_equal(path, r->quiet_path))
		return ERR_OK;
	trace_window_free(r->quiet);
	free(r->quiet_path);
	r->quiet = NULL;
	r->quiet_path = strdup(path);
	return window_of(r, path, &r->quiet, reterr);
}

static bool is_earlier(const struct case_runner *r, const struct past *p, double from)
{
	return r->given.system && text_equal(p->system, r->given.system) && p->from < from;
}

/* Windows of the same system that began before this case did. */
static size_t earlier(const struct case_runner *r, double from, const struct trace_window **out)
{
	size_t n = 0;
	if (r->quiet && r->given.normal_spans)
		out[n++] = r->quiet;
	for (size_t i = 0; i < r->past_count; i++)
		if (r->past[i].window && is_earlier(r, &r->past[i], from))
			out[n++] = r->past[i].window;
	return n;
}

/* Takes the window, which may be NULL. */
static void remember(struct case_runner *r, double from, struct trace_window *w)
{
	const char *logs = r->given.logs ? path_of(r, r->given.logs) : NULL;
	struct past p = {r->given.system ? strdup(r->given.system) : NULL, from, w, logs ? strdup(logs) : NULL};
	if (!p.system || isnan(from) || (!p.window && !p.logs)) { /* without a name or a time it is nobody's past */
		free_past(&p);
		return;
	}
	if (r->past_count == CASES_HISTORY_MAX) {
		free_past(&r->past[0]);
		memmove(r->past, r->past + 1, --r->past_count * sizeof *r->past);
	}
	r->past[r->past_count++] = p;
}

/* *ret: the window of this case, the caller's to keep; NULL: it has none. */
static enum err_code add_traces(
    struct case_runner *r, const struct windows *w, struct trace_window **ret, struct err *reterr)
{
	const struct trace_window *before[CASES_HISTORY_MAX + 1];
	enum err_code rc = problem(r, load_quiet(r, reterr), reterr);
	if (rc != ERR_OK)
		return rc;
	if (!r->given.spans) /* the quiet ones still tell who calls whom */
		return r->quiet && r->given.normal_spans
			   ? cause_traces(r->cause, (const struct trace_window *const[]){r->quiet}, 1, r->quiet, reterr)
			   : ERR_OK;
	rc = window_of(r, r->given.spans, ret, reterr);
	return rc == ERR_OK ? cause_traces(r->cause, before, earlier(r, w->during[0], before), *ret, reterr) : rc;
}

struct log_lines {
	struct case_runner *r;
	bool during;
};
static enum err_code take_line(void *ctx, const struct field_text *f, size_t count, struct err *reterr)
{
	struct log_lines *l = ctx;
	const struct field_text *text = &f[count >= 5 ? 4 : count - 1];
	return f[1].text[0] ? cause_log_line(l->r->cause, f[1].text, text->text, text->size, l->during, reterr)
			    : ERR_OK;
}

static enum err_code add_logs(struct case_runner *r, const char *full, bool during, struct err *reterr)
{
	struct log_lines l = {r, during};
	return full ? rows_each(full, 3, take_line, &l, reterr)
		    : err_set(reterr, ERR_NOMEM, "out of memory for a path");
}

/* What was said in the last cases before is no news: a quiet minute alone does not show all that a system says. */
static enum err_code add_all_logs(struct case_runner *r, const struct windows *w, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (r->given.normal_logs)
		rc = problem(r, add_logs(r, path_of(r, r->given.normal_logs), false, reterr), reterr);
	for (size_t i = r->past_count, n = 0; r->given.logs && rc == ERR_OK && i-- > 0 && n < CASES_LOGS_BEFORE;)
		if (r->past[i].logs && is_earlier(r, &r->past[i], w->during[0])) {
			rc = problem(r, add_logs(r, r->past[i].logs, false, reterr), reterr);
			n++;
		}
	if (rc == ERR_OK && r->given.logs)
		rc = problem(r, add_logs(r, path_of(r, r->given.logs), true, reterr), reterr);
	return rc;
}

static enum err_code add_graph(struct case_runner *r, struct err *reterr)
{
	const char *full = r->given.graph ? path_of(r, r->given.graph) : NULL;
	if (!r->given.graph)
		return ERR_OK;
	return full ? rows_each(full, 2, take_call, r, reterr) : err_set(reterr, ERR_NOMEM, "out of memory for a path");
}

/* ---- a case ---- */

static enum err_code read_case(
    struct case_runner *r, const char *line, size_t size, struct windows *w, struct err *reterr)
{
	enum err_code rc = record_from_json(&given_case_type, line, size, 0, r->arena, &r->given, reterr);
	if (rc != ERR_OK)
		return rc;
	r->alert = (struct case_alert){0};
	if (r->given.alert)
		rc = record_from_json(
		    &case_alert_type, r->given.alert, strlen(r->given.alert), 0, r->arena, &r->alert, reterr);
	if (rc == ERR_OK && !windows_of(&r->given, &r->alert, w))
		rc = err_set(reterr, ERR_INVALID, "case %.100s: its windows are not times", r->given.name);
	return rc;
}

static enum err_code add_all(struct case_runner *r, const struct windows *w, struct err *reterr)
{
	struct trace_window *window = NULL;
	enum err_code rc = problem(r, add_graph(r, reterr), reterr);
	if (rc == ERR_OK)
		rc = problem(r, add_metrics(r, w, reterr), reterr);
	if (rc == ERR_OK)
		rc = problem(r, add_traces(r, w, &window, reterr), reterr);
	if (rc == ERR_OK)
		rc = add_all_logs(r, w, reterr);
	remember(r, w->during[0], window);
	if (rc == ERR_OK && r->alert.node)
		rc = cause_alert(r->cause, r->alert.node, r->alert.metric, reterr);
	return rc;
}

static enum err_code tell(
    struct case_runner *r, const struct cause_verdict *v, struct case_answer *ret, struct err *reterr)
{
	struct arena *a = r->arena;
	const char **rank = arena_array(a, v->count + 1, sizeof *rank);
	struct case_reason *why = arena_array(a, (size_t)REASONS_OF * CAUSE_KIND_COUNT, sizeof *why);
	size_t n = 0;
	*ret = (struct case_answer){.name = r->given.name,
	    .confidence = v->confidence,
	    .abstained = v->abstained,
	    .problems = {r->problems, r->problem_count}};
	for (size_t i = 0; rank && i < v->count; i++)
		rank[i] = valid_text(a, v->ranked[i].service);
	for (size_t i = 0; why && i < v->count && i < REASONS_OF; i++)
		for (unsigned k = 0; k < CAUSE_KIND_COUNT; k++)
			if (v->ranked[i].reason[k])
				why[n++] = (struct case_reason){rank ? rank[i] : NULL, cause_kind_name(k),
				    valid_text(a, v->ranked[i].reason[k]), v->ranked[i].weight[k]};
	if (!rank || !why)
		return err_set(reterr, ERR_NOMEM, "out of memory for an answer");
	ret->rank = (struct list){rank, v->count};
	ret->evidence = (struct list){why, n};
	return ERR_OK;
}

enum err_code case_run(
    struct case_runner *r, const char *line, size_t size, struct case_answer *ret, struct err *reterr)
{
	struct windows w;
	struct cause_verdict v;
	struct err own, *e = reterr ? reterr : &own;
	arena_reset(r->arena);
	r->problem_count = 0;
	enum err_code rc = read_case(r, line, size, &w, e);
	if (rc != ERR_OK)
		return rc;
	cause_free(r->cause);
	r->cause = NULL;
	if ((rc = cause_new(&r->cause, e)) != ERR_OK || (rc = add_all(r, &w, e)) != ERR_OK ||
	    (rc = cause_conclude(r->cause, &v, e)) != ERR_OK)
		return rc;
	return tell(r, &v, ret, e);
}
