/* What must not depend on how large a tree is: pages of the last tree are found whatever their number, the tree is the
 * same however many walk it, and a run gives up what it remembers of its chunks without storing one twice. */
#include <errno.h>

#include "agent/repository/bytes.h"
#include "agent/repository/store_internal.h"
#include "agent/snapshot/upkeep.h"
#include "tests/lib/snapshot_world.h"

enum { FOLDERS = 40, EACH = 60, WIDE = 3000, CHUNKS = RUN_CHUNKS_MAX + PACK_CHUNKS_TARGET };

static const struct snapshot_component *data_of(const struct snapshot_summary *s)
{
	return snapshot_summary_component(s, COMPONENT_DATA);
}

static void folder_in(const struct world *w, const char *name, char out[WORLD_PATH])
{
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/%s", w->data_dir, name);
	assert_true(strlen(path) < WORLD_PATH);
	strcpy(out, path);
	assert_true(mkdir(out, 0755) == 0 || errno == EEXIST);
}

static void fill(const char *dir, int count)
{
	char name[32];
	for (int i = 0; i < count; i++) {
		(void)text_format(name, sizeof name, "some-file-%05d", i);
		world_text(dir, name, name);
	}
}

/* Some dozen pages: one folder goes over several, others share one, and names of linked files are far apart. */
static void make_tree(struct world *w)
{
	char dir[WORLD_PATH], name[32], from[WORLD_PATH * 2], to[WORLD_PATH * 2];
	for (int i = 0; i < FOLDERS; i++) {
		(void)text_format(name, sizeof name, "%02d", i);
		folder_in(w, name, dir);
		fill(dir, EACH);
	}
	folder_in(w, "20/wide", dir);
	fill(dir, WIDE);
	for (int i = 5; i < FOLDERS; i += 5) {
		(void)text_format(from, sizeof from, "%s/05/some-file-%05d", w->data_dir, i);
		(void)text_format(to, sizeof to, "%s/%02d/linked", w->data_dir, i);
		assert_int_equal(link(from, to), 0);
	}
	(void)text_format(from, sizeof from, "%s/07/some-file-00003", w->data_dir);
	(void)text_format(to, sizeof to, "%s/outside", w->config_dir); /* its other name is another component's */
	assert_int_equal(link(from, to), 0);
	world_settle();
}

static void create(struct world *w, unsigned workers, struct snapshot_summary *ret)
{
	struct snapshot_options o = {.reason = SNAPSHOT_MANUAL, .now_ms = w->now_ms, .workers = workers};
	w->now_ms += 1000;
	WORLD_OK(w, snapshot_create(w->repo, &w->service, &o, w->arena, ret, &w->err));
}

static void test_many_pages(void **state)
{
	(void)state;
	static const char *const changed[] = {
	    "00/some-file-00000", "20/wide/some-file-01500", "20/wide/zz-new", "39/linked2"};
	struct world w;
	struct snapshot_summary first, again, third;
	world_init(&w);
	make_tree(&w);
	create(&w, 1, &first);
	assert_int_equal(data_of(&first)->files, FOLDERS * EACH + WIDE + 7);
	for (unsigned workers = 1; workers <= SNAPSHOT_WORKERS_MAX; workers++) {
		create(&w, workers, &again);
		assert_int_equal(again.read_files, 0);
		assert_int_equal(again.stored_bytes, 0);
		assert_memory_equal(&data_of(&first)->digest, &data_of(&again)->digest, sizeof(struct digest));
	}
	for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++)
		world_text(w.data_dir, changed[i], "another text");
	world_settle();
	create(&w, 4, &third);
	assert_int_equal(third.read_files, sizeof changed / sizeof changed[0]);
	create(&w, 2, &again);
	assert_int_equal(again.read_files, 0);
	assert_memory_equal(&data_of(&third)->digest, &data_of(&again)->digest, sizeof(struct digest));
	struct verify_result v;
	WORLD_OK(&w, world_verify(&w, again.snapshot, &v)); /* recomputes the digest from the stored pages */
	world_done(&w);
}

