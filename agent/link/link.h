/* agent/link/link.h: the unprivileged half of the agent: TLS, the websocket, message parsing, the spool.
 *
 * Runs in a process of its own (the keeper forks it) and speaks to the keeper on one channel (agent/channel).  It opens
 * what it needs first (spool, authority), then gives up every privilege and most system calls. */
#ifndef KEDGE_AGENT_LINK_LINK_H
#define KEDGE_AGENT_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/id.h"

struct link_options {           /* borrowed for the call */
	const char *url;        /* wss://host:port of the agents' port */
	const char *controller; /* the name that its certificate must carry */
	const char *domain;
	const char *host;      /* our own name */
	const char *authority; /* PEM file of the only authority that is believed */
	const char *spool;     /* folder, made if missing */
	uint64_t spool_limit_bytes;
	/* This run of the keeper, the same for every link that it begins: what such a link has stored, the next one
	 * does not store again.  Zero: this link's own. */
	struct id boot;
	bool drop_privileges; /* become uid and gid, without groups and capabilities */
	uid_t uid;
	gid_t gid;
	bool debug; /* say on standard error which forbidden system call ends it */
};

/* Runs until the keeper says stop or the channel ends; returns the process's exit status.  channel_fd is taken. */
int link_main(int channel_fd, const struct link_options *options);

#endif
