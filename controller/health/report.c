/* controller/health/report.c: what hosts tell. */
#include "controller/health/internal.h"
#include "shared/base/text.h"

static uint64_t historic_ms(const struct health_config *c)
{
	uint64_t beats = 3 * c->heartbeat_ms;
	return beats > HEALTH_HISTORIC_MS ? beats : HEALTH_HISTORIC_MS;
}

/* Spooled through a break: it tells what was, not what is. */
static enum err_code replay(struct turn *t, const char *service, const char *host, uint64_t at_ms,
    const struct health_verdict *v, struct health_transitions *out, struct err *reterr)
{
	enum health before;
	struct health_change change = {at_ms, v->state, v->reason, true};
	enum err_code rc = history_add(t, service, host, &change, &before, reterr);
	if (rc != ERR_OK || before == v->state)
		return rc;
	struct health_transition tr = {
	    .service = service,
	    .host = host,
	    .from = before,
	    .to = v->state,
	    .reason = v->reason,
	    .probe = v->probe,
	    .since_ms = at_ms,
	    .historic = true,
	};
	return transitions_add(t, out, &tr, reterr);
}

/* When the deciding probe settled, if that is believable; else when the report was made. */
static uint64_t began_ms(
    const struct host *h, const struct service_health *s, const struct list *results, const char *probe, uint64_t at_ms)
{
	for (size_t i = 0; probe && i < results->count; i++) {
		const struct probe_result *r = &LIST_AT(*results, struct probe_result, i);
		uint64_t since = fleet_time(h, r->since_ms);
		if (text_equal(r->probe, probe) && r->since_ms && since <= at_ms && since >= s->measured_since_ms)
			return since;
	}
	return at_ms;
}

static enum err_code take(struct turn *t, const struct health_config *c, const struct host *h, uint64_t at_ms,
    const struct placement *p, const struct health_report *r, struct health_verdict *v, struct health_transitions *out,
    struct err *reterr)
{
	struct service_health s;
	bool found;
	enum err_code rc = health_get(t, p->service, p->host, &s, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = health_begin(t, c, p, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	s.breaches = v->breach ? s.breaches + 1 : 0;
	if (v->breach && s.breaches < HEALTH_BREACH_RUNS) /* a spike is not a state */
		*v = (struct health_verdict){.state = HEALTH_HEALTHY};
	if (s.stale) {
		rc = health_deadline(t, s.service, s.host, turn_now_ms(t) + 2 * c->heartbeat_ms, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	s.stale = false;
	s.evidence_ms = turn_now_ms(t);
	s.results = r->results;
	return health_settle(t, c, &s, v, began_ms(h, &s, &r->results, v->probe, at_ms), out, reterr);
}

enum err_code health_on_report(struct turn *t, const struct health_config *c, const struct host *h, uint64_t at_ms,
    const struct health_report *r, struct health_transitions *out, struct err *reterr)
{
	struct placement p;
	struct health_verdict v;
	bool found;
	uint64_t at = fleet_time(h, at_ms);
	enum err_code rc = fleet_placement_get(t, r->service, h->name, &p, &found, reterr);
	if (rc != ERR_OK || !found || p.undeclared)
		return rc; /* of a service that was taken out of agent.yaml since */
	for (size_t i = 0; rc == ERR_OK && i < r->results.count; i++) {
		const struct probe_result *one = &LIST_AT(r->results, struct probe_result, i);
		rc = metrics_keep(
		    t, c, &(struct metrics_from){r->service, h->name, one->probe, at}, &one->metrics, out, reterr);
	}
	if (rc == ERR_OK)
		rc = health_judge(c, &r->results, h->lagging, turn_arena(t), &v, reterr);
	if (rc != ERR_OK)
		return rc;
	if (at + historic_ms(c) < turn_now_ms(t))
		return replay(t, r->service, h->name, at, &v, out, reterr);
	return take(t, c, h, at, &p, r, &v, out, reterr);
}

enum err_code health_on_host_report(struct turn *t, const struct health_config *c, const struct host *h, uint64_t at_ms,
    const struct host_report *r, struct health_transitions *out, struct err *reterr)
{
	uint64_t at = fleet_time(h, at_ms);
	enum err_code rc = metrics_keep(t, c, &(struct metrics_from){"-", h->name, NULL, at}, &r->metrics, out, reterr);
	if (rc != ERR_OK || at + historic_ms(c) < turn_now_ms(t) || h->lagging == r->lagging)
		return rc;
	struct list records;
	rc = fleet_on_lagging(t, h->name, r->lagging, reterr);
	if (rc == ERR_OK)
		rc = health_of_host(t, h->name, &records, reterr);
	for (size_t i = 0; rc == ERR_OK && i < records.count; i++)
		rc = health_rejudge(t, c, &LIST_AT(records, struct service_health, i), r->lagging, out, reterr);
	return rc;
}
