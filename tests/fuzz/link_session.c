/* tests/fuzz/link_session.c: what a controller may do to an agent's session: any bytes as frames, connections that end
 * at any time, with reports, ticks and renewals in between.  The session keeps the rules of its io, what it sends is
 * valid and in order, and no report leaves the spool that was not sent or named to the controller.
 *
 * Input: operations, one byte each; FRAME is followed by two bytes of length and the frame. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/link/session.h"
#include "tests/fuzz/fuzz.h"

enum {
	OP_FRAME,
	OP_CONNECTED,
	OP_CLOSED,
	OP_TICK,
	OP_REPORT,
	OP_ACK,
	OP_WELCOME,
	OP_DRAINED,
	OP_IDENTITY,
	OP_STOP,
	OP_COUNT
};

struct fuzzed {
	struct session *session;
	struct spool *spool;
	struct random random;
	struct arena *arena;
	uint64_t now_ms, token, sequence, offered; /* offered: the newest that the controller knows of */
	bool dialled, connected, full;
};

static uint64_t io_wall(void *ctx)
{
	(void)ctx;
	return 1700000000000;
}

static enum err_code io_dial(void *ctx, struct err *reterr)
{
	struct fuzzed *f = ctx;
	(void)reterr;
	assert(!f->dialled && !f->connected);
	f->dialled = true;
	return ERR_OK;
}

static enum err_code io_send(void *ctx, struct bytes frame, struct err *reterr)
{
	struct fuzzed *f = ctx;
	struct frame out;
	enum bye_reason why;
	assert(f->connected);
	if (f->full)
		return err_set(reterr, ERR_FULL, "full");
	enum err_code rc = message_decode(SIDE_AGENT, frame.data, frame.size, f->arena, &out, &why, NULL);
	assert(rc == ERR_OK);
	if (out.type == FRAME_HELLO) {
		f->sequence = 0;
		f->offered = out.hello->last_sequence > f->offered ? out.hello->last_sequence : f->offered;
	} else if (out.type == FRAME_REPORT) {
		assert(out.report->sequence > f->sequence);
		f->sequence = out.report->through ? out.report->through : out.report->sequence;
		f->offered = f->sequence > f->offered ? f->sequence : f->offered;
	}
	arena_reset(f->arena);
	return ERR_OK;
}

static void io_close(void *ctx, bool wrong, const char *reason)
{
	(void)ctx;
	(void)wrong;
	assert(reason[0]);
}

static void io_abandon(void *ctx)
{
	struct fuzzed *f = ctx;
	f->dialled = f->connected = false;
}

static void io_tell(void *ctx, const struct channel_message *m)
{
	(void)ctx;
	enum err_code rc = record_check(&channel_message_type, m, NULL);
	assert(rc == ERR_OK);
}

static void begin(struct fuzzed *f)
{
	struct session_config config = {.host = "web-1", .version = "0.1", .boot = {{1}}, .random = &f->random};
	struct session_io io = {f, io_wall, io_dial, io_send, io_close, io_abandon, io_tell};
	struct channel_declare d = {0};
	random_init_seed(&f->random, 1);
	f->arena = arena_new(0);
	if (!f->arena || spool_open_memory(4000, &f->spool, NULL) != ERR_OK)
		abort();
	config.spool = f->spool;
	if (session_new(&config, &io, &f->session, NULL) != ERR_OK)
		abort();
	session_on_identity(f->session, 1, 0);
	if (session_on_declare(f->session, &d, 0, NULL) != ERR_OK)
		abort();
}

static enum err_code feed(struct fuzzed *f, enum frame_type type, const void *body)
{
	struct buf out = BUF_INIT;
	enum err_code rc = message_encode(type, body, &out, NULL);
	if (rc == ERR_OK && f->connected)
		rc = session_on_frame(f->session, buf_bytes(&out), f->now_ms, NULL);
	buf_done(&out);
	return rc;
}

static enum err_code report(struct fuzzed *f)
{
	struct notice_report notice = {.what = "x", .text = "some text of a report"};
	struct report r = {
	    .sequence = 1, .at_ms = 1, .importance = (uint32_t)(f->token % IMPORTANCE_COUNT), .notice = &notice};
	struct session_report one = {++f->token, &r};
	return session_on_reports(f->session, &one, 1, f->now_ms, NULL);
}

static enum err_code act(struct fuzzed *f, uint8_t op)
{
	struct spool_state spool;
	spool_state(f->spool, &spool);
	struct ack ack = {spool.first + op / OP_COUNT};
	struct welcome welcome = {.version = 1,
	    .controller = "c",
	    .epoch = 1,
	    .clock_ms = 1,
	    .heartbeat_ms = 1,
	    .acknowledged = spool.first - 1 + op / OP_COUNT % 3};
	switch (op % OP_COUNT) {
	case OP_CONNECTED:
		if (!f->dialled)
			return ERR_OK;
		f->dialled = false;
		f->connected = true;
		return session_on_connected(f->session, f->now_ms, NULL);
	case OP_CLOSED:
		if (f->dialled || f->connected) {
			f->dialled = f->connected = false;
			session_on_closed(f->session, "closed\xff", f->now_ms);
		}
		return ERR_OK;
	case OP_REPORT:
		return report(f);
	case OP_ACK:
		return feed(f, FRAME_ACK, &ack);
	case OP_WELCOME:
		return feed(f, FRAME_WELCOME, &welcome);
	case OP_DRAINED:
		f->full = op & 0x80;
		return f->connected ? session_on_drained(f->session, f->now_ms, NULL) : ERR_OK;
	case OP_IDENTITY:
		session_on_identity(f->session, op, f->now_ms);
		return ERR_OK;
	case OP_STOP:
		session_on_stop(f->session, op, f->now_ms);
		return ERR_OK;
	default:
		f->now_ms += 1u << op / OP_COUNT % 20;
		return session_on_tick(f->session, f->now_ms, NULL);
	}
}

/* What has left the spool was offered to the controller, unless the spool was empty. */
static void look(struct fuzzed *f)
{
	struct spool_state spool;
	spool_state(f->spool, &spool);
	if (spool.first == spool.next && f->offered < spool.next)
		f->offered = spool.next - 1; /* it counts on from where the controller is */
	assert(spool.first <= f->offered + 1);
	assert(session_in_flight(f->session) <= SESSION_WINDOW_COUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzzed f = {0};
	begin(&f);
	for (size_t i = 0; i < size;) {
		enum err_code rc;
		uint8_t op = data[i++];
		if (op % OP_COUNT == OP_FRAME && size - i >= 2) {
			size_t want = (size_t)data[i] << 8 | data[i + 1], have = size - i - 2;
			struct bytes frame = {data + i + 2, want < have ? want : have};
			rc = f.connected ? session_on_frame(f.session, frame, f.now_ms, NULL) : ERR_OK;
			i += 2 + frame.size;
		} else {
			rc = act(&f, op);
		}
		assert(rc == ERR_OK || rc == ERR_FULL); /* FULL: the sequences are used up */
		look(&f);
	}
	session_free(f.session);
	spool_close(f.spool);
	arena_free(f.arena);
	return 0;
}
