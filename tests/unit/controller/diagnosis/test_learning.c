/* Learning in place: verdicts of people become history, history and knowledge become evidence, fixes have a record. */
#include "controller/diagnosis/learning.h"
#include "controller/recovery/recovery.h"
#include "tests/lib/recovery_world.h"

static const char text_of_entries[] =
    "entries:\n"
    "  db-slots:\n    title: No connection is left\n    area: database\n    class: resource\n"
    "    patterns: [\"connection slots are reserved\"]\n    causes: [a leak of connections]\n"
    "    action: restart\n    advice: Restart the client that leaks.\n    source: https://example.org/slots\n"
    "  odd-one:\n    title: Odd\n    area: time\n    class: state\n    patterns: [\"clock went backwards\"]\n"
    "    causes: [a jump]\n    action: investigate\n    advice: Look at the clocks.\n    source: "
    "https://example.org/clock\n";

static struct list entries_of(struct world *w, const char *text)
{
	struct list entries = {0};
	ok(knowledge_parse("t.yaml", text, strlen(text), turn_arena(w->turn), &entries, ERR_HERE));
	return entries;
}

static void portal_open(struct world *w)
{
	struct declared_service portal = declared("portal", NULL);
	world_open(w);
	fleet_is(w, 1);
	struct hello h = hello_of(w, fleet_list[0], boot_id(1), &portal, 1);
	hello_say(w, &h);
	http_says(w, "portal", fleet_list[0], PROBE_OK);
	world_after(w, MINUTE);
}

static void says(struct world *w, uint64_t template_id, const char *line)
{
	struct log_template l = {.template_id = template_id,
	    .template_text = line,
	    .severity = LOG_SEVERITY_ERROR,
	    .count = 1,
	    .first_ms = w->now_ms,
	    .last_ms = w->now_ms,
	    .sample = line,
	    .is_new = true};
	struct log_report r = {.service = "portal", .source = "/var/log/error.log", .templates = {&l, 1}, .lines = 1};
	struct host h = host_now(w, fleet_list[0]);
	ok(diagnosis_on_log_report(w->turn, &h, &r, ERR_HERE));
}

static struct incident fails(struct world *w)
{
	struct incident i = {0};
	assert_int_not_equal(incident_says(w, "portal", fleet_list[0], PROBE_CRITICAL, &i), INCIDENT_NOTHING);
	return i;
}

static void heals(struct world *w, const struct incident *i)
{
	struct incident now;
	struct incident_config c = {0};
	struct actor person = actor_operator("ada", "10.0.0.9");
	http_says(w, "portal", fleet_list[0], PROBE_OK);
	ok(incident_resolve(w->turn, &c, &person, i->incident, "over", &now, ERR_HERE));
	ok(incident_close(w->turn, &person, i->incident, "reviewed", &now, ERR_HERE));
	world_after(w, 2 * HOUR);
}

static struct diagnosis diagnosed(struct world *w, const struct incident *i)
{
	struct diagnosis d;
	bool kept;
	ok(diagnosis_compute(w->turn, i->incident, &d, ERR_HERE));
	d.diagnosis = turn_id(w->turn);
	ok(diagnosis_record(w->turn, &d, &kept, ERR_HERE));
	return d;
}

static const struct evidence *evidence_of(const struct diagnosis *d, enum evidence_kind kind)
{
	for (size_t i = 0; i < d->evidence.count; i++)
		if (LIST_AT(d->evidence, struct evidence, i).kind == kind)
			return &LIST_AT(d->evidence, struct evidence, i);
	return NULL;
}

static void test_knowledge_is_evidence_and_advises(void **state)
{
	(void)state;
	struct world w;
	portal_open(&w);
	struct list entries = entries_of(&w, text_of_entries);
	ok(learning_knowledge_seed(w.turn, &entries, ERR_HERE));
	says(&w, 7, "FATAL: remaining connection slots are reserved for others");
	struct incident i = fails(&w);
	struct diagnosis d = diagnosed(&w, &i);
	assert_true(d.abstained); /* an entry names no component that changed */
	assert_non_null(evidence_of(&d, EVIDENCE_KNOWLEDGE));
	assert_non_null(strstr(evidence_of(&d, EVIDENCE_KNOWLEDGE)->text, "db-slots"));
	assert_int_equal(d.fixes.count, 1);
	const struct fix *f = &LIST_AT(d.fixes, struct fix, 0);
	assert_int_equal(f->action, FIX_RESTART);
	assert_string_equal(f->service, "portal");
	assert_non_null(strstr(f->text, "leaks"));
	world_close(&w);
}

