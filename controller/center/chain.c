/* controller/center/chain.c: the main job: health → incident → notification → diagnosis → change → rollback → proof →
 * resolved → review. */
#include "controller/center/chain.h"
#include "controller/center/already.h"
#include "controller/center/around.h"

#include <stdarg.h>
#include <string.h>

#include "shared/base/text.h"

enum err_code chain_event(
    struct turn *t, const char *topic, struct id id, enum severity severity, struct err *reterr, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(turn_arena(t), fmt, ap);
	va_end(ap);
	struct effect e = {
	    .kind = EFFECT_EVENT, .topic = topic, .id = id, .severity = severity, .text = text ? text : ""};
	return turn_emit(t, &e, reterr);
}

static enum err_code analyse(struct turn *t, struct id incident, struct err *reterr)
{
	struct effect e = {.kind = EFFECT_ANALYSE, .id = incident};
	return turn_emit(t, &e, reterr);
}

static enum err_code say(struct turn *t, const struct workflow_config *c, const struct incident *i,
    enum notify_event event, const char *detail, struct err *reterr)
{
	uint32_t said;
	return notify_incident(t, &c->notify, i, event, detail, &said, reterr);
}

static const char *count_text(struct turn *t, uint32_t n)
{
	return arena_printf(turn_arena(t), "%u", n);
}

/* ---- incidents ---- */

/* A new fault, or one that is on its own now: people hear of it and the analyst begins. */
static enum err_code begin_work(struct turn *t, const struct workflow_config *c, const struct incident *i,
    enum notify_event event, const char *detail, struct err *reterr)
{
	struct incident now;
	enum err_code rc = say(t, c, i, event, detail, reterr);
	if (rc == ERR_OK)
		rc = around_look(t, i, reterr);
	if (rc == ERR_OK &&
	    incident_is_of_hosts(i)) /* what is wrong there cannot be seen from here; where it is, is known */
		return incident_identify(
		    t, &c->incident, &actor_controller, i->incident, (struct id){0}, i->title, &now, reterr);
	if (rc == ERR_OK)
		rc = incident_investigate(
		    t, &c->incident, &actor_controller, i->incident, "diagnosis begins", &now, reterr);
	return rc == ERR_OK ? analyse(t, i->incident, reterr) : rc;
}

/* Healthy for long enough.  A rollback that is still at work on the service has the last word. */
static enum err_code resolve_if_done(
    struct turn *t, const struct workflow_config *c, const struct incident *i, const char *how, struct err *reterr)
{
	struct rollback running;
	struct incident now;
	bool busy;
	enum err_code rc = recovery_of_service(t, i->service, &running, &busy, reterr);
	if (rc != ERR_OK || busy || i->failing.count || !i->healthy_since_ms)
		return rc;
	if ((rc = incident_resolve(t, &c->incident, &actor_controller, i->incident, how, &now, reterr)) != ERR_OK ||
	    (rc = notify_silence(t, i->incident, "resolved", reterr)) != ERR_OK ||
	    (rc = say(t, c, &now, NOTIFY_RESOLVED, count_text(t, now.relapses), reterr)) != ERR_OK)
		return rc;
	return chain_event(t, "incident", i->incident, SEVERITY_LOW, reterr, "INC-%llu resolved: %s",
	    (unsigned long long)i->number, how);
}

/* What is wrong with hosts that are not heard cannot be seen from here. */
static enum err_code look_at(struct turn *t, const struct incident *i, struct err *reterr)
{
	return incident_is_of_hosts(i) ? ERR_OK : analyse(t, i->incident, reterr);
}

