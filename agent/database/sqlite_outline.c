/* The outline of a SQLite database: its file, what its header says, its schema, and which tables hold anything.
 *
 * Nobody may be kept waiting for this.  A reader holds up nobody who writes a log (WAL); anything else is read without
 * a lock, as a file that stands still, and not believed when it did not: when its change counter moved, or a journal
 * is, or came to be, hot meanwhile (sqlite.org, "Database File Format" 1.3 and 3). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "agent/database/internal.h"
#include "agent/repository/seal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum {
	HEADER = 100,
	WRITES_LOG = 2,    /* header, byte 19: who reads it must read its log, too */
	LOOK_EVERY = 1000, /* steps of SQLite's machine between two looks at the clock */
	NAME_ROOM = 512,
	HEX_OF_SQL = 16,
	BETWEEN_MS = 20, /* two tries beside one who writes */
};

static void close_database(sqlite3 *db)
{
	(void)sqlite3_close(db);
}
CLEANUP_DEFINE(sqlite3, database_cleanup, close_database)
static void end_statement(sqlite3_stmt *s)
{
	(void)sqlite3_finalize(s);
}
CLEANUP_DEFINE(sqlite3_stmt, statement_cleanup, end_statement)

/* ---- files ---- */

enum err_code sqlite_outline_files(const struct service_config *s, struct outline *o, struct err *reterr)
{
	const char *path = s->components.database->sqlite->file, *name = strrchr(path, '/');
	struct outline_files f = {.data = path, .o = o};
	struct stat st;
	if (lstat(path, &st) != 0)
		return ERR_OK; /* that is told, too */
	return outline_file(&f, name ? name + 1 : path, S_ISREG(st.st_mode) ? "-" : "?", &st, reterr);
}

/* ---- does it stand still? ---- */

struct still {
	uint8_t header[HEADER];
	bool log, hot; /* there is something in its log, in its journal */
};

static bool holds_anything(const char *path, const char *companion, bool header_counts)
{
	char name[PATH_LIMIT];
	static const char none[8];
	char begin[8] = "";
	if (!text_format(name, sizeof name, "%s%s", path, companion))
		return false;
	CLEANUP(cleanup_fd) int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || read(fd, begin, sizeof begin) <= 0)
		return false;
	return !header_counts || memcmp(begin, none, sizeof none) != 0; /* one that is over may have been zeroed */
}

static enum err_code look(const char *path, struct still *ret, struct err *reterr)
{
	struct stat st;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(reterr, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || pread(fd, ret->header, HEADER, 0) != HEADER)
		return err_set(reterr, ERR_CORRUPT, "%s is no SQLite database", path);
	ret->log = holds_anything(path, "-wal", false);
	ret->hot = holds_anything(path, "-journal", true);
	return ERR_OK;
}

/* ---- its catalogue ---- */

static int is_late(void *until)
{
	return clock_mono_ms() >= *(const uint64_t *)until;
}

static void put_uri(struct buf *out, const char *path, bool alone)
{
	buf_text(out, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			buf_printf(out, "%%%02x", (unsigned char)*path);
		else
			buf_byte(out, (uint8_t)*path);
	buf_text(out, alone ? "?immutable=1" : "");
}

static enum err_code said(sqlite3 *db, const char *path, struct err *reterr)
{
	int code = sqlite3_errcode(db) & 0xff;
	return err_set(reterr, code == SQLITE_BUSY || code == SQLITE_INTERRUPT ? ERR_BUSY : ERR_IO, "%s: SQLite: %s",
	    path, sqlite3_errmsg(db));
}

struct reading {
	const char *path;
	sqlite3 *db;
	struct outline *o;
	uint64_t until_ms;
};

/* A name that comes into a key loses what divides lines and columns. */
static const char *name_of(const char *kind, const char *name, char out[NAME_ROOM])
{
	(void)snprintf(out, NAME_ROOM, OUTLINE_CATALOGUES "%s/%s", kind, name);
	for (char *at = out; *at; at++)
		if (*at == '\t' || *at == '\n')
			*at = ' ';
	return out;
}

static enum err_code add_setting(const struct reading *r, const char *pragma, struct err *reterr)
{
	char sql[64], key[NAME_ROOM];
	CLEANUP(statement_cleanup) sqlite3_stmt *s = NULL;
	(void)snprintf(sql, sizeof sql, "PRAGMA %s", pragma);
	if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
		return said(r->db, r->path, reterr);
	const char *value = (const char *)sqlite3_column_text(s, 0);
	return outline_add(r->o, name_of("settings", pragma, key), value ? value : "", 0, reterr);
}

static bool holds_rows(const struct reading *r, const char *table)
{
	CLEANUP(statement_cleanup) sqlite3_stmt *s = NULL;
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\" LIMIT 1", table);
	bool some = sql && sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
	sqlite3_free(sql);
	return some;
}

