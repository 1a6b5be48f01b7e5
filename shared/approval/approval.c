#include "shared/approval/approval.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/text.h"

static const char *const verdict_names[] = {
    [VERDICT_NOT_CHECKED] = "not_checked",
    [VERDICT_AUTHORISED] = "authorised",
    [VERDICT_WRONG_HOST] = "wrong_host",
    [VERDICT_NO_PLAN] = "no_plan",
    [VERDICT_PLAN_MISMATCH] = "plan_mismatch",
    [VERDICT_EXPIRED] = "expired",
    [VERDICT_TOO_EARLY] = "too_early",
    [VERDICT_BAD_SIGNATURE] = "bad_signature",
    [VERDICT_TOO_FEW_APPROVERS] = "too_few_approvers",
    [VERDICT_POLICY_BAD_SIGNATURE] = "policy_bad_signature",
    [VERDICT_POLICY_UNREADABLE] = "policy_unreadable",
    [VERDICT_POLICY_EXPIRED] = "policy_expired",
    [VERDICT_POLICY_DOES_NOT_COVER] = "policy_does_not_cover",
    [VERDICT_NOT_AUTOMATIC_HERE] = "not_automatic_here",
};
const struct enum_type verdict_enum = ENUM_TYPE("verdict", verdict_names);
_Static_assert(sizeof(verdict_names) / sizeof(char *) == VERDICT_COUNT, "verdict");

__attribute__((format(printf, 3, 4))) static enum verdict say(char *text, enum verdict verdict, const char *fmt, ...)
{
	if (text) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(text, APPROVAL_TEXT_MAX, fmt, ap);
		va_end(ap);
	}
	return verdict;
}

void approval_message(const struct digest *plan_digest, char out[APPROVAL_MESSAGE_SIZE])
{
	char hex[2 * sizeof plan_digest->b + 1];

	text_hex(plan_digest->b, sizeof plan_digest->b, hex);
	memcpy(out, hex, APPROVAL_MESSAGE_SIZE - 1);
	out[APPROVAL_MESSAGE_SIZE - 1] = '\n';
}

enum err_code approval_keys_parse(
    const struct list *lines, uint32_t needed, struct arena *arena, struct approval_keys *ret, struct err *reterr)
{
	if (lines->count > APPROVAL_KEYS_MAX)
		return err_set(reterr, ERR_LIMIT, "at most %d keys are considered", APPROVAL_KEYS_MAX);
	struct ssh_key *keys = arena_array(arena, lines->count ? lines->count : 1, sizeof *keys);
	if (!keys)
		return err_set(reterr, ERR_NOMEM, "no memory for %zu keys", lines->count);
	for (size_t i = 0; i < lines->count; i++) {
		enum err_code rc = ssh_key_parse(LIST_AT(*lines, const char *, i), &keys[i], reterr);
		if (rc != ERR_OK)
			return err_prefix(reterr, rc, "key %zu", i + 1);
		for (size_t k = 0; k < i; k++)
			if (ssh_key_equal(&keys[k], &keys[i]))
				return err_set(reterr, ERR_INVALID, "key %zu: the same as key %zu", i + 1, k + 1);
	}
	*ret = (struct approval_keys){keys, lines->count, needed};
	return ERR_OK;
}

/* ---- counting approvers ---- */

/* Whose word has been counted so far; a key and its owner count once. */
struct tally {
	bool counted[APPROVAL_KEYS_MAX];
	uint32_t approvers;
	enum verdict worst;           /* of the signatures that were passed over */
	char text[APPROVAL_TEXT_MAX]; /* why the last of them was */
};

static uint32_t approvers_needed(const struct approval_keys *keys)
{
	return keys->needed ? keys->needed : 1;
}

