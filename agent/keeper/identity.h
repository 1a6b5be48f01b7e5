/* agent/keeper/identity.h: this host's certificate and key: <state>/identity/{cert.pem,key.pem,authority.pem}.
 *
 * The key is made here and never leaves the host.  At two thirds of the certificate's life a new key and request are
 * made; the answer replaces both files together, by an exchange of folders: old or new, never a key without its
 * certificate.  Blocking (small files). */
#ifndef KEDGE_AGENT_KEEPER_IDENTITY_H
#define KEDGE_AGENT_KEEPER_IDENTITY_H

#include "agent/config/config.h"
#include "shared/base/buf.h"
#include "shared/base/secret.h"

enum { IDENTITY_RETRY_MS = 20 * 1000 }; /* after a refused or unanswered request */

struct identity;
/* ERR_NOT_FOUND: not enrolled; the message says how (`kedge-agent join`). */
ERR_CHECK enum err_code identity_open(const struct agent_config *c, struct identity **ret, struct err *reterr);
void identity_free(struct identity *i);
const char *identity_chain(const struct identity *i);
struct bytes identity_key(const struct identity *i);
uint64_t identity_expires_ms(const struct identity *i);
/* Is it time, and is no answer awaited?  Then *ret_csr (PEM) asks for the next certificate. */
ERR_CHECK enum err_code identity_renewal(
    struct identity *i, uint64_t now_ms, bool *ret_due, struct buf *ret_csr, struct err *reterr);
/* The answer: checked (our name, our new key, a longer life), written, in use from now on.  Refused ones change
 * nothing. */
ERR_CHECK enum err_code identity_renewed(struct identity *i, const char *chain, struct err *reterr);

#endif
