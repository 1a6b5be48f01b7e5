/* controller/recovery/recovery.h: fleet-wide rollbacks, wave by wave, and the brakes.
 *
 * Owns the tables rollback, order, storage_hold, system_restoration, drill, reach, brakes.  A rollback implements an
 * approved change. Its plan fixes hosts, waves and restore points.  For each host of a wave one order goes out; the
 * next wave begins only when every host of this one ended well and is proven healthy by evidence newer than the order's
 * end: no evidence is a failure.  Orders are records first, are sent again until the host answers, and end in a named
 * outcome whatever happens: every state has a deadline. Functions tell what happened; the caller (center/workflow.c)
 * ties it to incidents and notifications. Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_RECOVERY_RECOVERY_H
#define KEDGE_CONTROLLER_RECOVERY_RECOVERY_H

#include "controller/change/change.h"
#include "controller/health/health.h"

enum {
	ORDER_RESEND_MS = 5 * 1000, /* an order without an answer is sent again */
	ORDER_BEGIN_MS = 60 * 1000, /* and must have begun within this */
	ORDER_GRACE_MS = 30 * 1000, /* more than hosts' clocks may differ by (FLEET_SKEW_MAX_MS) and a report takes */
	ORDER_RUN_MS = 15 * 60 * 1000,     /* "everything in fifteen minutes" */
	ROLLBACK_PROVE_MS = 2 * 60 * 1000, /* health must be proven within this after a wave's last order */
	ROLLBACK_ASK_MS = 5 * 1000,        /* who has not proven it by then is asked to look, again and again */
	ROLLBACK_BREAKER_PERCENT =
	    50, /* automation stops when more of the fleet's placements are down or without evidence … */
	ROLLBACK_BREAKER_LEAST = 5, /* … and the fleet has at least this many */
	ROLLBACK_COOL_DOWN_MS = 30 * 60 * 1000,
	ROLLBACK_AUTOMATIC_HOSTS = 5, /* RULES R20: larger ones need a person */
	STORAGES_MAX = 256,           /* shared storages with a limit of their own */
	STORAGE_RESTORES_MAX = 1024,  /* a limit above the largest fleet is none */
};

/* How much a storage that hosts share bears. */
struct storage_limit {
	const char *name; /* as hosts declare it */
	uint32_t restores;
};

struct recovery_config {
	struct fleet_config fleet;
	uint64_t bake_ms; /* a wave's hosts must still be healthy this long after its last order; default 10 s */
	/* The same where configuration alone was put back; 0: half of bake_ms.  A service reads its configuration when
	 * it starts: what is wrong with that shows in the first looks, while code also fails by being used. */
	uint64_t bake_config_ms;
	uint64_t wave_gap_ms; /* plans: least time between waves, checked by each host */
	/* RULES R16: so many hosts at most, of all rollbacks together, restore from one shared storage at once; 0: no
	 * limit.  What stands in `storages` has its own. */
	uint32_t storage_restores;
	struct list storages;   /* struct storage_limit */
	const char *controller; /* its name, as issuer */
};
extern const struct record_type storage_limit_type, recovery_config_type;

enum rollback_state { ROLLBACK_RUNNING, ROLLBACK_PROVING, ROLLBACK_HALTED, ROLLBACK_ENDED, ROLLBACK_STATE_COUNT };
extern const struct enum_type rollback_state_enum;

