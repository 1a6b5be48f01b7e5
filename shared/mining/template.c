#include "shared/mining/template.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_VARIABLE = 3, KEY_BLANK = 5 };

bool template_fill(struct template *ret, const struct tokens *t)
{
	size_t bytes = t->tail_size;
	for (size_t i = 0; i < t->count; i++)
		bytes += (size_t)t->items[i].glue_size + t->items[i].size;
	struct word *words = malloc(t->count * sizeof *words + bytes + 1);
	if (!words)
		return false;
	char *at = (char *)(words + t->count);
	ret->words = words;
	ret->bytes = at;
	for (size_t i = 0; i < t->count; i++) {
		const struct token *k = &t->items[i];
		words[i] = (struct word){
		    .hash = k->hash, .size = k->size, .glue_size = k->glue_size, .flags = (uint16_t)k->flags};
		memcpy(at, k->glue, k->glue_size);
		memcpy(at + k->glue_size, k->text, k->size);
		at += k->glue_size + k->size;
		if (k->flags & TOKEN_BLANK)
			positions_add(&ret->blank, i);
	}
	memcpy(at, t->tail, t->tail_size);
	ret->tail_size = t->tail_size;
	ret->word_count = (uint16_t)t->count;
	ret->cut = t->cut;
	ret->structure = t->structure;
	return true;
}

void template_done(struct template *t)
{
	free(t->words);
	free(t->text);
	free(t->sample);
	*t = (struct template){0};
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void append_glue(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_space(p[i]))
			buf_byte(out, p[i] ? (uint8_t)p[i] : '?');
		else if (i == 0 || !is_space(p[i - 1]))
			buf_byte(out, ' ');
}

static bool shows_blank(const struct template *t, size_t i)
{
	unsigned flags = t->words[i].flags;
	if (positions_has(&t->blank, i))
		return true;
	return flags & TOKEN_VARIABLE && !(flags & TOKEN_NUMBERED && !positions_has(&t->varied, i));
}

/* Units are shown while none of the template's has been seen to vary: "(size 9.3 KB, free 2 MB)" would mislead. */
static bool shows_units(const struct template *t)
{
	for (size_t i = 0; i < t->word_count; i++)
		if (t->words[i].flags & TOKEN_UNIT && positions_has(&t->varied, i))
			return false;
	return true;
}

void template_render(const struct template *t, struct buf *out)
{
	const char *at = t->bytes;
	bool units = shows_units(t);
	for (size_t i = 0; i < t->word_count; i++) {
		const struct word *w = &t->words[i];
		append_glue(out, at, w->glue_size);
		at += w->glue_size;
		if (shows_blank(t, i)) {
			size_t unit = units ? unit_text_size(w->flags >> TOKEN_UNIT_SHIFT) : 0;
			buf_text(out, "<*>");
			buf_append(out, at + w->size - unit, unit);
		} else
			buf_append(out, at, w->size);
		at += w->size;
	}
	append_glue(out, at, t->tail_size);
	if (t->cut)
		buf_text(out, " <*>");
}

/* Between words where that is possible, and never inside of a character. */
static char *cut_text(struct buf *out)
{
	size_t most = MINER_TEMPLATE_MAX - 5, n = out->size;
	if (n <= MINER_TEMPLATE_MAX)
		return strdup(buf_str(out));
	for (n = most; n > most / 2 && out->data[n] != ' '; n--)
		;
	for (n = out->data[n] == ' ' ? n : most; n > 0 && (out->data[n] & 0xc0) == 0x80; n--)
		;
	char *text = malloc(n + 5);
	if (text) {
		memcpy(text, out->data, n);
		memcpy(text + n, " <*>", 5);
	}
	return text;
}

const char *template_text(struct template *t)
{
	if (t->text)
		return t->text;
	struct buf out = BUF_INIT;
	template_render(t, &out);
	char *text = out.failed ? NULL : cut_text(&out);
	buf_done(&out);
	if (!text)
		return NULL;
	t->text = text;
	t->id = mining_template_id(text);
	return text;
}

/* FNV-1a, 64 bit: it stands in stores and on the wire, so it must stay the same for ever. */
uint64_t mining_template_id(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	return h;
}

static uint64_t share(size_t i, uint64_t hash)
{
	return token_mix(hash + (i + 1) * 0x9e3779b97f4a7c15ull);
}

uint64_t template_key(const struct tokens *t, const struct positions *blank)
{
	uint64_t key = t->structure;
	for (size_t i = 0; i < t->count; i++) {
		const struct token *k = &t->items[i];
		key += share(i, positions_has(blank, i)     ? KEY_BLANK
				: k->flags & TOKEN_VARIABLE ? KEY_VARIABLE
							    : k->hash);
	}
	return key;
}

uint64_t template_own_key(const struct template *t)
{
	uint64_t key = t->structure;
	for (size_t i = 0; i < t->word_count; i++) {
		const struct word *w = &t->words[i];
		key += share(i, positions_has(&t->blank, i) ? KEY_BLANK
				: w->flags & TOKEN_VARIABLE ? KEY_VARIABLE
							    : w->hash);
	}
	return key;
}
