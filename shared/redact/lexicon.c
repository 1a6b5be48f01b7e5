/* The table behind lexicon_find(): hash to kinds, open addressing, filled once. */
#include "shared/redact/lexicon.h"

#include <assert.h>
#include <pthread.h>

#include "shared/redact/scan.h"

enum {
	SLOTS = 16384, /* a power of two, over twice the words */
	LEX_ENDING = 1u << 8,
	ENDING_LEAST = 3,
	ENDING_MOST = 8,
	STEM_LEAST = 3, /* letters before an ending */
};

/* A slot: the hash's upper bits, and the kinds in its lowest ten. */
static word_hash slots[SLOTS];
enum { KINDS_MASK = (1 << 10) - 1 };

static unsigned look_up(word_hash h)
{
	for (size_t at = (h >> 40) & (SLOTS - 1); slots[at]; at = (at + 1) & (SLOTS - 1))
		if (((slots[at] ^ h) & ~(word_hash)KINDS_MASK) == 0)
			return slots[at] & KINDS_MASK;
	return 0;
}

static size_t add(word_hash h, unsigned kinds)
{
	size_t at = (h >> 40) & (SLOTS - 1);
	while (slots[at] && ((slots[at] ^ h) & ~(word_hash)KINDS_MASK) != 0)
		at = (at + 1) & (SLOTS - 1);
	bool fresh = !slots[at];
	slots[at] = (h & ~(word_hash)KINDS_MASK) | (slots[at] & KINDS_MASK) | kinds;
	return fresh;
}

static void fill(void)
{
	static const struct {
		const char *words;
		unsigned kinds;
	} lists[] = {
	    {lexicon_plain, LEX_PLAIN},
	    {lexicon_medical, LEX_MEDICAL},
	    {lexicon_term_noun, LEX_TERM | LEX_PLAIN},
	    {lexicon_endings, LEX_ENDING},
	    {lexicon_given, LEX_GIVEN},
	    {lexicon_family, LEX_FAMILY},
	    {lexicon_place, LEX_PLACE},
	    {lexicon_nation, LEX_NATION},
	    {lexicon_org, LEX_ORG},
	};
	size_t count = 0;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		word_hash h = 0;
		for (const char *p = lists[i].words;; p++) {
			if (is_alpha((uint8_t)*p)) {
				h = word_hash_add(h, (uint8_t)*p);
			} else if (*p == ' ' || !*p) {
				count += h ? add(h, lists[i].kinds) : 0;
				h = 0;
			}
			if (!*p)
				break;
		}
	}
	assert(count < SLOTS / 2);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static word_hash hash_of(const uint8_t *p, size_t n)
{
	word_hash h = 0;
	for (size_t i = 0; i < n; i++)
		h = word_hash_add(h, p[i]);
	return h;
}

static unsigned plain_of(const uint8_t *p, size_t n)
{
	return n >= STEM_LEAST ? look_up(hash_of(p, n)) & (LEX_PLAIN | LEX_MEDICAL) : 0;
}

static bool ends(const uint8_t *p, size_t n, const char *with)
{
	size_t k = strlen(with);
	return n > k && memcmp(p + n - k, with, k) == 0;
}

/* The word without a regular ending: -s, -ed, -ing, -ly … */
static unsigned inflected(uint8_t *p, size_t n)
{
	static const char *const endings[] = {"s", "es", "d", "ed", "ing", "ly", "er", "r", "ers", "rs", "est", "y"};
	unsigned found = 0;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0] && !found; i++) {
		size_t stem = n - strlen(endings[i]);
		if (!ends(p, n, endings[i]) || stem < STEM_LEAST)
			continue;
		found = plain_of(p, stem);
		if (!found && stem > STEM_LEAST && p[stem - 1] == p[stem - 2])
			found = plain_of(p, stem - 1); /* planned */
		if (!found && endings[i][0] != 's') {  /* making; tried, happily */
			uint8_t after = p[stem];
			p[stem] = 'e';
			found = plain_of(p, stem + 1);
			p[stem] = after;
		}
		if (!found && p[stem - 1] == 'i') {
			p[stem - 1] = 'y';
			found = plain_of(p, stem);
			p[stem - 1] = 'i';
		}
	}
	return found;
}

static unsigned prefixed(const uint8_t *p, size_t n)
{
	static const char *const prefixes[] = {"un", "re", "non", "pre", "post", "anti", "inter", "over", "under",
	    "sub", "super", "micro", "multi", "mid", "out", "self", "hyper", "hypo", "dis", "mis"};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		size_t k = strlen(prefixes[i]);
		if (n > k + STEM_LEAST && memcmp(p, prefixes[i], k) == 0 && plain_of(p + k, n - k))
			return LEX_PLAIN;
	}
	return 0;
}

static unsigned learned(const uint8_t *p, size_t n)
{
	for (size_t k = ENDING_LEAST; k <= ENDING_MOST && k + STEM_LEAST <= n; k++)
		if (look_up(hash_of(p + n - k, k)) & LEX_ENDING)
			return LEX_MEDICAL;
	return 0;
}

unsigned lexicon_exact(word_hash h)
{
	(void)pthread_once(&once, fill);
	unsigned base = word_kinds(h), kinds = look_up(h) & ~(unsigned)LEX_ENDING;
	kinds |= base & WORD_GIVEN ? LEX_GIVEN : 0u;
	kinds |= base & WORD_FAMILY ? LEX_FAMILY : 0u;
	kinds |= base & WORD_TOWN ? LEX_PLACE : 0u;
	return kinds | (base & WORD_COMMON ? LEX_PLAIN : 0u);
}

unsigned lexicon_find(const uint8_t *word, size_t size)
{
	uint8_t letters[LEXICON_WORD_MAX];
	size_t n = 0;
	bool high = false;
	for (size_t i = 0; i < size; i++) {
		high |= word[i] >= 0x80;
		if (is_alpha(word[i]) && n < sizeof letters)
			letters[n++] = lower(word[i]);
	}
	if (n == 0)
		return 0;
	unsigned kinds = lexicon_exact(hash_of(letters, n));
	if (high || kinds & (LEX_PLAIN | LEX_MEDICAL))
		return kinds;
	if (!kinds)
		kinds = inflected(letters, n);
	if (!kinds)
		kinds = prefixed(letters, n);
	return kinds ? kinds : learned(letters, n);
}
