/* analyze cause: a line of cases in, a line of answers out, without kedge.yaml and controller. */
#include "tests/unit/controller/cli/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/file.h"

static char folder[] = "/tmp/kedge-cause-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int run(struct fake *f, const char *text)
{
	char line[256];
	assert_int_equal(file_replace(path_of("cases.jsonl"), text, strlen(text), 0600, NULL), ERR_OK);
	snprintf(line, sizeof line, "analyze cause --cases %s", path_of("cases.jsonl"));
	fake_forget(f);
	f->io.config = NULL; /* whoever asks for kedge.yaml fails */
	return fake_run(f, line);
}

static void cases_get_answers(void **state)
{
	(void)state;
	static const char table[] = "time,a|cpu,b|cpu\n1,5,5\n2,5,5\n3,5,5\n4,5,5\n5,5,90\n6,5,90\n";
	struct fake *f = fake_new();
	assert_int_equal(file_replace(path_of("m.csv"), table, strlen(table), 0600, NULL), ERR_OK);
	int code = run(f, "{\"case\":\"one\",\"metrics\":\"m.csv\",\"inject_time\":5}\n\n{\"case\":\"two\"}\n");
	assert_int_equal(code, CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "{\"case\":\"one\",\"rank\":[\"b\",\"a\"],\"conf\":0."));
	assert_non_null(strstr(buf_str(&f->out), "\n{\"case\":\"two\",\"rank\":[],\"conf\":0,"));
	fake_free(f);
}

static void a_bad_line_keeps_no_other_from_its_answer(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	assert_int_equal(run(f, "not JSON\n{\"case\":\"two\",\"metrics\":\"none.csv\"}\n"), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "cases.jsonl, line 1: "));
	assert_non_null(strstr(buf_str(&f->error), "two: "));
	assert_non_null(strstr(buf_str(&f->out), "{\"case\":\"two\",\"rank\":[],\"conf\":0,"));
	fake_forget(f);
	f->io.config = NULL;
	assert_int_equal(fake_run(f, "analyze cause --cases /nowhere/cases.jsonl"), CLI_NOT_FOUND);
	fake_free(f);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path_of("m.csv"));
	(void)unlink(path_of("cases.jsonl"));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cases_get_answers),
	    cmocka_unit_test(a_bad_line_keeps_no_other_from_its_answer),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
