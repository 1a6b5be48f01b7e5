#include "agent/config/check.h"

/* ---- components ---- */

static const struct field postgres_fields[] = {
    F_STRING(struct postgres_config, data_directory, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN,
	"the cluster's data directory"),
    F_STRING(struct postgres_config, bin_directory, PATH_LIMIT, 0, "where postgres and pg_ctl are",
	.default_text = "/usr/lib/postgresql/15/bin"),
    F_STRING(struct postgres_config, socket_directory, PATH_LIMIT, 0, "where the server's socket is",
	.default_text = "/var/run/postgresql"),
    F_U32(struct postgres_config, port, 65535, FIELD_COLUMN, "the server's port", .default_text = "5432", .min = 1),
    F_STRING(struct postgres_config, user, NAME_MAX_BYTES, 0,
	"the database user; the system user too, unless run_as says how to become it", .default_text = "postgres"),
    F_STRINGS(struct postgres_config, run_as, CONFIG_ARGV_MAX, 0,
	"argv put before every program of the cluster; empty: become the system user"),
    F_BOOL(struct postgres_config, wal_archive, 0, "archive the write-ahead log too: any moment can be restored"),
    F_DURATION(struct postgres_config, rpo_ms, CONFIG_RPO_MAX_MS, 0,
	"with wal_archive: how much may be lost with the host; told within a minute when it is more",
	.default_text = "5m", .min = CONFIG_RPO_LEAST_MS),
    F_DURATION(struct postgres_config, wal_keep_ms, CONFIG_WAL_KEEP_MAX_MS, 0,
	"how far back any moment can be reached; restore points beyond it bring back themselves; 0s: as far as they go",
	.default_text = "35d"),
    F_BOOL(struct postgres_config, unwatched, 0,
	"no probes of its sessions, locks, certificate and log are made but those that `probes` names"),
    F_STRING(struct postgres_config, prove_database, NAME_MAX_BYTES, 0, "the database that `prove` is asked in",
	.default_text = "postgres"),
    F_STRINGS(struct postgres_config, prove, CONFIG_ARGV_MAX, FIELD_SCALAR_OK,
	"SQL that a restored database must answer in a drill: an error, no row, an empty or false first column is a fault"),
};
static const struct record_type postgres_config_type = RECORD_TYPE(
    "postgres_config", struct postgres_config, postgres_fields, "a PostgreSQL cluster", .check = check_postgres);

static const struct field sqlite_fields[] = {
    F_STRING(struct sqlite_config, file, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN, "the main file of the database"),
};
static const struct record_type sqlite_config_type =
    RECORD_TYPE("sqlite_config", struct sqlite_config, sqlite_fields, "a SQLite database", .check = check_sqlite);

static const struct field redis_fields[] = {
    F_STRING(struct redis_config, data_directory, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN,
	"the server's `dir`, which holds its files and nothing else"),
    F_STRING(struct redis_config, address, CONFIG_ADDRESS_MAX, FIELD_COLUMN, "host:port, [v6]:port or unix:/path",
	.default_text = "127.0.0.1:6379"),
    F_STRING(
	struct redis_config, password_file, PATH_LIMIT, 0, "a file that holds its password; none: it asks for none"),
    F_STRING(struct redis_config, file, NAME_MAX_BYTES, 0, "the server's `dbfilename`", .default_text = "dump.rdb"),
};
static const struct record_type redis_config_type =
    RECORD_TYPE("redis_config", struct redis_config, redis_fields, "a Redis server", .check = check_redis);

static const char *const mariadb_methods[] = {"physical", "dump"};
static const struct enum_type mariadb_method_enum = ENUM_TYPE("mariadb_method", mariadb_methods);
static const struct field mariadb_fields[] = {
    F_STRING(struct mariadb_config, data_directory, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN,
	"the server's data directory; the programs run as its owner"),
    F_STRING(struct mariadb_config, socket, PATH_LIMIT, FIELD_COLUMN, "the server's socket",
	.default_text = "/run/mysqld/mysqld.sock"),
    F_STRING(struct mariadb_config, credentials_file, PATH_LIMIT, 0,
	"an option file with [client], user and password, that the owner may read and others may not; none: the owner "
	"logs in by the socket"),
    F_ENUM(struct mariadb_config, method, &mariadb_method_enum, FIELD_COLUMN,
	"physical: mariadb-backup, by pages; dump: mariadb-dump, for InnoDB alone", .default_text = "physical"),
    F_STRINGS(struct mariadb_config, prove, CONFIG_ARGV_MAX, FIELD_SCALAR_OK,
	"SQL that a restored database must answer in a drill: an error, no row, an empty, NULL or 0 first column is a "
	"fault"),
};
static const struct record_type mariadb_config_type =
    RECORD_TYPE("mariadb_config", struct mariadb_config, mariadb_fields, "a MariaDB server", .check = check_mariadb);

