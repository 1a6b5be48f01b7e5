/* What is told of a SQLite database that somebody changed, and that nobody waits for it. */
#include "tests/lib/unit.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/outline.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"

struct scene {
	char folder[SCRATCH_PATH], file[SCRATCH_PATH + 16], state[SCRATCH_PATH + 16];
	struct sqlite_config sqlite;
	struct component_config component;
	struct service_config service;
	struct id snapshot;
	struct arena *arena;
	sqlite3 *db;
};

static void sql(const struct scene *s, const char *text)
{
	char *why = NULL;
	if (sqlite3_exec(s->db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
}

static void begin(struct scene *s, const char *journal)
{
	char pragma[64];
	*s = (struct scene){.snapshot = {{1}}, .arena = arena_new(0)};
	scratch_make(s->folder);
	text_format(s->file, sizeof s->file, "%s/a#b.db", s->folder);
	text_format(s->state, sizeof s->state, "%s/state", s->folder);
	s->sqlite.file = s->file;
	s->component.sqlite = &s->sqlite;
	s->service = (struct service_config){.name = "app", .components = {.database = &s->component}};
	assert_int_equal(sqlite3_open(s->file, &s->db), SQLITE_OK);
	text_format(pragma, sizeof pragma, "PRAGMA journal_mode = %s", journal);
	sql(s, pragma);
	sql(s, "CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('Anna Blum'); CREATE TABLE empty (a)");
}

static void end(struct scene *s)
{
	sqlite3_close(s->db);
	arena_free(s->arena);
	scratch_remove(s->folder);
}

static void keep(struct scene *s)
{
	struct err err = ERR_INIT;
	if (outline_keep(s->state, &s->service, s->snapshot, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

static struct outline_difference differs(struct scene *s)
{
	struct err err = ERR_INIT;
	struct outline_difference d;
	if (outline_differs(s->state, &s->service, s->snapshot, true, 1000000, s->arena, &d, &err) != ERR_OK)
		fail_msg("%s", err.msg);
	return d;
}

static bool tells(const struct outline_difference *d, const char *key)
{
	for (size_t i = 0; i < d->example_count; i++)
		if (strcmp(d->examples[i], key) == 0)
			return true;
	return false;
}

static void what_somebody_changed(void **state)
{
	static const char *const journals[] = {"WAL", "DELETE"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		begin(&s, journals[i]);
		keep(&s);
		struct outline_difference d = differs(&s);
		assert_true(d.changed + d.added + d.removed == 0);
		sql(&s, "INSERT INTO people VALUES ('another')"); /* it is used */
		d = differs(&s);
		assert_true(d.changed + d.added + d.removed == 0);
		sql(&s, "ALTER TABLE people ADD COLUMN born TEXT; CREATE INDEX by_name ON people (name)");
		sql(&s, "PRAGMA user_version = 7; INSERT INTO empty VALUES (1)");
		d = differs(&s);
		assert_int_equal(d.changed, 2);
		assert_int_equal(d.added, 2);
		assert_int_equal(d.removed, 0);
		assert_true(tells(&d, "sql/table/people") && tells(&d, "sql/settings/user_version"));
		assert_true(tells(&d, "sql/index/by_name") && tells(&d, "sql/rows/empty"));
		sql(&s, "DELETE FROM people; DROP TABLE empty");
		d = differs(&s);
		assert_int_equal(d.removed, 2);
		assert_true(tells(&d, "sql/rows/people") && tells(&d, "sql/table/empty"));
		assert_int_equal(chmod(s.file, 0600), 0);
		d = differs(&s);
		assert_int_equal(d.metadata, 1);
		assert_true(d.newest_ms > 0);
		end(&s);
	}
}

/* Nothing of what is in it is written down. */
static void contents_stay_where_they_are(void **state)
{
	struct scene s;
	char path[SCRATCH_PATH + 64], text[4096] = "";
	(void)state;
	begin(&s, "WAL");
	sql(&s, "CREATE VIEW of_anna AS SELECT * FROM people WHERE name = 'Anna Blum'");
	keep(&s);
	text_format(path, sizeof path, "%s/outline/app", s.state);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	assert_non_null(strstr(text, "sql/view/of_anna"));
	assert_null(strstr(text, "Blum"));
	end(&s);
}

/* Somebody writes, and has begun to write into the file itself: nobody waits, and half of it is not believed. */
static void nobody_waits(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "DELETE");
	keep(&s);
	sql(&s, "PRAGMA cache_size = 1; BEGIN EXCLUSIVE");
	sql(&s, "CREATE TABLE later AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
		"SELECT i, hex(randomblob(50)) FROM n");
	struct outline_difference d = differs(&s); /* nothing was told: only files are compared */
	assert_true(d.changed + d.added + d.removed == 0);
	sql(&s, "COMMIT"); /* at once: there is no reader in its way */
	d = differs(&s);
	assert_int_equal(d.added, 2);
	end(&s);
}

static void what_is_no_database(void **state)
{
	struct scene s;
	struct err err = ERR_INIT;
	(void)state;
	begin(&s, "DELETE");
	keep(&s);
	assert_int_equal(remove(s.file), 0);
	struct outline_difference d = differs(&s); /* its file is gone: that is told, whatever cannot be asked */
	assert_int_equal(d.removed, 1);
	alarm(20);
	assert_int_equal(mkfifo(s.file, 0600), 0);
	assert_int_not_equal(outline_keep(s.state, &s.service, s.snapshot, &err), ERR_OK);
	alarm(0);
	end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_somebody_changed),
	    cmocka_unit_test(contents_stay_where_they_are),
	    cmocka_unit_test(nobody_waits),
	    cmocka_unit_test(what_is_no_database),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
