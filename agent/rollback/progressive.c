/* A progressive rollback: stages, tries, the way back. */
#include <string.h>

#include "agent/rollback/progressive_internal.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

enum {
	STILL = 1u << COMPONENT_CONFIG | 1u << COMPONENT_CODE, /* what loses no data when it goes back */
	STAGES_MAX = COMPONENT_COUNT,
};

struct progress {
	struct repo *repo;
	const char *state_directory;
	const struct rollback_request *r;
	const struct rollback_io *io;
	struct arena *arena;
	struct course c;
	struct candidates known;
	struct attempt *attempts; /* c.attempts, with room */
	struct order_step *steps;
	size_t step_count;
	uint64_t began_mono_ms;
	enum order_outcome stopped; /* not OPEN: nothing more may be tried, and why */
	struct rollback_result last;
};

static enum err_code note(struct progress *p, struct err *reterr)
{
	return course_write(p->state_directory, &p->c, reterr);
}

static void on_step(void *ctx, const struct order_step *step)
{
	struct progress *p = ctx;
	if (p->step_count < ROLLBACK_STEPS_MAX)
		p->steps[p->step_count++] = *step;
	p->io->step(p->io->ctx, step);
}
static bool on_prove(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX])
{
	struct progress *p = ctx;
	return p->io->prove(p->io->ctx, service, deep, text);
}
static bool on_cancelled(void *ctx)
{
	struct progress *p = ctx;
	return p->io->cancelled(p->io->ctx);
}
static uint64_t on_now(void *ctx)
{
	struct progress *p = ctx;
	return p->io->now_ms(p->io->ctx);
}

/* Nothing else is tried then: each try would cut this host off for a while. */
static bool on_confirm(
    void *ctx, const struct service_config *service, uint64_t in_place_ms, char text[ROLLBACK_TEXT_MAX])
{
	struct progress *p = ctx;
	bool ok = p->io->confirm(p->io->ctx, service, in_place_ms, text);
	if (!ok)
		p->stopped = ORDER_REVERTED;
	return ok;
}

/* ---- one try ---- */

/* At most the rest of the time; one that is over is told apart from none. */
static uint64_t time_left(const struct progress *p)
{
	uint64_t spent = clock_mono_ms() - p->began_mono_ms;
	return !p->r->run_limit_ms ? 0 : spent < p->r->run_limit_ms ? p->r->run_limit_ms - spent : 1;
}

static enum err_code run_one(struct progress *p, const struct attempt *a, bool way_back, struct err *reterr)
{
	struct rollback_io io = {
	    p, on_step, on_prove, on_cancelled, on_now, way_back || !p->io->confirm ? NULL : on_confirm, NULL};
	struct rollback_request r = {.order = a->order,
	    .service = p->r->service,
	    .components = (uint32_t)a->components,
	    .snapshot = a->snapshot,
	    .run_limit_ms = way_back ? 0 : time_left(p),
	    .deep = true, /* what raised the alarm may be one of the deep ones, and each answer leads on from here */
	    .no_prove = p->r->no_prove,
	    .check_too = !way_back,
	    .as_it_was = true}; /* what does not help is not undone: the next try goes on from there */
	return rollback_run(p->repo, p->state_directory, &r, &io, p->arena, &p->last, reterr);
}

static void judge(struct progress *p, struct attempt *a)
{
	const struct rollback_result *done = &p->last;
	bool in_place = done->outcome == ORDER_OK || done->outcome == ORDER_OK_WITH_EXCEPTIONS;
	a->safety = done->safety_snapshot;
	a->changed = !id_is_zero(done->safety_snapshot) && done->outcome != ORDER_REVERTED;
	a->text = done->text;
	a->judgement = in_place && done->digests_match && done->healthy ? JUDGEMENT_GOOD : JUDGEMENT_BAD;
	if (done->outcome == ORDER_CANCELLED || done->outcome == ORDER_FAILED_DIRTY)
		p->stopped = done->outcome;
}

/* Journal, try, journal.  An error: this restore point is of no use; what it says is kept. */
static enum err_code go_through(struct progress *p, struct attempt *a, struct err *reterr)
{
	struct err why = ERR_INIT;
	if (run_one(p, a, false, &why) == ERR_OK) {
		judge(p, a);
	} else {
		a->judgement = JUDGEMENT_BAD;
		a->text = arena_strdup(p->arena, why.msg);
		if (why.code == ERR_BUSY)
			p->stopped = ORDER_REVERTED;
	}
	log_info("rollback", "order=%s service=%s tried %s: %s%s%s", id_text(ID_ORDER, p->c.order), p->r->service->name,
	    id_text(ID_SNAPSHOT, a->snapshot), a->judgement == JUDGEMENT_GOOD ? "good" : "not good",
	    a->text ? ": " : "", a->text ? a->text : "");
	return note(p, reterr);
}

