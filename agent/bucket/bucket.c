/* The side that asks: starts kedge-copy, hands files and pipes over, believes nothing of what it says but what is
 * checked. */
#include "agent/bucket/bucket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/bucket/wire.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"

struct bucket {
	pid_t pid;
	int fd;
	bool broken; /* it has hung up, hung, or spoken nonsense: nothing more is asked of it */
	const atomic_bool *cancel;
	uint64_t sent_bytes;
	unsigned flights;                 /* puts that have begun and not ended */
	uint32_t numbers[BUCKET_FLIGHTS]; /* theirs */
	uint64_t flying_bytes;            /* of all puts since there was none */
};

/* ---- starting and stopping ---- */

enum { PROGRAM_FD = BUCKET_WIRE_FD + 1, SPARE_FD = 16 };

static bool become_user(const struct bucket_start_options *o)
{
	return !o->set_user || (setgroups(0, NULL) == 0 && setresgid(o->gid, o->gid, o->gid) == 0 &&
				   setresuid(o->uid, o->uid, o->uid) == 0);
}

/* Descriptors 0 to 3 and the program's own, which execve closes; no other. */
static bool arrange_descriptors(int fd, int program)
{
	int nothing = open("/dev/null", O_RDWR);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD); /* out of the way of the numbers that are given */
	program = fcntl(program, F_DUPFD_CLOEXEC, SPARE_FD);
	return nothing >= 0 && fd >= 0 && program >= 0 && dup2(nothing, 0) >= 0 && dup2(nothing, 1) >= 0 &&
	       dup2(fd, BUCKET_WIRE_FD) >= 0 && dup3(program, PROGRAM_FD, O_CLOEXEC) >= 0 &&
	       close_range(PROGRAM_FD + 1, ~0u, 0) == 0;
}

/* In the child: only async-signal-safe calls.  The program is run by its descriptor: its user need not reach the folder
 * that it is in. */
static _Noreturn void become_program(const struct bucket_start_options *o, int fd, int program, pid_t parent)
{
	static char *const environment[] = {NULL};
	char *argv[] = {(char *)(uintptr_t)o->program, NULL};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!arrange_descriptors(fd, program) || !become_user(o) || getppid() != parent || chdir("/") != 0)
		_exit(126);
	execveat(PROGRAM_FD, "", argv, environment, AT_EMPTY_PATH);
	_exit(127);
}

