/* The operators' port: who may ask what, requests one after another, answers now and later, streams, and peers that
 * misbehave. */
#include "tests/contract/shared/ws/both.h"

#include <sys/socket.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/base/clock.h"
#include "shared/base/text.h"

static const struct pki_spec operator_ada = {.role = TLS_ROLE_OPERATOR, .name = "ada"};

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: c\r\n\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n"

static struct rig *rig;
static struct ws_http *http;
static struct ws_request *held; /* /later and streams */
static struct tls_revocations *revocations;
static char big[3 << 20];

static const char *const anonymous[] = {"/api/v1/enrol", "/healthz", NULL};
static const struct ws_file files[] = {
    {"/console/", "text/html; charset=utf-8", {(const uint8_t *)"<p>hello</p>", 12}},
    {"/console/big.js", "text/javascript", {(const uint8_t *)big, sizeof(big)}},
};

static void echo(struct ws_request *r)
{
	char text[4096];
	const struct tls_peer *peer = ws_request_peer(r);
	const char *type = ws_request_header(r, WS_CONTENT_TYPE), *q = ws_request_query(r, "q");
	int n = snprintf(text, sizeof(text), "%s|%s|%s|%s|%zu|%s|", ws_method_text(ws_request_method(r)),
	    ws_request_path(r), peer ? peer->name : "nobody", type ? type : "-", ws_request_body(r).size, q ? q : "-");
	ws_respond(r, 200, "text/plain", NULL, 0, text, (size_t)n);
}

static void on_request(void *user, struct ws_request *r)
{
	const char *path = ws_request_path(r);
	(void)user;
	rig_note(rig, "request %s %s", ws_method_text(ws_request_method(r)), path);
	if (strcmp(path, "/later") == 0 || strncmp(path, "/stream", 7) == 0) {
		held = r;
		if (path[1] == 's')
			ws_stream_begin(r, 200, "text/event-stream", NULL, 0);
		rig_note(rig, "held");
	} else if (strcmp(path, "/big") == 0) {
		ws_respond(r, 200, "application/octet-stream", NULL, 0, big, sizeof(big));
	} else if (strcmp(path, "/split") == 0) {
		const struct ws_extra_header h[] = {
		    {"x-good:", "1"}, {"x-bad:", "1\r\nx-evil: 2"}, {"x bad:", "1"}, {"cache-control:", "max-age=5"}};
		ws_respond(r, 200, "text/plain\r\nx-evil: 1", h, 4, "ok", 2);
	} else if (strcmp(path, "/none") == 0) {
		ws_respond(r, 204, NULL, NULL, 0, NULL, 0);
	} else if (strcmp(path, "/mad") == 0) {
		ws_respond(r, 7, NULL, NULL, 0, "x", 1);
	} else {
		echo(r);
	}
}

static void on_gone(void *user, struct ws_request *r)
{
	(void)user;
	if (held == r)
		held = NULL;
	rig_note(rig, "gone %s", ws_request_path(r));
}

static void on_drained(void *user, struct ws_request *r)
{
	(void)user, (void)r;
	rig_note(rig, "drained");
}

static void on_refused(void *user, const struct ws_refused *refused)
{
	(void)user;
	rig_note(rig, "refused %s %s", tls_verdict_word(refused->reason), refused->peer ? refused->peer->name : "-");
}

static uint32_t request_ms, idle_ms;
static void listen_here(void *arg)
{
	(void)arg;
	struct err e = ERR_INIT;
	struct ws_http_config config = {
	    .port = {.address = "127.0.0.1",
		.identity = rig_controller(),
		.trust = rig_trust(),
		.domain = PKI_DOMAIN,
		.roles = TLS_ROLE_BIT(TLS_ROLE_OPERATOR),
		.revocations = revocations,
		.handshake_ms = 1000},
	    .anonymous_prefixes = anonymous,
	    .files = files,
	    .file_count = 2,
	    .request_timeout_ms = request_ms,
	    .idle_timeout_ms = idle_ms,
	    .on_request = on_request,
	    .on_gone = on_gone,
	    .on_drained = on_drained,
	    .on_refused = on_refused,
	};
	if (ws_http_new(rig_loop(rig), &config, &http, &e) != ERR_OK)
		fail_msg("%s", e.msg);
}

