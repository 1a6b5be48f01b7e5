/* controller/cli/incident_file.c: files of past incidents. */
#include "controller/cli/incident_file.h"
#include "controller/cli/json_lines.h"
#include "controller/cli/limits.h"
#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/reader/reader.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

CLEANUP_DEFINE(struct reader, cleanup_reader, reader_close)
CLEANUP_DEFINE(struct arena, cleanup_arena, arena_free)

struct incident_file {
	struct cli *c;
	struct similar *s;
	bool past;
	char **names; /* of a matrix's columns */
	size_t name_count;
	bool has_id, is_matrix;
	uint64_t row;
	struct reader *labels; /* NULL: none */
};

static bool is_number(const char *text)
{
	double v;
	while (*text == ' ')
		text++;
	return text_f64(text, &v, NULL) == ERR_OK;
}

/* Cuts the line at its tabs; at most max pieces, the last takes what is left. */
static size_t split_tabs(char *line, char **pieces, size_t max)
{
	size_t n = 0;
	for (char *at = line; at && n < max; n++) {
		pieces[n] = at;
		char *tab = n + 1 < max ? strchr(at, '\t') : NULL;
		if (tab)
			*tab = 0;
		at = tab ? tab + 1 : NULL;
	}
	return n;
}

/* ---- causes beside the file ---- */

/* The file in the same folder with "label" in its name: the one whose name begins most like this one's, or the only one
 * there is. */
static bool find_labels(const char *path, char *ret, size_t size)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char folder[PATH_LIMIT];
	size_t best = 0, count = 0, root = strcspn(base, "_-.");
	bool fits = false;
	if (!text_format(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : "."))
		return false;
	DIR *d = opendir(*folder ? folder : "/");
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		size_t common = 0;
		if (!strcasestr(e->d_name, "label") || text_equal(e->d_name, base))
			continue;
		while (base[common] && base[common] == e->d_name[common])
			common++;
		if (count++ && common <= best)
			continue;
		best = common;
		fits = text_format(ret, size, "%s/%s", folder, e->d_name);
	}
	if (d)
		closedir(d);
	return fits && (best >= root || count == 1);
}

/* Sessions and JSON lines have their causes in them; those of a matrix are looked for. */
static enum err_code open_labels(struct incident_file *f, const char *path, const char *labels)
{
	char found[PATH_LIMIT];
	if (!labels && f->is_matrix && !text_equal(path, "-") && find_labels(path, found, sizeof found))
		labels = found;
	return f->past && labels ? reader_open(labels, &f->labels, &f->c->err) : ERR_OK;
}

static enum err_code next_label(struct incident_file *f, const char **ret)
{
	struct field_text line;
	bool end;
	*ret = NULL;
	if (!f->labels)
		return ERR_OK;
	enum err_code rc = reader_line(f->labels, &line, &end, &f->c->err);
	if (rc == ERR_OK && end)
		return err_set(&f->c->err, ERR_CORRUPT, "%s: ends before the incidents do, at row %llu",
		    reader_path(f->labels), (unsigned long long)f->row);
	if (rc == ERR_OK && line.size)
		*ret = line.text;
	return rc;
}

/* ---- one row ---- */

static enum err_code begin_row(struct incident_file *f, const char *id, const char *cause)
{
	char number[24], group[40];
	uint32_t row;
	bool own = id && *id;
	snprintf(number, sizeof number, "%llu", (unsigned long long)f->row);
	snprintf(group, sizeof group, "%s row %s", f->past ? "past" : "asked",
	    number); /* two files' rows are not the same */
	return similar_row(
	    f->s, own ? id : number, own ? NULL : group, f->past ? cause : NULL, f->past, &row, &f->c->err);
}

