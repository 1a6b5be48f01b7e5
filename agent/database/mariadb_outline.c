/* The outline of a MariaDB server: files of its data directory, and what its information_schema says.
 *
 * Definitions and settings go through md5() in the server: what they say stays there.  A look at whether a table holds
 * anything waits for no lock, and one that is refused ends the look: the one before it counts then. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/mariadb.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { TABLES_MAX = 400 /* that are looked into; those that come first by name */ };

/* ---- files ---- */

enum err_code mariadb_outline_files(const struct service_config *s, struct outline *o, struct err *reterr)
{
	static const char *const needed[] = {"ibdata1", "aria_log_control", "db.opt", NULL};
	struct outline_files f = {.data = s->components.database->mariadb->data_directory, .o = o};
	struct stat st;
	enum err_code rc = ERR_OK;
	CLEANUP(cleanup_dir) DIR *dir = opendir(f.data);
	if (!dir) /* that is told, too: everything is gone */
		return ERR_OK;
	if (fstat(dirfd(dir), &st) == 0)
		rc = outline_file(&f, ".", "folder", &st, reterr);
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));) {
		if (e->d_name[0] == '.' || text_starts(e->d_name, "#") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (text_equal(e->d_name, needed[0]) || text_equal(e->d_name, needed[1]))
			rc = outline_file(&f, e->d_name, "-", &st, reterr);
		if (!S_ISDIR(st.st_mode)) /* logs and what is temporary come and go */
			continue;
		rc = outline_file(&f, e->d_name, "folder", &st, reterr);
		if (rc == ERR_OK)
			rc = outline_folder(&f, e->d_name, needed, reterr);
	}
	return rc;
}

/* ---- its catalogue ---- */

/* A clause a line.  Key, value, and of tables their two names. */
/* clang-format off */
#define NOT_OURS " NOT IN ('information_schema', 'performance_schema', 'sys', 'mysql')"
#define KEY(KIND, A, B) "SELECT CONCAT('sql/" KIND "/', " A ", '/', " B "), "
static const char of_server[] =
    "SET SESSION group_concat_max_len = 1048576, SESSION lock_wait_timeout = 1, SESSION max_statement_time = 2;\n"
    "SELECT CONCAT('sql/settings/', LOWER(variable_name)), MD5(IFNULL(global_value, '')), '', '' FROM information_schema.system_variables"
    " WHERE global_value_origin IN ('CONFIG', 'SQL') AND variable_name NOT LIKE 'GTID%';\n"
    "SELECT CONCAT('sql/settings/', 'version'), MD5(@@version), '', '';\n"
    "SELECT CONCAT('sql/databases/', schema_name), MD5(CONCAT_WS('|', default_character_set_name, default_collation_name)), '', ''"
    " FROM information_schema.schemata WHERE schema_name" NOT_OURS ";\n"
    KEY("relations", "table_schema", "table_name")
    "MD5(CONCAT_WS('|', table_type, engine, row_format, table_collation, create_options)),"
    " IF(table_type = 'BASE TABLE' AND engine IN ('InnoDB', 'Aria', 'MyISAM'), table_schema, ''), table_name"
    " FROM information_schema.tables WHERE table_schema" NOT_OURS " ORDER BY table_schema, table_name;\n"
    KEY("columns", "table_schema", "table_name")
    "MD5(GROUP_CONCAT(CONCAT_WS(' ', column_name, column_type, is_nullable, column_default, extra, collation_name, generation_expression)"
    " ORDER BY ordinal_position)), '', ''"
    " FROM information_schema.columns WHERE table_schema" NOT_OURS " GROUP BY table_schema, table_name;\n"
    KEY("indexes", "table_schema", "table_name")
    "MD5(GROUP_CONCAT(CONCAT_WS(' ', index_name, non_unique, seq_in_index, column_name, sub_part, index_type)"
    " ORDER BY index_name, seq_in_index)), '', ''"
    " FROM information_schema.statistics WHERE table_schema" NOT_OURS " GROUP BY table_schema, table_name;\n"
    KEY("constraints", "constraint_schema", "constraint_name")
    "MD5(CONCAT_WS('|', table_name, referenced_table_name, update_rule, delete_rule)), '', ''"
    " FROM information_schema.referential_constraints WHERE constraint_schema" NOT_OURS ";\n"
    KEY("checks", "constraint_schema", "CONCAT(table_name, '.', constraint_name)")
    "MD5(check_clause), '', '' FROM information_schema.check_constraints WHERE constraint_schema" NOT_OURS ";\n"
    KEY("views", "table_schema", "table_name")
    "MD5(CONCAT_WS('|', view_definition, definer, security_type)), '', '' FROM information_schema.views WHERE table_schema" NOT_OURS ";\n"
    KEY("triggers", "trigger_schema", "trigger_name")
    "MD5(CONCAT_WS('|', event_manipulation, event_object_table, action_timing, action_statement, definer)), '', ''"
    " FROM information_schema.triggers WHERE trigger_schema" NOT_OURS ";\n"
    KEY("functions", "routine_schema", "routine_name")
    "MD5(CONCAT_WS('|', routine_type, dtd_identifier, routine_definition, is_deterministic, security_type, definer)), '', ''"
    " FROM information_schema.routines WHERE routine_schema" NOT_OURS ";\n"
    KEY("events", "event_schema", "event_name")
    "MD5(CONCAT_WS('|', event_definition, status, interval_value, interval_field)), '', ''"
    " FROM information_schema.events WHERE event_schema" NOT_OURS ";\n"
    "SELECT CONCAT('sql/roles/', grantee), MD5(GROUP_CONCAT(CONCAT(privilege_type, is_grantable) ORDER BY privilege_type)), '', ''"
    " FROM information_schema.user_privileges GROUP BY grantee;\n"
    "SELECT CONCAT('sql/grants/', grantee, '/', table_schema), MD5(GROUP_CONCAT(privilege_type ORDER BY privilege_type)), '', ''"
    " FROM information_schema.schema_privileges GROUP BY grantee, table_schema;\n";
