/* shared/ws/http_conn.c: one HTTPS connection: TLS, requests one after another, what goes out.
 *
 * Every entry (readable, writable, sweep, the program's calls) works through the same steps: handshake, read, take
 * requests out of what was read, write.  A connection that ends inside one of them is freed by the outermost. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/base/text.h"
#include "shared/ws/http_internal.h"

enum {
	IO_PIECE = 16 << 10, /* a TLS record */
	TURN_MAX = 1 << 20,  /* bytes each way in one turn; then others have theirs */
};

size_t http_conn_waiting(const struct http_conn *conn)
{
	return conn->out.size - conn->out_at + conn->tail.size;
}

static void enter(struct http_conn *conn)
{
	conn->busy++;
}

static void leave(struct http_conn *conn)
{
	if (--conn->busy > 0 || conn->state != HTTP_CLOSED)
		return;
	SSL_free(conn->ssl);
	buf_done(&conn->in);
	buf_done(&conn->out);
	free(conn);
}

void http_conn_flush_soon(struct http_conn *conn)
{
	if (conn->fd)
		ws_fd_want_write(conn->fd);
}

/* The request will not be answered any more. */
static void abandon(struct http_conn *conn)
{
	struct ws_request *r = conn->request;
	struct ws_http *http = conn->http;
	conn->request = NULL;
	if (!r)
		return;
	if (r->delivered && http->config.on_gone)
		http->config.on_gone(http->config.user, r);
	buf_done(&r->body);
	free(r);
}

void http_conn_close(struct http_conn *conn)
{
	if (conn->state == HTTP_CLOSED)
		return;
	enter(conn);
	conn->state = HTTP_CLOSED;
	abandon(conn);
	lws_dll2_remove(&conn->list);
	conn->http->loop->connections--;
	ws_fd_remove(conn->fd);
	conn->fd = NULL;
	leave(conn);
}

static void set_reading(struct http_conn *conn, bool on)
{
	if (conn->reading_off == !on || !conn->fd)
		return;
	conn->reading_off = !on;
	ws_fd_reading(conn->fd, on);
}

/* What a failed call of OpenSSL's means.  True: it is over. */
static bool ssl_is_over(struct http_conn *conn, int n)
{
	int e = SSL_get_error(conn->ssl, n);
	ERR_clear_error();
	if (e == SSL_ERROR_WANT_WRITE) {
		conn->blocked = true;
		http_conn_flush_soon(conn);
	}
	return e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
}

static void handshake(struct http_conn *conn)
{
	ERR_clear_error();
	int n = SSL_accept(conn->ssl);
	if (n == 1) {
		conn->known = tls_peer_of(conn->ssl, &conn->peer);
		conn->state = HTTP_HEAD;
	} else if (ssl_is_over(conn, n)) {
		http_conn_close(conn);
	}
}

static size_t in_limit(const struct http_conn *conn)
{
	if (conn->state == HTTP_BODY)
		return conn->request->body.limit + WS_PIPELINE_MAX;
	return WS_PIPELINE_MAX;
}

static void read_some(struct http_conn *conn)
{
	char piece[IO_PIECE];
	for (size_t got = 0; got < TURN_MAX && conn->state != HTTP_CLOSED;) {
		if (conn->state != HTTP_LINGER && conn->in.size >= in_limit(conn)) {
			set_reading(conn, false);
			return;
		}
		ERR_clear_error();
		int n = SSL_read(conn->ssl, piece, sizeof(piece));
		if (n <= 0) {
			if (ssl_is_over(conn, n))
				http_conn_close(conn);
			return;
		}
		got += (size_t)n;
		if (conn->state != HTTP_LINGER)
			buf_append(&conn->in, piece, (size_t)n);
		if (conn->in.failed) {
			http_conn_close(conn);
			return;
		}
	}
	http_conn_flush_soon(conn); /* there may be more inside OpenSSL, of which the descriptor knows nothing */
}

static void deliver(struct http_conn *conn)
{
	struct ws_http *http = conn->http;
	struct ws_request *r = conn->request;
	bool get = r->head.method == WS_GET || r->head.method == WS_HEAD;
	const struct ws_file *file = get ? http_file(http, r->head.path) : NULL;
	conn->state = HTTP_PENDING;
	conn->deadline_ms = ws_now_ms() + http->config.request_timeout_ms;
	if (file) {
		http_answer_file(conn, file);
		return;
	}
	r->delivered = true;
	http->config.on_request(http->config.user, r);
}

