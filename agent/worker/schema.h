/* agent/worker/schema.h: under which schema a service's components are now, for the manifest of a restore point: what a
 * rollback must not go past without them (agent/rollback/progressive.h).  Blocking. */
#ifndef KEDGE_AGENT_WORKER_SCHEMA_H
#define KEDGE_AGENT_WORKER_SCHEMA_H

#include "agent/config/config.h"
#include "agent/snapshot/snapshot.h"

/* "data_schema": the first line that the component's `schema` program prints.  One that fails is left out and logged:
 * not to know counts as another schema.  *ret_count at most COMPONENT_COUNT; strings live in arena. */
void schema_versions(const struct service_config *service, struct arena *arena,
    struct snapshot_version out[COMPONENT_COUNT], size_t *ret_count);

#endif
