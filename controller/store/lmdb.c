/* The LMDB store: one unnamed database, default sync.  Never MDB_NOSYNC, MDB_NOMETASYNC (both lose acknowledged
 * commits), MDB_WRITEMAP (a full disk is SIGBUS), MDB_DUPSORT or nested transactions (defects of 0.9.24).
 *
 * The map may only be resized while no transaction is open in this process, so views are counted: growing shuts the
 * door, waits for the last view to close, resizes.  It is done early (from three quarters) whenever nobody reads, so
 * that a full map is rare. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "controller/store/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

struct lmdb_view;
struct lmdb {
	struct store base;
	char *folder;
	int lock_fd;
	MDB_env *env;
	MDB_dbi dbi;
	uint64_t (*mono_ms)(void);
	pthread_mutex_t lock; /* views, growing, counters */
	pthread_cond_t quiet; /* the last view closed, or growing ended */
	struct lmdb_view *views;
	uint32_t view_count, dead_readers, grown;
	bool growing;
	size_t map_bytes;
	uint64_t commits, writes;
	struct space space;
};
struct lmdb_view {
	struct store_view base;
	struct lmdb_view *next, **prev_next;
	MDB_txn *txn;
	MDB_cursor *cursor;
	char who[STORE_WHO_MAX];
	uint64_t opened_ms;
	bool warned;
	atomic_bool ended; /* too old: every call answers ERR_TIMEOUT */
};

static bool disk_is_full(const char *folder)
{
	struct statvfs fs;
	return statvfs(folder, &fs) == 0 && fs.f_bavail * fs.f_frsize < 1 << 20;
}

/* A full disk shows as ENOSPC, or (a short write) as EIO. */
static enum err_code lmdb_err(struct err *reterr, const char *folder, int rc, const char *what)
{
	if (rc == ENOSPC || rc == EDQUOT || (rc == EIO && disk_is_full(folder)))
		return err_set(reterr, ERR_FULL,
		    "%s: %s: the disk is full.  What was acknowledged is there; free some space and start again",
		    folder, what);
	if (rc == MDB_READERS_FULL)
		return err_set(reterr, ERR_BUSY, "%s: %s: too many readers at once; try again", folder, what);
	if (rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_VERSION_MISMATCH)
		return err_set(reterr, ERR_CORRUPT,
		    "%s: %s: %s.  Move the folder aside and restore a backup (kedge-controller restore)", folder, what,
		    mdb_strerror(rc));
	if (rc > 0)
		return err_sys(reterr, rc, "%s: %s", folder, what);
	return err_set(reterr, ERR_INTERNAL, "%s: %s: %s", folder, what, mdb_strerror(rc));
}

static struct lmdb *of(struct store *s)
{
	return (struct lmdb *)s;
}

/* ---- views ---- */

static enum err_code view_usable(const struct lmdb_view *v, struct err *reterr)
{
	if (!atomic_load(&v->ended))
		return ERR_OK;
	return err_set(reterr, ERR_TIMEOUT,
	    "reader %s is ended: open for too long (%d s), or in the way of the growing store; try again", v->who,
	    STORE_VIEW_LIMIT_MS / 1000);
}

static enum err_code view_get(void *ctx, struct bytes key, struct bytes *ret_value, bool *ret_found, struct err *reterr)
{
	struct lmdb_view *v = ctx;
	struct lmdb *l = of(v->base.store);
	enum err_code code = view_usable(v, reterr);
	if (code != ERR_OK)
		return code;
	MDB_val k = {key.size, (void *)(uintptr_t)key.data}, val;
	int rc = mdb_get(v->txn, l->dbi, &k, &val);
	if (rc && rc != MDB_NOTFOUND)
		return lmdb_err(reterr, l->folder, rc, "read");
	if (!rc)
		*ret_value = (struct bytes){val.mv_data, val.mv_size};
	*ret_found = !rc;
	return ERR_OK;
}

