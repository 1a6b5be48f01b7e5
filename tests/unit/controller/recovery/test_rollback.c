/* A rollback through its waves: gates, ends, orders that are lost, stops. */
#include "controller/turn/system.h"
#include "shared/base/text.h"
#include "tests/lib/recovery_world.h"

static void open_with(struct world *w, size_t hosts)
{
	world_open(w);
	people_are(w);
	fleet_is(w, hosts);
	fleet_breaks(w, hosts);
}

static size_t orders_out(const struct rollback *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->hosts.count; i++)
		n += !id_is_zero(host_of(r, i)->order);
	return n;
}

/* ---- waves ---- */

static void test_r5_wave_after_wave_to_the_end(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 20);
	struct rollback r = begun(&w, 20);
	static const size_t out[] = {1, 2, 3, 8, 20};
	for (uint32_t wave = 0; wave < 5; wave++) {
		r = rollback_now(&w, r.rollback);
		assert_int_equal(r.wave, wave);
		assert_int_equal(orders_out(&r), out[wave]);
		assert_int_equal(change_now(&w, r.change).state, CHANGE_IMPLEMENTING);
		assert_int_equal(wave_goes_well(&w, r.rollback), wave == 4 ? RECOVERY_ENDED : RECOVERY_WAVE);
	}
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.state, ROLLBACK_ENDED);
	assert_int_equal(r.outcome, ORDER_OK);
	struct change c = change_now(&w, r.change);
	assert_int_equal(c.state, CHANGE_COMPLETED);
	struct change_validation proof = {.change = r.change};
	bool found;
	ok(turn_get(w.turn, &change_validation_table, &proof, &proof, &found, ERR_HERE));
	assert_true(found && proof.digests_match && proof.healthy);
	assert_int_equal(proof.evidence.count, 20);
	assert_int_equal(world_record_count(&w, &restoration_table), 20);
	world_close(&w);
}

static void test_r5_no_evidence_is_a_failure(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	assert_int_equal(host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true), RECOVERY_PROVING);
	assert_int_equal(change_now(&w, r.change).state, CHANGE_VALIDATING);
	world_after(&w, 1000);
	assert_int_equal(host_proves(&w, "h0000"), RECOVERY_NOTHING); /* before the bake is over: no evidence of it */
	uint64_t limit = w.now_ms + recovery_rules.bake_ms + ROLLBACK_PROVE_MS;
	assert_int_equal(recovery_until(&w, limit, &after), RECOVERY_ENDED);
	assert_int_equal(after.outcome, ORDER_FAILED_DIRTY);
	assert_int_equal(orders_out(&after), 1); /* nobody else was touched */
	assert_int_equal(host_of(&after, 1)->outcome, ORDER_CANCELLED);
	assert_int_equal(change_now(&w, r.change).state, CHANGE_FAILED);
	world_close(&w);
}

static void test_r5_sick_after_it_stops_the_waves(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true);
	world_after(&w, recovery_rules.bake_ms);
	enum recovery_event event;
	http_says(&w, "portal", "h0000", PROBE_CRITICAL);
	ok(recovery_on_health(w.turn, &recovery_rules, "portal", &after, &event, ERR_HERE));
	assert_int_equal(event, RECOVERY_NOTHING);
	assert_int_equal(recovery_until(&w, w.now_ms + 10 * MINUTE, &after), RECOVERY_ENDED);
	assert_int_equal(after.outcome, ORDER_FAILED_DIRTY);
	world_close(&w);
}

/* A report is new, and what it tells of is not: the probe ran before the bake was over. */
static void test_r5_old_results_in_a_new_report_prove_nothing(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	struct rollback r = begun(&w, 2), after;
	enum recovery_event event;
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true);
	uint64_t baked = w.now_ms + recovery_rules.bake_ms / 2; /* configuration alone */
	for (int late = 0; late < 2; late++) {
		world_at(&w, baked + 1000 * (uint64_t)(late + 1));
		struct health_transitions out = {0};
		struct probe_result one = probed(&w, "http", PROBE_OK);
		one.at_ms = baked - !late;
		struct health_report report = {.service = "portal", .results = {&one, 1}};
		struct host h = host_now(&w, "h0000");
		ok(health_on_report(w.turn, &health_rules, &h, w.now_ms, &report, &out, ERR_HERE));
		ok(recovery_on_health(w.turn, &recovery_rules, "portal", &after, &event, ERR_HERE));
		assert_int_equal(event, late ? RECOVERY_WAVE : RECOVERY_NOTHING);
	}
	world_close(&w);
}

