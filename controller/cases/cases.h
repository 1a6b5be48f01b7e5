/* controller/cases/cases.h: incidents as files, for work after the fact: metrics, traces, logs and a service graph as
 * tables of comma-separated values, each plain or gzip, and a line of JSON a case that says which and when.
 *
 * Owns: the formats, and what is remembered from one case to the next: the tables that cases share, and the traces
 * and log lines of earlier cases of the same system, which tell how much a quiet system wanders.  Nothing later than a
 * case's own window is looked at.  Blocking; one runner belongs to one thread.
 *
 * A case:
 *   "case"       its name
 *   "system"     cases of one system share their history; or nothing
 *   "metrics"    table: time, then a column a series named service|metric; an empty field is no value
 *   "normal", "abnormal"   [from, to] within metrics
 *   "from", "to"           or: the fault is within these, earlier rows are normal
 *   "normal_metrics"       or: a table of a time without fault, and
 *   "alert"                {"node", "metric", "time"}: rows whose span ends after it are of the fault
 *   "inject_time"          or: rows from then on are of the fault
 *   "graph"                table: caller, callee
 *   "normal_spans", "spans"  tables: trace, span, parent, service, op, start_us, dur_us
 *   "normal_logs", "logs"    tables: time, service, trace, span, text
 * Times are unix seconds, milliseconds, microseconds or nanoseconds, or YYYY-MM-DDTHH:MM[:SS]. */
#ifndef KEDGE_CONTROLLER_CASES_CASES_H
#define KEDGE_CONTROLLER_CASES_CASES_H

#include "controller/cause/cause.h"
#include "shared/record/record.h"

enum {
	CASES_CELLS_MAX = 16 * 1024 * 1024, /* values of one table: a day by seconds of 190 series; 128 MiB */
	CASES_BASELINE_ROWS = 180,          /* that far back goes what is usual: three hours by minutes */
	CASES_TABLES_KEPT = 2,              /* a case's own and the one of a quiet time */
	CASES_HISTORY_MAX = 32,             /* earlier windows of traces that are kept */
	CASES_LOGS_BEFORE =
	    3, /* … whose log lines are read again: minutes each, and the next fault's own are rarely in them */
	CASES_PATH_MAX = 4096,
	CASES_ANSWER_MAX = CAUSE_SERVICES_MAX,
};

struct case_reason {
	const char *service, *kind, *text;
	double weight;
};
struct case_answer {
	const char *name;
	struct list rank; /* names of services, best first */
	double confidence;
	double seconds;
	bool abstained;
	struct list evidence; /* of the first three */
	struct list problems; /* what could not be read */
};
/* {"case", "rank", "conf", "seconds", …} */
extern const struct record_type case_answer_type;
extern const struct record_type *const cases_types[];

struct case_runner;
/* Paths in cases are relative to folder ("" or NULL: where the program runs). */
ERR_CHECK enum err_code case_runner_new(const char *folder, struct case_runner **ret, struct err *reterr);
void case_runner_free(struct case_runner *r); /* NULL is a no-op */

/* One line of a file of cases.  A file that is missing or damaged is a problem of the answer, not an error.  The answer
 * lives until the next call; seconds are for the caller to fill in.  ERR_INVALID: the line is no case; ERR_NOMEM. */
ERR_CHECK enum err_code case_run(
    struct case_runner *r, const char *line, size_t size, struct case_answer *ret, struct err *reterr);

/* Unix seconds.  False: not a time. */
bool case_time(const char *text, double *ret);

#endif
