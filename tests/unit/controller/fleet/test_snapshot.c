/* Which restore point is last known good, and why. */
#include "tests/lib/fleet_world.h"

static struct declared_service portal[1];
static int setup(void **state)
{
	(void)state;
	portal[0] = declared("portal", NULL);
	return 0;
}

static struct id snapshot_id(struct world *w, uint8_t n)
{
	struct id id = {{0}};
	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(w->now_ms >> (40 - 8 * i));
	id.b[6] = 0x70;
	id.b[8] = 0x80;
	id.b[15] = n;
	return id;
}

struct shot {
	uint8_t n;      /* names it */
	uint8_t config; /* content of the config component */
	uint8_t data;
	bool suspect, verified;
	enum snapshot_reason reason;
	struct id incident;
};

/* Taken now and told now. */
static struct id take(struct world *w, struct shot s)
{
	struct component_point points[] = {
	    {.component = COMPONENT_CONFIG, .digest = {{s.config, 1}}, .entries = 1},
	    {.component = COMPONENT_DATA, .digest = {{s.data, 2}}, .entries = 1},
	};
	struct snapshot_report r = {
	    .snapshot = snapshot_id(w, s.n),
	    .service = "portal",
	    .reason = s.reason,
	    .taken_ms = w->now_ms,
	    .components = {points, 2},
	    .suspect = s.suspect,
	    .verified = s.verified,
	};
	struct host h = host_now(w, "web-1");
	ok(fleet_on_snapshot(w->turn, &h, &r, s.incident, ERR_HERE));
	return r.snapshot;
}

static void health(struct world *w, enum health state)
{
	ok(fleet_on_health(w->turn, "portal", "web-1", state, w->now_ms, ERR_HERE));
}

static void start(struct world *w)
{
	world_open(w);
	host_up(w, "web-1", 1, portal, 1);
	world_after(w, 1000);
	health(w, HEALTH_HEALTHY);
	world_after(w, 60000);
}

static bool good(struct world *w, uint64_t before_ms, struct system_snapshot *ret)
{
	bool found;
	ok(fleet_last_known_good(w->turn, &fleet_rules, "portal", "web-1", NULL, before_ms, ret, &found, ERR_HERE));
	return found;
}

static void is_good(struct world *w, uint64_t before_ms, struct id want)
{
	struct system_snapshot s;
	assert_true(good(w, before_ms, &s));
	assert_memory_equal(&s.snapshot, &want, sizeof(want));
}

static void test_newest_that_was_healthy_when_taken(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct system_snapshot s;
	assert_false(good(&w, 0, &s));
	take(&w, (struct shot){.n = 1});
	world_after(&w, 3600000);
	struct id second = take(&w, (struct shot){.n = 2});
	world_after(&w, 1000);
	is_good(&w, 0, second);
	world_close(&w);
}

static void test_p7_suspect_condemned_removed_and_unhealthy_are_never_chosen(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id best = take(&w, (struct shot){.n = 1});
	world_after(&w, 3600000);
	take(&w, (struct shot){.n = 2, .suspect = true});
	world_after(&w, 1000);
	take(&w, (struct shot){.n = 3, .reason = SNAPSHOT_SAFETY});
	world_after(&w, 1000);
	take(&w, (struct shot){.n = 4, .reason = SNAPSHOT_EMERGENCY});
	world_after(&w, 1000);
	take(&w, (struct shot){.n = 5, .incident = snapshot_id(&w, 99)});
	world_after(&w, 1000);
	struct id condemned = take(&w, (struct shot){.n = 6});
	world_after(&w, 1000);
	is_good(&w, 0, condemned);
	ok(fleet_snapshot_condemn(w.turn, &actor_controller, condemned, "its rollback failed the probes", ERR_HERE));
	world_after(&w, 1000);
	struct id removed = take(&w, (struct shot){.n = 7});
	struct host h = host_now(&w, "web-1");
	struct snapshot_report gone = {.snapshot = removed, .service = "portal", .removed = true};
	ok(fleet_on_snapshot(w.turn, &h, &gone, (struct id){{0}}, ERR_HERE));
	world_after(&w, 1000);
	health(&w, HEALTH_DOWN);
	world_after(&w, 1000);
	take(&w, (struct shot){.n = 8});
	world_after(&w, 1000);
	is_good(&w, 0, best);
	struct list left;
	ok(fleet_snapshots(w.turn, "portal", "web-1", &left, ERR_HERE));
	assert_int_equal(left.count, 7); /* newest first, without the removed one */
	assert_int_equal(LIST_AT(left, struct system_snapshot, 0).snapshot.b[15], 8);
	world_close(&w);
}

