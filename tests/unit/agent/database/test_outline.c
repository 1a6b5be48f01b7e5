/* What of a database stands still: lines side by side, files of a data directory, answers of a server that is played by
 * a script. */
#include "tests/lib/unit.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/outline.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/scratch.h"

static struct err here_err;
#define ERR_HERE &here_err
#define ok(CALL)                                                                                                       \
	do {                                                                                                           \
		if ((CALL) != ERR_OK)                                                                                  \
			fail_msg("%s", here_err.msg);                                                                  \
	} while (0)

/* ---- pure ---- */

static struct outline lines(struct arena *arena, const char *text)
{
	struct outline o = {.arena = arena};
	ok(outline_parse(&o, text, ERR_HERE));
	outline_sort(&o);
	return o;
}

static void test_lines_side_by_side(void **state)
{
	(void)state;
	struct arena *arena = arena_new(0);
	struct outline then = lines(arena, "b\tone 0600:1:1\na\t1\nd\tx\nnone\n\tneither\nc\ty\n"),
		       now = lines(arena, "a\t2\nb\tone 0644:1:1\nc\ty\ne\tnew\n");
	struct outline_difference d, again, same;
	ok(outline_compare(&then, &now, &d, ERR_HERE));
	assert_int_equal(then.count, 4); /* what is no line is passed over */
	assert_int_equal(d.changed, 2);
	assert_int_equal(d.metadata, 1);
	assert_int_equal(d.removed, 1);
	assert_int_equal(d.added, 1);
	assert_int_equal(d.example_count, 4);
	assert_string_equal(d.examples[3], "e"); /* what is new says least */
	ok(outline_compare(&then, &now, &again, ERR_HERE));
	assert_memory_equal(d.digest, again.digest, sizeof d.digest);
	now.lines[0].value = "3";
	ok(outline_compare(&then, &now, &again, ERR_HERE));
	assert_memory_not_equal(d.digest, again.digest, sizeof d.digest);
	ok(outline_compare(&then, &then, &same, ERR_HERE));
	assert_int_equal(same.changed + same.added + same.removed, 0);
	arena_free(arena);
}

/* ---- of a service ---- */

struct cluster {
	char root[SCRATCH_PATH], state[PATH_LIMIT], data[PATH_LIMIT], bin[PATH_LIMIT];
	struct postgres_config pg;
	struct component_config component;
	struct service_config service;
	struct arena *arena;
	struct id snapshot;
};

static void put(const struct cluster *c, const char *folder, const char *name, mode_t mode, const char *text)
{
	char path[PATH_LIMIT];
	(void)c;
	assert_true(text_format(path, sizeof path, "%s/%s", folder, name));
	ok(file_replace(path, text, strlen(text), mode, ERR_HERE));
}

static void make(const struct cluster *c, const char *name)
{
	char path[PATH_LIMIT];
	assert_true(text_format(path, sizeof path, "%s/%s", c->root, name));
	ok(file_make_dirs(path, 0755, ERR_HERE));
}

#define SERVER "#!/bin/sh\ncase \"$*\" in *pg_db_role_setting*) cat %s/cluster ;; *) cat %s/portal ;; esac\n"

static void says(const struct cluster *c, const char *role, const char *rows)
{
	char text[TEXT_LINE_MAX];
	text_format(text, sizeof text, "sql/databases/portal\taa\tlist\nsql/roles/web\t%s\t\n", role);
	put(c, c->bin, "cluster", 0644, text);
	text_format(text, sizeof text,
	    "sql/relations/portal/public/records\tcc\t\nsql/rows/portal/public/records\tsome\t%s\n", rows);
	put(c, c->bin, "portal", 0644, text);
}

