/* controller/recovery/rollback.c: a rollback goes through its waves.
 *
 *   RUNNING --all orders of the wave ended well--> PROVING --every host healthy after the bake--> RUNNING (next wave) …
 * ENDED |                                              |
 *      '--- an order did not end well ----------------'--- no evidence in time ---> ENDED
 *   HALTED: as RUNNING, but no order goes out until the brakes are released.
 *   waits_for (RUNNING): hosts of the wave that is out have no order yet, for the storage that they share is in use. */
#include <assert.h>

#include "controller/recovery/internal.h"
#include "controller/turn/system.h"
#include "shared/base/text.h"

enum err_code recovery_get(
    struct turn *t, struct id rollback, struct rollback *ret, bool *ret_found, struct err *reterr)
{
	struct rollback key = {.rollback = rollback};
	return turn_get(t, &rollback_table, &key, ret, ret_found, reterr);
}

enum err_code recovery_of_service(
    struct turn *t, const char *service, struct rollback *ret, bool *ret_found, struct err *reterr)
{
	struct rollback like = {.service = service}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	bool open = false;
	enum err_code rc = turn_scan_index(t, &rollback_table, "service", &like, true, &scan, reterr);
	while (!open && turn_scan_step(&scan, &r, &rc, reterr))
		open = r.state != ROLLBACK_ENDED;
	if (rc == ERR_OK && open)
		*ret = r;
	*ret_found = open;
	return rc;
}

/* The worst of the hosts' outcomes, worst first. */
static enum order_outcome outcome_of(const struct rollback *r)
{
	static const enum order_outcome worst_first[] = {ORDER_FAILED_DIRTY, ORDER_UNREACHABLE, ORDER_REVERTED,
	    ORDER_REFUSED, ORDER_EXPIRED, ORDER_CANCELLED, ORDER_OK_WITH_EXCEPTIONS, ORDER_OK};
	for (size_t w = 0; w < sizeof worst_first / sizeof worst_first[0]; w++)
		for (size_t i = 0; i < r->hosts.count; i++)
			if (LIST_AT(r->hosts, struct rollback_host, i).outcome == (uint32_t)worst_first[w])
				return worst_first[w];
	return ORDER_CANCELLED;
}

static enum err_code put(struct turn *t, const struct rollback *r, struct err *reterr)
{
	return turn_put(t, &rollback_table, r, reterr);
}

/* What is kept as proof: a line a host, and whether all of them hold. */
static enum err_code proof_of(
    struct turn *t, struct rollback *r, struct change_validation *ret, uint32_t *ret_ok, struct err *reterr)
{
	const char **lines = arena_array(turn_arena(t), r->hosts.count, sizeof *lines);
	if (!lines)
		return err_set(reterr, ERR_NOMEM, "out of memory for evidence");
	*ret = (struct change_validation){
	    .change = r->change, .at_ms = turn_now_ms(t), .digests_match = true, .healthy = true};
	*ret_ok = 0;
	for (size_t i = 0; i < r->hosts.count; i++) {
		struct rollback_host *h = rollback_host_at(r, i);
		ret->digests_match = ret->digests_match && h->digests_match;
		ret->healthy = ret->healthy && h->proven;
		*ret_ok += rollback_host_ended_well(h) && h->proven;
		lines[i] =
		    arena_printf(turn_arena(t), "%s: %s, %s, %s", h->host, enum_name(&order_outcome_enum, h->outcome),
			rollback_is_action(r) ? "was run"
			: h->digests_match    ? "equals its restore point"
					      : "does not equal its restore point",
			h->proven   ? "healthy since"
			: h->better ? "better since; what still fails had failed before"
				    : "health not proven");
		if (!lines[i])
			return err_set(reterr, ERR_NOMEM, "out of memory for evidence");
	}
	ret->evidence = (struct list){lines, r->hosts.count};
	return ERR_OK;
}

