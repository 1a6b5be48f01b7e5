/* Values after their labels: password=…, "ssn": "…", MRN 123, Patient Name: …, --token … */
#include "shared/redact/lexicon.h"

enum {
	ARRAY_MAX = 8,          /* strings of one JSON array that are taken for one label */
	KEY_LOOK = 32,          /* how far the next key=value is looked for behind a separator */
	PHRASE_WORDS_MAX = 6,   /* between "password" and "is" */
	GROUP_MOST = 20,        /* of one group of an identifier */
	GROUP_LETTERS_MOST = 5, /* of a group without a digit: a longer one is a word */
	ID_DIGITS_MOST = 24,    /* of an identifier with blanks in it */
	NAME_WORDS_MAX = 4,
};

struct value {
	size_t start, end; /* end is only set for quoted ones */
	uint8_t separator; /* '=', ':', '>', '#', '|', or 0 */
	bool quoted, quoted_key, linked, option, in_array;
};

/* ---- finding the value ---- */

/* A quote, with the backslashes that nesting put before it; the length, or 0. */
static size_t quote_at(const struct scan *s, size_t at)
{
	size_t n = 0;
	while (n < 8 && byte_at(s, at + n) == '\\')
		n++;
	uint8_t b = byte_at(s, at + n);
	return b == '"' || b == '\'' || b == '`' ? n + 1 : 0;
}

/* The end of a quoted value that begins at `at` behind a quote of the given length; the text's or line's end if it is
 * not closed. */
static size_t quoted_end(const struct scan *s, size_t at, size_t quote_size)
{
	uint8_t quote = s->text[at - 1];
	for (; at < s->size && s->text[at] != '\n'; at++) {
		if (s->text[at] == '\\' && quote_size == 1) {
			at++;
			continue;
		}
		if (s->text[at] == quote) {
			size_t escapes = 0;
			while (escapes + 1 < quote_size && s->text[at - 1 - escapes] == '\\')
				escapes++;
			return at - escapes;
		}
	}
	return at < s->size ? at : s->size;
}

static bool is_separator(uint8_t b)
{
	return b == '=' || b == ':' || b == '>' || b == '#' || b == '|';
}

/* Words such as "number is" between a label and its value. */
static size_t skip_linkers(const struct scan *s, size_t at, bool *linked)
{
	for (int i = 0; i < 3; i++) {
		size_t end = at;
		while (end < s->size && is_alpha(s->text[end]) && end - at < 12)
			end++;
		if (end == at || !(word_kinds_of(s->text + at, end - at) & WORD_LINKER))
			break;
		if (end < s->size && (is_digit(s->text[end]) || s->text[end] == '_'))
			break;
		*linked = true;
		at = end;
		while (byte_at(s, at) == '.' || byte_at(s, at) == ':' || byte_at(s, at) == '#' || byte_at(s, at) == '=')
			at++;
		at = skip_spaces(s, at);
	}
	return at;
}

/* "password for the lab share is …": where the value begins, or 0. */
static size_t phrase_value(const struct scan *s, size_t at)
{
	static const char *const links[] = {"is", "was", "to", "ist", "est", NULL};
	for (int words = 0; words < PHRASE_WORDS_MAX; words++) {
		size_t from = skip_spaces(s, at), end = from;
		while (end - from < REDACT_WORD_MAX && (is_alpha(byte_at(s, end)) || byte_at(s, end) == '-'))
			end++;
		if (from == at || end == from)
			return 0;
		at = end;
		for (size_t i = 0; links[i] && words; i++)
			if (end - from == strlen(links[i]) && memcmp(s->text + from, links[i], end - from) == 0) {
				at += byte_at(s, at) == ':';
				return skip_spaces(s, at);
			}
		if (byte_at(s, at) == ':' || byte_at(s, at) == '=')
			return skip_spaces(s, at + 1);
	}
	return 0;
}

