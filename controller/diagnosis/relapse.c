/* controller/diagnosis/relapse.c: an action made it well, and soon it fails again.
 *
 * Room that was freed is full once more, connections that were ended are used up once more: what was run treats what
 * shows, and something else brings it back.  The same a second time helps as little as the first time; whatever else is
 * suspected comes before it.  It did not last where the same incident goes on after it, for an incident is taken up
 * again when its service relapses; of another incident only what follows at once is no fault of its own, nor what goes
 * on although another incident's change had the same done meanwhile. */
#include "controller/change/change.h"
#include "controller/diagnosis/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	RELAPSE_MS = 15 * 1000,  /* the next fault but one of the same kind is rarer than a leak that goes on */
	RELAPSE_SHOWS_MS = 3000, /* what was done is seen this soon */
	RELAPSES_MAX = 8,        /* newest actions that are looked at */
};

static const double did_not_last = 0.15;

static bool is_about(const struct inquiry *q, const struct list *leans_on, const char *service)
{
	bool about = text_equal(service, q->incident.service);
	for (size_t i = 0; i < leans_on->count && !about; i++)
		about = text_equal(service, LIST_AT(*leans_on, const char *, i));
	return about;
}

static bool did_pass(const struct inquiry *q, const struct change *c)
{
	uint64_t fault_ms = q->incident.fault_ms;
	bool ended = c->plan && c->plan->kind == ORDER_ACTION && c->state == CHANGE_COMPLETED && c->ended_ms;
	bool shown = ended && (c->ended_ms <= fault_ms || turn_now_ms(q->t) >= c->ended_ms + RELAPSE_SHOWS_MS);
	return ended &&
	       (id_equal(c->incident, q->incident.incident) || (shown && c->ended_ms + RELAPSE_MS >= fault_ms));
}

enum err_code relapse_look_back(struct inquiry *q, const struct list *leans_on, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct change c, none = {0}, *found = arena_array(turn_arena(q->t), RELAPSES_MAX, sizeof *found);
	size_t n = 0;
	enum err_code rc = found ? turn_scan_key(q->t, &change_table, &none, 0, true, &scan, reterr)
				 : err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis"); /* newest first */
	for (size_t i = 0; i < DIAGNOSIS_CHANGES_MAX && n < RELAPSES_MAX && turn_scan_step(&scan, &c, &rc, reterr); i++)
		if (did_pass(q, &c) && is_about(q, leans_on, c.service))
			found[n++] = c;
	if (rc == ERR_OK)
		q->passing = (struct list){found, n};
	return rc;
}

static bool was_run(const struct change *c, const struct suspect *s)
{
	bool there = false;
	for (size_t i = 0; i < c->plan->hosts.count; i++)
		there |= text_equal(LIST_AT(c->plan->hosts, struct plan_host, i).host, s->host);
	return there && text_equal(c->service, s->service) && text_equal(c->plan->action, s->run);
}

void relapse_weigh(struct inquiry *q)
{
	for (size_t i = 0; i < q->suspect_count; i++) {
		struct suspect *s = &q->suspects[i];
		for (size_t k = 0; s->run && k < q->passing.count; k++) {
			const struct change *c = &LIST_AT(q->passing, struct change, k);
			if (!was_run(c, s))
				continue;
			q->score[i] *= did_not_last;
			inquiry_note(q, EVIDENCE_HISTORY, s->service, s->host,
			    arena_printf(turn_arena(q->t), "CHG-%llu ran %s there, and it did not last",
				(unsigned long long)c->number, s->run),
			    1.0, c->ended_ms);
			break;
		}
	}
	if (q->passing.count)
		inquiry_in_order(q);
}
