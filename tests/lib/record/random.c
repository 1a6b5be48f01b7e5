/* tests/lib/record/random.c: random values that a field's table allows, with a liking for edges. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/record/internal.h"
#include "tests/lib/record/record_cases.h"

enum { LENGTH_USUAL = 60, LENGTH_LARGE = 600, ITEMS_USUAL = 4, DEPTH_PLEASANT = 6 };

struct maker {
	struct random *random;
	struct arena *arena;
};

static uint64_t below(struct maker *m, uint64_t n)
{
	return random_below(m->random, n);
}

static void *need(void *p)
{
	if (!p)
		abort(); /* a test without memory proves nothing */
	return p;
}

/* Words that YAML or JSON could take for something else. */
static const char *const odd_words[] = {"null", "~", "true", "no", "1.5", "0x1f", "- a", "a: b", "# c", "[", "{}", "'",
    "\"", "\\n", "%", "@x", "&a", "*a", "!t", "|", ">", "?", "key:", " lead", "trail ", "2026-11-23", "30s", "=", "<<",
    "---", "...", ","};
static const char *const odd_characters[] = {"\n", "\t", "\r", "\x01", "\x1f", "\x7f", "\xc2\x85", "\xc3\xa9",
    "\xe2\x80\xa8", "\xef\xbb\xbf", "\xef\xbf\xbf", "\xe4\xb8\xad", "\xf0\x9f\x90\x8d", " ", "\"", "\\", "'", ":", "#",
    "|"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Exactly n bytes. */
static char *text_of(struct maker *m, size_t n)
{
	char *s = need(arena_alloc(m->arena, n + 1));
	size_t at = 0, odd = below(m, 3);
	if (odd == 1) {
		const char *word = odd_words[below(m, COUNT(odd_words))];
		if (strlen(word) <= n)
			at += (size_t)snprintf(s, n + 1, "%s", word);
	}
	while (at < n) {
		const char *c = odd_characters[below(m, COUNT(odd_characters))];
		if (odd == 2 && below(m, 4) == 0 && strlen(c) <= n - at) {
			memcpy(s + at, c, strlen(c));
			at += strlen(c);
		} else {
			s[at++] = "abcdefghijklmnopqrstuvwxyz ./-_0"[below(m, 32)];
		}
	}
	return s;
}

static size_t length_of(struct maker *m, const struct field *f)
{
	size_t most = f->max && f->max < LENGTH_LARGE ? (size_t)f->max : LENGTH_LARGE;
	size_t least = f->min ? (size_t)f->min : f->flags & FIELD_REQUIRED ? 1 : 0;
	if (most < least)
		most = least;
	if (below(m, 8) == 0)
		return below(m, 2) ? least : most;
	size_t span = most - least < LENGTH_USUAL ? most - least : LENGTH_USUAL;
	return least + (size_t)below(m, span + 1);
}

static uint64_t number_of(struct maker *m, const struct field *f)
{
	uint64_t most = number_most(f), least = f->min;
	bool zero_refused = f->flags & FIELD_REQUIRED && zero_is_missing(f);
	if (f->kind == FIELD_ENUM) {
		uint64_t v;
		do
			v = below(m, most + 1);
		while (!f->enum_type->names[v]);
		return v;
	}
	if (least == 0 && zero_refused)
		least = 1;
	switch (below(m, 4)) {
	case 0:
		return least;
	case 1:
		return most;
	case 2:
		return most - least > 1000 ? least + below(m, 1000) : least;
	default:
		return most - least == UINT64_MAX ? random_u64(m->random) : least + below(m, most - least + 1);
	}
}

static int64_t signed_of(struct maker *m)
{
	static const int64_t edges[] = {
	    INT64_MIN, INT64_MAX, -1, 1, -128, -129, -32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1};
	return below(m, 2) ? edges[below(m, COUNT(edges))] : (int64_t)random_u64(m->random);
}

static double float_of(struct maker *m)
{
	static const double edges[] = {
	    0.1, -0.0, 1e300, -1e-300, DBL_MAX, DBL_MIN, 5e-324, 1.0 / 3, 123456789012345678.0, -1, 0.5};
	return below(m, 2) ? edges[below(m, COUNT(edges))]
			   : (random_unit(m->random) - 0.5) * (double)(1 + below(m, 1000000));
}

static const char *json_of(struct maker *m, const struct field *f)
{
	static const char *const texts[] = {"{\"a\":[1,2.5,null,true,{}],\"b\":\"x: \\n\\\"\"}",
	    "[[],-1,\"null\",\"1\",1e+300]", "\"\xc3\xa9 \"", "{\"\":0,\"<<\":false}", "[]", "-9223372036854775808",
	    "0"};
	for (size_t i = below(m, COUNT(texts)); i < COUNT(texts); i++)
		if (strlen(texts[i]) <= f->max && strlen(texts[i]) >= f->min)
			return need(arena_strdup(m->arena, texts[i]));
	/* a string that is just long enough */
	char *s = need(arena_alloc(m->arena, (size_t)f->min + 1));
	memset(s, 'x', (size_t)f->min);
	s[0] = s[f->min - 1] = '"';
	return s;
}

static void fill_record(struct maker *m, const struct record_type *t, void *record, unsigned depth);
static void fill_value(struct maker *m, const struct field *f, void *p, unsigned depth);

/* Names in a keyed list differ. */
static void rename_items(struct maker *m, const struct field *f, struct list *list)
{
	const struct field *key = key_field(f->type);
	for (size_t i = 0; i < list->count; i++) {
		const char **name = (const char **)((char *)list->items + i * f->type->size + key->offset);
		for (size_t k = 0; k < i; k++)
			if (strcmp(*name, *(const char **)((char *)list->items + k * f->type->size + key->offset)) ==
			    0) {
				char *other = need(arena_printf(m->arena, "%0*zu", (int)(key->min ? key->min : 1), i));
				*name = other;
				k = (size_t)-1; /* look again */
				if (strlen(other) > key->max)
					abort();
			}
	}
}

static void fill_list(struct maker *m, const struct field *f, struct list *list, unsigned depth)
{
	struct field item = item_field(f);
	size_t size = value_size(&item), most = f->max && f->max < ITEMS_USUAL ? (size_t)f->max : ITEMS_USUAL;
	size_t least = f->min ? (size_t)f->min : 1;
	list->count = most > least ? least + (size_t)below(m, most - least + 1) : least;
	list->items = need(arena_array(m->arena, list->count, size));
	for (size_t i = 0; i < list->count; i++)
		fill_value(m, &item, (char *)list->items + i * size, depth);
	if (f->flags & FIELD_KEYED)
		rename_items(m, f, list);
}

static void fill_value(struct maker *m, const struct field *f, void *p, unsigned depth)
{
	size_t n;
	switch (f->kind) {
	case FIELD_I64:
		*(int64_t *)p = signed_of(m);
		break;
	case FIELD_F64:
		*(double *)p = float_of(m);
		break;
	case FIELD_ID:
	case FIELD_DIGEST:
		random_fill(m->random, p, value_size(f));
		*(uint8_t *)p |= 1;
		break;
	case FIELD_STRING:
		*(const char **)p = text_of(m, length_of(m, f));
		break;
	case FIELD_JSON:
		*(const char **)p = json_of(m, f);
		break;
	case FIELD_BYTES:
		n = length_of(m, f);
		*(struct bytes *)p = (struct bytes){need(arena_alloc(m->arena, n)), n};
		random_fill(m->random, (void *)(uintptr_t)((struct bytes *)p)->data, n);
		break;
	case FIELD_RECORD:
		*(void **)p = need(arena_alloc(m->arena, f->type->size));
		fill_record(m, f->type, *(void **)p, depth + 1);
		break;
	case FIELD_INLINE:
		fill_record(m, f->type, p, depth + 1);
		break;
	case FIELD_LIST:
		fill_list(m, f, p, depth + 1);
		break;
	default:
		number_set(f, p, number_of(m, f));
	}
}

static void fill_record(struct maker *m, const struct record_type *t, void *record, unsigned depth)
{
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		bool must = f->flags & FIELD_REQUIRED || f->kind == FIELD_INLINE ||
			    (!zero_is_missing(f) && (f->min || f->kind == FIELD_ENUM) &&
				(f->flags & FIELD_ALWAYS || f->default_text));
		bool wide = f->kind == FIELD_LIST || f->kind == FIELD_RECORD;
		if (must || (wide ? depth < DEPTH_PLEASANT && below(m, 3) == 0 : below(m, 3) > 0))
			fill_value(m, f, value_of(f, record), depth);
	}
}

