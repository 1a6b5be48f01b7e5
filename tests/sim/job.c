/* tests/sim/job.c: a rollback on a host, as agent/rollback does it: journalled step by step, reversible, answering
 * again what has ended. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static void next_step(struct place *p);

bool job_is_changing(const struct place *p)
{
	return p->job.journalled && !p->job.ended && p->job.phase >= JOB_STOP;
}

static void say(struct place *p, struct id order, enum order_kind kind, enum order_outcome outcome, bool match,
    bool healthy, struct id safety, const char *text)
{
	struct order_step last = {.kind = STEP_VERIFY, .began_ms = agent_wall(p->agent)};
	bool judged_bad = p->job.judged_bad && id_equal(p->job.order, order);
	struct order_report r = {.order = order,
	    .kind = kind,
	    .service = sim_services[p->service],
	    .outcome = outcome,
	    .at_ms = agent_wall(p->agent),
	    .steps = {&last, judged_bad},
	    .safety_snapshot = safety,
	    .digests_match = match,
	    .healthy = healthy,
	    .text = text};
	orders_on_job_report(p->agent->orders, &r);
}

static void answer(struct place *p)
{
	struct job *j = &p->job;
	j->running = false;
	say(p, j->order, j->kind, j->outcome, j->matched, j->healthy, j->safety,
	    enum_name(&order_outcome_enum, j->outcome));
	p->next_drift_ms = p->agent->sim->now_ms;
}

/* The journal says how it ended, before anybody is told. */
static void end(struct place *p, enum order_outcome outcome, bool match, bool healthy)
{
	struct job *j = &p->job;
	if (!agent_io(p->agent))
		return;
	check_ended(p->agent->sim, j->order, outcome == ORDER_OK && match);
	j->ended = true;
	j->outcome = outcome;
	j->matched = match;
	j->healthy = healthy;
	sim_trace(p->agent->sim, "%s: rollback of %s ends: %s", p->agent->name, sim_services[p->service],
	    enum_name(&order_outcome_enum, outcome));
	if (!p->agent->dying)
		answer(p);
}

static bool matches(const struct place *p, const struct snapshot_kept *k)
{
	for (unsigned c = 0; c < SIM_COMPONENTS; c++)
		if (p->job.components & 1u << c && p->live[c] != k->generation[c])
			return false;
	return true;
}

static void put_back(struct place *p, struct id snapshot)
{
	const struct snapshot_kept *k = place_snapshot(p, snapshot);
	for (unsigned c = 0; k && c < SIM_COMPONENTS; c++)
		if (p->job.components & 1u << c)
			place_deploy(p, (enum component)c, k->generation[c]);
}

static void enter(struct place *p, enum job_phase phase)
{
	if (!agent_io(p->agent))
		return; /* dead before the journal was written */
	p->job.phase = phase;
	if (!p->agent->dying)
		next_step(p);
}

static void undo(struct place *p)
{
	p->job.reverting = true;
	enter(p, JOB_UNDO);
}

static void restore_one(struct place *p, const struct snapshot_kept *k)
{
	struct job *j = &p->job;
	while (j->restored < SIM_COMPONENTS && !(j->components & 1u << j->restored))
		j->restored++;
	if (j->restored < SIM_COMPONENTS)
		place_deploy(p, (enum component)j->restored, k->generation[j->restored]);
	j->restored++;
	enter(p, j->restored < SIM_COMPONENTS ? JOB_RESTORE : JOB_START);
}

static void verify(struct place *p, const struct snapshot_kept *k)
{
	if (matches(p, k) && place_well(p))
		end(p, ORDER_OK, true, true);
	else {
		p->job.judged_bad = matches(p, k);
		undo(p);
	}
}

/* What one step does, at its end. */
static void act(struct place *p)
{
	struct sim *s = p->agent->sim;
	struct job *j = &p->job;
	const struct snapshot_kept *k = place_snapshot(p, j->target);
	bool fails = !s->calm && sim_chance(s, s->o.rates.step_fail_permille),
	     late = s->now_ms > j->began_ms + j->limit_ms;
	if (!k || ((fails || late || j->cancel) && j->phase < JOB_STOP)) {
		end(p, j->cancel ? ORDER_CANCELLED : ORDER_REVERTED, false, false);
		return;
	}
	if ((fails || late) && j->phase < JOB_UNDO) {
		undo(p);
		return;
	}
	switch (j->phase) {
	case JOB_STAGE:
		enter(p, JOB_SAFETY);
		break;
	case JOB_SAFETY:
		place_take_snapshot(p, SNAPSHOT_SAFETY, &j->safety);
		enter(p, JOB_STOP);
		break;
	case JOB_STOP:
		p->stopped = true;
		enter(p, JOB_RESTORE);
		break;
	case JOB_RESTORE:
		restore_one(p, k);
		break;
	case JOB_START:
		p->stopped = false;
		enter(p, JOB_VERIFY);
		break;
	case JOB_VERIFY:
		verify(p, k);
		break;
	case JOB_UNDO:
		put_back(p, j->safety);
		p->stopped = false;
		end(p, fails ? ORDER_FAILED_DIRTY : ORDER_REVERTED, false, false);
		break;
	case JOB_PHASES:
		break;
	}
}

