/* controller/gate/gate.c: sessions of agents. */
#include "controller/gate/gate.h"

#include <stdlib.h>
#include <string.h>

#include "controller/center/refusals.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/map.h"
#include "shared/base/text.h"
#include "shared/redact/leaving.h"

struct session {
	struct session *next, *prev;
	struct gate *gate;
	struct ws_conn *conn;
	char host[TLS_NAME_MAX];
	struct id boot;                    /* zero: no hello yet */
	uint64_t since_ms;                 /* monotonic */
	struct input *held[GATE_HELD_MAX]; /* wait for room in the center's queue, in order */
	size_t held_count;
	bool welcomed; /* its welcome is on the way, and nothing went before it */
	bool closing;
};

struct gate {
	struct gate_config c;
	struct ws_loop *loop;
	struct ws_listener *listener;
	struct ws_timer *sweep;
	struct session *sessions; /* newest first */
	struct map *by_host;      /* host name -> the session that said hello last */
	struct input **gone;      /* ends that the center had no room for */
	size_t gone_count;
	bool congested;
	struct refusals refusals;
	struct buf out;
};

/* ---- inputs ---- */

static struct input *input_for(const struct session *s, enum input_kind kind)
{
	struct input *in = input_new(kind, GATE_INPUT_ARENA);
	if (!in)
		return NULL;
	in->host = arena_strdup(in->arena, s->host);
	in->boot = s->boot;
	in->received_ms = clock_wall_ms();
	in->weight_bytes = 512;
	if (in->host)
		return in;
	input_free(in);
	return NULL;
}

static void set_congested(struct gate *g, bool congested)
{
	if (g->congested == congested)
		return;
	g->congested = congested;
	for (struct session *s = g->sessions; s; s = s->next) {
		if (congested)
			ws_pause(s->conn);
		else if (!s->held_count)
			ws_resume(s->conn);
	}
}

/* True when the center (or this session, until there is room) has taken it. */
static bool give(struct session *s, struct input *in)
{
	struct gate *g = s->gate;
	bool congested = false;
	struct err err = ERR_INIT;
	enum err_code rc = s->held_count ? ERR_FULL : g->c.submit(g->c.ctx, in, &congested, &err);
	if (rc == ERR_FULL && s->held_count < GATE_HELD_MAX) {
		s->held[s->held_count++] = in;
		congested = true;
		rc = ERR_OK;
	}
	if (congested)
		set_congested(g, true);
	if (rc != ERR_OK)
		input_free(in);
	return rc == ERR_OK;
}

static void tell_refused(struct gate *g, const char *host, const char *text)
{
	if (!refusals_take(&g->refusals, clock_mono_ms(), "gate"))
		return;
	struct input *in = input_new(INPUT_REFUSED, 64 << 10);
	bool congested;
	if (!in)
		return;
	in->host = host ? arena_strdup(in->arena, host) : NULL;
	in->text = arena_strdup(in->arena, text);
	in->weight_bytes = 256;
	if (g->c.submit(g->c.ctx, in, &congested, NULL) != ERR_OK)
		input_free(in);
}

/* ---- ending ---- */

static void bye(struct session *s, enum bye_reason why, const char *text, uint64_t retry_ms)
{
	struct bye b = {why, text, retry_ms};
	if (s->closing)
		return;
	s->closing = true;
	buf_clear(&s->gate->out);
	if (message_encode(FRAME_BYE, &b, &s->gate->out, NULL) == ERR_OK &&
	    ws_send(s->conn, s->gate->out.data, s->gate->out.size, NULL) != ERR_OK)
		log_debug("gate", "host=%s goodbye could not be queued", s->host);
	ws_close(s->conn, why == BYE_SHUTDOWN ? WS_CODE_GOING_AWAY : WS_CODE_POLICY, enum_name(&bye_reason_enum, why));
}

/* A peer that broke the protocol: said, logged, audited. */
static void violation(struct session *s, enum bye_reason why, const char *text)
{
	log_warn("gate", "host=%s address=%s closed: %s: %s", s->host, ws_address(s->conn),
	    enum_name(&bye_reason_enum, why), text);
	char line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "%s from %s: %s", enum_name(&bye_reason_enum, why), ws_address(s->conn), text);
	tell_refused(s->gate, s->host, line);
	bye(s, why, text, 0);
}

/* ---- frames ---- */

static enum input_kind kind_of(enum frame_type type)
{
	switch (type) {
	case FRAME_HELLO:
		return INPUT_HELLO;
	case FRAME_PROGRESS:
		return INPUT_PROGRESS;
	case FRAME_CERTIFICATE_REQUEST:
		return INPUT_CERTIFICATE_REQUEST;
	default:
		return INPUT_REPORT;
	}
}

/* Another connection of the same run of the agent: the older one is dead and has not noticed. */
static void replace_older(struct session *s)
{
	for (struct session *o = s->gate->sessions; o; o = o->next)
		if (o != s && !o->closing && id_equal(o->boot, s->boot) && text_equal(o->host, s->host)) {
			o->closing = true;
			o->boot = (struct id){0}; /* its end says nothing about the host */
			ws_close(o->conn, WS_CODE_NORMAL, "replaced");
		}
}

