/* tests/sim/check.c: what must never be, and what must be in the end. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "tests/sim/sim.h"

/* ---- orders on hosts ---- */

static struct effect_seen *effect_of(struct sim *s, struct id order)
{
	for (size_t i = s->effect_count; i-- > 0;)
		if (id_equal(s->effects[i].order, order))
			return &s->effects[i];
	return NULL;
}

static uint32_t wave_in(const struct order *o, const char *host)
{
	for (size_t i = 0; o->plan && i < o->plan->hosts.count; i++)
		if (text_equal(LIST_AT(o->plan->hosts, struct plan_host, i).host, host))
			return LIST_AT(o->plan->hosts, struct plan_host, i).wave;
	return UINT32_MAX;
}

/* No wave begins before every host of those before it has come back as planned. */
static void check_waves(struct sim *s, const struct effect_seen *now)
{
	for (size_t i = 0; i < s->effect_count; i++) {
		const struct effect_seen *e = &s->effects[i];
		if (!id_equal(e->rollback, now->rollback) || e->wave == now->wave)
			continue;
		if (e->wave > now->wave)
			sim_fail(
			    s, "wave %u of a rollback begins on host-%u after wave %u", now->wave, now->agent, e->wave);
		else if (!e->ended || !e->matched)
			sim_fail(s, "wave %u begins on host-%u while host-%u of wave %u %s", now->wave, now->agent,
			    e->agent, e->wave, e->ended ? "did not come back" : "is still at work");
	}
}

/* Must the controller count it?  What it forgot when it was put back to a backup it cannot, and who died half way goes
 * on whenever it starts again. */
static bool must_count(struct turn *t, const struct job *j)
{
	struct order_record key = {.order_id = j->order}, o;
	struct storage_hold hold = {.order_id = j->order};
	struct err err;
	bool found, held;
	if (turn_get(t, &order_table, &key, &o, &found, &err) != ERR_OK ||
	    turn_get(t, &storage_hold_table, &hold, &hold, &held, &err) != ERR_OK)
		abort();
	return found && (o.outcome == ORDER_OPEN || held || j->phase < JOB_RESTORE);
}

/* Restores from the storage of `a` that are at work; t (may be NULL): of those, what the controller must count. */
static unsigned restores_from(struct sim *s, const struct agent *a, struct turn *t)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->agent_count; i++)
		for (size_t k = 0; k < s->agents[i].place_count; k++) {
			const struct job *j = &s->agents[i].places[k].job;
			n += j->journalled && !j->ended && strcmp(s->agents[i].storage, a->storage) == 0 &&
			     (!t || must_count(t, j));
		}
	return n;
}

/* RULES R16: one more restores from the storage of `a` now. */
static void check_storage(struct sim *s, const struct agent *a)
{
	struct control_look look;
	unsigned n = restores_from(s, a, NULL) + 1, most = s->hub.control.config.recovery.storage_restores;
	if (n > most) {
		n = restores_from(s, a, control_look(&s->hub.control, &look)) + 1;
		control_look_end(&look);
	}
	s->peak_restores = n > s->peak_restores ? n : s->peak_restores;
	if (n > most)
		sim_fail(s, "%u hosts restore from %s at once", n, a->storage);
}

void check_begins(struct sim *s, struct place *p, const struct order *o, bool resume)
{
	struct effect_seen *e = effect_of(s, o->order);
	struct agent *a = p->agent;
	if (!text_equal(o->host, a->name))
		sim_fail(s, "%s begins an order for %s", a->name, o->host);
	if (!resume && o->epoch < a->journal_epoch)
		sim_fail(s, "%s obeys epoch %llu after %llu", a->name, (unsigned long long)o->epoch,
		    (unsigned long long)a->journal_epoch);
	if (!e) {
		if (s->effect_count == SIM_EFFECTS_MAX)
			abort();
		e = &s->effects[s->effect_count++];
		*e = (struct effect_seen){
		    .order = o->order, .rollback = o->rollback, .agent = a->index, .wave = wave_in(o, a->name)};
		check_waves(s, e);
		if (a->storage[0] && s->hub.up)
			check_storage(s, a);
	}
	e->fresh_begins += !resume;
	if (e->fresh_begins > 1)
		sim_fail(s, "%s does an order twice", a->name);
}

void check_ended(struct sim *s, struct id order, bool matched)
{
	struct effect_seen *e = effect_of(s, order);
	if (!e)
		return;
	if (e->ended)
		sim_fail(s, "an order ended twice on host-%u", e->agent);
	e->ended = true;
	e->matched = matched;
}

/* ---- the store ---- */

