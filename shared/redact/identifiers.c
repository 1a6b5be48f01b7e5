/* Numbers of persons and their things: checked ones (cards, accounts), and such as their shape gives away. */
#include <assert.h>

#include "shared/redact/lexicon.h"

enum {
	CARD_DIGITS_MOST = 19,
	IBAN_LEAST = 15,
	IBAN_MOST = 34,      /* ISO 13616 */
	ID_DIGITS_LEAST = 6, /* clinical: a longer number is no lab value */
};

/* ---- checked numbers ---- */

/* ISO/IEC 7812-1 Annex B */
static bool luhn(const uint8_t *digits, size_t n)
{
	unsigned sum = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned v = digits[n - 1 - i];
		if (i % 2 && (v *= 2) > 9)
			v -= 9;
		sum += v;
	}
	return sum % 10 == 0;
}

static bool issuer(const uint8_t *d, size_t n)
{
	unsigned two = d[0] * 10u + d[1], four = two * 100 + d[2] * 10u + d[3];
	switch (n) {
	case 16:
		return d[0] == 4 || (two >= 51 && two <= 55) || (four >= 2221 && four <= 2720) || four == 6011 ||
		       two == 65 || two == 35 || two == 62 || two == 50 || (two >= 56 && two <= 58) || two == 63 ||
		       two == 67;
	case 15:
		return two == 34 || two == 37 || four == 2131 || four == 1800;
	case 14:
		return two == 36 || two == 38 || two == 39 || (two == 30 && d[2] <= 5);
	case 13:
	case 19:
		return d[0] == 4 || two == 62 || two == 63 || two == 67;
	case 12:
		return two == 50 || two == 63 || two == 67;
	default:
		return false;
	}
}

/* The digits, with single spaces or hyphens between; the end, or 0. */
size_t match_card(const struct scan *s, size_t at)
{
	uint8_t digits[CARD_DIGITS_MOST + 1];
	size_t n = 0, end = at, separators = 0;
	for (size_t i = at; i < s->size && n <= CARD_DIGITS_MOST; i++) {
		uint8_t b = s->text[i];
		if (is_digit(b)) {
			digits[n++] = (uint8_t)(b - '0');
			end = i + 1;
		} else if ((b == ' ' || b == '-') && i > at && is_digit(s->text[i - 1]) && is_digit(byte_at(s, i + 1)))
			separators++;
		else
			break;
	}
	if (n > CARD_DIGITS_MOST || n < 12 || word_byte(byte_at(s, end)) || separators > 4)
		return 0;
	if (!clinical(s) && !(n == 15 || n == 16))
		return 0;
	return issuer(digits, n) && luhn(digits, n) ? end : 0;
}

/* ISO 13616: the rest by 97 of the number with its first four characters at the end is 1. */
static bool iban_valid(const uint8_t *c, size_t n)
{
	unsigned rest = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t b = c[(i + 4) % n];
		rest =
		    is_digit(b) ? (rest * 10 + (unsigned)(b - '0')) % 97 : (rest * 100 + (unsigned)(b - 'A') + 10) % 97;
	}
	return rest == 1;
}

size_t match_iban(const struct scan *s, size_t at)
{
	uint8_t c[IBAN_MOST];
	size_t n = 0, end = 0;
	if (!is_upper(byte_at(s, at)) || !is_upper(byte_at(s, at + 1)) || !is_digit(byte_at(s, at + 2)) ||
	    !is_digit(byte_at(s, at + 3)))
		return 0;
	for (size_t i = at; i < s->size && n < IBAN_MOST; i++) {
		uint8_t b = s->text[i];
		if (b == ' ' && i > at && s->text[i - 1] != ' ')
			continue;
		if (!is_digit(b) && !is_upper(b))
			break;
		c[n++] = b;
		if (n >= IBAN_LEAST && !word_byte(byte_at(s, i + 1)) && iban_valid(c, n))
			end = i + 1;
	}
	return end;
}

/* bc1q…, ltc1q…, addr1…: a name, a 1, and at least 38 of the alphabet of BIP 173. */
static bool is_bech32(const uint8_t *p, size_t n)
{
	size_t at = 0;
	while (at < 5 && is_lower(p[at]))
		at++;
	if (at < 2 || p[at++] != '1' || n - at < 37)
		return false;
	for (; at < n; at++)
		if (!strchr("qpzry9x8gf2tvdw0s3jn54khce6mua7l", p[at]))
			return false;
	return true;
}

