/* agent/snapshot/restore_internal.h: what restore*.c share: one component on its way into an empty place. */
#ifndef KEDGE_AGENT_SNAPSHOT_RESTORE_INTERNAL_H
#define KEDGE_AGENT_SNAPSHOT_RESTORE_INTERNAL_H

#include <pthread.h>

#include "agent/snapshot/opened.h"
#include "shared/base/map.h"

/* Some entries of one page in a row. */
struct restore_run {
	struct paged_slot *slot; /* held; NULL: none */
	size_t block;            /* in that page: where it begins, */
	uint32_t at;             /* so many entries of the block went before, */
	const uint8_t *raw;      /* which is this one */
	uint32_t count;          /* entries */
	uint32_t roots;          /* how many entries of the blocks of roots went before */
};
struct restore_shared; /* a large file, written in parts by whoever has time */

struct restoring {
	struct snapshot *s;
	const struct restore_options *o;
	const char *dir;
	int dir_fd;
	struct paged *tree;
	const struct snapshot_component *about;
	int root_fds[SNAPSHOT_ROOTS_MAX]; /* of roots that are directories */
	pthread_mutex_t mutex;            /* of the next seven */
	pthread_cond_t wake, over;        /* over: for who syncs along */
	struct map *links;                /* link number -> place of the first wanted entry */
	size_t made;                      /* pages whose directories are there, and whose links are noted */
	struct restore_run next;          /* where the next worker goes on */
	size_t next_page;
	unsigned busy; /* workers with a batch */
	atomic_bool
	    hands_down; /* some root was made with extended attributes (a default ACL, a label): so is what is in it */
	struct restore_shared *shared[SNAPSHOT_WORKERS_MAX];
	enum err_code rc;
	struct err err;
	_Atomic uint64_t entries, files, bytes;
	bool done;      /* under the mutex: nothing more is written */
	int sync_errno; /* of the syncs on the way: a failure is told once, to whoever asks first */
	pthread_t caller;
	uint64_t next_report_ms, total; /* total: entries, when all are wanted */
};

/* ---- restore_tree.c: names ---- */

bool restore_is_at_or_below(const char *path, const char *folder);
/* The entry at raw in block b, and whether it is wanted.  *roots counts the entries of the blocks of roots. */
bool restore_fill(const struct restoring *r, const struct tree_block *b, const uint8_t *raw, uint32_t *roots,
    char path[PATH_LIMIT], struct snapshot_entry *ret);
/* The descriptor of the folder that holds the entry, and its name there. */
ERR_CHECK enum err_code restore_open_folder(
    const struct restoring *r, const struct snapshot_entry *e, int *ret_fd, char name[PATH_LIMIT], struct err *reterr);
/* Of all names of a file that are wanted, the first in the tree. */
bool restore_is_first_name(struct restoring *r, const struct snapshot_entry *e, const struct paged_slot *slot);
/* All directories, and which entry is the first wanted name of each hard-linked file; workers may follow page by page.
 */
ERR_CHECK enum err_code restore_make_directories(struct restoring *r, struct err *reterr);
/* The further names of files. */
ERR_CHECK enum err_code restore_make_links(struct restoring *r, struct err *reterr);
/* The directories' own metadata. */
ERR_CHECK enum err_code restore_finish_directories(struct restoring *r, struct err *reterr);

/* ---- restore_files.c: everything else, by several workers ---- */

/* Directories, and what is in them. */
ERR_CHECK enum err_code restore_run_workers(struct restoring *r, struct err *reterr);
/* Was it made without extended attributes? */
bool restore_is_plain(const struct restoring *r, const struct snapshot_entry *e);
void restore_report(const struct restoring *r);
bool restore_is_stopped(const struct restoring *r); /* with the mutex held */

#endif
