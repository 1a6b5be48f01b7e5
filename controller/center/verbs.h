/* controller/center/verbs.h: what a request that changes something does, a function for each row of the table in
 * requests.c, by what it is about.
 *
 * A verb gets one request at work, acts through the domain's functions (which check states and write the audit trail),
 * and leaves its answer in the job.  Permission and fields were checked before.  Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_CENTER_VERBS_H
#define KEDGE_CONTROLLER_CENTER_VERBS_H

#include "controller/center/requests.h"

/* One request at work. */
struct job {
	struct turn *t;
	const struct workflow_config *c;
	const struct request *r;
	const struct request_args *a;
	struct actor who;
	const struct record_type *answer_type;
	const void *answer;  /* lives in the turn's arena */
	bool answered_later; /* by INPUT_SIGNED */
};

/* Keeps a copy of `record` as the answer. */
ERR_CHECK enum err_code job_answer(
    struct job *j, const struct record_type *type, const void *record, struct err *reterr);

/* What people call a record: its id, or the number with its prefix ("INC-3", "3"). */
struct reference;
extern const struct reference change_ref, rollback_ref;
/* text NULL: *ret stays as it is.  ERR_NOT_FOUND: no record has that number; ERR_INVALID: it is neither. */
ERR_CHECK enum err_code job_refer(
    struct job *j, const struct reference *ref, const char *text, struct id *ret, struct err *reterr);
/* The incident that the request names. */
ERR_CHECK enum err_code job_incident(struct job *j, struct id *ret, struct err *reterr);

/* ---- verbs_incident.c ---- */
ERR_CHECK enum err_code do_incident_open(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_acknowledge(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_assign(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_investigate(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_identify(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_resolve(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_reopen(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_close(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_incident_note(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_diagnosis_start(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_diagnosis_verdict(struct job *j, struct err *reterr);

/* ---- verbs_change.c ---- */
ERR_CHECK enum err_code do_rollback_plan(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_rollback_start(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_rollback_undo(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_action_start(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_rollback_cancel(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_change_approve(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_change_start(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_change_reject(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_change_cancel(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_change_review(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_policy_install(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_policy_remove(struct job *j, struct err *reterr);

/* ---- verbs_site.c: hosts, services, restore points; the controller itself, people, certificates ---- */
ERR_CHECK enum err_code do_snapshot_create(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_snapshot_verify(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_service_probe(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_snapshot_condemn(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_service_maintenance(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_host_unbar(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_host_revoke(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_halt(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_resume(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_confirm(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_audit_checkpoint(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_operator_put(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_ca_token(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_ca_revoke(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_ca_enrol(struct job *j, struct err *reterr);
ERR_CHECK enum err_code do_notify_test(struct job *j, struct err *reterr);

#endif
