/* A session between a keeper and a controller, over thousands of seeds: connections that break anywhere with frames
 * under way, links and keepers and controllers that are killed anywhere, disks that are full for a while.  Whatever
 * happens:
 *   - the controller takes each sequence once, without a hole, and in the order in which the keeper made the reports;
 *   - what the keeper was told is spooled reaches the controller, or is told to be lost (only when the spool was full);
 *   - the keeper hears "spooled" in order;
 *   - nothing turns in circles: when the faults end, all is delivered within bounded time.
 *
 *   test_property [SEED [COUNT]]: these seeds instead */
#include <stdlib.h>

#include "agent/link/session.h"
#include "tests/lib/link_reports.h"
#include "tests/lib/unit.h"

enum {
	SEEDS = 2000,
	STEPS = 400,
	QUEUE_MAX = 600,
	REPORTS_MAX = 4000,
	SETTLE_STEPS = 20000,
};

struct message {
	uint8_t *data;
	size_t size;
};

struct queue {
	struct message items[QUEUE_MAX];
	size_t count;
};

/* One TCP connection; both directions in order, each side may see its end later than the other. */
struct connection {
	bool used, greeted;
	bool to_agent_ended;      /* the agent has let go of it */
	bool to_controller_ended; /* the controller has */
	uint64_t late; /* frames of an older connection that the controller had in hand when it was replaced */
	struct queue to_agent, to_controller;
};

struct world {
	struct random random;
	uint64_t now_ms;
	bool faults, small; /* a small spool, that drops */
	/* the link */
	struct session *session;
	struct spool *spool;
	struct id run;
	struct connection *mine; /* the session's, NULL: none */
	bool dialling;
	bool closing; /* the session asked for the end */
	bool broken;  /* the disk failed: the process is about to end */
	/* the keeper */
	uint64_t numbers;     /* reports made */
	uint64_t token, base; /* of this run: report number = base + token */
	uint64_t answered;    /* tokens that were spooled */
	uint64_t handed;      /* tokens given to this link */
	bool told_of[REPORTS_MAX], applied[REPORTS_MAX];
	/* the controller: what is committed, and what is taken but not yet */
	uint64_t acknowledged, taken, last_number, last_number_taken, lost;
	uint64_t pending_numbers[QUEUE_MAX];
	size_t pending;
	struct connection connections[2]; /* an old one may not have ended yet when a new one begins */
	struct connection *live;
	uint64_t seed;
};

static struct world *current;
static struct {
	uint64_t hellos, repeated, applied, lost, kills;
} seen; /* over all seeds: were the faults there? */

#define demand(what)                                                                                                   \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			fail_msg("seed %llu: %s", (unsigned long long)current->seed, #what);                           \
	} while (0)

static bool chance(struct world *w, unsigned percent)
{
	return random_below(&w->random, 100) < percent;
}

/* ---- the network ---- */

static void push(struct queue *q, struct bytes b)
{
	demand(q->count < QUEUE_MAX);
	struct message m = {malloc(b.size), b.size};
	memcpy(m.data, b.data, b.size);
	q->items[q->count++] = m;
}

static struct message pop(struct queue *q)
{
	struct message m = q->items[0];
	memmove(&q->items[0], &q->items[1], --q->count * sizeof(m));
	return m;
}

static void drop_all(struct queue *q)
{
	while (q->count)
		free(q->items[--q->count].data);
}

static void tidy(struct world *w, struct connection *c)
{
	if (c->to_agent_ended)
		drop_all(&c->to_agent);
	if (c->to_controller_ended)
		drop_all(&c->to_controller);
	if (c->to_controller_ended && w->live == c)
		w->live = NULL;
	if (c->to_agent_ended && c->to_controller_ended)
		*c = (struct connection){0};
}

/* ---- the controller ---- */

static void send_frame(struct connection *c, enum frame_type type, const void *body)
{
	struct buf out = BUF_INIT;
	if (c->to_agent_ended)
		return;
	demand(message_encode(type, body, &out, NULL) == ERR_OK);
	push(&c->to_agent, buf_bytes(&out));
	buf_done(&out);
}

static void hang_up(struct world *w, struct connection *c)
{
	c->to_controller_ended = true;
	if (w->live == c)
		w->live = NULL;
}

