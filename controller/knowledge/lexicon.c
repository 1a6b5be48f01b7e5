/* controller/knowledge/lexicon.c: finding the phrases of the lexicon in a message.
 *
 * A phrase is words divided by spaces: "exist*" is any word that begins so, "%" a value, "_" any one word, "~" up to
 * four words; "^" before the first word and "$" behind the last bind them to the message's ends.  Words compare as they
 * are written, in lower case. */
#include <string.h>

#include "controller/knowledge/lexicon_words.h"

enum { GAP_MAX = 4 };

struct phrase { /* cursor within one group's text */
	const char *at, *end;
};

static bool word_matches(const char *p, size_t size, const struct message_token *t)
{
	if (size == 1 && *p == '_')
		return true;
	if (size > 1 && p[size - 1] == '*')
		return strncmp(t->text, p, size - 1) == 0;
	return strlen(t->text) == size && memcmp(t->text, p, size) == 0;
}

/* Does the rest of a phrase stand at token i?  The recursion is as deep as a phrase has words. */
static bool matches_at(struct phrase p, const struct message_token *t, size_t n, size_t i)
{
	while (p.at < p.end && *p.at == ' ')
		p.at++;
	if (p.at == p.end)
		return true;
	const char *stop = memchr(p.at, ' ', (size_t)(p.end - p.at));
	size_t size = (size_t)((stop ? stop : p.end) - p.at);
	struct phrase rest = {p.at + size, p.end};
	if (size == 1 && *p.at == '~') {
		for (size_t skip = 0; skip <= GAP_MAX && i + skip <= n; skip++)
			if (matches_at(rest, t, n, i + skip))
				return true;
		return false;
	}
	bool last = p.at[size - 1] == '$';
	if (i >= n || (last && i + 1 != n) || !word_matches(p.at, size - last, &t[i]))
		return false;
	return matches_at(rest, t, n, i + 1);
}

/* By their first two letters the words of a message fall under 64 heads, one bit each: nearly all phrases are ruled out
 * by the head of their first word. */
static uint64_t head_of(char first, char second)
{
	return UINT64_C(1) << (((unsigned char)first * 7u + (unsigned char)second) & 63);
}

static uint64_t heads_of(const struct message_token *t, size_t n)
{
	uint64_t heads = 0;
	for (size_t i = 0; i < n; i++)
		heads |= head_of(t[i].text[0], t[i].text[0] ? t[i].text[1] : 0);
	return heads;
}

static bool ruled_out(struct phrase p, uint64_t heads)
{
	if (p.at < p.end && *p.at == '^')
		p.at++;
	if (p.at == p.end || *p.at == '_' || *p.at == '~')
		return false;
	char second = p.end - p.at > 1 ? p.at[1] : 0;
	if (second == '*')
		return false;
	return !(heads & head_of(*p.at, second == ' ' || second == '$' ? 0 : second));
}

static bool phrase_found(struct phrase p, const struct message_token *t, size_t n)
{
	if (p.at < p.end && *p.at == '^') {
		p.at++;
		return matches_at(p, t, n, 0);
	}
	for (size_t i = 0; i < n; i++)
		if (matches_at(p, t, n, i))
			return true;
	return false;
}

static bool next(const char **at, struct phrase *ret)
{
	if (!**at)
		return false;
	const char *bar = strchr(*at, '|');
	*ret = (struct phrase){*at, bar ? bar : *at + strlen(*at)};
	*at = bar ? bar + 1 : ret->end;
	return true;
}

/* Words that a phrase asks for: the longer one says more. */
static unsigned phrase_words(struct phrase p)
{
	unsigned n = 0;
	for (const char *c = p.at; c < p.end; c++)
		n += (c == p.at || c[-1] == ' ') && *c != '~' && *c != '_';
	return n < LEXICON_STEPS ? n : LEXICON_STEPS - 1;
}

bool lexicon_match(const struct message_token *tokens, size_t count, uint8_t ret[ERROR_CLASS_COUNT])
{
	const uint64_t heads = heads_of(tokens, count);
	bool any = false;
	memset(ret, 0, ERROR_CLASS_COUNT);
	for (size_t g = 0; g < lexicon_group_count; g++) {
		const struct lexicon_group *l = &lexicon_groups[g];
		const char *at = l->phrases;
		struct phrase p;
		while (l->strength < 4 && next(&at, &p)) {
			if (ruled_out(p, heads))
				continue;
			unsigned worth = (unsigned)l->strength * LEXICON_STEPS + phrase_words(p);
			if (worth > ret[l->class] && phrase_found(p, tokens, count)) {
				ret[l->class] = (uint8_t)worth;
				any = true;
			}
		}
	}
	return any;
}

unsigned lexicon_certain(const struct message_token *tokens, size_t count)
{
	const uint64_t heads = heads_of(tokens, count);
	unsigned classes = 0;
	for (size_t g = 0; g < lexicon_group_count; g++) {
		const struct lexicon_group *l = &lexicon_groups[g];
		const char *at = l->phrases;
		struct phrase p;
		while (l->strength == 4 && !(classes & 1u << l->class) && next(&at, &p))
			if (!ruled_out(p, heads) && phrase_found(p, tokens, count))
				classes |= 1u << l->class;
	}
	return classes;
}

bool lexicon_entry(size_t i, const char **ret_phrase, size_t *ret_size, enum error_class *ret_class, int *ret_strength)
{
	for (size_t g = 0; g < lexicon_group_count; g++) {
		const char *at = lexicon_groups[g].phrases;
		struct phrase p;
		while (next(&at, &p))
			if (i-- == 0) {
				*ret_phrase = p.at;
				*ret_size = (size_t)(p.end - p.at);
				*ret_class = lexicon_groups[g].class;
				*ret_strength = lexicon_groups[g].strength;
				return true;
			}
	}
	return false;
}
