#include <stdlib.h>

#include "controller/anomaly/contrast.h"
#include "shared/base/random.h"
#include "tests/lib/unit.h"

enum { COLUMNS = 2, FEW = 2000, MANY = CONTRAST_ROWS + 1001 };
static float first[MANY * COLUMNS], second[MANY * COLUMNS];
static const double slopes[COLUMNS] = {0.5, 0.5};
static struct random rnd;

static double uniform(void)
{
	return (double)random_below(&rnd, 1u << 20) / (1u << 20);
}

/* Both columns are noise up to 6 nats in both sets; every tenth row of the second set has three more in column 1. */
static void fill(size_t count)
{
	random_init_seed(&rnd, 31);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < COLUMNS; k++) {
			first[i * COLUMNS + k] = (float)(k ? uniform() : 6 * uniform());
			second[i * COLUMNS + k] = (float)(k ? uniform() + (i % 10 ? 0 : 3) : 6 * uniform());
		}
}

static struct contrast *fitted(size_t first_count, size_t second_count)
{
	struct contrast *c = contrast_new(slopes, COLUMNS);
	assert_non_null(c);
	assert_true(contrast_fit(c, first, first_count, second, second_count));
	return c;
}

static void test_what_differs_weighs_and_noise_does_not(void **state)
{
	(void)state;
	for (size_t count = FEW; count <= MANY; count += MANY - FEW) { /* all looked at, and some */
		fill(count);
		struct contrast *c = fitted(count, count);
		for (size_t fold = 0; fold < CONTRAST_FOLDS; fold++) {
			double dull = contrast_odds(c, (float[]){0, 0.5f}, fold),
			       noisy = contrast_odds(c, (float[]){6, 0.5f}, fold),
			       strange = contrast_odds(c, (float[]){0, 3.5f}, fold);
			assert_true(noisy - dull < 1); /* 3 before it was fitted */
			assert_true(strange - dull > 3 && strange > 1 && dull < 0.5);
		}
		contrast_free(c);
	}
}

static void test_more_surprise_never_speaks_for_the_first_set(void **state)
{
	(void)state;
	fill(FEW);
	for (size_t i = 0; i < FEW; i++) /* the first set is the stranger one */
		first[i * COLUMNS] += 4;
	struct contrast *c = fitted(FEW, FEW);
	double before = contrast_odds(c, (float[]){0, 0}, 1);
	for (float x = 0.5f; x < 20; x += 0.5f) {
		double odds = contrast_odds(c, (float[]){x, x}, 1);
		assert_true(odds >= before);
		before = odds;
	}
	contrast_free(c);
}

/* A row that only one fold has is nothing to the curve that judges that fold. */
static void test_a_row_does_not_vouch_for_itself(void **state)
{
	(void)state;
	fill(FEW);
	for (size_t i = 0; i < FEW; i++)
		second[i * COLUMNS + 1] = (float)(uniform() + (i % CONTRAST_FOLDS == 2 ? 3 : 0));
	struct contrast *c = fitted(FEW, FEW);
	double own = contrast_odds(c, (float[]){0, 3.5f}, 2) - contrast_odds(c, (float[]){0, 0.5f}, 2),
	       others = contrast_odds(c, (float[]){0, 3.5f}, 1) - contrast_odds(c, (float[]){0, 0.5f}, 1);
	assert_true(own < 2 && others > 3);
	contrast_free(c);
}

static void test_without_rows_what_was_expected_stands(void **state)
{
	(void)state;
	struct contrast *c = fitted(0, 0);
	double by = contrast_odds(c, (float[]){3, 0}, 0) - contrast_odds(c, (float[]){1, 0}, 0);
	assert_true(by > 0.99 && by < 1.01);
	contrast_free(c);
	contrast_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_differs_weighs_and_noise_does_not),
	    cmocka_unit_test(test_more_surprise_never_speaks_for_the_first_set),
	    cmocka_unit_test(test_a_row_does_not_vouch_for_itself),
	    cmocka_unit_test(test_without_rows_what_was_expected_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
