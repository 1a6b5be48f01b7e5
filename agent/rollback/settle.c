/* agent/rollback/settle.c: what exchanges have put aside becomes the restore points that were promised, and the way
 * back.
 *
 * Order: the restore point durable; then the record says that the tree beside is that of this restore point.
 * Interrupted in between, the next one finds the restore point there and goes on. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/rollback/journal.h"
#include "agent/rollback/prepared_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

struct settling {
	struct repo *repo;
	const char *state_directory;
	const struct service_config *service;
	uint64_t now_ms;
	struct arena *arena;
	struct snapshot_summary *saved;
	size_t saved_count;
};

/* One exchange: all records that one rollback used. */
struct aside {
	struct prepared *items[COMPONENT_COUNT];
	size_t count;
	uint32_t components;
	struct id id, carry; /* promised; what was saved before, of what was not exchanged */
	bool in_use;         /* its rollback has not ended */
};

static bool is_unsaved(const struct prepared *p)
{
	return prepared_state_of(p, 0) == PREPARED_UNSAVED;
}

static void add(struct aside *a, struct prepared *p)
{
	if (a->components & 1u << p->component || a->count == COMPONENT_COUNT)
		return;
	a->components |= 1u << p->component;
	a->items[a->count++] = p;
}

/* first, and what was exchanged together with it.  Under the rollback's lock. */
static void gather(const struct settling *s, const struct list *all, struct prepared *first, struct aside *ret)
{
	struct journal j;
	char folder[PATH_LIMIT];
	*ret = (struct aside){0};
	add(ret, first);
	if (!text_format(folder, sizeof folder, "%s/rollback", s->state_directory) ||
	    rollback_journal_of_prepared(folder, first->id, first->snapshot, s->arena, &j, NULL) != ERR_OK)
		return; /* its journal is gone: it is saved under a name of its own */
	ret->in_use = j.phase != JOURNAL_ENDED;
	ret->id = j.aside;
	ret->carry = j.safety;
	for (size_t i = 0; i < all->count; i++)
		for (size_t k = 0; k < j.prepared.count; k++) {
			struct prepared *p = &LIST_AT(*all, struct prepared, i);
			if (id_equal(LIST_AT(j.prepared, struct id, k), p->id) && is_unsaved(p))
				add(ret, p);
		}
}

