/* agent/worker/internal.h: what the files of a worker share. */
#ifndef KEDGE_AGENT_WORKER_INTERNAL_H
#define KEDGE_AGENT_WORKER_INTERNAL_H

#include "agent/worker/work.h"

struct work { /* one piece of work */
	const struct agent_config *c;
	const struct work_spec *spec;
	const struct work_out *out;
	struct arena *arena;
	struct repo *repo;
	struct order_step steps[REPORT_STEPS_MAX]; /* of a rollback, so far */
	size_t step_count;
	uint64_t began_ms;     /* monotonic */
	enum work_proof proof; /* the last one */
};

/* ---- tell.c: to the controller, by way of whoever runs the worker ---- */
void work_tell(struct work *w, enum importance importance, struct report *r);
void work_tell_order(struct work *w, const struct order_report *o);
/* The end of the order in hand. */
void work_end_order(struct work *w, enum order_outcome outcome, const char *text);
void work_tell_notice(struct work *w, enum severity severity, const char *what, const char *service, const char *text);
void work_tell_snapshot(struct work *w, const struct snapshot_summary *s, bool verified);
/* Reading it back found it damaged: as its marks say.  Zero, or one that cannot be read at all: nothing is told. */
void work_tell_damage(struct work *w, struct id snapshot);
void work_tell_snapshot_failed(struct work *w, const char *service, uint32_t reason, const char *why);

/* ---- what there is to do, a function for each kind of work and of order ---- */
void work_snapshot(struct work *w);
void work_order_snapshot(struct work *w);
void work_order_verify(struct work *w);
void work_order_rollback(struct work *w);
void work_order_action(struct work *w, bool resume);
/* What the plan of a rollback has run before it, if anything: steps of the order.  Returns what to say of it, or NULL.
 */
const char *work_run_first(struct work *w, const struct service_config *service);
void work_drift(struct work *w);
void work_verify(struct work *w);
void work_prune(struct work *w);
void work_copy(struct work *w);
void work_drill(struct work *w);

/* ---- doubt.c, drift.c: what a service is compared with ---- */
/* By schedule or by hand, and nothing speaks against it. */
bool work_is_reference(const struct snapshot_summary *s);
/* Once a service is not well: a new make that was taken less than a minute before is bad itself, only the probes had
 * not seen it yet.  Called when what runs is what the newest restore point of that service holds: those of its make are
 * marked, in the list too, and told (true), unless it ran well for longer, was not well before it was taken, or there
 * is no other make. */
bool work_doubt(struct work *w, struct list *newest_first);

/* What the files below a database's folder take, but for what sessions sort and their temporary tables: that goes when
 * they end.  Bounded; links are not followed, nor other file systems. */
uint64_t work_size_of_database(const char *folder);

/* What a service's own check says against its configuration, which changed last then: is it about a file elsewhere, one
 * that became another later?  By the first path that it speaks of. */
bool work_refusal_lies_elsewhere(const char *said, const struct component_config *c, uint64_t changed_ms);

/* May an earlier worker of the order in hand have changed something?  Also where the repository cannot be used. */
bool work_has_begun(const struct work *w);
/* A step of the order in hand was taken: kept for its report, logged, told as progress. */
void work_on_step(void *ctx, const struct order_step *step);
/* What a rollback has exchanged becomes the restore point that it promised. */
void work_settle(struct work *w, const struct service_config *service);

#endif
