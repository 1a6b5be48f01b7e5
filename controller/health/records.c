/* controller/health/records.c: the record types and tables of health. */
#include "controller/health/health.h"

enum { HEARTBEAT_LONGEST_MS = 3600 * 1000 };

static const struct field config_fields[] = {
    F_DURATION(struct health_config, heartbeat_ms, HEARTBEAT_LONGEST_MS, 0, "a host reports at least this often",
	.default_text = "30s", .min = 100),
    F_DURATION(struct health_config, unknown_patience_ms, 7 * 24 * 3600 * 1000ull, 0,
	"UNKNOWN for this long is told to people", .default_text = "5m"),
    F_DURATION(struct health_config, forecast_ms, HEALTH_FORECAST_MAX_MS, 0,
	"what may be full or used up within this time is told to people", .default_text = "24h", .min = 60 * 1000),
    F_DURATION(struct health_config, forecast_days_ms, HEALTH_FORECAST_MAX_MS, 0,
	"the same of what is counted in days, as the life of a certificate", .default_text = "21d", .min = 60 * 1000),
    F_F64(struct health_config, response_ms, 0, "DEGRADED when an answer takes longer, in milliseconds",
	.default_text = "1000"),
    F_F64(struct health_config, errors_percent, 0, "DEGRADED above this share of errors", .default_text = "1"),
    F_F64(struct health_config, cpu_percent, 0, "DEGRADED above this use of processors", .default_text = "80"),
    F_F64(struct health_config, memory_percent, 0, "DEGRADED above this use of memory", .default_text = "85"),
    F_F64(struct health_config, disk_percent, 0, "DEGRADED above this use of a disk", .default_text = "90"),
};
const struct record_type health_config_type =
    RECORD_TYPE("health_config", struct health_config, config_fields, "when a service counts as degraded");

