/* MariaDB.  physical: mariadb-backup copies the files of a running server and the log that was written meanwhile, and
 * makes both one by --prepare: what is kept is a data directory that a server starts from, cut by pages, so that the
 * pages which did not change cost nothing.  dump: mariadb-dump in one transaction, which is whole for InnoDB's tables
 * only; it becomes a data directory when it is put back.  Put back by exchanging the data directory while the server
 * stands still.
 *
 * A copy that breaks off ends its connections, and with them the locks that it held: there is nothing to thaw. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/database/mariadb.h"
#include "agent/repository/io.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum {
	COLUMNS = 6,
	CARRIED_MAX = 256 << 10, /* bytes of a certificate, a flag */
};

struct copying {
	const struct adapter_job *j;
	const struct mariadb_config *c;
	char folder[PATH_LIMIT], who[MARIADB_WHO_MAX]; /* where it goes; the argument that says who we are */
	struct stat owner;
	struct snapshot_version versions[SNAPSHOT_VERSIONS_MAX];
	size_t version_count;
};

/* ---- before ---- */

enum err_code mariadb_login(const struct mariadb_config *c, char out[MARIADB_WHO_MAX], struct err *reterr)
{
	struct stat st;
	const char *file = c->credentials_file;
	if (file && stat(file, &st) != 0)
		return err_sys(reterr, errno, "%s", file);
	if (file && st.st_mode & S_IRWXO)
		return err_set(reterr, ERR_DENIED, "%s may be read by others and is not used: chmod o= it", file);
	return mariadb_who(file, out, reterr);
}

/* Files that lie elsewhere would neither be copied nor be put back with the others. */
static bool is_inside(const char *folder, const char *data)
{
	size_t n = strlen(data);
	return !*folder || text_equal(folder, "NULL") || text_equal(folder, ".") || text_equal(folder, "./") ||
	       (!strncmp(folder, data, n) && (!folder[n] || (folder[n] == '/' && !folder[n + 1])));
}

/* The server that answers must be the one that writes in this data directory. */
static enum err_code check_server(struct copying *g, char *columns[COLUMNS], struct err *reterr)
{
	struct stat theirs;
	if (stat(columns[0], &theirs) != 0 || theirs.st_dev != g->owner.st_dev || theirs.st_ino != g->owner.st_ino)
		return err_set(reterr, ERR_INVALID,
		    "the server at %s does not work in %s: correct `socket` or `data_directory` in agent.yaml",
		    g->c->socket, g->c->data_directory);
	for (size_t i = 2; i < 5; i++)
		if (!is_inside(columns[i], g->c->data_directory))
			return err_set(reterr, ERR_UNSUPPORTED,
			    "the server keeps files in %s, outside of its data directory, which this version does not "
			    "copy",
			    columns[i]);
	if (strchr(columns[5], '/'))
		return err_set(reterr, ERR_UNSUPPORTED,
		    "innodb_data_file_path names files outside of the data directory, which this version does not "
		    "copy");
	return ERR_OK;
}

static enum err_code note_version(struct copying *g, const char *version, struct err *reterr)
{
	const struct snapshot_options *o = g->j->o;
	char *copy = arena_strdup(g->j->arena, version);
	if (!copy || o->version_count >= SNAPSHOT_VERSIONS_MAX)
		return err_set(reterr, copy ? ERR_LIMIT : ERR_NOMEM, "no room for a fact about versions");
	if (o->version_count)
		memcpy(g->versions, o->versions, o->version_count * sizeof *g->versions);
	g->version_count = o->version_count;
	g->versions[g->version_count++] = (struct snapshot_version){"mariadb", copy};
	return ERR_OK;
}

static enum err_code learn(struct copying *g, struct err *reterr)
{
	struct buf answer = BUF_INIT;
	char *columns[COLUMNS];
	size_t n = 0;
	enum err_code rc = mariadb_ask(&g->owner, g->c->socket, g->who,
	    "SELECT @@datadir, @@version, @@innodb_data_home_dir, @@innodb_log_group_home_dir, "
	    "@@innodb_undo_directory, "
	    "@@innodb_data_file_path",
	    MARIADB_ANSWER_MS, g->j->o->cancel, &answer, reterr);
	if (rc != ERR_OK)
		rc = err_prefix(reterr, ERR_UNREACHABLE, "the database server does not answer");
	for (char *at = rc == ERR_OK ? (char *)(uintptr_t)buf_str(&answer) : NULL, *next; at && n < COLUMNS;
	     at = next) {
		next = strchr(at, '\t');
		if (next)
			*next++ = '\0';
		columns[n++] = at;
	}
	if (rc == ERR_OK && n != COLUMNS)
		rc = err_set(reterr, ERR_UNSUPPORTED, "the server's answer has %zu columns, not %d", n, COLUMNS);
	if (rc == ERR_OK)
		rc = check_server(g, columns, reterr);
	if (rc == ERR_OK)
		rc = note_version(g, columns[1], reterr);
	buf_done(&answer);
	return rc;
}

