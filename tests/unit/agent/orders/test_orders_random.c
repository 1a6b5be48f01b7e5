/* Orders by chance: a controller that repeats, cancels and grows old, a disk that fails, a host that crashes; from
 * seeds.  Whatever happens: no order is begun twice, none has two different ends, none that was refused took effect,
 * every one ends told. */
#include "tests/unit/agent/orders/host.h"

#include "shared/base/random.h"

enum { ORDERS = 24, STEPS = 300 };

struct story {
	struct host *h;
	struct random r;
	uint64_t seed;
	struct order orders[ORDERS + 1];
	unsigned issued;
};

static bool chance(struct story *s, unsigned percent)
{
	return random_below(&s->r, 100) < percent;
}

static uint64_t any_order(struct story *s)
{
	return s->issued ? 1 + random_below(&s->r, s->issued) : 0;
}

static void issue(struct story *s)
{
	if (s->issued == ORDERS)
		return;
	struct order *o = &s->orders[++s->issued];
	*o = host_order(s->h, s->issued);
	o->epoch = 5 + random_below(&s->r, 3);
	if (chance(s, 10))
		o->service = "other";
	if (chance(s, 20)) {
		o->kind = ORDER_UNDO;
		o->undo_of = host_id(any_order(s));
		o->snapshot = host_id(800 + any_order(s));
	}
	if (chance(s, 10))
		o->expires_ms = s->h->now_ms + 1000;
}

/* One at a time of the changing ones: the host's own rule keeps it so, and its workers check it. */
static void end_some_job(struct story *s)
{
	uint64_t n = any_order(s);
	if (!n || !host_job(s->h, host_id(n))->running)
		return;
	struct host_job *j = host_job(s->h, host_id(n));
	if (chance(s, 20)) { /* the worker crashes, before or after it did it */
		if (chance(s, 50) && !j->effects)
			j->effects++;
		j->running = false;
		orders_on_job_lost(s->h->orders, host_id(n));
		return;
	}
	host_end_job(s->h, n, ORDER_OK);
}

static void step(struct story *s)
{
	struct host *h = s->h;
	uint64_t n = any_order(s), kind = random_below(&s->r, 100);
	if (h->dead || kind < 4) {
		host_restart(h);
	} else if (kind < 20) {
		issue(s);
	} else if (kind < 50 && n) {
		orders_on_order(h->orders, &s->orders[n]);
	} else if (kind < 54 && n) {
		orders_on_cancel(h->orders, host_id(n), "cancelled");
	} else if (kind < 57) {
		orders_on_halt(h->orders, chance(s, 30));
	} else if (kind < 75) {
		end_some_job(s);
	} else if (kind < 83 && n && host_told(h, host_id(n))->unacknowledged) {
		orders_on_told(h->orders, host_id(n));
	} else if (kind < 90) {
		h->now_ms += random_below(&s->r, 20 * 60 * 1000);
	} else if (kind < 95) {
		h->fail_at = (int)h->calls + 1 + (int)random_below(&s->r, 4);
		h->fail_for = 1 + (unsigned)random_below(&s->r, 4);
	} else {
		h->crash_at = (int)h->calls + 1 + (int)random_below(&s->r, 6);
		h->crash_after = chance(s, 50);
	}
}

/* The world gets well: the disk works, everything is asked for once more, workers end. */
static void heal(struct story *s)
{
	struct host *h = s->h;
	h->fail_at = 0;
	h->crash_at = 0;
	host_restart(h);
	orders_on_halt(h->orders, false);
	for (int round = 0; round < 4; round++)
		for (uint64_t n = 1; n <= s->issued; n++) {
			orders_on_order(h->orders, &s->orders[n]);
			if (host_job(h, host_id(n))->running)
				host_end_job(h, n, ORDER_OK);
		}
}

static void check(struct story *s)
{
	for (uint64_t n = 1; n <= s->issued; n++) {
		const struct host_told *t = host_told(s->h, host_id(n));
		const struct host_job *j = host_job(s->h, host_id(n));
		const char *wrong = !t->ends                                    ? "never ended"
				    : t->other_ends                             ? "has two ends"
				    : j->begun > 1                              ? "was begun twice"
				    : j->effects > 1                            ? "took effect twice"
				    : t->outcome == ORDER_OK && !j->effects     ? "is said to be done, and is not"
				    : t->outcome == ORDER_REFUSED && j->effects ? "was refused, and done"
				    : t->outcome == ORDER_EXPIRED && j->effects ? "expired, and was done"
										: NULL;
		if (wrong)
			fail_msg("seed %llu: order %llu %s (%s: %s)", (unsigned long long)s->seed,
			    (unsigned long long)n, wrong, enum_name(&order_outcome_enum, t->outcome), t->text);
	}
	assert_int_equal(orders_running(s->h->orders), 0);
}

static void by_chance(void **state)
{
	(void)state;
	const char *given = getenv("KEDGE_SEEDS");
	uint64_t seeds = given ? strtoull(given, NULL, 10) : 300;
	unsigned effects = 0;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		struct story *s = calloc(1, sizeof *s);
		assert_non_null(s);
		s->seed = seed;
		random_init_seed(&s->r, seed);
		s->h = host_new();
		for (unsigned i = 0; i < STEPS; i++)
			step(s);
		heal(s);
		check(s);
		for (uint64_t n = 1; n <= s->issued; n++)
			effects += host_job(s->h, host_id(n))->effects;
		host_free(s->h);
		free(s);
	}
	assert_true(effects > seeds); /* it is not all refusals */
	printf("%llu seeds, %u effects\n", (unsigned long long)seeds, effects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_chance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
