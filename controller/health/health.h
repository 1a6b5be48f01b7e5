/* controller/health/health.h: from probe results to HEALTHY, DEGRADED, DOWN, MAINTENANCE, UNKNOWN.
 *
 * Owns the tables service_health, health_history, health_metric, health_trend, maintenance.  No fresh evidence is never
 * shown as healthy: every placement with probes has a timer, and two heartbeats without a report make it UNKNOWN.  An
 * overloaded agent is UNKNOWN, never DOWN. A probe's settled state decides; how slow an answer may be is the probe's
 * own slow_ms and thus part of that.  The limits below judge what probes measure (response, errors, cpu, memory, disk)
 * where the probe declares no limit of its own. Each function that can move a state appends what moved to a list of
 * struct health_transition; the caller acts on those (incidents). Replayed reports fill history and give transitions
 * marked `historic`, which move no state and page nobody. Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_HEALTH_HEALTH_H
#define KEDGE_CONTROLLER_HEALTH_HEALTH_H

#include "controller/fleet/fleet.h"

enum {
	HEALTH_HISTORIC_MS =
	    90 * 1000,            /* a report older than this (three default heartbeats) was spooled through a break */
	HEALTH_HISTORY_MAX = 128, /* transitions kept of one placement */
	HEALTH_SAMPLES_MAX = 120, /* values kept of one metric: an hour of heartbeats */
	HEALTH_SAMPLE_EVERY_MS = 10 * 1000, /* … no closer than this: reports on a change must not push the past out */
	HEALTH_METRICS_MAX = 64,            /* metrics kept of one placement */
	HEALTH_TREND_MAX = 168,             /* values kept of one metric beside those, one an hour: a week */
	HEALTH_TREND_EVERY_MS = 3600 * 1000,
	HEALTH_BREACH_RUNS =
	    2, /* reports in a row with a metric beyond its limit before it counts: a spike is not a state */
	HEALTH_LOOK_EVERY_MS = 5 * 1000,   /* a host is not asked again to look at a service before this */
	HEALTH_LOOK_ANSWER_MS = 12 * 1000, /* an answer is waited for at least so long, and where the host does not say
					      how long its probes take */
	HEALTH_LOOK_TRAVEL_MS = 2 * 1000,  /* the question and the answer on their way, each behind others */
	HEALTH_LOOK_ANSWER_MAX_MS = 60 * 1000, /* and no longer: a page waits for it */
	HEALTH_TRANSITIONS_MAX =
	    8192, /* of one call: a silent host runs HELLO_SERVICES_MAX services, a window covers a whole service */
};
#define HEALTH_FORECAST_MAX_MS    (90ull * 24 * 3600 * 1000) /* a week of history says nothing of a later day */
#define HEALTH_MAINTENANCE_MAX_MS (7ull * 24 * 3600 * 1000)  /* a window always ends; longer work opens another */

struct health_config {
	uint64_t heartbeat_ms; /* as fleet_config; default 30 s */
	uint64_t
	    unknown_patience_ms; /* UNKNOWN for this long is told as a transition again, `prolonged`; default 5 min */
	/* A forecast whose near end is this close is told to people, and again only after it has receded to twice that;
	 * default 24 h. */
	uint64_t forecast_ms;
	/* The same of what is counted in days, as the life of a certificate: who has to renew it wants longer to do so;
	 * default 21 d.  What is renewed earlier than that is never told. */
	uint64_t forecast_days_ms;
	/* DEGRADED beyond; a limit that the probe itself declares for the metric wins. */
	double response_ms;    /* 1000 */
	double errors_percent; /* 1 */
	double cpu_percent;    /* 80 */
	double memory_percent; /* 85 */
	double disk_percent;   /* 90 */
};

