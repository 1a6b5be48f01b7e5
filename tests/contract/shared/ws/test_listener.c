/* The agents' port: who gets in, what is said, how it ends. */
#include "tests/contract/shared/ws/both.h"

#include "shared/base/openssl.h"
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "shared/base/clock.h"

static const struct pki_spec host = {.role = TLS_ROLE_HOST, .name = "web-1"};

static struct tls_revocations *revocations;
static void with_revocations(struct ws_listener_config *c)
{
	c->port.revocations = revocations;
}

/* What every refused peer sees: no websocket, and the end. */
static void refuse(struct rig *r, const struct pki_authority *issuer, const struct pki_spec *spec, const char *line)
{
	rig_forget(r);
	struct rough *c = rough_connect(rig_port(r), issuer, spec, 0);
	if (c) { /* under TLS 1.3 the refusal comes after the client's half of the handshake */
		assert_false(rough_upgrade(c, RIG_PROTOCOL));
		assert_true(rough_ended(c, 5000));
		rough_free(c);
	}
	rig_expect(r, line, NULL, 0);
	assert_int_equal(rig_count(r, "refused"), 1);
	assert_int_equal(rig_count(r, "open"), 0);
}

static void every_refusal(void **state)
{
	struct rig *r = *state;
	revocations = tls_revocations_new();
	const char *serials[] = {"5e"};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	rig_listen(r, with_revocations, 0);
	refuse(r, NULL, NULL, "refused no-certificate - local");
	refuse(r, rig_foreign(), &host, "refused wrong-authority web-1 local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "old", .from_s = -9, .until_s = -5},
	    "refused expired old local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "new", .from_s = 90, .until_s = 95},
	    "refused not-yet-valid new local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .name = "gone", .serial = 0x5e},
	    "refused revoked gone local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_OPERATOR, .name = "ada"},
	    "refused wrong-role ada local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .domain = "b.example", .name = "x"},
	    "refused wrong-domain x local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .usage = PKI_SERVER, .name = "s"},
	    "refused wrong-usage s local");
	refuse(r, rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .uri = "spiffe://x/y/z"},
	    "refused malformed-name - local");
	/* And the port still lets a good one in. */
	rig_forget(r);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_non_null(c);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	rig_expect(r, "open web-1", NULL, 0);
	rough_free(c);
	rig_expect(r, "closed lost", NULL, 0);
	assert_int_equal(rig_count(r, "refused"), 0);
}

static int free_revocations(void **state)
{
	rig_teardown(state);
	tls_revocations_free(revocations);
	return 0;
}

static void old_tls_is_refused(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	assert_null(rough_connect(rig_port(r), rig_issuing(), &host, TLS1_2_VERSION));
	rig_expect(r, "refused handshake-failed - local", NULL, 0);
}

static void no_ticket_is_issued(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_non_null(c);
	assert_true(
	    rough_upgrade(c, RIG_PROTOCOL)); /* anything that the server has to say after the handshake has come */
	SSL_SESSION *session = SSL_get1_session(rough_ssl(c));
	assert_false(SSL_SESSION_is_resumable(session));
	rough_free(c);
	/* Shown all the same, without a certificate, it opens nothing. */
	struct rough *again = rough_tcp(rig_port(r));
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, rough_fd(again));
	SSL_set_session(ssl, session);
	SSL_connect(ssl);
	char waste[16];
	assert_true(SSL_read(ssl, waste, sizeof(waste)) <= 0);
	assert_false(SSL_session_reused(ssl));
	rig_expect(r, "refused no-certificate", NULL, 0);
	SSL_SESSION_free(session);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	rough_free(again);
}

static void impatient(struct ws_listener_config *c)
{
	c->port.handshake_ms = 500;
	c->ping_ms = 1000;
}

