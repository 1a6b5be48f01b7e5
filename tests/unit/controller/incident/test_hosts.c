/* A host that is not heard: one incident for one cause, whatever runs there. */
#include "shared/base/text.h"
#include "tests/lib/incident_world.h"

enum { SERVICES = 5 };
static const char *const on_db[] = {"db"};
static struct declared_service here[SERVICES], db[1], front[1];

static int setup(void **state)
{
	static const char *const names[SERVICES] = {"one", "two", "three", "four", "five"};
	(void)state;
	for (int n = 0; n < SERVICES; n++)
		here[n] = declared(names[n], NULL);
	db[0] = declared("db", NULL);
	front[0] = declared("front", on_db);
	return 0;
}

/* What happened, by kind, and the last that did. */
struct seen {
	unsigned of[INCIDENT_EVENT_COUNT];
	struct incident last;
};

static void moved(struct world *w, const struct health_transitions *m, struct seen *s)
{
	for (size_t i = 0; i < m->count; i++) {
		enum incident_event event;
		struct incident got;
		ok(incident_on_transition(w->turn, &incident_rules, &m->items[i], &got, &event, ERR_HERE));
		s->of[event]++;
		if (event != INCIDENT_NOTHING)
			s->last = got;
	}
}

/* Every timer of health and incidents until then. */
static void lives(struct world *w, uint64_t for_ms, struct seen *s)
{
	uint64_t until_ms = w->now_ms + for_ms;
	struct timer timer;
	for (int i = 0; i < 10000 && world_timer(w, until_ms, &timer); i++) {
		struct health_transitions out = {0};
		enum incident_event event;
		struct incident got;
		bool mine;
		ok(health_on_timer(w->turn, &health_rules, &timer, &out, &mine, ERR_HERE));
		moved(w, &out, s);
		if (mine)
			continue;
		ok(incident_on_timer(w->turn, &incident_rules, &timer, &got, &event, &mine, ERR_HERE));
		s->of[event]++;
		if (event != INCIDENT_NOTHING)
			s->last = got;
	}
	if (w->now_ms < until_ms)
		world_at(w, until_ms);
}

/* As it is now: what a turn told dies with it. */
static struct incident last(struct world *w, const struct seen *s)
{
	return incident_now(w, s->last.incident);
}

static void up(struct world *w, const char *host, uint8_t boot, struct declared_service *services, size_t count)
{
	health_up(w, host, boot, services, count);
	for (size_t n = 0; n < count; n++)
		http_says(w, services[n].name, host, PROBE_OK);
}

/* Its connection broke, and two heartbeats went by. */
static void silent(struct world *w, const char *host, uint8_t boot, struct seen *s)
{
	struct health_transitions out = {0};
	ok(fleet_on_gone(w->turn, &fleet_rules, host, boot_id(boot), ERR_HERE));
	ok(health_on_silent(w->turn, &health_rules, host, "the host is silent", &out, ERR_HERE));
	moved(w, &out, s);
}

static void back(struct world *w, const char *host, uint8_t boot, struct declared_service *services, size_t count,
    enum probe_state state, struct seen *s)
{
	struct health_transitions out = health_up(w, host, boot, services, count);
	moved(w, &out, s);
	for (size_t n = 0; n < count; n++) {
		out = http_says(w, services[n].name, host, state);
		moved(w, &out, s);
	}
}

static void test_p33_a_silent_host_is_one_incident(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	world_open(&w);
	up(&w, "web-1", 1, here, SERVICES);
	world_after(&w, 1000);
	silent(&w, "web-1", 1, &s);
	lives(&w, 4 * MINUTE, &s);
	assert_int_equal(world_record_count(&w, &incident_table), 0); /* a short break is none */
	lives(&w, 2 * MINUTE, &s);
	assert_int_equal(world_record_count(&w, &incident_table), 1);
	assert_int_equal(s.of[INCIDENT_OPENED], 1);
	assert_int_equal(s.of[INCIDENT_WORSENED], 0); /* that would be a second page */
	struct incident i = last(&w, &s);
	assert_int_equal(i.severity, SEVERITY_HIGH);
	assert_true(incident_is_of_hosts(&i));
	assert_string_equal(i.title, "host web-1 is silent");
	assert_int_equal(i.health, HEALTH_UNKNOWN);
	struct list lines;
	unsigned named = 0;
	ok(incident_timeline(w.turn, i.incident, &lines, ERR_HERE));
	for (size_t k = 0; k < lines.count; k++)
		named += text_equal(LIST_AT(lines, struct incident_entry, k).kind, "health");
	assert_int_equal(named, SERVICES); /* each service is told of */
	world_close(&w);
}

