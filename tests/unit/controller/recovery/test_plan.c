/* Plans: waves, restore points, and what must be refused. */
#include "tests/lib/recovery_world.h"

static void open_with(struct world *w, size_t hosts)
{
	world_open(w);
	people_are(w);
	fleet_is(w, hosts);
}

static size_t in_wave(const struct plan *p, uint32_t wave)
{
	size_t n = 0;
	for (size_t i = 0; i < p->hosts.count; i++)
		n += LIST_AT(p->hosts, struct plan_host, i).wave == wave;
	return n;
}

static void test_r5_waves_grow_from_one_host(void **state)
{
	(void)state;
	static const struct {
		size_t hosts, waves[5];
	} cases[] = {
	    {1, {1}},
	    {2, {1, 1}},
	    {3, {1, 1, 1}},
	    {4, {1, 1, 1, 1}},
	    {5, {1, 1, 1, 1, 1}},
	    {20, {1, 1, 1, 5, 12}},
	    {100, {1, 1, 5, 25, 68}},
	    {1000, {1, 10, 50, 250, 689}},
	};
	struct world w;
	open_with(&w, 1000);
	fleet_breaks(&w, 1000);
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct plan *p = plan_for(&w, cases[k].hosts);
		for (uint32_t wave = 0; wave < 5; wave++)
			assert_int_equal(in_wave(p, wave), cases[k].waves[wave]);
		for (size_t i = 1; i < p->hosts.count; i++) /* sorted, so that its digest is one */
			assert_true(strcmp(LIST_AT(p->hosts, struct plan_host, i - 1).host,
					LIST_AT(p->hosts, struct plan_host, i).host) < 0);
	}
	world_close(&w);
}

/* Of n hosts every third one may cut itself off. */
static void test_r11_self_affecting_hosts_come_last_one_by_one(void **state)
{
	(void)state;
	struct world w;
	enum { HOSTS = 12, ALL = 120 };
	open_with(&w, ALL);
	struct declared_service cutting = declared("portal", NULL);
	cutting.self_affecting = true;
	for (size_t i = 0; i < ALL; i++)
		if (i % 3 == 0 || i >= HOSTS)
			host_up(&w, fleet_list[i], (uint8_t)(i % 250 + 1), &cutting, 1);
	fleet_breaks(&w, ALL);
	struct plan *p = plan_for(&w, HOSTS);
	uint32_t last_ordinary = 0, next = 0;
	for (size_t i = 0; i < HOSTS; i++)
		if (i % 3 && LIST_AT(p->hosts, struct plan_host, i).wave > last_ordinary)
			last_ordinary = LIST_AT(p->hosts, struct plan_host, i).wave;
	assert_int_equal(last_ordinary, 4); /* eight of them: 1, 1, 1, 2, 3 */
	next = last_ordinary + 1;
	for (size_t i = 0; i < HOSTS; i += 3, next++) {
		assert_int_equal(LIST_AT(p->hosts, struct plan_host, i).wave, next);
		assert_int_equal(in_wave(p, next), 1);
	}
	ok(record_check(&plan_type, p, ERR_HERE));
	p = plan_for(&w, ALL); /* more of them than there are waves */
	ok(record_check(&plan_type, p, ERR_HERE));
	for (size_t i = 0; i < ALL; i++) {
		uint32_t wave = LIST_AT(p->hosts, struct plan_host, i).wave;
		assert_true(i < HOSTS && i % 3 ? wave <= 4 : wave > 4 && wave < PLAN_WAVES_MAX);
		assert_true(wave <= 4 || in_wave(p, wave) <= 2);
	}
	world_close(&w);
}

static void test_r4_hosts_are_named_one_by_one(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 2);
	fleet_breaks(&w, 2);
	struct plan_wish wish = wish_for(0);
	refused(ERR_INVALID, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	static const char *twice[] = {"h0000", "h0000"}, *all[] = {"*"}, *stranger[] = {"h0000", "h9999"};
	wish.hosts = (struct list){twice, 2};
	refused(ERR_INVALID, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	wish.hosts = (struct list){all, 1};
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	wish.hosts = (struct list){stranger, 2};
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	wish = wish_for(1);
	wish.service = "billing";
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	uint32_t data = COMPONENT_DATABASE;
	wish = wish_for(1);
	wish.components = (struct list){&data, 1};
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

static void test_p8_nothing_differs(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 2);
	struct plan_wish wish = wish_for(2);
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	drift_is(&w, "portal", "h0001", COMPONENT_CODE, fleet_good[1], 3); /* not what is asked for */
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	drift_is(&w, "portal", "h0001", COMPONENT_CONFIG, fleet_good[1], 3);
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));     /* one of them does */
	drift_is(&w, "portal", "h0001", COMPONENT_CONFIG, fleet_good[1], 0); /* no longer */
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