static enum err_code matrix_row(struct incident_file *f, char *line, char **pieces)
{
	size_t n = split_tabs(line, pieces, READER_FIELDS_MAX), first = f->has_id;
	const char *cause;
	if (n != f->name_count)
		return err_set(&f->c->err, ERR_CORRUPT, "row %llu has %zu columns, the first line names %zu",
		    (unsigned long long)f->row, n, f->name_count);
	enum err_code rc = next_label(f, &cause);
	if (rc == ERR_OK)
		rc = begin_row(f, f->has_id ? pieces[0] : NULL, cause);
	for (size_t i = first; rc == ERR_OK && i < n; i++) {
		double v;
		if (text_f64(pieces[i], &v, NULL) == ERR_OK)
			rc = similar_event(f->s, f->names[i], v, &f->c->err);
	}
	return rc;
}

/* Events in their order: each one, and each pair that follows each other. */
static enum err_code ordered_events(struct incident_file *f, char *events)
{
	char pair[CLI_EVENT_MAX * 2 + 2], before[CLI_EVENT_MAX] = "";
	enum err_code rc = ERR_OK;
	char *rest = NULL;
	for (char *e = strtok_r(events, " ,", &rest); e && rc == ERR_OK; e = strtok_r(NULL, " ,", &rest)) {
		rc = similar_event(f->s, e, 1, &f->c->err);
		if (rc == ERR_OK && *before && text_format(pair, sizeof pair, "%s>%s", before, e))
			rc = similar_event(f->s, pair, 1, &f->c->err);
		text_copy(before, sizeof before, e);
	}
	return rc;
}

static enum err_code session_row(struct incident_file *f, char *line)
{
	char *pieces[3];
	const char *cause;
	size_t n = split_tabs(line, pieces, 3);
	if (n < 2)
		return err_set(&f->c->err, ERR_CORRUPT, "row %llu: expected id, cause and events, divided by tabs",
		    (unsigned long long)f->row);
	enum err_code rc = next_label(f, &cause);
	if (rc == ERR_OK)
		rc = begin_row(f, pieces[0], n == 3 && !cause ? pieces[1] : cause);
	return rc == ERR_OK ? ordered_events(f, pieces[n - 1]) : rc;
}

/* ---- JSON lines ---- */

struct json_incident {
	const char *id, *cause, *class, *label;
	struct list events;
};
static const struct field json_incident_fields[] = {
    F_STRING(struct json_incident, id, 4096, FIELD_REQUIRED, "what it is called"),
    F_STRING(struct json_incident, cause, 4096, 0, "what it was"),
    F_STRING(struct json_incident, class, 4096, 0, "the same"),
    F_STRING(struct json_incident, label, 4096, 0, "the same"),
    F_STRINGS(struct json_incident, events, 1 << 20, 0, "what was seen, in its order"),
};
static const struct record_type json_incident_type =
    RECORD_TYPE("past_incident", struct json_incident, json_incident_fields, "A past incident in a file");

static enum err_code json_row(void *ctx, const void *record, struct err *reterr)
{
	struct incident_file *f = ctx;
	const struct json_incident *i = record;
	char pair[CLI_EVENT_MAX * 2 + 2];
	f->row++;
	enum err_code rc = begin_row(f, i->id, i->cause ? i->cause : i->class ? i->class : i->label);
	for (size_t k = 0; rc == ERR_OK && k < i->events.count; k++) {
		const char *e = LIST_AT(i->events, const char *, k);
		rc = similar_event(f->s, e, 1, reterr);
		if (rc == ERR_OK && k &&
		    text_format(pair, sizeof pair, "%s>%s", LIST_AT(i->events, const char *, k - 1), e))
			rc = similar_event(f->s, pair, 1, reterr);
	}
	return rc;
}

/* ---- the file ---- */

static bool all_numbers(char **pieces, size_t from, size_t n)
{
	for (size_t i = from; i < n; i++)
		if (*pieces[i] && !is_number(pieces[i]))
			return false;
	return true;
}

