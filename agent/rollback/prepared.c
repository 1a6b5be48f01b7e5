/* agent/rollback/prepared.c: the records of staged trees, what state they are in, and their seals. */
#include "agent/rollback/prepared_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/repository/seal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const char *const state_names[] = {[PREPARED_READY] = "ready",
    [PREPARED_UNSAVED] = "unsaved",
    [PREPARED_INCOMPLETE] = "incomplete",
    [PREPARED_EXPIRED] = "expired",
    [PREPARED_TOUCHED] = "touched"};
const struct enum_type prepared_state_enum = ENUM_TYPE("prepared_state", state_names);

#define S struct prepared_root
static const struct field root_fields[] = {
    F_STRING(S, path, PATH_LIMIT, FIELD_REQUIRED, "the live root"),
    F_STRING(S, folder, PATH_LIMIT, FIELD_REQUIRED, "where its other tree lies"),
    F_U64(S, inode, 0, FIELD_REQUIRED, "of the tree that was staged"),
};
#undef S
static const struct record_type root_type =
    RECORD_TYPE("prepared_root", struct prepared_root, root_fields, "one root of a staged tree");

#define S struct prepared
static const struct field prepared_fields[] = {
    F_ID(S, id, RUN, FIELD_KEY | FIELD_REQUIRED, "names record and folders"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_REQUIRED, "the service"),
    F_ENUM(S, component, &component_enum, FIELD_ALWAYS, "what of it"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_REQUIRED, "the restore point that it equals"),
    F_DIGEST(S, digest, FIELD_REQUIRED, "of the component there"),
    F_BOOL(S, complete, 0, "all of it is there, durable"),
    F_BOOL(S, undo, 0, "a rollback put it aside"),
    F_TIME(S, prepared_ms, 0, "when it was staged"),
    F_TIME(S, expires_ms, 0, "when it will be removed"),
    F_U64(S, entries, 0, 0, "files, folders and all else"),
    F_SIZE(S, size_bytes, 0, 0, "their content"),
    F_DIGEST(S, seal, 0, "of how a sample of its entries looks"),
    F_LIST(S, roots, &root_type, SNAPSHOT_ROOTS_MAX, 0, "its roots"),
};
#undef S
const struct record_type prepared_type =
    RECORD_TYPE("prepared", struct prepared, prepared_fields, "a tree of a restore point, staged beforehand");

#define S struct prepared_tree
static const struct field tree_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(S, component, &component_enum, FIELD_ALWAYS | FIELD_COLUMN, "what of it"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_REQUIRED | FIELD_COLUMN, "the restore point that it equals"),
    F_ENUM(S, state, &prepared_state_enum, FIELD_ALWAYS | FIELD_COLUMN, "whether a rollback would use it"),
    F_BOOL(S, undo, FIELD_ALWAYS | FIELD_COLUMN, "a rollback put it aside: the way back"),
    F_TIME(S, prepared_ms, FIELD_COLUMN, "when it was staged"),
    F_TIME(S, expires_ms, FIELD_COLUMN, "when it will be removed"),
    F_U64(S, entries, 0, 0, "files, folders and all else"),
    F_SIZE(S, size_bytes, 0, FIELD_COLUMN, "their content"),
};
#undef S
const struct record_type prepared_tree_type =
    RECORD_TYPE("prepared_tree", struct prepared_tree, tree_fields, "a staged tree, as it is listed");

/* ---- records ---- */

static bool path_of(const char *state_directory, struct id id, const char *ending, char out[PATH_LIMIT])
{
	char name[ID_TEXT_MAX];
	return text_format(
	    out, PATH_LIMIT, "%s/rollback/prepared/%s%s", state_directory, id_format(ID_RUN, id, name), ending);
}

static enum err_code too_long(const char *path, struct err *reterr)
{
	return err_set(reterr, ERR_LIMIT, "%s is too long a path", path);
}

