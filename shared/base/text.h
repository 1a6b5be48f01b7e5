/* shared/base/text.h: text in and out of the plain kinds.  Pure.  Outputs are untouched on failure. */
#ifndef KEDGE_SHARED_BASE_TEXT_H
#define KEDGE_SHARED_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"

bool text_equal(const char *a, const char *b); /* NULL equals NULL only */
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
bool text_utf8_valid(const void *data, size_t size_bytes); /* RFC 3629: no surrogates, no overlong forms */
/* How many bytes (1 to 4) the valid UTF-8 character at data takes; 0 if there is none. */
size_t text_utf8_length(const void *data, size_t size_bytes);
/* snprintf that says whether all of it fitted. */
bool text_format(char *out, size_t size_bytes, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void text_copy(char *out, size_t size_bytes, const char *s); /* cuts at a UTF-8 boundary, always ends with NUL */

/* Lower-case hex; out holds 2 n + 1 bytes. */
char *text_hex(const void *data, size_t n, char *out);
ERR_CHECK enum err_code text_unhex(const char *s, void *out, size_t n, struct err *reterr); /* exactly n bytes */
/* Base64 with padding, RFC 4648 §4; decoding refuses anything else (white space too). */
void text_base64(struct buf *out, const void *data, size_t n);
ERR_CHECK enum err_code text_unbase64(struct buf *out, const char *s, size_t n, struct err *reterr);

/* Whole numbers without sign tricks, white space or trailing bytes. */
ERR_CHECK enum err_code text_u64(const char *s, uint64_t *ret, struct err *reterr);
ERR_CHECK enum err_code text_i64(const char *s, int64_t *ret, struct err *reterr);
ERR_CHECK enum err_code text_f64(const char *s, double *ret, struct err *reterr); /* finite */
/* "250ms" "30s" "5m" "1h" "7d" "1h30m" -> ms; a bare number is refused (units last, always). */
ERR_CHECK enum err_code text_duration_ms(const char *s, uint64_t *ret, struct err *reterr);
/* "512" "64KiB" "1MiB" "10GiB" "2TiB" -> bytes. */
ERR_CHECK enum err_code text_size_bytes(const char *s, uint64_t *ret, struct err *reterr);
/* RFC 3339, UTC with milliseconds: "2026-11-23T04:12:33.123Z"; parsing also takes offsets, no fraction, and
 * leap seconds (they count as the second after).  1970 to 9999: a later time is written as the last one of 9999. */
enum { TEXT_TIME_MAX = 32 };
char *text_time(uint64_t unix_ms, char out[TEXT_TIME_MAX]);
ERR_CHECK enum err_code text_parse_time(const char *s, uint64_t *ret_unix_ms, struct err *reterr);

/* For people: "1.2 s", "4 min 10 s", "3 d 2 h"; "1.4 GiB".  Write at most 32 bytes, return out. */
char *text_duration_human(uint64_t ms, char out[TEXT_TIME_MAX]);
char *text_size_human(uint64_t bytes, char out[TEXT_TIME_MAX]);

/* Shell-style match of a path: * and ? stop at '/', ** crosses it, [a-z] and [!a-z] classes (never '/'), \ before a
 * character takes it as it is.  A leading or inner "**" + "/" also matches no folder at all.  Characters are UTF-8; a
 * '[' without an end is itself.  No allocation, no recursion; time at most pattern times path.  A pattern beyond
 * PATH_LIMIT bytes matches nothing. */
bool text_glob(const char *pattern, const char *path);

#endif
