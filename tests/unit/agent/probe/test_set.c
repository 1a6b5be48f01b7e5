#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/probe/limits.h"
#include "agent/probe/set.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"

static struct {
	struct loop *loop;
	struct probe_set *set;
	struct probe_set_events events;
	struct agent_config config;
	struct service_config services[2];
	struct probe_config probes[4];
	char folder[64], path[128];
	unsigned results, changes;
	uint32_t last_state, last_settled;
	char last_text[PROBE_TEXT_MAX];
	bool checked, all_ok;
	size_t check_count;
	struct age_probe age;
} w;

static void on_result(void *ctx, const struct service_config *service, const struct probe_result *r, bool changed)
{
	(void)ctx;
	assert_non_null(service->name);
	w.results++;
	w.changes += changed;
	w.last_state = r->state;
	w.last_settled = r->settled;
	snprintf(w.last_text, sizeof w.last_text, "%s", r->text);
	assert_true(r->at_ms > 1700000000000ull);
	assert_true(r->since_ms <= r->at_ms && r->since_ms > 1700000000000ull);
}

static int setup(void **state)
{
	struct err err;
	(void)state;
	memset(&w, 0, sizeof w);
	strcpy(w.folder, "/tmp/kedge-set-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(w.path, sizeof w.path, "%s/alive", w.folder);
	assert_int_equal(loop_new(&w.loop, &err), ERR_OK);
	w.age = (struct age_probe){.path = w.path, .warn_ms = 3600000, .critical_ms = 7200000};
	w.services[0] = (struct service_config){.name = "portal"};
	w.services[1] = (struct service_config){.name = "empty"};
	w.config = (struct agent_config){.host = "web-1", .services = {w.services, 2}};
	w.events = (struct probe_set_events){.on_result = on_result};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	probe_set_free(w.set);
	loop_free(w.loop);
	unlink(w.path);
	rmdir(w.folder);
	return 0;
}

static void start(size_t probes)
{
	struct err err;
	w.services[0].probes = (struct list){w.probes, probes};
	assert_int_equal(probe_set_new(w.loop, &w.config, &w.events, &w.set, &err), ERR_OK);
}

static void turn_until(unsigned results)
{
	struct err err;
	uint64_t limit = clock_mono_ms() + 10000;
	while (w.results < results && clock_mono_ms() < limit)
		assert_int_equal(loop_turn(w.loop, 500, &err), ERR_OK);
	assert_true(w.results >= results);
}

static void touch(void)
{
	struct err err;
	assert_int_equal(file_replace(w.path, "x", 1, 0644, &err), ERR_OK);
}

static struct probe_config alive(void)
{
	return (struct probe_config){.name = "alive", .every_ms = 200, .rise = 2, .fall = 2, .age = &w.age};
}

static void a_service_fails_and_comes_back(void **state)
{
	(void)state;
	w.probes[0] = alive();
	touch();
	start(1);
	turn_until(2);
	assert_int_equal(w.last_settled, PROBE_OK);
	assert_int_equal(w.changes, 1);
	unlink(w.path);
	while (w.last_settled != PROBE_CRITICAL)
		turn_until(w.results + 1);
	assert_int_equal(w.changes, 2);
	assert_non_null(strstr(w.last_text, "No such file"));
	touch();
	while (w.last_settled != PROBE_OK)
		turn_until(w.results + 1);
	assert_int_equal(w.changes, 3);
	assert_false(probe_set_lagging(w.set));
}

/* PITFALLS P42: the keeper's loop is held up; the plugin that was killed at its deadline meanwhile says nothing about
 * the service. */
static void our_own_lag_makes_it_unknown(void **state)
{
	(void)state;
	struct err err;
	const char *argv[] = {"/bin/sh", "-c", "test -e alive-never || sleep 30"};
	w.probes[0] = (struct probe_config){
	    .name = "hangs", .every_ms = 60000, .timeout_ms = 300, .rise = 1, .fall = 1, .exec = {argv, 3}};
	start(1);
	struct probe_check;
	uint64_t limit = clock_mono_ms() + 5000;
	bool stalled = false;
	while (!w.results && clock_mono_ms() < limit) {
		assert_int_equal(loop_turn(w.loop, 20, &err), ERR_OK);
		if (!stalled && clock_mono_ms() > limit - 5000 + PROBE_FIRST_MAX_MS / 8) {
			const struct timespec stall = {
			    .tv_sec = 3}; /* past the first start, the deadline and the bound of lag */
			nanosleep(&stall, NULL);
			stalled = true;
		}
	}
	assert_int_equal(w.last_state, PROBE_UNKNOWN);
	assert_int_equal(w.last_settled, PROBE_UNKNOWN);
	assert_non_null(strstr(w.last_text, "this agent itself was too slow"));
	assert_true(probe_set_lagging(w.set));
}

static void what_a_plugin_says_is_redacted(void **state)
{
	(void)state;
	const char *argv[] = {"/bin/echo",
	    "cannot log in: password=canary-7f3a, patient John Smith, SSN 123-45-6789 \xff\xfe | 'token=canary-8'=1"};
	w.probes[0] = (struct probe_config){.name = "says", .every_ms = 200, .exec = {argv, 2}};
	start(1);
	turn_until(1);
	assert_null(strstr(w.last_text, "canary"));
	assert_null(strstr(w.last_text, "Smith"));
	assert_null(strstr(w.last_text, "6789"));
	assert_non_null(strstr(w.last_text, "cannot log in: password=[PASSWORD]"));
	struct arena *a = arena_new(0);
	struct list results;
	struct err err;
	assert_int_equal(probe_set_results(w.set, "portal", a, &results, &err), ERR_OK);
	assert_int_equal(results.count, 1);
	const struct probe_result *r = &LIST_AT(results, struct probe_result, 0);
	assert_int_equal(r->settled, PROBE_OK);
	for (size_t i = 0; i < r->metrics.count; i++)
		assert_null(strstr(LIST_AT(r->metrics, struct metric, i).name, "canary"));
	arena_free(a);
}

static void script(const char *text, unsigned mode)
{
	struct err err;
	assert_int_equal(file_replace(w.path, text, strlen(text), mode, &err), ERR_OK);
}

/* What a release did to its own check is news; a check that never worked is only declared wrongly. */
static void a_check_that_cannot_be_run_any_more_fails(void **state)
{
	(void)state;
	const char *argv[] = {w.path};
	w.probes[0] = (struct probe_config){.name = "own", .every_ms = 200, .rise = 1, .fall = 2, .exec = {argv, 1}};
	start(1);
	turn_until(2);
	assert_int_equal(w.last_settled, PROBE_UNKNOWN); /* not there, and never was */
	script("#!/bin/sh\necho fine\n", 0755);
	while (w.last_settled != PROBE_OK)
		turn_until(w.results + 1);
	script("#!/usr/bin/no-such-shell\n", 0755);
	while (w.last_settled != PROBE_CRITICAL)
		turn_until(w.results + 1);
	script("#!/bin/sh\necho fine\n", 0755);
	while (w.last_settled != PROBE_OK)
		turn_until(w.results + 1);
	script("#!/bin/sh\necho fine\n", 0644);
	while (w.last_settled != PROBE_CRITICAL)
		turn_until(w.results + 1);
	assert_non_null(strstr(w.last_text, "Permission denied"));
	script("#!/bin/sh\nkill -SEGV $$\n", 0755);
	while (!strstr(w.last_text, "signal"))
		turn_until(w.results + 1);
	assert_int_equal(w.last_state, PROBE_CRITICAL);
	script("#!/bin/sh\nexit 3\n", 0755); /* it says itself that it does not know */
	while (w.last_state == PROBE_CRITICAL)
		turn_until(w.results + 1);
	assert_int_equal(w.last_state, PROBE_UNKNOWN);
}

static void on_check(void *ctx, const struct probe_check *c)
{
	(void)ctx;
	w.checked = true;
	w.all_ok = c->all_ok;
	w.check_count = c->count;
}

static void wait_for_check(void)
{
	struct err err;
	uint64_t limit = clock_mono_ms() + 10000;
	while (!w.checked && clock_mono_ms() < limit)
		assert_int_equal(loop_turn(w.loop, 500, &err), ERR_OK);
	assert_true(w.checked);
	w.checked = false;
}

static void a_check_runs_everything_now(void **state)
{
	(void)state;
	struct err err;
	w.probes[0] = alive();
	w.probes[0].every_ms = 3600000;
	w.probes[1] = alive();
	w.probes[1].name = "deep";
	w.probes[1].tier = PROBE_DEEP;
	touch();
	start(2);
	assert_int_equal(probe_set_check(w.set, "portal", false, on_check, NULL, &err), ERR_OK);
	assert_false(w.checked);
	wait_for_check();
	assert_int_equal(w.check_count, 1);
	assert_true(w.all_ok);
	unlink(w.path);
	assert_int_equal(probe_set_check(w.set, "portal", true, on_check, NULL, &err), ERR_OK);
	wait_for_check();
	assert_int_equal(w.check_count, 2);
	assert_false(w.all_ok);
	assert_int_equal(probe_set_check(w.set, "empty", true, on_check, NULL, &err), ERR_OK);
	wait_for_check();
	assert_int_equal(w.check_count, 0);
	assert_false(w.all_ok); /* no evidence is not health */
	assert_int_equal(probe_set_check(w.set, "absent", true, on_check, NULL, &err), ERR_NOT_FOUND);
	assert_int_equal(probe_set_check(w.set, "portal", true, on_check, NULL, &err), ERR_OK);
	probe_set_check_cancel(w.set, "portal");
	for (int i = 0; i < 10; i++)
		assert_int_equal(loop_turn(w.loop, 30, &err), ERR_OK);
	assert_false(w.checked);
}

static void after_a_hold_history_is_gone(void **state)
{
	(void)state;
	w.probes[0] = alive();
	w.probes[0].every_ms = 60000;
	touch();
	start(1);
	turn_until(1);
	assert_int_equal(w.last_settled, PROBE_OK);
	unlink(w.path);
	probe_set_hold(w.set, "portal", true);
	probe_set_hold(w.set, "portal", false);
	turn_until(2); /* again at once */
	assert_int_equal(w.last_state, PROBE_CRITICAL);
	assert_int_equal(w.last_settled, PROBE_UNKNOWN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(a_service_fails_and_comes_back),
	    T(a_check_that_cannot_be_run_any_more_fails), T(our_own_lag_makes_it_unknown),
	    T(what_a_plugin_says_is_redacted), T(a_check_runs_everything_now), T(after_a_hold_history_is_gone)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
