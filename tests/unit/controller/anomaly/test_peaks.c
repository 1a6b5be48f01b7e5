#include <math.h>

#include "controller/anomaly/peaks.h"
#include "controller/anomaly/window.h"
#include "shared/base/random.h"
#include "tests/lib/unit.h"

/* Peaks 10 rows apart, of which none stands out. */
static struct peaks usual(void)
{
	struct peaks p = {0};
	for (uint64_t i = 0; i < 8; i++)
		(void)peaks_add(&p, 10 + (double)(i % 3), i * 10, 2, 0);
	return p;
}

static void test_a_new_height_surprises_by_how_much(void **state)
{
	(void)state;
	struct peaks a = usual(), b = usual(), c = usual();
	double within = peaks_add(&a, 11, 100, 2, 0), above = peaks_add(&b, 14, 100, 2, 0),
	       far = peaks_add(&c, 40, 100, 2, 0);
	assert_true(within == PEAKS_NONE);
	assert_true(above > 0 && far > 2 * above);
}

static void test_what_goes_on_is_one_peak(void **state)
{
	(void)state;
	struct peaks p = usual();
	double first = peaks_add(&p, 30, 100, 2, 0), second = peaks_add(&p, 30, 101, 2, 0);
	assert_true(first > 0 && second == first); /* still measured against what was before */
	assert_true(peaks_add(&p, 30, 200, 2, 0) == 0);
	assert_true(peaks_add(&p, 29, 300, 2, 0) == PEAKS_NONE); /* has been higher */
}

static void test_nothing_surprises_before_there_are_peaks(void **state)
{
	(void)state;
	struct peaks p = {0};
	assert_true(peaks_add(&p, 1, 0, 2, 0) == PEAKS_NONE);
	assert_true(peaks_add(&p, 100, 10, 2, 0) == PEAKS_NONE);
}

static void test_many_peaks_keep_the_highest(void **state)
{
	(void)state;
	struct peaks p = {0};
	for (uint64_t i = 0; i < 200; i++)
		(void)peaks_add(&p, 10 + (double)(i % 2), i * 10, 2, 0);
	assert_int_equal(p.count, PEAKS_KEPT);
	assert_true(peaks_add(&p, 9, 3000, 2, 0) == PEAKS_NONE);
	assert_true(peaks_add(&p, 15, 3010, 2, 0) > 0);
	assert_true(peaks_add(&p, 15, 3100, 2, 0) == 0);
	assert_true(peaks_add(&p, 14, 3200, 2, 0) == PEAKS_NONE);
}

static void test_what_is_granted_surprises_nobody(void **state)
{
	(void)state;
	struct peaks p = usual(), q = usual();
	assert_true(peaks_add(&p, 40, 100, 2, 0) > 0);
	assert_true(peaks_add(&q, 40, 100, 2, 41) == PEAKS_NONE);
	assert_true(peaks_add(&q, 90, 200, 2, 41) > 0);
}

static void test_below_zero_nothing_surprises(void **state)
{
	(void)state;
	struct peaks p = {0};
	for (uint64_t i = 0; i < 20; i++)
		assert_true(peaks_add(&p, -10 + (double)i / 3, i * 10, 2, 0) == PEAKS_NONE);
	assert_true(peaks_add(&p, 1, 300, 2, 0) > 1); /* the first above it does */
}

static void test_window_quantiles_are_of_the_newest(void **state)
{
	(void)state;
	struct window w;
	struct random r;
	random_init_seed(&r, 3);
	assert_true(window_init(&w, 64));
	assert_true(window_quantile(&w, 0.5) == 0);
	for (int i = 0; i < 1000; i++)
		window_add(&w, random_unit(&r));
	for (int i = 0; i < 64; i++)
		window_add(&w, 100 + i * 37 % 64);
	for (int i = 0; i < 64; i++)
		assert_true(window_quantile(&w, i / 64.0) == 100 + i);
	window_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_new_height_surprises_by_how_much),
	    cmocka_unit_test(test_what_goes_on_is_one_peak),
	    cmocka_unit_test(test_nothing_surprises_before_there_are_peaks),
	    cmocka_unit_test(test_many_peaks_keep_the_highest),
	    cmocka_unit_test(test_what_is_granted_surprises_nobody),
	    cmocka_unit_test(test_below_zero_nothing_surprises),
	    cmocka_unit_test(test_window_quantiles_are_of_the_newest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
