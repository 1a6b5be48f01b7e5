/* Workers as the keeper has them: with its signals blocked, and stopped when they have hardly begun. */
#include "agent/keeper/jobs.h"

#include <signal.h>

#include "shared/base/clock.h"
#include "tests/lib/snapshot_world.h"

enum { PATIENCE_MS = 20 * 1000 };

static struct world w;
static struct service_config services[1];
static struct agent_config config;
static struct loop *loop;
static struct jobs *jobs;
static unsigned reports, ends, clean_ends;
static struct order order;

static void on_report(void *ctx, const struct report *r)
{
	(void)ctx;
	reports += r->order && id_equal(r->order->order, order.order) && r->order->outcome != ORDER_OPEN;
}

static void on_progress(void *ctx, const struct progress *p)
{
	(void)ctx;
	(void)p;
}

static void on_ended(void *ctx, const struct work_spec *spec, bool clean)
{
	(void)ctx;
	(void)spec;
	ends++;
	clean_ends += clean;
}

static void on_signal(void *ctx, int signo)
{
	(void)ctx;
	(void)signo;
}

static int setup(void **state)
{
	struct jobs_events events = {NULL, on_report, on_progress, on_ended};
	struct loop_signal *term;
	(void)state;
	world_init(&w);
	services[0] = w.service;
	config = (struct agent_config){.host = WORLD_HOST, .state_directory = w.dir, .services = {services, 1}};
	order = (struct order){.order = {{1}}, .kind = ORDER_VERIFY, .service = w.service.name, .host = WORLD_HOST};
	WORLD_OK(&w, loop_new(&loop, &w.err));
	WORLD_OK(&w, loop_add_signal(loop, SIGTERM, on_signal, NULL, &term, &w.err)); /* as keeper.c does */
	WORLD_OK(&w, jobs_new(loop, &config, &events, &jobs, &w.err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jobs_free(jobs);
	loop_free(loop);
	world_done(&w);
	return 0;
}

/* An order and its cancellation may be read in one turn: the worker must hear of it, not die of it; of one that died
 * nobody would know any more that it was to be cancelled. */
static void test_cancelled_at_once_is_told_not_killed(void **state)
{
	struct work_spec spec = {.kind = WORK_ORDER, .order = &order, .service = w.service.name};
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		reports = ends = clean_ends = 0;
		WORLD_OK(&w, jobs_start(jobs, &spec, &w.err));
		jobs_cancel(jobs, order.order);
		for (uint64_t until = clock_mono_ms() + PATIENCE_MS; !ends && clock_mono_ms() < until;)
			WORLD_OK(&w, loop_turn(loop, 100, &w.err));
		assert_int_equal(ends, 1);
		assert_int_equal(clean_ends, 1);
		assert_int_equal(reports, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cancelled_at_once_is_told_not_killed)};
	return cmocka_run_group_tests_name("jobs", tests, setup, teardown);
}
