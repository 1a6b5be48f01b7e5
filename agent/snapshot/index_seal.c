#include "agent/snapshot/index_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/snapshot/bytes.h"
#include "agent/snapshot/io.h"
#include "agent/snapshot/seal.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

static const char magic[8] = "KEDGEIX1";
enum { NONCE_SIZE = 12, SEAL_SIZE = 8 + 4 + NONCE_SIZE + 8 + SEAL_TAG_SIZE, BLOCK = 256 << 10 };

static enum err_code mac_of(const char *folder, const struct keys *k, uint32_t number, const uint8_t nonce[NONCE_SIZE],
    uint64_t *ret_size, uint8_t tag[SEAL_TAG_SIZE], struct err *reterr)
{
	char path[PATH_LIMIT];
	uint8_t key[KEY_SIZE];
	CLEANUP(cleanup_free) uint8_t *block = malloc(BLOCK);
	CLEANUP(cleanup_fd) int fd = -1;
	if (!block)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (!text_format(path, sizeof path, "%s/data.mdb", folder))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	enum err_code rc = keys_derive(k, number, "index", NULL, 0, key, reterr);
	if (rc)
		return rc;
	CLEANUP(gmac_cleanup) struct gmac *mac = gmac_new(key, nonce);
	secret_wipe(key, sizeof key);
	if (!mac)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	uint64_t at = 0;
	for (size_t n = BLOCK; n == BLOCK; at += n) {
		rc = io_pread_full(fd, block, BLOCK, at, &n, reterr);
		if (rc)
			return err_prefix(reterr, rc, "%s", path);
		gmac_add(mac, block, n);
	}
	gmac_end(mac, tag);
	*ret_size = at;
	return ERR_OK;
}

/* Not synced: after a power cut an older seal only means that the index is rebuilt. */
static enum err_code replace_unsynced(const char *folder, const uint8_t *data, size_t size, struct err *reterr)
{
	char path[PATH_LIMIT], temporary[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/seal", folder) ||
	    !text_format(temporary, sizeof temporary, "%s/seal.tmp", folder))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	CLEANUP(cleanup_fd) int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(reterr, errno, "create %s", temporary);
	enum err_code rc = io_pwrite(fd, data, size, 0, reterr);
	if (rc)
		return err_prefix(reterr, rc, "%s", temporary);
	if (rename(temporary, path))
		return err_sys(reterr, errno, "rename %s", temporary);
	return ERR_OK;
}

enum err_code index_seal_write(const char *folder, const struct keys *k, struct err *reterr)
{
	uint8_t seal[SEAL_SIZE];
	uint64_t size;
	struct random random;
	random_init_system(&random);
	memcpy(seal, magic, 8);
	put32(seal + 8, keys_newest(k));
	random_fill(&random, seal + 12, NONCE_SIZE);
	enum err_code rc = mac_of(folder, k, keys_newest(k), seal + 12, &size, seal + 12 + NONCE_SIZE + 8, reterr);
	if (rc)
		return rc;
	put64(seal + 12 + NONCE_SIZE, size);
	return replace_unsynced(folder, seal, sizeof seal, reterr);
}

enum err_code index_seal_check(const char *folder, const struct keys *k, struct err *reterr)
{
	char path[PATH_LIMIT];
	uint8_t tag[SEAL_TAG_SIZE];
	uint64_t size;
	struct buf seal = BUF_INIT;
	if (!text_format(path, sizeof path, "%s/seal", folder))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	enum err_code rc = file_read(path, 4096, &seal, reterr);
	bool shaped = !rc && seal.size == SEAL_SIZE && !memcmp(seal.data, magic, 8);
	bool good = shaped && !mac_of(folder, k, get32(seal.data + 8), seal.data + 12, &size, tag, reterr) &&
		    size == get64(seal.data + 12 + NONCE_SIZE) &&
		    secret_equal(tag, seal.data + 12 + NONCE_SIZE + 8, sizeof tag);
	buf_done(&seal);
	if (good)
		return ERR_OK;
	return err_set(reterr, ERR_CORRUPT, "%s/data.mdb is not the index as it was left", folder);
}
