/* agent/snapshot/retention.h: which restore points of one service stay.  Pure. */
#ifndef KEDGE_AGENT_SNAPSHOT_RETENTION_H
#define KEDGE_AGENT_SNAPSHOT_RETENTION_H

#include "agent/config/config.h"

struct retained {
	uint64_t taken_ms;
	bool verified;  /* every chunk was read back */
	bool fixed;     /* on hold, or named by an incident or plan */
	bool keep;      /* the answer */
};
/* points: newest first.  Kept: the newest of each of the last `hourly` hours that have one, and so on for days, weeks (from Monday) and months,
 * by UTC; the newest; the newest verified; fixed ones.  All of keep zero: everything. */
void retention_choose(struct retained *points, size_t count, const struct keep_config *keep);

#endif
