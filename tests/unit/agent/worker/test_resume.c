/* Orders that an earlier worker had begun when it, or the keeper, or the machine died. */
#include "agent/rollback/journal.h"
#include "agent/worker/work.h"
#include "shared/base/clock.h"
#include "tests/lib/snapshot_world.h"

static struct world w;
static struct service_config services[1];
static struct agent_config config;
static struct action_config actions[1];
static struct plan plan;
static struct order order;
static enum order_outcome outcome;
static char text[TEXT_LINE_MAX], ran[WORLD_PATH];
static struct id taken;

static void on_report(void *ctx, const struct report *r)
{
	(void)ctx;
	if (r->snapshot && r->snapshot->reason == SNAPSHOT_MANUAL)
		taken = r->snapshot->snapshot;
	if (!r->order)
		return;
	outcome = (enum order_outcome)r->order->outcome;
	text_copy(text, sizeof text, r->order->text ? r->order->text : "");
}

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	services[0] = w.service;
	config = (struct agent_config){.host = WORLD_HOST, .state_directory = w.dir, .services = {services, 1}};
	order = (struct order){.order = {{7}}, .kind = ORDER_ROLLBACK, .service = w.service.name, .host = WORLD_HOST};
	outcome = ORDER_OPEN;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static enum order_outcome work(enum work_kind kind)
{
	struct work_spec spec = {.kind = kind, .order = &order, .service = order.service, .reason = SNAPSHOT_MANUAL};
	struct work_out out = {.report = on_report};
	work_run(&config, &spec, &out);
	return outcome;
}

/* Neither the program's nor any repository's. */
static void spoil_repository(void)
{
	char path[WORLD_PATH];
	(void)text_format(path, sizeof path, "%s/repository", w.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)text_format(path, sizeof path, "%s/repository/format", w.dir);
	WORLD_OK(&w, file_replace(path, "nonsense\n", 9, 0600, &w.err));
}

/* Refused is told of what has changed nothing, and nobody would look at the host any more. */
static void test_what_has_begun_is_not_refused(void **state)
{
	char folder[WORLD_PATH];
	struct journal j = {
	    .order = order.order, .service = w.service.name, .snapshot = {{9}}, .phase = JOURNAL_APPLYING};
	(void)state;
	spoil_repository();
	assert_int_equal(work(WORK_ORDER), ORDER_REFUSED);
	assert_int_equal(work(WORK_RESUME), ORDER_REFUSED); /* it had not come to its journal */
	(void)text_format(folder, sizeof folder, "%s/rollback", w.dir);
	WORLD_OK(&w, file_make_dirs(folder, 0700, &w.err));
	WORLD_OK(&w, rollback_journal_write(folder, &j, &w.err));
	assert_int_equal(work(WORK_RESUME), ORDER_FAILED_DIRTY);
}

/* What the data's own program says of its schema. */
static void migrate(struct component_config *data, const char *schema)
{
	static const char *argv[] = {"/bin/echo", NULL};
	argv[1] = schema;
	data->schema = (struct list){argv, 2};
}

/* A worker that died before its journal began nothing: whoever resumes its order asks all that the first would have. */
static void test_what_had_not_begun_passes_the_same_gate(void **state)
{
	static uint32_t only_config[] = {COMPONENT_CONFIG};
	struct component_config data = w.data;
	char state_directory[WORLD_PATH];
	(void)state;
	(void)text_format(state_directory, sizeof state_directory, "%s/state", w.dir);
	config.state_directory = state_directory; /* what lies in it is never put back */
	services[0].components.data = &data;
	services[0].steps.timeout_ms = 10 * 1000;
	world_text(w.config_dir, "app.conf", "first\n");
	migrate(&data, "41");
	(void)work(WORK_SNAPSHOT);
	assert_false(id_is_zero(taken));
	world_settle();
	world_text(w.config_dir, "app.conf", "second\n");
	migrate(&data, "42");
	order.snapshot = taken;
	order.expires_ms = clock_wall_ms() + 60 * 1000;
	order.components = (struct list){only_config, 1};
	assert_int_equal(work(WORK_RESUME), ORDER_REFUSED);
	assert_non_null(strstr(text, "schema"));
	text[0] = '\0';
	order.order.b[1] = 1;
	assert_int_equal(work(WORK_ORDER), ORDER_REFUSED);
	assert_non_null(strstr(text, "schema"));
}

