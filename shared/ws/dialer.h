/* shared/ws/dialer.h: the agent's side: one attempt to connect, and the connection that may come of it.
 *
 * Every attempt ends in exactly one on_ended, however it fails; when to try again is the caller's.  Loop thread only
 * (loop.h). */
#ifndef KEDGE_SHARED_WS_DIALER_H
#define KEDGE_SHARED_WS_DIALER_H

#include "shared/tls/context.h"
#include "shared/ws/conn.h"

struct ws_dialer_config {
	struct tls_identity *identity; /* referenced; replaceable */
	struct tls_trust *trust;
	const char *domain;
	const char *controller; /* the name that the server's certificate must carry, or NULL for any controller of the
				   domain */
	uint64_t (*now_ms)(void); /* unix; NULL: clock_wall_ms */
	const char *subprotocol;
	size_t message_limit_bytes; /* 0: MESSAGE_SIZE_MAX */
	size_t outbox_limit_bytes;  /* 0: WS_OUTBOX_DEFAULT */
	uint32_t ping_ms;           /* 0: WS_PING_DEFAULT_MS */
	uint32_t timeout_ms;        /* of one attempt; 0: WS_CONNECT_TIMEOUT_MS */
	void *user;
	void (*on_open)(void *user, struct ws_conn *conn);
	void (*on_message)(void *user, struct ws_conn *conn, struct bytes message);
	void (*on_drained)(void *user, struct ws_conn *conn); /* may be NULL */
	/* Exactly once for each ws_connect that returned ERR_OK; never from inside ws_connect. */
	void (*on_ended)(void *user, struct ws_conn *conn, const struct ws_ended *ended);
};

struct ws_dialer;

ERR_CHECK enum err_code ws_dialer_new(
    struct ws_loop *loop, const struct ws_dialer_config *config, struct ws_dialer **ret, struct err *reterr);
void ws_dialer_free(struct ws_dialer *dialer); /* ends its connections with WS_STOPPED */
/* From the next attempt on. */
void ws_dialer_set_identity(struct ws_dialer *dialer, struct tls_identity *identity);
void ws_dialer_set_trust(struct ws_dialer *dialer, struct tls_trust *trust);

/* One attempt at "wss://host:port/path" (path optional).  host is best a literal address ("[…]" around IPv6): a name is
 * resolved by the system's resolver on a thread of its own, given up after WS_RESOLVE_TIMEOUT_MS, and its addresses are
 * tried in order. user becomes ws_user(conn).  ERR_INVALID: not such a URL. */
ERR_CHECK enum err_code ws_connect(
    struct ws_dialer *dialer, const char *url, void *user, struct ws_conn **ret, struct err *reterr);

#endif
