/* tests/sim/people.c: operators: they answer pages, approve, repair by hand, stop things, and confirm a restored
 * controller. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "tests/lib/signer/signer.h"
#include "tests/sim/sim.h"

/* One set of keys a program: what they sign differs from run to run, what follows from it does not. */
static struct signer *signer(unsigned who)
{
	static struct signer *both[2];
	if (!both[who])
		both[who] = signer_new(SSH_KEY_ED25519, who ? "cy" : "bo");
	return both[who];
}

const char *people_key(unsigned who)
{
	return signer_line(signer(who));
}

void people_ask(struct sim *s, const char *who, const char *noun, const char *verb, const struct request_args *a)
{
	struct buf body = BUF_INIT;
	struct err err;
	if (record_to_json(&request_args_type, a, RECORD_WITH_SECRETS, &body, &err) != ERR_OK)
		sim_fail(s, "a request cannot be written: %s", err.msg);
	sim_trace(s, "%s: %s %s", who, noun, verb);
	if (s->hub.up)
		hub_give(s, control_ask(&s->hub.control, who, noun, verb, buf_str(&body)));
	buf_done(&body);
}

void people_policy(struct sim *s)
{
	static const char text[] =
	    "name: night\nservices: [\"*\"]\ncomponents: [config, code]\nleast_severity: medium\nleast_confidence: "
	    "0.4\n"
	    "max_hosts: 5\nmax_per_hour: 6\ncool_down: 2m\nexpires: 2099-01-01T00:00:00Z\nreason: simulated\n";
	char *word = signer_sign(signer(0), APPROVAL_NAMESPACE_POLICY, true, text, sizeof(text) - 1);
	const char *one = word;
	struct request_args a = {.document = {(const uint8_t *)text, sizeof(text) - 1}, .signatures = {&one, 1}};
	people_ask(s, "ada", "policy", "install", &a);
	free(word);
}

/* ---- picking something of the store ---- */

typedef bool (*wanted_fn)(const void *record);
static bool incident_wanted(const void *r)
{
	return incident_is_open(r);
}
static bool change_wanted(const void *r)
{
	return ((const struct change *)r)->state == CHANGE_REQUESTED;
}
static bool rollback_wanted(const void *r)
{
	return ((const struct rollback *)r)->state != ROLLBACK_ENDED;
}
static bool ended_wanted(const void *r)
{
	return ((const struct rollback *)r)->state == ROLLBACK_ENDED &&
	       ((const struct rollback *)r)->kind == ORDER_ROLLBACK;
}

/* One of those records, at random; in the look's arena.  NULL: none. */
static void *pick(struct sim *s, struct control_look *look, const struct table *table, wanted_fn wanted)
{
	struct turn *t = control_look(&s->hub.control, look);
	struct turn_scan scan;
	struct err err;
	bool found = true;
	unsigned seen = 0;
	char *hit = NULL, *record;
	if (turn_scan_key(t, table, NULL, 0, false, &scan, &err) != ERR_OK)
		return NULL;
	while (found) {
		record = arena_alloc(look->arena, table->type->size);
		if (turn_scan_next(&scan, record, &found, &err) != ERR_OK || !found)
			break;
		if (wanted(record) && random_below(&s->random, ++seen) == 0)
			hit = record;
	}
	turn_scan_done(&scan);
	return hit;
}

/* ---- what they do ---- */

static void acknowledge(struct sim *s)
{
	struct control_look look;
	const struct incident *i = pick(s, &look, &incident_table, incident_wanted);
	char id[ID_TEXT_MAX];
	if (i) {
		struct request_args a = {.incident = id_format(ID_INCIDENT, i->incident, id)};
		people_ask(s, "ada", "incident", "acknowledge", &a);
	}
	control_look_end(&look);
}

void people_approve(struct sim *s)
{
	struct control_look look;
	const struct change *c = pick(s, &look, &change_table, change_wanted);
	char id[ID_TEXT_MAX];
	unsigned who = sim_chance(s, 500);
	if (c) {
		char *word = signer_approve(signer(who), c->plan);
		struct request_args a = {.change = id_format(ID_CHANGE, c->change, id), .signature = word};
		people_ask(s, who ? "cy" : "bo", "change", "approve", &a);
		free(word);
	}
	control_look_end(&look);
}

static void cancel(struct sim *s)
{
	struct control_look look;
	const struct rollback *r = pick(s, &look, &rollback_table, rollback_wanted);
	char id[ID_TEXT_MAX];
	if (r) {
		struct request_args a = {.rollback = id_format(ID_ROLLBACK, r->rollback, id), .text = "stop it"};
		people_ask(s, "bo", "rollback", "cancel", &a);
	}
	control_look_end(&look);
}

/* Hosts that it changed: those an undoing touches. */
static uint32_t replaced_on(struct turn *t, const struct rollback *r)
{
	uint32_t n = 0;
	for (size_t i = 0; i < r->hosts.count; i++) {
		struct order_record o = {.order_id = LIST_AT(r->hosts, struct rollback_host, i).order};
		struct err err;
		bool found = false;
		if (turn_get(t, &order_table, &o, &o, &found, &err) == ERR_OK && found)
			n += !id_is_zero(o.safety_snapshot) && o.outcome != ORDER_REVERTED;
	}
	return n;
}

