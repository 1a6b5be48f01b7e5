/* controller/notify/escalate.c: an unanswered page climbs the on-call levels, round after round, until somebody has it.
 */
#include <inttypes.h>

#include "controller/audit/event.h"
#include "controller/notify/internal.h"

enum err_code escalation_end(struct turn *t, struct id incident, struct err *reterr)
{
	struct escalation key = {.incident = incident};
	enum err_code rc = turn_delete(t, &escalation_table, &key, reterr);
	return rc == ERR_OK ? turn_timer_clear(t, NOTIFY_TIMER_ESCALATE, incident, NULL, reterr) : rc;
}

static enum err_code nobody(struct turn *t, const struct incident *i, const char *what, struct err *reterr)
{
	enum err_code rc = audit_append(t,
	    &(struct audit_entry){.action = "notify.nobody",
		.object_kind = "incident",
		.object = id_text(ID_INCIDENT, i->incident),
		.incident = i->incident,
		.outcome = AUDIT_FAILED,
		.text = what},
	    reterr);
	if (rc == ERR_OK)
		rc = event_tell(
		    t, "notification", NULL, SEVERITY_CRITICAL, reterr, "INC-%" PRIu64 ": %s", i->number, what);
	return rc;
}

/* Tell e->level, or the next one that reaches anybody (P39); then wait for an answer. */
static enum err_code climb(struct turn *t, const struct notify_config *c, struct escalation *e, struct message *m,
    uint32_t *ret_said, struct err *reterr)
{
	uint32_t levels = notify_level_count(c), reached = 0, said = 0, all = 0;
	for (uint32_t tried = 0; tried < levels && reached == 0; tried++) {
		if (tried > 0 && ++e->level == levels) {
			e->level = 0;
			e->round++;
		}
		m->level = e->level;
		m->round = e->round;
		enum err_code rc = message_say_level(t, c, m, &reached, &said, reterr);
		if (rc != ERR_OK)
			return rc;
		all += said;
	}
	*ret_said += all;
	if (reached == 0) {
		enum err_code rc = escalation_end(t, e->incident, reterr);
		return rc == ERR_OK ? nobody(t, m->incident,
					  "nobody on call can be reached: check the channels and levels", reterr)
				    : rc;
	}
	e->next_ms = turn_now_ms(t) + notify_level_wait(c, e->level);
	enum err_code rc = turn_put(t, &escalation_table, e, reterr);
	return rc == ERR_OK ? turn_timer_set(t, NOTIFY_TIMER_ESCALATE, e->incident, NULL, e->next_ms, reterr) : rc;
}

enum err_code escalation_say(
    struct turn *t, const struct notify_config *c, struct message *m, uint32_t *ret_said, struct err *reterr)
{
	struct escalation e = {.incident = m->incident->incident};
	bool found;
	enum err_code rc = turn_get(t, &escalation_table, &e, &e, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	e.event = m->event;
	e.detail = m->detail[0] ? m->detail : NULL;
	/* Whoever heard of it already hears what is new; the climbing goes on from there. */
	for (uint32_t level = 0; found && level < e.level; level++) {
		uint32_t reached, said;
		m->level = level;
		m->round = e.round;
		rc = message_say_level(t, c, m, &reached, &said, reterr);
		if (rc != ERR_OK)
			return rc;
		*ret_said += said;
	}
	return climb(t, c, &e, m, ret_said, reterr);
}

/* Is anybody still to be paged? */
static bool wanted(const struct incident *i)
{
	return incident_is_open(i) && !i->acknowledged_ms && id_is_zero(i->suppressed_by);
}

enum err_code escalation_due(struct turn *t, const struct notify_config *c, struct id incident, struct err *reterr)
{
	struct escalation e = {.incident = incident};
	struct incident i;
	bool found, known;
	uint64_t muted;
	enum err_code rc = turn_get(t, &escalation_table, &e, &e, &known, reterr);
	if (rc == ERR_OK)
		rc = incident_get(t, incident, &i, &found, reterr);
	if (rc != ERR_OK || !known)
		return rc;
	if (!found || !wanted(&i))
		return escalation_end(t, incident, reterr);
	rc = notify_muted_until(t, &i, &muted, reterr);
	if (rc != ERR_OK)
		return rc;
	if (muted) /* the window has an end: look again then */
		return turn_timer_set(t, NOTIFY_TIMER_ESCALATE, incident, NULL, muted, reterr);
	if (++e.level >= notify_level_count(c)) {
		e.level = 0;
		e.round++;
	}
	if (e.round >= c->rounds) {
		rc = escalation_end(t, incident, reterr);
		return rc == ERR_OK ? nobody(t, &i, "everybody on call was told and nobody answered", reterr) : rc;
	}
	struct message m = {
	    .incident = &i,
	    .object = arena_strdup(turn_arena(t), id_text(ID_INCIDENT, incident)),
	    .event = (enum notify_event)e.event,
	    .detail = e.detail ? e.detail : "",
	};
	uint32_t said = 0;
	if (!m.object)
		return err_set(reterr, ERR_NOMEM, "out of memory for a notification");
	rc = message_write(t, c, NULL, &m, reterr);
	return rc == ERR_OK ? climb(t, c, &e, &m, &said, reterr) : rc;
}
