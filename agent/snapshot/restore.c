/* A restore point into an empty place: directories, then their files by several workers, then further names of hard
 * links, then the directories' metadata from the leaves up. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/snapshot/opened.h"
#include "agent/snapshot/scan.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/map.h"
#include "shared/base/text.h"

struct visiting {
	uint32_t roots;
}; /* how many entries of the blocks of roots went before */

/* Where the next worker goes on. */
struct place_in_tree {
	size_t block;
	uint32_t at; /* entries of the block that went before */
	const uint8_t *raw;
	struct visiting v;
};

struct shared_file;
struct restoring {
	struct snapshot *s;
	const struct restore_options *o;
	const char *dir;
	int dir_fd;
	const struct tree *tree;
	const struct snapshot_component *about;
	int root_fds[SNAPSHOT_ROOTS_MAX]; /* of roots that are directories */
	struct map *links;                /* link number -> first wanted entry */
	pthread_mutex_t mutex;            /* of the next five */
	pthread_cond_t wake, over;        /* over: for sync_along */
	struct place_in_tree next;
	unsigned busy; /* workers with a batch */
	struct shared_file *shared[SNAPSHOT_WORKERS_MAX];
	enum err_code rc;
	struct err err;
	_Atomic uint64_t entries, files, bytes;
	bool done;      /* under the mutex: nothing more is written */
	int sync_errno; /* of the syncs on the way: a failure is told once, to whoever asks first */
	pthread_t caller;
	uint64_t next_report_ms, total; /* total: entries, when all are wanted */
};

enum { PROGRESS_MS = 100, SYNC_LOOK_MS = 20 };

/* ---- which ---- */

static bool is_at_or_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	while (n > 1 && folder[n - 1] == '/')
		n--;
	return !strncmp(path, folder, n) && (path[n] == 0 || path[n] == '/');
}

/* Directories above a wanted path are made too. */
static bool is_wanted(const struct restoring *r, const struct snapshot_entry *e)
{
	char path[PATH_LIMIT * 2];
	if (!r->o->paths)
		return true;
	(void)text_format(path, sizeof path, "%s%s%s", e->root_path, *e->path ? "/" : "", e->path);
	for (const char *const *p = r->o->paths; *p; p++)
		if (is_at_or_below(path, *p) || (e->type == ENTRY_DIRECTORY && is_at_or_below(*p, path)))
			return true;
	return false;
}

/* ---- where ---- */

static int open_beneath(int dirfd, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, dirfd, *path ? path : ".", &how, sizeof how);
}

/* Below dir: the root's absolute path, or the label that a database adapter gave it. */
static const char *place_of(const struct restoring *r, uint32_t root)
{
	const struct snapshot_root *x = &LIST_AT(r->about->roots, struct snapshot_root, root);
	const char *place = x->kind == ROOT_PREPARED && x->label ? x->label : x->path;
	while (*place == '/')
		place++;
	return place;
}

/* The folder in which the root itself is made; its parents get made where they are missing. */
static enum err_code open_parent(
    const struct restoring *r, uint32_t root, int *ret_fd, const char **ret_name, struct err *reterr)
{
	char path[PATH_LIMIT];
	const char *place = place_of(r, root), *slash = strrchr(place, '/');
	text_copy(path, sizeof path, place);
	path[slash ? (size_t)(slash - place) : 0] = 0;
	for (char *at = path; *at;) {
		char *end = strchr(at, '/');
		if (end)
			*end = 0;
		if (mkdirat(r->dir_fd, path, 0755) && errno != EEXIST)
			return err_sys(reterr, errno, "make %s/%s", r->dir, path);
		if (!end)
			break;
		*end = '/';
		at = end + 1;
	}
	int fd = open_beneath(r->dir_fd, path);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s/%s", r->dir, path);
	*ret_fd = fd;
	*ret_name = slash ? slash + 1 : place;
	return ERR_OK;
}

/* ---- visiting entries of a block ---- */

