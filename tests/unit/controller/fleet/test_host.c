#include "tests/lib/fleet_world.h"

static struct declared_service portal[1];
static int setup(void **state)
{
	(void)state;
	portal[0] = declared("portal", NULL);
	return 0;
}

static enum hello_result hello_from(struct world *w, uint8_t boot)
{
	struct hello h = hello_of(w, "web-1", boot_id(boot), portal, 1);
	return hello_say(w, &h).result;
}

static void test_first_hello_makes_the_host(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct host h = host_up(&w, "web-1", 1, portal, 1);
	assert_int_equal(h.state, HOST_CONNECTED);
	assert_int_equal(h.first_seen_ms, w.now_ms);
	assert_int_equal(h.acknowledged, 0);
	assert_true(fleet_host_usable(&h));
	struct hello other = hello_of(&w, "web-2", boot_id(1), portal, 1);
	struct hello_outcome out;
	refused(ERR_DENIED, fleet_on_hello(w.turn, &fleet_rules, "web-1", &other, &out, ERR_HERE));
	world_close(&w);
}

static void test_no_common_version_is_refused(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct hello h = hello_of(&w, "web-1", boot_id(1), portal, 1);
	h.version = h.version_least = MESSAGE_VERSION + 1;
	assert_int_equal(hello_say(&w, &h).result, HELLO_VERSION);
	h.version = h.version_least = 0;
	assert_int_equal(hello_say(&w, &h).result, HELLO_VERSION);
	world_close(&w);
}

static void test_restarted_agent_replaces_its_old_connection(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	for (uint8_t boot = 2; boot < 30; boot++) { /* power cuts: the old connection never says that it ended */
		world_after(&w, 1000);
		struct hello h = hello_of(&w, "web-1", boot_id(boot), portal, 1);
		struct hello_outcome out = hello_say(&w, &h);
		struct id before = boot_id((uint8_t)(boot - 1));
		assert_int_equal(out.result, HELLO_WELCOME);
		assert_memory_equal(&out.displaced, &before, sizeof(before));
		assert_true(out.host.boots.count <= FLEET_BOOTS_MAX);
	}
	world_close(&w);
}

static void test_p49_two_machines_with_one_identity_are_both_barred_with_one_alert(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	unsigned alerts = 0, barred = 0;
	for (int i = 0; i < 40; i++) { /* each is thrown out by the other, and comes back */
		world_after(&w, 2000);
		struct hello h = hello_of(&w, "web-1", boot_id(i % 2 ? 7 : 9), portal, 1);
		struct hello_outcome out = hello_say(&w, &h);
		alerts += out.newly_barred;
		barred += out.result == HELLO_BARRED;
	}
	assert_int_equal(alerts, 1);
	assert_true(barred >= 34);
	struct host h = host_now(&w, "web-1");
	assert_int_equal(h.state, HOST_BARRED);
	assert_false(fleet_host_usable(&h));
	/* nothing of either is believed */
	for (uint8_t boot = 7; boot <= 9; boot += 2) {
		struct report r = {.sequence = 1, .at_ms = w.now_ms};
		enum report_result result;
		ok(fleet_on_report(w.turn, "web-1", boot_id(boot), &r, &result, &h, ERR_HERE));
		assert_int_equal(result, REPORT_STRANGER);
	}
	/* a third copy is barred too, until an operator decides */
	assert_int_equal(hello_from(&w, 20), HELLO_BARRED);
	struct actor ada = actor_operator("ada", NULL);
	ok(fleet_host_unbar(w.turn, &ada, "web-1", boot_id(9), ERR_HERE));
	refused(ERR_STATE, fleet_host_unbar(w.turn, &ada, "web-1", boot_id(9), ERR_HERE));
	world_after(&w, 1000);
	assert_int_equal(hello_from(&w, 9), HELLO_WELCOME);
	assert_int_equal(hello_from(&w, 7), HELLO_RIVAL);
	assert_int_equal(hello_from(&w, 7), HELLO_BARRED);
	world_close(&w);
}

