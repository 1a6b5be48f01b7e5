/* Dialling: every way to fail ends in exactly one on_ended; what is said both ways; coming back after a crash. */
#include "tests/contract/shared/ws/both.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "shared/base/openssl.h"
#include <netinet/in.h>
#include <openssl/ssl.h>

#include "shared/base/clock.h"
#include "tests/lib/slowness.h"

static const struct pki_spec host = {.role = TLS_ROLE_HOST, .name = "web-1"};

/* One attempt that must end so, once. */
static void attempt(struct rig *r, struct ws_dialer *d, const char *url, const char *line)
{
	rig_forget(r);
	rig_connect(r, d, url);
	rig_expect(r, line, NULL, 0);
	assert_int_equal(rig_count(r, "down"), 1);
	assert_int_equal(rig_count(r, "up"), 0);
}

static void attempt_port(struct rig *r, struct ws_dialer *d, uint16_t port, const char *line)
{
	char url[64];
	snprintf(url, sizeof(url), "wss://127.0.0.1:%u/", port);
	attempt(r, d, url, line);
}

static void quick(struct ws_dialer_config *c)
{
	c->timeout_ms = 1500;
}

static uint16_t listening(int *ret_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*ret_fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(*ret_fd, 16), 0);
	assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&a, &size), 0);
	return ntohs(a.sin_port);
}

static void nobody_there(void **state)
{
	struct rig *r = *state;
	struct ws_dialer *d = rig_dialer(r, &host, quick);
	int fd;
	uint16_t port = listening(&fd);
	close(fd);
	attempt_port(r, d, port, "down unreachable");
	attempt(r, d, "wss://no-such-name.invalid:1/", "down bad-address");
	/* A port that accepts and says nothing: the watchdog. */
	port = listening(&fd);
	uint64_t before = clock_mono_ms();
	attempt_port(r, d, port, "down timed-out");
	assert_in_range(clock_mono_ms() - before, 1400, 4000 * SLOWNESS);
	close(fd);
}

/* A TCP server that does one thing to each connection, then hangs up. */
struct villain {
	int fd;
	uint16_t port;
	const char *says;
	pthread_t thread;
	atomic_bool stop;
};

static void *villain_run(void *arg)
{
	struct villain *v = arg;
	while (!atomic_load(&v->stop)) {
		int c = accept(v->fd, NULL, NULL);
		if (c < 0)
			break;
		if (v->says)
			send(c, v->says, strlen(v->says), MSG_NOSIGNAL);
		if (v->says) { /* let it be read: a reset could be faster */
			char waste[4096];
			shutdown(c, SHUT_WR);
			while (recv(c, waste, sizeof(waste), 0) > 0)
				;
		}
		close(c);
	}
	return NULL;
}

static void villain_start(struct villain *v, const char *says)
{
	atomic_init(&v->stop, false);
	v->says = says;
	v->port = listening(&v->fd);
	assert_int_equal(pthread_create(&v->thread, NULL, villain_run, v), 0);
}

static void villain_stop(struct villain *v)
{
	atomic_store(&v->stop, true);
	shutdown(v->fd, SHUT_RDWR);
	pthread_join(v->thread, NULL);
	close(v->fd);
}

static void hung_up_on(void **state)
{
	struct rig *r = *state;
	struct ws_dialer *d = rig_dialer(r, &host, quick);
	struct villain v;
	villain_start(&v, NULL);
	attempt_port(r, d, v.port, "down");
	villain_stop(&v);
	villain_start(&v, "SSH-2.0-OpenSSH_9.2\r\n");
	attempt_port(r, d, v.port, "down server-refused handshake-failed");
	villain_stop(&v);
}

static struct tls_identity *served;
static void serve_it(struct ws_listener_config *c)
{
	if (served)
		c->port.identity = served;
}

