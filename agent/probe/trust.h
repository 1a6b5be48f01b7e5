/* agent/probe/trust.h: what https probes trust.  Reading a system's authorities costs some 20 ms, so contexts are kept
 * for as long as their file is unchanged.  Loop thread only.  Only this header's implementation and net.c see OpenSSL.
 */
#ifndef KEDGE_AGENT_PROBE_TRUST_H
#define KEDGE_AGENT_PROBE_TRUST_H

#include "shared/base/err.h"

struct trust;
struct trust_store;
struct ssl_ctx_st;

enum { TRUST_FILES_MAX = 64 };

struct trust_store *trust_store_new(void); /* NULL: no memory */
void trust_store_free(struct trust_store *s);
/* authority: a PEM file, NULL for the system's.  Borrowed from the store until it is freed or the file has changed and
 * is asked for again. */
ERR_CHECK enum err_code trust_get(struct trust_store *s, const char *authority, struct trust **ret, struct err *reterr);
struct ssl_ctx_st *trust_context(const struct trust *t);

#endif
