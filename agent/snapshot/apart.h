/* agent/snapshot/apart.h: a folder for many new files in a part of the file system of its own.
 *
 * ext4 gives out no inode that was freed in the last minute, and steps over them one by one for each file that it makes
 * (recently_deleted() in the kernel's fs/ext4/ialloc.c).  A folder lies near the one that holds it, so a tree that is
 * put back where one was just removed, as after an accident, takes three times as long.  Only what is made in a folder
 * with the attribute "top of a hierarchy" (chattr +T, FS_TOPDIR_FL) is spread over the disk, by its name: so it is made
 * in one of ours that has it, under a name by chance, and renamed to where it belongs. */
#ifndef KEDGE_AGENT_SNAPSHOT_APART_H
#define KEDGE_AGENT_SNAPSHOT_APART_H

#include <sys/types.h>

#include "shared/base/err.h"

#define APART_SUFFIX ".kedge-apart"

/* As mkdirat(dirfd, name, mode), which it is on other file systems and where that fails: 0, or -1 and errno.  A crash
 * may leave name with APART_SUFFIX, empty or with one empty folder.  Blocking, any thread. */
ERR_CHECK int apart_mkdirat(int dirfd, const char *name, mode_t mode);

#endif
