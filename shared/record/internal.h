/* shared/record/internal.h: what the files of this folder share.  Nobody else includes it.
 *
 * A codec walks a record by its table.  Where it stands is a chain of struct place on the stack, from which errors get
 * their path; the chain's length is the depth, so no recursion can pass RECORD_DEPTH_MAX. */
#ifndef KEDGE_SHARED_RECORD_INTERNAL_H
#define KEDGE_SHARED_RECORD_INTERNAL_H

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/record/limits.h"
#include "shared/record/record.h"

enum record_form { FORM_C, FORM_JSON, FORM_YAML }; /* by which names and units values are spoken of */

struct context {
	enum record_form form;
	unsigned options;    /* enum record_options */
	const char *file;    /* FORM_YAML: named in errors; NULL: none */
	struct arena *arena; /* NULL where nothing is built */
	struct err *reterr;
};

struct node;

#define NO_INDEX SIZE_MAX
struct place {
	const struct place *up;    /* NULL: the outermost record */
	const struct field *field; /* NULL for the outermost record */
	const char *key;           /* item of a FIELD_KEYED list, by its name */
	size_t index;              /* item of a list; else NO_INDEX */
	uint32_t depth;
	uint32_t line;           /* FORM_YAML; 0: unknown */
	const struct node *node; /* what is read there; NULL: not from a tree */
};
#define PLACE_ROOT ((struct place){.index = NO_INDEX})

static inline struct place place_field(const struct place *up, const struct field *f)
{
	return (struct place){.up = up, .field = f, .index = NO_INDEX, .depth = up->depth + 1, .line = up->line};
}
/* list is the place of the list itself. */
static inline struct place place_item(const struct place *list, size_t index)
{
	return (struct place){
	    .up = list->up, .field = list->field, .index = index, .depth = list->depth + 1, .line = list->line};
}

/* "services.portal.probes[0].every" into out (of RECORD_PATH_MAX bytes), cut when longer. */
const char *place_text(const struct context *cx, const struct place *at, char *out);
/* Sets "file:line: path: " and the message; returns code. */
enum err_code fail(const struct context *cx, const struct place *at, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same in front of what already stands in the error (a type's own check). */
enum err_code fail_prefix(const struct context *cx, const struct place *at, enum err_code code);
/* After a type's own check.  Its message may begin with the path of a field, as in "every: …" or "probes[1].name: …":
 * that is joined to at's, and the line is that field's. */
enum err_code fail_check(
    const struct context *cx, const struct place *at, const struct record_type *t, enum err_code code);
enum err_code fail_memory(const struct context *cx, const struct place *at);
/* ERR_LIMIT when at is too deep. */
enum err_code depth_check(const struct context *cx, const struct place *at);

/* ---- fields and values; p is the address of the value itself ---- */

static inline const void *value_in(const struct field *f, const void *record)
{
	return (const char *)record + f->offset;
}
static inline void *value_of(const struct field *f, void *record)
{
	return (char *)record + f->offset;
}
size_t value_size(const struct field *f);       /* of the C value */
struct field item_field(const struct field *f); /* the items of a FIELD_LIST as if each were a field; offset 0 */
static inline const void *item_at(const struct list *list, size_t size, size_t i)
{
	return (const char *)list->items + i * size;
}
bool kind_is_number(enum field_kind kind); /* BOOL, ENUM and all that is stored in an unsigned integer */
uint64_t number_get(const struct field *f, const void *p);
void number_set(const struct field *f, void *p, uint64_t v);
uint64_t number_most(const struct field *f); /* upper end of the range */
bool value_absent(const struct field *f, const void *p);
/* Its zero says nothing, so FIELD_REQUIRED refuses it; of other kinds it asks that the key is there. */
bool zero_is_missing(const struct field *f);
/* Whether encoders write it. */
bool value_written(const struct field *f, const void *p);
bool record_written(const struct record_type *t, const void *record); /* any field of it */

/* How the field is called in this form; returns the length. */
size_t form_name(enum record_form form, const struct field *f, const char **ret);
const struct field *form_field(enum record_form form, const struct record_type *t, const char *name);
const struct field *key_field(const struct record_type *t); /* the first FIELD_KEY; NULL: none */
/* "; did you mean …?" or nothing into out (of RECORD_PATH_MAX bytes). */
void suggest(const char *given, const char *const *known, size_t count, char *out);
enum err_code fail_unknown(
    const struct context *cx, const struct place *at, const struct record_type *t, const char *key);

/* ---- checking (check.c) ---- */

/* One value that is there: range, length, UTF-8, count; not what lies inside its records and items. */
enum err_code value_check(const struct context *cx, const struct place *at, const struct field *f, const void *p);
/* The end of decoding a record: fields whose bit in seen is not set get their default, required ones are missed, then
 * the type's own check. */
enum err_code record_finish(
    const struct context *cx, const struct place *at, const struct record_type *t, void *record, uint64_t seen);

/* ---- scalars as text (scalar.c) ---- */

/* A scalar of any form but msgpack.  plain: not quoted.  Fails with what was expected. */
enum err_code scalar_read(
    const struct context *cx, const struct place *at, const struct field *f, const char *s, bool plain, void *p);
enum err_code fail_expected(const struct context *cx, const struct place *at, const struct field *f, const char *got);
/* The text of a scalar value in this form, without quotes and escapes; *ret_plain: a number, true or false. */
void scalar_write(enum record_form form, const struct field *f, const void *p, struct buf *out, bool *ret_plain);
void float_write(double v, struct buf *out); /* the shortest text that reads back as v */

/* ---- FIELD_JSON (json_tree.c) ---- */

/* ERR_OK: canonical JSON of anything but null, within RECORD_DEPTH_MAX and without duplicate keys; says what is wrong.
 */
enum err_code json_text_check(const char *text, size_t size, struct err *reterr);

/* ---- trees: JSON and YAML text between parsing and decoding; they live in a scratch arena ---- */

enum node_kind {
	NODE_NULL,
	NODE_PLAIN, /* number, true, false; in YAML any scalar without quotes */
	NODE_QUOTED,
	NODE_LIST,
	NODE_MAP,
};
struct node {
	enum node_kind kind;
	uint32_t line;
	uint32_t count;            /* children */
	const char *text;          /* scalars: NUL-ended, without NUL inside */
	const char *key;           /* when it is a value of a mapping */
	struct node *first, *next; /* children */
};
enum { NODE_DEPTH_MAX = 2 * RECORD_DEPTH_MAX }; /* records, and a FIELD_JSON within them */

/* Scratch for a text of that size; NULL: no memory. */
struct arena *scratch_new(size_t text_size);
enum err_code json_parse(
    const char *data, size_t size, unsigned depth_max, struct arena *scratch, struct node **ret, struct err *reterr);
enum err_code yaml_parse(
    const char *file, const char *data, size_t size, struct arena *scratch, struct node **ret, struct err *reterr);
/* Sorted keys, no white space, numbers in their shortest form. */
enum err_code node_to_json(
    const struct context *cx, const struct place *at, const struct node *n, struct arena *scratch, struct buf *out);
enum err_code tree_read_record(
    const struct context *cx, const struct place *at, const struct record_type *t, const struct node *n, void *record);
enum err_code tree_read_value(
    const struct context *cx, const struct place *at, const struct field *f, const struct node *n, void *p);
/* default_text into *p. */
enum err_code default_read(const struct context *cx, const struct place *at, const struct field *f, void *p);

void json_quote(struct buf *out, const char *s); /* with quotes */

#endif
