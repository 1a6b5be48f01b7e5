/* controller/diagnosis/learning.c: verdicts of people, past incidents, knowledge as evidence. */
#include "controller/diagnosis/learning.h"

#include <string.h>

#include "controller/audit/audit.h"
#include "controller/knowledge/similar.h"
#include "shared/base/text.h"

static const double alike_enough = 0.5, known_enough = 0.6; /* below these it is no evidence */

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

/* ---- signs ---- */

static enum err_code signs_of(
    struct turn *t, const struct incident *i, const struct list *patterns, struct list *ret, struct err *reterr)
{
	const char **signs = arena_array(turn_arena(t), HISTORY_SIGNS_MAX, sizeof *signs);
	size_t n = 0;
	if (!signs)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	for (size_t k = 0; k < i->probes.count && n < HISTORY_SIGNS_MAX / 2; k++)
		signs[n++] = arena_printf(turn_arena(t), "probe %s", LIST_AT(i->probes, const char *, k));
	for (size_t k = 0; k < patterns->count && n < HISTORY_SIGNS_MAX; k++) {
		const char *text = LIST_AT(*patterns, struct error_pattern, k).template_text;
		if (text)
			signs[n++] = text;
	}
	*ret = (struct list){signs, n};
	return ERR_OK;
}

static enum err_code patterns_then(struct turn *t, const struct incident *i, struct list *ret, struct err *reterr)
{
	uint64_t since = i->fault_ms > DIAGNOSIS_WINDOW_MS ? i->fault_ms - DIAGNOSIS_WINDOW_MS : 0;
	return diagnosis_new_patterns(t, i->service, since, ret, reterr);
}

/* ---- verdicts ---- */

static enum err_code settle(struct turn *t, const struct actor *who, struct id incident, enum verdict_kind verdict,
    const char *cause, struct past_incident *ret, struct err *reterr)
{
	struct incident i;
	struct diagnosis d;
	struct list patterns;
	bool found, diagnosed;
	enum err_code rc = incident_get(t, incident, &i, &found, reterr);
	if (rc == ERR_OK && !found)
		rc = err_set(reterr, ERR_NOT_FOUND, "there is no incident %s", id_text(ID_INCIDENT, incident));
	if (rc == ERR_OK)
		rc = diagnosis_of_incident(t, incident, &d, &diagnosed, reterr);
	if (rc == ERR_OK && verdict == VERDICT_CONFIRMED && (!diagnosed || d.abstained))
		rc = err_set(reterr, ERR_STATE,
		    "INC-%llu has no diagnosis that names a cause: say what it was with `kedge diagnosis correct`",
		    (unsigned long long)i.number);
	if (rc == ERR_OK)
		rc = patterns_then(t, &i, &patterns, reterr);
	if (rc != ERR_OK)
		return rc;
	struct past_incident p = {.incident = incident,
	    .number = i.number,
	    .service = i.service,
	    .fault_ms = i.fault_ms,
	    .at_ms = turn_now_ms(t),
	    .verdict = verdict,
	    .cause = verdict == VERDICT_CONFIRMED ? d.root_cause : cause,
	    .by = who->name ? who->name : "controller"};
	if (diagnosed)
		p.diagnosis = d.diagnosis;
	if ((rc = signs_of(t, &i, &patterns, &p.signs, reterr)) != ERR_OK ||
	    (rc = turn_put(t, &past_incident_table, &p, reterr)) != ERR_OK ||
	    (rc = incident_tell(t, who, incident, 0, "verdict", reterr, "the cause is %s: %s",
		 enum_name(&verdict_kind_enum, verdict), p.cause)) != ERR_OK)
		return rc;
	*ret = p;
	return audit_note(t, who, verdict == VERDICT_CONFIRMED ? "diagnosis.confirm" : "diagnosis.correct", "incident",
	    id_text(ID_INCIDENT, incident), AUDIT_DONE, reterr, "%s", p.cause);
}

enum err_code learning_confirm(
    struct turn *t, const struct actor *who, struct id incident, struct past_incident *ret, struct err *reterr)
{
	return settle(t, who, incident, VERDICT_CONFIRMED, NULL, ret, reterr);
}

enum err_code learning_correct(struct turn *t, const struct actor *who, struct id incident, const char *cause,
    struct past_incident *ret, struct err *reterr)
{
	return settle(t, who, incident, VERDICT_CORRECTED, cause, ret, reterr);
}

