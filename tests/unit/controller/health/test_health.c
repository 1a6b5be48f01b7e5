#include <stdio.h>

#include "tests/lib/health_world.h"

static struct declared_service portal[1];
static int setup(void **state)
{
	(void)state;
	portal[0] = declared("portal", NULL);
	return 0;
}

static void start(struct world *w)
{
	world_open(w);
	health_up(w, "web-1", 1, portal, 1);
	world_after(w, 1000);
}

static void one(const struct health_transitions *t, enum health from, enum health to)
{
	assert_int_equal(t->count, 1);
	assert_int_equal(t->items[0].from, from);
	assert_int_equal(t->items[0].to, to);
}

static void test_transitions_are_told_once(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_UNKNOWN);
	struct health_transitions t = http_says(&w, "portal", "web-1", PROBE_OK);
	one(&t, HEALTH_UNKNOWN, HEALTH_HEALTHY);
	world_after(&w, 1000);
	assert_int_equal(http_says(&w, "portal", "web-1", PROBE_OK).count, 0);
	world_after(&w, 1000);
	t = http_says(&w, "portal", "web-1", PROBE_CRITICAL);
	one(&t, HEALTH_HEALTHY, HEALTH_DOWN);
	assert_string_equal(t.items[0].probe, "http");
	assert_string_equal(t.items[0].reason, "http: said the probe");
	assert_int_equal(t.items[0].since_ms, w.now_ms);
	struct placement p;
	bool found;
	ok(fleet_placement_get(w.turn, "portal", "web-1", &p, &found, ERR_HERE));
	assert_int_equal(p.health, HEALTH_DOWN);
	world_close(&w);
}

/* The fault began when the probe settled, on the controller's clock, even when the host's is wrong. */
static void test_p48_since_is_on_the_controllers_clock(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct hello h = hello_of(&w, "web-1", boot_id(1), portal, 1);
	h.clock_ms -= 36000000;
	hello_say(&w, &h);
	struct health_transitions out = {0};
	ok(health_on_hello(w.turn, &health_rules, "web-1", &out, ERR_HERE));
	world_after(&w, 60000);
	struct health_transitions t = http_says_at(&w, "portal", "web-1", PROBE_CRITICAL, w.now_ms - 36000000 - 700);
	one(&t, HEALTH_UNKNOWN, HEALTH_DOWN);
	assert_false(t.items[0].historic);
	assert_int_equal(t.items[0].since_ms, w.now_ms - 700);
	world_close(&w);
}

static void test_p41_evidence_that_stops_is_unknown_within_two_heartbeats(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	uint64_t last = w.now_ms;
	struct health_transitions t = health_until(&w, last + 59999);
	assert_int_equal(t.count, 0);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_HEALTHY);
	t = health_until(&w, last + 60000);
	one(&t, HEALTH_HEALTHY, HEALTH_UNKNOWN);
	assert_true(health_now(&w, "portal", "web-1").stale);
	/* a report brings it back, and is watched again */
	t = http_says(&w, "portal", "web-1", PROBE_OK);
	one(&t, HEALTH_UNKNOWN, HEALTH_HEALTHY);
	last = w.now_ms;
	t = health_until(&w, last + 60000);
	one(&t, HEALTH_HEALTHY, HEALTH_UNKNOWN);
	world_close(&w);
}

static void test_steady_reports_keep_it_fresh(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	for (int i = 0; i < 100; i++) {
		http_says(&w, "portal", "web-1", PROBE_OK);
		assert_int_equal(health_until(&w, w.now_ms + 30000).count, 0);
	}
	assert_true(world_record_count(&w, &timer_table) <= 3);
	world_close(&w);
}

static void test_host_silent_makes_its_placements_unknown(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct declared_service two[] = {declared("portal", NULL), declared("db", NULL)};
	health_up(&w, "web-1", 1, two, 2);
	health_up(&w, "web-2", 2, two, 1);
	http_says(&w, "portal", "web-1", PROBE_OK);
	http_says(&w, "db", "web-1", PROBE_CRITICAL);
	http_says(&w, "portal", "web-2", PROBE_OK);
	struct health_transitions out = {0};
	struct turn *t = world_after(&w, 1);
	ok(health_on_silent(t, &health_rules, "web-1", "no word", &out, ERR_HERE));
	assert_int_equal(out.count, 2);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_UNKNOWN);
	assert_int_equal(health_now(&w, "db", "web-1").state, HEALTH_UNKNOWN);
	assert_int_equal(health_now(&w, "portal", "web-2").state, HEALTH_HEALTHY);
	struct health_summary sum;
	ok(health_of_service(t, "portal", &sum, ERR_HERE));
	assert_int_equal(sum.worst, HEALTH_UNKNOWN);
	assert_int_equal(sum.hosts, 2);
	world_close(&w);
}

