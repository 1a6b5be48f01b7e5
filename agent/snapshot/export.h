/* agent/snapshot/export.h: what of a repository makes a restore point whole elsewhere: for copies that leave the host.
 * Blocking; any thread. */
#ifndef KEDGE_AGENT_SNAPSHOT_EXPORT_H
#define KEDGE_AGENT_SNAPSHOT_EXPORT_H

#include "agent/repository/pack.h"
#include "agent/repository/repo.h"

const struct keys *repo_keys(const struct repo *r); /* borrowed */
/* The packs that hold any part of it, each once, in the order of their ids; the caller frees *ret.  The manifest is
 * authenticated on the way. ERR_CORRUPT: it cannot be made whole, and why.  ERR_NOT_FOUND: there is no such restore
 * point (any more). */
ERR_CHECK enum err_code repo_packs_of(
    struct repo *r, struct id snapshot, struct pack_id **ret, size_t *ret_count, struct err *reterr);
/* A pack against the digest in its own footer. */
ERR_CHECK enum err_code repo_pack_sound(struct repo *r, struct pack_id pack, struct err *reterr);

/* A repository that is put together from a copy: the folders first; when every pack and manifest has its place, the
 * keys and last the line that makes it one.  The folder may hold what an earlier attempt left, but not a repository
 * (ERR_EXISTS). */
ERR_CHECK enum err_code repo_assemble_begin(const char *path, struct err *reterr);
ERR_CHECK enum err_code repo_assemble_end(const char *path, const struct keys *k, struct err *reterr);

#endif
