/* controller/center/requests.c: the verbs of operators, each a row of one table. */
#include "controller/center/requests.h"

#include <string.h>

#include "controller/center/chain.h"
#include "controller/turn/system.h"
#include "shared/base/text.h"

#define S struct request_args
static const struct field args_fields[] = {
    F_STRING(S, incident, NAME_MAX_BYTES, 0, "an incident: its id or INC-<number>"),
    F_STRING(S, change, NAME_MAX_BYTES, 0, "a change: its id or CHG-<number>"),
    F_STRING(S, rollback, NAME_MAX_BYTES, 0, "a rollback: its id or RB-<number>"),
    F_STRING(S, snapshot, NAME_MAX_BYTES, 0, "a restore point's id, or \"last-good\""),
    F_STRING(S, service, NAME_MAX_BYTES, 0, "a service"),
    F_STRING(S, host, NAME_MAX_BYTES, 0, "a host"),
    F_STRING(S, name, NAME_MAX_BYTES, 0, "an operator, a policy, or whom a token is for"),
    F_STRINGS(S, hosts, PLAN_HOSTS_MAX, 0, "hosts by name, all of them"),
    F_ENUMS(S, components, &component_enum, COMPONENT_COUNT, 0, "components; none: all"),
    F_ENUM(S, severity, &severity_enum, 0, "of an incident"),
    F_STRING(S, title, TEXT_LINE_MAX, 0, "one line"),
    F_STRING(S, text, TEXT_PAGE_MAX, 0, "a reason, a note, a review"),
    F_STRING(S, owner, NAME_MAX_BYTES, 0, "who takes it"),
    F_STRING(S, serial, ACCESS_SERIAL_MAX, 0, "a certificate's serial number"),
    F_STRING(S, signature, PLAN_SIGNATURE_MAX, 0, "OpenSSH signature over the plan's digest"),
    F_BYTES(S, document, POLICY_BYTES_MAX, 0, "a policy's YAML, byte for byte"),
    F_STRINGS(S, signatures, PLAN_APPROVALS_MAX, 0, "OpenSSH signatures over it"),
    F_TIME(S, until_ms, 0, "the end of a window (none: end it now), or of a certificate"),
    F_DURATION(S, lifetime_ms, ACCESS_ENROLMENT_MAX_MS, 0, "of a token"),
    F_ENUM(S, role, &certificate_role_enum, 0, "host or operator"),
    F_ENUMS(S, roles, &role_enum, ROLE_COUNT, 0, "of an operator"),
    F_STRINGS(S, keys, ACCESS_KEYS_MAX, 0, "an operator's public keys for approvals"),
    F_BOOL(S, disabled, 0, "an operator who may do nothing"),
    F_BOOL(S, cross_schema, 0, "a rollback even where a component that stays has another schema now than it had then"),
    F_BOOL(
	S, any_state, 0, "a rollback from whatever its hosts have come to since, not only from what is known of them"),
    F_BOOL(S, deep, 0, "prove a rollback with the deep probes too"),
    F_BOOL(S, progressive, 0, "a rollback may go on to older restore points until the probes pass"),
    F_BOOL(S, normal, 0, "ask for a normal change even where a standing policy would do"),
    F_ID(S, keep, BOOT, 0, "the run of the agent that counts"),
    F_STRING(S, enrolment, ID_TEXT_MAX, 0, "a token's id"),
    F_STRING(S, secret, 2 * ACCESS_SECRET_BYTES, FIELD_SECRET, "a token's secret, hex"),
    F_STRING(S, csr, PEM_MAX, 0, "a certificate request, PEM"),
};
#undef S
const struct record_type request_args_type =
    RECORD_TYPE("request", struct request_args, args_fields, "the body of a request that changes something");

#define S struct enrolment_token
static const struct field token_fields[] = {
    F_STRING(S, enrolment, ID_TEXT_MAX, FIELD_REQUIRED, "its id"),
    F_STRING(S, secret, 2 * ACCESS_SECRET_BYTES, FIELD_SECRET, "shown once, hex; a repeated request gets none"),
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_REQUIRED, "whom it is for"),
    F_ENUM(S, role, &certificate_role_enum, FIELD_ALWAYS, "host or operator"),
    F_TIME(S, expires_ms, 0, "when it lapses"),
};
#undef S
const struct record_type enrolment_token_type =
    RECORD_TYPE("enrolment_token", struct enrolment_token, token_fields, "a one-time token");