struct service_health {
	const char *service; /* KEY */
	const char *host;    /* KEY, INDEXED */
	uint32_t state;      /* enum health: what is shown; INDEXED */
	uint64_t since_ms;
	const char *reason; /* for people; PHI as probe texts */
	const char *probe;  /* which decided, or NULL */
	uint32_t measured;  /* enum health: what the evidence says (state differs during MAINTENANCE) */
	uint64_t measured_since_ms;
	uint64_t evidence_ms;    /* when the last report came */
	uint64_t asked_ms;       /* when its host was last asked to look now; 0: never */
	uint64_t asked_after_ms; /* the newest run of its probes that was known then, by the host's clock: what ran
				    later answers */
	bool stale;              /* UNKNOWN because evidence stopped */
	bool prolonged;          /* UNKNOWN for longer than unknown_patience_ms */
	uint32_t breaches;       /* reports in a row with a metric beyond its limit */
	uint64_t maintenance_until_ms; /* 0: none */
	struct list results;           /* struct probe_result */
};

struct maintenance {         /* a window over one service, or one of its hosts */
	const char *service; /* KEY */
	const char *host;    /* KEY; "*": every host */
	uint64_t from_ms, until_ms;
	const char *by, *reason;
};

struct health_change {
	uint64_t at_ms;
	uint32_t state;
	const char *reason;
	bool historic;
};
struct health_history {
	const char *service, *host;
	struct list changes;
}; /* KEY, KEY; struct health_change by time */
struct health_sample {
	uint64_t at_ms;
	double value;
};
struct health_metric {
	const char *service, *host, *metric;
	const char *unit;
	struct list samples;
	/* Of a trend whose metric has a limit and moves towards it: when it gets there, nine times in ten; 0: not in
	 * sight. latest_ms 0: perhaps never. */
	uint64_t earliest_ms, likely_ms, latest_ms;
	uint64_t told_ms; /* when it was told that this is near; 0: it is not */
}; /* KEY ×3 ("probe.metric"); service "-": the host's own; health_trend has the same for the longer run */

struct health_transition {
	const char *service, *host;
	enum health from, to;
	const char *reason, *probe;
	uint64_t since_ms; /* when it began, controller's clock */
	bool historic;     /* replayed: history only */
	bool prolonged;    /* no change: still UNKNOWN after unknown_patience_ms */
	bool gone;         /* to UNKNOWN because the host does not run it any more: nothing to wait for */
};
/* Grows in the turn's arena. */
struct health_transitions {
	struct health_transition *items;
	size_t count, capacity;
	struct list near; /* struct health_metric: their limits have just come near, people are to be told */
};

extern const struct record_type health_change_type, health_sample_type;
extern const struct record_type health_config_type, service_health_type, maintenance_type, health_history_type,
    health_metric_type, health_trend_type, health_forecast_type;
extern const struct table service_health_table, maintenance_table, health_history_table, health_metric_table,
    health_trend_table;
/* The trends as they are read for people, without their samples; nothing is written by it. */
extern const struct table health_forecast_table;
extern const struct record_type *const health_types[];
extern const struct table *const health_tables[];

#define HEALTH_TIMER_STALE       "health.stale"       /* name: "service/host" */
#define HEALTH_TIMER_UNKNOWN     "health.unknown"     /* name: "service/host" */
#define HEALTH_TIMER_MAINTENANCE "health.maintenance" /* name: "service/host" or "service/" + "*" */

/* What the evidence alone says.  reason lives in arena. */
struct health_verdict {
	enum health state;
	const char *reason, *probe;
	bool breach; /* only a metric's limit, no probe, is behind it */
};
ERR_CHECK enum err_code health_judge(const struct health_config *c, const struct list *results, bool lagging,
    struct arena *arena, struct health_verdict *ret, struct err *reterr);

/* After a hello: placements that are new start UNKNOWN with a deadline; those no longer declared lose their record (a
 * transition `gone`). */
ERR_CHECK enum err_code health_on_hello(struct turn *t, const struct health_config *c, const char *host,
    struct health_transitions *out, struct err *reterr);
/* INPUT_BOOT: evidence deadlines restart, so that the controller's own absence pages nobody (P34). */
ERR_CHECK enum err_code health_on_boot(struct turn *t, const struct health_config *c, struct err *reterr);
/* h as fleet_on_report left it; at_ms of the report on the host's clock. */
ERR_CHECK enum err_code health_on_report(struct turn *t, const struct health_config *c, const struct host *h,
    uint64_t at_ms, const struct health_report *r, struct health_transitions *out, struct err *reterr);
