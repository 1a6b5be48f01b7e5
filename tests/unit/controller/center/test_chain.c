/* The main job through the real center: from a probe that fails to an incident that is resolved, and every way that it
 * goes wrong. */
#include "tests/lib/chain_world.h"

static void test_a_bad_change_is_rolled_back_by_itself(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	struct incident *i = incident_last(&w);
	assert_int_equal(i->state, INCIDENT_RESOLVING);
	struct change *c = change_last(&w);
	assert_int_equal(c->state, CHANGE_IMPLEMENTING);
	assert_int_equal(c->kind, CHANGE_EMERGENCY);
	assert_string_equal(c->requested_by, "policy night");
	comes_back(&w, 0);
	i = incident_last(&w);
	assert_int_equal(i->state, INCIDENT_RESOLVED);
	assert_true(i->review_due_ms > w.c.now_ms);
	assert_int_equal(change_last(&w)->state, CHANGE_COMPLETED);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_OK);
	control_until(&w.c, w.c.now_ms + 5 * SECOND);
	assert_int_equal(pages(&w, NOTIFY_OPENED), 1);
	assert_int_equal(pages(&w, NOTIFY_RESOLVED), 1);
	chain_close(&w);
}

static void test_without_a_policy_a_person_is_asked(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	breaks_for_people(&w, 0);
	struct change *c = change_last(&w);
	assert_int_equal(c->state, CHANGE_REQUESTED);
	assert_int_equal(control_letters_to(&w.c, NULL, FRAME_ORDER), 0);
	assert_int_equal(pages(&w, NOTIFY_APPROVAL), 1);
	assert_int_equal(incident_last(&w)->state, INCIDENT_IDENTIFIED);
	drifts(&w, 0, COMPONENT_CODE, 1); /* new evidence brings no second proposal */
	control_settle(&w.c);
	assert_int_equal(count_of(&w, &change_table), 1);
	char *word = signer_approve(chain_bo, c->plan);
	asked_ok(&w, "bo", "change", "approve", .change = "CHG-1", .signature = word);
	free(word);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVING);
	comes_back(&w, 0);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVED);
	chain_close(&w);
}

/* The first suspect is what changed twenty minutes ago; only then it is seen that the code changed a moment before the
 * fault. */
static void breaks_with_a_decoy(struct chain *w)
{
	uint64_t now_ms = w->c.now_ms;
	drifts_since(w, 0, COMPONENT_CONFIG, 1, now_ms - 15 * MINUTE);
	says(w, "web-1", PROBE_CRITICAL);
	control_settle(&w->c);
	assert_non_null(strstr(diagnosis_last(w)->root_cause, "config"));
	assert_int_equal(incident_last(w)->state, INCIDENT_INVESTIGATING); /* nobody is asked yet */
	assert_int_equal(count_of(w, &change_table), 0);
}

static void test_evidence_of_the_first_second_spares_people_a_question(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	breaks_with_a_decoy(&w);
	w.c.now_ms += 100;
	drifts(&w, 0, COMPONENT_CODE, 1);
	control_until(&w.c, w.c.now_ms + 5 * SECOND);
	assert_int_equal(count_of(&w, &change_table), 1);
	assert_int_equal(LIST_AT(change_last(&w)->plan->components, uint32_t, 0), COMPONENT_CODE);
	assert_int_equal(pages(&w, NOTIFY_APPROVAL), 1);
	chain_close(&w);
}