/* ---- evidence ---- */

static void add(
    struct learned *l, enum evidence_kind kind, const char *service, const char *text, double weight, uint64_t at_ms)
{
	if (text && l->evidence_count < LEARNING_EVIDENCE_MAX)
		l->evidence[l->evidence_count++] = (struct evidence){kind, service, NULL, text, weight, at_ms};
}

static enum err_code put_signs(struct similar *s, const struct list *signs, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < signs->count; i++)
		rc = similar_event(s, LIST_AT(*signs, const char *, i), 1, reterr);
	return rc;
}

/* The share of the signs of both that they have in common. */
static double in_common(const struct list *a, const struct list *b)
{
	size_t both = 0;
	for (size_t i = 0; i < a->count; i++)
		for (size_t k = 0; k < b->count; k++)
			if (text_equal(LIST_AT(*a, const char *, i), LIST_AT(*b, const char *, k))) {
				both++;
				break;
			}
	size_t all = a->count + b->count - both;
	return all ? (double)both / (double)all : 0;
}

static enum err_code rank_past(
    struct turn *t, const struct list *past, const struct list *signs, struct learned *l, struct err *reterr)
{
	struct similar *s;
	struct similar_hit hits[3];
	size_t n = 0;
	double confidence;
	uint32_t row;
	enum err_code rc = similar_new(&s, reterr);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; rc == ERR_OK && i < past->count; i++) {
		const struct past_incident *p = &LIST_AT(*past, struct past_incident, i);
		rc = similar_row(s, id_text(ID_INCIDENT, p->incident), NULL, p->cause, true, &row, reterr);
		if (rc == ERR_OK)
			rc = put_signs(s, &p->signs, reterr);
	}
	if (rc == ERR_OK)
		rc = similar_row(s, "asked", NULL, NULL, false, &row, reterr);
	if (rc == ERR_OK && (rc = put_signs(s, signs, reterr)) == ERR_OK && (rc = similar_ready(s, reterr)) == ERR_OK)
		rc = similar_find(s, row, hits, 3, &n, &confidence, reterr);
	similar_free(s);
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		const struct past_incident *p = &LIST_AT(*past, struct past_incident, hits[i].row);
		double share = in_common(&p->signs, signs);
		if (share >= alike_enough)
			add(l, EVIDENCE_HISTORY, p->service,
			    arena_printf(turn_arena(t),
				"INC-%llu looked like this (%.0f %% of the signs); %s by %s: %s",
				(unsigned long long)p->number, 100 * share, enum_name(&verdict_kind_enum, p->verdict),
				p->by, p->cause),
			    share, p->fault_ms);
	}
	return rc;
}

static enum err_code look_back(
    struct turn *t, const struct incident *i, const struct list *patterns, struct learned *l, struct err *reterr)
{
	struct list past, signs, others = {0};
	enum err_code rc = all_of(t, &past_incident_table, HISTORY_LOOKED_AT, &past, reterr);
	if (rc == ERR_OK)
		rc = signs_of(t, i, patterns, &signs, reterr);
	if (rc != ERR_OK || past.count == 0 || signs.count == 0)
		return rc;
	struct past_incident *kept = arena_array(turn_arena(t), past.count, sizeof *kept);
	if (!kept)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	others.items = kept;
	for (size_t k = 0; k < past.count; k++)
		if (!id_equal(LIST_AT(past, struct past_incident, k).incident, i->incident))
			kept[others.count++] = LIST_AT(past, struct past_incident, k);
	return others.count ? rank_past(t, &others, &signs, l, reterr) : ERR_OK;
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
		add(l, EVIDENCE_KNOWLEDGE, i->service,
		    arena_printf(turn_arena(t), "known as %s: %s; often %s (%s)", e->name, e->title,
			LIST_AT(e->causes, const char *, 0), e->source),
		    0.8 * hits[h].confidence, 0);
		if (h == 0)
			rc = suggest(t, i, e, l, reterr);
	}
	return rc;
}

enum err_code learning_about(
    struct turn *t, const struct incident *i, const struct list *patterns, struct learned *ret, struct err *reterr)
{
	struct learned l = {0};
	enum err_code rc = look_back(t, i, patterns, &l, reterr);
	if (rc == ERR_OK)
		rc = look_up(t, i, patterns, &l, reterr);
	if (rc == ERR_OK)
		*ret = l;
	return rc;
}
