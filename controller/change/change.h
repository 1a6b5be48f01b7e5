/* controller/change/change.h: change requests, their approvals, and the standing policies.
 *
 * A change holds a plan (shared/message/order.h); approvals are OpenSSH signatures over the plan's digest, checked here
 * at the door and again by every host.  Types: standard (covered by a standing policy, made by a person), normal
 * (approvals needed before it may begin), emergency (one approval, or a standing policy alone; reviewed within 24
 * hours).  Pure: only the turn.
 *
 *   REQUESTED -> APPROVED -> IMPLEMENTING -> VALIDATING -> COMPLETED
 *        |          |             |              |-> FAILED
 *        |          |-> CANCELLED |-> FAILED
 *        |-> REJECTED | CANCELLED | EXPIRED */
#ifndef KEDGE_CONTROLLER_CHANGE_CHANGE_H
#define KEDGE_CONTROLLER_CHANGE_CHANGE_H

#include "controller/audit/audit.h"

enum {
	CHANGE_APPROVALS_NORMAL = 2, /* two people besides the author */
	CHANGE_APPROVALS_EMERGENCY = 1,
	CHANGE_WAIT_MS = 24 * 3600 * 1000,   /* an unapproved change expires */
	CHANGE_REVIEW_MS = 24 * 3600 * 1000, /* an emergency change is reviewed within this */
};

enum change_kind { CHANGE_STANDARD, CHANGE_NORMAL, CHANGE_EMERGENCY, CHANGE_KIND_COUNT };
extern const struct enum_type change_class_enum;
enum change_state {
	CHANGE_REQUESTED,
	CHANGE_APPROVED,
	CHANGE_IMPLEMENTING,
	CHANGE_VALIDATING,
	CHANGE_COMPLETED,
	CHANGE_FAILED,
	CHANGE_REJECTED,
	CHANGE_CANCELLED,
	CHANGE_EXPIRED,
	CHANGE_STATE_COUNT
};
extern const struct enum_type change_state_enum;

struct change {               /* table change_request */
	struct id change;     /* KEY */
	uint64_t number;      /* INDEXED: CHG-7 */
	uint32_t kind, state; /* state INDEXED */
	struct id incident;   /* INDEXED; zero: none */
	const char *service;
	const char *title, *reason;
	const char *requested_by; /* operator, or "policy <name>" */
	uint64_t requested_ms, approved_ms, began_ms, ended_ms, expires_ms;
	const struct plan *plan;
	struct digest plan_digest;
	const char *policy; /* the standing policy that covers it, or NULL */
	uint32_t approvals_needed;
	struct id rollback; /* once implementing */
	uint32_t outcome;   /* enum order_outcome once ended */
	uint64_t review_due_ms, reviewed_ms;
	const char *reviewed_by, *review_text;
	uint64_t moved_ms; /* when the state last changed */
	const char *text;  /* why it ended so */
};
struct change_approval {      /* table change_approval */
	struct id change;     /* KEY */
	const char *approver; /* KEY: operator */
	bool rejected;
	const char *signature; /* armored SSHSIG over the plan's digest */
	const char *reason;
	uint64_t at_ms;
};
struct change_implementation { /* table change_implementation: what was done */
	struct id change;      /* KEY */
	struct id rollback;
	uint64_t began_ms, ended_ms;
	uint32_t hosts, hosts_ok;
	uint32_t outcome;
};
struct change_validation { /* table change_validation: what proved it */
	struct id change;  /* KEY */
	uint64_t at_ms;
	bool digests_match, healthy;
	struct list evidence; /* strings: host, probe, time */
};
struct standing_policy {  /* table policy */
	const char *name; /* KEY */
	const struct signed_policy *signed_document;
	const struct policy *policy; /* parsed from the document */
	uint64_t installed_ms;
	const char *installed_by;
};
extern const struct record_type change_type, change_approval_type, change_implementation_type, change_validation_type,
    standing_policy_type;
