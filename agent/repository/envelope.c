/* One file, compressed and sealed by itself. */
#include "agent/repository/envelope.h"

#include <string.h>

#include <zstd.h>

#include "agent/repository/bytes.h"
#include "agent/repository/io.h"
#include "agent/repository/repo_internal.h"
#include "agent/repository/seal.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

enum {
	LEVEL = -1, /* a log is written once and hardly ever read: speed before size */
	SALT_SIZE = 16,
	HEAD_WITH_TAG = ENVELOPE_HEAD_SIZE + SEAL_TAG_SIZE,
	AAD_MAX = ENVELOPE_HEAD_SIZE + ENVELOPE_NAME_MAX,
	ROOM = ENVELOPE_BLOCK + ENVELOPE_BLOCK / 128 + 1024, /* more than ZSTD_compressBound of a block, and a tag */
};

enum err_code envelope_key_of(
    const struct repo *r, const char *purpose, const char *context, struct envelope_key *ret, struct err *reterr)
{
	struct envelope_key k = {.number = keys_newest(r->keys)};
	enum err_code rc = keys_derive(r->keys, k.number, purpose, context, strlen(context), k.key, reterr);
	if (rc == ERR_OK)
		*ret = k;
	secret_wipe(&k, sizeof k);
	return rc;
}

/* ---- one file being written or read ---- */

struct envelope {
	uint8_t aad[AAD_MAX];
	size_t aad_size;
	struct sealer *sealer;
	uint8_t *raw, *sealed;
};

static void envelope_done(struct envelope *e)
{
	sealer_free(e->sealer);
	free(e->raw);
	free(e->sealed);
}

static enum err_code envelope_begin(struct envelope *e, const struct envelope_key *k, const char *name,
    const uint8_t head[ENVELOPE_HEAD_SIZE], struct err *reterr)
{
	uint8_t key[KEY_SIZE];
	size_t n = strlen(name);
	if (n > ENVELOPE_NAME_MAX)
		return err_set(reterr, ERR_LIMIT, "a name of more than %d bytes", ENVELOPE_NAME_MAX);
	memcpy(e->aad, head, ENVELOPE_HEAD_SIZE);
	memcpy(e->aad + ENVELOPE_HEAD_SIZE, name, n);
	e->aad_size = ENVELOPE_HEAD_SIZE + n;
	enum err_code rc =
	    seal_hkdf(k->key, KEY_SIZE, head + 8, SALT_SIZE, (const uint8_t *)"envelope", 8, key, KEY_SIZE, reterr);
	if (rc == ERR_OK)
		rc = sealer_new(key, &e->sealer, reterr);
	secret_wipe(key, sizeof key);
	return rc;
}

static enum err_code make_room(struct envelope *e, struct err *reterr)
{
	_Static_assert(
	    ROOM > ENVELOPE_BLOCK + (ENVELOPE_BLOCK >> 8) + 64 + SEAL_TAG_SIZE, "a block that does not shrink fits");
	e->raw = malloc(ENVELOPE_BLOCK);
	e->sealed = malloc(ROOM);
	return e->raw && e->sealed ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

static size_t block_size(const struct envelope_about *about, uint64_t offset)
{
	uint64_t left = about->raw_size - offset;
	return left < ENVELOPE_BLOCK ? (size_t)left : ENVELOPE_BLOCK;
}

/* ---- writing ---- */

static void head_write(const struct envelope_about *about, uint32_t number, uint8_t out[ENVELOPE_HEAD_SIZE])
{
	struct random random;
	random_init_system(&random);
	memset(out, 0, ENVELOPE_HEAD_SIZE);
	memcpy(out, "KEV1", 4);
	put32(out + 4, number);
	random_fill(&random, out + 8, SALT_SIZE);
	put64(out + 24, about->raw_size);
	put64(out + 32, about->made_ms);
	put64(out + 40, about->changed_ms);
	put32(out + 48, ENVELOPE_BLOCK);
}

static enum err_code write_block(
    struct envelope *e, ZSTD_CCtx *z, int out, size_t n, uint64_t number, uint64_t *at, struct err *reterr)
{
	size_t size = ZSTD_compressCCtx(z, e->sealed + 4, ROOM - 4 - SEAL_TAG_SIZE, e->raw, n, LEVEL);
	if (ZSTD_isError(size))
		return err_set(reterr, ERR_INTERNAL, "libzstd failed: %s", ZSTD_getErrorName(size));
	put32(e->sealed, (uint32_t)size);
	enum err_code rc = sealer_seal(e->sealer, number, e->aad, e->aad_size, e->sealed + 4, size, reterr);
	if (rc == ERR_OK)
		rc = io_pwrite(out, e->sealed, 4 + size + SEAL_TAG_SIZE, *at, reterr);
	*at += 4 + size + SEAL_TAG_SIZE;
	return rc;
}

static enum err_code write_blocks(
    struct envelope *e, int out, int in, const struct envelope_about *about, struct err *reterr)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	uint64_t at = HEAD_WITH_TAG, number = 1;
	enum err_code rc = z ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
	for (uint64_t offset = 0; rc == ERR_OK && offset < about->raw_size; number++) {
		size_t n = block_size(about, offset), got = 0;
		rc = io_pread_full(in, e->raw, n, offset, &got, reterr);
		if (rc == ERR_OK && got < n)
			rc = err_set(reterr, ERR_STATE, "it became shorter while it was read");
		if (rc == ERR_OK)
			rc = write_block(e, z, out, n, number, &at, reterr);
		offset += n;
	}
	ZSTD_freeCCtx(z);
	return rc;
}