#define S struct plan_answer
static const struct field plan_fields[] = {
    F_RECORD(S, plan, struct plan, &plan_type, FIELD_REQUIRED, "what would be done"),
    F_DIGEST(S, digest, 0, "its digest"),
    F_STRING(S, policy, NAME_MAX_BYTES, 0, "the standing policy that would cover it"),
    F_U32(S, approvals_needed, PLAN_APPROVALS_MAX, FIELD_ALWAYS, "people who would have to approve"),
};
#undef S
const struct record_type plan_answer_type =
    RECORD_TYPE("plan_answer", struct plan_answer, plan_fields, "a plan, and whose word it needs");

#define S struct rollback_answer
static const struct field rollback_answer_fields[] = {
    F_RECORD(S, change, struct change, &change_type, FIELD_REQUIRED, "the change that was asked for"),
    F_RECORD(S, rollback, struct rollback, &rollback_type, 0, "the rollback, if it began at once"),
};
#undef S
const struct record_type rollback_answer_type =
    RECORD_TYPE("rollback_answer", struct rollback_answer, rollback_answer_fields, "an asked-for rollback");
const struct record_type *const request_types[] = {
    &request_args_type, &enrolment_token_type, &plan_answer_type, &rollback_answer_type, NULL};

/* One request at work. */
struct job {
	struct turn *t;
	const struct workflow_config *c;
	const struct request *r;
	const struct request_args *a;
	struct actor who;
	const struct record_type *answer_type;
	const void *answer;  /* lives in the turn's arena */
	bool answered_later; /* by INPUT_SIGNED */
};

static enum err_code answer(struct job *j, const struct record_type *type, const void *record, struct err *reterr)
{
	j->answer_type = type;
	j->answer = arena_dup(turn_arena(j->t), record, type->size);
	return j->answer ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for an answer");
}

/* ---- references: an id, or the number that people say ---- */

struct reference {
	const char *prefix;
	enum id_kind kind;
	const struct table *table;
	const char *what;
};
static const struct reference incident_ref = {"INC-", ID_INCIDENT, &incident_table, "incident"},
			      change_ref = {"CHG-", ID_CHANGE, &change_table, "change"},
			      rollback_ref = {"RB-", ID_ROLLBACK, &rollback_table, "rollback"};

/* Every record that people number begins with its id and has a field `number`. */
static enum err_code by_number(
    struct job *j, const struct reference *ref, uint64_t number, struct id *ret, struct err *reterr)
{
	const struct field *field = record_field(ref->table->type, "number");
	char *like = arena_alloc(turn_arena(j->t), ref->table->type->size),
	     *hit = arena_alloc(turn_arena(j->t), ref->table->type->size);
	bool found;
	if (!like || !hit)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(like + field->offset, &number, sizeof number);
	enum err_code rc = turn_find(j->t, ref->table, "number", like, false, hit, &found, reterr);
	if (rc == ERR_OK && !found)
		return err_set(
		    reterr, ERR_NOT_FOUND, "there is no %s %s%llu", ref->what, ref->prefix, (unsigned long long)number);
	if (rc == ERR_OK)
		memcpy(ret, hit + ref->table->type->fields[0].offset, sizeof *ret);
	return rc;
}

static enum err_code refer(
    struct job *j, const struct reference *ref, const char *text, struct id *ret, struct err *reterr)
{
	uint64_t number;
	if (!text)
		return ERR_OK;
	const char *digits = text_starts(text, ref->prefix) ? text + strlen(ref->prefix) : text;
	if (text_u64(digits, &number, NULL) == ERR_OK)
		return by_number(j, ref, number, ret, reterr);
	return id_parse(ref->kind, text, ret, reterr);
}

static enum err_code incident_id(struct job *j, struct id *ret, struct err *reterr)
{
	return refer(j, &incident_ref, j->a->incident, ret, reterr);
}

/* ---- incidents ---- */