enum err_code prepared_write(const char *state_directory, const struct prepared *p, struct err *reterr)
{
	char path[PATH_LIMIT], folder[PATH_LIMIT];
	CLEANUP(buf_done) struct buf text = {.limit = PREPARED_FILE_MAX};
	if (!path_of(state_directory, p->id, ".json", path) ||
	    !text_format(folder, sizeof folder, "%s/rollback/prepared", state_directory))
		return too_long(state_directory, reterr);
	enum err_code rc = record_to_json(&prepared_type, p, 0, &text, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(folder, 0700, reterr);
	return rc == ERR_OK ? file_replace(path, text.data, text.size, 0600, reterr) : rc;
}

static enum err_code read_record(const char *path, struct arena *arena, struct prepared *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, PREPARED_FILE_MAX, &text, reterr);
	return rc == ERR_OK ? record_from_json(&prepared_type, buf_str(&text), text.size, 0, arena, ret, reterr) : rc;
}

enum err_code prepared_read(
    const char *state_directory, struct id id, struct arena *arena, struct prepared *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!path_of(state_directory, id, ".json", path))
		return too_long(state_directory, reterr);
	enum err_code rc = read_record(path, arena, ret, reterr);
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "%s", path);
}

enum err_code prepared_forget(const char *state_directory, struct id id, struct err *reterr)
{
	char path[PATH_LIMIT], names[PATH_LIMIT];
	if (!path_of(state_directory, id, ".json", path) || !path_of(state_directory, id, ".names", names))
		return too_long(state_directory, reterr);
	if ((unlink(names) != 0 && errno != ENOENT) || (unlink(path) != 0 && errno != ENOENT))
		return err_sys(reterr, errno, "%s cannot be removed", path);
	return ERR_OK;
}

static int oldest_first(const void *a, const void *b)
{
	const struct prepared *x = a, *y = b;
	return id_compare(x->id, y->id);
}

enum err_code prepared_list(
    const char *state_directory, const char *service, struct arena *arena, struct list *ret, struct err *reterr)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	struct err why = ERR_INIT;
	size_t count = 0;
	if (!text_format(folder, sizeof folder, "%s/rollback/prepared", state_directory))
		return too_long(state_directory, reterr);
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	if (!dir && errno != ENOENT)
		return err_sys(reterr, errno, "%s cannot be read", folder);
	struct prepared *all = arena_array(arena, dir ? PREPARED_RECORDS_MAX : 1, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (struct dirent *e; dir && count < PREPARED_RECORDS_MAX && (e = readdir(dir));) {
		if (e->d_name[0] == '.' || !text_ends(e->d_name, ".json") ||
		    !text_format(path, sizeof path, "%s/%s", folder, e->d_name))
			continue;
		if (read_record(path, arena, &all[count], &why) != ERR_OK)
			log_warn("rollback", "%s: %s", path, why.msg);
		else
			count += !service || text_equal(all[count].service, service);
	}
	if (count)
		qsort(all, count, sizeof *all, oldest_first);
	*ret = (struct list){all, count};
	return ERR_OK;
}

/* ---- which tree lies where ---- */

static bool inode_of(const char *folder, const char *name, struct stat *ret)
{
	char path[2 * PATH_LIMIT];
	return text_format(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name) && lstat(path, ret) == 0 &&
	       S_ISDIR(ret->st_mode);
}

bool prepared_root_is_out(const struct prepared_root *r)
{
	struct stat st;
	return inode_of(r->folder, PREPARED_TREE, &st) && st.st_ino != r->inode;
}

bool prepared_root_is_live(const struct prepared_root *r)
{
	struct stat st, aside;
	return inode_of(r->path, "", &st) && st.st_ino == r->inode &&
	       (!inode_of(r->folder, "", &aside) || aside.st_dev == st.st_dev);
}

