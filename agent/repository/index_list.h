/* agent/repository/index_list.h: what the index consists of: its packs and its runs, in one small file that is replaced
 * as a whole.
 *
 *   index/list   "KEDGEIX2", nonce (12), then u64 epoch, u64 generation, u32 next pack number, u32 packs, u32 runs;
 *                a pack: u32 number, id (16), u64 size, u64 condemned (ms), u32 chunks; a run, the newest first: id
 * (16), u64 entries, nonce (12), tag (16) (index_run.h); GMAC over all before it (16)
 *
 * The tags are made with a key that stays when masters are turned (key.h), so that who opened the repository before can
 * still read it. The epoch is drawn when an index is made from nothing; the generation counts its commits.  Blocking.
 */
#ifndef KEDGE_AGENT_REPOSITORY_INDEX_LIST_H
#define KEDGE_AGENT_REPOSITORY_INDEX_LIST_H

#include "agent/repository/index_run.h"

struct index_list {
	uint64_t epoch, generation;
	uint32_t next_number;     /* of the next pack; none comes twice */
	struct index_pack *packs; /* by number */
	struct run_about *runs;
	size_t pack_count, run_count;
};
void index_list_done(struct index_list *l);
/* Durable on return: it is the old list or the new one, whole. */
ERR_CHECK enum err_code index_list_write(
    const char *folder, const struct keys *k, const struct index_list *l, struct err *reterr);
/* ERR_NOT_FOUND; ERR_CORRUPT: not as it was written. */
ERR_CHECK enum err_code index_list_read(
    const char *folder, const struct keys *k, struct index_list *ret, struct err *reterr);

#endif
