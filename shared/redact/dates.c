/* Dates: 2023-04-12, 12/04/2023, April 12, 2023, 12th of April 2023.  Years alone stay (45 CFR 164.514(b)(2)(i)(C)). */
#include "shared/redact/lexicon.h"

enum { MONTH_LONGEST = 13 };

/* Up to four digits; *ret_size says how many. */
static unsigned number_at(const struct scan *s, size_t at, size_t *ret_size)
{
	unsigned v = 0;
	size_t n = 0;
	while (n < 5 && is_digit(byte_at(s, at + n)))
		v = v * 10 + (unsigned)(s->text[at + n++] - '0');
	*ret_size = n;
	return v;
}

static bool is_year(unsigned v, size_t digits)
{
	return (digits == 4 && v >= 1880 && v <= 2150) || digits == 2;
}
static bool day_month(unsigned a, unsigned b)
{
	return a >= 1 && b >= 1 && ((a <= 31 && b <= 12) || (a <= 12 && b <= 31));
}

/* 2023-04-12, 12.04.2023, 4/12/23 */
static size_t numeric(const struct scan *s, size_t at)
{
	size_t an, bn, cn;
	unsigned a = number_at(s, at, &an);
	uint8_t separator = byte_at(s, at + an);
	if (an == 0 || !separator || !strchr("-/.", separator))
		return 0;
	unsigned b = number_at(s, at + an + 1, &bn);
	size_t second = at + an + 1 + bn;
	if (bn == 0 || bn > 2 || byte_at(s, second) != separator)
		return 0;
	unsigned c = number_at(s, second + 1, &cn);
	size_t end = second + 1 + cn;
	if (is_digit(byte_at(s, end)) || (byte_at(s, end) == '.' && is_digit(byte_at(s, end + 1))))
		return 0; /* a version or an address */
	if (an == 4)
		return is_year(a, 4) && cn >= 1 && cn <= 2 && b >= 1 && b <= 12 && c >= 1 && c <= 31 ? end : 0;
	if (an > 2 || !is_year(c, cn) || !day_month(a, b))
		return 0;
	bool filled = clinical(s) && an == 2 && bn == 2 && byte_at(s, end) != '-'; /* 05.02.24; 1.2.23 is a version */
	return separator == '.' && cn == 2 && !filled ? 0 : end;
}

/* Monday, Tues: no month follows a day of the month with it. */
static bool is_weekday(const struct scan *s, size_t at, size_t end)
{
	static const char starts[] = "montuewedthufrisatsun";
	size_t n = end - at;
	for (size_t i = 0; n >= 3 && i < sizeof starts - 1; i += 3)
		if (lower(s->text[at]) == (uint8_t)starts[i] && lower(s->text[at + 1]) == (uint8_t)starts[i + 1] &&
		    lower(s->text[at + 2]) == (uint8_t)starts[i + 2])
			return n <= 5 || lower(s->text[end - 3]) == 'd'; /* month */
	return false;
}

static size_t month_end(const struct scan *s, size_t at)
{
	size_t end = at;
	if (!is_letter(byte_at(s, at)))
		return 0;
	while (end - at <= MONTH_LONGEST && is_letter(byte_at(s, end)))
		end++;
	if (end == at || is_alnum(byte_at(s, end)) || !(word_kinds_of(s->text + at, end - at) & WORD_MONTH) ||
	    is_weekday(s, at, end))
		return 0;
	return end;
}

