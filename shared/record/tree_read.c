/* shared/record/tree_read.c: from a tree (JSON or YAML) into the record. */
#include <string.h>

#include "shared/record/internal.h"

static enum err_code wrong_shape(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n)
{
	bool json = cx->form == FORM_JSON;
	switch (n->kind) {
	case NODE_LIST:
		return fail_expected(cx, at, f, json ? "an array" : "a list");
	case NODE_MAP:
		return fail_expected(cx, at, f, json ? "an object" : "a mapping");
	case NODE_NULL:
		return fail_expected(cx, at, f, n->text[0] ? n->text : "nothing");
	default:
		return fail_expected(cx, at, f, n->text);
	}
}

static bool is_scalar(const struct node *n)
{
	return n->kind == NODE_PLAIN || n->kind == NODE_QUOTED;
}

static struct place at_line(struct place at, const struct node *n)
{
	if (n->line)
		at.line = n->line;
	at.node = n;
	return at;
}

static enum err_code read_null(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, void *p)
{
	/* "every:" with nothing behind it is a slip more often than a wish. */
	if (cx->form == FORM_YAML && n->text[0] == '\0')
		return fail_expected(cx, at, f, "nothing");
	if (f->flags & FIELD_REQUIRED)
		return fail(cx, at, ERR_INVALID, "is required");
	return f->kind == FIELD_INLINE ? record_finish(cx, at, f->type, p, 0) : value_check(cx, at, f, p);
}

/* A lone scalar stands for the record's first field. */
static enum err_code read_short_record(
    const struct context *cx, const struct place *at, const struct record_type *t, const struct node *n, void *record)
{
	struct place here = place_field(at, &t->fields[0]);
	enum err_code rc = depth_check(cx, at);
	if (rc == ERR_OK)
		rc = tree_read_value(cx, &here, &t->fields[0], n, value_of(&t->fields[0], record));
	return rc == ERR_OK ? record_finish(cx, at, t, record, 1) : rc;
}

static enum err_code read_record_value(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, void *record)
{
	if (f->flags & FIELD_SCALAR_OK && is_scalar(n))
		return read_short_record(cx, at, f->type, n, record);
	if (n->kind != NODE_MAP)
		return wrong_shape(cx, at, f, n);
	return tree_read_record(cx, at, f->type, n, record);
}

static enum err_code read_pointed(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, const void **p)
{
	void *record = arena_alloc(cx->arena, f->type->size);
	if (!record)
		return fail_memory(cx, at);
	enum err_code rc = read_record_value(cx, at, f, n, record);
	if (rc == ERR_OK)
		*p = record;
	return rc;
}

static enum err_code read_record_but(const struct context *cx, const struct place *at, const struct record_type *t,
    const struct node *n, const struct field *given, void *record);

/* "portal: { … }": the key is the record's FIELD_KEY field. */
static enum err_code read_keyed(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, void *record)
{
	const struct field *key = key_field(f->type);
	struct place name = place_field(at, key);
	enum err_code rc = scalar_read(cx, &name, key, n->key, false, value_of(key, record));
	if (rc != ERR_OK)
		return rc;
	if (n->kind != NODE_MAP && n->kind != NODE_NULL) {
		struct field item = item_field(f);
		return wrong_shape(cx, at, &item, n);
	}
	return read_record_but(cx, at, f->type, n, key, record);
}

static enum err_code read_items(const struct context *cx, const struct place *at, const struct field *f,
    const struct node *first, size_t count, struct list *ret)
{
	struct field item = item_field(f);
	size_t size = value_size(&item);
	bool keyed = f->flags & FIELD_KEYED;
	if (f->max && count > f->max) /* before anything is allocated */
		return fail(
		    cx, at, ERR_LIMIT, "expected at most %llu items, got %zu", (unsigned long long)f->max, count);
	char *items = arena_array(cx->arena, count, size);
	if (!items)
		return fail_memory(cx, at);
	enum err_code rc = ERR_OK;
	const struct node *n = first;
	for (size_t i = 0; rc == ERR_OK && i < count; i++, n = n->next) {
		struct place here = at_line(place_item(at, i), n);
		here.key = keyed ? n->key : NULL;
		if (n->kind == NODE_NULL && !keyed)
			rc = wrong_shape(cx, &here, &item, n);
		else if (keyed)
			rc = read_keyed(cx, &here, f, n, items + i * size);
		else
			rc = tree_read_value(cx, &here, &item, n, items + i * size);
	}
	if (rc == ERR_OK)
		*ret = (struct list){items, count};
	return rc;
}

static enum err_code read_list(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, struct list *ret)
{
	bool keyed = f->flags & FIELD_KEYED, lone = f->flags & FIELD_SCALAR_OK && !keyed;
	struct list list = {0};
	enum err_code rc = depth_check(cx, at);
	if (rc != ERR_OK)
		return rc;
	if (n->kind == (keyed ? NODE_MAP : NODE_LIST))
		rc = n->count ? read_items(cx, at, f, n->first, n->count, &list) : ERR_OK;
	else if (lone && (is_scalar(n) || (n->kind == NODE_MAP && f->elem_kind == FIELD_INLINE)))
		rc = read_items(cx, at, f, n, 1, &list);
	else
		rc = wrong_shape(cx, at, f, n);
	if (rc == ERR_OK)
		rc = value_check(cx, at, f, &list);
	if (rc == ERR_OK)
		*ret = list;
	return rc;
}

