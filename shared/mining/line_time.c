/* Timestamps at the front of a line, in the orders that programs use. */
#include <string.h>

#include "shared/mining/line_internal.h"

struct moment {
	unsigned year, month, day, hour, minute, second, ms;
	int offset_minutes;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted from March so that the leap day comes last. */
static int64_t days_of(unsigned y, unsigned m, unsigned d)
{
	int64_t year = (int64_t)y - (m <= 2);
	int64_t era = year / 400, in_era = year - era * 400;
	int64_t in_year = (153 * (int64_t)(m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static uint64_t moment_ms(const struct moment *t)
{
	int64_t s = days_of(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 + t->second -
		    t->offset_minutes * 60;
	return s > 0 ? (uint64_t)s * 1000 + t->ms : 0;
}

static bool moment_valid(const struct moment *t)
{
	return t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= 31 && t->hour < 24 && t->minute < 60 &&
	       t->second <= 60;
}

/* Exactly `count` digits. */
static bool take_digits(const char **p, const char *end, size_t count, unsigned *ret)
{
	unsigned v = 0;
	if ((size_t)(end - *p) < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!line_is_digit((*p)[i]))
			return false;
		v = v * 10 + (unsigned)((*p)[i] - '0');
	}
	*p += count;
	*ret = v;
	return true;
}

static bool take_char(const char **p, const char *end, const char *any)
{
	if (*p >= end || !**p || !strchr(any, **p))
		return false;
	++*p;
	return true;
}

/* 12:30:01[.,]123; separators ':' or '.' */
static bool take_clock(const char **p, const char *end, struct moment *t)
{
	if (!take_digits(p, end, 2, &t->hour) || !take_char(p, end, ":.") || !take_digits(p, end, 2, &t->minute) ||
	    !take_char(p, end, ":.") || !take_digits(p, end, 2, &t->second))
		return false;
	const char *q = *p;
	if (take_char(&q, end, ".,:") && q < end && line_is_digit(*q)) {
		unsigned scale = 100;
		for (; q < end && line_is_digit(*q); q++, scale /= 10)
			t->ms += (unsigned)(*q - '0') * scale;
		*p = q;
	}
	return true;
}

static void take_zone(const char **p, const char *end, struct moment *t)
{
	const char *q = *p;
	unsigned hours, minutes;
	if (q < end && *q == ' ' && end - q > 5 && (q[1] == '+' || q[1] == '-') && line_is_digit(q[2]) &&
	    line_is_digit(q[5]))
		q++;
	if (q < end && *q == 'Z') {
		*p = q + 1;
		return;
	}
	if (q < end && (*q == '+' || *q == '-')) {
		int sign = *q == '-' ? -1 : 1;
		q++;
		if (!take_digits(&q, end, 2, &hours))
			return;
		(void)take_char(&q, end, ":");
		if (!take_digits(&q, end, 2, &minutes))
			minutes = 0;
		t->offset_minutes = sign * (int)(hours * 60 + minutes);
		*p = q;
		return;
	}
	size_t n = 0; /* " UTC", " CEST": taken, but not reckoned with */
	if (q < end && *q == ' ')
		for (q++; q + n < end && q[n] >= 'A' && q[n] <= 'Z';)
			n++;
	if (n >= 3 && n <= 4 && q[n - 1] != 'R' && (q[n - 1] == 'T' || q[n - 1] == 'C') &&
	    (q + n == end || line_is_space(q[n]) || q[n] == ']' || q[n] == ','))
		*p = q + n;
}

/* 2015-10-18 18:01:47,978 and its kin; 17/06/09 20:10:40 */
static bool numeric(const char **p, const char *end, struct moment *t)
{
	const char *q = *p;
	char separator;
	if (take_digits(&q, end, 4, &t->year)) {
		if (t->year < 1970 || t->year > 2200)
			return false;
	} else if (take_digits(&q, end, 2, &t->year)) {
		t->year += t->year < 70 ? 2000 : 1900;
	} else {
		return false;
	}
	if (q >= end || !*q || !strchr("-/.", *q))
		return false;
	separator = *q++;
	if (!take_digits(&q, end, 2, &t->month) || q >= end || *q++ != separator || !take_digits(&q, end, 2, &t->day))
		return false;
	if (!take_char(&q, end, " T-_:") || !take_clock(&q, end, t))
		return false;
	take_zone(&q, end, t);
	*p = q;
	return true;
}

static bool take_month(const char **p, const char *end, unsigned *ret)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	if (end - *p < 4)
		return false;
	for (unsigned i = 0; i < 12; i++)
		if (memcmp(*p, months + 3 * i, 3) == 0) {
			*ret = i + 1;
			*p += 3;
			return true;
		}
	return false;
}

static bool take_weekday(const char **p, const char *end)
{
	static const char days[] = "MonTueWedThuFriSatSun";
	const char *q = *p;
	for (size_t i = 0; end - q > 4 && i < 7; i++)
		if (memcmp(q, days + 3 * i, 3) == 0) {
			q += 3;
			(void)take_char(&q, end, ",");
			if (!take_char(&q, end, " "))
				return false;
			*p = q;
			return true;
		}
	return false;
}

/* The year that brings the moment nearest to now, but hardly into the future. */
static unsigned year_for(struct moment t, uint64_t now_ms)
{
	unsigned year = 1970 + (unsigned)(now_ms / 31556952000ull);
	t.year = year;
	return moment_ms(&t) > now_ms + 2 * 86400000ull && year > 1970 ? year - 1 : year;
}

/* Jun 14 15:16:01; Sun Dec 04 04:47:44[.123] 2005; 10/Oct/2000:13:55:36 -0700 */
static bool named(const char **p, const char *end, uint64_t now_ms, struct moment *t)
{
	const char *q = *p;
	if (take_digits(&q, end, 2, &t->day) && take_char(&q, end, "/- ") && take_month(&q, end, &t->month) &&
	    take_char(&q, end, "/- ") && take_digits(&q, end, 4, &t->year) && take_char(&q, end, ": T") &&
	    take_clock(&q, end, t)) {
		take_zone(&q, end, t);
		*p = q;
		return true;
	}
	q = *p;
	*t = (struct moment){0};
	(void)take_weekday(&q, end);
	if (!take_month(&q, end, &t->month) || !take_char(&q, end, " "))
		return false;
	(void)take_char(&q, end, " ");
	if (!take_digits(&q, end, 2, &t->day) && !take_digits(&q, end, 1, &t->day))
		return false;
	const char *year_first = q;
	bool has_year = take_char(&year_first, end, " ") && take_digits(&year_first, end, 4, &t->year) &&
			year_first < end && *year_first == ' ';
	if (has_year)
		q = year_first;
	if (!take_char(&q, end, " ") || !take_clock(&q, end, t))
		return false;
	const char *after = q;
	if (!has_year && take_char(&after, end, " ") && take_digits(&after, end, 4, &t->year) && t->year > 1969 &&
	    t->year < 2200 && (after == end || !line_is_digit(*after))) {
		q = after;
		has_year = true;
	}
	if (!has_year)
		t->year = year_for(*t, now_ms);
	*p = q;
	return true;
}

/* yymmdd hhmmss */
static bool compact(const char **p, const char *end, struct moment *t)
{
	const char *q = *p;
	if (!take_digits(&q, end, 2, &t->year) || !take_digits(&q, end, 2, &t->month) ||
	    !take_digits(&q, end, 2, &t->day) || !take_char(&q, end, " ") || !take_digits(&q, end, 2, &t->hour) ||
	    !take_digits(&q, end, 2, &t->minute) || !take_digits(&q, end, 2, &t->second) ||
	    (q < end && !line_is_space(*q)))
		return false;
	t->year += t->year < 70 ? 2000 : 1900;
	*p = q;
	return true;
}

/* 03-17 16:13:38.811, 10.30 16:49:06: no year */
static bool yearless(const char **p, const char *end, uint64_t now_ms, struct moment *t)
{
	const char *q = *p;
	if (!take_digits(&q, end, 2, &t->month) || !take_char(&q, end, "-./") || !take_digits(&q, end, 2, &t->day) ||
	    !take_char(&q, end, " ") || !take_clock(&q, end, t) || !moment_valid(t))
		return false;
	t->year = year_for(*t, now_ms);
	*p = q;
	return true;
}

/* 20171223-22:15:29:606, 20240501T100000 */
static bool dense(const char **p, const char *end, struct moment *t)
{
	const char *q = *p;
	if (!take_digits(&q, end, 4, &t->year) || t->year < 1970 || t->year > 2200 ||
	    !take_digits(&q, end, 2, &t->month) || !take_digits(&q, end, 2, &t->day) || !take_char(&q, end, "-T_ "))
		return false;
	const char *clock = q;
	if (!take_clock(&q, end, t)) {
		q = clock;
		if (!take_digits(&q, end, 2, &t->hour) || !take_digits(&q, end, 2, &t->minute) ||
		    !take_digits(&q, end, 2, &t->second) || (q < end && line_is_digit(*q)))
			return false;
	}
	take_zone(&q, end, t);
	*p = q;
	return true;
}

/* Seconds, with a fraction or as milliseconds, micro- or nanoseconds, since 1970; 1980 .. 2200. */
static size_t epoch(const char *p, size_t n, uint64_t *ret_ms)
{
	uint64_t v = 0;
	size_t i = 0;
	for (; i < n && i < 19 && line_is_digit(p[i]); i++)
		v = v * 10 + (uint64_t)(p[i] - '0');
	size_t digits = i;
	if (i < n && p[i] == '.' && digits == 10)
		for (i++; i < n && line_is_digit(p[i]);)
			i++;
	if (i < n && !line_is_space(p[i]) && p[i] != ']' && p[i] != ':')
		return 0;
	uint64_t ms = digits == 10   ? v * 1000
		      : digits == 13 ? v
		      : digits == 16 ? v / 1000
		      : digits == 19 ? v / 1000000
				     : 0;
	if (ms < 315532800000ull || ms > 7258118400000ull)
		return 0;
	*ret_ms = ms;
	return i;
}

static bool any_form(const char **p, const char *end, uint64_t now_ms, struct moment *t)
{
	if (numeric(p, end, t))
		return true;
	*t = (struct moment){0};
	if (compact(p, end, t))
		return true;
	*t = (struct moment){0};
	if (dense(p, end, t))
		return true;
	*t = (struct moment){0};
	if (named(p, end, now_ms, t))
		return true;
	*t = (struct moment){0};
	return yearless(p, end, now_ms, t);
}

size_t line_time(const char *p, size_t n, uint64_t now_ms, uint64_t *ret_ms)
{
	const char *end = p + (n < 64 ? n : 64), *q = p;
	struct moment t = {0};
	if (!any_form(&q, end, now_ms, &t))
		return epoch(p, n, ret_ms);
	if (!moment_valid(&t))
		return 0;
	*ret_ms = moment_ms(&t);
	return (size_t)(q - p);
}
