/* Reading pack files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <zstd.h>

#include "agent/repository/io.h"
#include "agent/repository/pack.h"
#include "agent/repository/seal.h"

enum { DIGEST_BLOCK = 256 << 10 };

struct pack {
	int fd;
	uint64_t size;
	struct pack_id id;
	char name[PACK_NAME_MAX];
	struct sealer *sealer;
};

void pack_close(struct pack *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	sealer_free(p->sealer);
	free(p);
}

uint64_t pack_size(const struct pack *p)
{
	return p->size;
}

static enum err_code check_header(struct pack *p, const struct keys *k, struct err *reterr)
{
	uint8_t bytes[PACK_HEADER_SIZE], key[KEY_SIZE];
	struct pack_header h;
	enum err_code rc = io_pread_exact(p->fd, bytes, sizeof bytes, 0, reterr);
	if (!rc)
		rc = pack_header_parse(bytes, &h, reterr);
	if (rc) /* a version that is not known is as good as damaged to who needs what is inside */
		return rc == ERR_UNSUPPORTED ? ERR_CORRUPT : rc;
	if (memcmp(h.pack.b, p->id.b, PACK_ID_SIZE))
		return err_set(reterr, ERR_CORRUPT, "holds another pack's bytes: a copy under a wrong name");
	if (memcmp(h.repo, keys_repo_id(k), REPO_ID_SIZE))
		return err_set(reterr, ERR_CORRUPT, "belongs to another repository");
	rc = keys_derive(k, h.key_number, "pack", p->id.b, PACK_ID_SIZE, key, reterr);
	if (!rc)
		rc = sealer_new(key, &p->sealer, reterr);
	memset(key, 0, sizeof key);
	return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
}

enum err_code pack_open(int packs_fd, struct pack_id id, const struct keys *k, struct pack **ret, struct err *reterr)
{
	CLEANUP(pack_cleanup) struct pack *p = calloc(1, sizeof *p);
	if (!p)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	p->id = id;
	pack_name(id, ".pack", p->name);
	p->fd = openat(packs_fd, p->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p->fd < 0 && errno == ENOENT)
		return err_set(reterr, ERR_CORRUPT, "packs/%s is missing", p->name);
	if (p->fd < 0)
		return err_sys(reterr, errno, "open packs/%s", p->name);
	struct stat st;
	if (fstat(p->fd, &st))
		return err_sys(reterr, errno, "packs/%s", p->name);
	p->size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || p->size < PACK_HEADER_SIZE + PACK_FOOTER_SIZE || p->size > PACK_SIZE_MAX)
		return err_set(
		    reterr, ERR_CORRUPT, "packs/%s: %llu bytes cannot be a pack", p->name, (unsigned long long)p->size);
	enum err_code rc = check_header(p, k, reterr);
	if (rc)
		return err_prefix(reterr, rc, "packs/%s", p->name);
	*ret = TAKE_PTR(p);
	return ERR_OK;
}

static enum err_code read_index(struct pack *p, struct pack_index *ret, struct err *reterr)
{
	uint8_t bytes[PACK_FOOTER_SIZE], aad[SEGMENT_AAD_SIZE];
	struct pack_footer f;
	enum err_code rc = io_pread_exact(p->fd, bytes, sizeof bytes, p->size - PACK_FOOTER_SIZE, reterr);
	if (!rc)
		rc = pack_footer_parse(bytes, p->size, &f, reterr);
	if (rc)
		return rc;
	CLEANUP(cleanup_free) uint8_t *data = malloc(f.index_size);
	if (!data)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rc = io_pread_exact(p->fd, data, f.index_size, f.index_offset, reterr);
	if (rc)
		return rc;
	uint32_t size = f.index_size - SEAL_TAG_SIZE;
	segment_aad(p->id, f.index_offset, size, 0, aad);
	if (!sealer_open(p->sealer, PACK_INDEX_COUNTER, aad, sizeof aad, data, size))
		return err_set(reterr, ERR_CORRUPT, "the index does not authenticate");
	return pack_index_parse(data, size, f.index_offset, ret, reterr);
}

enum err_code pack_read_index(struct pack *p, struct pack_index *ret, struct err *reterr)
{
	enum err_code rc = read_index(p, ret, reterr);
	return rc ? err_prefix(reterr, rc, "packs/%s", p->name) : ERR_OK;
}

