#include "tests/lib/faults/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/disk.h"

static struct {
	enum fault_kind kind;
	int sys_errno;
	uint64_t at;
	pid_t pid;
	atomic_ullong count;
	const char *only; /* calls of this name; NULL: all */
	const char *name;
	int disk;
} armed;

void faults_arm(enum fault_kind kind, int sys_errno, uint64_t at)
{
	armed.kind = kind;
	armed.sys_errno = sys_errno;
	armed.at = at;
	armed.pid = getpid();
	armed.only = NULL;
	armed.name = "none";
	atomic_store(&armed.count, 0);
}

void faults_arm_power(int fd, uint64_t at)
{
	faults_arm(FAULT_POWER, 0, at);
	armed.disk = fd;
}

void faults_arm_call(enum fault_kind kind, int sys_errno, const char *name, uint64_t at)
{
	faults_arm(kind, sys_errno, at);
	armed.only = name;
}

void faults_disarm(void)
{
	armed.pid = 0;
}

uint64_t faults_count(void)
{
	return atomic_load(&armed.count);
}

const char *faults_name(void)
{
	return armed.name;
}

/* True: the call is to fail. */
static bool hit(const char *name)
{
	if (!armed.pid || armed.pid != getpid() || (armed.only && strcmp(armed.only, name) != 0))
		return false;
	uint64_t n = atomic_fetch_add(&armed.count, 1) + 1;
	if (armed.kind == FAULT_NONE || n <= armed.at)
		armed.name = name;
	if (armed.kind == FAULT_NONE || armed.kind == FAULT_KILL_AFTER || n != armed.at)
		return false;
	if (armed.kind == FAULT_POWER && !disk_cut(armed.disk))
		abort();
	if (armed.kind == FAULT_KILL || armed.kind == FAULT_POWER)
		kill(getpid(), SIGKILL);
	errno = armed.sys_errno;
	return true;
}

static void made(const char *name)
{
	if (armed.kind == FAULT_KILL_AFTER && armed.pid == getpid() && (!armed.only || strcmp(armed.only, name) == 0) &&
	    atomic_load(&armed.count) == armed.at)
		kill(getpid(), SIGKILL);
}

#define WRAP(R, NAME, PARAMETERS, ARGUMENTS)                                                                           \
	R __real_##NAME PARAMETERS;                                                                                    \
	R __wrap_##NAME PARAMETERS;                                                                                    \
	R __wrap_##NAME PARAMETERS                                                                                     \
	{                                                                                                              \
		if (hit(#NAME))                                                                                        \
			return -1;                                                                                     \
		R result_ = __real_##NAME ARGUMENTS;                                                                   \
		made(#NAME);                                                                                           \
		return result_;                                                                                        \
	}

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
WRAP(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, rmdir, (const char *path), (path))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, link, (const char *from, const char *to), (from, to))
WRAP(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
WRAP(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path))
WRAP(int, mknodat, (int fd, const char *path, mode_t mode, dev_t device), (fd, path, mode, device))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, fchmodat, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags))
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP(int, fchownat, (int fd, const char *path, uid_t uid, gid_t gid, int flags), (fd, path, uid, gid, flags))
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
WRAP(int, utimensat, (int fd, const char *path, const struct timespec times[2], int flags), (fd, path, times, flags))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
    (fd, name, value, size, flags))
WRAP(int, lsetxattr, (const char *path, const char *name, const void *value, size_t size, int flags),
    (path, name, value, size, flags))
WRAP(int, fremovexattr, (int fd, const char *name), (fd, name))
WRAP(int, lremovexattr, (const char *path, const char *name), (path, name))

static mode_t mode_after(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_after(flags, ap);
	va_end(ap);
	return flags & (O_CREAT | O_TRUNC) && hit("open") ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_after(flags, ap);
	va_end(ap);
	return flags & (O_CREAT | O_TRUNC) && hit("openat") ? -1 : __real_openat(fd, path, flags, mode);
}
