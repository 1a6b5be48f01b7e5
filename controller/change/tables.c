/* controller/change/tables.c: the record types and tables of changes and policies. */
#include "controller/change/change.h"

static const char *const kind_names[] = {
    [CHANGE_STANDARD] = "standard", [CHANGE_NORMAL] = "normal", [CHANGE_EMERGENCY] = "emergency"};
const struct enum_type change_class_enum = ENUM_TYPE("change_kind", kind_names);

static const char *const state_names[] = {[CHANGE_REQUESTED] = "requested",
    [CHANGE_APPROVED] = "approved",
    [CHANGE_IMPLEMENTING] = "implementing",
    [CHANGE_VALIDATING] = "validating",
    [CHANGE_COMPLETED] = "completed",
    [CHANGE_FAILED] = "failed",
    [CHANGE_REJECTED] = "rejected",
    [CHANGE_CANCELLED] = "cancelled",
    [CHANGE_EXPIRED] = "expired"};
const struct enum_type change_state_enum = ENUM_TYPE("change_state", state_names);

#define S struct change
static const struct field change_fields[] = {
    F_ID(S, change, CHANGE, FIELD_KEY | FIELD_REQUIRED, "its id"),
    F_U64(S, number, 0, FIELD_INDEXED | FIELD_COLUMN, "the number people say: CHG-7"),
    F_ENUM(S, kind, &change_class_enum, FIELD_COLUMN | FIELD_ALWAYS, "standard, normal or emergency"),
    F_ENUM(S, state, &change_state_enum, FIELD_INDEXED | FIELD_COLUMN | FIELD_ALWAYS, "how far it is"),
    F_ID(S, incident, INCIDENT, FIELD_INDEXED | FIELD_WIDE, "the incident that it answers"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service that it changes"),
    F_STRING(S, title, TEXT_LINE_MAX, FIELD_COLUMN, "what it does, in a line"),
    F_STRING(S, reason, TEXT_PAGE_MAX, 0, "why"),
    F_STRING(S, requested_by, NAME_MAX_BYTES + 16, FIELD_COLUMN, "an operator, or \"policy <name>\""),
    F_TIME(S, requested_ms, FIELD_COLUMN, "when it was asked for"),
    F_TIME(S, approved_ms, 0, "when the last approval came"),
    F_TIME(S, began_ms, 0, "when its rollback began"),
    F_TIME(S, ended_ms, 0, "when it ended"),
    F_TIME(S, expires_ms, 0, "when it lapses if nobody approves"),
    F_RECORD(S, plan, struct plan, &plan_type, 0, "everything that it will do"),
    F_DIGEST(S, plan_digest, 0, "what approvers sign"),
    F_STRING(S, policy, NAME_MAX_BYTES, FIELD_WIDE, "the standing policy that covers it"),
    F_U32(S, approvals_needed, PLAN_APPROVALS_MAX, FIELD_ALWAYS, "how many people must say yes"),
    F_ID(S, rollback, ROLLBACK, FIELD_WIDE, "the rollback that carries it out"),
    F_ENUM(S, outcome, &order_outcome_enum, FIELD_COLUMN, "how it ended"),
    F_TIME(S, review_due_ms, FIELD_WIDE, "when the review of an emergency change is due"),
    F_TIME(S, reviewed_ms, 0, "when it was reviewed"),
    F_STRING(S, reviewed_by, NAME_MAX_BYTES, 0, "by whom"),
    F_STRING(S, review_text, TEXT_PAGE_MAX, 0, "what the review says"),
    F_TIME(S, moved_ms, 0, "when the state last changed"),
    F_STRING(S, text, TEXT_LINE_MAX, 0, "why it ended so"),
};
#undef S
const struct record_type change_type =
    RECORD_TYPE("change_request", struct change, change_fields, "a change that is asked for, approved and carried out");

#define S struct change_approval
static const struct field approval_fields[] = {
    F_ID(S, change, CHANGE, FIELD_KEY | FIELD_REQUIRED, "the change"),
    F_STRING(S, approver, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the operator who decided"),
    F_BOOL(S, rejected, FIELD_COLUMN | FIELD_ALWAYS, "a no"),
    F_STRING(S, signature, PLAN_SIGNATURE_MAX, 0, "OpenSSH signature over the plan's digest"),
    F_STRING(S, reason, TEXT_PAGE_MAX, FIELD_COLUMN, "why"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when"),
};
#undef S
const struct record_type change_approval_type =
    RECORD_TYPE("change_approval", struct change_approval, approval_fields, "one person's word on a change");

#define S struct change_implementation
static const struct field implementation_fields[] = {
    F_ID(S, change, CHANGE, FIELD_KEY | FIELD_REQUIRED, "the change"),
    F_ID(S, rollback, ROLLBACK, FIELD_COLUMN, "what carried it out"),
    F_TIME(S, began_ms, FIELD_COLUMN, "when it began"),
    F_TIME(S, ended_ms, FIELD_COLUMN, "when it ended"),
    F_U32(S, hosts, 0, FIELD_COLUMN | FIELD_ALWAYS, "hosts in the plan"),
    F_U32(S, hosts_ok, 0, FIELD_COLUMN | FIELD_ALWAYS, "hosts that are as planned and proven healthy"),
    F_ENUM(S, outcome, &order_outcome_enum, FIELD_COLUMN, "how it ended"),
};
#undef S
const struct record_type change_implementation_type = RECORD_TYPE(
    "change_implementation", struct change_implementation, implementation_fields, "what was done for a change");

#define S struct change_validation
static const struct field validation_fields[] = {
    F_ID(S, change, CHANGE, FIELD_KEY | FIELD_REQUIRED, "the change"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when it was proven, or given up"),
    F_BOOL(S, digests_match, FIELD_COLUMN | FIELD_ALWAYS, "every host's state equals its restore point"),
    F_BOOL(S, healthy, FIELD_COLUMN | FIELD_ALWAYS, "every host is healthy by evidence newer than its order"),
    F_STRINGS(S, evidence, PLAN_HOSTS_MAX, 0, "a line a host"),
};
#undef S
const struct record_type change_validation_type =
    RECORD_TYPE("change_validation", struct change_validation, validation_fields, "what proved a change, or did not");

#define S struct standing_policy
static const struct field policy_fields[] = {
    F_STRING(S, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "its name"),
    F_RECORD(S, signed_document, struct signed_policy, &signed_policy_type, FIELD_REQUIRED,
	"the YAML as it was signed, and the signatures"),
    F_RECORD(S, policy, struct policy, &policy_type, FIELD_REQUIRED, "what it says"),
    F_TIME(S, installed_ms, FIELD_COLUMN, "when it was installed"),
    F_STRING(S, installed_by, NAME_MAX_BYTES, FIELD_COLUMN, "by whom"),
};
#undef S
const struct record_type standing_policy_type = RECORD_TYPE(
    "standing_policy", struct standing_policy, policy_fields, "a signed policy: changes that need no person at 3 a.m.");

const struct table change_table = {"change_request", &change_type};
const struct table change_approval_table = {"change_approval", &change_approval_type};
const struct table change_implementation_table = {"change_implementation", &change_implementation_type};
const struct table change_validation_table = {"change_validation", &change_validation_type};
const struct table policy_table = {"policy", &standing_policy_type};

const struct record_type *const change_types[] = {&change_type, &change_approval_type, &change_implementation_type,
    &change_validation_type, &standing_policy_type, NULL};
const struct table *const change_tables[] = {
    &change_table, &change_approval_table, &change_implementation_table, &change_validation_table, &policy_table, NULL};
