/* agent/keeper/work_drill.h: a worker's practised restore, told and, where it went wrong, raised.  Blocking. */
#ifndef KEDGE_AGENT_KEEPER_WORK_DRILL_H
#define KEDGE_AGENT_KEEPER_WORK_DRILL_H

#include "agent/keeper/work.h"

void work_drill(
    const struct agent_config *c, struct repo *r, const char *service, const struct work_out *out, struct arena *arena);

#endif