static void test_heard_again_it_is_over_and_the_services_speak_for_themselves(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	world_open(&w);
	up(&w, "web-1", 1, here, 2);
	world_after(&w, 1000);
	silent(&w, "web-1", 1, &s);
	lives(&w, 6 * MINUTE, &s);
	struct id host = s.last.incident;
	s = (struct seen){0};
	back(&w, "web-1", 2, here, 2, PROBE_CRITICAL, &s); /* the machine came back, what ran there did not */
	assert_int_equal(s.of[INCIDENT_OPENED], 2);
	assert_int_equal(incident_now(&w, host).failing.count, 0);
	s = (struct seen){0};
	lives(&w, 3000, &s);
	assert_int_equal(s.of[INCIDENT_PROVEN], 1);
	assert_memory_equal(&s.last.incident, &host, sizeof host);
	world_close(&w);
}

static void test_a_host_that_is_not_heard_yet_has_not_recovered(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	struct health_transitions out = {0};
	world_open(&w);
	up(&w, "web-1", 1, here, 2);
	world_after(&w, 1000);
	silent(&w, "web-1", 1, &s);
	lives(&w, 6 * MINUTE, &s);
	struct id host = s.last.incident;
	ok(health_maintenance_start(
	    w.turn, &health_rules, &ada, "one", "web-1", w.now_ms + HOUR, "repairs", &out, ERR_HERE));
	assert_int_equal(out.count, 1);
	moved(&w, &out, &s);
	assert_int_equal(incident_now(&w, host).failing.count, 1);
	assert_int_equal(s.of[INCIDENT_RECOVERED], 0);
	world_close(&w);
}

static void test_hosts_that_fall_silent_together_are_one_incident_and_apart_are_two(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	world_open(&w);
	up(&w, "web-1", 1, here, 1);
	up(&w, "web-2", 2, here + 1, 1);
	up(&w, "web-3", 3, here + 2, 1);
	world_after(&w, 1000);
	silent(&w, "web-1", 1, &s);
	world_after(&w, INCIDENT_TOGETHER_MS);
	silent(&w, "web-2", 2, &s);
	world_after(&w, 1);
	silent(&w, "web-3", 3, &s);
	lives(&w, 7 * MINUTE, &s);
	assert_int_equal(s.of[INCIDENT_OPENED], 2);
	assert_int_equal(s.of[INCIDENT_JOINED], 1);
	struct list open;
	ok(incident_all_open(w.turn, &open, ERR_HERE));
	assert_int_equal(open.count, 2);
	assert_string_equal(LIST_AT(open, struct incident, 0).title, "no word from host web-1 and 1 more");
	assert_string_equal(LIST_AT(open, struct incident, 1).title, "host web-3 is silent");
	s = (struct seen){0};
	back(&w, "web-1", 4, here, 1, PROBE_OK, &s);
	assert_int_equal(s.of[INCIDENT_RECOVERED], 0); /* web-2 is still missing */
	back(&w, "web-2", 5, here + 1, 1, PROBE_OK, &s);
	assert_int_equal(s.of[INCIDENT_RECOVERED], 1);
	world_close(&w);
}

static void test_a_host_that_falls_silent_again_is_the_same_incident(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	struct incident i;
	world_open(&w);
	up(&w, "web-1", 1, here, 1);
	world_after(&w, 1000);
	silent(&w, "web-1", 1, &s);
	lives(&w, 6 * MINUTE, &s);
	struct id first = s.last.incident;
	back(&w, "web-1", 2, here, 1, PROBE_OK, &s);
	lives(&w, 3000, &s);
	ok(incident_resolve(w.turn, &incident_rules, &actor_controller, first, "heard", &i, ERR_HERE));
	silent(&w, "web-1", 2, &s);
	s = (struct seen){0};
	lives(&w, 6 * MINUTE, &s);
	assert_int_equal(s.of[INCIDENT_RELAPSED], 1);
	assert_memory_equal(&s.last.incident, &first, sizeof first);
	assert_int_equal(world_record_count(&w, &incident_table), 1);
	world_close(&w);
}

