/* The proof of a rollback: what lies there now, and whether the service is well. */
#include <pthread.h>
#include <string.h>

#include "agent/database/database.h"
#include "agent/rollback/exchange.h"
#include "agent/rollback/walk.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

bool proof_is_swapped(const struct walk *w)
{
	if (w->j.in_place)
		return w->j.database_state == JOURNAL_DATABASE_PUT_BACK;
	return w->j.database_inode && database_inode(w->r->service, NULL) == w->j.database_inode;
}

/* A running database changes its files: what counts is which of the two directories is in place.  What was put there
 * was authenticated chunk by chunk. */
static enum err_code prove_database(
    struct walk *w, const struct snapshot_component *want, struct component_point *p, struct err *reterr)
{
	bool in_place = w->target && snapshot_summary_component(snapshot_about(w->target), COMPONENT_DATABASE) == want
			    ? proof_is_swapped(w)
			    : !proof_is_swapped(w);
	if (!in_place || !database_inode(w->r->service, NULL))
		return err_set(reterr, ERR_CORRUPT, "the data directory of %s is not the one that was to be in place",
		    w->r->service->name);
	p->digest = want->digest;
	p->entries = want->entries;
	p->size_bytes = want->size_bytes;
	return ERR_OK;
}

/* What was staged was authenticated then and has been under seal since; what counts is that it is what lies there. */
static enum err_code prove_exchange(
    const struct walk *w, const struct snapshot_component *want, struct component_point *p, struct err *reterr)
{
	if (!exchange_is_in_place(w, (enum component)want->component))
		return err_set(reterr, ERR_CORRUPT, "the %s of %s is not the tree that was staged for it",
		    enum_name(&component_enum, want->component), w->r->service->name);
	p->digest = want->digest;
	p->entries = want->entries;
	p->size_bytes = want->size_bytes;
	return ERR_OK;
}

static enum err_code tell_points(struct walk *w, struct snapshot *s, const struct diff_result *live, struct err *reterr)
{
	w->point_count = 0;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct snapshot_component *want =
		    snapshot_summary_component(snapshot_about(s), (enum component)i);
		if (!(w->j.components & 1u << i) || !want)
			continue;
		struct component_point *p = &w->points[w->point_count++];
		*p = (struct component_point){.component = i,
		    .version = arena_strdup(w->arena, want->version),
		    .digest = live->component[i].digest,
		    .entries = live->component[i].entries,
		    .size_bytes = live->component[i].size_bytes};
		enum err_code rc = i == COMPONENT_DATABASE    ? prove_database(w, want, p, reterr)
				   : w->j.exchanged & 1u << i ? prove_exchange(w, want, p, reterr)
							      : ERR_OK;
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err_code proof_trees(struct walk *w, struct snapshot *s, struct err *reterr)
{
	struct converge_spec spec = walk_towards(w, s);
	struct converge_check check;
	w->digests_match = false;
	spec.likely_same = w->c && converge_counts(w->c)->left == 0;
	enum err_code rc = converge_verify(&spec, &check, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = tell_points(w, s, &check.live, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!check.equal)
		return err_set(reterr, ERR_CORRUPT, "something else writes there: %.300s (%llu in all)",
		    check.difference, (unsigned long long)check.differences);
	w->exceptions = *check.exceptions ? walk_text(w, check.exceptions, sizeof check.exceptions) : NULL;
	w->digests_match = true;
	return ERR_OK;
}

static bool is_late(const struct walk *w)
{
	return w->r->run_limit_ms && clock_mono_ms() - w->began_mono_ms > w->r->run_limit_ms;
}

/* Who declares none but deep ones is proven by them: to ask nobody would be no proof. */
static bool wants_deep(const struct walk *w)
{
	const struct list *probes = &w->r->service->probes;
	bool shallow = false;
	for (size_t i = 0; i < probes->count; i++)
		shallow = shallow || LIST_AT(*probes, struct probe_config, i).tier == PROBE_SHALLOW;
	return w->r->deep || !shallow;
}

/* Good is only what was seen to be good. */
static enum err_code prove_health(struct walk *w, struct err *reterr)
{
	char why[ROLLBACK_TEXT_MAX] = "";
	if (!w->r->service->probes.count) {
		w->healthy = true;
		return ERR_OK;
	}
	if (w->r->no_prove) {
		w->trouble = "its probes were not asked";
		return ERR_OK;
	}
	w->healthy = w->io->prove(w->io->ctx, w->r->service->name, wants_deep(w), why);
	if (w->healthy)
		return ERR_OK;
	w->better = !w->r->as_it_was && w->io->better && w->io->better(w->io->ctx);
	enum err_code rc = err_set(
	    reterr, ERR_STATE, "%s: %s", w->better ? "something else is wrong, too" : "its probes do not pass", why);
	if (!w->r->as_it_was && !w->better)
		return rc;
	w->trouble = walk_text(w, reterr->msg, TEXT_LINE_MAX);
	return ERR_OK;
}

/* ---- what still runs on what was replaced ---- */

/* Asked while the trees are walked, for it reads of every process.  Whoever was just about to end is asked again when
 * all else is proven: only what is found twice is told. */
struct stale {
	const struct walk *w;
	bool threaded, found;
	pthread_t thread;
	char text[TEXT_LINE_MAX];
};

static void *find_stale(void *arg)
{
	struct stale *s = arg;
	s->found = writers_find_stale(s->w, s->text);
	return NULL;
}

static void stale_begin(struct stale *s, const struct walk *w)
{
	*s = (struct stale){.w = w, .found = true};
	s->threaded = pthread_create(&s->thread, NULL, find_stale, s) == 0;
}

static void stale_end(struct stale *s)
{
	if (s->threaded)
		pthread_join(s->thread, NULL);
	if (s->found)
		(void)find_stale(s);
}

enum err_code proof_verify(struct walk *w, struct err *reterr)
{
	struct step_timer t = step_begin(w, STEP_VERIFY);
	struct stale stale;
	w->healthy = w->better = false;
	stale_begin(&stale, w);
	enum err_code rc = proof_trees(w, w->target, reterr);
	if (rc == ERR_OK)
		rc = walk_in_place(w, reterr);
	if (rc == ERR_OK)
		rc = prove_health(w, reterr);
	stale_end(&stale);
	/* Its probes pass, and yet something runs on what was replaced: then it is not all as it was. */
	if (rc == ERR_OK && !w->trouble && stale.found)
		w->trouble = walk_text(w, stale.text, TEXT_LINE_MAX);
	if (rc == ERR_OK && is_late(w))
		rc = err_set(reterr, ERR_TIMEOUT, "it took longer than it may");
	return step_end(w, t, rc, reterr, w->trouble);
}
