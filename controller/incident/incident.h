/* controller/incident/incident.h: one thing that went wrong, from the first sign to the review.
 *
 * Owns the tables incident and error_event (its timeline).  Detected → Acknowledged → Investigating → Identified →
 * Resolving → Resolved → Closed; the state is how far the work is, the acknowledgement (acknowledged_ms) is a person's
 * word and stops the paging.  A step may be passed over forward (what heals itself is Resolved from anywhere),
 * Identified and Resolving fall back to Investigating, Resolved falls back within relapse_ms.  The table of moves
 * stands in state.c. One open incident a service: more hosts join it.  An incident of a service whose dependency has an
 * open one is suppressed_by that one: one page per cause (P33).  A host that is not heard for long is one incident, of
 * the service INCIDENT_OF_HOSTS, whatever runs there; hosts that fell silent together share it; a service that leans on
 * what runs there is suppressed by it.  Every state has a deadline with an escalation or a
 * named end. A host without fresh evidence is not a healthy one: UNKNOWN during the proof begins it anew. Functions
 * tell what happened; the caller notifies (notify/notify.h), starts diagnosis and so on.  Every act is audited and on
 * the timeline. Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_INCIDENT_INCIDENT_H
#define KEDGE_CONTROLLER_INCIDENT_INCIDENT_H

#include "controller/health/health.h"

enum {
	INCIDENT_HOSTS_MAX = 1024,
	INCIDENT_PROBES_MAX = 64,
	INCIDENT_LINKS_MAX = 64, /* changes, rollbacks, related incidents of one incident */
	INCIDENT_NOTE_MAX = TEXT_PAGE_MAX,
	INCIDENT_ENTRIES_MAX = 4096,      /* of one timeline; then only state changes are added */
	INCIDENT_LOOKBACK = 64,           /* newest incidents of a service among which the open one is looked for */
	INCIDENT_TOGETHER_MS = 90 * 1000, /* hosts that fall silent within three default heartbeats have one cause */
	INCIDENT_SUMMARY_MAX = 4000,      /* bytes of prose: a page */
	INCIDENT_SUMMARY_BY_MAX = 160,    /* a model's name */
	INCIDENT_SUMMARY_TRIES = 3,       /* then it has none */
	INCIDENT_SUMMARY_RETRY_MS = 10 * 60 * 1000, /* without an answer: the controller, or whom it asks, was away */
	INCIDENT_REMINDERS_MAX = 7,                 /* reviews asked for before it is closed without one */
};

#define INCIDENT_OF_HOSTS "-" /* in place of a service's name, which this can never be */

struct incident_config {
	uint64_t prove_ms; /* healthy for this long before it counts as resolved; default 2 s */
	uint64_t
	    relapse_ms; /* a fault of one of its hosts this soon after resolving is the same incident; default 30 min */
	uint64_t release_ms; /* after its cause resolved, a suppressed incident gets this long to heal; default 60 s */
	uint64_t review_ms;  /* after resolving; default 24 h */
	/* how long each state may last before somebody is told again; doubles each time, up to 24 h */
	uint64_t detected_ms, acknowledged_ms, investigating_ms, identified_ms,
	    resolving_ms; /* 15 min, 1 h, 1 h, 30 min, 30 min */
	bool summaries;   /* somebody writes them (controller/prose): not of the file */
};

enum incident_state {
	INCIDENT_DETECTED,
	INCIDENT_ACKNOWLEDGED,
	INCIDENT_INVESTIGATING,
	INCIDENT_IDENTIFIED,
	INCIDENT_RESOLVING,
	INCIDENT_RESOLVED,
	INCIDENT_CLOSED,
	INCIDENT_STATE_COUNT
};
extern const struct enum_type
    incident_state_enum; /* detected acknowledged investigating identified resolving resolved closed */

