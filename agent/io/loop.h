/* agent/io/loop.h: the one event loop of an agent process: descriptors, timers, child exits, signals.
 *
 * epoll below.  The clock is read once a turn.  Everything is called on the thread that turns the loop, except
 * loop_wake(). A handle may be removed from inside any callback, its own too; its callback is then not called again.
 * Callbacks must not block.  Handles belong to the loop and are freed by their _remove or with the loop. */
#ifndef KEDGE_AGENT_IO_LOOP_H
#define KEDGE_AGENT_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/err.h"

struct loop;
struct loop_fd;
struct loop_timer;
struct loop_child;
struct loop_signal;

enum loop_events { LOOP_READ = 1u << 0, LOOP_WRITE = 1u << 1, LOOP_HANGUP = 1u << 2 /* always reported */ };

ERR_CHECK enum err_code loop_new(struct loop **ret, struct err *reterr);
void loop_free(struct loop *l); /* NULL is a no-op; frees every handle, closes none of the caller's descriptors */

/* Run until loop_stop().  Errors of epoll only. */
ERR_CHECK enum err_code loop_run(struct loop *l, struct err *reterr);
/* One turn: waits for something, at most timeout_ms (< 0: until something comes). */
ERR_CHECK enum err_code loop_turn(struct loop *l, int timeout_ms, struct err *reterr);
void loop_stop(struct loop *l); /* any thread */
void loop_wake(struct loop *l); /* any thread and signal handlers: the current or next wait returns at once */
uint64_t loop_now_ms(const struct loop *l);  /* monotonic (clock_mono_ms), read when the turn began */
uint64_t loop_wall_ms(const struct loop *l); /* wall clock of the same moment */
/* How late the last turn that was woken by a timer came, and the worst since the last call: the loop's own lag. */
uint64_t loop_take_lag_ms(struct loop *l);

/* The descriptor stays the caller's; remove the handle before closing it. */
ERR_CHECK enum err_code loop_add_fd(struct loop *l, int fd, unsigned events, void (*fn)(void *ctx, unsigned events),
    void *ctx, struct loop_fd **ret, struct err *reterr);
ERR_CHECK enum err_code loop_change_fd(struct loop_fd *f, unsigned events, struct err *reterr);
void loop_remove_fd(struct loop_fd *f); /* NULL is a no-op, here and below */

/* A timer is made unarmed.  at_ms is monotonic; it fires once in the first turn at or after it and may be armed again.
 */
ERR_CHECK enum err_code loop_add_timer(
    struct loop *l, void (*fn)(void *ctx), void *ctx, struct loop_timer **ret, struct err *reterr);
void loop_arm(struct loop_timer *t, uint64_t at_ms); /* UINT64_MAX: disarm */
void loop_remove_timer(struct loop_timer *t);

/* Reaps pid (a child of this process) when it ends, right after fn; status as of waitpid.  During fn the pid is still a
 * zombie's, so that its process group can be signalled safely.  The handle is freed before the call. Removing it
 * earlier leaves the child to be reaped by the caller. */
ERR_CHECK enum err_code loop_add_child(struct loop *l, pid_t pid, void (*fn)(void *ctx, int status), void *ctx,
    struct loop_child **ret, struct err *reterr);
void loop_remove_child(struct loop_child *c);

/* Blocks the signal for this thread and delivers it through the loop. */
ERR_CHECK enum err_code loop_add_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx,
    struct loop_signal **ret, struct err *reterr);
void loop_remove_signal(struct loop_signal *s);

#endif
