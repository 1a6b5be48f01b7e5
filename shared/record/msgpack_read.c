/* shared/record/msgpack_read.c: from the bytes of a peer or of the store straight into the record.
 * Newer peers may say more: unknown keys are skipped. */
#include <string.h>

#include "shared/record/internal.h"
#include "shared/record/msgpack_cursor.h"

struct reader {
	struct cursor cursor;
	struct context cx;
};

static enum err_code read_record(
    struct reader *r, const struct place *at, const struct record_type *t, const struct token *map, void *record);
static enum err_code read_value(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, void *p);

static enum err_code wrong(struct reader *r, const struct place *at, const char *expected, const struct token *t)
{
	return fail(&r->cx, at, ERR_INVALID, "expected %s, got %s", expected, token_name(t));
}

static enum err_code read_text(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, void *p)
{
	if (t->kind != TOKEN_STRING)
		return wrong(r, at, "a string", t);
	if (f->max && t->size > f->max) /* before anything is copied */
		return fail(
		    &r->cx, at, ERR_LIMIT, "expected at most %llu bytes, got %zu", (unsigned long long)f->max, t->size);
	if (memchr(t->data, 0, t->size))
		return fail(&r->cx, at, ERR_INVALID, "holds a NUL");
	const char *s = arena_strndup(r->cx.arena, (const char *)t->data, t->size);
	if (!s)
		return fail_memory(&r->cx, at);
	*(const char **)p = s;
	return ERR_OK;
}

static enum err_code read_bytes(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, void *p)
{
	if (t->kind != TOKEN_BYTES)
		return wrong(r, at, "bytes", t);
	if (f->max && t->size > f->max)
		return fail(
		    &r->cx, at, ERR_LIMIT, "expected at most %llu bytes, got %zu", (unsigned long long)f->max, t->size);
	if (t->size == 0)
		return ERR_OK;
	struct bytes bytes = {arena_dup(r->cx.arena, t->data, t->size), t->size};
	if (!bytes.data)
		return fail_memory(&r->cx, at);
	*(struct bytes *)p = bytes;
	return ERR_OK;
}

static enum err_code read_fixed(struct reader *r, const struct place *at, const struct token *t, void *p, size_t size)
{
	if (t->kind != TOKEN_BYTES)
		return wrong(r, at, "bytes", t);
	if (t->size != size)
		return fail(&r->cx, at, ERR_INVALID, "expected %zu bytes, got %zu", size, t->size);
	memcpy(p, t->data, size);
	return ERR_OK;
}

static enum err_code read_enum(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, uint32_t *p)
{
	const struct enum_type *e = f->enum_type;
	if (t->kind != TOKEN_STRING)
		return wrong(r, at, "a string", t);
	for (uint32_t i = 0; i < e->count; i++)
		if (e->names[i] && strlen(e->names[i]) == t->size && memcmp(e->names[i], t->data, t->size) == 0) {
			*p = i;
			return ERR_OK;
		}
	return fail(&r->cx, at, ERR_INVALID, "\"%.*s\" is no value of %s",
	    (int)(t->size < RECORD_ECHO_MAX ? t->size : RECORD_ECHO_MAX), (const char *)t->data, e->name);
}

static enum err_code read_number(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, void *p)
{
	if (f->kind == FIELD_BOOL) {
		if (t->kind != TOKEN_BOOL)
			return wrong(r, at, "a boolean", t);
	} else if (t->kind != TOKEN_UNSIGNED) {
		return wrong(r, at, "a whole number from 0", t);
	} else if (f->kind == FIELD_U32 && t->number > UINT32_MAX) {
		return fail(&r->cx, at, ERR_INVALID, "expected at most %u", UINT32_MAX);
	}
	number_set(f, p, t->number);
	return ERR_OK;
}

static enum err_code read_signed(struct reader *r, const struct place *at, const struct token *t, int64_t *p)
{
	if (t->kind != TOKEN_NEGATIVE && (t->kind != TOKEN_UNSIGNED || t->number > INT64_MAX))
		return wrong(r, at, "a whole number of 64 bits with sign", t);
	*p = t->kind == TOKEN_NEGATIVE ? t->negative : (int64_t)t->number;
	return ERR_OK;
}

static enum err_code read_float(struct reader *r, const struct place *at, const struct token *t, double *p)
{
	if (t->kind == TOKEN_FLOAT)
		*p = t->real;
	else if (t->kind == TOKEN_UNSIGNED)
		*p = (double)t->number;
	else if (t->kind == TOKEN_NEGATIVE)
		*p = (double)t->negative;
	else
		return wrong(r, at, "a number", t);
	return ERR_OK;
}

static enum err_code read_list(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, struct list *p)
{
	enum err_code rc = depth_check(&r->cx, at);
	if (rc != ERR_OK)
		return rc;
	if (t->kind != TOKEN_ARRAY)
		return wrong(r, at, "an array", t);
	if (f->max && t->count > f->max)
		return fail(
		    &r->cx, at, ERR_LIMIT, "expected at most %llu items, got %u", (unsigned long long)f->max, t->count);
	if (t->count == 0)
		return ERR_OK;
	struct field item = item_field(f);
	size_t size = value_size(&item);
	char *items = arena_array(r->cx.arena, t->count, size);
	if (!items)
		return fail_memory(&r->cx, at);
	for (size_t i = 0; rc == ERR_OK && i < t->count; i++) {
		struct place here = place_item(at, i);
		struct token next = cursor_next(&r->cursor);
		rc = next.kind == TOKEN_NIL ? wrong(r, &here, "a value", &next)
					    : read_value(r, &here, &item, &next, items + i * size);
	}
	if (rc == ERR_OK)
		*p = (struct list){items, t->count};
	return rc;
}

