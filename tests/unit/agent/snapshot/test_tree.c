/* Pages, trees and their digest. */
#include "agent/repository/chunker.h"
#include "agent/snapshot/tree.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

static const uint64_t key[2] = {1, 2};

struct collected {
	uint8_t *pages[512];
	size_t sizes[512], count;
};

static enum err_code collect(void *ctx, const uint8_t *data, size_t size, struct err *reterr)
{
	struct collected *c = ctx;
	(void)reterr;
	assert_true(c->count < 512);
	assert_true(size <= TREE_PAGE_MAX);
	c->pages[c->count] = malloc(size);
	memcpy(c->pages[c->count], data, size);
	c->sizes[c->count++] = size;
	return ERR_OK;
}

static void collected_done(struct collected *c)
{
	while (c->count)
		free(c->pages[--c->count]);
}

static struct entry_fields file(const char *name)
{
	static uint8_t reference[REFERENCE_SIZE];
	memset(reference, 7, CHUNK_ID_SIZE);
	put32(reference + CHUNK_ID_SIZE, 10);
	return (struct entry_fields){.type = ENTRY_FILE,
	    .mode = 0644,
	    .uid = 5,
	    .gid = 6,
	    .length = 10,
	    .inode = 9,
	    .mtime_ns = -3,
	    .ctime_ns = 4,
	    .name = name,
	    .name_size = strlen(name),
	    .references = reference,
	    .reference_count = 1};
}

static void add(struct buf *entries, struct entry_fields f)
{
	entry_write(&f, entries);
}

static void add_directory(struct buf *entries, const char *name)
{
	add(entries,
	    (struct entry_fields){.type = ENTRY_DIRECTORY, .mode = 0755, .name = name, .name_size = strlen(name)});
}

