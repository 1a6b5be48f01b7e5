/* Dates and times inside messages: one value, however many words they are written with. */
#include <string.h>

#include "shared/mining/token.h"

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool space(char c)
{
	return c == ' ' || c == '\t';
}
static bool word_ends(const char *p, size_t n, size_t at)
{
	return at >= n || strchr(" \t,;)]}'\".", p[at]) != NULL;
}

static size_t digits(const char *p, size_t n, size_t most)
{
	size_t i = 0;
	while (i < n && i <= most && digit(p[i]))
		i++;
	return i <= most ? i : 0;
}

/* 12:30, 12:30:01, 12:30:01.123 */
static size_t clock_time(const char *p, size_t n)
{
	size_t at = digits(p, n, 2), parts = 1;
	while (at && parts < 3 && at + 2 < n && p[at] == ':' && digit(p[at + 1]) && digit(p[at + 2])) {
		at += 3;
		parts++;
	}
	if (parts < 2)
		return 0;
	if (at + 1 < n && (p[at] == '.' || p[at] == ',') && digit(p[at + 1]))
		at += 1 + digits(p + at + 1, n - at - 1, 9);
	return word_ends(p, n, at) || p[at] == 'Z' || p[at] == '+' || p[at] == '-' ? at : 0;
}

/* 2005-06-03, 03/06/2005, 2005.06.03 */
static size_t numeric_date(const char *p, size_t n)
{
	if (n == 0 || *p < '0' || *p > '9')
		return 0;
	size_t a = digits(p, n, 4);
	if ((a != 4 && a != 2) || a >= n || !strchr("-/.", p[a]) || !p[a])
		return 0;
	size_t b = digits(p + a + 1, n - a - 1, 2), second = a + 1 + b;
	if (b != 2 || second >= n || p[second] != p[a])
		return 0;
	size_t c = digits(p + second + 1, n - second - 1, 4);
	return c == 2 || c == 4 ? second + 1 + c : 0;
}

static size_t in_list(const char *p, size_t n, const char *list)
{
	if (n < 3)
		return 0;
	for (const char *m = list; *m; m += 3)
		if (memcmp(p, m, 3) == 0)
			return n == 3 || !((p[3] >= 'a' && p[3] <= 'z') || (p[3] >= 'A' && p[3] <= 'Z')) ? 3 : 0;
	return 0;
}

static size_t skip_gap(const char *p, size_t n, size_t at)
{
	size_t from = at;
	if (at < n && p[at] == ',')
		at++;
	while (at < n && space(p[at]) && at - from < 3)
		at++;
	return at > from ? at : 0;
}

/* Behind a date: the time, the zone and the year, in any order that is in use. */
static size_t skip_rest(const char *p, size_t n, size_t at)
{
	for (int i = 0; i < 3; i++) {
		size_t next = skip_gap(p, n, at);
		if (!next && at < n && (p[at] == 'T' || p[at] == '-') && i == 0)
			next = at + 1;
		if (!next)
			return at;
		size_t time = clock_time(p + next, n - next), year = digits(p + next, n - next, 4);
		if (time) {
			at = next + time;
			if (at < n && p[at] == 'Z')
				at++;
			continue;
		}
		if (year == 4 && (p[next] == '1' || p[next] == '2') && word_ends(p, n, next + 4)) {
			at = next + 4;
			continue;
		}
		size_t zone = 0;
		while (next + zone < n && p[next + zone] >= 'A' && p[next + zone] <= 'Z')
			zone++;
		if (zone < 3 || zone > 4 || !word_ends(p, n, next + zone) || p[next + zone - 1] != 'T')
			return at;
		at = next + zone;
	}
	return at;
}

/* The bytes of a date that begins at p, or 0.  "Mon Jul 10 03:55:15 2005", "10/Oct/2000", "2005-06-03 15:42:50,123" */
size_t date_size(const char *p, size_t n)
{
	static const char days[] = "MonTueWedThuFriSatSun", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	size_t at = numeric_date(p, n);
	if (at) {
		size_t end = skip_rest(p, n, at);
		return end > at ? end : 0; /* a date alone is one word anyway */
	}
	if (n == 0 || *p < 'A' || *p > 'Z') /* all of these do */
		return 0;
	size_t day = in_list(p, n, days), start = day ? skip_gap(p, n, day) : 0;
	if (day && !start)
		return 0;
	size_t month = in_list(p + start, n - start, months);
	if (!month)
		return 0;
	size_t number = skip_gap(p, n, start + month), size = number ? digits(p + number, n - number, 2) : 0;
	if (!size || !word_ends(p, n, number + size))
		return 0;
	return skip_rest(p, n, number + size);
}

static const char *const units[] = {"B", "KB", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "ms", "us", "ns"};

/* A unit behind a number (" KB", " ms") with the blank before it, or 0. */
size_t unit_size(const char *p, size_t n, unsigned *ret_unit)
{
	*ret_unit = 0;
	for (unsigned i = 0; n > 1 && p[0] == ' ' && i < sizeof units / sizeof units[0]; i++) {
		size_t k = strlen(units[i]);
		if (n > k && memcmp(p + 1, units[i], k) == 0 && word_ends(p, n, k + 1)) {
			*ret_unit = i + 1;
			return k + 1;
		}
	}
	return 0;
}

size_t unit_text_size(unsigned unit)
{
	return unit ? strlen(units[unit - 1]) + 1 : 0;
}