/* One signature over a message: whose is it?  AUTHORISED: *ret_key. */
static enum verdict signature_by(const char *signature, const char *name_space, struct bytes message,
    const struct approval_keys *keys, size_t *ret_key, char *text)
{
	struct sshsig sig;
	struct err err = ERR_INIT;
	char fingerprint[SSH_FINGERPRINT_MAX];

	if (sshsig_parse(signature, strlen(signature), &sig, &err) != ERR_OK)
		return say(text, VERDICT_BAD_SIGNATURE, "%s", err.msg);
	for (size_t i = 0; i < keys->count && i < APPROVAL_KEYS_MAX; i++) {
		if (!ssh_key_equal(&keys->keys[i], &sig.key))
			continue;
		if (strcmp(sig.name_space, name_space))
			return say(text, VERDICT_BAD_SIGNATURE, "the signature is for \"%s\", not for \"%s\"",
			    sig.name_space, name_space);
		if (!sshsig_verifies(&sig, name_space, message.data, message.size))
			return say(text, VERDICT_BAD_SIGNATURE, "the signature by %s does not verify",
			    ssh_key_fingerprint(&sig.key, fingerprint));
		*ret_key = i;
		return VERDICT_AUTHORISED;
	}
	return say(text, VERDICT_TOO_FEW_APPROVERS, "the key %s is not trusted here",
	    ssh_key_fingerprint(&sig.key, fingerprint));
}

static bool owner_counted(const struct tally *t, const struct approval_keys *keys, size_t key)
{
	for (size_t i = 0; i < keys->count && i < APPROVAL_KEYS_MAX; i++)
		if (t->counted[i] &&
		    (i == key || (keys->keys[key].owner[0] && !strcmp(keys->keys[i].owner, keys->keys[key].owner))))
			return true;
	return false;
}

/* author: whose key does not count, or NULL. */
static void tally_approvals(const struct list *approvals, const char *name_space, struct bytes message,
    const struct approval_keys *keys, const char *author, struct tally *t)
{
	*t = (struct tally){.worst = VERDICT_TOO_FEW_APPROVERS};
	for (size_t i = 0; i < approvals->count && i < PLAN_APPROVALS_MAX; i++) {
		const struct approval *a = &LIST_AT(*approvals, struct approval, i);
		size_t key = 0;
		enum verdict v = signature_by(a->signature, name_space, message, keys, &key, t->text);

		if (v != VERDICT_AUTHORISED) {
			if (v == VERDICT_BAD_SIGNATURE)
				t->worst = v;
		} else if (author && !strcmp(keys->keys[key].owner, author)) {
			say(t->text, v, "%s wrote the plan and cannot approve it too", author);
		} else if (owner_counted(t, keys, key)) {
			say(t->text, v, "two signatures by one approver count once");
		} else {
			t->counted[key] = true;
			t->approvers++;
		}
	}
}

static enum verdict tally_verdict(
    const struct tally *t, const struct approval_keys *keys, enum verdict bad, enum verdict few, char *text)
{
	if (t->approvers >= approvers_needed(keys))
		return say(text, VERDICT_AUTHORISED, "%u approved", t->approvers);
	if (!keys->count)
		return say(text, few, "no approver's key is known here");
	return say(text, t->worst == VERDICT_BAD_SIGNATURE ? bad : few, "%u of %u approvers%s%.400s", t->approvers,
	    approvers_needed(keys), t->text[0] ? ": " : "", t->text);
}

/* ---- plans ---- */

static enum verdict plan_message(const struct plan *plan, char out[APPROVAL_MESSAGE_SIZE], char *text)
{
	struct digest digest;
	struct err err = ERR_INIT;

	if (plan_digest(plan, &digest, &err) != ERR_OK)
		return say(text, VERDICT_NOT_CHECKED, "%s", err.msg);
	approval_message(&digest, out);
	return VERDICT_AUTHORISED;
}

enum verdict approval_verify(const struct plan *plan, const char *signature, const struct approval_keys *keys,
    size_t *ret_key, char text[APPROVAL_TEXT_MAX])
{
	char message[APPROVAL_MESSAGE_SIZE];
	size_t key = 0;
	enum verdict v = plan_message(plan, message, text);

	if (v == VERDICT_AUTHORISED)
		v = signature_by(signature, APPROVAL_NAMESPACE_PLAN, (struct bytes){(uint8_t *)message, sizeof message},
		    keys, &key, text);
	if (v != VERDICT_AUTHORISED)
		return v;
	if (!strcmp(keys->keys[key].owner, plan->author))
		return say(
		    text, VERDICT_TOO_FEW_APPROVERS, "%s wrote the plan and cannot approve it too", plan->author);
	if (ret_key)
		*ret_key = key;
	return say(text, VERDICT_AUTHORISED, "approved");
}