static void test_evidence_that_comes_late_replaces_the_cause(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	breaks_with_a_decoy(&w);
	control_until(&w.c, w.c.now_ms + SECOND);
	assert_int_equal(incident_last(&w)->state, INCIDENT_IDENTIFIED);
	assert_int_equal(change_last(&w)->state, CHANGE_REQUESTED);
	w.c.now_ms += SECOND;
	drifts(&w, 0, COMPONENT_CODE, 1);
	control_settle(&w.c);
	assert_int_equal(incident_last(&w)->state, INCIDENT_IDENTIFIED);
	assert_non_null(strstr(diagnosis_last(&w)->root_cause, "code"));
	assert_int_equal(count_of(&w, &change_table), 2); /* the first proposal went with its cause */
	asked_no(ERR_STATE, &w, "bo", "change", "reject", .change = "CHG-1", .text = "x");
	struct change *c = change_last(&w);
	assert_int_equal(c->state, CHANGE_REQUESTED);
	assert_int_equal(LIST_AT(c->plan->components, uint32_t, 0), COMPONENT_CODE);
	for (int k = 0; k < 5; k++) { /* and that is where it stays */
		w.c.now_ms += SECOND;
		drifts_since(&w, 0, COMPONENT_CODE, 1, w.c.now_ms - SECOND);
		control_settle(&w.c);
	}
	assert_int_equal(count_of(&w, &change_table), 2);
	assert_int_equal(count_of(&w, &diagnosis_table), 3); /* a suspicion, the first cause, the second */
	chain_close(&w);
}

static void test_what_stands_in_the_way_is_told_once(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	asked_ok(&w, "bo", "controller", "halt", .text = "look first");
	breaks(&w, 0);
	assert_int_equal(incident_last(&w)->state, INCIDENT_IDENTIFIED);
	uint64_t entries = incident_last(&w)->entries;
	for (int k = 0; k < 5; k++) {
		w.c.now_ms += SECOND;
		drifts_since(&w, 0, COMPONENT_CONFIG, 1, w.c.now_ms - (uint64_t)(k + 2) * SECOND);
		control_settle(&w.c);
	}
	assert_int_equal(incident_last(&w)->entries, entries);
	assert_int_equal(count_of(&w, &change_table), 0);
	asked_ok(&w, "ada", "controller", "resume",
	    .text = "go on"); /* nothing stands in the way any more: the next word acts */
	w.c.now_ms += SECOND;
	drifts_since(&w, 0, COMPONENT_CONFIG, 2, w.c.now_ms - 7 * SECOND);
	control_settle(&w.c);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVING);
	chain_close(&w);
}

static void test_the_cause_that_a_person_named_stands(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	breaks_with_a_decoy(&w);
	control_until(&w.c, w.c.now_ms + SECOND);
	asked_ok(&w, "ada", "incident", "identify", .incident = "INC-1", .text = "the config of Tuesday");
	w.c.now_ms += SECOND;
	drifts(&w, 0, COMPONENT_CODE, 1);
	control_settle(&w.c);
	assert_int_equal(count_of(&w, &change_table), 1);
	assert_int_equal(change_last(&w)->state, CHANGE_REQUESTED);
	chain_close(&w);
}

static void test_p4_it_does_not_try_twice(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	assert_true(answers(&w, "web-1", order_out(&w, "web-1"), ORDER_REVERTED, false));
	control_settle(&w.c);
	struct incident *i = incident_last(&w);
	assert_int_equal(i->state, INCIDENT_INVESTIGATING);
	assert_int_equal(pages(&w, NOTIFY_FAILED), 1);
	control_forget_letters(&w.c);
	for (int k = 0; k < 20; k++) { /* it goes on failing, and evidence goes on coming */
		w.c.now_ms += 30 * SECOND;
		drifts(&w, 0, COMPONENT_CONFIG, 2);
		says(&w, "web-1", PROBE_CRITICAL);
		says(&w, "web-2", PROBE_OK);
		says(&w, "db-1", PROBE_OK);
		control_until(&w.c, w.c.now_ms);
	}
	assert_int_equal(control_letters_to(&w.c, NULL, FRAME_ORDER), 0);
	assert_int_equal(count_of(&w, &rollback_table), 1);
	assert_int_equal(pages(&w, NOTIFY_STOPPED), 1);
	chain_close(&w);
}