static void knows_the_question(struct world *w, size_t host)
{
	static const char *capabilities[] = {CAPABILITY_LOOK};
	struct declared_service portal = declared("portal", NULL);
	struct hello h = hello_of(w, fleet_list[host], boot_id((uint8_t)(host + 1)), &portal, 1);
	h.capabilities = (struct list){capabilities, 1};
	hello_say(w, &h);
}

static void test_r18_who_has_not_proven_it_is_asked(void **state)
{
	(void)state;
	for (int old = 0; old < 2; old++) {
		struct world w;
		open_with(&w, 2);
		if (!old)
			knows_the_question(&w, 0);
		struct rollback r = begun(&w, 2), after;
		host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true);
		uint64_t baked = w.now_ms + recovery_rules.bake_ms;
		recovery_until(&w, baked - 1, &after);
		assert_int_equal(frames_to(&w, NULL, FRAME_LOOK), 0);
		recovery_until(&w, baked, &after);
		assert_int_equal(frames_to(&w, "h0000", FRAME_LOOK), !old);
		recovery_until(&w, baked + ROLLBACK_ASK_MS, &after); /* the question was lost, or the answer */
		assert_int_equal(frames_to(&w, "h0000", FRAME_LOOK), !old);
		assert_int_equal(frames_to(&w, NULL, FRAME_LOOK), !old);
		assert_int_equal(host_proves(&w, "h0000"), RECOVERY_WAVE);
		world_close(&w);
	}
}

static void test_configuration_bakes_half_as_long(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	struct plan_wish wish = wish_for(2);
	uint32_t config = COMPONENT_CONFIG;
	struct plan p;
	struct rollback r;
	wish.components = (struct list){&config, 1};
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	struct change c = {.kind = CHANGE_EMERGENCY, .requested_by = "ada", .plan = &p};
	ok(change_request(w.turn, &ada, &c, ERR_HERE));
	ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, &p), &c, ERR_HERE));
	ok(recovery_start(w.turn, &recovery_rules, c.change, false, &r, ERR_HERE));
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true);
	world_after(&w, recovery_rules.bake_ms / 2 - 1);
	assert_int_equal(host_proves(&w, "h0000"), RECOVERY_NOTHING);
	world_after(&w, 1);
	assert_int_equal(host_proves(&w, "h0000"), RECOVERY_WAVE);
	world_close(&w);
}

static void test_gates_of_every_outcome(void **state)
{
	(void)state;
	for (int outcome = ORDER_OPEN + 1; outcome < ORDER_OUTCOME_COUNT; outcome++) {
		for (int match = 0; match < 2; match++) {
			struct world w;
			bool good = (outcome == ORDER_OK || outcome == ORDER_OK_WITH_EXCEPTIONS) && match;
			if (outcome == ORDER_UNREACHABLE)
				continue;
			open_with(&w, 2);
			struct rollback r = begun(&w, 2);
			enum recovery_event event =
			    host_says(&w, "h0000", host_of(&r, 0)->order, (enum order_outcome)outcome, match);
			assert_int_equal(event, good ? RECOVERY_PROVING : RECOVERY_ENDED);
			r = rollback_now(&w, r.rollback);
			assert_int_equal(orders_out(&r), 1);
			if (!good) { /* P9: no success without equal digests */
				assert_true(r.outcome != ORDER_OK && r.outcome != ORDER_OK_WITH_EXCEPTIONS);
				assert_int_not_equal(change_now(&w, r.change).state, CHANGE_COMPLETED);
			}
			world_close(&w);
		}
	}
}

static void test_p9_done_without_digests_is_dirty(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct rollback r = begun(&w, 1);
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, false);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.outcome, ORDER_FAILED_DIRTY);
	assert_int_equal(order_now(&w, host_of(&r, 0)->order).outcome, ORDER_FAILED_DIRTY);
	world_close(&w);
}

static void test_the_worst_outcome_is_the_rollbacks(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 20);
	struct rollback r = begun(&w, 20);
	for (int wave = 0; wave < 3; wave++)
		wave_goes_well(&w, r.rollback);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(orders_out(&r), 8);
	host_says(&w, "h0003", host_of(&r, 3)->order, ORDER_OK, true);
	host_says(&w, "h0004", host_of(&r, 4)->order, ORDER_REVERTED, false);
	host_says(&w, "h0005", host_of(&r, 5)->order, ORDER_REFUSED, false);
	host_says(&w, "h0006", host_of(&r, 6)->order, ORDER_OK, true);
	assert_int_equal(host_says(&w, "h0007", host_of(&r, 7)->order, ORDER_OK, true), RECOVERY_ENDED);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.outcome, ORDER_REVERTED);
	for (size_t i = 8; i < 20; i++) /* R13: the numbers add up; the rest is untouched */
		assert_true(host_of(&r, i)->outcome == ORDER_CANCELLED && id_is_zero(host_of(&r, i)->order));
	world_close(&w);
}

