/* agent/link/link.h: the unprivileged half of the agent: TLS, the websocket, message parsing, the spool.
 *
 * Runs in a program of its own (kedge-link, which the keeper begins) and speaks to the keeper on one channel
 * (agent/channel).  It opens what it needs first (spool, authority), then gives up every privilege and most system
 * calls. */
#ifndef KEDGE_AGENT_LINK_LINK_H
#define KEDGE_AGENT_LINK_LINK_H

#include "agent/channel/link_options.h"

/* Runs until the keeper says stop or the channel ends; returns the process's exit status.  channel_fd is taken. */
int link_main(int channel_fd, const struct link_options *options);

#endif