static const struct field hooks_fields[] = {
    F_STRING(struct hooks_config, data_directory, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN,
	"the folder that holds all of it and nothing else"),
    F_STRINGS(struct hooks_config, freeze, CONFIG_ARGV_MAX, FIELD_REQUIRED,
	"program and arguments that make its files stand still; no shell"),
    F_STRINGS(struct hooks_config, thaw, CONFIG_ARGV_MAX, FIELD_REQUIRED,
	"that let it go on; run in every case, after a failed freeze and a killed agent too, and must do no harm when "
	"nothing is frozen"),
    F_DURATION(struct hooks_config, deadline_ms, CONFIG_FREEZE_MAX_MS, 0,
	"it is thawed then, whatever has become of the copy", .default_text = "1m", .min = 100),
};
static const struct record_type hooks_config_type = RECORD_TYPE(
    "hooks_config", struct hooks_config, hooks_fields, "a database that stands still on demand", .check = check_hooks);

static const struct field component_fields[] = {
    F_STRINGS(struct component_config, paths, CONFIG_PATHS_MAX, FIELD_COLUMN | FIELD_SCALAR_OK,
	"plain trees or files, absolute"),
    F_STRING(struct component_config, git, PATH_LIMIT, FIELD_COLUMN, "a git work tree"),
    F_STRING(struct component_config, release, PATH_LIMIT, FIELD_COLUMN,
	"a symbolic link to one of several releases beside it"),
    F_RECORD(struct component_config, postgres, struct postgres_config, &postgres_config_type, FIELD_SCALAR_OK,
	"a PostgreSQL cluster"),
    F_RECORD(struct component_config, sqlite, struct sqlite_config, &sqlite_config_type, FIELD_SCALAR_OK,
	"a SQLite database"),
    F_RECORD(
	struct component_config, redis, struct redis_config, &redis_config_type, FIELD_SCALAR_OK, "a Redis server"),
    F_RECORD(struct component_config, mariadb, struct mariadb_config, &mariadb_config_type, FIELD_SCALAR_OK,
	"a MariaDB server"),
    F_RECORD(struct component_config, exec, struct hooks_config, &hooks_config_type, 0,
	"any database that stands still on demand"),
    F_STRINGS(
	struct component_config, exclude, CONFIG_PATHS_MAX, FIELD_SCALAR_OK, "globs below the paths that are left out"),
    F_STRINGS(struct component_config, never_restore, CONFIG_PATHS_MAX, FIELD_SCALAR_OK,
	"absolute paths that are snapshotted but never put back"),
    F_STRINGS(struct component_config, secrets, CONFIG_PATHS_MAX, FIELD_SCALAR_OK,
	"absolute paths of secrets that are rotated: a restore point that holds others is not put back"),
    F_STRINGS(struct component_config, schema, CONFIG_ARGV_MAX, 0,
	"program and arguments that print its schema's version: no rollback of the others goes past a change of it"),
    F_BOOL(struct component_config, refuse_open_writers, 0,
	"refuse a rollback while another process has a file below open for writing"),
    F_BOOL(struct component_config, stop_open_writers, 0,
	"end such processes instead, once the service itself is stopped"),
};
const struct record_type component_config_type = RECORD_TYPE("component_config", struct component_config,
    component_fields, "where one component of a service is", .check = check_component);

#define COMPONENT(M, DOC) F_RECORD(struct components_config, M, struct component_config, &component_config_type, 0, DOC)
static const struct field components_fields[] = {
    COMPONENT(config, "its configuration: paths"),
    COMPONENT(code, "its program: one of git, release and paths"),
    COMPONENT(data, "its files: paths"),
    COMPONENT(database, "its database: one of postgres, sqlite, redis, mariadb and exec"),
};
static const struct record_type components_config_type = RECORD_TYPE("components_config", struct components_config,
    components_fields, "what a service consists of", .check = check_components);

