/* analyze classify, analyze match, diagnosis model: files in, JSON lines out, without kedge.yaml and controller. */
#include "tests/unit/controller/cli/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/file.h"

static char folder[] = "/tmp/kedge-analyze-XXXXXX";
static char line[1024];

static const char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned at;
	char *p = path[at++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_replace(path_of(name), text, strlen(text), 0600, NULL), ERR_OK);
}

static int run(struct fake *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	fake_forget(f);
	f->io.config = NULL; /* whoever asks for kedge.yaml fails */
	return fake_run(f, line);
}

static void says(struct fake *f, int code, const char *wanted)
{
	const char *got = code == CLI_DONE ? buf_str(&f->out) : buf_str(&f->error);
	if (!strstr(got, wanted))
		fail_msg("%s: %d\n%s%s\nexpected\n%s", line, code, buf_str(&f->out), buf_str(&f->error), wanted);
}

static void messages_get_classes(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	put("m.jsonl",
	    "{\"id\":\"a\",\"text\":\"permission denied\",\"more\":1}\n\n{\"id\":7,\"text\":\"user not found\"}\n");
	int code = run(f, "analyze classify %s", path_of("m.jsonl"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "{\"id\":\"a\",\"class\":\"auth\",\"conf\":0.");
	says(f, code, "{\"id\":7,\"class\":\"not_found\",\"conf\":0.");
	put("m.jsonl", "{\"id\":\"a\",\"text\":\"x\"}\nnot JSON\n");
	code = run(f, "analyze classify %s", path_of("m.jsonl"));
	assert_int_equal(code, CLI_FAILED);
	says(f, code, "m.jsonl:2");
	put("m.jsonl", "");
	assert_int_equal(run(f, "analyze classify %s", path_of("m.jsonl")), CLI_DONE);
	assert_int_equal(f->out.size, 0);
	assert_int_equal(run(f, "analyze classify %s", path_of("none.jsonl")), CLI_NOT_FOUND);
	fake_free(f);
}

static void a_model_is_trained_and_used(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	struct buf text = BUF_INIT;
	for (int i = 0; i < 40; i++)
		buf_printf(&text, "{\"system\":\"%s\",\"class\":\"%s\",\"text\":\"%s\"}\n", i % 2 ? "one" : "two",
		    i % 4 < 2 ? "invalid" : "conflict", i % 4 < 2 ? "gronk is required" : "gronk is fighting over");
	put("e.jsonl", buf_str(&text));
	int code = run(f, "diagnosis model train %s --out %s -o json", path_of("e.jsonl"), path_of("own.model"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "\"examples\": 40");
	put("m.jsonl", "{\"id\":1,\"text\":\"gronk is fighting over\"}\n");
	code = run(f, "analyze classify %s --model %s", path_of("m.jsonl"), path_of("own.model"));
	says(f, code, "\"class\":\"conflict\"");
	code = run(f, "diagnosis model evaluate %s --model %s -o json", path_of("e.jsonl"), path_of("own.model"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "\"accuracy\": 1");
	assert_int_equal(run(f, "diagnosis model show -o json"), CLI_DONE);
	assert_int_equal(run(f, "diagnosis model train %s", path_of("e.jsonl")), CLI_USAGE);
	assert_int_equal(run(f, "diagnosis model paint"), CLI_USAGE);
	assert_int_equal(run(f, "diagnosis model show --model %s", path_of("e.jsonl")), CLI_FAILED);
	buf_done(&text);
	fake_free(f);
}

static void a_matrix_with_its_causes_beside_it(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	put("RUN_SEQ.tsv", "open\tclose\tfail\n1\t1\t0\n1\t1\t0\n1\t0\t3\n1\t0\t2\n");
	put("RUN_Failure_Labels.txt", "good\ngood\nbad\nbad\n");
	put("OTHER_Labels.txt", "x\n");
	int code = run(f, "analyze match --history %s --queries %s", path_of("RUN_SEQ.tsv"), path_of("RUN_SEQ.tsv"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "{\"id\":\"1\",\"rank\":[\"good\",\"bad\",\"bad\"],\"nearest\":[\"2\",");
	says(f, code, "{\"id\":\"3\",\"rank\":[\"bad\",\"good\",\"good\"],\"nearest\":[\"4\",");
	put("new.tsv", "open\tclose\tfail\n1\t0\t9\n");
	code = run(f, "analyze match --history %s --queries %s --labels %s", path_of("RUN_SEQ.tsv"), path_of("new.tsv"),
	    path_of("RUN_Failure_Labels.txt"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "{\"id\":\"1\",\"rank\":[\"bad\",\"bad\",\"good\",\"good\"]");
	put("RUN_Failure_Labels.txt", "good\n");
	code = run(f, "analyze match --history %s --queries %s", path_of("RUN_SEQ.tsv"), path_of("new.tsv"));
	assert_int_equal(code, CLI_FAILED);
	says(f, code, "ends before");
	put("RUN_SEQ.tsv", "open\tclose\tfail\n1\t1\t0\n1\t1\n");
	put("RUN_Failure_Labels.txt", "good\ngood\n");
	assert_int_equal(
	    run(f, "analyze match --history %s --queries %s", path_of("RUN_SEQ.tsv"), path_of("new.tsv")), CLI_FAILED);
	fake_free(f);
}

static void sessions_and_json_lines(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	put("past.tsv", "s1\tdisk\t5 5 7\ns2\tdisk\t5 7 7\ns3\tnet\t1 2 1\n");
	put("asked.tsv", "q\t1 1 2\n");
	int code = run(f, "analyze match --history %s --queries %s", path_of("past.tsv"), path_of("asked.tsv"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "{\"id\":\"q\",\"rank\":[\"net\",\"disk\",\"disk\"]");
	put("past.jsonl", "{\"id\":\"p1\",\"cause\":\"disk\",\"events\":[\"full\",\"slow\"]}\n{\"id\":\"p2\",\"class\":"
			  "\"net\",\"events\":[\"reset\"]}\n");
	put("asked.jsonl", "{\"id\":\"q\",\"events\":[\"reset\",\"reset\"]}\n");
	code = run(f, "analyze match --history %s --queries %s", path_of("past.jsonl"), path_of("asked.jsonl"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "\"rank\":[\"net\",\"disk\"]");
	put("empty.tsv", "");
	assert_int_equal(
	    run(f, "analyze match --history %s --queries %s", path_of("empty.tsv"), path_of("asked.tsv")), CLI_DONE);
	says(f, CLI_DONE, "\"rank\":[]");
	put("odd.tsv", "no tabs at all\n");
	assert_int_equal(
	    run(f, "analyze match --history %s --queries %s", path_of("odd.tsv"), path_of("asked.tsv")), CLI_FAILED);
	assert_int_equal(run(f, "analyze match --queries %s", path_of("asked.tsv")), CLI_USAGE);
	fake_free(f);
}

static void documents(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	assert_int_equal(mkdir(path_of("books"), 0700), 0);
	assert_int_equal(mkdir(path_of("books/more"), 0700), 0);
	put("books/DiskFull.md", "# Disk full\nNo space is left.\n");
	put("books/more/QueueSlow.md", "# Queue slow\nMessages wait.\n");
	put("books/more/DiskFull.md", "# Disk of the archive full\nArchive.\n");
	put("books/picture.png", "disk disk disk");
	put("q.jsonl", "{\"id\":\"x\",\"query\":\"messages wait in a queue\"}\n{\"id\":2,\"query\":\"the archive's "
		       "disk is full\"}\n");
	int code = run(f, "analyze match --documents %s --queries %s", path_of("books"), path_of("q.jsonl"));
	assert_int_equal(code, CLI_DONE);
	says(f, code, "{\"id\":\"x\",\"rank\":[\"QueueSlow\"");
	says(f, code, "{\"id\":2,\"rank\":[\"more/DiskFull\",\"DiskFull\"");
	assert_int_equal(
	    run(f, "analyze match --documents %s --queries %s", path_of("nowhere"), path_of("q.jsonl")), CLI_NOT_FOUND);
	fake_free(f);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"m.jsonl", "e.jsonl", "own.model", "RUN_SEQ.tsv", "RUN_Failure_Labels.txt",
	    "OTHER_Labels.txt", "new.tsv", "past.tsv", "asked.tsv", "past.jsonl", "asked.jsonl", "empty.tsv", "odd.tsv",
	    "q.jsonl", "books/more/QueueSlow.md", "books/more/DiskFull.md", "books/DiskFull.md", "books/picture.png"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(path_of(names[i]));
	rmdir(path_of("books/more"));
	rmdir(path_of("books"));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_get_classes),
	    cmocka_unit_test(a_model_is_trained_and_used),
	    cmocka_unit_test(a_matrix_with_its_causes_beside_it),
	    cmocka_unit_test(sessions_and_json_lines),
	    cmocka_unit_test(documents),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
