/* One rollback, phase by phase.  The journal says what is about to happen before it happens. */
#include "agent/rollback/walk.h"

#include <string.h>

#include "agent/database/database.h"
#include "agent/rollback/exchange.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum { REASON_MAX = 220 }; /* bytes of each of two reasons that must fit one line */

static enum err_code enter(struct walk *w, enum journal_phase phase, struct err *reterr)
{
	w->j.phase = phase;
	return rollback_journal_write(w->folder, &w->j, reterr);
}

/* Where what the journal says already is true enough to recover by: going on is safer than stopping half way. */
static void enter_anyway(struct walk *w, enum journal_phase phase)
{
	struct err err = ERR_INIT;
	if (enter(w, phase, &err) != ERR_OK)
		log_warn("rollback", "order=%s service=%s %s", w->token, w->r->service->name, err.msg);
}

static const char *reason(struct walk *w, const struct err *why)
{
	return walk_text(w, why->msg, TEXT_LINE_MAX);
}

static const char *two_reasons(struct walk *w, const char *first, const char *join, const char *second)
{
	const char *text =
	    arena_printf(w->arena, "%s; %s%s", walk_text(w, first, REASON_MAX), join, walk_text(w, second, REASON_MAX));
	return text ? text : first;
}

/* ---- ends ---- */

void walk_answer(const struct journal *j, struct rollback_result *ret)
{
	*ret = (struct rollback_result){.outcome = j->outcome,
	    .safety_snapshot = id_is_zero(j->aside) ? j->safety : j->aside,
	    .components = j->points,
	    .digests_match = j->digests_match,
	    .healthy = j->healthy,
	    .text = j->text};
}

static void discard_database(struct walk *w, enum order_outcome outcome, const char **text)
{
	struct err err = ERR_INIT;
	if (walk_has_database(w) && outcome != ORDER_FAILED_DIRTY && !w->keep_aside &&
	    database_discard(w->r->service, w->token, &err) != ERR_OK)
		*text = two_reasons(w, *text, "", err.msg);
}

/* Half way there is no end: the journal stays open, and the next run tries again.  Until then nobody starts it. */
static enum err_code stay_between(struct walk *w, const char *text, struct rollback_result *ret)
{
	w->j.outcome = ORDER_FAILED_DIRTY;
	w->j.text = two_reasons(w, text, "",
	    "the database stands between two states and does not start; `kedge-agent rollback recover` goes on");
	walk_answer(&w->j, ret);
	ret->steps = (struct list){w->steps, w->step_count};
	return ERR_OK;
}

/* What happened has happened, whether or not the journal can say so. */
static enum err_code finish(struct walk *w, enum order_outcome outcome, const char *text, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	discard_database(w, outcome, &text);
	walk_database_done(w);
	if (w->j.database_state == JOURNAL_DATABASE_BETWEEN ||
	    (walk_has_database(w) && database_is_shut(w->r->service)))
		return stay_between(w, text, ret);
	struct component_point *points = arena_dup(w->arena, w->points, sizeof w->points);
	w->j.outcome = outcome;
	w->j.text = text;
	w->j.digests_match = w->digests_match;
	w->j.healthy = w->healthy;
	w->j.points = (struct list){points, points ? w->point_count : 0};
	if (enter(w, JOURNAL_ENDED, &err) != ERR_OK) {
		w->j.text = two_reasons(w, text, "its journal could not be closed: ", err.msg);
		(void)!rollback_journal_remove(w->folder, w->j.order, NULL);
	}
	walk_answer(&w->j, ret);
	ret->better = w->better && outcome == ORDER_OK_WITH_EXCEPTIONS;
	ret->steps = (struct list){w->steps, w->step_count};
	return ERR_OK;
}

/* Nothing is changed: the service runs again as it did. */
static enum err_code leave(struct walk *w, enum order_outcome outcome, const char *why, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	if (w->stopped && step_start(w, &err) != ERR_OK)
		why = two_reasons(w, why, "", err.msg);
	w->j.safety = w->j.aside = (struct id){0};
	w->j.prepared = (struct list){0}; /* they were not used */
	w->j.exchanged = 0;
	return finish(w, outcome, why, ret);
}