enum err_code chain_on_incident(struct turn *t, const struct workflow_config *c, const struct incident *i,
    enum incident_event event, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (event != INCIDENT_NOTHING)
		rc = chain_event(t, "incident", i->incident, (enum severity)i->severity, reterr, "INC-%llu %s: %s",
		    (unsigned long long)i->number, enum_name(&incident_event_enum, event), i->title);
	if (rc != ERR_OK)
		return rc;
	switch (event) {
	case INCIDENT_OPENED:
		return begin_work(t, c, i, NOTIFY_OPENED, NULL, reterr);
	case INCIDENT_RELEASED:
		return begin_work(t, c, i, NOTIFY_OPENED, "released", reterr);
	case INCIDENT_RELAPSED:
		return begin_work(t, c, i, NOTIFY_RELAPSED, count_text(t, i->relapses), reterr);
	case INCIDENT_WORSENED:
		rc = say(t, c, i, NOTIFY_WORSENED, enum_name(&severity_enum, i->severity), reterr);
		return rc == ERR_OK ? look_at(t, i, reterr) : rc;
	case INCIDENT_OVERDUE:
		return say(t, c, i, NOTIFY_OVERDUE,
		    arena_printf(turn_arena(t), "%s-%u", enum_name(&incident_state_enum, i->state), i->overdue),
		    reterr);
	case INCIDENT_PROVEN:
		return resolve_if_done(t, c, i, "every host has been healthy for long enough", reterr);
	case INCIDENT_REVIEW_DUE:
		return say(t, c, i, NOTIFY_REVIEW, count_text(t, i->reminders), reterr);
	case INCIDENT_JOINED:
	case INCIDENT_FAULTY: /* nothing was begun for it while it seemed well */
		return look_at(t, i, reterr);
	case INCIDENT_NOTHING:
	case INCIDENT_SUPPRESSED:
	case INCIDENT_RECOVERED:
	case INCIDENT_ENDED:
	case INCIDENT_EVENT_COUNT:
		break;
	}
	return ERR_OK;
}

enum err_code chain_on_evidence(
    struct turn *t, const struct workflow_config *c, const char *service, struct err *reterr)
{
	struct rollback r;
	enum recovery_event event;
	enum err_code rc = recovery_on_health(t, &c->recovery, service, &r, &event, reterr);
	return rc == ERR_OK ? chain_on_recovery(t, c, &r, event, reterr) : rc;
}

enum err_code chain_on_transitions(
    struct turn *t, const struct workflow_config *c, const struct health_transitions *moved, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < moved->count; i++) {
		const struct health_transition *m = &moved->items[i];
		struct incident incident;
		enum incident_event event;
		if (m->historic)
			continue;
		if (!m->prolonged)
			rc = chain_event(t, "service", (struct id){0},
			    m->to == HEALTH_DOWN ? SEVERITY_HIGH : SEVERITY_LOW, reterr, "%s on %s is %s", m->service,
			    m->host, enum_name(&health_enum, m->to));
		if (rc != ERR_OK ||
		    (rc = incident_on_transition(t, &c->incident, m, &incident, &event, reterr)) != ERR_OK ||
		    (rc = chain_on_incident(t, c, &incident, event, reterr)) != ERR_OK)
			break;
	}
	return rc;
}

/* ---- diagnosis → change → rollback ---- */

/* but: not that one; zero: all. */
static enum err_code look_again_at_others(struct turn *t, const char *service, struct id but, struct err *reterr)
{
	struct list open;
	enum err_code rc = incident_all_open(t, &open, reterr);
	for (size_t i = 0; rc == ERR_OK && i < open.count; i++) {
		const struct incident *inc = &LIST_AT(open, struct incident, i);
		struct list leans_on;
		bool concerns = text_equal(inc->service, service);
		if (inc->state >= INCIDENT_RESOLVING || !id_is_zero(inc->suppressed_by) || id_equal(inc->incident, but))
			continue;
		rc = fleet_dependencies(t, inc->service, &leans_on, reterr);
		for (size_t k = 0; rc == ERR_OK && k < leans_on.count; k++)
			concerns = concerns || text_equal(LIST_AT(leans_on, const char *, k), service);
		if (rc == ERR_OK && concerns)
			rc = analyse(t, inc->incident, reterr);
	}
	return rc;
}

enum err_code chain_look_again(struct turn *t, const char *service, struct err *reterr)
{
	return look_again_at_others(t, service, (struct id){0}, reterr);
}

