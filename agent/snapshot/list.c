/* Listing, finding and marking restore points. */
#include <string.h>
#include <sys/file.h>

#include "agent/snapshot/catalogue.h"
#include "shared/base/text.h"

enum { PREFIX_LEAST = 4, SCRATCH_LIMIT = 256 << 20 };

static bool is_of_service(const struct snapshot_summary *s, const char *service)
{
	return !service || !strcmp(s->service, service);
}

/* ---- listing ---- */

struct listing {
	struct snapshot_summary *items;
	struct snapshot_damaged *damaged;
	size_t count, damaged_count;
};

static enum err_code add_damaged(
    struct listing *l, struct arena *arena, const char *file, const char *text, struct err *reterr)
{
	struct snapshot_damaged *more = arena_array(arena, l->damaged_count + 1, sizeof *more);
	if (!more || !file || !(text = arena_strdup(arena, text)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (l->damaged_count)
		memcpy(more, l->damaged, l->damaged_count * sizeof *more);
	more[l->damaged_count++] = (struct snapshot_damaged){file, text};
	l->damaged = more;
	return ERR_OK;
}

static enum err_code list_one(const struct repo *r, struct id id, const char *service, struct arena *scratch,
    struct arena *arena, struct listing *l, struct err *reterr)
{
	char name[ID_TEXT_MAX];
	struct manifest m;
	struct err why = ERR_INIT;
	arena_reset(scratch); /* page lists may be long and are not wanted here */
	enum err_code rc = manifest_read(r, id, scratch, &m, &why);
	if (rc == ERR_NOT_FOUND) /* removed in between */
		return ERR_OK;
	if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
		const char *file =
		    arena_printf(arena, "%s/snapshots/%s.manifest", r->path, id_format(ID_SNAPSHOT, id, name));
		return add_damaged(l, arena, file, why.msg, reterr);
	}
	if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	if (!is_of_service(&m.summary, service))
		return ERR_OK;
	return record_copy(&snapshot_summary_type, &m.summary, arena, &l->items[l->count++], reterr);
}

/* What somebody took away is named beside what cannot be read. */
static enum err_code list_missing(const struct repo *r, struct arena *arena, struct listing *l, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *missing = NULL;
	size_t count = 0;
	char name[ID_TEXT_MAX];
	struct err why = ERR_INIT;
	enum err_code rc = catalogue_missing(r, &missing, &count, &why);
	if (rc == ERR_NOT_FOUND)
		return ERR_OK; /* a finding of `repo check` */
	if (rc == ERR_CORRUPT)
		return add_damaged(
		    l, arena, arena_printf(arena, "%s/snapshots/%s", r->path, CATALOGUE_NAME), why.msg, reterr);
	if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	for (size_t i = 0; i < count && !rc; i++)
		rc = add_damaged(l, arena,
		    arena_printf(arena, "%s/snapshots/%s.manifest", r->path, id_format(ID_SNAPSHOT, missing[i], name)),
		    "it is missing: it was taken away from there", reterr);
	return rc;
}

enum err_code snapshot_list(struct repo *r, const char *service, struct arena *arena, struct list *ret,
    struct list *ret_damaged, struct err *reterr)
{
	CLEANUP(cleanup_free) struct id *ids = NULL;
	CLEANUP(arena_cleanup) struct arena *scratch = arena_new(SCRATCH_LIMIT);
	size_t count = 0;
	if (!scratch)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = manifest_ids(r, &ids, &count, reterr);
	if (rc)
		return rc;
	struct listing l = {arena_array(arena, count + 1, sizeof *l.items), NULL, 0, 0};
	if (!l.items)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < count && !rc; i++)
		rc = list_one(r, ids[i], service, scratch, arena, &l, reterr);
	if (!rc)
		rc = list_missing(r, arena, &l, reterr);
	if (rc)
		return rc;
	*ret = (struct list){l.items, l.count};
	if (ret_damaged)
		*ret_damaged = (struct list){l.damaged, l.damaged_count};
	return ERR_OK;
}

enum err_code snapshot_get(
    struct repo *r, struct id id, struct arena *arena, struct snapshot_summary *ret, struct err *reterr)
{
	struct manifest m;
	CLEANUP(arena_cleanup) struct arena *scratch = arena_new(SCRATCH_LIMIT);
	if (!scratch)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = manifest_read(r, id, scratch, &m, reterr);
	return rc ? rc : record_copy(&snapshot_summary_type, &m.summary, arena, ret, reterr);
}

/* ---- finding ---- */

