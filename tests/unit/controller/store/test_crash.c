/* What was acknowledged is there: after kill -9 at any moment, after a power cut, on a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numbered.h"
#include "tests/lib/disk.h"

static void open_store(const char *folder, struct store **ret)
{
	struct err err = ERR_INIT;
	if (store_open(&(struct store_options){.folder = folder, .map_bytes = 1 << 20}, ret, &err) != ERR_OK)
		fail_msg("%s", err.msg);
}

/* ---- a child that commits until it dies and acknowledges each commit through a pipe ---- */

enum { COMMIT_REFUSED = 3 };

/* limit: then it stays alive and does nothing; 0: none. */
static void child_commits(const char *folder, int ack, uint64_t limit)
{
	struct store *s;
	struct err err = ERR_INIT;
	if (store_open(&(struct store_options){.folder = folder, .map_bytes = 1 << 20}, &s, &err) != ERR_OK)
		_exit(4);
	uint64_t first = numbered_check(s) + 1;
	for (uint64_t i = first; !limit || i < first + limit; i++) {
		if (numbered_commit(s, i, &err) != ERR_OK)
			_exit(COMMIT_REFUSED);
		if (write(ack, &i, sizeof(i)) != sizeof(i))
			_exit(5);
	}
	for (;;)
		pause();
}

struct child {
	pid_t pid;
	int ack;
	uint64_t last; /* acknowledged */
};

static struct child child_start(const char *folder, uint64_t limit)
{
	int p[2];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(p[0]);
		child_commits(folder, p[1], limit);
	}
	assert_true(pid > 0);
	close(p[1]);
	return (struct child){.pid = pid, .ack = p[0]};
}

/* Take acknowledgements; false at the end of them. */
static bool child_ack(struct child *c)
{
	uint64_t i;
	ssize_t n = read(c->ack, &i, sizeof(i));
	if (n != sizeof(i))
		return false;
	assert_true(!c->last || i == c->last + 1);
	c->last = i;
	return true;
}

static int child_end(struct child *c, int signal)
{
	int status;
	if (signal)
		assert_int_equal(kill(c->pid, signal), 0);
	while (child_ack(c)) /* what it said before it died counts */
		;
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->ack);
	return status;
}

static void acknowledged_commits_survive_kill_9(void **state)
{
	(void)state;
	char folder[SCRATCH_PATH];
	struct random random;
	scratch_make(folder);
	random_init_seed(&random, 9);
	uint64_t before = 0;
	for (int round = 0; round < 50; round++) {
		struct child c = child_start(folder, 0);
		for (uint64_t left = 1 + random_below(&random, 30); left; left--)
			assert_true(child_ack(&c));
		for (volatile uint64_t spin = random_below(&random, 300000); spin; spin--)
			; /* the moment within a commit */
		int status = child_end(&c, SIGKILL);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		struct store *s;
		open_store(folder, &s);
		uint64_t now = numbered_check(s);
		assert_true(now >= c.last && now <= c.last + 1 && c.last > before);
		before = now;
		store_close(s);
	}
	scratch_remove(folder);
}

/* ---- a file system of our own ---- */

