/* agent/snapshot/findings.h: what a verification or check found wrong, gathered from several threads and told on the
 * caller's. */
#ifndef KEDGE_AGENT_SNAPSHOT_FINDINGS_H
#define KEDGE_AGENT_SNAPSHOT_FINDINGS_H

#include <pthread.h>

#include "agent/repository/repo.h"

enum { FINDINGS_KEPT = 1000 }; /* beyond that they are only counted */

struct findings {
	pthread_mutex_t mutex;
	char **texts;
	size_t kept, told;
	uint64_t count;
};
void findings_init(struct findings *f);
void findings_done(struct findings *f);
void findings_add(struct findings *f, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* any thread */
/* Those that were not told yet; fn may be NULL. */
void findings_tell(struct findings *f, repo_finding_fn *fn, void *ctx);
const char *findings_first(const struct findings *f); /* NULL: none */

#endif
