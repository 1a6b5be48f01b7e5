/* agent/rollback/prepared.h: trees of a restore point that are staged before anybody needs them.
 *
 * rollback_prepare() restores the roots of a component beside the live ones: a folder `.kedge-prepared-…` (0700) on the
 * file system of each root, which snapshots and comparisons pass over, and a record in <state>/rollback/prepared.  A
 * rollback that finds a whole one for exactly its component and restore point exchanges the two trees in one step
 * (renameat2) instead of writing files.  What was live lies in the folder then; rollback_settle() takes the promised
 * safety restore point of it, and leaves it there for a day, itself a prepared tree of that restore point: the way back
 * is an exchange too.
 *
 * The exchange must come to the same as a rollback in place, so a component is prepared only where all that lies below
 * its roots belongs to the restore point: nothing excluded, no never_restore, secret or identity of this host, no mount
 * below; no configuration, whose certificates and secrets are compared with those of the moment.  All of this is asked
 * again before the exchange, beside: is the record complete, not expired, of that content; is each tree the inode that
 * was staged, in a folder that only we may enter; and does a sample of its entries (PREPARED_SAMPLE) look, by all that
 * inodes tell, as it did when it was staged.  A write into one file by root itself may slip through that; the next
 * comparison finds it.  Whatever does not hold is told, and the rollback goes in place.
 *
 * Order: record (not complete), trees, durable, record (complete).  To drop: record (not complete), trees, record.
 * Whoever stages, drops or settles holds <service>.prepare.lock; a record changes only under the rollback's own lock.
 * Blocking; any thread. */
#ifndef KEDGE_AGENT_ROLLBACK_PREPARED_H
#define KEDGE_AGENT_ROLLBACK_PREPARED_H

#include "agent/snapshot/snapshot.h"

enum {
	PREPARED_SAMPLE = 384,        /* entries that are looked at before an exchange: some two milliseconds */
	PREPARED_SAMPLE_TOP = 96,     /* of those the most that lie directly below a root */
	PREPARED_RECORDS_MAX = 256,   /* trees on one host: a few for each service */
	PREPARED_FILE_MAX = 1 << 20,  /* a record: a root may have a path of PATH_LIMIT */
	PREPARED_NAMES_MAX = 4 << 20, /* names of the sample */
	PREPARED_WAIT_MS = 60 * 1000, /* for another process that settles: it reads what changed; our own work in the
				       * background is nobody's error */
	PREPARED_POLL_MS = 10,
};
#define PREPARED_KEEP_MS      (7 * (uint64_t)24 * 3600 * 1000) /* a tree that nobody needed for a week is of the past */
#define PREPARED_UNDO_KEEP_MS ((uint64_t)24 * 3600 * 1000)     /* R3: a rollback can be undone for a day */

enum prepared_state {
	PREPARED_READY,
	PREPARED_UNSAVED,    /* it was put in place, and what was there before is not a restore point yet */
	PREPARED_INCOMPLETE, /* being staged or dropped, or that was interrupted */
	PREPARED_EXPIRED,
	PREPARED_TOUCHED, /* not as it was staged */
	PREPARED_STATE_COUNT
};
extern const struct enum_type prepared_state_enum;

struct prepared_root {
	const char *path, *folder; /* the live root; the folder in which its other tree lies */
	uint64_t inode;            /* of the tree that was staged */
};
struct prepared {
	struct id id;
	const char *service;
	uint32_t component;
	struct id snapshot;
	struct digest digest; /* of the component in that restore point */
	bool complete, undo;  /* undo: what a rollback put aside */
	uint64_t prepared_ms, expires_ms;
	uint64_t entries, size_bytes;
	struct digest seal; /* of the sample */
	struct list roots;  /* struct prepared_root */
};
extern const struct record_type prepared_type;

struct prepare_request {
	const struct service_config *service;
	struct id snapshot;
	uint32_t components; /* bits; 0: all that can be */
	uint64_t now_ms;
	snapshot_progress_fn *progress; /* may be NULL */
	void *progress_ctx;
};
struct prepare_result {
	uint32_t component;
	const struct prepared *prepared; /* NULL: it was not */
	const char *why;                 /* not; or NULL */
};
/* Stages what can be staged; *ret: struct prepare_result, one a component, in arena.  What is staged already is only
 * kept longer.  ERR_BUSY: somebody else still prepares after PREPARED_WAIT_MS; ERR_FULL, ERR_CORRUPT, …: that component
 * is left without. */
ERR_CHECK enum err_code rollback_prepare(struct repo *repo, const char *state_directory,
    const struct prepare_request *r, struct arena *arena, struct list *ret, struct err *reterr);

struct prepared_tree { /* one of a list */
	const char *service;
	uint32_t component;
	struct id snapshot;
	uint32_t state; /* enum prepared_state */
	bool undo;
	uint64_t prepared_ms, expires_ms;
	uint64_t entries, size_bytes;
};
extern const struct record_type prepared_tree_type;
/* service NULL: all.  *ret: struct prepared_tree. */
ERR_CHECK enum err_code rollback_prepared(const char *state_directory, const char *service, uint64_t now_ms,
    struct arena *arena, struct list *ret, struct err *reterr);

/* Removes those of a service; snapshot zero: of any restore point; components 0: any.  *ret: how many.  Waits for
 * whoever is at them (PREPARED_WAIT_MS).  ERR_BUSY: one is unsaved (rollback_settle() comes first), and stays. */
ERR_CHECK enum err_code rollback_prepared_drop(const char *state_directory, const char *service, struct id snapshot,
    uint32_t components, struct arena *arena, size_t *ret, struct err *reterr);
/* Removes what has expired, was interrupted or touched, or whose restore point is gone; passes over what is in use. */
ERR_CHECK enum err_code rollback_prepared_sweep(struct repo *repo, const char *state_directory, uint64_t now_ms,
    struct arena *arena, size_t *ret, struct err *reterr);

/* What rollbacks of the service have put aside becomes the restore points that they promised.  *ret: struct
 * snapshot_summary, those that were taken now.  Waits for whoever is at it already (PREPARED_WAIT_MS). */
ERR_CHECK enum err_code rollback_settle(struct repo *repo, const char *state_directory,
    const struct service_config *service, uint64_t now_ms, struct arena *arena, struct list *ret, struct err *reterr);
/* Is there anything of that service to settle?  Quick. */
bool rollback_is_unsettled(const char *state_directory, const char *service);

#endif
