/* agent/probe/resolve.h: a name into an address, without blocking the loop.  Numbers, localhost and unix:/path are
 * answered at once; other names by getaddrinfo in a thread of its own, which is left to finish alone when the asker has
 * gone. */
#ifndef KEDGE_AGENT_PROBE_RESOLVE_H
#define KEDGE_AGENT_PROBE_RESOLVE_H

#include <sys/socket.h>

#include "agent/io/loop.h"

enum { RESOLVE_ADDRESSES_MAX = 4, RESOLVE_THREADS_MAX = 16 /* hanging at once */ };

struct resolved {
	struct sockaddr_storage address[RESOLVE_ADDRESSES_MAX];
	socklen_t size[RESOLVE_ADDRESSES_MAX];
	size_t count;
	char problem[128]; /* when count is 0 */
};

/* true: *ret is filled.  false: it needs a thread. */
bool resolve_now(const char *host, const char *port, struct resolved *ret);

struct resolution;
ERR_CHECK enum err_code resolve_start(struct loop *l, const char *host, const char *port,
    void (*done)(void *ctx, const struct resolved *r), void *ctx, struct resolution **ret, struct err *reterr);
void resolve_cancel(struct resolution *r); /* NULL is a no-op */

#endif
