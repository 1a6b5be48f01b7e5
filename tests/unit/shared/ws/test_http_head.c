/* Requests' heads: what is understood, and everything ambiguous refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/ws/http_head.h"

static struct http_head head;
static size_t used;

/* 0: incomplete, 1: ready, else the status. */
static int parse_n(const char *text, size_t size)
{
	int status = 0;
	enum http_result r = http_head_parse(text, size, &head, &used, &status);
	return r == HTTP_INCOMPLETE ? 0 : r == HTTP_READY ? 1 : status;
}

static int parse(const char *text)
{
	return parse_n(text, strlen(text));
}

#define TAIL " HTTP/1.1\r\nHost: a\r\n\r\n"
#define LINE "GET / HTTP/1.1\r\nHost: a\r\n"

static void a_whole_request(void **state)
{
	(void)state;
	const char *text = "POST /api/v1/host/web%2D1?limit=10&q=a%26b%3Dc+d&flag HTTP/1.1\r\nHost: c.example:8443\r\n"
			   "Content-Type:  application/json \r\nCONTENT-LENGTH: 12\r\nX-Other: z\r\n\r\n{\"a\": 1}abcd";
	assert_int_equal(parse(text), 1);
	assert_int_equal(used, strlen(text) - 12);
	assert_int_equal(head.method, WS_POST);
	assert_string_equal(head.path, "/api/v1/host/web-1");
	assert_int_equal(head.query_count, 3);
	assert_string_equal(head.query[0], "limit=10");
	assert_string_equal(head.query[1], "q=a&b=c d");
	assert_string_equal(head.query[2], "flag");
	assert_string_equal(head.header[WS_CONTENT_TYPE], "application/json");
	assert_null(head.header[WS_AUTHORIZATION]);
	assert_int_equal(head.content_length, 12);
	assert_true(head.keep_alive && !head.http10 && !head.expects_continue);
	/* Every beginning of it is incomplete, not wrong. */
	for (size_t n = 0; n < used; n++)
		assert_int_equal(parse_n(text, n), 0);
}

static void methods_and_versions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WS_METHOD_COUNT; i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s /" TAIL, ws_method_text((enum ws_method)i));
		assert_int_equal(parse(text), 1);
		assert_int_equal(head.method, i);
	}
	assert_int_equal(parse("BREW /" TAIL), 501);
	assert_int_equal(parse("get /" TAIL), 501);
	assert_int_equal(parse("CONNECT a:1" TAIL), 501);
	assert_int_equal(parse("PRI * HTTP/2.0\r\n\r\n"), 505);
	assert_int_equal(parse("GET / HTTP/3.0\r\n\r\n"), 505);
	assert_int_equal(parse("GET / HTTP/1.2\r\n\r\n"), 505);
	assert_int_equal(parse("GET / http/1.1\r\n\r\n"), 400);
	assert_int_equal(parse("GET /\r\n\r\n"), 400);
	assert_int_equal(parse("GET  / HTTP/1.1\r\n\r\n"), 400);
	assert_int_equal(parse("G\tT / HTTP/1.1\r\n\r\n"), 400);
	assert_int_equal(parse("\x16\x03\x01"), 400);
	assert_int_equal(parse("\r\n\r\n"), 400);
	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n"), 1);
	assert_true(head.http10 && !head.keep_alive);
	assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 1);
	assert_true(head.keep_alive);
	assert_int_equal(parse(LINE "Connection: x , CLOSE\r\n\r\n"), 1);
	assert_false(head.keep_alive);
}