static const struct field steps_fields[] = {
    F_STRINGS(struct steps_config, stop, CONFIG_ARGV_MAX, 0, "program and arguments that stop the service; no shell"),
    F_STRINGS(struct steps_config, start, CONFIG_ARGV_MAX, 0, "that start it"),
    F_STRINGS(struct steps_config, reload, CONFIG_ARGV_MAX, 0, "that make it read its configuration again"),
    F_STRINGS(struct steps_config, check, CONFIG_ARGV_MAX, 0, "that check a configuration before it is used"),
    F_DURATION(struct steps_config, timeout_ms, CONFIG_STEP_TIMEOUT_MAX_MS, 0, "for each of them", .default_text = "1m",
	.min = 100),
};
static const struct record_type steps_config_type = RECORD_TYPE(
    "steps_config", struct steps_config, steps_fields, "how a service is stopped and started", .check = check_steps);

/* ---- probes ---- */

static const struct field http_fields[] = {
    F_STRING(struct http_probe, url, CONFIG_URL_MAX, FIELD_REQUIRED | FIELD_COLUMN, "http:// or https://"),
    F_U32(struct http_probe, expect, 599, 0, "the status of a good answer", .default_text = "200", .min = 100),
    F_STRING(struct http_probe, contains, CONFIG_CONTAINS_MAX, 0, "text that the first 64 KiB of the body must hold"),
    F_STRING(struct http_probe, authority, PATH_LIMIT, 0, "PEM file that https is checked against; none: the system's"),
    F_STRING(struct http_probe, host_header, CONFIG_ADDRESS_MAX, 0, "Host header; none: from the url"),
};
static const struct record_type http_probe_type =
    RECORD_TYPE("http_probe", struct http_probe, http_fields, "fetches a page", .check = check_http);

static const struct field tcp_fields[] = {
    F_STRING(struct tcp_probe, address, CONFIG_ADDRESS_MAX, FIELD_REQUIRED | FIELD_COLUMN,
	"host:port, [v6]:port or unix:/path"),
};
static const struct record_type tcp_probe_type =
    RECORD_TYPE("tcp_probe", struct tcp_probe, tcp_fields, "opens a connection", .check = check_tcp);

static const struct field tls_fields[] = {
    F_STRING(struct tls_probe, address, CONFIG_ADDRESS_MAX, FIELD_REQUIRED | FIELD_COLUMN, "host:port or [v6]:port"),
    F_STRING(struct tls_probe, name, CONFIG_ADDRESS_MAX, 0, "server name to ask for; none: the address's host"),
    F_DURATION(struct tls_probe, warn_ms, 0, 0, "warn when the certificate ends sooner", .default_text = "14d"),
    F_DURATION(struct tls_probe, critical_ms, 0, 0, "critical when it ends sooner", .default_text = "3d"),
};
static const struct record_type tls_probe_type =
    RECORD_TYPE("tls_probe", struct tls_probe, tls_fields, "looks at a server's certificate", .check = check_tls);

static const struct field process_fields[] = {
    F_STRING(struct process_probe, pid_file, PATH_LIMIT, FIELD_COLUMN, "file that holds the process id"),
    F_STRING(struct process_probe, name, NAME_MAX_BYTES, FIELD_COLUMN, "the program's name"),
    F_U32(struct process_probe, least, 10000, 0, "at least this many of that name", .default_text = "1", .min = 1),
};
static const struct record_type process_probe_type =
    RECORD_TYPE("process_probe", struct process_probe, process_fields, "looks for a process", .check = check_process);

static const struct field disk_fields[] = {
    F_STRING(struct disk_probe, path, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN, "any path on the file system"),
    F_F64(struct disk_probe, warn_percent, 0, "warn from here on, of space or inodes", .default_text = "85"),
    F_F64(struct disk_probe, critical_percent, 0, "critical from here on", .default_text = "95"),
};
static const struct record_type disk_probe_type =
    RECORD_TYPE("disk_probe", struct disk_probe, disk_fields, "how full a file system is", .check = check_disk);

static const struct field load_fields[] = {
    F_F64(struct load_probe, warn_percent, 0, "warn from here on", .default_text = "85"),
    F_F64(struct load_probe, critical_percent, 0, "critical from here on", .default_text = "95"),
};
static const struct record_type load_probe_type = RECORD_TYPE(
    "load_probe", struct load_probe, load_fields, "how busy the processor or full the memory is", .check = check_load);