enum selector_kind { BY_ID, BY_PREFIX, BY_TIME, LAST, LAST_GOOD };
struct selector {
	enum selector_kind kind;
	struct id id;
	uint64_t time_ms;
	const char *text;
};

static enum err_code parse_selector(const char *text, struct selector *ret, struct err *reterr)
{
	struct selector s = {.text = text};
	char prefix[16];
	(void)text_format(prefix, sizeof prefix, "%s-", id_kind_prefix(ID_SNAPSHOT));
	if (text_equal(text, "last"))
		s.kind = LAST;
	else if (text_equal(text, "last-good"))
		s.kind = LAST_GOOD;
	else if (!id_parse(ID_SNAPSHOT, text, &s.id, NULL))
		s.kind = BY_ID;
	else if (text_starts(text, prefix) && strlen(text) >= strlen(prefix) + PREFIX_LEAST)
		s.kind = BY_PREFIX;
	else if (!text_parse_time(text, &s.time_ms, NULL))
		s.kind = BY_TIME;
	else
		return err_set(reterr, ERR_INVALID,
		    "\"%s\" names no restore point: give an id or its beginning (%s and at least %d characters), last, "
		    "last-good or a time such as 2026-11-23T04:00:00Z",
		    text, prefix, PREFIX_LEAST);
	*ret = s;
	return ERR_OK;
}

static bool matches(const struct selector *s, const struct snapshot_summary *x)
{
	char name[ID_TEXT_MAX];
	switch (s->kind) {
	case BY_ID:
		return id_equal(s->id, x->snapshot);
	case BY_PREFIX:
		return text_starts(id_format(ID_SNAPSHOT, x->snapshot, name), s->text);
	case BY_TIME:
		return x->taken_ms <= s->time_ms;
	case LAST_GOOD:
		return snapshot_is_good(x);
	case LAST: /* what a safety net or an emergency caught is the broken state: it is there by its id only */
		return x->reason != SNAPSHOT_SAFETY && x->reason != SNAPSHOT_EMERGENCY;
	}
	return false;
}

static enum err_code none_found(
    const char *service, const struct selector *s, size_t count, const struct list *damaged, struct err *reterr)
{
	const char *why = s->kind == LAST_GOOD ? "none of them ran healthy, was verified and is free of suspicion"
					       : "see `kedge-agent snapshot list`";
	return err_set(reterr, ERR_NOT_FOUND,
	    "no restore point \"%s\"%s%s: there are %zu, and %zu that cannot be read; %s", s->text,
	    service ? " of " : "", service ? service : "", count, damaged->count, why);
}

enum err_code snapshot_find(struct repo *r, const char *service, const char *selector, struct arena *arena,
    struct snapshot_summary *ret, struct err *reterr)
{
	struct selector s;
	struct list all, damaged;
	const struct snapshot_summary *found = NULL;
	struct snapshot_summary one;
	enum err_code rc = parse_selector(selector, &s, reterr);
	/* A whole id needs no look at all the others. */
	if (!rc && s.kind == BY_ID && !snapshot_get(r, s.id, arena, &one, NULL) && is_of_service(&one, service)) {
		*ret = one;
		return ERR_OK;
	}
	if (!rc)
		rc = snapshot_list(r, service, arena, &all, &damaged, reterr);
	for (size_t i = 0; !rc && i < all.count; i++) {
		const struct snapshot_summary *x = &LIST_AT(all, struct snapshot_summary, i);
		if (!matches(&s, x))
			continue;
		if (found && s.kind == BY_PREFIX)
			return err_set(
			    reterr, ERR_INVALID, "several restore points begin with %s: give more of the id", selector);
		if (!found)
			found = x; /* newest first */
		if (s.kind != BY_PREFIX)
			break;
	}
	if (rc)
		return rc;
	if (!found)
		return none_found(service, &s, all.count, &damaged, reterr);
	*ret = *found;
	return ERR_OK;
}

/* ---- marks ---- */

enum err_code snapshot_mark(struct repo *r, struct id id, snapshot_marks_fn *change, void *ctx, struct err *reterr)
{
	struct snapshot_marks marks;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	/* Other processes mark too: a hold must not be lost to a verification that ends in the same moment. */
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = repo_lock_folder(r->snapshots_fd, LOCK_EX, &lock, reterr);
	if (!rc)
		rc = manifest_exists(r, id, reterr);
	if (!rc)
		rc = marks_read(r, id, arena, &marks, reterr);
	if (rc)
		return rc;
	change(ctx, &marks);
	return marks_write(r, id, &marks, reterr);
}