static enum verdict approvals_suffice(
    const struct plan *plan, const struct list *approvals, const struct approval_keys *keys, char *text)
{
	char message[APPROVAL_MESSAGE_SIZE];
	struct tally tally;
	enum verdict v = plan_message(plan, message, text);

	if (v != VERDICT_AUTHORISED)
		return v;
	tally_approvals(approvals, APPROVAL_NAMESPACE_PLAN, (struct bytes){(uint8_t *)message, sizeof message}, keys,
	    plan->author, &tally);
	return tally_verdict(&tally, keys, VERDICT_BAD_SIGNATURE, VERDICT_TOO_FEW_APPROVERS, text);
}

/* ---- policies ---- */

enum verdict policy_open(const struct signed_policy *signed_policy, const struct approval_keys *keys,
    struct arena *arena, struct policy *ret, char text[APPROVAL_TEXT_MAX])
{
	struct tally tally;
	struct err err = ERR_INIT;

	tally_approvals(
	    &signed_policy->approvals, APPROVAL_NAMESPACE_POLICY, signed_policy->document, keys, NULL, &tally);
	enum verdict v = tally_verdict(&tally, keys, VERDICT_POLICY_BAD_SIGNATURE, VERDICT_POLICY_BAD_SIGNATURE, text);
	if (v != VERDICT_AUTHORISED)
		return v;
	/* Only now: nobody but a trusted approver gets to feed the YAML parser. */
	enum err_code rc = record_from_yaml(&policy_type, "policy", (const char *)signed_policy->document.data,
	    signed_policy->document.size, arena, ret, &err);
	if (rc != ERR_OK)
		return say(text, rc == ERR_NOMEM ? VERDICT_NOT_CHECKED : VERDICT_POLICY_UNREADABLE, "%s", err.msg);
	return VERDICT_AUTHORISED;
}

static bool names_cover(const struct list *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (text_glob(LIST_AT(*patterns, const char *, i), name))
			return true;
	return false;
}

/* The name of the lowest component in set, which is not empty. */
static const char *component_in(uint32_t set)
{
	uint32_t which = 0;

	while (!(set & 1u << which))
		which++;
	return enum_name(&component_enum, which);
}

enum verdict policy_covers(const struct policy *policy, const struct policy_question *q, char text[APPROVAL_TEXT_MAX])
{
	const enum verdict no = VERDICT_POLICY_DOES_NOT_COVER;
	uint32_t missing = component_set(&q->components) & ~component_set(&policy->components);

	if (q->now_ms >= policy->expires_ms)
		return say(text, VERDICT_POLICY_EXPIRED, "policy %s has expired", policy->name);
	if (q->kind != ORDER_ROLLBACK && q->kind != ORDER_ACTION)
		return say(text, no, "a policy covers rollbacks and actions; %s needs people",
		    enum_name(&order_kind_enum, q->kind));
	if (!names_cover(&policy->services, q->service))
		return say(text, no, "policy %s does not name the service %s", policy->name, q->service);
	if (q->kind == ORDER_ACTION && (!q->action || !names_cover(&policy->actions, q->action)))
		return say(
		    text, no, "policy %s does not name the action %s", policy->name, q->action ? q->action : "(none)");
	if (q->first && !names_cover(&policy->actions, q->first))
		return say(text, no, "policy %s does not name the action %s", policy->name, q->first);
	if (q->kind == ORDER_ROLLBACK && (!q->components.count || missing))
		return say(text, no, "policy %s does not name the component %s", policy->name,
		    missing ? component_in(missing) : "(none)");
	if (!q->hosts.count || q->hosts.count > policy->max_hosts)
		return say(text, no, "policy %s is for at most %u hosts, not for %zu", policy->name, policy->max_hosts,
		    q->hosts.count);
	for (size_t i = 0; policy->hosts.count && i < q->hosts.count; i++)
		if (!names_cover(&policy->hosts, LIST_AT(q->hosts, const char *, i)))
			return say(text, no, "policy %s does not name the host %s", policy->name,
			    LIST_AT(q->hosts, const char *, i));
	if (q->judge_incident && q->severity < policy->least_severity)
		return say(text, no, "policy %s is for incidents of severity %s and above", policy->name,
		    enum_name(&severity_enum, policy->least_severity));
	/* Written so that a confidence that is not a number does not pass. */
	if (q->judge_incident && !(q->confidence >= policy->least_confidence))
		return say(text, no, "policy %s wants a confidence of %.2f, this is %.2f", policy->name,
		    policy->least_confidence, q->confidence);
	return say(text, VERDICT_AUTHORISED, "covered by policy %s", policy->name);
}

