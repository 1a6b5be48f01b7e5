/* controller/recovery/orders.c: one order to one host, from asking to its named end. */
#include <assert.h>

#include "controller/recovery/internal.h"
#include "shared/base/text.h"

enum err_code order_get(struct turn *t, struct id order, struct order_record *ret, bool *ret_found, struct err *reterr)
{
	struct order_record key = {.order_id = order};
	return turn_get(t, &order_table, &key, ret, ret_found, reterr);
}

enum err_code order_authority(
    struct turn *t, const struct change *change, struct order_authority *ret, struct err *reterr)
{
	struct standing_policy policy = {0};
	bool covered = false;
	enum err_code rc = change_approvals(t, change->change, &ret->approvals, reterr);
	if (rc == ERR_OK && change->policy)
		rc = policy_get(t, change->policy, &policy, &covered, reterr);
	ret->plan = change->plan;
	ret->policy = covered ? policy.signed_document : NULL;
	return rc;
}

/* An order as its host gets it, of one as it is kept. */
static enum err_code whole(struct turn *t, const struct order *kept, struct order *ret, struct err *reterr)
{
	struct change change;
	struct order_authority by = {0};
	bool found;
	*ret = *kept;
	if (kept->plan || id_is_zero(kept->change)) /* kept whole by an older release; it needs none */
		return ERR_OK;
	enum err_code rc = change_get(t, kept->change, &change, &found, reterr);
	if (rc == ERR_OK && found && (rc = order_authority(t, &change, &by, reterr)) == ERR_OK) {
		ret->plan = by.plan;
		ret->approvals = by.approvals;
		ret->policy = by.policy;
	}
	return rc;
}

/* What all orders of a change have in common, its plan with every host in it and what allows it, stays with the change:
 * in each of a thousand orders it would be read and written a thousand times, with a thousand hosts in it. */
static enum err_code put(struct turn *t, const struct order_record *o, struct err *reterr)
{
	struct order order = *o->order;
	struct order_record kept = *o;
	if (!id_is_zero(order.change)) {
		order.plan = NULL;
		order.approvals = (struct list){0};
		order.policy = NULL;
	}
	kept.order = &order;
	return turn_put(t, &order_table, &kept, reterr);
}

static enum err_code emit_order(struct turn *t, const struct order_record *o, struct err *reterr)
{
	struct order order;
	struct effect e = {.kind = EFFECT_FRAME, .host = o->host, .frame = FRAME_ORDER, .body = &order};
	struct cancel cancel = {o->order_id, o->text};
	enum err_code rc = ERR_OK;
	if (o->cancelling) {
		e.frame = FRAME_CANCEL;
		e.body = &cancel;
	} else {
		rc = whole(t, o->order, &order, reterr);
	}
	return rc == ERR_OK ? turn_emit(t, &e, reterr) : rc;
}

/* Send it, or its cancellation (again), and look again later. */
static enum err_code send_order(struct turn *t, struct order_record *o, struct err *reterr)
{
	struct brakes b;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!b.observing) {
		o->sends++;
		o->sent_ms = turn_now_ms(t);
		if ((rc = emit_order(t, o, reterr)) != ERR_OK)
			return rc;
	}
	if ((rc = put(t, o, reterr)) != ERR_OK)
		return rc;
	return turn_timer_set(t, RECOVERY_TIMER_RESEND, o->order_id, NULL, turn_now_ms(t) + ORDER_RESEND_MS, reterr);
}

