#include "agent/database/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

static uint64_t inode_at(int folder, const char *name)
{
	struct stat st;
	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static int open_folder(const char *data)
{
	return open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum err_code rename_in(const char *data, const char *from, const char *to, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open_folder(data);
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s", data);
	if (!inode_at(fd, from))
		return ERR_OK;
	return renameat2(fd, from, fd, to, RENAME_NOREPLACE) != 0 || fsync(fd) != 0
		   ? err_sys(reterr, errno, "%s/%s cannot be named %s", data, from, to)
		   : ERR_OK;
}

enum err_code guard_raise(const char *data, struct err *reterr)
{
	return rename_in(data, GUARD_MARK, GUARD_HELD, reterr);
}

enum err_code guard_lower(const char *data, struct err *reterr)
{
	return rename_in(data, GUARD_HELD, GUARD_MARK, reterr);
}

bool guard_is_up(const char *data)
{
	CLEANUP(cleanup_fd) int fd = open_folder(data);
	return fd >= 0 && inode_at(fd, GUARD_HELD) && !inode_at(fd, GUARD_MARK);
}

uint64_t guard_mark(const char *data)
{
	CLEANUP(cleanup_fd) int fd = open_folder(data);
	uint64_t mark = fd < 0 ? 0 : inode_at(fd, GUARD_MARK);
	return mark || fd < 0 ? mark : inode_at(fd, GUARD_HELD);
}
