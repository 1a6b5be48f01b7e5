/* shared/ws/dialer.c: attempts to connect.
 *
 * The library tells of a failed attempt in any of five ways, or not at all: CONNECTION_ERROR, CLOSED_CLIENT_HTTP,
 * CLOSED, WSI_DESTROY alone, a NULL from lws_client_connect_via_info().  Here each of them only notes what it knows;
 * the attempt ends when the library has let go of the socket, or by the watchdog. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/base/text.h"
#include "shared/ws/internal.h"

struct ws_dialer {
	struct ws_channel channel;
};

struct ws_attempt {
	struct ws_conn *conn; /* whose it is */
	lws_sorted_usec_list_t next, watchdog;
	struct ws_url url;
	struct ws_lookup *lookup;
	struct ws_addresses addresses;
	unsigned at;     /* the address tried now */
	bool connecting; /* inside lws_client_connect_via_info() */
	bool noted;      /* why it failed is known */
};

static void attempt_ends(struct ws_conn *conn);

void ws_attempt_free(struct ws_attempt *attempt)
{
	if (!attempt)
		return;
	lws_sul_cancel(&attempt->next);
	lws_sul_cancel(&attempt->watchdog);
	ws_lookup_cancel(attempt->lookup);
	free(attempt);
}

static void note(struct ws_conn *conn, enum ws_end end, const char *detail)
{
	if (conn->attempt->noted)
		return;
	conn->attempt->noted = true;
	conn->ended.end = end;
	text_copy(conn->ended.detail, sizeof(conn->ended.detail), detail ? detail : "");
}

/* What went wrong, by how far it had come.  lws_text is the library's word, NULL if it has none. */
static void note_failure(struct ws_conn *conn, struct lws *wsi, const char *lws_text)
{
	char detail[TLS_DETAIL_MAX] = "";
	SSL *ssl = lws_get_ssl(wsi);
	if (!ssl) {
		note(conn, WS_UNREACHABLE, lws_text);
		return;
	}
	enum tls_verdict v = tls_refusal_of(ssl, detail);
	int status = (int)lws_http_client_http_response(wsi);
	if (v != TLS_ACCEPTED) {
		conn->ended.verdict = v;
		note(conn, WS_REFUSED_SERVER, detail);
	} else if (tls_alert_of(ssl, detail)) {
		note(conn, WS_REFUSED_HERE, detail);
	} else if (tls_handshake_done(ssl) && status != 0 && status != 101) {
		conn->ended.http_status = status;
		note(conn, WS_NOT_WEBSOCKET, lws_text);
	} else {
		note(conn, WS_REFUSED_HERE, lws_text);
	}
}

static void connect_now(struct ws_conn *conn)
{
	struct ws_channel *c = conn->channel;
	struct ws_attempt *a = conn->attempt;
	const char *address = a->addresses.text[a->at];
	bool v6 = strchr(address, ':') != NULL;
	char host[WS_HOST_MAX + 16];
	snprintf(host, sizeof(host), strchr(a->url.host, ':') ? "[%s]:%u" : "%s:%u", a->url.host, a->url.port);
	snprintf(conn->address, sizeof(conn->address), v6 ? "[%.46s]:%u" : "%.46s:%u", address, a->url.port);
	struct lws_client_connect_info info = {
	    .context = c->loop->context,
	    .vhost = c->vhost,
	    .address =
		address, /* always literal: the library would resolve a name right here, for as long as that takes */
	    .port = a->url.port,
	    .path = a->url.path,
	    .host = host,
	    .protocol = c->subprotocol,
	    .local_protocol_name = c->subprotocol,
	    .ssl_connection = LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
	    .alpn = "http/1.1",
	    .ietf_version_or_minus_one = -1,
	    .opaque_user_data = conn,
	    .pwsi = &conn->wsi,
	};
	a->noted = false;
	a->connecting = true;
	struct lws *wsi = lws_client_connect_via_info(&info);
	a->connecting = false;
	if (!wsi) {
		note(conn, WS_UNREACHABLE, "no connection could be begun");
		conn->wsi = NULL;
		attempt_ends(conn);
	}
}

static void on_next(lws_sorted_usec_list_t *sul)
{
	struct ws_attempt *a = lws_container_of(sul, struct ws_attempt, next);
	struct ws_conn *conn = a->conn;
	if (a->noted)
		attempt_ends(conn);
	else
		connect_now(conn);
}

