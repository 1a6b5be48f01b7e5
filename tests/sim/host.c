/* tests/sim/host.c: services on a host: what is deployed, what their probe says, snapshots, drift.
 *
 * A component is a generation, a number; its digest follows from it.  A generation may be bad: then the service's probe
 * fails as long as it is live.  A service that leans on another fails while that one does. */
#include <string.h>

#include "tests/sim/sim.h"

enum { PROBE_MS = 5000, RETRY_MS = 5000, SETTLE_RUNS = 2, DRIFT_MS = 30000, SNAPSHOT_MS = 600000, DOUBT_MS = 60000 };
const char *const sim_services[SIM_SERVICES] = {"portal", "records-db", "batch", "mail", "cache"};

struct digest generation_digest(unsigned service, enum component which, uint32_t generation)
{
	struct digest d = {{1, (uint8_t)service, (uint8_t)which}};
	for (int i = 0; i < 4; i++)
		d.b[4 + i] = (uint8_t)(generation >> (8 * i));
	return d;
}

bool generation_is_bad(const struct sim *s, unsigned service, enum component which, uint32_t generation)
{
	return s->bad[service][which][generation];
}

struct place *place_of(struct agent *a, const char *service)
{
	for (size_t i = 0; i < a->place_count; i++)
		if (strcmp(sim_services[a->places[i].service], service) == 0)
			return &a->places[i];
	return NULL;
}

static bool sound(const struct place *p)
{
	for (unsigned c = 0; c < SIM_COMPONENTS; c++)
		if (generation_is_bad(p->agent->sim, p->service, (enum component)c, p->live[c]))
			return false;
	return !p->stopped;
}

/* A service is well where each of its hosts is, and all that it leans on: no edge leads back. */
static bool service_well(const struct sim *s, unsigned service)
{
	for (unsigned i = 0; i < s->agent_count; i++)
		for (size_t k = 0; k < s->agents[i].place_count; k++)
			if (s->agents[i].places[k].service == service && !sound(&s->agents[i].places[k]))
				return false;
	for (unsigned on = 0; on < s->services; on++)
		if (s->leans[service][on] && !service_well(s, on))
			return false;
	return true;
}

bool place_well(const struct place *p)
{
	const struct sim *s = p->agent->sim;
	if (!sound(p))
		return false;
	for (unsigned on = 0; on < s->services; on++)
		if (s->leans[p->service][on] && !service_well(s, on))
			return false;
	return true;
}

void place_make(struct place *p, struct agent *a, unsigned service)
{
	*p = (struct place){.agent = a, .service = service};
}

void place_deploy(struct place *p, enum component which, uint32_t generation)
{
	if (p->live[which] == generation)
		return;
	p->live[which] = generation;
	p->changed_ms[which] = p->agent->sim->now_ms;
}

/* ---- health ---- */

void place_tell_health(struct place *p, bool changed)
{
	struct agent *a = p->agent;
	int64_t skew = a->skew_ms;
	struct probe_result r = {.probe = "http",
	    .tier = PROBE_SHALLOW,
	    .state = p->last,
	    .settled = p->settled,
	    .at_ms = p->probed_ms,
	    .took_ms = 12,
	    .since_ms = (uint64_t)((int64_t)p->settled_since_ms + skew),
	    .text = p->settled == PROBE_CRITICAL ? "connection refused" : "200"};
	struct health_report h = {.service = sim_services[p->service], .results = {&r, 1}, .changed = changed};
	struct report body = {.health = &h};
	agent_tell(a, IMPORTANCE_HEALTH, &body);
	p->next_report_ms = a->sim->now_ms + a->heartbeat_ms;
}

static uint64_t probe_every(const struct place *p)
{
	return p->agent->sim->o.probe_ms ? p->agent->sim->o.probe_ms : PROBE_MS;
}

/* How long ago the last `same` results began decides; an overloaded agent says that it knows nothing. */
static void probe(struct place *p)
{
	enum probe_state now = p->agent->lagging ? PROBE_UNKNOWN : place_well(p) ? PROBE_OK : PROBE_CRITICAL;
	p->probed_ms = agent_wall(p->agent);
	p->same = now == p->last ? p->same + 1 : 1;
	p->last = now;
	if (now == PROBE_OK)
		p->passed_ms = p->agent->sim->now_ms;
	/* Where looks are rare a good one settles at once, as on a real host. */
	bool first = p->agent->sim->o.probe_ms && p->settled == PROBE_UNKNOWN && now == PROBE_OK;
	if (now == p->settled || (p->same < SETTLE_RUNS && !first))
		return;
	p->settled = now;
	p->settled_since_ms = p->agent->sim->now_ms;
	place_tell_health(p, true);
}

