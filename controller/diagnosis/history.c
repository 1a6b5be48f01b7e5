/* controller/diagnosis/history.c: what people said of past incidents, brought to bear on one that looks like them. */
#include "controller/diagnosis/history.h"

#include <ctype.h>
#include <string.h>

#include "controller/knowledge/similar.h"
#include "controller/recovery/recovery.h"
#include "shared/base/text.h"

enum {
	ROLLBACKS_LOOKED_AT = 8,     /* of one past incident */
	SIGNS_BEFORE_MS = 30 * 1000, /* lines come before probes fall */
};

static const double alike_enough = 0.5; /* below it is no evidence */
static const double was_it = 6.0;       /* as good as something that changed just before */
static const double was_it_not = 0.1;

/* ---- signs ---- */

/* Digits tell one occurrence from another, not one fault from another. */
static const char *masked(struct turn *t, const char *text)
{
	char *copy = text ? arena_strndup(turn_arena(t), text, 300) : NULL;
	for (char *at = copy; at && *at; at++)
		if (isdigit((unsigned char)*at))
			*at = '#';
	return copy;
}

static size_t probes_of_evidence(
    struct turn *t, const struct incident *i, const struct list *evidence, const char **ret, size_t max)
{
	size_t n = 0;
	for (size_t k = 0; k < evidence->count && n < max; k++) {
		const struct evidence *e = &LIST_AT(*evidence, struct evidence, k);
		if (e->kind == EVIDENCE_PROBE && text_equal(e->service, i->service))
			ret[n++] = masked(t, e->text);
	}
	return n;
}

static enum err_code probes_now(
    struct turn *t, const struct incident *i, const char **ret, size_t max, size_t *ret_count, struct err *reterr)
{
	size_t n = 0;
	enum err_code rc = ERR_OK;
	for (size_t k = 0; rc == ERR_OK && k < i->failing.count && n < max; k++) {
		struct service_health h;
		bool found;
		rc = health_get(t, i->service, LIST_AT(i->failing, const char *, k), &h, &found, reterr);
		for (size_t r = 0; rc == ERR_OK && found && r < h.results.count && n < max; r++) {
			const char *text = probe_evidence(t, &LIST_AT(h.results, struct probe_result, r));
			if (text)
				ret[n++] = masked(t, text);
		}
	}
	*ret_count = n;
	return rc;
}

static size_t without_repeats(const char **signs, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		bool again = !signs[i];
		for (size_t k = 0; k < kept && !again; k++)
			again = text_equal(signs[k], signs[i]);
		if (!again)
			signs[kept++] = signs[i];
	}
	return kept;
}

enum err_code history_signs(
    struct turn *t, const struct incident *i, const struct list *evidence, struct list *ret, struct err *reterr)
{
	enum { PROBES_MAX = HISTORY_SIGNS_MAX / 4 };
	uint64_t since = i->fault_ms > SIGNS_BEFORE_MS ? i->fault_ms - SIGNS_BEFORE_MS : 0;
	const char **signs = arena_array(turn_arena(t), HISTORY_SIGNS_MAX, sizeof *signs);
	struct list patterns;
	size_t n = 0, said = 0;
	if (!signs)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	enum err_code rc = diagnosis_patterns_seen(t, i->service, since, &patterns, reterr);
	if (rc == ERR_OK && !evidence)
		rc = probes_now(t, i, signs, PROBES_MAX, &said, reterr);
	if (rc != ERR_OK)
		return rc;
	n = evidence ? probes_of_evidence(t, i, evidence, signs, PROBES_MAX) : said;
	for (size_t k = 0; k < i->probes.count && n < 2 * PROBES_MAX; k++)
		signs[n++] = arena_printf(turn_arena(t), "probe %s", LIST_AT(i->probes, const char *, k));
	for (size_t k = 0; k < patterns.count && n < HISTORY_SIGNS_MAX; k++)
		signs[n++] = LIST_AT(patterns, struct error_pattern, k).template_text;
	*ret = (struct list){signs, without_repeats(signs, n)};
	return ERR_OK;
}

/* ---- which were alike ---- */

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