static void test_a_service_without_probes_is_as_healthy_as_its_digests(void **state)
{
	(void)state;
	struct world w;
	world_open(&w);
	people_are(&w);
	fleet_is(&w, 2);
	struct declared_service portal = declared("portal", NULL);
	portal.probes = 0;
	for (size_t i = 0; i < 2; i++) {
		struct hello h = hello_of(&w, fleet_list[i], boot_id((uint8_t)(i + 1)), &portal, 1);
		hello_say(&w, &h);
	}
	fleet_breaks(&w, 2);
	struct rollback r = begun(&w, 2);
	assert_int_equal(host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true), RECOVERY_WAVE);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(host_says(&w, "h0001", host_of(&r, 1)->order, ORDER_OK, true), RECOVERY_ENDED);
	assert_int_equal(rollback_now(&w, r.rollback).outcome, ORDER_OK);
	world_close(&w);
}

static void test_s3_waves_keep_the_gap_that_hosts_check(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config slow = recovery_rules;
	slow.wave_gap_ms = 5 * MINUTE;
	open_with(&w, 2);
	struct plan_wish wish = wish_for(2);
	struct plan p;
	struct rollback r;
	enum recovery_event event;
	ok(recovery_plan(w.turn, &slow, &wish, &p, ERR_HERE));
	struct change c = {.kind = CHANGE_EMERGENCY, .requested_by = "ada", .plan = &p};
	ok(change_request(w.turn, &ada, &c, ERR_HERE));
	ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, &p), &c, ERR_HERE));
	ok(recovery_start(w.turn, &slow, c.change, false, &r, ERR_HERE));
	uint64_t began = w.now_ms;
	struct id id = r.rollback;
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true);
	for (int i = 0; i < 60 && rollback_now(&w, id).wave == 0; i++) {
		world_after(&w, 10000);
		http_says(&w, "portal", "h0000", PROBE_OK);
		ok(recovery_on_health(w.turn, &slow, "portal", &r, &event, ERR_HERE));
		assert_int_equal(rollback_now(&w, id).wave, w.now_ms >= began + slow.wave_gap_ms);
	}
	/* A host whose clock is half a minute behind does not find it too early. */
	assert_true(w.now_ms - FLEET_SKEW_MAX_MS >=
		    change_now(&w, rollback_now(&w, id).change).plan->not_before_ms + slow.wave_gap_ms);
	world_close(&w);
}

/* ---- orders ---- */

static void test_p1_silent_hosts_end_every_state(void **state)
{
	(void)state;
	for (int accepted = 0; accepted < 2; accepted++) {
		struct world w;
		struct rollback r, after;
		open_with(&w, 2);
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
	open_with(&w, 1);
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
	open_with(&w, 2);
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
	open_with(&w, 2);
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
	open_with(&w, 1);
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

/* ---- stops ---- */

static void test_p18_cancel_ends_what_has_not_begun(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	enum recovery_event event;
	struct id order = host_of(&r, 0)->order;
	world_after(&w, 100);
	ok(recovery_cancel(w.turn, &recovery_rules, &ada, r.rollback, "wrong host", &after, &event, ERR_HERE));
	assert_int_equal(event, RECOVERY_NOTHING);
	assert_int_equal(frames_to(&w, "h0000", FRAME_CANCEL), 1);
	struct timer timer; /* the frame was lost: it comes again, and never the order */
	do
		assert_true(world_timer(&w, w.now_ms + ORDER_RESEND_MS, &timer));
	while (strcmp(timer.kind, RECOVERY_TIMER_RESEND) != 0);
	bool mine;
	ok(recovery_on_timer(w.turn, &recovery_rules, &timer, &after, &event, &mine, ERR_HERE));
	assert_int_equal(frames_to(&w, "h0000", FRAME_CANCEL), 1);
	assert_int_equal(frames_to(&w, "h0000", FRAME_ORDER), 0);
	world_after(&w, 100);
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE));
	assert_int_equal(frames_to(&w, "h0000", FRAME_CANCEL), 1);
	assert_int_equal(frames_to(&w, "h0000", FRAME_ORDER), 0);
	assert_int_equal(host_says(&w, "h0000", order, ORDER_CANCELLED, false), RECOVERY_ENDED);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.outcome, ORDER_CANCELLED);
	assert_int_equal(change_now(&w, r.change).state, CHANGE_CANCELLED);
	refused(
	    ERR_STATE, recovery_cancel(w.turn, &recovery_rules, &ada, r.rollback, "again", &after, &event, ERR_HERE));
	world_close(&w);
}

