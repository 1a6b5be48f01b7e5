/* agent/probe/schedule.h: which probe is due, and what its results amount to.
 *
 * Pure: time comes in, decisions go out; the simulator and the tests drive it without a clock.  Times are monotonic
 * milliseconds.
 *
 * Due times: every probe has a fixed phase within its interval, from a hash, so that a fleet that starts together does
 * not probe together. While a result contradicts the settled state it is run again after PROBE_RETRY_MS at the latest.
 * Settling: `fall` bad results in a row turn it bad (WARNING, or CRITICAL when all were), `rise` good ones turn it
 * good; the first good result ever settles at once.  UNKNOWN says nothing for or against, but `fall` of them in a row
 * settle as UNKNOWN. Self-lag: the caller promises to beat at probe_schedule_next_ms(); when it comes PROBE_LAG_MS
 * late, or starved of cpu, bad results of what ran meanwhile become UNKNOWN: they measure us, not the service.  What
 * was bad before stays bad by them. */
#ifndef KEDGE_AGENT_PROBE_SCHEDULE_H
#define KEDGE_AGENT_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/probe/limits.h"
#include "shared/base/err.h"
#include "shared/message/types.h"

struct probe_timing {
	uint64_t every_ms, timeout_ms; /* > 0 */
	uint32_t rise, fall;           /* > 0 */
	uint64_t hash;                 /* of host, service and name: the phase */
	bool first_soon;               /* first run within PROBE_FIRST_MAX_MS, else within PROBE_FIRST_LATER_MS */
};

struct probe_verdict {
	enum probe_state state; /* of this run, after the rule of self-lag */
	enum probe_state settled;
	bool changed;    /* settled is another than before, or this is the first result */
	bool distrusted; /* it was bad, but we lagged */
};

struct probe_schedule;

/* timings are copied.  ERR_INVALID (a zero), ERR_NOMEM. */
ERR_CHECK enum err_code probe_schedule_new(
    const struct probe_timing *timings, size_t count, uint64_t now_ms, struct probe_schedule **ret, struct err *reterr);
void probe_schedule_free(struct probe_schedule *s);

/* When to beat next: something is due, or something runs.  UINT64_MAX: there are no probes. */
uint64_t probe_schedule_next_ms(const struct probe_schedule *s);
/* First thing after waking.  starved_ms: how long this process has waited for a cpu since it began (0 where the kernel
 * does not tell). */
void probe_schedule_beat(struct probe_schedule *s, uint64_t now_ms, uint64_t starved_ms);
/* The next probe that is due, now marked as running; false: none, or PROBE_RUNNING_MAX run already. */
bool probe_schedule_due(struct probe_schedule *s, uint64_t now_ms, size_t *ret);
/* Mark as running though not due (a check on demand).  false: it runs already. */
bool probe_schedule_begin(struct probe_schedule *s, size_t index, uint64_t now_ms);
/* One that has run past its timeout by PROBE_OVERDUE_MS: its runner is broken.  The caller cancels it and gives UNKNOWN
 * as its result. */
bool probe_schedule_overdue(const struct probe_schedule *s, uint64_t now_ms, size_t *ret);
/* A running probe has answered.  It becomes due again at its next phase. */
struct probe_verdict probe_schedule_result(
    struct probe_schedule *s, size_t index, enum probe_state state, uint64_t now_ms);

enum probe_state probe_schedule_settled(
    const struct probe_schedule *s, size_t index, uint64_t now_ms); /* UNKNOWN when stale */
bool probe_schedule_running(const struct probe_schedule *s, size_t index);
bool probe_schedule_lagging(const struct probe_schedule *s, uint64_t now_ms);
void probe_schedule_forget(struct probe_schedule *s, size_t index, uint64_t now_ms); /* history; due soon */

#endif
