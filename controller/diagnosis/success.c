/* controller/diagnosis/success.c: how often a fix has worked here, and how long it took.
 *
 * Counted from what was carried out: rollbacks of these components, runs of this action.  What never began (refused,
 * expired, unreachable, cancelled) says nothing of the fix.  It worked when it ended well, nobody said afterwards that
 * the cause was another, and the incident needed nothing else after it. */
#include "controller/diagnosis/learning.h"
#include "controller/knowledge/beta.h"
#include "controller/recovery/recovery.h"
#include "shared/base/text.h"

enum {
	TIMES_MAX = 31,                /* newest that worked, whose median is told */
	LATER_MAX = 16,                /* rollbacks of one incident that are looked at */
	DRILL_BESIDE_MS = 5 * 1000,    /* what a practised restore leaves out: stop, start, proof of health */
	ASSUMED_CONFIG_MS = 10 * 1000, /* where nothing was measured: rules of thumb */
	ASSUMED_CODE_MS = 20 * 1000,
	ASSUMED_DATA_MS = 60 * 1000,
	ASSUMED_DATABASE_MS = 300 * 1000,
	ASSUMED_ACTION_MS = 10 * 1000,
};

static bool has_all(const struct list *components, const struct list *of)
{
	for (size_t i = 0; i < of->count; i++) {
		bool there = components->count == 0; /* none: all */
		for (size_t k = 0; k < components->count; k++)
			there |= LIST_AT(*components, uint32_t, k) == LIST_AT(*of, uint32_t, i);
		if (!there)
			return false;
	}
	return true;
}

static bool is_of(const struct rollback *r, const struct fix *fix)
{
	if (fix->action == FIX_RUN)
		return r->kind == ORDER_ACTION && text_equal(r->action, fix->run);
	return r->kind == ORDER_ROLLBACK && has_all(&r->components, &fix->components);
}

static bool was_tried(const struct rollback *r)
{
	return r->state == ROLLBACK_ENDED && r->outcome >= ORDER_OK && r->outcome <= ORDER_FAILED_DIRTY;
}

/* Its incident needed something else afterwards.  The same on another host is the same. */
static enum err_code needed_more(
    struct turn *t, const struct rollback *r, const struct fix *fix, bool *ret, struct err *reterr)
{
	struct rollback like = {.incident = r->incident}, other;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	*ret = false;
	enum err_code rc = turn_scan_index(t, &rollback_table, "incident", &like, true, &scan, reterr);
	for (size_t n = 0; n < LATER_MAX && !*ret && turn_scan_step(&scan, &other, &rc, reterr); n++)
		*ret = other.began_ms > r->ended_ms && was_tried(&other) &&
		       !(text_equal(other.service, r->service) && is_of(&other, fix));
	return rc;
}

static enum err_code worked(
    struct turn *t, const struct rollback *r, const struct fix *fix, bool *ret, struct err *reterr)
{
	struct past_incident p = {.incident = r->incident};
	bool found, more;
	*ret = r->outcome == ORDER_OK || r->outcome == ORDER_OK_WITH_EXCEPTIONS;
	if (!*ret || id_is_zero(r->incident))
		return ERR_OK;
	enum err_code rc = turn_get(t, &past_incident_table, &p, &p, &found, reterr);
	if (rc == ERR_OK && (rc = needed_more(t, r, fix, &more, reterr)) == ERR_OK)
		*ret = !more && !(found && p.verdict == VERDICT_CORRECTED);
	return rc;
}

/* ---- how long ---- */