static bool find_value(const struct scan *s, struct chunk c, struct value *v)
{
	*v = (struct value){.option = s->text[c.start] == '-'};
	size_t at = c.end, quote = quote_at(s, at);
	if (quote && c.start > 0 && (s->text[c.start - 1] == '"' || s->text[c.start - 1] == '\'')) {
		v->quoted_key = true;
		at += quote;
	}
	if (byte_at(s, at) == '.' && c.end - c.start <= 4 && (byte_at(s, at + 1) == ' ' || byte_at(s, at + 1) == ':'))
		at++; /* "no. 12", "Tel.: 0211" */
	at = skip_spaces(s, at);
	if (clinical(s) && at == c.end + 1 && is_digit(byte_at(s, at)) && byte_at(s, at + 1) == ':')
		at++; /* "Emergency contact 2: " */
	for (int i = 0; i < 3 && is_separator(byte_at(s, at)); i++, at++)
		v->separator = s->text[at];
	at = skip_spaces(s, at);
	for (int lines = 0; v->separator == ':' && clinical(s) && byte_at(s, at) == '\n' && lines < 2; lines++)
		at = skip_spaces(s, at + 1); /* "Phone:", and the number below */
	if (!v->quoted_key)
		at = skip_linkers(s, at, &v->linked);
	if (v->separator && byte_at(s, at) == '[' && !placeholder_at(s, at)) {
		at = skip_spaces(s, at + 1);
		v->in_array = true;
	}
	if (at >= s->size || s->text[at] == '\n' || placeholder_at(s, at))
		return false;
	if ((quote = quote_at(s, at))) {
		v->quoted = true;
		at += quote;
		v->end = quoted_end(s, at, quote);
	}
	v->start = at;
	return at < s->size && (!v->quoted || v->end > v->start) && !placeholder_at(s, at);
}

/* ---- secrets ---- */

/* In k=a,b=c the comma ends the value; in k=a,b it belongs to it. */
static bool ends_value(const struct scan *s, size_t at)
{
	uint8_t b = s->text[at];
	if (is_space(b) || b == '"' || b == '<' || b == '\'' || b == '`')
		return true;
	if (!strchr(",;&)]}|\\", b) || !b)
		return b == 0;
	uint8_t next = byte_at(s, at + 1);
	if (!next || is_space(next) || strchr("\"'`)]}<,;&|\\[", next))
		return true;
	size_t stop = left(s, at) > KEY_LOOK ? at + KEY_LOOK : s->size;
	for (size_t i = at + 1; i < stop; i++) {
		if (s->text[i] == '=' || s->text[i] == ':')
			return true;
		if (!is_alnum(s->text[i]) && !strchr("_.- ", s->text[i]))
			return false;
	}
	return false;
}

static size_t unquoted_end(const struct scan *s, size_t at)
{
	while (at < s->size && !ends_value(s, at))
		at++;
	return at;
}

static size_t line_end(const struct scan *s, size_t at)
{
	while (at < s->size && s->text[at] != '\n' && s->text[at] != '\r' && s->text[at] != '"')
		at++;
	return at;
}

/* "****", "xxxxx", "${VAR}", "%s", "<none>": no secret stands there. */
static bool is_blank(const struct scan *s, size_t start, size_t end)
{
	const uint8_t *p = s->text + start;
	size_t n = end - start, same = 1;
	if (n >= 2 &&
	    (memcmp(p, "${", 2) == 0 || memcmp(p, "{{", 2) == 0 || memcmp(p, "%(", 2) == 0 || memcmp(p, "%s", 2) == 0))
		return true;
	while (same < n && p[same] == p[0])
		same++;
	if (same == n && strchr("*xX.-_?#", p[0]) && p[0])
		return true;
	if (n > REDACT_WORD_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alpha(p[i]) && !strchr("()<>-.:!", p[i]))
			return false;
	return word_kinds_of(p, n) & WORD_NO_VALUE;
}

/* Token{a64f992, com.example.Token@1f2e3d: how programs print an object: its type and where it is. */
static bool is_object(const struct scan *s, size_t start, size_t end)
{
	size_t at = start;
	while (at < end && (is_alpha(s->text[at]) || s->text[at] == '.' || s->text[at] == '$'))
		at++;
	if (at == start || at == end || !strchr("{@(<[", s->text[at]))
		return false;
	size_t hex = 0;
	for (at++; at < end && is_hex(s->text[at]); at++)
		hex++;
	return hex <= 16 && (at == end || !is_alnum(s->text[at]));
}

