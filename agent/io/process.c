#include "agent/io/process.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/io/spawn.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/redact/leaving.h"

enum {
	PASSWD_ROOM = 4096,
	READ_PER_TURN = 64 << 10, /* of one pipe: a program that pours must not hold the loop */
	DRAIN_MAX = 1 << 20,      /* after the end: what a pipe can still hold at most */
	KILL_GRACE_MS = 2000,     /* a killed process that hangs in the kernel is given up after this */
	CANCEL_POLL_MS = 50,
	SAID_ARENA = 256 << 10, /* one line of PROCESS_OUTPUT_MAX, twice */
};

struct stream {
	struct process *process;
	struct buf *into;
	int fd;
	struct loop_fd *watch;
};

struct process {
	struct loop *loop;
	struct spawned spawned;
	struct stream streams[2]; /* standard output, standard error */
	struct loop_child *child;
	struct loop_timer *timer;
	uint64_t began_ms;
	size_t output_max;
	bool leave_descendants, killed;
	struct process_result result;
	void (*done)(void *ctx, const struct process_result *r);
	void *ctx;
};

void process_result_done(struct process_result *r)
{
	buf_done(&r->output);
	buf_done(&r->errors);
}

char *process_result_text(const struct process_result *r, char *out, size_t size_bytes)
{
	char took[TEXT_TIME_MAX];
	switch (r->end) {
	case PROCESS_EXITED:
		(void)text_format(out, size_bytes, "exit %d", r->code);
		break;
	case PROCESS_SIGNALLED:
		(void)text_format(out, size_bytes, "killed by signal %d", r->code);
		break;
	case PROCESS_TIMED_OUT:
		(void)text_format(out, size_bytes, "timed out after %s", text_duration_human(r->took_ms, took));
		break;
	case PROCESS_CANCELLED:
		(void)text_format(out, size_bytes, "cancelled");
		break;
	}
	return out;
}

/* ---- ending ---- */

enum err_code process_become(struct process_spec *spec, const char *user, struct err *reterr)
{
	char room[PASSWD_ROOM];
	struct passwd entry, *found = NULL;
	if (geteuid() != 0)
		return ERR_OK;
	if (getpwnam_r(user, &entry, room, sizeof room, &found) != 0 || !found)
		return err_set(reterr, ERR_NOT_FOUND,
		    "there is no system user %s: set `user` or `run_as` of the database in agent.yaml", user);
	spec->set_user = true;
	spec->uid = entry.pw_uid;
	spec->gid = entry.pw_gid;
	return ERR_OK;
}

