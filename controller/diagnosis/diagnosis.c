/* controller/diagnosis/diagnosis.c: what changed before the failure, in which service it is, what the log says about
 * it.
 *
 * First the services: the failing one and what it leans on are ranked by controller/cause over health, measurements and
 * new lines.  Then what changed in each (changed.c): every such component is a suspect, whose score is the product of
 * how well it explains the fault: how shortly before it changed, whether new error lines name its paths, how much its
 * service explains.  Scores become confidences by sharing 1 among the suspects and "something else", which keeps a
 * fixed score of its own: a lone weak suspect is not sure, and of two that are as good neither is.  Where nothing
 * changed, a service that the others lean on and that is itself unwell is named, as sure as the ranking is of it. */
#include "controller/diagnosis/diagnosis.h"

#include <math.h>
#include <string.h>

#include "controller/cause/cause.h"
#include "controller/diagnosis/history.h"
#include "controller/diagnosis/metrics.h"
#include "controller/knowledge/calibration.h"
#include "shared/base/text.h"

static const char model_version[] = "changes-3";

static const double something_else = 0.35;  /* score of "none of these" */
static const double least_confidence = 0.3; /* below it the answer is "unknown" */
static const double dependency_unwell = 1.5;
static const uint64_t at_once_ms = 3000;    /* a job that runs each second or two, and what it does */
static const uint64_t one_moment_ms = 1500; /* one deployment of both */
static const double as_likely = 0.5;        /* of the first suspect's score */
static const double worth_it = 0.1;         /* of the first suspect's score: less is not brought back beside it */
static const double not_compared = 0.1; /* a service itself, while what changed in the failing one is not known yet */

void inquiry_note(struct inquiry *q, enum evidence_kind kind, const char *service, const char *host, const char *text,
    double weight, uint64_t at_ms)
{
	bool full = q->evidence_count == DIAGNOSIS_EVIDENCE_MAX;
	if (!text || (full && q->evidence[DIAGNOSIS_EVIDENCE_MAX - 1].weight >= weight))
		return;
	size_t at =
	    full ? DIAGNOSIS_EVIDENCE_MAX - 1 : q->evidence_count++; /* heaviest first; the lightest makes room */
	for (; at && q->evidence[at - 1].weight < weight; at--)
		q->evidence[at] = q->evidence[at - 1];
	q->evidence[at] = (struct evidence){kind, service, host, text, weight, at_ms};
}

bool suspect_is(const struct suspect *a, const struct suspect *b)
{
	return text_equal(a->service, b->service) && text_equal(a->host, b->host) &&
	       a->has_component == b->has_component && text_equal(a->run, b->run) &&
	       (!a->has_component || a->component == b->component);
}

void inquiry_suspect(struct inquiry *q, enum evidence_kind kind, const struct suspect *s, double score)
{
	size_t at = 0;
	inquiry_note(q, kind, s->service, s->host, s->text, score, s->changed_ms);
	while (at < q->suspect_count && !suspect_is(&q->suspects[at], s))
		at++;
	bool known = at < q->suspect_count, full = !known && q->suspect_count == DIAGNOSIS_SUSPECTS_MAX;
	if (full)
		at = DIAGNOSIS_SUSPECTS_MAX - 1;
	if ((known || full) && q->score[at] >= score)
		return;
	if (!known && !full)
		q->suspect_count++;
	for (; at && q->score[at - 1] < score; at--) {
		q->suspects[at] = q->suspects[at - 1];
		q->score[at] = q->score[at - 1];
	}
	q->score[at] = score;
	q->suspects[at] = *s;
	q->suspects[at].ground = kind;
}

const char *probe_evidence(struct turn *t, const struct probe_result *r)
{
	if (r->settled != PROBE_CRITICAL && r->settled != PROBE_WARNING)
		return NULL;
	return arena_printf(turn_arena(t), "probe %s is %s: %s", r->probe, enum_name(&probe_state_enum, r->settled),
	    r->text ? r->text : "");
}