static enum err_code read_json(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, const char **ret)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	CLEANUP(arena_cleanup) struct arena *scratch = arena_new(0);
	if (!scratch)
		return fail_memory(cx, at);
	enum err_code rc = node_to_json(cx, at, n, scratch, &text);
	if (rc != ERR_OK)
		return rc;
	const char *copy = arena_strdup(cx->arena, buf_str(&text));
	if (!copy)
		return fail_memory(cx, at);
	rc = value_check(cx, at, f, &copy);
	if (rc == ERR_OK)
		*ret = copy;
	return rc;
}

enum err_code tree_read_value(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, void *p)
{
	if (n->kind == NODE_NULL)
		return read_null(cx, at, f, n, p);
	switch (f->kind) {
	case FIELD_LIST:
		return read_list(cx, at, f, n, p);
	case FIELD_RECORD:
		return read_pointed(cx, at, f, n, p);
	case FIELD_INLINE:
		return read_record_value(cx, at, f, n, p);
	case FIELD_JSON:
		return read_json(cx, at, f, n, p);
	default:
		if (!is_scalar(n))
			return wrong_shape(cx, at, f, n);
		return scalar_read(cx, at, f, n->text, n->kind == NODE_PLAIN, p);
	}
}

static enum err_code read_pair(const struct context *cx, const struct place *at, const struct record_type *t,
    const struct node *n, uint64_t *seen, void *record)
{
	const struct field *f = form_field(cx->form, t, n->key);
	struct place there = at_line(*at, n);
	if (!f && (cx->form == FORM_YAML || cx->options & RECORD_STRICT))
		return fail_unknown(cx, &there, t, n->key);
	if (!f)
		return ERR_OK;
	struct place here = at_line(place_field(at, f), n);
	uint64_t bit = (uint64_t)1 << (f - t->fields);
	if (*seen & bit)
		return fail(cx, &here, ERR_INVALID, "stands there twice");
	*seen |= bit;
	return tree_read_value(cx, &here, f, n, value_of(f, record));
}

/* given (or NULL) was read already. */
static enum err_code read_record_but(const struct context *cx, const struct place *at, const struct record_type *t,
    const struct node *n, const struct field *given, void *record)
{
	uint64_t seen = given ? (uint64_t)1 << (given - t->fields) : 0;
	enum err_code rc = depth_check(cx, at);
	for (const struct node *c = n->first; rc == ERR_OK && c; c = c->next)
		rc = read_pair(cx, at, t, c, &seen, record);
	return rc == ERR_OK ? record_finish(cx, at, t, record, seen) : rc;
}

enum err_code tree_read_record(
    const struct context *cx, const struct place *at, const struct record_type *t, const struct node *n, void *record)
{
	return read_record_but(cx, at, t, n, NULL, record);
}

struct arena *scratch_new(size_t text_size)
{
	return arena_new(RECORD_SCRATCH_LEAST + (text_size > RECORD_TEXT_SIZE_MAX ? 0 : text_size * RECORD_NODE_COST));
}

/* Into a fresh record first: the caller's stays as it is when anything fails. */
static enum err_code read_whole(
    const struct context *cx, const struct record_type *t, const struct node *n, void *record)
{
	struct place root = at_line(PLACE_ROOT, n);
	if (n->kind != NODE_MAP) {
		const struct field whole = {.kind = FIELD_INLINE, .name = t->name};
		return wrong_shape(cx, &root, &whole, n);
	}
	void *built = arena_alloc(cx->arena, t->size);
	if (!built)
		return fail_memory(cx, &root);
	enum err_code rc = tree_read_record(cx, &root, t, n, built);
	if (rc == ERR_OK)
		memcpy(record, built, t->size);
	return rc;
}

enum err_code record_from_json(const struct record_type *t, const char *data, size_t size, unsigned options,
    struct arena *arena, void *record, struct err *reterr)
{
	const struct context cx = {.form = FORM_JSON, .options = options, .arena = arena, .reterr = reterr};
	const struct place root = PLACE_ROOT;
	CLEANUP(arena_cleanup) struct arena *scratch = scratch_new(size);
	struct node *n;
	if (!scratch)
		return fail_memory(&cx, &root);
	enum err_code rc = json_parse(data, size, NODE_DEPTH_MAX, scratch, &n, reterr);
	return rc == ERR_OK ? read_whole(&cx, t, n, record) : rc;
}

enum err_code record_from_yaml(const struct record_type *t, const char *file, const char *data, size_t size,
    struct arena *arena, void *record, struct err *reterr)
{
	const struct context cx = {.form = FORM_YAML, .file = file, .arena = arena, .reterr = reterr};
	const struct place root = PLACE_ROOT;
	CLEANUP(arena_cleanup) struct arena *scratch = scratch_new(size);
	struct node *n;
	if (!scratch)
		return fail_memory(&cx, &root);
	enum err_code rc = yaml_parse(file, data, size, scratch, &n, reterr);
	return rc == ERR_OK ? read_whole(&cx, t, n, record) : rc;
}
