#include "agent/offhost/status.h"

#include <stdlib.h>
#include <string.h>

#include "agent/offhost/archives.h"
#include "agent/offhost/place.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { STATUS_MAX = 256 << 10, STATUS_ARENA = 64 << 20 };

static enum err_code path_of(const char *folder, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/status.json", folder)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
}

enum err_code offhost_status_read(const char *folder, struct arena *arena, struct copy_status *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = {.limit = STATUS_MAX};
	char path[PATH_LIMIT];
	enum err_code rc = path_of(folder, path, reterr);
	if (!rc)
		rc = file_read(path, STATUS_MAX, &text, reterr);
	if (rc == ERR_NOT_FOUND) {
		*ret = (struct copy_status){.points = 0};
		return ERR_OK;
	}
	return rc ? rc
		  : err_prefix(reterr,
			record_from_json(&copy_status_type, buf_str(&text), text.size, 0, arena, ret, reterr), "%s",
			path);
}

static void write_status(const struct offhost *o, const struct copy_status *s)
{
	CLEANUP(buf_done) struct buf text = {.limit = STATUS_MAX};
	char path[PATH_LIMIT];
	struct err err = ERR_INIT;
	enum err_code rc = path_of(o->folder, path, &err);
	if (!rc)
		rc = record_to_json(&copy_status_type, s, RECORD_PRETTY, &text, &err);
	if (!rc)
		rc = file_replace(path, text.data, text.size, 0600, &err);
	if (rc)
		log_warn("offhost", "the status of the copies cannot be kept: %s", err.msg);
}

/* As it was, or fresh where it cannot be read: nothing in it is worth failing for. */
static struct copy_status read_status(const struct offhost *o, struct arena *arena)
{
	struct copy_status s = {.points = 0};
	struct err err = ERR_INIT;
	if (offhost_status_read(o->folder, arena, &s, &err) != ERR_OK)
		log_warn("offhost", "the status of the copies was damaged and begins anew: %s", err.msg);
	s.destination = o->destination;
	return s;
}

static void count_objects(const struct ledger *l, struct copy_status *s)
{
	const struct copied *e;
	s->objects = s->size_bytes = s->unneeded_objects = s->unneeded_bytes = s->locked_until_ms = 0;
	s->recoverable = place_newest(l, copied_keys_name, OFFHOST_KEYS_MAX) > 0;
	s->generation = ledger_about(l)->generation;
	for (size_t at = 0; (e = ledger_next(l, &at));) {
		if (!e->stored_ms || e->content.size)
			continue;
		*(e->gone ? &s->unneeded_objects : &s->objects) += 1;
		*(e->gone ? &s->unneeded_bytes : &s->size_bytes) += e->size_bytes;
		if (!e->gone && !text_starts(e->name, "inventory/") && e->locked_until_ms &&
		    (!s->locked_until_ms || e->locked_until_ms < s->locked_until_ms))
			s->locked_until_ms = e->locked_until_ms;
	}
}

/* A restore point is off the host once an inventory names it. */
static void count_points(const struct ledger *l, const struct id *ids, size_t count, struct copy_status *s)
{
	char name[COPIED_NAME_MAX];
	s->points = s->pending = 0;
	s->newest = (struct id){{0}};
	for (size_t i = 0; i < count; i++) { /* newest first */
		const struct copied *e = l ? ledger_find(l, copied_manifest_name(ids[i], name)) : NULL;
		bool there = e && e->stored_ms && e->inventory;
		*(there ? &s->points : &s->pending) += 1;
		if (there && id_is_zero(s->newest))
			s->newest = ids[i];
	}
}

struct logs {
	const struct ledger *l;
	struct arena *arena;
	struct copy_wal all[OFFHOST_ARCHIVES_MAX];
	size_t count;
};

/* Files come in the order of the log.  *w->last stays where the first one is missing that is not off the host. */
static enum err_code count_file(void *ctx, const struct archive *a, const char *file, struct err *reterr)
{
	struct logs *g = ctx;
	struct copy_wal *w = &g->all[g->count];
	char name[COPIED_NAME_MAX];
	struct wal_name n;
	(void)reterr;
	if (!wal_name_parse(file, &n) || n.kind != WAL_SEGMENT)
		return ERR_OK;
	const struct copied *e = g->l ? ledger_find(g->l, copied_wal_name(a->service, file, name)) : NULL;
	bool there = e && e->stored_ms && e->inventory;
	*(there ? &w->segments : &w->pending) += 1;
	if (there && !w->pending)
		w->last = arena_strdup(g->arena, file);
	return ERR_OK;
}

static enum err_code count_log(void *ctx, const struct archive *a, struct err *reterr)
{
	struct logs *g = ctx;
	struct envelope_about about;
	if (g->count == OFFHOST_ARCHIVES_MAX)
		return ERR_OK;
	struct copy_wal *w = &g->all[g->count];
	*w = (struct copy_wal){.service = arena_strdup(g->arena, a->service)};
	enum err_code rc = archives_files(a, count_file, g, reterr);
	if (rc || !w->service)
		return rc;
	if (w->last && wal_about(a->area, w->last, &about, NULL) == ERR_OK)
		w->newest_ms = about.changed_ms;
	g->count++;
	return ERR_OK;
}

