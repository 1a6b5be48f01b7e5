#include "agent/snapshot/retention.h"

#include <time.h>

#include "agent/snapshot/limits.h"

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

/* Of one kind: suspect ones, or those that are not. */
static void keep_periods(
    struct retained *points, size_t count, bool suspect, uint32_t periods, uint64_t (*period_of)(uint64_t ms))
{
	uint64_t last = UINT64_MAX;
	for (size_t i = 0; i < count && periods; i++) {
		if (points[i].safety || points[i].suspect != suspect)
			continue;
		uint64_t period = period_of(points[i].taken_ms);
		if (period == last)
			continue;
		last = period;
		points[i].keep = true;
		periods--;
	}
}

static void keep_always(struct retained *points, size_t count, uint64_t now_ms)
{
	bool verified = false, verified_good = false, safety = false;
	for (size_t i = 0; i < count; i++) {
		struct retained *p = &points[i];
		bool good = p->verified && !p->suspect && !p->safety;
		p->keep = i == 0 || p->fixed || (p->verified && !verified) || (good && !verified_good);
		if (p->safety && (!safety || p->taken_ms + SAFETY_KEEP_MS > now_ms))
			p->keep = true;
		verified = verified || p->verified;
		verified_good = verified_good || good;
		safety = safety || p->safety;
	}
}

void retention_choose(struct retained *points, size_t count, const struct keep_config *keep, uint64_t now_ms)
{
	bool everything = !keep->hourly && !keep->daily && !keep->weekly && !keep->monthly;
	keep_always(points, count, now_ms);
	for (size_t i = 0; everything && i < count; i++)
		points[i].keep = true;
	for (int suspect = 0; suspect < 2; suspect++) {
		keep_periods(points, count, suspect, keep->hourly, hour_of);
		keep_periods(points, count, suspect, keep->daily, day_of);
		keep_periods(points, count, suspect, keep->weekly, week_of);
		keep_periods(points, count, suspect, keep->monthly, month_of);
	}
}
