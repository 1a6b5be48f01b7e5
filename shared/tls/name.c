/* shared/tls/name.c: one pass over the URI, part by part. */
#include "shared/tls/name.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

_Static_assert(TLS_NAME_MAX == NAME_MAX_BYTES + 1, "a name must fit where names are stored");

static const char scheme[] = "spiffe://";
static const char *const role_texts[TLS_ROLE_COUNT] = {
    [TLS_ROLE_HOST] = "host", [TLS_ROLE_OPERATOR] = "operator", [TLS_ROLE_CONTROLLER] = "controller"};

const char *tls_role_text(enum tls_role role)
{
	return (unsigned)role < TLS_ROLE_COUNT ? role_texts[role] : "unknown";
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Labels of 1 to 63 letters, digits and inner hyphens (RFC 1123 §2.1), in lower case. */
static bool domain_ok(const char *s, size_t size)
{
	if (size == 0 || size >= TLS_DOMAIN_MAX)
		return false;
	size_t label = 0;
	for (size_t i = 0; i < size; i++) {
		bool last = i + 1 == size || s[i + 1] == '.';
		if (s[i] == '.') {
			if (label == 0 || last)
				return false;
			label = 0;
			continue;
		}
		bool hyphen = s[i] == '-' && label > 0 && !last;
		if ((!is_lower_alnum(s[i]) && !hyphen) || ++label > 63)
			return false;
	}
	return label > 0;
}

static bool name_ok(const char *s, size_t size)
{
	if (size == 0 || size >= TLS_NAME_MAX || !is_alnum(s[0]))
		return false;
	for (size_t i = 1; i < size; i++) {
		if (!is_alnum(s[i]) && s[i] != '.' && s[i] != '_' && s[i] != '-')
			return false;
	}
	return true;
}

bool tls_domain_valid(const char *domain)
{
	return domain && domain_ok(domain, strnlen(domain, TLS_DOMAIN_MAX));
}

static enum err_code role_parse(const char *s, size_t size, enum tls_role *ret, struct err *reterr)
{
	for (unsigned i = 0; i < TLS_ROLE_COUNT; i++) {
		if (size == strlen(role_texts[i]) && memcmp(s, role_texts[i], size) == 0) {
			*ret = (enum tls_role)i;
			return ERR_OK;
		}
	}
	return err_set(reterr, ERR_INVALID, "the name's role is none of host, operator, controller");
}

enum err_code tls_name_parse(const void *uri, size_t size_bytes, struct tls_name *ret, struct err *reterr)
{
	const char *s = uri;
	size_t skip = sizeof(scheme) - 1;
	if (size_bytes >= TLS_URI_MAX)
		return err_set(reterr, ERR_INVALID, "the name is longer than %d bytes", TLS_URI_MAX - 1);
	if (size_bytes < skip || memcmp(s, scheme, skip) != 0)
		return err_set(reterr, ERR_INVALID, "the name does not begin with %s", scheme);
	const char *domain = s + skip, *end = s + size_bytes;
	const char *slash = memchr(domain, '/', (size_t)(end - domain));
	if (!slash || !domain_ok(domain, (size_t)(slash - domain)))
		return err_set(reterr, ERR_INVALID, "the name's domain is not a DNS name in lower case");
	const char *role = slash + 1;
	slash = memchr(role, '/', (size_t)(end - role));
	if (!slash)
		return err_set(reterr, ERR_INVALID, "the name has no last part");
	enum tls_role parsed = TLS_ROLE_COUNT;
	enum err_code rc = role_parse(role, (size_t)(slash - role), &parsed, reterr);
	if (rc != ERR_OK)
		return rc;
	const char *name = slash + 1;
	if (!name_ok(name, (size_t)(end - name)))
		return err_set(reterr, ERR_INVALID,
		    "the name's last part is not 1 to %d letters, digits, '.', '_' and '-' after a letter or digit",
		    NAME_MAX_BYTES);
	*ret = (struct tls_name){.role = parsed};
	memcpy(ret->domain, domain, (size_t)(role - 1 - domain));
	memcpy(ret->name, name, (size_t)(end - name));
	return ERR_OK;
}

enum err_code tls_name_make(
    enum tls_role role, const char *domain, const char *name, struct tls_name *ret, struct err *reterr)
{
	char uri[TLS_URI_MAX];
	if (!domain || !name || (unsigned)role >= TLS_ROLE_COUNT ||
	    !text_format(uri, sizeof(uri), "%s%s/%s/%s", scheme, domain, tls_role_text(role), name))
		return err_set(reterr, ERR_INVALID, "a name needs a role, a domain and a last part");
	return tls_name_parse(uri, strlen(uri), ret, reterr);
}

char *tls_name_format(const struct tls_name *name, char out[TLS_URI_MAX])
{
	snprintf(out, TLS_URI_MAX, "%s%s/%s/%s", scheme, name->domain, tls_role_text(name->role), name->name);
	return out;
}
