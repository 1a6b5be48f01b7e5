/* agent/keeper/work_copy.h: a worker's copy off the host: what is missing there, then, when it is due, a proof.
 * Blocking. */
#ifndef KEDGE_AGENT_KEEPER_WORK_COPY_H
#define KEDGE_AGENT_KEEPER_WORK_COPY_H

#include "agent/keeper/work.h"

/* Failing is logged and stands in the status of the copies. */
void work_copy(const struct agent_config *c, struct repo *r, const struct work_out *out, struct arena *arena);

#endif
