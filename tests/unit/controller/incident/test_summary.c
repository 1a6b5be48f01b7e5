/* Asking for a summary of what is over, some times, and keeping one. */
#include "tests/lib/incident_world.h"

static struct incident_config rules;
static struct declared_service portal[1];
static int setup(void **state)
{
	(void)state;
	rules = incident_rules;
	rules.summaries = true;
	rules.review_ms = 7 * (uint64_t)DAY; /* out of the way */
	portal[0] = declared("portal", NULL);
	return 0;
}

static unsigned asks(struct world *w)
{
	size_t count;
	unsigned n = 0;
	const struct effect *e = world_effects(w, &count);
	for (size_t k = 0; k < count; k++)
		n += e[k].kind == EFFECT_SUMMARISE;
	return n;
}

static struct id resolved(struct world *w, const struct incident_config *c)
{
	struct incident i;
	world_open(w);
	health_up(w, "web-1", 1, portal, 1);
	incident_says(w, "portal", "web-1", PROBE_OK, &i);
	world_after(w, 1000);
	assert_int_equal(incident_says(w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	world_after(w, 1000);
	assert_int_equal(asks(w), 0);
	ok(incident_resolve(w->turn, c, &ada, i.incident, "done", &i, ERR_HERE));
	return i.incident;
}

/* Its timer, until then: how often it asked. */
static unsigned again(struct world *w, uint64_t for_ms)
{
	uint64_t until_ms = w->now_ms + for_ms;
	struct timer timer;
	unsigned n = 0;
	for (int k = 0; k < 1000 && world_timer(w, until_ms, &timer); k++) {
		struct incident i;
		enum incident_event event;
		bool mine;
		if (strcmp(timer.kind, INCIDENT_TIMER_SUMMARY) != 0)
			continue;
		ok(incident_on_timer(w->turn, &rules, &timer, &i, &event, &mine, ERR_HERE));
		assert_true(mine);
		assert_int_equal(event, INCIDENT_NOTHING);
		n += asks(w);
	}
	if (w->now_ms < until_ms)
		world_at(w, until_ms);
	return n;
}

static void test_it_is_asked_for_once_it_is_over(void **state)
{
	(void)state;
	struct world w;
	resolved(&w, &rules);
	assert_int_equal(asks(&w), 1);
	world_close(&w);
	resolved(&w, &incident_rules); /* nobody is configured */
	assert_int_equal(asks(&w), 0);
	world_after(&w, 1);
	assert_int_equal(again(&w, DAY), 0);
	world_close(&w);
}

static void test_without_an_answer_it_is_asked_for_again_and_then_given_up(void **state)
{
	(void)state;
	struct world w;
	struct id id = resolved(&w, &rules);
	world_after(&w, 1);
	assert_int_equal(again(&w, DAY), INCIDENT_SUMMARY_TRIES - 1);
	assert_null(incident_now(&w, id).summary);
	world_close(&w);
}

static void test_the_first_answer_is_kept_and_ends_the_asking(void **state)
{
	(void)state;
	struct world w;
	struct id id = resolved(&w, &rules);
	world_after(&w, 1);
	ok(incident_summarise(w.turn, id, "It failed.", "some-model", ERR_HERE));
	ok(incident_summarise(w.turn, id, "Another.", "other-model", ERR_HERE));
	world_after(&w, 1);
	assert_string_equal(incident_now(&w, id).summary, "It failed.");
	assert_string_equal(incident_now(&w, id).summary_by, "some-model");
	assert_int_equal(again(&w, DAY), 0);
	struct list lines;
	ok(incident_timeline(w.turn, id, &lines, ERR_HERE));
	assert_string_equal(LIST_AT(lines, struct incident_entry, lines.count - 1).kind, "summary");
	ok(incident_summarise(w.turn, (struct id){{1}}, "Of nothing.", "some-model", ERR_HERE)); /* gone: no matter */
	world_close(&w);
}

static void test_what_comes_back_to_life_forgets_it(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct id id = resolved(&w, &rules);
	world_after(&w, 1);
	ok(incident_summarise(w.turn, id, "It failed.", "some-model", ERR_HERE));
	world_after(&w, 1);
	ok(incident_reopen(w.turn, &rules, &ada, id, "it did not", &i, ERR_HERE));
	world_after(&w, 1);
	assert_null(incident_now(&w, id).summary);
	ok(incident_summarise(w.turn, id, "Late.", "some-model", ERR_HERE)); /* of the end that was none */
	world_after(&w, 1);
	assert_null(incident_now(&w, id).summary);
	assert_int_equal(again(&w, DAY), 0);
	ok(incident_resolve(w.turn, &rules, &ada, id, "now", &i, ERR_HERE));
	assert_int_equal(asks(&w), 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_asked_for_once_it_is_over),
	    cmocka_unit_test(test_without_an_answer_it_is_asked_for_again_and_then_given_up),
	    cmocka_unit_test(test_the_first_answer_is_kept_and_ends_the_asking),
	    cmocka_unit_test(test_what_comes_back_to_life_forgets_it),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
