/* agent/keeper/keeper.h: the privileged half of the agent: probes, logs, schedules, orders, workers, and the link's
 * guardian.
 *
 * One loop, one thread.  Heavy work runs in worker processes (jobs.h).  Its probes connect to what agent.yaml names; it
 * listens nowhere and parses nothing of the network's but what the link hands over on the channel, each request checked
 * by who may ask it (agent/channel).  Without a controller, or while it is away, everything local goes on. */
#ifndef KEDGE_AGENT_KEEPER_KEEPER_H
#define KEDGE_AGENT_KEEPER_KEEPER_H

#include "agent/config/config.h"

enum {
	KEEPER_HEARTBEAT_MS = 30 * 1000, /* until the controller says otherwise */
	KEEPER_HOST_REPORT_MS = 30 * 1000,
	KEEPER_DRIFT_DEFAULT_MS = 60 * 1000,
	KEEPER_ARCHIVE_MS = 20 * 1000,       /* a gap in a database's log is told within a minute */
	KEEPER_FIRST_SNAPSHOT_MS = 5 * 1000, /* probes get this long to say that the service is well */
	KEEPER_STOP_MS =
	    60 * 1000, /* SIGTERM: a rollback that has begun may take this long to end; then its journal must do */
	KEEPER_LINK_STOP_MS = 3 * 1000,
	KEEPER_LINK_RESTART_MS = 1000, /* doubles up to … */
	KEEPER_LINK_RESTART_MAX_MS = 60 * 1000,
	KEEPER_TRIM_MS = 5 * 60 * 1000, /* how often memory that is not used is given back; first after ten seconds */
	KEEPER_CERTIFICATE_MS = 10 * 1000, /* how often the certificate's age is looked at */
};

/* Runs until SIGTERM or SIGINT.  ERR_BUSY: another keeper has this state_directory. */
ERR_CHECK enum err_code keeper_run(const struct agent_config *c, struct err *reterr);

#endif
