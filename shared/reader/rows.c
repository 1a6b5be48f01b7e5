/* shared/reader/rows.c: lines into the fields of a row, RFC 4180. */
#include <stdlib.h>
#include <string.h>

#include "shared/reader/reader_internal.h"

/* Where in the row the next field begins; its text is filled in once the row is whole and does not move any more. */
ERR_CHECK static enum err_code begin_field(struct reader *r, struct err *reterr)
{
	if (r->count == READER_FIELDS_MAX)
		return reader_fail(r, ERR_LIMIT, "more columns than are read", reterr);
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct field_text *fields = realloc(r->fields, room * sizeof *fields);
		if (!fields)
			return reader_fail(r, ERR_NOMEM, "out of memory", reterr);
		r->fields = fields;
		r->room = room;
	}
	r->fields[r->count++] = (struct field_text){.text = NULL, .size = r->row.size};
	return ERR_OK;
}

/* The quoted field that begins at `at` (behind its quote), going on in further lines where it must. */
ERR_CHECK static enum err_code quoted(struct reader *r, size_t *at, struct err *reterr)
{
	enum err_code rc;
	bool end = false;
	for (;;) {
		const char *from = (const char *)r->line.data + *at, *stop = memchr(from, '"', r->line.size - *at);
		if (stop) {
			buf_append(&r->row, from, (size_t)(stop - from));
			*at += (size_t)(stop - from) + 1;
			if (*at >= r->line.size || r->line.data[*at] != '"')
				return ERR_OK;
			buf_byte(&r->row, '"');
			(*at)++;
			continue;
		}
		buf_append(&r->row, from, r->line.size - *at);
		buf_byte(&r->row, '\n');
		if (r->row.size > READER_LINE_MAX)
			return reader_fail(r, ERR_INVALID, "a quote that does not end", reterr);
		if ((rc = reader_next_line(r, &end, reterr)) != ERR_OK)
			return rc;
		if (end)
			return reader_fail(r, ERR_INVALID, "a quote that does not end", reterr);
		*at = 0;
	}
}

/* One field and the comma behind it; *ret_last when the line ends with it.  Text behind a closing quote is taken as it
 * is. */
ERR_CHECK static enum err_code take_field(struct reader *r, size_t *at, bool *ret_last, struct err *reterr)
{
	enum err_code rc = begin_field(r, reterr);
	if (rc == ERR_OK && *at < r->line.size && r->line.data[*at] == '"') {
		(*at)++;
		rc = quoted(r, at, reterr);
	}
	if (rc != ERR_OK)
		return rc;
	const char *from = (const char *)r->line.data + *at, *stop = memchr(from, ',', r->line.size - *at);
	size_t n = stop ? (size_t)(stop - from) : r->line.size - *at;
	buf_append(&r->row, from, n);
	buf_byte(&r->row, '\0');
	*at += n + (stop != NULL);
	*ret_last = stop == NULL;
	return ERR_OK;
}

static void settle(struct reader *r)
{
	for (size_t i = 0; i < r->count; i++) {
		size_t from = r->fields[i].size, to = i + 1 < r->count ? r->fields[i + 1].size : r->row.size;
		r->fields[i] = (struct field_text){.text = (const char *)r->row.data + from, .size = to - from - 1};
	}
}

ERR_CHECK enum err_code reader_row(
    struct reader *r, const struct field_text **ret_fields, size_t *ret_count, bool *ret_end, struct err *reterr)
{
	enum err_code rc;
	bool last = false;
	size_t at = 0;
	do {
		if ((rc = reader_next_line(r, ret_end, reterr)) != ERR_OK || *ret_end)
			return rc;
	} while (r->line.size == 0);
	r->number = r->lines;
	r->count = 0;
	buf_clear(&r->row);
	while (!last)
		if ((rc = take_field(r, &at, &last, reterr)) != ERR_OK)
			return rc;
	if (r->row.failed)
		return reader_fail(r, ERR_NOMEM, "out of memory", reterr);
	settle(r);
	*ret_fields = r->fields;
	*ret_count = r->count;
	return ERR_OK;
}
