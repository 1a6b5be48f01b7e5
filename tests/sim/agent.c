/* tests/sim/agent.c: one agent: its keeper (the real orders and outgoing queue), its link (the real session and spool),
 * their deaths. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/approval/approval.h"
#include "shared/base/text.h"
#include "tests/sim/sim.h"

enum {
	TICK_MS = 1000,
	HOST_REPORT_MS = 60000,
	NOTICE_MS = 25000,
	MESSAGE_ARENA = 4 << 20,
	SPOOL_BYTES = 8 << 20,
	FULL_MS = 1000
};

uint64_t agent_wall(const struct agent *a)
{
	return (uint64_t)((int64_t)a->sim->now_ms + a->skew_ms);
}

/* ---- dying at an instruction ---- */

static void on_dead(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	(void)s;
	(void)owned;
	if (a->up && a->life == tag)
		agent_crash(a);
}

bool agent_io(struct agent *a)
{
	if (a->dying)
		return false;
	if (!a->crash_in || --a->crash_in)
		return true;
	a->dying = true;
	sim_at(a->sim, a->sim->now_ms, on_dead, a, a->life, NULL);
	return sim_chance(a->sim, 500); /* just after it, or just before */
}

void agent_die_in(struct agent *a, unsigned io_calls)
{
	a->crash_in = io_calls;
}

/* ---- the journal of orders ---- */

static struct journal_line *line_of(struct agent *a, struct id order)
{
	for (size_t i = 0; i < a->journal_count; i++)
		if (id_equal(a->journal[i].order, order))
			return &a->journal[i];
	return NULL;
}

static enum err_code disk(struct agent *a, struct err *reterr)
{
	if (a->disk_bad && sim_chance(a->sim, 500))
		return err_set(reterr, ERR_FULL, "the disk is full");
	return agent_io(a) ? ERR_OK : err_set(reterr, ERR_IO, "dead");
}

static enum err_code io_put(void *ctx, const struct order_entry *e, struct err *reterr)
{
	struct agent *a = ctx;
	struct buf bytes = BUF_INIT;
	enum err_code rc = record_to_msgpack(&order_entry_type, e, &bytes, reterr);
	if (rc != ERR_OK)
		sim_fail(a->sim, "%s: an order cannot be journalled: %s", a->name, reterr->msg);
	if (rc == ERR_OK)
		rc = disk(a, reterr);
	if (rc == ERR_OK) {
		struct journal_line *l = line_of(a, e->order_id);
		if (!l) {
			if (a->journal_count == a->journal_capacity) {
				a->journal_capacity = a->journal_capacity ? 2 * a->journal_capacity : 16;
				a->journal = realloc(a->journal, a->journal_capacity * sizeof(*a->journal));
				if (!a->journal)
					abort();
			}
			l = &a->journal[a->journal_count++];
			*l = (struct journal_line){.order = e->order_id};
		}
		free(l->bytes);
		l->bytes = malloc(bytes.size);
		memcpy(l->bytes, bytes.data, bytes.size);
		l->size = bytes.size;
	}
	buf_done(&bytes);
	return rc;
}

static enum err_code io_remove(void *ctx, struct id order, struct err *reterr)
{
	struct agent *a = ctx;
	enum err_code rc = disk(a, reterr);
	struct journal_line *l = line_of(a, order);
	if (rc == ERR_OK && l) {
		free(l->bytes);
		*l = a->journal[--a->journal_count];
	}
	return rc;
}

static enum err_code io_put_epoch(void *ctx, uint64_t epoch, struct err *reterr)
{
	struct agent *a = ctx;
	enum err_code rc = disk(a, reterr);
	if (rc == ERR_OK) {
		if (epoch < a->journal_epoch)
			sim_fail(a->sim, "%s: the epoch went back from %llu to %llu", a->name,
			    (unsigned long long)a->journal_epoch, (unsigned long long)epoch);
		a->journal_epoch = epoch;
	}
	return rc;
}

static enum err_code read_journal(struct agent *a, struct arena *arena, struct order_entry *entries, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < a->journal_count; i++)
		rc = record_from_msgpack(
		    &order_entry_type, a->journal[i].bytes, a->journal[i].size, arena, &entries[i], reterr);
	return rc;
}

/* ---- orders ---- */

static enum err_code io_start(void *ctx, const struct order *o, bool resume, struct err *reterr)
{
	struct agent *a = ctx;
	struct place *p = place_of(a, o->service);
	if (!agent_io(a))
		return ERR_OK; /* dead: nobody hears it */
	if (!p)
		return err_set(reterr, ERR_NOT_FOUND, "%s runs no %s", a->name, o->service);
	return job_start(p, o, resume, reterr);
}

