#include "agent/offhost/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/bucket/limits.h"
#include "agent/offhost/limits.h"
#include "shared/base/file.h"
#include "shared/base/map.h"
#include "shared/base/text.h"

enum { LEDGER_VERSION = 1, LINE_SLACK = 256, ARENA_LIMIT = 1 << 30 };

struct ledger {
	int fd;
	struct arena *arena; /* of everything that was ever put in this run */
	struct ledger_head head;
	struct map *by_name; /* name -> struct copied */
};

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	map_free(l->by_name);
	arena_free(l->arena);
	free(l);
}

static enum err_code alloc(struct ledger **ret, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = calloc(1, sizeof *l);
	if (!l)
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	l->fd = -1;
	l->arena = arena_new(ARENA_LIMIT);
	l->by_name = map_new();
	if (!l->arena || !l->by_name)
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	*ret = TAKE_PTR(l);
	return ERR_OK;
}

static enum err_code keep(struct ledger *l, const struct copied *c, struct err *reterr)
{
	struct copied *mine = map_get(l->by_name, c->name, strlen(c->name));
	if (!mine && map_count(l->by_name) >= OFFHOST_ENTRIES_MAX)
		return err_set(reterr, ERR_LIMIT, "a copy has at most %d objects", OFFHOST_ENTRIES_MAX);
	if (mine) {
		*mine = *c;
		return ERR_OK;
	}
	mine = arena_dup(l->arena, c, sizeof *c);
	if (!mine || !map_put(l->by_name, c->name, strlen(c->name), mine))
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	return ERR_OK;
}

/* ---- reading ---- */

static enum err_code take_line(struct ledger *l, bool first, const char *line, size_t size, struct err *reterr)
{
	struct copied c;
	if (first) {
		enum err_code rc = record_from_json(&ledger_head_type, line, size, 0, l->arena, &l->head, reterr);
		return rc || l->head.version == LEDGER_VERSION
			   ? rc
			   : err_set(reterr, ERR_UNSUPPORTED, "its version %u is not known here", l->head.version);
	}
	enum err_code rc = record_from_json(&copied_type, line, size, 0, l->arena, &c, reterr);
	return rc ? rc : keep(l, &c, reterr);
}

/* *ret_good: the bytes of whole lines. */
static enum err_code take_lines(
    struct ledger *l, const struct buf *text, size_t *ret_good, size_t *ret_lines, struct err *reterr)
{
	const char *at = (const char *)text->data, *end = at + text->size;
	size_t lines = 0;
	for (const char *stop; at < end && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1, lines++) {
		enum err_code rc = take_line(l, lines == 0, at, (size_t)(stop - at), reterr);
		if (rc)
			return err_prefix(reterr, rc == ERR_NOMEM ? rc : ERR_CORRUPT, "line %zu", lines + 1);
	}
	if (lines == 0)
		return err_set(reterr, ERR_CORRUPT, "it has no beginning");
	*ret_good = text->size - (size_t)(end - at);
	*ret_lines = lines;
	return ERR_OK;
}

static enum err_code add_line(const struct record_type *t, const void *record, struct buf *out, struct err *reterr)
{
	enum err_code rc = record_to_json(t, record, 0, out, reterr);
	buf_text(out, "\n");
	return rc == ERR_OK && out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for the ledger") : rc;
}

/* What is current, alone. */
static enum err_code write_anew(const struct ledger *l, const char *path, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = OFFHOST_LEDGER_MAX};
	const struct copied *c;
	enum err_code rc = add_line(&ledger_head_type, &l->head, &text, reterr);
	for (size_t at = 0; !rc && (c = ledger_next(l, &at));)
		rc = add_line(&copied_type, c, &text, reterr);
	return rc ? rc : file_replace(path, text.data, text.size, 0600, reterr);
}

