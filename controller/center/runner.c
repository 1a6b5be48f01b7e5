#include "controller/center/runner.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/queue.h"

enum { PUSH_TRIES = 3 }; /* a queue that is full, then empty, then full again while one input is pushed */

struct runner {
	struct runner_options o;
	struct queue *queue;
	pthread_t thread;
	bool joined;
	atomic_bool pressed;  /* an edge was told to pause: say so when there is room again */
	pthread_mutex_t lock; /* stats */
	struct runner_stats stats;
	/* center's thread only */
	struct runner_clock clock;
	uint64_t next_due_ms, next_check_mono_ms;
	struct input **inputs;
	bool told_low; /* what the center knows of the disk */
};

uint64_t runner_clock_read(struct runner_clock *c, uint64_t wall_ms, uint64_t mono_ms)
{
	uint64_t elapsed = mono_ms > c->last_mono_ms ? mono_ms - c->last_mono_ms : 0;
	if (wall_ms >= c->last_ms) {
		c->last_ms = wall_ms;
		c->last_mono_ms = mono_ms;
	} else if (elapsed >= 2) {
		c->last_ms += elapsed / 2;
		c->last_mono_ms = mono_ms - elapsed % 2;
	}
	return c->last_ms;
}

static void end_process(void *ctx, const struct err *why)
{
	(void)ctx;
	log_error("center", "the store failed, so this process ends; start it again: %s", why->msg);
	_exit(RUNNER_EXIT);
}

/* ---- center's thread ---- */

/* Tried again at the next look when the queue has no room. */
static void tell_space(struct runner *r, bool low)
{
	if (r->told_low == low)
		return;
	struct input *in = input_new(INPUT_SPACE, 0);
	if (!in)
		return;
	in->code = low ? ERR_FULL : ERR_OK;
	in->received_ms = r->o.wall_ms();
	if (runner_submit(r, in, NULL, NULL) != ERR_OK) {
		input_free(in);
		return;
	}
	r->told_low = low;
}

static void check_store(struct runner *r)
{
	uint64_t mono = r->o.mono_ms();
	if (mono < r->next_check_mono_ms)
		return;
	r->next_check_mono_ms = mono + CENTER_CHECK_MS;
	struct store_stats stats;
	store_check(r->o.store, &stats);
	pthread_mutex_lock(&r->lock);
	r->stats.store = stats;
	pthread_mutex_unlock(&r->lock);
	tell_space(r, stats.low);
}

static int wait_ms(struct runner *r)
{
	uint64_t now = runner_clock_read(&r->clock, r->o.wall_ms(), r->o.mono_ms());
	if (r->next_due_ms <= now)
		return 0;
	uint64_t wait = r->next_due_ms - now;
	return (int)(wait < CENTER_CHECK_MS ? wait : CENTER_CHECK_MS);
}

static void tell_drained(struct runner *r)
{
	if (atomic_load(&r->pressed) && !queue_congested(r->queue) && atomic_exchange(&r->pressed, false) &&
	    r->o.drained)
		r->o.drained(r->o.ctx);
}

static void count(struct runner *r, size_t inputs, const struct center_outcome *out, uint64_t took_ms)
{
	pthread_mutex_lock(&r->lock);
	struct runner_stats *s = &r->stats;
	s->steps++;
	s->inputs += inputs;
	s->refused += out->refused;
	s->timers += out->timers;
	s->commits += out->commits;
	s->writes += out->writes;
	if (took_ms > s->longest_step_ms)
		s->longest_step_ms = took_ms;
	pthread_mutex_unlock(&r->lock);
}

/* The store failed: what waits cannot be applied and is given up; peers send it again to the next process. */
static void give_up(struct runner *r, const struct err *why)
{
	r->o.fatal(r->o.ctx, why);
	queue_close(r->queue);
	size_t n;
	while ((n = queue_pop(r->queue, (void **)r->inputs, r->o.batch_max, 0)) > 0)
		for (size_t i = 0; i < n; i++)
			input_free(r->inputs[i]);
}

