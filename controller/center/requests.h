/* controller/center/requests.h: what operators may ask that changes something: the verbs of the API, of `kedge` and of
 * the console.
 *
 * A request is POST /api/v1/<noun>/<verb> with a JSON body of request_args; the table in requests.c says which fields a
 * verb takes and needs, and which record answers it.  Permission is access_allowed(); everything is audited by the
 * domain function that acts. Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_CENTER_REQUESTS_H
#define KEDGE_CONTROLLER_CENTER_REQUESTS_H

#include "controller/center/workflow.h"

struct request_args {
	const char *incident, *change, *rollback, *snapshot; /* an id, or the number people say: "INC-3" */
	const char *service, *host, *name;
	struct list hosts;      /* names */
	uint32_t host_count;    /* how many hosts whoever asks means to touch */
	struct list components; /* enum component */
	uint32_t severity;
	const char *title, *text, *owner, *serial;
	const char *signature;  /* armored SSHSIG */
	struct bytes document;  /* a policy's YAML, byte for byte */
	struct list signatures; /* armored SSHSIGs over it */
	uint64_t until_ms;      /* end of a maintenance window */
	uint64_t lifetime_ms;   /* of an enrolment token */
	uint32_t role;          /* enum certificate_role */
	struct list roles;      /* enum role */
	struct list keys;       /* OpenSSH public keys */
	bool disabled;
	bool any_state, deep, progressive, cross_schema; /* rollback plan, start: as in struct plan_wish */
	const char *first;                    /* rollback plan, start: an action that each host runs before it */
	bool normal;                          /* rollback start: a normal change, even where a policy would do */
	struct id keep;                       /* host unbar: the run of the agent that counts */
	const char *enrolment, *secret, *csr; /* ca enrol */
};
extern const struct record_type request_args_type;

/* ca token: what is shown once. */
struct enrolment_token {
	const char *enrolment;
	const char *secret;
	const char *name;
	uint32_t role;
	uint64_t expires_ms;
};
/* rollback plan: what would be done, and whose word it would need. */
struct plan_answer {
	const struct plan *plan;
	struct digest digest;
	const char *policy;
	uint32_t approvals_needed;
	struct list notes; /* const char *: what people should know of it before they approve */
};
/* rollback start: the change, and the rollback if it began at once. */
struct rollback_answer {
	const struct change *change;
	const struct rollback *rollback;
};
extern const struct record_type enrolment_token_type, plan_answer_type, rollback_answer_type;
extern const struct record_type *const request_types[];

ERR_CHECK enum err_code request_apply(
    struct turn *t, const struct workflow_config *c, const struct request *r, struct err *reterr);

/* For documents, completion and tests: every verb with the fields that it takes ("!": needed). */
struct request_verb {
	const char *noun, *verb, *fields, *doc;
	const struct record_type *answer;
};
const struct request_verb *request_verbs(size_t *ret_count);

#endif
