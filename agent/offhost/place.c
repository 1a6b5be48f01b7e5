#include "agent/offhost/place.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/file.h"
#include "shared/base/text.h"

static enum err_code path_of(const struct offhost *o, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/%s", o->folder, name)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
}

uint64_t place_lock_until(const struct offhost *o, uint64_t now_ms)
{
	return o->lock == BUCKET_UNLOCKED || !o->lock_ms ? 0 : now_ms + o->lock_ms;
}

uint32_t place_newest(const struct ledger *l, char *(*name_of)(uint32_t, char *), uint32_t most)
{
	char name[COPIED_NAME_MAX];
	const struct copied *c;
	uint32_t newest = 0;
	for (size_t at = 0;
	     (c = ledger_next(l, &at));) { /* a row that is read from its base on begins with any number */
		const char *digits = strrchr(c->name, '/');
		uint64_t n;
		if (c->stored_ms && digits && text_u64(digits + 1 + strspn(digits + 1, "0"), &n, NULL) == ERR_OK &&
		    n <= most && n > newest && strcmp(name_of((uint32_t)n, name), c->name) == 0)
			newest = (uint32_t)n;
	}
	return newest;
}

uint32_t place_base(const struct ledger *l)
{
	char name[COPIED_NAME_MAX];
	uint32_t newest = place_newest(l, copied_inventory_name, OFFHOST_INVENTORIES_MAX);
	const struct copied *row = newest ? ledger_find(l, copied_inventory_name(newest, name)) : NULL;
	return row ? copied_base(row) : 1;
}

bool place_is_unneeded(const struct copied *c, uint32_t base)
{
	return c->gone && c->stored_ms && (!c->inventory || c->inventory < base);
}

/* ---- the ledger that is there ---- */

static enum err_code known(
    const struct offhost *o, const struct keys *k, bool change, struct ledger **ret, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = NULL;
	char path[PATH_LIMIT];
	enum err_code rc = path_of(o, "ledger", path, reterr);
	if (!rc)
		rc = ledger_open(path, change, &l, reterr);
	if (rc)
		return rc;
	const struct ledger_head *h = ledger_about(l);
	if (!text_equal(h->destination, o->destination) || !text_equal(h->host, o->host) ||
	    memcmp(h->repository.data, keys_repo_id(k), REPO_ID_SIZE))
		return err_set(reterr, ERR_NOT_FOUND, "%s is about another store or repository", path);
	*ret = TAKE_PTR(l);
	return ERR_OK;
}

enum err_code place_known(const struct offhost *o, const struct keys *k, struct ledger **ret, struct err *reterr)
{
	return known(o, k, false, ret, reterr);
}

/* ---- one made anew ---- */

static enum err_code statement_of(const struct offhost *o, const struct keys *k, struct buf *out, struct err *reterr)
{
	struct place_statement s = {1, o->host, {keys_repo_id(k), REPO_ID_SIZE}, {keys_public(k), 32}};
	return record_to_json(&place_statement_type, &s, RECORD_PRETTY, out, reterr);
}

static enum err_code put_statement(const struct generation *g, const struct keys *k, struct copied *ret,
    enum bucket_outcome *ret_outcome, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	CLEANUP(cleanup_fd) int fd = -1;
	uint64_t now_ms = g->o->now_ms(g->o->ctx);
	struct copied c = {
	    .name = "repository", .stored_ms = now_ms, .locked_until_ms = place_lock_until(g->o, now_ms)};
	enum err_code rc = statement_of(g->o, k, &text, reterr);
	if (!rc)
		rc = store_memory_file(text.data, text.size, &fd, reterr);
	if (rc)
		return rc;
	c.size_bytes = text.size;
	store_bytes_digest(text.data, text.size, &c.sha256);
	rc = store_put_fd(g, c.name, fd, c.size_bytes, &c.sha256, c.locked_until_ms, ret_outcome, reterr);
	if (!rc)
		*ret = c;
	return rc;
}

static enum err_code is_ours(
    const struct generation *g, const struct keys *k, bool *ret, enum bucket_outcome *ret_outcome, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 20);
	struct place_statement s;
	enum err_code rc =
	    arena ? store_statement(g, arena, &s, ret_outcome, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		*ret = *ret_outcome == BUCKET_DONE && memcmp(s.repository.data, keys_repo_id(k), REPO_ID_SIZE) == 0;
	return rc;
}

/* The one that is this repository's, or the first that is free, which then is.  *ret_claimed: its name is empty if it
 * was there before. */
