#include "agent/probe/set.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/probe/run.h"
#include "agent/probe/schedule.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/redact/leaving.h"

struct check;

struct watched { /* one probe */
	struct probe_set *set;
	size_t index;
	const struct service_config *service;
	const struct probe_config *config;
	struct probe_memory memory;
	struct probe_run *run;
	struct arena *arena; /* of the last result */
	struct probe_result result;
	bool has_result;
};

struct checked { /* one probe in a check on demand */
	struct check *check;
	struct watched *watched;
	struct probe_memory memory;
	struct probe_run *run;
	struct arena *arena;
	struct probe_result result;
};

struct check {
	struct probe_set *set;
	struct check *next;
	const struct service_config *service;
	struct checked *items;
	size_t count, pending;
	struct loop_timer *kick; /* a check of nothing is done later too */
	void (*done)(void *ctx, const struct probe_check *check);
	void *ctx;
};

struct probe_set {
	struct loop *loop;
	const struct agent_config *config;
	const struct probe_set_events *events;
	struct probe_env env;
	struct probe_schedule *schedule;
	struct watched *probes;
	size_t count;
	struct loop_timer *timer;
	struct check *checks;
};

/* ---- time ---- */

/* How long this process has been ready but waited for a cpu: the second number of schedstat
 * (Documentation/scheduler/sched-stats.rst). */
static uint64_t starved_ms(void)
{
	char text[96] = "";
	unsigned long long ran, waited;
	CLEANUP(cleanup_fd) int fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%llu %llu", &ran, &waited) != 2)
		return 0;
	return waited / 1000000;
}

static void arm(struct probe_set *s)
{
	loop_arm(s->timer, probe_schedule_next_ms(s->schedule));
}
static void beat(struct probe_set *s)
{
	probe_schedule_beat(s->schedule, loop_now_ms(s->loop), starved_ms());
}

/* ---- results ---- */

static const char *clean_text(struct arena *a, const char *text)
{
	const char *clean = redact_leaving_text(a, text, PROBE_TEXT_MAX - 1);
	return clean == text ? arena_strdup(a, text) : clean ? clean : "";
}

static void fill_metrics(struct arena *a, const struct probe_outcome *o, struct list *ret)
{
	struct metric *items = arena_array(a, o->metric_count ? o->metric_count : 1, sizeof *items);
	*ret = (struct list){0};
	for (size_t i = 0; items && i < o->metric_count; i++) {
		const struct probe_metric *m = &o->metrics[i];
		items[i] = (struct metric){.name = clean_text(a, m->name),
		    .value = m->value,
		    .unit = arena_strdup(a, m->unit),
		    .warn = m->warn,
		    .critical = m->critical};
		ret->items = items;
		ret->count = i + 1;
	}
}

static void fill_result(const struct watched *w, struct arena *a, const struct probe_outcome *o,
    const struct probe_verdict *v, struct probe_result *r)
{
	uint64_t now = loop_wall_ms(w->set->loop);
	uint64_t since = v->changed || !w->has_result ? now : w->result.since_ms;
	*r = (struct probe_result){.probe = w->config->name,
	    .tier = w->config->tier,
	    .state = v->state,
	    .settled = v->settled,
	    .at_ms = now,
	    .took_ms = o->took_ms,
	    .since_ms = since,
	    .passed_ms = v->state == PROBE_OK ? now
			 : w->has_result      ? w->result.passed_ms
					      : 0,
	    .gone = o->gone && (v->state == PROBE_CRITICAL || v->settled == PROBE_CRITICAL)};
	struct probe_outcome said = *o;
	if (v->distrusted)
		outcome_say(&said, PROBE_UNKNOWN, "not counted, this agent itself was too slow: %s", o->text);
	r->text = clean_text(a, said.text);
	fill_metrics(a, o, &r->metrics);
}

static void take_outcome(struct watched *w, const struct probe_outcome *o)
{
	struct probe_set *s = w->set;
	struct probe_verdict v = probe_schedule_result(s->schedule, w->index, o->state, loop_now_ms(s->loop));
	struct probe_result result;
	arena_reset(w->arena);
	fill_result(w, w->arena, o, &v, &result);
	w->result = result;
	w->has_result = true;
	s->events->on_result(s->events->ctx, w->service, &w->result, v.changed);
}

static void on_outcome(void *ctx, const struct probe_outcome *o)
{
	struct watched *w = ctx;
	w->run = NULL;
	beat(w->set); /* whoever comes first after a lag must see it */
	take_outcome(w, o);
	arm(w->set);
}

/* ---- running ---- */

static void start(struct watched *w)
{
	struct err err;
	if (probe_run_start(&w->set->env, w->config, &w->memory, on_outcome, w, &w->run, &err) == ERR_OK)
		return;
	struct probe_outcome o = {0};
	outcome_say(&o, PROBE_UNKNOWN, "%s", err.msg);
	take_outcome(w, &o);
}