/* Any mixture of good and poisoned ones: what is chosen is the newest that is not poisoned. */
static void test_p7_property_newest_unpoisoned(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;
		struct random r;
		struct id want = {{0}};
		random_init_seed(&r, seed);
		start(&w);
		for (uint8_t n = 1; n <= 12; n++) {
			struct shot s = {.n = n, .config = (uint8_t)random_below(&r, 3), .verified = true};
			uint64_t poison = random_below(&r, 6);
			s.suspect = poison == 1;
			s.reason = poison == 2   ? SNAPSHOT_SAFETY
				   : poison == 3 ? SNAPSHOT_EMERGENCY
						 : SNAPSHOT_SCHEDULED;
			struct id id = take(&w, s);
			if (poison == 4)
				ok(fleet_snapshot_condemn(w.turn, &actor_controller, id, "bad", ERR_HERE));
			if (poison == 0 || poison == 5)
				want = id;
			world_after(&w, 600000);
		}
		struct system_snapshot s;
		bool found = good(&w, 0, &s);
		if (found != !id_is_zero(want) || (found && !id_equal(s.snapshot, want)))
			fail_msg("seed %llu: snapshot %u instead of %u", (unsigned long long)seed, s.snapshot.b[15],
			    want.b[15]);
		world_close(&w);
	}
}

static void test_ran_healthy_long_enough_counts_too(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	world_after(&w, 1000);
	struct id first = take(&w, (struct shot){.n = 1}); /* before anything is known */
	world_after(&w, 1000);
	health(&w, HEALTH_HEALTHY);
	struct system_snapshot s;
	world_after(&w, 299000);
	assert_false(good(&w, 0, &s));
	world_after(&w, 1000);
	is_good(&w, 0, first);
	health(&w, HEALTH_DOWN); /* what it has proven stays proven */
	world_after(&w, 1000);
	is_good(&w, 0, first);
	world_close(&w);
}

static void test_evidence_ends_when_what_runs_differs(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	take(&w, (struct shot){.n = 1});
	world_after(&w, 1000);
	health(&w, HEALTH_HEALTHY);
	world_after(&w, 10000);
	struct host h = host_now(&w, "web-1");
	struct drift_report d = {
	    .service = "portal", .component = COMPONENT_CONFIG, .changed = 1, .newest_change_ms = w.now_ms};
	ok(fleet_on_drift(w.turn, &h, &d, ERR_HERE));
	world_after(&w, 3600000); /* an hour of health, but of another configuration */
	struct system_snapshot s;
	assert_false(good(&w, 0, &s));
	struct list drifts;
	ok(fleet_drifts(w.turn, "portal", "web-1", &drifts, ERR_HERE));
	assert_int_equal(drifts.count, 1);
	d.changed = 0;
	h = host_now(&w, "web-1");
	ok(fleet_on_drift(w.turn, &h, &d, ERR_HERE));
	ok(fleet_drifts(w.turn, "portal", "web-1", &drifts, ERR_HERE));
	assert_int_equal(drifts.count, 0);
	world_close(&w);
}

static void test_data_that_is_used_ends_no_evidence(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	struct id first = take(&w, (struct shot){.n = 1});
	health(&w, HEALTH_HEALTHY);
	struct host h = host_now(&w, "web-1");
	struct drift_report d = {
	    .service = "portal", .component = COMPONENT_DATA, .added = 3, .newest_change_ms = w.now_ms};
	ok(fleet_on_drift(w.turn, &h, &d, ERR_HERE));
	world_after(&w, 300000);
	is_good(&w, 0, first);
	world_close(&w);
}

/* Taken after the bad change and before the probes saw it. */
static void test_p7_new_make_that_fails_at_once_was_never_good(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id first = take(&w, (struct shot){.n = 1, .config = 1});
	world_after(&w, 3600000);
	take(&w, (struct shot){.n = 2, .config = 66});
	world_after(&w, 20000);
	health(&w, HEALTH_DOWN);
	world_after(&w, 1000);
	is_good(&w, 0, first);
	world_close(&w);
}

static void test_same_make_that_fails_at_once_stays_good(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	take(&w, (struct shot){.n = 1, .config = 1, .data = 1});
	world_after(&w, 3600000);
	struct id second = take(&w, (struct shot){.n = 2, .config = 1, .data = 2});
	world_after(&w, 1000); /* the change came after it */
	health(&w, HEALTH_DOWN);
	world_after(&w, 1000);
	is_good(&w, 0, second);
	world_close(&w);
}

static void test_before_bounds_the_choice(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id first = take(&w, (struct shot){.n = 1});
	world_after(&w, 3600000);
	uint64_t change = w.now_ms;
	world_after(&w, 1000);
	struct id second = take(&w, (struct shot){.n = 2});
	world_after(&w, 1000);
	is_good(&w, change, first);
	is_good(&w, 0, second);
	struct system_snapshot s;
	assert_false(good(&w, 1, &s));
	world_close(&w);
}

