/* tests/sim/faults.c: everything that goes wrong, each kind at its own rate. */
#include <stddef.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

const struct sim_rates sim_usual = {
    .break_s = 45,
    .dark_s = 120,
    .partition_s = 120,
    .agent_crash_s = 60,
    .link_crash_s = 120,
    .worker_crash_s = 1,
    .hub_crash_s = 180,
    .hub_slow_s = 240,
    .commit_fault_s = 300,
    .restore_s = 1500,
    .deploy_s = 90,
    .bad_permille = 600,
    .repair_s = 120,
    .disk_s = 240,
    .skew_s = 400,
    .lag_s = 300,
    .people_s = 20,
    .window_s = 400,
    .drop_permille = 50,
    .twice_permille = 50,
    .stale_permille = 50,
    .step_fail_permille = 30,
    .page_fail_permille = 200,
};

static struct agent *somebody(struct sim *s)
{
	return &s->agents[random_below(&s->random, s->agent_count)];
}

static void break_one(struct sim *s)
{
	struct connection *c = net_of(s, somebody(s));
	if (c) {
		s->breaks++;
		net_break(s, c);
	}
}

/* One way only, until a ping is missed. */
static void darken(struct sim *s)
{
	struct connection *c = net_of(s, somebody(s));
	if (!c)
		return;
	net_break(s, c);
	if (sim_chance(s, 500))
		c->dark_up = false;
	else
		c->dark_down = false;
}

static void on_joined(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	(void)s;
	(void)tag;
	(void)owned;
	a->partitioned = false;
}

static void partition(struct sim *s)
{
	struct agent *a = somebody(s);
	struct connection *c = net_of(s, a);
	a->partitioned = true;
	if (c)
		net_break(s, c);
	sim_trace(s, "%s: is cut off", a->name);
	sim_at(s, s->now_ms + sim_between(s, 5000, sim_chance(s, 200) ? 600000 : 90000), on_joined, a, 0, NULL);
}

static void kill_agent(struct sim *s)
{
	struct agent *a = somebody(s);
	if (sim_chance(s, 500))
		agent_crash(a);
	else
		agent_die_in(a, (unsigned)sim_between(s, 1, 14));
}

static void kill_link(struct sim *s)
{
	agent_link_crash(somebody(s));
}

static void kill_hub(struct sim *s)
{
	struct hub *h = &s->hub;
	if (!h->up)
		return;
	if (sim_chance(s, 400)) {
		hub_crash(s);
	} else { /* between its commit and what was to follow */
		h->die_after_commit = true;
		h->letters_before_death = (unsigned)sim_between(s, 0, 4);
	}
}

static void slow_hub(struct sim *s)
{
	s->hub.slow_until_ms = s->now_ms + sim_between(s, 10000, 90000);
	sim_trace(s, "hub: is slow");
}

static void fail_commit(struct sim *s)
{
	if (s->hub.up)
		store_memory_fail(s->hub.control.store, sim_chance(s, 500) ? STORE_FAULT_LOST : STORE_FAULT_UNKNOWN,
		    random_below(&s->random, 4));
}

static void on_confirm(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct request_args a = {.text = "it is the only one"};
	(void)ctx;
	(void)tag;
	(void)owned;
	people_ask(s, "ada", "controller", "confirm", &a);
}

static void backup_or_restore(struct sim *s)
{
	if (!s->hub.up)
		return;
	if (!s->hub.backup_count || sim_chance(s, 400)) {
		hub_backup(s);
		return;
	}
	hub_restore(s);
	sim_at(s, s->now_ms + sim_between(s, 130000, 400000), on_confirm, NULL, 0, NULL);
}

struct rollout {
	unsigned service;
	enum component which;
	uint32_t generation;
};

static void on_rollout(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct place *p = ctx;
	const struct rollout *r = owned;
	(void)tag;
	if (!s->calm && !p->job.running && !job_is_changing(p))
		place_deploy(p, r->which, r->generation);
}

