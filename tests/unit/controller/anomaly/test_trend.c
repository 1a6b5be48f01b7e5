/* Truths are known: each history is the beginning of a path that is followed until it reaches its limit. */
#include <math.h>

#include "controller/anomaly/trend.h"
#include "shared/base/random.h"
#include "tests/lib/unit.h"

enum { HOUR_MS = 3600 * 1000, SAMPLES_MAX = 400, PATH_MAX_HOURS = 100000 };
static const uint64_t begin_ms = 1700000000000;
static const double limit = 100;
static struct random rnd;

static double noise(void)
{
	double sum = 0;
	for (int i = 0; i < 12; i++)
		sum += random_unit(&rnd);
	return sum - 6;
}

enum path { LINE, WANDERING, WALK, DAILY, OUTLIERS, FALLING };

struct history {
	struct trend_sample samples[SAMPLES_MAX];
	size_t count;
	uint64_t reached_ms; /* 0: within the history */
};

static struct history follow(enum path path)
{
	struct history h = {.count = 30 + random_below(&rnd, 300)};
	double level = 20 + 20 * random_unit(&rnd), slope = 0.05 + 0.3 * random_unit(&rnd),
	       size = 0.3 + 3 * random_unit(&rnd), state = 0;
	for (size_t i = 0; i < PATH_MAX_HOURS; i++) {
		double line = level + slope * (double)i, v = line;
		if (path == WANDERING || path == WALK)
			v += state = (path == WALK ? 1 : 0.9) * state + (path == WALK ? 0.3 : 0.43) * size * noise();
		else if (path == DAILY)
			v += 2 * size * sin(2 * M_PI * (double)i / 24) + 0.3 * size * noise();
		else
			v += (path == OUTLIERS ? 0.5 : 1) * size * noise();
		if (v >= limit) {
			h.reached_ms = i < h.count ? 0 : begin_ms + i * HOUR_MS;
			break;
		}
		if (i < h.count) {
			double seen = v + (path == OUTLIERS && random_below(&rnd, 30) == 0 ? 20 : 0);
			h.samples[i] =
			    (struct trend_sample){begin_ms + i * HOUR_MS, path == FALLING ? 2 * limit - seen : seen};
		}
	}
	return h;
}

/* Of many histories: how often the true time lies within the interval, and before its near end. */
static void expect_coverage(enum path path, double least, double late_most)
{
	int told = 0, covered = 0, late = 0;
	random_init_seed(&rnd, 100 + (uint64_t)path);
	for (int i = 0; i < 300; i++) {
		struct history h = follow(path);
		if (!h.reached_ms)
			continue;
		struct trend t = trend_of(h.samples, h.count, limit, path != FALLING);
		if (t.state != TREND_TOWARDS)
			continue;
		assert_true(t.near_ms <= t.likely_ms && t.likely_ms <= t.far_ms);
		told++;
		late += h.reached_ms < t.near_ms;
		covered += h.reached_ms >= t.near_ms && h.reached_ms <= t.far_ms;
	}
	print_message("path %d: %d told, %.3f covered, %.3f before the near end\n", (int)path, told,
	    (double)covered / told, (double)late / told);
	assert_true(told > 150);
	assert_true((double)covered / told >= least);
	assert_true((double)late / told <= late_most);
}

static void test_intervals_hold_the_truth(void **state)
{
	(void)state;
	expect_coverage(LINE, 0.85, 0.1);
	expect_coverage(FALLING, 0.85, 0.1);
	expect_coverage(DAILY, 0.9, 0.05);
	expect_coverage(OUTLIERS, 0.85, 0.1);
	expect_coverage(WANDERING, 0.75, 0.12);
	expect_coverage(WALK, 0.65, 0.12);
}

static void test_nothing_to_tell(void **state)
{
	(void)state;
	struct trend_sample s[200];
	int towards = 0, alarms = 0;
	random_init_seed(&rnd, 5);
	for (int rep = 0; rep < 200; rep++) {
		for (size_t i = 0; i < 200; i++)
			s[i] = (struct trend_sample){begin_ms + i * HOUR_MS, 60 + 3 * noise()};
		struct trend t = trend_of(s, 200, limit, true);
		towards += t.state == TREND_TOWARDS;
		alarms += trend_alarms(&t, s[199].at_ms, 3 * 24 * (uint64_t)HOUR_MS);
	}
	assert_true(towards <= 30); /* one-sided 5 %, and the newest half may say so as well */
	assert_int_equal(alarms, 0);
	assert_int_equal(trend_of(s, 0, limit, true).state, TREND_UNKNOWN);
	assert_int_equal(trend_of(s, 5, limit, true).state, TREND_UNKNOWN);
	assert_int_equal(trend_of(s, 200, NAN, true).state, TREND_UNKNOWN);
}

