/* agent/database/guard.h: a PostgreSQL data directory from which nobody starts a server while it stands between two
 * states: not an operator, not systemd at the next boot.
 *
 * No server starts without PG_VERSION, which until then lies under another name in the same folder.  Raised and lowered
 * by one rename each, durable on return; done before is done.  Blocking; one thread. */
#ifndef KEDGE_AGENT_DATABASE_GUARD_H
#define KEDGE_AGENT_DATABASE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"

#define GUARD_MARK "PG_VERSION"
#define GUARD_HELD ".kedge-version"

/* A folder that is not there, or has no PG_VERSION, is guarded as it is. */
ERR_CHECK enum err_code guard_raise(const char *data, struct err *reterr);
ERR_CHECK enum err_code guard_lower(const char *data, struct err *reterr);
bool guard_is_up(const char *data);
/* Inode of PG_VERSION under either name; 0: there is none. */
uint64_t guard_mark(const char *data);

#endif
