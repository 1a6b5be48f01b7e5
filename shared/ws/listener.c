/* shared/ws/listener.c: the agents' port. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/ws/internal.h"

struct ws_listener {
	struct ws_channel channel;
	struct ws_accept *accept;
	uint32_t connections_max;
	bool (*on_connect)(
	    void *user, const struct tls_peer *peer, const char *address, char ret_reason[WS_DETAIL_MAX]);
	void (*on_refused)(void *user, const struct ws_refused *refused);
};

static void refused(struct ws_listener *l, const char *address, enum tls_verdict reason, const struct tls_peer *peer,
    const char *detail)
{
	struct ws_refused r = {.address = address, .reason = reason, .peer = peer, .detail = detail};
	if (l->on_refused && !l->channel.dead)
		l->on_refused(l->channel.user, &r);
}

static void handshake_refused(void *user, SSL *ssl, const struct tls_refusal *refusal)
{
	char address[WS_ADDRESS_MAX];
	ws_peer_address(SSL_get_fd(ssl), address);
	refused(user, address, refusal->verdict, refusal->peer, refusal->detail);
}

/* A peer that got through TLS but not any further. */
static int bar(struct ws_conn *conn, const char *detail)
{
	struct ws_listener *l = conn->channel->owner;
	if (!conn->refused)
		refused(l, conn->address, TLS_BARRED, conn->peer.name[0] ? &conn->peer : NULL, detail);
	conn->refused = true;
	ws_conn_end(conn, WS_CLOSED_HERE, NULL);
	return -1;
}

static void accepted(void *ctx, int fd, const char *address)
{
	struct ws_listener *l = ctx;
	struct ws_channel *c = &l->channel;
	if (c->loop->connections >= l->connections_max) {
		refused(l, address, TLS_BARRED, NULL, "too many connections");
		close(fd);
		return;
	}
	struct ws_conn *conn = ws_conn_new(c);
	if (!conn) {
		close(fd);
		return;
	}
	text_copy(conn->address, sizeof(conn->address), address);
	c->loop->connections++;
	lws_sock_file_fd_type desc = {.sockfd = fd};
	lws_adopt_desc_t adopt = {.vh = c->vhost,
	    .type = LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL | LWS_ADOPT_HTTP,
	    .fd = desc,
	    .opaque = conn};
	c->created = false;
	/* It closes fd when it fails, and says WSI_DESTROY (now or soon) if it had come as far as WSI_CREATE. */
	if (!lws_adopt_descriptor_vhost_via_info(&adopt) && !c->created)
		ws_conn_gone(conn);
}

/* The peer wants to speak: who is it, in the right words, and does the program agree? */
static int judge_upgrade(struct ws_conn *conn, struct lws *wsi, const char *subprotocol)
{
	struct ws_listener *l = conn->channel->owner;
	char reason[WS_DETAIL_MAX] = "";
	if (!tls_peer_of(lws_get_ssl(wsi), &conn->peer))
		return bar(conn, "no certificate was verified on this connection");
	if (!subprotocol || strcmp(subprotocol, conn->channel->subprotocol) != 0)
		return bar(conn, "it does not ask for our subprotocol");
	if (l->on_connect && !l->on_connect(conn->channel->user, &conn->peer, conn->address, reason))
		return bar(conn, reason[0] ? reason : "the program refused it");
	return 0;
}

/* Anything but a websocket: plain HTTP, HTTP/2 over an upgrade, CONNECT.  The whole connection goes, not a stream of
 * it. */
static int not_websocket(struct ws_conn *conn)
{
	bar(conn, "it does not speak websocket");
	ws_conn_drop_socket(conn);
	return -1;
}

static struct ws_conn *conn_of(struct lws *wsi)
{
	struct ws_conn *conn = lws_get_opaque_user_data(wsi);
	if (conn && !conn->wsi)
		conn->wsi = wsi;
	return conn;
}

static int on_peer(struct lws *wsi, enum lws_callback_reasons reason, struct ws_conn *conn, void *in, size_t size)
{
	switch (reason) {
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return judge_upgrade(conn, wsi, in);
	case LWS_CALLBACK_ESTABLISHED:
		if (conn->state != CONN_OPENING || conn->refused)
			return -1;
		ws_conn_opened(conn);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return ws_conn_received(conn, in, size);
	case LWS_CALLBACK_RECEIVE_PONG:
		ws_conn_heard(conn);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return ws_conn_writable(conn);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return ws_conn_peer_closes(conn, in, size);
	case LWS_CALLBACK_CLOSED:
		ws_conn_end(conn, conn->ended.end, NULL);
		return 0;
	case LWS_CALLBACK_FILTER_HTTP_CONNECTION:
	case LWS_CALLBACK_HTTP:
	case LWS_CALLBACK_RAW_ADOPT:
	case LWS_CALLBACK_RAW_RX:
		return not_websocket(conn);
	default:
		return 0;
	}
}

/* A wsi without a connection of ours: a stream of HTTP/2, which has no business here. */
static int on_stranger(struct lws *wsi, enum lws_callback_reasons reason)
{
	struct lws *network = lws_get_network_wsi(wsi);
	struct ws_conn *conn = network && network != wsi ? lws_get_opaque_user_data(network) : NULL;
	if (reason != LWS_CALLBACK_FILTER_HTTP_CONNECTION && reason != LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION)
		return 0;
	return conn ? not_websocket(conn) : -1;
}