static int http_setup(void **state)
{
	memset(big, 'b', sizeof(big));
	rig = rig_new(use_libuv);
	revocations = tls_revocations_new();
	held = NULL;
	rig_call(rig, listen_here, NULL);
	*state = rig;
	return 0;
}

static int http_setup_impatient(void **state)
{
	request_ms = 700;
	idle_ms = 700;
	int rc = http_setup(state);
	request_ms = idle_ms = 0;
	return rc;
}

static int http_teardown(void **state)
{
	rig_free(*state);
	tls_revocations_free(revocations);
	return 0;
}

static struct rough *ada(void)
{
	struct rough *c = rough_connect(ws_http_port(http), rig_issuing(), &operator_ada, 0);
	assert_non_null(c);
	return c;
}

/* Sends it and compares the answer's status, and its text if given. */
static void ask(struct rough *c, const char *request, const char *status, const char *text)
{
	static char got[16384];
	char line[64];
	snprintf(line, sizeof(line), "HTTP/1.1 %s", status);
	assert_true(rough_say(c, request));
	if (!rough_until(c, text ? text : "\r\n\r\n", got, sizeof(got)) || strncmp(got, line, strlen(line)) != 0)
		fail_msg("asked %.60s, wanted %s %s, got %s", request, status, text ? text : "", got);
}

static void questions_and_answers(void **state)
{
	(void)state;
	struct rough *c = ada();
	ask(c, GET("/a/b?q=x%20y"), "200 OK", "GET|/a/b|ada|-|0|x y|");
	ask(c, "POST /p HTTP/1.1\r\nHost: c\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello",
	    "200 OK", "POST|/p|ada|application/json|5|-|");
	ask(c, "DELETE /d HTTP/1.1\r\nHost: c\r\n\r\n", "200 OK", "DELETE|/d|ada|-|0|-|");
	ask(c, GET("/../../etc/passwd"), "200 OK", "GET|/../../etc/passwd|ada|");
	ask(c, GET("/none"), "204 No Content", NULL);
	ask(c, GET("/mad"), "500", "x");
	ask(c, "HEAD /h HTTP/1.1\r\nHost: c\r\n\r\n", "200 OK", "content-length: 18\r\n\r\n"); /* HEAD|/h|ada|-|0|-| */
	ask(c, GET("/after-head"), "200 OK", "GET|/after-head|ada|");
	ask(c, "GET / HTTP/1.0\r\n\r\n", "200 OK", "GET|/|ada|");
	assert_true(rough_ended(c, 5000)); /* HTTP/1.0 without keep-alive */
	rough_free(c);
	assert_int_equal(rig_count(rig, "refused"), 0);
}

static void safe_headers(void **state)
{
	(void)state;
	static char got[16384];
	struct rough *c = ada();
	assert_true(rough_say(c, GET("/x")) && rough_until(c, "\r\n\r\n", got, sizeof(got)));
	assert_non_null(strstr(got, "strict-transport-security: max-age=31536000\r\n"));
	assert_non_null(strstr(got, "x-content-type-options: nosniff\r\n"));
	assert_non_null(strstr(got, "content-security-policy: default-src 'self'"));
	assert_non_null(strstr(got, "cache-control: no-store\r\n"));
	assert_non_null(strstr(got, "date: "));
	assert_non_null(strstr(got, " GMT\r\n"));
	rough_free(c);
	c = ada();
	assert_true(rough_say(c, LAST("/split")) && rough_until(c, NULL, got, sizeof(got)));
	assert_non_null(strstr(got, "x-good: 1\r\n"));
	assert_null(strstr(got, "evil"));
	assert_null(strstr(got, "x bad"));
	assert_null(strstr(got, "no-store")); /* the program's word counts */
	assert_non_null(strstr(got, "cache-control: max-age=5\r\n"));
	assert_non_null(strstr(got, "connection: close\r\n"));
	rough_free(c);
}

