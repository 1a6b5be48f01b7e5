/* Needed chunks out of mostly dead packs, and out of many tiny ones, into new packs.
 *
 * Write order: new packs synced and renamed, index (chunks at their new places), then the old packs are condemned as
 * any other without use and deleted after the grace period, so that whoever reads by an older view of the index still
 * finds them.  A crash leaves either packs that nothing refers to, or old ones that the next run condemns. */
#include <string.h>
#include <sys/statvfs.h>

#include "agent/repository/store.h"
#include "agent/snapshot/prune_internal.h"
#include "shared/base/text.h"

enum { ROOM_FACTOR = 2 }; /* free space wanted, in sizes of what is written */

struct repacking {
	struct pruning *p;
	struct store_run *run;
	struct packer *packer;
	struct index_reader *index;
	struct unpacker *unpacker;
	uint8_t *raw;
};

static void repacking_done(struct repacking *x)
{
	packer_free(x->packer);
	store_run_free(x->run);
	index_reader_free(x->index);
	unpacker_free(x->unpacker);
	free(x->raw);
}

/* ---- which ---- */

static bool is_mostly_dead(const struct pruning *p, const struct index_pack *k)
{
	uint64_t live = p->live_bytes[k->number], all = p->all_bytes[k->number];
	return !k->doomed_ms && live && live * 100 < all * REPACK_LIVE_PERCENT;
}

static bool is_small(const struct pruning *p, const struct index_pack *k)
{
	return !k->doomed_ms && p->live_bytes[k->number] && k->size < REPACK_SMALL_BYTES;
}

/* Dead ones first; *ret: indexes into p->packs. */
static size_t choose(const struct pruning *p, size_t *out)
{
	size_t count = 0, small = 0;
	uint64_t bytes = 0;
	for (size_t i = 0; i < p->pack_count; i++)
		small += is_small(p, &p->packs[i]);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < p->pack_count; i++) {
			const struct index_pack *k = &p->packs[i];
			bool dead = is_mostly_dead(p, k);
			bool wanted = pass ? small >= REPACK_SMALL_COUNT && is_small(p, k) && !dead : dead;
			if (!wanted || bytes + p->live_bytes[k->number] > REPACK_RUN_BYTES)
				continue;
			bytes += p->live_bytes[k->number];
			out[count++] = i;
		}
	return count;
}

static bool has_room(const struct pruning *p, uint64_t bytes)
{
	struct statvfs fs;
	return !statvfs(p->repo->path, &fs) && (uint64_t)fs.f_bavail * fs.f_frsize > bytes * ROOM_FACTOR;
}

/* ---- one pack ---- */

static bool is_needed_here(const struct repacking *x, uint32_t number, const struct chunk_id *id)
{
	struct place place;
	return prune_is_live(x->p, id) && index_find(x->index, id, &place) && place.pack == number;
}

static enum err_code move_segment(struct repacking *x, struct pack *pack, uint32_t number, const struct pack_segment *s,
    const struct pack_chunk *chunks, struct err *reterr)
{
	uint32_t offset = 0;
	bool read = false;
	enum err_code rc = ERR_OK;
	for (uint32_t i = 0; i < s->chunk_count && !rc; offset += chunks[i++].size) {
		struct chunk_id id;
		if (!is_needed_here(x, number, &chunks[i].id))
			continue;
		if (!read)
			rc = pack_read_segment(
			    pack, s->offset, s->sealed_size, s->raw_size, x->unpacker, x->raw, reterr);
		read = true;
		if (!rc)
			rc = packer_put(x->packer, x->raw + offset, chunks[i].size, &id, reterr);
		if (!rc && memcmp(id.b, chunks[i].id.b, CHUNK_ID_SIZE))
			rc = err_set(reterr, ERR_CORRUPT,
			    "a chunk in a pack is not what its name says; run `kedge-agent repo check --data`");
	}
	return rc;
}

static enum err_code move_pack(struct repacking *x, const struct index_pack *k, struct err *reterr)
{
	CLEANUP(pack_cleanup) struct pack *pack = NULL;
	struct pack_index content = {0};
	size_t chunk = 0;
	enum err_code rc = pack_open(x->p->repo->packs_fd, k->id, x->p->repo->keys, &pack, reterr);
	if (!rc)
		rc = pack_read_index(pack, &content, reterr);
	for (uint32_t i = 0; i < content.segment_count && !rc; i++) {
		const struct pack_segment *s = &content.segments[i];
		rc = move_segment(x, pack, k->number, s, content.chunks + chunk, reterr);
		chunk += s->chunk_count;
		if (!rc && prune_cancelled(x->p))
			rc = err_set(reterr, ERR_CANCELLED, "cancelled");
	}
	pack_index_done(&content);
	return rc;
}

static enum err_code move_all(struct repacking *x, const size_t *chosen, size_t count, struct err *reterr)
{
	struct pruning *p = x->p;
	x->raw = malloc(SEGMENT_RAW_MAX);
	enum err_code rc = x->raw ? unpacker_new(&x->unpacker, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = repo_index_reader(p->repo, &x->index, reterr);
	if (!rc)
		rc = store_run_new(p->repo, true, &x->run, reterr);
	for (size_t i = 0; i < count && !rc; i++)
		store_run_avoid(x->run, p->packs[chosen[i]].number);
	if (!rc)
		rc = packer_new(x->run, &x->packer, reterr);
	for (size_t i = 0; i < count && !rc; i++)
		rc = move_pack(x, &p->packs[chosen[i]], reterr);
	if (!rc) /* a look-up that failed made what is needed look dead */
		rc = index_reader_check(x->index, reterr);
	if (!rc)
		rc = index_reader_check(reader_index(p->reader), reterr);
	if (!rc)
		rc = packer_finish(x->packer, reterr);
	return rc ? rc : store_run_commit(x->run, reterr);
}

enum err_code prune_repack(struct pruning *p, struct err *reterr)
{
	uint64_t bytes = 0;
	CLEANUP(cleanup_free) size_t *chosen = calloc(p->pack_count + 1, sizeof *chosen);
	if (!chosen)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	size_t count = p->o->no_repack ? 0 : choose(p, chosen);
	for (size_t i = 0; i < count; i++)
		bytes += p->live_bytes[p->packs[chosen[i]].number];
	if (!count || !has_room(p, bytes))
		return ERR_OK;
	if (p->o->apply) {
		struct repacking x = {.p = p};
		enum err_code rc = move_all(&x, chosen, count, reterr);
		repacking_done(&x);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < count; i++)
		p->repacked[p->packs[chosen[i]].number] = true;
	p->result.repacked_packs = count;
	p->result.repacked_bytes = bytes;
	return ERR_OK;
}
