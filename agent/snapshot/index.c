/* The chunk index in LMDB. */
#include "agent/snapshot/index.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <lmdb.h>

#include "agent/snapshot/bytes.h"
#include "agent/snapshot/index_seal.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

/* Address space, not memory: 200 million chunks. */
static const size_t map_size = (size_t)16 << 30;
enum { READERS = 64, PLACE_SIZE = 24, PACK_VALUE_SIZE = PACK_ID_SIZE + 20, FULL_BYTES = 1 << 20 };

struct index {
	char folder[PATH_LIMIT];
	const struct keys *keys;
	MDB_env *env;
	MDB_dbi chunks, packs;
	int guard_fd;
	pthread_mutex_t mutex; /* of writers; LMDB's own would do, but the seal must follow the commit */
	bool broken;
	void *map; /* LMDB's, to let its pages go; NULL: not known */
	size_t mapped;
};

static enum err_code path_of(const char *folder, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	if (!text_format(out, PATH_LIMIT, "%s/%s", folder, name))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	return ERR_OK;
}

static enum err_code lmdb_failed(const struct index *x, int code, const char *what, struct err *reterr)
{
	struct statvfs fs;
	/* A full disk shows as EIO. */
	bool full = code == ENOSPC || code == MDB_MAP_FULL ||
		    (code == EIO && !statvfs(x->folder, &fs) && fs.f_bavail * fs.f_frsize < FULL_BYTES);
	if (full)
		return err_set(reterr, ERR_FULL, "%s: no room left for the index; free some or prune", x->folder);
	if (code > 0)
		return err_sys(reterr, code, "%s: %s", x->folder, what);
	return err_set(reterr,
	    code == MDB_CORRUPTED || code == MDB_INVALID || code == MDB_PAGE_NOTFOUND ? ERR_CORRUPT : ERR_IO,
	    "%s: %s: %s", x->folder, what, mdb_strerror(code));
}

/* ---- opening ---- */

void index_close(struct index *x)
{
	if (!x)
		return;
	if (x->env)
		mdb_env_close(x->env);
	if (x->guard_fd >= 0)
		close(x->guard_fd);
	pthread_mutex_destroy(&x->mutex);
	free(x);
}

static enum err_code guard_take(struct index *x, struct err *reterr)
{
	while (flock(x->guard_fd, LOCK_EX))
		if (errno != EINTR)
			return err_sys(reterr, errno, "%s/guard", x->folder);
	return ERR_OK;
}

static void guard_give(struct index *x)
{
	(void)flock(x->guard_fd, LOCK_UN);
}

static int open_env(struct index *x)
{
	MDB_txn *txn;
	int rc = mdb_env_create(&x->env);
	if (!rc)
		rc = mdb_env_set_maxdbs(x->env, 2);
	if (!rc)
		rc = mdb_env_set_mapsize(x->env, map_size);
	if (!rc)
		rc = mdb_env_set_maxreaders(x->env, READERS);
	if (!rc)
		rc = mdb_env_open(x->env, x->folder, MDB_NOTLS, 0600);
	if (rc)
		return rc;
	int dead;
	(void)mdb_reader_check(x->env, &dead);
	rc = mdb_txn_begin(x->env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, "chunks", MDB_CREATE, &x->chunks);
	if (!rc)
		rc = mdb_dbi_open(txn, "packs", MDB_CREATE, &x->packs);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn); /* writes only when it made something */
}

/* LMDB does not tell where its map lies.  Without /proc the pages stay, which is only a matter of memory. */
static void find_map(struct index *x)
{
	struct stat st;
	int fd;
	char line[PATH_LIMIT + 128];
	CLEANUP(cleanup_file) FILE *maps = fopen("/proc/self/maps", "re");
	if (!maps || mdb_env_get_fd(x->env, &fd) || fstat(fd, &st))
		return;
	while (!x->map && fgets(line, sizeof line, maps)) {
		unsigned long from, to, inode;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3 && inode == st.st_ino &&
		    strstr(line, "/data.mdb")) {
			x->map = (void *)from;
			x->mapped = to - from;
		}
	}
}

/* What is mapped shared and unchanged stays in the kernel's cache. */
static void rest(const struct index *x)
{
	if (x->map)
		(void)madvise(x->map, x->mapped, MADV_DONTNEED);
}

