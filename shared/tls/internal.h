/* shared/tls/internal.h: what the files of this folder share and nobody else sees. */
#ifndef KEDGE_SHARED_TLS_INTERNAL_H
#define KEDGE_SHARED_TLS_INTERNAL_H

#include "shared/base/openssl.h"
#include <openssl/x509v3.h>

#include "shared/base/cleanup.h"
#include "shared/tls/identity.h"
#include "shared/tls/verdict.h"

/* The name among alternative names: exactly one URI; other kinds are passed over, or refused if only_uri. */
ERR_CHECK enum err_code tls_name_among(
    const GENERAL_NAMES *names, bool only_uri, struct tls_name *ret, struct err *reterr);

/* Lower-case hex without sign, of whole octets, without leading zero octets but the only one. */
ERR_CHECK enum err_code tls_serial_text(const ASN1_INTEGER *serial, char out[TLS_SERIAL_MAX], struct err *reterr);

/* Borrowed from the identity and the trust. */
X509 *tls_identity_leaf(const struct tls_identity *identity);
EVP_PKEY *tls_identity_key(const struct tls_identity *identity);
STACK_OF(X509) * tls_identity_chain(const struct tls_identity *identity); /* without the leaf */
X509_STORE *tls_trust_store(const struct tls_trust *trust);
const STACK_OF(X509_NAME) * tls_trust_names(const struct tls_trust *trust);

/* X509_V_… as a verdict, TLS_ACCEPTED for X509_V_OK. */
enum tls_verdict tls_verdict_of_openssl(int verify_error);

CLEANUP_DEFINE(BIO, tls_bio_cleanup, BIO_free_all)
CLEANUP_DEFINE(GENERAL_NAMES, tls_names_cleanup, GENERAL_NAMES_free)

#endif
