/* tests/sim/net.c: connections, and what the gate knows of them.
 *
 * Within a connection frames arrive in order or not at all (it is TCP below); between connections anything may overtake
 * anything.  A direction that went dark swallows what is sent; only a missing ping ends such a connection.  The gate's
 * rules are those of controller/gate/gate.c. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "tests/sim/sim.h"

enum { UNDER_WAY_MAX = 64, PING_LEAST_MS = 30 * 1000, PING_MOST_MS = 75 * 1000, CONNECT_MS = 40 };

struct packet {
	size_t size;
	uint8_t bytes[];
};

static struct packet *packet_of(const void *bytes, size_t size)
{
	struct packet *p = malloc(sizeof(*p) + size);
	if (!p)
		abort();
	p->size = size;
	memcpy(p->bytes, bytes, size);
	return p;
}

static uint64_t delay(struct sim *s)
{
	return sim_chance(s, 20) ? sim_between(s, 200, 2000) : sim_between(s, 1, 40);
}

static struct connection *slot(struct sim *s)
{
	for (unsigned i = 0; i < SIM_CONNECTIONS_MAX; i++) {
		struct connection *c = &s->connections[i];
		if (c->agent)
			continue;
		unsigned life = c->life + 1;
		*c = (struct connection){.number = i, .life = life, .up_ms = s->now_ms, .down_ms = s->now_ms};
		if (i >= s->connection_high)
			s->connection_high = i + 1;
		return c;
	}
	return NULL;
}

static void maybe_free(struct connection *c)
{
	if (!c->client && !c->server)
		c->agent = NULL;
}

/* ---- ends ---- */

static void server_end(struct sim *s, struct connection *c)
{
	if (!c->server)
		return;
	c->server = false;
	if (!id_is_zero(c->boot) && s->hub.up)
		hub_give(s, control_input(INPUT_GONE, c->agent->name, c->boot));
	maybe_free(c);
}

static void client_end(struct connection *c, const char *why)
{
	struct agent *a = c->agent;
	if (!c->client)
		return;
	c->client = false;
	a->connection = NULL;
	maybe_free(c);
	agent_on_closed(a, why);
}

static void on_server_end(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct connection *c = ctx;
	(void)owned;
	if (c->life == tag && c->agent)
		server_end(s, c);
}

static void on_client_end(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct connection *c = ctx;
	(void)s;
	(void)owned;
	if (c->life == tag && c->agent)
		client_end(c, "the connection is gone");
}

static void end_server_at(struct sim *s, struct connection *c, uint64_t at_ms)
{
	sim_at(s, at_ms, on_server_end, c, c->life, NULL);
}

static void end_client_at(struct sim *s, struct connection *c, uint64_t at_ms)
{
	sim_at(s, at_ms, on_client_end, c, c->life, NULL);
}

void net_break(struct sim *s, struct connection *c)
{
	c->dark_up = c->dark_down = true;
	bool half_open = sim_chance(s, 300);
	uint64_t late = s->now_ms + sim_between(s, PING_LEAST_MS, PING_MOST_MS);
	end_server_at(s, c, half_open ? late : s->now_ms + delay(s));
	end_client_at(s, c, half_open && sim_chance(s, 500) ? late : s->now_ms + delay(s));
}

void net_hub_died(struct sim *s)
{
	for (unsigned i = 0; i < s->connection_high; i++) {
		struct connection *c = &s->connections[i];
		if (!c->agent)
			continue;
		c->boot = (struct id){{0}};
		c->server = false;
		c->dark_up = true;
		if (c->client)
			end_client_at(s, c,
			    s->now_ms + (s->o.short_deaths || sim_chance(s, 900)
						? delay(s)
						: sim_between(s, PING_LEAST_MS, PING_MOST_MS)));
		maybe_free(c);
	}
}

struct connection *net_of(struct sim *s, const struct agent *a)
{
	struct connection *last = NULL;
	for (unsigned i = 0; i < s->connection_high; i++)
		if (s->connections[i].agent == a && s->connections[i].client)
			last = &s->connections[i];
	return last;
}

size_t net_count(const struct sim *s)
{
	size_t n = 0;
	for (unsigned i = 0; i < s->connection_high; i++)
		n += s->connections[i].agent && s->connections[i].server && s->connections[i].greeted &&
		     !s->connections[i].closing;
	return n;
}

