/* shared/base/text_time.c: RFC 3339 timestamps.  Calendar arithmetic of our own: timegm() needs a time zone's state. */

#include "shared/base/text.h"

enum { MS_PER_DAY = 86400000, YEAR_MAX = 9999 };

static bool leap_year(unsigned y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned days_in_month(unsigned y, unsigned m)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[m - 1] + (m == 2 && leap_year(y) ? 1u : 0u);
}

/* Days from 1970-01-01 to the first of January of y (>= 1970). */
static uint64_t days_before_year(unsigned y)
{
	unsigned last = y - 1;
	return (uint64_t)(y - 1970) * 365 + (last / 4 - last / 100 + last / 400) - 477; /* 477 leap days up to 1969 */
}

static uint64_t day_number(unsigned y, unsigned m, unsigned d)
{
	uint64_t days = days_before_year(y) + d - 1;
	for (unsigned i = 1; i < m; i++)
		days += days_in_month(y, i);
	return days;
}

char *text_time(uint64_t unix_ms, char out[TEXT_TIME_MAX])
{
	uint64_t last = (days_before_year(YEAR_MAX + 1)) * MS_PER_DAY - 1;
	if (unix_ms > last)
		unix_ms = last;
	uint64_t day = unix_ms / MS_PER_DAY;
	unsigned ms = (unsigned)(unix_ms % MS_PER_DAY);
	unsigned y = 1970 + (unsigned)(day / 366); /* never too late, at most a few years early */
	while (days_before_year(y + 1) <= day)
		y++;
	day -= days_before_year(y);
	unsigned m = 1;
	for (; day >= days_in_month(y, m); m++)
		day -= days_in_month(y, m);
	text_format(out, TEXT_TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", y, m, (unsigned)day + 1, ms / 3600000,
	    ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
	return out;
}

/* Exactly n digits. */
static bool number(const char **at, int n, unsigned least, unsigned most, unsigned *ret)
{
	unsigned v = 0;
	for (; n > 0; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		v = v * 10 + (unsigned)(**at - '0');
	}
	*ret = v;
	return v >= least && v <= most;
}

static bool literal(const char **at, char upper)
{
	if (**at != upper && !(upper >= 'A' && **at == upper + ('a' - 'A')))
		return false;
	(*at)++;
	return true;
}

/* ".123456": milliseconds, what is finer is dropped. */
static bool fraction(const char **at, unsigned *ret_ms)
{
	unsigned ms = 0, worth = 100;
	int n = 0;
	*ret_ms = 0;
	if (**at != '.')
		return true;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, n++, worth /= 10)
		ms += (unsigned)(**at - '0') * worth;
	*ret_ms = ms;
	return n >= 1 && n <= 9;
}

/* "Z" or "+hh:mm": minutes that local time is ahead of UTC. */
static bool offset(const char **at, int *ret_min)
{
	unsigned h, m;
	int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
	*ret_min = 0;
	if (sign == 0)
		return literal(at, 'Z');
	(*at)++;
	if (!number(at, 2, 0, 23, &h) || !literal(at, ':') || !number(at, 2, 0, 59, &m))
		return false;
	*ret_min = sign * (int)(h * 60 + m);
	return true;
}

static bool parse(const char *at, int64_t *ret_ms)
{
	unsigned y, mo, d, h, mi, s, ms;
	int ahead_min;
	if (!number(&at, 4, 1970, YEAR_MAX, &y) || !literal(&at, '-') || !number(&at, 2, 1, 12, &mo) ||
	    !literal(&at, '-') || !number(&at, 2, 1, days_in_month(y, mo), &d) || !literal(&at, 'T'))
		return false;
	if (!number(&at, 2, 0, 23, &h) || !literal(&at, ':') || !number(&at, 2, 0, 59, &mi) || !literal(&at, ':') ||
	    !number(&at, 2, 0, 60, &s) || !fraction(&at, &ms) || !offset(&at, &ahead_min) || *at)
		return false;
	int64_t minutes = (int64_t)day_number(y, mo, d) * 1440 + h * 60 + mi - ahead_min;
	if (s == 60 && (minutes + 1) % 1440 != 0)
		return false; /* leap seconds come at the end of a day of UTC only */
	/* Unix time has no leap second: its milliseconds are those of the second after. */
	*ret_ms = minutes * 60000 + s * 1000 + ms;
	return *ret_ms >= 0;
}

enum err_code text_parse_time(const char *s, uint64_t *ret_unix_ms, struct err *reterr)
{
	int64_t ms;
	if (!parse(s, &ms))
		return err_set(reterr, ERR_INVALID, "\"%.40s\" is no time; write it as 2026-11-23T04:12:33Z", s);
	*ret_unix_ms = (uint64_t)ms;
	return ERR_OK;
}