static bool greet(struct session *s, const struct frame *frame)
{
	if (id_is_zero(s->boot) != (frame->type == FRAME_HELLO)) {
		violation(s, BYE_MALFORMED, id_is_zero(s->boot) ? "the first frame is not a hello" : "a second hello");
		return false;
	}
	if (frame->type != FRAME_HELLO)
		return true;
	if (!text_equal(frame->hello->host, s->host)) {
		violation(s, BYE_WRONG_IDENTITY, "the hello names another host than the certificate");
		return false;
	}
	s->boot = frame->hello->boot;
	replace_older(s);
	if (map_put(s->gate->by_host, s->host, strlen(s->host), s))
		return true;
	bye(s, BYE_OVERLOAD, "out of memory", 0);
	return false;
}

static void on_message(void *user, struct ws_conn *conn, struct bytes message)
{
	(void)user;
	struct session *s = ws_user(conn);
	if (!s || s->closing)
		return;
	struct input *in = input_for(s, INPUT_REPORT);
	struct frame *frame = in ? arena_alloc(in->arena, sizeof *frame) : NULL;
	struct err err = ERR_INIT;
	enum bye_reason why = BYE_OVERLOAD;
	if (!frame) {
		input_free(in);
		bye(s, BYE_OVERLOAD, "out of memory", 0);
		return;
	}
	if (message_decode(SIDE_AGENT, message.data, message.size, in->arena, frame, &why, &err) != ERR_OK) {
		violation(s, why, err.msg);
		input_free(in);
		return;
	}
	if (!greet(s, frame)) {
		input_free(in);
		return;
	}
	if (redact_leaving_record(&frame_type_record, frame, in->arena, &err) != ERR_OK) {
		input_free(in);
		bye(s, BYE_OVERLOAD, "out of memory", 0);
		return;
	}
	in->kind = kind_of((enum frame_type)frame->type);
	in->boot = s->boot;
	in->frame = frame;
	in->weight_bytes = arena_used(in->arena) + 256;
	if (!give(s, in))
		bye(s, BYE_OVERLOAD, "the controller cannot take more now", 5000);
}

/* ---- connections ---- */

static void on_open(void *user, struct ws_conn *conn)
{
	struct gate *g = user;
	struct session *s = calloc(1, sizeof *s);
	if (!s) {
		ws_close(conn, WS_CODE_TRY_LATER, "out of memory");
		return;
	}
	s->gate = g;
	s->conn = conn;
	s->since_ms = clock_mono_ms();
	text_copy(s->host, sizeof s->host, ws_peer(conn)->name);
	s->next = g->sessions;
	if (s->next)
		s->next->prev = s;
	g->sessions = s;
	ws_set_user(conn, s);
	if (g->congested)
		ws_pause(conn);
	log_info("gate", "host=%s address=%s connected", s->host, ws_address(conn));
}

static void tell_gone(struct session *s)
{
	struct gate *g = s->gate;
	struct input *in = id_is_zero(s->boot) ? NULL : input_for(s, INPUT_GONE);
	bool congested;
	if (!in || g->c.submit(g->c.ctx, in, &congested, NULL) == ERR_OK)
		return;
	if (g->gone_count < GATE_GONE_MAX) {
		struct input **more = realloc(g->gone, (g->gone_count + 1) * sizeof(*more));
		if (more) {
			g->gone = more;
			g->gone[g->gone_count++] = in;
			return;
		}
	}
	input_free(in); /* the host's silence will tell */
}

static void on_closed(void *user, struct ws_conn *conn, const struct ws_ended *ended)
{
	struct gate *g = user;
	struct session *s = ws_user(conn);
	if (!s)
		return;
	log_info("gate", "host=%s gone: %s%s%s", s->host, ws_end_text(ended->end), ended->detail[0] ? ": " : "",
	    ended->detail);
	char line[TEXT_LINE_MAX];
	if (ended->end == WS_TOO_BIG || ended->end == WS_TEXT_FRAME) {
		text_format(line, sizeof line, "%s from %s", ws_end_text(ended->end), ws_address(conn));
		tell_refused(g, s->host, line);
	}
	for (size_t i = 0; i < s->held_count; i++)
		input_free(s->held[i]); /* never acknowledged: the spool has them */
	tell_gone(s);
	if (map_get(g->by_host, s->host, strlen(s->host)) == s)
		map_remove(g->by_host, s->host, strlen(s->host));
	if (s->prev)
		s->prev->next = s->next;
	else
		g->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	free(s);
}