enum err_code chain_begin_change(struct turn *t, const struct workflow_config *c, const struct change *change,
    bool automatic, struct rollback *ret, struct err *reterr)
{
	enum err_code rc = recovery_start(t, &c->recovery, change->change, automatic, ret, reterr);
	if (rc != ERR_OK ||
	    (rc = chain_event(t, "rollback", ret->rollback, SEVERITY_MEDIUM, reterr, "RB-%llu of %s begins",
		 (unsigned long long)ret->number, ret->service)) != ERR_OK ||
	    id_is_zero(change->incident))
		return rc;
	struct incident now;
	bool found;
	if ((rc = incident_get(t, change->incident, &now, &found, reterr)) != ERR_OK || !found ||
	    !incident_is_open(&now))
		return rc;
	struct actor who = automatic ? actor_policy(change->policy) : actor_controller;
	return incident_resolving(t, &c->incident, &who, change->incident, change->change, ret->rollback, &now, reterr);
}

/* Automation stopped itself, and says so to a person. */
static enum err_code stopped(
    struct turn *t, const struct workflow_config *c, const struct incident *i, const char *why, struct err *reterr)
{
	uint32_t said;
	enum err_code rc =
	    incident_tell(t, &actor_controller, i->incident, 0, "automation", reterr, "no automatic rollback: %s", why);
	if (rc == ERR_OK &&
	    text_starts(why, "breaker: ")) /* one page for the fleet (P44), again each hour that it lasts */
		return notify_about(t, &c->notify, NOTIFY_STOPPED, "breaker",
		    arena_printf(turn_arena(t), "%llu", (unsigned long long)(turn_now_ms(t) / (3600 * 1000))),
		    "automation has stopped: the breaker is open, too much of the fleet is down", &said, reterr);
	return rc == ERR_OK ? say(t, c, i, NOTIFY_STOPPED, arena_printf(turn_arena(t), "%.64s", why), reterr) : rc;
}

/* The changes that answer the incident: how many there were, and the one that is not over yet (at most one is made). */
static enum err_code changes_of(
    struct turn *t, struct id incident, size_t *ret_count, struct change *ret_open, bool *ret_found, struct err *reterr)
{
	struct change like = {.incident = incident}, change;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	*ret_count = 0;
	*ret_found = false;
	enum err_code rc = turn_scan_index(t, &change_table, "incident", &like, false, &scan, reterr);
	while (turn_scan_step(&scan, &change, &rc, reterr)) {
		++*ret_count;
		if (!change.ended_ms) {
			*ret_open = change;
			*ret_found = true;
		}
	}
	return rc;
}

static enum err_code request_change(struct turn *t, const struct incident *i, const struct diagnosis *d,
    const struct plan *plan, const char *policy, struct change *ret, struct err *reterr)
{
	struct plan *kept = arena_dup(turn_arena(t), plan, sizeof *plan);
	if (!kept)
		return err_set(reterr, ERR_NOMEM, "out of memory for a change");
	*ret = (struct change){.kind = CHANGE_EMERGENCY,
	    .incident = i->incident,
	    .title = arena_printf(turn_arena(t), "%s %s for INC-%llu", plan->action ? plan->action : "roll back",
		plan->service, (unsigned long long)i->number),
	    .reason = d->root_cause,
	    .requested_by = plan->author,
	    .plan = kept,
	    .policy = policy};
	struct actor who = policy ? actor_policy(policy) : actor_controller;
	enum err_code rc = change_request(t, &who, ret, reterr);
	if (rc != ERR_OK)
		return rc;
	return incident_tell(t, &who, i->incident, 0, "change", reterr, "CHG-%llu, an emergency change, %s",
	    (unsigned long long)ret->number, policy ? "covered by a standing policy" : "waits for an approval");
}

