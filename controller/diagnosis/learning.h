/* controller/diagnosis/learning.h: what was learned here: past incidents with the cause that a person confirmed,
 * knowledge entries, and how often a fix has worked.
 *
 * Owns the tables error_history (one record an incident whose cause a person has confirmed or corrected) and
 * error_knowledge (the entries of the folder that controller.yaml names, as they were at the last start).  A diagnosis
 * takes both as evidence; neither can make a step: they name what a person reads, and weigh what is declared.
 * Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_DIAGNOSIS_LEARNING_H
#define KEDGE_CONTROLLER_DIAGNOSIS_LEARNING_H

#include "controller/diagnosis/diagnosis.h"
#include "controller/knowledge/entry.h"

enum {
	HISTORY_SIGNS_MAX = 64,        /* signs of one past incident that are kept: the heaviest */
	HISTORY_LOOKED_AT = 512,       /* newest past incidents that a diagnosis compares with */
	LEARNING_EVIDENCE_MAX = 8,     /* that it adds to a diagnosis */
	LEARNING_REMEMBERED_MAX = 3,   /* past incidents that speak to a new one */
	LEARNING_TEXT_MAX = 16384,     /* bytes of new lines that are looked up in the knowledge */
	LEARNING_ROLLBACKS_MAX = 1000, /* newest rollbacks of a service that its success is counted from */
};

enum verdict_kind { VERDICT_CONFIRMED, VERDICT_CORRECTED, VERDICT_KIND_COUNT };
extern const struct enum_type verdict_kind_enum;

struct past_incident {
	struct id incident;  /* KEY */
	uint64_t number;     /* INC-<number> */
	const char *service; /* INDEXED */
	uint64_t fault_ms, at_ms;
	uint32_t verdict;       /* enum verdict_kind */
	const char *cause;      /* one line, as the diagnosis or the person said it */
	const char *about;      /* the service that was to blame, where that was said; NULL: only words */
	struct list components; /* enum component: which of it, at most one */
	const char *action;     /* or the action of it that helps */
	struct id diagnosis;    /* the one that the verdict is about; zero: none stood */
	struct list signs;      /* texts: templates, probes; what it is compared by */
	const char *by;         /* who said so */
};
extern const struct record_type past_incident_type;
extern const struct table past_incident_table, knowledge_table;

/* The entries of a start: what is new is put, what is gone is deleted. */
ERR_CHECK enum err_code learning_knowledge_seed(struct turn *t, const struct list *entries, struct err *reterr);

/* A person says that the diagnosis of an incident was right, or what it was instead (cause needed).  The newest word
 * counts. ERR_NOT_FOUND: no such incident; ERR_STATE: it has no diagnosis that could be confirmed.  Audited, on the
 * timeline. */
ERR_CHECK enum err_code learning_confirm(
    struct turn *t, const struct actor *who, struct id incident, struct past_incident *ret, struct err *reterr);
/* named NULL: said in words alone.  ERR_NOT_FOUND, too: no host runs that service, has that component, declares that
 * action. */
struct cause_named {
	const char *service;
	struct list components; /* enum component */
	const char *action;
};
ERR_CHECK enum err_code learning_correct(struct turn *t, const struct actor *who, struct id incident, const char *cause,
    const struct cause_named *named, struct past_incident *ret, struct err *reterr);

/* A past incident that looked like this one. */
struct remembered {
	struct past_incident past;
	double share; /* of the signs of both, those that they have in common: 0.5 to 1 */
};
struct learned {
	struct remembered remembered[LEARNING_REMEMBERED_MAX]; /* the likest first */
	size_t remembered_count;
	struct evidence evidence[LEARNING_EVIDENCE_MAX];
	size_t evidence_count;
	struct list fixes;   /* struct fix: a restart, something to look at; never a rollback */
	const char *runbook; /* of the first entry, or NULL */
};
/* Every knowledge entry; *ret: struct knowledge_entry. */
ERR_CHECK enum err_code learning_knowledge(struct turn *t, struct list *ret, struct err *reterr);
/* What past incidents and knowledge say of an open one.  patterns: its service's new ones (struct error_pattern). */
ERR_CHECK enum err_code learning_about(
    struct turn *t, const struct incident *i, const struct list *patterns, struct learned *ret, struct err *reterr);
/* How often such a fix (a rollback of these components, a run of this action) has worked here, and how long it takes:
 * fills the fix's tried, worked, success…, estimate and estimated_ms.  Advice (a restart by hand, a look) has no
 * record. */
ERR_CHECK enum err_code learning_success(struct turn *t, struct fix *fix, struct err *reterr);

#endif