static const struct field age_fields[] = {
    F_STRING(struct age_probe, path, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN, "a file that something keeps fresh"),
    F_DURATION(struct age_probe, warn_ms, 0, FIELD_REQUIRED, "warn when it is older"),
    F_DURATION(struct age_probe, critical_ms, 0, FIELD_REQUIRED, "critical when it is older"),
};
static const struct record_type age_probe_type =
    RECORD_TYPE("age_probe", struct age_probe, age_fields, "how old a file is", .check = check_age);

static const struct field postgres_probe_fields[] = {
    F_F64(struct postgres_probe, warn_percent, 0, "warn from here on, of its connections", .default_text = "80"),
    F_DURATION(
	struct postgres_probe, wait_ms, 0, 0, "warn when a session waits this long for a lock", .default_text = "30s"),
    F_DURATION(struct postgres_probe, warn_ms, 0, 0, "warn when its certificate ends sooner", .default_text = "14d"),
    F_DURATION(struct postgres_probe, critical_ms, 0, 0, "critical when it ends sooner", .default_text = "3d"),
};
static const struct record_type postgres_probe_type =
    RECORD_TYPE("postgres_probe", struct postgres_probe, postgres_probe_fields,
	"asks the service's PostgreSQL cluster for its sessions, locks and certificate", .check = check_postgres_probe);

static const struct field probe_fields[] = {
    F_STRING(struct probe_config, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"unique in its service; a-z, 0-9 and hyphens"),
    F_ENUM(struct probe_config, tier, &probe_tier_enum, FIELD_COLUMN, "how deep it looks"),
    F_DURATION(struct probe_config, every_ms, CONFIG_EVERY_MAX_MS, FIELD_COLUMN,
	"how often; none: the tier's 30 s, 5 min, 30 min"),
    F_DURATION(struct probe_config, timeout_ms, CONFIG_PROBE_TIMEOUT_MAX_MS, FIELD_COLUMN,
	"how long one run may take; less than every", .default_text = "5s", .min = 1),
    F_U32(struct probe_config, rise, CONFIG_RUNS_MAX, 0, "good results in a row that turn it good", .default_text = "2",
	.min = 1),
    F_U32(struct probe_config, fall, CONFIG_RUNS_MAX, 0, "bad results in a row that turn it bad", .default_text = "2",
	.min = 1),
    F_DURATION(struct probe_config, slow_ms, CONFIG_PROBE_TIMEOUT_MAX_MS, 0,
	"a good answer slower than this is a warning", .default_text = "1s", .min = 1),
    F_RECORD(struct probe_config, http, struct http_probe, &http_probe_type, FIELD_SCALAR_OK, "kind: fetch a page"),
    F_RECORD(struct probe_config, tcp, struct tcp_probe, &tcp_probe_type, FIELD_SCALAR_OK, "kind: open a connection"),
    F_RECORD(
	struct probe_config, tls, struct tls_probe, &tls_probe_type, FIELD_SCALAR_OK, "kind: a server's certificate"),
    F_STRINGS(struct probe_config, exec, CONFIG_ARGV_MAX, 0, "kind: a Nagios plugin, program and arguments; no shell"),
    F_RECORD(
	struct probe_config, process, struct process_probe, &process_probe_type, FIELD_SCALAR_OK, "kind: a process"),
    F_RECORD(
	struct probe_config, disk, struct disk_probe, &disk_probe_type, FIELD_SCALAR_OK, "kind: a file system's room"),
    F_RECORD(struct probe_config, folder, struct disk_probe, &disk_probe_type, FIELD_SCALAR_OK,
	"kind: what the files right in a folder take, of that and the free room"),
    F_RECORD(struct probe_config, cpu, struct load_probe, &load_probe_type, 0, "kind: the processor"),
    F_RECORD(struct probe_config, memory, struct load_probe, &load_probe_type, 0, "kind: the memory"),
    F_RECORD(struct probe_config, age, struct age_probe, &age_probe_type, 0, "kind: a file's age"),
    F_RECORD(struct probe_config, postgres, struct postgres_probe, &postgres_probe_type, 0,
	"kind: the service's PostgreSQL cluster from inside"),
};
const struct record_type probe_config_type = RECORD_TYPE("probe_config", struct probe_config, probe_fields,
    "one check of a service, of exactly one kind", .check = check_probe);

