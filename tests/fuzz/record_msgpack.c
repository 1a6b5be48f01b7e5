/* tests/fuzz/record_msgpack.c: msgpack as a peer or a damaged store may give it. */
#include "tests/fuzz/record_target.h"

static enum err_code decode(
    const uint8_t *data, size_t size, struct arena *arena, struct every *ret, struct err *reterr)
{
	return record_from_msgpack(&every_type, data, size, arena, ret, reterr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return record_target(decode, data, size);
}