static void test_p18_cancel_lets_what_began_finish(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	enum recovery_event event;
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OPEN, false);
	world_after(&w, 100);
	ok(recovery_cancel(w.turn, &recovery_rules, &ada, r.rollback, "enough", &after, &event, ERR_HERE));
	assert_int_equal(frames_to(&w, "h0000", FRAME_CANCEL), 0);
	assert_int_equal(
	    host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true), RECOVERY_ENDED); /* no wait for health */
	assert_int_equal(rollback_now(&w, r.rollback).outcome, ORDER_CANCELLED);
	world_close(&w);
}

static void test_p18_cancel_while_proving_ends_at_once(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	struct rollback r = begun(&w, 1), after;
	enum recovery_event event;
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_OK, true);
	ok(recovery_cancel(w.turn, &recovery_rules, &ada, r.rollback, "enough", &after, &event, ERR_HERE));
	assert_int_equal(event, RECOVERY_ENDED);
	assert_int_equal(after.outcome, ORDER_CANCELLED);
	world_close(&w);
}

static void halt(struct world *w, bool on)
{
	ok(brakes_halt(w->turn, &ada, on, "look first", ERR_HERE));
}

static void test_r19_halt_stops_the_next_wave(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	world_after(&w, 100);
	halt(&w, true);
	assert_int_equal(frames_to(&w, NULL, FRAME_HALT), 3);
	assert_int_equal(wave_goes_well(&w, r.rollback), RECOVERY_NOTHING);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.state, ROLLBACK_HALTED);
	assert_int_equal(orders_out(&r), 1);
	struct change c = {.kind = CHANGE_EMERGENCY, .requested_by = "ada", .plan = plan_for(&w, 1)};
	ok(change_request(w.turn, &ada, &c, ERR_HERE));
	ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, c.plan), &c, ERR_HERE));
	refused(ERR_STATE, recovery_start(w.turn, &recovery_rules, c.change, false, &after, ERR_HERE));
	world_after(&w, HOUR);
	halt(&w, false); /* health must show again before the next wave */
	http_says(&w, "portal", "h0000", PROBE_OK);
	assert_int_equal(recovery_until(&w, w.now_ms + 1, &after), RECOVERY_WAVE);
	assert_int_equal(orders_out(&after), 2);
	world_close(&w);
}

static void test_r19_what_turned_sick_during_the_halt_does_not_go_on(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	halt(&w, true);
	wave_goes_well(&w, r.rollback);
	world_after(&w, MINUTE);
	http_says(&w, "portal", "h0000", PROBE_CRITICAL);
	halt(&w, false);
	assert_int_equal(recovery_until(&w, w.now_ms + 10 * MINUTE, &after), RECOVERY_ENDED);
	assert_int_equal(after.outcome, ORDER_FAILED_DIRTY);
	world_close(&w);
}

static void test_r19_a_halt_that_nobody_releases_ends_with_the_plan(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	halt(&w, true);
	wave_goes_well(&w, r.rollback);
	assert_int_equal(recovery_until(&w, w.now_ms + DAY, &after), RECOVERY_ENDED);
	assert_int_equal(after.outcome, ORDER_EXPIRED);
	assert_int_equal(change_now(&w, r.change).state, CHANGE_FAILED);
	world_close(&w);
}

static void test_one_rollback_of_a_service_at_a_time(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 2);
	begun(&w, 1);
	struct change c = asked(&w, 2, CHANGE_EMERGENCY);
	struct rollback other;
	ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, c.plan), &c, ERR_HERE));
	refused(ERR_BUSY, recovery_start(w.turn, &recovery_rules, c.change, false, &other, ERR_HERE));
	assert_non_null(strstr(world_err.msg, "RB-1"));
	world_close(&w);
}

/* ---- P61 ---- */

static void test_p61_an_observing_controller_commands_nothing(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	struct order_record o;
	struct id none = {{0}};
	world_after(&w, 100);
	ok(brakes_observe(w.turn, &actor_controller, true, "restored", ERR_HERE));
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE));
	assert_int_equal(frames_to(&w, NULL, FRAME_ORDER), 0);
	refused(ERR_STATE,
	    recovery_order(w.turn, &recovery_rules, &ada, ORDER_SNAPSHOT, "portal", "h0001", none, &o, ERR_HERE));
	assert_int_equal(wave_goes_well(&w, r.rollback), RECOVERY_NOTHING); /* what is under way is heard of */
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.state, ROLLBACK_HALTED);
	world_after(&w, 100);
	ok(brakes_observe(w.turn, &ada, false, "it is the only one", ERR_HERE));
	struct brakes b;
	ok(brakes_get(w.turn, &b, ERR_HERE));
	assert_int_equal(b.epoch, 2);
	assert_int_equal(recovery_until(&w, w.now_ms + 1, &after), RECOVERY_WAVE);
	assert_int_equal(order_now(&w, host_of(&after, 1)->order).order->epoch, 2);
	world_close(&w);
}

