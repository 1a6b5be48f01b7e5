/* agent/link/sandbox.h: what the link process gives up, step by step.
 *
 * The link talks to the network, so it is the part of the agent that may be taken over.  It is confined
 * (agent/confine/confine.h) to the descriptors that it had opened (spool, channel, log) and sockets of its own.
 * Blocking; before the first thread. */
#ifndef KEDGE_AGENT_LINK_SANDBOX_H
#define KEDGE_AGENT_LINK_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/base/err.h"

/* First of all: limits, signals that the keeper answers for, a small heap; every descriptor but standard input, output,
 * error and keep_fd is closed. */
ERR_CHECK enum err_code sandbox_prepare(int keep_fd, struct err *reterr);
/* Become uid and gid for good, without groups. */
ERR_CHECK enum err_code sandbox_become(uid_t uid, gid_t gid, struct err *reterr);
/* Last: confined.  A call that is not listed ends the process with SIGSYS; if say_which, after its number was written
 * to standard error. */
ERR_CHECK enum err_code sandbox_enter(bool say_which, struct err *reterr);

#endif
