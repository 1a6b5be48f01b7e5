/* Which restore point and which timeline lead to a moment, and whether the archive goes so far. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "agent/database/postgres_recovery.h"
#include "agent/database/wal_records.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { FLUSH_POLL_MS = 10 };

struct point { /* a restore point that a recovery can begin with */
	struct id id;
	uint64_t start, stop, stopped_ms;
	uint32_t timeline;
};

struct reaching {
	struct repo *repo;
	const struct service_config *service;
	const struct database_moment *moment;
	uint64_t now_ms;
	struct arena *arena;
	struct wal_area area;
	struct wal_holding h;
	bool flushed;         /* the server has archived all that it had written by now_ms */
	struct point *points; /* newest first */
	size_t point_count;
	struct wal_ancestor *lineage; /* of the timeline, itself last, until UINT64_MAX */
	size_t lineage_count;
	uint32_t timeline;
	/* what was found */
	const struct point *base;
	uint64_t end; /* the last segment of the unbroken run from the base on */
	const char *target;
};

/* ---- restore points ---- */

static const char *version_of(const struct snapshot_summary *s, const char *name)
{
	for (size_t i = 0; i < s->versions.count; i++)
		if (text_equal(LIST_AT(s->versions, struct snapshot_version, i).name, name))
			return LIST_AT(s->versions, struct snapshot_version, i).value;
	return NULL;
}

static bool as_point(const struct reaching *r, const struct snapshot_summary *s, struct point *ret)
{
	const char *start = version_of(s, "postgres_start"), *stop = version_of(s, "postgres_stop"),
		   *at = version_of(s, "postgres_stopped_at"), *timeline = version_of(s, "postgres_timeline"),
		   *system = version_of(s, "postgres_system");
	uint64_t tli, sys;
	*ret = (struct point){.id = s->snapshot};
	if (!start || !stop || !at || !timeline || !system || s->marks.damage || !wal_lsn_parse(start, &ret->start) ||
	    !wal_lsn_parse(stop, &ret->stop) || text_parse_time(at, &ret->stopped_ms, NULL) != ERR_OK ||
	    text_u64(timeline, &tli, NULL) != ERR_OK || text_u64(system, &sys, NULL) != ERR_OK)
		return false;
	ret->timeline = (uint32_t)tli;
	return sys == r->area.system;
}

static enum err_code find_points(struct reaching *r, struct err *reterr)
{
	struct list all;
	enum err_code rc = snapshot_list(r->repo, r->service->name, r->arena, &all, NULL, reterr);
	if (rc != ERR_OK)
		return rc;
	r->points = arena_array(r->arena, all.count + 1, sizeof *r->points);
	if (!r->points)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < all.count; i++)
		r->point_count += as_point(r, &LIST_AT(all, struct snapshot_summary, i), &r->points[r->point_count]);
	return r->point_count ? ERR_OK
			      : err_set(reterr, ERR_NOT_FOUND,
				    "there is no restore point of the database of %s to begin with", r->service->name);
}

/* ---- timelines ---- */

static uint32_t choose_timeline(const struct reaching *r)
{
	struct postgres_control live;
	uint32_t chosen = 0;
	if (r->moment->timeline)
		return r->moment->timeline;
	if (r->moment->kind == MOMENT_TIME) { /* that which was written at the time */
		for (size_t i = 0; i < r->h.timeline_count; i++)
			if (r->h.timelines[i].born_ms <= r->moment->value)
				chosen = r->h.timelines[i].timeline;
		return chosen;
	}
	if (postgres_control_read(postgres_of(r->service)->data_directory, &live, NULL) == ERR_OK &&
	    live.system == r->area.system)
		return live.timeline;
	return r->h.timeline_count ? r->h.timelines[r->h.timeline_count - 1].timeline : 1;
}

