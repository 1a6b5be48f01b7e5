/* The channel between keeper and link: who may say what, in whatever pieces it comes. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/channel/channel.h"
#include "shared/base/random.h"

enum { MOST = MESSAGE_SIZE_MAX + (64 << 10) }; /* the largest message, as agent/channel has it */

/* ---- one message of every type ---- */

static const struct notice_report notice = {.severity = SEVERITY_HIGH, .what = "test", .text = "a notice"};
static const struct report a_report = {.sequence = 1, .at_ms = 1, .importance = IMPORTANCE_EVENT, .notice = &notice};
static const struct progress a_progress = {.order = {{1}}, .service = "portal", .step = STEP_STAGE, .percent = 5};
static const struct certificate_request a_request = {.csr = "PEM"};
static const struct channel_identity an_identity = {.chain = "PEM", .key = {(const uint8_t *)"key", 3}};
static const struct channel_declare a_declaration = {.epoch_seen = 4};
static const struct channel_stop a_stop = {.within_ms = 100};
static const struct channel_spooled a_spooled = {.token = 7};
static const struct cancel a_cancel = {.order = {{1}}, .reason = "no"};
static const struct halt a_halt = {.on = true, .reason = "stop"};
static const struct certificate a_certificate = {.error = "not today"};
static const struct channel_connection a_connection = {.up = false, .text = "gone"};
static const struct channel_heard a_heard = {4711};
static const struct look a_look = {.service = "portal", .deep = true};
static const struct order an_order = {.order = {{1}},
    .kind = ORDER_PROBE,
    .epoch = 1,
    .issued_ms = 1,
    .expires_ms = 2,
    .run_limit_ms = 1,
    .host = "h1",
    .service = "portal",
    .issuer = "eve",
    .reason = "why"};

static struct channel_message message_of(enum channel_type type)
{
	struct channel_message m = {.type = type};
	switch (type) {
	case CHANNEL_REPORT:
		m.token = 3;
		m.report = &a_report;
		break;
	case CHANNEL_PROGRESS:
		m.progress = &a_progress;
		break;
	case CHANNEL_REQUEST_CERTIFICATE:
		m.certificate_request = &a_request;
		break;
	case CHANNEL_IDENTITY:
		m.identity = &an_identity;
		break;
	case CHANNEL_DECLARE:
		m.declare = &a_declaration;
		break;
	case CHANNEL_STOP:
		m.stop = &a_stop;
		break;
	case CHANNEL_SPOOLED:
		m.spooled = &a_spooled;
		break;
	case CHANNEL_ORDER:
		m.order = &an_order;
		break;
	case CHANNEL_CANCEL:
		m.cancel = &a_cancel;
		break;
	case CHANNEL_HALT:
		m.halt = &a_halt;
		break;
	case CHANNEL_CERTIFICATE:
		m.certificate = &a_certificate;
		break;
	case CHANNEL_CONNECTION:
		m.connection = &a_connection;
		break;
	case CHANNEL_HEARD:
		m.heard = &a_heard;
		break;
	case CHANNEL_LOOK:
		m.look = &a_look;
		break;
	case CHANNEL_TYPE_COUNT:
		break;
	}
	return m;
}

/* ---- two ends ---- */

struct ends {
	struct channel *keeper, *link;
	int raw; /* the keeper's other end, where the link is not a channel */
	struct arena *arena;
};

static void ok(enum err_code rc, const struct err *err)
{
	if (rc != ERR_OK)
		fail_msg("%s", err->msg);
}

static void both(struct ends *e)
{
	int pair[2];
	struct err err = ERR_INIT;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*e = (struct ends){.raw = -1, .arena = arena_new(0)};
	ok(channel_new(pair[0], CHANNEL_KEEPER, &e->keeper, &err), &err);
	ok(channel_new(pair[1], CHANNEL_LINK, &e->link, &err), &err);
}

