/* Killed, or refused by the kernel, at every call that changes the repository: afterwards the restore points are the
 * old ones, or the old ones and the new, whole, and the next snapshot needs no repair.
 */
#include <dirent.h>
#include <sys/mount.h>

#include "tests/lib/repo_faults.h"

/* ---- */

static void fill(struct world *w, uint64_t generation)
{
	world_text(w->config_dir, "conf", generation % 2 ? "odd" : "even");
	for (uint64_t i = 0; i < 12; i++) {
		char name[32];
		(void)text_format(name, sizeof name, "f%llu", (unsigned long long)i);
		world_noise(w->data_dir, name, 3000 + i * 1000, generation * 100 + i % 4 + (i < 6 ? 0 : generation));
	}
	world_noise(w->data_dir, "large", 700000, generation);
}

/* A snapshot in a process of its own; what it ended with (ERR_CODE_COUNT: killed). */
static enum err_code snapshot_in_child(struct world *w, int *ret_calls)
{
	int fds[2], status;
	struct {
		enum err_code rc;
		int calls;
		char msg[ERR_MSG_MAX];
	} answer = {ERR_INTERNAL, 0, ""};
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct snapshot_summary s;
		if (fault == FAULT_POWER)
			fault_disk = open(w->repo_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		armed = true;
		answer.rc = repo_open(w->repo_path, WORLD_HOST, &w->repo, &w->err);
		if (!answer.rc)
			answer.rc = world_create(w, &s);
		armed = false;
		(void)text_format(answer.msg, sizeof answer.msg, "%s", w->err.msg);
		answer.calls = calls;
		_exit(write(fds[1], &answer, sizeof answer) != sizeof answer);
	}
	w->now_ms += 1000;
	close(fds[1]);
	bool told = read(fds[0], &answer, sizeof answer) == sizeof answer;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (ret_calls)
		*ret_calls = answer.calls;
	if (!told) {
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		return ERR_CODE_COUNT;
	}
	(void)text_format(w->err.msg, sizeof w->err.msg, "%s", answer.msg);
	return answer.rc;
}

static size_t stray_files(const struct world *w)
{
	char path[WORLD_PATH * 2];
	size_t n = 0;
	(void)text_format(path, sizeof path, "%s/packs", w->repo_path);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		n += text_ends(e->d_name, ".tmp");
	closedir(dir);
	return n;
}

/* The repository lies on a disk of its own from now on. */
static void move_to(struct world *w, const struct disk *disk)
{
	char where[WORLD_PATH];
	(void)text_format(where, sizeof where, "%s/disk", w->dir);
	assert_int_equal(mkdir(where, 0700), 0);
	assert_true(disk_mount(disk, where));
	(void)text_format(w->repo_path, WORLD_PATH, "%s/repo", where);
	WORLD_OK(w, repo_init(w->repo_path, WORLD_HOST, &w->err));
}

/* The journal of the file system is replayed. */
static void boot(struct world *w, const struct disk *disk)
{
	char where[WORLD_PATH];
	(void)text_format(where, sizeof where, "%s/disk", w->dir);
	assert_int_equal(umount(where), 0);
	assert_true(disk_mount(disk, where));
}

/* k = 1, 2, … until a run is untouched.  disk: of FAULT_POWER, else NULL. */
static void every_call(enum fault kind, int code, const struct disk *disk)
{
	struct world w;
	size_t count = 1;
	int at = 1, whole_calls = 0;
	world_init(&w);
	world_close(&w);
	if (disk)
		move_to(&w, disk);
	fill(&w, 1);
	arm(FAULT_NONE, 0, 0);
	assert_int_equal(snapshot_in_child(&w, NULL), ERR_OK);
	for (;; at++) {
		assert_true(at < 2000);
		fill(&w, (uint64_t)at + 1);
		arm(kind, at, code);
		enum err_code rc = snapshot_in_child(&w, &whole_calls);
		arm(FAULT_NONE, 0, 0);
		if (disk && rc == ERR_CODE_COUNT)
			boot(&w, disk);
		if (rc == ERR_OK && whole_calls < at)
			break;
		if (kind == FAULT_ERROR && rc != ERR_OK)
			assert_true(rc == (code == ENOSPC ? ERR_FULL : ERR_IO));
		size_t now = check_all(&w, count, count + 1, at);
		/* An error that was told means that nothing new is there, but for the very last step: the folder's sync
		 * behind the rename. */
		if (rc == ERR_OK)
			assert_int_equal(now, count + 1);
		count = now;
	}
	check_all(&w, count + 1, count + 1, at);
	assert_int_equal(stray_files(&w), 0); /* the last run swept what the killed ones left */
	print_message("%d calls\n", at - 1);
	assert_true(at > 15);
	if (disk) {
		char where[WORLD_PATH];
		(void)text_format(where, sizeof where, "%s/disk", w.dir);
		assert_int_equal(umount(where), 0);
	}
	world_done(&w);
}