/* Base58 and bech32 wallet addresses. */
bool is_wallet(const struct scan *s, struct chunk c)
{
	size_t n = c.end - c.start;
	const uint8_t *p = s->text + c.start;
	if (n >= 40 && n <= 74 && !(c.seen & ~(unsigned)(BYTE_LOWER | BYTE_DIGIT)) && is_bech32(p, n))
		return true;
	if (n == 42 && p[0] == '0' && p[1] == 'x')
		return true;
	if (n < 26 || n > 35 || (p[0] != '1' && p[0] != '3') || !(c.seen & BYTE_LOWER) || !(c.seen & BYTE_UPPER))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(p[i]) || p[i] == '0' || p[i] == 'O' || p[i] == 'I' || p[i] == 'l')
			return false;
	return true;
}

/* ddd-dd-dddd; 0 for what was never issued, and *ret_end says where such a number ends. */
size_t match_ssn(const struct scan *s, size_t at, size_t *ret_end)
{
	struct groups g;
	*ret_end = 0;
	if (!separates(byte_at(s, at + 3)))
		return 0;
	read_groups(s, at, &g);
	if (g.count != 3 || g.size[0] != 3 || g.size[1] != 2 || g.size[2] != 4 || g.parens ||
	    (g.mixed && !clinical(s)) || word_byte(byte_at(s, g.end)))
		return 0;
	if (g.separator != '-' && !(clinical(s) && (g.separator == '.' || g.spaces)))
		return 0;
	const uint8_t *p = s->text + at;
	*ret_end = g.end;
	if (memcmp(p, "000", 3) == 0 || memcmp(p, "666", 3) == 0 || memcmp(p + 4, "00", 2) == 0 ||
	    memcmp(p + 7, "0000", 4) == 0)
		return 0;
	return g.end;
}

/* ---- clinical mode: by their shape ---- */

struct shape { /* of a token */
	size_t size, digits, uppers, lowers, marks, dots, others;
};

static struct shape shape_of(const struct scan *s, size_t at, size_t end)
{
	struct shape h = {.size = end - at};
	for (; at < end; at++) {
		uint8_t b = s->text[at];
		h.digits += is_digit(b);
		h.uppers += is_upper(b);
		h.lowers += is_lower(b) || b >= 0x80;
		h.marks += b == '-' || b == '/' || b == '_';
		h.dots += b == '.';
		bool joined = b == '+' && h.digits >= 6; /* 811228+9874: born more than a hundred years ago */
		h.marks += joined;
		h.others += b == '%' || b == ':' || (b == '+' && !joined) || b == '@';
	}
	return h;
}

/* 000000000: fills a form. */
static bool same_digits(const struct scan *s, size_t at, size_t end)
{
	for (size_t i = at; i < end; i++)
		if (s->text[i] != s->text[at])
			return false;
	return true;
}

/* ISO 3779 with the check digit of 49 CFR 565.15: 17 letters and digits. */
static bool is_vehicle(const uint8_t *p)
{
	static const uint8_t values[] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9},
			     weights[] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
	unsigned sum = 0;
	for (size_t i = 0; i < 17; i++) {
		if (!is_digit(p[i]) && (!is_upper(p[i]) || !values[p[i] - 'A']))
			return false;
		sum += weights[i] * (unsigned)(is_digit(p[i]) ? p[i] - '0' : values[p[i] - 'A']);
	}
	return p[8] == (sum % 11 == 10 ? 'X' : (uint8_t)('0' + sum % 11));
}

/* "135-145": what values are normal. */
static bool is_range(const struct scan *s, size_t at, size_t end)
{
	return end - at == 7 && s->text[at + 3] == '-' && memcmp(s->text + at, s->text + at + 4, 3) < 0;
}

/* "16/450/5/40", "7.38/42/88/24": values side by side. */
static bool is_settings(const struct scan *s, size_t at, size_t end)
{
	size_t slashes = 0, run = 0;
	for (; at < end; at++) {
		uint8_t b = s->text[at];
		slashes += b == '/';
		run = is_digit(b) ? run + 1 : 0;
		if (run > 3 || !(is_digit(b) || b == '/' || b == '.'))
			return false;
	}
	return slashes >= 3;
}

