/* agent/link/session.c: attempts, states, time, and what the keeper says. */
#include "agent/link/session_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"

enum { DECLARED_ARENA = 2 << 20, REQUEST_ROOM = PEM_MAX + 1 };

enum err_code session_new(
    const struct session_config *config, const struct session_io *io, struct session **ret, struct err *reterr)
{
	struct session *s = calloc(1, sizeof(*s));
	if (!s || !(s->arena = arena_new(SESSION_ARENA_BYTES))) {
		free(s);
		return err_set(reterr, ERR_NOMEM, "out of memory for a session");
	}
	s->c = *config;
	s->io = *io;
	s->forget_at_ms = s->refresh_at_ms = s->drain_until_ms = UINT64_MAX;
	s->request.limit = REQUEST_ROOM;
	*ret = s;
	return ERR_OK;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	arena_free(s->arena);
	arena_free(s->declared_arena);
	buf_done(&s->out);
	buf_done(&s->request);
	free(s);
}

enum session_state session_state(const struct session *s)
{
	return s->state;
}

size_t session_in_flight(const struct session *s)
{
	return s->ring_count;
}

bool session_is_finished(const struct session *s)
{
	return s->finished;
}

/* ---- ending ---- */

void session_end(struct session *s, bool wrong, const char *why, uint64_t now_ms)
{
	if (s->state == SESSION_CLOSING)
		return;
	s->state = SESSION_CLOSING;
	s->deadline_ms = now_ms + SESSION_CLOSING_MS;
	text_copy(s->why, sizeof(s->why), why);
	s->io.close(s->io.ctx, wrong, s->why);
}

static void tell_down(struct session *s, const char *why)
{
	struct err clean = ERR_INIT; /* makes it valid UTF-8 */
	char text[TEXT_LINE_MAX];
	err_set(&clean, ERR_UNREACHABLE, "%.480s", why);
	text_copy(text, sizeof(text), clean.msg);
	if (!s->was_live && strcmp(text, s->told) == 0)
		return; /* it knows */
	struct channel_connection body = {.up = false, .text = text};
	struct channel_message m = {.type = CHANNEL_CONNECTION, .connection = &body};
	text_copy(s->told, sizeof(s->told), text);
	s->io.tell(s->io.ctx, &m);
}

/* The attempt or connection is no more. */
static void ended(struct session *s, const char *why, uint64_t now_ms)
{
	enum reconnect_why reason = s->said_bye ? reconnect_why(s->bye) : RECONNECT_FAILED;
	if (s->was_live && now_ms - s->live_since_ms >= SESSION_STABLE_MS)
		reconnect_good(&s->reconnect);
	s->dial_at_ms = now_ms;
	if (!s->planned)
		s->dial_at_ms += reconnect_delay_ms(&s->reconnect, reason, s->bye_retry_ms, s->c.random);
	tell_down(s, s->why[0] ? s->why : why);
	s->state = SESSION_WAITING;
	s->was_live = s->planned = s->said_bye = false;
	s->why[0] = '\0';
	s->bye_retry_ms = 0;
	s->refresh_at_ms = s->drain_until_ms = UINT64_MAX; /* the next connection is fresh */
	session_reset_window(s, s->acknowledged);
	s->finished = s->stopping;
}

void session_on_closed(struct session *s, const char *why, uint64_t now_ms)
{
	if (s->state != SESSION_WAITING)
		ended(s, why, now_ms);
}

static bool is_all_acknowledged(const struct session *s)
{
	struct spool_state spool;
	spool_state(s->c.spool, &spool);
	return s->acknowledged + 1 >= spool.next;
}

/* A gentle end waits for what is under way, a stop for all that is spooled. */
void session_settle(struct session *s, uint64_t now_ms)
{
	if (s->stopping && s->state == SESSION_WAITING)
		s->finished = true;
	if (s->state != SESSION_LIVE)
		return;
	if (s->stopping && (now_ms >= s->stop_at_ms || is_all_acknowledged(s))) {
		session_end(s, false, "the agent stops", now_ms);
	} else if (s->drain_until_ms != UINT64_MAX && (now_ms >= s->drain_until_ms || !s->ring_count)) {
		s->planned = true;
		session_end(s, false, "reconnecting with a new certificate, declaration or clock", now_ms);
	}
}

/* ---- beginning ---- */

static void dial(struct session *s, uint64_t now_ms)
{
	struct err err = ERR_INIT;
	s->state = SESSION_DIALLING;
	s->deadline_ms = now_ms + SESSION_DIAL_MS;
	if (s->io.dial(s->io.ctx, &err) != ERR_OK)
		ended(s, err.msg, now_ms);
}