/* No policy lets it go by itself: propose the change and ask for a person's word. */
static enum err_code propose(struct turn *t, const struct workflow_config *c, const struct incident *i,
    const struct diagnosis *d, const struct plan *plan, const char *why, struct err *reterr)
{
	struct change change;
	enum err_code rc =
	    incident_tell(t, &actor_controller, i->incident, 0, "automation", reterr, "a person must decide: %s", why);
	if (rc != ERR_OK || (rc = request_change(t, i, d, plan, NULL, &change, reterr)) != ERR_OK)
		return rc;
	return say(t, c, i, NOTIFY_APPROVAL, arena_printf(turn_arena(t), "CHG-%llu", (unsigned long long)change.number),
	    reterr);
}

/* A policy covers it and a brake holds it.  Where a person may decide otherwise (it was tried once, it is too often,
 * too many hosts), the change lies ready for their word; one page names the brake and the change. */
static enum err_code braked(struct turn *t, const struct workflow_config *c, const struct incident *i,
    const struct diagnosis *d, struct plan_wish wish, const char *why, struct err *reterr)
{
	struct change change;
	struct plan plan;
	int word = (int)strcspn(why, ":");
	if (text_starts(why, "breaker:") || text_starts(why, "halt:") || text_starts(why, "observing:") ||
	    text_starts(why, "busy:"))
		return stopped(t, c, i, why, reterr);
	enum err_code rc =
	    incident_tell(t, &actor_controller, i->incident, 0, "automation", reterr, "no automatic rollback: %s", why);
	wish.author = "controller"; /* not the policy's any more … */
	wish.any_state = false;     /* … and between a person's reading and the doing hosts may change (RULES R10) */
	if (rc != ERR_OK || (rc = recovery_plan(t, &c->recovery, &wish, &plan, reterr)) != ERR_OK ||
	    (rc = request_change(t, i, d, &plan, NULL, &change, reterr)) != ERR_OK)
		return rc;
	return say(t, c, i, NOTIFY_STOPPED,
	    arena_printf(
		turn_arena(t), "%.*s; CHG-%llu waits for a word", word, why, (unsigned long long)change.number),
	    reterr);
}

static struct policy_wish wanted_of(const struct fix *fix, const struct incident *i, const struct diagnosis *d)
{
	return (struct policy_wish){fix->action == FIX_RUN ? ORDER_ACTION : ORDER_ROLLBACK, fix->service, fix->run,
	    fix->hosts, fix->components, (enum severity)i->severity, d->confidence, fix->first};
}

static bool may_here(const struct placement *p, const struct policy_wish *w)
{
	const char *run = w->action ? w->action : w->first;
	bool may = !run;
	for (size_t i = 0; !may && i < p->actions.count; i++) {
		const struct declared_action *a = &LIST_AT(p->actions, struct declared_action, i);
		may = a->automatic && text_equal(a->name, run);
	}
	return may && !(component_set(&w->components) & ~component_set(&p->automatic));
}

/* Is there a standing policy for it, and do the hosts themselves let one?  A host that wants a person would refuse. */
static enum err_code find_policy(struct turn *t, const struct policy_wish *w, struct standing_policy *ret,
    bool *ret_covered, const char **ret_why, struct err *reterr)
{
	enum err_code rc = policy_find(t, w, ret, ret_covered, ret_why, reterr);
	for (size_t i = 0; rc == ERR_OK && *ret_covered && i < w->hosts.count; i++) {
		struct placement p;
		bool found;
		const char *host = LIST_AT(w->hosts, const char *, i);
		rc = fleet_placement_get(t, w->service, host, &p, &found, reterr);
		if (rc == ERR_OK && found && !may_here(&p, w)) {
			*ret_covered = false;
			*ret_why = arena_printf(turn_arena(t), "%s wants a person for this", host);
		}
	}
	return rc;
}

#define CHAIN_TIMER_LOOK "chain.look" /* look again at an incident whose first evidence had time to come */

