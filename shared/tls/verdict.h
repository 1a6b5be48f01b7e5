/* shared/tls/verdict.h: may this peer in?  One pure decision with a reason that can be logged and audited. */
#ifndef KEDGE_SHARED_TLS_VERDICT_H
#define KEDGE_SHARED_TLS_VERDICT_H

#include "shared/tls/certificate.h"
#include "shared/tls/revocation.h"

/* X(NAME, word, what it means to a person) */
#define TLS_VERDICTS(X)                                                                                                \
	X(ACCEPTED, "accepted", "the certificate is good")                                                             \
	X(NO_CERTIFICATE, "no-certificate", "the peer showed no certificate")                                          \
	X(WRONG_AUTHORITY, "wrong-authority", "the certificate was not issued by an authority of ours")                \
	X(EXPIRED, "expired", "the certificate has expired")                                                           \
	X(NOT_YET_VALID, "not-yet-valid", "the certificate is not valid yet (or a clock is wrong)")                    \
	X(REVOKED, "revoked", "the certificate was revoked")                                                           \
	X(WRONG_USAGE, "wrong-usage", "the certificate is not for this end of a connection")                           \
	X(MALFORMED_NAME, "malformed-name", "the certificate does not carry exactly one name of ours")                 \
	X(WRONG_DOMAIN, "wrong-domain", "the name belongs to another domain")                                          \
	X(WRONG_ROLE, "wrong-role", "the certificate's role may not use this port")                                    \
	X(WRONG_NAME, "wrong-name", "the certificate belongs to somebody else than was expected")                      \
	X(BAD_CERTIFICATE, "bad-certificate", "the certificate fails verification")                                    \
	X(HANDSHAKE_FAILED, "handshake-failed", "the TLS handshake failed before a certificate was judged")            \
	X(BARRED, "barred", "the program refused the peer")

enum tls_verdict {
#define X(NAME, word, text) TLS_##NAME,
	TLS_VERDICTS(X)
#undef X
	    TLS_VERDICT_COUNT
};

const char *tls_verdict_word(enum tls_verdict v); /* "wrong-role"; "unknown" outside the enum */
const char *tls_verdict_text(enum tls_verdict v); /* the sentence */

#define TLS_ROLE_BIT(role) (1u << (role))

/* Whom a port, or a client, wants to meet.  Strings are borrowed. */
struct tls_policy {
	const char *domain;
	uint32_t roles;                      /* TLS_ROLE_BIT()s */
	const char *name;                    /* exactly this name, or NULL for any */
	bool server;                         /* the peer is a server (serverAuth), else a client (clientAuth) */
	struct tls_revocations *revocations; /* NULL: none */
};

/* verify_error is OpenSSL's X509_V_… for the chain, already checked at now_ms; chain_serials are those of the peer's
 * authorities, so that a revoked issuer refuses what it issued.  certificate NULL: NO_CERTIFICATE.
 * ret_peer is filled as far as the name is readable: *ret_known tells.  It must not be trusted unless ACCEPTED. */
enum tls_verdict tls_judge(const struct tls_policy *policy, X509 *certificate, const char *const *chain_serials,
    size_t chain_count, int verify_error, uint64_t now_ms, struct tls_peer *ret_peer, bool *ret_known);

#endif
