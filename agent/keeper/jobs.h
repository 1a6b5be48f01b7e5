/* agent/keeper/jobs.h: worker processes of the keeper: begun, listened to, ended.  Loop thread only. */
#ifndef KEDGE_AGENT_KEEPER_JOBS_H
#define KEDGE_AGENT_KEEPER_JOBS_H

#include "agent/io/loop.h"
#include "agent/worker/work.h"

enum { JOBS_MAX = 32 };

struct jobs_events { /* borrowed */
	void *ctx;
	void (*report)(void *ctx, const struct report *r);
	void (*progress)(void *ctx, const struct progress *p);
	/* The worker is gone.  clean: it did its work (its reports were all delivered before this). */
	void (*ended)(void *ctx, const struct work_spec *spec, bool clean);
};

struct jobs;
ERR_CHECK enum err_code jobs_new(struct loop *l, const struct agent_config *c, const struct jobs_events *events,
    struct jobs **ret, struct err *reterr);
/* Kills what runs (their journals tell the next keeper). */
void jobs_free(struct jobs *j);
/* The spec is copied.  ERR_LIMIT, ERR_NOMEM, ERR_IO. */
ERR_CHECK enum err_code jobs_start(struct jobs *j, const struct work_spec *spec, struct err *reterr);
void jobs_cancel(struct jobs *j, struct id order);                        /* asks it to stop where it safely can */
void jobs_stop(struct jobs *j, enum work_kind kind, const char *service); /* the same, of that kind; NULL: of any */
bool jobs_running(const struct jobs *j, enum work_kind kind, const char *service); /* service NULL: any */
/* The controller was heard from, then (monotonic, not of the future): every worker sees it. */
void jobs_heard(struct jobs *j, uint64_t at_ms);
size_t jobs_count(const struct jobs *j);

#endif
