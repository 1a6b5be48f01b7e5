/* A rollback is cut short, or told no, at every system call that changes something: afterwards the trees are the old
 * ones or the new ones, whole.  KEDGE_FAULTS=all goes through all of them; without it some forty of each kind. */
#include "tests/unit/agent/rollback/service.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/lib/disk.h"
#include "tests/lib/faults/faults.h"

enum { SOME = 24, EDGE = 12, EXIT_RC = 100 };

struct arena_world {
	struct world w;
	struct id a, b; /* restore points: what was, and what it became */
	struct prints a_is, b_is;
	bool unwell; /* nothing can be proven */
	const char *yaml;
	const struct disk *disk; /* all of it lies there; NULL: on a file system in memory */
};

static const char *const restless_yaml = "    components:\n"
					 "      config: { paths: [DIR/live] }\n"
					 "      data: { paths: [DIR/data] }\n"
					 "    steps: { reload: [DIR/ctl, reload], timeout: 10s }\n"
					 "    probes:\n"
					 "      - { name: one, tier: shallow, exec: [/bin/true] }\n";

/* Which calls are hit: counted in a run that goes well. */
struct calls {
	uint64_t all, stopped, restored; /* stopped: when it was about to stop; restored: when all was in place */
	char why[TEXT_LINE_MAX];         /* what it said of its end: a wrong one on a far machine must explain itself */
};
static struct calls counted; /* in the child */

static void count_at_step(struct world *w, const struct order_step *s)
{
	(void)w;
	if (s->kind == STEP_SAFETY && !counted.stopped)
		counted.stopped = faults_count();
	if (s->kind == STEP_RESTORE)
		counted.restored = faults_count();
}

/* In memory where what is tested is the order of calls, not the disk. */
static void mount_disk(struct arena_world *s)
{
	if (s->disk)
		assert_true(disk_mount(s->disk, s->w.dir));
	else if (!disk_private_mounts() || mount("none", s->w.dir, "tmpfs", 0, "size=256m") != 0)
		printf("no file system in memory: this takes longer\n");
}

/* Large enough that only what differs of it is written. */
static void large_file(const struct world *w, unsigned generation)
{
	char path[WORLD_PATH];
	uint8_t page[4096];
	int fd = open(world_path(w, "data/large.db", path), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < CONVERGE_PATCH_LEAST / sizeof page + 3; i++) {
		bool changed = generation && i % 100 == 7;
		for (size_t k = 0; k < sizeof page; k++)
			page[k] = (uint8_t)((i * 31 + k * (k >> 3) + (changed ? generation : 0)) ^ (k >> 5));
		if (!generation || changed)
			assert_int_equal(pwrite(fd, page, sizeof page, (off_t)(i * sizeof page)), sizeof page);
	}
	assert_int_equal(close(fd), 0);
}

static void begin_on(struct arena_world *s, const char *yaml, const struct disk *disk)
{
	*s = (struct arena_world){.w = {.now_ms = clock_wall_ms()}, .yaml = yaml, .disk = disk};
	scratch_make(s->w.dir);
	mount_disk(s);
	world_path(&s->w, "repo", s->w.repo_path);
	world_path(&s->w, "state", s->w.state);
	world_path(&s->w, "live", s->w.live);
	s->w.arena = arena_new(512 << 20);
	MUST(repo_init(s->w.repo_path, "h1", err));
	MUST(repo_open(s->w.repo_path, "h1", &s->w.repo, err));
	service_make(&s->w, yaml, 21, 40);
	large_file(&s->w, 0);
	s->a = world_snapshot(&s->w);
	s->a_is = prints_of(&s->w);
	service_break(&s->w, 22, 5);
	large_file(&s->w, 1);
	world_write(&s->w, "live/conf", "good, but another\n");
	s->b = world_snapshot(&s->w);
	s->b_is = prints_of(&s->w);
	repo_close(s->w.repo); /* a child must not inherit it */
	s->w.repo = NULL;
}

static void begin(struct arena_world *s, const char *yaml)
{
	begin_on(s, yaml, NULL);
}

static void end(struct arena_world *s)
{
	(void)!umount2(s->w.dir, MNT_DETACH);
	arena_free(s->w.arena);
	scratch_remove(s->w.dir);
}

