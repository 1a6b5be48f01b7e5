/* controller/diagnosis/learning.c: verdicts of people, past incidents, knowledge as evidence. */
#include "controller/diagnosis/history.h"

#include <string.h>

#include "controller/audit/audit.h"
#include "shared/base/text.h"

static const double known_enough = 0.6; /* below it is no evidence */

static const char *const verdict_names[VERDICT_KIND_COUNT] = {"confirmed", "corrected"};
const struct enum_type verdict_kind_enum = ENUM_TYPE("verdict", verdict_names);

static const struct field past_fields[] = {
    F_ID(struct past_incident, incident, INCIDENT, FIELD_KEY | FIELD_REQUIRED, "the incident"),
    F_U64(struct past_incident, number, 0, FIELD_COLUMN, "INC-<number>", .column = "INC"),
    F_STRING(
	struct past_incident, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "its service"),
    F_TIME(struct past_incident, fault_ms, FIELD_COLUMN, "when the fault began"),
    F_TIME(struct past_incident, at_ms, 0, "when its cause was said"),
    F_ENUM(struct past_incident, verdict, &verdict_kind_enum, FIELD_ALWAYS | FIELD_COLUMN, "was the diagnosis right?"),
    F_STRING(struct past_incident, cause, TEXT_PAGE_MAX, FIELD_REQUIRED | FIELD_COLUMN, "what it was"),
    F_STRING(
	struct past_incident, about, NAME_MAX_BYTES, FIELD_WIDE, "the service that was to blame, where that was said"),
    F_ENUMS(struct past_incident, components, &component_enum, COMPONENT_COUNT, FIELD_WIDE, "and its component"),
    F_STRING(struct past_incident, action, NAME_MAX_BYTES, FIELD_WIDE, "or its declared action that helps"),
    F_ID(struct past_incident, diagnosis, DIAGNOSIS, 0, "the diagnosis that this is about"),
    F_STRINGS(struct past_incident, signs, HISTORY_SIGNS_MAX, FIELD_PHI,
	"what was seen then: templates of log lines, probes"),
    F_STRING(struct past_incident, by, TEXT_LINE_MAX, FIELD_COLUMN, "who said so"),
};
const struct record_type past_incident_type = RECORD_TYPE(
    "error_history", struct past_incident, past_fields, "a past incident, and the cause that a person gave it");
const struct table past_incident_table = {"error_history", &past_incident_type};
const struct table knowledge_table = {"error_knowledge", &knowledge_entry_type};

/* ---- knowledge ---- */

static const struct knowledge_entry *named(const struct list *entries, const char *name)
{
	for (size_t i = 0; i < entries->count; i++)
		if (text_equal(LIST_AT(*entries, struct knowledge_entry, i).name, name))
			return &LIST_AT(*entries, struct knowledge_entry, i);
	return NULL;
}

enum err_code learning_knowledge_seed(struct turn *t, const struct list *entries, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct knowledge_entry e, stored;
	bool found;
	enum err_code rc = turn_scan_key(t, &knowledge_table, NULL, 0, false, &scan, reterr);
	while (turn_scan_step(&scan, &e, &rc, reterr))
		if (!named(entries, e.name))
			rc = turn_delete(t, &knowledge_table, &e, reterr);
	for (size_t i = 0; rc == ERR_OK && i < entries->count; i++) {
		const struct knowledge_entry *fresh = &LIST_AT(*entries, struct knowledge_entry, i);
		rc = turn_get(t, &knowledge_table, fresh, &stored, &found, reterr);
		if (rc == ERR_OK && !(found && record_equal(&knowledge_entry_type, fresh, &stored)))
			rc = turn_put(t, &knowledge_table, fresh, reterr);
	}
	return rc;
}

/* Every record of a table, newest first where ids sort by time, at most max. */
static enum err_code all_of(struct turn *t, const struct table *table, size_t max, struct list *ret, struct err *reterr)
{
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	struct list all = {0};
	enum err_code rc = turn_scan_key(t, table, NULL, 0, true, &scan, reterr);
	if (rc != ERR_OK || (rc = turn_scan_take(&scan, max, &all, reterr)) != ERR_OK)
		return rc;
	*ret = all;
	return ERR_OK;
}

