/* What begins with a digit: telephones, streets, ages, dates and postal codes, and whose turn it is. */
#include "shared/redact/run.h"

enum {
	PHONE_DIGITS_LEAST = 10,
	PHONE_DIGITS_MOST = 15, /* E.164 */
	STREET_WORDS_MAX = 5,
};

/* ---- telephone ---- */

bool separates(uint8_t b)
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

void read_groups(const struct scan *s, size_t at, struct groups *g)
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
		if (gap == 2 && s->text[at + 1] == '/' && byte_at(s, at) == ' ' && byte_at(s, at + 2) == ' ')
			gap++; /* 0211 / 4567-890 */
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

/* Four groups of up to three digits: 300.168.1.1 */
static bool is_quad(const struct groups *g)
{
	bool quad = g->count >= 4;
	for (size_t i = 0; i < g->count; i++)
		quad &= g->size[i] <= 3;
	return quad && g->size[0] + g->size[1] + g->size[2] + g->size[3] == g->digits;
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
	uint8_t after = byte_at(s, g.end);
	if ((word_byte(after) && after != 'x' && after != 'e') || (after == '-' && is_alpha(byte_at(s, g.end + 1))))
		return 0;
	if (g.separator == '.' && !g.spaces && !plus && is_quad(&g))
		return 0; /* an address of a network, if a wrong one */
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
	if (word_kinds(recent_hash(s, 0)) & WORD_AGE && !is_alnum(byte_at(s, next)))
		return true;
	const struct redact_span *last = s->count ? &s->spans[s->count - 1] : NULL;
	if (last && last->type == REDACT_NAME && last->end + 2 == at && s->text[last->end] == ',' &&
	    (byte_at(s, next) == ',' || byte_at(s, next) == ';'))
		return true; /* "Cornelius Van Houten, 91, from" */
	while (byte_at(s, next) == ' ' || byte_at(s, next) == '-')
		next++;
	uint8_t a = lower(byte_at(s, next)), b = lower(byte_at(s, next + 1));
	return a == 'y' && (b == 'e' || b == 'r' || b == 'o' || b == '/');
}

/* "12/03 0740", "12/03 08:15" */
static bool clock_follows(const struct scan *s, struct chunk c)
{
	size_t n = c.end - c.start, at = c.end + 1, digits = 0;
	if (n < 3 || n > 5 || !memchr(s->text + c.start, '/', n) || byte_at(s, c.end) != ' ')
		return false;
	while (digits < 5 && is_digit(byte_at(s, at + digits)))
		digits++;
	bool minutes =
	    digits >= 1 && digits <= 2 && byte_at(s, at + digits) == ':' && is_digit(byte_at(s, at + digits + 1));
	return (minutes || (digits == 4 && !word_byte(byte_at(s, at + 4)) && s->text[at] <= '2'));
}

/* 6/2019 */
static bool is_month_and_year(const struct scan *s, struct chunk c)
{
	size_t n = c.end - c.start;
	const uint8_t *p = s->text + c.start;
	return (n == 6 || n == 7) && p[n - 5] == '/' &&
	       (memcmp(p + n - 4, "19", 2) == 0 || memcmp(p + n - 4, "20", 2) == 0);
}

/* "0340 4/19" */
static bool clock_before(const struct scan *s, struct chunk c)
{
	size_t at = c.start;
	if (at < 6 || s->text[at - 1] != ' ' || s->text[at - 5] > '2' || is_alnum(s->text[at - 6]))
		return false;
	for (size_t i = at - 5; i < at - 1; i++)
		if (!is_digit(s->text[i]))
			return false;
	return s->text[at - 3] <= '5' && memchr(s->text + at, '/', c.end - at);
}

/* "6/10 to 3/10": not from day to day. */
static bool is_second_ratio(const struct scan *s, struct chunk c)
{
	const uint8_t *slash = memchr(s->text + c.start, '/', c.end - c.start);
	size_t n = slash ? c.end - (size_t)(slash - s->text) : 0; /* "/10" */
	return n >= 2 && c.start > n + 4 && memcmp(s->text + c.start - 4, " to ", 4) == 0 &&
	       memcmp(s->text + c.start - 4 - n, slash, n) == 0;
}

/* Where identifiers were found, a month and a day that end a part of a sentence and whose word before is nothing that
 * is scored or counted. */
