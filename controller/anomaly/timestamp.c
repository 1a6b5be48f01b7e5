/* controller/anomaly/timestamp.c: see timestamp.h. */
#include "controller/anomaly/timestamp.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static const double least_ms = 1e11; /* a larger number is milliseconds: in seconds it would lie in the year 5138 */
static const double most_ms = 1e15;

/* Exactly n digits. */
static bool digits(const char **at, int n, int64_t *ret)
{
	int64_t v = 0;
	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return false;
		v = v * 10 + ((*at)[i] - '0');
	}
	*at += n;
	*ret = v;
	return true;
}

static bool mark(const char **at, char c)
{
	return **at == c ? ++*at, true : false;
}

/* Days since 1970 in the proleptic Gregorian calendar. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool zone(const char **at, int64_t *ret_s)
{
	int64_t hours, minutes = 0;
	char sign = **at;
	if (mark(at, 'Z') || (sign != '+' && sign != '-')) {
		*ret_s = 0;
		return true;
	}
	++*at;
	if (!digits(at, 2, &hours) || hours > 14)
		return false;
	(void)mark(at, ':');
	if (**at && !digits(at, 2, &minutes))
		return false;
	*ret_s = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
	return true;
}

static bool clock_time(const char **at, int64_t *ret_s)
{
	int64_t hour, minute, second = 0;
	if (!digits(at, 2, &hour) || !mark(at, ':') || !digits(at, 2, &minute) || hour > 24 || minute > 59)
		return false;
	if (mark(at, ':') && !digits(at, 2, &second))
		return false;
	if (mark(at, '.') || mark(at, ','))
		while (isdigit((unsigned char)**at))
			++*at;
	*ret_s = hour * 3600 + minute * 60 + second;
	return true;
}

static bool date_time(const char *at, int64_t *ret_s)
{
	int64_t year, month, day, of_day = 0, offset = 0;
	if (!digits(&at, 4, &year) || !mark(&at, '-') || !digits(&at, 2, &month) || !mark(&at, '-') ||
	    !digits(&at, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	if (mark(&at, 'T') || mark(&at, ' ')) {
		if (!clock_time(&at, &of_day))
			return false;
		(void)mark(&at, ' ');
		if (!zone(&at, &offset))
			return false;
	}
	while (*at == ' ')
		at++;
	if (*at)
		return false;
	*ret_s = days(year, month, day) * 86400 + of_day - offset;
	return true;
}

bool timestamp_parse(const char *text, int64_t *ret_s)
{
	while (*text == ' ')
		text++;
	if (date_time(text, ret_s))
		return true;
	char *end;
	double v = isdigit((unsigned char)*text) ? strtod(text, &end) : NAN;
	if (!(v >= 0 && v < most_ms))
		return false;
	while (*end == ' ')
		end++;
	if (*end)
		return false;
	*ret_s = (int64_t)(v >= least_ms ? v / 1000 : v);
	return true;
}
