/* agent/repository/repo_internal.h: what the files of this folder share of a repository.  Immutable once open but for
 * the index. */
#ifndef KEDGE_AGENT_REPOSITORY_REPO_INTERNAL_H
#define KEDGE_AGENT_REPOSITORY_REPO_INTERNAL_H

#include <pthread.h>

#include "agent/repository/chunker.h"
#include "agent/repository/index.h"
#include "agent/repository/repo.h"

struct repo {
	char path[PATH_LIMIT];
	int packs_fd, snapshots_fd;
	struct keys *keys;
	pthread_mutex_t index_mutex; /* of its opening */
	struct index *index;         /* repo_index() */
	struct chunker chunker;
	uint64_t page_key[2]; /* SipHash key of tree page ends */
};

/* The index, opened when it is first asked for: who only looks at restore points, or exchanges what was staged, does
 * without.  One that does not match what it was is rebuilt here from the packs, which takes its time. */
ERR_CHECK enum err_code repo_index(struct repo *r, struct index **ret, struct err *reterr);
ERR_CHECK enum err_code repo_index_reader(struct repo *r, struct index_reader **ret, struct err *reterr);
/* repo_rebuild_index without the catalogue: what an open does by itself must not hide what was taken away. */
ERR_CHECK enum err_code repo_fill_index(
    struct repo *r, struct index *x, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr);
/* Every finished pack file of the folder; the caller frees *ret. */
ERR_CHECK enum err_code repo_pack_files(
    const struct repo *r, struct pack_id **ret, size_t *ret_count, struct err *reterr);
/* Removes packs/NAME.tmp that no living writer holds. */
void repo_sweep(const struct repo *r);
/* A lock on a folder of the repository (flock; operation: LOCK_EX, with LOCK_NB: ERR_BUSY) that the kernel gives back
 * with the descriptor, so that it never goes stale.  snapshots/: a change of marks, or of which restore points there
 * are; packs/: a prune. */
ERR_CHECK enum err_code repo_lock_folder(int folder_fd, int operation, int *ret_fd, struct err *reterr);
ERR_CHECK enum err_code repo_sync_folder(int fd, const char *name, struct err *reterr);

#endif
