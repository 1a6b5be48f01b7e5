/* What a scheduled prune must leave alone, and when the newest restore point is due to be read back. */
#include "agent/snapshot/upkeep.h"
#include "agent/worker/upkeep.h"

#include "agent/orders/journal.h"
#include "agent/worker/work.h"
#include "shared/base/clock.h"
#include "tests/lib/snapshot_world.h"

enum { HOUR_MS = 3600 * 1000 };

static struct world w;
static struct service_config services[1];
static struct agent_config config;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	w.now_ms = clock_wall_ms() - 40 * (uint64_t)HOUR_MS;
	services[0] = w.service;
	services[0].snapshots = (struct snapshots_config){
	    .verify_every_ms = 6 * HOUR_MS, .sample_every_ms = HOUR_MS, .keep = {.hourly = 1}};
	config = (struct agent_config){.host = WORLD_HOST, .state_directory = w.dir, .services = {services, 1}};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static struct id take(enum snapshot_reason reason, bool suspect)
{
	struct snapshot_summary s;
	struct snapshot_options o = {.reason = reason, .suspect = suspect, .now_ms = w.now_ms};
	w.now_ms += HOUR_MS;
	WORLD_OK(&w, snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err));
	return s.snapshot;
}

static enum err_code prune(struct prune_result *ret, size_t *ret_spared)
{
	return upkeep_prune(&config, w.repo, NULL, false, NULL, w.arena, ret, ret_spared, &w.err);
}

static bool would_go(struct id id)
{
	struct prune_result r;
	size_t spared;
	WORLD_OK(&w, prune(&r, &spared));
	for (size_t i = 0; i < r.removed.count; i++)
		if (id_equal(LIST_AT(r.removed, struct id, i), id))
			return true;
	return false;
}

static void journal_of(struct id snapshot, struct id safety, enum order_phase phase, struct id incident)
{
	struct order_journal *j;
	struct order o = {.order = {{1}},
	    .kind = ORDER_VERIFY,
	    .epoch = 1,
	    .issued_ms = w.now_ms,
	    .expires_ms = w.now_ms + 1,
	    .run_limit_ms = 1,
	    .host = WORLD_HOST,
	    .service = "portal",
	    .snapshot = snapshot,
	    .incident = incident,
	    .issuer = "ada",
	    .reason = "test"};
	struct order_report r = {.order = {{1}},
	    .kind = ORDER_VERIFY,
	    .service = "portal",
	    .outcome = ORDER_OK,
	    .at_ms = w.now_ms,
	    .safety_snapshot = safety};
	struct order_entry e = {.order_id = {{1}},
	    .phase = phase,
	    .at_ms = w.now_ms,
	    .order = &o,
	    .report = phase == ORDER_DONE ? &r : NULL};
	WORLD_OK(&w, order_journal_open(w.dir, &j, &w.err));
	WORLD_OK(&w, order_journal_put(j, &e, &w.err));
	order_journal_close(j);
}

static void journal(struct id snapshot, struct id safety, enum order_phase phase)
{
	journal_of(snapshot, safety, phase, (struct id){{0}});
}

static void test_what_orders_name_stays(void **state)
{
	(void)state;
	struct id old = take(SNAPSHOT_SCHEDULED, false), other = take(SNAPSHOT_SCHEDULED, false);
	(void)take(SNAPSHOT_SCHEDULED, false);
	assert_true(would_go(old) && would_go(other));
	journal(old, (struct id){{0}}, ORDER_STARTED);
	assert_false(would_go(old));
	assert_true(would_go(other));
	journal(old, other, ORDER_DONE); /* its safety net may still be asked for */
	assert_true(would_go(old));
	assert_false(would_go(other));
	journal_of(old, other, ORDER_DONE, (struct id){{9}}); /* an incident's: it may be asked for once more */
	assert_false(would_go(old) || would_go(other));
}

