/* controller/change/policy.c: standing policies, signed beforehand by people. */
#include "controller/access/access.h"
#include "controller/change/change.h"
#include "shared/approval/approval.h"

enum err_code policy_get(
    struct turn *t, const char *name, struct standing_policy *ret, bool *ret_found, struct err *reterr)
{
	struct standing_policy key = {.name = name};
	return turn_get(t, &policy_table, &key, ret, ret_found, reterr);
}

enum err_code policy_install(struct turn *t, const struct actor *who, const struct signed_policy *doc,
    struct standing_policy *ret, struct err *reterr)
{
	struct approval_keys keys;
	enum err_code rc = change_keys(t, &keys, reterr);
	if (rc != ERR_OK)
		return rc;
	struct policy *policy = arena_alloc(turn_arena(t), sizeof *policy);
	if (!policy)
		return err_set(reterr, ERR_NOMEM, "out of memory for a policy");
	char why[APPROVAL_TEXT_MAX];
	enum verdict v = policy_open(doc, &keys, turn_arena(t), policy, why);
	if (v != VERDICT_AUTHORISED)
		return err_set(reterr, v == VERDICT_POLICY_UNREADABLE ? ERR_INVALID : ERR_DENIED,
		    "the policy is not taken: %s", why);
	if (policy->expires_ms && policy->expires_ms <= turn_now_ms(t))
		return err_set(reterr, ERR_INVALID, "policy %s has expired already: sign it again with a later date",
		    policy->name);
	*ret = (struct standing_policy){policy->name, doc, policy, turn_now_ms(t), who->name};
	if ((rc = turn_put(t, &policy_table, ret, reterr)) != ERR_OK)
		return rc;
	return audit_note(t, who, "policy.install", "policy", policy->name, AUDIT_DONE, reterr,
	    "standing policy %s, for at most %u hosts", policy->name, policy->max_hosts);
}

enum err_code policy_remove(struct turn *t, const struct actor *who, const char *name, struct err *reterr)
{
	struct standing_policy p;
	bool found;
	enum err_code rc = policy_get(t, name, &p, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no standing policy %s", name);
	if (rc != ERR_OK || (rc = turn_delete(t, &policy_table, &p, reterr)) != ERR_OK)
		return rc;
	return audit_note(t, who, "policy.remove", "policy", name, AUDIT_DONE, reterr, "standing policy %s", name);
}

enum err_code policy_find(struct turn *t, const struct policy_wish *wish, struct standing_policy *ret, bool *ret_found,
    const char **ret_why, struct err *reterr)
{
	struct policy_question q = {.service = wish->service,
	    .kind = wish->kind,
	    .action = wish->action,
	    .hosts = wish->hosts,
	    .components = wish->components,
	    .judge_incident = true,
	    .severity = wish->severity,
	    .confidence = wish->confidence,
	    .now_ms = turn_now_ms(t),
	    .first = wish->first};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	const char *why = "there is no standing policy";
	bool covers = false;
	struct standing_policy p;
	struct approval_keys keys;
	enum err_code rc = change_keys(t, &keys, reterr);
	if (rc == ERR_OK)
		rc = turn_scan_key(t, &policy_table, NULL, 0, false, &scan, reterr);
	while (!covers && turn_scan_step(&scan, &p, &rc, reterr)) {
		char text[APPROVAL_TEXT_MAX];
		struct policy signed_now; /* who signed it may have lost the role since */
		covers =
		    policy_open(p.signed_document, &keys, turn_arena(t), &signed_now, text) == VERDICT_AUTHORISED &&
		    policy_covers(&signed_now, &q, text) == VERDICT_AUTHORISED;
		if (!covers)
			why = arena_printf(turn_arena(t), "policy %s: %s", p.name, text);
	}
	if (rc != ERR_OK)
		return rc;
	if (covers)
		*ret = p;
	*ret_found = covers;
	*ret_why = covers ? NULL : why;
	return ERR_OK;
}