static enum err_code do_incident_open(struct job *j, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_open(
	    j->t, &j->c->incident, &j->who, j->a->service, (enum severity)j->a->severity, j->a->title, &i, reterr);
	if (rc == ERR_OK)
		rc = chain_on_incident(j->t, j->c, &i, INCIDENT_OPENED, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_acknowledge(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	bool first;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc != ERR_OK ||
	    (rc = incident_acknowledge(j->t, &j->c->incident, &j->who, id, &i, &first, reterr)) != ERR_OK)
		return rc;
	if (first)
		rc = notify_silence(j->t, id, "acknowledged", reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_assign(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_assign(j->t, &j->who, id, j->a->owner, &i, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_investigate(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_investigate(j->t, &j->c->incident, &j->who, id, j->a->text, &i, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_identify(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_identify(j->t, &j->c->incident, &j->who, id, (struct id){0}, j->a->text, &i, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_resolve(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	uint32_t said;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc != ERR_OK ||
	    (rc = incident_resolve(j->t, &j->c->incident, &j->who, id, j->a->text, &i, reterr)) != ERR_OK ||
	    (rc = notify_silence(j->t, id, "resolved", reterr)) != ERR_OK ||
	    (rc = notify_incident(j->t, &j->c->notify, &i, NOTIFY_RESOLVED, NULL, &said, reterr)) != ERR_OK)
		return rc;
	return answer(j, &incident_type, &i, reterr);
}

static enum err_code do_incident_reopen(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_reopen(j->t, &j->c->incident, &j->who, id, j->a->text, &i, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_close(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_close(j->t, &j->who, id, j->a->text, &i, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

static enum err_code do_incident_note(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	bool found;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc != ERR_OK || (rc = incident_note(j->t, &j->who, id, j->a->text, reterr)) != ERR_OK ||
	    (rc = incident_get(j->t, id, &i, &found, reterr)) != ERR_OK)
		return rc;
	return answer(j, &incident_type, &i, reterr);
}

static enum err_code do_diagnosis_start(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	bool found;
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc != ERR_OK || (rc = incident_get(j->t, id, &i, &found, reterr)) != ERR_OK)
		return rc;
	if (!found)
		return err_set(reterr, ERR_NOT_FOUND, "there is no incident %s", j->a->incident);
	struct effect e = {.kind = EFFECT_ANALYSE, .id = id};
	rc = turn_emit(j->t, &e, reterr);
	return rc == ERR_OK ? answer(j, &incident_type, &i, reterr) : rc;
}

/* A person's verdict on a diagnosis: with a text it was something else. */
static enum err_code do_diagnosis_verdict(struct job *j, struct err *reterr)
{
	struct past_incident p;
	struct id id;
	struct cause_named named = {.service = j->a->service, .components = j->a->components, .action = j->a->name};
	enum err_code rc = incident_id(j, &id, reterr);
	if (rc == ERR_OK)
		rc = j->a->text
			 ? learning_correct(j->t, &j->who, id, j->a->text,
			       named.service || named.components.count || named.action ? &named : NULL, &p, reterr)
			 : learning_confirm(j->t, &j->who, id, &p, reterr);
	return rc == ERR_OK ? answer(j, &past_incident_type, &p, reterr) : rc;
}

/* ---- rollbacks and changes ---- */

static enum err_code wish_of(struct job *j, enum order_kind kind, struct plan_wish *ret, struct err *reterr)
{
	struct plan_wish w = {.kind = kind,
	    .action = kind == ORDER_ACTION ? j->a->name : NULL,
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
		rc = refer(j, &rollback_ref, j->a->rollback, &w.undo_of, reterr);
	else if (j->a->snapshot && !text_equal(j->a->snapshot, "last-good"))
		rc = id_parse(ID_SNAPSHOT, j->a->snapshot, &w.snapshot, reterr);
	struct incident i;
	struct id id = {0};
	bool found = false;
	if (rc == ERR_OK && j->a->incident && (rc = incident_id(j, &id, reterr)) == ERR_OK)
		rc = incident_get(j->t, id, &i, &found, reterr);
	if (rc == ERR_OK && j->a->incident && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "there is no incident %s", j->a->incident);
	if (rc == ERR_OK && found)
		w.before_ms = i.fault_ms; /* what was taken since may hold the fault */
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
	    plan->kind, plan->service, plan->action, hosts, plan->components, SEVERITY_CRITICAL, 1.0};
	return policy_find(j->t, &wish, ret, ret_found, &why, reterr);
}

static enum err_code do_rollback_plan(struct job *j, struct err *reterr)
{
	struct plan_wish w;
	struct plan plan;
	struct standing_policy policy;
	bool covered;
	bool undo = j->a->rollback != NULL;
	if (undo == (j->a->service != NULL) || undo == (j->a->hosts.count > 0))
		return err_set(reterr, ERR_INVALID,
		    "rollback plan needs either \"service\" and \"hosts\", or \"rollback\" to see its undoing");
	enum err_code rc = wish_of(j, undo ? ORDER_UNDO : ORDER_ROLLBACK, &w, reterr);
	w.reason = j->a->text ? j->a->text
			      : "no reason was given yet"; /* a plan without one is none; its digest changes with it */
	if (rc != ERR_OK || (rc = recovery_plan(j->t, &j->c->recovery, &w, &plan, reterr)) != ERR_OK ||
	    (rc = covering_policy(j, &plan, &policy, &covered, reterr)) != ERR_OK)
		return rc;
	struct plan_answer a = {.plan = arena_dup(turn_arena(j->t), &plan, sizeof plan),
	    .policy = covered ? policy.name : NULL,
	    .approvals_needed = covered                           ? 0
				: j->a->incident && !j->a->normal ? CHANGE_APPROVALS_EMERGENCY
								  : CHANGE_APPROVALS_NORMAL};
	if (!a.plan)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rc = plan_digest(&plan, &a.digest, reterr);
	return rc == ERR_OK ? answer(j, &plan_answer_type, &a, reterr) : rc;
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
	return answer(j, &rollback_answer_type, &a, reterr);
}

static enum err_code start_or_undo(struct job *j, enum order_kind kind, struct err *reterr)
{
	struct plan_wish w;
	struct plan *plan = arena_alloc(turn_arena(j->t), sizeof *plan);
	struct standing_policy policy;
	struct change change = {0};
	bool covered;
	enum err_code rc = plan ? wish_of(j, kind, &w, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK || (rc = recovery_plan(j->t, &j->c->recovery, &w, plan, reterr)) != ERR_OK ||
	    (rc = covering_policy(j, plan, &policy, &covered, reterr)) != ERR_OK ||
	    (rc = incident_id(j, &change.incident, reterr)) != ERR_OK)
		return rc;
	change.kind = covered ? CHANGE_STANDARD : j->a->incident && !j->a->normal ? CHANGE_EMERGENCY : CHANGE_NORMAL;
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

static enum err_code do_rollback_start(struct job *j, struct err *reterr)
{
	return start_or_undo(j, ORDER_ROLLBACK, reterr);
}
static enum err_code do_rollback_undo(struct job *j, struct err *reterr)
{
	return start_or_undo(j, ORDER_UNDO, reterr);
}

static enum err_code do_action_start(struct job *j, struct err *reterr)
{
	return start_or_undo(j, ORDER_ACTION, reterr);
}

static enum err_code do_rollback_cancel(struct job *j, struct err *reterr)
{
	struct rollback r;
	struct id id;
	enum recovery_event event;
	enum err_code rc = refer(j, &rollback_ref, j->a->rollback, &id, reterr);
	if (rc != ERR_OK ||
	    (rc = recovery_cancel(j->t, &j->c->recovery, &j->who, id, j->a->text, &r, &event, reterr)) != ERR_OK ||
	    (rc = chain_on_recovery(j->t, j->c, &r, event, reterr)) != ERR_OK)
		return rc;
	return answer(j, &rollback_type, &r, reterr);
}

static enum err_code do_change_approve(struct job *j, struct err *reterr)
{
	struct change change;
	struct id id;
	enum err_code rc = refer(j, &change_ref, j->a->change, &id, reterr);
	if (rc == ERR_OK)
		rc = change_approve(j->t, &j->who, id, j->a->signature, &change, reterr);
	return rc == ERR_OK ? begin_if_approved(j, &change, false, reterr) : rc;
}

static enum err_code do_change_start(struct job *j, struct err *reterr)
{
	struct change change;
	struct id id;
	bool found;
	enum err_code rc = refer(j, &change_ref, j->a->change, &id, reterr);
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
	enum err_code rc = refer(j, &change_ref, j->a->change, &id, reterr);
	if (rc == ERR_OK)
		rc = act(j->t, &j->who, id, j->a->text, &change, reterr);
	return rc == ERR_OK ? answer(j, &change_type, &change, reterr) : rc;
}
static enum err_code do_change_reject(struct job *j, struct err *reterr)
{
	return change_by(j, change_reject, reterr);
}
static enum err_code do_change_cancel(struct job *j, struct err *reterr)
{
	return change_by(j, change_cancel, reterr);
}
static enum err_code do_change_review(struct job *j, struct err *reterr)
{
	return change_by(j, change_review, reterr);
}

static enum err_code do_policy_install(struct job *j, struct err *reterr)
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
	return rc == ERR_OK ? answer(j, &standing_policy_type, &installed, reterr) : rc;
}

static enum err_code do_policy_remove(struct job *j, struct err *reterr)
{
	return policy_remove(j->t, &j->who, j->a->name, reterr);
}

/* ---- hosts, services, restore points ---- */

static enum err_code single_order(struct job *j, enum order_kind kind, struct err *reterr)
{
	struct order_record o;
	struct id snapshot = {0};
	enum err_code rc = j->a->snapshot ? id_parse(ID_SNAPSHOT, j->a->snapshot, &snapshot, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = recovery_order(
		    j->t, &j->c->recovery, &j->who, kind, j->a->service, j->a->host, snapshot, &o, reterr);
	return rc == ERR_OK ? answer(j, &order_record_type, &o, reterr) : rc;
}
static enum err_code do_snapshot_create(struct job *j, struct err *reterr)
{
	return single_order(j, ORDER_SNAPSHOT, reterr);
}
static enum err_code do_snapshot_verify(struct job *j, struct err *reterr)
{
	return single_order(j, ORDER_VERIFY, reterr);
}
static enum err_code do_service_probe(struct job *j, struct err *reterr)
{
	return single_order(j, ORDER_PROBE, reterr);
}

static enum err_code do_snapshot_condemn(struct job *j, struct err *reterr)
{
	struct id id;
	enum err_code rc = id_parse(ID_SNAPSHOT, j->a->snapshot, &id, reterr);
	return rc == ERR_OK ? fleet_snapshot_condemn(j->t, &j->who, id, j->a->text, reterr) : rc;
}

static enum err_code do_service_maintenance(struct job *j, struct err *reterr)
{
	struct health_transitions moved = {0};
	enum err_code rc = j->a->until_ms ? health_maintenance_start(j->t, &j->c->health, &j->who, j->a->service,
						j->a->host, j->a->until_ms, j->a->text, &moved, reterr)
					  : health_maintenance_end(j->t, &j->c->health, &j->who, j->a->service,
						j->a->host, &moved, reterr);
	return rc == ERR_OK ? chain_on_transitions(j->t, j->c, &moved, reterr) : rc;
}

static enum err_code do_host_unbar(struct job *j, struct err *reterr)
{
	return fleet_host_unbar(j->t, &j->who, j->a->host, j->a->keep, reterr);
}

static enum err_code do_host_revoke(struct job *j, struct err *reterr)
{
	size_t count;
	struct health_transitions moved = {0};
	enum err_code rc = access_revoke_name(j->t, &j->who, CERTIFICATE_HOST, j->a->host, j->a->text, &count, reterr);
	if (rc != ERR_OK || (rc = fleet_host_revoke(j->t, &j->who, j->a->host, j->a->text, reterr)) != ERR_OK ||
	    (rc = health_on_silent(j->t, &j->c->health, j->a->host, "its certificate is revoked", &moved, reterr)) !=
		ERR_OK)
		return rc;
	return chain_on_transitions(j->t, j->c, &moved, reterr);
}

/* ---- the controller itself, people, certificates ---- */

static enum err_code brakes_answer(struct job *j, enum err_code rc, struct err *reterr)
{
	struct brakes b;
	if (rc == ERR_OK)
		rc = brakes_get(j->t, &b, reterr);
	return rc == ERR_OK ? answer(j, &brakes_type, &b, reterr) : rc;
}
static enum err_code do_halt(struct job *j, struct err *reterr)
{
	return brakes_answer(j, brakes_halt(j->t, &j->who, true, j->a->text, reterr), reterr);
}
static enum err_code do_resume(struct job *j, struct err *reterr)
{
	return brakes_answer(j, brakes_halt(j->t, &j->who, false, j->a->text, reterr), reterr);
}
static enum err_code do_confirm(struct job *j, struct err *reterr)
{
	return brakes_answer(j, brakes_observe(j->t, &j->who, false, j->a->text, reterr), reterr);
}

static enum err_code do_audit_checkpoint(struct job *j, struct err *reterr)
{
	struct audit_checkpoint made;
	enum err_code rc = audit_note(
	    j->t, &j->who, "audit.checkpoint", "audit", "head", AUDIT_DONE, reterr, "fixes the head of the trail");
	if (rc == ERR_OK)
		rc = audit_checkpoint_make(j->t, &made, reterr);
	return rc == ERR_OK ? answer(j, &audit_checkpoint_type, &made, reterr) : rc;
}

static enum err_code do_operator_put(struct job *j, struct err *reterr)
{
	struct operator o = {.name = j->a->name, .roles = j->a->roles, .keys = j->a->keys, .disabled = j->a->disabled};
	enum err_code rc = access_operator_put(j->t, &j->who, &o, reterr);
	return rc == ERR_OK ? answer(j, &operator_type, &o, reterr) : rc;
}

static enum err_code do_ca_token(struct job *j, struct err *reterr)
{
	struct enrolment e;
	uint8_t secret[ACCESS_SECRET_BYTES];
	char *hex = arena_alloc(turn_arena(j->t), 2 * ACCESS_SECRET_BYTES + 1),
	     *id = arena_alloc(turn_arena(j->t), ID_TEXT_MAX);
	enum err_code rc = hex && id
			       ? access_enrolment_create(j->t, &j->who, (enum certificate_role)j->a->role, j->a->name,
				     j->a->lifetime_ms ? j->a->lifetime_ms : 3600 * 1000, &e, secret, reterr)
			       : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	struct enrolment_token token = {id_format(ID_ENROLMENT, e.enrolment, id), text_hex(secret, sizeof secret, hex),
	    e.name, e.role, e.expires_ms};
	return answer(j, &enrolment_token_type, &token, reterr);
}

static enum err_code do_ca_revoke(struct job *j, struct err *reterr)
{
	const struct issued_certificate c = {
	    .serial = j->a->serial, .role = j->a->role, .name = j->a->name, .not_after_ms = j->a->until_ms};
	return access_certificate_revoke(j->t, &j->who, &c, j->a->text, reterr);
}

/* Refusals are told alike, whatever the reason: the audit trail knows.  They are answers, so that the attempt itself is
 * kept. */
static enum err_code do_ca_enrol(struct job *j, struct err *reterr)
{
	struct id id;
	uint8_t secret[ACCESS_SECRET_BYTES];
	enum enrolment_result result;
	enum err_code rc = id_parse(ID_ENROLMENT, j->a->enrolment, &id, reterr);
	if (rc != ERR_OK || (rc = text_unhex(j->a->secret, secret, sizeof secret, reterr)) != ERR_OK ||
	    (rc = access_enrolment_redeem(j->t, id, secret, sizeof secret, (enum certificate_role)j->a->role,
		 j->a->name, j->r->address, &result, reterr)) != ERR_OK)
		return rc;
	struct effect e = {.kind = EFFECT_REPLY,
	    .token = j->r->token,
	    .code = ERR_DENIED,
	    .text = "the token is not valid for this name: ask for a new one (`kedge ca token`)"};
	if (result == ENROLMENT_OK)
		e = (struct effect){.kind = EFFECT_SIGN,
		    .host = j->a->name,
		    .certificate_role = j->a->role,
		    .text = j->a->csr,
		    .token = j->r->token};
	j->answered_later = true;
	return turn_emit(j->t, &e, reterr);
}

static enum err_code do_notify_test(struct job *j, struct err *reterr)
{
	uint32_t said;
	return notify_about(j->t, &j->c->notify, NOTIFY_CHANGED, "test",
	    arena_printf(turn_arena(j->t), "%llu", (unsigned long long)turn_now_ms(j->t)),
	    "a test of the notification channels", &said, reterr);
}

/* ---- the table ---- */

static const struct verb {
	struct request_verb head;
	enum err_code (*act)(struct job *, struct err *);
	bool can_wait; /* refused while the disk is nearly full; what ends an emergency is not */
} verbs[] = {
    {{"incident", "open", "service! title! severity", "open an incident by hand", &incident_type}, do_incident_open,
	false},
    {{"incident", "acknowledge", "incident!", "a person has it: paging stops", &incident_type}, do_incident_acknowledge,
	false},
    {{"incident", "assign", "incident! owner!", "give it to somebody", &incident_type}, do_incident_assign, false},
    {{"incident", "investigate", "incident! text", "back to looking for the cause", &incident_type},
	do_incident_investigate, false},
    {{"incident", "identify", "incident! text!", "name the cause by hand", &incident_type}, do_incident_identify,
	false},
    {{"incident", "resolve", "incident! text!", "say that it is over", &incident_type}, do_incident_resolve, false},
    {{"incident", "reopen", "incident! text!", "it is not over", &incident_type}, do_incident_reopen, false},
    {{"incident", "close", "incident! text!", "close it with its review", &incident_type}, do_incident_close, false},
    {{"incident", "note", "incident! text!", "add to its timeline", &incident_type}, do_incident_note, false},
    {{"diagnosis", "start", "incident!", "diagnose it again", &incident_type}, do_diagnosis_start, true},
    {{"diagnosis", "confirm", "incident!", "the diagnosis was right", &past_incident_type}, do_diagnosis_verdict, true},
    {{"diagnosis", "correct", "incident! text! service components name", "what it was instead", &past_incident_type},
	do_diagnosis_verdict, true},
    {{"rollback", "plan",
	 "service hosts components snapshot incident rollback text any_state deep progressive cross_schema normal",
	 "what a rollback would do", &plan_answer_type},
	do_rollback_plan, false},
    {{"rollback", "start",
	 "service! hosts! components snapshot incident text! any_state deep progressive cross_schema normal",
	 "ask for a rollback; it begins when it is approved", &rollback_answer_type},
	do_rollback_start, false},
    {{"rollback", "undo", "rollback! incident text! normal", "ask to put back what a rollback replaced",
	 &rollback_answer_type},
	do_rollback_undo, false},
    {{"rollback", "cancel", "rollback! text!", "no further host", &rollback_type}, do_rollback_cancel, false},
    {{"action", "start", "service! name! hosts! incident text! normal",
	 "ask for an action that hosts declare; it begins when it is approved", &rollback_answer_type},
	do_action_start, false},
    {{"change", "approve", "change! signature!", "say yes, signed", &rollback_answer_type}, do_change_approve, false},
    {{"change", "reject", "change! text!", "say no", &change_type}, do_change_reject, false},
    {{"change", "cancel", "change! text!", "withdraw it", &change_type}, do_change_cancel, false},
    {{"change", "start", "change!", "begin an approved change", &rollback_answer_type}, do_change_start, false},
    {{"change", "review", "change! text!", "review an ended change", &change_type}, do_change_review, true},
    {{"policy", "install", "document! signatures!", "install a signed standing policy", &standing_policy_type},
	do_policy_install, true},
    {{"policy", "remove", "name!", "remove a standing policy", NULL}, do_policy_remove, false},
    {{"snapshot", "create", "service! host!", "take a restore point now", &order_record_type}, do_snapshot_create,
	true},
    {{"snapshot", "verify", "service! host! snapshot!", "read a restore point back and authenticate it",
	 &order_record_type},
	do_snapshot_verify, true},
    {{"snapshot", "condemn", "snapshot! text!", "never again a target of automation", NULL}, do_snapshot_condemn,
	false},
    {{"service", "probe", "service! host!", "run all probes now", &order_record_type}, do_service_probe, true},
    {{"service", "maintenance", "service! host until_ms text", "begin, move or end a maintenance window", NULL},
	do_service_maintenance, true},
    {{"host", "unbar", "host! keep", "decide which of two agents counts", NULL}, do_host_unbar, false},
    {{"host", "revoke", "host! text!", "revoke a host's certificates", NULL}, do_host_revoke, false},
    {{"controller", "halt", "text!", "nothing new begins anywhere", &brakes_type}, do_halt, false},
    {{"controller", "resume", "text!", "release the halt", &brakes_type}, do_resume, false},
    {{"controller", "confirm", "text!", "let a restored controller command again", &brakes_type}, do_confirm, false},
    {{"audit", "checkpoint", "", "fix the head of the trail, to be kept outside", &audit_checkpoint_type},
	do_audit_checkpoint, true},
    {{"operator", "put", "name! roles! keys disabled", "add or change an operator", &operator_type}, do_operator_put,
	false},
    {{"ca", "token", "name! role lifetime_ms", "a one-time enrolment token", &enrolment_token_type}, do_ca_token, true},
    {{"ca", "revoke", "serial! text! name role until_ms",
	 "revoke a certificate; name, role and end of one that was not issued here", NULL},
	do_ca_revoke, false},
    {{"ca", "enrol", "enrolment! secret! name! role csr!", "redeem a token for a certificate", &certificate_type},
	do_ca_enrol, true},
    {{"notify", "test", "", "say something on the first channel", NULL}, do_notify_test, true},
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

const struct request_verb *request_verbs(size_t *ret_count)
{
	static struct request_verb heads[VERB_COUNT];
	for (size_t i = 0; i < VERB_COUNT; i++)
		heads[i] = verbs[i].head;
	*ret_count = VERB_COUNT;
	return heads;
}

static const struct verb *verb_of(const struct request *r)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (text_equal(verbs[i].head.noun, r->noun) && text_equal(verbs[i].head.verb, r->verb))
			return &verbs[i];
	return NULL;
}

/* Is `name` among the words of `fields`; with its "!"? */
static bool takes(const char *fields, const char *name, bool *ret_needed)
{
	size_t n = strlen(name);
	for (const char *at = fields; (at = strstr(at, name)) != NULL; at += n)
		if ((at == fields || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ' || at[n] == '!')) {
			*ret_needed = at[n] == '!';
			return true;
		}
	return false;
}

/* Every field that the verb needs is there, and no other is. */
static enum err_code check_fields(const struct verb *v, const struct request_args *a, struct err *reterr)
{
	struct request_args none = {0};
	for (uint32_t i = 0; i < request_args_type.field_count; i++) {
		const struct field *f = &request_args_type.fields[i];
		struct record_type alone = request_args_type;
		alone.fields = f;
		alone.field_count = 1;
		bool needed = false, known = takes(v->head.fields, f->name, &needed),
		     given = !record_equal(&alone, a, &none);
		if (given && !known)
			return err_set(reterr, ERR_INVALID, "%s %s takes no \"%s\"; it takes: %s", v->head.noun,
			    v->head.verb, f->name, v->head.fields);
		if (needed && !given)
			return err_set(reterr, ERR_INVALID, "%s %s needs \"%s\"", v->head.noun, v->head.verb, f->name);
	}
	return ERR_OK;
}

enum err_code request_apply(
    struct turn *t, const struct workflow_config *c, const struct request *r, struct err *reterr)
{
	const struct verb *v = verb_of(r);
	bool allowed;
	if (!v)
		return err_set(reterr, ERR_NOT_FOUND, "there is no %s %s", r->noun, r->verb);
	enum err_code rc = access_allowed(t, r->operator_name, r->noun, r->verb, &allowed, reterr);
	if (rc == ERR_OK && !allowed)
		rc = err_set(reterr, ERR_DENIED, "%s may not %s %s: `kedge operator show` lists roles",
		    r->operator_name ? r->operator_name : "a stranger", r->verb, r->noun);
	struct system_state system;
	if (rc == ERR_OK && (rc = system_get(t, &system, reterr)) == ERR_OK && v->can_wait && system.low_space)
		rc = err_set(reterr, ERR_FULL,
		    "the disk of the controller's store is nearly full: free some space there, then ask again; rollbacks, "
		    "approvals and incidents go on meanwhile");
	if (rc != ERR_OK)
		return rc;
	struct request_args a;
	static const char empty[] = "{}";
	rc = record_from_json(&request_args_type, r->body_size ? r->body : empty, r->body_size ? r->body_size : 2,
	    RECORD_STRICT, turn_arena(t), &a, reterr);
	if (rc != ERR_OK || (rc = check_fields(v, &a, reterr)) != ERR_OK)
		return rc;
	struct job j = {.t = t, .c = c, .r = r, .a = &a, .who = actor_operator(r->operator_name, r->address)};
	if (!r->operator_name)
		j.who.kind = AUDIT_ANONYMOUS;
	if ((rc = v->act(&j, reterr)) != ERR_OK || j.answered_later)
		return rc;
	struct effect e = {
	    .kind = EFFECT_REPLY, .token = r->token, .code = ERR_OK, .reply_type = j.answer_type, .reply = j.answer};
	return turn_emit(t, &e, reterr);
}