static enum err_code find_generation(const struct offhost *o, const struct keys *k, struct generation *ret,
    struct copied *ret_claimed, struct err *reterr)
{
	for (uint32_t n = 1; n <= OFFHOST_GENERATIONS_MAX; n++) {
		struct generation g = {o, n};
		enum bucket_outcome outcome = BUCKET_MISSING;
		struct copied claimed = {.name = NULL};
		bool ours = false;
		enum err_code rc = is_ours(&g, k, &ours, &outcome, reterr);
		if (!rc && outcome != BUCKET_DONE) {
			bool hidden = outcome == BUCKET_HIDDEN;
			rc = put_statement(&g, k, &claimed, &outcome, reterr);
			ours = outcome == BUCKET_DONE;
			if (!rc && !ours) { /* somebody was quicker, or we may not read what is there */
				claimed.name = NULL;
				rc = is_ours(&g, k, &ours, &outcome, reterr);
				if (!rc && outcome == BUCKET_HIDDEN && hidden)
					rc = err_set(reterr, ERR_DENIED,
					    "%s%s/%03u/repository is there but may not be read: the credential must be "
					    "able to get objects, not only to put them",
					    o->prefix, o->host, n);
			}
		}
		if (rc)
			return rc;
		if (ours) {
			*ret = g;
			*ret_claimed = claimed;
			return ERR_OK;
		}
	}
	return err_set(reterr, ERR_LIMIT, "%s%s/ holds %d other repositories: choose another prefix", o->prefix,
	    o->host, OFFHOST_GENERATIONS_MAX);
}

struct filling {
	struct ledger *ledger;
	const struct offhost *o;
};

static enum err_code fill_from(
    void *ctx, const struct inventory *c, uint64_t size, const struct digest *sha256, struct err *reterr)
{
	struct filling *f = ctx;
	char name[COPIED_NAME_MAX];
	struct copied *all = calloc(c->entries.count + 1, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	for (size_t i = 0; i < c->entries.count; i++) {
		all[i] = LIST_AT(c->entries, struct copied, i);
		all[i].inventory = c->number;
		all[i].stored_ms = all[i].stored_ms ? all[i].stored_ms : c->made_ms;
	}
	all[c->entries.count] = (struct copied){.name = copied_inventory_name(c->number, name),
	    .size_bytes = size,
	    .sha256 = *sha256,
	    .stored_ms = c->made_ms,
	    .locked_until_ms = place_lock_until(f->o, c->made_ms),
	    .inventory = c->number,
	    .base = inventory_base(c->number, c->base)};
	enum err_code rc = ledger_put_all(f->ledger, all, c->entries.count + 1, reterr);
	free(all);
	return rc;
}

static enum err_code make(const struct offhost *o, const struct keys *k, struct ledger **ret, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = NULL;
	struct generation g;
	struct copied claimed;
	char path[PATH_LIMIT], fresh[PATH_LIMIT];
	uint32_t newest = 0;
	enum err_code rc = path_of(o, "ledger", path, reterr);
	if (!rc)
		rc = path_of(o, "ledger.new", fresh, reterr);
	if (!rc)
		rc = find_generation(o, k, &g, &claimed, reterr);
	if (rc)
		return rc;
	struct ledger_head head = {.generation = g.number,
	    .destination = o->destination,
	    .host = o->host,
	    .repository = {keys_repo_id(k), REPO_ID_SIZE}};
	rc = ledger_create(fresh, &head, &l, reterr);
	if (!rc && claimed.name)
		rc = ledger_put(l, &claimed, reterr);
	if (!rc && !claimed.name)
		rc = store_newest(&g, copied_inventory_name, 0, OFFHOST_INVENTORIES_MAX, &newest, reterr);
	struct filling f = {l, o};
	if (!rc && newest) {
		store_say(o, "making the ledger again from the inventories up to %u", newest);
		rc = store_inventories(&g, k, newest, fill_from, &f, reterr);
	}
	if (!rc)
		rc = ledger_rename(l, fresh, path, reterr);
	if (!rc)
		*ret = TAKE_PTR(l);
	return rc;
}

enum err_code place_open(const struct offhost *o, const struct keys *k, struct ledger **ret, struct err *reterr)
{
	enum err_code rc = known(o, k, true, ret, reterr);
	return rc == ERR_NOT_FOUND || rc == ERR_CORRUPT ? make(o, k, ret, reterr) : rc;
}
