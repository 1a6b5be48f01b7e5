/* agent/link/link.c: the link process: one loop that carries messages between keeper, session and network. */
#include "agent/link/link.h"

#include <stdlib.h>
#include <string.h>

#include "agent/link/sandbox.h"
#include "agent/link/session.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/base/trim.h"
#include "shared/ws/dialer.h"

struct link {
	const struct link_options *o;
	struct random random;
	struct spool *spool;
	struct tls_trust *trust;
	struct tls_identity *identity;
	struct ws_loop *loop;
	struct ws_timer *tick, *flush, *again, *trim;
	uint64_t tick_at_ms;
	struct ws_dialer *dialer;
	struct ws_conn *conn; /* the attempt or connection that counts */
	bool open;
	struct session *session;

	struct channel *channel;
	struct ws_watch *watch;
	struct arena *arena; /* of the batch */
	struct session_report batch[SPOOL_BATCH_MAX];
	size_t batch_count;
	bool waiting; /* for room on the disk: the keeper is not read */

	bool ending;
	int status;
};

/* ---- ending ---- */

static void end(struct link *l, int status)
{
	if (!l->ending)
		l->status = status;
	l->ending = true;
	ws_loop_stop(l->loop);
}

/* A result of the session or the spool after which only a new process can go on. */
static void fail(struct link *l, const struct err *err)
{
	if (!l->ending)
		log_error("link", "%s", err->msg);
	end(l, 1);
}

/* After whatever may have moved the session: its next tick, its end. */
static void settle(struct link *l)
{
	if (session_is_finished(l->session))
		end(l, 0);
	uint64_t due = session_due_ms(l->session), now = clock_mono_ms();
	if (due == l->tick_at_ms)
		return;
	l->tick_at_ms = due;
	if (due == UINT64_MAX)
		ws_timer_stop(l->tick);
	else
		ws_timer_set(l->tick, due > now ? due - now : 0);
}

static void check(struct link *l, enum err_code rc, const struct err *err)
{
	if (rc != ERR_OK)
		fail(l, err);
	settle(l);
}

static void on_tick(void *user)
{
	struct link *l = user;
	struct err err = ERR_INIT;
	l->tick_at_ms = UINT64_MAX;
	check(l, session_on_tick(l->session, clock_mono_ms(), &err), &err);
}

/* Some seconds after a connection was made or lost. */
static void on_trim(void *user)
{
	(void)user;
	trim_memory();
}

/* ---- the network ---- */

static void on_open(void *user, struct ws_conn *conn)
{
	struct link *l = user;
	struct err err = ERR_INIT;
	if (conn != l->conn)
		return;
	l->open = true;
	ws_timer_set(l->trim, LINK_TRIM_MS);
	log_debug("link", "connected to %s", ws_address(conn));
	check(l, session_on_connected(l->session, clock_mono_ms(), &err), &err);
}

static void on_message(void *user, struct ws_conn *conn, struct bytes message)
{
	struct link *l = user;
	struct err err = ERR_INIT;
	if (conn == l->conn)
		check(l, session_on_frame(l->session, message, clock_mono_ms(), &err), &err);
}

static void on_drained(void *user, struct ws_conn *conn)
{
	struct link *l = user;
	struct err err = ERR_INIT;
	if (conn == l->conn)
		check(l, session_on_drained(l->session, clock_mono_ms(), &err), &err);
}

static void on_ended(void *user, struct ws_conn *conn, const struct ws_ended *ended)
{
	struct link *l = user;
	char why[TEXT_LINE_MAX];
	if (conn != l->conn)
		return;
	l->conn = NULL;
	l->open = false;
	text_format(why, sizeof(why), "%s%s%s%s%.255s", ws_end_text(ended->end), ended->verdict ? ": " : "",
	    ended->verdict ? tls_verdict_text(ended->verdict) : "", ended->detail[0] ? ": " : "", ended->detail);
	session_on_closed(l->session, why, clock_mono_ms());
	ws_timer_set(l->trim, LINK_TRIM_MS);
	settle(l);
}

static enum err_code make_dialer(struct link *l, struct err *reterr)
{
	struct ws_dialer_config config = {
	    .identity = l->identity,
	    .trust = l->trust,
	    .domain = l->o->domain,
	    .controller = l->o->controller,
	    .subprotocol = MESSAGE_SUBPROTOCOL,
	    .outbox_limit_bytes = LINK_OUTBOX_BYTES,
	    .user = l,
	    .on_open = on_open,
	    .on_message = on_message,
	    .on_drained = on_drained,
	    .on_ended = on_ended,
	};
	return ws_dialer_new(l->loop, &config, &l->dialer, reterr);
}

/* ---- what the session asks for ---- */

