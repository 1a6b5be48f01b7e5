/* shared/tls/context.h: OpenSSL set up the one way that Kedge uses it, for servers and for clients.
 *
 * TLS 1.3, X25519:P-256:P-384, no session of any kind is ever issued or resumed (a resumed session would skip the
 * client's certificate), no renegotiation, no early data, only our authorities, and every peer judged by tls_judge. A
 * struct tls_context holds what may change while it runs (identity, trust) and can be applied to any number of SSL_CTX,
 * which follow each change at their next handshake.  One thread runs the handshakes; _set_identity and _set_trust may
 * come from any. */
#ifndef KEDGE_SHARED_TLS_CONTEXT_H
#define KEDGE_SHARED_TLS_CONTEXT_H

#include "shared/tls/identity.h"
#include "shared/tls/verdict.h"

enum tls_demand {
	TLS_DEMAND_CERTIFICATE, /* no handshake without one */
	TLS_ASK_CERTIFICATE,    /* one that is shown must be good; none at all passes, and tls_peer_of says so */
};

struct tls_refusal {
	enum tls_verdict verdict;
	const struct tls_peer *peer; /* as the certificate claims; NULL if it has no readable name.  Borrowed */
	char detail[TLS_DETAIL_MAX]; /* for the log: OpenSSL's word on it */
};

struct tls_config {
	bool server;
	enum tls_demand demand;              /* servers only; a client always demands */
	struct tls_identity *identity;       /* referenced; NULL: a client without one (enrolment) */
	struct tls_trust *trust;             /* referenced */
	const char *domain;                  /* copied, as the name below */
	uint32_t roles;                      /* of peers: TLS_ROLE_BIT()s */
	const char *name;                    /* the only peer wanted, or NULL */
	struct tls_revocations *revocations; /* borrowed, must outlive the context; NULL: none */
	uint64_t (*now_ms)(void);            /* unix; NULL: clock_wall_ms */
	/* A handshake was refused; called once for it, on its thread, inside OpenSSL: only take notes.  ssl is
	 * borrowed. */
	void (*on_refused)(void *user, SSL *ssl, const struct tls_refusal *refusal);
	void *user;
};

struct tls_context;

ERR_CHECK enum err_code tls_context_new(const struct tls_config *config, struct tls_context **ret, struct err *reterr);
void tls_context_free(struct tls_context *c); /* after every SSL_CTX that it was applied to; NULL is a no-op */

/* A fresh SSL_CTX (the caller frees it), or somebody else's brought into the same state. */
ERR_CHECK enum err_code tls_context_make(struct tls_context *c, SSL_CTX **ret, struct err *reterr);
ERR_CHECK enum err_code tls_context_apply(struct tls_context *c, SSL_CTX *ctx, struct err *reterr);

/* From the next handshake on. */
void tls_context_set_identity(struct tls_context *c, struct tls_identity *identity);
void tls_context_set_trust(struct tls_context *c, struct tls_trust *trust);
struct tls_identity *tls_context_identity(struct tls_context *c); /* a reference for the caller to free; may be NULL */

/* After a handshake: the peer that was accepted.  False: it showed no certificate (only with TLS_ASK_CERTIFICATE), or
 * the connection is not in order.  Reads the certificate again, and demands that OpenSSL's own result was good. */
bool tls_peer_of(SSL *ssl, struct tls_peer *ret);
/* Of a connection that failed: the refusal's verdict, TLS_ACCEPTED if none was given.  ret_detail may be NULL. */
enum tls_verdict tls_refusal_of(SSL *ssl, char ret_detail[TLS_DETAIL_MAX]);
/* Was the handshake ever whole on this side?  (Under TLS 1.3 a client's is before the server has judged its
 * certificate.) */
bool tls_handshake_done(SSL *ssl);
/* What a peer said when it ended the connection ("certificate expired"); false if it said nothing. */
bool tls_alert_of(SSL *ssl, char ret_text[TLS_DETAIL_MAX]);
/* Judge a live peer again (revoked, expired meanwhile). */
enum tls_verdict tls_peer_recheck(struct tls_context *c, const struct tls_peer *peer);

static inline void tls_context_cleanup(struct tls_context **p)
{
	tls_context_free(*p);
}

#endif