static void controller_commit(struct world *w)
{
	struct ack ack = {w->taken};
	for (size_t i = 0; i < w->pending; i++)
		w->applied[w->pending_numbers[i]] = true;
	w->pending = 0;
	w->acknowledged = w->taken;
	w->last_number = w->last_number_taken;
	if (w->live)
		send_frame(w->live, FRAME_ACK, &ack);
}

static void controller_hello(struct world *w, struct connection *c, const struct hello *h)
{
	uint64_t first = h->first_sequence, last = h->last_sequence;
	if (w->live && w->live != c) { /* the older one is dead and has not noticed */
		w->live->late = random_below(&w->random, 5);
		if (!w->live->late)
			hang_up(w, w->live);
	}
	seen.hellos++;
	w->live = c;
	c->greeted = true;
	if (first && !(first <= w->taken + 1 && last >= w->taken)) {
		demand(first > w->taken + 1 || w->taken > last);
		demand(false); /* this spool is never made anew, and the controller never goes back */
	}
	controller_commit(w); /* the hello's turn holds what came before it; acknowledgements go to this connection */
	struct welcome welcome = {.version = MESSAGE_VERSION,
	    .controller = "c",
	    .epoch = 1,
	    .acknowledged = w->acknowledged,
	    .clock_ms = 1,
	    .heartbeat_ms = 1000,
	    .retry_ms = 2000};
	send_frame(c, FRAME_WELCOME, &welcome);
}

/* The rules of controller/fleet; taken is what this turn knows, acknowledged what is committed. */
static void controller_report(struct world *w, struct connection *c, const struct report *r)
{
	uint64_t last = r->through ? r->through : r->sequence;
	if (c != w->live && !c->late)
		return;
	demand(r->sequence <= w->taken + 1); /* no hole, ever */
	if (last <= w->taken) {
		seen.repeated++;
		struct ack again = {w->acknowledged};
		if (w->live)
			send_frame(w->live, FRAME_ACK, &again);
		return;
	}
	if (r->through) {
		demand(w->small);
		w->lost += r->through - w->taken;
	} else {
		uint64_t number = link_report_number(r);
		demand(number > w->last_number_taken); /* in order, and none twice */
		demand(w->pending < QUEUE_MAX);
		w->last_number_taken = number;
		w->pending_numbers[w->pending++] = number;
	}
	w->taken = last;
}

static void controller_killed(struct world *w)
{
	w->taken = w->acknowledged;
	w->last_number_taken = w->last_number;
	w->pending = 0;
	for (size_t i = 0; i < 2; i++)
		if (w->connections[i].used) {
			w->connections[i].to_controller_ended = true;
			if (chance(w, 50)) /* what it had said does not arrive any more */
				drop_all(&w->connections[i].to_agent);
		}
	w->live = NULL;
}

static void controller_gets(struct world *w, struct connection *c)
{
	struct message m = pop(&c->to_controller);
	struct arena *arena = arena_new(0);
	struct frame f;
	enum bye_reason why;
	demand(message_decode(SIDE_AGENT, m.data, m.size, arena, &f, &why, NULL) == ERR_OK);
	demand((f.type == FRAME_HELLO) == !c->greeted);
	if (f.type == FRAME_HELLO)
		controller_hello(w, c, f.hello);
	else if (f.type == FRAME_REPORT)
		controller_report(w, c, f.report);
	if (c->late && --c->late == 0)
		hang_up(w, c);
	arena_free(arena);
	free(m.data);
}

/* ---- the session's world ---- */

static uint64_t io_wall(void *ctx)
{
	return 1700000000000 + ((struct world *)ctx)->now_ms;
}

static enum err_code io_dial(void *ctx, struct err *reterr)
{
	struct world *w = ctx;
	demand(!w->dialling && !w->mine);
	if (w->faults && chance(w, 5))
		return err_set(reterr, ERR_NOMEM, "no memory");
	w->dialling = true;
	return ERR_OK;
}

static enum err_code io_send(void *ctx, struct bytes frame, struct err *reterr)
{
	struct world *w = ctx;
	demand(w->mine);
	if (w->closing)
		return err_set(reterr, ERR_STATE, "closing");
	if (w->mine->to_controller.count > 280 || (w->faults && chance(w, 3)))
		return err_set(reterr, ERR_FULL, "full");
	if (!w->mine->to_controller_ended)
		push(&w->mine->to_controller, frame);
	return ERR_OK;
}

static void io_close(void *ctx, bool wrong, const char *reason)
{
	struct world *w = ctx;
	(void)reason;
	demand(!wrong); /* this controller keeps to the rules */
	w->closing = true;
}

