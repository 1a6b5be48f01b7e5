/* tests/lib/record/limits.c: every limit of every field, one below, at and above; every word; everything required. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/record/cases.h"

enum { LIMIT_TRIED_MAX = 1 << 20 }; /* limits beyond are the same code and much memory */

/* A valid record in which field f is to be replaced; never NULL. */
static void *fresh(struct cases *c)
{
	arena_reset(c->arena);
	void *record = record_random(c->type, &c->random, c->arena);
	if (!record)
		abort();
	return record;
}

static void *memory(struct cases *c, size_t n)
{
	void *p = arena_alloc(c->arena, n);
	if (!p)
		abort();
	return p;
}

static enum err_code accepted(struct cases *c, const struct field *f, const void *record, const char *what)
{
	struct err why = ERR_INIT;
	if (record_check(c->type, record, &why) != ERR_OK)
		return broken(c, "%s %s is refused: %s", f->name, what, why.msg);
	return comes_back(c, c->type, record, f->name);
}

static enum err_code refused(struct cases *c, const struct field *f, const void *record, const char *what)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	struct err why = ERR_INIT;
	if (record_check(c->type, record, &why) == ERR_OK)
		return broken(c, "%s %s is accepted", f->name, what);
	if (!strstr(why.msg, f->name))
		return broken(c, "%s %s is refused, but the error does not name it: %s", f->name, what, why.msg);
	if (record_to_msgpack(c->type, record, &out, NULL) == ERR_OK ||
	    record_to_json(c->type, record, 0, &out, NULL) == ERR_OK ||
	    record_to_yaml(c->type, record, &out, NULL) == ERR_OK || out.size > 0)
		return broken(c, "%s %s is refused, yet written", f->name, what);
	return ERR_OK;
}

static enum err_code number_case(struct cases *c, const struct field *f, uint64_t v, bool good, const char *what)
{
	void *record = fresh(c);
	number_set(f, value_of(f, record), v);
	return good ? accepted(c, f, record, what) : refused(c, f, record, what);
}

static enum err_code number_cases(struct cases *c, const struct field *f)
{
	uint64_t most = number_most(f), wide = f->kind == FIELD_U32 ? UINT32_MAX : UINT64_MAX;
	bool said = f->flags & (FIELD_ALWAYS | FIELD_REQUIRED) || f->default_text; /* zero is a value like others */
	enum err_code rc = ERR_OK;
	if (most > f->min)
		rc = number_case(c, f, most - 1, most - 1 > 0 || said || f->min == 0, "one below max");
	if (rc == ERR_OK)
		rc = number_case(c, f, most, true, "at max");
	if (rc == ERR_OK && most < wide)
		rc = number_case(c, f, most + 1, false, "one above max");
	if (rc == ERR_OK && f->min)
		rc = number_case(c, f, f->min, true, "at min");
	if (rc == ERR_OK && f->min)
		rc = number_case(c, f, f->min - 1, f->min == 1 && !said, "one below min");
	return rc;
}

static enum err_code enum_cases(struct cases *c, const struct field *f)
{
	enum err_code rc = ERR_OK;
	bool said = f->flags & (FIELD_ALWAYS | FIELD_REQUIRED) || f->default_text;
	for (uint32_t i = 0; rc == ERR_OK && i <= f->enum_type->count; i++) {
		bool word = i < f->enum_type->count && f->enum_type->names[i];
		rc = number_case(c, f, i, word || (i == 0 && !said), word ? f->enum_type->names[i] : "without a word");
	}
	return rc == ERR_OK ? number_case(c, f, UINT32_MAX, false, "4294967295") : rc;
}

/* A string, bytes or JSON of n bytes, or a list of n items, into the record. */
static void set_length(struct cases *c, const struct field *f, void *record, size_t n)
{
	void *p = value_of(f, record);
	if (f->kind == FIELD_LIST) {
		struct field item = item_field(f), longer = *f;
		size_t size = value_size(&item);
		struct list list = {memory(c, n * size + 1), n};
		const struct field *key = f->flags & FIELD_KEYED ? key_field(f->type) : NULL;
		longer.offset = 0;
		longer.flags = FIELD_REQUIRED;
		longer.min = longer.max = 1;
		for (size_t i = 0; i < n; i++) { /* items one by one, from a type that holds nothing but this list */
			struct list one = {0};
			struct record_type only = {
			    .name = "one", .size = sizeof(one), .fields = &longer, .field_count = 1};
			void *made = record_random(&only, &c->random, c->arena);
			if (!made)
				abort();
			memcpy((char *)list.items + i * size, ((struct list *)made)->items, size);
			if (key)
				*(const char **)value_of(key, (char *)list.items + i * size) =
				    arena_printf(c->arena, "n%zu", i);
		}
		*(struct list *)p = list;
		return;
	}
	char *text = memory(c, n + 1);
	memset(text, 'x', n);
	if (f->kind == FIELD_JSON && n >= 2)
		text[0] = text[n - 1] = '"';
	if (f->kind == FIELD_BYTES)
		*(struct bytes *)p = (struct bytes){(uint8_t *)text, n};
	else
		*(const char **)p = text;
}