static void open_cluster(struct cluster *c)
{
	char script[2 * PATH_LIMIT];
	static const char *const folders[] = {
	    "state", "bin", "data/base/5", "data/global", "data/pg_wal", "data/pg_xact"};
	const struct passwd *me = getpwuid(geteuid());
	*c = (struct cluster){.arena = arena_new(0), .snapshot = {{1, 2, 3}}};
	scratch_make(c->root);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		make(c, folders[i]);
	text_format(c->state, sizeof c->state, "%s/state", c->root);
	text_format(c->data, sizeof c->data, "%s/data", c->root);
	text_format(c->bin, sizeof c->bin, "%s/bin", c->root);
	put(c, c->data, "PG_VERSION", 0600, "15\n");
	put(c, c->data, "postgresql.conf", 0600, "port = 5432\n");
	put(c, c->data, "base/5/1259", 0600, "rows");
	put(c, c->data, "base/5/PG_VERSION", 0600, "15\n");
	put(c, c->data, "pg_xact/0000", 0600, "x");
	text_format(script, sizeof script, SERVER, c->bin, c->bin);
	put(c, c->bin, "psql", 0755, script);
	says(c, "bb", "base/5/1259");
	c->pg = (struct postgres_config){.data_directory = c->data,
	    .bin_directory = c->bin,
	    .socket_directory = c->root,
	    .port = 5432,
	    .user = me ? me->pw_name : "root"};
	c->component.postgres = &c->pg;
	c->service = (struct service_config){.name = "records-db", .components = {.database = &c->component}};
	ok(outline_keep(c->state, &c->service, c->snapshot, ERR_HERE));
}

static void close_cluster(struct cluster *c)
{
	arena_free(c->arena);
	scratch_remove(c->root);
}

static struct outline_difference differs(struct cluster *c, bool suspect, uint64_t now_ms)
{
	struct outline_difference d;
	ok(outline_differs(c->state, &c->service, c->snapshot, suspect, now_ms, c->arena, &d, ERR_HERE));
	return d;
}

static uint64_t count(const struct outline_difference *d)
{
	return d->changed + d->added + d->removed;
}

static void test_what_is_used_is_not_what_differs(void **state)
{
	(void)state;
	struct cluster c;
	open_cluster(&c);
	struct outline_difference d = differs(&c, true, 1000);
	assert_int_equal(count(&d), 0);
	put(&c, c.data, "base/5/1259", 0600, "more rows");
	put(&c, c.data, "base/5/2601", 0600, "another table");
	put(&c, c.data, "postmaster.pid", 0600, "1");
	put(&c, c.data, "pg_xact/0001", 0600, "x");
	d = differs(&c, true, 2000);
	assert_int_equal(count(&d), 0);
	close_cluster(&c);
}

static void test_settings_files_and_modes_are_seen(void **state)
{
	(void)state;
	struct cluster c;
	char path[PATH_LIMIT];
	open_cluster(&c);
	put(&c, c.data, "postgresql.conf", 0600, "port = 6000\n");
	struct outline_difference d = differs(&c, false, 1000);
	assert_int_equal(d.changed, 1);
	assert_int_equal(d.metadata, 0);
	assert_string_equal(d.examples[0], "data/postgresql.conf");
	assert_true(d.newest_ms > 1000); /* the file's own time */
	put(&c, c.data, "postgresql.conf", 0600, "port = 5432\n");
	put(&c, c.data, "standby.signal", 0600, "");
	d = differs(&c, false, 1000);
	assert_int_equal(d.added, 1);
	assert_int_equal(count(&d), 1);
	text_format(path, sizeof path, "%s/standby.signal", c.data);
	assert_int_equal(unlink(path), 0);
	text_format(path, sizeof path, "%s/base/5/PG_VERSION", c.data);
	assert_int_equal(unlink(path), 0);
	d = differs(&c, false, 1000);
	assert_int_equal(d.removed, 1);
	put(&c, c.data, "base/5/PG_VERSION", 0600, "15\n");
	text_format(path, sizeof path, "%s/base/5/1259", c.data);
	assert_int_equal(chmod(path, 0), 0);
	d = differs(&c, false, 1000);
	assert_int_equal(d.changed, 1);
	assert_int_equal(d.metadata, 1);
	close_cluster(&c);
}

