/* shared/ws/conn.c: a websocket connection, whichever side dialled: its outbox, the messages it puts together, its
 * signs of life, and the one word to the program when it ends.
 *
 * The struct outlives what the program knows of it: it is freed when the library lets go of the socket (ws_conn_gone),
 * which may be later than its end (goodbyes are exchanged) but never earlier. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/ws/internal.h"

enum {
	CLOSE_FLUSH_S = 2, /* for what is queued when a connection is closed */
	WRITE_CLOSE = 4,   /* lws_write()'s kind for it, whose name 4.1.6 keeps to itself */
	GOODBYE_MS = 1000, /* for the peer's answer to a goodbye */
};

const char *ws_end_word(enum ws_end end)
{
	static const char *const words[] = {
#define X(NAME, word, text) [WS_##NAME] = word,
	    WS_ENDS(X)
#undef X
	};
	return (unsigned)end < WS_END_COUNT ? words[end] : "unknown";
}

const char *ws_end_text(enum ws_end end)
{
	static const char *const texts[] = {
#define X(NAME, word, text) [WS_##NAME] = text,
	    WS_ENDS(X)
#undef X
	};
	return (unsigned)end < WS_END_COUNT ? texts[end] : "unknown";
}

struct ws_conn *ws_conn_new(struct ws_channel *c)
{
	struct ws_conn *conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	conn->channel = c;
	conn->since_ms = ws_now_ms();
	conn->heard_ms = conn->since_ms;
	conn->in.limit = c->message_limit;
	conn->ended.end = WS_LOST;
	lws_dll2_add_tail(&conn->list, &c->conns);
	return conn;
}

static void drop_outbox(struct ws_conn *conn)
{
	while (conn->out_first) {
		struct outgoing *next = conn->out_first->next;
		free(conn->out_first);
		conn->out_first = next;
	}
	conn->out_last = NULL;
	conn->out_bytes = conn->out_count = 0;
}

void ws_conn_opened(struct ws_conn *conn)
{
	conn->state = CONN_OPEN;
	conn->was_open = true;
	conn->since_ms = conn->heard_ms = ws_now_ms();
	conn->channel->open_count++;
	conn->channel->on_open(conn->channel->user, conn);
}

void ws_conn_end(struct ws_conn *conn, enum ws_end end, const char *detail)
{
	struct ws_channel *c = conn->channel;
	if (conn->state == CONN_ENDED)
		return;
	conn->state = CONN_ENDED;
	conn->since_ms = ws_now_ms();
	if (conn->was_open)
		c->open_count--;
	drop_outbox(conn);
	buf_done(&conn->in);
	struct ws_ended ended = conn->ended;
	ended.end = c->loop->freeing || c->dead ? WS_STOPPED : end;
	if (detail)
		text_copy(ended.detail, sizeof(ended.detail), detail);
	if (conn->was_open || c->client)
		c->on_ended(c->user, conn, &ended);
}

