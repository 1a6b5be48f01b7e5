/* agent/probe/run.h: one run of one probe, on the loop, ending in exactly one outcome by its deadline.
 * Loop thread only.  What may hang in the kernel (a plugin, statvfs, stat) happens in a child process that is killed at
 * the deadline. */
#ifndef KEDGE_AGENT_PROBE_RUN_H
#define KEDGE_AGENT_PROBE_RUN_H

#include "agent/config/config.h"
#include "agent/io/loop.h"
#include "agent/probe/outcome.h"
#include "agent/probe/trust.h"

struct probe_env { /* borrowed, must outlive the runs */
	struct loop *loop;
	struct trust_store *trust;
	const char *proc; /* "/proc" */
};
struct probe_memory { /* what a probe remembers from run to run; zero at first */
	uint64_t cpu_busy, cpu_total, cpu_at_ms;
	bool answered;    /* a program that was run as a check has said OK */
	uint32_t unknown; /* how often in a row it has said nothing since */
	double
	    temporary; /* of a cluster, in this run: percent of its file system that temporary files of sessions take */
};

struct probe_run;

/* done is called later, never from inside, unless the run is cancelled.  The outcome is borrowed for the call.
 * A run that cannot even begin gives UNKNOWN as its outcome; errors here are of memory only.  A program that has
 * answered before and is not there any more, may not be executed or crashes is CRITICAL: what broke the check is a
 * change of the host that somebody must hear of, and where it belongs to the service, of that.  One that has answered
 * OK and then says UNKNOWN in several runs in a row is a WARNING: nobody knows any more whether the service is well. */
ERR_CHECK enum err_code probe_run_start(const struct probe_env *env, const struct probe_config *config,
    struct probe_memory *memory, void (*done)(void *ctx, const struct probe_outcome *outcome), void *ctx,
    struct probe_run **ret, struct err *reterr);
void probe_run_cancel(struct probe_run *r); /* NULL is a no-op */

uint64_t probe_timeout_ms(const struct probe_config *c); /* with the default */

#endif
