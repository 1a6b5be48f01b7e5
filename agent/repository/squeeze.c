#include "agent/repository/squeeze.h"

#include <zstd.h>

enum { LEVEL = 3 };

size_t squeeze_bound(size_t raw_size)
{
	return ZSTD_compressBound(raw_size);
}

enum err_code squeeze(const void *raw, size_t raw_size, uint8_t *out, size_t *ret_size, struct err *reterr)
{
	size_t n = ZSTD_compress(out, ZSTD_compressBound(raw_size), raw, raw_size, LEVEL);
	if (ZSTD_isError(n))
		return err_set(reterr, ERR_INTERNAL, "libzstd failed: %s", ZSTD_getErrorName(n));
	*ret_size = n;
	return ERR_OK;
}

bool unsqueeze(const uint8_t *data, size_t size, uint8_t *raw, size_t raw_size)
{
	size_t n = ZSTD_decompress(raw, raw_size, data, size);
	return !ZSTD_isError(n) && n == raw_size;
}
