/* agent/worker/prove.c: the probes of a service, run now, as a proof. */
#include "agent/io/loop.h"
#include "agent/probe/set.h"
#include "agent/worker/work.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum {
	PROVE_TRIES = 20, /* a service that has just started may need a moment */
	PROVE_WAIT_MS = 250,
	PROVE_LIMIT_MS = 60 * 1000,
};

struct proving {
	struct loop *loop;
	bool done, ok;
	char *text;
};

static void on_checked(void *ctx, const struct probe_check *check)
{
	struct proving *p = ctx;
	p->done = true;
	p->ok = check->all_ok;
	for (size_t i = 0; i < check->count && !p->ok; i++)
		if (check->results[i]->state != PROBE_OK && check->results[i]->state != PROBE_WARNING) {
			text_format(p->text, TEXT_LINE_MAX, "%s: %.200s", check->results[i]->probe,
			    check->results[i]->text ? check->results[i]->text : "no answer");
			break;
		}
	loop_stop(p->loop);
}

static void ignore_result(
    void *ctx, const struct service_config *service, const struct probe_result *result, bool changed)
{
	(void)ctx;
	(void)service;
	(void)result;
	(void)changed;
}

static bool prove_once(
    struct loop *loop, struct probe_set *set, const char *service, bool deep, char text[TEXT_LINE_MAX])
{
	struct proving p = {.loop = loop, .text = text};
	struct err err = ERR_INIT;
	if (probe_set_check(set, service, deep, on_checked, &p, &err) != ERR_OK) {
		text_copy(text, TEXT_LINE_MAX, err.msg);
		return false;
	}
	while (!p.done)
		if (loop_turn(loop, 1000, &err) != ERR_OK)
			return false;
	return p.ok;
}

bool work_prove(const struct agent_config *c, const char *service, bool deep, char text[TEXT_LINE_MAX])
{
	struct loop *loop = NULL;
	struct probe_set *set = NULL;
	struct probe_set_events events = {.on_result = ignore_result};
	struct err err = ERR_INIT;
	uint64_t began = clock_mono_ms();
	bool ok = false;
	if (loop_new(&loop, &err) != ERR_OK || probe_set_new(loop, c, &events, &set, &err) != ERR_OK) {
		text_copy(text, TEXT_LINE_MAX, err.msg);
		loop_free(loop);
		return false;
	}
	for (unsigned i = 0; !ok && i < PROVE_TRIES && clock_mono_ms() - began < PROVE_LIMIT_MS; i++) {
		for (uint64_t until = clock_mono_ms() + (i ? PROVE_WAIT_MS : 0), now; (now = clock_mono_ms()) < until;)
			if (loop_turn(loop, (int)(until - now), &err) != ERR_OK)
				break;
		ok = prove_once(loop, set, service, deep, text);
	}
	probe_set_free(set);
	loop_free(loop);
	return ok;
}
