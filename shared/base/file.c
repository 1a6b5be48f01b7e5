#include "shared/base/file.h"
#include "shared/base/file_together.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

enum {
	READ_STEP = 16384,
	LOCK_TRIES = 100, /* each lost to somebody who replaced the lock file in between */
};

static enum err_code read_all(int fd, const char *path, size_t limit, struct buf *out, struct err *reterr)
{
	uint8_t block[READ_STEP];
	for (size_t got = 0;;) {
		ssize_t n = read(fd, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "read %s", path);
		if (n == 0)
			return ERR_OK;
		if ((size_t)n > limit - got)
			return err_set(reterr, ERR_LIMIT, "%s is larger than %zu bytes", path, limit);
		got += (size_t)n;
		buf_append(out, block, (size_t)n);
		if (out->failed)
			return err_set(reterr, ERR_NOMEM, "%s: no memory after %zu bytes", path, got);
	}
}

enum err_code file_read(const char *path, size_t limit_bytes, struct buf *out, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	size_t before = out->size;
	enum err_code rc = read_all(fd, path, limit_bytes, out, reterr);
	if (rc != ERR_OK) {
		out->size = before;
		if (out->data)
			out->data[before] = '\0';
	}
	return rc;
}

enum err_code file_write_all(int fd, const void *data, size_t size_bytes, struct err *reterr)
{
	const uint8_t *p = data;
	while (size_bytes > 0) {
		ssize_t n = write(fd, p, size_bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(reterr, errno, "write");
		p += n;
		size_bytes -= (size_t)n;
	}
	return ERR_OK;
}

/* The folder that holds path, as text: "." and "/" included. */
static bool folder_of(const char *path, char out[PATH_LIMIT])
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return text_format(out, PATH_LIMIT, ".");
	if (slash == path)
		return text_format(out, PATH_LIMIT, "/");
	return text_format(out, PATH_LIMIT, "%.*s", (int)(slash - path), path);
}

enum err_code file_sync_dir(const char *path, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open folder %s", path);
	if (fsync(fd) != 0)
		return err_sys(reterr, errno, "fsync folder %s", path);
	return ERR_OK;
}

/* One of them on its way: nobody sees it before its rename. */
struct making {
	char temporary[PATH_LIMIT];
	int fd;
};

static enum err_code write_temporary(const struct file_new *f, mode_t mode, struct making *m, struct err *reterr)
{
	const char *slash = strrchr(f->path, '/');
	int lead = slash ? (int)(slash + 1 - f->path) : 0;
	if (!text_format(m->temporary, sizeof m->temporary, "%.*s.%s.XXXXXX", lead, f->path, f->path + lead))
		return err_set(reterr, ERR_LIMIT, "path is longer than %d bytes: %.80s...", PATH_LIMIT, f->path);
	m->fd = mkostemp(m->temporary, O_CLOEXEC);
	if (m->fd < 0)
		return err_sys(reterr, errno, "make a temporary file beside %s", f->path);
	enum err_code rc = file_write_all(m->fd, f->data, f->size_bytes, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "%s", m->temporary);
	return fchmod(m->fd, mode) ? err_sys(reterr, errno, "fchmod %s", m->temporary) : ERR_OK;
}

