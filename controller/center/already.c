#include "controller/center/already.h"

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

static bool is_at_it(const struct turn *t, const struct change *c)
{
	if (!c->ended_ms)
		return true;
	return c->state == CHANGE_COMPLETED && turn_now_ms(t) < c->ended_ms + ALREADY_SHOWS_MS;
}

enum err_code already_done(struct turn *t, struct id incident, const struct policy_wish *wanted, struct change *ret,
    bool *ret_there, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct change c, none = {0};
	bool there = false;
	enum err_code rc = turn_scan_key(t, &change_table, &none, 0, true, &scan, reterr); /* newest first */
	for (size_t i = 0; i < ALREADY_CHANGES_MAX && !there && turn_scan_step(&scan, &c, &rc, reterr); i++)
		there = c.plan && !id_is_zero(c.incident) && !id_equal(c.incident, incident) && is_at_it(t, &c) &&
			does(c.plan, wanted);
	if (rc == ERR_OK && there)
		*ret = c;
	*ret_there = there;
	return rc;
}
