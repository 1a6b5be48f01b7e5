/* agent/worker/action.c: an order to run what agent.yaml declares as an action. */
#include "agent/io/process.h"
#include "agent/worker/internal.h"
#include "shared/base/clock.h"

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
	work_on_step(w, &step);
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

/* Whether it did what it should, the rollback behind it finds: it does not begin where there is no room. */
const char *work_run_first(struct work *w, const struct service_config *service)
{
	const struct order *o = w->spec->order;
	const struct action_config *a =
	    o->plan && o->plan->first ? service_config_action(service, o->plan->first) : NULL;
	struct err err = ERR_INIT;
	if (!a)
		return NULL;
	return run_action(w, a, service, &err)
		   ? arena_printf(w->arena, "%s was run first; ", a->name)
		   : arena_printf(w->arena, "%s was run first and failed (%.120s); ", a->name, err.msg);
}

static const char *said(struct work *w, const char *name, bool interrupted, enum work_proof proof, const char *trouble)
{
	const char *how = interrupted ? "was interrupted, and is not run a second time" : "was run";
	return proof == WORK_PROOF_WELL     ? arena_printf(w->arena, "%s %s, and the probes pass", name, how)
	       : proof == WORK_PROOF_BETTER ? arena_printf(w->arena, "%s %s and helped: %s", name, how, trouble)
	       : interrupted                ? arena_printf(w->arena, "%s %s; %s", name, how, trouble)
					    : arena_printf(w->arena, "%s %s", name, trouble);
}

/* What was run cannot be taken back; whether it helped, the probes say.  A program that was interrupted is not run a
 * second time, for nobody knows what it had done.  A restart is: the service may stand still. */
void work_order_action(struct work *w, bool resume)
{
	const struct order *o = w->spec->order;
	const struct service_config *service = agent_config_service(w->c, o->service);
	const struct action_config *a = service && o->plan ? service_config_action(service, o->plan->action) : NULL;
	char text[TEXT_LINE_MAX] = "";
	struct err err = ERR_INIT;
	if (!a) {
		work_end_order(w, ORDER_REFUSED, "agent.yaml declares no such action for the service");
		return;
	}
	bool interrupted = resume && a->run.count, ran = interrupted || run_action(w, a, service, &err);
	enum work_proof proof = ran ? work_prove(w->c, o->service, false, &w->spec->before, text) : WORK_PROOF_BAD;
	struct order_report r = {.order = o->order,
	    .kind = o->kind,
	    .service = o->service,
	    .outcome = proof == WORK_PROOF_WELL     ? ORDER_OK
		       : proof == WORK_PROOF_BETTER ? ORDER_OK_WITH_EXCEPTIONS
						    : ORDER_FAILED_DIRTY,
	    .at_ms = clock_wall_ms(),
	    .steps = {w->steps, w->step_count},
	    .healthy = proof == WORK_PROOF_WELL,
	    .better = proof == WORK_PROOF_BETTER,
	    .text = said(w, a->name, interrupted, proof, ran ? text : err.msg)};
	work_tell_order(w, &r);
}
