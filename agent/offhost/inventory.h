/* agent/offhost/inventory.h: the object that says what was copied.
 *
 *   header     64 bytes: "KEDGEIV1", u32 version (2; 1: without a base), u32 key number, repository id (16), u64
 * number, u32 sealed size (with tag), u32 zero, salt (16) sealed     AES-256-GCM under a key of this object's own
 * (purpose "inventory", context: number and salt; nonce 0), associated data: the header; inside, each behind its length
 * (u32, big-endian), the msgpack record "inventory" and as many records "copied" as it says signature  Ed25519 (64)
 * over all before it, domain "kedge inventory 1", by the host's key
 *
 * Numbers begin with 1 and have no gaps.  Number 1, and from time to time another (OFFHOST_FULL_EVERY and what follows
 * it in limits.h), is whole: it names everything that is needed.  The others name what was put since the one before,
 * whose SHA-256 they carry, and say which whole one they build on.  So the newest, its base and what lies between say
 * all.  They stay in the store for good, as a row without gaps is how the newest is found.
 *
 * Pure but for the salt, which comes in.  Numbers are little-endian. */
#ifndef KEDGE_AGENT_OFFHOST_INVENTORY_H
#define KEDGE_AGENT_OFFHOST_INVENTORY_H

#include "agent/offhost/copied.h"
#include "agent/offhost/limits.h"
#include "shared/base/random.h"

enum { INVENTORY_HEADER_SIZE = 64, INVENTORY_VERSION = 2, INVENTORY_SALT_SIZE = 16 };

struct inventory {
	const char *host;
	uint32_t number;
	uint64_t made_ms;
	struct digest previous; /* of the object before it; zero with number 1 */
	uint32_t base;          /* the number of the whole one that it builds on: its own, if it is one; 0: see below */
	uint64_t count;         /* of entries; filled in when it is sealed */
	struct list entries; /* struct copied, as they were then; apart from the record, which would have no bound that
				is sensible */
};
extern const struct record_type inventory_type;

/* What it builds on.  Those that do not say so were whole at number 1 and each OFFHOST_FULL_EVERY after it. */
uint32_t inventory_base(uint32_t number, uint32_t base);

struct inventory_header {
	uint32_t key_number, sealed_size;
	uint64_t number;
	uint8_t repo[REPO_ID_SIZE], salt[INVENTORY_SALT_SIZE];
};
/* Sizes fit. */
ERR_CHECK enum err_code inventory_header_parse(
    const uint8_t *data, size_t size, struct inventory_header *ret, struct err *reterr);
ERR_CHECK enum err_code inventory_seal(
    const struct keys *k, const struct inventory *c, struct random *random, struct buf *out, struct err *reterr);
/* ERR_CORRUPT: it is not what this repository's host wrote as this number. */
ERR_CHECK enum err_code inventory_unseal(const struct keys *k, uint32_t number, const uint8_t *data, size_t size,
    struct arena *arena, struct inventory *ret, struct err *reterr);

/* What is inside, opened.  ERR_CORRUPT. */
ERR_CHECK enum err_code inventory_body_parse(
    const uint8_t *data, size_t size, struct arena *arena, struct inventory *ret, struct err *reterr);

#endif