static void one_end(struct ends *e, enum channel_side side)
{
	int pair[2];
	struct err err = ERR_INIT;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*e = (struct ends){.raw = pair[1], .arena = arena_new(0)};
	ok(channel_new(pair[0], side, &e->keeper, &err), &err);
}

static void done(struct ends *e)
{
	channel_free(e->keeper);
	channel_free(e->link);
	if (e->raw >= 0)
		close(e->raw);
	arena_free(e->arena);
}

static void framed(const struct channel_message *m, struct buf *out)
{
	struct buf body = BUF_INIT;
	assert_int_equal(record_to_msgpack(&channel_message_type, m, &body, NULL), ERR_OK);
	buf_be32(out, (uint32_t)body.size);
	buf_append(out, body.data, body.size);
	buf_done(&body);
}

static void push(int fd, const void *data, size_t size)
{
	assert_int_equal(write(fd, data, size), (ssize_t)size);
}

/* ---- tests ---- */

static void every_type_there_and_back(void **state)
{
	(void)state;
	struct ends e;
	both(&e);
	for (unsigned type = 0; type < CHANNEL_TYPE_COUNT; type++) {
		struct channel_message m = message_of(type), got;
		struct err err = ERR_INIT;
		bool found, from_keeper = channel_allowed(CHANNEL_KEEPER, type);
		assert_true(from_keeper != channel_allowed(CHANNEL_LINK, type)); /* each is one side's alone */
		struct channel *from = from_keeper ? e.keeper : e.link, *to = from_keeper ? e.link : e.keeper;
		ok(channel_send(from, &m, &err), &err);
		ok(channel_receive(to, e.arena, &got, &found, &err), &err);
		assert_true(found);
		assert_true(record_equal(&channel_message_type, &m, &got));
		ok(channel_receive(to, e.arena, &got, &found, &err), &err);
		assert_false(found);
	}
	done(&e);
}

/* S5: every cell of the table, on the wire. */
static void nobody_says_what_is_not_his(void **state)
{
	(void)state;
	for (unsigned side = CHANNEL_KEEPER; side <= CHANNEL_LINK; side++)
		for (unsigned type = 0; type < CHANNEL_TYPE_COUNT; type++) {
			struct ends e;
			struct channel_message m = message_of(type), got;
			struct buf bytes = BUF_INIT;
			struct err err = ERR_INIT;
			bool found = true;
			enum channel_side peer = side == CHANNEL_KEEPER ? CHANNEL_LINK : CHANNEL_KEEPER;
			one_end(&e, side);
			if (!channel_allowed(side, type)) {
				assert_int_equal(channel_send(e.keeper, &m, &err), ERR_DENIED);
				assert_false(channel_wants_write(e.keeper));
			}
			framed(&m, &bytes);
			push(e.raw, bytes.data, bytes.size);
			enum err_code rc = channel_receive(e.keeper, e.arena, &got, &found, &err);
			assert_int_equal(rc, channel_allowed(peer, type) ? ERR_OK : ERR_DENIED);
			assert_int_equal(found, rc == ERR_OK);
			buf_done(&bytes);
			done(&e);
		}
}

static void byte_by_byte(void **state)
{
	(void)state;
	struct ends e;
	struct buf bytes = BUF_INIT;
	struct channel_message got;
	struct err err = ERR_INIT;
	bool found;
	one_end(&e, CHANNEL_LINK);
	struct channel_message first = message_of(CHANNEL_REPORT), second = message_of(CHANNEL_STOP);
	framed(&first, &bytes);
	size_t border = bytes.size;
	framed(&second, &bytes);
	for (size_t i = 0; i < bytes.size; i++) {
		push(e.raw, bytes.data + i, 1);
		ok(channel_receive(e.keeper, e.arena, &got, &found, &err), &err);
		assert_int_equal(found, i + 1 == border || i + 1 == bytes.size);
		if (found)
			assert_int_equal(got.type, i + 1 == border ? CHANNEL_REPORT : CHANNEL_STOP);
	}
	buf_done(&bytes);
	done(&e);
}

