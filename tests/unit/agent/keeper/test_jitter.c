/* RULES R16: no timers that fall due together on a fleet whose hosts began together. */
#include "agent/keeper/jitter.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/unit.h"

enum { HOSTS = 1000, MINUTE_MS = 60 * 1000, EVERY_MS = 10 * MINUTE_MS, SHARE = HOSTS / 10 };

/* How hosts are called: numbered, numbered with zeros, and by site. */
static const char *const patterns[] = {"web-%d", "h%04d", "node%d.ward.example"};

static uint64_t wait_of(const char *pattern, int host, const char *what)
{
	char name[64];
	snprintf(name, sizeof name, pattern, host);
	return jittered_ms(name, what, EVERY_MS);
}

static void test_it_stays_within_a_fifth(void **state)
{
	(void)state;
	static const uint64_t every[] = {100, 101, 999, EVERY_MS, 24ull * 3600 * 1000, UINT64_MAX / 2};
	char name[64];
	for (size_t e = 0; e < sizeof every / sizeof every[0]; e++)
		for (int host = 0; host < HOSTS; host++) {
			snprintf(name, sizeof name, "web-%d", host);
			uint64_t ms = jittered_ms(name, "portal", every[e]);
			assert_true(ms >= every[e] - every[e] / 5);
			assert_true(ms < every[e] + every[e] / 5);
		}
	assert_int_equal(jittered_ms("web-1", "portal", 0), 0);
	assert_int_equal(jittered_ms("web-1", "portal", 1), 1);
}

static void test_a_thousand_hosts_are_spread_evenly(void **state)
{
	(void)state;
	for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
		int tenths[10] = {0};
		double squares = 0;
		for (int host = 0; host < HOSTS; host++)
			tenths[(wait_of(patterns[p], host, "portal") - EVERY_MS / 5 * 4) / (EVERY_MS / 5 * 2 / 10)]++;
		for (int i = 0; i < 10; i++)
			squares += (double)(tenths[i] - SHARE) * (tenths[i] - SHARE) / SHARE;
		assert_true(squares < 27.9); /* chi-squared, 9 degrees of freedom: even, but for one in a thousand */
	}
}

/* All restart at once and each is busy for two seconds when its time comes: how many are busy together? */
static void test_r16_few_are_busy_together(void **state)
{
	(void)state;
	enum { BUSY_MS = 2000, MOST = 30 }; /* 1,000 × 2 s in a window of 240 s are 8.3 on average */
	static int seconds[EVERY_MS / 1000 * 2];
	for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
		int peak = 0;
		for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
			seconds[i] = 0;
		for (int host = 0; host < HOSTS; host++) {
			uint64_t from = wait_of(patterns[p], host, "portal");
			for (uint64_t s = from / 1000; s <= (from + BUSY_MS - 1) / 1000; s++)
				peak = ++seconds[s] > peak ? seconds[s] : peak;
		}
		assert_in_range(peak, 1, MOST);
	}
}

/* A site has power again: every host's hourly restore point is overdue, and each takes ten seconds. */
static void test_r16_what_is_overdue_is_not_caught_up_together(void **state)
{
	(void)state;
	enum { HOUR_MS = 60 * MINUTE_MS, BUSY_S = 10, MOST = 60 }; /* 1,000 x 10 s in 300 s are 33 on average */
	static int seconds[JITTER_OVERDUE_MAX_MS / 1000 + BUSY_S + 1];
	char name[64];
	for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
		int peak = 0;
		for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
			seconds[i] = 0;
		for (int host = 0; host < HOSTS; host++) {
			snprintf(name, sizeof name, patterns[p], host);
			uint64_t ms = jitter_overdue_ms(name, "portal", HOUR_MS);
			assert_true(ms < JITTER_OVERDUE_MAX_MS);
			for (uint64_t s = ms / 1000; s <= ms / 1000 + BUSY_S; s++)
				peak = ++seconds[s] > peak ? seconds[s] : peak;
		}
		assert_in_range(peak, 1, MOST);
	}
	for (int host = 0; host < HOSTS; host++) {
		snprintf(name, sizeof name, "web-%d", host);
		assert_true(jitter_overdue_ms(name, "portal", MINUTE_MS) < MINUTE_MS / 10);
	}
	assert_int_equal(jitter_overdue_ms("web-1", "portal", 0), 0);
	assert_int_equal(jitter_overdue_ms("web-1", "portal", 99), 0);
}

static void test_a_host_keeps_its_own(void **state)
{
	(void)state;
	size_t same = 0;
	for (int host = 0; host < HOSTS; host++) {
		assert_int_equal(wait_of("web-%d", host, "portal"), wait_of("web-%d", host, "portal"));
		same += wait_of("web-%d", host, "portal") == wait_of("web-%d", host, "records");
	}
	assert_in_range(same, 0, 5);                                        /* two services of a host have two */
	assert_int_equal(jittered_ms("web-1", "portal", EVERY_MS), 697004); /* for ever: a release changes none */
	assert_true(jittered_ms("web-1", "1portal", EVERY_MS) != jittered_ms("web-11", "portal", EVERY_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_stays_within_a_fifth),
	    cmocka_unit_test(test_a_thousand_hosts_are_spread_evenly),
	    cmocka_unit_test(test_r16_few_are_busy_together),
	    cmocka_unit_test(test_r16_what_is_overdue_is_not_caught_up_together),
	    cmocka_unit_test(test_a_host_keeps_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