static enum err_code note_probes(struct inquiry *q, const char *service, const char *host, struct err *reterr)
{
	struct service_health h;
	bool found;
	enum err_code rc = health_get(q->t, service, host, &h, &found, reterr);
	for (size_t i = 0; rc == ERR_OK && found && i < h.results.count; i++) {
		const struct probe_result *p = &LIST_AT(h.results, struct probe_result, i);
		inquiry_note(q, EVIDENCE_PROBE, service, host, probe_evidence(q->t, p), 1.0, p->since_ms);
	}
	return rc;
}

static enum err_code note_metrics(struct inquiry *q, const char *service, const char *host, struct err *reterr)
{
	struct evidence found[METRIC_EVIDENCE_MAX];
	size_t count = 0;
	enum err_code rc = metric_evidence(q->t, service, host, q->incident.fault_ms, found, &count, reterr);
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		inquiry_note(q, EVIDENCE_METRIC, service, host, found[i].text, found[i].weight, found[i].at_ms);
	return rc;
}

bool inquiry_is_failing(const struct inquiry *q, const char *host)
{
	const struct incident *i = &q->incident;
	for (size_t k = 0; k < i->failing.count; k++)
		if (text_equal(LIST_AT(i->failing, const char *, k), host))
			return true;
	return i->failing.count == 0;
}

/* What past incidents and the knowledge say of the failing service. */
static enum err_code learn(struct inquiry *q, const struct list *patterns, struct err *reterr)
{
	struct learned l;
	enum err_code rc = learning_about(q->t, &q->incident, patterns, &l, reterr);
	for (size_t i = 0; rc == ERR_OK && i < l.evidence_count; i++)
		inquiry_note(q, (enum evidence_kind)l.evidence[i].kind, l.evidence[i].service, l.evidence[i].host,
		    l.evidence[i].text, l.evidence[i].weight, l.evidence[i].at_ms);
	if (rc == ERR_OK) {
		q->advised = l.fixes;
		q->known_runbook = l.runbook;
		memcpy(q->remembered, l.remembered, sizeof q->remembered);
		q->remembered_count = l.remembered_count;
	}
	return rc;
}

/* What is known to help, after what this diagnosis found by itself; and how often each has helped here. */
static enum err_code complete_fixes(struct inquiry *q, struct diagnosis *d, struct err *reterr)
{
	size_t n = d->fixes.count + q->advised.count;
	struct fix *fixes = arena_array(turn_arena(q->t), n ? n : 1, sizeof *fixes);
	if (!fixes)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		fixes[i] = i < d->fixes.count ? LIST_AT(d->fixes, struct fix, i)
					      : LIST_AT(q->advised, struct fix, i - d->fixes.count);
		fixes[i].priority = (uint32_t)i + 1;
		rc = learning_success(q->t, &fixes[i], reterr);
	}
	d->fixes = (struct list){fixes, n};
	return rc;
}

static enum err_code note_service(
    struct inquiry *q, const struct ranked_service *s, bool own, const struct list *patterns, struct err *reterr)
{
	struct health_summary summary;
	struct arena *a = turn_arena(q->t);
	enum err_code rc = health_of_service(q->t, s->name, &summary, reterr);
	if (rc == ERR_OK && !own && (summary.worst == HEALTH_DOWN || summary.worst == HEALTH_DEGRADED))
		inquiry_note(q, EVIDENCE_DEPENDENCY, s->name, NULL,
		    arena_printf(a, "%s, on which %s depends, is %s", s->name, q->incident.service,
			enum_name(&health_enum, summary.worst)),
		    dependency_unwell, 0);
	for (size_t i = 0; rc == ERR_OK && i < patterns->count && i < 8; i++) {
		const struct error_pattern *p = &LIST_AT(*patterns, struct error_pattern, i);
		inquiry_note(q, EVIDENCE_LOG, s->name, p->last_host,
		    arena_printf(a, "new log pattern: %s", p->sample ? p->sample : p->template_text), own ? 0.8 : 0.4,
		    p->first_ms);
	}
	return rc;
}