void ws_conn_drop_socket(struct ws_conn *conn)
{
	if (conn->wsi)
		lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void ws_conn_kill(struct ws_conn *conn, enum ws_end end, const char *detail)
{
	ws_conn_end(conn, end, detail);
	ws_conn_drop_socket(conn);
}

static void destroy_vhost(lws_sorted_usec_list_t *sul)
{
	struct ws_channel *c = lws_container_of(sul, struct ws_channel, sweep);
	lws_vhost_destroy(c->vhost);
}

static void channel_free(struct ws_channel *c)
{
	lws_dll2_remove(&c->list);
	lws_sul_cancel(&c->sweep);
	/* vhost_gone frees the rest when the library lets go of it: in a moment, since a vhost that a socket is still
	 * bound to stays for good (4.1.6 never marks it), or with the loop. */
	if (!c->loop->freeing)
		lws_sul_schedule(c->loop->context, 0, &c->sweep, destroy_vhost, 1);
}

void ws_conn_gone(struct ws_conn *conn)
{
	struct ws_channel *c = conn->channel;
	ws_conn_end(conn, conn->ended.end, NULL);
	lws_dll2_remove(&conn->list);
	if (!c->client)
		c->loop->connections--;
	ws_attempt_free(conn->attempt);
	drop_outbox(conn);
	buf_done(&conn->in);
	free(conn);
	if (c->dead && c->conns.count == 0)
		channel_free(c);
}

/* ---- out ---- */

enum err_code ws_send(struct ws_conn *conn, const void *data, size_t size_bytes, struct err *reterr)
{
	struct ws_channel *c = conn->channel;
	if (conn->state != CONN_OPEN)
		return err_set(reterr, ERR_STATE, "the connection is closing");
	if (size_bytes > c->message_limit)
		return err_set(reterr, ERR_LIMIT, "a message of %zu bytes is above the limit of %zu", size_bytes,
		    c->message_limit);
	/* A single message always fits into an empty outbox. */
	if (conn->out_count > 0 &&
	    (conn->out_count >= WS_OUTBOX_COUNT_MAX || conn->out_bytes + size_bytes > c->outbox_limit)) {
		conn->full = true;
		return err_set(reterr, ERR_FULL, "%zu messages wait for %s already", conn->out_count, conn->address);
	}
	struct outgoing *o = malloc(sizeof(*o) + LWS_PRE + size_bytes);
	if (!o)
		return err_set(reterr, ERR_NOMEM, "out of memory for a message");
	o->next = NULL;
	o->size = size_bytes;
	o->sent = 0;
	if (size_bytes > 0)
		memcpy(o->data + LWS_PRE, data, size_bytes);
	if (conn->out_last)
		conn->out_last->next = o;
	else
		conn->out_first = o;
	conn->out_last = o;
	conn->out_bytes += size_bytes;
	conn->out_count++;
	lws_callback_on_writable(conn->wsi);
	return ERR_OK;
}

size_t ws_queued_bytes(const struct ws_conn *conn)
{
	return conn->out_bytes;
}

/* One piece of the first message as one websocket fragment.  The library scribbles over LWS_PRE bytes before it: room,
 * or what has been sent already. */
static int write_piece(struct ws_conn *conn)
{
	struct outgoing *o = conn->out_first;
	size_t left = o->size - o->sent, piece = left < WS_WRITE_PIECE ? left : WS_WRITE_PIECE;
	int flags = lws_write_ws_flags(LWS_WRITE_BINARY, o->sent == 0, piece == left);
	int n = lws_write(conn->wsi, o->data + LWS_PRE + o->sent, piece, (enum lws_write_protocol)flags);
	if (n < 0 || (size_t)n < piece)
		return -1;
	o->sent += piece;
	if (o->sent < o->size)
		return 0;
	conn->out_first = o->next;
	if (!conn->out_first)
		conn->out_last = NULL;
	conn->out_bytes -= o->size;
	conn->out_count--;
	free(o);
	return 0;
}

static int write_ping(struct ws_conn *conn)
{
	/* With a payload: the library keeps the answer to an empty ping to itself. */
	uint8_t ping[LWS_PRE + 4] = {0};
	conn->ping_due = false;
	return lws_write(conn->wsi, ping + LWS_PRE, 4, LWS_WRITE_PING) < 0 ? -1 : 0;
}

/* Written here, not left to the library (lws_close_reason and -1): Debian's build, made with _DEBUG, closes twice under
 * libuv "to confirm" that this does no harm, which cuts the connection before the goodbye is out. */
static int say_goodbye(struct ws_conn *conn)
{
	uint8_t frame[LWS_PRE + 2 + WS_CLOSE_REASON_MAX];
	size_t reason = strlen(conn->close_reason);
	frame[LWS_PRE] = (uint8_t)(conn->close_code >> 8);
	frame[LWS_PRE + 1] = (uint8_t)conn->close_code;
	memcpy(frame + LWS_PRE + 2, conn->close_reason, reason);
	conn->said_goodbye =
	    lws_write(conn->wsi, frame + LWS_PRE, 2 + reason, (enum lws_write_protocol)WRITE_CLOSE) >= 0;
	ws_conn_end(conn, WS_CLOSED_HERE, NULL);
	return conn->said_goodbye ? 0 : -1; /* the peer answers and hangs up, or the sweep does */
}

static void tell_drained(struct ws_conn *conn)
{
	struct ws_channel *c = conn->channel;
	if (!conn->full || conn->state != CONN_OPEN || conn->out_bytes > c->outbox_limit / 2 ||
	    conn->out_count > WS_OUTBOX_COUNT_MAX / 2)
		return;
	conn->full = false;
	if (c->on_drained)
		c->on_drained(c->user, conn);
}

/* The library calls when the socket takes more. */
int ws_conn_writable(struct ws_conn *conn)
{
	if (conn->state == CONN_ENDED)
		return conn->said_goodbye ? 0 : -1;
	if (conn->choked) {
		conn->choked = false;
		ws_conn_heard(conn); /* the peer's end took what the kernel held */
	}
	if (conn->ping_due && write_ping(conn) < 0)
		return -1;
	for (size_t written = 0; conn->out_first && written < 2 * WS_WRITE_PIECE; written += WS_WRITE_PIECE) {
		if (lws_send_pipe_choked(conn->wsi)) {
			conn->choked = true;
			break;
		}
		if (write_piece(conn) < 0)
			return -1;
	}
	if (conn->out_first)
		lws_callback_on_writable(conn->wsi);
	else if (conn->state == CONN_CLOSING)
		return say_goodbye(conn);
	tell_drained(conn);
	return 0;
}

void ws_close(struct ws_conn *conn, uint16_t code, const char *reason)
{
	if (conn->state != CONN_OPEN)
		return;
	conn->state = CONN_CLOSING;
	conn->close_code = code;
	text_copy(conn->close_reason, sizeof(conn->close_reason), reason ? reason : "");
	conn->ended.end = WS_CLOSED_HERE;
	ws_resume(conn);
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, CLOSE_FLUSH_S);
	lws_callback_on_writable(conn->wsi);
}