static enum err_code end(struct turn *t, struct rollback *r, enum order_outcome outcome, const char *text,
    enum recovery_event *ret_event, struct err *reterr)
{
	for (size_t i = 0; i < r->hosts.count; i++)
		if (rollback_host_at(r, i)->outcome == ORDER_OPEN) { /* its wave never went out */
			rollback_host_at(r, i)->outcome = ORDER_CANCELLED;
			rollback_host_at(r, i)->text = "not begun: untouched";
		}
	r->state = ROLLBACK_ENDED;
	r->waits_for = NULL;
	r->outcome = outcome;
	r->ended_ms = turn_now_ms(t);
	r->text = text;
	struct change_validation proof;
	uint32_t ok;
	enum err_code rc = proof_of(t, r, &proof, &ok, reterr);
	if (rc != ERR_OK || (rc = turn_timer_clear(t, RECOVERY_TIMER_PROVE, r->rollback, NULL, reterr)) != ERR_OK ||
	    (rc = turn_timer_clear(t, RECOVERY_TIMER_ROOM, r->rollback, NULL, reterr)) != ERR_OK ||
	    (rc = put(t, r, reterr)) != ERR_OK ||
	    (rc = change_ended(t, r->change, outcome, &proof, ok, text, reterr)) != ERR_OK)
		return rc;
	*ret_event = RECOVERY_ENDED;
	char object[ID_TEXT_MAX];
	return audit_note(t, &actor_controller, "rollback.ended", "rollback",
	    id_format(ID_ROLLBACK, r->rollback, object), outcome == ORDER_OK ? AUDIT_DONE : AUDIT_FAILED, reterr,
	    "RB-%llu of %s: %s, %u of %zu hosts proven", (unsigned long long)r->number, r->service,
	    enum_name(&order_outcome_enum, outcome), ok, r->hosts.count);
}

static enum err_code begin_proving(struct turn *t, const struct recovery_config *c, struct rollback *r,
    enum recovery_event *ret_event, struct err *reterr)
{
	r->state = ROLLBACK_PROVING;
	uint64_t baked_ms = turn_now_ms(t) + rollback_bake_ms(c, r);
	r->deadline_ms = baked_ms + ROLLBACK_PROVE_MS;
	*ret_event = RECOVERY_PROVING;
	enum err_code rc = turn_timer_set(t, RECOVERY_TIMER_PROVE, r->rollback, NULL, baked_ms, reterr);
	if (rc == ERR_OK)
		rc = change_validating(t, r->change, reterr);
	return rc == ERR_OK ? put(t, r, reterr) : rc;
}

/* The next wave may not go out yet: look again at due_ms, and give up at deadline_ms. */
static enum err_code hold(struct turn *t, struct rollback *r, enum rollback_state state, uint64_t due_ms,
    uint64_t deadline_ms, struct err *reterr)
{
	r->state = state;
	r->deadline_ms = deadline_ms;
	enum err_code rc = turn_timer_set(t, RECOVERY_TIMER_PROVE, r->rollback, NULL, due_ms, reterr);
	return rc == ERR_OK ? put(t, r, reterr) : rc;
}

/* It began before the controller was restored from a backup: it may have gone on, and been ended, since that was taken.
 */
static enum err_code is_of_the_past(struct turn *t, const struct rollback *r, bool *ret, struct err *reterr)
{
	struct system_state s;
	enum err_code rc = system_get(t, &s, reterr);
	if (rc == ERR_OK)
		*ret = s.restored_ms > r->began_ms;
	return rc;
}

/* No order of it is at work: may others go out?  When not it is held, or ended. */
static enum err_code may_go_on(struct turn *t, struct rollback *r, const struct plan **ret_plan, bool *ret_may,
    enum recovery_event *ret_event, struct err *reterr)
{
	struct brakes b;
	struct change change;
	bool found, past;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK || (rc = change_get(t, r->change, &change, &found, reterr)) != ERR_OK ||
	    (rc = is_of_the_past(t, r, &past, reterr)) != ERR_OK)
		return rc;
	assert(found);
	*ret_plan = change.plan;
	*ret_may = false;
	if (b.halted || b.observing)
		return hold(t, r, ROLLBACK_HALTED, change.plan->expires_ms, change.plan->expires_ms, reterr);
	if (past)
		return end(t, r, ORDER_CANCELLED,
		    "begun before the controller was restored from a backup, which does not know how it went on: no "
		    "further host is touched",
		    ret_event, reterr);
	*ret_may = true;
	return ERR_OK;
}