/* ---- undo ---- */

/* Trees by the safety restore point.  It has none of them when only a database was to be put back, and that was gone.
 */
static enum err_code put_trees_back(struct walk *w, struct err *reterr)
{
	struct snapshot *safety = NULL;
	struct converge *c = NULL;
	converge_free(TAKE_PTR(w->c)); /* first of all it has an end */
	if (id_is_zero(w->j.safety))
		return ERR_OK;
	enum err_code rc = snapshot_open(w->repo, w->j.safety, &safety, reterr);
	if (rc != ERR_OK)
		return rc;
	struct converge_spec spec = walk_towards(w, safety);
	rc = converge_stage(&spec, &c, reterr);
	if (rc == ERR_OK)
		rc = converge_apply(c, reterr);
	if (rc == ERR_OK)
		rc = walk_database_back(w, safety, reterr);
	if (rc == ERR_OK)
		rc = proof_trees(w, safety, reterr);
	if (rc == ERR_OK)
		rc = converge_wait(c, reterr);
	converge_free(c);
	snapshot_close(safety);
	return rc;
}

static enum err_code put_back(struct walk *w, struct err *reterr)
{
	struct err stop = ERR_INIT;
	enum err_code stopped = step_stop(
	    w, &stop); /* what does not stop gets its own files back under it: still better than half of each */
	enum err_code rc = exchange_back(w, reterr);
	if (rc == ERR_OK)
		rc = put_trees_back(w, reterr);
	if (rc == ERR_OK && id_is_zero(w->j.safety))
		rc = walk_database_back(w, NULL, reterr);
	if (rc != ERR_OK && stopped != ERR_OK)
		rc = err_prefix(reterr, rc, "%.120s", stop.msg);
	return rc;
}

static enum err_code undo(struct walk *w, const char *why, struct rollback_result *ret)
{
	struct err err = ERR_INIT, start = ERR_INIT;
	enter_anyway(w, JOURNAL_UNDOING);
	struct step_timer t = step_begin(w, STEP_UNDO);
	bool whole = step_end(w, t, put_back(w, &err), &err, NULL) == ERR_OK;
	(void)!step_start(w, &start);          /* it may well not run: it did not before */
	w->digests_match = w->healthy = false; /* this is not the restore point that was asked for */
	if (!exchange_is_begun(w))
		w->j.aside = (struct id){0}; /* nothing was put aside after all */
	if (!whole)
		return finish(w, ORDER_FAILED_DIRTY, two_reasons(w, why, "putting it back failed too: ", err.msg), ret);
	return finish(w, ORDER_REVERTED, why, ret);
}

/* ---- from "it is in place" on ---- */

static enum err_code start_and_verify(struct walk *w, struct err *reterr)
{
	enum err_code rc = step_run(w, STEP_CHECK, &w->r->service->steps.check, reterr);
	if (rc == ERR_OK)
		rc = step_start(w, reterr);
	if (rc == ERR_OK && walk_has_database(w))
		rc = database_settle(w->r->service, reterr);
	if (rc != ERR_OK && !w->r->as_it_was)
		return rc;
	const char *trouble = rc != ERR_OK ? reason(w, reterr) : NULL;
	rc = proof_verify(w, reterr);
	if (trouble) {
		w->trouble = trouble;
		w->healthy = false;
	}
	return rc;
}

/* What the database was before stands beside it, untouched, and becomes part of the safety restore point now that
 * nobody waits for it. Where that fails it stays there: nothing is lost, but a person must look.  A database that was
 * gone has nothing to save. */
