/* agent/offhost/reach.h: how far a service can be brought back, here and from elsewhere: its archive and the copies'
 * status in one.  Reads files only; any thread. */
#ifndef KEDGE_AGENT_OFFHOST_REACH_H
#define KEDGE_AGENT_OFFHOST_REACH_H

#include "agent/config/config.h"
#include "shared/message/report.h"

/* *ret_any: false when neither an archive nor copies are declared.  What cannot be read is as if it were not there, and
 * is said in ret->text.  Strings live in arena, or are s's. */
ERR_CHECK enum err_code offhost_reach(const struct agent_config *c, const struct service_config *s, uint64_t now_ms,
    struct arena *arena, struct reach *ret, bool *ret_any, struct err *reterr);

#endif
