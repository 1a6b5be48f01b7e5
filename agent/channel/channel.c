#include "agent/channel/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LENGTH_BYTES = 4, MESSAGE_MAX = MESSAGE_SIZE_MAX + (64 << 10), READ_PIECE = 64 << 10 };

static const char *const type_names[] = {[CHANNEL_REPORT] = "report",
    [CHANNEL_PROGRESS] = "progress",
    [CHANNEL_REQUEST_CERTIFICATE] = "request_certificate",
    [CHANNEL_IDENTITY] = "identity",
    [CHANNEL_DECLARE] = "declare",
    [CHANNEL_STOP] = "stop",
    [CHANNEL_SPOOLED] = "spooled",
    [CHANNEL_ORDER] = "order",
    [CHANNEL_CANCEL] = "cancel",
    [CHANNEL_HALT] = "halt",
    [CHANNEL_CERTIFICATE] = "certificate",
    [CHANNEL_CONNECTION] = "connection",
    [CHANNEL_HEARD] = "heard",
    [CHANNEL_LOOK] = "look"};
const struct enum_type channel_type_enum = ENUM_TYPE("channel_type", type_names);

#define S struct channel_spooled
static const struct field spooled_fields[] = {F_U64(S, token, 0, FIELD_REQUIRED, "of the report")};
#undef S
static const struct record_type spooled_type =
    RECORD_TYPE("channel_spooled", struct channel_spooled, spooled_fields, "a report is durable");
#define S struct channel_identity
static const struct field identity_fields[] = {
    F_STRING(S, chain, PEM_MAX, FIELD_REQUIRED, "certificate chain, PEM"),
    F_BYTES(S, key, PEM_MAX, FIELD_REQUIRED | FIELD_SECRET, "private key, PEM"),
};
#undef S
static const struct record_type identity_type =
    RECORD_TYPE("channel_identity", struct channel_identity, identity_fields, "what to connect with from now on");
#define S struct channel_stop
static const struct field stop_fields[] = {F_DURATION(S, within_ms, 0, FIELD_ALWAYS, "how long it may take")};
#undef S
static const struct record_type stop_type =
    RECORD_TYPE("channel_stop", struct channel_stop, stop_fields, "finish and exit");
#define S struct channel_connection
static const struct field connection_fields[] = {
    F_BOOL(S, up, FIELD_ALWAYS, "the controller said welcome"),
    F_U64(S, clock_ms, 0, 0, "the controller's clock"),
    F_U64(S, epoch, 0, 0, "its epoch"),
    F_DURATION(S, heartbeat_ms, 0, 0, "how often it wants to hear"),
    F_BOOL(S, observing, 0, "it commands nothing"),
    F_BOOL(S, halted, 0, "nothing may begin"),
    F_STRING(S, text, TEXT_LINE_MAX, 0, "why it is down"),
};
#undef S
static const struct record_type connection_type =
    RECORD_TYPE("channel_connection", struct channel_connection, connection_fields, "the connection went up or down");
#define S struct channel_heard
static const struct field heard_fields[] = {F_U64(S, at_ms, 0, FIELD_REQUIRED, "when, by the host's monotonic clock")};
#undef S
static const struct record_type heard_type =
    RECORD_TYPE("channel_heard", struct channel_heard, heard_fields, "the controller acknowledged a report");
#define S struct channel_declare
static const struct field declare_fields[] = {
    F_LIST(S, services, &declared_service_type, HELLO_SERVICES_MAX, 0, "services of agent.yaml"),
    F_U64(S, epoch_seen, 0, 0, "the highest epoch that the keeper has obeyed"),
};
#undef S
static const struct record_type declare_type =
    RECORD_TYPE("channel_declare", struct channel_declare, declare_fields, "what the hello says");

/* Which message each type carries. */
static const size_t body_offset[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_REPORT] = offsetof(struct channel_message, report),
    [CHANNEL_PROGRESS] = offsetof(struct channel_message, progress),
    [CHANNEL_REQUEST_CERTIFICATE] = offsetof(struct channel_message, certificate_request),
    [CHANNEL_IDENTITY] = offsetof(struct channel_message, identity),
    [CHANNEL_DECLARE] = offsetof(struct channel_message, declare),
    [CHANNEL_STOP] = offsetof(struct channel_message, stop),
    [CHANNEL_SPOOLED] = offsetof(struct channel_message, spooled),
    [CHANNEL_ORDER] = offsetof(struct channel_message, order),
    [CHANNEL_CANCEL] = offsetof(struct channel_message, cancel),
    [CHANNEL_HALT] = offsetof(struct channel_message, halt),
    [CHANNEL_CERTIFICATE] = offsetof(struct channel_message, certificate),
    [CHANNEL_CONNECTION] = offsetof(struct channel_message, connection),
    [CHANNEL_HEARD] = offsetof(struct channel_message, heard),
    [CHANNEL_LOOK] = offsetof(struct channel_message, look),
};