static void paths(void **state)
{
	(void)state;
	/* Dots and slashes are delivered as they came. */
	static const char *const verbatim[] = {
	    "/../../etc/passwd", "/a/./b", "//a//b", "/a/..", "/%2e%2e/x", "/a%20b", "/%c3%a4"};
	static const char *const decoded[] = {
	    "/../../etc/passwd", "/a/./b", "//a//b", "/a/..", "/../x", "/a b", "/\xc3\xa4"};
	for (size_t i = 0; i < sizeof(verbatim) / sizeof(verbatim[0]); i++) {
		char text[128];
		snprintf(text, sizeof(text), "GET %s" TAIL, verbatim[i]);
		assert_int_equal(parse(text), 1);
		assert_string_equal(head.path, decoded[i]);
	}
	static const char *const bad[] = {"*", "a", "http://a/", "/%", "/%2", "/%zz", "/%00", "/a%2fb", "/a%2Fb",
	    "/%ff", "/%0a", "/%7f", "/a#b", "/\xc3\xa4", "/a?%00", "/a?%ff", "/a?b%3Dc=d", "/a?x=%4"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[128];
		snprintf(text, sizeof(text), "GET %s" TAIL, bad[i]);
		if (parse(text) != 400)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_int_equal(parse("GET /?a=1&&b" TAIL), 1);
	assert_int_equal(head.query_count, 2);
	char many[256] = "GET /?";
	for (int i = 0; i < WS_QUERY_MAX + 1; i++)
		strcat(many, "a&");
	strcat(many, TAIL);
	assert_int_equal(parse(many), 400);
}

static void headers(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.1\r\n\r\n"), 400); /* no Host */
	assert_int_equal(parse(LINE "Host: b\r\n\r\n"), 400);   /* two */
	assert_int_equal(parse(LINE "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Content-Length: +1\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Content-Length: 1,1\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Content-Length: 0x1\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Content-Length:\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Content-Length: 99999999999999999999\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Content-Length: 1 1\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Transfer-Encoding: chunked\r\n\r\n"), 411);
	assert_int_equal(parse(LINE "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Accept : a\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Accept: a\r\n b\r\n\r\n"), 400); /* folded */
	assert_int_equal(parse(LINE ": a\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Accept\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Accept: a\x01\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Accept: a\r\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Authorization: a\r\nauthorization: b\r\n\r\n"), 400);
	assert_int_equal(parse(LINE "Expect: 100-continue\r\n\r\n"), 1);
	assert_true(head.expects_continue);
	assert_int_equal(parse(LINE "Expect: miracles\r\n\r\n"), 417);
	/* A line feed alone ends nothing. */
	assert_int_equal(parse("GET / HTTP/1.1\nHost: a\n\n"), 400);
	assert_int_equal(parse(LINE "Accept: a\nContent-Length: 5\r\n\r\n"), 400);
	assert_int_equal(parse_n(LINE "Accept: a\0b\r\n\r\n", sizeof(LINE "Accept: a\0b\r\n\r\n") - 1), 400);
}

static void bounds(void **state)
{
	(void)state;
	static char text[WS_HEAD_MAX + 100];
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	assert_int_equal(parse_n(text, WS_HEAD_MAX - 1), 0);
	assert_int_equal(parse_n(text, WS_HEAD_MAX), 414);
	memcpy(text, LINE "Accept: ", sizeof(LINE) + 7);
	assert_int_equal(parse_n(text, WS_HEAD_MAX - 1), 0);
	assert_int_equal(parse_n(text, WS_HEAD_MAX), 431);
	/* The largest that fits does. */
	memcpy(text + WS_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(parse_n(text, WS_HEAD_MAX), 1);
	assert_int_equal(used, WS_HEAD_MAX);
	assert_int_equal(parse_n(text, sizeof(text)), 1);
	char lines[4096] = LINE;
	for (int i = 0; i < WS_HEADER_LINES_MAX; i++)
		strcat(lines, "x: y\r\n");
	assert_int_equal(parse(strcat(lines, "\r\n")), 431);
}

static void prefixes(void **state)
{
	(void)state;
	static const char *const under[] = {"/api/v1/enrol", "/public/", NULL};
	assert_true(http_path_under("/api/v1/enrol", under));
	assert_true(http_path_under("/api/v1/enrol/x", under));
	assert_true(http_path_under("/public/a", under));
	assert_false(http_path_under("/api/v1/enrolments", under));
	assert_false(http_path_under("/public", under));
	assert_false(http_path_under("/api/v1/enrol/../hosts", under));
	assert_false(http_path_under("/api/v1/enrol/..", under));
	assert_false(http_path_under("/public/./a", under));
	assert_true(http_path_under("/public/..a", under));
	assert_false(http_path_under("/", under));
	assert_false(http_path_under("/api", NULL));
	static const char *const empty[] = {"", NULL};
	assert_false(http_path_under("/api", empty));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_request),
	    cmocka_unit_test(methods_and_versions),
	    cmocka_unit_test(paths),
	    cmocka_unit_test(headers),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
