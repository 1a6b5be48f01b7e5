/* Memory that does not grow with size: a tree of many pages, and an index of many chunks, by the process's own peak. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/repository/bytes.h"
#include "agent/repository/index_internal.h"
#include "agent/snapshot/paged.h"
#include "agent/snapshot/sample.h"
#include "shared/base/siphash.h"
#include "tests/lib/snapshot_world.h"

enum {
	FOLDERS = 1000,
	EACH = 200,
	PAGED_BYTES = 1 << 20,
	TREE_BYTES_LEAST = 20 << 20,
	TREE_GROWTH_MAX = 6 << 20,
	BATCH = 50000,
	BATCHES = 10,
	INDEX_GROWTH_MAX = 16 << 20,
};

/* Sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEASURED = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { MEASURED = 0 };
#else
enum { MEASURED = 1 };
#endif
#else
enum { MEASURED = 1 };
#endif

static uint64_t status_bytes(const char *name)
{
	char line[256];
	uint64_t kib = 0;
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/self/status", "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (text_starts(line, name))
			assert_int_equal(sscanf(line + strlen(name), ": %" SCNu64, &kib), 1);
	return kib << 10;
}

/* The peak from now on; what is resident now is where growth begins. */
static uint64_t peak_begin(void)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/self/clear_refs", "we");
	assert_non_null(f);
	assert_true(fputs("5", f) >= 0);
	return status_bytes("VmRSS");
}

static void expect_growth(uint64_t before, uint64_t most)
{
	uint64_t peak = status_bytes("VmHWM");
	if (MEASURED && peak > before + most)
		fail_msg("memory grew by %llu KiB; it may by %llu", (unsigned long long)(peak - before) >> 10,
		    (unsigned long long)most >> 10);
}

/* ---- a tree ---- */

struct making {
	struct paged *paged;
	uint64_t bytes;
};

static enum err_code put(void *ctx, const uint8_t *data, size_t size, struct err *reterr)
{
	struct making *m = ctx;
	m->bytes += size;
	return paged_add(m->paged, data, size, reterr);
}

static void entry(struct buf *out, enum entry_type type, const char *name, uint64_t inode)
{
	entry_write(
	    &(struct entry_fields){.type = type, .mode = 0644, .inode = inode, .name = name, .name_size = strlen(name)},
	    out);
}

static void folder(struct tree_pager *pager, unsigned at)
{
	struct buf entries = {.limit = SIZE_MAX};
	struct err err = ERR_INIT;
	char path[32], name[64];
	for (unsigned i = 0; i < EACH; i++) {
		(void)text_format(name, sizeof name, "a-file-of-some-length-%04u", i);
		entry(&entries, ENTRY_FILE, name, (uint64_t)at * EACH + i);
	}
	(void)text_format(path, sizeof path, "folder-%04u", at);
	assert_int_equal(tree_pager_block(pager, 0, path, entries.data, entries.size, &err), ERR_OK);
	buf_done(&entries);
}

