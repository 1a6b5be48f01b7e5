/* agent/repository/index.h: where each chunk is.
 *
 * Sorted runs (index_run.h) and the list of them and of the packs (index_list.h), in the folder index/: a commit writes
 * what is new as a run of its own, together with the runs that are not larger, and then replaces the list.  So what a
 * commit costs is what it adds, some log2 times over, and memory some 2 bytes a chunk.  It is a cache of what the
 * packs' own indexes say and can be rebuilt at any time, so it is never trusted: list and runs carry a GMAC, and what
 * does not match (flipped, cut, swapped) is not opened but rebuilt. index/guard is flocked while one process opens or
 * commits; the kernel lets go of it when the process ends.
 *
 * A struct index is shared by threads; a struct index_reader belongs to one and sees the state of its birth. */
#ifndef KEDGE_AGENT_REPOSITORY_INDEX_H
#define KEDGE_AGENT_REPOSITORY_INDEX_H

#include "agent/repository/pack.h"

struct place {
	uint32_t pack, offset, sealed_size, raw_size, at, size;
}; /* at, size: within the segment's raw_size bytes */

struct index_pack {
	uint32_t number;
	struct pack_id id;
	uint64_t size;      /* of the file */
	uint64_t doomed_ms; /* > 0: condemned by prune then; new restore points must not lean on it */
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
/* On to what this process has committed since. */
void index_reader_renew(struct index_reader *r);
/* False: not there, or not to be read (index_reader_check()). */
bool index_find(struct index_reader *r, const struct chunk_id *id, struct place *ret);
/* *ret_at: a number below index_places() of this reader's own, to mark it by. */
bool index_find_at(struct index_reader *r, const struct chunk_id *id, struct place *ret, size_t *ret_at);
/* The first error that made a look-up fail: for those to whom "not there" means that it may go. */
ERR_CHECK enum err_code index_reader_check(const struct index_reader *r, struct err *reterr);
bool index_find_pack(struct index_reader *r, uint32_t number, struct index_pack *ret);
/* Every pack, in order of number; the caller frees *ret. */
ERR_CHECK enum err_code index_packs(
    struct index_reader *r, struct index_pack **ret, size_t *ret_count, struct err *reterr);
size_t index_places(
    struct index_reader *r);           /* no less than there are chunks: one that was stored twice may count twice */
uint64_t index_bytes(struct index *x); /* on disk */
/* Every chunk in order of id until visit returns false. */
typedef bool index_visit_fn(void *ctx, const struct chunk_id *id, const struct place *place);
ERR_CHECK enum err_code index_each(struct index_reader *r, index_visit_fn *visit, void *ctx, struct err *reterr);

struct index_addition {
	struct pack_id id;
	uint64_t size;
	struct pack_index content;
};
/* Durable on return; numbers: *ret_first and those that follow; none ever comes again.  A chunk that was known moves to
 * its new place.  On failure nothing is known.  After ERR_FULL or ERR_IO the struct index may be done with: close it.
 */
ERR_CHECK enum err_code index_add(
    struct index *x, const struct index_addition *packs, size_t count, uint32_t *ret_first, struct err *reterr);
/* Everything anew, from the packs that next tells one by one, while nobody else commits: what is committed before is in
 * what it sees, what comes later is added.  ret->content becomes index_replace's. */
typedef enum err_code index_next_fn(void *ctx, struct index_addition *ret, bool *ret_end, struct err *reterr);
ERR_CHECK enum err_code index_replace(struct index *x, index_next_fn *next, void *ctx, struct err *reterr);
/* Sets doomed_ms of each (0: spared). */
ERR_CHECK enum err_code index_doom(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr);
/* Forgets these packs and every chunk that lies in them. */
ERR_CHECK enum err_code index_remove(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr);

#endif
