/* agent/link/spool_tree.h: what one transaction of the spool does to its LMDB database.
 *
 *   "m"                             -> next, count, bytes, the keeper's mark
 *   "r" sequence                    -> importance, at_ms, frame; or DROPPED, at_ms, through
 *   "o" 255-importance sequence     -> nothing: what is dropped first stands first
 *
 * Numbers are big-endian.  Every function returns a code of LMDB, 0 when all is well; MDB_CORRUPTED when the database
 * is not of this layout.  A transaction in which one failed must be aborted. */
#ifndef KEDGE_AGENT_LINK_SPOOL_TREE_H
#define KEDGE_AGENT_LINK_SPOOL_TREE_H

#include <lmdb.h>

#include "agent/link/spool_internal.h"

/* One transaction and the state that it leads to. */
struct change {
	MDB_txn *txn;
	MDB_dbi dbi;
	uint64_t limit_bytes;
	struct spool_state state;
};

int tree_load(MDB_txn *txn, MDB_dbi dbi, struct spool_state *ret);
int tree_put_state(const struct change *c);

/* Appends one entry, as a report or as a dropped one. */
int tree_put(struct change *c, const struct spool_entry *e, const struct buf *frames);
/* One step towards room for the entries: a stored report is dropped, or an entry marked so.  *ret_more false: they fit,
 * or nothing is left to drop. */
int tree_relieve(struct change *c, struct spool_entry *entries, size_t count, bool *ret_more);
/* One item less at the front; *ret_done when the next one is not acknowledged, or there is none. */
int tree_forget(struct change *c, uint64_t through, bool *ret_done);
int tree_read(MDB_cursor *cursor, uint64_t from, bool (*visit)(void *ctx, const struct spool_item *item), void *ctx);

uint64_t tree_cost(const struct spool_entry *entries, size_t count);
bool tree_any_large(const struct spool_entry *entries, size_t count);

#endif
