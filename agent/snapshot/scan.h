/* agent/snapshot/scan.h: reading a component's live tree and writing it down.
 *
 * Workers take directories from a stack, list them, and merge each sorted listing with the same directory of a base
 * tree (the last restore point): what has the same size, mtime, ctime and inode there is taken over unread.  What is
 * new or changed is read, cut and handed to the worker's packer, which stores it or only names it.  Directories are
 * opened beneath their root by openat2 without ever following a symlink.  A large file is shared out in strips among
 * idle workers.
 *
 * What was read leaves at once, as pages of the new tree in order: workers stay close to where the tree is being
 * written (SCAN_BACKLOG), so that memory does not grow with the number of files, only with the widest folder and with
 * the number of hard-linked files.
 *
 * Files that change while they are read are read again, SNAPSHOT_READ_TRIES times, then marked torn; names that vanish
 * are left out and counted; anything that cannot be read is an error that names the path, and ends the scan. */
#ifndef KEDGE_AGENT_SNAPSHOT_SCAN_H
#define KEDGE_AGENT_SNAPSHOT_SCAN_H

#include "agent/repository/store.h"
#include "agent/snapshot/paged.h"
#include "agent/snapshot/tree.h"

enum scan_mode {
	SCAN_READ, /* read what is not known by its metadata */
	SCAN_STAT, /* read nothing: what is not known stays ENTRY_UNREAD */
};

struct scan_root {
	const char *path, *name;              /* name: as in the block of roots; sorted by it */
	const struct snapshot_source *source; /* NULL: none; says how it is read (snapshot.h) */
};

/* A page of the new tree; they come in order, one at a time, on the workers' threads.  packer: of the thread, to store
 * it with. */
typedef enum err_code scan_page_fn(
    void *ctx, struct packer *packer, const uint8_t *data, size_t size, struct err *reterr);

struct scan_options {
	struct repo *repo;
	struct store_run *run;
	enum scan_mode mode;
	const struct scan_root *roots;
	size_t root_count;
	const struct list *exclude, *exclude_too; /* globs (const char *) below each root; may be NULL */
	struct paged *base;                       /* may be NULL */
	struct paged *cut; /* tells how the files were cut that are read; the base, NULL, or another */
	bool trust_base;   /* false: the base only tells how files were cut */
	bool missing_ok;   /* a root that is not there is left out */
	scan_page_fn *put; /* NULL: only the totals are wanted */
	void *put_ctx;
	unsigned workers;
	snapshot_progress_fn *progress;
	void *progress_ctx;
	struct snapshot_progress *total; /* progress is added to it, over the components of one snapshot */
	const atomic_bool *cancel;
};
struct scan_counts {
	uint64_t torn, vanished, read_files;
};
struct scan_totals {
	struct digest digest;
	uint64_t entries, files, bytes;
};

/* The packers of finished scans live in *packers (worker_count of them, made on first use) so that several components
 * share packs. */
struct scan_packers {
	struct packer *of[SNAPSHOT_WORKERS_MAX];
};
void scan_packers_done(struct scan_packers *p);
/* The last segments and packs of all of them, durable. */
ERR_CHECK enum err_code scan_packers_finish(struct scan_packers *p, struct err *reterr);

ERR_CHECK enum err_code scan_run(const struct scan_options *o, struct scan_packers *packers,
    struct scan_counts *ret_counts, struct scan_totals *ret_totals, struct err *reterr);

/* 0: one a processor, at most SNAPSHOT_WORKERS_MAX. */
unsigned scan_workers(unsigned wanted);

#endif
