/* Changes: whose word counts (P53), kinds, deadlines, ends. */
#include "tests/lib/recovery_world.h"

/* ---- kinds ---- */

static void test_kinds_need_their_approvals(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 3);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	assert_int_equal(c.state, CHANGE_REQUESTED);
	assert_int_equal(c.approvals_needed, 1);
	assert_int_equal(c.review_due_ms, w.now_ms + CHANGE_REVIEW_MS);
	c = asked(&w, 2, CHANGE_NORMAL);
	assert_int_equal(c.approvals_needed, 2);
	assert_int_equal(c.review_due_ms, 0);
	assert_int_equal(c.number, 2);
	struct change standard = {.kind = CHANGE_STANDARD, .requested_by = "ada", .plan = plan_for(&w, 1)};
	refused(ERR_DENIED, change_request(w.turn, &ada, &standard, ERR_HERE));
	world_close(&w);
}

static void test_a_normal_change_needs_two_different_people(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_NORMAL);
	struct id id = c.change;
	ok(change_approve(w.turn, &bo, id, signature_of(&w, BO, c.plan), &c, ERR_HERE));
	assert_int_equal(c.state, CHANGE_REQUESTED);
	ok(change_approve(
	    w.turn, &bo, id, signature_of(&w, BO, c.plan), &c, ERR_HERE)); /* the same person again is one person */
	assert_int_equal(c.state, CHANGE_REQUESTED);
	ok(change_approve(w.turn, &cy, id, signature_of(&w, CY, c.plan), &c, ERR_HERE));
	assert_int_equal(c.state, CHANGE_APPROVED);
	struct list all;
	ok(change_approvals(w.turn, id, &all, ERR_HERE));
	assert_int_equal(all.count, 2);
	refused(ERR_STATE, change_approve(w.turn, &dan, id, signature_of(&w, DAN, c.plan), &c, ERR_HERE));
	world_close(&w);
}

/* ---- P53: forged words ---- */

static void test_p53_nobody_approves_their_own_change(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct plan_wish wish = wish_for(1);
	struct plan p;
	wish.author = "bo";
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	struct change c = {.kind = CHANGE_EMERGENCY, .requested_by = "bo", .plan = &p};
	ok(change_request(w.turn, &bo, &c, ERR_HERE));
	refused(ERR_DENIED, change_approve(w.turn, &bo, c.change, signature_of(&w, BO, &p), &c, ERR_HERE));
	assert_non_null(strstr(world_err.msg, "your own change"));
	world_close(&w);
}

static void test_p53_the_author_of_the_plan_counts_as_its_requester(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct plan_wish wish = wish_for(1);
	struct plan p;
	wish.author = "bo"; /* though ada asks for the change */
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	struct change c = {.kind = CHANGE_EMERGENCY, .requested_by = "ada", .plan = &p};
	ok(change_request(w.turn, &ada, &c, ERR_HERE));
	refused(ERR_DENIED, change_approve(w.turn, &bo, c.change, signature_of(&w, BO, &p), &c, ERR_HERE));
	world_close(&w);
}

static void test_p53_nobody_approves_in_anothers_name(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	refused(ERR_DENIED, change_approve(w.turn, &bo, c.change, signature_of(&w, CY, c.plan), &c, ERR_HERE));
	assert_non_null(strstr(world_err.msg, "of cy, not of bo"));
	world_close(&w);
}

static void test_p53_roles_and_strangers(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	static const struct actor eve = {AUDIT_OPERATOR, "eve", NULL}, mallory = {AUDIT_OPERATOR, "mallory", NULL};
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	const char *good = signature_of(&w, BO, c.plan);
	refused(ERR_DENIED, change_approve(w.turn, &ada, c.change, good, &c, ERR_HERE));     /* admin, no approver */
	refused(ERR_DENIED, change_approve(w.turn, &eve, c.change, good, &c, ERR_HERE));     /* viewer */
	refused(ERR_DENIED, change_approve(w.turn, &mallory, c.change, good, &c, ERR_HERE)); /* nobody */
	struct signer *stranger = signer_new(SSH_KEY_ED25519, "bo");
	char *forged = signer_approve(stranger, c.plan);
	refused(ERR_DENIED, change_approve(w.turn, &bo, c.change, forged, &c, ERR_HERE));
	free(forged);
	signer_free(stranger);
	refused(ERR_DENIED, change_approve(w.turn, &bo, c.change, "not a signature", &c, ERR_HERE));
	refused(ERR_DENIED, change_reject(w.turn, &ada, c.change, "no", &c, ERR_HERE));
	refused(ERR_NOT_FOUND, change_approve(w.turn, &bo, turn_id(w.turn), good, &c, ERR_HERE));
	assert_int_equal(change_now(&w, c.change).state, CHANGE_REQUESTED);
	world_close(&w);
}

