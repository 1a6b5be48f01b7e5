/* controller/cli/incident.c: one incident whole, as one page. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { CHANGES_SHOWN = INCIDENT_LINKS_MAX };

struct incident_page {
	const struct incident *incident;
	struct list timeline; /* struct incident_entry */
	const struct diagnosis *diagnosis;
	struct list changes, rollbacks;
};
#define S struct incident_page
static const struct field page_fields[] = {
    F_RECORD(S, incident, struct incident, &incident_type, FIELD_REQUIRED, "the incident"),
    F_LIST(S, timeline, &incident_entry_type, INCIDENT_ENTRIES_MAX, 0, "what happened when"),
    F_RECORD(S, diagnosis, struct diagnosis, &diagnosis_type, 0, "the newest diagnosis"),
    F_LIST(S, changes, &change_type, CHANGES_SHOWN, 0, "changes made for it"),
    F_LIST(S, rollbacks, &rollback_type, CHANGES_SHOWN, 0, "rollbacks made for it"),
};
#undef S
const struct record_type incident_page_type =
    RECORD_TYPE("incident_page", struct incident_page, page_fields, "an incident with all that belongs to it");

/* ---- fetching ---- */

static enum err_code fetch_list(struct cli *c, const char *noun, const char *incident, size_t limit, struct list *ret)
{
	struct filter f = {"incident", incident};
	struct rows rows;
	enum err_code rc = api_list(c, noun, &f, 1, false, limit, &rows);
	if (rc == ERR_OK)
		*ret = rows_list(c, &rows);
	return rc;
}

static enum err_code fetch(struct cli *c, struct incident_page *p)
{
	struct incident *i = arena_alloc(c->arena, sizeof *i);
	struct diagnosis *d = arena_alloc(c->arena, sizeof *d);
	char id[ID_TEXT_MAX], diagnosis[ID_TEXT_MAX];
	if (!i || !d)
		return err_set(&c->err, ERR_NOMEM, "out of memory");
	enum err_code rc = api_one(c, "incident", cli_word(c, "incident"), i);
	if (rc != ERR_OK)
		return rc;
	p->incident = i;
	id_format(ID_INCIDENT, i->incident, id);
	if (!id_is_zero(i->diagnosis) &&
	    (rc = api_one(c, "diagnosis", id_format(ID_DIAGNOSIS, i->diagnosis, diagnosis), d)) == ERR_OK)
		p->diagnosis = d;
	if (rc == ERR_OK && (rc = fetch_list(c, "timeline", id, INCIDENT_ENTRIES_MAX, &p->timeline)) == ERR_OK &&
	    (rc = fetch_list(c, "change", id, CHANGES_SHOWN, &p->changes)) == ERR_OK)
		rc = fetch_list(c, "rollback", id, CHANGES_SHOWN, &p->rollbacks);
	return rc;
}

/* ---- the page ---- */

static void field_line(struct buf *out, const struct incident *i, const char *label, const char *field)
{
	const struct field *f = record_field(&incident_type, field);
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	record_field_text(f, i, &text);
	if (!text_equal(buf_str(&text), "-"))
		buf_printf(out, "  %-14s%s\n", label, buf_str(&text));
}

static void head(struct cli *c, struct buf *out, const struct incident *i)
{
	bool bad = i->state < INCIDENT_RESOLVED;
	buf_printf(out, "%sINC-%llu  %s  %s%s  ", c->table.colour ? bad ? "\033[1;31m" : "\033[1;32m" : "",
	    (unsigned long long)i->number, enum_name(&severity_enum, i->severity),
	    enum_name(&incident_state_enum, i->state), c->table.colour ? "\033[0m" : "");
	out_text(out, i->title ? i->title : i->service);
	buf_text(out, "\n");
	field_line(out, i, "service", "service");
	field_line(out, i, "health now", "health");
	field_line(out, i, "hosts", "hosts");
	field_line(out, i, "failing", "failing");
	field_line(out, i, "probes", "probes");
	field_line(out, i, "owner", "owner");
	field_line(out, i, "acknowledged", "acknowledged_by");
	field_line(out, i, "caused by", "suppressed_by");
	field_line(out, i, "resolution", "resolution");
	field_line(out, i, "review due", "review_due_ms");
	field_line(out, i, "reviewed by", "reviewed_by");
}

/* A machine's words stand apart and say whose they are. */
static void summary(struct cli *c, struct buf *out, const struct incident *i)
{
	if (!i->summary)
		return;
	out_heading(out, c, "Summary (a machine's words, checked by nobody)");
	for (const char *line = i->summary; *line;) {
		size_t n = strcspn(line, "\n");
		buf_text(out, n ? "  " : "");
		if (n)
			out_text(out, arena_strndup(c->arena, line, n));
		buf_text(out, "\n");
		line += n + (line[n] == '\n');
	}
	buf_text(out, "  written by ");
	out_text(out, i->summary_by ? i->summary_by : "a language model");
	buf_text(out, "\n");
}