static void on_step(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct place *p = ctx;
	(void)owned;
	if (!p->job.running || p->job.life != tag || p->agent->dying)
		return;
	if (!s->calm && s->o.rates.worker_crash_s &&
	    sim_chance(s, 5)) { /* the worker dies; the keeper asks another to finish */
		sim_trace(s, "%s: a worker dies", p->agent->name);
		p->job.running = false;
		orders_on_job_lost(p->agent->orders, p->job.order);
		return;
	}
	act(p);
}

static void next_step(struct place *p)
{
	struct sim *s = p->agent->sim;
	uint64_t most = s->o.step_ms ? s->o.step_ms : sim_chance(s, 50) ? 20000 : 800;
	sim_at(s, s->now_ms + sim_between(s, 50, most), on_step, p, p->job.life, NULL);
}

/* ---- begin ---- */

static void resume_job(struct place *p)
{
	struct job *j = &p->job;
	sim_trace(p->agent->sim, "%s: rollback of %s resumes in phase %d", p->agent->name, sim_services[p->service],
	    j->ended ? 9 : (int)j->phase);
	if (j->ended)
		answer(p);
	else if (j->phase < JOB_RESTORE) { /* untouched: the service runs on as it did */
		p->stopped = false;
		end(p, ORDER_REVERTED, false, false);
	} else if (j->phase < JOB_UNDO && sim_chance(p->agent->sim, 500))
		undo(p);
	else
		next_step(p);
}

static void on_answer(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct place *p = ctx;
	(void)s;
	(void)owned;
	if (p->job.running && p->job.life == tag && !p->agent->dying)
		resume_job(p);
}

/* Orders that change nothing. */
static void on_small(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct place *p = ctx;
	struct order *o = owned; /* only its ids are looked at */
	(void)s;
	if (p->agent->life != tag || p->agent->dying)
		return;
	if (o->kind == ORDER_SNAPSHOT)
		place_take_snapshot(p, SNAPSHOT_MANUAL, NULL);
	else
		place_tell_health(p, false);
	say(p, o->order, (enum order_kind)o->kind, ORDER_OK, false, true, (struct id){{0}}, "done");
}

static uint32_t bits_of(const struct list *components)
{
	return components->count ? component_set(components) : (1u << SIM_COMPONENTS) - 1;
}

/* Is what is there still what the plan was made on? */
static bool is_as_planned(const struct place *p, const struct order *o)
{
	static const struct digest any;
	struct digest live[COMPONENT_COUNT] = {0}, now;
	struct err err;
	if (memcmp(&o->precondition, &any, sizeof any) == 0)
		return true;
	for (unsigned c = 0; c < SIM_COMPONENTS; c++)
		live[c] = generation_digest(p->service, (enum component)c, p->live[c]);
	return precondition_digest(live, bits_of(&o->components), &now, &err) == ERR_OK &&
	       memcmp(&now, &o->precondition, sizeof now) == 0;
}

/* Why it is not begun; NULL: it may be.  Nothing is touched yet. */
static const char *refusal(const struct place *p, const struct order *o)
{
	if (!is_as_planned(p, o))
		return "it is not any more what this was planned on";
	return place_snapshot(p, o->snapshot) ? NULL : "there is no such restore point here";
}

enum err_code job_start(struct place *p, const struct order *o, bool resume, struct err *reterr)
{
	struct sim *s = p->agent->sim;
	struct job *j = &p->job;
	if (o->kind != ORDER_ROLLBACK && o->kind != ORDER_UNDO) {
		struct order *owned = malloc(sizeof(*owned)); /* what it points to is not kept */
		if (!owned)
			abort();
		*owned = *o;
		sim_at(s, s->now_ms + sim_between(s, 100, 2000), on_small, p, p->agent->life, owned);
		return ERR_OK;
	}
	if (j->running)
		return err_set(reterr, ERR_BUSY, "another rollback of the service runs here");
	bool known = j->journalled && id_equal(j->order, o->order);
	if (j->journalled && !j->ended && !known)
		return err_set(reterr, ERR_BUSY, "a rollback of the service has not ended here");
	const char *no = known ? NULL : refusal(p, o);
	bool late = resume && !known && agent_wall(p->agent) >= o->expires_ms; /* taken on, and never begun in time */
	if ((no || late) && resume) {
		say(p, o->order, (enum order_kind)o->kind, late ? ORDER_EXPIRED : ORDER_REFUSED, false, false,
		    (struct id){{0}}, late ? "its deadline had passed" : no);
		return ERR_OK;
	}
	if (no)
		return err_set(reterr, ERR_STATE, "%s", no);
	check_begins(s, p, o, resume && known);
	if (resume && known) {
		j->running = true;
		j->began_ms = s->now_ms;
		j->life = ++s->numbers;
		sim_at(s, s->now_ms + 100, on_answer, p, j->life, NULL);
		return ERR_OK;
	}
	*j = (struct job){.journalled = true,
	    .running = true,
	    .kind = (enum order_kind)o->kind,
	    .order = o->order,
	    .target = o->snapshot,
	    .components = bits_of(&o->components),
	    .began_ms = s->now_ms,
	    .limit_ms = o->run_limit_ms,
	    .life = ++s->numbers};
	s->rollbacks_begun++;
	sim_trace(s, "%s: rollback of %s begins", p->agent->name, sim_services[p->service]);
	next_step(p);
	return ERR_OK;
}

void job_cancel(struct agent *a, struct id order)
{
	for (size_t i = 0; i < a->place_count; i++)
		if (a->places[i].job.running && id_equal(a->places[i].job.order, order))
			a->places[i].job.cancel = true;
}
