/* controller/fleet/records.c: the record types and tables of the fleet. */
#include "controller/fleet/fleet.h"

static const char *const state_names[] = {"never_seen", "connected", "silent", "barred", "revoked"};
const struct enum_type host_state_enum = ENUM_TYPE("host_state", state_names);

static const struct field config_fields[] = {
    F_DURATION(struct fleet_config, heartbeat_ms, 3600 * 1000, 0, "a host reports at least this often",
	.default_text = "30s", .min = 100),
    F_DURATION(struct fleet_config, proof_ms, 7 * 24 * 3600 * 1000ull, 0,
	"how long a restore point must have run healthy before it is known good", .default_text = "5m"),
};
const struct record_type fleet_config_type =
    RECORD_TYPE("fleet_config", struct fleet_config, config_fields, "how hosts are watched");

static const struct field host_fields[] = {
    F_STRING(struct host, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "as in its certificate",
	.column = "HOST"),
    F_ENUM(
	struct host, state, &host_state_enum, FIELD_ALWAYS | FIELD_INDEXED | FIELD_COLUMN, "whether it can be reached"),
    F_TIME(struct host, since_ms, FIELD_COLUMN, "since when", .column = "SINCE"),
    F_ID(struct host, boot, BOOT, FIELD_WIDE, "the run of the agent that counts"),
    F_IDS(struct host, boots, BOOT, FLEET_BOOTS_MAX, 0, "earlier runs, newest last"),
    F_U32(struct host, returns, 0, 0, "how often an earlier run came back: two machines, one identity"),
    F_TIME(struct host, returned_ms, 0, "the first of those times"),
    F_STRING(struct host, version, NAME_MAX_BYTES, FIELD_COLUMN, "of the agent"),
    F_STRINGS(struct host, capabilities, CAPABILITIES_MAX, 0, "what the agent can do"),
    F_TIME(struct host, doubted_ms, 0, "when what leans on it last gave reason to doubt that it is there"),
    F_TIME(struct host, awaited_ms, 0, "the controller began: until then it may come back"),
    F_TIME(struct host, first_seen_ms, FIELD_WIDE, "first connection"),
    F_TIME(struct host, last_seen_ms, FIELD_COLUMN, "last word from it", .column = "LAST SEEN"),
    F_U64(struct host, acknowledged, 0, FIELD_WIDE, "highest report sequence that is stored"),
    F_U64(struct host, epoch_seen, 0, 0, "highest fencing epoch that it has obeyed"),
    F_U64(struct host, hello_uptime_ms, 0, 0, "the host's own clock at the newest hello of this run"),
    F_I64(struct host, skew_ms, FIELD_WIDE, "controller's clock minus the host's"),
    F_BOOL(struct host, skewed, FIELD_COLUMN, "its clock is wrong"),
    F_BOOL(struct host, lagging, FIELD_COLUMN, "its agent cannot keep up: its probes say nothing"),
    F_TIME(struct host, certificate_expires_ms, FIELD_WIDE, "end of its certificate", .column = "CERTIFICATE"),
    F_STRING(struct host, note, TEXT_LINE_MAX, FIELD_WIDE, "why it is barred or revoked"),
};
const struct record_type host_type = RECORD_TYPE("host", struct host, host_fields, "a machine with an agent");

static const struct field service_fields[] = {
    F_STRING(struct service, name, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "its name",
	.column = "SERVICE"),
    F_STRINGS(struct service, depends_on, FLEET_DEPENDS_MAX, FIELD_COLUMN, "services that it leans on"),
    F_TIME(struct service, first_seen_ms, FIELD_WIDE, "first declared"),
    F_BOOL(struct service, undeclared, FIELD_COLUMN, "no host declares it any more"),
};
const struct record_type service_type =
    RECORD_TYPE("service", struct service, service_fields, "a named thing that runs on one or more hosts");

