/* controller/center/workflow.c: each input finds its part of the domain. */
#include "controller/center/workflow.h"

#include <assert.h>

#include "controller/center/chain.h"
#include "controller/center/forecast.h"
#include "controller/center/practice.h"
#include "controller/center/requests.h"
#include "controller/turn/system.h"
#include "shared/base/text.h"

static enum err_code frame_to(
    struct turn *t, const char *host, struct id boot, enum frame_type type, const void *body, struct err *reterr)
{
	struct effect e = {.kind = EFFECT_FRAME, .host = host, .boot = boot, .frame = type, .body = body};
	return turn_emit(t, &e, reterr);
}

static enum err_code close_host(
    struct turn *t, const char *host, struct id boot, enum bye_reason why, const char *text, struct err *reterr)
{
	struct effect e = {.kind = EFFECT_CLOSE, .host = host, .boot = boot, .bye = why, .text = text};
	return turn_emit(t, &e, reterr);
}

/* ---- start ---- */

static enum err_code analyse_open(struct turn *t, struct err *reterr)
{
	struct list open;
	enum err_code rc = incident_all_open(t, &open, reterr);
	for (size_t i = 0; rc == ERR_OK && i < open.count; i++) {
		const struct incident *inc = &LIST_AT(open, struct incident, i);
		struct effect e = {.kind = EFFECT_ANALYSE, .id = inc->incident};
		if (inc->state < INCIDENT_IDENTIFIED)
			rc = turn_emit(t, &e, reterr);
	}
	return rc;
}

static enum err_code on_boot(struct turn *t, const struct workflow_config *c, struct err *reterr)
{
	struct system_state system;
	enum err_code rc = system_get(t, &system, reterr);
	bool news;
	if (rc == ERR_OK)
		rc = system_low_space(t, false, &news, reterr); /* whoever looks at the disk says so if not */
	if (rc == ERR_OK && system.restored_unseen) {
		rc = brakes_observe(
		    t, &actor_controller, true, "restored from a backup: an operator must confirm it", reterr);
		if (rc == ERR_OK)
			rc = system_restore_seen(t, reterr);
	}
	if (rc != ERR_OK || (rc = access_operator_seed(t, &c->administrators, reterr)) != ERR_OK ||
	    (rc = learning_knowledge_seed(t, &c->knowledge, reterr)) != ERR_OK ||
	    (rc = fleet_on_boot(t, &c->fleet, reterr)) != ERR_OK ||
	    (rc = health_on_boot(t, &c->health, reterr)) != ERR_OK || (rc = audit_on_boot(t, reterr)) != ERR_OK ||
	    (rc = notify_on_boot(t, &c->notify, reterr)) != ERR_OK || (rc = practice_on_boot(t, reterr)) != ERR_OK ||
	    (rc = analyse_open(t, reterr)) != ERR_OK)
		return rc;
	struct effect e = {.kind = EFFECT_REVOCATIONS};
	if ((rc = turn_emit(t, &e, reterr)) != ERR_OK)
		return rc;
	return audit_note(t, &actor_controller, "controller.start", "controller", c->name, AUDIT_DONE, reterr,
	    "started, version " KEDGE_VERSION);
}

/* ---- hosts come and go ---- */