/* Of the data directory and its databases' folders, but for the log and what is temporary. */
static uint64_t bytes_below(int fd, int depth)
{
	uint64_t sum = 0;
	CLEANUP(cleanup_dir) DIR *dir = fdopendir(fd);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct stat st;
		if (e->d_name[0] == '.' || text_starts(e->d_name, "ib_logfile") || text_starts(e->d_name, "ibtmp") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		int below = S_ISDIR(st.st_mode) && depth
				? openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
				: -1;
		sum += below >= 0 ? bytes_below(below, depth - 1) : (uint64_t)st.st_blocks * 512;
	}
	if (!dir)
		close(fd);
	return sum;
}

/* mariadb-backup copies into the agent's own folder first. */
static enum err_code check_room(const struct copying *g, struct err *reterr)
{
	char need[TEXT_TIME_MAX], have[TEXT_TIME_MAX];
	struct statvfs fs;
	int fd = open(g->c->data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || statvfs(g->folder, &fs) != 0) {
		int saved = errno;
		if (fd >= 0)
			close(fd);
		return err_sys(reterr, saved, "%s", fd < 0 ? g->c->data_directory : g->folder);
	}
	uint64_t wanted = bytes_below(fd, 1), there = (uint64_t)fs.f_bavail * fs.f_frsize;
	wanted += wanted / 10;
	return there >= wanted ? ERR_OK
			       : err_set(reterr, ERR_FULL, "the copy needs %s in %s for a while, where %s are free",
				     text_size_human(wanted, need), g->folder, text_size_human(there, have));
}

/* ---- the copy ---- */

static enum err_code run(struct copying *g, const char *const *argv, struct err *reterr)
{
	return mariadb_run(&g->owner, argv, (struct bytes){NULL, 0}, MARIADB_COPY_MS, g->j->o->cancel, NULL, reterr);
}

static bool is_note(const char *name)
{
	return text_starts(name, "xtrabackup_") || text_starts(name, "mariadb_backup_");
}

/* Out with notes about the copy, which no server reads.  A table whose file lies elsewhere (DATA DIRECTORY) has a link
 * instead of it. */
static enum err_code tidy(int fd, bool top, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	CLEANUP(cleanup_dir) DIR *dir = fdopendir(fd);
	if (!dir)
		close(fd);
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir));) {
		if (text_ends(e->d_name, ".isl"))
			return err_set(reterr, ERR_UNSUPPORTED,
			    "the table %s lies outside of the data directory, which this version does not copy",
			    e->d_name);
		if (top && e->d_type == DT_DIR && e->d_name[0] != '.') {
			int below = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			rc = below < 0 ? err_sys(reterr, errno, "%s", e->d_name) : tidy(below, false, reterr);
		} else if (top && is_note(e->d_name) && unlinkat(dirfd(dir), e->d_name, 0) != 0) {
			rc = err_sys(reterr, errno, "%s", e->d_name);
		}
	}
	return rc;
}

