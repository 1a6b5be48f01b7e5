/* agent/rollback/rollback.c: one rollback, phase by phase. */
#include "agent/rollback/rollback.h"

#include <string.h>
#include <unistd.h>

#include "agent/database/database.h"
#include "agent/io/process.h"
#include "agent/rollback/converge.h"
#include "agent/rollback/journal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { JOURNAL_KEEP_DAYS = 30 };

struct walk { /* one rollback at work */
	struct repo *repo;
	const struct rollback_request *r;
	const struct rollback_io *io;
	struct arena *arena;
	char folder[PATH_LIMIT], state[PATH_LIMIT], token[ID_TEXT_MAX];
	struct journal j;
	struct snapshot *target;
	struct order_step *steps;
	size_t step_count;
	uint64_t began_mono_ms;
	bool digests_match, healthy;
	struct component_point points[COMPONENT_COUNT];
	size_t point_count;
};

static uint64_t now_ms(struct walk *w) { return w->io->now_ms(w->io->ctx); }

/* ---- steps as they are told ---- */

static struct order_step *begin_step(struct walk *w, enum step_kind kind)
{
	struct order_step *s = &w->steps[w->step_count < ROLLBACK_STEPS_MAX ? w->step_count++ : ROLLBACK_STEPS_MAX - 1];
	*s = (struct order_step){ .kind = kind, .began_ms = now_ms(w) };
	return s;
}

static enum err_code end_step(struct walk *w, struct order_step *s, uint64_t began_mono_ms, enum err_code rc, const struct err *why, const char *text)
{
	s->took_ms = clock_mono_ms() - began_mono_ms;
	s->ok = rc == ERR_OK;
	char line[ROLLBACK_TEXT_MAX + 1];
	if (rc != ERR_OK || text) {
		text_copy(line, sizeof line, rc == ERR_OK ? text : why->msg);
		s->text = arena_strdup(w->arena, line);
	}
	w->io->step(w->io->ctx, s);
	return rc;
}

static enum err_code enter(struct walk *w, enum journal_phase phase, struct err *reterr)
{
	w->j.phase = phase; /* journal first, then act */
	return rollback_journal_write(w->folder, &w->j, reterr);
}

static bool too_late(const struct walk *w) { return w->r->run_limit_ms && clock_mono_ms() - w->began_mono_ms > w->r->run_limit_ms; }

static bool has_database(const struct walk *w) { return (w->j.components & 1u << COMPONENT_DATABASE) != 0; }

/* ---- the service's own steps ---- */

static enum err_code run_step(struct walk *w, enum step_kind kind, const struct list *argv, struct err *reterr)
{
	if (!argv->count)
		return ERR_OK;
	const char *args[CONFIG_ARGV_MAX + 1];
	for (size_t i = 0; i < argv->count; i++)
		args[i] = LIST_AT(*argv, const char *, i);
	args[argv->count] = NULL;
	struct order_step *s = begin_step(w, kind);
	uint64_t began = clock_mono_ms();
	struct process_spec spec = { .argv = args, .timeout_ms = w->r->service->steps.timeout_ms, .leave_descendants = true, .merge_errors = true };
	enum err_code rc = process_run_ok(&spec, NULL, reterr);
	return end_step(w, s, began, rc, reterr, NULL);
}

/* ---- plan and stage ---- */

static uint32_t all_components(const struct snapshot_summary *about, const struct service_config *service)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < about->components.count; i++) {
		uint32_t which = LIST_AT(about->components, struct snapshot_component, i).component;
		if (components_get(&service->components, (enum component)which))
			bits |= 1u << which;
	}
	return bits;
}

static enum err_code check_request(struct walk *w, const struct rollback_request *r, struct err *reterr)
{
	const struct snapshot_summary *about = snapshot_about(w->target);
	char id[ID_TEXT_MAX];
	id_format(ID_SNAPSHOT, about->snapshot, id);
	if (!text_equal(about->service, r->service->name))
		return err_set(reterr, ERR_INVALID, "restore point %s is of %s, not of %s", id, about->service, r->service->name);
	if (!w->j.components)
		w->j.components = r->components ? r->components : all_components(about, r->service);
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		if (!(w->j.components & 1u << i))
			continue;
		if (!components_get(&r->service->components, (enum component)i))
			return err_set(reterr, ERR_NOT_FOUND, "%s declares no %s in agent.yaml", r->service->name, enum_name(&component_enum, i));
		if (!snapshot_summary_component(about, (enum component)i))
			return err_set(reterr, ERR_NOT_FOUND, "restore point %s holds no %s", id, enum_name(&component_enum, i));
	}
	return w->j.components ? ERR_OK : err_set(reterr, ERR_NOT_FOUND, "restore point %s holds nothing that %s declares", id, r->service->name);
}

