/* controller/center/verbs_change.c: rollbacks, actions and the changes that carry them; standing policies. */
#include "controller/center/chain.h"
#include "controller/center/verbs.h"
#include "shared/base/text.h"

/* The incident that is given as the reason; *ret zero: none. */
static enum err_code incident_named(struct job *j, struct incident *ret, struct err *reterr)
{
	struct incident i = {0};
	struct id id = {0};
	bool found = true;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK && j->a->incident)
		rc = incident_get(j->t, id, &i, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "there is no incident %s", j->a->incident);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

/* An incident spares a change its second word only while it lasts. */
static enum change_kind kind_of(const struct job *j, const struct incident *i, bool covered)
{
	bool lasts = !id_is_zero(i->incident) && incident_is_open(i);
	return covered ? CHANGE_STANDARD : lasts && !j->a->normal ? CHANGE_EMERGENCY : CHANGE_NORMAL;
}

static enum err_code wish_of(
    struct job *j, enum order_kind kind, struct incident *ret_incident, struct plan_wish *ret, struct err *reterr)
{
	struct plan_wish w = {.kind = kind,
	    .action = kind == ORDER_ACTION ? j->a->name : NULL,
	    .first = kind == ORDER_ROLLBACK ? j->a->first : NULL,
	    .service = j->a->service,
	    .components = j->a->components,
	    .hosts = j->a->hosts,
	    .any_state = j->a->any_state,
	    .deep = j->a->deep,
	    .progressive = j->a->progressive,
	    .cross_schema = j->a->cross_schema,
	    .reason = j->a->text,
	    .author = j->who.name};
	enum err_code rc = ERR_OK;
	if (kind == ORDER_UNDO)
		rc = job_refer(j, &rollback_ref, j->a->rollback, &w.undo_of, reterr);
	else if (j->a->snapshot && !text_equal(j->a->snapshot, "last-good"))
		rc = id_parse(ID_SNAPSHOT, j->a->snapshot, &w.snapshot, reterr);
	if (rc == ERR_OK)
		rc = incident_named(j, ret_incident, reterr);
	if (rc == ERR_OK)
		w.before_ms = ret_incident->fault_ms; /* what was taken since may hold the fault */
	if (rc == ERR_OK)
		*ret = w;
	return rc;
}

/* A person's own word stands in for severity and confidence; hosts, components and budgets are the policy's. */
static enum err_code covering_policy(
    struct job *j, const struct plan *plan, struct standing_policy *ret, bool *ret_found, struct err *reterr)
{
	const char **names = arena_array(turn_arena(j->t), plan->hosts.count, sizeof *names);
	const char *why;
	if (!names)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < plan->hosts.count; i++)
		names[i] = LIST_AT(plan->hosts, struct plan_host, i).host;
	struct list hosts = {names, plan->hosts.count};
	*ret_found = false;
	if (plan->kind == ORDER_UNDO || j->a->normal)
		return ERR_OK;
	struct policy_wish wish = {
	    plan->kind, plan->service, plan->action, hosts, plan->components, SEVERITY_CRITICAL, 1.0, plan->first};
	return policy_find(j->t, &wish, ret, ret_found, &why, reterr);
}

/* Whoever asks for more than one host says how many they mean (RULES R4): a list that grew or shrank on its way, or an
 * undoing that reaches further than they think, is found before anybody signs it. */
static enum err_code is_counted(const struct job *j, const struct plan *plan, struct err *reterr)
{
	size_t n = plan->hosts.count, said = j->a->host_count;
	if (said == n || (!said && n == 1))
		return ERR_OK;
	if (!said)
		return err_set(reterr, ERR_INVALID,
		    "this touches %zu hosts: say how many you mean it to touch (--hosts N, \"host_count\")", n);
	return err_set(reterr, ERR_INVALID,
	    "this touches %zu host%s, not %zu: nothing was asked for; `kedge rollback plan` shows which", n,
	    n == 1 ? "" : "s", said);
}

