/* controller/health/look.c: asking a host for evidence now, instead of waiting for its next report. */
#include "controller/health/internal.h"

static enum err_code ask(struct turn *t, const struct host *h, const char *service, bool deep, struct err *reterr)
{
	struct look *look = arena_alloc(turn_arena(t), sizeof *look);
	if (!look)
		return err_set(reterr, ERR_NOMEM, "out of memory for a question");
	*look = (struct look){service, deep};
	struct effect e = {.kind = EFFECT_FRAME, .host = h->name, .boot = h->boot, .frame = FRAME_LOOK, .body = look};
	return turn_emit(t, &e, reterr);
}

static uint64_t newest_run(const struct list *results)
{
	uint64_t newest_ms = 0;
	for (size_t i = 0; i < results->count; i++) {
		const struct probe_result *r = &LIST_AT(*results, struct probe_result, i);
		if (r->tier == PROBE_SHALLOW && r->at_ms > newest_ms)
			newest_ms = r->at_ms;
	}
	return newest_ms;
}

enum err_code health_look(
    struct turn *t, const char *service, const char *host, bool deep, bool *ret_asked, struct err *reterr)
{
	struct service_health s;
	struct host h;
	bool known, found = false;
	enum err_code rc = health_get(t, service, host, &s, &known, reterr);
	if (rc == ERR_OK && known)
		rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_asked = false;
	if (!found || !fleet_host_usable(&h) || !fleet_host_can(&h, CAPABILITY_LOOK) ||
	    (s.asked_ms && turn_now_ms(t) < s.asked_ms + HEALTH_LOOK_EVERY_MS))
		return ERR_OK;
	s.asked_ms = turn_now_ms(t);
	s.asked_after_ms = newest_run(&s.results);
	rc = turn_put(t, &service_health_table, &s, reterr);
	if (rc == ERR_OK)
		rc = ask(t, &h, service, deep, reterr);
	if (rc == ERR_OK)
		*ret_asked = true;
	return rc;
}

/* A bad result that has not settled yet says neither. */
static bool is_wavering(const struct list *results)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct probe_result *r = &LIST_AT(*results, struct probe_result, i);
		if (r->tier == PROBE_SHALLOW && r->state != r->settled &&
		    (r->state == PROBE_CRITICAL || r->state == PROBE_WARNING))
			return true;
	}
	return false;
}

/* Was each of them run since?  A report that came meanwhile may hold nothing but what was known. */
static bool has_answered(const struct service_health *s)
{
	if (s->evidence_ms <= s->asked_ms)
		return false;
	for (size_t i = 0; i < s->results.count; i++) {
		const struct probe_result *r = &LIST_AT(s->results, struct probe_result, i);
		if (r->tier == PROBE_SHALLOW && r->at_ms <= s->asked_after_ms)
			return false;
	}
	return true;
}

/* What hangs says so when its time is over, and that is the probe's to say. */
static uint64_t patience_ms(const struct placement *p, bool found)
{
	uint64_t ms = found && p->answer_ms ? p->answer_ms + HEALTH_LOOK_TRAVEL_MS : 0;
	return ms < HEALTH_LOOK_ANSWER_MS       ? HEALTH_LOOK_ANSWER_MS
	       : ms > HEALTH_LOOK_ANSWER_MAX_MS ? HEALTH_LOOK_ANSWER_MAX_MS
						: ms;
}

static enum err_code is_open(struct turn *t, const struct service_health *s, bool *ret, struct err *reterr)
{
	struct host h;
	struct placement p;
	bool found, placed;
	enum err_code rc = fleet_host_get(t, s->host, &h, &found, reterr);
	if (rc == ERR_OK)
		rc = fleet_placement_get(t, s->service, s->host, &p, &placed, reterr);
	if (rc != ERR_OK)
		return rc;
	bool asked = s->asked_ms && turn_now_ms(t) < s->asked_ms + patience_ms(&p, placed);
	*ret = (asked && (!has_answered(s) || is_wavering(&s->results))) ||
	       (found && fleet_host_doubtful(&h, turn_now_ms(t)));
	return ERR_OK;
}

enum err_code health_is_asked(struct turn *t, const char *service, bool *ret, struct err *reterr)
{
	struct service_health key = {.service = service}, s;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	bool open = false;
	enum err_code rc = turn_scan_key(t, &service_health_table, &key, 1, false, &scan, reterr);
	while (!open && turn_scan_step(&scan, &s, &rc, reterr))
		rc = is_open(t, &s, &open, reterr);
	if (rc == ERR_OK)
		*ret = open;
	return rc;
}
