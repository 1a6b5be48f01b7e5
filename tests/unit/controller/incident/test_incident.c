#include "shared/base/text.h"
#include "tests/lib/incident_world.h"

static struct declared_service portal[1];
static int setup(void **state)
{
	(void)state;
	portal[0] = declared("portal", NULL);
	return 0;
}

/* Two hosts, healthy. */
static void start(struct world *w)
{
	struct incident i;
	world_open(w);
	health_up(w, "web-1", 1, portal, 1);
	health_up(w, "web-2", 2, portal, 1);
	assert_int_equal(incident_says(w, "portal", "web-1", PROBE_OK, &i), INCIDENT_NOTHING);
	assert_int_equal(incident_says(w, "portal", "web-2", PROBE_OK, &i), INCIDENT_NOTHING);
	world_after(w, 10000);
}

static struct id opened(struct world *w)
{
	struct incident i;
	assert_int_equal(incident_says(w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	world_after(w, 1000);
	return i.incident;
}

/* Every pair of states against the list in the header. */
static void test_moves(void **state)
{
	(void)state;
	static const char *const want[INCIDENT_STATE_COUNT] = {
	    /* to:  D A I I R R C  (detected acknowledged investigating identified resolving resolved closed) */
	    "0111110",
	    "0011110",
	    "0001110",
	    "0010110",
	    "0010010",
	    "0010001",
	    "0000000",
	};
	for (unsigned from = 0; from < INCIDENT_STATE_COUNT; from++)
		for (unsigned to = 0; to < INCIDENT_STATE_COUNT; to++)
			assert_int_equal(incident_move_allowed((enum incident_state)from, (enum incident_state)to),
			    want[from][to] == '1');
	assert_false(incident_move_allowed(INCIDENT_STATE_COUNT, INCIDENT_DETECTED));
	assert_false(incident_move_allowed(INCIDENT_DETECTED, INCIDENT_STATE_COUNT));
}

static void test_fault_opens_one_incident_and_hosts_join_it(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	start(&w);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	assert_int_equal(i.number, 1);
	assert_int_equal(i.state, INCIDENT_DETECTED);
	assert_int_equal(i.severity, SEVERITY_HIGH);
	assert_string_equal(i.title, "portal is DOWN on web-1");
	assert_int_equal(i.health, HEALTH_DOWN);
	assert_string_equal(LIST_AT(i.probes, const char *, 0), "http");
	world_after(&w, 1000);
	assert_int_equal(
	    incident_says(&w, "portal", "web-2", PROBE_CRITICAL, &i), INCIDENT_WORSENED); /* every host: critical */
	assert_int_equal(i.severity, SEVERITY_CRITICAL);
	assert_int_equal(i.hosts.count, 2);
	assert_int_equal(world_record_count(&w, &incident_table), 1);
	world_close(&w);
}

static void test_severities(void **state)
{
	(void)state;
	struct world w;
	const char *on_db[] = {"db"};
	struct declared_service all[] = {declared("db", NULL), declared("portal", on_db)};
	world_open(&w);
	for (uint8_t n = 1; n <= 2; n++) {
		char name[8] = {'w', (char)('0' + n), 0};
		health_up(&w, name, n, all, 2);
		for (int s = 0; s < 2; s++)
			http_says(&w, all[s].name, name, PROBE_OK);
	}
	struct health_transition tr = {
	    .service = "portal", .host = "w1", .from = HEALTH_HEALTHY, .to = HEALTH_DEGRADED};
	enum severity s;
	bool none;
	ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
	assert_int_equal(s, SEVERITY_MEDIUM);
	tr.to = HEALTH_DOWN;
	ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
	assert_int_equal(s, SEVERITY_HIGH);
	tr.service = "db"; /* portal leans on it */
	ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
	assert_int_equal(s, SEVERITY_CRITICAL);
	tr.service = "portal";
	world_after(&w, 1);
	http_says(&w, "portal", "w1", PROBE_CRITICAL);
	http_says(&w, "portal", "w2", PROBE_CRITICAL);
	ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
	assert_int_equal(s, SEVERITY_CRITICAL);
	static const enum health nothing[] = {HEALTH_HEALTHY, HEALTH_MAINTENANCE, HEALTH_UNKNOWN};
	for (size_t i = 0; i < 3; i++) {
		tr.to = nothing[i];
		ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
		assert_true(none);
	}
	tr.prolonged = true; /* UNKNOWN for minutes, while the other host is better */
	ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
	assert_false(none);
	assert_int_equal(s, SEVERITY_MEDIUM);
	tr.to = HEALTH_DOWN;
	tr.historic = true;
	ok(incident_severity(w.turn, &tr, &s, &none, ERR_HERE));
	assert_true(none);
	world_close(&w);
}

static void test_p35_replayed_fault_opens_nothing(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	enum incident_event event;
	start(&w);
	struct health_transition tr = {.service = "portal", .host = "web-1", .to = HEALTH_DOWN, .historic = true};
	ok(incident_on_transition(w.turn, &incident_rules, &tr, &i, &event, ERR_HERE));
	assert_int_equal(event, INCIDENT_NOTHING);
	assert_int_equal(world_record_count(&w, &incident_table), 0);
	world_close(&w);
}

static void test_health_must_last_before_it_is_proof(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	start(&w);
	struct id id = opened(&w);
	refused(
	    ERR_STATE, incident_resolve(w.turn, &incident_rules, &actor_controller, id, "?", &i, ERR_HERE)); /* P9 */
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_OK, &i), INCIDENT_RECOVERED);
	assert_int_equal(incident_until(&w, w.now_ms + 1000, &i), INCIDENT_NOTHING);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_FAULTY);
	assert_int_equal(incident_until(&w, w.now_ms + 5000, &i), INCIDENT_NOTHING);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_OK, &i), INCIDENT_RECOVERED);
	uint64_t recovered = w.now_ms;
	assert_int_equal(incident_until(&w, recovered + 5000, &i), INCIDENT_PROVEN);
	assert_int_equal(w.now_ms, recovered + 2000);
	ok(incident_resolve(w.turn, &incident_rules, &actor_controller, id, "rolled back", &i, ERR_HERE));
	assert_int_equal(i.state, INCIDENT_RESOLVED);
	assert_int_equal(i.resolved_ms, w.now_ms);
	assert_int_equal(i.review_due_ms, w.now_ms + DAY);
	world_close(&w);
}

