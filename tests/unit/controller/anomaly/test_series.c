#include <math.h>
#include <stdlib.h>

#include "controller/anomaly/series.h"
#include "shared/base/random.h"
#include "tests/lib/unit.h"

enum { FIVE_MINUTES = 300, DAY_ROWS = 288 };
static const int64_t begin_s = 1700006400; /* a midnight */
static struct err err;
static struct random rnd;

static double noise(void)
{
	double sum = 0;
	for (int i = 0; i < 12; i++)
		sum += random_unit(&rnd);
	return sum - 6;
}

static struct series *new_series(void)
{
	struct series *s = NULL;
	random_init_seed(&rnd, 7);
	assert_int_equal(series_new(&s, &err), ERR_OK);
	return s;
}

struct told {
	int count, first; /* alarms in rows from .. to - 1; first: -1 */
};

typedef double shape(int row);

/* Feeds rows 0 .. rows - 1, tells the alarms in from .. to - 1. */
static struct told alarms(shape *f, int rows, int from, int to)
{
	struct series *s = new_series();
	struct told t = {0, -1};
	for (int i = 0; i < rows; i++) {
		double score = series_add(s, begin_s + (int64_t)i * FIVE_MINUTES, f(i));
		assert_true(score >= 0 && score <= 1);
		if (score >= 0.5 && i >= from && i < to) {
			t.first = t.count++ ? t.first : i;
		}
	}
	series_free(s);
	return t;
}

static double plain(int i)
{
	(void)i;
	return 50 + noise();
}
static double spike(int i)
{
	return plain(i) + (i == 2500 ? 40 : 0);
}
static double shift(int i)
{
	return plain(i) + (i >= 2500 ? 6 : 0);
}
static double daily(int i)
{
	return 100 + 60 * sin(2 * M_PI * i / DAY_ROWS) + 2 * noise();
}
/* A day turned upside down: no value, step or pace that other days do not have, but at other hours. */
static double turned_day(int i)
{
	return i >= 10 * DAY_ROWS && i < 11 * DAY_ROWS ? 200 - daily(i) : daily(i);
}
/* Well within what each day brings, at the wrong time of the day. */
static double missing_peak(int i)
{
	return i >= 8 * DAY_ROWS + 20 && i < 8 * DAY_ROWS + 124 ? 100 + 2 * noise() : daily(i);
}
static double flat_line(int i)
{
	return i >= 2500 && i < 2700 ? 50 : plain(i);
}
static double constant(int i)
{
	(void)i;
	return 45;
}
static double leap(int i)
{
	return i < 1000 ? 45 : 46;
}

static void test_a_spike_and_a_shift_are_told_at_once(void **state)
{
	(void)state;
	struct told t = alarms(spike, 3000, 2500, 2600);
	assert_int_equal(t.first, 2500);
	assert_int_equal(t.count, 1);
	t = alarms(shift, 3000, 2500, 2600);
	assert_true(t.first >= 2500 && t.first < 2506);
	assert_true(t.count <= 2);
}

static void test_noise_is_hardly_ever_told(void **state)
{
	(void)state;
	assert_true(alarms(plain, 4000, 600, 4000).count <= 4); /* 1.2 in 1,000 rows */
	assert_true(alarms(daily, 12 * DAY_ROWS, 3 * DAY_ROWS, 12 * DAY_ROWS).count <= 3);
}

static void test_a_season_makes_what_is_missing_visible(void **state)
{
	(void)state;
	int from = 8 * DAY_ROWS + 20;
	struct told t = alarms(missing_peak, 9 * DAY_ROWS, from, from + 104);
	assert_true(t.first >= from && t.count <= 3);
	from = 10 * DAY_ROWS;
	t = alarms(turned_day, 11 * DAY_ROWS, from, from + DAY_ROWS);
	assert_true(t.first >= from && t.first < from + DAY_ROWS / 2);
}

static void test_silence_is_told(void **state)
{
	(void)state;
	struct told t = alarms(flat_line, 3000, 2500, 2700);
	assert_true(t.first > 2500);
}

static void test_constants(void **state)
{
	(void)state;
	assert_int_equal(alarms(constant, 3000, 0, 3000).count, 0);
	struct told t = alarms(leap, 1300, 0, 1300);
	assert_int_equal(t.first, 1000);
	assert_int_equal(t.count, 1);
}

/* The scores of a beginning do not depend on what follows. */
static void test_scores_look_back_alone(void **state)
{
	(void)state;
	double scores[500];
	struct series *s = new_series();
	for (int i = 0; i < 500; i++)
		scores[i] = series_add(s, begin_s + (int64_t)i * FIVE_MINUTES, spike(i + 2200));
	series_free(s);
	s = new_series();
	for (int i = 0; i < 400; i++)
		assert_true(series_add(s, begin_s + (int64_t)i * FIVE_MINUTES, spike(i + 2200)) == scores[i]);
	series_free(s);
}

static void test_missing_values_and_absurd_ones_are_passed_over(void **state)
{
	(void)state;
	struct series *s = new_series(), *t = new_series();
	static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300};
	struct random saved;
	for (int i = 0; i < 400; i++) {
		saved = rnd;
		double a = series_add(s, begin_s + (int64_t)i * FIVE_MINUTES, plain(i));
		rnd = saved;
		double b = series_add(t, begin_s + (int64_t)i * FIVE_MINUTES, plain(i));
		assert_true(a == b);
		assert_true(series_add(t, begin_s + (int64_t)i * FIVE_MINUTES, bad[i % 4]) == 0);
	}
	series_free(s);
	series_free(t);
}

static void test_a_clock_may_jump(void **state)
{
	(void)state;
	static const int64_t times[] = {0, -5, INT64_MAX, SERIES_NO_TIME, 1700000000, 86400, INT64_MAX - 1};
	struct series *s = new_series();
	for (int i = 0; i < 3000; i++) {
		double score = series_add(s, times[i % 7], plain(i));
		assert_true(score >= 0 && score <= 1);
	}
	series_free(s);
}

static void test_large_and_small_numbers(void **state)
{
	(void)state;
	struct series *s = new_series();
	for (int i = 0; i < 6000; i++) {
		double v = ldexp(random_unit(&rnd) - 0.5, (int)random_below(&rnd, 900) - 450);
		double score = series_add(s, begin_s + i, v);
		assert_true(score >= 0 && score <= 1);
	}
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_spike_and_a_shift_are_told_at_once),
	    cmocka_unit_test(test_noise_is_hardly_ever_told),
	    cmocka_unit_test(test_a_season_makes_what_is_missing_visible),
	    cmocka_unit_test(test_silence_is_told),
	    cmocka_unit_test(test_constants),
	    cmocka_unit_test(test_scores_look_back_alone),
	    cmocka_unit_test(test_missing_values_and_absurd_ones_are_passed_over),
	    cmocka_unit_test(test_a_clock_may_jump),
	    cmocka_unit_test(test_large_and_small_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
