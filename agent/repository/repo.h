/* agent/repository/repo.h: the repository of one host: where its restore points live, sealed.
 *
 * Here lies what is bytes at rest (keys, packs, index, envelopes); manifests, trees and what is done with them are
 * agent/snapshot's.  The two own everything below the repository folder and nothing else: FORMAT                  one
 * line: "kedge-repository 1" keys/repository         0600: the master secret and the host's signing key (key.h says
 * how) keys/recovery           the same, wrapped to recovery public keys (recovery.h); copy it with the rest, without
 * keys/repository packs/PACK.pack         append-only: sealed, compressed chunks and a sealed index of them (pack.h)
 *   index/list, NAME.run    chunk id -> place (index.h); can be rebuilt from the packs at any time
 *   snapshots/ID.manifest   sealed and signed; a restore point exists when this file does (agent/snapshot/manifest.h)
 *   snapshots/catalogue     which restore points there ought to be (agent/snapshot/catalogue.h)
 *   snapshots/ID.marks      authenticated, too: what was learnt about it since: verified, healthy since, suspect, hold
 *
 * Write order of a new restore point: pack data, fsync, rename into place, fsync of packs/; index commit; manifest by
 * temporary file, fsync, rename, fsync of snapshots/.  A crash anywhere leaves at most packs that nothing refers to;
 * prune takes them away.  Creating and restoring take no lock that could go stale.
 *
 * Everything here blocks and may be called from any thread; one struct repo is shared by threads.
 * Errors are for operators: they name the path and say what to do.  ERR_FULL: no room, nothing changed.  ERR_CORRUPT:
 * stored bytes are not what was stored, and which. */
#ifndef KEDGE_AGENT_REPOSITORY_REPO_H
#define KEDGE_AGENT_REPOSITORY_REPO_H

#include <stdatomic.h>

#include "agent/config/config.h"
#include "agent/repository/limits.h"

struct repo;

/* Makes an empty repository at path (the folder may exist but must be empty) for the host of this name, with new keys.
 * ERR_EXISTS. */
ERR_CHECK enum err_code repo_init(const char *path, const char *host, struct err *reterr);
/* host: must be the name that the repository was made for; NULL: not checked (a person looks at another host's
 * repository). A crashed writer's leftovers do no harm and need no repair.  ERR_NOT_FOUND says how to make one. */
ERR_CHECK enum err_code repo_open(const char *path, const char *host, struct repo **ret, struct err *reterr);
void repo_close(struct repo *r); /* NULL is a no-op */
const char *repo_path(const struct repo *r);
const char *repo_host(const struct repo *r);

/* One thing found wrong; text names the file and the restore points that it harms.  Called on the calling thread. */
typedef void repo_finding_fn(void *ctx, const char *text);

#endif