enum err_code order_issue(struct turn *t, const struct recovery_config *c, struct order *order, const char *asked_by,
    struct order_record *ret, struct err *reterr)
{
	struct brakes b;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK)
		return rc;
	if (b.observing)
		return err_set(reterr, ERR_STATE,
		    "this controller only observes (%s): `kedge controller confirm` lets it command",
		    b.reason ? b.reason : "restored");
	order->order = turn_id(t);
	order->epoch = b.epoch;
	order->issued_ms = turn_now_ms(t);
	order->expires_ms = turn_now_ms(t) + ORDER_BEGIN_MS;
	if (!order->run_limit_ms)
		order->run_limit_ms = ORDER_RUN_MS;
	order->issuer = c->controller;
	struct order *kept = arena_dup(turn_arena(t), order, sizeof *order);
	if (!kept)
		return err_set(reterr, ERR_NOMEM, "out of memory for an order");
	*ret = (struct order_record){.order_id = order->order,
	    .rollback = order->rollback,
	    .host = order->host,
	    .service = order->service,
	    .kind = order->kind,
	    .order = kept,
	    .asked_ms = turn_now_ms(t),
	    .asked_by = asked_by};
	if ((rc = turn_timer_set(
		 t, RECOVERY_TIMER_DEADLINE, order->order, NULL, order->expires_ms + ORDER_GRACE_MS, reterr)) != ERR_OK)
		return rc;
	return send_order(t, ret, reterr);
}

static enum err_code keep_restoration(struct turn *t, const struct order_record *o, struct err *reterr)
{
	if (o->kind != ORDER_ROLLBACK && o->kind != ORDER_UNDO)
		return ERR_OK;
	struct restoration r = {.order_id = o->order_id,
	    .rollback = o->rollback,
	    .snapshot = id_is_zero(o->ended_on) ? o->order->snapshot : o->ended_on,
	    .host = o->host,
	    .service = o->service,
	    .components = o->order->components,
	    .began_ms = o->asked_ms,
	    .took_ms = o->ended_ms - o->asked_ms,
	    .outcome = o->outcome,
	    .digests_match = o->digests_match,
	    .healthy = o->healthy};
	return turn_put(t, &restoration_table, &r, reterr);
}

enum err_code order_end(
    struct turn *t, struct order_record *o, enum order_outcome outcome, const char *text, struct err *reterr)
{
	assert(outcome != ORDER_OPEN);
	o->outcome = outcome;
	o->ended_ms = turn_now_ms(t);
	if (text)
		o->text = text;
	enum err_code rc = turn_timer_clear(t, RECOVERY_TIMER_RESEND, o->order_id, NULL, reterr);
	if (rc != ERR_OK || (rc = turn_timer_clear(t, RECOVERY_TIMER_DEADLINE, o->order_id, NULL, reterr)) != ERR_OK ||
	    (rc = put(t, o, reterr)) != ERR_OK || (rc = keep_restoration(t, o, reterr)) != ERR_OK)
		return rc;
	char object[ID_TEXT_MAX];
	struct actor who = actor_host(o->host);
	return audit_note(t, outcome == ORDER_UNREACHABLE ? &actor_controller : &who, "order.ended", "order",
	    id_format(ID_ORDER, o->order_id, object), outcome == ORDER_OK ? AUDIT_DONE : AUDIT_FAILED, reterr,
	    "%s of %s on %s: %s", enum_name(&order_kind_enum, o->kind), o->service, o->host,
	    enum_name(&order_outcome_enum, outcome));
}

