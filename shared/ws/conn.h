/* shared/ws/conn.h: one websocket connection, of a listener (listener.h) or of a dialer (dialer.h).
 *
 * Binary messages, whole, in order.  A connection lives until its last callback (on_closed of a listener, on_ended of a
 * dialer) returns; after that the pointer is dead.  Loop thread only (loop.h). */
#ifndef KEDGE_SHARED_WS_CONN_H
#define KEDGE_SHARED_WS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"
#include "shared/tls/verdict.h"
#include "shared/ws/limits.h"
#include "shared/ws/loop.h"

struct ws_conn;

/* X(NAME, word, what it means to a person): how a connection, or the attempt to make one, ended */
#define WS_ENDS(X)                                                                                                     \
	X(CLOSED_HERE, "closed-here", "this side closed it")                                                           \
	X(CLOSED_BY_PEER, "closed-by-peer", "the peer said goodbye")                                                   \
	X(LOST, "lost", "the connection broke without a goodbye")                                                      \
	X(UNRESPONSIVE, "unresponsive", "the peer did not answer pings")                                               \
	X(TOO_BIG, "too-big", "the peer sent a message above the limit")                                               \
	X(TEXT_FRAME, "text-frame", "the peer sent text where only binary messages are spoken")                        \
	X(REVOKED_PEER, "peer-revoked", "the peer's certificate was revoked or expired meanwhile")                     \
	X(STOPPED, "stopped", "the loop is being freed")                                                               \
	X(BAD_ADDRESS, "bad-address", "the address cannot be read or resolved")                                        \
	X(UNREACHABLE, "unreachable", "no connection could be made")                                                   \
	X(REFUSED_SERVER, "server-refused", "the server's certificate or handshake was refused")                       \
	X(REFUSED_HERE, "refused-by-server",                                                                           \
	    "the server ended the connection during the handshake: it may have refused our certificate")               \
	X(NOT_WEBSOCKET, "not-websocket", "the server did not accept the upgrade")                                     \
	X(TIMED_OUT, "timed-out", "the attempt took too long")                                                         \
	X(FAILED, "failed", "memory or the library failed")

enum ws_end {
#define X(NAME, word, text) WS_##NAME,
	WS_ENDS(X)
#undef X
	    WS_END_COUNT
};

const char *ws_end_word(enum ws_end end);
const char *ws_end_text(enum ws_end end);

struct ws_ended {
	enum ws_end end;
	enum tls_verdict verdict; /* of REFUSED_SERVER and REVOKED_PEER; else TLS_ACCEPTED */
	uint16_t close_code;      /* the peer's (RFC 6455 §7.4), 0 if none */
	int http_status;          /* of NOT_WEBSOCKET, 0 if none */
	char detail[WS_DETAIL_MAX];
};

/* Copies into the connection's outbox; goes out when the peer can take it.  ERR_FULL: over its bounds, nothing was
 * taken, and on_drained comes once it is at most half full.  ERR_STATE: closing.  ERR_LIMIT: above the message limit.
 */
ERR_CHECK enum err_code ws_send(struct ws_conn *conn, const void *data, size_t size_bytes, struct err *reterr);
size_t ws_queued_bytes(const struct ws_conn *conn); /* in the outbox */

/* Says goodbye after what is queued before it has gone out (at most 2 s), with a code of RFC 6455 §7.4 and a reason,
 * cut to WS_CLOSE_REASON_MAX.  The last callback follows, with WS_CLOSED_HERE; no message is delivered any more. Again:
 * no effect. */
void ws_close(struct ws_conn *conn, uint16_t code, const char *reason);
enum {
	WS_CODE_NORMAL = 1000,
	WS_CODE_GOING_AWAY = 1001,
	WS_CODE_PROTOCOL = 1002,
	WS_CODE_UNSUPPORTED = 1003,
	WS_CODE_POLICY = 1008,
	WS_CODE_TOO_BIG = 1009,
	WS_CODE_INTERNAL = 1011,
	WS_CODE_TRY_LATER = 4013 /* RFC 6455's private range: libwebsockets takes 1012 to 1014 for errors */
};

/* Back-pressure: after ws_pause no further message is delivered (but the rest of what has been read off the socket, at
 * most one whole message) and the peer's sends will block.  Pings are not answered meanwhile: pause for less than the
 * ping interval. */
void ws_pause(struct ws_conn *conn);
void ws_resume(struct ws_conn *conn);

const struct tls_peer *ws_peer(const struct ws_conn *conn); /* who; never NULL once open */
const char *ws_address(const struct ws_conn *conn);         /* the peer's "ip:port" */
void ws_set_user(struct ws_conn *conn, void *user);
void *ws_user(const struct ws_conn *conn);

#endif
