#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/file_together.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

static char root[64];

/* Which of the calls that a test watches fails next: counts down to 0, -1 for none. */
static int fail_after = -1, fail_errno, calls;
static char steps[256];
static size_t write_most;      /* not 0: a write takes at most so many bytes */
static int interrupted_writes; /* so many writes end in EINTR first */

static bool step(const char *name)
{
	calls++;
	strncat(steps, name, sizeof(steps) - strlen(steps) - 1);
	if (fail_after < 0 || fail_after-- > 0)
		return true;
	errno = fail_errno;
	return false;
}

int __real_mkostemp(char *t, int flags);
int __wrap_mkostemp(char *t, int flags);
int __wrap_mkostemp(char *t, int flags)
{
	return step("make ") ? __real_mkostemp(t, flags) : -1;
}
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
	return step("chmod ") ? __real_fchmod(fd, mode) : -1;
}
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat st;
	fstat(fd, &st);
	return step(S_ISDIR(st.st_mode) ? "sync-folder " : "sync ") ? __real_fsync(fd) : -1;
}
int __real_rename(const char *a, const char *b);
int __wrap_rename(const char *a, const char *b);
int __wrap_rename(const char *a, const char *b)
{
	return step("rename ") ? __real_rename(a, b) : -1;
}
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (fd <= 2)
		return __real_write(fd, p, n);
	if (interrupted_writes > 0) {
		interrupted_writes--;
		errno = EINTR;
		return -1;
	}
	if (!step("write "))
		return -1;
	return __real_write(fd, p, write_most && n > write_most ? write_most : n);
}

static void (*before_lock)(int fd);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);
int __wrap_flock(int fd, int how)
{
	if (before_lock)
		before_lock(fd);
	return __real_flock(fd, how);
}

static void reset(void)
{
	fail_after = -1;
	calls = 0;
	steps[0] = '\0';
	write_most = 0;
	interrupted_writes = 0;
	before_lock = NULL;
}

static const char *in_root(const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *out = path[next++ % 4];
	snprintf(out, sizeof(path[0]), "%s/%s", root, name);
	return out;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	reset();
	const char *tmp = getenv("TMPDIR");
	snprintf(root, sizeof(root), "%.30s/kedge-file-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	reset();
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int entries(const char *path)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	int n = 0;
	for (struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	return n;
}

static void holds(const char *path, const char *text)
{
	CLEANUP(buf_done) struct buf b = BUF_INIT;
	assert_int_equal(file_read(path, 1 << 20, &b, NULL), ERR_OK);
	assert_string_equal(buf_str(&b), text);
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), ERR_OK);
}

static void read_appends(void **state)
{
	(void)state;
	const char *path = in_root("a");
	CLEANUP(buf_done) struct buf b = BUF_INIT;
	buf_text(&b, "before ");
	put(path, "contents");
	assert_int_equal(file_read(path, 8, &b, NULL), ERR_OK);
	assert_string_equal(buf_str(&b), "before contents");
	assert_true(file_exists(path));
	assert_false(file_exists(in_root("b")));
}

static void read_limit(void **state)
{
	(void)state;
	static const size_t limits[] = {0, 1, 16383, 16384, 16385, 50000};
	static char bytes[50001];
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (int over = -1; over <= 1; over++) {
			if (limits[i] == 0 && over < 0)
				continue;
			size_t size = limits[i] + (size_t)over;
			assert_int_equal(file_replace(in_root("a"), bytes, size, 0600, NULL), ERR_OK);
			CLEANUP(buf_done) struct buf b = BUF_INIT;
			buf_text(&b, "kept");
			enum err_code rc = file_read(in_root("a"), limits[i], &b, NULL);
			assert_int_equal(rc, over > 0 ? ERR_LIMIT : ERR_OK);
			assert_int_equal(b.size, 4 + (over > 0 ? 0 : size));
			assert_int_equal(strlen(buf_str(&b)), b.size);
		}
}

static void read_errors(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf b = {.limit = 10};
	struct err err = ERR_INIT;
	assert_int_equal(file_read(in_root("none"), 10, &b, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "none"));
	assert_int_equal(file_read(root, 10, &b, &err), ERR_IO);
	assert_int_equal(err.sys_errno, EISDIR);
	put(in_root("a"), "more than ten bytes");
	assert_int_equal(file_read(in_root("a"), 100, &b, &err), ERR_NOMEM);
	assert_int_equal(b.size, 0);
	buf_clear(&b);
	put(in_root("a"), "ten bytes.");
	assert_int_equal(file_read(in_root("a"), 10, &b, &err), ERR_OK);
	assert_string_equal(buf_str(&b), "ten bytes.");
}

static void replace_sets_mode_whatever_the_umask(void **state)
{
	(void)state;
	mode_t old = umask(077);
	struct stat st;
	assert_int_equal(file_replace(in_root("a"), "x", 1, 0644, NULL), ERR_OK);
	stat(in_root("a"), &st);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_replace(in_root("a"), "", 0, 0640, NULL), ERR_OK);
	stat(in_root("a"), &st);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, 0);
	umask(old);
}

