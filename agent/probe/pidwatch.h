/* agent/probe/pidwatch.h: knows at once when a process that a service's `process` probes watch is gone.
 *
 * Each such process is held by a descriptor (pidfd_open) on the loop: its end is an event, not something that the next
 * probe finds out.  Who is to be watched is looked up again by pidwatch_tick(): pid files every second, names every
 * PIDWATCH_NAMES_MS.  What runs already is not judged here: the probes do that; this only says when to ask them.
 * Loop thread only. */
#ifndef KEDGE_AGENT_PROBE_PIDWATCH_H
#define KEDGE_AGENT_PROBE_PIDWATCH_H

#include "agent/config/config.h"
#include "agent/io/loop.h"

enum {
	PIDWATCH_MAX = 512,            /* processes that are held at once: a descriptor each */
	PIDWATCH_NAMES_MS = 10 * 1000, /* looking through all processes is dear */
};

struct pidwatch;
/* config is borrowed.  died: a watched process of that service has ended just now (borrowed strings). */
ERR_CHECK enum err_code pidwatch_new(struct loop *l, const struct agent_config *config,
    void (*died)(void *ctx, const struct service_config *service, const struct probe_config *probe, int pid), void *ctx,
    struct pidwatch **ret, struct err *reterr);
void pidwatch_free(struct pidwatch *w); /* NULL is a no-op */
/* Every second or so. */
void pidwatch_tick(struct pidwatch *w, uint64_t now_ms);
size_t pidwatch_count(const struct pidwatch *w);

#endif
