/* controller/notify/records.c: the record types and tables of notifications. */
#include "controller/notify/notify.h"

static const char *const kind_names[] = {"file", "smtp", "webhook"};
const struct enum_type notify_kind_enum = ENUM_TYPE("notify_kind", kind_names);
static const char *const event_names[] = {"opened", "worsened", "relapsed", "overdue", "approval", "stopped", "failed",
    "resolved", "review", "changed", "host"};
const struct enum_type notify_event_enum = ENUM_TYPE("notify_event", event_names);
static const char *const state_names[] = {"pending", "sent", "failed", "suppressed"};
const struct enum_type notification_state_enum = ENUM_TYPE("notification_state", state_names);

static const struct field notification_fields[] = {
    F_ID(struct notification, notification, NOTIFICATION, FIELD_KEY | FIELD_REQUIRED | FIELD_WIDE,
	"also the idempotency key at the receiver", .column = "ID"),
    F_STRING(struct notification, key, NOTIFY_KEY_MAX, FIELD_REQUIRED | FIELD_INDEXED, "said at most once"),
    F_ID(struct notification, incident, INCIDENT, FIELD_INDEXED | FIELD_WIDE, "what it is about"),
    F_ENUM(struct notification, event, &notify_event_enum, FIELD_ALWAYS | FIELD_COLUMN, "what happened"),
    F_U32(struct notification, level, 0, FIELD_COLUMN, "of the on-call list, from 0"),
    F_U32(struct notification, round, 0, 0, "how often the list was gone through before"),
    F_STRING(struct notification, person, NAME_MAX_BYTES, FIELD_COLUMN, "for whom"),
    F_STRING(struct notification, channel, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "by which way"),
    F_STRING(struct notification, recipient, NOTIFY_ADDRESS_MAX, FIELD_WIDE, "the address"),
    F_STRING(struct notification, subject, NOTIFY_SUBJECT_MAX, FIELD_COLUMN, "one line"),
    F_STRING(struct notification, body, NOTIFY_BODY_MAX, 0, "the rest"),
    F_ENUM(struct notification, state, &notification_state_enum, FIELD_ALWAYS | FIELD_INDEXED | FIELD_COLUMN,
	"how it went"),
    F_U32(struct notification, attempts, 0, FIELD_WIDE, "how often it was tried"),
    F_TIME(struct notification, created_ms, FIELD_COLUMN, "when it was made", .column = "TIME"),
    F_TIME(struct notification, next_attempt_ms, 0, "when it is tried again"),
    F_TIME(struct notification, sent_ms, FIELD_WIDE, "when it arrived", .column = "SENT"),
    F_STRING(struct notification, error, TEXT_LINE_MAX, FIELD_WIDE, "of the last attempt, or why it is not sent"),
    F_ID(struct notification, instead_of, NOTIFICATION, 0, "the failed one that it replaces"),
};
const struct record_type notification_type =
    RECORD_TYPE("notification", struct notification, notification_fields, "what was said to whom, and how it went");

static const struct field outbox_fields[] = {
    F_ID(struct outbox, notification, NOTIFICATION, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN,
	"what is to be delivered"),
    F_STRING(struct outbox, channel, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "by which way"),
    F_ENUM(struct outbox, kind, &notify_kind_enum, FIELD_ALWAYS | FIELD_COLUMN, "of the channel"),
    F_STRING(struct outbox, recipient, NOTIFY_ADDRESS_MAX, FIELD_COLUMN, "the address"),
    F_STRING(struct outbox, subject, NOTIFY_SUBJECT_MAX, FIELD_COLUMN, "one line"),
    F_STRING(struct outbox, body, NOTIFY_BODY_MAX, 0, "the rest"),
    F_STRING(struct outbox, payload, NOTIFY_BODY_MAX, 0, "JSON for webhooks and files"),
    F_U32(struct outbox, attempts, 0, FIELD_COLUMN, "how often it was tried"),
    F_TIME(struct outbox, due_ms, FIELD_COLUMN, "when it is tried again", .column = "DUE"),
};
const struct record_type outbox_type =
    RECORD_TYPE("outbox", struct outbox, outbox_fields, "a message that is still to be delivered");

static const struct field escalation_fields[] = {
    F_ID(struct escalation, incident, INCIDENT, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the incident"),
    F_ENUM(struct escalation, event, &notify_event_enum, FIELD_ALWAYS | FIELD_COLUMN, "what began it"),
    F_STRING(struct escalation, detail, NOTIFY_DETAIL_MAX, 0, "which time"),
    F_U32(struct escalation, level, 0, FIELD_COLUMN, "told last"),
    F_U32(struct escalation, round, 0, FIELD_COLUMN, "how often the list was gone through before"),
    F_TIME(struct escalation, next_ms, FIELD_COLUMN, "when the next level is told", .column = "NEXT"),
};
const struct record_type escalation_type =
    RECORD_TYPE("escalation", struct escalation, escalation_fields, "how far the paging of an incident is");

const struct table notification_table = {"notification", &notification_type};
const struct table outbox_table = {"outbox", &outbox_type};
const struct table escalation_table = {"escalation", &escalation_type};

const struct record_type *const notify_types[] = {&notify_config_type, &notify_channel_type, &notify_level_type,
    &notify_person_type, &notification_type, &outbox_type, &escalation_type, NULL};
const struct table *const notify_tables[] = {&notification_table, &outbox_table, &escalation_table, NULL};