static void io_cancel(void *ctx, struct id order)
{
	job_cancel(ctx, order);
}

static void io_tell(void *ctx, const struct order_report *r)
{
	struct report body = {.order = r};
	agent_tell(ctx, IMPORTANCE_RESULT, &body);
}

static bool io_authorised(void *ctx, const struct order *o, char why[TEXT_LINE_MAX])
{
	struct agent *a = ctx;
	struct arena *arena = arena_new(4 << 20);
	struct approval_keys keys;
	struct err err = ERR_INIT;
	char text[APPROVAL_TEXT_MAX] = "";
	const struct service_config *service = agent_config_service(&a->config, o->service);
	enum verdict v = VERDICT_NOT_CHECKED;
	if (service && approval_keys_parse(&a->config.approvers, 1, arena, &keys, &err) == ERR_OK) {
		struct host_rules rules = {
		    .host = a->name, .keys = &keys, .automatic = service->rollback.automatic, .now_ms = agent_wall(a)};
		v = order_authorised(o, &rules, arena, text);
	}
	arena_free(arena);
	text_format(why, TEXT_LINE_MAX, "%s: %s", enum_name(&verdict_enum, v), text);
	return v == VERDICT_AUTHORISED;
}

static uint64_t io_now(void *ctx)
{
	return agent_wall(ctx);
}

/* ---- between keeper and link ---- */

static void on_pump(struct sim *s, void *ctx, uint64_t tag, void *owned);

static void post(struct agent *a, struct link_message *m)
{
	m->next = NULL;
	if (a->last_message)
		a->last_message->next = m;
	else
		a->first_message = m;
	a->last_message = m;
	sim_at(a->sim, a->sim->now_ms + random_below(&a->random, 3), on_pump, a, a->link_life, NULL);
}

static struct link_message *message_new(bool to_link)
{
	struct link_message *m = calloc(1, sizeof(*m));
	if (!m || !(m->arena = arena_new(MESSAGE_ARENA)))
		abort();
	m->to_link = to_link;
	return m;
}

static void message_free(struct link_message *m)
{
	arena_free(m->arena);
	free(m);
}

static enum err_code out_send(void *ctx, uint64_t token, const struct report *r)
{
	struct agent *a = ctx;
	struct err err;
	if (!a->link_up || a->dying)
		return ERR_UNREACHABLE;
	struct link_message *m = message_new(true);
	m->token = token;
	m->report = arena_alloc(m->arena, sizeof(*m->report));
	if (record_copy(&report_type, r, m->arena, m->report, &err) != ERR_OK)
		sim_fail(a->sim, "%s: a report cannot be copied: %s", a->name, err.msg);
	post(a, m);
	return ERR_OK;
}

static void out_spooled(void *ctx, const struct report *r)
{
	struct agent *a = ctx;
	if (r->order && r->order->outcome != ORDER_OPEN)
		orders_on_told(a->orders, r->order->order);
	if (!r->notice)
		return;
	uint64_t n = strtoull(r->notice->text, NULL, 10);
	if (n < a->notice_capacity && !a->notice_spooled[n]) {
		a->notice_spooled[n] = true;
		a->notices_spooled++;
	}
}

void agent_tell(struct agent *a, enum importance importance, const struct report *body)
{
	struct report r = *body;
	struct err err = ERR_INIT;
	if (a->dying || !a->up)
		return;
	r.sequence = 1; /* the link's to give */
	r.at_ms = agent_wall(a);
	r.importance = importance;
	if (outgoing_add(a->outgoing, &r, &err) != ERR_OK)
		a->dropped++;
	a->dropped += outgoing_take_dropped(a->outgoing);
}

static void ses_tell(void *ctx, const struct channel_message *said)
{
	struct agent *a = ctx;
	struct err err;
	if (said->type == CHANNEL_HEARD) /* for workers that wait for it: these hosts have none */
		return;
	struct link_message *m = message_new(false);
	if (record_copy(&channel_message_type, said, m->arena, &m->m, &err) != ERR_OK)
		sim_fail(a->sim, "%s: the link cannot tell its keeper: %s", a->name, err.msg);
	post(a, m);
}

static void say_word(struct agent *a)
{
	struct host_report h = {.lagging = a->lagging};
	struct report body = {.host = &h};
	agent_tell(a, IMPORTANCE_METRIC, &body);
}