/* MDB_SET_RANGE goes to the first key at or after k; the two other ways are one step from there. */
static int cursor_seek(MDB_cursor *c, MDB_val *k, MDB_val *val, enum turn_seek how)
{
	MDB_val wanted = *k;
	int rc = wanted.mv_size ? mdb_cursor_get(c, k, val, MDB_SET_RANGE) : mdb_cursor_get(c, k, val, MDB_FIRST);
	if (how == SEEK_BEFORE)
		return mdb_cursor_get(c, k, val, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	if (rc || how == SEEK_AT_OR_AFTER)
		return rc;
	bool same = k->mv_size == wanted.mv_size && memcmp(k->mv_data, wanted.mv_data, wanted.mv_size) == 0;
	return same ? mdb_cursor_get(c, k, val, MDB_NEXT) : 0;
}

static enum err_code view_seek(void *ctx, struct bytes key, enum turn_seek how, struct bytes *ret_key,
    struct bytes *ret_value, bool *ret_found, struct err *reterr)
{
	struct lmdb_view *v = ctx;
	struct lmdb *l = of(v->base.store);
	enum err_code code = view_usable(v, reterr);
	if (code != ERR_OK)
		return code;
	int rc = v->cursor ? 0 : mdb_cursor_open(v->txn, l->dbi, &v->cursor);
	MDB_val k = {key.size, (void *)(uintptr_t)key.data}, val = {0};
	if (!rc)
		rc = cursor_seek(v->cursor, &k, &val, how);
	if (rc && rc != MDB_NOTFOUND)
		return lmdb_err(reterr, l->folder, rc, "read");
	if (!rc) {
		*ret_key = (struct bytes){k.mv_data, k.mv_size};
		*ret_value = (struct bytes){val.mv_data, val.mv_size};
	}
	*ret_found = !rc;
	return ERR_OK;
}

/* Counted before its transaction begins, so that the map is not resized under it. */
static void view_enter(struct lmdb *l, struct lmdb_view *v)
{
	pthread_mutex_lock(&l->lock);
	while (l->growing)
		pthread_cond_wait(&l->quiet, &l->lock);
	v->next = l->views;
	v->prev_next = &l->views;
	if (v->next)
		v->next->prev_next = &v->next;
	l->views = v;
	l->view_count++;
	pthread_mutex_unlock(&l->lock);
}

static void view_leave(struct lmdb *l, struct lmdb_view *v)
{
	pthread_mutex_lock(&l->lock);
	*v->prev_next = v->next;
	if (v->next)
		v->next->prev_next = v->prev_next;
	l->view_count--;
	pthread_cond_broadcast(&l->quiet);
	pthread_mutex_unlock(&l->lock);
	free(v);
}

static enum err_code lmdb_view_open(struct store *s, const char *who, struct store_view **ret, struct err *reterr)
{
	struct lmdb *l = of(s);
	struct lmdb_view *v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(reterr, ERR_NOMEM, "out of memory for a view");
	v->base = (struct store_view){.turn = {.ctx = v, .get = view_get, .seek = view_seek}, .store = s};
	v->opened_ms = l->mono_ms();
	strncpy(v->who, who, sizeof(v->who) - 1);
	view_enter(l, v);
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &v->txn);
	if (rc) {
		view_leave(l, v);
		return lmdb_err(reterr, l->folder, rc, "begin to read");
	}
	*ret = &v->base;
	return ERR_OK;
}

static void lmdb_view_close(struct store_view *base)
{
	struct lmdb_view *v = (struct lmdb_view *)base;
	if (v->cursor)
		mdb_cursor_close(v->cursor);
	mdb_txn_abort(v->txn);
	view_leave(of(base->store), v);
}

/* ---- the map ---- */

