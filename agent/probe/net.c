#include "shared/base/openssl.h"
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "agent/probe/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/probe/resolve.h"
#include "shared/base/text.h"

enum { RECV_SIZE = 16 << 10, RECV_PER_TURN = 4 };

struct net {
	struct loop *loop;
	struct net_events events;
	enum net_stage stage;
	struct resolution *resolution;
	struct resolved resolved;
	size_t next; /* address to try */
	int fd;
	struct loop_fd *watch;
	struct loop_timer *kick; /* so that nothing is told from inside net_open() */
	struct buf out;          /* bytes for the wire */
	SSL *ssl;                /* over two memory BIOs: sockets stay ours, and no write can raise SIGPIPE */
	bool *freed;             /* set when a callback freed us */
	char problem[160];
	char refusal[160]; /* of a certificate, before it becomes the problem */
};

static void step(struct net *n);

const char *net_stage_text(enum net_stage stage)
{
	static const char *const names[] = {"resolving the name", "connecting", "in the TLS handshake", "connected"};
	return names[stage];
}
enum net_stage net_stage(const struct net *n)
{
	return n->stage;
}
const char *net_tls_version(const struct net *n)
{
	return n->ssl ? SSL_get_version(n->ssl) : "";
}

static void close_socket(struct net *n)
{
	loop_remove_fd(n->watch);
	n->watch = NULL;
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void net_free(struct net *n)
{
	if (!n)
		return;
	if (n->freed)
		*n->freed = true;
	resolve_cancel(n->resolution);
	loop_remove_timer(n->kick);
	close_socket(n);
	SSL_free(n->ssl);
	buf_done(&n->out);
	free(n);
}

static void fail(struct net *n, const char *problem)
{
	close_socket(n);
	n->events.on_fail(n->events.ctx, n->stage, problem);
}

/* ---- the wire ---- */

static void want(struct net *n)
{
	struct err err;
	bool writing = n->stage == NET_CONNECTING || n->out.size > 0;
	if (n->watch &&
	    loop_change_fd(
		n->watch, (n->stage == NET_CONNECTING ? 0u : LOOP_READ) | (writing ? LOOP_WRITE : 0u), &err) != ERR_OK)
		text_copy(n->problem, sizeof n->problem, err.msg);
}

static bool flush(struct net *n)
{
	while (n->out.size > 0) {
		ssize_t sent = send(n->fd, n->out.data, n->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN;
		buf_consume(&n->out, (size_t)sent);
	}
	return true;
}

/* What OpenSSL wants to send goes into out. */
static void collect(struct net *n)
{
	BIO *from = SSL_get_wbio(n->ssl);
	char chunk[4096];
	int got;
	while (BIO_ctrl_pending(from) > 0 && (got = BIO_read(from, chunk, sizeof chunk)) > 0)
		buf_append(&n->out, chunk, (size_t)got);
}

void net_send(struct net *n, const void *data, size_t size)
{
	if (n->ssl) {
		(void)SSL_write(n->ssl, data, (int)size); /* into memory: takes all of it */
		collect(n);
	} else {
		buf_append(&n->out, data, size);
	}
	if (!flush(n))
		text_copy(n->problem, sizeof n->problem, strerror(errno));
	want(n);
}

/* ---- TLS ---- */

/* In words of our own first: the library's change from version to version. */
static const char *tls_problem(struct net *n)
{
	long verify = SSL_get_verify_result(n->ssl);
	if (verify != X509_V_OK) {
		text_format(n->refusal, sizeof n->refusal, "the server's certificate is not accepted: %s",
		    X509_verify_cert_error_string(verify));
		return n->refusal;
	}
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	return reason ? reason : "the peer speaks no TLS";
}

static void open_now(struct net *n)
{
	n->stage = NET_OPEN;
	want(n);
	n->events.on_open(n->events.ctx);
}

/* false: failed and told */
static bool handshake(struct net *n)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(n->ssl);
	collect(n);
	if (!flush(n)) {
		fail(n, strerror(errno));
		return false;
	}
	want(n);
	if (rc == 1) {
		open_now(n);
		return true;
	}
	int why = SSL_get_error(n->ssl, rc);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return true;
	fail(n, tls_problem(n));
	return false;
}

static bool is_number(const char *host)
{
	return strchr(host, ':') || host[strspn(host, "0123456789.")] == '\0';
}

static enum err_code prepare_tls(struct net *n, const struct net_target *t, struct err *reterr)
{
	const char *name = t->name ? t->name : t->host;
	n->ssl = SSL_new(trust_context(t->trust));
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	if (!n->ssl || !in || !out) {
		BIO_free(in);
		BIO_free(out);
		return err_set(reterr, ERR_NOMEM, "no memory for a TLS connection");
	}
	SSL_set_bio(n->ssl, in, out);
	SSL_set_connect_state(n->ssl);
	SSL_set_verify(n->ssl, t->any_certificate ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM *param = SSL_get0_param(n->ssl);
	int ok = is_number(name)
		     ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
		     : X509_VERIFY_PARAM_set1_host(param, name, 0) && SSL_set_tlsext_host_name(n->ssl, name);
	return ok ? ERR_OK : err_set(reterr, ERR_INVALID, "\"%s\" cannot be a server's name", name);
}

static uint64_t not_after_ms(const X509 *certificate)
{
	struct tm tm;
	if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return 0;
	time_t t = timegm(&tm);
	return t > 0 ? (uint64_t)t * 1000 : 0;
}

bool net_certificate(const struct net *n, uint64_t *ret_expires_ms, char *subject, size_t size_bytes)
{
	X509 *leaf = n->ssl ? SSL_get0_peer_certificate(n->ssl) : NULL;
	if (!leaf)
		return false;
	uint64_t earliest = not_after_ms(leaf);
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(n->ssl);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		uint64_t end = not_after_ms(sk_X509_value(chain, i));
		earliest = end < earliest ? end : earliest;
	}
	X509_NAME_oneline(X509_get_subject_name(leaf), subject, (int)size_bytes);
	*ret_expires_ms = earliest;
	return true;
}

bool net_certificate_names(const struct net *n, const char *name)
{
	X509 *leaf = n->ssl ? SSL_get0_peer_certificate(n->ssl) : NULL;
	if (!leaf)
		return false;
	return (is_number(name) ? X509_check_ip_asc(leaf, name, 0) : X509_check_host(leaf, name, 0, 0, NULL)) == 1;
}

/* ---- reading ---- */

/* Hands on what the TLS layer holds in clear; false: we are gone or failed. */
static bool deliver_tls(struct net *n, bool *freed)
{
	char data[RECV_SIZE];
	for (;;) {
		ERR_clear_error();
		int got = SSL_read(n->ssl, data, sizeof data);
		if (got <= 0) {
			int why = SSL_get_error(n->ssl, got);
			if (why == SSL_ERROR_WANT_READ)
				return true;
			if (why == SSL_ERROR_ZERO_RETURN)
				n->events.on_close(n->events.ctx);
			else
				fail(n, tls_problem(n));
			return false;
		}
		n->events.on_data(n->events.ctx, data, (size_t)got);
		if (*freed)
			return false;
	}
}

/* false: we are gone, closed or failed. */
static bool take(struct net *n, const char *data, size_t size, bool *freed)
{
	if (!n->ssl) {
		n->events.on_data(n->events.ctx, data, size);
		return !*freed;
	}
	if (BIO_write(SSL_get_rbio(n->ssl), data, (int)size) != (int)size) {
		fail(n, "no memory");
		return false;
	}
	if (n->stage == NET_HANDSHAKING && (!handshake(n) || *freed))
		return false;
	return n->stage != NET_OPEN || deliver_tls(n, freed);
}

static void receive_some(struct net *n, bool *freed)
{
	char data[RECV_SIZE];
	for (int i = 0; i < RECV_PER_TURN && !*freed && n->fd >= 0; i++) {
		ssize_t got = recv(n->fd, data, sizeof data, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0) {
			fail(n, strerror(errno));
			return;
		}
		if (got == 0) {
			if (n->stage == NET_OPEN)
				n->events.on_close(n->events.ctx);
			else
				fail(n, "the peer closed the connection");
			return;
		}
		if (!take(n, data, (size_t)got, freed))
			return;
	}
}

static void receive(struct net *n)
{
	bool freed = false;
	n->freed = &freed;
	receive_some(n, &freed);
	if (!freed)
		n->freed = NULL;
}

/* ---- connecting ---- */

static void connected(struct net *n)
{
	if (!n->ssl) {
		open_now(n);
		return;
	}
	n->stage = NET_HANDSHAKING;
	want(n);
	(void)handshake(n);
}

static void on_ready(void *ctx, unsigned events)
{
	struct net *n = ctx;
	if (n->stage == NET_CONNECTING) {
		int why = 0;
		socklen_t size = sizeof why;
		(void)getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &why, &size);
		if (why) {
			text_copy(n->problem, sizeof n->problem, strerror(why));
			close_socket(n);
			step(n);
		} else {
			connected(n);
		}
		return;
	}
	if (events & LOOP_WRITE) {
		if (!flush(n)) {
			fail(n, strerror(errno));
			return;
		}
		want(n);
	}
	if (events & (LOOP_READ | LOOP_HANGUP))
		receive(n);
}