static void test_unknown_for_long_is_told_once_more(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	uint64_t last = w.now_ms;
	health_until(&w, last + 60000);
	struct health_transitions t = health_until(&w, last + 60000 + 299999);
	assert_int_equal(t.count, 0);
	t = health_until(&w, last + 60000 + 300000);
	assert_int_equal(t.count, 1);
	assert_true(t.items[0].prolonged);
	assert_int_equal(health_until(&w, last + 86400000).count, 0);
	world_close(&w);
}

static void test_service_without_probes_is_unknown_and_disturbs_nobody(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct declared_service mute[] = {declared("mute", NULL)};
	mute[0].probes = 0;
	health_up(&w, "web-1", 1, mute, 1);
	assert_int_equal(health_now(&w, "mute", "web-1").state, HEALTH_UNKNOWN);
	assert_int_equal(health_until(&w, w.now_ms + 86400000).count, 0);
	world_close(&w);
}

static void test_p34_restart_waits_for_reports(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	world_after(&w, 3600000); /* away for an hour: its deadline passed long ago */
	ok(health_on_boot(w.turn, &health_rules, ERR_HERE));
	uint64_t back = w.now_ms;
	assert_int_equal(health_until(&w, back + 50000).count, 0);
	http_says(&w, "portal", "web-1", PROBE_OK);
	assert_int_equal(health_until(&w, back + 70000).count, 0);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_HEALTHY);
	world_close(&w);
}

static void test_p42_lagging_agent_is_unknown_and_recovers(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_CRITICAL);
	struct turn *t = world_after(&w, 1000);
	struct host h = host_now(&w, "web-1");
	struct host_report r = {.lagging = true};
	struct health_transitions out = {0};
	ok(health_on_host_report(t, &health_rules, &h, w.now_ms, &r, &out, ERR_HERE));
	one(&out, HEALTH_DOWN, HEALTH_UNKNOWN);
	assert_true(host_now(&w, "web-1").lagging);
	world_after(&w, 1000);
	assert_int_equal(http_says(&w, "portal", "web-1", PROBE_CRITICAL).count, 0); /* still UNKNOWN */
	t = world_after(&w, 1000);
	h = host_now(&w, "web-1");
	r.lagging = false;
	out = (struct health_transitions){0};
	ok(health_on_host_report(t, &health_rules, &h, w.now_ms, &r, &out, ERR_HERE));
	one(&out, HEALTH_UNKNOWN, HEALTH_DOWN);
	world_close(&w);
}

/* Spooled through a break: history, no state, nobody paged. */
static void test_p35_replayed_reports_fill_history_only(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	uint64_t ok_at = w.now_ms;
	world_after(&w, 3600000);
	http_says(&w, "portal", "web-1", PROBE_OK);
	world_after(&w, 1000);
	struct health_transitions t = http_says_at(&w, "portal", "web-1", PROBE_CRITICAL, ok_at + 600000);
	one(&t, HEALTH_HEALTHY, HEALTH_DOWN);
	assert_true(t.items[0].historic);
	t = http_says_at(&w, "portal", "web-1", PROBE_CRITICAL, ok_at + 630000);
	assert_int_equal(t.count, 0);
	t = http_says_at(&w, "portal", "web-1", PROBE_OK, ok_at + 660000);
	assert_true(t.count == 1 && t.items[0].historic);
	struct service_health s = health_now(&w, "portal", "web-1");
	assert_int_equal(s.state, HEALTH_HEALTHY);
	assert_int_equal(s.evidence_ms, w.now_ms - 1000);
	struct health_history h = {.service = "portal", .host = "web-1"};
	bool found;
	ok(turn_get(w.turn, &health_history_table, &h, &h, &found, ERR_HERE));
	assert_true(found);
	for (size_t i = 1; i < h.changes.count; i++)
		assert_true(LIST_AT(h.changes, struct health_change, i - 1).at_ms <=
			    LIST_AT(h.changes, struct health_change, i).at_ms);
	assert_int_equal(h.changes.count, 3);
	world_close(&w);
}

