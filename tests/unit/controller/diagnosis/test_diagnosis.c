/* The first diagnosis: what changed last before the failure, what the log says about it, what it leans on; and when it
 * does not know. */
#include "controller/diagnosis/diagnosis.h"
#include "tests/lib/recovery_world.h"

/* `portal` on n hosts leans on `records-db` on db-1; everything is well. */
static void open_with(struct world *w, size_t hosts)
{
	static const char *leans[] = {"records-db"};
	struct declared_service portal = declared("portal", leans), db = declared("records-db", NULL);
	world_open(w);
	fleet_is(w, hosts);
	health_up(w, "db-1", 251, &db, 1);
	http_says(w, "records-db", "db-1", PROBE_OK);
	for (size_t i = 0; i < hosts; i++) {
		struct hello h = hello_of(w, fleet_list[i], boot_id((uint8_t)(i + 1)), &portal, 1);
		hello_say(w, &h);
		http_says(w, "portal", fleet_list[i], PROBE_OK);
	}
	world_after(w, MINUTE);
}

static struct incident fails(struct world *w, const char *service, const char *host)
{
	struct incident i = {0};
	enum incident_event e = incident_says(w, service, host, PROBE_CRITICAL, &i);
	assert_int_not_equal(e, INCIDENT_NOTHING);
	return i;
}

static struct diagnosis diagnosed(struct world *w, const struct incident *i)
{
	struct diagnosis d;
	ok(diagnosis_compute(w->turn, i->incident, &d, ERR_HERE));
	double sum = 0;
	for (size_t k = 0; k < d.suspects.count; k++) {
		sum += LIST_AT(d.suspects, struct suspect, k).confidence;
		assert_true(k == 0 || LIST_AT(d.suspects, struct suspect, k - 1).confidence >=
					  LIST_AT(d.suspects, struct suspect, k).confidence);
	}
	for (size_t k = 1; k < d.evidence.count; k++)
		assert_true(LIST_AT(d.evidence, struct evidence, k - 1).weight >=
			    LIST_AT(d.evidence, struct evidence, k).weight);
	assert_true(sum <= 1.0);
	return d;
}

static void log_says(
    struct world *w, const char *service, const char *host, uint64_t template_id, const char *line, uint64_t count)
{
	struct log_template l = {.template_id = template_id,
	    .template_text = line,
	    .severity = LOG_SEVERITY_ERROR,
	    .count = count,
	    .first_ms = w->now_ms,
	    .last_ms = w->now_ms,
	    .sample = line,
	    .is_new = true};
	struct log_report r = {
	    .service = service, .source = "/var/log/error.log", .templates = {&l, 1}, .lines = count};
	struct host h = host_now(w, host);
	ok(diagnosis_on_log_report(w->turn, &h, &r, ERR_HERE));
}

static const struct fix *the_fix(const struct diagnosis *d)
{
	assert_int_equal(d->fixes.count, 1);
	return &LIST_AT(d->fixes, struct fix, 0);
}

/* ---- what it knows ---- */

static void test_a_configuration_that_changed_on_one_host(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	drift_is(&w, "portal", "h0001", COMPONENT_CONFIG, fleet_good[1], 1);
	world_after(&w, 2000);
	struct incident i = fails(&w, "portal", "h0001");
	struct diagnosis d = diagnosed(&w, &i);
	assert_false(d.abstained);
	assert_true(d.confidence > 0.8);
	const struct fix *f = the_fix(&d);
	assert_int_equal(f->action, FIX_ROLLBACK);
	assert_string_equal(f->service, "portal");
	assert_int_equal(f->hosts.count, 1);
	assert_string_equal(LIST_AT(f->hosts, const char *, 0), "h0001");
	assert_int_equal(LIST_AT(f->components, uint32_t, 0), COMPONENT_CONFIG);
	assert_non_null(strstr(
	    LIST_AT(f->commands, const char *, 0), "kedge rollback start portal --host h0001 --component config"));
	assert_non_null(strstr(d.root_cause, "config of portal on h0001"));
	world_close(&w);
}

