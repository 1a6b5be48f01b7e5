/* controller/incident/timer.c: nothing waits for ever: each deadline ends in an escalation or a named end. */
#include <inttypes.h>
#include <string.h>

#include "controller/incident/internal.h"

static enum err_code overdue(struct turn *t, const struct incident_config *c, struct incident *i,
    enum incident_event *ret_event, struct err *reterr)
{
	if (!incident_is_open(i))
		return ERR_OK;
	i->overdue++;
	*ret_event = id_is_zero(i->suppressed_by) ? INCIDENT_OVERDUE : INCIDENT_NOTHING;
	enum err_code rc = incident_say(t, i, &actor_controller, 0, "overdue", reterr, "%s for too long, time %u",
	    enum_name(&incident_state_enum, i->state), i->overdue);
	if (rc == ERR_OK)
		rc = incident_deadline(t, c, i, reterr);
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

static enum err_code released(struct turn *t, struct incident *i, enum incident_event *ret_event, struct err *reterr)
{
	if (!incident_is_open(i) || id_is_zero(i->suppressed_by))
		return ERR_OK;
	struct incident parent;
	bool found;
	enum err_code rc = incident_get(t, i->suppressed_by, &parent, &found, reterr);
	if (rc != ERR_OK || (found && incident_is_open(&parent)))
		return rc; /* the cause is back: its end sets this timer again */
	rc = incident_cause(t, i, &i->suppressed_by, reterr);
	if (rc == ERR_OK && id_is_zero(i->suppressed_by)) {
		*ret_event = i->failing.count > 0 ? INCIDENT_RELEASED : INCIDENT_NOTHING;
		rc = incident_say(
		    t, i, &actor_controller, 0, "cause", reterr, "still failing after its cause was resolved");
	}
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

static enum err_code review_due(struct turn *t, const struct incident_config *c, struct incident *i,
    enum incident_event *ret_event, struct err *reterr)
{
	if (i->state != INCIDENT_RESOLVED)
		return ERR_OK;
	enum err_code rc;
	if (i->reminders >= INCIDENT_REMINDERS_MAX) {
		*ret_event = INCIDENT_ENDED;
		rc = incident_enter(t, c, &actor_controller, i, INCIDENT_CLOSED, reterr);
		if (rc == ERR_OK)
			rc = incident_audit(t, &actor_controller, "incident.close", i, reterr,
			    "INC-%" PRIu64 ": nobody reviewed it after %u reminders", i->number, i->reminders);
	} else {
		i->reminders++;
		*ret_event = INCIDENT_REVIEW_DUE;
		rc = incident_say(t, i, &actor_controller, 0, "review", reterr, "the review is due");
		if (rc == ERR_OK)
			rc = turn_timer_set(
			    t, INCIDENT_TIMER_REVIEW, i->incident, NULL, turn_now_ms(t) + c->review_ms, reterr);
	}
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

enum err_code incident_on_timer(struct turn *t, const struct incident_config *c, const struct timer *timer,
    struct incident *ret, enum incident_event *ret_event, bool *ret_mine, struct err *reterr)
{
	bool state = strcmp(timer->kind, INCIDENT_TIMER_STATE) == 0,
	     prove = strcmp(timer->kind, INCIDENT_TIMER_PROVE) == 0;
	bool release = strcmp(timer->kind, INCIDENT_TIMER_RELEASE) == 0;
	bool review = strcmp(timer->kind, INCIDENT_TIMER_REVIEW) == 0;
	bool summary = strcmp(timer->kind, INCIDENT_TIMER_SUMMARY) == 0;
	struct incident i;
	bool found;
	*ret_mine = state || prove || release || review || summary;
	*ret_event = INCIDENT_NOTHING;
	if (!*ret_mine)
		return ERR_OK;
	enum err_code rc = incident_get(t, timer->id, &i, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	if (state)
		rc = overdue(t, c, &i, ret_event, reterr);
	else if (release)
		rc = released(t, &i, ret_event, reterr);
	else if (summary)
		rc = incident_summary_due(t, c, &i, reterr);
	else if (review)
		rc = review_due(t, c, &i, ret_event, reterr);
	else if (incident_is_open(&i) && i.failing.count == 0 && i.healthy_since_ms)
		*ret_event = INCIDENT_PROVEN;
	if (rc == ERR_OK && *ret_event != INCIDENT_NOTHING)
		*ret = i;
	return rc;
}