static bool closes_part(const struct scan *s, struct chunk c)
{
	static const char *const scored[] = {"pain", "strength", "score", "scored", "scores", "murmur", "grade",
	    "stage", "reflexes", "power", "nodes", "apgar", "apgars", "gcs", "scale", "rated", "rates", "severity",
	    "level", "vision", "acuity", "ratio", "pulses", "motor", "sensation", "index", "mood", "anxiety", "day",
	    "cycle", "session", "part", "type", "class", "criteria", "beighton", "eyes", "blade", "page", "dose",
	    "size", NULL};
	const uint8_t *p = s->text + c.start, *slash = memchr(p, '/', c.end - c.start);
	uint8_t after = byte_at(s, c.end);
	if (!s->firm || !slash || c.end - c.start > 5 || (after && !strchr(".,;)\n", after)) || c.start < 5 ||
	    p[-1] != ' ')
		return false;
	size_t end = c.start - 1, start = end;
	while (start > 0 && is_lower(s->text[start - 1]) && end - start < REDACT_WORD_MAX)
		start--;
	if (end - start < 3 || text_is_any(s, start, end, scored))
		return false;
	unsigned second = 0;
	for (const uint8_t *q = slash + 1; q < s->text + c.end && is_digit(*q); q++)
		second = second * 10 + (unsigned)(*q - '0');
	return second != 4 && second != 5 && second != 6 && second != 10;
}

/* 08/05: nobody writes a ratio with a nought before it. */
static bool is_filled(const struct scan *s, struct chunk c)
{
	const uint8_t *p = s->text + c.start;
	bool form =
	    (c.start > 0 && p[-1] == '(') || lexicon_exact(recent_hash(s, 0)) & LEX_CODE; /* HCFA-1500 (02/12) */
	return c.end - c.start == 5 && !form && p[2] == '/' && (p[0] == '0' || p[3] == '0') && p[0] <= '3' &&
	       p[3] <= '3';
}