/* Another incident's change does it; the end of that brings the next look, or what it did shows. */
static enum err_code leave_it_to(
    struct turn *t, const struct incident *i, const struct change *other, bool again, struct err *reterr)
{
	if (other->ended_ms)
		return turn_timer_set(
		    t, CHAIN_TIMER_LOOK, i->incident, NULL, other->ended_ms + ALREADY_SHOWS_MS, reterr);
	return again ? ERR_OK
		     : incident_tell(t, &actor_controller, i->incident, 0, "automation", reterr,
			   "CHG-%llu of another incident does that", (unsigned long long)other->number);
}

/* again: the cause was named before, and whatever stood in the way was told then. */
static enum err_code act(struct turn *t, const struct workflow_config *c, const struct incident *i,
    const struct diagnosis *d, const struct fix *fix, bool again, struct err *reterr)
{
	struct standing_policy policy;
	bool covered, allowed, open;
	const char *why;
	struct err no_plan = ERR_INIT;
	struct plan plan;
	struct rollback r;
	struct change change;
	size_t count;
	struct policy_wish wanted = wanted_of(fix, i, d);
	enum err_code rc = find_policy(t, &wanted, &policy, &covered, &why, reterr);
	if (rc != ERR_OK || (rc = changes_of(t, i->incident, &count, &change, &open, reterr)) != ERR_OK || open)
		return rc;
	if ((rc = already_done(t, i->incident, &wanted, &change, &open, reterr)) != ERR_OK || open)
		return rc == ERR_OK ? leave_it_to(t, i, &change, again, reterr) : rc;
	struct plan_wish wish = {.kind = wanted.kind,
	    .action = fix->run,
	    .first = fix->first,
	    .service = fix->service,
	    .components = fix->components,
	    .hosts = fix->hosts,
	    .before_ms = i->fault_ms,
	    .any_state = covered, /* made and begun in one turn: nobody read what it was made on */
	    .reason = d->root_cause,
	    .author = covered ? arena_printf(turn_arena(t), "policy %s", policy.name) : "controller"};
	if (recovery_plan(t, &c->recovery, &wish, &plan, &no_plan) != ERR_OK)
		return again ? ERR_OK : stopped(t, c, i, arena_strdup(turn_arena(t), no_plan.msg), reterr);
	if (!covered)
		return propose(t, c, i, d, &plan, why, reterr);
	if ((rc = recovery_automatic_allowed(
		 t, i->incident, fix->service, policy.policy, fix->hosts.count, &allowed, &why, reterr)) != ERR_OK)
		return rc;
	if (!allowed)
		return again ? ERR_OK : braked(t, c, i, d, wish, why, reterr);
	if ((rc = request_change(t, i, d, &plan, policy.name, &change, reterr)) != ERR_OK)
		return rc;
	return chain_begin_change(t, c, &change, true, &r, reterr);
}

/* The first that can be ordered. */
static const struct fix *first_order(const struct diagnosis *d)
{
	for (size_t i = 0; i < d->fixes.count; i++)
		if (LIST_AT(d->fixes, struct fix, i).action == FIX_ROLLBACK ||
		    LIST_AT(d->fixes, struct fix, i).action == FIX_RUN)
			return &LIST_AT(d->fixes, struct fix, i);
	return NULL;
}

static const double CHAIN_IDENTIFY_LEAST = 0.5; /* as likely as not */
static const double CHAIN_REPLACE_ODDS =
    2.0; /* another cause takes the place of one that was named when it is this much likelier */

/* The confidence that a diagnosis gives to the cause that another one named first. */
static double confidence_in_cause_of(const struct diagnosis *d, const struct diagnosis *other)
{
	for (size_t i = 0; other->suspects.count && i < d->suspects.count; i++)
		if (suspect_is(&LIST_AT(d->suspects, struct suspect, i), &LIST_AT(other->suspects, struct suspect, 0)))
			return LIST_AT(d->suspects, struct suspect, i).confidence;
	return 0;
}

static bool names_cause_of(const struct diagnosis *d, const struct diagnosis *other)
{
	return d->abstained == other->abstained &&
	       (d->abstained || (d->suspects.count && other->suspects.count &&
				    suspect_is(&LIST_AT(d->suspects, struct suspect, 0),
					&LIST_AT(other->suspects, struct suspect, 0))));
}