/* clang-format on */

struct asking {
	const struct mariadb_config *c;
	struct outline *o;
	struct stat owner;
	char who[MARIADB_WHO_MAX];
	uint64_t until_ms;
	struct buf tables; /* the second question: which of them hold rows */
	size_t table_count;
};

static enum err_code ask(struct asking *a, struct bytes sql, struct buf *answer, struct err *reterr)
{
	char at[PATH_LIMIT + 16];
	uint64_t now_ms = clock_mono_ms();
	if (now_ms >= a->until_ms)
		return err_set(reterr, ERR_TIMEOUT, "the server takes too long to say what it is made of");
	if (!text_format(at, sizeof at, "--socket=%s", a->c->socket))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", a->c->socket);
	const char *argv[] = {"mariadb", a->who, at, "--batch", "--skip-column-names", "--connect-timeout=2", NULL};
	enum err_code rc = mariadb_run(&a->owner, argv, sql, a->until_ms - now_ms, NULL, answer, reterr);
	return rc == ERR_OK && answer->size >= OUTLINE_TEXT_MAX
		   ? err_set(reterr, ERR_LIMIT, "more than an outline holds")
		   : rc;
}

/* As the client writes it, a name with anything in it that it escapes is not to be used again. */
static bool is_plain(const char *name)
{
	return *name && !strchr(name, '\\') && !strchr(name, '`') && !strchr(name, '\'');
}

static void ask_for_rows(struct asking *a, const char *schema, const char *table)
{
	if (!is_plain(schema) || !is_plain(table) || a->table_count == TABLES_MAX)
		return;
	a->table_count++;
	buf_printf(&a->tables,
	    "SELECT 'sql/rows/%s/%s', 'some', '', '' FROM DUAL WHERE EXISTS (SELECT 1 FROM `%s`.`%s`);\n", schema,
	    table, schema, table);
}

static enum err_code take_answer(struct asking *a, struct buf *answer, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	char *text = arena_strdup(a->o->arena, buf_str(answer)), *line;
	if (!text)
		return err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	while (rc == ERR_OK && (line = strsep(&text, "\n"))) {
		char *key = strsep(&line, "\t"), *value = strsep(&line, "\t"), *schema = strsep(&line, "\t");
		if (!key || !value || !schema || !line || !*key)
			continue;
		rc = outline_add(a->o, key, value, 0, reterr);
		if (*schema)
			ask_for_rows(a, schema, line);
	}
	return rc;
}

enum err_code mariadb_outline_catalogues(const struct service_config *s, struct outline *o, struct err *reterr)
{
	struct asking a = {.c = s->components.database->mariadb, .o = o, .until_ms = clock_mono_ms() + OUTLINE_ASK_MS};
	struct buf answer = BUF_INIT;
	if (stat(a.c->data_directory, &a.owner) != 0)
		return err_sys(reterr, errno, "%s", a.c->data_directory);
	enum err_code rc = mariadb_login(a.c, a.who, reterr);
	if (rc == ERR_OK)
		rc = ask(&a, (struct bytes){(const uint8_t *)of_server, sizeof of_server - 1}, &answer, reterr);
	buf_text(&a.tables, "SET SESSION lock_wait_timeout = 0, SESSION max_statement_time = 2;\n");
	if (rc == ERR_OK)
		rc = take_answer(&a, &answer, reterr);
	buf_clear(&answer);
	if (rc == ERR_OK && a.tables.failed)
		rc = err_set(reterr, ERR_NOMEM, "out of memory for an outline");
	if (rc == ERR_OK && a.table_count)
		rc = ask(&a, buf_bytes(&a.tables), &answer, reterr);
	if (rc == ERR_OK)
		rc = take_answer(&a, &answer, reterr);
	buf_done(&answer);
	buf_done(&a.tables);
	return rc;
}
