/* controller/diagnosis/changed.c: what changed before the failure: drift, restore points, changes of Kedge's own, and
 * the components of which only log lines tell. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "controller/change/change.h"
#include "controller/diagnosis/internal.h"
#include "shared/base/text.h"

/* A change is seen up to this long after it worked: drift is looked for in rounds, probes have fall counts. */
enum {
	SETTLE_MS = 30 * 1000,
	OUTLIVED_MS = 3000, /* a change that breaks at once breaks within this: the next run of a probe, a reload */
};

static const double changed_just_before = 6.0, changed_long_before = 0.15, changed_after = 0.05;
static const double named_in_log = 3.0;
static const double between_points = 0.7; /* its time is known less well than that of a drift */
static const double routine = 0.3;        /* data that only grew */
static const double proven = 0.03;        /* a change of ours that ended with health proven */
static const double not_looked_at = 0.1;
static const double refused = 1.5;                                        /* by the service's own check */
static const double outlived = 0.3, would_start = 0.2, might_start = 0.5; /* course() */
static const double of_database = 0.7;  /* what a database is made of: dearer to bring back than what runs on it */
static const double another_mode = 3.0; /* files of a database of another owner or mode, and an action against that */
static const double spoken_of = 4.0;    /* new lines speak of a component that nobody can compare */

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

/* ---- drift ---- */

static bool mentions(const char *line, const char *path)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	return line && strlen(base) >= 3 && strstr(line, base) != NULL;
}

/* Does a new error line of the service name one of the paths that changed? */
static double log_weight(struct inquiry *q, const struct drift *d, const struct list *patterns)
{
	double weight = 1.0;
	for (size_t i = 0; i < patterns->count; i++) {
		const struct error_pattern *p = &LIST_AT(*patterns, struct error_pattern, i);
		for (size_t k = 0; k < d->paths.count && weight == 1.0; k++) {
			const char *path = LIST_AT(d->paths, const char *, k);
			if (!mentions(p->sample, path) && !mentions(p->template_text, path))
				continue;
			weight = named_in_log;
			inquiry_note(q, EVIDENCE_LOG, p->service, p->last_host,
			    arena_printf(turn_arena(q->t), "a new line names %s: %s", path,
				p->sample ? p->sample : p->template_text),
			    named_in_log, p->first_ms);
		}
	}
	return weight;
}

static const char *drift_text(struct inquiry *q, const struct drift *d)
{
	struct arena *a = turn_arena(q->t);
	const char *which = enum_name(&component_enum, d->component);
	char when[TEXT_TIME_MAX] = "";
	if (d->newest_change_ms)
		text_time(d->newest_change_ms, when);
	if (d->version_now && !text_equal(d->version_before, d->version_now))
		return arena_printf(a, "%s of %s on %s went from %.12s to %.12s at %s", which, d->service, d->host,
		    d->version_before ? d->version_before : "?", d->version_now, when);
	return arena_printf(a, "%s of %s on %s: %llu changed, %llu added, %llu removed%s%s%s%s", which, d->service,
	    d->host, (unsigned long long)d->changed, (unsigned long long)d->added, (unsigned long long)d->removed,
	    when[0] ? ", last at " : "", when, d->paths.count ? ", such as " : "",
	    d->paths.count ? LIST_AT(d->paths, const char *, 0) : "");
}

/* Data grows by being used; the folders that it grows in have another time then. */
static bool is_routine(const struct drift *d)
{
	return d->component >= COMPONENT_DATA && !d->removed &&
	       (!d->changed || (d->added && d->changed <= d->metadata));
}

/* What fails now passed for a while with the change in place.  What speaks for another cause may be on its way: nobody
 * is to act on what was outlived before all that is known soon has been said. */
static double outliving(const struct place *p, uint64_t changed_ms)
{
	if (!p->passed_ms || !changed_ms || changed_ms + OUTLIVED_MS > p->passed_ms)
		return 1;
	return outlived * (p->compared ? 1 : not_looked_at);
}

/* How well does it fit to how it went?  Outlived, or not; a process is gone that would take its configuration as it is,
 * and no line says that it could not; or what it minds is another file, which changed later. */
static double course(const struct inquiry *q, const struct place *p, const struct drift *d)
{
	bool fresh = d->seen_ms >= q->incident.fault_ms;
	if (d->refused && fresh && !d->refused_elsewhere)
		return refused;
	double weight = outliving(p, d->newest_change_ms);
	if (d->refused && fresh)
		return weight * would_start;
	if (p->gone && p->quiet && d->component != COMPONENT_DATABASE)
		weight *= (d->checked && fresh) || d->component == COMPONENT_DATA ? would_start : might_start;
	return weight;
}

