/* Commands that work on files from elsewhere: analyze logs, redact.  They need no kedge.yaml and no controller. */
#include "tests/unit/controller/cli/fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "shared/base/cleanup.h"

static char path[64], line[256];

static void write_file(const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, data, size, NULL), ERR_OK);
	close(fd);
}
static void write_text(const char *text)
{
	write_file(text, strlen(text));
}

static int run(struct fake *f, const char *before, const char *behind)
{
	fake_forget(f);
	f->io.config = NULL; /* whoever asks for kedge.yaml fails */
	text_format(line, sizeof line, "%s %s %s", before, path, behind);
	return fake_run(f, line);
}

static void prints(struct fake *f, const char *before, const char *behind, const char *wanted)
{
	int code = run(f, before, behind);
	if (code != CLI_DONE || !text_equal(buf_str(&f->out), wanted))
		fail_msg("%s: %d\n%s%s\nexpected\n%s", line, code, buf_str(&f->out), buf_str(&f->error), wanted);
}

static const char connections[] = "Connection from 10.0.0.7 opened\nConnection from 10.0.0.8 closed\n"
				  "Connection from 10.0.0.9 opened\n";

static void a_row_a_line(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	write_text(connections);
	prints(f, "analyze logs", "--lines",
	    "0\tConnection from <*> opened\n1\tConnection from <*> closed\n0\tConnection from <*> opened\n");
	write_text("");
	prints(f, "analyze logs", "--lines", "");
	/* A line is told by what its template became later. */
	write_text("login of user anna done\nlogin of user bert done\nlogin of user carl done\n");
	prints(f, "analyze logs", "--lines",
	    "0\tlogin of user <*> done\n0\tlogin of user <*> done\n0\tlogin of user <*> done\n");
	fake_free(f);
}

static void a_row_a_template(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	write_text("2026-01-02T03:04:05Z INFO Connection from 10.0.0.7 opened\n"
		   "2026-01-02T03:04:06Z ERROR disk full\n2026-01-02T03:04:07Z INFO Connection from 10.0.0.8 opened\n");
	assert_int_equal(run(f, "analyze logs", "-o jsonl"), CLI_DONE);
	const char *out = buf_str(&f->out), *second = strchr(out, '\n');
	assert_non_null(second);
	assert_non_null(strstr(out, "\"count\":2,\"template\":\"Connection from <*> opened\","
				    "\"first\":\"2026-01-02T03:04:05.000Z\",\"last\":\"2026-01-02T03:04:07.000Z\""));
	assert_non_null(strstr(out, "\"sample\":\"Connection from 10.0.0.7 opened\""));
	assert_non_null(strstr(second, "\"count\":1,\"template\":\"disk full\""));
	assert_int_equal(run(f, "analyze logs", "-o table"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "TEMPLATE"));
	assert_int_equal(run(f, "analyze logs", "--format yaml"), CLI_USAGE);
	fake_free(f);
}

/* Some messages look as if they had headers; where hardly a line has one, they are messages. */
static void what_has_headers_is_seen_from_the_first_lines(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	CLEANUP(buf_done) struct buf bare = BUF_INIT, headed = BUF_INIT;
	for (int i = 0; i < 20; i++) {
		buf_printf(&bare, "block %d is full\n", i);
		buf_printf(&headed, "2026-01-02 03:04:%02d INFO [worker-%d] block %d is full\n", i, i, i);
	}
	buf_text(&bare, "ERROR in volume 7\n");
	write_text(buf_str(&bare));
	assert_int_equal(run(f, "analyze logs", "--lines"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "\tERROR in volume <*>\n"));
	write_text(buf_str(&headed));
	assert_int_equal(run(f, "analyze logs", "--lines"), CLI_DONE);
	assert_true(text_starts(buf_str(&f->out), "0\tblock <*> is full\n0\tblock <*> is full\n"));
	fake_free(f);
}

