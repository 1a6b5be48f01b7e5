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
/* The whole inventory that the newest builds on; 1 when there is none. */
uint32_t place_base(const struct ledger *l);
/* It is of no use to the repository any more, and no inventory that a restore reads names it. */
bool place_is_unneeded(const struct copied *c, uint32_t base);

/* ---- forget.c: what keeps the ledger as small as what is copied ----
 *
 * Forgotten are inventories before the one that the newest builds on, and what is unneeded: OFFHOST_REMEMBER_DAYS after
 * it was found to be so and its lock ended, and of more than OFFHOST_GONE_MAX the oldest.  What was forgotten and is
 * there after all is found when it is to be put again.  The file is written anew when it is worth it. */
ERR_CHECK enum err_code place_forget(const struct offhost *o, struct ledger *l, uint64_t now_ms, struct err *reterr);

#endif
