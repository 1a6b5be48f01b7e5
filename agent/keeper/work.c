/* agent/keeper/work.c */
#include "agent/keeper/work.h"
#include "agent/snapshot/upkeep.h"

#include <poll.h>
#include <string.h>

#include "agent/database/database.h"
#include "agent/io/loop.h"
#include "agent/io/process.h"
#include "agent/keeper/schema.h"
#include "agent/keeper/upkeep.h"
#include "agent/keeper/work_confirm.h"
#include "agent/keeper/work_copy.h"
#include "agent/keeper/work_drill.h"
#include "agent/probe/set.h"
#include "agent/repository/recovery.h"
#include "agent/rollback/prepared.h"
#include "agent/rollback/progressive.h"
#include "agent/rollback/rollback.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	WORK_ARENA_MAX = 64 << 20,
	PROVE_TRIES = 20, /* a service that has just started may need a moment */
	PROVE_WAIT_MS = 250,
	PROVE_LIMIT_MS = 60 * 1000,
	FIRST_USE_MS = 10 * 1000, /* another process makes the repository: keys, four folders, their syncs */
	FIRST_USE_POLL_MS = 10,
	WORK_PROVEN_MS = 60 * 1000, /* a state that is this old, and its service still well, counts as healthy */
};

struct work { /* one piece of work */
	const struct agent_config *c;
	const struct work_spec *spec;
	const struct work_out *out;
	struct arena *arena;
	struct repo *repo;
	struct order_step steps[REPORT_STEPS_MAX]; /* of a rollback, so far */
	size_t step_count;
};

/* ---- the repository ---- */

/* What was declared for the day on which this host is lost.  That it cannot be done now must not stop what is done with
 * the repository. */
static enum err_code with_recovery(const struct agent_config *c, enum err_code rc, struct repo *repo)
{
	struct err err = ERR_INIT;
	bool changed;
	if (rc == ERR_OK && c->recovery_keys.count &&
	    repo_set_recovery(repo, &c->recovery_keys, &changed, &err) != ERR_OK)
		log_warn("snapshot", "the keys could not be wrapped for recovery: %s", err.msg);
	return rc;
}

