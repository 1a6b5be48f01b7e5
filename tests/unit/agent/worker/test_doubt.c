/* A restore point that was taken between a bad change and the first probe that saw it: the change must not hide behind
 * it. */
#include "agent/worker/internal.h"
#include "agent/worker/work.h"
#include "tests/lib/snapshot_world.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

static struct world w;
static struct service_config services[1];
static struct agent_config config;

static struct told {
	bool drift;
	struct id compared_with, suspect;
	uint64_t changed;
	unsigned suspects;
} told;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	services[0] = w.service;
	config = (struct agent_config){.host = WORLD_HOST, .state_directory = w.dir, .services = {services, 1}};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

/* content: what is deployed before; NULL: nothing. */
static struct id take(const char *content)
{
	struct snapshot_summary s;
	struct snapshot_options o = {.reason = SNAPSHOT_SCHEDULED, .now_ms = w.now_ms};
	if (content)
		world_text(w.config_dir, "conf", content);
	world_settle();
	WORLD_OK(&w, snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err));
	return s.snapshot;
}

static void on_report(void *ctx, const struct report *r)
{
	(void)ctx;
	if (r->drift && r->drift->component == COMPONENT_CONFIG) {
		told.drift = true;
		told.compared_with = r->drift->snapshot;
		told.changed = r->drift->changed;
	}
	if (r->snapshot && r->snapshot->suspect) {
		told.suspect = r->snapshot->snapshot;
		told.suspects++;
	}
}

/* passed_ms: when the probe was good for the last time; 0: it is. */
static void compare(uint64_t passed_ms)
{
	struct work_spec spec = {.kind = WORK_DRIFT,
	    .service = "portal",
	    .passed_ms = passed_ms,
	    .failed_ms = passed_ms ? passed_ms + 10 * SECOND_MS : 0};
	struct work_out out = {.report = on_report};
	struct work work = {.c = &config, .spec = &spec, .out = &out, .arena = w.arena, .repo = w.repo};
	told = (struct told){0};
	work_drift(&work);
	assert_true(told.drift);
}

static void expect_compared(struct id with, uint64_t changed)
{
	assert_true(id_equal(told.compared_with, with));
	assert_int_equal(told.changed, changed);
}

static void test_a_new_make_that_fails_at_once_hides_nothing(void **state)
{
	(void)state;
	struct id good = take("good");
	w.now_ms += 60 * MINUTE_MS;
	struct id bad = take("bad");
	compare(0); /* the probes have not seen it yet */
	expect_compared(bad, 0);
	assert_int_equal(told.suspects, 0);
	compare(w.now_ms + 2 * SECOND_MS);
	expect_compared(good, 1);
	assert_int_equal(told.suspects, 1);
	assert_true(id_equal(told.suspect, bad));
	compare(w.now_ms + 2 * SECOND_MS); /* told once */
	assert_int_equal(told.suspects, 0);
	expect_compared(good, 1);
	world_text(w.config_dir, "conf", "good"); /* mended, and well again */
	compare(0);
	assert_true(id_equal(told.compared_with, good));
}

/* Taken twice, and even before the probe's last good run. */
static void test_every_one_that_holds_it(void **state)
{
	(void)state;
	struct id good = take("good");
	w.now_ms += 60 * MINUTE_MS;
	(void)take("bad");
	w.now_ms += 5 * SECOND_MS;
	(void)take(NULL);
	compare(w.now_ms - 4 * SECOND_MS);
	expect_compared(good, 1);
	assert_int_equal(told.suspects, 2);
}

static void test_what_ran_well_for_a_minute_stays(void **state)
{
	(void)state;
	(void)take("good");
	w.now_ms += 60 * MINUTE_MS;
	struct id new = take("new");
	compare(w.now_ms + 60 * SECOND_MS);
	expect_compared(new, 0);
	assert_int_equal(told.suspects, 0);
}

/* What was changed after it was taken is seen anyhow, and more likely the cause. */
static void test_what_was_left_again_stays(void **state)
{
	(void)state;
	(void)take("good");
	w.now_ms += 60 * MINUTE_MS;
	struct id new = take("new");
	world_text(w.config_dir, "conf", "bad");
	compare(w.now_ms + 5 * SECOND_MS);
	expect_compared(new, 1);
	assert_int_equal(told.suspects, 0);
}

static void test_a_young_host_has_two_makes(void **state)
{
	(void)state;
	struct id good = take("good");
	w.now_ms += 30 * SECOND_MS;
	struct id bad = take("bad");
	compare(w.now_ms + SECOND_MS);
	expect_compared(good, 1);
	assert_true(told.suspects == 1 && id_equal(told.suspect, bad));
}

/* A warning that everybody lives with. */
static void test_what_was_not_well_before_says_nothing(void **state)
{
	(void)state;
	(void)take("good");
	w.now_ms += 60 * MINUTE_MS;
	uint64_t passed_ms = w.now_ms;
	w.now_ms += 11 * SECOND_MS;
	struct id new = take("new");
	compare(passed_ms);
	expect_compared(new, 0);
	assert_int_equal(told.suspects, 0);
}

static void test_what_is_no_new_make_stays(void **state)
{
	(void)state;
	(void)take("good");
	w.now_ms += 60 * MINUTE_MS;
	struct id same = take(NULL);
	compare(w.now_ms + SECOND_MS);
	expect_compared(same, 0);
	assert_int_equal(told.suspects, 0);
}

static void test_the_only_make_there_is_stays(void **state)
{
	(void)state;
	struct id only = take("new");
	compare(w.now_ms + SECOND_MS);
	expect_compared(only, 0);
	assert_int_equal(told.suspects, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_new_make_that_fails_at_once_hides_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_one_that_holds_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_ran_well_for_a_minute_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_was_left_again_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_young_host_has_two_makes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_was_not_well_before_says_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_is_no_new_make_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_only_make_there_is_stays, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
