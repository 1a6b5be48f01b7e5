/* agent/keeper/internal.h: what the files of the keeper share. */
#ifndef KEDGE_AGENT_KEEPER_INTERNAL_H
#define KEDGE_AGENT_KEEPER_INTERNAL_H

#include "agent/channel/channel.h"
#include "agent/channel/link_options.h"
#include "agent/io/loop.h"
#include "agent/keeper/byhand.h"
#include "agent/keeper/identity.h"
#include "agent/keeper/jobs.h"
#include "agent/keeper/keeper.h"
#include "agent/keeper/outgoing.h"
#include "agent/logwatch/logwatch.h"
#include "agent/orders/journal.h"
#include "agent/probe/pidwatch.h"
#include "agent/probe/set.h"
#include "shared/approval/approval.h"

struct seen_drift {
	bool known;
	struct id snapshot;
	uint64_t changed, added, removed, newest_ms;
	struct digest digest;
	char version[64];
	bool checked, refused; /* by the service's own check, when one was asked last */
};

struct watched { /* one service */
	struct keeper *k;
	const struct service_config *service;
	uint64_t next_snapshot_ms, next_drift_ms; /* monotonic */
	uint64_t next_verify_ms;                  /* monotonic: when to look whether something is due */
	uint64_t next_drill_look_ms, next_drill_alarm_ms;
	uint64_t next_archive_ms; /* monotonic: of the database's log */
	struct reach reach;       /* as it was seen last; text is below; service NULL: nothing beyond restore points */
	char reach_text[TEXT_LINE_MAX];
	uint64_t last_report_ms;       /* health; monotonic */
	uint32_t death_asks;           /* how often its probes are still asked because a process ended */
	bool drift_wanted, drift_told; /* a comparison was asked for; the one that runs is it, and is told even if it
					  finds nothing new */
	struct seen_drift drift[COMPONENT_COUNT];
	bool untouched;        /* the changing order that ran here has said that it changed nothing */
	struct id probe_order; /* an ORDER_PROBE whose check is under way */
	struct {
		bool wanted, deep; /* asked for, and not begun yet */
		bool running, checking, deep_again;
		uint32_t left;   /* how often what contradicts is asked again */
		uint64_t due_ms; /* monotonic: checking: given up then; running: the next check; else not before */
	} look;
};

struct keeper {
	const struct agent_config *c;
	struct loop *loop;
	struct arena *arena;                  /* of the whole life */
	struct probe_set_events probe_events; /* borrowed by the next two for their lives */
	struct logwatch_events log_events;
	struct probe_set *probes;
	struct pidwatch *pids;
	struct logwatch *logs;
	struct jobs *jobs;
	struct orders *orders;
	struct order_journal *journal;
	struct outgoing *outgoing;
	struct identity *identity; /* NULL: stands alone */
	struct approval_keys keys;
	char handed[BYHAND_TURN_MAX][ID_TEXT_MAX + sizeof ".json"]; /* files of by-hand that wait for the spool */
	size_t handed_next;
	struct watched *watched;
	size_t watched_count;
	struct loop_timer *tick;
	int lock;
	/* guard.c */
	struct id boot;   /* this run */
	int link_program; /* descriptor of kedge-link; -1: not opened yet */
	pid_t link_pid;
	struct channel *channel;
	struct loop_fd *channel_fd;
	struct loop_child *link_child;
	uint64_t link_again_ms, link_delay_ms, link_began_ms; /* monotonic */
	bool connected;
	uint64_t heartbeat_ms;
	/* host.c */
	uint64_t next_host_ms, next_certificate_ms, next_trim_ms;
	uint64_t cpu_busy, cpu_total;
	bool lagging, word_wanted;
	uint64_t next_prune_ms; /* monotonic */
	struct {
		uint64_t next_ms, retry_ms, next_look_ms;
		struct timespec log_changed;
		bool failing_told, lock_told, damaged_told;
	} copies; /* next_ms: monotonic; retry_ms: 0 while all is well */
	/* stopping */
	bool stopping;
	uint64_t stop_at_ms;
};

/* observe.c */
enum err_code observe_new(struct keeper *k, struct err *reterr);
void observe_free(struct keeper *k);
void observe_tick(struct keeper *k, uint64_t now_ms);
void observe_everything(struct keeper *k);                                /* the controller is back: tell it all */
void observe_report(struct keeper *k, const struct report *r);            /* from a worker */
void observe_changed(struct keeper *k, const char *service, bool begins); /* a changing order begins or ended */
enum err_code observe_probe_order(struct keeper *k, const struct order *o, struct err *reterr);
void observe_tell_health(struct watched *w); /* as it is now, at once */
/* Queue a report: time and importance set here. */
void keeper_tell(struct keeper *k, enum importance importance, struct report *r);
void keeper_notice(struct keeper *k, enum severity severity, const char *what, const char *service, const char *text);

void observe_yield(struct keeper *k); /* what can wait stops: something that cannot begins */

/* looks.c */
void looks_on_look(struct keeper *k, const struct look *l);
void looks_tick(struct keeper *k, uint64_t now_ms);
/* The longest that a look takes until it has settled how the service is; of its shallow probes. */
uint64_t looks_answer_ms(const struct service_config *s);
void looks_replaced(struct watched *w); /* another check of its probes begins: the look's never ends */

/* reach.c */
void reach_tick(struct watched *w, uint64_t now_ms);

/* copies.c */
void copies_tick(struct keeper *k, uint64_t now_ms);
void copies_on_ended(struct keeper *k, const struct work_spec *spec); /* a worker did its work */

/* byhand.c */
void byhand_tick(struct keeper *k);
void byhand_on_spooled(struct keeper *k, const struct report *r);

/* deaths.c */
enum err_code deaths_new(struct keeper *k, struct err *reterr);

/* drills.c */
void drills_tick(struct watched *w, uint64_t now_ms);

/* obey.c */
enum err_code obey_new(struct keeper *k, struct err *reterr);
void obey_free(struct keeper *k);

/* guard.c */
enum err_code guard_start(struct keeper *k, struct err *reterr);
void guard_tick(struct keeper *k, uint64_t now_ms);
void guard_stop(struct keeper *k);                    /* asks, waits a little, kills */
void guard_declare(struct keeper *k, uint64_t epoch); /* what the next hello says */
enum err_code guard_send(struct keeper *k, const struct channel_message *m);

/* link_program.c: a process of kedge-link with channel_fd, which stays the caller's, as its channel. */
enum err_code link_program_begin(
    struct keeper *k, const struct link_options *o, int channel_fd, pid_t *ret, struct err *reterr);

/* host.c */
void host_tick(struct keeper *k, uint64_t now_ms);

#endif
