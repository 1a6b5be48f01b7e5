/* shared/tls/revocation.h: the serials of certificates that are no longer believed, replaceable while running.
 *
 * Any thread: a writer swaps the whole set, handshakes read it.  Who holds live connections asks again after a swap
 * (ws_listener_recheck does). */
#ifndef KEDGE_SHARED_TLS_REVOCATION_H
#define KEDGE_SHARED_TLS_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/err.h"

struct tls_revocations;

struct tls_revocations *tls_revocations_new(void);    /* empty; NULL: out of memory */
void tls_revocations_free(struct tls_revocations *r); /* NULL is a no-op; no listener may use it any more */
/* Replaces the whole set; the old one stays if this fails.  Serials are hex of either case; ERR_INVALID names a bad
 * one, ERR_LIMIT above TLS_REVOKED_MAX. */
ERR_CHECK enum err_code tls_revocations_set(
    struct tls_revocations *r, const char *const *serials, size_t count, struct err *reterr);
bool tls_revoked(struct tls_revocations *r, const char *serial); /* r NULL: false */
size_t tls_revocations_count(struct tls_revocations *r);

#endif