static void drop_overdue(struct probe_set *s, uint64_t now)
{
	size_t i;
	while (probe_schedule_overdue(s->schedule, now, &i)) {
		struct probe_outcome o = {0};
		probe_run_cancel(s->probes[i].run);
		s->probes[i].run = NULL;
		outcome_say(&o, PROBE_UNKNOWN, "the probe did not end by its deadline");
		take_outcome(&s->probes[i], &o);
	}
}

static void on_timer(void *ctx)
{
	struct probe_set *s = ctx;
	size_t i;
	uint64_t now = loop_now_ms(s->loop);
	beat(s);
	drop_overdue(s, now);
	while (probe_schedule_due(s->schedule, now, &i))
		start(&s->probes[i]);
	arm(s);
}

/* ---- making ---- */

/* FNV-1a, 64 bit */
static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; s && *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return (h ^ 0xff) * 0x100000001b3ull;
}

static uint64_t interval(const struct probe_config *c)
{
	static const uint64_t tiers[PROBE_TIER_COUNT] = {
	    PROBE_EVERY_SHALLOW_MS, PROBE_EVERY_DEEP_MS, PROBE_EVERY_FULL_MS};
	uint64_t every = c->every_ms ? c->every_ms : tiers[c->tier < PROBE_TIER_COUNT ? c->tier : PROBE_SHALLOW];
	return every < PROBE_EVERY_LEAST_MS ? PROBE_EVERY_LEAST_MS : every;
}

static struct probe_timing timing(
    const struct agent_config *a, const struct service_config *s, const struct probe_config *c)
{
	uint64_t h = hash_text(hash_text(hash_text(0xcbf29ce484222325ull, a->host), s->name), c->name);
	return (struct probe_timing){.every_ms = interval(c),
	    .timeout_ms = probe_timeout_ms(c),
	    .rise = c->rise ? c->rise : PROBE_RISE_DEFAULT,
	    .fall = c->fall ? c->fall : PROBE_FALL_DEFAULT,
	    .hash = h ^ h >> 29,
	    .first_soon = c->tier == PROBE_SHALLOW};
}

static size_t count_probes(const struct agent_config *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->services.count; i++)
		n += LIST_AT(c->services, struct service_config, i).probes.count;
	return n;
}

static enum err_code fill(struct probe_set *s, struct probe_timing *timings, struct err *reterr)
{
	for (size_t i = 0; i < s->config->services.count; i++) {
		const struct service_config *service = &LIST_AT(s->config->services, struct service_config, i);
		for (size_t k = 0; k < service->probes.count; k++) {
			const struct probe_config *c = &LIST_AT(service->probes, struct probe_config, k);
			struct watched *w = &s->probes[s->count];
			*w = (struct watched){
			    .set = s, .index = s->count, .service = service, .config = c, .arena = arena_new(64 << 10)};
			timings[s->count++] = timing(s->config, service, c);
			if (!w->arena)
				return err_set(reterr, ERR_NOMEM, "no memory for probes");
		}
	}
	return ERR_OK;
}

enum err_code probe_set_new(struct loop *l, const struct agent_config *config, const struct probe_set_events *events,
    struct probe_set **ret, struct err *reterr)
{
	size_t count = count_probes(config);
	struct probe_set *s = calloc(1, sizeof *s);
	CLEANUP(cleanup_free) struct probe_timing *timings = calloc(count + 1, sizeof *timings);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "no memory for probes");
	*s = (struct probe_set){
	    .loop = l, .config = config, .events = events, .probes = calloc(count + 1, sizeof *s->probes)};
	s->env = (struct probe_env){.loop = l, .trust = trust_store_new(), .proc = "/proc"};
	enum err_code rc =
	    s->probes && timings && s->env.trust ? ERR_OK : err_set(reterr, ERR_NOMEM, "no memory for probes");
	if (rc == ERR_OK)
		rc = fill(s, timings, reterr);
	if (rc == ERR_OK)
		rc = probe_schedule_new(timings, s->count, loop_now_ms(l), &s->schedule, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(l, on_timer, s, &s->timer, reterr);
	if (rc != ERR_OK) {
		probe_set_free(s);
		return rc;
	}
	beat(s);
	arm(s);
	*ret = s;
	return ERR_OK;
}

static void check_free(struct check *c)
{
	for (size_t i = 0; i < c->count; i++) {
		probe_run_cancel(c->items[i].run);
		arena_free(c->items[i].arena);
	}
	loop_remove_timer(c->kick);
	free(c->items);
	free(c);
}

void probe_set_free(struct probe_set *s)
{
	if (!s)
		return;
	while (s->checks) {
		struct check *c = s->checks;
		s->checks = c->next;
		check_free(c);
	}
	for (size_t i = 0; i < s->count; i++) {
		probe_run_cancel(s->probes[i].run);
		arena_free(s->probes[i].arena);
	}
	loop_remove_timer(s->timer);
	probe_schedule_free(s->schedule);
	trust_store_free(s->env.trust);
	free(s->probes);
	free(s);
}

/* ---- checks on demand ---- */

static void unlink_check(struct check *c)
{
	struct check **at = &c->set->checks;
	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
}