static enum err_code read_pointed(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, const void **p)
{
	void *record = arena_alloc(r->cx.arena, f->type->size);
	if (!record)
		return fail_memory(&r->cx, at);
	enum err_code rc = read_record(r, at, f->type, t, record);
	if (rc == ERR_OK)
		*p = record;
	return rc;
}

/* Nil says in so many words that there is nothing: not even the default. */
static enum err_code read_nil(struct reader *r, const struct place *at, const struct field *f, void *p)
{
	if (f->flags & FIELD_REQUIRED)
		return fail(&r->cx, at, ERR_INVALID, "is required");
	return f->kind == FIELD_INLINE ? record_finish(&r->cx, at, f->type, p, 0) : value_check(&r->cx, at, f, p);
}

static enum err_code read_value(
    struct reader *r, const struct place *at, const struct field *f, const struct token *t, void *p)
{
	enum err_code rc;
	switch (f->kind) {
	case FIELD_STRING:
	case FIELD_JSON:
		rc = read_text(r, at, f, t, p);
		break;
	case FIELD_BYTES:
		rc = read_bytes(r, at, f, t, p);
		break;
	case FIELD_ID:
		rc = read_fixed(r, at, t, p, sizeof(struct id));
		break;
	case FIELD_DIGEST:
		rc = read_fixed(r, at, t, p, sizeof(struct digest));
		break;
	case FIELD_ENUM:
		rc = read_enum(r, at, f, t, p);
		break;
	case FIELD_I64:
		return read_signed(r, at, t, p);
	case FIELD_F64:
		rc = read_float(r, at, t, p);
		break;
	case FIELD_LIST:
		rc = read_list(r, at, f, t, p);
		break;
	case FIELD_RECORD:
		return read_pointed(r, at, f, t, p);
	case FIELD_INLINE:
		return read_record(r, at, f->type, t, p);
	default:
		rc = read_number(r, at, f, t, p);
	}
	return rc == ERR_OK ? value_check(&r->cx, at, f, p) : rc;
}

/* Our own writer keeps the table's order: the field after the last one is tried first. */
static uint32_t find(const struct record_type *t, const struct token *key, uint32_t expected)
{
	for (uint32_t i = 0; i < t->field_count; i++) {
		uint32_t which = expected + i < t->field_count ? expected + i : expected + i - t->field_count;
		const char *name = t->fields[which].name;
		if (strlen(name) == key->size && memcmp(name, key->data, key->size) == 0)
			return which;
	}
	return t->field_count;
}

static enum err_code skip(struct reader *r, const struct place *at)
{
	switch (cursor_skip(&r->cursor, RECORD_DEPTH_MAX - 1 - at->depth)) {
	case TOKEN_NIL:
		return ERR_OK;
	case TOKEN_ARRAY:
		return fail(&r->cx, at, ERR_LIMIT, "an unknown key holds more than %d levels", RECORD_DEPTH_MAX);
	default:
		return fail(&r->cx, at, ERR_INVALID, "the value of an unknown key is truncated or no msgpack");
	}
}

static enum err_code read_pair(struct reader *r, const struct place *at, const struct record_type *t, void *record,
    uint32_t *expected, uint64_t *seen)
{
	struct token key = cursor_next(&r->cursor);
	if (key.kind != TOKEN_STRING)
		return wrong(r, at, "a string as key", &key);
	uint32_t which = find(t, &key, *expected);
	if (which == t->field_count)
		return skip(r, at);
	const struct field *f = &t->fields[which];
	struct place here = place_field(at, f);
	if (*seen >> which & 1)
		return fail(&r->cx, &here, ERR_INVALID, "stands there twice");
	*seen |= (uint64_t)1 << which;
	*expected = which + 1 < t->field_count ? which + 1 : 0;
	struct token value = cursor_next(&r->cursor);
	if (value.kind == TOKEN_NIL)
		return read_nil(r, &here, f, value_of(f, record));
	return read_value(r, &here, f, &value, value_of(f, record));
}

static enum err_code read_record(
    struct reader *r, const struct place *at, const struct record_type *t, const struct token *map, void *record)
{
	uint64_t seen = 0;
	uint32_t expected = 0;
	enum err_code rc = depth_check(&r->cx, at);
	if (rc != ERR_OK)
		return rc;
	if (map->kind != TOKEN_MAP)
		return wrong(r, at, "a map", map);
	for (uint32_t i = 0; rc == ERR_OK && i < map->count; i++)
		rc = read_pair(r, at, t, record, &expected, &seen);
	return rc == ERR_OK ? record_finish(&r->cx, at, t, record, seen) : rc;
}

enum err_code record_from_msgpack(
    const struct record_type *t, const void *data, size_t size, struct arena *arena, void *record, struct err *reterr)
{
	const uint8_t *begin = size ? data : (const uint8_t *)""; /* NULL may stand for no bytes */
	struct reader r = {.cursor = {begin, begin + size}, .cx = {.form = FORM_C, .arena = arena, .reterr = reterr}};
	const struct place root = PLACE_ROOT;
	void *built = arena_alloc(arena, t->size);
	if (!built)
		return fail_memory(&r.cx, &root);
	struct token first = cursor_next(&r.cursor);
	enum err_code rc = read_record(&r, &root, t, &first, built);
	if (rc == ERR_OK && r.cursor.at != r.cursor.end)
		rc = err_set(
		    reterr, ERR_INVALID, "%zu bytes stand behind the record", (size_t)(r.cursor.end - r.cursor.at));
	if (rc == ERR_OK)
		memcpy(record, built, t->size);
	return rc;
}
