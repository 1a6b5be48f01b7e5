/* controller/recovery/drill.c: restores that hosts practised. */
#include "controller/audit/event.h"
#include "controller/recovery/internal.h"

enum err_code recovery_on_drill(struct turn *t, const struct host *h, const struct drill_report *r, struct err *reterr)
{
	struct drill d = {.service = r->service,
	    .host = h->name,
	    .snapshot = r->snapshot,
	    .at_ms = fleet_time(h, r->at_ms),
	    .took_ms = r->took_ms,
	    .ok = r->ok,
	    .checked = r->checked,
	    .proven_ms = r->proven_ms ? fleet_time(h, r->proven_ms) : 0,
	    .text = r->text,
	    .components = r->components};
	struct actor who = actor_host(h->name);
	enum err_code rc = turn_put(t, &drill_table, &d, reterr);
	if (rc == ERR_OK && !r->ok)
		rc = event_tell(t, "service", h->name, SEVERITY_HIGH, reterr, "a practised restore of %s on %s failed",
		    r->service, h->name);
	/* The host's own words stay off the trail: they may be long. */
	return rc == ERR_OK ? audit_note(t, &who, "drill", "service", r->service, r->ok ? AUDIT_DONE : AUDIT_FAILED,
				  reterr, "a restore of %s on %s was practised and %s", r->service, h->name,
				  r->ok ? "went well" : "failed")
			    : rc;
}

enum err_code recovery_drill_get(
    struct turn *t, const char *service, const char *host, struct drill *ret, bool *ret_found, struct err *reterr)
{
	struct drill key = {.service = service, .host = host};
	return turn_get(t, &drill_table, &key, ret, ret_found, reterr);
}