static uint64_t assumed(const struct fix *fix)
{
	static const uint64_t of_component[COMPONENT_COUNT] = {[COMPONENT_CONFIG] = ASSUMED_CONFIG_MS,
	    [COMPONENT_CODE] = ASSUMED_CODE_MS,
	    [COMPONENT_DATA] = ASSUMED_DATA_MS,
	    [COMPONENT_DATABASE] = ASSUMED_DATABASE_MS};
	uint64_t most = fix->action == FIX_RUN ? ASSUMED_ACTION_MS : 0;
	for (size_t i = 0; i < fix->components.count; i++)
		if (LIST_AT(fix->components, uint32_t, i) < COMPONENT_COUNT &&
		    of_component[LIST_AT(fix->components, uint32_t, i)] > most)
			most = of_component[LIST_AT(fix->components, uint32_t, i)];
	return most;
}

/* What the hosts have practised of these components; 0: not all of them have. */
static enum err_code practised(struct turn *t, const struct fix *fix, uint64_t *ret, struct err *reterr)
{
	uint64_t slowest = 0;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < fix->hosts.count; i++) {
		struct drill d;
		bool found;
		uint64_t took_ms = 0;
		size_t seen = 0;
		rc = recovery_drill_get(t, fix->service, LIST_AT(fix->hosts, const char *, i), &d, &found, reterr);
		for (size_t k = 0; rc == ERR_OK && found && d.ok && k < d.components.count; k++)
			for (size_t c = 0; c < fix->components.count; c++)
				if (LIST_AT(d.components, struct component_drill, k).component ==
				    LIST_AT(fix->components, uint32_t, c)) {
					took_ms += LIST_AT(d.components, struct component_drill, k).took_ms;
					seen++;
				}
		if (rc != ERR_OK || !seen || seen != fix->components.count)
			return rc;
		slowest = took_ms > slowest ? took_ms : slowest;
	}
	*ret = fix->hosts.count ? slowest + DRILL_BESIDE_MS : 0;
	return rc;
}

static uint64_t median(uint64_t *times, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k && times[k - 1] > times[k]; k--) {
			uint64_t swap = times[k];
			times[k] = times[k - 1];
			times[k - 1] = swap;
		}
	return times[n / 2];
}

static enum err_code estimate(struct turn *t, struct fix *fix, uint64_t *times, size_t n, struct err *reterr)
{
	uint64_t drilled_ms = 0;
	enum err_code rc = n || fix->action == FIX_RUN ? ERR_OK : practised(t, fix, &drilled_ms, reterr);
	if (rc != ERR_OK)
		return rc;
	fix->estimate = n ? ESTIMATE_HISTORY : drilled_ms ? ESTIMATE_DRILL : ESTIMATE_ASSUMED;
	fix->estimated_ms = n ? median(times, n) : drilled_ms ? drilled_ms : assumed(fix);
	return ERR_OK;
}

enum err_code learning_success(struct turn *t, struct fix *fix, struct err *reterr)
{
	struct rollback like = {.service = fix->service}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	uint64_t good = 0, tried = 0, times[TIMES_MAX];
	size_t timed = 0;
	bool ok;
	if ((fix->action != FIX_ROLLBACK && fix->action != FIX_RUN) || !fix->service)
		return ERR_OK;
	enum err_code rc =
	    turn_scan_index(t, &rollback_table, "service", &like, true, &scan, reterr); /* newest first */
	for (size_t n = 0; n < LEARNING_ROLLBACKS_MAX && turn_scan_step(&scan, &r, &rc, reterr); n++) {
		if (!was_tried(&r) || !is_of(&r, fix))
			continue;
		if ((rc = worked(t, &r, fix, &ok, reterr)) != ERR_OK)
			break;
		tried++;
		good += ok;
		if (ok && timed < TIMES_MAX && r.ended_ms > r.began_ms)
			times[timed++] = r.ended_ms - r.began_ms;
	}
	if (rc != ERR_OK || (rc = estimate(t, fix, times, timed, reterr)) != ERR_OK)
		return rc;
	struct success_rate s = success_rate_of(good, tried - good);
	fix->tried = tried;
	fix->worked = good;
	fix->success = s.mean;
	fix->success_low = s.low;
	fix->success_high = s.high;
	return ERR_OK;
}
