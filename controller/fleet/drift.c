/* controller/fleet/drift.c: components that differ from their last restore point. */
#include "controller/audit/event.h"
#include "controller/fleet/internal.h"

static bool differs(const struct drift *d)
{
	return d->changed + d->added + d->removed > 0;
}

/* Config and code change only when somebody changes them; data changes by being used, which says nothing about a
 * restore point. */
static enum err_code drift_begins(struct turn *t, const struct drift *d, struct err *reterr)
{
	if (d->component == COMPONENT_CONFIG || d->component == COMPONENT_CODE) {
		uint64_t at =
		    d->newest_change_ms && d->newest_change_ms < d->seen_ms ? d->newest_change_ms : d->seen_ms;
		enum err_code rc = fleet_snapshot_left(t, d->service, d->host, at, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return event_tell(t, "service", d->host, SEVERITY_LOW, reterr,
	    "%s of %s on %s differs from its restore point: %llu changed, %llu added, %llu removed",
	    enum_name(&component_enum, d->component), d->service, d->host, (unsigned long long)d->changed,
	    (unsigned long long)d->added, (unsigned long long)d->removed);
}

enum err_code fleet_on_drift(struct turn *t, const struct host *h, const struct drift_report *r, struct err *reterr)
{
	struct drift old, new = {
			      .service = r->service,
			      .host = h->name,
			      .component = r->component,
			      .snapshot = r->snapshot,
			      .changed = r->changed,
			      .metadata = r->metadata,
			      .grown_bytes = r->grown_bytes,
			      .added = r->added,
			      .removed = r->removed,
			      .newest_change_ms = r->newest_change_ms ? fleet_time(h, r->newest_change_ms) : 0,
			      .digest = r->digest,
			      .seen_ms = turn_now_ms(t),
			      .paths = r->paths,
			      .checked = r->checked,
			      .refused = r->refused,
			      .refused_elsewhere = r->refused_elsewhere,
			      .version_before = r->version_before,
			      .version_now = r->version_now,
			  };
	struct drift key = {.service = r->service, .host = h->name, .component = r->component};
	bool found;
	enum err_code rc = turn_get(t, &drift_table, &key, &old, &found, reterr);
	if (rc == ERR_OK)
		rc = turn_put(t, &drift_table, &new, reterr);
	if (rc == ERR_OK && differs(&new) && !(found && differs(&old)))
		rc = drift_begins(t, &new, reterr);
	return rc;
}

enum err_code fleet_drifts(struct turn *t, const char *service, const char *host, struct list *ret, struct err *reterr)
{
	struct drift *drifts = arena_array(turn_arena(t), COMPONENT_COUNT, sizeof(*drifts));
	if (!drifts)
		return err_set(reterr, ERR_NOMEM, "out of memory for drifts");
	size_t count = 0;
	for (uint32_t component = 0; component < COMPONENT_COUNT; component++) {
		struct drift key = {.service = service, .host = host, .component = component};
		bool found;
		enum err_code rc = turn_get(t, &drift_table, &key, &drifts[count], &found, reterr);
		if (rc != ERR_OK)
			return rc;
		count += found && differs(&drifts[count]);
	}
	*ret = (struct list){drifts, count};
	return ERR_OK;
}
