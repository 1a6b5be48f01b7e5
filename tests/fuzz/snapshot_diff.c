/* tests/fuzz/snapshot_diff.c: unified diffs of two texts, parted by the first NUL; what they say must make the second
 * from the first. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/snapshot/text_diff.h"
#include "tests/fuzz/fuzz.h"

/* The lines of a side that a diff leaves as they are, in and between its hunks, and those that it makes: counted
 * against the texts. */
static size_t lines_of(const uint8_t *data, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n' || i + 1 == size;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t a_size = nul ? (size_t)(nul - data) : size, b_size = nul ? size - a_size - 1 : 0, removed = 0, added = 0;
	const uint8_t *b = nul ? nul + 1 : data + size;
	struct buf out = BUF_INIT;
	assert(text_diff("a", data, a_size, "b", b, b_size, &out, NULL) == ERR_OK);
	bool same = a_size == b_size && (!a_size || !memcmp(data, b, a_size));
	assert(same == (out.size == 0));
	const char *p = buf_str(&out), *end = p + out.size;
	for (int head = 0; p < end; head++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		assert(nl);
		removed += head > 1 && *p == '-';
		added += head > 1 && *p == '+';
		p = nl + 1;
	}
	assert(lines_of(data, a_size) - removed == lines_of(b, b_size) - added); /* what both have */
	buf_done(&out);
	return 0;
}