static enum err_code welcome(
    struct turn *t, const struct workflow_config *c, const struct input *in, const struct host *h, struct err *reterr)
{
	struct brakes b;
	struct welcome *w = arena_alloc(turn_arena(t), sizeof *w);
	enum err_code rc = w ? brakes_get(t, &b, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	*w = (struct welcome){.version = MESSAGE_VERSION,
	    .controller = c->name,
	    .epoch = b.epoch,
	    .acknowledged = h->acknowledged,
	    .clock_ms = turn_now_ms(t),
	    .heartbeat_ms = c->fleet.heartbeat_ms,
	    .retry_ms = c->retry_ms,
	    .observing = b.observing,
	    .halted = b.halted};
	struct health_transitions moved = {0};
	if ((rc = frame_to(t, in->host, in->boot, FRAME_WELCOME, w, reterr)) != ERR_OK ||
	    (rc = health_on_hello(t, &c->health, in->host, &moved, reterr)) != ERR_OK ||
	    (rc = chain_on_transitions(t, c, &moved, reterr)) != ERR_OK ||
	    (rc = recovery_on_hello(t, in->host, reterr)) != ERR_OK)
		return rc;
	return chain_event(t, "host", (struct id){0}, SEVERITY_LOW, reterr, "%s is connected", in->host);
}

/* The host refuses this controller's orders until an operator has said whose count. */
static enum err_code epoch_ahead(
    struct turn *t, const struct workflow_config *c, const struct host *h, struct err *reterr)
{
	struct brakes b;
	uint32_t said;
	enum err_code rc = brakes_get(t, &b, reterr);
	if (rc != ERR_OK || h->epoch_seen <= b.epoch)
		return rc;
	rc = audit_note(t, &actor_controller, "host.epoch_ahead", "host", h->name, AUDIT_FAILED, reterr,
	    "it has obeyed epoch %llu, this controller's is %llu: it refuses our orders until `controller confirm`",
	    (unsigned long long)h->epoch_seen, (unsigned long long)b.epoch);
	if (rc != ERR_OK)
		return rc;
	return notify_about(t, &c->notify, NOTIFY_HOST, h->name, "epoch",
	    arena_printf(turn_arena(t),
		"host %s has obeyed another controller and refuses this one: `kedge controller confirm` if this is the one that counts",
		h->name),
	    &said, reterr);
}

/* Two machines with one identity: neither is believed any more. */
static enum err_code barred(struct turn *t, const struct workflow_config *c, const struct host *h, struct err *reterr)
{
	struct health_transitions moved = {0};
	uint32_t said;
	enum err_code rc =
	    close_host(t, h->name, h->boot, BYE_DUPLICATE_IDENTITY, "two agents use this identity", reterr);
	if (rc != ERR_OK ||
	    (rc = health_on_silent(t, &c->health, h->name, "two agents use its identity", &moved, reterr)) != ERR_OK ||
	    (rc = chain_on_transitions(t, c, &moved, reterr)) != ERR_OK)
		return rc;
	return notify_about(t, &c->notify, NOTIFY_HOST, h->name, "barred",
	    arena_printf(turn_arena(t), "host %s is barred: two agents use its identity", h->name), &said, reterr);
}

static enum err_code on_hello(
    struct turn *t, const struct workflow_config *c, const struct input *in, struct err *reterr)
{
	struct hello_outcome o;
	enum err_code rc = fleet_on_hello(t, &c->fleet, in->host, in->frame->hello, &o, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!id_is_zero(o.displaced) && (rc = close_host(t, in->host, o.displaced, BYE_DUPLICATE_IDENTITY,
					     "a newer run of this agent connected", reterr)) != ERR_OK)
		return rc;
	if (o.newly_barred && (rc = barred(t, c, &o.host, reterr)) != ERR_OK)
		return rc;
	uint32_t said;
	if (o.newly_skewed && (rc = notify_about(t, &c->notify, NOTIFY_HOST, in->host, "skewed",
				   arena_printf(turn_arena(t), "the clock of host %s is wrong by %lld s", in->host,
				       (long long)(o.host.skew_ms / 1000)),
				   &said, reterr)) != ERR_OK)
		return rc;
	if (o.epoch_rose && (rc = epoch_ahead(t, c, &o.host, reterr)) != ERR_OK)
		return rc;
	switch (o.result) {
	case HELLO_WELCOME:
		return welcome(t, c, in, &o.host, reterr);
	case HELLO_RIVAL:
		return close_host(
		    t, in->host, in->boot, BYE_DUPLICATE_IDENTITY, "another run of this agent is connected", reterr);
	case HELLO_BARRED:
		return close_host(t, in->host, in->boot, BYE_DUPLICATE_IDENTITY,
		    "barred until an operator decides: kedge host unbar", reterr);
	case HELLO_REVOKED:
		return close_host(t, in->host, in->boot, BYE_REVOKED, "this host's certificate is revoked", reterr);
	case HELLO_VERSION:
		return close_host(t, in->host, in->boot, BYE_VERSION, "no protocol version in common", reterr);
	case HELLO_RESULT_COUNT:
		break;
	}
	return err_set(reterr, ERR_INTERNAL, "unknown outcome of a hello");
}

/* ---- reports ---- */

static enum err_code on_health_report(
    struct turn *t, const struct workflow_config *c, const struct host *h, const struct report *r, struct err *reterr)
{
	struct health_transitions moved = {0};
	enum err_code rc = health_on_report(t, &c->health, h, r->at_ms, r->health, &moved, reterr);
	if (rc != ERR_OK || (rc = chain_on_transitions(t, c, &moved, reterr)) != ERR_OK ||
	    (rc = forecast_tell(t, c, &moved, reterr)) != ERR_OK)
		return rc;
	return chain_on_evidence(t, c, r->health->service, reterr);
}

static enum err_code on_host_report(
    struct turn *t, const struct workflow_config *c, const struct host *h, const struct report *r, struct err *reterr)
{
	struct health_transitions moved = {0};
	enum err_code rc = health_on_host_report(t, &c->health, h, r->at_ms, r->host, &moved, reterr);
	if (rc == ERR_OK)
		rc = recovery_on_reach(t, h, r->at_ms, r->host, reterr);
	if (rc == ERR_OK)
		rc = forecast_tell(t, c, &moved, reterr);
	return rc == ERR_OK ? chain_on_transitions(t, c, &moved, reterr) : rc;
}

static enum err_code on_snapshot_report(
    struct turn *t, const struct host *h, const struct report *r, struct err *reterr)
{
	struct incident i;
	bool open;
	enum err_code rc = incident_of_service(t, r->snapshot->service, &i, &open, reterr);
	if (rc != ERR_OK ||
	    (rc = fleet_on_snapshot(t, h, r->snapshot, open ? i.incident : (struct id){0}, reterr)) != ERR_OK)
		return rc;
	return chain_event(t, "host", r->snapshot->snapshot, SEVERITY_LOW, reterr, "snapshot of %s on %s%s",
	    r->snapshot->service, h->name,
	    r->snapshot->error     ? " failed"
	    : r->snapshot->removed ? " pruned"
				   : ""); /* the host's own words stay off the event stream */
}

static enum err_code on_drift_report(struct turn *t, const struct host *h, const struct report *r, struct err *reterr)
{
	enum err_code rc = fleet_on_drift(t, h, r->drift, reterr);
	return rc == ERR_OK ? chain_look_again(t, r->drift->service, reterr) : rc;
}

static bool has_news(const struct log_report *r)
{
	for (size_t i = 0; i < r->templates.count; i++)
		if (LIST_AT(r->templates, struct log_template, i).is_new)
			return true;
	return false;
}

static enum err_code on_log_report(struct turn *t, const struct host *h, const struct report *r, struct err *reterr)
{
	struct system_state system;
	enum err_code rc = system_get(t, &system, reterr);
	if (rc != ERR_OK ||
	    (system.low_space && !has_news(r->log))) /* mere counts are not worth the last of the disk */
		return rc;
	rc = diagnosis_on_log_report(t, h, r->log, reterr);
	return rc == ERR_OK ? chain_look_again(t, r->log->service, reterr) : rc;
}

static enum err_code on_order_report(
    struct turn *t, const struct workflow_config *c, const struct host *h, const struct report *r, struct err *reterr)
{
	struct rollback rollback;
	enum recovery_event event;
	enum err_code rc = recovery_on_order_report(t, &c->recovery, h->name, r->order, &rollback, &event, reterr);
	return rc == ERR_OK ? chain_on_recovery(t, c, &rollback, event, reterr) : rc;
}

static enum err_code on_notice(struct turn *t, const struct host *h, const struct report *r, struct err *reterr)
{
	struct actor who = actor_host(h->name);
	enum err_code rc = audit_note(t, &who, "host.notice", "host", h->name, AUDIT_DONE, reterr, "%s: %s",
	    r->notice->what, r->notice->text ? r->notice->text : "");
	return rc == ERR_OK ? chain_event(t, "host", (struct id){0}, (enum severity)r->notice->severity, reterr,
				  "%s: %s", h->name, r->notice->what)
			    : rc;
}

static enum err_code apply_report(
    struct turn *t, const struct workflow_config *c, const struct host *h, const struct report *r, struct err *reterr)
{
	enum err_code rc = practice_on_report(t, c, h, r, reterr);
	if (rc != ERR_OK)
		return rc;
	if (r->health)
		return on_health_report(t, c, h, r, reterr);
	if (r->host)
		return on_host_report(t, c, h, r, reterr);
	if (r->log)
		return on_log_report(t, h, r, reterr);
	if (r->drift)
		return on_drift_report(t, h, r, reterr);
	if (r->snapshot)
		return on_snapshot_report(t, h, r, reterr);
	if (r->order)
		return on_order_report(t, c, h, r, reterr);
	if (r->notice)
		return on_notice(t, h, r, reterr);
	if (r->drill)
		return recovery_on_drill(t, h, r->drill, reterr);
	return ERR_OK; /* a newer agent's kind of report: counted, not understood */
}

static enum err_code acknowledge(struct turn *t, const struct input *in, const struct host *h, struct err *reterr)
{
	struct ack *ack = arena_alloc(turn_arena(t), sizeof *ack);
	if (!ack)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	ack->sequence = h->acknowledged;
	return frame_to(t, in->host, in->boot, FRAME_ACK, ack, reterr);
}

static enum err_code out_of_order(struct turn *t, const struct input *in, const struct host *h, struct err *reterr)
{
	struct actor who = actor_host(in->host);
	unsigned long long came = in->frame->report->sequence, last = h->acknowledged;
	enum err_code rc = close_host(t, in->host, in->boot, BYE_OUT_OF_ORDER,
	    arena_printf(turn_arena(t), "report %llu came, %llu was the last", came, last), reterr);
	return rc == ERR_OK ? audit_note(t, &who, "report.refused", "host", in->host, AUDIT_REFUSED, reterr,
				  "out of order: report %llu after %llu", came, last)
			    : rc;
}

static enum err_code on_report(
    struct turn *t, const struct workflow_config *c, const struct input *in, struct err *reterr)
{
	enum report_result result;
	struct host h;
	enum err_code rc = fleet_on_report(t, in->host, in->boot, in->frame->report, &result, &h, reterr);
	if (rc != ERR_OK || result == REPORT_STRANGER)
		return rc;
	if (result == REPORT_GAP)
		return out_of_order(t, in, &h, reterr);
	if (result == REPORT_NEXT && (rc = apply_report(t, c, &h, in->frame->report, reterr)) != ERR_OK)
		return rc;
	return acknowledge(t, in, &h, reterr);
}

/* ---- certificates ---- */

/* Only the run of an agent that counts may renew: neither a rival, nor a host that is barred or revoked. */
static enum err_code may_renew(struct turn *t, const struct input *in, const char *host, struct err *reterr)
{
	struct host h;
	bool found;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc == ERR_OK && (!found || !fleet_host_usable(&h) || !id_equal(h.boot, in->boot)))
		rc = err_set(reterr, ERR_DENIED, "host %s may not renew its certificate: it is %s", host,
		    found ? enum_name(&host_state_enum, h.state) : "not known");
	return rc;
}

