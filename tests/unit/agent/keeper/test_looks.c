/* The controller asks how a service is now: what is run, how often, and what is told. */
#include "tests/unit/agent/keeper/keeper_world.h"

enum { SERVICES = 6, RUNS_AT_ONCE = 4 /* LOOKS_RUNNING_MAX */, REST_MS = 2000 /* LOOK_REST_MS */ };

static struct service_config services[SERVICES];
static struct probe_config probes[SERVICES][2];
static char scripts[SERVICES][2][256];
static const char *argv[SERVICES][2][3];
static const char *const names[SERVICES] = {"s0", "s1", "s2", "s3", "s4", "s5"};
static unsigned told[SERVICES];

static enum err_code on_send(void *ctx, uint64_t token, const struct report *r)
{
	(void)ctx;
	(void)token;
	for (size_t i = 0; r->health && i < SERVICES; i++)
		told[i] += text_equal(r->health->service, names[i]);
	return ERR_OK;
}

/* Each writes a byte when it is run, and fails while the file `bad` is there.  The last service has no probes. */
static int setup(void **state)
{
	static const char *const tiers[] = {"shallow", "deep"};
	(void)state;
	memset(told, 0, sizeof told);
	keeper_world_init();
	for (size_t i = 0; i < SERVICES; i++) {
		for (size_t n = 0; n < 2; n++) {
			(void)text_format(scripts[i][n], sizeof scripts[i][n],
			    "printf x >>%s/%s-%s; [ ! -e %s/bad ] || exit 2", w.dir, names[i], tiers[n], w.dir);
			argv[i][n][0] = "sh";
			argv[i][n][1] = "-c";
			argv[i][n][2] = scripts[i][n];
			probes[i][n] = (struct probe_config){.name = tiers[n],
			    .tier = n ? PROBE_DEEP : PROBE_SHALLOW,
			    .exec = {argv[i][n], 3},
			    .timeout_ms = 5000,
			    .every_ms = 3600 * 1000,
			    .rise = 1,
			    .fall = 3};
		}
		services[i] = w.service;
		services[i].name = names[i];
		services[i].probes = (struct list){probes[i], i + 1 < SERVICES ? 2 : 0};
	}
	keeper_world_begin((struct list){services, SERVICES}, on_send);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keeper_world_done();
	return 0;
}

static long runs(size_t service, const char *tier)
{
	char path[WORLD_PATH];
	struct stat st;
	(void)text_format(path, sizeof path, "%s/%s-%s", w.dir, names[service], tier);
	return stat(path, &st) == 0 ? (long)st.st_size : 0;
}

static void ask(size_t service, bool deep)
{
	struct look look = {.service = names[service], .deep = deep};
	looks_on_look(&k, &look);
}

static bool nothing_is_looked_at(void)
{
	bool any = false;
	for (size_t i = 0; i < SERVICES; i++)
		any = any || k.watched[i].look.running || k.watched[i].look.wanted;
	return !any;
}

static bool first_is_over(void)
{
	return !k.watched[0].look.running;
}

/* Its own first run, and what is told of it, would be counted, too. */
static bool all_have_run(void)
{
	bool all = true;
	for (size_t i = 0; i + 1 < SERVICES; i++) {
		struct list results;
		WORLD_OK(&w, probe_set_results(k.probes, names[i], w.arena, &results, &w.err));
		all = all && LIST_AT(results, struct probe_result, 0).at_ms && told[i];
	}
	return all;
}

static void test_it_is_run_at_once_and_told(void **state)
{
	(void)state;
	assert_true(comes(all_have_run, false));
	long shallow = runs(0, "shallow"), deep = runs(0, "deep");
	unsigned before = told[0];
	ask(0, false);
	assert_true(k.word_wanted); /* whoever asks learns that somebody heard it */
	assert_true(comes(first_is_over, true));
	assert_int_equal(runs(0, "shallow"), shallow + 1);
	assert_int_equal(runs(0, "deep"), deep);
	assert_int_equal(told[0], before + 1);
	assert_int_equal(runs(1, "shallow"), 1);
}

/* Who asks again at once learns no more; what was asked meanwhile comes when it has rested, once, and as deep as
 * anybody asked. */
