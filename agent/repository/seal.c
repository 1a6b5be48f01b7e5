/* The primitives over libcrypto: derivation, signatures, names, sealing. */
#include "shared/base/openssl.h"

#include <assert.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "agent/repository/key.h"
#include "agent/repository/seal.h"
#include "shared/base/secret.h"

static enum err_code crypto_failed(const char *what, struct err *reterr)
{
	ERR_clear_error();
	return err_set(reterr, ERR_INTERNAL, "libcrypto failed: %s", what);
}

enum err_code seal_hkdf(const uint8_t *secret, size_t secret_size, const uint8_t *salt, size_t salt_size,
    const uint8_t *info, size_t info_size, uint8_t *out, size_t size, struct err *reterr)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_octet_string("key", (void *)secret, secret_size),
	    OSSL_PARAM_construct_octet_string("salt", (void *)salt, salt_size),
	    OSSL_PARAM_construct_octet_string("info", (void *)info, info_size),
	    OSSL_PARAM_construct_end(),
	};
	bool ok = ctx && EVP_KDF_derive(ctx, out, size, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? ERR_OK : crypto_failed("HKDF", reterr);
}

/* ---- signatures ---- */

enum err_code seal_public_of(const uint8_t seed[KEY_SIZE], uint8_t out[KEY_SIZE], struct err *reterr)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SIZE);
	size_t size = KEY_SIZE;
	bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 && size == KEY_SIZE;
	EVP_PKEY_free(key);
	return ok ? ERR_OK : crypto_failed("Ed25519 public key", reterr);
}

/* Ed25519 takes one message, so domain and data are joined through their digest: sign(domain NUL SHA-256(data)). */
static bool signed_message(const char *domain, const void *data, size_t size, uint8_t out[128], size_t *ret_size)
{
	size_t n = strlen(domain) + 1;
	assert(n + 32 <= 128);
	memcpy(out, domain, n);
	unsigned got = 0;
	*ret_size = n + 32;
	return EVP_Digest(data, size, out + n, &got, EVP_sha256(), NULL) == 1 && got == 32;
}

enum err_code seal_sign(const uint8_t seed[KEY_SIZE], const char *domain, const void *data, size_t size,
    uint8_t out[SIGNATURE_SIZE], struct err *reterr)
{
	uint8_t message[128];
	size_t message_size, signature_size = SIGNATURE_SIZE;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && signed_message(domain, data, size, message, &message_size) &&
		  EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestSign(ctx, out, &signature_size, message, message_size) == 1 &&
		  signature_size == SIGNATURE_SIZE;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? ERR_OK : crypto_failed("Ed25519 signature", reterr);
}

bool keys_verify(const uint8_t public_key[32], const char *domain, const void *data, size_t size,
    const uint8_t signature[SIGNATURE_SIZE])
{
	uint8_t message[128];
	size_t message_size;
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && signed_message(domain, data, size, message, &message_size) &&
		  EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, signature, SIGNATURE_SIZE, message, message_size) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

/* ---- key exchange ---- */

enum err_code seal_exchange_public(const uint8_t secret[KEY_SIZE], uint8_t out[KEY_SIZE], struct err *reterr)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, KEY_SIZE);
	size_t size = KEY_SIZE;
	bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 && size == KEY_SIZE;
	EVP_PKEY_free(key);
	return ok ? ERR_OK : crypto_failed("X25519 public key", reterr);
}

enum err_code seal_exchange(
    const uint8_t secret[KEY_SIZE], const uint8_t other[KEY_SIZE], uint8_t out[KEY_SIZE], struct err *reterr)
{
	EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, KEY_SIZE);
	EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other, KEY_SIZE);
	EVP_PKEY_CTX *ctx = mine && theirs ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
	size_t size = KEY_SIZE;
	/* A point of small order is refused by the derivation itself. */
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
		  EVP_PKEY_derive(ctx, out, &size) == 1 && size == KEY_SIZE;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(mine);
	EVP_PKEY_free(theirs);
	ERR_clear_error();
	return ok ? ERR_OK : err_set(reterr, ERR_INVALID, "not a usable X25519 key");
}

/* ---- names: HMAC (RFC 2104) with the padded key hashed once ---- */

struct namer {
	EVP_MD_CTX *inner, *outer, *work;
};

enum err_code namer_new(const struct keys *k, struct namer **ret, struct err *reterr)
{
	uint8_t pad[64] = {0};
	enum err_code rc = keys_derive_naming(k, "chunk name", pad, KEY_SIZE, reterr);
	if (rc)
		return rc;
	CLEANUP(namer_cleanup) struct namer *n = calloc(1, sizeof *n);
	if (!n)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	n->inner = EVP_MD_CTX_new();
	n->outer = EVP_MD_CTX_new();
	n->work = EVP_MD_CTX_new();
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36;
	bool ok = n->inner && n->outer && n->work && EVP_DigestInit_ex(n->inner, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(n->inner, pad, sizeof pad) == 1;
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	ok = ok && EVP_DigestInit_ex(n->outer, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(n->outer, pad, sizeof pad) == 1;
	secret_wipe(pad, sizeof pad);
	if (!ok)
		return crypto_failed("HMAC", reterr);
	*ret = TAKE_PTR(n);
	return ERR_OK;
}

void namer_free(struct namer *n)
{
	if (!n)
		return;
	EVP_MD_CTX_free(n->inner);
	EVP_MD_CTX_free(n->outer);
	EVP_MD_CTX_free(n->work);
	free(n);
}

/* Hashing in memory fails only when an allocation does; a wrong name must never get out, so that ends the process. */
static void must(int result)
{
	if (result != 1)
		abort();
}

void namer_name(struct namer *n, const void *data, size_t size, struct chunk_id *ret)
{
	uint8_t md[32];
	must(EVP_MD_CTX_copy_ex(n->work, n->inner));
	must(EVP_DigestUpdate(n->work, data, size));
	must(EVP_DigestFinal_ex(n->work, md, NULL));
	must(EVP_MD_CTX_copy_ex(n->work, n->outer));
	must(EVP_DigestUpdate(n->work, md, sizeof md));
	must(EVP_DigestFinal_ex(n->work, md, NULL));
	memcpy(ret->b, md, CHUNK_ID_SIZE);
}

/* ---- a running SHA-256 ---- */

struct sha256 {
	EVP_MD_CTX *ctx;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->ctx = EVP_MD_CTX_new();
	if (!s->ctx || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
		sha256_free(s);
		return NULL;
	}
	return s;
}

void sha256_free(struct sha256 *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->ctx);
	free(s);
}

void sha256_add(struct sha256 *s, const void *data, size_t size)
{
	must(EVP_DigestUpdate(s->ctx, data, size));
}

void sha256_end(struct sha256 *s, uint8_t out[32])
{
	must(EVP_DigestFinal_ex(s->ctx, out, NULL));
	must(EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL));
}

