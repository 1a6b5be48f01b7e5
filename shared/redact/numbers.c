/* What holds digits: network addresses, telephone, card, account and identity numbers, street addresses; and e-mail. */
#include "shared/redact/scan.h"

enum {
	PHONE_DIGITS_LEAST = 10,
	PHONE_DIGITS_MOST = 15, /* E.164 */
	CARD_DIGITS_MOST = 19,
	IBAN_LEAST = 15,
	IBAN_MOST = 34, /* ISO 13616 */
	STREET_WORDS_MAX = 5,
	ID_DIGITS_LEAST = 6, /* clinical: a longer number is no lab value */
};

static bool word_byte(uint8_t b)
{
	return is_alnum(b) || b == '_' || b >= 0x80;
}

/* ---- network addresses ---- */

/* Four numbers up to 255; the end, or 0. */
static size_t match_ipv4(const struct scan *s, size_t at, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0;
		size_t n = 0;
		while (n < 4 && is_digit(byte_at(s, at + n)))
			v = v * 10 + (unsigned)(s->text[at + n++] - '0');
		if (n == 0 || n > 3 || v > 255)
			return 0;
		out[i] = (uint8_t)v;
		at += n;
		if (i < 3 && byte_at(s, at++) != '.')
			return 0;
	}
	if (word_byte(byte_at(s, at)) || (byte_at(s, at) == '.' && is_digit(byte_at(s, at + 1))))
		return 0;
	return at;
}

static bool ipv4_is_public(const uint8_t a[4])
{
	if (a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254) ||
	    (a[0] == 192 && a[1] == 168))
		return false;
	if ((a[0] == 172 && a[1] >= 16 && a[1] < 32) || (a[0] == 100 && a[1] >= 64 && a[1] < 128))
		return false;
	return !(a[0] == 192 && a[1] == 0 && a[2] == 2) && !(a[0] == 198 && a[1] == 51 && a[2] == 100) &&
	       !(a[0] == 203 && a[1] == 0 && a[2] == 113);
}

/* RFC 4291 text, loosely: groups of hex and at least two colons, "::" at most once, perhaps with an IPv4 address at its
 * end, whose bytes then go to quad. */
static size_t match_ipv6(const struct scan *s, size_t at, uint8_t quad[4], bool *ret_quad)
{
	size_t groups = 0, colons = 0, digits = 0, end = at, last = at;
	bool gap = false;
	*ret_quad = false;
	for (size_t i = at;; i++) {
		uint8_t b = byte_at(s, i);
		if (is_hex(b) && digits < 4) {
			last = digits ? last : i;
			groups += digits++ == 0;
			end = i + 1;
			continue;
		}
		if (b != ':')
			break;
		colons++;
		if (byte_at(s, i + 1) == ':') {
			if (gap)
				return 0;
			gap = true;
			colons++;
			end = i + 2;
			i++;
		} else if (digits == 0 || !is_hex(byte_at(s, i + 1)))
			break;
		digits = 0;
	}
	size_t four = digits && byte_at(s, end) == '.' ? match_ipv4(s, last, quad) : 0;
	if (four) {
		end = four;
		groups++;
		*ret_quad = true;
	}
	if (is_alnum(byte_at(s, end)) || colons < 2 || groups > 8 || (!gap && groups != 8) || (gap && groups < 1))
		return 0;
	if (byte_at(s, end) == '%') /* the zone */
		for (end++; is_alnum(byte_at(s, end));)
			end++;
	return end;
}

/* "/24" behind an address. */
static size_t prefix_end(const struct scan *s, size_t at)
{
	size_t n = 0;
	while (byte_at(s, at) == '/' && n < 3 && is_digit(byte_at(s, at + 1 + n)))
		n++;
	return n && !word_byte(byte_at(s, at + 1 + n)) ? at + 1 + n : at;
}

