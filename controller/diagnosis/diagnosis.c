/* controller/diagnosis/diagnosis.c: the first diagnosis: what changed last before the failure, which log pattern is new, who depends on it.
 *
 * Every component that differs from its restore point, of the failing service and of what it depends on, is a suspect.  Its score is the
 * product of how well it explains the fault: how shortly before it changed, whether new error lines name its paths, whether its service is
 * itself unwell.  Scores become confidences by sharing 1 among the suspects and "something else", which keeps a fixed score of its own:
 * a lone weak suspect is not sure. */
#include "controller/diagnosis/diagnosis.h"
#include "controller/diagnosis/learning.h"

#include <math.h>
#include <string.h>

#include "controller/diagnosis/metrics.h"
#include "shared/base/text.h"

static const char model_version[] = "first-1";

enum { SETTLE_MS = 30 * 1000 }; /* a change is seen up to this long after it worked: drift is looked for in rounds, probes have fall counts */

static const double something_else = 0.35; /* score of "none of these" */
static const double least_confidence = 0.3; /* below it the answer is "unknown" */
static const double changed_just_before = 6.0, changed_long_before = 0.15, changed_after = 0.05;
static const double named_in_log = 3.0, dependency_unwell = 1.5, dependency_well = 0.2;

struct inquiry { /* one diagnosis in the making */
	struct turn *t;
	struct incident incident;
	struct suspect suspects[DIAGNOSIS_SUSPECTS_MAX];
	double score[DIAGNOSIS_SUSPECTS_MAX];
	size_t suspect_count;
	struct evidence evidence[DIAGNOSIS_EVIDENCE_MAX];
	size_t evidence_count;
	struct list advised; /* struct fix, from what is known */
};

static void note(struct inquiry *q, enum evidence_kind kind, const char *service, const char *host, const char *text, double weight, uint64_t at_ms)
{
	bool full = q->evidence_count == DIAGNOSIS_EVIDENCE_MAX;
	if (!text || (full && q->evidence[DIAGNOSIS_EVIDENCE_MAX - 1].weight >= weight))
		return;
	size_t at = full ? DIAGNOSIS_EVIDENCE_MAX - 1 : q->evidence_count++; /* heaviest first; the lightest makes room */
	for (; at && q->evidence[at - 1].weight < weight; at--)
		q->evidence[at] = q->evidence[at - 1];
	q->evidence[at] = (struct evidence){ kind, service, host, text, weight, at_ms };
}

/* How well does a change at this time explain a fault that began at fault_ms? */
static double timing(uint64_t changed_ms, uint64_t fault_ms)
{
	if (!changed_ms)
		return 1.0; /* differs, nobody knows since when */
	if (changed_ms > fault_ms + SETTLE_MS)
		return changed_after;
	if (changed_ms >= fault_ms)
		return changed_just_before;
	double before = (double)(fault_ms - changed_ms) / (double)DIAGNOSIS_WINDOW_MS;
	return before >= 1.0 ? changed_long_before : changed_just_before * exp(-3.0 * before);
}

static bool mentions(const char *line, const char *path)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	return line && strlen(base) >= 3 && strstr(line, base) != NULL;
}

/* Does a new error line of the service name one of the paths that changed? */
static enum err_code log_weight(struct inquiry *q, const struct drift *d, const struct list *patterns, double *ret, struct err *reterr)
{
	(void)reterr;
	*ret = 1.0;
	for (size_t i = 0; i < patterns->count; i++) {
		const struct error_pattern *p = &LIST_AT(*patterns, struct error_pattern, i);
		for (size_t k = 0; k < d->paths.count && *ret == 1.0; k++)
			if (mentions(p->sample, LIST_AT(d->paths, const char *, k)) || mentions(p->template_text, LIST_AT(d->paths, const char *, k))) {
				*ret = named_in_log;
				note(q, EVIDENCE_LOG, p->service, p->last_host,
				    arena_printf(turn_arena(q->t), "a new line names %s: %s", LIST_AT(d->paths, const char *, k), p->sample ? p->sample : p->template_text),
				    named_in_log, p->first_ms);
			}
	}
	return ERR_OK;
}

