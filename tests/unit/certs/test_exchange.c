/* Where to ask, and how an answer is read. */
#include "tests/lib/unit.h"

#include <string.h>

#include "certs/exchange.h"

static void urls(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host, *port;
	} good[] = {
	    {"https://127.0.0.1:8443", "127.0.0.1", "8443"},
	    {"https://control.example", "control.example", "443"},
	    {"https://control.example/", "control.example", "443"},
	    {"https://[::1]:65535", "::1", "65535"},
	    {"https://[fe80::1]", "fe80::1", "443"},
	};
	static const char *const bad[] = {"", "http://127.0.0.1:1", "https://", "https://:1",
	    "https://a:", "https://a:0", "https://a:65536", "https://a:123456", "https://a:1x", "https://a:1/api",
	    "https://[::1", "https://[::1]x", "https://[]:1", "https://a/b", "127.0.0.1:1", "https:///x"};
	struct exchange_url u;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(exchange_url(good[i].text, &u, NULL), ERR_OK);
		assert_string_equal(u.host, good[i].host);
		assert_string_equal(u.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = ERR_INIT;
		if (exchange_url(bad[i], &u, &e) != ERR_INVALID || !e.msg[0])
			fail_msg("taken: \"%s\"", bad[i]);
	}
	char longest[EXCHANGE_HOST_MAX + 16] = "https://";
	memset(longest + 8, 'a', EXCHANGE_HOST_MAX);
	assert_int_equal(exchange_url(longest, &u, NULL), ERR_INVALID);
	longest[8 + EXCHANGE_HOST_MAX - 1] = '\0';
	assert_int_equal(exchange_url(longest, &u, NULL), ERR_OK);
}

static enum err_code parse(const char *text, bool ended, struct exchange_answer *a, bool *whole)
{
	struct err e = ERR_INIT;
	enum err_code rc = exchange_parse(text, strlen(text), ended, a, whole, &e);
	assert_int_equal(rc, e.code);
	return rc;
}

static void answers(void **state)
{
	(void)state;
	static const char whole[] = "HTTP/1.1 403 Forbidden\r\ndate: x\r\nContent-LENGTH: \t5 \r\nx: y\r\n\r\nhello";
	struct exchange_answer a = {0};
	bool done;
	for (size_t n = 0; n < sizeof whole - 1; n++) { /* cut anywhere: read on, or cut off if nothing more comes */
		assert_int_equal(exchange_parse(whole, n, false, &a, &done, NULL), ERR_OK);
		assert_false(done);
		assert_int_equal(exchange_parse(whole, n, true, &a, &done, NULL), ERR_INVALID);
	}
	assert_int_equal(a.status, 0);
	assert_int_equal(parse(whole, false, &a, &done), ERR_OK);
	assert_true(done);
	assert_int_equal(a.status, 403);
	assert_int_equal(a.body.size, 5);
	assert_memory_equal(a.body.data, "hello", 5);
	/* Without a length the end of the connection is the end. */
	assert_int_equal(parse("HTTP/1.0 200 OK\r\n\r\nabc", false, &a, &done), ERR_OK);
	assert_false(done);
	assert_int_equal(parse("HTTP/1.0 200 OK\r\n\r\nabc", true, &a, &done), ERR_OK);
	assert_true(done && a.body.size == 3);
	assert_int_equal(parse("HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n", false, &a, &done), ERR_OK);
	assert_true(done && a.status == 204 && a.body.size == 0);
}

static void answers_that_are_none(void **state)
{
	(void)state;
	static const char *const bad[] = {"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n",
	    "HTTP/1.1 101 Switching\r\n\r\n", "\r\n\r\n", "nonsense\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n",
	    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
	    "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n"};
	struct exchange_answer a;
	bool done;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (parse(bad[i], false, &a, &done) != ERR_INVALID)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(
	    parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, &a, &done), ERR_UNSUPPORTED);
	assert_int_equal(parse("HTTP/1.1 200 OK\r\ncontent-length: 262145\r\n\r\n", false, &a, &done), ERR_LIMIT);
	static char large[EXCHANGE_BODY_MAX + EXCHANGE_HEAD_MAX + 64];
	memset(large, 'a', sizeof large - 1);
	assert_int_equal(exchange_parse(large, EXCHANGE_HEAD_MAX, false, &a, &done, NULL), ERR_OK);
	assert_int_equal(exchange_parse(large, EXCHANGE_HEAD_MAX + 1, false, &a, &done, NULL), ERR_LIMIT);
	memcpy(large, "HTTP/1.1 200 OK\r\n\r\n", 19);
	assert_int_equal(exchange_parse(large, 19 + EXCHANGE_BODY_MAX, true, &a, &done, NULL), ERR_OK);
	assert_int_equal(exchange_parse(large, 19 + EXCHANGE_BODY_MAX + 1, true, &a, &done, NULL), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(urls), cmocka_unit_test(answers), cmocka_unit_test(answers_that_are_none)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
