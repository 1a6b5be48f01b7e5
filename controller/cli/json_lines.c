/* controller/cli/json_lines.c: files with one JSON object a line. */
#include "controller/cli/json_lines.h"

#include "shared/base/cleanup.h"
#include "shared/reader/reader.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)

static enum err_code one_line(struct cli *c, struct reader *in, const struct field_text *line,
    const struct record_type *type, struct arena *arena, json_line_fn fn, void *ctx)
{
	void *record = arena_alloc(arena, type->size);
	enum err_code rc = record ? record_from_json(type, line->text, line->size, 0, arena, record, &c->err)
				  : err_set(&c->err, ERR_NOMEM, "out of memory for one line");
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	if (rc == ERR_OK)
		rc = fn(ctx, record, &c->err);
	return rc == ERR_OK
		   ? rc
		   : err_prefix(&c->err, rc, "%s:%llu", reader_path(in), (unsigned long long)reader_line_number(in));
}

enum err_code json_lines_each(struct cli *c, const char *path, const struct record_type *type, struct arena *arena,
    bool keep, json_line_fn fn, void *ctx)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	struct field_text line;
	bool end = false;
	enum err_code rc = reader_open(path, &in, &c->err);
	while (rc == ERR_OK && (rc = reader_line(in, &line, &end, &c->err)) == ERR_OK && !end) {
		if (line.size == 0)
			continue;
		rc = one_line(c, in, &line, type, arena, fn, ctx);
		if (!keep)
			arena_reset(arena);
	}
	return rc;
}