static enum err_code find_lineage(struct reaching *r, struct err *reterr)
{
	struct buf text = BUF_INIT;
	struct envelope_about about;
	struct list behind = {0};
	char name[WAL_NAME_MAX];
	r->timeline = choose_timeline(r);
	if (!r->timeline)
		return err_set(reterr, ERR_NOT_FOUND, "the archive holds nothing of that time");
	text_format(name, sizeof name, "%08X.history", r->timeline);
	enum err_code rc = wal_read(&r->area, name, WAL_HISTORY_MAX, &text, &about, reterr);
	if (rc == ERR_OK)
		rc = wal_history_parse(buf_str(&text), text.size, r->arena, &behind, reterr);
	else if (rc == ERR_NOT_FOUND && r->timeline == 1)
		rc = ERR_OK; /* the first has none */
	buf_done(&text);
	if (rc == ERR_NOT_FOUND)
		return err_set(reterr, rc, "the archive does not know timeline %u", r->timeline);
	if (rc != ERR_OK)
		return rc;
	r->lineage = arena_array(r->arena, behind.count + 1, sizeof *r->lineage);
	if (!r->lineage)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (behind.count)
		memcpy(r->lineage, behind.items, behind.count * sizeof *r->lineage);
	r->lineage[behind.count] = (struct wal_ancestor){r->timeline, UINT64_MAX};
	r->lineage_count = behind.count + 1;
	return ERR_OK;
}

/* Segment number n is read from the newest timeline that had begun by then, as the server does it. */
static uint32_t timeline_at(const struct reaching *r, uint64_t n)
{
	size_t i = r->lineage_count - 1;
	while (i > 0 && r->lineage[i - 1].until / r->area.segment_bytes > n)
		i--;
	return r->lineage[i].timeline;
}

static bool leads_there(const struct reaching *r, const struct point *p)
{
	for (size_t i = 0; i < r->lineage_count; i++)
		if (r->lineage[i].timeline == p->timeline)
			return p->stop <= r->lineage[i].until;
	return false;
}

/* The last segment of the unbroken run that begins with number n. */
static uint64_t run_end(const struct reaching *r, uint64_t n)
{
	for (;;) {
		uint32_t timeline = timeline_at(r, n);
		uint64_t end = wal_run_end(&r->h, timeline, n);
		if (end < n)
			return n - 1;
		/* A newer timeline takes over within this run. */
		uint64_t next = n + 1;
		while (next <= end && timeline_at(r, next) == timeline)
			next++;
		n = next;
	}
}

/* ---- reading the log ---- */

struct reading {
	struct wal_records walk;
	uint64_t at; /* of the segment at hand */
	uint8_t page[WAL_PAGE_SIZE];
	size_t held;
	bool broken;
};

static enum err_code read_some(void *ctx, uint64_t offset, const uint8_t *data, size_t size, struct err *reterr)
{
	struct reading *x = ctx;
	(void)reterr;
	for (size_t used = 0; used + WAL_PAGE_SIZE <= size && !x->walk.over && !x->walk.segment_over && !x->broken;
	     used += WAL_PAGE_SIZE)
		x->broken = !wal_records_page(&x->walk, data + used, x->at + offset + used);
	return ERR_OK;
}

static enum err_code open_segment(const struct reaching *r, const char *name, struct reading *x, struct err *reterr)
{
	struct envelope_about about;
	return wal_visit(&r->area, name, read_some, x, &about, reterr);
}

/* Every mark of segments from .. until, in order, until visit returns false. */
static enum err_code read_log(
    const struct reaching *r, uint64_t from, uint64_t until, wal_mark_fn *visit, void *ctx, struct err *reterr)
{
	CLEANUP(cleanup_free) struct reading *x = calloc(1, sizeof *x);
	enum err_code rc = x ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
	for (uint64_t n = from; rc == ERR_OK && n <= until && !x->walk.over; n++) {
		char name[WAL_NAME_MAX];
		x->walk.mark = visit;
		x->walk.ctx = ctx;
		x->walk.segment_over = x->broken = false;
		x->at = n * r->area.segment_bytes;
		rc = open_segment(r, wal_segment_name(timeline_at(r, n), n, r->area.segment_bytes, name), x, reterr);
	}
	return rc;
}

