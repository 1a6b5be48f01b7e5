/* How many refused strangers reach the audit trail. */
#include "controller/center/refusals.h"
#include "tests/lib/unit.h"

static void a_flood_is_told_up_to_the_limit_of_each_minute(void **state)
{
	(void)state;
	struct refusals r = {0};
	for (uint64_t minute = 0; minute < 3; minute++) {
		unsigned told = 0;
		for (uint64_t i = 0; i < 1000; i++) {
			uint64_t now_ms = 1000000 + minute * 60000 + i * 59;
			told += refusals_take(&r, now_ms, "test");
		}
		assert_int_equal(told, REFUSALS_PER_MINUTE);
		assert_int_equal(r.untold, 1000 - REFUSALS_PER_MINUTE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_flood_is_told_up_to_the_limit_of_each_minute)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
