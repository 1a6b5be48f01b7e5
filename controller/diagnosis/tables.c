/* controller/diagnosis/tables.c: the record types and tables of diagnoses and patterns. */
#include "controller/diagnosis/learning.h"

static const char *const evidence_names[] = {[EVIDENCE_DRIFT] = "drift",
    [EVIDENCE_LOG] = "log",
    [EVIDENCE_PROBE] = "probe",
    [EVIDENCE_DEPENDENCY] = "dependency",
    [EVIDENCE_METRIC] = "metric",
    [EVIDENCE_HISTORY] = "history",
    [EVIDENCE_KNOWLEDGE] = "knowledge"};
const struct enum_type evidence_kind_enum = ENUM_TYPE("evidence_kind", evidence_names);
static const char *const action_names[] = {[FIX_NONE] = "none",
    [FIX_ROLLBACK] = "rollback",
    [FIX_RESTART] = "restart",
    [FIX_RUN] = "run",
    [FIX_INVESTIGATE] = "investigate"};
const struct enum_type fix_action_enum = ENUM_TYPE("fix_action", action_names);

#define S struct evidence
static const struct field evidence_fields[] = {
    F_ENUM(S, kind, &evidence_kind_enum, FIELD_COLUMN | FIELD_ALWAYS, "what kind of sign it is"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_COLUMN, "of which service"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_COLUMN, "on which host"),
    F_STRING(S, text, TEXT_PAGE_MAX, FIELD_COLUMN | FIELD_PHI, "what it says"),
    F_F64(S, weight, FIELD_COLUMN, "how much it moved the answer"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when it was seen"),
};
#undef S
const struct record_type evidence_type =
    RECORD_TYPE("evidence", struct evidence, evidence_fields, "one sign that a diagnosis rests on");

#define S struct suspect
static const struct field suspect_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_COLUMN, "the host"),
    F_ENUM(S, component, &component_enum, FIELD_COLUMN | FIELD_ALWAYS, "the component, if has_component"),
    F_BOOL(S, has_component, FIELD_ALWAYS, "a component, not the service as a whole"),
    F_F64(S, confidence, FIELD_COLUMN, "0 to 1"),
    F_TIME(S, changed_ms, FIELD_COLUMN, "when it last changed"),
    F_STRING(S, run, NAME_MAX_BYTES, FIELD_WIDE, "the declared action that helps, where nothing is to be brought back"),
    F_STRING(S, runbook, NAME_MAX_BYTES, FIELD_WIDE, "the runbook of what is known about it"),
    F_ENUM(S, ground, &evidence_kind_enum, FIELD_WIDE | FIELD_ALWAYS, "the kind of sign that it is suspected for"),
    F_STRING(S, text, TEXT_PAGE_MAX, FIELD_COLUMN, "why it is suspected"),
};
#undef S
const struct record_type suspect_type =
    RECORD_TYPE("suspect", struct suspect, suspect_fields, "something that may have caused an incident");
static const char *const estimate_names[] = {
    [ESTIMATE_ASSUMED] = "assumed", [ESTIMATE_DRILL] = "drill", [ESTIMATE_HISTORY] = "history"};
const struct enum_type estimate_enum = ENUM_TYPE("estimate", estimate_names);

