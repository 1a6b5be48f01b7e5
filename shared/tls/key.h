/* shared/tls/key.h: private keys and certificate requests.
 *
 * Pure but for the randomness of a new key, which is OpenSSL's (the kernel's).  Any thread.  The OpenSSL types are
 * freed with OpenSSL's own functions, or the cleanups below.  Keys are P-256; others that a site brings along are taken
 * if they are EC P-256 or P-384, Ed25519 or RSA of at least 2048 bits.  Key text travels in a struct secret only. */
#ifndef KEDGE_SHARED_TLS_KEY_H
#define KEDGE_SHARED_TLS_KEY_H

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/openssl.h"
#include "shared/base/secret.h"
#include "shared/tls/name.h"

ERR_CHECK enum err_code tls_key_new(EVP_PKEY **ret, struct err *reterr); /* P-256 */
/* PKCS#8 PEM without a passphrase; the caller writes it with mode 0600 and frees it. */
ERR_CHECK enum err_code tls_key_to_pem(EVP_PKEY *key, struct secret **ret, struct err *reterr);
ERR_CHECK enum err_code tls_key_from_pem(const void *pem, size_t size_bytes, EVP_PKEY **ret, struct err *reterr);
/* From a file that nobody but owner and group may read, else ERR_DENIED.  ERR_NOT_FOUND, ERR_INVALID, ERR_IO. */
ERR_CHECK enum err_code tls_key_load(const char *path, EVP_PKEY **ret, struct err *reterr);
/* Is the public or private key of a kind that is taken here?  ERR_INVALID says why not. */
ERR_CHECK enum err_code tls_key_check(EVP_PKEY *key, struct err *reterr);

/* A request (PKCS#10, PEM appended to ret_pem) for the name, signed with key: subject CN = the name's last part,
 * subjectAltName = its URI. */
ERR_CHECK enum err_code tls_csr_new(
    EVP_PKEY *key, const struct tls_name *name, struct buf *ret_pem, struct err *reterr);
/* Reads a request: its signature must be good, its key of a kind taken here, and it must ask for exactly one URI that
 * is a name (tls_name_parse) and for no other alternative name.  Nothing else of it should be believed.  The caller
 * frees *ret_key (public). */
ERR_CHECK enum err_code tls_csr_read(
    const void *pem, size_t size_bytes, struct tls_name *ret_name, EVP_PKEY **ret_key, struct err *reterr);

void tls_key_free(EVP_PKEY *key); /* NULL is a no-op; the private part is wiped */
static inline void tls_key_cleanup(EVP_PKEY **key)
{
	tls_key_free(*key);
}

/* Fill reterr with what OpenSSL's error queue says, and empty the queue. */
enum err_code tls_openssl_error(struct err *reterr, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
