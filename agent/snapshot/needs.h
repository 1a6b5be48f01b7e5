/* agent/snapshot/needs.h: the chunks that restore points need.  One thread. */
#ifndef KEDGE_AGENT_SNAPSHOT_NEEDS_H
#define KEDGE_AGENT_SNAPSHOT_NEEDS_H

#include "agent/snapshot/findings.h"
#include "agent/snapshot/reader.h"

struct need {
	struct place place;
	struct chunk_id id;
};
struct needs {
	struct need *all;
	size_t count, room;
	uint64_t missing;
};
/* Adds every chunk of the tree; what is in no pack, or in one for which usable (by number, may be NULL) is 0, or whose
 * list cannot be read, becomes a finding that names the file.  label begins each finding. */
ERR_CHECK enum err_code needs_add_tree(struct needs *n, struct reader *rd, const struct tree *t, const uint8_t *usable,
    size_t usable_count, const char *label, struct findings *f, struct err *reterr);
ERR_CHECK enum err_code needs_add_pages(struct needs *n, struct reader *rd, struct bytes pages, const uint8_t *usable,
    size_t usable_count, const char *label, struct findings *f, struct err *reterr);
/* By place, each once. */
void needs_sort(struct needs *n);
void needs_done(struct needs *n);

#endif
