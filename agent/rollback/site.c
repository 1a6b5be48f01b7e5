#include "agent/rollback/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/snapshot/apart.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

/* ---- looking ---- */

static int open_beneath(int dirfd, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	for (;;) {
		int fd = (int)syscall(SYS_openat2, dirfd, *path ? path : ".", &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
}

static bool is_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/' || folder[n - 1] == '/');
}

/* "/a/b" -> "/a", "/a" -> "/". */
static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');
	slash[slash == path] = '\0';
}

static bool mount_of(int dirfd, const char *path, uint64_t *ret, mode_t *ret_mode)
{
	struct statx st;
	if (statx(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*path ? 0 : AT_EMPTY_PATH),
		STATX_TYPE | STATX_MODE | STATX_MNT_ID, &st) != 0)
		return false;
	/* Kernels before 5.8 do not number mounts: the device must do. */
	*ret = st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	*ret_mode = st.stx_mode;
	return true;
}

char *site_text(const struct site *p, const char *path, char out[PATH_LIMIT])
{
	char whole[2 * PATH_LIMIT];
	(void)text_format(whole, sizeof whole, "%s%s%s", p->path, *path ? "/" : "", path);
	return snapshot_path_text(whole, out, PATH_LIMIT);
}

static enum err_code failed(const struct site *p, const char *path, const char *what, struct err *reterr)
{
	char shown[PATH_LIMIT];
	int code = errno;
	return err_sys(reterr, code, "%.400s cannot be %s", site_text(p, path, shown), what);
}

/* ---- which ---- */

/* Names of staging folders are as long for any root (FNV-1a; a collision within one order is told, never suffered: one
 * folder is made). */
static uint64_t hash_of(enum component component, const char *path)
{
	uint64_t h = 0xcbf29ce484222325u ^ component;
	for (const char *at = path; *at; at++)
		h = (h ^ (uint8_t)*at) * 0x100000001b3u;
	return h;
}

static bool belongs(const struct snapshot_summary *about, const char *holder)
{
	for (size_t i = 0; i < about->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(about->components, struct snapshot_component, i);
		for (size_t k = 0; k < c->roots.count; k++)
			if (is_within(holder, LIST_AT(c->roots, struct snapshot_root, k).path))
				return true;
	}
	return false;
}

enum err_code site_init(struct site *p, const struct snapshot_summary *about, enum component component,
    const char *path, const char *token, struct err *reterr)
{
	char holder[PATH_LIMIT];
	uint64_t own;
	mode_t mode = 0, ignored = 0;
	*p = (struct site){.component = component, .stage_fd = -1, .folder_fd = -1};
	if (*path != '/' || !path[1] || strlen(path) >= PATH_LIMIT)
		return err_set(reterr, ERR_INVALID, "%s is no path of a root", path);
	text_copy(p->path, sizeof p->path, path);
	text_copy(holder, sizeof holder, path);
	do
		cut_last(holder);
	while (!mount_of(AT_FDCWD, holder, &p->mount, &ignored) && holder[1]);
	if (mount_of(AT_FDCWD, path, &own, &mode) && own != p->mount) {
		if (!S_ISDIR(mode))
			return err_set(
			    reterr, ERR_UNSUPPORTED, "%s is a mount point by itself and cannot be replaced", path);
		text_copy(holder, sizeof holder, path);
		p->mount = own;
	}
	p->keep_time = belongs(about, holder);
	if (!text_format(p->stage, sizeof p->stage, "%s%s.kedge-%s-%016llx", holder, holder[1] ? "/" : "", token,
		(unsigned long long)hash_of(component, path)))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", path);
	return ERR_OK;
}

void site_done(struct site *p)
{
	if (p->stage_fd >= 0)
		close(TAKE_FD(p->stage_fd));
	if (p->folder_fd >= 0)
		close(TAKE_FD(p->folder_fd));
}

/* ---- the staging folder ---- */

