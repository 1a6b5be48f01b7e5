/* agent/snapshot/limits.h: the limits of the snapshot engine, each with its reason. */
#ifndef KEDGE_AGENT_SNAPSHOT_LIMITS_H
#define KEDGE_AGENT_SNAPSHOT_LIMITS_H

#include "agent/repository/limits.h"

enum {
	SNAPSHOT_WORKERS_MAX = 4, /* beyond that the disk, not the processor, is the limit, and each costs some 4 MiB */
	SNAPSHOT_ROOTS_MAX = 260, /* per component: CONFIG_PATHS_MAX declared paths, git, release link and its target */
	SNAPSHOT_VERSIONS_MAX = 16,         /* facts about versions that a restore point carries */
	SNAPSHOT_READ_TRIES = 3,            /* a file that changed under the reader three times is marked torn */
	SNAPSHOT_XATTR_BYTES_MAX = 1 << 17, /* names and values of one entry; Linux allows 64 KiB of each */
	SNAPSHOT_SUMMARY_TEXT_MAX = 256,
	SNAPSHOT_LIST_MAX = 100000, /* restore points in one repository: hourly for eleven years */
	SCAN_BACKLOG =
	    4 << 20, /* bytes of a tree that wait for a folder before them until workers look after that one */
	CHUNK_STRIP = 16 << 20,     /* a large file is cut into strips that workers take one by one */
	CHUNKS_INLINE_MAX = 64,     /* references kept in a tree entry; beyond that they move to list chunks */
	CHUNKS_PER_LIST_MAX = 4096, /* references in one list chunk: 96 KiB */
	CHUNKS_PER_LIST_MIN = 256,
	LIST_DEPTH_MAX = 3, /* lists of lists of lists: a pebibyte */
	TREE_PAGE_MIN =
	    32 << 10, /* pages end at a name whose hash says so, between these sizes, so that most pages of a */
	TREE_PAGE_MAX =
	    256 << 10, /* changed tree stay as they are; a single entry with large xattrs fits into the larger */
	PAGED_BASE_BYTES =
	    1 << 20, /* of the last tree's pages are held while the next one is walked: each worker's, and some more */
	PAGED_OPEN_BYTES = 12 << 20, /* of an opened restore point's: a tree of 75,000 files stays in memory whole */
	PAGED_LIVE_BYTES =
	    12 << 20,          /* of a live tree that is to be compared: 75,000 entries, so that none is read back */
	TREE_DEPTH_MAX = 2048, /* PATH_LIMIT of one-letter names */
	MANIFEST_SIZE_MAX = 64 << 20, /* 24 bytes a tree page: 100 million files */
	VERIFY_SAMPLE_CHUNKS = 4603,  /* ln 0.01 / ln 0.999: 99 % sure that fewer than 0.1 % of chunks are bad */
	VERIFY_BATCH = 96 << 10,      /* chunks that are checked together in the order of the packs: 44 bytes each */
	PRUNE_GRACE_MS =
	    24 * 60 * 60 * 1000, /* longer than the longest snapshot that may still refer to a condemned pack */
	SAFETY_KEEP_MS =
	    7 * 24 * 60 * 60 *
	    1000, /* a rollback can be undone for a day at least; a week is how long its order is remembered */
	PRUNE_CLOCK_SLACK_MS =
	    60 * 60 * 1000,             /* a restore point from further in the future means that a clock is wrong */
	RESTORE_SHARE_LEAST = 32 << 20, /* a file of this size is written by several workers, */
	RESTORE_PART = 8 << 20,         /* so much at a time */
	TRAIL_LEAST =
	    1 << 20, /* smaller parts are written back together by the kernel: seeking for each would cost more */
	TRAIL_BYTES =
	    32 << 20,     /* on their way to the disk, of one worker: some parts, so that it seldom waits for the */
	TRAIL_PARTS = 32, /* oldest; and so many descriptors at most */
	RESTORE_SYNC_BYTES = 192 << 20, /* after so much that was written the disk is set to work, beside the workers */
	RESTORE_BATCH_ENTRIES =
	    2048, /* a worker takes so many entries at a time, to go through in the order of packs, */
	RESTORE_BATCH_BYTES = 32 << 20,        /* or so many bytes */
	REPACK_LIVE_PERCENT = 40,              /* a pack of which less is needed is worth writing the rest anew */
	REPACK_SMALL_BYTES = PACK_TARGET / 16, /* hourly snapshots leave packs like this; */
	REPACK_SMALL_COUNT = 64, /* when so many have gathered they are made one: each costs a look at every snapshot */
	REPACK_RUN_BYTES = 1 << 30, /* rewritten in one run at most: pruning stays short, the rest comes next time */
};

/* Folders of this name hold trees of restore points that were staged beforehand (agent/rollback/prepared.h): no part of
 * what lies around them. */
#define PREPARED_PREFIX ".kedge-prepared-"

#endif
