/* A PostgreSQL cluster is broken in the ways of bad days, and put back by its own tools; interrupted anywhere it is the
 * old one or the new one, and it starts. */
#include "tests/e2e/database/cluster.h"

#include "tests/lib/faults/faults.h"

static struct cluster it; /* one for all tests: making one takes a second */
static struct id point;

static const char *const rows =
    "SELECT count(record_id) || ' ' || md5(string_agg(kind, ',' ORDER BY record_id)) FROM records";
static char good_rows[OUTPUT_MAX];

static void is_good(void)
{
	char out[OUTPUT_MAX];
	assert_string_equal(sql(&it, out, rows), good_rows);
	assert_string_equal(world_read(&it.w, "live/conf", out, sizeof out), "good\n");
}

static void nothing_is_left(void)
{
	char out[OUTPUT_MAX];
	struct list pending;
	assert_int_equal(sh(&it, out, "ls -A | grep -e kedge- -e prepare/svc || true"), 0);
	assert_string_equal(out, "");
	MUST(rollback_pending(it.w.state, it.w.arena, &pending, err));
	assert_int_equal(pending.count, 0);
}

static void ends(struct rollback_result done, enum order_outcome outcome)
{
	if (done.outcome != outcome)
		fail_msg("ended %s: %s", enum_name(&order_outcome_enum, done.outcome), done.text);
	nothing_is_left();
}

static void a_migration_by_hand(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	sql(&it, out, "ALTER TABLE records RENAME COLUMN record_id TO id");
	sql(&it, out, "DELETE FROM records WHERE id > 3");
	world_write(&it.w, "live/conf", "bad\n");
	struct rollback_result done = cluster_rollback(&it, point, false);
	ends(done, ORDER_OK);
	assert_true(done.healthy && done.digests_match);
	assert_int_equal(done.components.count, 2);
	is_good();
	done = cluster_rollback(&it, done.safety_snapshot, true); /* R3: what was there, broken as it was */
	ends(done, ORDER_OK);
	assert_string_equal(sql(&it, out, "SELECT count(id) FROM records"), "3");
	assert_string_equal(world_read(&it.w, "live/conf", out, sizeof out), "bad\n");
	ends(cluster_rollback(&it, done.safety_snapshot, false), ORDER_OK);
	is_good();
}

static void a_dropped_table(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	sql(&it, out, "DROP TABLE records");
	assert_non_null(strstr(sql(&it, out, rows), "does not exist"));
	ends(cluster_rollback(&it, point, false), ORDER_OK);
	is_good();
}

/* Files of the data directory are gone, the pid file among them; the server still runs, and is known to. */
static void deleted_files(void **state)
{
	(void)state;
	assert_int_equal(sh(&it, NULL, "cp data/postmaster.pid pid && rm -rf data/base data/postmaster.pid"), 0);
	assert_true(database_running(it.w.service));
	struct err why = ERR_INIT;
	assert_int_equal(database_swap(it.w.service, "ord-none", &why), ERR_STATE);
	assert_int_equal(
	    sh(&it, NULL, "kill -9 $(head -n 1 pid)"), 0); /* as its operator would: `stop` finds no pid file */
	for (int i = 0; i < 500 && database_running(it.w.service); i++)
		assert_int_equal(sh(&it, NULL, "sleep 0.01"), 0);
	assert_false(database_running(it.w.service));
	/* Until it is reaped its number is taken, and its socket's lock file names it: a new server would not start. */
	assert_int_equal(
	    sh(&it, NULL,
		"for i in $(seq 500); do kill -0 $(head -n 1 pid) 2>/dev/null || exit 0; sleep 0.02; done; "
		"rm -f run/.s.PGSQL.5999.lock"),
	    0);
	ends(cluster_rollback(&it, point, false), ORDER_OK);
	is_good();
}

