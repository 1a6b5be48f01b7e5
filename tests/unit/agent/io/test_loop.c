#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/io/loop.h"
#include "shared/base/clock.h"

struct world {
	struct loop *loop;
	struct loop_timer *a, *b;
	struct loop_fd *reader, *other;
	int ends[2];
	char order[32];
	int calls, status;
};

static void note(struct world *w, char c)
{
	size_t n = strlen(w->order);
	assert_true(n + 1 < sizeof w->order);
	w->order[n] = c;
}

static int setup(void **state)
{
	static struct world w;
	struct err err;
	w = (struct world){.ends = {-1, -1}};
	assert_int_equal(loop_new(&w.loop, &err), ERR_OK);
	assert_int_equal(pipe2(w.ends, O_CLOEXEC | O_NONBLOCK), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	loop_free(w->loop);
	close(w->ends[0]);
	close(w->ends[1]);
	return 0;
}

static void turn(struct world *w, int timeout_ms)
{
	struct err err;
	assert_int_equal(loop_turn(w->loop, timeout_ms, &err), ERR_OK);
}

static void on_a(void *ctx)
{
	note(ctx, 'a');
}
static void on_b(void *ctx)
{
	note(ctx, 'b');
}

static void timers_fire_in_order_and_once(void **state)
{
	struct world *w = *state;
	struct err err;
	uint64_t now = clock_mono_ms();
	assert_int_equal(loop_add_timer(w->loop, on_a, w, &w->a, &err), ERR_OK);
	assert_int_equal(loop_add_timer(w->loop, on_b, w, &w->b, &err), ERR_OK);
	loop_arm(w->a, now + 30);
	loop_arm(w->b, now + 10);
	while (strlen(w->order) < 2)
		turn(w, 1000);
	turn(w, 20);
	assert_string_equal(w->order, "ba");
	assert_true(clock_mono_ms() >= now + 30);
	loop_arm(w->a, now + 40);
	loop_arm(w->a, UINT64_MAX); /* disarmed */
	turn(w, 60);
	assert_string_equal(w->order, "ba");
}

static void rearm(void *ctx)
{
	struct world *w = ctx;
	w->calls++;
	loop_arm(w->a, 0); /* due already: must wait for the next turn, or the loop would never serve descriptors */
}

static void a_timer_that_is_always_due_starves_nobody(void **state)
{
	struct world *w = *state;
	struct err err;
	assert_int_equal(loop_add_timer(w->loop, rearm, w, &w->a, &err), ERR_OK);
	loop_arm(w->a, 0);
	for (int i = 1; i <= 3; i++) {
		turn(w, -1);
		assert_int_equal(w->calls, i);
	}
}

static void many_timers_keep_their_heap(void **state)
{
	struct world *w = *state;
	struct err err;
	struct loop_timer *timers[100];
	for (int i = 0; i < 100; i++) {
		assert_int_equal(loop_add_timer(w->loop, i % 2 ? on_a : on_b, w, &timers[i], &err), ERR_OK);
		loop_arm(timers[i], clock_mono_ms() + 100000 - (uint64_t)(i * 37 % 100));
	}
	for (int i = 0; i < 100; i++)
		if (i != 42)
			loop_remove_timer(timers[i]);
	loop_arm(timers[42], 0);
	turn(w, 1000);
	assert_string_equal(w->order, "b");
}

static void on_read(void *ctx, unsigned events)
{
	struct world *w = ctx;
	char c;
	assert_true(events & LOOP_READ);
	w->calls++;
	if (read(w->ends[0], &c, 1) == 1)
		note(w, c);
}

static void descriptors_are_served(void **state)
{
	struct world *w = *state;
	struct err err;
	assert_int_equal(loop_add_fd(w->loop, w->ends[0], LOOP_READ, on_read, w, &w->reader, &err), ERR_OK);
	turn(w, 0);
	assert_int_equal(w->calls, 0);
	assert_int_equal(write(w->ends[1], "x", 1), 1);
	turn(w, 1000);
	assert_string_equal(w->order, "x");
	assert_int_equal(loop_change_fd(w->reader, 0, &err), ERR_OK);
	assert_int_equal(write(w->ends[1], "y", 1), 1);
	turn(w, 0);
	assert_string_equal(w->order, "x");
	assert_int_equal(loop_add_fd(w->loop, -1, LOOP_READ, on_read, w, &w->other, &err), ERR_IO);
}

static void remove_both(void *ctx, unsigned events)
{
	struct world *w = ctx;
	(void)events;
	w->calls++;
	loop_remove_fd(w->reader);
	loop_remove_fd(w->other);
}

/* Both are ready in one turn; the first callback removes both: the second must not be called. */
static void a_removed_handle_is_not_called_again(void **state)
{
	struct world *w = *state;
	struct err err;
	int second[2];
	assert_int_equal(pipe2(second, O_CLOEXEC), 0);
	assert_int_equal(loop_add_fd(w->loop, w->ends[0], LOOP_READ, remove_both, w, &w->reader, &err), ERR_OK);
	assert_int_equal(loop_add_fd(w->loop, second[0], LOOP_READ, remove_both, w, &w->other, &err), ERR_OK);
	assert_int_equal(write(w->ends[1], "x", 1), 1);
	assert_int_equal(write(second[1], "x", 1), 1);
	turn(w, 1000);
	turn(w, 0);
	assert_int_equal(w->calls, 1);
	close(second[0]);
	close(second[1]);
}

static void on_exit(void *ctx, int status)
{
	struct world *w = ctx;
	w->calls++;
	w->status = status;
}

static void children_are_reaped_with_their_status(void **state)
{
	struct world *w = *state;
	struct err err;
	struct loop_child *child;
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	assert_int_equal(loop_add_child(w->loop, pid, on_exit, w, &child, &err), ERR_OK);
	while (!w->calls)
		turn(w, 1000);
	assert_true(WIFEXITED(w->status));
	assert_int_equal(WEXITSTATUS(w->status), 7);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* no zombie is left */

	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(loop_add_child(w->loop, pid, on_exit, w, &child, &err), ERR_OK);
	kill(pid, SIGKILL);
	while (w->calls < 2)
		turn(w, 1000);
	assert_true(WIFSIGNALED(w->status));
	assert_int_equal(WTERMSIG(w->status), SIGKILL);
}

static void on_signal(void *ctx, int signo)
{
	struct world *w = ctx;
	assert_int_equal(signo, SIGUSR1);
	w->calls++;
}

static void signals_come_through_the_loop(void **state)
{
	struct world *w = *state;
	struct err err;
	struct loop_signal *handle;
	assert_int_equal(loop_add_signal(w->loop, SIGUSR1, on_signal, w, &handle, &err), ERR_OK);
	raise(SIGUSR1);
	turn(w, 1000);
	assert_int_equal(w->calls, 1);
	loop_remove_signal(handle);
}

static void *wake(void *ctx)
{
	loop_stop(ctx);
	return NULL;
}

static void another_thread_can_stop_it(void **state)
{
	struct world *w = *state;
	struct err err;
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, wake, w->loop), 0);
	assert_int_equal(loop_run(w->loop, &err), ERR_OK); /* would wait for ever */
	pthread_join(thread, NULL);
}

static void lag_is_measured(void **state)
{
	struct world *w = *state;
	struct err err;
	assert_int_equal(loop_add_timer(w->loop, on_a, w, &w->a, &err), ERR_OK);
	loop_arm(w->a, clock_mono_ms() - 700);
	turn(w, 1000);
	assert_in_range(loop_take_lag_ms(w->loop), 700, 5000);
	assert_int_equal(loop_take_lag_ms(w->loop), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(timers_fire_in_order_and_once),
	    T(a_timer_that_is_always_due_starves_nobody), T(many_timers_keep_their_heap), T(descriptors_are_served),
	    T(a_removed_handle_is_not_called_again), T(children_are_reaped_with_their_status),
	    T(signals_come_through_the_loop), T(another_thread_can_stop_it), T(lag_is_measured)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
