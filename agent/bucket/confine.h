/* agent/bucket/confine.h: what kedge-copy gives up before it hears of a store.
 *
 * It keeps: the descriptors that it is handed, sockets of its own to the network, reading files that everybody may read
 * (the resolver's, authorities), threads.  It cannot run programs, make processes, open a file for writing, gain a
 * privilege or be looked into, and ends with the agent.  A system call that is not listed fails (EPERM).  Blocking;
 * before the first thread. */
#ifndef KEDGE_AGENT_BUCKET_CONFINE_H
#define KEDGE_AGENT_BUCKET_CONFINE_H

#include "shared/base/err.h"

ERR_CHECK enum err_code confine(struct err *reterr);

#endif
