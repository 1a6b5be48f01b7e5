/* What one service is asked to do must not take away what another one, or the same one later, is asked for. */
#include "tests/unit/agent/keeper/keeper_world.h"

static struct service_config services[2];
static struct {
	unsigned refused, health; /* reports about `other` */
} told;

static enum err_code on_send(void *ctx, uint64_t token, const struct report *r)
{
	(void)ctx;
	(void)token;
	told.refused += r->drift && text_equal(r->drift->service, "other") && r->drift->refused;
	told.health += r->health && text_equal(r->health->service, "other");
	return ERR_OK;
}

static int setup(void **state)
{
	static const char *slow[] = {"sleep", "0.3"}, *check[] = {"sh", "-c", "sleep 0.1; echo no; exit 1"};
	static struct probe_config probes[] = {
	    {.name = "well", .exec = {slow, 2}, .timeout_ms = 5000, .every_ms = 600 * 1000, .rise = 1, .fall = 1}};
	(void)state;
	memset(&told, 0, sizeof told);
	keeper_world_init();
	services[0] = services[1] = w.service;
	services[1].name = "other";
	services[1].steps.check = (struct list){check, 3};
	services[1].probes = (struct list){probes, 1};
	keeper_world_begin((struct list){services, 2}, on_send);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keeper_world_done();
	return 0;
}

static bool nothing_works(void)
{
	return !jobs_count(k.jobs);
}

/* A failing probe of `other` asked what has changed, and whether it would be taken: an order for its neighbour comes
 * meanwhile. */
static void test_a_comparison_outlives_an_order_for_another(void **state)
{
	struct snapshot_summary s;
	struct snapshot_options o = {.reason = SNAPSHOT_SCHEDULED, .now_ms = w.now_ms};
	struct work_spec spec = {.kind = WORK_DRIFT, .service = "other", .asked = true};
	struct order order = {.order = {{1}},
	    .epoch = 1,
	    .run_limit_ms = 60 * 1000,
	    .issuer = "alice",
	    .issued_ms = clock_wall_ms(),
	    .kind = ORDER_SNAPSHOT,
	    .service = w.service.name,
	    .host = WORLD_HOST,
	    .expires_ms = clock_wall_ms() + PATIENCE_MS};
	(void)state;
	world_open(&w);
	WORLD_OK(&w, snapshot_create(w.repo, &services[1], &o, w.arena, &s, &w.err));
	world_close(&w);
	world_text(w.config_dir, "conf", "another");
	k.watched[1].drift_told = true;
	WORLD_OK(&w, jobs_start(k.jobs, &spec, &w.err));
	orders_on_order(k.orders, &order);
	assert_int_equal(jobs_count(k.jobs), 2);
	assert_true(comes(nothing_works, false));
	assert_int_equal(told.refused, 1);
}

/* The same difference, but this time the service's check came to its end. */
static void test_what_a_check_says_is_news(void **state)
{
	struct drift_report d = {
	    .service = "other", .component = COMPONENT_CONFIG, .changed = 1, .newest_change_ms = 5};
	struct report r = {.drift = &d};
	(void)state;
	observe_report(&k, &r);
	assert_int_equal(told.refused, 0);
	d.checked = true;
	d.refused = "no";
	observe_report(&k, &r);
	assert_int_equal(told.refused, 1);
	observe_report(&k, &r);
	assert_int_equal(told.refused, 1);
}

static bool other_is_looked_at(void)
{
	return told.health >= 2 && !k.watched[1].look.running;
}

static bool other_is_told(void)
{
	return told.health >= 1;
}

/* A rollback ends while a look is under way, and its own check takes that one's place: a wave that then asks for
 * another look must not wait for what never comes. */
static void test_a_look_outlives_one_that_was_replaced(void **state)
{
	struct look look = {.service = "other"};
	(void)state;
	WORLD_OK(&w, loop_turn(k.loop, 0, &w.err));
	looks_on_look(&k, &look);
	assert_true(k.watched[1].look.checking);
	observe_changed(&k, "other", true);
	observe_changed(&k, "other", false);
	assert_true(comes(other_is_told, true));
	looks_on_look(&k, &look);
	assert_true(comes(other_is_looked_at, true));
}

static enum probe_state settled(void)
{
	struct list results;
	WORLD_OK(&w, probe_set_results(k.probes, "other", w.arena, &results, &w.err));
	assert_int_equal(results.count, 1);
	return (enum probe_state)LIST_AT(results, struct probe_result, 0).settled;
}

static bool has_settled(void)
{
	return settled() == PROBE_OK;
}

/* An order of it that ended so, by what its worker told. */
static void order_ends(enum order_outcome outcome, enum step_kind step)
{
	struct order_step one = {.kind = step, .ok = true};
	struct order_report r = {
	    .order = {{3}}, .kind = ORDER_ROLLBACK, .service = "other", .outcome = outcome, .steps = {&one, 1}};
	struct report body = {.order = &r};
	observe_changed(&k, "other", true);
	observe_report(&k, &body);
	observe_changed(&k, "other", false);
}

/* What is known of a service is forgotten when it was changed, not when somebody was told no. */
static void test_an_order_that_changed_nothing_takes_no_knowledge_away(void **state)
{
	static const enum order_outcome none[] = {ORDER_REFUSED, ORDER_EXPIRED, ORDER_CANCELLED};
	(void)state;
	assert_true(comes(has_settled, true));
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		order_ends(none[i], STEP_STAGE);
		assert_int_equal(settled(), PROBE_OK);
	}
	order_ends(ORDER_REFUSED, STEP_STOP); /* it was stopped, and started again */
	assert_int_equal(settled(), PROBE_UNKNOWN);
	assert_true(comes(has_settled, true));
	order_ends(ORDER_REVERTED, STEP_STAGE);
	assert_int_equal(settled(), PROBE_UNKNOWN);
	assert_true(comes(has_settled, true));
	observe_changed(&k, "other", true); /* its worker died, and said nothing */
	observe_changed(&k, "other", false);
	assert_int_equal(settled(), PROBE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_comparison_outlives_an_order_for_another, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_a_check_says_is_news, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_look_outlives_one_that_was_replaced, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_an_order_that_changed_nothing_takes_no_knowledge_away, setup, teardown),
	};
	return cmocka_run_group_tests_name("beside", tests, NULL, NULL);
}
