/* controller/center/runner.h: the center's thread and its bounded queue.
 *
 * Edges submit inputs from any thread.  The runner takes everything that waits (at most CENTER_BATCH_MAX), steps the
 * center once, and goes on: the more is waiting, the more share one sync.  A full queue refuses: the edge keeps the
 * input and makes its own peer wait. */
#ifndef KEDGE_CONTROLLER_CENTER_RUNNER_H
#define KEDGE_CONTROLLER_CENTER_RUNNER_H

#include "controller/center/center.h"

struct runner_options {
	struct center *center; /* borrowed; the runner's thread alone touches it until runner_stop */
	struct store *store;   /* borrowed; store_check every CENTER_CHECK_MS */
	size_t queue_count, queue_bytes, batch_max;  /* 0: CENTER_QUEUE_MAX, CENTER_QUEUE_BYTES, CENTER_BATCH_MAX */
	uint64_t (*wall_ms)(void), (*mono_ms)(void); /* NULL: the machine's */
	/* Center's thread: there is room again after runner_submit said congested (or refused).  Must not block. */
	void (*drained)(void *ctx);
	/* Center's thread: a commit failed.  Should end the process; NULL does (log, _exit(RUNNER_EXIT)).  If it
	 * returns, the runner takes nothing more and runner_stop may be called. */
	void (*fatal)(void *ctx, const struct err *why);
	void *ctx;
};
enum { RUNNER_EXIT = 70 }; /* EX_SOFTWARE: the service manager starts it again */

struct runner;

/* The first input of its life is INPUT_BOOT. */
ERR_CHECK enum err_code runner_start(const struct runner_options *o, struct runner **ret, struct err *reterr);
/* Takes `in` when it returns ERR_OK.  ERR_FULL (try again after drained), ERR_STATE (stopping): the caller still owns
 * it. *ret_congested (may be NULL): it is getting tight, pause your peers until drained.  Set with ERR_FULL too.  Any
 * thread. */
ERR_CHECK enum err_code runner_submit(struct runner *r, struct input *in, bool *ret_congested, struct err *reterr);
/* Refuse new inputs, apply and commit and answer what waits, end the thread.  Blocks. */
void runner_stop(struct runner *r);
void runner_free(struct runner *r); /* after runner_stop; NULL is a no-op */

struct runner_stats {
	uint64_t steps, inputs, refused, timers, commits, writes;
	uint64_t longest_step_ms;
	size_t waiting;
	struct store_stats store; /* as of the last check */
};
void runner_stats(struct runner *r, struct runner_stats *ret); /* any thread */

/* ---- the clock of turns, for tests ----
 * Never goes back: while the wall clock is behind what was already said, time goes on at half the monotonic clock's
 * speed until the wall has caught up. */
struct runner_clock {
	uint64_t last_ms, last_mono_ms;
};
uint64_t runner_clock_read(struct runner_clock *c, uint64_t wall_ms, uint64_t mono_ms);

#endif