enum err_code order_cancel(struct turn *t, struct order_record *o, const char *reason, struct err *reterr)
{
	o->cancelling = true;
	o->text = arena_printf(turn_arena(t), "%.400s", reason ? reason : "stopped by an operator");
	return o->text ? send_order(t, o, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
}

enum err_code recovery_order(struct turn *t, const struct recovery_config *c, const struct actor *who,
    enum order_kind kind, const char *service, const char *host, struct id snapshot, struct order_record *ret,
    struct err *reterr)
{
	assert(kind == ORDER_SNAPSHOT || kind == ORDER_VERIFY || kind == ORDER_PROBE);
	struct placement p;
	bool found;
	enum err_code rc = fleet_placement_get(t, service, host, &p, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!found || p.undeclared)
		return err_set(reterr, ERR_NOT_FOUND, "%s does not run %s: `kedge service show %s` lists its hosts",
		    host, service, service);
	struct order order = {.kind = kind, .host = host, .service = service, .snapshot = snapshot};
	if ((rc = order_issue(t, c, &order, actor_text(t, who), ret, reterr)) != ERR_OK)
		return rc;
	char object[ID_TEXT_MAX];
	return audit_note(t, who, "order.ask", "order", id_format(ID_ORDER, ret->order_id, object), AUDIT_DONE, reterr,
	    "%s of %s on %s", enum_name(&order_kind_enum, kind), service, host);
}

/* The host answered: remember how far it is. */
static void absorb(struct order_record *o, const struct order_report *r, uint64_t now_ms)
{
	if (!o->accepted_ms)
		o->accepted_ms = now_ms;
	o->said_ms = r->at_ms;
	if (r->steps.count)
		o->steps = r->steps;
	if (!id_is_zero(r->safety_snapshot))
		o->safety_snapshot = r->safety_snapshot;
	if (r->text)
		o->text = r->text;
	o->ended_on = r->snapshot;
	o->digests_match = r->digests_match;
	o->healthy = r->healthy;
	o->better = r->better && r->outcome == ORDER_OK_WITH_EXCEPTIONS;
}

/* Did it go where nobody allowed it to? */
static enum err_code strayed(
    struct turn *t, const struct order_record *o, const struct order_report *r, bool *ret, struct err *reterr)
{
	struct order order;
	*ret = false;
	if (id_is_zero(r->snapshot) || id_equal(r->snapshot, o->order->snapshot))
		return ERR_OK;
	enum err_code rc = whole(t, o->order, &order, reterr);
	*ret = !(order.plan && order.plan->progressive);
	return rc;
}

/* Ends as the host can show: done without equal digests is not done. */
static enum err_code end_as_shown(
    struct turn *t, struct order_record *o, const struct order_report *r, const char *text, struct err *reterr)
{
	bool changing = o->kind == ORDER_ROLLBACK || o->kind == ORDER_UNDO; /* an action has no digests to show */
	bool done = r->outcome == ORDER_OK || r->outcome == ORDER_OK_WITH_EXCEPTIONS, astray = false;
	enum err_code rc = changing && done ? strayed(t, o, r, &astray, reterr) : ERR_OK;
	enum order_outcome outcome =
	    changing && done && (!r->digests_match || astray) ? ORDER_FAILED_DIRTY : (enum order_outcome)r->outcome;
	return rc == ERR_OK ? order_end(t, o, outcome, text, reterr) : rc;
}

/* The truth about an order that was given up came late: it is kept, and changes nothing that was decided on it. */
static enum err_code late_answer(
    struct turn *t, struct order_record *o, const struct order_report *r, struct err *reterr)
{
	if (o->outcome != ORDER_UNREACHABLE || r->outcome == ORDER_OPEN)
		return ERR_OK;
	absorb(o, r, turn_now_ms(t));
	const char *text = arena_printf(turn_arena(t), "answered late: %s", r->text ? r->text : "ended");
	enum err_code rc = storage_unhold(t, o->order_id, reterr);
	return rc == ERR_OK ? end_as_shown(t, o, r, text, reterr) : rc;
}

/* Somebody brought it back on the host itself, perhaps while nobody else could be asked: kept and on the trail like any
 * other.  Told again after a crash, it is there already. */
static enum err_code done_by_hand(struct turn *t, const char *host, const struct order_report *r, struct err *reterr)
{
	uint64_t began_ms = r->steps.count ? LIST_AT(r->steps, struct order_step, 0).began_ms : r->at_ms;
	uint32_t *components = arena_array(turn_arena(t), r->components.count + 1, sizeof *components);
	struct restoration made = {.order_id = r->order}, known;
	bool found;
	enum err_code rc = components ? turn_get(t, &restoration_table, &made, &known, &found, reterr)
				      : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK || found || r->outcome == ORDER_OPEN)
		return rc;
	for (size_t i = 0; i < r->components.count; i++)
		components[i] = LIST_AT(r->components, struct component_point, i).component;
	made = (struct restoration){.order_id = r->order,
	    .snapshot = r->snapshot,
	    .host = host,
	    .service = r->service,
	    .components = {components, r->components.count},
	    .began_ms = began_ms,
	    .took_ms = r->at_ms > began_ms ? r->at_ms - began_ms : 0,
	    .outcome = r->outcome,
	    .digests_match = r->digests_match,
	    .healthy = r->healthy};
	if ((rc = turn_put(t, &restoration_table, &made, reterr)) != ERR_OK)
		return rc;
	struct actor who = actor_host(host);
	return audit_note(t, &who, "rollback.by-hand", "service", r->service,
	    r->outcome == ORDER_OK ? AUDIT_DONE : AUDIT_FAILED, reterr, "%s rolled %s back on %s itself: %s",
	    r->by_hand, r->service, host, enum_name(&order_outcome_enum, r->outcome));
}

