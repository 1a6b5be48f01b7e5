/* Staging beforehand, the exchange, and what comes after it are cut short, or told no, at every system call that
 * changes something: the live trees are the old ones or the new ones, whole, and what is left beside them has a name
 * and goes. KEDGE_FAULTS=all goes through all of them; without it a part of each kind. */
#include "agent/repository/repo_internal.h"
#include "tests/unit/agent/rollback/prepared_scene.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "tests/lib/faults/faults.h"

enum { EXIT_RC = 100, SOME = 10, POWER_CUTS = 8, IMAGE_MB = 64 };
#define FS_IOC_SHUTDOWN_ _IOR('X', 125, uint32_t)
enum { SHUTDOWN_NOLOGFLUSH = 2 }; /* nothing more reaches the disk, not even the file system's own log */

enum act { ACT_PREPARE, ACT_ROLLBACK, ACT_RECOVER, ACT_SETTLE, ACT_DROP };

struct play {
	struct world w;
	struct id good, bad, order;
	struct prints good_is, bad_is;
	bool unwell;
};

struct said {
	uint64_t calls;
	struct id safety;
	char why[TEXT_LINE_MAX];
};

static void begin(struct play *p)
{
	*p = (struct play){.w = {.now_ms = clock_wall_ms()}};
	scratch_make(p->w.dir);
	if (!own_mounts() || mount("none", p->w.dir, "tmpfs", 0, "size=256m") != 0)
		printf("no file system in memory: this takes longer\n");
}

static void fill(struct play *p)
{
	world_path(&p->w, "repo", p->w.repo_path);
	world_path(&p->w, "state", p->w.state);
	world_path(&p->w, "live", p->w.live);
	p->w.arena = arena_new(512 << 20);
	MUST(repo_init(p->w.repo_path, "h1", err));
	MUST(repo_open(p->w.repo_path, "h1", &p->w.repo, err));
	service_make(&p->w, prepared_yaml, 41, 12);
	p->good = world_snapshot(&p->w);
	p->good_is = prints_of(&p->w);
	service_break(&p->w, 42, 4);
	world_write(&p->w, "live/conf", "good, but another\n");
	p->bad = world_snapshot(&p->w);
	p->bad_is = prints_of(&p->w);
	p->order = world_id(&p->w);
	repo_close(p->w.repo); /* a child must not inherit it */
	p->w.repo = NULL;
}

static void end(struct play *p)
{
	arena_free(p->w.arena);
	(void)!umount2(p->w.dir, MNT_DETACH);
	scratch_remove(p->w.dir);
}

static char state_of(const struct play *p)
{
	struct prints now = prints_of(&p->w);
	return prints_equal(now, p->good_is) ? 'g' : prints_equal(now, p->bad_is) ? 'b' : '?';
}

static int do_it(struct play *p, enum act act, struct said *said, struct err *why)
{
	struct levers l = {.w = &p->w, .unwell = p->unwell};
	struct rollback_io io = levers_io(&l);
	struct rollback_request r = {.order = p->order, .service = p->w.service, .snapshot = p->good};
	struct prepare_request prepare = {.service = p->w.service, .snapshot = p->good, .now_ms = ++p->w.now_ms};
	struct rollback_result done = {.outcome = ORDER_OPEN};
	struct list list = {0};
	size_t n;
	enum err_code rc;
	if (act == ACT_PREPARE) {
		rc = rollback_prepare(p->w.repo, p->w.state, &prepare, p->w.arena, &list, why);
		for (size_t i = 0; rc == ERR_OK && i < list.count; i++)
			if (!LIST_AT(list, struct prepare_result, i).prepared)
				return ORDER_REFUSED;
		return rc == ERR_OK ? ORDER_OK : EXIT_RC + (int)rc;
	}
	if (act == ACT_SETTLE || act == ACT_DROP) {
		rc = act == ACT_DROP
			 ? rollback_prepared_drop(p->w.state, "svc", (struct id){0}, 0, p->w.arena, &n, why)
			 : rollback_settle(p->w.repo, p->w.state, p->w.service, ++p->w.now_ms, p->w.arena, &list, why);
		return rc == ERR_OK ? ORDER_OK : EXIT_RC + (int)rc;
	}
	rc = (act == ACT_RECOVER ? rollback_recover : rollback_run)(
	    p->w.repo, p->w.state, &r, &io, p->w.arena, &done, why);
	said->safety = done.safety_snapshot;
	text_copy(why->msg, sizeof why->msg, rc == ERR_OK && done.text ? done.text : why->msg);
	return rc == ERR_OK ? (int)done.outcome : EXIT_RC + (int)rc;
}

