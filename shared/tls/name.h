/* shared/tls/name.h: the name that a certificate carries: spiffe://<domain>/host/<name>, …/operator/<name>,
 * …/controller/<name>, as its one URI in the subject alternative name (a subset of SPIFFE-ID §2).
 *
 * Pure.  One name has one spelling: lower-case scheme, domain and role, no percent-encoding, no port, no query, no
 * empty or extra segment.  A domain is a DNS name in lower case (labels of letters, digits and inner hyphens, a dot
 * between them, none at the end).  A name has 1 to NAME_MAX_BYTES letters, digits, '.', '_' and '-', and begins with a
 * letter or digit. */
#ifndef KEDGE_SHARED_TLS_NAME_H
#define KEDGE_SHARED_TLS_NAME_H

#include "shared/base/err.h"
#include "shared/tls/limits.h"

enum tls_role { TLS_ROLE_HOST, TLS_ROLE_OPERATOR, TLS_ROLE_CONTROLLER, TLS_ROLE_COUNT };

struct tls_name {
	enum tls_role role;
	char domain[TLS_DOMAIN_MAX];
	char name[TLS_NAME_MAX];
};

const char *tls_role_text(enum tls_role role); /* "host" "operator" "controller"; "unknown" outside the enum */

/* uri need not end with NUL.  ERR_INVALID says which part is wrong. */
ERR_CHECK enum err_code tls_name_parse(const void *uri, size_t size_bytes, struct tls_name *ret, struct err *reterr);
/* From parts; ERR_INVALID as above. */
ERR_CHECK enum err_code tls_name_make(
    enum tls_role role, const char *domain, const char *name, struct tls_name *ret, struct err *reterr);
char *tls_name_format(const struct tls_name *name, char out[TLS_URI_MAX]); /* returns out */
bool tls_domain_valid(const char *domain);

#endif
