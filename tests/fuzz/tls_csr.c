/* tests/fuzz/tls_csr.c: certificate requests, which come from peers that nobody knows yet (shared/tls/key.h). */
#include <assert.h>

#include "shared/tls/key.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_name name;
	EVP_PKEY *key = NULL;
	struct err e = ERR_INIT;
	if (tls_csr_read(data, size, &name, &key, &e) == ERR_OK) {
		char uri[TLS_URI_MAX];
		assert(key && tls_key_check(key, NULL) == ERR_OK);
		tls_name_format(&name, uri);
	} else {
		assert(!key && e.code != ERR_OK && e.msg[0] != '\0');
	}
	tls_key_free(key);
	return 0;
}
