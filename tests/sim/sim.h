/* tests/sim/sim.h: a controller and its agents in one process, on virtual time, everything from a seed.
 *
 * Real: the controller's core (center, workflow, the whole domain, over the store in memory), each agent's session,
 * spool (in memory), outgoing queue and orders.  Modelled: the network between them (per connection in order; it
 * delays, breaks, goes dark), the gate's bookkeeping, the services on hosts with their snapshots and the work of a
 * rollback (host.c, job.c), the outbox's receiver, people (people.c), and everything that goes wrong (faults.c).
 * check.c and watch.c watch what must never be; the first thing that does not hold ends the run.
 *
 * One thread.  Times are milliseconds of the true clock unless named otherwise; hosts' own clocks may be wrong. */
#ifndef KEDGE_TESTS_SIM_SIM_H
#define KEDGE_TESTS_SIM_SIM_H

#include "agent/keeper/outgoing.h"
#include "agent/link/session.h"
#include "agent/orders/orders.h"
#include "tests/lib/control/control.h"

enum {
	SIM_HOSTS_MAX = 1024,
	SIM_PLACES_MAX = 4, /* services of one host */
	SIM_SERVICES = 5,
	SIM_COMPONENTS = 2,      /* config, code */
	SIM_SNAPSHOTS_MAX = 128, /* kept of one place; the oldest scheduled ones go */
	SIM_TAIL = 400,          /* lines shown of a run that failed */
	SIM_LINE = 240,
	SIM_CONNECTIONS_MAX = 4096,
	SIM_EFFECTS_MAX = 4096, /* orders that touched a host */
};

/* Mean time between faults of a kind, in seconds; 0: never.  Chances in 1,000. */
struct sim_rates {
	unsigned break_s, dark_s,
	    partition_s; /* a connection breaks; one direction goes dark; a host is cut off for a while */
	unsigned agent_crash_s, link_crash_s, worker_crash_s, hub_crash_s;
	unsigned hub_slow_s, commit_fault_s,
	    restore_s;                   /* a slow controller; a commit that fails; restored from a backup */
	unsigned deploy_s, bad_permille; /* somebody changes something; so many of them are bad */
	unsigned repair_s;               /* a person repairs by hand what is bad */
	unsigned disk_s, skew_s, lag_s, people_s, window_s;
	unsigned drop_permille, twice_permille,
	    stale_permille;          /* frames to agents: lost, doubled, said again minutes later */
	unsigned step_fail_permille; /* steps of a rollback */
	unsigned page_fail_permille;
};
struct sim_options {
	uint64_t seed;
	unsigned hosts; /* 0: from the seed */
	bool verbose;
	bool no_policy;
	bool quiet_people; /* nobody does anything */
	bool short_deaths; /* what dies is back within seconds */
	bool old_agents;   /* that do not know the question of how a service is now */
	unsigned probe_ms; /* how often a service is looked at; 0: 5 s */
	unsigned step_ms;  /* the longest that a step of a rollback takes; 0: some take 20 s */
	unsigned hang_ms;  /* what is bad hangs: its own probe says so only after this; 0: at once */
	bool graph; /* up to five services that lean on each other as the seed has it; else the first three, and portal
		       on records-db */
	unsigned storages; /* that hosts share for their restore points; 0: each has its own */
	unsigned restores; /* and how many restores each of them takes at once; 0: as a controller has it */
	uint64_t chaos_ms, calm_ms;
	struct sim_rates rates;
};
extern const struct sim_rates sim_usual; /* every fault, often */
struct sim_options sim_defaults(uint64_t seed);

struct sim;
struct agent;

/* ---- events.c ---- */

