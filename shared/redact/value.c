/* Where the value of a label begins and ends. */
#include "shared/redact/value.h"

enum {
	ARRAY_MAX = 8,        /* strings of one JSON array that are taken for one label */
	KEY_LOOK = 32,        /* how far the next key=value is looked for behind a separator */
	PHRASE_WORDS_MAX = 6, /* between "password" and "is" */
};

/* A quote, with the backslashes that nesting put before it; the length, or 0. */
size_t quote_at(const struct scan *s, size_t at)
{
	size_t n = 0;
	while (n < 8 && byte_at(s, at + n) == '\\')
		n++;
	uint8_t b = byte_at(s, at + n);
	return b == '"' || b == '\'' || b == '`' ? n + 1 : 0;
}

/* The end of a quoted value that begins at `at` behind a quote of the given length; the text's or line's end if it is
 * not closed. */
size_t quoted_end(const struct scan *s, size_t at, size_t quote_size)
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
size_t phrase_value(const struct scan *s, size_t at)
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

bool find_value(const struct scan *s, struct chunk c, struct value *v)
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

size_t unquoted_end(const struct scan *s, size_t at)
{
	while (at < s->size && !ends_value(s, at))
		at++;
	return at;
}

/* "****", "xxxxx", "${VAR}", "%s", "<none>": no secret stands there. */
bool is_blank(const struct scan *s, size_t start, size_t end)
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

/* In [start, end), or in the token at `start` when end is 0. */
bool digit_in(const struct scan *s, size_t start, size_t end)
{
	size_t stop = end ? end : unquoted_end(s, start);
	while (start < stop && !is_digit(s->text[start]))
		start++;
	return start < stop;
}

size_t take_array(struct scan *s, struct value v, size_t end, enum redact_type type)
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
