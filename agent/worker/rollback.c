/* agent/worker/rollback.c: an order to roll back or to undo. */
#include "agent/rollback/rollback.h"
#include "agent/rollback/journal.h"
#include "agent/rollback/prepared.h"
#include "agent/rollback/progressive.h"
#include "agent/worker/confirm.h"
#include "agent/worker/internal.h"
#include "agent/worker/schema.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

void work_on_step(void *ctx, const struct order_step *step)
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
	struct work *w = ctx;
	w->proof = work_prove(w->c, service, deep, &w->spec->before, text);
	return w->proof == WORK_PROOF_WELL;
}

static bool on_better(void *ctx)
{
	return ((struct work *)ctx)->proof == WORK_PROOF_BETTER;
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
	work_tell_order(w, &r);
}

static bool on_confirm(
    void *ctx, const struct service_config *service, uint64_t in_place_ms, char text[ROLLBACK_TEXT_MAX])
{
	struct work *w = ctx;
	struct work_confirm c = {.heard_ms = w->out->heard_ms,
	    .settle_ms = WORK_CONFIRM_SETTLE_MS,
	    .within_ms = service->rollback.confirm_within_ms,
	    .least_ms = CONFIG_CONFIRM_LEAST_MS,
	    .in_place_ms = in_place_ms,
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
		work_tell_snapshot(w, &s, false);
}

/* What a rollback has exchanged becomes the restore point that it promised. */
void work_settle(struct work *w, const struct service_config *service)
{
	struct list saved;
	struct err err = ERR_INIT;
	if (rollback_settle(w->repo, w->c->state_directory, service, clock_wall_ms(), w->arena, &saved, &err) != ERR_OK)
		log_warn("rollback", "service=%s what was exchanged is not saved yet: %s", service->name, err.msg);
	for (size_t i = 0; i < saved.count; i++)
		work_tell_snapshot(w, &LIST_AT(saved, struct snapshot_summary, i), false);
}

static uint32_t bits_of(const struct list *components)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < components->count; i++)
		bits |= 1u << LIST_AT(*components, uint32_t, i);
	return bits;
}

bool work_has_begun(const struct work *w)
{
	const struct order *o = w->spec->order;
	struct list pending;
	if (w->spec->kind != WORK_RESUME || o->kind == ORDER_SNAPSHOT || o->kind == ORDER_VERIFY)
		return false;
	if (o->kind == ORDER_ACTION || !w->arena || rollback_is_progressive(w->c->state_directory, o->order) ||
	    rollback_pending(w->c->state_directory, w->arena, &pending, NULL) != ERR_OK)
		return true; /* of what cannot be read recovering says what is wrong */
	for (size_t i = 0; i < pending.count; i++)
		if (id_equal(LIST_AT(pending, struct rollback_pending, i).order, o->order))
			return true;
	return false;
}

/* Also of one that has ended; what cannot be read says more when it is looked into. */
static bool has_journal(struct work *w)
{
	char folder[PATH_LIMIT];
	struct journal j;
	return !text_format(folder, sizeof folder, "%s/rollback", w->c->state_directory) ||
	       rollback_journal_read(folder, w->spec->order->order, w->arena, &j, NULL) != ERR_NOT_FOUND;
}

/* Until when it may take from a storage that other hosts read from, too: whoever ordered it counts on that, and lets
 * others read then.  By the clock on the wall, for it goes on through every restart. */
static uint64_t until_ms(const struct order *o)
{
	return o->expires_ms + o->run_limit_ms;
}

/* The rest of its time; one that is over is told apart from none. */
static uint64_t time_left_ms(const struct order *o)
{
	uint64_t now_ms = clock_wall_ms(), end_ms = until_ms(o), left_ms = end_ms > now_ms ? end_ms - now_ms : 1;
	return left_ms < o->run_limit_ms ? left_ms : o->run_limit_ms;
}

static const char *said_after(struct work *w, const char *first, const char *text)
{
	const char *both = first ? arena_printf(w->arena, "%s%s", first, text ? text : "") : NULL;
	return both ? both : text;
}

void work_order_rollback(struct work *w)
{
	const struct order *o = w->spec->order;
	struct rollback_io io = {w, work_on_step, on_prove, on_cancelled, on_now, on_confirm, on_better};
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
		work_end_order(w, ORDER_REFUSED, "agent.yaml declares no such service");
		return;
	}
	const char *first = NULL;
	bool resume = w->spec->kind == WORK_RESUME, begun = work_has_begun(w);
	bool progressive = o->kind == ORDER_ROLLBACK && o->plan && o->plan->progressive;
	/* It was taken on, and whoever was to begin it died first: it may be hours since. */
	if (resume && !begun && clock_wall_ms() >= o->expires_ms && !has_journal(w)) {
		work_end_order(
		    w, ORDER_EXPIRED, "its deadline had passed when this host could begin it: nothing is changed");
		return;
	}
	if (!begun && !request.cross_schema) {
		schema_versions(request.service, w->arena, schema, &request.schema_count);
		request.schema = schema;
	}
	if (!resume &&
	    !has_journal(w)) /* what was interrupted is not run a second time, for nobody knows what it had done */
		first = work_run_first(w, request.service);
	if (resume && progressive) /* a try that was begun has an end; there is no time for others */
		request.run_limit_ms = time_left_ms(o);
	enum err_code rc =
	    progressive ? rollback_progressive(w->repo, w->c->state_directory, &request, &io, w->arena, &done, &err)
	    : begun     ? rollback_recover(w->repo, w->c->state_directory, &request, &io, w->arena, &done, &err)
			: rollback_run(w->repo, w->c->state_directory, &request, &io, w->arena, &done, &err);
	if (rc != ERR_OK) {
		work_end_order(w, begun ? ORDER_FAILED_DIRTY : ORDER_REFUSED, said_after(w, first, err.msg));
		return;
	}
	tell_safety(w, done.safety_snapshot);
	struct order_report r = {.order = o->order,
	    .kind = o->kind,
	    .service = o->service,
	    .outcome = done.outcome,
	    .at_ms = clock_wall_ms(),
	    .steps = first ? (struct list){w->steps, w->step_count} : done.steps,
	    .safety_snapshot = done.safety_snapshot,
	    .snapshot = done.snapshot,
	    .components = done.components,
	    .digests_match = done.digests_match,
	    .healthy = done.healthy,
	    .better = done.better,
	    .text = said_after(w, first, done.text)};
	work_tell_order(w, &r);
	work_settle(w, request.service); /* nobody waits for it any more */
}
