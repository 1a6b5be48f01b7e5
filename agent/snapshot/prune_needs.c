/* What all restore points together need. */
#include <string.h>

#include "agent/snapshot/needs.h"
#include "agent/snapshot/prune_internal.h"

enum { ARENA_LIMIT = 256 << 20, LIVE_ROOM_FIRST = 1024 };

/* ---- the set ---- */

static uint64_t key_of(const struct chunk_id *id)
{
	uint64_t key;
	memcpy(&key, id->b, sizeof key);
	return key ? key : 1;
}

static size_t slot_of(const uint64_t *slots, size_t room, uint64_t key)
{
	size_t i = (size_t)(key >> 8) & (room - 1);
	while (slots[i] && slots[i] != key)
		i = (i + 1) & (room - 1);
	return i;
}

static bool grow(struct live *l)
{
	size_t room = l->room ? l->room * 2 : LIVE_ROOM_FIRST;
	uint64_t *slots = calloc(room, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < l->room; i++)
		if (l->slots[i])
			slots[slot_of(slots, room, l->slots[i])] = l->slots[i];
	free(l->slots);
	l->slots = slots;
	l->room = room;
	return true;
}

bool live_add(struct live *l, const struct chunk_id *id, bool *failed)
{
	if (l->count * 3 >= l->room * 2 && !grow(l)) {
		*failed = true;
		return false;
	}
	uint64_t key = key_of(id);
	size_t i = slot_of(l->slots, l->room, key);
	if (l->slots[i])
		return false;
	l->slots[i] = key;
	l->count++;
	return true;
}

bool live_has(const struct live *l, const struct chunk_id *id)
{
	return l->room && l->slots[slot_of(l->slots, l->room, key_of(id))];
}

/* ---- restore points ---- */

static enum err_code use(struct pruning *p, struct needs *n, struct err *reterr)
{
	bool failed = false;
	for (size_t i = 0; i < n->count && !failed; i++)
		if (live_add(&p->live, &n->all[i].id, &failed) && n->all[i].place.pack < p->numbers)
			p->live_bytes[n->all[i].place.pack] += n->all[i].place.size;
	n->count = 0;
	return failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* A page that another restore point has too needs the same chunks. */
static enum err_code use_page(struct pruning *p, struct reader *rd, const uint8_t *reference, struct needs *n,
    struct findings *f, struct err *reterr)
{
	struct chunk_id id;
	const uint8_t *page;
	struct tree tree = {0};
	if (map_get(p->pages, reference, CHUNK_ID_SIZE))
		return ERR_OK;
	memcpy(id.b, reference, CHUNK_ID_SIZE);
	enum err_code rc = reader_chunk(rd, &id, reference_size(reference), &page, reterr);
	if (!rc)
		rc = tree_add_loose_page(&tree, page, reference_size(reference), reterr);
	if (!rc)
		rc = needs_add_tree(n, rd, &tree, NULL, 0, "prune", f, reterr);
	tree_done(&tree);
	if (!rc)
		rc = use(p, n, reterr);
	if (!rc && !map_put(p->pages, reference, CHUNK_ID_SIZE, p))
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	return rc;
}

static enum err_code use_snapshot(
    struct pruning *p, struct reader *rd, struct id id, struct arena *arena, struct findings *f, struct err *reterr)
{
	struct manifest m;
	struct needs n = {0};
	arena_reset(arena);
	enum err_code rc = manifest_read(p->repo, id, arena, &m, reterr);
	for (size_t i = 0; !rc && i < m.trees.count; i++) {
		struct bytes pages = LIST_AT(m.trees, struct manifest_tree, i).pages;
		rc = needs_add_pages(&n, rd, pages, NULL, 0, "prune", f, reterr);
		if (!rc)
			rc = use(p, &n, reterr);
		for (size_t at = 0; !rc && at < pages.size; at += REFERENCE_SIZE)
			rc = use_page(p, rd, pages.data + at, &n, f, reterr);
	}
	needs_done(&n);
	if (!rc && prune_cancelled(p))
		rc = err_set(reterr, ERR_CANCELLED, "cancelled");
	return rc;
}

static bool count_bytes(void *ctx, const struct chunk_id *id, const struct place *place)
{
	struct pruning *p = ctx;
	(void)id;
	if (place->pack < p->numbers)
		p->all_bytes[place->pack] += place->size;
	return true;
}

static enum err_code load_packs(struct pruning *p, struct reader *rd, struct err *reterr)
{
	enum err_code rc = index_packs(reader_index(rd), &p->packs, &p->pack_count, reterr);
	if (rc)
		return rc;
	p->numbers = p->pack_count ? p->packs[p->pack_count - 1].number + 1u : 0;
	p->live_bytes = calloc(p->numbers + 1, sizeof *p->live_bytes);
	p->all_bytes = calloc(p->numbers + 1, sizeof *p->all_bytes);
	p->repacked = calloc(p->numbers + 1, sizeof *p->repacked);
	if (!p->live_bytes || !p->all_bytes || !p->repacked)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return index_each(reader_index(rd), count_bytes, p, reterr);
}

enum err_code prune_find_needs(struct pruning *p, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(ARENA_LIMIT);
	CLEANUP(reader_cleanup) struct reader *rd = NULL;
	struct findings f;
	p->pages = map_new();
	if (!arena || !p->pages)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	findings_init(&f);
	enum err_code rc = reader_new(p->repo, &rd, reterr);
	if (!rc)
		rc = load_packs(p, rd, reterr);
	for (size_t i = 0; i < p->all.count && !rc; i++)
		rc = use_snapshot(p, rd, LIST_AT(p->all, struct snapshot_summary, i).snapshot, arena, &f, reterr);
	if (!rc && f.count)
		rc = err_set(reterr, ERR_CORRUPT,
		    "the repository is damaged, so nothing is pruned; run `kedge-agent repo check` (%s)",
		    findings_first(&f));
	findings_done(&f);
	return rc;
}