/* What is not a websocket with our subprotocol, on a good certificate. */
#define H2C                                                                                                            \
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"                         \
	"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void other_tongues(void **state)
{
	struct rig *r = *state;
	static const char *const says[] = {
	    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
	    H2C,
	    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n",
	    "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nhello",
	    "\x16\x03\x01garbage\r\n\r\n",
	    "NONSENSE / HTTP/1.1\r\n\r\n",
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
	rig_listen(r, impatient, 0);
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
		assert_non_null(c);
		rough_say(c, says[i]);
		if (!rough_ended(c, 12000))
			fail_msg("case %zu stays open", i);
		rough_free(c);
	}
	assert_int_equal(rig_count(r, "open"), 0);
	assert_true(rig_count(r, "refused barred") >= 3);
	rig_forget(r);
	static const char *const protocols[] = {NULL, "other.v1", "kedge.agent.v2"};
	for (size_t i = 0; i < 3; i++) {
		struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
		assert_false(rough_upgrade(c, protocols[i]));
		rough_free(c);
	}
	assert_int_equal(rig_count(r, "open"), 0);
}

/* PLATFORM's fourteenth trap: compression is asked for by every browser, and never granted. */
static void no_compression(void **state)
{
	struct rig *r = *state;
	char answer[2048];
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_say(c, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
				 "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
				 "Sec-WebSocket-Protocol: " RIG_PROTOCOL "\r\n\r\n"));
	assert_true(rough_until(c, "\r\n\r\n", answer, sizeof(answer)));
	assert_memory_equal(answer, "HTTP/1.1 101", 12);
	assert_null(strcasestr(answer, "extensions"));
	rough_free(c);
	rig_expect(r, "closed", NULL, 0);
}

static bool says_no(void *user, const struct tls_peer *peer, const char *address, char reason[WS_DETAIL_MAX])
{
	(void)user;
	assert_string_equal(peer->name, "web-1");
	assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
	snprintf(reason, WS_DETAIL_MAX, "quarantined");
	return false;
}

static void with_a_no(struct ws_listener_config *c)
{
	c->on_connect = says_no;
}

static void the_program_may_refuse(void **state)
{
	struct rig *r = *state;
	rig_listen(r, with_a_no, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_false(rough_upgrade(c, RIG_PROTOCOL));
	rig_expect(r, "refused barred web-1 local quarantined", NULL, 0);
	assert_true(rough_ended(c, 5000));
	rough_free(c);
	assert_int_equal(rig_count(r, "open"), 0);
}

static void silent_connections_are_closed(void **state)
{
	struct rig *r = *state;
	struct rough *silent[50];
	rig_listen(r, impatient, 0);
	for (size_t i = 0; i < 50; i++)
		assert_non_null(silent[i] = rough_tcp(rig_port(r)));
	struct rough *shaken = rough_connect(rig_port(r), rig_issuing(), &host, 0); /* TLS, then nothing */
	uint64_t before = clock_mono_ms();
	for (size_t i = 0; i < 50; i++) {
		assert_true(rough_ended(silent[i], 5000));
		rough_free(silent[i]);
	}
	assert_true(rough_ended(shaken, 5000));
	rough_free(shaken);
	assert_in_range(clock_mono_ms() - before, 0, 3000);
}

static void crowded(struct ws_listener_config *c)
{
	c->connections_max = 2;
}

static void too_many_connections(void **state)
{
	struct rig *r = *state;
	rig_listen(r, crowded, 0);
	struct rough *a = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	struct rough *b = rough_tcp(rig_port(r)), *c = rough_tcp(rig_port(r));
	assert_true(a && b && c);
	assert_true(rough_ended(c, 5000));
	rig_expect(r, "refused barred - local too many", NULL, 0);
	assert_true(rough_upgrade(a, RIG_PROTOCOL));
	rough_free(a);
	rough_free(b);
	rough_free(c);
}

static void frames(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x82, "a", 1));
	assert_true(rough_frame(c, 0x82, "", 0));
	/* In pieces, with a ping between them. */
	assert_true(rough_frame(c, 0x02, "bcd", 3));
	assert_true(rough_frame(c, 0x89, "ping", 4));
	assert_true(rough_frame(c, 0x00, "", 0));
	assert_true(rough_frame(c, 0x00, "ef", 2));
	assert_true(rough_frame(c, 0x80, "ghij", 4));
	static char big[70000];
	memset(big, 'z', sizeof(big));
	assert_true(rough_frame(c, 0x82, big, sizeof(big)));
	rig_expect(r, "message 1 a", NULL, 0);
	rig_expect(r, "message 0 -", NULL, 0);
	rig_expect(r, "message 9 b", NULL, 0);
	rig_expect(r, "message 70000 z", NULL, 0);
	assert_int_equal(rig_count(r, "message"), 4);
	char pong[16];
	assert_true(rough_read(c, pong, sizeof(pong), 5000) >= 6);
	assert_memory_equal(pong, "\x8a\x04ping", 6);
	rough_free(c);
	rig_expect(r, "closed lost", NULL, 0);
}

