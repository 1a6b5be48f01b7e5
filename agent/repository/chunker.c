#include "agent/repository/chunker.h"

#include <string.h>

#include "agent/repository/bytes.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

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

/* ---- files that change page by page ---- */

/* SQLite (fileformat2.html), LMDB and bbolt (their meta page's magic), and PostgreSQL's page header (bufpage.h). */
static bool looks_like_database(const uint8_t *head, size_t size)
{
	static const char sqlite[] = "SQLite format 3";
	if (size < CHUNK_PEEK)
		return false;
	if (!memcmp(head, sqlite, sizeof sqlite) || get32(head + 16) == 0xbeefc0de || get32(head + 16) == 0xed0cdaed)
		return true;
	for (size_t at = 0; at < CHUNK_PEEK; at += CHUNK_PAGE_SIZE) {
		const uint8_t *p = head + at;
		uint16_t lower = get16(p + 12), upper = get16(p + 14), special = get16(p + 16), version = get16(p + 18);
		if ((version & 0xff00) != CHUNK_PAGE_SIZE || (version & 0xff) < 1 || (version & 0xff) > 8 ||
		    lower < 24 || lower > upper || upper > special || special > CHUNK_PAGE_SIZE)
			return false;
	}
	return true;
}

static bool named_like_database(const char *name)
{
	static const char *const endings[] = {".db", ".db3", ".sqlite", ".sqlite3", ".mdb", ".ibd", ".pgdata", ".myd",
	    ".myi", ".fdb", ".img", ".raw", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx"};
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (text_ends(name, endings[i]))
			return true;
	return text_starts(name, "ibdata");
}

uint16_t chunker_pages(const char *name, uint64_t size, const uint8_t *head, size_t head_size)
{
	uint16_t pages = 1;
	if (!named_like_database(name) && !looks_like_database(head, head_size))
		return 0;
	for (uint64_t fine = (uint64_t)PAGES_FINE_BYTES * 4; fine < size && pages < CHUNK_PAGES_MAX; fine *= 4)
		pages *= 2;
	return pages;
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
