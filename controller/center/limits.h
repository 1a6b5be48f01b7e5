/* controller/center/limits.h */
#ifndef KEDGE_CONTROLLER_CENTER_LIMITS_H
#define KEDGE_CONTROLLER_CENTER_LIMITS_H

#define CENTER_BATCH_BYTES ((size_t)256 << 20) /* arenas of one commit: beyond, the rest waits for the next */
#define CENTER_CLOCK_TRUST_MS                                                                                          \
	((uint64_t)24 * 3600 *                                                                                         \
	    1000) /* a wall clock that is further behind the store than this was set by somebody who meant it */

enum {
	CENTER_BATCH_MAX =
	    1024, /* inputs of one commit: some 0.1 s of work, so that no answer waits longer for its neighbours */
	CENTER_TIMERS_MAX = 1024,          /* timers of one commit, for the same reason */
	CENTER_TIMER_RETRY_MS = 60 * 1000, /* a timer whose turn was refused comes again: a deadline is never lost */
	CENTER_QUEUE_MAX = 16384,          /* waiting inputs: a thousand hosts that replay */
	CENTER_QUEUE_BYTES = 128 << 20,    /* and their memory */
	CENTER_CHECK_MS = 5000,            /* how often the store's readers and disk are looked at */
	ANSWER_KEEP_MS = 24 * 3600 * 1000, /* how long a repeated request gets the first answer */
	ANSWER_SWEEP_MS = 3600 * 1000,     /* how often old answers are thrown away */
	ANSWER_SWEEP_MAX = 1000,           /* at most so many in one turn */
	ANSWER_KEY_MAX = 128,              /* an idempotency key: a UUID has 36 */
	ANSWER_REPLY_MAX = 64 << 10,       /* a longer reply is answered without its body the second time */
};

#endif
