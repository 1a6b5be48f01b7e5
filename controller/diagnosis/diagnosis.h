/* controller/diagnosis/diagnosis.h: what broke, why, how sure, and what to do.
 *
 * Pure: reads a snapshot of the store through a read-only turn and computes.  The analyst runs it on its own thread;
 * the result comes back as an input (INPUT_DIAGNOSED).  Diagnosis selects among declared actions; it never invents one.
 * "Unknown" (abstained) is a legal answer and better than a wrong one. */
#ifndef KEDGE_CONTROLLER_DIAGNOSIS_DIAGNOSIS_H
#define KEDGE_CONTROLLER_DIAGNOSIS_DIAGNOSIS_H

#include "controller/incident/incident.h"

enum {
	DIAGNOSIS_EVIDENCE_MAX = 64,
	DIAGNOSIS_SUSPECTS_MAX = 16,
	DIAGNOSIS_FIXES_MAX = 8,
	DIAGNOSIS_AFFECTED_MAX = 1024,
	PATTERN_HOSTS_MAX = 64,
	PATTERN_KEPT_MAX = 512,               /* of one service; beyond, the longest unseen go */
	PATTERN_SILENCE_MS = 10 * 60 * 1000,  /* a line that was not seen for so long is new when it comes back */
	DIAGNOSIS_WINDOW_MS = 30 * 60 * 1000, /* a change older than this before the failure is a weak suspect */
};

enum evidence_kind {
	EVIDENCE_DRIFT,
	EVIDENCE_LOG,
	EVIDENCE_PROBE,
	EVIDENCE_DEPENDENCY,
	EVIDENCE_METRIC,
	EVIDENCE_HISTORY,
	EVIDENCE_KNOWLEDGE,
	EVIDENCE_KIND_COUNT
};
extern const struct enum_type evidence_kind_enum;
struct evidence {
	uint32_t kind;
	const char *service, *host;
	const char *text;
	double weight;
	uint64_t at_ms;
};

/* Something that may have caused it: a component of a service on a host (or a service as a whole: has_component false).
 */
struct suspect {
	const char *service, *host;
	uint32_t component;
	bool has_component;
	double confidence;   /* 0..1, all suspects and "unknown" sum to at most 1 */
	uint64_t changed_ms; /* when it last changed; 0: it did not */
	const char *run;     /* nothing of it is to be brought back: the declared action that helps; or NULL */
	const char *runbook; /* of the entry that knows it; NULL: none does */
	uint32_t ground;     /* enum evidence_kind: what it is suspected for */
	const char *text;
};
/* FIX_RUN: an action that the hosts declare.  FIX_RESTART, FIX_INVESTIGATE: advice, for a person to follow. */
/* The same thing, whatever is said of it. */
bool suspect_is(const struct suspect *a, const struct suspect *b);
enum fix_action { FIX_NONE, FIX_ROLLBACK, FIX_RESTART, FIX_INVESTIGATE, FIX_RUN, FIX_ACTION_COUNT };
extern const struct enum_type fix_action_enum;
/* Where an estimate of time comes from: a rule of thumb, a practised restore on the hosts, what the same fix took here.
 */
enum estimate { ESTIMATE_ASSUMED, ESTIMATE_DRILL, ESTIMATE_HISTORY, ESTIMATE_COUNT };
extern const struct enum_type estimate_enum;
struct fix {
	uint32_t action;
	uint32_t priority; /* 1 is first */
	const char *service;
	struct list hosts; /* names */
	const char *run;   /* FIX_RUN: the declared action's name */
	const char *first; /* FIX_ROLLBACK: a declared action that is run before it, so that there is room; or NULL */
	struct list components;
	struct id snapshot;    /* when one host: its restore point */
	uint64_t estimated_ms; /* with its proof of health, but where it is practised only: learning.h */
	uint32_t estimate;     /* enum estimate */
	uint32_t risk;         /* enum severity */
	const char *text;
	struct list commands;                      /* what a person would type */
	uint64_t tried, worked;                    /* how often it was tried here, and worked */
	double success, success_low, success_high; /* the rate to expect, and where it lies nine times in ten */
};
struct diagnosis {
	struct id diagnosis; /* KEY */
	struct id incident;  /* INDEXED */
	uint64_t at_ms, took_ms;
	const char *root_cause; /* one sentence */
	bool abstained;
	double share;      /* of the first suspect, of 1 */
	double confidence; /* how often a first suspect with such a share is the true cause: knowledge/calibration.h */
	bool has_error_class;          /* error lines were there, and it is rather this than not */
	uint32_t error_class;          /* enum error_class: what kind of error the cause's lines tell of */
	double error_class_confidence; /* that the line is of that class: knowledge/model.h */
	struct list suspects;          /* best first */
	struct list alternatives;      /* struct suspect: those of other causes than the first's */
	struct list affected;          /* names of services that depend on the cause */
	struct list evidence;          /* heaviest first */
	struct list fixes;
	const char *runbook; /* the page that tells the whole way (`kedge runbook show NAME`), or NULL */
	const char *model;   /* version of rules and calibration */
	bool final;          /* a first hypothesis may be replaced by a final one */
};
/* A log template of a service, over all its hosts: table error_pattern. */
struct error_pattern {
	const char *service;  /* KEY */
	uint64_t template_id; /* KEY; the same on every host */
	const char *template_text;
	uint32_t severity;          /* enum log_severity */
	uint64_t first_ms, last_ms; /* controller's clock */
	uint64_t again_ms;          /* seen again then, after PATTERN_SILENCE_MS; 0: it never fell silent */
	uint64_t count;
	struct list hosts; /* names, at most PATTERN_HOSTS_MAX */
	const char *last_host;
	const char *sample; /* redacted twice: by the keeper and at this door */
};
extern const struct record_type evidence_type, suspect_type, fix_type, diagnosis_type, error_pattern_type;
extern const struct table diagnosis_table, error_pattern_table; /* error_diagnosis, error_pattern */
extern const struct record_type *const diagnosis_types[];
extern const struct table *const diagnosis_tables[];

/* A host's log report: new and repeated patterns.  h as fleet_on_report left it. */
ERR_CHECK enum err_code diagnosis_on_log_report(
    struct turn *t, const struct host *h, const struct log_report *r, struct err *reterr);
/* Patterns of a service that were first seen (again, after a silence) at or after since_ms, newest first; *ret: struct
 * error_pattern. */
ERR_CHECK enum err_code diagnosis_new_patterns(
    struct turn *t, const char *service, uint64_t since_ms, struct list *ret, struct err *reterr);
/* Warnings and errors that were last seen at or after since_ms, new or not; newest first. */
ERR_CHECK enum err_code diagnosis_patterns_seen(
    struct turn *t, const char *service, uint64_t since_ms, struct list *ret, struct err *reterr);

/* Diagnose an open incident.  Works on a read-only turn; everything in *ret lives in its arena. */
ERR_CHECK enum err_code diagnosis_compute(
    struct turn *read, struct id incident, struct diagnosis *ret, struct err *reterr);
/* Keep a result (in a turn that writes) unless a newer one stands. */
ERR_CHECK enum err_code diagnosis_record(struct turn *t, const struct diagnosis *d, bool *ret_kept, struct err *reterr);
ERR_CHECK enum err_code diagnosis_of_incident(
    struct turn *t, struct id incident, struct diagnosis *ret, bool *ret_found, struct err *reterr);

#endif
