/* shared/ws/loop.h: one thread that serves sockets: one libwebsockets context, its timers, its wake-ups.
 *
 * Everything in shared/ws belongs to the thread that made the loop and runs it, except ws_loop_wake() and
 * ws_loop_stop(). Callbacks come on that thread, must not block, and may call anything here except ws_loop_free() and
 * ws_loop_run(). No process-wide state is touched: signals stay as the program set them (libuv's handlers are never
 * left installed), the operating system's trust store and its proxies are not read.  But for SIGPIPE, which is ignored
 * from the first ws_loop_new on. */
#ifndef KEDGE_SHARED_WS_LOOP_H
#define KEDGE_SHARED_WS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/ws/limits.h"

struct ws_loop;
struct ws_timer;
struct ws_watch;

struct ws_loop_config {
	bool
	    libuv; /* many connections (the controller); else poll(2) (an agent).  ERR_UNSUPPORTED without its plugin */
	void *user;
	void (*on_wake)(void *user); /* at least once after each ws_loop_wake(); may be NULL */
};

ERR_CHECK enum err_code ws_loop_new(const struct ws_loop_config *config, struct ws_loop **ret, struct err *reterr);
/* Ends whatever is left (each connection's last callback is called with WS_STOPPED), frees listeners, dialers, timers,
 * watches. */
void ws_loop_free(struct ws_loop *loop); /* NULL is a no-op */
/* Serves until ws_loop_stop().  May be called again afterwards. */
ERR_CHECK enum err_code ws_loop_run(struct ws_loop *loop, struct err *reterr);
/* Any thread; remembered if the loop does not run yet.  A loop that has returned from ws_loop_run may be freed although
 * this call has not returned yet. */
void ws_loop_stop(struct ws_loop *loop);
void ws_loop_wake(struct ws_loop *loop); /* any thread, until ws_loop_free; cheap, and several may become one on_wake */

/* A timer fires once for each ws_timer_set, on the loop's monotonic clock, never early.  A handful a program and one or
 * two a connection: setting one costs a walk over those that are set. */
struct ws_timer *ws_timer_new(struct ws_loop *loop, void (*on_timer)(void *user), void *user); /* NULL: out of memory */
void ws_timer_set(struct ws_timer *timer, uint64_t delay_ms);                                  /* again: moves it */
void ws_timer_stop(struct ws_timer *timer);
void ws_timer_free(struct ws_timer *timer); /* NULL is a no-op; allowed inside its own callback */

/* Calls on_ready whenever the descriptor (a socket, pipe or eventfd, non-blocking) can be read or has ended.  The
 * descriptor stays the caller's: free the watch before closing it. */
ERR_CHECK enum err_code ws_watch_new(
    struct ws_loop *loop, int fd, void (*on_ready)(void *user), void *user, struct ws_watch **ret, struct err *reterr);
void ws_watch_free(struct ws_watch *watch); /* NULL is a no-op; allowed inside its own callback */

#endif
