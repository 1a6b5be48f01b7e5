/* shared/record/schema.c: docs/SCHEMA.md, written from the tables, and the list of all types behind it. */
#include <inttypes.h>
#include <string.h>

#include "shared/record/internal.h"
#include "shared/record/registry.h"

/* Text within a cell of a Markdown table. */
static void cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			buf_byte(out, '\\');
		buf_byte(out, *s == '\n' ? ' ' : (uint8_t)*s);
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
		buf_printf(out, "[%s](#words-of-%s)", f->enum_type->name, f->enum_type->name);
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

/* ---- all types ---- */

struct walk {
	const struct record_folder *folders;
	size_t folder_count, folder, type; /* the next one */
};

static const struct record_type *next_type(struct walk *w)
{
	while (w->folder < w->folder_count) {
		const struct record_type *t = w->folders[w->folder].types[w->type];
		if (t) {
			w->type++;
			return t;
		}
		w->folder++;
		w->type = 0;
	}
	return NULL;
}

const struct record_type *record_registry_find(const struct record_folder *folders, size_t count, const char *name)
{
	struct walk w = {.folders = folders, .folder_count = count};
	for (const struct record_type *t; (t = next_type(&w));)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

/* The first enum of that name. */
static const struct enum_type *find_enum(const struct record_folder *folders, size_t count, const char *name)
{
	struct walk w = {.folders = folders, .folder_count = count};
	for (const struct record_type *t; (t = next_type(&w));)
		for (uint32_t i = 0; i < t->field_count; i++) {
			const struct enum_type *e = t->fields[i].enum_type;
			if (e && strcmp(e->name, name) == 0)
				return e;
		}
	return NULL;
}

static enum err_code listed(
    const struct record_folder *folders, size_t count, const struct record_type *t, struct err *reterr)
{
	if (record_registry_find(folders, count, t->name) != t)
		return err_set(reterr, ERR_INVALID, "%s: two types have this name, or it stands there twice", t->name);
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		if (f->type && record_registry_find(folders, count, f->type->name) != f->type)
			return err_set(reterr, ERR_INVALID,
			    "%s.%s: its type %s is listed in no folder, or under another's name", t->name, f->name,
			    f->type->name);
		if (f->enum_type && find_enum(folders, count, f->enum_type->name) != f->enum_type)
			return err_set(reterr, ERR_INVALID, "%s.%s: two enums are called %s", t->name, f->name,
			    f->enum_type->name);
	}
	return ERR_OK;
}

enum err_code record_registry_check(const struct record_folder *folders, size_t count, struct err *reterr)
{
	struct walk w = {.folders = folders, .folder_count = count};
	enum err_code rc = ERR_OK;
	for (const struct record_type *t; rc == ERR_OK && (t = next_type(&w));) {
		rc = record_type_check(t, reterr);
		if (rc == ERR_OK)
			rc = listed(folders, count, t, reterr);
	}
	return rc;
}

static void enum_words(const struct enum_type *e, struct buf *out)
{
	const char *between = "";
	buf_printf(out, "### words of %s\n\n", e->name);
	for (uint32_t i = 0; i < e->count; i++)
		if (e->names[i]) {
			buf_printf(out, "%s`%s`", between, e->names[i]);
			between = ", ";
		}
	buf_text(out, "\n\n");
}

/* Whether the walk meets this enum before field index of t. */
static bool met_before(const struct record_folder *folders, size_t count, const struct record_type *t, uint32_t index)
{
	struct walk w = {.folders = folders, .folder_count = count};
	for (const struct record_type *u; (u = next_type(&w));) {
		for (uint32_t i = 0; i < (u == t ? index : u->field_count); i++)
			if (u->fields[i].enum_type == t->fields[index].enum_type)
				return true;
		if (u == t)
			return false;
	}
	return false;
}

static void all_enums(const struct record_folder *folders, size_t count, struct buf *out)
{
	struct walk w = {.folders = folders, .folder_count = count};
	buf_text(out, "## Words\n\n");
	for (const struct record_type *t; (t = next_type(&w));)
		for (uint32_t i = 0; i < t->field_count; i++)
			if (t->fields[i].enum_type && !met_before(folders, count, t, i))
				enum_words(t->fields[i].enum_type, out);
}

void record_registry_schema(const struct record_folder *folders, size_t count, struct buf *out)
{
	buf_text(out, "# Schema\n\nEvery record type of Kedge, printed from the tables in the code.  Names, limits and "
		      "words are the same on the "
		      "wire, in the store, in JSON and in YAML,\nexcept where a row says otherwise.\n\n");
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "## %s\n\n", folders[i].name);
		for (size_t k = 0; folders[i].types[k]; k++) {
			record_schema(folders[i].types[k], out);
			buf_byte(out, '\n');
		}
	}
	all_enums(folders, count, out);
}
