/* controller/recovery/plan.c: what a rollback will do, host by host, before anybody approves it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controller/recovery/internal.h"
#include "shared/base/text.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has(const struct list *components, uint32_t which)
{
	for (size_t i = 0; i < components->count; i++)
		if (LIST_AT(*components, uint32_t, i) == which)
			return true;
	return false;
}

/* Canary, 1 %, 5 %, 25 %, the rest: the wave of the host at `index` among n (RULES R5). */
static uint32_t wave_of(size_t index, size_t n)
{
	static const unsigned percent[] = {1, 5, 25};
	size_t end = 1; /* one host alone comes first */
	uint32_t wave = 0;
	for (size_t i = 0; i < sizeof percent / sizeof percent[0] && index >= end; i++, wave++) {
		size_t share = n * percent[i] / 100;
		end += share ? share : 1;
	}
	return index < end ? wave : wave + 1;
}

/* Hosts that it may cut off come last, one by one: by then it is known to do good, and each says in its turn that it is
 * still there (RULES R11).  More of them than there are waves share. */
static enum err_code spread(struct turn *t, const char *service, struct plan_host *hosts, size_t n, struct err *reterr)
{
	bool *last = arena_array(turn_arena(t), n + 1, sizeof *last);
	size_t ordinary = 0, done[2] = {0};
	if (!last)
		return err_set(reterr, ERR_NOMEM, "out of memory for a plan");
	for (size_t i = 0; i < n; i++) {
		struct placement p;
		bool found;
		enum err_code rc = fleet_placement_get(t, service, hosts[i].host, &p, &found, reterr);
		if (rc != ERR_OK)
			return rc;
		last[i] = found && p.self_affecting;
		ordinary += !last[i];
	}
	size_t first = ordinary ? wave_of(ordinary - 1, ordinary) + 1 : 0, room = PLAN_WAVES_MAX - first;
	size_t share = (n - ordinary + room - 1) / room;
	for (size_t i = 0; i < n; i++) {
		size_t index = done[last[i]]++;
		hosts[i].wave = last[i] ? (uint32_t)(first + index / share) : wave_of(index, ordinary);
	}
	return ERR_OK;
}

static const struct component_point *point_of(const struct system_snapshot *s, uint32_t component)
{
	for (size_t i = 0; i < s->components.count; i++)
		if (LIST_AT(s->components, struct component_point, i).component == component)
			return &LIST_AT(s->components, struct component_point, i);
	return NULL;
}

static bool same_point(const struct system_snapshot *a, const struct system_snapshot *b, uint32_t component)
{
	const struct component_point *p = point_of(a, component), *q = point_of(b, component);
	return p && q && memcmp(&p->digest, &q->digest, sizeof p->digest) == 0;
}

/* The newest restore point that is no safety net: those hold what a rollback replaced, not what runs. */
static enum err_code newest_of(struct turn *t, const char *service, const char *host, struct system_snapshot *ret,
    bool *ret_found, struct err *reterr)
{
	struct list all;
	enum err_code rc = fleet_snapshots(t, service, host, &all, reterr);
	*ret_found = false;
	for (size_t i = 0; rc == ERR_OK && !*ret_found && i < all.count; i++) {
		*ret = LIST_AT(all, struct system_snapshot, i);
		*ret_found = ret->reason != SNAPSHOT_SAFETY;
	}
	return rc;
}

/* Does one component of the host differ from `target`, as far as anything has been seen?  Drift tells what it was
 * compared with; what was never compared equals the newest restore point. */