static const char *counts_text(struct walk *w, const struct converge *c)
{
	const struct converge_counts *n = converge_counts(c);
	char size[TEXT_TIME_MAX];
	return arena_printf(w->arena, "%s staged", text_size_human(n->bytes, size));
}

static enum err_code stage(struct walk *w, struct snapshot *target, struct converge **ret, struct err *reterr)
{
	struct order_step *s = begin_step(w, STEP_STAGE);
	uint64_t began = clock_mono_ms();
	enum err_code rc = converge_stage(target, w->r->service, (uint32_t)w->j.components, w->token, ret, reterr);
	if (rc == ERR_OK && has_database(w) && target == w->target)
		rc = database_stage(target, w->r->service, w->token, reterr);
	return end_step(w, s, began, rc, reterr, rc == ERR_OK ? counts_text(w, *ret) : NULL);
}

static enum err_code take_safety(struct walk *w, struct err *reterr)
{
	struct order_step *s = begin_step(w, STEP_SAFETY);
	uint64_t began = clock_mono_ms();
	struct snapshot_summary made;
	struct snapshot_options o = { .components = (uint32_t)w->j.components, .reason = SNAPSHOT_SAFETY, .suspect = true, .now_ms = now_ms(w) };
	enum err_code rc = has_database(w) ? database_snapshot_stopped(w->repo, w->r->service, &o, w->arena, &made, reterr) :
	                                     snapshot_create(w->repo, w->r->service, &o, w->arena, &made, reterr);
	if (rc == ERR_OK)
		w->j.safety = made.snapshot;
	return end_step(w, s, began, rc, reterr, NULL);
}

/* ---- put in place ---- */

/* The staged data directory is the live one now. */
static bool is_swapped(const struct walk *w)
{
	return w->j.database_inode && database_inode(w->r->service, NULL) == w->j.database_inode;
}

/* Journal which folder is which, then exchange them. */
static enum err_code swap_in(struct walk *w, struct err *reterr)
{
	w->j.database_inode = database_inode(w->r->service, w->token);
	enum err_code rc = rollback_journal_write(w->folder, &w->j, reterr);
	return rc == ERR_OK ? database_swap(w->r->service, w->token, reterr) : rc;
}

static enum err_code apply(struct walk *w, struct converge *c, struct err *reterr)
{
	struct order_step *s = begin_step(w, STEP_RESTORE);
	uint64_t began = clock_mono_ms();
	enum err_code rc = converge_apply(c, reterr);
	if (rc == ERR_OK && has_database(w))
		rc = swap_in(w, reterr);
	const struct converge_counts *n = converge_counts(c);
	const char *text = arena_printf(w->arena, "%llu replaced, %llu made, %llu removed, %llu metadata only", (unsigned long long)n->replaced,
	    (unsigned long long)n->made, (unsigned long long)n->removed, (unsigned long long)n->metadata);
	return end_step(w, s, began, rc, reterr, text);
}

/* ---- proof ---- */

static enum err_code match_component(struct walk *w, struct snapshot *target, enum component which, bool *ret_match, struct err *reterr)
{
	const struct snapshot_component *want = snapshot_summary_component(snapshot_about(target), which);
	struct component_point *p = &w->points[w->point_count++];
	*p = (struct component_point){ .component = which, .version = want->version };
	if (which == COMPONENT_DATABASE) { /* a running database changes its files; what was put there was authenticated chunk by chunk */
		p->digest = want->digest;
		p->entries = want->entries;
		p->size_bytes = want->size_bytes;
		*ret_match = true;
		return ERR_OK;
	}
	enum err_code rc = snapshot_digest_live(w->repo, w->r->service, which, target, &p->digest, &p->entries, &p->size_bytes, reterr);
	if (rc == ERR_OK)
		*ret_match = memcmp(&p->digest, &want->digest, sizeof p->digest) == 0;
	return rc;
}