/* The folder that holds it; its times in *ret. */
static int open_holder(const struct site *p, struct stat *ret)
{
	char holder[PATH_LIMIT];
	text_copy(holder, sizeof holder, p->stage);
	cut_last(holder);
	int fd = open(holder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, ret) != 0)
		close(TAKE_FD(fd));
	return fd;
}

static void set_back_time(const struct site *p, int holder, const struct stat *before)
{
	const struct timespec times[2] = {{0, UTIME_OMIT}, before->st_mtim};
	if (p->keep_time)
		(void)futimens(holder, times); /* if not, the comparison sees it, and it is set with the rest */
}

static const char *stage_name(const struct site *p)
{
	return strrchr(p->stage, '/') + 1;
}

enum err_code site_open_stage(struct site *p, struct err *reterr)
{
	struct stat before;
	if (p->stage_fd >= 0)
		return ERR_OK;
	enum err_code rc = site_remove_stage(p, reterr); /* of an interrupted run */
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int holder = open_holder(p, &before);
	if (holder < 0 || apart_mkdirat(holder, stage_name(p), 0700) != 0)
		return err_sys(reterr, errno, "%s cannot be made", p->stage);
	set_back_time(p, holder, &before);
	p->stage_fd = openat(holder, stage_name(p), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->stage_fd < 0) {
		rc = err_sys(reterr, errno, "%s cannot be opened", p->stage);
		(void)!site_remove_stage(p, NULL);
	}
	return rc;
}

static enum err_code remove_if_there(const struct site *p, const char *name, struct err *reterr)
{
	struct stat before, there;
	CLEANUP(cleanup_fd) int holder = open_holder(p, &before);
	if (holder < 0 && (errno == ENOENT || errno == ENOTDIR))
		return ERR_OK;
	if (holder < 0)
		return err_sys(reterr, errno, "the folder of %s cannot be opened", p->stage);
	if (fstatat(holder, name, &there, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		return ERR_OK;
	enum err_code rc = remove_below(holder, name, reterr);
	set_back_time(p, holder, &before);
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "%s", p->stage);
}

enum err_code site_remove_stage(struct site *p, struct err *reterr)
{
	char half[NAME_MAX + 1]; /* of a crash while it was made */
	if (p->stage_fd >= 0)
		close(TAKE_FD(p->stage_fd));
	(void)text_format(half, sizeof half, "%s" APART_SUFFIX, stage_name(p));
	enum err_code rc = remove_if_there(p, stage_name(p), reterr);
	return rc == ERR_OK ? remove_if_there(p, half, reterr) : rc;
}

/* ---- the way in ---- */

static void remember_folder(struct site *p, const char *folder, int fd)
{
	if (p->folder_fd >= 0)
		close(p->folder_fd);
	p->folder_fd = fd;
	text_copy(p->folder, sizeof p->folder, folder);
}

static enum err_code open_above(struct site *p, bool make, struct err *reterr)
{
	char above[PATH_LIMIT];
	text_copy(above, sizeof above, p->path);
	cut_last(above);
	enum err_code rc = make ? file_make_dirs(above, 0755, reterr) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "%s cannot be opened", above);
	remember_folder(p, "/", fd); /* no folder below a root is called that */
	return ERR_OK;
}

