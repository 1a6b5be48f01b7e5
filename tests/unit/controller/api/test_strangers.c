/* Whoever tries tokens: so often from one place, and nobody else is kept out by it. */
#include <stdio.h>

#include "controller/api/strangers.h"
#include "tests/lib/unit.h"

enum { MINUTE = 60 * 1000, LATER = 7 * 24 * 3600 * 1000 };

static uint32_t tries(struct strangers *s, const char *address, uint64_t now_ms, uint32_t most)
{
	uint32_t n = 0;
	while (n < most && strangers_may(s, address, now_ms)) {
		strangers_failed(s, address, now_ms);
		n++;
	}
	return n;
}

static void one_who_tries_too_often_keeps_nobody_else_out(void **state)
{
	(void)state;
	struct strangers s = {0};
	assert_int_equal(tries(&s, "192.0.2.1:401", LATER, 1000), STRANGERS_TRIES);
	assert_false(strangers_may(&s, "192.0.2.1:9", LATER + MINUTE - 1)); /* from any port */
	assert_true(strangers_may(&s, "192.0.2.2:402", LATER + MINUTE - 1));
	assert_true(strangers_may(&s, "[2001:db8::1]:4000", LATER + MINUTE - 1));
	assert_true(strangers_may(&s, "192.0.2.1:401", LATER + MINUTE));
}

/* Only what was wrong counts: hosts behind one address are enrolled as fast as they come. */
static void who_is_let_in_is_not_counted(void **state)
{
	(void)state;
	struct strangers s = {0};
	for (int i = 0; i < 1000; i++)
		assert_true(strangers_may(&s, "192.0.2.1:401", LATER));
}

static void a_network_of_ipv6_is_one(void **state)
{
	(void)state;
	struct strangers s = {0};
	assert_int_equal(tries(&s, "[2001:db8:0:1::1]:4000", LATER, 1000), STRANGERS_TRIES);
	assert_false(strangers_may(&s, "[2001:db8:0:1:ffff::2]:4000", LATER));
	assert_true(strangers_may(&s, "[2001:db8:0:2::1]:4000", LATER));
	assert_int_equal(tries(&s, "192.0.2.9:409", LATER, 1000), STRANGERS_TRIES);
	assert_false(strangers_may(&s, "[::ffff:192.0.2.9]:4000", LATER));
	assert_true(strangers_may(&s, "[::ffff:192.0.2.10]:4000", LATER));
}

/* Somebody with very many addresses: the trail grows by so much and no more; whoever was there before goes on. */
static void many_addresses_share_what_is_left(void **state)
{
	(void)state;
	struct strangers s = {0};
	uint32_t all = 0;
	char address[32];
	assert_int_equal(tries(&s, "192.0.2.1:401", LATER, 1), 1);
	for (unsigned i = 0; i < 20000; i++) {
		(void)snprintf(address, sizeof address, "10.0.%u.%u:55555", i >> 8, i & 255);
		all += tries(&s, address, LATER, 3);
	}
	assert_true(all <= (STRANGERS_MAX + 1) * STRANGERS_TRIES);
	assert_int_equal(s.count, STRANGERS_MAX);
	assert_true(strangers_may(&s, "192.0.2.1:401", LATER));
	assert_false(strangers_may(&s, "192.0.2.77:407", LATER));
	assert_true(strangers_may(&s, "192.0.2.77:407", LATER + MINUTE));
}

static void what_is_no_address_is_one(void **state)
{
	(void)state;
	struct strangers s = {0};
	assert_int_equal(tries(&s, NULL, LATER, 1000), STRANGERS_TRIES);
	assert_false(strangers_may(&s, "unix", LATER));
	assert_true(strangers_may(&s, "192.0.2.1:401", LATER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_who_tries_too_often_keeps_nobody_else_out),
	    cmocka_unit_test(who_is_let_in_is_not_counted),
	    cmocka_unit_test(a_network_of_ipv6_is_one),
	    cmocka_unit_test(many_addresses_share_what_is_left),
	    cmocka_unit_test(what_is_no_address_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
