/* Converging: large files of which only a part differs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum {
	WINDOW = 1 << 20,
	WORTH = 2, /* a part of more than one in so many is no part: it would be written twice */
};

bool converge_may_patch(
    const struct change *ch, const struct snapshot_entry *before, const struct snapshot_entry *after)
{
	return ch->site->component >= COMPONENT_DATA && ch->kind == CHANGE_CONTENT && before && after &&
	       before->type == ENTRY_FILE && after->type == ENTRY_FILE && !before->link && !after->link &&
	       !before->sparse && !after->sparse && !before->torn && !after->torn &&
	       before->size >= CONVERGE_PATCH_LEAST && after->size >= CONVERGE_PATCH_LEAST;
}

static enum err_code failed(const struct change *ch, int code, const char *what, struct err *reterr)
{
	char shown[PATH_LIMIT];
	return err_sys(reterr, code, "%.400s cannot be %s", site_text(ch->site, ch->path, shown), what);
}

/* ---- staging ---- */

static uint64_t bytes_of(const struct buf *ranges)
{
	const struct snapshot_range *r = (const void *)ranges->data;
	uint64_t bytes = 0;
	for (size_t i = 0; i < ranges->size / sizeof *r; i++)
		bytes += r[i].size;
	return bytes;
}

static enum err_code write_part(struct snapshot_reader *reader, struct change *ch, uint64_t number,
    const struct snapshot_entry *e, const struct snapshot_entry *now, struct err *reterr)
{
	char name[STAGED_NAME];
	CLEANUP(cleanup_fd)
	int fd = openat(ch->site->stage_fd, converge_staged_name(number, name),
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(ch, errno, "staged", reterr);
	ch->ranges.limit = SIZE_MAX;
	enum err_code rc = snapshot_write_changes(reader, e, now, fd, &ch->ranges, reterr);
	if (rc == ERR_OK && !ch->ranges.size) /* it is only cut */
		buf_append(&ch->ranges, &(struct snapshot_range){e->size, 0}, sizeof(struct snapshot_range));
	if (rc != ERR_OK)
		buf_done(&ch->ranges);
	return rc;
}

enum err_code converge_measure_patches(struct converge *c, struct err *reterr)
{
	struct snapshot_reader *reader = NULL;
	enum err_code rc = snapshot_reader_new(c->spec.snapshot, &reader, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->changes.count; i++) {
		struct change *ch = &c->changes.items[i];
		CLEANUP(buf_done) struct buf ranges = {.limit = SIZE_MAX};
		struct snapshot_entry e, now;
		if (!ch->patch || !change_entry(c, ch, &e) || !converge_known(c, ch, &now))
			continue;
		rc = snapshot_write_changes(reader, &e, &now, -1, &ranges, reterr);
		ch->part = bytes_of(&ranges) + 1;
	}
	snapshot_reader_free(reader);
	return rc;
}

/* Some of them, one after the other; what is next is shared. */
struct patcher {
	struct converge *c;
	struct change **all;
	size_t count;
	_Atomic size_t *next;
	enum err_code rc;
	struct err err;
};

static enum err_code stage_part(
    const struct converge *c, struct snapshot_reader *reader, struct change *ch, struct err *reterr)
{
	struct snapshot_entry e, now;
	if (!change_entry(c, ch, &e) || !converge_known(c, ch, &now))
		return ERR_OK; /* whole, then */
	return write_part(reader, ch, ch->staged, &e, &now, reterr);
}

static void *stage_some(void *arg)
{
	struct patcher *p = arg;
	struct snapshot_reader *reader = NULL;
	p->rc = snapshot_reader_new(p->c->spec.snapshot, &reader, &p->err);
	for (size_t i; p->rc == ERR_OK && (i = atomic_fetch_add(p->next, 1)) < p->count;)
		p->rc = stage_part(p->c, reader, p->all[i], &p->err);
	snapshot_reader_free(reader);
	return NULL;
}

static enum err_code stage_parts(struct converge *c, struct change **all, size_t count, struct err *reterr)
{
	_Atomic size_t next = 0;
	struct patcher both[2] = {
	    {.c = c, .all = all, .count = count, .next = &next}, {.c = c, .all = all, .count = count, .next = &next}};
	pthread_t other;
	bool started = count > 1 && pthread_create(&other, NULL, stage_some, &both[1]) == 0;
	(void)stage_some(&both[0]);
	if (started)
		pthread_join(other, NULL);
	const struct patcher *failed_one = both[0].rc != ERR_OK ? &both[0] : &both[1];
	if (failed_one->rc != ERR_OK && reterr)
		*reterr = failed_one->err;
	return failed_one->rc;
}

/* Largest first, so that two threads end together.  Each gets its name. */
static int by_size(const void *a, const void *b)
{
	const struct change *x = *(struct change *const *)a, *y = *(struct change *const *)b;
	return (x->size < y->size) - (x->size > y->size);
}

static enum err_code choose(struct converge *c, struct change **all, size_t *count, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	*count = 0;
	for (size_t i = 0; rc == ERR_OK && i < c->changes.count; i++) {
		struct change *ch = &c->changes.items[i];
		if (!ch->patch || ch->staged)
			continue;
		rc = site_check_mount(ch->site, ch->path, reterr);
		if (rc == ERR_OK)
			rc = site_open_stage(ch->site, reterr);
		ch->staged = ++c->last_staged;
		all[(*count)++] = ch;
	}
	if (*count)
		qsort(all, *count, sizeof *all, by_size);
	return rc;
}

/* What no part was made of, or one that is no part, is staged whole. */
static enum err_code complete(struct converge *c, struct change **all, size_t count, struct err *reterr)
{
	struct snapshot_reader *reader = NULL;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < count; i++) {
		struct change *ch = all[i];
		char name[STAGED_NAME];
		uint64_t bytes = bytes_of(&ch->ranges);
		ch->patch = false;
		/* Where there is no room for the whole, the larger part is better than that, too. */
		if (ch->ranges.size && (c->spec.database || bytes <= ch->size / WORTH)) {
			c->counts.bytes += bytes;
			continue;
		}
		(void)unlinkat(ch->site->stage_fd, converge_staged_name(ch->staged, name), 0);
		buf_done(&ch->ranges);
		if (!reader)
			rc = snapshot_reader_new(c->spec.snapshot, &reader, reterr);
		if (rc == ERR_OK)
			rc = converge_stage_one(c, reader, ch, reterr);
	}
	snapshot_reader_free(reader);
	return rc;
}

