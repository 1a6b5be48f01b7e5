/* One worker's packs: chunks gather in a segment, which is compressed, sealed and appended. */
#include "agent/snapshot/store_internal.h"

#include <assert.h>
#include <string.h>

#include <zstd.h>

enum { LEVEL = 1, SEALED_ROOM = SEGMENT_SEALED_MAX - SEGMENT_HEADER_SIZE - SEAL_TAG_SIZE };

struct packer {
	struct store_run *run;
	struct namer *namer;
	struct index_reader *index; /* NULL: chunks are only named */
	unsigned commits;           /* of the run that index shows */
	uint8_t *raw, *sealed;
	size_t used;
	struct pack_chunk *chunks;
	uint32_t chunk_count, chunk_room;
	struct pack_writer *writer;
	ZSTD_CCtx *compressor;
};

enum err_code packer_new(struct store_run *run, struct packer **ret, struct err *reterr)
{
	CLEANUP(packer_cleanup) struct packer *p = calloc(1, sizeof *p);
	if (!p)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	p->run = run;
	p->commits = atomic_load(&run->commits);
	enum err_code rc = namer_new(run->repo->keys, &p->namer, reterr);
	if (!rc && run->keep)
		rc = index_reader_new(run->repo->index, &p->index, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(p);
	return ERR_OK;
}

void packer_free(struct packer *p)
{
	if (!p)
		return;
	namer_free(p->namer);
	index_reader_free(p->index);
	pack_writer_free(p->writer);
	ZSTD_freeCCtx(p->compressor);
	free(p->raw);
	free(p->sealed);
	free(p->chunks);
	free(p);
}

/* ---- the pack ---- */

static enum err_code end_pack(struct packer *p, struct err *reterr)
{
	struct index_addition a = {.id = pack_writer_id(p->writer)};
	enum err_code rc = pack_writer_finish(p->writer, &a.content, &a.size, reterr);
	pack_writer_free(TAKE_PTR(p->writer));
	if (rc)
		return rc;
	atomic_fetch_add(&p->run->bytes, a.size);
	return store_run_add_pack(p->run, &a, reterr);
}

static enum err_code flush(struct packer *p, struct err *reterr)
{
	if (!p->used)
		return ERR_OK;
	enum err_code rc = ERR_OK;
	if (!p->compressor && !(p->compressor = ZSTD_createCCtx()))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (!p->writer)
		rc = pack_writer_new(p->run->repo->packs_fd, p->run->repo->keys, &p->writer, reterr);
	if (rc)
		return rc;
	size_t size = ZSTD_compressCCtx(p->compressor, p->sealed, SEALED_ROOM, p->raw, p->used, LEVEL);
	if (ZSTD_isError(size))
		return err_set(reterr, ERR_INTERNAL, "libzstd failed: %s", ZSTD_getErrorName(size));
	rc = pack_writer_segment(
	    p->writer, p->sealed, (uint32_t)size, (uint32_t)p->used, p->chunks, p->chunk_count, reterr);
	p->used = 0;
	p->chunk_count = 0;
	if (!rc && (pack_writer_size(p->writer) >= PACK_TARGET || pack_writer_chunks(p->writer) >= PACK_CHUNKS_TARGET))
		rc = end_pack(p, reterr);
	return rc;
}

enum err_code packer_finish(struct packer *p, struct err *reterr)
{
	enum err_code rc = flush(p, reterr);
	if (!rc && p->writer)
		rc = end_pack(p, reterr);
	return rc;
}

/* ---- chunks ---- */

uint8_t *packer_room(struct packer *p, size_t size, struct err *reterr)
{
	assert(size <= CHUNK_MAX);
	if (!p->raw) {
		p->raw = malloc(SEGMENT_RAW_MAX);
		p->sealed = malloc(SEGMENT_SEALED_MAX);
	}
	if (!p->raw || !p->sealed) {
		(void)err_set(reterr, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if ((p->used + size > SEGMENT_RAW_MAX || p->used >= SEGMENT_TARGET || p->chunk_count == SEGMENT_CHUNKS_MAX) &&
	    flush(p, reterr))
		return NULL;
	return p->raw + p->used;
}

static bool is_stored(struct packer *p, const struct chunk_id *id)
{
	struct place place;
	unsigned commits = atomic_load(&p->run->commits);
	if (commits != p->commits && p->index)
		index_reader_renew(p->index);
	p->commits = commits;
	return p->index && index_find(p->index, id, &place) && store_run_may_use(p->run, place.pack);
}

static enum err_code append_chunk(struct packer *p, const struct chunk_id *id, size_t size, struct err *reterr)
{
	if (p->chunk_count == p->chunk_room) {
		uint32_t room = p->chunk_room ? p->chunk_room * 2 : 64;
		struct pack_chunk *more = realloc(p->chunks, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		p->chunks = more;
		p->chunk_room = room;
	}
	p->chunks[p->chunk_count++] = (struct pack_chunk){*id, (uint32_t)size};
	p->used += size;
	return ERR_OK;
}

enum err_code packer_take(struct packer *p, size_t size, struct chunk_id *ret, struct err *reterr)
{
	struct chunk_id id;
	assert(size > 0 && size <= CHUNK_MAX && p->used + size <= SEGMENT_RAW_MAX);
	namer_name(p->namer, p->raw + p->used, size, &id);
	if (p->run->keep && !is_stored(p, &id)) {
		enum seen_result seen = store_run_see(p->run, &id);
		enum err_code rc = ERR_OK;
		if (seen == SEEN_NO_MEMORY)
			rc = err_set(reterr, ERR_NOMEM, "out of memory");
		else if (seen == SEEN_NEW)
			rc = append_chunk(p, &id, size, reterr);
		if (rc)
			return rc;
	}
	*ret = id;
	return ERR_OK;
}

enum err_code packer_put(struct packer *p, const uint8_t *data, size_t size, struct chunk_id *ret, struct err *reterr)
{
	struct err local;
	struct err *e = reterr ? reterr : &local;
	uint8_t *room = packer_room(p, size, e);
	if (!room)
		return e->code;
	memcpy(room, data, size);
	return packer_take(p, size, ret, reterr);
}
