/* shared/approval/approval.h: whose word suffices for a change.
 *
 * A host's keeper and the controller both judge with these functions; only the keeper's judgement binds.  What counts
 * is keys: the keeper's are pinned in its own agent.yaml, the controller's are its operators'.  Names in messages are
 * claims and prove nothing.
 *
 * What people sign (namespaces are part of the signature, so that a word for one cannot serve as the other):
 *   kedge-plan    the plan's digest as 64 lower-case hex digits and a newline (approval_message)
 *   kedge-policy  the bytes of the policy's YAML, as they are
 * so `ssh-keygen -Y sign -f KEY -n kedge-plan digest.txt` makes an approval and `ssh-keygen -Y verify` can check one.
 *
 * Pure: time comes as an argument; memory from the arena.  Any thread.  In doubt (no memory, malformed) the answer is
 * no. */
#ifndef KEDGE_SHARED_APPROVAL_APPROVAL_H
#define KEDGE_SHARED_APPROVAL_APPROVAL_H

#include "shared/approval/sshsig.h"
#include "shared/message/order.h"

#define APPROVAL_NAMESPACE_PLAN   "kedge-plan"
#define APPROVAL_NAMESPACE_POLICY "kedge-policy"

enum {
	APPROVAL_KEYS_MAX = 64,          /* keys that one judgement considers */
	APPROVAL_TEXT_MAX = ERR_MSG_MAX, /* a verdict's text, with NUL */
	APPROVAL_MESSAGE_SIZE = 65,      /* 64 hex digits and a newline */
};

enum verdict {
	VERDICT_NOT_CHECKED, /* the order is malformed or there was no memory: no */
	VERDICT_AUTHORISED,
	VERDICT_WRONG_HOST,    /* meant for another host */
	VERDICT_NO_PLAN,       /* a changing order without one */
	VERDICT_PLAN_MISMATCH, /* host, service, kind, components, restore point, rollback, precondition, depth of proof
				  or time limit are not what the plan says */
	VERDICT_EXPIRED,       /* the order's or the plan's time is over */
	VERDICT_TOO_EARLY,     /* the plan, or this host's wave, may not begin yet */
	VERDICT_BAD_SIGNATURE, /* a signature that is needed does not verify */
	VERDICT_TOO_FEW_APPROVERS,    /* the valid ones are not enough */
	VERDICT_POLICY_BAD_SIGNATURE, /* the policy is not signed by enough keys that are trusted here */
	VERDICT_POLICY_UNREADABLE,    /* it is signed, but it is not a policy */
	VERDICT_POLICY_EXPIRED,
	VERDICT_POLICY_DOES_NOT_COVER, /* service, host, components, number of hosts, severity or confidence */
	VERDICT_NOT_AUTOMATIC_HERE,    /* the host's own agent.yaml wants a person for this component */
	VERDICT_COUNT
};
extern const struct enum_type verdict_enum; /* not_checked authorised wrong_host no_plan … */

/* The bytes that an approval of this plan signs (no NUL). */
void approval_message(const struct digest *plan_digest, char out[APPROVAL_MESSAGE_SIZE]);

/* Keys that are trusted, and how many of their owners must agree. */
struct approval_keys {
	const struct ssh_key *keys;
	size_t count;
	uint32_t needed; /* 0 counts as 1 */
};
/* Lines of public keys (list of const char *) into arena; an error says which line. */
ERR_CHECK enum err_code approval_keys_parse(
    const struct list *lines, uint32_t needed, struct arena *arena, struct approval_keys *ret, struct err *reterr);

/* Does one signature, by one of these keys, approve the plan?  AUTHORISED (then *ret_key, if not NULL, is the key's
 * index), BAD_SIGNATURE, TOO_FEW_APPROVERS (the key is not among them, or its owner is the plan's author), NOT_CHECKED.
 */
enum verdict approval_verify(const struct plan *plan, const char *signature, const struct approval_keys *keys,
    size_t *ret_key, char text[APPROVAL_TEXT_MAX]);

/* What somebody wants to do under a policy. */
struct policy_question {
	const char *service;
	enum order_kind kind;   /* a policy covers rollbacks and actions; an undo needs people */
	const char *action;     /* ORDER_ACTION: its name */
	struct list hosts;      /* const char *: every host of the plan */
	struct list components; /* enum component */
	bool judge_incident;    /* compare the next two (the controller); a host does not know them */
	enum severity severity;
	double confidence;
	uint64_t now_ms;
	const char *first; /* ORDER_ROLLBACK: an action that is run before it, or NULL */
};
/* Verifies first, parses then; *ret lives in arena.  AUTHORISED, POLICY_BAD_SIGNATURE, POLICY_UNREADABLE, NOT_CHECKED.
 */
enum verdict policy_open(const struct signed_policy *signed_policy, const struct approval_keys *keys,
    struct arena *arena, struct policy *ret, char text[APPROVAL_TEXT_MAX]);
/* AUTHORISED, POLICY_EXPIRED, POLICY_DOES_NOT_COVER. */
enum verdict policy_covers(
    const struct policy *policy, const struct policy_question *question, char text[APPROVAL_TEXT_MAX]);

/* ---- the two judges ----
 *
 * Approvers are counted by key, and once for each owner; the plan's author does not count.  Signatures by keys that are
 * not known here are passed over.  If the approvals do not suffice and there is a policy, it decides. */

struct host_rules {
	const char *host;                 /* this host's name */
	const struct approval_keys *keys; /* pinned in agent.yaml */
	struct list automatic; /* enum component: what this host lets a policy roll back, of the order's service */
	struct list actions;   /* const char *: the order's service's actions that it lets a policy run */
	uint64_t now_ms;       /* this host's wall clock */
};
/* The keeper's.  An order that changes nothing needs no plan: it is judged by host and time alone.  text (may be NULL)
 * says why, for people. */
enum verdict order_authorised(
    const struct order *order, const struct host_rules *rules, struct arena *arena, char text[APPROVAL_TEXT_MAX]);

struct fleet_rules {
	const struct approval_keys *keys; /* of operators who may approve */
	enum severity severity;           /* of the incident; for a policy */
	double confidence;                /* of the diagnosis, 0..1; for a policy */
	uint64_t now_ms;
};
/* The controller's, over the whole plan, before any order goes out.  approvals: struct approval; policy may be NULL. */
enum verdict plan_authorised(const struct plan *plan, const struct list *approvals, const struct signed_policy *policy,
    const struct fleet_rules *rules, struct arena *arena, char text[APPROVAL_TEXT_MAX]);

#endif