static void test_verified_is_preferred_among_equals(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	take(&w, (struct shot){.n = 1, .config = 1, .verified = true});
	world_after(&w, 3600000);
	struct id second = take(&w, (struct shot){.n = 2, .config = 2, .verified = true});
	world_after(&w, 3600000);
	struct id third = take(&w, (struct shot){.n = 3, .config = 2});
	world_after(&w, 1000);
	is_good(&w, 0, second);
	world_after(&w, 1000);
	struct id fourth =
	    take(&w, (struct shot){.n = 4, .config = 4}); /* other content: newest wins, verified or not */
	world_after(&w, 1000);
	is_good(&w, 0, fourth);
	(void)third;
	world_close(&w);
}

static void test_r1_only_points_that_hold_every_component_wanted(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	take(&w, (struct shot){.n = 1});
	world_after(&w, 1000);
	uint32_t wanted[] = {COMPONENT_CONFIG, COMPONENT_CODE};
	struct list one = {wanted, 1}, both = {wanted, 2};
	struct system_snapshot s;
	bool found;
	ok(fleet_last_known_good(w.turn, &fleet_rules, "portal", "web-1", &one, 0, &s, &found, ERR_HERE));
	assert_true(found);
	ok(fleet_last_known_good(w.turn, &fleet_rules, "portal", "web-1", &both, 0, &s, &found, ERR_HERE));
	assert_false(found);
	ok(fleet_last_known_good(w.turn, &fleet_rules, "portal", "web-2", &one, 0, &s, &found, ERR_HERE));
	assert_false(found);
	world_close(&w);
}

static void test_r15_a_host_cannot_speak_of_anothers_restore_point(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id id = take(&w, (struct shot){.n = 1});
	struct host other = host_up(&w, "web-2", 2, portal, 1);
	struct snapshot_report r = {.snapshot = id, .service = "portal", .removed = true};
	refused(ERR_DENIED, fleet_on_snapshot(w.turn, &other, &r, (struct id){{0}}, ERR_HERE));
	world_close(&w);
}

static void test_replayed_snapshot_does_not_take_over_the_evidence(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id newer = take(&w, (struct shot){.n = 2, .config = 2});
	struct host h = host_now(&w, "web-1");
	struct component_point point = {.component = COMPONENT_CONFIG, .digest = {{9}}};
	struct id old = snapshot_id(&w, 1);
	old.b[4] -= 1; /* an earlier time */
	struct snapshot_report late = {
	    .snapshot = old, .service = "portal", .taken_ms = w.now_ms - 60000, .components = {&point, 1}};
	ok(fleet_on_snapshot(w.turn, &h, &late, (struct id){{0}}, ERR_HERE));
	struct system_snapshot s;
	bool found;
	ok(fleet_snapshot_get(w.turn, old, &s, &found, ERR_HERE));
	assert_int_equal(s.healthy_since_ms, 0);
	assert_int_equal(s.left_ms, w.now_ms);
	ok(fleet_snapshot_get(w.turn, newer, &s, &found, ERR_HERE));
	assert_int_equal(s.left_ms, 0);
	assert_true(s.healthy_since_ms != 0);
	world_close(&w);
}

static void test_taken_before_it_was_healthy(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	uint64_t taken = w.now_ms + 100;
	world_after(&w, 5000);
	health(&w, HEALTH_HEALTHY);
	world_after(&w, 1000);
	struct component_point point = {.component = COMPONENT_CONFIG, .digest = {{9}}};
	struct snapshot_report r = {
	    .snapshot = snapshot_id(&w, 1), .service = "portal", .taken_ms = taken, .components = {&point, 1}};
	struct host h = host_now(&w, "web-1");
	ok(fleet_on_snapshot(w.turn, &h, &r, (struct id){{0}}, ERR_HERE));
	struct system_snapshot s;
	bool found;
	ok(fleet_snapshot_get(w.turn, r.snapshot, &s, &found, ERR_HERE));
	assert_false(s.healthy_when_taken);
	assert_int_equal(s.healthy_since_ms, w.now_ms - 1000);
	world_close(&w);
}

static void test_suspicion_stays(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id id = take(&w, (struct shot){.n = 1, .suspect = true});
	struct host h = host_now(&w, "web-1");
	struct snapshot_report again = {.snapshot = id, .service = "portal", .verified = true};
	ok(fleet_on_snapshot(w.turn, &h, &again, (struct id){{0}}, ERR_HERE));
	struct system_snapshot s;
	bool found;
	ok(fleet_snapshot_get(w.turn, id, &s, &found, ERR_HERE));
	assert_true(s.suspect);
	assert_true(s.verified);
	world_close(&w);
}

/* What was verified once and is damaged now must not be gone back to; one that is read back whole is as good as before.
 */
