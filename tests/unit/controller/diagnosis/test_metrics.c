/* What measurements say about a fault: a metric that left its usual course, one that reaches its limit. */
#include "controller/diagnosis/metrics.h"

#include <string.h>

#include "tests/lib/recovery_world.h"

enum { HALF_MINUTE = 30 * 1000 };

static void open_it(struct world *w)
{
	struct declared_service portal = declared("portal", NULL);
	world_open(w);
	fleet_is(w, 1);
	struct hello h = hello_of(w, fleet_list[0], boot_id(1), &portal, 1);
	hello_say(w, &h);
}

/* The probe "http" with its time, the probe "disk" with its space. */
static void measured(struct world *w, enum probe_state s, double time, double space)
{
	struct health_transitions out = {0};
	struct metric took = {.name = "time", .unit = "ms", .value = time},
		      full = {.name = "space", .unit = "%", .value = space};
	struct probe_result r[2] = {probed(w, "http", s), probed(w, "disk", PROBE_OK)};
	r[0].metrics = (struct list){&took, 1};
	r[1].metrics = (struct list){&full, 1};
	struct health_report report = {.service = "portal", .results = {r, 2}};
	struct host h = host_now(w, fleet_list[0]);
	ok(health_on_report(w->turn, &health_rules, &h, w->now_ms, &report, &out, ERR_HERE));
}

/* An hour as always: about 20 ms. */
static void usual_hour(struct world *w, double space)
{
	for (int i = 0; i < 120; i++) {
		world_after(w, HALF_MINUTE);
		measured(w, PROBE_OK, 20 + i * 7 % 11, space);
	}
}

static size_t evidence_now(struct world *w, struct evidence *ret)
{
	size_t count = 77;
	ok(metric_evidence(w->turn, "portal", fleet_list[0], w->now_ms, ret, &count, ERR_HERE));
	assert_in_range(count, 0, METRIC_EVIDENCE_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(ret[i].kind, EVIDENCE_METRIC);
		assert_true(ret[i].weight > 0 && ret[i].weight <= 1);
		assert_true(i == 0 || ret[i - 1].weight >= ret[i].weight);
	}
	return count;
}

static void test_a_metric_that_left_its_course_is_evidence(void **state)
{
	(void)state;
	struct world w;
	struct evidence e[METRIC_EVIDENCE_MAX];
	open_it(&w);
	usual_hour(&w, 40);
	assert_int_equal(evidence_now(&w, e), 0);
	world_after(&w, HALF_MINUTE);
	measured(&w, PROBE_OK, 900, 40);
	uint64_t jumped_ms = w.now_ms;
	world_after(&w, HALF_MINUTE);
	measured(&w, PROBE_CRITICAL, 950, 40);
	assert_int_equal(evidence_now(&w, e), 1);
	assert_int_equal(e[0].at_ms, jumped_ms);
	assert_non_null(strstr(e[0].text, "http.time on "));
	assert_non_null(strstr(e[0].text, "900ms, usually 25ms"));
	world_close(&w);
}

static void test_what_was_long_before_is_none(void **state)
{
	(void)state;
	struct world w;
	struct evidence e[METRIC_EVIDENCE_MAX];
	open_it(&w);
	usual_hour(&w, 40);
	world_after(&w, HALF_MINUTE);
	measured(&w, PROBE_OK, 900, 40);
	for (int i = 0; i < 40; i++) {
		world_after(&w, HALF_MINUTE);
		measured(&w, PROBE_OK, 20 + i * 7 % 11, 40);
	}
	assert_int_equal(evidence_now(&w, e), 0);
	world_close(&w);
}

static void test_a_limit_that_comes_near_is_evidence(void **state)
{
	(void)state;
	struct world w;
	struct evidence e[METRIC_EVIDENCE_MAX];
	open_it(&w);
	for (int i = 0; i < 40; i++) {
		world_after(&w, HOUR);
		measured(&w, PROBE_OK, 20, 20 + i * 0.5);
	}
	assert_int_equal(evidence_now(&w, e), 0); /* five days to go */
	for (int i = 40; i < 150; i++) {
		world_after(&w, HOUR);
		measured(&w, PROBE_OK, 20, 20 + i * 0.5);
	}
	assert_int_equal(evidence_now(&w, e), 1); /* eleven hours */
	assert_non_null(strstr(e[0].text, "disk.space on "));
	assert_non_null(strstr(e[0].text, "reaches its limit in 10 h"));
	world_close(&w);
}

static void test_the_diagnosis_shows_it(void **state)
{
	(void)state;
	struct world w;
	struct incident i = {0};
	struct diagnosis d;
	open_it(&w);
	usual_hour(&w, 40);
	world_after(&w, HALF_MINUTE);
	measured(&w, PROBE_OK, 900, 40);
	world_after(&w, HALF_MINUTE);
	assert_int_not_equal(incident_says(&w, "portal", fleet_list[0], PROBE_CRITICAL, &i), INCIDENT_NOTHING);
	ok(diagnosis_compute(w.turn, i.incident, &d, ERR_HERE));
	size_t metrics = 0;
	for (size_t k = 0; k < d.evidence.count; k++)
		metrics += LIST_AT(d.evidence, struct evidence, k).kind == EVIDENCE_METRIC;
	assert_int_equal(metrics, 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_metric_that_left_its_course_is_evidence),
	    cmocka_unit_test(test_what_was_long_before_is_none),
	    cmocka_unit_test(test_a_limit_that_comes_near_is_evidence),
	    cmocka_unit_test(test_the_diagnosis_shows_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