/* What hangs keeps its probe waiting once for each run. */
static bool hangs(const struct place *p, bool *hung)
{
	*hung = !*hung && p->agent->sim->o.hang_ms && !p->stopped && !sound(p);
	return *hung;
}

static void on_look(struct sim *s, void *ctx, uint64_t tag, void *owned);

static void look_soon(struct place *p)
{
	sim_at(p->agent->sim, p->agent->sim->now_ms + sim_between(p->agent->sim, 20, 1200), on_look, p, p->agent->life,
	    NULL);
}

/* Asked again until it has settled; what is being changed says nothing. */
static void on_look(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct place *p = ctx;
	(void)owned;
	if (p->agent->life != tag || p->agent->dying || !p->agent->up)
		return;
	if (hangs(p, &p->look_hangs)) {
		sim_at(s, s->now_ms + s->o.hang_ms, on_look, p, tag, NULL);
		return;
	}
	p->looked_at = false;
	if (p->job.running)
		return;
	probe(p);
	place_tell_health(p, true);
	p->looked_at = p->last != p->settled && p->same < SETTLE_RUNS && p->last != PROBE_UNKNOWN;
	if (p->looked_at)
		look_soon(p);
}

void place_look(struct place *p)
{
	if (p->looked_at)
		return;
	p->looked_at = true;
	look_soon(p);
}

/* ---- snapshots ---- */

const struct snapshot_kept *place_snapshot(const struct place *p, struct id id)
{
	for (size_t i = 0; i < p->snapshot_count; i++)
		if (id_equal(p->snapshots[i].id, id))
			return &p->snapshots[i];
	return NULL;
}

static void tell_snapshot(struct place *p, const struct snapshot_kept *k, bool removed)
{
	struct component_point points[SIM_COMPONENTS];
	for (unsigned c = 0; c < SIM_COMPONENTS; c++)
		points[c] = (struct component_point){.component = c,
		    .digest = generation_digest(p->service, (enum component)c, k->generation[c]),
		    .entries = 3};
	struct snapshot_report r = {.snapshot = k->id,
	    .service = sim_services[p->service],
	    .reason = k->reason,
	    .taken_ms = k->taken_ms,
	    .took_ms = 300,
	    .components = {points, SIM_COMPONENTS},
	    .suspect = k->suspect,
	    .verified = !removed,
	    .removed = removed};
	struct report body = {.snapshot = &r};
	agent_tell(p->agent, IMPORTANCE_EVENT, &body);
}

/* Room for one more: the oldest that is not the target of a rollback goes. */
static void prune(struct place *p)
{
	size_t out = 0;
	while (out + 1 < p->snapshot_count &&
	       (id_equal(p->snapshots[out].id, p->job.target) || id_equal(p->snapshots[out].id, p->job.safety)))
		out++;
	tell_snapshot(p, &p->snapshots[out], true);
	memmove(&p->snapshots[out], &p->snapshots[out + 1], (--p->snapshot_count - out) * sizeof(p->snapshots[0]));
}

void place_take_snapshot(struct place *p, enum snapshot_reason reason, struct id *ret)
{
	struct agent *a = p->agent;
	if (p->snapshot_count == SIM_SNAPSHOTS_MAX)
		prune(p);
	struct snapshot_kept *k = &p->snapshots[p->snapshot_count++];
	*k = (struct snapshot_kept){.id = id_new(agent_wall(a), &a->random),
	    .taken_ms = agent_wall(a),
	    .reason = reason,
	    .suspect = reason == SNAPSHOT_SAFETY || p->settled != PROBE_OK};
	memcpy(k->generation, p->live, sizeof(k->generation));
	if (ret)
		*ret = k->id;
	tell_snapshot(p, k, false);
}

/* ---- drift ---- */

static bool is_reference(const struct snapshot_kept *k)
{
	return !k->suspect && (k->reason == SNAPSHOT_SCHEDULED || k->reason == SNAPSHOT_MANUAL);
}

static const struct snapshot_kept *reference(const struct place *p)
{
	for (size_t i = p->snapshot_count; i-- > 0;)
		if (is_reference(&p->snapshots[i]))
			return &p->snapshots[i];
	return NULL;
}