static void test_p49_a_late_hello_of_a_dead_run_bars_nobody(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	world_after(&w, 1000);
	assert_int_equal(hello_from(&w, 2), HELLO_WELCOME);
	assert_int_equal(hello_from(&w, 1), HELLO_RIVAL);
	struct host h = host_now(&w, "web-1");
	struct id current = boot_id(2);
	assert_memory_equal(&h.boot, &current, sizeof(current));
	assert_int_equal(h.state, HOST_CONNECTED);
	assert_int_equal(hello_from(&w, 2), HELLO_WELCOME); /* reconnects are no returns */
	world_close(&w);
}

static void test_p48_skewed_clock_is_a_state_of_its_own(void **state)
{
	(void)state;
	static const int64_t hours[] = {10, -10};
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		world_open(&w);
		struct hello h = hello_of(&w, "web-1", boot_id(1), portal, 1);
		h.clock_ms = (uint64_t)((int64_t)w.now_ms + hours[i] * 3600000);
		struct hello_outcome out = hello_say(&w, &h);
		assert_int_equal(out.result, HELLO_WELCOME);
		assert_true(out.newly_skewed);
		assert_true(out.host.skewed);
		assert_int_equal(fleet_time(&out.host, h.clock_ms), w.now_ms);
		world_after(&w, 1000);
		h.clock_ms += 1000;
		assert_false(hello_say(&w, &h).newly_skewed); /* said once */
		world_after(&w, 1000);
		h.clock_ms = w.now_ms;
		assert_false(hello_say(&w, &h).host.skewed);
		world_close(&w);
	}
}

/* ---- sequence ---- */

static enum report_result report(struct world *w, uint64_t sequence)
{
	struct report r = {.sequence = sequence, .at_ms = w->now_ms};
	enum report_result result;
	struct host h;
	ok(fleet_on_report(w->turn, "web-1", boot_id(1), &r, &result, &h, ERR_HERE));
	return result;
}

static void test_p59_reports_count_once_and_in_order(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	assert_int_equal(report(&w, 1), REPORT_NEXT);
	assert_int_equal(report(&w, 2), REPORT_NEXT);
	assert_int_equal(report(&w, 2), REPORT_REPEATED);
	assert_int_equal(report(&w, 1), REPORT_REPEATED);
	assert_int_equal(report(&w, 4), REPORT_GAP);
	world_after(&w, 1);
	assert_int_equal(host_now(&w, "web-1").acknowledged, 2);
	assert_int_equal(report(&w, 3), REPORT_NEXT);
	assert_int_equal(report(&w, 4), REPORT_NEXT);
	world_close(&w);
}

static enum report_result dropped(struct world *w, uint64_t sequence, uint64_t through)
{
	struct report r = {.sequence = sequence, .through = through, .at_ms = w->now_ms};
	enum report_result result;
	struct host h;
	ok(fleet_on_report(w->turn, "web-1", boot_id(1), &r, &result, &h, ERR_HERE));
	return result;
}

static void last_entry(struct world *w, struct audit_entry *ret)
{
	struct audit_head head;
	bool found;
	ok(audit_head(w->turn, &head, ERR_HERE));
	*ret = (struct audit_entry){.sequence = head.size};
	ok(turn_get(w->turn, &audit_table, ret, ret, &found, ERR_HERE));
}

static void test_dropped_reports_are_counted_and_audited_as_lost(void **state)
{
	(void)state;
	struct world w;
	struct audit_entry e;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	assert_int_equal(report(&w, 1), REPORT_NEXT);
	assert_int_equal(dropped(&w, 3, 5), REPORT_GAP);
	assert_int_equal(dropped(&w, 2, 5), REPORT_NEXT);
	world_after(&w, 1);
	assert_int_equal(host_now(&w, "web-1").acknowledged, 5);
	last_entry(&w, &e);
	assert_string_equal(e.action, "host.reports_lost");
	uint64_t entries = e.sequence;
	/* said again, and as a real report from before it was dropped */
	assert_int_equal(dropped(&w, 2, 5), REPORT_REPEATED);
	assert_int_equal(dropped(&w, 1, 4), REPORT_REPEATED);
	assert_int_equal(report(&w, 3), REPORT_REPEATED);
	/* 6 came before it was dropped; 7 and 8 did not */
	assert_int_equal(report(&w, 6), REPORT_NEXT);
	assert_int_equal(dropped(&w, 5, 8), REPORT_NEXT);
	world_after(&w, 1);
	assert_int_equal(host_now(&w, "web-1").acknowledged, 8);
	last_entry(&w, &e);
	assert_int_equal(e.sequence, entries + 1);
	assert_non_null(strstr(e.text, "reports 7 to 8"));
	assert_int_equal(report(&w, 9), REPORT_NEXT);
	/* nothing can follow the last number there is, and nothing breaks */
	assert_int_equal(dropped(&w, 10, UINT64_MAX), REPORT_NEXT);
	assert_int_equal(report(&w, 10), REPORT_REPEATED);
	world_close(&w);
}