enum err_code do_rollback_plan(struct job *j, struct err *reterr)
{
	struct plan_wish w;
	struct plan plan;
	struct standing_policy policy;
	struct incident incident;
	bool covered;
	bool undo = j->a->rollback != NULL;
	if (undo == (j->a->service != NULL) || undo == (j->a->hosts.count > 0))
		return err_set(reterr, ERR_INVALID,
		    "rollback plan needs either \"service\" and \"hosts\", or \"rollback\" to see its undoing");
	enum err_code rc = wish_of(j, undo ? ORDER_UNDO : ORDER_ROLLBACK, &incident, &w, reterr);
	w.reason = j->a->text ? j->a->text
			      : "no reason was given yet"; /* a plan without one is none; its digest changes with it */
	if (rc != ERR_OK || (rc = recovery_plan(j->t, &j->c->recovery, &w, &plan, reterr)) != ERR_OK ||
	    (j->a->host_count && (rc = is_counted(j, &plan, reterr)) != ERR_OK) ||
	    (rc = covering_policy(j, &plan, &policy, &covered, reterr)) != ERR_OK)
		return rc;
	enum change_kind kind = kind_of(j, &incident, covered);
	struct plan_answer a = {.plan = arena_dup(turn_arena(j->t), &plan, sizeof plan),
	    .policy = covered ? policy.name : NULL,
	    .approvals_needed = covered                    ? 0
				: kind == CHANGE_EMERGENCY ? CHANGE_APPROVALS_EMERGENCY
							   : CHANGE_APPROVALS_NORMAL};
	if (!a.plan)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rc = plan_digest(&plan, &a.digest, reterr);
	if (rc == ERR_OK)
		rc = recovery_plan_notes(j->t, &j->c->recovery, &plan, &a.notes, reterr);
	return rc == ERR_OK ? job_answer(j, &plan_answer_type, &a, reterr) : rc;
}

/* Begin it if it may; a change that waits for a word is an answer too.  now: an approved one that cannot begin now is
 * an error; else it waits for `change start`, and the approval stands. */
static enum err_code begin_if_approved(struct job *j, struct change *change, bool now, struct err *reterr)
{
	struct rollback r;
	struct rollback_answer a = {0};
	bool found;
	enum err_code rc = ERR_OK;
	if (change->state == CHANGE_APPROVED && (now || recovery_may_start(j->t, change, NULL) == ERR_OK)) {
		if ((rc = chain_begin_change(j->t, j->c, change, false, &r, reterr)) != ERR_OK ||
		    (rc = change_get(j->t, change->change, change, &found, reterr)) != ERR_OK)
			return rc;
		a.rollback = arena_dup(turn_arena(j->t), &r, sizeof r);
	}
	a.change = arena_dup(turn_arena(j->t), change, sizeof *change);
	if (!a.change)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return job_answer(j, &rollback_answer_type, &a, reterr);
}

static enum err_code start_or_undo(struct job *j, enum order_kind kind, struct err *reterr)
{
	struct plan_wish w;
	struct plan *plan = arena_alloc(turn_arena(j->t), sizeof *plan);
	struct standing_policy policy;
	struct change change = {0};
	struct incident incident;
	bool covered;
	enum err_code rc = plan ? wish_of(j, kind, &incident, &w, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK || (rc = recovery_plan(j->t, &j->c->recovery, &w, plan, reterr)) != ERR_OK ||
	    (rc = is_counted(j, plan, reterr)) != ERR_OK ||
	    (rc = covering_policy(j, plan, &policy, &covered, reterr)) != ERR_OK)
		return rc;
	change.kind = kind_of(j, &incident, covered);
	change.incident = incident.incident;
	change.title = arena_printf(turn_arena(j->t), "%s %s",
	    kind == ORDER_UNDO     ? "undo a rollback of"
	    : kind == ORDER_ACTION ? plan->action
				   : "roll back",
	    plan->service);
	change.reason = j->a->text;
	change.requested_by = j->who.name;
	change.plan = plan;
	change.policy = covered ? policy.name : NULL;
	if ((rc = change_request(j->t, &j->who, &change, reterr)) != ERR_OK)
		return rc;
	return begin_if_approved(j, &change, true, reterr);
}