static enum err_code on_certificate_request(struct turn *t, const struct input *in, struct err *reterr)
{
	struct effect e = {.kind = EFFECT_SIGN,
	    .host = in->host,
	    .boot = in->boot,
	    .certificate_role = CERTIFICATE_HOST,
	    .text = in->frame->certificate_request->csr};
	struct actor who = actor_host(in->host);
	enum err_code rc = may_renew(t, in, in->host, reterr);
	if (rc == ERR_OK)
		rc = turn_emit(t, &e, reterr);
	return rc == ERR_OK ? audit_note(t, &who, "certificate.renew", "host", in->host, AUDIT_DONE, reterr,
				  "asks for a new certificate")
			    : rc;
}

static enum err_code on_signed(struct turn *t, const struct input *in, struct err *reterr)
{
	const struct signed_certificate *s = in->certificate;
	struct certificate *frame = arena_alloc(turn_arena(t), sizeof *frame);
	if (!frame)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*frame = in->code == ERR_OK ? (struct certificate){.chain = s->chain} : (struct certificate){.error = in->text};
	enum err_code rc =
	    s->token ? ERR_OK : may_renew(t, in, s->name, reterr); /* it may have been revoked meanwhile */
	if (rc == ERR_OK && in->code == ERR_OK) {
		struct issued_certificate c = {.serial = s->serial,
		    .role = s->role,
		    .name = s->name,
		    .issued_ms = turn_now_ms(t),
		    .not_after_ms = s->not_after_ms};
		rc = access_certificate_issued(t, &actor_controller, &c, reterr);
		if (rc == ERR_OK && s->role == CERTIFICATE_HOST && s->token)
			rc = fleet_host_add(t, s->name, reterr);
	}
	if (rc != ERR_OK)
		return rc;
	if (!s->token)
		return frame_to(t, s->name, in->boot, FRAME_CERTIFICATE, frame, reterr);
	struct effect e = {.kind = EFFECT_REPLY,
	    .token = s->token,
	    .code = in->code,
	    .reply_type = &certificate_type,
	    .reply = in->code == ERR_OK ? frame : NULL,
	    .text = in->text};
	return turn_emit(t, &e, reterr);
}