static void say_hello(struct session *s, uint64_t now_ms)
{
	struct spool_state spool;
	spool_state(s->c.spool, &spool);
	bool empty = spool.first == spool.next;
	struct hello hello = {
	    .version = MESSAGE_VERSION,
	    .version_least = MESSAGE_VERSION_LEAST,
	    .agent_version = s->c.version,
	    .host = s->c.host,
	    .boot = s->c.boot,
	    .clock_ms = s->io.wall_ms(s->io.ctx),
	    .uptime_ms = now_ms,
	    .first_sequence = empty ? 0 : spool.first,
	    .last_sequence = empty ? 0 : spool.next - 1,
	    .epoch_seen = s->declared.epoch_seen,
	    .capabilities = s->c.capabilities,
	    .services = s->declared.services,
	    .certificate_expires_ms = s->expires_ms,
	};
	s->hello_offset_ms = hello.clock_ms - now_ms;
	s->hello_first = hello.first_sequence;
	s->hello_last = hello.last_sequence;
	if (!session_say(s, FRAME_HELLO, &hello))
		session_end(s, false, "the hello cannot be sent", now_ms);
}

enum err_code session_on_connected(struct session *s, uint64_t now_ms, struct err *reterr)
{
	if (s->state == SESSION_CLOSING) /* it was to end before it began */
		s->io.close(s->io.ctx, false, s->why);
	if (s->state != SESSION_DIALLING)
		return ERR_OK;
	s->state = SESSION_GREETING;
	s->deadline_ms = now_ms + SESSION_GREETING_MS;
	enum err_code rc = session_forget(s, reterr); /* so that hello offers only what is wanted */
	if (rc == ERR_OK)
		say_hello(s, now_ms);
	return rc;
}

enum err_code session_on_drained(struct session *s, uint64_t now_ms, struct err *reterr)
{
	s->choked = false;
	return session_pump(s, now_ms, reterr);
}

/* ---- the keeper ---- */

static enum err_code check_tokens(
    const struct session *s, const struct session_report *reports, size_t count, struct err *reterr)
{
	uint64_t last = s->last_token;
	for (size_t i = 0; i < count; last = reports[i++].token)
		if (reports[i].token <= last)
			return err_set(reterr, ERR_INVALID, "the keeper's tokens do not grow: %llu after %llu",
			    (unsigned long long)reports[i].token, (unsigned long long)last);
	return ERR_OK;
}

static void tell_spooled(struct session *s, uint64_t token)
{
	struct channel_spooled body = {token};
	struct channel_message m = {.type = CHANNEL_SPOOLED, .spooled = &body};
	s->io.tell(s->io.ctx, &m);
}

static void refresh_at(struct session *s, uint64_t at_ms)
{
	if (s->state != SESSION_WAITING && s->state != SESSION_CLOSING && at_ms < s->refresh_at_ms)
		s->refresh_at_ms = at_ms;
}

/* Times in reports are read by the clock of the hello: one that was set since makes them lie, so another hello says the
 * new one. */
static void watch_clock(struct session *s, uint64_t now_ms)
{
	uint64_t step = s->io.wall_ms(s->io.ctx) - now_ms - s->hello_offset_ms;
	if (s->state == SESSION_LIVE && step > SESSION_CLOCK_STEP_MS && -step > SESSION_CLOCK_STEP_MS)
		refresh_at(s, now_ms);
}

enum err_code session_on_reports(
    struct session *s, const struct session_report *reports, size_t count, uint64_t now_ms, struct err *reterr)
{
	const struct report *fresh[SPOOL_BATCH_MAX];
	struct spool_state spool;
	size_t n = 0;
	assert(count <= SPOOL_BATCH_MAX);
	enum err_code rc = check_tokens(s, reports, count, reterr);
	if (rc != ERR_OK || !count)
		return rc;
	spool_state(s->c.spool, &spool);
	bool same_run = id_equal(spool.mark.run, s->c.boot);
	for (size_t i = 0; i < count; i++) /* some may be durable since before this process began */
		if (!same_run || reports[i].token > spool.mark.token)
			fresh[n++] = reports[i].report;
	struct spool_mark mark = {s->c.boot, reports[count - 1].token};
	if (n && (rc = spool_append(s->c.spool, fresh, n, &mark, reterr)) != ERR_OK)
		return rc;
	s->last_token = reports[count - 1].token;
	for (size_t i = 0; i < count; i++)
		tell_spooled(s, reports[i].token);
	watch_clock(s, now_ms);
	return session_pump(s, now_ms, reterr);
}

void session_on_progress(struct session *s, const struct progress *p)
{
	if (s->state == SESSION_LIVE && !s->choked)
		(void)session_say(s, FRAME_PROGRESS, p); /* now or never */
}

enum err_code session_on_certificate_request(struct session *s, const struct certificate_request *r, struct err *reterr)
{
	buf_clear(&s->request);
	buf_text(&s->request, r->csr);
	if (s->request.failed) {
		buf_clear(&s->request);
		return err_set(reterr, ERR_NOMEM, "out of memory for a certificate request");
	}
	if (s->state == SESSION_LIVE)
		(void)session_say(s, FRAME_CERTIFICATE_REQUEST, r);
	return ERR_OK;
}

