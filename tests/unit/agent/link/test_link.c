/* The link process itself: link_main in a child, a controller's port with real certificates here, and this test as the
 * keeper at the other end of the channel. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/channel/channel.h"
#include "agent/link/limits.h"
#include "agent/link/link.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/ws/listener.h"
#include "tests/lib/link_reports.h"
#include "tests/lib/pki/pki.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum { NOBODY = 65534, WAIT_MS = 20000, RECEIVED_MAX = 20000, SPOOL_LIMIT = 4 << 20 };

/* Everything of one test.  The loop is the controller's; the keeper's end of the channel is watched on it. */
struct world {
	char folder[SCRATCH_PATH], spool[128], authority[128], url[64];
	struct pki_authority *root, *issuing;
	struct tls_identity *controller;
	struct tls_trust *trust;
	struct ws_loop *loop;
	struct ws_listener *listener;
	struct ws_timer *deadline, *poll;
	uint16_t port;
	/* the controller */
	struct ws_conn *conn;
	char serial[TLS_SERIAL_MAX];
	unsigned hellos;
	bool silent; /* acknowledges nothing */
	struct hello hello;
	struct arena *arena;
	uint64_t acknowledged, received[RECEIVED_MAX], received_count;
	/* the keeper */
	pid_t pid;
	int status;
	struct channel *channel;
	struct ws_watch *watch;
	struct id boot;
	uint64_t token, spooled, orders;
	bool up, channel_ended;
	bool (*until)(struct world *w);
	uint64_t least_ms;
};

static struct err err;
#define ok(CALL)                                                                                                       \
	do {                                                                                                           \
		err = ERR_INIT;                                                                                        \
		if ((CALL) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #CALL, err.msg);                                                            \
	} while (0)

static void look(struct world *w)
{
	if (w->until && w->until(w))
		ws_loop_stop(w->loop);
}

/* ---- the controller ---- */

static void say(struct world *w, enum frame_type type, const void *body)
{
	struct buf out = BUF_INIT;
	ok(message_encode(type, body, &out, &err));
	ok(ws_send(w->conn, out.data, out.size, &err));
	buf_done(&out);
}

static void on_hello(struct world *w, const struct hello *h)
{
	struct welcome welcome = {.version = MESSAGE_VERSION,
	    .controller = "c1",
	    .epoch = 1,
	    .acknowledged = w->acknowledged,
	    .clock_ms = clock_wall_ms(),
	    .heartbeat_ms = 1000,
	    .retry_ms = 500};
	arena_reset(w->arena);
	ok(record_copy(&hello_type, h, w->arena, &w->hello, &err));
	w->hellos++;
	text_copy(w->serial, sizeof(w->serial), ws_peer(w->conn)->serial);
	say(w, FRAME_WELCOME, &welcome);
}

/* As controller/fleet does: in order, once. */
static void on_report(struct world *w, const struct report *r)
{
	struct ack ack;
	assert_true(r->sequence <= w->acknowledged + 1);
	if (w->silent)
		return;
	if (r->sequence == w->acknowledged + 1) {
		assert_int_equal(r->through, 0);
		assert_true(w->received_count < RECEIVED_MAX);
		w->received[w->received_count++] = link_report_number(r);
		w->acknowledged = r->sequence;
	}
	ack.sequence = w->acknowledged;
	say(w, FRAME_ACK, &ack);
}

static void on_open(void *user, struct ws_conn *conn)
{
	struct world *w = user;
	w->conn = conn;
}

static void on_message(void *user, struct ws_conn *conn, struct bytes message)
{
	struct world *w = user;
	struct arena *arena = arena_new(0);
	struct frame f;
	enum bye_reason why;
	if (conn == w->conn) {
		ok(message_decode(SIDE_AGENT, message.data, message.size, arena, &f, &why, &err));
		if (f.type == FRAME_HELLO)
			on_hello(w, f.hello);
		else if (f.type == FRAME_REPORT)
			on_report(w, f.report);
	}
	arena_free(arena);
	look(w);
}

static void on_closed(void *user, struct ws_conn *conn, const struct ws_ended *ended)
{
	struct world *w = user;
	(void)ended;
	if (conn == w->conn)
		w->conn = NULL;
	look(w);
}

static void controller_start(struct world *w)
{
	struct ws_listener_config config = {
	    .port = {.address = "127.0.0.1",
		.port = w->port,
		.identity = w->controller,
		.trust = w->trust,
		.domain = PKI_DOMAIN,
		.roles = TLS_ROLE_BIT(TLS_ROLE_HOST)},
	    .subprotocol = MESSAGE_SUBPROTOCOL,
	    .user = w,
	    .on_open = on_open,
	    .on_message = on_message,
	    .on_closed = on_closed,
	};
	ok(ws_listener_new(w->loop, &config, &w->listener, &err));
	w->port = ws_listener_port(w->listener);
	snprintf(w->url, sizeof(w->url), "wss://127.0.0.1:%u", w->port);
}

/* ---- the keeper ---- */

static void on_channel(void *user)
{
	struct world *w = user;
	bool found = true;
	while (found && !w->channel_ended) {
		struct arena *arena = arena_new(0);
		struct channel_message m;
		enum err_code rc = channel_receive(w->channel, arena, &m, &found, &err);
		w->channel_ended = rc != ERR_OK;
		if (rc == ERR_OK && found) {
			if (m.type == CHANNEL_SPOOLED) {
				assert_int_equal(m.spooled->token, w->spooled + 1);
				w->spooled = m.spooled->token;
			} else if (m.type == CHANNEL_CONNECTION) {
				w->up = m.connection->up;
			} else if (m.type == CHANNEL_ORDER) {
				w->orders++;
			}
		}
		arena_free(arena);
	}
	look(w);
}

static void tell(struct world *w, const struct channel_message *m)
{
	enum err_code rc = channel_send(w->channel, m, &err);
	if (rc != ERR_OK && rc != ERR_UNREACHABLE) /* a link that has ended is noticed in its own time */
		fail_msg("%s", err.msg);
}

static void send_identity(struct world *w)
{
	struct pki_leaf leaf = {0};
	pki_issue(w->issuing, &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "web-1"}, &leaf);
	struct channel_identity body = {buf_str(&leaf.chain_pem), buf_bytes(&leaf.key_pem)};
	tell(w, &(struct channel_message){.type = CHANNEL_IDENTITY, .identity = &body});
	pki_leaf_done(&leaf);
}

