/* shared/record/table.c: tables and sheets for people. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "shared/record/internal.h"

enum { GAP = 2 };

struct cell {
	const char *text;
	size_t size;
	unsigned width; /* in characters, each taken for one place wide */
};

struct table {
	const struct field *columns[RECORD_FIELDS_MAX];
	unsigned widths[RECORD_FIELDS_MAX];
	size_t column_count, row_count; /* rows with the head */
	struct cell *cells;
	struct arena *arena;
};

static unsigned characters(const char *s, size_t n)
{
	unsigned count = 0;
	for (size_t i = 0; i < n; i++)
		count += ((uint8_t)s[i] & 0xc0) != 0x80;
	return count;
}

/* Bytes of the first width characters. */
static size_t cut_at(const struct cell *c, unsigned width)
{
	size_t i = 0;
	for (unsigned seen = 0; i < c->size; i++)
		if (((uint8_t)c->text[i] & 0xc0) != 0x80 && seen++ == width)
			break;
	return i;
}

static const char *colour_of(const struct field *f, const char *word, size_t size)
{
	static const struct {
		const char *colour, *words[16];
	} all[] = {
	    {"\033[32m",
		{"healthy", "ok", "passed", "approved", "validated", "resolved", "done", "succeeded", "verified"}},
	    {"\033[33m", {"degraded", "warning", "medium", "reverted", "ok_with_exceptions", "skewed", "stale",
			     "pending", "mitigated"}},
	    {"\033[31m", {"down", "critical", "high", "failed", "failed_dirty", "refused", "rejected", "unreachable",
			     "expired", "error", "fatal", "barred", "revoked", "open"}},
	    {"\033[36m", {"unknown", "maintenance", "cancelled", "running"}},
	};
	if (f->kind != FIELD_ENUM)
		return NULL;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (size_t k = 0; k < 16 && all[i].words[k]; k++)
			if (strlen(all[i].words[k]) == size && strncasecmp(all[i].words[k], word, size) == 0)
				return all[i].colour;
	return NULL;
}

static bool to_the_right(const struct field *f)
{
	return f->kind == FIELD_U32 || f->kind == FIELD_U64 || f->kind == FIELD_I64 || f->kind == FIELD_F64 ||
	       f->kind == FIELD_SIZE;
}

static bool may_be_cut(const struct field *f)
{
	return f->kind == FIELD_STRING || f->kind == FIELD_JSON || f->kind == FIELD_LIST || f->kind == FIELD_RECORD ||
	       f->kind == FIELD_INLINE || f->kind == FIELD_DIGEST;
}

static enum err_code choose_columns(
    const struct record_type *t, const struct table_options *o, struct table *table, struct err *reterr)
{
	for (uint32_t i = 0; !o->columns && i < t->field_count; i++)
		if (t->fields[i].flags & (FIELD_COLUMN | (o->wide ? FIELD_WIDE : 0)))
			table->columns[table->column_count++] = &t->fields[i];
	for (size_t i = 0; o->columns && o->columns[i]; i++) {
		const struct context cx = {.form = FORM_YAML, .reterr = reterr};
		const struct place root = PLACE_ROOT;
		const struct field *f = record_field(t, o->columns[i]);
		if (!f) {
			enum err_code rc = fail_unknown(&cx, &root, t, o->columns[i]);
			return err_prefix(reterr, rc, "columns of %s", t->name);
		}
		if (table->column_count == RECORD_FIELDS_MAX)
			return err_set(reterr, ERR_LIMIT, "at most %d columns", RECORD_FIELDS_MAX);
		table->columns[table->column_count++] = f;
	}
	return ERR_OK;
}

static void head_text(const struct field *f, struct buf *out)
{
	const char *name;
	size_t n = form_name(FORM_YAML, f, &name);
	if (f->column)
		buf_text(out, f->column);
	else
		for (size_t i = 0; i < n; i++)
			buf_byte(out, (uint8_t)toupper((unsigned char)name[i]));
}

