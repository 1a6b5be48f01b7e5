#include "agent/database/postgres_recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { PROC_PATH = 64, SETTINGS_MAX = 64 << 10, SETTLE_POLL_MS = 10 };

static bool wants_database(const struct service_config *service, const struct snapshot_options *o)
{
	return postgres_of(service) && (!o->components || o->components & 1u << COMPONENT_DATABASE);
}

/* ---- taking ---- */

enum err_code database_snapshot(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    const char *work_directory, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	if (!wants_database(service, o))
		return snapshot_create(r, service, o, arena, ret, reterr);
	return postgres_snapshot(r, service, o, work_directory, arena, ret, reterr);
}

enum err_code database_snapshot_stopped(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	if (!wants_database(service, o))
		return snapshot_create(r, service, o, arena, ret, reterr);
	if (database_running(service))
		return err_set(reterr, ERR_STATE,
		    "the database of %s still runs: its files cannot be copied as they lie", service->name);
	return postgres_snapshot_stopped(r, service, o, postgres_of(service)->data_directory, arena, ret, reterr);
}

/* ---- the way back ---- */

static enum err_code beside(
    const struct service_config *service, const char *token, char *out, size_t size, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(service);
	if (!pg)
		return err_set(reterr, ERR_NOT_FOUND, "%s has no database", service->name);
	if (!text_format(out, size, "%s.kedge-%s", pg->data_directory, token))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", pg->data_directory);
	return ERR_OK;
}

/* Room for it, on the data directory's own file system. */
static enum err_code check_place(const struct snapshot *s, const char *data, struct err *reterr)
{
	const struct snapshot_component *c = snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE);
	char parent[PATH_LIMIT], need[TEXT_TIME_MAX], have[TEXT_TIME_MAX];
	struct stat above, here;
	struct statvfs fs;
	if (!c)
		return err_set(reterr, ERR_NOT_FOUND, "the restore point holds no database");
	tree_parent(data, parent);
	if (stat(parent, &above) != 0 || statvfs(parent, &fs) != 0)
		return err_sys(reterr, errno, "%s cannot be looked at", parent);
	if (stat(data, &here) == 0 && here.st_dev != above.st_dev)
		return err_set(reterr, ERR_UNSUPPORTED,
		    "%s is a mount point: its data directory must be a folder below it, to be exchanged", data);
	uint64_t wanted = c->size_bytes + c->size_bytes / 5, there = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (there < wanted)
		return err_set(reterr, ERR_FULL,
		    "not enough room beside %s: %s are needed, %s are free; nothing was changed", data,
		    text_size_human(wanted, need), text_size_human(there, have));
	if (fs.f_files && fs.f_favail < c->entries + c->entries / 5)
		return err_set(reterr, ERR_FULL, "not enough inodes beside %s; nothing was changed", data);
	return ERR_OK;
}

/* Everything on its file system: one call instead of one a file. */
static enum err_code sync_around(const char *folder, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) != 0 ? err_sys(reterr, errno, "%s cannot be synced", folder) : ERR_OK;
}

