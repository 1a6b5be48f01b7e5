/* controller/notify/notify.c: what is said, to whom it may be said now, and when to be silent. */
#include "controller/notify/notify.h"

#include <string.h>

#include "controller/notify/internal.h"
#include "shared/base/text.h"

bool notify_is_page(enum notify_event e)
{
	return e <= NOTIFY_FAILED;
}

/* Is it told to those who have the incident already, once, rather than paged? */
static bool asks_anew(enum notify_event e)
{
	return e == NOTIFY_APPROVAL || e == NOTIFY_STOPPED || e == NOTIFY_FAILED;
}

enum err_code notify_muted_until(struct turn *t, const struct incident *i, uint64_t *ret_until_ms, struct err *reterr)
{
	uint64_t until;
	enum err_code rc = health_maintenance_until(t, i->service, NULL, &until, reterr);
	if (rc != ERR_OK)
		return rc;
	uint64_t soonest = 0;
	for (size_t k = 0; until == 0 && k < i->failing.count; k++) {
		uint64_t one;
		rc = health_maintenance_until(t, i->service, LIST_AT(i->failing, const char *, k), &one, reterr);
		if (rc != ERR_OK)
			return rc;
		if (one == 0) {
			soonest = 0;
			break;
		}
		if (soonest == 0 || one < soonest)
			soonest = one;
	}
	*ret_until_ms = until ? until : soonest;
	return ERR_OK;
}

static const char *cut_detail(struct turn *t, const char *detail)
{
	char *out = arena_alloc(turn_arena(t), NOTIFY_DETAIL_MAX + 1);
	if (out)
		text_copy(out, NOTIFY_DETAIL_MAX + 1, detail ? detail : "");
	return out;
}

/* Told once: to the first level that reaches anybody. */
static enum err_code tell_once(
    struct turn *t, const struct notify_config *c, struct message *m, uint32_t *ret_said, struct err *reterr)
{
	uint32_t reached = 0;
	for (m->level = 0; m->level < notify_level_count(c) && reached == 0; m->level++) {
		uint32_t said;
		enum err_code rc = message_say_level(t, c, m, &reached, &said, reterr);
		if (rc != ERR_OK)
			return rc;
		*ret_said += said;
	}
	if (reached > 0)
		return ERR_OK;
	return audit_note(t, &actor_controller, "notify.nobody", m->incident ? "incident" : "notification", m->object,
	    AUDIT_FAILED, reterr, "%s: nobody can be reached", enum_name(&notify_event_enum, m->event));
}

/* A service often fails before what it leans on is seen to fail: its page waits a moment for the cause (P33). */
static enum err_code hold(
    struct turn *t, const struct notify_config *c, const struct incident *i, uint64_t *ret_ms, struct err *reterr)
{
	struct list leans_on;
	enum err_code rc = fleet_dependencies(t, i->service, &leans_on, reterr);
	if (rc == ERR_OK)
		*ret_ms = leans_on.count > 0 ? c->hold_ms : 0;
	return rc;
}

enum err_code notify_incident(struct turn *t, const struct notify_config *c, const struct incident *i,
    enum notify_event event, const char *detail, uint32_t *ret_said, struct err *reterr)
{
	uint64_t muted;
	struct message m = {
	    .incident = i,
	    .object = arena_strdup(turn_arena(t), id_text(ID_INCIDENT, i->incident)),
	    .event = event,
	    .detail = cut_detail(t, detail),
	};
	*ret_said = 0;
	if (!m.object || !m.detail)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	enum err_code rc = notify_muted_until(t, i, &muted, reterr);
	if (rc != ERR_OK)
		return rc;
	bool taken = i->acknowledged_ms != 0;
	if (!id_is_zero(i->suppressed_by))
		m.why = "explained by another incident";
	else if (muted)
		m.why = "maintenance";
	else if (taken && (event == NOTIFY_OPENED || event == NOTIFY_RELAPSED))
		m.why = "acknowledged";
	m.suppressed = m.why != NULL;
	if (taken && (event == NOTIFY_WORSENED || event == NOTIFY_OVERDUE))
		m.event = NOTIFY_CHANGED;
	rc = message_write(t, c, NULL, &m, reterr);
	if (rc == ERR_OK && event == NOTIFY_OPENED)
		rc = hold(t, c, i, &m.hold_ms, reterr);
	if (rc != ERR_OK)
		return rc;
	bool climbs = notify_is_page(m.event) && !m.suppressed && !(taken && asks_anew(m.event)) && incident_is_open(i);
	return climbs ? escalation_say(t, c, &m, ret_said, reterr) : tell_once(t, c, &m, ret_said, reterr);
}

enum err_code notify_about(struct turn *t, const struct notify_config *c, enum notify_event event, const char *object,
    const char *detail, const char *subject, uint32_t *ret_said, struct err *reterr)
{
	struct message m = {.object = object, .event = event, .detail = cut_detail(t, detail)};
	*ret_said = 0;
	if (!m.detail)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	enum err_code rc = message_write(t, c, subject, &m, reterr);
	return rc == ERR_OK ? tell_once(t, c, &m, ret_said, reterr) : rc;
}

/* Pages that wait only for the answer which has come. */
static bool answered(const struct notification *n)
{
	return n->state == NOTIFICATION_PENDING && notify_is_page((enum notify_event)n->event) &&
	       !asks_anew((enum notify_event)n->event);
}

enum err_code notify_silence(struct turn *t, struct id incident, const char *why, struct err *reterr)
{
	struct notification like = {.incident = incident};
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct notification n;
	enum err_code rc = escalation_end(t, incident, reterr);
	if (rc == ERR_OK)
		rc = turn_scan_index(t, &notification_table, "incident", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &n, &rc, reterr)) {
		if (answered(&n))
			rc = send_stop(t, &n, NOTIFICATION_SUPPRESSED, why, reterr);
	}
	return rc;
}

enum err_code notify_on_timer(
    struct turn *t, const struct notify_config *c, const struct timer *timer, bool *ret_mine, struct err *reterr)
{
	bool climb = strcmp(timer->kind, NOTIFY_TIMER_ESCALATE) == 0,
	     send = strcmp(timer->kind, NOTIFY_TIMER_SEND) == 0;
	*ret_mine = climb || send;
	if (climb)
		return escalation_due(t, c, timer->id, reterr);
	return send ? send_due(t, c, timer->id, reterr) : ERR_OK;
}