static enum err_code attempt(
    struct progress *p, size_t candidate, uint32_t components, bool *ret_good, struct err *reterr)
{
	struct random random;
	random_init_system(&random);
	if (p->c.attempts.count == 2 * PROGRESSIVE_TRIES_MAX)
		return err_set(reterr, ERR_LIMIT, "tried too often");
	struct attempt *a = &p->attempts[p->c.attempts.count++];
	*a = (struct attempt){.order = id_new(on_now(p), &random),
	    .snapshot = p->known.about[candidate].snapshot,
	    .components = components};
	enum err_code rc = note(p, reterr);
	if (rc == ERR_OK)
		rc = go_through(p, a, reterr);
	*ret_good = a->judgement == JUDGEMENT_GOOD;
	return rc;
}

static bool may_go_on(struct progress *p)
{
	if (p->stopped == ORDER_OPEN && on_cancelled(p))
		p->stopped = ORDER_CANCELLED;
	if (p->stopped == ORDER_OPEN &&
	    ((p->r->run_limit_ms && clock_mono_ms() - p->began_mono_ms > p->r->run_limit_ms) ||
		p->c.attempts.count >= PROGRESSIVE_TRIES_MAX))
		p->stopped = ORDER_REVERTED;
	return p->stopped == ORDER_OPEN;
}

/* ---- what is known without trying ---- */

/* 1 good, 0 bad, -1 not known. */
static int known(const struct progress *p, size_t candidate, uint32_t components)
{
	if (candidates_is_live(&p->known, candidate, components) || !candidates_fit(&p->known, candidate, components))
		return 0; /* it is there, and is not well; or it must not be gone to */
	for (size_t i = 0; i < p->c.attempts.count; i++)
		if (p->attempts[i].components == components && p->attempts[i].judgement != JUDGEMENT_NONE &&
		    id_equal(p->attempts[i].snapshot, p->known.about[candidate].snapshot))
			return p->attempts[i].judgement == JUDGEMENT_GOOD;
	return -1;
}

/* As another one that is equal in these components. */
static int known_by_twin(const struct progress *p, size_t candidate, uint32_t components)
{
	for (size_t i = 0; i < p->known.count; i++)
		if (i == candidate || candidates_equal(&p->known, i, candidate, components)) {
			int k = known(p, i, components);
			if (k >= 0)
				return k;
		}
	return -1;
}

/* ---- the stages ---- */

struct stage {
	uint32_t components;
	bool older; /* search older ones; else only the newest */
};

static size_t stages_of(uint32_t allowed, struct stage out[2 * STAGES_MAX])
{
	uint32_t set = 0, still = allowed & STILL;
	size_t n = 0;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++) {
		if (!(allowed & 1u << i))
			continue;
		set |= 1u << i;
		out[n++] = (struct stage){set, set == still || set == allowed};
	}
	return n;
}

/* Ends with the newest good one in place, or with none. */
static enum err_code search_older(struct progress *p, uint32_t components, bool *ret_good, struct err *reterr)
{
	struct search s;
	unsigned at, here = 0;
	enum err_code rc = ERR_OK;
	search_begin(&s, (unsigned)p->known.count);
	while (rc == ERR_OK) {
		for (unsigned i = 1; i <= s.count; i++) {
			int k = known_by_twin(p, i - 1, components);
			if (k >= 0)
				search_learn(&s, i, k == 1);
		}
		if (!(at = search_next(&s)) || !may_go_on(p))
			break;
		bool good = false;
		rc = attempt(p, at - 1, components, &good, reterr);
		search_learn(&s, at, good);
		if (!good && at < s.bad)
			s.bad = at;
		here = at;
	}
	*ret_good = s.good > 0;
	if (rc == ERR_OK && s.good && here != s.good && p->stopped != ORDER_FAILED_DIRTY)
		rc = attempt(p, s.good - 1, components, ret_good, reterr);
	return rc;
}

static enum err_code try_newest(struct progress *p, uint32_t components, bool *ret_good, struct err *reterr)
{
	size_t newest = p->known.count - 1;
	return known(p, newest, components) < 0 && may_go_on(p) ? attempt(p, newest, components, ret_good, reterr)
								: ERR_OK;
}