static void cut_power(const char *mounted)
{
	int fd = open(mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(disk_cut(fd));
	close(fd);
}

/* quiet: the power goes while nothing is written, so that what only the next commit would have synced is lost. */
static uint64_t power_round(const struct disk *disk, const char *mounted, const char *folder, uint64_t acks, bool quiet)
{
	assert_true(disk_mount(disk, mounted));
	struct child c = child_start(folder, quiet ? acks : 0);
	while (acks-- && child_ack(&c))
		;
	cut_power(mounted);
	int status = child_end(&c, quiet ? SIGKILL : 0); /* else its next commit fails, and it ends by itself */
	assert_true(quiet || (WIFEXITED(status) && WEXITSTATUS(status) == COMMIT_REFUSED));
	assert_int_equal(umount(mounted), 0);
	assert_true(disk_mount(disk, mounted)); /* replays the journal */
	struct store *s;
	open_store(folder, &s);
	uint64_t now = numbered_check(s);
	store_close(s);
	assert_int_equal(umount(mounted), 0);
	if (now < c.last)
		fail_msg("commit %llu was acknowledged, the disk has %llu", (unsigned long long)c.last,
		    (unsigned long long)now);
	assert_true(now <= c.last + 1);
	return now;
}

static void acknowledged_commits_survive_a_power_cut(void **state)
{
	(void)state;
	char mounted[SCRATCH_PATH], store[SCRATCH_PATH + 8];
	struct disk disk;
	struct random random;
	if (!disk_make(&disk, 64 << 20))
		skip();
	snprintf(store, sizeof(store), "%s/store", scratch_make(mounted));
	random_init_seed(&random, 10);
	uint64_t last = 0;
	for (int round = 0; round < 12; round++) {
		uint64_t now = power_round(&disk, mounted, store, 1 + random_below(&random, 40), round % 2);
		assert_true(now > last);
		last = now;
	}
	disk_done(&disk);
	scratch_remove(mounted);
}

/* ---- a full disk ---- */

/* All but spare_bytes. */
static void fill_disk(const char *folder, off_t spare_bytes)
{
	char path[160];
	static const char block[4096] = {1};
	snprintf(path, sizeof(path), "%s/filler", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	off_t size = 0;
	for (ssize_t n; (n = write(fd, block, sizeof(block))) > 0; size += n)
		;
	assert_int_equal(ftruncate(fd, size - spare_bytes), 0);
	close(fd);
}

/* With a few pages to spare LMDB's write is cut short, and it says EIO instead of ENOSPC. */
static void full_disk(const char *folder, off_t spare_bytes)
{
	char path[128];
	struct store *s;
	struct err err = ERR_INIT;
	snprintf(path, sizeof(path), "%s/store", folder);
	open_store(path, &s);
	uint64_t i = 0;
	while (i < 10 && numbered_commit(s, i + 1, &err) == ERR_OK)
		i++;
	assert_int_equal(i, 10);
	fill_disk(folder, spare_bytes);
	while (i < 1000 && numbered_commit(s, i + 1, &err) == ERR_OK)
		i++; /* free pages inside the file last for a while */
	assert_true(i < 1000);
	assert_int_equal(err.code, ERR_FULL);
	assert_non_null(strstr(err.msg, "disk is full"));
	assert_int_equal(numbered_commit(s, i + 1, &err), ERR_STATE); /* broken from then on */
	store_close(s);
	open_store(path, &s); /* reading needs no room */
	assert_int_equal(numbered_check(s), i);
	store_close(s);
	assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, "size=8m"), 0);
	open_store(path, &s);
	assert_int_equal(numbered_commit(s, i + 1, &err), ERR_OK);
	assert_int_equal(numbered_check(s), i + 1);
	store_close(s);
}

static void a_full_disk_is_a_clear_error_and_the_old_state_whole(void **state)
{
	(void)state;
	char folder[SCRATCH_PATH];
	if (!disk_private_mounts())
		skip();
	scratch_make(folder);
	for (off_t spare = 0; spare < 5; spare++) {
		assert_int_equal(mount("tmpfs", folder, "tmpfs", 0, "size=2m"), 0);
		full_disk(folder, spare * 4096);
		assert_int_equal(umount(folder), 0);
	}
	scratch_remove(folder);
}

/* LMDB writes readers into a mapped file: without room for it that would be a SIGBUS. */
static void readers_need_no_room(void **state)
{
	enum { READERS = 400 };
	(void)state;
	char folder[SCRATCH_PATH], path[128];
	struct store *s;
	struct store_view *views[READERS];
	if (!disk_private_mounts())
		skip();
	scratch_make(folder);
	assert_int_equal(mount("tmpfs", folder, "tmpfs", 0, "size=2m"), 0);
	snprintf(path, sizeof(path), "%s/store", folder);
	open_store(path, &s);
	fill_disk(folder, 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(store_view_open(s, "test", &views[i], NULL), ERR_OK);
	for (int i = 0; i < READERS; i++)
		store_view_close(views[i]);
	store_close(s);
	assert_int_equal(umount(folder), 0);
	scratch_remove(folder);
}

static void a_new_store_on_a_full_disk_is_a_clear_error(void **state)
{
	(void)state;
	char folder[SCRATCH_PATH], store[128];
	if (!disk_private_mounts())
		skip();
	scratch_make(folder);
	assert_int_equal(mount("tmpfs", folder, "tmpfs", 0, "size=1m"), 0);
	fill_disk(folder, 0);
	snprintf(store, sizeof(store), "%s/store", folder);
	struct store *s;
	struct err err = ERR_INIT;
	assert_int_equal(store_open(&(struct store_options){.folder = store}, &s, &err), ERR_FULL);
	assert_non_null(strstr(err.msg, "disk is full"));
	assert_int_equal(umount(folder), 0);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(acknowledged_commits_survive_kill_9),
	    cmocka_unit_test(acknowledged_commits_survive_a_power_cut),
	    cmocka_unit_test(a_full_disk_is_a_clear_error_and_the_old_state_whole),
	    cmocka_unit_test(readers_need_no_room),
	    cmocka_unit_test(a_new_store_on_a_full_disk_is_a_clear_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
