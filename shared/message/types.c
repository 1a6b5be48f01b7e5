#include "shared/message/types.h"

static const char *const component_names[] = {
    [COMPONENT_CONFIG] = "config",
    [COMPONENT_CODE] = "code",
    [COMPONENT_DATA] = "data",
    [COMPONENT_DATABASE] = "database",
};
static const char *const health_names[] = {
    [HEALTH_UNKNOWN] = "UNKNOWN",
    [HEALTH_HEALTHY] = "HEALTHY",
    [HEALTH_DEGRADED] = "DEGRADED",
    [HEALTH_DOWN] = "DOWN",
    [HEALTH_MAINTENANCE] = "MAINTENANCE",
};
static const char *const probe_state_names[] = {
    [PROBE_UNKNOWN] = "unknown",
    [PROBE_OK] = "ok",
    [PROBE_WARNING] = "warning",
    [PROBE_CRITICAL] = "critical",
};
static const char *const probe_tier_names[] = {
    [PROBE_SHALLOW] = "shallow",
    [PROBE_DEEP] = "deep",
    [PROBE_FULL] = "full",
};
static const char *const severity_names[] = {
    [SEVERITY_LOW] = "low",
    [SEVERITY_MEDIUM] = "medium",
    [SEVERITY_HIGH] = "high",
    [SEVERITY_CRITICAL] = "critical",
};
static const char *const log_severity_names[] = {
    [LOG_SEVERITY_NONE] = "none",
    [LOG_SEVERITY_DEBUG] = "debug",
    [LOG_SEVERITY_INFO] = "info",
    [LOG_SEVERITY_WARNING] = "warning",
    [LOG_SEVERITY_ERROR] = "error",
    [LOG_SEVERITY_FATAL] = "fatal",
};
static const char *const snapshot_reason_names[] = {
    [SNAPSHOT_SCHEDULED] = "scheduled",
    [SNAPSHOT_MANUAL] = "manual",
    [SNAPSHOT_EMERGENCY] = "emergency",
    [SNAPSHOT_SAFETY] = "safety",
};
static const char *const order_kind_names[] = {
    [ORDER_ROLLBACK] = "rollback",
    [ORDER_UNDO] = "undo",
    [ORDER_SNAPSHOT] = "snapshot",
    [ORDER_VERIFY] = "verify",
    [ORDER_PROBE] = "probe",
    [ORDER_ACTION] = "action",
};
static const char *const order_outcome_names[] = {
    [ORDER_OPEN] = "open",
    [ORDER_OK] = "ok",
    [ORDER_OK_WITH_EXCEPTIONS] = "ok_with_exceptions",
    [ORDER_REVERTED] = "reverted",
    [ORDER_FAILED_DIRTY] = "failed_dirty",
    [ORDER_REFUSED] = "refused",
    [ORDER_EXPIRED] = "expired",
    [ORDER_CANCELLED] = "cancelled",
    [ORDER_UNREACHABLE] = "unreachable",
};
static const char *const step_kind_names[] = {
    [STEP_PLAN] = "plan",
    [STEP_STAGE] = "stage",
    [STEP_SAFETY] = "safety",
    [STEP_CHECK] = "check",
    [STEP_STOP] = "stop",
    [STEP_RESTORE] = "restore",
    [STEP_START] = "start",
    [STEP_VERIFY] = "verify",
    [STEP_UNDO] = "undo",
    [STEP_ACTION] = "action",
};
static const char *const remedy_names[] = {
    [REMEDY_RESTART] = "restart",
    [REMEDY_CONNECTIONS] = "connections",
    [REMEDY_SPACE] = "space",
    [REMEDY_CERTIFICATE] = "certificate",
    [REMEDY_PERMISSIONS] = "permissions",
};
static const char *const importance_names[] = {
    [IMPORTANCE_RESULT] = "result",
    [IMPORTANCE_EVENT] = "event",
    [IMPORTANCE_HEALTH] = "health",
    [IMPORTANCE_METRIC] = "metric",
};

const struct enum_type component_enum = ENUM_TYPE("component", component_names);
const struct enum_type health_enum = ENUM_TYPE("health", health_names);
const struct enum_type probe_state_enum = ENUM_TYPE("probe_state", probe_state_names);
const struct enum_type probe_tier_enum = ENUM_TYPE("probe_tier", probe_tier_names);
const struct enum_type severity_enum = ENUM_TYPE("severity", severity_names);
const struct enum_type log_severity_enum = ENUM_TYPE("log_severity", log_severity_names);
const struct enum_type snapshot_reason_enum = ENUM_TYPE("snapshot_reason", snapshot_reason_names);
const struct enum_type order_kind_enum = ENUM_TYPE("order_kind", order_kind_names);
const struct enum_type order_outcome_enum = ENUM_TYPE("order_outcome", order_outcome_names);
const struct enum_type step_kind_enum = ENUM_TYPE("step_kind", step_kind_names);
const struct enum_type remedy_enum = ENUM_TYPE("remedy", remedy_names);
const struct enum_type importance_enum = ENUM_TYPE("importance", importance_names);

_Static_assert(sizeof(component_names) / sizeof(char *) == COMPONENT_COUNT, "component");
_Static_assert(sizeof(health_names) / sizeof(char *) == HEALTH_COUNT, "health");
_Static_assert(sizeof(probe_state_names) / sizeof(char *) == PROBE_STATE_COUNT, "probe_state");
_Static_assert(sizeof(probe_tier_names) / sizeof(char *) == PROBE_TIER_COUNT, "probe_tier");
_Static_assert(sizeof(severity_names) / sizeof(char *) == SEVERITY_COUNT, "severity");
_Static_assert(sizeof(log_severity_names) / sizeof(char *) == LOG_SEVERITY_COUNT, "log_severity");
_Static_assert(sizeof(snapshot_reason_names) / sizeof(char *) == SNAPSHOT_REASON_COUNT, "snapshot_reason");
_Static_assert(sizeof(order_kind_names) / sizeof(char *) == ORDER_KIND_COUNT, "order_kind");
_Static_assert(sizeof(order_outcome_names) / sizeof(char *) == ORDER_OUTCOME_COUNT, "order_outcome");
_Static_assert(sizeof(step_kind_names) / sizeof(char *) == STEP_KIND_COUNT, "step_kind");
_Static_assert(sizeof(remedy_names) / sizeof(char *) == REMEDY_COUNT, "remedy");
_Static_assert(sizeof(importance_names) / sizeof(char *) == IMPORTANCE_COUNT, "importance");

uint32_t component_set(const struct list *components)
{
	uint32_t set = 0;

	for (size_t i = 0; i < components->count; i++)
		set |= 1u << LIST_AT(*components, uint32_t, i);
	return set;
}

enum err_code components_check(const struct list *components, struct err *reterr)
{
	uint32_t set = 0;

	for (size_t i = 0; i < components->count; i++) {
		uint32_t which = LIST_AT(*components, uint32_t, i);
		if (which >= COMPONENT_COUNT)
			return err_set(reterr, ERR_INVALID, "components[%zu]: unknown component %u", i, which);
		if (set & 1u << which)
			return err_set(
			    reterr, ERR_INVALID, "components[%zu]: %s stands there twice", i, component_names[which]);
		set |= 1u << which;
	}
	return ERR_OK;
}
