/* agent/repository/key.h: the secrets of a repository and everything made of them.
 *
 * keys/repository (0600, JSON) holds, with a version and the repository's id:
 *   naming    32 bytes: names chunks, cuts files, cuts tree pages.  Never changes, or nothing would be recognised
 * again. masters   numbered 32-byte secrets; packs and manifests say which number sealed them, the highest seals new
 * ones, so that a key can be retired without rewriting data. signing   the seed of this host's Ed25519 key;
 * keys/host.pub is its public half for other machines. Copies of all this, wrapped to recovery public keys, are in
 * keys/recovery (recovery.h).
 *
 * Derived (HKDF-SHA-256, RFC 5869; salt: repository id; info: purpose, NUL, context):
 *   naming  "chunk name" -> HMAC-SHA-256 key of chunk ids      "chunk cut" -> gear table      "tree cut" -> SipHash key
 * of page ends "index" -> GMAC key of the index master  "pack" + pack id -> AES-256-GCM key of one pack     "manifest"
 * + snapshot id -> of one manifest Each AES key seals one object whose nonces are counted, so no nonce ever comes twice
 * under one key.
 *
 * A struct keys is immutable and shared by threads; struct namer and struct sealer belong to one thread. */
#ifndef KEDGE_AGENT_REPOSITORY_KEY_H
#define KEDGE_AGENT_REPOSITORY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/repository/limits.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/err.h"

enum { KEY_SIZE = 32, SEAL_TAG_SIZE = 16, SIGNATURE_SIZE = 64, REPO_ID_SIZE = 16 };

struct keys;
/* Fresh secrets from the kernel. */
ERR_CHECK enum err_code keys_new(const char *host, struct keys **ret, struct err *reterr);
ERR_CHECK enum err_code keys_load(const char *path, struct keys **ret, struct err *reterr);
ERR_CHECK enum err_code keys_store(const struct keys *k, const char *path, struct err *reterr);
void keys_free(struct keys *k);
CLEANUP_DEFINE(struct keys, keys_cleanup, keys_free)
/* The key file's bytes: whoever gets them wipes them.  ERR_CORRUPT. */
ERR_CHECK enum err_code keys_text(const struct keys *k, struct buf *out, struct err *reterr);
ERR_CHECK enum err_code keys_parse(const void *text, size_t size, struct keys **ret, struct err *reterr);
/* One more master, which seals from now on.  Before anybody else sees k.  ERR_LIMIT. */
ERR_CHECK enum err_code keys_rotate(struct keys *k, struct err *reterr);

const char *keys_host(const struct keys *k);
const uint8_t *keys_repo_id(const struct keys *k);
uint32_t keys_newest(const struct keys *k);       /* number of the master that seals new objects */
const uint8_t *keys_public(const struct keys *k); /* 32 bytes */

/* of_master: ERR_NOT_FOUND when this repository has no such number. */
ERR_CHECK enum err_code keys_derive(const struct keys *k, uint32_t number, const char *purpose, const void *context,
    size_t context_size, uint8_t out[KEY_SIZE], struct err *reterr);
ERR_CHECK enum err_code keys_derive_naming(
    const struct keys *k, const char *purpose, uint8_t *out, size_t size, struct err *reterr);

/* domain separates what is signed from anything else ever signed with this key. */
ERR_CHECK enum err_code keys_sign(const struct keys *k, const char *domain, const void *data, size_t size,
    uint8_t out[SIGNATURE_SIZE], struct err *reterr);
bool keys_verify(const uint8_t public_key[32], const char *domain, const void *data, size_t size,
    const uint8_t signature[SIGNATURE_SIZE]);

/* ---- chunk names ---- */

struct chunk_id {
	uint8_t b[CHUNK_ID_SIZE];
};

struct namer;
ERR_CHECK enum err_code namer_new(const struct keys *k, struct namer **ret, struct err *reterr);
void namer_free(struct namer *n);
CLEANUP_DEFINE(struct namer, namer_cleanup, namer_free)
void namer_name(struct namer *n, const void *data, size_t size, struct chunk_id *ret);

/* ---- sealing ---- */

struct sealer;
ERR_CHECK enum err_code sealer_new(const uint8_t key[KEY_SIZE], struct sealer **ret, struct err *reterr);
void sealer_free(struct sealer *s);
CLEANUP_DEFINE(struct sealer, sealer_cleanup, sealer_free)
/* In place; the tag goes behind the data (SEAL_TAG_SIZE bytes of room).  counter: unique under this key. */
ERR_CHECK enum err_code sealer_seal(struct sealer *s, uint64_t counter, const void *aad, size_t aad_size, uint8_t *data,
    size_t size, struct err *reterr);
/* In place; size without the tag that follows.  False: not what was sealed. */
bool sealer_open(struct sealer *s, uint64_t counter, const void *aad, size_t aad_size, uint8_t *data, size_t size);

#endif
