/* agent/snapshot/taking.h: what the files of this folder know of a restore point that is being taken. */
#ifndef KEDGE_AGENT_SNAPSHOT_TAKING_H
#define KEDGE_AGENT_SNAPSHOT_TAKING_H

#include "agent/snapshot/paged.h"
#include "agent/snapshot/snapshot.h"

/* What was read; empty where that component is not in it.  As stored, so with ctime and inode of every entry. */
struct paged *taking_tree(const struct snapshot_taking *t, enum component which);
const struct snapshot_component *taking_about(
    const struct snapshot_taking *t, enum component which); /* NULL: not in it */

#endif