/* A page of the base that cannot be read: its files are read anew, and nothing else is lost. */
static void test_unreadable_page(void **state)
{
	(void)state;
	struct world w;
	struct snapshot_summary first, second;
	char path[WORLD_PATH * 2];
	struct pack_id *ids;
	size_t count;
	world_init(&w);
	make_tree(&w);
	create(&w, 2, &first);
	WORLD_OK(&w, repo_pack_files(w.repo, &ids, &count, &w.err));
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		char name[PACK_NAME_MAX];
		uint8_t byte;
		(void)text_format(path, sizeof path, "%s/packs/%s", w.repo_path, pack_name(ids[i], ".pack", name));
		int fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &byte, 1, 200), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, 200), 1);
		close(fd);
	}
	free(ids);
	create(&w, 2, &second);
	assert_memory_equal(&data_of(&first)->digest, &data_of(&second)->digest, sizeof(struct digest));
	world_done(&w);
}

static void put_all(struct world *w, struct packer *p, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct chunk_id id;
		uint8_t data[8];
		put64(data, i);
		WORLD_OK(w, packer_put(p, data, sizeof data, &id, &w->err));
	}
}

static uint64_t known_chunks(struct world *w)
{
	struct index_reader *r;
	WORLD_OK(w, repo_index_reader(w->repo, &r, &w->err));
	uint64_t count = index_places(r);
	index_reader_free(r);
	return count;
}

static void test_commits_on_the_way(void **state)
{
	(void)state;
	struct world w;
	struct store_run *run;
	struct packer *p;
	world_init(&w);
	WORLD_OK(&w, store_run_new(w.repo, true, &run, &w.err));
	WORLD_OK(&w, packer_new(run, &p, &w.err));
	put_all(&w, p, CHUNKS);
	assert_true(run->early_count > 0);
	uint64_t bytes = store_run_bytes(run), early = known_chunks(&w);
	assert_true(early >= RUN_CHUNKS_MAX && early <= CHUNKS);
	put_all(&w, p, CHUNKS); /* both what is committed and what waits is known */
	WORLD_OK(&w, packer_finish(p, &w.err));
	assert_true(store_run_bytes(run) - bytes < bytes / 2);
	WORLD_OK(&w, store_run_commit(run, &w.err));
	assert_int_equal(known_chunks(&w), CHUNKS);
	WORLD_OK(&w, store_run_still_there(run, &w.err));
	packer_free(p);
	store_run_free(run);
	struct repo_check_result check;
	WORLD_OK(&w, repo_check(w.repo, &(struct repo_check_options){.read_data = true}, &check, &w.err));
	assert_int_equal(check.findings, 0);
	assert_int_equal(check.chunks, CHUNKS);
	world_done(&w);
}

/* What was committed stays, for somebody may lean on it; what was not goes. */
static void test_failed_run(void **state)
{
	(void)state;
	struct world w;
	struct store_run *run;
	struct packer *p;
	struct pack_id *ids;
	size_t early, left;
	world_init(&w);
	WORLD_OK(&w, store_run_new(w.repo, true, &run, &w.err));
	WORLD_OK(&w, packer_new(run, &p, &w.err));
	put_all(&w, p, CHUNKS);
	WORLD_OK(&w, packer_finish(p, &w.err));
	early = run->early_count;
	assert_true(run->pack_count > 0);
	packer_free(p);
	store_run_free(run);
	WORLD_OK(&w, repo_pack_files(w.repo, &ids, &left, &w.err));
	free(ids);
	assert_int_equal(left, early);
	struct repo_check_result check;
	WORLD_OK(&w, repo_check(w.repo, &(struct repo_check_options){.read_data = true}, &check, &w.err));
	assert_int_equal(check.findings, 0);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many_pages),
	    cmocka_unit_test(test_unreadable_page),
	    cmocka_unit_test(test_commits_on_the_way),
	    cmocka_unit_test(test_failed_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