enum err_code work_repo(const struct agent_config *c, struct repo **ret, struct err *reterr)
{
	char path[PATH_LIMIT], lock_path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	uint64_t began = clock_mono_ms();
	if (!text_format(path, sizeof path, "%s/repository", c->state_directory) ||
	    !text_format(lock_path, sizeof lock_path, "%s/repository.lock", c->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	enum err_code rc = repo_open(path, c->host, ret, reterr);
	if (rc != ERR_NOT_FOUND)
		return rc == ERR_OK ? with_recovery(c, rc, *ret) : rc;
	/* First use.  Two workers may come at once: one makes it, the other finds it. */
	if ((rc = file_make_dirs(c->state_directory, 0711, reterr)) != ERR_OK)
		return rc;
	while ((rc = file_lock(lock_path, &lock, reterr)) == ERR_BUSY && clock_mono_ms() - began < FIRST_USE_MS)
		(void)poll(NULL, 0, FIRST_USE_POLL_MS);
	if (rc == ERR_OK && (rc = repo_init(path, c->host, reterr)) == ERR_EXISTS)
		rc = ERR_OK;
	if (rc == ERR_OK && (rc = repo_open(path, c->host, ret, reterr)) == ERR_OK)
		rc = with_recovery(c, rc, *ret);
	return rc;
}

/* ---- telling ---- */

static void tell(struct work *w, enum importance importance, struct report *r)
{
	r->sequence = 1; /* the link gives the real one */
	r->at_ms = clock_wall_ms();
	r->importance = importance;
	w->out->report(w->out->ctx, r);
}

static void tell_order(struct work *w, const struct order_report *o)
{
	struct report r = {.order = o};
	tell(w, IMPORTANCE_RESULT, &r);
}

static void end_order(struct work *w, enum order_outcome outcome, const char *text)
{
	const struct order *o = w->spec->order;
	char line[TEXT_LINE_MAX];
	text_copy(line, sizeof line, text ? text : "");
	struct order_report r = {.order = o->order,
	    .kind = o->kind,
	    .service = o->service,
	    .outcome = outcome,
	    .at_ms = clock_wall_ms(),
	    .steps = {w->steps, w->step_count},
	    .text = line[0] ? line : NULL};
	tell_order(w, &r);
}

/* ---- snapshots ---- */

static uint64_t started_ms; /* of the work in hand: one a process */

static void on_progress(void *ctx, const struct snapshot_progress *p)
{
	struct work *w = ctx;
	char size[TEXT_TIME_MAX], line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "%llu entries, %s read", (unsigned long long)p->entries,
	    text_size_human(p->bytes_read, size));
	struct progress out = {.step = STEP_SAFETY, .text = line};
	if (!w->out->progress || !w->spec->order || clock_mono_ms() - started_ms < 1000)
		return;
	out.order = w->spec->order->order;
	out.service = w->spec->order->service;
	w->out->progress(w->out->ctx, &out);
}

static struct list points_of(struct work *w, const struct snapshot_summary *s)
{
	struct component_point *points = arena_array(w->arena, s->components.count + 1, sizeof *points);
	for (size_t i = 0; points && i < s->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(s->components, struct snapshot_component, i);
		points[i] = (struct component_point){c->component, c->digest, c->entries, c->size_bytes, c->version};
	}
	return (struct list){points, points ? s->components.count : 0};
}

static void tell_snapshot(struct work *w, const struct snapshot_summary *s, bool verified)
{
	struct snapshot_report body = {.snapshot = s->snapshot,
	    .service = s->service,
	    .reason = s->reason,
	    .taken_ms = s->taken_ms,
	    .took_ms = s->took_ms,
	    .stored_bytes = s->stored_bytes,
	    .components = points_of(w, s),
	    .suspect = s->suspect || s->marks.suspect,
	    .verified = verified};
	struct report r = {.snapshot = &body};
	tell(w, IMPORTANCE_EVENT, &r);
}

static void tell_snapshot_failed(struct work *w, const char *service, uint32_t reason, const char *why)
{
	char line[TEXT_LINE_MAX];
	struct random random;
	text_copy(line, sizeof line, why);
	random_init_system(&random);
	struct snapshot_report body = {.snapshot = id_new(clock_wall_ms(), &random), /* of the attempt */
	    .service = service,
	    .reason = reason,
	    .taken_ms = clock_wall_ms(),
	    .error = line};
	struct report r = {.snapshot = &body};
	log_error("snapshot", "service=%s not taken: %s", service, why);
	tell(w, IMPORTANCE_EVENT, &r);
}

static enum err_code take(
    struct work *w, const char *name, uint32_t reason, bool suspect, struct snapshot_summary *ret, struct err *reterr)
{
	const struct service_config *service = agent_config_service(w->c, name);
	char folder[PATH_LIMIT];
	if (!service)
		return err_set(reterr, ERR_NOT_FOUND, "agent.yaml declares no service %s", name);
	if (!text_format(folder, sizeof folder, "%s/prepare", w->c->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	struct snapshot_options o = {.reason = reason,
	    .suspect = suspect,
	    .now_ms = clock_wall_ms(),
	    .progress = on_progress,
	    .progress_ctx = w,
	    .cancel = w->out->cancel};
	struct snapshot_version schemas[COMPONENT_COUNT];
	struct err why = ERR_INIT;
	schema_versions(service, w->arena, schemas, &o.version_count);
	o.versions = schemas;
	if (database_archive_make(w->repo, w->c->state_directory, service, &why) != ERR_OK)
		log_warn("database", "service=%s has no archive of its log: %s", name, why.msg);
	return database_snapshot(w->repo, service, &o, folder, w->arena, ret, reterr);
}

static void do_snapshot(struct work *w)
{
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	if (take(w, w->spec->service, w->spec->reason, w->spec->suspect, &s, &err) != ERR_OK)
		tell_snapshot_failed(w, w->spec->service, w->spec->reason, err.msg);
	else
		tell_snapshot(w, &s, false);
}

static void order_snapshot(struct work *w)
{
	const struct order *o = w->spec->order;
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	if (take(w, o->service, SNAPSHOT_MANUAL, false, &s, &err) != ERR_OK) {
		tell_snapshot_failed(w, o->service, SNAPSHOT_MANUAL, err.msg);
		end_order(w, ORDER_REFUSED, err.msg);
		return;
	}
	tell_snapshot(w, &s, false);
	char id[ID_TEXT_MAX], line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "restore point %s", id_format(ID_SNAPSHOT, s.snapshot, id));
	end_order(w, ORDER_OK, line);
}

static void order_verify(struct work *w)
{
	const struct order *o = w->spec->order;
	struct verify_options options = {.now_ms = clock_wall_ms(), .cancel = w->out->cancel};
	struct verify_result done;
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	enum err_code rc = snapshot_get(w->repo, o->snapshot, w->arena, &s, &err);
	if (rc == ERR_OK)
		rc = snapshot_verify(w->repo, o->snapshot, &options, &done, &err);
	if (rc != ERR_OK) {
		end_order(w, rc == ERR_CORRUPT ? ORDER_FAILED_DIRTY : ORDER_REFUSED, err.msg);
		return;
	}
	tell_snapshot(w, &s, true);
	char line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "%llu chunks read back and authenticated", (unsigned long long)done.chunks);
	end_order(w, ORDER_OK, line);
}

/* ---- proof by probes ---- */

struct proving {
	struct loop *loop;
	bool done, ok;
	char *text;
};

static void on_checked(void *ctx, const struct probe_check *check)
{
	struct proving *p = ctx;
	p->done = true;
	p->ok = check->all_ok;
	for (size_t i = 0; i < check->count && !p->ok; i++)
		if (check->results[i]->state != PROBE_OK && check->results[i]->state != PROBE_WARNING) {
			text_format(p->text, TEXT_LINE_MAX, "%s: %.200s", check->results[i]->probe,
			    check->results[i]->text ? check->results[i]->text : "no answer");
			break;
		}
	loop_stop(p->loop);
}

static void ignore_result(
    void *ctx, const struct service_config *service, const struct probe_result *result, bool changed)
{
	(void)ctx;
	(void)service;
	(void)result;
	(void)changed;
}

static bool prove_once(
    struct loop *loop, struct probe_set *set, const char *service, bool deep, char text[TEXT_LINE_MAX])
{
	struct proving p = {.loop = loop, .text = text};
	struct err err = ERR_INIT;
	if (probe_set_check(set, service, deep, on_checked, &p, &err) != ERR_OK) {
		text_copy(text, TEXT_LINE_MAX, err.msg);
		return false;
	}
	while (!p.done)
		if (loop_turn(loop, 1000, &err) != ERR_OK)
			return false;
	return p.ok;
}

bool work_prove(const struct agent_config *c, const char *service, bool deep, char text[TEXT_LINE_MAX])
{
	struct loop *loop = NULL;
	struct probe_set *set = NULL;
	struct probe_set_events events = {.on_result = ignore_result};
	struct err err = ERR_INIT;
	uint64_t began = clock_mono_ms();
	bool ok = false;
	if (loop_new(&loop, &err) != ERR_OK || probe_set_new(loop, c, &events, &set, &err) != ERR_OK) {
		text_copy(text, TEXT_LINE_MAX, err.msg);
		loop_free(loop);
		return false;
	}
	for (unsigned i = 0; !ok && i < PROVE_TRIES && clock_mono_ms() - began < PROVE_LIMIT_MS; i++) {
		for (uint64_t until = clock_mono_ms() + (i ? PROVE_WAIT_MS : 0), now; (now = clock_mono_ms()) < until;)
			if (loop_turn(loop, (int)(until - now), &err) != ERR_OK)
				break;
		ok = prove_once(loop, set, service, deep, text);
	}
	probe_set_free(set);
	loop_free(loop);
	return ok;
}

/* ---- rollbacks ---- */

static void on_step(void *ctx, const struct order_step *step)
{
	struct work *w = ctx;
	if (w->step_count < REPORT_STEPS_MAX)
		w->steps[w->step_count++] = *step;
	log_info("rollback", "order=%s step %s %s in %llu ms%s%s", id_text(ID_ORDER, w->spec->order->order),
	    enum_name(&step_kind_enum, step->kind), step->ok ? "done" : "failed", (unsigned long long)step->took_ms,
	    step->text ? ": " : "", step->text ? step->text : "");
	struct progress p = {.order = w->spec->order->order,
	    .service = w->spec->order->service,
	    .step = step->kind,
	    .percent = 100.0 * (double)w->step_count / 8.0 < 99.0 ? 100.0 * (double)w->step_count / 8.0 : 99.0,
	    .text = step->text};
	if (w->out->progress)
		w->out->progress(w->out->ctx, &p);
}

static bool on_prove(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	return work_prove(((struct work *)ctx)->c, service, deep, text);
}

static void ask_controller(void *ctx)
{
	struct work *w = ctx;
	struct order_report r = {.order = w->spec->order->order,
	    .kind = w->spec->order->kind,
	    .service = w->spec->order->service,
	    .outcome = ORDER_OPEN,
	    .at_ms = clock_wall_ms(),
	    .text = "in place; it stays when the controller is heard from"};
	tell_order(w, &r);
}

static bool on_confirm(void *ctx, const struct service_config *service, char text[ROLLBACK_TEXT_MAX])
{
	struct work *w = ctx;
	struct work_confirm c = {.heard_ms = w->out->heard_ms,
	    .settle_ms = WORK_CONFIRM_SETTLE_MS,
	    .within_ms = service->rollback.confirm_within_ms,
	    .ctx = w,
	    .ask = ask_controller};
	return work_confirm(&c, text);
}

static bool on_cancelled(void *ctx)
{
	const struct work *w = ctx;
	return w->out->cancel && atomic_load(w->out->cancel);
}

static uint64_t on_now(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static void tell_safety(struct work *w, struct id safety)
{
	struct snapshot_summary s;
	if (!id_is_zero(safety) && snapshot_get(w->repo, safety, w->arena, &s, NULL) == ERR_OK)
		tell_snapshot(w, &s, false);
}

/* What a rollback has exchanged becomes the restore point that it promised. */
static void settle(struct work *w, const struct service_config *service)
{
	struct list saved;
	struct err err = ERR_INIT;
	if (rollback_settle(w->repo, w->c->state_directory, service, clock_wall_ms(), w->arena, &saved, &err) != ERR_OK)
		log_warn("rollback", "service=%s what was exchanged is not saved yet: %s", service->name, err.msg);
	for (size_t i = 0; i < saved.count; i++)
		tell_snapshot(w, &LIST_AT(saved, struct snapshot_summary, i), false);
}

static uint32_t bits_of(const struct list *components)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < components->count; i++)
		bits |= 1u << LIST_AT(*components, uint32_t, i);
	return bits;
}

