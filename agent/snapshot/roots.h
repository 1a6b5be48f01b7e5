/* agent/snapshot/roots.h: which trees make up a component, by declaration.  Blocking (looks at symlinks); any thread.
 */
#ifndef KEDGE_AGENT_SNAPSHOT_ROOTS_H
#define KEDGE_AGENT_SNAPSHOT_ROOTS_H

#include "agent/snapshot/scan.h"

struct component_roots {
	struct list roots;      /* struct snapshot_root, sorted by name; in the arena */
	struct scan_root *scan; /* the same for a scan */
	const struct list *exclude;
	const char *version; /* of git or release; NULL: none; in the arena */
	const char *git;     /* the work tree, when there is one */
};

/* ERR_INVALID: relative, inside one another, a symlink to somewhere undeclared, nothing at all; ERR_NOT_FOUND: no git
 * work tree, no release. */
ERR_CHECK enum err_code roots_declared(const struct component_config *c, enum component which,
    const struct snapshot_source *sources, size_t source_count, struct arena *arena, struct component_roots *ret,
    struct err *reterr);
/* The roots of another restore point that are there now, whatever they are, and its absent ones that have come back;
 * those that are not there are appended to absent (struct snapshot_absent) by path.  ret->roots may be empty. */
ERR_CHECK enum err_code roots_like(const struct snapshot_summary *like, enum component which,
    const struct snapshot_source *sources, size_t source_count, struct arena *arena, struct component_roots *ret,
    struct list *absent, struct err *reterr);
/* Those of them that lie elsewhere by now are read there (snapshot_options.asides); the version is the one there. */
ERR_CHECK enum err_code roots_read_aside(struct component_roots *roots, const struct snapshot_aside *asides,
    size_t count, struct arena *arena, struct err *reterr);
/* The roots that a restore point has; prepared ones are left out of *ret->scan and counted in *ret_skipped. */
ERR_CHECK enum err_code roots_recorded(const struct snapshot_component *c, struct arena *arena,
    struct component_roots *ret, size_t *ret_count, struct err *reterr);
/* Commit or release now: out holds VERSION_MAX_BYTES + 1; "" when there is none. */
void roots_version_now(const struct snapshot_component *c, char *out);

#endif
