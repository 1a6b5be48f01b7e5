/* Loops: timers, wake-ups from other threads, watched descriptors, and a process left as it was. */
#include "tests/contract/shared/ws/both.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "shared/base/clock.h"

struct shared {
	struct ws_loop *loop;
	struct ws_timer *timer, *other;
	struct ws_watch *watch;
	atomic_uint posted, woken;
	unsigned fired;
	int fds[2];
	uint64_t due_ms;
};

static struct ws_loop *loop_new(void (*on_wake)(void *), void *user)
{
	struct ws_loop *loop;
	struct err e = ERR_INIT;
	struct ws_loop_config config = {.libuv = use_libuv, .on_wake = on_wake, .user = user};
	if (ws_loop_new(&config, &loop, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	return loop;
}

static void stop(void *user)
{
	struct shared *s = user;
	s->fired++;
	if (s->due_ms)
		assert_true(clock_mono_ms() >= s->due_ms); /* late perhaps, never early */
	ws_loop_stop(s->loop);
}

static void timers(void **state)
{
	(void)state;
	struct shared s = {.loop = loop_new(NULL, NULL)};
	s.timer = ws_timer_new(s.loop, stop, &s);
	s.other = ws_timer_new(s.loop, stop, &s);
	for (uint64_t ms = 0; ms < 60; ms += 20) { /* a loop can be run again */
		s.due_ms = clock_mono_ms() + ms;
		ws_timer_set(s.timer, ms);
		assert_int_equal(ws_loop_run(s.loop, NULL), ERR_OK);
	}
	assert_int_equal(s.fired, 3);
	/* Moved, stopped, and one that never comes. */
	ws_timer_set(s.other, 5);
	ws_timer_stop(s.other);
	ws_timer_set(s.timer, 100000);
	s.due_ms = clock_mono_ms() + 30;
	ws_timer_set(s.timer, 30);
	assert_int_equal(ws_loop_run(s.loop, NULL), ERR_OK);
	assert_int_equal(s.fired, 4);
	ws_timer_set(s.other, UINT64_MAX);
	ws_timer_free(s.timer);
	ws_timer_free(NULL);
	ws_loop_free(s.loop); /* with s.other in it */
}

static void frees_itself(void *user)
{
	struct shared *s = user;
	ws_timer_free(s->timer);
	s->timer = NULL;
	ws_timer_set(s->other, 1);
}

static void a_timer_that_frees_itself(void **state)
{
	(void)state;
	struct shared s = {.loop = loop_new(NULL, NULL)};
	s.timer = ws_timer_new(s.loop, frees_itself, &s);
	s.other = ws_timer_new(s.loop, stop, &s);
	ws_timer_set(s.timer, 1);
	assert_int_equal(ws_loop_run(s.loop, NULL), ERR_OK);
	assert_null(s.timer);
	ws_loop_free(s.loop);
}

static void stopped_before_it_ran(void **state)
{
	(void)state;
	struct ws_loop *loop = loop_new(NULL, NULL);
	ws_loop_stop(loop);
	assert_int_equal(ws_loop_run(loop, NULL), ERR_OK);
	ws_loop_free(loop);
	ws_loop_free(NULL);
}

enum { THREADS = 4, WAKES = 2500 };

static void take_posts(void *user)
{
	struct shared *s = user;
	atomic_fetch_add(&s->woken, 1);
	if (atomic_load(&s->posted) == THREADS * WAKES)
		ws_loop_stop(s->loop);
}

static void *post(void *arg)
{
	struct shared *s = arg;
	for (unsigned i = 0; i < WAKES; i++) {
		atomic_fetch_add(&s->posted, 1);
		ws_loop_wake(s->loop);
	}
	return NULL;
}

/* No wake-up is lost: after the last post there is one more on_wake, or the loop would run for ever. */
static void ten_thousand_wakes(void **state)
{
	(void)state;
	struct shared s = {0};
	pthread_t threads[THREADS];
	s.loop = loop_new(take_posts, &s);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post, &s), 0);
	assert_int_equal(ws_loop_run(s.loop, NULL), ERR_OK);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(atomic_load(&s.woken), 1, THREADS * WAKES);
	ws_loop_free(s.loop);
}

static void read_one(void *user)
{
	struct shared *s = user;
	char c;
	ssize_t n = read(s->fds[0], &c, 1);
	if (n == 1 && ++s->fired < 3) {
		assert_int_equal(write(s->fds[1], "x", 1), 1);
		return;
	}
	if (n == 1) {
		close(s->fds[1]); /* the end is an event as well */
		s->fds[1] = -1;
		return;
	}
	s->fired += 10;
	ws_watch_free(s->watch);
	s->watch = NULL;
	ws_loop_stop(s->loop);
}