static bool try_address(struct net *n, const struct sockaddr_storage *address, socklen_t size)
{
	struct err err;
	n->fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0 || (connect(n->fd, (const struct sockaddr *)address, size) < 0 && errno != EINPROGRESS)) {
		text_copy(n->problem, sizeof n->problem, strerror(errno));
		close_socket(n);
		return false;
	}
	if (loop_add_fd(n->loop, n->fd, LOOP_WRITE, on_ready, n, &n->watch, &err) != ERR_OK) {
		text_copy(n->problem, sizeof n->problem, err.msg);
		close_socket(n);
		return false;
	}
	return true;
}

/* The next address, or the failure of the last. */
static void step(struct net *n)
{
	n->stage = NET_CONNECTING;
	while (n->next < n->resolved.count) {
		size_t i = n->next++;
		if (try_address(n, &n->resolved.address[i], n->resolved.size[i]))
			return;
	}
	if (n->resolved.count == 0)
		n->stage = NET_RESOLVING;
	fail(n, n->resolved.count ? n->problem : n->resolved.problem);
}

static void on_kick(void *ctx)
{
	step(ctx);
}

static void on_resolved(void *ctx, const struct resolved *r)
{
	struct net *n = ctx;
	n->resolution = NULL;
	n->resolved = *r;
	step(n);
}

enum err_code net_open(struct loop *l, const struct net_target *target, const struct net_events *events,
    struct net **ret, struct err *reterr)
{
	struct net *n = calloc(1, sizeof *n);
	if (!n)
		return err_set(reterr, ERR_NOMEM, "no memory for a connection");
	n->loop = l;
	n->events = *events;
	n->fd = -1;
	enum err_code rc = target->trust ? prepare_tls(n, target, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = loop_add_timer(l, on_kick, n, &n->kick, reterr);
	if (rc == ERR_OK && resolve_now(target->host, target->port, &n->resolved))
		loop_arm(n->kick, 0);
	else if (rc == ERR_OK)
		rc = resolve_start(l, target->host, target->port, on_resolved, n, &n->resolution, reterr);
	if (rc != ERR_OK) {
		net_free(n);
		return rc;
	}
	*ret = n;
	return ERR_OK;
}