static void test_a_service_in_trouble_keeps_everything(void **state)
{
	(void)state;
	struct prune_result r;
	size_t spared = 0;
	struct id good = take(SNAPSHOT_SCHEDULED, false), later = take(SNAPSHOT_SCHEDULED, false),
		  bad = take(SNAPSHOT_SCHEDULED, true);
	(void)take(SNAPSHOT_SAFETY, true);
	assert_false(would_go(good) || would_go(later) || would_go(bad));
	WORLD_OK(&w, prune(&r, &spared));
	assert_int_equal(spared, 1);
	(void)take(SNAPSHOT_SCHEDULED, false); /* well again */
	assert_true(would_go(good));
	WORLD_OK(&w, prune(&r, &spared));
	assert_int_equal(spared, 0);
}

/* Not for ever: a probe that is wrong must not fill the disk. */
static void test_trouble_has_an_end(void **state)
{
	(void)state;
	struct prune_result r;
	size_t spared = 0;
	w.now_ms = clock_wall_ms() - UPKEEP_TROUBLE_MS - 5 * (uint64_t)HOUR_MS;
	struct id first = take(SNAPSHOT_SCHEDULED, true), second = take(SNAPSHOT_SCHEDULED, true);
	(void)take(SNAPSHOT_SCHEDULED, true);
	WORLD_OK(&w, prune(&r, &spared));
	assert_int_equal(spared, 0);
	assert_true(would_go(first) && would_go(second));
}

static void test_a_host_on_hold_prunes_nothing(void **state)
{
	(void)state;
	struct prune_result r;
	size_t spared;
	(void)take(SNAPSHOT_SCHEDULED, false);
	world_text(w.dir, "HOLD", "");
	assert_int_equal(prune(&r, &spared), ERR_STATE);
	assert_non_null(strstr(w.err.msg, "HOLD"));
}

static enum upkeep_due due_at(uint64_t now_ms, struct id *ret)
{
	enum upkeep_due due;
	struct snapshot_summary s = {.reason = 0};
	WORLD_OK(&w, upkeep_due(&services[0], w.repo, now_ms, w.arena, &due, &s, &w.err));
	*ret = s.snapshot;
	return due;
}

static void test_when_it_is_read_back(void **state)
{
	(void)state;
	struct id what;
	struct verify_result v;
	uint64_t now = w.now_ms;
	assert_int_equal(due_at(now, &what), UPKEEP_NOTHING); /* there is none */
	struct id first = take(SNAPSHOT_SCHEDULED, false);
	assert_int_equal(due_at(now, &what), UPKEEP_VERIFY);
	assert_true(id_equal(what, first));
	WORLD_OK(&w, snapshot_verify(w.repo, first, &(struct verify_options){.now_ms = now}, &v, &w.err));
	assert_int_equal(due_at(now + HOUR_MS - 1, &what), UPKEEP_NOTHING);
	assert_int_equal(due_at(now + HOUR_MS, &what), UPKEEP_SAMPLE);
	struct id second = take(SNAPSHOT_SCHEDULED, false);
	(void)take(SNAPSHOT_SAFETY, true); /* is no restore point to live on */
	WORLD_OK(&w, snapshot_verify(w.repo, second, &(struct verify_options){.now_ms = now + HOUR_MS, .sample = true},
			 &v, &w.err));
	assert_int_equal(due_at(now + 2 * HOUR_MS - 1, &what), UPKEEP_NOTHING);
	assert_int_equal(due_at(now + 2 * HOUR_MS, &what), UPKEEP_SAMPLE);
	assert_true(id_equal(what, second));
	assert_int_equal(due_at(now + 6 * HOUR_MS, &what), UPKEEP_VERIFY);
	services[0].snapshots.verify_every_ms = services[0].snapshots.sample_every_ms = 0;
	assert_int_equal(due_at(now + 60 * (uint64_t)HOUR_MS, &what), UPKEEP_NOTHING);
}

/* ---- what workers do of it ---- */

static unsigned notices, damaged_told;

static void on_report(void *ctx, const struct report *r)
{
	(void)ctx;
	notices += r->notice != NULL;
	damaged_told += r->snapshot && r->snapshot->damaged && !r->snapshot->verified;
}

