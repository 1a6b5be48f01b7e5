/* shared/reader/reader_internal.h: what the two files of this folder share. */
#ifndef KEDGE_SHARED_READER_READER_INTERNAL_H
#define KEDGE_SHARED_READER_READER_INTERNAL_H

#include <zlib.h>

#include "shared/base/buf.h"
#include "shared/reader/reader.h"

struct reader {
	gzFile in;
	char *path;
	uint8_t chunk[256 * 1024];
	size_t at, size;
	uint64_t lines, number; /* read so far; first of the last line or row */
	struct buf line, row;   /* row: the fields' texts, each with its NUL */
	struct field_text *fields;
	size_t count, room;
};

/* Into r->line, with a NUL behind it that does not count. */
ERR_CHECK enum err_code reader_next_line(struct reader *r, bool *ret_end, struct err *reterr);
ERR_CHECK enum err_code reader_fail(struct reader *r, enum err_code code, const char *what, struct err *reterr);

#endif
