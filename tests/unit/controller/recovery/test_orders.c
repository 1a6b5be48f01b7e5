/* Orders: sent until they are answered, late answers, what is kept of them, what their ends speak against. */
#include "controller/turn/system.h"
#include "shared/base/text.h"
#include "tests/lib/recovery_world.h"

static void test_p1_silent_hosts_end_every_state(void **state)
{
	(void)state;
	for (int accepted = 0; accepted < 2; accepted++) {
		struct world w;
		struct rollback r, after;
		world_broken(&w, 2);
		r = begun(&w, 2);
		struct id order = host_of(&r, 0)->order; /* r lives as long as its turn */
		if (accepted)
			assert_int_equal(host_says(&w, "h0000", order, ORDER_OPEN, false), RECOVERY_NOTHING);
		uint64_t began = w.now_ms,
			 limit = accepted ? ORDER_RUN_MS + ORDER_GRACE_MS : ORDER_BEGIN_MS + ORDER_GRACE_MS;
		assert_int_equal(recovery_until(&w, began + limit - 1, &after), RECOVERY_NOTHING);
		assert_int_equal(recovery_until(&w, began + limit, &after), RECOVERY_ENDED);
		assert_int_equal(after.outcome, ORDER_UNREACHABLE);
		assert_int_equal(change_now(&w, r.change).state, CHANGE_FAILED);
		assert_int_equal(order_now(&w, order).outcome, ORDER_UNREACHABLE);
		assert_int_equal(recovery_until(&w, began + DAY, &after), RECOVERY_NOTHING); /* and nothing is left */
		world_close(&w);
	}
}

static void test_an_order_is_sent_until_it_is_answered(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 1);
	struct rollback r = begun(&w, 1), after;
	assert_int_equal(frames_to(&w, "h0000", FRAME_ORDER), 1);
	struct id order = host_of(&r, 0)->order;
	recovery_until(&w, w.now_ms + ORDER_RESEND_MS, &after);
	assert_int_equal(order_now(&w, order).sends, 2);
	world_after(&w, 100);
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE)); /* it is back: at once */
	assert_int_equal(frames_to(&w, "h0000", FRAME_ORDER), 1);
	host_says(&w, "h0000", order, ORDER_OPEN, false);
	recovery_until(&w, w.now_ms + 3 * ORDER_RESEND_MS, &after);
	assert_int_equal(order_now(&w, order).sends, 3);
	world_after(&w, 100);
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE)); /* it has it: the journal answers */
	assert_int_equal(frames_to(&w, "h0000", FRAME_ORDER), 0);
	world_close(&w);
}

static void test_the_truth_comes_late(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 2);
	struct rollback r = begun(&w, 2), after;
	struct id order = host_of(&r, 0)->order;
	assert_int_equal(recovery_until(&w, w.now_ms + 5 * MINUTE, &after), RECOVERY_ENDED);
	world_after(&w, HOUR);
	assert_int_equal(host_says(&w, "h0000", order, ORDER_OPEN, false), RECOVERY_NOTHING);
	assert_int_equal(order_now(&w, order).outcome, ORDER_UNREACHABLE);
	assert_int_equal(host_says(&w, "h0000", order, ORDER_OK, true), RECOVERY_NOTHING);
	assert_int_equal(order_now(&w, order).outcome, ORDER_OK);                  /* kept … */
	assert_int_equal(rollback_now(&w, r.rollback).outcome, ORDER_UNREACHABLE); /* … and nothing goes on by it */
	assert_int_equal(host_says(&w, "h0000", order, ORDER_REVERTED, false), RECOVERY_NOTHING);
	assert_int_equal(order_now(&w, order).outcome, ORDER_OK); /* the first end counts */
	world_close(&w);
}

static void test_reports_that_make_no_sense(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 2);
	struct rollback r = begun(&w, 2), after;
	enum recovery_event event;
	struct order_report report = {.order = host_of(&r, 0)->order, .outcome = ORDER_OK, .digests_match = true};
	refused(
	    ERR_DENIED, recovery_on_order_report(w.turn, &recovery_rules, "h0001", &report, &after, &event, ERR_HERE));
	report.outcome = ORDER_UNREACHABLE;
	refused(
	    ERR_INVALID, recovery_on_order_report(w.turn, &recovery_rules, "h0000", &report, &after, &event, ERR_HERE));
	report = (struct order_report){.order = turn_id(w.turn), .outcome = ORDER_OK};
	ok(recovery_on_order_report(
	    w.turn, &recovery_rules, "h0000", &report, &after, &event, ERR_HERE)); /* before a restore */
	assert_int_equal(event, RECOVERY_NOTHING);
	assert_int_equal(order_now(&w, host_of(&r, 0)->order).outcome, ORDER_OPEN);
	world_close(&w);
}

static void test_single_orders(void **state)
{
	(void)state;
	struct world w;
	struct order_record o;
	struct rollback after;
	world_broken(&w, 1);
	struct id none = {{0}};
	refused(ERR_NOT_FOUND,
	    recovery_order(w.turn, &recovery_rules, &ada, ORDER_SNAPSHOT, "portal", "h0009", none, &o, ERR_HERE));
	ok(recovery_order(w.turn, &recovery_rules, &ada, ORDER_SNAPSHOT, "portal", "h0000", none, &o, ERR_HERE));
	assert_string_equal(o.asked_by, "operator ada");
	assert_int_equal(host_says(&w, "h0000", o.order_id, ORDER_OK, false), RECOVERY_NOTHING);
	assert_int_equal(order_now(&w, o.order_id).outcome, ORDER_OK); /* it restores nothing: no digests to match */
	assert_int_equal(world_record_count(&w, &restoration_table), 0);
	ok(recovery_order(w.turn, &recovery_rules, &ada, ORDER_PROBE, "portal", "h0000", none, &o, ERR_HERE));
	assert_int_equal(recovery_until(&w, w.now_ms + HOUR, &after), RECOVERY_NOTHING);
	assert_int_equal(order_now(&w, o.order_id).outcome, ORDER_UNREACHABLE);
	world_close(&w);
}