static enum err_code match_digests(struct walk *w, struct snapshot *target, struct err *reterr)
{
	w->digests_match = true;
	w->point_count = 0;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		bool match = true;
		if (!(w->j.components & 1u << i))
			continue;
		enum err_code rc = match_component(w, target, (enum component)i, &match, reterr);
		if (rc != ERR_OK)
			return rc;
		w->digests_match = w->digests_match && match;
	}
	return ERR_OK;
}

static bool spares_paths(const struct walk *w)
{
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct component_config *cc = components_get(&w->r->service->components, (enum component)i);
		if (cc && w->j.components & 1u << i && cc->never_restore.count)
			return true;
	}
	return false;
}

static enum err_code verify(struct walk *w, struct snapshot *target, bool with_probes, struct err *reterr)
{
	struct order_step *s = begin_step(w, STEP_VERIFY);
	uint64_t began = clock_mono_ms();
	char failed[ROLLBACK_TEXT_MAX] = "";
	enum err_code rc = match_digests(w, target, reterr);
	if (rc == ERR_OK && !w->digests_match && !spares_paths(w))
		rc = err_set(reterr, ERR_CORRUPT, "the live trees do not equal the restore point after restoring: something else writes there");
	w->digests_match = rc == ERR_OK;
	w->healthy = rc == ERR_OK && (!with_probes || w->io->prove(w->io->ctx, w->r->service->name, w->r->deep, failed));
	if (rc == ERR_OK && with_probes && !w->healthy)
		rc = err_set(reterr, ERR_STATE, "its probes do not pass: %s", failed);
	if (rc == ERR_OK && too_late(w))
		rc = err_set(reterr, ERR_TIMEOUT, "it took longer than it may");
	return end_step(w, s, began, rc, reterr, NULL);
}

/* ---- ends ---- */

static enum err_code finish(struct walk *w, enum order_outcome outcome, const char *text, struct rollback_result *ret, struct err *reterr)
{
	w->j.outcome = outcome;
	struct err ignored = ERR_INIT;
	if (has_database(w) && outcome != ORDER_FAILED_DIRTY && database_discard(w->r->service, w->token, &ignored) != ERR_OK)
		text = arena_printf(w->arena, "%s; %s", text, ignored.msg);
	enum err_code rc = enter(w, JOURNAL_ENDED, reterr);
	struct component_point *points = arena_dup(w->arena, w->points, sizeof w->points);
	*ret = (struct rollback_result){ .outcome = outcome,
		.steps = { w->steps, w->step_count },
		.safety_snapshot = w->j.safety,
		.components = { points, points ? w->point_count : 0 },
		.digests_match = w->digests_match,
		.healthy = w->healthy,
		.text = text };
	return rc;
}

static const char *kept_text(struct walk *w, const struct err *why) { return arena_printf(w->arena, "%.400s", why->msg); }

/* Old state, whole again: trees by the safety restore point, the database by swapping back. */
static enum err_code put_back(struct walk *w, struct err *reterr)
{
	struct snapshot *safety = NULL;
	struct converge *c = NULL;
	enum err_code rc = snapshot_open(w->repo, w->j.safety, &safety, reterr);
	if (rc == ERR_OK)
		rc = stage(w, safety, &c, reterr);
	if (rc == ERR_OK)
		rc = converge_apply(c, reterr);
	converge_free(c);
	if (rc == ERR_OK && is_swapped(w))
		rc = database_swap(w->r->service, w->token, reterr);
	if (rc == ERR_OK)
		rc = match_digests(w, safety, reterr);
	if (rc == ERR_OK && !w->digests_match && !spares_paths(w))
		rc = err_set(reterr, ERR_CORRUPT, "the live trees do not equal what they were before: something else writes there");
	snapshot_close(safety);
	return rc;
}

static enum err_code undo(struct walk *w, const char *why, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	enum err_code rc = enter(w, JOURNAL_UNDOING, &err);
	struct order_step *s = begin_step(w, STEP_UNDO);
	uint64_t began = clock_mono_ms();
	if (rc == ERR_OK)
		rc = run_step(w, STEP_STOP, &w->r->service->steps.stop, &err);
	if (rc == ERR_OK)
		rc = put_back(w, &err);
	bool whole = rc == ERR_OK;
	end_step(w, s, began, rc, &err, NULL);
	struct err start = ERR_INIT;
	(void)run_step(w, STEP_START, &w->r->service->steps.start, &start); /* it may well not run: it did not before */
	w->digests_match = w->healthy = false;
	if (!whole) {
		const char *text = arena_printf(w->arena, "%.200s; putting it back failed too: %.200s", why, err.msg);
		enum err_code kept = finish(w, ORDER_FAILED_DIRTY, text, ret, reterr);
		return kept;
	}
	return finish(w, ORDER_REVERTED, why, ret, reterr);
}