static void keeper_hears(struct agent *a, const struct channel_message *m)
{
	bool again;
	switch ((enum channel_type)m->type) {
	case CHANNEL_SPOOLED:
		outgoing_on_spooled(a->outgoing, m->spooled->token);
		break;
	case CHANNEL_ORDER:
		orders_on_order(a->orders, m->order);
		break;
	case CHANNEL_CANCEL:
		orders_on_cancel(a->orders, m->cancel->order, m->cancel->reason);
		break;
	case CHANNEL_HALT:
		orders_on_halt(a->orders, m->halt->on);
		break;
	case CHANNEL_LOOK:
		if (a->sim->o.old_agents)
			sim_fail(a->sim, "%s is asked what its agent does not know", a->name);
		say_word(a);
		if (place_of(a, m->look->service))
			place_look(place_of(a, m->look->service));
		break;
	case CHANNEL_CONNECTION:
		again = m->connection->up && !a->connected;
		a->connected = m->connection->up;
		if (!m->connection->up)
			break;
		a->welcomes++;
		a->heartbeat_ms = m->connection->heartbeat_ms;
		orders_on_halt(a->orders, m->connection->halted);
		for (size_t i = 0; again && i < a->place_count; i++)
			place_tell_all(&a->places[i]);
		break;
	default:
		break;
	}
}

static void session_soon(struct agent *a);

static void link_check(struct agent *a, enum err_code rc, const struct err *err)
{
	if (rc == ERR_OK) {
		session_soon(a);
		return;
	}
	sim_trace(a->sim, "%s: the link ends: %s", a->name, err->msg);
	agent_link_crash(a);
}

/* Reports that wait, as many as one sync takes. */
static void link_takes(struct agent *a)
{
	struct session_report reports[SPOOL_BATCH_MAX];
	struct err err = ERR_INIT;
	size_t n = 0;
	for (struct link_message *m = a->first_message; m && m->to_link && n < SPOOL_BATCH_MAX; m = m->next)
		reports[n++] = (struct session_report){m->token, m->report};
	if (a->disk_bad && sim_chance(a->sim, 400))
		spool_memory_fail(a->spool, 0, sim_chance(a->sim, 700) ? ERR_FULL : ERR_IO);
	uint64_t life = a->link_life;
	enum err_code rc = session_on_reports(a->session, reports, n, a->sim->now_ms, &err);
	if (rc == ERR_FULL) { /* the same again later */
		sim_at(a->sim, a->sim->now_ms + FULL_MS, on_pump, a, a->link_life, NULL);
		return;
	}
	link_check(a, rc, &err);
	if (a->link_life != life)
		return;
	struct link_message *m;
	for (size_t i = 0; i < n && (m = a->first_message); i++) {
		a->first_message = m->next;
		if (!a->first_message)
			a->last_message = NULL;
		message_free(m);
	}
}

static void on_pump(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	(void)s;
	(void)owned;
	if (a->link_life != tag || !a->up || a->dying || !a->first_message)
		return;
	struct link_message *m = a->first_message;
	if (m->to_link) {
		link_takes(a);
		return;
	}
	a->first_message = m->next;
	if (!a->first_message)
		a->last_message = NULL;
	keeper_hears(a, &m->m);
	message_free(m);
}

/* ---- the link ---- */

static uint64_t ses_wall(void *ctx)
{
	return agent_wall(ctx);
}
static enum err_code ses_dial(void *ctx, struct err *reterr)
{
	return net_dial(ctx, reterr);
}
static enum err_code ses_send(void *ctx, struct bytes frame, struct err *reterr)
{
	return net_send_up(ctx, frame, reterr);
}
static void ses_close(void *ctx, bool wrong, const char *reason)
{
	struct agent *a = ctx;
	if (wrong)
		sim_fail(a->sim, "%s: the controller broke the protocol: %s", a->name, reason);
	sim_trace(a->sim, "%s: closes: %s", a->name, reason);
	net_close_client(a);
}
static void ses_abandon(void *ctx)
{
	net_drop_client(ctx);
}

static void on_session_due(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	struct err err = ERR_INIT;
	(void)owned;
	if (a->link_life != tag || !a->session || a->session_wanted_ms != s->now_ms)
		return;
	a->session_wanted_ms = UINT64_MAX;
	link_check(a, session_on_tick(a->session, s->now_ms, &err), &err);
}

static void session_soon(struct agent *a)
{
	uint64_t due = session_due_ms(a->session);
	if (due == UINT64_MAX || a->session_wanted_ms <= due)
		return;
	if (due <= a->sim->now_ms)
		due = a->sim->now_ms + 1;
	a->session_wanted_ms = due;
	sim_at(a->sim, due, on_session_due, a, a->link_life, NULL);
}