static void test_report_of_an_earlier_run_is_a_strangers(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	world_after(&w, 1);
	assert_int_equal(hello_from(&w, 2), HELLO_WELCOME);
	assert_int_equal(report(&w, 1), REPORT_STRANGER);
	struct report r = {.sequence = 1};
	enum report_result result;
	struct host h;
	ok(fleet_on_report(w.turn, "nobody", boot_id(1), &r, &result, &h, ERR_HERE));
	assert_int_equal(result, REPORT_STRANGER);
	world_close(&w);
}

static uint64_t after_spool(uint64_t acknowledged, uint64_t first, uint64_t last)
{
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	for (uint64_t i = 1; i <= acknowledged; i++)
		assert_int_equal(report(&w, i), REPORT_NEXT);
	world_after(&w, 1);
	struct hello h = hello_of(&w, "web-1", boot_id(1), portal, 1);
	h.first_sequence = first;
	h.last_sequence = last;
	uint64_t result = hello_say(&w, &h).host.acknowledged;
	world_close(&w);
	return result;
}

static void test_counting_goes_on_from_what_the_spool_holds(void **state)
{
	(void)state;
	assert_int_equal(after_spool(10, 0, 0), 10);   /* empty */
	assert_int_equal(after_spool(10, 11, 15), 10); /* all new */
	assert_int_equal(after_spool(10, 6, 10), 10);  /* acknowledgements were lost */
	assert_int_equal(after_spool(10, 6, 15), 10);
	assert_int_equal(after_spool(10, 21, 25), 20); /* restored controller, or a spool that was too full */
	assert_int_equal(after_spool(10, 1, 3), 0);    /* a spool that was made anew */
}

/* ---- silence ---- */

static bool silent_at_due(struct world *w)
{
	struct timer timer;
	bool silent;
	assert_true(world_timer(w, UINT64_MAX, &timer));
	ok(fleet_on_timer(w->turn, &fleet_rules, &timer, &silent, ERR_HERE));
	return silent;
}

static void test_p41_host_that_says_nothing_is_silent_within_two_heartbeats(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	uint64_t start = w.now_ms;
	world_at(&w, start + 50000);
	assert_int_equal(report(&w, 1), REPORT_NEXT);
	assert_false(silent_at_due(&w));
	assert_int_equal(w.now_ms, start + 60000);
	assert_true(silent_at_due(&w));
	assert_int_equal(w.now_ms, start + 50000 + 60000);
	world_after(&w, 1);
	assert_int_equal(host_now(&w, "web-1").state, HOST_SILENT);
	struct timer timer;
	assert_false(world_timer(&w, UINT64_MAX, &timer)); /* told once */
	assert_int_equal(report(&w, 2), REPORT_NEXT);      /* it had only stalled */
	world_after(&w, 1);
	assert_int_equal(host_now(&w, "web-1").state, HOST_CONNECTED);
	assert_false(silent_at_due(&w)); /* and is watched again */
	world_close(&w);
}

static void test_p15_connection_that_ended_is_not_connected(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	ok(fleet_on_gone(w.turn, &fleet_rules, "web-1", boot_id(9), ERR_HERE)); /* one that no longer counts */
	assert_int_equal(host_now(&w, "web-1").state, HOST_CONNECTED);
	ok(fleet_on_gone(w.turn, &fleet_rules, "web-1", boot_id(1), ERR_HERE));
	assert_int_equal(host_now(&w, "web-1").state, HOST_SILENT);
	assert_true(silent_at_due(&w));
	world_close(&w);
}

