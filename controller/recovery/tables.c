/* controller/recovery/tables.c: the record types and tables of rollbacks, orders and brakes. */
#include "controller/recovery/recovery.h"

static const char *const state_names[] = {[ROLLBACK_RUNNING] = "running",
    [ROLLBACK_PROVING] = "proving",
    [ROLLBACK_HALTED] = "halted",
    [ROLLBACK_ENDED] = "ended"};
const struct enum_type rollback_state_enum = ENUM_TYPE("rollback_state", state_names);

static const struct field storage_fields[] = {
    F_STRING(struct storage_limit, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY, "its name, as hosts declare it"),
    F_U32(struct storage_limit, restores, STORAGE_RESTORES_MAX, FIELD_REQUIRED,
	"hosts that may restore from it at once; 0: no limit"),
};
const struct record_type storage_limit_type =
    RECORD_TYPE("storage_limit", struct storage_limit, storage_fields, "how much a storage that hosts share bears");

#define S struct recovery_config
static const struct field config_fields[] = {
    F_INLINE(S, fleet, struct fleet_config, &fleet_config_type, 0, "what fleet was configured with"),
    F_DURATION(S, bake_ms, 24 * 3600 * 1000, 0, "a wave must still be healthy this long after its last order",
	.default_text = "10s"),
    F_DURATION(
	S, bake_config_ms, 24 * 3600 * 1000, 0, "the same where configuration alone was put back; 0: half of bake"),
    F_DURATION(S, wave_gap_ms, 24 * 3600 * 1000, 0, "least time between waves, checked by each host"),
    F_U32(S, storage_restores, STORAGE_RESTORES_MAX, 0,
	"hosts that may restore from one shared storage at once; 0: no limit", .default_text = "10"),
    F_LIST(S, storages, &storage_limit_type, STORAGES_MAX, FIELD_KEYED, "storages with a limit of their own"),
    F_STRING(S, controller, NAME_MAX_BYTES, 0, "this controller's name"),
};
#undef S
const struct record_type recovery_config_type =
    RECORD_TYPE("recovery_config", struct recovery_config, config_fields, "how rollbacks are paced");

#define S struct rollback_host
static const struct field host_fields[] = {
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN, "the host"),
    F_U32(S, wave, PLAN_HOSTS_MAX, FIELD_COLUMN | FIELD_ALWAYS, "its wave, from 0"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_COLUMN, "the restore point it goes back to"),
    F_ID(S, order, ORDER, FIELD_WIDE, "its order, once its wave is out"),
    F_STRING(S, storage, NAME_MAX_BYTES, FIELD_WIDE, "what it restores from, where other hosts read from that too"),
    F_ENUM(S, outcome, &order_outcome_enum, FIELD_COLUMN | FIELD_ALWAYS, "how it ended there"),
    F_BOOL(S, proven, FIELD_COLUMN | FIELD_ALWAYS, "healthy by evidence newer than the end of its order"),
    F_BOOL(S, better, 0, "it helped, and what still fails had failed before: another fault"),
    F_BOOL(S, digests_match, FIELD_COLUMN | FIELD_ALWAYS, "its state equals the restore point"),
    F_BOOL(S, judged_bad, 0, "what was put back was in place and looked at, and did not pass"),
    F_TIME(S, ended_ms, 0, "when it ended there"),
    F_TIME(S, host_ended_ms, 0, "the same by the host's clock"),
    F_STRING(S, text, TEXT_LINE_MAX, FIELD_COLUMN | FIELD_PHI, "what the host says"),
};
#undef S
const struct record_type rollback_host_type =
    RECORD_TYPE("rollback_host", struct rollback_host, host_fields, "one host of a rollback");

#define S struct rollback
static const struct field rollback_fields[] = {
    F_ID(S, rollback, ROLLBACK, FIELD_KEY | FIELD_REQUIRED, "its id"),
    F_U64(S, number, 0, FIELD_INDEXED | FIELD_COLUMN, "the number people say: RB-3"),
    F_ENUM(S, state, &rollback_state_enum, FIELD_INDEXED | FIELD_COLUMN | FIELD_ALWAYS, "how far it is"),
    F_ENUM(S, outcome, &order_outcome_enum, FIELD_COLUMN | FIELD_ALWAYS, "how it ended"),
    F_ENUM(S, kind, &order_kind_enum, FIELD_WIDE | FIELD_ALWAYS, "rollback, undo or action"),
    F_STRING(S, action, NAME_MAX_BYTES, FIELD_WIDE, "action: its name"),
    F_ID(S, change, CHANGE, FIELD_INDEXED, "the change that it carries out"),
    F_ID(S, incident, INCIDENT, FIELD_INDEXED, "the incident that it answers"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_INDEXED | FIELD_COLUMN, "the service"),
    F_ENUMS(S, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN, "what is brought back"),
    F_LIST(S, hosts, &rollback_host_type, PLAN_HOSTS_MAX, 0, "every host of the plan"),
    F_U32(S, wave, PLAN_HOSTS_MAX, FIELD_WIDE | FIELD_ALWAYS, "the wave that is out, from 0"),
    F_U32(S, waves, PLAN_HOSTS_MAX, FIELD_WIDE, "how many there are"),
    F_STRING(S, waits_for, NAME_MAX_BYTES, FIELD_WIDE, "hosts of the wave wait until this shared storage has room",
	.column = "WAITS FOR"),
    F_TIME(S, began_ms, FIELD_COLUMN, "when it began"),
    F_TIME(S, wave_began_ms, 0, "when the wave went out"),
    F_TIME(S, ended_ms, FIELD_COLUMN, "when it ended"),
    F_TIME(S, deadline_ms, 0, "when proving, or waiting for the brakes, is given up"),
    F_BOOL(S, automatic, FIELD_COLUMN | FIELD_ALWAYS, "begun by the controller itself under a standing policy"),
    F_BOOL(S, cancelling, 0, "an operator stopped it; what has begun finishes"),
    F_STRING(S, text, TEXT_LINE_MAX, 0, "why it ended so"),
};
#undef S
const struct record_type rollback_type = RECORD_TYPE("rollback", struct rollback, rollback_fields,
    "a service brought back to restore points on its hosts, wave by wave");

