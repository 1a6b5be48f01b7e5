/* controller/recovery/reach.c: how far hosts say that they can bring services back beyond their restore points. */
#include "controller/recovery/internal.h"

static uint64_t here(const struct host *h, uint64_t host_ms)
{
	return host_ms ? fleet_time(h, host_ms) : 0;
}

/* What the host does not run is none of its business. */
static enum err_code keep(
    struct turn *t, const struct host *h, uint64_t at_ms, const struct reach *r, struct err *reterr)
{
	struct placement p;
	bool runs;
	enum err_code rc = fleet_placement_get(t, r->service, h->name, &p, &runs, reterr);
	if (rc != ERR_OK || !runs)
		return rc;
	struct reach_record now = {.service = r->service,
	    .host = h->name,
	    .at_ms = here(h, at_ms),
	    .archive = r->archive,
	    .covered_ms = here(h, r->covered_ms),
	    .copies = r->copies,
	    .copied_ms = here(h, r->copied_ms),
	    .copied_point_ms = here(h, r->copied_point_ms),
	    .text = r->text};
	struct reach_record before;
	bool known;
	rc = turn_get(t, &reach_table, &now, &before, &known, reterr);
	if (rc != ERR_OK || (known && before.at_ms > now.at_ms)) /* replayed: what is known is younger */
		return rc;
	return turn_put(t, &reach_table, &now, reterr);
}

enum err_code recovery_on_reach(
    struct turn *t, const struct host *h, uint64_t at_ms, const struct host_report *r, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < r->reach.count && rc == ERR_OK; i++)
		rc = keep(t, h, at_ms, &LIST_AT(r->reach, struct reach, i), reterr);
	return rc;
}

enum err_code recovery_reach_get(
    struct turn *t, const char *service, const char *host, struct reach *ret, bool *ret_found, struct err *reterr)
{
	struct reach_record key = {.service = service, .host = host}, now;
	bool found;
	enum err_code rc = turn_get(t, &reach_table, &key, &now, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (found)
		*ret = (struct reach){.service = now.service,
		    .archive = now.archive,
		    .covered_ms = now.covered_ms,
		    .copies = now.copies,
		    .copied_ms = now.copied_ms,
		    .copied_point_ms = now.copied_point_ms,
		    .text = now.text};
	*ret_found = found;
	return ERR_OK;
}
