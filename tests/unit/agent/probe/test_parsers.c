#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/http.h"
#include "agent/probe/perfdata.h"
#include "agent/probe/postgres_answer.h"

static struct probe_outcome parse(const char *text)
{
	struct probe_outcome o = {0};
	perfdata_parse(text, strlen(text), &o);
	return o;
}

static void a_plugin_line_is_read(void **state)
{
	(void)state;
	struct probe_outcome o = parse("DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968 'inodes "
				       "used'=12.5%;80;90\nlong text\n");
	assert_string_equal(o.text, "DISK OK - free space: / 3326 MB (56%);");
	assert_int_equal(o.metric_count, 2);
	assert_string_equal(o.metrics[0].name, "/");
	assert_string_equal(o.metrics[0].unit, "MB");
	assert_true(o.metrics[0].value == 2643 && o.metrics[0].warn == 5948 && o.metrics[0].critical == 5958);
	assert_string_equal(o.metrics[1].name, "inodes used");
	assert_true(o.metrics[1].value == 12.5 && o.metrics[1].critical == 90);
}

static void perfdata_after_the_long_output_counts(void **state)
{
	(void)state;
	struct probe_outcome o = parse("OK - fine | a=1\nline two\nline three | b=2s;1:5;@~:10\nc=3\n");
	assert_string_equal(o.text, "OK - fine");
	assert_int_equal(o.metric_count, 3);
	assert_string_equal(o.metrics[1].name, "b");
	assert_true(o.metrics[1].warn == 5 && o.metrics[1].critical == 10);
	assert_string_equal(o.metrics[2].name, "c");
}

static void broken_perfdata_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("x | a=U b= =3 c d=1e d2=nan e=inf f=0x10").metric_count, 2); /* d=1 with unit e, f=0 with unit x10 */
	assert_int_equal(parse("").metric_count, 0);
	assert_int_equal(parse("|").metric_count, 0);
	assert_int_equal(parse("x | 'open=1").metric_count, 0);
	struct probe_outcome o = parse("tab\there | a=1,5s");
	assert_string_equal(o.text, "tab here");
	assert_true(o.metrics[0].value == 1.5);
	char many[4000] = "x |";
	for (int i = 0; i < 200; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), " m%d=%d", i, i);
	assert_int_equal(parse(many).metric_count, PROBE_METRICS_MAX);
}

static void urls_are_taken_apart(void **state)
{
	(void)state;
	struct http_url u;
	struct err err;
	assert_int_equal(http_url_parse("http://127.0.0.1/healthz?a=1#x", &u, &err), ERR_OK);
	assert_string_equal(u.host, "127.0.0.1");
	assert_string_equal(u.port, "80");
	assert_string_equal(u.path, "/healthz?a=1");
	assert_string_equal(u.authority, "127.0.0.1");
	assert_int_equal(http_url_parse("https://[::1]:8443", &u, &err), ERR_OK);
	assert_string_equal(u.host, "::1");
	assert_string_equal(u.port, "8443");
	assert_string_equal(u.path, "/");
	assert_true(u.tls);
	const char *bad[] = {"ftp://x", "http://", "http://x:0/", "http://x:99999/", "http://u:p@x/", "http://x/a b",
	    "http://x/\r\nEvil: 1", "http://[::1/"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(http_url_parse(bad[i], &u, &err), ERR_INVALID);
}

static struct http_response feed(const char *text, size_t piece)
{
	struct http_response r;
	http_response_init(&r);
	for (size_t at = 0, n = strlen(text); at < n && r.state != HTTP_DONE && r.state != HTTP_BAD; at += piece)
		(void)http_response_feed(&r, text + at, n - at < piece ? n - at : piece);
	return r;
}

/* Whatever the pieces in which an answer comes, it reads the same. */
static void answers_are_read_in_any_pieces(void **state)
{
	(void)state;
	static const struct {
		const char *text, *body;
		enum http_state before_end, after_end;
		unsigned status;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", HTTP_DONE, HTTP_DONE, 200},
	    {"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello-more", "hello", HTTP_DONE, HTTP_DONE, 200},
	    {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "", HTTP_DONE, HTTP_DONE, 503},
	    {"HTTP/1.1 204 No Content\r\n\r\n", "", HTTP_DONE, HTTP_DONE, 204},
	    {"HTTP/1.0 200 OK\n\nto the end", "to the end", HTTP_BODY, HTTP_DONE, 200},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "hello", HTTP_BODY, HTTP_BAD, 200},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n",
		"hello world", HTTP_DONE, HTTP_DONE, 200},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "hel", HTTP_BODY, HTTP_BAD, 200},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", HTTP_BAD, HTTP_BAD, 200},
	    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", HTTP_DONE, HTTP_DONE,
		200},
	    {"SSH-2.0-OpenSSH_9.2\r\n", "", HTTP_BAD, HTTP_BAD, 0},
	    {"HTTP/1.1 999 x\r\n\r\n", "", HTTP_BAD, HTTP_BAD, 0},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "", HTTP_BAD, HTTP_BAD, 200},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "", HTTP_BAD, HTTP_BAD, 200},
	    {"HTTP/1.1 2", "", HTTP_HEAD, HTTP_BAD, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t piece = 1; piece < 200; piece = piece * 3 + 1) {
			struct http_response r = feed(cases[i].text, piece);
			assert_int_equal(r.state, cases[i].before_end);
			assert_int_equal(http_response_end(&r), cases[i].after_end);
			assert_int_equal(r.status, cases[i].status);
			assert_string_equal(buf_str(&r.body), cases[i].body);
			http_response_done(&r);
		}
}

