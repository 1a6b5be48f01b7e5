/* agent/link/session.h: one agent's conversation with the controller.
 *
 * Pure: no clock, socket, file or process of its own; what it asks of the world is struct session_io, the spool it is
 * given.  The same calls at the same times do the same, so that a simulator can run many on virtual time.  One thread.
 * now_ms is monotonic.
 *
 * It dials when it has an identity and a declaration, says hello, and from welcome on sends what the spool holds, in
 * order, with a bounded window under way.  What is acknowledged is forgotten, a little later and in one sync.  A frame
 * that a controller may not send, or not now, ends the connection.  When it ends, the next attempt comes as reconnect.h
 * says.  The keeper is told that a report is spooled only after it is durable, and once for each token.
 *
 * A result other than ERR_OK (ERR_FULL where it is named) means that the spool cannot be trusted any more: end the
 * program and begin again. */
#ifndef KEDGE_AGENT_LINK_SESSION_H
#define KEDGE_AGENT_LINK_SESSION_H

#include "agent/channel/channel.h"
#include "agent/link/spool.h"
#include "shared/base/random.h"

struct session_io { /* borrowed, must outlive the session; none may call the session */
	void *ctx;
	uint64_t (*wall_ms)(void *ctx); /* unix */
	/* Begins one attempt: session_on_connected() or session_on_closed() comes of it.  Not ERR_OK: there is none. */
	enum err_code (*dial)(void *ctx, struct err *reterr);
	/* Takes one frame for the connection.  ERR_FULL: not now, session_on_drained() follows.  Another error: it is
	 * ending. */
	enum err_code (*send)(void *ctx, struct bytes frame, struct err *reterr);
	/* Ends the connection politely, after what was sent; session_on_closed() follows.  wrong: the peer broke the
	 * protocol. */
	void (*close)(void *ctx, bool wrong, const char *reason);
	/* The attempt or connection does not end by itself: cut it.  Nothing more is told of it. */
	void (*abandon)(void *ctx);
	void (*tell)(void *ctx, const struct channel_message *m); /* the keeper */
};

struct session_config { /* strings are borrowed for the session's life, as are spool and random */
	const char *host;
	const char *version; /* of the agent */
	struct id boot;      /* this run of the keeper: tokens of reports belong to it */
	struct spool *spool;
	struct random *random;
	struct list capabilities; /* const char *: what the hello says that this agent has */
};

struct session;

ERR_CHECK enum err_code session_new(
    const struct session_config *config, const struct session_io *io, struct session **ret, struct err *reterr);
void session_free(struct session *s); /* NULL is a no-op */

/* ---- from the keeper ---- */

struct session_report { /* the token grows from one to the next, over all calls */
	uint64_t token;
	const struct report *report;
};
/* At most SPOOL_BATCH_MAX.  ERR_FULL: nothing is taken, the same reports are to be given again later.  ERR_INVALID: the
 * tokens do not grow. */
ERR_CHECK enum err_code session_on_reports(
    struct session *s, const struct session_report *reports, size_t count, uint64_t now_ms, struct err *reterr);
void session_on_progress(struct session *s, const struct progress *p);
/* Sent now, and after each welcome until a certificate comes. */
ERR_CHECK enum err_code session_on_certificate_request(
    struct session *s, const struct certificate_request *r, struct err *reterr);
/* An attempt from now on uses a (new) certificate that ends at expires_ms (unix).  A live connection is replaced within
 * SESSION_RENEW_SPREAD_MS. */
void session_on_identity(struct session *s, uint64_t expires_ms, uint64_t now_ms);
ERR_CHECK enum err_code session_on_declare(
    struct session *s, const struct channel_declare *d, uint64_t now_ms, struct err *reterr);
/* Send what can be sent and acknowledged within within_ms, then end: session_is_finished(). */
void session_on_stop(struct session *s, uint64_t within_ms, uint64_t now_ms);
bool session_is_finished(const struct session *s);

/* ---- from the network ---- */

ERR_CHECK enum err_code session_on_connected(struct session *s, uint64_t now_ms, struct err *reterr);
ERR_CHECK enum err_code session_on_frame(struct session *s, struct bytes frame, uint64_t now_ms, struct err *reterr);
ERR_CHECK enum err_code session_on_drained(struct session *s, uint64_t now_ms, struct err *reterr);
void session_on_closed(struct session *s, const char *why, uint64_t now_ms); /* why: for people */

/* ---- time ---- */

ERR_CHECK enum err_code session_on_tick(struct session *s, uint64_t now_ms, struct err *reterr);
uint64_t session_due_ms(const struct session *s); /* when the next tick is wanted; UINT64_MAX: none */

/* ---- looking at it ---- */

enum session_state {
	SESSION_WAITING,
	SESSION_DIALLING,
	SESSION_GREETING,
	SESSION_LIVE,
	SESSION_CLOSING,
	SESSION_STATE_COUNT
};
enum session_state session_state(const struct session *s);
size_t session_in_flight(const struct session *s); /* reports sent and not acknowledged */

static inline void session_cleanup(struct session **s)
{
	session_free(*s);
}

#endif