static void cut(struct world *w)
{
	if (w->mine) {
		w->mine->to_agent_ended = true;
		if (chance(w, 50)) /* what was under way may still arrive */
			w->mine->to_controller_ended = true;
	}
	w->mine = NULL;
	w->dialling = w->closing = false;
}

static void io_abandon(void *ctx)
{
	cut(ctx);
}

static void io_tell(void *ctx, const struct channel_message *m)
{
	struct world *w = ctx;
	if (m->type != CHANNEL_SPOOLED)
		return;
	demand(m->spooled->token == w->answered + 1);
	w->answered++;
	w->told_of[w->base + w->answered] = true;
}

/* A spool that failed ends its process, after whatever it is in the middle of. */
static void check(enum err_code rc, const struct err *err)
{
	current->broken |= current->faults && rc == ERR_IO;
	if (rc != ERR_OK && !current->broken)
		fail_msg("seed %llu: %s", (unsigned long long)current->seed, err->msg);
}

/* ---- the keeper and its link ---- */

static void link_begin(struct world *w)
{
	struct session_config config = {
	    .host = "web-1", .version = "0.1", .boot = w->run, .spool = w->spool, .random = &w->random};
	struct session_io io = {w, io_wall, io_dial, io_send, io_close, io_abandon, io_tell};
	struct channel_declare d = {0};
	struct err err = ERR_INIT;
	check(session_new(&config, &io, &w->session, &err), &err);
	session_on_identity(w->session, 1, w->now_ms);
	check(session_on_declare(w->session, &d, w->now_ms, &err), &err);
	w->handed = w->answered; /* what was not answered goes first, in order */
}

static void link_killed(struct world *w)
{
	seen.kills++;
	session_free(w->session);
	spool_memory_restart(w->spool);
	w->broken = false;
	cut(w);
	link_begin(w);
}

static void keeper_killed(struct world *w)
{
	w->run.b[0]++;
	w->base = w->numbers; /* what was not spooled is lost with it */
	w->token = w->answered = 0;
	link_killed(w);
}

static void hand_over(struct world *w)
{
	static struct link_report room[SPOOL_BATCH_MAX];
	struct session_report batch[SPOOL_BATCH_MAX];
	struct err err = ERR_INIT;
	size_t n = 0;
	uint64_t answered = w->answered;
	size_t most = 1 + random_below(&w->random, SPOOL_BATCH_MAX);
	for (; n < most && w->handed + n < w->token; n++) {
		uint64_t token = w->handed + n + 1, number = w->base + token;
		batch[n] = (struct session_report){
		    token, link_report_make(
			       &room[n], number, (enum importance)(number % IMPORTANCE_COUNT), number * 37 % 300)};
	}
	if (!n)
		return;
	bool full = w->faults && chance(w, 5);
	if (full)
		spool_memory_fail(w->spool, 0, ERR_FULL);
	enum err_code rc = session_on_reports(w->session, batch, n, w->now_ms, &err);
	if (full)
		spool_memory_fail(w->spool, 0, ERR_OK);
	if (rc != ERR_FULL)
		check(rc, &err);
	if (rc != ERR_OK) {
		demand(w->answered == answered);
		return;
	}
	w->handed += n;
	demand(w->answered == w->handed);
}

/* ---- one step ---- */

static void network_connects(struct world *w)
{
	struct connection *c = !w->connections[0].used ? &w->connections[0] : &w->connections[1];
	struct err err = ERR_INIT;
	w->dialling = false;
	if (c->used || (w->faults && chance(w, 30))) {
		session_on_closed(w->session, "unreachable", w->now_ms);
		return;
	}
	*c = (struct connection){.used = true};
	w->mine = c;
	w->closing = false;
	check(session_on_connected(w->session, w->now_ms, &err), &err);
}

static void agent_sees_the_end(struct world *w)
{
	cut(w);
	session_on_closed(w->session, "the connection broke", w->now_ms);
}

static void agent_gets(struct world *w)
{
	struct message m = pop(&w->mine->to_agent);
	struct err err = ERR_INIT;
	check(session_on_frame(w->session, (struct bytes){m.data, m.size}, w->now_ms, &err), &err);
	free(m.data);
}