/* The backup is from between two waves; since it was taken the rollback went on, and was ended, perhaps undone. */
static void test_what_began_before_a_restore_goes_no_further(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	ok(brakes_observe(w.turn, &actor_controller, true, "restored", ERR_HERE));
	wave_goes_well(&w, r.rollback);
	world_after(&w, MINUTE);
	struct system_state s = {.name = SYSTEM_NAME, .restored_ms = w.now_ms, .restored_taken_ms = w.now_ms - MINUTE};
	ok(turn_put(w.turn, &system_table, &s, ERR_HERE));
	ok(brakes_observe(w.turn, &ada, false, "it is the only one", ERR_HERE));
	http_says(&w, "portal", "h0000", PROBE_OK);
	assert_int_equal(recovery_until(&w, w.now_ms + 1, &after), RECOVERY_ENDED);
	assert_int_equal(after.outcome, ORDER_CANCELLED);
	assert_int_equal(orders_out(&after), 1);
	assert_non_null(strstr(after.text, "restored from a backup"));
	struct rollback later = begun(&w, 3); /* what begins after it goes on as ever */
	wave_goes_well(&w, later.rollback);
	assert_int_equal(rollback_now(&w, later.rollback).wave, 1);
	world_close(&w);
}

static void test_both_brakes_must_be_released(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 3);
	struct rollback r = begun(&w, 3), after;
	ok(brakes_observe(w.turn, &actor_controller, true, "restored", ERR_HERE));
	halt(&w, true);
	wave_goes_well(&w, r.rollback);
	ok(brakes_observe(w.turn, &ada, false, "go", ERR_HERE));
	assert_int_equal(recovery_until(&w, w.now_ms + MINUTE, &after), RECOVERY_NOTHING);
	http_says(&w, "portal", "h0000", PROBE_OK);
	halt(&w, false);
	assert_int_equal(recovery_until(&w, w.now_ms + 1, &after), RECOVERY_WAVE);
	world_close(&w);
}

/* What was done on a host while nobody could be asked is on the record all the same; once, however often it is told. */
static void test_by_hand(void **state)
{
	(void)state;
	struct world w;
	struct rollback ended;
	enum recovery_event event;
	struct restoration made = {.order_id = {{7, 7}}}, found;
	bool there;
	world_open(&w);
	people_are(&w);
	fleet_is(&w, 1);
	struct component_point config = point(COMPONENT_CONFIG, 0);
	struct order_step first = {.kind = STEP_STAGE, .began_ms = w.now_ms - 2000, .ok = true};
	struct order_report r = {.order = made.order_id,
	    .kind = ORDER_ROLLBACK,
	    .service = "portal",
	    .outcome = ORDER_OK,
	    .at_ms = w.now_ms,
	    .steps = {&first, 1},
	    .snapshot = fleet_good[0],
	    .components = {&config, 1},
	    .digests_match = true,
	    .healthy = true};
	ok(recovery_on_order_report(w.turn, &recovery_rules, "h0000", &r, &ended, &event, ERR_HERE));
	ok(turn_get(w.turn, &restoration_table, &made, &found, &there, ERR_HERE));
	assert_false(there); /* an order that nobody knows, and nobody says that they did it */
	r.by_hand = "ada";
	ok(recovery_on_order_report(w.turn, &recovery_rules, "h0000", &r, &ended, &event, ERR_HERE));
	assert_int_equal(event, RECOVERY_NOTHING);
	ok(turn_get(w.turn, &restoration_table, &made, &found, &there, ERR_HERE));
	assert_true(there && found.took_ms == 2000 && found.digests_match && found.healthy);
	assert_true(id_equal(found.snapshot, fleet_good[0]));
	assert_string_equal(found.host, "h0000");
	assert_int_equal(found.components.count, 1);
	r.outcome = ORDER_REVERTED; /* told again, and otherwise: the first word stands */
	ok(recovery_on_order_report(w.turn, &recovery_rules, "h0000", &r, &ended, &event, ERR_HERE));
	ok(turn_get(w.turn, &restoration_table, &made, &found, &there, ERR_HERE));
	assert_int_equal(found.outcome, ORDER_OK);
	world_close(&w);
}

/* ---- R16 ---- */

