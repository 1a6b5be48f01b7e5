/* Reading a file of a scan: small ones at once, large ones in strips that idle workers share. */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "agent/repository/io.h"
#include "agent/snapshot/scan_internal.h"
#include "agent/snapshot/xattrs.h"

enum {
	NANO = 1000000000,
	WINDOW = 2 * CHUNK_MAX,
	RACY_NS = 20 * 1000 * 1000
}; /* the kernel stamps files by a clock that ticks every 1 to 10 ms */

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * NANO + t.tv_nsec;
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       nanoseconds(a->st_mtim) == nanoseconds(b->st_mtim) && nanoseconds(a->st_ctim) == nanoseconds(b->st_ctim);
}

/* Fewer blocks than bytes may also mean compression: ask, so that how a file is cut depends on nothing else. */
static bool has_hole(int fd, const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size && lseek(fd, 0, SEEK_HOLE) < st->st_size;
}

/* ---- strips ---- */

static void add_holes(struct buf *references, uint64_t size)
{
	static const struct chunk_id zero;
	while (size) {
		uint32_t n = size > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)size;
		reference_write(references, &zero, n);
		size -= n;
	}
}

/* [from, to) of the file into chunks.  *ret_got falls short when the file ends before. */
static enum err_code read_data(struct scan_worker *w, const struct scan_big *b, uint64_t from, uint64_t to,
    struct buf *references, uint64_t *ret_got, struct err *reterr)
{
	size_t held = 0;
	uint64_t at = from;
	bool short_read = false;
	if (!w->window && !(w->window = malloc(WINDOW)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret_got = 0;
	while (at < to || held) {
		uint8_t *p = w->window;
		if (at < to && held < CHUNK_MAX && !short_read) {
			size_t want = WINDOW - held < to - at ? WINDOW - held : (size_t)(to - at), got;
			enum err_code rc = io_pread_full(b->fd, p + held, want, at, &got, reterr);
			if (rc)
				return rc;
			short_read = got < want;
			held += got;
			at = short_read ? to : at + got;
			atomic_fetch_add_explicit(&w->scan->read_bytes, got, memory_order_relaxed);
		}
		size_t done = 0;
		bool last = at >= to;
		while (held - done >= (last ? 1 : CHUNK_MAX)) {
			struct chunk_id id;
			size_t n = chunker_cut(&w->scan->o.repo->chunker, b->chunking, b->pages, p + done, held - done);
			enum err_code rc = packer_put(w->packer, p + done, n, &id, reterr);
			if (rc)
				return rc;
			reference_write(references, &id, (uint32_t)n);
			*ret_got += n;
			done += n;
		}
		memmove(p, p + done, held - done);
		held -= done;
	}
	return ERR_OK;
}

static enum err_code read_sparse(struct scan_worker *w, const struct scan_big *b, uint64_t from, uint64_t to,
    struct strip *strip, struct err *reterr)
{
	uint64_t at = from;
	while (at < to) {
		off_t data = lseek(b->fd, (off_t)at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return err_sys(reterr, errno, "seek");
		uint64_t begin = data < 0 || (uint64_t)data > to ? to : (uint64_t)data;
		add_holes(&strip->references, begin - at);
		strip->got += begin - at;
		if (begin == to)
			break;
		off_t hole = lseek(b->fd, data, SEEK_HOLE);
		uint64_t end = hole < 0 || (uint64_t)hole > to ? to : (uint64_t)hole, got;
		if (end <= begin)
			break; /* it shrank */
		enum err_code rc = read_data(w, b, begin, end, &strip->references, &got, reterr);
		if (rc)
			return rc;
		strip->got += got;
		if (got < end - begin)
			break;
		at = end;
	}
	return ERR_OK;
}

static enum err_code read_strip(struct scan_worker *w, struct scan_big *b, uint32_t number, struct err *reterr)
{
	struct strip *strip = &b->strip[number];
	uint64_t from = (uint64_t)number * CHUNK_STRIP,
		 to = from + CHUNK_STRIP < b->size ? from + CHUNK_STRIP : b->size;
	enum err_code rc = b->sparse ? read_sparse(w, b, from, to, strip, reterr)
				     : read_data(w, b, from, to, &strip->references, &strip->got, reterr);
	if (!rc && strip->references.failed)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	return rc;
}

/* With the mutex held. */
static bool take_strip(struct scan_worker *w, struct scan_big *b)
{
	struct scan *s = w->scan;
	if (b->next == b->strips)
		return false;
	uint32_t number = b->next++;
	bool skip = b->rc || scan_stopped(s);
	pthread_mutex_unlock(&s->mutex);
	struct err err = ERR_INIT;
	enum err_code rc = skip ? ERR_OK : read_strip(w, b, number, &err);
	pthread_mutex_lock(&s->mutex);
	if (rc && !b->rc) {
		b->rc = rc;
		b->err = err;
	}
	if (++b->done == b->strips)
		pthread_cond_broadcast(&s->wake);
	return true;
}

bool scan_help(struct scan_worker *w)
{
	struct scan *s = w->scan;
	bool found = false;
	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < SNAPSHOT_WORKERS_MAX && !found; i++)
		if (s->big[i])
			found = take_strip(w, s->big[i]);
	pthread_mutex_unlock(&s->mutex);
	return found;
}

/* The owner works along and waits for the helpers' last strips, so that the file lives on its stack. */
static void read_strips(struct scan_worker *w, struct scan_big *b)
{
	struct scan *s = w->scan;
	pthread_mutex_lock(&s->mutex);
	if (b->strips > 1) {
		s->big[w->number] = b;
		pthread_cond_broadcast(&s->wake);
	}
	while (take_strip(w, b)) {
	}
	while (b->done < b->strips)
		pthread_cond_wait(&s->wake, &s->mutex);
	s->big[w->number] = NULL;
	pthread_mutex_unlock(&s->mutex);
}

/* What is stored is cut as its name, size and beginning say, whatever was before, so that the same tree always has the
 * same digest.  What is only compared is cut as what it is compared with. */
static enum err_code choose_cut(
    struct scan_worker *w, const char *name, const uint8_t *base, struct scan_big *b, struct err *reterr)
{
	uint8_t head[CHUNK_PEEK];
	size_t got = 0;
	b->chunking = CHUNKING_GEAR;
	if (w->source && w->source->pages) {
		b->pages = w->source->pages;
	} else if (!store_run_keeps(w->scan->o.run) && base && entry_kind(base) == ENTRY_FILE &&
		   entry_chunking(base) != CHUNKING_WHOLE) {
		b->pages = entry_chunking(base) == CHUNKING_PAGES ? entry_pages(base) : 0;
	} else {
		enum err_code rc = io_pread_full(b->fd, head, sizeof head, 0, &got, reterr);
		if (rc)
			return rc;
		b->pages = chunker_pages(name, b->size, head, got);
	}
	if (b->pages)
		b->chunking = CHUNKING_PAGES;
	return ERR_OK;
}

static enum err_code read_large(struct scan_worker *w, int fd, const char *name, const struct stat *st,
    const uint8_t *base, struct scan_content *ret, struct err *reterr)
{
	struct scan_big b = {.fd = fd, .size = (uint64_t)st->st_size};
	enum err_code rc = choose_cut(w, name, base, &b, reterr);
	if (rc)
		return rc;
	b.sparse = has_hole(fd, st);
	b.strips = (uint32_t)((b.size + CHUNK_STRIP - 1) / CHUNK_STRIP);
	b.strip = calloc(b.strips, sizeof *b.strip);
	if (!b.strip)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	read_strips(w, &b);
	ret->chunking = b.chunking;
	ret->pages = b.pages;
	bool whole = true; /* up to the first strip that fell short */
	for (uint32_t i = 0; i < b.strips; i++) {
		uint64_t full = i + 1 < b.strips ? CHUNK_STRIP : b.size - (uint64_t)i * CHUNK_STRIP;
		if (whole) {
			buf_append(&w->references, b.strip[i].references.data, b.strip[i].references.size);
			ret->length += b.strip[i].got;
		}
		whole = whole && b.strip[i].got == full;
		buf_done(&b.strip[i].references);
	}
	free(b.strip);
	if (b.rc && reterr)
		*reterr = b.err;
	return b.rc;
}

/* Straight into the segment that it will be stored in. */
static enum err_code read_small(
    struct scan_worker *w, int fd, const struct stat *st, struct scan_content *ret, struct err *reterr)
{
	struct chunk_id id;
	size_t got = 0;
	struct err local, *e = reterr ? reterr : &local;
	ret->chunking = CHUNKING_WHOLE;
	if (st->st_size == 0)
		return ERR_OK;
	uint8_t *room = packer_room(w->packer, (size_t)st->st_size, e);
	if (!room)
		return e->code;
	enum err_code rc = io_pread_full(fd, room, (size_t)st->st_size, 0, &got, reterr);
	if (rc || !got)
		return rc;
	rc = packer_take(w->packer, got, &id, reterr);
	if (!rc)
		reference_write(&w->references, &id, (uint32_t)got);
	ret->length = got;
	atomic_fetch_add_explicit(&w->scan->read_bytes, got, memory_order_relaxed);
	return rc;
}

/* ---- lists of references ---- */

/* Ends where a reference says so, so that lists of a changed file mostly stay. */
static size_t list_cut(const uint8_t *references, size_t count)
{
	size_t n = count < CHUNKS_PER_LIST_MIN ? count : CHUNKS_PER_LIST_MIN;
	while (n < count && n < CHUNKS_PER_LIST_MAX && references[(n - 1) * REFERENCE_SIZE])
		n++;
	return n;
}

static enum err_code make_lists(struct scan_worker *w, struct scan_content *ret, struct err *reterr)
{
	while (w->references.size > (size_t)CHUNKS_INLINE_MAX * REFERENCE_SIZE) {
		if (ret->depth == LIST_DEPTH_MAX)
			return err_set(reterr, ERR_LIMIT, "the file is too large");
		buf_clear(&w->lists);
		for (size_t at = 0; at < w->references.size;) {
			struct chunk_id id;
			size_t n = list_cut(w->references.data + at, (w->references.size - at) / REFERENCE_SIZE) *
				   REFERENCE_SIZE;
			enum err_code rc = packer_put(w->packer, w->references.data + at, n, &id, reterr);
			if (rc)
				return rc;
			reference_write(&w->lists, &id, (uint32_t)n);
			at += n;
		}
		struct buf swap = w->references;
		w->references = w->lists;
		w->lists = swap;
		ret->depth++;
	}
	return w->references.failed || w->lists.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

static bool has_holes(const struct buf *references)
{
	for (size_t at = 0; at < references->size; at += REFERENCE_SIZE)
		if (reference_is_hole(references->data + at))
			return true;
	return false;
}

/* ---- a file ---- */

static int open_file(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dirfd, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

static enum err_code read_once(struct scan_worker *w, int fd, const char *name, const uint8_t *base, struct stat *st,
    struct scan_content *ret, bool *ret_changed, struct err *reterr)
{
	struct stat after;
	struct timespec now;
	struct scan_content content = {0};
	buf_clear(&w->references);
	buf_clear(&w->xattrs);
	clock_gettime(CLOCK_REALTIME, &now);
	enum err_code rc = st->st_size <= CHUNK_WHOLE_MAX && !has_hole(fd, st)
			       ? read_small(w, fd, st, &content, reterr)
			       : read_large(w, fd, name, st, base, &content, reterr);
	if (!rc)
		rc = xattrs_read(fd, NULL, &w->xattrs, reterr);
	if (!rc && fstat(fd, &after))
		rc = err_sys(reterr, errno, "stat");
	if (rc)
		return rc;
	*ret_changed = !unchanged(st, &after) || content.length != (uint64_t)st->st_size;
	if (*ret_changed && w->source && w->source->live)
		content.flags |= ENTRY_RACY; /* under the times it had before, so that it is read again next time */
	else
		*st = after;
	if (nanoseconds(after.st_ctim) + RACY_NS >= nanoseconds(now))
		content.flags |= ENTRY_RACY;
	if (has_holes(&w->references))
		content.flags |= ENTRY_SPARSE;
	rc = make_lists(w, &content, reterr);
	*ret = content;
	return rc;
}

enum err_code scan_read_file(struct scan_worker *w, int dirfd, const char *name, const uint8_t *base, struct stat *st,
    struct scan_content *ret, bool *ret_gone, struct err *reterr)
{
	bool changed = true;
	CLEANUP(cleanup_fd) int fd = open_file(dirfd, name);
	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) {
		*ret_gone = true;
		return ERR_OK;
	}
	if (fd < 0)
		return err_sys(reterr, errno, "cannot be read");
	bool live = w->source && w->source->live;
	for (int tries = 0; changed && tries < (live ? 1 : SNAPSHOT_READ_TRIES); tries++) {
		if (fstat(fd, st))
			return err_sys(reterr, errno, "stat");
		if (!S_ISREG(st->st_mode)) {
			*ret_gone = true; /* replaced by something else: look again */
			return ERR_OK;
		}
		enum err_code rc = read_once(w, fd, name, base, st, ret, &changed, reterr);
		if (rc)
			return rc;
	}
	atomic_fetch_add_explicit(&w->scan->read_files, 1, memory_order_relaxed);
	if (changed && !live) {
		ret->flags |= ENTRY_TORN;
		atomic_fetch_add_explicit(&w->scan->torn, 1, memory_order_relaxed);
	}
	return ERR_OK;
}