/* The server is asked when something is wrong, or once a minute; what it said last stands while it is silent. */
static void test_what_the_server_says(void **state)
{
	(void)state;
	struct cluster c;
	open_cluster(&c);
	struct outline_difference d = differs(&c, false, 1000);
	assert_int_equal(count(&d), 0);
	says(&c, "changed", "base/5/1259");
	d = differs(&c, false, 2000);
	assert_int_equal(count(&d), 0); /* not looked at */
	d = differs(&c, true, 3000);
	assert_int_equal(d.changed, 1);
	assert_string_equal(d.examples[0], "sql/roles/web");
	assert_int_equal(d.newest_ms, 3000); /* that it was seen first */
	put(&c, c.bin, "psql", 0755, "#!/bin/sh\nexit 2\n");
	d = differs(&c, true, 4000);
	assert_int_equal(d.changed, 1);
	assert_int_equal(d.newest_ms, 3000);
	close_cluster(&c);
	open_cluster(&c);
	put(&c, c.bin, "psql", 0755, "#!/bin/sh\nexit 2\n");
	d = differs(&c, true, 1000); /* it never said anything: files alone are compared */
	assert_int_equal(count(&d), 0);
	close_cluster(&c);
}

static void test_a_table_that_is_empty_now(void **state)
{
	(void)state;
	struct cluster c;
	open_cluster(&c);
	put(&c, c.data, "base/5/1260", 0600, "");
	says(&c, "bb", "base/5/1260");
	struct outline_difference d = differs(&c, true, 1000);
	assert_int_equal(d.removed, 1);
	assert_string_equal(d.examples[0], "sql/rows/portal/public/records");
	says(&c, "bb", "base/5/1259"); /* brought back: seen at once, for something differed */
	d = differs(&c, false, 2000);
	assert_int_equal(count(&d), 0);
	close_cluster(&c);
}

/* So many lines of this form, with their number in it. */
static void says_much(const struct cluster *c, unsigned lines, const char *form)
{
	struct buf text = {.limit = 16 << 20};
	for (unsigned i = 0; i < lines; i++) {
		char line[TEXT_LINE_MAX];
		int n = snprintf(line, sizeof line, form, i);
		buf_append(&text, line, (size_t)n);
	}
	put(c, c->bin, "portal", 0644, buf_str(&text));
	buf_done(&text);
}

/* What can be kept can be compared: three of them are in one arena then. */
static void test_a_large_one_is_compared(void **state)
{
	(void)state;
	struct cluster c;
	open_cluster(&c);
	says_much(
	    &c, 30000, "sql/relations/portal/public/records_of_a_year_%05u\t0123456789abcdef0123456789abcdef\t\n");
	ok(outline_keep(c.state, &c.service, c.snapshot, ERR_HERE));
	struct outline_difference d = differs(&c, true, 1000);
	assert_int_equal(count(&d), 0);
	says(&c, "bb", "base/5/1259");
	arena_reset(c.arena);
	d = differs(&c, true, 2000);
	assert_int_equal(d.removed, 30000);
	close_cluster(&c);
}

/* Half of what a server says is worse than nothing: what comes behind it would come and go. */
static void test_of_a_larger_one_there_is_none(void **state)
{
	(void)state;
	struct cluster c;
	struct err err = ERR_INIT;
	open_cluster(&c);
	says_much(&c, 60000,
	    "sql/rows/portal/public/r%05u\tsome\tbase/1/some_path_that_is_as_long_as_those_of_tablespaces\n");
	assert_int_equal(outline_keep(c.state, &c.service, c.snapshot, &err), ERR_LIMIT);
	close_cluster(&c);
}

static void test_of_another_restore_point_nothing_is_known(void **state)
{
	(void)state;
	struct cluster c;
	struct err err = ERR_INIT;
	struct outline_difference d;
	open_cluster(&c);
	c.snapshot.b[0]++;
	assert_int_equal(
	    outline_differs(c.state, &c.service, c.snapshot, true, 1000, c.arena, &d, &err), ERR_NOT_FOUND);
	c.component.postgres = NULL;
	assert_int_equal(outline_keep(c.state, &c.service, c.snapshot, &err), ERR_UNSUPPORTED);
	close_cluster(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_side_by_side),
	    cmocka_unit_test(test_what_is_used_is_not_what_differs),
	    cmocka_unit_test(test_settings_files_and_modes_are_seen),
	    cmocka_unit_test(test_what_the_server_says),
	    cmocka_unit_test(test_a_table_that_is_empty_now),
	    cmocka_unit_test(test_a_large_one_is_compared),
	    cmocka_unit_test(test_of_a_larger_one_there_is_none),
	    cmocka_unit_test(test_of_another_restore_point_nothing_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