/* Many at once, in pieces that respect no border; none is lost, none is twice, all are in order. */
static void in_random_pieces(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 3);
	for (unsigned round = 0; round < 20; round++) {
		struct ends e;
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		uint64_t want = 1, sent = 0;
		size_t at = 0;
		one_end(&e, CHANNEL_KEEPER);
		for (; sent < 300; sent++) {
			struct channel_spooled body = {.token = sent + 1};
			struct channel_message m = {.type = CHANNEL_SPOOLED, .spooled = &body};
			framed(&m, &bytes);
		}
		while (want <= sent) {
			struct channel_message got;
			bool found = true;
			size_t n = 1 + (size_t)random_below(&r, 700);
			n = n < bytes.size - at ? n : bytes.size - at;
			push(e.raw, bytes.data + at, n);
			at += n;
			while (found) {
				arena_reset(e.arena);
				ok(channel_receive(e.keeper, e.arena, &got, &found, &err), &err);
				if (found)
					assert_int_equal(got.spooled->token, want++);
			}
		}
		assert_int_equal(at, bytes.size);
		buf_done(&bytes);
		done(&e);
	}
}

static void refused(const void *data, size_t size, enum err_code want)
{
	struct ends e;
	struct channel_message got;
	struct err err = ERR_INIT;
	bool found = true;
	one_end(&e, CHANNEL_KEEPER);
	push(e.raw, data, size);
	assert_int_equal(channel_receive(e.keeper, e.arena, &got, &found, &err), want);
	assert_true(err.msg[0] != '\0');
	done(&e);
}

static void malformed(void **state)
{
	(void)state;
	static const uint8_t too_large[] = {0x00, 0x11, 0x00, 0x01, 0xff};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff};
	static const uint8_t empty[] = {0, 0, 0, 0};
	static const uint8_t no_map[] = {0, 0, 0, 1, 0x07};
	static const uint8_t cut[] = {0, 0, 0, 3, 0x82, 0xa4, 't'};
	static const uint8_t unknown[] = {0, 0, 0, 11, 0x81, 0xa4, 't', 'y', 'p', 'e', 0xa4, 'x', 'x', 'x', 'x'};
	assert_int_equal(MOST, 0x110000);
	refused(too_large, sizeof too_large, ERR_INVALID);
	refused(huge, sizeof huge, ERR_INVALID);
	refused(empty, sizeof empty, ERR_INVALID);
	refused(no_map, sizeof no_map, ERR_INVALID);
	refused(cut, sizeof cut, ERR_INVALID);
	refused(unknown, sizeof unknown, ERR_INVALID);
	struct buf bytes = BUF_INIT;
	struct channel_message two = message_of(CHANNEL_SPOOLED), none = {.type = CHANNEL_SPOOLED};
	two.halt = &a_halt;
	assert_int_not_equal(record_to_msgpack(&channel_message_type, &two, &bytes, NULL), ERR_OK);  /* another body */
	assert_int_not_equal(record_to_msgpack(&channel_message_type, &none, &bytes, NULL), ERR_OK); /* none */
	buf_done(&bytes);
}

/* A message of exactly the largest size comes through; it is made of msgpack that is known to nobody, and so is refused
 * for what it is, not for want of room to read it. */
static void the_largest(void **state)
{
	(void)state;
	struct ends e;
	struct channel_message got;
	struct err err = ERR_INIT;
	bool found = false;
	uint8_t *data = calloc(1, MOST + 4);
	assert_non_null(data);
	data[1] = 0x11; /* MOST, big-endian */
	one_end(&e, CHANNEL_KEEPER);
	enum err_code rc = ERR_OK;
	for (size_t at = 0; at < MOST + 4;) {
		size_t n = MOST + 4 - at < 32768 ? MOST + 4 - at : 32768;
		push(e.raw, data + at, n);
		at += n;
		assert_int_equal(rc, ERR_OK);
		rc = channel_receive(e.keeper, e.arena, &got, &found, &err);
	}
	assert_int_equal(rc, ERR_INVALID);
	assert_false(found);
	free(data);
	done(&e);
}