static enum err_code check_message(const void *record, struct err *reterr)
{
	const struct channel_message *m = record;
	for (uint32_t i = 0; i < CHANNEL_TYPE_COUNT; i++) {
		const void *body;
		memcpy(&body, (const char *)record + body_offset[i], sizeof body);
		if ((body != NULL) != (i == m->type))
			return err_set(reterr, ERR_INVALID, "a %s message %s", enum_name(&channel_type_enum, m->type),
			    body ? "carries another body" : "lacks its body");
	}
	return ERR_OK;
}

#define S struct channel_message
static const struct field message_fields[] = {
    F_ENUM(S, type, &channel_type_enum, FIELD_ALWAYS | FIELD_REQUIRED, "which message"),
    F_U64(S, token, 0, 0, "the keeper's mark on a report"),
    F_RECORD(S, report, struct report, &report_type, 0, "to be spooled"),
    F_RECORD(S, progress, struct progress, &progress_type, 0, "to be sent now or never"),
    F_RECORD(S, certificate_request, struct certificate_request, &certificate_request_type, 0, "for a new certificate"),
    F_RECORD(S, identity, struct channel_identity, &identity_type, 0, "a new certificate and key"),
    F_RECORD(S, declare, struct channel_declare, &declare_type, 0, "what the host runs"),
    F_RECORD(S, stop, struct channel_stop, &stop_type, 0, "finish"),
    F_RECORD(S, spooled, struct channel_spooled, &spooled_type, 0, "a report is durable"),
    F_RECORD(S, order, struct order, &order_type, 0, "an order"),
    F_RECORD(S, cancel, struct cancel, &cancel_type, 0, "drop an order"),
    F_RECORD(S, halt, struct halt, &halt_type, 0, "the stop button"),
    F_RECORD(S, certificate, struct certificate, &certificate_type, 0, "a signed certificate, or why not"),
    F_RECORD(S, connection, struct channel_connection, &connection_type, 0, "up or down"),
    F_RECORD(S, heard, struct channel_heard, &heard_type, 0, "a report was acknowledged"),
    F_RECORD(S, look, struct look, &look_type, 0, "run probes now"),
};
#undef S
const struct record_type channel_message_type = {.name = "channel_message",
    .doc = "one message between keeper and link",
    .size = sizeof(struct channel_message),
    .fields = message_fields,
    .field_count = sizeof message_fields / sizeof message_fields[0],
    .check = check_message};
const struct record_type *const channel_types[] = {&spooled_type, &identity_type, &stop_type, &connection_type,
    &heard_type, &declare_type, &channel_message_type, NULL};

bool channel_allowed(enum channel_side sender, enum channel_type type)
{
	switch (type) {
	case CHANNEL_REPORT:
	case CHANNEL_PROGRESS:
	case CHANNEL_REQUEST_CERTIFICATE:
	case CHANNEL_IDENTITY:
	case CHANNEL_DECLARE:
	case CHANNEL_STOP:
		return sender == CHANNEL_KEEPER;
	case CHANNEL_SPOOLED:
	case CHANNEL_ORDER:
	case CHANNEL_CANCEL:
	case CHANNEL_HALT:
	case CHANNEL_CERTIFICATE:
	case CHANNEL_CONNECTION:
	case CHANNEL_HEARD:
	case CHANNEL_LOOK:
		return sender == CHANNEL_LINK;
	case CHANNEL_TYPE_COUNT:
		break;
	}
	return false;
}

static const char *side_name(enum channel_side side)
{
	return side == CHANNEL_KEEPER ? "keeper" : "link";
}

static const char *type_name(uint32_t type)
{
	return type < CHANNEL_TYPE_COUNT ? enum_name(&channel_type_enum, type) : "what nobody knows";
}

/* ---- one end ---- */

struct channel {
	int fd;
	enum channel_side side;
	struct buf in, out, scratch;
	size_t taken; /* bytes at the front of in that were handed out already */
	bool ended;   /* the other end is gone; what was read is still handed out */
};

enum err_code channel_new(int fd, enum channel_side side, struct channel **ret, struct err *reterr)
{
	struct channel *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory for the channel");
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		free(c);
		return err_sys(reterr, errno, "the channel's socket");
	}
	c->fd = fd;
	c->side = side;
	c->in.limit = 2 * (size_t)(MESSAGE_MAX + LENGTH_BYTES) + READ_PIECE;
	c->out.limit = CHANNEL_OUT_MAX;
	c->scratch.limit = MESSAGE_MAX;
	*ret = c;
	return ERR_OK;
}

static void wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	buf_done(b);
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	close(c->fd);
	wipe(&c->out); /* identities pass through here */
	wipe(&c->in);
	wipe(&c->scratch);
	free(c);
}

int channel_fd(const struct channel *c)
{
	return c->fd;
}
bool channel_wants_write(const struct channel *c)
{
	return c->out.size > 0;
}

