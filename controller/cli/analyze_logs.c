/* controller/cli/analyze_logs.c: `kedge analyze logs`: the lines of a file, as the kinds that they are of. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "shared/mining/mining.h"
#include "shared/reader/reader.h"

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)

/* ---- what is printed ---- */

struct file_template {
	const char *id;
	uint64_t count;
	const char *template;
	uint64_t first_ms, last_ms;
	const char *level, *sample;
};
static const struct field file_template_fields[] = {
    F_STRING(struct file_template, id, 16, FIELD_REQUIRED | FIELD_COLUMN | FIELD_KEY, "hash of the template's text"),
    F_U64(struct file_template, count, 0, FIELD_ALWAYS | FIELD_COLUMN, "lines of this kind"),
    F_STRING(struct file_template, template, 4 * MINER_TEMPLATE_MAX, FIELD_ALWAYS | FIELD_COLUMN,
	"what they have in common; <*> stands for what varies"),
    F_TIME(struct file_template, first_ms, FIELD_COLUMN, "the earliest time among them, where lines say theirs"),
    F_TIME(struct file_template, last_ms, FIELD_COLUMN, "the latest one"),
    F_STRING(struct file_template, level, 16, FIELD_WIDE, "the gravest level that one of them bears or suggests"),
    F_STRING(struct file_template, sample, 4 * MINER_SAMPLE_MAX, FIELD_COLUMN, "the first of them"),
};
const struct record_type file_template_type = RECORD_TYPE("file_template", struct file_template, file_template_fields,
    "One kind of lines in a file, as `kedge analyze logs` tells it");

struct logs {
	struct cli *c;
	struct miner *miner;
	enum line_format format;
	bool bare, lines;
	uint64_t time_ms;   /* of the last line that had one: what follows without is of then, too */
	struct buf scratch; /* line_split()'s */
	struct buf out;     /* collected, then written */
	uint32_t *groups;   /* of the lines that were read and not told yet, for --lines */
	size_t group_count;
};

/* Texts of records are UTF-8; what is not becomes U+FFFD. */
static const char *valid_text(struct cli *c, const char *text)
{
	size_t left = strlen(text);
	if (text_utf8_valid(text, left))
		return arena_strdup(c->arena, text);
	char *copy = arena_alloc(c->arena, 3 * left + 1), *to = copy;
	for (const char *at = text; copy && left;) {
		size_t n = text_utf8_length(at, left), step = n ? n : 1;
		memcpy(to, n ? at : "\xef\xbf\xbd", n ? n : 3);
		to += n ? n : 3;
		at += step;
		left -= step;
	}
	return copy;
}

static enum err_code flush(struct logs *l, size_t least)
{
	if (l->out.failed)
		return err_set(&l->c->err, ERR_NOMEM, "out of memory for the output");
	if (l->out.size >= least) {
		cli_put(l->c, &l->out);
		buf_clear(&l->out);
	}
	return ERR_OK;
}

/* ---- --lines ---- */

static void append_printable(struct buf *out, const char *text)
{
	size_t start = out->size;
	buf_text(out, text);
	for (size_t i = start; i < out->size; i++)
		if (out->data[i] < ' ' || out->data[i] == 127)
			out->data[i] = '?';
}

/* Tells the lines that wait, by what their templates are called by now. */
static enum err_code tell_lines(struct logs *l)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < l->group_count && rc == ERR_OK; i++) {
		struct template_view v;
		if (miner_get(l->miner, l->groups[i], &v)) {
			buf_printf(&l->out, "%u\t", (unsigned)v.group);
			append_printable(&l->out, v.text);
		} else {
			buf_printf(&l->out, "%u\t", (unsigned)l->groups[i]); /* it gave way to others */
		}
		buf_byte(&l->out, '\n');
		rc = flush(l, CLI_OUTPUT_CHUNK);
	}
	l->group_count = 0;
	return rc;
}

static enum err_code note_line(struct logs *l, uint32_t group)
{
	if (!l->groups && !(l->groups = malloc(CLI_LINES_WAITING * sizeof *l->groups)))
		return err_set(&l->c->err, ERR_NOMEM, "out of memory for the lines' templates");
	l->groups[l->group_count++] = group;
	/* A full miner forgets templates: their lines are told before that. */
	bool full = miner_count(l->miner) == CLI_TEMPLATES_MAX;
	return full || l->group_count == CLI_LINES_WAITING ? tell_lines(l) : ERR_OK;
}

/* ---- reading ---- */

static enum err_code take_line(struct logs *l, const char *line, size_t size)
{
	struct line_parts p = {.message = {line, size}};
	struct mined mined;
	if (!l->bare)
		line_split(l->format, line, size, l->c->io->now_ms(l->c->io->ctx), &l->scratch, &p);
	if (p.time_ms)
		l->time_ms = p.time_ms;
	/* A row a line tells no level. */
	enum line_level level = p.level || l->lines ? p.level : line_guess_level(p.message.text, p.message.size);
	enum err_code rc = miner_add(l->miner, p.message.text, p.message.size, level, l->time_ms, &mined, &l->c->err);
	return rc == ERR_OK && l->lines ? note_line(l, mined.group) : rc;
}

/* Lines without a header of their own, though here and there a message looks as if it had one: what the first lines are
 * decides for all of them. */