/* 00:1b:44:11:3a:b7, 00-1b-…, 001b.4411.3ab7 */
static size_t match_mac(const struct scan *s, size_t at)
{
	uint8_t separator = byte_at(s, at + 2);
	size_t width = 2, pairs = 6;
	if (separator != ':' && separator != '-') {
		separator = '.';
		width = 4;
		pairs = 3;
	}
	for (size_t i = 0; i < pairs; i++) {
		for (size_t k = 0; k < width; k++)
			if (!is_hex(byte_at(s, at++)))
				return 0;
		if (i + 1 < pairs && byte_at(s, at++) != separator)
			return 0;
	}
	return word_byte(byte_at(s, at)) || byte_at(s, at) == separator ? 0 : at;
}

static bool hides_ip(const struct scan *s, bool is_public, bool loopback)
{
	switch (s->options->ips) {
	case REDACT_IPS_KEEP:
		return false;
	case REDACT_IPS_PUBLIC:
		return is_public;
	case REDACT_IPS_ALL:
		return !loopback;
	case REDACT_IPS_DEFAULT:
		break;
	}
	return clinical(s);
}

static bool ipv6_is_local(const struct scan *s, size_t at)
{
	uint8_t first = lower(s->text[at]), second = lower(byte_at(s, at + 1));
	return first == ':' || (first == 'f' && (second == 'c' || second == 'd' || second == 'e' || second == 'f'));
}

static size_t rule_network(struct scan *s, size_t at, size_t stop)
{
	uint8_t a[4];
	bool quad;
	size_t end = match_mac(s, at);
	if (end)
		return clinical(s) || s->options->ips == REDACT_IPS_ALL ? emit(s, at, end, REDACT_MAC) : end;
	if ((end = match_ipv4(s, at, a))) {
		end = prefix_end(s, end);
		return hides_ip(s, ipv4_is_public(a), a[0] == 127) ? emit(s, at, end, REDACT_IP) : end;
	}
	if (memchr(s->text + at, ':', stop - at) && (end = match_ipv6(s, at, a, &quad))) {
		bool is_public = quad ? ipv4_is_public(a) : !ipv6_is_local(s, at),
		     loopback = quad ? a[0] == 127 : end - at == 3;
		end = prefix_end(s, end);
		return hides_ip(s, is_public, loopback && s->text[at] == ':') ? emit(s, at, end, REDACT_IP) : end;
	}
	return 0;
}

/* ---- telephone ---- */

struct groups { /* digits in groups with one or two separators between */
	size_t size[8], count, digits, end;
	bool spaces, parens, mixed;
	uint8_t separator;
};

static bool separates(uint8_t b)
{
	return b == ' ' || b == '-' || b == '.' || b == '/' || b == '(' || b == ')';
}

static void note_separator(struct groups *g, uint8_t b)
{
	g->spaces |= b == ' ';
	g->parens |= b == '(' || b == ')';
	if (b == ' ' || b == '(' || b == ')')
		return;
	g->mixed |= g->separator && g->separator != b;
	g->separator = b;
}

static void read_groups(const struct scan *s, size_t at, struct groups *g)
{
	size_t stop = left(s, at) > 40 ? at + 40 : s->size;
	*g = (struct groups){.end = at};
	while (at < stop && g->count < 8) {
		size_t n = 0;
		while (at + n < stop && is_digit(s->text[at + n]))
			n++;
		if (n == 0)
			break;
		g->size[g->count++] = n;
		g->digits += n;
		at += n;
		g->end = at;
		size_t gap = 0;
		while (gap < 2 && at + gap < stop && separates(s->text[at + gap]))
			gap++;
		if (at + gap >= stop || !is_digit(s->text[at + gap]))
			break; /* what follows the last group is not part of it */
		for (size_t i = at; i < at + gap; i++)
			note_separator(g, s->text[i]);
		if (gap == 0)
			break;
		at += gap;
	}
}

static bool north_american(const struct groups *g)
{
	size_t i = g->count == 4 && g->size[0] == 1 ? 1 : 0;
	return g->count - i == 3 && g->size[i] == 3 && g->size[i + 1] == 3 && g->size[i + 2] == 4;
}

