/* agent/snapshot/paged.h: a tree whose pages come and go: at most so many bytes of them are in memory, however large it
 * is.
 *
 * Pages of a stored tree are fetched from the repository and authenticated when somebody comes to them; those of a tree
 * that this process has made are written aside (spool.h) when there are too many.  Of each page only the folder that it
 * begins with is remembered.
 *
 * A struct paged is shared by threads; a cursor or walk belongs to one.  NULL is a tree without entries. */
#ifndef KEDGE_AGENT_SNAPSHOT_PAGED_H
#define KEDGE_AGENT_SNAPSHOT_PAGED_H

#include "agent/snapshot/reader.h"

struct paged;
/* A stored tree.  pages: as in a manifest; borrowed. */
ERR_CHECK enum err_code paged_of(
    struct repo *r, struct bytes pages, size_t held_bytes, struct paged **ret, struct err *reterr);
/* A tree in the making; each page must come after those before it, one thread at a time. */
ERR_CHECK enum err_code paged_made(struct repo *r, size_t held_bytes, struct paged **ret, struct err *reterr);
ERR_CHECK enum err_code paged_add(struct paged *p, const uint8_t *data, size_t size, struct err *reterr);
void paged_free(struct paged *p); /* NULL is a no-op */
CLEANUP_DEFINE(struct paged, paged_cleanup, paged_free)
size_t paged_count(const struct paged *p); /* pages */
/* Every page once: all can be read, and they follow one another.  ERR_CORRUPT. */
ERR_CHECK enum err_code paged_check(struct paged *p, struct err *reterr);

/* ---- a page; it stays until it is let go ---- */

struct paged_slot { /* page, tree: for users; the rest is paged.c's */
	size_t page;
	struct tree tree;
	unsigned users;
	uint64_t used;
	bool aside; /* written there, or never needs to be */
};
ERR_CHECK enum err_code paged_hold(struct paged *p, size_t page, struct paged_slot **ret, struct err *reterr);
void paged_hold_more(struct paged *p, struct paged_slot *s); /* once more */
void paged_let_go(struct paged *p, struct paged_slot *s);    /* NULL slot is a no-op */

/* Block after block. */
struct paged_walk {
	struct paged *paged;
	struct paged_slot *slot;
	size_t next, at;                /* page to hold next; which of the slot's blocks */
	const struct tree_block *block; /* NULL: no more */
};
#define PAGED_WALK(PAGED) ((struct paged_walk){.paged = (PAGED)})
ERR_CHECK enum err_code paged_walk_next(struct paged_walk *w, struct err *reterr);
void paged_walk_end(struct paged_walk *w);

/* ---- a folder ----
 * A page that cannot be read costs time, not correctness, to those who ask what was known: it is named in the log, and
 * what it holds counts as not there. */

struct paged_cursor {
	struct paged *paged; /* NULL: nothing is known */
	const char *path;    /* of the folder; borrowed */
	uint16_t root;
	struct paged_slot *slot;
	size_t block;         /* in the slot's page */
	uint32_t at;          /* entries of the block that went before */
	const uint8_t *entry; /* NULL: no more */
};
/* At the first entry of that folder, if it has any.  path must outlive the cursor. */
void paged_begin(struct paged *p, uint16_t root, const char *path, struct paged_cursor *ret);
void paged_next(struct paged_cursor *c);
/* The entry of that name, valid until the next call; names must be asked for in order.  NULL: not known. */
const uint8_t *paged_find(struct paged_cursor *c, const char *name, size_t size);
void paged_end(struct paged_cursor *c);

/* One entry, by its path below the root ("": the root itself), as a copy that stays as long as p: some 200 bytes for
 * each that was ever looked up.  NULL: not there. */
const uint8_t *paged_lookup(struct paged *p, uint32_t root, const char *path);

#endif