static bool is_bare(struct logs *l, const char *text, const size_t *sizes, size_t count)
{
	size_t timed = 0, levelled = 0;
	for (size_t i = 0; i < count; text += sizes[i++]) {
		struct line_parts p;
		line_split(l->format, text, sizes[i], l->c->io->now_ms(l->c->io->ctx), &l->scratch, &p);
		timed += p.time_ms != 0 || p.format == LINE_FORMAT_JSON;
		levelled += p.level != LINE_NONE;
	}
	return timed * CLI_TIMED_SHARE < count && levelled * 2 < count;
}

static enum err_code take_first(struct logs *l, struct reader *in, bool *ret_end)
{
	size_t sizes[CLI_LINES_AHEAD], count = 0;
	CLEANUP(buf_done) struct buf ahead = BUF_INIT;
	struct field_text line;
	enum err_code rc = ERR_OK;
	*ret_end = false;
	while (count < CLI_LINES_AHEAD && ahead.size < CLI_BYTES_AHEAD) {
		if ((rc = reader_line(in, &line, ret_end, &l->c->err)) != ERR_OK || *ret_end)
			break;
		buf_append(&ahead, line.text, line.size);
		sizes[count++] = line.size;
	}
	if (ahead.failed)
		return err_set(&l->c->err, ERR_NOMEM, "out of memory for the first lines");
	if (rc != ERR_OK)
		return rc;
	const char *text = buf_str(&ahead);
	l->bare = l->format == LINE_FORMAT_AUTO && is_bare(l, text, sizes, count);
	for (size_t i = 0; i < count && rc == ERR_OK; text += sizes[i++])
		rc = take_line(l, text, sizes[i]);
	return rc;
}

static enum err_code take_file(struct logs *l, const char *path)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	struct field_text line;
	bool end = false;
	enum err_code rc = reader_open(path, &in, &l->c->err);
	if (rc == ERR_OK)
		rc = take_first(l, in, &end);
	while (rc == ERR_OK && !end)
		if ((rc = reader_line(in, &line, &end, &l->c->err)) == ERR_OK && !end)
			rc = take_line(l, line.text, line.size);
	return rc;
}

/* ---- a row a template ---- */

struct found {
	uint32_t *groups;
	size_t count;
};
static bool collect(void *ctx, const struct template_view *v)
{
	struct found *f = ctx;
	f->groups[f->count++] = v->group;
	return true;
}
static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void row_of(struct logs *l, uint32_t group, struct file_template *ret)
{
	struct template_view v;
	if (!miner_get(l->miner, group, &v))
		return;
	*ret = (struct file_template){.id = arena_printf(l->c->arena, "%016llx", (unsigned long long)v.template_id),
	    .count = v.count,
	    .template = valid_text(l->c, v.text),
	    .first_ms = v.first_ms,
	    .last_ms = v.last_ms,
	    .level = v.level == LINE_NONE ? NULL : line_level_name(v.level),
	    .sample = valid_text(l->c, v.sample)};
}

static int tell_templates(struct logs *l)
{
	struct cli *c = l->c;
	size_t count = miner_count(l->miner);
	struct found f = {.groups = arena_array(c->arena, count ? count : 1, sizeof *f.groups)};
	struct file_template *all = arena_array(c->arena, count ? count : 1, sizeof *all);
	const void **items = arena_array(c->arena, count ? count : 1, sizeof *items);
	if (!f.groups || !all || !items)
		return cli_fail(c, err_set(&c->err, ERR_NOMEM, "out of memory for %zu templates", count));
	miner_take(l->miner, collect, &f);
	qsort(f.groups, f.count, sizeof *f.groups, by_number); /* in order of first sight */
	for (size_t i = 0; i < f.count; i++) {
		row_of(l, f.groups[i], &all[i]);
		items[i] = &all[i];
	}
	return out_rows(c, &(struct rows){&file_template_type, items, f.count, false});
}

/* ---- the command ---- */

static bool format_of(const char *word, enum line_format *ret)
{
	static const char *const names[] = {[LINE_FORMAT_AUTO] = "auto",
	    [LINE_FORMAT_PLAIN] = "plain",
	    [LINE_FORMAT_SYSLOG] = "syslog",
	    [LINE_FORMAT_JSON] = "json"};
	for (unsigned i = 0; i < LINE_FORMAT_COUNT; i++)
		if (!word || text_equal(word, names[i])) {
			*ret = (enum line_format)i;
			return true;
		}
	return false;
}

int run_analyze_logs(struct cli *c)
{
	const struct miner_options o = {.templates = CLI_TEMPLATES_MAX};
	const char *format = words_option(&c->w, "format");
	struct logs l = {.c = c, .lines = words_flag(&c->w, "lines")};
	int code = CLI_DONE;
	if (!format_of(format, &l.format))
		return cli_usage(c, "--format: expected auto, plain, syslog or json, got \"%.40s\"", format);
	enum err_code rc = miner_new(&o, &l.miner, &c->err);
	if (rc == ERR_OK)
		rc = take_file(&l, c->w.words[0]);
	if (rc == ERR_OK && l.lines && (rc = tell_lines(&l)) == ERR_OK)
		rc = flush(&l, 1);
	if (rc == ERR_INVALID)
		rc = c->err.code = ERR_CORRUPT; /* the file, not the words of the command */
	if (rc != ERR_OK)
		code = cli_fail(c, rc);
	else if (!l.lines)
		code = tell_templates(&l);
	miner_free(l.miner);
	buf_done(&l.scratch);
	buf_done(&l.out);
	free(l.groups);
	return code;
}