enum err_code channel_flush(struct channel *c, struct err *reterr)
{
	while (c->out.size) {
		ssize_t n = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return ERR_OK;
		if (n < 0)
			return err_set(reterr, ERR_UNREACHABLE, "the other half of the agent is gone");
		buf_consume(&c->out, (size_t)n);
	}
	return ERR_OK;
}

enum err_code channel_send(struct channel *c, const struct channel_message *m, struct err *reterr)
{
	if (!channel_allowed(c->side, (enum channel_type)m->type))
		return err_set(reterr, ERR_DENIED, "the %s may not send %s", side_name(c->side), type_name(m->type));
	buf_clear(&c->scratch);
	enum err_code rc = record_to_msgpack(&channel_message_type, m, &c->scratch, reterr);
	if (rc == ERR_OK && c->scratch.failed)
		rc = err_set(reterr, ERR_LIMIT, "a message of more than %d bytes for the channel", MESSAGE_MAX);
	if (rc == ERR_OK && c->out.size + c->scratch.size + LENGTH_BYTES > CHANNEL_OUT_MAX)
		rc = err_set(reterr, ERR_FULL, "the other half of the agent does not read");
	if (rc == ERR_OK && !buf_reserve(&c->out, c->scratch.size + LENGTH_BYTES))
		rc = err_set(reterr, ERR_NOMEM, "out of memory for the channel");
	if (rc == ERR_OK) { /* whole, or not at all */
		buf_be32(&c->out, (uint32_t)c->scratch.size);
		buf_append(&c->out, c->scratch.data, c->scratch.size);
	}
	if (m->type == CHANNEL_IDENTITY && c->scratch.data)
		explicit_bzero(c->scratch.data, c->scratch.capacity);
	return rc == ERR_OK ? channel_flush(c, reterr) : rc;
}

static size_t waiting(const struct channel *c)
{
	return c->in.size - c->taken;
}

/* Reads what is there, up to one whole message of the largest kind. */
static enum err_code fill(struct channel *c, struct err *reterr)
{
	if (c->taken && (waiting(c) < LENGTH_BYTES || c->taken > MESSAGE_MAX)) {
		buf_consume(&c->in, c->taken);
		c->taken = 0;
	}
	while (!c->ended && waiting(c) < LENGTH_BYTES + MESSAGE_MAX) {
		uint8_t *room = buf_reserve(&c->in, READ_PIECE);
		if (!room)
			return err_set(reterr, ERR_NOMEM, "out of memory for the channel");
		ssize_t n = recv(c->fd, room, READ_PIECE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return ERR_OK;
		if (n <= 0)
			c->ended = true;
		else
			c->in.size += (size_t)n;
		if (n < READ_PIECE)
			return ERR_OK;
	}
	return ERR_OK;
}

static uint32_t length_of(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* *ret_data: the next whole message, taken; NULL: there is none yet. */
static enum err_code next_message(struct channel *c, uint8_t **ret_data, uint32_t *ret_size, struct err *reterr)
{
	const uint8_t *at = c->in.data + c->taken;
	uint32_t size = waiting(c) >= LENGTH_BYTES ? length_of(at) : 0;
	*ret_data = NULL;
	if (size > MESSAGE_MAX)
		return err_set(
		    reterr, ERR_INVALID, "a message of %u bytes on the channel; at most %d", size, MESSAGE_MAX);
	if (waiting(c) < LENGTH_BYTES || waiting(c) - LENGTH_BYTES < size)
		return c->ended ? err_set(reterr, ERR_UNREACHABLE, "the other half of the agent is gone") : ERR_OK;
	*ret_data = c->in.data + c->taken + LENGTH_BYTES;
	*ret_size = size;
	c->taken += LENGTH_BYTES + size;
	return ERR_OK;
}

enum err_code channel_receive(
    struct channel *c, struct arena *arena, struct channel_message *ret, bool *ret_found, struct err *reterr)
{
	enum channel_side sender = c->side == CHANNEL_KEEPER ? CHANNEL_LINK : CHANNEL_KEEPER;
	struct channel_message m;
	uint8_t *data;
	uint32_t size;
	enum err_code rc = fill(c, reterr);
	if (rc == ERR_OK)
		rc = next_message(c, &data, &size, reterr);
	if (rc == ERR_OK)
		*ret_found = data != NULL;
	if (rc != ERR_OK || !data)
		return rc;
	*ret_found = false;
	rc = record_from_msgpack(&channel_message_type, data, size, arena, &m, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, ERR_INVALID, "channel");
	if (m.type == CHANNEL_IDENTITY)
		explicit_bzero(data, size);
	if (!channel_allowed(sender, (enum channel_type)m.type))
		return err_set(reterr, ERR_DENIED, "the %s may not send %s", side_name(sender), type_name(m.type));
	*ret = m;
	*ret_found = true;
	return ERR_OK;
}
