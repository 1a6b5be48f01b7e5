/* Persons behind a label: in prose, in the columns of a form, in capitals, in other scripts. */
#include "shared/redact/value.h"

enum { NAME_WORDS_MAX = 4 };

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

size_t take_name(struct scan *s, struct chunk c, struct value v, unsigned kinds)
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

/* Of a blank in a query; 0: none stands there. */
static size_t blank_at(const struct scan *s, size_t at)
{
	uint8_t b = byte_at(s, at);
	if (b == '%' && byte_at(s, at + 1) == '2' && byte_at(s, at + 2) == '0')
		return 3;
	return b == '+' || (b == ' ' && s->meant);
}

size_t take_query_name(struct scan *s, struct chunk c)
{
	uint8_t before = c.start > 0 ? s->text[c.start - 1] : 0;
	if ((before != '?' && before != '&') || byte_at(s, c.end) != '=')
		return 0;
	size_t start = c.end + 1, end = start;
	bool known = false;
	for (int words = 0; words < NAME_WORDS_MAX; words++) {
		size_t word = end;
		if (!is_upper(byte_at(s, word)))
			return 0;
		for (end = word + 1; is_lower(byte_at(s, end)) && end - word < REDACT_WORD_MAX;)
			end++;
		known |= holds_known_name(s, word, end);
		size_t blank = blank_at(s, end);
		if (!blank)
			break;
		end += blank;
	}
	uint8_t next = byte_at(s, end);
	bool ends = !next || is_space(next) || strchr("&;#\"'<>)", next);
	return known && ends ? emit(s, start, end, REDACT_NAME) : 0;
}