#define S struct order_record
static const struct field order_fields[] = {
    F_ID(S, order_id, ORDER, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "its id"),
    F_ID(S, rollback, ROLLBACK, FIELD_INDEXED, "the rollback that it belongs to"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_INDEXED | FIELD_COLUMN | FIELD_REQUIRED, "the host"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service"),
    F_ENUM(S, kind, &order_kind_enum, FIELD_COLUMN | FIELD_ALWAYS, "what is asked"),
    F_ENUM(S, outcome, &order_outcome_enum, FIELD_INDEXED | FIELD_COLUMN | FIELD_ALWAYS, "how it ended"),
    F_RECORD(S, order, struct order, &order_type, 0,
	"the order as it is sent; plan, approvals and policy are with its change"),
    F_U32(S, sends, 0, 0, "how often it was sent"),
    F_TIME(S, asked_ms, FIELD_COLUMN, "when it was made"),
    F_TIME(S, sent_ms, 0, "when it was last sent"),
    F_TIME(S, accepted_ms, 0, "when the host first answered"),
    F_TIME(S, ended_ms, FIELD_COLUMN, "when it ended"),
    F_TIME(S, said_ms, 0, "when what the host last told was so, by its own clock"),
    F_LIST(S, steps, &order_step_type, REPORT_STEPS_MAX, 0, "what the host did"),
    F_ID(S, safety_snapshot, SNAPSHOT, 0, "what an undo goes back to"),
    F_ID(S, ended_on, SNAPSHOT, FIELD_WIDE,
	"a progressive one: the restore point that it ended on, when not the one asked for"),
    F_BOOL(S, digests_match, 0, "the host's state equals the restore point"),
    F_BOOL(S, healthy, 0, "the host's probes passed after it"),
    F_BOOL(
	S, better, 0, "not all of them; something passes that had failed before, and all that fails had failed, too"),
    F_BOOL(S, cancelling, 0, "an operator stopped it before the host answered; the host is told until it does"),
    F_STRING(S, text, TEXT_LINE_MAX, FIELD_COLUMN | FIELD_PHI, "what the host says"),
    F_STRING(S, asked_by, NAME_MAX_BYTES + 16, FIELD_WIDE, "whose word it is"),
};
#undef S
const struct record_type order_record_type =
    RECORD_TYPE("order_record", struct order_record, order_fields, "one order to one host, from asking to its end");

#define S struct storage_hold
static const struct field hold_fields[] = {
    F_ID(S, order_id, ORDER, FIELD_KEY | FIELD_REQUIRED, "the order that was given up"),
    F_STRING(S, storage, NAME_MAX_BYTES, FIELD_INDEXED | FIELD_COLUMN | FIELD_REQUIRED, "the storage"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_INDEXED | FIELD_COLUMN | FIELD_REQUIRED, "the host that may read from it"),
    F_TIME(S, until_ms, FIELD_COLUMN, "how long that may be"),
};
#undef S
const struct record_type storage_hold_type = RECORD_TYPE("storage_hold", struct storage_hold, hold_fields,
    "a place at a shared storage, kept for a host that does not answer and may restore still");

#define S struct restoration
static const struct field restoration_fields[] = {
    F_ID(S, order_id, ORDER, FIELD_KEY | FIELD_REQUIRED, "the order"),
    F_ID(S, rollback, ROLLBACK, 0, "the rollback"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_COLUMN, "the restore point"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_COLUMN, "the host"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_COLUMN, "the service"),
    F_ENUMS(S, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN, "what was brought back"),
    F_TIME(S, began_ms, FIELD_COLUMN, "when the order was made"),
    F_DURATION(S, took_ms, 0, FIELD_COLUMN, "from the order to its end on the host"),
    F_ENUM(S, outcome, &order_outcome_enum, FIELD_COLUMN | FIELD_ALWAYS, "how it ended"),
    F_BOOL(S, digests_match, FIELD_COLUMN | FIELD_ALWAYS, "its state equals the restore point"),
    F_BOOL(S, healthy, FIELD_COLUMN | FIELD_ALWAYS, "its probes passed"),
};
#undef S
const struct record_type restoration_type =
    RECORD_TYPE("system_restoration", struct restoration, restoration_fields, "one host brought back");

#define S struct drill
static const struct field drill_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "the host"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_WIDE, "the restore point that was restored"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when"),
    F_DURATION(S, took_ms, 0, FIELD_COLUMN, "how long it took, with the service's check"),
    F_BOOL(S, ok, FIELD_COLUMN | FIELD_ALWAYS, "everything came back, and passed its check"),
    F_BOOL(S, checked, FIELD_WIDE, "the service's own check was run over it"),
    F_TIME(S, proven_ms, FIELD_COLUMN, "when one last went well"),
    F_STRING(S, text, REPORT_TEXT_MAX, FIELD_WIDE | FIELD_PHI, "why not"),
    F_LIST(S, components, &component_drill_type, COMPONENT_COUNT, 0, "what came back"),
};
#undef S
const struct record_type drill_type =
    RECORD_TYPE("drill", struct drill, drill_fields, "the last restore that a host practised of a service");