/* New lines that were still written when it failed, or since. */
static enum err_code patterns_of(struct inquiry *q, const char *service, struct list *ret, struct err *reterr)
{
	uint64_t fault_ms = q->incident.fault_ms,
		 since = fault_ms > DIAGNOSIS_WINDOW_MS ? fault_ms - DIAGNOSIS_WINDOW_MS : 0;
	struct list all;
	enum err_code rc = diagnosis_new_patterns(q->t, service, since, &all, reterr);
	size_t n = 0;
	for (size_t i = 0; rc == ERR_OK && i < all.count; i++)
		if (LIST_AT(all, struct error_pattern, i).last_ms >= q->since_ms)
			LIST_AT(all, struct error_pattern, n++) = LIST_AT(all, struct error_pattern, i);
	if (rc == ERR_OK)
		*ret = (struct list){all.items, n};
	return rc;
}

static enum err_code examine_service(struct inquiry *q, const struct ranked_service *s, bool own, struct err *reterr)
{
	struct list places, patterns;
	enum err_code rc = fleet_placements(q->t, s->name, &places, reterr);
	if (rc != ERR_OK || (rc = patterns_of(q, s->name, &patterns, reterr)) != ERR_OK ||
	    (rc = note_service(q, s, own, &patterns, reterr)) != ERR_OK ||
	    (rc = classes_of(q, s->name, own, &patterns, reterr)) != ERR_OK ||
	    (own && (rc = learn(q, &patterns, reterr)) != ERR_OK))
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < places.count; i++) {
		const char *host = LIST_AT(places, struct placement, i).host;
		if (own && !inquiry_is_failing(q, host))
			continue;
		struct place place = {.service = s->name, .host = host, .patterns = &patterns, .factor = s->factor};
		rc = signs_course(q, &place, reterr);
		q->compared = q->compared && (!own || place.compared);
		if (rc == ERR_OK)
			rc = changed_at(q, &place, reterr);
		if (rc == ERR_OK)
			rc = signs_at(q, &place, own, reterr);
		if (rc == ERR_OK)
			rc = note_probes(q, s->name, host, reterr);
		if (rc == ERR_OK)
			rc = note_metrics(q, s->name, host, reterr);
	}
	return rc == ERR_OK ? changed_by_plan(q, s->name, s->factor, reterr) : rc;
}

/* Nothing changed there, or not that anybody could see: the service itself, if it is one that others lean on. */
static void suspect_service(struct inquiry *q, const struct ranked_service *s)
{
	double odds = s->confidence < 0.95 ? s->confidence / (1 - s->confidence) : 19;
	for (size_t i = 0; i < q->suspect_count; i++)
		if (text_equal(q->suspects[i].service, s->name) || q->score[i] > something_else)
			return;
	if (s->confidence > 0)
		inquiry_suspect(q, EVIDENCE_DEPENDENCY,
		    &(struct suspect){.service = s->name,
			.text = arena_printf(turn_arena(q->t), "%s itself, on which %s depends: %s", s->name,
			    q->incident.service, s->reason ? s->reason : "it is unwell")},
		    something_else * odds * (q->compared ? 1 : not_compared));
}

static void share_confidence(struct inquiry *q)
{
	double sum = something_else;
	for (size_t i = 0; i < q->suspect_count; i++)
		sum += q->score[i];
	for (size_t i = 0; i < q->suspect_count; i++)
		q->suspects[i].confidence = q->score[i] / sum;
}

static bool is_alike(const struct inquiry *q, size_t i)
{
	const struct suspect *a = &q->suspects[0], *b = &q->suspects[i];
	return text_equal(a->service, b->service) && a->has_component == b->has_component &&
	       a->component == b->component && text_equal(a->run, b->run) && q->score[i] >= 0.5 * q->score[0];
}

