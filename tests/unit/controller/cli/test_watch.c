/* The stream of events: taken apart, shown, and picked up again after a break. */
#include "tests/unit/controller/cli/fake.h"

#include "controller/cli/sse.h"

struct seen {
	char text[4096];
	int count, stop_at;
};

static bool note(void *ctx, const char *id, const char *data)
{
	struct seen *s = ctx;
	size_t n = strlen(s->text);
	text_format(s->text + n, sizeof s->text - n, "[%s|%s]", id, data);
	return ++s->count != s->stop_at;
}

static void events(void **state)
{
	(void)state;
	static const char stream[] = ": watching\n\nid: 7\ndata: {\"a\":1}\n\n: \n\ndata: one\ndata:two\n\nid: "
				     "9\n\nevent: x\ndata\r\n\r\ndata: unfinished\n";
	static const char wanted[] = "[7|{\"a\":1}][7|one\ntwo][9|]";
	for (size_t step = 1; step < sizeof stream; step++) { /* however it is cut */
		struct seen seen = {0};
		struct sse s = {.on_event = note, .ctx = &seen};
		for (size_t at = 0; at < sizeof stream - 1; at += step)
			assert_true(
			    sse_feed(&s, stream + at, sizeof stream - 1 - at < step ? sizeof stream - 1 - at : step));
		assert_string_equal(seen.text, wanted);
		sse_break(&s); /* what was half read is forgotten, the id is not */
		assert_true(sse_feed(&s, "\ndata: next\n\n", 13));
		assert_non_null(strstr(seen.text, "[9|next]"));
		assert_string_equal(s.id, "9");
		sse_done(&s);
	}
}

static void odd_streams(void **state)
{
	(void)state;
	struct seen seen = {.stop_at = 2};
	struct sse s = {.on_event = note, .ctx = &seen};
	assert_false(sse_feed(&s, "data: a\n\ndata: b\n\ndata: c\n\n", 27));
	assert_string_equal(seen.text, "[|a][|b]");
	sse_break(&s);
	seen = (struct seen){0};
	assert_true(sse_feed(&s, "data: ", 6)); /* a line beyond all measure takes its event with it, and no other */
	for (int i = 0; i < CLI_EVENT_LINE_MAX + 10; i++)
		assert_true(sse_feed(&s, "x", 1));
	assert_true(s.line.size <= CLI_EVENT_LINE_MAX);
	assert_true(sse_feed(&s, "\n\ndata: after\n\n", 15));
	assert_string_equal(seen.text, "[|after]");
	char id[200] = "id: ";
	memset(id + 4, 'i', 150);
	strcat(id, "\ndata: x\n\n");
	assert_true(sse_feed(&s, id, strlen(id)));
	assert_string_equal(s.id, ""); /* no id of ours: not sent back */
	sse_done(&s);
}

static void watching(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	static const char one[] = ": watching\n\nid: 41\ndata: "
				  "{\"at\":\"2026-09-21T14:12:34.020Z\",\"topic\":\"incident\",\"severity\":\"high\","
				  "\"text\":\"INC-3 opened\\u001b[2J\"}\n\n",
			  two[] = "id: 42\ndata: "
				  "{\"at\":\"2026-09-21T14:12:35.000Z\",\"topic\":\"host\",\"severity\":\"low\","
				  "\"text\":\"web-1 is back\"}\n\n";
	fake_says(f, "GET /api/v1/event/watch", 200, one);
	f->answers[0].times = 1;
	fake_fails(f, "GET /api/v1/event/watch", ERR_UNREACHABLE, 3);
	fake_says(f, "GET /api/v1/event/watch", 200, two);
	f->answers[2].times = 1;
	fake_fails(f, "GET /api/v1/event/watch", ERR_DENIED, 0);
	assert_int_equal(fake_run(f, "watch"), CLI_REFUSED);
	assert_string_equal(buf_str(&f->out),
	    "2026-09-21T14:12:34.020Z  high      incident      INC-3 "
	    "opened?[2J\n2026-09-21T14:12:35.000Z  low       host          web-1 is back\n");
	assert_int_equal(f->asked_count, 6);
	assert_non_null(strstr(buf_str(&f->error), "unreachable; trying again"));
	assert_true(f->paused_ms >= 5 && f->paused_ms <= 5 * CLI_RECONNECT_MOST_MS);
	fake_free(f);
	f = fake_new();
	fake_says(f, "GET /api/v1/event/watch", 200, one);
	f->answers[0].times = 1;
	fake_fails(f, "GET /api/v1/event/watch", ERR_DENIED, 0);
	assert_int_equal(fake_run(f, "watch -o json"), CLI_REFUSED);
	assert_string_equal(buf_str(&f->out), "{\"at\":\"2026-09-21T14:12:34.020Z\",\"topic\":\"incident\","
					      "\"severity\":\"high\",\"text\":\"INC-3 opened\\u001b[2J\"}\n");
	fake_free(f);
}

static char last_ids[8][64];
static size_t asked_ids;
static enum err_code record_ids(void *ctx, const struct client_config *config, const struct cli_request *r, int *status,
    struct buf *out, struct err *reterr)
{
	text_copy(last_ids[asked_ids % 8], 64, r->last_event_id ? r->last_event_id : "none");
	asked_ids++;
	return fake_ask(ctx, config, r, status, out, reterr);
}

static void goes_on_where_it_was(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	f->io.ask = record_ids;
	fake_says(f, "GET /api/v1/event/watch", 200, "id: 41\ndata: {}\n\nid: 42\ndata: {}\n");
	f->answers[0].times = 1;
	fake_fails(f, "GET /api/v1/event/watch", ERR_TIMEOUT, 1);
	fake_fails(f, "GET /api/v1/event/watch", ERR_DENIED, 0);
	assert_int_equal(fake_run(f, "watch"), CLI_REFUSED);
	assert_string_equal(last_ids[0], "none");
	assert_string_equal(last_ids[1], "41"); /* 42 was not whole */
	assert_string_equal(last_ids[2], "41");
	assert_int_equal(fake_run(f, "watch --from 12"), CLI_REFUSED);
	assert_string_equal(last_ids[3], "12");
	assert_int_equal(fake_run(f, "watch --from 1a"), CLI_USAGE);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(events), cmocka_unit_test(odd_streams),
	    cmocka_unit_test(watching), cmocka_unit_test(goes_on_where_it_was)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