static bool fill(const struct restoring *r, size_t block, const uint8_t *e, struct visiting *v, char path[PATH_LIMIT],
    struct snapshot_entry *ret)
{
	const struct tree_block *b = &r->tree->blocks[block];
	uint32_t root = b->root == TREE_ROOTS ? v->roots++ : b->root;
	return tree_entry_path(b, e, path) && snapshot_entry_fill(r->about, r->about->component, root, path, e, ret) &&
	       is_wanted(r, ret);
}

/* The descriptor of the folder that holds the entry, and its name there. */
static enum err_code open_folder_of(
    const struct restoring *r, const struct snapshot_entry *e, int *ret_fd, char name[PATH_LIMIT], struct err *reterr)
{
	char folder[PATH_LIMIT];
	const char *last;
	if (!*e->path) {
		enum err_code rc = open_parent(r, e->root, ret_fd, &last, reterr);
		if (!rc)
			text_copy(name, PATH_LIMIT, last);
		return rc;
	}
	const char *slash = strrchr(e->path, '/');
	memcpy(folder, e->path, slash ? (size_t)(slash - e->path) : 0);
	folder[slash ? slash - e->path : 0] = 0;
	int fd = open_beneath(r->root_fds[e->root], folder);
	if (fd < 0)
		return err_sys(reterr, errno, "open the folder of %s", e->path);
	strcpy(name, slash ? slash + 1 : e->path);
	*ret_fd = fd;
	return ERR_OK;
}

static bool is_first_name(const struct restoring *r, const struct snapshot_entry *e)
{
	return !e->link || map_get(r->links, &e->link, sizeof e->link) == e->raw;
}

/* ---- directories ---- */

static enum err_code make_directory(struct restoring *r, const struct snapshot_entry *e, struct err *reterr)
{
	char name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = open_folder_of(r, e, &fd, name, reterr);
	if (rc)
		return rc;
	/* Only the owner may look in while it is filled. */
	if (mkdirat(fd, name, 0700))
		return err_sys(
		    reterr, errno, "make %s/%s%s%s", r->dir, place_of(r, e->root), *e->path ? "/" : "", e->path);
	atomic_fetch_add(&r->entries, 1);
	if (*e->path)
		return ERR_OK;
	r->root_fds[e->root] = open_beneath(fd, name);
	return r->root_fds[e->root] < 0 ? err_sys(reterr, errno, "open %s", name) : ERR_OK;
}

/* All directories, and which entry is the first wanted name of each hard-linked file. */
static enum err_code make_directories(struct restoring *r, struct err *reterr)
{
	struct visiting v = {0};
	char path[PATH_LIMIT];
	for (size_t i = 0; i < r->tree->block_count; i++) {
		const uint8_t *raw = r->tree->blocks[i].entries;
		for (uint32_t j = 0; j < r->tree->blocks[i].count; j++, raw += entry_size(raw)) {
			struct snapshot_entry e;
			enum err_code rc = ERR_OK;
			if (!fill(r, i, raw, &v, path, &e))
				continue;
			if (e.type == ENTRY_DIRECTORY)
				rc = make_directory(r, &e, reterr);
			else if (e.link && !map_get(r->links, &e.link, sizeof e.link) &&
				 !map_put(r->links, &e.link, sizeof e.link, (void *)(uintptr_t)raw))
				rc = err_set(reterr, ERR_NOMEM, "out of memory");
			if (rc)
				return rc;
		}
	}
	return ERR_OK;
}