enum err_code learning_knowledge(struct turn *t, struct list *ret, struct err *reterr)
{
	return all_of(t, &knowledge_table, KNOWLEDGE_ENTRIES_MAX, ret, reterr);
}

/* ---- verdicts ---- */

/* What a person said that it was must be there: the service, the component, the action. */
static enum err_code check_named(struct turn *t, const struct cause_named *n, struct err *reterr)
{
	struct list places;
	bool component = n->components.count == 0, action = !n->action;
	if (!n->service && (n->components.count || n->action))
		return err_set(reterr, ERR_INVALID, "whose component or action is it?  Name the service, too");
	enum err_code rc = n->service ? fleet_placements(t, n->service, &places, reterr) : ERR_OK;
	if (rc != ERR_OK || !n->service)
		return rc;
	if (!places.count)
		return err_set(reterr, ERR_NOT_FOUND, "no host runs a service %s", n->service);
	for (size_t i = 0; i < places.count; i++) {
		const struct placement *p = &LIST_AT(places, struct placement, i);
		component = component || !(component_set(&n->components) & ~component_set(&p->components));
		for (size_t k = 0; k < p->actions.count; k++)
			action = action || text_equal(LIST_AT(p->actions, struct declared_action, k).name, n->action);
	}
	if (!component)
		return err_set(reterr, ERR_NOT_FOUND, "%s has no such component on any host", n->service);
	return action ? ERR_OK
		      : err_set(reterr, ERR_NOT_FOUND, "no host of %s declares an action %s", n->service, n->action);
}

static enum err_code name_first(struct turn *t, const struct diagnosis *d, struct past_incident *p, struct err *reterr)
{
	const struct suspect *s = &LIST_AT(d->suspects, struct suspect, 0);
	uint32_t *component = arena_dup(turn_arena(t), &s->component, sizeof s->component);
	if (!component)
		return err_set(reterr, ERR_NOMEM, "out of memory for a verdict");
	p->about = s->service;
	p->components = (struct list){component, s->has_component};
	p->action = s->run;
	return ERR_OK;
}

static enum err_code keep_verdict(
    struct turn *t, const struct actor *who, const struct past_incident *p, struct err *reterr)
{
	bool right = p->verdict == VERDICT_CONFIRMED;
	enum err_code rc = turn_put(t, &past_incident_table, p, reterr);
	if (rc == ERR_OK)
		rc = incident_tell(t, who, p->incident, 0, "verdict", reterr, "the cause is %s: %s",
		    enum_name(&verdict_kind_enum, p->verdict), p->cause);
	return rc != ERR_OK ? rc
			    : audit_note(t, who, right ? "diagnosis.confirm" : "diagnosis.correct", "incident",
				  id_text(ID_INCIDENT, p->incident), AUDIT_DONE, reterr, "%s", p->cause);
}

static enum err_code settle(struct turn *t, const struct actor *who, struct id incident, const char *cause,
    const struct cause_named *named, struct past_incident *ret, struct err *reterr)
{
	struct incident i;
	struct diagnosis d;
	bool found, diagnosed;
	enum err_code rc = incident_get(t, incident, &i, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "there is no incident %s", id_text(ID_INCIDENT, incident));
	if (rc == ERR_OK)
		rc = diagnosis_of_incident(t, incident, &d, &diagnosed, reterr);
	if (rc == ERR_OK && !cause && (!diagnosed || d.abstained))
		rc = err_set(reterr, ERR_STATE,
		    "INC-%llu has no diagnosis that names a cause: say what it was with `kedge diagnosis correct`",
		    (unsigned long long)i.number);
	if (rc == ERR_OK && named)
		rc = check_named(t, named, reterr);
	if (rc != ERR_OK)
		return rc;
	struct past_incident p = {.incident = incident,
	    .number = i.number,
	    .service = i.service,
	    .fault_ms = i.fault_ms,
	    .at_ms = turn_now_ms(t),
	    .verdict = cause ? VERDICT_CORRECTED : VERDICT_CONFIRMED,
	    .cause = cause ? cause : d.root_cause,
	    .by = who->name ? who->name : "controller"};
	if (diagnosed)
		p.diagnosis = d.diagnosis;
	if (named) {
		p.about = named->service;
		p.components = named->components;
		p.action = named->action;
	} else if (!cause && d.suspects.count && (rc = name_first(t, &d, &p, reterr)) != ERR_OK) {
		return rc;
	}
	if ((rc = history_signs(t, &i, diagnosed ? &d.evidence : NULL, &p.signs, reterr)) != ERR_OK ||
	    (rc = keep_verdict(t, who, &p, reterr)) != ERR_OK)
		return rc;
	*ret = p;
	return ERR_OK;
}

