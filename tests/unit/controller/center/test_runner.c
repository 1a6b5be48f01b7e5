/* The center's thread: many producers, back-pressure, stop.  Meant for ThreadSanitizer too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "controller/center/runner.h"
#include "shared/base/clock.h"
#include "tests/lib/unit.h"

struct gate { /* holds the handlers back until it is opened, and counts what they see */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	uint64_t reached; /* inputs that came to the handler */
	uint64_t drained;
	uint64_t answers;
	uint64_t boots;
	bool failed;
};
struct fixture {
	struct store *store;
	struct random random;
	struct center *center;
	struct runner *runner;
	struct gate gate;
};

/* ---- handlers ---- */

static enum err_code apply(
    struct turn *t, const struct workflow_config *config, const struct input *in, struct err *reterr)
{
	struct gate *g = (struct gate *)(uintptr_t)config;
	pthread_mutex_lock(&g->lock);
	g->boots += in->kind == INPUT_BOOT && g->reached == 0;
	g->reached++;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	uint64_t n;
	enum err_code rc = turn_number(t, "input", &n, reterr);
	if (rc == ERR_OK && in->kind == INPUT_REQUEST)
		rc = turn_emit(
		    t, &(struct effect){.kind = EFFECT_REPLY, .token = in->request->token, .text = "done"}, reterr);
	if (rc == ERR_OK && in->kind == INPUT_GONE)
		rc = turn_timer_set(t, "soon", in->boot, NULL, turn_now_ms(t) + 20, reterr);
	return rc;
}

