/* agent/offhost/place.h: the generation of a repository in the store, and its ledger.  Blocking; one thread. */
#ifndef KEDGE_AGENT_OFFHOST_PLACE_H
#define KEDGE_AGENT_OFFHOST_PLACE_H

#include "agent/offhost/ledger.h"
#include "agent/offhost/store.h"

/* The ledger as it is on the disk, to be read only; the store is not asked.
 * ERR_NOT_FOUND: none for this destination and repository. */
ERR_CHECK enum err_code place_known(
    const struct offhost *o, const struct keys *k, struct ledger **ret, struct err *reterr);
/* To be put into, by who holds the lock: that one, or else one made of what the store holds; a generation is claimed
 * when this repository has none yet. */
ERR_CHECK enum err_code place_open(
    const struct offhost *o, const struct keys *k, struct ledger **ret, struct err *reterr);
/* What is put at now_ms is locked until then; 0: locks are not wanted. */
uint64_t place_lock_until(const struct offhost *o, uint64_t now_ms);
/* The highest number of a kind that the ledger knows; 0: none. */
uint32_t place_newest(const struct ledger *l, char *(*name_of)(uint32_t, char *), uint32_t most);

#endif
