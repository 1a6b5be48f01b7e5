/* agent/config/config.h: agent.yaml, what this host declares and therefore allows.
 *
 * Owns the record types of the file and reading it.  Everything a keeper ever does to this host is declared here:
 * services, their components, the steps (argv, never a shell), probes and brakes.  Nothing over the wire can add to it.
 * Pure but for agent_config_load (reads one file).  A loaded configuration is immutable and lives in its arena. */
#ifndef KEDGE_AGENT_CONFIG_CONFIG_H
#define KEDGE_AGENT_CONFIG_CONFIG_H

#include "shared/message/types.h"

enum {
	CONFIG_SERVICES_MAX = 64,           /* a host that runs more is a platform, not a host */
	CONFIG_PROBES_MAX = 64,             /* per service */
	CONFIG_PATHS_MAX = 256,             /* per component */
	CONFIG_ARGV_MAX = 64,               /* arguments of one step or exec probe */
	CONFIG_LOGS_MAX = 32,               /* per service */
	CONFIG_DEPENDS_MAX = 64,            /* services one service leans on */
	CONFIG_ACTIONS_MAX = 16,            /* per service: what needs more is not an action but an administrator */
	CONFIG_KEYS_MAX = 16,               /* approvers' keys pinned on the host */
	CONFIG_APPROVALS_MAX = 8,           /* more than a plan can carry could never be reached */
	CONFIG_RUNS_MAX = 100,              /* rise and fall: more results in a row is never, not careful */
	CONFIG_CONFIRM_LEAST_MS = 3 * 1000, /* a moment to bite, then there and back */
	CONFIG_CONFIRM_MAX_MS = 120 * 1000, /* nobody may be cut off for longer by what undoes itself */
	CONFIG_RATE_MAX = 60, /* changing orders an hour; a host that needs more is not being rolled back but driven */
	CONFIG_VERSIONS_MAX =
	    12, /* per service; a restore point has room for the adapters' and the system's beside them */
	CONFIG_KEEP_MAX = 10000,  /* snapshots of one kind */
	CONFIG_ADDRESS_MAX = 320, /* a host name of 253 bytes, a port, brackets, "unix:" */
	CONFIG_URL_MAX = 2048,
	CONFIG_CONTAINS_MAX = 256, /* text that a page must hold */
	CONFIG_FILE_MAX = 1 << 20,
	CONFIG_EVERY_LEAST_MS = 1000,     /* a probe runs at most once a second */
	CONFIG_EVERY_MAX_MS = 7 * DAY_MS, /* and at least once a week */
	CONFIG_PROBE_TIMEOUT_MAX_MS = 10 * 60 * 1000,
	CONFIG_FREEZE_MAX_MS = 10 * 60 * 1000, /* a database that nobody can write to for longer is down */
	CONFIG_RPO_LEAST_MS = 10 * 1000,       /* a server hands over a segment every few seconds at the most */
	CONFIG_RPO_MAX_MS = DAY_MS,
	CONFIG_STEP_TIMEOUT_MAX_MS = 60 * 60 * 1000,
	CONFIG_SNAPSHOT_EVERY_LEAST_MS = 60 * 1000,
	CONFIG_PREFIX_MAX = 128,      /* of copies: the names below it must fit the store's 1024 bytes */
	CONFIG_LOCK_DAYS_MAX = 36500, /* a century */
};
#define CONFIG_VERIFY_EVERY_MAX_MS                                                                                     \
	(90 * (uint64_t)DAY_MS) /* what is not read back for a quarter is not known to be there */
#define CONFIG_WAL_KEEP_MAX_MS                                                                                         \
	(400 * (uint64_t)DAY_MS) /* a year and a month, at a segment a minute, is what copies off the host can count   \
				  */
#define CONFIG_SPOOL_LEAST_BYTES (1u << 20) /* less could not hold a day of results */
#define CONFIG_SPOOL_MAX_BYTES   ((uint64_t)16 << 30)

struct postgres_config {
	const char *data_directory;
	const char *bin_directory; /* default /usr/lib/postgresql/15/bin */
	const char *socket_directory;
	uint32_t port;
	const char *user;   /* the database user; the system user too, unless run_as says how to become it */
	struct list run_as; /* argv put before every program of the cluster; empty: become the system user `user` */
	bool wal_archive;
	uint64_t rpo_ms;      /* of an archive: how much may be lost with the host, at most */
	uint64_t wal_keep_ms; /* how far back any moment can be reached; 0: as far as there are restore points */
	bool unwatched; /* no probes of it are made but those that the file names; else `postgres` and `postgres-log` */
	const char *prove_database; /* where `prove` is asked; default postgres */
	struct list prove; /* SQL that a practised restore must answer: an error, no row, an empty or false first column
			      is a fault */
};