/* Hosts of the wave waited for the storage that they share. */
static enum err_code next_orders(struct turn *t, const struct recovery_config *c, struct rollback *r,
    const struct rollback_wave *wave, enum recovery_event *ret_event, struct err *reterr)
{
	struct brakes b;
	const struct plan *p;
	bool may, past;
	enum err_code rc;
	if (wave->ended) {
		if ((rc = may_go_on(t, r, &p, &may, ret_event, reterr)) != ERR_OK || !may)
			return rc;
	} else {
		if ((rc = brakes_get(t, &b, reterr)) != ERR_OK || (rc = is_of_the_past(t, r, &past, reterr)) != ERR_OK)
			return rc;
		if (b.halted || b.observing || past) /* those at work end first */
			return put(t, r, reterr);
	}
	if ((rc = turn_timer_clear(t, RECOVERY_TIMER_PROVE, r->rollback, NULL, reterr)) == ERR_OK)
		rc = rollback_release(t, c, r, reterr);
	return rc == ERR_OK ? put(t, r, reterr) : rc;
}

/* This wave is proven. */
static enum err_code next_wave(struct turn *t, const struct recovery_config *c, struct rollback *r,
    enum recovery_event *ret_event, struct err *reterr)
{
	const struct plan *p;
	bool may;
	enum err_code rc = may_go_on(t, r, &p, &may, ret_event, reterr);
	if (rc != ERR_OK || !may)
		return rc;
	uint64_t due_ms = p->not_before_ms + (r->wave + 1) * p->wave_gap_ms +
			  ORDER_GRACE_MS; /* a host whose clock is behind must not refuse it */
	if (p->wave_gap_ms && turn_now_ms(t) < due_ms)
		return hold(t, r, ROLLBACK_PROVING, due_ms, due_ms + ROLLBACK_PROVE_MS, reterr);
	r->wave++;
	r->wave_began_ms = turn_now_ms(t);
	*ret_event = RECOVERY_WAVE;
	if ((rc = turn_timer_clear(t, RECOVERY_TIMER_PROVE, r->rollback, NULL, reterr)) != ERR_OK ||
	    (rc = change_implementing(t, r->change, reterr)) != ERR_OK ||
	    (rc = rollback_release(t, c, r, reterr)) != ERR_OK)
		return rc;
	return put(t, r, reterr);
}

enum err_code rollback_advance(struct turn *t, const struct recovery_config *c, struct rollback *r,
    enum recovery_event *ret_event, struct err *reterr)
{
	struct rollback_wave wave;
	if (r->state == ROLLBACK_ENDED)
		return ERR_OK;
	enum err_code rc = rollback_look(t, c, r, &wave, reterr);
	if (rc != ERR_OK)
		return rc;
	if (wave.waits && wave.well && !r->cancelling)
		return next_orders(t, c, r, &wave, ret_event, reterr);
	if (!wave.ended)
		return put(t, r, reterr);
	if (!wave.well)
		return end(t, r, outcome_of(r), "a host did not come back as planned: no further host is touched",
		    ret_event, reterr);
	if (wave.proven && r->wave + 1 >= r->waves)
		return end(t, r, outcome_of(r),
		    rollback_is_action(r) ? "it was run on every host, and each is healthy"
					  : "every host equals its restore point and is healthy",
		    ret_event, reterr);
	if (r->cancelling)
		return end(t, r, ORDER_CANCELLED, "stopped by an operator", ret_event, reterr);
	if (wave.better && !wave.proven) /* no host after it is touched before it is known what else is wrong */
		return end(t, r, ORDER_OK_WITH_EXCEPTIONS,
		    "it helped; what still fails had failed before it, and has another cause", ret_event, reterr);
	if (wave.proven)
		return next_wave(t, c, r, ret_event, reterr);
	return r->state == ROLLBACK_PROVING ? put(t, r, reterr) : begin_proving(t, c, r, ret_event, reterr);
}

