/* agent/cli/diff.c: kedge-agent snapshot diff: which names differ, and (--text) how. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/cli.h"
#include "agent/snapshot/snapshot.h"
#include "agent/snapshot/text_diff.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

CLEANUP_DEFINE(struct snapshot, snapshot_cleanup, snapshot_close)
CLEANUP_DEFINE(struct snapshot_reader, snapshot_reader_cleanup, snapshot_reader_free)

struct difference { /* as it is printed */
	uint32_t change, component;
	const char *path, *text;
	uint64_t changed_ms;
};
static const struct field difference_fields[] = {
    F_ENUM(struct difference, change, &change_kind_enum, FIELD_ALWAYS, "in which way"),
    F_ENUM(struct difference, component, &component_enum, FIELD_ALWAYS, "whose"),
    F_STRING(struct difference, path, 4 * PATH_LIMIT, FIELD_REQUIRED, "absolute; bytes that are no text as \\xNN"),
    F_TIME(struct difference, changed_ms, 0, "when it was changed, as far as its times tell"),
    F_STRING(struct difference, text, 4 * TEXT_DIFF_SIZE_MAX, 0, "unified diff of a text file"),
};
static const struct record_type difference_type = RECORD_TYPE("difference", struct difference, difference_fields,
    "One name that differs between two restore points, or one and the live tree.");

struct diffing {
	struct cli *c;
	struct snapshot_reader *first, *second; /* second NULL: the live tree */
	bool terminal, failed;
};

/* ---- contents ---- */

static enum err_code slurp(int fd, struct buf *out, struct err *reterr)
{
	for (;;) {
		uint8_t block[64 << 10];
		ssize_t n = pread(fd, block, sizeof block, (off_t)out->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "read");
		if (n == 0)
			return out->failed ? err_set(reterr, ERR_LIMIT, "larger than it was") : ERR_OK;
		buf_append(out, block, (size_t)n);
	}
}

static enum err_code stored_content(
    struct snapshot_reader *r, const struct snapshot_entry *e, struct buf *out, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("kedge-diff", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "memory for a file");
	enum err_code rc = snapshot_write_content(r, e, fd, reterr);
	return rc == ERR_OK ? slurp(fd, out, reterr) : rc;
}

static enum err_code live_content(const struct snapshot_entry *e, struct buf *out, struct err *reterr)
{
	char path[2 * PATH_LIMIT];
	struct stat st;
	if (!text_format(path, sizeof path, "%s%s%s", e->root_path, e->path[0] ? "/" : "", e->path))
		return err_set(reterr, ERR_LIMIT, "the path is too long");
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(reterr, errno, "open %s", path);
	return S_ISREG(st.st_mode) ? slurp(fd, out, reterr) : err_set(reterr, ERR_STATE, "no file any more");
}

static bool is_comparable(const struct snapshot_entry *e)
{
	return !e || (e->type == ENTRY_FILE && e->size <= TEXT_DIFF_SIZE_MAX);
}

/* What is in a file may be meant for the terminal: it gets to see it in words only. */
static void soften(const struct buf *raw, struct buf *out)
{
	for (size_t i = 0; i < raw->size; i++) {
		uint8_t ch = raw->data[i];
		if ((ch < 0x20 && ch != '\n' && ch != '\t') || ch == 0x7f)
			buf_printf(out, "\\x%02x", ch);
		else
			buf_append(out, &raw->data[i], 1);
	}
}

/* Appends nothing when the two are no texts.  Names as diff writes them: what is not there is /dev/null. */
static enum err_code unified(
    struct diffing *d, const struct snapshot_change *change, const char *path, struct buf *out, struct err *reterr)
{
	struct buf a = {.limit = TEXT_DIFF_SIZE_MAX}, b = {.limit = TEXT_DIFF_SIZE_MAX};
	enum err_code rc = ERR_OK;
	if (change->kind == CHANGE_METADATA || !is_comparable(change->before) || !is_comparable(change->after))
		return ERR_OK;
	if (change->before)
		rc = stored_content(d->first, change->before, &a, reterr);
	if (rc == ERR_OK && change->after)
		rc = d->second ? stored_content(d->second, change->after, &b, reterr)
			       : live_content(change->after, &b, reterr);
	if (rc == ERR_OK && text_diff_suits(a.data, a.size) && text_diff_suits(b.data, b.size))
		rc = text_diff(change->before ? path : "/dev/null", a.data, a.size, change->after ? path : "/dev/null",
		    b.data, b.size, out, reterr);
	buf_done(&a);
	buf_done(&b);
	return rc;
}