/* In a folder that nobody else may enter, on the file system of the live root. */
static bool is_staged(const struct prepared_root *r)
{
	struct stat live, folder, tree;
	return inode_of(r->path, "", &live) && inode_of(r->folder, "", &folder) && folder.st_uid == geteuid() &&
	       (folder.st_mode & 07777) == 0700 && inode_of(r->folder, PREPARED_TREE, &tree) &&
	       tree.st_ino == r->inode && tree.st_dev == live.st_dev && folder.st_dev == live.st_dev;
}

enum prepared_state prepared_state_of(const struct prepared *p, uint64_t now_ms)
{
	if (!p->complete || !p->roots.count)
		return PREPARED_INCOMPLETE;
	for (size_t i = 0; i < p->roots.count; i++)
		if (prepared_root_is_out(&LIST_AT(p->roots, struct prepared_root, i)))
			return PREPARED_UNSAVED;
	for (size_t i = 0; i < p->roots.count; i++)
		if (!is_staged(&LIST_AT(p->roots, struct prepared_root, i)))
			return PREPARED_TOUCHED;
	return now_ms >= p->expires_ms ? PREPARED_EXPIRED : PREPARED_READY;
}

/* ---- the sample ---- */

/* "0:bin/app", NUL-ended: root and path. */
static void add_name(struct buf *names, const struct snapshot_entry *e)
{
	buf_printf(names, "%u:%s", e->root, e->path);
	buf_append(names, "", 1);
}

/* Every so many-th, and what lies directly below a root. */
static void choose(const struct prepared *p, const struct snapshot *s, struct buf *names)
{
	struct snapshot_cursor cursor = SNAPSHOT_CURSOR((enum component)p->component);
	struct snapshot_entry e;
	uint64_t each = p->entries / PREPARED_SAMPLE + 1, at = 0;
	unsigned top = 0;
	while (snapshot_next(s, &cursor, &e)) {
		bool is_top = top < PREPARED_SAMPLE_TOP && !strchr(e.path, '/');
		top += is_top;
		if (is_top || at++ % each == 0)
			add_name(names, &e);
	}
	snapshot_cursor_done(s, &cursor);
}

struct look { /* no padding: it is digested */
	uint64_t inode, links, mode, uid, gid, size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

static bool look_at(int root, const char *path, struct sha256 *digest)
{
	struct stat st;
	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW | (*path ? 0 : AT_EMPTY_PATH)) != 0)
		return false;
	const struct look look = {st.st_ino, st.st_nlink, st.st_mode, st.st_uid, st.st_gid, (uint64_t)st.st_size,
	    st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec};
	sha256_add(digest, &look, sizeof look);
	return true;
}