/* ---- in ---- */

/* Ends it with a code that tells the peer why. */
static int refuse_message(struct ws_conn *conn, enum ws_end end, uint16_t code, const char *reason)
{
	char text[WS_CLOSE_REASON_MAX + 1];
	text_copy(text, sizeof(text), reason);
	lws_close_reason(conn->wsi, (enum lws_close_status)code, (unsigned char *)text, strlen(text));
	ws_conn_end(conn, end, reason);
	return -1;
}

int ws_conn_received(struct ws_conn *conn, const void *data, size_t size)
{
	struct ws_channel *c = conn->channel;
	if (conn->state == CONN_ENDED)
		return conn->said_goodbye ? 0 : -1;
	ws_conn_heard(conn);
	if (conn->state != CONN_OPEN)
		return 0;
	if (!lws_frame_is_binary(conn->wsi))
		return refuse_message(conn, WS_TEXT_FRAME, WS_CODE_UNSUPPORTED, "only binary messages are spoken here");
	if (lws_is_first_fragment(conn->wsi))
		buf_clear(&conn->in);
	size_t coming = size + lws_remaining_packet_payload(conn->wsi);
	if (coming < size || coming > c->message_limit || conn->in.size > c->message_limit - coming)
		return refuse_message(conn, WS_TOO_BIG, WS_CODE_TOO_BIG, "the message is above the limit");
	bool final = lws_is_final_fragment(conn->wsi);
	if (final && conn->in.size == 0) { /* whole in one piece: no need to copy it */
		c->on_message(c->user, conn, (struct bytes){data, size});
	} else {
		buf_append(&conn->in, data, size);
		if (conn->in.failed)
			return refuse_message(conn, WS_FAILED, WS_CODE_INTERNAL, "out of memory");
		if (final)
			c->on_message(c->user, conn, buf_bytes(&conn->in));
	}
	if (final) /* one large message must not hold its memory for the connection's life */
		buf_done(&conn->in), conn->in.limit = c->message_limit;
	return conn->state == CONN_ENDED ? -1 : 0;
}

int ws_conn_peer_closes(struct ws_conn *conn, const void *data, size_t size)
{
	const uint8_t *p = data;
	if (conn->state == CONN_ENDED)
		return -1; /* the answer to our goodbye: all is said */
	if (conn->state == CONN_CLOSING)
		return 0;
	conn->ended.end = WS_CLOSED_BY_PEER;
	conn->ended.close_code = size >= 2 ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
	if (size > 2) {
		size_t n = size - 2 < WS_CLOSE_REASON_MAX ? size - 2 : WS_CLOSE_REASON_MAX;
		if (text_utf8_valid(p + 2, n)) {
			memcpy(conn->ended.detail, p + 2, n);
			conn->ended.detail[n] = '\0';
		}
	}
	return 0;
}

void ws_pause(struct ws_conn *conn)
{
	if (conn->state != CONN_OPEN || conn->paused)
		return;
	conn->paused = true;
	lws_rx_flow_control(conn->wsi, 0);
}

void ws_resume(struct ws_conn *conn)
{
	if (!conn->paused || !conn->wsi)
		return;
	conn->paused = false;
	ws_conn_heard(conn); /* its answers to pings lay unread */
	lws_rx_flow_control(conn->wsi, 1);
}

/* ---- signs of life ---- */

void ws_conn_heard(struct ws_conn *conn)
{
	conn->heard_ms = ws_now_ms();
	conn->pinged = false;
}

/* The sweep comes at least every eighth of the ping interval: with these, a peer that vanished is found within two
 * intervals. */
static void sweep_open(struct ws_conn *conn, uint64_t now_ms)
{
	uint64_t quiet = now_ms - conn->heard_ms, ping = conn->channel->ping_ms;
	if (conn->paused)
		return;
	if (conn->pinged && quiet >= ping + ping * 3 / 4) {
		ws_conn_kill(conn, WS_UNRESPONSIVE, NULL);
	} else if (!conn->pinged && quiet >= ping * 3 / 4) {
		conn->pinged = conn->ping_due = true;
		lws_callback_on_writable(conn->wsi);
	}
}

