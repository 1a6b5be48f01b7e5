/* Passwords, tokens and keys behind their labels. */
#include "shared/redact/value.h"

static size_t line_end(const struct scan *s, size_t at)
{
	while (at < s->size && s->text[at] != '\n' && s->text[at] != '\r' && s->text[at] != '"')
		at++;
	return at;
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

/* "password for the share is Winter2024!", "cvv 123" */
static size_t take_phrase(struct scan *s, struct chunk c, struct value v, unsigned kinds)
{
	size_t at = kinds & WORD_KEY_ONLY ? v.start : phrase_value(s, c.end);
	if (!at && clinical(s) && is_letter(byte_at(s, v.start)) && digit_in(s, v.start, 0))
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

size_t take_secret(struct scan *s, struct chunk c, struct value v, unsigned kinds)
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
size_t take_scheme(struct scan *s, struct chunk c)
{
	size_t at = skip_spaces(s, c.end);
	if (at == c.end || at >= s->size || placeholder_at(s, at))
		return 0;
	size_t end = unquoted_end(s, at);
	return looks_secret(s, at, end) ? emit(s, at, end, REDACT_SECRET) : 0;
}
