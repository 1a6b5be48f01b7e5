/* controller/fleet/fleet.h: what there is: hosts, services, who runs what, restore points, drift.
 *
 * Owns the tables host, service, placement, system_snapshot, drift.  Hosts tell; this folder keeps what they told, in
 * order and once. Times that hosts give are on the host's clock; what is stored as *_ms here is on the controller's
 * unless the field says otherwise (fleet_time() converts by the skew measured at hello). Knows nothing of health rules
 * or incidents: health tells it what state a placement is in (fleet_on_health), callers pass the open incident. Pure:
 * only the turn. */
#ifndef KEDGE_CONTROLLER_FLEET_FLEET_H
#define KEDGE_CONTROLLER_FLEET_FLEET_H

#include "controller/audit/audit.h"

enum {
	FLEET_SKEW_MAX_MS =
	    30 * 1000,            /* beyond: "skewed"; deadlines of orders are minutes, so half a minute does no harm */
	FLEET_BOOTS_MAX = 8,      /* earlier runs of an agent that are remembered */
	FLEET_RETURNS_BARRED = 2, /* see fleet_on_hello */
	FLEET_RETURNS_WINDOW_MS = 3600 * 1000, /* … within this */
	FLEET_PROOF_MS = 5 * 60 * 1000,        /* default of fleet_config.proof_ms */
	FLEET_DOUBT_MS = 60 * 1000,            /* a fault shows within this: two probes of the shallow tier */
	FLEET_WORD_MS = 4 * 1000,    /* a host that is doubted says a word within this, or counts as silent … */
	FLEET_RETURN_MS = 10 * 1000, /* … once it had this long to connect again */
	FLEET_GRAPH_MAX = 4096,      /* services in one graph walk */
	FLEET_DEPENDS_MAX = 256,     /* services that one leans on, over all its hosts */
	FLEET_PLACE_MAX = 2 * NAME_MAX_BYTES + 1, /* "service/host" */
	FLEET_SNAPSHOTS_KEPT_MAX = 512,           /* restore points of one placement looked at for a last known good */
};

struct fleet_config {
	uint64_t heartbeat_ms; /* told to agents in welcome; default 30 s */
	uint64_t proof_ms;     /* how long a restore point must have run healthy; default 5 min */
};

enum host_state { HOST_NEVER_SEEN, HOST_CONNECTED, HOST_SILENT, HOST_BARRED, HOST_REVOKED, HOST_STATE_COUNT };
extern const struct enum_type host_state_enum; /* never_seen connected silent barred revoked */

struct host {
	const char *name;     /* KEY; as in the certificate */
	uint32_t state;       /* enum host_state; INDEXED */
	uint64_t since_ms;    /* of the state */
	struct id boot;       /* the run of the agent that counts */
	struct list boots;    /* struct id: earlier runs, newest last */
	uint32_t returns;     /* how often an earlier run came back (two machines, one identity) */
	uint64_t returned_ms; /* first of them */
	const char *version;
	struct list capabilities;
	uint64_t first_seen_ms, last_seen_ms;
	uint64_t doubted_ms;   /* when somebody last had reason to think that it is gone; 0: never */
	uint64_t awaited_ms;   /* the controller began: until then it may come back */
	uint64_t acknowledged; /* highest contiguous report sequence that is in the store */
	uint64_t epoch_seen;
	uint64_t hello_uptime_ms; /* of the newest hello of boot */
	int64_t skew_ms;          /* controller's clock minus the host's */
	bool skewed, lagging;
	uint64_t certificate_expires_ms;
	const char *note; /* why barred or revoked */
};

struct service {
	const char *name;       /* KEY */
	struct list depends_on; /* names; the union of what its hosts declare */
	uint64_t first_seen_ms;
	bool undeclared; /* no host declares it any more */
};

