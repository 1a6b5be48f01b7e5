#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/probe/schedule.h"

enum { T0 = 1000000 };

static struct probe_schedule *make(struct probe_timing t, size_t count)
{
	struct probe_timing timings[64];
	struct probe_schedule *s;
	struct err err;
	for (size_t i = 0; i < count; i++) {
		timings[i] = t;
		timings[i].hash = t.hash + i * 7919;
	}
	assert_int_equal(probe_schedule_new(timings, count, T0, &s, &err), ERR_OK);
	return s;
}

static const struct probe_timing plain = {
    .every_ms = 30000, .timeout_ms = 10000, .rise = 2, .fall = 3, .hash = 12345, .first_soon = true};

/* Run probe 0 once with this result, punctually; returns the verdict. */
static struct probe_verdict once(struct probe_schedule *s, uint64_t *now, enum probe_state state)
{
	size_t i;
	*now = probe_schedule_next_ms(s);
	probe_schedule_beat(s, *now, 0);
	assert_true(probe_schedule_due(s, *now, &i));
	*now += 50;
	probe_schedule_beat(s, *now, 0);
	return probe_schedule_result(s, i, state, *now);
}

static void intervals_are_kept_in_phase(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	uint64_t now, first = 0;
	assert_in_range(probe_schedule_next_ms(s), T0, T0 + PROBE_FIRST_MAX_MS);
	(void)once(s, &now, PROBE_OK);
	for (int i = 0; i < 10; i++) {
		uint64_t before = probe_schedule_next_ms(s);
		if (!first)
			first = before;
		assert_int_equal((before - first) % 30000, 0);
		assert_int_equal(before % 30000, 12345 % 30000);
		(void)once(s, &now, PROBE_OK);
	}
	probe_schedule_free(s);
}

static void a_fleet_does_not_probe_together(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 60);
	uint64_t least = UINT64_MAX, most = 0;
	struct probe_verdict v;
	size_t i, seen = 0;
	for (uint64_t now = T0; seen < 60; now += 10) { /* all first runs, then look at the phases */
		probe_schedule_beat(s, now, 0);
		while (probe_schedule_due(s, now, &i)) {
			v = probe_schedule_result(s, i, PROBE_OK, now);
			assert_int_equal(v.settled, PROBE_OK);
			seen++;
		}
		assert_true(now < T0 + PROBE_FIRST_MAX_MS + 100);
	}
	for (uint64_t now = T0 + 2100, n = 0; n < 60; now += 10) {
		probe_schedule_beat(s, now, 0);
		while (probe_schedule_due(s, now, &i)) {
			(void)probe_schedule_result(s, i, PROBE_OK, now);
			least = now < least ? now : least;
			most = now > most ? now : most;
			n++;
		}
		assert_true(now < T0 + 40000);
	}
	assert_true(most - least > 20000);
	probe_schedule_free(s);
}

static void rise_and_fall_are_counted(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	uint64_t now;
	struct probe_verdict v = once(s, &now, PROBE_OK);
	assert_int_equal(v.settled, PROBE_OK); /* the first good one settles at once */
	assert_true(v.changed);
	for (int i = 0; i < 2; i++) {
		v = once(s, &now, PROBE_CRITICAL);
		assert_int_equal(v.state, PROBE_CRITICAL);
		assert_int_equal(v.settled, PROBE_OK);
		assert_false(v.changed);
		assert_int_equal(probe_schedule_next_ms(s), now + PROBE_RETRY_MS); /* looked at again soon */
	}
	v = once(s, &now, PROBE_CRITICAL);
	assert_int_equal(v.settled, PROBE_CRITICAL);
	assert_true(v.changed);
	v = once(s, &now, PROBE_OK);
	assert_int_equal(v.settled, PROBE_CRITICAL);
	v = once(s, &now, PROBE_CRITICAL); /* a flap starts the count again */
	v = once(s, &now, PROBE_OK);
	assert_int_equal(v.settled, PROBE_CRITICAL);
	v = once(s, &now, PROBE_OK);
	assert_int_equal(v.settled, PROBE_OK);
	assert_true(v.changed);
	probe_schedule_free(s);
}

