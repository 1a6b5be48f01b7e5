/* shared/record/check.c: what a value must be, whichever way it comes or goes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "shared/record/internal.h"

/* A number as people write it in this form, for "expected at most …". */
static const char *shown(const struct context *cx, const struct field *f, uint64_t v, char out[TEXT_TIME_MAX])
{
	if (f->kind == FIELD_DURATION && cx->form == FORM_YAML)
		return text_duration_human(v, out);
	if (f->kind == FIELD_SIZE && cx->form == FORM_YAML)
		return text_size_human(v, out);
	if (f->kind == FIELD_TIME && cx->form != FORM_C)
		return text_time(v, out);
	snprintf(out, TEXT_TIME_MAX, "%" PRIu64, v);
	return out;
}

static enum err_code number_check(const struct context *cx, const struct place *at, const struct field *f, uint64_t v)
{
	char limit[TEXT_TIME_MAX], given[TEXT_TIME_MAX];
	uint64_t most = number_most(f);
	if (f->kind == FIELD_ENUM && (v > most || !f->enum_type->names[v]))
		return fail(cx, at, ERR_INVALID, "%" PRIu64 " is no value of %s", v, f->enum_type->name);
	if (v > most)
		return fail(cx, at, ERR_INVALID, "expected at most %s, got %s", shown(cx, f, most, limit),
		    shown(cx, f, v, given));
	if (v < f->min)
		return fail(cx, at, ERR_INVALID, "expected at least %s, got %s", shown(cx, f, f->min, limit),
		    shown(cx, f, v, given));
	return ERR_OK;
}

static enum err_code length_check(
    const struct context *cx, const struct place *at, const struct field *f, size_t n, const char *unit)
{
	if (n == 0 && f->flags & FIELD_REQUIRED)
		return fail(cx, at, ERR_INVALID, "is required, but empty");
	if (f->max && n > f->max)
		return fail(cx, at, ERR_LIMIT, "expected at most %" PRIu64 " %s, got %zu", f->max, unit, n);
	if (n < f->min)
		return fail(cx, at, ERR_INVALID, "expected at least %" PRIu64 " %s, got %zu", f->min, unit, n);
	return ERR_OK;
}

static enum err_code string_check(
    const struct context *cx, const struct place *at, const struct field *f, const char *s)
{
	size_t n = strlen(s);
	enum err_code rc = length_check(cx, at, f, n, "bytes");
	if (rc == ERR_OK && !text_utf8_valid(s, n))
		return fail(cx, at, ERR_INVALID, "is no valid UTF-8");
	if (rc != ERR_OK || f->kind != FIELD_JSON)
		return rc;
	rc = json_text_check(s, n, cx->reterr);
	return rc == ERR_OK ? rc : fail_prefix(cx, at, rc);
}

/* The names in a FIELD_KEYED list become keys of a mapping. */
static enum err_code keys_check(
    const struct context *cx, const struct place *at, const struct field *f, const struct list *list)
{
	size_t size = f->type->size, offset = key_field(f->type)->offset;
	for (size_t i = 0; i < list->count; i++) {
		const char *key = *(const char *const *)((const char *)item_at(list, size, i) + offset);
		struct place item = place_item(at, i);
		if (!key || !key[0])
			return fail(cx, &item, ERR_INVALID, "has no name");
		for (size_t k = 0; k < i; k++) {
			const char *other = *(const char *const *)((const char *)item_at(list, size, k) + offset);
			if (strcmp(key, other) == 0)
				return fail(
				    cx, &item, ERR_INVALID, "\"%.*s\" stands there twice", RECORD_ECHO_MAX, key);
		}
	}
	return ERR_OK;
}

static enum err_code list_check(
    const struct context *cx, const struct place *at, const struct field *f, const struct list *list)
{
	enum err_code rc = length_check(cx, at, f, list->count, "items");
	if (rc == ERR_OK && !list->items)
		return fail(cx, at, ERR_INVALID, "counts %zu items but has none", list->count);
	if (rc == ERR_OK && f->flags & FIELD_KEYED)
		return keys_check(cx, at, f, list);
	return rc;
}

