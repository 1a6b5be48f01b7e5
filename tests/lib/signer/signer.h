/* tests/lib/signer/signer.h: a person with an OpenSSH key, for tests.
 * Keys are made anew in each run.  Everything aborts the test program on failure. */
#ifndef KEDGE_TESTS_LIB_SIGNER_H
#define KEDGE_TESTS_LIB_SIGNER_H

#include "shared/approval/approval.h"

struct signer;

struct signer *signer_new(enum ssh_key_kind kind, const char *owner);
void signer_free(struct signer *s); /* NULL is a no-op */
/* "ssh-ed25519 AAAA… owner", and the same parsed; both live as long as the signer. */
const char *signer_line(const struct signer *s);
const struct ssh_key *signer_key(const struct signer *s);
/* An armored SSHSIG; the caller frees it. */
char *signer_sign(const struct signer *s, const char *name_space, bool sha512, const void *message, size_t size);
/* The same over a plan's digest, as an approval wants it. */
char *signer_approve(const struct signer *s, const struct plan *plan);

#endif