typedef void (*each_fn)(struct sim *s, struct turn *t, const void *record);

static void each(struct sim *s, struct turn *t, const struct table *table, each_fn fn)
{
	struct turn_scan scan;
	struct err err;
	bool found = true;
	char *record = calloc(1, table->type->size);
	if (!record || turn_scan_key(t, table, NULL, 0, false, &scan, &err) != ERR_OK)
		abort();
	while (found) {
		if (turn_scan_next(&scan, record, &found, &err) != ERR_OK) {
			sim_fail(s, "table %s cannot be read: %s", table->name, err.msg);
			break;
		}
		if (found)
			fn(s, t, record);
	}
	turn_scan_done(&scan);
	free(record);
}

static void order_is_honest(struct sim *s, struct turn *t, const void *record)
{
	const struct order_record *o = record;
	const struct effect_seen *e = effect_of(s, o->order_id);
	bool changing = o->kind == ORDER_ROLLBACK || o->kind == ORDER_UNDO;
	(void)t;
	if (changing && (o->outcome == ORDER_OK || o->outcome == ORDER_OK_WITH_EXCEPTIONS) &&
	    !(e && e->ended && e->matched))
		sim_fail(s, "an order of %s on %s counts as done, and is not", o->service, o->host);
}

static void rollback_is_honest(struct sim *s, struct turn *t, const void *record)
{
	const struct rollback *r = record;
	(void)t;
	if (r->state != ROLLBACK_ENDED || (r->outcome != ORDER_OK && r->outcome != ORDER_OK_WITH_EXCEPTIONS))
		return;
	for (size_t i = 0; i < r->hosts.count; i++) {
		const struct rollback_host *h = &LIST_AT(r->hosts, struct rollback_host, i);
		const struct effect_seen *e = effect_of(s, h->order);
		if (!h->digests_match || !h->proven || !e || !e->matched)
			sim_fail(
			    s, "RB-%llu counts as done, and %s is not proven", (unsigned long long)r->number, h->host);
	}
}

static void chain_is_one(struct sim *s, struct turn *t, const void *record)
{
	const struct incident *i = record;
	struct rollback like = {.incident = i->incident}, r;
	struct turn_scan scan;
	struct err err;
	bool found = true;
	unsigned automatic = 0;
	if (turn_scan_index(t, &rollback_table, "incident", &like, false, &scan, &err) != ERR_OK)
		abort();
	while (found && turn_scan_next(&scan, &r, &found, &err) == ERR_OK)
		automatic += found && r.automatic;
	turn_scan_done(&scan);
	if (automatic > 1)
		sim_fail(s, "INC-%llu had %u automatic rollbacks", (unsigned long long)i->number, automatic);
}

static void check_trail(struct sim *s, struct turn *t)
{
	struct audit_verdict v;
	struct err err;
	if (audit_verify(t, 1, 0, NULL, &v, &err) != ERR_OK)
		sim_fail(s, "the audit trail cannot be read: %s", err.msg);
	else if (v.problem != AUDIT_SOUND)
		sim_fail(s, "the audit trail is not sound at %llu: %s", (unsigned long long)v.sequence, v.text);
}

static void one_rollback_a_service(struct sim *s, struct turn *t)
{
	for (unsigned i = 0; i < s->services; i++) {
		struct rollback like = {.service = sim_services[i]}, r;
		struct turn_scan scan;
		struct err err;
		bool found = true;
		unsigned open = 0;
		if (turn_scan_index(t, &rollback_table, "service", &like, false, &scan, &err) != ERR_OK)
			abort();
		while (found && turn_scan_next(&scan, &r, &found, &err) == ERR_OK)
			open += found && r.state != ROLLBACK_ENDED;
		turn_scan_done(&scan);
		if (open > 1)
			sim_fail(s, "%u rollbacks of %s run at once", open, sim_services[i]);
	}
}

void check_store(struct sim *s)
{
	struct control_look look;
	struct turn *t = control_look(&s->hub.control, &look);
	check_trail(s, t);
	each(s, t, &order_table, order_is_honest);
	each(s, t, &rollback_table, rollback_is_honest);
	each(s, t, &incident_table, chain_is_one);
	each(s, t, &change_table, watch_change);
	watch_store(s, t);
	one_rollback_a_service(s, t);
	control_look_end(&look);
}

/* ---- in the end ---- */

static void order_ended(struct sim *s, struct turn *t, const void *record)
{
	const struct order_record *o = record;
	(void)t;
	if (o->outcome == ORDER_OPEN)
		sim_fail(s, "an order of %s on %s never ended", o->service, o->host);
}

