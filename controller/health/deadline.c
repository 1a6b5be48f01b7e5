/* controller/health/deadline.c: evidence has a deadline.  One lazy timer a placement: when it falls due it looks at
 * when the last report came and either waits on or says UNKNOWN. */
#include <string.h>

#include "controller/health/internal.h"
#include "shared/base/text.h"

enum err_code health_deadline(
    struct turn *t, const char *service, const char *host, uint64_t due_ms, struct err *reterr)
{
	return turn_timer_set(t, HEALTH_TIMER_STALE, no_id, health_place(t, service, host), due_ms, reterr);
}

enum err_code health_begin(struct turn *t, const struct health_config *c, const struct placement *p,
    struct service_health *ret, struct err *reterr)
{
	uint64_t now = turn_now_ms(t), until;
	enum err_code rc = health_maintenance_until(t, p->service, p->host, &until, reterr);
	if (rc != ERR_OK)
		return rc;
	struct service_health s = {
	    .service = p->service,
	    .host = p->host,
	    .state = until ? HEALTH_MAINTENANCE : HEALTH_UNKNOWN,
	    .since_ms = now,
	    .measured_since_ms = now,
	    .reason = p->probes > 0 ? "no report yet" : "no probes are declared",
	    .maintenance_until_ms = until,
	};
	if (p->probes > 0) {
		rc = health_deadline(t, s.service, s.host, now + 2 * c->heartbeat_ms, reterr);
		if (rc == ERR_OK)
			rc = turn_timer_set(t, HEALTH_TIMER_UNKNOWN, no_id, health_place(t, s.service, s.host),
			    now + c->unknown_patience_ms, reterr);
	}
	if (rc == ERR_OK)
		rc = turn_put(t, &service_health_table, &s, reterr);
	if (rc == ERR_OK)
		*ret = s;
	return rc;
}

static enum err_code end_record(
    struct turn *t, const struct service_health *s, struct health_transitions *out, struct err *reterr)
{
	const char *place = health_place(t, s->service, s->host);
	enum err_code rc = turn_timer_clear(t, HEALTH_TIMER_STALE, no_id, place, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_clear(t, HEALTH_TIMER_UNKNOWN, no_id, place, reterr);
	if (rc == ERR_OK)
		rc = turn_delete(t, &service_health_table, s, reterr);
	if (rc != ERR_OK)
		return rc;
	struct health_transition tr = {
	    .service = s->service,
	    .host = s->host,
	    .from = (enum health)s->state,
	    .to = HEALTH_UNKNOWN,
	    .reason = "the host does not declare it any more",
	    .since_ms = turn_now_ms(t),
	    .gone = true,
	};
	return transitions_add(t, out, &tr, reterr);
}

enum err_code health_on_hello(
    struct turn *t, const struct health_config *c, const char *host, struct health_transitions *out, struct err *reterr)
{
	struct list placements, records;
	enum err_code rc = fleet_host_placements(t, host, &placements, reterr);
	if (rc == ERR_OK)
		rc = health_of_host(t, host, &records, reterr);
	for (size_t i = 0; rc == ERR_OK && i < placements.count; i++) {
		const struct placement *p = &LIST_AT(placements, struct placement, i);
		struct service_health s;
		bool found;
		rc = health_get(t, p->service, p->host, &s, &found, reterr);
		if (rc == ERR_OK && !found)
			rc = health_begin(t, c, p, &s, reterr);
	}
	for (size_t i = 0; rc == ERR_OK && i < records.count; i++) {
		const struct service_health *s = &LIST_AT(records, struct service_health, i);
		bool declared = false;
		for (size_t k = 0; k < placements.count; k++)
			declared |= text_equal(LIST_AT(placements, struct placement, k).service, s->service);
		if (!declared)
			rc = end_record(t, s, out, reterr);
	}
	return rc;
}

static enum err_code boot_one(
    struct turn *t, const struct health_config *c, const struct service_health *s, struct err *reterr)
{
	struct placement p;
	bool found;
	enum err_code rc = fleet_placement_get(t, s->service, s->host, &p, &found, reterr);
	if (rc != ERR_OK || !found || p.probes == 0)
		return rc;
	if (!s->stale)
		rc = health_deadline(t, s->service, s->host, turn_now_ms(t) + 2 * c->heartbeat_ms, reterr);
	if (rc == ERR_OK && s->state == HEALTH_UNKNOWN && !s->prolonged)
		rc = turn_timer_set(t, HEALTH_TIMER_UNKNOWN, no_id, health_place(t, s->service, s->host),
		    turn_now_ms(t) + c->unknown_patience_ms, reterr);
	return rc;
}

enum err_code health_on_boot(struct turn *t, const struct health_config *c, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct service_health s;
	enum err_code rc = turn_scan_key(t, &service_health_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &s, &rc, reterr))
		rc = boot_one(t, c, &s, reterr);
	return rc;
}

