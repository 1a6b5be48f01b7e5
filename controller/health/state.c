/* controller/health/state.c: one placement's record: what the evidence says, what is shown, and telling what moved. */
#include <string.h>

#include "controller/health/internal.h"
#include "shared/base/text.h"

const char *health_place(struct turn *t, const char *service, const char *host)
{
	return arena_printf(turn_arena(t), "%s/%s", service, host);
}

enum err_code transitions_add(
    struct turn *t, struct health_transitions *out, const struct health_transition *tr, struct err *reterr)
{
	if (out->count == HEALTH_TRANSITIONS_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d changes of health at once", HEALTH_TRANSITIONS_MAX);
	if (out->count == out->capacity) {
		size_t capacity = out->capacity ? 2 * out->capacity : 8;
		struct health_transition *grown = arena_array(turn_arena(t), capacity, sizeof(*grown));
		if (!grown)
			return err_set(reterr, ERR_NOMEM, "out of memory for changes of health");
		if (out->count > 0)
			memcpy(grown, out->items, out->count * sizeof(*grown));
		out->items = grown;
		out->capacity = capacity;
	}
	out->items[out->count++] = *tr;
	return ERR_OK;
}

/* Nobody is told of UNKNOWN at once; after a while somebody must be. */
static enum err_code patience(
    struct turn *t, const struct health_config *c, struct service_health *s, struct err *reterr)
{
	const char *place = health_place(t, s->service, s->host);
	s->prolonged = false;
	if (s->state == HEALTH_UNKNOWN)
		return turn_timer_set(
		    t, HEALTH_TIMER_UNKNOWN, no_id, place, turn_now_ms(t) + c->unknown_patience_ms, reterr);
	return turn_timer_clear(t, HEALTH_TIMER_UNKNOWN, no_id, place, reterr);
}

/* What is shown became another thing. */
static enum err_code show(struct turn *t, const struct health_config *c, struct service_health *s, enum health to,
    uint64_t since_ms, struct health_transitions *out, struct err *reterr)
{
	struct health_transition tr = {
	    .service = s->service,
	    .host = s->host,
	    .from = (enum health)s->state,
	    .to = to,
	    .reason = s->reason,
	    .probe = s->probe,
	    .since_ms = since_ms,
	};
	s->state = to;
	s->since_ms = since_ms;
	enum health before;
	struct health_change change = {since_ms, to, s->reason, false};
	enum err_code rc = history_add(t, s->service, s->host, &change, &before, reterr);
	if (rc == ERR_OK)
		rc = patience(t, c, s, reterr);
	if (rc == ERR_OK)
		rc = fleet_on_health(t, s->service, s->host, to, since_ms, reterr);
	if (rc == ERR_OK)
		rc = transitions_add(t, out, &tr, reterr);
	return rc;
}

static const char *window_reason(struct turn *t, const struct service_health *s)
{
	char until[TEXT_TIME_MAX];
	return arena_printf(turn_arena(t), "maintenance until %s", text_time(s->maintenance_until_ms, until));
}

enum err_code health_settle(struct turn *t, const struct health_config *c, struct service_health *s,
    const struct health_verdict *v, uint64_t since_ms, struct health_transitions *out, struct err *reterr)
{
	uint64_t now = turn_now_ms(t);
	if (since_ms > now)
		since_ms = now;
	if (s->measured != (uint32_t)v->state) {
		s->measured = v->state;
		s->measured_since_ms = since_ms;
	}
	bool window = s->maintenance_until_ms > now;
	if (!window)
		s->maintenance_until_ms = 0;
	s->reason = window ? window_reason(t, s) : v->reason;
	s->probe = v->probe;
	enum health to = window ? HEALTH_MAINTENANCE : v->state;
	enum err_code rc = ERR_OK;
	if (s->state != (uint32_t)to) {
		/* A window that begins or ends moves the state now, whenever the evidence moved. */
		bool by_window = window || s->state == HEALTH_MAINTENANCE;
		rc = show(t, c, s, to, by_window ? now : since_ms, out, reterr);
	}
	return rc == ERR_OK ? turn_put(t, &service_health_table, s, reterr) : rc;
}

enum err_code health_rejudge(struct turn *t, const struct health_config *c, struct service_health *s, bool lagging,
    struct health_transitions *out, struct err *reterr)
{
	struct health_verdict v;
	enum err_code rc = health_judge(c, &s->results, lagging, turn_arena(t), &v, reterr);
	if (rc != ERR_OK)
		return rc;
	if (s->stale)
		v = (struct health_verdict){
		    .state = HEALTH_UNKNOWN, .reason = s->reason ? s->reason : "no fresh evidence"};
	else if (v.breach && s->breaches < HEALTH_BREACH_RUNS)
		v = (struct health_verdict){.state = HEALTH_HEALTHY};
	return health_settle(t, c, s, &v, turn_now_ms(t), out, reterr);
}

enum err_code health_get(struct turn *t, const char *service, const char *host, struct service_health *ret,
    bool *ret_found, struct err *reterr)
{
	struct service_health key = {.service = service, .host = host};
	return turn_get(t, &service_health_table, &key, ret, ret_found, reterr);
}

enum err_code health_of_host(struct turn *t, const char *host, struct list *ret, struct err *reterr)
{
	struct service_health like = {.host = host};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct list all = {0};
	enum err_code rc = turn_scan_index(t, &service_health_table, "host", &like, false, &scan, reterr);
	if (rc != ERR_OK || (rc = turn_scan_take(&scan, HELLO_SERVICES_MAX * 4, &all, reterr)) != ERR_OK)
		return rc;
	*ret = all;
	return ERR_OK;
}

enum err_code health_of_service(struct turn *t, const char *service, struct health_summary *ret, struct err *reterr)
{
	static const enum health order[] = {
	    HEALTH_DOWN, HEALTH_DEGRADED, HEALTH_UNKNOWN, HEALTH_MAINTENANCE, HEALTH_HEALTHY};
	struct service_health key = {.service = service};
	struct health_summary sum = {.worst = HEALTH_UNKNOWN};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct service_health s;
	enum err_code rc = turn_scan_key(t, &service_health_table, &key, 1, false, &scan, reterr);
	while (turn_scan_step(&scan, &s, &rc, reterr)) {
		sum.hosts++;
		sum.by_state[s.state]++;
	}
	if (rc != ERR_OK)
		return rc;
	for (size_t i = sizeof(order) / sizeof(order[0]); sum.hosts > 0 && i > 0; i--)
		if (sum.by_state[order[i - 1]] > 0)
			sum.worst = order[i - 1];
	*ret = sum;
	return ERR_OK;
}
