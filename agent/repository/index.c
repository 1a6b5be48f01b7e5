/* The chunk index: opening it, and looking things up. */
#include "agent/repository/index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/repository/io.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

enum { LOAD_TRIES = 8 };

/* ---- states ---- */

void index_state_leave(struct index_state *s)
{
	if (!s || atomic_fetch_sub(&s->users, 1) > 1)
		return;
	for (size_t i = 0; s->runs && i < s->list.run_count; i++)
		run_leave(s->runs[i]);
	free(s->runs);
	index_list_done(&s->list);
	free(s);
}
CLEANUP_DEFINE(struct index_state, state_cleanup, index_state_leave)

struct index_state *index_state_now(struct index *x)
{
	pthread_mutex_lock(&x->mutex);
	struct index_state *s = x->now;
	atomic_fetch_add(&s->users, 1);
	pthread_mutex_unlock(&x->mutex);
	return s;
}

/* One that is open already, as most are. */
static struct run *open_already(const struct index_state *before, const struct run_about *about)
{
	for (size_t i = 0; before && i < before->list.run_count; i++)
		if (!memcmp(run_of(before->runs[i]), about, sizeof *about))
			return run_share(before->runs[i]);
	return NULL;
}

/* ERR_NOT_FOUND: no list; or a run is gone, because another process has just replaced the list. */
static enum err_code state_load(
    const struct index *x, const struct index_state *before, struct index_state **ret, struct err *reterr)
{
	CLEANUP(state_cleanup) struct index_state *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	atomic_init(&s->users, 1);
	enum err_code rc = index_list_read(x->folder, x->keys, &s->list, reterr);
	if (rc)
		return rc;
	s->runs = calloc(s->list.run_count + 1, sizeof(struct run *));
	if (!s->runs)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < s->list.run_count && !rc; i++) {
		s->runs[i] = open_already(before, &s->list.runs[i]);
		if (!s->runs[i])
			rc = run_open(x->folder_fd, x->keys, &s->list.runs[i], &s->runs[i], reterr);
	}
	if (rc)
		return rc;
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

bool index_stamp(const struct index *x, uint8_t stamp[INDEX_STAMP_SIZE])
{
	size_t got = 0;
	CLEANUP(cleanup_fd) int fd = openat(x->folder_fd, "list", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	memset(stamp, 0, INDEX_STAMP_SIZE);
	return fd >= 0 && !io_pread_full(fd, stamp, INDEX_STAMP_SIZE, 0, &got, NULL);
}

static enum err_code made_anew(const struct index *x, struct err *reterr)
{
	return err_set(reterr, ERR_STATE, "%s was made anew by another process; open the repository again", x->folder);
}

enum err_code index_refresh(struct index *x, struct err *reterr)
{
	enum err_code rc = ERR_NOT_FOUND;
	uint8_t stamp[INDEX_STAMP_SIZE];
	CLEANUP(state_cleanup) struct index_state *next = NULL;
	CLEANUP(state_cleanup) struct index_state *before = index_state_now(x);
	for (int tries = 0; rc == ERR_NOT_FOUND && tries < LOAD_TRIES; tries++) {
		if (!index_stamp(x, stamp))
			return made_anew(x, reterr);
		pthread_mutex_lock(&x->mutex);
		bool same = !memcmp(stamp, x->stamp, sizeof stamp);
		pthread_mutex_unlock(&x->mutex);
		if (same)
			return ERR_OK;
		rc = state_load(x, before, &next, reterr);
	}
	if (rc == ERR_NOT_FOUND)
		return ERR_CORRUPT;
	if (rc)
		return rc;
	if (next->list.epoch != before->list.epoch)
		return made_anew(x, reterr);
	pthread_mutex_lock(&x->mutex);
	if (x->now->list.generation <= next->list.generation) {
		struct index_state *old = x->now;
		x->now = next;
		next = old; /* left on return */
		memcpy(x->stamp, stamp, sizeof stamp);
	}
	pthread_mutex_unlock(&x->mutex);
	return ERR_OK;
}

/* ---- opening ---- */

void index_close(struct index *x)
{
	if (!x)
		return;
	index_state_leave(x->now);
	if (x->folder_fd >= 0)
		close(x->folder_fd);
	if (x->guard_fd >= 0)
		close(x->guard_fd);
	pthread_mutex_destroy(&x->writers);
	pthread_mutex_destroy(&x->mutex);
	free(x);
}

enum err_code index_guard_take(struct index *x, struct err *reterr)
{
	while (flock(x->guard_fd, LOCK_EX))
		if (errno != EINTR)
			return err_sys(reterr, errno, "%s/guard", x->folder);
	return ERR_OK;
}

void index_guard_give(struct index *x)
{
	(void)flock(x->guard_fd, LOCK_UN);
}

static bool is_listed(const struct index_state *s, const char *name)
{
	char listed[RUN_NAME_MAX];
	for (size_t i = 0; s && i < s->list.run_count; i++)
		if (text_equal(name, run_name(s->list.runs[i].id, listed)))
			return true;
	return false;
}

/* What a crash left, and what an older version kept here.  With the guard, so that nobody is in the midst of it. */
static void sweep(int folder_fd, const struct index_state *s)
{
	static const char *const old[] = {"data.mdb", "lock.mdb", "seal", "seal.tmp"};
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));)
		if ((text_ends(e->d_name, ".run") && !is_listed(s, e->d_name)) || text_starts(e->d_name, ".list."))
			(void)unlinkat(folder_fd, e->d_name, 0);
	for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
		(void)unlinkat(folder_fd, old[i], 0);
}

