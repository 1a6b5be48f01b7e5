#include <time.h>

#include "shared/base/clock.h"
#include "tests/lib/unit.h"

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Each reading lies between two of the kernel's, in its unit. */
static void units_and_clocks(void **state)
{
	(void)state;
	uint64_t wall = now_ns(CLOCK_REALTIME), boot = now_ns(CLOCK_BOOTTIME);
	uint64_t wall_ms = clock_wall_ms(), wall_ns = clock_wall_ns();
	uint64_t mono_ms = clock_mono_ms(), mono_us = clock_mono_us();
	uint64_t wall_after = now_ns(CLOCK_REALTIME), boot_after = now_ns(CLOCK_BOOTTIME);
	assert_in_range(wall_ms, wall / 1000000, wall_after / 1000000);
	assert_in_range(wall_ns, wall, wall_after);
	assert_in_range(mono_ms, boot / 1000000, boot_after / 1000000);
	assert_in_range(mono_us, boot / 1000, boot_after / 1000);
}

static void never_goes_back(void **state)
{
	(void)state;
	uint64_t last = 0;
	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_us();
		assert_true(now >= last);
		last = now;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(units_and_clocks), cmocka_unit_test(never_goes_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
