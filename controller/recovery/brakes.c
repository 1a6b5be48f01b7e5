/* controller/recovery/brakes.c: what holds automation back, and the stop button. */
#include "controller/recovery/internal.h"

enum err_code brakes_get(struct turn *t, struct brakes *ret, struct err *reterr)
{
	struct brakes key = {.scope = "fleet"};
	bool found;
	enum err_code rc = turn_get(t, &brakes_table, &key, ret, &found, reterr);
	if (rc == ERR_OK && !found)
		*ret = (struct brakes){.scope = "fleet", .epoch = 1};
	return rc;
}

static enum err_code set(struct turn *t, const struct actor *who, struct brakes *b, const char *reason,
    const char *action, struct err *reterr)
{
	b->by = actor_text(t, who);
	b->reason = reason;
	b->since_ms = turn_now_ms(t);
	enum err_code rc = turn_put(t, &brakes_table, b, reterr);
	if (rc != ERR_OK)
		return rc;
	return audit_note(t, who, action, "brakes", "fleet", AUDIT_DONE, reterr, "epoch %llu: %s",
	    (unsigned long long)b->epoch, reason ? reason : "no reason given");
}

/* Every host that is connected hears of it. */
static enum err_code tell_hosts(struct turn *t, bool on, const char *reason, struct err *reterr)
{
	struct host like = {.state = HOST_CONNECTED}, h;
	struct halt *halt = arena_alloc(turn_arena(t), sizeof *halt);
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	if (!halt)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*halt = (struct halt){on, reason};
	enum err_code rc = turn_scan_index(t, &host_table, "state", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr)) {
		struct effect e = {.kind = EFFECT_FRAME, .host = h.name, .frame = FRAME_HALT, .body = halt};
		if ((rc = turn_emit(t, &e, reterr)) != ERR_OK)
			break;
	}
	return rc;
}

/* Rollbacks that stand before their next wave prove their health again, and go on. */
static enum err_code go_on(struct turn *t, struct err *reterr)
{
	struct rollback like = {.state = ROLLBACK_HALTED}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, &rollback_table, "state", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &r, &rc, reterr)) {
		r.state = ROLLBACK_PROVING;
		r.deadline_ms = turn_now_ms(t) + ROLLBACK_PROVE_MS;
		if ((rc = turn_put(t, &rollback_table, &r, reterr)) != ERR_OK ||
		    (rc = turn_timer_set(t, RECOVERY_TIMER_PROVE, r.rollback, NULL, turn_now_ms(t), reterr)) != ERR_OK)
			break;
	}
	return rc;
}

enum err_code brakes_halt(struct turn *t, const struct actor *who, bool on, const char *reason, struct err *reterr)
{
	struct brakes b;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK)
		return rc;
	b.halted = on;
	if ((rc = set(t, who, &b, reason, on ? "fleet.halt" : "fleet.resume", reterr)) != ERR_OK ||
	    (rc = tell_hosts(t, on, reason, reterr)) != ERR_OK)
		return rc;
	return on || b.observing ? ERR_OK : go_on(t, reterr);
}

/* The highest that any host has obeyed, whoever's it was. */
static enum err_code highest_epoch(struct turn *t, uint64_t *ret, struct err *reterr)
{
	struct host h;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	*ret = 0;
	enum err_code rc = turn_scan_key(t, &host_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr))
		if (h.epoch_seen > *ret && h.epoch_seen <= BRAKES_EPOCH_MAX)
			*ret = h.epoch_seen;
	return rc;
}

enum err_code brakes_observe(struct turn *t, const struct actor *who, bool on, const char *reason, struct err *reterr)
{
	struct brakes b;
	uint64_t highest;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK || (rc = highest_epoch(t, &highest, reterr)) != ERR_OK)
		return rc;
	if (!on && (b.observing || highest > b.epoch))
		b.epoch = (highest > b.epoch ? highest : b.epoch) +
			  1; /* whoever else believes to be this controller is obeyed no more */
	b.observing = on;
	if ((rc = set(t, who, &b, reason, on ? "controller.observe" : "controller.confirm", reterr)) != ERR_OK)
		return rc;
	return on || b.halted ? ERR_OK : go_on(t, reterr);
}

