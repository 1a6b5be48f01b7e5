/* Orders: each is carried out once, and ends told, whatever fails on the way. */
#include "tests/unit/agent/orders/host.h"

static void ended(struct host *h, uint64_t n, enum order_outcome outcome, const char *says)
{
	struct host_told *t = host_told(h, host_id(n));
	assert_true(t->ends > 0);
	if (t->outcome != outcome || (says && !strstr(t->text, says)))
		fail_msg("order %llu ended %s: %s", (unsigned long long)n, enum_name(&order_outcome_enum, t->outcome),
		    t->text);
	assert_int_equal(t->other_ends, 0);
}

static void give(struct host *h, uint64_t n)
{
	struct order o = host_order(h, n);
	orders_on_order(h->orders, &o);
}

static void one(void **state)
{
	(void)state;
	struct host *h = host_new();
	give(h, 1);
	assert_int_equal(host_told(h, host_id(1))->accepted, 1);
	assert_int_equal(host_job(h, host_id(1))->begun, 1);
	assert_true(orders_is_running(h->orders, "portal"));
	assert_false(orders_is_running(h->orders, "other"));
	assert_int_equal(orders_epoch(h->orders), 5);
	give(h, 1); /* again, while it is at work */
	assert_int_equal(host_told(h, host_id(1))->accepted, 2);
	host_end_job(h, 1, ORDER_OK);
	ended(h, 1, ORDER_OK, "done");
	assert_false(orders_is_running(h->orders, "portal"));
	give(h, 1); /* and again, when it has ended */
	assert_int_equal(host_told(h, host_id(1))->ends, 2);
	host_restart(h); /* not told yet: told once more */
	assert_int_equal(host_told(h, host_id(1))->ends, 3);
	orders_on_told(h->orders, host_id(1));
	host_restart(h);
	assert_int_equal(host_told(h, host_id(1))->ends, 3);
	give(h, 1);
	assert_int_equal(host_told(h, host_id(1))->ends, 4);
	ended(h, 1, ORDER_OK, "done");
	assert_int_equal(host_job(h, host_id(1))->begun, 1);
	assert_int_equal(host_job(h, host_id(1))->resumed, 0);
	host_free(h);
}

static void refused(void **state)
{
	(void)state;
	struct host *h = host_new();
	struct order o = host_order(h, 1);
	o.host = "h2";
	orders_on_order(h->orders, &o);
	ended(h, 1, ORDER_REFUSED, "another host");
	o = host_order(h, 2);
	o.service = "nowhere";
	orders_on_order(h->orders, &o);
	ended(h, 2, ORDER_REFUSED, "declares no such service");
	o = host_order(h, 3);
	o.issued_ms = h->now_ms - 1000;
	o.expires_ms = h->now_ms;
	orders_on_order(h->orders, &o);
	ended(h, 3, ORDER_EXPIRED, "after its deadline");
	h->authorise = false;
	give(h, 4);
	ended(h, 4, ORDER_REFUSED, "nobody has approved it");
	assert_int_equal(h->epoch, 0); /* none of them raised it */
	h->authorise = true;
	orders_on_halt(h->orders, true);
	give(h, 5);
	ended(h, 5, ORDER_REFUSED, "halted");
	o = host_order(h, 6);
	o.kind = ORDER_PROBE; /* looking is not halted */
	orders_on_order(h->orders, &o);
	assert_int_equal(host_job(h, host_id(6))->begun, 1);
	orders_on_halt(h->orders, false);
	give(h, 7);
	o = host_order(h, 8);
	orders_on_order(h->orders, &o);
	ended(h, 8, ORDER_REFUSED, "another order is changing");
	o = host_order(h, 9);
	o.epoch = 4;
	o.kind = ORDER_PROBE;
	orders_on_order(h->orders, &o);
	ended(h, 9, ORDER_REFUSED, "epoch is too low");
	for (uint64_t n = 1; n <= 9; n++)
		assert_int_equal(host_job(h, host_id(n))->begun, n == 6 || n == 7);
	give(h, 4); /* what was refused stays refused */
	ended(h, 4, ORDER_REFUSED, "nobody has approved it");
	host_free(h);
}