/* Did an earlier worker of this order get as far as a journal? */
static bool has_journal(struct work *w, struct id order)
{
	struct list pending;
	if (rollback_pending(w->c->state_directory, w->arena, &pending, NULL) != ERR_OK)
		return true; /* then recovering says what is wrong */
	for (size_t i = 0; i < pending.count; i++)
		if (id_equal(LIST_AT(pending, struct rollback_pending, i).order, order))
			return true;
	return false;
}

static void order_rollback(struct work *w, bool resume)
{
	const struct order *o = w->spec->order;
	struct rollback_io io = {w, on_step, on_prove, on_cancelled, on_now, on_confirm};
	struct rollback_request request = {.order = o->order,
	    .service = agent_config_service(w->c, o->service),
	    .components = bits_of(&o->components),
	    .snapshot = o->snapshot,
	    .run_limit_ms = o->run_limit_ms,
	    .deep = o->deep,
	    .precondition = o->precondition,
	    .cross_schema = o->plan && o->plan->cross_schema};
	struct snapshot_version schema[COMPONENT_COUNT];
	struct rollback_result done;
	struct err err = ERR_INIT;
	if (!request.service) {
		end_order(w, ORDER_REFUSED, "agent.yaml declares no such service");
		return;
	}
	if (!resume && !request.cross_schema) {
		schema_versions(request.service, w->arena, schema, &request.schema_count);
		request.schema = schema;
	}
	bool progressive = o->kind == ORDER_ROLLBACK && o->plan && o->plan->progressive;
	bool begun = resume && (has_journal(w, o->order) || rollback_is_progressive(w->c->state_directory, o->order));
	enum err_code rc =
	    progressive ? rollback_progressive(w->repo, w->c->state_directory, &request, &io, w->arena, &done, &err)
	    : begun     ? rollback_recover(w->repo, w->c->state_directory, &request, &io, w->arena, &done, &err)
			: rollback_run(w->repo, w->c->state_directory, &request, &io, w->arena, &done, &err);
	if (rc != ERR_OK) {
		end_order(w, begun ? ORDER_FAILED_DIRTY : ORDER_REFUSED, err.msg);
		return;
	}
	tell_safety(w, done.safety_snapshot);
	struct order_report r = {.order = o->order,
	    .kind = o->kind,
	    .service = o->service,
	    .outcome = done.outcome,
	    .at_ms = clock_wall_ms(),
	    .steps = done.steps,
	    .safety_snapshot = done.safety_snapshot,
	    .snapshot = done.snapshot,
	    .components = done.components,
	    .digests_match = done.digests_match,
	    .healthy = done.healthy,
	    .text = done.text};
	tell_order(w, &r);
	settle(w, request.service); /* nobody waits for it any more */
}