static void test_other_lines_are_not_known(void **state)
{
	(void)state;
	struct world w;
	portal_open(&w);
	struct list entries = entries_of(&w, text_of_entries);
	ok(learning_knowledge_seed(w.turn, &entries, ERR_HERE));
	says(&w, 7, "the quick brown fox jumps");
	struct incident i = fails(&w);
	struct diagnosis d = diagnosed(&w, &i);
	assert_null(evidence_of(&d, EVIDENCE_KNOWLEDGE));
	assert_int_equal(d.fixes.count, 0);
	world_close(&w);
}

static void test_seeding_anew_forgets_what_is_gone(void **state)
{
	(void)state;
	struct world w;
	portal_open(&w);
	struct list both = entries_of(&w, text_of_entries), none = {0};
	struct knowledge_entry e = {.name = "db-slots"};
	bool found;
	ok(learning_knowledge_seed(w.turn, &both, ERR_HERE));
	ok(turn_get(w.turn, &knowledge_table, &e, &e, &found, ERR_HERE));
	assert_true(found);
	struct list one = {both.items, 1};
	ok(learning_knowledge_seed(w.turn, &one, ERR_HERE));
	e = (struct knowledge_entry){.name = "odd-one"};
	ok(turn_get(w.turn, &knowledge_table, &e, &e, &found, ERR_HERE));
	assert_false(found);
	ok(learning_knowledge_seed(w.turn, &none, ERR_HERE));
	e = (struct knowledge_entry){.name = "db-slots"};
	ok(turn_get(w.turn, &knowledge_table, &e, &e, &found, ERR_HERE));
	assert_false(found);
	world_close(&w);
}

static void test_a_corrected_incident_is_remembered(void **state)
{
	(void)state;
	struct world w;
	struct past_incident p;
	struct actor person = actor_operator("ada", "10.0.0.9");
	portal_open(&w);
	says(&w, 7, "queue of the printer is stuck");
	struct incident first = fails(&w);
	struct diagnosis d = diagnosed(&w, &first);
	assert_null(evidence_of(&d, EVIDENCE_HISTORY));
	assert_int_equal(learning_confirm(w.turn, &person, first.incident, &p, NULL), ERR_STATE); /* it named nothing */
	ok(learning_correct(w.turn, &person, first.incident, "the printer had no paper", NULL, &p, ERR_HERE));
	assert_int_equal(p.verdict, VERDICT_CORRECTED);
	assert_string_equal(p.by, "ada");
	heals(&w, &first);
	struct error_pattern old = {.service = "portal", .template_id = 7};
	ok(turn_delete(w.turn, &error_pattern_table, &old, ERR_HERE)); /* so long unseen that it is new again */
	says(&w, 7, "queue of the printer is stuck");
	struct incident second = fails(&w);
	assert_false(id_equal(first.incident, second.incident));
	d = diagnosed(&w, &second);
	assert_non_null(evidence_of(&d, EVIDENCE_HISTORY));
	assert_non_null(strstr(evidence_of(&d, EVIDENCE_HISTORY)->text, "no paper"));
	assert_int_equal(learning_correct(w.turn, &person, (struct id){{9}}, "x", NULL, &p, NULL), ERR_NOT_FOUND);
	world_close(&w);
}

static void rolled_back(struct world *w, struct id incident, uint8_t n, enum order_outcome outcome)
{
	uint32_t *component = arena_alloc(turn_arena(w->turn), sizeof *component);
	*component = COMPONENT_CONFIG;
	struct rollback r = {.rollback = {{1, n}},
	    .number = n,
	    .state = ROLLBACK_ENDED,
	    .outcome = outcome,
	    .kind = ORDER_ROLLBACK,
	    .incident = incident,
	    .service = "portal",
	    .components = {component, 1},
	    .change = {{2, n}}};
	ok(turn_put(w->turn, &rollback_table, &r, ERR_HERE));
}

static void test_fixes_have_a_record(void **state)
{
	(void)state;
	struct world w;
	struct past_incident p;
	struct actor person = actor_operator("ada", "10.0.0.9");
	portal_open(&w);
	uint32_t config = COMPONENT_CONFIG, code = COMPONENT_CODE;
	struct fix fix = {.action = FIX_ROLLBACK, .service = "portal", .components = {&config, 1}};
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 0);
	assert_true(fix.success == 0.5 && fix.success_low < 0.06 && fix.success_high > 0.94);
	struct incident i = fails(&w);
	for (uint8_t n = 1; n <= 8; n++)
		rolled_back(&w, (struct id){{3, n}}, n, ORDER_OK);
	rolled_back(&w, (struct id){{3, 9}}, 9, ORDER_REVERTED);
	rolled_back(&w, i.incident, 10, ORDER_OK);
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 10);
	assert_int_equal(fix.worked, 9);
	assert_true(fix.success > 0.83 && fix.success < 0.84);
	assert_true(fix.success_low > 0.6 && fix.success_low < fix.success && fix.success_high < 0.98);
	ok(learning_correct(
	    w.turn, &person, i.incident, "something else", NULL, &p, ERR_HERE)); /* then that one did not help */
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.worked, 8);
	struct fix other = {.action = FIX_ROLLBACK, .service = "portal", .components = {&code, 1}};
	ok(learning_success(w.turn, &other, ERR_HERE));
	assert_int_equal(other.tried, 0);
	world_close(&w);
}