static void servers_that_are_not_ours(void **state)
{
	struct rig *r = *state;
	const struct {
		const struct pki_authority *issuer;
		struct pki_spec spec;
		const char *line;
	} cases[] = {
	    {rig_foreign(), {.role = TLS_ROLE_CONTROLLER, .name = "c1"}, "down server-refused wrong-authority"},
	    {rig_issuing(), {.role = TLS_ROLE_CONTROLLER, .name = "c2"}, "down server-refused wrong-name"},
	    {rig_issuing(), {.role = TLS_ROLE_HOST, .name = "c1"}, "down server-refused wrong-role"},
	    {rig_issuing(), {.role = TLS_ROLE_CONTROLLER, .name = "c1", .domain = "b.example"},
		"down server-refused wrong-domain"},
	    {rig_issuing(), {.role = TLS_ROLE_CONTROLLER, .name = "c1", .usage = PKI_CLIENT},
		"down server-refused wrong-usage"},
	    {rig_issuing(), {.role = TLS_ROLE_CONTROLLER, .name = "c1", .from_s = -9, .until_s = -5},
		"down server-refused expired"},
	    {rig_issuing(), {.role = TLS_ROLE_CONTROLLER, .name = "c1", .from_s = 90, .until_s = 95},
		"down server-refused not-yet-valid"},
	};
	/* The operating system trusts the foreign authority: here it counts for nothing. */
	char path[] = "/tmp/kedge-ca-XXXXXX";
	struct buf pem = BUF_INIT;
	close(mkstemp(path));
	pki_root_pem(rig_foreign(), &pem);
	pki_write(path, &pem);
	setenv("SSL_CERT_FILE", path, 1);
	struct ws_dialer *d = rig_dialer(r, &host, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *server = rig_new(use_libuv);
		served = pki_identity(cases[i].issuer, &cases[i].spec);
		rig_listen(server, serve_it, 0);
		attempt_port(r, d, rig_port(server), cases[i].line);
		assert_int_equal(rig_count(server, "open"), 0);
		rig_free(server);
		tls_identity_free(served);
		served = NULL;
	}
	unsetenv("SSL_CERT_FILE");
	unlink(path);
	buf_done(&pem);
}

/* PLATFORM's fourth trap: refused clients hear of it in any of several ways.  Many times, so that all of them come. */
static void refused_by_the_server(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	struct ws_dialer *d =
	    rig_dialer(r, &(struct pki_spec){.role = TLS_ROLE_HOST, .from_s = -9, .until_s = -5}, NULL);
	for (int i = 0; i < 30; i++)
		attempt_port(r, d, rig_port(r), "down refused-by-server");
	attempt_port(r, d, rig_port(r), "down refused-by-server accepted 0");
	rig_expect(r, "refused expired", NULL, 0);
	struct ws_dialer *operator_ = rig_dialer(r, &(struct pki_spec){.role = TLS_ROLE_OPERATOR}, NULL);
	attempt_port(r, operator_, rig_port(r), "down refused-by-server");
}

static void without_proxy(void **state)
{
	struct rig *r = *state;
	/* The loop of the fixture was made before: what counts is what a dialer reads. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	struct rig *fresh = rig_new(use_libuv);
	rig_listen(r, NULL, 0);
	rig_connect_port(fresh, rig_dialer(fresh, &host, NULL), rig_port(r));
	rig_expect(fresh, "up c1", NULL, 0);
	rig_free(fresh);
	unsetenv("http_proxy");
	unsetenv("https_proxy");
}

static void by_name(void **state)
{
	struct rig *r = *state;
	char url[64];
	rig_listen(r, NULL, 0);
	snprintf(url, sizeof(url), "wss://localhost:%u/agent", rig_port(r));
	rig_connect(r, rig_dialer(r, &host, NULL), url); /* ::1 first perhaps, where nobody listens */
	rig_expect(r, "up c1", NULL, 0);
}

struct talk {
	struct rig *r;
	struct ws_conn *conn;
	const void *data;
	size_t size;
	enum err_code rc;
};

static void say(void *arg)
{
	struct talk *t = arg;
	t->rc = ws_send(t->conn ? t->conn : rig_last(t->r), t->data, t->size, NULL);
}

static void both_ways(void **state)
{
	struct rig *r = *state;
	size_t mib = 1 << 20;
	char *big = malloc(mib + 1);
	memset(big, 'M', mib + 1);
	rig_listen(r, NULL, 0);
	struct ws_conn *up = rig_connect_port(r, rig_dialer(r, &host, NULL), rig_port(r));
	rig_expect(r, "up c1", NULL, 0);
	rig_expect(r, "open web-1", NULL, 0);
	struct talk to_server = {r, up, big, mib, ERR_OK}, to_agent = {r, NULL, big, mib, ERR_OK};
	for (int i = 0; i < 3; i++) {
		rig_call(r, say, &to_server);
		rig_call(r, say, &to_agent);
		assert_int_equal(to_server.rc, ERR_OK);
		assert_int_equal(to_agent.rc, ERR_OK);
	}
	rig_expect_count(r, "message 1048576 M", 3);
	rig_expect_count(r, "got 1048576 M", 3);
	to_server.size = mib + 1;
	rig_call(r, say, &to_server);
	assert_int_equal(to_server.rc, ERR_LIMIT);
	assert_int_equal(rig_count(r, "closed") + rig_count(r, "down"), 0);
	free(big);
}