/* ---- actions ---- */

/* One program that the service declares, as a step that is told. */
static bool run_step(struct work *w, enum step_kind kind, const struct list *argv, const struct service_config *service,
    struct err *reterr)
{
	const char *args[CONFIG_ARGV_MAX + 1] = {NULL};
	struct order_step step = {.kind = kind, .began_ms = clock_wall_ms()};
	uint64_t began = clock_mono_ms();
	if (!argv->count)
		return true;
	for (size_t i = 0; i < argv->count && i < CONFIG_ARGV_MAX; i++)
		args[i] = LIST_AT(*argv, const char *, i);
	struct process_spec spec = {
	    .argv = args, .timeout_ms = service->steps.timeout_ms, .leave_descendants = true, .merge_errors = true};
	step.ok = process_run_ok(&spec, NULL, reterr) == ERR_OK;
	step.took_ms = clock_mono_ms() - began;
	if (!step.ok)
		step.text = arena_printf(w->arena, "%.400s", reterr->msg);
	on_step(w, &step);
	return step.ok;
}

/* A stop that fails may be of what is dead already: whether it starts is what counts. */
static bool run_action(
    struct work *w, const struct action_config *a, const struct service_config *service, struct err *reterr)
{
	if (a->run.count)
		return run_step(w, STEP_ACTION, &a->run, service, reterr);
	(void)run_step(w, STEP_STOP, &service->steps.stop, service, reterr);
	return run_step(w, STEP_START, &service->steps.start, service, reterr);
}