/* ---- may automation act? ---- */

static enum err_code too_much_down(struct turn *t, bool *ret, struct err *reterr)
{
	struct service_health h;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	size_t all = 0, down = 0;
	enum err_code rc = turn_scan_key(t, &service_health_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &h, &rc, reterr)) {
		all++;
		down += h.state == HEALTH_DOWN || h.stale; /* what cannot be seen is not trusted either */
	}
	*ret = all >= ROLLBACK_BREAKER_LEAST && down * 100 > all * ROLLBACK_BREAKER_PERCENT;
	return rc;
}

struct automatic_past {
	size_t in_last_hour;
	uint64_t last_ended_ms;
	bool for_incident;
};

/* Was there an automatic rollback for the incident, of whatever service? */
static enum err_code chained(struct turn *t, struct id incident, bool *ret, struct err *reterr)
{
	struct rollback like = {.incident = incident}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, &rollback_table, "incident", &like, false, &scan, reterr);
	while (!*ret && turn_scan_step(&scan, &r, &rc, reterr))
		*ret = r.automatic;
	return rc;
}

static enum err_code automatic_past(
    struct turn *t, struct id incident, const char *service, struct automatic_past *ret, struct err *reterr)
{
	struct rollback like = {.service = service}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	*ret = (struct automatic_past){0};
	enum err_code rc = turn_scan_index(t, &rollback_table, "service", &like, true, &scan, reterr);
	while (turn_scan_step(&scan, &r, &rc, reterr)) {
		if (!r.automatic)
			continue;
		ret->in_last_hour += r.began_ms + 3600 * 1000 > turn_now_ms(t);
		ret->last_ended_ms = r.ended_ms > ret->last_ended_ms ? r.ended_ms : ret->last_ended_ms;
	}
	return rc == ERR_OK ? chained(t, incident, &ret->for_incident, reterr) : rc;
}

enum err_code recovery_automatic_allowed(struct turn *t, struct id incident, const char *service,
    const struct policy *policy, size_t hosts, bool *ret_allowed, const char **ret_why, struct err *reterr)
{
	struct brakes b;
	struct automatic_past past;
	struct rollback running;
	bool breaker, busy;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK || (rc = automatic_past(t, incident, service, &past, reterr)) != ERR_OK ||
	    (rc = too_much_down(t, &breaker, reterr)) != ERR_OK ||
	    (rc = recovery_of_service(t, service, &running, &busy, reterr)) != ERR_OK)
		return rc;
	uint64_t cool_down_ms = policy->cool_down_ms ? policy->cool_down_ms : ROLLBACK_COOL_DOWN_MS;
	const char *why = NULL;
	if (b.observing)
		why = "observing: this controller was restored and commands nothing until an operator confirms it";
	else if (b.halted)
		why = "halt: everything is halted";
	else if (breaker)
		why = "breaker: too much of the fleet is down for automation to be trusted";
	else if (busy)
		why = "busy: a rollback of the service is still running";
	else if (past.for_incident)
		why = "chain: there was an automatic rollback for this incident already";
	else if (policy->max_per_hour && past.in_last_hour >= policy->max_per_hour)
		why = "budget: the policy's rollbacks of the last hour are used up";
	else if (past.last_ended_ms && past.last_ended_ms + cool_down_ms > turn_now_ms(t))
		why = "cool-down: the last automatic rollback of the service was too recent";
	else if (hosts > ROLLBACK_AUTOMATIC_HOSTS)
		why = "size: so many hosts need a person";
	*ret_allowed = why == NULL;
	*ret_why = why;
	return ERR_OK;
}
