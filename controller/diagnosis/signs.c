/* controller/diagnosis/signs.c: what a place says of its own trouble, and what it declares against it.
 *
 * Texts of its failing probes and its new error lines are looked up in the knowledge.  An entry may say which kind of
 * remedy helps; where the host declares an action that is one, that action is a suspect's cure: the service itself is
 * to blame there, not something that changed.  Before the host has compared its configuration and code with their
 * restore points nothing of this is sure: whoever restarts a service over a broken file gains nothing. */
#include <string.h>

#include "controller/diagnosis/internal.h"
#include "controller/diagnosis/learning.h"
#include "shared/base/text.h"

enum {
	SIGNS_TEXT_MAX = 16 * 1024, /* of one place's probes and lines */
	SIGNS_HITS_MAX = 8,
	SIGNS_GROWN_BYTES = 1 << 20, /* less fills nothing */
	SIGNS_SORTED_PERCENT = 10,   /* of a file system that is full: less is not what filled it */
	SIGNS_LOOK_BACK_MS =
	    30 * 1000, /* lines come before probes fall: the longest of a usual fall count and interval */
	SIGNS_COMPARED_MS = 10 * 1000, /* a comparison takes this long at most, where it says anything soon */
	SIGNS_EVIDENCE_MS = 1500,      /* lines that say why come this soon after a probe has failed */
	SIGNS_LATE_MS = 1000,          /* a run takes time, clocks are read apart */
	SIGNS_INCIDENTS_MAX = 4,       /* newest incidents of a service that are looked at */
};

static const double of_remedy[REMEDY_COUNT] = {
    /* the more a text says of its cure, the more it weighs */
    [REMEDY_RESTART] = 2.5,
    [REMEDY_CONNECTIONS] = 5.0,
    [REMEDY_SPACE] = 5.0,
    [REMEDY_CERTIFICATE] = 5.0,
    [REMEDY_PERMISSIONS] = 5.0,
};
static const double of_growth = 12.0; /* room is short and it took much of it just now */
static const double of_locks = 8.0;   /* somebody waits without an answer, and is seen to wait for whom */
static const double of_damage = 4.0;  /* a database that is said to be damaged */
static const double of_silence = 0.9; /* it is down, nothing changed, and nothing is known: as if from new */
static const double answered = 0.3; /* … a service that answers, if with an error: what it holds is rather to blame */
static const double not_compared = 0.04; /* what changed is not known yet */
static const double changed_first = 0.3; /* a restart or what a database holds, where something changed just before; a
					  * restart, where the log says why it ended */
static const double explained = 0.1;     /* a service that it leans on is unwell */

/* ---- what it says ---- */

static void add_line(struct buf *text, const char *line)
{
	if (line && text->size < SIGNS_TEXT_MAX)
		buf_printf(text, "%.2000s\n", line);
}

static enum err_code add_probes(
    struct inquiry *q, const struct place *p, struct buf *text, bool *ret_down, struct err *reterr)
{
	struct service_health h;
	bool found;
	enum err_code rc = health_get(q->t, p->service, p->host, &h, &found, reterr);
	*ret_down = rc == ERR_OK && found && (h.measured == HEALTH_DOWN || h.measured == HEALTH_DEGRADED);
	/* Warnings speak where nothing is critical: psql ends with 1 when a statement fails, which is a plugin's
	 * warning. */
	static const uint32_t worst_first[] = {PROBE_CRITICAL, PROBE_WARNING};
	for (size_t k = 0; rc == ERR_OK && found && !text->size && k < 2; k++)
		for (size_t i = 0; i < h.results.count; i++)
			if (LIST_AT(h.results, struct probe_result, i).settled == worst_first[k])
				add_line(text, LIST_AT(h.results, struct probe_result, i).text);
	return rc;
}