static size_t extension_end(const struct scan *s, size_t at)
{
	size_t from = skip_spaces(s, at);
	if (byte_at(s, from) == 'x' || byte_at(s, from) == 'X')
		from++;
	else if (left(s, from) > 3 && memcmp(s->text + from, "ext", 3) == 0)
		from += 3;
	else
		return at;
	while (byte_at(s, from) == '.' || byte_at(s, from) == ' ')
		from++;
	size_t end = from;
	while (end - from < 6 && is_digit(byte_at(s, end)))
		end++;
	return end > from && !is_alnum(byte_at(s, end)) ? end : at;
}

static bool is_phone(const struct scan *s, const struct groups *g, bool plus, bool labelled)
{
	if (g->digits > PHONE_DIGITS_MOST)
		return false;
	if (labelled)
		return g->digits >= 7;
	if (plus)
		return g->digits >= 9 && (g->count > 1 || g->digits >= PHONE_DIGITS_LEAST);
	if (north_american(g))
		return g->separator == '-' || g->separator == '.' ? !g->mixed : clinical(s) || g->parens;
	if (!clinical(s) || g->separator == '/')
		return false;
	if (g->count == 2 && g->size[0] == 3 && g->size[1] == 4)
		return g->separator == '-';
	return g->digits >= PHONE_DIGITS_LEAST && g->digits <= 13 && g->count >= 2 && g->count <= 6 && !g->mixed;
}

size_t match_phone(const struct scan *s, size_t at, bool labelled)
{
	struct groups g;
	bool plus = byte_at(s, at) == '+', paren = false;
	at += plus;
	if (byte_at(s, at) == '(') {
		paren = true;
		at++;
	}
	read_groups(s, at, &g);
	g.parens |= paren;
	if (word_byte(byte_at(s, g.end)) && byte_at(s, g.end) != 'x' && byte_at(s, g.end) != 'e')
		return 0;
	if (!is_phone(s, &g, plus, labelled))
		return 0;
	return extension_end(s, g.end);
}

/* In a log, where numbers are many: only what begins as +49 or 555-123 or 1-555 does. */
static bool may_be_phone(const struct scan *s, size_t at)
{
	return clinical(s) || s->text[at] == '+' || separates(byte_at(s, at + 3)) ||
	       (s->text[at] == '1' && separates(byte_at(s, at + 1)));
}

size_t rule_phone_paren(struct scan *s, size_t at)
{
	struct groups g;
	read_groups(s, at + 1, &g);
	if (!g.parens || g.size[0] > 5 || byte_at(s, at + 1 + g.size[0]) != ')')
		return 0;
	size_t end = match_phone(s, at, false);
	return end ? emit(s, at, end, REDACT_PHONE) : 0;
}

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
static size_t match_card(const struct scan *s, size_t at)
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

static size_t match_iban(const struct scan *s, size_t at)
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

