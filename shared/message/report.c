#include "shared/message/report.h"
#include "shared/message/order.h"

#define MUST (FIELD_REQUIRED | FIELD_ALWAYS) /* its zero means something, so it is always said */

/* ---- probes and hosts ---- */

static const struct field metric_fields[] = {
    F_STRING(
	struct metric, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN | FIELD_PHI, "label, as the probe gave it"),
    F_F64(struct metric, value, FIELD_ALWAYS | FIELD_COLUMN, "what was measured"),
    F_STRING(struct metric, unit, REPORT_UNIT_MAX, FIELD_COLUMN, "unit of value, warn and critical"),
    F_F64(struct metric, warn, FIELD_WIDE, "from here on it is a warning; 0: no such threshold"),
    F_F64(struct metric, critical, FIELD_WIDE, "from here on it is critical; 0: no such threshold"),
};
const struct record_type metric_type = RECORD_TYPE("metric", struct metric, metric_fields, "one measured number");

static const struct field probe_result_fields[] = {
    F_STRING(
	struct probe_result, probe, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the probe's name in agent.yaml"),
    F_ENUM(struct probe_result, tier, &probe_tier_enum, FIELD_ALWAYS | FIELD_COLUMN, "how deep it looks"),
    F_ENUM(struct probe_result, state, &probe_state_enum, FIELD_ALWAYS | FIELD_COLUMN, "what this run said"),
    F_ENUM(struct probe_result, settled, &probe_state_enum, FIELD_ALWAYS | FIELD_COLUMN,
	"after rise and fall counts: what health is computed from"),
    F_TIME(struct probe_result, at_ms, FIELD_WIDE, "when this run ended, by the host's clock"),
    F_DURATION(struct probe_result, took_ms, 0, FIELD_COLUMN, "how long it took"),
    F_TIME(struct probe_result, since_ms, FIELD_WIDE, "when settled last changed"),
    F_TIME(struct probe_result, passed_ms, FIELD_WIDE, "when a run of it was last good"),
    F_BOOL(struct probe_result, gone, FIELD_WIDE, "what fails is that a process does not run"),
    F_STRING(struct probe_result, text, REPORT_TEXT_MAX, FIELD_COLUMN | FIELD_PHI, "what the probe said, redacted"),
    F_LIST(struct probe_result, metrics, &metric_type, REPORT_METRICS_MAX, 0, "its performance data"),
};
const struct record_type probe_result_type =
    RECORD_TYPE("probe_result", struct probe_result, probe_result_fields, "one probe's latest result");

static const struct field health_report_fields[] = {
    F_STRING(struct health_report, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_LIST(struct health_report, results, &probe_result_type, REPORT_ITEMS_MAX, 0, "every probe whose state is fresh"),
    F_BOOL(struct health_report, changed, FIELD_COLUMN, "a settled state changed since the last report"),
};
const struct record_type health_report_type =
    RECORD_TYPE("health_report", struct health_report, health_report_fields, "all probes of one service on one host");

static const char *const archive_states[] = {"none", "empty", "ok", "late", "gap"};
const struct enum_type archive_state_enum = ENUM_TYPE("archive_state", archive_states);

static const struct field reach_fields[] = {
    F_STRING(struct reach, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(struct reach, archive, &archive_state_enum, FIELD_COLUMN,
	"of its database's log; gap: no moment behind it can be reached; late: more than five minutes would be lost"),
    F_TIME(struct reach, covered_ms, FIELD_COLUMN,
	"every moment up to then can be reached by that log, by the host's clock"),
    F_BOOL(struct reach, copies, FIELD_COLUMN, "copies off the host are declared"),
    F_TIME(struct reach, copied_ms, FIELD_COLUMN, "every moment up to then is off the host, by that log"),
    F_TIME(struct reach, copied_point_ms, FIELD_COLUMN, "when the newest restore point that is off the host was taken"),
    F_STRING(struct reach, text, TEXT_LINE_MAX, FIELD_WIDE | FIELD_PHI, "what is wrong with the archive"),
};
const struct record_type reach_type =
    RECORD_TYPE("reach", struct reach, reach_fields, "how far a service can be brought back beyond its restore points");

static const struct field host_report_fields[] = {
    F_LIST(
	struct host_report, metrics, &metric_type, REPORT_ITEMS_MAX, 0, "processor, memory, disks, the agent itself"),
    F_BOOL(
	struct host_report, lagging, FIELD_COLUMN, "the agent could not keep its own schedule: its probes say little"),
    F_LIST(
	struct host_report, reach, &reach_type, REPORT_ITEMS_MAX, 0, "services with an archived log, or with copies"),
};
const struct record_type host_report_type =
    RECORD_TYPE("host_report", struct host_report, host_report_fields, "the agent's view of itself and its host");

/* ---- logs ---- */

static const struct field log_template_fields[] = {
    F_U64(struct log_template, template_id, 0, MUST, "hash of template_text: the same on every host"),
    F_STRING(struct log_template, template_text, TEXT_LINE_MAX, FIELD_REQUIRED | FIELD_COLUMN | FIELD_PHI,
	"the line with its variable parts replaced"),
    F_ENUM(struct log_template, severity, &log_severity_enum, FIELD_COLUMN, "as the line itself says"),
    F_U64(struct log_template, count, 0, FIELD_ALWAYS | FIELD_COLUMN, "lines since the last report"),
    F_TIME(struct log_template, first_ms, FIELD_WIDE, "first of them, by the host's clock"),
    F_TIME(struct log_template, last_ms, FIELD_COLUMN, "last of them"),
    F_STRING(struct log_template, sample, TEXT_LINE_MAX, FIELD_WIDE | FIELD_PHI, "one whole line, redacted"),
    F_BOOL(struct log_template, is_new, FIELD_COLUMN, "never seen on this host before"),
};
const struct record_type log_template_type =
    RECORD_TYPE("log_template", struct log_template, log_template_fields, "lines of one shape, counted");

static const struct field log_report_fields[] = {
    F_STRING(struct log_report, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(
	struct log_report, source, REPORT_SOURCE_MAX, FIELD_REQUIRED | FIELD_COLUMN, "the file or the journal's unit"),
    F_LIST(struct log_report, templates, &log_template_type, REPORT_ITEMS_MAX, 0, "what was seen"),
    F_U64(struct log_report, lines, 0, FIELD_COLUMN, "lines read since the last report"),
    F_U64(struct log_report, dropped, 0, FIELD_COLUMN, "lines passed over because there were too many"),
};
const struct record_type log_report_type =
    RECORD_TYPE("log_report", struct log_report, log_report_fields, "a log source's last interval");

/* ---- snapshots and drift ---- */

static const struct field drift_report_fields[] = {
    F_STRING(struct drift_report, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(struct drift_report, component, &component_enum, MUST | FIELD_COLUMN, "the component"),
    F_ID(struct drift_report, snapshot, SNAPSHOT, FIELD_COLUMN, "the restore point that it was compared with"),
    F_U64(struct drift_report, changed, 0, FIELD_COLUMN,
	"entries that differ; changed, added and removed all 0: no drift any more"),
    F_U64(struct drift_report, metadata, 0, FIELD_WIDE, "those of changed that differ in owner, mode or time only"),
    F_U64(struct drift_report, grown_bytes, 0, FIELD_WIDE, "by which it is larger now"),
    F_U64(struct drift_report, added, 0, FIELD_COLUMN, "entries that are new"),
    F_U64(struct drift_report, removed, 0, FIELD_COLUMN, "entries that are gone"),
    F_TIME(struct drift_report, newest_change_ms, FIELD_COLUMN, "newest inode change among them, by the host's clock"),
    F_DIGEST(struct drift_report, digest, FIELD_WIDE, "digest of what is there now"),
    F_STRINGS(
	struct drift_report, paths, REPORT_PATHS_MAX, FIELD_WIDE | FIELD_PHI, "examples, relative to the component"),
    F_BOOL(struct drift_report, checked, FIELD_WIDE, "the service's own check (steps) was run on what is there now"),
    F_STRING(
	struct drift_report, refused, TEXT_LINE_MAX, FIELD_WIDE | FIELD_PHI, "what the check has against it, redacted"),
    F_BOOL(struct drift_report, refused_elsewhere, FIELD_WIDE,
	"that speaks of a file outside of it first, which changed later"),
    F_STRING(struct drift_report, version_before, VERSION_MAX_BYTES, FIELD_WIDE,
	"git commit or release of the restore point"),
    F_STRING(struct drift_report, version_now, VERSION_MAX_BYTES, FIELD_WIDE, "git commit or release now"),
};
const struct record_type drift_report_type = RECORD_TYPE(
    "drift_report", struct drift_report, drift_report_fields, "how a component differs from its last restore point");

static const struct field component_point_fields[] = {
    F_ENUM(struct component_point, component, &component_enum, MUST | FIELD_COLUMN, "the component"),
    F_DIGEST(struct component_point, digest, FIELD_REQUIRED | FIELD_WIDE, "canonical digest of content and metadata"),
    F_U64(struct component_point, entries, 0, FIELD_COLUMN, "files, folders and the like"),
    F_SIZE(struct component_point, size_bytes, 0, FIELD_COLUMN, "bytes before compression"),
    F_STRING(
	struct component_point, version, VERSION_MAX_BYTES, FIELD_COLUMN, "git commit or release, when it has one"),
};
const struct record_type component_point_type =
    RECORD_TYPE("component_point", struct component_point, component_point_fields, "one component at one moment");

static const struct field snapshot_report_fields[] = {
    F_ID(struct snapshot_report, snapshot, SNAPSHOT, FIELD_REQUIRED | FIELD_COLUMN, "the restore point"),
    F_STRING(struct snapshot_report, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(struct snapshot_report, reason, &snapshot_reason_enum, FIELD_ALWAYS | FIELD_COLUMN, "why it was taken"),
    F_TIME(struct snapshot_report, taken_ms, FIELD_COLUMN, "when, by the host's clock"),
    F_DURATION(struct snapshot_report, took_ms, 0, FIELD_COLUMN, "how long it took"),
    F_SIZE(struct snapshot_report, stored_bytes, 0, FIELD_COLUMN, "new bytes in the repository"),
    F_LIST(struct snapshot_report, components, &component_point_type, COMPONENT_COUNT, 0, "what it holds"),
    F_BOOL(struct snapshot_report, suspect, FIELD_COLUMN,
	"taken during an incident, as a safety net, or of what failed at once: never last known good"),
    F_BOOL(struct snapshot_report, verified, FIELD_COLUMN, "every chunk was read back and authenticated"),
    F_BOOL(struct snapshot_report, damaged, FIELD_COLUMN,
	"read back and not whole: never last known good, until it is verified again"),
    F_BOOL(struct snapshot_report, removed, FIELD_COLUMN, "pruned: no longer there"),
    F_STRING(
	struct snapshot_report, error, TEXT_LINE_MAX, FIELD_PHI, "set when the snapshot failed; nothing was stored"),
};

static enum err_code points_check(const struct list *points, struct err *reterr)
{
	uint32_t set = 0;

	for (size_t i = 0; i < points->count; i++) {
		uint32_t which = LIST_AT(*points, struct component_point, i).component;
		if (which < COMPONENT_COUNT && set & 1u << which)
			return err_set(reterr, ERR_INVALID, "components[%zu]: %s stands there twice", i,
			    enum_name(&component_enum, which));
		set |= 1u << which % COMPONENT_COUNT;
	}
	return ERR_OK;
}

static enum err_code snapshot_report_check(const void *record, struct err *reterr)
{
	const struct snapshot_report *r = record;

	if (r->error && (r->verified || r->removed))
		return err_set(reterr, ERR_INVALID, "error: a snapshot that failed is neither verified nor removed");
	return points_check(&r->components, reterr);
}
const struct record_type snapshot_report_type = RECORD_TYPE("snapshot_report", struct snapshot_report,
    snapshot_report_fields, "a restore point that came, changed or went", .check = snapshot_report_check);

/* ---- orders ---- */

static const struct field order_step_fields[] = {
    F_ENUM(struct order_step, kind, &step_kind_enum, MUST | FIELD_COLUMN, "the stage of the rollback"),
    F_ENUM(struct order_step, component, &component_enum, FIELD_COLUMN,
	"the component that it worked on, if has_component"),
    F_BOOL(struct order_step, has_component, 0, "the step is about one component"),
    F_TIME(struct order_step, began_ms, FIELD_COLUMN, "when it began, by the host's clock"),
    F_DURATION(struct order_step, took_ms, 0, FIELD_COLUMN, "how long it took"),
    F_BOOL(struct order_step, ok, FIELD_ALWAYS | FIELD_COLUMN, "whether it did what it should"),
    F_STRING(struct order_step, text, REPORT_TEXT_MAX, FIELD_COLUMN | FIELD_PHI, "what it said, redacted"),
};

static enum err_code order_step_check(const void *record, struct err *reterr)
{
	const struct order_step *s = record;

	if (s->component && !s->has_component)
		return err_set(reterr, ERR_INVALID, "component: given, but has_component is not");
	return ERR_OK;
}
const struct record_type order_step_type = RECORD_TYPE(
    "order_step", struct order_step, order_step_fields, "one step of an order on its host", .check = order_step_check);

static const struct field order_report_fields[] = {
    F_ID(struct order_report, order, ORDER, FIELD_REQUIRED | FIELD_COLUMN, "the order"),
    F_ENUM(struct order_report, kind, &order_kind_enum, MUST | FIELD_COLUMN, "what it asked for"),
    F_STRING(struct order_report, service, NAME_MAX_BYTES, FIELD_COLUMN,
	"the service; not there when an order was cancelled before it came"),
    F_ENUM(struct order_report, outcome, &order_outcome_enum, FIELD_ALWAYS | FIELD_COLUMN,
	"open: accepted, or a step further; else how it ended"),
    F_TIME(struct order_report, at_ms, FIELD_COLUMN, "when this was so, by the host's clock"),
    F_LIST(struct order_report, steps, &order_step_type, REPORT_STEPS_MAX, 0, "the steps so far"),
    F_ID(struct order_report, safety_snapshot, SNAPSHOT, FIELD_WIDE, "what was there before, to undo the order with"),
    F_ID(struct order_report, snapshot, SNAPSHOT, FIELD_WIDE,
	"a progressive rollback: the restore point that it ended on; none: no other than asked for"),
    F_LIST(struct order_report, components, &component_point_type, COMPONENT_COUNT, 0, "the live state after it"),
    F_BOOL(struct order_report, digests_match, FIELD_ALWAYS | FIELD_COLUMN, "the live state equals the restore point"),
    F_BOOL(struct order_report, healthy, FIELD_ALWAYS | FIELD_COLUMN, "the probes that prove it passed after it"),
    F_BOOL(struct order_report, better, 0,
	"not all of them; something passes that had failed before it, and all that fails had failed, too"),
    F_STRING(struct order_report, text, REPORT_TEXT_MAX, FIELD_COLUMN | FIELD_PHI, "why, for people"),
    F_STRING(struct order_report, by_hand, NAME_MAX_BYTES, FIELD_WIDE,
	"who did it on the host itself, without an order of the controller's"),
};

static enum err_code order_report_check(const void *record, struct err *reterr)
{
	const struct order_report *r = record;

	/* "ok" is computed from evidence; a report that says it without is not believed. */
	if (r->outcome == ORDER_OK && order_is_changing(r->kind) && !r->healthy)
		return err_set(reterr, ERR_INVALID, "outcome: ok without healthy probes");
	return points_check(&r->components, reterr);
}
const struct record_type order_report_type = RECORD_TYPE("order_report", struct order_report, order_report_fields,
    "how far an order is, or how it ended", .check = order_report_check);

static const struct field notice_report_fields[] = {
    F_ENUM(struct notice_report, severity, &severity_enum, FIELD_ALWAYS | FIELD_COLUMN, "how bad it is"),
    F_STRING(struct notice_report, what, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"a stable word for programs: \"spool-full\""),
    F_STRING(
	struct notice_report, text, REPORT_TEXT_MAX, FIELD_REQUIRED | FIELD_COLUMN | FIELD_PHI, "the same for people"),
    F_STRING(struct notice_report, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service that it is about, if one"),
};
const struct record_type notice_report_type = RECORD_TYPE(
    "notice_report", struct notice_report, notice_report_fields, "something the agent noticed about itself");

/* ---- drills ---- */

static const struct field component_drill_fields[] = {
    F_ENUM(struct component_drill, component, &component_enum, MUST | FIELD_COLUMN, "the component"),
    F_U64(struct component_drill, entries, 0, FIELD_COLUMN, "files, folders and others that came back"),
    F_SIZE(struct component_drill, size_bytes, 0, FIELD_COLUMN, "of their content"),
    F_DURATION(struct component_drill, took_ms, 0, FIELD_COLUMN, "how long that took, durable"),
};
const struct record_type component_drill_type = RECORD_TYPE(
    "component_drill", struct component_drill, component_drill_fields, "one component in a practised restore");

static const struct field drill_report_fields[] = {
    F_STRING(struct drill_report, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ID(struct drill_report, snapshot, SNAPSHOT, FIELD_COLUMN, "the restore point; none: there was none"),
    F_TIME(struct drill_report, at_ms, FIELD_COLUMN, "when, by the host's clock"),
    F_DURATION(struct drill_report, took_ms, 0, FIELD_COLUMN, "all of it, with the service's check: the measured RTO"),
    F_BOOL(struct drill_report, ok, FIELD_ALWAYS | FIELD_COLUMN, "everything came back, and passed its check"),
    F_BOOL(struct drill_report, checked, FIELD_COLUMN, "the service's own check was run over it"),
    F_BOOL(struct drill_report, started, FIELD_COLUMN, "its database was started from it, and answered"),
    F_STRING(struct drill_report, text, REPORT_TEXT_MAX, FIELD_COLUMN | FIELD_PHI, "why not"),
    F_TIME(struct drill_report, proven_ms, FIELD_COLUMN, "when one last went well, by the host's clock"),
    F_LIST(struct drill_report, components, &component_drill_type, COMPONENT_COUNT, 0, "what came back"),
};
const struct record_type drill_report_type = RECORD_TYPE(
    "drill_report", struct drill_report, drill_report_fields, "a restore that was practised: nothing live was touched");

/* ---- the recovery board ---- */

static const struct field board_row_fields[] = {
    F_STRING(struct board_row, host, NAME_MAX_BYTES, FIELD_COLUMN, "the host"),
    F_STRING(struct board_row, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_ENUM(struct board_row, component, &component_enum, MUST | FIELD_COLUMN, "the component"),
    F_ID(struct board_row, snapshot, SNAPSHOT, FIELD_WIDE, "its newest restore point that is no safety net"),
    F_TIME(struct board_row, taken_ms, FIELD_COLUMN, "when that was taken", .column = "LAST SNAPSHOT"),
    F_DURATION(struct board_row, rpo_ms, 0, FIELD_COLUMN, "what would be lost now: its age, or what its log lacks",
	.column = "RPO NOW"),
    F_ENUM(struct board_row, archive, &archive_state_enum, FIELD_COLUMN,
	"of its database's log; gap: no moment behind it can be reached", .column = "LOG"),
    F_BOOL(struct board_row, copies, FIELD_WIDE, "copies off the host are declared"),
    F_TIME(struct board_row, copied_ms, FIELD_WIDE, "what is older is off the host", .column = "OFF HOST"),
    F_DURATION(
	struct board_row, copied_rpo_ms, 0, FIELD_COLUMN, "what would be lost with the host", .column = "RPO OFF HOST"),
    F_TIME(struct board_row, verified_ms, FIELD_COLUMN, "when one was last read back whole", .column = "LAST VERIFIED"),
    F_TIME(struct board_row, drill_ms, FIELD_COLUMN, "when a restore was last practised", .column = "LAST DRILL"),
    F_BOOL(struct board_row, drill_ok, FIELD_COLUMN, "it went well", .column = "OK"),
    F_TIME(struct board_row, proven_ms, FIELD_WIDE, "when one last went well", .column = "PROVEN"),
    F_DURATION(struct board_row, rto_ms, 0, FIELD_COLUMN, "how long it took to bring back", .column = "RTO MEASURED"),
    F_BOOL(struct board_row, overdue, FIELD_COLUMN, "no restore was proven for too long"),
    F_STRING(struct board_row, text, REPORT_TEXT_MAX, FIELD_WIDE | FIELD_PHI,
	"what is wrong: with the log, or why the last drill failed"),
};
const struct record_type board_row_type =
    RECORD_TYPE("board_row", struct board_row, board_row_fields, "what could be brought back now, and how surely");

/* ---- the report ---- */

static const struct field report_fields[] = {
    F_U64(struct report, sequence, 0, MUST | FIELD_COLUMN, "per host, from 1, never reused", .min = 1),
    F_U64(struct report, through, 0, 0,
	"0: the report itself; else sequence to through were dropped and there is no body"),
    F_TIME(struct report, at_ms, FIELD_REQUIRED | FIELD_COLUMN, "when it was made, by the host's clock"),
    F_ENUM(struct report, importance, &importance_enum, MUST | FIELD_COLUMN, "what a full spool keeps longest"),
    F_RECORD(struct report, health, struct health_report, &health_report_type, 0, "body: probes of a service"),
    F_RECORD(struct report, host, struct host_report, &host_report_type, 0, "body: the host and the agent"),
    F_RECORD(struct report, log, struct log_report, &log_report_type, 0, "body: what a log said"),
    F_RECORD(struct report, drift, struct drift_report, &drift_report_type, 0, "body: a component changed"),
    F_RECORD(struct report, snapshot, struct snapshot_report, &snapshot_report_type, 0, "body: a restore point"),
    F_RECORD(struct report, order, struct order_report, &order_report_type, 0, "body: an order"),
    F_RECORD(struct report, notice, struct notice_report, &notice_report_type, 0, "body: the agent itself"),
    F_RECORD(struct report, drill, struct drill_report, &drill_report_type, 0, "body: a restore was practised"),
};

static enum err_code report_check(const void *record, struct err *reterr)
{
	const struct report *r = record;
	int bodies =
	    !!r->health + !!r->host + !!r->log + !!r->drift + !!r->snapshot + !!r->order + !!r->notice + !!r->drill;

	if (r->through && r->through < r->sequence)
		return err_set(reterr, ERR_INVALID, "through: expected the sequence or more");
	if (r->through && bodies)
		return err_set(reterr, ERR_INVALID, "through: reports that were dropped have no body");
	if (!r->through && bodies != 1)
		return err_set(reterr, ERR_INVALID, "a report has exactly one body, this one has %d", bodies);
	return ERR_OK;
}
const struct record_type report_type = RECORD_TYPE(
    "report", struct report, report_fields, "one thing an agent tells, with its number", .check = report_check);