static const char *drift_text(struct inquiry *q, const struct drift *d)
{
	struct arena *a = turn_arena(q->t);
	const char *which = enum_name(&component_enum, d->component);
	char when[TEXT_TIME_MAX] = "";
	if (d->newest_change_ms)
		text_time(d->newest_change_ms, when);
	if (d->version_now && !text_equal(d->version_before, d->version_now))
		return arena_printf(a, "%s of %s on %s went from %.12s to %.12s at %s", which, d->service, d->host, d->version_before ? d->version_before : "?",
		    d->version_now, when);
	return arena_printf(a, "%s of %s on %s: %llu changed, %llu added, %llu removed%s%s%s%s", which, d->service, d->host,
	    (unsigned long long)d->changed, (unsigned long long)d->added, (unsigned long long)d->removed, when[0] ? ", last at " : "", when,
	    d->paths.count ? ", such as " : "", d->paths.count ? LIST_AT(d->paths, const char *, 0) : "");
}

static void suspect(struct inquiry *q, const struct drift *d, double score)
{
	size_t at = q->suspect_count < DIAGNOSIS_SUSPECTS_MAX ? q->suspect_count++ : DIAGNOSIS_SUSPECTS_MAX - 1;
	if (at == DIAGNOSIS_SUSPECTS_MAX - 1 && q->score[at] > score)
		return;
	const char *text = drift_text(q, d);
	for (; at && q->score[at - 1] < score; at--) {
		q->suspects[at] = q->suspects[at - 1];
		q->score[at] = q->score[at - 1];
	}
	q->score[at] = score;
	q->suspects[at] = (struct suspect){ .service = d->service, .host = d->host, .component = d->component, .has_component = true,
		.changed_ms = d->newest_change_ms, .text = text };
	note(q, EVIDENCE_DRIFT, d->service, d->host, text, score, d->newest_change_ms);
}

/* Everything that differs on one host of one service.  factor: how much the service as a whole explains. */
static enum err_code examine_place(struct inquiry *q, const char *service, const char *host, const struct list *patterns, double factor, struct err *reterr)
{
	struct list drifts;
	enum err_code rc = fleet_drifts(q->t, service, host, &drifts, reterr);
	for (size_t i = 0; rc == ERR_OK && i < drifts.count; i++) {
		const struct drift *d = &LIST_AT(drifts, struct drift, i);
		double by_log;
		if ((rc = log_weight(q, d, patterns, &by_log, reterr)) == ERR_OK)
			suspect(q, d, factor * by_log * timing(d->newest_change_ms, q->incident.fault_ms));
	}
	return rc;
}

static enum err_code note_probes(struct inquiry *q, const char *service, const char *host, struct err *reterr)
{
	struct service_health h;
	bool found;
	enum err_code rc = health_get(q->t, service, host, &h, &found, reterr);
	for (size_t i = 0; rc == ERR_OK && found && i < h.results.count; i++) {
		const struct probe_result *p = &LIST_AT(h.results, struct probe_result, i);
		if (p->settled == PROBE_CRITICAL || p->settled == PROBE_WARNING)
			note(q, EVIDENCE_PROBE, service, host,
			    arena_printf(turn_arena(q->t), "probe %s is %s: %s", p->probe, enum_name(&probe_state_enum, p->settled), p->text ? p->text : ""),
			    1.0, p->since_ms);
	}
	return rc;
}

static enum err_code note_metrics(struct inquiry *q, const char *service, const char *host, struct err *reterr)
{
	struct evidence found[METRIC_EVIDENCE_MAX];
	size_t count = 0;
	enum err_code rc = metric_evidence(q->t, service, host, q->incident.fault_ms, found, &count, reterr);
	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		note(q, EVIDENCE_METRIC, service, host, found[i].text, found[i].weight, found[i].at_ms);
	return rc;
}

