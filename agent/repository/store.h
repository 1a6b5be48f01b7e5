/* agent/repository/store.h: putting chunks into a repository, each only once.
 *
 * One store_run a snapshot, shared by its workers; one packer a worker, which fills packs of its own, so that workers
 * never wait for one another but for a moment when two meet the same chunk.  With keep false nothing is stored and
 * chunks are only named (live digests).
 *
 * Order: packs are synced and renamed by their packers; store_run_commit syncs packs/ and then commits the index.  What
 * fails before leaves packs that nothing refers to, and removes them when it still can.  A run that stores many chunks
 * commits them on the way, in the same order, so that it need not remember them all; what it has committed stays when
 * it fails, until a prune finds that nothing needs it. */
#ifndef KEDGE_AGENT_REPOSITORY_STORE_H
#define KEDGE_AGENT_REPOSITORY_STORE_H

#include "agent/repository/repo_internal.h"

struct store_run;
ERR_CHECK enum err_code store_run_new(struct repo *r, bool keep, struct store_run **ret, struct err *reterr);
void store_run_free(struct store_run *run); /* uncommitted packs are removed */
CLEANUP_DEFINE(struct store_run, store_run_cleanup, store_run_free)
/* Every pack that the index knows is there in full size; if not, nothing may be taken for stored without looking. */
bool store_run_intact(const struct store_run *run);
bool store_run_keeps(const struct store_run *run); /* false: chunks are only named */
/* Before any packer: chunks in that pack count as not stored. */
void store_run_avoid(struct store_run *run, uint32_t pack_number);
/* Once all is stored: ERR_BUSY when a pack that might have been leaned on was removed meanwhile. */
ERR_CHECK enum err_code store_run_still_there(const struct store_run *run, struct err *reterr);
uint64_t store_run_bytes(const struct store_run *run); /* written to packs so far; any thread */
/* All packers are finished.  Durable on return. */
ERR_CHECK enum err_code store_run_commit(struct store_run *run, struct err *reterr);

struct packer;
ERR_CHECK enum err_code packer_new(struct store_run *run, struct packer **ret, struct err *reterr);
void packer_free(struct packer *p);
CLEANUP_DEFINE(struct packer, packer_cleanup, packer_free)
/* Room for a chunk of up to size (<= CHUNK_MAX) bytes, valid until the next call; NULL on failure. */
uint8_t *packer_room(struct packer *p, size_t size, struct err *reterr);
/* Takes the first size (> 0) bytes of that room as a chunk: names it, and stores it if it is new. */
ERR_CHECK enum err_code packer_take(struct packer *p, size_t size, struct chunk_id *ret, struct err *reterr);
/* room and take for bytes that lie elsewhere. */
ERR_CHECK enum err_code packer_put(
    struct packer *p, const uint8_t *data, size_t size, struct chunk_id *ret, struct err *reterr);
/* The same for a page of a tree: they lie together, apart from other chunks. */
ERR_CHECK enum err_code packer_put_page(
    struct packer *p, const uint8_t *data, size_t size, struct chunk_id *ret, struct err *reterr);
/* Nothing is left to finish. */
bool packer_is_finished(const struct packer *p);
/* The last segments and pack, durable. */
ERR_CHECK enum err_code packer_finish(struct packer *p, struct err *reterr);

#endif