/* What the service's own check has against its configuration. */
static enum err_code add_refusal(
    struct inquiry *q, const struct place *p, struct buf *text, bool *ret_refused, struct err *reterr)
{
	struct drift d = {.service = p->service, .host = p->host, .component = COMPONENT_CONFIG};
	bool found;
	enum err_code rc = turn_get(q->t, &drift_table, &d, &d, &found, reterr);
	*ret_refused = rc == ERR_OK && found && d.refused && d.seen_ms >= q->incident.fault_ms;
	if (*ret_refused)
		add_line(text, d.refused);
	return rc;
}

static void add_patterns(const struct place *p, struct buf *text)
{
	for (size_t i = 0; i < p->patterns->count; i++) {
		const struct error_pattern *e = &LIST_AT(*p->patterns, struct error_pattern, i);
		if (e->severity >= LOG_SEVERITY_WARNING && text_equal(e->last_host, p->host))
			add_line(text, e->sample ? e->sample : e->template_text);
	}
}

/* ---- what it declares ---- */

const struct declared_action *inquiry_action_for(const struct placement *here, uint32_t remedy)
{
	for (size_t i = 0; i < here->actions.count; i++) {
		const struct declared_action *a = &LIST_AT(here->actions, struct declared_action, i);
		for (size_t k = 0; k < a->remedies.count; k++)
			if (LIST_AT(a->remedies, uint32_t, k) == remedy)
				return a;
	}
	return NULL;
}

static bool has_component(const struct list *components, uint32_t which)
{
	for (size_t i = 0; i < components->count; i++)
		if (LIST_AT(*components, uint32_t, i) == which)
			return true;
	return false;
}

/* What a database is made of takes longer to ask; who cannot be asked is not waited for. */
static enum err_code is_outlined(struct inquiry *q, const struct placement *here, bool *ret, struct err *reterr)
{
	struct drift d = {.service = here->service, .host = here->host, .component = COMPONENT_DATABASE};
	bool found;
	if (!has_component(&here->components, COMPONENT_DATABASE) ||
	    turn_now_ms(q->t) >= q->incident.fault_ms + DIAGNOSIS_SETTLE_MS)
		return ERR_OK;
	enum err_code rc = turn_get(q->t, &drift_table, &d, &d, &found, reterr);
	if (rc == ERR_OK && found)
		*ret = d.seen_ms >= q->incident.fault_ms;
	return rc;
}

/* Has the host compared its configuration and code since it failed? */
static enum err_code is_compared(struct inquiry *q, const struct placement *here, bool *ret, struct err *reterr)
{
	static const uint32_t still[] = {COMPONENT_CONFIG, COMPONENT_CODE};
	enum err_code rc = ERR_OK;
	*ret = true;
	for (size_t i = 0; rc == ERR_OK && *ret && i < sizeof still / sizeof still[0]; i++) {
		struct drift d = {.service = here->service, .host = here->host, .component = still[i]};
		bool found;
		if (!has_component(&here->components, still[i]))
			continue;
		rc = turn_get(q->t, &drift_table, &d, &d, &found, reterr);
		*ret = rc == ERR_OK && found && d.seen_ms >= q->incident.fault_ms;
	}
	if (rc == ERR_OK && *ret && (rc = is_outlined(q, here, ret, reterr)) != ERR_OK)
		return rc;
	if (text_equal(here->service, q->incident.service) &&
	    turn_now_ms(q->t) < q->incident.fault_ms + SIGNS_EVIDENCE_MS)
		*ret = false;
	/* Who is asked and does not say is not waited for without end. */
	if (rc == ERR_OK && !*ret && turn_now_ms(q->t) >= q->incident.fault_ms + SIGNS_COMPARED_MS)
		*ret = true;
	/* Who does not fail is not asked to look: a change there would have been told by now. */
	if (rc == ERR_OK && !*ret && !text_equal(here->service, q->incident.service))
		*ret = turn_now_ms(q->t) >= q->incident.fault_ms + DIAGNOSIS_SETTLE_MS;
	return rc;
}

/* ---- suspects ---- */

struct cure {
	const struct placement *here;
	double factor;
	double doubt;       /* of what may be said of a service that it leans on: 1 when those are seen to be well */
	bool asker_changed; /* what is said was said by a service that leans on it, and that one changed just before */
	bool says_why;      /* its process is gone, and its log says why: begun anew it ends again */
	bool *helped;       /* something was found that can be done */
};

