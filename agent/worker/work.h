/* agent/worker/work.h: what a worker process does: snapshots, verification, drift, rollbacks.
 *
 * A worker is a short-lived child of the keeper: what it allocates goes with it, a crash hurts nobody else, and it dies
 * with the keeper (its journal then tells the next one).  It talks through struct work_out alone, so that the command
 * line runs the same code. Blocking. */
#ifndef KEDGE_AGENT_WORKER_WORK_H
#define KEDGE_AGENT_WORKER_WORK_H

#include <stdatomic.h>

#include "agent/config/config.h"
#include "agent/snapshot/snapshot.h"
#include "shared/message/message.h"

enum work_kind {
	WORK_ORDER,
	WORK_RESUME,
	WORK_SNAPSHOT,
	WORK_DRIFT,
	WORK_VERIFY,
	WORK_PRUNE,
	WORK_COPY,
	WORK_DRILL,
	WORK_KIND_COUNT
};

struct work_spec {
	enum work_kind kind;
	const struct order *order;     /* WORK_ORDER, WORK_RESUME */
	const char *service;           /* WORK_SNAPSHOT, WORK_VERIFY, WORK_DRILL, WORK_DRIFT (NULL: every service) */
	uint32_t reason;               /* WORK_SNAPSHOT: enum snapshot_reason */
	bool suspect;                  /* WORK_SNAPSHOT, WORK_DRIFT: the service is not well */
	uint64_t passed_ms, failed_ms; /* WORK_DRIFT: the probe that fails since last was good for the last time then,
					  and is known to fail since then (wall clock); 0: none fails */
	bool asked;                    /* WORK_DRIFT: a probe that changed, or a job that ended, made us look */
	struct list before;            /* WORK_ORDER: struct probe_result, as its probes stood when it was begun */
};

struct work_out { /* borrowed */
	void *ctx;
	void (*report)(void *ctx, const struct report *r); /* one body; importance set */
	void (*progress)(void *ctx, const struct progress *p);
	const atomic_bool *cancel;
	const _Atomic uint64_t *heard_ms; /* when the controller was heard from last (monotonic); NULL: nobody knows */
};

/* Opens (and on first use makes) the repository of this host. */
ERR_CHECK enum err_code work_repo(const struct agent_config *c, struct repo **ret, struct err *reterr);
/* What the controller is told of a restore point.  Names are borrowed from *s, lists live in arena. */
ERR_CHECK enum err_code work_snapshot_report(
    const struct snapshot_summary *s, struct arena *arena, struct snapshot_report *ret, struct err *reterr);
/* Does it and reports every outcome, failures too.  An order always ends in a report with an outcome. */
void work_run(const struct agent_config *c, const struct work_spec *spec, const struct work_out *out);

/* What probes say of what was just done, beside how they stood before.  Better: something passes that had failed, and
 * all that fails now had failed before; there is another fault, then, which this was not meant for. */
enum work_proof { WORK_PROOF_BAD, WORK_PROOF_BETTER, WORK_PROOF_WELL };

/* Pure.  before: struct probe_result, by what had settled; empty: not known, and nothing is better then.  text: what
 * fails, or "" when all is well. */
enum work_proof work_judge(
    const struct list *before, const struct probe_result *const *now, size_t count, char text[TEXT_LINE_MAX]);
/* The proof of a rollback or an action: run the service's probes now, on a loop of its own. */
enum work_proof work_prove(
    const struct agent_config *c, const char *service, bool deep, const struct list *before, char text[TEXT_LINE_MAX]);

#endif
