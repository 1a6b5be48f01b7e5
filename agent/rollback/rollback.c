/* agent/rollback/rollback.c: the way in: locks, journals, requests. */
#include "agent/rollback/rollback.h"

#include "agent/rollback/exchange.h"
#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* ---- the request ---- */

static uint32_t all_components(const struct snapshot_summary *about, const struct service_config *service)
{
	uint32_t bits = 0;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (components_get(&service->components, (enum component)i) &&
		    (snapshot_summary_component(about, (enum component)i) ||
			snapshot_summary_absent(about, (enum component)i)))
			bits |= 1u << i;
	return bits;
}

/* *components: as asked for, 0 for all; becomes what is meant. */
static enum err_code check_request(const struct snapshot_summary *about, const struct service_config *service,
    uint32_t *components, struct err *reterr)
{
	char id[ID_TEXT_MAX];
	id_format(ID_SNAPSHOT, about->snapshot, id);
	if (!text_equal(about->service, service->name))
		return err_set(
		    reterr, ERR_INVALID, "restore point %s is of %s, not of %s", id, about->service, service->name);
	uint32_t bits = *components ? *components : all_components(about, service);
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		if (!(bits & 1u << i))
			continue;
		if (!components_get(&service->components, (enum component)i))
			return err_set(reterr, ERR_NOT_FOUND, "%s declares no %s in agent.yaml", service->name,
			    enum_name(&component_enum, i));
		if (!snapshot_summary_component(about, (enum component)i) &&
		    !snapshot_summary_absent(about, (enum component)i))
			return err_set(
			    reterr, ERR_NOT_FOUND, "restore point %s holds no %s", id, enum_name(&component_enum, i));
	}
	if (!bits)
		return err_set(
		    reterr, ERR_NOT_FOUND, "restore point %s holds nothing that %s declares", id, service->name);
	*components = bits;
	return ERR_OK;
}

/* ---- setting up ---- */

static enum err_code set_up(struct walk *w, struct repo *repo, const char *state_directory,
    const struct rollback_request *r, const struct rollback_io *io, struct arena *arena, int *ret_lock,
    struct err *reterr)
{
	char path[PATH_LIMIT];
	*w = (struct walk){.repo = repo,
	    .r = r,
	    .io = io,
	    .state_directory = state_directory,
	    .arena = arena,
	    .began_mono_ms = clock_mono_ms()};
	w->steps = arena_array(arena, ROLLBACK_STEPS_MAX, sizeof *w->steps);
	id_format(ID_ORDER, r->order, w->token);
	if (!w->steps)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	if (!text_format(w->folder, sizeof w->folder, "%s/rollback", state_directory) ||
	    !text_format(path, sizeof path, "%s/%s.lock", w->folder, r->service->name))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	enum err_code rc = file_make_dirs(w->folder, 0700, reterr);
	if (rc == ERR_OK && (rc = file_lock(path, ret_lock, reterr)) == ERR_BUSY)
		rc = err_prefix(reterr, rc, "another rollback of %s is at work", r->service->name);
	return rc;
}

/* What is open of other orders in this service was left by a crash that nobody recovered: we hold the lock. */
static void close_others(struct walk *w)
{
	struct list open = {0};
	struct err err = ERR_INIT;
	enum err_code rc = rollback_journal_open(w->folder, w->arena, &open, &err);
	for (size_t i = 0; rc == ERR_OK && i < open.count; i++) {
		struct journal j = LIST_AT(open, struct journal, i);
		struct converge_spec spec = {.service = w->r->service,
		    .components = (uint32_t)j.components,
		    .token = id_text(ID_ORDER, j.order)};
		if (!text_equal(j.service, w->r->service->name) || id_equal(j.order, w->r->order))
			continue;
		log_warn("rollback",
		    "order=%s service=%s was interrupted and never recovered; %s goes on from what it left", spec.token,
		    j.service, w->token);
		if (snapshot_open(w->repo, j.snapshot, &spec.snapshot, NULL) == ERR_OK) {
			(void)!converge_clean(&spec, NULL);
			walk_database_clean(w, spec.snapshot, &j, spec.token);
			snapshot_close(spec.snapshot);
		}
		j.phase = JOURNAL_ENDED;
		j.outcome = ORDER_FAILED_DIRTY;
		j.text = arena_printf(w->arena, "interrupted, and never recovered before %s", w->token);
		rc = rollback_journal_write(w->folder, &j, &err);
	}
	if (rc != ERR_OK)
		log_warn("rollback", "order=%s older journals cannot be closed: %s", w->token, err.msg);
}

