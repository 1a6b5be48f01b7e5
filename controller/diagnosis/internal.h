/* controller/diagnosis/internal.h: one diagnosis in the making, as the files of this folder share it. */
#ifndef KEDGE_CONTROLLER_DIAGNOSIS_INTERNAL_H
#define KEDGE_CONTROLLER_DIAGNOSIS_INTERNAL_H

#include "controller/diagnosis/diagnosis.h"
#include "controller/diagnosis/learning.h"

enum {
	DIAGNOSIS_SERVICES_MAX = 64, /* of what the failing one leans on, the nearest: further away nothing is found */
	DIAGNOSIS_HOSTS_MAX = 16,    /* of a service, whose measurements are ranked: more say the same */
	DIAGNOSIS_SETTLE_MS = 3000,  /* evidence of a dependency that is this much newer than a fault speaks of it */
	DIAGNOSIS_CHANGES_MAX = 64,  /* newest changes that are looked at */
};

struct told_class { /* what kind of error the new lines of a service tell of, the surest of them */
	const char *service;
	uint32_t class; /* enum error_class */
	double confidence;
};
struct inquiry {
	struct turn *t;
	struct incident incident;
	struct suspect suspects[DIAGNOSIS_SUSPECTS_MAX];
	double score[DIAGNOSIS_SUSPECTS_MAX];
	size_t suspect_count;
	struct evidence evidence[DIAGNOSIS_EVIDENCE_MAX];
	size_t evidence_count;
	struct list advised;       /* struct fix, from what is known */
	const char *known_runbook; /* of the entry that the service's lines speak of, or NULL */
	struct remembered
	    remembered[LEARNING_REMEMBERED_MAX]; /* past incidents that looked like this one, the likest first */
	size_t remembered_count;
	struct list entries; /* struct knowledge_entry */
	struct told_class told[DIAGNOSIS_SERVICES_MAX + 1];
	size_t told_count;
	uint64_t since_ms; /* lines that fell silent before belong to an earlier fault */
	/* Of the services that the failing one leans on: one is unwell; all have shown to be well since it failed. */
	bool dependency_unwell, dependencies_well;
	bool compared;      /* all that fails of the failing service: struct place */
	uint64_t passed_ms; /* all that fails of the failing service was good once more then; 0: not known */
	/* Actions that ended well for it, or for what it leans on, and whose effect did not last: struct change. */
	struct list passing;
};
struct place {
	const char *service, *host;
	const struct list *patterns; /* new ones of the service */
	double factor;               /* how much the service as a whole explains */
	/* All that fails there now (where nothing does: all that fails of the incident's own service) was good once
	 * more then, by the controller's clock; 0: not known. */
	uint64_t passed_ms;
	bool gone;     /* a process of it does not run */
	bool quiet;    /* and its log does not say that it could not */
	bool compared; /* what changed there is known as of the fault, or is not waited for any more */
};

/* The heaviest are kept, in order.  text NULL (out of memory) is nothing. */
void inquiry_note(struct inquiry *q, enum evidence_kind kind, const char *service, const char *host, const char *text,
    double weight, uint64_t at_ms);
/* Of one component of one place the strongest reason stands; the best suspects are kept, in order. */
void inquiry_suspect(struct inquiry *q, enum evidence_kind kind, const struct suspect *s, double score);

/* "probe page is critical: timed out", or NULL: it is well. */
const char *probe_evidence(struct turn *t, const struct probe_result *r);

/* The first action that the place declares against this (enum remedy), or NULL. */
const struct declared_action *inquiry_action_for(const struct placement *here, uint32_t remedy);

/* Of the incident's own service: is the host among those that fail? */
bool inquiry_is_failing(const struct inquiry *q, const char *host);

/* ---- what changed (changed.c) ---- */

/* Components that differ from their restore point; restore points that differ from the one before; lines that speak of
 * what cannot be compared. */
ERR_CHECK enum err_code changed_at(struct inquiry *q, const struct place *p, struct err *reterr);
/* Changes that Kedge itself made to the service. */
ERR_CHECK enum err_code changed_by_plan(struct inquiry *q, const char *service, double factor, struct err *reterr);

/* ---- what it says of itself (signs.c) ---- */

/* What probes and lines of a place say is known, and the place declares an action that is good for it, or has a
 * database that is to be brought back: suspects.  own: of the failing service. */
ERR_CHECK enum err_code signs_at(struct inquiry *q, const struct place *p, bool own, struct err *reterr);
/* Fills passed_ms, gone, quiet and compared. */
ERR_CHECK enum err_code signs_course(struct inquiry *q, struct place *p, struct err *reterr);
/* Before which nothing is news for an incident: its window, and the end of the incident before it; and when all that
 * fails of its service was good for the last time (0: not known). */
ERR_CHECK enum err_code signs_since(
    struct turn *t, const struct incident *i, uint64_t *ret, uint64_t *ret_passed_ms, struct err *reterr);

/* ---- a limit, or a lack (altered.c) ---- */

/* Connections are refused, as the entry knows it; *ret: by a limit that was set, which ending sessions does not help.
 */
ERR_CHECK enum err_code altered_limits(
    struct inquiry *q, const struct placement *here, const struct knowledge_entry *e, bool *ret, struct err *reterr);

/* ---- what did not last (relapse.c) ---- */

/* Fills q->passing. */
ERR_CHECK enum err_code relapse_look_back(struct inquiry *q, const struct list *leans_on, struct err *reterr);
/* What was run and did not last is not what mends it: whoever else is suspected comes before it. */
void relapse_weigh(struct inquiry *q);
void inquiry_in_order(struct inquiry *q); /* after scores were changed */

/* ---- what kind of error it is (classes.c) ---- */

/* Classifies the new error lines of a service: evidence, and q->told.  own: of the failing service. */
ERR_CHECK enum err_code classes_of(
    struct inquiry *q, const char *service, bool own, const struct list *patterns, struct err *reterr);
/* Which of them the diagnosis says.  cause: the first suspect's service, or NULL. */
void classes_conclude(const struct inquiry *q, const char *cause, struct diagnosis *d);

/* ---- which service (services.c) ---- */

struct ranked_service {
	const char *name;
	double factor;      /* of what changed there: about 0.2 where nothing is wrong, up to 1.8 */
	double confidence;  /* of the first: that it is this service; 0 of others */
	const char *reason; /* of the first: why, or NULL */
};
/* The failing service and what it leans on, ranked by controller/cause over health, measurements and new lines; ret
 * holds DIAGNOSIS_SERVICES_MAX + 1: itself first, then in the order of leans_on. */
ERR_CHECK enum err_code services_rank(
    struct inquiry *q, const struct list *leans_on, struct ranked_service *ret, size_t *ret_count, struct err *reterr);

#endif
