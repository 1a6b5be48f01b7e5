/* Trees that are staged beforehand, in the hands of the agent's own workers: what an order has exchanged becomes its
 * safety restore point, and what is over or was left is cleaned away. */
#include "agent/rollback/prepared.h"
#include "agent/rollback/rollback.h"
#include "agent/worker/work.h"
#include "shared/base/clock.h"
#include "tests/lib/snapshot_world.h"

enum { TOLD_MAX = 16 };

struct scene {
	struct world w;
	struct service_config services[1];
	struct agent_config config;
	char state[WORLD_PATH];
	struct id good;
	/* What the worker told, in its order. */
	struct id snapshots[TOLD_MAX];
	size_t snapshot_count, told_before_order;
	enum order_outcome outcome;
	struct id safety;
	bool ended;
};

static void on_report(void *ctx, const struct report *r)
{
	struct scene *s = ctx;
	if (r->snapshot && s->snapshot_count < TOLD_MAX)
		s->snapshots[s->snapshot_count++] = r->snapshot->snapshot;
	if (r->order) {
		s->ended = true;
		s->outcome = (enum order_outcome)r->order->outcome;
		s->safety = r->order->safety_snapshot;
		s->told_before_order = s->snapshot_count;
	}
}

static void on_progress(void *ctx, const struct progress *p)
{
	(void)ctx;
	(void)p;
}

static void work(struct scene *s, const struct work_spec *spec)
{
	struct work_out out = {.ctx = s, .report = on_report, .progress = on_progress};
	work_run(&s->config, spec, &out);
}

/* A good state with its restore point, staged beforehand; then a bad one. */
static int setup(void **state)
{
	static struct scene s;
	struct snapshot_summary good;
	s = (struct scene){0};
	world_init(&s.w);
	world_close(&s.w);
	(void)text_format(s.state, sizeof s.state, "%s/state", s.w.dir);
	assert_int_equal(mkdir(s.state, 0700), 0);
	char path[WORLD_PATH];
	(void)text_format(path, sizeof path, "%s/repository", s.state);
	assert_int_equal(rename(s.w.repo_path, path), 0);
	(void)text_format(s.w.repo_path, WORLD_PATH, "%s", path);
	world_open(&s.w);
	s.w.now_ms = clock_wall_ms() - 3600 * 1000;
	s.services[0] = s.w.service;
	s.services[0].components.config = NULL;
	s.services[0].snapshots.keep = (struct keep_config){.hourly = 4};
	s.config = (struct agent_config){.host = WORLD_HOST, .state_directory = s.state, .services = {s.services, 1}};
	world_text(s.w.data_dir, "state", "good\n");
	WORLD_OK(&s.w, snapshot_create(s.w.repo, &s.services[0],
			   &(struct snapshot_options){.reason = SNAPSHOT_SCHEDULED, .now_ms = s.w.now_ms}, s.w.arena,
			   &good, &s.w.err));
	s.good = good.snapshot;
	world_settle();
	world_text(s.w.data_dir, "state", "bad\n");
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	world_done(&s->w);
	return 0;
}

static void stage(struct scene *s, uint64_t now_ms)
{
	struct prepare_request r = {.service = &s->services[0], .snapshot = s->good, .now_ms = now_ms};
	struct list results;
	WORLD_OK(&s->w, rollback_prepare(s->w.repo, s->state, &r, s->w.arena, &results, &s->w.err));
	assert_int_equal(results.count, 1);
	assert_non_null(LIST_AT(results, struct prepare_result, 0).prepared);
}

static struct list trees(struct scene *s)
{
	struct list rows;
	WORLD_OK(&s->w, rollback_prepared(s->state, "portal", clock_wall_ms(), s->w.arena, &rows, &s->w.err));
	return rows;
}

/* How many folders of staged trees lie beside the live one. */
static unsigned folders(const struct scene *s)
{
	char out[4096];
	unsigned n = 0;
	const char *const argv[] = {"find", s->w.dir, "-maxdepth", "1", "-name", ".kedge-prepared-*", NULL};
	assert_true(world_run(argv, out, sizeof out) >= 0);
	for (const char *at = out; (at = strstr(at, ".kedge-prepared-")); at++)
		n++;
	return n;
}

static void expect_live(const struct scene *s, const char *text)
{
	char path[WORLD_PATH];
	CLEANUP(buf_done) struct buf got = BUF_INIT;
	(void)text_format(path, sizeof path, "%s/state", s->w.data_dir);
	assert_int_equal(file_read(path, 64, &got, NULL), ERR_OK);
	assert_string_equal(buf_str(&got), text);
}

