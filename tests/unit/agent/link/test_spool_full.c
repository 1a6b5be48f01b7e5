/* A full disk, on a small tmpfs in a mount namespace of its own: reports are refused whole, what is there can be read
 * and forgotten, and it goes on when there is room again. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "shared/base/random.h"
#include "tests/lib/scratch.h"
#include "tests/unit/agent/link/spool_check.h"

enum { DISK = 4 << 20, LIMIT = 64 << 20 };

static char folder[SCRATCH_PATH], ballast[128], spool_folder[128];
static bool can_mount;
static struct random seeded;

static int setup_all(void **state)
{
	(void)state;
	can_mount = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return 0;
}

static int setup(void **state)
{
	char options[64];
	struct spool *spool = NULL;
	if (!can_mount) {
		*state = NULL;
		return 0;
	}
	random_init_seed(&seeded, 1);
	scratch_make(folder);
	snprintf(options, sizeof(options), "size=%d", DISK);
	if (mount("kedge-test", folder, "tmpfs", 0, options) != 0)
		return -1;
	snprintf(ballast, sizeof(ballast), "%s/ballast", folder);
	snprintf(spool_folder, sizeof(spool_folder), "%s/spool", folder);
	if (spool_open(spool_folder, LIMIT, &spool, &err) != ERR_OK)
		return -1;
	*state = spool;
	return 0;
}

static int teardown(void **state)
{
	if (!can_mount)
		return 0;
	spool_close(*state);
	int failed = umount(folder);
	scratch_remove(folder);
	return failed;
}

#define NEEDS_MOUNT()                                                                                                  \
	do {                                                                                                           \
		if (!can_mount)                                                                                        \
			skip();                                                                                        \
	} while (0)

/* Another program takes bytes of the disk, or as many as there are. */
static void take(off_t bytes)
{
	int fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	off_t have = lseek(fd, 0, SEEK_END);
	for (off_t step = bytes; step >= 4096; step /= 2)
		while (bytes >= step && posix_fallocate(fd, have, step) == 0) {
			have += step;
			bytes -= step;
		}
	close(fd);
}

static void reopen(void **state)
{
	struct spool *spool;
	spool_close(*state);
	*state = NULL;
	ok(spool_open(spool_folder, LIMIT, &spool, &err));
	*state = spool;
}

static struct spool_state now(void **state)
{
	struct spool_state s;
	spool_state(*state, &s);
	return s;
}

static void reports_are_refused_whole(void **state)
{
	enum err_code rc;
	NEEDS_MOUNT();
	while ((rc = spool_add(*state, 10, 500, &seeded)) == ERR_OK)
		spool_check(*state);
	assert_int_equal(rc, ERR_FULL);
	uint64_t full = now(state).next;
	assert_true(full > 1000);
	assert_int_equal(now(state).dropped, 0);
	for (int i = 0; i < 5; i++) /* it stays so, and nothing breaks */
		assert_int_equal(spool_add(*state, SPOOL_BATCH_MAX, 500, &seeded), ERR_FULL);
	assert_int_equal(now(state).next, full);
	spool_check(*state);
	reopen(state);
	assert_int_equal(now(state).next, full);
	spool_check(*state);
}

static void what_is_acknowledged_makes_room(void **state)
{
	NEEDS_MOUNT();
	while (spool_add(*state, 10, 500, &seeded) == ERR_OK)
		;
	take(DISK); /* not a page is left */
	uint64_t full = now(state).next;
	for (uint64_t through = 100; through < full; through += 100)
		ok(spool_acknowledge(*state, through, &err));
	ok(spool_acknowledge(*state, full - 1, &err));
	spool_check(*state);
	for (int i = 0; i < 100; i++) { /* inside the file there is room now */
		ok(spool_add(*state, 5, 500, &seeded));
		if (i % 10 == 9)
			ok(spool_acknowledge(*state, now(state).next - 10, &err));
	}
	spool_check(*state);
	reopen(state);
	spool_check(*state);
}

static void a_disk_that_others_fill_breaks_nothing(void **state)
{
	unsigned refused = 0, taken = 0;
	NEEDS_MOUNT();
	for (int step = 0; step < 1500; step++) {
		switch (random_below(&seeded, 12)) {
		case 0:
			take((off_t)random_below(&seeded, DISK));
			break;
		case 1:
			(void)!unlink(ballast);
			break;
		case 2:
			ok(spool_acknowledge(*state,
			    now(state).first + random_below(&seeded, now(state).next - now(state).first + 1) - 1,
			    &err));
			break;
		case 3:
			reopen(state);
			break;
		default: {
			uint64_t next = now(state).next;
			size_t count = 1 + random_below(&seeded, SPOOL_BATCH_MAX);
			enum err_code rc = spool_add(*state, count, random_below(&seeded, LINK_REPORT_TEXT), &seeded);
			if (rc != ERR_OK && rc != ERR_FULL)
				fail_msg("step %d: %s", step, err.msg);
			refused += rc == ERR_FULL;
			taken += rc == ERR_OK;
			assert_int_equal(now(state).next, rc == ERR_OK ? next + count : next);
		}
		}
		if (step % 20 == 0)
			spool_check(*state);
	}
	print_message("%u batches taken, %u refused\n", taken, refused);
	assert_true(refused > 20 && taken > 100);
}

/* A spool at its limit drops to make room, but not for reports that the disk then refuses. */
static void nothing_is_dropped_in_vain(void **state)
{
	struct spool *second;
	struct spool_state before, after;
	char path[192];
	(void)state;
	NEEDS_MOUNT();
	snprintf(path, sizeof(path), "%s/second", folder);
	ok(spool_open(path, SPOOL_LIMIT_LEAST_BYTES, &second, &err));
	do {
		ok(spool_add(second, 4, 300, &seeded));
		spool_state(second, &before);
	} while (before.dropped == 0);
	take(DISK);
	assert_int_equal(spool_add(second, SPOOL_BATCH_MAX, LINK_REPORT_TEXT, &seeded), ERR_FULL);
	spool_state(second, &after);
	assert_int_equal(after.next, before.next);
	assert_int_equal(after.count, before.count);
	ok(spool_add(second, 4, 300, &seeded)); /* small ones have room in the file */
	spool_check(second);
	spool_close(second);
}

static void a_new_spool_needs_room(void **state)
{
	struct spool *second;
	char path[192];
	(void)state;
	NEEDS_MOUNT();
	take(DISK);
	snprintf(path, sizeof(path), "%s/second", folder);
	assert_int_equal(spool_open(path, LIMIT, &second, &err), ERR_FULL);
	(void)!unlink(ballast);
	ok(spool_open(path, LIMIT, &second, &err));
	spool_close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(reports_are_refused_whole),
	    TEST(what_is_acknowledged_makes_room),
	    TEST(a_disk_that_others_fill_breaks_nothing),
	    TEST(nothing_is_dropped_in_vain),
	    TEST(a_new_spool_needs_room),
	};
	return cmocka_run_group_tests(tests, setup_all, NULL);
}