static void a_first_failure_needs_its_count_too(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	uint64_t now;
	assert_int_equal(once(s, &now, PROBE_CRITICAL).settled, PROBE_UNKNOWN);
	assert_int_equal(once(s, &now, PROBE_CRITICAL).settled, PROBE_UNKNOWN);
	assert_int_equal(once(s, &now, PROBE_CRITICAL).settled, PROBE_CRITICAL);
	probe_schedule_free(s);
}

static void warning_and_critical_mix(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	uint64_t now;
	(void)once(s, &now, PROBE_OK);
	(void)once(s, &now, PROBE_WARNING);
	(void)once(s, &now, PROBE_CRITICAL);
	assert_int_equal(once(s, &now, PROBE_WARNING).settled, PROBE_WARNING);
	(void)once(s, &now, PROBE_CRITICAL);
	(void)once(s, &now, PROBE_CRITICAL);
	assert_int_equal(once(s, &now, PROBE_CRITICAL).settled, PROBE_CRITICAL);
	assert_int_equal(once(s, &now, PROBE_WARNING).settled, PROBE_CRITICAL);
	assert_int_equal(once(s, &now, PROBE_WARNING).settled, PROBE_WARNING); /* better by rise, not well */
	probe_schedule_free(s);
}

static void unknown_says_nothing_until_it_lasts(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	uint64_t now;
	(void)once(s, &now, PROBE_OK);
	(void)once(s, &now, PROBE_CRITICAL);
	(void)once(s, &now, PROBE_CRITICAL);
	assert_int_equal(once(s, &now, PROBE_UNKNOWN).settled, PROBE_OK);
	assert_int_equal(once(s, &now, PROBE_CRITICAL).settled, PROBE_CRITICAL); /* the third bad one all the same */
	(void)once(s, &now, PROBE_UNKNOWN);
	(void)once(s, &now, PROBE_UNKNOWN);
	assert_int_equal(once(s, &now, PROBE_UNKNOWN).settled, PROBE_UNKNOWN);
	probe_schedule_free(s);
}

static void stale_results_are_unknown(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	uint64_t now;
	assert_int_equal(probe_schedule_settled(s, 0, T0), PROBE_UNKNOWN); /* never ran */
	(void)once(s, &now, PROBE_OK);
	uint64_t fresh = PROBE_STALE_INTERVALS * 30000 + 10000;
	assert_int_equal(probe_schedule_settled(s, 0, now + fresh), PROBE_OK);
	assert_int_equal(probe_schedule_settled(s, 0, now + fresh + 1), PROBE_UNKNOWN);
	probe_schedule_free(s);
}