/* ---- the rest ---- */

static enum err_code on_progress(struct turn *t, const struct input *in, struct err *reterr)
{
	const struct progress *p = in->frame->progress;
	return chain_event(t, "order", p->order, SEVERITY_LOW, reterr, "%s on %s: %s %.0f %%",
	    p->service ? p->service : "?", in->host, p->text ? p->text : enum_name(&step_kind_enum, p->step),
	    p->percent);
}

static enum err_code on_silent(struct turn *t, const struct workflow_config *c, const char *host, struct err *reterr)
{
	struct health_transitions moved = {0};
	enum err_code rc = health_on_silent(t, &c->health, host, "the host is silent", &moved, reterr);
	return rc == ERR_OK ? chain_on_transitions(t, c, &moved, reterr) : rc;
}

/* What leans on it fails, and it says nothing. */
static enum err_code on_unheard(struct turn *t, const struct workflow_config *c, const char *host, struct err *reterr)
{
	struct health_transitions moved = {0};
	enum err_code rc = health_on_unheard(t, &c->health, host, &moved, reterr);
	return rc == ERR_OK ? chain_on_transitions(t, c, &moved, reterr) : rc;
}

/* Into the log and to whoever watches: a copy that a later rewriting of the store does not reach. */
static enum err_code checkpoint_said(struct turn *t, const struct audit_checkpoint *made, struct err *reterr)
{
	char root[2 * sizeof made->root.b + 1];
	return chain_event(t, "audit", (struct id){0}, SEVERITY_LOW, reterr, "checkpoint %llu:%s",
	    (unsigned long long)made->size, text_hex(made->root.b, sizeof made->root.b, root));
}