/* Many digits, or digits among capitals: what no measure, dose or gene is written like. */
static bool is_identifier(const struct scan *s, size_t at, size_t end)
{
	struct shape h = shape_of(s, at, end);
	size_t letters = h.uppers + h.lowers;
	bool thousands = end - at > 12 && end - at < 15 && s->text[end - 4] == '.' && s->text[end - 8] == '.' &&
			 s->text[end - 12] == '.';
	if (h.dots == 3 && !h.marks && !letters && h.size <= 15 && !thousands)
		return false; /* an address of a network, if a wrong one */
	if (!letters && !h.marks && !h.dots && same_digits(s, at, end))
		return false;
	if (h.others || (h.dots && ((letters && h.digits < 12) || h.dots + h.marks < 2 || h.digits < 8)))
		return false;
	if (h.dots >= 5 && !letters && !h.marks && s->text[at] <= '2' && s->text[at + 1] == '.')
		return h.size > 32 && h.digits >= 24; /* 2.16.840.1.113883.6.96: an object of a standard (X.660) */
	if (is_range(s, at, end) || is_settings(s, at, end))
		return false;
	if (h.digits >= ID_DIGITS_LEAST && letters <= h.digits + 4)
		return true;
	if (h.lowers == 0 && h.uppers && (h.digits >= 4 || (h.digits >= 3 && h.size >= 8)))
		return true;
	if (h.size == 36 && h.marks == 4 && s->text[at + 8] == '-' && s->text[at + 23] == '-')
		return true; /* a UUID */
	if (h.size >= 12 && h.digits >= 3 && h.uppers && !h.marks)
		return true; /* serials, keys */
	return h.size == 17 && is_vehicle(s->text + at);
}

/* "willo_1948", "kdubois92": someone's name for a machine; what is made of ordinary words ("server01") is none. */
static bool is_handle(const struct scan *s, size_t at, size_t end)
{
	size_t letters = at, digits;
	while (letters < end && is_alpha(s->text[letters]))
		letters++;
	size_t mark = letters < end && (s->text[letters] == '_' || s->text[letters] == '.');
	for (digits = letters + mark; digits < end && is_digit(s->text[digits]);)
		digits++;
	if (letters - at < 4 || digits != end || end - letters - mark < 2 || end - letters - mark > 5 ||
	    !is_lower(s->text[letters - 1]))
		return false;
	return !(lexicon_find(s->text + at, letters - at) & (LEX_PLAIN | LEX_MEDICAL | LEX_ORG)) &&
	       !(word_kinds_of(s->text + at, letters - at) & (WORD_MONTH | WORD_COMMON));
}

/* "smith_john_mri.pdf", "jonas_peeters84": somebody's name among the parts that underscores divide. */
static bool names_file(const struct scan *s, size_t at, size_t end)
{
	if (!memchr(s->text + at, '_', end - at))
		return false;
	while (at < end) {
		size_t stop = at;
		while (stop < end && is_alpha(s->text[stop]))
			stop++;
		unsigned lex = stop - at >= 3 ? lexicon_find(s->text + at, stop - at) : 0;
		if (lex & (LEX_GIVEN | LEX_FAMILY) && !(lex & (LEX_PLAIN | LEX_MEDICAL)))
			return true;
		at = stop + 1;
	}
	return false;
}

size_t rule_named_file(struct scan *s, struct chunk c)
{
	return names_file(s, c.start, c.end) ? emit(s, c.start, c.end, REDACT_USER) : 0;
}

size_t rule_identifier(struct scan *s, struct chunk c)
{
	if (c.seen & BYTE_LOWER && is_handle(s, c.start, c.end))
		return emit(s, c.start, c.end, REDACT_USER);
	bool numbered = c.start > 0 && s->text[c.start - 1] == '#';
	size_t check =
	    byte_at(s, c.end) == '(' && is_alnum(byte_at(s, c.end + 1)) && byte_at(s, c.end + 2) == ')' ? 3 : 0;
	if (!is_identifier(s, c.start, c.end) && !(numbered && shape_of(s, c.start, c.end).digits >= 4))
		return 0;
	return emit(s, c.start - numbered, c.end + check, REDACT_ID);
}