static const struct field placement_fields[] = {
    F_STRING(struct placement, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(
	struct placement, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "the host"),
    F_ENUMS(struct placement, components, &component_enum, COMPONENT_COUNT, FIELD_COLUMN, "what it is made of there"),
    F_ENUMS(struct placement, automatic, &component_enum, COMPONENT_COUNT, FIELD_WIDE,
	"what the host lets a standing policy roll back"),
    F_LIST(struct placement, actions, &declared_action_type, DECLARED_ACTIONS_MAX, 0, "what it may be asked to run"),
    F_STRINGS(struct placement, depends_on, FLEET_DEPENDS_MAX, 0, "as this host declares it"),
    F_U32(struct placement, probes, 0, FIELD_COLUMN, "how many probes watch it"),
    F_DURATION(struct placement, answer_ms, 0, FIELD_WIDE,
	"its probes, asked now, have said how it is within this; 0: not said"),
    F_DURATION(struct placement, snapshot_every_ms, 0, FIELD_COLUMN, "how often it is snapshotted",
	.column = "SNAPSHOT EVERY"),
    F_BOOL(struct placement, self_affecting, FIELD_WIDE, "its rollback may cut the host off"),
    F_STRING(struct placement, storage, NAME_MAX_BYTES, FIELD_WIDE,
	"what its restore points are read from, where other hosts read from that too"),
    F_TIME(struct placement, since_ms, FIELD_WIDE, "first declared"),
    F_BOOL(struct placement, undeclared, FIELD_COLUMN, "the host does not declare it any more"),
    F_ENUM(struct placement, health, &health_enum, FIELD_ALWAYS, "as health last told"),
    F_TIME(struct placement, health_since_ms, 0, "since when"),
};
const struct record_type placement_type =
    RECORD_TYPE("placement", struct placement, placement_fields, "a service on a host");

static const struct field snapshot_fields[] = {
    F_ID(struct system_snapshot, snapshot, SNAPSHOT, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the restore point"),
    F_STRING(struct system_snapshot, service, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN,
	"of this service"),
    F_STRING(
	struct system_snapshot, host, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "on this host"),
    F_STRING(struct system_snapshot, place, FLEET_PLACE_MAX, FIELD_INDEXED, "service/host while it exists"),
    F_ENUM(struct system_snapshot, reason, &snapshot_reason_enum, FIELD_ALWAYS | FIELD_COLUMN, "why it was taken"),
    F_TIME(struct system_snapshot, taken_ms, FIELD_COLUMN, "when", .column = "TAKEN"),
    F_DURATION(struct system_snapshot, took_ms, 0, FIELD_WIDE, "how long it took", .column = "TOOK"),
    F_SIZE(struct system_snapshot, stored_bytes, 0, FIELD_COLUMN, "new bytes in the repository", .column = "STORED"),
    F_LIST(struct system_snapshot, components, &component_point_type, COMPONENT_COUNT, 0, "what it holds"),
    F_BOOL(struct system_snapshot, suspect, FIELD_COLUMN, "taken during an incident or as a safety net"),
    F_BOOL(struct system_snapshot, verified, FIELD_COLUMN, "read back and authenticated whole"),
    F_BOOL(struct system_snapshot, damaged, FIELD_WIDE, "read back and not whole"),
    F_TIME(struct system_snapshot, read_back_ms, FIELD_WIDE, "when it was last told to be verified"),
    F_BOOL(struct system_snapshot, removed, FIELD_WIDE, "pruned on the host"),
    F_ID(struct system_snapshot, incident, INCIDENT, 0, "open on the service when it was taken"),
    F_BOOL(struct system_snapshot, new_make, 0, "its config or code differs from the restore point before it"),
    F_BOOL(struct system_snapshot, healthy_when_taken, FIELD_COLUMN, "the service was healthy when it was taken",
	.column = "HEALTHY"),
    F_TIME(struct system_snapshot, healthy_since_ms, 0, "it is what runs now, healthy since"),
    F_DURATION(struct system_snapshot, healthy_ms, 0, FIELD_WIDE, "longest time that it was seen to run healthy",
	.column = "PROVEN"),
    F_TIME(struct system_snapshot, left_ms, 0, "what runs differs from it since"),
    F_STRING(struct system_snapshot, condemned, TEXT_LINE_MAX, FIELD_WIDE, "why it must not be gone back to"),
};
const struct record_type system_snapshot_type = RECORD_TYPE("system_snapshot", struct system_snapshot, snapshot_fields,
    "a restore point: every component of a service on a host at one moment");

static const struct field drift_fields[] = {
    F_STRING(struct drift, service, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_COLUMN, "the service"),
    F_STRING(struct drift, host, NAME_MAX_BYTES, FIELD_KEY | FIELD_REQUIRED | FIELD_INDEXED | FIELD_COLUMN, "the host"),
    F_ENUM(struct drift, component, &component_enum, FIELD_KEY | FIELD_ALWAYS | FIELD_COLUMN, "the component"),
    F_ID(struct drift, snapshot, SNAPSHOT, FIELD_COLUMN, "compared with"),
    F_U64(struct drift, changed, 0, FIELD_ALWAYS | FIELD_COLUMN, "files that differ"),
    F_U64(struct drift, grown_bytes, 0, FIELD_WIDE, "by which it is larger"),
    F_U64(struct drift, metadata, 0, FIELD_WIDE, "of which only owner, mode or time is another"),
    F_U64(struct drift, added, 0, FIELD_ALWAYS | FIELD_COLUMN, "files that are new"),
    F_U64(struct drift, removed, 0, FIELD_ALWAYS | FIELD_COLUMN, "files that are gone"),
    F_TIME(struct drift, newest_change_ms, FIELD_COLUMN, "when the newest of them changed", .column = "CHANGED AT"),
    F_DIGEST(struct drift, digest, FIELD_WIDE, "of what was there then"),
    F_TIME(struct drift, seen_ms, FIELD_WIDE, "when it was reported", .column = "SEEN"),
    F_STRINGS(struct drift, paths, REPORT_PATHS_MAX, 0, "some of them, below the component"),
    F_BOOL(struct drift, checked, FIELD_WIDE, "the service's own check was run on what is there now"),
    F_STRING(struct drift, refused, TEXT_LINE_MAX, FIELD_WIDE | FIELD_PHI, "what the check has against it"),
    F_BOOL(struct drift, refused_elsewhere, FIELD_WIDE, "that is about a file outside of it, which changed later"),
    F_STRING(struct drift, version_before, TEXT_LINE_MAX, FIELD_WIDE, "commit or release of the restore point"),
    F_STRING(struct drift, version_now, TEXT_LINE_MAX, FIELD_WIDE, "commit or release that is there now"),
};
const struct record_type drift_type =
    RECORD_TYPE("drift", struct drift, drift_fields, "how a component differs from its last restore point");

const struct table host_table = {"host", &host_type};
const struct table service_table = {"service", &service_type};
const struct table placement_table = {"placement", &placement_type};
const struct table system_snapshot_table = {"system_snapshot", &system_snapshot_type};
const struct table drift_table = {"drift", &drift_type};

const struct record_type *const fleet_types[] = {
    &fleet_config_type, &host_type, &service_type, &placement_type, &system_snapshot_type, &drift_type, NULL};
const struct table *const fleet_tables[] = {
    &host_table, &service_table, &placement_table, &system_snapshot_table, &drift_table, NULL};