/* From the last to the first: making a child changes its parent's time. */
static enum err_code finish_directories(struct restoring *r, struct err *reterr)
{
	char path[PATH_LIMIT], name[PATH_LIMIT];
	uint32_t roots = (uint32_t)r->about->roots.count;
	for (size_t i = r->tree->block_count; i-- > 0;) {
		const struct tree_block *b = &r->tree->blocks[i];
		struct visiting v = {b->root == TREE_ROOTS ? roots - b->count : 0};
		if (b->root == TREE_ROOTS)
			roots -= b->count;
		CLEANUP(cleanup_fd) int fd = -1;
		const uint8_t *raw = b->entries;
		for (uint32_t j = 0; j < b->count; j++, raw += entry_size(raw)) {
			struct snapshot_entry e;
			if (!fill(r, i, raw, &v, path, &e) || e.type != ENTRY_DIRECTORY)
				continue;
			enum err_code rc = ERR_OK;
			if (fd >= 0 && b->root != TREE_ROOTS) {
				text_copy(name, sizeof name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
			} else {
				if (fd >= 0)
					close(TAKE_FD(fd));
				rc = open_folder_of(r, &e, &fd, name, reterr);
			}
			if (!rc)
				rc = snapshot_set_metadata(&e, fd, name, reterr);
			if (rc)
				return rc;
		}
	}
	return ERR_OK;
}

/* ---- files ---- */

static enum err_code make_entry(struct restoring *r, struct snapshot_reader *reader, const struct snapshot_entry *e,
    int fd, const char *name, struct err *reterr)
{
	enum err_code rc = snapshot_make(reader, e, fd, name, reterr);
	if (rc)
		return rc;
	atomic_fetch_add(&r->entries, 1);
	if (e->type == ENTRY_FILE) {
		atomic_fetch_add(&r->files, 1);
		atomic_fetch_add(&r->bytes, e->size);
	}
	return ERR_OK;
}

static void settle(const struct restoring *r, struct place_in_tree *p)
{
	while (p->block < r->tree->block_count && p->at == r->tree->blocks[p->block].count) {
		p->block++;
		p->at = 0;
		p->raw = p->block < r->tree->block_count ? r->tree->blocks[p->block].entries : NULL;
	}
}

static void step(const struct restoring *r, struct place_in_tree *p)
{
	p->v.roots += r->tree->blocks[p->block].root == TREE_ROOTS;
	p->raw += entry_size(p->raw);
	p->at++;
	settle(r, p);
}

static bool is_before(const struct place_in_tree *a, const struct place_in_tree *b)
{
	return a->block != b->block ? a->block < b->block : a->at < b->at;
}

static enum err_code fill_batch(struct restoring *r, struct snapshot_reader *reader, struct place_in_tree at,
    const struct place_in_tree *end, struct err *reterr)
{
	char path[PATH_LIMIT], name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	size_t folder = SIZE_MAX; /* the block whose folder fd is */
	for (; is_before(&at, end); step(r, &at)) {
		struct snapshot_entry e;
		struct visiting v = at.v;
		enum err_code rc = ERR_OK;
		if (!fill(r, at.block, at.raw, &v, path, &e) || e.type == ENTRY_DIRECTORY || !is_first_name(r, &e))
			continue;
		if (fd >= 0 && folder == at.block && r->tree->blocks[at.block].root != TREE_ROOTS) {
			text_copy(name, sizeof name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
		} else {
			if (fd >= 0)
				close(TAKE_FD(fd));
			rc = open_folder_of(r, &e, &fd, name, reterr);
			folder = at.block;
		}
		if (!rc)
			rc = make_entry(r, reader, &e, fd, name, reterr);
		if (rc)
			return rc;
	}
	return ERR_OK;
}

/* Some entries in a row, so that neighbours in the packs are read by one worker.  With the mutex held. */
static bool take_batch(struct restoring *r, struct place_in_tree *ret_first, struct place_in_tree *ret_end)
{
	struct place_in_tree *p = &r->next;
	uint32_t entries = 0;
	uint64_t bytes = 0;
	*ret_first = *p;
	while (p->block < r->tree->block_count && entries < RESTORE_BATCH_ENTRIES && bytes < RESTORE_BATCH_BYTES) {
		entries++;
		bytes += entry_kind(p->raw) == ENTRY_FILE ? entry_length(p->raw) : 0;
		step(r, p);
	}
	*ret_end = *p;
	return is_before(ret_first, ret_end);
}

/* ---- large files: written in parts by whoever has time ---- */

struct shared_file {
	const uint8_t *references;
	size_t size, next; /* of references, in bytes: all, and where the next part begins */
	uint64_t at;       /* in the file, of the next part */
	int fd;
	unsigned writing; /* parts in the making */
	enum err_code rc;
	struct err err;
};

static bool is_stopped(const struct restoring *r)
{
	return r->rc || (r->o->cancel && atomic_load(r->o->cancel));
}

/* With the mutex held, which is let go meanwhile; false: nothing is left to take. */
static bool write_part(struct restoring *r, struct shared_file *f, struct snapshot_reader *reader)
{
	size_t first = f->next;
	uint64_t at = f->at;
	struct err err = ERR_INIT;
	if (f->rc || is_stopped(r))
		f->next = f->size;
	while (f->next < f->size && f->at - at < RESTORE_PART) {
		f->at += reference_size(f->references + f->next);
		f->next += REFERENCE_SIZE;
	}
	size_t size = f->next - first;
	if (f->rc || is_stopped(r) || !size)
		return false;
	f->writing++;
	pthread_mutex_unlock(&r->mutex);
	enum err_code rc = snapshot_write_part(reader, f->references + first, size, f->fd, at, &err);
	pthread_mutex_lock(&r->mutex);
	if (rc && !f->rc) {
		f->rc = rc;
		f->err = err;
	}
	if (--f->writing == 0)
		pthread_cond_broadcast(&r->wake);
	return true;
}

static enum err_code share(
    void *ctx, struct snapshot_reader *reader, const uint8_t *references, size_t size, int fd, struct err *reterr)
{
	struct restoring *r = ctx;
	struct shared_file f = {.references = references, .size = size, .fd = fd};
	unsigned slot = 0;
	pthread_mutex_lock(&r->mutex);
	while (r->shared[slot]) /* there is one for each worker */
		slot++;
	r->shared[slot] = &f;
	pthread_cond_broadcast(&r->wake);
	while (write_part(r, &f, reader)) {
	}
	while (f.writing)
		pthread_cond_wait(&r->wake, &r->mutex);
	r->shared[slot] = NULL;
	bool stopped = is_stopped(r);
	pthread_mutex_unlock(&r->mutex);
	if (f.rc && reterr)
		*reterr = f.err;
	return f.rc ? f.rc : stopped ? err_set(reterr, ERR_CANCELLED, "cancelled") : ERR_OK;
}

static bool help(struct restoring *r, struct snapshot_reader *reader)
{
	for (size_t i = 0; i < SNAPSHOT_WORKERS_MAX; i++)
		if (r->shared[i] && r->shared[i]->next < r->shared[i]->size)
			return write_part(r, r->shared[i], reader);
	return false;
}

/* ---- progress ---- */

static void report(const struct restoring *r)
{
	if (r->o->progress)
		r->o->progress(r->o->progress_ctx, &(struct snapshot_progress){.entries = r->entries,
						       .entries_total = r->total,
						       .files_read = r->files,
						       .bytes_read = r->bytes});
}

/* Only the caller's own thread tells. */
static void report_sometimes(struct restoring *r)
{
	if (!pthread_equal(pthread_self(), r->caller) || clock_mono_ms() < r->next_report_ms)
		return;
	r->next_report_ms = clock_mono_ms() + PROGRESS_MS;
	report(r);
}

/* ---- workers ---- */

static void *restore_files(void *arg)
{
	struct restoring *r = arg;
	struct snapshot_reader *reader = NULL;
	struct place_in_tree first, end;
	struct err err = ERR_INIT;
	enum err_code rc = snapshot_reader_new(r->s, &reader, &err);
	if (!rc)
		snapshot_reader_share(reader, share, r);
	pthread_mutex_lock(&r->mutex);
	while (!rc && !is_stopped(r)) {
		if (help(r, reader))
			continue;
		if (take_batch(r, &first, &end)) {
			r->busy++;
			pthread_mutex_unlock(&r->mutex);
			rc = fill_batch(r, reader, first, &end, &err);
			report_sometimes(r);
			pthread_mutex_lock(&r->mutex);
			r->busy--;
			pthread_cond_broadcast(&r->wake);
		} else if (r->busy) { /* one of them may come to a large file */
			pthread_cond_wait(&r->wake, &r->mutex);
		} else {
			break;
		}
	}
	if (rc && !r->rc) {
		r->rc = rc;
		r->err = err;
	}
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->mutex);
	snapshot_reader_free(reader);
	return NULL;
}

/* What must be durable in the end is better on its way to the disk while the rest is decoded. */
static void *sync_along(void *arg)
{
	struct restoring *r = arg;
	uint64_t synced = 0;
	pthread_mutex_lock(&r->mutex);
	while (!r->done && !r->sync_errno) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += SYNC_LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&r->over, &r->mutex, &until);
		uint64_t bytes = atomic_load(&r->bytes);
		if (r->done || bytes - synced < RESTORE_SYNC_BYTES)
			continue;
		synced = bytes;
		pthread_mutex_unlock(&r->mutex);
		int failed = syncfs(r->dir_fd) ? errno : 0;
		pthread_mutex_lock(&r->mutex);
		r->sync_errno = failed;
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

static enum err_code run_workers(struct restoring *r, struct err *reterr)
{
	pthread_t threads[SNAPSHOT_WORKERS_MAX];
	unsigned count = scan_workers(r->o->workers), started = 0;
	r->next = (struct place_in_tree){.raw = r->tree->block_count ? r->tree->blocks[0].entries : NULL};
	settle(r, &r->next);
	while (started + 1 < count && !pthread_create(&threads[started], NULL, restore_files, r))
		started++;
	(void)restore_files(r); /* this thread works too */
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (r->rc && reterr)
		*reterr = r->err;
	if (!r->rc && r->o->cancel && atomic_load(r->o->cancel))
		return err_set(reterr, ERR_CANCELLED, "cancelled; %s holds a part", r->dir);
	return r->rc;
}

/* ---- further names ---- */

static enum err_code link_entry(
    struct restoring *r, const struct snapshot_entry *first, const struct snapshot_entry *e, struct err *reterr)
{
	char first_name[PATH_LIMIT], name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int first_fd = -1;
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = open_folder_of(r, first, &first_fd, first_name, reterr);
	if (!rc)
		rc = open_folder_of(r, e, &fd, name, reterr);
	if (!rc && linkat(first_fd, first_name, fd, name, 0))
		rc = err_sys(reterr, errno, "link %s to %s", e->path, first->path);
	if (!rc)
		atomic_fetch_add(&r->entries, 1);
	return rc;
}

/* Where the first name is, is found on the way: it comes before the others. */
static enum err_code make_links(struct restoring *r, struct err *reterr)
{
	struct first_name {
		struct snapshot_entry e;
		char path[];
	};
	struct visiting v = {0};
	char path[PATH_LIMIT];
	enum err_code rc = ERR_OK;
	if (!map_count(r->links))
		return ERR_OK;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new((size_t)1 << 30);
	struct map *firsts = map_new();
	if (!arena || !firsts)
		rc = err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < r->tree->block_count && !rc; i++) {
		const uint8_t *raw = r->tree->blocks[i].entries;
		for (uint32_t j = 0; j < r->tree->blocks[i].count && !rc; j++, raw += entry_size(raw)) {
			struct snapshot_entry e;
			if (!fill(r, i, raw, &v, path, &e) || e.type == ENTRY_DIRECTORY || !e.link)
				continue;
			struct first_name *first = map_get(firsts, &e.link, sizeof e.link);
			if (first) {
				rc = link_entry(r, &first->e, &e, reterr);
				continue;
			}
			first = arena_alloc(arena, sizeof *first + strlen(path) + 1);
			if (!first || !map_put(firsts, &e.link, sizeof e.link, first)) {
				rc = err_set(reterr, ERR_NOMEM, "out of memory");
				break;
			}
			strcpy(first->path, path);
			first->e = e;
			first->e.path = first->path;
		}
	}
	map_free(firsts);
	return rc;
}

