/* tests/unit/agent/link/session_rig.h: one session with a spool in memory, its world written down. */
#ifndef KEDGE_TESTS_UNIT_AGENT_LINK_SESSION_RIG_H
#define KEDGE_TESTS_UNIT_AGENT_LINK_SESSION_RIG_H

#include <stdlib.h>

#include "agent/link/session.h"
#include "tests/lib/link_reports.h"
#include "tests/lib/unit.h"

struct rig {
	uint64_t heard_ms; /* when the keeper was told last that the controller acknowledged something */
	struct session *s;
	struct spool *spool;
	struct random random;
	uint64_t now_ms, token;
	/* what the session did, as text: "dial; hello 0-0; report 1; close wrong: …; spooled 1; up; down: …" */
	char log[1 << 16];
	int64_t skew_ms;  /* its wall clock was set */
	size_t send_room; /* frames that the connection takes; SIZE_MAX: any number */
	bool dial_fails;
	struct arena *arena; /* of the last frame and message */
	struct channel_message told;
	struct frame sent;
};

static struct err rig_err;
#define ok(CALL)                                                                                                       \
	do {                                                                                                           \
		rig_err = ERR_INIT;                                                                                    \
		if ((CALL) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #CALL, rig_err.msg);                                                        \
	} while (0)

__attribute__((format(printf, 2, 3))) static inline void rig_log(struct rig *r, const char *fmt, ...)
{
	size_t n = strlen(r->log);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->log + n, sizeof(r->log) - n, fmt, ap);
	va_end(ap);
}

/* Everything since the last look was this. */
#define expect(r, want)                                                                                                \
	do {                                                                                                           \
		assert_string_equal((r)->log, want);                                                                   \
		(r)->log[0] = '\0';                                                                                    \
	} while (0)

static inline uint64_t rig_wall(void *ctx)
{
	const struct rig *r = ctx;
	return (uint64_t)((int64_t)(1700000000000 + r->now_ms) + r->skew_ms);
}

static inline enum err_code rig_dial(void *ctx, struct err *reterr)
{
	struct rig *r = ctx;
	rig_log(r, "dial; ");
	return r->dial_fails ? err_set(reterr, ERR_INVALID, "no such address") : ERR_OK;
}

static inline void rig_log_frame(struct rig *r, const struct frame *f)
{
	unsigned long long a, b;
	switch (f->type) {
	case FRAME_HELLO:
		a = f->hello->first_sequence;
		b = f->hello->last_sequence;
		rig_log(r, "hello %llu-%llu; ", a, b);
		break;
	case FRAME_REPORT:
		a = f->report->sequence;
		b = f->report->through;
		if (b)
			rig_log(r, "lost %llu-%llu; ", a, b);
		else
			rig_log(r, "report %llu; ", a);
		break;
	default:
		rig_log(r, "%s; ", enum_name(&frame_type_enum, f->type));
	}
}

static inline enum err_code rig_send(void *ctx, struct bytes frame, struct err *reterr)
{
	struct rig *r = ctx;
	struct frame f;
	enum bye_reason why;
	if (!r->send_room)
		return err_set(reterr, ERR_FULL, "full");
	if (r->send_room != SIZE_MAX)
		r->send_room--;
	ok(message_decode(SIDE_AGENT, frame.data, frame.size, r->arena, &f, &why, &rig_err));
	rig_log_frame(r, &f);
	r->sent = f;
	return ERR_OK;
}

static inline void rig_close(void *ctx, bool wrong, const char *reason)
{
	rig_log(ctx, "close%s: %s; ", wrong ? " wrong" : "", reason);
}

static inline void rig_abandon(void *ctx)
{
	rig_log(ctx, "abandon; ");
}

