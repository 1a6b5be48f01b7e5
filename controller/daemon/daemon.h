/* controller/daemon/daemon.h: the running controller: threads and doors wired around the center.
 *
 *   loop thread    gate, api (shared/ws)          reader thread   reads of the API
 *   center thread  turns, commits                 analyst, outbox their own
 *
 * Effects leave the center's thread through one bounded mailbox to the loop thread.  Start order: store, center, doors,
 * ready; stop order is the reverse: doors say goodbye, what was accepted is committed and answered, then the store
 * closes. */
#ifndef KEDGE_CONTROLLER_DAEMON_DAEMON_H
#define KEDGE_CONTROLLER_DAEMON_DAEMON_H

#include "controller/config/config.h"

enum {
	DAEMON_MAIL_MAX = 65536, /* posts that wait for the loop thread */
	DAEMON_MAIL_BYTES = 256 << 20,
	DAEMON_FILES =
	    20000, /* descriptors: agents, operators (PLATFORM: libwebsockets allocates tables for the whole limit) */
	DAEMON_GOODBYE_MS = 1000,      /* for goodbyes to reach the agents */
	DAEMON_RECHECK_MS = 60 * 1000, /* live connections whose certificates expired meanwhile */
};

/* What daemon_run() would refuse before it opens its store: the configuration, knowledge, identity and issuing
 * authority.  Changes nothing. */
ERR_CHECK enum err_code daemon_check(const struct controller_yaml *y, struct arena *arena, struct err *reterr);
/* Runs until SIGTERM or SIGINT.  Blocks those signals for the process.  The error is for the operator. */
ERR_CHECK enum err_code daemon_run(const struct controller_yaml *y, struct arena *arena, struct err *reterr);

#endif
