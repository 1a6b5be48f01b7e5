/* What protects a service and does not: people are told, once a day each, in our words, and also when nobody says
 * anything. */
#include "tests/lib/chain_world.h"

static size_t said(struct chain *w, const char *what)
{
	struct control_look look;
	struct turn *t = control_look(&w->c, &look);
	struct err err = ERR_INIT;
	struct turn_scan scan;
	struct notification n;
	bool found = true;
	size_t count = 0;
	assert_int_equal(turn_scan_key(t, &notification_table, NULL, 0, false, &scan, &err), ERR_OK);
	while (found) {
		assert_int_equal(turn_scan_next(&scan, &n, &found, &err), ERR_OK);
		count += found && strstr(n.subject, what);
		assert_false(found && strstr(n.body, "Jane"));
	}
	turn_scan_done(&scan);
	control_look_end(&look);
	return count;
}

static void drills_of(struct chain *w, const char *service, const char *host, bool well)
{
	struct drill_report d = {.service = service,
	    .at_ms = w->c.now_ms,
	    .ok = well,
	    .proven_ms = well ? w->c.now_ms : 0,
	    .text = well ? NULL : "Jane Roe's row is damaged"};
	assert_true(control_report(&w->c, host, (struct report){.drill = &d}));
}

static void drills(struct chain *w, const char *host, bool well)
{
	drills_of(w, "portal", host, well);
}

static void a_drill_that_fails(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	drills(&w, "web-1", true);
	assert_int_equal(said(&w, "a practised restore failed"), 0);
	drills(&w, "web-1", false);
	assert_int_equal(said(&w, "portal on web-1: a practised restore failed"), 1);
	drills(&w, "web-1", false); /* tried again in a quarter of the time: known */
	assert_int_equal(said(&w, "a practised restore failed"), 1);
	drills(&w, "web-2", false);
	assert_int_equal(said(&w, "a practised restore failed"), 2);
	drills(&w, "web-2", true);
	assert_int_equal(said(&w, "portal on web-2: over: a practised restore failed"), 1);
	chain_close(&w);
}

static void what_a_host_notices(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct notice_report n = {
	    .severity = SEVERITY_HIGH, .what = "frozen", .text = "Jane Roe's segment", .service = "portal"};
	assert_true(control_report(&w.c, "web-1", (struct report){.notice = &n}));
	assert_int_equal(said(&w, "portal on web-1: its database stood frozen"), 1);
	n.what = "something-else"; /* a host may say what it likes: that is on the trail, and calls nobody */
	assert_true(control_report(&w.c, "web-1", (struct report){.notice = &n}));
	assert_int_equal(said(&w, "web-1"), 1);
	control_until(&w.c, w.c.now_ms + SECOND);
	assert_int_equal(pages(&w, NOTIFY_HOST), 1); /* and it went out */
	chain_close(&w);
}

static void reaches(struct chain *w, uint32_t archive, uint64_t copied_ms)
{
	struct reach r = {.service = "records-db",
	    .archive = archive,
	    .copies = true,
	    .copied_ms = copied_ms,
	    .text = "Jane Roe's segment"};
	struct host_report h = {.reach = {&r, 1}};
	assert_true(control_report(&w->c, "db-1", (struct report){.host = &h}));
}