/* "699 956 915", "467-3395", "51 824 753 556": groups of digits that are no years, the end or 0. */
size_t match_groups(const struct scan *s, size_t at)
{
	size_t end = at, digits = 0, groups = 0, longest = 0, last = 0;
	for (size_t i = at; groups < 8;) {
		size_t n = 0;
		while (n < 12 && is_digit(byte_at(s, i + n)))
			n++;
		if (n == 0)
			break;
		digits += n;
		groups++;
		longest = n > longest ? n : longest;
		last = n;
		end = i + n;
		uint8_t b = byte_at(s, end);
		if ((b != ' ' && b != '-') || !is_digit(byte_at(s, end + 1)))
			break;
		i = end + 1;
	}
	uint8_t next = byte_at(s, end);
	bool years = groups == 2 && digits == 8 && last == 4;
	if (groups < 2 || digits < 7 || longest < 3 || years || word_byte(next) || next == '%' || next == '/' ||
	    ((next == '.' || next == ',' || next == ':') && is_digit(byte_at(s, end + 1))))
		return 0;
	return end;
}

/* Open Location Code: eight letters and digits that make no words, a plus, two or three more; the end, or 0. */
size_t match_plus_code(const struct scan *s, size_t at)
{
	static const char alphabet[] = "23456789CFGHJMPQRVWX";
	size_t end = at;
	for (size_t i = 0; i < 12; i++, end++) {
		uint8_t b = byte_at(s, end);
		if (i == 8 ? b != '+' : !b || !strchr(alphabet, b))
			break;
	}
	return end - at >= 11 && !word_byte(byte_at(s, end)) ? end : 0;
}

/* ICAO 9303, part 4: capitals, digits and fillers, in lines of 30 to 44; the end, or 0. */
size_t match_travel_lines(const struct scan *s, size_t at)
{
	enum { LINE_LEAST = 28, LINE_MOST = 44 };
	size_t end = 0, next = at, lines = 0;
	for (; lines < 3; lines++) {
		size_t stop = next, fillers = 0;
		while (stop - next <= LINE_MOST &&
		       (is_upper(byte_at(s, stop)) || is_digit(byte_at(s, stop)) || byte_at(s, stop) == '<'))
			fillers += s->text[stop++] == '<';
		if (stop - next < LINE_LEAST || stop - next > LINE_MOST || (!fillers && !lines))
			break;
		end = stop;
		next = stop + (byte_at(s, stop) == '\r');
		if (byte_at(s, next) != '\n')
			break;
		next++;
	}
	return end;
}

/* GS1 General Specifications, section 7: numbers in parentheses, each before its value; two at least, or a GTIN. */
size_t rule_elements(struct scan *s, size_t at)
{
	size_t end = 0, count = 0, first = 0;
	for (size_t next = at; count < 8 && byte_at(s, next) == '('; count++) {
		size_t stop = next + 1;
		while (stop - next < 5 && is_digit(byte_at(s, stop)))
			stop++;
		if (stop - next < 3 || byte_at(s, stop) != ')')
			break;
		size_t value = ++stop;
		while (stop - value < 20 && (is_alnum(byte_at(s, stop)) || byte_at(s, stop) == '-'))
			stop++;
		if (stop - value < 4)
			break;
		first = count ? first : stop - value;
		next = end = stop;
	}
	return end && (count >= 2 || first == 14) ? emit(s, at, end, REDACT_ID) : 0;
}

/* "jw 22 34 51 b": a national insurance number as people type it. */
size_t match_small_shape(const struct scan *s, size_t at)
{
	const char *p = "XX 99 99 99 X";
	for (; *p; p++, at++) {
		uint8_t b = byte_at(s, at);
		if (*p == 'X' ? !is_lower(b) : *p == '9' ? !is_digit(b) : b != ' ')
			return 0;
	}
	return word_byte(byte_at(s, at)) ? 0 : at;
}

/* Letters and digits in the groups of a state's registers, of which each alone says little: "AA 12 34 56 B" (national
 * insurance), "AB51 ABC", "B-AB 1234", "34 ABC 123" (plates).  X: a letter, 9: a digit, the rest as it is. */