enum err_code site_open_folder(
    struct site *p, const char *path, bool make, int *ret_fd, const char **ret_name, struct err *reterr)
{
	char folder[PATH_LIMIT] = "";
	const char *slash = strrchr(path, '/');
	enum err_code rc = ERR_OK;
	if (!*path) {
		rc = open_above(p, make, reterr);
		slash = strrchr(p->path, '/');
	} else {
		memcpy(folder, path, slash ? (size_t)(slash - path) : 0);
		folder[slash ? slash - path : 0] = '\0';
		if (p->folder_fd < 0 || strcmp(folder, p->folder) != 0) {
			CLEANUP(cleanup_fd) int root = open(p->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			int fd = root < 0 ? -1 : open_beneath(root, folder);
			if (fd < 0)
				return failed(p, folder, "opened", reterr);
			remember_folder(p, folder, fd);
		}
	}
	if (rc != ERR_OK)
		return rc;
	*ret_fd = p->folder_fd;
	*ret_name = slash ? slash + 1 : path;
	return ERR_OK;
}

enum err_code site_check_mount(struct site *p, const char *path, struct err *reterr)
{
	char shown[PATH_LIMIT];
	const char *name;
	uint64_t mount;
	mode_t mode;
	int fd;
	if (!*path || site_open_folder(p, path, false, &fd, &name, NULL) != ERR_OK || !mount_of(fd, "", &mount, &mode))
		return ERR_OK; /* it is to be made; site_init() looked at the root */
	if (mount == p->mount)
		return ERR_OK;
	return err_set(reterr, ERR_UNSUPPORTED,
	    "%.300s lies on another file system than %.300s: declare that file system as a path of its own",
	    site_text(p, path, shown), p->path);
}

/* ---- removing ---- */

enum { RECURSE_MAX = 64 }; /* a descriptor a level; below that it is done with one */

/* Calls fn for each name of a folder but . and .. */
static enum err_code each_name(
    int fd, enum err_code (*fn)(int fd, const char *name, void *ctx, struct err *reterr), void *ctx, struct err *reterr)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	if (!dir) {
		int code = errno;
		if (again >= 0)
			close(again);
		return err_sys(reterr, code, "a folder cannot be listed");
	}
	enum err_code rc = ERR_OK;
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = fn(fd, e->d_name, ctx, reterr);
	return rc;
}

/* A file or an empty folder; *ret_full: a folder that holds something. */
static enum err_code remove_one(int dirfd, const char *name, bool *ret_full, struct err *reterr)
{
	*ret_full = false;
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return ERR_OK;
	if ((errno == EISDIR || errno == EPERM) && (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT))
		return ERR_OK;
	*ret_full = errno == ENOTEMPTY || errno == EEXIST;
	return *ret_full ? ERR_OK : err_sys(reterr, errno, "%.200s cannot be removed", name);
}

static enum err_code remove_shallow(int fd, const char *name, void *ret_inner, struct err *reterr)
{
	bool full;
	enum err_code rc = remove_one(fd, name, &full, reterr);
	if (full)
		text_copy(ret_inner, NAME_MAX + 1, name);
	return rc;
}

/* Goes down to a folder without folders and empties it; the caller begins again at the top until nothing is left. */
static enum err_code empty_deepest(int top, struct err *reterr)
{
	char inner[NAME_MAX + 1];
	CLEANUP(cleanup_fd) int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned depth = 0; fd >= 0 && depth < SITE_REMOVE_DEPTH_MAX; depth++) {
		*inner = '\0';
		enum err_code rc = each_name(fd, remove_shallow, inner, reterr);
		if (rc != ERR_OK || !*inner)
			return rc;
		int next = openat(fd, inner, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	return fd < 0 ? err_sys(reterr, errno, "a folder cannot be opened")
		      : err_set(reterr, ERR_LIMIT, "folders lie too deep in one another");
}

static enum err_code remove_at(int dirfd, const char *name, void *depth, struct err *reterr)
{
	unsigned inner = *(unsigned *)depth + 1;
	bool full;
	enum err_code rc = remove_one(dirfd, name, &full, reterr);
	while (rc == ERR_OK && full) {
		CLEANUP(cleanup_fd) int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(reterr, errno, "%.200s cannot be opened", name);
		rc = inner < RECURSE_MAX ? each_name(fd, remove_at, &inner, reterr) : empty_deepest(fd, reterr);
		if (rc == ERR_OK)
			rc = remove_one(dirfd, name, &full, reterr);
	}
	return rc;
}

enum err_code remove_below(int dirfd, const char *name, struct err *reterr)
{
	unsigned depth = 0;
	return remove_at(dirfd, name, &depth, reterr);
}
