/* agent/snapshot/trail.h: large parts that one thread has just written, on their way to the disk and out of the page
 * cache.  A restore larger than memory then costs the other services of the host nothing of what they have in the
 * cache, the page frames are used again and again instead of new ones, and little is left for the sync at its end.
 * Durability is none of its business: who needs that syncs, and is told there what a disk refused (syncfs).
 * One thread's. */
#ifndef KEDGE_AGENT_SNAPSHOT_TRAIL_H
#define KEDGE_AGENT_SNAPSHOT_TRAIL_H

#include <stddef.h>
#include <stdint.h>

#include "agent/snapshot/limits.h"

struct trail {
	struct trail_part {
		int fd; /* our own; the writer may close its */
		uint64_t at, size;
	} parts[TRAIL_PARTS]; /* a ring */
	size_t first, count;
	uint64_t bytes; /* of all parts in it */
};

/* The disk starts on this part of fd.  Waits for the oldest ones when more than TRAIL_BYTES are on their way, and lets
 * their pages go.  Parts of less than TRAIL_LEAST are left to the kernel. */
void trail_add(struct trail *t, int fd, uint64_t at, uint64_t size);
/* Waits for what is left, and lets it go. */
void trail_end(struct trail *t);

#endif
