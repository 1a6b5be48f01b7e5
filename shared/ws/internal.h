/* shared/ws/internal.h: what the files of this folder share.
 *
 * Two ways through libwebsockets: websocket connections are its own (conn.c, listener.c, dialer.c); HTTP connections
 * and listening sockets are descriptors that it watches for us (fd.c, accept.c), with TLS and HTTP done here
 * (http_*.c), because its HTTP server folds paths, drops unknown methods without an answer, speaks h2c to whoever asks
 * and reads freed memory after an unknown Upgrade on a kept-alive connection. */
#ifndef KEDGE_SHARED_WS_INTERNAL_H
#define KEDGE_SHARED_WS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "shared/base/openssl.h"
#include <libwebsockets.h>

#include "shared/base/cleanup.h"
#include "shared/ws/dialer.h"
#include "shared/ws/listener.h"
#include "shared/ws/url.h"

struct ws_resolver;

struct ws_loop {
	struct ws_loop_config config;
	struct lws_context *context;
	struct lws_vhost *base; /* owns no connection; its protocol hears wake-ups and watches descriptors */
	SSL_CTX *nobody;        /* for vhosts that never dial: see loop.c */
	void *uv;               /* uv_loop_t, or NULL */
	atomic_bool woken, stopping;
	pthread_mutex_t waking; /* held while another thread is inside lws_cancel_service() */
	bool freeing;
	struct lws_dll2_owner timers, watches, channels, https;
	unsigned connections;         /* of all ports of this loop */
	struct ws_channel *listening; /* the one listener, or NULL */
	struct ws_resolver *resolver; /* made when a name is first met */
};

uint64_t ws_now_ms(void); /* the clock of libwebsockets' timers */
void ws_loop_uv_make(struct lws_context_creation_info *info, struct ws_loop *loop); /* loop->uv stays NULL: no memory */
void ws_loop_uv_run(struct ws_loop *loop);
void ws_loop_uv_stop(struct ws_loop *loop);
void ws_loop_uv_free(struct ws_loop *loop);

/* ---- fd.c: a descriptor that the loop watches.  The callbacks may remove it. ---- */
struct ws_fd;
struct ws_fd_ops {
	void (*on_read)(void *ctx);
	void (*on_write)(void *ctx);  /* once for each ws_fd_want_write; may be NULL if that is never called */
	void (*on_hangup)(void *ctx); /* the other end is gone; no other callback comes after it */
};
/* fd becomes the loop's and is closed by ws_fd_remove, not at once but before the loop waits again. */
ERR_CHECK enum err_code ws_fd_add(
    struct ws_loop *loop, int fd, const struct ws_fd_ops *ops, void *ctx, struct ws_fd **ret, struct err *reterr);
void ws_fd_want_write(struct ws_fd *f);
void ws_fd_reading(struct ws_fd *f, bool on);
void ws_fd_remove(struct ws_fd *f); /* NULL is a no-op */
int ws_fd_callback(struct lws *wsi, enum lws_callback_reasons reason);
void ws_watch_free_all(struct ws_loop *loop);

/* ---- accept.c: a listening socket ---- */
struct ws_accept;
/* fd is accepted, non-blocking, close-on-exec, and the callee's. */
typedef void ws_accepted(void *ctx, int fd, const char *address);
ERR_CHECK enum err_code ws_accept_new(struct ws_loop *loop, const char *address, uint16_t port,
    ws_accepted *on_accepted, void *ctx, struct ws_accept **ret, struct err *reterr);
void ws_accept_free(struct ws_accept *a); /* NULL is a no-op */
uint16_t ws_accept_port(const struct ws_accept *a);
/* Of the peer of a connected socket. */
void ws_peer_address(int fd, char out[WS_ADDRESS_MAX]);
/* How many connections this process may have without running out of descriptors. */
unsigned ws_descriptors_max(void);