static enum err_code physical(struct copying *g, struct err *reterr)
{
	char target[PATH_LIMIT + 16], data[PATH_LIMIT + 16], at[PATH_LIMIT + 16];
	if (!text_format(target, sizeof target, "--target-dir=%s", g->folder) ||
	    !text_format(data, sizeof data, "--datadir=%s", g->c->data_directory) ||
	    !text_format(at, sizeof at, "--socket=%s", g->c->socket))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", g->c->data_directory);
	const char *const copy[] = {"mariadb-backup", g->who, "--backup", target, data, at, NULL};
	const char *const prepare[] = {
	    "mariadb-backup", "--no-defaults", "--prepare", "--use-memory=64M", target, NULL};
	enum err_code rc = check_room(g, reterr);
	if (rc == ERR_OK)
		rc = run(g, copy, reterr);
	if (rc == ERR_OK)
		rc = run(g, prepare, reterr);
	int fd = rc == ERR_OK ? open(g->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (rc == ERR_OK && fd < 0)
		rc = err_sys(reterr, errno, "%s", g->folder);
	return rc == ERR_OK ? tidy(fd, true, reterr) : rc;
}

static enum err_code dump(struct copying *g, struct err *reterr)
{
	char file[PATH_LIMIT + 64], at[PATH_LIMIT + 16];
	if (!text_format(file, sizeof file, "--result-file=%s/" MARIADB_DUMP_FILE, g->folder) ||
	    !text_format(at, sizeof at, "--socket=%s", g->c->socket))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", g->folder);
	/* Without its date a dump of what did not change is the same bytes. */
	const char *const argv[] = {"mariadb-dump", g->who, at, file, "--single-transaction", "--quick",
	    "--all-databases", "--routines", "--events", "--triggers", "--hex-blob", "--skip-dump-date", NULL};
	return run(g, argv, reterr);
}

/* What lies in the data directory and is no table: neither way copies it, and a server may need it to start. */
static bool is_carried(const char *name)
{
	return text_ends(name, ".pem") || text_ends(name, ".flag") || text_equal(name, "mysql_upgrade_info") ||
	       text_equal(name, "mariadb_upgrade_info");
}

static enum err_code carry_one(struct copying *g, int fd, const struct stat *st, const char *name, struct err *reterr)
{
	char to[PATH_LIMIT];
	CLEANUP(cleanup_free) uint8_t *room = malloc(CARRIED_MAX);
	size_t n = 0;
	enum err_code rc = room ? tree_join(g->folder, name, to, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = io_pread_full(fd, room, CARRIED_MAX, 0, &n, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return err_sys(reterr, errno, "%s", to);
	rc = file_write_all(out, room, n, reterr);
	if (rc == ERR_OK &&
	    ((geteuid() == 0 && fchown(out, st->st_uid, st->st_gid) != 0) || fchmod(out, st->st_mode & 0777) != 0))
		rc = err_sys(reterr, errno, "%s", to);
	return rc;
}

static enum err_code carry(struct copying *g, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	CLEANUP(cleanup_dir) DIR *dir = opendir(g->c->data_directory);
	if (!dir)
		return err_sys(reterr, errno, "%s", g->c->data_directory);
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));) {
		struct stat st;
		if (!is_carried(e->d_name))
			continue;
		CLEANUP(cleanup_fd)
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CARRIED_MAX)
			rc = carry_one(g, fd, &st, e->d_name, reterr);
	}
	return rc;
}

static enum err_code take(struct copying *g, struct err *reterr)
{
	enum err_code rc = mariadb_login(g->c, g->who, reterr);
	if (rc == ERR_OK)
		rc = learn(g, reterr);
	if (rc == ERR_OK)
		rc = g->c->method == MARIADB_DUMP ? dump(g, reterr) : physical(g, reterr);
	if (rc == ERR_OK && g->c->method == MARIADB_PHYSICAL)
		rc = carry(g, reterr);
	/* What was prepared becomes the data directory. */
	if (rc == ERR_OK && chmod(g->folder, g->owner.st_mode & 07777) != 0)
		rc = err_sys(reterr, errno, "%s", g->folder);
	return rc;
}

static enum err_code snapshot(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr)
{
	struct copying g = {.j = j, .c = j->service->components.database->mariadb};
	CLEANUP(cleanup_fd) int lock = -1;
	struct adapter_job with = *j;
	struct snapshot_options o = *j->o;
	if (stat(g.c->data_directory, &g.owner) != 0)
		return err_sys(reterr, errno, "%s", g.c->data_directory);
	enum err_code rc = adapter_folder(j, g.c->data_directory, g.folder, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = take(&g, reterr);
	if (rc != ERR_OK)
		rc = err_prefix(reterr, rc, "the database cannot be copied");
	struct snapshot_source source = {.component = COMPONENT_DATABASE,
	    .root = g.folder,
	    .label = MARIADB_LABEL,
	    .pages = g.c->method == MARIADB_PHYSICAL ? POSTGRES_PAGES : 0};
	o.versions = g.versions;
	o.version_count = g.version_count;
	with.o = &o;
	if (rc == ERR_OK)
		rc = adapter_take(&with, &source, 1, ret, reterr);
	return adapter_done(rc, g.folder, reterr);
}

static enum err_code snapshot_still(
    const struct adapter_job *j, const char *path, struct snapshot_summary *ret, struct err *reterr)
{
	static const char *const left_out[] = {"ibtmp*", "*.pid", "*.sock", "aria_log_control.tmp", "#sql-temptable-*"};
	struct list exclude = {(void *)(uintptr_t)left_out, sizeof left_out / sizeof left_out[0]};
	struct snapshot_source source = {.component = COMPONENT_DATABASE,
	    .root = path,
	    .label = MARIADB_LABEL,
	    .exclude = &exclude,
	    .pages = POSTGRES_PAGES};
	return adapter_take(j, &source, 1, ret, reterr);
}

const struct adapter adapter_mariadb = {.label = MARIADB_LABEL,
    .outline_files = mariadb_outline_files,
    .outline_catalogues = mariadb_outline_catalogues,
    .snapshot = snapshot,
    .snapshot_still = snapshot_still,
    .assemble = mariadb_assemble,
    .trial = mariadb_trial};