/* Of a database's files only owners or modes are others, and the host declares what is good for that. */
static enum err_code suspect_modes(
    struct inquiry *q, const struct place *p, const struct drift *d, bool *ret_done, struct err *reterr)
{
	struct placement here;
	bool found;
	*ret_done = false;
	if (d->component != COMPONENT_DATABASE || d->added || d->removed || d->metadata < d->changed)
		return ERR_OK;
	enum err_code rc = fleet_placement_get(q->t, p->service, p->host, &here, &found, reterr);
	const struct declared_action *a = rc == ERR_OK && found ? inquiry_action_for(&here, REMEDY_PERMISSIONS) : NULL;
	if (!a)
		return rc;
	*ret_done = true;
	inquiry_suspect(q, EVIDENCE_DRIFT,
	    &(struct suspect){.service = p->service,
		.host = p->host,
		.changed_ms = d->newest_change_ms,
		.run = a->name,
		.text = arena_printf(turn_arena(q->t),
		    "files of the database of %s on %s have another owner or mode, such as %s; its action %s is good for that",
		    p->service, p->host, d->paths.count ? LIST_AT(d->paths, const char *, 0) : "some", a->name)},
	    p->factor * another_mode * timing(d->newest_change_ms, q->incident.fault_ms) / changed_just_before *
		outliving(p, d->newest_change_ms));
	return rc;
}

static enum err_code suspect_drifts(struct inquiry *q, const struct place *p, struct err *reterr)
{
	struct list drifts;
	enum err_code rc = fleet_drifts(q->t, p->service, p->host, &drifts, reterr);
	for (size_t i = 0; rc == ERR_OK && i < drifts.count; i++) {
		const struct drift *d = &LIST_AT(drifts, struct drift, i);
		bool done;
		if ((rc = suspect_modes(q, p, d, &done, reterr)) != ERR_OK || done)
			continue;
		double score = p->factor * log_weight(q, d, p->patterns) *
			       timing(d->newest_change_ms, q->incident.fault_ms) * (is_routine(d) ? routine : 1) *
			       (d->component == COMPONENT_DATABASE ? of_database : 1) * course(q, p, d);
		inquiry_suspect(q, EVIDENCE_DRIFT,
		    &(struct suspect){.service = d->service,
			.host = d->host,
			.component = d->component,
			.has_component = true,
			.changed_ms = d->newest_change_ms,
			.text = drift_text(q, d)},
		    score);
	}
	return rc;
}

/* ---- restore points beside each other ---- */

static const struct component_point *point_in(const struct system_snapshot *s, uint32_t component)
{
	for (size_t i = 0; i < s->components.count; i++)
		if (LIST_AT(s->components, struct component_point, i).component == component)
			return &LIST_AT(s->components, struct component_point, i);
	return NULL;
}

static void suspect_point(struct inquiry *q, const struct place *p, const struct system_snapshot *old,
    const struct system_snapshot *s, const struct component_point *now)
{
	char from[TEXT_TIME_MAX], to[TEXT_TIME_MAX];
	uint64_t fault_ms = q->incident.fault_ms, at_ms = s->taken_ms < fault_ms ? s->taken_ms : fault_ms;
	const struct component_point *then = point_in(old, now->component);
	if (!then || memcmp(&then->digest, &now->digest, sizeof now->digest) == 0 || old->taken_ms > fault_ms)
		return;
	/* Data and databases differ from one restore point to the next whenever they are used. */
	double usual = now->component >= COMPONENT_DATA ? routine : 1;
	inquiry_suspect(q, EVIDENCE_DRIFT,
	    &(struct suspect){.service = p->service,
		.host = p->host,
		.component = now->component,
		.has_component = true,
		.changed_ms = at_ms,
		.text = arena_printf(turn_arena(q->t), "%s of %s on %s changed between the restore points of %s and %s",
		    enum_name(&component_enum, now->component), p->service, p->host, text_time(old->taken_ms, from),
		    text_time(s->taken_ms, to))},
	    p->factor * between_points * usual * timing(at_ms, fault_ms));
}

/* A restore point that was taken after the change and before anybody noticed hides it: what runs is what it holds.  It
 * differs from the one before, though. */
static enum err_code suspect_points(struct inquiry *q, const struct place *p, struct err *reterr)
{
	struct list points;
	uint64_t fault_ms = q->incident.fault_ms,
		 since = fault_ms > DIAGNOSIS_WINDOW_MS ? fault_ms - DIAGNOSIS_WINDOW_MS : 0;
	enum err_code rc = fleet_snapshots(q->t, p->service, p->host, &points, reterr);
	for (size_t i = 0; rc == ERR_OK && i + 1 < points.count; i++) { /* newest first */
		const struct system_snapshot *s = &LIST_AT(points, struct system_snapshot, i);
		if (s->taken_ms < since)
			break;
		if ((s->left_ms && s->left_ms <= fault_ms) || s->reason == SNAPSHOT_SAFETY)
			continue; /* was not what ran when it failed */
		for (size_t k = 0; k < s->components.count; k++)
			suspect_point(q, p, &LIST_AT(points, struct system_snapshot, i + 1), s,
			    &LIST_AT(s->components, struct component_point, k));
	}
	return rc;
}

/* ---- what cannot be compared ---- */

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = text ? strcasestr(text, word) : NULL; at; at = strcasestr(at + n, word))
		if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[n]))
			return true;
	return false;
}