/* ---- what is kept of an order, and what its host gets ---- */

static const struct order *order_sent(struct world *w, const char *host)
{
	size_t count;
	const struct effect *e = world_effects(w, &count);
	const struct order *found = NULL;
	for (size_t i = 0; i < count; i++)
		if (e[i].kind == EFFECT_FRAME && e[i].frame == FRAME_ORDER && strcmp(e[i].host, host) == 0)
			found = e[i].body;
	return found;
}

/* In each of a thousand orders the plan would be kept a thousand times, with a thousand hosts in it. */
static void test_a_plan_is_kept_once_and_sent_with_each_order(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 20);
	struct rollback r = begun(&w, 20);
	for (int again = 0; again < 2; again++) {
		const struct order *sent = order_sent(&w, "h0000");
		assert_non_null(sent);
		assert_non_null(sent->plan);
		assert_int_equal(sent->plan->hosts.count, 20);
		assert_int_equal(sent->approvals.count, 1);
		struct order_record kept = order_now(&w, host_of(&r, 0)->order);
		assert_int_equal(kept.sends, 1 + again);
		assert_null(kept.order->plan);
		assert_int_equal(kept.order->approvals.count, 0);
		world_after(&w, 1000);
		assert_null(order_sent(&w, "h0000"));
		ok(recovery_on_hello(w.turn, "h0000", ERR_HERE)); /* it did not hear it */
	}
	world_close(&w);
}

/* A host that has been there for years comes back: what it had long ago is not gone through. */
static void test_who_comes_back_is_asked_what_is_still_to_be_begun(void **state)
{
	(void)state;
	struct world w;
	struct order_record old, new[2];
	struct recovery_config c = recovery_rules;
	world_broken(&w, 1);
	ok(recovery_order(w.turn, &c, &bo, ORDER_PROBE, "portal", "h0000", (struct id){0}, &old, ERR_HERE));
	world_after(&w, ORDER_BEGIN_MS + ORDER_GRACE_MS); /* its timer is yet to be looked at */
	for (int i = 0; i < 2; i++) {
		world_after(&w, 1);
		ok(recovery_order(w.turn, &c, &bo, ORDER_PROBE, "portal", "h0000", (struct id){0}, &new[i], ERR_HERE));
	}
	world_after(&w, ORDER_BEGIN_MS + ORDER_GRACE_MS - 1);
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE));
	assert_int_equal(frames_to(&w, "h0000", FRAME_ORDER), 2);
	assert_true(
	    id_equal(order_sent(&w, "h0000")->order, new[1].order_id)); /* in the order that they were asked in */
	assert_int_equal(order_now(&w, old.order_id).sends, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(order_now(&w, new[i].order_id).sends, 2);
	world_close(&w);
}

/* ---- what speaks against a restore point ---- */

static void test_p7_only_what_was_looked_at_is_judged(void **state)
{
	static const struct {
		struct order_step steps[5];
		size_t count;
		bool bad;
	} cases[] = {
	    {{{.kind = STEP_RESTORE, .ok = true}, {.kind = STEP_VERIFY}}, 2, true},
	    {{{.kind = STEP_RESTORE}, {.kind = STEP_UNDO, .ok = true}, {.kind = STEP_START, .ok = true}}, 3, false},
	    /* its own check refuses it, and takes what was there before ... */
	    {{{.kind = STEP_CHECK}, {.kind = STEP_UNDO, .ok = true}, {.kind = STEP_START, .ok = true}}, 3, true},
	    /* ... or nothing starts there, whatever it is given */
	    {{{.kind = STEP_CHECK}, {.kind = STEP_UNDO, .ok = true}, {.kind = STEP_START}}, 3, false},
	    {{{.kind = STEP_CHECK}, {.kind = STEP_UNDO}, {.kind = STEP_START, .ok = true}}, 3, false},
	    /* what was still stopping may have been in its way */
	    {{{.kind = STEP_CHECK, .ok = true}, {.kind = STEP_START}, {.kind = STEP_UNDO, .ok = true},
		 {.kind = STEP_START, .ok = true}},
		4, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		world_broken(&w, 1);
		struct rollback r = begun(&w, 1), after;
		enum recovery_event event;
		struct order_report report = {.order = host_of(&r, 0)->order,
		    .service = "portal",
		    .outcome = ORDER_REVERTED,
		    .at_ms = w.now_ms,
		    .steps = {(void *)(uintptr_t)cases[i].steps, cases[i].count}};
		ok(recovery_on_order_report(w.turn, &recovery_rules, "h0000", &report, &after, &event, ERR_HERE));
		assert_int_equal(event, RECOVERY_ENDED);
		assert_int_equal(host_of(&after, 0)->judged_bad, cases[i].bad);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_p1_silent_hosts_end_every_state),
	    cmocka_unit_test(test_an_order_is_sent_until_it_is_answered),
	    cmocka_unit_test(test_the_truth_comes_late),
	    cmocka_unit_test(test_reports_that_make_no_sense),
	    cmocka_unit_test(test_single_orders),
	    cmocka_unit_test(test_a_plan_is_kept_once_and_sent_with_each_order),
	    cmocka_unit_test(test_who_comes_back_is_asked_what_is_still_to_be_begun),
	    cmocka_unit_test(test_p7_only_what_was_looked_at_is_judged),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