/* What was run cannot be taken back; whether it helped, the probes say. */
static void order_action(struct work *w)
{
	const struct order *o = w->spec->order;
	const struct service_config *service = agent_config_service(w->c, o->service);
	const struct action_config *a = service && o->plan ? service_config_action(service, o->plan->action) : NULL;
	char text[TEXT_LINE_MAX] = "";
	struct err err = ERR_INIT;
	if (!a) {
		end_order(w, ORDER_REFUSED, "agent.yaml declares no such action for the service");
		return;
	}
	bool ran = run_action(w, a, service, &err), healthy = ran && work_prove(w->c, o->service, false, text);
	struct order_report r = {.order = o->order,
	    .kind = o->kind,
	    .service = o->service,
	    .outcome = healthy ? ORDER_OK : ORDER_FAILED_DIRTY,
	    .at_ms = clock_wall_ms(),
	    .steps = {w->steps, w->step_count},
	    .healthy = healthy,
	    .text = arena_printf(w->arena, "%s %s", a->name,
		healthy ? "was run, and the probes pass"
		: ran   ? text
			: err.msg)};
	tell_order(w, &r);
}

/* ---- drift: what differs from the newest restore point that is not a safety net ---- */

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

static bool is_reference(const struct snapshot_summary *s)
{
	return !s->suspect && !s->marks.suspect && (s->reason == SNAPSHOT_SCHEDULED || s->reason == SNAPSHOT_MANUAL);
}

static enum err_code reference_of(
    struct work *w, const char *service, struct snapshot **ret, bool *ret_found, struct err *reterr)
{
	struct list all;
	enum err_code rc = snapshot_list(w->repo, service, w->arena, &all, NULL, reterr);
	*ret_found = false;
	for (size_t i = 0; rc == ERR_OK && !*ret_found && i < all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, i);
		if (is_reference(s) && (rc = snapshot_open(w->repo, s->snapshot, ret, reterr)) == ERR_OK)
			*ret_found = true;
	}
	return rc;
}

