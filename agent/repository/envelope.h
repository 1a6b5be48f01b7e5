/* agent/repository/envelope.h: one file, compressed and sealed by itself: what is kept beside the packs (the
 * write-ahead log of a database), under keys that are made from the repository's.
 *
 *   head    "KEV1", u32 key number, salt (16), u64 raw size, u64 made_ms, u64 changed_ms, u32 block size, u32 zero; tag
 * (16) block   u32 sealed size, compressed bytes, tag (16); so many that they hold raw size bytes
 *
 * Each file has a key of its own (HKDF-SHA-256 of the envelope key and the salt), whose nonces are counted: the head is
 * 0, blocks go from
 * 1.  The head and the name that the file goes by are authenticated with every block, so that one file cannot pass for
 * another. Blocking; any thread; memory: two blocks.  This folder alone sees zstd and libcrypto. */
#ifndef KEDGE_AGENT_REPOSITORY_ENVELOPE_H
#define KEDGE_AGENT_REPOSITORY_ENVELOPE_H

#include "agent/repository/key.h"
#include "agent/repository/repo.h"

enum {
	ENVELOPE_BLOCK = 512 << 10, /* a sixteen-megabyte segment of a log is 32 of them */
	ENVELOPE_HEAD_SIZE = 56,
	ENVELOPE_NAME_MAX = 128,
};

struct envelope_key {
	uint32_t number;
	uint8_t key[KEY_SIZE];
};
struct envelope_about {
	uint32_t key_number;
	uint64_t raw_size;
	uint64_t made_ms, changed_ms; /* when it was sealed; when the content was last written to before */
};

/* A key for one purpose ("wal") and context (a service), made from the repository's newest master. */
ERR_CHECK enum err_code envelope_key_of(
    const struct repo *r, const char *purpose, const char *context, struct envelope_key *ret, struct err *reterr);

/* Everything that in holds, which must be raw_size bytes (ERR_STATE: it is not), into the empty file out.  Not made
 * durable. */
ERR_CHECK enum err_code envelope_write(int out, const struct envelope_key *k, const char *name, int in,
    const struct envelope_about *about, struct err *reterr);

/* Only the head, authenticated.  ERR_CORRUPT; ERR_NOT_FOUND: sealed by another key than k (its number is then in *ret).
 */
ERR_CHECK enum err_code envelope_head(
    int in, const struct envelope_key *k, const char *name, struct envelope_about *ret, struct err *reterr);

/* The content, in order, authenticated before it is handed on; what sink returns ends it. */
typedef enum err_code envelope_sink_fn(
    void *ctx, uint64_t offset, const uint8_t *data, size_t size, struct err *reterr);
ERR_CHECK enum err_code envelope_read(int in, const struct envelope_key *k, const char *name, envelope_sink_fn *sink,
    void *ctx, struct envelope_about *ret, struct err *reterr);
/* Into a file, from its beginning. */
ERR_CHECK enum err_code envelope_extract(
    int in, const struct envelope_key *k, const char *name, int out, struct envelope_about *ret, struct err *reterr);

#endif