/* The agent's view of itself: lagging, and metrics of the host into history. */
ERR_CHECK enum err_code health_on_host_report(struct turn *t, const struct health_config *c, const struct host *h,
    uint64_t at_ms, const struct host_report *r, struct health_transitions *out, struct err *reterr);
/* Ask the host to run the service's probes now (deep: those of the deeper tiers too) and to report.  No promise: a
 * question that is lost is asked again by who still needs the answer.  *ret_asked false: it was asked within
 * HEALTH_LOOK_EVERY_MS, is not connected, or its agent is too old to know the question. */
ERR_CHECK enum err_code health_look(
    struct turn *t, const char *service, const char *host, bool deep, bool *ret_asked, struct err *reterr);
/* Was a host of the service asked, or doubted, a moment ago, and has it not said yet how the service is? */
ERR_CHECK enum err_code health_is_asked(struct turn *t, const char *service, bool *ret, struct err *reterr);
/* As health_on_silent, and told at once as a transition `prolonged`: something that leans on the host fails, so nobody
 * waits for unknown_patience_ms. */
ERR_CHECK enum err_code health_on_unheard(struct turn *t, const struct health_config *c, const char *host,
    struct health_transitions *out, struct err *reterr);
/* The host is silent, barred or revoked: nothing is known of what it runs. */
ERR_CHECK enum err_code health_on_silent(struct turn *t, const struct health_config *c, const char *host,
    const char *why, struct health_transitions *out, struct err *reterr);
/* Any HEALTH_TIMER_*; *ret_mine false for others. */
ERR_CHECK enum err_code health_on_timer(struct turn *t, const struct health_config *c, const struct timer *timer,
    struct health_transitions *out, bool *ret_mine, struct err *reterr);

/* host "*" or NULL: every host.  ERR_INVALID: until_ms not after now or beyond HEALTH_MAINTENANCE_MAX_MS.  Starting
 * again moves the end. */
ERR_CHECK enum err_code health_maintenance_start(struct turn *t, const struct health_config *c, const struct actor *who,
    const char *service, const char *host, uint64_t until_ms, const char *reason, struct health_transitions *out,
    struct err *reterr);
/* ERR_NOT_FOUND. */
ERR_CHECK enum err_code health_maintenance_end(struct turn *t, const struct health_config *c, const struct actor *who,
    const char *service, const char *host, struct health_transitions *out, struct err *reterr);
/* When the windows over (service, host) end; 0: there is none.  host NULL: over the whole service. */
ERR_CHECK enum err_code health_maintenance_until(
    struct turn *t, const char *service, const char *host, uint64_t *ret_until_ms, struct err *reterr);

/* Every record of a host; *ret: struct service_health. */
ERR_CHECK enum err_code health_of_host(struct turn *t, const char *host, struct list *ret, struct err *reterr);
ERR_CHECK enum err_code health_get(struct turn *t, const char *service, const char *host, struct service_health *ret,
    bool *ret_found, struct err *reterr);
/* Where a metric is full or used up, known by its unit: percentages at 100 (rising), days left and free bytes at 0.
 * False: it has no limit that one could know. */
bool health_metric_limit(const struct health_metric *m, double *ret, bool *ret_rising);
/* What is kept of the metrics of a placement, or of a host itself (service "-"), by name; table: &health_metric_table
 * (the last hour) or &health_trend_table (the last week); *ret: struct health_metric, samples by time. */
ERR_CHECK enum err_code health_metrics(struct turn *t, const struct table *table, const char *service, const char *host,
    struct list *ret, struct err *reterr);
/* Over all its placements: the worst of DOWN, DEGRADED, UNKNOWN, MAINTENANCE, HEALTHY; UNKNOWN without any. */
struct health_summary {
	enum health worst;
	uint32_t hosts, by_state[HEALTH_COUNT];
};
ERR_CHECK enum err_code health_of_service(
    struct turn *t, const char *service, struct health_summary *ret, struct err *reterr);

#endif
