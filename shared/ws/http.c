/* shared/ws/http.c: the operators' port and what a request can be asked. */
#include "shared/ws/http.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/ws/http_internal.h"

enum { SWEEP_MS = 200 };

void http_refused(
    struct ws_http *http, const char *address, enum tls_verdict reason, const struct tls_peer *peer, const char *detail)
{
	struct ws_refused r = {.address = address, .reason = reason, .peer = peer, .detail = detail};
	if (http->config.on_refused && !http->dead)
		http->config.on_refused(http->config.user, &r);
}

static void handshake_refused(void *user, SSL *ssl, const struct tls_refusal *refusal)
{
	char address[WS_ADDRESS_MAX];
	ws_peer_address(SSL_get_fd(ssl), address);
	http_refused(user, address, refusal->verdict, refusal->peer, refusal->detail);
}

static void accepted(void *ctx, int fd, const char *address)
{
	struct ws_http *http = ctx;
	if (http->loop->connections >= http->config.connections_max) {
		http_refused(http, address, TLS_BARRED, NULL, "too many connections");
		close(fd);
		return;
	}
	if (http->conns.count == 0)
		ws_timer_set(http->sweep, SWEEP_MS);
	http_conn_accept(http, fd, address);
}

static void on_sweep(void *user)
{
	struct ws_http *http = user;
	uint64_t now_ms = ws_now_ms();
	lws_start_foreach_dll_safe(struct lws_dll2 *, p, next, http->conns.head)
	{
		http_conn_sweep(lws_container_of(p, struct http_conn, list), now_ms);
	}
	lws_end_foreach_dll_safe(p, next);
	if (http->conns.count > 0)
		ws_timer_set(http->sweep, SWEEP_MS);
}

const struct ws_file *http_file(const struct ws_http *http, const char *path)
{
	for (size_t i = 0; i < http->config.file_count; i++) {
		if (strcmp(http->config.files[i].path, path) == 0)
			return &http->config.files[i];
	}
	return NULL;
}

