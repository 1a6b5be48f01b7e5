/* controller/store/limits.h */
#ifndef KEDGE_CONTROLLER_STORE_LIMITS_H
#define KEDGE_CONTROLLER_STORE_LIMITS_H

/* Address space only: the file is as large as its contents.  Growing waits for readers, so begin with room. */
#define STORE_MAP_FIRST_BYTES ((size_t)1 << 30)
/* Far beyond what one controller holds: a runaway ends here. */
#define STORE_MAP_MAX_BYTES ((size_t)1 << 40)

/* Less free than this is little: no new work.  A file of STORE_RESERVE_BYTES is then given back to the disk, so that
 * what is under way can end: a rollback of a fleet commits some megabytes.  Taken again once so much is free that it
 * changes nothing. */
#define STORE_LOW_BYTES     ((uint64_t)32 << 20)
#define STORE_RESERVE_BYTES ((uint64_t)32 << 20)
#define STORE_ENOUGH_BYTES  (2 * STORE_LOW_BYTES + STORE_RESERVE_BYTES)

enum {
	STORE_READERS_MAX = 512, /* requests in flight, the analyst, a backup; LMDB's default of 126 is near to that */
	STORE_LOCK_BYTES = 64 << 10, /* of lock.mdb: more than those readers need */
	STORE_VIEW_LIMIT_MS = 60000, /* a reader keeps pages from being used again: the longest report takes seconds */
	STORE_VIEW_WARN_MS = 10000,  /* said once in the log */
	STORE_GROW_WAIT_MS = 30000,  /* how long a full map waits for readers to end before the process does */
	STORE_WHO_MAX = 32,          /* a reader's name in the log */
	STORE_MANIFEST_MAX = 16384,  /* a backup's manifest */
	STORE_SCHEMA_CHUNK = 5000,   /* records that a schema step writes in one commit */
};

#endif