enum err_code envelope_write(int out, const struct envelope_key *k, const char *name, int in,
    const struct envelope_about *about, struct err *reterr)
{
	struct envelope e = {0};
	uint8_t head[HEAD_WITH_TAG];
	head_write(about, k->number, head);
	enum err_code rc = envelope_begin(&e, k, name, head, reterr);
	if (rc == ERR_OK)
		rc = make_room(&e, reterr);
	if (rc == ERR_OK)
		rc = sealer_seal(e.sealer, 0, e.aad, e.aad_size, head + ENVELOPE_HEAD_SIZE, 0, reterr);
	if (rc == ERR_OK)
		rc = io_pwrite(out, head, sizeof head, 0, reterr);
	if (rc == ERR_OK)
		rc = write_blocks(&e, out, in, about, reterr);
	envelope_done(&e);
	return rc;
}

/* ---- reading ---- */

static enum err_code damaged(const char *name, const char *what, struct err *reterr)
{
	return err_set(reterr, ERR_CORRUPT, "%s is damaged: %s", name, what);
}

/* The sealer is ready for the blocks afterwards. */
static enum err_code open_head(struct envelope *e, int in, const struct envelope_key *k, const char *name,
    struct envelope_about *ret, struct err *reterr)
{
	uint8_t head[HEAD_WITH_TAG];
	size_t got = 0;
	enum err_code rc = io_pread_full(in, head, sizeof head, 0, &got, reterr);
	if (rc != ERR_OK)
		return rc;
	if (got < sizeof head || memcmp(head, "KEV1", 4) != 0 || get32(head + 48) != ENVELOPE_BLOCK)
		return damaged(name, "its head is not one", reterr);
	*ret = (struct envelope_about){get32(head + 4), get64(head + 24), get64(head + 32), get64(head + 40)};
	if (ret->key_number != k->number)
		return err_set(
		    reterr, ERR_NOT_FOUND, "%s is sealed by key %u, which is not at hand", name, ret->key_number);
	rc = envelope_begin(e, k, name, head, reterr);
	if (rc == ERR_OK && !sealer_open(e->sealer, 0, e->aad, e->aad_size, head + ENVELOPE_HEAD_SIZE, 0))
		rc = damaged(name, "its head does not authenticate", reterr);
	return rc;
}

enum err_code envelope_head(
    int in, const struct envelope_key *k, const char *name, struct envelope_about *ret, struct err *reterr)
{
	struct envelope e = {0};
	enum err_code rc = open_head(&e, in, k, name, ret, reterr);
	envelope_done(&e);
	return rc;
}

static enum err_code read_block(struct envelope *e, ZSTD_DCtx *z, int in, const char *name, size_t n, uint64_t number,
    uint64_t *at, struct err *reterr)
{
	uint8_t size_bytes[4];
	size_t got = 0;
	enum err_code rc = io_pread_full(in, size_bytes, 4, *at, &got, reterr);
	if (rc != ERR_OK)
		return rc;
	uint32_t size = got == 4 ? get32(size_bytes) : UINT32_MAX;
	if (size > ROOM - 4 - SEAL_TAG_SIZE)
		return damaged(name, "it ends too early", reterr);
	rc = io_pread_full(in, e->sealed, size + SEAL_TAG_SIZE, *at + 4, &got, reterr);
	if (rc != ERR_OK)
		return rc;
	if (got != size + SEAL_TAG_SIZE || !sealer_open(e->sealer, number, e->aad, e->aad_size, e->sealed, size))
		return damaged(name, "a block does not authenticate", reterr);
	if (ZSTD_decompressDCtx(z, e->raw, ENVELOPE_BLOCK, e->sealed, size) != n)
		return damaged(name, "a block does not unpack", reterr);
	*at += 4u + size + SEAL_TAG_SIZE;
	return ERR_OK;
}

static enum err_code read_blocks(struct envelope *e, int in, const char *name, envelope_sink_fn *sink, void *ctx,
    const struct envelope_about *about, struct err *reterr)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	uint64_t at = HEAD_WITH_TAG, number = 1;
	uint8_t more;
	size_t got = 0;
	enum err_code rc = z ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
	for (uint64_t offset = 0; rc == ERR_OK && offset < about->raw_size; number++) {
		size_t n = block_size(about, offset);
		rc = read_block(e, z, in, name, n, number, &at, reterr);
		if (rc == ERR_OK)
			rc = sink(ctx, offset, e->raw, n, reterr);
		offset += n;
	}
	ZSTD_freeDCtx(z);
	if (rc == ERR_OK)
		rc = io_pread_full(in, &more, 1, at, &got, reterr);
	return rc == ERR_OK && got ? damaged(name, "something follows its end", reterr) : rc;
}

enum err_code envelope_read(int in, const struct envelope_key *k, const char *name, envelope_sink_fn *sink, void *ctx,
    struct envelope_about *ret, struct err *reterr)
{
	struct envelope e = {0};
	enum err_code rc = open_head(&e, in, k, name, ret, reterr);
	if (rc == ERR_OK)
		rc = make_room(&e, reterr);
	if (rc == ERR_OK)
		rc = read_blocks(&e, in, name, sink, ctx, ret, reterr);
	envelope_done(&e);
	return rc;
}

static enum err_code into_file(void *ctx, uint64_t offset, const uint8_t *data, size_t size, struct err *reterr)
{
	return io_pwrite(*(int *)ctx, data, size, offset, reterr);
}

enum err_code envelope_extract(
    int in, const struct envelope_key *k, const char *name, int out, struct envelope_about *ret, struct err *reterr)
{
	return envelope_read(in, k, name, into_file, &out, ret, reterr);
}