static bool looks_secret(const struct scan *s, size_t start, size_t end)
{
	bool digit = false;
	if (s->text[start] == '0' && byte_at(s, start + 1) == 'x' && end - start <= 18)
		return false; /* a number that programs print in hexadecimal */
	for (size_t i = start; i < end; i++)
		digit = digit || is_digit(s->text[i]);
	return end - start >= 20 || (digit && end - start >= 8);
}

/* Authorization: and Cookie: take the rest of the line; a scheme's word in front stays readable. */
static size_t take_header(struct scan *s, struct value v)
{
	size_t end = v.quoted ? v.end : line_end(s, v.start), at = v.start, word = at;
	while (word < end && is_alpha(s->text[word]))
		word++;
	if (word < end && s->text[word] == ' ' && word_kinds_of(s->text + at, word - at) & WORD_SCHEME)
		at = skip_spaces(s, word);
	if (at >= end || placeholder_at(s, at) || is_blank(s, at, end))
		return 0;
	return emit(s, at, end, REDACT_SECRET);
}

static bool is_header(const struct scan *s, struct chunk c)
{
	uint8_t last = lower(s->text[c.end - 1]);
	return (last == 'n' && c.end - c.start >= 13) || (last == 'e' && c.end - c.start <= 10 && c.end - c.start >= 6);
}

/* In [start, end), or in the token at `start` when end is 0. */
static bool digit_in(const struct scan *s, size_t start, size_t end)
{
	size_t stop = end ? end : unquoted_end(s, start);
	while (start < stop && !is_digit(s->text[start]))
		start++;
	return start < stop;
}

/* "password for the share is Winter2024!", "cvv 123" */
static size_t take_phrase(struct scan *s, struct chunk c, struct value v, unsigned kinds)
{
	size_t at = kinds & WORD_KEY_ONLY ? v.start : phrase_value(s, c.end);
	if (!at && clinical(s) && digit_in(s, v.start, 0) && is_letter(byte_at(s, v.start)))
		at = v.start; /* password Mets1986! */
	if (!at || at >= s->size || placeholder_at(s, at))
		return 0;
	size_t quote = quote_at(s, at), start = at + quote;
	size_t end = quote ? quoted_end(s, start, quote) : unquoted_end(s, start);
	if (kinds & WORD_KEY_ONLY)
		return clinical(s) && end - start >= 3 && end - start <= 6 && is_digit(byte_at(s, start)) &&
			       is_digit(byte_at(s, end - 1))
			   ? emit(s, start, end, REDACT_PASSWORD)
			   : 0;
	return end - start >= 5 && digit_in(s, start, end) ? emit(s, start, end, REDACT_PASSWORD) : 0;
}

static size_t take_secret(struct scan *s, struct chunk c, struct value v, unsigned kinds)
{
	bool password = kinds & WORD_PASSWORD;
	if (password && !v.separator && !v.linked && !v.quoted && !v.option)
		return take_phrase(s, c, v, kinds);
	bool strong = v.separator == '=' || v.separator == '>' || v.quoted_key || v.option;
	if (!strong && v.separator != ':' && !v.linked && !(password && v.quoted))
		return 0;
	if (v.linked && !v.separator && !v.quoted && !looks_secret(s, v.start, unquoted_end(s, v.start)) && !password)
		return 0;
	bool coded = password && v.separator == ':' && (v.quoted || clinical(s)) && digit_in(s, v.start, v.end);
	if (kinds & WORD_KEY_ONLY && v.separator != '=' && !v.quoted_key && !coded)
		return 0;
	if (v.separator == ':' && is_header(s, c) && word_kinds_of(s->text + c.start, c.end - c.start) & WORD_SECRET)
		return take_header(s, v);
	size_t end = v.quoted ? v.end : unquoted_end(s, v.start);
	if (end == v.start || is_blank(s, v.start, end))
		return 0;
	if (!password && is_object(s, v.start, end))
		return 0;
	if (!password && !looks_secret(s, v.start, end) && (!strong || kinds & WORD_KEY_ONLY))
		return 0;
	if (password && kinds & WORD_KEY_ONLY && end - v.start < 3)
		return 0; /* pass=3 of a test run */
	return emit(s, v.start, end, password ? REDACT_PASSWORD : REDACT_SECRET);
}

