#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/logwatch/logwatch.h"
#include "agent/logwatch/tail.h"

static struct {
	char folder[64], path[96], other[96];
	struct tail *tail;
	struct buf seen; /* lines, each with a '|' behind; '!' before it when cut */
	uint64_t skipped, now;
} w;

static void on_line(void *ctx, const char *line, size_t size, bool cut)
{
	(void)ctx;
	buf_append(&w.seen, line, size < 64 ? size : 64);
	buf_text(&w.seen, cut ? "!|" : "|");
}
static void on_skipped(void *ctx, uint64_t bytes)
{
	(void)ctx;
	w.skipped += bytes;
}
static const struct tail_events events = {.on_line = on_line, .on_skipped = on_skipped};

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	strcpy(w.folder, "/tmp/kedge-tail-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(w.path, sizeof w.path, "%s/x.log", w.folder);
	snprintf(w.other, sizeof w.other, "%s/x.log.1", w.folder);
	w.now = 1000;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tail_free(w.tail);
	buf_done(&w.seen);
	unlink(w.path);
	unlink(w.other);
	rmdir(w.folder);
	return 0;
}

static void put(const char *path, int flags, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}
static void append(const char *text)
{
	put(w.path, O_APPEND, text, strlen(text));
}

static void begin(const struct tail_position *known, size_t count, bool from_start)
{
	struct err err;
	tail_free(w.tail);
	assert_int_equal(tail_new(w.path, &events, known, count, from_start, &w.tail, &err), ERR_OK);
}

static const char *lines(void)
{
	buf_clear(&w.seen);
	w.now += 100;
	for (int i = 0; i < 1000 && tail_read(w.tail, 65536, w.now); i++)
		;
	return buf_str(&w.seen);
}

static void lines_come_whole(void **state)
{
	(void)state;
	append("old\n");
	begin(NULL, 0, false);
	assert_string_equal(lines(), ""); /* no history: from its end */
	append("one\ntw");
	assert_string_equal(lines(), "one|");
	append("o\n\nthree\n");
	assert_string_equal(lines(), "two|three|");
	begin(NULL, 0, true);
	assert_string_equal(lines(), "old|one|two|three|");
}

static void a_file_that_comes_later_is_read_from_its_start(void **state)
{
	(void)state;
	begin(NULL, 0, false);
	assert_string_equal(lines(), "");
	append("first\n");
	assert_string_equal(lines(), "first|");
}

static void renamed_and_created(void **state)
{
	(void)state;
	append("a\n");
	begin(NULL, 0, true);
	assert_string_equal(lines(), "a|");
	append("b\n"); /* not read before the rename */
	assert_int_equal(rename(w.path, w.other), 0);
	append("c\n");
	assert_string_equal(lines(), "b|c|");
	assert_string_equal(lines(), "");
	/* The writer still has the old file open for a while. */
	put(w.other, O_APPEND, "late\n", 5);
	append("d\n");
	assert_string_equal(lines(), "late|d|");
	w.now += TAIL_GRACE_MS;
	(void)lines();
	put(w.other, O_APPEND, "too late\n", 9);
	assert_string_equal(lines(), "");
}