static void finish_check(struct check *c)
{
	const struct probe_result **results = calloc(c->count + 1, sizeof *results);
	struct probe_check told = {
	    .results = results, .count = results ? c->count : 0, .all_ok = results && c->count > 0};
	for (size_t i = 0; i < told.count; i++) {
		results[i] = &c->items[i].result;
		if (results[i]->state != PROBE_OK && results[i]->state != PROBE_WARNING)
			told.all_ok = false;
	}
	unlink_check(c);
	c->done(c->ctx, &told);
	free(results);
	check_free(c);
}

static void on_kick(void *ctx)
{
	struct check *c = ctx;
	if (c->pending == 0)
		finish_check(c);
}

static void on_checked(void *ctx, const struct probe_outcome *o)
{
	struct checked *item = ctx;
	struct watched *w = item->watched;
	struct probe_schedule *schedule = w->set->schedule;
	uint64_t now = loop_now_ms(w->set->loop);
	struct probe_verdict v = {.state = o->state, .settled = probe_schedule_settled(schedule, w->index, now)};
	item->run = NULL;
	fill_result(w, item->arena, o, &v, &item->result);
	if (probe_schedule_begin(schedule, w->index, now)) /* it counts like any other */
		take_outcome(w, o);
	arm(w->set);
	if (--item->check->pending == 0)
		loop_arm(item->check->kick, 0);
}

static bool wanted(const struct watched *w, const struct service_config *service, bool deep)
{
	return w->service == service && (deep || w->config->tier == PROBE_SHALLOW);
}

static enum err_code start_check(struct check *c, bool deep, struct err *reterr)
{
	struct probe_set *s = c->set;
	for (size_t i = 0; i < s->count; i++) {
		if (!wanted(&s->probes[i], c->service, deep))
			continue;
		struct checked *item = &c->items[c->count++];
		*item = (struct checked){
		    .check = c, .watched = &s->probes[i], .memory = s->probes[i].memory, .arena = arena_new(64 << 10)};
		if (!item->arena)
			return err_set(reterr, ERR_NOMEM, "no memory for a check");
		enum err_code rc =
		    probe_run_start(&s->env, s->probes[i].config, &item->memory, on_checked, item, &item->run, reterr);
		if (rc != ERR_OK)
			return rc;
		c->pending++;
	}
	return ERR_OK;
}

enum err_code probe_set_check(struct probe_set *s, const char *service, bool deep,
    void (*done)(void *ctx, const struct probe_check *check), void *ctx, struct err *reterr)
{
	const struct service_config *declared = NULL;
	for (size_t i = 0; i < s->config->services.count; i++)
		if (text_equal(LIST_AT(s->config->services, struct service_config, i).name, service))
			declared = &LIST_AT(s->config->services, struct service_config, i);
	if (!declared)
		return err_set(reterr, ERR_NOT_FOUND, "no service %s is declared on this host", service);
	probe_set_check_cancel(s, service);
	struct check *c = calloc(1, sizeof *c);
	struct checked *items = calloc(s->count + 1, sizeof *items);
	if (!c || !items) {
		free(c);
		free(items);
		return err_set(reterr, ERR_NOMEM, "no memory for a check");
	}
	*c = (struct check){.set = s, .service = declared, .items = items, .done = done, .ctx = ctx};
	enum err_code rc = loop_add_timer(s->loop, on_kick, c, &c->kick, reterr);
	if (rc == ERR_OK)
		rc = start_check(c, deep, reterr);
	if (rc != ERR_OK) {
		check_free(c);
		return rc;
	}
	c->next = s->checks;
	s->checks = c;
	if (c->pending == 0)
		loop_arm(c->kick, 0);
	return ERR_OK;
}

void probe_set_check_cancel(struct probe_set *s, const char *service)
{
	for (struct check *c = s->checks; c; c = c->next)
		if (text_equal(c->service->name, service)) {
			unlink_check(c);
			check_free(c);
			return;
		}
}

/* ---- asking ---- */

enum err_code probe_set_results(
    struct probe_set *s, const char *service, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct probe_result *items = arena_array(arena, s->count + 1, sizeof *items);
	size_t n = 0;
	if (!items)
		return err_set(reterr, ERR_NOMEM, "no memory for the results of %s", service);
	for (size_t i = 0; i < s->count; i++) {
		const struct watched *w = &s->probes[i];
		if (!text_equal(w->service->name, service))
			continue;
		items[n] = w->has_result
			       ? w->result
			       : (struct probe_result){
				     .probe = w->config->name, .tier = w->config->tier, .text = "not probed yet"};
		items[n++].settled = probe_schedule_settled(s->schedule, i, loop_now_ms(s->loop));
	}
	*ret = (struct list){.items = items, .count = n};
	return ERR_OK;
}

void probe_set_hold(struct probe_set *s, const char *service, bool held)
{
	for (size_t i = 0; i < s->count && !held; i++)
		if (text_equal(s->probes[i].service->name, service) && !probe_schedule_running(s->schedule, i))
			probe_schedule_forget(s->schedule, i, loop_now_ms(s->loop));
	arm(s);
}

bool probe_set_lagging(const struct probe_set *s)
{
	return probe_schedule_lagging(s->schedule, loop_now_ms(s->loop));
}
