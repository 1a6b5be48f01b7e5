/* A copy of a stopped cluster as it lies, and a base copy put together again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/contents.h"
#include "agent/database/internal.h"
#include "agent/database/tablespaces.h"
#include "agent/repository/io.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { LOG_FILES_MAX = 1 << 16 }; /* a terabyte of log in one data directory */

static const char *const left_out[] = {"pg_stat_tmp/**", "**/pgsql_tmp*", "**/pg_internal.init*", "postmaster.pid",
    "postmaster.opts", "current_logfiles*", CONTENTS_PREFIX "*", "lost+found"};
enum { LEFT_OUT = sizeof left_out / sizeof left_out[0] };

/* ---- which files of the log say nothing ---- */

struct logs {
	const char *folder;
	int fd;
	struct postgres_control control;
	uint32_t segment_bytes;
};

static bool waits(const struct logs *l, const char *name)
{
	char path[WAL_NAME_MAX + 32];
	return text_format(path, sizeof path, "archive_status/%s.ready", name) &&
	       faccessat(l->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Behind where recovery begins, or renamed for a time to come and not written to since. */
static bool is_idle(const struct logs *l, const char *name)
{
	struct wal_name n;
	uint8_t page[WAL_PAGE_HEAD];
	size_t got = 0;
	if (!wal_name_parse(name, &n) || n.kind != WAL_SEGMENT || waits(l, name))
		return false;
	uint64_t number = wal_number(&n, l->segment_bytes);
	if (number < l->control.redo / l->segment_bytes)
		return true;
	CLEANUP(cleanup_fd) int fd = openat(l->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && io_pread_full(fd, page, sizeof page, 0, &got, NULL) == ERR_OK &&
	       wal_page_check(page, got, l->control.system, l->segment_bytes, number, NULL) != ERR_OK;
}

/* What is left out, and with it the files of the log that say nothing, by names that begin with prefix. */
static enum err_code idle_logs(
    const char *data, const char *prefix, struct arena *arena, struct list *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct logs l = {.folder = data};
	const char **all = arena_array(arena, LOG_FILES_MAX + LEFT_OUT, sizeof *all);
	size_t n = LEFT_OUT;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(all, left_out, sizeof left_out);
	*ret = (struct list){all, n};
	/* One that cannot be understood is copied with all that it has. */
	if (postgres_control_read(data, &l.control, NULL) != ERR_OK ||
	    postgres_segment_size(data, &l.segment_bytes, NULL) != ERR_OK)
		return ERR_OK;
	enum err_code rc = tree_join(data, "pg_wal", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	l.fd = dir ? dirfd(dir) : -1;
	for (struct dirent *e; dir && (e = readdir(dir)) && n < LOG_FILES_MAX + LEFT_OUT;) {
		if (!is_idle(&l, e->d_name))
			continue;
		if (!(all[n++] = arena_printf(arena, "%s%s", prefix, e->d_name)))
			return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	ret->count = n;
	return rc;
}

enum err_code postgres_sources(const struct snapshot_source *own, size_t own_count, const struct list *tablespaces,
    const struct list *exclude, struct arena *arena, struct snapshot_source **ret, size_t *ret_count,
    struct err *reterr)
{
	struct snapshot_source *all = arena_array(arena, own_count + tablespaces->count, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(all, own, own_count * sizeof *all);
	for (size_t i = 0; i < tablespaces->count; i++) {
		const struct tablespace *t = &LIST_AT(*tablespaces, struct tablespace, i);
		all[own_count + i] = (struct snapshot_source){.component = COMPONENT_DATABASE,
		    .root = t->folder,
		    .label = t->label,
		    .exclude = exclude,
		    .pages = POSTGRES_PAGES,
		    .live = own->live};
	}
	*ret = all;
	*ret_count = own_count + tablespaces->count;
	return ERR_OK;
}

/* The log lies elsewhere, by a symlink: it is a root of its own, which postgres_assemble() puts into the data
 * directory. Where its disk is not there the copy is made all the same: what is left of the cluster is better than
 * nothing. */
static enum err_code log_elsewhere(
    const char *data, struct arena *arena, struct snapshot_source *ret, bool *ret_any, struct err *reterr)
{
	char path[PATH_LIMIT], real[PATH_LIMIT];
	struct stat st;
	struct list *exclude = arena_alloc(arena, sizeof *exclude);
	enum err_code rc =
	    exclude ? tree_join(data, "pg_wal", path, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	*ret_any = false;
	if (rc != ERR_OK || lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
		return rc;
	if (!realpath(path, real)) {
		log_warn("database", "%s points to nothing: the cluster is copied without its log", path);
		return ERR_OK;
	}
	rc = idle_logs(data, "", arena, exclude, reterr);
	*ret = (struct snapshot_source){.component = COMPONENT_DATABASE,
	    .root = arena_strdup(arena, real),
	    .label = POSTGRES_END_LABEL "/pg_wal",
	    .exclude = exclude,
	    .pages = POSTGRES_PAGES};
	*ret_any = rc == ERR_OK;
	return rc == ERR_OK && !ret->root ? err_set(reterr, ERR_NOMEM, "out of memory") : rc;
}

enum err_code postgres_snapshot_still(
    const struct adapter_job *j, const char *data, struct snapshot_summary *ret, struct err *reterr)
{
	struct list exclude, tablespaces;
	struct snapshot_source own[2], *sources;
	size_t count;
	bool apart = false;
	struct postgres_control control;
	struct adapter_job with = *j;
	struct snapshot_options o = *j->o;
	struct snapshot_version *versions = arena_array(j->arena, o.version_count + 1, sizeof *versions);
	if (!versions)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (o.version_count)
		memcpy(versions, o.versions, o.version_count * sizeof *versions);
	if (postgres_control_read(data, &control, NULL) == ERR_OK)
		versions[o.version_count++] =
		    (struct snapshot_version){"postgres_timeline", arena_printf(j->arena, "%u", control.timeline)};
	o.versions = versions;
	with.o = &o;
	enum err_code rc = idle_logs(data, "pg_wal/", j->arena, &exclude, reterr);
	if (rc == ERR_OK)
		rc = log_elsewhere(data, j->arena, &own[1], &apart, reterr);
	if (rc == ERR_OK)
		rc = tablespaces_of(data, tablespaces_suffix(data), j->arena, &tablespaces, reterr);
	own[0] = (struct snapshot_source){.component = COMPONENT_DATABASE,
	    .root = data,
	    .label = DATABASE_LABEL,
	    .exclude = &exclude,
	    .pages = POSTGRES_PAGES};
	if (rc == ERR_OK)
		rc = postgres_sources(own, apart ? 2 : 1, &tablespaces, &exclude, j->arena, &sources, &count, reterr);
	return rc == ERR_OK ? adapter_take(&with, sources, count, ret, reterr) : rc;
}

/* ---- a base copy becomes a data directory ---- */

static enum err_code move(const char *end, const char *data, const char *name, struct err *reterr)
{
	char from[PATH_LIMIT], to[PATH_LIMIT];
	enum err_code rc = tree_join(end, name, from, reterr);
	if (rc == ERR_OK)
		rc = tree_join(data, name, to, reterr);
	if (rc == ERR_OK && rename(from, to) != 0 && errno != ENOENT)
		rc = err_sys(reterr, errno, "%s cannot be moved to %s", from, to);
	return rc;
}

/* Where the log was kept on a disk of its own, that disk holds the log of today. */
static enum err_code own_log_folder(const char *data, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct stat st;
	enum err_code rc = tree_join(data, "pg_wal", path, reterr);
	if (rc == ERR_OK && lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		struct stat owner;
		if (stat(data, &owner) != 0 || unlink(path) != 0 || mkdir(path, 0700) != 0 ||
		    (geteuid() == 0 && chown(path, owner.st_uid, owner.st_gid) != 0))
			rc = err_sys(reterr, errno, "%s cannot be made a folder", path);
	}
	return rc;
}

static enum err_code mark_done(int status, const char *name, const struct stat *owner, struct err *reterr)
{
	char path[WAL_NAME_MAX + 16];
	struct stat st;
	text_format(path, sizeof path, "%s.ready", name);
	if (fstatat(status, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return ERR_OK;
	text_format(path, sizeof path, "%s.done", name);
	CLEANUP(cleanup_fd)
	int fd = openat(status, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	return fd < 0 || (geteuid() == 0 && fchown(fd, owner->st_uid, owner->st_gid) != 0)
		   ? err_sys(reterr, errno, "pg_wal/archive_status/%s", path)
		   : ERR_OK;
}

/* pg_wal/archive_status, made where it is missing; -1: errno.  Never through a link: its owner could lead us away. */
static int status_folder(int log, const struct stat *owner)
{
	if (mkdirat(log, "archive_status", 0700) == 0) {
		if (geteuid() == 0 && fchownat(log, "archive_status", owner->st_uid, owner->st_gid, 0) != 0)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	return openat(log, "archive_status", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum err_code postgres_log_is_archived(const char *data, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct stat owner;
	struct wal_name name;
	enum err_code rc = tree_join(data, "backup_label", path, reterr);
	if (rc != ERR_OK || !file_exists(path))
		return rc;
	rc = tree_join(data, "pg_wal", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	if (!dir || stat(data, &owner) != 0)
		return rc != ERR_OK ? rc : err_sys(reterr, errno, "%s", path);
	CLEANUP(cleanup_fd) int status = status_folder(dirfd(dir), &owner);
	if (status < 0)
		return err_sys(reterr, errno, "%s/archive_status", path);
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (wal_name_parse(e->d_name, &name) && (name.kind == WAL_SEGMENT || name.kind == WAL_HISTORY))
			rc = mark_done(status, e->d_name, &owner, reterr);
	/* Before the server starts: after a power cut it would archive what bears no mark. */
	return rc == ERR_OK && fsync(status) != 0 ? err_sys(reterr, errno, "%s/archive_status", path) : rc;
}

static enum err_code put_together(const char *box, struct err *reterr)
{
	char data[PATH_LIMIT], end[PATH_LIMIT], path[PATH_LIMIT];
	enum err_code rc = tree_join(box, DATABASE_LABEL, data, reterr);
	if (rc == ERR_OK)
		rc = tree_join(box, POSTGRES_END_LABEL, end, reterr);
	if (rc == ERR_OK)
		rc = own_log_folder(data, reterr);
	if (rc != ERR_OK || faccessat(AT_FDCWD, end, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return rc; /* a copy of a stopped cluster is whole as it is */
	static const char *const names[] = {"backup_label", "tablespace_map", "global/pg_control"};
	for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof names[0]; i++)
		rc = move(end, data, names[i], reterr);
	if (rc == ERR_OK)
		rc = tree_join(end, "pg_wal", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir));) {
		char name[WAL_NAME_MAX + 16];
		if (e->d_name[0] != '.' && text_format(name, sizeof name, "pg_wal/%s", e->d_name))
			rc = move(end, data, name, reterr);
	}
	if (rc == ERR_OK)
		rc = postgres_log_is_archived(data, reterr);
	return rc == ERR_OK ? tree_remove(end, reterr) : rc;
}

/* Those that were restored into box, too, are where it looks for them. */
enum err_code postgres_assemble(const char *box, struct err *reterr)
{
	char spaces[PATH_LIMIT];
	enum err_code rc = put_together(box, reterr);
	if (rc == ERR_OK)
		rc = tree_join(box, TABLESPACE_LABEL, spaces, reterr);
	return rc == ERR_OK && file_exists(spaces) ? tablespaces_relocate(box, reterr) : rc;
}
