/* The bytes of a pack file.  Pure. */
#include "agent/repository/pack.h"

#include <stdlib.h>
#include <string.h>

#include "agent/repository/bytes.h"
#include "shared/base/text.h"

static const char header_magic[8] = "KEDGEPK1", footer_magic[8] = "KEDGEPKE";
enum { SEGMENT_MAGIC = 0x31474553, INDEX_SEGMENT_SIZE = 16, INDEX_CHUNK_SIZE = CHUNK_ID_SIZE + 4 };

void pack_header_write(const struct pack_header *h, uint8_t out[PACK_HEADER_SIZE])
{
	memset(out, 0, PACK_HEADER_SIZE);
	memcpy(out, header_magic, 8);
	put32(out + 8, PACK_VERSION);
	put32(out + 12, h->key_number);
	memcpy(out + 16, h->pack.b, PACK_ID_SIZE);
	memcpy(out + 32, h->repo, REPO_ID_SIZE);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

enum err_code pack_header_parse(const uint8_t in[PACK_HEADER_SIZE], struct pack_header *ret, struct err *reterr)
{
	if (memcmp(in, header_magic, 8))
		return err_set(reterr, ERR_CORRUPT, "does not begin as a pack does");
	if (get32(in + 8) != PACK_VERSION)
		return err_set(reterr, ERR_UNSUPPORTED, "pack version %u is not known here", get32(in + 8));
	if (!all_zero(in + 48, 16))
		return err_set(reterr, ERR_CORRUPT, "pack header has bytes where zeros belong");
	struct pack_header h = {.key_number = get32(in + 12)};
	memcpy(h.pack.b, in + 16, PACK_ID_SIZE);
	memcpy(h.repo, in + 32, REPO_ID_SIZE);
	*ret = h;
	return ERR_OK;
}

void pack_footer_write(const struct pack_footer *f, uint8_t out[PACK_FOOTER_SIZE])
{
	memset(out, 0, PACK_FOOTER_SIZE);
	memcpy(out, footer_magic, 8);
	put32(out + 8, f->index_offset);
	put32(out + 12, f->index_size);
	put64(out + 16, f->file_size);
	memcpy(out + 24, f->digest, 32);
}

enum err_code pack_footer_parse(
    const uint8_t in[PACK_FOOTER_SIZE], uint64_t file_size, struct pack_footer *ret, struct err *reterr)
{
	struct pack_footer f = {get32(in + 8), get32(in + 12), get64(in + 16), {0}};
	memcpy(f.digest, in + 24, 32);
	if (memcmp(in, footer_magic, 8) || !all_zero(in + 56, 8))
		return err_set(reterr, ERR_CORRUPT, "does not end as a pack does: it was cut off or overwritten");
	if (f.file_size != file_size || f.index_offset < PACK_HEADER_SIZE || f.index_size < SEAL_TAG_SIZE ||
	    (uint64_t)f.index_offset + f.index_size + PACK_FOOTER_SIZE != file_size)
		return err_set(reterr, ERR_CORRUPT, "the pack's footer does not fit its size");
	*ret = f;
	return ERR_OK;
}

void segment_header_write(uint32_t number, uint32_t sealed_size, uint32_t raw_size, uint8_t out[SEGMENT_HEADER_SIZE])
{
	put32(out, SEGMENT_MAGIC);
	put32(out + 4, number);
	put32(out + 8, sealed_size);
	put32(out + 12, raw_size);
}

enum err_code segment_header_parse(const uint8_t in[SEGMENT_HEADER_SIZE], uint32_t *ret_number,
    uint32_t *ret_sealed_size, uint32_t *ret_raw_size, struct err *reterr)
{
	uint32_t sealed_size = get32(in + 8), raw_size = get32(in + 12);
	if (get32(in) != SEGMENT_MAGIC || sealed_size == 0 || sealed_size > SEGMENT_SEALED_MAX || raw_size == 0 ||
	    raw_size > SEGMENT_RAW_MAX)
		return err_set(reterr, ERR_CORRUPT, "no segment begins there");
	*ret_number = get32(in + 4);
	*ret_sealed_size = sealed_size;
	*ret_raw_size = raw_size;
	return ERR_OK;
}

void segment_aad(
    struct pack_id pack, uint32_t offset, uint32_t sealed_size, uint32_t raw_size, uint8_t out[SEGMENT_AAD_SIZE])
{
	memset(out, 0, SEGMENT_AAD_SIZE);
	memcpy(out, pack.b, PACK_ID_SIZE);
	put32(out + PACK_ID_SIZE, offset);
	put32(out + PACK_ID_SIZE + 4, sealed_size);
	put32(out + PACK_ID_SIZE + 8, raw_size);
}

void pack_index_write(const struct pack_index *x, struct buf *out)
{
	size_t size = 8 + (size_t)x->segment_count * INDEX_SEGMENT_SIZE + (size_t)x->chunk_count * INDEX_CHUNK_SIZE;
	uint8_t *p = buf_reserve(out, size);
	if (!p)
		return;
	out->size += size;
	put32(p, x->segment_count);
	put32(p + 4, x->chunk_count);
	p += 8;
	for (uint32_t i = 0; i < x->segment_count; i++, p += INDEX_SEGMENT_SIZE) {
		put32(p, x->segments[i].offset);
		put32(p + 4, x->segments[i].sealed_size);
		put32(p + 8, x->segments[i].raw_size);
		put32(p + 12, x->segments[i].chunk_count);
	}
	for (uint32_t i = 0; i < x->chunk_count; i++, p += INDEX_CHUNK_SIZE) {
		memcpy(p, x->chunks[i].id.b, CHUNK_ID_SIZE);
		put32(p + CHUNK_ID_SIZE, x->chunks[i].size);
	}
}

void pack_index_done(struct pack_index *x)
{
	free(x->segments);
	free(x->chunks);
	*x = (struct pack_index){0};
}

static enum err_code bad_index(struct err *reterr)
{
	return err_set(reterr, ERR_CORRUPT, "the pack's index contradicts itself");
}

/* Segments follow one another without gaps from the header on, and their chunks fill them exactly. */
static enum err_code index_consistent(const struct pack_index *x, uint32_t end_offset, struct err *reterr)
{
	uint64_t offset = PACK_HEADER_SIZE;
	uint32_t chunk = 0;
	for (uint32_t i = 0; i < x->segment_count; i++) {
		const struct pack_segment *s = &x->segments[i];
		if (s->offset != offset || s->sealed_size == 0 || s->sealed_size > SEGMENT_SEALED_MAX ||
		    s->raw_size == 0 || s->raw_size > SEGMENT_RAW_MAX || s->chunk_count == 0 ||
		    s->chunk_count > x->chunk_count - chunk)
			return bad_index(reterr);
		uint64_t raw = 0;
		for (uint32_t j = 0; j < s->chunk_count; j++) {
			uint32_t size = x->chunks[chunk + j].size;
			if (size == 0 || size > CHUNK_MAX)
				return bad_index(reterr);
			raw += size;
		}
		if (raw != s->raw_size)
			return bad_index(reterr);
		chunk += s->chunk_count;
		offset += SEGMENT_HEADER_SIZE + (uint64_t)s->sealed_size + SEAL_TAG_SIZE;
	}
	if (offset != end_offset || chunk != x->chunk_count)
		return bad_index(reterr);
	return ERR_OK;
}

enum err_code pack_index_parse(
    const uint8_t *data, size_t size, uint32_t end_offset, struct pack_index *ret, struct err *reterr)
{
	struct pack_index x = {0};
	if (size < 8)
		return bad_index(reterr);
	x.segment_count = get32(data);
	x.chunk_count = get32(data + 4);
	if (x.chunk_count > PACK_CHUNKS_MAX || x.segment_count > x.chunk_count ||
	    size != 8 + (size_t)x.segment_count * INDEX_SEGMENT_SIZE + (size_t)x.chunk_count * INDEX_CHUNK_SIZE)
		return bad_index(reterr);
	x.segments = calloc(x.segment_count + 1, sizeof *x.segments);
	x.chunks = calloc(x.chunk_count + 1, sizeof *x.chunks);
	if (!x.segments || !x.chunks) {
		pack_index_done(&x);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	const uint8_t *p = data + 8;
	for (uint32_t i = 0; i < x.segment_count; i++, p += INDEX_SEGMENT_SIZE)
		x.segments[i] = (struct pack_segment){get32(p), get32(p + 4), get32(p + 8), get32(p + 12)};
	for (uint32_t i = 0; i < x.chunk_count; i++, p += INDEX_CHUNK_SIZE) {
		memcpy(x.chunks[i].id.b, p, CHUNK_ID_SIZE);
		x.chunks[i].size = get32(p + CHUNK_ID_SIZE);
	}
	enum err_code rc = index_consistent(&x, end_offset, reterr);
	if (rc) {
		pack_index_done(&x);
		return rc;
	}
	*ret = x;
	return ERR_OK;
}

char *pack_name(struct pack_id pack, const char *suffix, char out[PACK_NAME_MAX])
{
	text_hex(pack.b, PACK_ID_SIZE, out);
	strcat(out, suffix);
	return out;
}

bool pack_name_parse(const char *name, const char *suffix, struct pack_id *ret)
{
	char hex[PACK_ID_SIZE * 2 + 1];
	size_t n = strlen(name);
	if (n != sizeof hex - 1 + strlen(suffix) || strcmp(name + sizeof hex - 1, suffix) != 0)
		return false;
	memcpy(hex, name, sizeof hex - 1);
	hex[sizeof hex - 1] = 0;
	struct pack_id id;
	char again[PACK_NAME_MAX];
	if (text_unhex(hex, id.b, PACK_ID_SIZE, NULL) || strcmp(pack_name(id, suffix, again), name) != 0)
		return false;
	*ret = id;
	return true;
}
