/* shared/reader/reader.h: files of other people's making, line by line or row by row, plain or gzip (RFC 1952).
 *
 * Owns: opening, unpacking, bounds.  Blocking; one reader belongs to one thread.  Memory is one line's, whatever the
 * file holds: a line beyond READER_LINE_MAX is cut there and the rest of it skipped.  NUL bytes and bytes that are not
 * UTF-8 pass through as they are. */
#ifndef KEDGE_SHARED_READER_READER_H
#define KEDGE_SHARED_READER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

enum {
	READER_LINE_MAX = 16 * 1024 * 1024, /* more than any program writes on purpose */
	READER_FIELDS_MAX = 8192,           /* columns of a row: fleets' metrics side by side are hundreds */
};

struct reader;
struct field_text {
	const char *text; /* NUL-terminated */
	size_t size;
};

/* "-" is standard input.  Whether it is gzip is seen from its first bytes. */
ERR_CHECK enum err_code reader_open(const char *path, struct reader **ret, struct err *reterr);
void reader_close(struct reader *r); /* NULL is a no-op */

/* The next line without its end ("\n" or "\r\n"), NUL-terminated, valid until the next call; *ret_end at the end of the
 * file instead. A last line without "\n" counts.  ERR_INVALID: the packed file is damaged or cut off. */
ERR_CHECK enum err_code reader_line(struct reader *r, struct field_text *ret_line, bool *ret_end, struct err *reterr);

/* The next row of comma-separated values (RFC 4180: quotes, doubled quotes, line ends within quotes); its fields,
 * borrowed until the next call.  Empty lines are passed over.  A quote that never closes takes what is left up to
 * READER_LINE_MAX: ERR_INVALID. */
ERR_CHECK enum err_code reader_row(
    struct reader *r, const struct field_text **ret_fields, size_t *ret_count, bool *ret_end, struct err *reterr);

/* Of the line or row that was read last, from 1; rows count by their first line. */
uint64_t reader_line_number(const struct reader *r);
const char *reader_path(const struct reader *r);

#endif
