#include "agent/database/database.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/io/process.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { REMOVE_FDS = 32, PROC_PATH = 64 };

static const struct postgres_config *postgres_of(const struct service_config *s)
{
	return s->components.database ? s->components.database->postgres : NULL;
}

/* ---- removing a tree of ours ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static enum err_code remove_tree(const char *path, struct err *reterr)
{
	if (nftw(path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
		return err_sys(reterr, errno, "%s cannot be removed", path);
	return ERR_OK;
}

/* ---- programs of the cluster ---- */

static enum err_code become(const struct postgres_config *pg, struct process_spec *spec, struct err *reterr)
{
	if (pg->run_as.count || geteuid() != 0)
		return ERR_OK;
	char room[4096];
	struct passwd entry, *found = NULL;
	if (getpwnam_r(pg->user, &entry, room, sizeof room, &found) != 0 || !found)
		return err_set(reterr, ERR_NOT_FOUND,
		    "there is no system user %s: set `user` or `run_as` of the database in agent.yaml", pg->user);
	spec->set_user = true;
	spec->uid = entry.pw_uid;
	spec->gid = entry.pw_gid;
	return ERR_OK;
}

static enum err_code run(const struct postgres_config *pg, const char *program, const char *const *args,
    const char *directory, struct err *reterr)
{
	const char *argv[PROCESS_ARGV_MAX];
	char path[PATH_LIMIT];
	size_t n = 0;
	for (size_t i = 0; i < pg->run_as.count; i++)
		argv[n++] = LIST_AT(pg->run_as, const char *, i);
	if (!text_format(path, sizeof path, "%s/%s", pg->bin_directory, program))
		return err_set(reterr, ERR_LIMIT, "bin_directory is too long a path");
	argv[n++] = path;
	for (size_t i = 0; args[i]; i++)
		argv[n++] = args[i];
	argv[n] = NULL;
	struct process_spec spec = {
	    .argv = argv, .directory = directory, .timeout_ms = DATABASE_COPY_TIMEOUT_MS, .merge_errors = true};
	enum err_code rc = become(pg, &spec, reterr);
	return rc == ERR_OK ? process_run_ok(&spec, NULL, reterr) : rc;
}

/* ---- taking ---- */

/* Whoever owns the cluster writes the copy, whichever way it is become. */
static enum err_code prepare_folder(const struct postgres_config *pg, const char *folder, struct err *reterr)
{
	struct stat owner;
	enum err_code rc = remove_tree(folder, reterr);
	if (rc == ERR_OK)
		rc = file_make_dirs(folder, 0700, reterr);
	if (rc == ERR_OK && stat(pg->data_directory, &owner) != 0)
		rc = err_sys(reterr, errno, "%s", pg->data_directory);
	if (rc == ERR_OK && geteuid() == 0 && chown(folder, owner.st_uid, owner.st_gid) != 0)
		rc = err_sys(reterr, errno, "%s cannot be given to the owner of %s", folder, pg->data_directory);
	return rc;
}

static enum err_code copy_running(const struct postgres_config *pg, const char *folder, struct err *reterr)
{
	char port[16];
	text_format(port, sizeof port, "%u", pg->port);
	const char *args[] = {"-D", folder, "-h", pg->socket_directory, "-p", port, "-U", pg->user, "-X", "fetch", "-c",
	    "fast", "--no-sync", "-w", "-l", "kedge", NULL};
	enum err_code rc = run(pg, "pg_basebackup", args, "/", reterr);
	return err_prefix(reterr, rc, "the database cannot be copied: pg_basebackup");
}

static enum err_code snapshot_with(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, const char *root, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr)
{
	struct snapshot_source source = {COMPONENT_DATABASE, root, DATABASE_LABEL};
	struct snapshot_options with = *o;
	with.sources = &source;
	with.source_count = 1;
	return snapshot_create(r, service, &with, arena, ret, reterr);
}

static bool wants_database(const struct service_config *service, const struct snapshot_options *o)
{
	return postgres_of(service) && (!o->components || o->components & 1u << COMPONENT_DATABASE);
}

enum err_code database_snapshot(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    const char *work_directory, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(service);
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	if (!wants_database(service, o))
		return snapshot_create(r, service, o, arena, ret, reterr);
	if (!text_format(folder, sizeof folder, "%s/%s", work_directory, service->name) ||
	    !text_format(path, sizeof path, "%s.lock", folder))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", work_directory);
	enum err_code rc = file_make_dirs(work_directory, 0711, reterr);
	if (rc == ERR_OK && (rc = file_lock(path, &lock, reterr)) == ERR_BUSY)
		rc = err_prefix(reterr, rc, "another copy of the database of %s is being made", service->name);
	if (rc != ERR_OK)
		return rc;
	rc = prepare_folder(pg, folder, reterr);
	if (rc == ERR_OK)
		rc = copy_running(pg, folder, reterr);
	if (rc == ERR_OK)
		rc = snapshot_with(r, service, o, folder, arena, ret, reterr);
	struct err ignored = ERR_INIT;
	enum err_code gone = remove_tree(folder, &ignored);
	return rc == ERR_OK && gone != ERR_OK ? err_set(reterr, gone, "%s", ignored.msg) : rc;
}

enum err_code database_snapshot_stopped(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	if (!wants_database(service, o))
		return snapshot_create(r, service, o, arena, ret, reterr);
	if (database_running(service))
		return err_set(reterr, ERR_STATE,
		    "the database of %s still runs: its files cannot be copied as they lie", service->name);
	return snapshot_with(r, service, o, postgres_of(service)->data_directory, arena, ret, reterr);
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

static void parent_of(const char *path, char out[PATH_LIMIT])
{
	text_copy(out, PATH_LIMIT, path);
	char *slash = strrchr(out, '/');
	if (slash)
		slash[slash == out] = '\0';
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
	parent_of(data, parent);
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

static enum err_code restore_beside(struct snapshot *s, const char *to, struct err *reterr)
{
	char box[PATH_LIMIT], tree[PATH_LIMIT], parent[PATH_LIMIT];
	struct restore_options o = {.components = 1u << COMPONENT_DATABASE, .sync = true};
	struct restore_result done;
	struct err late = ERR_INIT;
	if (!text_format(box, sizeof box, "%s.part", to) ||
	    !text_format(tree, sizeof tree, "%s/%s", box, DATABASE_LABEL))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", to);
	parent_of(to, parent);
	enum err_code rc = remove_tree(to, reterr);
	if (rc == ERR_OK)
		rc = remove_tree(box, reterr);
	if (rc == ERR_OK)
		rc = snapshot_restore_into(s, box, &o, &done, reterr);
	if (rc == ERR_OK && rename(tree, to) != 0)
		rc = err_sys(reterr, errno, "%s cannot be named %s", tree, to);
	if (remove_tree(box, &late) != ERR_OK && rc == ERR_OK)
		rc = err_set(reterr, ERR_IO, "%s", late.msg);
	return rc == ERR_OK ? file_sync_dir(parent, reterr) : rc;
}

enum err_code database_stage(
    struct snapshot *s, const struct service_config *service, const char *token, struct err *reterr)
{
	char to[PATH_LIMIT];
	enum err_code rc = beside(service, token, to, sizeof to, reterr);
	if (rc == ERR_OK)
		rc = check_place(s, postgres_of(service)->data_directory, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = restore_beside(s, to, reterr);
	if (rc != ERR_OK)
		(void)!remove_tree(to, NULL);
	return rc;
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
	parent_of(data, parent);
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
	return rc == ERR_OK ? remove_tree(path, reterr) : rc;
}
