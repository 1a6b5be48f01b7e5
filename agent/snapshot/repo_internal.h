/* agent/snapshot/repo_internal.h: what the files of this folder share of a repository.  Immutable once open but for the index. */
#ifndef KEDGE_AGENT_SNAPSHOT_REPO_INTERNAL_H
#define KEDGE_AGENT_SNAPSHOT_REPO_INTERNAL_H

#include <pthread.h>

#include "agent/snapshot/chunker.h"
#include "agent/snapshot/index.h"
#include "agent/snapshot/repo.h"

struct repo {
	char path[PATH_LIMIT];
	int packs_fd, snapshots_fd;
	struct keys *keys;
	struct index *index;
	struct chunker chunker;
	uint64_t page_key[2];        /* SipHash key of tree page ends */
	pthread_mutex_t marks_mutex; /* one change of marks at a time */
};

/* Every finished pack file of the folder; the caller frees *ret. */
ERR_CHECK enum err_code repo_pack_files(const struct repo *r, struct pack_id **ret, size_t *ret_count, struct err *reterr);
/* Removes packs/NAME.tmp that no living writer holds. */
void repo_sweep(const struct repo *r);
ERR_CHECK enum err_code repo_sync_folder(int fd, const char *name, struct err *reterr);

#endif
