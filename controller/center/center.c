#include "controller/center/center.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "controller/center/internal.h"
#include "shared/base/log.h"

/* Time of the last commit, so that it does not go back when the controller starts again: 8 bytes, big-endian. */
static const uint8_t clock_name[] = "center\0clock";
static const struct bytes clock_key = {clock_name, sizeof(clock_name) - 1};

struct work { /* one input on its way through a batch */
	struct center *center;
	const struct input *in;
	const struct timer *timer; /* INPUT_TIMER: taken away in the same turn */
	const struct err *why;     /* it was refused for this */
};

/* ---- turns ---- */

static enum err_code dispatch(struct turn *t, const struct work *w, struct err *reterr)
{
	if (w->timer && strcmp(w->timer->kind, ANSWER_TIMER) == 0)
		return answer_sweep(t, reterr);
	return w->center->handlers.apply(t, w->center->handlers.config, w->in, reterr);
}

static enum err_code apply_fn(struct turn *t, void *ctx, struct err *reterr)
{
	const struct work *w = ctx;
	const struct request *r = w->in->kind == INPUT_REQUEST ? w->in->request : NULL;
	if (r && (!r->key || !r->operator_name)) /* a stranger's key would be a record that anybody can make */
		r = NULL;
	enum err_code rc = ERR_OK;
	bool repeated = false;
	if (w->timer)
		rc = turn_timer_clear(t, w->timer->kind, w->timer->id, w->timer->name, reterr);
	if (rc == ERR_OK && r)
		rc = answer_repeat(t, r, &repeated, reterr);
	if (rc == ERR_OK && !repeated)
		rc = dispatch(t, w, reterr);
	if (rc == ERR_OK && r && !repeated)
		rc = answer_keep(t, r, reterr);
	return rc;
}

static enum err_code refused_fn(struct turn *t, void *ctx, struct err *reterr)
{
	const struct work *w = ctx;
	return w->center->handlers.refused(t, w->center->handlers.config, w->in, w->why, reterr);
}

/* A deadline is never lost: one whose turn was refused comes again. */
static enum err_code retry_fn(struct turn *t, void *ctx, struct err *reterr)
{
	const struct work *w = ctx;
	return turn_timer_set(
	    t, w->timer->kind, w->timer->id, w->timer->name, turn_now_ms(t) + CENTER_TIMER_RETRY_MS, reterr);
}

static enum err_code answer_fn(struct turn *t, void *ctx, struct err *reterr)
{
	const struct work *w = ctx;
	struct effect e = {
	    .kind = EFFECT_REPLY, .token = w->in->request->token, .code = w->why->code, .text = w->why->msg};
	return turn_emit(t, &e, reterr);
}

static void refuse(struct center *c, struct batch *b, struct work *w, const struct err *why)
{
	struct err err = ERR_INIT;
	w->why = why;
	if (w->timer) {
		log_error("center", "timer kind=%s name=%s was refused and comes again: %s", w->timer->kind,
		    w->timer->name ? w->timer->name : id_text(ID_EVENT, w->timer->id), why->msg);
		if (batch_apply(b, retry_fn, w, &err) != ERR_OK)
			log_error("center", "timer kind=%s could not be set again: %s", w->timer->kind, err.msg);
	}
	if (c->handlers.refused && batch_apply(b, refused_fn, w, &err) == ERR_OK)
		return;
	log_error("center", "a refusal could not be recorded: %s; it was: %s", err.msg, why->msg);
	if (w->in->kind == INPUT_REQUEST && w->in->request && batch_apply(b, answer_fn, w, &err) != ERR_OK)
		log_error("center", "an operator could not be answered: %s", err.msg);
}

static void apply(
    struct center *c, struct batch *b, const struct input *in, const struct timer *timer, struct center_outcome *out)
{
	struct work w = {.center = c, .in = in, .timer = timer};
	struct err err = ERR_INIT;
	if (batch_apply(b, apply_fn, &w, &err) == ERR_OK) {
		out->accepted++;
		return;
	}
	out->refused++;
	refuse(c, b, &w, &err);
}

