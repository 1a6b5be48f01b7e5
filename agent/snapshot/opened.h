/* agent/snapshot/opened.h: what the files of this folder know of an opened restore point. */
#ifndef KEDGE_AGENT_SNAPSHOT_OPENED_H
#define KEDGE_AGENT_SNAPSHOT_OPENED_H

#include "agent/snapshot/manifest.h"
#include "agent/snapshot/reader.h"

struct snapshot {
	struct repo *repo;
	struct arena *arena;
	struct manifest manifest;
	struct tree trees[COMPONENT_COUNT]; /* empty where the component is not in it */
};

const struct snapshot_root *snapshot_root_of(const struct snapshot *s, enum component component, uint32_t root); /* NULL: none */
/* about's roots tell the root's path.  False: there is no such root. */
bool snapshot_entry_fill(const struct snapshot_component *about, enum component component, uint32_t root, const char *path,
    const uint8_t *e, struct snapshot_entry *ret);
/* Below the root; "" for an entry of the roots' block.  False: longer than any path. */
bool tree_entry_path(const struct tree_block *b, const uint8_t *e, char out[PATH_LIMIT]);
const uint8_t *tree_root_entry(const struct tree *t, uint32_t root); /* NULL: none */

#endif