static void test_unknown_is_no_proof(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	start(&w);
	struct id id = opened(&w);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_OK, &i), INCIDENT_RECOVERED);
	world_after(&w, 500);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_UNKNOWN, &i), INCIDENT_FAULTY);
	assert_int_equal(incident_until(&w, w.now_ms + 10000, &i), INCIDENT_NOTHING);
	refused(ERR_STATE, incident_resolve(w.turn, &incident_rules, &actor_controller, id, "?", &i, ERR_HERE));
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_OK, &i), INCIDENT_RECOVERED);
	world_close(&w);
}

static void test_every_host_must_be_healthy(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	start(&w);
	struct id id = opened(&w);
	incident_says(&w, "portal", "web-2", PROBE_CRITICAL, &i);
	world_after(&w, 1000);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_OK, &i), INCIDENT_NOTHING);
	i = incident_now(&w, id);
	assert_int_equal(i.failing.count, 1);
	assert_int_equal(i.hosts.count, 2);
	assert_int_equal(incident_says(&w, "portal", "web-2", PROBE_OK, &i), INCIDENT_RECOVERED);
	world_close(&w);
}

static struct id resolved(struct world *w)
{
	struct incident i;
	start(w);
	struct id id = opened(w);
	incident_says(w, "portal", "web-1", PROBE_OK, &i);
	assert_int_equal(incident_until(w, w->now_ms + 5000, &i), INCIDENT_PROVEN);
	ok(incident_resolve(w->turn, &incident_rules, &actor_controller, id, "ok", &i, ERR_HERE));
	world_after(w, 1000);
	return id;
}

