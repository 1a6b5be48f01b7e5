/* shared/record/schema.c: a type as a section of docs/SCHEMA.md. */
#include <inttypes.h>
#include <string.h>

#include "shared/record/internal.h"

/* Text within a cell of a Markdown table. */
static void cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			buf_byte(out, '\\');
		buf_byte(out, *s == '\n' ? ' ' : (uint8_t)*s);
	}
}

static void enum_text(const struct enum_type *e, struct buf *out)
{
	const char *between = ": ";
	buf_text(out, e->name);
	for (uint32_t i = 0; i < e->count; i++)
		if (e->names[i]) {
			buf_printf(out, "%s`%s`", between, e->names[i]);
			between = ", ";
		}
}

static void kind_text(const struct field *f, enum field_kind kind, struct buf *out)
{
	static const char *const names[FIELD_KIND_COUNT] = {[FIELD_BOOL] = "true or false",
	    [FIELD_U32] = "whole number",
	    [FIELD_U64] = "whole number",
	    [FIELD_I64] = "whole number with sign",
	    [FIELD_F64] = "number",
	    [FIELD_TIME] = "time",
	    [FIELD_DURATION] = "duration",
	    [FIELD_SIZE] = "size",
	    [FIELD_DIGEST] = "SHA-256 digest",
	    [FIELD_STRING] = "text",
	    [FIELD_BYTES] = "bytes",
	    [FIELD_JSON] = "any JSON value"};
	if (kind == FIELD_LIST) {
		buf_text(out, f->flags & FIELD_KEYED ? "mapping of " : "list of ");
		kind_text(f, f->elem_kind, out);
	} else if (kind == FIELD_ENUM) {
		enum_text(f->enum_type, out);
	} else if (kind == FIELD_ID) {
		buf_printf(out, "id `%s-…`", id_kind_prefix(f->id_kind));
	} else if (kind == FIELD_INLINE || kind == FIELD_RECORD) {
		buf_printf(out, "[%s](#%s)", f->type->name, f->type->name);
	} else {
		buf_text(out, names[kind]);
	}
}

static void number_text(const struct field *f, uint64_t v, struct buf *out)
{
	char text[TEXT_TIME_MAX];
	if (f->kind == FIELD_DURATION)
		buf_text(out, text_duration_human(v, text));
	else if (f->kind == FIELD_SIZE)
		buf_text(out, text_size_human(v, text));
	else
		buf_printf(out, "%" PRIu64, v);
}

static void limits_text(const struct field *f, struct buf *out)
{
	bool sized = f->kind == FIELD_STRING || f->kind == FIELD_BYTES || f->kind == FIELD_JSON;
	if (f->min && f->max) {
		number_text(f, f->min, out);
		buf_text(out, " to ");
		number_text(f, f->max, out);
	} else if (f->min || f->max) {
		buf_text(out, f->min ? "at least " : "at most ");
		number_text(f, f->min ? f->min : f->max, out);
	}
	if (f->min || f->max)
		buf_text(out, sized ? " bytes" : f->kind == FIELD_LIST ? " items" : "");
}

static void flags_text(const struct field *f, struct buf *out)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {{FIELD_REQUIRED, "required"}, {FIELD_KEY, "key"}, {FIELD_INDEXED, "indexed"},
	    {FIELD_SECRET, "secret"}, {FIELD_PHI, "may hold host text"}, {FIELD_SCALAR_OK, "or a lone value"}};
	const char *between = "";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (f->flags & words[i].flag) {
			buf_printf(out, "%s%s", between, words[i].word);
			between = ", ";
		}
}

static void schema_row(const struct field *f, struct buf *out)
{
	const char *json, *yaml;
	size_t json_size = form_name(FORM_JSON, f, &json), yaml_size = form_name(FORM_YAML, f, &yaml);
	buf_printf(out, "| `%s`", f->name);
	if (json_size != strlen(f->name))
		buf_printf(out, " (text: `%.*s`)", (int)json_size, json);
	else if (yaml_size != json_size)
		buf_printf(out, " (YAML: `%.*s`)", (int)yaml_size, yaml);
	buf_text(out, " | ");
	kind_text(f, f->kind, out);
	buf_text(out, " | ");
	limits_text(f, out);
	buf_text(out, " | ");
	flags_text(f, out);
	buf_text(out, " | ");
	if (f->default_text) {
		buf_byte(out, '`');
		cell(out, f->default_text);
		buf_byte(out, '`');
	}
	buf_text(out, " | ");
	cell(out, f->doc);
	buf_text(out, " |\n");
}

void record_schema(const struct record_type *t, struct buf *out)
{
	buf_printf(
	    out, "### %s\n\n%s%s.\n\n", t->name, t->doc, t->check ? "; further rules hold between its fields" : "");
	buf_text(out, "| field | kind | limits | | default | meaning |\n|---|---|---|---|---|---|\n");
	for (uint32_t i = 0; i < t->field_count; i++)
		schema_row(&t->fields[i], out);
}
