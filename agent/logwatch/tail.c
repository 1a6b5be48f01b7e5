#include "agent/logwatch/tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/logwatch/logwatch.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { CHUNK = 32 << 10 };

struct file {
	int fd;                  /* -1: none */
	struct tail_position at; /* offset: where the unfinished line begins */
	uint64_t read;           /* where the next read begins */
	struct buf line;         /* the unfinished line, cut */
	bool cut;
};

struct tail {
	char *path;
	struct tail_events events;
	struct file current, renamed;
	uint64_t renamed_until_ms;
	uint64_t generation;
	bool from_start; /* for a file that appears: always, after the first look */
};

/* ---- one file ---- */

static void close_file(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	buf_done(&f->line);
	*f = (struct file){.fd = -1};
}

static uint64_t hash_bytes(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3ull;
	return h;
}

static bool head_hash(int fd, size_t size, uint64_t *ret)
{
	char head[TAIL_HEAD_MAX];
	if (pread(fd, head, size, 0) != (ssize_t)size)
		return false;
	*ret = hash_bytes(head, size);
	return true;
}

/* The more of the file was read, the more of its head is known; up to TAIL_HEAD_MAX. */
static void know_head(struct file *f)
{
	uint64_t size = f->at.offset < TAIL_HEAD_MAX ? f->at.offset : TAIL_HEAD_MAX;
	if (size > f->at.head_size && head_hash(f->fd, size, &f->at.head_hash))
		f->at.head_size = size;
}

/* Is what stands in fd still what position was taken of? */
static bool is_same(int fd, const struct stat *st, const struct tail_position *p)
{
	uint64_t hash;
	if (st->st_ino != p->inode || st->st_dev != p->device || (uint64_t)st->st_size < p->offset)
		return false;
	return p->head_size == 0 || (head_hash(fd, p->head_size, &hash) && hash == p->head_hash);
}

static bool open_path(const char *path, int *ret_fd, struct stat *ret)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, ret) < 0 || !S_ISREG(ret->st_mode))
		return false;
	*ret_fd = TAKE_FD(fd);
	return true;
}

static void begin(struct file *f, int fd, const struct stat *st, uint64_t offset)
{
	close_file(f);
	*f = (struct file){.fd = fd, .read = offset};
	f->at = (struct tail_position){.device = st->st_dev, .inode = st->st_ino, .offset = offset};
	know_head(f);
}

static void finish_line(struct tail *t, struct file *f)
{
	if (f->line.size || f->cut)
		t->events.on_line(t->events.ctx, buf_str(&f->line), f->line.size, f->cut);
	buf_clear(&f->line);
	f->cut = false;
	f->at.offset = f->read;
}

static void keep(struct file *f, const char *p, size_t n)
{
	size_t room = LOGWATCH_LINE_MAX - f->line.size, take = n < room ? n : room;
	buf_append(&f->line, p, take);
	f->cut |= take < n || f->line.failed;
}

/* Complete lines are told straight from the chunk. */
static void take_bytes(struct tail *t, struct file *f, const char *p, size_t n)
{
	const char *end = p + n;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t size = newline ? (size_t)(newline - p) : (size_t)(end - p);
		if (newline && f->line.size == 0 && !f->cut) {
			bool cut = size > LOGWATCH_LINE_MAX;
			f->read += size + 1;
			if (size)
				t->events.on_line(t->events.ctx, p, cut ? (size_t)LOGWATCH_LINE_MAX : size, cut);
			f->at.offset = f->read;
		} else {
			keep(f, p, size);
			f->read += size + (newline != NULL);
			if (newline)
				finish_line(t, f);
		}
		p += size + (newline != NULL);
	}
}

/* Reads until the end or the budget's; true: the budget ended first. */
static bool read_file(struct tail *t, struct file *f, size_t *budget)
{
	char chunk[CHUNK];
	while (*budget > 0) {
		size_t want = *budget < CHUNK ? *budget : CHUNK;
		ssize_t n = pread(f->fd, chunk, want, (off_t)f->read);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		take_bytes(t, f, chunk, (size_t)n);
		*budget -= (size_t)n;
	}
	return true;
}

/* Copied and truncated, and perhaps already longer again: begin anew. */
static void check_truncated(struct tail *t, struct file *f)
{
	struct stat st;
	uint64_t hash;
	if (fstat(f->fd, &st) < 0)
		return;
	bool same = (uint64_t)st.st_size >= f->read &&
		    (f->at.head_size == 0 || (head_hash(f->fd, f->at.head_size, &hash) && hash == f->at.head_hash));
	if (same) {
		know_head(f);
		return;
	}
	finish_line(t, f);
	f->read = f->at.offset = 0;
	f->at.head_size = 0;
}

static void skip_backlog(struct tail *t, struct file *f)
{
	struct stat st;
	if (fstat(f->fd, &st) < 0 || (uint64_t)st.st_size < f->read + LOGWATCH_BACKLOG_MAX)
		return;
	uint64_t to = (uint64_t)st.st_size - LOGWATCH_BACKLOG_MAX;
	t->events.on_skipped(t->events.ctx, to - f->read);
	buf_clear(&f->line);
	f->cut = false;
	f->read = f->at.offset = to;
}

/* ---- the path ---- */