static void the_whole_directory_is_gone(void **state)
{
	(void)state;
	assert_int_equal(sh(&it, NULL, "./ctl stop && rm -rf data"), 0);
	it.unwell = true; /* first it is not proven: then there is none again */
	ends(cluster_rollback(&it, point, false), ORDER_REVERTED);
	assert_false(world_has(&it.w, "data"));
	it.unwell = false;
	ends(cluster_rollback(&it, point, false), ORDER_OK);
	is_good();
}

static void it_is_not_proven(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	sql(&it, out, "DELETE FROM records WHERE record_id > 10");
	it.unwell = true;
	ends(cluster_rollback(&it, point, false), ORDER_REVERTED);
	it.unwell = false;
	assert_string_equal(sql(&it, out, "SELECT count(*) FROM records"), "10");
	ends(cluster_rollback(&it, point, false), ORDER_OK);
	is_good();
}

static void it_does_not_stop(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	sql(&it, out, "DELETE FROM records WHERE record_id > 20");
	world_write(&it.w, "fail-stop", "");
	ends(cluster_rollback(&it, point, false), ORDER_REVERTED);
	assert_int_equal(sh(&it, NULL, "rm fail-stop"), 0);
	assert_string_equal(sql(&it, out, "SELECT count(*) FROM records"), "20"); /* it was never touched */
	ends(cluster_rollback(&it, point, false), ORDER_OK);
	is_good();
}

/* By a symlink, on a disk of its own: what was there before comes back with its log, without which it would not start.
 */
static void the_log_lies_elsewhere(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	assert_int_equal(
	    sh(&it, NULL, "./ctl stop && mv data/pg_wal wal && ln -s %s/wal data/pg_wal && ./ctl start", it.w.dir), 0);
	sql(&it, out, "DELETE FROM records WHERE record_id > 40");
	struct rollback_result done = cluster_rollback(&it, point, false);
	ends(done, ORDER_OK_WITH_EXCEPTIONS); /* it is whole, and its log lies in the data directory: that is told */
	assert_non_null(strstr(done.text, "/wal, lies in the data directory now"));
	is_good();
	assert_int_equal(sh(&it, NULL, "rm -r wal"), 0); /* that disk is gone */
	done = cluster_rollback(&it, done.safety_snapshot, true);
	ends(done, ORDER_OK);
	assert_true(done.healthy);
	assert_string_equal(sql(&it, out, "SELECT count(*) FROM records"), "40");
	ends(cluster_rollback(&it, point, false), ORDER_OK);
	is_good();
}

static void restore_points_know_no_database(void **state)
{
	(void)state;
	struct snapshot_options o = {
	    .reason = SNAPSHOT_MANUAL, .now_ms = ++it.w.now_ms, .components = 1u << COMPONENT_CONFIG};
	struct snapshot_summary made;
	struct snapshot *s;
	struct err why = ERR_INIT;
	MUST(snapshot_create(it.w.repo, it.w.service, &o, it.w.arena, &made, err));
	MUST(snapshot_open(it.w.repo, made.snapshot, &s, err));
	assert_int_equal(database_stage(s, it.w.state, it.w.service, "ord-x", NULL, &why), ERR_NOT_FOUND);
	snapshot_close(s);
	assert_int_equal(database_snapshot_stopped(it.w.repo, it.w.service,
			     &(struct snapshot_options){.now_ms = ++it.w.now_ms}, it.w.state, it.w.arena, &made, &why),
	    ERR_STATE);
	nothing_is_left();
}

/* ---- interrupted ---- */

static int die_after;               /* this many steps */
static enum fault_kind at_exchange; /* or at the exchange of the two directories */
static unsigned exchange;           /* the first one, or the one that changes them back */

static void die(struct cluster *c, const struct order_step *s)
{
	(void)c;
	(void)s;
	if (--die_after == 0)
		kill(getpid(), SIGKILL);
}

