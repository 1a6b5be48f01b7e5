#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "shared/base/cleanup.h"
#include "shared/reader/reader.h"
#include "tests/lib/unit.h"

static char path[64];
static struct err err;

static void write_plain(const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static void write_packed(const void *data, size_t size)
{
	gzFile out = gzopen(path, "wb");
	assert_non_null(out);
	assert_int_equal(gzwrite(out, data, (unsigned)size), (int)size);
	assert_int_equal(gzclose(out), Z_OK);
}

static struct reader *open_it(void)
{
	struct reader *r = NULL;
	assert_int_equal(reader_open(path, &r, &err), ERR_OK);
	return r;
}

static void expect_line(struct reader *r, const char *text, size_t size, uint64_t number)
{
	struct field_text line;
	bool end;
	assert_int_equal(reader_line(r, &line, &end, &err), ERR_OK);
	assert_false(end);
	assert_int_equal(line.size, size);
	assert_memory_equal(line.text, text, size + 1);
	assert_int_equal(reader_line_number(r), number);
}

static void expect_end(struct reader *r)
{
	struct field_text line;
	bool end = false;
	assert_int_equal(reader_line(r, &line, &end, &err), ERR_OK);
	assert_true(end);
}

static void lines_plain_and_packed(void **state)
{
	(void)state;
	static const char text[] = "one\r\n\nth\0ree\nlast";
	for (int packed = 0; packed < 2; packed++) {
		packed ? write_packed(text, sizeof text - 1) : write_plain(text, sizeof text - 1);
		struct reader *r = open_it();
		expect_line(r, "one", 3, 1);
		expect_line(r, "", 0, 2);
		expect_line(r, "th\0ree", 6, 3);
		expect_line(r, "last", 4, 4);
		expect_end(r);
		expect_end(r);
		reader_close(r);
	}
}

static void a_long_line_is_cut_and_the_next_is_whole(void **state)
{
	(void)state;
	size_t size = (size_t)READER_LINE_MAX + 100;
	char *text = malloc(size);
	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text + size - 5, "\nnext", 5);
	write_packed(text, size);
	struct reader *r = open_it();
	struct field_text line;
	bool end;
	assert_int_equal(reader_line(r, &line, &end, &err), ERR_OK);
	assert_int_equal(line.size, READER_LINE_MAX);
	expect_line(r, "next", 4, 2);
	expect_end(r);
	reader_close(r);
	free(text);
}

static void a_damaged_or_cut_file_is_said_to_be_so(void **state)
{
	(void)state;
	char text[20000];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i % 60 ? 'a' + (int)(i * i % 23) : '\n');
	write_packed(text, sizeof text);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(ftruncate(fd, size - 12), 0);
	close(fd);
	struct reader *r = open_it();
	struct field_text line;
	bool end = false;
	enum err_code rc = ERR_OK;
	for (int i = 0; i < 1000 && rc == ERR_OK && !end; i++)
		rc = reader_line(r, &line, &end, &err);
	assert_int_equal(rc, ERR_INVALID);
	assert_non_null(strstr(err.msg, path));
	reader_close(r);
}

static void a_file_that_is_not_there(void **state)
{
	(void)state;
	struct reader *r = NULL;
	assert_int_equal(reader_open("/nonexistent/file", &r, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/nonexistent/file"));
	assert_null(r);
}

static void expect_row(struct reader *r, size_t count, const char *const *texts, uint64_t number)
{
	const struct field_text *fields;
	size_t n;
	bool end;
	assert_int_equal(reader_row(r, &fields, &n, &end, &err), ERR_OK);
	assert_false(end);
	assert_int_equal(n, count);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(fields[i].text, texts[i]);
		assert_int_equal(fields[i].size, strlen(texts[i]));
	}
	assert_int_equal(reader_line_number(r), number);
}

static void rows(void **state)
{
	(void)state;
	static const char text[] = "time,value,text\n\n1,,\"a \"\"b\"\", c\"\n2,\"x\ny\",\"\"tail\r\n,\n";
	write_plain(text, sizeof text - 1);
	struct reader *r = open_it();
	expect_row(r, 3, (const char *[]){"time", "value", "text"}, 1);
	expect_row(r, 3, (const char *[]){"1", "", "a \"b\", c"}, 3);
	expect_row(r, 3, (const char *[]){"2", "x\ny", "tail"}, 4);
	expect_row(r, 2, (const char *[]){"", ""}, 6);
	const struct field_text *fields;
	size_t n;
	bool end = false;
	assert_int_equal(reader_row(r, &fields, &n, &end, &err), ERR_OK);
	assert_true(end);
	reader_close(r);
}

static void bad_rows_are_refused(void **state)
{
	(void)state;
	const struct field_text *fields;
	size_t n;
	bool end;
	write_plain("a,\"b\nc", 6);
	struct reader *r = open_it();
	assert_int_equal(reader_row(r, &fields, &n, &end, &err), ERR_INVALID);
	reader_close(r);
	char commas[READER_FIELDS_MAX + 1];
	memset(commas, ',', sizeof commas);
	write_plain(commas, READER_FIELDS_MAX - 1);
	r = open_it();
	assert_int_equal(reader_row(r, &fields, &n, &end, &err), ERR_OK);
	assert_int_equal(n, READER_FIELDS_MAX);
	reader_close(r);
	write_plain(commas, READER_FIELDS_MAX);
	r = open_it();
	assert_int_equal(reader_row(r, &fields, &n, &end, &err), ERR_LIMIT);
	reader_close(r);
}

static int prepare(void **state)
{
	(void)state;
	strcpy(path, "/tmp/kedge-reader-XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}
static int clear(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_plain_and_packed),
	    cmocka_unit_test(a_long_line_is_cut_and_the_next_is_whole),
	    cmocka_unit_test(a_damaged_or_cut_file_is_said_to_be_so),
	    cmocka_unit_test(a_file_that_is_not_there),
	    cmocka_unit_test(rows),
	    cmocka_unit_test(bad_rows_are_refused),
	};
	return cmocka_run_group_tests(tests, prepare, clear);
}
