/* agent/orders/orders.c */
#include "agent/orders/orders.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/log.h"
#include "shared/base/text.h"

enum { JOB_TRIES = 3, HOUR_MS = 3600 * 1000 };

static const char *const phase_names[] = {
    [ORDER_PREPARED] = "prepared", [ORDER_STARTED] = "started", [ORDER_DONE] = "done"};
const struct enum_type order_phase_enum = ENUM_TYPE("order_phase", phase_names);

#define S struct order_entry
static const struct field entry_fields[] = {
    F_ID(S, order_id, ORDER, FIELD_KEY | FIELD_REQUIRED, "the order"),
    F_ENUM(S, phase, &order_phase_enum, FIELD_ALWAYS, "how far it is"),
    F_TIME(S, at_ms, 0, "when it came, host's clock"),
    F_RECORD(S, order, struct order, &order_type, 0, "the order itself; absent when it could not be kept"),
    F_RECORD(S, report, struct order_report, &order_report_type, 0, "the answer, once done"),
    F_BOOL(S, told, 0, "the answer is in the spool"),
};
#undef S
const struct record_type order_entry_type =
    RECORD_TYPE("order_entry", struct order_entry, entry_fields, "one order in a keeper's journal");

struct item {
	struct arena *arena; /* of everything in e */
	struct order_entry e;
	struct item
	    *end; /* how it ended, where the journal would not take it: tried again at every turn, told only then */
	unsigned tries;
	bool begun;     /* in this process */
	bool cancelled; /* its job was asked to stop: so is the one that resumes it */
};
struct orders {
	const struct agent_config *config;
	struct orders_io io;
	struct item *items[ORDERS_KEPT_MAX]; /* oldest first */
	size_t count;
	uint64_t epoch;
	bool halted;
	bool complained; /* that the journal takes no end: once is enough */
};

/* ---- items ---- */

static void item_free(struct item *i)
{
	if (!i)
		return;
	item_free(i->end);
	arena_free(i->arena);
	free(i);
}

static struct item *item_new(const struct order_entry *e)
{
	struct item *i = calloc(1, sizeof *i);
	if (!i || !(i->arena = arena_new(4 << 20)) ||
	    record_copy(&order_entry_type, e, i->arena, &i->e, NULL) != ERR_OK) {
		item_free(i);
		return NULL;
	}
	return i;
}

static struct item *find(const struct orders *o, struct id order)
{
	for (size_t i = o->count; i-- > 0;)
		if (id_equal(o->items[i]->e.order_id, order))
			return o->items[i];
	return NULL;
}

static void forget(struct orders *o, size_t at)
{
	struct err err = ERR_INIT;
	if (o->io.remove(o->io.ctx, o->items[at]->e.order_id, &err) != ERR_OK)
		log_warn("keeper", "an old order cannot be removed from the journal: %s", err.msg);
	item_free(o->items[at]);
	memmove(&o->items[at], &o->items[at + 1], (--o->count - at) * sizeof o->items[0]);
}

static bool is_changing(const struct order *o)
{
	return order_is_changing(o->kind);
}

static bool was_refused(const struct order_entry *e)
{
	return e->phase == ORDER_DONE && e->report &&
	       (e->report->outcome == ORDER_REFUSED || e->report->outcome == ORDER_EXPIRED);
}

/* ---- room ---- */

/* Could its order still be carried out if it came once more? */
static bool is_over(const struct order_entry *e, uint64_t now_ms)
{
	uint64_t until_ms = e->order ? e->order->expires_ms : e->at_ms + PLAN_LIFETIME_MAX_MS;
	return until_ms < now_ms;
}

static bool may_go(const struct order_entry *e)
{
	return e->phase == ORDER_DONE && e->told;
}

/* Answered orders go when they are old.  When there is no room, those go that could not be carried out again anyway,
 * then those that were refused (they would be judged again).  What was carried out and is still valid never goes: it
 * could be done twice. */
static void make_room(struct orders *o)
{
	uint64_t now_ms = o->io.now_ms(o->io.ctx);
	for (size_t i = 0; i < o->count;)
		if (may_go(&o->items[i]->e) && o->items[i]->e.at_ms + ORDERS_KEEP_MS < now_ms &&
		    is_over(&o->items[i]->e, now_ms))
			forget(o, i);
		else
			i++;
	for (size_t i = 0; i < o->count && o->count >= ORDERS_KEPT_MAX - 1;)
		if (may_go(&o->items[i]->e) && is_over(&o->items[i]->e, now_ms))
			forget(o, i);
		else
			i++;
	for (size_t i = 0; i < o->count && o->count >= ORDERS_KEPT_MAX - 1;)
		if (may_go(&o->items[i]->e) && was_refused(&o->items[i]->e))
			forget(o, i);
		else
			i++;
}