/* ---- dialling ---- */

static void on_client_open(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct connection *c = ctx;
	(void)s;
	(void)owned;
	if (c->life == tag && c->agent && c->client)
		agent_on_connected(c->agent);
}

static void on_accept(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct connection *c = ctx;
	(void)owned;
	if (c->life != tag || !c->agent || !c->client)
		return;
	if (!s->hub.up) {
		end_client_at(s, c, s->now_ms + delay(s)); /* refused */
		return;
	}
	c->server = true;
	sim_at(s, s->now_ms + delay(s), on_client_open, c, c->life, NULL);
}

enum err_code net_dial(struct agent *a, struct err *reterr)
{
	struct sim *s = a->sim;
	struct connection *c = slot(s);
	if (!c)
		return err_set(reterr, ERR_LIMIT, "no room for a connection");
	c->agent = a;
	c->client = true;
	a->connection = c;
	if (a->partitioned && sim_chance(s, 500))
		return ERR_OK; /* nothing ever comes of it */
	if (a->partitioned)
		end_client_at(s, c, s->now_ms + delay(s));
	else
		sim_at(s, s->now_ms + CONNECT_MS + delay(s), on_accept, c, c->life, NULL);
	return ERR_OK;
}

void net_close_client(struct agent *a)
{
	struct connection *c = a->connection;
	if (!c)
		return;
	end_client_at(a->sim, c, a->sim->now_ms + delay(a->sim));
	if (c->server) /* behind what was sent */
		end_server_at(a->sim, c, (c->up_ms > a->sim->now_ms ? c->up_ms : a->sim->now_ms) + 1);
}

void net_drop_client(struct agent *a)
{
	struct connection *c = a->connection;
	struct sim *s = a->sim;
	if (!c)
		return;
	a->connection = NULL;
	c->client = false;
	if (c->server)
		end_server_at(s, c,
		    sim_chance(s, 800) ? (c->up_ms > s->now_ms ? c->up_ms : s->now_ms) + delay(s)
				       : s->now_ms + sim_between(s, PING_LEAST_MS, PING_MOST_MS));
	maybe_free(c);
}

/* ---- to the controller ---- */

static void gate_bye(struct sim *s, struct connection *c, enum bye_reason why, const char *text);

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

/* Another connection of the same run: the older one is dead and has not noticed. */
static void replace_older(struct sim *s, struct connection *c)
{
	for (unsigned i = 0; i < s->connection_high; i++) {
		struct connection *o = &s->connections[i];
		if (o == c || o->agent != c->agent || !o->server || o->closing || !id_equal(o->boot, c->boot))
			continue;
		o->closing = true;
		o->boot = (struct id){{0}};
		end_server_at(s, o, s->now_ms);
		if (o->client)
			end_client_at(s, o, s->now_ms + delay(s));
	}
}

static void gate_frame(struct sim *s, struct connection *c, const struct packet *p)
{
	struct arena *arena = arena_new(8 << 20);
	struct frame f;
	struct err err = ERR_INIT;
	enum bye_reason why;
	enum err_code rc = message_decode(SIDE_AGENT, p->bytes, p->size, arena, &f, &why, &err);
	if (rc != ERR_OK) {
		sim_fail(s, "%s sent a frame that the gate refuses: %s", c->agent->name, err.msg);
	} else if (c->greeted == (f.type == FRAME_HELLO)) {
		sim_fail(s, "%s: %s", c->agent->name, c->greeted ? "a second hello" : "the first frame is not a hello");
	} else {
		if (f.type == FRAME_HELLO) {
			c->boot = f.hello->boot;
			c->greeted = true;
			replace_older(s, c);
			s->hub.hellos++;
		}
		c->heard_ms = s->now_ms;
		hub_give(
		    s, control_frame(kind_of((enum frame_type)f.type), c->agent->name, c->boot, p->bytes, p->size));
	}
	arena_free(arena);
}

static void on_up(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct connection *c = ctx;
	if (c->life != tag || !c->agent)
		return;
	c->under_way--;
	if (c->choked && c->under_way < UNDER_WAY_MAX / 2 && c->client) {
		c->choked = false;
		agent_on_drained(c->agent);
	}
	if (c->agent && c->server && !c->closing && !c->dark_up)
		gate_frame(s, c, owned);
}

