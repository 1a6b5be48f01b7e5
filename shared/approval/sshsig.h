/* shared/approval/sshsig.h: OpenSSH public keys and signatures (PROTOCOL.sshsig of OpenSSH), read and verified, never
 * made.
 *
 * Known are ssh-ed25519 and ecdsa-sha2-nistp256 keys, over SHA-256 or SHA-512 of the message: what `ssh-keygen -Y sign`
 * makes of such keys.  Everything else (RSA, certificates, hardware keys) is refused as unsupported. Pure; any thread;
 * bounded by the limits below. */
#ifndef KEDGE_SHARED_APPROVAL_SSHSIG_H
#define KEDGE_SHARED_APPROVAL_SSHSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/base/limits.h"

enum {
	SSH_KEY_LINE_MAX = 1024, /* a line of a .pub file; known keys take some 170 bytes and a comment */
	SSH_KEY_BLOB_MAX = 128,  /* the larger of the two known kinds takes 104 bytes */
	SSH_SIGNATURE_MAX = 160, /* the larger takes 101 (type, and r and s with their lengths) */
	SSH_NAMESPACE_MAX = 64,
	SSH_ARMOR_MAX = 4096,     /* the whole armored text */
	SSH_FINGERPRINT_MAX = 64, /* "SHA256:" and 43 characters */
};

enum ssh_key_kind { SSH_KEY_ED25519, SSH_KEY_ECDSA_P256, SSH_KEY_KIND_COUNT };

struct ssh_key {
	enum ssh_key_kind kind;
	uint8_t blob[SSH_KEY_BLOB_MAX]; /* the wire form: two keys are one if these are equal */
	size_t blob_size;
	char owner[NAME_MAX_BYTES + 1]; /* whose key it is: the comment's first word up to an "@" ("alice@desk" is
					   alice); "" when there is none */
};

/* One line of a .pub file: "ssh-ed25519 AAAA… alice".  ERR_INVALID, ERR_UNSUPPORTED (another kind of key). */
ERR_CHECK enum err_code ssh_key_parse(const char *line, struct ssh_key *ret, struct err *reterr);
bool ssh_key_equal(const struct ssh_key *a, const struct ssh_key *b); /* by blob */
/* As `ssh-keygen -l` prints it; returns out. */
char *ssh_key_fingerprint(const struct ssh_key *key, char out[SSH_FINGERPRINT_MAX]);

struct sshsig {
	struct ssh_key key; /* that claims to have signed; owner is "" */
	char name_space[SSH_NAMESPACE_MAX + 1];
	bool sha512; /* else SHA-256 */
	uint8_t signature[SSH_SIGNATURE_MAX];
	size_t signature_size;
};

/* The armored text, from "-----BEGIN SSH SIGNATURE-----" to its END line.  Nothing is verified yet.  ERR_INVALID,
 * ERR_LIMIT, ERR_UNSUPPORTED. */
ERR_CHECK enum err_code sshsig_parse(const char *armored, size_t size, struct sshsig *ret, struct err *reterr);
/* True when sig's own key signed exactly these bytes for exactly this namespace.  Whether that key may is the caller's
 * to decide. */
bool sshsig_verifies(const struct sshsig *sig, const char *name_space, const void *message, size_t size);

#endif
