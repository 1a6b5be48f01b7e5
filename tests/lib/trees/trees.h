/* tests/lib/trees/trees.h: trees made and changed by chance from a seed, copied and compared by rsync.
 * Everything that a file system can hold: files with and without holes, several names, xattrs, odd modes and owners,
 * symlinks, fifos, sockets, empty and deep folders, names that are not UTF-8.  What goes wrong here aborts: it is the
 * test that is broken. */
#ifndef KEDGE_TESTS_LIB_TREES_TREES_H
#define KEDGE_TESTS_LIB_TREES_TREES_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/random.h"

/* A new folder at path with some `size` entries. */
void tree_make(const char *path, struct random *r, unsigned size);
/* `count` changes of any kind below path, times of folders included. */
void tree_mutate(const char *path, struct random *r, unsigned count);

/* A number that differs when anything does that a restore must bring back: names, types, content, holes aside, mode,
 * owner, modification time, xattrs, which names are one file.  0: nothing is there. */
uint64_t tree_fingerprint(const char *path);

/* A program by argv, its output in out (NUL-ended, cut).  Its exit status; -1: not exited. */
int tool_run(const char *const *argv, char *out, unsigned size);

/* Is rsync there, and may we give files away?  Else `why` is printed. */
bool tree_can_compare(void);
void tree_copy(const char *from, const char *to); /* rsync -aHAX --sparse */
/* What rsync -nicaHAX --delete would do to make b equal a: "" for nothing.  out holds size bytes. */
char *tree_difference(const char *a, const char *b, char *out, unsigned size);

#endif
