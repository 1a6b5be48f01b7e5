/* controller/incident/act.c: what people and the chain do with an incident. */
#include <inttypes.h>
#include <string.h>

#include "controller/incident/internal.h"

static enum err_code wrong_state(const struct incident *i, const char *wish, struct err *reterr)
{
	return err_set(reterr, ERR_STATE, "INC-%" PRIu64 " is %s: it cannot be %s", i->number,
	    enum_name(&incident_state_enum, i->state), wish);
}

static enum err_code need_open(
    struct turn *t, struct id incident, const char *wish, struct incident *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc == ERR_OK && !incident_is_open(&i))
		rc = wrong_state(&i, wish, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_open(struct turn *t, const struct incident_config *c, const struct actor *who,
    const char *service, enum severity severity, const char *title, struct incident *ret, struct err *reterr)
{
	bool found;
	uint64_t now = turn_now_ms(t);
	enum err_code rc = incident_of_service(t, service, ret, &found, reterr);
	if (rc == ERR_OK && found)
		rc = err_set(reterr, ERR_EXISTS, "%s has INC-%" PRIu64 " open: add a note there", service, ret->number);
	if (rc != ERR_OK)
		return rc;
	struct incident i = {
	    .incident = turn_id(t),
	    .severity = severity,
	    .service = service,
	    .title = title,
	    .fault_ms = now,
	    .opened_ms = now,
	    .state_since_ms = now,
	};
	rc = turn_number(t, "incident", &i.number, reterr);
	if (rc == ERR_OK)
		rc =
		    incident_say(t, &i, who, 0, "opened", reterr, "%s: %s", enum_name(&severity_enum, severity), title);
	if (rc == ERR_OK)
		rc = incident_deadline(t, c, &i, reterr);
	if (rc == ERR_OK)
		rc = incident_audit(t, who, "incident.open", &i, reterr, "INC-%" PRIu64 " %s: %s", i.number,
		    enum_name(&severity_enum, severity), title);
	if (rc == ERR_OK)
		rc = incident_save(t, &i, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_acknowledge(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, struct incident *ret, bool *ret_first, struct err *reterr)
{
	struct incident i;
	enum err_code rc = need_open(t, incident, "acknowledged", &i, reterr);
	if (rc != ERR_OK)
		return rc;
	bool first = i.acknowledged_ms == 0;
	if (first) {
		i.acknowledged_ms = turn_now_ms(t);
		i.acknowledged_by = actor_text(t, who);
		if (!i.owner)
			i.owner = who->name;
		rc = incident_say(t, &i, who, 0, "acknowledged", reterr, "paging ends");
		if (rc == ERR_OK && i.state == INCIDENT_DETECTED)
			rc = incident_enter(t, c, who, &i, INCIDENT_ACKNOWLEDGED, reterr);
		if (rc == ERR_OK)
			rc = incident_audit(t, who, "incident.acknowledge", &i, reterr, "INC-%" PRIu64, i.number);
		if (rc == ERR_OK)
			rc = incident_save(t, &i, reterr);
	}
	if (rc != ERR_OK)
		return rc;
	*ret = i;
	*ret_first = first;
	return ERR_OK;
}

enum err_code incident_assign(struct turn *t, const struct actor *who, struct id incident, const char *owner,
    struct incident *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc == ERR_OK && i.state == INCIDENT_CLOSED)
		rc = wrong_state(&i, "given to anybody", reterr);
	if (rc != ERR_OK)
		return rc;
	i.owner = owner;
	rc = incident_say(t, &i, who, 0, "assigned", reterr, "to %s", owner);
	if (rc == ERR_OK)
		rc = incident_audit(t, who, "incident.assign", &i, reterr, "INC-%" PRIu64 " to %s", i.number, owner);
	if (rc == ERR_OK)
		rc = incident_save(t, &i, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

/* Move an open incident on (or not, when it is there or may not go back), say why, save. */
static enum err_code step(struct turn *t, const struct incident_config *c, const struct actor *who, struct incident *i,
    enum incident_state to, const char *action, const char *why, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (incident_move_allowed((enum incident_state)i->state, to))
		rc = incident_enter(t, c, who, i, to, reterr);
	if (rc == ERR_OK)
		rc = incident_audit(
		    t, who, action, i, reterr, "INC-%" PRIu64 "%s%s", i->number, why ? ": " : "", why ? why : "");
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

enum err_code incident_investigate(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, const char *why, struct incident *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = need_open(t, incident, "investigated; reopen it", &i, reterr);
	if (rc == ERR_OK && i.state != INCIDENT_INVESTIGATING)
		rc = step(t, c, who, &i, INCIDENT_INVESTIGATING, "incident.investigate", why, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_identify(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, struct id diagnosis, const char *cause, struct incident *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc == ERR_OK && i.state == INCIDENT_CLOSED)
		rc = wrong_state(&i, "identified", reterr);
	if (rc != ERR_OK)
		return rc;
	if (!id_is_zero(diagnosis))
		i.diagnosis = diagnosis;
	i.identified_by = actor_text(t, who);
	rc = incident_say(t, &i, who, 0, "diagnosis", reterr, "%s", cause ? cause : "a cause is named");
	/* A diagnosis that comes after the remedy began, or after the end, is kept and moves nothing. */
	if (rc == ERR_OK)
		rc = step(t, c, who, &i, INCIDENT_IDENTIFIED, "incident.identify", cause, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_resolving(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, struct id change, struct id rollback, struct incident *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = need_open(t, incident, "worked on; reopen it", &i, reterr);
	if (rc == ERR_OK)
		rc = list_add_id(t, &i.changes, change, INCIDENT_LINKS_MAX, reterr);
	if (rc == ERR_OK)
		rc = list_add_id(t, &i.rollbacks, rollback, INCIDENT_LINKS_MAX, reterr);
	if (rc == ERR_OK)
		rc = step(t, c, who, &i, INCIDENT_RESOLVING, "incident.resolving", NULL, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_resolve(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, const char *resolution, struct incident *ret, struct err *reterr)
{
	struct incident i;
	enum err_code rc = need_open(t, incident, "resolved again", &i, reterr);
	if (rc == ERR_OK && who->kind != AUDIT_OPERATOR && i.failing.count > 0)
		rc = err_set(reterr, ERR_STATE, "INC-%" PRIu64 ": %zu of its hosts are not proven healthy", i.number,
		    i.failing.count);
	if (rc != ERR_OK)
		return rc;
	i.resolution = resolution;
	i.review_due_ms = turn_now_ms(t) + c->review_ms;
	i.reminders = 0;
	rc = turn_timer_clear(t, INCIDENT_TIMER_PROVE, i.incident, NULL, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_clear(t, INCIDENT_TIMER_RELEASE, i.incident, NULL, reterr);
	if (rc == ERR_OK)
		rc = turn_timer_set(t, INCIDENT_TIMER_REVIEW, i.incident, NULL, i.review_due_ms, reterr);
	if (rc == ERR_OK)
		rc = incident_summary_want(t, c, &i, reterr);
	if (rc == ERR_OK)
		rc = step(t, c, who, &i, INCIDENT_RESOLVED, "incident.resolve", resolution, reterr);
	if (rc == ERR_OK)
		rc = incident_release_later(t, c, &i, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_close(struct turn *t, const struct actor *who, struct id incident, const char *review,
    struct incident *ret, struct err *reterr)
{
	static const struct incident_config none; /* closed has no deadline */
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc == ERR_OK && i.state != INCIDENT_RESOLVED)
		rc = wrong_state(&i, "closed; resolve it first", reterr);
	if (rc != ERR_OK)
		return rc;
	i.reviewed_ms = turn_now_ms(t);
	i.reviewed_by = actor_text(t, who);
	rc = turn_timer_clear(t, INCIDENT_TIMER_REVIEW, i.incident, NULL, reterr);
	if (rc == ERR_OK)
		rc = incident_say(t, &i, who, 0, "review", reterr, "%s", review ? review : "done");
	if (rc == ERR_OK)
		rc = step(t, &none, who, &i, INCIDENT_CLOSED, "incident.close", review, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_reopen(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct id incident, const char *why, struct incident *ret, struct err *reterr)
{
	struct incident i, other;
	bool found;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc == ERR_OK && i.state != INCIDENT_RESOLVED)
		rc = wrong_state(&i, "reopened", reterr);
	if (rc == ERR_OK)
		rc = incident_of_service(t, i.service, &other, &found, reterr);
	if (rc == ERR_OK && found)
		rc = err_set(reterr, ERR_EXISTS, "%s has INC-%" PRIu64 " open: go on there", i.service, other.number);
	if (rc != ERR_OK)
		return rc;
	i.relapses++;
	i.resolution = NULL;
	i.review_due_ms = 0;
	i.healthy_since_ms = 0;
	rc = turn_timer_clear(t, INCIDENT_TIMER_REVIEW, i.incident, NULL, reterr);
	if (rc == ERR_OK)
		rc = incident_summary_forget(t, &i, reterr);
	if (rc == ERR_OK)
		rc = incident_say(t, &i, who, 0, "relapse", reterr, "reopened%s%s", why ? ": " : "", why ? why : "");
	if (rc == ERR_OK)
		rc = step(t, c, who, &i, INCIDENT_INVESTIGATING, "incident.reopen", why, reterr);
	if (rc == ERR_OK)
		*ret = i;
	return rc;
}

enum err_code incident_note(
    struct turn *t, const struct actor *who, struct id incident, const char *text, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_need(t, incident, &i, reterr);
	if (rc == ERR_OK && strlen(text) > INCIDENT_NOTE_MAX)
		rc = err_set(reterr, ERR_LIMIT, "a note has at most %d bytes", INCIDENT_NOTE_MAX);
	if (rc == ERR_OK)
		rc = incident_say(t, &i, who, 0, "note", reterr, "%s", text);
	if (rc == ERR_OK)
		rc = incident_audit(t, who, "incident.note", &i, reterr, "INC-%" PRIu64, i.number);
	return rc == ERR_OK ? incident_save(t, &i, reterr) : rc;
}
