/* Trees and files that are ours. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { REMOVE_FDS = 32, READ_STEP = 16384 };

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

enum err_code tree_remove(const char *path, struct err *reterr)
{
	if (nftw(path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
		return err_sys(reterr, errno, "%s cannot be removed", path);
	return ERR_OK;
}

void tree_parent(const char *path, char out[PATH_LIMIT])
{
	text_copy(out, PATH_LIMIT, path);
	char *slash = strrchr(out, '/');
	if (slash)
		slash[slash == out] = '\0';
}

enum err_code tree_join(const char *folder, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	if (!text_format(out, PATH_LIMIT, "%s/%s", folder, name))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", folder);
	return ERR_OK;
}

/* ---- files ---- */

enum err_code tree_read(const char *path, size_t limit_bytes, struct buf *out, struct err *reterr)
{
	struct stat st;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(reterr, errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(reterr, ERR_UNSUPPORTED, "%s is no regular file", path);
	uint8_t block[READ_STEP];
	for (size_t got = 0;;) {
		ssize_t n = read(fd, block, sizeof block);
		if (n <= 0)
			return n == 0 ? ERR_OK : err_sys(reterr, errno, "read %s", path);
		if ((size_t)n > limit_bytes - got)
			return err_set(reterr, ERR_LIMIT, "%s is larger than %zu bytes", path, limit_bytes);
		got += (size_t)n;
		buf_append(out, block, (size_t)n);
		if (out->failed)
			return err_set(reterr, ERR_NOMEM, "%s: no memory after %zu bytes", path, got);
	}
}

static enum err_code coming(const char *path, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s.new", path) ? ERR_OK
							    : err_set(reterr, ERR_LIMIT, "%s is too long a path", path);
}

static enum err_code forget(const char *path, struct err *reterr)
{
	return unlink(path) == 0 || errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s", path);
}

enum err_code tree_unname(const char *path, struct err *reterr)
{
	char next[PATH_LIMIT];
	enum err_code rc = coming(path, next, reterr);
	if (rc == ERR_OK)
		rc = forget(next, reterr);
	return rc == ERR_OK ? forget(path, reterr) : rc;
}

static enum err_code fill(
    const char *path, const void *data, size_t size_bytes, const struct stat *owner, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(reterr, errno, "%s", path);
	enum err_code rc = file_write_all(fd, data, size_bytes, reterr);
	if (rc == ERR_OK && owner && geteuid() == 0 && fchown(fd, owner->st_uid, owner->st_gid) != 0)
		rc = err_sys(reterr, errno, "%s", path);
	/* Before it is named: else the name could survive a crash and the bytes not. */
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(reterr, errno, "%s cannot be synced", path);
	return rc;
}

enum err_code tree_replace(
    const char *path, const void *data, size_t size_bytes, const struct stat *owner, struct err *reterr)
{
	char next[PATH_LIMIT], parent[PATH_LIMIT];
	enum err_code rc = coming(path, next, reterr);
	if (rc == ERR_OK)
		rc = forget(next, reterr);
	if (rc == ERR_OK)
		rc = fill(next, data, size_bytes, owner, reterr);
	if (rc == ERR_OK && rename(next, path) != 0)
		rc = err_sys(reterr, errno, "%s cannot be named %s", next, path);
	if (rc != ERR_OK) {
		(void)unlink(next);
		return rc;
	}
	tree_parent(path, parent);
	return file_sync_dir(parent, reterr);
}
