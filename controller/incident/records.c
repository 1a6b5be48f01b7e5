/* controller/incident/records.c: the record types and tables of incidents. */
#include "controller/incident/incident.h"

static const char *const state_names[] = {
    "detected", "acknowledged", "investigating", "identified", "resolving", "resolved", "closed"};
const struct enum_type incident_state_enum = ENUM_TYPE("incident_state", state_names);
static const char *const event_names[] = {"nothing", "opened", "suppressed", "joined", "worsened", "recovered",
    "faulty", "relapsed", "proven", "released", "overdue", "review_due", "ended"};
const struct enum_type incident_event_enum = ENUM_TYPE("incident_event", event_names);

#define WEEK_MS (7 * 24 * 3600 * 1000ull)

static const struct field config_fields[] = {
    F_DURATION(struct incident_config, prove_ms, WEEK_MS, 0, "healthy for this long before it counts as resolved",
	.default_text = "2s"),
    F_DURATION(struct incident_config, relapse_ms, WEEK_MS, 0, "a fault this soon after resolving is the same incident",
	.default_text = "30m"),
    F_DURATION(struct incident_config, release_ms, WEEK_MS, 0, "time to heal once the cause is resolved",
	.default_text = "60s"),
    F_DURATION(struct incident_config, review_ms, WEEK_MS, 0, "the review is due this long after resolving",
	.default_text = "24h", .min = 1000),
    F_DURATION(struct incident_config, detected_ms, WEEK_MS, 0, "longest time without an acknowledgement",
	.default_text = "15m", .min = 1000),
    F_DURATION(struct incident_config, acknowledged_ms, WEEK_MS, 0, "longest time before somebody investigates",
	.default_text = "1h", .min = 1000),
    F_DURATION(struct incident_config, investigating_ms, WEEK_MS, 0, "longest time without a cause",
	.default_text = "1h", .min = 1000),
    F_DURATION(struct incident_config, identified_ms, WEEK_MS, 0, "longest time from cause to remedy",
	.default_text = "30m", .min = 1000),
    F_DURATION(struct incident_config, resolving_ms, WEEK_MS, 0, "longest time that a remedy may take",
	.default_text = "30m", .min = 1000),
};
const struct record_type incident_config_type =
    RECORD_TYPE("incident_config", struct incident_config, config_fields, "deadlines of incidents");

