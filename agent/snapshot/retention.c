#include "agent/snapshot/retention.h"

#include <time.h>

enum { HOUR_MS = 60 * 60 * 1000, EPOCH_WEEKDAY = 3 }; /* 1 January 1970 was a Thursday: three days after Monday */

static uint64_t hour_of(uint64_t ms)
{
	return ms / HOUR_MS;
}
static uint64_t day_of(uint64_t ms)
{
	return ms / DAY_MS;
}
static uint64_t week_of(uint64_t ms)
{
	return (ms / DAY_MS + EPOCH_WEEKDAY) / 7;
}
static uint64_t month_of(uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	return gmtime_r(&seconds, &tm) ? (uint64_t)tm.tm_year * 12 + (uint64_t)tm.tm_mon : 0;
}

static void keep_periods(struct retained *points, size_t count, uint32_t periods, uint64_t (*period_of)(uint64_t ms))
{
	uint64_t last = UINT64_MAX;
	for (size_t i = 0; i < count && periods; i++) {
		uint64_t period = period_of(points[i].taken_ms);
		if (period == last)
			continue;
		last = period;
		points[i].keep = true;
		periods--;
	}
}

void retention_choose(struct retained *points, size_t count, const struct keep_config *keep)
{
	bool everything = !keep->hourly && !keep->daily && !keep->weekly && !keep->monthly;
	bool verified = false;
	for (size_t i = 0; i < count; i++) {
		points[i].keep = everything || i == 0 || points[i].fixed || (points[i].verified && !verified);
		verified = verified || points[i].verified;
	}
	keep_periods(points, count, keep->hourly, hour_of);
	keep_periods(points, count, keep->daily, day_of);
	keep_periods(points, count, keep->weekly, week_of);
	keep_periods(points, count, keep->monthly, month_of);
}
