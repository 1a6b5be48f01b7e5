/* agent/keeper/looks.c: the controller asks how a service is now: its probes are run at once, outside their turn, and
 * told.  What contradicts the state that had settled is asked again, as often as it takes to settle. */
#include "agent/keeper/internal.h"
#include "agent/probe/limits.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	LOOKS_RUNNING_MAX = 4,         /* services at once: a question to a whole fleet must not become its load */
	LOOK_REST_MS = 2 * 1000,       /* between two looks at a service: who asks more often learns no more */
	LOOK_AGAIN_MS = 250,           /* before what contradicts is asked again */
	LOOK_PATIENCE_MS = 120 * 1000, /* longer than most probes may take */
	LOOK_ARENA = 1 << 20,
};

/* As many results in a row as any of its probes needs to settle. */
static uint32_t most_runs(const struct service_config *s)
{
	uint32_t most = PROBE_FALL_DEFAULT;
	for (size_t i = 0; i < s->probes.count; i++) {
		const struct probe_config *p = &LIST_AT(s->probes, struct probe_config, i);
		most = p->fall > most ? p->fall : most;
		most = p->rise > most ? p->rise : most;
	}
	return most;
}

uint64_t looks_answer_ms(const struct service_config *s)
{
	uint64_t longest_ms = 0;
	for (size_t i = 0; i < s->probes.count; i++) {
		const struct probe_config *p = &LIST_AT(s->probes, struct probe_config, i);
		if (p->tier == PROBE_SHALLOW && p->timeout_ms > longest_ms)
			longest_ms = p->timeout_ms;
	}
	return s->probes.count ? most_runs(s) * (longest_ms + LOOK_AGAIN_MS) : 0;
}

/* Does a last result differ from what has settled?  *ret_deep: one of a deeper tier does. */
static bool is_undecided(struct watched *w, bool *ret_deep)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(LOOK_ARENA);
	struct list results = {0};
	bool any = false;
	*ret_deep = false;
	if (!arena || probe_set_results(w->k->probes, w->service->name, arena, &results, NULL) != ERR_OK)
		return false;
	for (size_t i = 0; i < results.count; i++) {
		const struct probe_result *r = &LIST_AT(results, struct probe_result, i);
		if (!r->at_ms || r->state == r->settled || r->state == PROBE_UNKNOWN)
			continue;
		any = true;
		*ret_deep = *ret_deep || r->tier != PROBE_SHALLOW;
	}
	return any;
}

static void rest(struct watched *w)
{
	w->look.running = w->look.checking = false;
	w->look.due_ms = loop_now_ms(w->k->loop) + LOOK_REST_MS;
}

void looks_replaced(struct watched *w)
{
	if (w->look.checking)
		rest(w);
}

static void on_looked(void *ctx, const struct probe_check *check)
{
	struct watched *w = ctx;
	bool deep;
	(void)check;
	observe_tell_health(w);
	if (!w->look.left || !is_undecided(w, &deep)) {
		rest(w);
		return;
	}
	w->look.left--;
	w->look.checking = false;
	w->look.deep_again = deep;
	w->look.due_ms = loop_now_ms(w->k->loop) + LOOK_AGAIN_MS;
}

static void check(struct watched *w, bool deep, uint64_t now_ms)
{
	struct err err = ERR_INIT;
	w->look.checking = true;
	w->look.due_ms = now_ms + LOOK_PATIENCE_MS;
	if (probe_set_check(w->k->probes, w->service->name, deep, on_looked, w, &err) == ERR_OK)
		return;
	log_warn("probe", "service=%s cannot be looked at now: %s", w->service->name, err.msg);
	rest(w);
}

/* While it is being changed its probes say nothing of use; the end of an order, and a check that somebody waits for,
 * tell by themselves. */
static bool is_told_anyhow(const struct watched *w)
{
	return orders_is_running(w->k->orders, w->service->name) || !id_is_zero(w->probe_order);
}

static void go_on(struct watched *w, uint64_t now_ms)
{
	if (now_ms < w->look.due_ms)
		return;
	if (w->look.checking || is_told_anyhow(w))
		rest(w);
	else
		check(w, w->look.deep_again, now_ms);
}

void looks_tick(struct keeper *k, uint64_t now_ms)
{
	size_t running = 0;
	for (size_t i = 0; i < k->watched_count; i++) {
		if (k->watched[i].look.running)
			go_on(&k->watched[i], now_ms);
		running += k->watched[i].look.running;
	}
	for (size_t i = 0; i < k->watched_count && running < LOOKS_RUNNING_MAX; i++) {
		struct watched *w = &k->watched[i];
		if (!w->look.wanted || w->look.running || now_ms < w->look.due_ms)
			continue;
		bool deep = w->look.deep;
		w->look.wanted = w->look.deep = false;
		if (is_told_anyhow(w))
			continue;
		w->look.running = true;
		w->look.left = most_runs(w->service) - 1;
		running++;
		check(w, deep, now_ms);
	}
}

void looks_on_look(struct keeper *k, const struct look *l)
{
	k->word_wanted = true; /* whoever asks learns first that somebody hears it */
	for (size_t i = 0; i < k->watched_count; i++) {
		struct watched *w = &k->watched[i];
		if (!text_equal(w->service->name, l->service) || !w->service->probes.count)
			continue;
		w->look.wanted = true;
		w->look.deep = w->look.deep || l->deep;
	}
	looks_tick(k, loop_now_ms(k->loop));
}