static void break_something(struct world *w)
{
	switch (random_below(&w->random, 12)) {
	case 0:
		link_killed(w);
		break;
	case 1:
		if (chance(w, 30))
			keeper_killed(w);
		break;
	case 2:
		controller_killed(w);
		break;
	case 3:
		if (w->mine)
			agent_sees_the_end(w);
		break;
	case 4:
		if (w->live)
			hang_up(w, w->live);
		break;
	case 5:
		session_on_identity(w->session, 2, w->now_ms);
		break;
	case 6:
		spool_memory_fail(w->spool, (unsigned)random_below(&w->random, 3), ERR_IO);
		break;
	default:
		break;
	}
}

static void move_agent(struct world *w)
{
	struct err err = ERR_INIT;
	if (w->dialling && chance(w, 60))
		network_connects(w);
	if (w->mine && w->mine->to_agent.count && chance(w, 80))
		agent_gets(w);
	else if (w->mine && !w->mine->to_agent.count && (w->mine->to_controller_ended || w->closing) && chance(w, 50))
		agent_sees_the_end(w);
	if (w->mine && chance(w, 30))
		check(session_on_drained(w->session, w->now_ms, &err), &err);
	if (session_due_ms(w->session) <= w->now_ms)
		check(session_on_tick(w->session, w->now_ms, &err), &err);
}

static void step(struct world *w)
{
	w->now_ms += random_below(&w->random, w->faults ? 200 : 1000);
	if (w->faults && w->numbers + 10 < REPORTS_MAX && chance(w, 50)) {
		uint64_t more = 1 + random_below(&w->random, 8);
		w->token += more;
		w->numbers += more;
	}
	hand_over(w);
	move_agent(w);
	for (size_t i = 0; i < 2; i++) {
		struct connection *c = &w->connections[i];
		for (int n = 0; n < 40 && c->to_controller.count && !c->to_controller_ended && chance(w, 90); n++)
			controller_gets(w, c);
		if (c->used && c->to_agent_ended && !c->to_controller.count && chance(w, 20))
			hang_up(w, c); /* its pings are not answered */
		tidy(w, c);
	}
	if (w->taken != w->acknowledged && chance(w, 40))
		controller_commit(w);
	if (w->broken)
		link_killed(w);
}

static bool is_settled(const struct world *w)
{
	struct spool_state s;
	spool_state(w->spool, &s);
	return w->handed == w->token && w->acknowledged + 1 == s.next && s.first == s.next;
}

static void finish(struct world *w)
{
	unsigned n = 0;
	w->faults = false;
	spool_memory_fail(w->spool, 0, ERR_OK);
	for (; !is_settled(w) && n < SETTLE_STEPS; n++)
		step(w);
	demand(n < SETTLE_STEPS);
	uint64_t missing = 0;
	for (uint64_t i = 1; i <= w->numbers; i++)
		missing += w->told_of[i] && !w->applied[i];
	seen.lost += w->lost;
	seen.applied += w->acknowledged - w->lost;
	demand(missing <= w->lost);
	demand(w->small || missing == 0);
}

static void run(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;
	current = w;
	w->seed = seed;
	w->faults = true;
	random_init_seed(&w->random, seed);
	w->small = seed % 4 == 0;
	w->run.b[1] = 1;
	check(spool_open_memory(w->small ? 8000 : 1 << 24, &w->spool, &err), &err);
	link_begin(w);
	for (int i = 0; i < STEPS; i++) {
		step(w);
		if (chance(w, 8))
			break_something(w);
	}
	finish(w);
	for (size_t i = 0; i < 2; i++) {
		drop_all(&w->connections[i].to_agent);
		drop_all(&w->connections[i].to_controller);
	}
	session_free(w->session);
	spool_close(w->spool);
	free(w);
}

static uint64_t first_seed = 1, seed_count = SEEDS;

static void every_report_counts_once(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < seed_count; i++)
		run(first_seed + i);
	print_message("%llu reports applied, %llu lost, %llu sent again, over %llu hellos and %llu killed links\n",
	    (unsigned long long)seen.applied, (unsigned long long)seen.lost, (unsigned long long)seen.repeated,
	    (unsigned long long)seen.hellos, (unsigned long long)seen.kills);
	if (seed_count == SEEDS)
		assert_true(
		    seen.lost > SEEDS && seen.repeated > SEEDS / 10 && seen.hellos > 5 * SEEDS && seen.kills > SEEDS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_report_counts_once),
	};
	if (argc > 1) {
		first_seed = strtoull(argv[1], NULL, 10);
		seed_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
