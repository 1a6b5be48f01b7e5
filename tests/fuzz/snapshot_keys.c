/* tests/fuzz/snapshot_keys.c: what tells of keys and of restore points: key files, recovery lines and copies,
 * catalogues. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/repository/recovery.h"
#include "agent/snapshot/catalogue.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keys *keys;
	static const uint8_t secret[KEY_SIZE] = {1};
	struct keys *other = NULL;
	struct recovery_key key;
	struct id *ids = NULL;
	size_t count = 0;
	char line[RECOVERY_LINE_MAX + 16];
	if (!keys && keys_new("fuzz", &keys, NULL))
		abort();
	if (!keys_parse(data, size, &other, NULL)) { /* what it takes it can write, and takes again */
		struct buf text = BUF_INIT;
		struct keys *again = NULL;
		assert(keys_text(other, &text, NULL) == ERR_OK);
		assert(keys_parse(text.data, text.size, &again, NULL) == ERR_OK);
		assert(keys_newest(again) == keys_newest(other));
		keys_free(again);
		buf_done(&text);
	}
	keys_free(other);
	assert(catalogue_unseal(keys, data, size, &ids, &count, NULL) != ERR_OK); /* nobody signed it */
	assert(recovery_unwrap(secret, keys_repo_id(keys), data, size, &other, NULL) != ERR_OK);
	if (size < sizeof line) {
		memcpy(line, data, size);
		line[size] = 0;
		if (!recovery_parse(line, &key, NULL))
			assert(key.name[0] && strlen(key.name) <= NAME_MAX_BYTES);
	}
	return 0;
}