struct unpacker {
	ZSTD_DCtx *decoder;
	uint8_t sealed[SEGMENT_SEALED_MAX];
};

enum err_code unpacker_new(struct unpacker **ret, struct err *reterr)
{
	struct unpacker *u = malloc(sizeof *u);
	if (u && !(u->decoder = ZSTD_createDCtx())) {
		free(u);
		u = NULL;
	}
	if (!u)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret = u;
	return ERR_OK;
}

void unpacker_free(struct unpacker *u)
{
	if (!u)
		return;
	ZSTD_freeDCtx(u->decoder);
	free(u);
}

static enum err_code read_segment(struct pack *p, uint32_t offset, uint32_t sealed_size, uint32_t raw_size,
    struct unpacker *u, uint8_t *raw, struct err *reterr)
{
	uint8_t aad[SEGMENT_AAD_SIZE];
	uint32_t number, sealed_size_there, raw_size_there;
	if (sealed_size == 0 || sealed_size > SEGMENT_SEALED_MAX - SEGMENT_HEADER_SIZE - SEAL_TAG_SIZE ||
	    raw_size == 0 || raw_size > SEGMENT_RAW_MAX)
		return err_set(reterr, ERR_CORRUPT, "impossible segment size");
	enum err_code rc =
	    io_pread_exact(p->fd, u->sealed, SEGMENT_HEADER_SIZE + sealed_size + SEAL_TAG_SIZE, offset, reterr);
	if (!rc)
		rc = segment_header_parse(u->sealed, &number, &sealed_size_there, &raw_size_there, reterr);
	if (rc)
		return rc;
	if (sealed_size_there != sealed_size || raw_size_there != raw_size)
		return err_set(reterr, ERR_CORRUPT, "another segment than the index says");
	segment_aad(p->id, offset, sealed_size, raw_size, aad);
	uint8_t *data = u->sealed + SEGMENT_HEADER_SIZE;
	if (!sealer_open(p->sealer, number, aad, sizeof aad, data, sealed_size))
		return err_set(reterr, ERR_CORRUPT, "does not authenticate");
	size_t got = ZSTD_decompressDCtx(u->decoder, raw, raw_size, data, sealed_size);
	if (ZSTD_isError(got) || got != raw_size)
		return err_set(reterr, ERR_CORRUPT, "does not decompress");
	return ERR_OK;
}

enum err_code pack_read_segment(struct pack *p, uint32_t offset, uint32_t sealed_size, uint32_t raw_size,
    struct unpacker *u, uint8_t *raw, struct err *reterr)
{
	enum err_code rc = read_segment(p, offset, sealed_size, raw_size, u, raw, reterr);
	return rc ? err_prefix(reterr, rc, "packs/%s at %u", p->name, offset) : ERR_OK;
}

enum err_code pack_check_digest(struct pack *p, struct err *reterr)
{
	uint8_t bytes[PACK_FOOTER_SIZE], digest[32];
	struct pack_footer f;
	CLEANUP(sha256_cleanup) struct sha256 *sha = sha256_new();
	CLEANUP(cleanup_free) uint8_t *block = malloc(DIGEST_BLOCK);
	if (!sha || !block)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = io_pread_exact(p->fd, bytes, sizeof bytes, p->size - PACK_FOOTER_SIZE, reterr);
	if (!rc)
		rc = pack_footer_parse(bytes, p->size, &f, reterr);
	for (uint64_t at = 0; !rc && at < p->size - PACK_FOOTER_SIZE;) {
		uint64_t left = p->size - PACK_FOOTER_SIZE - at;
		size_t n = left < DIGEST_BLOCK ? (size_t)left : DIGEST_BLOCK;
		rc = io_pread_exact(p->fd, block, n, at, reterr);
		if (!rc)
			sha256_add(sha, block, n);
		at += n;
	}
	if (!rc) {
		sha256_end(sha, digest);
		if (memcmp(digest, f.digest, sizeof digest))
			rc = err_set(reterr, ERR_CORRUPT, "its bytes are not what was written (SHA-256 differs)");
	}
	return rc ? err_prefix(reterr, rc, "packs/%s", p->name) : ERR_OK;
}
