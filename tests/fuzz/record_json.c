/* tests/fuzz/record_json.c: JSON as a client may send it. */
#include "tests/fuzz/record_target.h"

static enum err_code decode(
    const uint8_t *data, size_t size, struct arena *arena, struct every *ret, struct err *reterr)
{
	return record_from_json(&every_type, (const char *)data, size, 0, arena, ret, reterr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return record_target(decode, data, size);
}
