#include "controller/health/health.h"
#include "tests/lib/health_world.h"

static struct arena *arena;
static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return arena ? 0 : -1;
}
static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct health_verdict judge(struct probe_result *results, size_t count, bool lagging)
{
	struct health_verdict v;
	struct list l = {results, count};
	ok(health_judge(&health_rules, &l, lagging, arena, &v, ERR_HERE));
	return v;
}

/* Every pair of settled states. */
static void test_worst_probe_decides(void **state)
{
	(void)state;
	static const enum health want[PROBE_STATE_COUNT][PROBE_STATE_COUNT] = {
	    [PROBE_UNKNOWN] = {HEALTH_UNKNOWN, HEALTH_UNKNOWN, HEALTH_DEGRADED, HEALTH_DOWN},
	    [PROBE_OK] = {HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_DOWN},
	    [PROBE_WARNING] = {HEALTH_DEGRADED, HEALTH_DEGRADED, HEALTH_DEGRADED, HEALTH_DOWN},
	    [PROBE_CRITICAL] = {HEALTH_DOWN, HEALTH_DOWN, HEALTH_DOWN, HEALTH_DOWN},
	};
	for (unsigned a = 0; a < PROBE_STATE_COUNT; a++) {
		for (unsigned b = 0; b < PROBE_STATE_COUNT; b++) {
			struct probe_result two[] = {
			    {.probe = "a", .settled = a, .at_ms = 1}, {.probe = "b", .settled = b, .at_ms = 1}};
			assert_int_equal(judge(two, 2, false).state, want[a][b]);
		}
	}
}

static void test_settled_counts_not_the_last_run(void **state)
{
	(void)state;
	struct probe_result one = {.probe = "http", .state = PROBE_CRITICAL, .settled = PROBE_OK, .at_ms = 1};
	assert_int_equal(judge(&one, 1, false).state, HEALTH_HEALTHY);
}

static void test_no_evidence_is_not_health(void **state)
{
	(void)state;
	assert_int_equal(judge(NULL, 0, false).state, HEALTH_UNKNOWN);
	struct probe_result deep = {.probe = "login", .tier = PROBE_DEEP, .settled = PROBE_UNKNOWN};
	assert_int_equal(judge(&deep, 1, false).state, HEALTH_UNKNOWN);
}

/* A deep probe that has not had its turn yet is no gap; one that ran and knows nothing is. */
static void test_deep_probe_before_its_first_run(void **state)
{
	(void)state;
	struct probe_result two[] = {{.probe = "http", .settled = PROBE_OK, .at_ms = 1},
	    {.probe = "login", .tier = PROBE_FULL, .settled = PROBE_UNKNOWN}};
	assert_int_equal(judge(two, 2, false).state, HEALTH_HEALTHY);
	two[1].at_ms = 1;
	assert_int_equal(judge(two, 2, false).state, HEALTH_UNKNOWN);
	two[1].at_ms = 0;
	two[1].tier = PROBE_SHALLOW;
	assert_int_equal(judge(two, 2, false).state, HEALTH_UNKNOWN);
}

static void test_p42_overloaded_agent_says_unknown_never_down(void **state)
{
	(void)state;
	for (unsigned s = 0; s < PROBE_STATE_COUNT; s++) {
		struct probe_result one = {.probe = "http", .settled = s, .at_ms = 1};
		assert_int_equal(judge(&one, 1, true).state, s == PROBE_OK ? HEALTH_HEALTHY : HEALTH_UNKNOWN);
	}
}

struct threshold {
	const char *name, *unit;
	double at, above; /* the limit itself is allowed */
};

static void test_thresholds_one_at_and_one_above(void **state)
{
	(void)state;
	static const struct threshold cases[] = {
	    {"response", "ms", 1000, 1001},
	    {"time", "s", 1.0, 1.001},
	    {"response_time", "us", 1e6, 1000001},
	    {"errors", "%", 1, 1.01},
	    {"cpu", "%", 80, 80.5},
	    {"CPU_total", "%", 80, 81},
	    {"memory", "%", 85, 85.5},
	    {"disk_root", "%", 90, 90.5},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct metric m = {.name = cases[i].name, .unit = cases[i].unit, .value = cases[i].at};
		struct probe_result one = {.probe = "p", .settled = PROBE_OK, .at_ms = 1, .metrics = {&m, 1}};
		assert_int_equal(judge(&one, 1, false).state, HEALTH_HEALTHY);
		m.value = cases[i].above;
		struct health_verdict v = judge(&one, 1, false);
		assert_int_equal(v.state, HEALTH_DEGRADED);
		assert_true(v.breach);
		m.warn = 1e9; /* a limit of the probe's own wins */
		assert_int_equal(judge(&one, 1, false).state, HEALTH_HEALTHY);
	}
	struct metric other = {.name = "cpu", .unit = "s", .value = 5000};
	struct probe_result one = {.probe = "p", .settled = PROBE_OK, .at_ms = 1, .metrics = {&other, 1}};
	assert_int_equal(judge(&one, 1, false).state, HEALTH_HEALTHY); /* seconds of cpu are no percent */
}

static void test_first_of_the_worst_is_named(void **state)
{
	(void)state;
	struct probe_result three[] = {{.probe = "a", .settled = PROBE_OK, .at_ms = 1},
	    {.probe = "b", .settled = PROBE_CRITICAL, .at_ms = 1, .text = "no"},
	    {.probe = "c", .settled = PROBE_CRITICAL, .at_ms = 1}};
	struct health_verdict v = judge(three, 3, false);
	assert_string_equal(v.probe, "b");
	assert_string_equal(v.reason, "b: no");
	v = judge(three, 1, false);
	assert_null(v.probe);
	assert_null(v.reason);
	v = judge(NULL, 0, false);
	assert_string_equal(v.reason, "no probe has answered");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_worst_probe_decides),
	    cmocka_unit_test(test_settled_counts_not_the_last_run),
	    cmocka_unit_test(test_no_evidence_is_not_health),
	    cmocka_unit_test(test_deep_probe_before_its_first_run),
	    cmocka_unit_test(test_p42_overloaded_agent_says_unknown_never_down),
	    cmocka_unit_test(test_thresholds_one_at_and_one_above),
	    cmocka_unit_test(test_first_of_the_worst_is_named),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
