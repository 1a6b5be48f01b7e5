#include "agent/database/contents.h"
#include "agent/database/postgres_recovery.h"
#include "agent/database/tablespaces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { PROC_PATH = 64, SETTINGS_MAX = 4 << 20, SETTLE_POLL_MS = 10 };

const struct adapter *adapter_of(const struct service_config *s)
{
	const struct component_config *c = s->components.database;
	return !c            ? NULL
	       : c->postgres ? &adapter_postgres
	       : c->sqlite   ? &adapter_sqlite
	       : c->redis    ? &adapter_redis
	       : c->mariadb  ? &adapter_mariadb
	       : c->exec     ? &adapter_exec
			     : NULL;
}

const char *adapter_place(const struct service_config *s)
{
	return component_database_path(s->components.database);
}

static bool wants_database(const struct service_config *service, const struct snapshot_options *o)
{
	return adapter_of(service) && (!o->components || o->components & 1u << COMPONENT_DATABASE);
}

/* ---- for the adapters ---- */

/* Private to us and to the database's own user: what is put there is read at once and removed. */
enum err_code adapter_folder(
    const struct adapter_job *j, const char *like, char out[PATH_LIMIT], int *ret_lock, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct stat owner;
	CLEANUP(cleanup_fd) int lock = -1;
	if (!text_format(out, PATH_LIMIT, "%s/%s", j->work, j->service->name) ||
	    !text_format(path, sizeof path, "%s.lock", out))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", j->work);
	enum err_code rc = file_make_dirs(j->work, 0711, reterr);
	if (rc == ERR_OK && (rc = file_lock(path, &lock, reterr)) == ERR_BUSY)
		rc = err_prefix(reterr, rc, "another copy of the database of %s is being made", j->service->name);
	if (rc == ERR_OK)
		rc = tree_remove(out, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(out, 0700, reterr);
	if (rc == ERR_OK && stat(like, &owner) != 0)
		rc = err_sys(reterr, errno, "%s", like);
	if (rc == ERR_OK && geteuid() == 0 && chown(out, owner.st_uid, owner.st_gid) != 0)
		rc = err_sys(reterr, errno, "%s", out);
	if (rc == ERR_OK)
		*ret_lock = TAKE_FD(lock);
	return rc;
}

enum err_code adapter_take(const struct adapter_job *j, const struct snapshot_source *sources, size_t count,
    struct snapshot_summary *ret, struct err *reterr)
{
	struct snapshot_options with = *j->o;
	with.sources = sources;
	with.source_count = count;
	return snapshot_create(j->repo, j->service, &with, j->arena, ret, reterr);
}

enum err_code adapter_done(enum err_code rc, const char *folder, struct err *reterr)
{
	struct err why = ERR_INIT;
	enum err_code gone = tree_remove(folder, &why);
	return rc == ERR_OK && gone != ERR_OK ? err_set(reterr, gone, "%s", why.msg) : rc;
}

/* ---- taking ---- */

enum err_code database_snapshot(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    const char *work_directory, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	struct adapter_job j = {r, service, o, work_directory, arena};
	return wants_database(service, o) ? adapter_of(service)->snapshot(&j, ret, reterr)
					  : snapshot_create(r, service, o, arena, ret, reterr);
}

enum err_code database_snapshot_stopped(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, const char *work_directory, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr)
{
	struct adapter_job j = {r, service, o, work_directory, arena};
	if (!wants_database(service, o))
		return snapshot_create(r, service, o, arena, ret, reterr);
	if (database_running(service))
		return err_set(reterr, ERR_STATE,
		    "the database of %s still runs: its files cannot be copied as they lie", service->name);
	return adapter_of(service)->snapshot_still(&j, adapter_place(service), ret, reterr);
}

enum err_code database_thaw_leftover(
    const char *work_directory, const struct service_config *service, struct err *reterr)
{
	return hooks_thaw_leftover(work_directory, service, reterr);
}

/* ---- the way back ---- */

/* Room for it, on the data directory's own file system. */
static enum err_code check_place(
    const struct snapshot *s, const struct adapter *kind, const char *data, bool by_contents_too, struct err *reterr)
{
	const struct snapshot_component *c = snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE);
	char parent[PATH_LIMIT], need[TEXT_TIME_MAX], have[TEXT_TIME_MAX];
	struct stat above, here;
	struct statvfs fs;
	if (!c)
		return err_set(reterr, ERR_NOT_FOUND, "the restore point holds no database");
	tree_parent(data, parent);
	if (by_contents_too)
		text_copy(parent, sizeof parent, data);
	if (stat(parent, &above) != 0 || statvfs(parent, &fs) != 0)
		return err_sys(reterr, errno, "%s cannot be looked at", parent);
	if (stat(data, &here) == 0 && here.st_dev != above.st_dev)
		return err_set(reterr, ERR_UNSUPPORTED,
		    "%s is a mount point: its data directory must be a folder below it, to be exchanged", data);
	uint64_t bytes = c->size_bytes, entries = c->entries;
	enum err_code rc = kind->room ? kind->room(s, parent, &bytes, &entries, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	uint64_t wanted = bytes + bytes / 5, there = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (there < wanted)
		return err_set(reterr, ERR_FULL,
		    "not enough room beside %s: %s are needed, %s are free; nothing was changed", data,
		    text_size_human(wanted, need), text_size_human(there, have));
	if (fs.f_files && fs.f_favail < entries + entries / 5)
		return err_set(reterr, ERR_FULL, "not enough inodes beside %s; nothing was changed", data);
	return ERR_OK;
}

static bool is_folder(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool link_of(const char *data, char out[PATH_LIMIT])
{
	char path[PATH_LIMIT];
	ssize_t n = tree_join(data, "pg_wal", path, NULL) == ERR_OK ? readlink(path, out, PATH_LIMIT - 1) : -1;
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* A restore point is of a server that wrote: put back, it writes again, whoever does by now. */
static enum err_code check_role(const struct service_config *service, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!postgres_of(service) || tree_join(adapter_place(service), "standby.signal", path, NULL) != ERR_OK ||
	    !file_exists(path))
		return ERR_OK;
	return err_set(reterr, ERR_STATE,
	    "the database of %s is a standby now, and would become a second server that writes: roll back the one that "
	    "it follows, and make this one anew from that, or remove %s first",
	    service->name, path);
}

void database_moved(const struct service_config *service, const char *token, char *text)
{
	char other[PATH_LIMIT], before[PATH_LIMIT], now[PATH_LIMIT];
	*text = '\0';
	if (!postgres_of(service) || adapter_beside(service, token, other, NULL) != ERR_OK || !link_of(other, before) ||
	    link_of(adapter_place(service), now))
		return;
	(void)text_format(text, TEXT_LINE_MAX,
	    "its write-ahead log, which lay in %.300s, lies in the data directory now: when the server is stopped, move "
	    "pg_wal there, and a symlink to it in its place",
	    before);
}

enum err_code database_choose(const struct snapshot *s, const struct service_config *service, enum database_way *ret,
    char *text, struct err *reterr)
{
	const struct adapter *kind = adapter_of(service);
	struct err why = ERR_INIT;
	char path[PATH_LIMIT];
	if (!kind)
		return err_set(reterr, ERR_NOT_FOUND, "%s has no database", service->name);
	enum err_code rc = check_role(service, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = check_place(s, kind, adapter_place(service), adapter_by_contents(service), &why);
	bool short_of_room = rc == ERR_FULL && kind->places && is_folder(adapter_place(service));
	if (rc != ERR_OK && !short_of_room)
		return err_set(reterr, rc, "%s", why.msg);
	*ret = short_of_room ? DATABASE_IN_PLACE : DATABASE_BESIDE;
	*text = '\0';
	if (!short_of_room)
		return ERR_OK;
	/* Nothing is written through a symlink. */
	if (text_format(path, sizeof path, "%s/pg_wal", adapter_place(service)) && postgres_of(service) &&
	    !is_folder(path))
		return err_set(reterr, ERR_FULL,
		    "%s; and %s is no folder of its own, so that it cannot be done in place", why.msg, path);
	*strchrnul(why.msg, ';') = '\0';
	(void)text_format(text, TEXT_LINE_MAX, "in place, only what differs: %s", why.msg);
	return ERR_OK;
}

enum err_code database_places(const struct snapshot *s, const struct snapshot *now,
    const struct service_config *service, struct arena *arena, struct list *ret, struct err *reterr)
{
	const struct adapter *kind = adapter_of(service);
	return kind && kind->places ? kind->places(s, now, service, arena, ret, reterr)
				    : err_set(reterr, ERR_UNSUPPORTED, "this database is never put back in place");
}

const char *database_last(const struct service_config *service)
{
	return adapter_of(service)->last;
}

/* Everything on its file system: one call instead of one a file. */
static enum err_code sync_around(const char *folder, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) != 0 ? err_sys(reterr, errno, "%s cannot be synced", folder) : ERR_OK;
}

static enum err_code restore_beside(struct snapshot *s, const struct adapter *kind, const char *place, const char *to,
    const char *settings, struct arena *arena, struct err *reterr)
{
	char box[PATH_LIMIT], tree[PATH_LIMIT], parent[PATH_LIMIT];
	struct restore_options o = {.components = 1u << COMPONENT_DATABASE};
	struct restore_result done;
	struct err late = ERR_INIT;
	if (!text_format(box, sizeof box, "%s.part", to) || !text_format(tree, sizeof tree, "%s/%s", box, kind->label))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", to);
	tree_parent(to, parent);
	enum err_code rc = tree_remove(to, reterr);
	if (rc == ERR_OK)
		rc = contents_forget(to, reterr);
	if (rc == ERR_OK)
		rc = tree_remove(box, reterr);
	if (rc == ERR_OK && kind->stage_else)
		rc = kind->stage_else(s, place, to, arena, &o.paths, reterr);
	if (rc == ERR_OK)
		rc = snapshot_restore_into(s, box, &o, &done, reterr);
	if (rc == ERR_OK && kind->assemble)
		rc = kind->assemble(box, reterr);
	if (rc == ERR_OK && settings)
		rc = recovery_prepare(tree, settings, reterr);
	if (rc == ERR_OK)
		rc = sync_around(box, reterr);
	if (rc == ERR_OK && rename(tree, to) != 0)
		rc = err_sys(reterr, errno, "%s cannot be named %s", tree, to);
	if (tree_remove(box, &late) != ERR_OK && rc == ERR_OK)
		rc = err_set(reterr, ERR_IO, "%s", late.msg);
	return rc == ERR_OK ? file_sync_dir(parent, reterr) : rc;
}

static const char *fact(const struct snapshot *s, const char *name)
{
	const struct list *all = &snapshot_about(s)->versions;
	for (size_t i = 0; i < all->count; i++)
		if (text_equal(LIST_AT(*all, struct snapshot_version, i).name, name))
			return LIST_AT(*all, struct snapshot_version, i).value;
	return NULL;
}

/* The server reads the archive, and goes on with it, as its own user: also when it came here from elsewhere. */
static enum err_code give_archive(
    const char *state_directory, const struct service_config *service, const char *tree, struct err *reterr)
{
	struct wal_area area;
	if (!postgres_of(service) || !postgres_of(service)->wal_archive)
		return ERR_OK;
	enum err_code rc = wal_area_open(state_directory, service->name, &area, reterr);
	if (rc != ERR_OK)
		return rc == ERR_NOT_FOUND ? ERR_OK : rc;
	rc = wal_area_give(&area, tree, reterr);
	wal_area_wipe(&area);
	return rc;
}

/* What is simply started goes on writing on its timeline, over places in the log that are archived already.  A base
 * copy recovers to where it is whole; a copy of a stopped server to the end of the log that lies in it. */
enum err_code database_settings(const struct snapshot *s, const char *state_directory,
    const struct service_config *service, struct arena *arena, const char **ret, struct err *reterr)
{
	*ret = NULL;
	uint64_t timeline = 0;
	const char *text = fact(s, "postgres_timeline");
	bool base = fact(s, "postgres_start") != NULL;
	if (!postgres_of(service) || !postgres_of(service)->wal_archive || !text ||
	    text_u64(text, &timeline, NULL) != ERR_OK)
		return ERR_OK;
	return recovery_settings(state_directory, service->name, (uint32_t)timeline, base ? "" : " --history",
	    base ? "recovery_target = 'immediate'\n" : "", arena, ret, reterr);
}

enum err_code database_settle_in_place(
    const char *state_directory, const struct service_config *service, const char *settings, struct err *reterr)
{
	enum err_code rc = settings ? recovery_prepare(adapter_place(service), settings, reterr) : ERR_OK;
	if (rc == ERR_OK && postgres_of(service))
		rc = postgres_log_is_archived(adapter_place(service), reterr);
	if (rc == ERR_OK && postgres_of(service))
		rc = tablespaces_own(adapter_place(service), reterr);
	return rc == ERR_OK ? give_archive(state_directory, service, adapter_place(service), reterr) : rc;
}

enum err_code database_stage(struct snapshot *s, const char *state_directory, const struct service_config *service,
    const char *token, const char *settings, struct err *reterr)
{
	char to[PATH_LIMIT];
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(SETTINGS_MAX);
	enum err_code rc =
	    arena ? adapter_beside(service, token, to, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = check_place(s, adapter_of(service), adapter_place(service), adapter_by_contents(service), reterr);
	if (rc == ERR_OK && !settings)
		rc = database_settings(s, state_directory, service, arena, &settings, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = restore_beside(s, adapter_of(service), adapter_place(service), to, settings, arena, reterr);
	if (rc == ERR_OK)
		rc = give_archive(state_directory, service, to, reterr);
	if (rc != ERR_OK)
		(void)!database_discard(service, token, NULL);
	return rc;
}

/* ---- after the start ---- */

enum err_code database_settle(const struct service_config *service, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(service);
	enum recovery_course course;
	if (!pg || !pg->wal_archive)
		return ERR_OK;
	for (uint64_t until = clock_mono_ms() + DATABASE_SETTLE_MS;
	     (course = recovery_course(pg->data_directory)) == RECOVERY_DUE || course == RECOVERY_ENDING;) {
		if (!database_running(service))
			return err_set(reterr, ERR_STATE,
			    "the database of %s stopped while it was recovering: its log tells why", service->name);
		if (clock_mono_ms() >= until)
			return err_set(
			    reterr, ERR_TIMEOUT, "the database of %s did not end its recovery in time", service->name);
		(void)poll(NULL, 0, SETTLE_POLL_MS);
	}
	if (course == RECOVERY_RAN_PAST)
		return err_set(reterr, ERR_STATE,
		    "the database of %s was stopped in the last moment of its recovery, and started without its target: "
		    "it may hold more than it should",
		    service->name);
	return recovery_forget(pg->data_directory, reterr);
}

enum err_code database_before_start(const struct service_config *service, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(service);
	if (!pg || !pg->wal_archive || recovery_course(pg->data_directory) != RECOVERY_ENDING ||
	    database_running(service))
		return ERR_OK;
	log_warn("database", "service=%s was stopped in the last moment of its recovery: it is told its target again",
	    service->name);
	return recovery_aim_again(pg->data_directory, reterr);
}

void database_before_stop(const struct service_config *service)
{
	const struct postgres_config *pg = postgres_of(service);
	struct err err = ERR_INIT;
	if (!pg || !recovery_is_aimed(pg->data_directory) || !database_running(service))
		return;
	if (database_settle(service, &err) != ERR_OK)
		log_warn("database", "service=%s is stopped while it recovers: %s", service->name, err.msg);
}

/* ---- is it in use ---- */

/* A shell that somebody left in the data directory is none. */
static bool is_server(const struct adapter *kind, const char *pid)
{
	char path[PROC_PATH], name[NAME_MAX_BYTES] = "";
	if (!kind->program || !text_format(path, sizeof path, "/proc/%.20s/comm", pid))
		return true;
	CLEANUP(cleanup_file) FILE *f = fopen(path, "re");
	return !f || !fgets(name, sizeof name, f) || text_starts(name, kind->program) ||
	       text_starts(name, "postmaster");
}

/* Of every process of the host: one may stand in a mount that answers no more, so that none is asked. */
static bool works_in(const char *pid, const struct stat *place)
{
	char path[PROC_PATH];
	struct statx cwd;
	return text_format(path, sizeof path, "/proc/%.20s/cwd", pid) &&
	       statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &cwd) == 0 &&
	       makedev(cwd.stx_dev_major, cwd.stx_dev_minor) == place->st_dev && cwd.stx_ino == place->st_ino;
}

/* A file of it, or below it, is open in that process. */
static bool has_open(const char *pid, const char *place)
{
	char path[PROC_PATH], target[PATH_LIMIT];
	size_t n = strlen(place);
	if (!text_format(path, sizeof path, "/proc/%.20s/fd", pid))
		return true;
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		ssize_t got = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
		target[got > 0 ? got : 0] = '\0';
		if (text_starts(target, place) && (!target[n] || target[n] == '/' || target[n] == ' '))
			return true;
	}
	return false;
}

/* Servers work in their data directory (PostgreSQL's every process, Redis).  A pid file alone would not do: it may have
 * been deleted under a running server, or name a process that is somebody else by now.  What is no server's has its
 * files open instead. */
bool database_running(const struct service_config *service)
{
	const struct adapter *kind = adapter_of(service);
	struct stat place;
	if (!kind || stat(adapter_place(service), &place) != 0)
		return false;
	char real[PATH_LIMIT], self[PROC_PATH];
	text_format(self, sizeof self, "%d", (int)getpid());
	if (!realpath(adapter_place(service), real))
		return true; /* who cannot look must assume */
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	bool found = !proc;
	for (struct dirent *e; !found && (e = readdir(proc));)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && !text_equal(e->d_name, self))
			found = kind->program ? works_in(e->d_name, &place) && is_server(kind, e->d_name)
					      : has_open(e->d_name, real);
	return found;
}

/* ---- practised ---- */

enum err_code database_assemble(const char *box, struct err *reterr)
{
	char data[PATH_LIMIT];
	enum err_code rc = tree_join(box, adapter_postgres.label, data, reterr);
	if (rc != ERR_OK || !file_exists(data))
		return rc;
	rc = postgres_assemble(box, reterr);
	return rc == ERR_OK ? sync_around(box, reterr) : rc;
}

enum err_code database_try(const struct service_config *service, const char *box, const atomic_bool *cancel,
    bool *ret_tried, struct err *reterr)
{
	const struct adapter *kind = adapter_of(service);
	bool tries = kind && kind->trial;
	enum err_code rc = tries ? kind->trial(service, box, cancel, reterr) : ERR_OK;
	if (rc == ERR_OK)
		*ret_tried = tries;
	return rc;
}

enum err_code database_try_end(const struct service_config *service, const char *box, struct err *reterr)
{
	const struct adapter *kind = adapter_of(service);
	return kind && kind->trial_end && file_exists(box) ? kind->trial_end(service, box, reterr) : ERR_OK;
}