/* In a child: how it ended, EXIT_RC + error, or -1 when it was killed. */
static int attempt(struct play *p, enum act act, enum fault_kind kind, int code, uint64_t at, struct said *ret)
{
	int pipe_fds[2], status;
	struct said said = {0};
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		struct err why = ERR_INIT;
		struct index *index; /* what opening it does is not what is counted */
		if (repo_open(p->w.repo_path, "h1", &p->w.repo, &why) != ERR_OK ||
		    repo_index(p->w.repo, &index, &why) != ERR_OK)
			_exit(99);
		faults_arm(kind, code, at);
		int outcome = do_it(p, act, &said, &why);
		faults_disarm();
		said.calls = faults_count();
		text_copy(said.why, sizeof said.why, why.msg);
		(void)!write(pipe_fds[1], &said, sizeof said);
		repo_close(p->w.repo);
		_exit(outcome);
	}
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &said, sizeof said) == sizeof said && ret)
		*ret = said;
	close(pipe_fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must(struct play *p, enum act act, int want, const char *what, uint64_t at)
{
	struct said said = {0};
	int outcome = attempt(p, act, FAULT_NONE, 0, 0, &said);
	if (outcome != want)
		fail_msg("%s at call %llu: then it ended %d, not %d: %s", what, (unsigned long long)at, outcome, want,
		    said.why);
}

static void trees_are(const struct play *p, char want, const char *what, uint64_t at)
{
	char is = state_of(p);
	if (is != want)
		fail_msg("%s at call %llu: the trees are '%c', not '%c'", what, (unsigned long long)at, is, want);
}

/* Dropped are the good and the bad, interrupted ones too. */
static void nothing_is_left(struct play *p, const char *what, uint64_t at)
{
	must(p, ACT_SETTLE, ORDER_OK, what, at);
	must(p, ACT_DROP, ORDER_OK, what, at);
	if (world_leftovers(p->w.dir) != 0)
		fail_msg("%s at call %llu: something is left behind", what, (unsigned long long)at);
}

/* Back to the bad state by way of an ordinary rollback, with nothing staged. */
static void anew(struct play *p)
{
	arena_reset(p->w.arena);
	world_configure(&p->w, prepared_yaml);
	p->unwell = false;
	nothing_is_left(p, "before", 0);
	if (state_of(p) != 'b') {
		struct id good = p->good;
		p->good = p->bad;
		p->order = world_id(&p->w);
		must(p, ACT_ROLLBACK, ORDER_OK, "back to the bad state", 0);
		p->good = good;
	}
	assert_int_equal(state_of(p), 'b');
	p->order = world_id(&p->w);
}

static uint64_t calls_of(struct play *p, enum act act, int want)
{
	struct said said = {0};
	int outcome = attempt(p, act, FAULT_NONE, 0, 0, &said);
	if (outcome != want)
		fail_msg("undisturbed, it ended %d, not %d: %s", outcome, want, said.why);
	return said.calls;
}

static bool all_of_them(void)
{
	const char *given = getenv("KEDGE_FAULTS");
	return given && strcmp(given, "all") == 0;
}

static uint64_t step_of(uint64_t calls)
{
	return all_of_them() ? 1 : calls / SOME + 1;
}

/* ---- staging ---- */

static void prepare_cut_short(void **state)
{
	(void)state;
	static const struct {
		enum fault_kind kind;
		int code;
		const char *what;
	} faults[] = {{FAULT_KILL, 0, "killed"}, {FAULT_ERRNO, EIO, "EIO"}, {FAULT_ERRNO, ENOSPC, "ENOSPC"}};
	struct play p;
	begin(&p);
	fill(&p);
	uint64_t calls = calls_of(&p, ACT_PREPARE, ORDER_OK);
	assert_true(calls > 50);
	for (unsigned k = 0; k < 3; k++)
		for (uint64_t at = 1; at <= calls; at += step_of(calls)) {
			anew(&p);
			int outcome = attempt(&p, ACT_PREPARE, faults[k].kind, faults[k].code, at, NULL);
			trees_are(&p, 'b', faults[k].what, at);
			assert_true(
			    outcome == -1 || outcome == ORDER_OK || outcome == ORDER_REFUSED || outcome > EXIT_RC);
			if (at % 3 == 0) /* what is half there is never exchanged */
				must(&p, ACT_ROLLBACK, ORDER_OK, faults[k].what, at);
			trees_are(&p, at % 3 == 0 ? 'g' : 'b', faults[k].what, at);
			nothing_is_left(&p, faults[k].what, at);
		}
	end(&p);
}

/* ---- the exchange ---- */

static void finish(struct play *p, const char *what, uint64_t at, unsigned *forward, unsigned *back)
{
	struct said said = {0};
	int outcome = attempt(p, ACT_RECOVER, FAULT_NONE, 0, 0, &said);
	if (outcome == EXIT_RC + ERR_NOT_FOUND || outcome == ORDER_REVERTED)
		trees_are(p, 'b', what, at);
	else if (outcome == ORDER_OK)
		trees_are(p, 'g', what, at);
	else
		fail_msg("%s at call %llu: recovering ended %d: %s", what, (unsigned long long)at, outcome, said.why);
	*forward += outcome == ORDER_OK;
	*back += outcome != ORDER_OK;
	if (!world_has(&p->w, "running"))
		fail_msg("%s at call %llu: the service does not run", what, (unsigned long long)at);
}

static void exchange_killed(void **state)
{
	(void)state;
	struct play p;
	unsigned forward = 0, back = 0;
	begin(&p);
	fill(&p);
	must(&p, ACT_PREPARE, ORDER_OK, "staging", 0);
	uint64_t calls = calls_of(&p, ACT_ROLLBACK, ORDER_OK);
	trees_are(&p, 'g', "undisturbed", 0);
	assert_true(calls > 12 && calls < 60); /* exchanged, not written: then there would be some hundred */
	for (uint64_t at = 1; at <= calls; at++)
		for (enum fault_kind kind = FAULT_KILL; kind <= FAULT_KILL_AFTER; kind++) {
			if (!all_of_them() && (at + kind) % 3 != 0)
				continue;
			anew(&p);
			must(&p, ACT_PREPARE, ORDER_OK, "staging", at);
			if (attempt(&p, ACT_ROLLBACK, kind, 0, at, NULL) != -1)
				continue;
			assert_true(state_of(&p) == 'b' || state_of(&p) == 'g' || at > 3);
			finish(&p, "killed", at, &forward, &back);
			nothing_is_left(&p, "killed", at);
		}
	printf("%llu calls; %u times it went on, %u times it went back\n", (unsigned long long)calls, forward, back);
	assert_true(forward > 0 && back > 0);
	end(&p);
}

static void exchange_killed_while_undone(void **state)
{
	(void)state;
	struct play p;
	unsigned forward = 0, back = 0;
	begin(&p);
	fill(&p);
	must(&p, ACT_PREPARE, ORDER_OK, "staging", 0);
	p.unwell = true;
	uint64_t calls = calls_of(&p, ACT_ROLLBACK, ORDER_REVERTED);
	for (uint64_t at = 1; at <= calls; at += step_of(calls)) {
		anew(&p);
		must(&p, ACT_PREPARE, ORDER_OK, "staging", at);
		p.unwell = true;
		if (attempt(&p, ACT_ROLLBACK, FAULT_KILL, 0, at, NULL) != -1)
			break;
		finish(&p, "killed while undone", at, &forward, &back);
		trees_are(&p, 'b', "killed while undone", at);
		nothing_is_left(&p, "killed while undone", at);
	}
	assert_true(back > 0 && !forward);
	end(&p);
}

static void exchange_told_no(void **state)
{
	(void)state;
	static const int codes[] = {EIO, ENOSPC};
	struct play p;
	unsigned done = 0, reverted = 0, refused = 0;
	begin(&p);
	fill(&p);
	must(&p, ACT_PREPARE, ORDER_OK, "staging", 0);
	uint64_t calls = calls_of(&p, ACT_ROLLBACK, ORDER_OK);
	for (unsigned k = 0; k < 2; k++)
		for (uint64_t at = 1 + k; at <= calls; at += all_of_them() ? 1 : 3) {
			anew(&p);
			must(&p, ACT_PREPARE, ORDER_OK, "staging", at);
			int outcome = attempt(&p, ACT_ROLLBACK, FAULT_ERRNO, codes[k], at, NULL);
			bool whole = outcome == ORDER_OK || outcome == ORDER_OK_WITH_EXCEPTIONS;
			done += whole;
			reverted += outcome == ORDER_REVERTED;
			refused += outcome == ORDER_REFUSED || outcome > EXIT_RC;
			if (!whole && outcome != ORDER_REVERTED && outcome != ORDER_REFUSED && outcome <= EXIT_RC)
				fail_msg("told no at call %llu: ended %d", (unsigned long long)at, outcome);
			trees_are(&p, whole ? 'g' : 'b', "told no", at);
			nothing_is_left(&p, "told no", at);
		}
	printf("%u done, %u reverted, %u refused\n", done, reverted, refused);
	assert_true(done > 0 && reverted > 0 && refused > 0);
	end(&p);
}

/* ---- afterwards ---- */

static void settling_cut_short(void **state)
{
	(void)state;
	struct play p;
	struct said said = {0};
	begin(&p);
	fill(&p);
	must(&p, ACT_PREPARE, ORDER_OK, "staging", 0);
	must(&p, ACT_ROLLBACK, ORDER_OK, "exchange", 0);
	uint64_t calls = calls_of(&p, ACT_SETTLE, ORDER_OK);
	assert_true(calls > 10);
	for (unsigned k = 0; k < 2; k++)
		for (uint64_t at = 1; at <= calls; at += step_of(calls)) {
			anew(&p);
			must(&p, ACT_PREPARE, ORDER_OK, "staging", at);
			assert_int_equal(attempt(&p, ACT_ROLLBACK, FAULT_NONE, 0, 0, &said), ORDER_OK);
			(void)attempt(&p, ACT_SETTLE, k ? FAULT_ERRNO : FAULT_KILL, k ? ENOSPC : 0, at, NULL);
			trees_are(&p, 'g', "settling", at);
			must(&p, ACT_SETTLE, ORDER_OK, "settling", at);
			struct id good = p.good;
			p.good = said.safety; /* what was promised is there, and is what was there before */
			p.order = world_id(&p.w);
			must(&p, ACT_ROLLBACK, ORDER_OK, "back to what was promised", at);
			p.good = good;
			trees_are(&p, 'b', "back to what was promised", at);
		}
	end(&p);
}

static void dropping_killed(void **state)
{
	(void)state;
	struct play p;
	begin(&p);
	fill(&p);
	must(&p, ACT_PREPARE, ORDER_OK, "staging", 0);
	uint64_t calls = calls_of(&p, ACT_DROP, ORDER_OK);
	for (uint64_t at = 1; at <= calls; at += step_of(calls)) {
		anew(&p);
		must(&p, ACT_PREPARE, ORDER_OK, "staging", at);
		(void)attempt(&p, ACT_DROP, FAULT_KILL, 0, at, NULL);
		must(&p, ACT_ROLLBACK, ORDER_OK, "a rollback after half a drop", at);
		trees_are(&p, 'g', "a rollback after half a drop", at);
		nothing_is_left(&p, "dropping", at);
	}
	end(&p);
}

/* ---- the power goes ---- */

static bool attach(struct play *p)
{
	char image[WORLD_PATH + 8], out[256];
	(void)text_format(image, sizeof image, "%s.img", p->w.dir);
	return tool_run((const char *const[]){"/bin/mount", "-o", "loop", image, p->w.dir, NULL}, out, sizeof out) == 0;
}

static bool make_disk(struct play *p)
{
	char image[WORLD_PATH + 8], out[256];
	(void)text_format(image, sizeof image, "%s.img", p->w.dir);
	int fd = open(image, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)IMAGE_MB << 20), 0);
	close(fd);
	return tool_run((const char *const[]){"/sbin/mkfs.ext4", "-q", "-F", image, NULL}, out, sizeof out) == 0 &&
	       attach(p);
}