static void test_it_rests_between_two_looks(void **state)
{
	(void)state;
	assert_true(comes(all_have_run, false));
	ask(0, false);
	assert_true(comes(first_is_over, true));
	long shallow = runs(0, "shallow"), deep = runs(0, "deep");
	uint64_t rests_until = k.watched[0].look.due_ms;
	assert_in_range(rests_until, loop_now_ms(k.loop), loop_now_ms(k.loop) + REST_MS);
	ask(0, true);
	ask(0, false);
	looks_tick(&k, rests_until - 1);
	assert_false(k.watched[0].look.running);
	looks_tick(&k, rests_until);
	assert_true(k.watched[0].look.running);
	assert_false(k.watched[0].look.wanted);
	assert_true(comes(first_is_over, true));
	assert_int_equal(runs(0, "shallow"), shallow + 1);
	assert_int_equal(runs(0, "deep"), deep + 1);
}

/* Three bad results make it bad: one alone would say that it is well. */
static void test_what_contradicts_is_asked_until_it_settles(void **state)
{
	(void)state;
	struct list results;
	assert_true(comes(all_have_run, false));
	world_text(w.dir, "bad", "");
	long shallow = runs(0, "shallow");
	unsigned before = told[0];
	ask(0, false);
	assert_true(comes(first_is_over, true));
	assert_int_equal(runs(0, "shallow"), shallow + 3);
	assert_true(told[0] >= before + 3);
	WORLD_OK(&w, probe_set_results(k.probes, names[0], w.arena, &results, &w.err));
	assert_int_equal(LIST_AT(results, struct probe_result, 0).settled, PROBE_CRITICAL);
}

static void test_a_question_to_all_is_no_load(void **state)
{
	(void)state;
	assert_true(comes(all_have_run, false));
	for (size_t i = 0; i < SERVICES; i++)
		ask(i, false);
	size_t running = 0, wanted = 0;
	for (size_t i = 0; i < SERVICES; i++) {
		running += k.watched[i].look.running;
		wanted += k.watched[i].look.wanted;
	}
	assert_int_equal(running, RUNS_AT_ONCE);
	assert_int_equal(wanted, SERVICES - 1 - RUNS_AT_ONCE); /* who has no probes cannot be asked */
	assert_true(comes(nothing_is_looked_at, true));
	for (size_t i = 0; i + 1 < SERVICES; i++)
		assert_int_equal(runs(i, "shallow"), 2);
}

/* A look whose check never ends is given up, and the next one is not kept waiting for it. */
static void test_one_that_hangs_is_given_up(void **state)
{
	(void)state;
	assert_true(comes(all_have_run, false));
	ask(0, false);
	probe_set_check_cancel(k.probes, names[0]);
	assert_true(k.watched[0].look.checking);
	uint64_t until_ms = k.watched[0].look.due_ms;
	assert_true(until_ms > loop_now_ms(k.loop));
	looks_tick(&k, until_ms - 1);
	assert_true(k.watched[0].look.running);
	looks_tick(&k, until_ms);
	assert_false(k.watched[0].look.running);
	long shallow = runs(0, "shallow");
	ask(0, false);
	looks_tick(&k, until_ms + REST_MS);
	assert_true(comes(first_is_over, true));
	assert_true(runs(0, "shallow") > shallow);
}

/* While somebody waits for another check of it, that one tells. */
static void test_who_is_told_anyhow_is_not_looked_at(void **state)
{
	(void)state;
	assert_true(comes(all_have_run, false));
	long shallow = runs(0, "shallow");
	k.watched[0].probe_order = (struct id){{1}};
	ask(0, false);
	assert_true(nothing_is_looked_at());
	k.watched[0].probe_order = (struct id){{0}};
	assert_int_equal(runs(0, "shallow"), shallow);
}

/* The controller waits for as long as they may take until they agree. */
static void test_it_says_how_long_it_takes(void **state)
{
	(void)state;
	struct probe_config p[2] = {{.tier = PROBE_SHALLOW, .timeout_ms = 4000, .fall = 5, .rise = 2},
	    {.tier = PROBE_DEEP, .timeout_ms = 60000, .fall = 2, .rise = 1}};
	struct service_config s = {.probes = {p, 2}};
	assert_int_equal(looks_answer_ms(&s), 5 * (4000 + 250));
	s.probes.count = 0;
	assert_int_equal(looks_answer_ms(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_it_is_run_at_once_and_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_it_rests_between_two_looks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_contradicts_is_asked_until_it_settles, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_question_to_all_is_no_load, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_that_hangs_is_given_up, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_who_is_told_anyhow_is_not_looked_at, setup, teardown),
	    cmocka_unit_test(test_it_says_how_long_it_takes),
	};
	return cmocka_run_group_tests_name("looks", tests, NULL, NULL);
}
