/* controller/center/workflow.h: the main job in one readable place.
 *
 * Routes each input to the domain and ties the chain together: a report moves health; health opens and resolves incidents; an incident is
 * notified and diagnosed; a diagnosis proposes a change; an approved change becomes a rollback; a rollback's orders go out in waves and come
 * back; health proves; the incident resolves; the review falls due.  Pure: only the turn.
 *
 * An error refuses the input: the turn's overlay is dropped, the peer is told (reply or bye), and workflow_refused() writes the audit entry
 * in an overlay of its own. */
#ifndef KEDGE_CONTROLLER_CENTER_WORKFLOW_H
#define KEDGE_CONTROLLER_CENTER_WORKFLOW_H

#include "controller/center/input.h"
#include "controller/turn/turn.h"

/* What the controller was started with (kedge-controller's configuration as far as the domain needs it); borrowed. */
struct workflow_config;

ERR_CHECK enum err_code workflow_apply(struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr);
/* After a refusal: audit it, answer the operator, close a connection that broke the protocol. */
ERR_CHECK enum err_code workflow_refused(struct turn *t, const struct workflow_config *config, const struct input *in, const struct err *why, struct err *reterr);

/* Every table of the controller, NULL-ended: what the store opens. */
extern const struct table *const workflow_tables[];

#endif