struct incident {
	struct id incident;  /* KEY */
	uint64_t number;     /* INC-<number>; INDEXED */
	uint32_t state;      /* enum incident_state; INDEXED */
	uint32_t severity;   /* enum severity: the worst so far */
	const char *service; /* INDEXED; INCIDENT_OF_HOSTS: of its hosts */
	const char *title;   /* made of names and states only: no text of a host */
	uint32_t health;     /* enum health: worst that its hosts show now */
	struct list hosts;   /* names: every host it ever had */
	struct list failing; /* names: those that are not healthy now */
	struct list probes;  /* names of probes that failed */
	uint64_t fault_ms;   /* when the fault (its last relapse) began, by the first transition */
	uint64_t opened_ms, acknowledged_ms, investigating_ms, identified_ms, resolving_ms, resolved_ms, closed_ms;
	uint64_t state_since_ms;
	const char *acknowledged_by;
	const char *owner;
	struct id diagnosis;
	const char *identified_by; /* who named the cause last: "controller", "operator ada" */
	struct list changes;       /* ids */
	struct list rollbacks;     /* ids */
	struct list related;       /* ids: an earlier one of the service that came back too late to be the same */
	struct id suppressed_by;   /* incident of the dependency that causes it; INDEXED; zero: none */
	uint64_t healthy_since_ms; /* every host healthy since; 0: not so */
	uint32_t relapses;
	uint32_t overdue; /* escalations of the present state */
	uint64_t review_due_ms, reviewed_ms;
	const char *reviewed_by;
	uint32_t reminders;
	const char *resolution; /* one line: how it ended */
	const char *summary; /* prose made by a language model of what is above and the timeline; nothing acts on it */
	const char *summary_by; /* the model */
	uint32_t summary_tries; /* how often it was asked for */
	uint64_t entries;       /* length of the timeline */
};

struct incident_entry {     /* table error_event */
	struct id incident; /* KEY */
	uint64_t sequence;  /* KEY; from 1 */
	uint64_t at_ms;     /* when it happened (the fault itself may lie before the incident) */
	const char *kind;   /* fault opened joined worsened state acknowledged assigned diagnosis change rollback health
			       note relapse review … */
	const char *text;
	const char *actor; /* "operator ada", "controller", "policy night", "host web-1" */
};

extern const struct record_type incident_config_type, incident_type, incident_entry_type;
extern const struct table incident_table, incident_entry_table;
extern const struct record_type *const incident_types[];
extern const struct table *const incident_tables[];

#define INCIDENT_TIMER_STATE   "incident.state"   /* the present state lasts too long */
#define INCIDENT_TIMER_PROVE   "incident.prove"   /* healthy for prove_ms */
#define INCIDENT_TIMER_RELEASE "incident.release" /* its cause resolved release_ms ago */
#define INCIDENT_TIMER_SUMMARY "incident.summary" /* nobody has answered EFFECT_SUMMARISE */
#define INCIDENT_TIMER_REVIEW  "incident.review"  /* the review is due, or relapse is over and it may close */

/* What a call did.  The caller acts on it: see the right column. */
enum incident_event {
	INCIDENT_NOTHING,
	INCIDENT_OPENED,     /* page; diagnose */
	INCIDENT_SUPPRESSED, /* opened under suppressed_by: no page */
	INCIDENT_JOINED,     /* a host was added, same severity: no page */
	INCIDENT_WORSENED,   /* severity rose: page (unless suppressed) */
	INCIDENT_RECOVERED,  /* all its hosts are healthy: INCIDENT_TIMER_PROVE runs */
	INCIDENT_FAULTY,     /* it was recovered but not yet proven, and fails again */
	INCIDENT_RELAPSED,   /* Resolved, and failing again: page; diagnose again */
	INCIDENT_PROVEN,   /* healthy for prove_ms: caller resolves it (incident_resolve) unless a rollback is still at
			      work */
	INCIDENT_RELEASED, /* no longer suppressed and still failing: page as opened; diagnose */
	INCIDENT_OVERDUE,  /* the present state lasts too long: page again */
	INCIDENT_REVIEW_DUE, /* remind the owner */
	INCIDENT_ENDED,      /* closed because nobody reviewed it after INCIDENT_REMINDERS_MAX reminders */
	INCIDENT_EVENT_COUNT
};
extern const struct enum_type incident_event_enum;

/* Severity of a transition; *ret_none: it makes no incident (healthy, maintenance, historic, UNKNOWN that is not yet
 * prolonged). DOWN: high, critical when another service depends on it or every host has it; DEGRADED: medium; UNKNOWN
 * prolonged: medium, high when no host shows anything better. */
ERR_CHECK enum err_code incident_severity(
    struct turn *t, const struct health_transition *tr, enum severity *ret, bool *ret_none, struct err *reterr);

/* A placement moved.  *ret as stored when the event is not INCIDENT_NOTHING. */
ERR_CHECK enum err_code incident_on_transition(struct turn *t, const struct incident_config *c,
    const struct health_transition *tr, struct incident *ret, enum incident_event *ret_event, struct err *reterr);
