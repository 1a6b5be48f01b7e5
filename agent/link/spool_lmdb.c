/* agent/link/spool_lmdb.c: the spool on disk: one unnamed LMDB database with default sync.
 *
 * A lock of our own keeps every other program out, so LMDB needs none (MDB_NOLOCK) and writes to no mapping.  Never
 * MDB_NOSYNC or MDB_NOMETASYNC: both lose what was committed.
 *
 * A full disk must not show in the middle of a commit: before one begins, the file has got the room that it may need,
 * and SPOOL_RESERVE_PAGES more, from which forgetting is paid on a full disk.  Should a commit fail all the same, then
 * memory and disk may differ (after a failed sync the next one "succeeds"), and only opening anew tells. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/link/spool_tree.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

struct lmdb {
	struct spool base;
	char folder[PATH_LIMIT];
	int lock_fd, data_fd; /* data_fd is LMDB's */
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader; /* reset between reads */
	uint64_t file_bytes, page_bytes;
	void *map; /* LMDB's, NULL if it was not found */
	size_t map_bytes;
	uint64_t forgotten_bytes; /* since the map was trimmed */
};

static struct lmdb *of(struct spool *s)
{
	return (struct lmdb *)s;
}

/* Before a commit: nothing has happened on disk. */
static enum err_code failed(const struct lmdb *l, int rc, const char *what, struct err *reterr)
{
	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC || rc == EDQUOT)
		return err_set(reterr, ERR_FULL, "%s: %s: no room", l->folder, what);
	if (rc == ENOMEM)
		return err_set(reterr, ERR_NOMEM, "%s: %s: out of memory", l->folder, what);
	if (rc == MDB_CORRUPTED || rc == MDB_INVALID || rc == MDB_PAGE_NOTFOUND || rc == MDB_VERSION_MISMATCH)
		return err_set(reterr, ERR_CORRUPT,
		    "%s: %s: %s.  Reports in it are lost: stop the agent, move the folder aside, start it again",
		    l->folder, what, mdb_strerror(rc));
	return rc > 0 ? err_sys(reterr, rc, "%s: %s", l->folder, what)
		      : err_set(reterr, ERR_INTERNAL, "%s: %s: %s", l->folder, what, mdb_strerror(rc));
}

/* ---- transactions ---- */

static enum err_code begin(struct lmdb *l, struct change *ret, struct err *reterr)
{
	*ret = (struct change){.dbi = l->dbi, .limit_bytes = l->base.limit_bytes, .state = l->base.state};
	int rc = mdb_txn_begin(l->env, NULL, 0, &ret->txn);
	return rc ? failed(l, rc, "begin", reterr) : ERR_OK;
}

/* rc is that of what was done so far. */
static enum err_code end(struct lmdb *l, struct change *c, int rc, const char *what, struct err *reterr)
{
	if (!rc)
		rc = tree_put_state(c);
	if (rc) {
		mdb_txn_abort(c->txn);
		return failed(l, rc, what, reterr);
	}
	rc = mdb_txn_commit(c->txn);
	if (rc)
		return err_set(reterr, ERR_IO, "%s: %s: commit: %s", l->folder, what, mdb_strerror(rc));
	l->base.state = c->state;
	return ERR_OK;
}

