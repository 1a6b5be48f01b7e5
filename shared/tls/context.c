/* shared/tls/context.c: one way to set OpenSSL up.
 *
 * The chain is verified here, in a verification of our own against the trust of the moment
 * (SSL_CTX_set_cert_verify_callback), so that neither a library's verify callback nor the trust store of an SSL_CTX has
 * a say. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/tls/internal.h"
#include <openssl/ssl.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/tls/context.h"

struct tls_context {
	struct tls_config config; /* its strings point below; identity and trust under lock */
	char domain[TLS_DOMAIN_MAX], name[TLS_NAME_MAX];
	pthread_mutex_t lock;
};

/* What is noted about one handshake; hangs on its SSL. */
struct note {
	struct tls_refusal refusal; /* verdict TLS_ACCEPTED: none */
	struct tls_peer peer;
	char alert[TLS_DETAIL_MAX]; /* the peer's, "" if none came */
	bool done;                  /* the handshake; SSL_is_init_finished() forgets it after a fatal error */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int context_index = -1, note_index = -1;

static void free_note(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	free(ptr);
}

static void make_indices(void)
{
	context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	note_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_note);
}

static struct note *note_of(SSL *ssl, bool make)
{
	struct note *n = SSL_get_ex_data(ssl, note_index);
	if (!n && make) {
		n = calloc(1, sizeof(*n));
		if (n && SSL_set_ex_data(ssl, note_index, n) != 1) {
			free(n);
			n = NULL;
		}
	}
	return n;
}

static void refuse(
    struct tls_context *c, SSL *ssl, enum tls_verdict verdict, const struct tls_peer *peer, const char *detail)
{
	struct note *n = note_of(ssl, true);
	if (!n || n->refusal.verdict != TLS_ACCEPTED)
		return; /* only the first reason counts; what follows are its consequences */
	n->refusal.verdict = verdict;
	if (peer) {
		n->peer = *peer;
		n->refusal.peer = &n->peer;
	}
	text_copy(n->refusal.detail, sizeof(n->refusal.detail), detail);
	if (c->config.on_refused)
		c->config.on_refused(c->config.user, ssl, &n->refusal);
}

static struct tls_trust *current_trust(struct tls_context *c)
{
	pthread_mutex_lock(&c->lock);
	struct tls_trust *trust = tls_trust_ref(c->config.trust);
	pthread_mutex_unlock(&c->lock);
	return trust;
}

struct tls_identity *tls_context_identity(struct tls_context *c)
{
	pthread_mutex_lock(&c->lock);
	struct tls_identity *identity = tls_identity_ref(c->config.identity);
	pthread_mutex_unlock(&c->lock);
	return identity;
}

void tls_context_set_identity(struct tls_context *c, struct tls_identity *identity)
{
	tls_identity_ref(identity);
	pthread_mutex_lock(&c->lock);
	struct tls_identity *old = c->config.identity;
	c->config.identity = identity;
	pthread_mutex_unlock(&c->lock);
	tls_identity_free(old);
}

void tls_context_set_trust(struct tls_context *c, struct tls_trust *trust)
{
	tls_trust_ref(trust);
	pthread_mutex_lock(&c->lock);
	struct tls_trust *old = c->config.trust;
	c->config.trust = trust;
	pthread_mutex_unlock(&c->lock);
	tls_trust_free(old);
}

static uint64_t now_ms(const struct tls_context *c)
{
	return c->config.now_ms ? c->config.now_ms() : clock_wall_ms();
}

static struct tls_policy policy_of(const struct tls_context *c)
{
	return (struct tls_policy){
	    .domain = c->domain,
	    .roles = c->config.roles,
	    .name = c->name[0] ? c->name : NULL,
	    .server = !c->config.server,
	    .revocations = c->config.revocations,
	};
}

/* Serials of the peer's authorities in the verified chain; an unreadable one counts as none, and then as long as our
 * own limit. */