static void send_report(struct world *w, uint64_t number)
{
	struct link_report room;
	tell(w, &(struct channel_message){.type = CHANNEL_REPORT,
		    .token = number,
		    .report = link_report_make(&room, number, IMPORTANCE_EVENT, 200)});
}

/* The link as the keeper begins it: what was not answered goes first. */
static void link_start(struct world *w)
{
	struct link_options o = {.url = w->url,
	    .controller = "c1",
	    .domain = PKI_DOMAIN,
	    .host = "web-1",
	    .authority = w->authority,
	    .spool = w->spool,
	    .spool_limit_bytes = SPOOL_LIMIT,
	    .boot = w->boot,
	    .drop_privileges = geteuid() == 0,
	    .uid = NOBODY,
	    .gid = NOBODY,
	    .debug = true};
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0)
		_exit(link_main(pair[1], &o));
	close(pair[1]);
	ok(channel_new(pair[0], CHANNEL_KEEPER, &w->channel, &err));
	ok(ws_watch_new(w->loop, pair[0], on_channel, w, &w->watch, &err));
	w->channel_ended = w->up = false;
	struct channel_declare declare = {.epoch_seen = 7};
	send_identity(w);
	tell(w, &(struct channel_message){.type = CHANNEL_DECLARE, .declare = &declare});
	for (uint64_t t = w->spooled + 1; t <= w->token; t++)
		send_report(w, t);
}

static void report(struct world *w, unsigned count)
{
	while (count-- > 0)
		send_report(w, ++w->token);
}

/* ---- waiting ---- */

static void too_late(void *user)
{
	struct world *w = user;
	fprintf(stderr, "waited in vain: up %d, hellos %u, tokens %llu, spooled %llu, received %llu\n", w->up,
	    w->hellos, (unsigned long long)w->token, (unsigned long long)w->spooled,
	    (unsigned long long)w->received_count);
	if (w->pid > 0)
		kill(w->pid, SIGKILL);
	abort();
}

/* What the link's end of the channel had no room for goes on. */
static void flush_now_and_then(void *user)
{
	struct world *w = user;
	ws_timer_set(w->poll, 5); /* some conditions are of the outside, a process */
	if (w->channel && !w->channel_ended)
		(void)!channel_flush(w->channel, &err);
	look(w);
}

static void wait_for(struct world *w, bool (*until)(struct world *w))
{
	if (until(w))
		return;
	w->until = until;
	ws_timer_set(w->deadline, WAIT_MS);
	ws_timer_set(w->poll, 5);
	ok(ws_loop_run(w->loop, &err));
	ws_timer_stop(w->deadline);
	ws_timer_stop(w->poll);
	w->until = NULL;
}