/* It healed what it was for, and something else is wrong: it is kept, and what is left is looked into at once. */
static void test_what_helped_is_followed_by_the_next_look(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	struct order_report r = {.order = order_out(&w, "web-1"),
	    .kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .outcome = ORDER_OK_WITH_EXCEPTIONS,
	    .at_ms = w.c.now_ms,
	    .digests_match = true,
	    .better = true};
	assert_true(control_report(&w.c, "web-1", (struct report){.importance = IMPORTANCE_RESULT, .order = &r}));
	drifts(&w, 0, COMPONENT_CONFIG, 0);
	size_t before = count_of(&w, &diagnosis_table);
	for (int i = 0; i < 3; i++) {
		control_until(&w.c, w.c.now_ms + 6 * SECOND);
		says(&w, "web-1", PROBE_CRITICAL);
		control_settle(&w.c);
	}
	assert_int_equal(change_last(&w)->state, CHANGE_COMPLETED);
	assert_int_equal(incident_last(&w)->state, INCIDENT_INVESTIGATING);
	assert_true(count_of(&w, &diagnosis_table) > before);
	assert_int_equal(pages(&w, NOTIFY_FAILED), 0);
	chain_close(&w);
}

static void test_p7_a_restore_point_that_did_not_help_is_condemned(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	assert_true(answers(&w, "web-1", order_out(&w, "web-1"), ORDER_REVERTED, false));
	const struct request_args again = {.service = "portal", .hosts = {(const char *[]){"web-1"}, 1}};
	assert_int_equal(
	    asks(&w, "ada", "rollback", "plan", &again), ERR_NOT_FOUND); /* none is known to be good any more */
	chain_close(&w);
}

/* The disk was full, or a step failed: nobody has looked at what was to be put back. */
static void test_p7_a_restore_point_that_was_never_looked_at_is_as_good_as_it_was(void **state)
{
	(void)state;
	static const enum step_kind ends[] = {STEP_STAGE, STEP_SAFETY, STEP_STOP, STEP_RESTORE, STEP_START};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct chain w;
		chain_open(&w);
		policy_stands(&w);
		breaks(&w, 0);
		assert_true(answers_after(&w, "web-1", order_out(&w, "web-1"), ORDER_REVERTED, false, ends[i]));
		const struct request_args again = {.service = "portal", .hosts = {(const char *[]){"web-1"}, 1}};
		assert_int_equal(asks(&w, "ada", "rollback", "plan", &again), ERR_OK);
		chain_close(&w);
	}
}

static void test_an_incident_whose_hosts_are_well_ends_though_its_rollback_did_not(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	w.c.now_ms += SECOND;
	says(&w, "web-1", PROBE_OK); /* somebody repaired it by hand meanwhile */
	everybody_well(&w, 30 * SECOND);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVING); /* the rollback has the last word */
	everybody_well(&w, 2 * MINUTE);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_UNREACHABLE); /* it never answered */
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVED);
	chain_close(&w);
}

static void test_hosts_that_fail_later_wait_for_a_persons_word(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	breaks(&w, 1); /* the same change reached it a little later: it joins, and the rollback is under way */
	assert_int_equal(count_of(&w, &incident_table), 1);
	struct id order = order_out(&w, "web-1");
	assert_true(answers(&w, "web-1", order, ORDER_OK, true));
	drifts(&w, 0, COMPONENT_CONFIG, 0);
	for (int i = 0; i < 3; i++) {
		w.c.now_ms += 10 * SECOND;
		says(&w, "web-1", PROBE_OK);
		says(&w, "web-2", PROBE_CRITICAL);
		control_until(&w.c, w.c.now_ms);
	}
	assert_int_equal(rollback_last(&w)->outcome, ORDER_OK);
	assert_int_equal(pages(&w, NOTIFY_STOPPED), 1); /* R20: one automatic chain */
	struct change *c = change_last(&w);
	assert_int_equal(c->state, CHANGE_REQUESTED);
	assert_int_equal(c->plan->hosts.count, 1);
	assert_string_equal(LIST_AT(c->plan->hosts, struct plan_host, 0).host, "web-2");
	static const struct digest
	    none; /* R10: what changes after somebody read the plan is not covered by their word */
	assert_memory_not_equal(&LIST_AT(c->plan->hosts, struct plan_host, 0).precondition, &none, sizeof none);
	char *word = signer_approve(chain_bo, c->plan);
	asked_ok(&w, "bo", "change", "approve", .change = "CHG-2", .signature = word);
	free(word);
	comes_back(&w, 1);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVED);
	chain_close(&w);
}

