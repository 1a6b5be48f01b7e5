/* agent/snapshot/retention.h: which restore points of one service stay.  Pure. */
#ifndef KEDGE_AGENT_SNAPSHOT_RETENTION_H
#define KEDGE_AGENT_SNAPSHOT_RETENTION_H

#include "agent/config/config.h"

struct retained {
	uint64_t taken_ms;
	bool verified; /* every chunk was read back */
	bool fixed;    /* on hold, or named by an incident, an order or a plan */
	bool suspect;  /* taken or found while the service was not well */
	bool safety;   /* the net under a rollback, or an emergency's: what an undo goes back to */
	bool keep;     /* the answer */
};
/* points: newest first.  Kept: the newest of each of the last `hourly` hours that have one, and so on for days, weeks
 * (from Monday) and months, by UTC.  Those without suspicion and suspect ones are counted apart, so that neither takes
 * the other's place: a long fault pushes out no good one, and a service that is always called unwell still has its
 * generations.  Safety nets take no part in that: they stay for SAFETY_KEEP_MS, and the newest one longer.  Always
 * kept: the newest; the newest verified, and the newest verified one without suspicion; fixed ones.  All of keep zero:
 * everything. */
void retention_choose(struct retained *points, size_t count, const struct keep_config *keep, uint64_t now_ms);

#endif
