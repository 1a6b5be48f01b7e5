#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "shared/base/clock.h"
#include "shared/base/queue.h"
#include "tests/lib/unit.h"

static atomic_bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

static int items[2000];

static void order_and_count(void **state)
{
	(void)state;
	struct queue *q = queue_new(1000, 1000000);
	void *out[100];
	size_t in = 0, taken = 0;
	for (size_t round = 0; round < 60; round++) { /* the ring turns over and grows while it is turned */
		for (size_t i = 0; i < 1 + round % 30; i++)
			assert_int_equal(queue_push(q, &items[in++], 1, NULL), ERR_OK);
		size_t n = queue_pop(q, out, round % 28, 0);
		for (size_t i = 0; i < n; i++)
			assert_ptr_equal(out[i], &items[taken++]);
		assert_int_equal(queue_count(q), in - taken);
	}
	while (taken < in) {
		assert_int_equal(queue_pop(q, out, 1, -1), 1);
		assert_ptr_equal(out[0], &items[taken++]);
	}
	assert_int_equal(queue_pop(q, out, 10, 0), 0);
	queue_free(q);
	queue_free(NULL);
}

static void bound_by_count(void **state)
{
	(void)state;
	static const size_t limits[] = {1, 15, 16, 17, 100};
	for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
		struct queue *q = queue_new(limits[l], 1);
		struct err err = ERR_INIT;
		for (size_t i = 0; i < limits[l]; i++)
			assert_int_equal(queue_push(q, &items[i], 0, &err), ERR_OK);
		assert_int_equal(queue_push(q, &items[0], 0, &err), ERR_FULL);
		assert_int_equal(queue_count(q), limits[l]);
		void *out[1];
		assert_int_equal(queue_pop(q, out, 1, 0), 1);
		assert_int_equal(queue_push(q, &items[0], 0, NULL), ERR_OK);
		assert_int_equal(queue_push(q, &items[0], 0, NULL), ERR_FULL);
		while (queue_pop(q, out, 1, 0))
			;
		queue_free(q);
	}
}

static void bound_by_weight(void **state)
{
	(void)state;
	struct queue *q = queue_new(100, 10);
	void *out[4];
	assert_int_equal(queue_push(q, &items[0], 6, NULL), ERR_OK);
	assert_int_equal(queue_push(q, &items[1], 5, NULL), ERR_FULL);
	assert_int_equal(queue_push(q, &items[1], SIZE_MAX, NULL), ERR_FULL);
	assert_int_equal(queue_push(q, &items[1], 4, NULL), ERR_OK);
	assert_int_equal(queue_push(q, &items[2], 1, NULL), ERR_FULL);
	assert_int_equal(queue_push(q, &items[2], 0, NULL), ERR_OK);
	assert_int_equal(queue_pop(q, out, 1, 0), 1);
	assert_int_equal(queue_push(q, &items[3], 6, NULL), ERR_OK); /* its weight went with it */
	assert_int_equal(queue_pop(q, out, 4, 0), 3);
	/* An empty queue takes any weight, and then nothing more. */
	assert_int_equal(queue_push(q, &items[0], 1000, NULL), ERR_OK);
	assert_int_equal(queue_push(q, &items[1], 0, NULL), ERR_FULL);
	assert_int_equal(queue_pop(q, out, 4, 0), 1);
	queue_free(q);
}

static void congestion(void **state)
{
	(void)state;
	struct queue *q = queue_new(8, 100);
	void *out[8];
	for (int i = 0; i < 6; i++)
		assert_int_equal(queue_push(q, &items[i], 0, NULL), ERR_OK);
	assert_false(queue_congested(q));
	assert_int_equal(queue_push(q, &items[0], 0, NULL), ERR_OK);
	assert_true(queue_congested(q));
	assert_int_equal(queue_pop(q, out, 8, 0), 7);
	assert_int_equal(queue_push(q, &items[0], 75, NULL), ERR_OK);
	assert_false(queue_congested(q));
	assert_int_equal(queue_push(q, &items[0], 1, NULL), ERR_OK);
	assert_true(queue_congested(q));
	assert_int_equal(queue_pop(q, out, 8, 0), 2);
	assert_false(queue_congested(q));
	queue_free(q);
}

static void close_refuses_and_drains(void **state)
{
	(void)state;
	struct queue *q = queue_new(8, 100);
	void *out[8];
	assert_int_equal(queue_push(q, &items[0], 1, NULL), ERR_OK);
	assert_int_equal(queue_push(q, &items[1], 1, NULL), ERR_OK);
	assert_false(queue_closed(q));
	queue_close(q);
	queue_close(q);
	assert_true(queue_closed(q));
	assert_int_equal(queue_push(q, &items[2], 1, NULL), ERR_STATE);
	assert_int_equal(queue_pop(q, out, 1, -1), 1);
	assert_ptr_equal(out[0], &items[0]);
	assert_int_equal(queue_pop(q, out, 8, -1), 1);
	assert_ptr_equal(out[0], &items[1]);
	assert_int_equal(queue_pop(q, out, 8, -1), 0);
	queue_free(q);
}