/* e NULL: nothing is known of it but that it fails. */
static void suspect_action(struct inquiry *q, const struct cure *c, const struct declared_action *a,
    const struct knowledge_entry *e, double score, const char *why)
{
	*c->helped = true;
	inquiry_suspect(q, e ? EVIDENCE_KNOWLEDGE : EVIDENCE_PROBE,
	    &(struct suspect){.service = c->here->service,
		.host = c->here->host,
		.run = a->name,
		.runbook = e ? e->runbook : NULL,
		.text = arena_printf(turn_arena(q->t), "%s on %s itself: %s; its action %s is good for that",
		    c->here->service, c->here->host, why, a->name)},
	    c->factor * score);
}

static void suspect_damage(
    struct inquiry *q, const struct placement *here, const struct knowledge_entry *e, double score, const char *why)
{
	inquiry_suspect(q, e ? EVIDENCE_KNOWLEDGE : EVIDENCE_PROBE,
	    &(struct suspect){.service = here->service,
		.host = here->host,
		.component = COMPONENT_DATABASE,
		.has_component = true,
		.runbook = e ? e->runbook : NULL,
		.text = arena_printf(
		    turn_arena(q->t), "what the database of %s on %s holds: %s", here->service, here->host, why)},
	    score);
}

/* Its configuration or code changed just before. */
static bool has_changed(const struct inquiry *q, const struct placement *here)
{
	for (size_t i = 0; i < q->suspect_count; i++) {
		const struct suspect *s = &q->suspects[i];
		if (s->has_component && s->component <= COMPONENT_CODE && q->score[i] >= 1 &&
		    text_equal(s->service, here->service) && text_equal(s->host, here->host))
			return true;
	}
	return false;
}

/* Silence and time limits say that somebody did not answer, not who. */
static bool is_of_somebody(const struct knowledge_entry *e)
{
	return e->class == CLASS_TIMEOUT_CANCEL || e->area == AREA_NETWORK;
}

static enum err_code take_hit(
    struct inquiry *q, const struct cure *c, const struct knowledge_hit *hit, struct err *reterr);

/* What a place says of a database and has none, it says of those that it leans on.  *ret_any: there are some. */
static enum err_code hand_on(
    struct inquiry *q, const struct cure *c, const struct knowledge_hit *hit, bool *ret_any, struct err *reterr)
{
	struct list places;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->here->depends_on.count; i++) {
		rc = fleet_placements(q->t, LIST_AT(c->here->depends_on, const char *, i), &places, reterr);
		for (size_t k = 0; rc == ERR_OK && k < places.count; k++) {
			const struct placement *there = &LIST_AT(places, struct placement, k);
			bool compared;
			if (!has_component(&there->components, COMPONENT_DATABASE))
				continue;
			*ret_any = true;
			if ((rc = is_compared(q, there, &compared, reterr)) != ERR_OK)
				break;
			struct cure theirs = {
			    there, compared ? 1 : not_compared, 1, has_changed(q, c->here), false, c->helped};
			rc = take_hit(q, &theirs, hit, reterr);
		}
	}
	return rc;
}

static void suspect_grown(
    struct inquiry *q, const struct cure *c, const struct knowledge_entry *e, const struct drift *d, double confidence)
{
	char size[TEXT_TIME_MAX];
	*c->helped = true;
	inquiry_suspect(q, EVIDENCE_DRIFT,
	    &(struct suspect){.service = c->here->service,
		.host = c->here->host,
		.component = d->component,
		.has_component = true,
		.changed_ms = d->newest_change_ms,
		.runbook = e->runbook,
		.text = arena_printf(turn_arena(q->t), "%s of %s on %s has grown by %s, and there is no room left: %s",
		    enum_name(&component_enum, d->component), c->here->service, c->here->host,
		    text_size_human(d->grown_bytes, size), d->paths.count ? LIST_AT(d->paths, const char *, 0) : "")},
	    c->factor * of_growth * confidence);
}