/* PITFALLS P42: we came back late; the timeout that we saw meanwhile is ours. */
static void our_own_lag_is_unknown_never_down(void **state)
{
	(void)state;
	struct probe_schedule *s = make(
	    (struct probe_timing){
		.every_ms = 10000, .timeout_ms = 1000, .rise = 1, .fall = 1, .hash = 5, .first_soon = true},
	    2);
	size_t i;
	uint64_t now = T0 + PROBE_FIRST_MAX_MS;
	probe_schedule_beat(s, T0, 0);
	while (probe_schedule_next_ms(s) <= now) {
		uint64_t at = probe_schedule_next_ms(s);
		probe_schedule_beat(s, at, 0);
		assert_true(probe_schedule_due(s, at, &i));
		(void)probe_schedule_result(s, i, PROBE_OK, at);
	}
	now = probe_schedule_next_ms(s);
	probe_schedule_beat(s, now, 0);
	assert_true(probe_schedule_due(s, now, &i));
	now += PROBE_BEAT_MS + PROBE_LAG_MS + 700; /* should have beaten after PROBE_BEAT_MS */
	probe_schedule_beat(s, now, 0);
	assert_true(probe_schedule_lagging(s, now));
	struct probe_verdict v = probe_schedule_result(s, i, PROBE_CRITICAL, now);
	assert_int_equal(v.state, PROBE_UNKNOWN);
	assert_true(v.distrusted);
	assert_int_equal(v.settled, PROBE_UNKNOWN);
	/* While the lag is fresh, a bad result is not believed, a good one is. */
	probe_schedule_forget(s, i, now);
	assert_true(probe_schedule_begin(s, i, now));
	assert_int_equal(probe_schedule_result(s, i, PROBE_WARNING, now + 10).state, PROBE_UNKNOWN);
	assert_true(probe_schedule_begin(s, i, now + 20));
	assert_int_equal(probe_schedule_result(s, i, PROBE_OK, now + 30).state, PROBE_OK);
	/* Once it has passed, failures count again. */
	uint64_t later = now + PROBE_LAG_MEMORY_MS;
	for (uint64_t t = now + 40; t < later; t += PROBE_BEAT_MS)
		probe_schedule_beat(s, t, 0);
	probe_schedule_beat(s, later, 0);
	assert_false(probe_schedule_lagging(s, later));
	if (!probe_schedule_running(s, i))
		assert_true(probe_schedule_begin(s, i, later));
	v = probe_schedule_result(s, i, PROBE_CRITICAL, later + 10);
	assert_int_equal(v.state, PROBE_CRITICAL);
	assert_int_equal(v.settled, PROBE_CRITICAL);
	probe_schedule_free(s);
}

/* It is down, and while it is looked at again the host has much to do. */
static void lag_does_not_unsay_what_is_bad(void **state)
{
	(void)state;
	struct probe_schedule *s = make(
	    (struct probe_timing){
		.every_ms = 10000, .timeout_ms = 1000, .rise = 1, .fall = 2, .hash = 5, .first_soon = true},
	    1);
	uint64_t now = T0;
	struct probe_verdict v = {0};
	probe_schedule_beat(s, now, 0);
	for (int n = 0; n < 2; n++) {
		assert_true(probe_schedule_begin(s, 0, now));
		v = probe_schedule_result(s, 0, PROBE_CRITICAL, now);
	}
	assert_int_equal(v.settled, PROBE_CRITICAL);
	now = probe_schedule_next_ms(s) + PROBE_LAG_MS + 700;
	probe_schedule_beat(s, now, 0);
	assert_true(probe_schedule_lagging(s, now));
	for (int n = 0; n < 3; n++) {
		assert_true(probe_schedule_begin(s, 0, now));
		v = probe_schedule_result(s, 0, n == 1 ? PROBE_WARNING : PROBE_CRITICAL, now);
		assert_true(v.distrusted && !v.changed);
		assert_int_equal(v.settled, PROBE_CRITICAL);
	}
	assert_true(probe_schedule_begin(s, 0, now)); /* that nothing is known says more */
	(void)probe_schedule_result(s, 0, PROBE_UNKNOWN, now);
	assert_true(probe_schedule_begin(s, 0, now));
	assert_int_equal(probe_schedule_result(s, 0, PROBE_UNKNOWN, now).settled, PROBE_UNKNOWN);
	probe_schedule_free(s);
}