/* What ended it: the last that was done for it and ended well. */
static enum err_code ended_by(struct turn *t, struct id incident, const char **ret, struct err *reterr)
{
	struct rollback like = {.incident = incident}, r;
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	*ret = "";
	enum err_code rc = turn_scan_index(t, &rollback_table, "incident", &like, true, &scan, reterr);
	for (size_t n = 0; n < ROLLBACKS_LOOKED_AT && turn_scan_step(&scan, &r, &rc, reterr); n++) {
		if (r.state != ROLLBACK_ENDED || (r.outcome != ORDER_OK && r.outcome != ORDER_OK_WITH_EXCEPTIONS))
			continue;
		const char *what = r.action             ? r.action
				   : r.components.count ? enum_name(&component_enum, LIST_AT(r.components, uint32_t, 0))
							: "all of it";
		*ret = arena_printf(turn_arena(t), "; RB-%llu ended it (%s%s of %s)", (unsigned long long)r.number,
		    r.action ? "action " : "rollback of ", what, r.service);
		break;
	}
	return rc == ERR_OK && !*ret ? err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis") : rc;
}

static enum err_code remember(
    struct turn *t, const struct past_incident *p, double share, struct learned *l, struct err *reterr)
{
	const char *ended;
	enum err_code rc = ended_by(t, p->incident, &ended, reterr);
	if (rc != ERR_OK)
		return rc;
	learned_add(l, EVIDENCE_HISTORY, p->service,
	    arena_printf(turn_arena(t), "INC-%llu looked like this (%.0f %% of the signs); %s by %s: %s%s",
		(unsigned long long)p->number, 100 * share, enum_name(&verdict_kind_enum, p->verdict), p->by, p->cause,
		ended),
	    share, p->fault_ms);
	size_t at = l->remembered_count;
	if (at == LEARNING_REMEMBERED_MAX)
		return ERR_OK;
	for (l->remembered_count++; at && l->remembered[at - 1].share < share; at--)
		l->remembered[at] = l->remembered[at - 1];
	l->remembered[at] = (struct remembered){*p, share};
	return ERR_OK;
}

static enum err_code rank_past(
    struct turn *t, const struct list *past, const struct list *signs, struct learned *l, struct err *reterr)
{
	struct similar *s;
	struct similar_hit hits[LEARNING_REMEMBERED_MAX];
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
		rc = similar_find(s, row, hits, LEARNING_REMEMBERED_MAX, &n, &confidence, reterr);
	similar_free(s);
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		const struct past_incident *p = &LIST_AT(*past, struct past_incident, hits[i].row);
		double share = in_common(&p->signs, signs);
		if (share >= alike_enough)
			rc = remember(t, p, share, l, reterr);
	}
	return rc;
}

/* Those of other incidents, newest first. */
static enum err_code others_than(struct turn *t, struct id incident, struct list *ret, struct err *reterr)
{
	struct past_incident *items = arena_array(turn_arena(t), HISTORY_LOOKED_AT, sizeof *items);
	CLEANUP(turn_scan_done) struct turn_scan scan = {0};
	size_t n = 0;
	if (!items)
		return err_set(reterr, ERR_NOMEM, "out of memory for a diagnosis");
	enum err_code rc = turn_scan_key(t, &past_incident_table, NULL, 0, true, &scan, reterr);
	while (n < HISTORY_LOOKED_AT && turn_scan_step(&scan, &items[n], &rc, reterr))
		n += !id_equal(items[n].incident, incident);
	*ret = (struct list){items, n};
	return rc;
}

enum err_code history_look_back(struct turn *t, const struct incident *i, struct learned *l, struct err *reterr)
{
	struct list past, signs;
	enum err_code rc = others_than(t, i->incident, &past, reterr);
	if (rc == ERR_OK && past.count)
		rc = history_signs(t, i, NULL, &signs, reterr);
	return rc == ERR_OK && past.count && signs.count ? rank_past(t, &past, &signs, l, reterr) : rc;
}

/* ---- what they are worth ---- */

static bool is_named(const struct past_incident *p, const struct suspect *s)
{
	if (!text_equal(p->about, s->service))
		return false;
	if (p->components.count)
		return s->has_component && s->component == LIST_AT(p->components, uint32_t, 0);
	return !s->has_component && (!p->action || text_equal(p->action, s->run));
}

static bool same_cause(const struct suspect *a, const struct suspect *b)
{
	return text_equal(a->service, b->service) && a->has_component == b->has_component &&
	       text_equal(a->run, b->run) && (!a->has_component || a->component == b->component);
}

