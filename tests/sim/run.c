/* tests/sim/run.c: a run: everybody starts, chaos, calm, the last checks. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/log.h"
#include "tests/sim/sim.h"

enum { GENERATIONS = 4096, MINUTE_MS = 60 * 1000, CHECK_MS = 20 * 1000 };

struct sim_options sim_defaults(uint64_t seed)
{
	return (struct sim_options){.seed = seed,
	    .graph = true,
	    .storages = (unsigned)(seed % 3), /* 0: nobody shares one */
	    .restores = 1 + (unsigned)(seed / 3 % 2),
	    .chaos_ms = 20 * MINUTE_MS,
	    .calm_ms = 40 * MINUTE_MS,
	    .rates = sim_usual};
}

/* records-db on the last host, portal on the others, batch on every second. */
static void place_services(struct sim *s)
{
	for (unsigned i = 0; i < s->agent_count; i++) {
		struct agent *a = &s->agents[i];
		bool last = i + 1 == s->agent_count;
		place_make(&a->places[a->place_count++], a, last ? 1 : 0);
		if (i % 2 == 0)
			place_make(&a->places[a->place_count++], a, 2);
	}
}

/* What else there is on some hosts, and who leans on whom. */
static void draw_graph(struct sim *s)
{
	s->services = s->o.graph ? (unsigned)sim_between(s, 3, SIM_SERVICES) : 3;
	for (unsigned service = 3; service < s->services; service++)
		for (unsigned i = 0; i < s->agent_count; i++) {
			struct agent *a = &s->agents[i];
			if (i + 1 == s->agent_count || sim_chance(s, 500))
				place_make(&a->places[a->place_count++], a, service);
		}
	for (unsigned i = 0; i < s->services; i++)
		for (unsigned on = i + 1; on < s->services; on++) {
			s->leans[i][on] = (i == 0 && on == 1) || (s->o.graph && sim_chance(s, 250));
			if (s->leans[i][on])
				s->lean_names[i][s->lean_count[i]++] = sim_services[on];
		}
}

struct sim *sim_new(const struct sim_options *o)
{
	struct sim *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	log_setup("sim", LOG_LEVEL_COUNT); /* the trace tells */
	s->o = *o;
	s->digest = 0xcbf29ce484222325u;
	random_init_seed(&s->random, o->seed);
	s->now_ms = s->begin_ms = 1700000000000 + o->seed % 1000;
	s->agent_count = o->hosts ? o->hosts : (unsigned)sim_between(s, 3, 7);
	s->agents = calloc(s->agent_count, sizeof(*s->agents));
	for (unsigned i = 0; i < SIM_SERVICES; i++)
		for (unsigned c = 0; c < SIM_COMPONENTS; c++)
			s->bad[i][c] = calloc(GENERATIONS, sizeof(bool));
	for (unsigned i = 0; i < s->agent_count; i++)
		agent_make(s, &s->agents[i], i);
	place_services(s);
	draw_graph(s);
	hub_open(s);
	if (o->restores)
		s->hub.control.config.recovery.storage_restores = o->restores;
	people_begin(s);
	for (unsigned i = 0; i < s->agent_count; i++)
		agent_start(&s->agents[i]);
	faults_begin(s);
	return s;
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->agent_count; i++)
		agent_free(&s->agents[i]);
	hub_close(s);
	sim_events_free(s);
	for (unsigned i = 0; i < SIM_SERVICES; i++)
		for (unsigned c = 0; c < SIM_COMPONENTS; c++)
			free(s->bad[i][c]);
	free(s->agents);
	free(s);
}

bool sim_until(struct sim *s, uint64_t until_ms)
{
	uint64_t checked = s->now_ms;
	while (!s->failed && sim_next(s, until_ms))
		if (s->now_ms - checked >= CHECK_MS && s->hub.up) {
			checked = s->now_ms;
			check_store(s);
		}
	if (!s->failed && s->now_ms < until_ms)
		s->now_ms = until_ms;
	return !s->failed;
}

static void ask(struct sim *s, const char *verb)
{
	struct request_args a = {.text = "calm"};
	people_ask(s, "ada", "controller", verb, &a);
}

/* The faults stop; people put right what is broken, and release what is held. */
static void calm_down(struct sim *s)
{
	sim_trace(s, "calm");
	s->calm = true;
	s->hub.die_after_commit = false;
	s->hub.slow_until_ms = 0;
	if (s->hub.up)
		store_memory_fail(s->hub.control.store, STORE_FAULT_NONE, 0);
	for (unsigned i = 0; i < s->agent_count; i++) {
		struct agent *a = &s->agents[i];
		a->partitioned = a->disk_bad = a->lagging = false;
		a->crash_in = 0;
		a->skew_ms = a->skew_ms > 20000 || a->skew_ms < -20000 ? 0 : a->skew_ms;
	}
}

static bool calm(struct sim *s)
{
	uint64_t end = s->now_ms + s->o.calm_ms, quiet = end - 8 * MINUTE_MS;
	bool go = true;
	calm_down(s);
	for (int minute = 0; go && s->now_ms < quiet; minute++) {
		people_repair(s);
		if (s->hub.up && minute > 2 && minute < 12)
			ask(s, minute % 2 ? "resume" : "confirm");
		go = sim_until(s, s->now_ms + MINUTE_MS);
	}
	if (go && s->hub.up)
		s->rows_quiet = watch_rows(s);
	return go && sim_until(s, end);
}

bool sim_run(struct sim *s)
{
	if (sim_until(s, s->now_ms + s->o.chaos_ms) && calm(s)) {
		if (!s->hub.up)
			sim_fail(s, "the controller is down in the end");
		else
			check_end(s);
	}
	return !s->failed;
}
