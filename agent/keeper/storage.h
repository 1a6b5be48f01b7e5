/* agent/keeper/storage.h: what this host's restore points are read from, where other hosts read from that too (RULES
 * R16): the controller lets only so many restore from one such storage at once.
 *
 * agent.yaml says its name (`storage`); where it does not, the mount below the state directory does: a server of files
 * by its name, another storage that several hosts mount by its device.  Blocking for one small file. */
#ifndef KEDGE_AGENT_KEEPER_STORAGE_H
#define KEDGE_AGENT_KEEPER_STORAGE_H

#include "agent/config/config.h"

/* False: a disk of the host's own. */
bool storage_name(const struct agent_config *c, char ret[NAME_MAX_BYTES + 1]);
/* From proc(5)'s mountinfo, for a real path.  Pure. */
bool storage_of_mount(const char *mountinfo, const char *path, char ret[NAME_MAX_BYTES + 1]);

#endif