/* "of ", "de ", "del " between the parts of a date: bytes, or 0. */
static size_t part_of(const struct scan *s, size_t at)
{
	if (!byte_at(s, at) || !strchr("od", s->text[at]))
		return 0;
	static const char *const words[] = {"of ", "de ", "del ", "di ", "d'"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (left(s, at) > strlen(words[i]) && memcmp(s->text + at, words[i], strlen(words[i])) == 0)
			return strlen(words[i]);
	return 0;
}

/* " 2023" or ", 2023" or "-2023" or " of 2023" */
static size_t year_after(const struct scan *s, size_t at)
{
	size_t n, from = at;
	while (at - from < 3 && byte_at(s, at) && strchr(" ,.-/'", byte_at(s, at)))
		at++;
	at += part_of(s, at);
	unsigned v = number_at(s, at, &n);
	if (n == 2 && at > from && s->text[at - 1] == '\'' && !is_alnum(byte_at(s, at + n)))
		return at + n; /* '23 */
	if (n == 2 && at > from && (s->text[at - 1] == '-' || s->text[at - 1] == '/') && !is_alnum(byte_at(s, at + n)))
		return at + n; /* 3-Feb-88 */
	if (n == 2 && at == from + 1 && s->text[from] == ' ' && is_upper(s->text[from - 1]) && v >= 20 &&
	    !is_alnum(byte_at(s, at + n)) && byte_at(s, at + n) != ':' && byte_at(s, at + n) != '.')
		return at + n; /* 15 AUG 23 */
	return at > from && n == 4 && is_year(v, n) && !is_alnum(byte_at(s, at + n)) ? at + n : 0;
}

/* "12", "12th"; the end, or 0 */
static size_t day_at(const struct scan *s, size_t at)
{
	size_t n;
	unsigned v = number_at(s, at, &n);
	if (n == 0 || n > 2 || v < 1 || v > 31)
		return 0;
	at += n;
	if (is_alpha(byte_at(s, at)) && is_alpha(byte_at(s, at + 1)) && !is_alnum(byte_at(s, at + 2))) {
		static const char suffixes[] = "stndrdth";
		for (size_t i = 0; i < 8; i += 2)
			if (lower(s->text[at]) == (uint8_t)suffixes[i] &&
			    lower(s->text[at + 1]) == (uint8_t)suffixes[i + 1])
				return at + 2;
	}
	return is_alnum(byte_at(s, at)) || (byte_at(s, at) == '.' && is_digit(byte_at(s, at + 1))) ? 0 : at;
}

/* "3 to | 7 July", "4 au | 9 juin": where the second day begins, or 0. */
static size_t until_day(const struct scan *s, size_t at)
{
	static const char *const words[] = {" to ", " and ", " au ", " al ", " bis ", "-", " - ", "\xe2\x80\x93"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (left(s, at) > strlen(words[i]) && memcmp(s->text + at, words[i], strlen(words[i])) == 0)
			return at + strlen(words[i]);
	return 0;
}

/* "fourth", "twenty-first"; the end, or 0 */
static size_t ordinal_end(const struct scan *s, size_t at)
{
	static const char *const words[] = {"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
	    "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth",
	    "seventeenth", "eighteenth", "nineteenth", "twentieth", "thirtieth", "twenty-", "thirty-"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t n = strlen(words[i]);
		if (left(s, at) < n || memcmp(s->text + at, words[i], n) != 0)
			continue;
		if (words[i][n - 1] == '-')
			return ordinal_end(s, at + n);
		return word_byte(byte_at(s, at + n)) ? 0 : at + n;
	}
	return 0;
}

/* April 12, 2023; April 12; Apr 2023.  "May" and "march" alone are words. */
static size_t month_first(const struct scan *s, size_t at)
{
	size_t month = month_end(s, at);
	if (!month)
		return 0;
	size_t next = month + (byte_at(s, month) == '.');
	size_t day_start = skip_spaces(s, next);
	if (byte_at(s, day_start) == '-' || byte_at(s, day_start) == '/')
		day_start++;
	if (left(s, day_start) > 4 && memcmp(s->text + day_start, "the ", 4) == 0)
		day_start += 4;
	size_t day = day_start > month ? day_at(s, day_start) : 0;
	if (!day && day_start > month + 4)
		day = ordinal_end(s, day_start);
	size_t year = year_after(s, day ? day : next);
	return year ? year : day;
}

/* 12 April 2023; 12th of April */
static size_t day_first(const struct scan *s, size_t at)
{
	size_t day = day_at(s, at), second = day ? until_day(s, day) : 0;
	if (second && is_digit(byte_at(s, second)) && day_at(s, second))
		day = day_at(s, second);
	if (!day)
		return 0;
	size_t next = skip_spaces(s, day);
	if (byte_at(s, next) == '-' || byte_at(s, next) == '/')
		next++;
	else if (byte_at(s, next) == '.' && byte_at(s, next + 1) == ' ')
		next += 2; /* 12. Mai */
	next += part_of(s, next);
	size_t month = next > day ? month_end(s, next) : 0;
	if (!month)
		return 0;
	size_t year = year_after(s, month);
	return year ? year : month;
}

/* 5/21, 05-21, 5/2021; 21.5.21: dates only where a word before says so */
size_t match_day_month(const struct scan *s, size_t at)
{
	size_t an, bn, cn;
	unsigned a = number_at(s, at, &an);
	uint8_t separator = byte_at(s, at + an);
	if (an == 0 || an > 2 || !separator || !strchr("/-.", separator))
		return 0;
	unsigned b = number_at(s, at + an + 1, &bn);
	size_t end = at + an + 1 + bn;
	if (separator == '.' && byte_at(s, end) == '.' && day_month(a, b) && bn <= 2) {
		(void)number_at(s, end + 1, &cn);
		return cn == 2 && !is_alnum(byte_at(s, end + 3)) ? end + 3 : 0;
	}
	bool year = bn == 4 && a >= 1 && a <= 12 && is_year(b, 4);
	if (separator == '.' || is_alnum(byte_at(s, end)) || byte_at(s, end) == separator || byte_at(s, end) == '%' ||
	    !(year || (bn >= 1 && bn <= 2 && day_month(a, b))))
		return 0;
	return end;
}

/* 1968年5月12日, with or without the year; the end, or 0. */
static size_t eastern(const struct scan *s, size_t at)
{
	static const char marks[3][4] = {"\xe5\xb9\xb4", "\xe6\x9c\x88", "\xe6\x97\xa5"};
	static const char korean[3][4] = {"\xeb\x85\x84", "\xec\x9b\x94", "\xec\x9d\xbc"};
	size_t parts = 0;
	for (size_t i = 0; i < 3; i++) {
		size_t n, next;
		(void)number_at(s, at, &n);
		next = at + n;
		if (n == 0 || n > 4 || left(s, next) < 3)
			return 0;
		if (memcmp(s->text + next, marks[i], 3) != 0 && memcmp(s->text + next, korean[i], 3) != 0) {
			if (i == 0)
				continue; /* 5月12日 */
			return 0;
		}
		at = skip_spaces(s, next + 3);
		parts++;
		if (i == 2)
			return parts >= 2 ? next + 3 : 0;
	}
	return 0;
}

size_t match_date(const struct scan *s, size_t at)
{
	size_t n = at;
	while (n - at < 5 && is_digit(byte_at(s, n)))
		n++;
	if (n > at && byte_at(s, n) >= 0xe5) {
		size_t far = eastern(s, at);
		if (far)
			return far;
	}
	if (is_alpha(byte_at(s, at)))
		return month_first(s, at);
	size_t end = numeric(s, at);
	return end ? end : day_first(s, at);
}

static bool separates_time(uint8_t b)
{
	return b == ':' || b == '.' || b == '+' || b == '-' || b == 'Z';
}

/* " PM", "am", " a.m." behind a time; the end of it. */
static size_t half_day_end(const struct scan *s, size_t at)
{
	size_t next = skip_spaces(s, at), mark = next + 1 + (byte_at(s, next + 1) == '.');
	if (strchr("apAP", byte_at(s, next)) && byte_at(s, next) && lower(byte_at(s, mark)) == 'm' &&
	    !word_byte(byte_at(s, mark + 1)))
		return mark + 1;
	return at;
}

size_t time_end(const struct scan *s, size_t end)
{
	size_t at = end, stop;
	at += byte_at(s, at) == ',' && byte_at(s, at + 1) == ' ';
	at += byte_at(s, at) == 'T' || byte_at(s, at) == ' ';
	if (left(s, at) > 3 && (memcmp(s->text + at, "at ", 3) == 0 || memcmp(s->text + at, "um ", 3) == 0))
		at += 3;
	for (stop = at; stop - at < 2 && is_digit(byte_at(s, stop));)
		stop++;
	if (at == end || stop == at || byte_at(s, stop) != ':' || !is_digit(byte_at(s, stop + 1)))
		return end;
	while (is_digit(byte_at(s, stop)) || (separates_time(byte_at(s, stop)) && stop - at < 32))
		stop++;
	while (stop > at && (s->text[stop - 1] == '.' || s->text[stop - 1] == '-' || s->text[stop - 1] == ':'))
		stop--;
	return half_day_end(s, stop);
}

/* "Friday, June 14, 2024": from the weekday on. */
static size_t day_and_date(const struct scan *s, struct chunk c)
{
	size_t at = c.end + (byte_at(s, c.end) == '.');
	at = skip_spaces(s, at + (byte_at(s, at) == ','));
	size_t end = at > c.end && at - c.end <= 3 ? match_date(s, at) : 0;
	if (!end && at > c.end && at - c.end <= 3)
		end = match_day_month(s, at); /* Mon 5/6 */
	if (!end && at > c.end && left(s, at) > 4 && memcmp(s->text + at, "the ", 4) == 0 &&
	    is_digit(s->text[at + 4])) {
		end = day_at(s, at + 4); /* Sunday the 12th */
		end = end && is_alpha(s->text[end - 1]) ? end : 0;
	}
	return end ? time_end(s, end) : 0;
}

size_t rule_month(struct scan *s, struct chunk c)
{
	bool weekday = is_weekday(s, c.start, c.end);
	size_t end = weekday ? day_and_date(s, c) : month_first(s, c.start);
	if (end && !weekday)
		end = time_end(s, end);
	if (!end && (is_upper(s->text[c.start]) || (weekday && c.letters >= 6)) && names_day(s))
		end = c.end; /* "on Tuesday", "in April" */
	return end ? emit(s, c.start, end, REDACT_DATE) : 0;
}

/* "Christmas Eve", "on Thanksgiving", with the year behind it: a day of the year as much as its number is. */
static const char *const days[] = {"Christmas Eve", "Christmas Day", "Boxing Day", "New Year's Eve", "New Year's Day",
    "New Years Eve", "New Years Day", "Thanksgiving Day", "Easter Sunday", "Easter Monday", "Good Friday", "Labor Day",
    "Labour Day", "Memorial Day", "Independence Day", "Veterans Day", "Columbus Day", "Valentine's Day", "Mother's Day",
    "Father's Day", "Ash Wednesday", "Fourth of July", "Canada Day", "Bastille Day", "Yom Kippur", "Rosh Hashanah"};
static const char *const alone[] = {"Christmas", "Thanksgiving", "Easter", "Halloween", "Diwali", "Hanukkah"};
uint32_t holiday_starts[26];

static void add_starts(const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		holiday_starts[words[i][0] - 'A'] |= 1u << (words[i][1] - 'a');
}
__attribute__((constructor)) static void fill_starts(void)
{
	add_starts(days, sizeof days / sizeof days[0]);
	add_starts(alone, sizeof alone / sizeof alone[0]);
}

size_t rule_holiday(struct scan *s, struct chunk c)
{
	const uint8_t *p = s->text + c.start;
	size_t n = 0;
	if (!is_lower(byte_at(s, c.start + 1)))
		return 0;
	for (size_t i = 0; byte_at(s, c.end) == ' ' && i < sizeof days / sizeof days[0] && !n; i++)
		if (p[0] == (uint8_t)days[i][0] && p[1] == (uint8_t)days[i][1] && left(s, c.start) >= strlen(days[i]) &&
		    memcmp(p, days[i], strlen(days[i])) == 0)
			n = strlen(days[i]);
	for (size_t i = 0; i < sizeof alone / sizeof alone[0] && !n; i++)
		if (p[0] == (uint8_t)alone[i][0] && c.letters == strlen(alone[i]) &&
		    memcmp(p, alone[i], c.letters) == 0 &&
		    lexicon_exact(recent_hash(s, 1)) & (LEX_TO_DAY | LEX_TO_DATE))
			n = c.letters;
	if (!n || word_byte(byte_at(s, c.start + n)))
		return 0;
	size_t end = c.start + n, year = year_after(s, end);
	return emit(s, c.start, year ? year : end, REDACT_DATE);
}
