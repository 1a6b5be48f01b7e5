/* controller/anomaly/season.c: see season.h. */
#include "controller/anomaly/season.h"

#include <math.h>
#include <stdlib.h>

enum {
	DAY_S = 86400,
	DAYS = 28,       /* remembered */
	CELLS = 288,     /* of a day, at most: five minutes */
	PACE_ROWS = 32,  /* rows whose distance decides how wide a cell is */
	RECENT_DAYS = 7, /* behind the first forecast */
	WEEKS = 4,       /* behind the second */
	TRIAL_ROWS = 24, /* forecasts that are judged before one may count */
};
static const double better = 0.8;   /* a forecast is of use that errs less than this share of the median's error */
static const double forget = 0.999; /* of past errors, a row */

struct cell {
	double sum;
	uint32_t rows;
	int32_t day; /* that it is of */
};
struct judged {
	double error, median_error;
	uint64_t rows;
};
struct season {
	int64_t first_s, cell_s;
	uint64_t rows;
	struct judged day, week;
	struct cell cells[CELLS][DAYS];
};

struct season *season_new(void)
{
	return calloc(1, sizeof(struct season));
}

void season_free(struct season *s)
{
	free(s);
}

static double median_of(double *v, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j > 0 && v[j - 1] > v[j]; j--) {
			double t = v[j];
			v[j] = v[j - 1];
			v[j - 1] = t;
		}
	return count % 2 ? v[count / 2] : (v[count / 2 - 1] + v[count / 2]) / 2;
}

/* The median of the cells `step` days apart before day; false: too few. */
static bool forecast(const struct cell *cells, int64_t day, int step, int count, size_t least, double *ret)
{
	double values[RECENT_DAYS];
	size_t n = 0;
	for (int64_t d = day - step; d > day - DAYS && count-- > 0 && d >= 0; d -= step) {
		const struct cell *c = &cells[d % DAYS];
		if (c->rows && c->day == (int32_t)d)
			values[n++] = c->sum / c->rows;
	}
	if (n < least)
		return false;
	*ret = median_of(values, n);
	return true;
}

static void judge(struct judged *j, double value, double expected, double median)
{
	j->error = j->error * forget + fabs(value - expected);
	j->median_error = j->median_error * forget + fabs(value - median);
	j->rows++;
}

static double share(const struct judged *j)
{
	return j->rows >= TRIAL_ROWS && j->median_error > 0 ? j->error / j->median_error : 1;
}

/* Once PACE_ROWS have shown it: no narrower than rows are apart, so that each day finds its cells again. */
static bool has_pace(struct season *s, int64_t time_s)
{
	static const int64_t widths[] = {300, 600, 900, 1800, 3600};
	if (s->cell_s)
		return true;
	if (!s->rows++)
		s->first_s = time_s;
	if (s->rows < PACE_ROWS)
		return false;
	int64_t pace = (time_s - s->first_s) / (PACE_ROWS - 1);
	s->cell_s = widths[0];
	for (size_t i = 1; i < sizeof widths / sizeof widths[0] && pace > s->cell_s; i++)
		s->cell_s = widths[i];
	return true;
}

bool season_add(struct season *s, int64_t time_s, double value, double median, double *ret)
{
	if (time_s < 0 || time_s / DAY_S >= INT32_MAX || !has_pace(s, time_s))
		return false;
	int64_t day = time_s / DAY_S;
	struct cell *cells = s->cells[time_s % DAY_S / s->cell_s];
	double by_day, by_week;
	double day_share = share(&s->day), week_share = share(&s->week);
	bool has_day = forecast(cells, day, 1, RECENT_DAYS, 2, &by_day),
	     has_week = forecast(cells, day, 7, WEEKS - 1, 1, &by_week);
	if (has_day)
		judge(&s->day, value, by_day, median);
	if (has_week)
		judge(&s->week, value, by_week, median);
	struct cell *c = &cells[day % DAYS];
	if (c->day != (int32_t)day)
		*c = (struct cell){.day = (int32_t)day};
	c->sum += value;
	c->rows++;
	if (has_week && week_share < better && (!has_day || week_share < day_share))
		*ret = by_week;
	else if (has_day && day_share < better)
		*ret = by_day;
	else
		return false;
	return true;
}