static void test_a_database_always_differs(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	uint32_t database[] = {COMPONENT_DATABASE};
	open_with(&w, 1);
	struct declared_service records = declared("records", NULL);
	records.components = (struct list){database, 1};
	host_up(&w, "db-1", 77, &records, 1);
	struct component_point copy = point(COMPONENT_DATABASE, 1);
	struct snapshot_report r = {.snapshot = turn_id(w.turn),
	    .service = "records",
	    .reason = SNAPSHOT_SCHEDULED,
	    .taken_ms = w.now_ms,
	    .components = {&copy, 1},
	    .verified = true};
	struct host h = host_now(&w, "db-1");
	ok(fleet_on_snapshot(w.turn, &h, &r, (struct id){{0}}, ERR_HERE));
	const char *host = "db-1";
	struct plan_wish wish = {.kind = ORDER_ROLLBACK,
	    .service = "records",
	    .hosts = {&host, 1},
	    .components = {database, 1},
	    .snapshot = r.snapshot,
	    .reason = "a column was renamed",
	    .author = "ada"};
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

static void test_p8_a_safety_net_is_not_what_runs(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 1);
	/* What a rollback replaced is the newest restore point, though what runs is the old one again. */
	snapshot_is(&w, "portal", "h0000", 9, 0, SNAPSHOT_SAFETY, (struct id){{0}});
	world_after(&w, 1000);
	struct plan_wish wish = wish_for(1);
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, fleet_good[0], 0);
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

/* A plan insists on what was seen of configuration and code when it was made; not where nothing was, nor when told not
 * to. */
static void test_r10_what_a_plan_was_made_on(void **state)
{
	(void)state;
	struct world w;
	struct plan p, other;
	static const struct digest any;
	open_with(&w, 1);
	fleet_breaks(&w, 1);
	struct plan_wish wish = wish_for(1);
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_memory_equal(&LIST_AT(p.hosts, struct plan_host, 0).precondition, &any, sizeof any);
	struct drift_report r = {.service = "portal",
	    .component = COMPONENT_CONFIG,
	    .snapshot = fleet_good[0],
	    .changed = 1,
	    .digest.b = {7}};
	struct host h = host_now(&w, "h0000");
	ok(fleet_on_drift(w.turn, &h, &r, ERR_HERE));
	r.component = COMPONENT_CODE;
	ok(fleet_on_drift(w.turn, &h, &r, ERR_HERE));
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_memory_not_equal(&LIST_AT(p.hosts, struct plan_host, 0).precondition, &any, sizeof any);
	r.component = COMPONENT_CONFIG;
	r.digest.b[0] = 8;
	ok(fleet_on_drift(w.turn, &h, &r, ERR_HERE));
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &other, ERR_HERE));
	assert_memory_not_equal(&LIST_AT(p.hosts, struct plan_host, 0).precondition,
	    &LIST_AT(other.hosts, struct plan_host, 0).precondition, sizeof any);
	wish.any_state = wish.deep = wish.progressive = true;
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &other, ERR_HERE));
	assert_memory_equal(&LIST_AT(other.hosts, struct plan_host, 0).precondition, &any, sizeof any);
	assert_true(other.deep && other.progressive && other.run_limit_ms == ORDER_RUN_MS);
	world_close(&w);
}

static void test_what_was_snapshot_broken_differs_from_the_one_before(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 1);
	uint64_t fault = w.now_ms;
	world_after(&w, 1000);
	struct id bad = snapshot_is(&w, "portal", "h0000", 9, 0, SNAPSHOT_SCHEDULED, (struct id){{0}});
	http_says(&w, "portal", "h0000", PROBE_CRITICAL); /* a new make that turns bad at once was bad */
	drift_is(&w, "portal", "h0000", COMPONENT_CONFIG, bad, 0);
	world_after(&w, 1000);
	struct plan_wish wish = wish_for(1);
	wish.before_ms = fault;
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_true(id_equal(LIST_AT(p.hosts, struct plan_host, 0).snapshot, fleet_good[0]));
	world_close(&w);
}