static bool keep_cell(struct table *t, size_t row, size_t column, const struct buf *text)
{
	struct cell *c = &t->cells[row * t->column_count + column];
	*c = (struct cell){arena_strdup(t->arena, buf_str(text)), text->size, characters(buf_str(text), text->size)};
	if (t->widths[column] < c->width)
		t->widths[column] = c->width;
	return c->text && !text->failed;
}

/* Row 0 is the head. */
static enum err_code fill(struct table *t, const void *const *records, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	bool kept = true;
	for (size_t row = 0; kept && row < t->row_count; row++)
		for (size_t i = 0; kept && i < t->column_count; i++) {
			buf_clear(&text);
			if (row == 0)
				head_text(t->columns[i], &text);
			else
				record_field_text(t->columns[i], records[row - 1], &text);
			kept = keep_cell(t, row, i, &text);
		}
	return kept ? ERR_OK : err_set(reterr, ERR_NOMEM, "no memory for a table of %zu rows", t->row_count);
}

/* Takes places from whichever text column is widest until all fits; what still does not is left to the terminal. */
static void fit(struct table *t, unsigned width)
{
	unsigned total = 0;
	for (size_t i = 0; i < t->column_count; i++)
		total += t->widths[i] + (i ? GAP : 0);
	for (; width && total > width; total--) {
		size_t widest = t->column_count;
		for (size_t i = 0; i < t->column_count; i++)
			if (may_be_cut(t->columns[i]) && t->widths[i] > RECORD_COLUMN_LEAST &&
			    (widest == t->column_count || t->widths[i] > t->widths[widest]))
				widest = i;
		if (widest == t->column_count)
			return;
		t->widths[widest]--;
	}
}

static void pad(struct buf *out, unsigned n)
{
	while (n-- > 0)
		buf_byte(out, ' ');
}

static void put_cell(const struct table *t, const struct cell *c, size_t column, const char *colour, struct buf *out)
{
	unsigned width = t->widths[column], shown = c->width < width ? c->width : width;
	bool right = to_the_right(t->columns[column]);
	if (right)
		pad(out, width - shown);
	if (colour)
		buf_text(out, colour);
	if (c->width > width) {
		buf_append(out, c->text, cut_at(c, width - 1));
		buf_text(out, "…");
	} else {
		buf_append(out, c->text, c->size);
	}
	if (colour)
		buf_text(out, "\033[0m");
	if (!right && column + 1 < t->column_count)
		pad(out, width - shown);
}

static void put_rows(const struct table *t, const struct table_options *o, unsigned indent, struct buf *out)
{
	for (size_t row = 0; row < t->row_count; row++) {
		pad(out, indent);
		for (size_t i = 0; i < t->column_count; i++) {
			const struct cell *c = &t->cells[row * t->column_count + i];
			const char *colour = o->colour && row ? colour_of(t->columns[i], c->text, c->size) : NULL;
			if (i > 0)
				pad(out, GAP);
			put_cell(t, c, i, colour, out);
		}
		buf_byte(out, '\n');
	}
}

static enum err_code put_table(const struct record_type *type, const void *const *records, size_t count,
    const struct table_options *o, unsigned indent, struct buf *out, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct table t = {.row_count = count + 1, .arena = arena};
	enum err_code rc = choose_columns(type, o, &t, reterr);
	if (rc != ERR_OK)
		return rc;
	if (t.column_count == 0)
		return err_set(reterr, ERR_INVALID, "%s has no columns", type->name);
	if (arena && count < SIZE_MAX / RECORD_FIELDS_MAX)
		t.cells = arena_array(arena, t.row_count * t.column_count, sizeof(struct cell));
	if (!t.cells)
		return err_set(reterr, ERR_NOMEM, "no memory for a table of %zu rows", count);
	rc = fill(&t, records, reterr);
	if (rc != ERR_OK)
		return rc;
	fit(&t, o->width > indent ? o->width - indent : o->width);
	put_rows(&t, o, indent, out);
	return out->failed ? err_set(reterr, ERR_NOMEM, "no room for a table of %zu rows", count) : ERR_OK;
}