static void pipelined(void **state)
{
	(void)state;
	static char got[65536], all[8192];
	struct rough *c = ada();
	for (int i = 0; i < 50; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "GET /%d HTTP/1.1\r\nHost: c\r\n\r\n", i);
	strcat(all, "POST /p HTTP/1.1\r\nHost: c\r\nContent-Length: 3\r\n\r\nabc" LAST("/end"));
	assert_true(rough_say(c, all));
	assert_true(rough_until(c, NULL, got, sizeof(got)));
	const char *at = got;
	for (int i = 0; i < 50; i++) { /* all of them, in order */
		char want[32];
		snprintf(want, sizeof(want), "GET|/%d|", i);
		at = strstr(at, want);
		assert_non_null(at);
	}
	assert_non_null(strstr(at, "POST|/p|ada|-|3|"));
	assert_non_null(strstr(at, "GET|/end|"));
	memset(all, 0, sizeof(all));
	rough_free(c);
}

static void byte_by_byte(void **state)
{
	(void)state;
	struct rough *c = ada();
	const char *text = "POST /slow HTTP/1.1\r\nHost: c\r\nContent-Length: 4\r\n\r\nbod";
	for (const char *p = text; *p; p++)
		assert_true(rough_write(c, p, 1));
	ask(c, "y", "200 OK", "POST|/slow|ada|-|4|");
	rough_free(c);
}

