/* agent/offhost/session.h: agent.yaml to a store that can be asked: the credential, kedge-copy, the clock.  Blocking;
 * one thread. */
#ifndef KEDGE_AGENT_OFFHOST_SESSION_H
#define KEDGE_AGENT_OFFHOST_SESSION_H

#include "agent/config/config.h"
#include "agent/offhost/offhost.h"

struct offhost_session;
/* Starts kedge-copy (beside the running program), as the user of agent.yaml when we are root.  ERR_STATE: agent.yaml
 * declares no copies. ERR_DENIED: others may read the credential, which is then not used. */
ERR_CHECK enum err_code offhost_session_open(
    const struct agent_config *c, const atomic_bool *cancel, struct offhost_session **ret, struct err *reterr);
void offhost_session_close(struct offhost_session *s); /* NULL is a no-op */
CLEANUP_DEFINE(struct offhost_session, offhost_session_cleanup, offhost_session_close)
/* To be given its callbacks (ctx is theirs alone; now_ms and pause are set). */
struct offhost *offhost_of(struct offhost_session *s);

/* state_directory/offhost */
ERR_CHECK enum err_code offhost_folder(const struct agent_config *c, char out[PATH_LIMIT], struct err *reterr);
/* Without a store: what offhost_unneeded() and the status need.  The strings are the session's or c's. */
ERR_CHECK enum err_code offhost_session_local(
    const struct agent_config *c, struct offhost_session **ret, struct err *reterr);
/* No session could be opened: the status says why. */
void offhost_failed(const struct agent_config *c, struct repo *r, const struct err *err);
/* The repository's keys wrapped for recovery; empty when no recovery key is declared. */
ERR_CHECK enum err_code offhost_wrapped(const struct repo *r, struct buf *out, struct err *reterr);

#endif