static void tell_drift(
    struct work *w, const struct snapshot *reference, const struct drifting *x, const struct diff_result *d)
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
		    .added = c->added,
		    .removed = c->removed,
		    .newest_change_ms = c->newest_change_ms,
		    .digest = c->digest,
		    .paths = {x->paths[i], x->count[i]},
		    .version_before = c->version_before[0] ? c->version_before : NULL,
		    .version_now = c->version_now[0] ? c->version_now : NULL};
		struct report r = {.drift = &body};
		tell(w, IMPORTANCE_EVENT, &r);
	}
}

static bool has_drift(const struct diff_result *d)
{
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct diff_component *c = &d->component[i];
		if (c->compared && (c->added || c->removed || c->content || c->metadata))
			return true;
	}
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
	if (w->spec->suspect || s->marks.healthy_since_ms || s->taken_ms + WORK_PROVEN_MS > now_ms || has_drift(d))
		return;
	if (snapshot_mark(w->repo, s->snapshot, set_healthy, &now_ms, &err) != ERR_OK)
		log_warn("snapshot", "service=%s %s cannot be marked: %s", s->service,
		    id_text(ID_SNAPSHOT, s->snapshot), err.msg);
}

static void drift_of(struct work *w, const struct service_config *service)
{
	struct snapshot *reference = NULL;
	struct drifting x = {.w = w};
	struct diff_options o = {.cancel = w->out->cancel};
	struct diff_result d;
	struct err err = ERR_INIT;
	bool found;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (!(x.paths[i] = arena_array(w->arena, REPORT_PATHS_MAX, sizeof *x.paths[i])))
			return;
	enum err_code rc = reference_of(w, service->name, &reference, &found, &err);
	if (rc == ERR_OK && found) {
		rc = snapshot_diff_live(reference, service, &o, on_difference, &x, &d, &err);
		if (rc == ERR_OK) {
			tell_drift(w, reference, &x, &d);
			note_health(w, snapshot_about(reference), &d);
		}
		snapshot_close(reference);
	}
	if (rc != ERR_OK && rc != ERR_CANCELLED)
		log_warn("drift", "service=%s cannot be compared: %s", service->name, err.msg);
}

static void do_drift(struct work *w)
{
	for (size_t i = 0; i < w->c->services.count; i++) {
		const struct service_config *s = &LIST_AT(w->c->services, struct service_config, i);
		if (!w->spec->service || text_equal(w->spec->service, s->name))
			drift_of(w, s);
	}
}

/* ---- upkeep ---- */

static void tell_notice(struct work *w, enum severity severity, const char *what, const char *service, const char *text)
{
	char line[TEXT_LINE_MAX];
	text_copy(line, sizeof line, text);
	struct notice_report body = {.severity = severity, .what = what, .text = line, .service = service};
	struct report r = {.notice = &body};
	tell(w, IMPORTANCE_EVENT, &r);
}

static void do_verify(struct work *w)
{
	const struct service_config *service = agent_config_service(w->c, w->spec->service);
	struct verify_options o = {.now_ms = clock_wall_ms(), .cancel = w->out->cancel};
	struct verify_result done;
	struct snapshot_summary s;
	struct err err = ERR_INIT;
	enum upkeep_due due = UPKEEP_NOTHING;
	upkeep_gently();
	enum err_code rc = service ? upkeep_due(service, w->repo, o.now_ms, w->arena, &due, &s, &err) : ERR_OK;
	if (rc == ERR_OK && due == UPKEEP_NOTHING)
		return;
	o.sample = due == UPKEEP_SAMPLE;
	if (rc == ERR_OK)
		rc = snapshot_verify(w->repo, s.snapshot, &o, &done, &err);
	if (rc == ERR_CORRUPT)
		tell_notice(w, SEVERITY_HIGH, "snapshot-damaged", w->spec->service, err.msg);
	if (rc != ERR_OK && rc != ERR_CANCELLED)
		log_error("snapshot", "service=%s not verified: %s", w->spec->service, err.msg);
	if (rc != ERR_OK)
		return;
	log_info("snapshot", "service=%s %s: %llu of %llu chunks read back and authenticated", s.service,
	    id_text(ID_SNAPSHOT, s.snapshot), (unsigned long long)done.chunks, (unsigned long long)done.chunks_total);
	if (due == UPKEEP_VERIFY)
		tell_snapshot(w, &s, true);
}

