/* agent/keeper/obey.c: orders meet the host: the adapters of orders.h. */
#include <string.h>

#include "agent/keeper/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { OBEY_ARENA = 1 << 20 };

static enum err_code io_put(void *ctx, const struct order_entry *e, struct err *reterr)
{
	return order_journal_put(((struct keeper *)ctx)->journal, e, reterr);
}
static enum err_code io_remove(void *ctx, struct id order, struct err *reterr)
{
	return order_journal_remove(((struct keeper *)ctx)->journal, order, reterr);
}
static enum err_code io_put_epoch(void *ctx, uint64_t epoch, struct err *reterr)
{
	struct keeper *k = ctx;
	enum err_code rc = order_journal_put_epoch(k->journal, epoch, reterr);
	if (rc == ERR_OK)
		guard_declare(k, epoch);
	return rc;
}

static bool is_changing(const struct order *o)
{
	return order_is_changing(o->kind);
}

static enum err_code io_start(void *ctx, const struct order *o, bool resume, struct err *reterr)
{
	struct keeper *k = ctx;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(OBEY_ARENA);
	struct work_spec spec = {.kind = resume ? WORK_RESUME : WORK_ORDER, .order = o, .service = o->service};
	/* What a proof is held against.  Whoever resumes finds the service as the first worker left it. */
	if (!resume && is_changing(o) && arena && k->probes)
		(void)!probe_set_results(k->probes, o->service, arena, &spec.before, NULL);
	log_info("keeper", "order=%s service=%s %s %s by %s", id_text(ID_ORDER, o->order),
	    o->service ? o->service : "-", resume ? "resumes" : "begins", enum_name(&order_kind_enum, o->kind),
	    o->issuer ? o->issuer : "-");
	if (o->kind == ORDER_PROBE)
		return observe_probe_order(k, o, reterr);
	observe_yield(k);
	if (is_changing(o)) /* what it asks the service's own programs must not meet ours; the end compares anew */
		jobs_stop(k->jobs, WORK_DRIFT, o->service);
	enum err_code rc = jobs_start(k->jobs, &spec, reterr);
	if (rc == ERR_OK && is_changing(o))
		observe_changed(k, o->service, true);
	return rc;
}

static void io_cancel(void *ctx, struct id order)
{
	jobs_cancel(((struct keeper *)ctx)->jobs, order);
}

static void io_tell(void *ctx, const struct order_report *r)
{
	struct report out = {.order = r};
	keeper_tell(ctx, IMPORTANCE_RESULT, &out);
}

static bool io_authorised(void *ctx, const struct order *o, char why[TEXT_LINE_MAX])
{
	struct keeper *k = ctx;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(8 << 20);
	const struct service_config *service = agent_config_service(k->c, o->service);
	char path[PATH_LIMIT], text[APPROVAL_TEXT_MAX];
	if (text_format(path, sizeof path, "%s/HOLD", k->c->state_directory) && file_exists(path)) {
		text_format(why, TEXT_LINE_MAX, "this host is on hold: %s is there", path);
		return false;
	}
	if (!arena || !service) {
		text_copy(why, TEXT_LINE_MAX, arena ? "agent.yaml declares no such service" : "out of memory");
		return false;
	}
	const char *actions[CONFIG_ACTIONS_MAX];
	size_t action_count = 0;
	for (size_t i = 0; i < service->actions.count && i < CONFIG_ACTIONS_MAX; i++)
		if (LIST_AT(service->actions, struct action_config, i).automatic)
			actions[action_count++] = LIST_AT(service->actions, struct action_config, i).name;
	struct host_rules rules = {.host = k->c->host,
	    .keys = &k->keys,
	    .automatic = service->rollback.automatic,
	    .actions = {actions, action_count},
	    .now_ms = clock_wall_ms()};
	enum verdict v = order_authorised(o, &rules, arena, text);
	if (v != VERDICT_AUTHORISED)
		text_format(why, TEXT_LINE_MAX, "%s: %.400s", enum_name(&verdict_enum, v), text);
	return v == VERDICT_AUTHORISED;
}

static uint64_t io_now(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

/* ---- workers ---- */

static void on_report(void *ctx, const struct report *r)
{
	observe_report(ctx, r);
}

static void on_progress(void *ctx, const struct progress *p)
{
	struct channel_message m = {.type = CHANNEL_PROGRESS, .progress = p};
	(void)guard_send(ctx, &m); /* now or never */
}

static void on_ended(void *ctx, const struct work_spec *spec, bool clean)
{
	struct keeper *k = ctx;
	if (clean)
		copies_on_ended(k, spec);
	if (spec->order && is_changing(spec->order))
		observe_changed(k, spec->order->service, false);
	if (spec->order) /* a worker that ended without its order's end crashed, however it exited */
		orders_on_job_lost(k->orders, spec->order->order);
	else if (!clean)
		keeper_notice(
		    k, SEVERITY_MEDIUM, "worker-crashed", spec->service, "a worker of the agent crashed: see its log");
}

enum err_code obey_new(struct keeper *k, struct err *reterr)
{
	struct orders_io io = {k, io_put, io_remove, io_put_epoch, io_start, io_cancel, io_tell, io_authorised, io_now};
	struct jobs_events events = {k, on_report, on_progress, on_ended};
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	struct list entries;
	uint64_t epoch;
	enum err_code rc =
	    arena ? approval_keys_parse(&k->c->approvers, k->c->approvals_needed, k->arena, &k->keys, reterr)
		  : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = jobs_new(k->loop, k->c, &events, &k->jobs, reterr);
	if (rc == ERR_OK)
		rc = order_journal_open(k->c->state_directory, &k->journal, reterr);
	if (rc == ERR_OK)
		rc = orders_new(k->c, &io, &k->orders, reterr);
	if (rc == ERR_OK)
		rc = order_journal_load(k->journal, arena, &entries, &epoch, reterr);
	return rc == ERR_OK ? orders_load(k->orders, entries.items, entries.count, epoch, reterr) : rc;
}

void obey_free(struct keeper *k)
{
	jobs_free(k->jobs);
	orders_free(k->orders);
	order_journal_close(k->journal);
}
