/* controller/store/store.h: tables of bytes, one write-set at a time.  The only folder that sees lmdb.
 *
 * Owns the store's folder: data.mdb, lock.mdb, `reserve` (space for bad days, see limits.h), and `controller.lock`,
 * held by the one controller that may write. A commit is whole and on the disk when it returns ERR_OK; what was
 * acknowledged before a crash or a power cut is there after it.
 *
 * One thread commits (the center).  Views may be opened by any thread; one view is used by one thread at a time, and
 * only for a short while: it pins what it sees.  A view that is open longer than STORE_VIEW_LIMIT_MS answers
 * ERR_TIMEOUT from then on.
 *
 * Any error of store_commit means that memory must not be trusted any more: end the process, start again.  The store
 * refuses everything afterwards (ERR_STATE).  (LMDB 0.9.24: after a failed sync the next begin succeeds, over pages
 * that may not be on the disk.) */
#ifndef KEDGE_CONTROLLER_STORE_STORE_H
#define KEDGE_CONTROLLER_STORE_STORE_H

#include "controller/store/limits.h"
#include "controller/turn/batch.h"

struct store;
struct store_view;

struct store_options {
	const char *folder;        /* made if missing, mode 0700 */
	size_t map_bytes;          /* first size of the map; 0: STORE_MAP_FIRST_BYTES.  It grows by itself */
	uint64_t (*mono_ms)(void); /* NULL: clock_mono_ms */
};

/* LMDB.  ERR_BUSY names the process that holds the folder; ERR_FULL the disk; ERR_CORRUPT what to do. */
ERR_CHECK enum err_code store_open(const struct store_options *o, struct store **ret, struct err *reterr);
/* In memory, for the simulator and tests: views are real snapshots, commits are whole; there is nothing below it to
 * crash but store_memory_fail. */
ERR_CHECK enum err_code store_open_memory(struct store **ret, struct err *reterr);
void store_close(struct store *s); /* NULL is a no-op; views must be closed */

/* who names the reader in the log ("api", "analyst").  ERR_BUSY: too many readers. */
ERR_CHECK enum err_code store_view_open(struct store *s, const char *who, struct store_view **ret, struct err *reterr);
void store_view_close(struct store_view *v);                         /* NULL is a no-op */
const struct turn_view *store_view_turn(const struct store_view *v); /* as long as v is open */

/* Sorted by key, each key once (batch_writes gives that).  Nothing to write is ERR_OK without touching the disk.  The
 * committing thread should hold no view of its own: a full map grows only when no view is open. */
ERR_CHECK enum err_code store_commit(
    struct store *s, const struct turn_write *writes, size_t count, struct err *reterr);

struct store_stats {
	uint64_t map_bytes, used_bytes; /* used: highest page ever in use */
	uint64_t disk_free_bytes;       /* to an unprivileged process; UINT64_MAX in memory */
	bool low;                       /* little is free: the reserve was given back, new work should be refused */
	uint64_t commits, writes;       /* since open */
	uint32_t views;                 /* open now */
	uint64_t oldest_view_ms;        /* age */
	uint32_t dead_readers;          /* slots of killed processes that were cleared since open */
	uint32_t grown;                 /* times that the map grew since open */
};
/* Every few seconds: see how much of the disk is free, take or give back the reserve; clear readers of dead processes,
 * warn of long ones and end those past the limit.  Any thread. */
void store_check(struct store *s, struct store_stats *ret);

/* ---- memory store only ---- */
enum store_fault {
	STORE_FAULT_NONE,
	STORE_FAULT_LOST,    /* the commit fails and nothing of it is there */
	STORE_FAULT_UNKNOWN, /* the commit fails, yet all of it is there: power went after the sync */
};
/* The commit after `after` more good ones has this fault; then the store is broken until store_memory_restart. */
void store_memory_low(struct store *s, bool low); /* as if the disk were nearly full, or no longer */
void store_memory_fail(struct store *s, enum store_fault fault, uint64_t after);
/* What a process that starts again finds: the committed state.  Views must be closed. */
void store_memory_restart(struct store *s);

#endif