void *record_random(const struct record_type *t, struct random *random, struct arena *arena)
{
	struct maker m = {random, arena};
	void *record = arena_alloc(arena, t->size);
	if (record)
		fill_record(&m, t, record, 0);
	return record;
}

enum { TYPES_MAX = 128 };
struct copies {
	const struct record_type *from[TYPES_MAX];
	struct record_type *to[TYPES_MAX];
	size_t count;
};

static const struct record_type *unchecked(const struct record_type *t, struct arena *arena, struct copies *known)
{
	for (size_t i = 0; i < known->count; i++)
		if (known->from[i] == t)
			return known->to[i];
	if (known->count == TYPES_MAX)
		abort();
	struct record_type *copy = need(arena_dup(arena, t, sizeof(*t)));
	struct field *fields = need(arena_dup(arena, t->fields, t->field_count * sizeof(*fields)));
	known->from[known->count] = t;
	known->to[known->count++] = copy;
	copy->check = NULL;
	copy->fields = fields;
	for (uint32_t i = 0; i < t->field_count; i++)
		if (fields[i].type)
			fields[i].type = unchecked(fields[i].type, arena, known);
	return copy;
}

const struct record_type *record_unchecked(const struct record_type *t, struct arena *arena)
{
	struct copies known = {0};
	return unchecked(t, arena, &known);
}
