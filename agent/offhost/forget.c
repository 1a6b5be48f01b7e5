#include <string.h>

#include "agent/offhost/place.h"
#include "shared/base/text.h"

enum {
	WORTH_LEAST = 256, /* lines that go at once, before the file is written anew for them */
	WORTH_SHARE = 8,   /* or an eighth of it, where that is more */
};
#define REMEMBER_MS ((uint64_t)OFFHOST_REMEMBER_DAYS * 24 * 3600 * 1000)

struct forgetting {
	uint32_t base;
	char base_name[COPIED_NAME_MAX];
	uint64_t now_ms;
	size_t too_many; /* of what is unneeded: so many go whatever their age */
};

/* Since when nothing speaks for remembering it. */
static uint64_t idle_since(const struct copied *c)
{
	return c->gone_since_ms > c->locked_until_ms ? c->gone_since_ms : c->locked_until_ms;
}

static bool is_over(const struct forgetting *f, const struct copied *c)
{
	return text_starts(c->name, "inventory/")
		   ? c->stored_ms && strcmp(c->name, f->base_name) < 0
		   : place_is_unneeded(c, f->base) && idle_since(c) + REMEMBER_MS <= f->now_ms;
}

static bool drop(void *ctx, const struct copied *c)
{
	struct forgetting *f = ctx;
	if (is_over(f, c))
		return true;
	bool goes = f->too_many && place_is_unneeded(c, f->base);
	f->too_many -= goes;
	return goes;
}

enum err_code place_forget(const struct offhost *o, struct ledger *l, uint64_t now_ms, struct err *reterr)
{
	struct forgetting f = {.base = place_base(l), .now_ms = now_ms};
	char path[PATH_LIMIT];
	const struct copied *c;
	size_t over = 0, unneeded = 0;
	copied_inventory_name(f.base, f.base_name);
	for (size_t at = 0; (c = ledger_next(l, &at));) {
		bool now = is_over(&f, c);
		over += now;
		unneeded += !now && place_is_unneeded(c, f.base);
	}
	f.too_many = unneeded > OFFHOST_GONE_MAX ? unneeded - OFFHOST_GONE_MAX : 0;
	if (over + f.too_many < WORTH_LEAST || (over + f.too_many) * WORTH_SHARE < ledger_count(l))
		return ERR_OK;
	if (!text_format(path, sizeof path, "%s/ledger", o->folder))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	return ledger_forget(l, path, drop, &f, reterr);
}