struct rollback_host {
	const char *host;
	uint32_t wave;
	struct id snapshot, order;
	const char *storage; /* what it restores from and others share, as it declared when this began; NULL: none */
	uint32_t outcome;    /* enum order_outcome; OPEN before its wave too */
	bool proven;         /* healthy by evidence newer than the end of its order */
	bool digests_match;
	bool better;     /* it helped, and what still fails had failed before: another fault */
	bool judged_bad; /* what was put back was in place and looked at, and did not pass */
	uint64_t ended_ms;
	uint64_t host_ended_ms; /* the same by the host's own clock */
	const char *text;
};
struct rollback {                   /* table rollback */
	struct id rollback;         /* KEY */
	uint64_t number;            /* INDEXED: RB-3 */
	uint32_t state;             /* INDEXED */
	uint32_t outcome;           /* enum order_outcome */
	uint32_t kind;              /* ORDER_ROLLBACK, ORDER_UNDO or ORDER_ACTION */
	struct id change, incident; /* INDEXED */
	const char *service;        /* INDEXED */
	const char *action;         /* ORDER_ACTION: its name */
	struct list components;
	struct list hosts;     /* struct rollback_host */
	uint32_t wave, waves;  /* the one that is out, and how many there are */
	const char *waits_for; /* RUNNING: hosts of the wave wait until this storage has room; NULL: none do */
	uint64_t began_ms, wave_began_ms, ended_ms;
	uint64_t deadline_ms; /* PROVING: given up then; HALTED: its plan ends then */
	bool automatic;
	bool cancelling;
	const char *text;
};
struct order_record {       /* table order */
	struct id order_id; /* KEY */
	struct id rollback; /* INDEXED; zero: a single order (snapshot, verify, probe) */
	const char *host;   /* INDEXED */
	const char *service;
	uint32_t kind;
	uint32_t outcome; /* INDEXED */
	const struct order *order;
	uint32_t sends;
	uint64_t asked_ms, sent_ms, accepted_ms, ended_ms;
	uint64_t said_ms;  /* when what it last told was so, by its own clock */
	struct list steps; /* struct order_step */
	struct id safety_snapshot;
	struct id ended_on; /* a progressive one that went on to an older restore point than the order's */
	bool digests_match, healthy, better;
	bool cancelling; /* what is sent (again) is its cancellation */
	const char *text;
	const char *asked_by;
};
struct storage_hold { /* table storage_hold: the place of an order that was given up, whose host may restore still */
	struct id order_id;         /* KEY */
	const char *storage, *host; /* INDEXED */
	uint64_t until_ms;          /* the host goes on with nothing after it */
};
struct restoration {        /* table system_restoration: one host brought back, for ever */
	struct id order_id; /* KEY */
	struct id rollback, snapshot;
	const char *host, *service;
	struct list components;
	uint64_t began_ms, took_ms;
	uint32_t outcome;
	bool digests_match, healthy;
};
struct drill {               /* table drill: the last restore that a host practised of a service */
	const char *service; /* KEY */
	const char *host;    /* KEY, INDEXED */
	struct id snapshot;
	uint64_t at_ms, took_ms;
	bool ok, checked;
	uint64_t proven_ms; /* when one last went well; 0: never */
	const char *text;
	struct list components; /* struct component_drill */
};
struct reach_record {        /* table reach: how far a service of a host can be brought back beyond restore points;
				controller's clock */
	const char *service; /* KEY */
	const char *host;    /* KEY, INDEXED */
	uint64_t at_ms;      /* when that was told */
	uint32_t archive;    /* enum archive_state */
	uint64_t covered_ms;
	bool copies;
	uint64_t copied_ms, copied_point_ms;
	const char *text;
};
struct trouble {                           /* table trouble: what is wrong with a way back, or was */
	const char *host, *service, *what; /* KEY; service "-": of the host itself */
	uint64_t since_ms, told_ms;
	uint64_t over_ms; /* 0: it lasts */
};
struct brakes {            /* table brakes: one record */
	const char *scope; /* KEY: "fleet" */
	uint64_t epoch;    /* fencing; raised when an operator confirms a restored controller */
	bool observing;    /* commands nothing */
	bool halted;
	const char *by, *reason;
	uint64_t since_ms;
};
extern const struct record_type rollback_host_type, rollback_type, order_record_type, storage_hold_type,
    restoration_type, drill_type, reach_record_type, trouble_type, brakes_type;
extern const struct table rollback_table, order_table, storage_hold_table, restoration_table, drill_table, reach_table,
    trouble_table, brakes_table;
extern const struct record_type *const recovery_types[];
extern const struct table *const recovery_tables[];

/* ---- plans ---- */

