/* certs/exchange.c: connect, shake hands, ask, read. */
#include "certs/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(SSL, ssl_cleanup, SSL_free)
CLEANUP_DEFINE(SSL_CTX, ssl_ctx_cleanup, SSL_CTX_free)
CLEANUP_DEFINE(struct addrinfo, addresses_cleanup, freeaddrinfo)

struct wire {
	const struct exchange *x;
	uint64_t deadline_ms; /* monotonic */
	int fd;
	SSL *ssl;
};

static enum err_code wait_for(const struct wire *w, short events, struct err *reterr)
{
	struct pollfd p = {.fd = w->fd, .events = events};
	for (;;) {
		uint64_t now = clock_mono_ms();
		if (now >= w->deadline_ms)
			return err_set(reterr, ERR_TIMEOUT, "%s did not answer within %u s", w->x->url,
			    (w->x->timeout_ms + 999) / 1000);
		int n = poll(&p, 1, (int)(w->deadline_ms - now));
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_sys(reterr, errno, "waiting for %s", w->x->url);
	}
}

static void wire_done(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static enum err_code connect_to(struct wire *w, const struct addrinfo *a, struct err *reterr)
{
	wire_done(w); /* the address before */
	w->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return err_sys(reterr, errno, "a socket for %s", w->x->url);
	int problem = connect(w->fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (problem == EINPROGRESS) {
		socklen_t size = sizeof problem;
		enum err_code rc = wait_for(w, POLLOUT, reterr);
		if (rc != ERR_OK)
			return rc;
		if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
			problem = errno;
	}
	return problem ? err_set(reterr, ERR_UNREACHABLE, "%s: %s", w->x->url, strerror(problem)) : ERR_OK;
}

/* Each address in turn; the last one's error is told. */
static enum err_code dial(struct wire *w, struct err *reterr)
{
	struct exchange_url u;
	CLEANUP(addresses_cleanup) struct addrinfo *all = NULL;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	enum err_code rc = exchange_url(w->x->url, &u, reterr);
	if (rc != ERR_OK)
		return rc;
	int problem = getaddrinfo(u.host, u.port, &hints, &all);
	if (problem)
		return err_set(reterr, ERR_UNREACHABLE, "%s: %s", w->x->url, gai_strerror(problem));
	rc = ERR_UNREACHABLE;
	for (const struct addrinfo *a = all; a && rc != ERR_OK && rc != ERR_TIMEOUT; a = a->ai_next)
		rc = connect_to(w, a, reterr);
	return rc;
}

/* ret: what SSL_… returned.  ERR_OK: try again. */
static enum err_code ssl_next(const struct wire *w, int ret, struct err *reterr)
{
	char why[TLS_DETAIL_MAX];
	switch (SSL_get_error(w->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(w, POLLIN, reterr);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(w, POLLOUT, reterr);
	default:
		break;
	}
	enum tls_verdict v = tls_refusal_of(w->ssl, why);
	if (v != TLS_ACCEPTED)
		return err_set(
		    reterr, ERR_DENIED, "%s is not who it should be: %s (%s)", w->x->url, tls_verdict_text(v), why);
	if (tls_alert_of(w->ssl, why))
		return err_set(reterr, ERR_DENIED, "%s refused the connection: %s", w->x->url, why);
	return tls_openssl_error(reterr, ERR_UNREACHABLE, "%s ended the connection", w->x->url);
}

static enum err_code send_all(const struct wire *w, const struct buf *b, struct err *reterr)
{
	for (size_t done = 0; done < b->size;) {
		size_t n = 0;
		int ret = SSL_write_ex(w->ssl, b->data + done, b->size - done, &n);
		enum err_code rc = ret == 1 ? ERR_OK : ssl_next(w, ret, reterr);
		if (rc != ERR_OK)
			return rc;
		done += n;
	}
	return ERR_OK;
}

static enum err_code read_answer(const struct wire *w, struct buf *out, struct exchange_answer *ret, struct err *reterr)
{
	bool whole = false, ended = false;
	enum err_code rc = ERR_OK;
	buf_clear(out);
	while (rc == ERR_OK && !whole) {
		size_t n = 0;
		uint8_t *at = buf_reserve(out, 4096);
		if (!at)
			return err_set(reterr, ERR_NOMEM, "out of memory for an answer");
		int got = SSL_read_ex(w->ssl, at, 4096, &n);
		if (got != 1 && SSL_get_error(w->ssl, got) != SSL_ERROR_ZERO_RETURN) {
			if ((rc = ssl_next(w, got, reterr)) != ERR_OK)
				return rc;
			continue;
		}
		ended = got != 1;
		out->size += n;
		rc = exchange_parse(out->data, out->size, ended, ret, &whole, reterr);
	}
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "%s", w->x->url);
}

static enum err_code converse(
    struct wire *w, SSL_CTX *ctx, struct buf *out, struct exchange_answer *ret, struct err *reterr)
{
	CLEANUP(ssl_cleanup) SSL *ssl = SSL_new(ctx);
	CLEANUP(buf_done) struct buf request = BUF_INIT;
	enum err_code rc = ERR_OK;
	if (!ssl || SSL_set_fd(ssl, w->fd) != 1)
		return tls_openssl_error(reterr, ERR_INTERNAL, "a TLS connection");
	w->ssl = ssl;
	for (int done; rc == ERR_OK && (done = SSL_connect(ssl)) != 1;)
		rc = ssl_next(w, done, reterr);
	if (rc != ERR_OK)
		return rc;
	buf_printf(&request,
	    "POST %s HTTP/1.1\r\nHost: controller\r\nContent-Type: application/json\r\nContent-Length: "
	    "%zu\r\nConnection: close\r\n\r\n%s",
	    w->x->path, strlen(w->x->body), w->x->body);
	rc = request.failed ? err_set(reterr, ERR_NOMEM, "out of memory for a request") : send_all(w, &request, reterr);
	if (request.data)
		secret_wipe(request.data, request.size);
	return rc == ERR_OK ? read_answer(w, out, ret, reterr) : rc;
}

enum err_code exchange_post(const struct exchange *x, struct buf *out, struct exchange_answer *ret, struct err *reterr)
{
	CLEANUP(ssl_ctx_cleanup) SSL_CTX *ctx = NULL;
	CLEANUP(wire_done) struct wire w = {.x = x, .deadline_ms = clock_mono_ms() + x->timeout_ms, .fd = -1};
	enum err_code rc = tls_context_make(x->tls, &ctx, reterr);
	if (rc != ERR_OK || (rc = dial(&w, reterr)) != ERR_OK)
		return rc;
	return converse(&w, ctx, out, ret, reterr);
}
