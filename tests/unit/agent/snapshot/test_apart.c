/* A folder in a part of the file system of its own: as mkdirat() would have made it, and nothing is left beside it. */
#include "agent/snapshot/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum { MANY = 8, INODES_NEAR = 4096, MODES = 3 };

static char scratch[SCRATCH_PATH];
static int dir = -1;

static int setup(void **state)
{
	(void)state;
	dir = open(scratch_make(scratch), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dir);
	scratch_remove(scratch);
	return 0;
}

static bool is_there(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stat about(const char *name)
{
	struct stat st;
	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

/* Also where names have no room for the suffix. */
static void is_made_as_any_other(void **state)
{
	(void)state;
	static const mode_t modes[MODES] = {0700, 0755, 0777};
	char name[NAME_MAX + 1], plain[NAME_MAX + 1];
	for (size_t i = 0; i < 2 * MODES; i++) {
		size_t n = i < MODES ? 8 : NAME_MAX;
		memset(name, 'a' + (char)i, n);
		name[n] = 0;
		memcpy(plain, name, n + 1);
		plain[0] = '=';
		assert_int_equal(apart_mkdirat(dir, name, modes[i % MODES]), 0);
		assert_int_equal(mkdirat(dir, plain, modes[i % MODES]), 0);
		struct stat a = about(name), b = about(plain);
		assert_int_equal(a.st_mode, b.st_mode);
		assert_int_equal(a.st_nlink, b.st_nlink);
		assert_int_equal(unlinkat(dir, plain, AT_REMOVEDIR), 0);
		assert_int_equal(unlinkat(dir, name, AT_REMOVEDIR), 0);
	}
	assert_int_equal(rmdir(scratch), 0); /* nothing else is left */
	assert_int_equal(mkdir(scratch, 0700), 0);
	close(dir);
	dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void what_is_there_stays(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("nowhere", dir, "there"), 0);
	errno = 0;
	assert_int_equal(apart_mkdirat(dir, "there", 0700), -1);
	assert_int_equal(errno, EEXIST);
	assert_true(S_ISLNK(about("there").st_mode));
	assert_false(is_there("there" APART_SUFFIX));
}

static void a_crash_before_is_no_hindrance(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir, "again" APART_SUFFIX, 0700), 0);
	assert_int_equal(apart_mkdirat(dir, "again", 0700), 0);
	assert_true(S_ISDIR(about("again").st_mode));
}

/* Where it matters: files of folders that were made one after the other do not get inodes that lie together. */
static void lies_apart(void **state)
{
	(void)state;
	struct statfs fs;
	unsigned near = 0;
	ino_t last = 0;
	assert_int_equal(fstatfs(dir, &fs), 0);
	if (fs.f_type != EXT4_SUPER_MAGIC)
		skip(); /* it is a folder like any other */
	for (unsigned i = 0; i < MANY; i++) {
		char name[] = {'k', (char)('0' + i), 0};
		assert_int_equal(apart_mkdirat(dir, name, 0700), 0);
		ino_t ino = about(name).st_ino;
		near += i && (ino > last ? ino - last : last - ino) < INODES_NEAR;
		last = ino;
	}
	assert_true(near < MANY - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(is_made_as_any_other, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_there_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_crash_before_is_no_hindrance, setup, teardown),
	    cmocka_unit_test_setup_teardown(lies_apart, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
