/* certs/chain.h: is a chain of certificates good, by whom, and for whom?  Pure; any thread. */
#ifndef KEDGE_CERTS_CHAIN_H
#define KEDGE_CERTS_CHAIN_H

#include "shared/tls/certificate.h"

/* chain_pem: the leaf, then what lies between it and a root; roots_pem: who is believed.  The leaf must carry a name of
 * ours and be for clients (every profile is).  ERR_INVALID: it cannot be read, or carries no name; ERR_DENIED: it is
 * not good at now_ms, the message says why. */
ERR_CHECK enum err_code chain_check(const void *chain_pem, size_t chain_size, const void *roots_pem, size_t roots_size,
    uint64_t now_ms, struct tls_peer *ret, struct err *reterr);

#endif