/* Bearer eyJ… without a label before it. */
static size_t take_scheme(struct scan *s, struct chunk c)
{
	size_t at = skip_spaces(s, c.end);
	if (at == c.end || at >= s->size || placeholder_at(s, at))
		return 0;
	size_t end = unquoted_end(s, at);
	return looks_secret(s, at, end) ? emit(s, at, end, REDACT_SECRET) : 0;
}

/* ---- names, numbers, addresses ---- */

static size_t take_array(struct scan *s, struct value v, size_t end, enum redact_type type)
{
	for (int i = 0; i < ARRAY_MAX && v.in_array && !s->full; i++) {
		size_t at = end + (end < s->size && s->text[end] == '\\' ? 2 : 1), quote;
		at = skip_spaces(s, at);
		if (byte_at(s, at) != ',')
			break;
		at = skip_spaces(s, at + 1);
		if (!(quote = quote_at(s, at)))
			break;
		size_t start = at + quote;
		size_t stop = quoted_end(s, start, quote);
		if (stop == start || placeholder_at(s, start))
			break;
		end = emit(s, start, stop, type);
	}
	return end;
}

static bool first_word_is(const struct scan *s, size_t at, unsigned kinds)
{
	size_t end = at;
	while (end < s->size && is_alpha(s->text[end]) && end - at < REDACT_WORD_MAX)
		end++;
	return word_kinds_of(s->text + at, end - at) & kinds;
}

static bool holds_known_name(const struct scan *s, size_t at, size_t end)
{
	while (at < end) {
		size_t stop = at;
		while (stop < end && is_letter(s->text[stop]))
			stop++;
		if (stop > at && word_kinds_of(s->text + at, stop - at) & (WORD_GIVEN | WORD_FAMILY))
			return true;
		at = stop + 1;
	}
	return false;
}

/* The end of a word in small letters or capitals that no list has, with what stands right behind it; 0: it is known. */
static size_t unknown_word(const struct scan *s, size_t at)
{
	size_t end = prose_word_end(s, at), next = skip_spaces(s, end);
	bool initial = next > end && is_upper(byte_at(s, next)) && !is_letter(byte_at(s, next + 1));
	if (end - at < 3 || word_byte(byte_at(s, end)))
		return 0;
	if (initial)
		return end;
	return lexicon_find(s->text + at, end - at) || word_kinds_of(s->text + at, end - at) ? 0 : end;
}

/* "Diabetes mellitus type 2", "Blood pressure": nobody's name, though it stands where one might. */
static bool all_ordinary(const struct scan *s, size_t at, size_t end)
{
	size_t words = 0;
	while (at < end) {
		size_t stop = prose_word_end(s, at);
		unsigned lex = stop > at ? lexicon_find(s->text + at, stop - at) : 0;
		if (stop - at >= 3 && !(lex & (LEX_PLAIN | LEX_MEDICAL)))
			return false;
		if (lex & (LEX_GIVEN | LEX_FAMILY) && !(lex & LEX_MEDICAL))
			return false;
		words += stop > at;
		at = stop > at ? stop : at + 1;
	}
	return words >= 2;
}

/* A name in Han, Kana or Hangul; the end, or 0. */
static size_t eastern_name(const struct scan *s, size_t at)
{
	size_t end = at;
	while (end - at < 24 && byte_at(s, end) >= 0xe3 && byte_at(s, end) <= 0xed)
		end += 3;
	return end - at >= 6 && end <= s->size ? end : 0;
}

/* The end of a word in capitals that the lists do not know as an ordinary one, or 0. */
static size_t capital_word(const struct scan *s, size_t at)
{
	size_t end = prose_word_end(s, at);
	for (size_t i = at; i < end; i++)
		if (is_lower(s->text[i]))
			return 0;
	return end - at >= 3 && !(lexicon_word(s->text + at, end - at) & (LEX_PLAIN | LEX_MEDICAL)) ? end : 0;
}

/* "Name      HOEKSTRA, J.": columns of a table. */
static bool is_column(const struct scan *s, struct value v)
{
	return clinical(s) && !v.quoted && !v.linked && v.start > 2 && s->text[v.start - 1] == ' ' &&
	       s->text[v.start - 2] == ' ' && is_upper(s->text[v.start]);
}

