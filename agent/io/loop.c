#include "agent/io/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"

enum { EVENTS_PER_TURN = 64 };

/* Every descriptor in the epoll set is a loop_fd; children and signals hold one each.  A removed handle stays in memory
 * until the end of the turn, because the events of this turn may still point to it. */
struct loop_fd {
	struct loop *loop;
	struct loop_fd *previous, *next; /* of the live list, then of the graveyard */
	int fd;
	bool dead;
	void (*fn)(void *ctx, unsigned events);
	void *ctx;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *previous, *next;
	uint64_t at_ms;
	size_t slot; /* in the heap; SIZE_MAX: unarmed */
	bool dead;
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop_child {
	struct loop *loop;
	struct loop_fd *fd;
	pid_t pid;
	int pidfd;
	void (*fn)(void *ctx, int status);
	void *ctx;
	struct loop_child *previous, *next;
};

struct loop_signal {
	struct loop *loop;
	struct loop_fd *fd;
	int signo, sigfd;
	void (*fn)(void *ctx, int signo);
	void *ctx;
	struct loop_signal *previous, *next;
};

struct loop {
	int epoll_fd, wake_fd;
	atomic_bool stopping; /* set by any thread */
	bool in_turn;
	uint64_t now_ms, wall_ms, lag_ms;
	struct loop_fd *fds, *dead_fds;
	struct loop_timer *timers, *dead_timers;
	struct loop_child *children;
	struct loop_signal *signals;
	struct loop_timer **heap;
	size_t heap_count, heap_capacity, timer_count;
	struct loop_fd *wake;
};

/* Doubly linked lists through `previous` and `next`. */
#define LIST_PUSH(head, item)                                                                                          \
	do {                                                                                                           \
		(item)->previous = NULL;                                                                               \
		(item)->next = (head);                                                                                 \
		if (head)                                                                                              \
			(head)->previous = (item);                                                                     \
		(head) = (item);                                                                                       \
	} while (0)
#define LIST_DROP(head, item)                                                                                          \
	do {                                                                                                           \
		if ((item)->previous)                                                                                  \
			(item)->previous->next = (item)->next;                                                         \
		else                                                                                                   \
			(head) = (item)->next;                                                                         \
		if ((item)->next)                                                                                      \
			(item)->next->previous = (item)->previous;                                                     \
	} while (0)

static void read_clock(struct loop *l)
{
	l->now_ms = clock_mono_ms();
	l->wall_ms = clock_wall_ms();
}

static void on_wake(void *ctx, unsigned events)
{
	struct loop *l = ctx;
	uint64_t count;
	(void)events;
	while (read(l->wake_fd, &count, sizeof count) > 0)
		;
}

enum err_code loop_new(struct loop **ret, struct err *reterr)
{
	struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return err_set(reterr, ERR_NOMEM, "no memory for an event loop");
	l->wake_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd >= 0)
		l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0) {
		enum err_code rc = err_sys(reterr, errno, "cannot make an event loop");
		loop_free(l);
		return rc;
	}
	read_clock(l);
	enum err_code rc = loop_add_fd(l, l->wake_fd, LOOP_READ, on_wake, l, &l->wake, reterr);
	if (rc != ERR_OK) {
		loop_free(l);
		return rc;
	}
	*ret = l;
	return ERR_OK;
}

static void bury(struct loop *l)
{
	while (l->dead_fds) {
		struct loop_fd *f = l->dead_fds;
		l->dead_fds = f->next;
		free(f);
	}
	while (l->dead_timers) {
		struct loop_timer *t = l->dead_timers;
		l->dead_timers = t->next;
		free(t);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!l->in_turn);
	while (l->children)
		loop_remove_child(l->children);
	while (l->signals)
		loop_remove_signal(l->signals);
	while (l->fds)
		loop_remove_fd(l->fds);
	while (l->timers)
		loop_remove_timer(l->timers);
	bury(l);
	free(l->heap);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l);
}

/* ---- descriptors ---- */

static uint32_t to_epoll(unsigned events)
{
	return (events & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0u) | (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0u);
}

static unsigned from_epoll(uint32_t events)
{
	return (events & (EPOLLIN | EPOLLRDHUP) ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u) |
	       (events & (EPOLLHUP | EPOLLERR) ? LOOP_HANGUP : 0u);
}

enum err_code loop_add_fd(struct loop *l, int fd, unsigned events, void (*fn)(void *ctx, unsigned events), void *ctx,
    struct loop_fd **ret, struct err *reterr)
{
	struct loop_fd *f = calloc(1, sizeof *f);
	if (!f)
		return err_set(reterr, ERR_NOMEM, "no memory for a descriptor of the loop");
	*f = (struct loop_fd){.loop = l, .fd = fd, .fn = fn, .ctx = ctx};
	struct epoll_event event = {.events = to_epoll(events), .data.ptr = f};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int saved = errno;
		free(f);
		return err_sys(reterr, saved, "cannot watch descriptor %d", fd);
	}
	LIST_PUSH(l->fds, f);
	*ret = f;
	return ERR_OK;
}

