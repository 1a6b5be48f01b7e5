/* A pid file, and what else may stand in its place. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/io/pidfile.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

static char folder[SCRATCH_PATH];

static int make(void **state)
{
	(void)state;
	scratch_make(folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

/* NULL: nothing is there. */
static const char *put(const char *text)
{
	static char path[SCRATCH_PATH + 8];
	(void)snprintf(path, sizeof path, "%s/pid", folder);
	(void)unlink(path);
	if (text) {
		FILE *f = fopen(path, "we");
		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	return path;
}

static void the_number_comes_first(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		pid_t pid;
	} cases[] = {{"17\n", 17}, {" 4194304", 4194304}, {"12\n/var/lib/pg\n1700000000\n5432\n", 12}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		pid_t pid = 0;
		struct err err = ERR_INIT;
		assert_int_equal(pidfile_read(put(cases[i].text), &pid, &err), ERR_OK);
		assert_int_equal(pid, cases[i].pid);
	}
}

static void anything_else_is_none(void **state)
{
	(void)state;
	static const char *const cases[] = {"", "\n", "none", "-4", "0", "99999999999999999999", "4294967297"};
	pid_t pid = 7;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(pidfile_read(put(cases[i]), &pid, &err), ERR_CORRUPT);
	assert_int_equal(pidfile_read(put(NULL), &pid, &err), ERR_NOT_FOUND);
	assert_int_equal(pidfile_read(folder, &pid, &err), ERR_UNSUPPORTED);
	assert_int_equal(pid, 7);
}

/* Nobody writes to it: whoever waited would wait for ever. */
static void a_pipe_holds_nobody_up(void **state)
{
	(void)state;
	pid_t pid;
	struct err err = ERR_INIT;
	const char *path = put(NULL);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)alarm(10);
	assert_int_equal(pidfile_read(path, &pid, &err), ERR_UNSUPPORTED);
	(void)alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_number_comes_first, make, end),
	    cmocka_unit_test_setup_teardown(anything_else_is_none, make, end),
	    cmocka_unit_test_setup_teardown(a_pipe_holds_nobody_up, make, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