static void replace_in_order(void **state)
{
	(void)state;
	assert_int_equal(file_replace(in_root("a"), "new", 3, 0600, NULL), ERR_OK);
	assert_string_equal(steps, "make write chmod sync rename sync-folder ");
}

/* Each step fails in turn: the file is old or new, never half, nothing is left beside it, and success is never claimed.
 */
static void replace_by_failing_steps(void **state)
{
	(void)state;
	const char *path = in_root("a");
	put(path, "old contents");
	for (int i = 0;; i++) {
		reset();
		fail_after = i;
		fail_errno = i % 2 ? EIO : ENOSPC;
		struct err err = ERR_INIT;
		enum err_code rc = file_replace(path, "new", 3, 0600, &err);
		bool renamed = strstr(steps, "sync-folder") != NULL;
		reset();
		holds(path, renamed ? "new" : "old contents");
		assert_int_equal(entries(root), 1);
		if (rc == ERR_OK) {
			assert_int_equal(i, 6);
			break;
		}
		assert_int_equal(rc, i % 2 ? ERR_IO : ERR_FULL);
		assert_non_null(strstr(err.msg, root));
		put(path, "old contents");
	}
}

static enum err_code put_two(const char *a, const char *b)
{
	const struct file_new both[] = {{in_root("a"), a, strlen(a)}, {in_root("b"), b, strlen(b)}};
	return file_replace_together(both, 2, 0600, NULL);
}

/* Nothing is renamed before all is on the disk, and the second never before the first. */
static void together_in_order(void **state)
{
	(void)state;
	assert_int_equal(put_two("one", "two"), ERR_OK);
	assert_string_equal(steps, "make write chmod make write chmod sync sync rename rename sync-folder ");
	holds(in_root("a"), "one");
	holds(in_root("b"), "two");
}

static void together_by_failing_steps(void **state)
{
	(void)state;
	for (int i = 0;; i++) {
		put(in_root("a"), "old one");
		put(in_root("b"), "old two");
		reset();
		fail_after = i;
		fail_errno = EIO;
		enum err_code rc = put_two("one", "two");
		bool first = strstr(steps, "rename rename") != NULL, second = strstr(steps, "sync-folder") != NULL;
		reset();
		holds(in_root("a"), first ? "one" : "old one");
		holds(in_root("b"), second ? "two" : "old two");
		assert_int_equal(entries(root), 2);
		if (rc == ERR_OK) {
			assert_int_equal(i, 11);
			break;
		}
		assert_int_equal(rc, ERR_IO);
	}
}

static void replace_survives_short_writes(void **state)
{
	(void)state;
	write_most = 3;
	interrupted_writes = 5;
	put(in_root("a"), "rather longer than three bytes");
	reset();
	holds(in_root("a"), "rather longer than three bytes");
}

static void replace_errors(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	assert_int_equal(file_replace(in_root("no/folder"), "x", 1, 0600, &err), ERR_NOT_FOUND);
	assert_int_equal(mkdir(in_root("d"), 0700), 0);
	put(in_root("d/in"), "x");
	assert_int_not_equal(file_replace(in_root("d"), "x", 1, 0600, &err), ERR_OK);
	assert_int_equal(entries(root), 1);
	char longest[PATH_LIMIT + 10];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(file_replace(longest, "x", 1, 0600, &err), ERR_LIMIT);
}

static void replace_without_folder_in_the_path(void **state)
{
	(void)state;
	CLEANUP(cleanup_fd) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(chdir(root), 0);
	put("plain", "x");
	holds("plain", "x");
	assert_int_equal(entries("."), 1);
	assert_int_equal(fchdir(here), 0);
}