static enum err_code open_checked(struct index *x, struct err *reterr)
{
	char data[PATH_LIMIT];
	enum err_code rc = path_of(x->folder, "data.mdb", data, reterr);
	if (rc)
		return rc;
	bool fresh = !file_exists(data);
	if (!fresh)
		rc = index_seal_check(x->folder, x->keys, reterr);
	if (rc)
		return rc;
	int code = open_env(x);
	if (code)
		return lmdb_failed(x, code, "open", reterr);
	find_map(x);
	return fresh ? index_seal_write(x->folder, x->keys, reterr) : ERR_OK;
}

enum err_code index_open(const char *folder, const struct keys *k, struct index **ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	CLEANUP(index_cleanup) struct index *x = calloc(1, sizeof *x);
	if (!x)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	x->guard_fd = -1;
	x->keys = k;
	pthread_mutex_init(&x->mutex, NULL);
	text_copy(x->folder, sizeof x->folder, folder);
	enum err_code rc = path_of(folder, "guard", path, reterr);
	if (rc)
		return rc;
	x->guard_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (x->guard_fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	rc = guard_take(x, reterr);
	if (rc)
		return rc;
	rc = open_checked(x, reterr);
	guard_give(x);
	if (rc)
		return rc;
	*ret = TAKE_PTR(x);
	return ERR_OK;
}

enum err_code index_reset(const char *folder, struct err *reterr)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "seal"};
	char path[PATH_LIMIT];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		enum err_code rc = path_of(folder, names[i], path, reterr);
		if (rc)
			return rc;
		if (unlink(path) && errno != ENOENT)
			return err_sys(reterr, errno, "remove %s", path);
	}
	return ERR_OK;
}

/* ---- reading ---- */

struct index_reader {
	struct index *x;
	MDB_txn *txn;
	unsigned finds; /* since its pages were let go */
};

enum err_code index_reader_new(struct index *x, struct index_reader **ret, struct err *reterr)
{
	CLEANUP(index_reader_cleanup) struct index_reader *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	r->x = x;
	int code = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &r->txn);
	if (code)
		return lmdb_failed(x, code, "read", reterr);
	*ret = TAKE_PTR(r);
	return ERR_OK;
}

bool index_reader_renew(struct index_reader *r)
{
	mdb_txn_reset(r->txn);
	return !mdb_txn_renew(r->txn);
}

void index_reader_free(struct index_reader *r)
{
	if (!r)
		return;
	if (r->txn)
		mdb_txn_abort(r->txn);
	free(r);
}

static MDB_val id_key(const struct chunk_id *id)
{
	return (MDB_val){CHUNK_ID_SIZE, (void *)id->b};
}

static struct place place_get(const uint8_t *p)
{
	return (struct place){get32(p), get32(p + 4), get32(p + 8), get32(p + 12), get32(p + 16), get32(p + 20)};
}

static bool place_sane(const struct place *p)
{
	return p->raw_size <= SEGMENT_RAW_MAX && p->size > 0 && p->at <= p->raw_size && p->size <= p->raw_size - p->at;
}

bool index_find(struct index_reader *r, const struct chunk_id *id, struct place *ret)
{
	MDB_val key = id_key(id), value;
	if (++r->finds == INDEX_REST_FINDS) {
		r->finds = 0;
		if (index_chunk_count(r) > INDEX_SLICE)
			rest(r->x);
	}
	if (mdb_get(r->txn, r->x->chunks, &key, &value) || value.mv_size != PLACE_SIZE)
		return false;
	struct place p = place_get(value.mv_data);
	if (!place_sane(&p))
		return false;
	*ret = p;
	return true;
}