static void starving_for_a_cpu_is_lag_too(void **state)
{
	(void)state;
	struct probe_schedule *s = make(
	    (struct probe_timing){
		.every_ms = 10000, .timeout_ms = 5000, .rise = 1, .fall = 1, .hash = 5, .first_soon = true},
	    1);
	size_t i;
	uint64_t now = probe_schedule_next_ms(s), starved = 70000;
	probe_schedule_beat(s, now, starved); /* what was before we looked does not count */
	assert_true(probe_schedule_due(s, now, &i));
	for (int k = 0; k < 4; k++) {
		now += PROBE_BEAT_MS;
		starved += PROBE_BEAT_MS * (PROBE_STARVED_PERCENT - 10) / 100;
		probe_schedule_beat(s, now, starved);
	}
	assert_false(probe_schedule_lagging(s, now));
	now += PROBE_BEAT_MS;
	starved += PROBE_BEAT_MS * (PROBE_STARVED_PERCENT + 10) / 100;
	probe_schedule_beat(s, now, starved);
	assert_true(probe_schedule_lagging(s, now));
	assert_int_equal(probe_schedule_result(s, i, PROBE_CRITICAL, now).state, PROBE_UNKNOWN);
	probe_schedule_free(s);
}

static void too_many_at_once_wait_and_nobody_starves(void **state)
{
	(void)state;
	struct probe_schedule *s = make(
	    (struct probe_timing){.every_ms = 200, .timeout_ms = 1000, .rise = 1, .fall = 1, .first_soon = true}, 40);
	size_t i, runs[40] = {0}, open[PROBE_RUNNING_MAX], count = 0;
	for (uint64_t now = T0 + 3000; now < T0 + 9000; now += 100) {
		probe_schedule_beat(s, now, 0);
		while (count && open[count - 1] != SIZE_MAX)
			(void)probe_schedule_result(s, open[--count], PROBE_OK, now);
		while (probe_schedule_due(s, now, &i)) {
			assert_true(count < PROBE_RUNNING_MAX);
			open[count++] = i;
			runs[i]++;
		}
	}
	for (i = 0; i < 40; i++)
		assert_true(runs[i] >= 10);
	probe_schedule_free(s);
}

static void a_runner_that_never_answers_is_found(void **state)
{
	(void)state;
	struct probe_schedule *s = make(plain, 1);
	size_t i, k;
	uint64_t now = probe_schedule_next_ms(s);
	probe_schedule_beat(s, now, 0);
	assert_true(probe_schedule_due(s, now, &i));
	assert_false(probe_schedule_overdue(s, now + 10000 + PROBE_OVERDUE_MS, &k));
	assert_true(probe_schedule_overdue(s, now + 10001 + PROBE_OVERDUE_MS, &k));
	assert_int_equal(k, i);
	assert_false(probe_schedule_begin(s, i, now));
	probe_schedule_free(s);
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	struct probe_schedule *s = NULL;
	struct err err;
	struct probe_timing t = plain;
	t.every_ms = 0;
	assert_int_equal(probe_schedule_new(&t, 1, T0, &s, &err), ERR_INVALID);
	t = plain;
	t.fall = 0;
	assert_int_equal(probe_schedule_new(&t, 1, T0, &s, &err), ERR_INVALID);
	assert_null(s);
	assert_int_equal(probe_schedule_new(&t, 0, T0, &s, &err), ERR_OK);
	assert_int_equal(probe_schedule_next_ms(s), UINT64_MAX);
	probe_schedule_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(intervals_are_kept_in_phase),
	    cmocka_unit_test(a_fleet_does_not_probe_together),
	    cmocka_unit_test(rise_and_fall_are_counted),
	    cmocka_unit_test(a_first_failure_needs_its_count_too),
	    cmocka_unit_test(warning_and_critical_mix),
	    cmocka_unit_test(unknown_says_nothing_until_it_lasts),
	    cmocka_unit_test(stale_results_are_unknown),
	    cmocka_unit_test(our_own_lag_is_unknown_never_down),
	    cmocka_unit_test(lag_does_not_unsay_what_is_bad),
	    cmocka_unit_test(starving_for_a_cpu_is_lag_too),
	    cmocka_unit_test(too_many_at_once_wait_and_nobody_starves),
	    cmocka_unit_test(a_runner_that_never_answers_is_found),
	    cmocka_unit_test(nonsense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
