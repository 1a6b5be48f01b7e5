/* controller/cli/redact.c: `kedge redact`: text in, text without identifiers and secrets out. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "shared/reader/reader.h"
#include "shared/redact/redact.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)

struct redactor {
	struct cli *c;
	struct redact_options options;
	struct redact_stream stream;
	struct redact_span *spans; /* REDACT_SPANS_MAX, for --jsonl */
	struct arena *arena;       /* a document's */
	struct buf out;
};

/* ---- --jsonl ---- */

struct document {
	const char *id, *text;
};
static const struct field document_fields[] = {
    F_JSON(struct document, id, CLI_FILE_MAX, FIELD_REQUIRED, "whatever tells it from others"),
    F_STRING(struct document, text, READER_LINE_MAX, 0, "what is looked at"),
};
static const struct record_type document_type =
    RECORD_TYPE("document", struct document, document_fields, "One line of the input of `kedge redact --jsonl`.");

/* Spans are in code points there. */
static void append_spans(struct buf *out, const char *text, const struct redact_span *spans, size_t count)
{
	size_t at = 0, points = 0;
	for (size_t i = 0; i < count; i++) {
		size_t start;
		for (; at < spans[i].start; at++)
			points += ((unsigned char)text[at] & 0xc0) != 0x80;
		start = points;
		for (; at < spans[i].end; at++)
			points += ((unsigned char)text[at] & 0xc0) != 0x80;
		buf_printf(out, "%s{\"start\":%zu,\"end\":%zu,\"type\":\"%s\"}", i ? "," : "", start, points,
		    redact_type_name(spans[i].type));
	}
}

static enum err_code take_document(struct redactor *r, struct field_text line)
{
	struct document d;
	if (line.size == 0)
		return ERR_OK;
	arena_reset(r->arena);
	enum err_code rc = record_from_json(&document_type, line.text, line.size, 0, r->arena, &d, &r->c->err);
	if (rc != ERR_OK)
		return rc;
	const char *text = d.text ? d.text : "";
	size_t count = redact_find(&r->options, NULL, text, strlen(text), r->spans, REDACT_SPANS_MAX);
	buf_printf(&r->out, "{\"id\":%s,\"spans\":[", d.id);
	append_spans(&r->out, text, r->spans, count);
	buf_text(&r->out, "]}\n");
	return ERR_OK;
}

/* ---- reading ---- */

static enum err_code flush(struct redactor *r, size_t least)
{
	if (r->out.failed)
		return err_set(&r->c->err, ERR_NOMEM, "out of memory for the output");
	if (r->out.size >= least) {
		cli_put(r->c, &r->out);
		buf_clear(&r->out);
	}
	return ERR_OK;
}

static void take_text(struct redactor *r, struct field_text line)
{
	(void)redact_text(&r->options, &r->stream, line.text, line.size, &r->out);
	buf_byte(&r->out, '\n');
}

static enum err_code take_file(struct redactor *r, const char *path)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	enum err_code rc = reader_open(path, &in, &r->c->err);
	while (rc == ERR_OK) {
		struct field_text line;
		bool end;
		if ((rc = reader_line(in, &line, &end, &r->c->err)) != ERR_OK || end)
			break;
		if (!r->spans)
			take_text(r, line);
		else if ((rc = take_document(r, line)) != ERR_OK)
			return err_prefix(&r->c->err, rc, "%s, line %llu", reader_path(in),
			    (unsigned long long)reader_line_number(in));
		rc = flush(r, CLI_OUTPUT_CHUNK);
	}
	return rc == ERR_OK ? flush(r, 1) : rc;
}

int run_redact(struct cli *c)
{
	const char *mode = words_option(&c->w, "mode"), *path = c->w.word_count ? c->w.words[0] : "-";
	struct redactor r = {.c = c, .options = {.mode = REDACT_CLINICAL}};
	if (text_equal(mode, "log"))
		r.options.mode = REDACT_LOG;
	else if (mode && !text_equal(mode, "clinical"))
		return cli_usage(c, "--mode: expected clinical or log, got \"%.40s\"", mode);
	if (words_flag(&c->w, "jsonl")) {
		r.spans = malloc(REDACT_SPANS_MAX * sizeof *r.spans);
		r.arena = arena_new(2 * (size_t)READER_LINE_MAX);
		if (!r.spans || !r.arena) {
			free(r.spans);
			arena_free(r.arena);
			return cli_fail(c, err_set(&c->err, ERR_NOMEM, "out of memory for a document"));
		}
	}
	enum err_code rc = take_file(&r, path);
	free(r.spans);
	arena_free(r.arena);
	buf_done(&r.out);
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}
