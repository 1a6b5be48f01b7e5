/* agent/worker/drift.c: what differs from the newest restore point that nothing speaks against. */
#include <assert.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/database/outline.h"
#include "agent/io/process.h"
#include "agent/worker/internal.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	PROVEN_MS = 60 * 1000,    /* a state that is this old, and its service still well, counts as healthy */
	CHECK_MS = 2000,          /* evidence that comes later comes too late */
	GROWN_FILES_MAX = 200000, /* looked at for the size of a database */
	GROWN_SHARE = 4, /* a database that took less than a quarter of its file system since is one that is used */
};

struct drifting {
	struct work *w;
	struct drift_report *now;
	char **paths[COMPONENT_COUNT];
	size_t count[COMPONENT_COUNT];
};

static bool on_difference(void *ctx, const struct snapshot_change *d)
{
	struct drifting *x = ctx;
	char shown[PATH_LIMIT];
	if (x->count[d->component] < REPORT_PATHS_MAX && d->path[0])
		x->paths[d->component][x->count[d->component]++] =
		    arena_strdup(x->w->arena, snapshot_path_text(d->path, shown, sizeof shown));
	return true;
}

bool work_is_reference(const struct snapshot_summary *s)
{
	return !s->suspect && !s->marks.suspect && (s->reason == SNAPSHOT_SCHEDULED || s->reason == SNAPSHOT_MANUAL);
}

static uint64_t grown(const struct snapshot_component *then, const struct diff_component *now)
{
	return then && now->size_bytes > then->size_bytes ? now->size_bytes - then->size_bytes : 0;
}

/* What fails is asked whether it would take its configuration: the step that a rollback asks, too.  That need not be
 * another one: what it names, as a certificate, may lie outside. */
static void ask_check(struct work *w, const struct service_config *service, struct drift_report *body)
{
	const char *argv[PROCESS_ARGV_MAX];
	const struct list *step = &service->steps.check;
	struct err err = ERR_INIT;
	if (!(w->spec->suspect || w->spec->asked) || !step->count || step->count >= PROCESS_ARGV_MAX)
		return;
	for (size_t i = 0; i < step->count; i++)
		argv[i] = LIST_AT(*step, const char *, i);
	argv[step->count] = NULL;
	struct process_spec spec = {.argv = argv, .timeout_ms = CHECK_MS, .merge_errors = true};
	enum err_code rc = process_run_long(&spec, w->out->cancel, NULL, NULL, &err);
	body->checked = rc == ERR_OK || rc == ERR_IO; /* it ran to its end */
	if (rc == ERR_OK || !body->checked)
		return;
	body->refused = arena_strdup(w->arena, err.msg);
	const char *said = text_starts(err.msg, argv[0]) ? err.msg + strlen(argv[0]) : err.msg;
	body->refused_elsewhere = work_refusal_lies_elsewhere(said, service->components.config, body->newest_change_ms);
}

static void tell_drift(struct work *w, const struct service_config *service, const struct snapshot *reference,
    const struct drifting *x, const struct diff_result *d)
{
	const struct snapshot_summary *about = snapshot_about(reference);
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct diff_component *c = &d->component[i];
		if (!c->compared)
			continue;
		/* Seen from the restore point: what is only there was removed since, what is only here was added. */
		struct drift_report body = {.service = about->service,
		    .component = i,
		    .snapshot = about->snapshot,
		    .changed = c->content + c->metadata,
		    .metadata = c->metadata,
		    .grown_bytes = grown(snapshot_summary_component(about, (enum component)i), c),
		    .added = c->added,
		    .removed = c->removed,
		    .newest_change_ms = c->newest_change_ms,
		    .digest = c->digest,
		    .paths = {x->paths[i], x->count[i]},
		    .version_before = c->version_before[0] ? c->version_before : NULL,
		    .version_now = c->version_now[0] ? c->version_now : NULL};
		if (i == COMPONENT_CONFIG)
			ask_check(w, service, &body);
		struct report r = {.drift = &body};
		work_tell(w, IMPORTANCE_EVENT, &r);
	}
}

static bool is_other(const struct diff_component *c)
{
	return c->compared && (c->added || c->removed || c->content || c->metadata);
}

static bool has_drift(const struct diff_result *d)
{
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (is_other(&d->component[i]))
			return true;
	return false;
}

static void set_healthy(void *ctx, struct snapshot_marks *marks)
{
	if (!marks->healthy_since_ms)
		marks->healthy_since_ms = *(const uint64_t *)ctx;
}

/* The service is well, and is exactly what was taken a while ago: that state has proven itself. */
static void note_health(struct work *w, const struct snapshot_summary *s, const struct diff_result *d)
{
	struct err err = ERR_INIT;
	uint64_t now_ms = clock_wall_ms();
	if (w->spec->suspect || s->marks.healthy_since_ms || s->taken_ms + PROVEN_MS > now_ms || has_drift(d))
		return;
	if (snapshot_mark(w->repo, s->snapshot, set_healthy, &now_ms, &err) != ERR_OK)
		log_warn("snapshot", "service=%s %s cannot be marked: %s", s->service,
		    id_text(ID_SNAPSHOT, s->snapshot), err.msg);
}

/* Of a table that is gone with its session: tBBB_FFF, B the session's number, F the file's (PostgreSQL's manual,
 * database file layout). */
static bool is_of_session(const char *name)
{
	const char *file = name[0] == 't' ? strchr(name, '_') : NULL;
	return file && strspn(name + 1, "0123456789") == (size_t)(file - name - 1) && file[1] >= '0' && file[1] <= '9';
}