/* Room is short: who took it?  A component that has grown by much since its restore point gives it back.  (Of a
 * database hosts tell only what is much, and it need not differ otherwise.) */
static enum err_code suspect_growth(
    struct inquiry *q, const struct cure *c, const struct knowledge_entry *e, double confidence, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (uint32_t component = 0; rc == ERR_OK && component < COMPONENT_COUNT; component++) {
		struct drift d = {.service = c->here->service, .host = c->here->host, .component = component};
		bool found;
		rc = turn_get(q->t, &drift_table, &d, &d, &found, reterr);
		if (rc == ERR_OK && found && d.grown_bytes >= SIGNS_GROWN_BYTES &&
		    has_component(&c->here->components, component))
			suspect_grown(q, c, e, &d, confidence);
	}
	return rc;
}

/* The greatest that the probes of a place measured; *ret_probe: which. */
static enum err_code measured(struct inquiry *q, const struct placement *at, const char *metric, double *ret,
    const struct probe_result **ret_probe, struct err *reterr)
{
	struct service_health h;
	bool found;
	*ret = 0;
	enum err_code rc = health_get(q->t, at->service, at->host, &h, &found, reterr);
	for (size_t i = 0; rc == ERR_OK && found && i < h.results.count; i++) {
		const struct probe_result *r = &LIST_AT(h.results, struct probe_result, i);
		for (size_t k = 0; k < r->metrics.count; k++) {
			const struct metric *m = &LIST_AT(r->metrics, struct metric, k);
			if (text_equal(m->name, metric) && m->value > *ret) {
				*ret = m->value;
				*ret_probe = r;
			}
		}
	}
	return rc;
}

/* Room is short, and somebody keeps it who lets go of it when ended: a process files that have no name any more,
 * sessions of a database what they sort. */
static enum err_code suspect_holder(
    struct inquiry *q, const struct cure *c, const struct knowledge_entry *e, double confidence, struct err *reterr)
{
	static const struct {
		const char *metric;
		double least;
		enum remedy remedy;
		const char *why;
	} holders[] = {
	    {"deleted", SIGNS_GROWN_BYTES, REMEDY_RESTART,
		"its process keeps files that were deleted, and there is no room left"},
	    {"temporary", SIGNS_SORTED_PERCENT, REMEDY_CONNECTIONS,
		"its sessions keep temporary files, and there is no room left"},
	};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < sizeof holders / sizeof holders[0]; i++) {
		const struct probe_result *r = NULL;
		const struct declared_action *a = inquiry_action_for(c->here, holders[i].remedy);
		double held;
		rc = measured(q, c->here, holders[i].metric, &held, &r, reterr);
		if (rc == ERR_OK && a && held >= holders[i].least)
			suspect_action(q, c, a, e, of_growth * confidence,
			    arena_printf(turn_arena(q->t), "%s (%s)", holders[i].why, r->text ? r->text : ""));
	}
	return rc;
}

/* Somebody did not answer, and sessions of a database wait for locks: whoever they wait for lets go when it is ended.
 * One that does nothing goes with those that do nothing, one at work only with the whole server. */
static enum err_code suspect_holder_of_locks(struct inquiry *q, const struct cure *c, const struct placement *there,
    const struct knowledge_entry *e, double confidence, struct err *reterr)
{
	const struct probe_result *r = NULL;
	double blocked, by_idle = 0;
	enum err_code rc = measured(q, there, "blocked", &blocked, &r, reterr);
	if (rc == ERR_OK)
		rc = measured(q, there, "blocked_by_idle", &by_idle, &r, reterr);
	const struct declared_action *a = inquiry_action_for(there, by_idle >= 1 ? REMEDY_CONNECTIONS : REMEDY_RESTART);
	if (rc != ERR_OK || !a || blocked < 1)
		return rc;
	struct cure theirs = *c;
	theirs.here = there;
	theirs.factor = 1;
	suspect_action(q, &theirs, a, e, of_locks * confidence,
	    arena_printf(turn_arena(q->t), "who asks it does not get an answer: %s", r->text ? r->text : ""));
	return ERR_OK;
}