static void test_p7_targets_are_last_known_good(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 1);
	struct id newer = snapshot_is(&w, "portal", "h0000", 1, 0, SNAPSHOT_SCHEDULED, (struct id){{0}});
	world_after(&w, 10 * MINUTE);
	struct id during = snapshot_is(&w, "portal", "h0000", 2, 0, SNAPSHOT_SCHEDULED, turn_id(w.turn));
	fleet_breaks(&w, 1);
	struct plan_wish wish = wish_for(1);
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_true(id_equal(LIST_AT(p.hosts, struct plan_host, 0).snapshot, newer)); /* not the one of an incident */
	(void)during;
	ok(fleet_snapshot_condemn(w.turn, &ada, newer, "it is broken", ERR_HERE));
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_true(id_equal(LIST_AT(p.hosts, struct plan_host, 0).snapshot, fleet_good[0]));
	ok(fleet_snapshot_condemn(w.turn, &ada, fleet_good[0], "this one too", ERR_HERE));
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

static void test_a_named_restore_point(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 2);
	fleet_breaks(&w, 2);
	struct plan_wish wish = wish_for(1);
	wish.snapshot = fleet_good[0];
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	wish.snapshot = fleet_good[1]; /* another host's (R15) */
	refused(ERR_INVALID, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	wish.snapshot = turn_id(w.turn);
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	wish = wish_for(2);
	wish.snapshot = fleet_good[0];
	refused(ERR_INVALID, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

static void test_the_plan_is_what_a_host_accepts(void **state)
{
	(void)state;
	struct world w;
	open_with(&w, 1);
	fleet_breaks(&w, 1);
	struct plan *p = plan_for(&w, 1);
	struct buf bytes = BUF_INIT;
	ok(record_to_msgpack(&plan_type, p, &bytes, ERR_HERE)); /* its own checks hold */
	buf_done(&bytes);
	assert_int_equal(p->expires_ms - p->not_before_ms, PLAN_LIFETIME_MAX_MS);
	assert_true(p->not_before_ms + FLEET_SKEW_MAX_MS <= w.now_ms); /* a clock that is behind as far as tolerated */
	world_close(&w);
}

/* ---- undo ---- */

static void test_undo_goes_back_to_the_safety_nets(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 2);
	fleet_breaks(&w, 2);
	struct rollback r = begun(&w, 2), after;
	struct plan_wish undo = {.kind = ORDER_UNDO, .undo_of = r.rollback, .reason = "worse", .author = "ada"};
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &undo, &p, ERR_HERE));
	struct id safety = turn_id(w.turn);
	struct order_report report = {.order = host_of(&r, 0)->order,
	    .outcome = ORDER_OK,
	    .digests_match = true,
	    .healthy = true,
	    .safety_snapshot = safety};
	enum recovery_event event;
	ok(recovery_on_order_report(w.turn, &recovery_rules, "h0000", &report, &after, &event, ERR_HERE));
	ok(recovery_cancel(w.turn, &recovery_rules, &ada, r.rollback, "enough", &after, &event, ERR_HERE));
	assert_int_equal(event, RECOVERY_ENDED);
	ok(recovery_plan(w.turn, &recovery_rules, &undo, &p, ERR_HERE));
	assert_int_equal(p.hosts.count, 1); /* the other was never touched */
	assert_int_equal(p.kind, ORDER_UNDO);
	assert_string_equal(p.service, "portal");
	assert_true(id_equal(LIST_AT(p.hosts, struct plan_host, 0).snapshot, safety));
	undo.undo_of = turn_id(w.turn);
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &undo, &p, ERR_HERE));
	/* And the order names the one that it takes back. */
	struct change c = {.kind = CHANGE_EMERGENCY, .requested_by = "ada", .plan = &p};
	ok(change_request(w.turn, &ada, &c, ERR_HERE));
	ok(change_approve(w.turn, &bo, c.change, signature_of(&w, BO, &p), &c, ERR_HERE));
	struct id first = host_of(&r, 0)->order;
	ok(recovery_start(w.turn, &recovery_rules, c.change, false, &r, ERR_HERE));
	assert_true(id_equal(order_now(&w, host_of(&r, 0)->order).order->undo_of, first));
	world_close(&w);
}

