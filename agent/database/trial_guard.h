/* agent/database/trial_guard.h: a process that ends what a trial has started, should the trial end without a word:
 * killed, that is. A process of its own from before the start; when the other end of its pipe is gone it does so, and
 * then it is gone itself. */
#ifndef KEDGE_AGENT_DATABASE_TRIAL_GUARD_H
#define KEDGE_AGENT_DATABASE_TRIAL_GUARD_H

#include <fcntl.h>
#include <sys/types.h>

#include "shared/base/err.h"

struct trial_guard {
	int fd;
	pid_t pid;
};
/* end runs in that process, on a copy of ctx as it is now. */
ERR_CHECK enum err_code trial_guard_start(
    struct trial_guard *ret, void (*end)(void *ctx), void *ctx, struct err *reterr);
/* All was ended as it should be. */
void trial_guard_over(struct trial_guard *g);

#endif
