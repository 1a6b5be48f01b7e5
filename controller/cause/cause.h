/* controller/cause/cause.h: which service is the root cause, from whatever there is of metrics, traces, logs, a service
 * graph and things that changed.
 *
 * Owns: one inquiry, and the model (constants and calibration, model.h).  Pure: no clock, no file; a time is a number
 * like another.  One inquiry belongs to one thread.  Memory is bounded by the limits below; names and texts are copied.
 *
 * How it ranks.  Each kind of evidence is made local first, so that what a service suffers from others does not count
 * against it:
 *  - a metric by how far it moved from when all was well, in units of its own spread (after BARO, Pham et al. 2024);
 *    latency and errors less what the services that it calls explain;
 *  - over a graph with numbers of requests, by the time and the errors that a service adds itself, as a share of all
 *    that was added;
 *  - a trace by the time in a service itself, by the time between caller and callee, and by the call after which
 *    operations break off (event patterns after Nezha, Yu et al. 2023);
 *  - logs by templates that are new or come more often.
 * Weights of the kinds are logarithms of strength and add up. */
#ifndef KEDGE_CONTROLLER_CAUSE_CAUSE_H
#define KEDGE_CONTROLLER_CAUSE_CAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

enum {
	CAUSE_SERVICES_MAX = 4096,     /* a fleet's services and what they call */
	CAUSE_EDGES_MAX = 65536,       /* each of them calls a handful */
	CAUSE_SERIES_MAX = 65536,      /* a dozen a service */
	CAUSE_SPANS_MAX = 1024 * 1024, /* of a window: minutes of a busy system; 40 MiB, thrice that while summed up */
	CAUSE_OPERATIONS_MAX = 32768,  /* of a window: beyond are ids mistaken for names; they count as one a service */
	CAUSE_NAME_MAX = 512,          /* bytes; longer names are cut */
	CAUSE_WINDOWS_MAX = 64,        /* earlier windows to compare with */
	CAUSE_LOG_LINES_MAX = 4 * 1024 * 1024,
};

/* What a metric measures. */
enum cause_class {
	CAUSE_OTHER,
	CAUSE_LATENCY,
	CAUSE_ERRORS,
	CAUSE_SUCCESS, /* high is good: availability, success rate */
	CAUSE_CPU,
	CAUSE_MEMORY,
	CAUSE_DISK,
	CAUSE_NETWORK,
	CAUSE_TRAFFIC,
	CAUSE_CLASS_COUNT
};
struct cause_meaning {
	enum cause_class class;
	bool outward;    /* of calls that the service makes ("client latency"): others' doing */
	bool cumulative; /* may be a counter that only grows */
	bool mean;       /* of all requests, as its name says */
	double quantile; /* 0..1 of a distribution, 1 its maximum; 0: not one */
};
/* From the general words and units in its name.  Knows no system. */
struct cause_meaning cause_meaning_of(const char *metric);
const char *cause_class_name(enum cause_class class);

/* ---- traces ---- */

struct cause_span {
	const char *trace, *span, *parent; /* parent NULL or "": a root */
	const char *service, *operation;
	double start, duration; /* in one unit, whichever */
};
struct trace_window; /* what a time span's traces look like; small once closed */
ERR_CHECK enum err_code trace_window_new(struct trace_window **ret, struct err *reterr);
void trace_window_free(struct trace_window *w); /* NULL is a no-op */
/* ERR_LIMIT, ERR_NOMEM.  A span that is not a number or has no service is passed over. */
ERR_CHECK enum err_code trace_window_add(struct trace_window *w, const struct cause_span *s, struct err *reterr);
/* No more spans: sums up and forgets them. */
ERR_CHECK enum err_code trace_window_close(struct trace_window *w, struct err *reterr);

/* ---- one inquiry ---- */

struct cause;
ERR_CHECK enum err_code cause_new(struct cause **ret, struct err *reterr);
void cause_free(struct cause *c); /* NULL is a no-op */

/* A service that may be the cause, even if nothing more is told of it. */
ERR_CHECK enum err_code cause_service(struct cause *c, const char *service, struct err *reterr);
/* caller calls callee.  A service that calls itself and an edge told twice say nothing. */
ERR_CHECK enum err_code cause_calls(struct cause *c, const char *caller, const char *callee, struct err *reterr);
/* Where it was noticed, and on which metric (or NULL): only what it depends on is suspected then. */
ERR_CHECK enum err_code cause_alert(struct cause *c, const char *service, const char *metric, struct err *reterr);

struct cause_series {
	const char *service, *metric;
	const double *before; /* while all was well; NaN: no value */
	size_t before_count;
	const double *settled; /* just before, which may be another day's level; or NULL */
	size_t settled_count;
	const double *during;
	size_t during_count;
};
/* A series of which nothing can be said (empty, all NaN) is passed over.  ERR_LIMIT, ERR_NOMEM. */
ERR_CHECK enum err_code cause_series_add(struct cause *c, const struct cause_series *s, struct err *reterr);

/* At most CAUSE_WINDOWS_MAX of `before` are looked at, the last ones; all closed.  Adds the calls seen to the graph. */
ERR_CHECK enum err_code cause_traces(struct cause *c, const struct trace_window *const *before, size_t before_count,
    const struct trace_window *during, struct err *reterr);

/* A line, with or without its header; `during`: of the time of the fault, else of before. */
ERR_CHECK enum err_code cause_log_line(
    struct cause *c, const char *service, const char *text, size_t size, bool during, struct err *reterr);

/* Anything else that speaks for a service: weight in the unit of the others (1 weak, 3 clear, 6 overwhelming). */
ERR_CHECK enum err_code cause_evidence(
    struct cause *c, const char *service, double weight, const char *text, struct err *reterr);

enum cause_kind {
	CAUSE_BY_METRIC,
	CAUSE_BY_SYMPTOM,
	CAUSE_BY_FLOW,
	CAUSE_BY_TRACE,
	CAUSE_BY_LOG,
	CAUSE_BY_TOLD,
	CAUSE_KIND_COUNT
};
const char *cause_kind_name(enum cause_kind kind);
struct cause_ranked {
	const char *service;
	double score;                         /* the sum of what follows */
	double weight[CAUSE_KIND_COUNT];      /* strongest of each kind */
	const char *reason[CAUSE_KIND_COUNT]; /* in words, or NULL */
};
struct cause_verdict {                     /* borrowed from the inquiry */
	const struct cause_ranked *ranked; /* every service, best first */
	size_t count;
	double confidence; /* that the first is right; calibrated (model.h) */
	bool abstained;    /* nothing speaks for anything: the order is by who calls most, the confidence what that is
			    * worth */
};
/* Once, at the end. */
ERR_CHECK enum err_code cause_conclude(struct cause *c, struct cause_verdict *ret, struct err *reterr);
/* Of the constants and the calibration. */
extern const char cause_model_version[];

#endif
