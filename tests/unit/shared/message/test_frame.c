/* Frames: who may send which, what is refused and with which word. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "tests/unit/shared/message/samples.h"

static struct arena *arena;
static struct buf frame;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	frame = BUF_INIT;
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	buf_done(&frame);
	return 0;
}

/* A hand's worth of msgpack, so that frames can be made that the encoder refuses to make. */
static void put_map(unsigned count)
{
	buf_byte(&frame, (uint8_t)(0x80 | count));
}
static void put_text(const char *s)
{
	assert_true(strlen(s) < 32);
	buf_byte(&frame, (uint8_t)(0xa0 | strlen(s)));
	buf_text(&frame, s);
}

static void expect_refused(enum message_side sender, enum bye_reason bye, enum err_code code, const char *words)
{
	struct frame got, untouched;
	enum bye_reason said = BYE_REASON_COUNT;
	struct err err = ERR_INIT;

	memset(&got, 0x5a, sizeof got);
	memset(&untouched, 0x5a, sizeof untouched);
	assert_int_equal(message_decode(sender, frame.data, frame.size, arena, &got, &said, &err), code);
	assert_int_equal(said, bye);
	assert_memory_equal(&got, &untouched, sizeof got);
	if (!strstr(err.msg, words))
		fail_msg("expected \"%s\" in \"%s\"", words, err.msg);
}

/* Every cell of sender x type, against a table written down here a second time. */
static void matrix(void **state)
{
	static const char agent_may[] = "hello report progress certificate_request ";
	(void)state;

	for (unsigned type = 0; type < FRAME_TYPE_COUNT; type++) {
		struct err err = ERR_INIT;
		char word[64];
		snprintf(word, sizeof word, "%s ", enum_name(&frame_type_enum, type));
		bool agent = strstr(agent_may, word);

		for (unsigned side = SIDE_AGENT; side <= SIDE_CONTROLLER; side++) {
			bool may = agent == (side == SIDE_AGENT);
			assert_int_equal(message_allowed(side, type), may);
			buf_clear(&frame);
			assert_int_equal(message_encode(type, sample_bodies[type], &frame, &err), ERR_OK);
			if (!may) {
				expect_refused(side, BYE_OUT_OF_ORDER, ERR_DENIED, "is not for");
				continue;
			}
			struct frame got;
			enum bye_reason bye = BYE_REASON_COUNT;
			assert_int_equal(message_decode(side, frame.data, frame.size, arena, &got, &bye, &err), ERR_OK);
			assert_int_equal(got.type, type);
			assert_int_equal(bye, BYE_REASON_COUNT); /* untouched: nothing was refused */
		}
	}
	assert_false(message_allowed(SIDE_AGENT, FRAME_TYPE_COUNT));
	assert_false(message_allowed(2, FRAME_HELLO));
	assert_false(message_allowed((enum message_side) - 1, (enum frame_type) - 1));
}

static void bodies_arrive_whole(void **state)
{
	(void)state;
	for (unsigned type = 0; type < FRAME_TYPE_COUNT; type++) {
		struct frame got;
		enum bye_reason bye;
		struct err err = ERR_INIT;

		buf_clear(&frame);
		assert_int_equal(message_encode(type, sample_bodies[type], &frame, &err), ERR_OK);
		assert_int_equal(message_decode(type < FRAME_WELCOME ? SIDE_AGENT : SIDE_CONTROLLER, frame.data,
				     frame.size, arena, &got, &bye, &err),
		    ERR_OK);
		const struct field *f = record_field(&frame_type_record, enum_name(&frame_type_enum, type));
		assert_non_null(f);
		const void *body;
		memcpy(&body, (const char *)&got + f->offset, sizeof body);
		assert_true(record_equal(f->type, body, sample_bodies[type]));
	}
}

static void not_msgpack(void **state)
{
	(void)state;
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "frame"); /* nothing at all */
	buf_byte(&frame, 0xc1);                                          /* the one byte that msgpack never uses */
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "frame");
	buf_clear(&frame);
	buf_text(&frame, "GET / HTTP/1.1\r\n\r\n");
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "frame");
	buf_clear(&frame);
	put_map(0);
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "type");
}

static void cut_anywhere(void **state)
{
	struct err err = ERR_INIT;
	(void)state;

	assert_int_equal(message_encode(FRAME_HELLO, &sample_hello, &frame, &err), ERR_OK);
	size_t whole = frame.size;
	for (size_t size = 0; size < whole; size++) {
		frame.size = size;
		expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "frame");
	}
	frame.size = whole;
	buf_byte(&frame, 0xc0);
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "frame"); /* something follows */
}

static void unknown_type(void **state)
{
	(void)state;
	put_map(1);
	put_text("type");
	put_text("execute");
	expect_refused(SIDE_AGENT, BYE_UNKNOWN_TYPE, ERR_INVALID, "type");
	expect_refused(SIDE_CONTROLLER, BYE_UNKNOWN_TYPE, ERR_INVALID, "type");
	buf_clear(&frame); /* a type that is not even a word */
	put_map(1);
	put_text("type");
	buf_byte(&frame, 0x07);
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "type");
}