/* Does a new result say more than the one that stands?  What was unknown and still is, and a suspicion that stays one,
 * are said once. */
static bool says_more(const struct incident *i, const struct diagnosis *last, const struct diagnosis *d)
{
	bool sure = !d->abstained && d->confidence >= CHAIN_IDENTIFY_LEAST,
	     was_sure = !last->abstained && last->confidence >= CHAIN_IDENTIFY_LEAST;
	if (i->state == INCIDENT_IDENTIFIED)
		return sure && (names_cause_of(d, last) ||
				   d->confidence >= CHAIN_REPLACE_ODDS * confidence_in_cause_of(d, last));
	return sure || was_sure || !names_cause_of(d, last);
}

/* The cause was named, and what came in since points elsewhere: a proposal that nobody has approved yet goes with it.
 */
static enum err_code replace_cause(
    struct turn *t, const struct workflow_config *c, struct incident *i, struct err *reterr)
{
	struct change change;
	size_t count;
	bool open;
	enum err_code rc = changes_of(t, i->incident, &count, &change, &open, reterr);
	if (rc == ERR_OK && open && change.state == CHANGE_REQUESTED)
		rc = change_cancel(t, &actor_controller, change.change, "another cause was found", &change, reterr);
	if (rc == ERR_OK)
		rc = incident_investigate(t, &c->incident, &actor_controller, i->incident,
		    "what came in since points to another cause", i, reterr);
	return rc;
}

static enum err_code identify(
    struct turn *t, const struct workflow_config *c, struct incident *i, const struct diagnosis *d, struct err *reterr)
{
	enum err_code rc = incident_tell(t, &actor_controller, i->incident, 0, "diagnosis", reterr,
	    "%s (confidence %.2f)", d->root_cause, d->confidence);
	if (rc != ERR_OK || (rc = incident_identify(t, &c->incident, &actor_controller, i->incident, d->diagnosis,
				 d->root_cause, i, reterr)) != ERR_OK)
		return rc;
	const struct fix *fix = first_order(d);
	return fix ? act(t, c, i, d, fix, false, reterr) : ERR_OK;
}

enum {
	CHAIN_EVIDENCE_MS = 1000, /* drift and lines come this soon after a probe has failed */
	CHAIN_LOOK_MS =
	    2000, /* what is not sure is looked at again: health that stays says something, and tells nothing new */
	CHAIN_LOOK_UNTIL_MS = 30 * 1000, /* by then a diagnosis is final */
};

/* Its hosts are healthy and are to prove it: nothing is begun, and nobody asked, for what may be over. */
static bool is_well_again(const struct incident *i)
{
	return i->healthy_since_ms && !i->failing.count;
}

/* A person who is asked at once and then told that it was something else is disturbed twice: what no policy covers
 * waits for the first evidence to come in. */
static enum err_code must_wait(
    struct turn *t, const struct incident *i, const struct diagnosis *d, bool *ret, struct err *reterr)
{
	struct standing_policy policy;
	bool covered = true;
	const char *why;
	const struct fix *fix = first_order(d);
	uint64_t ready_ms = i->state_since_ms + CHAIN_EVIDENCE_MS;
	*ret = is_well_again(i); /* INCIDENT_FAULTY brings the next look */
	if (*ret || !fix || i->state != INCIDENT_INVESTIGATING || turn_now_ms(t) >= ready_ms)
		return ERR_OK;
	struct policy_wish wanted = wanted_of(fix, i, d);
	enum err_code rc = find_policy(t, &wanted, &policy, &covered, &why, reterr);
	*ret = !covered;
	return rc == ERR_OK && !covered ? turn_timer_set(t, CHAIN_TIMER_LOOK, i->incident, NULL, ready_ms, reterr) : rc;
}