static const char *const shapes[] = {"XX 99 99 99 X", "XX X9999999", "XX X999-9999", "XX 99999999", "XX 999999 X",
    "XX99 XXX", "X999 XXX", "XXX 999X", "XXX999X", "X-XX 9999", "X-XX 999", "XX-XX 9999", "XX-XX 999", "XX-X 9999",
    "XX 99 XX 9999", "XX 99 X 9999", "XX-99-XX-9999", "99 XXX 999", "99 XX 9999", "99 XXXX 99", "XXX-9999", "XXX-999",
    "999-XXX", "XX 999-XXX", "XX XXX-9999", "XX 99999", "999 XXX", "99 999999 X 999", "XX-999-XX", "9XXX999",
    "XX 9999999", "XX 999 999", "X9999-9999-9999", "99-XX-9999", "HRB 99999", "HRA 99999", "HRB 999999", "HRA 999999",
    "XX 99999 XX", "XXXX 9999 9999", "X XX 999", "X XX 9999", "XX 999999X", "XXXXX 999999 X99XX", "XXXXX 999999 XX9XX",
    "XX99XXX", "X999XXX", "XX99 XX 9999", "999999+9999", "99 999999 X 999", "XX 9X9X9X", "XX-99-99", "99-XX-99",
    "99-99-XX", "999-XX-99", "99-XXX-9", "X 99999 XX", "9999-999-999-XX", "9999 999 999 XX", "XX 99 9999 9999"};

/* The shapes by how they begin: letters or digits, how many, and what follows them. */
enum { SHAPE_RUN_MAX = 6, SHAPE_NEXT = 3, SHAPE_BUCKET = 24 };
static uint8_t shape_buckets[2][SHAPE_RUN_MAX + 1][SHAPE_NEXT][SHAPE_BUCKET]; /* index + 1; 0 ends */

static size_t next_kind(uint8_t b)
{
	return b == ' ' ? 0 : b == '-' ? 1 : 2;
}

__attribute__((constructor)) static void sort_shapes(void)
{
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		const char *p = shapes[i];
		bool digits = *p == '9';
		size_t n = 0, k = 0;
		while (digits ? p[n] == '9' : p[n] != '9' && is_upper((uint8_t)p[n]))
			n++;
		assert(n && n <= SHAPE_RUN_MAX);
		uint8_t *bucket = shape_buckets[digits][n][next_kind((uint8_t)p[n])];
		while (bucket[k])
			k++;
		assert(k + 1 < SHAPE_BUCKET);
		bucket[k] = (uint8_t)(i + 1);
	}
}

static bool fits(const struct scan *s, size_t at, const char *p, size_t *ret_end)
{
	for (; *p; p++, at++) {
		uint8_t b = byte_at(s, at);
		if (*p == 'X' ? !is_upper(b) : *p == '9' ? !is_digit(b) : b != (uint8_t)*p)
			return false;
	}
	*ret_end = at;
	return !word_byte(byte_at(s, at)) && byte_at(s, at) != '-';
}

/* "PLT 233 MCV 89.4": the letters behind the number [.., at) belong to the next number. */
static bool heads_column(const struct scan *s, size_t at, size_t end)
{
	return byte_at(s, at) == ' ' && is_upper(s->text[end - 1]) &&
	       (is_digit(byte_at(s, skip_spaces(s, end))) ||
		   lexicon_find(s->text + at + 1, end - at - 1) & LEX_MEDICAL);
}

size_t match_shape(const struct scan *s, size_t at)
{
	bool digits = is_digit(byte_at(s, at));
	size_t n = 0, end;
	while (n <= SHAPE_RUN_MAX && (digits ? is_digit(byte_at(s, at + n)) : is_upper(byte_at(s, at + n))))
		n++;
	if (n == 0 || n > SHAPE_RUN_MAX || is_lower(byte_at(s, at + n)))
		return 0;
	for (const uint8_t *i = shape_buckets[digits][n][next_kind(byte_at(s, at + n))]; *i; i++)
		if (fits(s, at, shapes[*i - 1], &end))
			return digits && heads_column(s, at + n, end) ? 0 : end;
	return 0;
}