/* Only HTTP/1.1 is spoken; who offers something else as well gets no answer to that. */
static int choose_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in, unsigned in_size, void *arg)
{
	(void)ssl, (void)arg;
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_size, ours, sizeof(ours) - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static enum err_code make_tls(struct ws_http *http, const struct ws_port *port, struct err *reterr)
{
	struct tls_config config = {
	    .server = true,
	    .demand = TLS_ASK_CERTIFICATE, /* who has none may ask under anonymous_prefixes only */
	    .identity = port->identity,
	    .trust = port->trust,
	    .domain = port->domain,
	    .roles = port->roles,
	    .revocations = port->revocations,
	    .now_ms = port->now_ms,
	    .on_refused = handshake_refused,
	    .user = http,
	};
	enum err_code rc = tls_context_new(&config, &http->tls, reterr);
	if (rc == ERR_OK)
		rc = tls_context_make(http->tls, &http->ctx, reterr);
	if (rc == ERR_OK)
		SSL_CTX_set_alpn_select_cb(http->ctx, choose_alpn, NULL);
	return rc;
}

static void fill_defaults(struct ws_http_config *c)
{
	c->body_limit_bytes = c->body_limit_bytes ? c->body_limit_bytes : WS_BODY_DEFAULT;
	c->stream_limit_bytes = c->stream_limit_bytes ? c->stream_limit_bytes : WS_STREAM_DEFAULT;
	c->request_timeout_ms = c->request_timeout_ms ? c->request_timeout_ms : WS_REQUEST_TIMEOUT_MS;
	c->idle_timeout_ms = c->idle_timeout_ms ? c->idle_timeout_ms : WS_IDLE_TIMEOUT_MS;
	c->connections_max = c->connections_max ? c->connections_max : ws_descriptors_max();
	c->port.handshake_ms = c->port.handshake_ms ? c->port.handshake_ms : WS_HANDSHAKE_TIMEOUT_MS;
}

enum err_code ws_http_new(
    struct ws_loop *loop, const struct ws_http_config *config, struct ws_http **ret, struct err *reterr)
{
	struct ws_http *http = calloc(1, sizeof(*http));
	if (!http)
		return err_set(reterr, ERR_NOMEM, "out of memory for a port");
	http->loop = loop;
	http->config = *config;
	fill_defaults(&http->config);
	lws_dll2_add_tail(&http->list, &loop->https);
	http->sweep = ws_timer_new(loop, on_sweep, http);
	enum err_code rc = http->sweep ? make_tls(http, &config->port, reterr)
				       : err_set(reterr, ERR_NOMEM, "out of memory for a port");
	if (rc == ERR_OK)
		rc =
		    ws_accept_new(loop, config->port.address, config->port.port, accepted, http, &http->accept, reterr);
	if (rc != ERR_OK) {
		ws_http_free(http);
		return rc;
	}
	*ret = http;
	return ERR_OK;
}

void ws_http_free(struct ws_http *http)
{
	if (!http)
		return;
	http->dead = true;
	ws_accept_free(http->accept);
	while (http->conns.head)
		http_conn_close(lws_container_of(http->conns.head, struct http_conn, list));
	lws_dll2_remove(&http->list);
	ws_timer_free(http->sweep);
	SSL_CTX_free(http->ctx);
	tls_context_free(http->tls);
	free(http);
}

void ws_http_free_all(struct ws_loop *loop)
{
	while (loop->https.head)
		ws_http_free(lws_container_of(loop->https.head, struct ws_http, list));
}

uint16_t ws_http_port(const struct ws_http *http)
{
	return ws_accept_port(http->accept);
}

void ws_http_set_identity(struct ws_http *http, struct tls_identity *identity)
{
	tls_context_set_identity(http->tls, identity);
}

void ws_http_set_trust(struct ws_http *http, struct tls_trust *trust)
{
	tls_context_set_trust(http->tls, trust);
}

size_t ws_http_recheck(struct ws_http *http)
{
	size_t ended = 0;
	lws_start_foreach_dll_safe(struct lws_dll2 *, p, next, http->conns.head)
	{
		struct http_conn *conn = lws_container_of(p, struct http_conn, list);
		if (conn->known && tls_peer_recheck(http->tls, &conn->peer) != TLS_ACCEPTED) {
			http_conn_close(conn);
			ended++;
		}
	}
	lws_end_foreach_dll_safe(p, next);
	return ended;
}

enum ws_method ws_request_method(const struct ws_request *r)
{
	return r->head.method;
}

const char *ws_request_path(const struct ws_request *r)
{
	return r->head.path;
}

const char *ws_request_query(const struct ws_request *r, const char *name)
{
	size_t n = strlen(name);
	for (unsigned i = 0; i < r->head.query_count; i++) {
		const char *one = r->head.query[i];
		if (strncmp(one, name, n) == 0 && (one[n] == '=' || one[n] == '\0'))
			return one[n] ? one + n + 1 : "";
	}
	return NULL;
}

size_t ws_request_query_count(const struct ws_request *r)
{
	return r->head.query_count;
}

const char *ws_request_query_at(const struct ws_request *r, size_t i)
{
	return i < r->head.query_count ? r->head.query[i] : NULL;
}

const char *ws_request_header(const struct ws_request *r, enum ws_header header)
{
	return (unsigned)header < WS_HEADER_COUNT ? r->head.header[header] : NULL;
}

struct bytes ws_request_body(const struct ws_request *r)
{
	return buf_bytes(&r->body);
}

const struct tls_peer *ws_request_peer(const struct ws_request *r)
{
	return r->conn->known ? &r->conn->peer : NULL;
}

const char *ws_request_address(const struct ws_request *r)
{
	return r->conn->address;
}

void ws_request_set_user(struct ws_request *r, void *user)
{
	r->user = user;
}

void *ws_request_user(const struct ws_request *r)
{
	return r->user;
}