struct placement {
	const char *service;    /* KEY */
	const char *host;       /* KEY, INDEXED */
	struct list components; /* enum component */
	struct list automatic;  /* enum component: the host's own word on what may go without a person */
	struct list actions;    /* struct declared_action: what it may be asked to run */
	struct list depends_on;
	uint32_t probes;
	uint64_t answer_ms; /* as in struct declared_service */
	uint64_t snapshot_every_ms;
	bool self_affecting; /* its rollback may cut the host off: these hosts come last, one by one */
	const char *storage; /* what its restore points are read from and other hosts share; NULL: nobody shares it */
	uint64_t since_ms;
	bool undeclared; /* was in agent.yaml once and is not now */
	uint32_t health; /* enum health as health last told */
	uint64_t health_since_ms;
};

struct system_snapshot {
	struct id snapshot;  /* KEY */
	const char *service; /* INDEXED */
	const char *host;    /* INDEXED */
	const char *place;   /* "service/host", NULL once removed; INDEXED: newest last, ids sort by time */
	uint32_t reason;     /* enum snapshot_reason */
	uint64_t taken_ms, took_ms;
	uint64_t stored_bytes;
	struct list components;    /* struct component_point */
	bool suspect;              /* by the host's word, or taken while an incident was open */
	bool verified, damaged;    /* as it was read back last */
	uint64_t read_back_ms;     /* when that was told; 0: not yet */
	bool removed;              /* pruned on the host */
	struct id incident;        /* open on the service when it was taken */
	bool new_make;             /* its config or code differs from the restore point before it */
	bool healthy_when_taken;   /* taken back when a new make turns bad within FLEET_DOUBT_MS */
	uint64_t healthy_since_ms; /* it is what runs now, healthy since; 0: not so */
	uint64_t healthy_ms;       /* longest time that it was seen to run healthy, over by now */
	uint64_t left_ms;          /* what runs has differed from it since; 0: nothing says so */
	const char *condemned;     /* somebody or a failed rollback says never again, why; NULL: nobody */
};

struct drift {
	const char *service;              /* KEY */
	const char *host;                 /* KEY, INDEXED */
	uint32_t component;               /* KEY; enum component */
	struct id snapshot;               /* compared with */
	uint64_t changed, added, removed; /* all 0: no drift */
	uint64_t grown_bytes;             /* by which it is larger than it was */
	uint64_t metadata;                /* those of changed of which only owner, mode or time is another */
	uint64_t newest_change_ms;        /* controller's clock; 0: unknown */
	struct digest digest;             /* of what was there then; zero: not told */
	uint64_t seen_ms;
	struct list paths;
	bool checked;           /* configuration: the service's own check was run on it */
	const char *refused;    /* and what that had against it; NULL: nothing */
	bool refused_elsewhere; /* that is about a file outside of it, which changed later */
	const char *version_before, *version_now;
};

extern const struct record_type fleet_config_type, host_type, service_type, placement_type, system_snapshot_type,
    drift_type;
extern const struct table host_table, service_table, placement_table, system_snapshot_table, drift_table;
extern const struct record_type *const fleet_types[];
extern const struct table *const fleet_tables[];

/* ---- hosts ---- */
#define FLEET_TIMER_SILENT "fleet.silent" /* name: the host */

/* INPUT_BOOT: nobody is connected yet; hosts that were get two heartbeats to come back before they count as silent for
 * health. */
ERR_CHECK enum err_code fleet_on_boot(struct turn *t, const struct fleet_config *c, struct err *reterr);