/* What is to run before a rollback is declared here as any action is. */
static void what_runs_first_is_declared(void **state)
{
	(void)state;
	struct host *h = host_new();
	struct order o = host_order(h, 1);
	uint32_t config = COMPONENT_CONFIG;
	struct plan_host there = {.host = "h1", .snapshot = o.snapshot};
	const struct plan plan = {.plan = host_id(70),
	    .rollback = host_id(71),
	    .kind = ORDER_ROLLBACK,
	    .service = o.service,
	    .first = "sweep",
	    .components = {&config, 1},
	    .hosts = {&there, 1},
	    .not_before_ms = h->now_ms,
	    .expires_ms = h->now_ms + HOUR,
	    .reason = "no room",
	    .author = "ada"};
	o.plan = &plan;
	orders_on_order(h->orders, &o);
	ended(h, 1, ORDER_REFUSED, "no such action for the service as is to be run first");
	host_free(h);
}

static void epochs_outlive_a_crash(void **state)
{
	(void)state;
	struct host *h = host_new();
	struct order o = host_order(h, 1);
	o.epoch = 9;
	orders_on_order(h->orders, &o);
	host_end_job(h, 1, ORDER_OK);
	host_restart(h);
	give(h, 2);
	ended(h, 2, ORDER_REFUSED, "epoch is too low");
	host_free(h);
}

static void three_an_hour(void **state)
{
	(void)state;
	struct host *h = host_new();
	for (uint64_t n = 1; n <= 3; n++) {
		give(h, n);
		host_end_job(h, n, ORDER_REVERTED);
	}
	give(h, 4);
	ended(h, 4, ORDER_REFUSED, "no more changes of the service in this hour");
	h->now_ms += HOUR + 1;
	host_restart(h); /* counted from the journal, and the refused one does not count */
	for (uint64_t n = 5; n <= 7; n++) {
		give(h, n);
		host_end_job(h, n, ORDER_OK);
	}
	host_restart(h);
	give(h, 8);
	ended(h, 8, ORDER_REFUSED, "in this hour");
	host_free(h);
}

static void too_many_at_once(void **state)
{
	(void)state;
	struct host *h = host_new();
	for (uint64_t n = 1; n <= ORDERS_RUNNING_MAX + 1; n++) {
		struct order o = host_order(h, n);
		o.kind = ORDER_PROBE;
		orders_on_order(h->orders, &o);
	}
	assert_int_equal(orders_running(h->orders), ORDERS_RUNNING_MAX);
	ended(h, ORDERS_RUNNING_MAX + 1, ORDER_REFUSED, "too many orders");
	host_free(h);
}

static void cancelled(void **state)
{
	(void)state;
	struct host *h = host_new();
	orders_on_cancel(h->orders, host_id(1), "thought better of it"); /* before it comes */
	ended(h, 1, ORDER_CANCELLED, "thought better of it");
	give(h, 1);
	host_restart(h);
	give(h, 1);
	assert_int_equal(host_job(h, host_id(1))->begun, 0);
	ended(h, 1, ORDER_CANCELLED, NULL);
	give(h, 2);
	orders_on_cancel(h->orders, host_id(2), NULL); /* while it is at work: the worker is asked */
	assert_true(host_job(h, host_id(2))->cancelled);
	host_end_job(h, 2, ORDER_CANCELLED);
	ended(h, 2, ORDER_CANCELLED, NULL);
	orders_on_cancel(h->orders, host_id(2), NULL); /* too late: nothing */
	assert_int_equal(host_told(h, host_id(2))->ends, 1);
	host_free(h);
}

