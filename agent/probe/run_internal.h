/* agent/probe/run_internal.h: what the kinds of probe share.  Private to agent/probe. */
#ifndef KEDGE_AGENT_PROBE_RUN_INTERNAL_H
#define KEDGE_AGENT_PROBE_RUN_INTERNAL_H

#include "agent/io/process.h"
#include "agent/probe/http.h"
#include "agent/probe/net.h"
#include "agent/probe/run.h"

struct probe_run {
	const struct probe_env *env;
	const struct probe_config *config;
	struct probe_memory *memory;
	void (*done)(void *ctx, const struct probe_outcome *outcome);
	void *ctx;
	uint64_t began_ms;
	struct loop_timer *deadline, *pause;
	struct net *net;
	struct process *process;
	char named[PATH_LIMIT]; /* by the server that is probed: its certificate */
	struct http_url url;
	struct http_response response;
	struct probe_outcome outcome;
	bool finished; /* the outcome stands; it is told by the deadline timer's next firing */
	bool timed;    /* a good but slow answer is a warning */
};

/* Begin; ERR_OK and later run_finish(), or an error that becomes UNKNOWN. */
typedef enum err_code (*run_begin_fn)(struct probe_run *r, struct err *reterr);
enum err_code run_http(struct probe_run *r, struct err *reterr);
enum err_code run_tcp(struct probe_run *r, struct err *reterr);
enum err_code run_tls(struct probe_run *r, struct err *reterr);
enum err_code run_exec(struct probe_run *r, struct err *reterr);
enum err_code run_process(struct probe_run *r, struct err *reterr);
enum err_code run_disk(struct probe_run *r, struct err *reterr);
enum err_code run_folder(struct probe_run *r, struct err *reterr);
enum err_code run_cpu(struct probe_run *r, struct err *reterr);
enum err_code run_memory(struct probe_run *r, struct err *reterr);
enum err_code run_age(struct probe_run *r, struct err *reterr);
enum err_code run_postgres(struct probe_run *r, struct err *reterr);

/* In a child: how much of its file system that takes which goes with the sessions of a cluster, what they sort and
 * their temporary tables, in percent; 0: nothing, or it cannot be looked at.  path: the folder of its databases. */
enum err_code run_look_sessions(
    struct probe_run *r, const char *path, void (*done)(void *ctx, const struct process_result *p), struct err *reterr);
double run_folder_share(const struct process_result *p);

/* r->outcome is complete.  The run is over after the current turn. */
void run_finish(struct probe_run *r);
uint64_t run_took_ms(const struct probe_run *r);
/* value against two limits: higher is worse. */
enum probe_state run_compare(double value, double warn, double critical);

/* A program that could not be executed because of what it is, not because the host is short of something. */
bool run_is_broken(const struct err *e);
/* What a check is that cannot be run or crashed: run.h. */
enum probe_state run_unable(const struct probe_run *r);

#endif