struct plan_wish {
	enum order_kind kind; /* ORDER_ROLLBACK, ORDER_UNDO or ORDER_ACTION */
	const char *action;   /* ORDER_ACTION: its name; then no components and no restore point */
	const char *first;    /* ORDER_ROLLBACK: an action that each host runs before it, or NULL */
	struct id undo_of;    /* ORDER_UNDO: the rollback to undo; service, hosts and components are then its own */
	const char *service;
	struct list components; /* enum component; empty: all that the restore point and the host have */
	struct list hosts;      /* names; must not be empty (R4) */
	struct id snapshot;     /* only for one host; zero: each host's last known good before `before_ms` */
	uint64_t before_ms;     /* 0: now */
	bool any_state;         /* do not insist on what is known of the hosts' configuration and code now
				   (plan_host.precondition) */
	bool deep, progressive, cross_schema; /* as in struct plan */
	const char *reason, *author;
};
/* Waves: 1 host, then 1 %, 5 %, 25 %, the rest (at least 1 each).  ERR_NOT_FOUND names a host that has no usable
 * restore point or does not run the service, or does not declare the action; ERR_STATE when nothing differs from the
 * restore point (P8). */
ERR_CHECK enum err_code recovery_plan(struct turn *t, const struct recovery_config *c, const struct plan_wish *wish,
    struct plan *ret, struct err *reterr);

/* For people: the waves of a plan that go out bit by bit, because more of their hosts share a storage than it takes at
 * once.  *ret: const char * lines; in the turn's arena. */
ERR_CHECK enum err_code recovery_plan_notes(
    struct turn *t, const struct recovery_config *c, const struct plan *plan, struct list *ret, struct err *reterr);

/* ---- rollbacks ---- */

enum recovery_event {
	RECOVERY_NOTHING,
	RECOVERY_WAVE,    /* the next wave is out */
	RECOVERY_PROVING, /* all orders of the wave ended well; health must show */
	RECOVERY_ENDED,   /* rollback->outcome says how */
	RECOVERY_EVENT_COUNT
};

/* May recovery_start begin it now?  ERR_STATE when it is not approved, or all is halted or only observed; ERR_BUSY when
 * another rollback of the service runs (names it). */
ERR_CHECK enum err_code recovery_may_start(struct turn *t, const struct change *change, struct err *reterr);
/* Implement an APPROVED change.  Errors as recovery_may_start. */
ERR_CHECK enum err_code recovery_start(struct turn *t, const struct recovery_config *c, struct id change,
    bool automatic, struct rollback *ret, struct err *reterr);
/* May automation act for this incident now?  *ret_why tells what brakes: halt, observing, chain, budget, cool-down,
 * size, breaker. */
ERR_CHECK enum err_code recovery_automatic_allowed(struct turn *t, struct id incident, const char *service,
    const struct policy *policy, size_t hosts, bool *ret_allowed, const char **ret_why, struct err *reterr);
/* *ret (when not RECOVERY_NOTHING) as stored.  A report of an order that is not this host's is ERR_DENIED; one that
 * says what only the controller can know (unreachable) is ERR_INVALID. */
ERR_CHECK enum err_code recovery_on_order_report(struct turn *t, const struct recovery_config *c, const char *host,
    const struct order_report *r, struct rollback *ret, enum recovery_event *ret_event, struct err *reterr);
/* Evidence of health arrived for a placement. */
ERR_CHECK enum err_code recovery_on_health(struct turn *t, const struct recovery_config *c, const char *service,
    struct rollback *ret, enum recovery_event *ret_event, struct err *reterr);
ERR_CHECK enum err_code recovery_on_hello(
    struct turn *t, const char *host, struct err *reterr); /* its open orders are sent again; what holds a place
								  at a storage is cancelled, which it answers */
#define RECOVERY_TIMER_RESEND   "order.resend"
#define RECOVERY_TIMER_DEADLINE "order.deadline"
#define RECOVERY_TIMER_PROVE    "rollback.prove"
#define RECOVERY_TIMER_ROOM     "rollback.room"
#define RECOVERY_TIMER_HELD     "storage.held"
/* *ret_mine false for other timers. */
ERR_CHECK enum err_code recovery_on_timer(struct turn *t, const struct recovery_config *c, const struct timer *timer,
    struct rollback *ret, enum recovery_event *ret_event, bool *ret_mine, struct err *reterr);