static void test_historic_begins_after_its_bound(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	world_after(&w, 600000);
	struct health_transitions t =
	    http_says_at(&w, "portal", "web-1", PROBE_CRITICAL, w.now_ms - HEALTH_HISTORIC_MS);
	assert_false(t.items[0].historic);
	world_after(&w, 1000);
	t = http_says_at(&w, "portal", "web-1", PROBE_OK, w.now_ms - HEALTH_HISTORIC_MS - 1);
	assert_true(t.count == 0 || t.items[0].historic);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_DOWN);
	world_close(&w);
}

static struct health_transitions cpu_says(struct world *w, double percent)
{
	struct health_transitions out = {0};
	struct metric m = {.name = "cpu", .unit = "%", .value = percent};
	struct probe_result r = probed(w, "cpu", PROBE_OK);
	r.metrics = (struct list){&m, 1};
	struct health_report report = {.service = "portal", .results = {&r, 1}};
	struct host h = host_now(w, "web-1");
	ok(health_on_report(w->turn, &health_rules, &h, w->now_ms, &report, &out, ERR_HERE));
	return out;
}

static void test_a_spike_is_not_a_state(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	cpu_says(&w, 10);
	for (int i = 0; i < 5; i++) {
		world_after(&w, 30000);
		assert_int_equal(cpu_says(&w, i % 2 ? 10 : 99).count, 0);
	}
	world_after(&w, 30000);
	struct health_transitions t = cpu_says(&w, 99);
	one(&t, HEALTH_HEALTHY, HEALTH_DEGRADED);
	world_after(&w, 30000);
	t = cpu_says(&w, 10);
	one(&t, HEALTH_DEGRADED, HEALTH_HEALTHY);
	world_close(&w);
}

static void test_rings_are_bounded(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	for (int i = 0; i < 400; i++) {
		world_after(&w, 15000);
		cpu_says(&w, i);
		world_after(&w, 15000);
		http_says(&w, "portal", "web-1", i % 2 ? PROBE_OK : PROBE_CRITICAL);
	}
	struct health_metric m = {.service = "portal", .host = "web-1", .metric = "cpu.cpu"};
	struct health_history h = {.service = "portal", .host = "web-1"};
	bool found;
	ok(turn_get(w.turn, &health_metric_table, &m, &m, &found, ERR_HERE));
	assert_int_equal(m.samples.count, HEALTH_SAMPLES_MAX);
	assert_true(LIST_AT(m.samples, struct health_sample, HEALTH_SAMPLES_MAX - 1).value == 399.0);
	ok(turn_get(w.turn, &health_history_table, &h, &h, &found, ERR_HERE));
	assert_int_equal(h.changes.count, HEALTH_HISTORY_MAX);
	/* metrics without end do not fill the store */
	for (int i = 0; i < 200; i++) {
		char name[16];
		struct metric one_more = {.name = name, .value = 1};
		struct host_report r = {.metrics = {&one_more, 1}};
		struct host host = host_now(&w, "web-1");
		struct health_transitions out = {0};
		(void)snprintf(name, sizeof(name), "m%d", i);
		ok(health_on_host_report(w.turn, &health_rules, &host, w.now_ms, &r, &out, ERR_HERE));
	}
	assert_true(world_record_count(&w, &health_metric_table) <= HEALTH_METRICS_MAX + 1);
	world_close(&w);
}

static void test_report_of_a_service_that_is_not_declared_is_ignored(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	assert_int_equal(http_says(&w, "other", "web-1", PROBE_CRITICAL).count, 0);
	world_close(&w);
}

static void test_service_that_leaves_a_host_leaves_health(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	struct declared_service two[] = {declared("portal", NULL), declared("db", NULL)};
	health_up(&w, "web-1", 1, two, 2);
	http_says(&w, "db", "web-1", PROBE_CRITICAL);
	world_after(&w, 1000);
	struct health_transitions t = health_up(&w, "web-1", 2, two, 1);
	assert_int_equal(t.count, 1);
	assert_true(t.items[0].gone);
	assert_string_equal(t.items[0].service, "db");
	struct service_health s;
	bool found;
	ok(health_get(w.turn, "db", "web-1", &s, &found, ERR_HERE));
	assert_false(found);
	world_close(&w);
}

