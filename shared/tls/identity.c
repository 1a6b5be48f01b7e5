/* shared/tls/identity.c: counted, immutable holders of what handshakes use. */
#include <stdatomic.h>
#include <stdlib.h>

#include "shared/tls/internal.h"
#include <openssl/pem.h>

#include "shared/base/file.h"

struct tls_identity {
	atomic_uint references;
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	struct tls_peer peer;
};

struct tls_trust {
	atomic_uint references;
	X509_STORE *store;
	STACK_OF(X509_NAME) * names;
};

static void buf_cleanup(struct buf *b)
{
	buf_done(b);
}

void tls_identity_free(struct tls_identity *identity)
{
	if (!identity || atomic_fetch_sub(&identity->references, 1) != 1)
		return;
	X509_free(identity->leaf);
	EVP_PKEY_free(identity->key);
	sk_X509_pop_free(identity->chain, X509_free);
	free(identity);
}

struct tls_identity *tls_identity_ref(struct tls_identity *identity)
{
	if (identity)
		atomic_fetch_add(&identity->references, 1);
	return identity;
}

const struct tls_peer *tls_identity_peer(const struct tls_identity *identity)
{
	return &identity->peer;
}

X509 *tls_identity_leaf(const struct tls_identity *identity)
{
	return identity->leaf;
}

EVP_PKEY *tls_identity_key(const struct tls_identity *identity)
{
	return identity->key;
}

STACK_OF(X509) * tls_identity_chain(const struct tls_identity *identity)
{
	return identity->chain;
}

/* Takes over the certificates, also when it fails. */
static bool take_chain(struct tls_identity *identity, X509 **certificates, size_t count)
{
	identity->leaf = certificates[0];
	identity->chain = sk_X509_new_null();
	bool ok = identity->chain != NULL;
	for (size_t i = 1; i < count; i++) {
		if (!ok || sk_X509_push(identity->chain, certificates[i]) <= 0) {
			X509_free(certificates[i]);
			ok = false;
		}
	}
	return ok;
}

/* Takes over key and certificates, also when it fails. */
static enum err_code identity_new(
    X509 **certificates, size_t count, EVP_PKEY *key, struct tls_identity **ret, struct err *reterr)
{
	struct tls_identity *made = calloc(1, sizeof(*made));
	if (!made) {
		for (size_t i = 0; i < count; i++)
			X509_free(certificates[i]);
		EVP_PKEY_free(key);
		return err_set(reterr, ERR_NOMEM, "out of memory for an identity");
	}
	CLEANUP(tls_identity_cleanup) struct tls_identity *identity = made;
	atomic_init(&identity->references, 1);
	identity->key = key;
	if (!take_chain(identity, certificates, count))
		return err_set(reterr, ERR_NOMEM, "out of memory for an identity");
	if (X509_check_private_key(identity->leaf, identity->key) != 1)
		return tls_openssl_error(
		    reterr, ERR_INVALID, "the private key does not belong to the first certificate");
	enum err_code rc = tls_certificate_peer(identity->leaf, &identity->peer, reterr);
	if (rc == ERR_OK)
		*ret = TAKE_PTR(identity);
	return rc;
}