static enum err_code write_and_sync(
    const struct file_new *files, size_t count, mode_t mode, struct making *making, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count && rc == ERR_OK; i++)
		rc = write_temporary(&files[i], mode, &making[i], reterr);
	/* Of several, all are on their way before the first is waited for: the file system takes them in one go. */
	for (size_t i = 1; i < count && rc == ERR_OK; i++)
		(void)sync_file_range(making[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	/* Before the rename: else the name could survive a crash and the bytes not. */
	for (size_t i = 0; i < count && rc == ERR_OK; i++)
		if (fsync(making[i].fd) != 0)
			rc = err_sys(reterr, errno, "fsync %s", making[i].temporary);
	return rc;
}

enum err_code file_replace_together(const struct file_new *files, size_t count, mode_t mode, struct err *reterr)
{
	char folder[PATH_LIMIT];
	struct making making[FILES_TOGETHER_MAX];
	size_t placed = 0;
	assert(count > 0 && count <= FILES_TOGETHER_MAX);
	for (size_t i = 0; i < count; i++)
		making[i].fd = -1;
	if (!folder_of(files[0].path, folder))
		return err_set(reterr, ERR_LIMIT, "path is longer than %d bytes: %.80s...", PATH_LIMIT, files[0].path);
	enum err_code rc = write_and_sync(files, count, mode, making, reterr);
	for (; placed < count && rc == ERR_OK; placed++)
		if (rename(making[placed].temporary, files[placed].path) != 0) {
			rc = err_sys(reterr, errno, "rename %s to %s", making[placed].temporary, files[placed].path);
			break;
		}
	for (size_t i = 0; i < count; i++) {
		if (making[i].fd < 0)
			continue;
		close(making[i].fd);
		if (i >= placed)
			unlink(making[i].temporary);
	}
	return rc == ERR_OK ? file_sync_dir(folder, reterr) : rc;
}

enum err_code file_replace(const char *path, const void *data, size_t size_bytes, mode_t mode, struct err *reterr)
{
	return file_replace_together(&(struct file_new){path, data, size_bytes}, 1, mode, reterr);
}

/* Make one folder; its name is durable in the folder above once this returns. */
static enum err_code make_dir(const char *path, mode_t mode, struct err *reterr)
{
	if (mkdir(path, mode) != 0) {
		struct stat st;
		if (errno != EEXIST)
			return err_sys(reterr, errno, "make folder %s", path);
		if (stat(path, &st) != 0)
			return err_sys(reterr, errno, "look at %s", path);
		return S_ISDIR(st.st_mode) ? ERR_OK : err_sys(reterr, ENOTDIR, "make folder %s", path);
	}
	/* The process's umask has no say in who may look into a store. */
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open folder %s", path);
	if (fchmod(fd, mode) != 0)
		return err_sys(reterr, errno, "fchmod folder %s", path);
	char above[PATH_LIMIT];
	if (!folder_of(path, above))
		return err_set(reterr, ERR_LIMIT, "path is longer than %d bytes", PATH_LIMIT);
	return file_sync_dir(above, reterr);
}

enum err_code file_make_dirs(const char *path, mode_t mode, struct err *reterr)
{
	char part[PATH_LIMIT];
	size_t size = strlen(path);
	if (size == 0 || size >= sizeof(part))
		return err_set(reterr, ERR_INVALID, "a path has 1 to %d bytes, this has %zu", PATH_LIMIT - 1, size);
	for (size_t i = 1; i <= size; i++) {
		bool part_ends = path[i] == '/' || path[i] == '\0';
		if (!part_ends || path[i - 1] == '/')
			continue;
		text_copy(part, i + 1, path);
		enum err_code rc = make_dir(part, mode, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

bool file_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

/* The file that is locked may have been replaced between open and flock; then the lock protects nothing. */
static bool still_at(const char *path, int fd)
{
	struct stat by_fd, by_path;
	return fstat(fd, &by_fd) == 0 && stat(path, &by_path) == 0 && by_fd.st_dev == by_path.st_dev &&
	       by_fd.st_ino == by_path.st_ino;
}

static enum err_code name_holder(int fd, const char *path, struct err *reterr)
{
	char text[24] = "";
	uint64_t pid;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
	if (text_u64(text, &pid, NULL) != ERR_OK)
		return err_set(reterr, ERR_BUSY, "%s is locked by another process", path);
	return err_set(reterr, ERR_BUSY, "%s is locked by process %s", path, text);
}

static enum err_code write_pid(int fd, const char *path, struct err *reterr)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return err_sys(reterr, errno, "write %s", path);
	return ERR_OK;
}

enum err_code file_beside_program(const char *name, char *out, struct err *reterr)
{
	char path[PATH_LIMIT];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n <= 0)
		return err_sys(reterr, errno, "where this program is");
	path[n] = '\0'; /* " (deleted)" behind it, after an upgrade, goes with the name */
	char *slash = strrchr(path, '/');
	if (!slash)
		return err_set(reterr, ERR_STATE, "this program is nowhere: %.200s", path);
	slash[1] = '\0';
	return text_format(out, PATH_LIMIT, "%s%s", path, name)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "%s is too long a path", path);
}

enum err_code file_lock(const char *path, int *ret_fd, struct err *reterr)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return err_sys(reterr, errno, "open %s", path);
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			if (errno == EWOULDBLOCK)
				return name_holder(fd, path, reterr);
			return err_sys(reterr, errno, "lock %s", path);
		}
		if (!still_at(path, fd))
			continue;
		enum err_code rc = write_pid(fd, path, reterr);
		if (rc == ERR_OK)
			*ret_fd = TAKE_FD(fd);
		return rc;
	}
	return err_set(reterr, ERR_BUSY, "%s is replaced again and again by others", path);
}
