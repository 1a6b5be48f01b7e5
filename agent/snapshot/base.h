/* agent/snapshot/base.h: the tree of an earlier restore point, to be compared with while another one is walked.
 *
 * Pages are fetched and authenticated when somebody comes to them, and BASE_HELD of them are in memory at a time, however large the tree
 * is; of the others only the folder that they begin with is remembered.  Walks go in the tree's order, so that each page is fetched once.
 * A page that cannot be read costs time, not correctness: it is named in the log, and what it holds counts as not known.
 *
 * A struct base is shared by threads; a cursor belongs to one. */
#ifndef KEDGE_AGENT_SNAPSHOT_BASE_H
#define KEDGE_AGENT_SNAPSHOT_BASE_H

#include "agent/snapshot/reader.h"

struct base;
/* pages: as in a manifest; borrowed. */
ERR_CHECK enum err_code base_new(struct repo *r, struct bytes pages, struct base **ret, struct err *reterr);
/* A tree that is in memory already; borrowed. */
ERR_CHECK enum err_code base_of_tree(const struct tree *t, struct base **ret, struct err *reterr);
void base_free(struct base *b); /* NULL is a no-op */
CLEANUP_DEFINE(struct base, base_cleanup, base_free)

struct base_cursor {
	struct base *base;     /* NULL: nothing is known */
	const char *path;      /* of the folder; borrowed */
	uint16_t root;
	struct base_slot *slot;
	size_t block;          /* in the slot's page */
	uint32_t at;           /* entries of the block that went before */
	const uint8_t *entry;  /* NULL: no more */
};
/* At the first entry of that folder, if it has any.  base may be NULL.  path must outlive the cursor. */
void base_begin(struct base *b, uint16_t root, const char *path, struct base_cursor *ret);
void base_next(struct base_cursor *c);
/* The entry of that name, valid until the next call; names must be asked for in order.  NULL: not known. */
const uint8_t *base_find(struct base_cursor *c, const char *name, size_t size);
void base_end(struct base_cursor *c);

#endif