struct sqlite_config {
	const char *file;
};
struct redis_config {
	const char *data_directory; /* its `dir`, which holds its files and nothing else */
	const char *address;        /* host:port, [v6]:port or unix:/path */
	const char *password_file;  /* one line; NULL: none is asked for */
	const char *file;           /* its `dbfilename` */
};
/* How a copy of a MariaDB server is made. */
enum mariadb_method { MARIADB_PHYSICAL, MARIADB_DUMP, MARIADB_METHOD_COUNT };
struct mariadb_config {
	const char *data_directory; /* its owner is the system user that the server's programs run as */
	const char *socket;
	const char
	    *credentials_file; /* an option file ([client] user, password); NULL: that user logs in by the socket */
	uint32_t method;       /* enum mariadb_method */
	struct list prove;     /* as postgres_config's */
};
struct hooks_config { /* any other database whose files stand still on demand */
	const char *data_directory;
	struct list freeze, thaw; /* argv */
	uint64_t deadline_ms;     /* it is thawed then, whatever has become of the copy */
};

struct component_config {
	struct list paths;   /* plain trees or files */
	const char *git;     /* a git work tree */
	const char *release; /* a symlink to one of several releases beside it */
	const struct postgres_config *postgres;
	const struct sqlite_config *sqlite;
	const struct redis_config *redis;
	const struct mariadb_config *mariadb;
	const struct hooks_config *exec;
	struct list exclude;       /* globs below the paths */
	struct list never_restore; /* absolute paths that are snapshotted but never put back */
	struct list
	    secrets; /* absolute paths of what is rotated: a restore point that holds other content there is refused */
	struct list
	    schema; /* argv of a program that prints under which schema it is now; kept with each restore point */
	bool refuse_open_writers; /* refuse a rollback while another process has a file below open for writing */
	bool stop_open_writers;   /* or end such processes, once the service is stopped */
};

struct components_config { /* in the order of enum component; NULL: not declared */
	const struct component_config *config, *code, *data, *database;
};
/* The file or folder that a database lives in; NULL: it is none of a known kind. */
const char *component_database_path(const struct component_config *c);
/* NULL when the component is not declared. */
const struct component_config *components_get(const struct components_config *c, enum component which);

struct steps_config { /* argv lists; empty: nothing to do */
	struct list stop, start, reload, check;
	uint64_t timeout_ms; /* for each of them */
};

/* What the controller may ask for by its name, under the same signatures as a rollback.  It has to bear being run
 * twice: after a crash of the agent it is. */
struct action_config {
	const char *name;
	struct list run;      /* argv; empty: the steps stop and start */
	struct list remedies; /* enum remedy: what it is good for */
	bool automatic;       /* a standing policy may run it, without a person */
	const char *text;     /* what it does, for people */
};

struct http_probe {
	const char *url;       /* http:// or https:// */
	uint32_t expect;       /* status; default 200 */
	const char *contains;  /* text that the first 64 KiB of the body must hold */
	const char *authority; /* PEM file that https is checked against; default: the system's */
	const char *host_header;
};
struct tcp_probe {
	const char *address;
}; /* host:port, [v6]:port or unix:/path */
struct tls_probe {
	const char *address;
	const char *name;
	uint64_t warn_ms, critical_ms;
}; /* time left of the certificate */
struct process_probe {
	const char *pid_file;
	const char *name;
	uint32_t least;
}; /* one of pid_file, name */
struct disk_probe {
	const char *path;
	double warn_percent, critical_percent;
}; /* space and inodes */
struct load_probe {
	double warn_percent, critical_percent;
}; /* cpu, memory */
struct age_probe {
	const char *path;
	uint64_t warn_ms, critical_ms;
};

struct postgres_probe {
	double warn_percent;                   /* of the connections */
	uint64_t wait_ms;                      /* that a session waits for a lock */
	uint64_t warn_ms, critical_ms;         /* time left of its certificate */
	const struct postgres_config *cluster; /* of the service; not in the file, filled in when loaded */
};                                             /* sessions, locks and certificate of the service's PostgreSQL cluster */

struct probe_config {
	const char *name;
	uint32_t tier;     /* enum probe_tier */
	uint64_t every_ms; /* in a file 0 or missing: the tier's 30 s, 5 min, 30 min; filled in when loaded */
	uint64_t timeout_ms;
	uint32_t rise, fall; /* results in a row that turn it good, bad */
	uint64_t slow_ms;    /* a good answer slower than this is DEGRADED; default 1000 */
	/* exactly one of: */
	const struct http_probe *http;
	const struct tcp_probe *tcp;
	const struct tls_probe *tls;
	struct list exec; /* argv of a Nagios plugin */
	const struct process_probe *process;
	const struct disk_probe *disk, *folder; /* folder: of what the files in it could take */
	const struct load_probe *cpu, *memory;
	const struct age_probe *age;
	const struct postgres_probe *postgres;
};