static char state_of(const struct arena_world *s)
{
	struct prints now = prints_of(&s->w);
	return prints_equal(now, s->a_is) ? 'a' : prints_equal(now, s->b_is) ? 'b' : '?';
}

/* In a child: its outcome, EXIT_RC + error, or -1 when it was killed.  fault 0: none. */
static int attempt(struct arena_world *s, const struct rollback_request *r, bool recover, enum fault_kind kind,
    int code, uint64_t at, struct calls *ret_calls)
{
	int said[2];
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		struct levers l = {.w = &s->w, .unwell = s->unwell, .on_step = count_at_step};
		struct rollback_io io = levers_io(&l);
		struct rollback_result done = {.outcome = ORDER_OPEN};
		struct err why = ERR_INIT;
		if (repo_open(s->w.repo_path, "h1", &s->w.repo, &why) != ERR_OK)
			_exit(99);
		if (kind == FAULT_POWER)
			faults_arm_power(open(s->w.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at);
		else
			faults_arm(kind, code, at);
		enum err_code rc =
		    (recover ? rollback_recover : rollback_run)(s->w.repo, s->w.state, r, &io, s->w.arena, &done, &why);
		faults_disarm();
		counted.all = faults_count();
		text_copy(counted.why, sizeof counted.why, rc == ERR_OK ? done.text : why.msg);
		(void)!write(said[1], &counted, sizeof counted);
		if (getenv("KEDGE_FAULTS_TELL"))
			fprintf(stderr, "%s %llu %s: %s\n", recover ? "recover" : "run", (unsigned long long)at,
			    faults_name(), rc == ERR_OK ? done.text : why.msg);
		repo_close(s->w.repo);
		_exit(rc == ERR_OK ? (int)done.outcome : EXIT_RC + (int)rc);
	}
	close(said[1]);
	struct calls calls = {0};
	if (read(said[0], &calls, sizeof calls) == sizeof calls && ret_calls)
		*ret_calls = calls;
	close(said[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void whole_and_clean(struct arena_world *s, char want, const char *what, uint64_t at)
{
	struct list pending;
	char is = state_of(s);
	if (is != want)
		fail_msg("%s at call %llu: the trees are '%c', not '%c'", what, (unsigned long long)at, is, want);
	if (world_leftovers(s->w.dir) != 0)
		fail_msg("%s at call %llu: something is left behind", what, (unsigned long long)at);
	MUST(rollback_pending(s->w.state, s->w.arena, &pending, err));
	if (pending.count != 0)
		fail_msg("%s at call %llu: a journal is still open", what, (unsigned long long)at);
	if (!world_has(&s->w, "running"))
		fail_msg("%s at call %llu: the service does not run", what, (unsigned long long)at);
}

static void fresh(struct arena_world *s)
{
	arena_reset(s->w.arena); /* the configuration lives in it */
	world_configure(&s->w, s->yaml);
}

static struct calls undisturbed(struct arena_world *s, const struct rollback_request *r, int want)
{
	struct calls calls = {0};
	int outcome = attempt(s, r, false, FAULT_NONE, 0, 0, &calls);
	if (outcome != want)
		fail_msg("undisturbed, it ended %d, not %d: %s", outcome, want, calls.why);
	return calls;
}

/* Back to where the next attempt begins. */
static void go_to(struct arena_world *s, char where)
{
	if (state_of(s) == where)
		return;
	struct rollback_request r = service_request(&s->w, where == 'a' ? s->a : s->b);
	(void)undisturbed(s, &r, ORDER_OK);
	assert_int_equal(state_of(s), where);
}

static struct calls calls_of(struct arena_world *s, enum order_outcome outcome)
{
	struct rollback_request r = service_request(&s->w, s->a);
	go_to(s, 'b');
	struct calls calls = undisturbed(s, &r, (int)outcome);
	assert_true(calls.all > 60 && calls.stopped > 0 && calls.restored > calls.stopped + 10);
	return calls;
}

static bool all_of_them(void)
{
	const char *given = getenv("KEDGE_FAULTS");
	return given && strcmp(given, "all") == 0;
}

/* each: of those between stopping and proving every each-th. */
static bool is_chosen(const struct calls *c, uint64_t at, unsigned each)
{
	bool inside = at >= c->stopped && at <= c->restored + EDGE;
	return all_of_them() || at <= EDGE || at + EDGE > c->all || (inside && at % each == 0) ||
	       at % (c->all / SOME + 1) == 0;
}

/* ---- killed ---- */

static void finish_after_kill(struct arena_world *s, const struct rollback_request *r, uint64_t at)
{
	int outcome = attempt(s, r, true, FAULT_NONE, 0, 0, NULL);
	if (outcome == EXIT_RC + ERR_NOT_FOUND) /* it was not even begun */
		whole_and_clean(s, 'b', "killed before it began", at);
	else if (outcome == ORDER_OK)
		whole_and_clean(s, 'a', "killed, went on", at);
	else if (outcome == ORDER_REVERTED)
		whole_and_clean(s, 'b', "killed, went back", at);
	else
		fail_msg("killed at call %llu: recovering ended %d", (unsigned long long)at, outcome);
}

static void killed_anywhere(void **state)
{
	(void)state;
	struct arena_world s;
	begin(&s, service_yaml);
	struct calls calls = calls_of(&s, ORDER_OK);
	unsigned forward = 0, back = 0;
	for (uint64_t at = 1; at <= calls.all; at++) {
		if (!is_chosen(&calls, at, 1))
			continue;
		fresh(&s);
		go_to(&s, 'b');
		struct rollback_request request = service_request(&s.w, s.a);
		if (attempt(&s, &request, false, FAULT_KILL, 0, at, NULL) != -1) {
			assert_true(at > calls.all * 3 / 4); /* not all runs are of one length */
			break;
		}
		finish_after_kill(&s, &request, at);
		forward += state_of(&s) == 'a';
		back += state_of(&s) == 'b';
	}
	assert_true(forward > 0 && back > 0);
	printf(
	    "%llu calls; %u times it went on, %u times it went back\n", (unsigned long long)calls.all, forward, back);
	end(&s);
}

/* It cannot be proven, is put back, and is killed on the way: it ends where it began. */
static void killed_while_it_is_undone(void **state)
{
	(void)state;
	struct arena_world s;
	begin(&s, service_yaml);
	s.unwell = true;
	struct calls calls = calls_of(&s, ORDER_REVERTED);
	for (uint64_t at = calls.restored; at <= calls.all; at++) {
		if (!all_of_them() && at % 5 != 0)
			continue;
		fresh(&s);
		struct rollback_request request = service_request(&s.w, s.a);
		if (attempt(&s, &request, false, FAULT_KILL, 0, at, NULL) != -1)
			break;
		assert_int_equal(attempt(&s, &request, true, FAULT_NONE, 0, 0, NULL), ORDER_REVERTED);
		whole_and_clean(&s, 'b', "killed while it was undone", at);
	}
	end(&s);
}

/* Killed again while recovering, and again: it still ends. */
static void killed_again_and_again(void **state)
{
	(void)state;
	struct arena_world s;
	begin(&s, service_yaml);
	struct calls calls = calls_of(&s, ORDER_OK);
	struct random r;
	random_init_seed(&r, 6);
	for (unsigned round = 0; round < (all_of_them() ? 100 : 12); round++) {
		fresh(&s);
		s.unwell = false;
		go_to(&s, 'b');
		s.unwell = round & 1;
		struct rollback_request request = service_request(&s.w, s.a);
		uint64_t at = 1 + random_below(&r, calls.all * 3 / 4);
		assert_int_equal(attempt(&s, &request, false, FAULT_KILL, 0, at, NULL), -1);
		for (unsigned more = 0; more < 3; more++)
			(void)attempt(&s, &request, true, FAULT_KILL, 0, 1 + random_below(&r, calls.all / 2), NULL);
		int outcome = attempt(&s, &request, true, FAULT_NONE, 0, 0, NULL);
		char is = state_of(&s);
		assert_true(is == 'a' || is == 'b');
		assert_true(outcome == ORDER_OK ? is == 'a' : is == 'b');
		whole_and_clean(&s, is, "killed again and again", at);
	}
	end(&s);
}

/* ---- the power goes ---- */

/* What a rollback had begun lives as little as it does: all of it has ended.  The journal of the file system is
 * replayed, and whoever starts services starts this one. */
static void boot(struct arena_world *s)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(umount(s->w.dir), 0);
	mount_disk(s);
	world_write(&s->w, "running", "");
}

/* What was not durable is lost, whatever the order in which it was written.  What a rollback that has ended left is
 * not made durable by anybody else. */
static void the_power_goes_anywhere(void **state)
{
	(void)state;
	struct disk disk;
	struct arena_world s;
	unsigned forward = 0, back = 0;
	if (!disk_make(&disk, 512 << 20))
		skip();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* steps whose rollback is gone are waited for */
	begin_on(&s, service_yaml, &disk);
	sync();
	struct calls calls = calls_of(&s, ORDER_OK);
	for (uint64_t at = 1; at <= calls.all; at++) {
		if (!all_of_them() && at > 3 && at + 3 < calls.all && at % (calls.all / SOME + 1) != 0)
			continue;
		fresh(&s);
		go_to(&s, 'b');
		struct rollback_request request = service_request(&s.w, s.a);
		if (attempt(&s, &request, false, FAULT_POWER, 0, at, NULL) != -1)
			break;
		boot(&s);
		finish_after_kill(&s, &request, at);
		forward += state_of(&s) == 'a';
		back += state_of(&s) == 'b';
	}
	printf(
	    "%llu calls; after a power cut %u went on, %u went back\n", (unsigned long long)calls.all, forward, back);
	assert_true(forward > 0 && back > 0);
	end(&s);
	disk_done(&disk);
}

/* ---- told no ---- */

static void told(struct arena_world *s, const char *name, int code)
{
	struct calls calls = calls_of(s, ORDER_OK);
	unsigned done = 0, reverted = 0, refused = 0;
	for (uint64_t at = 1; at <= calls.all; at++) {
		if (!is_chosen(&calls, at, 4))
			continue;
		fresh(s);
		go_to(s, 'b');
		struct rollback_request request = service_request(&s->w, s->a);
		int outcome = attempt(s, &request, false, FAULT_ERRNO, code, at, NULL);
		done += outcome == ORDER_OK;
		reverted += outcome == ORDER_REVERTED;
		refused += outcome == ORDER_REFUSED || outcome > EXIT_RC;
		if (outcome != ORDER_OK && outcome != ORDER_REVERTED && outcome != ORDER_REFUSED && outcome <= EXIT_RC)
			fail_msg("%s at call %llu: ended %d", name, (unsigned long long)at, outcome);
		whole_and_clean(s, outcome == ORDER_OK ? 'a' : 'b', name, at);
	}
	printf("%s: %u done, %u reverted, %u refused\n", name, done, reverted, refused);
	assert_true(reverted > 0 && refused > 0);
}

static void told_no_anywhere(void **state)
{
	(void)state;
	struct arena_world s;
	begin(&s, service_yaml);
	told(&s, "EIO", EIO);
	told(&s, "ENOSPC", ENOSPC);
	end(&s);
}

/* Nothing is stopped, so there is no second walk: what was saved first is what everything leans on. */
static void killed_where_nothing_is_stopped(void **state)
{
	(void)state;
	struct arena_world s;
	begin(&s, restless_yaml);
	struct calls calls = calls_of(&s, ORDER_OK);
	for (uint64_t at = 1; at <= calls.all; at++) {
		if (!all_of_them() && at % (calls.all / SOME + 1) != 0)
			continue;
		fresh(&s);
		go_to(&s, 'b');
		struct rollback_request request = service_request(&s.w, s.a);
		if (attempt(&s, &request, false, FAULT_KILL, 0, at, NULL) != -1)
			break;
		finish_after_kill(&s, &request, at);
	}
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_anywhere),
	    cmocka_unit_test(killed_where_nothing_is_stopped),
	    cmocka_unit_test(killed_while_it_is_undone),
	    cmocka_unit_test(killed_again_and_again),
	    cmocka_unit_test(the_power_goes_anywhere),
	    cmocka_unit_test(told_no_anywhere),
	};
	if (!tree_can_compare())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
