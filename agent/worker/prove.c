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
	const struct list *before;
	enum work_proof verdict;
	bool done;
	char *text;
};

/* ---- judging ---- */

static bool is_good(uint32_t state)
{
	return state == PROBE_OK || state == PROBE_WARNING;
}

/* As it stood before; NULL: it was not asked then. */
static const struct probe_result *before_of(const struct list *before, const struct probe_result *now)
{
	for (size_t i = 0; i < before->count; i++)
		if (text_equal(LIST_AT(*before, struct probe_result, i).probe, now->probe))
			return &LIST_AT(*before, struct probe_result, i);
	return NULL;
}

static bool had_failed(const struct list *before, const struct probe_result *now)
{
	const struct probe_result *then = before_of(before, now);
	return then && (then->settled == PROBE_CRITICAL || then->state == PROBE_CRITICAL);
}

enum work_proof work_judge(
    const struct list *before, const struct probe_result *const *now, size_t count, char text[TEXT_LINE_MAX])
{
	const struct probe_result *fails = NULL, *worse = NULL, *healed = NULL;
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		bool failed = had_failed(before, now[i]);
		if (is_good(now[i]->state))
			healed = !healed && failed ? now[i] : healed;
		else if (failed)
			fails = fails ? fails : now[i];
		else
			worse = worse ? worse : now[i];
	}
	if (!count || worse || fails) {
		const struct probe_result *r = worse ? worse : fails;
		bool better = fails && !worse && healed;
		text_format(text, TEXT_LINE_MAX, "%s%s%s%s: %.200s", better ? healed->probe : "",
		    better ? " passes again, and " : "", r ? r->probe : "no probe",
		    better ? " fails as it did before" : "", r && r->text ? r->text : "no answer");
		return better ? WORK_PROOF_BETTER : WORK_PROOF_BAD;
	}
	return WORK_PROOF_WELL;
}

/* ---- asking ---- */

static void on_checked(void *ctx, const struct probe_check *check)
{
	struct proving *p = ctx;
	p->done = true;
	p->verdict = work_judge(p->before, check->results, check->count, p->text);
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

static enum work_proof prove_once(struct loop *loop, struct probe_set *set, const char *service, bool deep,
    const struct list *before, char text[TEXT_LINE_MAX])
{
	struct proving p = {.loop = loop, .before = before, .text = text};
	struct err err = ERR_INIT;
	if (probe_set_check(set, service, deep, on_checked, &p, &err) != ERR_OK) {
		text_copy(text, TEXT_LINE_MAX, err.msg);
		return WORK_PROOF_BAD;
	}
	while (!p.done)
		if (loop_turn(loop, 1000, &err) != ERR_OK)
			return WORK_PROOF_BAD;
	return p.verdict;
}

enum work_proof work_prove(
    const struct agent_config *c, const char *service, bool deep, const struct list *before, char text[TEXT_LINE_MAX])
{
	struct loop *loop = NULL;
	struct probe_set *set = NULL;
	struct probe_set_events events = {.on_result = ignore_result};
	struct err err = ERR_INIT;
	uint64_t began = clock_mono_ms();
	enum work_proof proof = WORK_PROOF_BAD;
	if (loop_new(&loop, &err) != ERR_OK || probe_set_new(loop, c, &events, &set, &err) != ERR_OK) {
		text_copy(text, TEXT_LINE_MAX, err.msg);
		loop_free(loop);
		return WORK_PROOF_BAD;
	}
	for (unsigned i = 0; proof != WORK_PROOF_WELL && i < PROVE_TRIES && clock_mono_ms() - began < PROVE_LIMIT_MS;
	     i++) {
		for (uint64_t until = clock_mono_ms() + (i ? PROVE_WAIT_MS : 0), now; (now = clock_mono_ms()) < until;)
			if (loop_turn(loop, (int)(until - now), &err) != ERR_OK)
				break;
		proof = prove_once(loop, set, service, deep, before, text);
	}
	probe_set_free(set);
	loop_free(loop);
	return proof;
}