static void take_body(struct http_conn *conn)
{
	struct ws_request *r = conn->request;
	size_t missing = (size_t)r->head.content_length - r->body.size;
	size_t n = conn->in.size < missing ? conn->in.size : missing;
	buf_append(&r->body, conn->in.data, n);
	buf_consume(&conn->in, n);
	if (r->body.failed)
		http_conn_close(conn);
	else if (r->body.size == r->head.content_length)
		deliver(conn);
}

/* The head is whole: may it be asked, and what follows it? */
static void begin_request(struct http_conn *conn)
{
	struct ws_http *http = conn->http;
	struct http_head *h = &conn->request->head;
	conn->close_after = !h->keep_alive;
	if (!conn->known && !http_path_under(h->path, http->config.anonymous_prefixes)) {
		http_refused(
		    http, conn->address, TLS_NO_CERTIFICATE, NULL, "a request outside of what needs no certificate");
		http_answer_plain(conn, 403, "a client certificate is required\n", true);
		return;
	}
	if (h->content_length > http->config.body_limit_bytes) {
		http_answer_plain(conn, 413, "the body is above the limit\n", true);
		return;
	}
	conn->request->body.limit = http->config.body_limit_bytes;
	conn->state = HTTP_BODY;
	conn->deadline_ms = ws_now_ms() + http->config.request_timeout_ms;
	if (h->expects_continue && conn->in.size < h->content_length) {
		buf_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
		http_conn_flush_soon(conn);
	}
	take_body(conn);
}

static void take_head(struct http_conn *conn)
{
	size_t used = 0;
	int status = 500;
	struct ws_request *r = calloc(1, sizeof(*r));
	if (!r) {
		http_conn_close(conn);
		return;
	}
	r->conn = conn;
	enum http_result result = http_head_parse(conn->in.data, conn->in.size, &r->head, &used, &status);
	if (result == HTTP_READY) {
		buf_consume(&conn->in, used);
		conn->request = r;
		begin_request(conn);
		return;
	}
	free(r);
	if (result == HTTP_BAD)
		http_answer_plain(conn, status, "the request cannot be understood\n", true);
}

static void take_requests(struct http_conn *conn)
{
	while (conn->in.size > 0 && (conn->state == HTTP_HEAD || conn->state == HTTP_BODY)) {
		size_t before = conn->in.size;
		if (conn->state == HTTP_HEAD)
			take_head(conn);
		else
			take_body(conn);
		if (conn->in.size == before)
			break; /* waits for more */
	}
}

/* The last byte has gone out: say so to TLS and TCP, but read on, or the peer may lose the end of the answer to a
 * reset. */
static void linger(struct http_conn *conn)
{
	conn->state = HTTP_LINGER;
	conn->deadline_ms = ws_now_ms() + WS_LINGER_MS;
	buf_clear(&conn->in);
	ERR_clear_error();
	SSL_shutdown(conn->ssl);
	ERR_clear_error();
	shutdown(conn->socket, SHUT_WR);
	set_reading(conn, true);
}

static void answered(struct http_conn *conn)
{
	if (conn->close_after) {
		linger(conn);
		return;
	}
	conn->state = HTTP_HEAD;
	conn->deadline_ms = ws_now_ms() + conn->http->config.idle_timeout_ms;
}

static void went_out(struct http_conn *conn, size_t n)
{
	size_t from_out = conn->out.size - conn->out_at;
	from_out = n < from_out ? n : from_out;
	conn->out_at += from_out;
	if (n > from_out)
		conn->tail = (struct bytes){conn->tail.data + (n - from_out), conn->tail.size - (n - from_out)};
	if (conn->out_at == conn->out.size) {
		buf_done(&conn->out);
		conn->out_at = 0;
	}
	/* The reader moves: its time begins anew. */
	if (conn->state == HTTP_ANSWER || (conn->request && conn->request->streaming))
		conn->deadline_ms =
		    http_conn_waiting(conn) || conn->state == HTTP_ANSWER ? ws_now_ms() + WS_STREAM_STALL_MS : 0;
}

