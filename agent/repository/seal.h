/* agent/repository/seal.h: the primitives under key.h.  Only seal.c of this folder sees libcrypto.  Pure. */
#ifndef KEDGE_AGENT_REPOSITORY_SEAL_H
#define KEDGE_AGENT_REPOSITORY_SEAL_H

#include "agent/repository/key.h"

ERR_CHECK enum err_code seal_hkdf(const uint8_t *secret, size_t secret_size, const uint8_t *salt, size_t salt_size,
    const uint8_t *info, size_t info_size, uint8_t *out, size_t size, struct err *reterr);
ERR_CHECK enum err_code seal_public_of(const uint8_t seed[KEY_SIZE], uint8_t out[KEY_SIZE], struct err *reterr);
ERR_CHECK enum err_code seal_sign(const uint8_t seed[KEY_SIZE], const char *domain, const void *data, size_t size,
    uint8_t out[SIGNATURE_SIZE], struct err *reterr);

/* X25519 (RFC 7748).  ERR_INVALID: the other's key is none. */
ERR_CHECK enum err_code seal_exchange_public(const uint8_t secret[KEY_SIZE], uint8_t out[KEY_SIZE], struct err *reterr);
ERR_CHECK enum err_code seal_exchange(
    const uint8_t secret[KEY_SIZE], const uint8_t other[KEY_SIZE], uint8_t out[KEY_SIZE], struct err *reterr);

struct sha256;
struct sha256 *sha256_new(void); /* NULL: out of memory */
void sha256_free(struct sha256 *s);
CLEANUP_DEFINE(struct sha256, sha256_cleanup, sha256_free)
void sha256_add(struct sha256 *s, const void *data, size_t size);
void sha256_end(struct sha256 *s, uint8_t out[32]); /* and begins anew */

/* SHA-1 of head and then of what next yields until it returns 0: the name of a git blob. */
void sha1_of(const void *head, size_t head_size, int (*next)(void *ctx, const void **data, size_t *size), void *ctx,
    uint8_t out[20]);

/* GMAC: authentication at memory speed; a nonce must never come twice under one key. */
struct gmac;
struct gmac *gmac_new(const uint8_t key[KEY_SIZE], const uint8_t nonce[12]); /* NULL: out of memory */
void gmac_add(struct gmac *g, const void *data, size_t size);
void gmac_end(struct gmac *g, uint8_t out[SEAL_TAG_SIZE]);
void gmac_free(struct gmac *g);
CLEANUP_DEFINE(struct gmac, gmac_cleanup, gmac_free)

#endif
