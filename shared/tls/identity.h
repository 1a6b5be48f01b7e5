/* shared/tls/identity.h: our own certificate chain with its private key, and the authorities that we believe.
 *
 * Both are immutable once made and counted: _ref and _free may be called on any thread, so that a renewed identity can
 * be handed to a running listener while handshakes with the old one end.  The key is wiped with the last reference. */
#ifndef KEDGE_SHARED_TLS_IDENTITY_H
#define KEDGE_SHARED_TLS_IDENTITY_H

#include "shared/base/err.h"
#include "shared/tls/certificate.h"
#include "shared/tls/key.h"

struct tls_identity;

/* chain_pem: leaf first, then the issuing authorities.  ERR_INVALID: the key is not the leaf's, the leaf carries no
 * name of ours, or either cannot be read. */
ERR_CHECK enum err_code tls_identity_from_pem(const void *chain_pem, size_t chain_size, const void *key_pem,
    size_t key_size, struct tls_identity **ret, struct err *reterr);
/* key_path as in tls_key_load. */
ERR_CHECK enum err_code tls_identity_load(
    const char *chain_path, const char *key_path, struct tls_identity **ret, struct err *reterr);
struct tls_identity *tls_identity_ref(struct tls_identity *identity);
void tls_identity_free(struct tls_identity *identity); /* drops one reference; NULL is a no-op */
const struct tls_peer *tls_identity_peer(const struct tls_identity *identity); /* who we are */

struct tls_trust;

/* The only authorities that count: the operating system's are never added.  Every certificate must be an authority.
 * ERR_INVALID, ERR_LIMIT above TLS_TRUST_MAX. */
ERR_CHECK enum err_code tls_trust_from_pem(
    const void *pem, size_t size_bytes, struct tls_trust **ret, struct err *reterr);
ERR_CHECK enum err_code tls_trust_load(const char *path, struct tls_trust **ret, struct err *reterr);
struct tls_trust *tls_trust_ref(struct tls_trust *trust);
void tls_trust_free(struct tls_trust *trust); /* drops one reference; NULL is a no-op */

static inline void tls_identity_cleanup(struct tls_identity **p)
{
	tls_identity_free(*p);
}
static inline void tls_trust_cleanup(struct tls_trust **p)
{
	tls_trust_free(*p);
}

#endif
