/* Addresses of controllers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/ws/url.h"

static void good(void **state)
{
	(void)state;
	struct ws_url u;
	assert_int_equal(ws_url_parse("wss://10.0.0.1:8443", &u, NULL), ERR_OK);
	assert_string_equal(u.host, "10.0.0.1");
	assert_int_equal(u.port, 8443);
	assert_string_equal(u.path, "/");
	assert_true(u.literal);
	assert_int_equal(ws_url_parse("wss://[::1]:1/agent?x=1", &u, NULL), ERR_OK);
	assert_string_equal(u.host, "::1");
	assert_string_equal(u.path, "/agent?x=1");
	assert_true(u.literal);
	assert_int_equal(ws_url_parse("wss://kedge.example:65535/", &u, NULL), ERR_OK);
	assert_string_equal(u.host, "kedge.example");
	assert_false(u.literal);
}

static void bad(void **state)
{
	(void)state;
	static const char *const urls[] = {"", "ws://a:1", "https://a:1", "wss://", "wss://a", "wss://:1", "wss://a:0",
	    "wss://a:65536", "wss://a:x", "wss://a:1x", "wss://a:", "wss://a:-1", "wss://::1:1", "wss://[::1]",
	    "wss://[::1]1", "wss://[::1:1", "wss://[a]:1/", "wss://a b:1", "wss://a:1/ b", "wss://a:1/\r\nX: y",
	    "wss://a:1/#x", "wss://u@a:1", "wss://a:000000001"};
	struct ws_url u;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		if (ws_url_parse(urls[i], &u, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", urls[i]);
	}
	assert_int_equal(ws_url_parse(NULL, &u, NULL), ERR_INVALID);
	char *long_one = calloc(1, 5000);
	memset(long_one, 'a', 4999);
	memcpy(long_one, "wss://a:1/", 10);
	assert_int_equal(ws_url_parse(long_one, &u, NULL), ERR_INVALID);
	memcpy(long_one, "wss://aaaa", 10);
	assert_int_equal(ws_url_parse(long_one, &u, NULL), ERR_INVALID);
	free(long_one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