static void undo(struct sim *s)
{
	struct control_look look;
	const struct rollback *r = pick(s, &look, &rollback_table, ended_wanted);
	char id[ID_TEXT_MAX];
	if (r) {
		struct request_args a = {.rollback = id_format(ID_ROLLBACK, r->rollback, id),
		    .host_count = replaced_on(look.turn, r),
		    .text = "put it back"};
		people_ask(s, "ada", "rollback", "undo", &a);
	}
	control_look_end(&look);
}

static void roll_back(struct sim *s, unsigned service, struct list components)
{
	const char *hosts[SIM_HOSTS_MAX];
	size_t n = 0;
	for (unsigned i = 0; i < s->agent_count; i++)
		if (place_of(&s->agents[i], sim_services[service]))
			hosts[n++] = s->agents[i].name;
	struct request_args a = {.service = sim_services[service],
	    .hosts = {hosts, n},
	    .host_count = (uint32_t)n,
	    .components = components,
	    .text = "to be safe"};
	if (n)
		people_ask(s, "ada", "rollback", "start", &a);
}

void people_roll_back(struct sim *s, unsigned service)
{
	uint32_t both[] = {COMPONENT_CONFIG, COMPONENT_CODE};
	roll_back(s, service, (struct list){both, 2});
}

void people_roll_back_part(struct sim *s, unsigned service, enum component which)
{
	uint32_t part = which;
	roll_back(s, service, (struct list){&part, 1});
}

static void small_order(struct sim *s, const char *noun, const char *verb)
{
	struct agent *a = &s->agents[random_below(&s->random, s->agent_count)];
	struct request_args args = {
	    .service = sim_services[a->places[random_below(&s->random, a->place_count)].service], .host = a->name};
	people_ask(s, "ada", noun, verb, &args);
}

static void on_resume(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct request_args a = {.text = "go on"};
	(void)ctx;
	(void)tag;
	(void)owned;
	people_ask(s, "ada", "controller", "resume", &a);
}

static void halt(struct sim *s)
{
	struct request_args a = {.text = "look first"};
	people_ask(s, "bo", "controller", "halt", &a);
	sim_at(s, s->now_ms + sim_between(s, 5000, 240000), on_resume, NULL, 0, NULL);
}

static void window(struct sim *s)
{
	unsigned service = (unsigned)random_below(&s->random, s->services);
	struct request_args a = {
	    .service = sim_services[service], .until_ms = s->now_ms + sim_between(s, 10000, 300000), .text = "works"};
	if (sim_chance(s, 300))
		a.until_ms = 0; /* end it */
	people_ask(s, "ada", "service", "maintenance", &a);
}

static void something(struct sim *s)
{
	uint64_t what = random_below(&s->random, 100);
	if (what < 25)
		acknowledge(s);
	else if (what < 60)
		people_approve(s);
	else if (what < 65)
		cancel(s);
	else if (what < 68)
		halt(s);
	else if (what < 78)
		people_roll_back(s, (unsigned)random_below(&s->random, s->services));
	else if (what < 82)
		undo(s);
	else if (what < 92)
		small_order(s, "snapshot", "create");
	else
		small_order(s, "service", "probe");
}

/* ---- by hand on the hosts ---- */

static void repair(struct sim *s, struct place *p)
{
	if (job_is_changing(p) || p->job.running || !p->agent->up)
		return;
	for (unsigned c = 0; c < SIM_COMPONENTS; c++)
		if (generation_is_bad(s, p->service, (enum component)c, p->live[c]))
			place_deploy(p, (enum component)c, s->good[p->service][c]);
	p->stopped = false;
}

void people_repair(struct sim *s)
{
	for (unsigned i = 0; i < s->agent_count; i++)
		for (size_t k = 0; k < s->agents[i].place_count; k++)
			repair(s, &s->agents[i].places[k]);
}

/* ---- their days ---- */

static void on_something(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	(void)tag;
	(void)owned;
	if (s->calm)
		return;
	if (s->hub.up)
		something(s);
	sim_at(s, s->now_ms + sim_between(s, 1000, 2000 * s->o.rates.people_s), on_something, NULL, 0, NULL);
}

static void on_window(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	(void)ctx;
	(void)tag;
	(void)owned;
	if (s->calm)
		return;
	if (s->hub.up)
		window(s);
	sim_at(s, s->now_ms + sim_between(s, 1000, 2000 * s->o.rates.window_s), on_window, NULL, 0, NULL);
}

static void on_repair(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = &s->agents[random_below(&s->random, s->agent_count)];
	(void)ctx;
	(void)tag;
	(void)owned;
	if (s->calm)
		return;
	repair(s, &a->places[random_below(&s->random, a->place_count)]);
	sim_at(s, s->now_ms + sim_between(s, 1000, 2000 * s->o.rates.repair_s), on_repair, NULL, 0, NULL);
}

void people_begin(struct sim *s)
{
	if (!s->o.no_policy)
		people_policy(s);
	if (!s->o.quiet_people && s->o.rates.people_s)
		sim_at(s, s->now_ms + 60000, on_something, NULL, 0, NULL);
	if (s->o.rates.window_s)
		sim_at(s, s->now_ms + 60000, on_window, NULL, 0, NULL);
	if (s->o.rates.repair_s)
		sim_at(s, s->now_ms + 60000, on_repair, NULL, 0, NULL);
}