static void test_a_commit_is_named_by_its_versions(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct drift_report r = {.service = "portal",
	    .component = COMPONENT_CODE,
	    .snapshot = fleet_good[0],
	    .changed = 2,
	    .newest_change_ms = w.now_ms,
	    .version_before = "aaaaaaaaaaaaaaaa",
	    .version_now = "bbbbbbbbbbbbbbbb"};
	struct host h = host_now(&w, "h0000");
	ok(fleet_on_drift(w.turn, &h, &r, ERR_HERE));
	world_after(&w, 2000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(LIST_AT(the_fix(&d)->components, uint32_t, 0), COMPONENT_CODE);
	assert_non_null(strstr(d.root_cause, "from aaaaaaaaaaaa to bbbbbbbbbbbb"));
	world_close(&w);
}

static void test_the_same_change_on_several_hosts_is_one_cause(void **state)
{
	(void)state;
	struct world w;
	struct incident i = {0};
	open_with(&w, 3);
	for (int k = 0; k < 3; k++)
		drift_is(&w, "portal", fleet_list[k], COMPONENT_CONFIG, fleet_good[k], 1);
	world_after(&w, 2000);
	for (int k = 0; k < 3; k++)
		incident_says(&w, "portal", fleet_list[k], PROBE_CRITICAL, &i);
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(the_fix(&d)->hosts.count, 3);
	assert_true(d.confidence > 0.9);
	world_close(&w);
}

static void test_the_change_just_before_beats_the_old_one(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	drift_is(&w, "portal", "h0000", COMPONENT_CODE, fleet_good[0], 5);
	world_after(&w, 25 * MINUTE);
	http_says(&w, "portal", "h0000", PROBE_OK);
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 1);
	world_after(&w, 1000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(d.suspects.count, 2);
	assert_int_equal(LIST_AT(d.suspects, struct suspect, 0).component, COMPONENT_CONFIG);
	world_close(&w);
}

static void test_a_line_that_names_the_file_decides(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct drift_report code = {.service = "portal",
	    .component = COMPONENT_CODE,
	    .snapshot = fleet_good[0],
	    .changed = 1,
	    .newest_change_ms = w.now_ms};
	struct host h = host_now(&w, "h0000");
	ok(fleet_on_drift(w.turn, &h, &code, ERR_HERE));
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 1);
	world_after(&w, 1000);
	struct incident i = fails(&w, "portal", "h0000");
	log_says(&w, "portal", "h0000", 7, "unknown directive in portal.conf:3", 4);
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(LIST_AT(d.suspects, struct suspect, 0).component, COMPONENT_CONFIG);
	assert_true(
	    LIST_AT(d.suspects, struct suspect, 0).confidence > 2 * LIST_AT(d.suspects, struct suspect, 1).confidence);
	world_close(&w);
}

static void test_the_dependency_that_is_down_is_the_cause(void **state)
{
	(void)state;
	struct world w;
	struct incident other = {0};
	open_with(&w, 2);
	drift_is(&w, "records-db", "db-1", COMPONENT_CONFIG, fleet_good[0], 1);
	world_after(&w, 1000);
	struct incident i = fails(&w, "portal", "h0000");
	incident_says(&w, "records-db", "db-1", PROBE_CRITICAL, &other);
	struct diagnosis d = diagnosed(&w, &i);
	assert_string_equal(the_fix(&d)->service, "records-db");
	assert_int_equal(d.affected.count, 1);
	assert_string_equal(LIST_AT(d.affected, const char *, 0), "portal");
	world_close(&w);
}

static void test_a_dependency_that_is_well_is_not_suspected_much(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	drift_is(&w, "records-db", "db-1", COMPONENT_CONFIG, fleet_good[0], 1);
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 1);
	world_after(&w, 1000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_string_equal(the_fix(&d)->service, "portal");
	world_close(&w);
}

/* ---- what it does not know ---- */

static void test_nothing_changed_is_unknown(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.abstained);
	assert_int_equal(d.fixes.count, 0);
	assert_int_equal(d.suspects.count, 0);
	assert_true(d.evidence.count > 0); /* the probe says what is wrong, if not why */
	struct buf bytes = BUF_INIT;
	d.diagnosis = turn_id(w.turn);
	ok(record_to_msgpack(&diagnosis_type, &d, &bytes, ERR_HERE));
	buf_done(&bytes);
	world_close(&w);
}