enum err_code record_table(const struct record_type *t, const void *const *records, size_t count,
    const struct table_options *o, struct buf *out, struct err *reterr)
{
	return put_table(t, records, count, o, 0, out, reterr);
}

/* ---- sheets ---- */

static enum err_code put_sheet(const struct record_type *t, const void *record, const struct table_options *o,
    unsigned indent, struct buf *out, struct err *reterr);

/* A list of records below its name, as a table of their usual columns. */
static enum err_code put_list(const struct field *f, const struct list *list, const struct table_options *o,
    unsigned indent, struct buf *out, struct err *reterr)
{
	struct table_options inner = *o;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	const void **records = arena ? arena_array(arena, list->count, sizeof(void *)) : NULL;
	if (!records)
		return err_set(reterr, ERR_NOMEM, "no memory for a table of %zu rows", list->count);
	for (size_t i = 0; i < list->count; i++)
		records[i] = item_at(list, f->type->size, i);
	inner.columns = NULL;
	return put_table(f->type, records, list->count, &inner, indent, out, reterr);
}

static bool has_columns(const struct record_type *t)
{
	for (uint32_t i = 0; i < t->field_count; i++)
		if (t->fields[i].flags & FIELD_COLUMN)
			return true;
	return false;
}

static void put_line(const struct field *f, const void *record, const struct table_options *o, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	record_field_text(f, record, &text);
	const char *colour = o->colour ? colour_of(f, buf_str(&text), text.size) : NULL;
	if (colour)
		buf_text(out, colour);
	buf_append(out, text.data, text.size);
	if (colour)
		buf_text(out, "\033[0m");
	buf_byte(out, '\n');
	if (text.failed)
		out->failed = true;
}

static enum err_code put_field(const struct field *f, const void *record, const struct table_options *o,
    unsigned column, unsigned indent, struct buf *out, struct err *reterr)
{
	const void *p = value_in(f, record);
	const char *name;
	size_t n = form_name(FORM_YAML, f, &name);
	const void *inner = f->kind == FIELD_INLINE ? p : f->kind == FIELD_RECORD ? *(const void *const *)p : NULL;
	bool hidden = f->flags & FIELD_SECRET;
	bool table = f->kind == FIELD_LIST && f->elem_kind == FIELD_INLINE && ((const struct list *)p)->count &&
		     has_columns(f->type);
	pad(out, indent);
	buf_append(out, name, n);
	if (!hidden && inner && indent / GAP < RECORD_DEPTH_MAX) {
		buf_byte(out, '\n');
		return put_sheet(f->type, inner, o, indent + GAP, out, reterr);
	}
	if (!hidden && table) {
		buf_byte(out, '\n');
		return put_list(f, p, o, indent + GAP, out, reterr);
	}
	pad(out, column - (unsigned)n);
	put_line(f, record, o, out);
	return ERR_OK;
}

static enum err_code put_sheet(const struct record_type *t, const void *record, const struct table_options *o,
    unsigned indent, struct buf *out, struct err *reterr)
{
	unsigned column = 0;
	enum err_code rc = ERR_OK;
	uint64_t shown = 0;
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct field *f = &t->fields[i];
		const char *name;
		unsigned n = (unsigned)form_name(FORM_YAML, f, &name) + GAP;
		if (!(f->flags & FIELD_COLUMN) && !value_written(f, value_in(f, record)))
			continue;
		shown |= (uint64_t)1 << i;
		column = column < n ? n : column;
	}
	for (uint32_t i = 0; rc == ERR_OK && i < t->field_count; i++)
		if (shown >> i & 1)
			rc = put_field(&t->fields[i], record, o, column, indent, out, reterr);
	if (rc == ERR_OK && out->failed)
		return err_set(reterr, ERR_NOMEM, "no room for %s", t->name);
	return rc;
}

enum err_code record_sheet(
    const struct record_type *t, const void *record, const struct table_options *o, struct buf *out, struct err *reterr)
{
	return put_sheet(t, record, o, 0, out, reterr);
}
