/* Retention and garbage: what must never go, mostly dead and tiny packs, faults at every call, others at work
 * meanwhile. */
#include <poll.h>
#include <sys/file.h>
#include <time.h>

#include "agent/snapshot/retention.h"
#include "agent/snapshot/upkeep.h"
#include "tests/lib/repo_faults.h"

enum { HOUR_MS = 3600 * 1000, POINTS = 400, ROUNDS = 300 };

static struct world w;
static const struct prune_rule newest_only = {"portal", {.hourly = 1}};

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

/* ---- what stays: by chance, against rules written another way ---- */

static uint64_t days_from_civil(int year, unsigned month)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = (int)month, .tm_mday = 1};
	return (uint64_t)timegm(&tm) * 1000;
}

/* The beginning of the period that ms lies in. */
static uint64_t begin_of(uint64_t ms, int period)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	if (period == 0)
		return ms - ms % HOUR_MS;
	if (period == 1)
		return ms - ms % DAY_MS;
	if (period == 2)
		return ms - ms % DAY_MS - (uint64_t)((tm.tm_wday + 6) % 7) * DAY_MS;
	return days_from_civil(tm.tm_year + 1900, (unsigned)tm.tm_mon);
}

/* Is it the newest of its period, and is the period among the last `wanted` that have one of its kind? */
static bool is_wanted(const struct retained *points, size_t i, int period, uint32_t wanted)
{
	uint64_t mine = begin_of(points[i].taken_ms, period), seen = UINT64_MAX;
	uint32_t periods = 0;
	for (size_t j = 0; j < i; j++) {
		if (points[j].safety || points[j].suspect != points[i].suspect)
			continue;
		uint64_t begin = begin_of(points[j].taken_ms, period);
		if (begin == mine)
			return false;
		periods += begin != seen;
		seen = begin;
	}
	return !points[i].safety && periods < wanted;
}

static bool must_stay(
    const struct retained *points, size_t count, size_t i, const struct keep_config *keep, uint64_t now_ms)
{
	const uint32_t wanted[] = {keep->hourly, keep->daily, keep->weekly, keep->monthly};
	const struct retained *p = &points[i];
	bool newer_verified = false, newer_good = false, newer_safety = false;
	for (size_t j = 0; j < i && j < count; j++) {
		newer_verified |= points[j].verified;
		newer_good |= points[j].verified && !points[j].suspect && !points[j].safety;
		newer_safety |= points[j].safety;
	}
	for (int k = 0; k < 4; k++)
		if (is_wanted(points, i, k, wanted[k]))
			return true;
	return i == 0 || p->fixed || (p->verified && !newer_verified) ||
	       (p->verified && !p->suspect && !p->safety && !newer_good) ||
	       (p->safety && (!newer_safety || now_ms - p->taken_ms < SAFETY_KEEP_MS));
}

static void test_retention_by_chance(void **state)
{
	(void)state;
	struct random random;
	static struct retained points[POINTS];
	random_init_seed(&random, 20261123);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t now = 1700000000000 + random_below(&random, 365) * DAY_MS, at = now;
		size_t count = 1 + (size_t)random_below(&random, POINTS - 1);
		for (size_t i = 0; i < count; i++) {
			points[i] = (struct retained){.taken_ms = at,
			    .verified = random_below(&random, 20) == 0,
			    .fixed = random_below(&random, 50) == 0,
			    .suspect = random_below(&random, 4) == 0,
			    .safety = random_below(&random, 10) == 0};
			at -= random_below(&random, 5 * HOUR_MS);
		}
		struct keep_config keep = {(uint32_t)random_below(&random, 30), (uint32_t)random_below(&random, 10),
		    (uint32_t)random_below(&random, 6), (uint32_t)random_below(&random, 4)};
		if (!keep.hourly && !keep.daily && !keep.weekly && !keep.monthly)
			keep.daily = 1;
		retention_choose(points, count, &keep, now);
		for (size_t i = 0; i < count; i++)
			if (points[i].keep != must_stay(points, count, i, &keep, now))
				fail_msg("round %d: point %zu of %zu should %s", round, i, count,
				    points[i].keep ? "go" : "stay");
	}
}

/* A fault of a month: hundreds of suspect ones, and not one good one goes for them. */
static void test_a_long_fault_pushes_out_nothing_good(void **state)
{
	(void)state;
	static struct retained points[POINTS];
	struct keep_config keep = {.hourly = 24, .daily = 7};
	uint64_t now = 1700000000000;
	for (size_t i = 0; i < POINTS; i++)
		points[i] = (struct retained){
		    .taken_ms = now - i * HOUR_MS, .suspect = i < POINTS - 2, .verified = i == POINTS - 1};
	retention_choose(points, POINTS, &keep, now);
	assert_true(points[POINTS - 1].keep && points[POINTS - 2].keep);
	assert_true(points[0].keep && points[23].keep && !points[24 + 24].keep);
}

