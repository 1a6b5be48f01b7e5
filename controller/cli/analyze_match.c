/* controller/cli/analyze_match.c: `kedge analyze match`: which past incident, or which document, is about this. */
#include "controller/cli/incident_file.h"
#include "controller/cli/json_lines.h"
#include "controller/cli/limits.h"
#include "controller/knowledge/search.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

CLEANUP_DEFINE(struct arena, cleanup_arena, arena_free)
CLEANUP_DEFINE(struct similar, cleanup_similar, similar_free)
CLEANUP_DEFINE(struct search, cleanup_search, search_free)

/* ---- output ---- */

static enum err_code tell(struct cli *c, struct buf *out, bool last)
{
	if (out->failed)
		return err_set(&c->err, ERR_NOMEM, "out of memory for the output");
	if (out->size >= CLI_OUTPUT_CHUNK || last) {
		cli_put(c, out);
		buf_clear(out);
	}
	return ERR_OK;
}

static void put_json_text(struct buf *out, const char *text)
{
	buf_text(out, "\"");
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		size_t n = text_utf8_length(p, strlen((const char *)p));
		if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else if (*p < ' ')
			buf_printf(out, "\\u%04x", *p);
		else if (n == 0)
			buf_text(out, "\xef\xbf\xbd");
		else
			buf_append(out, p, n);
		p += n ? n : 1;
	}
	buf_text(out, "\"");
}

/* ---- past incidents ---- */