static const struct field service_health_fields[] = {
    F_STRING(struct service_health, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(struct service_health, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN,
	"the host"),
    F_ENUM(struct service_health, state, &health_enum, FIELD_ALWAYS | FIELD_INDEXED | FIELD_COLUMN, "its health",
	.column = "HEALTH"),
    F_TIME(struct service_health, since_ms, FIELD_COLUMN, "since when", .column = "SINCE"),
    F_STRING(struct service_health, reason, TEXT_LINE_MAX, FIELD_COLUMN | FIELD_PHI, "why"),
    F_STRING(struct service_health, probe, NAME_MAX_BYTES, FIELD_WIDE, "the probe that decided"),
    F_ENUM(struct service_health, measured, &health_enum, FIELD_ALWAYS | FIELD_WIDE, "what the evidence alone says"),
    F_TIME(struct service_health, measured_since_ms, 0, "since when"),
    F_TIME(struct service_health, evidence_ms, FIELD_WIDE, "when the last report came", .column = "EVIDENCE"),
    F_TIME(struct service_health, asked_ms, 0, "when its host was last asked to look now"),
    F_TIME(struct service_health, asked_after_ms, 0,
	"the newest run of its probes that was known then, host's clock: what ran later answers"),
    F_BOOL(struct service_health, stale, FIELD_WIDE, "evidence has stopped"),
    F_BOOL(struct service_health, prolonged, 0, "UNKNOWN for so long that people were told"),
    F_U32(struct service_health, breaches, 0, 0, "reports in a row with a value beyond its limit"),
    F_TIME(struct service_health, maintenance_until_ms, FIELD_WIDE, "end of maintenance", .column = "MAINTENANCE"),
    F_LIST(struct service_health, results, &probe_result_type, REPORT_ITEMS_MAX, 0, "the probes' last results"),
};
const struct record_type service_health_type =
    RECORD_TYPE("service_health", struct service_health, service_health_fields, "how a service does on a host");

static const struct field maintenance_fields[] = {
    F_STRING(struct maintenance, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(
	struct maintenance, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the host, or * for all"),
    F_TIME(struct maintenance, from_ms, FIELD_COLUMN, "begin", .column = "FROM"),
    F_TIME(struct maintenance, until_ms, FIELD_COLUMN, "end", .column = "UNTIL"),
    F_STRING(struct maintenance, by, AUDIT_OBJECT_MAX, FIELD_COLUMN, "who"),
    F_STRING(struct maintenance, reason, TEXT_LINE_MAX, FIELD_COLUMN, "why"),
};
const struct record_type maintenance_type =
    RECORD_TYPE("maintenance", struct maintenance, maintenance_fields, "a window in which faults are expected");

static const struct field change_fields[] = {
    F_TIME(struct health_change, at_ms, FIELD_COLUMN, "when", .column = "TIME"),
    F_ENUM(struct health_change, state, &health_enum, FIELD_ALWAYS | FIELD_COLUMN, "became"),
    F_STRING(struct health_change, reason, TEXT_LINE_MAX, FIELD_COLUMN | FIELD_PHI, "why"),
    F_BOOL(struct health_change, historic, FIELD_COLUMN, "told late, after a break"),
};
const struct record_type health_change_type =
    RECORD_TYPE("health_change", struct health_change, change_fields, "one change of health");
static const struct field history_fields[] = {
    F_STRING(struct health_history, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(struct health_history, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the host"),
    F_LIST(struct health_history, changes, &health_change_type, HEALTH_HISTORY_MAX, 0, "by time, the newest last"),
};
const struct record_type health_history_type =
    RECORD_TYPE("health_history", struct health_history, history_fields, "the last changes of health of a placement");

static const struct field sample_fields[] = {
    F_TIME(struct health_sample, at_ms, FIELD_COLUMN, "when", .column = "TIME"),
    F_F64(struct health_sample, value, FIELD_ALWAYS | FIELD_COLUMN, "what was measured"),
};
const struct record_type health_sample_type =
    RECORD_TYPE("health_sample", struct health_sample, sample_fields, "one value");
static const struct field metric_fields[] = {
    F_STRING(struct health_metric, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"the service, or - for the host itself"),
    F_STRING(struct health_metric, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the host"),
    F_STRING(struct health_metric, metric, 2 * NAME_MAX_BYTES + 1, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"probe.metric"),
    F_STRING(struct health_metric, unit, NAME_MAX_BYTES, FIELD_COLUMN, "of the values"),
    F_LIST(struct health_metric, samples, &health_sample_type, HEALTH_SAMPLES_MAX, 0, "by time, the newest last"),
};
const struct record_type health_metric_type =
    RECORD_TYPE("health_metric", struct health_metric, metric_fields, "the last values of one metric");
static const struct field trend_fields[] = {
    F_STRING(struct health_metric, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"the service, or - for the host itself"),
    F_STRING(struct health_metric, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN,
	"the host"),
    F_STRING(struct health_metric, metric, 2 * NAME_MAX_BYTES + 1, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"probe.metric"),
    F_STRING(struct health_metric, unit, NAME_MAX_BYTES, FIELD_COLUMN, "of the values"),
    F_LIST(struct health_metric, samples, &health_sample_type, HEALTH_TREND_MAX, 0, "one an hour, the newest last"),
    F_TIME(struct health_metric, earliest_ms, FIELD_COLUMN, "when it is full or used up, at the earliest",
	.column = "EARLIEST"),
    F_TIME(struct health_metric, likely_ms, FIELD_COLUMN, "the middle of that interval", .column = "LIKELY"),
    F_TIME(struct health_metric, latest_ms, FIELD_COLUMN, "its end, of nine in ten; none: perhaps never",
	.column = "LATEST"),
    F_TIME(struct health_metric, told_ms, FIELD_COLUMN, "when people were told that it is near; none: it is not",
	.column = "TOLD"),
};
const struct record_type health_trend_type =
    RECORD_TYPE("health_trend", struct health_metric, trend_fields, "a week of one metric");
static const struct field forecast_fields[] = {
    F_STRING(struct health_metric, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"the service, or - for the host itself"),
    F_STRING(struct health_metric, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN,
	"the host"),
    F_STRING(struct health_metric, metric, 2 * NAME_MAX_BYTES + 1, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"probe.metric"),
    F_TIME(struct health_metric, earliest_ms, FIELD_COLUMN,
	"when it is full or used up, at the earliest; none: not in sight", .column = "EARLIEST"),
    F_TIME(struct health_metric, likely_ms, FIELD_COLUMN, "the middle of that interval", .column = "LIKELY"),
    F_TIME(struct health_metric, latest_ms, FIELD_COLUMN, "its end, of nine in ten; none: perhaps never",
	.column = "LATEST"),
};
const struct record_type health_forecast_type = RECORD_TYPE(
    "forecast", struct health_metric, forecast_fields, "of a week of one metric, when it reaches its limit");

const struct table service_health_table = {"service_health", &service_health_type};
const struct table maintenance_table = {"maintenance", &maintenance_type};
const struct table health_history_table = {"health_history", &health_history_type};
const struct table health_metric_table = {"health_metric", &health_metric_type};
const struct table health_trend_table = {"health_trend", &health_trend_type};
const struct table health_forecast_table = {"health_trend", &health_forecast_type};

const struct record_type *const health_types[] = {&health_config_type, &service_health_type, &maintenance_type,
    &health_history_type, &health_metric_type, &health_trend_type, &health_forecast_type, &health_change_type,
    &health_sample_type, NULL};
const struct table *const health_tables[] = {
    &service_health_table, &maintenance_table, &health_history_table, &health_metric_table, &health_trend_table, NULL};