static void ran(struct world *w, struct id incident, uint8_t n, const char *action, uint64_t took_ms)
{
	struct rollback r = {.rollback = {{1, n}},
	    .number = n,
	    .state = ROLLBACK_ENDED,
	    .outcome = ORDER_OK,
	    .kind = ORDER_ACTION,
	    .incident = incident,
	    .service = "portal",
	    .action = action,
	    .began_ms = w->now_ms + n * MINUTE,
	    .ended_ms = w->now_ms + n * MINUTE + took_ms,
	    .change = {{2, n}}};
	ok(turn_put(w->turn, &rollback_table, &r, ERR_HERE));
}

static void test_actions_have_a_record(void **state)
{
	(void)state;
	struct world w;
	portal_open(&w);
	struct fix fix = {.action = FIX_RUN, .service = "portal", .run = "restart"};
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 0);
	assert_int_equal(fix.estimate, ESTIMATE_ASSUMED);
	assert_true(fix.estimated_ms > 0 && fix.success == 0.5);
	ran(&w, (struct id){{3, 1}}, 1, "restart", 2000);
	ran(&w, (struct id){{3, 2}}, 2, "restart", 9000);
	ran(&w, (struct id){{3, 3}}, 3, "restart", 4000);
	ran(&w, (struct id){{3, 4}}, 4, "free-space", 4000); /* another action */
	rolled_back(&w, (struct id){{3, 5}}, 5, ORDER_OK);   /* no action at all */
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 3);
	assert_int_equal(fix.worked, 3);
	assert_int_equal(fix.estimate, ESTIMATE_HISTORY);
	assert_int_equal(fix.estimated_ms, 4000);
	ran(&w, (struct id){{3, 2}}, 6, "free-space", 1000); /* what INC 2 needed in the end */
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 3);
	assert_int_equal(fix.worked, 2);
	world_close(&w);
}

static void test_what_never_began_says_nothing(void **state)
{
	(void)state;
	struct world w;
	portal_open(&w);
	uint32_t config = COMPONENT_CONFIG;
	struct fix fix = {.action = FIX_ROLLBACK, .service = "portal", .components = {&config, 1}};
	rolled_back(&w, (struct id){{3, 1}}, 1, ORDER_REFUSED);
	rolled_back(&w, (struct id){{3, 2}}, 2, ORDER_EXPIRED);
	rolled_back(&w, (struct id){{3, 3}}, 3, ORDER_CANCELLED);
	rolled_back(&w, (struct id){{3, 4}}, 4, ORDER_UNREACHABLE);
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 0);
	rolled_back(&w, (struct id){{3, 5}}, 5, ORDER_FAILED_DIRTY);
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.tried, 1);
	assert_int_equal(fix.worked, 0);
	world_close(&w);
}

static void test_a_drill_tells_how_long(void **state)
{
	(void)state;
	struct world w;
	portal_open(&w);
	uint32_t database = COMPONENT_DATABASE;
	const char *hosts[] = {fleet_list[0]};
	struct component_drill practised[] = {
	    {.component = COMPONENT_CONFIG, .took_ms = 100}, {.component = COMPONENT_DATABASE, .took_ms = 42000}};
	struct drill d = {.service = "portal",
	    .host = fleet_list[0],
	    .at_ms = w.now_ms,
	    .took_ms = 43000,
	    .ok = true,
	    .components = {practised, 2}};
	struct fix fix = {
	    .action = FIX_ROLLBACK, .service = "portal", .components = {&database, 1}, .hosts = {hosts, 1}};
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.estimate, ESTIMATE_ASSUMED);
	ok(turn_put(w.turn, &drill_table, &d, ERR_HERE));
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.estimate, ESTIMATE_DRILL);
	assert_true(fix.estimated_ms >= 42000 && fix.estimated_ms < 60000);
	d.ok = false; /* did not come back: says nothing */
	ok(turn_put(w.turn, &drill_table, &d, ERR_HERE));
	ok(learning_success(w.turn, &fix, ERR_HERE));
	assert_int_equal(fix.estimate, ESTIMATE_ASSUMED);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_knowledge_is_evidence_and_advises),
	    cmocka_unit_test(test_other_lines_are_not_known),
	    cmocka_unit_test(test_seeding_anew_forgets_what_is_gone),
	    cmocka_unit_test(test_a_corrected_incident_is_remembered),
	    cmocka_unit_test(test_fixes_have_a_record),
	    cmocka_unit_test(test_actions_have_a_record),
	    cmocka_unit_test(test_what_never_began_says_nothing),
	    cmocka_unit_test(test_a_drill_tells_how_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
