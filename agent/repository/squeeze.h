/* agent/repository/squeeze.h: whole things in memory, compressed (zstd); pure.  Packs and envelopes keep contexts of
 * their own. */
#ifndef KEDGE_AGENT_REPOSITORY_SQUEEZE_H
#define KEDGE_AGENT_REPOSITORY_SQUEEZE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

size_t squeeze_bound(size_t raw_size); /* no more than so many bytes come out */
/* Into out, squeeze_bound() bytes. */
ERR_CHECK enum err_code squeeze(const void *raw, size_t raw_size, uint8_t *out, size_t *ret_size, struct err *reterr);
/* False: not what was squeezed, or not of this size. */
bool unsqueeze(const uint8_t *data, size_t size, uint8_t *raw, size_t raw_size);

#endif
