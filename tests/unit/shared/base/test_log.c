#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

static int ends[2]; /* a datagram is one write */

static int set_up(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return -1;
	log_setup(NULL, LOG_LEVEL_DEBUG);
	log_to_fd(ends[1]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	log_to_fd(2);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* The one line that was written; what stands behind the time. */
static const char *line(void)
{
	static char text[8192];
	ssize_t n = recv(ends[0], text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_ptr_equal(strchr(text, '\n'), text + n - 1);
	text[n - 1] = '\0';
	assert_int_equal(strlen(text), n - 1);
	assert_true(text_utf8_valid(text, (size_t)n - 1));
	assert_int_equal(text[24], ' ');
	text[24] = '\0';
	uint64_t ms;
	assert_int_equal(text_parse_time(text, &ms, NULL), ERR_OK);
	assert_true(ms <= clock_wall_ms() && ms + 60000 > clock_wall_ms());
	return text + 25;
}

static void no_line(void)
{
	char c;
	assert_int_equal(recv(ends[0], &c, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void shape(void **state)
{
	(void)state;
	errno = 55;
	log_warn("gate", "host=%s certificate expired", "host-01jd");
	assert_int_equal(errno, 55);
	assert_string_equal(line(), "warn gate host=host-01jd msg=\"certificate expired\"");
	no_line();
	log_debug("a", "plain");
	assert_string_equal(line(), "debug a msg=\"plain\"");
	log_info("a", "x=1 y=2");
	assert_string_equal(line(), "info a x=1 y=2");
	log_error("a", "two words x=1");
	assert_string_equal(line(), "error a msg=\"two words x=1\"");
	log_info("a", "%s", "");
	assert_string_equal(line(), "info a");
	log_setup("kedge", LOG_LEVEL_DEBUG);
	log_info("a", "x");
	assert_string_equal(line(), "info kedge/a msg=\"x\"");
}

static void pairs_are_bare_only_if_plain(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
	    {"k=", "msg=\"k=\""},
	    {"=v", "msg=\"=v\""},
	    {"K=v", "msg=\"K=v\""},
	    {"k=a=b", "msg=\"k=a=b\""},
	    {"k=\"v", "msg=\"k=\\\"v\""},
	    {"k=v\nx", "msg=\"k=v\\nx\""},
	    {"k=\xc3\xa9", "msg=\"k=\xc3\xa9\""},
	    {"k=v  l=w  rest", "k=v l=w msg=\"rest\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		log_info("a", "%s", cases[i][0]);
		assert_string_equal(line() + strlen("info a "), cases[i][1]);
	}
}

/* Nothing in a message makes a second line, leaves the quotes, or reaches a terminal as a command. */
static void cannot_be_forged(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
	    {"x\n2026-11-23T04:12:33.123Z error gate msg=\"all is lost\"",
		"x\\n2026-11-23T04:12:33.123Z error gate msg=\\\"all is lost\\\""},
	    {"a\rb", "a\\x0db"},
	    {"a\tb", "a\\tb"},
	    {"a\\nb", "a\\\\nb"},
	    {"\033[2Jb", "\\x1b[2Jb"},
	    {"\x7f", "\\x7f"},
	    {"\xc2\x9b"
	     "2J",
		"\\xc2\\x9b2J"},        /* the one-character form of ESC [ */
	    {"\xc2\x85", "\\xc2\\x85"}, /* next line */
	    {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
	    {"\xff\xfe", "\\xff\\xfe"},
	    {"\xe2\x82", "\\xe2\\x82"},
	    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[256];
		snprintf(want, sizeof(want), "info a msg=\"%s\"", cases[i][1]);
		log_info("a", "%s", cases[i][0]);
		assert_string_equal(line(), want);
	}
}

static void every_byte(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char message[4] = {'-', (char)c, 'y', 0};
		log_info("a", "%s", message);
		const char *got = line();
		for (const char *p = got; *p; p++)
			if (*p < ' ' || *p == 0x7f)
				fail_msg("byte %d passes", c);
		assert_int_equal(got[strlen(got) - 1], '"');
		assert_int_equal(got[strlen(got) - 2], 'y');
	}
}

static void long_messages_are_cut(void **state)
{
	(void)state;
	static const char *const units[] = {"x", "\n", "\x01", "\xe2\x82\xac"};
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		char message[9000] = "";
		for (size_t i = 0; i + 8 < sizeof(message); i += strlen(units[u]))
			memcpy(message + i, units[u], strlen(units[u]) + 1);
		log_info("a", "%s", message);
		const char *got = line();
		size_t n = strlen(got);
		assert_true(n > 2000 && n + 26 <= 4096);
		assert_int_equal(got[n - 1], '"');
		assert_int_not_equal(got[n - 2], '\\');
	}
}

static void least_level(void **state)
{
	(void)state;
	for (unsigned least = 0; least < LOG_LEVEL_COUNT; least++) {
		log_setup(NULL, least);
		for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++) {
			log_write(level, "a", "x");
			if (level >= least)
				line();
			no_line();
		}
	}
}

static void journal(void **state)
{
	(void)state;
	char text[256], stream[64];
	struct stat st;
	fstat(ends[1], &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_to_fd(ends[1]);
	static const char *const want[] = {
	    "<7>debug a msg=\"x\"\n", "<6>info a msg=\"x\"\n", "<4>warn a msg=\"x\"\n", "<3>error a msg=\"x\"\n"};
	for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++) {
		log_write(level, "a", "x");
		ssize_t n = recv(ends[0], text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		assert_string_equal(text, want[level]);
	}
	/* The variable is inherited, the stream may be another. */
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_to_fd(ends[1]);
	log_info("a", "x");
	assert_string_equal(line(), "info a msg=\"x\"");
	unsetenv("JOURNAL_STREAM");
}

static void terminal(void **state)
{
	(void)state;
	int main_end, log_end;
	char text[256];
	if (openpty(&main_end, &log_end, NULL, NULL, NULL) != 0)
		skip(); /* no pseudo-terminals in this place */
	log_to_fd(log_end);
	log_error("a", "x");
	ssize_t n = read(main_end, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	assert_non_null(strstr(text, " \033[31merror\033[0m a msg=\"x\""));
	log_to_fd(2);
	close(main_end);
	close(log_end);
}

static void write_errors_are_no_matter(void **state)
{
	(void)state;
	int closed = fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
	close(closed);
	log_to_fd(closed);
	errno = 55;
	log_info("a", "x");
	assert_int_equal(errno, 55);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("a", "thread=%d line=%d some text that makes it longer", *(int *)arg, i);
	return NULL;
}

/* Lines of several threads through a pipe: all come, each whole. */
static void threads(void **state)
{
	(void)state;
	int pipe_ends[2], index[THREADS], next[THREADS] = {0};
	pthread_t t[THREADS];
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	log_to_fd(pipe_ends[1]);
	for (int i = 0; i < THREADS; i++) {
		index[i] = i;
		assert_int_equal(pthread_create(&t[i], NULL, write_lines, &index[i]), 0);
	}
	FILE *f = fdopen(pipe_ends[0], "r");
	for (int i = 0; i < THREADS * LINES; i++) {
		char text[256], tail[64];
		int thread, number;
		assert_non_null(fgets(text, sizeof(text), f));
		assert_int_equal(sscanf(text + 25, "info a thread=%d line=%d %63[^\n]", &thread, &number, tail), 3);
		assert_in_range(thread, 0, THREADS - 1);
		assert_int_equal(number, next[thread]++);
		assert_string_equal(tail, "msg=\"some text that makes it longer\"");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	log_to_fd(2);
	fclose(f);
	close(pipe_ends[1]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(shape),
	    T(pairs_are_bare_only_if_plain),
	    T(cannot_be_forged),
	    T(every_byte),
	    T(long_messages_are_cut),
	    T(least_level),
	    T(journal),
	    T(terminal),
	    T(write_errors_are_no_matter),
	    T(threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