static uint64_t used_bytes(struct lmdb *l)
{
	MDB_envinfo info;
	MDB_stat stat;
	mdb_env_info(l->env, &info);
	mdb_env_stat(l->env, &stat);
	return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

/* Wait (at most wait_ms) until no view is open, then double the map.  The committing thread only, outside a
 * transaction. */
static enum err_code grow(struct lmdb *l, int wait_ms, struct err *reterr)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	pthread_mutex_lock(&l->lock);
	l->growing = true;
	for (struct lmdb_view *v = l->views; wait_ms && v; v = v->next)
		atomic_store(&v->ended, strcmp(v->who, "backup") != 0);
	int waited = 0;
	while (l->view_count && wait_ms && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&l->quiet, &l->lock, &until);
	enum err_code code = ERR_OK;
	if (l->view_count) {
		code = err_set(reterr, ERR_FULL, "%s: the store's map is full and reader %s does not end", l->folder,
		    l->views->who);
	} else if (l->map_bytes >= STORE_MAP_MAX_BYTES) {
		code = err_set(reterr, ERR_FULL, "%s: the store has reached its limit of %zu GiB", l->folder,
		    STORE_MAP_MAX_BYTES >> 30);
	} else {
		int rc = mdb_env_set_mapsize(l->env, 2 * l->map_bytes);
		if (rc)
			code = lmdb_err(reterr, l->folder, rc, "grow the map");
		else
			l->map_bytes *= 2;
	}
	l->grown += code == ERR_OK;
	l->growing = false;
	pthread_cond_broadcast(&l->quiet);
	pthread_mutex_unlock(&l->lock);
	return code;
}

/* ---- commit ---- */

static int write_all(struct lmdb *l, const struct turn_write *writes, size_t count)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < count; i++) {
		const struct turn_write *w = &writes[i];
		MDB_val k = {w->key.size, (void *)(uintptr_t)w->key.data};
		MDB_val v = {w->value.size, (void *)(uintptr_t)w->value.data};
		rc = w->deleted ? mdb_del(txn, l->dbi, &k, NULL) : mdb_put(txn, l->dbi, &k, &v, 0);
		if (w->deleted && rc == MDB_NOTFOUND)
			rc = 0;
	}
	if (!rc)
		return mdb_txn_commit(txn); /* ends the transaction either way */
	mdb_txn_abort(txn);
	return rc;
}

static enum err_code lmdb_commit(struct store *s, const struct turn_write *writes, size_t count, struct err *reterr)
{
	struct lmdb *l = of(s);
	int rc;
	while ((rc = write_all(l, writes, count)) == MDB_MAP_FULL) { /* ends at STORE_MAP_MAX_BYTES */
		enum err_code code = grow(l, STORE_GROW_WAIT_MS, reterr);
		if (code != ERR_OK)
			return code;
	}
	if (rc)
		return lmdb_err(reterr, l->folder, rc, "commit");
	pthread_mutex_lock(&l->lock);
	l->commits++;
	l->writes += count;
	bool early = !l->view_count && used_bytes(l) > l->map_bytes / 4 * 3;
	pthread_mutex_unlock(&l->lock);
	if (early)
		(void)!grow(l, 0, NULL); /* if not now, then when it is full */
	return ERR_OK;
}

/* ---- watching ---- */

static void watch_views(struct lmdb *l, struct store_stats *ret)
{
	uint64_t now = l->mono_ms();
	for (struct lmdb_view *v = l->views; v; v = v->next) {
		uint64_t age = now > v->opened_ms ? now - v->opened_ms : 0;
		if (age > ret->oldest_view_ms)
			ret->oldest_view_ms = age;
		if (strcmp(v->who, "backup") == 0)
			continue; /* as long as the copy takes */
		if (age > STORE_VIEW_WARN_MS && !v->warned) {
			log_warn("store", "reader %s has been open for %llu ms: it keeps pages from being used again",
			    v->who, (unsigned long long)age);
			v->warned = true;
		}
		if (age > STORE_VIEW_LIMIT_MS)
			atomic_store(&v->ended, true);
	}
}