static void who_may_ask(void **state)
{
	(void)state;
	const char *serials[] = {"5e"};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	const struct {
		const struct pki_authority *issuer;
		struct pki_spec spec;
		const char *line;
	} cases[] = {
	    {rig_foreign(), {.role = TLS_ROLE_OPERATOR, .name = "eve"}, "refused wrong-authority eve"},
	    {rig_issuing(), {.role = TLS_ROLE_OPERATOR, .name = "old", .from_s = -9, .until_s = -5},
		"refused expired old"},
	    {rig_issuing(), {.role = TLS_ROLE_OPERATOR, .name = "new", .from_s = 90, .until_s = 95},
		"refused not-yet-valid new"},
	    {rig_issuing(), {.role = TLS_ROLE_OPERATOR, .name = "bad", .serial = 0x5e}, "refused revoked bad"},
	    {rig_issuing(), {.role = TLS_ROLE_HOST, .name = "web-1"}, "refused wrong-role web-1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_forget(rig);
		struct rough *c = rough_connect(ws_http_port(http), cases[i].issuer, &cases[i].spec, 0);
		if (c) {
			rough_say(c, GET("/healthz"));
			assert_true(rough_ended(c, 5000));
			rough_free(c);
		}
		rig_expect(rig, cases[i].line, NULL, 0);
		assert_int_equal(rig_count(rig, "refused"), 1);
		assert_int_equal(rig_count(rig, "request"), 0); /* a bad certificate does not even enrol */
	}
}

static void without_a_certificate(void **state)
{
	(void)state;
	struct rough *c = rough_connect(ws_http_port(http), NULL, NULL, 0);
	assert_non_null(c);
	ask(c, GET("/healthz"), "200 OK", "GET|/healthz|nobody|");
	ask(c, "POST /api/v1/enrol HTTP/1.1\r\nHost: c\r\nContent-Length: 2\r\n\r\n{}", "200 OK",
	    "POST|/api/v1/enrol|nobody|-|2|");
	ask(c, GET("/api/v1/enrol/status"), "200 OK", "nobody");
	assert_int_equal(rig_count(rig, "refused"), 0);
	static const char *const others[] = {"/", "/api/v1/hosts", "/api/v1/enrolments", "/healthzz", "/console/",
	    "/api/v1/enrol/../hosts", "/healthz/..", "/api/v1/enrol/%2e%2e/hosts", "/%2fhealthz"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char request[128];
		rig_forget(rig);
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: c\r\n\r\n", others[i]);
		bool malformed = strstr(others[i], "%2f") != NULL;
		ask(c, request, malformed ? "400" : "403 Forbidden", NULL);
		assert_true(rough_ended(c, 5000));
		rough_free(c);
		if (!malformed)
			rig_expect(rig, "refused no-certificate -", NULL, 0);
		assert_int_equal(rig_count(rig, "request"), 0);
		c = rough_connect(ws_http_port(http), NULL, NULL, 0);
	}
	rough_free(c);
}

static void requests_that_are_wrong(void **state)
{
	(void)state;
	static const char *const wrong[][2] = {
	    {"BREW /pot HTTP/1.1\r\nHost: c\r\n\r\n", "501"},
	    {"CONNECT a:1 HTTP/1.1\r\nHost: c\r\n\r\n", "501"},
	    {"GET / HTTP/2.0\r\nHost: c\r\n\r\n", "505"},
	    {"GET /\r\n\r\n", "400"},
	    {"\r\n", "400"},
	    {"\x01\x02\x03garbage", "400"},
	    {"POST / HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411"},
	    {"POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 1048577\r\n\r\n", "413"},
	    {"POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
	    {"GET / HTTP/1.1\r\nHost: c\r\nExpect: x\r\n\r\n", "417"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rough *c = ada();
		ask(c, wrong[i][0], wrong[i][1], NULL);
		assert_true(rough_ended(c, 5000));
		rough_free(c);
	}
	struct rough *c = ada();
	static char endless[20000] = "GET /";
	memset(endless + 5, 'a', sizeof(endless) - 6);
	ask(c, endless, "414", NULL);
	rough_free(c);
	assert_int_equal(rig_count(rig, "request"), 0);
	/* An upgrade is not asked for here: h2c and websocket get an ordinary answer. */
	c = ada();
	ask(c,
	    "GET /u HTTP/1.1\r\nHost: c\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
	    "AA\r\n\r\n",
	    "200 OK", "GET|/u|");
	ask(c, "GET /v HTTP/1.1\r\nHost: c\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n", "200 OK", "GET|/v|");
	rough_free(c);
}

static void bodies(void **state)
{
	(void)state;
	struct rough *c = ada();
	char head[128];
	size_t limit = 1 << 20;
	snprintf(head, sizeof(head), "POST /body HTTP/1.1\r\nHost: c\r\nContent-Length: %zu\r\n\r\n", limit);
	for (int i = 0; i < 2; i++) {
		assert_true(rough_say(c, head) && rough_write(c, big, limit));
		ask(c, "", "200 OK", "POST|/body|ada|-|1048576|");
	}
	/* Who asks first is told. */
	ask(c, "POST /asks HTTP/1.1\r\nHost: c\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", "100 Continue",
	    NULL);
	ask(c, "abc", "200 OK", "POST|/asks|ada|-|3|");
	/* Too much is refused before it is read, and the answer arrives although the peer goes on sending. */
	assert_true(rough_say(c, "POST /body HTTP/1.1\r\nHost: c\r\nContent-Length: 3000000\r\n\r\n"));
	rough_write(c, big, 100000);
	ask(c, "", "413", NULL);
	assert_true(rough_ended(c, 5000));
	rough_free(c);
	/* Gone in the middle of a body: the program never hears of it. */
	rig_forget(rig);
	c = ada();
	assert_true(rough_say(c, head) && rough_write(c, big, 1000));
	rough_free(c);
	c = ada();
	ask(c, GET("/next"), "200 OK", "GET|/next|");
	rough_free(c);
	assert_int_equal(rig_count(rig, "request"), 1);
	assert_int_equal(rig_count(rig, "gone"), 0);
}

static size_t drain(struct rough *c, size_t want)
{
	static char piece[65536];
	size_t got = 0;
	while (got < want) {
		int n = rough_read(c, piece, sizeof(piece), 5000);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return got;
}

static void large_answers(void **state)
{
	(void)state;
	static char head[4096];
	struct rough *c = ada();
	for (int i = 0; i < 2; i++) {
		assert_true(rough_say(c, i ? GET("/console/big.js") : GET("/big")));
		size_t got = 0; /* the head, a byte at a time, so that none of the body is lost */
		while (got < sizeof(head) - 1 && !(got > 4 && memcmp(head + got - 4, "\r\n\r\n", 4) == 0))
			got += rough_read(c, head + got, 1, 5000) == 1 ? 1 : sizeof(head);
		head[got < sizeof(head) ? got : sizeof(head) - 1] = '\0';
		assert_non_null(strstr(head, "content-length: 3145728\r\n"));
		assert_int_equal(drain(c, sizeof(big)), sizeof(big));
	}
	ask(c, GET("/still-there"), "200 OK", "GET|/still-there|");
	rough_free(c);
}

static void files_in_memory(void **state)
{
	(void)state;
	static char got[8192];
	struct rough *c = ada();
	ask(c, GET("/console/"), "200 OK", "<p>hello</p>");
	assert_true(
	    rough_say(c, "HEAD /console/ HTTP/1.1\r\nHost: c\r\n\r\n") && rough_until(c, "\r\n\r\n", got, sizeof(got)));
	assert_non_null(strstr(got, "content-length: 12"));
	assert_null(strstr(got, "hello"));
	ask(c, GET("/console/../console/"), "200 OK", "GET|/console/../console/|"); /* no file: the program's */
	ask(c, "POST /console/ HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\n\r\n", "200 OK", "POST|/console/|");
	assert_int_equal(rig_count(rig, "request GET /console/ "), 0);
	rough_free(c);
}

static void answer_held(void *arg)
{
	(void)arg;
	struct ws_request *r = held;
	held = NULL;
	ws_respond(r, 202, "text/plain", NULL, 0, "at last", 7);
}

static void answered_later(void **state)
{
	(void)state;
	struct rough *c = ada();
	assert_true(rough_say(c, GET("/later") GET("/behind")));
	rig_expect(rig, "held", NULL, 0);
	assert_int_equal(rig_count(rig, "request"), 1); /* one at a time */
	rig_call(rig, answer_held, NULL);
	ask(c, "", "202 Accepted", "GET|/behind|");
	rough_free(c);
	/* More comes behind it than is read meanwhile: it is read on after the answer. */
	char head[128];
	size_t size = 300000;
	rig_forget(rig);
	c = ada();
	snprintf(head, sizeof(head), "POST /much HTTP/1.1\r\nHost: c\r\nContent-Length: %zu\r\n\r\n", size);
	assert_true(rough_say(c, GET("/later")));
	rig_expect(rig, "held", NULL, 0);
	assert_true(rough_say(c, head) && rough_write(c, big, size));
	usleep(50000); /* lets it be read up to the bound; without it the test would prove less, not fail */
	rig_call(rig, answer_held, NULL);
	ask(c, "", "202 Accepted", "POST|/much|ada|-|300000|");
	rough_free(c);
	/* Gone before the answer: the program is told, once. */
	rig_forget(rig);
	c = ada();
	assert_true(rough_say(c, GET("/later")));
	rig_expect(rig, "held", NULL, 0);
	rough_free(c);
	rig_expect(rig, "gone /later", NULL, 0);
	assert_int_equal(rig_count(rig, "gone"), 1);
}

static void time_runs_out(void **state)
{
	(void)state;
	/* The program does not answer. */
	struct rough *c = ada();
	ask(c, GET("/later"), "504", NULL);
	rig_expect(rig, "gone /later", NULL, 0);
	assert_true(rough_ended(c, 5000));
	rough_free(c);
	/* The peer says nothing: after TCP, after TLS, in the middle of a head, in the middle of a body, after an
	 * answer. */
	uint64_t before = clock_mono_ms();
	struct rough *tcp = rough_tcp(ws_http_port(http)), *tls = ada(), *half = ada(), *body = ada(), *idle = ada();
	assert_true(rough_say(half, "GET / HT"));
	assert_true(rough_say(body, "POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\n\r\nab"));
	ask(idle, GET("/x"), "200", "GET|/x|");
	ask(half, "", "408", NULL);
	ask(body, "", "408", NULL);
	assert_true(rough_ended(tcp, 5000) && rough_ended(tls, 5000) && rough_ended(half, 5000) &&
		    rough_ended(body, 5000) && rough_ended(idle, 5000));
	assert_in_range(clock_mono_ms() - before, 600, 4500);
	rough_free(tcp);
	rough_free(tls);
	rough_free(half);
	rough_free(body);
	rough_free(idle);
}

static enum err_code stream_rc;
static void stream_write(void *arg)
{
	stream_rc = ws_stream_write(held, arg, strlen(arg), NULL);
}

static void stream_fill(void *arg)
{
	unsigned *n = arg;
	stream_rc = ERR_OK;
	while (stream_rc == ERR_OK && *n < 1000) {
		stream_rc = ws_stream_write(held, big, 100000, NULL);
		*n += stream_rc == ERR_OK;
	}
}

static void stream_end(void *arg)
{
	(void)arg;
	struct ws_request *r = held;
	held = NULL;
	ws_stream_end(r);
}

static void streams(void **state)
{
	(void)state;
	static char got[8192];
	struct rough *c = ada();
	assert_true(rough_say(c, GET("/stream")) && rough_until(c, "\r\n\r\n", got, sizeof(got)));
	assert_non_null(strstr(got, "transfer-encoding: chunked\r\n"));
	assert_non_null(strstr(got, "content-type: text/event-stream\r\n"));
	assert_null(strstr(got, "content-length"));
	rig_call(rig, stream_write, (void *)(uintptr_t) "data: 1\n\n");
	assert_true(rough_until(c, "9\r\ndata: 1\n\n\r\n", got, sizeof(got))); /* at once, not at the end */
	rig_call(rig, stream_write, (void *)(uintptr_t) "");
	rig_call(rig, stream_write, (void *)(uintptr_t) "data: 2\n\n");
	rig_call(rig, stream_end, NULL);
	assert_true(rough_until(c, "0\r\n\r\n", got, sizeof(got)));
	assert_string_equal(got, "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
	ask(c, GET("/after"), "200 OK", "GET|/after|"); /* the connection is kept */
	/* A reader that goes away. */
	assert_true(rough_say(c, GET("/stream")));
	rig_expect_count(rig, "held", 2);
	rough_free(c);
	rig_expect(rig, "gone /stream", NULL, 0);
	/* HTTP/1.0 knows no chunks. */
	c = ada();
	assert_true(rough_say(c, "GET /stream HTTP/1.0\r\n\r\n"));
	rig_expect_count(rig, "held", 3);
	rig_call(rig, stream_write, (void *)(uintptr_t) "data: 3\n\n");
	rig_call(rig, stream_end, NULL);
	assert_true(rough_until(c, NULL, got, sizeof(got)));
	assert_non_null(strstr(got, "\r\n\r\ndata: 3\n\n"));
	assert_null(strstr(got, "chunked"));
	rough_free(c);
}

static void a_slow_reader(void **state)
{
	(void)state;
	struct rough *c = ada();
	int small = 1 << 16;
	setsockopt(rough_fd(c), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_true(rough_say(c, GET("/stream")));
	rig_expect(rig, "held", NULL, 0);
	unsigned written = 0;
	do { /* what the kernel takes is taken; then the bound holds */
		unsigned before = written;
		rig_call(rig, stream_fill, &written);
		usleep(2000);
		if (written == before)
			break;
	} while (written < 1000);
	assert_int_equal(stream_rc, ERR_FULL);
	assert_in_range(written, 1, 999);
	rig_forget(rig);
	size_t got = 0, n;
	while (rig_count(rig, "drained") == 0 && (n = drain(c, 100000)) > 0)
		got += n;
	rig_expect(rig, "drained", NULL, 0);
	rig_call(rig, stream_end, NULL);
	got += drain(c, SIZE_MAX);
	assert_true(got > (size_t)written * 100000); /* everything that was taken has arrived */
	rough_free(c);
}

static size_t rechecked;
static void recheck(void *arg)
{
	(void)arg;
	rechecked = ws_http_recheck(http);
}

static void revoked_meanwhile(void **state)
{
	(void)state;
	struct rough *c = rough_connect(
	    ws_http_port(http), rig_issuing(), &(struct pki_spec){.role = TLS_ROLE_OPERATOR, .serial = 0x77}, 0);
	struct rough *nobody = rough_connect(ws_http_port(http), NULL, NULL, 0);
	ask(nobody, GET("/healthz"), "200", "nobody");
	assert_true(rough_say(c, GET("/stream")));
	rig_expect(rig, "held", NULL, 0);
	const char *serials[] = {"77"};
	assert_int_equal(tls_revocations_set(revocations, serials, 1, NULL), ERR_OK);
	rig_call(rig, recheck, NULL);
	assert_int_equal(rechecked, 1);
	assert_int_equal(rig_count(rig, "gone /stream"), 1);
	assert_true(rough_ended(c, 5000));
	ask(nobody, GET("/healthz"), "200", "nobody");
	rough_free(c);
	rough_free(nobody);
}

static void no_session_no_old_tls(void **state)
{
	(void)state;
	assert_null(rough_connect(ws_http_port(http), rig_issuing(), &operator_ada, TLS1_2_VERSION));
	rig_expect(rig, "refused handshake-failed", NULL, 0);
	struct rough *c = ada();
	ask(c, GET("/x"), "200", "GET|");
	SSL_SESSION *session = SSL_get1_session(rough_ssl(c));
	assert_false(SSL_SESSION_is_resumable(session));
	SSL_SESSION_free(session);
	rough_free(c);
	/* Bytes that are no TLS at all. */
	c = rough_tcp(ws_http_port(http));
	assert_true(rough_say(c, GET("/healthz")));
	assert_true(rough_ended(c, 5000));
	rough_free(c);
	rig_expect_count(rig, "refused handshake-failed", 2);
}

static void freed_with_everything_open(void **state)
{
	(void)state;
	struct rough *c[4] = {ada(), ada(), ada(), rough_tcp(ws_http_port(http))};
	assert_true(rough_say(c[0], GET("/later")));
	rig_expect_count(rig, "held", 1);
	assert_true(rough_say(c[1], GET("/stream")));
	rig_expect_count(rig, "held", 2);
	assert_true(rough_say(c[2], "POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 9\r\n\r\nab"));
	rig_free(rig); /* tells of the two requests that it had */
	rig = rig_new(use_libuv);
	*state = rig;
	for (int i = 0; i < 4; i++)
		rough_free(c[i]);
}

int main(void)
{
#define HTTP_TEST(fn) cmocka_unit_test_setup_teardown(fn, http_setup, http_teardown)
	const struct CMUnitTest tests[] = {
	    HTTP_TEST(questions_and_answers),
	    HTTP_TEST(safe_headers),
	    HTTP_TEST(pipelined),
	    HTTP_TEST(byte_by_byte),
	    HTTP_TEST(who_may_ask),
	    HTTP_TEST(without_a_certificate),
	    HTTP_TEST(requests_that_are_wrong),
	    HTTP_TEST(bodies),
	    HTTP_TEST(large_answers),
	    HTTP_TEST(files_in_memory),
	    HTTP_TEST(answered_later),
	    cmocka_unit_test_setup_teardown(time_runs_out, http_setup_impatient, http_teardown),
	    HTTP_TEST(streams),
	    HTTP_TEST(a_slow_reader),
	    HTTP_TEST(revoked_meanwhile),
	    HTTP_TEST(no_session_no_old_tls),
	    HTTP_TEST(freed_with_everything_open),
	};
	return RUN_BOTH(tests);
}