enum hello_result {
	HELLO_WELCOME, /* send welcome with host.acknowledged */
	HELLO_RIVAL, /* an earlier run came back while a later one lives: close this connection (BYE_DUPLICATE_IDENTITY)
		      */
	HELLO_BARRED,  /* close it (BYE_DUPLICATE_IDENTITY); an operator must decide */
	HELLO_REVOKED, /* close it (BYE_REVOKED) */
	HELLO_VERSION, /* no version in common: close it (BYE_VERSION) */
	HELLO_RESULT_COUNT
};
struct hello_outcome {
	enum hello_result result;
	bool newly_barred; /* this hello barred it: notify somebody, health_on_silent(), close host.boot's connection
			      too */
	bool newly_skewed;
	bool epoch_rose;     /* it has obeyed a higher epoch than was known of it */
	struct id displaced; /* an older connection of this host to close (its agent was restarted), or zero */
	struct host host;    /* as stored after it */
};
/* A boot id names one run of an agent.  A new run replaces the one before (a restart; the old connection may still look
 * open). An earlier run that comes back was never dead: two machines share one identity (P49).  The first return is
 * refused (it may be a late frame of a dead process); FLEET_RETURNS_BARRED of them bar both.  Services and placements
 * follow the hello; those that are no longer declared are marked.  A spool that begins after acknowledged + 1 has lost
 * reports for good, and one that ends before acknowledged was made anew: both are audited, and counting goes on from
 * what it holds.  A host with an empty spool goes on from acknowledged + 1. ERR_DENIED: hello->host is not `host`. */
ERR_CHECK enum err_code fleet_on_hello(struct turn *t, const struct fleet_config *c, const char *host,
    const struct hello *hello, struct hello_outcome *ret, struct err *reterr);
/* The connection `boot` ended; one that no longer counts is ignored. */
ERR_CHECK enum err_code fleet_on_gone(
    struct turn *t, const struct fleet_config *c, const char *host, struct id boot, struct err *reterr);

enum report_result {
	REPORT_NEXT,     /* in sequence: apply it, then acknowledge */
	REPORT_REPEATED, /* already in the store: do not apply, acknowledge again */
	REPORT_GAP,      /* refuse: close with BYE_OUT_OF_ORDER */
	REPORT_STRANGER, /* not from the run that counts, or a barred or revoked host: ignore, never acknowledge */
	REPORT_RESULT_COUNT
};
/* *ret_host as stored after it (host->acknowledged is what to acknowledge).  A report with `through` stands for
 * reports that the host dropped: counting goes on after them, and the loss is audited. */
ERR_CHECK enum err_code fleet_on_report(struct turn *t, const char *host, struct id boot, const struct report *r,
    enum report_result *ret, struct host *ret_host, struct err *reterr);
/* FLEET_TIMER_SILENT fell due: *ret_silent when the host has said nothing for two heartbeats (then health_on_silent()).
 */
ERR_CHECK enum err_code fleet_on_timer(
    struct turn *t, const struct fleet_config *c, const struct timer *timer, bool *ret_silent, struct err *reterr);

#define FLEET_TIMER_WORD "fleet.word" /* name: the host */
/* Something that leans on what runs there fails.  Without a word of it FLEET_TIMER_WORD says so, long before two
 * heartbeats would.  asked: the caller has just sent it a question (health_look()), which is answered at once.  Of a
 * host that is connected and was not asked nobody may expect a word: an old agent, or one that had its say a moment
 * ago.  Nor of one that the controller still waits for after its own start. */
ERR_CHECK enum err_code fleet_doubt(struct turn *t, const char *host, bool asked, struct err *reterr);
/* Doubted, and not heard since, nor given up yet. */
bool fleet_host_doubtful(const struct host *h, uint64_t now_ms);
bool fleet_host_can(const struct host *h, const char *capability);
/* FLEET_TIMER_WORD fell due: *ret_silent when no word has come (then health_on_unheard()). */
ERR_CHECK enum err_code fleet_on_word_due(
    struct turn *t, const struct timer *timer, bool *ret_silent, struct err *reterr);

/* An operator decides: keep (zero: whoever comes first) counts from now on; other runs come back as rivals.  ERR_STATE:
 * not barred. */
ERR_CHECK enum err_code fleet_host_unbar(
    struct turn *t, const struct actor *who, const char *host, struct id keep, struct err *reterr);
/* Its certificates are revoked elsewhere (access_revoke_name). */
ERR_CHECK enum err_code fleet_host_revoke(
    struct turn *t, const struct actor *who, const char *host, const char *reason, struct err *reterr);
/* Enrolled but not yet seen; a no-op when known (but ends HOST_REVOKED). */
ERR_CHECK enum err_code fleet_host_add(struct turn *t, const char *host, struct err *reterr);
ERR_CHECK enum err_code fleet_host_get(
    struct turn *t, const char *name, struct host *ret, bool *ret_found, struct err *reterr);
