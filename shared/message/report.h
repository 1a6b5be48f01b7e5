/* shared/message/report.h: what a host tells.  Record types only; docs/PROTOCOL.md goes through them one by one.
 *
 * A report carries a per-host sequence, the host's clock, and exactly one body; one without a body stands for a run of
 * reports that were dropped, so that the sequence on the wire has no holes.  The keeper redacts every text before it
 * builds one. */
#ifndef KEDGE_SHARED_MESSAGE_REPORT_H
#define KEDGE_SHARED_MESSAGE_REPORT_H

#include "shared/message/types.h"

enum {
	REPORT_ITEMS_MAX =
	    256, /* probe results, metrics, templates in one report: a frame stays far below MESSAGE_SIZE_MAX */
	REPORT_PATHS_MAX = 32,          /* example paths of a drift */
	REPORT_STEPS_MAX = 64,          /* a progressive rollback of four components takes some forty */
	REPORT_METRICS_MAX = 32,        /* performance data of one probe; a plugin that says more is cut */
	REPORT_TEXT_MAX = 2048,         /* redacted output of a probe or a step: the first lines tell */
	REPORT_UNIT_MAX = 16,           /* "%", "ms", "requests/s" */
	REPORT_SOURCE_MAX = PATH_LIMIT, /* of a log: its path or unit */
};

struct metric {
	const char *name;
	double value;
	const char *unit;
	double warn, critical;
};

struct probe_result {
	const char *probe;
	uint32_t tier;    /* enum probe_tier */
	uint32_t state;   /* this run */
	uint32_t settled; /* after rise and fall counts: what health is computed from */
	uint64_t at_ms;   /* host's wall clock */
	uint64_t took_ms;
	uint64_t since_ms;  /* when `settled` last changed */
	uint64_t passed_ms; /* when a run of it was last good, since the agent began; 0: none was */
	bool gone;          /* what fails is that a process does not run */
	const char *text;   /* redacted */
	struct list metrics;
};
/* All probes of one service whose state is fresh; sent at once on a change and at least every heartbeat. */
struct health_report {
	const char *service;
	struct list results;
	bool changed;
};

/* How far a service's data can be brought back by more than its restore points on the host.  Host's clock. */
struct reach {
	const char *service;
	uint32_t archive;         /* enum archive_state: of its database's log */
	uint64_t covered_ms;      /* every moment up to then can be reached by that; 0: none, or behind a gap */
	bool copies;              /* copies off the host are declared */
	uint64_t copied_ms;       /* every moment up to then is off the host, by the log; 0: none */
	uint64_t copied_point_ms; /* when the newest restore point that is off the host was taken; 0: none */
	const char *text;         /* what is wrong with the archive */
};
struct host_report {
	struct list metrics;
	bool lagging;
	struct list reach;
}; /* the agent's own view of itself and its host */

struct log_template {
	uint64_t template_id; /* hash of the template's text: the same on every host */
	const char *template_text;
	uint32_t severity; /* enum log_severity */
	uint64_t count;    /* since the last report */
	uint64_t first_ms, last_ms;
	const char *sample; /* redacted */
	bool is_new;        /* never seen on this host before */
};
struct log_report {
	const char *service;
	const char *source;
	struct list templates;
	uint64_t lines, dropped;
};

/* A component differs from its last restore point (or no longer does: changed+added+removed = 0). */
struct drift_report {
	const char *service;
	uint32_t component;
	struct id snapshot; /* compared with */
	uint64_t changed, added, removed;
	uint64_t metadata;                        /* those of changed that have another owner, mode or time only */
	uint64_t grown_bytes;                     /* by which it is larger than the restore point */
	uint64_t newest_change_ms;                /* newest ctime among them, host's clock; 0: unknown */
	struct digest digest;                     /* of what is there now */
	struct list paths;                        /* up to REPORT_PATHS_MAX, relative to the component */
	bool checked;                             /* configuration: the service's own check was run on it */
	const char *refused;                      /* and what that had against it; redacted; NULL: nothing */
	bool refused_elsewhere;                   /* that is about a file outside of it, which changed later */
	const char *version_before, *version_now; /* git commit or release, when the component has one */
};

struct component_point { /* one component in a restore point */
	uint32_t component;
	struct digest digest; /* canonical digest of content and metadata */
	uint64_t entries, size_bytes;
	const char *version; /* git commit, release, or NULL */
};
struct snapshot_report {
	struct id snapshot;
	const char *service;
	uint32_t reason;
	uint64_t taken_ms, took_ms;
	uint64_t stored_bytes;  /* new bytes in the repository */
	struct list components; /* struct component_point */
	bool suspect;           /* taken during an incident or as a safety net */
	bool verified;          /* every chunk was read back and authenticated */
	bool damaged;           /* it was read back and is not whole */
	bool removed;           /* pruned: no longer there */
	const char *error;      /* non-NULL: the snapshot failed; nothing was stored */
};

