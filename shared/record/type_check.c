/* shared/record/type_check.c: the rules of a field table that the compiler cannot see. */
#include <string.h>

#include "shared/record/internal.h"
#include "shared/record/registry.h"

static enum err_code bad(const struct record_type *t, const struct field *f, struct err *reterr, const char *why)
{
	return err_set(reterr, ERR_INVALID, "%s.%s: %s", t->name, f->name, why);
}

static bool good_name(const char *s)
{
	size_t n = s ? strlen(s) : 0;
	return n > 0 && n <= RECORD_NAME_MAX && text_utf8_valid(s, n);
}

static enum err_code enum_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	const struct enum_type *e = f->enum_type;
	if (!e || !good_name(e->name) || e->count == 0)
		return bad(t, f, reterr, "an enum needs its enum_type, with a name and words");
	for (uint32_t i = 0; i < e->count; i++) {
		uint32_t first;
		if (!e->names[i])
			continue;
		if (!good_name(e->names[i]))
			return bad(t, f, reterr, "a word of the enum is empty or too long");
		if (!enum_value(e, e->names[i], &first) || first != i)
			return bad(t, f, reterr, "two words of the enum are the same");
	}
	return ERR_OK;
}

static bool holds_records(enum field_kind kind)
{
	return kind == FIELD_INLINE || kind == FIELD_RECORD;
}

static bool has_order(enum field_kind kind)
{
	return kind != FIELD_BYTES && kind != FIELD_RECORD && kind != FIELD_INLINE && kind != FIELD_LIST &&
	       kind != FIELD_JSON;
}

static enum err_code kind_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	enum field_kind kind = f->kind == FIELD_LIST ? f->elem_kind : f->kind;
	if ((unsigned)f->kind >= FIELD_KIND_COUNT || (unsigned)kind >= FIELD_KIND_COUNT)
		return bad(t, f, reterr, "has no kind");
	if (f->kind == FIELD_LIST && (kind == FIELD_LIST || kind == FIELD_RECORD))
		return bad(t, f, reterr, "items of a list are scalars or inline records");
	if (holds_records(kind) && (!f->type || f->type->size == 0 || f->type->field_count == 0))
		return bad(t, f, reterr, "needs the type of its records");
	if (kind == FIELD_ID && (unsigned)f->id_kind >= ID_KIND_COUNT)
		return bad(t, f, reterr, "needs an id_kind");
	return kind == FIELD_ENUM ? enum_check(t, f, reterr) : ERR_OK;
}

static enum err_code limits_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	bool sized =
	    f->kind == FIELD_STRING || f->kind == FIELD_BYTES || f->kind == FIELD_JSON || f->kind == FIELD_LIST;
	if (sized && f->max == 0)
		return bad(t, f, reterr, "needs a limit");
	if (f->max && f->min > f->max)
		return bad(t, f, reterr, "min is above max");
	if ((f->min || f->max) && (f->kind == FIELD_I64 || f->kind == FIELD_F64))
		return bad(t, f, reterr, "signed numbers and floats have no min and max; write a check");
	return ERR_OK;
}

static enum err_code keyed_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	if (f->kind != FIELD_LIST || f->elem_kind != FIELD_INLINE)
		return bad(t, f, reterr, "FIELD_KEYED is for lists of records");
	const struct field *key = key_field(f->type);
	if (!key || key->kind != FIELD_STRING || !(key->flags & FIELD_REQUIRED))
		return bad(t, f, reterr, "FIELD_KEYED needs records whose first FIELD_KEY is a required string");
	if (f->max > RECORD_KEYED_MAX)
		return bad(t, f, reterr, "FIELD_KEYED allows at most RECORD_KEYED_MAX items");
	return f->flags & FIELD_SCALAR_OK ? bad(t, f, reterr, "is a mapping, which no scalar can stand for") : ERR_OK;
}

