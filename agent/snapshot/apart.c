#include "agent/snapshot/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

static bool spread(int fd)
{
	int flags = 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
		return false;
	flags |= FS_TOPDIR_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

/* In fd, a folder that spreads, and from there to dirfd. */
static bool make_and_move(int fd, int dirfd, const char *name, mode_t mode)
{
	char chance[2 * sizeof(uint64_t) + 1];
	struct random random;
	random_init_system(&random);
	(void)text_format(chance, sizeof chance, "%016llx", (unsigned long long)random_u64(&random));
	if (mkdirat(fd, chance, mode) != 0)
		return false;
	if (faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && renameat(fd, chance, dirfd, name) == 0)
		return true; /* somebody's empty folder, made in between, is as good as ours */
	(void)unlinkat(fd, chance, AT_REMOVEDIR);
	return false;
}

static bool make_apart(int dirfd, const char *name, mode_t mode)
{
	char holder[NAME_MAX + 1];
	struct statfs fs;
	if (fstatfs(dirfd, &fs) != 0 || fs.f_type != EXT4_SUPER_MAGIC ||
	    !text_format(holder, sizeof holder, "%s" APART_SUFFIX, name) || mkdirat(dirfd, holder, 0700) != 0)
		return false;
	CLEANUP(cleanup_fd) int fd = openat(dirfd, holder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool made = fd >= 0 && spread(fd) && make_and_move(fd, dirfd, name, mode);
	(void)unlinkat(dirfd, holder, AT_REMOVEDIR);
	return made;
}

int apart_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return make_apart(dirfd, name, mode) ? 0 : mkdirat(dirfd, name, mode);
}
