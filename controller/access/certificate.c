#include <string.h>

#include "controller/access/access.h"
#include "shared/base/text.h"

enum err_code access_certificate_issued(
    struct turn *t, const struct actor *who, const struct issued_certificate *c, struct err *reterr)
{
	struct issued_certificate old = {.serial = c->serial};
	bool found;
	enum err_code rc = turn_get(t, &certificate_table, &old, &old, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (found)
		return err_set(reterr, ERR_EXISTS, "certificate %s was issued before", c->serial);
	rc = turn_put(t, &certificate_table, c, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "certificate %s", c->serial);
	char until[TEXT_TIME_MAX];
	return audit_note(t, who, "certificate.issue", "certificate", c->serial, AUDIT_DONE, reterr, "%s %s until %s",
	    enum_name(&certificate_role_enum, c->role), c->name, text_time(c->not_after_ms, until));
}

static enum err_code revoke_one(
    struct turn *t, const struct actor *who, struct issued_certificate *c, const char *reason, struct err *reterr)
{
	c->revoked_ms = turn_now_ms(t);
	c->revoked_by = actor_text(t, who);
	c->reason = reason;
	enum err_code rc = turn_put(t, &certificate_table, c, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "certificate %s", c->serial);
	return audit_note(t, who, "certificate.revoke", "certificate", c->serial, AUDIT_DONE, reterr, "%s %s: %s",
	    enum_name(&certificate_role_enum, c->role), c->name, reason ? reason : "no reason given");
}

static enum err_code tell_edges(struct turn *t, struct err *reterr)
{
	return turn_emit(t, &(struct effect){.kind = EFFECT_REVOCATIONS}, reterr);
}

/* As shared/tls writes serials and compares them: lower-case hex, whole octets. */
static bool is_serial(const char *text)
{
	size_t n = strlen(text), hex = strspn(text, "0123456789abcdef");
	return n >= ACCESS_SERIAL_LEAST && n <= ACCESS_SERIAL_MAX && hex == n && n % 2 == 0;
}

enum err_code access_certificate_revoke(
    struct turn *t, const struct actor *who, const struct issued_certificate *c, const char *reason, struct err *reterr)
{
	struct issued_certificate key = {.serial = c->serial}, known;
	bool found;
	enum err_code rc = turn_get(t, &certificate_table, &key, &known, &found, reterr);
	if (rc != ERR_OK || (found && known.revoked_ms))
		return rc;
	if (!found) {
		if (!is_serial(c->serial))
			return err_set(reterr, ERR_INVALID,
			    "\"%s\" is no serial: expected lower-case hex, as `kedge ca show FILE` prints it",
			    c->serial);
		known = *c;
		known.name = c->name ? c->name : "not-issued-here";
		known.not_after_ms = c->not_after_ms ? c->not_after_ms : turn_now_ms(t) + ACCESS_UNKNOWN_LIFE_MS;
	}
	rc = revoke_one(t, who, &known, reason, reterr);
	return rc == ERR_OK ? tell_edges(t, reterr) : rc;
}

enum err_code access_revoke_name(struct turn *t, const struct actor *who, enum certificate_role role, const char *name,
    const char *reason, size_t *ret_count, struct err *reterr)
{
	struct issued_certificate like = {.name = name};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct issued_certificate c;
	enum err_code rc = turn_scan_index(t, &certificate_table, "name", &like, false, &scan, reterr);
	size_t count = 0;
	while (turn_scan_step(&scan, &c, &rc, reterr)) {
		if (c.role != role || c.revoked_ms || c.not_after_ms <= turn_now_ms(t))
			continue;
		rc = revoke_one(t, who, &c, reason, reterr);
		count++;
	}
	if (rc == ERR_OK && count > 0)
		rc = tell_edges(t, reterr);
	if (rc == ERR_OK)
		*ret_count = count;
	return rc;
}

static enum err_code revoked_walk(struct turn *t, const char **out, size_t room, size_t *ret_count, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct issued_certificate c;
	enum err_code rc = turn_scan_key(t, &certificate_table, NULL, 0, false, &scan, reterr);
	size_t count = 0;
	while (turn_scan_step(&scan, &c, &rc, reterr)) {
		if (!c.revoked_ms || c.not_after_ms <= turn_now_ms(t))
			continue;
		if (count < room)
			out[count] = c.serial;
		count++;
	}
	if (rc == ERR_OK)
		*ret_count = count;
	return rc;
}

enum err_code access_revoked(struct turn *t, struct list *ret, struct err *reterr)
{
	size_t count;
	enum err_code rc = revoked_walk(t, NULL, 0, &count, reterr);
	if (rc != ERR_OK)
		return rc;
	const char **serials = arena_array(turn_arena(t), count + 1, sizeof(*serials));
	if (!serials)
		return err_set(reterr, ERR_NOMEM, "out of memory for %zu revoked certificates", count);
	rc = revoked_walk(t, serials, count, &count, reterr);
	if (rc == ERR_OK)
		*ret = (struct list){serials, count};
	return rc;
}

enum err_code access_is_revoked(struct turn *t, const char *serial, bool *ret, struct err *reterr)
{
	struct issued_certificate c = {.serial = serial};
	bool found;
	enum err_code rc = turn_get(t, &certificate_table, &c, &c, &found, reterr);
	if (rc == ERR_OK)
		*ret = found && c.revoked_ms != 0;
	return rc;
}