static struct item *add(struct orders *o, const struct order_entry *e)
{
	make_room(o);
	struct item *i = o->count < ORDERS_KEPT_MAX ? item_new(e) : NULL;
	if (i)
		o->items[o->count++] = i;
	else
		log_error("keeper", "order=%s there is no room to remember it: it is left aside, and must come again",
		    id_text(ID_ORDER, e->order_id));
	return i;
}

/* ---- ends ---- */

/* Journal first, then tell.  False: it must be tried again. */
static bool settle(struct orders *o, struct item *i)
{
	struct err err = ERR_INIT;
	struct item *end = i->end;
	if (o->io.put(o->io.ctx, &end->e, &err) != ERR_OK) {
		if (!o->complained)
			log_error("keeper", "order=%s its end cannot be journalled: %s",
			    id_text(ID_ORDER, i->e.order_id), err.msg);
		o->complained = true;
		return false;
	}
	o->complained = false;
	i->end = NULL;
	arena_free(i->arena);
	i->arena = end->arena;
	i->e = end->e;
	free(end);
	const struct order_report *r = i->e.report;
	log_info("keeper", "order=%s service=%s %s ended: %s%s%s", id_text(ID_ORDER, i->e.order_id),
	    r->service ? r->service : "-", enum_name(&order_kind_enum, r->kind),
	    enum_name(&order_outcome_enum, r->outcome), r->text ? ": " : "", r->text ? r->text : "");
	o->io.tell(o->io.ctx, r);
	return true;
}

static void settle_all(struct orders *o)
{
	for (size_t n = 0; n < o->count; n++)
		if (o->items[n]->end && !settle(o, o->items[n]))
			return; /* the disk is no better for the next */
}

void orders_on_tick(struct orders *o)
{
	settle_all(o);
}

static void done(struct orders *o, struct item *i, const struct order_report *r)
{
	struct order_entry e = i->e;
	e.phase = ORDER_DONE;
	e.report = r;
	if (!(i->end = item_new(&e))) { /* after a restart, or when its worker is gone, it is resumed and ends again */
		log_error("keeper", "order=%s its end cannot be kept: out of memory", id_text(ID_ORDER, e.order_id));
		return;
	}
	(void)settle(o, i);
}

static void end_with(struct orders *o, struct item *i, enum order_outcome outcome, const char *text)
{
	struct err clean = ERR_INIT; /* its text is always UTF-8: what cannot be encoded would never be told */
	err_set(&clean, ERR_STATE, "%s", text);
	struct order_report r = {
	    .order = i->e.order_id, .outcome = outcome, .at_ms = o->io.now_ms(o->io.ctx), .text = clean.msg};
	if (i->e.order) {
		r.kind = i->e.order->kind;
		r.service = i->e.order->service;
	}
	done(o, i, &r);
}

static void refuse(struct orders *o, struct item *i, enum order_outcome outcome, const char *why)
{
	log_warn("keeper", "order=%s refused: %s", id_text(ID_ORDER, i->e.order_id), why);
	end_with(o, i, outcome, why);
}

/* ---- judging ---- */

static size_t in_last_hour(const struct orders *o, const char *service)
{
	uint64_t now_ms = o->io.now_ms(o->io.ctx);
	size_t n = 0;
	for (size_t i = 0; i < o->count; i++) {
		const struct order_entry *e = &o->items[i]->e;
		n += e->order && is_changing(e->order) && text_equal(e->order->service, service) &&
		     e->at_ms + HOUR_MS > now_ms && !was_refused(e);
	}
	return n;
}

static bool busy(const struct orders *o, const char *service, struct id except)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct order_entry *e = &o->items[i]->e;
		if (e->phase != ORDER_DONE && e->order && is_changing(e->order) &&
		    text_equal(e->order->service, service) && !id_equal(e->order_id, except))
			return true;
	}
	return false;
}

/* An undo goes back to what this host itself replaced for that order, and to nothing else. */
static const char *judge_undo(const struct orders *o, const struct order *order)
{
	const struct item *undone = find(o, order->undo_of);
	const struct order_report *r = undone && undone->e.phase == ORDER_DONE ? undone->e.report : NULL;
	if (!r)
		return "this host knows of no end of the order that is to be undone";
	if (!text_equal(r->service, order->service))
		return "the order that is to be undone was of another service";
	if (id_is_zero(r->safety_snapshot))
		return "the order that is to be undone replaced nothing";
	if (!id_equal(r->safety_snapshot, order->snapshot))
		return "that restore point is not what the order that is to be undone replaced";
	return NULL;
}

