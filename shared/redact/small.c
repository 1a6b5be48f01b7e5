/* The words of prose that no rule takes an interest in: walked past eight letters at a time. */
#include "shared/redact/lexicon.h"

enum {
	MARGIN = 3 * 8,     /* bytes that are read at once, and one more word's end */
	LABEL_GAP_MOST = 8, /* between the words of one label */
};

struct small_words small_words[2];

static uint64_t first_bytes(uint64_t v, size_t n)
{
	return n >= 8 ? v : v & ((1ull << 8 * n) - 1);
}

struct place { /* of a word in the filter: two bits of one of its elements */
	size_t element;
	uint64_t bits;
};

static struct place place_of(uint64_t head, uint64_t tail)
{
	uint64_t h = (head ^ tail * 0xc2b2ae3d27d4eb4full) * WORD_HASH_STEP;
	h ^= h >> 29;
	h *= 0x9fb21c651e98df25ull;
	return (struct place){(size_t)(h >> (64 - SMALL_BITS)), 1ull << (h >> 40 & 63) | 1ull << (h >> 34 & 63)};
}

void small_add(struct small_words *w, const char *word, size_t letters)
{
	uint8_t padded[SMALL_LETTERS_MOST] = {0};
	if (letters > SMALL_LETTERS_MOST)
		return; /* longer ones are always looked at */
	memcpy(padded, word, letters);
	struct place at = place_of(load_eight(padded), load_eight(padded + 8));
	w->bits[at.element] |= at.bits;
}

/* What ends a word without being of any interest itself: bytes, or 0. */
static size_t plain_end(const uint8_t *p)
{
	if (p[0] == ' ')
		return 1;
	return (p[0] == ',' || p[0] == ';' || p[0] == '.') && p[1] == ' ' ? 2 : 0;
}

/* Of the word at `at`, which the filter lets be one: does a rule look at it, alone or as the end of a label? */
static bool is_wanted(const struct scan *s, size_t at, size_t n, const struct recent *last)
{
	word_hash h = word_hash_of(s->text + at, n);
	if (word_kinds(h) & WORD_SMALL || (clinical(s) && lexicon_may_be_given(h)))
		return true;
	size_t letters = n, start = at;
	for (size_t i = 0; i < 2 && last[i].letters; i++) {
		if (last[i].end + 1 != start || s->text[last[i].end] != ' ')
			return start - last[i].end <= LABEL_GAP_MOST;
		word_hash first = last[i].hash ? last[i].hash
					       : word_hash_of(s->text + last[i].end - last[i].letters, last[i].letters);
		h = word_hash_join(first, h, letters);
		if (word_kinds(h) & WORD_LABELS)
			return true;
		letters += last[i].letters;
		start = last[i].end - last[i].letters;
	}
	return false;
}

size_t pass_small_words(struct scan *s, size_t at)
{
	const uint8_t *text = s->text;
	const uint64_t *bits = small_words[s->options->mode == REDACT_CLINICAL].bits;
	struct recent last[3] = {s->words[0], s->words[1], s->words[2]};
	while (left(s, at) >= MARGIN) {
		uint64_t head = load_eight(text + at), tail = 0;
		size_t n = small_of_eight(head), more = 0;
		if (n == 8) {
			tail = load_eight(text + at + 8);
			more = small_of_eight(tail);
			tail = first_bytes(tail, more);
		}
		size_t end = plain_end(text + at + n + more);
		struct place place = place_of(first_bytes(head, n), tail);
		bool wanted = (bits[place.element] & place.bits) == place.bits;
		if (n == 0 || !end || (n == 2 && is_digit(text[at + n + 1])))
			break; /* "jw 22 34 51 b" */
		n += more;
		if (wanted && is_wanted(s, at, n, last))
			break;
		last[2] = last[1];
		last[1] = last[0];
		last[0] = (struct recent){.letters = n, .end = at + n};
		at += n + end;
	}
	s->words[0] = last[0];
	s->words[1] = last[1];
	s->words[2] = last[2];
	return at;
}