static void test_a_stopped_rollback_pages_nobody(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	asked_ok(&w, "bo", "rollback", "cancel", .rollback = "RB-1", .text = "let me look");
	assert_true(answers(&w, "web-1", order_out(&w, "web-1"), ORDER_CANCELLED, false));
	control_settle(&w.c);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_CANCELLED);
	assert_int_equal(incident_last(&w)->state, INCIDENT_INVESTIGATING);
	assert_int_equal(pages(&w, NOTIFY_FAILED), 0);
	chain_close(&w);
}

static void test_p1_every_agent_silent(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	control_until(&w.c, w.c.now_ms + 2 * HOUR);
	assert_int_equal(rollback_last(&w)->state, ROLLBACK_ENDED);
	assert_int_equal(rollback_last(&w)->outcome, ORDER_UNREACHABLE);
	asked_no(ERR_STATE, &w, "ada", "change", "cancel", .change = "CHG-1", .text = "x");
	assert_non_null(strstr(buf_str(&w.c.reply_text), "CHG-1 is failed"));
	assert_true(incident_is_open(incident_last(&w)) || count_of(&w, &incident_table) > 1);
	assert_true(pages(&w, NOTIFY_OVERDUE) > 0);
	chain_close(&w);
}

static void test_p33_the_dependency_is_paged_and_healed(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	says(&w, "web-1", PROBE_CRITICAL);
	says(&w, "web-2", PROBE_CRITICAL);
	control_settle(&w.c);
	breaks(&w, 2); /* within the hold */
	control_until(&w.c, w.c.now_ms + 10 * SECOND);
	assert_int_equal(pages(&w, NOTIFY_OPENED), 1);
	struct frame f;
	assert_false(control_last(&w.c, "web-1", FRAME_ORDER, w.arena, &f));
	assert_string_equal(rollback_last(&w)->service, "records-db");
	chain_close(&w);
}

static void test_p44_the_breaker_pages_once(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	struct declared_service five[] = {
	    chain_service("records-db"), chain_service("s1"), chain_service("s2"), chain_service("s3")};
	for (int i = 1; i < 4; i++)
		five[i].depends_on.count = 0;
	control_hello(&w.c, "db-1", 3, five, 4);
	for (int k = 1; k < 4; k++) {
		struct drift_report d = {.service = five[k].name,
		    .component = COMPONENT_CONFIG,
		    .snapshot = w.good[2],
		    .changed = 1,
		    .newest_change_ms = w.c.now_ms};
		struct component_point points[] = {
		    {.component = COMPONENT_CONFIG, .digest = {{9}}}, {.component = COMPONENT_CODE, .digest = {{9}}}};
		struct snapshot_report s = {.snapshot = id_new(w.c.now_ms, &w.c.random),
		    .service = five[k].name,
		    .taken_ms = w.c.now_ms,
		    .components = {points, 2},
		    .verified = true};
		struct probe_result ok = {.probe = "http",
		    .state = PROBE_OK,
		    .settled = PROBE_OK,
		    .at_ms = w.c.now_ms,
		    .since_ms = w.c.now_ms};
		struct health_report h = {.service = five[k].name, .results = {&ok, 1}};
		control_report(&w.c, "db-1", (struct report){.health = &h});
		w.c.now_ms += 10;
		control_report(&w.c, "db-1", (struct report){.snapshot = &s});
		w.c.now_ms += 10;
		d.snapshot = s.snapshot;
		control_report(&w.c, "db-1", (struct report){.drift = &d});
	}
	w.c.now_ms += SECOND;
	for (int k = 1; k < 4; k++) { /* all at once, before the analyst has said a word */
		struct probe_result bad = {.probe = "http",
		    .state = PROBE_CRITICAL,
		    .settled = PROBE_CRITICAL,
		    .at_ms = w.c.now_ms,
		    .since_ms = w.c.now_ms};
		struct health_report h = {.service = five[k].name, .results = {&bad, 1}};
		control_report(&w.c, "db-1", (struct report){.health = &h});
	}
	says(&w, "web-1", PROBE_CRITICAL);
	control_settle(&w.c);
	assert_int_equal(control_letters_to(&w.c, NULL, FRAME_ORDER), 0);
	assert_int_equal(pages(&w, NOTIFY_STOPPED), 1);
	assert_true(strstr(buf_str(&w.c.events), "INC-3") != NULL);
	chain_close(&w);
}