enum err_code tls_identity_from_pem(const void *chain_pem, size_t chain_size, const void *key_pem, size_t key_size,
    struct tls_identity **ret, struct err *reterr)
{
	X509 *certificates[TLS_CHAIN_MAX];
	size_t count;
	EVP_PKEY *key = NULL;
	enum err_code rc = tls_key_from_pem(key_pem, key_size, &key, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tls_certificates_from_pem(chain_pem, chain_size, certificates, &count, reterr);
	if (rc != ERR_OK) {
		EVP_PKEY_free(key);
		return rc;
	}
	return identity_new(certificates, count, key, ret, reterr);
}

enum err_code tls_identity_load(
    const char *chain_path, const char *key_path, struct tls_identity **ret, struct err *reterr)
{
	CLEANUP(buf_cleanup) struct buf pem = BUF_INIT;
	X509 *certificates[TLS_CHAIN_MAX];
	size_t count;
	EVP_PKEY *key = NULL;
	enum err_code rc = file_read(chain_path, TLS_PEM_MAX, &pem, reterr);
	if (rc == ERR_OK)
		rc = tls_key_load(key_path, &key, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tls_certificates_from_pem(pem.data, pem.size, certificates, &count, reterr);
	if (rc != ERR_OK) {
		EVP_PKEY_free(key);
		return err_prefix(reterr, rc, "%s", chain_path);
	}
	rc = identity_new(certificates, count, key, ret, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "%s", chain_path);
}

void tls_trust_free(struct tls_trust *trust)
{
	if (!trust || atomic_fetch_sub(&trust->references, 1) != 1)
		return;
	X509_STORE_free(trust->store);
	sk_X509_NAME_pop_free(trust->names, X509_NAME_free);
	free(trust);
}

struct tls_trust *tls_trust_ref(struct tls_trust *trust)
{
	if (trust)
		atomic_fetch_add(&trust->references, 1);
	return trust;
}

X509_STORE *tls_trust_store(const struct tls_trust *trust)
{
	return trust->store;
}

const STACK_OF(X509_NAME) * tls_trust_names(const struct tls_trust *trust)
{
	return trust->names;
}

static enum err_code trust_add(struct tls_trust *trust, X509 *authority, struct err *reterr)
{
	if (X509_check_ca(authority) < 1)
		return err_set(reterr, ERR_INVALID, "a certificate in it is no authority (basicConstraints CA:TRUE)");
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(authority));
	if (!name || sk_X509_NAME_push(trust->names, name) <= 0) {
		X509_NAME_free(name);
		return err_set(reterr, ERR_NOMEM, "out of memory for authorities");
	}
	if (X509_STORE_add_cert(trust->store, authority) != 1)
		return tls_openssl_error(reterr, ERR_INVALID, "adding an authority");
	return ERR_OK;
}

/* One certificate at a time: a bundle may be longer than a chain. */
static enum err_code trust_fill(struct tls_trust *trust, BIO *bio, struct err *reterr)
{
	ERR_clear_error();
	for (size_t count = 0;; count++) {
		CLEANUP(tls_certificate_cleanup) X509 *one = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		unsigned long e = ERR_peek_last_error();
		if (!one && ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE && count > 0) {
			ERR_clear_error();
			return ERR_OK;
		}
		if (!one)
			return tls_openssl_error(reterr, ERR_INVALID, "reading authority %zu (PEM)", count + 1);
		if (count == TLS_TRUST_MAX)
			return err_set(reterr, ERR_LIMIT, "more than %d authorities", TLS_TRUST_MAX);
		enum err_code rc = trust_add(trust, one, reterr);
		if (rc != ERR_OK)
			return rc;
	}
}

enum err_code tls_trust_from_pem(const void *pem, size_t size_bytes, struct tls_trust **ret, struct err *reterr)
{
	if (size_bytes == 0 || size_bytes > TLS_PEM_MAX)
		return err_set(reterr, ERR_INVALID, "authorities have 1 to %d bytes of PEM", TLS_PEM_MAX);
	CLEANUP(tls_bio_cleanup) BIO *bio = BIO_new_mem_buf(pem, (int)size_bytes);
	CLEANUP(tls_trust_cleanup) struct tls_trust *trust = calloc(1, sizeof(*trust));
	if (!bio || !trust)
		return err_set(reterr, ERR_NOMEM, "out of memory for authorities");
	atomic_init(&trust->references, 1);
	trust->store = X509_STORE_new();
	trust->names = sk_X509_NAME_new_null();
	if (!trust->store || !trust->names)
		return err_set(reterr, ERR_NOMEM, "out of memory for authorities");
	enum err_code rc = trust_fill(trust, bio, reterr);
	if (rc == ERR_OK)
		*ret = TAKE_PTR(trust);
	return rc;
}

enum err_code tls_trust_load(const char *path, struct tls_trust **ret, struct err *reterr)
{
	CLEANUP(buf_cleanup) struct buf pem = BUF_INIT;
	enum err_code rc = file_read(path, TLS_PEM_MAX, &pem, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tls_trust_from_pem(pem.data, pem.size, ret, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "%s", path);
}
