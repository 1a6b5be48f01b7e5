/* The files of a restore, by several workers. */
#include "agent/snapshot/restore_internal.h"

#include <string.h>

#include "agent/snapshot/scan.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { PROGRESS_MS = 100 };

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

/* ---- batches ---- */

/* Whatever the batch's own entries: the next one of the page, if it has one more. */
static bool settle(struct restore_batch *b)
{
	while (b->at == b->slot->tree.blocks[b->block].count) {
		if (++b->block == b->slot->tree.block_count)
			return false;
		b->at = 0;
		b->raw = b->slot->tree.blocks[b->block].entries;
	}
	return true;
}

static bool step(struct restore_batch *b)
{
	b->roots += b->slot->tree.blocks[b->block].root == TREE_ROOTS;
	b->raw += entry_size(b->raw);
	b->at++;
	return settle(b);
}

/* With the mutex held. */
static enum err_code turn_page(struct restoring *r, struct err *reterr)
{
	struct restore_batch *n = &r->next;
	enum err_code rc = paged_hold(r->tree, r->next_page, &n->slot, reterr);
	if (rc)
		return rc;
	r->next_page++;
	n->block = 0;
	n->at = 0;
	n->raw = n->slot->tree.blocks[0].entries;
	return ERR_OK;
}

/* With the mutex held.  *ret->slot NULL: there are no more. */
static enum err_code take_batch(struct restoring *r, struct restore_batch *ret, struct err *reterr)
{
	struct restore_batch *n = &r->next;
	uint64_t bytes = 0;
	enum err_code rc = n->slot || r->next_page == paged_count(r->tree) ? ERR_OK : turn_page(r, reterr);
	*ret = *n;
	ret->count = 0;
	if (rc || !n->slot)
		return rc;
	paged_hold_more(r->tree, n->slot);
	bool more = true;
	while (more && ret->count < RESTORE_BATCH_ENTRIES && bytes < RESTORE_BATCH_BYTES) {
		ret->count++;
		bytes += entry_kind(n->raw) == ENTRY_FILE ? entry_length(n->raw) : 0;
		more = step(n);
	}
	if (!more)
		paged_let_go(r->tree, TAKE_PTR(n->slot));
	return ERR_OK;
}

static enum err_code fill_batch(
    struct restoring *r, struct snapshot_reader *reader, struct restore_batch b, struct err *reterr)
{
	char path[PATH_LIMIT], name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	size_t folder = SIZE_MAX; /* the block whose folder fd is */
	for (; b.count; b.count--, (void)(b.count && step(&b))) {
		struct snapshot_entry e;
		const struct tree_block *block = &b.slot->tree.blocks[b.block];
		uint32_t roots = b.roots;
		enum err_code rc = ERR_OK;
		if (!restore_fill(r, block, b.raw, &roots, path, &e) || e.type == ENTRY_DIRECTORY ||
		    !restore_is_first_name(r, &e, b.slot))
			continue;
		if (fd >= 0 && folder == b.block && block->root != TREE_ROOTS) {
			text_copy(name, sizeof name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
		} else {
			if (fd >= 0)
				close(TAKE_FD(fd));
			rc = restore_open_folder(r, &e, &fd, name, reterr);
			folder = b.block;
		}
		if (!rc)
			rc = make_entry(r, reader, &e, fd, name, reterr);
		if (rc)
			return rc;
	}
	return ERR_OK;
}

/* ---- large files: written in parts by whoever has time ---- */

struct restore_shared {
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
static bool write_part(struct restoring *r, struct restore_shared *f, struct snapshot_reader *reader)
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
	struct restore_shared f = {.references = references, .size = size, .fd = fd};
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

void restore_report(const struct restoring *r)
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
	restore_report(r);
}

/* ---- workers ---- */

static void *restore_files(void *arg)
{
	struct restoring *r = arg;
	struct snapshot_reader *reader = NULL;
	struct restore_batch batch;
	struct err err = ERR_INIT;
	enum err_code rc = snapshot_reader_new(r->s, &reader, &err);
	if (!rc)
		snapshot_reader_share(reader, share, r);
	pthread_mutex_lock(&r->mutex);
	while (!rc && !is_stopped(r)) {
		if (help(r, reader))
			continue;
		rc = take_batch(r, &batch, &err);
		if (!rc && batch.slot) {
			r->busy++;
			pthread_mutex_unlock(&r->mutex);
			rc = fill_batch(r, reader, batch, &err);
			paged_let_go(r->tree, batch.slot);
			report_sometimes(r);
			pthread_mutex_lock(&r->mutex);
			r->busy--;
			pthread_cond_broadcast(&r->wake);
		} else if (!rc && r->busy) { /* one of them may come to a large file */
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

enum err_code restore_run_workers(struct restoring *r, struct err *reterr)
{
	pthread_t threads[SNAPSHOT_WORKERS_MAX];
	unsigned count = scan_workers(r->o->workers), started = 0;
	r->next = (struct restore_batch){0};
	r->next_page = 0;
	while (started + 1 < count && !pthread_create(&threads[started], NULL, restore_files, r))
		started++;
	(void)restore_files(r); /* this thread works too */
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (r->next.slot)
		paged_let_go(r->tree, TAKE_PTR(r->next.slot));
	if (r->rc && reterr)
		*reterr = r->err;
	if (!r->rc && r->o->cancel && atomic_load(r->o->cancel))
		return err_set(reterr, ERR_CANCELLED, "cancelled; %s holds a part", r->dir);
	return r->rc;
}