struct order_step {
	uint32_t kind; /* enum step_kind */
	uint32_t component;
	bool has_component;
	uint64_t began_ms, took_ms;
	bool ok;
	const char *text;
};
struct order_report {
	struct id order;
	uint32_t kind; /* enum order_kind */
	const char *service;
	uint32_t outcome; /* ORDER_OPEN: accepted, or a step further */
	uint64_t at_ms;
	struct list steps; /* so far */
	struct id safety_snapshot;
	struct id
	    snapshot; /* a progressive rollback: the restore point that it ended on; zero: no other than asked for */
	struct list components; /* struct component_point: live state after */
	bool digests_match;     /* live state equals the restore point */
	bool healthy;           /* every shallow probe (and deep ones if asked) passed after it */
	bool better; /* not healthy: something passes that had failed before it, and all that fails had failed, too */
	const char *text;    /* why, for people */
	const char *by_hand; /* who did it on the host itself, without an order of the controller's; NULL: nobody did */
};

/* A restore that was practised: nothing live was touched. */
struct component_drill {
	uint32_t component;
	uint64_t entries, size_bytes, took_ms;
};
struct drill_report {
	const char *service;
	struct id snapshot;      /* what was restored; zero: there was none */
	uint64_t at_ms, took_ms; /* took_ms: all of it, with the service's check: the measured RTO */
	bool ok;
	bool checked; /* the service's own check was run over what came back, and passed when ok */
	bool started; /* its database was started from what came back, and answered */
	const char *text;
	uint64_t proven_ms;     /* when one last went well, host's clock; 0: never */
	struct list components; /* struct component_drill */
};

/* What could be brought back now, and how surely: the recovery board, as a host shows it of itself and the controller
 * of all hosts. */
enum archive_state { ARCHIVE_NONE, ARCHIVE_EMPTY, ARCHIVE_OK, ARCHIVE_LATE, ARCHIVE_GAP, ARCHIVE_STATE_COUNT };
extern const struct enum_type archive_state_enum;
struct board_row {
	const char *host, *service;
	uint32_t component;
	struct id snapshot;     /* the newest restore point that holds it and is no safety net; zero: there is none */
	uint64_t taken_ms;      /* when */
	uint64_t rpo_ms;        /* how much would be lost now: its age, or what its database's log does not hold yet */
	uint32_t archive;       /* enum archive_state, of that log */
	bool copies;            /* copies off the host are declared */
	uint64_t copied_ms;     /* what is older is off the host; 0: nothing is */
	uint64_t copied_rpo_ms; /* how much would be lost with the host; 0 with copied_ms 0: everything */
	uint64_t verified_ms;   /* when one of its restore points was last read back whole; 0: never */
	uint64_t drill_ms;      /* when a restore was last practised; 0: never */
	bool drill_ok;
	uint64_t proven_ms; /* when one last went well */
	uint64_t rto_ms;    /* how long that component took then */
	bool overdue;       /* no proven restore for too long */
	const char *text;   /* why the last drill failed */
};

/* What reach says on top of the row's restore point (snapshot, taken_ms, rpo_ms).  Times of both by one clock, now_ms
 * too.  Pure. */
void board_row_reach(struct board_row *row, const struct reach *r, uint64_t now_ms);

/* Something the agent noticed about itself. */
struct notice_report {
	uint32_t severity;
	const char *what;
	const char *text;
	const char *service;
};

/* Exactly one body, but for a report that says what is lost: see through. */
struct report {
	uint64_t sequence; /* per host, from 1, never reused */
	uint64_t through;  /* 0: itself alone.  Else sequence..through were dropped (a full spool) and will never come:
			      no body */
	uint64_t at_ms;    /* host's wall clock when it was made */
	uint32_t importance;
	const struct health_report *health;
	const struct host_report *host;
	const struct log_report *log;
	const struct drift_report *drift;
	const struct snapshot_report *snapshot;
	const struct order_report *order;
	const struct notice_report *notice;
	const struct drill_report *drill;
};

extern const struct record_type metric_type, probe_result_type, health_report_type, reach_type, host_report_type,
    log_template_type, log_report_type, drift_report_type, component_point_type, snapshot_report_type, order_step_type,
    order_report_type, notice_report_type, component_drill_type, drill_report_type, board_row_type, report_type;

#endif
