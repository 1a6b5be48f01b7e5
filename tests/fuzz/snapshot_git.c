/* tests/fuzz/snapshot_git.c: the index of a git work tree. */
#include <assert.h>
#include <string.h>

#include "agent/snapshot/git.h"
#include "shared/base/limits.h"
#include "tests/fuzz/fuzz.h"

static bool look_at(void *ctx, const struct git_entry *e)
{
	assert(strlen(e->path) < PATH_LIMIT);
	return ++*(uint32_t *)ctx < 100000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t count = 0;
	enum err_code rc = git_index_parse(data, size, look_at, &count, NULL);
	assert(rc == ERR_OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
	return 0;
}