static void whole_goodbyes(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x88, "\x03\xe9off", 5));
	rig_expect(r, "closed closed-by-peer 1001 off", NULL, 0);
	assert_true(rough_ended(c, 8000));
	rough_free(c);
	assert_int_equal(rig_count(r, "closed"), 1);
}

/* The close code that the server sends, 0 if none came. */
static unsigned close_code(struct rough *c)
{
	uint8_t got[512];
	size_t n = 0;
	for (;;) {
		int m = rough_read(c, got + n, sizeof(got) - n, 5000);
		if (m <= 0)
			return 0;
		n += (size_t)m;
		for (size_t i = 0; i + 4 <= n; i++) {
			if (got[i] == 0x88)
				return (unsigned)(got[i + 2] << 8 | got[i + 3]);
		}
	}
}

static void text_is_not_spoken(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x81, "hello", 5));
	rig_expect(r, "closed text-frame", NULL, 0);
	assert_int_equal(close_code(c), 1003);
	assert_int_equal(rig_count(r, "message"), 0);
	assert_int_equal(rig_count(r, "closed"), 1);
	rough_free(c);
}

static void the_limit(void **state)
{
	struct rig *r = *state;
	size_t mib = 1 << 20;
	char *big = calloc(1, mib + 1);
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x82, big, mib));
	rig_expect(r, "message 1048576", NULL, 0);
	/* One byte more is refused by its head alone: the rest does not have to come. */
	uint8_t head[14] = {0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1};
	assert_true(rough_write(c, head, sizeof(head)));
	assert_true(rough_write(c, big, 1000));
	rig_expect(r, "closed too-big", NULL, 0);
	assert_int_equal(close_code(c), 1009);
	rough_free(c);
	/* The same in two fragments, neither of which is too big. */
	rig_forget(r);
	c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x02, big, mib / 2));
	rough_frame(c, 0x80, big, mib / 2 + 1);
	rig_expect(r, "closed too-big", NULL, 0);
	rough_free(c);
	/* Lengths that overflow. */
	rig_forget(r);
	c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x02, "abc", 3));
	uint8_t huge[14] = {0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	assert_true(rough_write(c, huge, sizeof(huge)));
	rough_write(c, big, 100);
	rig_expect(r, "closed too-big", NULL, 0);
	rough_free(c);
	assert_int_equal(rig_count(r, "message"), 0);
	free(big);
}