/* What a restore point holds, put somewhere else. */
static void expect_holds(struct scene *s, struct id id, const char *text)
{
	char path[WORLD_PATH * 2];
	struct snapshot_summary about;
	CLEANUP(buf_done) struct buf got = BUF_INIT;
	WORLD_OK(&s->w, snapshot_get(s->w.repo, id, s->w.arena, &about, &s->w.err));
	assert_int_equal(about.reason, SNAPSHOT_SAFETY);
	assert_true(about.suspect);
	struct snapshot *point;
	struct restore_result done;
	WORLD_OK(&s->w, snapshot_open(s->w.repo, id, &point, &s->w.err));
	WORLD_OK(&s->w, snapshot_restore_into(point, s->w.out, &(struct restore_options){0}, &done, &s->w.err));
	snapshot_close(point);
	(void)text_format(path, sizeof path, "%s%s/state", s->w.out, s->w.data_dir);
	WORLD_OK(&s->w, file_read(path, 64, &got, &s->w.err));
	assert_string_equal(buf_str(&got), text);
}

static bool was_told(const struct scene *s, struct id id, size_t from)
{
	for (size_t i = from; i < s->snapshot_count; i++)
		if (id_equal(s->snapshots[i], id))
			return true;
	return false;
}

static void an_order_settles_what_it_exchanged(void **state)
{
	struct scene *s = *state;
	uint64_t now_ms = clock_wall_ms();
	stage(s, now_ms);
	struct order o = {.order = {{7}},
	    .kind = ORDER_ROLLBACK,
	    .epoch = 1,
	    .issued_ms = now_ms,
	    .expires_ms = now_ms + 60000,
	    .run_limit_ms = 60000,
	    .host = WORLD_HOST,
	    .service = "portal",
	    .snapshot = s->good,
	    .issuer = "ada",
	    .reason = "test"};
	work(s, &(struct work_spec){.kind = WORK_ORDER, .order = &o});
	assert_true(s->ended);
	assert_int_equal(s->outcome, ORDER_OK);
	expect_live(s, "good\n");
	assert_false(rollback_is_unsettled(s->state, "portal"));
	expect_holds(s, s->safety, "bad\n");
	assert_true(was_told(s, s->safety, s->told_before_order)); /* nobody waited for it */
	struct list rows = trees(s);                               /* and it lies there for the way back */
	assert_int_equal(rows.count, 1);
	assert_true(LIST_AT(rows, struct prepared_tree, 0).undo);
	assert_int_equal(LIST_AT(rows, struct prepared_tree, 0).state, PREPARED_READY);
}

static void on_step(void *ctx, const struct order_step *step)
{
	(void)ctx;
	(void)step;
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static uint64_t wall(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

/* A rollback by hand whose process did not come to settle it. */
static struct id roll_back_unsettled(struct scene *s)
{
	struct rollback_request r = {.order = {{9}}, .service = &s->services[0], .snapshot = s->good, .no_prove = true};
	struct rollback_io io = {.step = on_step, .cancelled = never, .now_ms = wall};
	struct rollback_result done;
	WORLD_OK(&s->w, rollback_run(s->w.repo, s->state, &r, &io, s->w.arena, &done, &s->w.err));
	assert_int_equal(done.outcome, ORDER_OK);
	assert_true(rollback_is_unsettled(s->state, "portal"));
	return done.safety_snapshot;
}

static void a_pruning_worker_settles_what_was_left(void **state)
{
	struct scene *s = *state;
	stage(s, clock_wall_ms());
	struct id promised = roll_back_unsettled(s);
	struct snapshot_summary none;
	assert_int_equal(snapshot_get(s->w.repo, promised, s->w.arena, &none, &s->w.err), ERR_NOT_FOUND);
	work(s, &(struct work_spec){.kind = WORK_PRUNE});
	assert_false(rollback_is_unsettled(s->state, "portal"));
	assert_true(was_told(s, promised, 0));
	expect_holds(s, promised, "bad\n"); /* pruning did not take it again */
	expect_live(s, "good\n");
	assert_int_equal(folders(s), 1);
}

/* What nobody needed for a week goes, its folder too. */
static void a_pruning_worker_sweeps_what_is_over(void **state)
{
	struct scene *s = *state;
	stage(s, clock_wall_ms());
	work(s, &(struct work_spec){.kind = WORK_PRUNE});
	assert_int_equal(trees(s).count, 1); /* not over yet */
	assert_int_equal(folders(s), 1);
	size_t dropped;
	WORLD_OK(
	    &s->w, rollback_prepared_drop(s->state, "portal", (struct id){{0}}, 0, s->w.arena, &dropped, &s->w.err));
	assert_int_equal(dropped, 1);
	stage(s, clock_wall_ms() - PREPARED_KEEP_MS - 1000);
	work(s, &(struct work_spec){.kind = WORK_PRUNE});
	assert_int_equal(trees(s).count, 0);
	assert_int_equal(folders(s), 0);
	expect_live(s, "bad\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_order_settles_what_it_exchanged, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pruning_worker_settles_what_was_left, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pruning_worker_sweeps_what_is_over, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