static void declare(struct agent *a)
{
	static uint32_t both[] = {COMPONENT_CONFIG, COMPONENT_CODE};
	struct declared_service services[SIM_PLACES_MAX];
	struct err err = ERR_INIT;
	for (size_t i = 0; i < a->place_count; i++)
		services[i] = (struct declared_service){.name = sim_services[a->places[i].service],
		    .components = {both, 2},
		    .automatic = {both, 2},
		    .depends_on = a->services[i].depends_on,
		    .probes = 1,
		    .answer_ms = 2ull * (a->sim->o.hang_ms + 1200), /* it settles in two looks */
		    .snapshot_every_ms = 600000,
		    .storage = a->storage[0] ? a->storage : NULL};
	struct channel_declare d = {{services, a->place_count}, orders_epoch(a->orders)};
	link_check(a, session_on_declare(a->session, &d, a->sim->now_ms, &err), &err);
}

static void link_start(struct agent *a)
{
	static const char *capabilities[] = {CAPABILITY_LOOK};
	struct session_config c = {.host = a->name,
	    .version = "0.1-sim",
	    .boot = a->boot,
	    .spool = a->spool,
	    .random = &a->random,
	    .capabilities = {capabilities, !a->sim->o.old_agents}};
	struct session_io io = {a, ses_wall, ses_dial, ses_send, ses_close, ses_abandon, ses_tell};
	struct err err;
	if (session_new(&c, &io, &a->session, &err) != ERR_OK)
		abort();
	a->link_up = true;
	a->session_wanted_ms = UINT64_MAX;
	session_on_identity(a->session, a->sim->now_ms + 30ull * 24 * 3600 * 1000, a->sim->now_ms);
	declare(a);
	outgoing_resend(a->outgoing);
}

static void on_link_again(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	(void)s;
	(void)owned;
	if (a->up && a->link_life == tag && !a->link_up)
		link_start(a);
}

static void link_end(struct agent *a)
{
	net_drop_client(a);
	session_free(a->session);
	a->session = NULL;
	a->link_up = a->connected = false;
	a->link_life++;
	for (struct link_message *m = a->first_message, *next; m; m = next) {
		next = m->next;
		message_free(m);
	}
	a->first_message = a->last_message = NULL;
	spool_memory_restart(a->spool);
}

void agent_link_crash(struct agent *a)
{
	if (!a->link_up)
		return;
	sim_trace(a->sim, "%s: its link dies", a->name);
	link_end(a);
	sim_at(a->sim, a->sim->now_ms + sim_between(a->sim, 200, 3000), on_link_again, a, a->link_life, NULL);
}

void agent_on_connected(struct agent *a)
{
	struct err err = ERR_INIT;
	if (a->session)
		link_check(a, session_on_connected(a->session, a->sim->now_ms, &err), &err);
}
void agent_on_frame(struct agent *a, struct bytes frame)
{
	struct err err = ERR_INIT;
	if (a->session)
		link_check(a, session_on_frame(a->session, frame, a->sim->now_ms, &err), &err);
}
void agent_on_drained(struct agent *a)
{
	struct err err = ERR_INIT;
	if (a->session)
		link_check(a, session_on_drained(a->session, a->sim->now_ms, &err), &err);
}
void agent_on_closed(struct agent *a, const char *why)
{
	if (!a->session)
		return;
	session_on_closed(a->session, why, a->sim->now_ms);
	session_soon(a);
}

/* ---- the keeper ---- */

static void say_notice(struct agent *a)
{
	char number[32];
	if (a->notices >= a->notice_capacity) {
		a->notice_capacity = a->notice_capacity ? 2 * a->notice_capacity : 64;
		a->notice_spooled = realloc(a->notice_spooled, a->notice_capacity * sizeof(*a->notice_spooled));
		if (!a->notice_spooled)
			abort();
		memset(
		    a->notice_spooled + a->notices, 0, (a->notice_capacity - a->notices) * sizeof(*a->notice_spooled));
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)a->notices++);
	struct notice_report n = {.severity = SEVERITY_LOW, .what = "sim", .text = number};
	struct report body = {.notice = &n};
	agent_tell(a, IMPORTANCE_EVENT, &body);
}

static void say_host(struct agent *a)
{
	struct metric m = {.name = "load", .value = 0.5};
	struct host_report h = {.metrics = {&m, 1}, .lagging = a->lagging};
	struct report body = {.host = &h};
	agent_tell(a, IMPORTANCE_METRIC, &body);
	a->lagging_told = a->lagging;
}

