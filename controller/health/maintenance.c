/* controller/health/maintenance.c: windows in which faults are expected.  Each has an end, held by a timer from its
 * first moment. */
#include <string.h>

#include "controller/health/internal.h"
#include "shared/base/text.h"

static const char every_host[] = "*";

static enum err_code window_get(
    struct turn *t, const char *service, const char *host, struct maintenance *ret, bool *ret_found, struct err *reterr)
{
	struct maintenance key = {.service = service, .host = host};
	return turn_get(t, &maintenance_table, &key, ret, ret_found, reterr);
}

enum err_code health_maintenance_until(
    struct turn *t, const char *service, const char *host, uint64_t *ret_until_ms, struct err *reterr)
{
	const char *hosts[] = {every_host, host};
	uint64_t until = 0;
	for (size_t i = 0; i < 2 && hosts[i]; i++) {
		struct maintenance w;
		bool found;
		enum err_code rc = window_get(t, service, hosts[i], &w, &found, reterr);
		if (rc != ERR_OK)
			return rc;
		if (found && w.until_ms > turn_now_ms(t) && w.until_ms > until)
			until = w.until_ms;
	}
	*ret_until_ms = until;
	return ERR_OK;
}

static enum err_code refresh_one(struct turn *t, const struct health_config *c, struct service_health *s,
    struct health_transitions *out, struct err *reterr)
{
	struct host h;
	bool found;
	enum err_code rc = health_maintenance_until(t, s->service, s->host, &s->maintenance_until_ms, reterr);
	if (rc == ERR_OK)
		rc = fleet_host_get(t, s->host, &h, &found, reterr);
	return rc == ERR_OK ? health_rejudge(t, c, s, found && h.lagging, out, reterr) : rc;
}

/* The placements that a window covers show it, or show it no longer. */
static enum err_code refresh(struct turn *t, const struct health_config *c, const char *service, const char *host,
    struct health_transitions *out, struct err *reterr)
{
	struct service_health key = {.service = service, .host = host};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct service_health s;
	bool all = strcmp(host, every_host) == 0;
	enum err_code rc = turn_scan_key(t, &service_health_table, &key, all ? 1 : 2, false, &scan, reterr);
	while (turn_scan_step(&scan, &s, &rc, reterr))
		rc = refresh_one(t, c, &s, out, reterr);
	return rc;
}

enum err_code health_maintenance_start(struct turn *t, const struct health_config *c, const struct actor *who,
    const char *service, const char *host, uint64_t until_ms, const char *reason, struct health_transitions *out,
    struct err *reterr)
{
	uint64_t now = turn_now_ms(t);
	if (until_ms <= now || until_ms - now > HEALTH_MAINTENANCE_MAX_MS)
		return err_set(
		    reterr, ERR_INVALID, "maintenance must end within 7 days from now; give an end in that time");
	host = host ? host : every_host;
	struct maintenance w = {
	    .service = service,
	    .host = host,
	    .from_ms = now,
	    .until_ms = until_ms,
	    .by = actor_text(t, who),
	    .reason = reason,
	};
	const char *place = health_place(t, service, host);
	char until[TEXT_TIME_MAX];
	enum err_code rc = turn_put(t, &maintenance_table, &w, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_set(t, HEALTH_TIMER_MAINTENANCE, no_id, place, until_ms, reterr);
	if (rc == ERR_OK)
		rc = audit_note(t, who, "maintenance.start", "service", place, AUDIT_DONE, reterr, "until %s: %s",
		    text_time(until_ms, until), reason ? reason : "no reason given");
	return rc == ERR_OK ? refresh(t, c, service, host, out, reterr) : rc;
}

static enum err_code window_end(struct turn *t, const struct health_config *c, const struct actor *who,
    const char *service, const char *host, struct health_transitions *out, struct err *reterr)
{
	struct maintenance key = {.service = service, .host = host};
	const char *place = health_place(t, service, host);
	enum err_code rc = turn_delete(t, &maintenance_table, &key, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_clear(t, HEALTH_TIMER_MAINTENANCE, no_id, place, reterr);
	if (rc == ERR_OK)
		rc = audit_note(t, who, "maintenance.end", "service", place, AUDIT_DONE, reterr, "over");
	return rc == ERR_OK ? refresh(t, c, service, host, out, reterr) : rc;
}

enum err_code health_maintenance_end(struct turn *t, const struct health_config *c, const struct actor *who,
    const char *service, const char *host, struct health_transitions *out, struct err *reterr)
{
	struct maintenance w;
	bool found;
	host = host ? host : every_host;
	enum err_code rc = window_get(t, service, host, &w, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "%s has no maintenance on %s", service,
		    strcmp(host, every_host) == 0 ? "every host" : host);
	return rc == ERR_OK ? window_end(t, c, who, service, host, out, reterr) : rc;
}

enum err_code maintenance_due(struct turn *t, const struct health_config *c, const char *place,
    struct health_transitions *out, struct err *reterr)
{
	struct maintenance w;
	bool found;
	const char *slash = place ? strchr(place, '/') : NULL;
	const char *service = slash ? arena_strndup(turn_arena(t), place, (size_t)(slash - place)) : NULL;
	if (!service)
		return err_set(reterr, ERR_CORRUPT, "a timer of maintenance has no placement");
	enum err_code rc = window_get(t, service, slash + 1, &w, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	if (w.until_ms > turn_now_ms(t))
		return turn_timer_set(t, HEALTH_TIMER_MAINTENANCE, no_id, place, w.until_ms, reterr);
	return window_end(t, c, &actor_controller, service, slash + 1, out, reterr);
}
