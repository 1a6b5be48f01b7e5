/* controller/incident/summary.c: asking for prose about what is over, and keeping it.  Nothing reads it but people. */
#include <inttypes.h>

#include "controller/incident/internal.h"

static enum err_code ask(struct turn *t, struct incident *i, struct err *reterr)
{
	i->summary_tries++;
	enum err_code rc = turn_timer_set(
	    t, INCIDENT_TIMER_SUMMARY, i->incident, NULL, turn_now_ms(t) + INCIDENT_SUMMARY_RETRY_MS, reterr);
	if (rc != ERR_OK)
		return rc;
	return turn_emit(t, &(struct effect){.kind = EFFECT_SUMMARISE, .id = i->incident}, reterr);
}

enum err_code incident_summary_want(
    struct turn *t, const struct incident_config *c, struct incident *i, struct err *reterr)
{
	i->summary_tries = 0;
	return c->summaries ? ask(t, i, reterr) : ERR_OK;
}

enum err_code incident_summary_forget(struct turn *t, struct incident *i, struct err *reterr)
{
	i->summary = i->summary_by = NULL;
	i->summary_tries = 0;
	return turn_timer_clear(t, INCIDENT_TIMER_SUMMARY, i->incident, NULL, reterr);
}

enum err_code incident_summary_due(
    struct turn *t, const struct incident_config *c, struct incident *i, struct err *reterr)
{
	if (!c->summaries || i->summary || incident_is_open(i) || i->summary_tries >= INCIDENT_SUMMARY_TRIES)
		return ERR_OK;
	enum err_code rc = ask(t, i, reterr);
	return rc == ERR_OK ? incident_save(t, i, reterr) : rc;
}

enum err_code incident_summarise(
    struct turn *t, struct id incident, const char *text, const char *model, struct err *reterr)
{
	struct incident i;
	bool found;
	enum err_code rc = incident_get(t, incident, &i, &found, reterr);
	if (rc != ERR_OK || !found || incident_is_open(&i) || i.summary)
		return rc;
	i.summary = text;
	i.summary_by = model;
	rc = turn_timer_clear(t, INCIDENT_TIMER_SUMMARY, incident, NULL, reterr);
	if (rc == ERR_OK)
		rc = incident_say(
		    t, &i, &actor_controller, 0, "summary", reterr, "written by the language model %s", model);
	if (rc == ERR_OK)
		rc = incident_audit(
		    t, &actor_controller, "incident.summary", &i, reterr, "INC-%" PRIu64 ": by %s", i.number, model);
	return rc == ERR_OK ? incident_save(t, &i, reterr) : rc;
}