/* ---- services ---- */

static const struct field log_fields[] = {
    F_STRING(struct log_config, file, PATH_LIMIT, FIELD_COLUMN, "a file, or a glob of files"),
    F_STRING(struct log_config, journal, CONFIG_ADDRESS_MAX, FIELD_COLUMN, "a systemd unit"),
};
static const struct record_type log_config_type = RECORD_TYPE(
    "log_config", struct log_config, log_fields, "a log that is watched: file or journal", .check = check_log);

static const struct field version_fields[] = {
    F_STRING(struct version_config, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN,
	"of what: config_schema"),
    F_STRING(struct version_config, file, PATH_LIMIT, FIELD_REQUIRED | FIELD_COLUMN, "the file whose first line it is"),
};
static const struct record_type version_config_type = RECORD_TYPE("version_config", struct version_config,
    version_fields, "a version that restore points note", .check = check_version);

#define KEEP(M, DEFAULT, DOC) F_U32(struct keep_config, M, CONFIG_KEEP_MAX, 0, DOC, .default_text = DEFAULT)
static const struct field keep_fields[] = {
    KEEP(hourly, "24", "the newest of each of so many hours"),
    KEEP(daily, "7", "of each of so many days"),
    KEEP(weekly, "4", "of each of so many weeks"),
    KEEP(monthly, "0", "of each of so many months"),
};
static const struct record_type keep_config_type =
    RECORD_TYPE("keep_config", struct keep_config, keep_fields, "which snapshots are kept when others are pruned");

static const struct field snapshots_fields[] = {
    F_DURATION(struct snapshots_config, every_ms, CONFIG_EVERY_MAX_MS, FIELD_COLUMN, "how often; 0s: only when asked",
	.default_text = "1h"),
    F_DURATION(struct snapshots_config, verify_every_ms, CONFIG_VERIFY_EVERY_MAX_MS, 0,
	"how often the newest one is read back whole; 0s: only when asked", .default_text = "6h"),
    F_DURATION(struct snapshots_config, sample_every_ms, CONFIG_VERIFY_EVERY_MAX_MS, 0,
	"how often a sample of the newest one is read back; 0s: only when asked", .default_text = "1h"),
    F_DURATION(struct snapshots_config, drill_every_ms, CONFIG_VERIFY_EVERY_MAX_MS, 0,
	"how often a restore is practised; 0s: only when asked", .default_text = "1d"),
    F_INLINE(struct snapshots_config, keep, struct keep_config, &keep_config_type, 0, "which are kept"),
};
static const struct record_type snapshots_config_type = RECORD_TYPE("snapshots_config", struct snapshots_config,
    snapshots_fields, "when snapshots are taken", .check = check_snapshots);

static const struct field action_fields[] = {
    F_STRING(
	struct action_config, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "a-z, 0-9 and hyphens"),
    F_STRINGS(struct action_config, run, CONFIG_ARGV_MAX, 0,
	"program and arguments; no shell; none: the steps stop and start.  It must bear being run twice"),
    F_ENUMS(struct action_config, remedies, &remedy_enum, REMEDY_COUNT, FIELD_SCALAR_OK | FIELD_COLUMN,
	"what it is good for: what is known of a fault asks for one of these"),
    F_BOOL(struct action_config, automatic, FIELD_COLUMN, "a standing policy may run it without a person"),
    F_STRING(struct action_config, text, TEXT_LINE_MAX, FIELD_COLUMN, "what it does, for people"),
};
static const struct record_type action_config_type = RECORD_TYPE("action_config", struct action_config, action_fields,
    "what the controller may ask to be run, by its name", .check = check_action);

static const struct field brakes_fields[] = {
    F_ENUMS(struct brakes_config, automatic, &component_enum, COMPONENT_COUNT, FIELD_SCALAR_OK,
	"components that a standing policy may roll back without a person"),
    F_U32(struct brakes_config, max_per_hour, CONFIG_RATE_MAX, 0, "changing orders of this service, of any kind",
	.default_text = "3", .min = 1),
    F_DURATION(struct brakes_config, confirm_within_ms, CONFIG_CONFIRM_MAX_MS, 0,
	"it may cut this host off: an ordered rollback is undone unless the controller is heard from within this, after it",
	.min = CONFIG_CONFIRM_LEAST_MS),
};
static const struct record_type brakes_config_type =
    RECORD_TYPE("brakes_config", struct brakes_config, brakes_fields, "what limits rollbacks of a service");