static void number_key(uint32_t number, uint8_t out[4])
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint32_t key_number(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct index_pack pack_get(uint32_t number, const uint8_t *p)
{
	struct index_pack v = {.number = number};
	memcpy(v.id.b, p, PACK_ID_SIZE);
	v.size = get64(p + PACK_ID_SIZE);
	v.doomed_ms = get64(p + PACK_ID_SIZE + 8);
	v.chunks = get32(p + PACK_ID_SIZE + 16);
	return v;
}

static int pack_put(MDB_txn *txn, MDB_dbi dbi, const struct index_pack *v)
{
	uint8_t key[4], value[PACK_VALUE_SIZE];
	number_key(v->number, key);
	memcpy(value, v->id.b, PACK_ID_SIZE);
	put64(value + PACK_ID_SIZE, v->size);
	put64(value + PACK_ID_SIZE + 8, v->doomed_ms);
	put32(value + PACK_ID_SIZE + 16, v->chunks);
	return mdb_put(txn, dbi, &(MDB_val){sizeof key, key}, &(MDB_val){sizeof value, value}, 0);
}

bool index_find_pack(struct index_reader *r, uint32_t number, struct index_pack *ret)
{
	uint8_t bytes[4];
	number_key(number, bytes);
	MDB_val key = {sizeof bytes, bytes}, value;
	if (mdb_get(r->txn, r->x->packs, &key, &value) || value.mv_size != PACK_VALUE_SIZE)
		return false;
	*ret = pack_get(number, value.mv_data);
	return true;
}

enum err_code index_packs(struct index_reader *r, struct index_pack **ret, size_t *ret_count, struct err *reterr)
{
	MDB_stat stat;
	MDB_cursor *cursor;
	int code = mdb_stat(r->txn, r->x->packs, &stat);
	if (!code)
		code = mdb_cursor_open(r->txn, r->x->packs, &cursor);
	if (code)
		return lmdb_failed(r->x, code, "read packs", reterr);
	CLEANUP(cleanup_free) struct index_pack *packs = calloc(stat.ms_entries + 1, sizeof *packs);
	size_t count = 0;
	bool strange = false;
	MDB_val key, value;
	while (packs && !strange && !(code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		strange = key.mv_size != 4 || value.mv_size != PACK_VALUE_SIZE || count == stat.ms_entries;
		if (!strange)
			packs[count++] = pack_get(key_number(key.mv_data), value.mv_data);
	}
	mdb_cursor_close(cursor);
	if (!packs)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	/* A list that is cut short would make the packs it lacks look like nobody's, and prune removes those. */
	if (!strange && code != MDB_NOTFOUND)
		return lmdb_failed(r->x, code, "read packs", reterr);
	if (strange || count != stat.ms_entries)
		return err_set(reterr, ERR_CORRUPT,
		    "%s: the list of packs is damaged; run `kedge-agent repo rebuild-index`", r->x->folder);
	*ret = TAKE_PTR(packs);
	*ret_count = count;
	return ERR_OK;
}

uint64_t index_chunk_count(struct index_reader *r)
{
	MDB_stat stat;
	return mdb_stat(r->txn, r->x->chunks, &stat) ? 0 : stat.ms_entries;
}

enum err_code index_each(struct index_reader *r, index_visit_fn *visit, void *ctx, struct err *reterr)
{
	MDB_cursor *cursor;
	int code = mdb_cursor_open(r->txn, r->x->chunks, &cursor);
	if (code)
		return lmdb_failed(r->x, code, "read chunks", reterr);
	MDB_val key, value;
	while (!(code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		struct chunk_id id;
		if (key.mv_size != CHUNK_ID_SIZE || value.mv_size != PLACE_SIZE)
			continue;
		memcpy(id.b, key.mv_data, CHUNK_ID_SIZE);
		struct place place = place_get(value.mv_data);
		if (!visit(ctx, &id, &place))
			break;
	}
	mdb_cursor_close(cursor);
	return code && code != MDB_NOTFOUND ? lmdb_failed(r->x, code, "read chunks", reterr) : ERR_OK;
}

/* ---- writing ---- */

typedef int change_fn(struct index *x, MDB_txn *txn, void *ctx);

/* Another process may have found the file damaged and made it anew; what we hold is then nobody's any more. */
static enum err_code check_same_file(const struct index *x, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct stat ours, there;
	int fd;
	enum err_code rc = path_of(x->folder, "data.mdb", path, reterr);
	if (rc)
		return rc;
	if (mdb_env_get_fd(x->env, &fd) || fstat(fd, &ours) || stat(path, &there) || ours.st_ino != there.st_ino ||
	    ours.st_dev != there.st_dev)
		return err_set(
		    reterr, ERR_STATE, "%s was made anew by another process; open the repository again", path);
	return ERR_OK;
}

static enum err_code commit_locked(struct index *x, change_fn *change, void *ctx, struct err *reterr)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(x->env, NULL, 0, &txn);
	if (code)
		return lmdb_failed(x, code, "write", reterr);
	code = change(x, txn, ctx);
	if (code) {
		mdb_txn_abort(txn);
		return lmdb_failed(x, code, "write", reterr);
	}
	code = mdb_txn_commit(txn);
	if (code) {
		/* What memory and disk hold may differ now. */
		x->broken = true;
		return lmdb_failed(x, code, "commit", reterr);
	}
	return ERR_OK;
}

/* Commit, then seal: a crash between the two leaves a file that is not trusted, and rebuilt. */
static enum err_code change_locked(struct index *x, change_fn *change, void *ctx, struct err *reterr)
{
	enum err_code rc = check_same_file(x, reterr);
	if (!rc)
		rc = commit_locked(x, change, ctx, reterr);
	return rc ? rc : index_seal_write(x->folder, x->keys, reterr);
}

/* Alone among threads and processes until end_change(). */
static enum err_code begin_change(struct index *x, struct err *reterr)
{
	pthread_mutex_lock(&x->mutex);
	enum err_code rc =
	    x->broken ? err_set(reterr, ERR_STATE, "%s: an earlier write failed; open the repository anew", x->folder)
		      : guard_take(x, reterr);
	if (rc)
		pthread_mutex_unlock(&x->mutex);
	return rc;
}

static void end_change(struct index *x)
{
	guard_give(x);
	pthread_mutex_unlock(&x->mutex);
}

static enum err_code change_index(struct index *x, change_fn *change, void *ctx, struct err *reterr)
{
	enum err_code rc = begin_change(x, reterr);
	if (rc)
		return rc;
	rc = change_locked(x, change, ctx, reterr);
	end_change(x);
	return rc;
}

struct placed {
	const struct chunk_id *id;
	struct place place;
};
struct adding {
	const struct index_addition *packs;
	size_t count;
	bool replace;
	struct placed *all;
	size_t total, next; /* next: put so far */
	unsigned slices;
	uint32_t first;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct placed *)a)->id->b, ((const struct placed *)b)->id->b, CHUNK_ID_SIZE);
}