/* owned (may be NULL) is freed after the event, or when the run ends before it. */
typedef void (*sim_fn)(struct sim *s, void *ctx, uint64_t tag, void *owned);
void sim_at(struct sim *s, uint64_t due_ms, sim_fn fn, void *ctx, uint64_t tag, void *owned);
bool sim_next(struct sim *s, uint64_t until_ms); /* runs the earliest event; false: none until then */
void sim_events_free(struct sim *s);
void sim_trace(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool sim_chance(struct sim *s, unsigned permille);
uint64_t sim_between(struct sim *s, uint64_t least, uint64_t most);

struct event {
	uint64_t due_ms, number;
	sim_fn fn;
	void *ctx;
	uint64_t tag;
	void *owned;
};

/* ---- hosts and their services ---- */

struct snapshot_kept {
	struct id id;
	uint32_t generation[SIM_COMPONENTS];
	uint64_t taken_ms; /* host's clock */
	enum snapshot_reason reason;
	bool suspect;
};
struct drift_told {
	bool known;
	uint64_t changed;
	struct id snapshot;
	uint32_t generation;
};
enum job_phase { JOB_STAGE, JOB_SAFETY, JOB_STOP, JOB_RESTORE, JOB_START, JOB_VERIFY, JOB_UNDO, JOB_PHASES };
struct job { /* a rollback at work; the journal survives crashes (ended: it answers), running does not */
	bool journalled, running, cancel, reverting, ended;
	enum order_outcome outcome; /* once ended */
	bool matched, healthy;
	bool judged_bad; /* its last look did not pass */
	enum order_kind kind;
	struct id order;
	enum job_phase phase;
	unsigned restored; /* components put in place so far */
	struct id target, safety;
	uint32_t components; /* bits */
	uint64_t began_ms, limit_ms;
	uint64_t life; /* a number of its own for each time that it is at work */
};
struct place { /* one service on one host; on disk, so it survives */
	struct agent *agent;
	unsigned service;
	uint32_t live[SIM_COMPONENTS];
	uint64_t changed_ms[SIM_COMPONENTS]; /* true clock */
	bool stopped;
	struct snapshot_kept snapshots[SIM_SNAPSHOTS_MAX];
	size_t snapshot_count;
	struct job job;
	/* of this run of the keeper */
	enum probe_state settled, last;
	unsigned same;
	bool looked_at;               /* a question is being answered */
	bool look_hangs, probe_hangs; /* a run of its probe waits for what hangs */
	uint64_t passed_ms;           /* the last good run of the probe; 0: none yet */
	uint64_t probed_ms;           /* host's clock */
	uint64_t settled_since_ms, next_probe_ms, next_report_ms, next_drift_ms, next_snapshot_ms;
	struct drift_told told[SIM_COMPONENTS];
	/* watch.c */
	unsigned broken_looks;
	uint64_t broken_since_ms;
};

/* ---- agents ---- */

struct journal_line {
	struct id order;
	uint8_t *bytes;
	size_t size;
};
struct link_message { /* between keeper and link */
	struct link_message *next;
	bool to_link;
	uint64_t token;
	struct arena *arena;
	struct report *report;
	struct channel_message m;
};
struct agent {
	struct sim *sim;
	unsigned index;
	char name[16], storage[16]; /* storage "": its own */
	bool up, link_up, partitioned, disk_bad, dying, stale_clock, lagging, lagging_told;
	uint64_t life, link_life; /* events of earlier runs are ignored */
	int64_t skew_ms;          /* its wall clock minus the true one */
	struct random random;
	/* on disk */
	struct spool *spool;
	struct journal_line *journal;
	size_t journal_count, journal_capacity;
	uint64_t journal_epoch;
	unsigned crash_in; /* io calls until it dies; 0: not */
	struct place places[SIM_PLACES_MAX];
	size_t place_count;
	/* this run */
	struct id boot;
	struct agent_config config;
	struct service_config services[SIM_PLACES_MAX];
	struct orders *orders;
	struct outgoing *outgoing;
	struct session *session;
	struct link_message *first_message, *last_message;
	struct connection *connection;
	uint64_t session_wanted_ms; /* when a tick of the session is already planned */
	uint64_t heartbeat_ms, next_host_ms, next_notice_ms;
	bool connected;
	/* what it said of itself, for check.c */
	uint64_t notices, notices_spooled;
	bool *notice_spooled; /* by number */
	size_t notice_capacity;
	uint64_t dropped; /* reports that the spool or the queue dropped */
	uint64_t welcomes;
	unsigned sound_looks, sound_number; /* watch.c: checks in a row with one sound connection, and its number */
};

void agent_make(struct sim *s, struct agent *a, unsigned index);
void agent_free(struct agent *a);
void agent_start(struct agent *a);
void agent_crash(struct agent *a);      /* the keeper dies, and the link with it */
void agent_link_crash(struct agent *a); /* the link alone; the keeper begins it again */
bool agent_io(struct agent *a);         /* false: it is dead, and does nothing any more; may die now (agent_die_in) */
void agent_die_in(struct agent *a, unsigned io_calls);
uint64_t agent_wall(const struct agent *a);
void agent_tell(struct agent *a, enum importance importance, const struct report *body);
void agent_tick(struct agent *a);
/* From the network. */
void agent_on_connected(struct agent *a);
void agent_on_frame(struct agent *a, struct bytes frame);
void agent_on_drained(struct agent *a);
void agent_on_closed(struct agent *a, const char *why);

/* host.c */
void place_make(struct place *p, struct agent *a, unsigned service);
void place_begin(struct place *p); /* a new run of the keeper */
void place_tick(struct place *p);
bool place_well(const struct place *p); /* would its probe pass now? */
void place_take_snapshot(struct place *p, enum snapshot_reason reason, struct id *ret);
void place_tell_health(struct place *p, bool changed);
void place_look(struct place *p); /* the controller asks how it is now */
void place_tell_all(struct place *p);
void place_deploy(struct place *p, enum component which, uint32_t generation);
const struct snapshot_kept *place_snapshot(const struct place *p, struct id id);
struct digest generation_digest(unsigned service, enum component which, uint32_t generation);
bool generation_is_bad(const struct sim *s, unsigned service, enum component which, uint32_t generation);
/* job.c */
enum err_code job_start(struct place *p, const struct order *o, bool resume, struct err *reterr);
void job_cancel(struct agent *a, struct id order);
struct place *place_of(struct agent *a, const char *service);
bool job_is_changing(const struct place *p); /* between the first byte changed and the end */

/* ---- the network and the gate: net.c ---- */

struct connection {
	unsigned number;
	struct agent *agent;     /* NULL: the slot is free */
	bool client, server;     /* each end still lives */
	bool dark_up, dark_down; /* half-open: what is sent that way is lost, and nobody knows */
	bool greeted, welcomed, closing, choked;
	struct id boot;
	uint64_t heard_ms;       /* the gate took its last frame then */
	uint64_t up_ms, down_ms; /* the last frame each way arrives then */
	unsigned under_way;      /* frames to the controller */
	unsigned life;
};
enum err_code net_dial(struct agent *a, struct err *reterr);
enum err_code net_send_up(struct agent *a, struct bytes frame, struct err *reterr);
void net_close_client(struct agent *a); /* politely */
void net_drop_client(struct agent *a);  /* the process died or gave it up */
void net_break(struct sim *s, struct connection *c);
void net_hub_died(struct sim *s);
void net_deliver(struct sim *s, const struct control_letter *l); /* the gate sends or closes */
struct connection *net_of(struct sim *s, const struct agent *a);
size_t net_count(const struct sim *s); /* connections that the gate counts as greeted */

/* ---- the controller's process: hub.c ---- */

struct page { /* what arrived at the receiver */
	struct id notification, incident;
	enum notify_event event;
	char key[200];
	uint64_t at_ms;
};
struct hub {
	struct control control;
	bool up;
	uint64_t life, slow_until_ms, planned_ms;
	struct input **waiting;
	size_t waiting_count, waiting_capacity;
	bool die_after_commit;
	unsigned letters_before_death; /* with die_after_commit: so many effects get out */
	struct page *pages;
	size_t page_count, page_capacity;
	unsigned restored; /* times that it was put back to a backup: what it knew since is lost on purpose */
	struct turn_write *backup;
	size_t backup_count;
	uint64_t hellos, peak_hellos, hellos_this_second, second;
	uint64_t crashes, refused_expected;
};
void hub_open(struct sim *s);
void hub_close(struct sim *s);
void hub_start(struct sim *s);
void hub_crash(struct sim *s);
void hub_give(struct sim *s, struct input *in);
void hub_backup(struct sim *s);
void hub_restore(struct sim *s);

/* ---- people.c, faults.c, check.c ---- */

void people_begin(struct sim *s);
void people_repair(struct sim *s); /* everything bad is put right by hand */
/* Somebody asks for a rollback of the service on all its hosts. */
void people_roll_back(struct sim *s, unsigned service);
void people_approve(struct sim *s); /* what waits for it */
void people_roll_back_part(struct sim *s, unsigned service, enum component which);
const char *people_key(unsigned who); /* public key lines of the approvers */
void people_policy(struct sim *s);
void people_ask(struct sim *s, const char *who, const char *noun, const char *verb, const struct request_args *a);
void faults_begin(struct sim *s);
/* A new generation on at most so many hosts, one after another (gap_ms 0: all at once). */
void faults_deploy(
    struct sim *s, unsigned service, enum component which, bool bad, unsigned most_hosts, uint64_t gap_ms);

struct effect_seen { /* an order began to change a host */
	struct id order, rollback;
	unsigned agent;
	uint32_t wave;
	unsigned fresh_begins; /* not resumed: must be 1 */
	bool ended, matched;
};
void check_begins(struct sim *s, struct place *p, const struct order *o, bool resume);
void check_ended(struct sim *s, struct id order, bool matched);
void check_store(struct sim *s); /* what must hold at any moment */
void check_end(struct sim *s);   /* what must hold once the faults are over */

/* watch.c */
void watch_store(struct sim *s, struct turn *t); /* at every check */
void watch_change(struct sim *s, struct turn *t, const void *record);
void watch_page(struct sim *s, const struct incident *i); /* of whom a page is about to be sent */
size_t watch_rows(struct sim *s);                         /* of the whole store */
void watch_growth(struct sim *s);                         /* at the end */

/* ---- the run ---- */

struct sim {
	struct sim_options o;
	struct random random;
	uint64_t now_ms, begin_ms, numbers;
	bool calm;
	struct event *heap;
	size_t heap_count, heap_capacity;
	struct hub hub;
	struct agent *agents;
	unsigned agent_count;
	unsigned services; /* of sim_services, so many run */
	bool leans[SIM_SERVICES][SIM_SERVICES];
	const char *lean_names[SIM_SERVICES][SIM_SERVICES];
	size_t lean_count[SIM_SERVICES];
	struct connection connections[SIM_CONNECTIONS_MAX];
	unsigned connection_high;
	uint32_t newest[SIM_SERVICES][SIM_COMPONENTS]; /* last generation made */
	bool *bad[SIM_SERVICES][SIM_COMPONENTS];       /* by generation */
	uint32_t good[SIM_SERVICES][SIM_COMPONENTS];   /* the newest that is not bad */
	struct effect_seen effects[SIM_EFFECTS_MAX];
	size_t effect_count;
	struct arena *plans; /* plans by the approvals that people gave them */
	bool failed;
	char failure[512];
	uint64_t digest, lines;
	char tail[SIM_TAIL][SIM_LINE];
	/* counted, for the report */
	uint64_t looks;                      /* questions that left the controller */
	size_t rows, rows_quiet, rows_grown; /* of the store: at the end, when it became quiet, and since */
	unsigned peak_restores;              /* at work at once from one storage */
	uint64_t events, crashes, breaks, deploys, rollbacks_begun;
};
extern const char *const sim_services[SIM_SERVICES]; /* portal records-db batch mail cache */

struct sim *sim_new(const struct sim_options *o);
void sim_free(struct sim *s);
/* Chaos, then calm, then the last checks.  False: s->failure says what did not hold. */
bool sim_run(struct sim *s);
/* For scenarios: run events until then (or a failure). */
bool sim_until(struct sim *s, uint64_t until_ms);

#endif
