/* agent/rollback/rollback.h: bring components of one service on this host back to a restore point, or leave it as it
 * was.
 *
 *   stage    read what is there, once: to be saved, and to be compared; then read, authenticate and write beside the
 * live trees all that is needed; the service still runs safety   what was read becomes a restore point of what is about
 * to be replaced; parts of large files are staged stop     the service's declared step; then a second look: what has
 * changed since is staged and saved too.  Where nothing is declared to stop, only what will be touched is looked at
 * again, by its inode restore  rename into place; large files of data in place, page by page (converge.h) check, start
 * the service's declared steps (reload, where no start is declared) verify   the live trees against the restore point
 * while they become durable, then the service's probes.  What was written is read back and digested; what was not
 * touched is known by size, mtime, ctime and inode to be what was read for the safety restore point confirm  of a
 * service that may cut its host off, when ordered: the controller is heard from again undo     when any of that fails
 * after the first change: the same way back to the safety restore point
 *
 * Where nothing differs nothing is stopped, unless the probes do not pass: then the service is started anew, and
 * proven.
 *
 * A journal (one small file an order, replaced atomically and synced before each phase begins) makes a crash at any
 * instruction end, after rollback_recover(), in the old state or the new one, whole.  A journal that cannot be written
 * stops what has not begun, and nothing else: what is written stays true enough to recover by. Blocking; a worker
 * process or a person's command line, one rollback of a service at a time (an exclusive lock says who else). */
#ifndef KEDGE_AGENT_ROLLBACK_ROLLBACK_H
#define KEDGE_AGENT_ROLLBACK_ROLLBACK_H

#include "agent/snapshot/snapshot.h"
#include "shared/message/order.h"
#include "shared/message/report.h"

enum {
	ROLLBACK_STEPS_MAX = REPORT_STEPS_MAX,
	ROLLBACK_TEXT_MAX = TEXT_LINE_MAX,
	ROLLBACK_JOURNAL_KEEP_DAYS = 30, /* an order is asked for again within its plan's day; the rest is trace */
};

struct rollback_io { /* what a rollback asks of the world; borrowed */
	void *ctx;
	/* A step ended. */
	void (*step)(void *ctx, const struct order_step *step);
	/* Do the service's probes pass now?  deep: the deep ones too.  text: what failed, redacted. */
	bool (*prove)(void *ctx, const char *service, bool deep, char text[ROLLBACK_TEXT_MAX]);
	/* Asked between steps before anything changes; true ends it as ORDER_CANCELLED. */
	bool (*cancelled)(void *ctx);
	uint64_t (*now_ms)(void *ctx); /* wall clock */
	/* For a service with `confirm_within`: is whoever ordered this still heard from, now that it is in place?
	 * in_place_ms: since when (monotonic), before its start step and its probes: the service's time runs from
	 * then.  Waits.  False: it is undone; text says why.  NULL: it was begun by hand, and nobody has to be. */
	bool (*confirm)(
	    void *ctx, const struct service_config *service, uint64_t in_place_ms, char text[ROLLBACK_TEXT_MAX]);
	/* Asked when `prove` has just said no: does something pass that failed before this was begun, and is all that
	 * fails what had failed then?  There is another fault beside the one that this was for: what is in place
	 * stays, and that is told (ok_with_exceptions).  NULL: nobody knows how it was; it is undone. */
	bool (*better)(void *ctx);
};

struct rollback_request {
	struct id order; /* also names the journal and the staging folders */
	const struct service_config *service;
	uint32_t components; /* bits; 0: all that the restore point and agent.yaml have */
	struct id snapshot;
	const char
	    *moment; /* of the database: database_recovery.settings, from this restore point on; NULL: where it ends */
	uint64_t run_limit_ms; /* 0: none; beyond it a rollback that has not been proven is undone */
	bool deep;
	struct digest precondition; /* precondition_digest() of the live state that it was planned on; otherwise nothing
				     * is touched (ORDER_REFUSED); zero: any state */
	const struct snapshot_version *schema; /* "database_schema", …: as their programs say now; borrowed */
	size_t schema_count;                   /* what is not said is as in the newest restore point */
	bool cross_schema; /* also when a component that stays has another schema now than it had then */
	bool no_prove;  /* ask no probes: the digests decide, `healthy` is told as not known (false), and the end is at
			 * best ok_with_exceptions */
	bool check_too; /* with as_it_was: what is found wrong before anything is touched refuses all the same */
	bool
	    as_it_was; /* an undo: the state before may well have been broken, so that a check or start step that fails,
			* and probes that do not pass, are told (ok_with_exceptions) but do not stand in the way */
};

struct rollback_result {            /* strings and lists live in the arena given */
	enum order_outcome outcome; /* never OPEN */
	struct list steps;          /* struct order_step; empty when it is answered from the journal */
	struct id safety_snapshot;  /* zero: nothing was changed */
	struct list components;     /* struct component_point: live state after */
	bool digests_match;         /* live equals the restore point in everything that may be put back */
	bool healthy;               /* its probes passed, or it declares none */
	bool better;                /* they do not all pass; what fails had failed before, and something passes again */
	struct id snapshot;         /* a progressive one: where it ended; zero: it went nowhere else than asked for */
	uint32_t tries;             /* a progressive one */
	const char *text;           /* why, for people */
};

/* state_directory: journals and locks live in state_directory/rollback.  ERR_OK whatever the outcome; an error only
 * when nothing could even be begun (ERR_BUSY: another rollback of the service, ERR_NOT_FOUND: no such restore point,
 * ERR_INVALID).  An order that has ended is answered from its journal, one that was interrupted is recovered: nothing
 * is done twice.  What other orders have left unfinished in this service is closed as failed_dirty: this one goes on
 * from there. */
ERR_CHECK enum err_code rollback_run(struct repo *repo, const char *state_directory, const struct rollback_request *r,
    const struct rollback_io *io, struct arena *arena, struct rollback_result *ret, struct err *reterr);

/* What would be done, seen by the same eyes: counts and every path, on the calling thread; nothing is written.  A
 * database is always put back whole; its size is in bytes. */
struct rollback_plan {
	uint64_t changed, added, removed, metadata, bytes;
};
ERR_CHECK enum err_code rollback_plan(struct repo *repo, const struct rollback_request *r,
    snapshot_change_fn *on_change, void *ctx, struct rollback_plan *ret, struct err *reterr);

/* Journals of rollbacks that did not end: *ret: struct rollback_pending. */
struct rollback_pending {
	struct id order;
	const char *service;
	const char *phase;
};
ERR_CHECK enum err_code rollback_pending(
    const char *state_directory, struct arena *arena, struct list *ret, struct err *reterr);
/* Finish one of them, or tell how it ended.  request: service from the configuration of now; snapshot and components
 * come from the journal. ERR_NOT_FOUND: it was never begun, so that nothing was done. */
ERR_CHECK enum err_code rollback_recover(struct repo *repo, const char *state_directory,
    const struct rollback_request *r, const struct rollback_io *io, struct arena *arena, struct rollback_result *ret,
    struct err *reterr);

#endif
