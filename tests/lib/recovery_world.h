/* tests/lib/recovery_world.h: people who sign, a fleet with restore points that then breaks, and rollbacks of it, for
 * tests of the domain. */
#ifndef KEDGE_TESTS_LIB_RECOVERY_WORLD_H
#define KEDGE_TESTS_LIB_RECOVERY_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "controller/access/access.h"
#include "controller/recovery/recovery.h"
#include "tests/lib/incident_world.h"
#include "tests/lib/signer/signer.h"

static const struct recovery_config recovery_rules = {
    .fleet = {.heartbeat_ms = 30000, .proof_ms = 300000},
    .bake_ms = 10000,
    .controller = "control-1",
};

enum { BO, CY, DAN, PERSONS };
static const char *const person_names[PERSONS] = {"bo", "cy", "dan"};
static struct signer *persons[PERSONS];
static const struct actor bo = {AUDIT_OPERATOR, "bo", NULL}, cy = {AUDIT_OPERATOR, "cy", NULL},
			  dan = {AUDIT_OPERATOR, "dan", NULL};

/* Group fixtures: keys are dear, one set a program. */
static inline int persons_make(void **state)
{
	(void)state;
	for (int i = 0; i < PERSONS; i++)
		persons[i] = signer_new(SSH_KEY_ED25519, person_names[i]);
	return 0;
}
static inline int persons_end(void **state)
{
	(void)state;
	for (int i = 0; i < PERSONS; i++)
		signer_free(persons[i]);
	return 0;
}

static inline void operator_is(struct world *w, const char *name, const uint32_t *roles, size_t count, const char *key)
{
	struct operator o = {.name = name, .roles = {(void *)(uintptr_t)roles, count}, .keys = {&key, key ? 1 : 0}};
	ok(access_operator_put(w->turn, &actor_controller, &o, ERR_HERE));
}

/* ada runs things, the others approve; eve may only look. */
static inline void people_are(struct world *w)
{
	static const uint32_t admin[] = {ROLE_ADMIN, ROLE_RESPONDER}, approver[] = {ROLE_APPROVER, ROLE_RESPONDER},
			      viewer[] = {ROLE_VIEWER};
	operator_is(w, "ada", admin, 2, NULL);
	operator_is(w, "eve", viewer, 1, NULL);
	for (int i = 0; i < PERSONS; i++)
		operator_is(w, person_names[i], approver, 2, signer_line(persons[i]));
}

/* ---- restore points ---- */

static inline struct component_point point(enum component which, uint8_t generation)
{
	return (struct component_point){.component = which, .digest = {{generation + 1, (uint8_t)which}}, .entries = 1};
}

/* A restore point of config and code of those generations, taken now. */
static inline struct id snapshot_is(struct world *w, const char *service, const char *host, uint8_t config,
    uint8_t code, enum snapshot_reason reason, struct id incident)
{
	struct component_point points[] = {point(COMPONENT_CONFIG, config), point(COMPONENT_CODE, code)};
	struct snapshot_report r = {.snapshot = turn_id(w->turn),
	    .service = service,
	    .reason = reason,
	    .taken_ms = w->now_ms,
	    .components = {points, 2},
	    .verified = true};
	struct host h = host_now(w, host);
	ok(fleet_on_snapshot(w->turn, &h, &r, incident, ERR_HERE));
	return r.snapshot;
}

static inline void drift_is(
    struct world *w, const char *service, const char *host, enum component which, struct id against, uint64_t changed)
{
	static const char *path = "sites/portal.conf";
	struct drift_report r = {.service = service,
	    .component = which,
	    .snapshot = against,
	    .changed = changed,
	    .newest_change_ms = w->now_ms,
	    .paths = {&path, changed ? 1 : 0}};
	struct host h = host_now(w, host);
	ok(fleet_on_drift(w->turn, &h, &r, ERR_HERE));
}

/* ---- a fleet of one service ---- */

enum { FLEET_MAX = 1024 };
static char fleet_names[FLEET_MAX][8];
static const char *fleet_list[FLEET_MAX];
static struct id fleet_good[FLEET_MAX]; /* each host's restore point before the fault */

