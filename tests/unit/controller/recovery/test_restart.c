/* RULES R16: a fleet of 1,000 hosts restarts three times in each wave while it is being rolled back: they all say hello
 * within one input.  Never do more hosts have an order than the wave that is out has; no host works twice. */
#include "tests/lib/recovery_world.h"

enum { HOSTS = 1000, WAVES = 5, AT_ONCE = 50 /* answers in one turn: each writes the whole rollback */ };
static const size_t wave_size[WAVES] = {1, 10, 50, 250, 689};

static void all_restart(struct world *w)
{
	world_after(w, ORDER_RESEND_MS / 10);
	for (size_t i = 0; i < HOSTS; i++)
		ok(recovery_on_hello(w->turn, fleet_list[i], ERR_HERE));
}

/* Exactly the hosts from `first` get an order, one each. */
static void check_orders(struct world *w, size_t first, size_t count)
{
	assert_int_equal(frames_to(w, NULL, FRAME_ORDER), count);
	for (size_t i = 0; i < HOSTS; i++)
		assert_int_equal(frames_to(w, fleet_list[i], FRAME_ORDER), i >= first && i < first + count);
}

static enum recovery_event all_say(
    struct world *w, const struct rollback *r, size_t first, size_t count, enum order_outcome outcome)
{
	enum recovery_event event = RECOVERY_NOTHING;
	for (size_t i = first; i < first + count; i++) {
		if (i % AT_ONCE == 0)
			world_after(w, 0);
		event = host_says(w, fleet_list[i], host_of(r, i)->order, outcome, outcome == ORDER_OK);
	}
	return event;
}

/* The wave ends well; half of its hosts have ended when the fleet restarts once more. */
static enum recovery_event wave_ends(struct world *w, const struct rollback *r, size_t first, size_t count)
{
	struct rollback after;
	enum recovery_event event;
	if (count / 2)
		assert_int_equal(all_say(w, r, first, count / 2, ORDER_OK), RECOVERY_NOTHING);
	all_restart(w);
	assert_int_equal(frames_to(w, NULL, FRAME_ORDER), 0);
	assert_int_equal(all_say(w, r, first + count / 2, count - count / 2, ORDER_OK), RECOVERY_PROVING);
	world_after(w, recovery_rules.bake_ms);
	for (size_t i = first; i < first + count; i++)
		http_says(w, "portal", fleet_list[i], PROBE_OK);
	ok(recovery_on_health(w->turn, &recovery_rules, "portal", &after, &event, ERR_HERE));
	return event;
}

static void test_r16_a_restart_of_the_fleet_lets_no_more_loose(void **state)
{
	(void)state;
	struct world w;
	size_t first = 0;
	world_open(&w);
	people_are(&w);
	fleet_is(&w, HOSTS);
	fleet_breaks(&w, HOSTS);
	struct id id = begun(&w, HOSTS).rollback;
	for (uint32_t wave = 0; wave < WAVES; first += wave_size[wave++]) {
		struct rollback r = kept(rollback_now(&w, id));
		assert_int_equal(r.wave, wave);
		all_restart(&w);
		check_orders(&w, first, wave_size[wave]);
		assert_int_equal(world_record_count(&w, &order_table), first + wave_size[wave]);
		all_say(&w, &r, first, wave_size[wave], ORDER_OPEN);
		all_restart(&w); /* what was begun is found in hosts' journals: nothing is sent again */
		assert_int_equal(frames_to(&w, NULL, FRAME_ORDER), 0);
		if (wave + 1 < WAVES) /* the last one's end would show nothing new */
			assert_int_equal(wave_ends(&w, &r, first, wave_size[wave]), RECOVERY_WAVE);
	}
	assert_int_equal(world_record_count(&w, &order_table), HOSTS); /* one each */
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_r16_a_restart_of_the_fleet_lets_no_more_loose),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