/* A deleted file takes room as long as anybody has it open: it is let go of soon, read to its end. */
static void a_deleted_file_is_let_go(void **state)
{
	(void)state;
	append("a\n");
	begin(NULL, 0, true);
	assert_string_equal(lines(), "a|");
	int writer = open(w.path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(writer >= 0 && unlink(w.path) == 0);
	assert_int_equal(write(writer, "b\n", 2), 2);
	assert_string_equal(lines(), "b|");
	w.now += TAIL_NAMELESS_MS;
	(void)lines();
	assert_int_equal(write(writer, "c\n", 2), 2);
	assert_string_equal(lines(), ""); /* nobody has it open but its writer */
	close(writer);
}

static void an_unfinished_line_of_a_renamed_file_is_told_at_last(void **state)
{
	(void)state;
	append("a\nhalf");
	begin(NULL, 0, true);
	assert_string_equal(lines(), "a|");
	assert_int_equal(rename(w.path, w.other), 0);
	append("new\n");
	assert_string_equal(lines(), "new|");
	w.now += TAIL_GRACE_MS;
	assert_string_equal(lines(), "half|");
}

static void copied_and_truncated(void **state)
{
	(void)state;
	append("aaaa\nbbbb\n");
	begin(NULL, 0, true);
	assert_string_equal(lines(), "aaaa|bbbb|");
	assert_int_equal(truncate(w.path, 0), 0);
	assert_string_equal(lines(), "");
	append("c\n");
	assert_string_equal(lines(), "c|");
	/* Truncated and longer again before we looked: only the content tells. */
	assert_int_equal(truncate(w.path, 0), 0);
	append("dddddddd\neeeeeeee\nffffffff\n");
	assert_string_equal(lines(), "dddddddd|eeeeeeee|ffffffff|");
}

static void deleted_and_created(void **state)
{
	(void)state;
	append("a\n");
	begin(NULL, 0, true);
	(void)lines();
	append("b\n");
	unlink(w.path);
	assert_string_equal(lines(), "b|");
	assert_string_equal(lines(), "");
	append("c\n"); /* may well get the old inode's number */
	assert_string_equal(lines(), "c|");
	unlink(w.path);
	append("d\n");
	assert_string_equal(lines(), "d|");
}

static void long_lines_are_cut_not_split(void **state)
{
	(void)state;
	size_t size = 10 << 20;
	char *big = malloc(size);
	assert_non_null(big);
	memset(big, 'x', size);
	begin(NULL, 0, true);
	put(w.path, O_APPEND, big, size);
	append("\nshort\n");
	const char *seen = lines();
	assert_int_equal(strlen(seen), 64 + 2 + 6);
	assert_non_null(strstr(seen, "!|short|"));
	memset(big, 0, size); /* and a hole as long */
	put(w.path, O_APPEND, big, size);
	append("\nafter\n");
	(void)lines();
	assert_memory_equal(w.seen.data + w.seen.size - 6, "after|", 6);
	free(big);
}

static void going_on_where_it_was(void **state)
{
	(void)state;
	struct tail_position p[2];
	append("a\nb\nhal");
	begin(NULL, 0, true);
	assert_string_equal(lines(), "a|b|");
	assert_int_equal(tail_positions(w.tail, p), 1);
	assert_int_equal(p[0].offset, 4); /* where the unfinished line begins */
	append("f\nc\n");
	begin(p, 1, false);
	assert_string_equal(lines(), "half|c|");
}

static void renamed_while_nobody_looked(void **state)
{
	(void)state;
	struct tail_position p[2];
	append("a\n");
	begin(NULL, 0, true);
	(void)lines();
	assert_int_equal(tail_positions(w.tail, p), 1);
	append("b\n");
	assert_int_equal(rename(w.path, w.other), 0);
	append("c\n");
	begin(p, 1, false);
	assert_string_equal(lines(), "b|c|");
	assert_int_equal(tail_positions(w.tail, p), 2); /* both are remembered while the old one is read */
	put(w.other, O_APPEND, "late\n", 5);
	begin(p, 2, false);
	assert_string_equal(lines(), "late|");
}

static void another_file_with_the_same_inode_is_new(void **state)
{
	(void)state;
	struct tail_position p[2];
	append("aaaaaaaa\nbbbbbbbb\n");
	begin(NULL, 0, true);
	(void)lines();
	assert_int_equal(tail_positions(w.tail, p), 1);
	int fd = open(w.path, O_WRONLY | O_TRUNC | O_CLOEXEC); /* same inode, other content, and longer */
	assert_int_equal(write(fd, "one one one\ntwo two two\nthree\n", 30), 30);
	close(fd);
	begin(p, 1, false);
	assert_string_equal(lines(), "one one one|two two two|three|");
}

static void a_long_absence_is_bounded(void **state)
{
	(void)state;
	struct tail_position p[2];
	append("a\n");
	begin(NULL, 0, true);
	(void)lines();
	assert_int_equal(tail_positions(w.tail, p), 1);
	size_t size = LOGWATCH_BACKLOG_MAX + 1000000;
	char *big = malloc(size);
	assert_non_null(big);
	memset(big, 'y', size);
	for (size_t i = 100; i < size; i += 101)
		big[i] = '\n';
	put(w.path, O_APPEND, big, size);
	begin(p, 1, false);
	(void)lines();
	assert_in_range(w.skipped, 1000000 - 10, 1000000 + 10);
	free(big);
}

static void folders_and_fifos_are_not_followed(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(w.path, 0600), 0);
	begin(NULL, 0, true); /* must not hang */
	assert_string_equal(lines(), "");
	unlink(w.path);
	append("now\n");
	assert_string_equal(lines(), "now|");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(lines_come_whole), T(a_file_that_comes_later_is_read_from_its_start),
	    T(renamed_and_created), T(a_deleted_file_is_let_go),
	    T(an_unfinished_line_of_a_renamed_file_is_told_at_last), T(copied_and_truncated), T(deleted_and_created),
	    T(long_lines_are_cut_not_split), T(going_on_where_it_was), T(renamed_while_nobody_looked),
	    T(another_file_with_the_same_inode_is_new), T(a_long_absence_is_bounded),
	    T(folders_and_fifos_are_not_followed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
