#include "agent/snapshot/chunker.h"

#include "agent/snapshot/bytes.h"
#include "shared/base/secret.h"

/* Normalised chunking: harder to cut before the average, easier after it. */
enum { BITS_BEFORE = 19, BITS_AFTER = 15 };

enum err_code chunker_init(struct chunker *c, const struct keys *k, struct err *reterr)
{
	uint8_t bytes[sizeof c->gear];
	enum err_code rc = keys_derive_naming(k, "chunk cut", bytes, sizeof bytes, reterr);
	if (rc)
		return rc;
	for (size_t i = 0; i < 256; i++)
		c->gear[i] = get64(bytes + 8 * i);
	secret_wipe(bytes, sizeof bytes);
	return ERR_OK;
}

static size_t gear_cut(const struct chunker *c, const uint8_t *data, size_t size)
{
	if (size <= CHUNK_MIN)
		return size;
	const uint64_t before = ~(uint64_t)0 << (64 - BITS_BEFORE), after = ~(uint64_t)0 << (64 - BITS_AFTER);
	size_t end = size < CHUNK_MAX ? size : CHUNK_MAX;
	size_t middle = end < CHUNK_AVERAGE ? end : CHUNK_AVERAGE;
	uint64_t hash = 0;
	size_t i = CHUNK_MIN;
	for (; i < middle; i++) {
		hash = (hash << 1) + c->gear[data[i]];
		if (!(hash & before))
			return i + 1;
	}
	for (; i < end; i++) {
		hash = (hash << 1) + c->gear[data[i]];
		if (!(hash & after))
			return i + 1;
	}
	return end;
}

size_t chunker_cut(const struct chunker *c, enum chunking kind, uint16_t pages, const uint8_t *data, size_t size)
{
	size_t page_chunk = (size_t)pages * CHUNK_PAGE_SIZE;
	switch (kind) {
	case CHUNKING_PAGES:
		return size < page_chunk ? size : page_chunk;
	case CHUNKING_GEAR:
		return gear_cut(c, data, size);
	case CHUNKING_WHOLE:
	case CHUNKING_COUNT:
		break;
	}
	return size < CHUNK_MAX ? size : CHUNK_MAX;
}