static enum err_code save_aside(struct walk *w, struct err *reterr)
{
	struct snapshot *trees = NULL;
	struct snapshot_summary saved;
	char work[PATH_LIMIT];
	if (!text_format(work, sizeof work, "%s/prepare", w->state_directory))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", w->state_directory);
	enum err_code rc = id_is_zero(w->j.safety) ? ERR_OK : snapshot_open(w->repo, w->j.safety, &trees, reterr);
	struct snapshot_options o = {.components = 1u << COMPONENT_DATABASE,
	    .reason = SNAPSHOT_SAFETY,
	    .suspect = true,
	    .now_ms = w->io->now_ms(w->io->ctx),
	    .carry = trees};
	if (rc == ERR_OK)
		rc = database_snapshot_aside(w->repo, w->r->service, w->token, &o, work, w->arena, &saved, reterr);
	if (rc == ERR_OK)
		w->j.safety = saved.snapshot;
	snapshot_close(trees);
	return rc;
}

static void save_database(struct walk *w)
{
	struct err err = ERR_INIT;
	char moved[TEXT_LINE_MAX];
	if (!walk_has_database(w) || !proof_is_swapped(w) || !database_staged(w->r->service, w->token))
		return;
	database_moved(w->r->service, w->token, moved);
	if (*moved && !w->trouble)
		w->trouble = walk_text(w, moved, sizeof moved);
	struct step_timer t = step_begin(w, STEP_SAFETY);
	enum err_code rc = step_end(w, t, save_aside(w, &err), &err, NULL);
	if (rc == ERR_OK)
		return;
	w->keep_aside = true;
	w->trouble = two_reasons(w, "what the database was before stays beside it, unsaved", "", err.msg);
}

/* "ok" is what was proven whole and healthy; anything less is said. */
static enum err_code end_well(struct walk *w, const char *text, struct rollback_result *ret)
{
	save_database(w);
	if (w->trouble)
		text = two_reasons(w, text, "but ", w->trouble);
	if (w->exceptions)
		text = two_reasons(w, text, "not put back: ", w->exceptions);
	return finish(w, w->trouble || w->exceptions ? ORDER_OK_WITH_EXCEPTIONS : ORDER_OK, text, ret);
}

/* Never cut off the branch we sit on: what was ordered from afar stays only when it can be ordered back from there. */
static bool must_confirm(const struct walk *w)
{
	return w->io->confirm && w->r->service->rollback.confirm_within_ms > 0;
}

static enum err_code confirm(struct walk *w, uint64_t in_place_ms, struct err *reterr)
{
	char why[ROLLBACK_TEXT_MAX] = "";
	if (!must_confirm(w))
		return ERR_OK;
	struct step_timer t = step_begin(w, STEP_VERIFY);
	enum err_code rc = w->io->confirm(w->io->ctx, w->r->service, in_place_ms, why)
			       ? ERR_OK
			       : err_set(reterr, ERR_UNREACHABLE, "it cut this host off: %s", why);
	return step_end(w, t, rc, reterr, "the controller is heard from");
}

/* Whoever began it between our stop and our start let it read what was there before, and left our start nothing to do:
 * stopped and started by nobody but us it shows what the restore point is worth.  Once. */
static enum err_code start_alone_and_verify(struct walk *w, struct err *reterr)
{
	struct err stop = ERR_INIT;
	enum err_code rc = start_and_verify(w, reterr);
	bool ill = rc != ERR_OK || (w->trouble && !w->healthy);
	if (!ill || !w->r->service->steps.stop.count || !step_found_it_running(w))
		return rc;
	log_info("rollback", "order=%s service=%s was begun by somebody else meanwhile: once more", w->token,
	    w->r->service->name);
	w->trouble = NULL;
	if (step_stop(w, &stop) != ERR_OK) /* what is left of it is looked at all the same: that is the verdict */
		log_warn("rollback", "order=%s service=%s does not stop once more: %s", w->token, w->r->service->name,
		    stop.msg);
	return start_and_verify(w, reterr);
}

