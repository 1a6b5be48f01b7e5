/* controller/cases/internal.h: tables and windows. */
#ifndef KEDGE_CONTROLLER_CASES_INTERNAL_H
#define KEDGE_CONTROLLER_CASES_INTERNAL_H

#include "controller/cases/cases.h"
#include "shared/reader/reader.h"

struct column {
	char *service, *metric;
	double *values; /* one a row */
};
struct table_file { /* of metrics */
	char *path;
	double *times;
	size_t row_count, row_room;
	struct column *columns;
	size_t column_count;
};
/* ERR_LIMIT: more than CASES_CELLS_MAX. */
ERR_CHECK enum err_code table_load(const char *path, struct table_file **ret, struct err *reterr);
void table_free(struct table_file *t); /* NULL is a no-op */

/* Calls fn for each row below the head; a row too short for least columns is passed over. */
ERR_CHECK enum err_code rows_each(const char *path, size_t least,
    enum err_code (*fn)(void *ctx, const struct field_text *fields, size_t count, struct err *reterr), void *ctx,
    struct err *reterr);

struct given_case { /* as it stands in the file; windows and times as JSON */
	const char *name, *system, *metrics, *normal_metrics, *graph, *normal_spans, *spans, *normal_logs, *logs;
	const char *normal, *abnormal, *from, *to, *inject_time, *alert;
};
extern const struct record_type given_case_type;

struct case_alert {
	const char *node, *metric, *time;
};
extern const struct record_type case_alert_type;

/* Which rows of the case's metrics are of which time. */
enum phase { PHASE_NONE, PHASE_BEFORE, PHASE_SETTLED, PHASE_DURING };
struct windows {
	double before[2], during[2]; /* [from, to), NaN: not given */
	bool closed;                 /* `to` belongs to it */
	double alert;                /* NaN: none */
};
/* False: text is not a window, or a time. */
bool windows_of(const struct given_case *g, const struct case_alert *alert, struct windows *ret);
/* Fills one phase a row. */
void windows_rows(const struct windows *w, const struct table_file *t, bool elsewhere, enum phase *phases);

#endif