/* ---- timers ---- */

struct due {
	struct timer timers[CENTER_TIMERS_MAX];
	size_t count;
	struct arena *arena;
	uint64_t next_ms; /* of the first that is not due (or does not fit) */
};

/* The timers that are due, seen through the batch: what an input just cleared does not fire. */
static enum err_code find_due(struct turn *t, void *ctx, struct err *reterr)
{
	struct due *d = ctx;
	CLEANUP(turn_scan_done) struct turn_scan s = {0};
	struct timer timer;
	enum err_code rc = turn_scan_index(t, &timer_table, "due_ms", NULL, false, &s, reterr);
	d->count = 0;
	d->next_ms = UINT64_MAX;
	while (turn_scan_step(&s, &timer, &rc, reterr)) {
		d->next_ms = timer.due_ms;
		if (timer.due_ms > turn_now_ms(t) || d->count == CENTER_TIMERS_MAX)
			break;
		d->next_ms = UINT64_MAX;
		rc = record_copy(timer_table.type, &timer, d->arena, &d->timers[d->count++], reterr);
		if (rc != ERR_OK)
			break;
	}
	return rc;
}

struct check {
	const struct timer *timer;
	bool due; /* and not cleared or moved by another turn of this batch */
};

static enum err_code still_due(struct turn *t, void *ctx, struct err *reterr)
{
	struct check *c = ctx;
	struct timer now;
	bool found;
	enum err_code rc = turn_get(t, &timer_table, c->timer, &now, &found, reterr);
	if (rc == ERR_OK)
		c->due = found && now.due_ms <= turn_now_ms(t);
	return rc;
}

static enum err_code apply_due(
    struct center *c, struct batch *b, struct due *d, struct center_outcome *out, struct err *reterr)
{
	enum err_code rc = batch_apply(b, find_due, d, reterr);
	for (size_t i = 0; rc == ERR_OK && i < d->count; i++) {
		const struct timer *timer = &d->timers[i];
		struct check check = {.timer = timer};
		rc = batch_apply(b, still_due, &check, reterr);
		if (rc != ERR_OK || !check.due)
			continue;
		struct input in = {.kind = INPUT_TIMER, .arena = d->arena, .received_ms = c->now_ms, .timer = timer};
		apply(c, b, &in, timer, out);
		out->timers++;
	}
	if (rc == ERR_OK && d->count) { /* their turns may have set new ones */
		size_t applied = d->count;
		rc = batch_apply(b, find_due, d, reterr);
		if (rc == ERR_OK && d->count)
			d->next_ms = d->timers[0].due_ms;
		d->count = applied;
	}
	return rc;
}

static enum err_code timers(struct center *c, struct batch *b, struct center_outcome *out, struct err *reterr)
{
	struct arena *arena = arena_new(0);
	struct due *d = arena ? arena_alloc(arena, sizeof(*d)) : NULL;
	enum err_code rc = d ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for timers");
	if (d) {
		d->arena = arena;
		rc = apply_due(c, b, d, out, reterr);
		out->next_due_ms = d->next_ms;
	}
	arena_free(arena);
	return rc;
}

/* ---- a batch ---- */

static enum err_code keep_clock(struct turn *t, void *ctx, struct err *reterr)
{
	(void)ctx;
	uint8_t at[8];
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(turn_now_ms(t) >> (56 - 8 * i));
	return turn_raw_put(t, clock_key, (struct bytes){at, sizeof(at)}, reterr);
}