static void sink_reply(void *ctx, const struct center_reply *r)
{
	(void)r;
	struct gate *g = ctx;
	pthread_mutex_lock(&g->lock);
	g->answers++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void on_drained(void *ctx)
{
	struct gate *g = ctx;
	pthread_mutex_lock(&g->lock);
	g->drained++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void on_fatal(void *ctx, const struct err *why)
{
	struct gate *g = ctx;
	assert_int_equal(why->code, ERR_IO);
	pthread_mutex_lock(&g->lock);
	g->failed = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void open_gate(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

/* Wait until *what >= least; a test that hangs is ended by ctest. */
static void await(struct gate *g, const uint64_t *what, uint64_t least)
{
	pthread_mutex_lock(&g->lock);
	while (*what < least)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

/* ---- fixture ---- */

static struct fixture *start(bool open, size_t queue_count, size_t queue_bytes)
{
	struct fixture *f = calloc(1, sizeof(*f));
	random_init_seed(&f->random, 1);
	pthread_mutex_init(&f->gate.lock, NULL);
	pthread_cond_init(&f->gate.changed, NULL);
	f->gate.open = open;
	assert_int_equal(store_open_memory(&f->store, NULL), ERR_OK);
	struct center_options c = {
	    .store = f->store,
	    .random = &f->random,
	    .handlers = {.apply = apply, .config = (const struct workflow_config *)&f->gate},
	    .sinks = {.ctx = &f->gate, .reply = sink_reply},
	};
	assert_int_equal(center_new(&c, &f->center, NULL), ERR_OK);
	struct runner_options r = {.center = f->center,
	    .store = f->store,
	    .queue_count = queue_count,
	    .queue_bytes = queue_bytes,
	    .drained = on_drained,
	    .fatal = on_fatal,
	    .ctx = &f->gate};
	assert_int_equal(runner_start(&r, &f->runner, NULL), ERR_OK);
	return f;
}

static void finish(struct fixture *f)
{
	runner_stop(f->runner);
	runner_free(f->runner);
	center_free(f->center);
	store_close(f->store);
	pthread_cond_destroy(&f->gate.changed);
	pthread_mutex_destroy(&f->gate.lock);
	free(f);
}

static struct input *request(uint64_t token)
{
	struct input *in = input_new(INPUT_REQUEST, 0);
	struct request *r = arena_alloc(in->arena, sizeof(*r));
	r->token = token;
	in->request = r;
	return in;
}

/* ---- cases ---- */

enum { PRODUCERS = 4, EACH = 2000 };

static void *produce(void *arg)
{
	struct fixture *f = arg;
	for (int i = 0; i < EACH; i++) {
		struct input *in = request((uint64_t)i);
		uint64_t before;
		bool congested;
		for (;;) {
			pthread_mutex_lock(&f->gate.lock);
			before = f->gate.drained;
			pthread_mutex_unlock(&f->gate.lock);
			enum err_code rc = runner_submit(f->runner, in, &congested, NULL);
			if (rc == ERR_OK)
				break;
			if (rc != ERR_FULL)
				abort();
			await(&f->gate, &f->gate.drained, before + 1); /* as a paused connection does */
		}
	}
	return NULL;
}

static void every_input_of_every_producer_is_answered(void **state)
{
	(void)state;
	struct fixture *f = start(true, 64, 1 << 20);
	pthread_t threads[PRODUCERS];
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, f), 0);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	runner_stop(f->runner);
	struct runner_stats stats;
	runner_stats(f->runner, &stats);
	assert_int_equal(f->gate.answers, PRODUCERS * EACH);
	assert_int_equal(f->gate.boots, 1);
	assert_int_equal(stats.inputs, PRODUCERS * EACH + 1);
	assert_true(stats.commits < stats.inputs); /* some shared a commit */
	assert_int_equal(stats.waiting, 0);
	finish(f);
}

static void a_full_queue_refuses_and_says_when_there_is_room(void **state)
{
	(void)state;
	struct fixture *f = start(false, 8, 1 << 20);
	await(&f->gate, &f->gate.reached, 1); /* INPUT_BOOT is held in its handler, the queue is empty */
	bool congested;
	int taken = 0, told = 0;
	struct input *in = request(0);
	while (runner_submit(f->runner, in, &congested, NULL) == ERR_OK) {
		told += congested;
		taken++;
		in = request(0);
	}
	assert_true(congested);
	assert_int_equal(taken, 8);
	assert_true(told > 0 && told < 8); /* was warned before it was full */
	assert_int_equal(f->gate.drained, 0);
	open_gate(&f->gate);
	await(&f->gate, &f->gate.drained, 1);
	assert_int_equal(runner_submit(f->runner, in, &congested, NULL), ERR_OK);
	assert_false(congested);
	await(&f->gate, &f->gate.answers, 9);
	finish(f);
}

static void bytes_count_too(void **state)
{
	(void)state;
	struct fixture *f = start(false, 1000, 100 << 10);
	await(&f->gate, &f->gate.reached, 1);
	struct input *in = request(0);
	int taken = 0;
	for (; taken < 1000; taken++) {
		in->weight_bytes = 30 << 10;
		if (runner_submit(f->runner, in, NULL, NULL) != ERR_OK)
			break;
		in = request(0);
	}
	assert_int_equal(taken, 3);
	input_free(in);
	open_gate(&f->gate);
	finish(f);
}

static void stop_answers_what_waits_and_refuses_the_rest(void **state)
{
	(void)state;
	struct fixture *f = start(false, 0, 0);
	await(&f->gate, &f->gate.reached, 1);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(runner_submit(f->runner, request(i), NULL, NULL), ERR_OK);
	open_gate(&f->gate);
	runner_stop(f->runner);
	assert_int_equal(f->gate.answers, 500);
	struct input *late = request(1);
	assert_int_equal(runner_submit(f->runner, late, NULL, NULL), ERR_STATE);
	input_free(late);
	finish(f);
}

static void a_timer_wakes_the_thread(void **state)
{
	(void)state;
	struct fixture *f = start(true, 0, 0);
	struct input *in = input_new(INPUT_GONE, 0);
	assert_int_equal(runner_submit(f->runner, in, NULL, NULL), ERR_OK);
	uint64_t before = clock_mono_ms();
	await(&f->gate, &f->gate.reached, 3); /* boot, gone, timer: and no input comes */
	uint64_t took = clock_mono_ms() - before;
	assert_true(took < CENTER_CHECK_MS / 2);
	finish(f);
}

static void a_failed_commit_is_fatal_and_says_nothing(void **state)
{
	(void)state;
	struct fixture *f = start(true, 0, 0);
	await(&f->gate, &f->gate.reached, 1);
	store_memory_fail(f->store, STORE_FAULT_LOST, 0);
	struct input *in = request(1);
	assert_int_equal(runner_submit(f->runner, in, NULL, NULL), ERR_OK);
	pthread_mutex_lock(&f->gate.lock);
	while (!f->gate.failed)
		pthread_cond_wait(&f->gate.changed, &f->gate.lock);
	pthread_mutex_unlock(&f->gate.lock);
	finish(f);
}

static void the_clock_of_turns_never_goes_back(void **state)
{
	(void)state;
	struct runner_clock c = {1000, 50};
	assert_int_equal(runner_clock_read(&c, 2000, 60), 2000);
	assert_int_equal(runner_clock_read(&c, 1500, 60), 2000); /* the wall went back half a second */
	assert_int_equal(runner_clock_read(&c, 1600, 160), 2050);
	assert_int_equal(runner_clock_read(&c, 1601, 161), 2050);
	assert_int_equal(runner_clock_read(&c, 1602, 162), 2051);
	uint64_t last = 2051;
	for (uint64_t i = 1; i < 2000; i++) { /* one ms at a time, it still goes on and is caught up with */
		uint64_t now = runner_clock_read(&c, 1602 + i, 162 + i);
		assert_true(now >= last && now - last <= 2);
		last = now;
	}
	assert_int_equal(last, 1602 + 1999);
	assert_int_equal(runner_clock_read(&c, 1 << 20, 162 + 2000), 1 << 20); /* forward it jumps */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_input_of_every_producer_is_answered),
	    cmocka_unit_test(a_full_queue_refuses_and_says_when_there_is_room),
	    cmocka_unit_test(bytes_count_too),
	    cmocka_unit_test(stop_answers_what_waits_and_refuses_the_rest),
	    cmocka_unit_test(a_timer_wakes_the_thread),
	    cmocka_unit_test(a_failed_commit_is_fatal_and_says_nothing),
	    cmocka_unit_test(the_clock_of_turns_never_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