static enum err_code prove_or_undo(struct walk *w, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	uint64_t in_place_ms = clock_mono_ms(); /* what it cuts off is cut off from here on */
	if (!w->target)
		return undo(w, "its restore point cannot be opened any more", ret);
	if (start_alone_and_verify(w, &err) != ERR_OK)
		return undo(w, reason(w, &err), ret);
	if (confirm(w, in_place_ms, &err) != ERR_OK)
		return undo(w, reason(w, &err), ret);
	return end_well(w, "equals its restore point", ret);
}

/* The proof of the trees and their way to the disk go side by side.  An interruption before this is one while applying:
 * what it finds to do then may be nothing.  Where nobody is asked the end follows at once, and says more. */
enum err_code walk_in_place(struct walk *w, struct err *reterr)
{
	enum err_code rc = w->c ? converge_wait(w->c, reterr) : ERR_OK;
	bool more_to_ask = (w->r->service->probes.count && !w->r->no_prove) || must_confirm(w);
	if (rc == ERR_OK && w->j.phase == JOURNAL_APPLYING && more_to_ask)
		enter_anyway(w, JOURNAL_PROVING);
	return rc;
}

/* ---- before the first change ---- */

static enum err_code interrupted(struct walk *w, enum order_outcome *outcome, struct err *reterr)
{
	if (w->io->cancelled(w->io->ctx)) {
		*outcome = ORDER_CANCELLED;
		return err_set(reterr, ERR_CANCELLED, "cancelled before anything changed");
	}
	if (w->r->run_limit_ms && clock_mono_ms() - w->began_mono_ms > w->r->run_limit_ms)
		return err_set(reterr, ERR_TIMEOUT, "it took longer than it may, before anything changed");
	return ERR_OK;
}

static uint64_t database_bytes(const struct walk *w)
{
	const struct snapshot_component *c = snapshot_summary_component(snapshot_about(w->target), COMPONENT_DATABASE);
	return walk_has_database(w) && !w->j.in_place && c ? c->size_bytes : 0;
}

/* All but what is set aside whole, and saved from there when the service runs again: a database (save_database), trees
 * that are exchanged (rollback_settle). */
static struct snapshot_options safety_options(const struct walk *w)
{
	return (struct snapshot_options){.components = walk_in_parts(w) & ~(1u << COMPONENT_DATABASE),
	    .reason = SNAPSHOT_SAFETY,
	    .suspect = true,
	    .now_ms = w->io->now_ms(w->io->ctx),
	    .like = w->target};
}

static enum err_code stage(struct walk *w, struct err *reterr)
{
	if (!walk_in_parts(w)) { /* it was done beforehand */
		struct converge_spec none = walk_towards(w, w->target);
		return converge_stage(&none, &w->c, reterr);
	}
	struct step_timer t = step_begin(w, STEP_STAGE);
	struct converge_spec spec = walk_towards(w, w->target);
	struct snapshot_options safety = safety_options(w);
	char size[TEXT_TIME_MAX], way[TEXT_LINE_MAX] = "", text[TEXT_LINE_MAX] = "";
	spec.save = &safety;
	spec.repo = w->repo;
	spec.arena = w->arena;
	enum err_code rc = converge_stage(&spec, &w->c, reterr);
	if (rc == ERR_OK && walk_has_database(w))
		rc = walk_database_stage(w, way, reterr);
	if (rc == ERR_OK)
		(void)text_format(text, sizeof text, "%s staged%s%s",
		    text_size_human(converge_counts(w->c)->bytes + database_bytes(w), size),
		    *way ? "; the database " : "", way);
	return step_end(w, t, rc, reterr, text);
}

/* Is what is there still what the plan was made on? */
static enum err_code precondition_holds(const struct walk *w, const struct converge *c, struct err *reterr)
{
	static const struct digest any;
	struct digest live[COMPONENT_COUNT], now = any;
	if (memcmp(&w->r->precondition, &any, sizeof any) == 0)
		return ERR_OK;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		live[i] = converge_live(c)->component[i].digest;
	enum err_code rc = exchange_digests(w, live, reterr);
	if (rc == ERR_OK)
		rc = precondition_digest(live, (uint32_t)w->j.components, &now, reterr);
	if (rc == ERR_OK && memcmp(&now, &w->r->precondition, sizeof now) != 0)
		rc = err_set(reterr, ERR_STATE,
		    "configuration or code of %s is not any more what this was planned on: look again, and plan anew",
		    w->r->service->name);
	return rc;
}