/* ---- the end of a link ---- */

static bool is_gone(struct world *w)
{
	return waitpid(w->pid, &w->status, WNOHANG) == w->pid;
}

static void hang_up(struct world *w)
{
	ws_watch_free(w->watch);
	channel_free(w->channel);
	w->watch = NULL;
	w->channel = NULL;
}

static int link_end(struct world *w)
{
	wait_for(w, is_gone);
	w->pid = 0;
	hang_up(w);
	return WIFSIGNALED(w->status) ? 128 + WTERMSIG(w->status) : WEXITSTATUS(w->status);
}

static void link_kill(struct world *w)
{
	kill(w->pid, SIGKILL);
	assert_int_equal(link_end(w), 128 + SIGKILL);
}

static bool is_later(struct world *w)
{
	return clock_mono_ms() >= w->least_ms;
}

static bool is_up(struct world *w)
{
	return w->up && w->conn;
}

static bool is_down(struct world *w)
{
	return !w->up && !w->conn;
}

static bool all_spooled(struct world *w)
{
	return w->spooled == w->token;
}

static bool all_received(struct world *w)
{
	return all_spooled(w) && w->received_count >= w->token;
}

static bool has_ended(struct world *w)
{
	return w->channel_ended;
}

static void received_in_order(const struct world *w)
{
	assert_int_equal(w->received_count, w->token);
	for (uint64_t i = 0; i < w->received_count; i++)
		assert_int_equal(w->received[i], i + 1);
}

/* ---- setup ---- */

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct buf pem = BUF_INIT;
	struct random random;
	scratch_make(w->folder);
	snprintf(w->spool, sizeof(w->spool), "%s/state/spool", w->folder);
	snprintf(w->authority, sizeof(w->authority), "%s/authority.pem", w->folder);
	w->root = pki_authority_new("root", NULL);
	w->issuing = pki_authority_new("issuing", w->root);
	pki_root_pem(w->root, &pem);
	pki_write(w->authority, &pem);
	buf_done(&pem);
	w->controller = pki_identity(w->issuing, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "c1"});
	w->trust = pki_trust(w->root);
	w->arena = arena_new(0);
	random_init_system(&random);
	w->boot = id_new(clock_wall_ms(), &random);
	ok(ws_loop_new(&(struct ws_loop_config){.user = w}, &w->loop, &err));
	w->deadline = ws_timer_new(w->loop, too_late, w);
	w->poll = ws_timer_new(w->loop, flush_now_and_then, w);
	controller_start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	if (w->pid > 0)
		link_kill(w);
	ws_loop_free(w->loop);
	tls_identity_free(w->controller);
	tls_trust_free(w->trust);
	pki_authority_free(w->issuing);
	pki_authority_free(w->root);
	arena_free(w->arena);
	scratch_remove(w->folder);
	free(w);
	return 0;
}

/* ---- tests ---- */

static void reports_arrive_and_orders_come_back(void **state)
{
	struct world *w = *state;
	link_start(w);
	report(w, 500);
	wait_for(w, all_received);
	received_in_order(w);
	assert_string_equal(w->hello.host, "web-1");
	assert_int_equal(w->hello.epoch_seen, 7);
	assert_true(w->hello.certificate_expires_ms > clock_wall_ms());
	assert_true(id_equal(w->hello.boot, w->boot));
	struct order order = {.order = w->boot,
	    .kind = ORDER_PROBE,
	    .epoch = 1,
	    .issued_ms = 1,
	    .expires_ms = 2,
	    .run_limit_ms = 1000,
	    .host = "web-1",
	    .service = "portal",
	    .issuer = "ada"};
	say(w, FRAME_ORDER, &order);
	struct channel_stop stop = {5000};
	report(w, 1);
	tell(w, &(struct channel_message){.type = CHANNEL_STOP, .stop = &stop});
	uint64_t began = clock_mono_ms();
	wait_for(w, has_ended);
	assert_int_equal(link_end(w), 0);
	assert_true(clock_mono_ms() - began < 4000);
	assert_int_equal(w->orders, 1);
	received_in_order(w); /* the last one too */
}

static void a_broken_connection_is_made_again(void **state)
{
	struct world *w = *state;
	link_start(w);
	report(w, 10);
	wait_for(w, all_received);
	w->silent = true;
	report(w, 10);
	wait_for(w, all_spooled);
	w->silent = false;
	ws_listener_free(w->listener); /* no goodbye, and nobody there for a while */
	wait_for(w, is_down);
	report(w, 10);
	wait_for(w, all_spooled);
	controller_start(w);
	wait_for(w, all_received);
	received_in_order(w);
	assert_true(w->hello.first_sequence <= 11 && w->hello.last_sequence >= 20 && w->hellos >= 2);
}