/* What only a changing order must stand. */
static const char *judge_change(
    struct orders *o, const struct order *order, const struct service_config *service, char why[TEXT_LINE_MAX])
{
	const char *no = order->kind == ORDER_UNDO ? judge_undo(o, order) : NULL;
	if (no)
		return no;
	if (order->kind == ORDER_ACTION && !(order->plan && service_config_action(service, order->plan->action)))
		return "agent.yaml declares no such action for the service";
	if (order->plan && order->plan->first && !service_config_action(service, order->plan->first))
		return "agent.yaml declares no such action for the service as is to be run first";
	if (o->halted)
		return "everything is halted";
	if (busy(o, order->service, order->order))
		return "another order is changing this service";
	if (service->rollback.max_per_hour && in_last_hour(o, order->service) > service->rollback.max_per_hour)
		return "this host allows no more changes of the service in this hour";
	return o->io.authorised(o->io.ctx, order, why) ? NULL : why;
}

/* NULL: it may be carried out.  Else why not, and how it ends. */
static const char *judge(
    struct orders *o, const struct order *order, enum order_outcome *ret_outcome, char why[TEXT_LINE_MAX])
{
	const struct service_config *service = agent_config_service(o->config, order->service);
	*ret_outcome = ORDER_REFUSED;
	if (!text_equal(order->host, o->config->host))
		return "it is for another host";
	if (order->epoch < o->epoch)
		return "a newer controller has spoken: its epoch is too low";
	if (order->expires_ms <= o->io.now_ms(o->io.ctx)) {
		*ret_outcome = ORDER_EXPIRED;
		return "it came after its deadline";
	}
	if (!service)
		return "agent.yaml declares no such service";
	if (orders_running(o) > ORDERS_RUNNING_MAX) /* it is counted itself */
		return "too many orders are at work";
	return is_changing(order) ? judge_change(o, order, service, why) : NULL;
}

static void begin(struct orders *o, struct item *i, bool resume)
{
	struct order_entry e = i->e;
	struct err err = ERR_INIT;
	e.phase = ORDER_STARTED;
	if (o->io.put(o->io.ctx, &e, &err) != ERR_OK) {
		if (!resume)
			refuse(o, i, ORDER_REFUSED, "the journal cannot be written");
		else /* the journal says STARTED already: nothing new has to be said to go on */
			log_warn("keeper", "order=%s %s", id_text(ID_ORDER, e.order_id), err.msg);
		if (!resume)
			return;
	}
	i->e.phase = ORDER_STARTED;
	i->begun = true;
	if (o->io.start(o->io.ctx, i->e.order, resume, &err) == ERR_OK) {
		if (i->cancelled)
			o->io.cancel(o->io.ctx, i->e.order_id);
		return;
	}
	if (resume)
		end_with(o, i, ORDER_FAILED_DIRTY, err.msg);
	else
		refuse(o, i, ORDER_REFUSED, err.msg);
}

static void accepted(struct orders *o, const struct order *order)
{
	struct order_report r = {.order = order->order,
	    .kind = order->kind,
	    .service = order->service,
	    .outcome = ORDER_OPEN,
	    .at_ms = o->io.now_ms(o->io.ctx),
	    .text = "accepted"};
	o->io.tell(o->io.ctx, &r);
}

/* Answered from the journal; what is still at work answers when it ends. */
static void answer(struct orders *o, const struct item *known)
{
	if (known->e.phase == ORDER_DONE)
		o->io.tell(o->io.ctx, known->e.report);
	else if (!known->end && known->e.order)
		accepted(o, known->e.order);
}

static enum err_code raise_epoch(struct orders *o, uint64_t epoch, struct err *reterr)
{
	enum err_code rc = epoch > o->epoch ? o->io.put_epoch(o->io.ctx, epoch, reterr) : ERR_OK;
	if (rc == ERR_OK && epoch > o->epoch)
		o->epoch = epoch;
	return rc;
}

/* Judged, journalled as accepted, begun. */
static void take(struct orders *o, struct item *i)
{
	char why[TEXT_LINE_MAX] = "";
	enum order_outcome outcome;
	const char *no = judge(o, i->e.order, &outcome, why);
	if (no) {
		refuse(o, i, outcome, no);
		return;
	}
	if (raise_epoch(o, i->e.order->epoch, NULL) != ERR_OK || o->io.put(o->io.ctx, &i->e, NULL) != ERR_OK) {
		refuse(o, i, ORDER_REFUSED, "the journal cannot be written");
		return;
	}
	accepted(o, i->e.order);
	begin(o, i, false);
}