void faults_deploy(
    struct sim *s, unsigned service, enum component which, bool bad, unsigned most_hosts, uint64_t gap_ms)
{
	struct rollout r = {service, which, ++s->newest[service][which]};
	uint64_t at = s->now_ms;
	s->bad[service][which][r.generation] = bad;
	if (!bad)
		s->good[service][which] = r.generation;
	s->deploys++;
	sim_trace(s, "deploy: %s %s %u%s", sim_services[service], enum_name(&component_enum, which), r.generation,
	    bad ? ", which is bad" : "");
	for (unsigned i = 0, first = (unsigned)random_below(&s->random, s->agent_count), n = 0;
	     i < s->agent_count && n < most_hosts; i++) {
		struct place *p = place_of(&s->agents[(first + i) % s->agent_count], sim_services[service]);
		struct rollout *kept = p ? malloc(sizeof(*kept)) : NULL;
		if (!kept)
			continue;
		*kept = r;
		sim_at(s, at, on_rollout, p, 0, kept);
		at += gap_ms ? sim_between(s, 1, 2 * gap_ms) : 0;
		n++;
	}
}

/* Somebody rolls out a new generation, host after host, or on one of them only. */
static void deploy(struct sim *s)
{
	unsigned service = (unsigned)random_below(&s->random, s->services);
	enum component which = sim_chance(s, 500) ? COMPONENT_CONFIG : COMPONENT_CODE;
	bool bad = sim_chance(s, s->o.rates.bad_permille);
	faults_deploy(
	    s, service, which, bad, sim_chance(s, 500) ? 1 : s->agent_count, sim_chance(s, 500) ? 10000 : 300);
}

static void on_disk_well(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)s;
	(void)tag;
	(void)owned;
	((struct agent *)ctx)->disk_bad = false;
}

static void spoil_disk(struct sim *s)
{
	struct agent *a = somebody(s);
	a->disk_bad = true;
	sim_trace(s, "%s: its disk is full", a->name);
	sim_at(s, s->now_ms + sim_between(s, 3000, 60000), on_disk_well, a, 0, NULL);
}

static void set_clock(struct sim *s)
{
	struct agent *a = somebody(s);
	int64_t most = sim_chance(s, 200) ? 10 * 3600 * 1000 : 20000;
	a->skew_ms = (int64_t)sim_between(s, 0, (uint64_t)(2 * most)) - most;
	sim_trace(s, "%s: its clock is off by %lld ms", a->name, (long long)a->skew_ms);
}

static void on_lag_over(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)s;
	(void)tag;
	(void)owned;
	((struct agent *)ctx)->lagging = false;
}

static void overload(struct sim *s)
{
	struct agent *a = somebody(s);
	a->lagging = true;
	sim_at(s, s->now_ms + sim_between(s, 10000, 120000), on_lag_over, a, 0, NULL);
}

static const struct kind {
	size_t rate; /* offset in struct sim_rates */
	void (*fn)(struct sim *s);
} kinds[] = {
#define KIND(RATE, FN)                                                                                                 \
	{                                                                                                              \
		offsetof(struct sim_rates, RATE), FN                                                                   \
	}
    KIND(break_s, break_one),
    KIND(dark_s, darken),
    KIND(partition_s, partition),
    KIND(agent_crash_s, kill_agent),
    KIND(link_crash_s, kill_link),
    KIND(hub_crash_s, kill_hub),
    KIND(hub_slow_s, slow_hub),
    KIND(commit_fault_s, fail_commit),
    KIND(restore_s, backup_or_restore),
    KIND(deploy_s, deploy),
    KIND(disk_s, spoil_disk),
    KIND(skew_s, set_clock),
    KIND(lag_s, overload),
#undef KIND
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), QUIET_START_MS = 120 * 1000 };

static unsigned rate_of(const struct sim *s, size_t kind)
{
	return *(const unsigned *)((const char *)&s->o.rates + kinds[kind].rate);
}

static void on_fault(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	(void)owned;
	if (s->calm)
		return;
	kinds[tag].fn(s);
	sim_at(s, s->now_ms + sim_between(s, 1, 2000ull * rate_of(s, tag)), on_fault, NULL, tag, NULL);
}

/* The first two minutes are good: everybody connects, and first snapshots are taken. */
void faults_begin(struct sim *s)
{
	for (size_t i = 0; i < KINDS; i++)
		if (rate_of(s, i))
			sim_at(s, s->now_ms + QUIET_START_MS + sim_between(s, 1, 2000ull * rate_of(s, i)), on_fault,
			    NULL, i, NULL);
}