struct log_config {
	const char *file;    /* path or glob */
	const char *journal; /* a systemd unit */
};

/* Where a version stands that restore points note: "config_schema", "database_schema": the first line of a file. */
struct version_config {
	const char *name, *file;
};
struct keep_config {
	uint32_t hourly, daily, weekly, monthly;
};
struct snapshots_config {
	uint64_t every_ms;
	uint64_t verify_every_ms,
	    sample_every_ms;     /* the newest one is read back, whole or a sample of it; 0: not by itself */
	uint64_t drill_every_ms; /* it is restored into a folder of the agent's, as practice; 0: not by itself */
	struct keep_config keep;
};
struct brakes_config {
	struct list automatic; /* enum component: what may be rolled back under a standing policy, without a person */
	uint32_t max_per_hour; /* changing orders of this service, any kind */
	uint64_t confirm_within_ms; /* its rollback may cut this host off: one that was ordered is undone unless the
				     * controller is heard from within this, after it; 0: it cannot */
};

struct service_config {
	const char *name;
	struct components_config components;
	struct steps_config steps;
	struct list actions;    /* struct action_config, keyed by name */
	struct list probes;     /* struct probe_config, keyed by name */
	struct list logs;       /* struct log_config */
	struct list depends_on; /* names */
	struct list versions;   /* struct version_config, keyed by name */
	struct snapshots_config snapshots;
	struct brakes_config rollback;
};

struct controller_config {
	const char *url;  /* wss://host:port */
	const char *name; /* the controller's name in its certificate (spiffe://<domain>/controller/<name>) */
};

enum copy_lock {
	COPY_LOCK_GOVERNANCE,
	COPY_LOCK_COMPLIANCE,
	COPY_LOCK_COUNT
}; /* S3's words: who may lift a lock: some, nobody */
enum copy_addressing { COPY_PATH, COPY_HOST, COPY_ADDRESSING_COUNT }; /* host/bucket/name or bucket.host/name */
struct s3_copies_config {
	const char *endpoint; /* https://host[:port] */
	const char *bucket, *region;
	const char *prefix;           /* before the host's name: "" or ends with a slash */
	const char *credentials_file; /* 0600: access_key, secret_key, session_token */
	const char *authority; /* PEM file that the endpoint's certificate is checked against; NULL: the system's */
	uint32_t addressing;   /* enum copy_addressing */
	uint32_t lock_days;    /* 0: nothing is locked */
	uint32_t lock_mode;    /* enum copy_lock */
	bool plain_http; /* http:// is allowed beyond this host: everything is sealed, but who listens sees names and
			    sizes */
};
struct copies_config {
	const struct s3_copies_config *s3;
	uint64_t every_ms;        /* at the latest; a copy also follows each restore point */
	uint64_t verify_every_ms; /* a sample is read back from the store; 0: not by itself */
};

struct agent_config {
	const char *host;   /* this host's name */
	const char *domain; /* trust domain of the spiffe:// ids */
	const char *state_directory;
	const char *user;                           /* the link's unprivileged user */
	const struct controller_config *controller; /* NULL: stands alone */
	struct list approvers;     /* OpenSSH public keys (one line each) that this host trusts to approve plans */
	uint32_t approvals_needed; /* distinct approvers for a plan that no standing policy covers */
	struct list
	    recovery_keys; /* public keys (one line each) that can open this host's repository when the host is lost */
	uint64_t spool_limit_bytes;
	uint64_t drift_every_ms;            /* how often components are compared with the last snapshot's metadata */
	uint64_t prune_every_ms;            /* how often what `keep` does not name goes; 0: not by itself */
	const struct copies_config *copies; /* off this host; NULL: none are made */
	const char *storage;  /* what the repository lies on, by the name that all who share it say; NULL: as the mount
				 tells */
	struct list services; /* struct service_config, keyed by name */
};
/* The tier's own interval. */
uint64_t probe_tier_every_ms(enum probe_tier tier);

extern const struct enum_type copy_lock_enum;
extern const struct record_type agent_config_type, service_config_type, probe_config_type, component_config_type;
extern const struct record_type *const agent_config_types[]; /* all of this folder, NULL-ended */

/* Reads and checks the whole file; nothing is half configured.  Errors name file, line, key and what was expected.
 * The result lives in arena. */
ERR_CHECK enum err_code agent_config_load(
    const char *path, struct arena *arena, const struct agent_config **ret, struct err *reterr);
/* Same from bytes (tests, fuzzing). */
ERR_CHECK enum err_code agent_config_parse(const char *file, const char *data, size_t size, struct arena *arena,
    const struct agent_config **ret, struct err *reterr);
const struct service_config *agent_config_service(
    const struct agent_config *c, const char *name); /* NULL: not declared */
const struct action_config *service_config_action(
    const struct service_config *s, const char *name); /* NULL: not declared */

#endif
