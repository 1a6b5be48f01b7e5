/* agent/snapshot/index.h: where each chunk is.
 *
 * LMDB in index/data.mdb (this folder's only use of it): "chunks": chunk id -> place; "packs": number -> pack.  It is a cache of what the
 * packs' own indexes say and can be rebuilt at any time, so it is never trusted: index/seal holds a GMAC over the file, made after every
 * commit; a file that does not match (flipped, cut, swapped, or a crash between commit and seal) is not opened but rebuilt.
 * index/guard is flocked while one process opens, commits and seals; the kernel lets go of it when the process ends.
 *
 * The pages of a large index are let go again and again while chunks are looked up, so that what a process maps of it stays small.
 *
 * A struct index is shared by threads; a struct index_reader belongs to one and sees the state of its birth. */
#ifndef KEDGE_AGENT_SNAPSHOT_INDEX_H
#define KEDGE_AGENT_SNAPSHOT_INDEX_H

#include "agent/snapshot/pack.h"

struct place { uint32_t pack, offset, sealed_size, raw_size, at, size; }; /* at, size: within the segment's raw_size bytes */

struct index_pack {
	uint32_t number;
	struct pack_id id;
	uint64_t size;        /* of the file */
	uint64_t doomed_ms;   /* > 0: condemned by prune then; new restore points must not lean on it */
	uint32_t chunks;
};

struct index;
/* ERR_CORRUPT: the files there are not an index as it was left; index_reset and fill it again. */
ERR_CHECK enum err_code index_open(const char *folder, const struct keys *k, struct index **ret, struct err *reterr);
void index_close(struct index *x);
CLEANUP_DEFINE(struct index, index_cleanup, index_close)
/* Removes the files of a damaged index. */
ERR_CHECK enum err_code index_reset(const char *folder, struct err *reterr);

struct index_reader;
ERR_CHECK enum err_code index_reader_new(struct index *x, struct index_reader **ret, struct err *reterr);
void index_reader_free(struct index_reader *r);
CLEANUP_DEFINE(struct index_reader, index_reader_cleanup, index_reader_free)
/* On to the index's state of now.  False: it cannot be read any more; free it. */
bool index_reader_renew(struct index_reader *r);
/* False: not there. */
bool index_find(struct index_reader *r, const struct chunk_id *id, struct place *ret);
bool index_find_pack(struct index_reader *r, uint32_t number, struct index_pack *ret);
/* Every pack, in order of number; the caller frees *ret. */
ERR_CHECK enum err_code index_packs(struct index_reader *r, struct index_pack **ret, size_t *ret_count, struct err *reterr);
uint64_t index_chunk_count(struct index_reader *r);
/* Every chunk in order of id until visit returns false. */
typedef bool index_visit_fn(void *ctx, const struct chunk_id *id, const struct place *place);
ERR_CHECK enum err_code index_each(struct index_reader *r, index_visit_fn *visit, void *ctx, struct err *reterr);

struct index_addition { struct pack_id id; uint64_t size; struct pack_index content; };
/* Durable on return; numbers: *ret_first and those that follow.  A chunk that was known moves to its new place.  On failure nothing, or
 * (in a large index) the packs and a part of their chunks, is known.  After ERR_FULL or ERR_IO the struct index is done with: close it. */
ERR_CHECK enum err_code index_add(struct index *x, const struct index_addition *packs, size_t count, uint32_t *ret_first, struct err *reterr);
/* Everything anew, from what gather finds while nobody else commits: what is committed before is in what it sees, what comes later is added.
 * *ret is gather's, valid until index_replace returns. */
typedef enum err_code index_gather_fn(void *ctx, const struct index_addition **ret, size_t *ret_count, struct err *reterr);
ERR_CHECK enum err_code index_replace(struct index *x, index_gather_fn *gather, void *ctx, struct err *reterr);
/* Sets doomed_ms of each (0: spared). */
ERR_CHECK enum err_code index_doom(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr);
/* Forgets these packs and every chunk that lies in them. */
ERR_CHECK enum err_code index_remove(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr);

#endif