void sha1_of(const void *head, size_t head_size, int (*next)(void *ctx, const void **data, size_t *size), void *ctx,
    uint8_t out[20])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	must(md && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1);
	must(EVP_DigestUpdate(md, head, head_size));
	const void *data;
	size_t size;
	while (next(ctx, &data, &size))
		must(EVP_DigestUpdate(md, data, size));
	must(EVP_DigestFinal_ex(md, out, NULL));
	EVP_MD_CTX_free(md);
}

/* ---- sealing ---- */

struct sealer {
	EVP_CIPHER_CTX *seal, *open;
};

enum err_code sealer_new(const uint8_t key[KEY_SIZE], struct sealer **ret, struct err *reterr)
{
	CLEANUP(sealer_cleanup) struct sealer *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	s->seal = EVP_CIPHER_CTX_new();
	s->open = EVP_CIPHER_CTX_new();
	if (!s->seal || !s->open || EVP_EncryptInit_ex(s->seal, EVP_aes_256_gcm(), NULL, key, NULL) != 1 ||
	    EVP_DecryptInit_ex(s->open, EVP_aes_256_gcm(), NULL, key, NULL) != 1)
		return crypto_failed("AES-256-GCM", reterr);
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	EVP_CIPHER_CTX_free(s->seal);
	EVP_CIPHER_CTX_free(s->open);
	free(s);
}

static void make_nonce(uint64_t counter, uint8_t nonce[12])
{
	memset(nonce, 0, 12);
	for (int i = 0; i < 8; i++)
		nonce[11 - i] = (uint8_t)(counter >> (8 * i));
}

enum err_code sealer_seal(struct sealer *s, uint64_t counter, const void *aad, size_t aad_size, uint8_t *data,
    size_t size, struct err *reterr)
{
	uint8_t nonce[12];
	int n;
	make_nonce(counter, nonce);
	assert(size <= INT32_MAX && aad_size <= INT32_MAX);
	if (EVP_EncryptInit_ex(s->seal, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(s->seal, NULL, &n, aad, (int)aad_size) != 1 ||
	    EVP_EncryptUpdate(s->seal, data, &n, data, (int)size) != 1 ||
	    EVP_EncryptFinal_ex(s->seal, data + size, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(s->seal, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, data + size) != 1)
		return crypto_failed("AES-256-GCM", reterr);
	return ERR_OK;
}

bool sealer_open(struct sealer *s, uint64_t counter, const void *aad, size_t aad_size, uint8_t *data, size_t size)
{
	uint8_t nonce[12], rest[16];
	int n;
	make_nonce(counter, nonce);
	assert(size <= INT32_MAX && aad_size <= INT32_MAX);
	bool ok = EVP_DecryptInit_ex(s->open, NULL, NULL, NULL, nonce) == 1 &&
		  EVP_DecryptUpdate(s->open, NULL, &n, aad, (int)aad_size) == 1 &&
		  EVP_DecryptUpdate(s->open, data, &n, data, (int)size) == 1 &&
		  EVP_CIPHER_CTX_ctrl(s->open, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_SIZE, data + size) == 1 &&
		  EVP_DecryptFinal_ex(s->open, rest, &n) == 1;
	ERR_clear_error();
	return ok;
}

/* ---- GMAC ---- */

struct gmac {
	EVP_CIPHER_CTX *ctx;
};

struct gmac *gmac_new(const uint8_t key[KEY_SIZE], const uint8_t nonce[12])
{
	struct gmac *g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	g->ctx = EVP_CIPHER_CTX_new();
	if (!g->ctx || EVP_EncryptInit_ex(g->ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1) {
		gmac_free(g);
		return NULL;
	}
	return g;
}

void gmac_add(struct gmac *g, const void *data, size_t size)
{
	int n;
	assert(size <= INT32_MAX);
	must(EVP_EncryptUpdate(g->ctx, NULL, &n, data, (int)size));
}

void gmac_end(struct gmac *g, uint8_t out[SEAL_TAG_SIZE])
{
	uint8_t rest[16];
	int n;
	must(EVP_EncryptFinal_ex(g->ctx, rest, &n));
	must(EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_SIZE, out));
}

void gmac_free(struct gmac *g)
{
	if (!g)
		return;
	EVP_CIPHER_CTX_free(g->ctx);
	free(g);
}