/* The file that position was taken of, under the name it has now in the same folder. */
static bool find_renamed(const char *path, const struct tail_position *p, int *ret_fd, struct stat *ret_st)
{
	char folder[PATH_LIMIT], candidate[PATH_LIMIT];
	const char *slash = strrchr(path, '/');
	if (!slash || !text_format(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path))
		return false;
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	struct dirent *e;
	for (int i = 0; dir && i < TAIL_SEARCH_MAX && (e = readdir(dir)) != NULL; i++) {
		if (e->d_ino != p->inode || !text_format(candidate, sizeof candidate, "%s/%s", folder, e->d_name))
			continue;
		int fd;
		if (!open_path(candidate, &fd, ret_st))
			continue;
		if (is_same(fd, ret_st, p)) {
			*ret_fd = fd;
			return true;
		}
		close(fd);
	}
	return false;
}

static void resume_at(struct file *f, int fd, const struct stat *st, const struct tail_position *p)
{
	begin(f, fd, st, p->offset);
	if (p->head_size > f->at.head_size) {
		f->at.head_size = p->head_size;
		f->at.head_hash = p->head_hash;
	}
}

/* Opens what stands behind the path now; from its start unless it is the first look at a source without history. */
static bool open_current(struct tail *t, const struct tail_position *known)
{
	struct stat st;
	int fd;
	if (!open_path(t->path, &fd, &st)) {
		t->from_start = true;
		return false;
	}
	if (known && is_same(fd, &st, known))
		resume_at(&t->current, fd, &st, known);
	else
		begin(&t->current, fd, &st, t->from_start ? 0 : (uint64_t)st.st_size);
	t->from_start = true;
	t->generation++;
	skip_backlog(t, &t->current);
	return true;
}

static void set_renamed(struct tail *t, int fd, const struct stat *st, const struct tail_position *p)
{
	resume_at(&t->renamed, fd, st, p);
	t->renamed_until_ms = 0; /* set when it is read first */
	skip_backlog(t, &t->renamed);
}

enum err_code tail_new(const char *path, const struct tail_events *events, const struct tail_position *known,
    size_t count, bool from_start, struct tail **ret, struct err *reterr)
{
	struct tail *t = calloc(1, sizeof *t);
	struct stat st;
	int fd;
	if (!t || !(t->path = strdup(path))) {
		free(t);
		return err_set(reterr, ERR_NOMEM, "no memory to follow %s", path);
	}
	t->events = *events;
	t->current.fd = t->renamed.fd = -1;
	t->from_start = from_start || count > 0;
	(void)open_current(t, count ? &known[0] : NULL);
	/* What was current may have been renamed while we were away; else what was being read as renamed may still be
	 * there. */
	for (size_t i = 0; i < count && t->renamed.fd < 0; i++)
		if (!tail_reads(t, known[i].device, known[i].inode) && find_renamed(path, &known[i], &fd, &st))
			set_renamed(t, fd, &st, &known[i]);
	*ret = t;
	return ERR_OK;
}

void tail_free(struct tail *t)
{
	if (!t)
		return;
	close_file(&t->current);
	close_file(&t->renamed);
	free(t->path);
	free(t);
}

/* Nobody gets at it any more, and the room that it takes is free only when we let go of it, too. */
static bool is_nameless(const struct file *f)
{
	struct stat st;
	return f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_nlink == 0;
}

/* Another file stands behind the path: what was current is now the renamed one. */
static void rotate(struct tail *t, uint64_t now_ms)
{
	if (t->renamed.fd >= 0)
		finish_line(t, &t->renamed);
	close_file(&t->renamed);
	t->renamed = t->current;
	t->renamed_until_ms = now_ms + (is_nameless(&t->renamed) ? TAIL_NAMELESS_MS : TAIL_GRACE_MS);
	t->current = (struct file){.fd = -1};
}

static bool path_moved(const struct tail *t)
{
	struct stat st;
	if (stat(t->path, &st) < 0)
		return errno == ENOENT;
	return st.st_ino != t->current.at.inode || st.st_dev != t->current.at.device;
}

static bool read_renamed(struct tail *t, size_t *budget, uint64_t now_ms)
{
	if (t->renamed_until_ms == 0)
		t->renamed_until_ms = now_ms + TAIL_GRACE_MS;
	if (read_file(t, &t->renamed, budget))
		return true;
	if (now_ms >= t->renamed_until_ms) {
		finish_line(t, &t->renamed);
		close_file(&t->renamed);
	}
	return false;
}

bool tail_read(struct tail *t, size_t budget_bytes, uint64_t now_ms)
{
	size_t budget = budget_bytes;
	if (t->renamed.fd >= 0 && read_renamed(t, &budget, now_ms))
		return true;
	if (t->current.fd >= 0) {
		check_truncated(t, &t->current);
		if (read_file(t, &t->current, &budget))
			return true;
		know_head(&t->current);
		if (!path_moved(t))
			return false;
		rotate(t, now_ms); /* what came between the read and the rename is read with the next call */
	}
	return open_current(t, NULL) && read_file(t, &t->current, &budget);
}

/* ---- asking ---- */

size_t tail_positions(const struct tail *t, struct tail_position ret[2])
{
	size_t n = 0;
	if (t->current.fd >= 0)
		ret[n++] = t->current.at;
	if (t->renamed.fd >= 0)
		ret[n++] = t->renamed.at;
	return n;
}

const char *tail_path(const struct tail *t)
{
	return t->path;
}
uint64_t tail_generation(const struct tail *t)
{
	return t->generation;
}

bool tail_reads(const struct tail *t, uint64_t device, uint64_t inode)
{
	return (t->current.fd >= 0 && t->current.at.inode == inode && t->current.at.device == device) ||
	       (t->renamed.fd >= 0 && t->renamed.at.inode == inode && t->renamed.at.device == device);
}
