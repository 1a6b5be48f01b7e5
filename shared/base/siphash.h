/* shared/base/siphash.h: SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed hash for tables.  Pure.
 * Who does not know the key cannot choose collisions.  Not for signatures. */
#ifndef KEDGE_SHARED_BASE_SIPHASH_H
#define KEDGE_SHARED_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* key[0] and key[1] are the little-endian halves of the paper's 16 bytes. */
uint64_t siphash(const uint64_t key[2], const void *data, size_t size_bytes);

#endif
