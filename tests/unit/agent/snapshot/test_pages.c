/* Files that change page by page: known by what they are, stored by the page, the same back. */
#include "agent/repository/chunker.h"
#include "tests/lib/snapshot_world.h"

enum { PAGE = CHUNK_PAGE_SIZE, PAGES = 3000, CHANGED = 30 };

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	world_text(w.config_dir, "conf", "one");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static void put16_at(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void postgres_page(uint8_t *p)
{
	put16_at(p + 12, 40);
	put16_at(p + 14, 8000);
	put16_at(p + 16, 8192);
	put16_at(p + 18, 8192 | 4);
}

static void test_what_is_cut_by_the_page(void **state)
{
	(void)state;
	uint8_t text[CHUNK_PEEK], sqlite[CHUNK_PEEK] = "SQLite format 3", postgres[CHUNK_PEEK] = {0},
				  lmdb[CHUNK_PEEK] = {0};
	const uint64_t mib = 1 << 20, gib = 1 << 30;
	memset(text, 'a', sizeof text);
	postgres_page(postgres);
	postgres_page(postgres + PAGE);
	memcpy(lmdb + 16, "\xde\xc0\xef\xbe", 4);
	assert_int_equal(chunker_pages("app.log", mib, text, sizeof text), 0);
	assert_int_equal(chunker_pages("main.db", mib, text, sizeof text), 1);
	assert_int_equal(chunker_pages("orders.ibd", mib, text, sizeof text), 1);
	assert_int_equal(chunker_pages("ibdata1", mib, text, sizeof text), 1);
	assert_int_equal(chunker_pages("db", mib, text, sizeof text), 0);
	assert_int_equal(chunker_pages("anything", mib, sqlite, sizeof sqlite), 1);
	assert_int_equal(chunker_pages("16384", mib, postgres, sizeof postgres), 1);
	assert_int_equal(chunker_pages("data", mib, lmdb, sizeof lmdb), 1);
	assert_int_equal(chunker_pages("anything", mib, sqlite, 100), 0); /* cut off */
	postgres[PAGE + 14] = 1;                                          /* upper before lower: no page */
	postgres[PAGE + 15] = 0;
	assert_int_equal(chunker_pages("16384", mib, postgres, sizeof postgres), 0);
	/* Never more than half a million references, until the chunks are as long as any. */
	assert_int_equal(chunker_pages("a.db", 4 * gib, text, sizeof text), 1);
	assert_int_equal(chunker_pages("a.db", 4 * gib + 1, text, sizeof text), 2);
	assert_int_equal(chunker_pages("a.db", 17 * gib, text, sizeof text), 4);
	assert_int_equal(chunker_pages("a.db", UINT64_MAX / 2, text, sizeof text), CHUNK_PAGES_MAX);
}

/* Rewrites pages at random places; *ret_bytes: of different pages. */
static void change_pages(const char *name, uint64_t seed)
{
	struct random random;
	uint8_t page[PAGE];
	char path[WORLD_PATH * 2];
	(void)text_format(path, sizeof path, "%s/%s", w.data_dir, name);
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	random_init_seed(&random, seed);
	for (int i = 0; i < CHANGED; i++) {
		random_fill(&random, page, sizeof page);
		assert_int_equal(
		    pwrite(fd, page, sizeof page, (off_t)(1 + random_below(&random, PAGES - 1)) * PAGE), PAGE);
	}
	close(fd);
}

static void restore_is_right(const struct snapshot_summary *s)
{
	struct snapshot *opened;
	struct restore_options o = {0};
	struct restore_result r;
	char restored[WORLD_PATH * 2];
	WORLD_OK(&w, snapshot_open(w.repo, s->snapshot, &opened, &w.err));
	WORLD_OK(&w, snapshot_restore_into(opened, w.out, &o, &r, &w.err));
	snapshot_close(opened);
	(void)text_format(restored, sizeof restored, "%s%s", w.out, w.data_dir);
	world_same_trees(w.data_dir, restored);
}

static uint64_t stored_for_a_generation(const char *name, struct snapshot_summary *ret)
{
	struct snapshot_summary first;
	world_noise(w.data_dir, name, (size_t)PAGES * PAGE, 7);
	world_settle();
	WORLD_OK(&w, world_create(&w, &first));
	change_pages(name, 8);
	world_settle();
	WORLD_OK(&w, world_create(&w, ret));
	return ret->stored_bytes;
}

static void test_only_changed_pages_are_stored(void **state)
{
	(void)state;
	struct snapshot_summary s, again;
	struct verify_result v;
	uint64_t pages = stored_for_a_generation("main.db", &s);
	restore_is_right(&s);
	uint64_t others = stored_for_a_generation("main.log", &again);
	print_message("%d pages of %d changed: %llu bytes stored, %llu by content-defined chunks\n", CHANGED, PAGES,
	    (unsigned long long)pages, (unsigned long long)others);
	/* The pages, and 24 bytes a page of lists, of which nearly all changed. */
	assert_true(pages < CHANGED * PAGE + PAGES * 24 + 32768);
	assert_true(others > 4 * pages);
	WORLD_OK(&w, world_verify(&w, s.snapshot, &v));
}

/* The same tree has the same digest, whatever was there before. */
static void test_digest_does_not_depend_on_the_past(void **state)
{
	(void)state;
	struct snapshot_summary s;
	struct digest live;
	world_noise(w.data_dir, "growing.db", 400000, 1);
	world_settle();
	WORLD_OK(&w, world_create(&w, &s));
	world_noise(w.data_dir, "growing.db", 900001, 2); /* no whole number of pages */
	world_settle();
	WORLD_OK(&w, world_create(&w, &s));
	WORLD_OK(&w, snapshot_digest_live(w.repo, &w.service, COMPONENT_DATA, NULL, &live, NULL, NULL, &w.err));
	assert_memory_equal(live.b, snapshot_summary_component(&s, COMPONENT_DATA)->digest.b, sizeof live.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_cut_by_the_page),
	    cmocka_unit_test_setup_teardown(test_only_changed_pages_are_stored, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_digest_does_not_depend_on_the_past, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