static size_t place_all(const struct index_addition *a, uint32_t number, struct placed *out)
{
	size_t n = 0, chunk = 0;
	for (uint32_t i = 0; i < a->content.segment_count; i++) {
		const struct pack_segment *s = &a->content.segments[i];
		uint32_t at = 0;
		for (uint32_t j = 0; j < s->chunk_count; j++, chunk++) {
			uint32_t size = a->content.chunks[chunk].size;
			out[n++] = (struct placed){
			    &a->content.chunks[chunk].id, {number, s->offset, s->sealed_size, s->raw_size, at, size}};
			at += size;
		}
	}
	return n;
}

static int put_places(struct index *x, MDB_txn *txn, const struct placed *all, size_t total)
{
	if (!total)
		return 0;
	MDB_stat stat;
	MDB_cursor *cursor;
	int code = mdb_stat(txn, x->chunks, &stat);
	if (!code)
		code = mdb_cursor_open(txn, x->chunks, &cursor);
	if (code)
		return code;
	unsigned flags =
	    stat.ms_entries ? 0 : MDB_APPEND; /* into an empty table, in order: dense pages and no search */
	for (size_t i = 0; !code && i < total; i++) {
		if (i && !by_id(&all[i - 1], &all[i]))
			continue;
		uint8_t value[PLACE_SIZE];
		const struct place *p = &all[i].place;
		const uint32_t words[] = {p->pack, p->offset, p->sealed_size, p->raw_size, p->at, p->size};
		for (size_t w = 0; w < 6; w++)
			put32(value + 4 * w, words[w]);
		MDB_val key = id_key(all[i].id), v = {sizeof value, value};
		code = mdb_cursor_put(cursor, &key, &v, flags);
	}
	mdb_cursor_close(cursor);
	return code;
}

static int last_number(struct index *x, MDB_txn *txn, uint32_t *ret)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(txn, x->packs, &cursor);
	if (code)
		return code;
	code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	*ret = code || key.mv_size != 4 ? 0 : key_number(key.mv_data);
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

/* A change that is spread over the whole of a large index would hold all of its pages in memory: ids are uniformly
 * distributed, so equal shares of them in order touch equal shares of the pages. */
static int add_slice(struct index *x, MDB_txn *txn, void *ctx)
{
	struct adding *a = ctx;
	size_t share = a->total / a->slices + 1, n = a->total - a->next < share ? a->total - a->next : share;
	int code = put_places(x, txn, a->all + a->next, n);
	a->next += n;
	return code;
}

