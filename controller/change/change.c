/* controller/change/change.c: the life of a change request. */
#include "controller/change/change.h"

#include <assert.h>
#include <stdio.h>

#include "controller/access/access.h"
#include "shared/approval/approval.h"
#include "shared/base/text.h"

static const uint16_t allowed[CHANGE_STATE_COUNT] = {
    /* state -> set of next states */
    [CHANGE_REQUESTED] = 1u << CHANGE_APPROVED | 1u << CHANGE_REJECTED | 1u << CHANGE_CANCELLED | 1u << CHANGE_EXPIRED,
    [CHANGE_APPROVED] = 1u << CHANGE_IMPLEMENTING | 1u << CHANGE_CANCELLED | 1u << CHANGE_EXPIRED | 1u << CHANGE_FAILED,
    [CHANGE_IMPLEMENTING] =
	1u << CHANGE_VALIDATING | 1u << CHANGE_FAILED | 1u << CHANGE_COMPLETED | 1u << CHANGE_CANCELLED,
    [CHANGE_VALIDATING] =
	1u << CHANGE_IMPLEMENTING | 1u << CHANGE_COMPLETED | 1u << CHANGE_FAILED | 1u << CHANGE_CANCELLED,
};

static enum err_code put(struct turn *t, const struct change *c, struct err *reterr)
{
	return turn_put(t, &change_table, c, reterr);
}