/* ---- one difference ---- */

static void print(struct diffing *d, const struct difference *x, const struct buf *raw)
{
	static const char letters[] = {
	    [CHANGE_ADDED] = '+', [CHANGE_REMOVED] = '-', [CHANGE_CONTENT] = '*', [CHANGE_METADATA] = 'm'};
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	if (d->c->format == CLI_JSON) { /* one a line: as long as the list may be */
		d->failed = record_to_json(&difference_type, x, 0, &out, &err) != ERR_OK || d->failed;
		buf_text(&out, "\n");
	} else if (d->c->format == CLI_YAML) {
		buf_text(&out, "---\n");
		d->failed = record_to_yaml(&difference_type, x, &out, &err) != ERR_OK || d->failed;
	} else {
		buf_printf(&out, "%c %-8s %s\n", letters[x->change], enum_name(&component_enum, x->component), x->path);
		if (d->terminal)
			soften(raw, &out);
		else
			buf_append(&out, raw->data, raw->size);
	}
	d->failed = out.failed || fwrite(out.data, 1, out.size, stdout) != out.size || d->failed;
	buf_done(&out);
}

static bool on_change(void *ctx, const struct snapshot_change *change)
{
	struct diffing *d = ctx;
	struct buf raw = BUF_INIT;
	struct err err = ERR_INIT;
	char shown[PATH_LIMIT * 4], path[PATH_LIMIT * 4 + PATH_LIMIT];
	snapshot_path_text(change->path, shown, sizeof shown);
	text_format(path, sizeof path, "%s%s%s", change->root_path, shown[0] ? "/" : "", shown);
	if (d->c->text && unified(d, change, path, &raw, &err) != ERR_OK) {
		fprintf(stderr, "kedge-agent: %s cannot be compared: %s\n", path, err.msg);
		d->failed = true;
	}
	struct difference x = {change->kind, change->component, path, NULL, change->changed_ms};
	if (raw.size && text_utf8_valid(raw.data, raw.size))
		x.text = buf_str(&raw);
	print(d, &x, &raw);
	buf_done(&raw);
	return !ferror(stdout);
}

/* ---- all of them ---- */

int cli_diff(struct cli *c, struct repo *repo)
{
	struct snapshot_summary a, b;
	CLEANUP(snapshot_cleanup) struct snapshot *first = NULL;
	CLEANUP(snapshot_cleanup) struct snapshot *second = NULL;
	CLEANUP(snapshot_reader_cleanup) struct snapshot_reader *first_reader = NULL;
	CLEANUP(snapshot_reader_cleanup) struct snapshot_reader *second_reader = NULL;
	struct diff_options o = {.components = c->components, .exact = c->exact};
	struct diff_result result;
	struct err err = ERR_INIT;
	if (c->argc != 1 && c->argc != 2)
		return fputs("usage: kedge-agent snapshot diff ID [ID] [--component C]… [--text] [--exact]\n", stderr),
		       EXIT_USAGE;
	if (cli_named(c, repo, c->argv[0], &a, &err) != ERR_OK ||
	    snapshot_open(repo, a.snapshot, &first, &err) != ERR_OK ||
	    snapshot_reader_new(first, &first_reader, &err) != ERR_OK)
		return cli_fail(&err);
	if (c->argc == 2 && (cli_named(c, repo, c->argv[1], &b, &err) != ERR_OK ||
				snapshot_open(repo, b.snapshot, &second, &err) != ERR_OK ||
				snapshot_reader_new(second, &second_reader, &err) != ERR_OK))
		return cli_fail(&err);
	struct diffing d = {.c = c, .first = first_reader, .second = second_reader, .terminal = isatty(STDOUT_FILENO)};
	enum err_code rc = second ? snapshot_diff(first, second, &o, on_change, &d, &result, &err)
				  : snapshot_diff_live(first, agent_config_service(c->config, a.service), &o, on_change,
					&d, &result, &err);
	return rc != ERR_OK ? cli_fail(&err) : d.failed ? EXIT_PARTLY : EXIT_DONE;
}