enum err_code value_check(const struct context *cx, const struct place *at, const struct field *f, const void *p)
{
	if (value_absent(f, p)) {
		if (f->flags & FIELD_REQUIRED && zero_is_missing(f))
			return fail(cx, at, ERR_INVALID, "is required");
		if (zero_is_missing(f) || (!(f->flags & (FIELD_ALWAYS | FIELD_REQUIRED)) && !f->default_text))
			return ERR_OK;
	}
	switch (f->kind) {
	case FIELD_I64:
	case FIELD_ID:
	case FIELD_DIGEST:
	case FIELD_RECORD:
	case FIELD_INLINE:
		return ERR_OK;
	case FIELD_F64:
		return isfinite(*(const double *)p) ? ERR_OK : fail(cx, at, ERR_INVALID, "is no finite number");
	case FIELD_STRING:
	case FIELD_JSON:
		return string_check(cx, at, f, *(const char *const *)p);
	case FIELD_BYTES:
		return length_check(cx, at, f, ((const struct bytes *)p)->size, "bytes");
	case FIELD_LIST:
		return list_check(cx, at, f, p);
	default:
		return number_check(cx, at, f, number_get(f, p));
	}
}

static enum err_code own_check(
    const struct context *cx, const struct place *at, const struct record_type *t, const void *record)
{
	if (!t->check)
		return ERR_OK;
	enum err_code rc = t->check(record, cx->reterr);
	return rc == ERR_OK ? rc : fail_check(cx, at, t, rc);
}

enum err_code record_finish(
    const struct context *cx, const struct place *at, const struct record_type *t, void *record, uint64_t seen)
{
	enum err_code rc = depth_check(cx, at);
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		if (seen >> i & 1)
			continue;
		struct place here = place_field(at, f);
		if (f->default_text)
			rc = default_read(cx, &here, f, value_of(f, record));
		else if (f->kind == FIELD_INLINE)
			rc = record_finish(cx, &here, f->type, value_of(f, record), 0);
		else if (f->flags & FIELD_REQUIRED)
			rc = fail(cx, &here, ERR_INVALID, "is required");
	}
	return rc == ERR_OK ? own_check(cx, at, t, record) : rc;
}

static enum err_code walk(
    const struct context *cx, const struct place *at, const struct record_type *t, const void *record);

static enum err_code walk_list(
    const struct context *cx, const struct place *at, const struct field *f, const struct list *list)
{
	struct field item = item_field(f);
	size_t size = value_size(&item);
	enum err_code rc = depth_check(cx, at);
	bool pointer = item.kind == FIELD_STRING || item.kind == FIELD_JSON;
	for (size_t i = 0; rc == ERR_OK && i < list->count; i++) {
		struct place here = place_item(at, i);
		const void *p = item_at(list, size, i);
		if (pointer && value_absent(&item, p))
			return fail(cx, &here, ERR_INVALID, "is missing");
		rc = item.kind == FIELD_INLINE ? walk(cx, &here, item.type, p) : value_check(cx, &here, &item, p);
	}
	return rc;
}

static enum err_code walk(
    const struct context *cx, const struct place *at, const struct record_type *t, const void *record)
{
	enum err_code rc = depth_check(cx, at);
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		const void *p = value_in(f, record);
		struct place here = place_field(at, f);
		rc = value_check(cx, &here, f, p);
		if (rc != ERR_OK)
			break;
		if (f->kind == FIELD_LIST)
			rc = walk_list(cx, &here, f, p);
		else if (f->kind == FIELD_INLINE)
			rc = walk(cx, &here, f->type, p);
		else if (f->kind == FIELD_RECORD && *(const void *const *)p)
			rc = walk(cx, &here, f->type, *(const void *const *)p);
	}
	return rc == ERR_OK ? own_check(cx, at, t, record) : rc;
}

enum err_code record_check(const struct record_type *t, const void *record, struct err *reterr)
{
	const struct context cx = {.form = FORM_C, .reterr = reterr};
	const struct place root = PLACE_ROOT;
	return walk(&cx, &root, t, record);
}