static enum err_code suspect_holders_of_locks(
    struct inquiry *q, const struct cure *c, const struct knowledge_entry *e, double confidence, struct err *reterr)
{
	struct list places;
	enum err_code rc = suspect_holder_of_locks(q, c, c->here, e, confidence, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->here->depends_on.count; i++) {
		rc = fleet_placements(q->t, LIST_AT(c->here->depends_on, const char *, i), &places, reterr);
		for (size_t k = 0; rc == ERR_OK && k < places.count; k++)
			rc =
			    suspect_holder_of_locks(q, c, &LIST_AT(places, struct placement, k), e, confidence, reterr);
	}
	return rc;
}

static enum err_code take_hit(
    struct inquiry *q, const struct cure *c, const struct knowledge_hit *hit, struct err *reterr)
{
	const struct knowledge_entry *e = hit->entry;
	double doubt = is_of_somebody(e) ? c->doubt : 1;
	bool theirs = false;
	enum err_code locks = is_of_somebody(e) ? suspect_holders_of_locks(q, c, e, hit->confidence, reterr) : ERR_OK;
	if (locks != ERR_OK)
		return locks;
	if (e->area == AREA_DATABASE && !has_component(&c->here->components, COMPONENT_DATABASE)) {
		enum err_code rc = hand_on(q, c, hit, &theirs, reterr);
		if (rc != ERR_OK || theirs)
			return rc;
	}
	const char *why = arena_printf(
	    turn_arena(q->t), "%s (%s, known by \"%s\")", e->title, e->name, hit->pattern ? hit->pattern : "");
	if (!why)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	static const uint32_t anew[] = {REMEDY_RESTART};
	struct list remedies = e->remedies;
	if (!remedies.count && e->action == KNOWLEDGE_RESTART)
		remedies = (struct list){(void *)anew, 1};
	for (size_t i = 0; i < remedies.count; i++) {
		uint32_t remedy = LIST_AT(remedies, uint32_t, i);
		enum err_code rc = remedy == REMEDY_SPACE ? suspect_growth(q, c, e, hit->confidence, reterr) : ERR_OK;
		if (rc == ERR_OK && remedy == REMEDY_SPACE)
			rc = suspect_holder(q, c, e, hit->confidence, reterr);
		if (rc != ERR_OK)
			return rc;
		const struct declared_action *a = inquiry_action_for(c->here, remedy);
		bool altered = false, last = remedy == REMEDY_RESTART && (has_changed(q, c->here) || c->says_why);
		if (remedy == REMEDY_CONNECTIONS && (rc = altered_limits(q, c->here, e, &altered, reterr)) != ERR_OK)
			return rc;
		if (a)
			suspect_action(q, c, a, e,
			    doubt * of_remedy[remedy] * hit->confidence * (last || altered ? changed_first : 1), why);
	}
	if (e->action != KNOWLEDGE_ROLLBACK || !has_component(&e->components, COMPONENT_DATABASE))
		return ERR_OK;
	if (!has_component(&c->here->components, COMPONENT_DATABASE))
		return ERR_OK;
	*c->helped = true;
	suspect_damage(q, c->here, e,
	    c->factor * of_damage * hit->confidence * (c->asker_changed || has_changed(q, c->here) ? changed_first : 1),
	    why);
	return ERR_OK;
}

/* A word by which servers say that they understood and refuse; who hangs or is not there says none. */
static bool is_answer(const char *text)
{
	static const char *const surely[] = {"failed: FATAL:", "ERROR:  "};
	static const char *const words[] = {"ERROR:", "FATAL:", "PANIC:", "ERROR ", "-ERR ", "denied"};
	static const char *const nobody[] = {
	    "could not connect", "refused", "No such file", "timed out", "unreachable"};
	for (size_t i = 0; i < sizeof surely / sizeof surely[0]; i++)
		if (strstr(text, surely[i]))
			return true;
	for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++)
		if (strstr(text, nobody[i]))
			return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/* It fails, and nothing was said that leads to something to do: begun anew, or what it holds brought back. */