/* A plan that says it comes from a policy must come from this one. */
static bool author_fits(const struct plan *plan, const struct policy *policy)
{
	return !text_starts(plan->author, "policy ") || !strcmp(plan->author + strlen("policy "), policy->name);
}

static enum verdict plan_under_policy(const struct plan *plan, const struct signed_policy *signed_policy,
    const struct approval_keys *keys, struct policy_question *q, struct arena *arena, char *text)
{
	struct policy policy;
	const char **hosts = arena_array(arena, plan->hosts.count, sizeof *hosts);
	enum verdict v = policy_open(signed_policy, keys, arena, &policy, text);

	if (v != VERDICT_AUTHORISED)
		return v;
	if (!hosts)
		return say(text, VERDICT_NOT_CHECKED, "no memory");
	if (!author_fits(plan, &policy))
		return say(text, VERDICT_POLICY_DOES_NOT_COVER, "the plan says \"%s\", the policy is %s", plan->author,
		    policy.name);
	if (plan->cross_schema) /* whether old code works with a new schema is for a person to say */
		return say(text, VERDICT_POLICY_DOES_NOT_COVER,
		    "a plan that crosses a schema is for people to sign, not for a policy");
	if (plan->progressive && !policy.progressive)
		return say(text, VERDICT_POLICY_DOES_NOT_COVER,
		    "policy %s does not let a rollback go on to older restore points", policy.name);
	for (size_t i = 0; i < plan->hosts.count; i++)
		hosts[i] = LIST_AT(plan->hosts, struct plan_host, i).host;
	q->service = plan->service;
	q->kind = plan->kind;
	q->hosts = (struct list){hosts, plan->hosts.count};
	q->action = plan->action;
	q->first = plan->first;
	q->components = plan->components;
	return policy_covers(&policy, q, text);
}

/* ---- the two judges ---- */

static const struct plan_host *plan_find_host(const struct plan *plan, const char *host)
{
	for (size_t i = 0; i < plan->hosts.count; i++)
		if (!strcmp(LIST_AT(plan->hosts, struct plan_host, i).host, host))
			return &LIST_AT(plan->hosts, struct plan_host, i);
	return NULL;
}

static enum verdict order_fits_plan(const struct order *o, const struct plan_host *host, char *text)
{
	const struct plan *p = o->plan;
	const char *what = !host                                                                   ? "host"
			   : o->kind != p->kind                                                    ? "kind"
			   : strcmp(o->service, p->service)                                        ? "service"
			   : component_set(&o->components) != component_set(&p->components)        ? "components"
			   : !id_equal(o->snapshot, host->snapshot)                                ? "restore point"
			   : !id_equal(o->rollback, p->rollback)                                   ? "rollback"
			   : memcmp(&o->precondition, &host->precondition, sizeof o->precondition) ? "precondition"
			   : o->deep != p->deep                                                    ? "depth of proof"
			   : p->run_limit_ms && o->run_limit_ms != p->run_limit_ms                 ? "time limit"
												   : NULL;

	if (what)
		return say(text, VERDICT_PLAN_MISMATCH, "the order's %s is not what the plan says", what);
	return VERDICT_AUTHORISED;
}

static enum verdict plan_in_time(const struct plan *p, uint32_t wave, uint64_t now_ms, char *text)
{
	char when[TEXT_TIME_MAX];
	uint64_t begins_ms = p->not_before_ms + wave * p->wave_gap_ms; /* both are bounded by their tables */