static void a_renewed_certificate_is_used(void **state)
{
	struct world *w = *state;
	char serial[TLS_SERIAL_MAX];
	link_start(w);
	report(w, 1);
	wait_for(w, all_received);
	text_copy(serial, sizeof(serial), w->serial);
	send_identity(w);
	report(w, 1);
	wait_for(w, all_received);
	ws_close(w->conn, WS_CODE_GOING_AWAY, "come back");
	wait_for(w, is_down);
	report(w, 1);
	wait_for(w, all_received);
	assert_string_not_equal(serial, w->serial);
	received_in_order(w);
}

/* What was told to be durable survives; what was not is told again; each report counts once. */
static void kill_minus_nine_loses_and_repeats_nothing(void **state)
{
	struct world *w = *state;
	struct random random;
	random_init_seed(&random, 1);
	link_start(w);
	for (int i = 0; i < 25; i++) {
		report(w, 1 + (unsigned)random_below(&random, 100));
		if (i % 3 == 0)
			wait_for(w, all_spooled);
		else if (i % 3 == 1)
			usleep((useconds_t)random_below(&random, 20000)); /* anywhere: no order is meant by it */
		link_kill(w);
		link_start(w);
	}
	report(w, 1);
	wait_for(w, all_received);
	received_in_order(w);
}

static void the_link_ends_with_its_keeper(void **state)
{
	struct world *w = *state;
	link_start(w);
	report(w, 5);
	wait_for(w, all_received);
	report(w, 3); /* last words */
	hang_up(w);
	assert_int_equal(link_end(w), 0);
	w->spooled = w->token;
	link_start(w);
	wait_for(w, all_received); /* they were stored */
	received_in_order(w);
}

static void a_channel_that_talks_nonsense_ends_it(void **state)
{
	struct world *w = *state;
	link_start(w);
	wait_for(w, is_up);
	assert_int_equal(send(channel_fd(w->channel), "\0\0\0\1x", 5, 0), 5);
	wait_for(w, has_ended);
	assert_int_equal(link_end(w), 1);
}

static void a_spool_in_use_is_refused(void **state)
{
	struct world *w = *state;
	link_start(w);
	wait_for(w, is_up);
	pid_t first = w->pid;
	struct channel *c = w->channel;
	struct ws_watch *watch = w->watch;
	link_start(w);
	wait_for(w, has_ended);
	assert_int_equal(link_end(w), 1);
	w->pid = first;
	w->channel = c;
	w->watch = watch;
}

static unsigned long status_kb(pid_t pid, const char *name)
{
	char path[64], line[256];
	unsigned long kb = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kb = strtoul(line + strlen(name) + 1, NULL, strstr(name, "Cap") ? 16 : 10);
	fclose(f);
	return kb;
}

static void it_has_no_privilege_and_little_memory(void **state)
{
	struct world *w = *state;
	link_start(w);
	report(w, 2000);
	wait_for(w, all_received);
	assert_int_equal(status_kb(w->pid, "CapEff:"), 0);
	assert_int_equal(status_kb(w->pid, "NoNewPrivs:"), 1);
	assert_int_equal(status_kb(w->pid, "Seccomp:"), 2);
	if (geteuid() == 0)
		assert_int_equal(status_kb(w->pid, "Uid:"), NOBODY);

	/* What the handshake needed is given back some seconds after it. */
	uint64_t began = clock_mono_ms();
	w->least_ms = began + LINK_TRIM_MS + 1000;
	wait_for(w, is_later);
	unsigned long resident = status_kb(w->pid, "VmRSS:"), own = status_kb(w->pid, "RssAnon:");
	print_message("link: %lu KiB resident, %lu KiB of them its own (and the test's)\n", resident, own);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(resident < 9 << 10 && own < 5 << 10);
#endif
}

int main(int argc, char **argv)
{
	(void)argv;
	log_setup(NULL, argc > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(reports_arrive_and_orders_come_back),
	    TEST(a_broken_connection_is_made_again),
	    TEST(a_renewed_certificate_is_used),
	    TEST(kill_minus_nine_loses_and_repeats_nothing),
	    TEST(the_link_ends_with_its_keeper),
	    TEST(a_channel_that_talks_nonsense_ends_it),
	    TEST(a_spool_in_use_is_refused),
	    TEST(it_has_no_privilege_and_little_memory),
	};
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