static void test_p34_restart_gives_hosts_time_to_come_back(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	world_after(&w, 3600000); /* the controller was away for an hour: its timer is long overdue */
	ok(fleet_on_boot(w.turn, &fleet_rules, ERR_HERE));
	assert_int_equal(host_now(&w, "web-1").state, HOST_SILENT);
	uint64_t back = w.now_ms;
	struct timer timer;
	assert_false(world_timer(&w, back + 59999, &timer));
	world_at(&w, back + 10000);
	assert_int_equal(hello_from(&w, 1), HELLO_WELCOME);
	assert_false(world_timer(&w, back + 60000, &timer));
	world_close(&w);
}

static void test_revoked_host_is_closed_and_stays_out(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	struct actor ada = actor_operator("ada", NULL);
	struct turn *t = world_after(&w, 1);
	ok(fleet_host_revoke(t, &ada, "web-1", "stolen", ERR_HERE));
	assert_int_equal(world_effect_count(&w, EFFECT_CLOSE), 1);
	world_after(&w, 1);
	assert_int_equal(hello_from(&w, 2), HELLO_REVOKED);
	ok(fleet_host_add(w.turn, "web-1", ERR_HERE)); /* enrolled anew */
	assert_int_equal(hello_from(&w, 2), HELLO_WELCOME);
	ok(fleet_host_add(w.turn, "web-1", ERR_HERE));
	assert_int_equal(host_now(&w, "web-1").state, HOST_CONNECTED);
	refused(ERR_NOT_FOUND, fleet_host_revoke(w.turn, &ada, "web-9", "?", ERR_HERE));
	world_close(&w);
}

static void test_hello_is_remembered(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct hello h = hello_of(&w, "web-1", boot_id(1), portal, 1);
	h.epoch_seen = 5;
	h.certificate_expires_ms = 77;
	hello_say(&w, &h);
	world_after(&w, 1000);
	h.epoch_seen = 3; /* an agent that forgot: the highest counts */
	struct host now = hello_say(&w, &h).host;
	assert_int_equal(now.epoch_seen, 5);
	assert_int_equal(now.certificate_expires_ms, 77);
	assert_string_equal(now.version, "0.1");
	assert_int_equal(now.since_ms, w.now_ms - 1000);
	ok(fleet_on_gone(w.turn, &fleet_rules, "web-1", boot_id(1), ERR_HERE));
	assert_int_equal(host_now(&w, "web-1").since_ms, w.now_ms);
	world_close(&w);
}

/* Two connections of one run: the hello of the older one is read after the newer one has brought reports. */
static void test_a_hello_that_was_overtaken_takes_nothing_back(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	struct hello older = hello_of(&w, "web-1", boot_id(1), portal, 1), newer = older;
	older.uptime_ms = 5000;
	older.first_sequence = newer.first_sequence = 1;
	older.last_sequence = 2;
	newer.uptime_ms = 5001;
	newer.last_sequence = 3;
	hello_say(&w, &newer);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(report(&w, i), REPORT_NEXT);
	assert_int_equal(hello_say(&w, &older).host.acknowledged, 3);
	assert_int_equal(report(&w, 3), REPORT_REPEATED);
	older.boot = boot_id(2); /* another run has a spool of its own */
	assert_int_equal(hello_say(&w, &older).host.acknowledged, 0);
	world_close(&w);
}

static void test_p14_lost_reports_are_on_the_trail_and_nothing_else_is(void **state)
{
	(void)state;
	static const struct {
		uint64_t first, last;
		const char *action;
	} cases[] = {{1, 1, "host.first_seen"}, {2, 9, "host.first_seen"}, {3, 9, "host.reports_lost"}};
	for (size_t i = 0; i < 3; i++) {
		struct world w;
		struct audit_head head;
		bool found;
		world_open(&w);
		host_up(&w, "web-1", 1, portal, 1);
		assert_int_equal(report(&w, 1), REPORT_NEXT);
		world_after(&w, 1);
		struct hello h = hello_of(&w, "web-1", boot_id(1), portal, 1);
		h.first_sequence = cases[i].first;
		h.last_sequence = cases[i].last;
		hello_say(&w, &h);
		ok(audit_head(w.turn, &head, ERR_HERE));
		struct audit_entry e = {.sequence = head.size};
		ok(turn_get(w.turn, &audit_table, &e, &e, &found, ERR_HERE));
		assert_string_equal(e.action, cases[i].action);
		world_close(&w);
	}
}

