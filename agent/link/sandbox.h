/* agent/link/sandbox.h: what the link process gives up, step by step.
 *
 * The link talks to the network, so it is the part of the agent that may be taken over.  It keeps: the descriptors that
 * it had opened (spool, channel, log), sockets of its own to the network, reading files that everybody may read (the
 * resolver's), threads.  It cannot run programs, make processes, open a file for writing, gain a privilege, or be
 * looked into.  Blocking; before the first thread. */
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
/* Last: no capabilities, no new privileges, no core dump or debugger, the end with the parent, and the list of system
 * calls.  Any other call ends the process with SIGSYS; if say_which, after its number was written to standard error. */
ERR_CHECK enum err_code sandbox_enter(bool say_which, struct err *reterr);

#endif