/* Pages inside the file that LMDB has to spare: each record of its table of free pages begins with their number. */
static int count_free(struct lmdb *l, uint64_t *ret)
{
	enum { FREE_DBI = 0 };
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return rc;
	rc = mdb_cursor_open(txn, FREE_DBI, &cursor);
	if (!rc) {
		for (*ret = 0; !(rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT));)
			*ret += v.mv_size < sizeof(size_t) ? 0 : *(const size_t *)v.mv_data;
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static enum err_code grow_file(struct lmdb *l, uint64_t want, struct err *reterr)
{
	uint64_t more = (want - l->file_bytes + SPOOL_GROW_BYTES - 1) / SPOOL_GROW_BYTES * SPOOL_GROW_BYTES;
	int rc = posix_fallocate(l->data_fd, (off_t)l->file_bytes, (off_t)more);
	if (rc == ENOSPC || rc == EDQUOT) {
		more = want - l->file_bytes;
		rc = posix_fallocate(l->data_fd, (off_t)l->file_bytes, (off_t)more);
	}
	if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
		return err_set(reterr, ERR_FULL, "%s: the disk is full; reports wait", l->folder);
	if (rc)
		return err_sys(reterr, rc, "%s: grow", l->folder);
	l->file_bytes += more;
	return ERR_OK;
}

/* There is room in the file for need bytes more, and for the reserve.  On a full disk, pages that are free inside the
 * file will do; not so for large reports, whose pages must be neighbours. */
static enum err_code ensure_room(struct lmdb *l, uint64_t need, bool large, struct err *reterr)
{
	MDB_envinfo info;
	uint64_t free_pages;
	mdb_env_info(l->env, &info);
	uint64_t used = ((uint64_t)info.me_last_pgno + 1) * l->page_bytes;
	uint64_t want = used + need + SPOOL_RESERVE_PAGES * l->page_bytes;
	if (l->file_bytes >= want)
		return ERR_OK;
	enum err_code rc = grow_file(l, want, reterr);
	if (rc != ERR_FULL || large)
		return rc;
	int code = count_free(l, &free_pages);
	if (code)
		return failed(l, code, "count free pages", reterr);
	return l->file_bytes + free_pages * l->page_bytes >= want ? ERR_OK : rc;
}

/* In transactions that each fit the reserve: a crash between them has dropped what would have been dropped anyway. */
static enum err_code relieve_all(struct lmdb *l, struct spool_entry *entries, size_t count, struct err *reterr)
{
	while (l->base.state.bytes + tree_cost(entries, count) > l->base.limit_bytes) {
		struct change c;
		bool more = true;
		enum err_code rc = begin(l, &c, reterr);
		if (rc != ERR_OK)
			return rc;
		int code = 0;
		for (int i = 0; !code && more && i < SPOOL_CHUNK; i++)
			code = tree_relieve(&c, entries, count, &more);
		rc = end(l, &c, code, "drop", reterr);
		if (rc != ERR_OK || !more)
			return rc;
	}
	return ERR_OK;
}

/* ---- the operations ---- */

static enum err_code lmdb_append(struct spool *s, struct spool_entry *entries, size_t count, const struct buf *frames,
    const struct spool_mark *mark, struct err *reterr)
{
	struct lmdb *l = of(s);
	struct change c;
	/* Each takes its pages and, at worst, splits one in both parts of the tree. */
	uint64_t need = tree_cost(entries, count) + (uint64_t)count * 3 * l->page_bytes;
	bool large = tree_any_large(entries, count);
	enum err_code rc = ensure_room(l, need, large, reterr);
	if (rc == ERR_OK)
		rc = relieve_all(l, entries, count, reterr);
	if (rc == ERR_OK)
		rc = ensure_room(l, need, large, reterr); /* dropping may have used some */
	if (rc == ERR_OK)
		rc = begin(l, &c, reterr);
	if (rc != ERR_OK)
		return rc;
	int code = 0;
	for (size_t i = 0; !code && i < count; i++)
		code = tree_put(&c, &entries[i], frames);
	if (mark)
		c.state.mark = *mark;
	return end(l, &c, code, "append", reterr);
}

static enum err_code lmdb_read(struct spool *s, uint64_t from, bool (*visit)(void *ctx, const struct spool_item *item),
    void *ctx, struct err *reterr)
{
	struct lmdb *l = of(s);
	MDB_cursor *cursor;
	int rc = l->reader ? mdb_txn_renew(l->reader) : mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->reader);
	if (rc)
		return failed(l, rc, "read", reterr);
	rc = mdb_cursor_open(l->reader, l->dbi, &cursor);
	if (!rc) {
		rc = tree_read(cursor, from, visit, ctx);
		mdb_cursor_close(cursor);
	}
	mdb_txn_reset(l->reader);
	return rc ? failed(l, rc, "read", reterr) : ERR_OK;
}

/* Pages of the map that were read count as ours until somebody says that they are not needed.  No transaction is open.
 */
static void trim_map(struct lmdb *l)
{
	if (!l->map || l->forgotten_bytes < SPOOL_TRIM_BYTES)
		return;
	(void)madvise(l->map, l->map_bytes, MADV_DONTNEED);
	l->forgotten_bytes = 0;
}