static void timeout_passes(void **state)
{
	(void)state;
	struct queue *q = queue_new(8, 100);
	void *out[1];
	uint64_t before = clock_mono_us();
	assert_int_equal(queue_pop(q, out, 1, 30), 0);
	assert_true(clock_mono_us() - before >= 29000);
	queue_free(q);
}

static atomic_int waiting;

/* The lock is held here, so whoever takes it after seeing the count finds the consumer asleep. */
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	waiting++;
	return __real_pthread_cond_wait(cond, lock);
}

static void *pop_one(void *arg)
{
	void *out[1] = {NULL};
	return queue_pop(arg, out, 1, -1) ? out[0] : NULL;
}

/* Whether the consumer waits already or comes later, it must wake. */
static void push_and_close_wake(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct queue *q = queue_new(8, 100);
		pthread_t t;
		void *got;
		waiting = 0;
		assert_int_equal(pthread_create(&t, NULL, pop_one, q), 0);
		while (i % 4 < 2 && waiting == 0)
			sched_yield();
		if (i % 2)
			assert_int_equal(queue_push(q, &items[i], 1, NULL), ERR_OK);
		else
			queue_close(q);
		pthread_join(t, &got);
		assert_ptr_equal(got, i % 2 ? &items[i] : NULL);
		queue_free(q);
	}
}

enum { PRODUCERS = 8, EACH = 4000, LIMIT = 50, LIMIT_BYTES = 300 };

struct parcel {
	unsigned producer, number;
};

struct producer {
	struct queue *q;
	unsigned index, refused;
	struct parcel parcels[EACH];
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	for (unsigned i = 0; i < EACH; i++) {
		p->parcels[i] = (struct parcel){p->index, i};
		while (queue_push(p->q, &p->parcels[i], 1 + i % 10, NULL) == ERR_FULL) {
			p->refused++;
			sched_yield();
		}
	}
	return NULL;
}

static void many_producers(void **state)
{
	(void)state;
	struct queue *q = queue_new(LIMIT, LIMIT_BYTES);
	struct producer *producers = calloc(PRODUCERS, sizeof(*producers));
	pthread_t threads[PRODUCERS];
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.q = q, .index = i};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	unsigned next[PRODUCERS] = {0};
	for (unsigned total = 0; total < PRODUCERS * EACH;) {
		void *out[LIMIT + 1];
		assert_true(queue_count(q) <= LIMIT);
		size_t n = queue_pop(q, out, LIMIT + 1, 10000), weight = 0;
		assert_in_range(n, 1, LIMIT);
		for (size_t i = 0; i < n; i++) {
			struct parcel *p = out[i];
			assert_int_equal(p->number, next[p->producer]++); /* none lost, twice or overtaken */
			weight += 1 + p->number % 10;
		}
		assert_true(weight <= LIMIT_BYTES);
		total += (unsigned)n;
	}
	unsigned refused = 0;
	for (unsigned i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
		refused += producers[i].refused;
		assert_int_equal(next[i], EACH);
	}
	assert_true(refused > 0); /* else the bounds were not tried */
	assert_int_equal(queue_count(q), 0);
	free(producers);
	queue_free(q);
}

static void out_of_memory(void **state)
{
	(void)state;
	no_memory = true;
	struct queue *none = queue_new(8, 100);
	no_memory = false;
	assert_null(none);
	struct queue *q = queue_new(100, 1000);
	for (int i = 0; i < 16; i++)
		assert_int_equal(queue_push(q, &items[i], 1, NULL), ERR_OK);
	no_memory = true;
	enum err_code rc = queue_push(q, &items[16], 1, NULL);
	no_memory = false;
	assert_int_equal(rc, ERR_NOMEM);
	assert_int_equal(queue_push(q, &items[16], 1, NULL), ERR_OK);
	void *out[20];
	assert_int_equal(queue_pop(q, out, 20, 0), 17);
	for (int i = 0; i < 17; i++)
		assert_ptr_equal(out[i], &items[i]);
	queue_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_and_count),
	    cmocka_unit_test(bound_by_count),
	    cmocka_unit_test(bound_by_weight),
	    cmocka_unit_test(congestion),
	    cmocka_unit_test(close_refuses_and_drains),
	    cmocka_unit_test(timeout_passes),
	    cmocka_unit_test(push_and_close_wake),
	    cmocka_unit_test(many_producers),
	    cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