enum err_code do_rollback_start(struct job *j, struct err *reterr)
{
	return start_or_undo(j, ORDER_ROLLBACK, reterr);
}
enum err_code do_rollback_undo(struct job *j, struct err *reterr)
{
	return start_or_undo(j, ORDER_UNDO, reterr);
}

enum err_code do_action_start(struct job *j, struct err *reterr)
{
	return start_or_undo(j, ORDER_ACTION, reterr);
}

enum err_code do_rollback_cancel(struct job *j, struct err *reterr)
{
	struct rollback r;
	struct id id;
	enum recovery_event event;
	enum err_code rc = job_refer(j, &rollback_ref, j->a->rollback, &id, reterr);
	if (rc != ERR_OK ||
	    (rc = recovery_cancel(j->t, &j->c->recovery, &j->who, id, j->a->text, &r, &event, reterr)) != ERR_OK ||
	    (rc = chain_on_recovery(j->t, j->c, &r, event, reterr)) != ERR_OK)
		return rc;
	return job_answer(j, &rollback_type, &r, reterr);
}

enum err_code do_change_approve(struct job *j, struct err *reterr)
{
	struct change change;
	struct id id;
	enum err_code rc = job_refer(j, &change_ref, j->a->change, &id, reterr);
	if (rc == ERR_OK)
		rc = change_approve(j->t, &j->who, id, j->a->signature, &change, reterr);
	return rc == ERR_OK ? begin_if_approved(j, &change, false, reterr) : rc;
}

enum err_code do_change_start(struct job *j, struct err *reterr)
{
	struct change change;
	struct id id;
	bool found;
	enum err_code rc = job_refer(j, &change_ref, j->a->change, &id, reterr);
	if (rc == ERR_OK)
		rc = change_get(j->t, id, &change, &found, reterr);
	if (rc == ERR_OK && (!found || change.state != CHANGE_APPROVED))
		rc = err_set(reterr, ERR_STATE,
		    "change %s is not approved: `kedge change show` tells what it waits for", j->a->change);
	return rc == ERR_OK ? begin_if_approved(j, &change, true, reterr) : rc;
}

typedef enum err_code (*change_act)(
    struct turn *, const struct actor *, struct id, const char *, struct change *, struct err *);
static enum err_code change_by(struct job *j, change_act act, struct err *reterr)
{
	struct change change;
	struct id id;
	enum err_code rc = job_refer(j, &change_ref, j->a->change, &id, reterr);
	if (rc == ERR_OK)
		rc = act(j->t, &j->who, id, j->a->text, &change, reterr);
	return rc == ERR_OK ? job_answer(j, &change_type, &change, reterr) : rc;
}
enum err_code do_change_reject(struct job *j, struct err *reterr)
{
	return change_by(j, change_reject, reterr);
}
enum err_code do_change_cancel(struct job *j, struct err *reterr)
{
	return change_by(j, change_cancel, reterr);
}
enum err_code do_change_review(struct job *j, struct err *reterr)
{
	return change_by(j, change_review, reterr);
}

enum err_code do_policy_install(struct job *j, struct err *reterr)
{
	struct signed_policy *doc = arena_alloc(turn_arena(j->t), sizeof *doc);
	struct approval *approvals = arena_array(turn_arena(j->t), j->a->signatures.count, sizeof *approvals);
	struct standing_policy installed;
	if (!doc || !approvals)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < j->a->signatures.count; i++)
		approvals[i] = (struct approval){.approver = j->who.name,
		    .signature = LIST_AT(j->a->signatures, const char *, i),
		    .at_ms = turn_now_ms(j->t)};
	*doc = (struct signed_policy){j->a->document, {approvals, j->a->signatures.count}};
	enum err_code rc = policy_install(j->t, &j->who, doc, &installed, reterr);
	return rc == ERR_OK ? job_answer(j, &standing_policy_type, &installed, reterr) : rc;
}

enum err_code do_policy_remove(struct job *j, struct err *reterr)
{
	return policy_remove(j->t, &j->who, j->a->name, reterr);
}
