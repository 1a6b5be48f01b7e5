/* shared/base/text_glob.c: path patterns.
 *
 * All ways to match are followed at once, as a set of places in the pattern, so the time is at most path length times
 * pattern length, whatever the pattern.  A place is the offset of a token.  The set is kept in order, and what follows
 * a place stands behind it; so a place already in the set is one that is not beyond the last. */
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

struct glob {
	const char *pattern;
	const char *unclosed; /* where the first '[' without an end stands, once met: no later one has an end either */
};

struct places {
	size_t count;
	uint16_t at[PATH_LIMIT + 1];
};

/* The character at s and its length; a byte that is no UTF-8 stands for itself, above all characters. */
static uint32_t character(const char *s, size_t *ret_length)
{
	const uint8_t *p = (const uint8_t *)s;
	*ret_length = 1;
	if (p[0] < 0x80)
		return p[0];
	size_t n = text_utf8_length(s, strnlen(s, 4));
	if (n == 0)
		return 0x110000u + p[0];
	*ret_length = n;
	uint32_t v = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		v = v << 6 | (p[i] & 0x3f);
	return v;
}

/* One member of a class, "\]" and the like unescaped. */
static const char *class_member(const char *p, uint32_t *ret)
{
	size_t n;
	if (*p == '\\' && p[1])
		p++;
	*ret = character(p, &n);
	return p + n;
}

/* p stands behind '['.  Returns what follows the class, or NULL if it has no end.  *ret_match: whether c is in it. */
static const char *class_of(const char *p, uint32_t c, bool *ret_match)
{
	bool negated = *p == '!' || *p == '^', match = false;
	p += negated;
	for (const char *first = p; *p && (*p != ']' || p == first);) {
		uint32_t low, high;
		p = class_member(p, &low);
		high = low;
		if (p[0] == '-' && p[1] && p[1] != ']')
			p = class_member(p + 1, &high);
		if (low <= c && c <= high)
			match = true;
	}
	if (*p != ']')
		return NULL;
	*ret_match = match != negated;
	return p + 1;
}

/* Whether the token at p, which is no star, takes c; *ret_next is what follows it. */
static bool takes(struct glob *g, const char *p, uint32_t c, const char **ret_next)
{
	bool match = false;
	size_t n;
	if (*p == '?') {
		*ret_next = p + 1;
		return c != '/';
	}
	if (*p == '[' && (!g->unclosed || p < g->unclosed)) {
		const char *next = class_of(p + 1, c, &match);
		if (next) {
			*ret_next = next;
			return match && c != '/';
		}
		g->unclosed = p;
	}
	if (*p == '\\' && p[1])
		p++;
	uint32_t own = character(p, &n);
	*ret_next = p + n;
	return own == c;
}

static size_t star_length(const char *p)
{
	return strspn(p, "*");
}

/* False: it is there already. */
static bool add(struct places *set, size_t at)
{
	if (set->count > 0 && at <= set->at[set->count - 1])
		return false;
	set->at[set->count++] = (uint16_t)at;
	return true;
}

/* Come to a place: stars may match nothing, so the places behind them are reached as well.  "**" before a slash, at the
 * beginning of a part, also matches no folder at all, slash included.  A place that is there already was come to in
 * this way. */
static void enter(struct places *set, const char *pattern, size_t at)
{
	if (!add(set, at))
		return;
	while (pattern[at] == '*') {
		size_t n = star_length(pattern + at);
		bool part_begins = at == 0 || pattern[at - 1] == '/';
		at += n;
		add(set, at);
		if (n > 1 && part_begins && pattern[at] == '/')
			add(set, ++at);
	}
}

static void advance(struct glob *g, struct places *to, const struct places *from, uint32_t c)
{
	const char *pattern = g->pattern;
	to->count = 0;
	for (size_t i = 0; i < from->count; i++) {
		size_t at = from->at[i];
		const char *next;
		if (pattern[at] == '*') {
			size_t n = star_length(pattern + at);
			if (c == '/' && n == 1)
				continue;
			add(to, at);
			add(to, at + n); /* not enter(): it is the end of this star's match, not its beginning */
		} else if (pattern[at] && takes(g, pattern + at, c, &next)) {
			enter(to, pattern, (size_t)(next - pattern));
		}
	}
}

bool text_glob(const char *pattern, const char *path)
{
	struct glob g = {.pattern = pattern};
	struct places sets[2], *now = &sets[0], *then = &sets[1];
	size_t end = strlen(pattern);
	if (end > PATH_LIMIT)
		return false;
	now->count = 0;
	enter(now, pattern, 0);
	for (size_t n; *path && now->count > 0; path += n) {
		uint32_t c = character(path, &n);
		advance(&g, then, now, c);
		struct places *swap = now;
		now = then;
		then = swap;
	}
	return now->count > 0 && now->at[now->count - 1] == end;
}
