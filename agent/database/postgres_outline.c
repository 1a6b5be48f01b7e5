/* The outline of a PostgreSQL cluster: files of its data directory, and what its catalogues say.
 *
 * The catalogues are read as they are (no function that would wait for a lock on what it describes, none that needs
 * more than a role that may take backups), with every setting that could keep a session from working set back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/contents.h"
#include "agent/database/internal.h"
#include "agent/repository/seal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { HEX_OF_CONTENT = 16 };

/* ---- files ---- */

/* What comes and goes by itself, or is the server's log. */
static bool passes(const char *name)
{
	static const char *const starts[] = {"postmaster.", "current_logfiles", "recovery.", "backup_manifest",
	    "postgresql.auto.conf.new", "logfile", CONTENTS_PREFIX, "."};
	static const char *const ends[] = {".log", ".old", ".tmp"};
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (text_starts(name, starts[i]))
			return true;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (text_ends(name, ends[i]))
			return true;
	return false;
}

/* Settings are small and are read; of anything else its size is enough. */
static void content_of(const char *path, const struct stat *st, char out[HEX_OF_CONTENT + 8])
{
	CLEANUP(sha256_cleanup) struct sha256 *sum = sha256_new();
	struct buf text = BUF_INIT;
	uint8_t digest[32];
	text_copy(out, HEX_OF_CONTENT + 8, "?");
	if (st->st_size > OUTLINE_SETTINGS_MAX)
		text_copy(out, HEX_OF_CONTENT + 8, "large");
	else if (sum && tree_read(path, OUTLINE_SETTINGS_MAX, &text, NULL) == ERR_OK) {
		sha256_add(sum, text.data, text.size);
		sha256_end(sum, digest);
		text_hex(digest, HEX_OF_CONTENT / 2, out);
	}
	buf_done(&text);
}

static const char *const needed[] = {"PG_VERSION", "pg_filenode.map", "pg_control", NULL};

static enum err_code add_databases(struct outline_files *f, struct err *reterr)
{
	char path[PATH_LIMIT], name[PATH_LIMIT];
	enum err_code rc = tree_join(f->data, "base", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir));)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && text_format(name, sizeof name, "base/%s", e->d_name))
			rc = outline_folder(f, name, needed, reterr);
	return rc;
}

static enum err_code add_entry(struct outline_files *f, const char *name, const struct stat *st, struct err *reterr)
{
	char path[PATH_LIMIT], content[HEX_OF_CONTENT + 8] = "-";
	enum err_code rc = tree_join(f->data, name, path, reterr);
	if (rc != ERR_OK || (S_ISREG(st->st_mode) && passes(name)))
		return rc;
	if (S_ISREG(st->st_mode))
		content_of(path, st, content);
	else
		text_copy(content, sizeof content,
		    S_ISDIR(st->st_mode)   ? "folder"
		    : S_ISLNK(st->st_mode) ? "link"
					   : "?");
	return outline_file(f, name, content, st, reterr);
}

