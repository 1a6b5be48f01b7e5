/* What goes from a host to the controller: every text of every report, wherever it stands. */
#include <stdio.h>
#include <string.h>

#include "shared/message/message.h"
#include "shared/redact/leaving.h"
#include "tests/lib/unit.h"

#define SECRET "mail jane.doe@example.org ssn 078-05-1120 now"
#define CLEAN  "mail [EMAIL] ssn [SSN] now"

static struct arena *arena;
static struct err err;

static int prepare(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}
static int clear(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* A copy in which everything may be changed, redacted. */
static const struct report *leaving(const struct report *from)
{
	struct report *r = arena_alloc(arena, sizeof *r);
	assert_non_null(r);
	assert_int_equal(record_copy(&report_type, from, arena, r, &err), ERR_OK);
	assert_int_equal(redact_leaving_record(&report_type, r, arena, &err), ERR_OK);
	return r;
}

static void the_output_of_a_step_and_why_an_order_failed(void **state)
{
	(void)state;
	struct order_step steps[] = {{.kind = STEP_START, .text = SECRET}, {.kind = STEP_STOP}};
	struct order_report body = {
	    .service = "portal", .text = "start: " SECRET, .steps = {.items = steps, .count = 2}};
	const struct order_report *r = leaving(&(struct report){.order = &body})->order;
	assert_string_equal(r->text, "start: " CLEAN);
	assert_string_equal(LIST_AT(r->steps, struct order_step, 0).text, CLEAN);
	assert_null(LIST_AT(r->steps, struct order_step, 1).text);
	assert_string_equal(r->service, "portal");
	assert_string_equal(body.text, "start: " SECRET); /* the one that was given stays as it was */
}

static void errors_paths_notices_and_samples(void **state)
{
	(void)state;
	const char *paths[] = {"jane.doe@example.org/scan", "plain"};
	struct snapshot_report snapshot = {.service = "portal", .error = SECRET};
	struct drift_report drift = {.service = "portal", .paths = {.items = paths, .count = 2}};
	struct notice_report notice = {.what = "w", .text = SECRET};
	struct log_template line = {.template_text = "mail <*>", .sample = SECRET};
	struct log_report log = {.service = "portal", .source = "s", .templates = {.items = &line, .count = 1}};
	const struct report *r =
	    leaving(&(struct report){.snapshot = &snapshot, .drift = &drift, .notice = &notice, .log = &log});
	assert_string_equal(r->snapshot->error, CLEAN);
	assert_string_equal(LIST_AT(r->drift->paths, const char *, 0), "[EMAIL]/scan");
	assert_string_equal(LIST_AT(r->drift->paths, const char *, 1), "plain");
	assert_string_equal(r->notice->text, CLEAN);
	assert_string_equal(LIST_AT(r->log->templates, struct log_template, 0).sample, CLEAN);
	assert_string_equal(LIST_AT(r->log->templates, struct log_template, 0).template_text, "mail <*>");
}

static void a_text_that_grows_stays_within_its_field(void **state)
{
	(void)state;
	char long_text[REPORT_TEXT_MAX + 1] = "";
	for (size_t n = 0; n + 9 < sizeof long_text; n += 8)
		memcpy(long_text + n, "a@bb.de ", 9);
	struct notice_report notice = {.what = "w", .text = long_text};
	const struct report *r = leaving(&(struct report){.sequence = 1, .at_ms = 1, .notice = &notice});
	assert_null(strstr(r->notice->text, "@"));
	assert_true(strlen(r->notice->text) <= REPORT_TEXT_MAX);
	assert_int_equal(record_check(&report_type, r, &err), ERR_OK);
}

static void bytes_that_are_no_text_become_text(void **state)
{
	(void)state;
	const char *given = "caf\xe9 down", *kept = redact_leaving_text(arena, given, 100);
	assert_string_equal(kept, "caf? down");
	assert_string_equal(redact_leaving_text(arena, "caf\xc3\xa9 down", 4), "caf"); /* not within a character */
	const char *plain = "nothing to hide";
	assert_ptr_equal(redact_leaving_text(arena, plain, 100), plain);
}

static void again_gives_the_same(void **state)
{
	(void)state;
	struct notice_report notice = {.what = "w", .text = SECRET};
	const struct report *once = leaving(&(struct report){.notice = &notice}), *twice = leaving(once);
	assert_true(record_equal(&report_type, once, twice));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_output_of_a_step_and_why_an_order_failed, prepare, clear),
	    cmocka_unit_test_setup_teardown(errors_paths_notices_and_samples, prepare, clear),
	    cmocka_unit_test_setup_teardown(a_text_that_grows_stays_within_its_field, prepare, clear),
	    cmocka_unit_test_setup_teardown(bytes_that_are_no_text_become_text, prepare, clear),
	    cmocka_unit_test_setup_teardown(again_gives_the_same, prepare, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