#define S struct trouble
static const struct field trouble_fields[] = {
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the host"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service; -: the host itself"),
    F_STRING(S, what, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "what is wrong"),
    F_TIME(S, since_ms, FIELD_COLUMN, "since when"),
    F_TIME(S, told_ms, FIELD_COLUMN, "when people were last told"),
    F_TIME(S, over_ms, FIELD_COLUMN, "when it was over; none: it lasts"),
};
#undef S
const struct record_type trouble_type =
    RECORD_TYPE("trouble", struct trouble, trouble_fields, "what is wrong with the ways back of a host");

#define S struct reach_record
static const struct field reach_record_fields[] = {
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(S, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "the host"),
    F_TIME(S, at_ms, FIELD_COLUMN, "when that was told"),
    F_ENUM(S, archive, &archive_state_enum, FIELD_COLUMN, "of its database's log"),
    F_TIME(S, covered_ms, FIELD_COLUMN, "every moment up to then can be reached by that log"),
    F_BOOL(S, copies, FIELD_COLUMN, "copies off the host are declared"),
    F_TIME(S, copied_ms, FIELD_COLUMN, "every moment up to then is off the host, by that log"),
    F_TIME(S, copied_point_ms, FIELD_COLUMN, "when the newest restore point that is off the host was taken"),
    F_STRING(S, text, TEXT_LINE_MAX, FIELD_WIDE | FIELD_PHI, "what is wrong with the archive"),
};
#undef S
const struct record_type reach_record_type = RECORD_TYPE("reach_record", struct reach_record, reach_record_fields,
    "how far a host can bring a service back beyond restore points");

#define S struct brakes
static const struct field brakes_fields[] = {
    F_STRING(S, scope, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED, "always \"fleet\""),
    F_U64(S, epoch, 0, FIELD_COLUMN | FIELD_ALWAYS, "hosts obey no lower one than they have seen"),
    F_BOOL(S, observing, FIELD_COLUMN | FIELD_ALWAYS, "the controller commands nothing until an operator confirms it"),
    F_BOOL(S, halted, FIELD_COLUMN | FIELD_ALWAYS, "nothing new begins anywhere"),
    F_STRING(S, by, NAME_MAX_BYTES, FIELD_COLUMN, "who set it"),
    F_STRING(S, reason, TEXT_LINE_MAX, FIELD_COLUMN, "why"),
    F_TIME(S, since_ms, FIELD_COLUMN, "since when"),
};
#undef S
const struct record_type brakes_type =
    RECORD_TYPE("brakes", struct brakes, brakes_fields, "what holds all automation back");

const struct table rollback_table = {"rollback", &rollback_type};
const struct table order_table = {"order", &order_record_type};
const struct table storage_hold_table = {"storage_hold", &storage_hold_type};
const struct table restoration_table = {"system_restoration", &restoration_type};
const struct table drill_table = {"drill", &drill_type};
const struct table reach_table = {"reach", &reach_record_type};
const struct table trouble_table = {"trouble", &trouble_type};
const struct table brakes_table = {"brakes", &brakes_type};

const struct record_type *const recovery_types[] = {&storage_limit_type, &recovery_config_type, &rollback_host_type,
    &rollback_type, &order_record_type, &storage_hold_type, &restoration_type, &drill_type, &reach_record_type,
    &trouble_type, &brakes_type, NULL};
const struct table *const recovery_tables[] = {&rollback_table, &order_table, &storage_hold_table, &restoration_table,
    &drill_table, &reach_table, &trouble_table, &brakes_table, NULL};