enum err_code chain_on_timer(struct turn *t, const struct timer *timer, bool *ret_mine, struct err *reterr)
{
	*ret_mine = text_equal(timer->kind, CHAIN_TIMER_LOOK);
	return *ret_mine ? analyse(t, timer->id, reterr) : ERR_OK;
}

/* The same cause once more: perhaps it can be acted on by now, where there was nothing to bring back before (its drift
 * comes after the lines that speak of it).  What was proposed, tried or refused stays with people. */
static enum err_code confirm(struct turn *t, const struct workflow_config *c, const struct incident *i,
    const struct diagnosis *d, struct err *reterr)
{
	struct change change;
	size_t count;
	bool open;
	const struct fix *fix = is_well_again(i) ? NULL : first_order(d);
	enum err_code rc = fix ? changes_of(t, i->incident, &count, &change, &open, reterr) : ERR_OK;
	return rc == ERR_OK && fix && !count ? act(t, c, i, d, fix, true, reterr) : rc;
}

enum err_code chain_on_diagnosis(
    struct turn *t, const struct workflow_config *c, const struct diagnosis *d, struct err *reterr)
{
	struct incident i;
	struct diagnosis last, mine = *d;
	bool found, seen, kept, named, waits;
	enum err_code rc = incident_get(t, d->incident, &i, &found, reterr);
	if (rc != ERR_OK || !found || !incident_is_open(&i) || i.state >= INCIDENT_RESOLVING)
		return rc; /* healed, closed or in work while the analyst worked */
	if ((d->abstained || d->confidence < CHAIN_IDENTIFY_LEAST) && i.state == INCIDENT_INVESTIGATING &&
	    turn_now_ms(t) < i.state_since_ms + CHAIN_LOOK_UNTIL_MS &&
	    (rc = turn_timer_set(t, CHAIN_TIMER_LOOK, i.incident, NULL, turn_now_ms(t) + CHAIN_LOOK_MS, reterr)) !=
		ERR_OK)
		return rc;
	if ((rc = diagnosis_of_incident(t, d->incident, &last, &seen, reterr)) != ERR_OK ||
	    (seen && !says_more(&i, &last, d)))
		return rc;
	named = i.state == INCIDENT_IDENTIFIED;
	if (named && !text_equal(i.identified_by, "controller"))
		return rc; /* a person named the cause: that word stands */
	if (named && seen && names_cause_of(d, &last))
		return confirm(t, c, &i, d, reterr);
	mine.diagnosis = turn_id(t);
	if ((rc = diagnosis_record(t, &mine, &kept, reterr)) != ERR_OK || !kept)
		return rc;
	if (d->abstained)
		return incident_tell(t, &actor_controller, i.incident, 0, "diagnosis", reterr, "%s", d->root_cause);
	if ((rc = must_wait(t, &i, d, &waits, reterr)) != ERR_OK)
		return rc;
	if (waits ||
	    d->confidence <
		CHAIN_IDENTIFY_LEAST) /* a suspicion: what comes in still may tell better, so it is looked at again */
		return incident_tell(t, &actor_controller, i.incident, 0, "diagnosis", reterr,
		    "suspicion: %s (confidence %.2f)", d->root_cause, d->confidence);
	if (named && (rc = replace_cause(t, c, &i, reterr)) != ERR_OK)
		return rc;
	return identify(t, c, &i, &mine, reterr);
}

/* ---- rollback → incident ---- */

/* The restore point did not heal it: automation never uses it again (P7).  One that never came to be looked at is as
 * good as it was. */
static enum err_code condemn_targets(struct turn *t, const struct rollback *r, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < r->hosts.count; i++) {
		const struct rollback_host *h = &LIST_AT(r->hosts, struct rollback_host, i);
		if (h->outcome == ORDER_REVERTED && h->judged_bad)
			rc = fleet_snapshot_condemn(
			    t, &actor_controller, h->snapshot, "a rollback to it did not pass its probes", reterr);
	}
	return rc;
}