/* What must hold before anything of the service is touched, beyond that everything could be staged. */
static enum err_code fit_for_it(struct walk *w, struct converge *c, struct err *reterr)
{
	enum err_code rc = precondition_holds(w, c, reterr);
	if (rc == ERR_OK)
		rc = barrier_check(w, reterr);
	if (rc != ERR_OK || (w->r->as_it_was && !w->r->check_too))
		return rc;
	rc = fitness_check(w, c, reterr);
	return rc == ERR_OK ? preview_check(w, c, reterr) : rc;
}

/* What was read when it was staged becomes a restore point. */
static enum err_code take_safety(struct walk *w, struct err *reterr)
{
	if (!safety_options(w).components)
		return ERR_OK;
	struct step_timer t = step_begin(w, STEP_SAFETY);
	enum err_code rc = converge_save(w->c, &w->saved, reterr);
	if (rc == ERR_OK)
		rc = converge_wait(w->c, reterr); /* of what is staged: from here on nothing waits for that */
	if (rc == ERR_OK)
		w->j.safety = w->saved.snapshot;
	return step_end(w, t, rc, reterr, NULL);
}

/* It came to differ from that. */
static enum err_code take_safety_anew(struct walk *w, struct err *reterr)
{
	struct snapshot_options o = safety_options(w);
	if (!o.components)
		return ERR_OK;
	struct step_timer t = step_begin(w, STEP_SAFETY);
	enum err_code rc = snapshot_create(w->repo, converge_service(w->c), &o, w->arena, &w->saved, reterr);
	if (rc == ERR_OK)
		w->j.safety = w->saved.snapshot;
	return step_end(w, t, rc, reterr, NULL);
}

/* Is what was saved before the service stopped still what is there? */
static bool is_saved(const struct walk *w)
{
	const struct diff_result *live = converge_live(w->c);
	if (id_is_zero(w->j.safety))
		return false;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		const struct snapshot_component *saved = snapshot_summary_component(&w->saved, (enum component)i);
		if (walk_in_parts(w) & 1u << i && live->component[i].entries + (saved ? saved->entries : 0) &&
		    (!saved || memcmp(&saved->digest, &live->component[i].digest, sizeof saved->digest) != 0))
			return false;
	}
	return true;
}

/* Nothing had to be stopped: no more can have changed than at any other moment, and what will be touched tells. */
static bool needs_no_second_look(const struct walk *w)
{
	const struct service_config *s = w->r->service;
	return !s->steps.stop.count && !walk_has_database(w) && converge_is_still(w->c);
}