static void count_logs(const struct offhost *o, const struct ledger *l, struct copy_status *s, struct arena *arena)
{
	struct logs *g = arena_alloc(arena, sizeof *g);
	if (!g)
		return;
	*g = (struct logs){.l = l, .arena = arena};
	if (archives_each(o->wal_folder, count_log, g, NULL) == ERR_OK)
		s->wal = (struct list){g->all, g->count};
}

static struct copy_point *point_of(struct copy_point *all, size_t *count, const char *service)
{
	for (size_t i = 0; i < *count; i++)
		if (text_equal(all[i].service, service))
			return &all[i];
	if (*count == OFFHOST_SERVICES_MAX)
		return NULL;
	all[*count] = (struct copy_point){.service = service};
	return &all[(*count)++];
}

static void count_services(struct repo *r, const struct ledger *l, struct copy_status *s, struct arena *arena)
{
	struct copy_point *all = arena_array(arena, OFFHOST_SERVICES_MAX, sizeof *all);
	struct list points;
	size_t count = 0;
	char name[COPIED_NAME_MAX];
	s->services = (struct list){NULL, 0};
	if (!all || !l || snapshot_list(r, NULL, arena, &points, NULL, NULL) != ERR_OK)
		return;
	for (size_t i = 0; i < points.count; i++) {
		const struct snapshot_summary *p = &LIST_AT(points, struct snapshot_summary, i);
		const struct copied *e = ledger_find(l, copied_manifest_name(p->snapshot, name));
		struct copy_point *to = e && e->stored_ms && e->inventory && p->reason != SNAPSHOT_SAFETY
					    ? point_of(all, &count, p->service)
					    : NULL;
		if (to && p->taken_ms > to->taken_ms)
			to->taken_ms = p->taken_ms;
	}
	s->services = (struct list){all, count};
}

static void find_newest_time(struct repo *r, struct copy_status *s, struct arena *arena)
{
	struct snapshot_summary about;
	s->newest_taken_ms = 0;
	if (!id_is_zero(s->newest) && snapshot_get(r, s->newest, arena, &about, NULL) == ERR_OK)
		s->newest_taken_ms = about.taken_ms;
}

void status_after_copy(const struct offhost *o, struct repo *r, const struct ledger *l, uint64_t began_ms,
    enum err_code rc, const struct err *err, const struct copy_result *result)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(STATUS_ARENA);
	CLEANUP(ledger_cleanup) struct ledger *known = NULL;
	CLEANUP(cleanup_free) struct id *ids = NULL;
	size_t count = 0;
	if (!arena || manifest_ids(r, &ids, &count, NULL) != ERR_OK)
		return;
	struct copy_status s = read_status(o, arena);
	if (!l && place_known(o, repo_keys(r), &known, NULL) == ERR_OK)
		l = known;
	s.began_ms = began_ms;
	s.ended_ms = o->now_ms(o->ctx);
	if (!rc)
		s.done_ms = s.ended_ms;
	if (rc != ERR_CANCELLED) { /* somebody who stops it is no failure */
		s.error = rc ? err->msg : NULL;
		s.failing_since_ms = !rc ? 0 : s.failing_since_ms ? s.failing_since_ms : began_ms;
	}
	if (!rc)
		s.damaged = result->findings;
	s.lock_error = result->locks_failed ? result->lock_error : NULL;
	store_bytes_digest(keys_public(repo_keys(r)), KEY_SIZE, &s.signer);
	if (l)
		count_objects(l, &s);
	count_points(l, ids, count, &s);
	find_newest_time(r, &s, arena);
	count_logs(o, l, &s, arena);
	count_services(r, l, &s, arena);
	write_status(o, &s);
}

void status_after_verify(
    const struct offhost *o, enum err_code rc, const struct err *err, const struct copy_proof *proof)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 20);
	if (!arena)
		return;
	struct copy_status s = read_status(o, arena);
	if (!rc) {
		s.verified_ms = o->now_ms(o->ctx);
		s.verified_objects = proof->objects;
	}
	s.verify_error = rc ? err->msg : NULL;
	write_status(o, &s);
}

enum err_code offhost_unneeded(const struct offhost *o, struct repo *r,
    bool (*visit)(void *ctx, const char *name, uint64_t size_bytes), void *ctx, struct err *reterr)
{
	CLEANUP(ledger_cleanup) struct ledger *l = NULL;
	const struct copied *e;
	char name[BUCKET_NAME_MAX];
	enum err_code rc = place_known(o, repo_keys(r), &l, reterr);
	uint32_t base = rc ? 0 : place_base(l);
	for (size_t at = 0; !rc && (e = ledger_next(l, &at));)
		if (place_is_unneeded(e, base) && !e->content.size &&
		    text_format(
			name, sizeof name, "%s%s/%03u/%s", o->prefix, o->host, ledger_about(l)->generation, e->name) &&
		    !visit(ctx, name, e->size_bytes))
			break;
	return rc;
}