/* No further wave; hosts that have not begun are told not to, until they answer; those that have begun finish; nobody
 * waits for health. ERR_STATE: ended already. */
ERR_CHECK enum err_code recovery_cancel(struct turn *t, const struct recovery_config *c, const struct actor *who,
    struct id rollback, const char *reason, struct rollback *ret, enum recovery_event *ret_event, struct err *reterr);
ERR_CHECK enum err_code recovery_get(
    struct turn *t, struct id rollback, struct rollback *ret, bool *ret_found, struct err *reterr);
/* The one of the service that has not ended. */
ERR_CHECK enum err_code recovery_of_service(
    struct turn *t, const char *service, struct rollback *ret, bool *ret_found, struct err *reterr);

/* A single order that changes nothing (snapshot, verify, probe).  ERR_NOT_FOUND: the host does not run the service. */
ERR_CHECK enum err_code recovery_order(struct turn *t, const struct recovery_config *c, const struct actor *who,
    enum order_kind kind, const char *service, const char *host, struct id snapshot, struct order_record *ret,
    struct err *reterr);

/* ---- drills ---- */
enum {
	RECOVERY_PROVEN_MS = 2 * 24 * 3600 * 1000
}; /* longer without a proven restore is too long; hosts practise daily */
/* Kept, and on the trail; a failed one is an event. */
ERR_CHECK enum err_code recovery_on_drill(
    struct turn *t, const struct host *h, const struct drill_report *r, struct err *reterr);
ERR_CHECK enum err_code recovery_drill_get(
    struct turn *t, const char *service, const char *host, struct drill *ret, bool *ret_found, struct err *reterr);

/* ---- beyond restore points ---- */
ERR_CHECK enum err_code recovery_on_reach(
    struct turn *t, const struct host *h, uint64_t at_ms, const struct host_report *r, struct err *reterr);
/* As the board wants it: by the controller's clock.  *ret_found: false when the host told of nothing. */
ERR_CHECK enum err_code recovery_reach_get(
    struct turn *t, const char *service, const char *host, struct reach *ret, bool *ret_found, struct err *reterr);

/* ---- what is wrong with them ---- */
enum trouble_news { TROUBLE_NO_NEWS, TROUBLE_BEGAN, TROUBLE_LASTS, TROUBLE_OVER };
/* It was seen to be so, or not to be so.  Whether that is news: when it begins, again every day, and when it is over;
 * what comes and goes within an hour of being told is one matter.  service NULL: of the host. */
ERR_CHECK enum err_code recovery_trouble(struct turn *t, const struct host *h, const char *service, const char *what,
    bool wrong, enum trouble_news *ret, struct trouble *ret_trouble, struct err *reterr);
/* *ret_ms 0: there is none. */
ERR_CHECK enum err_code recovery_trouble_since(
    struct turn *t, const struct host *h, const char *service, const char *what, uint64_t *ret_ms, struct err *reterr);

/* ---- brakes ---- */
#define BRAKES_EPOCH_MAX                                                                                               \
	(1ull << 48) /* a host that claims more is not believed: a stolen one must not use the numbers up */
ERR_CHECK enum err_code brakes_get(struct turn *t, struct brakes *ret, struct err *reterr);
/* Every connected host is told.  Releasing (either brake) lets halted rollbacks go on: their RECOVERY_TIMER_PROVE falls
 * due at once. */
ERR_CHECK enum err_code brakes_halt(
    struct turn *t, const struct actor *who, bool on, const char *reason, struct err *reterr);
/* Off: an operator confirms that this controller is the one that counts.  If it observed, or if a host has obeyed a
 * higher epoch than this controller's (it began from an empty or an older store), the epoch rises above all of them, so
 * that no other is obeyed any more. */
ERR_CHECK enum err_code brakes_observe(
    struct turn *t, const struct actor *who, bool on, const char *reason, struct err *reterr);

#endif