static enum err_code go_stale(struct turn *t, const struct health_config *c, struct service_health *s, const char *why,
    struct health_transitions *out, struct err *reterr)
{
	struct health_verdict v = {.state = HEALTH_UNKNOWN, .reason = why};
	s->stale = true;
	s->breaches = 0;
	return health_settle(t, c, s, &v, turn_now_ms(t), out, reterr);
}

enum err_code health_on_silent(struct turn *t, const struct health_config *c, const char *host, const char *why,
    struct health_transitions *out, struct err *reterr)
{
	struct list records;
	enum err_code rc = health_of_host(t, host, &records, reterr);
	for (size_t i = 0; rc == ERR_OK && i < records.count; i++) {
		struct service_health *s = &LIST_AT(records, struct service_health, i);
		rc = turn_timer_clear(t, HEALTH_TIMER_STALE, no_id, health_place(t, s->service, s->host), reterr);
		if (rc == ERR_OK)
			rc = go_stale(t, c, s, why, out, reterr);
	}
	return rc;
}

static enum err_code stale_due(struct turn *t, const struct health_config *c, struct service_health *s,
    struct health_transitions *out, struct err *reterr)
{
	uint64_t due = s->evidence_ms + 2 * c->heartbeat_ms;
	if (s->evidence_ms && due > turn_now_ms(t))
		return health_deadline(t, s->service, s->host, due, reterr);
	return go_stale(t, c, s, "no report for two heartbeats", out, reterr);
}

static enum err_code unknown_due(
    struct turn *t, struct service_health *s, struct health_transitions *out, struct err *reterr)
{
	if (s->state != HEALTH_UNKNOWN || s->prolonged)
		return ERR_OK;
	s->prolonged = true;
	enum err_code rc = turn_put(t, &service_health_table, s, reterr);
	if (rc != ERR_OK)
		return rc;
	struct health_transition tr = {
	    .service = s->service,
	    .host = s->host,
	    .from = HEALTH_UNKNOWN,
	    .to = HEALTH_UNKNOWN,
	    .reason = s->reason,
	    .since_ms = s->since_ms,
	    .prolonged = true,
	};
	return transitions_add(t, out, &tr, reterr);
}

enum err_code health_on_unheard(
    struct turn *t, const struct health_config *c, const char *host, struct health_transitions *out, struct err *reterr)
{
	struct list records;
	enum err_code rc = health_on_silent(t, c, host, "no word from the host", out, reterr);
	if (rc == ERR_OK)
		rc = health_of_host(t, host, &records, reterr);
	for (size_t i = 0; rc == ERR_OK && i < records.count; i++) {
		struct service_health *s = &LIST_AT(records, struct service_health, i);
		if (s->evidence_ms)
			rc = unknown_due(t, s, out, reterr);
	}
	return rc;
}

enum err_code health_on_timer(struct turn *t, const struct health_config *c, const struct timer *timer,
    struct health_transitions *out, bool *ret_mine, struct err *reterr)
{
	bool stale = strcmp(timer->kind, HEALTH_TIMER_STALE) == 0,
	     unknown = strcmp(timer->kind, HEALTH_TIMER_UNKNOWN) == 0;
	bool window = strcmp(timer->kind, HEALTH_TIMER_MAINTENANCE) == 0;
	*ret_mine = stale || unknown || window;
	if (window)
		return maintenance_due(t, c, timer->name, out, reterr);
	if (!stale && !unknown)
		return ERR_OK;
	const char *slash = timer->name ? strchr(timer->name, '/') : NULL;
	if (!slash)
		return err_set(reterr, ERR_CORRUPT, "timer %s has no placement", timer->kind);
	struct service_health s;
	bool found;
	const char *service = arena_strndup(turn_arena(t), timer->name, (size_t)(slash - timer->name));
	if (!service)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = health_get(t, service, slash + 1, &s, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	return stale ? stale_due(t, c, &s, out, reterr) : unknown_due(t, &s, out, reterr);
}
