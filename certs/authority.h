/* certs/authority.h: the authority: a root that stays offline, an issuing authority that signs, and the profiles of
 * what it signs.
 *
 * Keys are ECDSA P-256.  A name is a spiffe:// URI (shared/tls/name.h): host, operator, controller.  The key of whom a
 * certificate is for is made where it is used; only requests travel.  Profiles: controllers may be servers and clients,
 * hosts and operators clients only. Files of an authority's folder: root.pem root.key issuing.pem issuing.key
 * authority.pem (what everybody trusts: the root alone; peers show the issuing one with their own).  Keys are 0600.  No
 * file is ever overwritten, and what cannot be made whole is taken back. OpenSSL has the randomness; time is an
 * argument.  Any thread. */
#ifndef KEDGE_CERTS_AUTHORITY_H
#define KEDGE_CERTS_AUTHORITY_H

#include "shared/base/buf.h"
#include "shared/tls/certificate.h"
#include "shared/tls/key.h"

#define AUTHORITY_DAY_MS             (24ull * 3600 * 1000)
#define AUTHORITY_ROOT_LIFE_MS       (3650 * AUTHORITY_DAY_MS)
#define AUTHORITY_ISSUING_LIFE_MS    (1095 * AUTHORITY_DAY_MS)
#define AUTHORITY_CONTROLLER_LIFE_MS (90 * AUTHORITY_DAY_MS)
#define AUTHORITY_OPERATOR_LIFE_MS   (30 * AUTHORITY_DAY_MS)
#define AUTHORITY_HOST_LIFE_MS       (7 * AUTHORITY_DAY_MS)
#define AUTHORITY_LEAF_LIFE_MAX_MS                                                                                     \
	(400 * AUTHORITY_DAY_MS)                 /* an identity that outlives a year is one nobody remembers to renew */
#define AUTHORITY_BACKDATE_MS (5ull * 60 * 1000) /* clocks of peers that are a little behind */

enum { AUTHORITY_ADDRESSES_MAX = 16 };

/* Make root and issuing authority in a folder (made if missing, 0700).  ERR_EXISTS when one of the files is there. */
ERR_CHECK enum err_code authority_init(const char *folder, const char *domain, uint64_t now_ms, struct err *reterr);

struct authority; /* one that can sign */
/* ERR_NOT_FOUND, ERR_INVALID (no authority, not its key), ERR_DENIED (others may read the key). */
ERR_CHECK enum err_code authority_load(
    const char *certificate_path, const char *key_path, struct authority **ret, struct err *reterr);
void authority_free(struct authority *a); /* NULL is a no-op */
static inline void authority_cleanup(struct authority **a)
{
	authority_free(*a);
}
const char *authority_domain(
    const struct authority *a); /* the one that its name constraint permits; "" when it permits any, or a pattern */
/* SHA-256 of the first certificate's DER, lower-case hex: what enrolment tokens pin.  For authority.pem that is the
 * root. */
ERR_CHECK enum err_code authority_fingerprint(
    const char *authority_pem, size_t size, char out[TLS_FINGERPRINT_MAX], struct err *reterr);

struct certificate_order {
	const char *csr;      /* PEM */
	struct tls_name name; /* who it must be for: the request must ask for exactly this */
	uint64_t life_ms;     /* 1 to AUTHORITY_LEAF_LIFE_MAX_MS, cut to the authority's own */
	uint64_t now_ms;
	const char *const *addresses; /* controllers: IP addresses and DNS names, NULL-ended, at most
					 AUTHORITY_ADDRESSES_MAX; else NULL */
};
struct certificate_made {
	struct buf chain; /* PEM, leaf then issuing; the caller's: buf_done */
	char serial[TLS_SERIAL_MAX];
	uint64_t not_after_ms;
};
/* ERR_INVALID (not a good request, life or address), ERR_DENIED (it asks for another name, or one that this authority
 * may not give), ERR_STATE (the authority's own certificate is not valid now). */
ERR_CHECK enum err_code authority_sign(
    const struct authority *a, const struct certificate_order *o, struct certificate_made *ret, struct err *reterr);

/* Key, request, certificate into folder/key.pem and folder/cert.pem (0600, 0644): for controllers and operators beside
 * the authority. ERR_EXISTS when one of them is there. */
ERR_CHECK enum err_code authority_issue(const struct authority *a, const struct tls_name *name,
    const char *const *addresses, uint64_t life_ms, uint64_t now_ms, const char *folder, struct certificate_made *ret,
    struct err *reterr);

#endif