static void bytes_of_any_kind(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	static const char odd[] = "a\0b \xff\xfe failed\n\n\x1b[31mred\n";
	write_file(odd, sizeof odd - 1);
	assert_int_equal(run(f, "analyze logs", "--lines"), CLI_DONE);
	assert_null(memchr(buf_str(&f->out), 27, f->out.size));
	assert_int_equal(run(f, "analyze logs", "-o jsonl"), CLI_DONE);
	assert_non_null(strstr(buf_str(&f->out), "\xef\xbf\xbd failed"));
	assert_int_equal(run(f, "redact --mode log", ""), CLI_DONE);
	assert_int_equal(f->out.size, sizeof odd - 1); /* nothing to take out: byte for byte */
	assert_memory_equal(buf_str(&f->out), odd, sizeof odd - 1);
	CLEANUP(buf_done) struct buf big = BUF_INIT;
	for (int i = 0; i < 10 << 20; i++)
		buf_byte(&big, (uint8_t)(i % 50 ? 'a' + i % 26 : ' '));
	buf_byte(&big, '\n');
	write_file(big.data, big.size);
	assert_int_equal(run(f, "analyze logs", "--lines"), CLI_DONE);
	assert_int_equal(run(f, "redact --mode log", ""), CLI_DONE);
	assert_int_equal(f->out.size, big.size);
	fake_free(f);
}

static void packed_missing_and_damaged_files(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	gzFile z = gzopen(path, "wb");
	assert_int_equal(gzwrite(z, connections, sizeof connections - 1), sizeof connections - 1);
	assert_int_equal(gzclose(z), Z_OK);
	prints(f, "analyze logs", "--lines",
	    "0\tConnection from <*> opened\n1\tConnection from <*> closed\n0\tConnection from <*> opened\n");
	prints(f, "redact --mode log", "", connections);
	assert_int_equal(truncate(path, 30), 0);
	assert_int_equal(run(f, "analyze logs", "--lines"), CLI_FAILED);
	assert_int_equal(run(f, "redact", ""), CLI_FAILED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run(f, "analyze logs", "--lines"), CLI_NOT_FOUND);
	assert_int_equal(run(f, "redact", ""), CLI_NOT_FOUND);
	fake_free(f);
}

static void redact_text_by_mode(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	write_text("mail ada@example.com\nseen on April 12, 2023\n");
	prints(f, "redact", "", "mail [EMAIL]\nseen on [DATE]\n");
	prints(f, "redact --mode clinical", "", "mail [EMAIL]\nseen on [DATE]\n");
	prints(f, "redact --mode log", "", "mail [EMAIL]\nseen on April 12, 2023\n");
	assert_int_equal(run(f, "redact --mode prose", ""), CLI_USAGE);
	/* A key over several lines goes whole. */
	write_text("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\nafter\n");
	prints(f, "redact --mode log", "", "[SECRET]\n[SECRET]\n[SECRET]\nafter\n");
	fake_free(f);
}

/* Characters are counted, not bytes; ids come back as they were. */
static void spans_of_documents(void **state)
{
	(void)state;
	struct fake *f = fake_new();
	write_text("{\"id\":7,\"text\":\"\xc3\xbc\xf0\x9f\x98\x80 ada@example.com \xc3\xbc\",\"more\":[1]}\n\n"
		   "{\"id\":\"b\",\"text\":\"\"}\n");
	prints(f, "redact --mode log --jsonl", "",
	    "{\"id\":7,\"spans\":[{\"start\":3,\"end\":18,\"type\":\"email\"}]}\n{\"id\":\"b\",\"spans\":[]}\n");
	write_text("{\"id\":1,\"text\":\"x\"}\n{\"text\":\"no id\"}\n");
	assert_int_equal(run(f, "redact --jsonl", ""), CLI_FAILED);
	assert_non_null(strstr(buf_str(&f->error), "line 2"));
	fake_free(f);
}

static int make_path(void **state)
{
	(void)state;
	strcpy(path, "/tmp/kedge-files-XXXXXX");
	int fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}
static int remove_path(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_row_a_line, make_path, remove_path),
	    cmocka_unit_test_setup_teardown(a_row_a_template, make_path, remove_path),
	    cmocka_unit_test_setup_teardown(what_has_headers_is_seen_from_the_first_lines, make_path, remove_path),
	    cmocka_unit_test_setup_teardown(bytes_of_any_kind, make_path, remove_path),
	    cmocka_unit_test_setup_teardown(packed_missing_and_damaged_files, make_path, remove_path),
	    cmocka_unit_test_setup_teardown(redact_text_by_mode, make_path, remove_path),
	    cmocka_unit_test_setup_teardown(spans_of_documents, make_path, remove_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
