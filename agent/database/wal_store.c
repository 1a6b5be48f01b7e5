/* Putting files of the log into the archive, and getting them out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/wal.h"
#include "agent/repository/io.h"
#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

enum { COMPARE_MAX = ENVELOPE_BLOCK };

static enum err_code path_of(const struct wal_area *a, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	struct wal_name n;
	if (!wal_name_parse(name, &n))
		return err_set(
		    reterr, ERR_INVALID, "\"%.80s\" is no name of a file of PostgreSQL's write-ahead log", name);
	if (!text_format(out, PATH_LIMIT, "%s/log/%s", a->path, name))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", a->path);
	return ERR_OK;
}

static enum err_code open_log(const struct wal_area *a, int *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof path, "%s/log", a->path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", a->path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "%s", path);
	*ret = fd;
	return ERR_OK;
}

/* ---- out ---- */

/* The key that sealed it is most likely the newest. */
static enum err_code with_key(const struct wal_area *a, int fd, const char *name, const struct envelope_key **ret,
    struct envelope_about *about, struct err *reterr)
{
	enum err_code rc = ERR_NOT_FOUND;
	for (size_t i = a->key_count; i-- && rc == ERR_NOT_FOUND;) {
		*ret = &a->keys[i];
		rc = envelope_head(fd, *ret, name, about, reterr);
	}
	return rc == ERR_NOT_FOUND ? err_prefix(reterr, ERR_CORRUPT, "%s", a->path) : rc;
}