static void rollback_ended(struct sim *s, struct turn *t, const void *record)
{
	const struct rollback *r = record;
	(void)t;
	if (r->state != ROLLBACK_ENDED)
		sim_fail(
		    s, "RB-%llu is still %s", (unsigned long long)r->number, enum_name(&rollback_state_enum, r->state));
}

static void change_is_over(struct sim *s, struct turn *t, const void *record)
{
	const struct change *c = record;
	bool waits = c->state == CHANGE_REQUESTED || c->state == CHANGE_APPROVED;
	(void)t;
	if (waits ? c->expires_ms < s->now_ms : !c->ended_ms)
		sim_fail(
		    s, "CHG-%llu is still %s", (unsigned long long)c->number, enum_name(&change_state_enum, c->state));
}

static void incident_ended(struct sim *s, struct turn *t, const void *record)
{
	const struct incident *i = record;
	(void)t;
	if (incident_is_open(i))
		sim_fail(s, "INC-%llu is still %s: %s (%zu hosts fail)", (unsigned long long)i->number,
		    enum_name(&incident_state_enum, i->state), i->title, i->failing.count);
}

static void notification_ended(struct sim *s, struct turn *t, const void *record)
{
	const struct notification *n = record;
	(void)t;
	if (n->state == NOTIFICATION_PENDING)
		sim_fail(s, "a notification is still pending: %s", n->subject);
}

static void is_healthy(struct sim *s, struct turn *t, const void *record)
{
	const struct service_health *h = record;
	(void)t;
	if (h->state != HEALTH_HEALTHY)
		sim_fail(s, "%s on %s is %s in the end: %s", h->service, h->host, enum_name(&health_enum, h->state),
		    h->reason ? h->reason : "");
}

/* How often each notice of each agent stands on the audit trail. */
static unsigned **heard;

static void count_notice(struct sim *s, struct turn *t, const void *record)
{
	const struct audit_entry *e = record;
	(void)t;
	if (!text_equal(e->action, "host.notice") || !text_starts(e->text, "sim: "))
		return;
	unsigned host = (unsigned)strtoul(e->actor_name + strlen("host-"), NULL, 10);
	uint64_t n = strtoull(e->text + strlen("sim: "), NULL, 10);
	if (host >= s->agent_count || n >= s->agents[host].notices)
		sim_fail(s, "the trail holds a notice that nobody sent: %s of %s", e->text, e->actor_name);
	else
		heard[host][n]++;
}

static void check_notices(struct sim *s, struct turn *t)
{
	heard = calloc(s->agent_count, sizeof(*heard));
	for (unsigned i = 0; i < s->agent_count; i++)
		heard[i] = calloc(s->agents[i].notices + 1, sizeof(**heard));
	each(s, t, &audit_table, count_notice);
	for (unsigned i = 0; i < s->agent_count; i++) {
		const struct agent *a = &s->agents[i];
		for (uint64_t n = 0; n < a->notices; n++) {
			if (heard[i][n] > 1)
				sim_fail(s, "notice %llu of %s was applied %u times", (unsigned long long)n, a->name,
				    heard[i][n]);
			if (a->notice_spooled[n] && !heard[i][n] && !a->dropped && !s->hub.restored)
				sim_fail(
				    s, "notice %llu of %s was spooled and is lost", (unsigned long long)n, a->name);
		}
		free(heard[i]);
	}
	free(heard);
}

static void check_agents(struct sim *s)
{
	for (unsigned i = 0; i < s->agent_count; i++) {
		struct agent *a = &s->agents[i];
		struct spool_state spool;
		spool_state(a->spool, &spool);
		if (!a->up || !a->session || session_state(a->session) != SESSION_LIVE)
			sim_fail(s, "%s is not connected in the end", a->name);
		else if (spool.next - spool.first > 8 || outgoing_count(a->outgoing) > 8)
			sim_fail(
			    s, "%s still holds %llu reports", a->name, (unsigned long long)(spool.next - spool.first));
		else if (orders_running(a->orders))
			sim_fail(s, "%s still has %zu orders at work", a->name, orders_running(a->orders));
	}
}

void check_end(struct sim *s)
{
	struct control_look look;
	check_store(s);
	watch_growth(s);
	check_agents(s);
	struct turn *t = control_look(&s->hub.control, &look);
	each(s, t, &order_table, order_ended);
	each(s, t, &rollback_table, rollback_ended);
	each(s, t, &change_table, change_is_over);
	each(s, t, &service_health_table, is_healthy);
	each(s, t, &incident_table, incident_ended);
	each(s, t, &notification_table, notification_ended);
	check_notices(s, t);
	control_look_end(&look);
}