static enum err_code on_timer(
    struct turn *t, const struct workflow_config *c, const struct timer *timer, struct err *reterr)
{
	bool mine = text_equal(timer->kind, FLEET_TIMER_SILENT), silent;
	enum err_code rc;
	if (mine) {
		rc = fleet_on_timer(t, &c->fleet, timer, &silent, reterr);
		return rc == ERR_OK && silent ? on_silent(t, c, timer->name, reterr) : rc;
	}
	if (text_equal(timer->kind, FLEET_TIMER_WORD)) {
		rc = fleet_on_word_due(t, timer, &silent, reterr);
		return rc == ERR_OK && silent ? on_unheard(t, c, timer->name, reterr) : rc;
	}
	struct health_transitions moved = {0};
	if ((rc = health_on_timer(t, &c->health, timer, &moved, &mine, reterr)) != ERR_OK || mine)
		return rc == ERR_OK ? chain_on_transitions(t, c, &moved, reterr) : rc;
	struct incident i;
	enum incident_event happened;
	if ((rc = incident_on_timer(t, &c->incident, timer, &i, &happened, &mine, reterr)) != ERR_OK || mine)
		return rc == ERR_OK ? chain_on_incident(t, c, &i, happened, reterr) : rc;
	struct rollback r;
	enum recovery_event event;
	if ((rc = recovery_on_timer(t, &c->recovery, timer, &r, &event, &mine, reterr)) != ERR_OK || mine)
		return rc == ERR_OK ? chain_on_recovery(t, c, &r, event, reterr) : rc;
	if ((rc = change_on_timer(t, timer, &mine, reterr)) != ERR_OK || mine)
		return rc;
	if ((rc = chain_on_timer(t, timer, &mine, reterr)) != ERR_OK || mine)
		return rc;
	struct audit_checkpoint made;
	if ((rc = audit_on_timer(t, timer, &made, &mine, reterr)) != ERR_OK || mine)
		return rc == ERR_OK && made.size ? checkpoint_said(t, &made, reterr) : rc;
	if ((rc = notify_on_timer(t, &c->notify, timer, &mine, reterr)) != ERR_OK || mine)
		return rc;
	if ((rc = practice_on_timer(t, c, timer, &mine, reterr)) != ERR_OK || mine)
		return rc;
	return err_set(reterr, ERR_INTERNAL, "a timer of kind %s belongs to nobody", timer->kind);
}