void ws_channel_sweep(struct ws_channel *c)
{
	uint64_t now_ms = ws_now_ms();
	lws_start_foreach_dll_safe(struct lws_dll2 *, p, next, c->conns.head)
	{
		struct ws_conn *conn = lws_container_of(p, struct ws_conn, list);
		if (conn->state == CONN_OPEN)
			sweep_open(conn, now_ms);
		else if (conn->state == CONN_OPENING && !c->client && now_ms - conn->since_ms >= c->handshake_ms)
			ws_conn_kill(conn, WS_TIMED_OUT, NULL);
		else if (conn->state == CONN_ENDED && now_ms - conn->since_ms >= GOODBYE_MS)
			ws_conn_drop_socket(conn); /* the library may wait long for a peer that does not hang up */
	}
	lws_end_foreach_dll_safe(p, next);
}

static void sweep_again(struct ws_channel *c);
static void on_sweep(lws_sorted_usec_list_t *sul)
{
	struct ws_channel *c = lws_container_of(sul, struct ws_channel, sweep);
	ws_channel_sweep(c);
	sweep_again(c);
}

static void sweep_again(struct ws_channel *c)
{
	uint32_t every_ms = (c->ping_ms < c->handshake_ms ? c->ping_ms : c->handshake_ms) / 8;
	lws_sul_schedule(c->loop->context, 0, &c->sweep, on_sweep, (lws_usec_t)every_ms * 1000 + 1);
}

/* ---- channels ---- */

static void vhost_gone(struct lws_vhost *vhost, void *arg)
{
	struct ws_channel *c = arg;
	(void)vhost;
	if (c->making)
		return; /* lws_create_vhost() gives up on it: the caller still has everything */
	lws_sul_cancel(&c->sweep);
	SSL_CTX_free(c->client_ctx);
	tls_context_free(c->tls);
	c->owner_free(c->owner);
}

/* The library's own pings stay off: it would neither tell why it closed a connection nor mind a paused one. */
static const lws_retry_bo_t no_pings = {.secs_since_valid_ping = 0, .secs_since_valid_hangup = 0};

enum err_code ws_channel_init(struct ws_channel *c, struct err *reterr)
{
	struct lws_context_creation_info info = {0};
	c->ping_ms = c->ping_ms ? c->ping_ms : WS_PING_DEFAULT_MS;
	c->handshake_ms = c->handshake_ms ? c->handshake_ms : WS_HANDSHAKE_TIMEOUT_MS;
	c->message_limit = c->message_limit ? c->message_limit : MESSAGE_SIZE_MAX;
	c->outbox_limit = c->outbox_limit ? c->outbox_limit : WS_OUTBOX_DEFAULT;
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
		       LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
	info.vhost_name = c->vhost_name;
	info.protocols = c->protocols;
	info.alpn = "http/1.1";
	info.user = c;
	info.http_proxy_address = ""; /* else the environment's http_proxy would be obeyed */
	info.retry_and_idle_policy = &no_pings;
	info.finalize = vhost_gone;
	info.finalize_arg = c;
	if (c->client) {
		info.port = CONTEXT_PORT_NO_LISTEN;
		info.provided_client_ssl_ctx = c->client_ctx;
	} else {
		info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
		info.provided_client_ssl_ctx = c->loop->nobody;
		info.options |= LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
	}
	c->making = true;
	c->vhost = lws_create_vhost(c->loop->context, &info);
	c->making = false;
	if (!c->vhost)
		return err_set(reterr, ERR_INTERNAL, "libwebsockets makes no vhost");
	lws_dll2_add_tail(&c->list, &c->loop->channels);
	sweep_again(c);
	return ERR_OK;
}

void ws_channel_close(struct ws_channel *c)
{
	c->dead = true;
	if (c->conns.count == 0) {
		channel_free(c);
		return;
	}
	/* The last ws_conn_gone frees the channel: in this walk only if no connection has a socket, which goes in a
	 * later turn. */
	lws_start_foreach_dll_safe(struct lws_dll2 *, p, next, c->conns.head)
	{
		struct ws_conn *conn = lws_container_of(p, struct ws_conn, list);
		ws_conn_kill(conn, WS_STOPPED, NULL);
		if (!conn->wsi)
			ws_conn_gone(conn);
	}
	lws_end_foreach_dll_safe(p, next);
}

/* ---- for the program ---- */

const struct tls_peer *ws_peer(const struct ws_conn *conn)
{
	return &conn->peer;
}

const char *ws_address(const struct ws_conn *conn)
{
	return conn->address;
}

void ws_set_user(struct ws_conn *conn, void *user)
{
	conn->user = user;
}

void *ws_user(const struct ws_conn *conn)
{
	return conn->user;
}
