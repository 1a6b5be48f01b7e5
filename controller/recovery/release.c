/* controller/recovery/release.c: the orders of a wave go out. */
#include <assert.h>

#include "controller/recovery/internal.h"
#include "shared/base/text.h"

/* An undo names the order that it takes back. */
static enum err_code undone_order(
    struct turn *t, const struct change *change, const struct rollback_host *h, struct id *ret, struct err *reterr)
{
	struct order_record like = {.host = h->host}, o;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	bool hit = false;
	enum err_code rc = turn_scan_index(t, &order_table, "host", &like, true, &scan, reterr);
	while (!hit && turn_scan_step(&scan, &o, &rc, reterr))
		hit = id_equal(o.safety_snapshot, h->snapshot) && text_equal(o.service, change->service);
	if (rc == ERR_OK && hit)
		*ret = o.order_id;
	return rc;
}

static struct digest precondition_of(const struct plan *plan, const char *host)
{
	for (size_t i = 0; i < plan->hosts.count; i++)
		if (text_equal(LIST_AT(plan->hosts, struct plan_host, i).host, host))
			return LIST_AT(plan->hosts, struct plan_host, i).precondition;
	return (struct digest){0};
}

static enum err_code issue(struct turn *t, const struct recovery_config *c, const struct change *change,
    const struct order_authority *by, struct rollback *r, struct rollback_host *h, struct err *reterr)
{
	struct order order = {.kind = r->kind,
	    .host = h->host,
	    .service = r->service,
	    .components = r->components,
	    .snapshot = h->snapshot,
	    .incident = r->incident,
	    .change = r->change,
	    .rollback = r->rollback,
	    .reason = change->reason,
	    .deep = change->plan->deep,
	    .run_limit_ms = change->plan->run_limit_ms,
	    .precondition = precondition_of(change->plan, h->host),
	    .plan = by->plan,
	    .approvals = by->approvals,
	    .policy = by->policy};
	struct order_record record;
	enum err_code rc = r->kind == ORDER_UNDO ? undone_order(t, change, h, &order.undo_of, reterr) : ERR_OK;
	if (rc == ERR_OK)
		rc = order_issue(t, c, &order, change->requested_by, &record, reterr);
	if (rc == ERR_OK)
		h->order = record.order_id;
	return rc;
}

/* The orders of r->wave that are not out yet go out, as far as the storages that their hosts share have room. */
enum err_code rollback_release(struct turn *t, const struct recovery_config *c, struct rollback *r, struct err *reterr)
{
	struct change change;
	struct order_authority by;
	struct storage_rooms rooms = {0};
	bool found;
	enum err_code rc = change_get(t, r->change, &change, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	assert(found); /* a rollback is made of its change, and changes are never deleted */
	if ((rc = order_authority(t, &change, &by, reterr)) != ERR_OK)
		return rc;
	r->state = ROLLBACK_RUNNING;
	r->waits_for = NULL;
	for (size_t i = 0; rc == ERR_OK && i < r->hosts.count; i++) {
		struct rollback_host *h = rollback_host_at(r, i);
		bool now = true;
		if (h->wave != r->wave || !id_is_zero(h->order))
			continue;
		if (h->storage && (rc = storage_take(t, c, r, h->storage, &rooms, &now, reterr)) != ERR_OK)
			break;
		if (now)
			rc = issue(t, c, &change, &by, r, h, reterr);
		else
			r->waits_for = h->storage;
	}
	return rc;
}
