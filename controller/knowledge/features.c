/* controller/knowledge/features.c: what the model looks at in a message.
 *
 * Five groups, each scaled to the same length so that a long message is not surer than a short one: words and their
 * neighbours, pieces of words (so that "unauthorised" helps "unauthorized"), the place of words (how a message begins
 * and ends says much), what the lexicon makes of it, and the manner in which values stand in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/knowledge/classes.h"

static const float lexicon_length = 0.5f, words_length = 1.6f, pieces_length = 0.6f, places_length = 0.6f,
		   manner_length = 0.8f;

struct builder {
	struct features *f;
	size_t group; /* where the present group began */
};

static uint32_t hash(const char *kind, const char *a, const char *b, const char *c)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	const char *parts[] = {kind, a, b, c};
	for (size_t i = 0; i < 4 && parts[i]; i++) {
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (uint8_t)*p) * 16777619u;
		h = (h ^ 0x1f) * 16777619u;
	}
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	h ^= h >> 13;
	return h & (MODEL_CELLS - 1);
}

static void put(struct builder *b, uint32_t cell, float value)
{
	for (size_t i = b->group; i < b->f->count; i++)
		if (b->f->items[i].cell == cell)
			return; /* once is as good as often */
	if (b->f->count < MESSAGE_FEATURES_MAX)
		b->f->items[b->f->count++] = (struct feature){cell, value};
}

static void end_group(struct builder *b, float length)
{
	double sum = 0;
	for (size_t i = b->group; i < b->f->count; i++)
		sum += (double)b->f->items[i].value * (double)b->f->items[i].value;
	float scale = sum > 0 ? (float)((double)length / sqrt(sum)) : 0;
	for (size_t i = b->group; i < b->f->count; i++)
		b->f->items[i].value *= scale;
	b->group = b->f->count;
}

static void words(struct builder *b, const struct message_token *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put(b, hash("w", t[i].stem, NULL, NULL), 1.0f);
		if (i + 1 < n)
			put(b, hash("b", t[i].stem, t[i + 1].stem, NULL), 1.0f);
		if (i + 2 < n) {
			put(b, hash("s", t[i].stem, t[i + 2].stem, NULL), 0.5f);
			put(b, hash("t", t[i].stem, t[i + 1].stem, t[i + 2].stem), 0.7f);
		}
	}
	end_group(b, words_length);
}

static void pieces(struct builder *b, const struct message_token *t, size_t n)
{
	char padded[MESSAGE_TOKEN_MAX + 3], piece[6]; /* a mark on each side */
	for (size_t i = 0; i < n; i++) {
		size_t size = strnlen(t[i].text, MESSAGE_TOKEN_MAX) + 2;
		padded[0] = '^';
		memcpy(padded + 1, t[i].text, size - 2);
		memcpy(padded + size - 1, "$", 2);
		for (size_t length = 4; length <= 5; length++)
			for (size_t k = 0; k + length <= size; k++) {
				memcpy(piece, padded + k, length);
				piece[length] = 0;
				put(b, hash("c", piece, NULL, NULL), 1.0f);
			}
	}
	end_group(b, pieces_length);
}

static void places(struct builder *b, const struct message_token *t, size_t n, const char *text)
{
	if (n) {
		put(b, hash("first", t[0].stem, NULL, NULL), 1.0f);
		put(b, hash("last", t[n - 1].stem, NULL, NULL), 1.0f);
	}
	if (n > 1) {
		put(b, hash("first2", t[0].stem, t[1].stem, NULL), 1.0f);
		put(b, hash("last2", t[n - 2].stem, t[n - 1].stem, NULL), 1.0f);
	}
	size_t values = 0, camel = 0;
	for (size_t i = 0; i < n; i++) {
		values += t[i].text[0] == '%';
		camel += t[i].camel;
	}
	char number[16];
	snprintf(number, sizeof number, "%zu", n < 4 ? n : n < 8 ? 4 + (n - 4) / 2 : n < 16 ? 6 + (n - 8) / 4 : 8);
	put(b, hash("length", number, NULL, NULL), 1.0f);
	snprintf(number, sizeof number, "%zu", values < 4 ? values : 4);
	put(b, hash("values", number, NULL, NULL), 1.0f);
	put(b, hash("camel", camel ? "1" : "0", NULL, NULL), 0.7f);
	put(b, hash("capital", *text >= 'A' && *text <= 'Z' ? "1" : "0", NULL, NULL), 0.5f);
	end_group(b, places_length);
}