static void test_p53_a_word_for_another_plan_does_not_count(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 2);
	struct change one = asked(&w, 1, CHANGE_EMERGENCY), two = asked(&w, 2, CHANGE_EMERGENCY);
	refused(ERR_DENIED, change_approve(w.turn, &bo, two.change, signature_of(&w, BO, one.plan), &two, ERR_HERE));
	world_close(&w);
}

static void test_a_disabled_approver_has_no_word(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	struct operator o;
	bool found;
	ok(access_operator_get(w.turn, "bo", &o, &found, ERR_HERE));
	o.disabled = true;
	ok(access_operator_put(w.turn, &actor_controller, &o, ERR_HERE));
	refused(ERR_DENIED, change_approve(w.turn, &bo, c.change, signature_of(&w, BO, c.plan), &c, ERR_HERE));
	world_close(&w);
}

/* ---- ends ---- */

static void test_reject_and_cancel(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY), done;
	ok(change_reject(w.turn, &bo, c.change, "not tonight", &done, ERR_HERE));
	assert_int_equal(done.state, CHANGE_REJECTED);
	assert_int_equal(done.ended_ms, w.now_ms);
	refused(ERR_STATE, change_cancel(w.turn, &ada, c.change, "late", &done, ERR_HERE));
	c = asked(&w, 1, CHANGE_EMERGENCY);
	ok(change_cancel(w.turn, &ada, c.change, "mistake", &done, ERR_HERE));
	assert_int_equal(done.state, CHANGE_CANCELLED);
	assert_int_equal(done.outcome, ORDER_CANCELLED);
	struct rollback r;
	refused(ERR_STATE, recovery_start(w.turn, &recovery_rules, c.change, false, &r, ERR_HERE));
	world_close(&w);
}

static struct change expire(struct world *w, struct id change, uint64_t until_ms)
{
	struct timer timer;
	while (world_timer(w, until_ms, &timer)) {
		bool mine;
		ok(change_on_timer(w->turn, &timer, &mine, ERR_HERE));
	}
	return change_now(w, change);
}

static void test_p17_nobody_answers_and_it_lapses(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_NORMAL);
	uint64_t due = c.expires_ms;
	assert_true(due <= w.now_ms + CHANGE_WAIT_MS);
	assert_int_equal(expire(&w, c.change, due - 1).state, CHANGE_REQUESTED);
	c = expire(&w, c.change, due);
	assert_int_equal(c.state, CHANGE_EXPIRED);
	assert_int_equal(c.outcome, ORDER_EXPIRED);
	refused(ERR_STATE, change_approve(w.turn, &bo, c.change, signature_of(&w, BO, c.plan), &c, ERR_HERE));
	world_close(&w);
}

static void test_p17_approved_but_never_begun_lapses_too(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, c.plan), &c, ERR_HERE));
	c = expire(&w, c.change, c.expires_ms);
	assert_int_equal(c.state, CHANGE_EXPIRED);
	struct rollback r;
	refused(ERR_STATE, recovery_start(w.turn, &recovery_rules, c.change, false, &r, ERR_HERE));
	world_close(&w);
}

static void test_review_comes_after_the_end(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	refused(ERR_STATE, change_review(w.turn, &cy, c.change, "fine", &c, ERR_HERE));
	ok(change_cancel(w.turn, &ada, c.change, "mistake", &c, ERR_HERE));
	ok(change_review(w.turn, &cy, c.change, "fine", &c, ERR_HERE));
	assert_string_equal(c.reviewed_by, "cy");
	assert_int_equal(c.reviewed_ms, w.now_ms);
	world_close(&w);
}

