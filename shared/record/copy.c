/* shared/record/copy.c: records as values: copies, equality, defaults. */
#include <string.h>

#include "shared/record/internal.h"

/* record holds a shallow copy; whatever it points at is replaced by a copy. */
static enum err_code copy_record(
    const struct context *cx, const struct place *at, const struct record_type *t, void *record);

/* n bytes of from into the arena; the pointer at to_pointer is set. */
static enum err_code copy_memory(
    const struct context *cx, const struct place *at, const void *from, size_t n, void *to_pointer)
{
	void *copy = arena_dup(cx->arena, from, n);
	if (!copy)
		return fail_memory(cx, at);
	memcpy(to_pointer, &copy, sizeof(copy));
	return ERR_OK;
}

static enum err_code copy_list(
    const struct context *cx, const struct place *at, const struct field *f, struct list *list);

static enum err_code copy_value(const struct context *cx, const struct place *at, const struct field *f, void *p)
{
	const void *pointed;
	enum err_code rc;
	switch (f->kind) {
	case FIELD_STRING:
	case FIELD_JSON:
		pointed = *(const char *const *)p;
		return pointed ? copy_memory(cx, at, pointed, strlen(pointed) + 1, p) : ERR_OK;
	case FIELD_BYTES: {
		struct bytes *b = p;
		return b->size ? copy_memory(cx, at, b->data, b->size, &b->data) : ERR_OK;
	}
	case FIELD_RECORD:
		pointed = *(const void *const *)p;
		if (!pointed)
			return ERR_OK;
		rc = copy_memory(cx, at, pointed, f->type->size, p);
		return rc == ERR_OK ? copy_record(cx, at, f->type, *(void **)p) : rc;
	case FIELD_INLINE:
		return copy_record(cx, at, f->type, p);
	case FIELD_LIST:
		return copy_list(cx, at, f, p);
	default:
		return ERR_OK;
	}
}

static enum err_code copy_list(
    const struct context *cx, const struct place *at, const struct field *f, struct list *list)
{
	struct field item = item_field(f);
	size_t size = value_size(&item);
	if (list->count == 0) {
		list->items = NULL;
		return ERR_OK;
	}
	enum err_code rc = copy_memory(cx, at, list->items, list->count * size, &list->items);
	for (size_t i = 0; rc == ERR_OK && i < list->count; i++) {
		struct place here = place_item(at, i);
		rc = copy_value(cx, &here, &item, (char *)list->items + i * size);
	}
	return rc;
}

static enum err_code copy_record(
    const struct context *cx, const struct place *at, const struct record_type *t, void *record)
{
	enum err_code rc = depth_check(cx, at);
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++) {
		struct place here = place_field(at, &t->fields[i]);
		rc = copy_value(cx, &here, &t->fields[i], value_of(&t->fields[i], record));
	}
	return rc;
}

enum err_code record_copy(
    const struct record_type *t, const void *from, struct arena *arena, void *to, struct err *reterr)
{
	const struct context cx = {.form = FORM_C, .arena = arena, .reterr = reterr};
	const struct place root = PLACE_ROOT;
	void *built = arena_dup(arena, from, t->size);
	if (!built)
		return fail_memory(&cx, &root);
	enum err_code rc = copy_record(&cx, &root, t, built);
	if (rc == ERR_OK)
		memcpy(to, built, t->size);
	return rc;
}

static bool equal_records(const struct record_type *t, const void *a, const void *b, unsigned depth);

static bool equal_values(const struct field *f, const void *a, const void *b, unsigned depth)
{
	switch (f->kind) {
	case FIELD_STRING:
	case FIELD_JSON:
		return text_equal(*(const char *const *)a, *(const char *const *)b);
	case FIELD_F64:
		return *(const double *)a == *(const double *)b;
	case FIELD_BYTES: {
		const struct bytes *x = a, *y = b;
		return x->size == y->size && (x->size == 0 || memcmp(x->data, y->data, x->size) == 0);
	}
	case FIELD_RECORD: {
		const void *x = *(const void *const *)a, *y = *(const void *const *)b;
		return x && y ? equal_records(f->type, x, y, depth) : x == y;
	}
	case FIELD_INLINE:
		return equal_records(f->type, a, b, depth);
	case FIELD_LIST: {
		const struct list *x = a, *y = b;
		struct field item = item_field(f);
		size_t size = value_size(&item);
		if (x->count != y->count)
			return false;
		for (size_t i = 0; i < x->count; i++)
			if (!equal_values(&item, item_at(x, size, i), item_at(y, size, i), depth))
				return false;
		return true;
	}
	default:
		return memcmp(a, b, value_size(f)) == 0;
	}
}

static bool equal_records(const struct record_type *t, const void *a, const void *b, unsigned depth)
{
	if (depth == RECORD_DEPTH_MAX)
		return false; /* no valid record is that deep */
	for (uint32_t i = 0; i < t->field_count; i++)
		if (!equal_values(&t->fields[i], value_in(&t->fields[i], a), value_in(&t->fields[i], b), depth + 1))
			return false;
	return true;
}

bool record_equal(const struct record_type *t, const void *a, const void *b)
{
	return equal_records(t, a, b, 0);
}

enum err_code default_read(const struct context *cx, const struct place *at, const struct field *f, void *p)
{
	/* As in YAML, but an error is ours: it names no file. */
	struct context yaml = {.form = FORM_YAML, .arena = cx->arena, .reterr = cx->reterr};
	if (f->kind != FIELD_LIST && f->kind != FIELD_RECORD && f->kind != FIELD_INLINE && f->kind != FIELD_JSON)
		return scalar_read(&yaml, at, f, f->default_text, true, p);
	CLEANUP(arena_cleanup) struct arena *scratch = arena_new(RECORD_SCRATCH_LEAST);
	if (!scratch)
		return fail_memory(cx, at);
	struct node *node;
	enum err_code rc = yaml_parse(NULL, f->default_text, strlen(f->default_text), scratch, &node, cx->reterr);
	return rc == ERR_OK ? tree_read_value(&yaml, at, f, node, p) : fail_prefix(cx, at, rc);
}

static enum err_code default_record(
    const struct context *cx, const struct place *at, const struct record_type *t, void *record)
{
	enum err_code rc = depth_check(cx, at);
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		struct place here = place_field(at, f);
		if (f->default_text)
			rc = default_read(cx, &here, f, value_of(f, record));
		else if (f->kind == FIELD_INLINE)
			rc = default_record(cx, &here, f->type, value_of(f, record));
	}
	return rc;
}

enum err_code record_defaults(const struct record_type *t, struct arena *arena, void *record, struct err *reterr)
{
	const struct context cx = {.form = FORM_C, .arena = arena, .reterr = reterr};
	const struct place root = PLACE_ROOT;
	void *built = arena_alloc(arena, t->size);
	if (!built)
		return fail_memory(&cx, &root);
	enum err_code rc = default_record(&cx, &root, t, built);
	if (rc == ERR_OK)
		memcpy(record, built, t->size);
	return rc;
}
