/* shared/mining/line.h: one log line split into its header and its message.
 *
 * Pure; any thread; bounded; never fails: what is not understood is message.  Knows no program by name: timestamps in
 * the usual orders, a level word, a host, a component and a pid in the usual brackets, syslog's <PRI> and JSON objects.
 */
#ifndef KEDGE_SHARED_MINING_LINE_H
#define KEDGE_SHARED_MINING_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

/* In the order of the wire's log_severity. */
enum line_level { LINE_NONE, LINE_DEBUG, LINE_INFO, LINE_WARNING, LINE_ERROR, LINE_FATAL, LINE_LEVEL_COUNT };
enum line_format { LINE_FORMAT_AUTO, LINE_FORMAT_PLAIN, LINE_FORMAT_SYSLOG, LINE_FORMAT_JSON, LINE_FORMAT_COUNT };

struct line_part { /* borrowed from the line (or from scratch); size 0: absent */
	const char *text;
	size_t size;
};
struct line_parts {
	enum line_format format; /* what it was taken for */
	uint64_t time_ms;        /* unix, UTC where the line names no zone; 0: none or without a date */
	enum line_level level;   /* said by the header (or JSON key); LINE_NONE: not said */
	struct line_part host, component;
	uint32_t pid; /* 0: none */
	struct line_part message;
};

/* now_ms gives the year where a timestamp has none.  scratch (cleared first) holds an unescaped message. */
void line_split(enum line_format format, const char *line, size_t size, uint64_t now_ms, struct buf *scratch,
    struct line_parts *ret);
/* The level that the words of a message suggest ("failed", "panic", "refused", an exception's name): for lines that say
 * none. */
enum line_level line_guess_level(const char *text, size_t size);
enum line_level line_level_word(
    const char *word, size_t size); /* "WARN", "err", "E", "critical" …; LINE_NONE: not one */
const char *line_level_name(enum line_level level);

#endif