/* Only what this host itself replaced for that order. */
static void undo(void **state)
{
	(void)state;
	struct host *h = host_new();
	give(h, 1);
	struct order o = host_order(h, 2);
	o.kind = ORDER_UNDO;
	o.undo_of = host_id(1);
	o.snapshot = host_id(801);
	orders_on_order(h->orders, &o);
	ended(h, 2, ORDER_REFUSED, "no end of the order");
	host_end_job(h, 1, ORDER_OK); /* its safety point is 801 */
	o.order = host_id(3);
	o.snapshot = host_id(900);
	orders_on_order(h->orders, &o);
	ended(h, 3, ORDER_REFUSED, "is not what the order that is to be undone replaced");
	o.order = host_id(4);
	o.snapshot = host_id(801);
	o.service = "other";
	orders_on_order(h->orders, &o);
	ended(h, 4, ORDER_REFUSED, "another service");
	o.order = host_id(5);
	o.undo_of = host_id(3); /* was refused, and replaced nothing */
	o.service = "portal";
	orders_on_order(h->orders, &o);
	ended(h, 5, ORDER_REFUSED, "replaced nothing");
	o.order = host_id(6);
	o.undo_of = host_id(1);
	host_restart(h);
	orders_on_order(h->orders, &o);
	assert_int_equal(host_job(h, host_id(6))->begun, 1);
	host_end_job(h, 6, ORDER_OK);
	ended(h, 6, ORDER_OK, NULL);
	host_free(h);
}

static void a_worker_that_crashes(void **state)
{
	(void)state;
	struct host *h = host_new();
	give(h, 1);
	for (unsigned i = 1; i < 3; i++) {
		host_job(h, host_id(1))->running = false;
		orders_on_job_lost(h->orders, host_id(1));
		assert_int_equal(host_job(h, host_id(1))->resumed, i);
	}
	host_job(h, host_id(1))->running = false;
	orders_on_job_lost(h->orders, host_id(1));
	ended(h, 1, ORDER_FAILED_DIRTY, "crashed again and again");
	assert_int_equal(host_job(h, host_id(1))->begun, 1);
	assert_int_equal(host_job(h, host_id(1))->resumed, 2);
	host_free(h);
}

/* The worker that was asked to stop dies of something else: the next one is asked, too. */
static void a_cancelled_worker_that_crashes(void **state)
{
	(void)state;
	struct host *h = host_new();
	give(h, 1);
	orders_on_cancel(h->orders, host_id(1), NULL);
	assert_true(host_job(h, host_id(1))->cancelled);
	*host_job(h, host_id(1)) = (struct host_job){.order = host_id(1), .begun = 1};
	orders_on_job_lost(h->orders, host_id(1));
	assert_int_equal(host_job(h, host_id(1))->resumed, 1);
	assert_true(host_job(h, host_id(1))->cancelled);
	host_free(h);
}

/* PREPARED when the power went, and its hour is over when it comes back (P17). */
static void it_does_not_begin_late(void **state)
{
	(void)state;
	struct host *h = host_new();
	h->crash_at = 3; /* epoch, PREPARED; "accepted" is not told any more */
	give(h, 1);
	assert_true(h->dead);
	h->now_ms += 2 * HOUR;
	host_restart(h);
	ended(h, 1, ORDER_EXPIRED, NULL);
	assert_int_equal(host_job(h, host_id(1))->begun, 0);
	host_free(h);
}

static void it_may_be_cancelled_before_it_is_resumed(void **state)
{
	(void)state;
	struct host *h = host_new();
	h->crash_at = 3;
	give(h, 1);
	host_boot(h);
	orders_on_cancel(h->orders, host_id(1), NULL);
	orders_resume(h->orders);
	ended(h, 1, ORDER_CANCELLED, "before it began");
	assert_int_equal(host_job(h, host_id(1))->begun, 0);
	host_free(h);
}

static void room(void **state)
{
	(void)state;
	struct host *h = host_new();
	give(h, 1);
	host_end_job(h, 1, ORDER_OK);
	orders_on_told(h->orders, host_id(1));
	h->authorise = false;
	for (uint64_t n = 2; n < ORDERS_KEPT_MAX + 200; n++) { /* a flood of what is refused */
		give(h, n);
		ended(h, n, ORDER_REFUSED, NULL);
		orders_on_told(h->orders, host_id(n));
	}
	h->authorise = true;
	host_restart(h);
	give(h, 1); /* does not wash away what was done */
	assert_int_equal(host_job(h, host_id(1))->begun, 1);
	assert_int_equal(host_told(h, host_id(1))->ends, 2);
	h->now_ms += ORDERS_KEEP_MS + HOUR + 1;
	give(h, 5000);
	assert_false(host_file(h, host_id(1))->there); /* old, and over */
	host_free(h);
}