static void write_some(struct http_conn *conn)
{
	for (size_t sent = 0; http_conn_waiting(conn) > 0 && conn->state != HTTP_CLOSED;) {
		bool from_out = conn->out_at < conn->out.size;
		const uint8_t *data = from_out ? conn->out.data + conn->out_at : conn->tail.data;
		size_t size = from_out ? conn->out.size - conn->out_at : conn->tail.size;
		if (sent >= TURN_MAX) {
			http_conn_flush_soon(conn);
			return;
		}
		ERR_clear_error();
		int n = SSL_write(conn->ssl, data, size < IO_PIECE ? (int)size : IO_PIECE);
		if (n <= 0) {
			if (ssl_is_over(conn, n))
				http_conn_close(conn);
			return;
		}
		conn->blocked = false;
		sent += (size_t)n;
		went_out(conn, (size_t)n);
	}
}

static void tell_drained(struct http_conn *conn)
{
	struct ws_http *http = conn->http;
	struct ws_request *r = conn->request;
	if (!r || !r->full || http_conn_waiting(conn) > http->config.stream_limit_bytes / 2)
		return;
	r->full = false;
	if (http->config.on_drained)
		http->config.on_drained(http->config.user, r);
}

/* There is room again for what waits in the kernel, and in OpenSSL, of which the descriptor knows nothing. */
static void read_on(struct http_conn *conn)
{
	if (conn->state == HTTP_CLOSED || !conn->reading_off || conn->in.size >= in_limit(conn))
		return;
	set_reading(conn, true);
	http_conn_flush_soon(conn);
}

/* All the steps, as often as one of them makes way for another. */
static void work(struct http_conn *conn)
{
	enter(conn);
	if (conn->state == HTTP_HANDSHAKE)
		handshake(conn);
	if (conn->state != HTTP_HANDSHAKE && conn->state != HTTP_CLOSED)
		read_some(conn);
	while (conn->state != HTTP_HANDSHAKE && conn->state != HTTP_CLOSED) {
		take_requests(conn);
		if (conn->state == HTTP_CLOSED)
			break;
		write_some(conn);
		if (conn->state == HTTP_CLOSED)
			break;
		tell_drained(conn);
		if (conn->state != HTTP_ANSWER || http_conn_waiting(conn) > 0)
			break;
		answered(conn);
		if (conn->state == HTTP_LINGER || conn->in.size == 0)
			break;
	}
	read_on(conn);
	leave(conn);
}

static void on_ready(void *ctx)
{
	work(ctx);
}

static void on_hangup(void *ctx)
{
	http_conn_close(ctx);
}

static const struct ws_fd_ops conn_ops = {.on_read = on_ready, .on_write = on_ready, .on_hangup = on_hangup};

void http_conn_accept(struct ws_http *http, int fd, const char *address)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));
	SSL *ssl = conn ? SSL_new(http->ctx) : NULL;
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		free(conn);
		close(fd);
		return;
	}
	SSL_set_accept_state(ssl);
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	conn->http = http;
	conn->ssl = ssl;
	conn->socket = fd;
	text_copy(conn->address, sizeof(conn->address), address);
	uint32_t handshake_ms = http->config.port.handshake_ms;
	conn->deadline_ms = ws_now_ms() + handshake_ms;
	if (ws_fd_add(http->loop, fd, &conn_ops, conn, &conn->fd, NULL) != ERR_OK) {
		SSL_free(ssl); /* BIO_NOCLOSE: the descriptor has been closed */
		free(conn);
		return;
	}
	lws_dll2_add_tail(&conn->list, &http->conns);
	http->loop->connections++;
}

void http_conn_sweep(struct http_conn *conn, uint64_t now_ms)
{
	if (conn->deadline_ms == 0 || now_ms < conn->deadline_ms)
		return;
	enter(conn);
	struct ws_request *r = conn->request;
	if (conn->state == HTTP_PENDING && r && !r->streaming) {
		struct ws_http *http = conn->http;
		r->delivered = false; /* said here */
		if (http->config.on_gone)
			http->config.on_gone(http->config.user, r);
		http_answer_plain(conn, 504, "the request was not answered in time\n", true);
	} else if (conn->state == HTTP_BODY || (conn->state == HTTP_HEAD && conn->in.size > 0)) {
		http_answer_plain(conn, 408, "the request did not come in time\n", true);
	} else {
		http_conn_close(conn);
	}
	leave(conn);
}
