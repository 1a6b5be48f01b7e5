/* A restore that need not stay in memory: what the page cache holds of it afterwards, and that nothing else differs. */
#include <dirent.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "agent/snapshot/limits.h"
#include "tests/lib/snapshot_world.h"

enum { SHARED_BYTES = RESTORE_SHARE_LEAST + (3 << 20), ALONE_BYTES = 5 << 20 };
static const unsigned long disks[] = {0xef53 /* ext4 */, 0x58465342 /* xfs */, 0x9123683e /* btrfs */};
static struct world w;
static struct snapshot_summary taken;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_noise(w.data_dir, "shared", SHARED_BYTES, 1);
	world_noise(w.data_dir, "alone", ALONE_BYTES, 2);
	world_text(w.data_dir, "small", "some text");
	WORLD_OK(&w, world_create(&w, &taken));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

/* Elsewhere pages do not leave when they are asked to: a tmpfs has them nowhere else. */
static bool is_on_a_disk(void)
{
	struct statfs fs;
	assert_int_equal(statfs(w.dir, &fs), 0);
	for (size_t i = 0; i < sizeof disks / sizeof *disks; i++)
		if ((unsigned long)fs.f_type == disks[i])
			return true;
	return false;
}

static unsigned count_descriptors(void)
{
	unsigned count = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static unsigned resident_percent(const char *name, size_t size)
{
	char path[WORLD_PATH * 2];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page, there = 0;
	CLEANUP(cleanup_free) unsigned char *map = malloc(pages);
	(void)text_format(path, sizeof path, "%s%s/%s", w.out, w.data_dir, name);
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(at != MAP_FAILED && map);
	assert_int_equal(mincore(at, size, map), 0);
	for (size_t i = 0; i < pages; i++)
		there += map[i] & 1;
	munmap(at, size);
	return (unsigned)(there * 100 / pages);
}

static void restore(bool passing)
{
	char restored[WORLD_PATH * 2];
	struct snapshot *s;
	struct restore_options o = {.passing = passing, .sync = true};
	struct restore_result r;
	unsigned before = count_descriptors();
	WORLD_OK(&w, snapshot_open(w.repo, taken.snapshot, &s, &w.err));
	WORLD_OK(&w, snapshot_restore_into(s, w.out, &o, &r, &w.err));
	snapshot_close(s);
	assert_int_equal(count_descriptors(), before);
	if (is_on_a_disk()) {
		unsigned shared = resident_percent("shared", SHARED_BYTES),
			 alone = resident_percent("alone", ALONE_BYTES);
		if (passing ? shared > 10 || alone > 10 : shared < 50 || alone < 50)
			fail_msg("%u %% and %u %% of the large files are in memory", shared, alone);
	}
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	world_same_trees(w.data_dir, restored);
}

static void test_stays(void **state)
{
	(void)state;
	restore(false);
}

static void test_passes(void **state)
{
	(void)state;
	restore(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_passes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
