/* agent/rollback/converge.h: make live trees equal a restore point, writing only what differs.
 *
 * Two steps.  Staging reads and authenticates everything that will be needed and writes it beside the live trees (same file system, a
 * folder `.kedge-<token>` next to each root), while the service still runs; nothing live changes.  Applying renames it into place, file by
 * file, removes what was added, sets metadata that differs, and makes it durable.  An interrupted apply is repaired by doing both again,
 * towards the same restore point or another: the difference is always computed anew, so the way there does not matter.
 * Paths are walked from each root with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): a symlink planted meanwhile leads nowhere.
 * Blocking; one thread. */
#ifndef KEDGE_AGENT_ROLLBACK_CONVERGE_H
#define KEDGE_AGENT_ROLLBACK_CONVERGE_H

#include "agent/snapshot/snapshot.h"

enum {
	CONVERGE_CHANGES_MAX = 8 << 20, /* entries that differ: a whole tree of eight million can be put back */
	CONVERGE_EXCEPTIONS_KEPT = 8,   /* paths named in the result */
};

struct converge; /* one staged difference */

struct converge_counts { uint64_t made, replaced, removed, metadata, bytes, skipped; };

/* Compare and stage.  components: bits; never a database (agent/database does those).  ERR_FULL: not enough room (1.2 times what is
 * needed), nothing was changed and nothing is left behind.  ERR_CORRUPT names what cannot be trusted. */
ERR_CHECK enum err_code converge_stage(struct snapshot *s, const struct service_config *service, uint32_t components, const char *token,
    struct converge **ret, struct err *reterr);
const struct converge_counts *converge_counts(const struct converge *c);
bool converge_is_empty(const struct converge *c); /* live equals the restore point already */
/* After an error the live trees are in between: stage and apply again, here or towards another restore point. */
ERR_CHECK enum err_code converge_apply(struct converge *c, struct err *reterr);
/* Removes the staging folders, applied or not. */
void converge_free(struct converge *c); /* NULL is a no-op */
/* Remove what an interrupted run of this token left beside the roots of the service. */
ERR_CHECK enum err_code converge_clean(struct snapshot *s, uint32_t components, const char *token, struct err *reterr);

#endif
