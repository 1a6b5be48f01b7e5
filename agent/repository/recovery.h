/* agent/repository/recovery.h: the keys of a repository for the day on which its host is lost.
 *
 * A person makes a recovery key pair once (recovery_new) and keeps its secret half away from every host; the public
 * half is a line of agent.yaml:   kedge-recovery-x25519 HEX NAME keys/recovery (0644, JSON: no secret in the clear)
 * holds the key file once for each of them, wrapped; copy it with the repository.
 *
 *   wrapped   "KRW1", ephemeral X25519 key (32), AES-256-GCM of the key file, tag (16)
 *             key: HKDF-SHA-256 of the exchanged secret; salt: repository id; info: "kedge recovery 1", NUL, ephemeral
 * key, recipient's key associated data: the first 36 bytes signature Ed25519 by the host's key over repository id,
 * newest master's number, and the recipients with their copies
 *
 * The order of a rotation: keys/recovery with the new master, then keys/repository: nothing is ever sealed with a key
 * that a declared recovery key could not open.
 *
 * Blocking but for what is called pure; any thread.  Changes are made under a lock on keys/ that the kernel gives back.
 */
#ifndef KEDGE_AGENT_REPOSITORY_RECOVERY_H
#define KEDGE_AGENT_REPOSITORY_RECOVERY_H

#include "agent/repository/key.h"
#include "agent/repository/repo.h"

enum {
	RECOVERY_KEYS_MAX = 16,
	RECOVERY_WRAPPED_MAX = 64 << 10, /* a key file of the most masters, and some */
	RECOVERY_FILE_MAX = 4 << 20,
	RECOVERY_LINE_MAX = 32 + 2 * KEY_SIZE + NAME_MAX_BYTES + 4,
};

struct recovery_key {
	char name[NAME_MAX_BYTES + 1];
	uint8_t key[KEY_SIZE];
};

/* Pure.  A line of agent.yaml; ERR_INVALID says what was expected. */
ERR_CHECK enum err_code recovery_parse(const char *line, struct recovery_key *ret, struct err *reterr);
/* A new pair: the secret half into path (0600, must not be there: ERR_EXISTS), the public line into line. */
ERR_CHECK enum err_code recovery_new(
    const char *name, const char *path, char line[RECOVERY_LINE_MAX], struct err *reterr);

/* Pure but for the ephemeral key.  *out is appended to. */
ERR_CHECK enum err_code recovery_wrap(
    const struct keys *k, const struct recovery_key *to, struct buf *out, struct err *reterr);
/* ERR_DENIED: not wrapped to this secret, or changed since. */
ERR_CHECK enum err_code recovery_unwrap(const uint8_t secret[KEY_SIZE], const uint8_t repo_id[REPO_ID_SIZE],
    const void *wrapped, size_t size, struct keys **ret, struct err *reterr);

/* keys/recovery becomes the key file wrapped to exactly these public lines (const char *); is it so already, nothing is
 * written. */
ERR_CHECK enum err_code repo_set_recovery(
    struct repo *r, const struct list *lines, bool *ret_changed, struct err *reterr);
/* A new master seals from now on; what is there stays as it is, and readable.  *ret_number: its number.  This repo goes
 * on with the old. */
ERR_CHECK enum err_code repo_rotate(struct repo *r, uint32_t *ret_number, struct err *reterr);

struct repo_unlocked {
	char host[NAME_MAX_BYTES + 1];      /* whose repository it is */
	char recipient[NAME_MAX_BYTES + 1]; /* whose recovery key opened it */
	uint8_t
	    fingerprint[32]; /* SHA-256 of the key that this host signs with: compare it with what the fleet knows */
};
/* Of a repository that came without its key: keys/repository from keys/recovery and the recovery secret in secret_path.
 * ERR_EXISTS: it has its key.  ERR_NOT_FOUND: there is no keys/recovery, or it is not for this key; ERR_CORRUPT: it was
 * changed. */
ERR_CHECK enum err_code repo_unlock(
    const char *path, const char *secret_path, struct repo_unlocked *ret, struct err *reterr);

#endif