static void larger(struct ws_dialer_config *c)
{
	c->message_limit_bytes = 2 << 20;
}

static void too_big_for_the_server(void **state)
{
	struct rig *r = *state;
	size_t size = (1 << 20) + 1;
	char *big = calloc(1, size);
	rig_listen(r, NULL, 0);
	struct ws_conn *up = rig_connect_port(r, rig_dialer(r, &host, larger), rig_port(r));
	rig_expect(r, "up c1", NULL, 0);
	struct talk t = {r, up, big, size, ERR_OK};
	rig_call(r, say, &t);
	assert_int_equal(t.rc, ERR_OK);
	rig_expect(r, "closed too-big", NULL, 0);
	rig_expect(r, "down", NULL, 0);
	assert_int_equal(rig_count(r, "down"), 1);
	free(big);
}

static void close_last(void *arg)
{
	struct rig *r = arg;
	ws_close(rig_last(r), WS_CODE_TRY_LATER, "later");
}

static void close_up(void *arg)
{
	ws_close(arg, WS_CODE_NORMAL, "done");
}

static void goodbyes(void **state)
{
	struct rig *r = *state;
	struct ws_dialer *d = rig_dialer(r, &host, NULL);
	rig_listen(r, NULL, 0);
	rig_connect_port(r, d, rig_port(r));
	rig_expect(r, "open", NULL, 0);
	rig_expect(r, "up", NULL, 0);
	rig_call(r, close_last, r);
	rig_expect(r, "closed closed-here", NULL, 0);
	rig_expect(r, "down closed-by-peer accepted 4013 later", NULL, 0);
	rig_forget(r);
	struct ws_conn *up = rig_connect_port(r, d, rig_port(r));
	rig_expect(r, "open", NULL, 0);
	rig_expect(r, "up", NULL, 0);
	rig_call(r, close_up, up);
	rig_expect(r, "down closed-here", NULL, 0);
	rig_expect(r, "closed closed-by-peer 1000 done", NULL, 0);
	assert_int_equal(rig_count(r, "down"), 1);
	assert_int_equal(rig_count(r, "closed"), 1);
}

static void free_dialer(void *arg)
{
	ws_dialer_free(arg);
}

static void freed_in_every_state(void **state)
{
	struct rig *r = *state;
	int fd;
	uint16_t silent = listening(&fd);
	rig_listen(r, NULL, 0);
	struct ws_dialer *open_one = rig_dialer(r, &host, NULL), *waiting = rig_dialer(r, &host, NULL),
			 *naming = rig_dialer(r, &host, NULL), *idle = rig_dialer(r, &host, NULL);
	rig_connect_port(r, open_one, rig_port(r));
	rig_expect(r, "up", NULL, 0);
	rig_connect_port(r, waiting, silent);
	rig_connect(r, naming, "wss://no-such-name.invalid:1/");
	rig_call(r, free_dialer, open_one);
	rig_call(r, free_dialer, waiting);
	rig_call(r, free_dialer, naming);
	rig_call(r, free_dialer, idle);
	rig_expect_count(r, "down", 3);
	assert_true(rig_count(r, "down stopped") >= 2);
	rig_expect(r, "closed lost", NULL, 0);
	close(fd);
}

static struct tls_identity *fresh;
static void give_fresh(void *arg)
{
	ws_dialer_set_identity(arg, fresh);
}

static void identity_is_read_at_each_connect(void **state)
{
	struct rig *r = *state;
	struct ws_dialer *d = rig_dialer(r, &host, NULL);
	rig_listen(r, NULL, 0);
	rig_connect_port(r, d, rig_port(r));
	rig_expect(r, "open web-1", NULL, 0);
	fresh = pki_identity(rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "web-renewed"});
	rig_call(r, give_fresh, d);
	tls_identity_free(fresh);
	rig_connect_port(r, d, rig_port(r));
	rig_expect(r, "open web-renewed", NULL, 0);
	assert_int_equal(rig_count(r, "closed"), 0);
}

/* ---- a server that is killed and comes back, eight times, with 200 agents ---- */

enum { AGENTS = 200, RESTARTS = 8 };

