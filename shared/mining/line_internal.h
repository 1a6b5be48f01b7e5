/* shared/mining/line_internal.h: the parts of line_split.  Private to shared/mining.  Pure. */
#ifndef KEDGE_SHARED_MINING_LINE_INTERNAL_H
#define KEDGE_SHARED_MINING_LINE_INTERNAL_H

#include "shared/mining/line.h"

enum {
	LINE_HEADER_MAX = 512, /* bytes within which a header ends */
	LINE_HEADER_WORDS = 12,
	LINE_JSON_KEYS = 256, /* members of one object that are looked at */
};

/* A timestamp at the front of p: bytes taken (0: none), its time or 0. */
size_t line_time(const char *p, size_t n, uint64_t now_ms, uint64_t *ret_ms);
/* false: not a JSON object; ret untouched. */
bool line_json(const char *p, size_t n, uint64_t now_ms, struct buf *scratch, struct line_parts *ret);

static inline bool line_is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static inline bool line_is_space(char c)
{
	return c == ' ' || c == '\t';
}
static inline bool line_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
