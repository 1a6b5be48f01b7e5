#include "agent/snapshot/reader.h"

enum { SEGMENTS_HELD = 4, PACKS_HELD = 16 };

struct held_segment {
	uint32_t pack, offset;
	uint64_t used; /* 0: empty */
	uint8_t *raw;
};
struct held_pack {
	uint32_t number;
	uint64_t used;
	struct pack *pack;
};
struct reader {
	struct repo *repo;
	struct index_reader *index;
	struct namer *namer;
	struct unpacker *unpacker;
	uint64_t clock; /* counts uses, to find the one unused for longest */
	struct held_segment segments[SEGMENTS_HELD];
	struct held_pack packs[PACKS_HELD];
};

enum err_code reader_new(struct repo *r, struct reader **ret, struct err *reterr)
{
	CLEANUP(reader_cleanup) struct reader *rd = calloc(1, sizeof *rd);
	if (!rd)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rd->repo = r;
	enum err_code rc = unpacker_new(&rd->unpacker, reterr);
	if (!rc)
		rc = namer_new(r->keys, &rd->namer, reterr);
	if (!rc)
		rc = repo_index_reader(r, &rd->index, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(rd);
	return ERR_OK;
}

void reader_free(struct reader *rd)
{
	if (!rd)
		return;
	for (size_t i = 0; i < PACKS_HELD; i++)
		pack_close(rd->packs[i].pack);
	for (size_t i = 0; i < SEGMENTS_HELD; i++)
		free(rd->segments[i].raw);
	index_reader_free(rd->index);
	namer_free(rd->namer);
	unpacker_free(rd->unpacker);
	free(rd);
}

struct index_reader *reader_index(struct reader *rd)
{
	return rd->index;
}
bool reader_place(struct reader *rd, const struct chunk_id *id, struct place *ret)
{
	return index_find(rd->index, id, ret);
}
void reader_name(struct reader *rd, const void *data, size_t size, struct chunk_id *ret)
{
	namer_name(rd->namer, data, size, ret);
}

static enum err_code get_pack(struct reader *rd, uint32_t number, struct pack **ret, struct err *reterr)
{
	struct held_pack *oldest = &rd->packs[0];
	for (size_t i = 0; i < PACKS_HELD; i++) {
		struct held_pack *h = &rd->packs[i];
		if (h->pack && h->number == number) {
			h->used = ++rd->clock;
			*ret = h->pack;
			return ERR_OK;
		}
		if (h->used < oldest->used)
			oldest = h;
	}
	struct index_pack about;
	struct pack *pack;
	if (!index_find_pack(rd->index, number, &about))
		return err_set(reterr, ERR_CORRUPT,
		    "the index names a pack that it does not know; run `kedge-agent repo rebuild-index`");
	enum err_code rc = pack_open(rd->repo->packs_fd, about.id, rd->repo->keys, &pack, reterr);
	if (rc)
		return rc;
	pack_close(oldest->pack);
	*oldest = (struct held_pack){number, ++rd->clock, pack};
	*ret = pack;
	return ERR_OK;
}

enum err_code reader_segment(struct reader *rd, const struct place *place, const uint8_t **ret, struct err *reterr)
{
	struct held_segment *oldest = &rd->segments[0];
	struct pack *pack;
	for (size_t i = 0; i < SEGMENTS_HELD; i++) {
		struct held_segment *h = &rd->segments[i];
		if (h->used && h->pack == place->pack && h->offset == place->offset) {
			h->used = ++rd->clock;
			*ret = h->raw;
			return ERR_OK;
		}
		if (h->used < oldest->used)
			oldest = h;
	}
	enum err_code rc = get_pack(rd, place->pack, &pack, reterr);
	if (rc)
		return rc;
	if (!oldest->raw && !(oldest->raw = malloc(SEGMENT_RAW_MAX)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	oldest->used = 0;
	rc = pack_read_segment(
	    pack, place->offset, place->sealed_size, place->raw_size, rd->unpacker, oldest->raw, reterr);
	if (rc)
		return rc;
	oldest->pack = place->pack;
	oldest->offset = place->offset;
	oldest->used = ++rd->clock;
	*ret = oldest->raw;
	return ERR_OK;
}

enum err_code reader_chunk(
    struct reader *rd, const struct chunk_id *id, uint32_t size, const uint8_t **ret, struct err *reterr)
{
	struct place place;
	if (!index_find(rd->index, id, &place))
		return err_set(reterr, ERR_CORRUPT, "a chunk is in no pack; run `kedge-agent repo check`");
	return reader_placed(rd, &place, id, size, ret, reterr);
}

enum err_code reader_placed(struct reader *rd, const struct place *place, const struct chunk_id *id, uint32_t size,
    const uint8_t **ret, struct err *reterr)
{
	struct chunk_id found;
	const uint8_t *raw;
	enum err_code rc = reader_segment(rd, place, &raw, reterr);
	if (rc)
		return rc;
	namer_name(rd->namer, raw + place->at, place->size, &found);
	if (place->size != size || memcmp(found.b, id->b, CHUNK_ID_SIZE)) {
		struct index_pack about;
		char name[PACK_NAME_MAX] = "?";
		if (index_find_pack(rd->index, place->pack, &about))
			pack_name(about.id, ".pack", name);
		return err_set(
		    reterr, ERR_CORRUPT, "packs/%s at %u: a chunk is not what was stored", name, place->offset);
	}
	*ret = raw + place->at;
	return ERR_OK;
}

/* ---- files ---- */

struct resolving {
	struct reader *rd;
	reader_reference_fn *visit, *on_list;
	void *ctx;
};

static enum err_code resolve(
    struct resolving *v, const uint8_t *references, size_t size, unsigned depth, struct err *reterr);

static enum err_code resolve_list(struct resolving *v, const uint8_t *reference, unsigned depth, struct err *reterr)
{
	struct chunk_id id;
	uint32_t size = reference_size(reference);
	const uint8_t *list;
	memcpy(id.b, reference, CHUNK_ID_SIZE);
	enum err_code rc = v->on_list ? v->on_list(v->ctx, &id, size, false, reterr) : ERR_OK;
	if (!rc)
		rc = reader_chunk(v->rd, &id, size, &list, reterr);
	if (rc)
		return rc;
	if (!tree_references_valid(list, size))
		return err_set(reterr, ERR_CORRUPT, "a list of chunks is malformed");
	CLEANUP(cleanup_free) uint8_t *copy = malloc(size);
	if (!copy)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(copy, list, size);
	return resolve(v, copy, size, depth - 1, reterr);
}

static enum err_code resolve(
    struct resolving *v, const uint8_t *references, size_t size, unsigned depth, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t at = 0; at < size && !rc; at += REFERENCE_SIZE) {
		struct chunk_id id;
		memcpy(id.b, references + at, CHUNK_ID_SIZE);
		if (depth)
			rc = resolve_list(v, references + at, depth, reterr);
		else
			rc = v->visit(
			    v->ctx, &id, reference_size(references + at), reference_is_hole(references + at), reterr);
	}
	return rc;
}

enum err_code reader_references(struct reader *rd, const uint8_t *entry, reader_reference_fn *visit,
    reader_reference_fn *on_list, void *ctx, struct err *reterr)
{
	struct resolving v = {rd, visit, on_list, ctx};
	return resolve(&v, entry_reference(entry, 0), (size_t)entry_references(entry) * REFERENCE_SIZE,
	    entry_depth(entry), reterr);
}

static enum err_code get_page(struct reader *rd, const uint8_t *reference, const uint8_t **ret, struct err *reterr)
{
	struct chunk_id id;
	memcpy(id.b, reference, CHUNK_ID_SIZE);
	return reader_chunk(rd, &id, reference_size(reference), ret, reterr);
}

enum err_code reader_page(struct reader *rd, const uint8_t *reference, struct tree *ret, struct err *reterr)
{
	const uint8_t *page;
	enum err_code rc = get_page(rd, reference, &page, reterr);
	return rc ? rc : tree_add_loose_page(ret, page, reference_size(reference), false, reterr);
}

static enum err_code add_page(struct reader *rd, const uint8_t *reference, struct tree *t, struct err *reterr)
{
	const uint8_t *page;
	enum err_code rc = get_page(rd, reference, &page, reterr);
	return rc ? rc : tree_add_page(t, page, reference_size(reference), reterr);
}

enum err_code reader_next_page(struct reader *rd, struct reader_pages *p, bool *ret_more, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	bool more = p->at < p->pages.size;
	if (more) {
		rc = add_page(rd, p->pages.data + p->at, &p->tree, reterr);
		p->at += REFERENCE_SIZE;
	}
	if (rc)
		return rc;
	if (more)
		tree_keep_last(&p->tree);
	*ret_more = more;
	return ERR_OK;
}

void reader_pages_done(struct reader_pages *p)
{
	tree_done(&p->tree);
}