/* The first n hosts restore from that storage. */
static void storage_is(struct world *w, size_t first, size_t n, const char *storage)
{
	static const char *names[] = {"portal", "batch"};
	struct declared_service services[] = {declared(names[0], NULL), declared(names[1], NULL)};
	services[0].storage = services[1].storage = storage;
	for (size_t i = first; i < first + n; i++) {
		struct hello h = hello_of(w, fleet_list[i], boot_id((uint8_t)(i % 250 + 1)), services, 2);
		hello_say(w, &h);
	}
}

static struct rollback begun_by(struct world *w, const struct recovery_config *c, size_t n)
{
	struct change change = asked(w, n, CHANGE_EMERGENCY);
	struct rollback r;
	ok(change_approve(w->turn, &bo, change.change, signature_of(w, BO, change.plan), &change, ERR_HERE));
	ok(recovery_start(w->turn, c, change.change, false, &r, ERR_HERE));
	return kept(r);
}

static enum recovery_event says_by(
    struct world *w, const struct recovery_config *c, struct rollback_host *h, enum order_outcome outcome)
{
	struct order_report report = {.order = h->order,
	    .service = "portal",
	    .outcome = outcome,
	    .at_ms = w->now_ms,
	    .digests_match = outcome == ORDER_OK,
	    .healthy = outcome == ORDER_OK};
	struct rollback after;
	enum recovery_event event;
	ok(recovery_on_order_report(w->turn, c, h->host, &report, &after, &event, ERR_HERE));
	return event;
}

/* Waves 0 to 3 of twenty hosts went well: wave 4, of twelve hosts, is out as far as it may. */
static struct rollback last_wave_of_twenty(struct world *w, const struct recovery_config *c)
{
	open_with(w, 20);
	storage_is(w, 0, 16, "nas-1");
	struct rollback r = begun_by(w, c, 20);
	for (uint32_t wave = 0; wave < 4; wave++) {
		struct rollback ended;
		enum recovery_event event;
		for (size_t i = 0; i < 20; i++) {
			r = rollback_now(w, r.rollback);
			if (host_of(&r, i)->wave == wave)
				says_by(w, c, host_of(&r, i), ORDER_OK);
		}
		r = kept(r);
		world_after(w, c->bake_ms);
		for (size_t i = 0; i < 20; i++)
			if (host_of(&r, i)->wave == wave)
				http_says(w, "portal", fleet_list[i], PROBE_OK);
		ok(recovery_on_health(w->turn, c, "portal", &ended, &event, ERR_HERE));
		assert_int_equal(event, RECOVERY_WAVE);
		r = rollback_now(w, r.rollback);
	}
	assert_int_equal(r.wave, 4);
	return r;
}

static size_t at_work_on(const struct rollback *r, const char *storage)
{
	size_t n = 0;
	for (size_t i = 0; i < r->hosts.count; i++)
		n += host_of(r, i)->outcome == ORDER_OPEN && !id_is_zero(host_of(r, i)->order) &&
		     text_equal(host_of(r, i)->storage, storage);
	return n;
}

static struct recovery_config three_at_once(void)
{
	static struct storage_limit three = {"nas-1", 3};
	struct recovery_config c = recovery_rules;
	c.storage_restores = 10;
	c.storages = (struct list){&three, 1};
	return c;
}

static void test_r16_a_wave_goes_out_as_its_storage_has_room(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config c = three_at_once();
	struct rollback r = last_wave_of_twenty(&w, &c);
	assert_int_equal(at_work_on(&r, "nas-1"), 3); /* eight of the wave restore from it */
	assert_int_equal(at_work_on(&r, NULL), 4);    /* who shares nothing does not wait */
	assert_string_equal(r.waits_for, "nas-1");
	for (size_t ended = 0; ended < 8; ended++) {
		size_t i = 8;
		while (host_of(&r, i)->outcome != ORDER_OPEN)
			i++;
		assert_int_equal(says_by(&w, &c, host_of(&r, i), ORDER_OK), RECOVERY_NOTHING);
		r = rollback_now(&w, r.rollback);
		assert_int_equal(at_work_on(&r, "nas-1"), ended < 5 ? 3 : 7 - ended);
	}
	assert_null(r.waits_for);
	enum recovery_event event = RECOVERY_NOTHING;
	for (size_t i = 16; i < 20; i++)
		event = says_by(&w, &c, host_of(&r, i), ORDER_OK);
	assert_int_equal(event, RECOVERY_PROVING);
	world_close(&w);
}

