/* agent/main.c: wiring only. */
#include <malloc.h>

#include "agent/cli/cli.h"

int main(int argc, char **argv)
{
	/* One heap for all threads: with one each, what a worker's heap had free would stay there, unused by the
	 * others, and comparing a million files took nearly twice the memory and no less time. */
	(void)mallopt(M_ARENA_MAX, 1);
	return cli_main(argc, argv);
}