static void test_p58_loud_noise_is_not_a_cause(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct incident i = fails(&w, "portal", "h0000");
	for (uint64_t n = 0; n < 100; n++)
		log_says(&w, "portal", "h0000", 1000 + n,
		    arena_printf(turn_arena(w.turn), "ERROR terrible thing %c%c in portal.conf", (char)('a' + n / 26),
			(char)('a' + n % 26)),
		    100000);
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.abstained);
	assert_int_equal(d.fixes.count, 0);
	/* And the quiet change is still found under it. */
	drift_is(&w, "portal", "h0000", COMPONENT_CODE, fleet_good[0], 1);
	d = diagnosed(&w, &i);
	assert_int_equal(LIST_AT(the_fix(&d)->components, uint32_t, 0), COMPONENT_CODE);
	world_close(&w);
}

static void test_a_change_after_the_fault_is_no_cause(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct incident i = fails(&w, "portal", "h0000");
	world_after(&w, 5 * MINUTE);
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 1); /* somebody tries something */
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.abstained);
	world_close(&w);
}

static void test_a_change_elsewhere_is_no_cause(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	drift_is(&w, "portal", "h0001", COMPONENT_CONFIG, fleet_good[1], 1); /* that host is well */
	world_after(&w, 1000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.abstained);
	world_close(&w);
}

static void test_an_old_lone_change_is_not_sure(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 1);
	world_after(&w, 3 * HOUR);
	http_says(&w, "portal", "h0000", PROBE_OK);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.confidence < 0.5); /* below what a policy would ask for */
	world_close(&w);
}

/* ---- what changed without showing as a difference ---- */

static void test_a_restore_point_between_break_and_alarm_hides_nothing(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	/* Broken, then the schedule took a restore point of it: nothing differs from the newest one. */
	snapshot_is(&w, "portal", "h0000", 9, 0, SNAPSHOT_SCHEDULED, (struct id){{0}});
	world_after(&w, 20 * 1000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_false(d.abstained);
	assert_int_equal(LIST_AT(the_fix(&d)->components, uint32_t, 0), COMPONENT_CONFIG);
	assert_non_null(strstr(d.root_cause, "changed between the restore points"));
	const struct plan *p = plan_for(&w, 1); /* and it can be brought back */
	assert_true(id_equal(LIST_AT(p->hosts, struct plan_host, 0).snapshot, fleet_good[0]));
	world_close(&w);
}

static void test_what_was_left_before_it_failed_is_no_cause(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct id bad = snapshot_is(&w, "portal", "h0000", 9, 0, SNAPSHOT_SCHEDULED, (struct id){{0}});
	struct id safety = snapshot_is(&w, "portal", "h0000", 8, 0, SNAPSHOT_SAFETY, (struct id){{0}});
	world_after(&w, 2000);
	struct system_snapshot s;
	bool found;
	ok(fleet_snapshot_get(w.turn, bad, &s, &found, ERR_HERE));
	s.left_ms = w.now_ms; /* brought back since */
	ok(turn_put(w.turn, &system_snapshot_table, &s, ERR_HERE));
	assert_false(id_is_zero(safety));
	world_after(&w, 2000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.abstained);
	world_close(&w);
}

/* One host that runs portal with data and a database of its own. */
static void open_whole(struct world *w)
{
	static uint32_t all[] = {COMPONENT_CONFIG, COMPONENT_CODE, COMPONENT_DATA, COMPONENT_DATABASE};
	struct declared_service portal = declared("portal", NULL);
	portal.components = (struct list){all, 4};
	world_open(w);
	fleet_is(w, 1);
	struct hello h = hello_of(w, "h0000", boot_id(1), &portal, 1);
	hello_say(w, &h);
	http_says(w, "portal", "h0000", PROBE_OK);
	world_after(w, MINUTE);
}

static void data_differs(struct world *w, uint64_t added, uint64_t removed)
{
	struct drift_report r = {.service = "portal",
	    .component = COMPONENT_DATA,
	    .snapshot = fleet_good[0],
	    .added = added,
	    .removed = removed,
	    .newest_change_ms = w->now_ms};
	struct host h = host_now(w, "h0000");
	ok(fleet_on_drift(w->turn, &h, &r, ERR_HERE));
}

/* Data became another in the moment in which the code did: what the code does it does again, so both come back. */
static void test_data_that_changed_with_the_code_comes_back_with_it(void **state)
{
	(void)state;
	static const uint64_t between_ms[] = {1000, 20 * 1000};
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		open_whole(&w);
		drift_is(&w, "portal", "h0000", COMPONENT_CODE, fleet_good[0], 1);
		world_after(&w, between_ms[i]);
		data_differs(&w, 3, 3);
		log_says(&w, "portal", "h0000", 7, "cannot open uploads/1.txt", 30);
		struct drift_report named = {.service = "portal",
		    .component = COMPONENT_DATA,
		    .snapshot = fleet_good[0],
		    .added = 3,
		    .removed = 3,
		    .newest_change_ms = w.now_ms,
		    .paths = {(const char *[]){"uploads/1.txt"}, 1}};
		struct host h = host_now(&w, "h0000");
		ok(fleet_on_drift(w.turn, &h, &named, ERR_HERE));
		struct incident incident = fails(&w, "portal", "h0000");
		struct diagnosis d = diagnosed(&w, &incident);
		const struct fix *f = &LIST_AT(d.fixes, struct fix, 0);
		assert_int_equal(f->action, FIX_ROLLBACK);
		assert_int_equal(component_set(&f->components),
		    i == 0 ? 1u << COMPONENT_CODE | 1u << COMPONENT_DATA : 1u << COMPONENT_DATA);
		world_close(&w);
	}
}

