/* SQLite: copied by its online backup while others read and write; put back by exchanging the main file while nobody
 * has it open.
 *
 * The log of a database in WAL mode belongs to the main file that it was written for: it is folded into that file
 * before the exchange, or (where SQLite cannot, because the file is damaged) set aside with it, and never left beside
 * another main file.  This file and sqlite_outline.c alone see libsqlite3. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	STEP_PAGES = 2048,   /* between two looks at whether it was cancelled */
	BUSY_MS = 60 * 1000, /* somebody who writes holds everybody else off for so long at most */
	BUSY_POLL_MS = 10,
	COPY_MODE = 07777,
};
#define LABEL "sqlite"
#define MAIN  "main"
static const char *const companions[] = {"-wal", "-shm", "-journal"};
enum { COMPANIONS = sizeof companions / sizeof companions[0] };

static void close_database(sqlite3 *db)
{
	(void)sqlite3_close(db);
}
CLEANUP_DEFINE(sqlite3, database_cleanup, close_database)

static enum err_code said(sqlite3 *db, int code, const char *path, struct err *reterr)
{
	enum err_code rc = code == SQLITE_BUSY || code == SQLITE_LOCKED      ? ERR_BUSY
			   : code == SQLITE_FULL                             ? ERR_FULL
			   : code == SQLITE_NOMEM                            ? ERR_NOMEM
			   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_CORRUPT
									     : ERR_IO;
	return err_set(reterr, rc, "%s: SQLite: %s", path, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

static enum err_code open_database(const char *path, int flags, sqlite3 **ret, struct err *reterr)
{
	CLEANUP(database_cleanup) sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
	if (code != SQLITE_OK)
		return said(db, code & 0xff, path, reterr);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_busy_timeout(db, BUSY_MS);
	*ret = TAKE_PTR(db);
	return ERR_OK;
}

static enum err_code run(sqlite3 *db, const char *sql, const char *path, struct err *reterr)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? ERR_OK : said(db, code & 0xff, path, reterr);
}

/* ---- copying ---- */

static enum err_code copy_pages(
    sqlite3 *to, sqlite3 *from, const char *path, const atomic_bool *cancel, struct err *reterr)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	if (!b)
		return said(to, sqlite3_errcode(to), path, reterr);
	uint64_t until = clock_mono_ms() + BUSY_MS;
	int code = SQLITE_OK;
	bool cancelled = false;
	while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
		cancelled = cancel && atomic_load(cancel);
		if (cancelled)
			break;
		code = sqlite3_backup_step(b, STEP_PAGES) & 0xff;
		if (code == SQLITE_OK) {
			until = clock_mono_ms() + BUSY_MS;
		} else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
			if (clock_mono_ms() >= until)
				break;
			(void)poll(NULL, 0, BUSY_POLL_MS);
		}
	}
	int end = sqlite3_backup_finish(b);
	if (cancelled)
		return err_set(reterr, ERR_CANCELLED, "cancelled");
	return code == SQLITE_DONE && end == SQLITE_OK ? ERR_OK
						       : said(NULL, code != SQLITE_DONE ? code : end, path, reterr);
}

static enum err_code like_original(const char *path, const char *original, struct err *reterr)
{
	struct stat st;
	if (stat(original, &st) != 0)
		return err_sys(reterr, errno, "%s", original);
	if (chmod(path, st.st_mode & COPY_MODE) != 0 || (geteuid() == 0 && chown(path, st.st_uid, st.st_gid) != 0))
		return err_sys(reterr, errno, "%s", path);
	return ERR_OK;
}

/* The reading transaction that is open throughout holds one state of it; in WAL mode nobody waits for that. */
static enum err_code copy_to(const char *original, const char *path, const atomic_bool *cancel, struct err *reterr)
{
	CLEANUP(database_cleanup) sqlite3 *from = NULL;
	CLEANUP(database_cleanup) sqlite3 *to = NULL;
	enum err_code rc = open_database(original, SQLITE_OPEN_READWRITE, &from, reterr);
	if (rc == ERR_OK)
		rc = run(from, "BEGIN; SELECT count(*) FROM sqlite_schema", original, reterr);
	if (rc == ERR_OK)
		rc = open_database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, reterr);
	if (rc == ERR_OK)
		rc = run(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", path, reterr);
	return rc == ERR_OK ? copy_pages(to, from, original, cancel, reterr) : rc;
}