void orders_on_order(struct orders *o, const struct order *order)
{
	settle_all(o);
	struct item *i = find(o, order->order);
	if (i) {
		answer(o, i);
		return;
	}
	struct order_entry e = {
	    .order_id = order->order, .phase = ORDER_PREPARED, .at_ms = o->io.now_ms(o->io.ctx), .order = order};
	if ((i = add(o, &e)))
		take(o, i);
}

/* ---- the rest of its life ---- */

void orders_on_cancel(struct orders *o, struct id order, const char *reason)
{
	settle_all(o);
	struct item *i = find(o, order);
	if (!i) { /* it may come after its own cancellation: remember it as ended */
		struct order_entry e = {.order_id = order, .phase = ORDER_PREPARED, .at_ms = o->io.now_ms(o->io.ctx)};
		if ((i = add(o, &e)))
			end_with(o, i, ORDER_CANCELLED, reason ? reason : "cancelled before it came");
	} else if (i->e.phase == ORDER_STARTED && !i->end) {
		i->cancelled = true;
		o->io.cancel(o->io.ctx, order);
	} else if (i->e.phase == ORDER_PREPARED && !i->end) {
		end_with(o, i, ORDER_CANCELLED, reason ? reason : "cancelled before it began");
	}
}

void orders_on_halt(struct orders *o, bool on)
{
	o->halted = on;
}

void orders_on_job_report(struct orders *o, const struct order_report *r)
{
	settle_all(o);
	struct item *i = find(o, r->order);
	if (!i || i->e.phase == ORDER_DONE || i->end)
		return;
	if (r->outcome == ORDER_OPEN)
		o->io.tell(o->io.ctx, r);
	else
		done(o, i, r);
}

void orders_on_job_lost(struct orders *o, struct id order)
{
	settle_all(o);
	struct item *i = find(o, order);
	if (!i || i->e.phase == ORDER_DONE || i->end)
		return;
	if (++i->tries < JOB_TRIES)
		begin(o, i, true);
	else
		end_with(o, i, ORDER_FAILED_DIRTY,
		    "its worker crashed again and again: look at the agent's log, then at the service");
}

void orders_on_told(struct orders *o, struct id order)
{
	struct item *i = find(o, order);
	struct err err = ERR_INIT;
	if (!i || i->e.phase != ORDER_DONE || i->e.told)
		return;
	i->e.told = true;
	if (o->io.put(o->io.ctx, &i->e, &err) != ERR_OK) /* told once more after a restart: harmless */
		log_warn("keeper", "order=%s cannot be marked as told: %s", id_text(ID_ORDER, order), err.msg);
}

bool orders_is_running(const struct orders *o, const char *service)
{
	return busy(o, service, (struct id){0});
}

size_t orders_running(const struct orders *o)
{
	size_t n = 0;
	for (size_t i = 0; i < o->count; i++)
		n += o->items[i]->e.phase != ORDER_DONE;
	return n;
}

uint64_t orders_epoch(const struct orders *o)
{
	return o->epoch;
}

/* ---- life ---- */

enum err_code orders_new(
    const struct agent_config *config, const struct orders_io *io, struct orders **ret, struct err *reterr)
{
	struct orders *o = calloc(1, sizeof *o);
	if (!o)
		return err_set(reterr, ERR_NOMEM, "out of memory for orders");
	o->config = config;
	o->io = *io;
	*ret = o;
	return ERR_OK;
}

void orders_free(struct orders *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		item_free(o->items[i]);
	free(o);
}

enum err_code orders_load(
    struct orders *o, const struct order_entry *entries, size_t count, uint64_t epoch, struct err *reterr)
{
	o->epoch = epoch;
	for (size_t n = 0; n < count; n++) {
		struct item *i = o->count < ORDERS_KEPT_MAX ? item_new(&entries[n]) : NULL;
		if (!i)
			return err_set(reterr, ERR_NOMEM, "out of memory for the journal of orders");
		size_t at = o->count++;
		for (; at && o->items[at - 1]->e.at_ms > i->e.at_ms; at--)
			o->items[at] = o->items[at - 1];
		o->items[at] = i;
	}
	return ERR_OK;
}

void orders_resume(struct orders *o)
{
	settle_all(o);
	for (size_t n = 0; n < o->count; n++) {
		struct item *i = o->items[n];
		if (i->e.phase == ORDER_DONE && !i->e.told)
			o->io.tell(o->io.ctx, i->e.report);
		else if (i->e.phase == ORDER_DONE || i->begun || i->end)
			continue;
		else if (!i->e.order)
			end_with(o, i, ORDER_FAILED_DIRTY, "its journal is not whole");
		else if (i->e.phase == ORDER_STARTED)
			begin(o, i, true);
		else
			take(o, i); /* judged anew: it may have waited for long */
	}
}