static void test_relapse_is_the_same_incident_within_its_bound(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct id id = resolved(&w);
	uint64_t end = incident_now(&w, id).resolved_ms;
	world_at(&w, end + incident_rules.relapse_ms);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_RELAPSED);
	assert_memory_equal(&i.incident, &id, sizeof(id));
	assert_int_equal(i.state, INCIDENT_INVESTIGATING);
	assert_int_equal(i.relapses, 1);
	assert_int_equal(i.acknowledged_ms, 0);
	world_close(&w);
	/* one millisecond later it is another one, which names the first */
	id = resolved(&w);
	end = incident_now(&w, id).resolved_ms;
	world_at(&w, end + incident_rules.relapse_ms + 1);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	assert_int_equal(i.number, 2);
	assert_int_equal(i.related.count, 1);
	world_close(&w);
}

static void test_the_whole_way_with_its_moments_and_audit(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	bool first;
	start(&w);
	struct id id = opened(&w);
	struct id diagnosis = turn_id(w.turn), change = turn_id(w.turn), rollback = turn_id(w.turn);
	ok(incident_acknowledge(w.turn, &incident_rules, &ada, id, &i, &first, ERR_HERE));
	assert_true(first);
	assert_int_equal(i.state, INCIDENT_ACKNOWLEDGED);
	assert_string_equal(i.acknowledged_by, "operator ada");
	assert_string_equal(i.owner, "ada");
	ok(incident_acknowledge(w.turn, &incident_rules, &ada, id, &i, &first, ERR_HERE));
	assert_false(first);
	world_after(&w, 1000);
	ok(incident_assign(w.turn, &ada, id, "rob", &i, ERR_HERE));
	ok(incident_investigate(w.turn, &incident_rules, &ada, id, NULL, &i, ERR_HERE));
	assert_int_equal(i.state, INCIDENT_INVESTIGATING);
	ok(incident_identify(
	    w.turn, &incident_rules, &actor_controller, id, diagnosis, "config changed 2 s before", &i, ERR_HERE));
	assert_int_equal(i.state, INCIDENT_IDENTIFIED);
	ok(incident_resolving(w.turn, &incident_rules, &actor_controller, id, change, rollback, &i, ERR_HERE));
	assert_int_equal(i.state, INCIDENT_RESOLVING);
	assert_int_equal(i.changes.count, 1);
	ok(incident_tell(w.turn, &actor_controller, id, 0, "rollback", ERR_HERE, "order sent to %s", "web-1"));
	ok(incident_note(w.turn, &ada, id, "looks good", ERR_HERE));
	refused(ERR_STATE, incident_close(w.turn, &ada, id, "done", &i, ERR_HERE));
	world_after(&w, 1000);
	incident_says(&w, "portal", "web-1", PROBE_OK, &i);
	incident_until(&w, w.now_ms + 5000, &i);
	ok(incident_resolve(w.turn, &incident_rules, &actor_controller, id, "rolled back", &i, ERR_HERE));
	refused(ERR_STATE, incident_acknowledge(w.turn, &incident_rules, &ada, id, &i, &first, ERR_HERE));
	refused(ERR_STATE, incident_resolving(w.turn, &incident_rules, &ada, id, change, rollback, &i, ERR_HERE));
	ok(incident_identify(
	    w.turn, &incident_rules, &actor_controller, id, change, "late", &i, ERR_HERE)); /* kept, moves nothing */
	assert_int_equal(i.state, INCIDENT_RESOLVED);
	world_after(&w, HOUR);
	ok(incident_close(w.turn, &ada, id, "config was not tested", &i, ERR_HERE));
	assert_int_equal(i.state, INCIDENT_CLOSED);
	assert_string_equal(i.reviewed_by, "operator ada");
	refused(ERR_STATE, incident_reopen(w.turn, &incident_rules, &ada, id, "?", &i, ERR_HERE));
	refused(ERR_STATE, incident_assign(w.turn, &ada, id, "eva", &i, ERR_HERE));

	struct list l;
	ok(incident_timeline(w.turn, id, &l, ERR_HERE));
	assert_int_equal(l.count, i.entries);
	assert_true(l.count >= 14);
	for (size_t k = 0; k < l.count; k++)
		assert_int_equal(LIST_AT(l, struct incident_entry, k).sequence, k + 1);
	size_t audited = 0;
	struct audit_entry like = {.incident = id}, e;
	struct turn_scan scan;
	bool more = true;
	ok(turn_scan_index(w.turn, &audit_table, "incident", &like, false, &scan, ERR_HERE));
	while (more) {
		ok(turn_scan_next(&scan, &e, &more, ERR_HERE));
		audited += more;
	}
	turn_scan_done(&scan);
	assert_int_equal(
	    audited, 10); /* open acknowledge assign investigate identify resolving note resolve identify close */
	struct timer timer;
	while (world_timer(&w, UINT64_MAX, &timer)) /* nothing waits on a closed incident */
		assert_false(text_starts(timer.kind, "incident."));
	world_close(&w);
}

