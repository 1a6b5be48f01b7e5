/* Writing pack files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/repository/io.h"
#include "agent/repository/pack.h"
#include "agent/repository/seal.h"
#include "shared/base/random.h"

enum { CREATE_TRIES = 5 };

struct pack_writer {
	int packs_fd, fd;
	struct pack_id id;
	char temporary[PACK_NAME_MAX];
	struct sealer *sealer;
	struct sha256 *sha;
	uint64_t size, led; /* written; handed to writeback */
	struct pack_index index;
	size_t segment_room, chunk_room;
};

void pack_writer_free(struct pack_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		unlinkat(w->packs_fd, w->temporary, 0);
		close(w->fd);
	}
	sealer_free(w->sealer);
	sha256_free(w->sha);
	pack_index_done(&w->index);
	free(w);
}

static enum err_code failed(const struct pack_writer *w, enum err_code rc, struct err *reterr)
{
	if (rc == ERR_FULL)
		return err_set(reterr, rc,
		    "the repository's file system has no room left; free some or prune, nothing was changed");
	return err_prefix(reterr, rc, "packs/%s", w->temporary);
}

static enum err_code append(struct pack_writer *w, const void *data, size_t size, struct err *reterr)
{
	enum err_code rc = io_pwrite(w->fd, data, size, w->size, reterr);
	if (rc)
		return failed(w, rc, reterr);
	w->size += size;
	/* Let the disk work while we still compress, so that the sync at the end has little left to do. */
	if (w->size - w->led >= PACK_LEAD) {
		(void)sync_file_range(w->fd, (off_t)w->led, (off_t)(w->size - w->led), SYNC_FILE_RANGE_WRITE);
		w->led = w->size;
	}
	return ERR_OK;
}

/* The lock is held for the life of the descriptor: what has none is a crash's leftover.  A sweep may come between
 * creation and lock; then the name is gone and another try is due. */