/* Neither is likelier than the other, and both came in one moment. */
static void test_configuration_and_code_of_one_moment_come_back_together(void **state)
{
	(void)state;
	for (int apart = 0; apart < 2; apart++) {
		struct world w;
		open_whole(&w);
		drift_is(&w, "portal", "h0000", COMPONENT_CODE, fleet_good[0], 1);
		world_after(&w, apart ? 10 * 1000 : 500);
		drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 1);
		struct incident incident = fails(&w, "portal", "h0000");
		struct diagnosis d = diagnosed(&w, &incident);
		const struct fix *f = &LIST_AT(d.fixes, struct fix, 0);
		assert_int_equal(f->components.count, apart ? 1 : 2);
		assert_true(apart ? d.share < 0.6 : d.share > 0.9);
		world_close(&w);
	}
}

static void test_two_faults_at_once_leave_neither_sure(void **state)
{
	(void)state;
	struct world w;
	open_whole(&w);
	data_differs(&w, 0, 12); /* somebody deleted uploads … */
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis alone = diagnosed(&w, &i);
	assert_true(alone.confidence > 0.9 && alone.alternatives.count == 0);
	/* … and a column was renamed, of which only the lines tell */
	log_says(&w, "portal", "h0000", 7, "ERROR: column patients.birth does not exist", 30);
	struct diagnosis both = diagnosed(&w, &i);
	assert_true(both.confidence < 0.75);
	assert_int_equal(both.suspects.count, 2);
	assert_int_equal(both.alternatives.count, 1);
	uint32_t one = LIST_AT(both.suspects, struct suspect, 0).component;
	uint32_t other = LIST_AT(both.alternatives, struct suspect, 0).component;
	assert_true((one == COMPONENT_DATA && other == COMPONENT_DATABASE) ||
		    (one == COMPONENT_DATABASE && other == COMPONENT_DATA));
	struct buf bytes = BUF_INIT;
	both.diagnosis = turn_id(w.turn);
	ok(record_to_msgpack(&diagnosis_type, &both, &bytes, ERR_HERE));
	buf_done(&bytes);
	world_close(&w);
}

static void test_a_database_out_of_reach_is_not_its_contents(void **state)
{
	(void)state;
	struct world w;
	open_whole(&w);
	struct incident i = fails(&w, "portal", "h0000");
	log_says(&w, "portal", "h0000", 7, "ERROR: could not connect to the database: connection refused", 30);
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(d.suspects.count, 0);
	world_close(&w);
}

static void test_data_that_only_grew_is_used_not_broken(void **state)
{
	(void)state;
	struct world w;
	open_whole(&w);
	data_differs(&w, 5, 0);
	drift_is(&w, "portal", "h0000", COMPONENT_CODE, fleet_good[0], 1);
	world_after(&w, 1000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_int_equal(LIST_AT(d.suspects, struct suspect, 0).component, COMPONENT_CODE);
	assert_true(
	    LIST_AT(d.suspects, struct suspect, 0).confidence > 2 * LIST_AT(d.suspects, struct suspect, 1).confidence);
	world_close(&w);
}

static void test_a_change_of_our_own_is_a_suspect_too(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	fleet_breaks(&w, 1);
	const struct plan *plan = plan_for(&w, 1);
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 0); /* done: what runs is the restore point */
	struct change c = {.change = turn_id(w.turn),
	    .number = 7,
	    .state = CHANGE_COMPLETED,
	    .service = "portal",
	    .title = "an older release",
	    .requested_by = "ada",
	    .plan = plan};
	c.began_ms = w.now_ms;
	ok(turn_put(w.turn, &change_table, &c, ERR_HERE));
	world_after(&w, 30 * 1000);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis d = diagnosed(&w, &i);
	assert_false(d.abstained);
	assert_non_null(strstr(d.root_cause, "CHG-7"));
	c = change_now(&w, c.change);
	c.incident = i.incident; /* what was done because of the fault is not its cause */
	ok(turn_put(w.turn, &change_table, &c, ERR_HERE));
	assert_true(diagnosed(&w, &i).abstained);
	world_close(&w);
}

