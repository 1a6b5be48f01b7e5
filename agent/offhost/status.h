/* agent/offhost/status.h: what the last runs came to: state_directory/offhost/status.json.  Failing to write it is
 * logged and no more. */
#ifndef KEDGE_AGENT_OFFHOST_STATUS_H
#define KEDGE_AGENT_OFFHOST_STATUS_H

#include "agent/offhost/ledger.h"
#include "agent/offhost/offhost.h"

/* l: NULL when the run did not come so far. */
void status_after_copy(const struct offhost *o, struct repo *r, const struct ledger *l, uint64_t began_ms,
    enum err_code rc, const struct err *err, const struct copy_result *result);
void status_after_verify(
    const struct offhost *o, enum err_code rc, const struct err *err, const struct copy_proof *proof);

#endif
