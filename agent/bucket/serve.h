/* agent/bucket/serve.h: the side that talks to the store: what `kedge-copy` does until the agent hangs up.
 * Blocking; BUCKET_FLIGHTS threads, the caller's among them.  Writes nothing but to the pipes that it is given and the
 * socket. */
#ifndef KEDGE_AGENT_BUCKET_SERVE_H
#define KEDGE_AGENT_BUCKET_SERVE_H

#include "agent/bucket/s3.h"

/* settings: as they came first.  ERR_OK: the agent has hung up. */
typedef enum err_code bucket_prepare_fn(
    void *ctx, const struct bucket_settings *s, struct s3_transport *ret, struct err *reterr);
/* Takes the settings from fd, calls prepare once for each thread, answers, then requests until the end. */
ERR_CHECK enum err_code bucket_serve(int fd, bucket_prepare_fn *prepare, void *ctx, struct err *reterr);

#endif