/* ---- pruning a repository ---- */

static enum err_code try_prune(uint64_t now_ms, const struct prune_options *more, struct prune_result *ret)
{
	struct prune_options o = more ? *more : (struct prune_options){.apply = true};
	o.now_ms = now_ms;
	o.rules = &newest_only;
	o.rule_count = 1;
	return repo_prune(w.repo, &o, w.arena, ret, &w.err);
}

static struct prune_result prune(uint64_t now_ms)
{
	struct prune_result r;
	WORLD_OK(&w, try_prune(now_ms, NULL, &r));
	return r;
}

static void check_sound(void)
{
	struct first_finding first = {""};
	struct repo_check_options o = {.read_data = true, .on_finding = remember, .ctx = &first};
	struct repo_check_result result;
	WORLD_OK(&w, repo_check(w.repo, &o, &result, &w.err));
	if (result.findings)
		fail_msg("%s", first.text);
}

static void restore_is_right(const struct snapshot_summary *s)
{
	struct snapshot *opened;
	struct restore_options o = {0};
	struct restore_result r;
	char restored[WORLD_PATH * 2];
	WORLD_OK(&w, snapshot_open(w.repo, s->snapshot, &opened, &w.err));
	WORLD_OK(&w, snapshot_restore_into(opened, w.out, &o, &r, &w.err));
	snapshot_close(opened);
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	world_same_trees(w.data_dir, restored);
}

static void write_files(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		char name[32];
		(void)text_format(name, sizeof name, "f%llu", (unsigned long long)i);
		world_noise(w.data_dir, name, 40000, i + 1000);
	}
}

static void remove_files(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		char path[WORLD_PATH * 2];
		(void)text_format(path, sizeof path, "%s/f%llu", w.data_dir, (unsigned long long)i);
		assert_int_equal(unlink(path), 0);
	}
}

/* Two restore points of which the second needs a tenth of what the first stored; the first is gone already. */
static void leave_mostly_dead_packs(struct snapshot_summary *ret)
{
	struct snapshot_summary first;
	write_files(0, 50);
	world_settle();
	WORLD_OK(&w, world_create(&w, &first));
	remove_files(5, 50);
	world_settle();
	w.now_ms += HOUR_MS;
	WORLD_OK(&w, world_create(&w, ret));
	assert_int_equal(LIST_AT(prune(w.now_ms).removed, struct id, 0).b[15], first.snapshot.b[15]);
}

static void test_mostly_dead_packs_are_written_anew(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct repo_stats before, after;
	struct verify_result v;
	leave_mostly_dead_packs(&s);
	WORLD_OK(&w, repo_stats(w.repo, &before, &w.err));
	struct prune_options dry = {.apply = false};
	struct prune_result r;
	WORLD_OK(&w, try_prune(w.now_ms + 1000, &dry, &r));
	assert_true(r.repacked_packs >= 1 && r.repacked_bytes < 50 * 40000 / 4);
	WORLD_OK(&w, repo_stats(w.repo, &after, &w.err));
	assert_int_equal(after.packs, before.packs); /* that was a dry run */
	r = prune(w.now_ms + 2000);
	assert_true(r.repacked_packs >= 1 && r.condemned_packs >= r.repacked_packs);
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v)); /* old and new are there now */
	r = prune(w.now_ms + 3000);
	assert_int_equal(r.repacked_packs, 0);
	assert_int_equal(r.deleted_packs, 0);
	r = prune(w.now_ms + 3000 + PRUNE_GRACE_MS);
	assert_true(r.deleted_packs >= 1);
	WORLD_OK(&w, repo_stats(w.repo, &after, &w.err));
	assert_true(after.packed_bytes < before.packed_bytes / 3);
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
	check_sound();
	restore_is_right(&s);
}

static void test_tiny_packs_become_one(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct prune_rule all = {"portal", {.hourly = 10000}};
	struct prune_options o = {.apply = true, .rules = &all, .rule_count = 1};
	struct prune_result r;
	struct repo_stats stats;
	for (uint64_t i = 0; i < REPACK_SMALL_COUNT + 2; i++) {
		char text[32];
		(void)text_format(text, sizeof text, "generation %llu", (unsigned long long)i);
		world_text(w.config_dir, "conf", text);
		w.now_ms += HOUR_MS;
		WORLD_OK(&w, world_create(&w, &s));
	}
	o.now_ms = w.now_ms;
	WORLD_OK(&w, repo_prune(w.repo, &o, w.arena, &r, &w.err));
	assert_int_equal(r.removed.count, 0);
	assert_true(r.repacked_packs >= REPACK_SMALL_COUNT);
	o.now_ms += PRUNE_GRACE_MS;
	WORLD_OK(&w, repo_prune(w.repo, &o, w.arena, &r, &w.err));
	WORLD_OK(&w, repo_stats(w.repo, &stats, &w.err));
	assert_true(stats.packs <= 2);
	assert_int_equal(stats.snapshots, REPACK_SMALL_COUNT + 2);
	check_sound();
}

