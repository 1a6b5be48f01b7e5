/* tests/lib/hung_mount.h: a file system whose server answers no more, as NFS does when its server is gone.
 *
 * For a forked child alone, with an alarm set: it gets mounts of its own, and whoever asks the mount anything waits
 * until it is killed.  What the kernel knows by itself (its path, its device) it still tells. */
#ifndef KEDGE_TESTS_LIB_HUNG_MOUNT_H
#define KEDGE_TESTS_LIB_HUNG_MOUNT_H

#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HUNG_REQUEST_MAX = 1 << 17 };

static inline void hung_answer(int server, uint64_t unique, const void *body, size_t size)
{
	struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .unique = unique};
	struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)body, size}};
	(void)!writev(server, parts, 2);
}

/* Says what its root is, once, so that somebody can stand in it; then nothing. */
static inline void *hung_serve(void *arg)
{
	static char request[HUNG_REQUEST_MAX];
	int server = *(int *)arg;
	for (bool told = false; !told && read(server, request, sizeof request) > 0;) {
		const struct fuse_in_header *in = (const struct fuse_in_header *)(const void *)request;
		struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
		struct fuse_attr_out attr = {.attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2, .blksize = 4096}};
		if (in->opcode == FUSE_INIT)
			hung_answer(server, in->unique, &init, sizeof init);
		else if ((told = in->opcode == FUSE_GETATTR))
			hung_answer(server, in->unique, &attr, sizeof attr);
	}
	return NULL;
}

/* A descriptor of its root (O_PATH), mounted on folder; -1 where none can be mounted here. */
static inline int hung_mount(const char *folder)
{
	static int server;
	char options[128];
	pthread_t thread;
	server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions", server);
	if (server < 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", folder, "fuse", MS_NOSUID | MS_NODEV, options) != 0 ||
	    pthread_create(&thread, NULL, hung_serve, &server) != 0)
		return -1;
	return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

#endif