/* Everything that one order needs, with io call number `at` failing; then life goes on. */
static unsigned life(struct host *h)
{
	h->calls = 0;
	give(h, 1);
	if (host_job(h, host_id(1))->running)
		host_end_job(h, 1, ORDER_OK);
	unsigned calls = h->calls;
	h->fail_at = 0;
	give(h, 1); /* the controller has no answer yet, and asks again */
	if (host_job(h, host_id(1))->running)
		host_end_job(h, 1, ORDER_OK);
	return calls;
}

static void any_io_call_fails(void **state)
{
	(void)state;
	unsigned calls = 1, at;
	for (unsigned fail_for = 1; fail_for <= 4; fail_for++) {
		for (at = 1; at <= calls; at++) {
			struct host *h = host_new();
			h->fail_at = (int)at;
			h->fail_for = fail_for;
			unsigned n = life(h);
			calls = n > calls ? n : calls;
			struct host_told *t = host_told(h, host_id(1));
			struct host_job *j = host_job(h, host_id(1));
			assert_true(t->ends > 0);
			assert_int_equal(t->other_ends, 0);
			assert_true(j->begun <= 1 && j->effects <= 1);
			assert_true((t->outcome == ORDER_OK) == (j->effects == 1));
			assert_int_equal(orders_running(h->orders), 0);
			host_free(h);
		}
		assert_true(at > 5);
	}
}

/* The disk was full when it ended; nobody asks again for an order that was accepted. */
static void an_end_is_journalled_when_the_disk_is_well_again(void **state)
{
	(void)state;
	struct host *h = host_new();
	give(h, 1);
	h->fail_at = (int)h->calls + 1;
	h->fail_for = 3;
	host_end_job(h, 1, ORDER_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(host_told(h, host_id(1))->ends, 0);
		assert_int_equal(orders_running(h->orders), 1);
		orders_on_tick(h->orders);
	}
	orders_on_tick(h->orders);
	ended(h, 1, ORDER_OK, "done");
	assert_int_equal(orders_running(h->orders), 0);
	orders_on_tick(h->orders);
	assert_int_equal(host_told(h, host_id(1))->ends, 1);
	host_free(h);
}

/* The power goes at any io call, before or after it was made; the order comes again. */
static void any_io_call_is_the_last(void **state)
{
	(void)state;
	unsigned calls = 8;
	for (int after = 0; after < 2; after++) {
		for (unsigned at = 1; at <= calls; at++) {
			struct host *h = host_new();
			h->crash_at = (int)(h->calls + at);
			h->crash_after = after;
			give(h, 1);
			if (!h->dead && host_job(h, host_id(1))->running)
				host_end_job(h, 1, ORDER_OK);
			else if (h->dead && host_job(h, host_id(1))->running && at & 1)
				host_job(h, host_id(1))->effects = 1; /* it had got as far as that */
			host_restart(h);
			if (host_job(h, host_id(1))->running)
				host_end_job(h, 1, ORDER_OK);
			give(h, 1);
			if (host_job(h, host_id(1))->running)
				host_end_job(h, 1, ORDER_OK);
			struct host_job *j = host_job(h, host_id(1));
			ended(h, 1, ORDER_OK, NULL);
			assert_true(j->begun <= 1);
			assert_int_equal(j->effects, 1);
			host_free(h);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(what_runs_first_is_declared),
	    cmocka_unit_test(epochs_outlive_a_crash),
	    cmocka_unit_test(three_an_hour),
	    cmocka_unit_test(too_many_at_once),
	    cmocka_unit_test(cancelled),
	    cmocka_unit_test(undo),
	    cmocka_unit_test(a_worker_that_crashes),
	    cmocka_unit_test(a_cancelled_worker_that_crashes),
	    cmocka_unit_test(it_does_not_begin_late),
	    cmocka_unit_test(it_may_be_cancelled_before_it_is_resumed),
	    cmocka_unit_test(room),
	    cmocka_unit_test(any_io_call_fails),
	    cmocka_unit_test(an_end_is_journalled_when_the_disk_is_well_again),
	    cmocka_unit_test(any_io_call_is_the_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