/* Base58 and bech32 wallet addresses. */
static bool is_wallet(const struct scan *s, struct chunk c)
{
	size_t n = c.end - c.start;
	const uint8_t *p = s->text + c.start;
	if (n >= 40 && n <= 64 && memcmp(p, "bc1", 3) == 0)
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

/* ddd-dd-dddd, never issued areas left out. */
static size_t match_ssn(const struct scan *s, size_t at)
{
	struct groups g;
	if (!separates(byte_at(s, at + 3)))
		return 0;
	read_groups(s, at, &g);
	if (g.count != 3 || g.size[0] != 3 || g.size[1] != 2 || g.size[2] != 4 || g.mixed || g.parens ||
	    word_byte(byte_at(s, g.end)))
		return 0;
	if (g.separator != '-' && !(clinical(s) && (g.separator == '.' || g.spaces)))
		return 0;
	const uint8_t *p = s->text + at;
	if (memcmp(p, "000", 3) == 0 || memcmp(p, "666", 3) == 0 || memcmp(p + 4, "00", 2) == 0 ||
	    memcmp(p + 7, "0000", 4) == 0)
		return 0;
	return g.end;
}

/* ---- street addresses: 12 Elm Street, Apt 4 ---- */

static size_t match_street(const struct scan *s, size_t at)
{
	size_t n = 0, end = 0;
	while (n < 6 && is_digit(byte_at(s, at + n)))
		n++;
	if (n == 0 || n > 5)
		return 0;
	at += n + (is_upper(byte_at(s, at + n)) && byte_at(s, at + n + 1) == ' ');
	for (int words = 0; words < STREET_WORDS_MAX && byte_at(s, at) == ' '; words++) {
		size_t from = skip_spaces(s, at), to = from;
		while (to < s->size && to - from < REDACT_WORD_MAX &&
		       (is_letter(s->text[to]) || s->text[to] == '\'' || s->text[to] == '-'))
			to++;
		if (to == from || !is_upper(s->text[from]))
			break;
		at = to + (byte_at(s, to) == '.');
		if (words > 0 && word_kinds_of(s->text + from, to - from) & WORD_STREET)
			end = at;
	}
	return end;
}

/* ---- clinical mode: ages, and numbers that can only be identifiers ---- */

static bool very_old(const struct scan *s, size_t at)
{
	size_t n = 0;
	unsigned v = 0;
	while (n < 4 && is_digit(byte_at(s, at + n)))
		v = v * 10 + (unsigned)(s->text[at + n++] - '0');
	if (v < 90 || v > 125)
		return false;
	size_t next = at + n;
	if (s->words[0].hash && word_kinds(s->words[0].hash) & WORD_AGE && !is_alnum(byte_at(s, next)))
		return true;
	while (byte_at(s, next) == ' ' || byte_at(s, next) == '-')
		next++;
	uint8_t a = lower(byte_at(s, next)), b = lower(byte_at(s, next + 1));
	return a == 'y' && (b == 'e' || b == 'r' || b == 'o' || b == '/');
}

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
		h.others += b == '%' || b == ':' || b == '+' || b == '@';
	}
	return h;
}

/* Many digits, or digits among capitals: what no measure, dose or gene is written like. */
static bool is_identifier(const struct scan *s, size_t at, size_t end)
{
	struct shape h = shape_of(s, at, end);
	size_t letters = h.uppers + h.lowers;
	if (h.others || (h.dots && (letters || h.dots + h.marks < 2 || h.digits < 8)))
		return false;
	if (h.digits >= ID_DIGITS_LEAST && letters <= h.digits + 4)
		return true;
	if (h.lowers == 0 && h.uppers && (h.digits >= 4 || (h.digits >= 3 && h.size >= 8)))
		return true;
	if (h.size == 36 && h.marks == 4 && s->text[at + 8] == '-' && s->text[at + 23] == '-')
		return true;                                          /* a UUID */
	return h.size >= 12 && h.digits >= 3 && h.uppers && !h.marks; /* serials, keys */
}

static size_t rule_identifier(struct scan *s, struct chunk c)
{
	if (!is_identifier(s, c.start, c.end))
		return 0;
	return emit(s, c.start - (c.start > 0 && s->text[c.start - 1] == '#'), c.end, REDACT_ID);
}

/* "699 956 915", "467-3395", "51 824 753 556": groups of digits that are no years, the end or 0. */
static size_t match_groups(const struct scan *s, size_t at)
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

/* Most words are told at once: a few capitals or digits, then a mark or the other kind, and a digit soon. */
static bool may_be_shape(const struct scan *s, size_t at)
{
	size_t n = 0, limit = left(s, at) < 7 ? left(s, at) : 7;
	bool letters = is_upper(s->text[at]), digit = !letters;
	while (n < 5 && (letters ? is_upper(byte_at(s, at + n)) : is_digit(byte_at(s, at + n))))
		n++;
	uint8_t next = byte_at(s, at + n);
	if (n == 0 || n > 4 || !(next == ' ' || next == '-' || is_upper(next) || is_digit(next)))
		return false;
	for (size_t i = n; i < limit && !digit; i++)
		digit = is_digit(s->text[at + i]);
	return digit;
}

/* Letters and digits in the groups of a state's registers, of which each alone says little: "AA 12 34 56 B" (national
 * insurance), "AB51 ABC", "B-AB 1234", "34 ABC 123" (plates).  X: a letter, 9: a digit, the rest as it is. */
