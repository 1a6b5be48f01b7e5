/* agent/keeper/jobs.c */
#include "agent/keeper/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/channel/channel.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

struct job {
	struct jobs *jobs;
	struct arena *arena; /* of spec */
	struct work_spec spec;
	pid_t pid;
	struct channel *channel;
	struct loop_fd *fd;
	struct loop_child *child;
	bool gone, clean; /* the process; its channel may still hold reports */
};
struct jobs {
	struct loop *loop;
	const struct agent_config *config;
	struct jobs_events events;
	struct job *all[JOBS_MAX];
	size_t count;
	_Atomic uint64_t *heard_ms; /* shared with every worker: when the controller was heard from last; monotonic */
};

/* ---- in the worker ---- */

static atomic_bool worker_cancel;
static void on_term(int signo)
{
	(void)signo;
	atomic_store(&worker_cancel, true);
}

struct worker {
	struct channel *channel;
	bool broken;
};

/* The keeper reads; if it is gone so are we (PR_SET_PDEATHSIG). */
static void send_whole(struct worker *w, const struct channel_message *m)
{
	struct err err = ERR_INIT;
	enum err_code rc = w->broken ? ERR_UNREACHABLE : channel_send(w->channel, m, &err);
	while (rc == ERR_OK && channel_wants_write(w->channel)) {
		int flags = fcntl(channel_fd(w->channel), F_GETFL);
		fcntl(channel_fd(w->channel), F_SETFL, flags & ~O_NONBLOCK);
		rc = channel_flush(w->channel, &err);
	}
	if (rc == ERR_OK || w->broken)
		return;
	log_error("worker", "the keeper cannot be told: %s", err.msg);
	w->broken = rc == ERR_UNREACHABLE;
}

static void worker_report(void *ctx, const struct report *r)
{
	struct channel_message m = {.type = CHANNEL_REPORT, .report = r};
	send_whole(ctx, &m);
}

static void worker_progress(void *ctx, const struct progress *p)
{
	struct channel_message m = {.type = CHANNEL_PROGRESS, .progress = p};
	send_whole(ctx, &m);
}

static _Noreturn void worker_main(struct job *j, int fd)
{
	struct worker w = {0};
	sigset_t none;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, 3) < 0 || close_range(4, ~0u, 0) != 0) /* nothing of the keeper's loop */
		_exit(70);
	signal(SIGTERM, on_term); /* before it is let through: it may wait already */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (channel_new(3, CHANNEL_KEEPER, &w.channel, NULL) != ERR_OK)
		_exit(70);
	struct work_out out = {&w, worker_report, worker_progress, &worker_cancel, j->jobs->heard_ms};
	work_run(j->jobs->config, &j->spec, &out);
	_exit(w.broken ? 71 : 0);
}

/* ---- in the keeper ---- */

static void remove_job(struct job *j)
{
	struct jobs *jobs = j->jobs;
	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->all[i] == j) {
			jobs->all[i] = jobs->all[--jobs->count];
			break;
		}
	loop_remove_fd(j->fd);
	channel_free(j->channel);
	arena_free(j->arena);
	free(j);
}

/* Everything that the worker said so far.  False: the channel has ended. */
static bool drain(struct job *j)
{
	for (;;) {
		CLEANUP(arena_cleanup) struct arena *arena = arena_new(8 << 20);
		struct channel_message m;
		struct err err = ERR_INIT;
		bool found;
		if (!arena)
			return true;
		enum err_code rc = channel_receive(j->channel, arena, &m, &found, &err);
		if (rc != ERR_OK) {
			if (rc != ERR_UNREACHABLE)
				log_error("keeper", "a worker spoke nonsense: %s", err.msg);
			return false;
		}
		if (!found)
			return true;
		if (m.type == CHANNEL_REPORT)
			j->jobs->events.report(j->jobs->events.ctx, m.report);
		else if (m.type == CHANNEL_PROGRESS)
			j->jobs->events.progress(j->jobs->events.ctx, m.progress);
	}
}

static void end_job(struct job *j)
{
	drain(j);
	j->jobs->events.ended(j->jobs->events.ctx, &j->spec, j->clean);
	remove_job(j);
}

static void on_readable(void *ctx, unsigned events)
{
	struct job *j = ctx;
	(void)events;
	if (!drain(j)) { /* its end comes with the child's */
		loop_remove_fd(j->fd);
		j->fd = NULL;
	}
}

static void on_exit_of(void *ctx, int status)
{
	struct job *j = ctx;
	j->child = NULL;
	j->clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!j->clean)
		log_error("keeper", "worker %d %s %d", (int)j->pid,
		    WIFSIGNALED(status) ? "was killed by signal" : "ended with",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	end_job(j);
}