static void lmdb_check(struct store *s, struct store_stats *ret)
{
	struct lmdb *l = of(s);
	*ret = (struct store_stats){0};
	pthread_mutex_lock(&l->lock);
	space_look(&l->space, l->folder);
	ret->disk_free_bytes = l->space.free_bytes;
	ret->low = l->space.low;
	int dead = 0;
	if (!mdb_reader_check(l->env, &dead) && dead > 0) {
		l->dead_readers += (uint32_t)dead;
		log_warn("store", "cleared %d readers of processes that are gone", dead);
	}
	watch_views(l, ret);
	ret->map_bytes = l->map_bytes;
	ret->used_bytes = used_bytes(l);
	ret->commits = l->commits;
	ret->writes = l->writes;
	ret->views = l->view_count;
	ret->dead_readers = l->dead_readers;
	ret->grown = l->grown;
	pthread_mutex_unlock(&l->lock);
}

/* ---- copies ---- */

static enum err_code lmdb_copy(struct store *s, int fd, struct err *reterr)
{
	struct lmdb *l = of(s);
	struct store_view *view; /* keeps the map where it is while the copy's own transaction reads */
	enum err_code code = lmdb_view_open(s, "backup", &view, reterr);
	if (code != ERR_OK)
		return code;
	int rc = mdb_env_copyfd2(l->env, fd, MDB_CP_COMPACT);
	lmdb_view_close(view);
	if (rc == ENOSPC || rc == EDQUOT)
		return err_set(reterr, ERR_FULL, "the disk of the backup is full");
	return rc ? lmdb_err(reterr, l->folder, rc, "copy") : ERR_OK;
}

enum err_code lmdb_copy_folder(const char *folder, int fd, struct err *reterr)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);
	if (rc)
		return lmdb_err(reterr, folder, rc, "prepare");
	rc = mdb_env_set_mapsize(env, STORE_MAP_FIRST_BYTES); /* the file's own size is used when that is larger */
	if (!rc)
		rc = mdb_env_open(env, folder, MDB_RDONLY | MDB_NOTLS, 0600);
	if (!rc)
		rc = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
	mdb_env_close(env);
	if (rc == ENOSPC || rc == EDQUOT)
		return err_set(reterr, ERR_FULL, "the disk of the backup is full");
	return rc ? lmdb_err(reterr, folder, rc, "copy") : ERR_OK;
}

/* ---- open and close ---- */

static void lmdb_close(struct store *s)
{
	struct lmdb *l = of(s);
	assert(!l->view_count);
	if (l->env)
		mdb_env_close(l->env);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	pthread_cond_destroy(&l->quiet);
	pthread_mutex_destroy(&l->lock);
	free(l->folder);
	free(l);
}

static const struct store_ops lmdb_ops = {
    .view_open = lmdb_view_open,
    .view_close = lmdb_view_close,
    .commit = lmdb_commit,
    .check = lmdb_check,
    .copy = lmdb_copy,
    .close = lmdb_close,
};

/* LMDB maps the lock file and writes into it: a hole that the disk has no room for would be a SIGBUS.  So it gets its
 * room first. */
static enum err_code lock_file_room(const char *folder, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!text_format(path, sizeof(path), "%s/lock.mdb", folder))
		return err_set(reterr, ERR_INVALID, "%s: the path is too long", folder);
	CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return lmdb_err(reterr, folder, errno, "make lock.mdb");
	int rc = posix_fallocate(fd, 0, STORE_LOCK_BYTES);
	return rc ? lmdb_err(reterr, folder, rc, "make room for lock.mdb") : ERR_OK;
}