static size_t rule_clinical_number(struct scan *s, struct chunk c)
{
	size_t end = match_date(s, c.start);
	if (!end && !is_second_ratio(s, c) &&
	    (dated(s) || is_month_and_year(s, c) || clock_follows(s, c) || clock_before(s, c) || is_filled(s, c) ||
		closes_part(s, c)))
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
	if (byte_at(s, at) == 'T' && byte_at(s, at + 2) == 'N' && byte_at(s, at + 4) == 'M')
		return 0; /* T2N1M0: a tumour's stage */
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

/* The letters that the inward code is made of (BS 7666). */
static bool ends_postcode(uint8_t b)
{
	return is_upper(b) && !strchr("CIKMOV", b);
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
	if (strchr("QVX", s->text[at]) || (n == 2 && strchr("IJZ", s->text[at + 1])))
		return canadian_postcode(s, at);
	for (size_t district = 1; district <= 2; district++) {
		size_t in = at + n + district;
		in += byte_at(s, in) == ' ';
		if (is_digit(byte_at(s, in)) && ends_postcode(byte_at(s, in + 1)) &&
		    ends_postcode(byte_at(s, in + 2)) && !word_byte(byte_at(s, in + 3)) &&
		    (district == 1 || is_alnum(s->text[at + n + 1])))
			return in + 3;
	}
	return canadian_postcode(s, at);
}

/* "SNOMED 44054006", 0x80070005: codes that are the same for everybody. */
static bool is_code(const struct scan *s, struct chunk c)
{
	if (byte_at(s, c.start) == '0' && byte_at(s, c.start + 1) == 'x' && c.end - c.start <= 18)
		return true;
	static const char key[] = "code";
	const struct recent *before = &s->words[c.letters > 0];
	if (c.start > 2 && s->text[c.start - 1] == '"' && before->letters == 4 && before->end >= 4 &&
	    before->end + 4 >= c.start && memcmp(s->text + before->end - 4, key, 4) == 0)
		return true; /* code="44054006", "code":"860975" */
	return lexicon_exact(recent_hash(s, c.letters > 0)) & LEX_CODE ||
	       (c.letters && lexicon_exact(c.hash) & LEX_CODE);
}

/* "24331-1^Lipid panel^LN": a coded element of HL7 version 2 (2.A.13), told by its coding system (table 0396). */
static bool is_coded(const struct scan *s, struct chunk c)
{
	static const char systems[] = " LN SCT SNM I9 I9C I10 I10C C4 C5 NDC RXNORM CVX UCUM L ";
	size_t at = c.end + 1, n = 0;
	char system[9] = " ";
	if (byte_at(s, c.end) != '^')
		return false;
	while (at < look_end(s, c.end) && s->text[at] != '^' && s->text[at] != '|' && s->text[at] != '\n')
		at++;
	if (byte_at(s, at) != '^')
		return false;
	while (n < 6 && is_alnum(byte_at(s, at + 1 + n))) {
		system[n + 1] = (char)s->text[at + 1 + n];
		n++;
	}
	system[n + 1] = ' ';
	return n > 0 && strstr(systems, system);
}

/* "120000 messages": a round number of things. */
static bool is_count(const struct scan *s, struct chunk c)
{
	for (size_t i = c.start; i < c.end; i++)
		if (!is_digit(s->text[i]))
			return false;
	if (c.end - c.start < 4 || c.end - c.start > 9 || memcmp(s->text + c.end - 2, "00", 2) != 0)
		return false;
	size_t next = skip_spaces(s, c.end), end = prose_word_end(s, next);
	return next > c.end && end - next >= 4 && is_lower(s->text[next]) && s->text[end - 1] == 's';
}

/* Behind what every mode takes out. */
static size_t rule_clinical_rest(struct scan *s, struct chunk c, bool leads)
{
	size_t end;
	if ((end = match_plus_code(s, c.start)))
		return emit(s, c.start, end, REDACT_PLACE);
	if (is_code(s, c) || is_coded(s, c) || (leads && is_count(s, c)))
		return c.end;
	if (leads && byte_at(s, c.end) == '^' && is_upper(byte_at(s, c.end + 1)) && c.end - c.start >= 3 &&
	    !(c.seen & ~(unsigned)BYTE_DIGIT))
		return emit(s, c.start, c.end, REDACT_ID); /* 3312^DOE^JANE */
	if (leads && (end = match_coded_town(s, c.start)))
		return emit(s, c.start, end, REDACT_ADDRESS);
	if (leads && (end = match_groups(s, c.start)))
		return emit(s, c.start, end, REDACT_ID);
	if (!leads && (end = match_postcode(s, c.start)))
		return emit(s, c.start, end, REDACT_ADDRESS);
	if (!leads && (end = match_shape(s, c.start)))
		return emit(s, c.start, end, REDACT_ID);
	return is_wallet(s, c) ? emit(s, c.start, c.end, REDACT_ACCOUNT) : rule_identifier(s, c);
}

static size_t rule_leading_digit(struct scan *s, size_t at)
{
	size_t end, never;
	if ((end = match_ssn(s, at, &never)))
		return emit(s, at, end, REDACT_SSN);
	if (never)
		return never;
	if ((end = match_card(s, at)))
		return emit(s, at, end, REDACT_CARD);
	bool part = at > 1 && s->text[at - 1] == ',' && is_digit(s->text[at - 2]); /* 100,000 CFU */
	if (clinical(s) && !part && (end = match_shape(s, at)))
		return emit(s, at, end, REDACT_ID);
	if (clinical(s) && (end = match_coordinates(s, at)))
		return emit(s, at - (at > 0 && s->text[at - 1] == '-'), end, REDACT_PLACE);
	if (clinical(s) && (end = match_address(s, at)))
		return emit(s, at, end, REDACT_ADDRESS);
	if (may_be_phone(s, at) && (end = match_phone(s, at, false)))
		return emit(s, at, end, REDACT_PHONE);
	return !clinical(s) && (end = match_street(s, at)) ? emit(s, at, end, REDACT_ADDRESS) : 0;
}

/* "60 patients", "45-year-old": a number of things; none of the rules takes it, and most numbers of prose are such. */
static bool is_quantity(const struct scan *s, struct chunk c)
{
	size_t n = 0;
	unsigned v = 0;
	for (; n < 5 && is_digit(byte_at(s, c.start + n)); n++)
		v = v * 10 + (unsigned)(s->text[c.start + n] - '0');
	size_t word = c.start + n + 1, end = word;
	uint8_t mark = byte_at(s, c.start + n);
	if (n == 0 || (v >= 90 && v <= 125) ||
	    (mark == '-' ? c.seen & ~(unsigned)(BYTE_DIGIT | BYTE_JOIN | BYTE_LOWER)
			 : mark != ' ' || c.whole != c.start + n))
		return false;
	while (end - word < REDACT_WORD_MAX && is_lower(byte_at(s, end)))
		end++;
	if (end - word < 4 || (byte_at(s, end) != ' ' && byte_at(s, end) != ',' && byte_at(s, end) != '-'))
		return false;
	for (size_t i = end; i < c.end; i++)
		if (is_digit(s->text[i]))
			return false;
	return !(word_kinds_of(s->text + word, end - word) & (WORD_MONTH | WORD_STREET | WORD_AGE)) &&
	       lexicon_find(s->text + word, end - word) & (LEX_PLAIN | LEX_MEDICAL);
}

size_t rule_number(struct scan *s, struct chunk c)
{
	size_t at = c.start, end;
	if (clinical(s) && is_quantity(s, c))
		return c.end;
	while (at < c.end && !is_alnum(s->text[at]) && s->text[at] != '+' && s->text[at] != ':')
		at++;
	if (at >= c.end || (at > c.start && s->text[at - 1] == '_'))
		return 0;
	at += clinical(s) && s->text[at] == ':' && is_digit(byte_at(s, at + 1)); /* behind a label of another script */
	bool leads = is_digit(s->text[at]) || s->text[at] == '+';
	if ((leads || c.seen & BYTE_COLON || is_hex(s->text[at])) && (end = rule_network(s, at, c.end)))
		return end;
	if (c.seen & BYTE_COLON && !leads && memchr(s->text + at, ':', c.end - at))
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