/* ---- conn.c: websocket connections of one listener or one dialer ---- */
struct ws_channel {
	struct ws_loop *loop;
	struct lws_dll2 list; /* in the loop */
	struct lws_vhost *vhost;
	struct tls_context *tls;
	SSL_CTX *client_ctx; /* of dialers */
	struct lws_protocols protocols[2];
	char subprotocol[64], vhost_name[32];
	size_t message_limit, outbox_limit;
	uint32_t ping_ms, handshake_ms;
	struct lws_dll2_owner conns;
	size_t open_count;
	lws_sorted_usec_list_t sweep;
	bool client, dead, making; /* dead: being freed */
	bool created;              /* the library has made a wsi (listener.c) */
	void *user;
	void (*on_open)(void *user, struct ws_conn *conn);
	void (*on_message)(void *user, struct ws_conn *conn, struct bytes message);
	void (*on_drained)(void *user, struct ws_conn *conn);
	void (*on_ended)(void *user, struct ws_conn *conn, const struct ws_ended *ended);
	void *owner; /* struct ws_listener or struct ws_dialer, freed with the channel */
	void (*owner_free)(void *owner);
};

enum conn_state {
	CONN_OPENING, /* attempt or handshake */
	CONN_OPEN,
	CONN_CLOSING, /* ws_close was called: the outbox goes out, nothing comes in */
	CONN_ENDED,   /* the program has been told; only the library still has it */
};

struct outgoing {
	struct outgoing *next;
	size_t size, sent;
	uint8_t data[]; /* LWS_PRE bytes of room for the library, then the message */
};

struct ws_conn {
	struct ws_channel *channel;
	struct lws_dll2 list; /* in the channel */
	struct lws *wsi;      /* NULL: not yet, or no more */
	enum conn_state state;
	void *user;
	struct tls_peer peer;
	char address[WS_ADDRESS_MAX];
	bool refused;      /* on_refused was called */
	bool was_open;     /* on_open was called */
	bool said_goodbye; /* our close frame has gone out */
	bool paused, choked, full, pinged, ping_due;
	uint64_t since_ms, heard_ms; /* of the state opening; of the peer's last sign of life */
	struct outgoing *out_first, *out_last;
	size_t out_bytes, out_count;
	struct buf in;
	uint16_t close_code;
	char close_reason[WS_CLOSE_REASON_MAX + 1];
	struct ws_ended ended;      /* what is known so far about why it will have ended */
	struct ws_attempt *attempt; /* of dialers (dialer.c) */
};

/* Fills in the defaults, makes the vhost, begins to sweep.  From then on owner, tls and client_ctx are freed with the
 * vhost; on failure they are still the caller's. */
ERR_CHECK enum err_code ws_channel_init(struct ws_channel *c, struct err *reterr);
struct ws_conn *ws_conn_new(struct ws_channel *c); /* NULL: no memory */
void ws_conn_opened(struct ws_conn *conn);
int ws_conn_received(struct ws_conn *conn, const void *data, size_t size);
int ws_conn_writable(struct ws_conn *conn);
int ws_conn_peer_closes(struct ws_conn *conn, const void *data, size_t size);
void ws_conn_heard(struct ws_conn *conn);
/* Tell the program, once. */
void ws_conn_end(struct ws_conn *conn, enum ws_end end, const char *detail);
/* The library has let go of it: ends it if need be, and frees it. */
void ws_conn_gone(struct ws_conn *conn);
/* End it, and the socket with it, without a goodbye. */
void ws_conn_kill(struct ws_conn *conn, enum ws_end end, const char *detail);
void ws_conn_drop_socket(struct ws_conn *conn);
void ws_channel_sweep(struct ws_channel *c);
/* Ends every connection with WS_STOPPED; the channel frees itself when the last is gone. */
void ws_channel_close(struct ws_channel *c);
void ws_attempt_free(struct ws_attempt *attempt); /* dialer.c */

/* ---- resolve.c ---- */
enum { WS_ADDRESSES_MAX = 8 };
struct ws_addresses {
	unsigned count;
	char text[WS_ADDRESSES_MAX][WS_ADDRESS_MAX];
	char error[WS_DETAIL_MAX]; /* count 0: why */
};
struct ws_lookup;
/* on_done comes once from the loop, unless ws_lookup_cancel comes first. */
ERR_CHECK enum err_code ws_lookup_start(struct ws_loop *loop, const char *host,
    void (*on_done)(void *ctx, const struct ws_addresses *), void *ctx, struct ws_lookup **ret, struct err *reterr);
void ws_lookup_cancel(struct ws_lookup *lookup); /* NULL is a no-op */
void ws_resolver_deliver(struct ws_loop *loop);
void ws_resolver_free(struct ws_loop *loop);

/* http.c */
void ws_http_free_all(struct ws_loop *loop);

#endif
