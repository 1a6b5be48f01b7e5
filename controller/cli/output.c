/* controller/cli/output.c: records as tables, sheets, JSON or YAML. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static int done(struct cli *c, enum err_code rc, const struct buf *out)
{
	if (rc == ERR_OK && out->failed)
		rc = err_set(&c->err, ERR_NOMEM, "out of memory for the output");
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	cli_put(c, out);
	return CLI_DONE;
}

static enum err_code encode(struct cli *c, const struct record_type *t, const void *record, struct buf *out)
{
	if (c->format == CLI_YAML)
		return record_to_yaml(t, record, out, &c->err);
	enum err_code rc = record_to_json(t, record, c->format == CLI_JSON ? RECORD_PRETTY : 0, out, &c->err);
	if (out->size && out->data[out->size - 1] != '\n')
		buf_text(out, "\n");
	return rc;
}

int out_record(struct cli *c, const struct record_type *t, const void *record)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc =
	    cli_for_people(c) ? record_sheet(t, record, &c->table, &out, &c->err) : encode(c, t, record, &out);
	return done(c, rc, &out);
}

/* {"items":[…]} with a record a line; JSON lines: the records alone; YAML: a document a record. */
static enum err_code encode_rows(struct cli *c, const struct rows *r, struct buf *out)
{
	enum err_code rc = ERR_OK;
	if (c->format == CLI_JSON)
		buf_text(out, "{\"items\":[");
	for (size_t i = 0; rc == ERR_OK && i < r->count; i++) {
		if (c->format == CLI_JSON)
			buf_text(out, i ? ",\n" : "\n");
		else if (c->format == CLI_YAML)
			buf_text(out, "---\n");
		rc = c->format == CLI_YAML ? record_to_yaml(r->type, r->items[i], out, &c->err)
					   : record_to_json(r->type, r->items[i], 0, out, &c->err);
		if (c->format == CLI_JSONL)
			buf_text(out, "\n");
	}
	if (c->format == CLI_JSON)
		buf_printf(out, "%s],\"more\":%s}\n", r->count ? "\n" : "", r->more ? "true" : "false");
	return rc;
}

int out_rows(struct cli *c, const struct rows *r)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = ERR_OK;
	if (!cli_for_people(c))
		rc = encode_rows(c, r, &out);
	else if (r->count)
		rc = record_table(r->type, r->items, r->count, &c->table, &out, &c->err);
	int code = done(c, rc, &out);
	if (code == CLI_DONE && cli_for_people(c) && !r->count)
		cli_say(c, "nothing to show\n");
	if (code == CLI_DONE && r->more)
		cli_say(c, "there are more: --limit N or --all shows them\n");
	return code;
}

/* ---- pages for people ---- */

void out_text(struct buf *out, const char *text)
{
	static const struct field field = {.name = "text", .kind = FIELD_STRING};
	if (text)
		record_field_text(&field, &text, out);
}

void out_field(struct buf *out, const struct record_type *t, const void *record, const char *field)
{
	record_field_text(record_field(t, field), record, out);
}

void out_heading(struct buf *out, const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	buf_text(out, c->table.colour ? "\n\033[1m" : "\n");
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_text(out, c->table.colour ? "\033[0m\n" : "\n");
}

void out_list(struct cli *c, struct buf *out, const struct record_type *t, const struct list *items,
    const char *const *columns, unsigned indent)
{
	struct table_options o = c->table;
	CLEANUP(buf_done) struct buf table = BUF_INIT;
	const void **rows = arena_array(c->arena, items->count, sizeof *rows);
	o.columns = columns;
	o.width = o.width > indent + CLI_WIDTH_LEAST ? o.width - indent : o.width;
	for (size_t i = 0; rows && i < items->count; i++)
		rows[i] = (const char *)items->items + i * t->size;
	if (!rows || record_table(t, rows, items->count, &o, &table, &c->err) != ERR_OK) {
		out->failed = true;
		return;
	}
	for (const char *line = buf_str(&table); *line;) {
		size_t n = strcspn(line, "\n");
		buf_printf(out, "%*s%.*s\n", (int)indent, "", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

struct list rows_list(struct cli *c, const struct rows *r)
{
	char *all = arena_array(c->arena, r->count, r->type->size);
	for (size_t i = 0; all && i < r->count; i++)
		memcpy(all + i * r->type->size, r->items[i], r->type->size);
	return (struct list){all, all ? r->count : 0};
}

int out_page(struct cli *c, struct buf *page, const struct record_type *t, const void *record)
{
	if (cli_for_people(c))
		return done(c, ERR_OK, page);
	return out_record(c, t, record);
}