static void soon(struct ws_conn *conn)
{
	lws_sul_schedule(conn->channel->loop->context, 0, &conn->attempt->next, on_next, 1);
}

/* The library has nothing of it any more.  Another address, or the end. */
static void attempt_ends(struct ws_conn *conn)
{
	struct ws_attempt *a = conn->attempt;
	if (conn->state == CONN_OPENING && conn->ended.end == WS_UNREACHABLE && a->at + 1 < a->addresses.count &&
	    !conn->channel->dead) {
		a->at++;
		a->noted = false;
		soon(conn);
		return;
	}
	ws_conn_gone(conn);
}

static void on_watchdog(lws_sorted_usec_list_t *sul)
{
	struct ws_attempt *a = lws_container_of(sul, struct ws_attempt, watchdog);
	struct ws_conn *conn = a->conn;
	if (conn->state != CONN_OPENING)
		return;
	ws_conn_kill(conn, WS_TIMED_OUT, a->lookup ? "the name was not resolved in time" : NULL);
	if (!conn->wsi)
		ws_conn_gone(conn);
}

static void watch_until(struct ws_conn *conn, uint64_t limit_ms)
{
	uint64_t passed = ws_now_ms() - conn->since_ms;
	uint64_t left = passed < limit_ms ? limit_ms - passed : 0;
	lws_sul_schedule(
	    conn->channel->loop->context, 0, &conn->attempt->watchdog, on_watchdog, (lws_usec_t)left * 1000 + 1);
}

static void on_resolved(void *ctx, const struct ws_addresses *found)
{
	struct ws_conn *conn = ctx;
	struct ws_attempt *a = conn->attempt;
	a->lookup = NULL;
	a->addresses = *found;
	if (found->count == 0)
		note(conn, WS_BAD_ADDRESS, found->error);
	watch_until(conn, conn->channel->handshake_ms);
	soon(conn);
}

static enum err_code begin(struct ws_conn *conn, struct err *reterr)
{
	struct ws_attempt *a = conn->attempt;
	if (a->url.literal) {
		a->addresses.count = 1;
		text_copy(a->addresses.text[0], WS_ADDRESS_MAX, a->url.host);
		soon(conn); /* never from inside ws_connect */
		return ERR_OK;
	}
	return ws_lookup_start(conn->channel->loop, a->url.host, on_resolved, conn, &a->lookup, reterr);
}

enum err_code ws_connect(
    struct ws_dialer *dialer, const char *url, void *user, struct ws_conn **ret, struct err *reterr)
{
	struct ws_channel *c = &dialer->channel;
	struct ws_url parsed;
	enum err_code rc = ws_url_parse(url, &parsed, reterr);
	if (rc != ERR_OK)
		return rc;
	struct ws_attempt *a = calloc(1, sizeof(*a));
	struct ws_conn *conn = a ? ws_conn_new(c) : NULL;
	if (!conn) {
		free(a);
		return err_set(reterr, ERR_NOMEM, "out of memory for a connection");
	}
	a->conn = conn;
	conn->attempt = a;
	conn->user = user;
	a->url = parsed;
	rc = begin(conn, reterr);
	if (rc != ERR_OK) {
		conn->state = CONN_ENDED; /* the caller is told by the result, not by on_ended */
		ws_conn_gone(conn);
		return rc;
	}
	watch_until(
	    conn, a->lookup && c->handshake_ms > WS_RESOLVE_TIMEOUT_MS ? WS_RESOLVE_TIMEOUT_MS : c->handshake_ms);
	*ret = conn;
	return ERR_OK;
}

/* The library's own checks are loose (PLATFORM.md): ours decides again, on the finished connection. */
static void established(struct ws_conn *conn, struct lws *wsi)
{
	lws_sul_cancel(&conn->attempt->watchdog);
	if (conn->state != CONN_OPENING)
		return;
	if (!tls_peer_of(lws_get_ssl(wsi), &conn->peer)) {
		conn->ended.verdict = TLS_NO_CERTIFICATE;
		ws_conn_kill(conn, WS_REFUSED_SERVER, "the server's certificate was not verified");
		return;
	}
	conn->ended = (struct ws_ended){.end = WS_LOST};
	ws_conn_opened(conn);
}

static void destroyed(struct ws_conn *conn)
{
	conn->wsi = NULL;
	if (conn->attempt->connecting)
		return; /* lws_client_connect_via_info() is about to return NULL */
	if (!conn->was_open)
		note(conn, WS_UNREACHABLE, "the connection was dropped");
	attempt_ends(conn);
}

