#include "agent/probe/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/probe/run_internal.h"
#include "shared/base/text.h"

uint64_t probe_timeout_ms(const struct probe_config *c)
{
	return c->timeout_ms ? c->timeout_ms : PROBE_TIMEOUT_DEFAULT_MS;
}

static run_begin_fn kind_of(const struct probe_config *c)
{
	const struct {
		bool is;
		run_begin_fn begin;
	} kinds[] = {
	    {c->http, run_http},
	    {c->tcp, run_tcp},
	    {c->tls, run_tls},
	    {c->exec.count > 0, run_exec},
	    {c->process, run_process},
	    {c->disk, run_disk},
	    {c->folder, run_folder},
	    {c->cpu, run_cpu},
	    {c->memory, run_memory},
	    {c->age, run_age},
	    {c->postgres, run_postgres},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].is)
			return kinds[i].begin;
	return NULL;
}

uint64_t run_took_ms(const struct probe_run *r)
{
	return loop_now_ms(r->env->loop) - r->began_ms;
}

enum probe_state run_compare(double value, double warn, double critical)
{
	if (critical > 0 && value >= critical)
		return PROBE_CRITICAL;
	return warn > 0 && value >= warn ? PROBE_WARNING : PROBE_OK;
}

void probe_run_cancel(struct probe_run *r)
{
	if (!r)
		return;
	net_free(r->net);
	process_cancel(r->process);
	http_response_done(&r->response);
	loop_remove_timer(r->deadline);
	loop_remove_timer(r->pause);
	free(r);
}

static void judge_speed(struct probe_run *r)
{
	uint64_t slow = r->config->slow_ms ? r->config->slow_ms : PROBE_SLOW_DEFAULT_MS;
	if (!r->timed)
		return;
	outcome_metric(&r->outcome, "time", (double)r->outcome.took_ms, "ms", (double)slow, 0);
	if (r->outcome.state != PROBE_OK || r->outcome.took_ms <= slow)
		return;
	struct probe_outcome told = r->outcome;
	outcome_say(&r->outcome, PROBE_WARNING, "slow: %llu ms, expected at most %llu ms: %s",
	    (unsigned long long)told.took_ms, (unsigned long long)slow, told.text);
}

void run_finish(struct probe_run *r)
{
	if (r->finished)
		return;
	r->finished = true;
	if (!r->outcome.took_ms) /* what answered, and was looked at further, took no longer for that */
		r->outcome.took_ms = run_took_ms(r);
	judge_speed(r);
	loop_arm(r->deadline, 0);
}

static void time_out(struct probe_run *r)
{
	char after[TEXT_TIME_MAX];
	outcome_say(&r->outcome, PROBE_CRITICAL, "timed out after %s%s%s",
	    text_duration_human(probe_timeout_ms(r->config), after), r->net ? " " : "",
	    r->net ? net_stage_text(net_stage(r->net)) : "");
	r->outcome.took_ms = run_took_ms(r);
}

static void on_deadline(void *ctx)
{
	struct probe_run *r = ctx;
	if (!r->finished)
		time_out(r);
	void (*done)(void *, const struct probe_outcome *) = r->done;
	void *done_ctx = r->ctx;
	struct probe_outcome outcome = r->outcome;
	probe_run_cancel(r);
	done(done_ctx, &outcome);
}

enum err_code probe_run_start(const struct probe_env *env, const struct probe_config *config,
    struct probe_memory *memory, void (*done)(void *ctx, const struct probe_outcome *outcome), void *ctx,
    struct probe_run **ret, struct err *reterr)
{
	struct probe_run *r = calloc(1, sizeof *r);
	struct err problem = ERR_INIT;
	if (!r)
		return err_set(reterr, ERR_NOMEM, "no memory for a probe");
	*r = (struct probe_run){.env = env, .config = config, .memory = memory, .done = done, .ctx = ctx};
	r->began_ms = loop_now_ms(env->loop);
	http_response_init(&r->response);
	enum err_code rc = loop_add_timer(env->loop, on_deadline, r, &r->deadline, reterr);
	if (rc != ERR_OK) {
		probe_run_cancel(r);
		return rc;
	}
	run_begin_fn begin = kind_of(config);
	loop_arm(r->deadline, r->began_ms + probe_timeout_ms(config));
	rc = begin ? begin(r, &problem) : err_set(&problem, ERR_INVALID, "the probe names nothing to look at");
	if (rc != ERR_OK) {
		bool broken = config->exec.count && run_is_broken(&problem);
		outcome_say(&r->outcome, broken ? run_unable(r) : PROBE_UNKNOWN, "cannot probe: %s", problem.msg);
		run_finish(r);
	}
	*ret = r;
	return ERR_OK;
}
