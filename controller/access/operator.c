#include "controller/access/access.h"
#include "shared/base/text.h"

enum err_code access_operator_get(
    struct turn *t, const char *name, struct operator* ret, bool *ret_found, struct err *reterr)
{
	struct operator key = {.name = name};
	return turn_get(t, &operator_table, &key, ret, ret_found, reterr);
}

static bool is_admin(const struct operator* o)
{
	bool admin = false;
	for (size_t i = 0; i < o->roles.count; i++)
		admin |= LIST_AT(o->roles, uint32_t, i) == ROLE_ADMIN;
	return admin && !o->disabled;
}

static enum err_code other_admin(struct turn *t, const char *but, bool *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct operator o;
	bool any = false;
	enum err_code rc = turn_scan_key(t, &operator_table, NULL, 0, false, &scan, reterr);
	while (!any && turn_scan_step(&scan, &o, &rc, reterr))
		any = is_admin(&o) && !text_equal(o.name, but);
	if (rc == ERR_OK)
		*ret = any;
	return rc;
}

/* Nobody could undo it: the fleet would have no one who may give roles. */
static enum err_code keep_an_admin(
    struct turn *t, const struct operator* old, const struct operator* new, struct err *reterr)
{
	if (!is_admin(old) || is_admin(new))
		return ERR_OK;
	bool any;
	enum err_code rc = other_admin(t, old->name, &any, reterr);
	if (rc == ERR_OK && !any)
		rc = err_set(
		    reterr, ERR_DENIED, "%s is the last admin: give the role to somebody else first", old->name);
	return rc;
}

enum err_code access_operator_put(struct turn *t, const struct actor *who, const struct operator* o, struct err *reterr)
{
	struct operator old, new = *o;
	bool found;
	enum err_code rc = access_operator_get(t, o->name, &old, &found, reterr);
	if (rc == ERR_OK && found)
		rc = keep_an_admin(t, &old, o, reterr);
	if (rc != ERR_OK)
		return rc;
	new.created_ms = found ? old.created_ms : turn_now_ms(t);
	new.changed_ms = turn_now_ms(t);
	rc = turn_put(t, &operator_table, &new, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "operator %s", o->name);
	struct buf roles = BUF_INIT;
	record_field_text(record_field(&operator_type, "roles"), &new, &roles);
	rc = audit_note(t, who, found ? "operator.change" : "operator.add", "operator", o->name, AUDIT_DONE, reterr,
	    "roles %s, %zu keys%s", buf_str(&roles), new.keys.count, new.disabled ? ", disabled" : "");
	buf_done(&roles);
	return rc;
}

enum err_code access_operator_seed(struct turn *t, const struct list *operators, struct err *reterr)
{
	for (size_t i = 0; i < operators->count; i++) {
		const struct operator* o = & LIST_AT(*operators, struct operator, i);
		struct operator old;
		bool found;
		enum err_code rc = access_operator_get(t, o->name, &old, &found, reterr);
		if (rc == ERR_OK && !found)
			rc = access_operator_put(t, &actor_controller, o, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}
