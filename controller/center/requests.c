/* controller/center/requests.c: the verbs of operators, each a row of one table. */
#include "controller/center/requests.h"

#include <string.h>

#include "controller/center/verbs.h"
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
    F_U32(S, host_count, PLAN_HOSTS_MAX, 0, "how many hosts that will touch; needed where they are more than one"),
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
    F_STRING(S, first, NAME_MAX_BYTES, 0, "an action that each host of a rollback runs before it"),
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
    F_STRINGS(S, notes, PLAN_WAVES_MAX, 0, "what to know of it"),
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

enum err_code job_answer(struct job *j, const struct record_type *type, const void *record, struct err *reterr)
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

static const struct reference incident_ref = {"INC-", ID_INCIDENT, &incident_table, "incident"};
const struct reference change_ref = {"CHG-", ID_CHANGE, &change_table, "change"},
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

enum err_code job_refer(
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

enum err_code job_incident(struct job *j, struct id *ret, struct err *reterr)
{
	return job_refer(j, &incident_ref, j->a->incident, ret, reterr);
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
	 "service hosts host_count components snapshot incident rollback text any_state deep progressive cross_schema first normal",
	 "what a rollback would do", &plan_answer_type},
	do_rollback_plan, false},
    {{"rollback", "start",
	 "service! hosts! host_count components snapshot incident text! any_state deep progressive cross_schema first normal",
	 "ask for a rollback; it begins when it is approved", &rollback_answer_type},
	do_rollback_start, false},
    {{"rollback", "undo", "rollback! host_count incident text! normal", "ask to put back what a rollback replaced",
	 &rollback_answer_type},
	do_rollback_undo, false},
    {{"rollback", "cancel", "rollback! text!", "no further host", &rollback_type}, do_rollback_cancel, false},
    {{"action", "start", "service! name! hosts! host_count incident text! normal",
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