static void test_p28_wrong_ids_are_not_found(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	bool found;
	start(&w);
	refused(ERR_NOT_FOUND, incident_assign(w.turn, &ada, turn_id(w.turn), "x", &i, ERR_HERE));
	refused(ERR_NOT_FOUND, incident_note(w.turn, &ada, (struct id){{0}}, "x", ERR_HERE));
	ok(incident_by_number(w.turn, 7, &i, &found, ERR_HERE));
	assert_false(found);
	struct id id = opened(&w);
	ok(incident_by_number(w.turn, 1, &i, &found, ERR_HERE));
	assert_true(found);
	assert_memory_equal(&i.incident, &id, sizeof(id));
	world_close(&w);
}

static void test_opened_by_hand_and_reopened(void **state)
{
	(void)state;
	struct world w;
	struct incident i, again;
	start(&w);
	ok(incident_open(w.turn, &incident_rules, &ada, "portal", SEVERITY_LOW, "users complain", &i, ERR_HERE));
	refused(ERR_EXISTS,
	    incident_open(w.turn, &incident_rules, &ada, "portal", SEVERITY_LOW, "again", &again, ERR_HERE));
	struct id id = i.incident;
	world_after(&w, 1000);
	assert_int_equal(
	    incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_WORSENED); /* health joins it */
	ok(incident_resolve(w.turn, &incident_rules, &ada, id, "I say so", &i, ERR_HERE));
	world_after(&w, 1000);
	ok(incident_reopen(w.turn, &incident_rules, &ada, id, "not at all", &i, ERR_HERE));
	assert_int_equal(i.state, INCIDENT_INVESTIGATING);
	assert_int_equal(i.review_due_ms, 0);
	world_close(&w);
}

static void test_service_that_leaves_ends_the_fault(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	enum incident_event event;
	start(&w);
	struct id id = opened(&w);
	struct health_transition gone = {
	    .service = "portal", .host = "web-1", .from = HEALTH_DOWN, .to = HEALTH_UNKNOWN, .gone = true};
	ok(incident_on_transition(w.turn, &incident_rules, &gone, &i, &event, ERR_HERE));
	assert_int_equal(event, INCIDENT_RECOVERED);
	assert_int_equal(incident_now(&w, id).failing.count, 0);
	world_close(&w);
}

static void test_closed_incident_stays_closed(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct id id = resolved(&w);
	ok(incident_close(w.turn, &ada, id, "done", &i, ERR_HERE));
	world_after(&w, 1000);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_OPENED);
	assert_int_equal(i.number, 2);
	assert_int_equal(i.related.count, 0);
	world_close(&w);
}

static void test_p41_failing_host_that_goes_unknown_has_not_recovered(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	start(&w);
	struct id id = opened(&w);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_UNKNOWN, &i), INCIDENT_NOTHING);
	i = incident_now(&w, id);
	assert_int_equal(i.failing.count, 1);
	assert_int_equal(i.healthy_since_ms, 0);
	world_close(&w);
}