#define S struct fix
static const struct field fix_fields[] = {
    F_ENUM(S, action, &fix_action_enum, FIELD_COLUMN | FIELD_ALWAYS, "one of the declared actions"),
    F_U32(S, priority, DIAGNOSIS_FIXES_MAX, FIELD_COLUMN, "1 is first"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service it acts on"),
    F_STRINGS(S, hosts, INCIDENT_HOSTS_MAX, FIELD_COLUMN, "on these hosts"),
    F_STRING(S, run, NAME_MAX_BYTES, FIELD_COLUMN, "the declared action that is run"),
    F_STRING(S, first, NAME_MAX_BYTES, FIELD_WIDE, "the declared action that is run before a rollback"),
    F_ENUMS(S, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN, "on these components"),
    F_ID(S, snapshot, SNAPSHOT, 0, "the restore point, when it is one host"),
    F_DURATION(S, estimated_ms, 0, FIELD_COLUMN, "how long it should take"),
    F_ENUM(S, estimate, &estimate_enum, FIELD_WIDE | FIELD_ALWAYS,
	"where that comes from: a rule of thumb, a drill, what it took here"),
    F_ENUM(S, risk, &severity_enum, FIELD_COLUMN | FIELD_ALWAYS, "what it may cost"),
    F_STRING(S, text, TEXT_LINE_MAX, FIELD_COLUMN, "what it does"),
    F_STRINGS(S, commands, DIAGNOSIS_FIXES_MAX, 0, "what a person would type"),
    F_U64(S, tried, 0, 0, "how often it was tried here"),
    F_U64(S, worked, 0, 0, "how often it worked"),
    F_F64(S, success, FIELD_COLUMN, "the rate of success to expect: (worked + 1) of (tried + 2)"),
    F_F64(S, success_low, FIELD_WIDE, "nine times in ten the rate is above this"),
    F_F64(S, success_high, FIELD_WIDE, "… and below this"),
};
#undef S
const struct record_type fix_type = RECORD_TYPE("fix", struct fix, fix_fields, "a declared action that should help");

#define S struct diagnosis
static const struct field diagnosis_fields[] = {
    F_ID(S, diagnosis, DIAGNOSIS, FIELD_KEY | FIELD_REQUIRED, "its id"),
    F_ID(S, incident, INCIDENT, FIELD_INDEXED | FIELD_REQUIRED, "the incident"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when it was made"),
    F_DURATION(S, took_ms, 0, FIELD_COLUMN, "how long that took"),
    F_STRING(S, root_cause, TEXT_PAGE_MAX, FIELD_COLUMN, "one sentence"),
    F_BOOL(S, abstained, FIELD_COLUMN | FIELD_ALWAYS, "unknown: nothing was sure enough to be named"),
    F_F64(S, share, FIELD_WIDE, "what the first suspect got of 1"),
    F_F64(S, confidence, FIELD_COLUMN | FIELD_ALWAYS,
	"how often a first suspect with such a share is the true cause, 0 to 1"),
    F_BOOL(S, has_error_class, FIELD_ALWAYS, "its error lines tell what kind of error it is"),
    F_ENUM(S, error_class, &error_class_enum, FIELD_COLUMN | FIELD_ALWAYS,
	"what kind of error that is, if has_error_class"),
    F_F64(S, error_class_confidence, FIELD_WIDE, "how often such a line is of that class, 0 to 1"),
    F_LIST(S, suspects, &suspect_type, DIAGNOSIS_SUSPECTS_MAX, 0, "best first"),
    F_LIST(S, alternatives, &suspect_type, DIAGNOSIS_SUSPECTS_MAX, 0, "what else it may be, best first"),
    F_STRINGS(S, affected, DIAGNOSIS_AFFECTED_MAX, 0, "services that depend on the cause"),
    F_LIST(S, evidence, &evidence_type, DIAGNOSIS_EVIDENCE_MAX, 0, "heaviest first"),
    F_LIST(S, fixes, &fix_type, DIAGNOSIS_FIXES_MAX, 0, "best first"),
    F_STRING(S, runbook, NAME_MAX_BYTES, 0, "the runbook that tells the whole way: `kedge runbook show NAME`"),
    F_STRING(S, model, NAME_MAX_BYTES, 0, "version of rules and calibration"),
    F_BOOL(S, final, FIELD_ALWAYS, "no better answer is being worked on"),
};
#undef S
const struct record_type diagnosis_type =
    RECORD_TYPE("error_diagnosis", struct diagnosis, diagnosis_fields, "what broke, why, how sure, and what to do");

#define S struct error_pattern
static const struct field pattern_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_U64(S, template_id, 0, FIELD_KEY | FIELD_REQUIRED, "the template's hash: the same on every host"),
    F_STRING(S, template_text, TEXT_PAGE_MAX, FIELD_COLUMN | FIELD_PHI, "the line with its variable parts left out"),
    F_ENUM(S, severity, &log_severity_enum, FIELD_COLUMN, "of the line"),
    F_TIME(S, first_ms, FIELD_COLUMN, "first seen"),
    F_TIME(S, last_ms, FIELD_COLUMN, "last seen"),
    F_TIME(S, again_ms, FIELD_WIDE, "seen again then, after a silence"),
    F_U64(S, count, 0, FIELD_COLUMN, "how often"),
    F_STRINGS(S, hosts, PATTERN_HOSTS_MAX, FIELD_WIDE, "where"),
    F_STRING(S, last_host, NAME_MAX_BYTES, 0, "where last"),
    F_STRING(S, sample, TEXT_PAGE_MAX, FIELD_PHI, "one such line, redacted"),
};
#undef S
const struct record_type error_pattern_type =
    RECORD_TYPE("error_pattern", struct error_pattern, pattern_fields, "a kind of log line of a service");

const struct table diagnosis_table = {"error_diagnosis", &diagnosis_type};
const struct table error_pattern_table = {"error_pattern", &error_pattern_type};
const struct record_type *const diagnosis_types[] = {&evidence_type, &suspect_type, &fix_type, &diagnosis_type,
    &error_pattern_type, &past_incident_type, &knowledge_entry_type, NULL};
const struct table *const diagnosis_tables[] = {
    &diagnosis_table, &error_pattern_table, &past_incident_table, &knowledge_table, NULL};