/* ---- maintenance ---- */

static const struct actor ada = {AUDIT_OPERATOR, "ada", NULL};

static void test_p40_window_covers_a_live_fault_and_always_ends(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_CRITICAL);
	struct health_transitions out = {0};
	struct turn *t = world_after(&w, 1000);
	uint64_t until = w.now_ms + 600000, end;
	ok(health_maintenance_start(t, &health_rules, &ada, "portal", NULL, until, "upgrade", &out, ERR_HERE));
	one(&out, HEALTH_DOWN, HEALTH_MAINTENANCE);
	ok(health_maintenance_until(t, "portal", "web-1", &end, ERR_HERE));
	assert_int_equal(end, until);
	for (uint64_t at = w.now_ms + 30000; at < until; at += 30000) {
		health_until(&w, at);
		assert_int_equal(http_says(&w, "portal", "web-1", PROBE_CRITICAL).count, 0);
	}
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_MAINTENANCE);
	assert_int_equal(health_now(&w, "portal", "web-1").measured, HEALTH_DOWN);
	struct health_transitions moved = health_until(&w, until); /* nobody ends it */
	one(&moved, HEALTH_MAINTENANCE, HEALTH_DOWN);
	assert_int_equal(moved.items[0].since_ms, until);
	world_close(&w);
}

static void test_p40_window_that_nobody_reports_in_ends_unknown(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	struct health_transitions out = {0};
	struct turn *t = world_after(&w, 1000);
	ok(health_maintenance_start(
	    t, &health_rules, &ada, "portal", "web-1", w.now_ms + 3600000, NULL, &out, ERR_HERE));
	health_until(&w, w.now_ms + 3500000);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_MAINTENANCE);
	health_until(&w, w.now_ms + 200000);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_UNKNOWN);
	world_close(&w);
}

static void test_p40_windows_need_an_end_and_can_be_ended(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	struct health_transitions out = {0};
	struct turn *t = world_after(&w, 1000);
	refused(ERR_INVALID,
	    health_maintenance_start(t, &health_rules, &ada, "portal", NULL, w.now_ms, "x", &out, ERR_HERE));
	refused(ERR_INVALID, health_maintenance_start(t, &health_rules, &ada, "portal", NULL,
				 w.now_ms + HEALTH_MAINTENANCE_MAX_MS + 1, "x", &out, ERR_HERE));
	refused(ERR_NOT_FOUND, health_maintenance_end(t, &health_rules, &ada, "portal", NULL, &out, ERR_HERE));
	ok(health_maintenance_start(t, &health_rules, &ada, "portal", NULL, w.now_ms + 60000, "x", &out, ERR_HERE));
	ok(health_maintenance_start(t, &health_rules, &ada, "portal", "web-1", w.now_ms + 90000, "y", &out, ERR_HERE));
	t = world_after(&w, 1000);
	out = (struct health_transitions){0};
	ok(health_maintenance_end(t, &health_rules, &ada, "portal", NULL, &out, ERR_HERE));
	assert_int_equal(out.count, 0); /* the other window still covers it */
	ok(health_maintenance_end(t, &health_rules, &ada, "portal", "web-1", &out, ERR_HERE));
	one(&out, HEALTH_MAINTENANCE, HEALTH_HEALTHY);
	world_close(&w);
}

static void test_p40_longer_window_moves_the_end(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct health_transitions out = {0};
	uint64_t begin = w.now_ms;
	ok(health_maintenance_start(w.turn, &health_rules, &ada, "portal", NULL, begin + 60000, "x", &out, ERR_HERE));
	world_after(&w, 1000);
	ok(health_maintenance_start(w.turn, &health_rules, &ada, "portal", NULL, begin + 120000, "x", &out, ERR_HERE));
	health_until(&w, begin + 119999);
	assert_int_equal(health_now(&w, "portal", "web-1").state, HEALTH_MAINTENANCE);
	health_until(&w, begin + 120000);
	assert_int_not_equal(health_now(&w, "portal", "web-1").state, HEALTH_MAINTENANCE);
	world_close(&w);
}

