/* controller/store/space.c: how full the disk is, and the reserve. */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "controller/store/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static uint64_t free_bytes(const char *folder)
{
	struct statvfs fs;
	return statvfs(folder, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

/* True: it is there, whole. */
static bool take_reserve(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && posix_fallocate(fd, 0, (off_t)STORE_RESERVE_BYTES) == 0)
		return true;
	unlink(path);
	return false;
}

void space_look(struct space *s, const char *folder)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/reserve", folder))
		return;
	s->free_bytes = free_bytes(folder);
	bool there = access(path, F_OK) == 0, was_low = s->low;
	if (there && s->free_bytes < STORE_LOW_BYTES)
		there = unlink(path) != 0;
	else if (!there && s->free_bytes >= STORE_ENOUGH_BYTES)
		there = take_reserve(path);
	s->low = !there;
	if (s->low && !was_low)
		log_warn("store",
		    "%s: only %llu MiB of the disk are free: new work is refused until there are %llu MiB", folder,
		    (unsigned long long)(s->free_bytes >> 20), (unsigned long long)(STORE_ENOUGH_BYTES >> 20));
	if (was_low && !s->low)
		log_info("store", "%s: the disk has room again", folder);
}
