/* shared/tls/certificate.h: what a certificate says, and PEM in and out.  Pure.  Any thread. */
#ifndef KEDGE_SHARED_TLS_CERTIFICATE_H
#define KEDGE_SHARED_TLS_CERTIFICATE_H

#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/base/openssl.h"
#include "shared/tls/name.h"

/* Who is at the other end, by the certificate that was verified. */
struct tls_peer {
	enum tls_role role;
	char name[TLS_NAME_MAX];
	char domain[TLS_DOMAIN_MAX];
	char serial[TLS_SERIAL_MAX];           /* lower-case hex, no leading "00", no sign */
	char fingerprint[TLS_FINGERPRINT_MAX]; /* lower-case hex of SHA-256 over the DER */
	uint64_t not_after_ms;                 /* unix */
};

/* The rest of what is worth showing of any certificate, authorities included. */
struct tls_facts {
	char subject[TLS_SUBJECT_MAX], issuer[TLS_SUBJECT_MAX]; /* "CN=…,O=…" (RFC 2253), cut if longer */
	char serial[TLS_SERIAL_MAX];
	char fingerprint[TLS_FINGERPRINT_MAX];
	uint64_t not_before_ms, not_after_ms; /* unix */
	bool authority;                       /* basicConstraints CA:TRUE */
	bool server_auth, client_auth;        /* extended key usage says so (an absent extension allows nothing here) */
};

/* ERR_INVALID: not exactly one URI in the subject alternative name, or it is not a name of ours. */
ERR_CHECK enum err_code tls_certificate_peer(X509 *certificate, struct tls_peer *ret, struct err *reterr);
ERR_CHECK enum err_code tls_certificate_name(X509 *certificate, struct tls_name *ret, struct err *reterr);
/* The same spelling for text from elsewhere; false: it is not a serial. */
bool tls_serial_normal(const char *in, char out[TLS_SERIAL_MAX]);
ERR_CHECK enum err_code tls_certificate_facts(X509 *certificate, struct tls_facts *ret, struct err *reterr);

/* The certificates in pem, in order, at most TLS_CHAIN_MAX; at least one.  Text between them is ignored, anything else
 * is ERR_INVALID. The caller frees ret[0 .. *ret_count). */
ERR_CHECK enum err_code tls_certificates_from_pem(
    const void *pem, size_t size_bytes, X509 *ret[TLS_CHAIN_MAX], size_t *ret_count, struct err *reterr);
/* Exactly one. */
ERR_CHECK enum err_code tls_certificate_from_pem(const void *pem, size_t size_bytes, X509 **ret, struct err *reterr);
ERR_CHECK enum err_code tls_certificate_to_pem(X509 *certificate, struct buf *out, struct err *reterr); /* appends */

void tls_certificate_free(X509 *certificate); /* NULL is a no-op */
static inline void tls_certificate_cleanup(X509 **certificate)
{
	tls_certificate_free(*certificate);
}

#endif