static void on_refused(void *user, const struct ws_refused *r)
{
	char line[TEXT_LINE_MAX];
	text_format(line, sizeof line, "agents' port: %s%s%s from %s: %s",
	    r->peer ? tls_role_text(r->peer->role) : "a stranger", r->peer ? " " : "", r->peer ? r->peer->name : "",
	    r->address, tls_verdict_text(r->reason));
	log_warn("gate", "address=%s refused: %s: %s%s%s", r->address, tls_verdict_word(r->reason),
	    tls_verdict_text(r->reason), r->detail && r->detail[0] ? ": " : "", r->detail ? r->detail : "");
	tell_refused(user, r->peer && r->peer->role == TLS_ROLE_HOST ? r->peer->name : NULL, line);
}

static void on_sweep(void *user)
{
	struct gate *g = user;
	uint64_t now_ms = clock_mono_ms();
	for (struct session *s = g->sessions; s; s = s->next)
		if (!s->closing && id_is_zero(s->boot) && now_ms - s->since_ms > GATE_HELLO_MS)
			violation(s, BYE_MALFORMED, "no hello in time");
	if (g->gone_count)
		gate_drained(g);
	ws_timer_set(g->sweep, GATE_SWEEP_MS);
}

/* ---- outside ---- */

enum err_code gate_new(struct ws_loop *loop, const struct gate_config *c, struct gate **ret, struct err *reterr)
{
	struct gate *g = calloc(1, sizeof *g);
	if (!g || !(g->by_host = map_new()) || !(g->sweep = ws_timer_new(loop, on_sweep, g))) {
		if (g)
			map_free(g->by_host);
		free(g);
		return err_set(reterr, ERR_NOMEM, "out of memory for the agents' port");
	}
	g->c = *c;
	g->loop = loop;
	struct ws_listener_config lc = {.port = c->port,
	    .subprotocol = MESSAGE_SUBPROTOCOL,
	    .ping_ms = c->ping_ms,
	    .user = g,
	    .on_open = on_open,
	    .on_message = on_message,
	    .on_closed = on_closed,
	    .on_refused = on_refused};
	enum err_code rc = ws_listener_new(loop, &lc, &g->listener, reterr);
	if (rc != ERR_OK) {
		ws_timer_free(g->sweep);
		map_free(g->by_host);
		free(g);
		return err_prefix(reterr, rc, "agents' port");
	}
	ws_timer_set(g->sweep, GATE_SWEEP_MS);
	*ret = g;
	return ERR_OK;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	ws_listener_free(g->listener);
	ws_timer_free(g->sweep);
	for (size_t i = 0; i < g->gone_count; i++)
		input_free(g->gone[i]);
	free(g->gone);
	map_free(g->by_host);
	buf_done(&g->out);
	free(g);
}

struct ws_listener *gate_listener(struct gate *g)
{
	return g->listener;
}

static bool is_meant(const struct session *s, const char *host, struct id boot)
{
	return !s->closing && !id_is_zero(s->boot) && text_equal(s->host, host) &&
	       (id_is_zero(boot) || id_equal(s->boot, boot));
}

static struct session *find(struct gate *g, const char *host, struct id boot)
{
	struct session *last = map_get(g->by_host, host, strlen(host));
	if (last && is_meant(last, host, boot))
		return last;
	for (struct session *s = g->sessions; s; s = s->next)
		if (is_meant(s, host, boot)) /* two runs of one agent: rare, and soon over */
			return s;
	return NULL;
}

void gate_send(struct gate *g, const char *host, struct id boot, enum frame_type type, struct bytes frame)
{
	struct session *s = find(g, host, boot);
	struct err err = ERR_INIT;
	if (s && s->welcomed == (type == FRAME_WELCOME))
		return;
	if (s)
		s->welcomed = true;
	if (s && ws_send(s->conn, frame.data, frame.size, &err) == ERR_FULL)
		bye(s, BYE_OVERLOAD, "this agent does not read what it is sent",
		    0); /* what matters is a record and comes again */
}

void gate_close(struct gate *g, const char *host, struct id boot, enum bye_reason why, const char *text)
{
	struct session *s = find(g, host, boot);
	if (!s)
		return;
	log_warn("gate", "host=%s closed: %s: %s", host, enum_name(&bye_reason_enum, why), text ? text : "");
	bye(s, why, text, 0);
}

static bool resubmit(struct gate *g, struct session *s)
{
	while (s->held_count) {
		bool congested = false;
		if (g->c.submit(g->c.ctx, s->held[0], &congested, NULL) != ERR_OK)
			return false;
		memmove(&s->held[0], &s->held[1], --s->held_count * sizeof s->held[0]);
		if (congested)
			return false;
	}
	return true;
}

void gate_drained(struct gate *g)
{
	while (g->gone_count) {
		bool congested;
		if (g->c.submit(g->c.ctx, g->gone[g->gone_count - 1], &congested, NULL) != ERR_OK)
			return;
		g->gone_count--;
	}
	for (struct session *s = g->sessions; s; s = s->next)
		if (!resubmit(g, s))
			return; /* drained will be said again */
	set_congested(g, false);
}

void gate_goodbye(struct gate *g, uint64_t retry_ms)
{
	for (struct session *s = g->sessions; s; s = s->next)
		bye(s, BYE_SHUTDOWN, "the controller is stopping", retry_ms);
}
