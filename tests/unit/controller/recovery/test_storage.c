/* RULES R16: no more restores from one storage at once than it has places for. */
#include "controller/turn/system.h"
#include "shared/base/text.h"
#include "tests/lib/recovery_world.h"

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
	world_broken(w, 20);
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
	world_broken(&w, 20);
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
	world_broken(w, 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_r16_a_wave_goes_out_as_its_storage_has_room),
	    cmocka_unit_test(test_r16_who_waits_is_not_touched_once_one_failed),
	    cmocka_unit_test(test_r16_halt_holds_who_waits),
	    cmocka_unit_test(test_r16_a_plan_says_how_it_goes_out),
	    cmocka_unit_test(test_r16_who_was_given_up_keeps_its_place),
	    cmocka_unit_test(test_r16_a_place_is_not_kept_for_ever),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