/* The packs, and the first slice of their chunks. */
static int add_first(struct index *x, MDB_txn *txn, void *ctx)
{
	struct adding *a = ctx;
	uint32_t number = 0;
	MDB_stat stat;
	int code = 0;
	if (a->replace) {
		code = mdb_drop(txn, x->chunks, 0);
		if (!code)
			code = mdb_drop(txn, x->packs, 0);
	}
	if (!code)
		code = last_number(x, txn, &number);
	if (!code)
		code = mdb_stat(txn, x->chunks, &stat);
	a->first = number + 1;
	size_t n = 0;
	for (size_t i = 0; !code && i < a->count; i++) {
		const struct index_addition *p = &a->packs[i];
		struct index_pack v = {++number, p->id, p->size, 0, p->content.chunk_count};
		n += place_all(p, number, a->all + n);
		code = pack_put(txn, x->packs, &v);
	}
	if (code)
		return code;
	qsort(a->all, n, sizeof *a->all, by_id);
	a->slices = (unsigned)(stat.ms_entries / INDEX_SLICE) + 1;
	return add_slice(x, txn, a);
}

/* Several commits, one seal.  A crash in between leaves a file that is not trusted. */
static enum err_code add_in_slices(struct index *x, struct adding *a, struct err *reterr)
{
	enum err_code rc = check_same_file(x, reterr);
	if (!rc)
		rc = commit_locked(x, add_first, a, reterr);
	if (rc)
		return rc;
	while (!rc && a->next < a->total) {
		rest(x);
		rc = commit_locked(x, add_slice, a, reterr);
	}
	/* Also what is known by half is known rightly: nothing refers to the rest yet. */
	enum err_code sealed = x->broken ? ERR_OK : index_seal_write(x->folder, x->keys, rc ? NULL : reterr);
	rest(x);
	return rc ? rc : sealed;
}

static enum err_code adding_new(
    const struct index_addition *packs, size_t count, bool replace, struct adding *ret, struct err *reterr)
{
	struct adding a = {.packs = packs, .count = count, .replace = replace};
	for (size_t i = 0; i < count; i++)
		a.total += packs[i].content.chunk_count;
	a.all = calloc(a.total + 1, sizeof *a.all);
	if (!a.all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret = a;
	return ERR_OK;
}

enum err_code index_add(
    struct index *x, const struct index_addition *packs, size_t count, uint32_t *ret_first, struct err *reterr)
{
	struct adding a;
	enum err_code rc = adding_new(packs, count, false, &a, reterr);
	if (rc)
		return rc;
	rc = begin_change(x, reterr);
	if (!rc) {
		rc = add_in_slices(x, &a, reterr);
		end_change(x);
	}
	free(a.all);
	if (!rc)
		*ret_first = a.first;
	return rc;
}

enum err_code index_replace(struct index *x, index_gather_fn *gather, void *ctx, struct err *reterr)
{
	const struct index_addition *packs;
	size_t count;
	struct adding a = {0};
	enum err_code rc = begin_change(x, reterr);
	if (rc)
		return rc;
	rc = gather(ctx, &packs, &count, reterr);
	if (!rc)
		rc = adding_new(packs, count, true, &a, reterr);
	if (!rc)
		rc = add_in_slices(x, &a, reterr);
	end_change(x);
	free(a.all);
	return rc;
}

struct chosen {
	const struct index_pack *packs;
	size_t count;
};

static int doom_all(struct index *x, MDB_txn *txn, void *ctx)
{
	const struct chosen *c = ctx;
	int code = 0;
	for (size_t i = 0; !code && i < c->count; i++)
		code = pack_put(txn, x->packs, &c->packs[i]);
	return code;
}

enum err_code index_doom(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr)
{
	return change_index(x, doom_all, &(struct chosen){packs, count}, reterr);
}

static bool is_chosen(const struct chosen *c, uint32_t number)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->packs[i].number == number)
			return true;
	return false;
}

static int remove_all(struct index *x, MDB_txn *txn, void *ctx)
{
	const struct chosen *c = ctx;
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(txn, x->chunks, &cursor);
	if (code)
		return code;
	while (!(code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		if (value.mv_size == PLACE_SIZE && is_chosen(c, get32(value.mv_data)) &&
		    (code = mdb_cursor_del(cursor, 0)))
			break;
	mdb_cursor_close(cursor);
	if (code != MDB_NOTFOUND)
		return code;
	code = 0;
	for (size_t i = 0; !code && i < c->count; i++) {
		uint8_t bytes[4];
		number_key(c->packs[i].number, bytes);
		code = mdb_del(txn, x->packs, &(MDB_val){sizeof bytes, bytes}, NULL);
	}
	return code == MDB_NOTFOUND ? 0 : code;
}

enum err_code index_remove(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr)
{
	return change_index(x, remove_all, &(struct chosen){packs, count}, reterr);
}
