/* controller/recovery/recovery.h: fleet-wide rollbacks, wave by wave, and the brakes.
 *
 * A rollback implements an approved change.  Its plan fixes hosts, waves and restore points.  For each host of a wave one order goes out;
 * the next wave begins only when every host of this one ended well and is proven healthy by evidence newer than the order's end: no
 * evidence is a failure.  Orders are records first, resent until the host answers, and end in a named outcome whatever happens: every
 * state has a deadline.  Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_RECOVERY_RECOVERY_H
#define KEDGE_CONTROLLER_RECOVERY_RECOVERY_H

#include "controller/change/change.h"

enum {
	ORDER_RESEND_MS = 5 * 1000,          /* an order without an answer is sent again */
	ORDER_BEGIN_MS = 60 * 1000,          /* and must have begun within this */
	ORDER_RUN_MS = 15 * 60 * 1000,       /* "everything in fifteen minutes" */
	ROLLBACK_PROVE_MS = 2 * 60 * 1000,   /* health must be proven within this after the last order */
	ROLLBACK_BREAKER_PERCENT = 50,       /* automation stops when more of the fleet's placements are unhealthy … */
	ROLLBACK_BREAKER_LEAST = 4,          /* … and there are at least this many */
	ROLLBACK_COOL_DOWN_MS = 30 * 60 * 1000,
	ROLLBACK_AUTOMATIC_HOSTS = 5,        /* RULES R20: larger ones need a person */
};

enum rollback_state { ROLLBACK_RUNNING, ROLLBACK_PROVING, ROLLBACK_HALTED, ROLLBACK_ENDED, ROLLBACK_STATE_COUNT };
extern const struct enum_type rollback_state_enum;

struct rollback_host {
	const char *host;
	uint32_t wave;
	struct id snapshot, order;
	uint32_t outcome;           /* enum order_outcome */
	bool began, proven;         /* proven: healthy by evidence newer than the end of its order */
	uint64_t ended_ms;
	const char *text;
};
struct rollback { /* table rollback */
	struct id rollback;         /* KEY */
	uint64_t number;            /* INDEXED: RB-3 */
	uint32_t state;             /* INDEXED */
	uint32_t outcome;
	struct id change, incident; /* INDEXED */
	const char *service;
	struct list components;
	struct list hosts;          /* struct rollback_host */
	uint32_t wave;              /* the one that is out */
	uint64_t began_ms, wave_began_ms, ended_ms, deadline_ms;
	bool automatic;
	const char *text;
};
struct order_record { /* table order */
	struct id order_id;         /* KEY */
	struct id rollback;         /* INDEXED; zero: a single order (snapshot, verify, probe) */
	const char *host;           /* INDEXED */
	const char *service;
	uint32_t kind;
	uint32_t outcome;           /* INDEXED */
	const struct order *order;
	uint64_t sends, sent_ms, accepted_ms, ended_ms;
	bool cancelling;
	double percent;             /* of the step that runs; as last told */
	struct list steps;          /* struct order_step */
	struct id safety_snapshot;
	bool digests_match, healthy;
	const char *text;
	const char *asked_by;
};
struct restoration { /* table system_restoration: one host brought back, for ever */
	struct id order_id;         /* KEY */
	struct id rollback, snapshot;
	const char *host, *service;
	struct list components;
	uint64_t began_ms, took_ms;
	uint32_t outcome;
	bool digests_match, healthy;
};
struct brakes { /* table brakes: one record */
	const char *scope;          /* KEY: "fleet" */
	uint64_t epoch;             /* fencing; raised when an operator confirms a restored controller */
	bool observing;             /* commands nothing */
	bool halted;
	const char *by, *reason;
	uint64_t since_ms;
};
extern const struct record_type rollback_host_type, rollback_type, order_record_type, restoration_type, brakes_type;
extern const struct table rollback_table, order_table, restoration_table, brakes_table;
extern const struct record_type *const recovery_types[];
extern const struct table *const recovery_tables[];

/* ---- plans ---- */

struct plan_wish {
	enum order_kind kind;        /* ORDER_ROLLBACK or ORDER_UNDO */
	const char *service;
	struct list components;      /* empty: all declared */
	struct list hosts;           /* names; must not be empty (R4) */
	struct id snapshot;          /* for one host; zero: each host's last known good before `before_ms` */
	uint64_t before_ms;
	const char *reason, *author;
};
/* Waves: 1 host, then 1 %, 5 %, 25 %, the rest (at least 1 each).  ERR_NOT_FOUND names a host that has no usable restore point or does not
 * run the service; ERR_STATE when nothing differs from the restore point (P8) unless it is an undo. */
ERR_CHECK enum err_code recovery_plan(struct turn *t, const struct plan_wish *wish, struct plan *ret, struct err *reterr);

/* ---- rollbacks ---- */

/* Implement an APPROVED change.  ERR_STATE when halted, observing, or another rollback of the service runs (names it). */
ERR_CHECK enum err_code recovery_start(struct turn *t, struct id change, bool automatic, struct rollback *ret, struct err *reterr);
/* May automation act for this incident now?  *ret_why tells what brakes: budget, cool-down, chain, breaker, halt. */
ERR_CHECK enum err_code recovery_automatic_allowed(struct turn *t, struct id incident, const char *service, const struct policy *policy,
    uint32_t hosts, bool *ret_allowed, const char **ret_why, struct err *reterr);
ERR_CHECK enum err_code recovery_on_order_report(struct turn *t, const char *host, const struct order_report *r, struct err *reterr);
ERR_CHECK enum err_code recovery_on_progress(struct turn *t, const char *host, const struct progress *p, struct err *reterr);
/* Evidence of health arrived for a placement; a rollback that proves may go on.  *ret_ended is set when it just ended. */
ERR_CHECK enum err_code recovery_on_health(struct turn *t, const char *service, const char *host, struct err *reterr);
ERR_CHECK enum err_code recovery_on_hello(struct turn *t, const char *host, struct err *reterr); /* open orders are sent again */
ERR_CHECK enum err_code recovery_on_boot(struct turn *t, struct err *reterr);
ERR_CHECK enum err_code recovery_on_timer(struct turn *t, const struct timer *timer, struct err *reterr); /* order-resend order-deadline rollback-deadline */
ERR_CHECK enum err_code recovery_cancel(struct turn *t, struct id rollback, const char *by, const char *reason, struct err *reterr);

/* A single order that changes nothing (snapshot, verify, probe). */
ERR_CHECK enum err_code recovery_order(struct turn *t, const char *by, enum order_kind kind, const char *service, const char *host, struct id snapshot,
    struct order_record *ret, struct err *reterr);

/* ---- brakes ---- */
ERR_CHECK enum err_code brakes_get(struct turn *t, struct brakes *ret, struct err *reterr);
ERR_CHECK enum err_code brakes_halt(struct turn *t, bool on, const char *by, const char *reason, struct err *reterr);
ERR_CHECK enum err_code brakes_observe(struct turn *t, bool on, const char *by, const char *reason, struct err *reterr); /* off raises the epoch */

#endif