static void make_dirs(void **state)
{
	(void)state;
	mode_t old = umask(077);
	struct stat st;
	assert_int_equal(file_make_dirs(in_root("a//b/c/"), 0755, NULL), ERR_OK);
	for (const char *const *p = (const char *const[]){"a", "a/b", "a/b/c", NULL}; *p; p++) {
		assert_int_equal(stat(in_root(*p), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
	}
	assert_non_null(strstr(steps, "sync-folder "));
	assert_int_equal(file_make_dirs(in_root("a/b"), 0700, NULL), ERR_OK);
	stat(in_root("a/b"), &st);
	assert_int_equal(st.st_mode & 07777, 0755); /* was there: left as it is */
	umask(old);
	assert_int_equal(file_make_dirs("/", 0755, NULL), ERR_OK);
	put(in_root("f"), "x");
	struct err err = ERR_INIT;
	assert_int_equal(file_make_dirs(in_root("f"), 0755, &err), ERR_IO);
	assert_int_equal(err.sys_errno, ENOTDIR);
	assert_int_not_equal(file_make_dirs(in_root("f/g"), 0755, &err), ERR_OK);
	assert_int_equal(file_make_dirs("", 0755, NULL), ERR_INVALID);
	char longest[PATH_LIMIT + 1];
	memset(longest, 'x', PATH_LIMIT);
	longest[PATH_LIMIT] = '\0';
	assert_int_equal(file_make_dirs(longest, 0755, NULL), ERR_INVALID);
}

static void make_dirs_by_failing_steps(void **state)
{
	(void)state;
	for (fail_errno = EIO;;) {
		static int i;
		char name[32];
		snprintf(name, sizeof(name), "try%d/b/c", i);
		reset();
		fail_after = i++;
		enum err_code rc = file_make_dirs(in_root(name), 0700, NULL);
		bool all = calls == i - 1;
		assert_int_equal(rc, all ? ERR_OK : ERR_IO);
		if (all)
			break;
	}
	assert_int_equal(calls, 6); /* three folders: mode, and the name durable in the folder above */
}

static void sync_dir(void **state)
{
	(void)state;
	assert_int_equal(file_sync_dir(root, NULL), ERR_OK);
	put(in_root("f"), "x");
	assert_int_not_equal(file_sync_dir(in_root("f"), NULL), ERR_OK);
	assert_int_equal(file_sync_dir(in_root("none"), NULL), ERR_NOT_FOUND);
}

static void descriptors_close_on_exec(void **state)
{
	(void)state;
	int fd = -1;
	assert_int_equal(file_lock(in_root("lock"), &fd, NULL), ERR_OK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

/* A child holds the lock until it is told to end; its pid is in the message.  Ended by a signal, its lock is free. */
static void lock_is_exclusive(void **state)
{
	(void)state;
	const char *path = in_root("lock");
	int ready[2];
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd = -1;
		enum err_code rc = file_lock(path, &fd, NULL);
		__real_write(ready[1], rc == ERR_OK ? "y" : "n", 1);
		for (;;)
			pause();
	}
	char answer = 'n';
	assert_int_equal(read(ready[0], &answer, 1), 1);
	int fd = -7;
	struct err err = ERR_INIT;
	enum err_code rc = file_lock(path, &fd, &err);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(answer, 'y');
	assert_int_equal(rc, ERR_BUSY);
	assert_int_equal(fd, -7);
	char want[64];
	snprintf(want, sizeof(want), "is locked by process %ld", (long)child);
	assert_non_null(strstr(err.msg, want));
	assert_int_equal(file_lock(path, &fd, NULL), ERR_OK);
	int second = -7;
	assert_int_equal(file_lock(path, &second, &err), ERR_BUSY); /* also within one process */
	snprintf(want, sizeof(want), "process %ld", (long)getpid());
	assert_non_null(strstr(err.msg, want));
	close(fd);
	assert_int_equal(file_lock(path, &fd, NULL), ERR_OK);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

static void lock_does_not_believe_what_stands_there(void **state)
{
	(void)state;
	int fd = -1, second;
	struct err err = ERR_INIT;
	assert_int_equal(file_lock(in_root("lock"), &fd, NULL), ERR_OK);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "12; rm\n", 7, 0), 7);
	assert_int_equal(file_lock(in_root("lock"), &second, &err), ERR_BUSY);
	assert_true(text_ends(err.msg, "is locked by another process"));
	close(fd);
	assert_int_equal(file_lock(in_root("no/lock"), &second, &err), ERR_NOT_FOUND);
}

static int replacements;
static void replace_lock_file(int fd)
{
	(void)fd;
	if (replacements-- > 0)
		unlink(in_root("lock"));
}

/* A file that went away before it was locked protects nobody. */
static void lock_of_a_replaced_file_is_tried_again(void **state)
{
	(void)state;
	int fd = -1;
	struct stat by_fd, by_path;
	before_lock = replace_lock_file;
	replacements = 3;
	assert_int_equal(file_lock(in_root("lock"), &fd, NULL), ERR_OK);
	assert_int_equal(replacements, -1);
	fstat(fd, &by_fd);
	assert_int_equal(stat(in_root("lock"), &by_path), 0);
	assert_int_equal(by_fd.st_ino, by_path.st_ino);
	close(fd);
	replacements = 1000000;
	assert_int_equal(file_lock(in_root("lock"), &fd, NULL), ERR_BUSY);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(read_appends),
	    T(read_limit),
	    T(read_errors),
	    T(replace_sets_mode_whatever_the_umask),
	    T(replace_in_order),
	    T(replace_by_failing_steps),
	    T(together_in_order),
	    T(together_by_failing_steps),
	    T(replace_survives_short_writes),
	    T(replace_errors),
	    T(replace_without_folder_in_the_path),
	    T(make_dirs),
	    T(make_dirs_by_failing_steps),
	    T(sync_dir),
	    T(descriptors_close_on_exec),
	    T(lock_is_exclusive),
	    T(lock_does_not_believe_what_stands_there),
	    T(lock_of_a_replaced_file_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