enum err_code rollback_overdue(struct turn *t, struct rollback *r, enum recovery_event *ret_event, struct err *reterr)
{
	if (r->state == ROLLBACK_HALTED)
		return end(t, r, ORDER_EXPIRED, "halted until its plan ran out", ret_event, reterr);
	return end(t, r, ORDER_FAILED_DIRTY,
	    rollback_is_action(r) ? "it was run, but health did not show in time"
				  : "files are back as planned, but health did not show in time",
	    ret_event, reterr);
}

static enum err_code leave_storage(
    struct turn *t, const struct rollback *r, struct rollback_host *h, const struct order_record *o, struct err *reterr)
{
	const char *kept = NULL;
	enum err_code rc = o->outcome == ORDER_UNREACHABLE ? storage_hold(t, o, h->storage, &kept, reterr) : ERR_OK;
	if (kept)
		h->text = kept;
	return rc == ERR_OK && !kept ? storage_freed(t, r->rollback, reterr) : rc;
}

enum err_code rollback_order_ended(struct turn *t, const struct recovery_config *c, const struct order_record *o,
    struct rollback *ret, enum recovery_event *ret_event, struct err *reterr)
{
	bool found;
	enum err_code rc = recovery_get(t, o->rollback, ret, &found, reterr);
	if (rc != ERR_OK || !found || ret->state == ROLLBACK_ENDED)
		return rc;
	for (size_t i = 0; i < ret->hosts.count; i++) {
		struct rollback_host *h = rollback_host_at(ret, i);
		if (!id_equal(h->order, o->order_id))
			continue;
		h->outcome = o->outcome;
		/* An action has none: nothing speaks against it. */
		h->digests_match =
		    o->digests_match ||
		    (rollback_is_action(ret) && (o->outcome == ORDER_OK || o->outcome == ORDER_OK_WITH_EXCEPTIONS));
		h->better = o->better;
		h->ended_ms = o->ended_ms;
		h->host_ended_ms = o->said_ms;
		h->judged_bad = order_is_judged_bad(o);
		h->text = o->text;
		if (h->storage && (rc = leave_storage(t, ret, h, o, reterr)) != ERR_OK)
			return rc;
	}
	return rollback_advance(t, c, ret, ret_event, reterr);
}

enum err_code rollback_room(struct turn *t, const struct recovery_config *c, struct id rollback, struct rollback *ret,
    enum recovery_event *ret_event, struct err *reterr)
{
	bool found;
	enum err_code rc = recovery_get(t, rollback, ret, &found, reterr);
	if (rc != ERR_OK || !found || ret->state != ROLLBACK_RUNNING)
		return rc;
	return rollback_advance(t, c, ret, ret_event, reterr);
}

enum err_code recovery_on_health(struct turn *t, const struct recovery_config *c, const char *service,
    struct rollback *ret, enum recovery_event *ret_event, struct err *reterr)
{
	*ret_event = RECOVERY_NOTHING;
	bool found;
	enum err_code rc = recovery_of_service(t, service, ret, &found, reterr);
	if (rc != ERR_OK || !found || ret->state != ROLLBACK_PROVING)
		return rc;
	return rollback_advance(t, c, ret, ret_event, reterr);
}

/* ---- begin and cancel ---- */

enum err_code recovery_may_start(struct turn *t, const struct change *change, struct err *reterr)
{
	struct brakes b;
	struct rollback other;
	bool found;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK)
		return rc;
	if (change->state != CHANGE_APPROVED)
		return err_set(reterr, ERR_STATE, "change CHG-%llu is %s, not approved",
		    (unsigned long long)change->number, enum_name(&change_state_enum, change->state));
	if (b.halted || b.observing)
		return err_set(reterr, ERR_STATE,
		    b.halted ? "everything is halted by %s: `kedge resume` releases it"
			     : "this controller only observes (set by %s): `kedge controller confirm` lets it command",
		    b.by ? b.by : "nobody");
	rc = recovery_of_service(t, change->service, &other, &found, reterr);
	if (rc == ERR_OK && found)
		rc = err_set(reterr, ERR_BUSY, "rollback RB-%llu of %s is still running: wait for it or cancel it",
		    (unsigned long long)other.number, change->service);
	return rc;
}

