/* certs/enrol_token.c: the one string that is carried from the operator to the host. */
#include "certs/enrol.h"

#include <string.h>

#include "shared/base/secret.h"
#include "shared/base/text.h"

static const char prefix[] = "kedge1.";

static bool is_hex(const char *s, size_t digits)
{
	return strspn(s, "0123456789abcdef") == digits && s[digits] == '\0';
}

static enum err_code check(const struct enrol_token *t, struct err *reterr)
{
	struct id id;
	if (id_parse(ID_ENROLMENT, t->enrolment, &id, NULL) != ERR_OK)
		return err_set(
		    reterr, ERR_INVALID, "the token's first part is not the id of an enrolment: was it copied whole?");
	if (!is_hex(t->secret, sizeof t->secret - 1))
		return err_set(
		    reterr, ERR_INVALID, "the token's second part is not 64 hex digits: was it copied whole?");
	if (!is_hex(t->fingerprint, sizeof t->fingerprint - 1))
		return err_set(
		    reterr, ERR_INVALID, "the token's third part is not 64 hex digits: was it copied whole?");
	return ERR_OK;
}

/* Up to the next '.', or the end; NULL: too long. */
static const char *part(const char *at, char *out, size_t size)
{
	size_t n = strcspn(at, ".");
	if (n >= size)
		return NULL;
	memcpy(out, at, n);
	out[n] = '\0';
	return at[n] == '.' ? at + n + 1 : at + n;
}

enum err_code enrol_token_parse(const char *text, struct enrol_token *ret, struct err *reterr)
{
	struct enrol_token t = {0};
	if (!text_starts(text, prefix))
		return err_set(
		    reterr, ERR_INVALID, "a token begins with \"%s\": `kedge host enrol NAME` makes one", prefix);
	const char *at = part(text + sizeof prefix - 1, t.enrolment, sizeof t.enrolment);
	if (at)
		at = part(at, t.secret, sizeof t.secret);
	if (at)
		at = part(at, t.fingerprint, sizeof t.fingerprint);
	enum err_code rc =
	    at && !*at && at[-1] != '.'
		? check(&t, reterr)
		: err_set(reterr, ERR_INVALID, "the token has a part too long or too many: was it copied whole?");
	if (rc == ERR_OK)
		*ret = t;
	secret_wipe(&t, sizeof t);
	return rc;
}

enum err_code enrol_token_format(const struct enrol_token *token, char out[ENROL_TOKEN_MAX], struct err *reterr)
{
	enum err_code rc = check(token, reterr);
	if (rc == ERR_OK && !text_format(out, ENROL_TOKEN_MAX, "%s%s.%s.%s", prefix, token->enrolment, token->secret,
				token->fingerprint))
		rc = err_set(reterr, ERR_LIMIT, "the token is too long");
	return rc;
}
