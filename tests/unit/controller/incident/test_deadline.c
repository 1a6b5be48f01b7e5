/* From any state with everybody silent: an escalation, or a named end.  And one cause, one incident that pages. */
#include "tests/lib/incident_world.h"

static void bring_to(struct world *w, struct id id, enum incident_state to)
{
	struct incident i;
	bool first;
	struct id none = {{0}};
	if (to == INCIDENT_ACKNOWLEDGED)
		ok(incident_acknowledge(w->turn, &incident_rules, &ada, id, &i, &first, ERR_HERE));
	if (to == INCIDENT_INVESTIGATING)
		ok(incident_investigate(w->turn, &incident_rules, &ada, id, NULL, &i, ERR_HERE));
	if (to == INCIDENT_IDENTIFIED)
		ok(incident_identify(w->turn, &incident_rules, &ada, id, none, NULL, &i, ERR_HERE));
	if (to == INCIDENT_RESOLVING)
		ok(incident_resolving(w->turn, &incident_rules, &ada, id, none, none, &i, ERR_HERE));
	if (to == INCIDENT_RESOLVED)
		ok(incident_resolve(w->turn, &incident_rules, &ada, id, NULL, &i, ERR_HERE));
}

static struct id fault(struct world *w)
{
	static struct declared_service portal[1];
	struct incident i;
	portal[0] = declared("portal", NULL);
	world_open(w);
	health_up(w, "web-1", 1, portal, 1);
	assert_int_equal(incident_says(w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	world_after(w, 1000);
	return i.incident;
}

static void test_p1_every_open_state_escalates_within_its_deadline(void **state)
{
	(void)state;
	static const uint64_t deadline[] = {15 * MINUTE, HOUR, HOUR, 30 * MINUTE, 30 * MINUTE};
	for (unsigned s = 0; s < INCIDENT_RESOLVED; s++) {
		struct world w;
		struct incident i;
		struct id id = fault(&w);
		uint64_t since = w.now_ms - (s == INCIDENT_DETECTED ? 1000 : 0);
		bring_to(&w, id, (enum incident_state)s);
		uint64_t wait = deadline[s];
		for (unsigned times = 1; times <= 12; times++) { /* doubling, up to a day */
			assert_int_equal(incident_until(&w, since + wait, &i), INCIDENT_OVERDUE);
			assert_int_equal(w.now_ms, since + wait);
			assert_int_equal(i.overdue, times);
			since = w.now_ms;
			wait = 2 * wait < DAY ? 2 * wait : DAY;
		}
		world_close(&w);
	}
}

static void test_p1_resolved_is_reviewed_or_ends_by_name(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct id id = fault(&w);
	bring_to(&w, id, INCIDENT_RESOLVED);
	uint64_t end = w.now_ms;
	for (int n = 1; n <= INCIDENT_REMINDERS_MAX; n++) {
		assert_int_equal(incident_until(&w, UINT64_MAX, &i), INCIDENT_REVIEW_DUE);
		assert_int_equal(w.now_ms, end + (uint64_t)n * DAY);
	}
	assert_int_equal(incident_until(&w, UINT64_MAX, &i), INCIDENT_ENDED);
	assert_int_equal(i.state, INCIDENT_CLOSED);
	assert_int_equal(i.reviewed_ms, 0);
	world_close(&w);
}

/* ---- one cause, one page ---- */

enum { CHILDREN = 40 };
static char child_names[CHILDREN][8];
static struct declared_service fleet[CHILDREN + 1];

/* db, and services that lean on it, on one host. */
static void many(struct world *w)
{
	static const char *on_db[] = {"db"};
	world_open(w);
	fleet[0] = declared("db", NULL);
	for (int n = 0; n < CHILDREN; n++) {
		child_names[n][0] = 's';
		child_names[n][1] = (char)('0' + n / 10);
		child_names[n][2] = (char)('0' + n % 10);
		fleet[n + 1] = declared(child_names[n], on_db);
	}
	health_up(w, "h1", 1, fleet, CHILDREN + 1);
	for (int n = 0; n <= CHILDREN; n++)
		http_says(w, fleet[n].name, "h1", PROBE_OK);
	world_after(w, 1000);
}

static unsigned unsuppressed(struct world *w)
{
	struct list open;
	unsigned count = 0;
	ok(incident_all_open(w->turn, &open, ERR_HERE));
	for (size_t i = 0; i < open.count; i++)
		count += id_is_zero(LIST_AT(open, struct incident, i).suppressed_by);
	return count;
}

static void test_p33_one_cause_one_incident_that_pages(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	many(&w);
	assert_int_equal(incident_says(&w, "db", "h1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	struct id cause = i.incident;
	for (int n = 1; n <= CHILDREN; n++) {
		assert_int_equal(incident_says(&w, fleet[n].name, "h1", PROBE_CRITICAL, &i), INCIDENT_SUPPRESSED);
		assert_memory_equal(&i.suppressed_by, &cause, sizeof(cause));
	}
	assert_int_equal(unsuppressed(&w), 1);
	world_close(&w);
}

static void test_p33_cause_that_shows_last_gathers_the_others(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	many(&w);
	for (int n = 1; n <= CHILDREN; n++)
		assert_int_equal(incident_says(&w, fleet[n].name, "h1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	assert_int_equal(unsuppressed(&w), CHILDREN);
	assert_int_equal(incident_says(&w, "db", "h1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	assert_int_equal(unsuppressed(&w), 1);
	world_close(&w);
}

static void test_p33_chains_stay_flat_and_cycles_page_once(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	const char *a[] = {"a"}, *b[] = {"b"}, *c[] = {"c"};
	struct declared_service ring[] = {declared("a", b), declared("b", c), declared("c", a)};
	world_open(&w);
	health_up(&w, "h1", 1, ring, 3);
	for (int n = 0; n < 3; n++)
		http_says(&w, ring[n].name, "h1", PROBE_OK);
	world_after(&w, 1000);
	assert_int_equal(incident_says(&w, "a", "h1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	struct id cause = i.incident;
	assert_int_equal(incident_says(&w, "c", "h1", PROBE_CRITICAL, &i), INCIDENT_SUPPRESSED);
	assert_int_equal(incident_says(&w, "b", "h1", PROBE_CRITICAL, &i), INCIDENT_SUPPRESSED);
	assert_memory_equal(&i.suppressed_by, &cause, sizeof(cause));
	assert_int_equal(unsuppressed(&w), 1);
	world_close(&w);
}

static void test_what_does_not_heal_with_its_cause_is_released(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	many(&w);
	incident_says(&w, "db", "h1", PROBE_CRITICAL, &i);
	struct id cause = i.incident;
	incident_says(&w, "s00", "h1", PROBE_CRITICAL, &i);
	struct id sick = i.incident;
	incident_says(&w, "s01", "h1", PROBE_CRITICAL, &i);
	struct id heals = i.incident;
	world_after(&w, 1000);
	ok(incident_resolve(w.turn, &incident_rules, &ada, cause, "fixed", &i, ERR_HERE));
	uint64_t fixed = w.now_ms;
	world_after(&w, 1000);
	incident_says(&w, "s01", "h1", PROBE_OK, &i);
	assert_int_equal(incident_until(&w, fixed + MINUTE - 1, &i), INCIDENT_PROVEN); /* s01 by itself */
	assert_memory_equal(&i.incident, &heals, sizeof(heals));
	ok(incident_resolve(w.turn, &incident_rules, &actor_controller, heals, "healed", &i, ERR_HERE));
	assert_int_equal(incident_until(&w, fixed + MINUTE, &i), INCIDENT_RELEASED);
	assert_memory_equal(&i.incident, &sick, sizeof(sick));
	assert_int_equal(w.now_ms, fixed + MINUTE);
	assert_true(id_is_zero(incident_now(&w, sick).suppressed_by));
	world_close(&w);
}

/* top leans on middle, and that on db, or db on top again: each fails, and was explained by the first. */
static void chain_fails(struct world *w, const char *const *last, struct id ret[3])
{
	static const char *on_db[] = {"db"}, *on_middle[] = {"middle"};
	struct declared_service all[] = {declared("db", last), declared("middle", on_db), declared("top", on_middle)};
	world_open(w);
	health_up(w, "h1", 1, all, 3);
	for (int n = 0; n < 3; n++)
		http_says(w, all[n].name, "h1", PROBE_OK);
	world_after(w, 1000);
	for (int n = 0; n < 3; n++) {
		struct incident i;
		incident_says(w, all[n].name, "h1", PROBE_CRITICAL, &i);
		ret[n] = i.incident;
	}
	struct incident top = incident_now(w, ret[2]);
	assert_memory_equal(&top.suppressed_by, &ret[0], sizeof ret[0]);
}

/* What fails again when the cause is over is explained by what still fails, not by what is over: that releases nobody
 * any more. */
static void test_what_is_over_explains_nothing_new(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct id chain[3];
	chain_fails(&w, NULL, chain);
	world_after(&w, 1000);
	incident_says(&w, "top", "h1", PROBE_OK, &i);
	assert_int_equal(incident_until(&w, w.now_ms + 5000, &i), INCIDENT_PROVEN);
	ok(incident_resolve(w.turn, &incident_rules, &actor_controller, chain[2], "healed", &i, ERR_HERE));
	ok(incident_resolve(w.turn, &incident_rules, &ada, chain[0], "fixed", &i, ERR_HERE));
	world_after(&w, 1000);
	assert_int_equal(incident_says(&w, "top", "h1", PROBE_CRITICAL, &i), INCIDENT_RELAPSED);
	assert_memory_equal(&i.suppressed_by, &chain[1], sizeof chain[1]);
	world_close(&w);
}

/* Nor are those that a ring of services still explains by each other told to nobody. */
static void test_of_a_ring_that_does_not_heal_one_is_released(void **state)
{
	(void)state;
	static const char *on_top[] = {"top"};
	struct world w;
	struct incident i;
	struct id chain[3];
	chain_fails(&w, on_top, chain);
	world_after(&w, 1000);
	ok(incident_resolve(w.turn, &incident_rules, &ada, chain[0], "fixed", &i, ERR_HERE));
	assert_int_equal(incident_until(&w, w.now_ms + MINUTE, &i), INCIDENT_RELEASED);
	incident_until(&w, w.now_ms + 1000, &i);
	assert_int_equal(unsuppressed(&w), 1);
	world_close(&w);
}

static void test_suppressed_incident_is_not_overdue(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	many(&w);
	incident_says(&w, "db", "h1", PROBE_CRITICAL, &i);
	struct id cause = i.incident;
	incident_says(&w, "s00", "h1", PROBE_CRITICAL, &i);
	uint64_t begin = w.now_ms;
	for (int n = 0; n < 6; n++) {
		enum incident_event e = incident_until(&w, begin + DAY, &i);
		if (e == INCIDENT_OVERDUE)
			assert_memory_equal(&i.incident, &cause, sizeof(cause));
	}
	world_close(&w);
}

static void test_p34_restart_makes_nothing_of_suppressed_ones(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	many(&w);
	incident_says(&w, "db", "h1", PROBE_CRITICAL, &i);
	for (int n = 1; n <= CHILDREN; n++)
		incident_says(&w, fleet[n].name, "h1", PROBE_CRITICAL, &i);
	world_after(&w, 5000);
	ok(health_on_boot(w.turn, &health_rules, ERR_HERE));
	health_up(&w, "h1", 1, fleet, CHILDREN + 1); /* the same run comes back and says the same */
	for (int n = 0; n <= CHILDREN; n++)
		assert_int_equal(incident_says(&w, fleet[n].name, "h1", PROBE_CRITICAL, &i), INCIDENT_NOTHING);
	assert_int_equal(world_record_count(&w, &incident_table), CHILDREN + 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_p1_every_open_state_escalates_within_its_deadline),
	    cmocka_unit_test(test_p1_resolved_is_reviewed_or_ends_by_name),
	    cmocka_unit_test(test_p33_one_cause_one_incident_that_pages),
	    cmocka_unit_test(test_p33_cause_that_shows_last_gathers_the_others),
	    cmocka_unit_test(test_p33_chains_stay_flat_and_cycles_page_once),
	    cmocka_unit_test(test_what_does_not_heal_with_its_cause_is_released),
	    cmocka_unit_test(test_what_is_over_explains_nothing_new),
	    cmocka_unit_test(test_of_a_ring_that_does_not_heal_one_is_released),
	    cmocka_unit_test(test_suppressed_incident_is_not_overdue),
	    cmocka_unit_test(test_p34_restart_makes_nothing_of_suppressed_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