	if (now_ms > p->expires_ms)
		return say(text, VERDICT_EXPIRED, "the plan expired at %s", text_time(p->expires_ms, when));
	if (now_ms < begins_ms)
		return say(text, VERDICT_TOO_EARLY, "wave %u may begin at %s", wave, text_time(begins_ms, when));
	return VERDICT_AUTHORISED;
}

static enum verdict approved_or_covered(const struct plan *plan, const struct list *approvals,
    const struct signed_policy *policy, const struct approval_keys *keys, struct policy_question *q,
    struct arena *arena, bool *ret_by_policy, char *text)
{
	enum verdict v = approvals_suffice(plan, approvals, keys, text);

	*ret_by_policy = false;
	if (v == VERDICT_AUTHORISED || v == VERDICT_NOT_CHECKED || !policy)
		return v;
	v = plan_under_policy(plan, policy, keys, q, arena, text);
	*ret_by_policy = v == VERDICT_AUTHORISED;
	return v;
}

/* What a policy allows, this host may still want a person for. */
static enum verdict automatic_here(const struct order *o, const struct host_rules *rules, char *text)
{
	uint32_t manual = component_set(&o->components) & ~component_set(&rules->automatic);
	if (manual)
		return say(text, VERDICT_NOT_AUTOMATIC_HERE, "this host wants a person before %s of %s is rolled back",
		    component_in(manual), o->service);
	const char *run = o->kind == ORDER_ACTION ? o->plan->action : o->plan->first;
	if (!run)
		return VERDICT_AUTHORISED;
	for (size_t i = 0; i < rules->actions.count; i++)
		if (!strcmp(LIST_AT(rules->actions, const char *, i), run))
			return VERDICT_AUTHORISED;
	return say(
	    text, VERDICT_NOT_AUTOMATIC_HERE, "this host wants a person before %s is run for %s", run, o->service);
}

enum verdict order_authorised(
    const struct order *o, const struct host_rules *rules, struct arena *arena, char text[APPROVAL_TEXT_MAX])
{
	struct err err = ERR_INIT;
	struct policy_question q = {.now_ms = rules->now_ms};
	bool by_policy;
	enum verdict v;

	if (record_check(&order_type, o, &err) != ERR_OK)
		return say(text, VERDICT_NOT_CHECKED, "%s", err.msg);
	if (strcmp(o->host, rules->host))
		return say(text, VERDICT_WRONG_HOST, "the order is for %s, this is %s", o->host, rules->host);
	if (rules->now_ms > o->expires_ms)
		return say(text, VERDICT_EXPIRED, "the order has expired");
	if (!order_is_changing(o->kind))
		return say(text, VERDICT_AUTHORISED, "%s changes nothing", enum_name(&order_kind_enum, o->kind));
	if (!o->plan)
		return say(text, VERDICT_NO_PLAN, "%s needs a plan", enum_name(&order_kind_enum, o->kind));

	const struct plan_host *host = plan_find_host(o->plan, rules->host);
	v = order_fits_plan(o, host, text);
	if (v == VERDICT_AUTHORISED)
		v = plan_in_time(o->plan, host->wave, rules->now_ms, text);
	if (v == VERDICT_AUTHORISED)
		v = approved_or_covered(o->plan, &o->approvals, o->policy, rules->keys, &q, arena, &by_policy, text);
	return v == VERDICT_AUTHORISED && by_policy ? automatic_here(o, rules, text) : v;
}

enum verdict plan_authorised(const struct plan *plan, const struct list *approvals, const struct signed_policy *policy,
    const struct fleet_rules *rules, struct arena *arena, char text[APPROVAL_TEXT_MAX])
{
	struct policy_question q = {
	    .now_ms = rules->now_ms,
	    .judge_incident = true,
	    .severity = rules->severity,
	    .confidence = rules->confidence,
	};
	bool by_policy;

	if (rules->now_ms > plan->expires_ms)
		return say(text, VERDICT_EXPIRED, "the plan has expired");
	return approved_or_covered(plan, approvals, policy, rules->keys, &q, arena, &by_policy, text);
}
