#include "controller/anomaly/spreads.h"
#include "tests/lib/unit.h"

static void test_far_more_or_less_than_usual_is_told(void **state)
{
	(void)state;
	struct spreads s;
	spreads_init(&s, 100);
	for (size_t i = 0; i < 200; i++) {
		assert_true(spreads_learn(&s, 7, 2 + i % 3, 1));   /* 2, 3 or 4 */
		assert_true(spreads_learn(&s, 8, 1 + i % 100, 1)); /* anything up to 100 */
	}
	assert_true(spreads_surprise(&s, 7, 3) < 1);
	assert_true(spreads_surprise(&s, 7, 4) < 2);
	assert_true(spreads_surprise(&s, 7, 40) > 10);
	assert_true(spreads_surprise(&s, 8, 40) < 1);
	assert_true(spreads_surprise(&s, 8, 4000) > spreads_surprise(&s, 8, 400));
	assert_true(spreads_surprise(&s, 9, 40) == 0); /* not known: novelty, which others judge */
	spreads_done(&s);
}

/* What was seen seldom surprises less; taken back, it was never there. */
static void test_few_sessions_tell_little(void **state)
{
	(void)state;
	struct spreads s;
	spreads_init(&s, 100);
	assert_true(spreads_learn(&s, 1, 3, 1));
	double once = spreads_surprise(&s, 1, 30);
	for (int i = 0; i < 50; i++)
		assert_true(spreads_learn(&s, 1, 3, 1));
	assert_true(spreads_surprise(&s, 1, 30) > 3 * once);
	for (int i = 0; i < 51; i++)
		assert_true(spreads_learn(&s, 1, 3, -1));
	assert_true(spreads_surprise(&s, 1, 30) == 0);
	for (int i = 0; i < 50; i++)
		assert_true(spreads_learn(&s, 1, 30, 1));
	assert_true(spreads_surprise(&s, 1, 30) < 1);
	spreads_done(&s);
}

static void test_keys_are_bounded(void **state)
{
	(void)state;
	struct spreads s;
	spreads_init(&s, 300);
	for (uint64_t k = 1; k <= 1000; k++)
		for (int i = 0; i < 30; i++)
			assert_true(spreads_learn(&s, k, 1, 1));
	assert_true(spreads_surprise(&s, 300, 100) > 5);
	assert_true(spreads_surprise(&s, 301, 100) == 0);
	spreads_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_far_more_or_less_than_usual_is_told),
	    cmocka_unit_test(test_few_sessions_tell_little),
	    cmocka_unit_test(test_keys_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