static enum err_code recover(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	if (w->j.phase != JOURNAL_ENDED && snapshot_open(w->repo, w->j.snapshot, &w->target, &err) != ERR_OK)
		log_warn("rollback", "order=%s %s", w->token, err.msg); /* the way back may still be open */
	enum err_code rc = w->j.phase != JOURNAL_ENDED ? exchange_load(w, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = walk_resume(w, ret, reterr);
	walk_done(w);
	snapshot_close(w->target);
	return rc;
}

static enum err_code begin(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	uint32_t components = w->r->components;
	enum err_code rc = snapshot_open_about(w->repo, w->r->snapshot, &w->target, reterr); /* trees: as needed */
	if (rc == ERR_OK)
		rc = check_request(snapshot_about(w->target), w->r->service, &components, reterr);
	if (rc == ERR_OK) {
		close_others(w);
		w->j = (struct journal){.order = w->r->order,
		    .service = w->r->service->name,
		    .components = components,
		    .snapshot = w->r->snapshot,
		    .began_ms = w->io->now_ms(w->io->ctx)};
		exchange_choose(w);
		rc = snapshot_load(w->target, walk_in_parts(w), reterr);
	}
	if (rc == ERR_OK) {
		rc = walk_go(w, ret, reterr);
		walk_done(w);
	}
	snapshot_close(w->target);
	return rc;
}

/* The restore point may be one that an exchange has promised.  Before any lock: whoever settles needs them. */
static void settle_before(struct repo *repo, const char *state_directory, const struct rollback_request *r,
    struct arena *arena, uint64_t now_ms)
{
	struct snapshot_summary about;
	struct list saved;
	struct err err = ERR_INIT;
	if (rollback_is_unsettled(state_directory, r->service->name) &&
	    snapshot_get(repo, r->snapshot, arena, &about, NULL) == ERR_NOT_FOUND &&
	    rollback_settle(repo, state_directory, r->service, now_ms, arena, &saved, &err) != ERR_OK)
		log_warn("rollback", "service=%s what was exchanged is not saved: %s", r->service->name, err.msg);
}

enum err_code rollback_run(struct repo *repo, const char *state_directory, const struct rollback_request *r,
    const struct rollback_io *io, struct arena *arena, struct rollback_result *ret, struct err *reterr)
{
	struct walk w;
	CLEANUP(cleanup_fd) int lock = -1;
	settle_before(repo, state_directory, r, arena, io->now_ms(io->ctx));
	enum err_code rc = set_up(&w, repo, state_directory, r, io, arena, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	struct err none = ERR_INIT;
	rc = rollback_journal_read(w.folder, r->order, arena, &w.j, &none);
	if (rc == ERR_OK)
		return recover(&w, ret, reterr);
	if (rc != ERR_NOT_FOUND)
		return err_set(reterr, rc, "%s", none.msg);
	rc = begin(&w, ret, reterr);
	if (rc == ERR_OK)
		(void)!rollback_journal_sweep(
		    w.folder, io->now_ms(io->ctx), (uint64_t)ROLLBACK_JOURNAL_KEEP_DAYS * DAY_MS, NULL);
	return rc;
}

enum err_code rollback_recover(struct repo *repo, const char *state_directory, const struct rollback_request *r,
    const struct rollback_io *io, struct arena *arena, struct rollback_result *ret, struct err *reterr)
{
	struct walk w;
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = set_up(&w, repo, state_directory, r, io, arena, &lock, reterr);
	if (rc == ERR_OK)
		rc = rollback_journal_read(w.folder, r->order, arena, &w.j, reterr);
	return rc == ERR_OK ? recover(&w, ret, reterr) : rc;
}

/* ---- looking ---- */

enum err_code rollback_plan(struct repo *repo, const struct rollback_request *r, snapshot_change_fn *on_change,
    void *ctx, struct rollback_plan *ret, struct err *reterr)
{
	struct snapshot *target = NULL;
	struct converge_counts n;
	uint32_t components = r->components;
	enum err_code rc = snapshot_open(repo, r->snapshot, &target, reterr);
	if (rc != ERR_OK)
		return rc;
	const struct snapshot_component *database =
	    snapshot_summary_component(snapshot_about(target), COMPONENT_DATABASE);
	rc = check_request(snapshot_about(target), r->service, &components, reterr);
	struct converge_spec spec = {.snapshot = target,
	    .service = r->service,
	    .components = components,
	    .token = "plan",
	    .on_change = on_change,
	    .ctx = ctx};
	if (rc == ERR_OK)
		rc = converge_compare(&spec, &n, reterr);
	if (rc == ERR_OK)
		*ret = (struct rollback_plan){n.replaced, n.removed, n.made, n.metadata,
		    n.bytes + (components & 1u << COMPONENT_DATABASE && database ? database->size_bytes : 0)};
	snapshot_close(target);
	return rc;
}

enum err_code rollback_pending(const char *state_directory, struct arena *arena, struct list *ret, struct err *reterr)
{
	char folder[PATH_LIMIT];
	struct list open;
	if (!text_format(folder, sizeof folder, "%s/rollback", state_directory))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	enum err_code rc = rollback_journal_open(folder, arena, &open, reterr);
	struct rollback_pending *all = rc == ERR_OK ? arena_array(arena, open.count + 1, sizeof *all) : NULL;
	if (rc != ERR_OK || !all)
		return rc != ERR_OK ? rc : err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < open.count; i++) {
		const struct journal *j = &LIST_AT(open, struct journal, i);
		all[i] = (struct rollback_pending){j->order, j->service, enum_name(&journal_phase_enum, j->phase)};
	}
	*ret = (struct list){all, open.count};
	return ERR_OK;
}