static const struct field service_fields[] = {
    F_STRING(
	struct service_config, name, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_KEY | FIELD_COLUMN, "a-z, 0-9 and hyphens"),
    F_INLINE(
	struct service_config, components, struct components_config, &components_config_type, 0, "what it consists of"),
    F_INLINE(struct service_config, steps, struct steps_config, &steps_config_type, 0, "how it is stopped and started"),
    F_LIST(struct service_config, actions, &action_config_type, CONFIG_ACTIONS_MAX, FIELD_KEYED,
	"what may be run for it on the controller's order, by name"),
    F_LIST(struct service_config, probes, &probe_config_type, CONFIG_PROBES_MAX, 0, "how its health is checked"),
    F_LIST(struct service_config, logs, &log_config_type, CONFIG_LOGS_MAX, FIELD_SCALAR_OK, "what it writes"),
    F_STRINGS(struct service_config, depends_on, CONFIG_DEPENDS_MAX, FIELD_SCALAR_OK,
	"services (here or elsewhere) that it leans on"),
    F_LIST(struct service_config, versions, &version_config_type, CONFIG_VERSIONS_MAX, FIELD_KEYED,
	"versions that restore points note, by name"),
    F_INLINE(
	struct service_config, snapshots, struct snapshots_config, &snapshots_config_type, 0, "when it is snapshotted"),
    F_INLINE(
	struct service_config, rollback, struct brakes_config, &brakes_config_type, 0, "what limits its rollbacks"),
};
const struct record_type service_config_type = RECORD_TYPE(
    "service_config", struct service_config, service_fields, "one service on this host", .check = check_service);

/* ---- the file ---- */

static const struct field controller_fields[] = {
    F_STRING(struct controller_config, url, CONFIG_URL_MAX, FIELD_REQUIRED | FIELD_COLUMN, "wss://host:port"),
    F_STRING(struct controller_config, name, NAME_MAX_BYTES, FIELD_COLUMN, "the controller's name in its certificate",
	.default_text = "controller"),
};
static const struct record_type controller_config_type = RECORD_TYPE("controller_config", struct controller_config,
    controller_fields, "where this agent reports", .check = check_controller);

static const char *const lock_names[COPY_LOCK_COUNT] = {"governance", "compliance"};
const struct enum_type copy_lock_enum = ENUM_TYPE("copy_lock", lock_names);
static const char *const addressing_names[COPY_ADDRESSING_COUNT] = {"path", "host"};
static const struct enum_type copy_addressing_enum = ENUM_TYPE("copy_addressing", addressing_names);

static const struct field s3_fields[] = {
    F_STRING(struct s3_copies_config, endpoint, CONFIG_URL_MAX, FIELD_REQUIRED | FIELD_COLUMN, "https://host[:port]"),
    F_STRING(struct s3_copies_config, bucket, NAME_MAX_BYTES, FIELD_REQUIRED | FIELD_COLUMN,
	"made by whoever runs the store"),
    F_STRING(struct s3_copies_config, region, NAME_MAX_BYTES, 0, "that requests are signed for",
	.default_text = "us-east-1"),
    F_STRING(struct s3_copies_config, prefix, CONFIG_PREFIX_MAX, 0, "before the host's name; ends with a slash"),
    F_STRING(struct s3_copies_config, credentials_file, PATH_LIMIT, FIELD_REQUIRED,
	"only its owner may read it: access_key, secret_key and perhaps session_token"),
    F_STRING(struct s3_copies_config, authority, PATH_LIMIT, 0,
	"PEM file that the endpoint's certificate is checked against; none: the system's"),
    F_ENUM(struct s3_copies_config, addressing, &copy_addressing_enum, 0, "where the bucket's name goes: path or host"),
    F_U32(struct s3_copies_config, lock_days, CONFIG_LOCK_DAYS_MAX, 0,
	"nobody can delete what is put for so long (object lock); renewed while it is needed; 0: no lock"),
    F_ENUM(struct s3_copies_config, lock_mode, &copy_lock_enum, 0,
	"who may lift a lock: governance: some, compliance: nobody"),
    F_BOOL(struct s3_copies_config, plain_http, 0, "http:// is allowed beyond this host"),
};
static const struct record_type s3_copies_config_type = RECORD_TYPE(
    "s3_copies_config", struct s3_copies_config, s3_fields, "an object store that speaks S3", .check = check_s3_copies);