/* ---- the whole ---- */

static enum err_code restore_component(struct restoring *r, struct err *reterr)
{
	for (size_t i = 0; i < SNAPSHOT_ROOTS_MAX; i++)
		r->root_fds[i] = -1;
	r->links = map_new();
	enum err_code rc = r->links ? make_directories(r, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = run_workers(r, reterr);
	if (!rc)
		rc = make_links(r, reterr);
	if (!rc)
		rc = finish_directories(r, reterr);
	map_free(r->links);
	for (size_t i = 0; i < SNAPSHOT_ROOTS_MAX; i++)
		if (r->root_fds[i] >= 0)
			close(r->root_fds[i]);
	return rc;
}

/* A path that was mistyped must not look like one that was restored. */
static bool is_there(const struct snapshot *s, uint32_t components, const char *path)
{
	const struct list *all = &s->manifest.summary.components;
	for (size_t i = 0; i < all->count; i++) {
		const struct snapshot_component *c = &LIST_AT(*all, struct snapshot_component, i);
		if (components && !(components & 1u << c->component))
			continue;
		for (uint32_t root = 0; root < c->roots.count; root++) {
			const char *root_path = LIST_AT(c->roots, struct snapshot_root, root).path;
			struct snapshot_entry e;
			char below[PATH_LIMIT];
			if (is_at_or_below(root_path, path))
				return true;
			if (!is_at_or_below(path, root_path))
				continue;
			text_copy(below, sizeof below, path + strlen(root_path) + 1);
			for (size_t n = strlen(below); n && below[n - 1] == '/'; n--)
				below[n - 1] = 0;
			if (snapshot_lookup(s, (enum component)c->component, root, below, &e))
				return true;
		}
	}
	return false;
}

static enum err_code check_paths(struct restoring *r, struct err *reterr)
{
	const struct list *all = &r->s->manifest.summary.components;
	for (const char *const *p = r->o->paths; p && *p; p++)
		if (!is_there(r->s, r->o->components, *p))
			return err_set(reterr, ERR_NOT_FOUND, "%s is not in this restore point", *p);
	for (size_t i = 0; i < all->count && !r->o->paths; i++) {
		const struct snapshot_component *c = &LIST_AT(*all, struct snapshot_component, i);
		if (!r->o->components || (r->o->components & 1u << c->component))
			r->total += c->entries;
	}
	return ERR_OK;
}

static void end_syncing(struct restoring *r, pthread_t syncer)
{
	pthread_mutex_lock(&r->mutex);
	r->done = true;
	pthread_cond_signal(&r->over);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(syncer, NULL);
}

enum err_code snapshot_restore_into(struct snapshot *s, const char *dir, const struct restore_options *o,
    struct restore_result *ret, struct err *reterr)
{
	struct restoring r = {.s = s, .o = o, .dir = dir, .caller = pthread_self()};
	enum err_code rc = check_paths(&r, reterr);
	if (!rc)
		rc = file_make_dirs(dir, 0700, reterr);
	if (rc)
		return rc;
	CLEANUP(cleanup_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", dir);
	r.dir_fd = fd;
	pthread_mutex_init(&r.mutex, NULL);
	pthread_cond_init(&r.wake, NULL);
	pthread_cond_init(&r.over, NULL);
	pthread_t syncer;
	bool syncing = o->sync && !pthread_create(&syncer, NULL, sync_along, &r);
	const struct list *components = &s->manifest.summary.components;
	for (size_t i = 0; i < components->count && !rc; i++) {
		r.about = &LIST_AT(*components, struct snapshot_component, i);
		r.tree = &s->trees[r.about->component];
		if (!o->components || (o->components & 1u << r.about->component))
			rc = restore_component(&r, reterr);
		report(&r);
	}
	if (syncing)
		end_syncing(&r, syncer);
	pthread_mutex_destroy(&r.mutex);
	pthread_cond_destroy(&r.wake);
	pthread_cond_destroy(&r.over);
	if (!rc && o->sync && (r.sync_errno || syncfs(fd)))
		rc = err_sys(reterr, r.sync_errno ? r.sync_errno : errno, "sync %s", dir);
	if (rc)
		return rc;
	*ret = (struct restore_result){r.entries, r.files, r.bytes};
	return ERR_OK;
}