void inquiry_in_order(struct inquiry *q)
{
	for (size_t i = 1; i < q->suspect_count; i++)
		for (size_t k = i; k && q->score[k - 1] < q->score[k]; k--) {
			struct suspect s = q->suspects[k];
			double score = q->score[k];
			q->suspects[k] = q->suspects[k - 1];
			q->score[k] = q->score[k - 1];
			q->suspects[k - 1] = s;
			q->score[k - 1] = score;
		}
}

/* What the diagnosis of then had named, and a person said that it was not. */
static enum err_code weaken(struct inquiry *q, const struct past_incident *p, struct err *reterr)
{
	struct diagnosis d = {.diagnosis = p->diagnosis};
	bool found;
	if (p->verdict != VERDICT_CORRECTED || id_is_zero(p->diagnosis))
		return ERR_OK;
	enum err_code rc = turn_get(q->t, &diagnosis_table, &d, &d, &found, reterr);
	for (size_t i = 0; rc == ERR_OK && found && d.suspects.count && i < q->suspect_count; i++)
		if (same_cause(&q->suspects[i], &LIST_AT(d.suspects, struct suspect, 0)) &&
		    !is_named(p, &q->suspects[i]))
			q->score[i] *= was_it_not;
	return rc;
}

static const char *as_then(struct inquiry *q, const struct past_incident *p)
{
	return arena_printf(turn_arena(q->t), "as in INC-%llu, where %s said what it was: %s",
	    (unsigned long long)p->number, p->by, p->cause);
}

/* A configuration or code that did not change cannot be brought back, whatever it was then: somebody looks. */
static struct suspect then_here(struct inquiry *q, const struct past_incident *p, const char *host)
{
	struct suspect s = {
	    .service = p->about ? p->about : p->service, .host = host, .text = as_then(q, p), .run = p->action};
	if (p->components.count && LIST_AT(p->components, uint32_t, 0) > COMPONENT_CODE) {
		s.has_component = true;
		s.component = LIST_AT(p->components, uint32_t, 0);
	}
	return s;
}

static enum err_code suspect_anew(struct inquiry *q, const struct remembered *r, struct err *reterr)
{
	const struct past_incident *p = &r->past;
	struct list places;
	bool somewhere = p->components.count || p->action;
	const char *about = p->about ? p->about : p->service;
	enum err_code rc = ERR_OK;
	if (somewhere && !text_equal(about, q->incident.service)) {
		rc = fleet_placements(q->t, about, &places, reterr);
		for (size_t i = 0; rc == ERR_OK && i < places.count && i < DIAGNOSIS_HOSTS_MAX; i++) {
			struct suspect s = then_here(q, p, LIST_AT(places, struct placement, i).host);
			inquiry_suspect(q, EVIDENCE_HISTORY, &s, was_it * r->share);
		}
		return rc;
	}
	for (size_t i = 0; somewhere && i < q->incident.failing.count; i++) {
		struct suspect s = then_here(q, p, LIST_AT(q->incident.failing, const char *, i));
		inquiry_suspect(q, EVIDENCE_HISTORY, &s, was_it * r->share);
	}
	if (!somewhere) {
		struct suspect s = then_here(q, p, NULL);
		inquiry_suspect(q, EVIDENCE_HISTORY, &s, was_it * r->share);
	}
	return ERR_OK;
}

static enum err_code weigh_one(struct inquiry *q, const struct remembered *r, struct err *reterr)
{
	bool there = false;
	enum err_code rc = weaken(q, &r->past, reterr);
	for (size_t i = 0; rc == ERR_OK && i < q->suspect_count; i++)
		if (is_named(&r->past, &q->suspects[i])) {
			q->score[i] += was_it * r->share * (r->past.verdict == VERDICT_CORRECTED ? 1 : 0.5);
			there = true;
		}
	inquiry_in_order(q);
	/* What was confirmed and shows no sign of itself this time is told as evidence, no more. */
	return rc == ERR_OK && !there && r->past.verdict == VERDICT_CORRECTED ? suspect_anew(q, r, reterr) : rc;
}

enum err_code history_weigh(struct inquiry *q, struct err *reterr)
{
	return q->remembered_count ? weigh_one(q, &q->remembered[0], reterr) : ERR_OK; /* the likest one speaks */
}