static enum err_code rollback_failed(struct turn *t, const struct workflow_config *c, const struct rollback *r,
    const struct incident *i, struct err *reterr)
{
	struct incident now;
	bool stopped_by_person = r->outcome == ORDER_CANCELLED;
	enum err_code rc = condemn_targets(t, r, reterr);
	if (rc != ERR_OK)
		return rc;
	if (incident_is_open(i) &&
	    (rc = incident_investigate(t, &c->incident, &actor_controller, i->incident,
		 stopped_by_person ? "the rollback was stopped" : "the rollback did not help", &now, reterr)) != ERR_OK)
		return rc;
	if (stopped_by_person) /* who stopped it knows */
		return ERR_OK;
	return say(
	    t, c, i, NOTIFY_FAILED, arena_printf(turn_arena(t), "RB-%llu", (unsigned long long)r->number), reterr);
}

/* The service's hosts may have been well for long; while a rollback of it ran, that proof did not count. */
static enum err_code prove_again(
    struct turn *t, const struct workflow_config *c, const char *service, struct err *reterr)
{
	struct incident i;
	bool open;
	enum err_code rc = incident_of_service(t, service, &i, &open, reterr);
	if (rc != ERR_OK || !open || !i.healthy_since_ms)
		return rc;
	return turn_timer_set(t, INCIDENT_TIMER_PROVE, i.incident, NULL, turn_now_ms(t) + c->incident.prove_ms, reterr);
}

/* It did what it should, and other hosts of the incident still fail, or this one does for another cause (or this
 * service was not the cause of all of it). */
static enum err_code look_further(
    struct turn *t, const struct workflow_config *c, const struct incident *i, struct err *reterr)
{
	struct incident now;
	enum err_code rc = incident_investigate(t, &c->incident, &actor_controller, i->incident,
	    "it was done and helped, and not all is well", &now, reterr);
	return rc == ERR_OK ? analyse(t, i->incident, reterr) : rc;
}

static enum err_code on_recovery(struct turn *t, const struct workflow_config *c, const struct rollback *r,
    enum recovery_event event, struct err *reterr)
{
	struct incident i;
	bool found = false;
	enum err_code rc = id_is_zero(r->incident) ? ERR_OK : incident_get(t, r->incident, &i, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	const char *told = event == RECOVERY_WAVE      ? "next wave"
			   : event == RECOVERY_PROVING ? "orders done, health must show"
						       : enum_name(&order_outcome_enum, r->outcome);
	if ((rc = chain_event(t, "rollback", r->rollback, SEVERITY_MEDIUM, reterr, "RB-%llu of %s: %s",
		 (unsigned long long)r->number, r->service, told)) != ERR_OK)
		return rc;
	if (!found)
		return event == RECOVERY_ENDED && r->outcome != ORDER_OK ? condemn_targets(t, r, reterr) : ERR_OK;
	if ((rc = incident_tell(t, &actor_controller, i.incident, 0, "rollback", reterr, "RB-%llu: %s",
		 (unsigned long long)r->number, told)) != ERR_OK ||
	    event != RECOVERY_ENDED)
		return rc;
	if (r->outcome != ORDER_OK && r->outcome != ORDER_OK_WITH_EXCEPTIONS)
		return rollback_failed(t, c, r, &i, reterr);
	if (!incident_is_open(&i))
		return ERR_OK;
	return i.failing.count ? look_further(t, c, &i, reterr) : resolve_if_done(t, c, &i, r->text, reterr);
}

enum err_code chain_on_recovery(struct turn *t, const struct workflow_config *c, const struct rollback *r,
    enum recovery_event event, struct err *reterr)
{
	if (event == RECOVERY_NOTHING)
		return ERR_OK;
	enum err_code rc = on_recovery(t, c, r, event, reterr);
	if (rc == ERR_OK && event == RECOVERY_ENDED)
		rc = prove_again(t, c, r->service, reterr);
	/* What it was for is looked into where it helped; others may have waited for it. */
	return rc == ERR_OK && event == RECOVERY_ENDED ? look_again_at_others(t, r->service, r->incident, reterr) : rc;
}
