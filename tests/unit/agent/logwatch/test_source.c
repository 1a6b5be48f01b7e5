#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/logwatch/source.h"

static struct {
	uint64_t lines, dropped, counted, reports;
	size_t templates;
	bool refuse;
} got;

static enum err_code on_report(void *ctx, const struct log_report *r, struct err *reterr)
{
	(void)ctx;
	if (got.refuse)
		return err_set(reterr, ERR_FULL, "no");
	got.reports++;
	got.lines += r->lines;
	got.dropped += r->dropped;
	got.templates += r->templates.count;
	for (size_t i = 0; i < r->templates.count; i++)
		got.counted += LIST_AT(r->templates, struct log_template, i).count;
	return ERR_OK;
}
static const struct logwatch_events events = {.on_report = on_report};

static struct source *make(void)
{
	struct source *s;
	struct err err;
	memset(&got, 0, sizeof got);
	assert_int_equal(source_new("portal", "/x.log", &s, &err), ERR_OK);
	return s;
}

static void say(struct source *s, const char *line, uint64_t mono_ms)
{
	source_line(s, line, strlen(line), LINE_NONE, 1700000000000ull, mono_ms);
}

static void a_storm_is_cut_by_the_second(void **state)
{
	(void)state;
	struct source *s = make();
	struct err err;
	for (int i = 0; i < LOGWATCH_RATE_LINES + 5000; i++)
		say(s, "ERROR storm", 5000);
	say(s, "ERROR storm", 5999);
	say(s, "ERROR storm", 6000); /* the next second */
	assert_int_equal(source_report(s, &events, &err), ERR_OK);
	assert_int_equal(got.lines, LOGWATCH_RATE_LINES + 5002);
	assert_int_equal(got.dropped, 5001);
	assert_int_equal(got.counted, LOGWATCH_RATE_LINES + 1);
	source_free(s);
}

static void many_templates_take_many_reports(void **state)
{
	(void)state;
	struct source *s = make();
	struct err err;
	char line[128] = "ERROR";
	for (int i = 0; i < REPORT_ITEMS_MAX + 50;
	     i++) { /* each of another length or with other opposites: nothing to merge */
		snprintf(line, sizeof line, "ERROR %s %s %s%.*s", i & 1 ? "up" : "down", i & 2 ? "opened" : "closed",
		    i & 4 ? "started" : "stopped", i / 8 * 2,
		    " : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : : :");
		say(s, line, 1000);
	}
	assert_int_equal(source_report(s, &events, &err), ERR_OK);
	assert_int_equal(got.templates, REPORT_ITEMS_MAX + 50);
	assert_int_equal(got.reports, 2);
	assert_int_equal(got.lines, REPORT_ITEMS_MAX + 50); /* told once, not with each report */
	assert_false(source_untold(s));
	source_free(s);
}

static void what_is_refused_stays(void **state)
{
	(void)state;
	struct source *s = make();
	struct err err;
	say(s, "ERROR one", 1000);
	assert_true(source_pending(s).urgent);
	got.refuse = true;
	assert_int_equal(source_report(s, &events, &err), ERR_FULL);
	assert_true(source_untold(s));
	say(s, "ERROR one", 1100);
	got.refuse = false;
	assert_int_equal(source_report(s, &events, &err), ERR_OK);
	assert_int_equal(got.counted, 2);
	assert_int_equal(got.lines, 2);
	assert_false(source_pending(s).any);
	source_free(s);
}

static void only_what_looks_bad_is_mined(void **state)
{
	(void)state;
	struct source *s = make();
	struct err err;
	say(s, "2023-11-14 12:00:00 INFO all is well", 1);
	say(s, "2023-11-14 12:00:00 DEBUG still", 1);
	say(s, "a line without a level", 1);
	assert_false(source_untold(s));
	say(s, "2023-11-14 12:00:00 WARN disk is slow", 1);
	assert_false(source_pending(s).urgent);
	say(s, "request failed: connection refused", 1);
	assert_true(source_pending(s).urgent);
	say(s, "2023-11-14 12:00:00 INFO but the request failed", 1); /* calls itself information: a warning at most */
	assert_int_equal(source_report(s, &events, &err), ERR_OK);
	assert_int_equal(got.lines, 6);
	assert_int_equal(got.templates, 3);
	source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_storm_is_cut_by_the_second),
	    cmocka_unit_test(many_templates_take_many_reports),
	    cmocka_unit_test(what_is_refused_stays),
	    cmocka_unit_test(only_what_looks_bad_is_mined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
