/* agent/confine/confine.h: what a process that talks to the network gives up for good.
 *
 * A confined process keeps: the descriptors that are open, sockets of its own to the network, reading files that
 * everybody may read (the resolver's, authorities), threads, and what its needs name.  It cannot run programs, make
 * processes, open a file for writing, gain a privilege or be looked into, and ends with its parent.  Blocking; before
 * the first thread. */
#ifndef KEDGE_AGENT_CONFINE_CONFINE_H
#define KEDGE_AGENT_CONFINE_CONFINE_H

#include "shared/base/err.h"

/* What a process needs beyond that. */
enum confine_need {
	CONFINE_STORE = 1 << 0,  /* write at places of open files, and sync them */
	CONFINE_LOOK = 1 << 1,   /* look at names: links, rights, lists of folders */
	CONFINE_PIPES = 1 << 2,  /* make pipes and pairs of sockets for its own threads */
	CONFINE_ROUTES = 1 << 3, /* ask the kernel for this host's addresses */
};
/* What comes of a call that is not listed. */
enum confine_breach {
	CONFINE_FAIL, /* it fails (EPERM) */
	CONFINE_KILL, /* it ends the process (SIGSYS) */
	CONFINE_SAY,  /* as KILL, after its number was written to standard error */
};

/* No capabilities, no new privileges, no core dump or debugger, the end with the parent; then the list of system calls
 * for these needs (bits of confine_need). */
ERR_CHECK enum err_code confine(unsigned needs, enum confine_breach breach, struct err *reterr);

#endif
