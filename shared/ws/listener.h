/* shared/ws/listener.h: the port that agents dial: websocket over mutual TLS, one subprotocol.
 *
 * A peer gets in with a certificate that tls_judge accepts for this port, the subprotocol, and on_connect's consent;
 * whoever does not is told to on_refused (once, with a reason).  Loop thread only (loop.h). */
#ifndef KEDGE_SHARED_WS_LISTENER_H
#define KEDGE_SHARED_WS_LISTENER_H

#include "shared/tls/context.h"
#include "shared/ws/conn.h"

/* What a port demands of its peers; all but the strings is borrowed or referenced for the port's life, strings are
 * copied. */
struct ws_port {
	const char *address; /* a literal IPv4 or IPv6 address; "0.0.0.0" and "::" mean all */
	uint16_t port;       /* 0: the kernel's choice, see ws_listener_port() */
	struct tls_identity *identity;
	struct tls_trust *trust;
	const char *domain;
	uint32_t roles; /* TLS_ROLE_BIT()s of the peers that may come */
	struct tls_revocations *revocations;
	uint64_t (*now_ms)(void); /* unix; NULL: clock_wall_ms */
	uint32_t
	    handshake_ms; /* from TCP accept to the first request; 0: WS_HANDSHAKE_TIMEOUT_MS, which is also the most */
};

struct ws_refused {
	const char *address; /* "ip:port" */
	enum tls_verdict reason;
	const struct tls_peer *peer; /* as claimed by its certificate; NULL if that is not known.  Not trustworthy */
	const char *detail;
};

struct ws_listener_config {
	struct ws_port port;
	const char *subprotocol;    /* "kedge.agent.v1" */
	size_t message_limit_bytes; /* 0: MESSAGE_SIZE_MAX */
	size_t outbox_limit_bytes;  /* 0: WS_OUTBOX_DEFAULT */
	uint32_t ping_ms;           /* 0: WS_PING_DEFAULT_MS */
	uint32_t connections_max;   /* 0: as many as descriptors allow; further peers are refused with BARRED */
	void *user;
	/* The peer has shown a good certificate.  False refuses it: write why into ret_reason. */
	bool (*on_connect)(
	    void *user, const struct tls_peer *peer, const char *address, char ret_reason[WS_DETAIL_MAX]);
	void (*on_open)(void *user, struct ws_conn *conn);                          /* ws_send works from here on */
	void (*on_message)(void *user, struct ws_conn *conn, struct bytes message); /* borrowed for the call */
	void (*on_drained)(void *user, struct ws_conn *conn);                       /* after an ERR_FULL; may be NULL */
	void (*on_closed)(
	    void *user, struct ws_conn *conn, const struct ws_ended *ended); /* exactly once after on_open */
	void (*on_refused)(void *user, const struct ws_refused *refused);
};

struct ws_listener;

/* Listens at once.  ERR_BUSY: the port is taken.  ERR_STATE: the loop has one already (the library would mix two up).
 */
ERR_CHECK enum err_code ws_listener_new(
    struct ws_loop *loop, const struct ws_listener_config *config, struct ws_listener **ret, struct err *reterr);
/* Ends its connections (on_closed with WS_STOPPED) and the listening.  Done by ws_loop_free for those that are left. */
void ws_listener_free(struct ws_listener *listener);
uint16_t ws_listener_port(const struct ws_listener *listener);
size_t ws_listener_count(const struct ws_listener *listener); /* open connections */
/* From the next handshake on; live connections keep theirs. */
void ws_listener_set_identity(struct ws_listener *listener, struct tls_identity *identity);
void ws_listener_set_trust(struct ws_listener *listener, struct tls_trust *trust);
/* Ends live connections whose certificate has been revoked or has expired (WS_REVOKED_PEER); how many.  After
 * tls_revocations_set, and now and then. */
size_t ws_listener_recheck(struct ws_listener *listener);

#endif
