/* A rollback through its waves: gates, ends, stops. */
#include "controller/turn/system.h"
#include "shared/base/text.h"
#include "tests/lib/recovery_world.h"

/* ---- waves ---- */

static void test_r5_wave_after_wave_to_the_end(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 20);
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
	world_broken(&w, 3);
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

/* It helped against one of two faults: known once its probes have run again, and then no further host is touched. */
static void test_better_is_done_and_not_well(void **state)
{
	(void)state;
	for (int better = 0; better < 2; better++) {
		struct world w;
		world_broken(&w, 3);
		struct rollback r = begun(&w, 3), after;
		enum recovery_event event;
		struct order_report said = {.order = host_of(&r, 0)->order,
		    .kind = ORDER_ROLLBACK,
		    .service = "portal",
		    .outcome = ORDER_OK_WITH_EXCEPTIONS,
		    .at_ms = w.now_ms,
		    .digests_match = true,
		    .better = better};
		ok(recovery_on_order_report(w.turn, &recovery_rules, "h0000", &said, &after, &event, ERR_HERE));
		assert_int_equal(event, RECOVERY_PROVING);
		world_after(&w, recovery_rules.bake_ms);
		http_says(&w, "portal", "h0000", PROBE_CRITICAL);
		ok(recovery_on_health(w.turn, &recovery_rules, "portal", &after, &event, ERR_HERE));
		assert_int_equal(event, better ? RECOVERY_ENDED : RECOVERY_NOTHING);
		if (better) {
			assert_int_equal(after.outcome, ORDER_OK_WITH_EXCEPTIONS);
			assert_int_equal(orders_out(&after), 1);
			assert_int_equal(host_of(&after, 1)->outcome, ORDER_CANCELLED);
			struct change_validation proof = {.change = r.change};
			bool found;
			ok(turn_get(w.turn, &change_validation_table, &proof, &proof, &found, ERR_HERE));
			assert_true(found && !proof.healthy);
			assert_int_equal(change_now(&w, r.change).state, CHANGE_COMPLETED);
		}
		world_close(&w);
	}
}

static void test_r5_sick_after_it_stops_the_waves(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 3);
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
	world_broken(&w, 2);
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
		world_broken(&w, 2);
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
	world_broken(&w, 2);
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
			world_broken(&w, 2);
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
	world_broken(&w, 1);
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
	world_broken(&w, 20);
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
	world_broken(&w, 2);
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

/* ---- stops ---- */

static void test_p18_cancel_ends_what_has_not_begun(void **state)
{
	(void)state;
	struct world w;
	world_broken(&w, 3);
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
	world_broken(&w, 3);
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
	world_broken(&w, 1);
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
	world_broken(&w, 3);
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
	world_broken(&w, 3);
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
	world_broken(&w, 3);
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
	world_broken(&w, 2);
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
	world_broken(&w, 3);
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
	world_broken(&w, 3);
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
	world_broken(&w, 3);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_hand),
	    cmocka_unit_test(test_r5_wave_after_wave_to_the_end),
	    cmocka_unit_test(test_r5_no_evidence_is_a_failure),
	    cmocka_unit_test(test_better_is_done_and_not_well),
	    cmocka_unit_test(test_r5_sick_after_it_stops_the_waves),
	    cmocka_unit_test(test_r5_old_results_in_a_new_report_prove_nothing),
	    cmocka_unit_test(test_r18_who_has_not_proven_it_is_asked),
	    cmocka_unit_test(test_configuration_bakes_half_as_long),
	    cmocka_unit_test(test_gates_of_every_outcome),
	    cmocka_unit_test(test_p9_done_without_digests_is_dirty),
	    cmocka_unit_test(test_the_worst_outcome_is_the_rollbacks),
	    cmocka_unit_test(test_a_service_without_probes_is_as_healthy_as_its_digests),
	    cmocka_unit_test(test_s3_waves_keep_the_gap_that_hosts_check),
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
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