/* Two lines tell a matrix: names, then as many numbers (but for an id). */
static enum err_code take_head(struct incident_file *f, char *head, char *second, char **pieces)
{
	size_t n = split_tabs(head, pieces, READER_FIELDS_MAX);
	f->names = calloc(n + 1, sizeof *f->names);
	if (!f->names)
		return err_set(&f->c->err, ERR_NOMEM, "out of memory for columns");
	for (size_t i = 0; i < n; i++)
		if (!(f->names[f->name_count++] = strdup(pieces[i])))
			return err_set(&f->c->err, ERR_NOMEM, "out of memory for columns");
	bool names = n > 1 && !all_numbers(pieces, 0, n) && !is_number(pieces[n - 1]) && !strchr(pieces[n - 1], ' ');
	size_t m = split_tabs(second, pieces, READER_FIELDS_MAX);
	f->has_id = m && !is_number(pieces[0]);
	f->is_matrix = names && m == n && all_numbers(pieces, f->has_id, m);
	return ERR_OK;
}

static enum err_code take_line(struct incident_file *f, char *line, char **pieces)
{
	f->row++;
	return f->is_matrix ? matrix_row(f, line, pieces) : session_row(f, line);
}

static enum err_code copy_line(struct incident_file *f, struct reader *in, struct buf *out, bool *ret_end)
{
	struct field_text line;
	enum err_code rc = reader_line(in, &line, ret_end, &f->c->err);
	buf_clear(out);
	if (rc == ERR_OK && !*ret_end) {
		buf_append(out, line.text, strlen(line.text)); /* a NUL ends it */
		buf_byte(out, 0);
	}
	return rc == ERR_OK && out->failed ? err_set(&f->c->err, ERR_NOMEM, "out of memory for one line") : rc;
}

static enum err_code read_lines(struct incident_file *f, struct reader *in, const char *labels, char **pieces)
{
	CLEANUP(buf_done) struct buf head = BUF_INIT, line = BUF_INIT, copy = BUF_INIT;
	bool end, end_two = true;
	enum err_code rc = copy_line(f, in, &head, &end);
	if (rc != ERR_OK || end)
		return rc;
	if ((rc = copy_line(f, in, &line, &end_two)) != ERR_OK)
		return rc;
	buf_append(&copy, head.data, head.size);
	if (!end_two)
		buf_append(&copy, line.data, line.size);
	else
		buf_byte(&copy, 0);
	if (copy.failed)
		return err_set(&f->c->err, ERR_NOMEM, "out of memory for the first lines");
	rc = take_head(f, (char *)copy.data, (char *)copy.data + head.size, pieces);
	if (rc == ERR_OK)
		rc = open_labels(f, reader_path(in), labels);
	if (rc == ERR_OK && !f->is_matrix)
		rc = take_line(f, (char *)head.data, pieces);
	for (end = end_two; rc == ERR_OK && !end;) {
		if (line.size > 1)
			rc = take_line(f, (char *)line.data, pieces);
		if (rc == ERR_OK)
			rc = copy_line(f, in, &line, &end);
	}
	return rc;
}

static enum err_code read_text(struct incident_file *f, const char *path, const char *labels)
{
	CLEANUP(cleanup_reader) struct reader *in = NULL;
	char **pieces = calloc(READER_FIELDS_MAX, sizeof *pieces);
	enum err_code rc =
	    pieces ? reader_open(path, &in, &f->c->err) : err_set(&f->c->err, ERR_NOMEM, "out of memory for one line");
	if (rc == ERR_OK)
		rc = read_lines(f, in, labels, pieces);
	free(pieces);
	reader_close(f->labels);
	f->labels = NULL;
	if (rc == ERR_CORRUPT && in)
		rc = err_prefix(&f->c->err, rc, "%s", path);
	return rc;
}

enum err_code incident_file_read(struct cli *c, const char *path, const char *labels, bool past, struct similar *s)
{
	struct incident_file f = {.c = c, .s = s, .past = past};
	enum err_code rc;
	if (text_ends(path, ".jsonl") || text_ends(path, ".jsonl.gz")) {
		CLEANUP(cleanup_arena) struct arena *arena = arena_new(0);
		rc = arena ? json_lines_each(c, path, &json_incident_type, arena, false, json_row, &f)
			   : err_set(&c->err, ERR_NOMEM, "out of memory");
	} else {
		rc = read_text(&f, path, labels);
	}
	for (size_t i = 0; i < f.name_count; i++)
		free(f.names[i]);
	free(f.names);
	return rc;
}
