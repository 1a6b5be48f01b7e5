#include "agent/offhost/reach.h"

#include "agent/database/database.h"
#include "agent/database/wal.h"
#include "agent/offhost/session.h"
#include "shared/base/text.h"

static bool has_archive(const struct service_config *s)
{
	const struct component_config *c = s->components.database;
	return c && c->postgres && c->postgres->wal_archive;
}

static uint32_t state_of(const struct wal_status *w)
{
	static const uint8_t states[WAL_STATE_COUNT] = {[WAL_STATE_EMPTY] = ARCHIVE_EMPTY,
	    [WAL_STATE_OK] = ARCHIVE_OK,
	    [WAL_STATE_LATE] = ARCHIVE_LATE,
	    [WAL_STATE_GAP] = ARCHIVE_GAP};
	return states[w->state];
}

static void with_archive(struct reach *r, const struct wal_status *w, uint64_t now_ms)
{
	r->archive = state_of(w);
	r->text = w->text;
	if (w->state == WAL_STATE_OK || w->state == WAL_STATE_LATE)
		r->covered_ms = now_ms > w->rpo_ms ? now_ms - w->rpo_ms : 0;
}

static void with_copies(struct reach *r, const struct copy_status *s, const struct wal_status *w)
{
	for (size_t i = 0; i < s->services.count; i++) {
		const struct copy_point *p = &LIST_AT(s->services, struct copy_point, i);
		if (text_equal(p->service, r->service))
			r->copied_point_ms = p->taken_ms;
	}
	for (size_t i = 0; i < s->wal.count; i++) {
		const struct copy_wal *l = &LIST_AT(s->wal, struct copy_wal, i);
		if (!text_equal(l->service, r->service) || !l->last)
			continue;
		/* Nothing archived is missing there: it reaches as far as the archive does. */
		r->copied_ms = w && text_equal(l->last, w->last) ? r->covered_ms : l->newest_ms;
	}
}

enum err_code offhost_reach(const struct agent_config *c, const struct service_config *s, uint64_t now_ms,
    struct arena *arena, struct reach *ret, bool *ret_any, struct err *reterr)
{
	struct reach r = {.service = s->name, .copies = c->copies && c->copies->s3};
	struct wal_status *w = has_archive(s) ? arena_alloc(arena, sizeof *w) : NULL;
	struct copy_status copied;
	struct err why = ERR_INIT;
	char folder[PATH_LIMIT];
	if (has_archive(s) && !w)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (w && database_archive_status(c->state_directory, s, now_ms, arena, w, &why) == ERR_OK) {
		with_archive(&r, w, now_ms);
	} else if (w) {
		w = NULL;
		r.archive = ARCHIVE_EMPTY;
		r.text = arena_strdup(arena, why.msg);
	}
	if (r.copies && offhost_folder(c, folder, NULL) == ERR_OK &&
	    offhost_status_read(folder, arena, &copied, NULL) == ERR_OK)
		with_copies(&r, &copied, w);
	*ret_any = r.archive || r.copies;
	*ret = r;
	return ERR_OK;
}