/* n healthy hosts that run `portal`, each with a restore point that is known to be good. */
static inline void fleet_is(struct world *w, size_t n)
{
	struct declared_service portal = declared("portal", NULL);
	for (size_t i = 0; i < n; i++) {
		if (i % 256 == 255) /* each comes in an input of its own */
			world_after(w, 0);
		snprintf(fleet_names[i], sizeof(fleet_names[i]), "h%04u", (unsigned)i % FLEET_MAX);
		fleet_list[i] = fleet_names[i];
		struct hello h = hello_of(w, fleet_list[i], boot_id((uint8_t)(i % 250 + 1)), &portal, 1);
		struct health_transitions out = {0};
		hello_say(w, &h);
		ok(health_on_hello(w->turn, &health_rules, fleet_list[i], &out, ERR_HERE));
		http_says(w, "portal", fleet_list[i], PROBE_OK);
	}
	world_after(w, 1000);
	for (size_t i = 0; i < n; i++)
		fleet_good[i] = snapshot_is(w, "portal", fleet_list[i], 0, 0, SNAPSHOT_SCHEDULED, (struct id){{0}});
	world_after(w, 10 * MINUTE);
}

/* Somebody changed the configuration of the first n hosts just now. */
static inline void fleet_breaks(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		drift_is(w, "portal", fleet_list[i], COMPONENT_CONFIG, fleet_good[i], 1);
	world_after(w, 1000);
}

static inline struct list hosts_of(size_t n)
{
	return (struct list){fleet_list, n};
}
static uint32_t only_config[] = {COMPONENT_CONFIG};
static inline struct plan_wish wish_for(size_t n)
{
	return (struct plan_wish){.kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .components = {only_config, 1},
	    .hosts = hosts_of(n),
	    .reason = "a bad configuration",
	    .author = "ada"};
}

static inline struct plan *plan_for(struct world *w, size_t n)
{
	struct plan_wish wish = wish_for(n);
	struct plan *p = arena_alloc(turn_arena(w->turn), sizeof(*p));
	ok(recovery_plan(w->turn, &recovery_rules, &wish, p, ERR_HERE));
	return p;
}

static inline struct change change_now(struct world *w, struct id id)
{
	struct change c;
	bool found;
	ok(change_get(w->turn, id, &c, &found, ERR_HERE));
	assert_true(found);
	return c;
}

/* An emergency change for a rollback of the first n hosts, asked for by ada. */
static inline struct change asked(struct world *w, size_t n, enum change_kind kind)
{
	struct change c = {.kind = kind, .title = "roll back", .requested_by = "ada", .plan = plan_for(w, n)};
	ok(change_request(w->turn, &ada, &c, ERR_HERE));
	return c;
}

/* What that person signs; lives in the turn. */
static inline const char *signature_of(struct world *w, int person, const struct plan *p)
{
	char *text = signer_approve(persons[person], p);
	const char *kept = arena_strdup(turn_arena(w->turn), text);
	free(text);
	return kept;
}

static inline struct rollback rollback_now(struct world *w, struct id id)
{
	struct rollback r;
	bool found;
	ok(recovery_get(w->turn, id, &r, &found, ERR_HERE));
	assert_true(found);
	return r;
}

/* A rollback of the first n hosts that bo approved, begun. */
/* Its list of hosts beyond its turn: orders and waves stay as they are, texts do not. */
static inline struct rollback kept(struct rollback r)
{
	static struct rollback_host hosts[FLEET_MAX];
	memcpy(hosts, r.hosts.items, r.hosts.count * sizeof hosts[0]);
	r.hosts.items = hosts;
	return r;
}
static inline struct rollback begun(struct world *w, size_t n)
{
	struct change c = asked(w, n, CHANGE_EMERGENCY);
	struct rollback r;
	ok(change_approve(w->turn, &bo, c.change, signature_of(w, BO, c.plan), &c, ERR_HERE));
	assert_int_equal(c.state, CHANGE_APPROVED);
	ok(recovery_start(w->turn, &recovery_rules, c.change, false, &r, ERR_HERE));
	return kept(r);
}

static inline struct rollback_host *host_of(const struct rollback *r, size_t i)
{
	return &LIST_AT(r->hosts, struct rollback_host, i);
}

static inline struct order_record order_now(struct world *w, struct id id)
{
	struct order_record key = {.order_id = id}, o;
	bool found;
	ok(turn_get(w->turn, &order_table, &key, &o, &found, ERR_HERE));
	assert_true(found);
	return o;
}