static void test_a_change_of_our_own_elsewhere_is_none(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	fleet_breaks(&w, 1);
	const struct plan *plan = plan_for(&w, 1);
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 0);
	struct change c = {.change = turn_id(w.turn),
	    .number = 7,
	    .state = CHANGE_COMPLETED,
	    .service = "portal",
	    .requested_by = "ada",
	    .began_ms = w.now_ms,
	    .plan = plan};
	ok(turn_put(w.turn, &change_table, &c, ERR_HERE));
	world_after(&w, 30 * 1000);
	struct incident i = fails(&w, "portal", "h0001"); /* the change was of h0000 */
	assert_true(diagnosed(&w, &i).abstained);
	world_close(&w);
}

static void test_a_dependency_that_is_down_is_named_even_if_nothing_changed(void **state)
{
	(void)state;
	struct world w;
	struct incident other = {0};
	open_with(&w, 2);
	struct incident i = fails(&w, "portal", "h0000");
	incident_says(&w, "records-db", "db-1", PROBE_CRITICAL, &other);
	struct diagnosis d = diagnosed(&w, &i);
	assert_false(d.abstained);
	assert_true(d.confidence >= 0.3 && d.confidence < 0.98);
	assert_non_null(strstr(d.root_cause, "records-db itself, on which portal depends"));
	assert_int_equal(the_fix(&d)->action, FIX_INVESTIGATE);
	assert_int_equal(d.affected.count, 1);
	world_close(&w);
}

/* ---- bounds, and keeping ---- */

static void test_many_suspects_and_much_evidence(void **state)
{
	(void)state;
	struct world w;
	struct incident i = {0};
	open_with(&w, 80);
	for (int k = 0; k < 80; k++)
		drift_is(&w, "portal", fleet_list[k], COMPONENT_CONFIG, fleet_good[k], 1);
	drift_is(&w, "records-db", "db-1", COMPONENT_CODE, fleet_good[0], 1);
	world_after(&w, 1000);
	for (int k = 0; k < 80; k++)
		incident_says(&w, "portal", fleet_list[k], PROBE_CRITICAL, &i);
	incident_says(&w, "records-db", "db-1", PROBE_CRITICAL, &i);
	struct diagnosis d;
	bool found;
	struct incident portal;
	ok(incident_of_service(w.turn, "portal", &portal, &found, ERR_HERE));
	assert_true(found);
	d = diagnosed(&w, &portal);
	assert_int_equal(d.suspects.count, DIAGNOSIS_SUSPECTS_MAX);
	assert_int_equal(d.evidence.count, DIAGNOSIS_EVIDENCE_MAX);
	bool dependency = false; /* the heaviest came last, and is first all the same */
	for (size_t k = 0; k < d.evidence.count; k++)
		dependency = dependency || strcmp(LIST_AT(d.evidence, struct evidence, k).service, "records-db") == 0;
	assert_true(dependency);
	assert_string_equal(LIST_AT(d.suspects, struct suspect, 0).service, "records-db");
	struct buf bytes = BUF_INIT;
	d.diagnosis = turn_id(w.turn);
	ok(record_to_msgpack(&diagnosis_type, &d, &bytes, ERR_HERE));
	buf_done(&bytes);
	world_close(&w);
}

