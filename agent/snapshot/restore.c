/* A restore point into an empty place: directories, behind them their files by several workers, then further names of
 * hard links, then the directories' metadata from the leaves up. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/snapshot/restore_internal.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum { SYNC_LOOK_MS = 20 };

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

/* ---- the whole ---- */

static enum err_code restore_component(struct restoring *r, struct err *reterr)
{
	for (size_t i = 0; i < SNAPSHOT_ROOTS_MAX; i++)
		r->root_fds[i] = -1;
	r->links = map_new();
	enum err_code rc = r->links ? restore_run_workers(r, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = restore_make_links(r, reterr);
	if (!rc)
		rc = restore_finish_directories(r, reterr);
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
			if (restore_is_at_or_below(root_path, path))
				return true;
			if (!restore_is_at_or_below(path, root_path))
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
		r.tree = s->trees[r.about->component];
		if (!o->components || (o->components & 1u << r.about->component))
			rc = restore_component(&r, reterr);
		restore_report(&r);
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
