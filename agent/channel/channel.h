/* agent/channel/channel.h: the typed requests between keeper and link, and who may ask what.
 *
 * The keeper (root) trusts nothing from the link but what it can check itself: an order must pass the host's own rules
 * whoever carried it.  The link cannot name a path, a program or a file.  A message is a 4-byte big-endian length and
 * one msgpack record (channel_message) over a stream socketpair.  A message that is malformed, too large, or not the
 * sender's to send ends the channel: the keeper restarts the link and says so. Pure but for channel_send/receive (one
 * descriptor, non-blocking). */
#ifndef KEDGE_AGENT_CHANNEL_CHANNEL_H
#define KEDGE_AGENT_CHANNEL_CHANNEL_H

#include "shared/message/message.h"

enum channel_type {
	/* keeper -> link */
	CHANNEL_REPORT,   /* spool this (its sequence is the link's to give: any, say 1, stands here); answered by
			   * CHANNEL_SPOOLED with the   same token, in order, once it is durable */
	CHANNEL_PROGRESS, /* send now or forget */
	CHANNEL_REQUEST_CERTIFICATE,
	CHANNEL_IDENTITY, /* certificate chain and key to connect with from now on */
	CHANNEL_DECLARE,  /* services of agent.yaml for the hello */
	CHANNEL_STOP,     /* finish: flush what can be flushed within the deadline, then exit */
	/* link -> keeper */
	CHANNEL_SPOOLED, /* the report with this token is durable */
	CHANNEL_ORDER,
	CHANNEL_CANCEL,
	CHANNEL_HALT,
	CHANNEL_CERTIFICATE,
	CHANNEL_CONNECTION, /* up or down; with the controller's clock, epoch and heartbeat when up */
	CHANNEL_HEARD,      /* the controller acknowledged a report: both ways are open */
	CHANNEL_LOOK,       /* run the probes of a service now */
	CHANNEL_TYPE_COUNT
};
extern const struct enum_type channel_type_enum;

struct channel_spooled {
	uint64_t token;
};
struct channel_identity {
	const char *chain;
	struct bytes key;
}; /* PEM; the key is wiped after use */
struct channel_stop {
	uint64_t within_ms;
};
struct channel_connection {
	bool up;
	uint64_t clock_ms, epoch, heartbeat_ms;
	bool observing, halted;
	const char *text;
};
struct channel_heard {
	uint64_t at_ms; /* the host's monotonic clock */
};
struct channel_declare {      /* what the next hello says; the link dials only once it has this and an identity */
	struct list services; /* struct declared_service */
	uint64_t epoch_seen;  /* the highest epoch that the keeper has obeyed */
};

struct channel_message {
	uint32_t type;
	/* CHANNEL_REPORT: the keeper's mark, from 1, growing from report to report as long as the keeper lives.  A
	 * keeper that restarts its link sends first, and in order, whatever was not yet answered: the link knows by the
	 * token what it had stored before it died. */
	uint64_t token;
	const struct report *report;
	const struct progress *progress;
	const struct certificate_request *certificate_request;
	const struct channel_identity *identity;
	const struct channel_declare *declare;
	const struct channel_stop *stop;
	const struct channel_spooled *spooled;
	const struct order *order;
	const struct cancel *cancel;
	const struct halt *halt;
	const struct certificate *certificate;
	const struct channel_connection *connection;
	const struct channel_heard *heard;
	const struct look *look;
};
extern const struct record_type channel_message_type;
extern const struct record_type *const channel_types[]; /* NULL-ended */

enum channel_side { CHANNEL_KEEPER, CHANNEL_LINK };
bool channel_allowed(enum channel_side sender, enum channel_type type);

/* One end.  Owns the descriptor and its buffers; bounded both ways. */
struct channel;
enum { CHANNEL_OUT_MAX = 4 << 20 }; /* a link that reads nothing for this long is restarted */

ERR_CHECK enum err_code channel_new(
    int fd, enum channel_side side, struct channel **ret, struct err *reterr); /* takes fd, unless it fails */
void channel_free(struct channel *c);
int channel_fd(const struct channel *c);
bool channel_wants_write(const struct channel *c);
/* Queue and write as much as the socket takes.  ERR_FULL over CHANNEL_OUT_MAX, ERR_UNREACHABLE when the other end is
 * gone, ERR_DENIED for what this side may not send, ERR_INVALID or ERR_LIMIT for what is no message: then nothing of it
 * is sent. */
ERR_CHECK enum err_code channel_send(struct channel *c, const struct channel_message *m, struct err *reterr);
ERR_CHECK enum err_code channel_flush(struct channel *c, struct err *reterr);
/* One message at a time: call again until *ret_found is false (nothing whole yet).  ERR_UNREACHABLE at the end of the
 * stream, ERR_DENIED or ERR_INVALID when the other side broke the protocol.  *ret lives in arena. */
ERR_CHECK enum err_code channel_receive(
    struct channel *c, struct arena *arena, struct channel_message *ret, bool *ret_found, struct err *reterr);

#endif