static void test_a_rollback_that_changed_nothing_cannot_be_undone(void **state)
{
	(void)state;
	struct world w;
	struct plan p;
	open_with(&w, 1);
	fleet_breaks(&w, 1);
	struct rollback r = begun(&w, 1);
	host_says(&w, "h0000", host_of(&r, 0)->order, ORDER_REFUSED, false);
	struct plan_wish undo = {.kind = ORDER_UNDO, .undo_of = r.rollback, .reason = "worse", .author = "ada"};
	refused(ERR_STATE, recovery_plan(w.turn, &recovery_rules, &undo, &p, ERR_HERE));
	world_close(&w);
}

/* An action is planned by its name, where every host declares it, and carries no restore point. */
static void test_an_action_is_one_that_hosts_declare(void **state)
{
	(void)state;
	struct world w;
	static uint32_t remedy[] = {REMEDY_RESTART};
	static struct declared_action actions[] = {{.name = "restart", .remedies = {remedy, 1}}};
	struct declared_service site = declared("site", NULL), bare = declared("site", NULL);
	const char *one[] = {"site-1"}, *both[] = {"site-1", "site-2"};
	struct plan_wish wish = {.kind = ORDER_ACTION,
	    .action = "restart",
	    .service = "site",
	    .hosts = {one, 1},
	    .reason = "it is gone",
	    .author = "ada"};
	struct plan p;
	open_with(&w, 1);
	site.actions = (struct list){actions, 1};
	host_up(&w, "site-1", 71, &site, 1);
	host_up(&w, "site-2", 72, &bare, 1);
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_string_equal(p.action, "restart");
	assert_int_equal(p.components.count, 0);
	assert_int_equal(p.hosts.count, 1);
	ok(record_check(&plan_type, &p, ERR_HERE));
	wish.hosts = (struct list){both, 2};
	refused(
	    ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE)); /* the second declares none */
	wish.hosts.count = 1;
	wish.action = "format";
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	world_close(&w);
}

/* So is what a rollback has run before it. */
static void test_what_runs_first_is_one_that_hosts_declare(void **state)
{
	(void)state;
	struct world w;
	static uint32_t remedy[] = {REMEDY_SPACE};
	static struct declared_action actions[] = {{.name = "sweep", .remedies = {remedy, 1}}};
	open_with(&w, 1);
	fleet_breaks(&w, 1);
	struct plan_wish wish = wish_for(1);
	struct plan p;
	wish.first = "sweep";
	refused(ERR_NOT_FOUND, recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	struct declared_service portal = declared("portal", NULL);
	portal.actions = (struct list){actions, 1};
	struct hello h = hello_of(&w, fleet_list[0], boot_id(1), &portal, 1);
	hello_say(&w, &h);
	ok(recovery_plan(w.turn, &recovery_rules, &wish, &p, ERR_HERE));
	assert_string_equal(p.first, "sweep");
	assert_null(p.action);
	ok(record_check(&plan_type, &p, ERR_HERE));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_runs_first_is_one_that_hosts_declare),
	    cmocka_unit_test(test_r5_waves_grow_from_one_host),
	    cmocka_unit_test(test_r11_self_affecting_hosts_come_last_one_by_one),
	    cmocka_unit_test(test_r4_hosts_are_named_one_by_one),
	    cmocka_unit_test(test_p8_nothing_differs),
	    cmocka_unit_test(test_a_database_always_differs),
	    cmocka_unit_test(test_r10_what_a_plan_was_made_on),
	    cmocka_unit_test(test_p8_a_safety_net_is_not_what_runs),
	    cmocka_unit_test(test_what_was_snapshot_broken_differs_from_the_one_before),
	    cmocka_unit_test(test_p7_targets_are_last_known_good),
	    cmocka_unit_test(test_a_named_restore_point),
	    cmocka_unit_test(test_the_plan_is_what_a_host_accepts),
	    cmocka_unit_test(test_undo_goes_back_to_the_safety_nets),
	    cmocka_unit_test(test_a_rollback_that_changed_nothing_cannot_be_undone),
	    cmocka_unit_test(test_an_action_is_one_that_hosts_declare),
	};
	return cmocka_run_group_tests(tests, persons_make, persons_end);
}
