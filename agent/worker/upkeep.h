/* agent/worker/upkeep.h: what keeps a repository in shape: old restore points go, new ones are read back.
 *
 * For workers and the command line alike, so that both protect the same.  Blocking. */
#ifndef KEDGE_AGENT_WORKER_UPKEEP_H
#define KEDGE_AGENT_WORKER_UPKEEP_H

#include "agent/config/config.h"
#include "agent/snapshot/snapshot.h"
#include "agent/snapshot/upkeep.h"

enum {
	UPKEEP_TROUBLE_MS =
	    7 * 24 * 3600 *
	    1000, /* a service that is unwell for longer is not in trouble but misdeclared: its old points go again */
	UPKEEP_FIRST_MS = 10 * 60 * 1000, /* after a start: what else there is to do comes first */
	UPKEEP_RETRY_MS = 10 * 60 * 1000, /* after something had precedence, or failed */
};

/* By the rules of agent.yaml, of one service or (NULL) all of them.  Restore points that an order names which has not
 * ended, or an incident's order that is still remembered, are protected; a service whose newest restore point was taken
 * while it was not well keeps all, for one of them may be named by the incident that is open
 * (*ret_spared counts such services).  ERR_STATE: a rollback was interrupted and not recovered, or the host is on hold.
 * Else as repo_prune(). */
ERR_CHECK enum err_code upkeep_prune(const struct agent_config *c, struct repo *r, const char *service, bool apply,
    const atomic_bool *cancel, struct arena *arena, struct prune_result *ret, size_t *ret_spared, struct err *reterr);

enum upkeep_due { UPKEEP_NOTHING, UPKEEP_SAMPLE, UPKEEP_VERIFY };
/* What is due for the newest restore point of a service that is no safety net, and which that is. */
ERR_CHECK enum err_code upkeep_due(const struct service_config *service, struct repo *r, uint64_t now_ms,
    struct arena *arena, enum upkeep_due *ret, struct snapshot_summary *ret_newest, struct err *reterr);

/* This process from now on only takes what nobody else wants of processor and disk. */
void upkeep_gently(void);

#endif