enum err_code loop_change_fd(struct loop_fd *f, unsigned events, struct err *reterr)
{
	struct epoll_event event = {.events = to_epoll(events), .data.ptr = f};
	if (epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_MOD, f->fd, &event) < 0)
		return err_sys(reterr, errno, "cannot watch descriptor %d otherwise", f->fd);
	return ERR_OK;
}

void loop_remove_fd(struct loop_fd *f)
{
	if (!f || f->dead)
		return;
	struct loop *l = f->loop;
	f->dead = true;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
	LIST_DROP(l->fds, f);
	LIST_PUSH(l->dead_fds, f);
}

/* ---- timers: a binary heap by time ---- */

static bool earlier(const struct loop *l, size_t a, size_t b)
{
	return l->heap[a]->at_ms < l->heap[b]->at_ms;
}

static void swap(struct loop *l, size_t a, size_t b)
{
	struct loop_timer *t = l->heap[a];
	l->heap[a] = l->heap[b];
	l->heap[b] = t;
	l->heap[a]->slot = a;
	l->heap[b]->slot = b;
}

static void sift(struct loop *l, size_t at)
{
	while (at > 0 && earlier(l, at, (at - 1) / 2)) {
		swap(l, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t least = at, left = 2 * at + 1, right = left + 1;
		if (left < l->heap_count && earlier(l, left, least))
			least = left;
		if (right < l->heap_count && earlier(l, right, least))
			least = right;
		if (least == at)
			return;
		swap(l, at, least);
		at = least;
	}
}

static void disarm(struct loop_timer *t)
{
	struct loop *l = t->loop;
	size_t at = t->slot;
	if (at == SIZE_MAX)
		return;
	t->slot = SIZE_MAX;
	struct loop_timer *last = l->heap[--l->heap_count];
	if (last == t)
		return;
	l->heap[at] = last;
	last->slot = at;
	sift(l, at);
}

enum err_code loop_add_timer(
    struct loop *l, void (*fn)(void *ctx), void *ctx, struct loop_timer **ret, struct err *reterr)
{
	if (l->timer_count == l->heap_capacity) { /* room for every timer at once: arming cannot fail */
		size_t capacity = l->heap_capacity ? 2 * l->heap_capacity : 32;
		struct loop_timer **heap = realloc(l->heap, capacity * sizeof *heap);
		if (!heap)
			return err_set(reterr, ERR_NOMEM, "no memory for a timer");
		l->heap = heap;
		l->heap_capacity = capacity;
	}
	struct loop_timer *t = calloc(1, sizeof *t);
	if (!t)
		return err_set(reterr, ERR_NOMEM, "no memory for a timer");
	*t = (struct loop_timer){.loop = l, .slot = SIZE_MAX, .fn = fn, .ctx = ctx};
	LIST_PUSH(l->timers, t);
	l->timer_count++;
	*ret = t;
	return ERR_OK;
}

void loop_arm(struct loop_timer *t, uint64_t at_ms)
{
	assert(!t->dead);
	struct loop *l = t->loop;
	if (at_ms == UINT64_MAX) {
		disarm(t);
		return;
	}
	t->at_ms = at_ms;
	if (t->slot == SIZE_MAX) {
		t->slot = l->heap_count;
		l->heap[l->heap_count++] = t;
	}
	sift(l, t->slot);
}

void loop_remove_timer(struct loop_timer *t)
{
	if (!t || t->dead)
		return;
	struct loop *l = t->loop;
	disarm(t);
	t->dead = true;
	l->timer_count--;
	LIST_DROP(l->timers, t);
	LIST_PUSH(l->dead_timers, t);
}

/* Each timer that is due when the turn begins fires once: one that arms itself for now waits for the next turn, so that
 * it cannot keep the descriptors from being served. */
static void fire_timers(struct loop *l)
{
	for (size_t left = l->heap_count; left > 0 && l->heap_count > 0 && l->heap[0]->at_ms <= l->now_ms; left--) {
		struct loop_timer *t = l->heap[0];
		disarm(t);
		t->fn(t->ctx);
	}
}

/* ---- children ---- */

static int wait_status(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return (info->si_status & 0xff) << 8;
	return info->si_code == CLD_DUMPED ? info->si_status | 0x80 : info->si_status;
}

/* The callback runs before the reaping: until then the pid, and the process group of that number, cannot become
 * another's. */
static void on_child(void *ctx, unsigned events)
{
	struct loop_child *c = ctx;
	siginfo_t info = {0};
	(void)events;
	errno = 0;
	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno != ECHILD)
		return;
	if (info.si_pid == 0 && errno != ECHILD)
		return;
	void (*fn)(void *, int) = c->fn;
	void *fn_ctx = c->ctx;
	pid_t pid = c->pid;
	loop_remove_child(c);
	fn(fn_ctx, wait_status(&info));
	(void)waitpid(pid, NULL, WNOHANG);
}