static void watched_descriptors(void **state)
{
	(void)state;
	struct shared s = {.loop = loop_new(NULL, NULL)};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s.fds), 0);
	assert_int_equal(ws_watch_new(s.loop, s.fds[0], read_one, &s, &s.watch, NULL), ERR_OK);
	assert_int_equal(write(s.fds[1], "x", 1), 1);
	assert_int_equal(ws_loop_run(s.loop, NULL), ERR_OK);
	assert_int_equal(s.fired, 13);
	assert_true(fcntl(s.fds[0], F_GETFD) >= 0); /* still the caller's */
	struct ws_watch *left;
	assert_int_equal(ws_watch_new(s.loop, s.fds[0], read_one, &s, &left, NULL), ERR_OK);
	ws_loop_free(s.loop); /* with a watch in it */
	assert_true(fcntl(s.fds[0], F_GETFD) >= 0);
	close(s.fds[0]);
	assert_int_not_equal(ws_watch_new(NULL, -1, read_one, &s, &left, NULL), ERR_OK);
}

static volatile sig_atomic_t got_signal;
static void on_signal(int signo)
{
	got_signal = signo;
}

/* PLATFORM's seventh trap: libuv inside libwebsockets takes signals over. */
static void signals_stay_the_programs(void **state)
{
	(void)state;
	static const int signals[] = {SIGINT, SIGTERM, SIGSEGV, SIGFPE, SIGHUP, SIGUSR1, SIGUSR2};
	struct sigaction mine = {.sa_handler = on_signal}, now;
	sigset_t before, during;
	for (size_t i = 0; i < 7; i++)
		if (signals[i] != SIGSEGV) /* the sanitizers' */
			sigaction(signals[i], &mine, NULL);
	struct sigaction segv;
	sigaction(SIGSEGV, NULL, &segv);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	struct shared s = {.loop = loop_new(NULL, NULL)};
	s.timer = ws_timer_new(s.loop, stop, &s);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 7; i++) {
			sigaction(signals[i], NULL, &now);
			assert_ptr_equal(now.sa_handler, signals[i] == SIGSEGV ? segv.sa_handler : on_signal);
		}
		pthread_sigmask(SIG_SETMASK, NULL, &during);
		for (int n = 1; n < 32; n++)
			assert_int_equal(sigismember(&before, n), sigismember(&during, n));
		ws_timer_set(s.timer, 20);
		raise(SIGTERM); /* reaches the program, and does not stop the loop */
		assert_int_equal(got_signal, SIGTERM);
		assert_int_equal(ws_loop_run(s.loop, NULL), ERR_OK);
		assert_int_equal(s.fired, round + 1);
	}
	ws_loop_free(s.loop);
	for (size_t i = 0; i < 7; i++) {
		sigaction(signals[i], NULL, &now);
		assert_ptr_equal(now.sa_handler, signals[i] == SIGSEGV ? segv.sa_handler : on_signal);
		if (signals[i] != SIGSEGV)
			signal(signals[i], SIG_DFL);
	}
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void nothing_is_left_open(void **state)
{
	(void)state;
	unsigned before = 0;
	for (int i = 0; i < 10; i++) {
		struct rig *r = rig_new(use_libuv);
		rig_listen(r, NULL, 0);
		struct ws_dialer *d = rig_dialer(r, &(struct pki_spec){.role = TLS_ROLE_HOST}, NULL);
		rig_connect_port(r, d, rig_port(r));
		rig_expect(r, "open", NULL, 0);
		rig_free(r);
		if (i == 1) /* the first rounds may leave what libraries open once */
			before = open_descriptors();
	}
	assert_int_equal(open_descriptors(), before);
}

static bool absurd;
int __real_getrlimit(__rlimit_resource_t resource, struct rlimit *ret);
int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *ret);
int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *ret)
{
	int rc = __real_getrlimit(resource, ret);
	if (absurd && resource == RLIMIT_NOFILE)
		ret->rlim_cur = 1 << 20;
	return rc;
}

/* PLATFORM's fifth trap: the library allocates for the whole limit. */
static void an_absurd_limit_is_refused(void **state)
{
	(void)state;
	struct ws_loop *loop = NULL;
	struct err e = ERR_INIT;
	absurd = true;
	assert_int_equal(ws_loop_new(&(struct ws_loop_config){.libuv = use_libuv}, &loop, &e), ERR_LIMIT);
	absurd = false;
	assert_non_null(strstr(e.msg, "LimitNOFILE"));
	assert_null(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers),
	    cmocka_unit_test(a_timer_that_frees_itself),
	    cmocka_unit_test(stopped_before_it_ran),
	    cmocka_unit_test(ten_thousand_wakes),
	    cmocka_unit_test(watched_descriptors),
	    cmocka_unit_test(signals_stay_the_programs),
	    cmocka_unit_test(nothing_is_left_open),
	    cmocka_unit_test(an_absurd_limit_is_refused),
	};
	return RUN_BOTH(tests);
}