static enum err_code lmdb_acknowledge(struct spool *s, uint64_t through, struct err *reterr)
{
	struct lmdb *l = of(s);
	uint64_t before = s->state.bytes;
	while (s->state.first <= through) {
		struct change c;
		enum err_code rc = begin(l, &c, reterr);
		if (rc != ERR_OK)
			return rc;
		int code = 0;
		bool done = c.state.first >= c.state.next;
		for (int i = 0; !code && !done && i < SPOOL_CHUNK; i++)
			code = tree_forget(&c, through, &done);
		if (done && c.state.next <= through)
			c.state.first = c.state.next = through + 1;
		rc = end(l, &c, code, "forget", reterr);
		if (rc != ERR_OK)
			return rc;
	}
	l->forgotten_bytes += before - s->state.bytes;
	trim_map(l);
	return ERR_OK;
}

/* ---- open and close ---- */

static void lmdb_close(struct spool *s)
{
	struct lmdb *l = of(s);
	if (l->reader)
		mdb_txn_abort(l->reader);
	if (l->env)
		mdb_env_close(l->env);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	free(l);
}

static const struct spool_ops lmdb_ops = {
    .append = lmdb_append,
    .read = lmdb_read,
    .acknowledge = lmdb_acknowledge,
    .close = lmdb_close,
};

static int load(struct lmdb *l)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &l->dbi); /* the unnamed one is always there */
	if (!rc)
		rc = tree_load(txn, l->dbi, &l->base.state);
	int ended = mdb_txn_commit(txn);
	return rc ? rc : ended;
}

/* LMDB does not tell where its map is. */
static void find_map(struct lmdb *l, const struct stat *st)
{
	CLEANUP(cleanup_file) FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_LIMIT + 128];
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long from, to, inode;
		unsigned high, low;
		char flags[8];
		if (sscanf(line, "%lx-%lx %7s %*x %x:%x %lu", &from, &to, flags, &high, &low, &inode) == 6 &&
		    flags[3] == 's' && inode == st->st_ino && makedev(high, low) == st->st_dev) {
			l->map = (void *)from;
			l->map_bytes = to - from;
		}
	}
}

static int env_open(struct lmdb *l)
{
	struct stat st;
	MDB_stat stat;
	/* Address space only.  Half-empty pages and rounding make a file of at most three times what counts. */
	size_t map_bytes = 4 * (size_t)l->base.limit_bytes + ((size_t)64 << 20);
	int rc = mdb_env_create(&l->env);
	if (!rc)
		rc = mdb_env_set_mapsize(l->env, map_bytes);
	if (!rc)
		rc = mdb_env_open(l->env, l->folder, MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD, 0600);
	if (!rc)
		rc = mdb_env_get_fd(l->env, &l->data_fd);
	if (!rc)
		rc = mdb_env_stat(l->env, &stat);
	if (!rc && fstat(l->data_fd, &st) != 0)
		rc = errno;
	if (rc)
		return rc;
	l->file_bytes = (uint64_t)st.st_size;
	l->page_bytes = stat.ms_psize;
	find_map(l, &st);
	return load(l);
}

static enum err_code open_locked(struct lmdb *l, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof(path), "%s/spool.lock", l->folder))
		return err_set(reterr, ERR_INVALID, "%s: the path is too long", l->folder);
	enum err_code rc = file_make_dirs(l->folder, 0700, reterr);
	if (rc == ERR_OK)
		rc = file_lock(path, &l->lock_fd, reterr);
	if (rc != ERR_OK)
		return rc;
	int code = env_open(l);
	if (code)
		return failed(l, code, "open", reterr);
	rc = ensure_room(l, 0, false, reterr);
	return rc == ERR_FULL ? ERR_OK : rc; /* what is there can be sent, and little by little forgotten */
}

enum err_code spool_open(const char *folder, uint64_t limit_bytes, struct spool **ret, struct err *reterr)
{
	if (limit_bytes < SPOOL_LIMIT_LEAST_BYTES || limit_bytes > SPOOL_LIMIT_MAX_BYTES)
		return err_set(reterr, ERR_LIMIT, "the spool's limit is %llu bytes; it must be 1 MiB to 16 GiB",
		    (unsigned long long)limit_bytes);
	struct lmdb *l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(reterr, ERR_NOMEM, "out of memory for a spool");
	l->base.ops = &lmdb_ops;
	l->base.limit_bytes = limit_bytes;
	l->lock_fd = -1;
	text_copy(l->folder, sizeof(l->folder), folder);
	enum err_code rc = open_locked(l, reterr);
	if (rc != ERR_OK) {
		lmdb_close(&l->base);
		return err_prefix(reterr, rc, "spool");
	}
	*ret = &l->base;
	return ERR_OK;
}
