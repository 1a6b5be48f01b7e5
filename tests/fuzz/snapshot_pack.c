/* tests/fuzz/snapshot_pack.c: what a pack says about itself: header, footer, segment headers, and the opened index. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/repository/pack.h"
#include "tests/fuzz/fuzz.h"

static void look_at_index(const uint8_t *data, size_t size)
{
	struct pack_index x;
	struct buf again = BUF_INIT;
	/* Its end is what the segments say it is, if they are consistent: the last four bytes of the input choose it.
	 */
	uint32_t end = 0;
	if (size >= 4)
		memcpy(&end, data + size - 4, 4);
	if (size < 4 || pack_index_parse(data, size - 4, end, &x, NULL))
		return;
	uint64_t chunks = 0;
	for (uint32_t i = 0; i < x.segment_count; i++) {
		assert(x.segments[i].offset < end && x.segments[i].raw_size <= SEGMENT_RAW_MAX);
		chunks += x.segments[i].chunk_count;
	}
	assert(chunks == x.chunk_count);
	pack_index_write(&x, &again);
	assert(again.size == size - 4 && !memcmp(again.data, data, again.size));
	buf_done(&again);
	pack_index_done(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pack_header header;
	struct pack_footer footer;
	uint32_t number, sealed, raw;
	uint8_t again[64];
	if (size >= PACK_HEADER_SIZE && !pack_header_parse(data, &header, NULL)) {
		pack_header_write(&header, again);
		assert(!memcmp(again, data, PACK_HEADER_SIZE));
	}
	if (size >= PACK_FOOTER_SIZE && !pack_footer_parse(data, size, &footer, NULL)) {
		pack_footer_write(&footer, again);
		assert(!memcmp(again, data, PACK_FOOTER_SIZE));
		assert((uint64_t)footer.index_offset + footer.index_size < size);
	}
	if (size >= SEGMENT_HEADER_SIZE && !segment_header_parse(data, &number, &sealed, &raw, NULL))
		assert(sealed <= SEGMENT_SEALED_MAX && raw <= SEGMENT_RAW_MAX);
	look_at_index(data, size);
	return 0;
}
