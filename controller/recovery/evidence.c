/* controller/recovery/evidence.c: how a wave stands, by what its hosts told and by health that is newer than it.  No
 * evidence is a failure. */
#include "controller/recovery/internal.h"

bool rollback_is_action(const struct rollback *r)
{
	return r->kind == ORDER_ACTION;
}

bool rollback_host_ended_well(const struct rollback_host *h)
{
	return (h->outcome == ORDER_OK || h->outcome == ORDER_OK_WITH_EXCEPTIONS) && h->digests_match;
}

/* What was put back must still do well this long after. */
uint64_t rollback_bake_ms(const struct recovery_config *c, const struct rollback *r)
{
	bool config_alone = r->components.count == 1 && LIST_AT(r->components, uint32_t, 0) == COMPONENT_CONFIG;
	if (!config_alone)
		return c->bake_ms;
	return c->bake_config_ms ? c->bake_config_ms : c->bake_ms / 2;
}

/* Was each of the probes run again after the bake?  By the host's clock on both sides: a report can be new and hold old
 * results.  Probes of the deeper tiers run minutes apart, so they are waited for only where there are no others. */
static bool was_looked_at(const struct service_health *s, uint64_t since_host_ms)
{
	bool shallow = false, all = true;
	for (size_t i = 0; i < s->results.count; i++)
		shallow = shallow || LIST_AT(s->results, struct probe_result, i).tier == PROBE_SHALLOW;
	for (size_t i = 0; i < s->results.count; i++) {
		const struct probe_result *r = &LIST_AT(s->results, struct probe_result, i);
		if (r->tier == PROBE_SHALLOW || !shallow)
			all = all && r->at_ms >= since_host_ms;
	}
	return all;
}

/* Is the placement healthy by evidence that is newer than the end of its order plus the bake?  One that declares no
 * probes is as healthy as its digests.  *ret_seen: there is such evidence, whatever it says. */
static enum err_code is_proven(struct turn *t, const struct recovery_config *c, const struct rollback *r,
    const struct rollback_host *h, bool *ret, bool *ret_seen, struct err *reterr)
{
	struct placement p;
	struct service_health s;
	bool declared, found;
	enum err_code rc = fleet_placement_get(t, r->service, h->host, &p, &declared, reterr);
	if (rc == ERR_OK)
		rc = health_get(t, r->service, h->host, &s, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_seen = found && !s.stale && s.evidence_ms >= h->ended_ms + rollback_bake_ms(c, r) &&
		    was_looked_at(&s, h->host_ended_ms + rollback_bake_ms(c, r));
	*ret = (*ret_seen && s.measured == HEALTH_HEALTHY) || (declared && !p.undeclared && p.probes == 0);
	return ERR_OK;
}

enum err_code rollback_look(
    struct turn *t, const struct recovery_config *c, struct rollback *r, struct rollback_wave *ret, struct err *reterr)
{
	*ret = (struct rollback_wave){.ended = true, .well = true, .proven = true, .better = true};
	for (size_t i = 0; i < r->hosts.count; i++) {
		struct rollback_host *h = rollback_host_at(r, i);
		enum err_code rc;
		bool seen = false;
		if (h->wave != r->wave)
			continue;
		ret->ended = ret->ended && (h->outcome != ORDER_OPEN || id_is_zero(h->order));
		ret->waits = ret->waits || id_is_zero(h->order);
		ret->well = ret->well && (h->outcome == ORDER_OPEN || rollback_host_ended_well(h));
		if (rollback_host_ended_well(h) && (rc = is_proven(t, c, r, h, &h->proven, &seen, reterr)) != ERR_OK)
			return rc;
		ret->proven = ret->proven && h->proven;
		ret->better = ret->better && (h->proven || (h->better && seen));
	}
	return ERR_OK;
}

enum err_code rollback_ask(
    struct turn *t, const struct recovery_config *c, const struct rollback *r, bool *ret_waits, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	*ret_waits = false;
	for (size_t i = 0; rc == ERR_OK && i < r->hosts.count; i++) {
		const struct rollback_host *h = &LIST_AT(r->hosts, struct rollback_host, i);
		bool asked;
		if (h->wave != r->wave || !rollback_host_ended_well(h) || h->proven)
			continue;
		*ret_waits = true;
		if (turn_now_ms(t) >= h->ended_ms + rollback_bake_ms(c, r))
			rc = health_look(t, r->service, h->host, true, &asked, reterr);
	}
	return rc;
}

/* A full disk or a step that failed says nothing of what was to be put back: the last look does, and the service's own
 * check, where the service began again with what was there before.  (A start that failed may have met what was still
 * stopping.) */
bool order_is_judged_bad(const struct order_record *o)
{
	bool refused = false, undone = false, ran = false;
	for (size_t i = 0; i < o->steps.count; i++) {
		const struct order_step *s = &LIST_AT(o->steps, struct order_step, i);
		if (s->kind == STEP_VERIFY && !s->ok)
			return true;
		refused = refused || (s->kind == STEP_CHECK && !s->ok);
		undone = undone || (s->kind == STEP_UNDO && s->ok);
		ran = ran || (undone && s->kind == STEP_START && s->ok);
	}
	return refused && ran;
}
