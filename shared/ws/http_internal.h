/* shared/ws/http_internal.h: the HTTP port's connections, among http*.c. */
#ifndef KEDGE_SHARED_WS_HTTP_INTERNAL_H
#define KEDGE_SHARED_WS_HTTP_INTERNAL_H

#include "shared/ws/http_head.h"
#include "shared/ws/internal.h"

struct ws_http {
	struct ws_loop *loop;
	struct lws_dll2 list; /* in the loop */
	struct ws_http_config config;
	struct ws_accept *accept;
	struct tls_context *tls;
	SSL_CTX *ctx;
	struct lws_dll2_owner conns;
	struct ws_timer *sweep;
	bool dead;
};

enum http_state {
	HTTP_HANDSHAKE,
	HTTP_HEAD, /* waits for a request */
	HTTP_BODY,
	HTTP_PENDING, /* the program has it, or streams */
	HTTP_ANSWER,  /* an answer goes out */
	HTTP_LINGER,  /* all is said; the peer may read the end of it */
	HTTP_CLOSED,
};

struct ws_request {
	struct http_conn *conn;
	struct http_head head;
	struct buf body;
	void *user;
	bool delivered; /* the program knows of it */
	bool streaming, full;
};

struct http_conn {
	struct ws_http *http;
	struct lws_dll2 list; /* in the port */
	struct ws_fd *fd;
	int socket; /* the number: fd closes it */
	SSL *ssl;
	enum http_state state;
	unsigned busy; /* we are inside a function of this connection: it is freed when that returns */
	char address[WS_ADDRESS_MAX];
	struct tls_peer peer;
	bool known; /* a certificate was shown and accepted */
	bool close_after, reading_off, blocked;
	uint64_t deadline_ms; /* of the state; 0: none */
	struct ws_request *request;
	struct buf in, out;
	size_t out_at;
	struct bytes tail; /* borrowed, goes out after out */
};

/* http_conn.c */
void http_conn_accept(struct ws_http *http, int fd, const char *address);
void http_conn_close(struct http_conn *conn); /* tells the program if it had a request */
void http_conn_sweep(struct http_conn *conn, uint64_t now_ms);
void http_conn_flush_soon(struct http_conn *conn);
size_t http_conn_waiting(const struct http_conn *conn); /* bytes that have not gone out */

/* http_answer.c */
/* A whole answer of the library's own; the connection closes after it if close is set. */
void http_answer_plain(struct http_conn *conn, int status, const char *text, bool close);
void http_answer_file(struct http_conn *conn, const struct ws_file *file);

/* http.c */
void http_refused(struct ws_http *http, const char *address, enum tls_verdict reason, const struct tls_peer *peer,
    const char *detail);
const struct ws_file *http_file(const struct ws_http *http, const char *path);

#endif