/* front fails because the machine of db is gone; which of the two is noticed first makes no difference. */
static void test_what_leans_on_a_silent_host_is_explained_by_it(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct world w;
		struct seen s = {0};
		struct incident i;
		world_open(&w);
		up(&w, "db-1", 1, db, 1);
		up(&w, "web-1", 2, front, 1);
		world_after(&w, 1000);
		silent(&w, "db-1", 1, &s);
		if (!late)
			assert_int_equal(incident_says(&w, "front", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
		for (int k = 0; k < 12; k++) {
			lives(&w, 30000, &s);
			http_says(&w, "front", "web-1", late ? PROBE_OK : PROBE_CRITICAL);
		}
		assert_int_equal(s.of[INCIDENT_OPENED], 1);
		if (late)
			assert_int_equal(incident_says(&w, "front", "web-1", PROBE_CRITICAL, &i), INCIDENT_SUPPRESSED);
		i = incident_now(&w, i.incident);
		assert_memory_equal(&i.suppressed_by, &s.last.incident, sizeof i.suppressed_by);
		world_close(&w);
	}
}

/* It failed long before, or db is known to run elsewhere: then the silence explains nothing. */
static void test_what_failed_before_or_has_another_host_is_not_explained(void **state)
{
	(void)state;
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		struct world w;
		struct seen s = {0};
		struct incident i;
		world_open(&w);
		up(&w, "db-1", 1, db, 1);
		up(&w, "web-1", 2, front, 1);
		if (elsewhere)
			up(&w, "db-2", 3, db, 1);
		world_after(&w, 1000);
		if (!elsewhere) {
			assert_int_equal(incident_says(&w, "front", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
			world_after(&w, INCIDENT_TOGETHER_MS + 1);
		}
		silent(&w, "db-1", 1, &s);
		if (elsewhere)
			assert_int_equal(incident_says(&w, "front", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
		for (int k = 0; k < 12; k++) {
			lives(&w, 30000, &s);
			http_says(&w, "front", "web-1", PROBE_CRITICAL);
			if (elsewhere)
				http_says(&w, "db", "db-2", PROBE_OK);
		}
		assert_int_equal(s.of[INCIDENT_OPENED], 1);
		assert_int_equal(last(&w, &s).severity, elsewhere ? SEVERITY_MEDIUM : SEVERITY_HIGH);
		i = incident_now(&w, i.incident);
		assert_true(id_is_zero(i.suppressed_by));
		world_close(&w);
	}
}

/* A service that stops reporting on a host that is well has an incident of its own. */
static void test_a_service_that_stops_reporting_is_not_its_host(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	world_open(&w);
	up(&w, "web-1", 1, here, 1);
	world_after(&w, 1000);
	lives(&w, 10 * MINUTE, &s);
	assert_int_equal(s.of[INCIDENT_OPENED], 1);
	assert_string_equal(last(&w, &s).service, "one");
	world_close(&w);
}

/* It says that it is overloaded with a report of its own, and that this is over with another, which comes later than
 * what it shows once it is back. */
static void test_an_overloaded_host_that_died_and_shows_how_it_is_is_over_it(void **state)
{
	(void)state;
	struct world w;
	struct seen s = {0};
	world_open(&w);
	up(&w, "web-1", 1, here, 1);
	world_after(&w, 1000);
	ok(fleet_on_lagging(w.turn, "web-1", true, ERR_HERE));
	struct health_transitions out = http_says(&w, "one", "web-1", PROBE_UNKNOWN);
	moved(&w, &out, &s);
	lives(&w, 6 * MINUTE, &s);
	assert_string_equal(last(&w, &s).title, "host web-1 is overloaded");
	struct id host = s.last.incident;
	silent(&w, "web-1", 1, &s);
	s = (struct seen){0};
	back(&w, "web-1", 2, here, 1, PROBE_OK, &s);
	assert_true(host_now(&w, "web-1").lagging);
	assert_int_equal(incident_now(&w, host).failing.count, 0);
	lives(&w, 3000, &s);
	assert_int_equal(s.of[INCIDENT_PROVEN], 1);
	assert_memory_equal(&s.last.incident, &host, sizeof host);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_p33_a_silent_host_is_one_incident),
	    cmocka_unit_test(test_heard_again_it_is_over_and_the_services_speak_for_themselves),
	    cmocka_unit_test(test_a_host_that_is_not_heard_yet_has_not_recovered),
	    cmocka_unit_test(test_hosts_that_fall_silent_together_are_one_incident_and_apart_are_two),
	    cmocka_unit_test(test_a_host_that_falls_silent_again_is_the_same_incident),
	    cmocka_unit_test(test_what_leans_on_a_silent_host_is_explained_by_it),
	    cmocka_unit_test(test_what_failed_before_or_has_another_host_is_not_explained),
	    cmocka_unit_test(test_a_service_that_stops_reporting_is_not_its_host),
	    cmocka_unit_test(test_an_overloaded_host_that_died_and_shows_how_it_is_is_over_it),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