static enum err_code take(
    const struct adapter_job *j, const char *original, struct snapshot_summary *ret, struct err *reterr)
{
	char folder[PATH_LIMIT], path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = adapter_folder(j, original, folder, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tree_join(folder, MAIN, path, reterr);
	if (rc == ERR_OK)
		rc = copy_to(original, path, j->o->cancel, reterr);
	if (rc == ERR_OK)
		rc = like_original(path, original, reterr);
	struct snapshot_source source = {
	    .component = COMPONENT_DATABASE, .root = folder, .label = LABEL, .pages = POSTGRES_PAGES};
	if (rc == ERR_OK)
		rc = adapter_take(j, &source, 1, ret, reterr);
	return adapter_done(rc, folder, reterr);
}

static enum err_code snapshot(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr)
{
	return take(j, j->service->components.database->sqlite->file, ret, reterr);
}

/* ---- the way back ---- */

/* box/sqlite/main becomes box/sqlite. */
static enum err_code assemble(const char *box, struct err *reterr)
{
	char folder[PATH_LIMIT], file[PATH_LIMIT], moved[PATH_LIMIT];
	enum err_code rc = tree_join(box, LABEL, folder, reterr);
	if (rc == ERR_OK)
		rc = tree_join(folder, MAIN, file, reterr);
	if (rc == ERR_OK)
		rc = tree_join(box, MAIN, moved, reterr);
	if (rc == ERR_OK && (rename(file, moved) != 0 || rmdir(folder) != 0 || rename(moved, folder) != 0))
		rc = err_sys(reterr, errno, "%s", file);
	return rc;
}

static bool beside(const char *path, const char *companion, const char *more, char out[PATH_LIMIT])
{
	return text_format(out, PATH_LIMIT, "%s%s%s", path, companion, more);
}

/* What was committed goes into the main file, what was not is undone: as the last one does who closes it. */
static void settle(const char *path)
{
	sqlite3 *db = NULL;
	struct err why = ERR_INIT;
	if (open_database(path, SQLITE_OPEN_READWRITE, &db, &why) == ERR_OK &&
	    run(db, "PRAGMA wal_checkpoint(TRUNCATE); SELECT count(*) FROM sqlite_schema", path, &why) != ERR_OK)
		log_warn("database", "%s: it is set aside with its log as they are", why.msg);
	(void)sqlite3_close(db);
}

static enum err_code move_if_there(const char *from, const char *to, struct err *reterr)
{
	return rename(from, to) == 0 || errno == ENOENT ? ERR_OK
							: err_sys(reterr, errno, "%s cannot be named %s", from, to);
}

static enum err_code before_swap(const char *place, const char *other, struct err *reterr)
{
	char from[PATH_LIMIT], to[PATH_LIMIT];
	enum err_code rc = ERR_OK;
	settle(place);
	for (size_t i = 0; i < COMPANIONS && rc == ERR_OK; i++)
		rc = beside(place, companions[i], "", from) && beside(other, companions[i], ".left", to)
			 ? move_if_there(from, to, reterr)
			 : err_set(reterr, ERR_LIMIT, "%s is too long a path", place);
	return rc;
}

/* What came brings its own along; what went has its own again. */
static enum err_code after_swap(const char *place, const char *other, struct err *reterr)
{
	char from[PATH_LIMIT], to[PATH_LIMIT];
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < COMPANIONS && rc == ERR_OK; i++) {
		if (beside(other, companions[i], "", from) && beside(place, companions[i], "", to))
			rc = move_if_there(from, to, reterr);
		if (rc == ERR_OK && beside(other, companions[i], ".left", from) && beside(other, companions[i], "", to))
			rc = move_if_there(from, to, reterr);
	}
	return rc;
}

static enum err_code discard(const char *other, struct err *reterr)
{
	char path[PATH_LIMIT];
	for (size_t i = 0; i < COMPANIONS; i++)
		for (int left = 0; left < 2; left++)
			if (beside(other, companions[i], left ? ".left" : "", path) && unlink(path) != 0 &&
			    errno != ENOENT)
				return err_sys(reterr, errno, "%s", path);
	return ERR_OK;
}

const struct adapter adapter_sqlite = {.label = LABEL,
    .snapshot = snapshot,
    .snapshot_still = take,
    .assemble = assemble,
    .before_swap = before_swap,
    .after_swap = after_swap,
    .outline_files = sqlite_outline_files,
    .outline_catalogues = sqlite_outline_catalogues,
    .discard = discard};