static void bad_frames(void **state)
{
	struct rig *r = *state;
	static const char *const bad[] = {"\x83\x80\0\0\0\0", "\x8b\x80\0\0\0\0", "\xc2\x80\0\0\0\0",
	    "\x80\x80\0\0\0\0", "\x09\x80\0\0\0\0", "\x89\xfe\x01\x00\0\0\0\0"};
	static const size_t sizes[] = {6, 6, 6, 6, 6, 8};
	rig_listen(r, NULL, 0);
	for (size_t i = 0; i < 6; i++) {
		struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
		assert_true(rough_upgrade(c, RIG_PROTOCOL));
		assert_true(rough_write(c, bad[i], sizes[i]));
		assert_int_equal(close_code(c), i == 5 ? 0 : 1002);
		rough_free(c);
		rig_expect_count(r, "closed", (unsigned)i + 1);
	}
	assert_int_equal(rig_count(r, "message"), 0);
}

static void quick_pings(struct ws_listener_config *c)
{
	c->ping_ms = 1000;
}

/* PITFALLS P15: a peer that vanished without a word is found within two ping intervals. */
static void a_vanished_peer(void **state)
{
	struct rig *r = *state;
	rig_listen(r, quick_pings, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	rig_expect(r, "open", NULL, 0);
	uint64_t before = clock_mono_ms();
	rig_expect(r, "closed unresponsive", NULL, 0); /* it reads nothing, answers nothing */
	assert_in_range(clock_mono_ms() - before, 1000, 2300);
	rough_free(c);
}

static void a_peer_that_answers_pings_stays(void **state)
{
	struct rig *r = *state;
	rig_listen(r, quick_pings, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	for (int i = 0; i < 4; i++) {
		uint8_t ping[64];
		assert_true(rough_read(c, ping, sizeof(ping), 3000) >= 6);
		assert_int_equal(ping[0], 0x89);
		assert_true(rough_frame(c, 0x8a, ping + 2, 4));
	}
	assert_int_equal(rig_count(r, "closed"), 0);
	rough_free(c);
	rig_expect(r, "closed lost", NULL, 0);
}

struct send_args {
	struct rig *r;
	size_t size, sent;
	enum err_code rc;
	const void *data;
	size_t queued;
};

static void send_until_full(void *arg)
{
	struct send_args *a = arg;
	struct ws_conn *conn = rig_last(a->r);
	a->rc = ERR_OK;
	while (a->rc == ERR_OK && a->sent < 1000) {
		a->rc = ws_send(conn, a->data, a->size, NULL);
		a->sent += a->rc == ERR_OK;
	}
	a->queued = ws_queued_bytes(conn);
}

static long resident_kib(void)
{
	long pages = 0, unused;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f || fscanf(f, "%ld %ld", &unused, &pages) != 2)
		abort();
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void a_slow_reader(void **state)
{
	struct rig *r = *state;
	static char data[100000];
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	rig_expect(r, "open", NULL, 0);
	long before = resident_kib();
	struct send_args a = {.r = r, .data = data, .size = sizeof(data)};
	/* As much as the kernel's buffers and the outbox take; it must come to an end. */
	for (int i = 0; i < 50 && rig_count(r, "drained") < 3; i++) {
		a.sent = 0;
		rig_call(r, send_until_full, &a);
		assert_int_equal(a.rc, ERR_FULL);
		assert_in_range(a.queued, 1, WS_OUTBOX_DEFAULT);
		usleep(2000); /* lets the loop write; nothing depends on how long it takes */
	}
	assert_true(resident_kib() - before < 64 * 1024);
	a.sent = 0;
	rig_call(r, send_until_full, &a);
	assert_int_equal(a.rc, ERR_FULL);
	rig_forget(r);
	/* Reading again makes room, and everything that was taken arrives in order. */
	char *got = malloc(1 << 20);
	size_t total = 0;
	while (rig_count(r, "drained") == 0) {
		int n = rough_read(c, got, 1 << 20, 5000);
		assert_true(n > 0);
		total += (size_t)n;
	}
	assert_true(total > 0);
	free(got);
	rough_free(c);
	rig_expect(r, "closed", NULL, 0);
}

static void pause_last(void *arg)
{
	struct rig *r = arg;
	ws_pause(rig_last(r));
}

static void resume_last(void *arg)
{
	struct rig *r = arg;
	ws_resume(rig_last(r));
}

static void pause_and_resume(void **state)
{
	struct rig *r = *state;
	static char data[60000];
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	assert_true(rough_frame(c, 0x82, "a", 1));
	rig_expect(r, "message 1 a", NULL, 0);
	rig_call(r, pause_last, r);
	int small = 1 << 16;
	setsockopt(rough_fd(c), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	struct timeval short_patience = {.tv_usec = 300000};
	setsockopt(rough_fd(c), SOL_SOCKET, SO_SNDTIMEO, &short_patience, sizeof(short_patience));
	unsigned sent = 0;
	while (sent < 1000 && rough_frame(c, 0x82, data, sizeof(data)))
		sent++;
	assert_in_range(sent, 1, 999); /* the peer was made to wait */
	assert_in_range(rig_count(r, "message"), 1, 2);
	rig_call(r, resume_last, r);
	rig_expect_count(r, "message", sent + 1);
	rough_free(c);
	rig_expect(r, "closed", NULL, 0);
}

static void close_last(void *arg)
{
	struct rig *r = arg;
	assert_int_equal(ws_send(rig_last(r), "last words", 10, NULL), ERR_OK);
	ws_close(rig_last(r), WS_CODE_POLICY, "two of you");
	assert_int_equal(ws_send(rig_last(r), "x", 1, NULL), ERR_STATE);
	ws_close(rig_last(r), WS_CODE_NORMAL, "again");
}

static void closing_says_why(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	struct rough *c = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	rig_expect(r, "open", NULL, 0);
	rig_call(r, close_last, r);
	char got[256];
	assert_true(rough_until(c, "two of you", got, sizeof(got)));
	assert_memory_equal(got, "\x82\x0alast words\x88\x0c\x03\xf0two of you", 26);
	rig_expect(r, "closed closed-here", NULL, 0);
	assert_true(rough_ended(c, 8000));
	assert_int_equal(rig_count(r, "closed"), 1);
	rough_free(c);
}

static struct ws_listener *rechecked;
static size_t rechecked_count;
static void recheck(void *arg)
{
	(void)arg;
	rechecked_count = ws_listener_recheck(rechecked);
}

static void revoked_while_connected(void **state)
{
	struct rig *r = *state;
	revocations = tls_revocations_new();
	rechecked = rig_listen(r, with_revocations, 0);
	struct rough *a =
	    rough_connect(rig_port(r), rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .serial = 0x11}, 0);
	struct rough *b =
	    rough_connect(rig_port(r), rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_HOST, .serial = 0x12}, 0);
	assert_true(rough_upgrade(a, RIG_PROTOCOL) && rough_upgrade(b, RIG_PROTOCOL));
	rig_expect_count(r, "open", 2);
	const char *serials[] = {"12"};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	rig_call(r, recheck, NULL);
	assert_int_equal(rechecked_count, 1);
	rig_expect(r, "closed peer-revoked", NULL, 0);
	assert_true(rough_ended(b, 5000));
	assert_int_equal(rig_count(r, "closed"), 1);
	assert_true(rough_frame(a, 0x82, "a", 1)); /* the other one lives */
	rig_expect(r, "message 1 a", NULL, 0);
	assert_null(rough_connect(rig_port(r), rig_issuing(), &host, TLS1_2_VERSION));
	rough_free(a);
	rough_free(b);
}

static void renew(void *arg)
{
	struct tls_identity *fresh =
	    pki_identity(rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "renewed"});
	ws_listener_set_identity(arg, fresh);
	tls_identity_free(fresh);
}