static void the_other_end_goes(void **state)
{
	(void)state;
	struct ends e;
	struct channel_message m = message_of(CHANNEL_SPOOLED), got;
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	bool found;
	one_end(&e, CHANNEL_KEEPER);
	framed(&m, &bytes);
	push(e.raw, bytes.data, bytes.size);
	push(e.raw, bytes.data, bytes.size - 1); /* the last one is cut */
	close(e.raw);
	e.raw = -1;
	ok(channel_receive(e.keeper, e.arena, &got, &found, &err), &err); /* what came whole is handed out */
	assert_true(found);
	assert_int_equal(channel_receive(e.keeper, e.arena, &got, &found, &err), ERR_UNREACHABLE);
	assert_int_equal(channel_receive(e.keeper, e.arena, &got, &found, &err), ERR_UNREACHABLE);
	struct channel_message stop = message_of(CHANNEL_STOP);
	assert_int_equal(channel_send(e.keeper, &stop, &err), ERR_UNREACHABLE);
	buf_done(&bytes);
	done(&e);
}

/* Who does not read is found out, and what was queued before still comes, whole and in order. */
static void the_other_end_sleeps(void **state)
{
	(void)state;
	struct ends e;
	struct err err = ERR_INIT;
	struct channel_message got;
	enum err_code rc = ERR_OK;
	uint64_t sent = 0, received = 0;
	bool found = true;
	both(&e);
	while (rc == ERR_OK) {
		struct channel_message m = message_of(CHANNEL_REPORT);
		m.token = ++sent;
		rc = channel_send(e.keeper, &m, &err);
	}
	assert_int_equal(rc, ERR_FULL);
	sent--; /* that one was not taken */
	assert_true(channel_wants_write(e.keeper));
	while (found || channel_wants_write(e.keeper)) {
		arena_reset(e.arena);
		ok(channel_receive(e.link, e.arena, &got, &found, &err), &err);
		if (found)
			assert_int_equal(got.token, ++received);
		ok(channel_flush(e.keeper, &err), &err);
	}
	assert_int_equal(received, sent);
	done(&e);
}

/* What does not fit a message is refused before anything of it is on its way. */
static void too_much_to_say(void **state)
{
	(void)state;
	struct ends e;
	struct err err = ERR_INIT;
	struct channel_message got;
	bool found;
	both(&e);
	char *text = malloc(5000);
	memset(text, 'x', 4999);
	text[4999] = '\0';
	struct notice_report long_notice = {.severity = SEVERITY_LOW, .what = "test", .text = text};
	struct report r = a_report;
	r.notice = &long_notice;
	struct channel_message m = {.type = CHANNEL_REPORT, .token = 1, .report = &r};
	assert_int_not_equal(channel_send(e.keeper, &m, &err), ERR_OK);
	assert_false(channel_wants_write(e.keeper));
	m = message_of(CHANNEL_STOP);
	ok(channel_send(e.keeper, &m, &err), &err);
	ok(channel_receive(e.link, e.arena, &got, &found, &err), &err);
	assert_true(found && got.type == CHANNEL_STOP);
	free(text);
	done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type_there_and_back),
	    cmocka_unit_test(nobody_says_what_is_not_his),
	    cmocka_unit_test(byte_by_byte),
	    cmocka_unit_test(in_random_pieces),
	    cmocka_unit_test(malformed),
	    cmocka_unit_test(the_largest),
	    cmocka_unit_test(the_other_end_goes),
	    cmocka_unit_test(the_other_end_sleeps),
	    cmocka_unit_test(too_much_to_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