static const struct field copies_fields[] = {
    F_RECORD(
	struct copies_config, s3, struct s3_copies_config, &s3_copies_config_type, FIELD_REQUIRED, "where they go"),
    F_DURATION(struct copies_config, every_ms, CONFIG_EVERY_MAX_MS, FIELD_COLUMN,
	"at the latest; a copy also follows each restore point", .default_text = "1h", .min = 60 * 1000),
    F_DURATION(struct copies_config, verify_every_ms, CONFIG_VERIFY_EVERY_MAX_MS, 0,
	"how often a sample is read back from the store; 0s: not by itself", .default_text = "7d"),
};
static const struct record_type copies_config_type =
    RECORD_TYPE("copies_config", struct copies_config, copies_fields, "copies of the repository off this host");

static const struct field agent_fields[] = {
    F_STRING(struct agent_config, host, NAME_MAX_BYTES, FIELD_COLUMN, "this host's name; none: the kernel's"),
    F_STRING(struct agent_config, domain, CONFIG_ADDRESS_MAX, 0,
	"trust domain of the certificates; needed with a controller"),
    F_STRING(struct agent_config, state_directory, PATH_LIMIT, 0, "repository, journal and spool",
	.default_text = "/var/lib/kedge-agent"),
    F_STRING(struct agent_config, user, NAME_MAX_BYTES, 0, "the unprivileged user that talks to the network",
	.default_text = "kedge-agent"),
    F_RECORD(struct agent_config, controller, struct controller_config, &controller_config_type, FIELD_SCALAR_OK,
	"none: this host stands alone"),
    F_STRINGS(struct agent_config, approvers, CONFIG_KEYS_MAX, 0,
	"OpenSSH public keys, each with its owner's name, whose word counts here"),
    F_U32(struct agent_config, approvals_needed, CONFIG_APPROVALS_MAX, 0, "how many owners must approve a plan",
	.default_text = "1", .min = 1),
    F_STRINGS(struct agent_config, recovery_keys, CONFIG_KEYS_MAX, 0,
	"recovery public keys, for which the keys of the repository are kept wrapped beside it"),
    F_SIZE(struct agent_config, spool_limit_bytes, CONFIG_SPOOL_MAX_BYTES, 0,
	"how much is kept while the controller is away", .default_text = "256MiB", .min = CONFIG_SPOOL_LEAST_BYTES),
    F_DURATION(struct agent_config, drift_every_ms, DAY_MS, 0,
	"how often components are compared with their last snapshot", .default_text = "5m",
	.min = CONFIG_EVERY_LEAST_MS),
    F_DURATION(struct agent_config, prune_every_ms, CONFIG_VERIFY_EVERY_MAX_MS, 0,
	"how often snapshots that `keep` does not name are removed; 0s: only when asked", .default_text = "24h"),
    F_RECORD(struct agent_config, copies, struct copies_config, &copies_config_type, 0,
	"copies of the repository off this host; none: there are none"),
    F_STRING(struct agent_config, storage, NAME_MAX_BYTES, 0,
	"what the repository lies on, where other hosts read from that too; none: as its mount tells"),
    F_LIST(struct agent_config, services, &service_config_type, CONFIG_SERVICES_MAX, FIELD_KEYED,
	"what runs here, by name"),
};
const struct record_type agent_config_type = RECORD_TYPE("agent_config", struct agent_config, agent_fields,
    "agent.yaml: what this host declares and allows", .check = check_agent);

const struct record_type *const agent_config_types[] = {
    &agent_config_type,
    &controller_config_type,
    &copies_config_type,
    &s3_copies_config_type,
    &service_config_type,
    &components_config_type,
    &component_config_type,
    &postgres_config_type,
    &sqlite_config_type,
    &redis_config_type,
    &mariadb_config_type,
    &hooks_config_type,
    &steps_config_type,
    &action_config_type,
    &probe_config_type,
    &postgres_probe_type,
    &http_probe_type,
    &tcp_probe_type,
    &tls_probe_type,
    &process_probe_type,
    &disk_probe_type,
    &load_probe_type,
    &age_probe_type,
    &log_config_type,
    &version_config_type,
    &snapshots_config_type,
    &keep_config_type,
    &brakes_config_type,
    NULL,
};
