/* Values after their labels: password=…, "ssn": "…", MRN 123, Patient Name: …, --token … */
#include "shared/redact/value.h"

enum {
	GROUP_MOST = 20,        /* of one group of an identifier */
	GROUP_LETTERS_MOST = 5, /* of a group without a digit: a longer one is a word */
	ID_DIGITS_MOST = 24,    /* of an identifier with blanks in it */
};

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
		return kinds & WORD_NAME ? take_query_name(s, c) : 0;
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