static void make_tree(struct world *w, struct making *m)
{
	struct tree_pager pager = {.key = w->repo->page_key, .put = put, .ctx = m};
	struct buf entries = {.limit = SIZE_MAX};
	struct err err = ERR_INIT;
	char name[32];
	entry(&entries, ENTRY_DIRECTORY, "/root", 1);
	assert_int_equal(tree_pager_block(&pager, TREE_ROOTS, "", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	for (unsigned i = 0; i < FOLDERS; i++) {
		(void)text_format(name, sizeof name, "folder-%04u", i);
		entry(&entries, ENTRY_DIRECTORY, name, i);
	}
	assert_int_equal(tree_pager_block(&pager, 0, "", entries.data, entries.size, &err), ERR_OK);
	buf_done(&entries);
	for (unsigned i = 0; i < FOLDERS; i++)
		folder(&pager, i);
	assert_int_equal(tree_pager_end(&pager, &err), ERR_OK);
	tree_pager_done(&pager);
}

static void expect_entry(struct paged *p, unsigned at, unsigned i)
{
	char path[128];
	(void)text_format(path, sizeof path, "folder-%04u/a-file-of-some-length-%04u", at, i);
	const uint8_t *e = paged_lookup(p, 0, path);
	assert_non_null(e);
	assert_int_equal(entry_inode(e), (uint64_t)at * EACH + i);
}

static void test_a_tree_that_is_written_aside(void **state)
{
	(void)state;
	struct world w;
	struct making m = {0};
	world_init(&w);
	WORLD_OK(&w, paged_made(w.repo, PAGED_BYTES, &m.paged, &w.err));
	uint64_t before = peak_begin(), entries = 0;
	make_tree(&w, &m);
	assert_true(m.bytes >= TREE_BYTES_LEAST);
	WORLD_OK(&w, paged_check(m.paged, &w.err)); /* what went comes back, in order */
	struct paged_walk walk = PAGED_WALK(m.paged);
	WORLD_OK(&w, paged_walk_next(&walk, &w.err));
	while (walk.block) {
		entries += walk.block->count;
		WORLD_OK(&w, paged_walk_next(&walk, &w.err));
	}
	assert_int_equal(entries, 1 + FOLDERS + FOLDERS * EACH);
	const uint8_t *first = paged_lookup(m.paged, 0, "folder-0000/a-file-of-some-length-0000");
	for (unsigned i = 0; i < FOLDERS; i += 7)
		expect_entry(m.paged, (i * 13) % FOLDERS, i % EACH);
	expect_entry(m.paged, 0, 0);
	assert_ptr_equal(first, paged_lookup(m.paged, 0, "folder-0000/a-file-of-some-length-0000")); /* it stays */
	assert_null(paged_lookup(m.paged, 0, "folder-0000/no such file"));
	assert_null(paged_lookup(m.paged, 0, "no such folder/x"));
	assert_null(paged_lookup(m.paged, 1, ""));
	assert_non_null(paged_lookup(m.paged, 0, ""));
	expect_growth(before, TREE_GROWTH_MAX);
	paged_free(m.paged);
	world_done(&w);
}

/* ---- an index, and a sample of it ---- */

static struct chunk_id id_of(uint64_t n)
{
	const uint64_t key[2] = {3, 4};
	struct chunk_id id = {{0}};
	uint64_t a = siphash(key, &n, sizeof n), b = a * 0x9e3779b97f4a7c15ull + n;
	memcpy(id.b, &a, 8);
	memcpy(id.b + 8, &b, 8);
	memcpy(id.b + 16, &n, 4);
	return id;
}

static void add_batch(struct world *w, uint64_t first)
{
	struct pack_segment segment = {64, 50, BATCH, BATCH};
	struct index_addition a = {
	    .size = 1000, .content = {&segment, calloc(BATCH, sizeof(struct pack_chunk)), 1, BATCH}};
	uint32_t number;
	assert_non_null(a.content.chunks);
	memcpy(a.id.b, &first, sizeof first);
	for (uint32_t i = 0; i < BATCH; i++)
		a.content.chunks[i] = (struct pack_chunk){id_of(first + i), 1};
	struct index *x;
	WORLD_OK(w, repo_index(w->repo, &x, &w->err));
	WORLD_OK(w, index_add(x, &a, 1, &number, &w->err));
	free(a.content.chunks);
}

static void test_an_index_of_many_chunks(void **state)
{
	(void)state;
	struct world w;
	struct index_reader *r;
	world_init(&w);
	uint64_t before = peak_begin();
	for (uint64_t i = 0; i < BATCHES; i++)
		add_batch(&w, i * BATCH);
	expect_growth(before, INDEX_GROWTH_MAX); /* the entries take 21 MiB */
	WORLD_OK(&w, repo_index_reader(w.repo, &r, &w.err));
	for (uint64_t n = 0; n < (uint64_t)BATCH * BATCHES; n += 101) {
		struct chunk_id id = id_of(n);
		struct place p;
		assert_true(index_find(r, &id, &p) && p.pack == 1 + n / BATCH && p.at == n % BATCH);
	}
	index_reader_free(r);
	world_done(&w);
}

/* Chunks that come more than once count once, and the total that it stands for is told to some percent. */
static void test_a_sample(void **state)
{
	(void)state;
	enum { DISTINCT = 100000, TIMES = 3 };
	struct sample s;
	struct needs n = {0};
	uint64_t total, low = 0;
	sample_begin(&s);
	for (unsigned i = 0; i < DISTINCT * TIMES; i++) {
		if (n.count == n.room) {
			n.room = n.room ? 2 * n.room : 1024;
			n.all = realloc(n.all, n.room * sizeof *n.all);
			assert_non_null(n.all);
		}
		n.all[n.count++] =
		    (struct need){.place = {.pack = 1, .offset = i % DISTINCT}, .id = id_of(i % DISTINCT)};
		if (i % 1000 == 0)
			sample_take(&s, &n);
		assert_true(n.count < 4 * VERIFY_SAMPLE_CHUNKS);
	}
	sample_end(&s, &n, &total);
	assert_int_equal(n.count, VERIFY_SAMPLE_CHUNKS);
	assert_true(total > DISTINCT * 9 / 10 && total < DISTINCT * 11 / 10); /* six standard deviations */
	for (size_t i = 0; i < n.count; i++) {
		assert_true(!i || n.all[i - 1].place.offset < n.all[i].place.offset);
		low += n.all[i].place.offset < DISTINCT / 2;
	}
	assert_true(low > VERIFY_SAMPLE_CHUNKS * 4 / 10 && low < VERIFY_SAMPLE_CHUNKS * 6 / 10);
	needs_done(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_tree_that_is_written_aside),
	    cmocka_unit_test(test_an_index_of_many_chunks),
	    cmocka_unit_test(test_a_sample),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