enum err_code recovery_on_order_report(struct turn *t, const struct recovery_config *c, const char *host,
    const struct order_report *r, struct rollback *ret, enum recovery_event *ret_event, struct err *reterr)
{
	*ret_event = RECOVERY_NOTHING;
	struct order_record o;
	bool found;
	enum err_code rc = order_get(t, r->order, &o, &found, reterr);
	if (rc == ERR_OK && !found && r->by_hand)
		return done_by_hand(t, host, r, reterr);
	if (rc != ERR_OK || !found) /* an order of a controller that was restored from before it: nothing to do */
		return rc;
	if (r->outcome == ORDER_UNREACHABLE)
		return err_set(reterr, ERR_INVALID, "host %s says of itself that it is unreachable", host);
	if (!text_equal(o.host, host))
		return err_set(reterr, ERR_DENIED, "host %s reports on order %s, which is for %s", host,
		    id_text(ID_ORDER, r->order), o.host);
	if (o.outcome != ORDER_OPEN)
		return late_answer(t, &o, r, reterr);
	bool first = !o.accepted_ms;
	absorb(&o, r, turn_now_ms(t));
	if (r->outcome == ORDER_OPEN) {
		if (first) { /* begun: it has its own time now, and needs no repetition */
			uint64_t limit_ms = o.order->run_limit_ms + ORDER_GRACE_MS;
			rc = turn_timer_clear(t, RECOVERY_TIMER_RESEND, o.order_id, NULL, reterr);
			if (rc == ERR_OK)
				rc = turn_timer_set(
				    t, RECOVERY_TIMER_DEADLINE, o.order_id, NULL, turn_now_ms(t) + limit_ms, reterr);
		}
		return rc == ERR_OK ? put(t, &o, reterr) : rc;
	}
	if ((rc = end_as_shown(t, &o, r, r->text, reterr)) != ERR_OK)
		return rc;
	return id_is_zero(o.rollback) ? ERR_OK : rollback_order_ended(t, c, &o, ret, ret_event, reterr);
}

struct unheard { /* an order that its host may not have heard of */
	struct order_record order;
	struct unheard *next;
};

/* Oldest first.  An order that no host has begun is given up after ORDER_BEGIN_MS: of all that a host ever had only the
 * newest are read. */
static enum err_code unheard_by(struct turn *t, const char *host, struct unheard **ret, struct err *reterr)
{
	struct order_record like = {.host = host}, o;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, &order_table, "host", &like, true, &scan, reterr);
	*ret = NULL;
	while (
	    turn_scan_step(&scan, &o, &rc, reterr) && o.asked_ms + ORDER_BEGIN_MS + ORDER_GRACE_MS >= turn_now_ms(t)) {
		if (o.outcome != ORDER_OPEN || o.accepted_ms)
			continue;
		struct unheard *u = arena_alloc(turn_arena(t), sizeof *u);
		if (!u)
			return err_set(reterr, ERR_NOMEM, "out of memory for orders");
		*u = (struct unheard){o, *ret};
		*ret = u;
	}
	return rc;
}