static int open_tree(const struct prepared *p, size_t root)
{
	char path[2 * PATH_LIMIT];
	if (root >= p->roots.count ||
	    !text_format(path, sizeof path, "%s/" PREPARED_TREE, LIST_AT(p->roots, struct prepared_root, root).folder))
		return -1;
	return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool look_at_sample(const struct prepared *p, const struct buf *names, struct digest *ret)
{
	CLEANUP(sha256_cleanup) struct sha256 *digest = sha256_new();
	CLEANUP(cleanup_fd) int fd = -1;
	const char *at = (const char *)names->data, *end = at + names->size;
	unsigned long open_root = (unsigned long)-1;
	bool ok = digest && names->size && !end[-1];
	while (ok && at < end) {
		char *path;
		unsigned long root = strtoul(at, &path, 10);
		if (root != open_root && fd >= 0)
			close(TAKE_FD(fd));
		if (fd < 0)
			fd = open_tree(p, open_root = root);
		sha256_add(digest, at, strlen(at) + 1);
		ok = *path == ':' && fd >= 0 && look_at(fd, path + 1, digest);
		at += strlen(at) + 1;
	}
	if (ok)
		sha256_end(digest, ret->b);
	return ok;
}

enum err_code prepared_seal(
    const char *state_directory, struct prepared *p, const struct snapshot *s, struct err *reterr)
{
	CLEANUP(buf_done) struct buf names = {.limit = PREPARED_NAMES_MAX};
	char path[PATH_LIMIT];
	choose(p, s, &names);
	if (names.failed)
		return err_set(reterr, ERR_LIMIT, "its paths are too long to be sealed");
	if (!path_of(state_directory, p->id, ".names", path))
		return too_long(state_directory, reterr);
	enum err_code rc = file_replace(path, names.data, names.size, 0600, reterr);
	if (rc == ERR_OK && !look_at_sample(p, &names, &p->seal))
		rc = err_set(reterr, ERR_CORRUPT, "what was staged is not there any more");
	return rc;
}

bool prepared_is_sealed(const char *state_directory, const struct prepared *p)
{
	CLEANUP(buf_done) struct buf names = BUF_INIT;
	char path[PATH_LIMIT];
	struct digest now;
	return path_of(state_directory, p->id, ".names", path) &&
	       file_read(path, PREPARED_NAMES_MAX, &names, NULL) == ERR_OK && look_at_sample(p, &names, &now) &&
	       memcmp(&now, &p->seal, sizeof now) == 0;
}

/* ---- locks ---- */

enum err_code prepared_lock(const char *state_directory, const char *service, enum prepared_lock which,
    uint64_t wait_ms, int *ret_fd, struct err *reterr)
{
	char path[PATH_LIMIT], folder[PATH_LIMIT];
	uint64_t began_ms = clock_mono_ms();
	if (!text_format(folder, sizeof folder, "%s/rollback", state_directory) ||
	    !text_format(
		path, sizeof path, "%s/%s%s.lock", folder, service, which == PREPARED_LOCK_STAGING ? ".prepare" : ""))
		return too_long(state_directory, reterr);
	enum err_code rc = file_make_dirs(folder, 0700, reterr);
	while (rc == ERR_OK && (rc = file_lock(path, ret_fd, reterr)) == ERR_BUSY &&
	       clock_mono_ms() - began_ms < wait_ms) {
		(void)poll(NULL, 0, PREPARED_POLL_MS);
		rc = ERR_OK;
	}
	if (rc == ERR_BUSY)
		return err_prefix(reterr, rc, "%s of %s is at work",
		    which == PREPARED_LOCK_STAGING ? "another `rollback prepare`" : "a rollback", service);
	return rc;
}

/* ---- listing ---- */

enum err_code rollback_prepared(const char *state_directory, const char *service, uint64_t now_ms, struct arena *arena,
    struct list *ret, struct err *reterr)
{
	struct list all;
	enum err_code rc = prepared_list(state_directory, service, arena, &all, reterr);
	struct prepared_tree *rows = rc == ERR_OK ? arena_array(arena, all.count + 1, sizeof *rows) : NULL;
	if (rc != ERR_OK || !rows)
		return rc != ERR_OK ? rc : err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < all.count; i++) {
		const struct prepared *p = &LIST_AT(all, struct prepared, i);
		enum prepared_state state = prepared_state_of(p, now_ms);
		if (state == PREPARED_READY && !prepared_is_sealed(state_directory, p))
			state = PREPARED_TOUCHED;
		rows[i] = (struct prepared_tree){p->service, p->component, p->snapshot, state, p->undo, p->prepared_ms,
		    p->expires_ms, p->entries, p->size_bytes};
	}
	*ret = (struct list){rows, all.count};
	return ERR_OK;
}

bool rollback_is_unsettled(const char *state_directory, const char *service)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct list all = {0};
	bool unsettled = false;
	if (!arena || prepared_list(state_directory, service, arena, &all, NULL) != ERR_OK)
		return false;
	for (size_t i = 0; i < all.count && !unsettled; i++)
		unsettled = prepared_state_of(&LIST_AT(all, struct prepared, i), 0) == PREPARED_UNSAVED;
	return unsettled;
}