/* What its definition says stays here: a digest of it goes. */
static enum err_code add_object(
    const struct reading *r, const char *kind, const char *name, const char *sql, struct err *reterr)
{
	CLEANUP(sha256_cleanup) struct sha256 *sum = sha256_new();
	uint8_t digest[32];
	char hex[2 * sizeof digest + 1], key[NAME_ROOM];
	if (!sum)
		return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	sha256_add(sum, sql, strlen(sql));
	sha256_end(sum, digest);
	text_hex(digest, HEX_OF_SQL / 2, hex);
	enum err_code rc = outline_add(r->o, name_of(kind, name, key), hex, 0, reterr);
	bool plain = strcmp(kind, "table") == 0 && sqlite3_strnicmp(sql, "CREATE VIRTUAL", 14) != 0;
	if (rc != ERR_OK || !plain || !holds_rows(r, name))
		return rc;
	return outline_add(r->o, name_of("rows", name, key), "some", 0, reterr);
}

static enum err_code add_schema(const struct reading *r, struct err *reterr)
{
	CLEANUP(statement_cleanup) sqlite3_stmt *s = NULL;
	enum err_code rc = ERR_OK;
	int code;
	if (sqlite3_prepare_v2(r->db,
		"SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'", -1, &s,
		NULL) != SQLITE_OK)
		return said(r->db, r->path, reterr);
	while (rc == ERR_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
		const char *kind = (const char *)sqlite3_column_text(s, 0),
			   *name = (const char *)sqlite3_column_text(s, 1),
			   *sql = (const char *)sqlite3_column_text(s, 2);
		if (kind && name)
			rc = add_object(r, kind, name, sql ? sql : "", reterr);
	}
	return rc == ERR_OK && code != SQLITE_DONE ? said(r->db, r->path, reterr) : rc;
}

static enum err_code read_all(struct reading *r, bool alone, struct err *reterr)
{
	static const char *const settings[] = {
	    "user_version", "application_id", "page_size", "auto_vacuum", "encoding"};
	CLEANUP(database_cleanup) sqlite3 *db = NULL;
	CLEANUP(buf_done) struct buf uri = BUF_INIT;
	put_uri(&uri, r->path, alone);
	if (uri.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	if (sqlite3_open_v2(buf_str(&uri), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW, NULL) !=
	    SQLITE_OK)
		return err_set(reterr, ERR_IO, "%s: SQLite: %s", r->path, db ? sqlite3_errmsg(db) : "out of memory");
	r->db = db;
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_busy_timeout(db, OUTLINE_ASK_MS);
	sqlite3_progress_handler(db, LOOK_EVERY, is_late, &r->until_ms);
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < sizeof settings / sizeof settings[0]; i++)
		rc = add_setting(r, settings[i], reterr);
	if (rc == ERR_OK)
		rc = add_schema(r, reterr);
	return rc == ERR_OK && is_late(&r->until_ms) ? err_set(reterr, ERR_TIMEOUT, "%s is read for too long", r->path)
						     : rc;
}

static enum err_code try_once(struct reading *r, struct err *reterr)
{
	struct still before, after;
	enum err_code rc = look(r->path, &before, reterr);
	if (rc != ERR_OK)
		return rc;
	bool logs = before.header[19] == WRITES_LOG, alone = !logs || !before.log;
	rc = outline_add(r->o, OUTLINE_CATALOGUES "settings/journal", logs ? "log" : "journal", 0, reterr);
	if (rc == ERR_OK)
		rc = read_all(r, alone, reterr);
	if (!alone)
		return rc;
	bool still = look(r->path, &after, NULL) == ERR_OK && !before.hot && !after.hot && (!logs || !after.log) &&
		     memcmp(before.header, after.header, HEADER) == 0;
	return still ? rc : err_set(reterr, ERR_BUSY, "%s is being written to", r->path);
}

enum err_code sqlite_outline_catalogues(const struct service_config *service, struct outline *o, struct err *reterr)
{
	struct reading r = {
	    .path = service->components.database->sqlite->file, .o = o, .until_ms = clock_mono_ms() + OUTLINE_ASK_MS};
	const struct outline as_it_was = *o;
	enum err_code rc;
	while ((rc = try_once(&r, reterr)) == ERR_BUSY && !is_late(&r.until_ms)) {
		*o = as_it_was; /* what was read may be of two states */
		(void)poll(NULL, 0, BETWEEN_MS);
	}
	return rc;
}
