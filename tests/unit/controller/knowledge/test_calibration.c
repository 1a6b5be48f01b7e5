/* What a share is worth: rising, never below a half for what is not, and what is no calibration is refused. */
#include "controller/knowledge/calibration.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

static void test_the_shipped_one_rises(void **state)
{
	(void)state;
	const struct calibration *c;
	struct err err = ERR_INIT;
	double last = 0;
	assert_int_equal(calibration_shipped(&c, &err), ERR_OK);
	for (int i = 0; i <= 1000; i++) {
		double is = calibration_of(c, i / 1000.0, NULL);
		assert_true(is >= last && is <= 1);
		assert_true(i >= 500 ? is >= 0.5 : is == i / 1000.0);
		last = is;
	}
	assert_true(last > 0.9);
	assert_true(
	    calibration_of(c, 0.0 / 0.0, NULL) != calibration_of(c, 0.0 / 0.0, NULL)); /* not a number stays none */
}

static void test_what_is_none_is_refused(void **state)
{
	static const char head[] = "name: n\nversion: \"1\"\ntraining: "
				   "1111111111111111111111111111111111111111111111111111111111111111\npoints:\n";
	static const char *const wrong[] = {"  - { share: 0.4, confidence: 0.6 }\n",
	    "  - { share: 0.6, confidence: 0.4 }\n",
	    "  - { share: 0.7, confidence: 0.8 }\n  - { share: 0.6, confidence: 0.9 }\n",
	    "  - { share: 0.7, confidence: 0.8 }\n  - { share: 0.8, confidence: 0.7 }\n",
	    "  - { share: 0.9, confidence: 1.1 }\n",
	    "  - { share: 0.9, confidence: 0.9 }\ngrounds:\n  - { ground: drift, most: 0.4 }\n"};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct arena *arena = arena_new(0);
		struct calibration c;
		struct err err = ERR_INIT;
		char text[512];
		snprintf(text, sizeof text, "%s%s", head, wrong[i]);
		assert_int_equal(calibration_from_text(text, strlen(text), arena, &c, &err), ERR_INVALID);
		arena_free(arena);
	}
}

static void test_a_ground_bounds_it(void **state)
{
	static const char text[] = "name: n\nversion: \"1\"\ntraining: "
				   "1111111111111111111111111111111111111111111111111111111111111111\npoints:\n"
				   "  - { share: 0.9, confidence: 0.98 }\ngrounds:\n  - { ground: probe, most: 0.8 }\n";
	(void)state;
	struct arena *arena = arena_new(0);
	struct calibration c;
	struct err err = ERR_INIT;
	if (calibration_from_text(text, strlen(text), arena, &c, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	assert_true(calibration_of(&c, 0.95, "drift") == 0.98);
	assert_true(calibration_of(&c, 0.95, "probe") == 0.8);
	assert_true(calibration_of(&c, 0.55, "probe") == calibration_of(&c, 0.55, NULL));
	assert_true(calibration_of(&c, 0.3, "probe") == 0.3);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_shipped_one_rises),
	    cmocka_unit_test(test_what_is_none_is_refused),
	    cmocka_unit_test(test_a_ground_bounds_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