uint64_t work_size_of_database(const char *folder)
{
	char *const roots[] = {(char *)(uintptr_t)folder, NULL};
	uint64_t size = 0;
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	for (unsigned n = 0; walk && n < GROWN_FILES_MAX; n++) {
		FTSENT *e = fts_read(walk);
		if (!e)
			break;
		if (e->fts_info == FTS_D && text_equal(e->fts_name, "pgsql_tmp"))
			(void)fts_set(walk, e, FTS_SKIP);
		if (e->fts_info == FTS_F && !is_of_session(e->fts_name))
			size += (uint64_t)e->fts_statp->st_blocks * 512;
	}
	if (walk)
		(void)fts_close(walk);
	return size;
}

/* By how much a database is larger than its restore point, where that is much of the room that there is. */
static uint64_t database_grown(const struct service_config *service, const struct snapshot_component *then)
{
	const struct component_config *c = service->components.database;
	const char *folder = c && c->postgres ? c->postgres->data_directory : NULL;
	struct statvfs room;
	if (!folder || !then || statvfs(folder, &room) != 0)
		return 0;
	uint64_t size = work_size_of_database(folder), all = (uint64_t)room.f_blocks * room.f_frsize;
	uint64_t more = size > then->size_bytes ? size - then->size_bytes : 0;
	return more >= all / GROWN_SHARE ? more : 0;
}

/* A database is not walked: its outline is compared. */
static void tell_outline(struct work *w, const struct service_config *service, const struct snapshot_summary *about)
{
	struct id reference = about->snapshot;
	struct outline_difference d;
	struct err err = ERR_INIT;
	char shown[PATH_LIMIT];
	bool suspect = w->spec->suspect || w->spec->asked;
	enum err_code rc =
	    outline_differs(w->c->state_directory, service, reference, suspect, clock_wall_ms(), w->arena, &d, &err);
	if (rc != ERR_OK) {
		if (rc != ERR_UNSUPPORTED && rc != ERR_NOT_FOUND)
			log_warn("drift", "service=%s its database cannot be compared: %s", service->name, err.msg);
		return;
	}
	for (size_t i = 0; i < d.example_count; i++)
		d.examples[i] =
		    arena_strdup(w->arena, snapshot_path_text(strchrnul(d.examples[i], '/') + 1, shown, sizeof shown));
	struct drift_report body = {.service = service->name,
	    .component = COMPONENT_DATABASE,
	    .snapshot = reference,
	    .changed = d.changed,
	    .metadata = d.metadata,
	    .added = d.added,
	    .removed = d.removed,
	    .grown_bytes = suspect ? database_grown(service, snapshot_summary_component(about, COMPONENT_DATABASE)) : 0,
	    .newest_change_ms = d.newest_ms,
	    .paths = {d.examples, d.example_count}};
	static_assert(sizeof body.digest >= sizeof d.digest, "room for the digest");
	memcpy(&body.digest, d.digest, sizeof d.digest);
	struct report r = {.drift = &body};
	work_tell(w, IMPORTANCE_EVENT, &r);
}

static enum err_code compare_with(struct work *w, const struct service_config *service, struct snapshot *reference,
    struct drifting *x, struct diff_result *d, struct err *reterr)
{
	struct diff_options o = {.cancel = w->out->cancel};
	*x = (struct drifting){.w = w};
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (!(x->paths[i] = arena_array(w->arena, REPORT_PATHS_MAX, sizeof *x->paths[i])))
			return err_set(reterr, ERR_NOMEM, "out of memory");
	return snapshot_diff_live(reference, service, &o, on_difference, x, d, reterr);
}

/* Its newest restore point that nothing speaks against (NULL: has none), and how it differs from that now. */
static enum err_code compare(struct work *w, const struct service_config *service, struct snapshot **ret,
    struct drifting *x, struct diff_result *d, struct err *reterr)
{
	struct list all;
	enum err_code rc = snapshot_list(w->repo, service->name, w->arena, &all, NULL, reterr);
	*ret = NULL;
	for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, i);
		if (!work_is_reference(s))
			continue;
		if ((rc = snapshot_open(w->repo, s->snapshot, ret, reterr)) == ERR_OK)
			rc = compare_with(w, service, *ret, x, d, reterr);
		bool same = rc == ERR_OK && !is_other(&d->component[COMPONENT_CONFIG]) &&
			    !is_other(&d->component[COMPONENT_CODE]);
		if (!same || !w->spec->failed_ms || !work_doubt(w, &all))
			return rc;
		snapshot_close(*ret);
		*ret = NULL;
	}
	return rc;
}

static void drift_of(struct work *w, const struct service_config *service)
{
	struct snapshot *reference;
	struct drifting x;
	struct diff_result d;
	struct err err = ERR_INIT;
	enum err_code rc = compare(w, service, &reference, &x, &d, &err);
	if (rc == ERR_OK && reference) {
		tell_drift(w, service, reference, &x, &d);
		note_health(w, snapshot_about(reference), &d);
		tell_outline(w, service, snapshot_about(reference));
	}
	snapshot_close(reference);
	if (rc != ERR_OK && rc != ERR_CANCELLED)
		log_warn("drift", "service=%s cannot be compared: %s", service->name, err.msg);
}

void work_drift(struct work *w)
{
	for (size_t i = 0; i < w->c->services.count; i++) {
		const struct service_config *s = &LIST_AT(w->c->services, struct service_config, i);
		if (!w->spec->service || text_equal(w->spec->service, s->name))
			drift_of(w, s);
	}
}