static void renewed_while_running(void **state)
{
	struct rig *r = *state;
	struct tls_peer peer;
	struct ws_listener *l = rig_listen(r, NULL, 0);
	struct rough *before = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_true(rough_upgrade(before, RIG_PROTOCOL));
	rig_call(r, renew, l);
	struct rough *after = rough_connect(rig_port(r), rig_issuing(), &host, 0);
	assert_int_equal(tls_certificate_peer(SSL_get0_peer_certificate(rough_ssl(after)), &peer, NULL), ERR_OK);
	assert_string_equal(peer.name, "renewed");
	assert_true(rough_frame(before, 0x82, "a", 1));
	rig_expect(r, "message 1 a", NULL, 0);
	rough_free(before);
	rough_free(after);
}

static struct rig *reopening;
static enum err_code reopened_rc;
static void reopen(void *arg)
{
	struct ws_listener *l;
	struct ws_listener_config config = {.port = {.address = "127.0.0.1",
						.port = rig_port(reopening),
						.identity = rig_controller(),
						.trust = rig_trust(),
						.domain = PKI_DOMAIN,
						.roles = 1},
	    .subprotocol = RIG_PROTOCOL};
	ws_listener_free(arg);
	reopened_rc = ws_listener_new(rig_loop(reopening), &config, &l, NULL); /* the port is free at once */
	if (reopened_rc == ERR_OK)
		ws_listener_free(l);
}

