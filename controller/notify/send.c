/* controller/notify/send.c: from a record to a delivery that is known: tries, answers, the next channel. */
#include <string.h>

#include "controller/audit/event.h"
#include "controller/notify/internal.h"
#include "shared/base/text.h"

static enum err_code notification_get(
    struct turn *t, struct id id, struct notification *ret, bool *ret_found, struct err *reterr)
{
	struct notification key = {.notification = id};
	return turn_get(t, &notification_table, &key, ret, ret_found, reterr);
}

/* Both records and the timer: looked at again at due_ms. */
static enum err_code wait_for(
    struct turn *t, struct notification *n, struct outbox *o, uint64_t due_ms, struct err *reterr)
{
	n->next_attempt_ms = o->due_ms = due_ms;
	enum err_code rc = turn_put(t, &notification_table, n, reterr);
	if (rc == ERR_OK)
		rc = turn_put(t, &outbox_table, o, reterr);
	return rc == ERR_OK ? turn_timer_set(t, NOTIFY_TIMER_SEND, n->notification, NULL, due_ms, reterr) : rc;
}

/* Records first, then the effect; the timer finds out when the outbox never answers. */
static enum err_code attempt(struct turn *t, struct notification *n, struct outbox *o, struct err *reterr)
{
	n->attempts = ++o->attempts;
	enum err_code rc = wait_for(t, n, o, turn_now_ms(t) + NOTIFY_ANSWER_MS, reterr);
	if (rc == ERR_OK)
		rc = turn_emit(t, &(struct effect){.kind = EFFECT_NOTIFY, .id = n->notification}, reterr);
	return rc;
}

enum err_code send_begin(struct turn *t, const struct notify_channel *ch, struct notification *n, const char *payload,
    uint64_t hold_ms, struct err *reterr)
{
	struct outbox o = {
	    .notification = n->notification,
	    .channel = ch->name,
	    .kind = ch->kind,
	    .recipient = n->recipient,
	    .subject = n->subject,
	    .body = n->body,
	    .payload = payload, /* mail too: the channel that takes over when mail fails may want it */
	};
	n->state = NOTIFICATION_PENDING;
	return hold_ms ? wait_for(t, n, &o, turn_now_ms(t) + hold_ms, reterr) : attempt(t, n, &o, reterr);
}

enum err_code send_stop(
    struct turn *t, struct notification *n, enum notification_state state, const char *why, struct err *reterr)
{
	struct outbox key = {.notification = n->notification};
	n->state = state;
	n->next_attempt_ms = 0;
	if (why)
		n->error = why;
	enum err_code rc = turn_put(t, &notification_table, n, reterr);
	if (rc == ERR_OK)
		rc = turn_delete(t, &outbox_table, &key, reterr);
	return rc == ERR_OK ? turn_timer_clear(t, NOTIFY_TIMER_SEND, n->notification, NULL, reterr) : rc;
}

