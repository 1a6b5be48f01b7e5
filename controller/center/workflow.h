/* controller/center/workflow.h: the main job in one readable place.
 *
 * Routes each input to the domain (workflow.c) and ties the chain together (chain.c): a report moves health; health
 * opens and resolves incidents; an incident is notified and diagnosed; a diagnosis proposes a change; an approved
 * change becomes a rollback; a rollback's orders go out in waves and come back; health proves; the incident resolves;
 * the review falls due.  What operators ask for is in requests.c.  Pure: only the turn.
 *
 * An error refuses the input: the turn's overlay is dropped, the peer is told (reply or bye), and workflow_refused()
 * writes the audit entry in an overlay of its own. */
#ifndef KEDGE_CONTROLLER_CENTER_WORKFLOW_H
#define KEDGE_CONTROLLER_CENTER_WORKFLOW_H

#include "controller/access/access.h"
#include "controller/center/input.h"
#include "controller/diagnosis/learning.h"
#include "controller/notify/notify.h"
#include "controller/recovery/recovery.h"

/* What the domain was started with; borrowed, constant. */
struct workflow_config {
	const char *name;           /* this controller's */
	uint64_t retry_ms;          /* agents spread their reconnects over this */
	struct list administrators; /* struct operator: who may everything on an empty store */
	struct list knowledge;      /* struct knowledge_entry: what people have written down */
	struct fleet_config fleet;
	struct health_config health;
	struct incident_config incident;
	struct notify_config notify;
	struct recovery_config recovery;
};

ERR_CHECK enum err_code workflow_apply(
    struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr);
/* After a refusal: audit it, answer the operator, close a connection that broke the protocol. */
ERR_CHECK enum err_code workflow_refused(struct turn *t, const struct workflow_config *config, const struct input *in,
    const struct err *why, struct err *reterr);

/* Every table of the controller, NULL-ended: what the store opens. */
extern const struct table *const workflow_tables[];

#endif