static void close_stream(struct stream *s)
{
	loop_remove_fd(s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void release(struct process *p)
{
	for (size_t i = 0; i < 2; i++)
		close_stream(&p->streams[i]);
	loop_remove_timer(p->timer);
	process_result_done(&p->result);
	free(p);
}

static void reaped(void *ctx, int status)
{
	(void)ctx;
	(void)status;
}

/* The loop reaps it whenever it does end; nobody waits for that. */
static void leave_to_loop(struct process *p)
{
	struct loop_child *child;
	struct err err;
	loop_remove_child(p->child);
	p->child = NULL;
	if (loop_add_child(p->loop, p->spawned.pid, reaped, NULL, &child, &err) != ERR_OK)
		(void)waitpid(p->spawned.pid, NULL, WNOHANG);
}

static void tell(struct process *p)
{
	p->result.took_ms = clock_mono_ms() - p->began_ms;
	p->done(p->ctx, &p->result);
	release(p);
}

/* Takes at most limit bytes; false at the end of the stream. */
static bool take(struct stream *s, size_t limit)
{
	struct process *p = s->process;
	uint8_t chunk[8192];
	for (size_t taken = 0; taken < limit;) {
		ssize_t n = read(s->fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		size_t room = p->output_max - s->into->size, keep = (size_t)n < room ? (size_t)n : room;
		buf_append(s->into, chunk, keep);
		if (keep < (size_t)n)
			p->result.cut = true;
		taken += (size_t)n;
	}
	return true;
}

static void on_readable(void *ctx, unsigned events)
{
	struct stream *s = ctx;
	(void)events;
	if (!take(s, READ_PER_TURN))
		close_stream(s);
}

/* The program's own end decides, not the end of its output: something it left in the background may hold the pipe for
 * ever. */
static void on_exit_status(void *ctx, int status)
{
	struct process *p = ctx;
	p->child = NULL;
	if (!p->killed) {
		p->result.end = WIFSIGNALED(status) ? PROCESS_SIGNALLED : PROCESS_EXITED;
		p->result.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
		if (!p->leave_descendants)
			(void)kill(-p->spawned.pid, SIGKILL);
	}
	for (size_t i = 0; i < 2; i++)
		if (p->streams[i].fd >= 0)
			(void)take(&p->streams[i], DRAIN_MAX);
	tell(p);
}

static void kill_as(struct process *p, enum process_end end)
{
	p->killed = true;
	p->result.end = end;
	kill_tree(p->spawned.pid, p->spawned.mark);
	loop_arm(p->timer, clock_mono_ms() + KILL_GRACE_MS);
}

static void on_timer(void *ctx)
{
	struct process *p = ctx;
	if (!p->killed) {
		kill_as(p, PROCESS_TIMED_OUT);
		return;
	}
	leave_to_loop(p); /* it hangs in the kernel */
	tell(p);
}

void process_cancel(struct process *p)
{
	if (!p)
		return;
	kill_tree(p->spawned.pid, p->spawned.mark);
	leave_to_loop(p);
	release(p);
}

pid_t process_pid(const struct process *p)
{
	return p->spawned.pid;
}

/* ---- beginning ---- */

static enum err_code watch_stream(struct process *p, struct stream *s, struct buf *into, int fd, struct err *reterr)
{
	*s = (struct stream){.process = p, .into = into, .fd = fd};
	if (fd < 0)
		return ERR_OK;
	return loop_add_fd(p->loop, fd, LOOP_READ, on_readable, s, &s->watch, reterr);
}

static enum err_code attend(struct process *p, uint64_t timeout_ms, struct err *reterr)
{
	enum err_code rc = watch_stream(p, &p->streams[0], &p->result.output, p->spawned.output, reterr);
	if (rc == ERR_OK)
		rc = watch_stream(p, &p->streams[1], &p->result.errors, p->spawned.errors, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(p->loop, on_timer, p, &p->timer, reterr);
	if (rc == ERR_OK)
		rc = loop_add_child(p->loop, p->spawned.pid, on_exit_status, p, &p->child, reterr);
	if (rc == ERR_OK)
		loop_arm(p->timer, p->began_ms + timeout_ms);
	return rc;
}

static struct process *make(
    struct loop *l, size_t output_max, void (*done)(void *ctx, const struct process_result *r), void *ctx)
{
	struct process *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->loop = l;
	p->began_ms = clock_mono_ms();
	p->output_max = output_max ? output_max : PROCESS_OUTPUT_MAX;
	p->done = done;
	p->ctx = ctx;
	p->streams[0].fd = p->streams[1].fd = -1;
	return p;
}

/* Takes p, which was just spawned. */
static enum err_code begin(struct process *p, uint64_t timeout_ms, struct process **ret, struct err *reterr)
{
	enum err_code rc = attend(p, timeout_ms, reterr);
	if (rc != ERR_OK) {
		kill_tree(p->spawned.pid, p->spawned.mark);
		(void)waitpid(p->spawned.pid, NULL, 0);
		if (p->streams[1].into == NULL && p->spawned.errors >= 0)
			close(p->spawned.errors);
		release(p);
		return rc;
	}
	*ret = p;
	return ERR_OK;
}

enum err_code process_start(struct loop *l, const struct process_spec *spec,
    void (*done)(void *ctx, const struct process_result *r), void *ctx, struct process **ret, struct err *reterr)
{
	if (spec->timeout_ms == 0)
		return err_set(reterr, ERR_INVALID, "a program is run without a deadline");
	struct process *p = make(l, spec->output_max, done, ctx);
	if (!p)
		return err_set(reterr, ERR_NOMEM, "no memory to run a program");
	p->leave_descendants = spec->leave_descendants;
	enum err_code rc = spawn_program(spec, &p->spawned, reterr);
	if (rc != ERR_OK) {
		release(p);
		return rc;
	}
	return begin(p, spec->timeout_ms, ret, reterr);
}

enum err_code process_start_call(struct loop *l, int (*fn)(const void *arg), const void *arg, uint64_t timeout_ms,
    void (*done)(void *ctx, const struct process_result *r), void *ctx, struct process **ret, struct err *reterr)
{
	struct process *p = make(l, 0, done, ctx);
	if (!p)
		return err_set(reterr, ERR_NOMEM, "no memory to run a program");
	enum err_code rc = spawn_call(fn, arg, &p->spawned, reterr);
	if (rc != ERR_OK) {
		release(p);
		return rc;
	}
	return begin(p, timeout_ms, ret, reterr);
}

/* ---- the blocking form: a loop of its own ---- */

struct waiting {
	struct process_result *into;
	bool done;
};

static void on_done(void *ctx, const struct process_result *r)
{
	struct waiting *w = ctx;
	struct process_result *from =
	    (struct process_result *)(uintptr_t)r; /* ours: the buffers are moved out, not copied */
	*w->into = *from;
	from->output = from->errors = BUF_INIT;
	w->done = true;
}

enum err_code process_run(
    const struct process_spec *spec, const atomic_bool *cancel, struct process_result *ret, struct err *reterr)
{
	struct loop *l;
	struct process *p;
	struct process_result result = {0};
	struct waiting w = {.into = &result};
	enum err_code rc = loop_new(&l, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = process_start(l, spec, on_done, &w, &p, reterr);
	while (rc == ERR_OK && !w.done) {
		if (cancel && atomic_load(cancel) && !p->killed)
			kill_as(p, PROCESS_CANCELLED);
		rc = loop_turn(l, cancel ? CANCEL_POLL_MS : -1, reterr);
		if (rc != ERR_OK && !w.done)
			process_cancel(p);
	}
	loop_free(l);
	if (rc != ERR_OK) {
		process_result_done(&result);
		return rc;
	}
	*ret = result;
	return ERR_OK;
}

/* The first line; of a program that talks much, the last one that tells. */
static const char *telling_line(const char *all, const char *const *words)
{
	const char *told = all, *last = all;
	bool found = false;
	for (const char *line = all; words && *line;
	     line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != '\0')) {
		last = line;
		for (size_t i = 0; words[i]; i++) {
			const char *at = strstr(line, words[i]);
			if (at && at < line + strcspn(line, "\n")) {
				told = line;
				found = true;
			}
		}
	}
	return found ? told : last;
}

/* What it said is its own words, perhaps about people, and errors go to logs and to the controller. */
static enum err_code failed_error(
    const struct process_spec *spec, const struct process_result *r, const char *const *words, struct err *reterr)
{
	char end[64];
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(SAID_ARENA);
	const char *line = telling_line(buf_str(r->errors.size ? &r->errors : &r->output), words);
	const char *cut = arena ? arena_strndup(arena, line, strcspn(line, "\n")) : NULL;
	const char *said = cut ? redact_leaving_text(arena, cut, ERR_MSG_MAX) : NULL;
	enum err_code rc = r->end == PROCESS_TIMED_OUT   ? ERR_TIMEOUT
			   : r->end == PROCESS_CANCELLED ? ERR_CANCELLED
							 : ERR_IO;
	return err_set(reterr, rc, "%s: %s%s%s", spec->argv[0], process_result_text(r, end, sizeof end),
	    said && said[0] ? ": " : "", said ? said : "");
}

enum err_code process_run_long(const struct process_spec *spec, const atomic_bool *cancel, const char *const *words,
    struct buf *output, struct err *reterr)
{
	struct process_result r;
	enum err_code rc = process_run(spec, cancel, &r, reterr);
	if (rc != ERR_OK)
		return rc;
	if (r.end == PROCESS_EXITED && r.code == 0) {
		if (output)
			buf_append(output, r.output.data, r.output.size);
		process_result_done(&r);
		return output && output->failed
			   ? err_set(reterr, ERR_NOMEM, "no memory for the output of %s", spec->argv[0])
			   : ERR_OK;
	}
	rc = failed_error(spec, &r, words, reterr);
	process_result_done(&r);
	return rc;
}

enum err_code process_run_ok(const struct process_spec *spec, struct buf *output, struct err *reterr)
{
	return process_run_long(spec, NULL, NULL, output, reterr);
}