static void test_patterns_are_bounded(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	for (uint64_t n = 0; n < PATTERN_KEPT_MAX + 20; n++) {
		log_says(&w, "portal", "h0000", 1000 + n, "a line", 1);
		world_after(&w, 10);
	}
	assert_int_equal(world_record_count(&w, &error_pattern_table), PATTERN_KEPT_MAX);
	struct list all;
	ok(diagnosis_new_patterns(w.turn, "portal", 0, &all, ERR_HERE));
	assert_int_equal(all.count, PATTERN_KEPT_MAX);
	assert_int_equal(LIST_AT(all, struct error_pattern, 0).template_id,
	    1000 + PATTERN_KEPT_MAX + 19); /* newest first; the oldest went */
	world_close(&w);
}

static void test_patterns_of_several_hosts_are_one(void **state)
{
	(void)state;
	struct world w;
	struct list all;
	open_with(&w, 2);
	log_says(&w, "portal", "h0000", 5, "a line", 3);
	log_says(&w, "portal", "h0001", 5, "a line", 4);
	log_says(&w, "portal", "h0000", 5, "a line", 1);
	ok(diagnosis_new_patterns(w.turn, "portal", 0, &all, ERR_HERE));
	assert_int_equal(all.count, 1);
	assert_int_equal(LIST_AT(all, struct error_pattern, 0).count, 8);
	assert_int_equal(LIST_AT(all, struct error_pattern, 0).hosts.count, 2);
	ok(diagnosis_new_patterns(w.turn, "portal", w.now_ms + 1, &all, ERR_HERE));
	assert_int_equal(all.count, 0);
	world_close(&w);
}

static void test_a_newer_result_stands(void **state)
{
	(void)state;
	struct world w;
	bool kept, found;
	open_with(&w, 1);
	struct incident i = fails(&w, "portal", "h0000");
	struct diagnosis first = diagnosed(&w, &i), last;
	first.diagnosis = turn_id(w.turn);
	ok(diagnosis_record(w.turn, &first, &kept, ERR_HERE));
	assert_true(kept);
	struct diagnosis older = first;
	older.diagnosis = turn_id(w.turn);
	older.at_ms--;
	ok(diagnosis_record(w.turn, &older, &kept, ERR_HERE));
	assert_false(kept);
	ok(diagnosis_of_incident(w.turn, i.incident, &last, &found, ERR_HERE));
	assert_true(found && id_equal(last.diagnosis, first.diagnosis));
	refused(ERR_NOT_FOUND, diagnosis_compute(w.turn, turn_id(w.turn), &last, ERR_HERE));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_configuration_that_changed_on_one_host),
	    cmocka_unit_test(test_a_commit_is_named_by_its_versions),
	    cmocka_unit_test(test_the_same_change_on_several_hosts_is_one_cause),
	    cmocka_unit_test(test_the_change_just_before_beats_the_old_one),
	    cmocka_unit_test(test_a_line_that_names_the_file_decides),
	    cmocka_unit_test(test_the_dependency_that_is_down_is_the_cause),
	    cmocka_unit_test(test_a_dependency_that_is_well_is_not_suspected_much),
	    cmocka_unit_test(test_nothing_changed_is_unknown),
	    cmocka_unit_test(test_p58_loud_noise_is_not_a_cause),
	    cmocka_unit_test(test_a_change_after_the_fault_is_no_cause),
	    cmocka_unit_test(test_a_change_elsewhere_is_no_cause),
	    cmocka_unit_test(test_an_old_lone_change_is_not_sure),
	    cmocka_unit_test(test_a_restore_point_between_break_and_alarm_hides_nothing),
	    cmocka_unit_test(test_what_was_left_before_it_failed_is_no_cause),
	    cmocka_unit_test(test_data_that_changed_with_the_code_comes_back_with_it),
	    cmocka_unit_test(test_configuration_and_code_of_one_moment_come_back_together),
	    cmocka_unit_test(test_two_faults_at_once_leave_neither_sure),
	    cmocka_unit_test(test_a_database_out_of_reach_is_not_its_contents),
	    cmocka_unit_test(test_data_that_only_grew_is_used_not_broken),
	    cmocka_unit_test(test_a_change_of_our_own_is_a_suspect_too),
	    cmocka_unit_test(test_a_change_of_our_own_elsewhere_is_none),
	    cmocka_unit_test(test_a_dependency_that_is_down_is_named_even_if_nothing_changed),
	    cmocka_unit_test(test_many_suspects_and_much_evidence),
	    cmocka_unit_test(test_patterns_are_bounded),
	    cmocka_unit_test(test_patterns_of_several_hosts_are_one),
	    cmocka_unit_test(test_a_newer_result_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