static void test_p28_every_outcome_has_its_state(void **state)
{
	(void)state;
	static const enum change_state want[ORDER_OUTCOME_COUNT] = {
	    [ORDER_OK] = CHANGE_COMPLETED,
	    [ORDER_OK_WITH_EXCEPTIONS] = CHANGE_COMPLETED,
	    [ORDER_REVERTED] = CHANGE_FAILED,
	    [ORDER_FAILED_DIRTY] = CHANGE_FAILED,
	    [ORDER_REFUSED] = CHANGE_FAILED,
	    [ORDER_EXPIRED] = CHANGE_FAILED,
	    [ORDER_CANCELLED] = CHANGE_CANCELLED,
	    [ORDER_UNREACHABLE] = CHANGE_FAILED,
	};
	for (int outcome = ORDER_OPEN + 1; outcome < ORDER_OUTCOME_COUNT; outcome++) {
		struct world w;
		world_broken(&w, 1);
		struct change c = asked(&w, 1, CHANGE_EMERGENCY);
		ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, c.plan), &c, ERR_HERE));
		struct change_validation proof = {.change = c.change, .at_ms = w.now_ms};
		ok(change_began(w.turn, c.change, c.plan->rollback, 1, ERR_HERE));
		ok(change_validating(w.turn, c.change, ERR_HERE));
		ok(change_implementing(w.turn, c.change, ERR_HERE)); /* another wave */
		ok(change_validating(w.turn, c.change, ERR_HERE));
		ok(change_ended(w.turn, c.change, (enum order_outcome)outcome, &proof, 0, "so", ERR_HERE));
		c = change_now(&w, c.change);
		assert_int_equal(c.state, want[outcome]);
		assert_int_equal(c.outcome, outcome);
		assert_int_equal(c.ended_ms, w.now_ms);
		refused(ERR_STATE, change_validating(w.turn, c.change, ERR_HERE));
		world_close(&w);
	}
}

static void test_moves_that_are_not_allowed(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct change c = asked(&w, 1, CHANGE_EMERGENCY);
	struct change_validation proof = {.change = c.change, .at_ms = w.now_ms};
	refused(ERR_STATE, change_began(w.turn, c.change, c.plan->rollback, 1, ERR_HERE)); /* not approved */
	refused(ERR_STATE, change_validating(w.turn, c.change, ERR_HERE));
	refused(ERR_STATE, change_ended(w.turn, c.change, ORDER_OK, &proof, 1, NULL, ERR_HERE));
	world_close(&w);
}

/* ---- policies ---- */

static bool finds(struct world *w, size_t hosts, enum severity severity, double confidence, const char **ret_why)
{
	struct standing_policy p;
	bool found;
	struct policy_wish wish = {
	    ORDER_ROLLBACK, "portal", NULL, hosts_of(hosts), {only_config, 1}, severity, confidence, NULL};
	ok(policy_find(w->turn, &wish, &p, &found, ret_why, ERR_HERE));
	assert_int_equal(found, *ret_why == NULL);
	return found;
}

static void test_a_policy_covers_what_it_says(void **state)
{
	(void)state;
	struct world w;
	const char *why;
	world_broken(&w, 6);
	assert_false(finds(&w, 1, SEVERITY_CRITICAL, 1, &why));
	assert_string_equal(why, "there is no standing policy");
	policy_installed(&w, night_policy, BO);
	assert_true(finds(&w, 5, SEVERITY_HIGH, 0.5, &why));
	assert_false(finds(&w, 6, SEVERITY_HIGH, 0.5, &why));
	assert_false(finds(&w, 1, SEVERITY_MEDIUM, 1, &why));
	assert_false(finds(&w, 1, SEVERITY_HIGH, 0.49, &why));
	ok(policy_remove(w.turn, &bo, "night", ERR_HERE));
	assert_false(finds(&w, 1, SEVERITY_HIGH, 1, &why));
	refused(ERR_NOT_FOUND, policy_remove(w.turn, &bo, "night", ERR_HERE));
	world_close(&w);
}

