/* tests/lib/disk.h: an ext4 file system of a test's own, on an image and a loop device, whose power can be cut.
 * Needs root, loop devices and mkfs.ext4: disk_make says so where it cannot be had, and the test skips. */
#ifndef KEDGE_TESTS_LIB_DISK_H
#define KEDGE_TESTS_LIB_DISK_H

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/scratch.h"

struct disk {
	char folder[SCRATCH_PATH]; /* of the image */
	char device[32];
	int loop; /* cleared by itself when it is closed and nothing is mounted from it */
};

/* Mounts that are made from now on are seen by this process and its children alone, and end with them. */
static inline bool disk_private_mounts(void)
{
	static int done = -1;
	if (done < 0)
		done = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (!done)
		printf("needs root and mount namespaces: skipped\n");
	return done;
}

static inline bool disk_format(const char *image)
{
	extern char **environ;
	const char *const argv[] = {"/sbin/mkfs.ext4", "-q", "-F", image, NULL};
	pid_t pid;
	int status;
	posix_spawn_file_actions_t quiet;
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
	bool ok = posix_spawn(&pid, argv[0], &quiet, NULL, (char *const *)(uintptr_t)argv, environ) == 0 &&
		  waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	posix_spawn_file_actions_destroy(&quiet);
	return ok;
}

/* -1: not possible here. */
static inline int disk_attach(struct disk *d, int file)
{
	int loops = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = loops < 0 ? -1 : ioctl(loops, LOOP_CTL_GET_FREE);
	snprintf(d->device, sizeof d->device, "/dev/loop%d", number);
	int loop = number < 0 ? -1 : open(d->device, O_RDWR | O_CLOEXEC);
	struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
	if (loop >= 0 && (ioctl(loop, LOOP_SET_FD, file) != 0 || ioctl(loop, LOOP_SET_STATUS64, &info) != 0)) {
		close(loop);
		loop = -1;
	}
	if (loops >= 0)
		close(loops);
	return loop;
}

/* False: not possible here, which it has said. */
static inline bool disk_make(struct disk *d, off_t bytes)
{
	char image[SCRATCH_PATH + 8];
	if (!disk_private_mounts())
		return false;
	scratch_make(d->folder);
	snprintf(image, sizeof image, "%s/image", d->folder);
	int file = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, bytes) != 0)
		abort();
	d->loop = disk_format(image) ? disk_attach(d, file) : -1;
	close(file);
	if (d->loop >= 0)
		return true;
	printf("needs loop devices and mkfs.ext4: skipped\n");
	scratch_remove(d->folder);
	return false;
}

/* What the journal holds is replayed. */
static inline bool disk_mount(const struct disk *d, const char *where)
{
	return mount(d->device, where, "ext4", 0, NULL) == 0;
}

/* EXT4_IOC_SHUTDOWN without a last flush of the journal: what is not durable yet is lost, and every call fails from
 * now on, as when the power goes.  fd: of any file on it. */
static inline bool disk_cut(int fd)
{
	const unsigned long going_down = 0x8004587dul;
	uint32_t no_log_flush = 2;
	return ioctl(fd, going_down, &no_log_flush) == 0;
}

/* Not mounted any more. */
static inline void disk_done(struct disk *d)
{
	close(d->loop);
	scratch_remove(d->folder);
}

#endif