static size_t authority_serials(X509_STORE_CTX *sc, char texts[TLS_CHAIN_MAX][TLS_SERIAL_MAX], const char **ret)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(sc);
	size_t count = 0;
	for (int i = 1; i < sk_X509_num(chain) && count < TLS_CHAIN_MAX; i++) {
		const ASN1_INTEGER *serial = X509_get0_serialNumber(sk_X509_value(chain, i));
		if (tls_serial_text(serial, texts[count], NULL) == ERR_OK) {
			ret[count] = texts[count];
			count++;
		}
	}
	return count;
}

/* Our own chain verification; returns X509_V_…  *ret_depth: where it failed. */
static int verify_chain(struct tls_context *c, X509_STORE_CTX *own, X509 *leaf, STACK_OF(X509) * shown,
    struct tls_trust *trust, uint64_t at_ms)
{
	if (X509_STORE_CTX_init(own, tls_trust_store(trust), leaf, shown) != 1 ||
	    X509_STORE_CTX_set_default(own, c->config.server ? "ssl_client" : "ssl_server") != 1)
		return X509_V_ERR_OUT_OF_MEM;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(own);
	X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
	X509_VERIFY_PARAM_set_depth(param, TLS_VERIFY_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits: RSA from 2048, no SHA-1 */
	int good = X509_verify_cert(own);
	int error = X509_STORE_CTX_get_error(own);
	return good == 1 ? error : error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
}

/* OpenSSL asks this instead of X509_verify_cert().  1: go on, 0: refuse with sc's error. */
static int verify(X509_STORE_CTX *sc, void *arg)
{
	struct tls_context *c = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *leaf = X509_STORE_CTX_get0_cert(sc);
	X509_STORE_CTX *own = X509_STORE_CTX_new();
	CLEANUP(tls_trust_cleanup) struct tls_trust *trust = current_trust(c);
	char texts[TLS_CHAIN_MAX][TLS_SERIAL_MAX];
	const char *serials[TLS_CHAIN_MAX];
	struct tls_peer peer;
	bool known = false;
	uint64_t at_ms = now_ms(c);
	int error = own && leaf ? verify_chain(c, own, leaf, X509_STORE_CTX_get0_untrusted(sc), trust, at_ms)
				: X509_V_ERR_OUT_OF_MEM;
	size_t count = error == X509_V_OK ? authority_serials(own, texts, serials) : 0;
	struct tls_policy policy = policy_of(c);
	enum tls_verdict v = tls_judge(&policy, leaf, serials, count, error, at_ms, &peer, &known);
	int depth = own && error != X509_V_OK ? X509_STORE_CTX_get_error_depth(own) : 0;
	X509_STORE_CTX_free(own);
	ERR_clear_error(); /* a failed chain leaves entries that later calls would take for their own */
	if (v == TLS_ACCEPTED) {
		X509_STORE_CTX_set_error(sc, X509_V_OK);
		return 1;
	}
	if (error == X509_V_OK)
		error = v == TLS_REVOKED       ? X509_V_ERR_CERT_REVOKED
			: v == TLS_EXPIRED     ? X509_V_ERR_CERT_HAS_EXPIRED
			: v == TLS_WRONG_USAGE ? X509_V_ERR_INVALID_PURPOSE
					       : X509_V_ERR_APPLICATION_VERIFICATION;
	X509_STORE_CTX_set_error(sc, error);
	char detail[TLS_DETAIL_MAX];
	snprintf(detail, sizeof(detail), "%s (depth %d)", X509_verify_cert_error_string(error), depth);
	refuse(c, ssl, v, known ? &peer : NULL, detail);
	return 0;
}

/* Nothing is decided certificate by certificate. */
static int verify_step(int ok, X509_STORE_CTX *sc)
{
	(void)sc;
	return ok;
}

static bool show_authorities(SSL *ssl, const struct tls_trust *trust)
{
	STACK_OF(X509_NAME) *names = SSL_dup_CA_list(tls_trust_names(trust));
	if (names)
		SSL_set0_CA_list(ssl, names);
	return names != NULL;
}

/* Before a certificate is chosen, on both sides: put in the identity of the moment.  1: go on, 0: fail the handshake.
 */
static int choose_identity(SSL *ssl, void *arg)
{
	struct tls_context *c = arg;
	CLEANUP(tls_identity_cleanup) struct tls_identity *identity = tls_context_identity(c);
	CLEANUP(tls_trust_cleanup) struct tls_trust *trust = current_trust(c);
	if (c->config.server && !show_authorities(ssl, trust))
		return 0;
	if (!identity)
		return !c->config.server;
	return SSL_use_cert_and_key(
		   ssl, tls_identity_leaf(identity), tls_identity_key(identity), tls_identity_chain(identity), 1) == 1;
}

bool tls_handshake_done(SSL *ssl)
{
	const struct note *n = ssl ? note_of(ssl, false) : NULL;
	return n && n->done;
}

static void on_alert(struct tls_context *c, SSL *ssl, bool written, int alert)
{
	if ((alert >> 8) != SSL3_AL_FATAL)
		return;
	const char *text = SSL_alert_desc_string_long(alert);
	if (!written) {
		struct note *n = note_of(ssl, true);
		if (n && n->alert[0] == '\0')
			snprintf(n->alert, sizeof(n->alert), "the peer says: %s (alert %d)", text, alert & 0xff);
		if (c->config.server && !tls_handshake_done(ssl))
			refuse(c, ssl, TLS_HANDSHAKE_FAILED, NULL, n ? n->alert : text);
		return;
	}
	if (tls_handshake_done(ssl))
		return;
	bool none = (alert & 0xff) == SSL_AD_CERTIFICATE_REQUIRED;
	refuse(c, ssl, none ? TLS_NO_CERTIFICATE : TLS_HANDSHAKE_FAILED, NULL, text);
}

static void on_info(const SSL *borrowed, int where, int ret)
{
	SSL *ssl = (SSL *)(uintptr_t)borrowed; /* the callback's signature is older than ex_data on it */
	struct tls_context *c = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
	if (!c)
		return;
	if (where & SSL_CB_HANDSHAKE_DONE) {
		struct note *n = note_of(ssl, true);
		if (n)
			n->done = true;
		return;
	}
	if (where & SSL_CB_ALERT) {
		on_alert(c, ssl, (where & SSL_CB_WRITE) != 0, ret);
		return;
	}
	/* Bytes that are no TLS at all bring no alert, only an error on the way out of the handshake. */
	unsigned long e = ERR_peek_error();
	if ((where & SSL_CB_EXIT) && ret <= 0 && e != 0 && !tls_handshake_done(ssl)) {
		const char *reason = ERR_reason_error_string(e);
		refuse(c, ssl, TLS_HANDSHAKE_FAILED, NULL, reason ? reason : "not TLS");
	}
}

enum err_code tls_context_apply(struct tls_context *c, SSL_CTX *ctx, struct err *reterr)
{
	int mode = SSL_VERIFY_PEER;
	if (!c->config.server || c->config.demand == TLS_DEMAND_CERTIFICATE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_max_cert_list(ctx, TLS_HANDSHAKE_MAX_BYTES);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 || SSL_CTX_set_max_proto_version(ctx, 0) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1 || SSL_CTX_set_ex_data(ctx, context_index, c) != 1)
		return tls_openssl_error(reterr, ERR_INTERNAL, "setting TLS up");
	SSL_CTX_set_verify(ctx, mode, verify_step);
	SSL_CTX_set_cert_verify_callback(ctx, verify, c);
	SSL_CTX_set_cert_cb(ctx, choose_identity, c);
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set_tlsext_servername_callback(ctx, NULL); /* nobody chooses another context by asking for a name */
	return ERR_OK;
}

CLEANUP_DEFINE(SSL_CTX, ssl_ctx_cleanup, SSL_CTX_free)

enum err_code tls_context_make(struct tls_context *c, SSL_CTX **ret, struct err *reterr)
{
	CLEANUP(ssl_ctx_cleanup)
	SSL_CTX *ctx = SSL_CTX_new(c->config.server ? TLS_server_method() : TLS_client_method());
	if (!ctx)
		return tls_openssl_error(reterr, ERR_INTERNAL, "setting TLS up");
	enum err_code rc = tls_context_apply(c, ctx, reterr);
	if (rc == ERR_OK)
		*ret = TAKE_PTR(ctx);
	return rc;
}

static enum err_code check_config(const struct tls_config *config, struct err *reterr)
{
	if (!config->trust)
		return err_set(reterr, ERR_INVALID, "no authorities to believe");
	if (config->server && !config->identity)
		return err_set(reterr, ERR_INVALID, "a server needs a certificate");
	if (!tls_domain_valid(config->domain))
		return err_set(reterr, ERR_INVALID, "\"%.64s\" is no domain", config->domain ? config->domain : "");
	if (config->roles == 0)
		return err_set(reterr, ERR_INVALID, "no role may connect");
	if (config->name && (config->name[0] == '\0' || strlen(config->name) >= TLS_NAME_MAX))
		return err_set(reterr, ERR_INVALID, "\"%.80s\" is no name of a peer", config->name);
	return ERR_OK;
}

enum err_code tls_context_new(const struct tls_config *config, struct tls_context **ret, struct err *reterr)
{
	enum err_code rc = check_config(config, reterr);
	if (rc != ERR_OK)
		return rc;
	pthread_once(&once, make_indices);
	if (context_index < 0 || note_index < 0)
		return tls_openssl_error(reterr, ERR_NOMEM, "setting TLS up");
	struct tls_context *c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory for TLS");
	pthread_mutex_init(&c->lock, NULL);
	c->config = *config;
	text_copy(c->domain, sizeof(c->domain), config->domain);
	text_copy(c->name, sizeof(c->name), config->name ? config->name : "");
	c->config.domain = NULL;
	c->config.name = NULL;
	tls_identity_ref(c->config.identity);
	tls_trust_ref(c->config.trust);
	*ret = c;
	return ERR_OK;
}

void tls_context_free(struct tls_context *c)
{
	if (!c)
		return;
	tls_identity_free(c->config.identity);
	tls_trust_free(c->config.trust);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

bool tls_peer_of(SSL *ssl, struct tls_peer *ret)
{
	if (!ssl || !SSL_is_init_finished(ssl) || SSL_session_reused(ssl) || SSL_get_verify_result(ssl) != X509_V_OK ||
	    tls_refusal_of(ssl, NULL) != TLS_ACCEPTED)
		return false;
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	return certificate && tls_certificate_peer(certificate, ret, NULL) == ERR_OK;
}

enum tls_verdict tls_refusal_of(SSL *ssl, char ret_detail[TLS_DETAIL_MAX])
{
	const struct note *n = ssl ? note_of(ssl, false) : NULL;
	enum tls_verdict v = n ? n->refusal.verdict : TLS_ACCEPTED;
	if (v != TLS_ACCEPTED && ret_detail)
		text_copy(ret_detail, TLS_DETAIL_MAX, n->refusal.detail);
	return v;
}

bool tls_alert_of(SSL *ssl, char ret_text[TLS_DETAIL_MAX])
{
	const struct note *n = ssl ? note_of(ssl, false) : NULL;
	if (!n || n->alert[0] == '\0')
		return false;
	text_copy(ret_text, TLS_DETAIL_MAX, n->alert);
	return true;
}

enum tls_verdict tls_peer_recheck(struct tls_context *c, const struct tls_peer *peer)
{
	if (peer->not_after_ms <= now_ms(c))
		return TLS_EXPIRED;
	return tls_revoked(c->config.revocations, peer->serial) ? TLS_REVOKED : TLS_ACCEPTED;
}
