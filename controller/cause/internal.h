/* controller/cause/internal.h: what the files of this folder share. */
#ifndef KEDGE_CONTROLLER_CAUSE_INTERNAL_H
#define KEDGE_CONTROLLER_CAUSE_INTERNAL_H

#include "controller/cause/cause.h"
#include "shared/base/arena.h"
#include "shared/base/map.h"

/* ---- a closed window of traces (traces.c) ---- */

enum trace_part { TRACE_SELF, TRACE_BETWEEN }; /* time in an operation itself; time between a call and its service */
struct trace_feature {
	uint64_t key; /* the same for the same thing in every window */
	enum trace_part part;
	const char *service, *other, *operation; /* other: the service called, of TRACE_BETWEEN */
	size_t count;
	double high, spread;
};
struct trace_operation {
	uint64_t key;
	const char *service, *operation;
	size_t count;
	const char *callee; /* the other service that it calls most, or NULL */
	size_t callee_count;
	size_t first_last, last_count; /* its part of lasts[] */
};
struct trace_last { /* of `count` of the operation's spans the last call within was this, of `calls` of it in all */
	uint64_t operation, child; /* child 0: none */
	size_t count, calls;
};
struct trace_edge {
	const char *caller, *callee;
};
struct trace_summary { /* each sorted by key */
	struct trace_feature *features;
	size_t feature_count;
	struct trace_operation *operations;
	size_t operation_count;
	struct trace_last *lasts;
	size_t last_count;
	struct trace_edge *edges;
	size_t edge_count;
	double whole; /* mean duration of a root */
};
const struct trace_summary *trace_window_summary(const struct trace_window *w);
const struct trace_feature *trace_feature_find(const struct trace_summary *s, uint64_t key);
const struct trace_operation *trace_operation_find(const struct trace_summary *s, uint64_t key);
/* How often `child` was called, and was the last call, within the operation; NULL: never. */
const struct trace_last *trace_last_find(
    const struct trace_summary *s, const struct trace_operation *o, uint64_t child);

/* ---- an inquiry ---- */

struct series { /* a metric, summed up */
	size_t service;
	const char *metric;
	struct cause_meaning m;
	uint64_t kin; /* metrics of one name over services */
	size_t count; /* of values before */
	double level, spread;
	double high_before, low_before, high, low; /* stats_high(), stats_low() */
	double excess, lack;                       /* means of what is above, below the usual by more than its spread */
	double mean;                               /* during */
	bool gone;                                 /* had values before, has none now */
	double z; /* how far it moved in a harmful direction, in spreads; by series_judge() */
	bool fell;
};
struct ends { /* neighbours of a service: a part of one array */
	size_t first, count;
};
enum visit_state { VISIT_NONE, VISIT_OPEN, VISIT_DONE };
struct service {
	enum visit_state state; /* while the graph is gone through */
	const char *name;
	struct ends callees, callers;
	double weight[CAUSE_KIND_COUNT];
	const char *reason[CAUSE_KIND_COUNT];
	double slight;                   /* strongest z of all its series, at most 1: breaks ties */
	double latency, waiting, errors; /* strongest z */
	const struct series *latency_series, *errors_series;
	bool measured, has_resources; /* has series; some of them of cpu, memory, disk, network */
	bool view;                    /* of the whole, not a service */
	bool reached;                 /* from where the alarm was, or nobody said where */
};
struct edge {
	size_t caller, callee;
};
struct logs;
struct cause {
	struct arena *arena;
	struct map *names; /* -> index + 1 */
	struct map *calls; /* the edges, each once */
	struct service *services;
	size_t service_count, service_room;
	struct edge *edges;
	size_t edge_count, edge_room;
	size_t told_edges; /* of them by cause_calls(), not seen in traces */
	size_t *neighbours;
	bool *back; /* of the callees in it: calls that close a circle */
	struct series *series;
	size_t series_count, series_room;
	struct logs *logs;
	size_t alert; /* index + 1 */
	enum cause_class alert_class;
	bool alert_unread; /* its metric's name says nothing: nor will, it seems, the others' */
};

ERR_CHECK enum err_code cause_index(struct cause *c, const char *service, size_t *ret, struct err *reterr);
ERR_CHECK enum err_code cause_edge(
    struct cause *c, const char *caller, const char *callee, bool *ret_new, struct err *reterr);
/* Keeps the strongest of its kind; the text is copied. */
void cause_weigh(struct cause *c, size_t service, enum cause_kind kind, double weight, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The callees and callers of each service become parts of c->neighbours. */
ERR_CHECK enum err_code cause_neighbours(struct cause *c, struct err *reterr);

ERR_CHECK enum err_code series_judge(struct cause *c, struct err *reterr); /* series.c: each by itself */
bool series_is_resource(const struct series *s);
void series_weigh(struct cause *c, bool symptoms); /* resources; and latency, errors */
ERR_CHECK enum err_code flow_weigh(struct cause *c, bool *ret_done, struct err *reterr); /* flow.c */
void logs_weigh(struct cause *c);                                                        /* logs.c */
void logs_free(struct logs *l);

#endif