/* What changed at one place in one moment comes back together, as the restore point holds it: data that became another
 * as configuration or code did, for what was put there did that, and does it again to what is brought back under it;
 * configuration and code of which neither is likelier than the other. */
static bool came_with(const struct inquiry *q, const struct suspect *s, size_t i)
{
	const struct suspect *make = &q->suspects[i];
	bool here = make->has_component && make->component <= COMPONENT_CODE && make->ground == EVIDENCE_DRIFT &&
		    s->component <= COMPONENT_DATA && s->component != make->component &&
		    text_equal(make->service, s->service) && text_equal(make->host, s->host);
	if (!here || !make->changed_ms || !s->changed_ms)
		return false;
	if (s->component == COMPONENT_DATA)
		return make->changed_ms <= s->changed_ms && s->changed_ms - make->changed_ms <= at_once_ms &&
		       q->score[i] >= worth_it * q->score[0];
	uint64_t apart =
	    make->changed_ms < s->changed_ms ? s->changed_ms - make->changed_ms : make->changed_ms - s->changed_ms;
	return apart <= one_moment_ms && q->score[i] >= as_likely * q->score[0];
}

/* Hosts on which the same component of the same service is suspected as strongly as the first: one cause, several
 * hosts. */
static enum err_code alike(struct inquiry *q, struct list *ret, double *ret_confidence, struct err *reterr)
{
	const char **names = arena_array(turn_arena(q->t), q->suspect_count, sizeof *names);
	size_t n = 0;
	if (!names)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	*ret_confidence = 0;
	for (size_t i = 0; i < q->suspect_count; i++)
		if (is_alike(q, i)) {
			names[n++] = q->suspects[i].host;
			*ret_confidence += q->suspects[i].confidence;
		}
	for (size_t i = 1; i < q->suspect_count && n == 1; i++) /* or several components that come back together */
		if (came_with(q, &q->suspects[0], i))
			*ret_confidence += q->suspects[i].confidence;
	*ret = (struct list){names, n};
	return ERR_OK;
}

/* What is brought back for the first suspect. */
static size_t components_of(const struct inquiry *q, const struct list *hosts, uint32_t ret[COMPONENT_COUNT])
{
	const struct suspect *s = &q->suspects[0];
	size_t n = 0;
	for (size_t i = 1; i < q->suspect_count && hosts->count == 1 && n + 1 < COMPONENT_COUNT; i++)
		if (came_with(q, s, i))
			ret[n++] = q->suspects[i].component;
	ret[n++] = s->component;
	return n;
}

/* On a full disk nothing else is done well: a certificate is made that is empty, a server does not start.  Of two that
 * are about as likely at one place room is made first; the other is looked into when that has helped. */
static enum err_code make_room_first(struct inquiry *q, struct err *reterr)
{
	const struct suspect *s = &q->suspects[0];
	struct placement here;
	bool found = false;
	enum err_code rc = q->suspect_count > 1 && s->run && s->host
			       ? fleet_placement_get(q->t, s->service, s->host, &here, &found, reterr)
			       : ERR_OK;
	const struct declared_action *a = found ? inquiry_action_for(&here, REMEDY_SPACE) : NULL;
	for (size_t i = 1; rc == ERR_OK && a && i < q->suspect_count; i++)
		if (text_equal(q->suspects[i].run, a->name) && text_equal(q->suspects[i].service, s->service) &&
		    text_equal(q->suspects[i].host, s->host) && q->score[i] >= as_likely * q->score[0]) {
			q->score[i] += q->score[0]; /* whichever of the two it is */
			inquiry_in_order(q);
			break;
		}
	return rc;
}

