/* tests/sim/watch.c: what people count on: whoever reports is not called silent, what is broken is an incident and
 * somebody was told, what waits for signatures is held to what was seen, and the store does not grow by itself. */
#include <stdlib.h>
#include <string.h>

#include "controller/turn/system.h"
#include "shared/base/text.h"
#include "tests/sim/sim.h"

enum {
	SOUND_LOOKS = 6,            /* checks in a row that one connection was sound: two minutes */
	HEAL_MS = 90 * 1000,        /* release_ms, and a slow controller */
	LOOKS_BROKEN = 6,           /* checks in a row, each 20 s or more after the one before */
	SILENT_PATIENCE_MS = 10000, /* a slow controller takes a word up this late */
	ROWS_QUIET = 60,            /* keys a host in the quiet minutes at the end */
	ROWS_EVER = 2000,           /* keys a host of a whole run */
};

/* ---- false silence ---- */

/* The connection that the controller believes in, if nothing is wrong with it. */
static const struct connection *sound_connection(struct sim *s, const struct agent *a)
{
	const struct connection *c = net_of(s, a);
	bool sound = c && c->client && c->server && c->greeted && c->welcomed && !c->closing && !c->dark_up &&
		     !c->dark_down && !c->choked;
	return sound && a->up && !a->dying && !a->partitioned ? c : NULL;
}

static void host_is_heard(struct sim *s, struct turn *t, struct agent *a)
{
	struct host h;
	struct err err;
	bool found;
	const struct connection *c = sound_connection(s, a);
	if (fleet_host_get(t, a->name, &h, &found, &err) != ERR_OK)
		abort();
	if (found && c && h.state == HOST_SILENT && c->heard_ms > h.since_ms &&
	    s->now_ms > c->heard_ms + SILENT_PATIENCE_MS)
		sim_fail(s, "%s reports and is called silent", a->name);
}

/* A page about hosts that nobody hears, while each of them is heard. */
void watch_page(struct sim *s, const struct incident *i)
{
	bool all = i->failing.count > 0;
	for (size_t k = 0; all && k < i->failing.count; k++)
		for (unsigned n = 0; n < s->agent_count; n++) {
			struct agent *a = &s->agents[n];
			const struct connection *c = sound_connection(s, a);
			if (text_equal(a->name, LIST_AT(i->failing, const char *, k)))
				all = all && c && c->number == a->sound_number && a->sound_looks > SOUND_LOOKS &&
				      !a->lagging && !a->lagging_told;
		}
	if (all && incident_is_of_hosts(i))
		sim_fail(s, "INC-%llu is paged for hosts that report: %s", (unsigned long long)i->number, i->title);
}

/* ---- what is broken is known ---- */

static bool has_name(const struct list *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (text_equal(LIST_AT(*names, const char *, i), name))
			return true;
	return false;
}

static bool is_told(struct turn *t, const struct incident *i)
{
	struct notification like = {.incident = i->incident}, n;
	struct turn_scan scan;
	struct err err;
	/* What it caused has time to heal once it is over. */
	bool heals = !incident_is_open(i) && turn_now_ms(t) < i->state_since_ms + HEAL_MS;
	bool found = true, told = i->acknowledged_ms || heals;
	if (turn_scan_index(t, &notification_table, "incident", &like, false, &scan, &err) != ERR_OK)
		abort();
	while (!told && found && turn_scan_next(&scan, &n, &found, &err) == ERR_OK)
		told = found && n.event <= NOTIFY_OVERDUE && n.state != NOTIFICATION_SUPPRESSED;
	turn_scan_done(&scan);
	return told;
}

/* An open incident that the broken service on that host belongs to; suppressed ones count with their cause. */
static void has_incident(struct sim *s, struct turn *t, const struct place *p)
{
	struct turn_scan scan;
	struct incident i, cause;
	struct err err;
	bool found = true, known = false, told = false, there;
	uint64_t number = 0, since_ms = 0;
	uint32_t state = 0;
	if (turn_scan_key(t, &incident_table, NULL, 0, true, &scan, &err) != ERR_OK)
		abort();
	while (!told && found && turn_scan_next(&scan, &i, &found, &err) == ERR_OK) {
		bool mine = found && incident_is_open(&i) &&
			    (text_equal(i.service, sim_services[p->service]) || incident_is_of_hosts(&i)) &&
			    has_name(&i.failing, p->agent->name);
		if (!mine)
			continue;
		known = true;
		for (int k = 0; k < SIM_SERVICES && !id_is_zero(i.suppressed_by); k++) {
			if (incident_get(t, i.suppressed_by, &cause, &there, &err) != ERR_OK || !there)
				break;
			i = cause;
		}
		number = i.number;
		state = i.state;
		since_ms = i.state_since_ms;
		told = is_told(t, &i);
	}
	turn_scan_done(&scan);
	if (!known)
		sim_fail(s, "%s on %s is broken for minutes and no incident says so", sim_services[p->service],
		    p->agent->name);
	else if (!told)
		sim_fail(s, "%s on %s is broken for minutes and nobody was told: INC-%llu, %s since %llu",
		    sim_services[p->service], p->agent->name, (unsigned long long)number,
		    enum_name(&incident_state_enum, state), (unsigned long long)(since_ms - s->begin_ms));
}