static int listener_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
	(void)user;
	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) {
		struct ws_channel *c = lws_vhost_user(in);
		struct err e = ERR_INIT;
		if (tls_context_apply(c->tls, user, &e) == ERR_OK)
			return 0;
		log_error("ws", "%s", e.msg);
		return -1;
	}
	if (reason == LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION)
		return !size; /* OpenSSL's own word, should the library ever ask: 0 would let everybody in */
	struct ws_conn *conn;
	switch (reason) {
	case LWS_CALLBACK_WSI_DESTROY:
		conn = lws_get_opaque_user_data(wsi);
		lws_set_opaque_user_data(wsi, NULL);
		if (conn) {
			conn->wsi = NULL;
			ws_conn_gone(conn);
		}
		return 0;
	case LWS_CALLBACK_WSI_CREATE:
		((struct ws_channel *)lws_vhost_user(lws_get_vhost(wsi)))->created = true;
		return 0;
	case LWS_CALLBACK_PROTOCOL_INIT:
	case LWS_CALLBACK_PROTOCOL_DESTROY:
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		return 0; /* these bring no connection of ours */
	default:
		conn = conn_of(wsi);
		return conn ? on_peer(wsi, reason, conn, in, size) : on_stranger(wsi, reason);
	}
}

static void listener_gone(void *owner)
{
	free(owner);
}

static enum err_code make_tls(struct ws_listener *l, const struct ws_port *port, struct err *reterr)
{
	struct tls_config config = {
	    .server = true,
	    .demand = TLS_DEMAND_CERTIFICATE,
	    .identity = port->identity,
	    .trust = port->trust,
	    .domain = port->domain,
	    .roles = port->roles,
	    .revocations = port->revocations,
	    .now_ms = port->now_ms,
	    .on_refused = handshake_refused,
	    .user = l,
	};
	return tls_context_new(&config, &l->channel.tls, reterr);
}

static void fill_channel(struct ws_listener *l, struct ws_loop *loop, const struct ws_listener_config *config)
{
	struct ws_channel *c = &l->channel;
	c->loop = loop;
	c->message_limit = config->message_limit_bytes;
	c->outbox_limit = config->outbox_limit_bytes;
	c->ping_ms = config->ping_ms;
	c->handshake_ms = config->port.handshake_ms;
	c->user = config->user;
	c->on_open = config->on_open;
	c->on_message = config->on_message;
	c->on_drained = config->on_drained;
	c->on_ended = config->on_closed;
	c->owner = l;
	c->owner_free = listener_gone;
	text_copy(c->subprotocol, sizeof(c->subprotocol), config->subprotocol);
	snprintf(c->vhost_name, sizeof(c->vhost_name), "kedge-listener");
	c->protocols[0] = (struct lws_protocols){
	    .name = c->subprotocol,
	    .callback = listener_callback,
	    .rx_buffer_size = WS_READ_PIECE,
	    .tx_packet_size = WS_WRITE_PIECE + 64, /* else larger writes are copied into the library's own queue */
	};
	l->connections_max = config->connections_max ? config->connections_max : ws_descriptors_max();
	l->on_connect = config->on_connect;
	l->on_refused = config->on_refused;
}

enum err_code ws_listener_new(
    struct ws_loop *loop, const struct ws_listener_config *config, struct ws_listener **ret, struct err *reterr)
{
	if (loop->listening)
		return err_set(reterr, ERR_STATE, "a loop has one websocket port");
	struct ws_listener *l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(reterr, ERR_NOMEM, "out of memory for a port");
	fill_channel(l, loop, config);
	enum err_code rc = make_tls(l, &config->port, reterr);
	if (rc == ERR_OK)
		rc = ws_channel_init(&l->channel, reterr);
	if (rc != ERR_OK) {
		tls_context_free(l->channel.tls);
		free(l);
		return rc;
	}
	loop->listening = &l->channel;
	rc = ws_accept_new(loop, config->port.address, config->port.port, accepted, l, &l->accept, reterr);
	if (rc != ERR_OK) {
		ws_listener_free(l);
		return rc;
	}
	*ret = l;
	return ERR_OK;
}

void ws_listener_free(struct ws_listener *listener)
{
	if (!listener)
		return;
	ws_accept_free(listener->accept);
	listener->accept = NULL;
	listener->channel.loop->listening = NULL;
	ws_channel_close(&listener->channel);
}

uint16_t ws_listener_port(const struct ws_listener *listener)
{
	return ws_accept_port(listener->accept);
}

size_t ws_listener_count(const struct ws_listener *listener)
{
	return listener->channel.open_count;
}

void ws_listener_set_identity(struct ws_listener *listener, struct tls_identity *identity)
{
	tls_context_set_identity(listener->channel.tls, identity);
}

void ws_listener_set_trust(struct ws_listener *listener, struct tls_trust *trust)
{
	tls_context_set_trust(listener->channel.tls, trust);
}

size_t ws_listener_recheck(struct ws_listener *listener)
{
	size_t ended = 0;
	lws_start_foreach_dll_safe(struct lws_dll2 *, p, next, listener->channel.conns.head)
	{
		struct ws_conn *conn = lws_container_of(p, struct ws_conn, list);
		bool live = conn->state == CONN_OPEN || conn->state == CONN_CLOSING;
		enum tls_verdict v = live ? tls_peer_recheck(listener->channel.tls, &conn->peer) : TLS_ACCEPTED;
		if (v != TLS_ACCEPTED) {
			conn->ended.verdict = v;
			ws_conn_kill(conn, WS_REVOKED_PEER, tls_verdict_text(v));
			ended++;
		}
	}
	lws_end_foreach_dll_safe(p, next);
	return ended;
}
