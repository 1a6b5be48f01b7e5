/* shared/message/order.h: plans, approvals, standing policies and orders: what may change a host, and by whose word.
 *
 * A plan names everything that a rollback will do, or which action that hosts declare is to be run on which of them;
 * people approve its digest (SHA-256 of its canonical msgpack) with an OpenSSH signature (SSHSIG, namespace
 * "kedge-plan").  A standing policy is a plan for later, signed beforehand (namespace "kedge-policy", over the exact
 * bytes of its YAML).  Every changing order carries the plan and one of the two; the keeper checks them against keys
 * pinned in its own agent.yaml.  The controller's key is not among them. */
#ifndef KEDGE_SHARED_MESSAGE_ORDER_H
#define KEDGE_SHARED_MESSAGE_ORDER_H

#include "shared/message/types.h"

enum {
	PLAN_HOSTS_MAX = 1024,                 /* the largest fleet; a plan of it is some 100 KiB */
	PLAN_WAVES_MAX = 64,                   /* one host, then doubling, reaches any fleet in eleven */
	PLAN_APPROVALS_MAX = 8,                /* more signatures than anybody asks for */
	PLAN_SIGNATURE_MAX = 4096,             /* an armored SSHSIG of an RSA-4096 key is about 1.6 KiB */
	PLAN_LIFETIME_MAX_MS = DAY_MS,         /* a plan approved and forgotten must not run next week */
	ORDER_RUN_LIMIT_MAX_MS = DAY_MS,       /* the longest restore that still counts as one act */
	AUTHOR_MAX_BYTES = NAME_MAX_BYTES + 7, /* "policy " and its name */
	POLICY_BYTES_MAX = 16384,              /* a policy is read by the people who sign it */
	POLICY_NAMES_MAX = 64,                 /* services or hosts that one policy names; globs for more */
	POLICY_COOL_DOWN_MAX_MS = 7 * DAY_MS,
};

struct plan_host { /* host's name, its wave from 0, its target restore point (UNDO: the safety snapshot) */
	const char *host;
	uint32_t wave;
	struct id snapshot;
	struct digest
	    precondition; /* precondition_digest() of what was seen there when the plan was made; zero: any state */
};
struct plan {
	struct id plan;
	struct id rollback; /* the fleet-wide object it belongs to */
	uint32_t kind;      /* ORDER_ROLLBACK, ORDER_UNDO or ORDER_ACTION */
	const char *service;
	const char *action;     /* ORDER_ACTION: its name in the hosts' agent.yaml; else NULL */
	const char *first;      /* ORDER_ROLLBACK: an action of the service that each host runs before it; or NULL */
	struct list components; /* enum component; empty for an action */
	struct list hosts;      /* struct plan_host, sorted by name */
	bool progressive;       /* may go on to older restore points until probes pass */
	bool deep;              /* prove with the deep probes too */
	bool cross_schema;      /* also where a component that stays has another schema now than it had then */
	uint64_t run_limit_ms;  /* once begun on a host, the longest it may take there before it is undone; 0: the order
				   says */
	uint64_t wave_gap_ms;   /* wave n may not begin earlier than not_before + n * gap by the host's clock */
	uint64_t not_before_ms, expires_ms;
	const char *reason;
	const char *author; /* operator or "policy <name>" */
};

/* One person's word on a plan. */
struct approval {
	const char *approver;
	const char *signature;
	uint64_t at_ms;
}; /* armored SSHSIG */

/* A signed standing policy: which changes need no person at 3 a.m. */
struct policy {
	const char *name;
	struct list services;    /* names or globs */
	struct list hosts;       /* names or globs; empty: all */
	struct list components;  /* what may be rolled back */
	struct list actions;     /* names or globs of actions that may be run */
	uint32_t least_severity; /* of the incident */
	double least_confidence; /* of the diagnosis, 0..1 */
	bool progressive;        /* its plans may go on to older restore points */
	uint32_t max_hosts;      /* of one plan */
	uint32_t max_per_hour;   /* per service, fleet-wide */
	uint64_t cool_down_ms;   /* after an automatic rollback of the service */
	uint64_t expires_ms;     /* the policy itself */
	const char *reason;
};
struct signed_policy {
	struct bytes document;
	struct list approvals;
}; /* the YAML, byte for byte, and struct approval over it */

struct order {
	struct id order;
	uint32_t kind;
	uint64_t epoch;                 /* fencing: a keeper obeys no lower one than it has seen */
	uint64_t issued_ms, expires_ms; /* after expires_ms it must not begin */
	uint64_t run_limit_ms;          /* as the plan says, where it says so */
	const char *host;
	const char *service;
	struct list components; /* enum component; empty: all declared */
	struct id snapshot; /* target (ROLLBACK, VERIFY), what undo_of replaced (UNDO: its safety snapshot), or zero */
	struct id undo_of;  /* the order to undo */
	struct digest precondition; /* as the plan says of this host */
	struct id incident, change, rollback;
	const char *issuer;
	const char *reason;
	bool deep;               /* as the plan says */
	const struct plan *plan; /* changing orders only */
	struct list approvals;   /* struct approval over plan_digest */
	const struct signed_policy *policy;
};

/* Does it change a host: a rollback, an undo, an action?  Such an order carries a plan. */
bool order_is_changing(enum order_kind kind);

extern const struct record_type plan_host_type, plan_type, approval_type, policy_type, signed_policy_type, order_type;

/* SHA-256 of the canonical msgpack. */
ERR_CHECK enum err_code plan_digest(const struct plan *p, struct digest *ret, struct err *reterr);
/* What a plan is made on: one digest of the live states (by enum component) of those of `components` (bits) that change
 * only when somebody changes them: configuration and code.  Data and databases change by being used, which is no reason
 * to ask again. Zero where none of them is among `components`. */
ERR_CHECK enum err_code precondition_digest(
    const struct digest live[COMPONENT_COUNT], uint32_t components, struct digest *ret, struct err *reterr);

#endif
