/* agent/repository/spool.h: what is too much for memory, written aside while a process needs it.
 *
 * Records lie in an unnamed file beside the packs, sealed under a key that nobody keeps; where the file system has no
 * unnamed files they stay in memory.  One thread at a time.  Blocking. */
#ifndef KEDGE_AGENT_REPOSITORY_SPOOL_H
#define KEDGE_AGENT_REPOSITORY_SPOOL_H

#include "agent/repository/repo_internal.h"
#include "shared/base/buf.h"

struct spool;
ERR_CHECK enum err_code spool_new(const struct repo *r, struct spool **ret, struct err *reterr);
void spool_free(struct spool *s); /* NULL is a no-op */
CLEANUP_DEFINE(struct spool, spool_cleanup, spool_free)
/* The next record: they are numbered from 0. */
ERR_CHECK enum err_code spool_add(struct spool *s, const void *data, size_t size, struct err *reterr);
size_t spool_count(const struct spool *s);
/* Into *out, which is emptied first. */
ERR_CHECK enum err_code spool_get(struct spool *s, size_t number, struct buf *out, struct err *reterr);

#endif