static enum err_code flags_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	bool records = holds_records(f->kind == FIELD_LIST ? f->elem_kind : f->kind);
	if (f->flags & (FIELD_KEY | FIELD_INDEXED) && (!has_order(f->kind) || f->flags & FIELD_SECRET))
		return bad(t, f, reterr, "keys and indexes are for scalars that are no secret");
	if (f->flags & FIELD_SCALAR_OK && f->kind != FIELD_LIST && !holds_records(f->kind))
		return bad(t, f, reterr, "FIELD_SCALAR_OK is for lists and records");
	if (f->flags & FIELD_SCALAR_OK && records &&
	    (f->type->fields[0].kind == FIELD_LIST || holds_records(f->type->fields[0].kind)))
		return bad(t, f, reterr, "FIELD_SCALAR_OK needs records whose first field is a scalar");
	if (f->flags & FIELD_REQUIRED && f->default_text)
		return bad(t, f, reterr, "what has a default cannot be required");
	return f->flags & FIELD_KEYED ? keyed_check(t, f, reterr) : ERR_OK;
}

static enum err_code name_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	if (!good_name(f->name) || !f->doc || !f->doc[0])
		return err_set(
		    reterr, ERR_INVALID, "%s: a field has no name, no documentation or too long a name", t->name);
	if ((f->kind == FIELD_DURATION || f->kind == FIELD_TIME) && !text_ends(f->name, "_ms"))
		return bad(t, f, reterr, "the name of a time or duration ends in _ms");
	if (f->kind == FIELD_SIZE && !text_ends(f->name, "_bytes"))
		return bad(t, f, reterr, "the name of a size ends in _bytes");
	for (enum record_form form = FORM_C; form <= FORM_YAML; form++) {
		char name[RECORD_NAME_MAX + 1];
		const char *own;
		size_t n = form_name(form, f, &own);
		text_copy(name, n + 1, own);
		if (form_field(form, t, name) != f)
			return bad(t, f, reterr, "two fields have this name in C, JSON or YAML");
	}
	return ERR_OK;
}

/* Within the struct, and on no other field's bytes. */
static enum err_code offset_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	size_t end = f->offset + value_size(f);
	if (end > t->size)
		return bad(t, f, reterr, "lies outside the struct");
	for (const struct field *other = t->fields; other < f; other++)
		if (f->offset < other->offset + value_size(other) && other->offset < end)
			return bad(t, f, reterr, "lies on another field");
	return ERR_OK;
}

static enum err_code default_check(const struct record_type *t, const struct field *f, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	const struct context cx = {.form = FORM_C, .arena = arena, .reterr = reterr};
	const struct place root = PLACE_ROOT, here = place_field(&root, f);
	void *record = arena ? arena_alloc(arena, t->size) : NULL;
	if (!record)
		return err_set(reterr, ERR_NOMEM, "%s: no memory", t->name);
	enum err_code rc = f->default_text ? default_read(&cx, &here, f, value_of(f, record)) : ERR_OK;
	return rc == ERR_OK ? rc : err_prefix(reterr, ERR_INVALID, "%s: default", t->name);
}

enum err_code record_type_check(const struct record_type *t, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (!good_name(t->name) || !t->doc || !t->doc[0])
		return err_set(reterr, ERR_INVALID, "a type has no name, no documentation or too long a name");
	if (t->field_count == 0 || t->field_count > RECORD_FIELDS_MAX || t->size == 0)
		return err_set(reterr, ERR_INVALID, "%s: expected 1 to %d fields", t->name, RECORD_FIELDS_MAX);
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++) {
		static enum err_code (*const checks[])(const struct record_type *, const struct field *,
		    struct err *) = {name_check, kind_check, limits_check, flags_check, offset_check, default_check};
		for (size_t k = 0; rc == ERR_OK && k < sizeof(checks) / sizeof(checks[0]); k++)
			rc = checks[k](t, &t->fields[i], reterr);
	}
	return rc;
}
