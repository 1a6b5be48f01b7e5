/* controller/audit/records.c: the record types and tables of the trail. */
#include "controller/audit/audit.h"

static const char *const actor_names[] = {"controller", "operator", "host", "policy", "anonymous"};
const struct enum_type audit_actor_enum = ENUM_TYPE("audit_actor", actor_names);
static const char *const outcome_names[] = {"done", "refused", "failed"};
const struct enum_type audit_outcome_enum = ENUM_TYPE("audit_outcome", outcome_names);
static const char *const problem_names[] = {"sound", "missing", "edited", "head_wrong", "forked"};
const struct enum_type audit_problem_enum = ENUM_TYPE("audit_problem", problem_names);

static const struct field entry_fields[] = {
    F_U64(struct audit_entry, sequence, UINT64_MAX, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"its number, from 1, without holes", .column = "#"),
    F_TIME(struct audit_entry, at_ms, FIELD_COLUMN, "when", .column = "TIME"),
    F_ENUM(struct audit_entry, actor, &audit_actor_enum, FIELD_ALWAYS | FIELD_COLUMN, "what kind of actor did it"),
    F_STRING(struct audit_entry, actor_name, NAME_MAX_BYTES, FIELD_COLUMN,
	"the operator, host or policy; absent for the controller itself", .column = "WHO"),
    F_STRING(struct audit_entry, action, AUDIT_ACTION_MAX, FIELD_REQUIRED | FIELD_COLUMN, "noun.verb"),
    F_STRING(struct audit_entry, object_kind, NAME_MAX_BYTES, 0, "what kind of thing it was done to"),
    F_STRING(struct audit_entry, object, AUDIT_OBJECT_MAX, FIELD_INDEXED | FIELD_COLUMN, "its id or name"),
    F_ID(struct audit_entry, incident, INCIDENT, FIELD_INDEXED, "the incident that it belongs to"),
    F_ID(struct audit_entry, change, CHANGE, 0, "the change that it belongs to"),
    F_ENUM(struct audit_entry, outcome, &audit_outcome_enum, FIELD_ALWAYS | FIELD_COLUMN, "how it went"),
    F_STRING(struct audit_entry, address, NAME_MAX_BYTES, FIELD_WIDE, "where from"),
    F_STRING(struct audit_entry, text, TEXT_LINE_MAX, FIELD_COLUMN, "for people"),
    F_JSON(struct audit_entry, details, AUDIT_DETAILS_MAX, 0, "more of it, redacted"),
    F_DIGEST(struct audit_entry, hash, FIELD_WIDE, "leaf hash of the entry without this field (RFC 6962)"),
};
const struct record_type audit_entry_type =
    RECORD_TYPE("audit", struct audit_entry, entry_fields, "one entry of the audit trail");

static const struct field head_fields[] = {
    F_STRING(struct audit_head, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED, "always \"head\""),
    F_U64(struct audit_head, size, UINT64_MAX, FIELD_ALWAYS | FIELD_COLUMN, "entries in the tree"),
    F_TIME(struct audit_head, at_ms, FIELD_COLUMN, "when the last was added"),
    F_DIGEST(struct audit_head, root, FIELD_COLUMN, "root of the tree"),
    F_BYTES(struct audit_head, frontier, AUDIT_FRONTIER_MAX * sizeof(struct digest), 0,
	"roots of the complete subtrees, largest first"),
};
const struct record_type audit_head_type =
    RECORD_TYPE("audit_head", struct audit_head, head_fields, "the trail's Merkle tree as it is now");

static const struct field checkpoint_fields[] = {
    F_U64(struct audit_checkpoint, size, UINT64_MAX, FIELD_KEY | FIELD_ALWAYS | FIELD_COLUMN, "entries in the tree"),
    F_DIGEST(struct audit_checkpoint, root, FIELD_COLUMN, "root of the tree"),
    F_TIME(struct audit_checkpoint, at_ms, FIELD_COLUMN, "when it was fixed"),
    F_STRING(struct audit_checkpoint, signer, NAME_MAX_BYTES, FIELD_COLUMN, "whose signature it bears"),
    F_BYTES(struct audit_checkpoint, signature, AUDIT_SIGNATURE_MAX, 0, "over the checkpoint's text"),
};
const struct record_type audit_checkpoint_type = RECORD_TYPE("audit_checkpoint", struct audit_checkpoint,
    checkpoint_fields, "a head of the audit tree, fixed so that others can sign and keep it");

static const struct field verdict_fields[] = {
    F_ENUM(struct audit_verdict, problem, &audit_problem_enum, FIELD_ALWAYS | FIELD_COLUMN, "what is wrong"),
    F_U64(struct audit_verdict, sequence, UINT64_MAX, FIELD_COLUMN, "where it shows first"),
    F_U64(struct audit_verdict, size, UINT64_MAX, FIELD_ALWAYS | FIELD_COLUMN, "entries looked at"),
    F_DIGEST(struct audit_verdict, root, FIELD_COLUMN, "root over them"),
    F_STRING(struct audit_verdict, text, TEXT_LINE_MAX, FIELD_COLUMN, "for people"),
};
const struct record_type audit_verdict_type =
    RECORD_TYPE("audit_verdict", struct audit_verdict, verdict_fields, "what a check of the trail found");

const struct table audit_table = {"audit", &audit_entry_type};
const struct table audit_head_table = {"audit_head", &audit_head_type};
const struct table audit_checkpoint_table = {"audit_checkpoint", &audit_checkpoint_type};

const struct record_type *const audit_types[] = {
    &audit_entry_type, &audit_head_type, &audit_checkpoint_type, &audit_verdict_type, NULL};
const struct table *const audit_tables[] = {&audit_table, &audit_head_table, &audit_checkpoint_table, NULL};