/* May it be told to change something? (connected, neither barred nor revoked) */
bool fleet_host_usable(const struct host *h);
/* A host's wall clock on the controller's. */
uint64_t fleet_time(const struct host *h, uint64_t host_ms);

/* ---- services ---- */
ERR_CHECK enum err_code fleet_service_get(
    struct turn *t, const char *name, struct service *ret, bool *ret_found, struct err *reterr);
ERR_CHECK enum err_code fleet_placement_get(
    struct turn *t, const char *service, const char *host, struct placement *ret, bool *ret_found, struct err *reterr);
/* Declared placements; *ret: struct placement, by host (by service for the second). */
ERR_CHECK enum err_code fleet_placements(struct turn *t, const char *service, struct list *ret, struct err *reterr);
ERR_CHECK enum err_code fleet_host_placements(struct turn *t, const char *host, struct list *ret, struct err *reterr);
/* Transitive, without the service itself; cycles and names that nobody runs are fine.  *ret: const char *, nearest
 * first, then by name. */
ERR_CHECK enum err_code fleet_dependencies(struct turn *t, const char *service, struct list *ret, struct err *reterr);
ERR_CHECK enum err_code fleet_dependents(struct turn *t, const char *service, struct list *ret, struct err *reterr);

/* ---- health as evidence ---- */
/* health tells every change of a placement (not replayed ones): the restore point that runs there gains or ends its
 * evidence. */
ERR_CHECK enum err_code fleet_on_health(
    struct turn *t, const char *service, const char *host, enum health state, uint64_t since_ms, struct err *reterr);
ERR_CHECK enum err_code fleet_on_lagging(struct turn *t, const char *host, bool lagging, struct err *reterr);

/* ---- restore points ---- */
/* incident: open on the service now, or zero.  A failed one (report error) is audited, not stored. */
ERR_CHECK enum err_code fleet_on_snapshot(
    struct turn *t, const struct host *h, const struct snapshot_report *r, struct id incident, struct err *reterr);
ERR_CHECK enum err_code fleet_on_drift(
    struct turn *t, const struct host *h, const struct drift_report *r, struct err *reterr);
ERR_CHECK enum err_code fleet_snapshot_get(
    struct turn *t, struct id snapshot, struct system_snapshot *ret, bool *ret_found, struct err *reterr);
/* Never a target of automation again (P7): a rollback to it failed its probes, or a person says so. */
ERR_CHECK enum err_code fleet_snapshot_condemn(
    struct turn *t, const struct actor *who, struct id snapshot, const char *why, struct err *reterr);
/* Is there evidence that s is good? (not suspect, condemned, damaged, removed or taken during an incident; scheduled or
 * manual; was healthy when taken or ran healthy for proof_ms) */
bool fleet_snapshot_good(const struct fleet_config *c, const struct system_snapshot *s, uint64_t now_ms);
/* Newest good restore point of the placement taken before before_ms (0: now) that holds every one of components (enum
 * component list; empty: whatever it holds).  Among those with the same component digests a verified one is preferred.
 * *ret_found false when there is none. */
ERR_CHECK enum err_code fleet_last_known_good(struct turn *t, const struct fleet_config *c, const char *service,
    const char *host, const struct list *components, uint64_t before_ms, struct system_snapshot *ret, bool *ret_found,
    struct err *reterr);
/* Every restore point of the placement that is not removed, newest first; *ret: struct system_snapshot, at most
 * FLEET_SNAPSHOTS_KEPT_MAX. */
ERR_CHECK enum err_code fleet_snapshots(
    struct turn *t, const char *service, const char *host, struct list *ret, struct err *reterr);
/* Components of the placement that differ now from what they were compared with; *ret: struct drift. */
ERR_CHECK enum err_code fleet_drifts(
    struct turn *t, const char *service, const char *host, struct list *ret, struct err *reterr);

#endif