static void test_host_that_joins_during_a_window_is_in_it(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct health_transitions out = {0};
	ok(health_maintenance_start(
	    w.turn, &health_rules, &ada, "portal", NULL, w.now_ms + 60000, "x", &out, ERR_HERE));
	world_after(&w, 1000);
	health_up(&w, "web-2", 2, portal, 1);
	assert_int_equal(http_says(&w, "portal", "web-2", PROBE_CRITICAL).count, 0);
	assert_int_equal(health_now(&w, "portal", "web-2").state, HEALTH_MAINTENANCE);
	world_close(&w);
}

static void test_p59_replay_is_put_where_it_belongs_in_history(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	uint64_t begin = w.now_ms;
	http_says(&w, "portal", "web-1", PROBE_OK);
	world_after(&w, 3600000);
	http_says(&w, "portal", "web-1", PROBE_WARNING);
	uint64_t end = w.now_ms;
	world_after(&w, 1000);
	http_says_at(&w, "portal", "web-1", PROBE_CRITICAL, begin + 600000);
	http_says_at(&w, "portal", "web-1", PROBE_OK, begin + 900000);
	struct health_history h = {.service = "portal", .host = "web-1"};
	bool found;
	ok(turn_get(w.turn, &health_history_table, &h, &h, &found, ERR_HERE));
	static const enum health want[] = {HEALTH_HEALTHY, HEALTH_DOWN, HEALTH_HEALTHY, HEALTH_DEGRADED};
	const uint64_t at[] = {begin, begin + 600000, begin + 900000, end};
	assert_int_equal(h.changes.count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(LIST_AT(h.changes, struct health_change, i).state, want[i]);
		assert_int_equal(LIST_AT(h.changes, struct health_change, i).at_ms, at[i]);
		assert_int_equal(LIST_AT(h.changes, struct health_change, i).historic, i == 1 || i == 2);
	}
	world_close(&w);
}

static void test_host_that_never_reports_is_told_of_after_a_while(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	health_up(&w, "web-1", 1, portal, 1);
	uint64_t begin = w.now_ms;
	assert_int_equal(health_until(&w, begin + 299999).count, 0);
	struct health_transitions t = health_until(&w, begin + 300000);
	assert_int_equal(t.count, 1);
	assert_true(t.items[0].prolonged);
	world_close(&w);
	/* a restart begins the wait anew, but says nothing twice */
	world_open(&w);
	health_up(&w, "web-1", 1, portal, 1);
	begin = w.now_ms;
	world_after(&w, 200000);
	ok(health_on_boot(w.turn, &health_rules, ERR_HERE));
	assert_int_equal(health_until(&w, begin + 499999).count, 0);
	assert_int_equal(health_until(&w, begin + 500000).count, 1);
	ok(health_on_boot(w.turn, &health_rules, ERR_HERE));
	assert_int_equal(health_until(&w, begin + 86400000).count, 0);
	world_close(&w);
}

static void test_placement_that_left_leaves_no_timer(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	health_up(&w, "web-1", 1, portal, 1);
	world_after(&w, 1000);
	health_up(&w, "web-1", 2, portal, 0);
	struct timer timer;
	while (world_timer(&w, UINT64_MAX, &timer))
		assert_string_equal(timer.kind, FLEET_TIMER_SILENT);
	world_close(&w);
}

static void test_longest_window_is_allowed(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct health_transitions out = {0};
	ok(health_maintenance_start(
	    w.turn, &health_rules, &ada, "portal", NULL, w.now_ms + HEALTH_MAINTENANCE_MAX_MS, "x", &out, ERR_HERE));
	world_close(&w);
}

static void test_samples_keep_what_was(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	for (int i = 0; i < 5; i++) {
		world_after(&w, 30000);
		cpu_says(&w, i);
		world_after(&w, 1000);
		cpu_says(&w, 50); /* too soon after it: not kept */
	}
	struct health_metric m = {.service = "portal", .host = "web-1", .metric = "cpu.cpu"};
	bool found;
	ok(turn_get(w.turn, &health_metric_table, &m, &m, &found, ERR_HERE));
	assert_int_equal(m.samples.count, 5);
	for (int i = 0; i < 5; i++)
		assert_true(LIST_AT(m.samples, struct health_sample, i).value == i);
	assert_string_equal(m.unit, "%");
	world_close(&w);
}