static void endless_answers_are_bounded(void **state)
{
	(void)state;
	struct http_response r;
	char line[1000];
	memset(line, 'a', sizeof line);
	http_response_init(&r);
	(void)http_response_feed(&r, "HTTP/1.1 200 OK\r\nX: ", 20);
	for (int i = 0; i < 100 && r.state == HTTP_HEAD; i++)
		(void)http_response_feed(&r, line, sizeof line);
	assert_int_equal(r.state, HTTP_BAD);
	assert_true(r.head.size <= PROBE_HEAD_MAX);
	http_response_done(&r);
	http_response_init(&r);
	(void)http_response_feed(&r, "HTTP/1.1 200 OK\r\n\r\n", 19);
	for (int i = 0; i < 1000 && r.state == HTTP_BODY; i++)
		(void)http_response_feed(&r, line, sizeof line);
	assert_int_equal(r.state, HTTP_DONE);
	assert_true(r.cut);
	assert_int_equal(r.body.size, PROBE_BODY_MAX);
	http_response_done(&r);
}

/* ---- PostgreSQL ---- */

static void what_a_server_answers_is_read(void **state)
{
	(void)state;
	struct postgres_answer a;
	assert_true(postgres_answer_parse("SET\n97|30|12|7|44|4711|idle in transaction|120|on|server.crt\n", "/d", &a));
	assert_true(a.room == 97 && a.used == 30 && a.idle == 12 && a.waiting == 7 && a.waits_s == 44);
	assert_true(a.behind == 4711 && a.behind_s == 120);
	assert_string_equal(a.behind_state, "idle in transaction");
	assert_string_equal(a.certificate, "/d/server.crt");
	assert_true(postgres_answer_parse("1|0|0|0|0|0|unknown|0|on|/etc/ssl/s.pem", "/d", &a));
	assert_string_equal(a.certificate, "/etc/ssl/s.pem");
	assert_true(postgres_answer_parse("1|0|0|0|0|0|unknown|0|off|server.crt", "/d", &a));
	assert_string_equal(a.certificate, "");
}

static void what_is_no_answer_is_none(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "\n", "97|30", "x|0|0|0|0|0|unknown|0|off|a", "-1|0|0|0|0|0|s|0|off|a",
	    "inf|0|0|0|0|0|s|0|off|a", "nan|0|0|0|0|0|s|0|off|a", "1e999|0|0|0|0|0|s|0|off|a",
	    "1|0|0|0|0|0|s|0|off|a|b", "1|0|0|0|0|0|s|0|off|a\nERROR:  gone"};
	struct postgres_answer a;
	char huge[POSTGRES_ANSWER_COLUMNS * POSTGRES_ANSWER_COLUMN + 64];
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(postgres_answer_parse(wrong[i], "/d", &a));
	memset(huge, 'a', sizeof huge);
	memcpy(huge, "1|0|0|0|0|0|s|0|on|", 19);
	huge[sizeof huge - 1] = '\0';
	assert_false(postgres_answer_parse(huge, "/d", &a)); /* half a name would be another one's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plugin_line_is_read),
	    cmocka_unit_test(perfdata_after_the_long_output_counts),
	    cmocka_unit_test(broken_perfdata_is_left_out),
	    cmocka_unit_test(urls_are_taken_apart),
	    cmocka_unit_test(answers_are_read_in_any_pieces),
	    cmocka_unit_test(endless_answers_are_bounded),
	    cmocka_unit_test(what_a_server_answers_is_read),
	    cmocka_unit_test(what_is_no_answer_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