enum err_code recovery_on_hello(struct turn *t, const char *host, struct err *reterr)
{
	struct unheard *u;
	enum err_code rc = unheard_by(t, host, &u, reterr);
	for (; rc == ERR_OK && u; u = u->next)
		rc = send_order(t, &u->order, reterr);
	return rc == ERR_OK ? storage_on_hello(t, host, reterr) : rc;
}

/* Nobody answered in time.  An accepted order may still be at work there: UNREACHABLE says just that. */
static enum err_code give_up(struct turn *t, const struct recovery_config *c, struct order_record *o,
    struct rollback *ret, enum recovery_event *ret_event, struct err *reterr)
{
	const char *text = o->accepted_ms ? "the host began it and never said how it ended" : "no answer from the host";
	enum err_code rc = order_end(t, o, ORDER_UNREACHABLE, text, reterr);
	if (rc != ERR_OK || id_is_zero(o->rollback))
		return rc;
	return rollback_order_ended(t, c, o, ret, ret_event, reterr);
}

/* A rollback's wait is over: the bake, the least time between waves, or the patience. */
static enum err_code wait_over(struct turn *t, const struct recovery_config *c, struct id rollback,
    struct rollback *ret, enum recovery_event *ret_event, struct err *reterr)
{
	bool found;
	enum err_code rc = recovery_get(t, rollback, ret, &found, reterr);
	if (rc != ERR_OK || !found || (ret->state != ROLLBACK_PROVING && ret->state != ROLLBACK_HALTED))
		return rc;
	if (ret->state == ROLLBACK_PROVING && (rc = rollback_advance(t, c, ret, ret_event, reterr)) != ERR_OK)
		return rc;
	if (ret->state != ROLLBACK_PROVING && ret->state != ROLLBACK_HALTED)
		return ERR_OK;
	if (turn_now_ms(t) >= ret->deadline_ms)
		return rollback_overdue(t, ret, ret_event, reterr);
	bool waits = false;
	uint64_t again_ms = turn_now_ms(t) + ROLLBACK_ASK_MS;
	if (ret->state == ROLLBACK_PROVING && (rc = rollback_ask(t, c, ret, &waits, reterr)) != ERR_OK)
		return rc;
	if (ret->state == ROLLBACK_PROVING && !waits) /* held, with a time of its own */
		return ERR_OK;
	return turn_timer_set(t, RECOVERY_TIMER_PROVE, ret->rollback, NULL,
	    again_ms < ret->deadline_ms ? again_ms : ret->deadline_ms, reterr);
}

enum err_code recovery_on_timer(struct turn *t, const struct recovery_config *c, const struct timer *timer,
    struct rollback *ret, enum recovery_event *ret_event, bool *ret_mine, struct err *reterr)
{
	*ret_event = RECOVERY_NOTHING;
	bool resend = text_equal(timer->kind, RECOVERY_TIMER_RESEND),
	     deadline = text_equal(timer->kind, RECOVERY_TIMER_DEADLINE), found;
	bool room = text_equal(timer->kind, RECOVERY_TIMER_ROOM), held = text_equal(timer->kind, RECOVERY_TIMER_HELD);
	*ret_mine = resend || deadline || room || held || text_equal(timer->kind, RECOVERY_TIMER_PROVE);
	if (!*ret_mine)
		return ERR_OK;
	if (held)
		return storage_unhold(t, timer->id, reterr);
	if (room)
		return rollback_room(t, c, timer->id, ret, ret_event, reterr);
	if (!resend && !deadline)
		return wait_over(t, c, timer->id, ret, ret_event, reterr);
	struct order_record o;
	enum err_code rc = order_get(t, timer->id, &o, &found, reterr);
	if (rc != ERR_OK || !found || o.outcome != ORDER_OPEN)
		return rc;
	return resend ? send_order(t, &o, reterr) : give_up(t, c, &o, ret, ret_event, reterr);
}