/* Of what is in a database and how it is made, not of whether it can be reached: that is its service's health. */
static bool speaks_of_schema(const char *line)
{
	static const char *const things[] = {"column", "relation", "table", "schema", "constraint", "index"};
	static const char *const troubles[] = {"exist", "exists", "unknown", "undefined", "missing", "no such",
	    "violates", "violation", "invalid", "corrupt", "corrupted", "mismatch", "failed", "not found"};
	bool thing = false, trouble = false;
	for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
		thing |= has_word(line, things[i]);
	for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++)
		trouble |= has_word(line, troubles[i]);
	return thing && trouble;
}

static const struct error_pattern *first_of_schema(const struct list *patterns)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const struct error_pattern *e = &LIST_AT(*patterns, struct error_pattern, i);
		if (e->severity >= LOG_SEVERITY_WARNING && speaks_of_schema(e->sample ? e->sample : e->template_text))
			return e;
	}
	return NULL;
}

/* A database is not compared with its restore point; what it is made of shows in its users' complaints. */
static enum err_code suspect_database(struct inquiry *q, const struct place *p, struct err *reterr)
{
	struct placement here;
	bool found;
	const struct error_pattern *e = first_of_schema(p->patterns);
	enum err_code rc = e ? fleet_placement_get(q->t, p->service, p->host, &here, &found, reterr) : ERR_OK;
	if (rc != ERR_OK || !e || !found || !(component_set(&here.components) & 1u << COMPONENT_DATABASE))
		return rc;
	inquiry_suspect(q, EVIDENCE_LOG,
	    &(struct suspect){.service = p->service,
		.host = p->host,
		.component = COMPONENT_DATABASE,
		.has_component = true,
		.changed_ms = e->first_ms,
		.text = arena_printf(turn_arena(q->t), "new lines speak of what the database of %s on %s holds: %s",
		    p->service, p->host, e->sample ? e->sample : e->template_text)},
	    p->factor * spoken_of);
	return rc;
}

enum err_code changed_at(struct inquiry *q, const struct place *p, struct err *reterr)
{
	enum err_code rc = suspect_drifts(q, p, reterr);
	if (rc == ERR_OK)
		rc = suspect_points(q, p, reterr);
	return rc == ERR_OK ? suspect_database(q, p, reterr) : rc;
}

/* ---- by Kedge itself ---- */

/* It ended with health proven, before this fault began; or it was made for an incident that was over before. */
static enum err_code is_proven(struct inquiry *q, const struct change *c, bool *ret, struct err *reterr)
{
	struct incident i;
	bool found = false;
	enum err_code rc = id_is_zero(c->incident) ? ERR_OK : incident_get(q->t, c->incident, &i, &found, reterr);
	*ret = (c->state == CHANGE_COMPLETED && c->ended_ms && c->ended_ms < q->incident.fault_ms) ||
	       (rc == ERR_OK && found && i.resolved_ms && i.resolved_ms <= q->incident.fault_ms);
	return rc;
}

static void suspect_change(struct inquiry *q, const struct change *c, double factor, bool is_good)
{
	struct arena *a = turn_arena(q->t);
	bool own = text_equal(c->service, q->incident.service);
	for (size_t i = 0; i < c->plan->hosts.count; i++) {
		const struct plan_host *h = &LIST_AT(c->plan->hosts, struct plan_host, i);
		for (size_t k = 0; k < c->plan->components.count && (!own || inquiry_is_failing(q, h->host)); k++) {
			uint32_t component = LIST_AT(c->plan->components, uint32_t, k);
			const char *text =
			    arena_printf(a, "CHG-%llu brought %s of %s on %s to another restore point: %s",
				(unsigned long long)c->number, enum_name(&component_enum, component), c->service,
				h->host, c->title ? c->title : "no title");
			inquiry_suspect(q, EVIDENCE_HISTORY,
			    &(struct suspect){.service = c->service,
				.host = h->host,
				.component = component,
				.has_component = true,
				.changed_ms = c->began_ms,
				.text = text},
			    factor * between_points * (is_good ? proven : 1) *
				timing(c->began_ms, q->incident.fault_ms));
		}
	}
}

enum err_code changed_by_plan(struct inquiry *q, const char *service, double factor, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct change c, none = {0};
	uint64_t fault_ms = q->incident.fault_ms;
	enum err_code rc =
	    turn_scan_key(q->t, &change_table, &none, 0, true, &scan, reterr); /* newest first: ids sort by time */
	for (size_t i = 0; i < DIAGNOSIS_CHANGES_MAX && turn_scan_step(&scan, &c, &rc, reterr); i++) {
		bool near = c.began_ms && c.began_ms <= fault_ms && c.began_ms + DIAGNOSIS_WINDOW_MS >= fault_ms;
		bool rollback = c.plan && c.plan->kind != ORDER_ACTION;   /* an action leaves nothing changed behind */
		bool answer = id_equal(c.incident, q->incident.incident); /* made because of it, not before it */
		bool is_good;
		if (!near || answer || !rollback || !text_equal(c.service, service))
			continue;
		if ((rc = is_proven(q, &c, &is_good, reterr)) != ERR_OK)
			break;
		suspect_change(q, &c, factor, is_good);
	}
	return rc;
}
