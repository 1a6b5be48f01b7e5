/* agent/snapshot/index_seal.h: the GMAC over the index's file: "KEDGEIX1", u32 key number, nonce (12), u64 size, tag (16).
 * The caller holds the guard.  Blocking. */
#ifndef KEDGE_AGENT_SNAPSHOT_INDEX_SEAL_H
#define KEDGE_AGENT_SNAPSHOT_INDEX_SEAL_H

#include "agent/snapshot/key.h"

ERR_CHECK enum err_code index_seal_write(const char *folder, const struct keys *k, struct err *reterr);
/* ERR_CORRUPT: the file is not as it was sealed. */
ERR_CHECK enum err_code index_seal_check(const char *folder, const struct keys *k, struct err *reterr);

#endif