enum err_code learning_confirm(
    struct turn *t, const struct actor *who, struct id incident, struct past_incident *ret, struct err *reterr)
{
	return settle(t, who, incident, NULL, NULL, ret, reterr);
}

enum err_code learning_correct(struct turn *t, const struct actor *who, struct id incident, const char *cause,
    const struct cause_named *named, struct past_incident *ret, struct err *reterr)
{
	return settle(t, who, incident, cause, named, ret, reterr);
}

/* ---- evidence ---- */

void learned_add(
    struct learned *l, enum evidence_kind kind, const char *service, const char *text, double weight, uint64_t at_ms)
{
	if (text && l->evidence_count < LEARNING_EVIDENCE_MAX)
		l->evidence[l->evidence_count++] = (struct evidence){kind, service, NULL, text, weight, at_ms};
}

/* An entry's action as something to do: restart the service, or look.  Rollbacks come from what changed, never from
 * here. */
static enum err_code suggest(
    struct turn *t, const struct incident *i, const struct knowledge_entry *e, struct learned *l, struct err *reterr)
{
	struct fix *fix = arena_alloc(turn_arena(t), sizeof *fix);
	if (!fix)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	bool restart = e->action == KNOWLEDGE_RESTART;
	*fix = (struct fix){.action = restart ? FIX_RESTART : FIX_INVESTIGATE,
	    .priority = 1,
	    .service = i->service,
	    .hosts = i->failing,
	    .estimated_ms = restart ? 30000 : 600000,
	    .risk = SEVERITY_LOW,
	    .text = arena_printf(turn_arena(t), "%s%.400s", restart ? "restart it; " : "", e->advice)};
	l->fixes = (struct list){fix, 1};
	return ERR_OK;
}

static enum err_code look_up(
    struct turn *t, const struct incident *i, const struct list *patterns, struct learned *l, struct err *reterr)
{
	struct list entries;
	struct knowledge *k;
	struct knowledge_hit hits[2];
	struct buf text = {.limit = LEARNING_TEXT_MAX};
	size_t n = 0;
	enum err_code rc = learning_knowledge(t, &entries, reterr);
	if (rc != ERR_OK || entries.count == 0 || patterns->count == 0)
		return rc;
	for (size_t p = 0; p < patterns->count && text.size < LEARNING_TEXT_MAX / 2; p++) {
		const struct error_pattern *e = &LIST_AT(*patterns, struct error_pattern, p);
		buf_printf(&text, "%.2000s\n", e->sample ? e->sample : e->template_text ? e->template_text : "");
	}
	if ((rc = knowledge_new(&entries, &k, reterr)) == ERR_OK) {
		rc = knowledge_find(k, buf_str(&text), hits, 2, &n, reterr);
		knowledge_free(k);
	}
	buf_done(&text);
	for (size_t h = 0; rc == ERR_OK && h < n && hits[h].confidence >= known_enough; h++) {
		const struct knowledge_entry *e = hits[h].entry;
		learned_add(l, EVIDENCE_KNOWLEDGE, i->service,
		    arena_printf(turn_arena(t), "known as %s: %s; often %s (%s)", e->name, e->title,
			LIST_AT(e->causes, const char *, 0), e->source),
		    0.8 * hits[h].confidence, 0);
		if (h == 0)
			l->runbook = e->runbook;
		if (h == 0)
			rc = suggest(t, i, e, l, reterr);
	}
	return rc;
}

enum err_code learning_about(
    struct turn *t, const struct incident *i, const struct list *patterns, struct learned *ret, struct err *reterr)
{
	struct learned l = {0};
	enum err_code rc = history_look_back(t, i, &l, reterr);
	if (rc == ERR_OK)
		rc = look_up(t, i, patterns, &l, reterr);
	if (rc == ERR_OK)
		*ret = l;
	return rc;
}
