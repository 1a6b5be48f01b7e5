#include "shared/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

enum {
	MESSAGE_MAX = 2048,    /* what is formatted; the rest is cut */
	LINE_MAX_BYTES = 4096, /* PIPE_BUF: a write of this size to a pipe is not torn apart */
};

enum style { STYLE_PLAIN, STYLE_TERMINAL, STYLE_JOURNAL };

static const struct {
	const char *name, *colour;
	int priority; /* syslog's */
} levels[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_DEBUG] = {"debug", "\033[2m", 7},
    [LOG_LEVEL_INFO] = {"info", "\033[32m", 6},
    [LOG_LEVEL_WARN] = {"warn", "\033[33m", 4},
    [LOG_LEVEL_ERROR] = {"error", "\033[31m", 3},
};

static _Atomic(const char *) program_name;
static atomic_int least_level = LOG_LEVEL_INFO;
static atomic_int log_fd = 2;
static atomic_int log_style = STYLE_PLAIN;

/* JOURNAL_STREAM names the stream by device and inode; children inherit the variable, but not always the stream. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char own[48];
	if (!stream || fstat(fd, &st) != 0)
		return false;
	return text_format(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino) &&
	       text_equal(own, stream);
}

static enum style style_of(int fd)
{
	if (is_journal(fd))
		return STYLE_JOURNAL;
	return isatty(fd) ? STYLE_TERMINAL : STYLE_PLAIN;
}

void log_to_fd(int fd)
{
	int saved = errno;
	atomic_store(&log_fd, fd);
	atomic_store(&log_style, (int)style_of(fd));
	errno = saved;
}

void log_setup(const char *program, enum log_level least)
{
	atomic_store(&program_name, program);
	atomic_store(&least_level, (int)least);
	log_to_fd(atomic_load(&log_fd));
}

enum log_level log_least(void)
{
	return (enum log_level)atomic_load(&least_level);
}

struct line {
	char text[LINE_MAX_BYTES];
	size_t size, room; /* room: what may be used at the moment */
};

static void put(struct line *l, const char *s, size_t n)
{
	if (n > l->room - l->size)
		n = l->room - l->size;
	memcpy(l->text + l->size, s, n);
	l->size += n;
}

static void put_text(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* One character of a message, so that nothing in it can end the line, close the quotes or steer a terminal.  Returns
 * how many bytes of s it took; 0 when the line is full. */
static size_t put_escaped(struct line *l, const char *s, size_t left)
{
	char escaped[8];
	const uint8_t *p = (const uint8_t *)s;
	size_t n = text_utf8_length(s, left), size;
	bool control = n == 1 ? *p < 0x20 || *p == 0x7f : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
	bool separator = n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9); /* U+2028, U+2029 */
	if (*p == '\n' || *p == '\t' || *p == '"' || *p == '\\') {
		snprintf(escaped, sizeof(escaped), "\\%c", *p == '\n' ? 'n' : *p == '\t' ? 't' : *p);
		size = 2;
	} else if (n == 0 || control || separator) {
		/* Byte by byte: the next call finds the rest to be no UTF-8. */
		snprintf(escaped, sizeof(escaped), "\\x%02x", *p);
		size = 4;
		n = 1;
	} else {
		memcpy(escaped, s, n);
		size = n;
	}
	if (size > l->room - l->size)
		return 0;
	put(l, escaped, size);
	return n;
}

/* The length of "key=value" at s: a plain word, and a value of plain visible characters; 0 if there is none. */
static size_t pair_length(const char *s)
{
	size_t key = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (key == 0 || s[key] != '=')
		return 0;
	size_t n = key + 1;
	while (s[n] > ' ' && s[n] < 0x7f && s[n] != '"' && s[n] != '\\' && s[n] != '=')
		n++;
	return n > key + 1 && (s[n] == ' ' || s[n] == '\0') ? n : 0;
}

static void put_message(struct line *l, const char *msg)
{
	size_t n;
	while ((n = pair_length(msg)) > 0) {
		put_text(l, " ");
		put(l, msg, n);
		msg += n;
		msg += strspn(msg, " ");
	}
	if (!*msg)
		return;
	put_text(l, " msg=\"");
	size_t left = strlen(msg);
	while (left > 0 && (n = put_escaped(l, msg, left)) > 0) {
		msg += n;
		left -= n;
	}
	l->room = sizeof(l->text) - 1; /* what was kept for the quote */
	put_text(l, "\"");
}

static void put_head(struct line *l, enum style style, enum log_level level, const char *area)
{
	char text[TEXT_TIME_MAX];
	if (style == STYLE_JOURNAL) {
		snprintf(text, sizeof(text), "<%d>", levels[level].priority);
		put_text(l, text);
	} else {
		put_text(l, text_time(clock_wall_ms(), text));
		put_text(l, " ");
	}
	if (style == STYLE_TERMINAL)
		put_text(l, levels[level].colour);
	put_text(l, levels[level].name);
	put_text(l, style == STYLE_TERMINAL ? "\033[0m " : " ");
	const char *program = atomic_load(&program_name);
	if (program) {
		put_text(l, program);
		put_text(l, "/");
	}
	put_text(l, area);
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	if ((int)level < atomic_load(&least_level) || (unsigned)level >= LOG_LEVEL_COUNT)
		return;
	int saved = errno;
	char whole[MESSAGE_MAX + 8], msg[MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(whole, sizeof(whole), fmt, ap) < 0)
		whole[0] = '\0';
	va_end(ap);
	text_copy(msg, sizeof(msg), whole);
	struct line line = {.size = 0, .room = sizeof(line.text) - 2};
	put_head(&line, (enum style)atomic_load(&log_style), level, area);
	put_message(&line, msg);
	line.text[line.size++] = '\n';
	ssize_t n;
	do
		n = write(atomic_load(&log_fd), line.text, line.size);
	while (n < 0 && errno == EINTR);
	errno = saved; /* a log that cannot be written has nobody to tell */
}
