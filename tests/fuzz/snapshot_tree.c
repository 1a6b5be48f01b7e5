/* tests/fuzz/snapshot_tree.c: pages of a tree.  Whatever parses lies within its bytes, has names that lead nowhere
 * else, and can be put into pages again. */
#include <assert.h>
#include <string.h>

#include "agent/snapshot/tree.h"
#include "tests/fuzz/fuzz.h"

static enum err_code count_bytes(void *ctx, const uint8_t *data, size_t size, struct err *reterr)
{
	(void)data;
	(void)reterr;
	*(size_t *)ctx += size;
	return ERR_OK;
}

static void look_at(const struct tree_block *b, const uint8_t *e, const uint8_t *end)
{
	size_t xattrs_size;
	assert(entry_size(e) >= ENTRY_HEADER_SIZE && entry_size(e) <= (size_t)(end - e));
	assert(entry_extra(e) + entry_extra_size(e) <= e + entry_size(e));
	if (b->root != TREE_ROOTS)
		assert(!memchr(entry_name(e), '/', entry_name_size(e)));
	const uint8_t *xattrs = entry_xattrs(e, &xattrs_size);
	assert(tree_xattrs_valid(xattrs, xattrs_size));
	for (uint32_t i = 0; i < entry_references(e); i++)
		assert(reference_size(entry_reference(e, i)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t key[2] = {1, 2};
	struct tree t = {0};
	struct digest digest;
	size_t again = 0;
	struct tree_pager pager = {.key = key, .put = count_bytes, .ctx = &again};
	(void)tree_references_valid(data, size);
	if (tree_add_loose_page(&t, data, size, false, NULL) == ERR_OK) {
		for (size_t i = 0; i < t.block_count; i++) {
			const struct tree_block *b = &t.blocks[i];
			const uint8_t *e = b->entries;
			char path[PATH_LIMIT];
			for (uint32_t j = 0; j < b->count; j++, e += entry_size(e))
				look_at(b, e, t.pages[0] + size);
			memcpy(path, b->path, b->path_size);
			path[b->path_size] = 0;
			assert(tree_pager_block(&pager, b->root, path, b->entries, (size_t)(e - b->entries), NULL) ==
			       ERR_OK);
		}
		assert(tree_pager_end(&pager, NULL) == ERR_OK && again > 0);
		assert(tree_digest_of(&t, &digest, NULL, NULL, NULL) == ERR_OK);
	}
	tree_pager_done(&pager);
	tree_done(&t);
	struct tree whole = {0};
	if (tree_add_page(&whole, data, size, NULL) == ERR_OK)
		assert(whole.blocks[0].root == TREE_ROOTS);
	tree_done(&whole);
	return 0;
}