size_t match_shape(const struct scan *s, size_t at)
{
	static const char *const shapes[] = {"XX 99 99 99 X", "XX X9999999", "XX X999-9999", "XX 99999999",
	    "XX 999999 X", "XX99 XXX", "X999 XXX", "XXX 999X", "X-XX 9999", "X-XX 999", "XX-XX 9999", "XX-XX 999",
	    "XX-X 9999", "XX 99 XX 9999", "XX 99 X 9999", "XX-99-XX-9999", "99 XXX 999", "99 XX 9999", "99 XXXX 99",
	    "XXX-9999", "XXX-999", "XX 99999", "999 XXX", "99 999999 X 999", "XX-999-XX", "9XXX999", "XX 9999999",
	    "XX 999 999", "X9999-9999-9999", "99-XX-9999", "HRB 99999", "HRA 99999"};
	bool letters = is_upper(byte_at(s, at));
	if (!may_be_shape(s, at))
		return 0;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		size_t end = at;
		const char *p = shapes[i];
		if ((*p == '9') == letters)
			continue;
		for (; *p; p++, end++) {
			uint8_t b = byte_at(s, end);
			if (*p == 'X' ? !is_upper(b) : *p == '9' ? !is_digit(b) : b != (uint8_t)*p)
				break;
		}
		if (!*p && !word_byte(byte_at(s, end)) && byte_at(s, end) != '-')
			return end;
	}
	return 0;
}

static bool separates_time(uint8_t b)
{
	return b == ':' || b == '.' || b == '+' || b == '-' || b == 'Z';
}

/* The time behind a date: T14:30:00.123Z, 09:15, 3:05 PM */
static size_t time_end(const struct scan *s, size_t end)
{
	size_t at = end + (byte_at(s, end) == 'T' || byte_at(s, end) == ' '), stop = at;
	while (stop - at < 2 && is_digit(byte_at(s, stop)))
		stop++;
	if (at == end || stop == at || byte_at(s, stop) != ':' || !is_digit(byte_at(s, stop + 1)))
		return end;
	while (is_digit(byte_at(s, stop)) || (separates_time(byte_at(s, stop)) && stop - at < 32))
		stop++;
	while (stop > at && (s->text[stop - 1] == '.' || s->text[stop - 1] == '-' || s->text[stop - 1] == ':'))
		stop--;
	return stop;
}

static size_t rule_clinical_number(struct scan *s, struct chunk c)
{
	size_t end = match_date(s, c.start);
	if (!end && dated(s))
		end = match_day_month(s, c.start);
	if (end)
		return emit(s, c.start, time_end(s, s->text[end - 1] == '.' ? end - 1 : end), REDACT_DATE);
	if (very_old(s, c.start)) {
		for (end = c.start; is_digit(byte_at(s, end));)
			end++;
		return emit(s, c.start, end, REDACT_AGE);
	}
	return 0;
}

/* B0J 2H0 */
static size_t canadian_postcode(const struct scan *s, size_t at)
{
	size_t end = at;
	for (const char *p = "X9X 9X9"; *p; p++) {
		uint8_t b = byte_at(s, end);
		if (*p == ' ' && b != ' ')
			continue;
		if (*p == 'X' ? !is_upper(b) : *p == '9' ? !is_digit(b) : false)
			return 0;
		end++;
	}
	return word_byte(byte_at(s, end)) ? 0 : end;
}

/* SW1A 1AA, with or without the blank: letters, digit, letter or digit; digit, two letters. */
size_t match_postcode(const struct scan *s, size_t at)
{
	size_t n = 0;
	if (left(s, at) >= 6 && memcmp(s->text + at, "GIR", 3) == 0 &&
	    memcmp(s->text + at + 3 + (s->text[at + 3] == ' '), "0AA", 3) == 0)
		return at + 6 + (s->text[at + 3] == ' ');
	while (n < 2 && is_upper(byte_at(s, at + n)))
		n++;
	if (n == 0 || !is_digit(byte_at(s, at + n)))
		return 0;
	for (size_t district = 1; district <= 2; district++) {
		size_t in = at + n + district;
		in += byte_at(s, in) == ' ';
		if (is_digit(byte_at(s, in)) && is_upper(byte_at(s, in + 1)) && is_upper(byte_at(s, in + 2)) &&
		    !word_byte(byte_at(s, in + 3)) && (district == 1 || is_alnum(s->text[at + n + 1])))
			return in + 3;
	}
	return canadian_postcode(s, at);
}

