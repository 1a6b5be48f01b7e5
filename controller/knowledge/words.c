/* controller/knowledge/words.c: an error message as words.  Values, quoted or as format marks, are all "%": what a
 * message says does not depend on whom it names. */
#include <ctype.h>
#include <string.h>

#include "controller/knowledge/classes.h"

static const struct {
	const char *ending;
	const char *instead;
	unsigned least; /* letters that must be left */
} endings[] = {
    {"ization", "iz", 3},
    {"isation", "iz", 3},
    {"ations", "", 4},
    {"ation", "", 4},
    {"nesses", "", 3},
    {"ness", "", 3},
    {"ments", "", 4},
    {"ment", "", 4},
    {"ities", "", 4},
    {"ity", "", 4},
    {"ising", "iz", 3},
    {"izing", "iz", 3},
    {"ised", "iz", 3},
    {"ized", "iz", 3},
    {"ises", "iz", 3},
    {"izes", "iz", 3},
    {"ise", "iz", 4},
    {"ize", "iz", 3},
    {"ies", "y", 2},
    {"ied", "y", 2},
    {"sses", "ss", 1},
    {"ings", "", 3},
    {"ing", "", 3},
    {"ions", "", 3},
    {"ion", "", 3},
    {"ers", "", 4},
    {"ed", "", 3},
    {"es", "", 3},
    {"ly", "", 3},
    {"er", "", 4},
    {"ss", "ss", 0},
    {"us", "us", 3},
    {"is", "is", 0},
    {"s", "", 2},
    {"e", "", 3},
};

void word_stem(const char *word, char *out)
{
	size_t n = strlen(word);
	memcpy(out, word, n + 1);
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t e = strlen(endings[i].ending);
		if (n < e + endings[i].least || memcmp(word + n - e, endings[i].ending, e) != 0)
			continue;
		strcpy(out + n - e, endings[i].instead); /* never longer than what it stands for */
		break;
	}
	n = strlen(out);
	if (n > 3 && out[n - 1] == 'e') /* "timeouted", "timeout", "times" end alike */
		out[--n] = 0;
	if (n > 3 && out[n - 1] == out[n - 2] && strchr("bdgmnprt", out[n - 1])) /* "stopped" */
		out[n - 1] = 0;
}

struct splitter {
	struct message_token *items;
	size_t count, max;
};

static void add(struct splitter *s, const char *text, size_t size, bool camel)
{
	if (s->count == s->max || size == 0)
		return;
	struct message_token *t = &s->items[s->count];
	if (size >= MESSAGE_TOKEN_MAX)
		size = MESSAGE_TOKEN_MAX - 1;
	for (size_t i = 0; i < size; i++)
		t->text[i] = (char)tolower((unsigned char)text[i]);
	t->text[size] = 0;
	t->camel = camel;
	bool value = t->text[0] == '%' || t->text[0] == '#';
	if (value && s->count && strcmp(s->items[s->count - 1].text, t->text) == 0)
		return; /* "%/%" is one value */
	word_stem(t->text, t->stem);
	s->count++;
}

/* "GetDiskByURI" is get disk by uri; "SQLSTATE" stays whole. */
static void add_word(struct splitter *s, const char *w, size_t n)
{
	size_t from = 0;
	bool camel = false;
	for (size_t i = 1; i < n; i++) {
		bool up = isupper((unsigned char)w[i]) != 0;
		bool rise = up && islower((unsigned char)w[i - 1]);
		bool last_of_capitals = up && isupper((unsigned char)w[i - 1]) && i + 1 < n &&
					islower((unsigned char)w[i + 1]) && !(i + 2 == n && w[i + 1] == 's');
		if (rise || last_of_capitals) {
			camel = true;
			add(s, w + from, i - from, true);
			from = i;
		}
	}
	add(s, w + from, n - from, camel);
}

/* Bytes of a format mark or a placeholder at p ("%-5.2lu" "{name}" "${x}" "<id>"), or 0. */
static size_t placeholder(const char *p, size_t left)
{
	if (*p == '%') {
		size_t i = 1;
		while (
		    i < left && (isdigit((unsigned char)p[i]) || (p[i] && strchr("+-# .*lhzjtq'$", p[i]))) && i < 12) {
			if (p[i] == 'q')
				return i + 1;
			if (p[i] == ' ')
				break;
			i++;
		}
		if (i < left && isalpha((unsigned char)p[i]))
			return i + 1;
		return 0;
	}
	char close = *p == '{' ? '}' : *p == '<' ? '>' : 0;
	if (*p == '$' && left > 1 && p[1] == '{') {
		size_t n = placeholder(p + 1, left - 1);
		return n ? n + 1 : 0;
	}
	if (!close)
		return 0;
	for (size_t i = 1; i < left && i < 64 && p[i] != ' ' && p[i] != *p; i++)
		if (p[i] == close)
			return i + 1;
	return 0;
}

/* Bytes of a quoted value at p, with its quotes, or 0: "do not" quotes are no values, so at most three words are. */
static size_t quoted(const char *p, size_t left)
{
	if (*p != '"' && *p != '`')
		return 0;
	size_t spaces = 0;
	for (size_t i = 1; i < left && i < 200 && spaces <= 3; i++) {
		if (p[i] == *p)
			return i + 1;
		spaces += p[i] == ' ';
	}
	return 0;
}

static bool is_number(const char *w, size_t n)
{
	bool digit = false;
	for (size_t i = 0; i < n; i++) {
		if (!isxdigit((unsigned char)w[i]) && !(i == 1 && w[0] == '0' && w[1] == 'x'))
			return false;
		digit |= isdigit((unsigned char)w[i]) != 0;
	}
	return digit;
}

/* Negations that are written in one word are one token "not" behind the verb: "doesn't" is does not. */
static size_t contraction(struct splitter *s, const char *w, size_t n, const char *text, size_t left)
{
	if (n < 3 || left < n + 2 || tolower((unsigned char)w[n - 1]) != 'n' || text[n] != '\'' ||
	    tolower((unsigned char)text[n + 1]) != 't')
		return 0;
	add(s, w, n - 1, false); /* "can" of "can't" is "ca": repaired below */
	if (s->count && strcmp(s->items[s->count - 1].text, "ca") == 0) {
		strcpy(s->items[s->count - 1].text, "can");
		strcpy(s->items[s->count - 1].stem, "can");
	}
	add(s, "not", 3, false);
	return n + 2;
}

size_t message_tokens(const char *text, size_t size, struct message_token *ret, size_t max)
{
	struct splitter s = {ret, 0, max};
	for (size_t i = 0; i < size && s.count < max;) {
		const char *p = text + i;
		size_t left = size - i, n = placeholder(p, left);
		if (!n)
			n = quoted(p, left);
		if (n) {
			add(&s, "%", 1, false);
			i += n;
			continue;
		}
		while (n < left && isalnum((unsigned char)p[n]))
			n++;
		if (!n) {
			if ((*p == ':' || *p == ';') && s.count && strcmp(s.items[s.count - 1].text, ":") != 0)
				add(&s, ":", 1, false);
			i++;
			continue;
		}
		size_t whole = contraction(&s, p, n, p, left);
		if (whole) {
			i += whole;
			continue;
		}
		if (n == 6 && strncasecmp(p, "cannot", 6) == 0) {
			add(&s, "can", 3, false);
			add(&s, "not", 3, false);
		} else if (is_number(p, n) && n != 3 && n != 5) /* three digits may be HTTP's, five SQLSTATE's */
			add(&s, "#", 1, false);
		else
			add_word(&s, p, n);
		i += n;
	}
	return s.count;
}