static const struct field incident_fields[] = {
    F_ID(struct incident, incident, INCIDENT, FIELD_KEY | FIELD_REQUIRED | FIELD_WIDE, "its id", .column = "ID"),
    F_U64(struct incident, number, 0, FIELD_INDEXED | FIELD_COLUMN, "INC-<number>", .column = "INC"),
    F_ENUM(struct incident, state, &incident_state_enum, FIELD_ALWAYS | FIELD_INDEXED | FIELD_COLUMN,
	"how far the work is"),
    F_ENUM(struct incident, severity, &severity_enum, FIELD_ALWAYS | FIELD_COLUMN, "the worst so far"),
    F_STRING(struct incident, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "the service"),
    F_STRING(struct incident, title, TEXT_LINE_MAX, FIELD_COLUMN, "names and states"),
    F_ENUM(struct incident, health, &health_enum, FIELD_ALWAYS | FIELD_COLUMN, "the worst that its hosts show now"),
    F_STRINGS(struct incident, hosts, INCIDENT_HOSTS_MAX, FIELD_WIDE, "every host that it ever had"),
    F_STRINGS(struct incident, failing, INCIDENT_HOSTS_MAX, 0, "those that are not healthy now"),
    F_STRINGS(struct incident, probes, INCIDENT_PROBES_MAX, 0, "probes that failed"),
    F_TIME(struct incident, fault_ms, 0, "when the fault began"),
    F_TIME(struct incident, opened_ms, FIELD_COLUMN, "when it was opened", .column = "OPENED"),
    F_TIME(struct incident, acknowledged_ms, FIELD_WIDE, "when a person took it", .column = "ACKNOWLEDGED"),
    F_TIME(struct incident, investigating_ms, 0, "when the search for a cause began"),
    F_TIME(struct incident, identified_ms, 0, "when a cause was found"),
    F_TIME(struct incident, resolving_ms, 0, "when the remedy began"),
    F_TIME(struct incident, resolved_ms, FIELD_WIDE, "when it was over", .column = "RESOLVED"),
    F_TIME(struct incident, closed_ms, 0, "when it was closed"),
    F_TIME(struct incident, state_since_ms, 0, "since when it is in its state"),
    F_STRING(struct incident, acknowledged_by, AUDIT_OBJECT_MAX, FIELD_WIDE, "who took it"),
    F_STRING(struct incident, owner, NAME_MAX_BYTES, FIELD_COLUMN, "who has it"),
    F_ID(struct incident, diagnosis, DIAGNOSIS, 0, "the newest diagnosis"),
    F_STRING(struct incident, identified_by, AUDIT_OBJECT_MAX, FIELD_WIDE, "who named the cause"),
    F_IDS(struct incident, changes, CHANGE, INCIDENT_LINKS_MAX, 0, "changes made for it"),
    F_IDS(struct incident, rollbacks, ROLLBACK, INCIDENT_LINKS_MAX, 0, "rollbacks made for it"),
    F_IDS(struct incident, related, INCIDENT, INCIDENT_LINKS_MAX, 0, "earlier ones of the service"),
    F_ID(struct incident, suppressed_by, INCIDENT, FIELD_INDEXED | FIELD_WIDE, "the incident that causes it"),
    F_TIME(struct incident, healthy_since_ms, 0, "every host is healthy since"),
    F_U32(struct incident, relapses, 0, 0, "how often it came back"),
    F_U32(struct incident, overdue, 0, 0, "escalations of the present state"),
    F_TIME(struct incident, review_due_ms, FIELD_WIDE, "when it must be reviewed", .column = "REVIEW DUE"),
    F_TIME(struct incident, reviewed_ms, 0, "when it was reviewed"),
    F_STRING(struct incident, reviewed_by, AUDIT_OBJECT_MAX, 0, "by whom"),
    F_U32(struct incident, reminders, 0, 0, "how often the review was asked for"),
    F_STRING(struct incident, resolution, TEXT_LINE_MAX, 0, "how it ended"),
    F_STRING(struct incident, summary, INCIDENT_SUMMARY_MAX, FIELD_PHI,
	"prose by a language model, not checked by anybody; nothing acts on it"),
    F_STRING(struct incident, summary_by, INCIDENT_SUMMARY_BY_MAX, 0, "the language model that wrote it"),
    F_U32(struct incident, summary_tries, 0, 0, "how often it was asked for"),
    F_U64(struct incident, entries, 0, 0, "length of the timeline"),
};
const struct record_type incident_type =
    RECORD_TYPE("incident", struct incident, incident_fields, "one thing that went wrong, to its review");

static const struct field entry_fields[] = {
    F_ID(struct incident_entry, incident, INCIDENT, FIELD_KEY | FIELD_REQUIRED, "the incident"),
    F_U64(struct incident_entry, sequence, 0, FIELD_KEY | FIELD_REQUIRED, "its place, from 1"),
    F_TIME(struct incident_entry, at_ms, FIELD_COLUMN, "when", .column = "TIME"),
    F_STRING(struct incident_entry, kind, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "what kind of line it is"),
    F_STRING(struct incident_entry, actor, AUDIT_OBJECT_MAX, FIELD_COLUMN, "who"),
    F_STRING(struct incident_entry, text, INCIDENT_NOTE_MAX, FIELD_COLUMN | FIELD_PHI, "what"),
};
const struct record_type incident_entry_type =
    RECORD_TYPE("error_event", struct incident_entry, entry_fields, "one line of an incident's timeline");

const struct table incident_table = {"incident", &incident_type};
const struct table incident_entry_table = {"error_event", &incident_entry_type};

const struct record_type *const incident_types[] = {&incident_config_type, &incident_type, &incident_entry_type, NULL};
const struct table *const incident_tables[] = {&incident_table, &incident_entry_table, NULL};