/* From "it is in place" on. */
static enum err_code prove_or_undo(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	enum err_code rc = enter(w, JOURNAL_PROVING, &err);
	if (rc == ERR_OK)
		rc = run_step(w, STEP_CHECK, &w->r->service->steps.check, &err);
	if (rc == ERR_OK)
		rc = run_step(w, STEP_START, &w->r->service->steps.start, &err);
	if (rc == ERR_OK)
		rc = verify(w, w->target, !w->r->no_prove && w->r->service->probes.count, &err);
	if (rc != ERR_OK)
		return undo(w, kept_text(w, &err), ret, reterr);
	return finish(w, ORDER_OK, "equals its restore point", ret, reterr);
}

/* Nothing is changed yet: the service runs again as it did. */
static enum err_code leave(struct walk *w, enum order_outcome outcome, bool stopped, const char *why, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	enum err_code rc = stopped ? run_step(w, STEP_START, &w->r->service->steps.start, &err) : ERR_OK;
	if (rc != ERR_OK)
		why = arena_printf(w->arena, "%.200s; starting it again failed: %.200s", why, err.msg);
	return finish(w, outcome, why, ret, reterr);
}

/* The database's safety copy is taken when it stands still; others before the service stops, which is then down for less. */
static enum err_code stop_safely(struct walk *w, bool *ret_stopped, struct err *reterr)
{
	enum err_code rc = has_database(w) ? ERR_OK : take_safety(w, reterr);
	if (rc == ERR_OK)
		rc = enter(w, JOURNAL_STOPPING, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_stopped = w->r->service->steps.stop.count > 0;
	rc = run_step(w, STEP_STOP, &w->r->service->steps.stop, reterr);
	return rc == ERR_OK && has_database(w) ? take_safety(w, reterr) : rc;
}

static enum err_code go(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	struct converge *c = NULL;
	bool stopped = false;
	enum err_code rc = enter(w, JOURNAL_PLANNED, reterr);
	if (rc != ERR_OK)
		return rc;
	if (stage(w, w->target, &c, &err) != ERR_OK)
		return leave(w, ORDER_REFUSED, false, kept_text(w, &err), ret, reterr);
	if (w->io->cancelled(w->io->ctx)) {
		converge_free(c);
		return leave(w, ORDER_CANCELLED, false, "cancelled before anything changed", ret, reterr);
	}
	if (stop_safely(w, &stopped, &err) != ERR_OK) {
		converge_free(c);
		return leave(w, ORDER_REVERTED, stopped, kept_text(w, &err), ret, reterr);
	}
	rc = enter(w, JOURNAL_APPLYING, &err);
	if (rc == ERR_OK)
		rc = apply(w, c, &err);
	converge_free(c);
	return rc == ERR_OK ? prove_or_undo(w, ret, reterr) : undo(w, kept_text(w, &err), ret, reterr);
}

/* ---- outside ---- */

static enum err_code set_up(struct walk *w, struct repo *repo, const char *state_directory, const struct rollback_request *r, const struct rollback_io *io,
    struct arena *arena, int *ret_lock, struct err *reterr)
{
	char path[PATH_LIMIT];
	*w = (struct walk){ .repo = repo, .r = r, .io = io, .arena = arena, .began_mono_ms = clock_mono_ms() };
	w->steps = arena_array(arena, ROLLBACK_STEPS_MAX, sizeof *w->steps);
	id_format(ID_ORDER, r->order, w->token);
	if (!w->steps)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	if (!text_format(w->folder, sizeof w->folder, "%s/rollback", state_directory) || !text_format(path, sizeof path, "%s/%s.lock", w->folder, r->service->name))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	enum err_code rc = file_make_dirs(w->folder, 0700, reterr);
	if (rc == ERR_OK && (rc = file_lock(path, ret_lock, reterr)) == ERR_BUSY)
		rc = err_prefix(reterr, rc, "another rollback of %s is at work", r->service->name);
	return rc;
}

enum err_code rollback_run(struct repo *repo, const char *state_directory, const struct rollback_request *r, const struct rollback_io *io,
    struct arena *arena, struct rollback_result *ret, struct err *reterr)
{
	struct walk w;
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = set_up(&w, repo, state_directory, r, io, arena, &lock, reterr);
	if (rc != ERR_OK || (rc = snapshot_open(repo, r->snapshot, &w.target, reterr)) != ERR_OK)
		return rc;
	w.j = (struct journal){ .order = r->order, .service = r->service->name, .snapshot = r->snapshot, .began_ms = now_ms(&w) };
	rc = check_request(&w, r, reterr);
	if (rc == ERR_OK)
		rc = go(&w, ret, reterr);
	snapshot_close(w.target);
	if (rc == ERR_OK)
		(void)!rollback_journal_sweep(w.folder, now_ms(&w), (uint64_t)JOURNAL_KEEP_DAYS * DAY_MS, NULL);
	return rc;
}

enum err_code rollback_plan(struct repo *repo, const struct rollback_request *r, snapshot_change_fn *on_change, void *ctx, struct rollback_plan *ret,
    struct err *reterr)
{
	struct walk w = { .repo = repo, .r = r };
	struct diff_result d;
	enum err_code rc = snapshot_open(repo, r->snapshot, &w.target, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = check_request(&w, r, reterr);
	struct diff_options o = { .components = (uint32_t)w.j.components & ~(1u << COMPONENT_DATABASE) };
	if (rc == ERR_OK && o.components)
		rc = snapshot_diff_live(w.target, r->service, &o, on_change, ctx, &d, reterr);
	*ret = (struct rollback_plan){ 0 };
	for (unsigned i = 0; rc == ERR_OK && o.components && i < COMPONENT_COUNT; i++) {
		ret->changed += d.component[i].content;
		ret->added += d.component[i].added;
		ret->removed += d.component[i].removed;
		ret->metadata += d.component[i].metadata;
	}
	snapshot_close(w.target);
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
		all[i] = (struct rollback_pending){ j->order, j->service, enum_name(&journal_phase_enum, j->phase) };
	}
	*ret = (struct list){ all, open.count };
	return ERR_OK;
}

/* Where the crash left it decides: untouched before APPLYING; forward from there; back if it was on its way back. */
static enum err_code resume(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	struct converge *c = NULL;
	switch ((enum journal_phase)w->j.phase) {
	case JOURNAL_PLANNED:
	case JOURNAL_STOPPING:
		if (converge_clean(w->target, (uint32_t)w->j.components, w->token, &err) != ERR_OK)
			return leave(w, ORDER_REVERTED, true, kept_text(w, &err), ret, reterr);
		return leave(w, ORDER_REVERTED, w->j.phase == JOURNAL_STOPPING, "interrupted before anything changed", ret, reterr);
	case JOURNAL_APPLYING:
		break;
	case JOURNAL_PROVING:
		return prove_or_undo(w, ret, reterr);
	case JOURNAL_UNDOING:
		return undo(w, "interrupted while it was put back", ret, reterr);
	case JOURNAL_ENDED:
	case JOURNAL_PHASE_COUNT:
		return err_set(reterr, ERR_STATE, "this rollback has ended");
	}
	enum err_code rc = run_step(w, STEP_STOP, &w->r->service->steps.stop, &err);
	if (rc == ERR_OK)
		rc = converge_stage(w->target, w->r->service, (uint32_t)w->j.components, w->token, &c, &err);
	if (rc == ERR_OK)
		rc = converge_apply(c, &err);
	converge_free(c);
	if (rc == ERR_OK && has_database(w) && !is_swapped(w))
		rc = swap_in(w, &err);
	return rc == ERR_OK ? prove_or_undo(w, ret, reterr) : undo(w, kept_text(w, &err), ret, reterr);
}

enum err_code rollback_recover(struct repo *repo, const char *state_directory, const struct rollback_request *r, const struct rollback_io *io,
    struct arena *arena, struct rollback_result *ret, struct err *reterr)
{
	struct walk w;
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = set_up(&w, repo, state_directory, r, io, arena, &lock, reterr);
	if (rc != ERR_OK || (rc = rollback_journal_read(w.folder, r->order, arena, &w.j, reterr)) != ERR_OK ||
	    (rc = snapshot_open(repo, w.j.snapshot, &w.target, reterr)) != ERR_OK)
		return rc;
	rc = resume(&w, ret, reterr);
	snapshot_close(w.target);
	return rc;
}