/* As the agent does it: the make that runs, was taken just before it failed, and is not the only one, was bad. */
static bool doubt(struct place *p, const struct snapshot_kept *newest)
{
	uint64_t passed_ms = p->passed_ms ? p->passed_ms : p->settled_since_ms;
	const struct snapshot_kept *first = newest, *other = NULL;
	for (const struct snapshot_kept *k = newest; !other && k-- > p->snapshots;)
		if (is_reference(k) && memcmp(k->generation, newest->generation, sizeof k->generation) != 0)
			other = k;
		else if (is_reference(k))
			first = k;
	int64_t skew = p->agent->skew_ms;
	uint64_t passed = (uint64_t)((int64_t)passed_ms + skew),
		 failed = (uint64_t)((int64_t)p->settled_since_ms + skew);
	if (!other || first->taken_ms + DOUBT_MS <= passed || first->taken_ms > failed)
		return false;
	for (struct snapshot_kept *k = p->snapshots + p->snapshot_count; k-- > other;)
		if (k != other && is_reference(k)) {
			k->suspect = true;
			tell_snapshot(p, k, false);
		}
	return true;
}

static void tell_drift(struct place *p, enum component which, const struct snapshot_kept *ref)
{
	struct drift_told now = {.known = true,
	    .changed = p->live[which] != ref->generation[which],
	    .snapshot = ref->id,
	    .generation = p->live[which]};
	struct drift_told *told = &p->told[which];
	if (told->known && told->changed == now.changed && id_equal(told->snapshot, now.snapshot) &&
	    told->generation == now.generation)
		return;
	static const char *paths[] = {"site.conf", "app/main"};
	*told = now;
	struct drift_report r = {.service = sim_services[p->service],
	    .component = which,
	    .snapshot = ref->id,
	    .changed = now.changed,
	    .digest = generation_digest(p->service, which, p->live[which]),
	    .newest_change_ms = now.changed ? (uint64_t)((int64_t)p->changed_ms[which] + p->agent->skew_ms) : 0,
	    .paths = {&paths[which], now.changed}};
	struct report body = {.drift = &r};
	agent_tell(p->agent, IMPORTANCE_EVENT, &body);
}

static void compare(struct place *p)
{
	const struct snapshot_kept *ref = reference(p);
	while (
	    ref && p->settled == PROBE_CRITICAL && !memcmp(ref->generation, p->live, sizeof p->live) && doubt(p, ref))
		ref = reference(p);
	for (unsigned c = 0; ref && c < SIM_COMPONENTS; c++)
		tell_drift(p, (enum component)c, ref);
}

/* ---- time ---- */

void place_begin(struct place *p)
{
	uint64_t now = p->agent->sim->now_ms;
	struct random *r = &p->agent->random;
	p->settled = p->last = PROBE_UNKNOWN;
	p->same = 0;
	p->passed_ms = 0;
	p->looked_at = p->look_hangs = p->probe_hangs = false;
	p->settled_since_ms = now;
	p->next_probe_ms = now + random_below(r, PROBE_MS);
	p->next_report_ms = now + 10000;
	p->next_drift_ms = now + 10000 + random_below(r, DRIFT_MS);
	p->next_snapshot_ms = now + (p->snapshot_count ? random_below(r, SNAPSHOT_MS) : 30000);
	memset(p->told, 0, sizeof(p->told));
}

/* The controller is back, or new: it hears all that it may have missed. */
void place_tell_all(struct place *p)
{
	memset(p->told, 0, sizeof(p->told));
	place_tell_health(p, false);
	p->next_drift_ms = p->agent->sim->now_ms;
}

void place_tick(struct place *p)
{
	uint64_t now = p->agent->sim->now_ms;
	if (now >= p->next_probe_ms && hangs(p, &p->probe_hangs)) {
		p->next_probe_ms = now + p->agent->sim->o.hang_ms;
	} else if (now >= p->next_probe_ms) {
		probe(p);
		p->next_probe_ms =
		    now + (p->last != p->settled && probe_every(p) > RETRY_MS ? RETRY_MS : probe_every(p));
	}
	if (now >= p->next_report_ms)
		place_tell_health(p, false);
	if (p->job.running)
		return; /* comparing and copying wait */
	if (now >= p->next_snapshot_ms) {
		p->next_snapshot_ms = now + SNAPSHOT_MS;
		place_take_snapshot(p, SNAPSHOT_SCHEDULED, NULL);
	}
	/* A failing service is compared at once: the change may be the cause. */
	if (now >= p->next_drift_ms || (p->settled == PROBE_CRITICAL && now - p->settled_since_ms < 1500)) {
		p->next_drift_ms = now + DRIFT_MS;
		compare(p);
	}
}