static enum err_code open_sealed(const struct wal_area *a, const char *name, int *ret_fd,
    const struct envelope_key **ret_key, struct envelope_about *about, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = path_of(a, name, path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? err_set(reterr, ERR_NOT_FOUND, "%s is not in the archive", name)
				       : err_sys(reterr, errno, "%s", path);
	rc = with_key(a, fd, name, ret_key, about, reterr);
	if (rc == ERR_OK)
		*ret_fd = TAKE_FD(fd);
	return rc;
}

enum err_code wal_about(const struct wal_area *a, const char *name, struct envelope_about *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	const struct envelope_key *k;
	return open_sealed(a, name, &fd, &k, ret, reterr);
}

struct gathering {
	struct buf *out;
	size_t limit;
};

static enum err_code gather(void *ctx, uint64_t offset, const uint8_t *data, size_t size, struct err *reterr)
{
	struct gathering *g = ctx;
	if (offset + size > g->limit)
		return err_set(reterr, ERR_LIMIT, "it is larger than %zu bytes", g->limit);
	buf_append(g->out, data, size);
	return g->out->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

enum err_code wal_visit(const struct wal_area *a, const char *name, envelope_sink_fn *sink, void *ctx,
    struct envelope_about *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	const struct envelope_key *k;
	enum err_code rc = open_sealed(a, name, &fd, &k, ret, reterr);
	return rc == ERR_OK ? envelope_read(fd, k, name, sink, ctx, ret, reterr) : rc;
}

enum err_code wal_read(const struct wal_area *a, const char *name, size_t limit, struct buf *out,
    struct envelope_about *ret, struct err *reterr)
{
	struct gathering g = {out, limit};
	return wal_visit(a, name, gather, &g, ret, reterr);
}

static enum err_code beside(const char *path, char out[PATH_LIMIT], struct err *reterr)
{
	struct random random;
	random_init_system(&random);
	if (!text_format(out, PATH_LIMIT, "%s.kedge-%08x", path, (unsigned)random_u64(&random)))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", path);
	return ERR_OK;
}

enum err_code wal_fetch(const struct wal_area *a, const char *name, const char *path, struct err *reterr)
{
	CLEANUP(cleanup_fd) int in = -1;
	const struct envelope_key *k;
	struct envelope_about about;
	char temporary[PATH_LIMIT];
	enum err_code rc = open_sealed(a, name, &in, &k, &about, reterr);
	if (rc == ERR_OK)
		rc = beside(path, temporary, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return err_sys(reterr, errno, "%s", temporary);
	rc = envelope_extract(in, k, name, out, &about, reterr);
	if (rc == ERR_OK && rename(temporary, path) != 0)
		rc = err_sys(reterr, errno, "%s", path);
	if (rc != ERR_OK)
		(void)unlink(temporary);
	return rc;
}

/* ---- in ---- */

static enum err_code check_source(
    const struct wal_area *a, int fd, const struct stat *st, const char *name, struct err *reterr)
{
	struct wal_name n;
	uint8_t page[WAL_PAGE_HEAD];
	size_t got = 0;
	if (!S_ISREG(st->st_mode))
		return err_set(reterr, ERR_INVALID, "it is no regular file");
	if (!wal_name_parse(name, &n))
		return err_set(reterr, ERR_INVALID, "no name of a file of PostgreSQL's write-ahead log");
	if (n.kind == WAL_HISTORY || n.kind == WAL_BACKUP)
		return (st->st_size > 0 || n.kind == WAL_BACKUP) && st->st_size <= WAL_HISTORY_MAX
			   ? ERR_OK
			   : err_set(reterr, ERR_INVALID, "it is empty, or far too large");
	if (st->st_size != a->segment_bytes)
		return err_set(reterr, ERR_INVALID, "it has %lld bytes: segments of this cluster have %u",
		    (long long)st->st_size, a->segment_bytes);
	enum err_code rc = io_pread_full(fd, page, sizeof page, 0, &got, reterr);
	return rc == ERR_OK
		   ? wal_page_check(page, got, a->system, a->segment_bytes, wal_number(&n, a->segment_bytes), reterr)
		   : rc;
}

struct comparing {
	int fd;
	bool differs;
	uint8_t *room;
};

static enum err_code compare(void *ctx, uint64_t offset, const uint8_t *data, size_t size, struct err *reterr)
{
	struct comparing *c = ctx;
	size_t got = 0;
	enum err_code rc = io_pread_full(c->fd, c->room, size, offset, &got, reterr);
	c->differs |= rc == ERR_OK && (got != size || memcmp(c->room, data, size) != 0);
	return rc;
}

enum standing { STANDING_NONE, STANDING_SAME, STANDING_OTHER, STANDING_DAMAGED };

/* What stands there under this name, against what is to go there. */
static enum err_code look(const struct wal_area *a, const char *name, int source, const struct stat *st,
    enum standing *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	const struct envelope_key *k;
	struct envelope_about about;
	struct err why = ERR_INIT;
	*ret = STANDING_NONE;
	enum err_code rc = open_sealed(a, name, &fd, &k, &about, &why);
	if (rc == ERR_NOT_FOUND)
		return ERR_OK;
	struct comparing c = {.fd = source, .room = malloc(COMPARE_MAX)};
	if (!c.room)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK && about.raw_size != (uint64_t)st->st_size)
		c.differs = true;
	else if (rc == ERR_OK)
		rc = envelope_read(fd, k, name, compare, &c, &about, &why);
	free(c.room);
	if (rc == ERR_CORRUPT) {
		log_warn("wal", "%s: it is written anew", why.msg);
		*ret = STANDING_DAMAGED;
		return ERR_OK;
	}
	*ret = c.differs ? STANDING_OTHER : STANDING_SAME;
	return rc == ERR_OK ? ERR_OK : err_set(reterr, rc, "%s", why.msg);
}

static enum err_code write_temporary(const struct wal_area *a, int log, const char *temporary, const char *name,
    int source, const struct envelope_about *about, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = openat(log, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(reterr, errno, "%s/log/%s", a->path, temporary);
	enum err_code rc = envelope_write(fd, &a->keys[a->key_count - 1], name, source, about, reterr);
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(reterr, errno, "%s/log/%s cannot be synced", a->path, temporary);
	return rc;
}

/* Two that push the same at once: the second finds it there. */
static enum err_code put(const struct wal_area *a, int log, const char *name, int source, const struct stat *st,
    uint64_t now_ms, bool replace, bool *ret_lost, struct err *reterr)
{
	struct random random;
	char temporary[2 * WAL_NAME_MAX];
	struct envelope_about about = {.raw_size = (uint64_t)st->st_size,
	    .made_ms = now_ms,
	    .changed_ms = (uint64_t)st->st_mtim.tv_sec * 1000 + (uint64_t)st->st_mtim.tv_nsec / 1000000};
	random_init_system(&random);
	text_format(temporary, sizeof temporary, ".%s.%08x", name, (unsigned)random_u64(&random));
	enum err_code rc = write_temporary(a, log, temporary, name, source, &about, reterr);
	if (rc == ERR_OK && renameat2(log, temporary, log, name, replace ? 0 : RENAME_NOREPLACE) != 0) {
		*ret_lost = errno == EEXIST;
		if (errno != EEXIST)
			rc = err_sys(reterr, errno, "%s/log/%s", a->path, name);
	}
	if (rc != ERR_OK || *ret_lost)
		(void)unlinkat(log, temporary, 0);
	return rc;
}

/* Notes about a backup, for people: no recovery reads them, and the server does not sync them.  After a power cut one
 * is empty, or not what was archived before; were that refused, nothing would be archived any more. */
static bool is_note(const char *name)
{
	struct wal_name n;
	return wal_name_parse(name, &n) && n.kind == WAL_BACKUP;
}

static enum err_code push_open(
    const struct wal_area *a, int source, const char *name, uint64_t now_ms, bool *ret_already, struct err *reterr)
{
	CLEANUP(cleanup_fd) int log = -1;
	struct stat st;
	enum standing standing = STANDING_NONE;
	bool lost = false;
	if (fstat(source, &st) != 0)
		return err_sys(reterr, errno, "%s", name);
	enum err_code rc = check_source(a, source, &st, name, reterr);
	if (rc == ERR_OK)
		rc = open_log(a, &log, reterr);
	if (rc == ERR_OK)
		rc = look(a, name, source, &st, &standing, reterr);
	if (rc == ERR_OK && (standing == STANDING_NONE || standing == STANDING_DAMAGED))
		rc = put(a, log, name, source, &st, now_ms, standing == STANDING_DAMAGED, &lost, reterr);
	if (rc == ERR_OK && lost)
		rc = look(a, name, source, &st, &standing, reterr);
	if (rc != ERR_OK)
		return rc;
	if (standing == STANDING_OTHER && !is_note(name))
		return err_set(reterr, ERR_EXISTS,
		    "the archive holds another content under this name: two clusters write into one archive, or one "
		    "was brought back "
		    "without a new timeline; nothing was overwritten");
	/* Also when it was there already: whoever put it may have died before this. */
	if (fsync(log) != 0)
		return err_sys(reterr, errno, "%s/log cannot be synced", a->path);
	*ret_already = standing == STANDING_SAME || standing == STANDING_OTHER;
	return ERR_OK;
}

enum err_code wal_push(const struct wal_area *a, const char *path, const char *name, uint64_t now_ms, bool *ret_already,
    struct err *reterr)
{
	CLEANUP(cleanup_fd) int source = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (source < 0)
		return err_sys(reterr, errno, "%s", path);
	enum err_code rc = push_open(a, source, name, now_ms, ret_already, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "%.80s", name);
}