static void *run(void *arg)
{
	struct runner *r = arg;
	for (;;) {
		size_t n = queue_pop(r->queue, (void **)r->inputs, r->o.batch_max, wait_ms(r));
		tell_drained(r);
		check_store(r);
		uint64_t mono = r->o.mono_ms();
		uint64_t now = runner_clock_read(&r->clock, r->o.wall_ms(), mono);
		if (!n && queue_closed(r->queue))
			return NULL; /* and empty: a closed queue gives what it has first */
		if (!n && r->next_due_ms > now)
			continue;
		struct center_outcome out;
		struct err err = ERR_INIT;
		if (center_step(r->o.center, r->inputs, n, now, &out, &err) != ERR_OK) {
			give_up(r, &err);
			return NULL;
		}
		r->next_due_ms = out.next_due_ms;
		count(r, n, &out, r->o.mono_ms() - mono);
	}
}

/* ---- any thread ---- */

enum err_code runner_submit(struct runner *r, struct input *in, bool *ret_congested, struct err *reterr)
{
	size_t weight = in->weight_bytes ? in->weight_bytes : arena_used(in->arena);
	enum err_code rc = ERR_FULL;
	bool congested = true;
	for (int tries = 0; rc == ERR_FULL && congested && tries < PUSH_TRIES; tries++) {
		rc = queue_push(r->queue, in, weight, reterr);
		congested = rc == ERR_FULL || queue_congested(r->queue);
		if (!congested)
			break;
		/* Mark, then look again: had the center drained the queue before it saw the mark, nobody would be told.
		 */
		atomic_store(&r->pressed, true);
		if (rc == ERR_OK && !queue_congested(r->queue) && atomic_exchange(&r->pressed, false))
			congested = false;
		if (rc == ERR_FULL && queue_count(r->queue))
			break; /* the center will pop, see the mark and call drained */
	}
	if (ret_congested)
		*ret_congested = congested;
	return rc;
}

static enum err_code boot(struct runner *r, struct err *reterr)
{
	struct input *in = input_new(INPUT_BOOT, 0);
	if (!in)
		return err_set(reterr, ERR_NOMEM, "out of memory for the first input");
	in->received_ms = r->o.wall_ms();
	enum err_code rc = runner_submit(r, in, NULL, reterr);
	if (rc != ERR_OK)
		input_free(in);
	return rc;
}

static struct runner *runner_new(const struct runner_options *o)
{
	struct runner *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->o = *o;
	r->joined = true;
	r->o.batch_max = o->batch_max ? o->batch_max : CENTER_BATCH_MAX;
	r->o.wall_ms = o->wall_ms ? o->wall_ms : clock_wall_ms;
	r->o.mono_ms = o->mono_ms ? o->mono_ms : clock_mono_ms;
	r->o.fatal = o->fatal ? o->fatal : end_process;
	uint64_t stored = center_now_ms(o->center);
	if (stored > r->o.wall_ms() && stored - r->o.wall_ms() > CENTER_CLOCK_TRUST_MS)
		stored = 0; /* the center says so and believes the wall */
	r->clock = (struct runner_clock){stored, r->o.mono_ms()};
	pthread_mutex_init(&r->lock, NULL);
	r->queue = queue_new(
	    o->queue_count ? o->queue_count : CENTER_QUEUE_MAX, o->queue_bytes ? o->queue_bytes : CENTER_QUEUE_BYTES);
	r->inputs = calloc(r->o.batch_max, sizeof(*r->inputs));
	return r;
}

enum err_code runner_start(const struct runner_options *o, struct runner **ret, struct err *reterr)
{
	struct runner *r = runner_new(o);
	enum err_code rc =
	    r && r->queue && r->inputs ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for the center's queue");
	if (rc == ERR_OK)
		rc = boot(r, reterr);
	if (rc == ERR_OK) {
		int failed = pthread_create(&r->thread, NULL, run, r);
		if (failed)
			rc = err_sys(reterr, failed, "start the center's thread");
	}
	if (rc == ERR_OK) {
		pthread_setname_np(r->thread, "center");
		r->joined = false;
		*ret = r;
	} else {
		runner_free(r);
	}
	return rc;
}

void runner_stop(struct runner *r)
{
	queue_close(r->queue);
	if (!r->joined)
		pthread_join(r->thread, NULL);
	r->joined = true;
}

void runner_free(struct runner *r)
{
	if (!r)
		return;
	assert(r->joined);
	void *in;
	while (r->queue && queue_pop(r->queue, &in, 1, 0) == 1)
		input_free(in);
	queue_free(r->queue);
	free(r->inputs);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void runner_stats(struct runner *r, struct runner_stats *ret)
{
	pthread_mutex_lock(&r->lock);
	*ret = r->stats;
	pthread_mutex_unlock(&r->lock);
	ret->waiting = queue_count(r->queue);
}
