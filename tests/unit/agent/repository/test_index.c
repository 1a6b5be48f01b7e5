/* The index against a model of it; its reads fail one after the other; its commits are cut anywhere: what is committed
 * is there, and nothing takes a part of it for the whole. */
#include <dirent.h>
#include <errno.h>

#include "agent/repository/index_internal.h"
#include "agent/repository/io.h"
#include "agent/repository/repo_internal.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/siphash.h"
#include "tests/lib/snapshot_world.h"

enum { SNAPSHOTS = 4, READS_MAX = 10000, PACKS = 60, LARGE_PACKS = 12, LARGE = 12000 };

static struct world w;
static uint64_t reads, fail_at; /* 0: no read fails */

/* In place of ours for everything that is linked here (CMakeLists.txt): reads of the index count, others do not. */
enum err_code __real_io_pread_exact(int fd, void *data, size_t size, uint64_t offset, struct err *reterr);
enum err_code __wrap_io_pread_exact(int fd, void *data, size_t size, uint64_t offset, struct err *reterr);
enum err_code __wrap_io_pread_exact(int fd, void *data, size_t size, uint64_t offset, struct err *reterr)
{
	char link[64], path[WORLD_PATH * 2];
	(void)text_format(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = 0;
	if (strstr(path, "/index/") && ++reads == fail_at)
		return err_sys(reterr, EIO, "read %s", path);
	return __real_io_pread_exact(fd, data, size, offset, reterr);
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

static size_t files_there(const char *folder, const char *suffix)
{
	char path[WORLD_PATH * 2];
	size_t count = 0;
	(void)text_format(path, sizeof path, "%s/%s", w.repo_path, folder);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		count += text_ends(e->d_name, suffix);
	closedir(dir);
	return count;
}

/* ---- reads that fail ---- */

/* A pack that the list lacks is nobody's, and prune removes those: an unreadable index must stop it. */
static void test_prune_with_an_unreadable_index(void **state)
{
	(void)state;
	size_t before = files_there("packs", ".pack");
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
		assert_int_equal(files_there("packs", ".pack"), before);
		failures += hit;
	}
	assert_true(failures > 0);
	WORLD_OK(&w, repo_check(w.repo, &co, &checked, &w.err));
	assert_int_equal(checked.findings, 0);
}

/* A new restore point either leans on what is there, or is not taken; never on a guess. */
static void test_create_with_an_unreadable_index(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct verify_result v;
	bool hit = true;
	for (uint64_t at = 1; hit && at < READS_MAX; at++) {
		world_noise(w.data_dir, "g", 2000, 100 + at);
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

/* ---- against a model ---- */

static struct chunk_id id_of(uint64_t n)
{
	struct chunk_id id = {{0}};
	const uint64_t key[2] = {1, 2};
	uint64_t a = siphash(key, &n, sizeof n), b = a * 0x9e3779b97f4a7c15ull + n;
	memcpy(id.b, &a, 8);
	memcpy(id.b + 8, &b, 8);
	memcpy(id.b + 16, &n, 4);
	return id;
}

/* Chunks first, first + 1, … in a pack of that name, each of another size. */
static struct index_addition pack_of(uint64_t name, uint64_t first, uint32_t count)
{
	struct index_addition a = {.size = 100 + name};
	memcpy(a.id.b, &name, sizeof name);
	a.content.segments = calloc(1, sizeof *a.content.segments);
	a.content.chunks = calloc(count, sizeof *a.content.chunks);
	assert_true(a.content.segments && a.content.chunks);
	uint32_t total = 0;
	for (uint32_t i = 0; i < count; i++) {
		a.content.chunks[i] = (struct pack_chunk){id_of(first + i), 1 + (uint32_t)((first + i) % 7)};
		total += a.content.chunks[i].size;
	}
	a.content.segments[0] = (struct pack_segment){64, 50, total, count};
	a.content.segment_count = 1;
	a.content.chunk_count = count;
	return a;
}

static uint32_t add(uint64_t name, uint64_t first, uint32_t count)
{
	uint32_t number = 0;
	struct index_addition a = pack_of(name, first, count);
	struct index *x;
	WORLD_OK(&w, repo_index(w.repo, &x, &w.err));
	WORLD_OK(&w, index_add(x, &a, 1, &number, &w.err));
	pack_index_done(&a.content);
	return number;
}

static void expect_place(struct index_reader *r, uint64_t n, uint32_t pack)
{
	struct chunk_id id = id_of(n);
	struct place p;
	bool found = index_find(r, &id, &p);
	if (found != (pack != 0) || (found && (p.pack != pack || p.size != 1 + n % 7)))
		fail_msg("chunk %llu: %s, in pack %u instead of %u", (unsigned long long)n,
		    found ? "found" : "not found", found ? p.pack : 0, pack);
	WORLD_OK(&w, index_reader_check(r, &w.err));
}

struct ordered {
	struct chunk_id last;
	uint64_t count;
};

static bool in_order(void *ctx, const struct chunk_id *id, const struct place *place)
{
	struct ordered *o = ctx;
	(void)place;
	assert_true(!o->count || memcmp(o->last.b, id->b, CHUNK_ID_SIZE) < 0);
	o->last = *id;
	o->count++;
	return true;
}

static uint64_t count_all(struct index_reader *r)
{
	struct ordered o = {.count = 0};
	WORLD_OK(&w, index_each(r, in_order, &o, &w.err));
	return o.count;
}

/* Packs that overlap: the newest place counts. */
static void test_against_a_model(void **state)
{
	(void)state;
	enum { EACH = 300, STEP = 100 };
	uint32_t numbers[PACKS];
	struct index_reader *old = NULL, *now = NULL;
	world_init(&w);
	for (uint64_t i = 0; i < PACKS; i++) {
		numbers[i] = add(i, i * STEP, EACH);
		if (i == PACKS / 2)
			WORLD_OK(&w, repo_index_reader(w.repo, &old, &w.err));
	}
	WORLD_OK(&w, repo_index_reader(w.repo, &now, &w.err));
	for (uint64_t n = 0; n < PACKS * STEP + EACH + 50; n++) {
		uint64_t pack = n / STEP;
		bool there = n < (PACKS - 1) * STEP + EACH, then = n < (PACKS / 2) * STEP + EACH;
		expect_place(now, n, there ? numbers[pack < PACKS ? pack : PACKS - 1] : 0);
		expect_place(old, n, then ? numbers[pack < PACKS / 2 ? pack : PACKS / 2] : 0);
	}
	assert_int_equal(count_all(now), (PACKS - 1) * STEP + EACH);
	index_reader_free(old);
	index_reader_free(now);

	struct index_pack gone[] = {{.number = numbers[PACKS - 1]}, {.number = numbers[0]}};
	struct index *x;
	WORLD_OK(&w, repo_index(w.repo, &x, &w.err));
	WORLD_OK(&w, index_remove(x, gone, 2, &w.err));
	world_close(&w);
	world_open(&w); /* from the disk */
	WORLD_OK(&w, repo_index_reader(w.repo, &now, &w.err));
	expect_place(now, 0, 0);
	expect_place(now, STEP, numbers[1]);
	expect_place(now, (PACKS - 1) * STEP - 1, numbers[PACKS - 2]);
	expect_place(now, (PACKS - 1) * STEP + EACH - 1, 0);
	index_reader_free(now);
	assert_int_equal(add(1000, 1 << 20, 10), numbers[PACKS - 1] + 1); /* a number never comes again */
	world_done(&w);
}

/* More than is kept in memory: look-ups read, and a read that fails is told. */
static void test_large(void **state)
{
	(void)state;
	struct index_reader *r;
	world_init(&w);
	for (uint64_t i = 0; i < LARGE_PACKS; i++)
		(void)add(i, i * LARGE, LARGE);
	assert_true((uint64_t)LARGE * LARGE_PACKS > INDEX_RESIDENT);
	assert_true(files_there("index", ".run") < 8);
	world_close(&w);
	world_open(&w);
	WORLD_OK(&w, repo_index_reader(w.repo, &r, &w.err));
	assert_int_equal(count_all(r), (uint64_t)LARGE * LARGE_PACKS);
	reads = 0;
	for (uint64_t n = 0; n < (uint64_t)LARGE * LARGE_PACKS; n += 37)
		expect_place(r, n, 1 + (uint32_t)(n / LARGE));
	uint64_t there = reads;
	assert_true(there > 1000);
	for (uint64_t n = 0; n < 10000; n++)
		expect_place(r, ((uint64_t)1 << 32) + n, 0);
	assert_true(reads - there < 1000); /* the filter answers for most of what is not there */
	struct place p;
	for (uint64_t n = 0; fail_at == 0 || reads < fail_at; n++) { /* one of them is not in memory */
		struct chunk_id id = id_of(n);
		fail_at = reads + 1;
		bool found = index_find(r, &id, &p);
		assert_true(found == (reads < fail_at));
	}
	fail_at = 0;
	assert_int_equal(index_reader_check(r, &w.err), ERR_IO);
	index_reader_free(r);
	world_done(&w);
}

/* ---- commits that are cut ---- */

static void touch(const char *name)
{
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/index", w.repo_path);
	world_text(path, name, "left by a crash");
}

/* What a crash leaves before the list is replaced, or what an older version kept, is swept and does not count. */
static void test_leftovers(void **state)
{
	(void)state;
	struct index_reader *r;
	world_init(&w);
	uint32_t number = add(1, 0, 100);
	world_close(&w);
	touch("00112233445566778899aabbccddeeff.run");
	touch(".list.Ab12Cd");
	touch("data.mdb");
	touch("seal");
	world_open(&w);
	WORLD_OK(&w, repo_index_reader(w.repo, &r, &w.err));
	assert_int_equal(files_there("index", ".run"), 1);
	assert_int_equal(files_there("index", "data.mdb") + files_there("index", "seal"), 0);
	assert_int_equal(files_there("index", ".list.Ab12Cd"), 0);
	expect_place(r, 5, number);
	index_reader_free(r);
	world_done(&w);
}

/* Two that have it open, as two processes have: each sees what the other committed, and takes it along. */
static void test_two_writers(void **state)
{
	(void)state;
	struct repo *other;
	struct index *its;
	struct index_reader *r;
	world_init(&w);
	WORLD_OK(&w, repo_open(w.repo_path, WORLD_HOST, &other, &w.err));
	WORLD_OK(&w, repo_index(other, &its, &w.err));
	struct index_addition a = pack_of(2, 1000, 100);
	uint32_t first = add(1, 0, 100), second = 0;
	WORLD_OK(&w, index_add(its, &a, 1, &second, &w.err));
	pack_index_done(&a.content);
	assert_int_equal(second, first + 1);
	uint32_t third = add(3, 2000, 100);
	WORLD_OK(&w, index_reader_new(its, &r, &w.err));
	expect_place(r, 5, first);
	expect_place(r, 1005, second);
	expect_place(r, 2005, third);
	index_reader_free(r);
	repo_close(other);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_prune_with_an_unreadable_index, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_create_with_an_unreadable_index, setup, teardown),
	    cmocka_unit_test(test_against_a_model),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_leftovers),
	    cmocka_unit_test(test_two_writers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