/* Was the channel tried for this message already?  Walks back over what this one replaces. */
static enum err_code tried(
    struct turn *t, const struct notification *n, const char *channel, bool *ret, struct err *reterr)
{
	struct notification at = *n;
	bool found = true;
	*ret = false;
	for (unsigned steps = 0; found && steps < NOTIFY_CHAIN_MAX; steps++) {
		*ret |= strcmp(at.channel, channel) == 0;
		if (id_is_zero(at.instead_of))
			break;
		enum err_code rc = notification_get(t, at.instead_of, &at, &found, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err_code next_channel(struct turn *t, const struct notify_config *c, const struct notification *n,
    const struct notify_channel **ret, struct err *reterr)
{
	*ret = NULL;
	for (size_t i = 0; i < c->channels.count && !*ret; i++) {
		const struct notify_channel *ch = &LIST_AT(c->channels, struct notify_channel, i);
		bool used;
		enum err_code rc = tried(t, n, ch->name, &used, reterr);
		if (rc != ERR_OK)
			return rc;
		if (!used && notify_channel_reaches(ch, NULL))
			*ret = ch;
	}
	return ERR_OK;
}

static enum err_code say_instead(struct turn *t, const struct notify_channel *ch, const struct notification *n,
    const char *payload, struct err *reterr)
{
	struct notification other = *n;
	other.notification = turn_id(t);
	other.instead_of = n->notification;
	other.channel = ch->name;
	other.recipient = ch->to;
	other.attempts = 0;
	other.error = NULL;
	other.created_ms = turn_now_ms(t);
	other.key = arena_printf(turn_arena(t), "instead/%s/%s", id_text(ID_NOTIFICATION, n->notification), ch->name);
	if (!other.key)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	return send_begin(t, ch, &other, payload, 0, reterr);
}

/* Every attempt failed: say so, and try another way. */
static enum err_code give_up(
    struct turn *t, const struct notify_config *c, struct notification *n, const char *payload, struct err *reterr)
{
	const struct notify_channel *ch;
	const char *id = arena_strdup(turn_arena(t), id_text(ID_NOTIFICATION, n->notification));
	enum err_code rc = send_stop(t, n, NOTIFICATION_FAILED, NULL, reterr);
	if (rc == ERR_OK)
		rc = next_channel(t, c, n, &ch, reterr);
	if (rc == ERR_OK)
		rc = audit_note(t, &actor_controller, "notify.failed", "notification", id, AUDIT_FAILED, reterr,
		    "%s could not be reached by %s after %u attempts; %s", n->recipient ? n->recipient : "the receiver",
		    n->channel, n->attempts, ch ? "another channel is tried" : "there is no other channel");
	if (rc != ERR_OK)
		return rc;
	if (ch)
		return say_instead(t, ch, n, payload, reterr);
	return event_tell(t, "notification", NULL, SEVERITY_CRITICAL, reterr,
	    "a notification cannot be delivered by any channel: %s", n->subject);
}

/* A page whose incident was answered meanwhile is not tried again. */
static enum err_code still_wanted(struct turn *t, const struct notification *n, bool *ret, struct err *reterr)
{
	struct incident i;
	bool found;
	*ret = true;
	if (id_is_zero(n->incident) || n->event > NOTIFY_OVERDUE)
		return ERR_OK;
	enum err_code rc = incident_get(t, n->incident, &i, &found, reterr);
	if (rc == ERR_OK && found)
		*ret = incident_is_open(&i) && !i.acknowledged_ms && id_is_zero(i.suppressed_by);
	return rc;
}

/* Its cause may show at any moment: what it leans on was asked how it is and has not said. */
static enum err_code is_to_wait(
    struct turn *t, const struct notification *n, const struct outbox *o, bool *ret, struct err *reterr)
{
	struct incident i;
	struct list leans_on = {0};
	bool found = false;
	*ret = false;
	if (n->event != NOTIFY_OPENED || o->attempts || turn_now_ms(t) >= n->created_ms + HEALTH_LOOK_ANSWER_MAX_MS)
		return ERR_OK;
	enum err_code rc = incident_get(t, n->incident, &i, &found, reterr);
	if (rc == ERR_OK && found)
		rc = fleet_dependencies(t, i.service, &leans_on, reterr);
	for (size_t k = 0; rc == ERR_OK && !*ret && k < leans_on.count; k++)
		rc = health_is_asked(t, LIST_AT(leans_on, const char *, k), ret, reterr);
	return rc;
}

enum err_code send_due(struct turn *t, const struct notify_config *c, struct id notification, struct err *reterr)
{
	struct notification n;
	struct outbox o = {.notification = notification};
	bool found, queued, wanted, waits;
	enum err_code rc = notification_get(t, notification, &n, &found, reterr);
	if (rc == ERR_OK)
		rc = turn_get(t, &outbox_table, &o, &o, &queued, reterr);
	if (rc != ERR_OK || !found || !queued)
		return rc;
	rc = still_wanted(t, &n, &wanted, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!wanted)
		return send_stop(t, &n, NOTIFICATION_SUPPRESSED, "answered before it could be sent", reterr);
	if (o.attempts >= NOTIFY_ATTEMPTS_MAX)
		return give_up(t, c, &n, o.payload, reterr);
	if ((rc = is_to_wait(t, &n, &o, &waits, reterr)) != ERR_OK)
		return rc;
	return waits ? wait_for(t, &n, &o, turn_now_ms(t) + NOTIFY_CAUSE_MS, reterr) : attempt(t, &n, &o, reterr);
}

static enum err_code delivered(struct turn *t, struct notification *n, struct err *reterr)
{
	n->sent_ms = turn_now_ms(t);
	n->error = NULL;
	return send_stop(t, n, NOTIFICATION_SENT, NULL, reterr);
}

static enum err_code failed(struct turn *t, const struct notify_config *c, struct notification *n, struct outbox *o,
    const char *text, struct err *reterr)
{
	char *why = arena_alloc(turn_arena(t), TEXT_LINE_MAX + 1);
	if (!why)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	text_copy(why, TEXT_LINE_MAX + 1, text ? text : "no reason given");
	n->error = why;
	if (o->attempts >= NOTIFY_ATTEMPTS_MAX)
		return give_up(t, c, n, o->payload, reterr);
	uint64_t wait = (uint64_t)NOTIFY_RETRY_MS << (o->attempts > 0 ? o->attempts - 1 : 0);
	return wait_for(t, n, o, turn_now_ms(t) + wait + random_below(turn_random(t), wait / 4 + 1), reterr);
}

enum err_code notify_on_delivered(struct turn *t, const struct notify_config *c, struct id notification,
    enum err_code code, const char *text, struct err *reterr)
{
	struct notification n;
	struct outbox o = {.notification = notification};
	bool found, queued;
	enum err_code rc = notification_get(t, notification, &n, &found, reterr);
	if (rc == ERR_OK)
		rc = turn_get(t, &outbox_table, &o, &o, &queued, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	if (code == ERR_OK) /* also when it was called back meanwhile: the truth is that it went out */
		return n.state == NOTIFICATION_SENT ? ERR_OK : delivered(t, &n, reterr);
	return queued ? failed(t, c, &n, &o, text, reterr) : ERR_OK;
}

/* An attempt that a restart cut short is not counted against it. */
static enum err_code boot_one(struct turn *t, struct outbox *o, struct err *reterr)
{
	struct notification n;
	bool found, wanted;
	enum err_code rc = notification_get(t, o->notification, &n, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	rc = still_wanted(t, &n, &wanted, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!wanted)
		return send_stop(t, &n, NOTIFICATION_SUPPRESSED, "answered before it could be sent", reterr);
	o->attempts -= o->attempts > 0;
	return attempt(t, &n, o, reterr);
}

enum err_code notify_on_boot(struct turn *t, const struct notify_config *c, struct err *reterr)
{
	(void)c;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct outbox o;
	enum err_code rc = turn_scan_key(t, &outbox_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &o, &rc, reterr))
		rc = boot_one(t, &o, reterr);
	return rc;
}
