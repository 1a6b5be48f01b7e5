/* agent/keeper/byhand.h: what a person did on this host without the controller, told to it all the same.
 *
 * The command line leaves a report in <state>/by-hand, one file each, durable; the keeper, now or whenever it runs and
 * is connected again, hands it to the spool and removes the file once it is durable there.  Told twice after a crash,
 * and counted once by its id. */
#ifndef KEDGE_AGENT_KEEPER_BYHAND_H
#define KEDGE_AGENT_KEEPER_BYHAND_H

#include "agent/config/config.h"
#include "agent/snapshot/snapshot.h"
#include "shared/message/report.h"

enum {
	BYHAND_FILE_MAX = 256 << 10, /* a report of 64 steps with a line of text each */
	BYHAND_TURN_MAX = 16,        /* handed over at once */
};

/* Who is at the keyboard: whom sudo knows, or the user. */
const char *byhand_who(void);
/* One body: an order's end or a restore point.  A host without a controller keeps none.  An error is for a warning:
 * what was done is done. */
ERR_CHECK enum err_code byhand_keep(const struct agent_config *c, struct report *r, struct err *reterr);
ERR_CHECK enum err_code byhand_keep_snapshot(
    const struct agent_config *c, const struct snapshot_summary *s, struct arena *arena, struct err *reterr);

#endif
