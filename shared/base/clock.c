#include "shared/base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
	struct timespec ts;
	int rc = clock_gettime(clock, &ts);
	assert(rc == 0 && ts.tv_sec >= 0);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000;
}

uint64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

uint64_t clock_mono_ms(void)
{
	return read_ns(CLOCK_BOOTTIME) / 1000000;
}

uint64_t clock_mono_us(void)
{
	return read_ns(CLOCK_BOOTTIME) / 1000;
}