/* "+1.2 s": people look at how long, not at when. */
static void after(struct buf *out, uint64_t since_ms, uint64_t at_ms)
{
	char text[TEXT_TIME_MAX];
	text_duration_human(at_ms > since_ms ? at_ms - since_ms : 0, text);
	buf_printf(out, "+%s", text);
}

static void timeline(struct cli *c, struct buf *out, const struct incident_page *p)
{
	char when[TEXT_TIME_MAX];
	uint64_t first = p->incident->fault_ms ? p->incident->fault_ms : p->incident->opened_ms;
	if (!p->timeline.count)
		return;
	out_heading(out, c, "Timeline (from %s)", text_time(first, when));
	for (size_t i = 0; i < p->timeline.count; i++) {
		const struct incident_entry *e = &LIST_AT(p->timeline, struct incident_entry, i);
		CLEANUP(buf_done) struct buf late = BUF_INIT;
		after(&late, first, e->at_ms);
		buf_printf(out, "  %.12s  %10s  ", text_time(e->at_ms, when) + 11, buf_str(&late));
		size_t before = out->size;
		out_text(out, e->kind);
		buf_printf(out, "%*s  ", (int)(out->size - before < 12 ? 12 - (out->size - before) : 0), "");
		out_text(out, e->text);
		if (e->actor && !text_equal(e->actor, "controller")) {
			buf_text(out, "  (");
			out_text(out, e->actor);
			buf_text(out, ")");
		}
		buf_text(out, "\n");
	}
}

/* "in 4.1 s as it took here": how long, and how that is known. */
static const char *const estimated_from[ESTIMATE_COUNT] = {
    [ESTIMATE_ASSUMED] = "a guess", [ESTIMATE_DRILL] = "as practised", [ESTIMATE_HISTORY] = "as it took here"};

static void record_line(struct buf *out, const struct fix *f)
{
	if (f->action != FIX_ROLLBACK && f->action != FIX_RUN)
		return;
	if (f->tried)
		buf_printf(out, "       worked %llu of %llu times here: ", (unsigned long long)f->worked,
		    (unsigned long long)f->tried);
	else
		buf_text(out, "       never tried here: ");
	buf_printf(
	    out, "expect %.0f %% (%.0f to %.0f)\n", 100 * f->success, 100 * f->success_low, 100 * f->success_high);
}

static void fix_lines(struct buf *out, const struct fix *f)
{
	char took[TEXT_TIME_MAX];
	buf_printf(out, "    %u. ", f->priority);
	out_text(out, f->text ? f->text : enum_name(&fix_action_enum, f->action));
	if (f->estimated_ms)
		buf_printf(out, " (about %s, %s; risk %s)", text_duration_human(f->estimated_ms, took),
		    f->estimate < ESTIMATE_COUNT ? estimated_from[f->estimate] : "",
		    enum_name(&severity_enum, f->risk));
	buf_text(out, "\n");
	record_line(out, f);
	for (size_t i = 0; i < f->commands.count; i++) {
		buf_text(out, "       ");
		out_text(out, LIST_AT(f->commands, const char *, i));
		buf_text(out, "\n");
	}
}

/* A host that is silent is not diagnosed: where it is wrong is known, and what to do stands in the runbook. */
static void host_runbook(struct cli *c, struct buf *out, const struct incident *i)
{
	if (!incident_is_of_hosts(i))
		return;
	out_heading(out, c, "What to do");
	buf_text(out, "  runbook: host-silent (kedge runbook show host-silent)\n");
}

static void diagnosis(struct cli *c, struct buf *out, const struct diagnosis *d)
{
	static const char *const suspects[] = {
	    "confidence", "service", "host", "component", "changed_ms", "text", NULL};
	static const char *const evidence[] = {"weight", "kind", "service", "host", "text", NULL};
	char took[TEXT_TIME_MAX];
	if (!d)
		return;
	out_heading(out, c, "Diagnosis (%s in %s, %.0f %% sure%s)", d->abstained ? "no answer" : "made",
	    text_duration_human(d->took_ms, took), 100 * d->confidence, d->final ? "" : ", not final");
	buf_text(out, "  ");
	out_text(out, d->root_cause ? d->root_cause : "nothing was sure enough to be named");
	buf_text(out, "\n");
	if (d->has_error_class)
		buf_printf(out, "  kind of error: %s (%.0f %% sure)\n", enum_name(&error_class_enum, d->error_class),
		    100 * d->error_class_confidence);
	if (d->suspects.count)
		out_list(c, out, &suspect_type, &d->suspects, suspects, 4);
	if (d->evidence.count) {
		buf_text(out, "  evidence\n");
		out_list(c, out, &evidence_type, &d->evidence, evidence, 4);
	}
	for (size_t i = 0; i < d->affected.count; i++) {
		buf_text(out, i ? ", " : "  leaning on it: ");
		out_text(out, LIST_AT(d->affected, const char *, i));
		buf_text(out, i + 1 == d->affected.count ? "\n" : "");
	}
	if (d->runbook) {
		buf_text(out, "  runbook: ");
		out_text(out, d->runbook);
		buf_text(out, " (kedge runbook show ");
		out_text(out, d->runbook);
		buf_text(out, ")\n");
	}
	if (d->fixes.count)
		buf_text(out, "  what to do\n");
	for (size_t i = 0; i < d->fixes.count; i++)
		fix_lines(out, &LIST_AT(d->fixes, struct fix, i));
}

