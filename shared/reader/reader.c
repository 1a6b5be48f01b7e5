/* shared/reader/reader.c: bytes from zlib (which reads plain files too), cut into lines; rows.c cuts lines into fields.
 */
#include "shared/reader/reader_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/text.h"

ERR_CHECK enum err_code reader_open(const char *path, struct reader **ret, struct err *reterr)
{
	bool input = text_equal(path, "-");
	CLEANUP(cleanup_fd)
	int fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(reterr, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	struct reader *r = calloc(1, sizeof *r);
	char *name = strdup(input ? "standard input" : path);
	gzFile in = r && name ? gzdopen(fd, "rb") : NULL;
	if (!in) {
		free(r);
		free(name);
		return err_set(reterr, ERR_NOMEM, "%s: out of memory", path);
	}
	(void)gzbuffer(in, sizeof r->chunk);
	TAKE_FD(fd);
	*r = (struct reader){.in = in, .path = name, .line = BUF_INIT, .row = BUF_INIT};
	*ret = r;
	return ERR_OK;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	(void)gzclose(r->in); /* read only: nothing to lose */
	buf_done(&r->line);
	buf_done(&r->row);
	free(r->fields);
	free(r->path);
	free(r);
}

uint64_t reader_line_number(const struct reader *r)
{
	return r->number;
}

const char *reader_path(const struct reader *r)
{
	return r->path;
}

ERR_CHECK enum err_code reader_fail(struct reader *r, enum err_code code, const char *what, struct err *reterr)
{
	return err_set(reterr, code, "%s, line %llu: %s", r->path, (unsigned long long)r->lines, what);
}

/* False: nothing is left. */
ERR_CHECK static enum err_code fill(struct reader *r, bool *ret_more, struct err *reterr)
{
	int got = gzread(r->in, r->chunk, sizeof r->chunk), code = Z_OK;
	const char *said = gzerror(r->in, &code);
	if (got < 0 || code == Z_BUF_ERROR) /* the latter: the file ends within its packed stream */
		return reader_fail(
		    r, code == Z_ERRNO ? ERR_IO : ERR_INVALID, code == Z_ERRNO ? strerror(errno) : said, reterr);
	r->at = 0;
	r->size = (size_t)got;
	*ret_more = got > 0;
	return ERR_OK;
}

static void keep(struct reader *r, const uint8_t *data, size_t size)
{
	size_t room = READER_LINE_MAX - r->line.size;
	buf_append(&r->line, data, size < room ? size : room);
}

ERR_CHECK enum err_code reader_next_line(struct reader *r, bool *ret_end, struct err *reterr)
{
	enum err_code rc;
	bool any = false, more = true, whole = false;
	buf_clear(&r->line);
	while (!whole) {
		if (r->at == r->size) {
			if ((rc = fill(r, &more, reterr)) != ERR_OK)
				return rc;
			if (!more)
				break;
		}
		const uint8_t *from = r->chunk + r->at, *end = memchr(from, '\n', r->size - r->at);
		size_t n = end ? (size_t)(end - from) : r->size - r->at;
		keep(r, from, n);
		r->at += n + (end != NULL);
		whole = end != NULL;
		any = true;
	}
	*ret_end = !any;
	if (!any)
		return ERR_OK;
	r->lines++;
	if (r->line.size > 0 && r->line.data[r->line.size - 1] == '\r')
		r->line.size--;
	buf_byte(&r->line, '\0');
	if (r->line.failed)
		return reader_fail(r, ERR_NOMEM, "out of memory", reterr);
	r->line.size--;
	return ERR_OK;
}

ERR_CHECK enum err_code reader_line(struct reader *r, struct field_text *ret_line, bool *ret_end, struct err *reterr)
{
	enum err_code rc = reader_next_line(r, ret_end, reterr);
	if (rc != ERR_OK || *ret_end)
		return rc;
	r->number = r->lines;
	*ret_line = (struct field_text){(const char *)r->line.data, r->line.size};
	return ERR_OK;
}