static enum err_code hosts_of(struct turn *t, const struct plan *plan, struct rollback *r, struct err *reterr)
{
	enum err_code rc;
	struct rollback_host *hosts = arena_array(turn_arena(t), plan->hosts.count, sizeof *hosts);
	if (!hosts)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; i < plan->hosts.count; i++) {
		const struct plan_host *p = &LIST_AT(plan->hosts, struct plan_host, i);
		hosts[i] = (struct rollback_host){.host = p->host, .wave = p->wave, .snapshot = p->snapshot};
		if (storage_counts((enum order_kind)plan->kind) &&
		    (rc = storage_of(t, plan->service, p->host, &hosts[i].storage, reterr)) != ERR_OK)
			return rc;
		r->waves = p->wave + 1 > r->waves ? p->wave + 1 : r->waves;
	}
	r->hosts = (struct list){hosts, plan->hosts.count};
	return ERR_OK;
}

enum err_code recovery_start(struct turn *t, const struct recovery_config *c, struct id change_id, bool automatic,
    struct rollback *ret, struct err *reterr)
{
	struct change change;
	bool found;
	enum err_code rc = change_get(t, change_id, &change, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no change %s", id_text(ID_CHANGE, change_id));
	if (rc != ERR_OK || (rc = recovery_may_start(t, &change, reterr)) != ERR_OK)
		return rc;
	struct rollback r = {.rollback = change.plan->rollback,
	    .kind = change.plan->kind,
	    .change = change_id,
	    .incident = change.incident,
	    .service = change.service,
	    .action = change.plan->action,
	    .components = change.plan->components,
	    .began_ms = turn_now_ms(t),
	    .wave_began_ms = turn_now_ms(t),
	    .automatic = automatic};
	if ((rc = turn_number(t, "rollback", &r.number, reterr)) != ERR_OK ||
	    (rc = hosts_of(t, change.plan, &r, reterr)) != ERR_OK ||
	    (rc = change_began(t, change_id, r.rollback, (uint32_t)r.hosts.count, reterr)) != ERR_OK ||
	    (rc = rollback_release(t, c, &r, reterr)) != ERR_OK || (rc = put(t, &r, reterr)) != ERR_OK)
		return rc;
	*ret = r;
	char object[ID_TEXT_MAX];
	return audit_note(t, &actor_controller, "rollback.start", "rollback",
	    id_format(ID_ROLLBACK, r.rollback, object), AUDIT_DONE, reterr,
	    "RB-%llu of %s on %zu hosts in %u waves for CHG-%llu", (unsigned long long)r.number, r.service,
	    r.hosts.count, r.waves, (unsigned long long)change.number);
}

enum err_code recovery_cancel(struct turn *t, const struct recovery_config *c, const struct actor *who,
    struct id rollback, const char *reason, struct rollback *ret, enum recovery_event *ret_event, struct err *reterr)
{
	*ret_event = RECOVERY_NOTHING;
	bool found;
	enum err_code rc = recovery_get(t, rollback, ret, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no rollback %s", id_text(ID_ROLLBACK, rollback));
	if (rc == ERR_OK && ret->state == ROLLBACK_ENDED)
		rc = err_set(reterr, ERR_STATE, "rollback RB-%llu has ended: %s", (unsigned long long)ret->number,
		    enum_name(&order_outcome_enum, ret->outcome));
	if (rc != ERR_OK)
		return rc;
	ret->cancelling = true;
	for (size_t i = 0; rc == ERR_OK && i < ret->hosts.count; i++) {
		struct rollback_host *h = rollback_host_at(ret, i);
		struct order_record o;
		if (id_is_zero(h->order) || h->outcome != ORDER_OPEN)
			continue;
		if ((rc = order_get(t, h->order, &o, &found, reterr)) == ERR_OK && found && !o.accepted_ms)
			rc = order_cancel(t, &o, reason, reterr);
	}
	char object[ID_TEXT_MAX];
	if (rc == ERR_OK)
		rc = audit_note(t, who, "rollback.cancel", "rollback", id_format(ID_ROLLBACK, rollback, object),
		    AUDIT_DONE, reterr, "RB-%llu: %s", (unsigned long long)ret->number,
		    reason ? reason : "no reason given");
	return rc == ERR_OK ? rollback_advance(t, c, ret, ret_event, reterr) : rc;
}