/* Nothing can be brought back where there is no room for it: what the place declares against that is run before. */
static enum err_code run_before(struct inquiry *q, const struct list *hosts, const char **ret_run, struct err *reterr)
{
	const struct suspect *s = &q->suspects[0];
	struct placement here;
	bool found;
	enum err_code rc =
	    hosts->count == 1 ? fleet_placement_get(q->t, s->service, s->host, &here, &found, reterr) : ERR_OK;
	if (rc != ERR_OK || hosts->count != 1 || !found)
		return rc;
	const struct declared_action *a = inquiry_action_for(&here, REMEDY_SPACE);
	for (size_t i = 1; a && i < q->suspect_count; i++)
		if (text_equal(q->suspects[i].run, a->name) && text_equal(q->suspects[i].service, s->service) &&
		    text_equal(q->suspects[i].host, s->host))
			*ret_run = a->name;
	return ERR_OK;
}

static enum err_code fix_rollback(struct inquiry *q, const struct list *hosts, struct diagnosis *d, struct err *reterr)
{
	struct arena *a = turn_arena(q->t);
	struct fix *fix = arena_alloc(a, sizeof *fix);
	uint32_t *components = arena_array(a, COMPONENT_COUNT, sizeof *components);
	const char **commands = arena_array(a, 1, sizeof *commands);
	struct buf names = BUF_INIT, what = BUF_INIT;
	for (size_t i = 0; i < hosts->count; i++)
		buf_printf(&names, "%s--host %s", i ? " " : "", LIST_AT(*hosts, const char *, i));
	const struct suspect *s = &q->suspects[0];
	size_t count = components ? components_of(q, hosts, components) : 0;
	const char *first = NULL;
	enum err_code rc = run_before(q, hosts, &first, reterr);
	for (size_t i = 0; i < count; i++) {
		buf_printf(&names, " --component %s", enum_name(&component_enum, components[i]));
		buf_printf(&what, "%s%s", i ? " and the " : "", enum_name(&component_enum, components[i]));
	}
	if (fix && components && commands) {
		commands[0] = arena_printf(a, "kedge rollback start %s %s%s%s --to last-good --incident INC-%llu",
		    s->service, buf_str(&names), first ? " --first " : "", first ? first : "",
		    (unsigned long long)q->incident.number);
		*fix = (struct fix){.action = FIX_ROLLBACK,
		    .priority = 1,
		    .service = s->service,
		    .hosts = *hosts,
		    .first = first,
		    .components = {components, count},
		    .risk = s->component >= COMPONENT_DATA ? SEVERITY_HIGH : SEVERITY_LOW,
		    .text = arena_printf(a, "%s%sbring the %s of %s back to its last known good restore point",
			first ? "run the action " : "",
			first ? arena_printf(a, "%s, so that there is room, then ", first) : "", buf_str(&what),
			s->service),
		    .commands = {commands, 1}};
		d->fixes = (struct list){fix, 1};
	}
	buf_done(&names);
	buf_done(&what);
	if (rc != ERR_OK)
		return rc;
	return fix && components && commands ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
}

/* An action that every host of it declares. */
static enum err_code fix_run(struct inquiry *q, const struct list *hosts, struct diagnosis *d, struct err *reterr)
{
	struct arena *a = turn_arena(q->t);
	struct fix *fix = arena_alloc(a, sizeof *fix);
	const char **commands = arena_array(a, 1, sizeof *commands);
	const struct suspect *s = &q->suspects[0];
	struct buf names = BUF_INIT;
	for (size_t i = 0; i < hosts->count; i++)
		buf_printf(&names, "%s--host %s", i ? " " : "", LIST_AT(*hosts, const char *, i));
	if (fix && commands) {
		commands[0] = arena_printf(a, "kedge action start %s %s %s --incident INC-%llu", s->service, s->run,
		    buf_str(&names), (unsigned long long)q->incident.number);
		*fix = (struct fix){.action = FIX_RUN,
		    .priority = 1,
		    .service = s->service,
		    .hosts = *hosts,
		    .run = s->run,
		    .risk = SEVERITY_LOW,
		    .text = arena_printf(a, "run the action %s, which %s declares", s->run, s->service),
		    .commands = {commands, 1}};
		d->fixes = (struct list){fix, 1};
	}
	buf_done(&names);
	return fix && commands ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
}

