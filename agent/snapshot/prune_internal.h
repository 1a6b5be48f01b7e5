/* agent/snapshot/prune_internal.h: what the files of a prune run share.  One thread. */
#ifndef KEDGE_AGENT_SNAPSHOT_PRUNE_INTERNAL_H
#define KEDGE_AGENT_SNAPSHOT_PRUNE_INTERNAL_H

#include "agent/snapshot/findings.h"
#include "agent/snapshot/manifest.h"
#include "agent/snapshot/reader.h"
#include "agent/snapshot/upkeep.h"
#include "shared/base/map.h"

struct pruning {
	struct repo *repo;
	const struct prune_options *o;
	struct arena *arena;
	struct list all;         /* struct snapshot_summary, newest first */
	struct retained *points; /* beside it */
	struct index_pack *packs;
	size_t pack_count;
	size_t numbers;        /* of the next three */
	uint64_t *live_bytes;  /* by pack number: raw bytes of needed chunks */
	uint64_t *all_bytes;   /* raw bytes of chunks that the index places there */
	bool *repacked;        /* its needed chunks were written anew in this run */
	struct reader *reader; /* sees the index as it was at the beginning */
	uint8_t *live;         /* a bit for each chunk of the index that some restore point needs */
	struct map *pages;     /* tree pages whose entries were counted already */
	struct prune_result result;
};

/* Does some restore point need it?  A look-up that fails (index_reader_check()) says no. */
bool prune_is_live(const struct pruning *p, const struct chunk_id *id);
bool prune_cancelled(const struct pruning *p);
/* Fills reader, packs, live and the numbers.  ERR_CORRUPT: some need cannot be met, so nothing may be judged. */
ERR_CHECK enum err_code prune_find_needs(struct pruning *p, struct err *reterr); /* prune_needs.c */
/* Writes what is needed of mostly dead packs, and of many tiny ones, anew, and commits that; the old ones are then
 * marked repacked.  With apply false it only counts. */
ERR_CHECK enum err_code prune_repack(struct pruning *p, struct err *reterr); /* repack.c */

#endif
