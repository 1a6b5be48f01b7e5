/* agent/link/spool_internal.h: what the two kinds of spool share. */
#ifndef KEDGE_AGENT_LINK_SPOOL_INTERNAL_H
#define KEDGE_AGENT_LINK_SPOOL_INTERNAL_H

#include "agent/link/spool.h"

enum { SPOOL_INLINE_MAX = 2000 }; /* LMDB puts larger values on pages of their own, side by side */

/* A report on its way in. */
struct spool_entry {
	uint64_t sequence, at_ms;
	uint32_t importance;
	size_t offset, size; /* its frame in the buffer; size 0: dropped */
};

struct spool_ops {
	/* Entries are in order, from state.next on; those over the limit have to be dropped. */
	enum err_code (*append)(struct spool *s, struct spool_entry *entries, size_t count, const struct buf *frames,
	    const struct spool_mark *mark, struct err *reterr);
	enum err_code (*read)(struct spool *s, uint64_t from, bool (*visit)(void *ctx, const struct spool_item *item),
	    void *ctx, struct err *reterr);
	enum err_code (*acknowledge)(struct spool *s, uint64_t through, struct err *reterr);
	void (*close)(struct spool *s);
};

struct spool { /* first in the struct of each kind */
	const struct spool_ops *ops;
	uint64_t limit_bytes;
	struct spool_state state; /* as it is durable */
	bool broken;
	struct buf frames;
};

/* What a report counts against the limit: about what it takes on disk, with its index and a neighbour that was dropped.
 */
uint64_t spool_cost(size_t frame_size);

#endif