/* Roots "/r", with a directory "d" of count files, and "d/sub" with one. */
static void make_pages(struct collected *c, int count)
{
	struct tree_pager p = {.key = key, .put = collect, .ctx = c};
	struct buf entries = BUF_INIT;
	struct err err;
	add_directory(&entries, "/r");
	assert_int_equal(tree_pager_block(&p, TREE_ROOTS, "", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	add_directory(&entries, "d");
	assert_int_equal(tree_pager_block(&p, 0, "", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	for (int i = 0; i < count; i++) {
		char name[32];
		(void)text_format(name, sizeof name, "file-%06d", i);
		add(&entries, file(name));
	}
	add_directory(&entries, "sub");
	assert_int_equal(tree_pager_block(&p, 0, "d", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	add(&entries, file("last"));
	assert_int_equal(tree_pager_block(&p, 0, "d/sub", entries.data, entries.size, &err), ERR_OK);
	assert_int_equal(tree_pager_end(&p, &err), ERR_OK);
	tree_pager_done(&p);
	buf_done(&entries);
}

static void load(struct tree *t, const struct collected *c)
{
	struct err err;
	for (size_t i = 0; i < c->count; i++)
		if (tree_add_page(t, c->pages[i], c->sizes[i], &err))
			fail_msg("page %zu: %s", i, err.msg);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct collected c = {0};
	struct tree t = {0};
	make_pages(&c, 3000);
	assert_true(c.count > 3); /* a directory goes on over pages */
	load(&t, &c);
	const uint8_t *e = tree_find(&t, 0, "d", 1, "file-002999", 11);
	assert_non_null(e);
	assert_int_equal(entry_kind(e), ENTRY_FILE);
	assert_int_equal(entry_mode(e), 0644);
	assert_int_equal(entry_uid(e), 5);
	assert_int_equal(entry_gid(e), 6);
	assert_int_equal(entry_length(e), 10);
	assert_int_equal(entry_inode(e), 9);
	assert_true(entry_mtime(e) == -3);
	assert_true(entry_ctime(e) == 4);
	assert_int_equal(entry_references(e), 1);
	assert_int_equal(reference_size(entry_reference(e, 0)), 10);
	assert_non_null(tree_find(&t, 0, "d/sub", 5, "last", 4));
	assert_non_null(tree_find(&t, TREE_ROOTS, "", 0, "/r", 2));
	assert_null(tree_find(&t, 0, "d", 1, "file-003000", 11));
	assert_null(tree_find(&t, 0, "nowhere", 7, "last", 4));
	assert_null(tree_find(&t, 1, "d", 1, "file-000000", 11));
	tree_done(&t);
	collected_done(&c);
}

/* One more name changes the page it is on, and not many others. */
static void test_pages_stay(void **state)
{
	(void)state;
	struct collected a = {0}, b = {0};
	make_pages(&a, 6000);
	struct tree_pager p = {.key = key, .put = collect, .ctx = &b};
	struct buf entries = BUF_INIT;
	struct err err;
	add_directory(&entries, "/r");
	assert_int_equal(tree_pager_block(&p, TREE_ROOTS, "", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	add_directory(&entries, "d");
	assert_int_equal(tree_pager_block(&p, 0, "", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	for (int i = 0; i < 6000; i++) {
		char name[32];
		(void)text_format(name, sizeof name, "file-%06d", i);
		add(&entries, file(name));
		if (i == 3000)
			add(&entries, file("file-003000x"));
	}
	add_directory(&entries, "sub");
	assert_int_equal(tree_pager_block(&p, 0, "d", entries.data, entries.size, &err), ERR_OK);
	buf_clear(&entries);
	add(&entries, file("last"));
	assert_int_equal(tree_pager_block(&p, 0, "d/sub", entries.data, entries.size, &err), ERR_OK);
	assert_int_equal(tree_pager_end(&p, &err), ERR_OK);
	tree_pager_done(&p);
	buf_done(&entries);
	size_t same = 0;
	for (size_t i = 0; i < a.count; i++)
		for (size_t j = 0; j < b.count; j++)
			same += a.sizes[i] == b.sizes[j] && !memcmp(a.pages[i], b.pages[j], a.sizes[i]);
	assert_true(a.count >= 8);
	assert_true(same + 2 >= a.count);
	collected_done(&a);
	collected_done(&b);
}

static void digest_of(struct collected *c, struct digest *ret)
{
	struct tree t = {0};
	struct err err;
	uint64_t entries, bytes;
	load(&t, c);
	assert_int_equal(tree_digest_of(&t, ret, &entries, &bytes, &err), ERR_OK);
	tree_done(&t);
}

/* ctime and inode do not count, everything that a restore brings back does. */
static void test_digest(void **state)
{
	(void)state;
	struct digest one, other;
	for (int change = -1; change < 10; change++) {
		struct collected c = {0};
		struct tree_pager p = {.key = key, .put = collect, .ctx = &c};
		struct buf entries = BUF_INIT;
		struct err err;
		add_directory(&entries, "/r");
		assert_int_equal(tree_pager_block(&p, TREE_ROOTS, "", entries.data, entries.size, &err), ERR_OK);
		buf_clear(&entries);
		struct entry_fields f = file(change == 2 ? "g" : "f");
		uint8_t reference[REFERENCE_SIZE];
		memcpy(reference, f.references, REFERENCE_SIZE);
		f.references = reference;
		static const uint8_t xattr[] = {1, 0, 1, 0, 0, 0, 'u', 'v'};
		switch (change) {
		case 0:
			f.ctime_ns = 77;
			f.flags = ENTRY_RACY | ENTRY_TORN;
			break;
		case 1:
			f.inode = 77;
			break;
		case 3:
			f.mode = 0600;
			break;
		case 4:
			f.uid = 1;
			break;
		case 5:
			f.gid = 1;
			break;
		case 6:
			f.mtime_ns = 1;
			break;
		case 7:
			reference[0] ^= 1;
			break;
		case 8:
			f.link = 1;
			break;
		case 9:
			f.xattrs = xattr;
			f.xattrs_size = sizeof xattr;
			break;
		default:
			break;
		}
		add(&entries, f);
		assert_int_equal(tree_pager_block(&p, 0, "", entries.data, entries.size, &err), ERR_OK);
		assert_int_equal(tree_pager_end(&p, &err), ERR_OK);
		digest_of(&c, change < 0 ? &one : &other);
		if (change == 0 || change == 1)
			assert_memory_equal(&one, &other, sizeof one);
		else if (change > 1)
			assert_memory_not_equal(&one, &other, sizeof one);
		tree_pager_done(&p);
		buf_done(&entries);
		collected_done(&c);
	}
}

static void test_path_order(void **state)
{
	(void)state;
	static const char *const sorted[] = {"a", "a/b", "a/b/c", "a/c", "a b", "a-b", "a.b", "ab", "b"};
	for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++)
		for (size_t j = 0; j < sizeof sorted / sizeof sorted[0]; j++) {
			int order = tree_path_compare((const uint8_t *)sorted[i], strlen(sorted[i]),
			    (const uint8_t *)sorted[j], strlen(sorted[j]));
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

/* A page whose one entry is as given; what the parser says. */
static enum err_code parse_with(struct entry_fields f, uint16_t root, const char *path)
{
	struct collected c = {0};
	struct tree_pager p = {.key = key, .put = collect, .ctx = &c};
	struct buf entries = BUF_INIT;
	struct err err;
	struct tree t = {0};
	add(&entries, f);
	assert_int_equal(tree_pager_block(&p, root, path, entries.data, entries.size, &err), ERR_OK);
	assert_int_equal(tree_pager_end(&p, &err), ERR_OK);
	enum err_code rc = tree_add_loose_page(&t, c.pages[0], c.sizes[0], false, &err);
	tree_done(&t);
	tree_pager_done(&p);
	buf_done(&entries);
	collected_done(&c);
	return rc;
}

/* What would let a restore write elsewhere, or read beyond, is no tree. */
static void test_hostile_entries(void **state)
{
	(void)state;
	assert_int_equal(parse_with(file("fine"), 0, "d"), ERR_OK);
	static const char *const names[] = {"", ".", "..", "a/b", "/a"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(parse_with(file(names[i]), 0, "d"), ERR_CORRUPT);
	static const char *const paths[] = {"/d", "d/", "d//e", "..", "d/../e", "."};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		assert_int_equal(parse_with(file("fine"), 0, paths[i]), ERR_CORRUPT);
	assert_int_equal(parse_with(file("fine"), SNAPSHOT_ROOTS_MAX, "d"), ERR_CORRUPT);
	struct entry_fields f = file("fine");
	f.length = 11; /* more than its chunks */
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
	f = file("fine");
	f.mode = 010000;
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
	f = file("fine");
	f.flags = ENTRY_UNREAD;
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
	f = file("fine");
	f.chunking = CHUNKING_PAGES;
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
	f = file("fine");
	f.depth = LIST_DEPTH_MAX + 1;
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
	f = (struct entry_fields){.type = ENTRY_SYMLINK, .name = "l", .name_size = 1, .length = 3, .target = "a\0b"};
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
	f = (struct entry_fields){.type = ENTRY_DIRECTORY,
	    .name = "l",
	    .name_size = 1,
	    .references = file("x").references,
	    .reference_count = 1};
	assert_int_equal(parse_with(f, 0, "d"), ERR_CORRUPT);
}

/* Every single-bit change of a small page is either refused or leaves a page that reads within its bounds (sanitizers
 * watch). */
static void test_flipped_bits(void **state)
{
	(void)state;
	struct collected c = {0};
	make_pages(&c, 4);
	size_t refused = 0;
	for (size_t bit = 0; bit < c.sizes[0] * 8; bit++) {
		struct tree t = {0};
		c.pages[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
		refused += tree_add_page(&t, c.pages[0], c.sizes[0], NULL) != ERR_OK;
		c.pages[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
		tree_done(&t);
	}
	assert_true(refused > c.sizes[0] * 8 / 4);
	for (size_t size = 0; size < c.sizes[0]; size++) {
		struct tree t = {0};
		assert_int_equal(tree_add_page(&t, c.pages[0], size, NULL), ERR_CORRUPT);
		tree_done(&t);
	}
	collected_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_pages_stay),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_path_order),
	    cmocka_unit_test(test_hostile_entries),
	    cmocka_unit_test(test_flipped_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
