/* What is told of a service that fails, beside what differs: what its own check says, and what its database takes. */
#include <sys/stat.h>

#include "agent/worker/internal.h"
#include "agent/worker/work.h"
#include "tests/lib/snapshot_world.h"

static struct world w;
static struct service_config services[1];
static struct agent_config config;

static struct told {
	unsigned drifts;
	uint64_t changed;
	bool checked;
	char refused[256];
} told;

static int setup(void **state)
{
	struct snapshot_summary s;
	(void)state;
	world_init(&w);
	services[0] = w.service;
	config = (struct agent_config){.host = WORLD_HOST, .state_directory = w.dir, .services = {services, 1}};
	struct snapshot_options o = {.reason = SNAPSHOT_SCHEDULED, .now_ms = w.now_ms};
	world_text(w.config_dir, "conf", "good");
	world_settle();
	WORLD_OK(&w, snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static void on_report(void *ctx, const struct report *r)
{
	(void)ctx;
	if (!r->drift || r->drift->component != COMPONENT_CONFIG)
		return;
	told.drifts++;
	told.changed = r->drift->changed + r->drift->added + r->drift->removed;
	told.checked = r->drift->checked;
	text_copy(told.refused, sizeof told.refused, r->drift->refused ? r->drift->refused : "");
}

static void compare(bool suspect, const char *check)
{
	const char *argv[] = {"/bin/sh", "-c", check};
	struct work_spec spec = {.kind = WORK_DRIFT, .service = "portal", .suspect = suspect};
	struct work_out out = {.report = on_report};
	struct work work = {.c = &config, .spec = &spec, .out = &out, .arena = w.arena, .repo = w.repo};
	services[0].steps.check = (struct list){argv, 3};
	told = (struct told){0};
	work_drift(&work);
	assert_int_equal(told.drifts, 1);
}

/* What it names may lie outside of what is compared: a certificate, a host that has no address any more. */
static void test_who_fails_is_asked_though_nothing_differs(void **state)
{
	(void)state;
	compare(true, "echo the key does not fit >&2; exit 1");
	assert_int_equal(told.changed, 0);
	assert_true(told.checked);
	assert_non_null(strstr(told.refused, "the key does not fit"));
	compare(true, "exit 0");
	assert_true(told.checked);
	assert_string_equal(told.refused, "");
	compare(false, "exit 1"); /* it is well: nobody asks */
	assert_false(told.checked);
}

static void test_what_a_database_takes(void **state)
{
	(void)state;
	char path[WORLD_PATH];
	static const char block[8192];
	static const char *const files[] = {"db/base/1/16384", "db/base/pgsql_tmp/pgsql_tmp1.0", "db/pg_wal/0001",
	    "db/base/1/t3_16385", "db/base/1/t3_16385.1", "elsewhere/a"};
	static const char *const folders[] = {
	    "db", "db/base", "db/base/1", "db/base/pgsql_tmp", "db/pg_wal", "elsewhere"};
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		assert_true(text_format(path, sizeof path, "%s/%s", w.dir, folders[i]));
		assert_int_equal(mkdir(path, 0700), 0);
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		assert_true(text_format(path, sizeof path, "%s/%s", w.dir, files[i]));
		FILE *f = fopen(path, "we");
		assert_non_null(f);
		assert_int_equal(fwrite(block, sizeof block, 1, f), 1);
		assert_int_equal(fclose(f), 0);
	}
	char link[WORLD_PATH];
	assert_true(text_format(path, sizeof path, "%s/elsewhere", w.dir));
	assert_true(text_format(link, sizeof link, "%s/db/link", w.dir));
	assert_int_equal(symlink(path, link), 0);
	assert_true(text_format(path, sizeof path, "%s/db", w.dir));
	assert_int_equal(work_size_of_database(path), 2 * sizeof block);
	assert_int_equal(work_size_of_database("/nowhere/at/all"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_who_fails_is_asked_though_nothing_differs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_a_database_takes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