/* Nothing to bring back: somebody looks at the service that is unwell. */
static enum err_code fix_investigate(struct inquiry *q, struct diagnosis *d, struct err *reterr)
{
	struct arena *a = turn_arena(q->t);
	struct fix *fix = arena_alloc(a, sizeof *fix);
	const char **commands = arena_array(a, 1, sizeof *commands);
	const char *service = q->suspects[0].service;
	if (!fix || !commands)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	commands[0] = arena_printf(a, "kedge service show %s", service);
	*fix = (struct fix){.action = FIX_INVESTIGATE,
	    .priority = 1,
	    .service = service,
	    .risk = SEVERITY_LOW,
	    .text = arena_printf(a, "look at %s: it is unwell, and nothing of it was seen to change", service),
	    .commands = {commands, 1}};
	d->fixes = (struct list){fix, 1};
	return ERR_OK;
}

/* What else it may be: one suspect a cause. */
static enum err_code list_alternatives(struct inquiry *q, struct diagnosis *d, struct err *reterr)
{
	struct suspect *list = arena_array(turn_arena(q->t), q->suspect_count, sizeof *list);
	size_t n = 0;
	if (!list)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	for (size_t i = 1; i < q->suspect_count; i++)
		if (!is_alike(q, i))
			list[n++] = q->suspects[i];
	d->alternatives = (struct list){list, n};
	return ERR_OK;
}

/* The page of what is known about the cause; else the one for causes of its kind. */
static const char *runbook_of(const struct inquiry *q, bool abstained)
{
	const struct suspect *s = &q->suspects[0];
	if (abstained)
		return q->known_runbook;
	if (s->runbook)
		return s->runbook;
	if (s->has_component)
		return s->component == COMPONENT_DATABASE ? "database" : "bad-change";
	return q->known_runbook ? q->known_runbook : "dependency";
}