/* The store's disk is nearly full, or no longer. */
static enum err_code on_space(struct turn *t, const struct workflow_config *c, bool low, struct err *reterr)
{
	bool news;
	uint32_t said;
	enum err_code rc = system_low_space(t, low, &news, reterr);
	if (rc != ERR_OK || !news)
		return rc;
	rc = audit_note(t, &actor_controller, low ? "controller.disk_low" : "controller.disk_enough", "controller",
	    c->name, AUDIT_DONE, reterr, "%s",
	    low ? "the disk of the store is nearly full: new work is refused, what is under way goes on"
		: "the disk of the store has room again");
	if (rc != ERR_OK ||
	    (rc = chain_event(t, "controller", (struct id){0}, low ? SEVERITY_CRITICAL : SEVERITY_LOW, reterr, "%s",
		 low ? "the disk of the store is nearly full" : "the disk of the store has room again")) != ERR_OK ||
	    !low)
		return rc;
	return notify_about(t, &c->notify, NOTIFY_STOPPED, "disk",
	    arena_printf(turn_arena(t), "%llu", (unsigned long long)turn_now_ms(t)),
	    "new work is refused: the disk of the controller's store is nearly full", &said, reterr);
}

static enum err_code on_refused(struct turn *t, const struct input *in, struct err *reterr)
{
	struct actor who = in->host ? actor_host(in->host) : (struct actor){AUDIT_ANONYMOUS, NULL, NULL};
	return audit_note(t, &who, "connection.refused", "connection", in->host ? in->host : "unknown", AUDIT_REFUSED,
	    reterr, "%s", in->text);
}