static uint64_t io_wall(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static enum err_code io_dial(void *ctx, struct err *reterr)
{
	struct link *l = ctx;
	enum err_code rc = l->dialer ? ERR_OK : make_dialer(l, reterr);
	return rc == ERR_OK ? ws_connect(l->dialer, l->o->url, l, &l->conn, reterr) : rc;
}

static enum err_code io_send(void *ctx, struct bytes frame, struct err *reterr)
{
	struct link *l = ctx;
	if (!l->open)
		return err_set(reterr, ERR_STATE, "no connection is open");
	return ws_send(l->conn, frame.data, frame.size, reterr);
}

static void io_close(void *ctx, bool wrong, const char *reason)
{
	struct link *l = ctx;
	if (wrong)
		log_warn("link", "the controller broke the protocol: %s", reason);
	if (l->open) /* an attempt ends by itself, or is closed when it succeeds */
		ws_close(l->conn, wrong ? WS_CODE_PROTOCOL : WS_CODE_NORMAL, reason);
}

static void io_abandon(void *ctx)
{
	struct link *l = ctx;
	log_warn("link", "a connection did not end by itself and is cut");
	l->conn = NULL;
	l->open = false;
	ws_dialer_free(l->dialer);
	l->dialer = NULL;
}

static void flush_channel(void *user)
{
	struct link *l = user;
	if (channel_flush(l->channel, NULL) == ERR_OK && channel_wants_write(l->channel))
		ws_timer_set(l->flush, LINK_FLUSH_MS);
}

static void io_tell(void *ctx, const struct channel_message *m)
{
	struct link *l = ctx;
	struct err err = ERR_INIT;
	enum err_code rc = channel_send(l->channel, m, &err);
	if (rc != ERR_OK && rc != ERR_UNREACHABLE) /* gone: what it said last is read before we go, too */
		fail(l, &err);
	if (rc == ERR_OK && channel_wants_write(l->channel))
		ws_timer_set(l->flush, LINK_FLUSH_MS);
}

/* ---- the keeper ---- */

static void take_identity(struct link *l, const struct channel_identity *i)
{
	struct tls_identity *identity;
	struct err err = ERR_INIT;
	enum err_code rc = tls_identity_from_pem(i->chain, strlen(i->chain), i->key.data, i->key.size, &identity, &err);
	explicit_bzero((void *)(uintptr_t)i->key.data, i->key.size); /* it lives in our arena */
	if (rc != ERR_OK) {
		log_error("link", "the keeper's certificate cannot be used: %s", err.msg);
		return;
	}
	tls_identity_free(l->identity);
	l->identity = identity;
	if (l->dialer)
		ws_dialer_set_identity(l->dialer, identity);
	session_on_identity(l->session, tls_identity_peer(identity)->not_after_ms, clock_mono_ms());
}

static enum err_code take(struct link *l, const struct channel_message *m, struct err *reterr)
{
	switch ((enum channel_type)m->type) {
	case CHANNEL_REPORT:
		l->batch[l->batch_count++] = (struct session_report){m->token, m->report};
		return ERR_OK;
	case CHANNEL_PROGRESS:
		session_on_progress(l->session, m->progress);
		return ERR_OK;
	case CHANNEL_REQUEST_CERTIFICATE:
		return session_on_certificate_request(l->session, m->certificate_request, reterr);
	case CHANNEL_IDENTITY:
		take_identity(l, m->identity);
		return ERR_OK;
	case CHANNEL_DECLARE:
		return session_on_declare(l->session, m->declare, clock_mono_ms(), reterr);
	case CHANNEL_STOP:
		session_on_stop(l->session, m->stop->within_ms, clock_mono_ms());
		return ERR_OK;
	default: /* channel_receive lets nothing else through */
		return ERR_OK;
	}
}

/* One sync for all of them.  A full disk: they wait here, and the keeper with them. */
static enum err_code store_batch(struct link *l, struct err *reterr)
{
	enum err_code rc = session_on_reports(l->session, l->batch, l->batch_count, clock_mono_ms(), reterr);
	if (rc == ERR_FULL) {
		if (!l->waiting)
			log_error("link", "%s", reterr->msg);
		l->waiting = true;
		ws_watch_free(l->watch);
		l->watch = NULL;
		ws_timer_set(l->again, LINK_FULL_MS);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	if (l->waiting)
		log_info("link", "reports can be stored again");
	l->waiting = false;
	l->batch_count = 0;
	arena_reset(l->arena);
	return ERR_OK;
}

static bool is_batch_full(const struct link *l)
{
	return l->batch_count == SPOOL_BATCH_MAX || arena_used(l->arena) >= LINK_BATCH_BYTES;
}

/* What the keeper has said, until there is no more or others should have their turn. */
static enum err_code read_keeper(struct link *l, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	bool found = true;
	for (int i = 0; rc == ERR_OK && found && !l->waiting && !l->ending && i < LINK_TURN_MAX; i++) {
		struct channel_message m;
		rc = channel_receive(l->channel, l->arena, &m, &found, reterr);
		if (rc == ERR_OK && found)
			rc = take(l, &m, reterr);
		if (rc == ERR_OK && is_batch_full(l))
			rc = store_batch(l, reterr);
	}
	if (rc != ERR_OK && rc != ERR_UNREACHABLE)
		return rc;
	/* The last words of a keeper that has gone are worth storing too. */
	struct err full = ERR_INIT;
	enum err_code stored = l->waiting ? ERR_OK : store_batch(l, &full);
	if (stored != ERR_OK) {
		*reterr = full;
		return stored;
	}
	if (rc == ERR_OK && found && !l->waiting)
		ws_timer_set(l->again, 0);
	return rc;
}

static void on_channel(void *user)
{
	struct link *l = user;
	struct err err = ERR_INIT;
	if (l->ending)
		return;
	enum err_code rc = read_keeper(l, &err);
	if (rc == ERR_UNREACHABLE) {
		log_info("link", "the keeper has gone");
		end(l, 0);
		return;
	}
	check(l, rc, &err);
}

/* Time to go on: after many messages, or with what found no room. */
static void on_again(void *user)
{
	struct link *l = user;
	struct err err = ERR_INIT;
	enum err_code rc = l->waiting ? store_batch(l, &err) : ERR_OK;
	if (rc == ERR_OK && !l->waiting && !l->watch)
		rc = ws_watch_new(l->loop, channel_fd(l->channel), on_channel, l, &l->watch, &err);
	if (rc != ERR_OK)
		fail(l, &err);
	else if (!l->waiting)
		on_channel(l);
	settle(l);
}

/* ---- begin and end ---- */

static enum err_code open_session(struct link *l, struct err *reterr)
{
	static const char *capabilities[] = {CAPABILITY_LOOK};
	struct session_config config = {.host = l->o->host,
	    .version = KEDGE_VERSION,
	    .boot = l->o->boot,
	    .spool = l->spool,
	    .random = &l->random,
	    .capabilities = {capabilities, sizeof capabilities / sizeof capabilities[0]}};
	struct session_io io = {l, io_wall, io_dial, io_send, io_close, io_abandon, io_tell};
	if (id_is_zero(config.boot))
		config.boot = id_new(clock_wall_ms(), &l->random);
	return session_new(&config, &io, &l->session, reterr);
}

static enum err_code open_loop(struct link *l, struct err *reterr)
{
	struct ws_loop_config config = {.user = l};
	enum err_code rc = ws_loop_new(&config, &l->loop, reterr);
	if (rc != ERR_OK)
		return rc;
	l->tick = ws_timer_new(l->loop, on_tick, l);
	l->flush = ws_timer_new(l->loop, flush_channel, l);
	l->again = ws_timer_new(l->loop, on_again, l);
	l->trim = ws_timer_new(l->loop, on_trim, l);
	l->arena = arena_new(SESSION_ARENA_BYTES);
	if (!l->tick || !l->flush || !l->again || !l->trim || !l->arena)
		return err_set(reterr, ERR_NOMEM, "out of memory for the link");
	return ws_watch_new(l->loop, channel_fd(l->channel), on_channel, l, &l->watch, reterr);
}

/* What needs the keeper's rights comes first. */
static enum err_code begin(struct link *l, int fd, struct err *reterr)
{
	enum err_code rc = sandbox_prepare(fd, reterr);
	if (rc == ERR_OK)
		rc = channel_new(fd, CHANNEL_LINK, &l->channel, reterr);
	if (rc == ERR_OK)
		rc = tls_trust_load(l->o->authority, &l->trust, reterr);
	if (rc == ERR_OK)
		rc = spool_open(l->o->spool, l->o->spool_limit_bytes, &l->spool, reterr);
	if (rc == ERR_OK)
		rc = open_session(l, reterr);
	if (rc == ERR_OK)
		rc = open_loop(l, reterr);
	if (rc == ERR_OK && l->o->drop_privileges)
		rc = sandbox_become(l->o->uid, l->o->gid, reterr);
	return rc == ERR_OK ? sandbox_enter(l->o->debug, reterr) : rc;
}

static void release(struct link *l)
{
	session_free(l->session);
	ws_dialer_free(l->dialer);
	ws_loop_free(l->loop);
	spool_close(l->spool);
	channel_free(l->channel);
	tls_identity_free(l->identity);
	tls_trust_free(l->trust);
	arena_free(l->arena);
}

int link_main(int channel_fd, const struct link_options *options)
{
	struct link *l = calloc(1, sizeof(*l));
	struct err err = ERR_INIT;
	if (!l)
		return 1;
	l->o = options;
	l->tick_at_ms = UINT64_MAX;
	random_init_system(&l->random);
	enum err_code rc = begin(l, channel_fd, &err);
	if (rc == ERR_OK)
		rc = ws_loop_run(l->loop, &err);
	if (rc != ERR_OK)
		log_error("link", "%s", err.msg);
	int status = rc == ERR_OK ? l->status : 1;
	l->conn = NULL; /* what ends from here on is nobody's business */
	release(l);
	free(l);
	return status;
}