/* One value an hour for a week, whatever the pace of reports. */
static void test_trends_keep_a_week(void **state)
{
	(void)state;
	struct world w;
	struct list trends, metrics;
	start(&w);
	for (int i = 0; i < 200 * 4; i++) {
		world_after(&w, 15 * 60 * 1000);
		cpu_says(&w, i);
	}
	ok(health_metrics(w.turn, &health_trend_table, "portal", "web-1", &trends, ERR_HERE));
	ok(health_metrics(w.turn, &health_metric_table, "portal", "web-1", &metrics, ERR_HERE));
	assert_int_equal(trends.count, 1);
	assert_int_equal(metrics.count, 1);
	const struct health_metric *m = &LIST_AT(trends, struct health_metric, 0);
	assert_string_equal(m->metric, "cpu.cpu");
	assert_string_equal(m->unit, "%");
	assert_int_equal(m->samples.count, HEALTH_TREND_MAX);
	for (size_t i = 1; i < m->samples.count; i++)
		assert_int_equal(LIST_AT(m->samples, struct health_sample, i).at_ms -
				     LIST_AT(m->samples, struct health_sample, i - 1).at_ms,
		    HEALTH_TREND_EVERY_MS);
	assert_true(LIST_AT(m->samples, struct health_sample, HEALTH_TREND_MAX - 1).value >= 796);
	assert_int_not_equal(m->earliest_ms, 0); /* beyond its limit */
	ok(health_metrics(w.turn, &health_trend_table, "-", "web-1", &trends, ERR_HERE));
	assert_int_equal(trends.count, 0);
	world_close(&w);
}

static void test_trends_forecast(void **state)
{
	(void)state;
	struct world w;
	struct list trends, seen;
	start(&w);
	for (int i = 0; i < 60; i++) {
		world_after(&w, HEALTH_TREND_EVERY_MS);
		cpu_says(&w, 10 + i * 0.5);
	}
	ok(health_metrics(w.turn, &health_trend_table, "portal", "web-1", &trends, ERR_HERE));
	const struct health_metric *m = &LIST_AT(trends, struct health_metric, 0);
	uint64_t truth_ms = w.now_ms + 121ull * HEALTH_TREND_EVERY_MS; /* 39.5 now, half a percent an hour */
	assert_true(m->earliest_ms <= truth_ms && truth_ms <= m->latest_ms);
	assert_in_range(m->likely_ms, truth_ms - HEALTH_TREND_EVERY_MS, truth_ms + HEALTH_TREND_EVERY_MS);
	ok(health_metrics(w.turn, &health_forecast_table, "portal", "web-1", &seen, ERR_HERE));
	assert_int_equal(seen.count, trends.count);
	const struct health_metric *s = &LIST_AT(seen, struct health_metric, 0); /* the same, but for the samples */
	assert_string_equal(s->metric, m->metric);
	assert_true(s->earliest_ms == m->earliest_ms && s->latest_ms == m->latest_ms && s->samples.count == 0);
	for (int i = 0; i < 60; i++) {
		world_after(&w, HEALTH_TREND_EVERY_MS);
		cpu_says(&w, 40 + i % 2);
	}
	ok(health_metrics(w.turn, &health_trend_table, "portal", "web-1", &trends, ERR_HERE));
	assert_int_equal(LIST_AT(trends, struct health_metric, 0).earliest_ms, 0); /* it has come to rest */
	world_close(&w);
}

static struct health_config rules;

static size_t metric_says(struct world *w, const char *name, const char *unit, double value)
{
	struct health_transitions out = {0};
	struct metric m = {.name = name, .unit = unit, .value = value, .warn = 95, .critical = 99};
	struct probe_result r = probed(w, "disk", PROBE_OK);
	r.metrics = (struct list){&m, 1};
	struct health_report report = {.service = "portal", .results = {&r, 1}};
	struct host h = host_now(w, "web-1");
	ok(health_on_report(w->turn, &rules, &h, w->now_ms, &report, &out, ERR_HERE));
	return out.near.count;
}

static size_t space_says(struct world *w, double percent)
{
	return metric_says(w, "space", "%", percent);
}

static uint64_t told_ms(struct world *w)
{
	struct list trends;
	ok(health_metrics(w->turn, &health_trend_table, "portal", "web-1", &trends, ERR_HERE));
	return LIST_AT(trends, struct health_metric, 0).told_ms;
}

/* From a value, so much an hour, for so many hours; returns how often people were to be told, *ret_at the last value.
 */
static int fills_up(struct world *w, double *at, double by, int hours)
{
	int told = 0;
	for (int i = 0; i < hours; i++) {
		world_after(w, HEALTH_TREND_EVERY_MS);
		told += (int)space_says(w, *at += by + (i % 2 ? 0.02 : -0.02));
	}
	return told;
}

