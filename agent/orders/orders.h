/* agent/orders/orders.h: what becomes of an order on this host: judged, journalled, begun, ended, told.
 *
 * Pure: no clock, file, process or socket of its own; all come through struct orders_io (the keeper's adapters, or the
 * simulator's).
 *
 *   PREPARED (journalled, told: accepted) -> STARTED (journalled, job begun) -> DONE (journalled with its report, told
 * until it is spooled)
 *
 * An id that was seen before is answered from the journal and never done again.  A crash in STARTED is recovered by
 * orders_resume(): the job is asked to finish or revert what it finds, never blindly repeated; what was only PREPARED
 * is judged anew.  Refusals are journalled and told too.  An end that the journal does not take is not told either: it
 * is tried again whenever anything happens here, and by orders_on_tick().
 * An undo may only go to the restore point that this host itself took before the order that it undoes.
 * Loop thread only. */
#ifndef KEDGE_AGENT_ORDERS_ORDERS_H
#define KEDGE_AGENT_ORDERS_ORDERS_H

#include "agent/config/config.h"
#include "shared/message/message.h"

enum {
	ORDERS_KEPT_MAX =
	    2048, /* journalled orders: 64 services at most an hour's sixty are never reached; old ended ones go */
	ORDERS_KEEP_MS = 7 * 24 * 3600 * 1000, /* longer than any plan lives */
	ORDERS_RUNNING_MAX = 16,               /* one changing order a service, and some that only read */
};

enum order_phase { ORDER_PREPARED, ORDER_STARTED, ORDER_DONE, ORDER_PHASE_COUNT };
extern const struct enum_type order_phase_enum;

struct order_entry {        /* one line of the journal */
	struct id order_id; /* KEY */
	uint32_t phase;
	uint64_t at_ms; /* when it came */
	const struct order *order;
	const struct order_report *report; /* once DONE: the answer, as it is told again and again */
	bool told;                         /* the answer is in the spool */
};
extern const struct record_type order_entry_type;

struct orders_io {
	void *ctx;
	/* Durable once it returns ERR_OK. */
	enum err_code (*put)(void *ctx, const struct order_entry *e, struct err *reterr);
	enum err_code (*remove)(void *ctx, struct id order, struct err *reterr);
	/* The highest epoch obeyed, durable. */
	enum err_code (*put_epoch)(void *ctx, uint64_t epoch, struct err *reterr);
	/* Begin the job (resume: finish or revert what an earlier run of it left); an ending orders_on_job_report()
	 * follows, or orders_on_job_lost(). */
	enum err_code (*start)(void *ctx, const struct order *o, bool resume, struct err *reterr);
	void (*cancel)(void *ctx, struct id order);
	/* Hand to the spool; orders_on_told() follows when it is durable there (not from within). */
	void (*tell)(void *ctx, const struct order_report *r);
	/* The host's own word: may this order be carried out?  False: why. */
	bool (*authorised)(void *ctx, const struct order *o, char why[TEXT_LINE_MAX]);
	uint64_t (*now_ms)(void *ctx);
};

struct orders;
ERR_CHECK enum err_code orders_new(
    const struct agent_config *config, const struct orders_io *io, struct orders **ret, struct err *reterr);
void orders_free(struct orders *o); /* NULL is a no-op */
/* Before anything else: what the journal holds, and the epoch.  Entries are copied. */
ERR_CHECK enum err_code orders_load(
    struct orders *o, const struct order_entry *entries, size_t count, uint64_t epoch, struct err *reterr);
/* After loading: begin again what was STARTED, begin what was PREPARED, tell what was not told. */
void orders_resume(struct orders *o);

void orders_on_order(struct orders *o, const struct order *order);
void orders_on_cancel(struct orders *o, struct id order, const char *reason);
void orders_on_halt(struct orders *o, bool on);
/* A job went a step further (outcome OPEN) or ended. */
void orders_on_job_report(struct orders *o, const struct order_report *r);
/* A job is gone without an end: it crashed.  It is begun again in resume mode a few times, then ends FAILED_DIRTY. */
void orders_on_job_lost(struct orders *o, struct id order);
/* Every second or so: an accepted order is not asked for again, so that nothing else may happen here before its end is
 * told. */
void orders_on_tick(struct orders *o);
void orders_on_told(struct orders *o, struct id order);
bool orders_is_running(const struct orders *o, const char *service); /* a changing order */
size_t orders_running(const struct orders *o);
uint64_t orders_epoch(const struct orders *o);

#endif
