/* agent/repository/store_internal.h: what store.c and packer.c share. */
#ifndef KEDGE_AGENT_REPOSITORY_STORE_INTERNAL_H
#define KEDGE_AGENT_REPOSITORY_STORE_INTERNAL_H

#include "agent/repository/store.h"

enum { SEEN_SHARDS = 16 };

struct seen_slot {
	struct chunk_id id;
	bool used;
};
struct seen { /* chunk ids that this run has met, by their first byte */
	pthread_mutex_t mutex;
	struct seen_slot *slots;
	size_t count, room;
};
struct store_run {
	struct repo *repo;
	bool keep, intact;
	uint8_t *usable;       /* by pack number */
	struct pack_id *names; /* of these */
	size_t usable_count;
	struct seen seen[SEEN_SHARDS];
	_Atomic uint64_t bytes;
	pthread_mutex_t mutex;        /* of packs */
	struct index_addition *packs; /* finished and not committed */
	size_t pack_count;
	uint64_t waiting_chunks;  /* in these */
	bool committing;          /* somebody is at it */
	struct index_pack *early; /* committed before the end: chunks in them count as stored */
	size_t early_count;
	_Atomic unsigned commits; /* changes with early: look-ups need a newer view of the index then */
};

enum seen_result { SEEN_NEW, SEEN_BEFORE, SEEN_NO_MEMORY };
enum seen_result store_run_see(struct store_run *run, const struct chunk_id *id);
/* May a new restore point lean on what lies in that pack? */
bool store_run_may_use(struct store_run *run, uint32_t pack_number);
/* Takes a's content over, also when it fails; commits what has gathered once it is much. */
ERR_CHECK enum err_code store_run_add_pack(struct store_run *run, const struct index_addition *a, struct err *reterr);

#endif