/* Cleaned up again and again before it is full: no alarm; teeth that grow: when their tops get there. */
static void test_resets(void **state)
{
	(void)state;
	struct trend_sample s[300];
	random_init_seed(&rnd, 6);
	for (size_t i = 0; i < 300; i++)
		s[i] =
		    (struct trend_sample){begin_ms + i * HOUR_MS, 30 + 50 * fmod((double)i, 30) / 30 + 0.3 * noise()};
	struct trend t = trend_of(s, 295, limit, true);
	assert_int_equal(t.resets, 9);
	assert_false(trend_alarms(&t, s[294].at_ms, 24 * (uint64_t)HOUR_MS));

	for (size_t i = 0; i < 300; i++)
		s[i].value = 30 + (20 + 0.15 * (double)i) * fmod((double)i, 30) / 30 + 0.2 * noise();
	t = trend_of(s, 299, limit, true);
	assert_int_equal(t.state, TREND_TOWARDS);
	uint64_t truth = begin_ms + 359ull * HOUR_MS; /* the first top beyond: 30 + (20 + .15 * 359) * 29/30 = 101.4 */
	assert_true(t.near_ms <= truth && truth <= t.far_ms);

	/* The clean-up has stopped: it is the running tooth that counts. */
	for (size_t i = 0; i < 150; i++)
		s[i].value = 10 + 30 * fmod((double)i, 30) / 30 + 0.2 * noise();
	for (size_t i = 150; i < 200; i++)
		s[i].value = 10 + (double)(i - 150) + 0.2 * noise();
	t = trend_of(s, 200, limit, true);
	assert_int_equal(t.state, TREND_TOWARDS);
	assert_true(trend_alarms(&t, s[199].at_ms, 48 * (uint64_t)HOUR_MS));
	assert_false(trend_alarms(&t, s[199].at_ms, 24 * (uint64_t)HOUR_MS));
}

static void test_one_reset_forgets_what_was_before(void **state)
{
	(void)state;
	struct trend_sample s[200];
	random_init_seed(&rnd, 8);
	for (size_t i = 0; i < 200; i++)
		s[i] = (struct trend_sample){begin_ms + i * HOUR_MS,
		    (i < 120 ? 20 + 0.5 * (double)i : 10 + 0.1 * (double)(i - 120)) + 0.2 * noise()};
	struct trend t = trend_of(s, 124, limit, true);
	assert_int_equal(t.state, TREND_UNKNOWN); /* four hours tell nothing */
	t = trend_of(s, 200, limit, true);
	assert_int_equal(t.state, TREND_TOWARDS);
	assert_true(fabs(t.per_hour - 0.1) < 0.02);
}

/* A leak that began not long ago. */
static void test_the_newest_slope_counts(void **state)
{
	(void)state;
	struct trend_sample s[200];
	random_init_seed(&rnd, 9);
	for (size_t i = 0; i < 200; i++)
		s[i] = (struct trend_sample){
		    begin_ms + i * HOUR_MS, 40 + (i > 150 ? 0.8 * (double)(i - 150) : 0) + 0.5 * noise()};
	struct trend t = trend_of(s, 200, limit, true);
	assert_int_equal(t.state, TREND_TOWARDS);
	uint64_t truth = begin_ms + 225ull * HOUR_MS;
	assert_true(t.near_ms <= truth + 2 * HOUR_MS && truth <= t.far_ms);
	assert_true(t.far_ms - t.near_ms < 40ull * HOUR_MS);
}

static void test_bad_samples(void **state)
{
	(void)state;
	struct trend_sample s[120];
	for (size_t i = 0; i < 120; i++)
		s[i] = (struct trend_sample){begin_ms + i / 2 * HOUR_MS, i % 7 == 3    ? NAN
									 : i % 11 == 5 ? INFINITY
										       : (double)i / 2};
	s[40].at_ms = 5; /* the clock went back for a moment */
	s[60].at_ms = begin_ms + 30 * HOUR_MS;
	struct trend t = trend_of(s, 120, limit, true);
	assert_int_equal(t.state, TREND_TOWARDS);
	assert_true(fabs(t.per_hour - 1) < 0.1);
	for (size_t i = 0; i < 120; i++)
		s[i].value = NAN;
	assert_int_equal(trend_of(s, 120, limit, true).state, TREND_UNKNOWN);
}

static void test_reached(void **state)
{
	(void)state;
	struct trend_sample s[40];
	for (size_t i = 0; i < 40; i++)
		s[i] = (struct trend_sample){begin_ms + i * HOUR_MS, 61 + (double)i};
	struct trend t = trend_of(s, 40, limit, true);
	assert_int_equal(t.state, TREND_REACHED);
	assert_true(trend_alarms(&t, s[39].at_ms, 0));
	assert_int_equal(trend_of(s, 40, 99, true).state, TREND_REACHED); /* and beyond */
	assert_int_equal(trend_of(s, 40, 99, false).state, TREND_STEADY); /* away from it */
}

/* Flat for two days and a half, then filling: as soon as half a day shows it and until it is full. */
static void test_what_begins_to_fill_is_seen_all_the_way(void **state)
{
	(void)state;
	struct trend_sample s[135];
	for (size_t i = 0; i < 135; i++) {
		double at = i < 60 ? 20 : 20 + (double)(i - 59);
		s[i] = (struct trend_sample){(i + 1) * (uint64_t)HOUR_MS, at + (i % 2 ? 0.02 : -0.02)};
		if (i < 60 + 15)
			continue;
		struct trend t = trend_of(s, i + 1, 100, true);
		uint64_t truth_ms = 140 * (uint64_t)HOUR_MS;
		assert_int_equal(t.state, TREND_TOWARDS);
		assert_in_range(t.likely_ms, truth_ms - (uint64_t)HOUR_MS, truth_ms + (uint64_t)HOUR_MS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_intervals_hold_the_truth),
	    cmocka_unit_test(test_nothing_to_tell),
	    cmocka_unit_test(test_resets),
	    cmocka_unit_test(test_one_reset_forgets_what_was_before),
	    cmocka_unit_test(test_the_newest_slope_counts),
	    cmocka_unit_test(test_bad_samples),
	    cmocka_unit_test(test_reached),
	    cmocka_unit_test(test_what_begins_to_fill_is_seen_all_the_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