static void test_hosts_are_listed_once_and_in_order(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	world_open(&w);
	static const char *const order[] = {"web-3", "web-1", "web-5", "web-2", "web-4"};
	for (uint8_t n = 0; n < 5; n++)
		health_up(&w, order[n], (uint8_t)(n + 1), portal, 1);
	for (int round = 0; round < 2; round++) {
		for (size_t n = 0; n < 5; n++) {
			world_after(&w, 1000);
			incident_says(&w, "portal", order[n], round ? PROBE_CRITICAL : PROBE_WARNING, &i);
		}
	}
	assert_int_equal(i.hosts.count, 5);
	assert_int_equal(i.failing.count, 5);
	for (size_t n = 0; n < 5; n++) {
		char want[] = {'w', 'e', 'b', '-', (char)('1' + n), 0};
		assert_string_equal(LIST_AT(i.hosts, const char *, n), want);
		assert_string_equal(LIST_AT(i.failing, const char *, n), want);
	}
	world_after(&w, 1000);
	incident_says(&w, "portal", "web-3", PROBE_OK, &i);
	bool found;
	ok(incident_of_service(w.turn, "portal", &i, &found, ERR_HERE));
	assert_int_equal(i.failing.count, 4);
	assert_false(text_equal(LIST_AT(i.failing, const char *, 2), "web-3"));
	world_close(&w);
}

static void test_open_ones_are_listed_by_age_whatever_their_state(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct list open;
	bool first;
	struct declared_service many[] = {
	    declared("a", NULL), declared("b", NULL), declared("c", NULL), declared("d", NULL)};
	world_open(&w);
	health_up(&w, "h", 1, many, 4);
	for (int n = 0; n < 4; n++) {
		world_after(&w, 1000);
		incident_says(&w, many[n].name, "h", PROBE_CRITICAL, &i);
		if (n == 0)
			ok(incident_investigate(w.turn, &incident_rules, &ada, i.incident, NULL, &i, ERR_HERE));
		if (n == 1)
			ok(incident_acknowledge(w.turn, &incident_rules, &ada, i.incident, &i, &first, ERR_HERE));
		if (n == 3)
			ok(incident_resolve(w.turn, &incident_rules, &ada, i.incident, "x", &i, ERR_HERE));
	}
	ok(incident_all_open(w.turn, &open, ERR_HERE));
	assert_int_equal(open.count, 3);
	for (size_t n = 0; n < 3; n++)
		assert_int_equal(LIST_AT(open, struct incident, n).number, n + 1);
	world_close(&w);
}

static void test_what_belonged_to_the_end_is_forgotten_when_it_comes_back(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	bool first;
	start(&w);
	struct id id = opened(&w);
	ok(incident_acknowledge(w.turn, &incident_rules, &ada, id, &i, &first, ERR_HERE));
	ok(incident_resolve(w.turn, &incident_rules, &ada, id, "done", &i, ERR_HERE));
	world_after(&w, 1000);
	ok(incident_reopen(w.turn, &incident_rules, &ada, id, "no", &i, ERR_HERE));
	assert_null(i.resolution);
	assert_string_equal(i.acknowledged_by, "operator ada"); /* whoever reopens it is there */
	world_after(&w, 1000);
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_OK, &i), INCIDENT_RECOVERED);
	ok(incident_resolve(w.turn, &incident_rules, &ada, id, "done", &i, ERR_HERE));
	assert_int_equal(incident_says(&w, "portal", "web-1", PROBE_CRITICAL, &i), INCIDENT_RELAPSED);
	assert_null(i.acknowledged_by);
	assert_null(i.resolution);
	assert_int_equal(i.healthy_since_ms, 0);
	assert_int_equal(
	    incident_until(&w, w.now_ms + 10000, &i), INCIDENT_NOTHING); /* and its proof does not run on */
	world_close(&w);
}

static void test_timeline_is_bounded(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	start(&w);
	struct id id = opened(&w);
	for (int n = 0; n < INCIDENT_ENTRIES_MAX + 10; n++)
		ok(incident_tell(w.turn, &actor_controller, id, 0, "note", ERR_HERE, "%d", n));
	assert_int_equal(incident_now(&w, id).entries, INCIDENT_ENTRIES_MAX);
	ok(incident_investigate(w.turn, &incident_rules, &ada, id, NULL, &i, ERR_HERE));
	assert_int_equal(i.entries, INCIDENT_ENTRIES_MAX + 1); /* states are always told */
	world_close(&w);
}

