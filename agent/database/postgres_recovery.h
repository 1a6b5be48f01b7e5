/* agent/database/postgres_recovery.h: what a server is told about the recovery that it is to begin with: lines of
 * postgresql.auto.conf (which every server reads last), and recovery.signal. */
#ifndef KEDGE_AGENT_DATABASE_POSTGRES_RECOVERY_H
#define KEDGE_AGENT_DATABASE_POSTGRES_RECOVERY_H

#include "agent/database/internal.h"

/* restore_command, and that it ends by writing on a new timeline.  fetch: further words for `wal fetch`; target:
 * further lines. */
ERR_CHECK enum err_code recovery_settings(const char *state_directory, const char *service, uint32_t timeline,
    const char *fetch, const char *target, struct arena *arena, const char **ret, struct err *reterr);
/* Into a data directory that no server uses; replaces what an earlier recovery left.  Not made durable. */
ERR_CHECK enum err_code recovery_prepare(const char *data, const char *settings, struct err *reterr);
/* Has it still to end? */
bool recovery_is_due(const char *data);
/* Its settings hold what recovery_prepare() wrote. */
bool recovery_is_aimed(const char *data);
/* Of what recovery_prepare() wrote. */
enum recovery_course {
	RECOVERY_OVER,     /* or there was none */
	RECOVERY_DUE,      /* it has begun or will, with its target */
	RECOVERY_ENDING,   /* its target was reached, and that is being written down.  Stopped or lost here, and started
			    * as it is, the server replays whatever of the log lies there, along the timeline that it was
			    * to leave */
	RECOVERY_RAN_PAST, /* it has done so */
};
enum recovery_course recovery_course(const char *data);
/* For one that stands still: it goes to its target from where it is. */
ERR_CHECK enum err_code recovery_aim_again(const char *data, struct err *reterr);
/* Takes the lines out again, durably; a running server reads them at its next start only. */
ERR_CHECK enum err_code recovery_forget(const char *data, struct err *reterr);
/* The text of postgresql.auto.conf without lines that aim a recovery; pure. */
void recovery_filter(const char *text, struct buf *out);

#endif