/* ---- faults ---- */

static void prune_in_child(uint64_t now_ms, int *ret_calls)
{
	int fds[2], status, made = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct prune_result r;
		armed = true;
		if (repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err) == ERR_OK)
			(void)try_prune(now_ms, NULL, &r);
		armed = false;
		made = calls;
		_exit(write(fds[1], &made, sizeof made) != sizeof made);
	}
	close(fds[1]);
	*ret_calls = read(fds[0], &made, sizeof made) == sizeof made ? made : -1; /* killed */
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* Each round has something to remove, to write anew, to condemn and to delete. */
static void every_call_of_a_prune(enum fault kind, int code)
{
	struct snapshot_summary s;
	struct verify_result v;
	int at = 1, made = 0;
	leave_mostly_dead_packs(&s);
	for (;; at++) {
		assert_true(at < 1000);
		w.now_ms += PRUNE_GRACE_MS + HOUR_MS;
		write_files(100, 110);
		WORLD_OK(&w, world_create(&w, &s));
		remove_files(101, 110);
		WORLD_OK(&w, world_create(&w, &s));
		world_close(&w);
		arm(kind, at, code);
		prune_in_child(w.now_ms + HOUR_MS, &made);
		arm(FAULT_NONE, 0, 0);
		world_open(&w);
		WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
		check_sound();
		if (made >= 0 && made < at)
			break;
	}
	print_message("%d calls\n", at - 1);
	assert_true(at > 15);
	restore_is_right(&s);
}

static void test_killed_at_every_call(void **state)
{
	(void)state;
	every_call_of_a_prune(FAULT_KILL_BEFORE, 0);
}

/* ---- nobody waits for it ---- */

enum {
	PATIENCE_MS = 150,   /* an emergency restore point of this tree takes some twenty */
	COMMIT_CALLS = 16,   /* of one transaction of the index, with its seal; a prune has 35 */
	EMERGENCY_MS = 20000 /* under any load, with nobody in the way */
};

static pid_t begin_pruning(uint64_t now_ms)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct prune_result r;
		armed = true;
		if (repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err) == ERR_OK)
			(void)try_prune(now_ms, NULL, &r);
		_exit(0);
	}
	return pid;
}

static pid_t begin_emergency(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct snapshot_summary s;
		struct snapshot_options o = {.reason = SNAPSHOT_EMERGENCY, .now_ms = w.now_ms};
		_exit(repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err) != ERR_OK ||
		      snapshot_create(w.repo, &w.service, &o, w.arena, &s, &w.err) != ERR_OK);
	}
	return pid;
}

static bool ends_within(pid_t pid, int ms)
{
	int status;
	for (int i = 0; i <= ms / 5; i++) {
		pid_t got = waitpid(pid, &status, WNOHANG);
		if (got == pid) {
			assert_int_equal(status, 0);
			return true;
		}
		(void)poll(NULL, 0, 5);
	}
	return false;
}

/* True: it ended instead. */
static bool stops(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status) || status == 0);
	return !WIFSTOPPED(status);
}

/* A prune that stands still (a slow disk, a stopped process) holds up an emergency for as long as one transaction of
 * the index at most, never until it ends. */
static void an_emergency_while_it_stands_at(int at)
{
	struct snapshot_summary s;
	int calls_on = 0;
	w.now_ms += PRUNE_GRACE_MS + HOUR_MS;
	write_files(100, 110);
	WORLD_OK(&w, world_create(&w, &s));
	remove_files(101, 110);
	WORLD_OK(&w, world_create(&w, &s));
	world_close(&w);
	arm(FAULT_STOP, at, 0);
	pid_t prune = begin_pruning(w.now_ms + HOUR_MS);
	arm(FAULT_NONE, 0, 0);
	bool over = stops(prune);
	assert_false(over);
	pid_t emergency = begin_emergency();
	while (!ends_within(emergency, calls_on < COMMIT_CALLS ? PATIENCE_MS : EMERGENCY_MS)) {
		assert_true(calls_on++ < COMMIT_CALLS);
		kill(prune, SIGCONT);
		over = stops(prune);
		assert_false(over);
	}
	print_message("before call %d: %d calls more\n", at, calls_on);
	while (!over) {
		kill(prune, SIGCONT);
		over = stops(prune);
	}
	world_open(&w);
	check_sound();
}

static void test_an_emergency_waits_for_no_prune(void **state)
{
	(void)state;
	struct snapshot_summary s;
	leave_mostly_dead_packs(&s);
	an_emergency_while_it_stands_at(1);
	an_emergency_while_it_stands_at(6);
	an_emergency_while_it_stands_at(15);
}

