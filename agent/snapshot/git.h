/* agent/snapshot/git.h: what a git work tree says about itself, read from its files: no program and no hook is run.
 * Blocking; any thread.  Formats: gitrepository-layout(5), gitformat-index(5) versions 2 to 4 with SHA-1 names. */
#ifndef KEDGE_AGENT_SNAPSHOT_GIT_H
#define KEDGE_AGENT_SNAPSHOT_GIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

enum { GIT_COMMIT_MAX = 64, GIT_INDEX_SIZE_MAX = 48 << 20 };

/* The commit that HEAD means, in hex; "" before the first commit.  ERR_NOT_FOUND: no work tree. */
ERR_CHECK enum err_code git_commit(const char *worktree, char out[GIT_COMMIT_MAX + 1], struct err *reterr);
/* Does a tracked file differ from what the index says was checked out or staged, or is it gone?  A submodule does when
 * it is at another commit, or dirty itself; one that is not checked out does not.  Untracked files do not count. An
 * index that is not understood counts as dirty. */
bool git_dirty(const char *worktree);

/* One entry of the index; path borrowed until the next. */
struct git_entry {
	const char *path;
	uint32_t mode, size, mtime, mtime_ns, inode, flags;
	uint8_t blob[20];
};
typedef bool git_entry_fn(void *ctx, const struct git_entry *e); /* false: enough */
/* Pure.  ERR_CORRUPT, ERR_UNSUPPORTED. */
ERR_CHECK enum err_code git_index_parse(
    const uint8_t *data, size_t size, git_entry_fn *visit, void *ctx, struct err *reterr);

#endif