static bool is_failing(const struct incident *i, const char *host)
{
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
		note(q, (enum evidence_kind)l.evidence[i].kind, l.evidence[i].service, l.evidence[i].host, l.evidence[i].text, l.evidence[i].weight,
		    l.evidence[i].at_ms);
	if (rc == ERR_OK)
		q->advised = l.fixes;
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
		fixes[i] = i < d->fixes.count ? LIST_AT(d->fixes, struct fix, i) : LIST_AT(q->advised, struct fix, i - d->fixes.count);
		fixes[i].priority = (uint32_t)i + 1;
		rc = learning_success(q->t, &fixes[i], reterr);
	}
	d->fixes = (struct list){ fixes, n };
	return rc;
}

static enum err_code examine_service(struct inquiry *q, const char *service, bool own, struct err *reterr)
{
	struct list places, patterns;
	uint64_t since = q->incident.fault_ms > DIAGNOSIS_WINDOW_MS ? q->incident.fault_ms - DIAGNOSIS_WINDOW_MS : 0;
	struct health_summary summary;
	enum err_code rc = fleet_placements(q->t, service, &places, reterr);
	if (rc != ERR_OK || (rc = diagnosis_new_patterns(q->t, service, since, &patterns, reterr)) != ERR_OK ||
	    (rc = health_of_service(q->t, service, &summary, reterr)) != ERR_OK)
		return rc;
	bool unwell = summary.worst == HEALTH_DOWN || summary.worst == HEALTH_DEGRADED;
	if (!own && unwell)
		note(q, EVIDENCE_DEPENDENCY, service, NULL,
		    arena_printf(turn_arena(q->t), "%s, on which %s depends, is %s", service, q->incident.service, enum_name(&health_enum, summary.worst)),
		    dependency_unwell, 0);
	for (size_t i = 0; i < patterns.count && i < 8; i++) {
		const struct error_pattern *p = &LIST_AT(patterns, struct error_pattern, i);
		note(q, EVIDENCE_LOG, service, p->last_host, arena_printf(turn_arena(q->t), "new log pattern: %s", p->sample ? p->sample : p->template_text),
		    own ? 0.8 : 0.4, p->first_ms);
	}
	if (own && (rc = learn(q, &patterns, reterr)) != ERR_OK)
		return rc;
	double factor = own ? 1.0 : unwell ? dependency_unwell : dependency_well;
	for (size_t i = 0; rc == ERR_OK && i < places.count; i++) {
		const struct placement *p = &LIST_AT(places, struct placement, i);
		if (own && !is_failing(&q->incident, p->host))
			continue;
		if ((rc = examine_place(q, service, p->host, &patterns, factor, reterr)) == ERR_OK)
			rc = note_probes(q, service, p->host, reterr);
		if (rc == ERR_OK)
			rc = note_metrics(q, service, p->host, reterr);
	}
	return rc;
}

static void share_confidence(struct inquiry *q)
{
	double sum = something_else;
	for (size_t i = 0; i < q->suspect_count; i++)
		sum += q->score[i];
	for (size_t i = 0; i < q->suspect_count; i++)
		q->suspects[i].confidence = q->score[i] / sum;
}

/* Hosts on which the same component of the same service is suspected as strongly as the first: one cause, several hosts. */
static enum err_code alike(struct inquiry *q, struct list *ret, double *ret_confidence, struct err *reterr)
{
	const char **names = arena_array(turn_arena(q->t), q->suspect_count, sizeof *names);
	size_t n = 0;
	if (!names)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	*ret_confidence = 0;
	for (size_t i = 0; i < q->suspect_count; i++)
		if (text_equal(q->suspects[i].service, q->suspects[0].service) && q->suspects[i].component == q->suspects[0].component &&
		    q->score[i] >= 0.5 * q->score[0]) {
			names[n++] = q->suspects[i].host;
			*ret_confidence += q->suspects[i].confidence;
		}
	*ret = (struct list){ names, n };
	return ERR_OK;
}

