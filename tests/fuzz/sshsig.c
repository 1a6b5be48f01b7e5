/* tests/fuzz/sshsig.c: public keys and signatures of OpenSSH.  What is read stays within its bounds, and nothing that a
 * fuzzer makes verifies over a message that nobody signed. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/approval/sshsig.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sshsig sig;
	struct ssh_key key;
	char fingerprint[SSH_FINGERPRINT_MAX];
	char *line = malloc(size + 1);

	if (!line)
		abort();
	if (size)
		memcpy(line, data, size);
	line[size] = 0;
	if (ssh_key_parse(line, &key, NULL) == ERR_OK) {
		assert(key.blob_size > 0 && key.blob_size <= sizeof key.blob && key.kind < SSH_KEY_KIND_COUNT);
		assert(strlen(key.owner) <= NAME_MAX_BYTES);
		assert(strlen(ssh_key_fingerprint(&key, fingerprint)) == strlen("SHA256:") + 43);
	}
	if (sshsig_parse((const char *)data, size, &sig, NULL) == ERR_OK) {
		assert(sig.signature_size <= sizeof sig.signature && sig.name_space[0]);
		assert(!sshsig_verifies(&sig, sig.name_space, "nobody signed this", 18));
	}
	free(line);
	return 0;
}
