/* The files of a restore, by several workers. */
#include "agent/snapshot/restore_internal.h"

#include <stdlib.h>
#include <string.h>

#include "agent/snapshot/scan.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { PROGRESS_MS = 100 };

static enum err_code make_entry(struct restoring *r, struct snapshot_reader *reader, const struct snapshot_entry *e,
    int fd, const char *name, struct err *reterr)
{
	snapshot_reader_plain(reader, restore_is_plain(r, e));
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

/* ---- batches: some runs of entries, so many that each segment of the packs is decoded once for all of them ---- */

enum { RUNS_MAX = 8 };

/* An entry of a batch, and where its content begins in the repository. */
struct turn {
	uint64_t place;
	const struct restore_run *run;
	const struct tree_block *block;
	const uint8_t *raw;
	uint32_t roots;
};
struct restore_batch { /* one worker's */
	struct restore_run runs[RUNS_MAX];
	size_t run_count;
	uint64_t bytes;
	uint32_t entries;
	struct turn turns[RESTORE_BATCH_ENTRIES];
};

/* Whatever the run's own entries: the next one of the page, if it has one more. */
static bool settle(struct restore_run *b)
{
	while (b->at == b->slot->tree.blocks[b->block].count) {
		if (++b->block == b->slot->tree.block_count)
			return false;
		b->at = 0;
		b->raw = b->slot->tree.blocks[b->block].entries;
	}
	return true;
}

static bool step(struct restore_run *b)
{
	b->roots += b->slot->tree.blocks[b->block].root == TREE_ROOTS;
	b->raw += entry_size(b->raw);
	b->at++;
	return settle(b);
}

/* With the mutex held. */
static enum err_code turn_page(struct restoring *r, struct err *reterr)
{
	struct restore_run *n = &r->next;
	enum err_code rc = paged_hold(r->tree, r->next_page, &n->slot, reterr);
	if (rc)
		return rc;
	r->next_page++;
	n->block = 0;
	n->at = 0;
	n->raw = n->slot->tree.blocks[0].entries;
	return ERR_OK;
}

static bool is_full(const struct restore_batch *b)
{
	return b->run_count == RUNS_MAX || b->entries == RESTORE_BATCH_ENTRIES || b->bytes >= RESTORE_BATCH_BYTES;
}

/* With the mutex held; the next run's page is there. */
static void take_run(struct restoring *r, struct restore_batch *b)
{
	struct restore_run *n = &r->next, *run = &b->runs[b->run_count++];
	bool more = true;
	*run = *n;
	run->count = 0;
	paged_hold_more(r->tree, n->slot);
	while (more && b->entries < RESTORE_BATCH_ENTRIES && b->bytes < RESTORE_BATCH_BYTES) {
		run->count++;
		b->entries++;
		b->bytes += entry_kind(n->raw) == ENTRY_FILE ? entry_length(n->raw) : 0;
		more = step(n);
	}
	if (!more)
		paged_let_go(r->tree, TAKE_PTR(n->slot));
}

/* With the mutex held.  Without a run: there are no more, or none whose directories are there. */
static enum err_code take_batch(struct restoring *r, struct restore_batch *b, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	b->run_count = 0;
	b->entries = 0;
	b->bytes = 0;
	while (!rc && !is_full(b) && (r->next.slot || r->next_page < r->made)) {
		if (!r->next.slot)
			rc = turn_page(r, reterr);
		if (!rc)
			take_run(r, b);
	}
	return rc;
}

static void let_batch_go(struct restoring *r, struct restore_batch *b)
{
	while (b->run_count)
		paged_let_go(r->tree, b->runs[--b->run_count].slot);
}

static int by_place(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->run != y->run ? (x->run > y->run) - (x->run < y->run) : (x->raw > y->raw) - (x->raw < y->raw);
}

/* What is no directory, in the order of the packs. */
static size_t put_in_order(struct restore_batch *b, struct snapshot_reader *reader)
{
	size_t count = 0;
	for (size_t i = 0; i < b->run_count; i++) {
		struct restore_run at = b->runs[i];
		for (uint32_t left = at.count; left; left--, (void)(left && step(&at))) {
			struct snapshot_entry e = {.type = entry_kind(at.raw), .raw = at.raw};
			if (e.type != ENTRY_DIRECTORY)
				b->turns[count++] = (struct turn){snapshot_place(reader, &e), &b->runs[i],
				    &at.slot->tree.blocks[at.block], at.raw, at.roots};
		}
	}
	qsort(b->turns, count, sizeof *b->turns, by_place);
	return count;
}

static enum err_code fill_batch(
    struct restoring *r, struct snapshot_reader *reader, struct restore_batch *b, struct err *reterr)
{
	char path[PATH_LIMIT], name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	const struct tree_block *folder = NULL; /* whose folder fd is */
	size_t count = put_in_order(b, reader);
	for (const struct turn *t = b->turns; t < b->turns + count; t++) {
		struct snapshot_entry e;
		uint32_t roots = t->roots;
		enum err_code rc = ERR_OK;
		if (!restore_fill(r, t->block, t->raw, &roots, path, &e) || !restore_is_first_name(r, &e, t->run->slot))
			continue;
		if (fd >= 0 && folder == t->block && t->block->root != TREE_ROOTS) {
			text_copy(name, sizeof name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
		} else {
			if (fd >= 0)
				close(TAKE_FD(fd));
			rc = restore_open_folder(r, &e, &fd, name, reterr);
			folder = t->block;
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

bool restore_is_stopped(const struct restoring *r)
{
	return r->rc || (r->o->cancel && atomic_load(r->o->cancel));
}

/* With the mutex held, which is let go meanwhile; false: nothing is left to take. */
static bool write_part(struct restoring *r, struct restore_shared *f, struct snapshot_reader *reader)
{
	size_t first = f->next;
	uint64_t at = f->at;
	struct err err = ERR_INIT;
	if (f->rc || restore_is_stopped(r))
		f->next = f->size;
	while (f->next < f->size && f->at - at < RESTORE_PART) {
		f->at += reference_size(f->references + f->next);
		f->next += REFERENCE_SIZE;
	}
	size_t size = f->next - first;
	if (f->rc || restore_is_stopped(r) || !size)
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
	bool stopped = restore_is_stopped(r);
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

/* With the mutex held: the first failure counts. */
static void stop(struct restoring *r, enum err_code rc, const struct err *err)
{
	if (!rc || r->rc)
		return;
	r->rc = rc;
	r->err = *err;
	pthread_cond_broadcast(&r->wake);
}

/* With the mutex held: some entries more, a part of a large file, or a wait for either.  False: all is done. */
static bool work_once(struct restoring *r, struct snapshot_reader *reader, struct restore_batch *batch)
{
	struct err err = ERR_INIT;
	if (help(r, reader))
		return true;
	enum err_code rc = take_batch(r, batch, &err);
	if (!rc && batch->run_count) {
		r->busy++;
		pthread_mutex_unlock(&r->mutex);
		rc = fill_batch(r, reader, batch, &err);
		report_sometimes(r);
		pthread_mutex_lock(&r->mutex);
		r->busy--;
		pthread_cond_broadcast(&r->wake);
	} else if (!rc && (r->busy || r->made < paged_count(r->tree))) {
		pthread_cond_wait(&r->wake, &r->mutex); /* one of them may come to a large file */
	} else if (!rc) {
		return false;
	}
	let_batch_go(r, batch);
	stop(r, rc, &err);
	return true;
}

static void *restore_files(void *arg)
{
	struct restoring *r = arg;
	struct snapshot_reader *reader = NULL;
	struct err err = ERR_INIT;
	CLEANUP(cleanup_free) struct restore_batch *batch = malloc(sizeof *batch);
	enum err_code rc = batch ? snapshot_reader_new(r->s, &reader, &err) : err_set(&err, ERR_NOMEM, "out of memory");
	if (!rc)
		snapshot_reader_share(reader, share, r);
	if (!rc && r->o->passing)
		snapshot_reader_passing(reader);
	pthread_mutex_lock(&r->mutex);
	stop(r, rc, &err);
	while (!restore_is_stopped(r) && work_once(r, reader, batch)) {
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
	struct err err = ERR_INIT;
	r->next = (struct restore_run){0};
	r->next_page = 0;
	r->made = 0;
	while (started + 1 < count && !pthread_create(&threads[started], NULL, restore_files, r))
		started++;
	enum err_code rc = restore_make_directories(r, &err);
	pthread_mutex_lock(&r->mutex);
	stop(r, rc, &err);
	pthread_mutex_unlock(&r->mutex);
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