/* Once as the near end comes within a day; while it stays near no more; after it was cleared away, anew. */
static void test_what_is_nearly_full_is_told_once(void **state)
{
	(void)state;
	struct world w;
	double at = 20;
	start(&w);
	rules = health_rules;
	assert_int_equal(fills_up(&w, &at, 0.5, 80), 0); /* 60 %: full in 80 hours */
	assert_int_equal(told_ms(&w), 0);
	assert_int_equal(fills_up(&w, &at, 0.5, 70), 1); /* 95 %: in 10 */
	assert_true(told_ms(&w) != 0);
	struct list trends;
	ok(health_metrics(w.turn, &health_trend_table, "portal", "web-1", &trends, ERR_HERE));
	assert_true(LIST_AT(trends, struct health_metric, 0).earliest_ms <= w.now_ms + health_rules.forecast_ms);
	at = 20; /* cleared away */
	assert_int_equal(fills_up(&w, &at, 0, 60), 0);
	assert_int_equal(told_ms(&w), 0);
	assert_int_equal(fills_up(&w, &at, 1, 75), 1); /* and again */
	world_close(&w);
}

/* A horizon of a week tells at once what one of a day tells in three days' time. */
static void test_the_horizon_is_the_sites_to_say(void **state)
{
	(void)state;
	struct world w;
	double at = 20;
	start(&w);
	rules = health_rules;
	rules.forecast_ms = 7 * health_rules.forecast_ms;
	assert_int_equal(fills_up(&w, &at, 0.5, 80), 1); /* 60 %: full in 80 hours */
	world_close(&w);
}

/* A certificate that ends in twenty days is told now, a disk that is full then is not. */
static void test_what_is_counted_in_days_is_told_weeks_before(void **state)
{
	(void)state;
	struct world w;
	int told = 0;
	double left = 30;
	rules = health_rules;
	start(&w);
	for (; left > 22; left -= 1.0 / 24) {
		world_after(&w, HEALTH_TREND_EVERY_MS);
		told += (int)metric_says(&w, "days_left", "d", left);
	}
	assert_int_equal(told, 0);
	for (; left > 15; left -= 1.0 / 24) {
		world_after(&w, HEALTH_TREND_EVERY_MS);
		told += (int)metric_says(&w, "days_left", "d", left);
	}
	assert_int_equal(told, 1);
	world_close(&w);
	start(&w);
	double at = 20;
	assert_int_equal(fills_up(&w, &at, 0.15, 100), 0); /* 35 %: full in 18 days */
	world_close(&w);
}

static void test_load_and_maintenance_page_nobody(void **state)
{
	(void)state;
	struct world w;
	struct health_transitions out = {0};
	double at = 20;
	rules = health_rules;
	start(&w);
	for (int i = 0; i < 78; i++) { /* a processor's load points at 100 % */
		world_after(&w, HEALTH_TREND_EVERY_MS);
		assert_int_equal(cpu_says(&w, 20 + i).near.count, 0);
	}
	world_close(&w);
	start(&w);
	assert_int_equal(fills_up(&w, &at, 0.7, 70), 0); /* 69 % */
	ok(health_maintenance_start(w.turn, &health_rules, &actor_controller, "portal", NULL,
	    w.now_ms + 30 * HEALTH_TREND_EVERY_MS, "cleaning", &out, ERR_HERE));
	assert_int_equal(fills_up(&w, &at, 0.7, 29), 0); /* 89 % */
	assert_int_equal(told_ms(&w), 0);
	assert_int_equal(fills_up(&w, &at, 0.7, 5), 1); /* it waited */
	world_close(&w);
}

static void test_limits_are_known_by_units(void **state)
{
	(void)state;
	static const struct {
		const char *metric, *unit;
		double limit; /* below 0: none */
	} cases[] = {{"disk.space", "%", 100}, {"certificate.days_left", "d", 0}, {"disk.free", "B", 0},
	    {"http.size", "B", -1}, {"http.time", "ms", -1}, {"x", NULL, -1}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct health_metric m = {.metric = cases[i].metric, .unit = cases[i].unit};
		double limit = -1;
		bool rising = false;
		assert_int_equal(health_metric_limit(&m, &limit, &rising), cases[i].limit >= 0);
		assert_int_equal(rising, cases[i].limit > 0);
		assert_true(limit == cases[i].limit);
	}
}