void session_on_identity(struct session *s, uint64_t expires_ms, uint64_t now_ms)
{
	bool first = !s->has_identity;
	s->has_identity = true;
	s->expires_ms = expires_ms;
	if (s->state == SESSION_WAITING && s->dial_at_ms > now_ms + RECONNECT_CAP_MS)
		s->dial_at_ms = now_ms; /* what kept us away may be over */
	if (!first)
		refresh_at(s, now_ms + random_below(s->c.random, SESSION_RENEW_SPREAD_MS));
}

static bool same_services(const struct list *a, const struct list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!record_equal(&declared_service_type, &LIST_AT(*a, struct declared_service, i),
			&LIST_AT(*b, struct declared_service, i)))
			return false;
	return true;
}

enum err_code session_on_declare(
    struct session *s, const struct channel_declare *d, uint64_t now_ms, struct err *reterr)
{
	struct arena *arena = arena_new(DECLARED_ARENA);
	struct declared_service *services = arena ? arena_array(arena, d->services.count + 1, sizeof(*services)) : NULL;
	enum err_code rc = services ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a declaration");
	for (size_t i = 0; rc == ERR_OK && i < d->services.count; i++)
		rc = record_copy(&declared_service_type, &LIST_AT(d->services, struct declared_service, i), arena,
		    &services[i], reterr);
	if (rc != ERR_OK) {
		arena_free(arena);
		return rc;
	}
	bool same = same_services(&s->declared.services, &d->services);
	arena_free(s->declared_arena);
	s->declared_arena = arena;
	s->declared = (struct channel_declare){{services, d->services.count}, d->epoch_seen};
	if (s->has_declaration && !same) /* the epoch alone can wait for the next hello: this controller gave it */
		refresh_at(s, now_ms + SESSION_REDECLARE_MS);
	s->has_declaration = true;
	return ERR_OK;
}

void session_on_stop(struct session *s, uint64_t within_ms, uint64_t now_ms)
{
	s->stopping = true;
	s->stop_at_ms = now_ms + within_ms;
	if (s->state == SESSION_DIALLING || s->state == SESSION_GREETING)
		session_end(s, false, "the agent stops", now_ms);
	session_settle(s, now_ms);
}

/* ---- time ---- */

static enum err_code live_tick(struct session *s, uint64_t now_ms, struct err *reterr)
{
	enum err_code rc = now_ms >= s->forget_at_ms ? session_forget(s, reterr) : ERR_OK;
	if (s->ring_count && now_ms - s->moved_ms >= SESSION_ACK_MS)
		session_end(s, false, "nothing was acknowledged for long", now_ms);
	if (now_ms >= s->refresh_at_ms) {
		s->refresh_at_ms = UINT64_MAX;
		s->drain_until_ms = now_ms + SESSION_DRAIN_MS;
	}
	return rc;
}

enum err_code session_on_tick(struct session *s, uint64_t now_ms, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	switch (s->state) {
	case SESSION_WAITING:
		if (s->has_identity && s->has_declaration && !s->stopping && now_ms >= s->dial_at_ms)
			dial(s, now_ms);
		break;
	case SESSION_GREETING:
		if (now_ms >= s->deadline_ms)
			session_end(s, false, "the controller does not answer the hello", now_ms);
		break;
	case SESSION_DIALLING:
	case SESSION_CLOSING:
		if (now_ms < s->deadline_ms)
			break;
		s->io.abandon(s->io.ctx);
		ended(s, "the attempt did not end by itself", now_ms);
		break;
	case SESSION_LIVE:
		rc = live_tick(s, now_ms, reterr);
		break;
	case SESSION_STATE_COUNT:
		break;
	}
	if (s->stopping && now_ms >= s->stop_at_ms)
		s->finished = true; /* it has had its time */
	session_settle(s, now_ms);
	return rc;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t session_due_ms(const struct session *s)
{
	uint64_t due = s->stopping ? s->stop_at_ms : UINT64_MAX;
	switch (s->state) {
	case SESSION_WAITING:
		return s->has_identity && s->has_declaration && !s->stopping ? earlier(due, s->dial_at_ms) : due;
	case SESSION_DIALLING:
	case SESSION_GREETING:
	case SESSION_CLOSING:
		return earlier(due, s->deadline_ms);
	case SESSION_LIVE:
		due = earlier(due, earlier(s->forget_at_ms, earlier(s->refresh_at_ms, s->drain_until_ms)));
		return s->ring_count ? earlier(due, s->moved_ms + SESSION_ACK_MS) : due;
	case SESSION_STATE_COUNT:
		break;
	}
	return due;
}
