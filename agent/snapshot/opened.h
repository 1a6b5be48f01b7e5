/* agent/snapshot/opened.h: what the files of this folder know of an opened restore point. */
#ifndef KEDGE_AGENT_SNAPSHOT_OPENED_H
#define KEDGE_AGENT_SNAPSHOT_OPENED_H

#include "agent/snapshot/manifest.h"
#include "agent/snapshot/paged.h"

struct snapshot {
	struct repo *repo;
	struct arena *arena;
	struct manifest manifest;
	struct paged *trees[COMPONENT_COUNT]; /* NULL where the component is not in it, or not loaded */
	uint32_t loaded;                      /* bits of components */
};

/* Large files (RESTORE_SHARE_LEAST) are handed to share, all their references in a row, instead of being written by the
 * reader's thread; share returns when all is written, by snapshot_write_part() with readers of any threads. references:
 * of consecutive chunks from at. */
typedef enum err_code snapshot_share_fn(
    void *ctx, struct snapshot_reader *r, const uint8_t *references, size_t size, int fd, struct err *reterr);
void snapshot_reader_share(struct snapshot_reader *r, snapshot_share_fn *share, void *ctx);
ERR_CHECK enum err_code snapshot_write_part(
    struct snapshot_reader *r, const uint8_t *references, size_t size, int fd, uint64_t at, struct err *reterr);

/* What it writes need not stay in the page cache (trail.h). */
void snapshot_reader_passing(struct snapshot_reader *r);

/* What is made from now on lies in folders that hand nothing down: it has no extended attributes by itself. */
void snapshot_reader_plain(struct snapshot_reader *r, bool plain);
/* snapshot_set_metadata(); plain: the same of something that was just made. */
ERR_CHECK enum err_code snapshot_set_metadata_of(
    const struct snapshot_entry *e, int dirfd, const char *name, bool plain, struct err *reterr);

const struct snapshot_root *snapshot_root_of(
    const struct snapshot *s, enum component component, uint32_t root); /* NULL: none */
/* about's roots tell the root's path.  False: there is no such root. */
bool snapshot_entry_fill(const struct snapshot_component *about, enum component component, uint32_t root,
    const char *path, const uint8_t *e, struct snapshot_entry *ret);
/* Below the root; "" for an entry of the roots' block.  False: longer than any path. */
bool tree_entry_path(const struct tree_block *b, const uint8_t *e, char out[PATH_LIMIT]);

#endif