struct seeking {
	const struct database_moment *moment;
	uint64_t least; /* LSN: marks before it do not count */
	bool found;
	uint64_t last_commit_us;
};

static bool seek(void *ctx, const struct wal_mark *m)
{
	struct seeking *s = ctx;
	if (m->lsn < s->least)
		return true;
	bool end = m->kind == WAL_MARK_COMMIT || m->kind == WAL_MARK_ABORT;
	switch (s->moment->kind) {
	case MOMENT_TIME:
		s->found = end && m->time_us > s->moment->value * 1000;
		break;
	case MOMENT_LSN:
		s->found = m->lsn >= s->moment->value;
		break;
	case MOMENT_XID:
		s->found = end && m->xid == s->moment->value;
		break;
	case MOMENT_NAME:
		s->found = m->kind == WAL_MARK_POINT && text_equal(m->name, s->moment->name);
		break;
	}
	return !s->found;
}

/* ---- the four kinds ---- */

static enum err_code unreachable(const struct reaching *r, struct err *reterr, const char *what)
{
	char first[WAL_NAME_MAX];
	uint64_t next = r->end + 1;
	uint32_t timeline = timeline_at(r, next);
	bool gap = false;
	for (size_t i = 0; i < r->h.segment_count && !gap; i++)
		gap = r->h.segments[i].number > next &&
		      timeline_at(r, r->h.segments[i].number) == r->h.segments[i].timeline;
	wal_segment_name(timeline, next, r->area.segment_bytes, first);
	return gap ? err_set(reterr, ERR_NOT_FOUND,
			 "%s lies behind a gap in the archive: segment %s is missing; nothing was stopped", what, first)
		   : err_set(reterr, ERR_NOT_FOUND,
			 "%s lies beyond the end of the archive (the next segment would be %s); nothing was stopped",
			 what, first);
}