enum err_code net_send_up(struct agent *a, struct bytes frame, struct err *reterr)
{
	struct sim *s = a->sim;
	struct connection *c = a->connection;
	if (!c)
		return err_set(reterr, ERR_UNREACHABLE, "there is no connection");
	if (c->under_way >= UNDER_WAY_MAX) {
		c->choked = true;
		return err_set(reterr, ERR_FULL, "the connection takes no more now");
	}
	uint64_t at = s->now_ms + delay(s);
	c->up_ms = at > c->up_ms ? at : c->up_ms;
	c->under_way++;
	sim_at(s, c->up_ms, on_up, c, c->life, packet_of(frame.data, frame.size));
	return ERR_OK;
}

/* ---- to agents ---- */

static void on_down(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct connection *c = ctx;
	const struct packet *p = owned;
	(void)s;
	if (c->life == tag && c->agent && c->client && !c->dark_down)
		agent_on_frame(c->agent, (struct bytes){p->bytes, p->size});
}

static void send_down(struct sim *s, struct connection *c, const void *bytes, size_t size)
{
	uint64_t at = s->now_ms + delay(s);
	c->down_ms = at > c->down_ms ? at : c->down_ms;
	sim_at(s, c->down_ms, on_down, c, c->life, packet_of(bytes, size));
}

static void gate_bye(struct sim *s, struct connection *c, enum bye_reason why, const char *text)
{
	struct bye b = {why, text[0] ? text : NULL, 0};
	struct buf out = BUF_INIT;
	struct err err;
	if (c->closing)
		return;
	c->closing = true;
	if (message_encode(FRAME_BYE, &b, &out, &err) == ERR_OK)
		send_down(s, c, out.data, out.size);
	buf_done(&out);
	if (c->client)
		end_client_at(s, c, c->down_ms + 5000); /* it closes by itself before */
	end_server_at(s, c, s->now_ms + 2000);
}

static bool is_meant(const struct connection *c, const struct control_letter *l)
{
	return c->agent && c->server && c->greeted && !c->closing && text_equal(c->agent->name, l->host) &&
	       (id_is_zero(l->boot) || id_equal(l->boot, c->boot));
}

/* An order that went astray comes minutes later, over whatever connection there is then. */
static void on_stale(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	const struct packet *p = owned;
	(void)tag;
	struct connection *c = net_of(s, a);
	if (c && c->server && c->greeted && session_state(a->session) == SESSION_LIVE) {
		sim_trace(s, "net: %s hears an old frame again", a->name);
		send_down(s, c, p->bytes, p->size);
	}
}

static void send_with_faults(struct sim *s, struct connection *c, const struct control_letter *l)
{
	bool order =
	    l->type == FRAME_ORDER || l->type == FRAME_CANCEL || l->type == FRAME_HALT || l->type == FRAME_LOOK;
	const struct sim_rates *r = &s->o.rates;
	if (s->calm || (!order && l->type != FRAME_ACK)) {
		send_down(s, c, l->bytes, l->size);
		return;
	}
	if (sim_chance(s, r->drop_permille))
		return;
	send_down(s, c, l->bytes, l->size);
	if (order && sim_chance(s, r->twice_permille))
		send_down(s, c, l->bytes, l->size);
	if (order && sim_chance(s, r->stale_permille))
		sim_at(s, s->now_ms + sim_between(s, 1000, 20 * 60 * 1000), on_stale, c->agent, 0,
		    packet_of(l->bytes, l->size));
}

void net_deliver(struct sim *s, const struct control_letter *l)
{
	s->looks += !l->close && l->type == FRAME_LOOK;
	struct connection *to = NULL;
	for (unsigned i = 0; i < s->connection_high; i++)
		if (is_meant(&s->connections[i], l))
			to = &s->connections[i];
	if (!to)
		return;
	if (!l->close && to->welcomed == (l->type == FRAME_WELCOME))
		return;
	if (!l->close)
		to->welcomed = true;
	if (l->close) {
		sim_trace(
		    s, "gate: %s is told to go: %s: %s", l->host, enum_name(&bye_reason_enum, l->reason), l->text);
		gate_bye(s, to, l->reason, l->text);
	} else {
		send_with_faults(s, to, l);
	}
}
