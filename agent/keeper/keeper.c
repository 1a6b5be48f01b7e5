/* agent/keeper/keeper.c: the keeper's life. */
#include "agent/keeper/keeper.h"

#include <signal.h>
#include <unistd.h>

#include "agent/keeper/internal.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/notify.h"
#include "shared/base/text.h"

enum { TICK_MS = 250 };

/* ---- outgoing ---- */

static enum err_code on_send(void *ctx, uint64_t token, const struct report *r)
{
	struct channel_message m = {.type = CHANNEL_REPORT, .token = token, .report = r};
	return guard_send(ctx, &m);
}

static void on_spooled(void *ctx, const struct report *r)
{
	struct keeper *k = ctx;
	if (r->order && r->order->outcome != ORDER_OPEN)
		orders_on_told(k->orders, r->order->order);
	byhand_on_spooled(k, r);
}

/* ---- the tick ---- */

static void on_tick(void *ctx)
{
	struct keeper *k = ctx;
	uint64_t now_ms = loop_now_ms(k->loop);
	guard_tick(k, now_ms);
	observe_tick(k, now_ms);
	copies_tick(k, now_ms);
	orders_on_tick(k->orders);
	host_tick(k, now_ms);
	loop_arm(k->tick, now_ms + TICK_MS);
	if (k->stopping && (!orders_running(k->orders) || now_ms >= k->stop_at_ms))
		loop_stop(k->loop);
}

/* SIGTERM: nothing new begins; a rollback that has begun gets time to end.  What is then still at work is killed: its
 * journal brings it to an end when the keeper starts again. */
static void on_signal(void *ctx, int signo)
{
	struct keeper *k = ctx;
	if (k->stopping)
		return;
	k->stopping = true;
	k->stop_at_ms = loop_now_ms(k->loop) + KEEPER_STOP_MS;
	log_info("keeper", "signal %d: stopping%s", signo,
	    orders_running(k->orders) ? ", once what has begun has ended" : "");
	(void)notify_systemd("STOPPING=1");
	if (!orders_running(k->orders))
		loop_stop(k->loop);
}

/* ---- start and stop ---- */

static enum err_code take_state(struct keeper *k, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = file_make_dirs(k->c->state_directory, 0711, reterr);
	if (rc != ERR_OK)
		return rc;
	if (!text_format(path, sizeof path, "%s/agent.lock", k->c->state_directory))
		return err_set(reterr, ERR_LIMIT, "state_directory is too long a path");
	return err_prefix(reterr, file_lock(path, &k->lock, reterr), "another agent has %s", k->c->state_directory);
}

static enum err_code begin(struct keeper *k, struct err *reterr)
{
	struct outgoing_io io = {k, on_send, on_spooled};
	struct loop_signal *term, *intr;
	enum err_code rc = loop_new(&k->loop, reterr);
	if (rc == ERR_OK)
		rc = loop_add_signal(k->loop, SIGTERM, on_signal, k, &term, reterr);
	if (rc == ERR_OK)
		rc = loop_add_signal(k->loop, SIGINT, on_signal, k, &intr, reterr);
	if (rc == ERR_OK)
		rc = loop_add_timer(k->loop, on_tick, k, &k->tick, reterr);
	if (rc == ERR_OK && k->c->controller) {
		rc = identity_open(k->c, &k->identity, reterr);
		if (rc == ERR_OK && !(k->outgoing = outgoing_new(&io)))
			rc = err_set(reterr, ERR_NOMEM, "out of memory");
	}
	if (rc == ERR_OK)
		rc = obey_new(k, reterr);
	if (rc == ERR_OK)
		rc = observe_new(k, reterr);
	if (rc == ERR_OK && k->identity)
		rc = guard_start(k, reterr);
	return rc;
}

/* The loop still turns while the link hands over what it has: what is gone by then is not asked any more. */
static void end(struct keeper *k)
{
	if (k->tick)
		loop_arm(k->tick, UINT64_MAX);
	k->stopping = true;
	if (k->loop)
		observe_free(k); /* the last of the logs */
	if (k->loop && k->channel)
		guard_stop(k);
	obey_free(k);
	outgoing_free(k->outgoing);
	identity_free(k->identity);
	loop_free(k->loop);
	arena_free(k->arena);
	if (k->link_program >= 0)
		close(k->link_program);
	if (k->lock >= 0)
		close(k->lock);
}

enum err_code keeper_run(const struct agent_config *c, struct err *reterr)
{
	struct keeper k = {
	    .c = c, .lock = -1, .link_program = -1, .heartbeat_ms = KEEPER_HEARTBEAT_MS, .arena = arena_new(0)};
	struct random random;
	random_init_system(&random);
	k.boot = id_new(clock_wall_ms(), &random);
	signal(SIGPIPE, SIG_IGN);
	enum err_code rc = k.arena ? take_state(&k, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = begin(&k, reterr);
	if (rc == ERR_OK) {
		orders_resume(k.orders);
		loop_arm(k.tick, clock_mono_ms());
		log_info("keeper", "ready: host %s, %zu services%s", c->host, c->services.count,
		    c->controller ? "" : ", without a controller");
		(void)notify_systemd("READY=1");
		rc = loop_run(k.loop, reterr);
	}
	end(&k);
	if (rc == ERR_OK)
		log_info("keeper", "stopped");
	return rc;
}
