#include "agent/snapshot/trail.h"

#include <fcntl.h>
#include <unistd.h>

enum { SETTLED = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER };

/* Pages that are not on the disk yet would stay: hence the wait, which by then is short or none. */
static void settle_oldest(struct trail *t)
{
	struct trail_part *p = &t->parts[t->first];
	if (sync_file_range(p->fd, (off_t)p->at, (off_t)p->size, SETTLED) == 0)
		(void)posix_fadvise(p->fd, (off_t)p->at, (off_t)p->size, POSIX_FADV_DONTNEED);
	close(p->fd);
	t->bytes -= p->size;
	t->first = (t->first + 1) % TRAIL_PARTS;
	t->count--;
}

void trail_add(struct trail *t, int fd, uint64_t at, uint64_t size)
{
	if (size < TRAIL_LEAST)
		return;
	(void)sync_file_range(fd, (off_t)at, (off_t)size, SYNC_FILE_RANGE_WRITE);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return; /* its pages stay: no harm but to the cache */
	while (t->count == TRAIL_PARTS || (t->count && t->bytes + size > TRAIL_BYTES))
		settle_oldest(t);
	t->parts[(t->first + t->count++) % TRAIL_PARTS] = (struct trail_part){own, at, size};
	t->bytes += size;
}

void trail_end(struct trail *t)
{
	while (t->count)
		settle_oldest(t);
}