static enum err_code create_locked(struct pack_writer *w, struct err *reterr)
{
	struct stat st;
	for (int tries = 0; tries < CREATE_TRIES; tries++) {
		w->fd = openat(w->packs_fd, w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (w->fd < 0) {
			enum err_code rc = err_sys(reterr, errno, "create");
			return failed(w, rc, reterr);
		}
		if (!flock(w->fd, LOCK_EX) && !fstat(w->fd, &st) && st.st_nlink)
			return ERR_OK;
		close(w->fd);
		w->fd = -1;
	}
	return err_set(reterr, ERR_BUSY, "packs/%s: another process keeps removing it", w->temporary);
}

static enum err_code begin(struct pack_writer *w, const struct keys *k, struct err *reterr)
{
	uint8_t key[KEY_SIZE], bytes[PACK_HEADER_SIZE];
	struct pack_header h = {.key_number = keys_newest(k), .pack = w->id};
	memcpy(h.repo, keys_repo_id(k), REPO_ID_SIZE);
	enum err_code rc = keys_derive(k, h.key_number, "pack", w->id.b, PACK_ID_SIZE, key, reterr);
	if (!rc)
		rc = sealer_new(key, &w->sealer, reterr);
	memset(key, 0, sizeof key);
	if (rc)
		return rc;
	rc = create_locked(w, reterr);
	if (rc)
		return rc;
	pack_header_write(&h, bytes);
	sha256_add(w->sha, bytes, sizeof bytes);
	return append(w, bytes, sizeof bytes, reterr);
}

enum err_code pack_writer_new(int packs_fd, const struct keys *k, struct pack_writer **ret, struct err *reterr)
{
	CLEANUP(pack_writer_cleanup) struct pack_writer *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	w->packs_fd = packs_fd;
	w->fd = -1;
	w->sha = sha256_new();
	if (!w->sha)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	struct random random;
	random_init_system(&random);
	random_fill(&random, w->id.b, PACK_ID_SIZE);
	pack_name(w->id, ".tmp", w->temporary);
	enum err_code rc = begin(w, k, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(w);
	return ERR_OK;
}

struct pack_id pack_writer_id(const struct pack_writer *w)
{
	return w->id;
}
uint64_t pack_writer_size(const struct pack_writer *w)
{
	return w->size;
}
uint32_t pack_writer_chunks(const struct pack_writer *w)
{
	return w->index.chunk_count;
}

static bool grow(void **items, size_t *room, size_t need, size_t item_size)
{
	if (need <= *room)
		return true;
	size_t wanted = *room ? *room * 2 : 64;
	while (wanted < need)
		wanted *= 2;
	void *p = realloc(*items, wanted * item_size);
	if (!p)
		return false;
	*items = p;
	*room = wanted;
	return true;
}

enum err_code pack_writer_segment(struct pack_writer *w, uint8_t *sealed, uint32_t sealed_size, uint32_t raw_size,
    const struct pack_chunk *chunks, uint32_t count, struct err *reterr)
{
	uint8_t head[SEGMENT_HEADER_SIZE], aad[SEGMENT_AAD_SIZE];
	struct pack_index *x = &w->index;
	uint32_t offset = (uint32_t)w->size, number = x->segment_count;
	void *segments = x->segments, *all = x->chunks;
	bool room = grow(&segments, &w->segment_room, x->segment_count + 1u, sizeof *x->segments);
	x->segments = segments;
	room = room && grow(&all, &w->chunk_room, x->chunk_count + count, sizeof *x->chunks);
	x->chunks = all;
	if (!room)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	segment_header_write(number, sealed_size, raw_size, head);
	segment_aad(w->id, offset, sealed_size, raw_size, aad);
	enum err_code rc = sealer_seal(w->sealer, number, aad, sizeof aad, sealed, sealed_size, reterr);
	if (!rc)
		rc = append(w, head, sizeof head, reterr);
	if (!rc)
		rc = append(w, sealed, sealed_size + SEAL_TAG_SIZE, reterr);
	if (rc)
		return rc;
	sha256_add(w->sha, head, sizeof head);
	sha256_add(w->sha, sealed, sealed_size + SEAL_TAG_SIZE);
	x->segments[x->segment_count++] = (struct pack_segment){offset, sealed_size, raw_size, count};
	memcpy(x->chunks + x->chunk_count, chunks, count * sizeof *chunks);
	x->chunk_count += count;
	return ERR_OK;
}

static enum err_code write_index(struct pack_writer *w, struct err *reterr)
{
	struct buf text = BUF_INIT;
	uint8_t aad[SEGMENT_AAD_SIZE], bytes[PACK_FOOTER_SIZE];
	pack_index_write(&w->index, &text);
	uint32_t size = (uint32_t)text.size;
	if (!buf_reserve(&text, SEAL_TAG_SIZE)) {
		buf_done(&text);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	struct pack_footer f = {.index_offset = (uint32_t)w->size, .index_size = size + SEAL_TAG_SIZE};
	f.file_size = w->size + f.index_size + PACK_FOOTER_SIZE;
	segment_aad(w->id, f.index_offset, size, 0, aad);
	enum err_code rc = sealer_seal(w->sealer, PACK_INDEX_COUNTER, aad, sizeof aad, text.data, size, reterr);
	if (!rc)
		rc = append(w, text.data, f.index_size, reterr);
	if (!rc)
		sha256_add(w->sha, text.data, f.index_size);
	buf_done(&text);
	if (rc)
		return rc;
	sha256_end(w->sha, f.digest);
	pack_footer_write(&f, bytes);
	return append(w, bytes, sizeof bytes, reterr);
}

enum err_code pack_writer_finish(struct pack_writer *w, struct pack_index *ret, uint64_t *ret_size, struct err *reterr)
{
	char name[PACK_NAME_MAX];
	enum err_code rc = write_index(w, reterr);
	if (rc)
		return rc;
	if (fsync(w->fd))
		return failed(w, err_sys(reterr, errno, "sync"), reterr);
	if (renameat(w->packs_fd, w->temporary, w->packs_fd, pack_name(w->id, ".pack", name)))
		return failed(w, err_sys(reterr, errno, "rename"), reterr);
	close(w->fd);
	w->fd = -1;
	*ret = w->index;
	*ret_size = w->size;
	w->index = (struct pack_index){0};
	return ERR_OK;
}