enum err_code loop_add_child(struct loop *l, pid_t pid, void (*fn)(void *ctx, int status), void *ctx,
    struct loop_child **ret, struct err *reterr)
{
	struct loop_child *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(reterr, ERR_NOMEM, "no memory for a child");
	*c = (struct loop_child){.loop = l, .pid = pid, .fn = fn, .ctx = ctx};
	c->pidfd = pidfd_open(pid, 0);
	if (c->pidfd < 0) {
		int saved = errno;
		free(c);
		return err_sys(reterr, saved, "cannot watch process %d", (int)pid);
	}
	enum err_code rc = loop_add_fd(l, c->pidfd, LOOP_READ, on_child, c, &c->fd, reterr);
	if (rc != ERR_OK) {
		close(c->pidfd);
		free(c);
		return rc;
	}
	LIST_PUSH(l->children, c);
	*ret = c;
	return ERR_OK;
}

void loop_remove_child(struct loop_child *c)
{
	if (!c)
		return;
	loop_remove_fd(c->fd);
	close(c->pidfd);
	LIST_DROP(c->loop->children, c);
	free(c);
}

/* ---- signals ---- */

static void on_signal(void *ctx, unsigned events)
{
	struct loop_signal *s = ctx;
	struct signalfd_siginfo info;
	(void)events;
	if (read(s->sigfd, &info, sizeof info) == (ssize_t)sizeof info)
		s->fn(s->ctx, s->signo); /* may remove s */
}

enum err_code loop_add_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx,
    struct loop_signal **ret, struct err *reterr)
{
	struct loop_signal *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "no memory for a signal");
	*s = (struct loop_signal){.loop = l, .signo = signo, .fn = fn, .ctx = ctx};
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signo);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->sigfd < 0) {
		int saved = errno;
		free(s);
		return err_sys(reterr, saved, "cannot receive signal %d", signo);
	}
	enum err_code rc = loop_add_fd(l, s->sigfd, LOOP_READ, on_signal, s, &s->fd, reterr);
	if (rc != ERR_OK) {
		close(s->sigfd);
		free(s);
		return rc;
	}
	LIST_PUSH(l->signals, s);
	*ret = s;
	return ERR_OK;
}

void loop_remove_signal(struct loop_signal *s)
{
	if (!s)
		return;
	loop_remove_fd(s->fd);
	close(s->sigfd);
	LIST_DROP(s->loop->signals, s);
	free(s);
}

/* ---- turning ---- */

static int wait_ms(const struct loop *l, int timeout_ms)
{
	if (l->heap_count == 0)
		return timeout_ms;
	uint64_t now = clock_mono_ms(), at = l->heap[0]->at_ms;
	uint64_t left = at > now ? at - now : 0;
	if (left > INT32_MAX)
		left = INT32_MAX;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < left ? timeout_ms : (int)left;
}

static void note_lag(struct loop *l)
{
	if (l->heap_count > 0 && l->heap[0]->at_ms < l->now_ms && l->now_ms - l->heap[0]->at_ms > l->lag_ms)
		l->lag_ms = l->now_ms - l->heap[0]->at_ms;
}

enum err_code loop_turn(struct loop *l, int timeout_ms, struct err *reterr)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int count = epoll_wait(l->epoll_fd, events, EVENTS_PER_TURN, wait_ms(l, timeout_ms));
	if (count < 0 && errno != EINTR)
		return err_sys(reterr, errno, "cannot wait for events");
	read_clock(l);
	note_lag(l);
	l->in_turn = true;
	fire_timers(l);
	for (int i = 0; i < count; i++) {
		struct loop_fd *f = events[i].data.ptr;
		if (!f->dead)
			f->fn(f->ctx, from_epoll(events[i].events));
	}
	l->in_turn = false;
	bury(l);
	return ERR_OK;
}

enum err_code loop_run(struct loop *l, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	while (!l->stopping && rc == ERR_OK)
		rc = loop_turn(l, -1, reterr);
	l->stopping = false;
	return rc;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	loop_wake(l);
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake_fd, &one, sizeof one); /* full means that a wake is pending already */
	(void)n;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}
uint64_t loop_wall_ms(const struct loop *l)
{
	return l->wall_ms;
}

uint64_t loop_take_lag_ms(struct loop *l)
{
	uint64_t lag = l->lag_ms;
	l->lag_ms = 0;
	return lag;
}
