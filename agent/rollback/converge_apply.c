/* Converging, the act: renames and removals, metadata, folders' times, then durable; and the look afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static enum err_code failed(const struct change *ch, int code, const char *what, struct err *reterr)
{
	char shown[PATH_LIMIT];
	return err_sys(reterr, code, "%.400s cannot be %s", site_text(ch->site, ch->path, shown), what);
}

/* ---- what goes ---- */

static bool is_folder(int dirfd, const char *name)
{
	struct stat st;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Into the staging folder, which goes as a whole while other work goes on.  False: it is where it was.  Not a
 * database's: where there is no room for two the first must go at once. */
static bool put_aside(struct converge *c, struct change *ch, int dirfd, const char *name)
{
	char staged[STAGED_NAME];
	int aside = ch->site->stage_fd;
	if (aside < 0 || c->spec.database)
		return false;
	converge_staged_name(c->last_staged + 1, staged);
	if (renameat2(dirfd, name, aside, staged, RENAME_NOREPLACE) != 0)
		return false;
	if (is_folder(aside, staged)) { /* which came only now */
		(void)!renameat2(aside, staged, dirfd, name, RENAME_NOREPLACE);
		return false;
	}
	ch->staged = ++c->last_staged;
	return true;
}

/* What is staged for what is there, likewise. */
static bool exchange(const struct converge *c, const struct change *ch, int dirfd, const char *name)
{
	char staged[STAGED_NAME];
	int aside = ch->site->stage_fd;
	if (ch->kind != CHANGE_CONTENT || ch->directory || c->spec.database)
		return false;
	converge_staged_name(ch->staged, staged);
	if (renameat2(aside, staged, dirfd, name, RENAME_EXCHANGE) != 0)
		return false; /* nothing is there, or this file system does not know how */
	if (!is_folder(aside, staged))
		return true;
	(void)!renameat2(aside, staged, dirfd, name, RENAME_EXCHANGE);
	return false;
}

/* Not below it: what is in a folder is a change of its own, and what is not told stays, and the folder with it. */
static enum err_code remove_added(
    struct converge *c, struct change *ch, int dirfd, const char *name, struct err *reterr)
{
	if (ch->site->absent) {
		c->counts.removed++;
		return remove_below(dirfd, name, reterr);
	}
	if ((!ch->was_directory && put_aside(c, ch, dirfd, name)) ||
	    unlinkat(dirfd, name, ch->was_directory ? AT_REMOVEDIR : 0) == 0)
		c->counts.removed++;
	else if (ch->was_directory && (errno == ENOTEMPTY || errno == EEXIST))
		c->counts.left++;
	else if (errno != ENOENT)
		return failed(ch, errno, "removed", reterr);
	return ERR_OK;
}

/* Whatever stands where something of another type belongs.  A folder must be empty by now. */
static enum err_code clear_way(
    const struct change *ch, int dirfd, const char *name, bool want_directory, struct err *reterr)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_OK : failed(ch, errno, "looked at", reterr);
	if (S_ISDIR(st.st_mode) == want_directory)
		return ERR_OK; /* renaming replaces it */
	if (unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
		return ERR_OK;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return failed(ch, errno, "replaced: it holds what may not be touched, or what came only now", reterr);
	return failed(ch, errno, "removed", reterr);
}

/* ---- what comes ---- */

static enum err_code put_whole(
    struct converge *c, const struct change *ch, int dirfd, const char *name, struct err *reterr)
{
	char staged[STAGED_NAME];
	enum err_code rc = clear_way(ch, dirfd, name, ch->directory, reterr);
	if (rc != ERR_OK)
		return rc;
	converge_staged_name(ch->staged, staged);
	if (ch->directory ? mkdirat(dirfd, name, 0700) != 0 && errno != EEXIST
			  : !exchange(c, ch, dirfd, name) && renameat(ch->site->stage_fd, staged, dirfd, name) != 0)
		return failed(ch, errno, ch->directory ? "made" : "put in place", reterr);
	c->counts.made += ch->kind == CHANGE_REMOVED;
	c->counts.replaced += ch->kind == CHANGE_CONTENT;
	return ERR_OK;
}

/* What only its part was staged of, whole. */
static enum err_code stage_whole(struct converge *c, struct change *ch, struct err *reterr)
{
	struct snapshot_reader *reader = NULL;
	enum err_code rc = snapshot_reader_new(c->spec.snapshot, &reader, reterr);
	if (rc == ERR_OK)
		rc = converge_stage_one(c, reader, ch, reterr);
	snapshot_reader_free(reader);
	return rc;
}

static enum err_code put(struct converge *c, struct change *ch, int dirfd, const char *name, struct err *reterr)
{
	bool done = false;
	if (!ch->ranges.size)
		return put_whole(c, ch, dirfd, name, reterr);
	enum err_code rc = converge_patch(c, ch, dirfd, name, &done, reterr);
	if (rc != ERR_OK || done)
		return rc;
	rc = stage_whole(c, ch, reterr);
	return rc == ERR_OK ? put_whole(c, ch, dirfd, name, reterr) : rc;
}

static enum err_code set_metadata(
    struct converge *c, const struct change *ch, int dirfd, const char *name, struct err *reterr)
{
	struct snapshot_entry e;
	char shown[PATH_LIMIT];
	if (!change_entry(c, ch, &e))
		return err_set(reterr, ERR_CORRUPT, "%.400s is not in the restore point any more",
		    site_text(ch->site, ch->path, shown));
	c->counts.metadata++;
	return snapshot_set_metadata(&e, dirfd, name, reterr);
}

static enum err_code apply_one(struct converge *c, struct change *ch, struct err *reterr)
{
	const char *name;
	int dirfd;
	bool removal = ch->kind == CHANGE_ADDED;
	enum err_code rc = site_open_folder(ch->site, ch->path, !removal, &dirfd, &name, reterr);
	if (rc == ERR_NOT_FOUND && removal)
		return ERR_OK; /* somebody was quicker */
	if (rc != ERR_OK)
		return rc;
	if (removal)
		return remove_added(c, ch, dirfd, name, reterr);
	return ch->kind == CHANGE_METADATA ? set_metadata(c, ch, dirfd, name, reterr) : put(c, ch, dirfd, name, reterr);
}

/* ---- what comes last ---- */

static struct change *last_of(const struct converge *c)
{
	for (size_t i = 0; i < c->changes.count; i++)
		if (c->changes.items[i].last)
			return &c->changes.items[i];
	return NULL;
}

static enum err_code take_out(struct change *ch, struct err *reterr)
{
	const char *name;
	int dirfd;
	enum err_code rc = ch ? site_open_folder(ch->site, ch->path, false, &dirfd, &name, reterr) : ERR_OK;
	if (!ch || rc == ERR_NOT_FOUND)
		return ERR_OK;
	if (rc == ERR_OK && ((unlinkat(dirfd, name, 0) != 0 && errno != ENOENT) || fsync(dirfd) != 0))
		rc = failed(ch, errno, "taken out", reterr);
	return rc;
}

/* Everything else is durable before it is there. */
static enum err_code put_last(struct converge *c, struct change *ch, struct err *reterr)
{
	const char *name;
	int dirfd;
	enum err_code rc =
	    c->spec.database->before_last ? c->spec.database->before_last(c->spec.database->ctx, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = converge_sync_begin(c, false, reterr);
	if (rc == ERR_OK)
		rc = converge_wait(c, reterr);
	if (rc == ERR_OK)
		rc = site_open_folder(ch->site, ch->path, true, &dirfd, &name, reterr);
	return rc == ERR_OK ? put(c, ch, dirfd, name, reterr) : rc;
}

/* What was added goes first, for it may stand in the way, the deepest before what it lies in. */
static enum err_code apply_all(struct converge *c, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = c->changes.count; rc == ERR_OK && i-- > 0;)
		if (c->changes.items[i].kind == CHANGE_ADDED)
			rc = apply_one(c, &c->changes.items[i], reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->changes.count; i++)
		if (c->changes.items[i].kind != CHANGE_ADDED && !c->changes.items[i].last)
			rc = apply_one(c, &c->changes.items[i], reterr);
	return rc;
}

/* ---- folders ---- */

struct folder {
	struct site *site;
	char *path;
};

static int deepest_first(const void *a, const void *b)
{
	const struct folder *x = a, *y = b;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return strcmp(y->path, x->path); /* "a/b" before "a" */
}

static bool add_folder(struct folder *all, size_t *count, struct site *p, const char *path, size_t size)
{
	char *copy = strndup(path, size);
	if (!copy)
		return false;
	all[(*count)++] = (struct folder){p, copy};
	return true;
}

/* Every folder that was made or in which something was made or removed. */
static bool list_folders(const struct converge *c, struct folder *all, size_t *count)
{
	for (size_t i = 0; i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		const char *slash = strrchr(ch->path, '/');
		if (ch->site->absent)
			continue;
		/* Folders of a database are those of its data directory. */
		struct site *site = ch->site->over ? &c->sites[ch->site->over - c->sites] : ch->site;
		if (*ch->path && !add_folder(all, count, site, ch->path, slash ? (size_t)(slash - ch->path) : 0))
			return false;
		if (ch->directory && !add_folder(all, count, site, ch->path, strlen(ch->path)))
			return false;
	}
	return true;
}

static enum err_code settle(struct converge *c, const struct folder *f, struct err *reterr)
{
	struct snapshot_entry e;
	const char *name;
	int dirfd;
	if (!snapshot_lookup(c->spec.snapshot, f->site->component, f->site->root, f->path, &e) ||
	    e.type != ENTRY_DIRECTORY)
		return ERR_OK; /* it went, or stays only for what is left alone */
	enum err_code rc = site_open_folder(f->site, f->path, false, &dirfd, &name, reterr);
	return rc == ERR_OK ? snapshot_set_metadata(&e, dirfd, name, reterr) : rc;
}

/* Folders get their own metadata last, the deepest first: changing what is in them touched their times. */
static enum err_code settle_folders(struct converge *c, struct err *reterr)
{
	struct folder *all = calloc(2 * c->changes.count + 1, sizeof *all);
	size_t count = 0;
	enum err_code rc =
	    all && list_folders(c, all, &count) ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	if (count)
		qsort(all, count, sizeof *all, deepest_first);
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		if (!i || deepest_first(&all[i - 1], &all[i]) != 0)
			rc = settle(c, &all[i], reterr);
	for (size_t i = 0; i < count; i++)
		free(all[i].path);
	free(all);
	return rc;
}

/* ---- the whole ---- */

/* Write order: what comes last is taken out; removals, renames, metadata, folders' metadata, one syncfs a file system,
 * the staging folders with what was replaced (both begun here, ended in converge_wait()); only then may the caller's
 * journal say that it is done. */
enum err_code converge_apply(struct converge *c, struct err *reterr)
{
	enum err_code rc = converge_wait(c, reterr);
	if (rc != ERR_OK || converge_is_empty(c))
		return rc;
	struct change *last = last_of(c);
	rc = take_out(last, reterr);
	if (rc == ERR_OK)
		rc = apply_all(c, reterr);
	if (rc == ERR_OK && last)
		rc = put_last(c, last, reterr);
	if (rc == ERR_OK)
		rc = converge_clear_inner(c, reterr);
	if (rc == ERR_OK)
		rc = settle_folders(c, reterr);
	if (rc == ERR_OK)
		rc = converge_sync_begin(c, false, reterr);
	return rc == ERR_OK ? converge_clear_begin(c, reterr) : rc;
}

/* ---- afterwards ---- */

/* A folder that the restore point does not have may stay when it holds what is left alone. */
static bool is_left(const struct change *ch)
{
	const char *name;
	int dirfd;
	if (ch->kind != CHANGE_ADDED || !ch->was_directory || ch->site->absent ||
	    site_open_folder(ch->site, ch->path, false, &dirfd, &name, NULL) != ERR_OK)
		return false;
	CLEANUP(cleanup_fd) int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		return false;
	fd = -1; /* the stream's now */
	unsigned names = 0;
	while (names < 3 && readdir(dir))
		names++;
	return names > 2; /* more than . and .. */
}

static void tell_difference(const struct change *ch, char out[TEXT_LINE_MAX])
{
	/* Seen from the restore point. */
	static const char *const words[] = {[CHANGE_ADDED] = "is not in the restore point",
	    [CHANGE_REMOVED] = "is not there",
	    [CHANGE_CONTENT] = "has another content",
	    [CHANGE_METADATA] = "has other metadata"};
	char shown[PATH_LIMIT], name[TEXT_LINE_MAX - 64];
	text_copy(name, sizeof name, site_text(ch->site, ch->path, shown)); /* at the end of a character */
	(void)text_format(out, TEXT_LINE_MAX, "%s %s", name, words[ch->kind]);
}

enum err_code converge_verify(const struct converge_spec *spec, struct converge_check *ret, struct err *reterr)
{
	struct converge *c = NULL;
	enum err_code rc = converge_new(spec, &c, reterr);
	if (rc == ERR_OK)
		rc = converge_collect(c, false, reterr);
	if (rc != ERR_OK) {
		converge_free(c);
		return rc;
	}
	struct converge_check out = {.left = c->counts.left, .live = c->live};
	for (size_t i = 0; i < c->changes.count; i++) {
		const struct change *ch = &c->changes.items[i];
		if (is_left(ch))
			out.left++;
		else if (out.differences++ == 0)
			tell_difference(ch, out.difference);
	}
	out.equal = out.differences == 0;
	text_copy(out.exceptions, sizeof out.exceptions, c->exceptions);
	*ret = out;
	converge_free(c);
	return ERR_OK;
}