static enum err_code differs_in(struct turn *t, const char *service, const char *host, uint32_t component,
    const struct system_snapshot *target, bool *ret, struct err *reterr)
{
	struct drift d = {.service = service, .host = host, .component = component};
	struct system_snapshot reference;
	bool compared, found = false;
	*ret = component == COMPONENT_DATABASE; /* it lives, and is compared in part only: it never stays as it was */
	if (*ret)
		return ERR_OK;
	enum err_code rc = turn_get(t, &drift_table, &d, &d, &compared, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = compared && d.changed + d.added + d.removed > 0;
	if (*ret)
		return ERR_OK;
	rc = compared ? fleet_snapshot_get(t, d.snapshot, &reference, &found, reterr)
		      : newest_of(t, service, host, &reference, &found, reterr);
	if (rc == ERR_OK)
		*ret = !found || !same_point(&reference, target, component);
	return rc;
}

static enum err_code differs(struct turn *t, const char *service, const char *host, const struct list *components,
    const struct system_snapshot *target, bool *ret, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	*ret = false;
	for (size_t i = 0; rc == ERR_OK && !*ret && i < components->count; i++)
		rc = differs_in(t, service, host, LIST_AT(*components, uint32_t, i), target, ret, reterr);
	return rc;
}

/* The restore point for one host. */
static enum err_code target_of(struct turn *t, const struct recovery_config *c, const struct plan_wish *w,
    const struct list *components, const char *host, struct system_snapshot *ret, struct err *reterr)
{
	bool found;
	enum err_code rc;
	if (id_is_zero(w->snapshot)) {
		rc = fleet_last_known_good(
		    t, &c->fleet, w->service, host, components, w->before_ms, ret, &found, reterr);
		if (rc == ERR_OK && !found)
			rc = err_set(reterr, ERR_NOT_FOUND,
			    "%s on %s has no restore point that is known to be good: choose one of `kedge snapshot list --service %s` with --to",
			    w->service, host, w->service);
		return rc;
	}
	rc = fleet_snapshot_get(t, w->snapshot, ret, &found, reterr);
	if (rc == ERR_OK && (!found || ret->removed))
		rc = err_set(reterr, ERR_NOT_FOUND, "there is no restore point %s", id_text(ID_SNAPSHOT, w->snapshot));
	else if (rc == ERR_OK && (!text_equal(ret->host, host) || !text_equal(ret->service, w->service)))
		rc = err_set(reterr, ERR_INVALID, "restore point %s is of %s on %s, not of %s on %s",
		    id_text(ID_SNAPSHOT, w->snapshot), ret->service, ret->host, w->service, host);
	for (size_t i = 0; rc == ERR_OK && i < components->count; i++)
		if (!point_of(ret, LIST_AT(*components, uint32_t, i)))
			rc = err_set(reterr, ERR_NOT_FOUND, "restore point %s holds no %s",
			    id_text(ID_SNAPSHOT, w->snapshot),
			    enum_name(&component_enum, LIST_AT(*components, uint32_t, i)));
	return rc;
}

/* Asked for nothing in particular: all that the first host declares. */
static enum err_code components_of(
    struct turn *t, const struct plan_wish *w, const char *host, struct list *ret, struct err *reterr)
{
	struct placement p;
	bool found;
	enum err_code rc = fleet_placement_get(t, w->service, host, &p, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found || p.undeclared)
		return err_set(reterr, ERR_NOT_FOUND, "%s does not run %s: `kedge service show %s` lists its hosts",
		    host, w->service, w->service);
	if (!ret->count)
		*ret = p.components;
	for (size_t i = 0; i < ret->count; i++)
		if (!has(&p.components, LIST_AT(*ret, uint32_t, i)))
			return err_set(reterr, ERR_NOT_FOUND, "%s on %s has no component %s", w->service, host,
			    enum_name(&component_enum, LIST_AT(*ret, uint32_t, i)));
	return ERR_OK;
}

static enum err_code sorted_hosts(
    struct turn *t, const char *service, const struct list *names, struct plan_host **ret, struct err *reterr)
{
	if (!names->count)
		return err_set(reterr, ERR_INVALID,
		    "name the hosts: a rollback has an explicit list, never an empty one or a wildcard");
	if (names->count > PLAN_HOSTS_MAX)
		return err_set(reterr, ERR_LIMIT, "%zu hosts in one plan; at most %d", names->count, PLAN_HOSTS_MAX);
	const char **sorted = arena_dup(turn_arena(t), names->items, names->count * sizeof *sorted);
	struct plan_host *hosts = arena_array(turn_arena(t), names->count, sizeof *hosts);
	if (!sorted || !hosts)
		return err_set(reterr, ERR_NOMEM, "out of memory for a plan");
	qsort(sorted, names->count, sizeof *sorted, by_name);
	for (size_t i = 0; i < names->count; i++) {
		if (i && text_equal(sorted[i], sorted[i - 1]))
			return err_set(reterr, ERR_INVALID, "host %s is named twice", sorted[i]);
		hosts[i] = (struct plan_host){.host = sorted[i]};
	}
	*ret = hosts;
	return spread(t, service, hosts, names->count, reterr);
}

/* What is known of the host's configuration and code as they are: drift tells.  What was never compared is not insisted
 * on. */
static enum err_code precondition_of(struct turn *t, const char *service, const char *host,
    const struct list *components, struct digest *ret, struct err *reterr)
{
	static const struct digest none;
	struct digest live[COMPONENT_COUNT] = {0};
	uint32_t bits = component_set(components);
	for (uint32_t i = 0; i < COMPONENT_COUNT; i++) {
		struct drift d = {.service = service, .host = host, .component = i};
		bool found;
		if (!(bits & 1u << i) || (i != COMPONENT_CONFIG && i != COMPONENT_CODE))
			continue;
		enum err_code rc = turn_get(t, &drift_table, &d, &d, &found, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!found || memcmp(&d.digest, &none, sizeof none) == 0)
			return ERR_OK;
		live[i] = d.digest;
	}
	return precondition_digest(live, bits, ret, reterr);
}

static void stamp(struct turn *t, const struct recovery_config *c, const struct plan_wish *w, struct plan *p)
{
	p->plan = turn_id(t);
	p->rollback = turn_id(t);
	p->kind = w->kind;
	p->service = w->service;
	p->wave_gap_ms = c->wave_gap_ms;
	p->run_limit_ms = ORDER_RUN_MS;
	p->deep = w->deep;
	p->progressive = w->progressive;
	p->cross_schema = w->cross_schema;
	p->not_before_ms =
	    turn_now_ms(t) > ORDER_GRACE_MS ? turn_now_ms(t) - ORDER_GRACE_MS : 0; /* hosts' clocks may be behind */
	p->expires_ms = p->not_before_ms + CHANGE_WAIT_MS;                         /* the longest that a host accepts */
	p->reason = w->reason;
	p->author = w->author;
}

/* Undo: the hosts of an earlier rollback, each back to the safety snapshot that its order took. */
static enum err_code undo_plan(
    struct turn *t, const struct recovery_config *c, const struct plan_wish *wish, struct plan *ret, struct err *reterr)
{
	struct rollback r;
	bool found;
	enum err_code rc = recovery_get(t, wish->undo_of, &r, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found)
		return err_set(reterr, ERR_NOT_FOUND, "there is no rollback %s", id_text(ID_ROLLBACK, wish->undo_of));
	if (r.state != ROLLBACK_ENDED)
		return err_set(reterr, ERR_STATE, "rollback RB-%llu has not ended yet", (unsigned long long)r.number);
	struct plan_host *hosts = arena_array(turn_arena(t), r.hosts.count, sizeof *hosts);
	if (!hosts)
		return err_set(reterr, ERR_NOMEM, "out of memory for a plan");
	size_t n = 0;
	for (size_t i = 0; i < r.hosts.count; i++) {
		struct order_record o;
		const struct rollback_host *h = &LIST_AT(r.hosts, struct rollback_host, i);
		if (id_is_zero(h->order))
			continue; /* its wave never went out */
		if ((rc = order_get(t, h->order, &o, &found, reterr)) != ERR_OK)
			return rc;
		if (found && !id_is_zero(o.safety_snapshot) && o.outcome != ORDER_REVERTED)
			hosts[n++] = (struct plan_host){.host = h->host, .snapshot = o.safety_snapshot};
	}
	if (!n)
		return err_set(reterr, ERR_STATE, "rollback RB-%llu changed no host: there is nothing to undo",
		    (unsigned long long)r.number);
	if ((rc = spread(t, r.service, hosts, n, reterr)) != ERR_OK)
		return rc;
	struct plan p = {.components = r.components, .hosts = {hosts, n}};
	stamp(t, c, wish, &p);
	p.service = r.service;
	*ret = p;
	return ERR_OK;
}

static bool declares(const struct placement *p, const char *action)
{
	for (size_t i = 0; i < p->actions.count; i++)
		if (text_equal(LIST_AT(p->actions, struct declared_action, i).name, action))
			return true;
	return false;
}

static enum err_code all_declare(
    struct turn *t, const struct plan_wish *wish, const struct plan_host *hosts, const char *action, struct err *reterr)
{
	for (size_t i = 0; i < wish->hosts.count; i++) {
		struct placement p;
		bool found;
		enum err_code rc = fleet_placement_get(t, wish->service, hosts[i].host, &p, &found, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!found || p.undeclared)
			return err_set(reterr, ERR_NOT_FOUND,
			    "%s does not run %s: `kedge service show %s` lists its hosts", hosts[i].host, wish->service,
			    wish->service);
		if (!declares(&p, action))
			return err_set(reterr, ERR_NOT_FOUND, "%s on %s declares no action %s in its agent.yaml",
			    wish->service, hosts[i].host, action);
	}
	return ERR_OK;
}

/* An action is asked for by its name; what it runs stands in the hosts' agent.yaml. */
static enum err_code action_plan(
    struct turn *t, const struct recovery_config *c, const struct plan_wish *wish, struct plan *ret, struct err *reterr)
{
	struct plan_host *hosts;
	enum err_code rc = sorted_hosts(t, wish->service, &wish->hosts, &hosts, reterr);
	if (rc != ERR_OK || (rc = all_declare(t, wish, hosts, wish->action, reterr)) != ERR_OK)
		return rc;
	struct plan p = {.action = wish->action, .hosts = {hosts, wish->hosts.count}};
	stamp(t, c, wish, &p);
	*ret = p;
	return ERR_OK;
}

enum err_code recovery_plan(
    struct turn *t, const struct recovery_config *c, const struct plan_wish *wish, struct plan *ret, struct err *reterr)
{
	if (wish->kind == ORDER_UNDO)
		return undo_plan(t, c, wish, ret, reterr);
	if (wish->kind == ORDER_ACTION)
		return action_plan(t, c, wish, ret, reterr);
	assert(wish->kind == ORDER_ROLLBACK);
	struct plan_host *hosts;
	enum err_code rc = sorted_hosts(t, wish->service, &wish->hosts, &hosts, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!id_is_zero(wish->snapshot) && wish->hosts.count != 1)
		return err_set(
		    reterr, ERR_INVALID, "a restore point belongs to one host, but %zu are named", wish->hosts.count);
	if (wish->first && (rc = all_declare(t, wish, hosts, wish->first, reterr)) != ERR_OK)
		return rc;
	struct list components = wish->components;
	bool any = false;
	for (size_t i = 0; i < wish->hosts.count; i++) {
		struct system_snapshot target;
		bool differs_here;
		if ((rc = components_of(t, wish, hosts[i].host, &components, reterr)) != ERR_OK ||
		    (rc = target_of(t, c, wish, &components, hosts[i].host, &target, reterr)) != ERR_OK ||
		    (rc = differs(t, wish->service, hosts[i].host, &components, &target, &differs_here, reterr)) !=
			ERR_OK)
			return rc;
		hosts[i].snapshot = target.snapshot;
		any = any || differs_here;
	}
	for (size_t i = 0; i < wish->hosts.count && !wish->any_state; i++)
		if ((rc = precondition_of(
			 t, wish->service, hosts[i].host, &components, &hosts[i].precondition, reterr)) != ERR_OK)
			return rc;
	if (!any)
		return err_set(reterr, ERR_STATE,
		    "nothing of %s differs from its restore point: a rollback would change nothing", wish->service);
	struct plan p = {.first = wish->first, .components = components, .hosts = {hosts, wish->hosts.count}};
	stamp(t, c, wish, &p);
	*ret = p;
	return ERR_OK;
}