static void rollbacks(struct cli *c, struct buf *out, const struct incident_page *p)
{
	static const char *const hosts[] = {"host", "wave", "outcome", "proven", "digests_match", "text", NULL};
	if (!p->rollbacks.count)
		return;
	out_heading(out, c, "Rollbacks");
	out_list(c, out, &rollback_type, &p->rollbacks, NULL, 2);
	for (size_t i = 0; i < p->rollbacks.count; i++) {
		const struct rollback *r = &LIST_AT(p->rollbacks, struct rollback, i);
		buf_printf(out, "  RB-%llu\n", (unsigned long long)r->number);
		out_list(c, out, &rollback_host_type, &r->hosts, hosts, 4);
	}
}

/* The stages that were reached, each with how long it took and how long after the fault it was. */
static void stages(struct cli *c, struct buf *out, const struct incident *i)
{
	const struct {
		const char *name;
		uint64_t at_ms;
	} all[] = {{"fault", i->fault_ms}, {"opened", i->opened_ms}, {"acknowledged", i->acknowledged_ms},
	    {"investigating", i->investigating_ms}, {"identified", i->identified_ms}, {"resolving", i->resolving_ms},
	    {"resolved", i->resolved_ms}, {"closed", i->closed_ms}};
	enum { STAGES = sizeof all / sizeof all[0] };
	size_t order[STAGES], count = 0;
	uint64_t first = i->fault_ms ? i->fault_ms : i->opened_ms;
	for (size_t k = 0; k < STAGES; k++) { /* by time: an acknowledgement may come at any of them */
		size_t at = count;
		if (!all[k].at_ms)
			continue;
		for (; at > 0 && all[order[at - 1]].at_ms > all[k].at_ms; at--)
			order[at] = order[at - 1];
		order[at] = k;
		count++;
	}
	out_heading(out, c, "Stages");
	uint64_t before = first;
	for (size_t n = 0; n < count; n++) {
		uint64_t at = all[order[n]].at_ms;
		char took[TEXT_TIME_MAX];
		CLEANUP(buf_done) struct buf late = BUF_INIT;
		after(&late, first, at);
		if (n)
			buf_printf(out, "  %-14s%12s%12s\n", all[order[n]].name, text_duration_human(at - before, took),
			    buf_str(&late));
		else
			buf_printf(out, "  %s\n", all[order[n]].name);
		if (!text_equal(all[order[n]].name, "acknowledged")) /* the work goes on beside it */
			before = at;
	}
}

static void what_next(struct buf *out, const struct incident *i)
{
	unsigned long long n = (unsigned long long)i->number;
	if (i->state < INCIDENT_RESOLVED && !i->acknowledged_ms)
		buf_printf(out, "\nNext: kedge incident ack INC-%llu\n", n);
	else if (i->state == INCIDENT_RESOLVED)
		buf_printf(out, "\nNext: kedge incident close INC-%llu TEXT (with what was learnt)\n", n);
}

int run_incident_show(struct cli *c)
{
	static const char *const columns[] = {
	    "number", "kind", "state", "title", "requested_by", "policy", "outcome", NULL};
	struct incident_page p = {0};
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = fetch(c, &p);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (cli_for_people(c)) {
		head(c, &out, p.incident);
		stages(c, &out, p.incident);
		summary(c, &out, p.incident);
		timeline(c, &out, &p);
		diagnosis(c, &out, p.diagnosis);
		host_runbook(c, &out, p.incident);
		if (p.changes.count) {
			out_heading(&out, c, "Changes");
			out_list(c, &out, &change_type, &p.changes, columns, 2);
		}
		rollbacks(c, &out, &p);
		what_next(&out, p.incident);
	}
	return out_page(c, &out, &incident_page_type, &p);
}

int run_diagnosis_show(struct cli *c)
{
	struct diagnosis d;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	enum err_code rc = api_one(c, "diagnosis", cli_word(c, "diagnosis"), &d);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (cli_for_people(c))
		diagnosis(c, &out, &d);
	return out_page(c, &out, &diagnosis_type, &d);
}