/* A child process with a listener on port (0: any); its port comes through a pipe. */
static pid_t serve(uint16_t port, uint16_t *ret_port)
{
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct rig *server = rig_new(use_libuv);
		rig_listen(server, NULL, port);
		uint16_t mine = rig_port(server);
		if (write(pipe_fds[1], &mine, sizeof(mine)) != sizeof(mine))
			_exit(1);
		for (;;)
			pause();
	}
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], ret_port, sizeof(*ret_port)), sizeof(*ret_port));
	close(pipe_fds[0]);
	return pid;
}

struct fleet {
	struct rig *r;
	struct ws_dialer *dialer;
	char url[64];
	unsigned up, ended;
	struct agent {
		struct fleet *fleet;
		struct ws_conn *conn;
		struct ws_timer *again;
		unsigned backoff;
	} agents[AGENTS];
};

static void agent_dials(void *user)
{
	struct agent *a = user;
	struct err e = ERR_INIT;
	if (ws_connect(a->fleet->dialer, a->fleet->url, a, &a->conn, &e) != ERR_OK)
		fail_msg("%s", e.msg);
}

static void agent_up(void *user, struct ws_conn *conn)
{
	struct fleet *f = user;
	struct agent *a = ws_user(conn);
	assert_ptr_equal(a->conn, conn);
	a->backoff = 0;
	if (++f->up == AGENTS)
		rig_note(f->r, "all up");
}

static void agent_down(void *user, struct ws_conn *conn, const struct ws_ended *ended)
{
	struct fleet *f = user;
	struct agent *a = ws_user(conn);
	assert_ptr_equal(a->conn, conn); /* once, and for the attempt that is under way */
	a->conn = NULL;
	f->ended++;
	bool was_up = ended->end == WS_LOST || ended->end == WS_UNRESPONSIVE || ended->end == WS_CLOSED_BY_PEER;
	if (was_up && f->up > 0 && a->backoff == 0 && --f->up == 0)
		rig_note(f->r, "all down");
	if (ended->end == WS_STOPPED)
		return;
	a->backoff = a->backoff < 200 ? a->backoff + 20 : 200;
	ws_timer_set(a->again, a->backoff + (unsigned)(a - f->agents) % 50);
}

static void ignore_message(void *user, struct ws_conn *conn, struct bytes m)
{
	(void)user, (void)conn, (void)m;
}

static void fleet_starts(void *arg)
{
	struct fleet *f = arg;
	struct tls_identity *identity = pki_identity(rig_issuing(), &host);
	struct ws_dialer_config config = {.identity = identity,
	    .trust = rig_trust(),
	    .domain = PKI_DOMAIN,
	    .subprotocol = RIG_PROTOCOL,
	    .timeout_ms = 10000,
	    .user = f,
	    .on_open = agent_up,
	    .on_message = ignore_message,
	    .on_ended = agent_down};
	assert_int_equal(ws_dialer_new(rig_loop(f->r), &config, &f->dialer, NULL), ERR_OK);
	tls_identity_free(identity);
	for (size_t i = 0; i < AGENTS; i++) {
		f->agents[i].fleet = f;
		f->agents[i].again = ws_timer_new(rig_loop(f->r), agent_dials, &f->agents[i]);
		agent_dials(&f->agents[i]);
	}
}

static void everybody_comes_back(void **state)
{
	(void)state;
	uint16_t port = 0;
	static struct fleet f;
#ifdef __SANITIZE_THREAD__
	skip(); /* it does not follow a fork of a process with threads */
#endif
	rig_root(); /* before the fork: both sides must believe the same */
	pid_t server = serve(0, &port);
	f = (struct fleet){.r = rig_new(use_libuv)};
	snprintf(f.url, sizeof(f.url), "wss://127.0.0.1:%u/", port);
	rig_call(f.r, fleet_starts, &f);
	rig_expect(f.r, "all up", NULL, 0);
	for (int i = 0; i < RESTARTS; i++) {
		rig_forget(f.r);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = serve(port, &port);
		rig_expect(f.r, "all up", NULL, 0); /* 200 of 200 */
		assert_int_equal(f.up, AGENTS);
	}
	rig_free(f.r);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everybody_comes_back), /* first: it forks */
	    RIG_TEST(nobody_there),
	    RIG_TEST(hung_up_on),
	    RIG_TEST(servers_that_are_not_ours),
	    RIG_TEST(refused_by_the_server),
	    RIG_TEST(without_proxy),
	    RIG_TEST(by_name),
	    RIG_TEST(both_ways),
	    RIG_TEST(too_big_for_the_server),
	    RIG_TEST(goodbyes),
	    RIG_TEST(freed_in_every_state),
	    RIG_TEST(identity_is_read_at_each_connect),
	};
	return RUN_BOTH(tests);
}