static inline void rig_tell(void *ctx, const struct channel_message *m)
{
	struct rig *r = ctx;
	if (m->type == CHANNEL_HEARD) { /* beside what is told */
		r->heard_ms = m->heard->at_ms;
		return;
	}
	ok(record_copy(&channel_message_type, m, r->arena, &r->told, &rig_err));
	if (m->type == CHANNEL_SPOOLED)
		rig_log(r, "spooled %llu; ", (unsigned long long)m->spooled->token);
	else if (m->type == CHANNEL_CONNECTION && m->connection->up)
		rig_log(r, "up; ");
	else if (m->type == CHANNEL_CONNECTION)
		rig_log(r, "down: %s; ", m->connection->text);
	else
		rig_log(r, "%s; ", enum_name(&channel_type_enum, m->type));
}

static const struct id rig_boot = {{1, 2, 3}};

static inline void rig_begin(struct rig *r, struct id boot)
{
	struct session_config config = {
	    .host = "web-1", .version = "0.1", .boot = boot, .spool = r->spool, .random = &r->random};
	struct session_io io = {r, rig_wall, rig_dial, rig_send, rig_close, rig_abandon, rig_tell};
	ok(session_new(&config, &io, &r->s, &rig_err));
	r->token = 0;
}

static inline void rig_open(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	random_init_seed(&r->random, 1);
	r->now_ms = 1000;
	r->send_room = SIZE_MAX;
	r->arena = arena_new(0);
	ok(spool_open_memory(1 << 22, &r->spool, &rig_err));
	rig_begin(r, rig_boot);
}

static inline void rig_done(struct rig *r)
{
	session_free(r->s);
	spool_close(r->spool);
	arena_free(r->arena);
}

static inline void rig_tick(struct rig *r)
{
	ok(session_on_tick(r->s, r->now_ms, &rig_err));
}

static inline void rig_after(struct rig *r, uint64_t ms)
{
	r->now_ms += ms;
	rig_tick(r);
}

/* Time passes until the session does something by itself. */
static inline void rig_until_due(struct rig *r)
{
	uint64_t due = session_due_ms(r->s);
	assert_int_not_equal(due, UINT64_MAX);
	if (due > r->now_ms)
		r->now_ms = due;
	rig_tick(r);
}

static inline void rig_frame(struct rig *r, enum frame_type type, const void *body)
{
	struct buf out = BUF_INIT;
	ok(message_encode(type, body, &out, &rig_err));
	ok(session_on_frame(r->s, buf_bytes(&out), r->now_ms, &rig_err));
	buf_done(&out);
}

static inline void rig_ready(struct rig *r)
{
	struct channel_declare d = {.epoch_seen = 3};
	session_on_identity(r->s, 99, r->now_ms);
	ok(session_on_declare(r->s, &d, r->now_ms, &rig_err));
}

static inline void rig_welcome(struct rig *r, uint64_t acknowledged)
{
	struct welcome w = {.version = MESSAGE_VERSION,
	    .controller = "c",
	    .epoch = 5,
	    .acknowledged = acknowledged,
	    .clock_ms = 7,
	    .heartbeat_ms = 30000,
	    .retry_ms = 8000};
	rig_frame(r, FRAME_WELCOME, &w);
}

/* From WAITING to LIVE; its log is dropped. */
static inline void rig_live(struct rig *r, uint64_t acknowledged)
{
	rig_until_due(r);
	ok(session_on_connected(r->s, r->now_ms, &rig_err));
	rig_welcome(r, acknowledged);
	assert_int_equal(session_state(r->s), SESSION_LIVE);
	r->log[0] = '\0';
}

static inline void rig_ack(struct rig *r, uint64_t sequence)
{
	struct ack a = {sequence};
	rig_frame(r, FRAME_ACK, &a);
}

static inline void rig_report_sized(struct rig *r, size_t size)
{
	struct link_report room;
	r->token++;
	struct session_report one = {r->token, link_report_make(&room, r->token, IMPORTANCE_EVENT, size)};
	ok(session_on_reports(r->s, &one, 1, r->now_ms, &rig_err));
}

static inline void rig_report(struct rig *r)
{
	rig_report_sized(r, 20);
}

#endif