/* "NAME AMINU SULEIMAN  AGE 34": a form in capitals; two words at least, and the first is no ordinary one. */
static size_t take_capitals(struct scan *s, struct chunk c, struct value v)
{
	size_t end = 0, at = v.start, words = 0;
	if (c.seen & BYTE_LOWER || v.start != c.end + 1)
		return 0;
	while (words < NAME_WORDS_MAX) {
		size_t stop = capital_word(s, at), next;
		if (!stop || word_kinds_of(s->text + at, stop - at) & (WORD_LABELS | WORD_HOUSE))
			break;
		end = stop;
		words++;
		next = stop + (byte_at(s, stop) == ',');
		at = skip_spaces(s, next);
		if (at != next + 1)
			break;
	}
	return words > 1 || (words && byte_at(s, end) == ',') ? emit(s, v.start, end, REDACT_NAME) : 0;
}

static size_t take_name(struct scan *s, struct chunk c, struct value v, unsigned kinds)
{
	if (kinds & WORD_KEY_ONLY && v.separator != '=' && !v.quoted_key && !is_column(s, v) &&
	    !(clinical(s) && (v.separator == '>' || v.separator == ':')))
		return clinical(s) && !v.separator ? take_capitals(s, c, v) : 0;
	size_t eastern = clinical(s) && v.separator && !v.quoted ? eastern_name(s, v.start) : 0;
	if (eastern)
		return emit(s, v.start, eastern, REDACT_NAME);
	if (!is_letter(s->text[v.start]) || first_word_is(s, v.start, WORD_NO_VALUE))
		return 0;
	if (v.quoted) {
		if (v.end - v.start > 128 || (clinical(s) && all_ordinary(s, v.start, v.end)))
			return 0;
		return take_array(s, v, emit(s, v.start, v.end, REDACT_NAME), REDACT_NAME);
	}
	size_t end = match_name(s, v.start, NAME_WORDS_MAX);
	if (!end && clinical(s) && (v.linked || v.separator == ':') && !(kinds & WORD_KEY_ONLY))
		end = unknown_word(s, v.start);
	if (end && (is_digit(byte_at(s, end)) || (byte_at(s, end) == '-' && is_digit(byte_at(s, end + 1)))))
		return 0; /* an identifier that begins with letters */
	if (v.separator == '=' && !end)
		for (end = v.start; end < s->size && is_letter(s->text[end]);)
			end++;
	if (!end)
		return 0;
	if (kinds & WORD_PROSE && v.separator == ':' && !holds_known_name(s, v.start, end) && !unknown_word(s, v.start))
		return 0; /* "Name: Required" */
	size_t given = clinical(s) ? given_after(s, end) : 0;
	if (!given && clinical(s) && end - v.start >= 3 && is_upper(s->text[end - 1]) && byte_at(s, end) == ',')
		given = capital_word(s, skip_spaces(s, end + 1)); /* VAN DEN BERG, SASKIA */
	end = given ? given : end;
	if (given && byte_at(s, end) == ',' && is_upper(byte_at(s, end + 2)) && !word_byte(byte_at(s, end + 3)))
		end += 3; /* GARRIDO, PALOMA, M */
	if (!v.separator && !clinical(s) && !holds_known_name(s, v.start, end))
		return 0; /* "patient Portal" */
	if (!v.separator && clinical(s) && !(is_column(s, v) && given) && !holds_known_name(s, v.start, end))
		return 0; /* prose.c knows better */
	return emit(s, v.start, end, REDACT_NAME);
}

/* The group of capitals and digits at `at`, and whether there is a digit in it; 0: none, or a word. */
static size_t group_end(const struct scan *s, size_t at, bool *ret_digit)
{
	size_t end = at;
	*ret_digit = false;
	while (end - at < GROUP_MOST && (is_upper(byte_at(s, end)) || is_digit(byte_at(s, end))))
		*ret_digit |= is_digit(s->text[end++]);
	if (end == at || (word_byte(byte_at(s, end)) && byte_at(s, end) != '_'))
		return 0;
	bool word = !*ret_digit && (end - at > GROUP_LETTERS_MOST || word_kinds_of(s->text + at, end - at) ||
				       lexicon_find(s->text + at, end - at));
	return word ? 0 : end;
}