static void test_killed_before_every_call(void **state)
{
	(void)state;
	every_call(FAULT_KILL_BEFORE, 0, NULL);
}

static void test_killed_within_every_call(void **state)
{
	(void)state;
	every_call(FAULT_KILL_HALF, 0, NULL);
}

static void test_disk_full_at_every_call(void **state)
{
	(void)state;
	every_call(FAULT_ERROR, ENOSPC, NULL);
}

static void test_io_error_at_every_call(void **state)
{
	(void)state;
	every_call(FAULT_ERROR, EIO, NULL);
}

static void test_power_cut_at_every_call(void **state)
{
	(void)state;
	struct disk disk;
	if (!disk_make(&disk, 256 << 20))
		skip();
	every_call(FAULT_POWER, 0, &disk);
	disk_done(&disk);
}

/* By the clock instead of by the call. */
static void test_killed_at_random(void **state)
{
	(void)state;
	struct world w;
	struct random random;
	size_t count = 1, killed = 0;
	random_init_seed(&random, 42);
	world_init(&w);
	world_close(&w);
	fill(&w, 1);
	assert_int_equal(snapshot_in_child(&w, NULL), ERR_OK);
	for (int round = 0; round < 60; round++) {
		int status;
		fill(&w, (uint64_t)round + 2);
		pid_t pid = fork();
		if (pid == 0) {
			struct snapshot_summary s;
			_exit(repo_open(w.repo_path, WORLD_HOST, &w.repo, &w.err) || world_create(&w, &s));
		}
		w.now_ms += 1000;
		usleep((useconds_t)random_below(&random, 40000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed += WIFSIGNALED(status);
		count = check_all(&w, count, count + 1, round);
	}
	print_message("%zu of 60 killed in time\n", killed);
	assert_true(killed >= 10);
	world_done(&w);
}

/* A real full disk, not a pretended one. */
static void test_full_file_system(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary s;
	char small[WORLD_PATH * 2];
	world_init(&w);
	world_close(&w);
	(void)text_format(small, sizeof small, "%s/small", w.dir);
	assert_int_equal(mkdir(small, 0700), 0);
	if (!disk_private_mounts() || mount("none", small, "tmpfs", MS_NOSUID, "size=6m") != 0) {
		world_done(&w);
		skip();
	}
	(void)text_format(w.repo_path, WORLD_PATH, "%s/repo", small);
	WORLD_OK(&w, repo_init(w.repo_path, WORLD_HOST, &w.err));
	world_open(&w);
	fill(&w, 1);
	WORLD_OK(&w, world_create(&w, &s));
	for (int i = 0; i < 3; i++) {
		world_noise(w.data_dir, "too-much", 8 << 20, (uint64_t)i + 50);
		assert_int_equal(world_create(&w, &s), ERR_FULL);
		assert_non_null(strstr(w.err.msg, "no room"));
	}
	world_close(&w);
	check_all(&w, 1, 1, 0);
	assert_int_equal(stray_files(&w), 0);
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/too-much", w.data_dir);
	assert_int_equal(unlink(path), 0);
	world_open(&w);
	WORLD_OK(&w, world_create(&w, &s)); /* what was refused left no rubbish behind */
	world_close(&w);
	check_all(&w, 2, 2, 0);
	assert_int_equal(umount(small), 0);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_killed_before_every_call),
	    cmocka_unit_test(test_killed_within_every_call),
	    cmocka_unit_test(test_disk_full_at_every_call),
	    cmocka_unit_test(test_io_error_at_every_call),
	    cmocka_unit_test(test_power_cut_at_every_call),
	    cmocka_unit_test(test_killed_at_random),
	    cmocka_unit_test(test_full_file_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