/* In a child, which dies after so many steps; true: it did. */
static bool die_in_child(const struct rollback_request *r, int steps)
{
	repo_close(it.w.repo);
	pid_t child = fork();
	if (child == 0) {
		struct rollback_io io = cluster_io(&it);
		struct rollback_result done;
		die_after = steps;
		it.on_step = die;
		if (repo_open(it.w.repo_path, "h1", &it.w.repo, NULL) != ERR_OK)
			_exit(9);
		if (exchange)
			faults_arm_call(at_exchange, 0, "renameat2", exchange);
		if (rollback_run(it.w.repo, it.w.state, r, &io, it.w.arena, &done, NULL) != ERR_OK)
			_exit(8);
		if (done.outcome != ORDER_OK)
			fprintf(stderr, "it was to live, and ended: %s\n", done.text ? done.text : "-");
		_exit((int)done.outcome);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	MUST(repo_open(it.w.repo_path, "h1", &it.w.repo, err));
	if (!WIFSIGNALED(status))
		assert_int_equal(WEXITSTATUS(status), ORDER_OK);
	return WIFSIGNALED(status);
}

static void whole_after_recovery(const struct rollback_request *r, int steps)
{
	char out[OUTPUT_MAX];
	struct rollback_io io = cluster_io(&it);
	struct rollback_result done;
	MUST(rollback_recover(it.w.repo, it.w.state, r, &io, it.w.arena, &done, err));
	nothing_is_left();
	if (done.outcome == ORDER_OK) {
		is_good();
		return;
	}
	if (done.outcome != ORDER_REVERTED)
		fail_msg(
		    "killed after step %d: %s: %s", steps, enum_name(&order_outcome_enum, done.outcome), done.text);
	assert_string_equal(sql(&it, out, "SELECT count(*) FROM records"), "30");
	assert_string_equal(world_read(&it.w, "live/conf", out, sizeof out), "bad\n");
}

static void killed_between_steps(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	bool died = true;
	int steps = 1;
	for (; died && steps < 20; steps++) {
		sql(&it, out, "DELETE FROM records WHERE record_id > 30");
		world_write(&it.w, "live/conf", "bad\n");
		struct rollback_request r = cluster_request(&it, point);
		died = die_in_child(&r, steps);
		if (died)
			whole_after_recovery(&r, steps);
		ends(cluster_rollback(&it, point, false), ORDER_OK);
		is_good();
	}
	assert_true(steps > 7);
}

/* The two directories change places in one call; the journal has said before which is which. */
static void killed_at_the_exchange(void **state)
{
	(void)state;
	char out[OUTPUT_MAX];
	for (exchange = 1; exchange <= 2; exchange++)
		for (int after = 0; after < 2; after++) {
			sql(&it, out, "DELETE FROM records WHERE record_id > 30");
			world_write(&it.w, "live/conf", "bad\n");
			struct rollback_request r = cluster_request(&it, point);
			at_exchange = after ? FAULT_KILL_AFTER : FAULT_KILL;
			it.unwell = exchange == 2; /* it is undone, and dies there */
			assert_true(die_in_child(&r, 1000));
			it.unwell = false;
			whole_after_recovery(&r, -1);
			unsigned kept = exchange;
			exchange = 0;
			ends(cluster_rollback(&it, point, false), ORDER_OK);
			exchange = kept;
			is_good();
		}
	exchange = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_migration_by_hand),
	    cmocka_unit_test(a_dropped_table),
	    cmocka_unit_test(deleted_files),
	    cmocka_unit_test(the_whole_directory_is_gone),
	    cmocka_unit_test(it_is_not_proven),
	    cmocka_unit_test(it_does_not_stop),
	    cmocka_unit_test(the_log_lies_elsewhere),
	    cmocka_unit_test(restore_points_know_no_database),
	    cmocka_unit_test(killed_between_steps),
	    cmocka_unit_test(killed_at_the_exchange),
	};
	if (!cluster_can(&it))
		return 0;
	cluster_make(&it);
	point = cluster_snapshot(&it);
	sql(&it, good_rows, rows);
	int failed = strncmp(good_rows, "1000 ", 5) == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	cluster_done(&it);
	return failed;
}