/* "JONES 712125 J99KX", "FA 123 KL": up to eight groups; the end, or 0 if there is but one. */
static size_t groups_end(const struct scan *s, size_t at, unsigned *ret_digits)
{
	size_t end = 0, groups = 0;
	for (size_t next = at; groups < 8; groups++) {
		bool digit;
		size_t stop = group_end(s, next, &digit);
		if (!stop)
			break;
		for (size_t i = next; i < stop; i++)
			*ret_digits += is_digit(s->text[i]);
		end = stop;
		if (byte_at(s, stop) != ' ')
			break;
		next = stop + 1;
	}
	return groups > 0 && *ret_digits >= 2 && memchr(s->text + at, ' ', end - at) ? end : 0;
}

/* An identifier's characters: the first token, and digit groups behind single spaces. */
static size_t id_end(const struct scan *s, size_t at, unsigned *digits)
{
	size_t stop = look_end(s, at), end = at, groups;
	*digits = 0;
	if (clinical(s) && (groups = groups_end(s, at, digits)))
		return groups;
	*digits = 0;
	for (size_t i = at; i < stop; i++) {
		uint8_t b = s->text[i];
		if (is_digit(b))
			++*digits;
		if (is_alnum(b))
			end = i + 1;
		else if (b == ' ' && is_digit(byte_at(s, i + 1)) && is_digit(s->text[i - (i > at)]) &&
			 *digits < ID_DIGITS_MOST)
			continue;
		else if (!strchr("-./_", b) || !b)
			break;
	}
	return end;
}

static bool ends_in_id(const struct scan *s, struct chunk c)
{
	return c.end - c.start == 2 && lower(s->text[c.start]) == 'i' && lower(s->text[c.start + 1]) == 'd';
}

/* "Patient ID: 7": whose number it is goes with the number. */
static size_t label_start(const struct scan *s, struct chunk c)
{
	const struct recent *w = &s->words[1];
	return w->letters && w->end + 1 == c.start && w->letters < w->end ? w->end - w->letters : c.start;
}

/* X7K2PQ */
static bool is_capital_code(const struct scan *s, size_t at, size_t end)
{
	bool code = end - at >= 5;
	for (; at < end; at++)
		code &= is_upper(s->text[at]) || is_digit(s->text[at]) || s->text[at] == ' ';
	return code;
}

static size_t take_number(struct scan *s, struct chunk c, struct value v, unsigned kinds)
{
	unsigned digits;
	bool keyed = v.separator == '=' || v.separator == '#' || v.quoted_key || v.linked;
	if (kinds & WORD_KEY_ONLY && !keyed && !(clinical(s) && v.separator == ':'))
		return 0;
	if (!is_alnum(s->text[v.start]) && s->text[v.start] != '+' && s->text[v.start] != '(')
		return 0;
	enum redact_type type = kinds & WORD_MRN     ? REDACT_MRN
				: kinds & WORD_SSN   ? REDACT_SSN
				: kinds & WORD_PHONE ? REDACT_PHONE
						     : REDACT_ID;
	size_t end = kinds & WORD_PHONE ? match_phone(s, v.start, true) : 0;
	if (end)
		return emit(s, v.start, end, type);
	if ((end = match_card(s, v.start)))
		return emit(s, v.start, end, REDACT_CARD);
	if ((end = match_iban(s, v.start)))
		return emit(s, v.start, end, REDACT_ACCOUNT);
	end = clinical(s) ? match_shape(s, v.start) : 0;
	if (end)
		return emit(s, v.start, end, type);
	end = id_end(s, v.start, &digits);
	if (clinical(s) && byte_at(s, end) == '(' && is_alnum(byte_at(s, end + 1)) && byte_at(s, end + 2) == ')')
		end += 3; /* A123456(7) */
	if (v.quoted && end > v.end)
		end = v.end;
	unsigned least = kinds & WORD_PHONE ? 7 : v.separator || v.linked || v.quoted ? 3 : 4;
	bool code = clinical(s) && digits && is_capital_code(s, v.start, end);
	if ((digits < least && !code) || end <= v.start)
		return 0;
	if (clinical(s) && (type == REDACT_ID || type == REDACT_MRN) && ends_in_id(s, c))
		return emit(s, label_start(s, c), end, type);
	return emit(s, v.start - (v.start > 0 && s->text[v.start - 1] == '#'), end, type);
}

