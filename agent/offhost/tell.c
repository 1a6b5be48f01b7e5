/* Telling: an inventory of what is stored, which builds on the one before. */
#include <stdlib.h>
#include <string.h>

#include "agent/offhost/copying.h"
#include "shared/base/text.h"

static bool belongs(const struct copied *e, bool full)
{
	return e->stored_ms && !e->gone && !text_starts(e->name, "inventory/") && (full || e->inventory == 0);
}

/* Those that the next one tells, as they will be in it; the caller frees *ret. */
static enum err_code gather(
    const struct copying *c, bool full, struct copied **ret, size_t *ret_count, struct err *reterr)
{
	struct copied *all = calloc(ledger_count(c->ledger) + 1, sizeof *all);
	const struct copied *e;
	size_t n = 0;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for an inventory");
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (belongs(e, full)) {
			all[n] = *e;
			all[n++].inventory = 0;
		}
	*ret = all;
	*ret_count = n;
	return ERR_OK;
}

bool copying_any_new(const struct copying *c)
{
	const struct copied *e;
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (belongs(e, false))
			return true;
	return false;
}

static enum err_code mark_told(struct copying *c, uint32_t number, struct err *reterr)
{
	struct copied *all = calloc(ledger_count(c->ledger) + 1, sizeof *all);
	const struct copied *e;
	size_t n = 0;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for the ledger");
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));)
		if (belongs(e, false)) {
			all[n] = *e;
			all[n++].inventory = number;
		}
	enum err_code rc = n ? ledger_put_all(c->ledger, all, n, reterr) : ERR_OK;
	free(all);
	return rc;
}

/* One that was begun and may have arrived is looked at first: it was sealed with another salt, so only the store can
 * tell what it says. */
static enum err_code settle_begun(struct copying *c, uint32_t number, bool *ret_there, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	const struct copied *known = ledger_find(c->ledger, copied_inventory_name(number, name));
	*ret_there = false;
	if (!known || known->stored_ms)
		return ERR_OK;
	struct copied e = *known;
	enum err_code rc = copying_has_arrived(c, &e, ret_there, reterr);
	if (rc || !*ret_there)
		return rc;
	e.stored_ms = copying_now(c);
	e.inventory = number;
	c->result->resumed++;
	return ledger_put(c->ledger, &e, reterr);
}

/* What number builds on: itself, when it is worth the bytes to name everything again. */
static uint32_t choose_base(const struct copying *c, uint32_t number)
{
	char name[COPIED_NAME_MAX];
	const struct copied *e,
	    *before = number > 1 ? ledger_find(c->ledger, copied_inventory_name(number - 1, name)) : NULL;
	uint32_t base = before ? copied_base(before) : number;
	size_t needed = 0, since = 0;
	if (number - base < OFFHOST_FULL_EVERY || number - base >= OFFHOST_CHAIN_MAX)
		return number - base < OFFHOST_FULL_EVERY ? base : number;
	for (size_t at = 0; (e = ledger_next(c->ledger, &at));) {
		needed += belongs(e, true);
		since += belongs(e, true) && (e->inventory == 0 || e->inventory > base);
	}
	return since * OFFHOST_FULL_SHARE >= needed ? number : base;
}

static enum err_code seal_inventory(
    struct copying *c, uint32_t number, uint32_t base, struct buf *out, struct err *reterr)
{
	char name[COPIED_NAME_MAX];
	struct inventory k = {.host = c->o->host, .number = number, .made_ms = copying_now(c), .base = base};
	struct copied *all = NULL;
	size_t count = 0;
	const struct copied *before =
	    number > 1 ? ledger_find(c->ledger, copied_inventory_name(number - 1, name)) : NULL;
	enum err_code rc = gather(c, base == number, &all, &count, reterr);
	k.entries = (struct list){all, count};
	if (before)
		k.previous = before->sha256;
	if (!rc)
		rc = inventory_seal(repo_keys(c->r), &k, &c->random, out, reterr);
	free(all);
	return rc;
}

enum err_code copying_put_inventory(struct copying *c, struct err *reterr)
{
	CLEANUP(buf_done) struct buf sealed = {.limit = OFFHOST_INVENTORY_MAX};
	char name[COPIED_NAME_MAX];
	uint32_t number = place_newest(c->ledger, copied_inventory_name, OFFHOST_INVENTORIES_MAX) + 1;
	bool there = false;
	enum err_code rc = settle_begun(c, number, &there, reterr);
	if (rc)
		return rc;
	/* What it told was in the ledger before it was begun, but other things may have come since: they go into the
	 * next. */
	if (there)
		number++;
	uint32_t base = choose_base(c, number);
	struct copied want = {.name = copied_inventory_name(number, name), .inventory = number, .base = base};
	rc = seal_inventory(c, number, base, &sealed, reterr);
	if (!rc)
		rc = copying_put_bytes(c, &want, sealed.data, sealed.size, reterr);
	c->inventory_ms = copying_now(c);
	return rc ? rc : mark_told(c, number, reterr);
}
