/* One worker's packs: chunks gather in a segment, which is compressed, sealed and appended. */
#include "agent/repository/store_internal.h"

#include <assert.h>
#include <string.h>

#include <zstd.h>

enum { LEVEL = 1, SEALED_ROOM = SEGMENT_SEALED_MAX - SEGMENT_HEADER_SIZE - SEAL_TAG_SIZE };

struct segment { /* one that is being filled */
	uint8_t *raw;
	size_t used;
	struct pack_chunk *chunks;
	uint32_t count, room;
};
struct packer {
	struct store_run *run;
	struct namer *namer;
	struct index_reader *index; /* NULL: chunks are only named */
	unsigned commits;           /* of the run that index shows */
	struct segment data, pages; /* apart, so that who walks a tree need not decode what lies between its pages */
	uint8_t *sealed;
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
		rc = repo_index_reader(run->repo, &p->index, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(p);
	return ERR_OK;
}

static void segment_done(struct segment *s)
{
	free(s->raw);
	free(s->chunks);
}

void packer_free(struct packer *p)
{
	if (!p)
		return;
	namer_free(p->namer);
	index_reader_free(p->index);
	pack_writer_free(p->writer);
	ZSTD_freeCCtx(p->compressor);
	segment_done(&p->data);
	segment_done(&p->pages);
	free(p->sealed);
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

static enum err_code flush(struct packer *p, struct segment *s, struct err *reterr)
{
	if (!s->used)
		return ERR_OK;
	enum err_code rc = ERR_OK;
	if (!p->compressor && !(p->compressor = ZSTD_createCCtx()))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (!p->sealed && !(p->sealed = malloc(SEGMENT_SEALED_MAX)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (!p->writer)
		rc = pack_writer_new(p->run->repo->packs_fd, p->run->repo->keys, &p->writer, reterr);
	if (rc)
		return rc;
	size_t size = ZSTD_compressCCtx(p->compressor, p->sealed, SEALED_ROOM, s->raw, s->used, LEVEL);
	if (ZSTD_isError(size))
		return err_set(reterr, ERR_INTERNAL, "libzstd failed: %s", ZSTD_getErrorName(size));
	rc = pack_writer_segment(p->writer, p->sealed, (uint32_t)size, (uint32_t)s->used, s->chunks, s->count, reterr);
	s->used = 0;
	s->count = 0;
	if (!rc && (pack_writer_size(p->writer) >= PACK_TARGET || pack_writer_chunks(p->writer) >= PACK_CHUNKS_TARGET))
		rc = end_pack(p, reterr);
	return rc;
}

bool packer_is_finished(const struct packer *p)
{
	return !p->data.used && !p->pages.used && !p->writer;
}

enum err_code packer_finish(struct packer *p, struct err *reterr)
{
	enum err_code rc = flush(p, &p->data, reterr);
	if (!rc)
		rc = flush(p, &p->pages, reterr);
	if (!rc && p->writer)
		rc = end_pack(p, reterr);
	return rc;
}

/* ---- chunks ---- */

static uint8_t *room_in(struct packer *p, struct segment *s, size_t size, struct err *reterr)
{
	assert(size <= CHUNK_MAX);
	if (!s->raw && !(s->raw = malloc(SEGMENT_RAW_MAX))) {
		(void)err_set(reterr, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if ((s->used + size > SEGMENT_RAW_MAX || s->used >= SEGMENT_TARGET || s->count == SEGMENT_CHUNKS_MAX) &&
	    flush(p, s, reterr))
		return NULL;
	return s->raw + s->used;
}

uint8_t *packer_room(struct packer *p, size_t size, struct err *reterr)
{
	return room_in(p, &p->data, size, reterr);
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

static enum err_code append_chunk(struct segment *s, const struct chunk_id *id, size_t size, struct err *reterr)
{
	if (s->count == s->room) {
		uint32_t room = s->room ? s->room * 2 : 64;
		struct pack_chunk *more = realloc(s->chunks, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		s->chunks = more;
		s->room = room;
	}
	s->chunks[s->count++] = (struct pack_chunk){*id, (uint32_t)size};
	s->used += size;
	return ERR_OK;
}

static enum err_code take_in(struct packer *p, struct segment *s, size_t size, struct chunk_id *ret, struct err *reterr)
{
	struct chunk_id id;
	assert(size > 0 && size <= CHUNK_MAX && s->used + size <= SEGMENT_RAW_MAX);
	namer_name(p->namer, s->raw + s->used, size, &id);
	if (p->run->keep && !is_stored(p, &id)) {
		enum seen_result seen = store_run_see(p->run, &id);
		enum err_code rc = ERR_OK;
		if (seen == SEEN_NO_MEMORY)
			rc = err_set(reterr, ERR_NOMEM, "out of memory");
		else if (seen == SEEN_NEW)
			rc = append_chunk(s, &id, size, reterr);
		if (rc)
			return rc;
	}
	*ret = id;
	return ERR_OK;
}

enum err_code packer_take(struct packer *p, size_t size, struct chunk_id *ret, struct err *reterr)
{
	return take_in(p, &p->data, size, ret, reterr);
}

static enum err_code put_in(
    struct packer *p, struct segment *s, const uint8_t *data, size_t size, struct chunk_id *ret, struct err *reterr)
{
	struct err local;
	struct err *e = reterr ? reterr : &local;
	uint8_t *room = room_in(p, s, size, e);
	if (!room)
		return e->code;
	memcpy(room, data, size);
	return take_in(p, s, size, ret, reterr);
}

enum err_code packer_put(struct packer *p, const uint8_t *data, size_t size, struct chunk_id *ret, struct err *reterr)
{
	return put_in(p, &p->data, data, size, ret, reterr);
}

enum err_code packer_put_page(
    struct packer *p, const uint8_t *data, size_t size, struct chunk_id *ret, struct err *reterr)
{
	return put_in(p, &p->pages, data, size, ret, reterr);
}