static void test_a_relapse_is_the_same_incident(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	breaks(&w, 0);
	comes_back(&w, 0);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVED);
	everybody_well(&w, 2 * MINUTE);
	control_forget_letters(&w.c);
	breaks(&w, 0);
	assert_int_equal(count_of(&w, &incident_table), 1);
	assert_int_equal(incident_last(&w)->relapses, 1);
	assert_int_equal(control_letters_to(&w.c, NULL, FRAME_ORDER), 0); /* R20: the repeat is a person's */
	assert_int_equal(pages(&w, NOTIFY_STOPPED), 1);
	chain_close(&w);
}

static void test_a_person_opens_one_and_it_is_diagnosed(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	asked_ok(
	    &w, "ada", "incident", "open", .service = "portal", .title = "users complain", .severity = SEVERITY_HIGH);
	control_settle(&w.c);
	assert_int_equal(incident_last(&w)->state, INCIDENT_INVESTIGATING);
	assert_int_equal(count_of(&w, &diagnosis_table), 1);
	asked_no(ERR_EXISTS, &w, "ada", "incident", "open", .service = "portal", .title = "again");
	chain_close(&w);
}

static void test_a_result_for_an_incident_that_is_over_does_nothing(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	w.c.now_ms += SECOND;
	says(&w, "web-1", PROBE_CRITICAL); /* the analyst is slow */
	struct id incident = incident_last(&w)->incident;
	struct input *late = control_diagnose(&w.c, incident);
	w.c.analyse.count = 0;
	asked_ok(&w, "ada", "incident", "resolve", .incident = "INC-1", .text = "known, harmless");
	assert_true(control_give(&w.c, late));
	assert_int_equal(count_of(&w, &change_table), 0);
	assert_int_equal(count_of(&w, &diagnosis_table), 0);
	chain_close(&w);
}

static void test_what_is_well_again_is_left_alone_unless_it_fails_again(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	w.c.now_ms += SECOND;
	says(&w, "web-1", PROBE_CRITICAL); /* the analyst is slow */
	struct input *late = control_diagnose(&w.c, incident_last(&w)->incident);
	w.c.analyse.count = 0;
	says(&w, "web-1", PROBE_OK);
	assert_true(incident_last(&w)->healthy_since_ms > 0);
	assert_true(control_give(&w.c, late));
	assert_int_equal(count_of(&w, &diagnosis_table), 1);
	assert_int_equal(incident_last(&w)->state, INCIDENT_INVESTIGATING);
	assert_int_equal(count_of(&w, &change_table), 0);
	w.c.now_ms += 100;
	says(&w, "web-1", PROBE_CRITICAL); /* before it has proven itself */
	control_until(&w.c, w.c.now_ms + 5 * SECOND);
	control_settle(&w.c);
	assert_int_equal(count_of(&w, &incident_table), 1);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVING);
	chain_close(&w);
}