static enum err_code open_end(struct ledger *l, const char *path, off_t size, struct err *reterr)
{
	l->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (l->fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	return size < 0 || ftruncate(l->fd, size) == 0 ? ERR_OK : err_sys(reterr, errno, "cut %s", path);
}

enum err_code ledger_open(const char *path, bool change, struct ledger **ret, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = NULL;
	CLEANUP(buf_done) struct buf text = {.limit = OFFHOST_LEDGER_MAX};
	size_t good = 0, lines = 0;
	enum err_code rc = file_read(path, OFFHOST_LEDGER_MAX, &text, reterr);
	if (!rc)
		rc = alloc(&l, reterr);
	if (!rc && (rc = take_lines(l, &text, &good, &lines, reterr)))
		rc = err_prefix(reterr, rc, "%s", path);
	if (rc)
		return rc;
	bool old = lines > 2 * map_count(l->by_name) + LINE_SLACK;
	if (change && old)
		rc = write_anew(l, path, reterr);
	if (!rc && change)
		rc = open_end(l, path, old ? -1 : (off_t)good, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(l);
	return ERR_OK;
}

enum err_code ledger_create(const char *path, const struct ledger_head *head, struct ledger **ret, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = NULL;
	struct ledger_head mine = *head;
	mine.version = LEDGER_VERSION;
	enum err_code rc = alloc(&l, reterr);
	if (!rc)
		rc = record_copy(&ledger_head_type, &mine, l->arena, &l->head, reterr);
	if (!rc)
		rc = write_anew(l, path, reterr);
	if (!rc)
		rc = open_end(l, path, -1, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(l);
	return ERR_OK;
}

/* ---- asking and telling ---- */

const struct ledger_head *ledger_about(const struct ledger *l)
{
	return &l->head;
}
const struct copied *ledger_find(const struct ledger *l, const char *name)
{
	return map_get(l->by_name, name, strlen(name));
}
size_t ledger_count(const struct ledger *l)
{
	return map_count(l->by_name);
}

const struct copied *ledger_next(const struct ledger *l, size_t *at)
{
	const void *key;
	size_t size;
	void *value;
	return map_next(l->by_name, at, &key, &size, &value) ? value : NULL;
}

enum err_code ledger_put_all(struct ledger *l, const struct copied *all, size_t count, struct err *reterr)
{
	CLEANUP(buf_done) struct buf lines = {.limit = OFFHOST_LEDGER_MAX};
	struct copied *mine = arena_array(l->arena, count + 1, sizeof *mine);
	enum err_code rc = mine ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	for (size_t i = 0; i < count && !rc; i++) {
		rc = record_copy(&copied_type, &all[i], l->arena, &mine[i], reterr);
		if (!rc)
			rc = add_line(&copied_type, &mine[i], &lines, reterr);
	}
	if (!rc)
		rc = file_write_all(l->fd, lines.data, lines.size, reterr);
	if (!rc && fdatasync(l->fd) != 0)
		rc = err_sys(reterr, errno, "sync the ledger of copies");
	for (size_t i = 0; i < count && !rc; i++)
		rc = keep(l, &mine[i], reterr);
	return rc;
}

enum err_code ledger_put(struct ledger *l, const struct copied *c, struct err *reterr)
{
	return ledger_put_all(l, c, 1, reterr);
}

enum err_code ledger_forget(
    struct ledger *l, const char *path, bool (*drop)(void *ctx, const struct copied *c), void *ctx, struct err *reterr)
{
	const void *key;
	size_t size;
	void *value;
	for (size_t at = 0; map_next(l->by_name, &at, &key, &size, &value);)
		if (drop(ctx, value))
			(void)map_remove(l->by_name, key, size);
	enum err_code rc = write_anew(l, path, reterr);
	if (rc)
		return rc;
	close(l->fd);
	l->fd = -1;
	return open_end(l, path, -1, reterr);
}

enum err_code ledger_rename(struct ledger *l, const char *from, const char *to, struct err *reterr)
{
	char folder[PATH_LIMIT];
	(void)l;
	text_copy(folder, sizeof folder, to);
	char *slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return err_set(reterr, ERR_INVALID, "%s: expected a path below a folder", to);
	*slash = '\0';
	if (rename(from, to) != 0)
		return err_sys(reterr, errno, "rename %s", from);
	return file_sync_dir(folder, reterr);
}
