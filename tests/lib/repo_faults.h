/* tests/lib/repo_faults.h: killed, or refused by the kernel, at every call that changes a repository.
 *
 * The calls are counted by standing in for them: definitions in the program come before those of the C library, for
 * liblmdb as well. For one source file of a test program. */
#ifndef KEDGE_TESTS_LIB_REPO_FAULTS_H
#define KEDGE_TESTS_LIB_REPO_FAULTS_H

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "agent/snapshot/upkeep.h"
#include "tests/lib/disk.h"
#include "tests/lib/snapshot_world.h"

/* FAULT_POWER: the power of the repository's own disk goes, and the process with it, instead of the call.  FAULT_STOP:
 * before this call and every later one the process stops (SIGSTOP), until it is told to go on. */
enum fault { FAULT_NONE, FAULT_KILL_BEFORE, FAULT_KILL_HALF, FAULT_ERROR, FAULT_POWER, FAULT_STOP };
static enum fault fault;
static int fault_errno, fault_disk = -1;
static atomic_int calls, fault_at;
static volatile bool armed; /* only what the child does is counted */

/* True: fail with errno.  *size is what still gets written before a kill in the middle. */
static bool strike(size_t *size)
{
	int nth = armed ? atomic_fetch_add(&calls, 1) + 1 : 0, at = atomic_load(&fault_at);
	if (fault == FAULT_STOP && at && nth >= at)
		raise(SIGSTOP);
	if (!armed || nth != at || fault == FAULT_STOP)
		return false;
	switch (fault) {
	case FAULT_KILL_BEFORE:
		kill(getpid(), SIGKILL);
		break;
	case FAULT_POWER:
		if (!disk_cut(fault_disk))
			abort();
		kill(getpid(), SIGKILL);
		break;
	case FAULT_KILL_HALF:
		if (!size)
			kill(getpid(), SIGKILL);
		else
			*size /= 2; /* the caller kills when that is written */
		break;
	case FAULT_ERROR:
		errno = fault_errno;
		return true;
	case FAULT_STOP:
	case FAULT_NONE:
		break;
	}
	return false;
}

static ssize_t after(ssize_t n, size_t asked, size_t whole)
{
	if (asked != whole)
		kill(getpid(), SIGKILL);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	size_t n = size;
	return strike(&n) ? -1 : after(syscall(SYS_pwrite64, fd, data, n, offset), n, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	size_t n = size;
	return strike(&n) ? -1 : after(syscall(SYS_pwrite64, fd, data, n, offset), n, size);
}
ssize_t write(int fd, const void *data, size_t size)
{
	size_t n = size;
	return fd > 2 && strike(&n) ? -1 : after(syscall(SYS_write, fd, data, n), n, size);
}
ssize_t pwritev(int fd, const struct iovec *v, int count, off_t offset)
{
	return strike(NULL) ? -1 : syscall(SYS_pwritev, fd, v, count, (long)offset, 0L);
}
ssize_t writev(int fd, const struct iovec *v, int count)
{
	return strike(NULL) ? -1 : syscall(SYS_writev, fd, v, count);
}
int fsync(int fd)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_fsync, fd);
}
int fdatasync(int fd)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_fdatasync, fd);
}
int rename(const char *a, const char *b)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_rename, a, b);
}
int renameat(int a_fd, const char *a, int b_fd, const char *b)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_renameat, a_fd, a, b_fd, b);
}
int unlinkat(int fd, const char *path, int flags)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_unlinkat, fd, path, flags);
}
int ftruncate(int fd, off_t size)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate64(int fd, off_t size)
{
	return strike(NULL) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

static inline void arm(enum fault kind, int at, int code)
{
	fault = kind;
	fault_errno = code;
	atomic_store(&fault_at, at);
	atomic_store(&calls, 0);
}

struct first_finding {
	char text[ERR_MSG_MAX * 2];
};

static inline void remember(void *ctx, const char *text)
{
	struct first_finding *f = ctx;
	if (!*f->text)
		(void)text_format(f->text, sizeof f->text, "%s", text);
}

/* Everything that is listed verifies, the repository is sound, and the number is what it may be. */
static inline size_t check_all(struct world *w, size_t least, size_t most, int at)
{
	struct first_finding first = {""};
	struct repo_check_options o = {.on_finding = remember, .ctx = &first};
	struct repo_check_result result;
	struct list all, damaged;
	world_open(w);
	WORLD_OK(w, snapshot_list(w->repo, NULL, w->arena, &all, &damaged, &w->err));
	if (damaged.count || all.count < least || all.count > most)
		fail_msg("fault at %d: %zu restore points, %zu damaged", at, all.count, damaged.count);
	for (size_t i = 0; i < all.count; i++) {
		struct verify_result v;
		WORLD_OK(w, world_verify(w, LIST_AT(all, struct snapshot_summary, i).snapshot, &v));
	}
	WORLD_OK(w, repo_check(w->repo, &o, &result, &w->err));
	if (result.findings)
		fail_msg("fault at %d: %s", at, first.text);
	world_close(w);
	return all.count;
}

#endif
