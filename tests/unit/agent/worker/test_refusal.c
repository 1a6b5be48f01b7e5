/* What a service's own check minds: what changed, or a file elsewhere that it follows to. */
#include <sys/stat.h>

#include "agent/worker/internal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum { OLD_S = 1000 };

static char dir[SCRATCH_PATH];

static void put(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
}

static bool elsewhere(const char *name, uint64_t changed_ms)
{
	char said[640], config[512];
	const char *paths[] = {config};
	const struct component_config c = {.paths = {paths, 1}};
	snprintf(config, sizeof config, "%s/conf", dir);
	snprintf(said, sizeof said, ": exited with 1: n/a [emerg] cannot load \"%s%s\": see /dev/null",
	    name[0] ? dir : "", name);
	return work_refusal_lies_elsewhere(said, &c, changed_ms);
}

static void test_which_file_it_minds(void **state)
{
	char conf[512];
	(void)state;
	scratch_make(dir);
	snprintf(conf, sizeof conf, "%s/conf", dir);
	assert_int_equal(mkdir(conf, 0700), 0);
	put("site.pem");
	put("conf/site.conf");
	put("config");
	assert_true(elsewhere("/site.pem", OLD_S));
	assert_false(elsewhere("/site.pem", UINT64_MAX)); /* is as old as before: it was named anew */
	assert_false(elsewhere("/site.pem", 0));          /* nobody knows when the configuration changed */
	assert_false(elsewhere("/other.pem", OLD_S));     /* is not there: it was named anew */
	assert_false(elsewhere("/conf/site.conf", OLD_S));
	assert_true(elsewhere("/config", OLD_S)); /* not below conf, though it begins as that does */
	assert_false(elsewhere("/conf", OLD_S));  /* the folder itself */
	assert_false(elsewhere("", OLD_S));       /* the first path is no file */
	scratch_remove(dir);
}

static void test_what_names_no_file(void **state)
{
	const struct component_config c = {0};
	static const char *const said[] = {"", "/", "exited with 1", "a/b and/or", "ends in /", "\"//\""};
	char longest[PATH_LIMIT + 64];
	(void)state;
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		assert_false(work_refusal_lies_elsewhere(said[i], &c, OLD_S));
	memset(longest, '/', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_false(work_refusal_lies_elsewhere(longest, &c, OLD_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_which_file_it_minds),
	    cmocka_unit_test(test_what_names_no_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