static void test_what_is_kept_of_the_work(void **state)
{
	(void)state;
	struct world w;
	struct incident i;
	struct list l;
	start(&w);
	struct id id = opened(&w);
	struct id changes[] = {turn_id(w.turn), turn_id(w.turn)}, none = {{0}}, diagnosis = turn_id(w.turn);
	ok(incident_assign(w.turn, &ada, id, "rob", &i, ERR_HERE));
	assert_string_equal(i.owner, "rob");
	ok(incident_note(w.turn, &ada, id, "it is the disk", ERR_HERE));
	ok(incident_identify(w.turn, &incident_rules, &ada, id, diagnosis, NULL, &i, ERR_HERE));
	ok(incident_identify(w.turn, &incident_rules, &ada, id, none, "by hand", &i, ERR_HERE));
	assert_memory_equal(&i.diagnosis, &diagnosis, sizeof(diagnosis));
	for (int n = 0; n < 6; n++)
		ok(incident_resolving(
		    w.turn, &incident_rules, &ada, id, changes[n % 2], n == 5 ? changes[1] : none, &i, ERR_HERE));
	assert_int_equal(i.changes.count, 2);
	assert_memory_equal(&LIST_AT(i.changes, struct id, 0), &changes[0], sizeof(id));
	assert_memory_equal(&LIST_AT(i.changes, struct id, 1), &changes[1], sizeof(id));
	assert_int_equal(i.rollbacks.count, 1);
	assert_int_equal(i.state_since_ms, w.now_ms);
	ok(incident_timeline(w.turn, id, &l, ERR_HERE));
	unsigned notes = 0, assigned = 0;
	for (size_t k = 0; k < l.count; k++) {
		const struct incident_entry *e = &LIST_AT(l, struct incident_entry, k);
		notes += text_equal(e->kind, "note") && text_equal(e->text, "it is the disk") &&
			 text_equal(e->actor, "operator ada");
		assigned += text_equal(e->kind, "assigned") && text_equal(e->text, "to rob");
	}
	assert_int_equal(notes, 1);
	assert_int_equal(assigned, 1);
	assert_int_equal(incident_until(&w, w.now_ms + 30 * MINUTE, &i), INCIDENT_OVERDUE);
	assert_int_equal(i.overdue, 1);
	ok(incident_investigate(w.turn, &incident_rules, &ada, id, NULL, &i, ERR_HERE)); /* another state waits anew */
	assert_int_equal(i.overdue, 0);
	ok(incident_resolve(w.turn, &incident_rules, &ada, id, "x", &i, ERR_HERE));
	ok(incident_close(w.turn, &ada, id, NULL, &i, ERR_HERE));
	assert_int_equal(i.reviewed_ms, w.now_ms);
	assert_int_equal(i.closed_ms, w.now_ms);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_fault_opens_one_incident_and_hosts_join_it),
	    cmocka_unit_test(test_severities),
	    cmocka_unit_test(test_p35_replayed_fault_opens_nothing),
	    cmocka_unit_test(test_health_must_last_before_it_is_proof),
	    cmocka_unit_test(test_unknown_is_no_proof),
	    cmocka_unit_test(test_every_host_must_be_healthy),
	    cmocka_unit_test(test_relapse_is_the_same_incident_within_its_bound),
	    cmocka_unit_test(test_the_whole_way_with_its_moments_and_audit),
	    cmocka_unit_test(test_p28_wrong_ids_are_not_found),
	    cmocka_unit_test(test_opened_by_hand_and_reopened),
	    cmocka_unit_test(test_service_that_leaves_ends_the_fault),
	    cmocka_unit_test(test_closed_incident_stays_closed),
	    cmocka_unit_test(test_p41_failing_host_that_goes_unknown_has_not_recovered),
	    cmocka_unit_test(test_hosts_are_listed_once_and_in_order),
	    cmocka_unit_test(test_open_ones_are_listed_by_age_whatever_their_state),
	    cmocka_unit_test(test_what_belonged_to_the_end_is_forgotten_when_it_comes_back),
	    cmocka_unit_test(test_timeline_is_bounded),
	    cmocka_unit_test(test_what_is_kept_of_the_work),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