static int on_server(struct lws *wsi, enum lws_callback_reasons reason, struct ws_conn *conn, void *in, size_t size)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
	case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
		if (!conn->was_open)
			note_failure(conn, wsi, in && size > 0 ? in : NULL);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		established(conn, wsi);
		return 0; /* -1 here would bring a CONNECTION_ERROR as well */
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return ws_conn_received(conn, in, size);
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		ws_conn_heard(conn);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return ws_conn_writable(conn);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return ws_conn_peer_closes(conn, in, size);
	case LWS_CALLBACK_CLIENT_CLOSED:
		if (conn->was_open)
			ws_conn_end(conn, conn->ended.end, NULL);
		return 0;
	default:
		return 0;
	}
}

static int dialer_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
	(void)user;
	switch (reason) {
	case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
		return !size; /* OpenSSL's own word, should the library ever ask */
	case LWS_CALLBACK_PROTOCOL_INIT:
	case LWS_CALLBACK_PROTOCOL_DESTROY:
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		return 0;
	default:
		break;
	}
	struct ws_conn *conn = lws_get_opaque_user_data(wsi);
	if (!conn)
		return 0;
	if (reason == LWS_CALLBACK_WSI_DESTROY) {
		lws_set_opaque_user_data(wsi, NULL);
		destroyed(conn);
		return 0;
	}
	conn->wsi = wsi;
	return on_server(wsi, reason, conn, in, size);
}

static void dialer_gone(void *owner)
{
	free(owner);
}

static void fill_channel(struct ws_dialer *d, struct ws_loop *loop, const struct ws_dialer_config *config)
{
	struct ws_channel *c = &d->channel;
	c->loop = loop;
	c->client = true;
	c->message_limit = config->message_limit_bytes;
	c->outbox_limit = config->outbox_limit_bytes;
	c->ping_ms = config->ping_ms;
	c->handshake_ms = config->timeout_ms ? config->timeout_ms : WS_CONNECT_TIMEOUT_MS;
	c->user = config->user;
	c->on_open = config->on_open;
	c->on_message = config->on_message;
	c->on_drained = config->on_drained;
	c->on_ended = config->on_ended;
	c->owner = d;
	c->owner_free = dialer_gone;
	text_copy(c->subprotocol, sizeof(c->subprotocol), config->subprotocol);
	snprintf(c->vhost_name, sizeof(c->vhost_name), "kedge-dialer");
	c->protocols[0] = (struct lws_protocols){
	    .name = c->subprotocol,
	    .callback = dialer_callback,
	    .rx_buffer_size = WS_READ_PIECE,
	    .tx_packet_size = WS_WRITE_PIECE + 64,
	};
}

enum err_code ws_dialer_new(
    struct ws_loop *loop, const struct ws_dialer_config *config, struct ws_dialer **ret, struct err *reterr)
{
	struct tls_config tls = {
	    .identity = config->identity,
	    .trust = config->trust,
	    .domain = config->domain,
	    .roles = TLS_ROLE_BIT(TLS_ROLE_CONTROLLER),
	    .name = config->controller,
	    .now_ms = config->now_ms,
	};
	struct ws_dialer *d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(reterr, ERR_NOMEM, "out of memory for a dialer");
	fill_channel(d, loop, config);
	enum err_code rc = tls_context_new(&tls, &d->channel.tls, reterr);
	if (rc == ERR_OK)
		rc = tls_context_make(d->channel.tls, &d->channel.client_ctx, reterr);
	if (rc == ERR_OK)
		rc = ws_channel_init(&d->channel, reterr);
	if (rc != ERR_OK) {
		SSL_CTX_free(d->channel.client_ctx);
		tls_context_free(d->channel.tls);
		free(d);
		return rc;
	}
	*ret = d;
	return ERR_OK;
}

void ws_dialer_free(struct ws_dialer *dialer)
{
	if (dialer)
		ws_channel_close(&dialer->channel);
}

void ws_dialer_set_identity(struct ws_dialer *dialer, struct tls_identity *identity)
{
	tls_context_set_identity(dialer->channel.tls, identity);
}

void ws_dialer_set_trust(struct ws_dialer *dialer, struct tls_trust *trust)
{
	tls_context_set_trust(dialer->channel.tls, trust);
}