static void closed_and_opened_again(void **state)
{
	struct rig *r = *state;
	struct ws_listener *l = rig_listen(r, NULL, 0);
	uint16_t port = rig_port(r);
	struct rough *c = rough_connect(port, rig_issuing(), &host, 0);
	assert_true(rough_upgrade(c, RIG_PROTOCOL));
	rig_expect(r, "open", NULL, 0);
	reopening = r;
	rig_call(r, reopen, l);
	assert_int_equal(reopened_rc, ERR_OK);
	assert_int_equal(rig_count(r, "closed stopped"), 1);
	assert_true(rough_ended(c, 5000));
	rough_free(c);
	assert_null(rough_tcp(port)); /* nobody listens any more, at once */
	rig_listen(r, NULL, port);
	c = rough_connect(port, rig_issuing(), &host, 0);
	assert_true(c && rough_upgrade(c, RIG_PROTOCOL));
	rough_free(c);
}

static enum err_code second_rc;
static void listen_twice(void *arg)
{
	struct rig *r = arg;
	struct ws_listener *l;
	struct ws_listener_config config = {.port = {.address = "127.0.0.1",
						.identity = rig_controller(),
						.trust = rig_trust(),
						.domain = PKI_DOMAIN,
						.roles = 1},
	    .subprotocol = RIG_PROTOCOL};
	second_rc = ws_listener_new(rig_loop(r), &config, &l, NULL);
}

static void one_listener_a_loop(void **state)
{
	struct rig *r = *state;
	rig_listen(r, NULL, 0);
	rig_call(r, listen_twice, r);
	assert_int_equal(second_rc, ERR_STATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_refusal, rig_setup, free_revocations),
	    RIG_TEST(old_tls_is_refused),
	    RIG_TEST(no_ticket_is_issued),
	    RIG_TEST(other_tongues),
	    RIG_TEST(no_compression),
	    RIG_TEST(the_program_may_refuse),
	    RIG_TEST(silent_connections_are_closed),
	    RIG_TEST(too_many_connections),
	    RIG_TEST(frames),
	    RIG_TEST(whole_goodbyes),
	    RIG_TEST(text_is_not_spoken),
	    RIG_TEST(the_limit),
	    RIG_TEST(bad_frames),
	    RIG_TEST(a_vanished_peer),
	    RIG_TEST(a_peer_that_answers_pings_stays),
	    RIG_TEST(a_slow_reader),
	    RIG_TEST(pause_and_resume),
	    RIG_TEST(closing_says_why),
	    cmocka_unit_test_setup_teardown(revoked_while_connected, rig_setup, free_revocations),
	    RIG_TEST(renewed_while_running),
	    RIG_TEST(closed_and_opened_again),
	    RIG_TEST(one_listener_a_loop),
	};
	return RUN_BOTH(tests);
}
