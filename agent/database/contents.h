/* agent/database/contents.h: a data directory that is a mount point cannot be exchanged with another: what is in it is,
 * entry by entry, with what is in a tree beside it on the same file system (DATA/.kedge-TOKEN).
 *
 * Order: the guard is up (guard.h: no server starts); a list of what belongs to which of the two is made durable
 * (DATA/.kedge-TOKEN.names); each entry takes the other's place by one rename; all that is durable; the PG_VERSION of
 * the one that comes is put in place by one rename, which is the moment at which it is there and may start; the one
 * that was hidden goes to the other.  Killed anywhere, the same call goes on in the same direction.  Nothing must run
 * meanwhile.  Blocking; one thread. */
#ifndef KEDGE_AGENT_DATABASE_CONTENTS_H
#define KEDGE_AGENT_DATABASE_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/base/limits.h"

enum { CONTENTS_ENTRIES_MAX = 4096 }; /* of the first level: a cluster has some thirty */
#define CONTENTS_PREFIX ".kedge-"

/* Is folder on another file system than what holds it? */
bool contents_needed(const char *folder);
/* The guard of data is up.  Forward when data holds its own, back when it holds what came from other.  After an error
 * it stands between the two: contents_back(), or the same again. */
ERR_CHECK enum err_code contents_swap(const char *data, const char *other, struct err *reterr);
/* A swap forward that ended with an error, or was not begun: data holds its own again, and its guard is down. */
ERR_CHECK enum err_code contents_back(const char *data, const char *other, struct err *reterr);
/* A swap that was killed when the one that came was in place already: nothing of it is left to do. */
ERR_CHECK enum err_code contents_settle(const char *data, const char *other, struct err *reterr);
/* One of the names of two folders: the file with this inode comes (or stays) here; 0: what is here goes there.
 * ERR_CORRUPT: it is in neither. */
ERR_CHECK enum err_code contents_exchange(
    int here_fd, const char *here, int there_fd, const char *there, uint64_t wanted, struct err *reterr);
/* The list, once other is gone. */
ERR_CHECK enum err_code contents_forget(const char *other, struct err *reterr);

#endif
