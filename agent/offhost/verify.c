/* Proving a copy by what the store gives back. */
#include <stdlib.h>
#include <string.h>

#include "agent/offhost/place.h"
#include "agent/offhost/status.h"
#include "shared/base/map.h"
#include "shared/base/text.h"

struct proving {
	const struct offhost *o;
	const struct keys *keys;
	struct generation g;
	struct arena *arena;
	struct map *entries; /* name -> struct copied: what the inventories say together */
	struct copy_proof *proof;
	struct random random;
};

CLEANUP_DEFINE(struct map, map_cleanup, map_free)

/* ---- what the inventories say ---- */

static enum err_code take_inventory(
    void *ctx, const struct inventory *c, uint64_t size, const struct digest *sha256, struct err *reterr)
{
	struct proving *p = ctx;
	(void)size;
	(void)sha256;
	p->proof->objects++;
	for (size_t i = 0; i < c->entries.count; i++) {
		struct copied *mine = arena_alloc(p->arena, sizeof *mine);
		enum err_code rc =
		    mine ? record_copy(&copied_type, &LIST_AT(c->entries, struct copied, i), p->arena, mine, reterr)
			 : err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
		if (rc)
			return rc;
		if (!map_put(p->entries, mine->name, strlen(mine->name), mine))
			return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	}
	return ERR_OK;
}

static void found(struct proving *p, const char *name, const char *what)
{
	p->proof->findings++;
	store_finding(p->o, "%s: %s", name, what);
}

/* What the ledger says was put and told must be told by the store. */
static void compare_with_ledger(struct proving *p, const struct ledger *l, uint32_t newest)
{
	const struct copied *e;
	uint32_t known = place_newest(l, copied_inventory_name, OFFHOST_INVENTORIES_MAX);
	char name[COPIED_NAME_MAX];
	if (newest < known)
		found(p, copied_inventory_name(known, name),
		    "was put but is missing in the store: the copy was set back");
	for (size_t at = 0; (e = ledger_next(l, &at));) {
		const struct copied *told = map_get(p->entries, e->name, strlen(e->name));
		if (!e->stored_ms || e->gone || !e->inventory || text_starts(e->name, "inventory/"))
			continue;
		if (!told)
			found(p, e->name, "was put, but no inventory in the store names it");
		else if (!e->content.size && memcmp(&told->sha256, &e->sha256, sizeof e->sha256))
			found(p, e->name, "the inventory in the store says another digest than was put");
	}
}

/* ---- objects ---- */

static enum err_code read_back(struct proving *p, const struct copied *e, struct err *reterr)
{
	enum bucket_outcome outcome = BUCKET_MISSING;
	struct digest sha256;
	uint64_t size = 0;
	struct err why = ERR_INIT;
	enum err_code rc = store_digest(&p->g, e->name, e->size_bytes, -1, &sha256, &size, &outcome, &why);
	if (rc == ERR_LIMIT)
		found(p, e->name, "the store gives back more than was put");
	else if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	else if (outcome != BUCKET_DONE)
		found(p, e->name,
		    outcome == BUCKET_MISSING ? "is missing in the store"
					      : "is missing in the store, or may not be read");
	else if (size != e->size_bytes || memcmp(&sha256, &e->sha256, sizeof sha256))
		found(p, e->name, "the store gives back other bytes than were put");
	p->proof->objects++;
	p->proof->bytes += size;
	return ERR_OK;
}

/* A restore point is whole if all that it needs is told of. */
static void check_needs(struct proving *p, const struct copied *e)
{
	char name[COPIED_NAME_MAX];
	for (size_t at = 0; at < e->packs.size; at += PACK_ID_SIZE) {
		struct pack_id pack;
		memcpy(pack.b, e->packs.data + at, PACK_ID_SIZE);
		copied_pack_name(pack, name);
		if (!map_get(p->entries, name, strlen(name))) {
			found(p, e->name, "needs a pack that no inventory names");
			return;
		}
	}
	p->proof->points++;
}

/* bulk: packs and logs; else all that is small. */
static size_t gather(struct proving *p, bool bulk, const struct copied **out)
{
	const void *key;
	size_t size, n = 0;
	void *value;
	struct pack_id pack;
	char service[NAME_MAX_BYTES + 1];
	for (size_t at = 0; map_next(p->entries, &at, &key, &size, &value);) {
		const struct copied *e = value;
		if (!e->content.size && (copied_pack_id(e->name, &pack) || copied_wal_file(e->name, service)) == bulk)
			out[n++] = e;
	}
	return n;
}

static void shuffle(struct proving *p, const struct copied **all, size_t count, size_t take)
{
	for (size_t i = 0; i < take && i + 1 < count; i++) {
		size_t j = i + (size_t)random_below(&p->random, count - i);
		const struct copied *swap = all[i];
		all[i] = all[j];
		all[j] = swap;
	}
}

static enum err_code check_objects(struct proving *p, bool sample, struct err *reterr)
{
	struct id id;
	enum err_code rc = ERR_OK;
	const struct copied **all = calloc(map_count(p->entries) + 1, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	size_t count = gather(p, false, all);
	for (size_t i = 0; i < count && !rc; i++) {
		rc = read_back(p, all[i], reterr);
		if (!rc && copied_manifest_id(all[i]->name, &id))
			check_needs(p, all[i]);
	}
	count = rc ? 0 : gather(p, true, all);
	size_t take = sample && count > OFFHOST_SAMPLE_PACKS ? OFFHOST_SAMPLE_PACKS : count;
	shuffle(p, all, count, take < count ? take : 0);
	for (size_t i = 0; i < take && !rc; i++) {
		rc = read_back(p, all[i], reterr);
		store_say(p->o, "object %zu of %zu read back", i + 1, take);
	}
	free(all);
	return rc;
}

static enum err_code prove(struct proving *p, bool sample, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = NULL;
	uint32_t newest = 0;
	struct err why = ERR_INIT;
	enum err_code rc = place_known(p->o, p->keys, &l, reterr);
	if (rc)
		return err_prefix(reterr, rc, "nothing was copied yet");
	p->g = (struct generation){p->o, ledger_about(l)->generation};
	rc = store_newest(&p->g, copied_inventory_name, 0, OFFHOST_INVENTORIES_MAX, &newest, reterr);
	if (rc)
		return rc;
	rc = store_inventories(&p->g, p->keys, newest, take_inventory, p, &why);
	if (rc == ERR_CORRUPT)
		found(p, "the inventory", why.msg);
	else if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	compare_with_ledger(p, l, newest);
	p->proof->objects_total = p->proof->objects + map_count(p->entries);
	return check_objects(p, sample, reterr);
}

enum err_code offhost_verify(
    const struct offhost *o, struct repo *r, bool sample, struct copy_proof *ret, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 30);
	CLEANUP(map_cleanup) struct map *entries = map_new();
	struct proving p = {.o = o, .keys = repo_keys(r), .arena = arena, .entries = entries, .proof = ret};
	struct err why = ERR_INIT;
	*ret = (struct copy_proof){.points = 0};
	if (!arena || !entries)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	random_init_system(&p.random);
	enum err_code rc = prove(&p, sample, &why);
	if (!rc && ret->findings)
		rc = err_set(
		    &why, ERR_CORRUPT, "%llu things are wrong with the copy", (unsigned long long)ret->findings);
	if (rc != ERR_NOT_FOUND) /* nothing was ever copied */
		status_after_verify(o, rc, &why, ret);
	return rc ? err_set(reterr, rc, "%s", why.msg) : ERR_OK;
}