/* The service has stopped: what it wrote since it was staged and saved counts too. */
static enum err_code look_again(struct walk *w, enum order_outcome *outcome, struct err *reterr)
{
	enum err_code rc = interrupted(w, outcome, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = writers_stop(snapshot_about(w->target), w->r->service, (uint32_t)w->j.components, reterr);
	if (rc == ERR_OK)
		rc = writers_refuse(snapshot_about(w->target), w->r->service, (uint32_t)w->j.components, reterr);
	if (rc != ERR_OK) {
		*outcome = ORDER_REFUSED;
		return rc;
	}
	if (!walk_in_parts(w))
		return ERR_OK; /* whatever is there goes aside whole */
	struct step_timer t = step_begin(w, STEP_PLAN);
	if (needs_no_second_look(w))
		return step_end(w, t, ERR_OK, NULL, "all that will be touched is as it was saved");
	rc = step_end(w, t, converge_refresh(w->c, reterr), reterr, "compared again, stopped");
	if (rc == ERR_OK && !is_saved(w))
		rc = take_safety_anew(w, reterr);
	return rc == ERR_OK ? interrupted(w, outcome, reterr) : rc;
}

/* Before the service stops, which is then down for less. */
static enum err_code prepare(struct walk *w, enum order_outcome *outcome, struct err *reterr)
{
	*outcome = ORDER_REVERTED;
	enum err_code rc = interrupted(w, outcome, reterr);
	if (rc != ERR_OK)
		return rc;
	*outcome = ORDER_REFUSED;
	rc = take_safety(w, reterr);
	if (rc == ERR_OK)
		rc = interrupted(w, outcome, reterr);
	if (rc == ERR_OK && w->r->service->steps.stop.count) /* nothing to say of what is not done */
		rc = enter(w, JOURNAL_STOPPING, reterr);
	if (rc != ERR_OK)
		return rc;
	*outcome = ORDER_REVERTED;
	rc = step_stop(w, reterr);
	return rc == ERR_OK ? look_again(w, outcome, reterr) : rc;
}

/* ---- the change ---- */

static enum err_code apply(struct walk *w, struct err *reterr)
{
	struct converge *c = w->c;
	struct step_timer t = step_begin(w, STEP_RESTORE);
	char text[TEXT_LINE_MAX];
	enum err_code rc = converge_apply(c, reterr);
	if (rc == ERR_OK)
		rc = exchange_go(w, reterr);
	if (rc == ERR_OK)
		rc = walk_database_apply(w, reterr);
	const struct converge_counts *n = converge_counts(c);
	if (walk_in_parts(w))
		(void)text_format(text, sizeof text, "%llu replaced, %llu made, %llu removed, %llu metadata only%s",
		    (unsigned long long)n->replaced, (unsigned long long)n->made, (unsigned long long)n->removed,
		    (unsigned long long)n->metadata, w->exchange_count ? "; staged trees exchanged" : "");
	else
		(void)text_format(text, sizeof text, "exchanged with what was staged beforehand");
	return step_end(w, t, rc, reterr, text);
}

/* ---- nothing differs ---- */

static enum err_code start_anew(struct walk *w, struct err *reterr)
{
	enum err_code rc = enter(w, JOURNAL_STOPPING, reterr);
	if (rc == ERR_OK)
		rc = step_stop(w, reterr);
	return rc == ERR_OK ? start_and_verify(w, reterr) : rc;
}

static enum err_code already_there(struct walk *w, struct rollback_result *ret)
{
	struct err err = ERR_INIT, again = ERR_INIT;
	if (proof_verify(w, &err) == ERR_OK)
		return end_well(w, "equals its restore point already; nothing was changed", ret);
	if (!w->digests_match) /* it changed under our eyes */
		return leave(w, ORDER_REVERTED, reason(w, &err), ret);
	enum order_outcome outcome = ORDER_REVERTED;
	if (interrupted(w, &outcome, &again) != ERR_OK)
		return leave(w, outcome, reason(w, &again), ret);
	if (start_anew(w, &again) == ERR_OK)
		return end_well(w, "equals its restore point already; it was started anew", ret);
	return finish(
	    w, ORDER_REVERTED, two_reasons(w, "it equals its restore point already, and yet", "", again.msg), ret);
}

/* ---- the whole ---- */

void walk_done(struct walk *w)
{
	walk_database_done(w);
	converge_free(TAKE_PTR(w->c));
	snapshot_taking_free(TAKE_PTR(w->known));
}

/* Everything up to the first change; *outcome: what it is when that ends with an error. */
static enum err_code get_ready(struct walk *w, enum order_outcome *outcome, struct err *reterr)
{
	*outcome = ORDER_REFUSED;
	enum err_code rc = fit_for_it(w, w->c, reterr);
	if (rc == ERR_OK)
		rc = prepare(w, outcome, reterr);
	if (rc == ERR_OK)
		rc = walk_database_ready(w, reterr);
	if (rc == ERR_OK && w->exchange_count) { /* what goes aside is saved later, under a name that is promised now */
		struct random random;
		random_init_system(&random);
		w->j.aside = id_new(w->io->now_ms(w->io->ctx), &random);
	}
	return rc == ERR_OK ? enter(w, JOURNAL_APPLYING, reterr) : rc;
}

enum err_code walk_go(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	enum order_outcome outcome;
	enum err_code rc =
	    walk_in_parts(w) ? enter(w, JOURNAL_PLANNED, reterr) : ERR_OK; /* or nothing is written yet */
	if (rc != ERR_OK) { /* it may stand there all the same: only that it lasts was not certain */
		(void)!rollback_journal_remove(w->folder, w->j.order, NULL);
		return rc;
	}
	if (stage(w, &err) != ERR_OK) {
		converge_free(TAKE_PTR(w->c));
		return leave(w, ORDER_REFUSED, reason(w, &err), ret);
	}
	if (converge_is_empty(w->c) && !walk_has_database(w) && !w->exchange_count) {
		rc = precondition_holds(w, w->c, &err);
		w->known = converge_take_known(w->c);
		converge_free(TAKE_PTR(w->c));
		return rc == ERR_OK ? already_there(w, ret) : leave(w, ORDER_REFUSED, reason(w, &err), ret);
	}
	rc = get_ready(w, &outcome, &err);
	if (rc != ERR_OK) {
		converge_free(TAKE_PTR(w->c));
		return leave(w, outcome, reason(w, &err), ret);
	}
	rc = apply(w, &err);
	w->known = converge_take_known(w->c);
	return rc == ERR_OK ? prove_or_undo(w, ret) : undo(w, reason(w, &err), ret);
}

/* ---- after an interruption ---- */

static enum err_code go_on_applying(struct walk *w, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	if (!w->target)
		return undo(w, "its restore point cannot be opened any more", ret);
	struct converge_spec spec = walk_towards(w, w->target);
	enum err_code rc = step_stop(w, &err);
	if (rc == ERR_OK)
		rc = converge_stage(&spec, &w->c, &err);
	if (rc == ERR_OK)
		rc = apply(w, &err);
	return rc == ERR_OK ? prove_or_undo(w, ret) : undo(w, reason(w, &err), ret);
}

/* What the interrupted run left beside the roots; they are the same in both restore points. */
static void clean(struct walk *w)
{
	struct snapshot *safety = NULL;
	struct err err = ERR_INIT;
	enum err_code rc = ERR_OK;
	if (!walk_in_parts(w))
		return; /* prepared trees are no leavings */
	if (!w->target)
		rc = snapshot_open(w->repo, w->j.safety, &safety, &err);
	struct converge_spec spec = walk_towards(w, w->target ? w->target : safety);
	if (rc == ERR_OK)
		rc = converge_clean(&spec, &err);
	walk_database_clean(w, spec.snapshot, &w->j, w->token);
	snapshot_close(safety);
	if (rc != ERR_OK)
		log_warn("rollback", "order=%s service=%s %s", w->token, w->r->service->name, err.msg);
}

/* Where it was interrupted decides: untouched before APPLYING; forward from there; back if it was on its way back. */
enum err_code walk_resume(struct walk *w, struct rollback_result *ret, struct err *reterr)
{
	if (w->j.phase != JOURNAL_ENDED)
		clean(w);
	switch ((enum journal_phase)w->j.phase) {
	case JOURNAL_PLANNED:
		return leave(w, ORDER_REVERTED, "interrupted before anything changed", ret);
	case JOURNAL_STOPPING:
		w->stopped = true;
		return leave(w, ORDER_REVERTED, "interrupted before anything changed", ret);
	case JOURNAL_APPLYING:
		return go_on_applying(w, ret);
	case JOURNAL_PROVING:
		return prove_or_undo(w, ret);
	case JOURNAL_UNDOING:
		return undo(w, "interrupted while it was put back", ret);
	case JOURNAL_ENDED:
		walk_answer(&w->j, ret);
		return ERR_OK;
	case JOURNAL_PHASE_COUNT:
		break;
	}
	return err_set(reterr, ERR_STATE, "the journal of %s is in no phase that is known here", w->token);
}
