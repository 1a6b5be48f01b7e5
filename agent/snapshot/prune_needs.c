/* What all restore points together need. */
#include <string.h>

#include "agent/snapshot/needs.h"
#include "agent/snapshot/prune_internal.h"

enum { ARENA_LIMIT = 256 << 20 };

/* ---- what is live ---- */

bool prune_is_live(const struct pruning *p, const struct chunk_id *id)
{
	struct place place;
	size_t at;
	return index_find_at(reader_index(p->reader), id, &place, &at) && p->live[at / 8] & 1u << at % 8;
}

static void need(struct pruning *p, const struct chunk_id *id)
{
	struct place place;
	size_t at;
	if (!index_find_at(reader_index(p->reader), id, &place, &at) || p->live[at / 8] & 1u << at % 8)
		return;
	p->live[at / 8] = (uint8_t)(p->live[at / 8] | 1u << at % 8);
	if (place.pack < p->numbers)
		p->live_bytes[place.pack] += place.size;
}

/* ---- restore points ---- */

static void use(struct pruning *p, struct needs *n)
{
	for (size_t i = 0; i < n->count; i++)
		need(p, &n->all[i].id);
	n->count = 0;
}

/* A page that another restore point has too needs the same chunks. */
static enum err_code use_page(
    struct pruning *p, const uint8_t *reference, struct needs *n, struct findings *f, struct err *reterr)
{
	struct tree tree = {0};
	if (map_get(p->pages, reference, CHUNK_ID_SIZE))
		return ERR_OK;
	enum err_code rc = reader_page(p->reader, reference, &tree, reterr);
	if (!rc)
		rc = needs_add_tree(n, p->reader, &tree, NULL, 0, "prune", f, reterr);
	tree_done(&tree);
	if (!rc)
		use(p, n);
	if (!rc && !map_put(p->pages, reference, CHUNK_ID_SIZE, p))
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	return rc;
}

static enum err_code use_snapshot(
    struct pruning *p, struct id id, struct arena *arena, struct findings *f, struct err *reterr)
{
	struct manifest m;
	struct needs n = {0};
	arena_reset(arena);
	enum err_code rc = manifest_read(p->repo, id, arena, &m, reterr);
	for (size_t i = 0; !rc && i < m.trees.count; i++) {
		struct bytes pages = LIST_AT(m.trees, struct manifest_tree, i).pages;
		rc = needs_add_pages(&n, p->reader, pages, NULL, 0, "prune", f, reterr);
		if (!rc)
			use(p, &n);
		for (size_t at = 0; !rc && at < pages.size; at += REFERENCE_SIZE)
			rc = use_page(p, pages.data + at, &n, f, reterr);
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

static enum err_code load_packs(struct pruning *p, struct err *reterr)
{
	enum err_code rc = index_packs(reader_index(p->reader), &p->packs, &p->pack_count, reterr);
	if (rc)
		return rc;
	p->numbers = p->pack_count ? p->packs[p->pack_count - 1].number + 1u : 0;
	p->live_bytes = calloc(p->numbers + 1, sizeof *p->live_bytes);
	p->all_bytes = calloc(p->numbers + 1, sizeof *p->all_bytes);
	p->repacked = calloc(p->numbers + 1, sizeof *p->repacked);
	p->live = calloc(index_places(reader_index(p->reader)) / 8 + 1, 1);
	if (!p->live_bytes || !p->all_bytes || !p->repacked || !p->live)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return index_each(reader_index(p->reader), count_bytes, p, reterr);
}

enum err_code prune_find_needs(struct pruning *p, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(ARENA_LIMIT);
	struct findings f;
	p->pages = map_new();
	if (!arena || !p->pages)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	findings_init(&f);
	enum err_code rc = reader_new(p->repo, &p->reader, reterr);
	if (!rc)
		rc = load_packs(p, reterr);
	for (size_t i = 0; i < p->all.count && !rc; i++)
		rc = use_snapshot(p, LIST_AT(p->all, struct snapshot_summary, i).snapshot, arena, &f, reterr);
	if (!rc)
		rc = index_reader_check(reader_index(p->reader), reterr);
	if (!rc && f.count)
		rc = err_set(reterr, ERR_CORRUPT,
		    "the repository is damaged, so nothing is pruned; run `kedge-agent repo check` (%s)",
		    findings_first(&f));
	findings_done(&f);
	return rc;
}