static enum err_code commit(
    struct center *c, struct batch *b, struct store_view **view, struct center_outcome *out, struct err *reterr)
{
	const struct turn_write *writes;
	size_t count;
	enum err_code rc = batch_writes(b, &writes, &count, reterr);
	if (rc == ERR_OK && count) {
		rc = batch_apply(b, keep_clock, NULL, reterr);
		if (rc == ERR_OK)
			rc = batch_writes(b, &writes, &count, reterr);
	}
	store_view_close(*view);
	*view = NULL;
	if (rc == ERR_OK)
		rc = store_commit(c->store, writes, count, reterr);
	if (rc == ERR_OK) {
		out->commits += count > 0;
		out->writes += count;
	}
	return rc;
}

/* One commit: inputs from *at on until there are enough, and, with the last of them, the timers. */
static enum err_code run_batch(
    struct center *c, struct input **inputs, size_t count, size_t *at, struct center_outcome *out, struct err *reterr)
{
	struct store_view *view = NULL;
	struct batch *b = NULL;
	enum err_code rc = store_view_open(c->store, "center", &view, reterr);
	if (rc == ERR_OK)
		rc = batch_new(store_view_turn(view), c->now_ms, c->random, &b, reterr);
	if (rc != ERR_OK) {
		store_view_close(view);
		return rc;
	}
	while (*at < count && batch_used(b) < CENTER_BATCH_BYTES)
		apply(c, b, inputs[(*at)++], NULL, out);
	if (*at == count)
		rc = timers(c, b, out, reterr);
	if (rc == ERR_OK)
		rc = commit(c, b, &view, out, reterr);
	if (rc == ERR_OK) {
		size_t effects;
		const struct effect *e = batch_effects(b, &effects);
		deliver(c, e, effects);
	}
	store_view_close(view);
	batch_free(b);
	return rc;
}

static void set_time(struct center *c, uint64_t now_ms)
{
	if (now_ms < c->now_ms && !c->started && c->now_ms - now_ms > CENTER_CLOCK_TRUST_MS) {
		log_error("center",
		    "the clock is %llu s behind the store's last commit; it is believed, and times will overlap",
		    (unsigned long long)((c->now_ms - now_ms) / 1000));
		c->now_ms = now_ms;
	}
	if (now_ms > c->now_ms)
		c->now_ms = now_ms;
	c->started = true;
}

enum err_code center_step(struct center *c, struct input **inputs, size_t count, uint64_t now_ms,
    struct center_outcome *ret, struct err *reterr)
{
	set_time(c, now_ms);
	struct center_outcome out = {.next_due_ms = UINT64_MAX};
	enum err_code rc;
	size_t at = 0;
	do
		rc = run_batch(c, inputs, count, &at, &out, reterr);
	while (rc == ERR_OK && at < count);
	for (size_t i = 0; i < count; i++)
		input_free(inputs[i]);
	if (rc == ERR_OK)
		*ret = out;
	return rc;
}

uint64_t center_now_ms(const struct center *c)
{
	return c->now_ms;
}

/* ---- begin and end ---- */

static enum err_code read_clock(struct center *c, struct err *reterr)
{
	struct store_view *view;
	enum err_code rc = store_view_open(c->store, "center", &view, reterr);
	if (rc != ERR_OK)
		return rc;
	const struct turn_view *v = store_view_turn(view);
	struct bytes value;
	bool found;
	rc = v->get(v->ctx, clock_key, &value, &found, reterr);
	if (rc == ERR_OK && found && value.size == 8)
		for (int i = 0; i < 8; i++)
			c->now_ms = c->now_ms << 8 | value.data[i];
	store_view_close(view);
	return rc;
}

enum err_code center_new(const struct center_options *o, struct center **ret, struct err *reterr)
{
	struct center *c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory for the center");
	c->store = o->store;
	c->random = o->random;
	c->handlers = o->handlers;
	c->sinks = o->sinks;
	enum err_code rc = read_clock(c, reterr);
	if (rc != ERR_OK)
		center_free(c);
	else
		*ret = c;
	return rc;
}

void center_free(struct center *c)
{
	if (!c)
		return;
	buf_done(&c->frame);
	free(c);
}