/* Any INCIDENT_TIMER_*; *ret_mine false for others. */
ERR_CHECK enum err_code incident_on_timer(struct turn *t, const struct incident_config *c, const struct timer *timer,
    struct incident *ret, enum incident_event *ret_event, bool *ret_mine, struct err *reterr);

/* A person opens one by hand (or a rule that is not health).  ERR_EXISTS: the service has an open one, *ret is that. */
ERR_CHECK enum err_code incident_open(struct turn *t, const struct incident_config *c, const struct actor *who,
    const char *service, enum severity severity, const char *title, struct incident *ret, struct err *reterr);
/* A person has it: ERR_STATE once resolved; a second acknowledgement is a no-op (*ret_first false).  Stops paging:
 * caller calls notify_silence. */
ERR_CHECK enum err_code incident_acknowledge(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, struct incident *ret, bool *ret_first, struct err *reterr);
ERR_CHECK enum err_code incident_assign(struct turn *t, const struct actor *who, struct id incident, const char *owner,
    struct incident *ret, struct err *reterr);
/* Moves of the work.  ERR_STATE names the state that it is in; staying in the same state is a no-op. */
ERR_CHECK enum err_code incident_investigate(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, const char *why, struct incident *ret, struct err *reterr);
ERR_CHECK enum err_code incident_identify(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, struct id diagnosis, const char *cause, struct incident *ret, struct err *reterr);
ERR_CHECK enum err_code incident_resolving(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, struct id change, struct id rollback, struct incident *ret, struct err *reterr);
/* By proof (controller, policy) only while every host is healthy (ERR_STATE otherwise); a person may say so in any
 * case.  Sets the review, and RELEASE timers of what it suppressed. */
ERR_CHECK enum err_code incident_resolve(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, const char *resolution, struct incident *ret, struct err *reterr);
/* The review is done; closes a resolved incident. */
ERR_CHECK enum err_code incident_close(struct turn *t, const struct actor *who, struct id incident, const char *review,
    struct incident *ret, struct err *reterr);
/* A person disagrees with Resolved: back to Investigating at any time before it is closed. */
ERR_CHECK enum err_code incident_reopen(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, const char *why, struct incident *ret, struct err *reterr);
ERR_CHECK enum err_code incident_note(
    struct turn *t, const struct actor *who, struct id incident, const char *text, struct err *reterr);
/* INPUT_SUMMARISED: text is prose of a model; kept with an incident that is over and still has none, else a no-op.
 * incident_resolve asks for it (EFFECT_SUMMARISE) where config.summaries says so, a timer again until it came or
 * INCIDENT_SUMMARY_TRIES; what comes back to life forgets it. */
ERR_CHECK enum err_code incident_summarise(
    struct turn *t, struct id incident, const char *text, const char *model, struct err *reterr);
/* One line of the timeline by another part of the chain (diagnosis, change, rollback).  at_ms 0: now.  Not audited: the
 * act itself is. */
ERR_CHECK enum err_code incident_tell(struct turn *t, const struct actor *who, struct id incident, uint64_t at_ms,
    const char *kind, struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

ERR_CHECK enum err_code incident_get(
    struct turn *t, struct id incident, struct incident *ret, bool *ret_found, struct err *reterr);
ERR_CHECK enum err_code incident_by_number(
    struct turn *t, uint64_t number, struct incident *ret, bool *ret_found, struct err *reterr);
/* The open one (before Resolved) of a service. */
ERR_CHECK enum err_code incident_of_service(
    struct turn *t, const char *service, struct incident *ret, bool *ret_found, struct err *reterr);
/* Every incident in a state before Resolved; *ret: struct incident, by id. */
ERR_CHECK enum err_code incident_all_open(struct turn *t, struct list *ret, struct err *reterr);
/* *ret: struct incident_entry in order. */
ERR_CHECK enum err_code incident_timeline(struct turn *t, struct id incident, struct list *ret, struct err *reterr);
static inline bool incident_is_open(const struct incident *i)
{
	return i->state < INCIDENT_RESOLVED;
}
/* Of hosts that are not heard, not of a service. */
bool incident_is_of_hosts(const struct incident *i);
bool incident_move_allowed(enum incident_state from, enum incident_state to);

#endif
