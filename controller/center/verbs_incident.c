/* controller/center/verbs_incident.c: what operators do with incidents and their diagnoses. */
#include "controller/center/chain.h"
#include "controller/center/verbs.h"

enum err_code do_incident_open(struct job *j, struct err *reterr)
{
	struct incident i;
	enum err_code rc = incident_open(
	    j->t, &j->c->incident, &j->who, j->a->service, (enum severity)j->a->severity, j->a->title, &i, reterr);
	if (rc == ERR_OK)
		rc = chain_on_incident(j->t, j->c, &i, INCIDENT_OPENED, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_acknowledge(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	bool first;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc != ERR_OK ||
	    (rc = incident_acknowledge(j->t, &j->c->incident, &j->who, id, &i, &first, reterr)) != ERR_OK)
		return rc;
	if (first)
		rc = notify_silence(j->t, id, "acknowledged", reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_assign(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_assign(j->t, &j->who, id, j->a->owner, &i, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_investigate(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_investigate(j->t, &j->c->incident, &j->who, id, j->a->text, &i, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_identify(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_identify(j->t, &j->c->incident, &j->who, id, (struct id){0}, j->a->text, &i, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_resolve(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	uint32_t said;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc != ERR_OK ||
	    (rc = incident_resolve(j->t, &j->c->incident, &j->who, id, j->a->text, &i, reterr)) != ERR_OK ||
	    (rc = notify_silence(j->t, id, "resolved", reterr)) != ERR_OK ||
	    (rc = notify_incident(j->t, &j->c->notify, &i, NOTIFY_RESOLVED, NULL, &said, reterr)) != ERR_OK)
		return rc;
	return job_answer(j, &incident_type, &i, reterr);
}

enum err_code do_incident_reopen(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_reopen(j->t, &j->c->incident, &j->who, id, j->a->text, &i, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_close(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK)
		rc = incident_close(j->t, &j->who, id, j->a->text, &i, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

enum err_code do_incident_note(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	bool found;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc != ERR_OK || (rc = incident_note(j->t, &j->who, id, j->a->text, reterr)) != ERR_OK ||
	    (rc = incident_get(j->t, id, &i, &found, reterr)) != ERR_OK)
		return rc;
	return job_answer(j, &incident_type, &i, reterr);
}

enum err_code do_diagnosis_start(struct job *j, struct err *reterr)
{
	struct incident i;
	struct id id;
	bool found;
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc != ERR_OK || (rc = incident_get(j->t, id, &i, &found, reterr)) != ERR_OK)
		return rc;
	if (!found)
		return err_set(reterr, ERR_NOT_FOUND, "there is no incident %s", j->a->incident);
	struct effect e = {.kind = EFFECT_ANALYSE, .id = id};
	rc = turn_emit(j->t, &e, reterr);
	return rc == ERR_OK ? job_answer(j, &incident_type, &i, reterr) : rc;
}

/* A person's verdict on a diagnosis: with a text it was something else. */
enum err_code do_diagnosis_verdict(struct job *j, struct err *reterr)
{
	struct past_incident p;
	struct id id;
	struct cause_named named = {.service = j->a->service, .components = j->a->components, .action = j->a->name};
	enum err_code rc = job_incident(j, &id, reterr);
	if (rc == ERR_OK)
		rc = j->a->text
			 ? learning_correct(j->t, &j->who, id, j->a->text,
			       named.service || named.components.count || named.action ? &named : NULL, &p, reterr)
			 : learning_confirm(j->t, &j->who, id, &p, reterr);
	return rc == ERR_OK ? job_answer(j, &past_incident_type, &p, reterr) : rc;
}