static void cut_power(struct play *p)
{
	uint32_t how = SHUTDOWN_NOLOGFLUSH;
	int fd = open(p->w.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_SHUTDOWN_, &how), 0);
	close(fd);
	assert_int_equal(umount(p->w.dir), 0);
	assert_true(attach(p));
}

/* Killed at a call, and what was not durable by then is lost. */
static void power_goes(void **state)
{
	(void)state;
	struct play p = {.w = {.now_ms = clock_wall_ms()}};
	char image[WORLD_PATH + 8];
	unsigned forward = 0, back = 0;
	scratch_make(p.w.dir);
	(void)text_format(image, sizeof image, "%s.img", p.w.dir);
	if (!own_mounts() || !make_disk(&p)) {
		printf("no disk can be made of a file here: skipped\n");
		(void)unlink(image);
		scratch_remove(p.w.dir);
		skip();
	}
	fill(&p);
	must(&p, ACT_PREPARE, ORDER_OK, "staging", 0);
	uint64_t calls = calls_of(&p, ACT_ROLLBACK, ORDER_OK);
	for (uint64_t at = 1; at <= calls; at += calls / POWER_CUTS + 1) {
		anew(&p);
		must(&p, ACT_PREPARE, ORDER_OK, "staging", at);
		sync(); /* the world before is not what is tested */
		if (attempt(&p, ACT_ROLLBACK, FAULT_KILL_AFTER, 0, at, NULL) != -1)
			continue;
		cut_power(&p);
		world_write(&p.w, "running", "");
		finish(&p, "power cut", at, &forward, &back);
		nothing_is_left(&p, "power cut", at);
	}
	printf("power: %u times it went on, %u times it went back\n", forward, back);
	assert_true(forward > 0 && back > 0);
	arena_free(p.w.arena);
	assert_int_equal(umount(p.w.dir), 0);
	assert_int_equal(unlink(image), 0);
	scratch_remove(p.w.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prepare_cut_short),
	    cmocka_unit_test(exchange_killed),
	    cmocka_unit_test(exchange_killed_while_undone),
	    cmocka_unit_test(exchange_told_no),
	    cmocka_unit_test(settling_cut_short),
	    cmocka_unit_test(dropping_killed),
	    cmocka_unit_test(power_goes),
	};
	if (!tree_can_compare())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