enum err_code workflow_apply(
    struct turn *t, const struct workflow_config *c, const struct input *in, struct err *reterr)
{
	switch (in->kind) {
	case INPUT_BOOT:
		return on_boot(t, c, reterr);
	case INPUT_HELLO:
		return on_hello(t, c, in, reterr);
	case INPUT_REPORT:
		return on_report(t, c, in, reterr);
	case INPUT_PROGRESS:
		return on_progress(t, in, reterr);
	case INPUT_CERTIFICATE_REQUEST:
		return on_certificate_request(t, in, reterr);
	case INPUT_GONE:
		return fleet_on_gone(t, &c->fleet, in->host, in->boot, reterr);
	case INPUT_REFUSED:
		return on_refused(t, in, reterr);
	case INPUT_TIMER:
		return on_timer(t, c, in->timer, reterr);
	case INPUT_REQUEST:
		return request_apply(t, c, in->request, reterr);
	case INPUT_DELIVERED:
		return notify_on_delivered(t, &c->notify, in->id, in->code, in->text, reterr);
	case INPUT_DIAGNOSED:
		return chain_on_diagnosis(t, c, in->diagnosis, reterr);
	case INPUT_SIGNED:
		return on_signed(t, in, reterr);
	case INPUT_SPACE:
		return on_space(t, c, in->code == ERR_FULL, reterr);
	case INPUT_SUMMARISED:
		return incident_summarise(t, in->id, in->text, in->by, reterr);
	case INPUT_KIND_COUNT:
		break;
	}
	return err_set(reterr, ERR_INTERNAL, "unknown kind of input");
}

/* ---- refusals ---- */

static enum err_code refused_request(struct turn *t, const struct request *r, const struct err *why, struct err *reterr)
{
	struct actor who = actor_operator(r->operator_name, r->address);
	struct effect e = {.kind = EFFECT_REPLY, .token = r->token, .code = why->code, .text = why->msg};
	if (!r->operator_name)
		who.kind = AUDIT_ANONYMOUS;
	enum err_code rc = turn_emit(t, &e, reterr);
	if (rc != ERR_OK)
		return rc;
	return audit_note(t, &who, arena_printf(turn_arena(t), "%.30s.%.30s", r->noun, r->verb), "request", r->noun,
	    AUDIT_REFUSED, reterr, "%.400s", why->msg);
}

/* Would the same report be refused again?  Then it is counted and never asked for again, or it would block its host for
 * ever. */
static bool is_lasting(enum err_code code)
{
	return code != ERR_NOMEM && code != ERR_IO && code != ERR_FULL && code != ERR_BUSY && code != ERR_TIMEOUT;
}

static enum err_code refused_report(struct turn *t, const struct input *in, const struct err *why, struct err *reterr)
{
	struct host h;
	enum report_result result;
	if (!is_lasting(why->code))
		return close_host(t, in->host, in->boot, BYE_OVERLOAD, why->msg, reterr);
	enum err_code rc = fleet_on_report(t, in->host, in->boot, in->frame->report, &result, &h, reterr);
	if (rc == ERR_OK && result == REPORT_NEXT)
		rc = acknowledge(t, in, &h, reterr);
	if (rc == ERR_OK && why->code == ERR_DENIED)
		rc = close_host(t, in->host, in->boot, BYE_WRONG_IDENTITY, why->msg, reterr);
	return rc;
}

enum err_code workflow_refused(
    struct turn *t, const struct workflow_config *c, const struct input *in, const struct err *why, struct err *reterr)
{
	(void)c;
	enum err_code rc = ERR_OK;
	struct actor who = in->host ? actor_host(in->host) : actor_controller;
	if (in->kind == INPUT_REQUEST)
		return refused_request(t, in->request, why, reterr);
	if (in->kind == INPUT_SIGNED && in->certificate->token) { /* somebody waits for it */
		struct effect e = {
		    .kind = EFFECT_REPLY, .token = in->certificate->token, .code = why->code, .text = why->msg};
		rc = turn_emit(t, &e, reterr);
	}
	if (rc == ERR_OK && in->kind == INPUT_REPORT)
		rc = refused_report(t, in, why, reterr);
	else if (rc == ERR_OK && in->host && in->kind != INPUT_GONE && in->kind != INPUT_REFUSED)
		rc = close_host(
		    t, in->host, in->boot, is_lasting(why->code) ? BYE_MALFORMED : BYE_OVERLOAD, why->msg, reterr);
	return rc == ERR_OK ? audit_note(t, &who, "input.refused", "input", in->host ? in->host : "center",
				  AUDIT_REFUSED, reterr, "%.400s", why->msg)
			    : rc;
}
