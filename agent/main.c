/* agent/main.c: wiring only. */
#include <malloc.h>

#include "shared/base/openssl.h"

#include <openssl/crypto.h>

#include "agent/cli/cli.h"

int main(int argc, char **argv)
{
	/* One heap for all threads: with one each, what a worker's heap had free would stay there, unused by the
	 * others, and comparing a million files took nearly twice the memory and no less time. */
	(void)mallopt(M_ARENA_MAX, 1);
	/* The kernel takes a process apart anyway; libcrypto's own tidying at exit is work that a person waits for. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	return cli_main(argc, argv);
}