static void test_unknown_that_ended_is_waited_for_anew(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	for (int round = 0; round < 2; round++) {
		http_says(&w, "portal", "web-1", PROBE_OK);
		struct health_transitions t = health_until(&w, w.now_ms + 400000);
		assert_int_equal(t.count, 2); /* unknown, and told for its length */
		assert_true(t.items[1].prolonged);
		assert_true(health_now(&w, "portal", "web-1").prolonged);
	}
	http_says(&w, "portal", "web-1", PROBE_OK);
	assert_false(health_now(&w, "portal", "web-1").prolonged);
	world_close(&w);
}

static void test_probe_that_settled_before_the_last_change_or_in_the_future_is_not_believed(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	http_says(&w, "portal", "web-1", PROBE_OK);
	world_after(&w, 10000);
	static const int64_t off[] = {-1000000, 1000000};
	for (size_t i = 0; i < 2; i++) {
		struct health_transitions out = {0};
		struct probe_result r = probed(&w, "http", i ? PROBE_WARNING : PROBE_CRITICAL);
		r.since_ms = (uint64_t)((int64_t)w.now_ms + off[i]);
		struct health_report report = {.service = "portal", .results = {&r, 1}};
		struct host h = host_now(&w, "web-1");
		ok(health_on_report(w.turn, &health_rules, &h, w.now_ms + 500, &report, &out, ERR_HERE));
		assert_int_equal(out.count, 1);
		assert_int_equal(out.items[0].since_ms, w.now_ms);
		world_after(&w, 1000);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_transitions_are_told_once),
	    cmocka_unit_test(test_p48_since_is_on_the_controllers_clock),
	    cmocka_unit_test(test_p41_evidence_that_stops_is_unknown_within_two_heartbeats),
	    cmocka_unit_test(test_steady_reports_keep_it_fresh),
	    cmocka_unit_test(test_host_silent_makes_its_placements_unknown),
	    cmocka_unit_test(test_unknown_for_long_is_told_once_more),
	    cmocka_unit_test(test_service_without_probes_is_unknown_and_disturbs_nobody),
	    cmocka_unit_test(test_p34_restart_waits_for_reports),
	    cmocka_unit_test(test_p42_lagging_agent_is_unknown_and_recovers),
	    cmocka_unit_test(test_p35_replayed_reports_fill_history_only),
	    cmocka_unit_test(test_historic_begins_after_its_bound),
	    cmocka_unit_test(test_a_spike_is_not_a_state),
	    cmocka_unit_test(test_rings_are_bounded),
	    cmocka_unit_test(test_report_of_a_service_that_is_not_declared_is_ignored),
	    cmocka_unit_test(test_service_that_leaves_a_host_leaves_health),
	    cmocka_unit_test(test_p40_window_covers_a_live_fault_and_always_ends),
	    cmocka_unit_test(test_p40_window_that_nobody_reports_in_ends_unknown),
	    cmocka_unit_test(test_p40_windows_need_an_end_and_can_be_ended),
	    cmocka_unit_test(test_p40_longer_window_moves_the_end),
	    cmocka_unit_test(test_host_that_joins_during_a_window_is_in_it),
	    cmocka_unit_test(test_p59_replay_is_put_where_it_belongs_in_history),
	    cmocka_unit_test(test_host_that_never_reports_is_told_of_after_a_while),
	    cmocka_unit_test(test_placement_that_left_leaves_no_timer),
	    cmocka_unit_test(test_longest_window_is_allowed),
	    cmocka_unit_test(test_samples_keep_what_was),
	    cmocka_unit_test(test_trends_keep_a_week),
	    cmocka_unit_test(test_trends_forecast),
	    cmocka_unit_test(test_what_is_nearly_full_is_told_once),
	    cmocka_unit_test(test_the_horizon_is_the_sites_to_say),
	    cmocka_unit_test(test_what_is_counted_in_days_is_told_weeks_before),
	    cmocka_unit_test(test_load_and_maintenance_page_nobody),
	    cmocka_unit_test(test_limits_are_known_by_units),
	    cmocka_unit_test(test_unknown_that_ended_is_waited_for_anew),
	    cmocka_unit_test(test_probe_that_settled_before_the_last_change_or_in_the_future_is_not_believed),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
