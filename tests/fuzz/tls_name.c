/* tests/fuzz/tls_name.c: names in certificates (shared/tls/name.h).  What is taken has one spelling, its own. */
#include <assert.h>
#include <string.h>

#include "shared/tls/name.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_name name, again;
	char uri[TLS_URI_MAX];
	if (tls_name_parse(data, size, &name, NULL) != ERR_OK)
		return 0;
	tls_name_format(&name, uri);
	assert(strlen(uri) == size && memcmp(uri, data, size) == 0);
	assert((unsigned)name.role < TLS_ROLE_COUNT && tls_domain_valid(name.domain) && name.name[0] != '\0');
	assert(!strpbrk(name.name, "/%?#@: \t\r\n"));
	enum err_code rc = tls_name_make(name.role, name.domain, name.name, &again, NULL);
	assert(rc == ERR_OK && strcmp(again.name, name.name) == 0 && again.role == name.role);
	return 0;
}
