/* controller/access/permission.c: the one table of what each role may do.  What it does not name is refused. */
#include "controller/access/access.h"
#include "shared/base/text.h"

enum {
	VIEWER = 1u << ROLE_VIEWER,
	RESPONDER = 1u << ROLE_RESPONDER,
	APPROVER = 1u << ROLE_APPROVER,
	ADMIN = 1u << ROLE_ADMIN,
	READ = VIEWER | RESPONDER | APPROVER | ADMIN,
	ACT = RESPONDER | ADMIN, /* approving is apart on purpose: an admin's word is not an approval unless they hold
				    that role too */
	STOP = RESPONDER | APPROVER | ADMIN, /* stopping needs no more than being on call (RULES R19) */
};

/* noun, verb, roles, anonymous.  Grouped by noun; reading first. */
const struct permission access_permissions[] = {
    {"status", "show", READ, false}, {"event", "watch", READ, false}, {"host", "list", READ, false},
    {"host", "show", READ, false}, {"host", "unbar", ADMIN, false}, {"host", "revoke", ADMIN, false},
    {"service", "list", READ, false}, {"service", "show", READ, false}, {"service", "probe", ACT, false},
    {"service", "maintenance", ACT, false}, {"snapshot", "list", READ, false}, {"snapshot", "show", READ, false},
    {"snapshot", "create", ACT, false}, {"snapshot", "verify", ACT, false}, {"snapshot", "condemn", STOP, false},
    {"rollback", "list", READ, false}, {"rollback", "show", READ, false}, {"rollback", "plan", ACT, false},
    {"action", "start", ACT, false}, {"rollback", "start", ACT, false}, {"rollback", "undo", ACT, false},
    {"rollback", "cancel", STOP, false}, {"order", "list", READ, false}, {"order", "show", READ, false},
    {"recovery", "board", READ, false}, {"incident", "list", READ, false}, {"incident", "show", READ, false},
    {"incident", "open", ACT, false}, {"incident", "acknowledge", ACT, false}, {"incident", "assign", ACT, false},
    {"incident", "investigate", ACT, false}, {"incident", "identify", ACT, false}, {"incident", "resolve", ACT, false},
    {"incident", "reopen", ACT, false}, {"incident", "note", STOP, false}, {"incident", "close", ACT, false},
    {"change", "list", READ, false}, {"change", "show", READ, false}, {"change", "request", ACT, false},
    {"change", "approve", APPROVER, false}, {"change", "reject", APPROVER, false}, {"change", "cancel", STOP, false},
    {"change", "start", ACT, false}, {"change", "review", APPROVER | ADMIN, false}, {"policy", "list", READ, false},
    {"policy", "show", READ, false}, {"policy", "install", ADMIN, false}, {"policy", "remove", STOP, false},
    {"diagnosis", "list", READ, false}, {"diagnosis", "show", READ, false}, {"diagnosis", "start", ACT, false},
    {"diagnosis", "confirm", ACT, false}, {"diagnosis", "correct", ACT, false}, {"past", "list", READ, false},
    {"past", "show", READ, false}, {"pattern", "list", READ, false}, {"pattern", "show", READ, false},
    {"knowledge", "list", READ, false}, {"knowledge", "show", READ, false}, {"knowledge", "add", ACT, false},
    {"notify", "list", READ, false}, {"notify", "show", READ, false}, {"notify", "test", ACT, false},
    {"oncall", "show", READ, false}, {"audit", "list", READ, false}, {"audit", "show", READ, false},
    {"audit", "verify", READ, false}, {"audit", "proof", READ, false}, {"audit", "checkpoint", APPROVER | ADMIN, false},
    {"operator", "list", READ, false}, {"operator", "show", READ, false}, {"operator", "put", ADMIN, false},
    {"ca", "list", READ, false}, {"ca", "show", READ, false}, {"ca", "token", ADMIN, false},
    {"ca", "revoke", ADMIN, false}, {"ca", "enrol", 0, true}, /* whoever holds a token; the token is the permission */
    {"controller", "halt", STOP, false}, {"controller", "resume", ADMIN, false},
    {"controller", "confirm", ADMIN, false}, /* a restored controller may command again */
};
const size_t access_permission_count = sizeof(access_permissions) / sizeof(access_permissions[0]);

static uint32_t role_bits(const struct operator* o)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < o->roles.count; i++) {
		uint32_t role = LIST_AT(o->roles, uint32_t, i);
		if (role < ROLE_COUNT)
			bits |= 1u << role;
	}
	return bits;
}

/* The roles that count now: none for an unknown or disabled operator. */
static enum err_code roles_of(struct turn *t, const char *name, uint32_t *ret_bits, struct err *reterr)
{
	struct operator o;
	bool found = false;
	if (name) {
		enum err_code rc = access_operator_get(t, name, &o, &found, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	*ret_bits = found && !o.disabled ? role_bits(&o) : 0;
	return ERR_OK;
}

enum err_code access_allowed(struct turn *t, const char *operator_name, const char *noun, const char *verb,
    bool *ret_allowed, struct err *reterr)
{
	uint32_t bits;
	enum err_code rc = roles_of(t, operator_name, &bits, reterr);
	if (rc != ERR_OK)
		return rc;
	bool allowed = false;
	for (size_t i = 0; i < access_permission_count; i++) {
		const struct permission *p = &access_permissions[i];
		if (text_equal(p->noun, noun) && text_equal(p->verb, verb))
			allowed = p->anonymous || (p->roles & bits) != 0;
	}
	*ret_allowed = allowed;
	return ERR_OK;
}

enum err_code access_has_role(struct turn *t, const char *operator_name, enum role role, bool *ret, struct err *reterr)
{
	uint32_t bits;
	enum err_code rc = roles_of(t, operator_name, &bits, reterr);
	if (rc == ERR_OK)
		*ret = (bits & 1u << role) != 0;
	return rc;
}
