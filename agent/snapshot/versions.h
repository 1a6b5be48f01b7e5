/* agent/snapshot/versions.h: the versions that a restore point notes beside its components': of the operating system,
 * of what the service declares (agent.yaml, `versions`: the first line of a file), and of what an adapter found out. */
#ifndef KEDGE_AGENT_SNAPSHOT_VERSIONS_H
#define KEDGE_AGENT_SNAPSHOT_VERSIONS_H

#include "agent/snapshot/snapshot.h"

/* *ret: struct snapshot_version; what an adapter says (given) goes before what is declared under the same name.  A
 * declared file that cannot be read is named in the log and left out: a restore point without it is better than none.
 */
ERR_CHECK enum err_code versions_gather(const struct service_config *service, const struct snapshot_version *given,
    size_t given_count, struct arena *arena, struct list *ret, struct err *reterr);

#endif
