/* tests/lib/scratch.h: a folder of a test's own, and its end. */
#ifndef KEDGE_TESTS_LIB_SCRATCH_H
#define KEDGE_TESTS_LIB_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCRATCH_PATH = 64 };

/* Fills out, returns it; the test ends when there is no room for a folder. */
static inline char *scratch_make(char out[SCRATCH_PATH])
{
	strcpy(out, "/tmp/kedge-test-XXXXXX");
	if (!mkdtemp(out))
		abort();
	return out;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Only below /tmp/kedge-test-, without following links or entering other file systems. */
static inline void scratch_remove(const char *folder)
{
	if (strncmp(folder, "/tmp/kedge-test-", 16) != 0)
		abort();
	nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

#endif
