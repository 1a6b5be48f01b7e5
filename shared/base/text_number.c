/* shared/base/text_number.c: numbers, durations and sizes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

/* The run of digits at *at; moves *at behind it.  False: no digit, or more than 64 bits. */
static bool digits(const char **at, uint64_t *ret)
{
	const char *p = *at;
	uint64_t v = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == *at)
		return false;
	*at = p;
	*ret = v;
	return true;
}

enum err_code text_u64(const char *s, uint64_t *ret, struct err *reterr)
{
	const char *at = s;
	uint64_t v;
	if (!digits(&at, &v) || *at)
		return err_set(reterr, ERR_INVALID, "\"%.40s\" is no whole number from 0 to %" PRIu64, s, UINT64_MAX);
	*ret = v;
	return ERR_OK;
}

enum err_code text_i64(const char *s, int64_t *ret, struct err *reterr)
{
	bool minus = s[0] == '-';
	const char *at = s + minus;
	uint64_t v, most = (uint64_t)INT64_MAX + minus;
	if (!digits(&at, &v) || *at || v > most)
		return err_set(reterr, ERR_INVALID, "\"%.40s\" is no whole number of 64 bits with sign", s);
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return ERR_OK;
}

static const char *skip_digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* strtod also takes white space, "inf", "nan" and hexadecimal: the form is checked first. */
static bool decimal_form(const char *p)
{
	p += *p == '-';
	const char *end = skip_digits(p);
	if (end == p)
		return false;
	if (*end == '.') {
		p = end + 1;
		end = skip_digits(p);
		if (end == p)
			return false;
	}
	if (*end == 'e' || *end == 'E') {
		p = end + 1;
		p += *p == '+' || *p == '-';
		end = skip_digits(p);
		if (end == p)
			return false;
	}
	return *end == '\0';
}

enum err_code text_f64(const char *s, double *ret, struct err *reterr)
{
	double v = decimal_form(s) ? strtod(s, NULL) : HUGE_VAL;
	if (!isfinite(v))
		return err_set(reterr, ERR_INVALID, "\"%.40s\" is no finite decimal number", s);
	*ret = v;
	return ERR_OK;
}

struct unit {
	const char *name;
	uint64_t worth;
};

/* "ms" is looked for before "m". */
static const struct unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}};

static const struct unit size_units[] = {
    {"KiB", (uint64_t)1 << 10}, {"MiB", (uint64_t)1 << 20}, {"GiB", (uint64_t)1 << 30}, {"TiB", (uint64_t)1 << 40}};

static const struct unit *duration_unit(const char **at)
{
	for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++)
		if (text_starts(*at, duration_units[i].name)) {
			*at += strlen(duration_units[i].name);
			return &duration_units[i];
		}
	return NULL;
}

enum err_code text_duration_ms(const char *s, uint64_t *ret, struct err *reterr)
{
	uint64_t total = 0, last_worth = UINT64_MAX;
	const char *at = s;
	do {
		uint64_t n;
		const struct unit *unit = digits(&at, &n) ? duration_unit(&at) : NULL;
		if (!unit || unit->worth >= last_worth || __builtin_mul_overflow(n, unit->worth, &n) ||
		    __builtin_add_overflow(total, n, &total))
			return err_set(reterr, ERR_INVALID,
			    "\"%.40s\" is no duration; write it as 250ms, 30s, 5m, 1h30m or 7d", s);
		last_worth = unit->worth;
	} while (*at);
	*ret = total;
	return ERR_OK;
}

enum err_code text_size_bytes(const char *s, uint64_t *ret, struct err *reterr)
{
	const char *at = s;
	uint64_t n, worth = 0;
	if (digits(&at, &n)) {
		worth = *at == '\0';
		for (size_t i = 0; i < sizeof(size_units) / sizeof(size_units[0]); i++)
			if (text_equal(at, size_units[i].name))
				worth = size_units[i].worth;
	}
	if (worth == 0 || __builtin_mul_overflow(n, worth, &n))
		return err_set(
		    reterr, ERR_INVALID, "\"%.40s\" is no size; write it as 512, 64KiB, 1MiB, 10GiB or 2TiB", s);
	*ret = n;
	return ERR_OK;
}

/* "4 min 10 s": whole and part are counts of neighbouring units; a part of zero is left out. */
static char *two_units(uint64_t whole, const char *name, uint64_t part, const char *part_name, char *out)
{
	if (part)
		snprintf(out, TEXT_TIME_MAX, "%" PRIu64 " %s %" PRIu64 " %s", whole, name, part, part_name);
	else
		snprintf(out, TEXT_TIME_MAX, "%" PRIu64 " %s", whole, name);
	return out;
}

static char *with_tenth(uint64_t whole, uint64_t tenth, const char *name, char *out)
{
	if (tenth)
		snprintf(out, TEXT_TIME_MAX, "%" PRIu64 ".%" PRIu64 " %s", whole, tenth, name);
	else
		snprintf(out, TEXT_TIME_MAX, "%" PRIu64 " %s", whole, name);
	return out;
}

char *text_duration_human(uint64_t ms, char out[TEXT_TIME_MAX])
{
	uint64_t s = ms / 1000;
	if (ms < 1000)
		return with_tenth(ms, 0, "ms", out);
	if (s < 60)
		return with_tenth(s, ms % 1000 / 100, "s", out);
	if (s < 3600)
		return two_units(s / 60, "min", s % 60, "s", out);
	if (s < 86400)
		return two_units(s / 3600, "h", s % 3600 / 60, "min", out);
	return two_units(s / 86400, "d", s % 86400 / 3600, "h", out);
}

char *text_size_human(uint64_t bytes, char out[TEXT_TIME_MAX])
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;
	while (unit + 1 < sizeof(names) / sizeof(names[0]) && bytes >> (10 * (unit + 1)))
		unit++;
	uint64_t worth = (uint64_t)1 << (10 * unit);
	return with_tenth(bytes / worth, bytes % worth * 10 / worth, names[unit], out);
}