static enum err_code move(struct turn *t, struct change *c, enum change_state next, struct err *reterr)
{
	if (!(allowed[c->state] & 1u << next))
		return err_set(reterr, ERR_STATE, "change CHG-%llu is %s: it cannot become %s",
		    (unsigned long long)c->number, enum_name(&change_state_enum, c->state),
		    enum_name(&change_state_enum, next));
	c->state = next;
	c->moved_ms = turn_now_ms(t);
	if (next != CHANGE_REQUESTED && next != CHANGE_APPROVED) {
		enum err_code rc = turn_timer_clear(t, CHANGE_TIMER_EXPIRY, c->change, NULL, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return put(t, c, reterr);
}

static enum err_code audit(struct turn *t, const struct actor *who, const struct change *c, const char *action,
    const char *text, struct err *reterr)
{
	char object[ID_TEXT_MAX];
	struct audit_entry e = {.actor = who->kind,
	    .actor_name = who->name,
	    .address = who->address,
	    .action = action,
	    .object_kind = "change",
	    .object = id_format(ID_CHANGE, c->change, object),
	    .incident = c->incident,
	    .change = c->change,
	    .text = text};
	return audit_append(t, &e, reterr);
}

enum err_code change_get(struct turn *t, struct id change, struct change *ret, bool *ret_found, struct err *reterr)
{
	struct change key = {.change = change};
	return turn_get(t, &change_table, &key, ret, ret_found, reterr);
}

/* The change, or an error for people. */
static enum err_code fetch(struct turn *t, struct id change, struct change *ret, struct err *reterr)
{
	bool found;
	enum err_code rc = change_get(t, change, ret, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no change %s: `kedge change list` shows what there is",
		    id_text(ID_CHANGE, change));
	return rc;
}

/* People whose word counts. */
enum err_code change_keys(struct turn *t, struct approval_keys *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct ssh_key *keys = arena_array(turn_arena(t), APPROVAL_KEYS_MAX, sizeof *keys);
	size_t count = 0;
	struct operator o;
	if (!keys)
		return err_set(reterr, ERR_NOMEM, "out of memory for operators' keys");
	enum err_code rc = turn_scan_key(t, &operator_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &o, &rc, reterr)) {
		bool may;
		rc = access_has_role(t, o.name, ROLE_APPROVER, &may, reterr);
		if (rc != ERR_OK || !may)
			continue;
		for (size_t i = 0; i < o.keys.count && count < APPROVAL_KEYS_MAX; i++) {
			if (ssh_key_parse(LIST_AT(o.keys, const char *, i), &keys[count], NULL) != ERR_OK)
				continue; /* a kind that hosts would not take either */
			text_copy(keys[count].owner, sizeof keys[count].owner, o.name);
			count++;
		}
	}
	if (rc == ERR_OK)
		*ret = (struct approval_keys){.keys = keys, .count = count, .needed = 1};
	return rc;
}

static enum err_code approved(
    struct turn *t, const struct actor *who, struct change *c, const char *text, struct err *reterr)
{
	c->approved_ms = turn_now_ms(t);
	enum err_code rc = move(t, c, CHANGE_APPROVED, reterr);
	return rc == ERR_OK ? audit(t, who, c, "change.approved", text, reterr) : rc;
}

/* A change that rests on a policy: does it cover the plan?  The incident was judged by who asked (policy_find). */
static enum err_code covered(struct turn *t, const struct change *c, struct err *reterr)
{
	struct standing_policy p;
	bool found;
	enum err_code rc = policy_get(t, c->policy, &p, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found)
		return err_set(reterr, ERR_NOT_FOUND,
		    "no standing policy %s: `kedge change policies` shows what there is", c->policy);
	struct approval_keys keys;
	if ((rc = change_keys(t, &keys, reterr)) != ERR_OK)
		return rc;
	struct list none = {0};
	struct fleet_rules rules = {&keys, SEVERITY_CRITICAL, 1.0, turn_now_ms(t)};
	char why[APPROVAL_TEXT_MAX];
	enum verdict v = plan_authorised(c->plan, &none, p.signed_document, &rules, turn_arena(t), why);
	return v == VERDICT_AUTHORISED
		   ? ERR_OK
		   : err_set(reterr, ERR_DENIED, "policy %s does not cover this plan: %s", c->policy, why);
}

enum err_code change_request(struct turn *t, const struct actor *who, struct change *c, struct err *reterr)
{
	assert(c->plan && c->kind < CHANGE_KIND_COUNT);
	enum err_code rc = turn_number(t, "change", &c->number, reterr);
	if (rc != ERR_OK || (rc = plan_digest(c->plan, &c->plan_digest, reterr)) != ERR_OK)
		return rc;
	if (id_is_zero(c->change))
		c->change = turn_id(t);
	c->state = CHANGE_REQUESTED;
	c->service = c->plan->service;
	c->requested_ms = c->moved_ms = turn_now_ms(t);
	c->expires_ms = c->plan->expires_ms ? c->plan->expires_ms : turn_now_ms(t) + CHANGE_WAIT_MS;
	c->approvals_needed = c->policy                     ? 0
			      : c->kind == CHANGE_EMERGENCY ? CHANGE_APPROVALS_EMERGENCY
							    : CHANGE_APPROVALS_NORMAL;
	if (c->kind == CHANGE_STANDARD && !c->policy)
		return err_set(reterr, ERR_DENIED,
		    "a standard change needs a standing policy that covers it; ask for a normal one instead");
	if (c->kind == CHANGE_EMERGENCY)
		c->review_due_ms = turn_now_ms(t) + CHANGE_REVIEW_MS;
	if (c->policy && (rc = covered(t, c, reterr)) != ERR_OK)
		return rc;
	if ((rc = put(t, c, reterr)) != ERR_OK ||
	    (rc = turn_timer_set(t, CHANGE_TIMER_EXPIRY, c->change, NULL, c->expires_ms, reterr)) != ERR_OK ||
	    (rc = audit(t, who, c, "change.request", c->title, reterr)) != ERR_OK)
		return rc;
	return c->policy ? approved(t, who, c, arena_printf(turn_arena(t), "covered by standing policy %s", c->policy),
			       reterr)
			 : ERR_OK;
}

static enum err_code open_for_decision(
    struct turn *t, const struct actor *who, struct id change, struct change *ret, struct err *reterr)
{
	enum err_code rc = fetch(t, change, ret, reterr);
	if (rc == ERR_OK && ret->state != CHANGE_REQUESTED)
		rc = err_set(reterr, ERR_STATE, "change CHG-%llu is %s: there is nothing to decide",
		    (unsigned long long)ret->number, enum_name(&change_state_enum, ret->state));
	bool may = false;
	if (rc == ERR_OK && (rc = access_has_role(t, who->name, ROLE_APPROVER, &may, reterr)) == ERR_OK && !may)
		rc = err_set(reterr, ERR_DENIED, "operator %s does not hold the role approver", who->name);
	return rc;
}

static enum err_code decision(struct turn *t, const struct actor *who, const struct change *c,
    const struct change_approval *a, struct err *reterr)
{
	enum err_code rc = turn_put(t, &change_approval_table, a, reterr);
	if (rc != ERR_OK)
		return rc;
	return audit(t, who, c, a->rejected ? "change.reject" : "change.approve", a->reason, reterr);
}

enum err_code change_approve(struct turn *t, const struct actor *who, struct id change, const char *signature,
    struct change *ret, struct err *reterr)
{
	struct change c;
	struct approval_keys keys;
	enum err_code rc = open_for_decision(t, who, change, &c, reterr);
	if (rc != ERR_OK || (rc = change_keys(t, &keys, reterr)) != ERR_OK)
		return rc;
	if (text_equal(c.requested_by, who->name))
		return err_set(reterr, ERR_DENIED, "CHG-%llu is your own change: somebody else must approve it",
		    (unsigned long long)c.number);
	size_t at;
	char why[APPROVAL_TEXT_MAX];
	enum verdict v = approval_verify(c.plan, signature, &keys, &at, why);
	if (v != VERDICT_AUTHORISED)
		return err_set(reterr, ERR_DENIED, "the approval of CHG-%llu does not count: %s",
		    (unsigned long long)c.number, why);
	if (!text_equal(keys.keys[at].owner, who->name)) /* P53: nobody approves in another's name */
		return err_set(reterr, ERR_DENIED, "that signature was made with a key of %s, not of %s",
		    keys.keys[at].owner, who->name);
	struct change_approval a = {change, who->name, false, signature, NULL, turn_now_ms(t)};
	if ((rc = decision(t, who, &c, &a, reterr)) != ERR_OK)
		return rc;
	struct list all;
	if ((rc = change_approvals(t, change, &all, reterr)) != ERR_OK)
		return rc;
	if (all.count >= c.approvals_needed && (rc = approved(t, who, &c, NULL, reterr)) != ERR_OK)
		return rc;
	*ret = c;
	return ERR_OK;
}

enum err_code change_reject(struct turn *t, const struct actor *who, struct id change, const char *reason,
    struct change *ret, struct err *reterr)
{
	struct change c;
	enum err_code rc = open_for_decision(t, who, change, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	struct change_approval a = {change, who->name, true, NULL, reason, turn_now_ms(t)};
	c.text = reason;
	c.ended_ms = turn_now_ms(t);
	if ((rc = decision(t, who, &c, &a, reterr)) == ERR_OK && (rc = move(t, &c, CHANGE_REJECTED, reterr)) == ERR_OK)
		*ret = c;
	return rc;
}

enum err_code change_cancel(struct turn *t, const struct actor *who, struct id change, const char *reason,
    struct change *ret, struct err *reterr)
{
	struct change c;
	enum err_code rc = fetch(t, change, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	if (c.state != CHANGE_REQUESTED && c.state != CHANGE_APPROVED)
		return err_set(reterr, ERR_STATE,
		    "change CHG-%llu is %s: cancel its rollback instead (`kedge rollback cancel`)",
		    (unsigned long long)c.number, enum_name(&change_state_enum, c.state));
	c.text = reason;
	c.ended_ms = turn_now_ms(t);
	c.outcome = ORDER_CANCELLED;
	if ((rc = move(t, &c, CHANGE_CANCELLED, reterr)) == ERR_OK &&
	    (rc = audit(t, who, &c, "change.cancel", reason, reterr)) == ERR_OK)
		*ret = c;
	return rc;
}

enum err_code change_review(
    struct turn *t, const struct actor *who, struct id change, const char *text, struct change *ret, struct err *reterr)
{
	struct change c;
	enum err_code rc = fetch(t, change, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!c.ended_ms)
		return err_set(reterr, ERR_STATE, "change CHG-%llu is %s: it can be reviewed when it has ended",
		    (unsigned long long)c.number, enum_name(&change_state_enum, c.state));
	c.reviewed_ms = turn_now_ms(t);
	c.reviewed_by = who->name;
	c.review_text = text;
	if ((rc = put(t, &c, reterr)) == ERR_OK && (rc = audit(t, who, &c, "change.review", text, reterr)) == ERR_OK)
		*ret = c;
	return rc;
}

/* ---- steps of the recovery that implements it ---- */

enum err_code change_began(struct turn *t, struct id change, struct id rollback, uint32_t hosts, struct err *reterr)
{
	struct change c;
	enum err_code rc = fetch(t, change, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	c.began_ms = turn_now_ms(t);
	c.rollback = rollback;
	struct change_implementation done = {
	    .change = change, .rollback = rollback, .began_ms = c.began_ms, .hosts = hosts};
	if ((rc = move(t, &c, CHANGE_IMPLEMENTING, reterr)) != ERR_OK)
		return rc;
	return turn_put(t, &change_implementation_table, &done, reterr);
}

/* A no-op where it is there already. */
static enum err_code move_on(struct turn *t, struct id change, enum change_state next, struct err *reterr)
{
	struct change c;
	enum err_code rc = fetch(t, change, &c, reterr);
	if (rc != ERR_OK || c.state == (uint32_t)next)
		return rc;
	return move(t, &c, next, reterr);
}

enum err_code change_validating(struct turn *t, struct id change, struct err *reterr)
{
	return move_on(t, change, CHANGE_VALIDATING, reterr);
}
enum err_code change_implementing(struct turn *t, struct id change, struct err *reterr)
{
	return move_on(t, change, CHANGE_IMPLEMENTING, reterr);
}

/* Every outcome has its state; success only where state and health are proven. */
static enum change_state end_state(enum order_outcome outcome)
{
	switch (outcome) {
	case ORDER_OK:
	case ORDER_OK_WITH_EXCEPTIONS:
		return CHANGE_COMPLETED;
	case ORDER_CANCELLED:
		return CHANGE_CANCELLED;
	default:
		return CHANGE_FAILED;
	}
}

enum err_code change_ended(struct turn *t, struct id change, enum order_outcome outcome,
    const struct change_validation *proof, uint32_t hosts_ok, const char *text, struct err *reterr)
{
	struct change c;
	enum err_code rc = fetch(t, change, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	c.outcome = outcome;
	c.ended_ms = turn_now_ms(t);
	c.text = text;
	struct change_implementation done = {.change = change};
	bool found;
	if ((rc = move(t, &c, end_state(outcome), reterr)) != ERR_OK ||
	    (rc = turn_put(t, &change_validation_table, proof, reterr)) != ERR_OK ||
	    (rc = turn_get(t, &change_implementation_table, &done, &done, &found, reterr)) != ERR_OK)
		return rc;
	if (found) {
		done.ended_ms = c.ended_ms;
		done.outcome = outcome;
		done.hosts_ok = hosts_ok;
		if ((rc = turn_put(t, &change_implementation_table, &done, reterr)) != ERR_OK)
			return rc;
	}
	return audit(t, &actor_controller, &c, "change.ended", enum_name(&order_outcome_enum, outcome), reterr);
}

enum err_code change_on_timer(struct turn *t, const struct timer *timer, bool *ret_mine, struct err *reterr)
{
	*ret_mine = text_equal(timer->kind, CHANGE_TIMER_EXPIRY);
	struct change c;
	bool found = false;
	enum err_code rc = *ret_mine ? change_get(t, timer->id, &c, &found, reterr) : ERR_OK;
	if (rc != ERR_OK || !found || (c.state != CHANGE_REQUESTED && c.state != CHANGE_APPROVED))
		return rc;
	c.ended_ms = turn_now_ms(t);
	c.outcome = ORDER_EXPIRED;
	c.text = c.state == CHANGE_REQUESTED ? "nobody approved it in time" : "it was approved but not begun in time";
	if ((rc = move(t, &c, CHANGE_EXPIRED, reterr)) != ERR_OK)
		return rc;
	return audit(t, &actor_controller, &c, "change.expired", c.text, reterr);
}

enum err_code change_approvals(struct turn *t, struct id change, struct list *ret, struct err *reterr)
{
	struct change_approval key = {.change = change}, a;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct approval *all = arena_array(turn_arena(t), PLAN_APPROVALS_MAX, sizeof *all);
	size_t count = 0;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for approvals");
	enum err_code rc = turn_scan_key(t, &change_approval_table, &key, 1, false, &scan, reterr);
	while (count < PLAN_APPROVALS_MAX && turn_scan_step(&scan, &a, &rc, reterr))
		if (!a.rejected)
			all[count++] = (struct approval){a.approver, a.signature, a.at_ms};
	if (rc == ERR_OK)
		*ret = (struct list){all, count};
	return rc;
}