static enum err_code copy_spec(struct job *j, const struct work_spec *spec, struct err *reterr)
{
	j->spec = *spec;
	j->spec.service = arena_strdup(j->arena, spec->service);
	if (spec->before.count) { /* of each its name and what had settled: that is what a proof is beside */
		struct probe_result *before = arena_array(j->arena, spec->before.count, sizeof *before);
		for (size_t i = 0; before && i < spec->before.count; i++) {
			const struct probe_result *r = &LIST_AT(spec->before, struct probe_result, i);
			before[i] = (struct probe_result){
			    .probe = arena_strdup(j->arena, r->probe), .state = r->state, .settled = r->settled};
		}
		j->spec.before = (struct list){before, before ? spec->before.count : 0};
	}
	if (!spec->order)
		return ERR_OK;
	struct order *o = arena_alloc(j->arena, sizeof *o);
	if (!o)
		return err_set(reterr, ERR_NOMEM, "out of memory for a job");
	j->spec.order = o;
	return record_copy(&order_type, spec->order, j->arena, o, reterr);
}

static enum err_code spawn(struct job *j, struct err *reterr)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(reterr, errno, "no socket for a worker");
	pid_t pid = fork();
	if (pid == 0)
		worker_main(j, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(reterr, errno, "no process for a worker");
	}
	j->pid = pid;
	enum err_code rc = channel_new(pair[0], CHANNEL_LINK, &j->channel, reterr);
	if (rc != ERR_OK)
		close(pair[0]);
	else if ((rc = loop_add_fd(j->jobs->loop, pair[0], LOOP_READ, on_readable, j, &j->fd, reterr)) == ERR_OK)
		rc = loop_add_child(j->jobs->loop, pid, on_exit_of, j, &j->child, reterr);
	if (rc != ERR_OK) { /* it cannot be listened to */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return rc;
}

enum err_code jobs_start(struct jobs *jobs, const struct work_spec *spec, struct err *reterr)
{
	if (jobs->count == JOBS_MAX)
		return err_set(reterr, ERR_LIMIT, "%d workers are at work already", JOBS_MAX);
	struct job *j = calloc(1, sizeof *j);
	if (!j || !(j->arena = arena_new(4 << 20))) {
		free(j);
		return err_set(reterr, ERR_NOMEM, "out of memory for a job");
	}
	j->jobs = jobs;
	enum err_code rc = copy_spec(j, spec, reterr);
	if (rc == ERR_OK)
		rc = spawn(j, reterr);
	if (rc != ERR_OK) {
		loop_remove_fd(j->fd);
		channel_free(j->channel);
		arena_free(j->arena);
		free(j);
		return rc;
	}
	jobs->all[jobs->count++] = j;
	return ERR_OK;
}

void jobs_cancel(struct jobs *jobs, struct id order)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->all[i]->spec.order && id_equal(jobs->all[i]->spec.order->order, order))
			kill(jobs->all[i]->pid, SIGTERM);
}

static bool is_of(const struct job *j, enum work_kind kind, const char *service)
{
	return j->spec.kind == kind && (!service || text_equal(j->spec.service, service));
}

void jobs_stop(struct jobs *jobs, enum work_kind kind, const char *service)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (is_of(jobs->all[i], kind, service))
			kill(jobs->all[i]->pid, SIGTERM);
}

bool jobs_running(const struct jobs *jobs, enum work_kind kind, const char *service)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (is_of(jobs->all[i], kind, service))
			return true;
	return false;
}

void jobs_heard(struct jobs *jobs, uint64_t at_ms)
{
	uint64_t now_ms = clock_mono_ms();
	if (at_ms > now_ms) /* the link's word, or a lie */
		at_ms = now_ms;
	if (at_ms > atomic_load(jobs->heard_ms))
		atomic_store(jobs->heard_ms, at_ms);
}

size_t jobs_count(const struct jobs *jobs)
{
	return jobs->count;
}

enum err_code jobs_new(struct loop *l, const struct agent_config *c, const struct jobs_events *events,
    struct jobs **ret, struct err *reterr)
{
	struct jobs *j = calloc(1, sizeof *j);
	if (!j)
		return err_set(reterr, ERR_NOMEM, "out of memory for jobs");
	void *page =
	    mmap(NULL, sizeof *j->heard_ms, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* zero */
	if (page == MAP_FAILED) {
		free(j);
		return err_set(reterr, ERR_NOMEM, "out of memory for jobs");
	}
	j->heard_ms = page;
	j->loop = l;
	j->config = c;
	j->events = *events;
	*ret = j;
	return ERR_OK;
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	while (jobs->count) {
		struct job *j = jobs->all[0];
		loop_remove_child(j->child);
		kill(j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
		remove_job(j);
	}
	munmap((void *)jobs->heard_ms, sizeof *jobs->heard_ms);
	free(jobs);
}
