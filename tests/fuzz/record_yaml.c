/* tests/fuzz/record_yaml.c: YAML as somebody may write it. */
#include "tests/fuzz/record_target.h"

static enum err_code decode(
    const uint8_t *data, size_t size, struct arena *arena, struct every *ret, struct err *reterr)
{
	return record_from_yaml(&every_type, "fuzz", (const char *)data, size, arena, ret, reterr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return record_target(decode, data, size);
}
