/* agent/rollback/exchange.h: trees that were staged beforehand (prepared.h), put in place by a walk in one step each.
 *
 * Which they are stands in the walk's journal before the first of them is exchanged; which of two trees lies in place
 * is told by its inode, so that each step may be done again after a crash, forward or back.  Blocking; one thread. */
#ifndef KEDGE_AGENT_ROLLBACK_EXCHANGE_H
#define KEDGE_AGENT_ROLLBACK_EXCHANGE_H

#include "agent/rollback/walk.h"

/* Chooses: those of w->j.components that have a staged tree of the restore point which may be used.  Only memory. */
void exchange_choose(struct walk *w);
/* After an interruption: those that the journal names. */
ERR_CHECK enum err_code exchange_load(struct walk *w, struct err *reterr);
/* All of them, durable. */
ERR_CHECK enum err_code exchange_go(struct walk *w, struct err *reterr);
/* What lay there before lies there again, durable; those trees are not used again. */
ERR_CHECK enum err_code exchange_back(struct walk *w, struct err *reterr);
/* Does the tree that was staged for this component lie in place? */
bool exchange_is_in_place(const struct walk *w, enum component component);
/* Is anything in place? */
bool exchange_is_begun(const struct walk *w);
/* Precondition of a plan: the live digest of what will be exchanged, into live[]. */
ERR_CHECK enum err_code exchange_digests(const struct walk *w, struct digest live[COMPONENT_COUNT], struct err *reterr);

#endif