/* An empty one. */
static enum err_code make(struct index *x, struct err *reterr)
{
	struct random random;
	struct index_list empty = {.generation = 1, .next_number = 1};
	random_init_system(&random);
	random_fill(&random, &empty.epoch, sizeof empty.epoch);
	return index_list_write(x->folder, x->keys, &empty, reterr);
}

static enum err_code open_checked(struct index *x, struct err *reterr)
{
	struct stat st;
	enum err_code rc = ERR_OK;
	if (fstatat(x->folder_fd, "list", &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
		rc = make(x, reterr);
	(void)index_stamp(x, x->stamp);
	if (!rc)
		rc = state_load(x, NULL, &x->now, reterr);
	if (rc)
		return rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
	sweep(x->folder_fd, x->now);
	return ERR_OK;
}

enum err_code index_open(const char *folder, const struct keys *k, struct index **ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	CLEANUP(index_cleanup) struct index *x = calloc(1, sizeof *x);
	if (!x)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	x->guard_fd = x->folder_fd = -1;
	x->keys = k;
	pthread_mutex_init(&x->writers, NULL);
	pthread_mutex_init(&x->mutex, NULL);
	text_copy(x->folder, sizeof x->folder, folder);
	if (!text_format(path, sizeof path, "%s/guard", folder))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", folder);
	x->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->folder_fd < 0)
		return err_sys(reterr, errno, "open %s", folder);
	x->guard_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (x->guard_fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	enum err_code rc = index_guard_take(x, reterr);
	if (rc)
		return rc;
	rc = open_checked(x, reterr);
	index_guard_give(x);
	if (rc)
		return rc;
	*ret = TAKE_PTR(x);
	return ERR_OK;
}

enum err_code index_reset(const char *folder, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", folder);
	if (unlinkat(fd, "list", 0) && errno != ENOENT)
		return err_sys(reterr, errno, "remove %s/list", folder);
	sweep(fd, NULL);
	return ERR_OK;
}

uint64_t index_bytes(struct index *x)
{
	struct index_state *s = index_state_now(x);
	uint64_t bytes = s->list.pack_count * sizeof(struct index_pack);
	for (size_t i = 0; i < s->list.run_count; i++)
		bytes += s->list.runs[i].count * RUN_ENTRY_SIZE;
	index_state_leave(s);
	return bytes;
}

/* ---- reading ---- */

struct index_reader {
	struct index *x;
	struct index_state *s;
	bool failed;
	struct err err; /* of the first look-up that failed */
};

enum err_code index_reader_new(struct index *x, struct index_reader **ret, struct err *reterr)
{
	enum err_code rc = index_refresh(x, reterr);
	if (rc && rc != ERR_STATE) /* what another process made anew is not ours: we go on with what we have */
		return rc;
	struct index_reader *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	r->x = x;
	r->s = index_state_now(x);
	*ret = r;
	return ERR_OK;
}

void index_reader_renew(struct index_reader *r)
{
	index_state_leave(r->s);
	r->s = index_state_now(r->x);
}

void index_reader_free(struct index_reader *r)
{
	if (!r)
		return;
	index_state_leave(r->s);
	free(r);
}

static bool place_sane(const struct place *p)
{
	return p->raw_size <= SEGMENT_RAW_MAX && p->size > 0 && p->at <= p->raw_size && p->size <= p->raw_size - p->at;
}

bool index_find_at(struct index_reader *r, const struct chunk_id *id, struct place *ret, size_t *ret_at)
{
	size_t before = 0;
	for (size_t i = 0; i < r->s->list.run_count; i++) {
		struct place p;
		struct err err = ERR_INIT;
		size_t at = SIZE_MAX;
		enum err_code rc = run_find(r->s->runs[i], id, &p, &at, &err);
		if (rc && !r->failed) {
			r->failed = true;
			r->err = err;
		}
		if (!rc && at != SIZE_MAX && place_sane(&p)) {
			*ret = p;
			*ret_at = before + at;
			return true;
		}
		before += (size_t)r->s->list.runs[i].count;
	}
	return false;
}

bool index_find(struct index_reader *r, const struct chunk_id *id, struct place *ret)
{
	size_t at;
	return index_find_at(r, id, ret, &at);
}

enum err_code index_reader_check(const struct index_reader *r, struct err *reterr)
{
	if (r->failed && reterr)
		*reterr = r->err;
	return r->failed ? r->err.code : ERR_OK;
}

bool index_find_pack(struct index_reader *r, uint32_t number, struct index_pack *ret)
{
	const struct index_list *l = &r->s->list;
	size_t low = 0, high = l->pack_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (l->packs[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == l->pack_count || l->packs[low].number != number)
		return false;
	*ret = l->packs[low];
	return true;
}

enum err_code index_packs(struct index_reader *r, struct index_pack **ret, size_t *ret_count, struct err *reterr)
{
	size_t count = r->s->list.pack_count;
	struct index_pack *packs = calloc(count + 1, sizeof *packs);
	if (!packs)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (count)
		memcpy(packs, r->s->list.packs, count * sizeof *packs);
	*ret = packs;
	*ret_count = count;
	return ERR_OK;
}

size_t index_places(struct index_reader *r)
{
	size_t count = 0;
	for (size_t i = 0; i < r->s->list.run_count; i++)
		count += (size_t)r->s->list.runs[i].count;
	return count;
}

struct visiting {
	index_visit_fn *visit;
	void *ctx;
};

static enum err_code visit_entry(void *ctx, const uint8_t *entry, bool *goon, struct err *reterr)
{
	const struct visiting *v = ctx;
	struct chunk_id id;
	struct place p = run_entry_place(entry);
	(void)reterr;
	memcpy(id.b, entry, CHUNK_ID_SIZE);
	*goon = v->visit(v->ctx, &id, &p);
	return ERR_OK;
}

enum err_code index_each(struct index_reader *r, index_visit_fn *visit, void *ctx, struct err *reterr)
{
	size_t count = r->s->list.run_count;
	CLEANUP(cleanup_free) struct index_source *sources = calloc(count + 1, sizeof *sources);
	if (!sources)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		sources[i].run = r->s->runs[i];
	return index_merge(sources, count, NULL, NULL, visit_entry, &(struct visiting){visit, ctx}, reterr);
}