static void test_a_policy_that_nobody_may_sign_is_not_taken(void **state)
{
	(void)state;
	struct world w;
	struct standing_policy p;
	world_broken(&w, 1);
	struct signed_policy *doc = policy_text(&w, night_policy, BO);
	struct signed_policy other = *doc;
	other.document.size--; /* one byte less than what was signed */
	refused(ERR_DENIED, policy_install(w.turn, &ada, &other, &p, ERR_HERE));
	refused(ERR_INVALID, policy_install(w.turn, &ada, policy_text(&w, "name: [", BO), &p, ERR_HERE));
	static const char expired[] =
	    "name: old\nservices: [portal]\ncomponents: [config]\nmax_hosts: 5\nmax_per_hour: 2\n"
	    "expires: 2020-01-01T00:00:00Z\nreason: r\n";
	refused(ERR_INVALID, policy_install(w.turn, &ada, policy_text(&w, expired, BO), &p, ERR_HERE));
	world_close(&w);
}

static void test_a_policy_is_worth_its_signers(void **state)
{
	(void)state;
	struct world w;
	const char *why;
	static const uint32_t viewer[] = {ROLE_VIEWER};
	world_broken(&w, 1);
	policy_installed(&w, night_policy, BO);
	operator_is(&w, "bo", viewer, 1, signer_line(persons[BO]));
	assert_false(finds(&w, 1, SEVERITY_CRITICAL, 1, &why));
	struct change c = {.kind = CHANGE_STANDARD, .requested_by = "ada", .plan = plan_for(&w, 1), .policy = "night"};
	refused(ERR_DENIED, change_request(w.turn, &ada, &c, ERR_HERE));
	world_close(&w);
}

static void test_a_standard_change_is_approved_by_its_policy(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 6);
	policy_installed(&w, night_policy, BO);
	struct change c = {.kind = CHANGE_STANDARD, .requested_by = "ada", .plan = plan_for(&w, 5), .policy = "night"};
	ok(change_request(w.turn, &ada, &c, ERR_HERE));
	assert_int_equal(c.state, CHANGE_APPROVED);
	c = (struct change){.kind = CHANGE_STANDARD, .requested_by = "ada", .plan = plan_for(&w, 6), .policy = "night"};
	refused(ERR_DENIED, change_request(w.turn, &ada, &c, ERR_HERE));
	c = (struct change){.kind = CHANGE_EMERGENCY, .requested_by = "ada", .plan = plan_for(&w, 1), .policy = "day"};
	refused(ERR_NOT_FOUND, change_request(w.turn, &ada, &c, ERR_HERE));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds_need_their_approvals),
	    cmocka_unit_test(test_a_normal_change_needs_two_different_people),
	    cmocka_unit_test(test_p53_nobody_approves_their_own_change),
	    cmocka_unit_test(test_p53_the_author_of_the_plan_counts_as_its_requester),
	    cmocka_unit_test(test_p53_nobody_approves_in_anothers_name),
	    cmocka_unit_test(test_p53_roles_and_strangers),
	    cmocka_unit_test(test_p53_a_word_for_another_plan_does_not_count),
	    cmocka_unit_test(test_a_disabled_approver_has_no_word),
	    cmocka_unit_test(test_reject_and_cancel),
	    cmocka_unit_test(test_p17_nobody_answers_and_it_lapses),
	    cmocka_unit_test(test_p17_approved_but_never_begun_lapses_too),
	    cmocka_unit_test(test_review_comes_after_the_end),
	    cmocka_unit_test(test_p28_every_outcome_has_its_state),
	    cmocka_unit_test(test_moves_that_are_not_allowed),
	    cmocka_unit_test(test_a_policy_covers_what_it_says),
	    cmocka_unit_test(test_a_policy_that_nobody_may_sign_is_not_taken),
	    cmocka_unit_test(test_a_policy_is_worth_its_signers),
	    cmocka_unit_test(test_a_standard_change_is_approved_by_its_policy),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