static enum err_code answer_incident(struct cli *c, struct similar *s, uint32_t row, struct buf *out)
{
	struct similar_hit hits[CLI_MATCHES];
	size_t n;
	double confidence;
	enum err_code rc = similar_find(s, row, hits, CLI_MATCHES, &n, &confidence, &c->err);
	if (rc != ERR_OK)
		return rc;
	buf_text(out, "{\"id\":");
	put_json_text(out, similar_id(s, row));
	buf_text(out, ",\"rank\":[");
	for (size_t i = 0; i < n; i++) {
		const char *cause = similar_cause(s, hits[i].row);
		buf_text(out, i ? "," : "");
		put_json_text(out, cause ? cause : similar_id(s, hits[i].row));
	}
	buf_text(out, "],\"nearest\":[");
	for (size_t i = 0; i < n; i++) {
		buf_text(out, i ? "," : "");
		put_json_text(out, similar_id(s, hits[i].row));
	}
	buf_printf(out, "],\"conf\":%.4f}\n", confidence);
	return tell(c, out, false);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;
	return text_equal(a, b) ||
	       (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static int match_history(struct cli *c, const char *history, const char *queries)
{
	CLEANUP(cleanup_similar) struct similar *s = NULL;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	const char *labels = words_option(&c->w, "labels");
	bool same = same_file(history, queries);
	enum err_code rc = similar_new(&s, &c->err);
	if (rc == ERR_OK)
		rc = incident_file_read(c, history, labels, true, s);
	size_t from = 0;
	if (rc == ERR_OK && !same) {
		from = similar_count(s);
		rc = incident_file_read(c, queries, NULL, false, s);
	}
	if (rc == ERR_OK)
		rc = similar_ready(s, &c->err);
	for (size_t i = from; rc == ERR_OK && i < similar_count(s); i++)
		rc = answer_incident(c, s, (uint32_t)i, &out);
	if (rc == ERR_OK)
		rc = tell(c, &out, true);
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}

/* ---- documents ---- */

struct library {
	struct cli *c;
	struct search *search;
	const char *root;
	char **paths; /* below root, without ending */
	size_t count, room;
	struct buf out;
};

static bool is_document(const char *name)
{
	static const char *const endings[] = {".md", ".markdown", ".txt", ".rst", ".adoc", ".yaml", ".yml", ".html"};
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (text_ends(name, endings[i]))
			return true;
	return false;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static enum err_code add_path(struct library *l, const char *below)
{
	char path[PATH_LIMIT];
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 256;
		char **more = realloc(l->paths, room * sizeof *more);
		if (!more)
			return err_set(&l->c->err, ERR_NOMEM, "out of memory for %zu documents", room);
		l->paths = more;
		l->room = room;
	}
	if (!text_format(path, sizeof path, "%s/%s", l->root, below))
		return err_set(&l->c->err, ERR_LIMIT, "%s/%.200s: the path is too long", l->root, below);
	enum err_code rc = file_read(path, BUF_DEFAULT_LIMIT, &text, &l->c->err);
	const char *base = base_of(below), *dot = strrchr(base, '.');
	char *name = rc == ERR_OK ? strndup(below, dot && dot != base ? (size_t)(dot - below) : strlen(below)) : NULL;
	if (rc == ERR_OK && !name)
		rc = err_set(&l->c->err, ERR_NOMEM, "out of memory for a document's name");
	if (rc == ERR_OK)
		rc = search_add(l->search, base_of(name), buf_str(&text), text.size, &l->c->err);
	if (rc != ERR_OK) {
		free(name);
		return rc;
	}
	l->paths[l->count++] = name;
	return ERR_OK;
}

static int no_dots(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* Sorted, so that the same folder gives the same answers. */
static enum err_code add_folder(struct library *l, const char *below, unsigned depth)
{
	char path[PATH_LIMIT], inner[PATH_LIMIT];
	struct dirent **names = NULL;
	struct stat st;
	enum err_code rc = ERR_OK;
	if (!text_format(path, sizeof path, "%s%s%s", l->root, *below ? "/" : "", below))
		return err_set(&l->c->err, ERR_LIMIT, "%s/%.200s: the path is too long", l->root, below);
	int n = scandir(path, &names, no_dots, alphasort);
	if (n < 0)
		return err_set(&l->c->err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		bool fits = rc == ERR_OK &&
			    text_format(inner, sizeof inner, "%s%s%s", below, *below ? "/" : "", name) &&
			    text_format(path, sizeof path, "%s/%s", l->root, inner);
		if (fits && stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth < CLI_FOLDERS_DEEP)
				rc = add_folder(l, inner, depth + 1);
			else if (S_ISREG(st.st_mode) && is_document(name))
				rc = add_path(l, inner);
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

/* A document is called as its file is; by its whole path where two files are called alike. */
static const char *document_id(const struct library *l, size_t i)
{
	for (size_t k = 0; k < l->count; k++)
		if (k != i && text_equal(base_of(l->paths[k]), base_of(l->paths[i])))
			return l->paths[i];
	return base_of(l->paths[i]);
}

struct question {
	const char *id, *query;
};
static const struct field question_fields[] = {
    F_JSON(struct question, id, 4096, FIELD_REQUIRED, "what the answer calls it: text or a number"),
    F_STRING(struct question, query, 0, 0, "text of an alert"),
};
static const struct record_type question_type =
    RECORD_TYPE("question", struct question, question_fields, "A text to find documents for");

static enum err_code answer_question(void *ctx, const void *record, struct err *reterr)
{
	struct library *l = ctx;
	const struct question *q = record;
	const char *text = q->query ? q->query : "";
	struct search_hit hits[CLI_MATCHES];
	size_t n;
	double confidence;
	enum err_code rc = search_find(l->search, text, strlen(text), hits, CLI_MATCHES, &n, &confidence, reterr);
	if (rc != ERR_OK)
		return rc;
	buf_printf(&l->out, "{\"id\":%s,\"rank\":[", q->id);
	for (size_t i = 0; i < n; i++) {
		buf_text(&l->out, i ? "," : "");
		put_json_text(&l->out, document_id(l, hits[i].document));
	}
	buf_printf(&l->out, "],\"conf\":%.4f}\n", confidence);
	return tell(l->c, &l->out, false);
}

static int match_documents(struct cli *c, const char *folder, const char *queries)
{
	CLEANUP(cleanup_arena) struct arena *arena = arena_new(0);
	CLEANUP(cleanup_search) struct search *search = NULL;
	struct library l = {.c = c, .root = folder};
	enum err_code rc = arena ? search_new(&search, &c->err) : err_set(&c->err, ERR_NOMEM, "out of memory");
	l.search = search;
	if (rc == ERR_OK)
		rc = add_folder(&l, "", 0);
	if (rc == ERR_OK && l.count == 0)
		rc = err_set(
		    &c->err, ERR_NOT_FOUND, "%s holds no document (.md, .txt, .rst, .adoc, .yaml, .html)", folder);
	if (rc == ERR_OK) {
		search_ready(search);
		rc = json_lines_each(c, queries, &question_type, arena, false, answer_question, &l);
	}
	if (rc == ERR_OK)
		rc = tell(c, &l.out, true);
	for (size_t i = 0; i < l.count; i++)
		free(l.paths[i]);
	free(l.paths);
	buf_done(&l.out);
	return rc == ERR_OK ? CLI_DONE : cli_fail(c, rc);
}

int run_analyze_match(struct cli *c)
{
	const char *history = words_option(&c->w, "history"), *documents = words_option(&c->w, "documents");
	const char *queries = words_option(&c->w, "queries");
	if (!history == !documents)
		return cli_usage(c, "expected --history FILE or --documents FOLDER");
	return history ? match_history(c, history, queries) : match_documents(c, documents, queries);
}
