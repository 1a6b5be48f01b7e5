#include "controller/center/already.h"

#include "controller/incident/incident.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

static bool has_hosts(const struct plan *p, const struct list *hosts)
{
	for (size_t i = 0; i < hosts->count; i++) {
		bool there = false;
		for (size_t k = 0; k < p->hosts.count; k++)
			there |=
			    text_equal(LIST_AT(p->hosts, struct plan_host, k).host, LIST_AT(*hosts, const char *, i));
		if (!there)
			return false;
	}
	return hosts->count > 0;
}

static bool does(const struct plan *p, const struct policy_wish *w)
{
	bool same = p->kind == (uint32_t)w->kind && text_equal(p->service, w->service) && has_hosts(p, &w->hosts);
	if (w->kind == ORDER_ACTION)
		return same && text_equal(p->action, w->action);
	return same && !(component_set(&w->components) & ~component_set(&p->components));
}

/* A proposal that nobody took up outlives its incident; it waits for nothing any more. */
static enum err_code is_at_it(struct turn *t, const struct change *c, bool *ret, struct err *reterr)
{
	struct incident i;
	bool found = false, waits = c->state == CHANGE_REQUESTED || c->state == CHANGE_APPROVED;
	enum err_code rc = waits ? incident_get(t, c->incident, &i, &found, reterr) : ERR_OK;
	if (rc == ERR_OK)
		*ret = waits         ? found && incident_is_open(&i)
		       : c->ended_ms ? c->state == CHANGE_COMPLETED && turn_now_ms(t) < c->ended_ms + ALREADY_SHOWS_MS
				     : true;
	return rc;
}

enum err_code already_done(struct turn *t, struct id incident, const struct policy_wish *wanted, struct change *ret,
    bool *ret_there, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct change c, none = {0};
	bool there = false;
	enum err_code rc = turn_scan_key(t, &change_table, &none, 0, true, &scan, reterr); /* newest first */
	for (size_t i = 0; i < ALREADY_CHANGES_MAX && !there && turn_scan_step(&scan, &c, &rc, reterr); i++) {
		if (!c.plan || id_is_zero(c.incident) || id_equal(c.incident, incident) || !does(c.plan, wanted))
			continue;
		if ((rc = is_at_it(t, &c, &there, reterr)) != ERR_OK)
			break;
	}
	if (rc == ERR_OK && there)
		*ret = c;
	*ret_there = there;
	return rc;
}