void agent_tick(struct agent *a)
{
	uint64_t now = a->sim->now_ms;
	if (a->dying)
		return;
	orders_on_tick(a->orders);
	for (size_t i = 0; i < a->place_count; i++)
		place_tick(&a->places[i]);
	if (now >= a->next_host_ms || a->lagging != a->lagging_told) {
		a->next_host_ms = now + HOST_REPORT_MS;
		say_host(a);
	}
	if (now >= a->next_notice_ms && !a->sim->calm) {
		a->next_notice_ms = now + NOTICE_MS;
		say_notice(a);
	}
}

static void on_tick(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	(void)owned;
	if (!a->up || a->life != tag)
		return;
	agent_tick(a);
	sim_at(s, s->now_ms + TICK_MS, on_tick, a, a->life, NULL);
}

static void configure(struct agent *a)
{
	static uint32_t both[] = {COMPONENT_CONFIG, COMPONENT_CODE};
	struct sim *s = a->sim;
	static const char *keys[2];
	keys[0] = people_key(0);
	keys[1] = people_key(1);
	for (size_t i = 0; i < a->place_count; i++)
		a->services[i] = (struct service_config){.name = sim_services[a->places[i].service],
		    .depends_on = {s->lean_names[a->places[i].service], s->lean_count[a->places[i].service]},
		    .rollback = {.automatic = {both, 2}, .max_per_hour = 6}};
	a->config = (struct agent_config){.host = a->name,
	    .domain = "sim",
	    .approvers = {keys, 2},
	    .approvals_needed = 1,
	    .services = {a->services, a->place_count}};
}

void agent_start(struct agent *a)
{
	struct outgoing_io out = {a, out_send, out_spooled};
	struct orders_io io = {a, io_put, io_remove, io_put_epoch, io_start, io_cancel, io_tell, io_authorised, io_now};
	struct arena *arena = arena_new(256 << 20);
	struct order_entry *entries = arena_array(arena, a->journal_count + 1, sizeof(*entries));
	struct err err = ERR_INIT;
	a->up = true;
	a->dying = false;
	a->crash_in = 0;
	a->life++;
	a->boot = id_new(agent_wall(a), &a->random);
	a->heartbeat_ms = 30000;
	configure(a);
	a->outgoing = outgoing_new(&out);
	if (!a->outgoing || orders_new(&a->config, &io, &a->orders, &err) != ERR_OK ||
	    read_journal(a, arena, entries, &err) != ERR_OK ||
	    orders_load(a->orders, entries, a->journal_count, a->journal_epoch, &err) != ERR_OK)
		sim_fail(a->sim, "%s cannot start: %s", a->name, err.msg);
	arena_free(arena);
	sim_trace(a->sim, "%s: starts", a->name);
	for (size_t i = 0; i < a->place_count; i++)
		place_begin(&a->places[i]);
	link_start(a);
	orders_resume(a->orders);
	sim_at(a->sim, a->sim->now_ms + random_below(&a->random, TICK_MS), on_tick, a, a->life, NULL);
}

static void on_start(struct sim *s, void *ctx, uint64_t tag, void *owned)
{
	struct agent *a = ctx;
	(void)s;
	(void)owned;
	if (!a->up && a->life == tag)
		agent_start(a);
}

static void end(struct agent *a)
{
	if (a->link_up)
		link_end(a);
	orders_free(a->orders);
	outgoing_free(a->outgoing);
	a->orders = NULL;
	a->outgoing = NULL;
	a->up = false;
	a->life++;
}

void agent_crash(struct agent *a)
{
	if (!a->up)
		return;
	sim_trace(a->sim, "%s: dies", a->name);
	a->sim->crashes++;
	end(a);
	a->link_life++;
	for (size_t i = 0; i < a->place_count; i++)
		a->places[i].job.running = false;
	sim_at(a->sim,
	    a->sim->now_ms + (a->sim->o.short_deaths || sim_chance(a->sim, 850) ? sim_between(a->sim, 300, 8000)
										: sim_between(a->sim, 8000, 300000)),
	    on_start, a, a->life, NULL);
}

void agent_make(struct sim *s, struct agent *a, unsigned index)
{
	struct err err;
	a->sim = s;
	a->index = index;
	snprintf(a->name, sizeof(a->name), "host-%u", index);
	if (s->o.storages)
		snprintf(a->storage, sizeof(a->storage), "nas-%u", index % s->o.storages);
	random_init_seed(&a->random, s->o.seed * 1000003 + index);
	if (spool_open_memory(SPOOL_BYTES, &a->spool, &err) != ERR_OK)
		abort();
}

void agent_free(struct agent *a)
{
	if (a->up)
		end(a);
	spool_close(a->spool);
	for (size_t i = 0; i < a->journal_count; i++)
		free(a->journal[i].bytes);
	free(a->journal);
	free(a->notice_spooled);
}