/* Only segments that were written to at that time or later can hold what came after it. */
static enum err_code first_since(
    const struct reaching *r, uint64_t from, uint64_t ms, uint64_t *ret, bool *ret_any, struct err *reterr)
{
	uint64_t low = from, high = r->end + 1;
	enum err_code rc = ERR_OK;
	while (rc == ERR_OK && low < high) {
		char name[WAL_NAME_MAX];
		struct envelope_about about;
		uint64_t middle = low + (high - low) / 2;
		rc = wal_about(&r->area, wal_segment_name(timeline_at(r, middle), middle, r->area.segment_bytes, name),
		    &about, reterr);
		if (rc == ERR_OK && about.changed_ms >= ms)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low;
	*ret_any = low <= r->end;
	return rc;
}

static uint64_t segment_of(const struct reaching *r, uint64_t lsn)
{
	return lsn ? (lsn - 1) / r->area.segment_bytes : 0;
}

static void begin_with(struct reaching *r, const struct point *p)
{
	r->base = p;
	r->end = run_end(r, segment_of(r, p->stop));
}

static enum err_code reach_time(struct reaching *r, struct err *reterr)
{
	char text[TEXT_TIME_MAX], oldest[TEXT_TIME_MAX];
	struct seeking s = {.moment = r->moment};
	uint64_t from;
	bool any = false;
	text_time(r->moment->value, text);
	if (r->moment->value > r->now_ms)
		return err_set(reterr, ERR_NOT_FOUND, "%s is still to come", text);
	for (size_t i = 0; i < r->point_count && !r->base; i++)
		if (leads_there(r, &r->points[i]) && r->points[i].stopped_ms <= r->moment->value)
			begin_with(r, &r->points[i]);
	if (!r->base)
		return err_set(reterr, ERR_NOT_FOUND,
		    "%s lies before the end of the oldest restore point that leads there (%s); nothing was stopped",
		    text, text_time(r->points[r->point_count - 1].stopped_ms, oldest));
	enum err_code rc = first_since(r, segment_of(r, r->base->stop), r->moment->value, &from, &any, reterr);
	s.least = r->base->stop;
	if (rc == ERR_OK && any)
		rc = read_log(r, from, r->end, seek, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	/* Nothing was committed after it: all there is is what there was then, if all of that time is there. */
	bool whole = s.found || any || (r->flushed && r->end + 1 > r->h.segments[r->h.segment_count - 1].number) ||
		     r->timeline != r->h.timelines[r->h.timeline_count - 1].timeline;
	if (!whole)
		return unreachable(r, reterr, text);
	text[strlen(text) - 1] = '\0'; /* the server knows no Z behind a fraction */
	r->target = s.found ? arena_printf(r->arena,
				  "recovery_target_time = '%s+00'\nrecovery_target_inclusive = 'true'\n", text)
			    : "";
	return ERR_OK;
}

static enum err_code reach_lsn(struct reaching *r, struct err *reterr)
{
	char text[WAL_LSN_TEXT], stop[WAL_LSN_TEXT];
	struct seeking s = {.moment = r->moment};
	wal_lsn_text(r->moment->value, text);
	for (size_t i = 0; i < r->point_count && !r->base; i++)
		if (leads_there(r, &r->points[i]) && r->points[i].stop <= r->moment->value)
			begin_with(r, &r->points[i]);
	if (!r->base)
		return err_set(reterr, ERR_NOT_FOUND,
		    "%s lies before the end of the oldest restore point that leads there (%s); nothing was stopped",
		    text, wal_lsn_text(r->points[r->point_count - 1].stop, stop));
	uint64_t n = r->moment->value / r->area.segment_bytes;
	enum err_code rc = n <= r->end ? read_log(r, n, r->end, seek, &s, reterr) : ERR_OK;
	if (rc == ERR_OK && !s.found)
		return unreachable(r, reterr, text);
	r->target = arena_printf(r->arena, "recovery_target_lsn = '%s'\nrecovery_target_inclusive = 'true'\n", text);
	return rc;
}

/* Where it stands in the log only the log tells: from the newest restore point backwards. */
static enum err_code reach_mark(struct reaching *r, struct err *reterr)
{
	bool by_name = r->moment->kind == MOMENT_NAME;
	const char *what = by_name ? arena_printf(r->arena, "restore point \"%.63s\"", r->moment->name)
				   : arena_printf(r->arena, "transaction %llu", (unsigned long long)r->moment->value);
	uint64_t until = UINT64_MAX;
	struct seeking s = {.moment = r->moment};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < r->point_count && !s.found; i++) {
		if (!leads_there(r, &r->points[i]))
			continue;
		begin_with(r, &r->points[i]);
		s.least = r->base->stop;
		rc = read_log(r, segment_of(r, r->base->stop), until < r->end ? until : r->end, seek, &s, reterr);
		until = segment_of(r, r->base->stop);
	}
	if (rc != ERR_OK)
		return rc;
	if (!s.found)
		return err_set(reterr, ERR_NOT_FOUND,
		    "%s is not in the archive, from the end of the oldest restore point on, in an unbroken run on "
		    "timeline %u; nothing was stopped",
		    what ? what : "it", r->timeline);
	r->target = by_name
			? arena_printf(r->arena, "recovery_target_name = '%s'\n", r->moment->name)
			: arena_printf(r->arena, "recovery_target_xid = '%llu'\nrecovery_target_inclusive = 'true'\n",
			      (unsigned long long)r->moment->value);
	return ERR_OK;
}

/* ---- the tail that the server still holds ---- */

/* Ask it to begin a new segment, and wait until the one before has come.  A server that does not answer is as it is:
 * what is in the archive decides. */
static void flush_tail(struct reaching *r)
{
	CLEANUP(postgres_session_cleanup) struct postgres_session *s = NULL;
	struct buf answer = BUF_INIT;
	struct err why = ERR_INIT;
	struct wal_name name;
	char path[PATH_LIMIT];
	enum err_code rc = database_running(r->service) ? postgres_session_new(postgres_of(r->service), &s, &why)
							: err_set(&why, ERR_STATE, "the server does not run");
	if (rc == ERR_OK) /* the segment that holds the byte before the place where the new one begins */
		rc = postgres_ask(s, "SELECT pg_walfile_name(pg_switch_wal() - 1)", POSTGRES_ANSWER_MS, &answer, &why);
	if (rc == ERR_OK && (!wal_name_parse(buf_str(&answer), &name) ||
				!text_format(path, sizeof path, "%s/log/%s", r->area.path, buf_str(&answer))))
		rc = err_set(&why, ERR_UNSUPPORTED, "\"%.40s\" is no segment", buf_str(&answer));
	for (uint64_t until = clock_mono_ms() + DATABASE_FLUSH_MS; rc == ERR_OK && !file_exists(path);) {
		if (clock_mono_ms() >= until)
			rc = err_set(&why, ERR_TIMEOUT, "segment %s was not archived within %d s", buf_str(&answer),
			    DATABASE_FLUSH_MS / 1000);
		(void)poll(NULL, 0, FLUSH_POLL_MS);
	}
	r->flushed = rc == ERR_OK;
	if (rc != ERR_OK)
		log_warn("database", "service=%s what it wrote last may not be in the archive: %s", r->service->name,
		    why.msg);
	buf_done(&answer);
}

/* ---- the whole ---- */

static enum err_code check_moment(const struct database_moment *m, struct err *reterr)
{
	if (m->kind != MOMENT_NAME)
		return ERR_OK;
	size_t n = strlen(m->name);
	if (!n || n >= WAL_POINT_NAME_MAX || strpbrk(m->name, "'\\\n\r"))
		return err_set(reterr, ERR_INVALID,
		    "a restore point's name has 1 to %d bytes, none of them a quote or a backslash",
		    WAL_POINT_NAME_MAX - 1);
	return ERR_OK;
}

static enum err_code find(struct reaching *r, struct err *reterr)
{
	enum err_code rc = wal_list(&r->area, r->arena, &r->h, reterr);
	if (rc == ERR_OK && !r->h.segment_count)
		rc = err_set(reterr, ERR_NOT_FOUND, "nothing was archived yet");
	if (rc == ERR_OK)
		rc = find_points(r, reterr);
	if (rc == ERR_OK)
		rc = find_lineage(r, reterr);
	if (rc == ERR_OK)
		rc = r->moment->kind == MOMENT_TIME  ? reach_time(r, reterr)
		     : r->moment->kind == MOMENT_LSN ? reach_lsn(r, reterr)
						     : reach_mark(r, reterr);
	return rc == ERR_OK && !r->target ? err_set(reterr, ERR_NOMEM, "out of memory") : rc;
}

enum err_code database_reach(struct repo *repo, const char *state_directory, const struct service_config *service,
    const struct database_moment *moment, uint64_t now_ms, struct arena *arena, struct database_recovery *ret,
    struct err *reterr)
{
	struct reaching r = {.repo = repo, .service = service, .moment = moment, .now_ms = now_ms, .arena = arena};
	char id[ID_TEXT_MAX];
	struct database_recovery found;
	if (!postgres_of(service) || !postgres_of(service)->wal_archive)
		return err_set(reterr, ERR_UNSUPPORTED,
		    "%s declares no database with wal_archive: only its restore points can be reached", service->name);
	enum err_code rc = check_moment(moment, reterr);
	if (rc == ERR_OK)
		rc = wal_area_open(state_directory, service->name, &r.area, reterr);
	if (rc != ERR_OK)
		return rc;
	flush_tail(&r);
	rc = find(&r, reterr);
	wal_area_wipe(&r.area);
	if (rc != ERR_OK)
		return rc;
	found = (struct database_recovery){.base = r.base->id, .timeline = r.timeline};
	rc =
	    recovery_settings(state_directory, service->name, r.timeline, "", r.target, arena, &found.settings, reterr);
	found.text = arena_printf(
	    arena, "from restore point %s along timeline %u", id_format(ID_SNAPSHOT, r.base->id, id), r.timeline);
	if (rc == ERR_OK)
		*ret = found;
	return rc;
}