static enum err_code restore_beside(struct snapshot *s, const char *to, const char *settings, struct err *reterr)
{
	char box[PATH_LIMIT], tree[PATH_LIMIT], parent[PATH_LIMIT];
	struct restore_options o = {.components = 1u << COMPONENT_DATABASE};
	struct restore_result done;
	struct err late = ERR_INIT;
	if (!text_format(box, sizeof box, "%s.part", to) ||
	    !text_format(tree, sizeof tree, "%s/%s", box, DATABASE_LABEL))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", to);
	tree_parent(to, parent);
	enum err_code rc = tree_remove(to, reterr);
	if (rc == ERR_OK)
		rc = tree_remove(box, reterr);
	if (rc == ERR_OK)
		rc = snapshot_restore_into(s, box, &o, &done, reterr);
	if (rc == ERR_OK)
		rc = postgres_assemble(box, reterr);
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

/* What is simply started goes on writing on its timeline, over places in the log that are archived already.  A base
 * copy recovers to where it is whole; a copy of a stopped server to the end of the log that lies in it. */
static enum err_code end_of(const struct snapshot *s, const char *state_directory, const struct service_config *service,
    struct arena *arena, const char **ret, struct err *reterr)
{
	uint64_t timeline = 0;
	const char *text = fact(s, "postgres_timeline");
	bool base = fact(s, "postgres_start") != NULL;
	if (!postgres_of(service)->wal_archive || !text || text_u64(text, &timeline, NULL) != ERR_OK)
		return ERR_OK;
	return recovery_settings(state_directory, service->name, (uint32_t)timeline, base ? "" : " --history",
	    base ? "recovery_target = 'immediate'\n" : "", arena, ret, reterr);
}

enum err_code database_stage(struct snapshot *s, const char *state_directory, const struct service_config *service,
    const char *token, const char *settings, struct err *reterr)
{
	char to[PATH_LIMIT];
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(SETTINGS_MAX);
	enum err_code rc =
	    arena ? beside(service, token, to, sizeof to, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = check_place(s, postgres_of(service)->data_directory, reterr);
	if (rc == ERR_OK && !settings)
		rc = end_of(s, state_directory, service, arena, &settings, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = restore_beside(s, to, settings, reterr);
	if (rc != ERR_OK)
		(void)!tree_remove(to, NULL);
	return rc;
}

/* ---- after the start ---- */

enum err_code database_settle(const struct service_config *service, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(service);
	if (!pg || !pg->wal_archive)
		return ERR_OK;
	for (uint64_t until = clock_mono_ms() + DATABASE_SETTLE_MS; recovery_is_due(pg->data_directory);) {
		if (!database_running(service))
			return err_set(reterr, ERR_STATE,
			    "the database of %s stopped while it was recovering: its log tells why", service->name);
		if (clock_mono_ms() >= until)
			return err_set(
			    reterr, ERR_TIMEOUT, "the database of %s did not end its recovery in time", service->name);
		(void)poll(NULL, 0, SETTLE_POLL_MS);
	}
	return recovery_forget(pg->data_directory, reterr);
}

/* A shell that somebody left in the data directory is none. */
static bool is_server(const char *pid)
{
	char path[PROC_PATH], name[NAME_MAX_BYTES] = "";
	if (!text_format(path, sizeof path, "/proc/%.20s/comm", pid))
		return true;
	CLEANUP(cleanup_file) FILE *f = fopen(path, "re");
	return !f || !fgets(name, sizeof name, f) || text_starts(name, "postgres") || text_starts(name, "postmaster");
}

/* Servers work in their data directory (postmaster and every backend).  The pid file alone would not do: it may have
 * been deleted under a running server, or name a process that is somebody else by now. */
bool database_running(const struct service_config *service)
{
	const struct postgres_config *pg = postgres_of(service);
	struct stat data, cwd;
	if (!pg || stat(pg->data_directory, &data) != 0)
		return false;
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	char path[PROC_PATH];
	bool found = !proc; /* who cannot look must assume */
	for (struct dirent *e; !found && (e = readdir(proc));)
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' &&
		    text_format(path, sizeof path, "/proc/%.20s/cwd", e->d_name))
			found = stat(path, &cwd) == 0 && cwd.st_dev == data.st_dev && cwd.st_ino == data.st_ino &&
				is_server(e->d_name);
	return found;
}

enum err_code database_snapshot_aside(struct repo *r, const struct service_config *service, const char *token,
    const struct snapshot_options *o, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = beside(service, token, path, sizeof path, reterr);
	return rc == ERR_OK ? postgres_snapshot_stopped(r, service, o, path, arena, ret, reterr) : rc;
}

bool database_staged(const struct service_config *service, const char *token)
{
	char path[PATH_LIMIT];
	return beside(service, token, path, sizeof path, NULL) == ERR_OK && file_exists(path);
}

uint64_t database_inode(const struct service_config *service, const char *token)
{
	char path[PATH_LIMIT];
	struct stat st;
	if (token && beside(service, token, path, sizeof path, NULL) != ERR_OK)
		return 0;
	const char *which = token ? path : postgres_of(service) ? postgres_of(service)->data_directory : "";
	return stat(which, &st) == 0 ? st.st_ino : 0;
}

/* Both there: exchanged in one act.  One of them: it takes the other's place (the data directory may be gone for good).
 */
enum err_code database_swap(const struct service_config *service, const char *token, struct err *reterr)
{
	char other[PATH_LIMIT], parent[PATH_LIMIT];
	enum err_code rc = beside(service, token, other, sizeof other, reterr);
	if (rc != ERR_OK)
		return rc;
	const char *data = postgres_of(service)->data_directory;
	if (database_running(service))
		return err_set(reterr, ERR_STATE,
		    "the database of %s still runs: its data directory cannot be replaced", service->name);
	tree_parent(data, parent);
	bool has_data = file_exists(data), has_other = file_exists(other);
	int failed = has_data && has_other ? renameat2(AT_FDCWD, other, AT_FDCWD, data, RENAME_EXCHANGE)
		     : has_other           ? rename(other, data)
					   : rename(data, other);
	if (failed)
		return err_sys(reterr, errno, "%s cannot be exchanged with %s", data, other);
	return file_sync_dir(parent, reterr);
}

enum err_code database_discard(const struct service_config *service, const char *token, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = beside(service, token, path, sizeof path, reterr);
	return rc == ERR_OK ? tree_remove(path, reterr) : rc;
}