static enum err_code conclude(struct inquiry *q, struct diagnosis *d, struct err *reterr)
{
	struct arena *a = turn_arena(q->t);
	const struct calibration *calibration;
	struct list hosts = {0};
	double confidence = 0;
	enum err_code rc = q->suspect_count ? alike(q, &hosts, &confidence, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	if ((rc = calibration_shipped(&calibration, reterr)) != ERR_OK)
		return rc;
	d->share = confidence;
	d->confidence = calibration_of(calibration, confidence, enum_name(&evidence_kind_enum, q->suspects[0].ground));
	d->abstained = confidence < least_confidence;
	d->runbook = runbook_of(q, d->abstained);
	d->suspects =
	    (struct list){arena_dup(a, q->suspects, q->suspect_count * sizeof q->suspects[0]), q->suspect_count};
	d->evidence =
	    (struct list){arena_dup(a, q->evidence, q->evidence_count * sizeof q->evidence[0]), q->evidence_count};
	classes_conclude(q, d->abstained ? NULL : q->suspects[0].service, d);
	if (d->abstained) {
		d->root_cause = "unknown: nothing that was seen to change explains it";
		return fleet_dependents(q->t, q->incident.service, &d->affected, reterr);
	}
	d->root_cause = q->suspects[0].text;
	if ((rc = list_alternatives(q, d, reterr)) != ERR_OK)
		return rc;
	if ((rc = fleet_dependents(q->t, q->suspects[0].service, &d->affected, reterr)) != ERR_OK)
		return rc;
	const struct suspect *s = &q->suspects[0];
	return s->has_component ? fix_rollback(q, &hosts, d, reterr)
	       : s->run         ? fix_run(q, &hosts, d, reterr)
				: fix_investigate(q, d, reterr);
}

/* Evidence that is as old as the fault says nothing of it yet. */
static enum err_code has_shown_well(struct inquiry *q, const char *service, bool *ret, struct err *reterr)
{
	struct list places;
	enum err_code rc = fleet_placements(q->t, service, &places, reterr);
	for (size_t i = 0; rc == ERR_OK && *ret && i < places.count; i++) {
		struct service_health h;
		bool found;
		rc = health_get(q->t, service, LIST_AT(places, struct placement, i).host, &h, &found, reterr);
		*ret = rc == ERR_OK && found && h.measured == HEALTH_HEALTHY &&
		       h.evidence_ms >= q->incident.fault_ms + DIAGNOSIS_SETTLE_MS;
	}
	return rc;
}

static enum err_code look_at_dependencies(struct inquiry *q, const struct list *services, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	q->compared = q->dependencies_well = true;
	for (size_t i = 0; rc == ERR_OK && i < services->count; i++) {
		struct health_summary h;
		rc = health_of_service(q->t, LIST_AT(*services, const char *, i), &h, reterr);
		q->dependency_unwell |= rc == ERR_OK && (h.worst == HEALTH_DOWN || h.worst == HEALTH_DEGRADED);
		if (rc == ERR_OK)
			rc = has_shown_well(q, LIST_AT(*services, const char *, i), &q->dependencies_well, reterr);
	}
	return rc;
}

static enum err_code investigate(struct inquiry *q, struct err *reterr)
{
	struct list leans_on;
	struct ranked_service services[DIAGNOSIS_SERVICES_MAX + 1];
	size_t count;
	enum err_code rc = fleet_dependencies(q->t, q->incident.service, &leans_on, reterr);
	if (rc == ERR_OK)
		rc = learning_knowledge(q->t, &q->entries, reterr);
	if (rc == ERR_OK)
		rc = signs_since(q->t, &q->incident, &q->since_ms, &q->passed_ms, reterr);
	if (rc == ERR_OK)
		rc = look_at_dependencies(q, &leans_on, reterr);
	if (rc == ERR_OK)
		rc = relapse_look_back(q, &leans_on, reterr);
	if (rc == ERR_OK)
		rc = services_rank(q, &leans_on, services, &count, reterr);
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		rc = examine_service(q, &services[i], i == 0, reterr);
	for (size_t i = 1; rc == ERR_OK && i < count; i++)
		suspect_service(q, &services[i]);
	if (rc == ERR_OK)
		relapse_weigh(q);
	if (rc == ERR_OK)
		rc = history_weigh(q, reterr);
	return rc == ERR_OK ? make_room_first(q, reterr) : rc;
}

enum err_code diagnosis_compute(struct turn *read, struct id incident, struct diagnosis *ret, struct err *reterr)
{
	struct inquiry *q = arena_alloc(turn_arena(read), sizeof *q);
	if (!q)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	q->t = read;
	bool found;
	enum err_code rc = incident_get(read, incident, &q->incident, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no incident %s", id_text(ID_INCIDENT, incident));
	if (rc != ERR_OK || (rc = investigate(q, reterr)) != ERR_OK)
		return rc;
	share_confidence(q);
	struct diagnosis d = {.incident = incident, .at_ms = turn_now_ms(read), .model = model_version, .final = true};
	if ((rc = conclude(q, &d, reterr)) == ERR_OK && (rc = complete_fixes(q, &d, reterr)) == ERR_OK)
		*ret = d;
	return rc;
}

enum err_code diagnosis_of_incident(
    struct turn *t, struct id incident, struct diagnosis *ret, bool *ret_found, struct err *reterr)
{
	struct diagnosis like = {.incident = incident};
	return turn_find(
	    t, &diagnosis_table, "incident", &like, true, ret, ret_found, reterr); /* the newest: ids sort by time */
}

enum err_code diagnosis_record(struct turn *t, const struct diagnosis *d, bool *ret_kept, struct err *reterr)
{
	struct diagnosis last;
	bool found;
	enum err_code rc = diagnosis_of_incident(t, d->incident, &last, &found, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret_kept = !found || last.at_ms <= d->at_ms;
	return *ret_kept ? turn_put(t, &diagnosis_table, d, reterr) : ERR_OK;
}
