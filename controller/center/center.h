/* controller/center/center.h: the one place where the controller moves.
 *
 * A step takes what is waiting: applies each input to an overlay of its own (a refused one leaves no trace but its
 * audit entry), then every timer that is due, commits all of it once, with one sync, and only then hands the effects to
 * the sinks.  A request that is repeated with its idempotency key gets the first answer.  Acknowledgements to one
 * connection are sent once a step, the highest.
 *
 * Pure but for the store and the sinks: time and randomness come in, so that the simulator steps it on virtual time.
 * One thread at a time: the runner's (controller/center/runner.h) or the simulator's. */
#ifndef KEDGE_CONTROLLER_CENTER_CENTER_H
#define KEDGE_CONTROLLER_CENTER_CENTER_H

#include "controller/center/input.h"
#include "controller/center/limits.h"
#include "controller/store/store.h"

struct workflow_config;

/* What the center does not know: the domain.  workflow_apply and workflow_refused in the real controller. */
struct center_handlers {
	enum err_code (*apply)(
	    struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr);
	/* In an overlay of its own, after apply refused `in` for `why`.  If this fails too, that is logged and an
	 * operator still answered. */
	enum err_code (*refused)(struct turn *t, const struct workflow_config *config, const struct input *in,
	    const struct err *why, struct err *reterr);
	const struct workflow_config *config; /* borrowed */
};

struct center_reply {
	uint64_t token;
	enum err_code code;
	const struct record_type *type; /* of record */
	const void *record;             /* or NULL */
	const char *json;               /* instead of record: a first answer, given again */
	const char *text;               /* why, when code is not ERR_OK */
};
struct center_event {
	uint64_t at_ms;
	const char *topic;
	uint32_t severity;
	const char *host; /* or NULL */
	struct id id;
	const char *text;
};

/* Where effects go.  Called on the center's thread, after the commit, in the order of emission; must not block and must
 * copy what they keep.  A NULL sink drops its effects. */
struct center_sinks {
	void *ctx;
	void (*frame)(void *ctx, const char *host, struct id boot, enum frame_type type, struct bytes encoded);
	void (*close)(void *ctx, const char *host, struct id boot, enum bye_reason reason, const char *text);
	void (*reply)(void *ctx, const struct center_reply *reply);
	void (*notify)(void *ctx, struct id outbox);
	void (*analyse)(void *ctx, struct id incident);
	void (*event)(void *ctx, const struct center_event *event);
	void (*revocations)(void *ctx);
	/* The authority signs `csr` (PEM) for `host` in `role` (enum certificate_role); token and boot come back with
	 * INPUT_SIGNED. */
	void (*sign)(void *ctx, uint32_t role, const char *host, const char *csr, uint64_t token, struct id boot);
	void (*summarise)(void *ctx, struct id incident);
};

struct center_options {
	struct store *store;   /* borrowed; the center is the only one that commits */
	struct random *random; /* borrowed */
	struct center_handlers handlers;
	struct center_sinks sinks;
};
struct center;

/* Reads how far the clock of the store has come. */
ERR_CHECK enum err_code center_new(const struct center_options *o, struct center **ret, struct err *reterr);
void center_free(struct center *c); /* NULL is a no-op */

struct center_outcome {
	uint64_t next_due_ms; /* the earliest timer; UINT64_MAX: none.  Not after now: step again */
	size_t accepted, refused, timers, commits, writes;
};
/* Takes the inputs, in order, and frees them, whatever happens.  now_ms is the wall clock; where it goes back, the
 * center's time stands still (center_now_ms).  An error is one of the store: nothing more may be done on it, and the
 * process must end and start again. Effects of what was committed before the error have been handed out. */
ERR_CHECK enum err_code center_step(struct center *c, struct input **inputs, size_t count, uint64_t now_ms,
    struct center_outcome *ret, struct err *reterr);
uint64_t center_now_ms(const struct center *c); /* time of the last step, or of the store's last commit */

extern const struct table answer_table; /* request_answer: for the list of tables */
extern const struct record_type *const center_types[];

#endif
