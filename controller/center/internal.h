/* controller/center/internal.h */
#ifndef KEDGE_CONTROLLER_CENTER_INTERNAL_H
#define KEDGE_CONTROLLER_CENTER_INTERNAL_H

#include "controller/center/center.h"
#include "shared/base/map.h"

struct center {
	struct store *store;
	struct random *random;
	struct center_handlers handlers;
	struct center_sinks sinks;
	uint64_t now_ms;
	bool started;     /* a step was taken: from then on time never goes back */
	struct buf frame; /* scratch */
};

/* ---- answers.c: the first answer of each request that carries an idempotency key ---- */
#define ANSWER_TIMER "center-answers"
/* *ret_found: the request was answered before and the answer is emitted again.  ERR_INVALID: the key was used for
 * something else. */
ERR_CHECK enum err_code answer_repeat(struct turn *t, const struct request *r, bool *ret_found, struct err *reterr);
/* Keep what the turn answered to r, if it has. */
ERR_CHECK enum err_code answer_keep(struct turn *t, const struct request *r, struct err *reterr);
ERR_CHECK enum err_code answer_sweep(struct turn *t, struct err *reterr);

/* ---- deliver.c ---- */
void deliver(struct center *c, const struct effect *effects, size_t count);

#endif