/* The host tells how it stands again and again: people hear of it when it begins, daily, and when it is over. */
static void an_archive_that_falls_behind(void **state)
{
	(void)state;
	static const char late[] = "records-db on db-1: the log of its database is not archived in time",
			  over[] = "records-db on db-1: over: the log of its database is not archived in time";
	struct chain w;
	chain_open(&w);
	reaches(&w, ARCHIVE_OK, 0);
	assert_int_equal(said(&w, "records-db on db-1"), 0);
	reaches(&w, ARCHIVE_LATE, 0);
	reaches(&w, ARCHIVE_LATE, 0);
	assert_int_equal(said(&w, late), 1);
	control_until(&w.c, w.c.now_ms + SECOND);
	assert_int_equal(pages(&w, NOTIFY_HOST), 1); /* and it went out */
	reaches(&w, ARCHIVE_EMPTY, 0);               /* it could not be looked at: that mends nothing */
	assert_int_equal(said(&w, over), 0);
	reaches(&w, ARCHIVE_OK, 0);
	assert_int_equal(said(&w, over), 1);
	reaches(&w, ARCHIVE_LATE, 0); /* it comes and goes: one matter */
	reaches(&w, ARCHIVE_OK, 0);
	assert_int_equal(said(&w, "records-db on db-1"), 2);
	reaches(&w, ARCHIVE_LATE, 0);
	control_until(&w.c, w.c.now_ms + 61 * MINUTE);
	reaches(&w, ARCHIVE_LATE, 0); /* it stays */
	assert_int_equal(said(&w, late), 2);
	control_until(&w.c, w.c.now_ms + DAY);
	reaches(&w, ARCHIVE_LATE, 0);
	assert_int_equal(said(&w, late), 3);
	reaches(&w, ARCHIVE_GAP, 0); /* worse: another matter */
	assert_int_equal(said(&w, "records-db on db-1: the log of its database has a gap"), 1);
	assert_int_equal(said(&w, over), 2);
	chain_close(&w);
}

static void copies_that_keep_failing(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	struct notice_report n = {.severity = SEVERITY_MEDIUM, .what = "copy-failing", .text = "Jane Roe's bucket"};
	uint64_t before_ms = w.c.now_ms;
	assert_true(control_report(&w.c, "db-1", (struct report){.notice = &n}));
	assert_true(
	    control_report(&w.c, "db-1", (struct report){.notice = &n})); /* by an agent that was started anew */
	assert_int_equal(said(&w, "db-1: restore points and logs do not get off the host"), 1);
	control_until(&w.c, w.c.now_ms + MINUTE);
	reaches(&w, ARCHIVE_OK, before_ms); /* what was there before proves nothing */
	assert_int_equal(said(&w, "db-1: over:"), 0);
	reaches(&w, ARCHIVE_OK, w.c.now_ms);
	assert_int_equal(said(&w, "db-1: over:"), 1);
	reaches(&w, ARCHIVE_OK, w.c.now_ms);
	assert_int_equal(said(&w, "db-1: over:"), 1);
	chain_close(&w);
}

static void replayed_it_is_history(void **state)
{
	(void)state;
	struct chain w;
	struct err err;
	chain_open(&w);
	struct drill_report d = {.service = "portal", .at_ms = w.c.now_ms - 120 * MINUTE};
	struct report r = {.sequence = ++w.c.hosts[0].sequence, .at_ms = w.c.now_ms - 120 * MINUTE, .drill = &d};
	struct buf bytes = BUF_INIT;
	assert_int_equal(message_encode(FRAME_REPORT, &r, &bytes, &err), ERR_OK);
	struct id boot = {{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 1}};
	assert_true(control_give(&w.c, control_frame(INPUT_REPORT, "web-1", boot, bytes.data, bytes.size)));
	buf_done(&bytes);
	assert_int_equal(said(&w, "a practised restore failed"), 0);
	chain_close(&w);
}

/* Nobody practises any more, and nobody says so. */
static void nothing_was_proven(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	control_until(&w.c, w.c.now_ms + DAY);
	assert_int_equal(said(&w, "has been proven"), 0);
	drills(&w, "web-1", true);
	control_until(&w.c, w.c.now_ms + DAY + 2 * 60 * MINUTE);
	size_t told = said(&w, "no restore has been proven for two days of 2 services on hosts");
	assert_true(told == 1 || told == 2); /* once a day, and midnight may lie between */
	control_until(&w.c, w.c.now_ms + DAY);
	assert_true(said(&w, "of 3 services on hosts") >= 1); /* said anew each day */
	drills(&w, "web-1", true);
	drills(&w, "web-2", true);
	drills_of(&w, "records-db", "db-1", true);
	size_t before = said(&w, "has been proven");
	control_until(&w.c, w.c.now_ms + DAY);
	assert_int_equal(said(&w, "has been proven"), before);
	chain_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_drill_that_fails), cmocka_unit_test(what_a_host_notices),
	    cmocka_unit_test(an_archive_that_falls_behind), cmocka_unit_test(copies_that_keep_failing),
	    cmocka_unit_test(replayed_it_is_history), cmocka_unit_test(nothing_was_proven)};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