static void test_a_long_proof_is_not_told_again_and_again(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	w.c.config.incident.prove_ms = 10 * MINUTE;
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	w.c.now_ms += SECOND;
	says(&w, "web-1", PROBE_CRITICAL);
	struct input *late = control_diagnose(&w.c, incident_last(&w)->incident);
	w.c.analyse.count = 0;
	says(&w, "web-1", PROBE_OK);
	assert_true(control_give(&w.c, late));
	uint64_t told = incident_last(&w)->entries;
	everybody_well(&w, 9 * MINUTE);
	assert_true(incident_is_open(incident_last(&w)));
	assert_int_equal(count_of(&w, &diagnosis_table), 1);
	assert_int_equal(incident_last(&w)->entries, told);
	says(&w, "web-1", PROBE_CRITICAL); /* and it is not forgotten */
	control_until(&w.c, w.c.now_ms + 5 * SECOND);
	assert_int_equal(incident_last(&w)->state, INCIDENT_IDENTIFIED);
	chain_close(&w);
}

static void test_a_crash_between_commit_and_effects_loses_nothing(void **state)
{
	(void)state;
	struct chain w;
	chain_open(&w);
	policy_stands(&w);
	drifts(&w, 0, COMPONENT_CONFIG, 1);
	w.c.now_ms += SECOND;
	says(&w, "web-1", PROBE_CRITICAL); /* page and analysis are queued */
	control_crash(&w.c);
	control_boot(&w.c);
	chain_hello(&w, "web-1", 1);
	control_settle(&w.c);
	control_until(&w.c, w.c.now_ms + 5 * SECOND);
	assert_int_equal(pages(&w, NOTIFY_OPENED), 1);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVING);
	control_crash(&w.c); /* now the order is lost on its way */
	control_boot(&w.c);
	chain_hello(&w, "web-1", 1);
	assert_int_equal(control_letters_to(&w.c, "web-1", FRAME_ORDER), 1);
	for (int i = 1; i < 3; i++)
		chain_hello(&w, chain_hosts[i], (uint8_t)(i + 1));
	comes_back(&w, 0);
	assert_int_equal(incident_last(&w)->state, INCIDENT_RESOLVED);
	assert_int_equal(pages(&w, NOTIFY_OPENED), 1);
	chain_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_bad_change_is_rolled_back_by_itself),
	    cmocka_unit_test(test_without_a_policy_a_person_is_asked),
	    cmocka_unit_test(test_evidence_of_the_first_second_spares_people_a_question),
	    cmocka_unit_test(test_evidence_that_comes_late_replaces_the_cause),
	    cmocka_unit_test(test_what_stands_in_the_way_is_told_once),
	    cmocka_unit_test(test_the_cause_that_a_person_named_stands),
	    cmocka_unit_test(test_p4_it_does_not_try_twice),
	    cmocka_unit_test(test_what_helped_is_followed_by_the_next_look),
	    cmocka_unit_test(test_p7_a_restore_point_that_did_not_help_is_condemned),
	    cmocka_unit_test(test_p7_a_restore_point_that_was_never_looked_at_is_as_good_as_it_was),
	    cmocka_unit_test(test_an_incident_whose_hosts_are_well_ends_though_its_rollback_did_not),
	    cmocka_unit_test(test_hosts_that_fail_later_wait_for_a_persons_word),
	    cmocka_unit_test(test_a_stopped_rollback_pages_nobody),
	    cmocka_unit_test(test_p1_every_agent_silent),
	    cmocka_unit_test(test_p33_the_dependency_is_paged_and_healed),
	    cmocka_unit_test(test_p44_the_breaker_pages_once),
	    cmocka_unit_test(test_a_relapse_is_the_same_incident),
	    cmocka_unit_test(test_a_person_opens_one_and_it_is_diagnosed),
	    cmocka_unit_test(test_a_result_for_an_incident_that_is_over_does_nothing),
	    cmocka_unit_test(test_what_is_well_again_is_left_alone_unless_it_fails_again),
	    cmocka_unit_test(test_a_long_proof_is_not_told_again_and_again),
	    cmocka_unit_test(test_a_crash_between_commit_and_effects_loses_nothing),
	};
	return cmocka_run_group_tests(tests, chain_signers, chain_signers_end);
}