static void test_p49_operator_keeps_one_or_neither(void **state)
{
	(void)state;
	struct actor ada = actor_operator("ada", NULL);
	for (int keep = 0; keep < 2; keep++) {
		struct world w;
		world_open(&w);
		for (int i = 0; i < 6; i++) {
			world_after(&w, 2000);
			hello_from(&w, i % 2 ? 7 : 9);
		}
		struct host h = host_now(&w, "web-1");
		assert_int_equal(h.state, HOST_BARRED);
		assert_non_null(h.note);
		ok(fleet_host_unbar(w.turn, &ada, "web-1", keep ? boot_id(7) : (struct id){{0}}, ERR_HERE));
		h = host_now(&w, "web-1");
		assert_null(h.note);
		assert_int_equal(h.returns, 0);
		assert_int_equal(h.boots.count, keep ? 1 : 0);
		if (keep) {
			struct id other = boot_id(9);
			assert_memory_equal(h.boots.items, &other, sizeof(other));
		}
		world_after(&w, 1000);
		assert_int_equal(hello_from(&w, keep ? 7 : 9), HELLO_WELCOME);
		world_close(&w);
	}
}

static void test_earlier_runs_are_remembered_up_to_a_limit(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	for (uint8_t boot = 1; boot <= 12; boot++) {
		world_after(&w, 1000);
		assert_int_equal(hello_from(&w, boot), HELLO_WELCOME);
	}
	struct host h = host_now(&w, "web-1");
	assert_int_equal(h.boots.count, FLEET_BOOTS_MAX);
	for (size_t i = 0; i < FLEET_BOOTS_MAX; i++) {
		struct id want = boot_id((uint8_t)(4 + i));
		assert_memory_equal(&LIST_AT(h.boots, struct id, i), &want, sizeof(want));
	}
	/* one that comes back while nobody is connected counts again, and stands in the list no more */
	ok(fleet_on_gone(w.turn, &fleet_rules, "web-1", boot_id(12), ERR_HERE));
	assert_int_equal(hello_from(&w, 8), HELLO_WELCOME);
	h = host_now(&w, "web-1");
	assert_int_equal(h.boots.count, FLEET_BOOTS_MAX);
	struct id now = boot_id(8);
	assert_memory_equal(&h.boot, &now, sizeof(now));
	for (size_t i = 0; i < h.boots.count; i++)
		assert_memory_not_equal(&LIST_AT(h.boots, struct id, i), &now, sizeof(now));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_hello_makes_the_host),
	    cmocka_unit_test(test_no_common_version_is_refused),
	    cmocka_unit_test(test_restarted_agent_replaces_its_old_connection),
	    cmocka_unit_test(test_p49_two_machines_with_one_identity_are_both_barred_with_one_alert),
	    cmocka_unit_test(test_p49_a_late_hello_of_a_dead_run_bars_nobody),
	    cmocka_unit_test(test_p48_skewed_clock_is_a_state_of_its_own),
	    cmocka_unit_test(test_p59_reports_count_once_and_in_order),
	    cmocka_unit_test(test_dropped_reports_are_counted_and_audited_as_lost),
	    cmocka_unit_test(test_report_of_an_earlier_run_is_a_strangers),
	    cmocka_unit_test(test_counting_goes_on_from_what_the_spool_holds),
	    cmocka_unit_test(test_p41_host_that_says_nothing_is_silent_within_two_heartbeats),
	    cmocka_unit_test(test_p15_connection_that_ended_is_not_connected),
	    cmocka_unit_test(test_p34_restart_gives_hosts_time_to_come_back),
	    cmocka_unit_test(test_revoked_host_is_closed_and_stays_out),
	    cmocka_unit_test(test_hello_is_remembered),
	    cmocka_unit_test(test_a_hello_that_was_overtaken_takes_nothing_back),
	    cmocka_unit_test(test_p14_lost_reports_are_on_the_trail_and_nothing_else_is),
	    cmocka_unit_test(test_p49_operator_keeps_one_or_neither),
	    cmocka_unit_test(test_earlier_runs_are_remembered_up_to_a_limit),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