static void test_r16_who_waits_is_not_touched_once_one_failed(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config c = three_at_once();
	struct rollback r = last_wave_of_twenty(&w, &c);
	for (size_t i = 16; i < 20; i++)
		says_by(&w, &c, host_of(&r, i), ORDER_OK);
	says_by(&w, &c, host_of(&r, 8), ORDER_REVERTED);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(at_work_on(&r, "nas-1"), 2);
	says_by(&w, &c, host_of(&r, 9), ORDER_OK);
	assert_int_equal(says_by(&w, &c, host_of(&r, 10), ORDER_OK), RECOVERY_ENDED);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.outcome, ORDER_REVERTED);
	for (size_t i = 11; i < 16; i++) {
		assert_int_equal(host_of(&r, i)->outcome, ORDER_CANCELLED);
		assert_true(id_is_zero(host_of(&r, i)->order));
	}
	world_close(&w);
}

static void test_r16_halt_holds_who_waits(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config c = three_at_once();
	struct rollback r = last_wave_of_twenty(&w, &c), after;
	ok(brakes_halt(w.turn, &ada, true, "look first", ERR_HERE));
	for (size_t i = 8; i < 20; i++)
		if (!id_is_zero(host_of(&r, i)->order))
			says_by(&w, &c, host_of(&r, i), ORDER_OK);
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.state, ROLLBACK_HALTED);
	assert_int_equal(at_work_on(&r, "nas-1"), 0);
	ok(brakes_halt(w.turn, &ada, false, "go on", ERR_HERE));
	struct timer timer;
	while (world_timer(&w, w.now_ms, &timer)) {
		enum recovery_event event;
		bool mine;
		ok(recovery_on_timer(w.turn, &c, &timer, &after, &event, &mine, ERR_HERE));
	}
	r = rollback_now(&w, r.rollback);
	assert_int_equal(r.state, ROLLBACK_RUNNING);
	assert_int_equal(at_work_on(&r, "nas-1"), 3);
	world_close(&w);
}

static void test_r16_a_plan_says_how_it_goes_out(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config c = three_at_once();
	struct list notes;
	open_with(&w, 20);
	storage_is(&w, 0, 16, "nas-1");
	struct plan *p = plan_for(&w, 20);
	ok(recovery_plan_notes(w.turn, &c, p, &notes, ERR_HERE));
	assert_int_equal(notes.count, 2); /* of waves 4 (5 hosts) and 5 (8 of its 12) */
	assert_string_equal(LIST_AT(notes, const char *, 1),
	    "wave 5: 8 hosts, 3 at a time: storage nas-1 takes that many restores at once");
	c.storages.count = 0;
	ok(recovery_plan_notes(w.turn, &c, p, &notes, ERR_HERE));
	assert_int_equal(notes.count, 0);
	world_close(&w);
}

/* A rollback of one host that was given up, for it never answered, and one of two hosts that begins then. */
static struct rollback one_given_up(struct world *w, const struct recovery_config *c, struct id *ret_order)
{
	struct rollback first, after;
	open_with(w, 2);
	storage_is(w, 0, 2, "nas-1");
	first = begun_by(w, c, 1);
	*ret_order = host_of(&first, 0)->order;
	uint64_t began_ms = w->now_ms;
	struct timer timer;
	enum recovery_event event = RECOVERY_NOTHING;
	while (event == RECOVERY_NOTHING && world_timer(w, began_ms + ORDER_BEGIN_MS + ORDER_GRACE_MS, &timer)) {
		bool mine;
		ok(recovery_on_timer(w->turn, c, &timer, &after, &event, &mine, ERR_HERE));
	}
	assert_int_equal(event, RECOVERY_ENDED);
	assert_int_equal(frames_to(w, "h0000", FRAME_CANCEL), 1); /* it may be connected all the same */
	after = rollback_now(w, first.rollback);
	assert_non_null(strstr(host_of(&after, 0)->text, "its place at storage nas-1 is kept"));
	struct rollback second = begun_by(w, c, 2);
	assert_int_equal(orders_out(&second), 0);
	assert_string_equal(second.waits_for, "nas-1");
	return second;
}

static struct recovery_config one_at_once(void)
{
	struct recovery_config c = recovery_rules;
	c.storage_restores = 1;
	return c;
}

static void run_timers(struct world *w, const struct recovery_config *c, uint64_t until_ms)
{
	struct timer timer;
	while (world_timer(w, until_ms, &timer)) {
		struct rollback after;
		enum recovery_event event;
		bool mine;
		ok(recovery_on_timer(w->turn, c, &timer, &after, &event, &mine, ERR_HERE));
	}
}

