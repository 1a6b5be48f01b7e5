/* agent/probe/set.h: every probe of this host, on the keeper's loop.
 *
 * Owns the running of probes: when each is due (schedule.h, pure), the runners (run.h), and the last result of each.
 * Loop thread only. Results are struct probe_result of shared/message/report.h with redacted text.  A bad result that
 * came while this process itself was late or starved of cpu is UNKNOWN, never CRITICAL. */
#ifndef KEDGE_AGENT_PROBE_SET_H
#define KEDGE_AGENT_PROBE_SET_H

#include "agent/config/config.h"
#include "agent/io/loop.h"
#include "shared/message/report.h"

struct probe_set;

struct probe_set_events { /* borrowed, must outlive the set */
	void *ctx;
	/* One result came in.  changed: its settled state is another than before (also the first time).  result is
	 * borrowed for the call. */
	void (*on_result)(
	    void *ctx, const struct service_config *service, const struct probe_result *result, bool changed);
};

/* config is borrowed and must outlive the set.  Probes begin spread over their intervals by a hash of host, service and
 * name; the first shallow run of each is within PROBE_FIRST_MAX_MS. */
ERR_CHECK enum err_code probe_set_new(struct loop *l, const struct agent_config *config,
    const struct probe_set_events *events, struct probe_set **ret, struct err *reterr);
void probe_set_free(struct probe_set *s); /* cancels what runs */

/* Run every probe of the service now (deep: also deep and full tiers) and call done when all have answered or timed
 * out, with the raw results of exactly these runs.  all_ok: each was OK or WARNING.  Does not wait for scheduled runs
 * nor disturb rise and fall counts beyond counting these results.  ERR_NOT_FOUND: no such service; a service without
 * probes is done at once with none and all_ok false. */
struct probe_check {
	const struct probe_result *const *results;
	size_t count;
	bool all_ok;
};
ERR_CHECK enum err_code probe_set_check(struct probe_set *s, const char *service, bool deep,
    void (*done)(void *ctx, const struct probe_check *check), void *ctx, struct err *reterr);
/* Forget the check of this service (its done is not called). */
void probe_set_check_cancel(struct probe_set *s, const char *service);

/* The last results of a service's probes as struct probe_result items, borrowed until the loop turns again; each one
 * stale beyond its grace is given as UNKNOWN.  Probes that never ran are UNKNOWN too. */
ERR_CHECK enum err_code probe_set_results(
    struct probe_set *s, const char *service, struct arena *arena, struct list *ret, struct err *reterr);
/* The service is being changed on purpose: results still come, but start again from no history when it is lifted. */
void probe_set_hold(struct probe_set *s, const char *service, bool held);
bool probe_set_lagging(
    const struct probe_set *s); /* this process was late or starved within the last PROBE_LAG_MEMORY_MS */

#endif