static enum err_code length_case(struct cases *c, const struct field *f, size_t n, bool good, const char *what)
{
	if (n > LIMIT_TRIED_MAX || (f->kind == FIELD_JSON && n < 2))
		return ERR_OK;
	void *record = fresh(c);
	set_length(c, f, record, n);
	return good ? accepted(c, f, record, what) : refused(c, f, record, what);
}

static enum err_code length_cases(struct cases *c, const struct field *f)
{
	bool required = f->flags & FIELD_REQUIRED;
	bool nothing_is_absent = f->kind == FIELD_BYTES || f->kind == FIELD_LIST;
	size_t most = (size_t)f->max, least = (size_t)f->min;
	bool below_good = most > least && (most > 1 || !required);
	enum err_code rc = length_case(c, f, most, true, "at max");
	if (rc == ERR_OK)
		rc = length_case(c, f, most + 1, false, "one above max");
	if (rc == ERR_OK && below_good)
		rc = length_case(c, f, most - 1, true, "one below max");
	if (rc == ERR_OK && least)
		rc = length_case(c, f, least, true, "at min");
	if (rc == ERR_OK && least)
		rc = length_case(c, f, least - 1, least == 1 && nothing_is_absent && !required, "one below min");
	return rc;
}

static enum err_code required_case(struct cases *c, const struct field *f)
{
	if (!zero_is_missing(f))
		return ERR_OK; /* the key must be there: hostile.c takes it away */
	void *record = fresh(c);
	memset(value_of(f, record), 0, value_size(f));
	return f->flags & FIELD_REQUIRED ? refused(c, f, record, "(required) left empty")
					 : accepted(c, f, record, "left empty");
}

static enum err_code text_cases(struct cases *c, const struct field *f)
{
	static const char *const bad[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *record = fresh(c);
		*(const char **)value_of(f, record) = bad[i];
		rc = refused(c, f, record, "that is no UTF-8");
	}
	if (f->kind != FIELD_JSON)
		return rc;
	static const char *const no_json[] = {"", "{", "[1,]", "nul", "{\"a\":1,\"a\":2}", "1 2", "\"\\u0000\"", "null",
	    "NaN", "-0", " 1", "1.50", "{\"b\":1,\"a\":2}", "\"\\/\"", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"};
	for (size_t i = 0; rc == ERR_OK && i < sizeof(no_json) / sizeof(no_json[0]); i++) {
		void *record = fresh(c);
		*(const char **)value_of(f, record) = no_json[i];
		rc = refused(c, f, record, no_json[i]);
	}
	return rc;
}

static enum err_code float_cases(struct cases *c, const struct field *f)
{
	static const double bad[] = {NAN, INFINITY, -INFINITY};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *record = fresh(c);
		*(double *)value_of(f, record) = bad[i];
		rc = refused(c, f, record, "that is not finite");
	}
	return rc;
}

static enum err_code field_cases(struct cases *c, const struct field *f)
{
	enum err_code rc = required_case(c, f);
	if (rc != ERR_OK)
		return rc;
	switch (f->kind) {
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_DURATION:
	case FIELD_SIZE:
		return number_cases(c, f);
	case FIELD_ENUM:
		return enum_cases(c, f);
	case FIELD_F64:
		return float_cases(c, f);
	case FIELD_STRING:
	case FIELD_JSON:
		rc = text_cases(c, f);
		return rc == ERR_OK ? length_cases(c, f) : rc;
	case FIELD_BYTES:
	case FIELD_LIST:
		return length_cases(c, f);
	default:
		return ERR_OK;
	}
}

enum err_code limit_cases(struct cases *c)
{
	enum err_code rc = ERR_OK;
	for (uint32_t i = 0; rc == ERR_OK && i < c->type->field_count; i++)
		rc = field_cases(c, &c->type->fields[i]);
	return rc;
}