static void take_silence(struct inquiry *q, const struct cure *c, const char *text)
{
	static const char nothing[] = "it fails, and nothing of it was seen to change";
	const struct declared_action *a = inquiry_action_for(c->here, REMEDY_RESTART);
	bool answers = is_answer(text), holds = has_component(&c->here->components, COMPONENT_DATABASE);
	if (answers && holds && !has_changed(q, c->here))
		suspect_damage(q, c->here, NULL, c->factor * of_silence,
		    "it answers with errors, and nothing else was seen to change");
	if (a)
		suspect_action(q, c, a, NULL, c->doubt * of_silence * (answers && holds ? answered : 1), nothing);
}

enum err_code signs_at(struct inquiry *q, const struct place *p, bool own, struct err *reterr)
{
	struct knowledge_hit hits[SIGNS_HITS_MAX];
	struct buf text = BUF_INIT;
	struct placement here;
	bool found, down = false, helped = false;
	enum err_code rc = fleet_placement_get(q->t, p->service, p->host, &here, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	struct cure c = {&here,
	    p->factor * (p->compared ? 1 : not_compared) * (own && q->dependency_unwell ? explained : 1),
	    own && !q->dependencies_well ? explained : 1, false, p->gone && !p->quiet, &helped};
	rc = add_probes(q, p, &text, &down, reterr);
	const char *told = arena_strdup(turn_arena(q->t), buf_str(&text)); /* by its probes alone */
	add_patterns(p, &text);
	bool refused = false;
	if (rc == ERR_OK && down)
		rc = add_refusal(q, p, &text, &refused, reterr);
	c.says_why = p->gone && (!p->quiet || refused);
	size_t n = rc == ERR_OK && text.size && !text.failed
		       ? knowledge_recognise(&q->entries, buf_str(&text), hits, SIGNS_HITS_MAX)
		       : 0;
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		rc = take_hit(q, &c, &hits[i], reterr);
	if (rc == ERR_OK && down && !helped)
		take_silence(q, &c, told ? told : "");
	buf_done(&text);
	return rc;
}

/* ---- how it went ---- */

static bool fails(const struct probe_result *r)
{
	return r->settled == PROBE_CRITICAL || r->settled == PROBE_WARNING;
}

/* When what fails was good for the last time (0: not known): the newest good run before the first of them failed.  An
 * older one says only how rarely that probe is run. */
static uint64_t last_pass(const struct host *h, const struct list *results)
{
	uint64_t first_ms = UINT64_MAX, passed_ms = 0;
	for (size_t i = 0; i < results->count; i++) {
		const struct probe_result *r = &LIST_AT(*results, struct probe_result, i);
		uint64_t since_ms = fails(r) ? fleet_time(h, r->since_ms) : UINT64_MAX;
		first_ms = since_ms < first_ms ? since_ms : first_ms;
	}
	for (size_t i = 0; i < results->count; i++) {
		const struct probe_result *r = &LIST_AT(*results, struct probe_result, i);
		uint64_t at_ms = fails(r) && r->passed_ms ? fleet_time(h, r->passed_ms) : 0;
		passed_ms = at_ms <= first_ms && at_ms > passed_ms ? at_ms : passed_ms;
	}
	return passed_ms;
}

static enum err_code failing_at(struct turn *t, const char *service, const char *host, uint64_t *ret_passed_ms,
    bool *ret_gone, bool *ret_fails, struct err *reterr)
{
	struct service_health health;
	struct host h;
	bool found;
	*ret_gone = *ret_fails = false;
	*ret_passed_ms = 0;
	enum err_code rc = fleet_host_get(t, host, &h, &found, reterr);
	if (rc == ERR_OK && found)
		rc = health_get(t, service, host, &health, &found, reterr);
	if (rc != ERR_OK || !found)
		return rc;
	for (size_t i = 0; i < health.results.count; i++) {
		const struct probe_result *r = &LIST_AT(health.results, struct probe_result, i);
		*ret_fails |= fails(r);
		*ret_gone |= fails(r) && r->gone;
	}
	*ret_passed_ms = last_pass(&h, &health.results);
	return ERR_OK;
}

/* Does one of its new lines say more than that it is not there? */
static bool says_why(struct inquiry *q, const struct place *p)
{
	struct knowledge_hit hits[SIGNS_HITS_MAX];
	for (size_t i = 0; i < p->patterns->count; i++) {
		const struct error_pattern *e = &LIST_AT(*p->patterns, struct error_pattern, i);
		if (e->severity < LOG_SEVERITY_ERROR || !text_equal(e->last_host, p->host))
			continue;
		const char *line = e->sample ? e->sample : e->template_text;
		size_t n = knowledge_recognise(&q->entries, line, hits, SIGNS_HITS_MAX);
		if (!n || hits[0].entry->class != CLASS_UNAVAILABLE)
			return true;
	}
	return false;
}

enum err_code signs_course(struct inquiry *q, struct place *p, struct err *reterr)
{
	struct placement here;
	bool found, unwell;
	enum err_code rc = failing_at(q->t, p->service, p->host, &p->passed_ms, &p->gone, &unwell, reterr);
	if (rc == ERR_OK && !unwell)
		p->passed_ms = q->passed_ms;
	if (rc == ERR_OK)
		rc = fleet_placement_get(q->t, p->service, p->host, &here, &found, reterr);
	if (rc == ERR_OK && found)
		rc = is_compared(q, &here, &p->compared, reterr);
	p->quiet = rc == ERR_OK && !says_why(q, p);
	return rc;
}

/* ---- since when ---- */

static enum err_code last_end(
    struct turn *t, const char *service, uint64_t before_ms, uint64_t *ret, struct err *reterr)
{
	struct incident like = {.service = service}, i;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	enum err_code rc = turn_scan_index(t, &incident_table, "service", &like, true, &scan, reterr);
	for (size_t n = 0; n < SIGNS_INCIDENTS_MAX && turn_scan_step(&scan, &i, &rc, reterr); n++)
		if (i.resolved_ms && i.resolved_ms <= before_ms && i.resolved_ms > *ret)
			*ret = i.resolved_ms;
	return rc;
}

/* When all that fails now of the incident's service was good for the last time; 0: not known. */
static enum err_code last_good(struct turn *t, const struct incident *i, uint64_t *ret, struct err *reterr)
{
	uint64_t passed_ms = UINT64_MAX, passed;
	bool gone, unwell;
	enum err_code rc = ERR_OK;
	for (size_t k = 0; rc == ERR_OK && k < i->failing.count; k++) {
		rc = failing_at(t, i->service, LIST_AT(i->failing, const char *, k), &passed, &gone, &unwell, reterr);
		if (rc == ERR_OK && unwell && passed < passed_ms)
			passed_ms = passed;
	}
	*ret = passed_ms == UINT64_MAX ? 0 : passed_ms;
	return rc;
}

enum err_code signs_since(
    struct turn *t, const struct incident *i, uint64_t *ret, uint64_t *ret_passed_ms, struct err *reterr)
{
	struct list leans_on;
	uint64_t since = i->fault_ms > SIGNS_LOOK_BACK_MS ? i->fault_ms - SIGNS_LOOK_BACK_MS : 0;
	enum err_code rc = fleet_dependencies(t, i->service, &leans_on, reterr);
	if (rc == ERR_OK)
		rc = last_end(t, i->service, i->fault_ms, &since, reterr);
	for (size_t k = 0; rc == ERR_OK && k < leans_on.count; k++)
		rc = last_end(t, LIST_AT(leans_on, const char *, k), i->fault_ms, &since, reterr);
	/* When what fails now was good for the last time, what had been said before was not about this. */
	uint64_t passed_ms = 0;
	if (rc == ERR_OK)
		rc = last_good(t, i, &passed_ms, reterr);
	if (passed_ms > since + SIGNS_LATE_MS)
		since = passed_ms - SIGNS_LATE_MS;
	if (rc == ERR_OK) {
		*ret = since;
		*ret_passed_ms = passed_ms;
	}
	return rc;
}
