/* Waits between attempts: within their windows, spread over them, and obedient. */
#include "agent/link/reconnect.h"
#include "tests/lib/unit.h"

static void windows_double_up_to_the_cap(void **state)
{
	static const uint64_t want[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct reconnect r = {0};
	struct random random;
	(void)state;
	random_init_seed(&random, 1);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(reconnect_window_ms(&r, RECONNECT_FAILED, 0), want[i]);
		assert_true(reconnect_delay_ms(&r, RECONNECT_FAILED, 0, &random) <= want[i]);
	}
	r.failures = UINT32_MAX;
	assert_true(reconnect_delay_ms(&r, RECONNECT_FAILED, 0, &random) <= RECONNECT_CAP_MS);
	assert_int_equal(r.failures, UINT32_MAX);
	reconnect_good(&r);
	assert_int_equal(reconnect_window_ms(&r, RECONNECT_FAILED, 0), RECONNECT_BASE_MS);
}

static void the_controllers_word_is_the_cap(void **state)
{
	static const struct {
		uint64_t hint_ms, cap_ms;
	} cases[] = {{0, RECONNECT_CAP_MS}, {1, RECONNECT_CAP_LEAST_MS}, {5000, 5000}, {WAIT_MAX_MS, WAIT_MAX_MS}};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct reconnect r = {.failures = 100, .hint_ms = cases[i].hint_ms};
		assert_int_equal(reconnect_window_ms(&r, RECONNECT_FAILED, 7777), cases[i].cap_ms);
	}
}

static void who_is_asked_to_spread_does_so(void **state)
{
	struct reconnect r = {.hint_ms = 4000};
	(void)state;
	assert_int_equal(reconnect_window_ms(&r, RECONNECT_ASKED, 20000), 20000);
	assert_int_equal(reconnect_window_ms(&r, RECONNECT_ASKED, 0), 4000);
	r.failures = 10; /* and no faster than failures allow */
	assert_int_equal(reconnect_window_ms(&r, RECONNECT_ASKED, 100), 4000);
	r = (struct reconnect){0};
	assert_int_equal(reconnect_window_ms(&r, RECONNECT_ASKED, 0), RECONNECT_BASE_MS);
}

/* P21: a thousand agents that lost their controller come back spread out. */
static void a_fleet_comes_back_spread_out(void **state)
{
	enum { AGENTS = 1000, SPREAD_MS = 20000, SLOT_MS = 1000 };
	unsigned slots[SPREAD_MS / SLOT_MS + 1] = {0};
	struct random random;
	(void)state;
	random_init_seed(&random, 7);
	for (int i = 0; i < AGENTS; i++) {
		struct reconnect r = {0};
		slots[reconnect_delay_ms(&r, RECONNECT_ASKED, SPREAD_MS, &random) / SLOT_MS]++;
	}
	for (size_t i = 0; i < SPREAD_MS / SLOT_MS; i++)
		assert_in_range(slots[i], 1, 3 * AGENTS / (SPREAD_MS / SLOT_MS));
}

static void who_must_wait_for_a_person_waits(void **state)
{
	struct random random;
	(void)state;
	random_init_seed(&random, 3);
	for (int i = 0; i < 1000; i++) {
		struct reconnect r = {.hint_ms = 10};
		assert_in_range(
		    reconnect_delay_ms(&r, RECONNECT_SLOW, 5, &random), RECONNECT_SLOW_MS / 2, RECONNECT_SLOW_MS);
	}
	for (unsigned reason = 0; reason < BYE_REASON_COUNT; reason++) {
		bool slow = reason == BYE_WRONG_IDENTITY || reason == BYE_DUPLICATE_IDENTITY || reason == BYE_REVOKED ||
			    reason == BYE_VERSION;
		assert_int_equal(reconnect_why((enum bye_reason)reason) == RECONNECT_SLOW, slow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(windows_double_up_to_the_cap),
	    cmocka_unit_test(the_controllers_word_is_the_cap),
	    cmocka_unit_test(who_is_asked_to_spread_does_so),
	    cmocka_unit_test(a_fleet_comes_back_spread_out),
	    cmocka_unit_test(who_must_wait_for_a_person_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
