/* tests/fuzz/snapshot_manifest.c: manifests: the header of the file, the record inside, and the whole under keys that
 * never signed it. */
#include <assert.h>
#include <stdlib.h>

#include "agent/snapshot/manifest.h"
#include "agent/snapshot/tree.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keys *keys;
	struct manifest_header header;
	struct manifest m;
	struct arena *arena = arena_new(0);
	if (!arena || (!keys && keys_new("fuzz", &keys, NULL)))
		abort();
	if (!manifest_header_parse(data, size, &header, NULL)) {
		assert(header.sealed_size < size);
		assert(manifest_unseal(keys, header.snapshot, data, size, arena, &m, NULL) != ERR_OK);
	}
	if (!manifest_body_parse(data, size, arena, &m, NULL)) {
		assert(m.trees.count == m.summary.components.count);
		for (size_t i = 0; i < m.trees.count; i++)
			assert(LIST_AT(m.trees, struct manifest_tree, i).pages.size % REFERENCE_SIZE == 0);
		(void)snapshot_is_good(&m.summary);
	}
	arena_free(arena);
	return 0;
}