/* Trees that were staged beforehand and have had their day, and what an interrupted process left undone with them. */
static void clean_prepared(struct work *w)
{
	struct err err = ERR_INIT;
	size_t swept = 0;
	for (size_t i = 0; i < w->c->services.count; i++)
		settle(w, &LIST_AT(w->c->services, struct service_config, i));
	if (rollback_prepared_sweep(w->repo, w->c->state_directory, clock_wall_ms(), w->arena, &swept, &err) != ERR_OK)
		log_warn("rollback", "prepared trees are not cleaned: %s", err.msg);
	else if (swept)
		log_info("rollback", "%zu prepared trees removed", swept);
}

static void do_prune(struct work *w)
{
	struct prune_result done;
	struct err err = ERR_INIT;
	char size[TEXT_TIME_MAX];
	size_t spared = 0;
	upkeep_gently();
	clean_prepared(w);
	enum err_code rc = upkeep_prune(w->c, w->repo, NULL, true, w->out->cancel, w->arena, &done, &spared, &err);
	if (rc == ERR_CORRUPT)
		tell_notice(w, SEVERITY_HIGH, "repository-damaged", NULL, err.msg);
	if (rc != ERR_OK && rc != ERR_CANCELLED && rc != ERR_BUSY)
		log_warn("snapshot", "nothing was pruned: %s", err.msg);
	if (rc == ERR_OK)
		log_info("snapshot",
		    "pruned: %zu restore points removed, %llu packs condemned, %llu written anew, %s freed; %zu services keep all for now",
		    done.removed.count, (unsigned long long)done.condemned_packs,
		    (unsigned long long)done.repacked_packs, text_size_human(done.deleted_bytes, size), spared);
}

/* ---- all of them ---- */

static void do_order(struct work *w, bool resume)
{
	switch ((enum order_kind)w->spec->order->kind) {
	case ORDER_ROLLBACK:
	case ORDER_UNDO:
		order_rollback(w, resume);
		return;
	case ORDER_ACTION:
		order_action(w);
		return;
	case ORDER_SNAPSHOT:
		order_snapshot(w);
		return;
	case ORDER_VERIFY:
		order_verify(w);
		return;
	case ORDER_PROBE: /* the keeper's own probes do this */
	case ORDER_KIND_COUNT:
		break;
	}
	end_order(w, ORDER_REFUSED, "this agent does not know such an order");
}

void work_run(const struct agent_config *c, const struct work_spec *spec, const struct work_out *out)
{
	struct work w = {.c = c, .spec = spec, .out = out, .arena = arena_new(WORK_ARENA_MAX)};
	struct err err = ERR_INIT;
	started_ms = clock_mono_ms();
	enum err_code rc = w.arena ? work_repo(c, &w.repo, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK) {
		log_error("keeper", "the repository cannot be used: %s", err.msg);
		if (spec->kind == WORK_SNAPSHOT)
			tell_snapshot_failed(&w, spec->service, spec->reason, err.msg);
		else if (spec->order)
			end_order(&w, ORDER_REFUSED, err.msg);
	} else if (spec->kind == WORK_ORDER || spec->kind == WORK_RESUME) {
		do_order(&w, spec->kind == WORK_RESUME);
	} else if (spec->kind == WORK_SNAPSHOT) {
		do_snapshot(&w);
	} else if (spec->kind == WORK_COPY) {
		work_copy(c, w.repo, out, w.arena);
	} else if (spec->kind == WORK_DRILL) {
		work_drill(c, w.repo, spec->service, out, w.arena);
	} else if (spec->kind == WORK_VERIFY) {
		do_verify(&w);
	} else if (spec->kind == WORK_PRUNE) {
		do_prune(&w);
	} else {
		do_drift(&w);
	}
	repo_close(w.repo);
	arena_free(w.arena);
}