static enum err_code climb(struct progress *p, bool *ret_good, struct err *reterr)
{
	struct stage stages[2 * STAGES_MAX];
	size_t n = stages_of((uint32_t)p->c.components, stages);
	enum err_code rc = ERR_OK;
	*ret_good = false;
	for (size_t i = 0; rc == ERR_OK && !*ret_good && p->stopped == ORDER_OPEN && i < n; i++)
		rc = stages[i].older ? search_older(p, stages[i].components, ret_good, reterr)
				     : try_newest(p, stages[i].components, ret_good, reterr);
	return rc;
}

/* ---- back to where it began ---- */

static bool anything_changed(const struct progress *p)
{
	for (size_t i = 0; i < p->c.attempts.count; i++)
		if (p->attempts[i].changed)
			return true;
	return false;
}

/* Each component by the safety restore point of the first try that touched it. */
static enum err_code go_back(struct progress *p, struct err *reterr)
{
	uint32_t done = 0;
	struct random random;
	enum err_code rc = ERR_OK;
	random_init_system(&random);
	p->c.returning = true;
	if ((rc = note(p, reterr)) != ERR_OK)
		log_warn("rollback", "order=%s %s", id_text(ID_ORDER, p->c.order), reterr->msg);
	rc = ERR_OK;
	for (size_t i = 0, n = p->c.attempts.count; rc == ERR_OK && i < n; i++) {
		const struct attempt *a = &p->attempts[i];
		uint32_t fresh = (uint32_t)a->components & ~done;
		if (!a->changed || !fresh)
			continue;
		struct attempt back = {.order = id_new(on_now(p), &random), .snapshot = a->safety, .components = fresh};
		rc = run_one(p, &back, true, reterr);
		if (rc == ERR_OK && !(p->last.digests_match))
			rc = err_set(reterr, ERR_CORRUPT, "%s", p->last.text ? p->last.text : "it is not as it was");
		done |= fresh;
	}
	return rc;
}

/* ---- ends ---- */

static void answer(struct progress *p, struct rollback_result *ret)
{
	*ret = (struct rollback_result){.outcome = p->c.outcome,
	    .steps = {p->steps, p->step_count},
	    .components = p->c.points,
	    .digests_match = p->c.digests_match,
	    .healthy = p->c.healthy,
	    .snapshot = p->c.snapshot,
	    .tries = (uint32_t)p->c.attempts.count,
	    .text = p->c.text};
	for (size_t i = 0; i < p->c.attempts.count && id_is_zero(ret->safety_snapshot); i++)
		ret->safety_snapshot = p->attempts[i].safety;
}

static enum err_code end(struct progress *p, enum order_outcome outcome, const char *text, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	char line[TEXT_LINE_MAX];
	text_copy(line, sizeof line, text ? text : "");
	p->c.ended = true;
	p->c.outcome = outcome;
	p->c.text = arena_strdup(p->arena, line);
	p->c.points = p->last.components;
	bool well = outcome == ORDER_OK || outcome == ORDER_OK_WITH_EXCEPTIONS;
	p->c.digests_match = well && p->last.digests_match;
	p->c.healthy = well && p->last.healthy;
	if (note(p, &err) != ERR_OK)
		log_warn("rollback", "order=%s %s", id_text(ID_ORDER, p->c.order), err.msg);
	answer(p, ret);
	return ERR_OK;
}

static enum err_code end_good(struct progress *p, struct rollback_result *ret)
{
	const struct attempt *last = &p->attempts[p->c.attempts.count - 1];
	p->c.snapshot = last->snapshot;
	return end(p, p->last.outcome,
	    arena_printf(p->arena, "well again on %s, after %zu tries: %.300s", id_text(ID_SNAPSHOT, last->snapshot),
		p->c.attempts.count, p->last.text ? p->last.text : ""),
	    ret);
}

static const char *last_words(const struct progress *p)
{
	return p->c.attempts.count && p->attempts[p->c.attempts.count - 1].text
		   ? p->attempts[p->c.attempts.count - 1].text
		   : "there is none that could be tried";
}

static enum err_code end_bad(struct progress *p, const char *why, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	enum order_outcome calm = p->stopped == ORDER_CANCELLED ? ORDER_CANCELLED : ORDER_REFUSED;
	if (p->stopped == ORDER_FAILED_DIRTY)
		return end(p, ORDER_FAILED_DIRTY, why, ret);
	if (!anything_changed(p))
		return end(p, p->c.attempts.count ? ORDER_REVERTED : calm, why, ret);
	if (go_back(p, &err) != ERR_OK)
		return end(p, ORDER_FAILED_DIRTY,
		    arena_printf(p->arena, "%.200s; and going back failed: %.200s", why, err.msg), ret);
	return end(p, ORDER_REVERTED, why, ret);
}