/* The host answers its order. */
static inline enum recovery_event host_says(
    struct world *w, const char *host, struct id order, enum order_outcome outcome, bool match)
{
	struct order_report r = {.order = order,
	    .service = "portal",
	    .outcome = outcome,
	    .at_ms = w->now_ms,
	    .digests_match = match,
	    .healthy = match};
	struct rollback after;
	enum recovery_event event;
	ok(recovery_on_order_report(w->turn, &recovery_rules, host, &r, &after, &event, ERR_HERE));
	return event;
}

/* Its probe says OK, and the rollback hears of it. */
static inline enum recovery_event host_proves(struct world *w, const char *host)
{
	struct rollback r;
	enum recovery_event event;
	http_says(w, "portal", host, PROBE_OK);
	ok(recovery_on_health(w->turn, &recovery_rules, "portal", &r, &event, ERR_HERE));
	return event;
}

/* Every host of the wave that is out does well and proves it after the bake: what came of it. */
static inline enum recovery_event wave_goes_well(struct world *w, struct id rollback)
{
	struct rollback r = rollback_now(w, rollback);
	uint32_t wave = r.wave;
	enum recovery_event event = RECOVERY_NOTHING;
	for (size_t i = 0; i < r.hosts.count; i++)
		if (host_of(&r, i)->wave == wave)
			event = host_says(w, fleet_list[i], host_of(&r, i)->order, ORDER_OK, true);
	assert_int_equal(event, RECOVERY_PROVING);
	world_after(w, recovery_rules.bake_ms);
	r = rollback_now(w, rollback);
	for (size_t i = 0; i < r.hosts.count; i++)
		if (host_of(&r, i)->wave == wave)
			event = host_proves(w, fleet_list[i]);
	return event;
}

/* Timers of recovery that fall due until then; the last event that was not nothing. */
static inline enum recovery_event recovery_until(struct world *w, uint64_t until_ms, struct rollback *ret)
{
	struct timer timer;
	enum recovery_event last = RECOVERY_NOTHING;
	for (int i = 0; i < 100000 && last == RECOVERY_NOTHING && world_timer(w, until_ms, &timer); i++) {
		struct rollback r;
		enum recovery_event event;
		bool mine;
		ok(recovery_on_timer(w->turn, &recovery_rules, &timer, &r, &event, &mine, ERR_HERE));
		if (event != RECOVERY_NOTHING) {
			last = event;
			*ret = r;
		}
	}
	if (last == RECOVERY_NOTHING && w->now_ms < until_ms)
		world_at(w, until_ms);
	return last;
}

/* Frames of one type to one host (NULL: any) in this turn. */
static inline size_t frames_to(struct world *w, const char *host, enum frame_type type)
{
	size_t count, n = 0;
	const struct effect *e = world_effects(w, &count);
	for (size_t i = 0; i < count; i++)
		n += e[i].kind == EFFECT_FRAME && e[i].frame == type && (!host || strcmp(e[i].host, host) == 0);
	return n;
}

/* A world with people and a fleet of so many hosts, which is broken by now. */
static inline void world_broken(struct world *w, size_t hosts)
{
	world_open(w);
	people_are(w);
	fleet_is(w, hosts);
	fleet_breaks(w, hosts);
}

/* Of r: how many of its hosts have got one. */
static inline size_t orders_out(const struct rollback *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->hosts.count; i++)
		n += !id_is_zero(host_of(r, i)->order);
	return n;
}

/* ---- standing policies ---- */

/* Signed by that person; lives in the turn. */
static inline struct signed_policy *policy_text(struct world *w, const char *yaml, int person)
{
	struct arena *a = turn_arena(w->turn);
	char *text = signer_sign(persons[person], APPROVAL_NAMESPACE_POLICY, true, yaml, strlen(yaml));
	struct approval one = {person_names[person], arena_strdup(a, text), w->now_ms};
	struct signed_policy p = {
	    {(const uint8_t *)arena_strdup(a, yaml), strlen(yaml)}, {arena_dup(a, &one, sizeof(one)), 1}};
	free(text);
	return arena_dup(a, &p, sizeof(p));
}

static const char night_policy[] = "name: night\nservices: [portal]\ncomponents: [config, code]\nleast_severity: high\n"
				   "least_confidence: 0.5\nmax_hosts: 5\nmax_per_hour: 2\ncool_down: 10m\n"
				   "expires: 2033-01-01T00:00:00Z\nreason: tested last week\n";

static inline struct standing_policy policy_installed(struct world *w, const char *yaml, int person)
{
	struct standing_policy p;
	ok(policy_install(w->turn, &ada, policy_text(w, yaml, person), &p, ERR_HERE));
	return p;
}

#endif