static void declare_action(void)
{
	static const char *argv[] = {"sh", "-c", NULL, NULL};
	static const char *passes[] = {"true"};
	static struct probe_config probes[] = {
	    {.name = "well", .exec = {passes, 1}, .timeout_ms = 5000, .every_ms = 30000, .rise = 1, .fall = 1}};
	static char command[WORLD_PATH + 16];
	(void)text_format(ran, sizeof ran, "%s/ran", w.dir);
	(void)text_format(command, sizeof command, "echo >>%s", ran);
	argv[2] = command;
	actions[0] = (struct action_config){.name = "free-space", .run = {argv, 3}};
	services[0].actions = (struct list){actions, 1};
	services[0].probes = (struct list){probes, 1};
	services[0].steps.timeout_ms = 10 * 1000;
	plan = (struct plan){.action = "free-space"};
	order.kind = ORDER_ACTION;
	order.plan = &plan;
}

static size_t times_run(void)
{
	CLEANUP(buf_done) struct buf got = BUF_INIT;
	return file_read(ran, 64, &got, NULL) == ERR_OK ? got.size : 0;
}

/* No order takes effect twice. */
static void test_an_action_is_not_run_twice(void **state)
{
	(void)state;
	declare_action();
	assert_int_equal(work(WORK_ORDER), ORDER_OK);
	assert_int_equal(times_run(), 1);
	assert_int_equal(work(WORK_RESUME), ORDER_OK);
	assert_int_equal(times_run(), 1);
	assert_non_null(strstr(text, "was interrupted"));
}

/* The repository of the world is this host's, and holds one good restore point. */
static void have_restore_point(void)
{
	static char state[WORLD_PATH]; /* beside what is put back, not above it */
	char path[WORLD_PATH];
	struct snapshot_summary good;
	world_close(&w);
	(void)text_format(state, sizeof state, "%s/state", w.dir);
	(void)text_format(path, sizeof path, "%s/repository", state);
	assert_int_equal(mkdir(state, 0700), 0);
	config.state_directory = state;
	assert_int_equal(rename(w.repo_path, path), 0);
	(void)text_format(w.repo_path, WORLD_PATH, "%s", path);
	world_open(&w);
	world_text(w.config_dir, "site.conf", "good\n");
	WORLD_OK(&w, world_create(&w, &good));
	world_settle();
	order.snapshot = good.snapshot;
	order.run_limit_ms = 60 * 1000;
}

static void expect_live(const char *what)
{
	char path[WORLD_PATH];
	CLEANUP(buf_done) struct buf got = BUF_INIT;
	(void)text_format(path, sizeof path, "%s/site.conf", w.config_dir);
	WORLD_OK(&w, file_read(path, 64, &got, &w.err));
	assert_string_equal(buf_str(&got), what);
}

/* A stale order is not carried out hours later, beside those that go out then. */
static void test_what_had_not_begun_in_time_does_not_begin(void **state)
{
	(void)state;
	have_restore_point();
	world_text(w.config_dir, "site.conf", "broken\n");
	order.expires_ms = clock_wall_ms() - 1;
	assert_int_equal(work(WORK_RESUME), ORDER_EXPIRED);
	expect_live("broken\n");
	order.expires_ms = clock_wall_ms() + 60 * 1000;
	assert_int_equal(work(WORK_RESUME), ORDER_OK);
	expect_live("good\n");
	order.expires_ms = clock_wall_ms() - 1; /* what has begun, and here ended, is answered at any time */
	assert_int_equal(work(WORK_RESUME), ORDER_OK);
}

/* What a plan has run before a rollback is told, and is not run twice either. */
static void test_what_runs_first_is_run_once(void **state)
{
	(void)state;
	have_restore_point();
	declare_action();
	plan = (struct plan){.kind = ORDER_ROLLBACK, .first = "free-space"};
	order.kind = ORDER_ROLLBACK;
	order.expires_ms = clock_wall_ms() + 60 * 1000;
	world_text(w.config_dir, "site.conf", "broken\n");
	assert_int_equal(work(WORK_ORDER), ORDER_OK);
	expect_live("good\n");
	assert_int_equal(times_run(), 1);
	assert_true(text_starts(text, "free-space was run first; "));
	assert_int_equal(work(WORK_ORDER), ORDER_OK); /* answered from its journal */
	assert_int_equal(times_run(), 1);
	order.order.b[1] = 1;
	world_settle();
	world_text(w.config_dir, "site.conf", "broken\n");
	assert_int_equal(work(WORK_RESUME), ORDER_OK);
	expect_live("good\n");
	assert_int_equal(times_run(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_what_has_begun_is_not_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_had_not_begun_passes_the_same_gate, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_an_action_is_not_run_twice, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_had_not_begun_in_time_does_not_begin, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_runs_first_is_run_once, setup, teardown),
	};
	return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