static size_t take_birth(struct scan *s, struct value v)
{
	size_t end = match_date(s, v.start), at = v.start;
	if (!end) { /* 19800229 */
		while (at < s->size && is_digit(s->text[at]) && at - v.start < 9)
			at++;
		end = at - v.start == 8 ? at : 0;
	}
	return end ? emit(s, v.start, end, REDACT_DATE) : 0;
}

static size_t take_address(struct scan *s, struct value v, unsigned kinds)
{
	if (kinds & WORD_KEY_ONLY && v.separator != '=' && !v.quoted_key &&
	    !(clinical(s) && (v.separator == ':' || (v.separator == '>' && s->text[v.start - 1] == '>'))))
		return 0;
	if ((!v.separator && !v.quoted) ||
	    (kinds & WORD_PROSE && !v.quoted && !is_upper(s->text[v.start]) && !is_digit(s->text[v.start])))
		return 0;
	size_t end = v.end;
	if (!v.quoted) {
		size_t stop = look_end(s, v.start);
		for (end = v.start; end < stop && !strchr("\n\r;|&<\"", s->text[end]);)
			end++;
		if (v.separator == '=')
			end = unquoted_end(s, v.start);
	}
	while (end > v.start && is_space(s->text[end - 1]))
		end--;
	if (end == v.start || is_blank(s, v.start, end))
		return 0;
	return take_array(s, v, emit(s, v.start, end, REDACT_ADDRESS), REDACT_ADDRESS);
}

/* "login for jsmith failed": what is no word. */
static size_t take_unknown_login(struct scan *s, size_t at)
{
	if (left(s, at) > 4 && memcmp(s->text + at, "for ", 4) == 0)
		at = skip_spaces(s, at + 3);
	size_t end = prose_word_end(s, at);
	bool login = end - at >= 4 && is_lower(byte_at(s, at)) && !word_byte(byte_at(s, end)) &&
		     lexicon_find(s->text + at, end - at) == 0 && word_kinds_of(s->text + at, end - at) == 0;
	return login ? emit(s, at, end, REDACT_USER) : 0;
}

/* A login name in prose: behind a separator or "is", or one with a digit in it. */
static size_t take_login(struct scan *s, struct value v)
{
	size_t end = v.quoted ? v.end : unquoted_end(s, v.start);
	bool digit = false;
	while (end > v.start && strchr(".,;:!?", s->text[end - 1]) && s->text[end - 1])
		end--;
	for (size_t i = v.start; i < end; i++)
		digit = digit || is_digit(s->text[i]) || s->text[i] == '_' || (s->text[i] == ':' && i > v.start + 2);
	if (end < v.start + 3 || is_blank(s, v.start, end) || !(digit || v.separator == ':' || v.separator == '='))
		return take_unknown_login(s, v.start);
	return emit(s, v.start, end, REDACT_USER);
}

static size_t take_user(struct scan *s, struct value v)
{
	if (clinical(s))
		return take_login(s, v);
	if (!s->options->users || (v.separator != '=' && !v.quoted_key))
		return 0;
	size_t end = v.quoted ? v.end : unquoted_end(s, v.start);
	return end > v.start && !is_blank(s, v.start, end) ? emit(s, v.start, end, REDACT_USER) : 0;
}

size_t rule_label(struct scan *s, struct chunk c, unsigned kinds)
{
	struct value v;
	if (kinds & WORD_PROSE && !clinical(s))
		return 0;
	if (kinds & WORD_SCHEME && !(kinds & WORD_LABELS))
		return take_scheme(s, c);
	if (!find_value(s, c, &v))
		return 0;
	size_t end = 0;
	if (kinds & WORD_ZIP && clinical(s) && (end = match_zip(s, v.start)))
		return emit(s, v.start, end, REDACT_ADDRESS);
	if (kinds & (WORD_PASSWORD | WORD_SECRET))
		end = take_secret(s, c, v, kinds);
	else if (kinds & WORD_BIRTH)
		end = take_birth(s, v);
	else if (kinds & (WORD_MRN | WORD_SSN | WORD_ID | WORD_PHONE))
		end = take_number(s, c, v, kinds);
	else if (kinds & WORD_NAME)
		end = take_name(s, c, v, kinds);
	else if (kinds & WORD_ADDRESS)
		end = take_address(s, v, kinds);
	else if (kinds & WORD_USER)
		end = take_user(s, v);
	return end;
}
