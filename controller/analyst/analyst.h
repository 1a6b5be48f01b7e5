/* controller/analyst/analyst.h: diagnosis off the loop: a thread that reads a snapshot of the store and hands the
 * result back as INPUT_DIAGNOSED.  Asked about the same incident while it waits or works, it looks once more
 * afterwards. */
#ifndef KEDGE_CONTROLLER_ANALYST_ANALYST_H
#define KEDGE_CONTROLLER_ANALYST_ANALYST_H

#include "controller/center/input.h"
#include "controller/diagnosis/diagnosis.h"
#include "controller/store/store.h"

enum {
	ANALYST_WAITING_MAX = 256, /* incidents that wait; beyond, what is new asks again */
	ANALYST_ARENA_MAX = 256 << 20,
};

struct analyst_config {
	struct store *store; /* borrowed */
	void *ctx;
	enum err_code (*submit)(void *ctx, struct input *in, bool *ret_congested, struct err *reterr);
};
struct analyst;

ERR_CHECK enum err_code analyst_start(const struct analyst_config *c, struct analyst **ret, struct err *reterr);
void analyst_stop(struct analyst *a);                    /* frees; NULL is a no-op */
void analyst_ask(struct analyst *a, struct id incident); /* any thread */

#endif