static void wrong_enum_in_body(void **state)
{
	(void)state;
	put_map(2);
	put_text("type");
	put_text("bye");
	put_text("bye");
	put_map(1);
	put_text("reason");
	put_text("because");
	expect_refused(SIDE_CONTROLLER, BYE_MALFORMED, ERR_INVALID, "reason");
	/* The same from an agent: it may not say bye at all, which is the better answer. */
	expect_refused(SIDE_AGENT, BYE_OUT_OF_ORDER, ERR_INVALID, "reason");
}

static void no_body(void **state)
{
	(void)state;
	for (unsigned type = 0; type < FRAME_TYPE_COUNT; type++) {
		buf_clear(&frame);
		put_map(1);
		put_text("type");
		put_text(enum_name(&frame_type_enum, type));
		expect_refused(type < FRAME_WELCOME ? SIDE_AGENT : SIDE_CONTROLLER, BYE_MALFORMED, ERR_INVALID,
		    "missing from a frame");
	}
}

/* Every pair of a type and a second body. */
static void foreign_body(void **state)
{
	(void)state;
	for (unsigned type = 0; type < FRAME_TYPE_COUNT; type++)
		for (unsigned other = 0; other < FRAME_TYPE_COUNT; other++) {
			struct frame two = {.type = type};
			struct err err = ERR_INIT;
			if (other == type)
				continue;
			for (unsigned i = 0; i < 2; i++) {
				const struct field *f =
				    record_field(&frame_type_record, enum_name(&frame_type_enum, i ? other : type));
				memcpy((char *)&two + f->offset, &sample_bodies[i ? other : type], sizeof(void *));
			}
			assert_int_equal(record_check(&frame_type_record, &two, &err), ERR_INVALID);
			assert_non_null(strstr(err.msg, "does not belong to a frame of type"));
		}
}

static void unknown_keys_are_ignored(void **state)
{
	struct frame got;
	enum bye_reason bye;
	struct err err = ERR_INIT;
	(void)state;

	put_map(3);
	put_text("newer");
	put_map(1);
	put_text("deep");
	put_text("er");
	put_text("type");
	put_text("ack");
	put_text("ack");
	put_map(2);
	put_text("sequence");
	buf_byte(&frame, 9);
	put_text("colour");
	put_text("blue");
	assert_int_equal(message_decode(SIDE_CONTROLLER, frame.data, frame.size, arena, &got, &bye, &err), ERR_OK);
	assert_int_equal(got.ack->sequence, 9);
}

static void too_large(void **state)
{
	(void)state;
	assert_non_null(buf_reserve(&frame, MESSAGE_SIZE_MAX + 1));
	memset(frame.data, 0xc0, MESSAGE_SIZE_MAX + 1);
	frame.size = MESSAGE_SIZE_MAX + 1;
	expect_refused(SIDE_AGENT, BYE_TOO_LARGE, ERR_LIMIT, "1048577");
	frame.size = MESSAGE_SIZE_MAX; /* still nonsense, but not for its size */
	expect_refused(SIDE_AGENT, BYE_MALFORMED, ERR_INVALID, "frame");
}

/* A report whose parts are each within their limits and yet too much for a frame. */
static void encoder_refuses_too_large(void **state)
{
	static struct probe_result results[REPORT_ITEMS_MAX];
	static struct metric metrics[REPORT_METRICS_MAX];
	static char text[REPORT_TEXT_MAX + 1];
	struct health_report health = {.service = "portal", .results = {results, REPORT_ITEMS_MAX}};
	struct report report = {.sequence = 1, .at_ms = SAMPLE_MS, .health = &health};
	struct err err = ERR_INIT;
	(void)state;

	memset(text, 'x', REPORT_TEXT_MAX);
	for (unsigned i = 0; i < REPORT_METRICS_MAX; i++)
		metrics[i] = (struct metric){.name = "a-name-of-some-length-as-plugins-have-them",
		    .value = 0.1,
		    .unit = "requests/s",
		    .warn = 1,
		    .critical = 2};
	for (unsigned i = 0; i < REPORT_ITEMS_MAX; i++)
		results[i] =
		    (struct probe_result){.probe = "http", .text = text, .metrics = {metrics, REPORT_METRICS_MAX}};
	buf_text(&frame, "before");
	assert_int_equal(message_encode(FRAME_REPORT, &report, &frame, &err), ERR_LIMIT);
	assert_non_null(strstr(err.msg, "report: "));
	assert_int_equal(frame.size, 6); /* out is as it was */
	health.results.count = 16;
	assert_int_equal(message_encode(FRAME_REPORT, &report, &frame, &err), ERR_OK);
	assert_memory_equal(frame.data, "before", 6);
}

static void small_arena(void **state)
{
	struct err err = ERR_INIT;
	(void)state;

	assert_int_equal(message_encode(FRAME_HELLO, &sample_hello, &frame, &err), ERR_OK);
	arena_free(arena);
	arena = arena_new(16);
	expect_refused(SIDE_AGENT, BYE_OVERLOAD, ERR_NOMEM, "frame");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(matrix),
	    TEST(bodies_arrive_whole),
	    TEST(not_msgpack),
	    TEST(cut_anywhere),
	    TEST(unknown_type),
	    TEST(wrong_enum_in_body),
	    TEST(no_body),
	    TEST(foreign_body),
	    TEST(unknown_keys_are_ignored),
	    TEST(too_large),
	    TEST(encoder_refuses_too_large),
	    TEST(small_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
