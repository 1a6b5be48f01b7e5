/* agent/snapshot/catalogue.h: which restore points there are, so that one that was taken away is missed.
 *
 *   snapshots/catalogue   "KEDGECT1", repository id (16), u64 count, snapshot ids (16) sorted, Ed25519 signature (64)
 * over all before it, domain "kedge catalogue 1", by the host's key
 *
 * A restore point exists when its manifest does; the catalogue only tells which ought to.  It is changed under the lock
 * on snapshots/: with the manifest, but behind it, when one is taken (a crash between leaves one that is not missed
 * when it goes, until the next is taken), before the manifest when one is removed (a crash between leaves one that is
 * there and not listed).  So what is listed and not there was taken away by somebody else.  `repo rebuild-index` makes
 * it anew from what is there. */
#ifndef KEDGE_AGENT_SNAPSHOT_CATALOGUE_H
#define KEDGE_AGENT_SNAPSHOT_CATALOGUE_H

#include "agent/snapshot/manifest.h"

#define CATALOGUE_NAME "catalogue"
enum { CATALOGUE_SIZE_MAX = 8 + REPO_ID_SIZE + 8 + SNAPSHOT_LIST_MAX * 16 + SIGNATURE_SIZE };

/* Pure.  Sorts ids. */
ERR_CHECK enum err_code catalogue_seal(
    const struct keys *k, struct id *ids, size_t count, struct buf *out, struct err *reterr);
/* Pure.  ERR_CORRUPT.  The caller frees *ret. */
ERR_CHECK enum err_code catalogue_unseal(
    const struct keys *k, const uint8_t *data, size_t size, struct id **ret, size_t *ret_count, struct err *reterr);

/* Its path and the bytes that it is to have when id is taken: everything that is there and id are listed; what was
 * listed and is missing stays so.  One that cannot be read is made anew, with a word in the log.  With the lock on
 * snapshots/ held, until it is written (manifest_write()). */
ERR_CHECK enum err_code catalogue_with(
    const struct repo *r, struct id id, char path[PATH_LIMIT], struct buf *out, struct err *reterr);
/* Durable on return.  With the lock on snapshots/ held. */
ERR_CHECK enum err_code catalogue_remove(const struct repo *r, struct id id, struct err *reterr);
/* Anew, from the manifests that are there, whether they are good or not.  Takes the lock. */
ERR_CHECK enum err_code catalogue_remake(const struct repo *r, struct err *reterr);

/* The same for a repository that is being put together at path, under these keys. */
ERR_CHECK enum err_code catalogue_make(const char *path, const struct keys *k, struct err *reterr);

/* Restore points that are listed and not there; the caller frees *ret.  ERR_NOT_FOUND: there is no catalogue;
 * ERR_CORRUPT: it was changed. */
ERR_CHECK enum err_code catalogue_missing(const struct repo *r, struct id **ret, size_t *ret_count, struct err *reterr);

#endif