/* What the lexicon says is shared by all its phrases: a system whose words were never seen profits from others'. */
static void meanings(struct builder *b, const struct message_token *t, size_t n)
{
	uint8_t worth[ERROR_CLASS_COUNT];
	if (!lexicon_match(t, n, worth)) {
		put(b, hash("lexicon", "none", NULL, NULL), 1.0f);
		end_group(b, lexicon_length);
		return;
	}
	unsigned first = 0, second = ERROR_CLASS_COUNT;
	for (unsigned c = 1; c < ERROR_CLASS_COUNT; c++)
		if (worth[c] > worth[first])
			first = c;
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		if (c != first && worth[c] && (second == ERROR_CLASS_COUNT || worth[c] > worth[second]))
			second = c;
	char name[12], grade[12], other[12];
	for (unsigned c = 0; c < ERROR_CLASS_COUNT; c++)
		if (worth[c]) {
			snprintf(name, sizeof name, "%u", c);
			snprintf(grade, sizeof grade, "%u", worth[c] / LEXICON_STEPS);
			put(b, hash("lexicon", name, grade, NULL), 0.6f);
		}
	snprintf(name, sizeof name, "%u", first);
	snprintf(grade, sizeof grade, "%u", worth[first] / LEXICON_STEPS);
	snprintf(other, sizeof other, "%u", second);
	put(b, hash("lexicon-first", name, NULL, NULL), 1.0f);
	put(b, hash("lexicon-first", name, grade, NULL), 1.0f);
	put(b, hash("lexicon-second", other, NULL, NULL), 0.5f);
	put(b, hash("lexicon-both", name, other, NULL), 0.5f);
	end_group(b, lexicon_length);
}

/* A format mark at text[i] (which is '%'): where its letter stands, or size. */
static size_t mark_letter(const char *text, size_t size, size_t i)
{
	size_t k = i + 1;
	while (k < size && text[k] != 'q' && text[k] && strchr("+-#0123456789.lhzjt", text[k]))
		k++;
	bool letter = k < size && ((text[k] >= 'a' && text[k] <= 'z') || text[k] == 'T');
	return letter ? k : size;
}

/* Programs in one language speak alike: the marks tell which it is, and one behind a colon at the very end that an
 * error from below is handed on. */
struct manner {
	char language[2]; /* "g" any-value marks, "c" typed ones, "b" braces, "-" none */
	char last[2];     /* the letter of the last mark */
	bool handed_on;
};

static struct manner manner_of(const char *text, size_t size)
{
	struct manner m = {"-", "-", false};
	for (size_t i = 0; i + 1 < size; i++) {
		size_t k = text[i] == '%' ? mark_letter(text, size, i) : size;
		if (k < size) {
			m.last[0] = text[k];
			if (strchr("vwqT", text[k]))
				m.language[0] = 'g';
			else if (m.language[0] != 'g')
				m.language[0] = 'c';
			m.handed_on = i > 1 && text[i - 1] == ' ' && text[i - 2] == ':' && k + 1 == size;
		} else if (text[i] == '{')
			m.language[0] = 'b';
	}
	return m;
}

static void manner(struct builder *b, const struct message_token *t, size_t n, const char *text, size_t size)
{
	struct manner m = manner_of(text, size);
	const char *handed_on = m.handed_on ? "c" : "-";
	put(b, hash("style", m.language, NULL, NULL), 1.0f);
	put(b, hash("style-last", m.last, handed_on, NULL), 1.0f);
	if (n) {
		put(b, hash("style-first", m.last, handed_on, t[0].stem), 1.0f);
		put(b, hash("style-f", m.language, t[0].stem, NULL), 1.0f);
	}
	put(b, hash("style-upper", size && *text >= 'A' && *text <= 'Z' ? "1" : "0", m.language, NULL), 0.5f);
	char end[2] = {size && text[size - 1] && strchr(".!)", text[size - 1]) ? text[size - 1] : ' ', 0};
	put(b, hash("style-end", end, NULL, NULL), 0.5f);
	end_group(b, manner_length);
}

void message_features(const char *text, size_t size, struct features *ret)
{
	struct message_token tokens[MESSAGE_TOKENS_MAX];
	size_t n = message_tokens(text, size, tokens, MESSAGE_TOKENS_MAX);
	ret->count = 0;
	struct builder b = {ret, 0};
	places(&b, tokens, n, size ? text : "");
	meanings(&b, tokens, n);
	words(&b, tokens, n);
	pieces(&b, tokens, n);
	manner(&b, tokens, n, text, size);
}
