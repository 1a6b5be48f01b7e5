/* What another incident's change does already is not done a second time. */
#include "controller/center/already.h"
#include "tests/lib/recovery_world.h"

enum { OTHERS = 1, OWN };

static struct id incident_id(uint8_t n)
{
	return (struct id){{n}};
}

/* A change of that incident that runs `sweep` of site on web-1. */
static void is_changed(struct world *w, uint8_t incident, enum change_state state, uint64_t ended_ms)
{
	static struct plan_host there[] = {{.host = "web-1"}};
	struct plan *p = arena_alloc(turn_arena(w->turn), sizeof *p);
	*p = (struct plan){.plan = turn_id(w->turn),
	    .rollback = turn_id(w->turn),
	    .kind = ORDER_ACTION,
	    .service = "site",
	    .action = "sweep",
	    .hosts = {there, 1},
	    .not_before_ms = w->now_ms - 1000,
	    .expires_ms = w->now_ms + 1000,
	    .reason = "no room",
	    .author = "ada"};
	struct change c = {.change = turn_id(w->turn),
	    .number = 9,
	    .state = state,
	    .incident = incident_id(incident),
	    .service = "site",
	    .requested_by = "ada",
	    .ended_ms = ended_ms,
	    .plan = p};
	ok(turn_put(w->turn, &change_table, &c, ERR_HERE));
}

static void incident_is(struct world *w, enum incident_state state)
{
	struct incident i = {.incident = incident_id(OTHERS), .number = 3, .service = "records", .state = state};
	ok(turn_put(w->turn, &incident_table, &i, ERR_HERE));
}

static bool is_done(struct world *w, const char *action, const char *host)
{
	const struct policy_wish wish = {
	    .kind = ORDER_ACTION, .service = "site", .action = action, .hosts = {(void *)&host, 1}};
	struct change other;
	bool there;
	ok(already_done(w->turn, incident_id(OWN), &wish, &other, &there, ERR_HERE));
	if (there)
		assert_int_equal(other.number, 9);
	return there;
}

static void test_the_same_is_not_begun_twice(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	assert_false(is_done(&w, "sweep", "web-1"));
	incident_is(&w, INCIDENT_IDENTIFIED);
	is_changed(&w, OTHERS, CHANGE_REQUESTED, 0);
	assert_true(is_done(&w, "sweep", "web-1"));
	assert_false(is_done(&w, "sweep", "web-2")); /* another host */
	assert_false(is_done(&w, "renew", "web-1")); /* something else */
	incident_is(&w, INCIDENT_RESOLVED);          /* nobody took it up, and nobody will */
	assert_false(is_done(&w, "sweep", "web-1"));
	is_changed(&w, OTHERS, CHANGE_IMPLEMENTING, 0); /* it is at work all the same */
	assert_true(is_done(&w, "sweep", "web-1"));
	world_close(&w);
}

static void test_its_own_is_not_another_incidents(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	is_changed(&w, OWN, CHANGE_REQUESTED, 0);
	assert_false(is_done(&w, "sweep", "web-1"));
	world_close(&w);
}

/* What was done shows within moments; what did not go well helps nobody. */
static void test_what_was_done_has_to_show_first(void **state)
{
	(void)state;
	static const struct {
		enum change_state state;
		uint64_t ago_ms;
		bool done;
	} cases[] = {{CHANGE_COMPLETED, 500, true}, {CHANGE_COMPLETED, ALREADY_SHOWS_MS, false},
	    {CHANGE_FAILED, 500, false}, {CHANGE_CANCELLED, 500, false}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		world_open(&w);
		is_changed(&w, OTHERS, cases[i].state, w.now_ms - cases[i].ago_ms);
		assert_int_equal(is_done(&w, "sweep", "web-1"), cases[i].done);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_same_is_not_begun_twice),
	    cmocka_unit_test(test_its_own_is_not_another_incidents),
	    cmocka_unit_test(test_what_was_done_has_to_show_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