/* LMDB 0.9.24 opens data.mdb (twice) without O_CLOEXEC, and tells only one of the two. */
static void close_on_exec(MDB_env *env)
{
	int fd;
	struct stat ours, st;
	CLEANUP(cleanup_dir) DIR *dir = opendir("/proc/self/fd");
	if (!dir || mdb_env_get_fd(env, &fd) != 0 || fstat(fd, &ours) != 0)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		fd = atoi(e->d_name);
		if (e->d_name[0] != '.' && fstat(fd, &st) == 0 && st.st_dev == ours.st_dev && st.st_ino == ours.st_ino)
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
}

static int env_open(struct lmdb *l, unsigned flags)
{
	int rc = mdb_env_create(&l->env);
	if (!rc)
		rc = mdb_env_set_maxreaders(l->env, STORE_READERS_MAX);
	if (!rc)
		rc = mdb_env_set_mapsize(l->env, l->map_bytes);
	if (!rc)
		rc = mdb_env_open(l->env, l->folder, MDB_NOTLS | flags, 0600);
	if (!rc)
		close_on_exec(l->env);
	int dead;
	if (!rc && !flags)
		rc = mdb_reader_check(l->env, &dead);
	MDB_txn *txn;
	if (!rc)
		rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &l->dbi); /* the unnamed one is always there */
	int committed = mdb_txn_commit(txn);
	MDB_envinfo info;
	mdb_env_info(l->env, &info);
	l->map_bytes = info.me_mapsize; /* larger than asked for when the file is */
	return rc ? rc : committed;
}

static struct lmdb *lmdb_new(const struct store_options *o)
{
	struct lmdb *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->quiet, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&l->lock, NULL);
	l->base.ops = &lmdb_ops;
	l->lock_fd = -1;
	l->mono_ms = o->mono_ms ? o->mono_ms : clock_mono_ms;
	l->map_bytes = o->map_bytes ? o->map_bytes : STORE_MAP_FIRST_BYTES;
	l->folder = strdup(o->folder);
	return l;
}

enum err_code store_open(const struct store_options *o, struct store **ret, struct err *reterr)
{
	struct lmdb *l = lmdb_new(o);
	if (!l || !l->folder) {
		if (l)
			lmdb_close(&l->base);
		return err_set(reterr, ERR_NOMEM, "out of memory for a store");
	}
	char path[PATH_LIMIT];
	enum err_code code = file_make_dirs(o->folder, 0700, reterr);
	if (code == ERR_OK && !text_format(path, sizeof(path), "%s/controller.lock", o->folder))
		code = err_set(reterr, ERR_INVALID, "%s: the path is too long", o->folder);
	if (code == ERR_OK)
		code = file_lock(path, &l->lock_fd, reterr);
	if (code == ERR_FULL)
		code = lmdb_err(reterr, l->folder, ENOSPC, "open the store");
	if (code == ERR_OK) {
		space_look(&l->space, o->folder); /* before anything is written: the reserve may be what it needs */
		code = lock_file_room(o->folder, reterr);
	}
	if (code == ERR_OK) {
		int rc = env_open(l, 0);
		if (rc)
			code = lmdb_err(reterr, l->folder, rc, "open the store");
	}
	if (code != ERR_OK) {
		lmdb_close(&l->base);
		return code;
	}
	assert(mdb_env_get_maxkeysize(l->env) >= TURN_KEY_MAX);
	*ret = &l->base;
	return ERR_OK;
}

enum err_code lmdb_open_still(const char *folder, struct store **ret, struct err *reterr)
{
	struct lmdb *l = lmdb_new(&(struct store_options){.folder = folder});
	if (!l || !l->folder) {
		if (l)
			lmdb_close(&l->base);
		return err_set(reterr, ERR_NOMEM, "out of memory for a store");
	}
	int rc = env_open(l, MDB_RDONLY | MDB_NOLOCK);
	if (rc) {
		enum err_code code = lmdb_err(reterr, folder, rc, "open");
		lmdb_close(&l->base);
		return code;
	}
	*ret = &l->base;
	return ERR_OK;
}