static void test_a_damaged_one_is_not_good(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct id first = take(&w, (struct shot){.n = 1, .config = 1, .verified = true});
	world_after(&w, 3600000);
	struct id second = take(&w, (struct shot){.n = 2, .config = 2, .verified = true});
	world_after(&w, 1000);
	is_good(&w, 0, second);
	struct host h = host_now(&w, "web-1");
	struct snapshot_report again = {.snapshot = second, .service = "portal", .damaged = true};
	ok(fleet_on_snapshot(w.turn, &h, &again, (struct id){{0}}, ERR_HERE));
	is_good(&w, 0, first);
	struct system_snapshot s;
	bool found;
	ok(fleet_snapshot_get(w.turn, second, &s, &found, ERR_HERE));
	assert_true(s.damaged && !s.verified);
	again.damaged = false; /* told for another reason: nothing speaks for it yet */
	ok(fleet_on_snapshot(w.turn, &h, &again, (struct id){{0}}, ERR_HERE));
	is_good(&w, 0, first);
	again.verified = true;
	ok(fleet_on_snapshot(w.turn, &h, &again, (struct id){{0}}, ERR_HERE));
	is_good(&w, 0, second);
	world_close(&w);
}

static void test_failed_snapshot_is_audited_and_not_stored(void **state)
{
	(void)state;
	struct world w;
	start(&w);
	struct host h = host_now(&w, "web-1");
	struct snapshot_report r = {.snapshot = snapshot_id(&w, 1), .service = "portal", .error = "disk full"};
	ok(fleet_on_snapshot(w.turn, &h, &r, (struct id){{0}}, ERR_HERE));
	assert_int_equal(world_record_count(&w, &system_snapshot_table), 0);
	struct audit_head head;
	ok(audit_head(w.turn, &head, ERR_HERE));
	struct audit_entry e = {.sequence = head.size};
	bool found;
	ok(turn_get(w.turn, &audit_table, &e, &e, &found, ERR_HERE));
	assert_string_equal(e.action, "snapshot.create");
	assert_int_equal(e.outcome, AUDIT_FAILED);
	world_close(&w);
}

static void test_any_difference_is_drift(void **state)
{
	(void)state;
	static const uint64_t counts[][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {0, 1, 1}, {2, 1, 1}};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct world w;
		struct list drifts;
		start(&w);
		struct host h = host_now(&w, "web-1");
		struct drift_report d = {.service = "portal",
		    .component = COMPONENT_CODE,
		    .changed = counts[i][0],
		    .added = counts[i][1],
		    .removed = counts[i][2]};
		ok(fleet_on_drift(w.turn, &h, &d, ERR_HERE));
		ok(fleet_drifts(w.turn, "portal", "web-1", &drifts, ERR_HERE));
		assert_int_equal(drifts.count, 1);
		assert_int_equal(world_effect_count(&w, EFFECT_EVENT), 1);
		ok(fleet_on_drift(w.turn, &h, &d, ERR_HERE)); /* told once */
		assert_int_equal(world_effect_count(&w, EFFECT_EVENT), 1);
		world_close(&w);
	}
}

static void test_healthy_from_the_very_moment(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	host_up(&w, "web-1", 1, portal, 1);
	health(&w, HEALTH_HEALTHY);
	struct id id = take(&w, (struct shot){.n = 1});
	world_after(&w, 1);
	is_good(&w, 0, id);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newest_that_was_healthy_when_taken),
	    cmocka_unit_test(test_p7_suspect_condemned_removed_and_unhealthy_are_never_chosen),
	    cmocka_unit_test(test_p7_property_newest_unpoisoned),
	    cmocka_unit_test(test_ran_healthy_long_enough_counts_too),
	    cmocka_unit_test(test_evidence_ends_when_what_runs_differs),
	    cmocka_unit_test(test_data_that_is_used_ends_no_evidence),
	    cmocka_unit_test(test_p7_new_make_that_fails_at_once_was_never_good),
	    cmocka_unit_test(test_same_make_that_fails_at_once_stays_good),
	    cmocka_unit_test(test_before_bounds_the_choice),
	    cmocka_unit_test(test_verified_is_preferred_among_equals),
	    cmocka_unit_test(test_a_damaged_one_is_not_good),
	    cmocka_unit_test(test_r1_only_points_that_hold_every_component_wanted),
	    cmocka_unit_test(test_r15_a_host_cannot_speak_of_anothers_restore_point),
	    cmocka_unit_test(test_replayed_snapshot_does_not_take_over_the_evidence),
	    cmocka_unit_test(test_taken_before_it_was_healthy),
	    cmocka_unit_test(test_suspicion_stays),
	    cmocka_unit_test(test_failed_snapshot_is_audited_and_not_stored),
	    cmocka_unit_test(test_any_difference_is_drift),
	    cmocka_unit_test(test_healthy_from_the_very_moment),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