static void work(enum work_kind kind, bool suspect)
{
	struct work_spec spec = {.kind = kind, .service = "portal", .suspect = suspect};
	struct work_out on = {.report = on_report};
	work_run(&config, &spec, &on);
}

/* The repository where workers look for it. */
static void move_repository(void)
{
	char path[WORLD_PATH];
	(void)text_format(path, sizeof path, "%s/repository", w.dir);
	world_close(&w);
	assert_int_equal(rename(w.repo_path, path), 0);
	(void)text_format(w.repo_path, WORLD_PATH, "%s", path);
	world_open(&w);
}

static struct snapshot_marks marks_of(struct id id)
{
	struct snapshot_summary s;
	WORLD_OK(&w, snapshot_get(w.repo, id, w.arena, &s, &w.err));
	return s.marks;
}

/* Healthy is what was taken a while ago, is still so on the disk, and serves well. */
static void test_what_counts_as_healthy(void **state)
{
	(void)state;
	move_repository();
	struct id id = take(SNAPSHOT_SCHEDULED, false);
	work(WORK_DRIFT, true); /* not well */
	assert_int_equal(marks_of(id).healthy_since_ms, 0);
	world_text(w.config_dir, "conf", "another");
	work(WORK_DRIFT, false); /* not that any more */
	assert_int_equal(marks_of(id).healthy_since_ms, 0);
	w.now_ms = clock_wall_ms();
	id = take(SNAPSHOT_SCHEDULED, false);
	work(WORK_DRIFT, false); /* too young to have proven anything */
	assert_int_equal(marks_of(id).healthy_since_ms, 0);
}

static void test_a_state_proves_itself(void **state)
{
	(void)state;
	move_repository();
	struct id id = take(SNAPSHOT_SCHEDULED, false);
	work(WORK_DRIFT, false);
	uint64_t since = marks_of(id).healthy_since_ms;
	assert_true(since);
	work(WORK_DRIFT, false);
	assert_int_equal(marks_of(id).healthy_since_ms, since); /* since the first time */
	work(WORK_VERIFY, false);
	struct snapshot_summary good;
	WORLD_OK(&w, snapshot_find(w.repo, "portal", "last-good", w.arena, &good, &w.err)); /* verified and healthy */
	assert_true(id_equal(good.snapshot, id));
	assert_int_equal(notices, 0);
}

/* A flipped byte is found by the schedule, told, and not taken for good any more. */
static void test_damage_is_told(void **state)
{
	(void)state;
	char command[WORLD_PATH * 2], out[256];
	move_repository();
	world_noise(w.config_dir, "large", 400000, 3);
	struct id id = take(SNAPSHOT_SCHEDULED, false);
	(void)text_format(command, sizeof command, "%s/packs", w.repo_path);
	const char *const argv[] = {"find", command, "-size", "+100k", "-exec", "dd", "if=/dev/zero", "of={}", "bs=1",
	    "seek=90000", "count=9", "conv=notrunc", "status=none", ";", NULL};
	assert_true(world_run(argv, out, sizeof out) >= 0);
	notices = damaged_told = 0;
	work(WORK_VERIFY, false);
	assert_int_equal(notices, 1);
	assert_non_null(marks_of(id).damage);
	assert_int_equal(damaged_told, 1); /* whoever counts on it must hear of it, too */
	struct order order = {
	    .order = {{7}}, .kind = ORDER_VERIFY, .service = "portal", .host = WORLD_HOST, .snapshot = id};
	struct work_spec spec = {.kind = WORK_ORDER, .order = &order, .service = "portal"};
	work_run(&config, &spec, &(struct work_out){.report = on_report});
	assert_int_equal(damaged_told, 2);
}

static void test_a_worker_prunes(void **state)
{
	(void)state;
	move_repository();
	for (int i = 0; i < 3; i++)
		(void)take(SNAPSHOT_SCHEDULED, false);
	work(WORK_PRUNE, false);
	assert_int_equal(world_count(&w), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_orders_name_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_service_in_trouble_keeps_everything, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_trouble_has_an_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_host_on_hold_prunes_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_when_it_is_read_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_counts_as_healthy, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_state_proves_itself, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_damage_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_worker_prunes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