extern const struct table change_table, change_approval_table, change_implementation_table, change_validation_table,
    policy_table;
/* The keys of every enabled operator who may approve, with their owners' names, in the turn's arena (opaque to most
 * callers). */
struct approval_keys;
ERR_CHECK enum err_code change_keys(struct turn *t, struct approval_keys *ret, struct err *reterr);

extern const struct record_type *const change_types[];
extern const struct table *const change_tables[];

/* A change for a plan (its ids and times already set).  Fills id, number, digest, deadline; state REQUESTED; audited.
 * A standard change, or an emergency one with a policy, must name a policy that covers the plan: ERR_DENIED else. */
ERR_CHECK enum err_code change_request(struct turn *t, const struct actor *who, struct change *c, struct err *reterr);
/* An operator says yes with a signature over the plan's digest (approval_message) by one of their keys.  The author's
 * own word does not count: ERR_DENIED.  When the last one needed is there the change is APPROVED. */
ERR_CHECK enum err_code change_approve(struct turn *t, const struct actor *who, struct id change, const char *signature,
    struct change *ret, struct err *reterr);
ERR_CHECK enum err_code change_reject(struct turn *t, const struct actor *who, struct id change, const char *reason,
    struct change *ret, struct err *reterr);
ERR_CHECK enum err_code change_cancel(struct turn *t, const struct actor *who, struct id change, const char *reason,
    struct change *ret, struct err *reterr);
ERR_CHECK enum err_code change_review(struct turn *t, const struct actor *who, struct id change, const char *text,
    struct change *ret, struct err *reterr);
/* Steps of the recovery that implements it. */
ERR_CHECK enum err_code change_began(
    struct turn *t, struct id change, struct id rollback, uint32_t hosts, struct err *reterr);
ERR_CHECK enum err_code change_validating(struct turn *t, struct id change, struct err *reterr);
ERR_CHECK enum err_code change_implementing(
    struct turn *t, struct id change, struct err *reterr); /* the next wave is out */
ERR_CHECK enum err_code change_ended(struct turn *t, struct id change, enum order_outcome outcome,
    const struct change_validation *proof, uint32_t hosts_ok, const char *text, struct err *reterr);
#define CHANGE_TIMER_EXPIRY "change.expiry"
/* *ret_mine false for other timers. */
ERR_CHECK enum err_code change_on_timer(struct turn *t, const struct timer *timer, bool *ret_mine, struct err *reterr);

ERR_CHECK enum err_code change_get(
    struct turn *t, struct id change, struct change *ret, bool *ret_found, struct err *reterr);
/* The approvals as the hosts want them (struct approval). */
ERR_CHECK enum err_code change_approvals(struct turn *t, struct id change, struct list *ret, struct err *reterr);

/* Policies.  Installing checks that the document parses, is not expired, and that an operator with the approver's role
 * signed it. */
ERR_CHECK enum err_code policy_install(struct turn *t, const struct actor *who, const struct signed_policy *doc,
    struct standing_policy *ret, struct err *reterr);
ERR_CHECK enum err_code policy_remove(struct turn *t, const struct actor *who, const char *name, struct err *reterr);
ERR_CHECK enum err_code policy_get(
    struct turn *t, const char *name, struct standing_policy *ret, bool *ret_found, struct err *reterr);
/* What is to happen without a person: a rollback of components, or an action by its name. */
struct policy_wish {
	enum order_kind kind;
	const char *service, *action;
	struct list hosts, components; /* names, enum component */
	enum severity severity;        /* of the incident */
	double confidence;             /* of the diagnosis */
	const char *first;             /* of a rollback: an action that is run before it, or NULL */
};
/* The first policy (by name), still signed by people who may, that lets it happen, or *ret_found false and *ret_why
 * saying what stood in the way. */
ERR_CHECK enum err_code policy_find(struct turn *t, const struct policy_wish *wish, struct standing_policy *ret,
    bool *ret_found, const char **ret_why, struct err *reterr);

#endif