/* Whoever was given up may restore all the same, until it is heard ... */
static void test_r16_who_was_given_up_keeps_its_place(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config c = one_at_once();
	struct id order;
	struct rollback r = one_given_up(&w, &c, &order), after;
	world_after(&w, 60000);
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE));
	assert_int_equal(frames_to(&w, "h0000", FRAME_CANCEL), 1);
	struct rollback_host late = {.host = "h0000", .order = order};
	assert_int_equal(says_by(&w, &c, &late, ORDER_CANCELLED), RECOVERY_NOTHING);
	run_timers(&w, &c, w.now_ms);
	after = rollback_now(&w, r.rollback);
	assert_int_equal(orders_out(&after), 1);
	world_after(&w, 60000);
	ok(recovery_on_hello(w.turn, "h0000", ERR_HERE)); /* once */
	assert_int_equal(frames_to(&w, "h0000", FRAME_CANCEL), 0);
	world_close(&w);
}

/* ... or until what it may take is over. */
static void test_r16_a_place_is_not_kept_for_ever(void **state)
{
	(void)state;
	struct world w;
	struct recovery_config c = one_at_once();
	struct id order;
	struct rollback r = one_given_up(&w, &c, &order), after;
	const struct order *o = order_now(&w, order).order;
	uint64_t until_ms = o->expires_ms + o->run_limit_ms + ORDER_GRACE_MS;
	run_timers(&w, &c, until_ms - 1);
	after = rollback_now(&w, r.rollback);
	assert_int_equal(orders_out(&after), 0);
	run_timers(&w, &c, until_ms);
	after = rollback_now(&w, r.rollback);
	assert_int_equal(orders_out(&after), 1);
	assert_int_equal(world_record_count(&w, &storage_hold_table), 0);
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
	open_with(&w, 20);
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
	open_with(&w, 1);
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
		open_with(&w, 1);
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
	    cmocka_unit_test(test_by_hand),
	    cmocka_unit_test(test_r5_wave_after_wave_to_the_end),
	    cmocka_unit_test(test_r5_no_evidence_is_a_failure),
	    cmocka_unit_test(test_r5_sick_after_it_stops_the_waves),
	    cmocka_unit_test(test_r5_old_results_in_a_new_report_prove_nothing),
	    cmocka_unit_test(test_r18_who_has_not_proven_it_is_asked),
	    cmocka_unit_test(test_configuration_bakes_half_as_long),
	    cmocka_unit_test(test_gates_of_every_outcome),
	    cmocka_unit_test(test_p9_done_without_digests_is_dirty),
	    cmocka_unit_test(test_the_worst_outcome_is_the_rollbacks),
	    cmocka_unit_test(test_a_service_without_probes_is_as_healthy_as_its_digests),
	    cmocka_unit_test(test_s3_waves_keep_the_gap_that_hosts_check),
	    cmocka_unit_test(test_p1_silent_hosts_end_every_state),
	    cmocka_unit_test(test_an_order_is_sent_until_it_is_answered),
	    cmocka_unit_test(test_the_truth_comes_late),
	    cmocka_unit_test(test_reports_that_make_no_sense),
	    cmocka_unit_test(test_single_orders),
	    cmocka_unit_test(test_p18_cancel_ends_what_has_not_begun),
	    cmocka_unit_test(test_p18_cancel_lets_what_began_finish),
	    cmocka_unit_test(test_p18_cancel_while_proving_ends_at_once),
	    cmocka_unit_test(test_r19_halt_stops_the_next_wave),
	    cmocka_unit_test(test_r19_what_turned_sick_during_the_halt_does_not_go_on),
	    cmocka_unit_test(test_r19_a_halt_that_nobody_releases_ends_with_the_plan),
	    cmocka_unit_test(test_one_rollback_of_a_service_at_a_time),
	    cmocka_unit_test(test_p61_an_observing_controller_commands_nothing),
	    cmocka_unit_test(test_what_began_before_a_restore_goes_no_further),
	    cmocka_unit_test(test_both_brakes_must_be_released),
	    cmocka_unit_test(test_r16_a_wave_goes_out_as_its_storage_has_room),
	    cmocka_unit_test(test_r16_who_waits_is_not_touched_once_one_failed),
	    cmocka_unit_test(test_r16_halt_holds_who_waits),
	    cmocka_unit_test(test_r16_a_plan_says_how_it_goes_out),
	    cmocka_unit_test(test_r16_who_was_given_up_keeps_its_place),
	    cmocka_unit_test(test_r16_a_place_is_not_kept_for_ever),
	    cmocka_unit_test(test_a_plan_is_kept_once_and_sent_with_each_order),
	    cmocka_unit_test(test_who_comes_back_is_asked_what_is_still_to_be_begun),
	    cmocka_unit_test(test_p7_only_what_was_looked_at_is_judged),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
