/* agent/rollback/drill.h: a restore that is only practised: proof that a service can be brought back, and how long it
 * takes.
 *
 * The newest restore point that is no safety net is restored, synced, into a folder of its own below the agent's, every
 * chunk authenticated on the way; then the service's own check is run over it, seeing it where the live trees are
 * (view.h); a restored PostgreSQL cluster is started beside it, out of everybody's reach, asked, and ended
 * (agent/database).  The folder goes again.  What came of it is kept in <state>/drill/<service>.json, with the time of
 * the last one that went well.  The live service is not touched.  Blocking; one drill of a service at a time (a lock).
 */
#ifndef KEDGE_AGENT_ROLLBACK_DRILL_H
#define KEDGE_AGENT_ROLLBACK_DRILL_H

#include "agent/snapshot/snapshot.h"
#include "shared/message/report.h"

enum {
	DRILL_FILE_MAX = 16 << 10,
	DRILL_ROOM_PERCENT = 120, /* of what is restored: a drill that fills the disk is a fault of its own (R2) */
};

/* ERR_OK whatever came of it: ret->ok says.  An error: it could not even be noted (ERR_BUSY: another one).  Strings
 * live in arena. */
ERR_CHECK enum err_code drill_run(struct repo *repo, const char *state_directory, const struct service_config *service,
    uint64_t now_ms, const atomic_bool *cancel, struct arena *arena, struct drill_report *ret, struct err *reterr);
/* The last one.  ERR_NOT_FOUND: there was none. */
ERR_CHECK enum err_code drill_last(const char *state_directory, const char *service, struct arena *arena,
    struct drill_report *ret, struct err *reterr);
/* Is it time to raise an alarm: no drill has gone well for twice drill_every?  since_ms: when anybody began to look. */
bool drill_is_overdue(
    const struct service_config *service, const struct drill_report *last, uint64_t since_ms, uint64_t now_ms);

#endif