/* Somebody declared works on it, or it is not the controller's to say. */
static bool is_excused(struct turn *t, const struct place *p)
{
	struct service_health h;
	struct err err;
	bool found;
	if (health_get(t, sim_services[p->service], p->agent->name, &h, &found, &err) != ERR_OK)
		abort();
	return !found || h.maintenance_until_ms + LOOKS_BROKEN * 20 * 1000 > turn_now_ms(t) ||
	       h.state == HEALTH_MAINTENANCE;
}

static void place_is_known(struct sim *s, struct turn *t, struct place *p)
{
	struct agent *a = p->agent;
	bool broken = a->sound_looks > 1 && !a->disk_bad && !a->lagging && !place_well(p) && !p->job.running &&
		      p->passed_ms < p->broken_since_ms && !is_excused(t, p) && s->now_ms > s->hub.slow_until_ms;
	if (!broken) {
		p->broken_looks = 0;
		p->broken_since_ms = s->now_ms;
	} else if (++p->broken_looks >= LOOKS_BROKEN) {
		has_incident(s, t, p);
	}
}

/* ---- RULES R10 ---- */

static bool is_zero(const struct digest *d)
{
	static const struct digest none;
	return memcmp(d, &none, sizeof none) == 0;
}

/* Was all that it puts back seen before it was asked for? */
static bool was_seen(struct turn *t, const struct change *c, const char *host)
{
	struct err err;
	for (uint32_t i = 0; i < SIM_COMPONENTS; i++) {
		struct drift d = {.service = c->service, .host = host, .component = i};
		bool found;
		if (!(component_set(&c->plan->components) & 1u << i))
			continue;
		if (turn_get(t, &drift_table, &d, &d, &found, &err) != ERR_OK)
			abort();
		if (!found || is_zero(&d.digest) || d.seen_ms >= c->requested_ms)
			return false;
	}
	return true;
}

void watch_change(struct sim *s, struct turn *t, const void *record)
{
	const struct change *c = record;
	if (c->state != CHANGE_REQUESTED || !c->plan || c->plan->kind != ORDER_ROLLBACK)
		return;
	for (size_t i = 0; i < c->plan->hosts.count; i++) {
		const struct plan_host *h = &LIST_AT(c->plan->hosts, struct plan_host, i);
		if (is_zero(&h->precondition) && was_seen(t, c, h->host))
			sim_fail(s, "CHG-%llu waits for a word on a plan that holds %s to nothing",
			    (unsigned long long)c->number, h->host);
	}
}

/* ---- growth ---- */

size_t watch_rows(struct sim *s)
{
	struct control_look look;
	struct bytes at = {(const uint8_t *)"", 0}, value;
	struct err err;
	bool found = true;
	size_t n = 0;
	control_look(&s->hub.control, &look);
	const struct turn_view *v = store_view_turn(look.view);
	for (enum turn_seek how = SEEK_AT_OR_AFTER; found; how = SEEK_AFTER) {
		if (v->seek(v->ctx, at, how, &at, &value, &found, &err) != ERR_OK)
			abort();
		n += found;
	}
	control_look_end(&look);
	return n;
}

void watch_growth(struct sim *s)
{
	size_t rows = watch_rows(s), grown = rows > s->rows_quiet ? rows - s->rows_quiet : 0;
	s->rows = rows;
	s->rows_grown = grown;
	if (grown > (size_t)ROWS_QUIET * s->agent_count)
		sim_fail(s, "the store grows while nothing happens: by %zu to %zu rows", grown, rows);
	if (s->o.graph && rows > (size_t)ROWS_EVER * s->agent_count)
		sim_fail(s, "the store holds %zu rows", rows);
}

/* ---- all of it, at every check ---- */

void watch_store(struct sim *s, struct turn *t)
{
	for (unsigned i = 0; i < s->agent_count && s->hub.up; i++) {
		struct agent *a = &s->agents[i];
		const struct connection *c = sound_connection(s, a);
		a->sound_looks = c && c->number == a->sound_number ? a->sound_looks + 1 : 0;
		a->sound_number = c ? c->number : 0;
		host_is_heard(s, t, a);
		for (size_t k = 0; k < a->place_count; k++)
			place_is_known(s, t, &a->places[k]);
	}
}