/* Behind what every mode takes out. */
static size_t rule_clinical_rest(struct scan *s, struct chunk c, bool leads)
{
	size_t end;
	if (leads && (end = match_groups(s, c.start)))
		return emit(s, c.start, end, REDACT_ID);
	if (!leads && (end = match_postcode(s, c.start)))
		return emit(s, c.start, end, REDACT_ADDRESS);
	if ((end = match_shape(s, c.start)))
		return emit(s, c.start, end, REDACT_ID);
	return is_wallet(s, c) ? emit(s, c.start, c.end, REDACT_ACCOUNT) : rule_identifier(s, c);
}

static size_t rule_leading_digit(struct scan *s, size_t at)
{
	size_t end;
	if ((end = match_ssn(s, at)))
		return emit(s, at, end, REDACT_SSN);
	if ((end = match_card(s, at)))
		return emit(s, at, end, REDACT_CARD);
	if (clinical(s) && (end = match_address(s, at)))
		return emit(s, at, end, REDACT_ADDRESS);
	if (may_be_phone(s, at) && (end = match_phone(s, at, false)))
		return emit(s, at, end, REDACT_PHONE);
	return !clinical(s) && (end = match_street(s, at)) ? emit(s, at, end, REDACT_ADDRESS) : 0;
}

size_t rule_number(struct scan *s, struct chunk c)
{
	size_t at = c.start, end;
	while (at < c.end && !is_alnum(s->text[at]) && s->text[at] != '+' && s->text[at] != ':')
		at++;
	if (at >= c.end || (at > c.start && s->text[at - 1] == '_'))
		return 0;
	bool leads = is_digit(s->text[at]) || s->text[at] == '+';
	if ((leads || c.seen & BYTE_COLON || is_hex(s->text[at])) && (end = rule_network(s, at, c.end)))
		return end;
	if (c.seen & BYTE_COLON && !leads)
		return 0;
	c.start = at;
	if (leads) {
		if (clinical(s) && (end = rule_clinical_number(s, c)))
			return end;
		if ((end = rule_leading_digit(s, at)))
			return end;
	} else if ((end = match_iban(s, at)))
		return emit(s, at, end, REDACT_ACCOUNT);
	return clinical(s) ? rule_clinical_rest(s, c, leads) : 0;
}

/* ---- e-mail ---- */

static bool local_byte(uint8_t b)
{
	return is_alnum(b) || b >= 0x80 || (b && strchr("._%+-!*/$~", b));
}

size_t rule_email(struct scan *s, struct chunk c)
{
	const uint8_t *sign = memchr(s->text + c.start, '@', c.end - c.start);
	if (!sign)
		return 0;
	size_t at = (size_t)(sign - s->text), start = at, end = at + 1, dot = 0;
	while (start > c.start && local_byte(s->text[start - 1]))
		start--;
	while (start < at && (s->text[start] == '/' || s->text[start] == '-' || s->text[start] == '.'))
		start++;
	while (end < c.end &&
	       (is_alnum(s->text[end]) || s->text[end] == '-' || s->text[end] == '.' || s->text[end] >= 0x80)) {
		if (s->text[end] == '.' && end > at + 1)
			dot = end;
		end++;
	}
	while (end > at && (s->text[end - 1] == '.' || s->text[end - 1] == '-'))
		end--;
	bool named = dot && dot + 2 < end + 1 && dot < end - 2 && is_letter(s->text[dot + 1]);
	if (start == at || !named)
		return 0;
	return emit(s, start, end, REDACT_EMAIL);
}