static enum err_code carry_out(struct progress *p, struct rollback_result *ret)
{
	struct err err = ERR_INIT;
	bool good = false;
	enum err_code rc = climb(p, &good, &err);
	if (rc == ERR_OK && good)
		return end_good(p, ret);
	const char *why = rc != ERR_OK ? arena_strdup(p->arena, err.msg)
			  : p->stopped == ORDER_CANCELLED
			      ? "cancelled"
			      : arena_printf(p->arena, "no restore point helped, %zu were tried; the last: %.300s",
				    p->c.attempts.count, last_words(p));
	return end_bad(p, why ? why : "out of memory", ret);
}

/* ---- the way in ---- */

static enum err_code precondition_holds(struct progress *p, struct err *reterr)
{
	static const struct digest any;
	struct digest now = any;
	if (memcmp(&p->r->precondition, &any, sizeof any) == 0)
		return ERR_OK;
	enum err_code rc = precondition_digest(p->known.live, (uint32_t)p->c.components, &now, reterr);
	if (rc == ERR_OK && memcmp(&now, &p->r->precondition, sizeof now) != 0)
		rc = err_set(reterr, ERR_STATE,
		    "configuration or code of %s is not any more what this was planned on: look again, and plan anew",
		    p->r->service->name);
	return rc;
}

static uint32_t declared(const struct service_config *service)
{
	uint32_t bits = 0;
	for (unsigned i = 0; i < COMPONENT_COUNT; i++)
		if (components_get(&service->components, (enum component)i))
			bits |= 1u << i;
	return bits;
}

static enum err_code begin(struct progress *p, struct err *reterr)
{
	uint32_t components = p->r->components ? p->r->components : declared(p->r->service);
	struct id *ids = arena_array(p->arena, SEARCH_PLACES_MAX, sizeof *ids);
	if (!ids)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	enum err_code rc = candidates_find(p->repo, p->r, components, p->arena, &p->known, reterr);
	if (rc == ERR_OK)
		rc = candidates_look(p->repo, p->r->service, components, &p->known, reterr);
	for (size_t i = 0; rc == ERR_OK && i < p->known.count; i++)
		ids[i] = p->known.about[i].snapshot;
	p->c = (struct course){.order = p->r->order,
	    .service = p->r->service->name,
	    .components = components,
	    .began_ms = on_now(p),
	    .candidates = {ids, p->known.count},
	    .attempts = {p->attempts, 0}};
	return rc == ERR_OK ? note(p, reterr) : rc;
}

/* The last try is brought to its own end, and counts as what it then is. */
static enum err_code take_up(struct progress *p, struct err *reterr)
{
	enum err_code rc = candidates_again(p->repo, &p->c.candidates, p->arena, &p->known, reterr);
	memcpy(p->attempts, p->c.attempts.items, p->c.attempts.count * sizeof *p->attempts);
	p->c.attempts.items = p->attempts;
	struct attempt *last = p->c.attempts.count ? &p->attempts[p->c.attempts.count - 1] : NULL;
	if (rc == ERR_OK && last && last->judgement == JUDGEMENT_NONE)
		rc = go_through(p, last, reterr);
	return rc;
}

enum err_code rollback_progressive(struct repo *repo, const char *state_directory, const struct rollback_request *r,
    const struct rollback_io *io, struct arena *arena, struct rollback_result *ret, struct err *reterr)
{
	struct err err = ERR_INIT;
	struct progress *p = arena_alloc(arena, sizeof *p);
	if (!p || !(p->attempts = arena_array(arena, 2 * PROGRESSIVE_TRIES_MAX, sizeof *p->attempts)) ||
	    !(p->steps = arena_array(arena, ROLLBACK_STEPS_MAX, sizeof *p->steps)))
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	p->repo = repo;
	p->state_directory = state_directory;
	p->r = r;
	p->io = io;
	p->arena = arena;
	p->began_mono_ms = clock_mono_ms();
	enum err_code rc = course_read(state_directory, r->order, arena, &p->c, &err);
	if (rc == ERR_NOT_FOUND) {
		if ((rc = begin(p, reterr)) != ERR_OK)
			return rc;
		if (precondition_holds(p, &err) != ERR_OK)
			return end(p, ORDER_REFUSED, err.msg, ret);
		return carry_out(p, ret);
	}
	if (rc != ERR_OK)
		return err_set(reterr, rc, "%s", err.msg);
	if ((rc = take_up(p, &err)) != ERR_OK)
		return end(p, ORDER_FAILED_DIRTY, err.msg, ret);
	if (p->c.ended) {
		answer(p, ret);
		return ERR_OK;
	}
	return p->c.returning ? end_bad(p, "interrupted on its way back", ret) : carry_out(p, ret);
}
