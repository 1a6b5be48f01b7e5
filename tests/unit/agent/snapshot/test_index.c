/* The index's reads fail one after the other: nothing takes a list that was cut short for the whole. */
#include <dirent.h>
#include <errno.h>

#include <lmdb.h>

#include "tests/lib/snapshot_world.h"

enum { SNAPSHOTS = 4, READS_MAX = 10000 };

static struct world w;
static uint64_t reads, fail_at; /* 0: no read fails */

/* In place of LMDB's for everything that is linked here (CMakeLists.txt). */
int __real_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op);
int __wrap_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op);
int __wrap_mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
	return ++reads == fail_at ? EIO : __real_mdb_cursor_get(cursor, key, data, op);
}

static int setup(void **state)
{
	struct snapshot_summary s;
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	for (uint64_t i = 0; i < SNAPSHOTS; i++) {
		world_noise(w.data_dir, "f", 3000, i);
		world_settle();
		WORLD_OK(&w, world_create(&w, &s));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fail_at = 0;
	world_done(&w);
	return 0;
}

static size_t packs_there(void)
{
	char path[WORLD_PATH * 2];
	size_t count = 0;
	(void)text_format(path, sizeof path, "%s/packs", w.repo_path);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		count += text_ends(e->d_name, ".pack");
	closedir(dir);
	return count;
}

/* A pack that the list lacks is nobody's, and prune removes those: an unreadable list must stop it. */
static void test_prune_with_a_list_cut_short(void **state)
{
	(void)state;
	size_t before = packs_there();
	struct prune_options o = {.apply = true, .now_ms = w.now_ms + (uint64_t)100 * DAY_MS};
	struct prune_result r;
	struct repo_check_options co = {0};
	struct repo_check_result checked;
	uint64_t failures = 0;
	bool hit = true;
	assert_true(before >= SNAPSHOTS);
	for (uint64_t at = 1; hit && at < READS_MAX; at++) {
		reads = 0;
		fail_at = at;
		enum err_code rc = repo_prune(w.repo, &o, w.arena, &r, &w.err);
		hit = reads >= at;
		fail_at = 0;
		if (hit != (rc == ERR_IO))
			fail_msg("read %llu of the index failed, and prune said %s", (unsigned long long)at,
			    err_code_name(rc));
		assert_int_equal(packs_there(), before);
		failures += hit;
	}
	assert_true(failures > before);
	WORLD_OK(&w, repo_check(w.repo, &co, &checked, &w.err));
	assert_int_equal(checked.findings, 0);
}

/* A new restore point either leans on what is there, or is not taken; never on a guess. */
static void test_create_with_a_list_cut_short(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct verify_result v;
	bool hit = true;
	for (uint64_t at = 1; hit && at < READS_MAX; at++) {
		reads = 0;
		fail_at = at;
		enum err_code rc = world_create(&w, &s);
		hit = reads >= at;
		fail_at = 0;
		if (hit)
			assert_int_equal(rc, ERR_IO);
		else
			WORLD_OK(&w, rc);
		if (rc) /* a write that failed: the index is done with */
			world_close(&w), world_open(&w);
	}
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_prune_with_a_list_cut_short, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_create_with_a_list_cut_short, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