static enum err_code fix_rollback(struct inquiry *q, const struct list *hosts, struct diagnosis *d, struct err *reterr)
{
	struct arena *a = turn_arena(q->t);
	struct fix *fix = arena_alloc(a, sizeof *fix);
	uint32_t *component = arena_alloc(a, sizeof *component);
	const char **commands = arena_array(a, 1, sizeof *commands);
	struct buf names = BUF_INIT;
	for (size_t i = 0; i < hosts->count; i++)
		buf_printf(&names, "%s--host %s", i ? " " : "", LIST_AT(*hosts, const char *, i));
	const struct suspect *s = &q->suspects[0];
	if (fix && component && commands) {
		*component = s->component;
		commands[0] = arena_printf(a, "kedge rollback start %s %s --component %s --to last-good --incident INC-%llu", s->service, buf_str(&names),
		    enum_name(&component_enum, s->component), (unsigned long long)q->incident.number);
		*fix = (struct fix){ .action = FIX_ROLLBACK,
			.priority = 1,
			.service = s->service,
			.hosts = *hosts,
			.components = { component, 1 },
			.estimated_ms = s->component == COMPONENT_DATABASE ? 300000 : s->component == COMPONENT_CONFIG ? 10000 : 20000,
			.risk = s->component >= COMPONENT_DATA ? SEVERITY_HIGH : SEVERITY_LOW,
			.text = arena_printf(a, "bring the %s of %s back to its last known good restore point", enum_name(&component_enum, s->component), s->service),
			.commands = { commands, 1 } };
		d->fixes = (struct list){ fix, 1 };
	}
	buf_done(&names);
	return fix && component && commands ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
}

static enum err_code conclude(struct inquiry *q, struct diagnosis *d, struct err *reterr)
{
	struct arena *a = turn_arena(q->t);
	struct list hosts = { 0 };
	double confidence = 0;
	enum err_code rc = q->suspect_count ? alike(q, &hosts, &confidence, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	d->confidence = confidence;
	d->abstained = confidence < least_confidence;
	d->suspects = (struct list){ arena_dup(a, q->suspects, q->suspect_count * sizeof q->suspects[0]), q->suspect_count };
	d->evidence = (struct list){ arena_dup(a, q->evidence, q->evidence_count * sizeof q->evidence[0]), q->evidence_count };
	if (d->abstained) {
		d->root_cause = "unknown: nothing that was seen to change explains it";
		return fleet_dependents(q->t, q->incident.service, &d->affected, reterr);
	}
	d->root_cause = q->suspects[0].text;
	if ((rc = fleet_dependents(q->t, q->suspects[0].service, &d->affected, reterr)) != ERR_OK)
		return rc;
	return fix_rollback(q, &hosts, d, reterr);
}

enum err_code diagnosis_compute(struct turn *read, struct id incident, struct diagnosis *ret, struct err *reterr)
{
	struct inquiry *q = arena_alloc(turn_arena(read), sizeof *q);
	if (!q)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	q->t = read;
	bool found;
	struct list leans_on;
	enum err_code rc = incident_get(read, incident, &q->incident, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "no incident %s", id_text(ID_INCIDENT, incident));
	if (rc != ERR_OK || (rc = examine_service(q, q->incident.service, true, reterr)) != ERR_OK ||
	    (rc = fleet_dependencies(read, q->incident.service, &leans_on, reterr)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < leans_on.count; i++)
		if ((rc = examine_service(q, LIST_AT(leans_on, const char *, i), false, reterr)) != ERR_OK)
			return rc;
	share_confidence(q);
	struct diagnosis d = { .incident = incident, .at_ms = turn_now_ms(read), .model = model_version, .final = true };
	if ((rc = conclude(q, &d, reterr)) == ERR_OK && (rc = complete_fixes(q, &d, reterr)) == ERR_OK)
		*ret = d;
	return rc;
}

enum err_code diagnosis_of_incident(struct turn *t, struct id incident, struct diagnosis *ret, bool *ret_found, struct err *reterr)
{
	struct diagnosis like = { .incident = incident };
	struct turn_scan scan;
	enum err_code rc = turn_scan_index(t, &diagnosis_table, "incident", &like, true, &scan, reterr); /* newest first: ids sort by time */
	if (rc != ERR_OK)
		return rc;
	rc = turn_scan_next(&scan, ret, ret_found, reterr);
	turn_scan_done(&scan);
	return rc;
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
