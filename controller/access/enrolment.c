#include "controller/access/access.h"

#include <assert.h>

#include "shared/base/openssl.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include <openssl/evp.h>

static struct digest secret_hash(const void *secret, size_t size)
{
	struct digest d;
	unsigned length = sizeof(d.b);
	int ok = EVP_Digest(secret, size, d.b, &length, EVP_sha256(), NULL);
	assert(ok == 1 && length == sizeof(d.b)); /* only lack of memory can prevent it */
	return d;
}

enum err_code access_enrolment_create(struct turn *t, const struct actor *who, enum certificate_role role,
    const char *name, uint64_t lifetime_ms, struct enrolment *ret, uint8_t ret_secret[ACCESS_SECRET_BYTES],
    struct err *reterr)
{
	if (lifetime_ms == 0 || lifetime_ms > ACCESS_ENROLMENT_MAX_MS)
		return err_set(
		    reterr, ERR_INVALID, "an enrolment token lives for at most 7 days; ask for between 1 ms and that");
	uint8_t secret[ACCESS_SECRET_BYTES];
	random_fill(turn_random(t), secret, sizeof(secret));
	struct enrolment e = {
	    .enrolment = turn_id(t),
	    .secret = secret_hash(secret, sizeof(secret)),
	    .role = role,
	    .name = name,
	    .created_ms = turn_now_ms(t),
	    .expires_ms = turn_now_ms(t) + lifetime_ms,
	    .created_by = actor_text(t, who),
	};
	char until[TEXT_TIME_MAX];
	enum err_code rc = turn_put(t, &enrolment_table, &e, reterr);
	if (rc == ERR_OK)
		rc = audit_note(t, who, "enrolment.create", "enrolment", id_text(ID_ENROLMENT, e.enrolment), AUDIT_DONE,
		    reterr, "for %s %s until %s", enum_name(&certificate_role_enum, role), name,
		    text_time(e.expires_ms, until));
	if (rc == ERR_OK) {
		*ret = e;
		for (size_t i = 0; i < sizeof(secret); i++)
			ret_secret[i] = secret[i];
	}
	secret_wipe(secret, sizeof(secret));
	return rc;
}

/* The secret is compared in every case where there is something to compare with, so that time tells nothing about it.
 */
static enum enrolment_result judge(struct turn *t, const struct enrolment *e, bool found, const struct digest *given,
    enum certificate_role role, const char *name)
{
	static const struct digest nothing;
	bool same = secret_equal(found ? e->secret.b : nothing.b, given->b, sizeof(given->b));
	if (!found)
		return ENROLMENT_UNKNOWN;
	if (!same)
		return ENROLMENT_WRONG_SECRET;
	if (e->role != (uint32_t)role || !text_equal(e->name, name))
		return ENROLMENT_WRONG_NAME;
	if (e->used_ms)
		return ENROLMENT_USED;
	return e->expires_ms <= turn_now_ms(t) ? ENROLMENT_EXPIRED : ENROLMENT_OK;
}

enum err_code access_enrolment_redeem(struct turn *t, struct id enrolment, const void *secret, size_t secret_size,
    enum certificate_role role, const char *name, const char *address, enum enrolment_result *ret, struct err *reterr)
{
	struct enrolment e = {.enrolment = enrolment};
	bool found = false;
	enum err_code rc = ERR_OK;
	if (!id_is_zero(enrolment))
		rc = turn_get(t, &enrolment_table, &e, &e, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	struct digest given = secret_hash(secret, secret_size);
	enum enrolment_result result = judge(t, &e, found, &given, role, name);
	if (result == ENROLMENT_OK) {
		e.used_ms = turn_now_ms(t);
		e.used_from = address;
		rc = turn_put(t, &enrolment_table, &e, reterr);
	}
	struct actor who = {AUDIT_ANONYMOUS, NULL, address};
	if (rc == ERR_OK)
		rc = audit_note(t, &who, "enrolment.redeem", "enrolment", id_text(ID_ENROLMENT, enrolment),
		    result == ENROLMENT_OK ? AUDIT_DONE : AUDIT_REFUSED, reterr, "%s for %s %.*s",
		    enum_name(&enrolment_result_enum, result), enum_name(&certificate_role_enum, role), NAME_MAX_BYTES,
		    name ? name : "-");
	if (rc == ERR_OK)
		*ret = result;
	return rc;
}