enum err_code postgres_outline_files(const struct service_config *s, struct outline *o, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(s);
	static const char *const folders[] = {
	    "global", "pg_wal", "pg_xact", "pg_multixact/offsets", "pg_multixact/members"};
	struct outline_files f = {.data = pg->data_directory, .o = o};
	struct stat st;
	enum err_code rc = ERR_OK;
	CLEANUP(cleanup_dir) DIR *dir = opendir(f.data);
	if (!dir) /* that is told, too: everything is gone */
		return ERR_OK;
	if (fstat(dirfd(dir), &st) == 0)
		rc = outline_file(&f, ".", "folder", &st, reterr);
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (!text_equal(e->d_name, ".") && !text_equal(e->d_name, "..") &&
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			rc = add_entry(&f, e->d_name, &st, reterr);
	for (size_t i = 0; rc == ERR_OK && i < sizeof folders / sizeof folders[0]; i++)
		rc = outline_folder(&f, folders[i], needed, reterr);
	return rc == ERR_OK ? add_databases(&f, reterr) : rc;
}

/* ---- catalogues ---- */

/* Queries, a clause a line.  A name that comes into a key loses what divides lines and columns. */
/* clang-format off */
#define NAME(COLUMN) "translate(" COLUMN ", E'\\t\\n', '  ')"

/* Key, value, and for databases whether their tables are to be listed. */
static const char of_cluster[] =
    "SELECT 'sql/roles/' || " NAME("r.rolname") ","
    " md5(concat_ws('|', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls,"
    "  r.rolconnlimit, r.rolvaliduntil,"
    "  (SELECT string_agg(m.roleid::regrole::text, ',' ORDER BY m.roleid) FROM pg_auth_members m WHERE m.member = r.oid),"
    "  (SELECT string_agg(s.setdatabase || array_to_string(s.setconfig, ','), ';' ORDER BY s.setdatabase)"
    "   FROM pg_db_role_setting s WHERE s.setrole = r.oid))), ''"
    " FROM pg_roles r WHERE r.rolname !~ '^pg_'"
    " UNION ALL "
    "SELECT 'sql/databases/' || " NAME("d.datname") ","
    " md5(concat_ws('|', d.datallowconn, d.datconnlimit, d.datistemplate, d.datdba, d.encoding, d.datcollate, d.datctype, d.datacl,"
    "  (SELECT array_to_string(s.setconfig, ',') FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0))),"
    " CASE WHEN d.datallowconn AND NOT d.datistemplate THEN 'list' ELSE '' END"
    " FROM pg_database d ORDER BY 1";

/* Key, value, and for what holds rows the file that they lie in. */
static const char of_database[] =
    "WITH mine AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),"
    " at AS (SELECT 'sql/%kind%/' || " NAME("current_database()") " || '/' AS p) "
    "SELECT replace(p, '%kind%', 'relations') || " NAME("n.nspname") " || '/' || " NAME("c.relname") ","
    " md5(concat_ws('|', c.relkind, c.relpersistence, c.relowner, c.relacl, array_to_string(c.reloptions, ','), c.relrowsecurity,"
    "  c.relforcerowsecurity,"
    "  (SELECT string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated, md5(f.adbin)), ','"
    "   ORDER BY a.attnum) FROM pg_attribute a LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum"
    "   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),"
    "  (SELECT string_agg(concat_ws(' ', k.conname, k.contype, k.conkey, k.confrelid, k.convalidated, md5(k.conbin)), ','"
    "   ORDER BY k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid),"
    "  (SELECT string_agg(concat_ws(' ', t.tgname, t.tgfoid, t.tgenabled, t.tgtype), ',' ORDER BY t.tgname)"
    "   FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),"
    "  (SELECT string_agg(concat_ws(' ', w.rulename, w.ev_enabled, md5(w.ev_action)), ',' ORDER BY w.rulename)"
    "   FROM pg_rewrite w WHERE w.ev_class = c.oid),"
    "  (SELECT string_agg(concat_ws(' ', y.polname, y.polcmd, md5(y.polqual), md5(y.polwithcheck)), ',' ORDER BY y.polname)"
    "   FROM pg_policy y WHERE y.polrelid = c.oid),"
    "  (SELECT string_agg(concat_ws(' ', x.indexrelid::regclass, x.indisvalid, x.indisready, x.indisunique), ','"
    "   ORDER BY x.indexrelid::regclass::text) FROM pg_index x WHERE x.indrelid = c.oid))), ''"
    " FROM pg_class c JOIN mine n ON n.oid = c.relnamespace CROSS JOIN at WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    " UNION ALL "
    "SELECT replace(p, '%kind%', 'rows') || " NAME("n.nspname") " || '/' || " NAME("c.relname") ", 'some', pg_relation_filepath(c.oid)"
    " FROM pg_class c JOIN mine n ON n.oid = c.relnamespace CROSS JOIN at WHERE c.relkind IN ('r', 'm')"
    " UNION ALL "
    "SELECT replace(p, '%kind%', 'functions') || " NAME("n.nspname") " || '/' || " NAME("f.proname") " || '/' || md5(f.proargtypes::text),"
    " md5(concat_ws('|', f.proowner, f.prosecdef, f.provolatile, f.prosrc, f.prosqlbody, array_to_string(f.proconfig, ','), f.proacl)), ''"
    " FROM pg_proc f JOIN mine n ON n.oid = f.pronamespace CROSS JOIN at"
    " UNION ALL "
    "SELECT replace(p, '%kind%', 'schemas') || " NAME("n.nspname") ", md5(concat_ws('|', n.nspowner, n.nspacl)), '' FROM mine n CROSS JOIN at"
    " UNION ALL "
    "SELECT replace(p, '%kind%', 'types') || " NAME("n.nspname") " || '/' || " NAME("t.typname") ","
    " md5(concat_ws('|', t.typnotnull, t.typdefault,"
    "  (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),"
    "  (SELECT string_agg(k.conname || md5(k.conbin), ',' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid))), ''"
    " FROM pg_type t JOIN mine n ON n.oid = t.typnamespace CROSS JOIN at WHERE t.typtype IN ('d', 'e')"
    " UNION ALL "
    "SELECT replace(p, '%kind%', 'extensions') || " NAME("x.extname") ", x.extversion, '' FROM pg_extension x CROSS JOIN at"
    " UNION ALL "
    "SELECT replace(p, '%kind%', 'event triggers') || 'all',"
    " (SELECT md5(string_agg(concat_ws(' ', v.evtname, v.evtfoid, v.evtenabled), ',' ORDER BY v.evtname)) FROM pg_event_trigger v), ''"
    " FROM at ORDER BY 1";
/* clang-format on */

struct asking {
	const struct postgres_config *pg;
	struct outline *o;
	uint64_t until_ms; /* monotonic */
	char *databases[OUTLINE_DATABASES_MAX];
	size_t database_count;
};

/* As libpq reads it: quoted, with backslashes before quotes and backslashes.  bare: without the libraries that somebody
 * may have set for the role or the database, which takes a superuser. */
static bool connection(const char *database, bool bare, char *out, size_t size)
{
	char quoted[4 * NAME_MAX_BYTES];
	size_t n = 0;
	for (const char *c = database; *c; c++) {
		if (n + 3 > sizeof quoted)
			return false;
		if (*c == '\'' || *c == '\\')
			quoted[n++] = '\\';
		quoted[n++] = *c;
	}
	quoted[n] = '\0';
	return text_format(out, size,
	    "dbname='%s' connect_timeout=2 options='-c statement_timeout=%d -c lock_timeout=500 -c search_path=pg_catalog "
	    "-c client_min_messages=error -c default_transaction_isolation=read\\\\ committed%s'",
	    quoted, OUTLINE_ASK_MS, bare ? " -c session_preload_libraries= -c local_preload_libraries=" : "");
}

static enum err_code ask_once(
    struct asking *a, const char *database, bool bare, const char *sql, struct buf *answer, struct err *reterr)
{
	char port[16], into[8 * NAME_MAX_BYTES + TEXT_LINE_MAX];
	struct postgres_call call;
	uint64_t now_ms = clock_mono_ms();
	if (now_ms >= a->until_ms)
		return err_set(reterr, ERR_TIMEOUT, "the server takes too long to say what it is made of");
	if (!connection(database, bare, into, sizeof into))
		return err_set(reterr, ERR_LIMIT, "a database of so long a name");
	text_format(port, sizeof port, "%u", a->pg->port);
	const char *args[] = {"-X", "-q", "-A", "-t", "-w", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h",
	    a->pg->socket_directory, "-p", port, "-U", a->pg->user, "-d", into, "-c", sql, NULL};
	enum err_code rc = postgres_call(a->pg, "psql", args, &call, reterr);
	call.spec.timeout_ms = a->until_ms - now_ms;
	call.spec.output_max = OUTLINE_TEXT_MAX;
	call.spec.merge_errors = false;
	if (rc == ERR_OK)
		rc = process_run_ok(&call.spec, answer, reterr);
	if (rc == ERR_OK && answer->size >= OUTLINE_TEXT_MAX) /* the rest was dropped */
		rc = err_set(reterr, ERR_LIMIT, "more than an outline holds");
	return rc;
}

static enum err_code ask(
    struct asking *a, const char *database, const char *sql, struct buf *answer, struct err *reterr)
{
	enum err_code rc = ask_once(a, database, false, sql, answer, reterr);
	if (rc == ERR_OK || rc == ERR_LIMIT)
		return rc;
	buf_clear(answer);
	return ask_once(a, database, true, sql, answer, reterr);
}

/* Does the file that a table lies in hold anything?  What cannot be seen is taken to. */
static bool holds_rows(const struct asking *a, const char *file)
{
	char path[PATH_LIMIT];
	struct stat st;
	return tree_join(a->pg->data_directory, file, path, NULL) != ERR_OK || stat(path, &st) != 0 || st.st_size > 0;
}

static enum err_code take_line(struct asking *a, char *key, char *value, const char *third, struct err *reterr)
{
	static const char databases[] = OUTLINE_CATALOGUES "databases/", rows[] = OUTLINE_CATALOGUES "rows/";
	if (text_starts(key, rows) && !holds_rows(a, third))
		return ERR_OK;
	if (text_equal(third, "list") && text_starts(key, databases) && a->database_count < OUTLINE_DATABASES_MAX) {
		char *name = arena_strdup(a->o->arena, key + strlen(databases));
		if (!name)
			return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
		a->databases[a->database_count++] = name;
	}
	return outline_add(a->o, key, value, 0, reterr);
}

static enum err_code take_answer(struct asking *a, struct buf *answer, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	char *text = arena_strdup(a->o->arena, buf_str(answer)), *line;
	if (!text)
		return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	while (rc == ERR_OK && (line = strsep(&text, "\n"))) {
		char *key = strsep(&line, "\t"), *value = strsep(&line, "\t"), *third = strsep(&line, "\t");
		if (key && value && third && *key)
			rc = take_line(a, key, value, third, reterr);
	}
	return rc;
}

enum err_code postgres_outline_catalogues(const struct service_config *s, struct outline *o, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(s);
	struct asking a = {.pg = pg, .o = o, .until_ms = clock_mono_ms() + OUTLINE_ASK_MS};
	struct buf answer = BUF_INIT;
	enum err_code rc = ask(&a, "postgres", of_cluster, &answer, reterr);
	if (rc == ERR_OK)
		rc = take_answer(&a, &answer, reterr);
	for (size_t i = 0; rc == ERR_OK && i < a.database_count; i++) {
		buf_clear(&answer);
		rc = ask(&a, a.databases[i], of_database, &answer, reterr);
		if (rc == ERR_OK)
			rc = take_answer(&a, &answer, reterr);
	}
	buf_done(&answer);
	return rc;
}