enum err_code converge_stage_patches(struct converge *c, struct err *reterr)
{
	CLEANUP(cleanup_free) struct change **all = calloc(c->changes.count + 1, sizeof *all);
	size_t count;
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	enum err_code rc = choose(c, all, &count, reterr);
	if (rc != ERR_OK || !count)
		return rc;
	rc = stage_parts(c, all, count, reterr);
	if (rc == ERR_OK)
		rc = complete(c, all, count, reterr);
	return rc == ERR_OK ? converge_sync_begin(c, true, reterr) : rc;
}

/* ---- in place ---- */

/* Granted only while no other descriptor and no mapping of it is there; whoever opens it then waits.  That this is
 * asked for comes as a signal which is ignored unless somebody catches it. */
static bool lease(int fd)
{
	return fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

static enum err_code copy_range(
    const struct change *ch, const struct snapshot_range *r, int from, int to, uint8_t *window, struct err *reterr)
{
	for (uint64_t at = r->at, end = r->at + r->size; at < end;) {
		size_t want = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
		ssize_t got = pread(from, window, want, (off_t)at);
		if (got <= 0)
			return failed(ch, got ? errno : EIO, "read where it is staged", reterr);
		for (ssize_t done = 0; done < got;) {
			ssize_t n = pwrite(to, window + done, (size_t)(got - done), (off_t)at + done);
			if (n < 0)
				return failed(ch, errno, "written", reterr);
			done += n;
		}
		at += (uint64_t)got;
	}
	return ERR_OK;
}

static enum err_code write_ranges(const struct change *ch, int from, int to, struct err *reterr)
{
	const struct snapshot_range *r = (const void *)ch->ranges.data;
	CLEANUP(cleanup_free) uint8_t *window = malloc(WINDOW);
	enum err_code rc = window ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; rc == ERR_OK && i < ch->ranges.size / sizeof *r; i++)
		rc = copy_range(ch, &r[i], from, to, window, reterr);
	if (rc == ERR_OK && ftruncate(to, (off_t)ch->size) != 0)
		rc = failed(ch, errno, "cut to its size", reterr);
	return rc;
}

enum err_code converge_patch(
    struct converge *c, const struct change *ch, int dirfd, const char *name, bool *ret_done, struct err *reterr)
{
	char staged[STAGED_NAME];
	struct snapshot_entry e;
	struct stat st;
	*ret_done = false;
	CLEANUP(cleanup_fd)
	int from =
	    openat(ch->site->stage_fd, converge_staged_name(ch->staged, staged), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return failed(ch, errno, "read where it is staged", reterr);
	CLEANUP(cleanup_fd) int to = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (to < 0 || fstat(to, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || !lease(to) ||
	    !change_entry(c, ch, &e) || !converge_still(c, ch, dirfd, name))
		return ERR_OK;
	enum err_code rc = write_ranges(ch, from, to, reterr);
	if (rc == ERR_OK)
		rc = snapshot_set_metadata(&e, dirfd, name, reterr);
	if (rc != ERR_OK)
		return rc;
	c->counts.replaced++;
	*ret_done = true;
	return ERR_OK;
}