static void test_refused_at_every_call(void **state)
{
	(void)state;
	every_call_of_a_prune(FAULT_ERROR, EIO);
}

/* ---- others at work ---- */

static void test_one_at_a_time(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct prune_result r;
	int ready[2], go[2], status;
	char byte = 0;
	WORLD_OK(&w, world_create(&w, &s));
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) { /* a prune that was stopped in its midst */
		char path[WORLD_PATH * 2];
		(void)text_format(path, sizeof path, "%s/packs", w.repo_path);
		int fd = open(path, O_RDONLY | O_DIRECTORY);
		_exit(flock(fd, LOCK_EX) || write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(try_prune(w.now_ms, NULL, &r), ERR_BUSY);
	WORLD_OK(&w, world_create(&w, &s)); /* a snapshot does not wait for it */
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	WORLD_OK(&w, try_prune(w.now_ms, NULL, &r)); /* the kernel gave the lock back */
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* Two that prune and two that take, all at once. */
static void test_pruners_and_writers_together(void **state)
{
	(void)state;
	enum { CHILDREN = 4, TURNS = 12 };
	struct list all, damaged;
	pid_t pids[CHILDREN];
	world_close(&w);
	write_files(0, 8);
	for (int c = 0; c < CHILDREN; c++) {
		pids[c] = fork();
		if (pids[c])
			continue;
		int failed = repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err) != ERR_OK;
		for (int turn = 0; turn < TURNS && !failed; turn++) {
			struct snapshot_summary s;
			struct prune_result r;
			w.now_ms += HOUR_MS;
			if (c < 2) {
				enum err_code rc = try_prune(w.now_ms, NULL, &r);
				failed = rc && rc != ERR_BUSY && rc != ERR_STATE;
			} else {
				char name[32];
				(void)text_format(name, sizeof name, "by-%d", c);
				world_noise(w.data_dir, name, 9000, (uint64_t)(c * 100 + turn));
				failed = world_create(&w, &s) != ERR_OK;
			}
		}
		if (failed)
			fprintf(stderr, "child %d: %s\n", c, w.err.msg);
		_exit(failed);
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status;
		assert_int_equal(waitpid(pids[c], &status, 0), pids[c]);
		assert_int_equal(status, 0);
	}
	world_open(&w);
	WORLD_OK(&w, snapshot_list(w.repo, NULL, w.arena, &all, &damaged, &w.err));
	assert_int_equal(damaged.count, 0);
	assert_true(all.count >= 2);
	check_sound();
}

static void put_hold(void *ctx, struct snapshot_marks *m)
{
	m->hold = ctx;
}

/* Holds and verifications from two processes: neither is lost. */
static void test_marks_from_two_processes(void **state)
{
	(void)state;
	enum { MARKED = 40 };
	static struct id ids[MARKED];
	int status;
	for (int i = 0; i < MARKED; i++) {
		struct snapshot_summary s;
		WORLD_OK(&w, world_create(&w, &s));
		ids[i] = s.snapshot;
	}
	world_close(&w);
	pid_t pid = fork();
	world_open(&w);
	for (int i = 0; i < MARKED; i++) {
		struct verify_result v;
		if (pid)
			WORLD_OK(&w, world_verify(&w, ids[i], &v));
		else
			WORLD_OK(&w, snapshot_mark(w.repo, ids[i], put_hold, (char[]){"court"}, &w.err));
	}
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < MARKED; i++) {
		struct snapshot_summary s;
		WORLD_OK(&w, snapshot_get(w.repo, ids[i], w.arena, &s, &w.err));
		assert_true(s.marks.verified_ms);
		assert_string_equal(s.marks.hold, "court");
	}
	struct id nobody = ids[0];
	nobody.b[15] ^= 1;
	assert_int_equal(snapshot_mark(w.repo, nobody, put_hold, (char[]){"x"}, &w.err), ERR_NOT_FOUND);
}

static void test_a_wrong_clock_prunes_nothing(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct prune_result r;
	for (int i = 0; i < 3; i++) {
		w.now_ms += HOUR_MS;
		WORLD_OK(&w, world_create(&w, &s));
	}
	assert_int_equal(try_prune(w.now_ms - DAY_MS, NULL, &r), ERR_STATE);
	assert_int_equal(world_count(&w), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_retention_by_chance),
	    cmocka_unit_test(test_a_long_fault_pushes_out_nothing_good),
	    cmocka_unit_test_setup_teardown(test_mostly_dead_packs_are_written_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tiny_packs_become_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_killed_at_every_call, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused_at_every_call, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_an_emergency_waits_for_no_prune, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pruners_and_writers_together, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_marks_from_two_processes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_wrong_clock_prunes_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
