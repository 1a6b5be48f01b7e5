/* Asking a host how a service is now, and how long its answer is waited for. */
#include "tests/lib/health_world.h"

enum { SECOND = 1000 };

/* db-1 runs `db`, says how long its probes may take, and is asked a second after its probe ran. */
static void ask(struct world *w, uint64_t answer_ms)
{
	static const char *can[] = {CAPABILITY_LOOK};
	struct declared_service db = declared("db", NULL);
	struct health_transitions out = {0};
	bool asked;
	world_open(w);
	db.answer_ms = answer_ms;
	struct hello h = hello_of(w, "db-1", boot_id(1), &db, 1);
	h.capabilities = (struct list){can, 1};
	hello_say(w, &h);
	ok(health_on_hello(w->turn, &health_rules, "db-1", &out, ERR_HERE));
	http_says(w, "db", "db-1", PROBE_OK);
	world_after(w, SECOND);
	ok(health_look(w->turn, "db", "db-1", false, &asked, ERR_HERE));
	assert_true(asked);
	assert_int_equal(world_effect_count(w, EFFECT_FRAME), 1);
}

static bool is_asked(struct world *w)
{
	bool asked;
	ok(health_is_asked(w->turn, "db", &asked, ERR_HERE));
	return asked;
}

/* What hangs until its probe's time is over is waited for, if that is not for ever. */
static void test_the_answer_is_waited_for_as_long_as_its_probes_take(void **state)
{
	static const struct {
		uint64_t answer_ms, waits_ms;
	} cases[] = {{0, HEALTH_LOOK_ANSWER_MS}, {2500, HEALTH_LOOK_ANSWER_MS}, {20500, 20500 + HEALTH_LOOK_TRAVEL_MS},
	    {3600 * SECOND, HEALTH_LOOK_ANSWER_MAX_MS}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		ask(&w, cases[i].answer_ms);
		world_after(&w, cases[i].waits_ms - 1);
		assert_true(is_asked(&w));
		world_after(&w, 1);
		assert_false(is_asked(&w));
		world_close(&w);
	}
}

/* A heartbeat tells what was known already. */
static void test_only_a_run_since_answers(void **state)
{
	(void)state;
	struct world w;
	ask(&w, 0);
	uint64_t ran_ms = w.now_ms - SECOND;
	world_after(&w, SECOND);
	http_says_at(&w, "db", "db-1", PROBE_OK, ran_ms);
	assert_true(is_asked(&w));
	world_after(&w, SECOND);
	http_says(&w, "db", "db-1", PROBE_OK);
	assert_false(is_asked(&w));
	world_close(&w);
}

/* A bad result that has not settled is no answer yet. */
static void test_what_wavers_has_not_answered(void **state)
{
	(void)state;
	struct world w;
	struct health_transitions out = {0};
	ask(&w, 20500);
	world_after(&w, SECOND);
	struct probe_result one = probed(&w, "http", PROBE_CRITICAL);
	one.settled = PROBE_OK;
	struct health_report r = {.service = "db", .results = {&one, 1}};
	struct host h = host_now(&w, "db-1");
	ok(health_on_report(w.turn, &health_rules, &h, w.now_ms, &r, &out, ERR_HERE));
	assert_true(is_asked(&w));
	http_says(&w, "db", "db-1", PROBE_CRITICAL);
	assert_false(is_asked(&w));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_answer_is_waited_for_as_long_as_its_probes_take),
	    cmocka_unit_test(test_only_a_run_since_answers),
	    cmocka_unit_test(test_what_wavers_has_not_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
