/* What holds automation back (R20, P4, P44). */
#include "tests/lib/recovery_world.h"

static const struct policy night = {.name = "night", .max_hosts = 5, .max_per_hour = 2, .cool_down_ms = 10 * MINUTE};

static const char *why_not(struct world *w, struct id incident, const char *service, size_t hosts)
{
	bool allowed;
	const char *why;
	ok(recovery_automatic_allowed(w->turn, incident, service, &night, hosts, &allowed, &why, ERR_HERE));
	assert_int_equal(allowed, why == NULL);
	return why;
}
#define braked(W, INCIDENT, SERVICE, HOSTS, WORD)                                                                      \
	assert_int_equal(strncmp(why_not(W, INCIDENT, SERVICE, HOSTS), WORD, strlen(WORD)), 0)

static struct rollback automatic(struct world *w, struct id incident)
{
	struct change c = {.kind = CHANGE_EMERGENCY,
	    .requested_by = "policy night",
	    .plan = plan_for(w, 1),
	    .policy = "night",
	    .incident = incident};
	struct rollback r;
	ok(change_request(w->turn, &ada, &c, ERR_HERE));
	ok(recovery_start(w->turn, &recovery_rules, c.change, true, &r, ERR_HERE));
	return r;
}

static void open_with(struct world *w, size_t hosts)
{
	world_broken(w, hosts);
	policy_installed(w, night_policy, BO);
}

static void test_r20_only_few_hosts_without_a_person(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct id incident = turn_id(w.turn);
	assert_null(why_not(&w, incident, "portal", ROLLBACK_AUTOMATIC_HOSTS));
	braked(&w, incident, "portal", ROLLBACK_AUTOMATIC_HOSTS + 1, "size:");
	world_close(&w);
}

static void test_p4_one_automatic_chain_an_incident(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct id incident = turn_id(w.turn), other = turn_id(w.turn);
	struct rollback r = automatic(&w, incident);
	braked(&w, incident, "portal", 1, "busy:");
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_REVERTED, false);
	braked(&w, incident, "portal", 1, "chain:");
	braked(&w, incident, "records-db", 1, "chain:"); /* of whatever service */
	braked(&w, other, "portal", 1, "cool-down:");
	world_after(&w, night.cool_down_ms - 1);
	braked(&w, other, "portal", 1, "cool-down:");
	world_after(&w, 1);
	assert_null(why_not(&w, other, "portal", 1));
	world_after(&w, DAY);
	braked(&w, incident, "portal", 1, "chain:"); /* for ever */
	world_close(&w);
}

static void test_r20_budget_of_the_hour(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	uint64_t first = w.now_ms;
	for (int i = 0; i < 2; i++) {
		struct rollback r = automatic(&w, turn_id(w.turn));
		host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_REVERTED, false);
		world_after(&w, 15 * MINUTE);
	}
	braked(&w, turn_id(w.turn), "portal", 1, "budget:");
	world_at(&w, first + HOUR);
	assert_null(why_not(&w, turn_id(w.turn), "portal", 1));
	world_close(&w);
}

static void test_a_persons_rollback_uses_no_budget(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct rollback r = begun(&w, 1);
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_REVERTED, false);
	assert_null(why_not(&w, turn_id(w.turn), "portal", 1));
	world_close(&w);
}

static void test_p44_the_breaker(void **state)
{
	(void)state;
	struct world w;
	struct health_transitions out = {0};
	open_with(&w, 6);
	for (int i = 0; i < 3; i++)
		http_says(&w, "portal", fleet_list[i], PROBE_CRITICAL);
	assert_null(why_not(&w, turn_id(w.turn), "portal", 1)); /* half of it */
	ok(health_on_silent(
	    w.turn, &health_rules, fleet_list[5], "silent", &out, ERR_HERE)); /* dead is worse than down */
	braked(&w, turn_id(w.turn), "portal", 1, "breaker:");
	world_close(&w);
}

static void test_p44_a_small_fleet_has_no_breaker(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, ROLLBACK_BREAKER_LEAST - 1);
	for (int i = 0; i < ROLLBACK_BREAKER_LEAST - 1; i++)
		http_says(&w, "portal", fleet_list[i], PROBE_CRITICAL);
	assert_null(why_not(&w, turn_id(w.turn), "portal", 1));
	world_close(&w);
}

static void test_halt_and_observe_stop_automation(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	ok(brakes_halt(w.turn, &ada, true, "look", ERR_HERE));
	braked(&w, turn_id(w.turn), "portal", 1, "halt:");
	ok(brakes_observe(w.turn, &actor_controller, true, "restored", ERR_HERE));
	braked(&w, turn_id(w.turn), "portal", 1, "observing:");
	ok(brakes_observe(w.turn, &ada, false, "go", ERR_HERE));
	ok(brakes_halt(w.turn, &ada, false, "go", ERR_HERE));
	assert_null(why_not(&w, turn_id(w.turn), "portal", 1));
	world_close(&w);
}

static void test_the_epoch_rises_with_each_confirmation_only(void **state)
{
	(void)state;
	struct world w;
	struct brakes b;
	world_open(&w);
	ok(brakes_get(w.turn, &b, ERR_HERE));
	assert_int_equal(b.epoch, 1);
	ok(brakes_observe(w.turn, &ada, false, "nothing to confirm", ERR_HERE));
	ok(brakes_get(w.turn, &b, ERR_HERE));
	assert_int_equal(b.epoch, 1);
	for (uint64_t want = 2; want < 4; want++) {
		ok(brakes_observe(w.turn, &actor_controller, true, "restored", ERR_HERE));
		ok(brakes_observe(w.turn, &ada, false, "go", ERR_HERE));
		ok(brakes_get(w.turn, &b, ERR_HERE));
		assert_int_equal(b.epoch, want);
	}
	world_close(&w);
}

/* An empty or an older store: hosts know a higher epoch than it does. */
static void test_a_confirmation_rises_above_what_hosts_have_obeyed(void **state)
{
	(void)state;
	struct world w;
	struct brakes b;
	struct host h;
	bool found;
	open_with(&w, 2);
	for (int i = 0; i < 2; i++) {
		ok(fleet_host_get(w.turn, fleet_list[i], &h, &found, ERR_HERE));
		h.epoch_seen = i ? BRAKES_EPOCH_MAX + 1 : 7; /* the other lies */
		ok(turn_put(w.turn, &host_table, &h, ERR_HERE));
	}
	ok(brakes_observe(w.turn, &ada, false, "the disk was lost", ERR_HERE));
	ok(brakes_get(w.turn, &b, ERR_HERE));
	assert_int_equal(b.epoch, 8);
	ok(brakes_observe(w.turn, &ada, false, "again", ERR_HERE));
	ok(brakes_get(w.turn, &b, ERR_HERE));
	assert_int_equal(b.epoch, 8);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_r20_only_few_hosts_without_a_person),
	    cmocka_unit_test(test_p4_one_automatic_chain_an_incident),
	    cmocka_unit_test(test_r20_budget_of_the_hour),
	    cmocka_unit_test(test_a_persons_rollback_uses_no_budget),
	    cmocka_unit_test(test_p44_the_breaker),
	    cmocka_unit_test(test_p44_a_small_fleet_has_no_breaker),
	    cmocka_unit_test(test_halt_and_observe_stop_automation),
	    cmocka_unit_test(test_a_confirmation_rises_above_what_hosts_have_obeyed),
	    cmocka_unit_test(test_the_epoch_rises_with_each_confirmation_only),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