void bucket_stop(struct bucket *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	if (b->pid > 0) { /* it ends when the socket does, unless it hangs in a transfer: nothing that it does is worth
			     waiting for */
		kill(b->pid, SIGKILL);
		while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(b);
}
CLEANUP_DEFINE(struct bucket, bucket_cleanup, bucket_stop)

static enum err_code spawn(struct bucket *b, const struct bucket_start_options *o, struct err *reterr)
{
	int pair[2];
	pid_t self = getpid();
	CLEANUP(cleanup_fd) int program = open(o->program, O_PATH | O_CLOEXEC);
	if (program < 0)
		return err_sys(reterr, errno, "%s, which copies to an object store", o->program);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(reterr, errno, "no socket for kedge-copy");
	b->fd = pair[0];
	b->pid = fork();
	if (b->pid == 0)
		become_program(o, pair[1], program, self);
	close(pair[1]);
	return b->pid < 0 ? err_sys(reterr, errno, "no process for kedge-copy") : ERR_OK;
}

static enum err_code receive(
    struct bucket *b, uint32_t timeout_ms, struct arena *arena, struct bucket_answer *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int passed = -1;
	enum err_code rc = wire_receive(b->fd, &bucket_answer_type, timeout_ms, b->cancel, arena, ret, &passed, reterr);
	if (rc) {
		b->broken = true;
		return err_prefix(reterr, rc, "kedge-copy");
	}
	return ret->code ? err_set(reterr, (enum err_code)ret->code, "%s", ret->text ? ret->text : "no reason is given")
			 : ERR_OK;
}

enum err_code bucket_start(const struct bucket_start_options *o, struct bucket **ret, struct err *reterr)
{
	CLEANUP(bucket_cleanup) struct bucket *b = calloc(1, sizeof *b);
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(4 * BUCKET_MESSAGE_MAX);
	struct bucket_answer a;
	if (!b || !arena)
		return err_set(reterr, ERR_NOMEM, "out of memory for a copy");
	b->fd = -1;
	b->cancel = o->cancel;
	enum err_code rc = spawn(b, o, reterr);
	if (!rc)
		rc = wire_send(b->fd, &bucket_settings_type, o->settings, -1, reterr);
	if (!rc)
		rc = receive(b, BUCKET_START_MS, arena, &a, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(b);
	return ERR_OK;
}

uint64_t bucket_sent_bytes(const struct bucket *b)
{
	return b->sent_bytes;
}

/* ---- asking ---- */

static uint32_t patience_ms(uint64_t sending_bytes)
{
	uint64_t sending_ms = sending_bytes / BUCKET_SLOWEST;
	return (uint32_t)(BUCKET_ANSWER_MS + (sending_ms < UINT32_MAX / 2 ? sending_ms : UINT32_MAX / 2));
}

/* relay: NULL, or called between the request and its answer. */
static enum err_code ask(struct bucket *b, const struct bucket_request *r, int *pass_fd,
    enum err_code (*relay)(struct bucket *, void *, struct err *), void *ctx, enum bucket_outcome *ret,
    uint64_t *ret_size, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(4 * BUCKET_MESSAGE_MAX);
	struct bucket_answer a;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory for a copy");
	if (b->broken)
		return err_set(reterr, ERR_STATE, "kedge-copy has ended");
	assert(!b->flights);
	enum err_code rc = wire_send(b->fd, &bucket_request_type, r, *pass_fd, reterr);
	if (relay && *pass_fd >= 0) /* the pipe ends when the program's end of it does */
		close(TAKE_FD(*pass_fd));
	if (rc) {
		b->broken = true;
		return rc;
	}
	enum err_code relayed = relay ? relay(b, ctx, reterr) : ERR_OK;
	if (relayed) { /* in the middle of a transfer: the program is of no more use */
		b->broken = true;
		return relayed;
	}
	rc = receive(b, patience_ms(r->act == BUCKET_ACT_PUT ? r->object.size_bytes : 0), arena, &a, reterr);
	if (rc)
		return rc;
	*ret = (enum bucket_outcome)a.outcome;
	if (ret_size)
		*ret_size = a.size_bytes;
	return ERR_OK;
}

static enum err_code io_put(
    void *ctx, const struct bucket_object *o, int fd, enum bucket_outcome *ret, struct err *reterr)
{
	struct bucket *b = ctx;
	struct bucket_request r = {.act = BUCKET_ACT_PUT, .object = *o};
	b->sent_bytes += o->size_bytes;
	return ask(b, &r, &fd, NULL, NULL, ret, NULL, reterr);
}

static enum err_code io_put_begin(void *ctx, const struct bucket_object *o, int fd, uint32_t number, struct err *reterr)
{
	struct bucket *b = ctx;
	struct bucket_request r = {.act = BUCKET_ACT_PUT, .number = number, .object = *o};
	if (b->broken)
		return err_set(reterr, ERR_STATE, "kedge-copy has ended");
	assert(b->flights < BUCKET_FLIGHTS);
	enum err_code rc = wire_send(b->fd, &bucket_request_type, &r, fd, reterr);
	b->broken |= rc != ERR_OK;
	if (rc)
		return rc;
	b->flying_bytes = o->size_bytes + (b->flights ? b->flying_bytes : 0);
	b->sent_bytes += o->size_bytes;
	b->numbers[b->flights++] = number;
	return ERR_OK;
}

/* False: nothing of that number is on its way. */
static bool lands(struct bucket *b, uint32_t number)
{
	for (unsigned i = 0; i < b->flights; i++)
		if (b->numbers[i] == number) {
			b->numbers[i] = b->numbers[--b->flights];
			return true;
		}
	return false;
}

static enum err_code io_put_end(void *ctx, struct bucket_ended *ret, struct err *reterr)
{
	struct bucket *b = ctx;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(4 * BUCKET_MESSAGE_MAX);
	struct bucket_answer a;
	struct err why = ERR_INIT;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory for a copy");
	if (b->broken)
		return err_set(reterr, ERR_STATE, "kedge-copy has ended");
	assert(b->flights);
	enum err_code rc = receive(b, patience_ms(b->flying_bytes), arena, &a, &why);
	if (!b->broken && !lands(b, a.number)) {
		b->broken = true;
		rc = err_set(&why, ERR_INVALID, "kedge-copy answers what was not asked");
	}
	if (b->broken) {
		b->flights = 0;
		return err_set(reterr, rc, "%s", why.msg);
	}
	*ret = (struct bucket_ended){a.number, (enum bucket_outcome)a.outcome, rc, why};
	return ERR_OK;
}

static enum err_code io_head(
    void *ctx, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr)
{
	struct bucket_request r = {.act = BUCKET_ACT_HEAD, .object = {.name = name}};
	int none = -1;
	return ask(ctx, &r, &none, NULL, NULL, ret, ret_size, reterr);
}

static enum err_code io_retain(
    void *ctx, const char *name, enum bucket_lock lock, uint64_t until_ms, enum bucket_outcome *ret, struct err *reterr)
{
	struct bucket_request r = {
	    .act = BUCKET_ACT_RETAIN, .object = {.name = name, .lock = lock, .lock_until_ms = until_ms}};
	int none = -1;
	return ask(ctx, &r, &none, NULL, NULL, ret, NULL, reterr);
}

struct relaying {
	int fd; /* the read end */
	const char *name;
	uint64_t limit_bytes, bytes;
	bucket_sink_fn *sink;
	void *ctx;
};

static enum err_code wait_for_data(struct bucket *b, int fd, struct err *reterr)
{
	uint64_t end_ms = clock_mono_ms() + BUCKET_ANSWER_MS;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = poll(&p, 1, 200);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_sys(reterr, errno, "wait for the store");
		if (b->cancel && atomic_load(b->cancel))
			return err_set(reterr, ERR_CANCELLED, "stopped");
		if (clock_mono_ms() >= end_ms)
			return err_set(reterr, ERR_TIMEOUT, "kedge-copy does nothing any more");
	}
}

/* To the end of the pipe, which comes when the program has got all, or none, of it. */
static enum err_code relay_pipe(struct bucket *b, void *ctx, struct err *reterr)
{
	static uint8_t piece[BUCKET_COPY_PIECE];
	struct relaying *y = ctx;
	for (;;) {
		enum err_code rc = wait_for_data(b, y->fd, reterr);
		if (rc)
			return rc;
		ssize_t n = read(y->fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "read what the store sends");
		if (n == 0)
			return ERR_OK;
		y->bytes += (uint64_t)n;
		if (y->bytes > y->limit_bytes)
			return err_set(reterr, ERR_LIMIT,
			    "%.100s: the store sends more than the %llu bytes that it may have", y->name,
			    (unsigned long long)y->limit_bytes);
		if (!y->sink(y->ctx, piece, (size_t)n))
			return err_set(reterr, ERR_CANCELLED, "%.100s: not taken", y->name);
	}
}

static enum err_code io_get(void *ctx, const char *name, uint64_t limit_bytes, bucket_sink_fn *sink, void *sink_ctx,
    enum bucket_outcome *ret, struct err *reterr)
{
	struct bucket_request r = {.act = BUCKET_ACT_GET, .object = {.name = name}};
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(reterr, errno, "no pipe for a copy");
	CLEANUP(cleanup_fd) int in = ends[0];
	CLEANUP(cleanup_fd) int out = ends[1];
	struct relaying y = {.fd = in, .name = name, .limit_bytes = limit_bytes, .sink = sink, .ctx = sink_ctx};
	return ask(ctx, &r, &out, relay_pipe, &y, ret, NULL, reterr);
}

struct bucket_io bucket_io(struct bucket *b)
{
	return (struct bucket_io){b, io_put, io_put_begin, io_put_end, io_get, io_head, io_retain};
}
