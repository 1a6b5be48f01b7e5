/* shared/record/field.c: what can be said of a field and its value without any codec. */
#include <assert.h>
#include <string.h>

#include "shared/record/internal.h"

const char *enum_name(const struct enum_type *e, uint32_t value)
{
	return value < e->count && e->names[value] ? e->names[value] : "?";
}

bool enum_value(const struct enum_type *e, const char *name, uint32_t *ret)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (e->names[i] && strcmp(e->names[i], name) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

static size_t kind_size(enum field_kind kind, const struct record_type *type)
{
	switch (kind) {
	case FIELD_BOOL:
		return sizeof(bool);
	case FIELD_U32:
	case FIELD_ENUM:
		return sizeof(uint32_t);
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_TIME:
	case FIELD_DURATION:
	case FIELD_SIZE:
		return sizeof(uint64_t);
	case FIELD_F64:
		return sizeof(double);
	case FIELD_ID:
		return sizeof(struct id);
	case FIELD_DIGEST:
		return sizeof(struct digest);
	case FIELD_STRING:
	case FIELD_JSON:
	case FIELD_RECORD:
		return sizeof(void *);
	case FIELD_BYTES:
		return sizeof(struct bytes);
	case FIELD_INLINE:
		return type->size;
	case FIELD_LIST:
		return sizeof(struct list);
	case FIELD_KIND_COUNT:
		break;
	}
	assert(0 && "a field without a kind");
	return 0;
}

size_t value_size(const struct field *f)
{
	return kind_size(f->kind, f->type);
}

struct field item_field(const struct field *f)
{
	bool sized = f->elem_kind == FIELD_STRING || f->elem_kind == FIELD_BYTES || f->elem_kind == FIELD_JSON;
	return (struct field){
	    .name = f->name,
	    .doc = f->doc,
	    .kind = f->elem_kind,
	    .id_kind = f->id_kind,
	    .flags = (f->flags & (FIELD_SECRET | FIELD_PHI)) | FIELD_ALWAYS | (sized ? 0 : FIELD_REQUIRED) |
		     (f->flags & FIELD_SCALAR_OK && f->elem_kind == FIELD_INLINE ? FIELD_SCALAR_OK : 0),
	    .max = sized ? PATH_LIMIT : 0,
	    .enum_type = f->enum_type,
	    .type = f->type,
	};
}

bool kind_is_number(enum field_kind kind)
{
	return kind == FIELD_BOOL || kind == FIELD_U32 || kind == FIELD_U64 || kind == FIELD_TIME ||
	       kind == FIELD_DURATION || kind == FIELD_SIZE || kind == FIELD_ENUM;
}

uint64_t number_get(const struct field *f, const void *p)
{
	switch (f->kind) {
	case FIELD_BOOL:
		return *(const bool *)p;
	case FIELD_U32:
	case FIELD_ENUM:
		return *(const uint32_t *)p;
	default:
		assert(kind_is_number(f->kind));
		return *(const uint64_t *)p;
	}
}

void number_set(const struct field *f, void *p, uint64_t v)
{
	if (f->kind == FIELD_BOOL)
		*(bool *)p = v != 0;
	else if (f->kind == FIELD_U32 || f->kind == FIELD_ENUM)
		*(uint32_t *)p = (uint32_t)v;
	else
		*(uint64_t *)p = v;
}

uint64_t number_most(const struct field *f)
{
	if (f->kind == FIELD_BOOL)
		return 1;
	if (f->kind == FIELD_ENUM)
		return f->enum_type->count - 1;
	uint64_t most = f->kind == FIELD_U32 ? UINT32_MAX : f->kind == FIELD_TIME ? RECORD_TIME_MAX_MS : UINT64_MAX;
	return f->max && f->max < most ? f->max : most;
}

bool value_absent(const struct field *f, const void *p)
{
	static const struct digest no_digest;
	switch (f->kind) {
	case FIELD_I64:
		return *(const int64_t *)p == 0;
	case FIELD_F64:
		return *(const double *)p == 0;
	case FIELD_ID:
		return id_is_zero(*(const struct id *)p);
	case FIELD_DIGEST:
		return memcmp(p, &no_digest, sizeof(no_digest)) == 0;
	case FIELD_STRING:
	case FIELD_JSON:
	case FIELD_RECORD:
		return !*(const void *const *)p;
	case FIELD_BYTES:
		return ((const struct bytes *)p)->size == 0;
	case FIELD_LIST:
		return ((const struct list *)p)->count == 0;
	case FIELD_INLINE:
		return false;
	default:
		return number_get(f, p) == 0;
	}
}

bool zero_is_missing(const struct field *f)
{
	switch (f->kind) {
	case FIELD_ID:
	case FIELD_DIGEST:
	case FIELD_STRING:
	case FIELD_JSON:
	case FIELD_RECORD:
	case FIELD_BYTES:
	case FIELD_LIST:
		return true;
	case FIELD_TIME:
		return !(f->flags & FIELD_ALWAYS);
	default:
		return false;
	}
}

bool value_written(const struct field *f, const void *p)
{
	if (f->flags & (FIELD_ALWAYS | FIELD_REQUIRED) || f->default_text)
		return true;
	return f->kind == FIELD_INLINE ? record_written(f->type, p) : !value_absent(f, p);
}

bool record_written(const struct record_type *t, const void *record)
{
	for (uint32_t i = 0; i < t->field_count; i++)
		if (value_written(&t->fields[i], value_in(&t->fields[i], record)))
			return true;
	return false;
}

size_t form_name(enum record_form form, const struct field *f, const char **ret)
{
	size_t n = strlen(f->name);
	size_t suffix = f->kind == FIELD_SIZE ? sizeof("_bytes") - 1 : sizeof("_ms") - 1;
	bool bare = f->kind == FIELD_TIME ? form != FORM_C
					  : form == FORM_YAML && (f->kind == FIELD_DURATION || f->kind == FIELD_SIZE);
	*ret = f->name;
	if (bare && n > suffix && strcmp(f->name + n - suffix, f->kind == FIELD_SIZE ? "_bytes" : "_ms") == 0)
		n -= suffix;
	return n;
}

const struct field *form_field(enum record_form form, const struct record_type *t, const char *name)
{
	size_t length = strlen(name);
	for (uint32_t i = 0; i < t->field_count; i++) {
		const char *own;
		size_t n = form_name(form, &t->fields[i], &own);
		if (n == length && memcmp(own, name, n) == 0)
			return &t->fields[i];
	}
	return NULL;
}

const struct field *record_field(const struct record_type *t, const char *name)
{
	const struct field *f = form_field(FORM_C, t, name);
	return f ? f : form_field(FORM_YAML, t, name);
}

const struct field *key_field(const struct record_type *t)
{
	for (uint32_t i = 0; i < t->field_count; i++)
		if (t->fields[i].flags & FIELD_KEY)
			return &t->fields[i];
	return NULL;
}
