/* tests/fuzz/reader.c: shared/reader.  Any bytes, as lines and as rows: an answer or a refusal; lines hold no newline,
 * rows have fields that end in NUL, numbers of lines grow. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/reader/reader.h"
#include "tests/fuzz/fuzz.h"

enum { ROWS_MAX = 1 << 20 };

static void read_lines(struct reader *r)
{
	uint64_t number = 0;
	for (;;) {
		struct field_text line;
		bool end;
		if (reader_line(r, &line, &end, NULL) != ERR_OK || end)
			return;
		assert(line.text[line.size] == '\0' && line.size <= READER_LINE_MAX);
		assert(!memchr(line.text, '\n', line.size));
		assert(reader_line_number(r) == ++number);
	}
}

static void read_rows(struct reader *r)
{
	uint64_t number = 0;
	for (int i = 0; i < ROWS_MAX; i++) {
		const struct field_text *fields;
		size_t count;
		bool end;
		if (reader_row(r, &fields, &count, &end, NULL) != ERR_OK || end)
			return;
		assert(count > 0 && count <= READER_FIELDS_MAX);
		for (size_t k = 0; k < count; k++)
			assert(fields[k].text[fields[k].size] == '\0');
		assert(reader_line_number(r) > number);
		number = reader_line_number(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memfd_create("reader", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (int rows = 0; rows < 2; rows++) {
		struct reader *r;
		if (reader_open(path, &r, NULL) != ERR_OK)
			continue;
		if (rows)
			read_rows(r);
		else
			read_lines(r);
		reader_close(r);
	}
	close(fd);
	return 0;
}