/* Where its roots are read: those that were exchanged, beside. */
static enum err_code list_asides(
    const struct settling *s, const struct aside *a, struct snapshot_aside **ret, size_t *count, struct err *reterr)
{
	size_t total = 1;
	for (size_t i = 0; i < a->count; i++)
		total += a->items[i]->roots.count;
	struct snapshot_aside *all = arena_array(s->arena, total, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*count = 0;
	for (size_t i = 0; i < a->count; i++)
		for (size_t k = 0; k < a->items[i]->roots.count; k++) {
			const struct prepared_root *r = &LIST_AT(a->items[i]->roots, struct prepared_root, k);
			if (!prepared_root_is_out(r))
				continue;
			all[*count] =
			    (struct snapshot_aside){r->path, arena_printf(s->arena, "%s/" PREPARED_TREE, r->folder)};
			if (!all[(*count)++].from)
				return err_set(reterr, ERR_NOMEM, "out of memory");
		}
	*ret = all;
	return ERR_OK;
}

static enum err_code take(struct settling *s, const struct aside *a, struct snapshot *like, struct snapshot *carry,
    struct snapshot_summary *ret, struct err *reterr)
{
	struct snapshot_aside *asides;
	size_t count;
	enum err_code rc = list_asides(s, a, &asides, &count, reterr);
	if (rc != ERR_OK)
		return rc;
	struct snapshot_options o = {.components = a->components,
	    .reason = SNAPSHOT_SAFETY,
	    .suspect = true,
	    .now_ms = s->now_ms,
	    .like = like,
	    .carry = carry,
	    .id = a->id,
	    .asides = asides,
	    .aside_count = count};
	return snapshot_create(s->repo, s->service, &o, s->arena, ret, reterr);
}

static enum err_code save(struct settling *s, const struct aside *a, struct snapshot_summary *ret, struct err *reterr)
{
	struct snapshot *like = NULL, *carry = NULL;
	if (!id_is_zero(a->id) && snapshot_get(s->repo, a->id, s->arena, ret, NULL) == ERR_OK)
		return ERR_OK; /* an interrupted one came as far as this */
	enum err_code rc = snapshot_open_about(s->repo, a->items[0]->snapshot, &like, reterr);
	if (rc == ERR_NOT_FOUND) /* it was pruned meanwhile: what is declared now must do */
		rc = ERR_OK;
	if (rc == ERR_OK && !id_is_zero(a->carry))
		rc = snapshot_open_about(s->repo, a->carry, &carry, reterr);
	if (rc == ERR_OK)
		rc = take(s, a, like, carry, ret, reterr);
	if (rc == ERR_OK)
		s->saved[s->saved_count++] = *ret;
	snapshot_close(carry);
	snapshot_close(like);
	return rc;
}

/* The tree beside is that of the new restore point now.  Not where only some of its roots were exchanged: then there is
 * no whole one. */
static enum err_code turn(
    const struct settling *s, struct prepared *p, const struct snapshot *saved, struct err *reterr)
{
	const struct snapshot_component *c =
	    snapshot_summary_component(snapshot_about(saved), (enum component)p->component);
	char tree[2 * PATH_LIMIT];
	struct stat st;
	p->complete = c && c->roots.count == p->roots.count;
	for (size_t i = 0; i < p->roots.count; i++) {
		struct prepared_root *r = &LIST_AT(p->roots, struct prepared_root, i);
		p->complete = p->complete && prepared_root_is_out(r) &&
			      text_format(tree, sizeof tree, "%s/" PREPARED_TREE, r->folder) && lstat(tree, &st) == 0;
		if (p->complete)
			r->inode = st.st_ino;
	}
	p->undo = true;
	p->snapshot = snapshot_about(saved)->snapshot;
	p->prepared_ms = s->now_ms;
	p->expires_ms = s->now_ms + PREPARED_UNDO_KEEP_MS;
	if (p->complete) {
		p->digest = c->digest;
		p->entries = c->entries;
		p->size_bytes = c->size_bytes;
		enum err_code rc = prepared_seal(s->state_directory, p, saved, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return prepared_write(s->state_directory, p, reterr);
}

static enum err_code rollback_lock(const struct settling *s, int *ret, struct err *reterr)
{
	return prepared_lock(
	    s->state_directory, s->service->name, PREPARED_LOCK_ROLLBACK, PREPARED_WAIT_MS, ret, reterr);
}

static enum err_code turn_all(
    const struct settling *s, const struct aside *a, const struct snapshot_summary *about, struct err *reterr)
{
	struct snapshot *saved = NULL;
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = snapshot_open(s->repo, about->snapshot, &saved, reterr);
	if (rc == ERR_OK)
		rc = rollback_lock(s, &lock, reterr);
	for (size_t i = 0; rc == ERR_OK && i < a->count; i++)
		rc = turn(s, a->items[i], saved, reterr);
	snapshot_close(saved);
	return rc;
}

/* *ret: what is to be saved next; count 0: nothing. */
static enum err_code next(
    const struct settling *s, const struct list *all, size_t *at, struct aside *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = rollback_lock(s, &lock, reterr);
	ret->count = 0;
	for (; rc == ERR_OK && *at < all->count && !ret->count; ++*at) {
		if (is_unsaved(&LIST_AT(*all, struct prepared, *at)))
			gather(s, all, &LIST_AT(*all, struct prepared, *at), ret);
		if (ret->in_use)
			ret->count = 0; /* recovering decides what becomes of it */
	}
	return rc;
}

static enum err_code settle(struct settling *s, struct list *ret, struct err *reterr)
{
	struct list all = {0};
	struct aside a = {0};
	struct snapshot_summary about;
	size_t at = 0;
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc =
	    prepared_lock(s->state_directory, s->service->name, PREPARED_LOCK_STAGING, PREPARED_WAIT_MS, &lock, reterr);
	if (rc == ERR_OK)
		rc = prepared_list(s->state_directory, s->service->name, s->arena, &all, reterr);
	s->saved = rc == ERR_OK ? arena_array(s->arena, all.count + 1, sizeof *s->saved) : NULL;
	if (rc == ERR_OK && !s->saved)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code first = ERR_OK; /* one that cannot be saved keeps no other from it */
	while (rc == ERR_OK && (rc = next(s, &all, &at, &a, reterr)) == ERR_OK && a.count) {
		enum err_code done = save(s, &a, &about, reterr);
		if (done == ERR_OK)
			done = turn_all(s, &a, &about, reterr);
		first = first == ERR_OK ? done : first;
	}
	rc = rc == ERR_OK ? first : rc;
	*ret = (struct list){s->saved, s->saved_count};
	return rc;
}

enum err_code rollback_settle(struct repo *repo, const char *state_directory, const struct service_config *service,
    uint64_t now_ms, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct settling s = {repo, state_directory, service, now_ms, arena, NULL, 0};
	*ret = (struct list){0};
	return rollback_is_unsettled(state_directory, service->name) ? settle(&s, ret, reterr) : ERR_OK;
}
