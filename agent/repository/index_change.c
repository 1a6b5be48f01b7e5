/* Changes of the chunk index: new runs, then the list that names them.
 *
 * Write order: each new run is written and synced under a name that no list has; then the list is replaced (temporary
 * file, sync, rename, sync of the folder); then the files of runs that it does not name any more go.  A crash leaves
 * the old list or the new one, and at most files that neither names, which the next open sweeps. */
#include "agent/repository/index_internal.h"

#include <errno.h>
#include <string.h>

/* A state in the making. */
struct draft {
	struct index *x;
	struct index_list list;
	struct run **runs;
	size_t pack_room;
	struct run **made; /* by this change */
	size_t made_count;
};

static enum err_code no_memory(struct err *reterr)
{
	return err_set(reterr, ERR_NOMEM, "out of memory");
}

static void draft_done(struct draft *d, bool committed)
{
	for (size_t i = 0; i < d->made_count; i++) {
		char name[RUN_NAME_MAX];
		if (!committed)
			(void)unlinkat(d->x->folder_fd, run_name(run_of(d->made[i])->id, name), 0);
		run_leave(d->made[i]);
	}
	free(d->made);
	for (size_t i = 0; d->runs && i < d->list.run_count; i++)
		run_leave(d->runs[i]);
	free(d->runs);
	index_list_done(&d->list);
}

/* As things are. */
static enum err_code draft_new(struct index *x, bool empty, struct draft *ret, struct err *reterr)
{
	const struct index_list *now = &x->now->list; /* nobody but the writer, and that is us, replaces it */
	struct draft d = {.x = x, .list = *now};
	if (empty)
		d.list.pack_count = d.list.run_count = 0;
	d.pack_room = d.list.pack_count + 16;
	d.list.packs = calloc(d.pack_room, sizeof *d.list.packs);
	d.list.runs = NULL;
	d.runs = calloc(d.list.run_count + 1, sizeof(struct run *));
	if (!d.list.packs || !d.runs) {
		d.list.run_count = 0;
		draft_done(&d, false);
		return no_memory(reterr);
	}
	if (d.list.pack_count)
		memcpy(d.list.packs, now->packs, d.list.pack_count * sizeof *d.list.packs);
	for (size_t i = 0; i < d.list.run_count; i++)
		d.runs[i] = run_share(x->now->runs[i]);
	*ret = d;
	return ERR_OK;
}

/* ---- runs ---- */

static enum err_code write_entry(void *ctx, const uint8_t *entry, bool *goon, struct err *reterr)
{
	*goon = true;
	return run_writer_add(ctx, entry, reterr);
}

/* In place of the first folded runs; NULL: nothing. */
static enum err_code put_run(struct draft *d, struct run *made, size_t folded, struct err *reterr)
{
	size_t kept = d->list.run_count - folded, first = made ? 1 : 0;
	struct run **runs = calloc(kept + 2, sizeof(struct run *));
	struct run **all = realloc(d->made, (d->made_count + 1) * sizeof(struct run *));
	if (all)
		d->made = all;
	if (!runs || !all) {
		free(runs);
		return no_memory(reterr);
	}
	if (made) {
		d->made[d->made_count++] = made;
		runs[0] = run_share(made);
	}
	memcpy(runs + first, d->runs + folded, kept * sizeof(struct run *));
	for (size_t i = 0; i < folded; i++)
		run_leave(d->runs[i]);
	free(d->runs);
	d->runs = runs;
	d->list.run_count = kept + first;
	return ERR_OK;
}

/* The entries (sorted, each once) and the newest folded runs become one. */
static enum err_code fold(struct draft *d, const uint8_t *entries, size_t count, size_t folded, index_counts_fn *counts,
    void *ctx, struct err *reterr)
{
	uint64_t room = count;
	CLEANUP(run_writer_cleanup) struct run_writer *w = NULL;
	CLEANUP(cleanup_free) struct index_source *sources = calloc(folded + 1, sizeof *sources);
	struct run *made = NULL;
	if (!sources)
		return no_memory(reterr);
	sources[0] = (struct index_source){.entries = entries, .count = count};
	for (size_t i = 0; i < folded; i++) {
		sources[i + 1].run = d->runs[i];
		room += run_of(d->runs[i])->count;
	}
	if (!room)
		return put_run(d, NULL, folded, reterr);
	enum err_code rc = run_writer_new(d->x->folder_fd, d->x->keys, room, &w, reterr);
	if (!rc)
		rc = index_merge(sources, folded + 1, counts, ctx, write_entry, w, reterr);
	if (!rc)
		rc = run_writer_finish(w, &made, reterr);
	if (rc)
		return rc;
	rc = put_run(d, made, folded, reterr);
	if (rc)
		run_leave(made); /* its file is swept by the next open */
	return rc;
}

/* Small ones always, larger ones once as much has come behind them: so an entry is written some log2 times however
 * large the index becomes, and there are hardly more runs than that. */
static size_t worth_folding(const struct draft *d, uint64_t count)
{
	size_t n = 0;
	while (n < d->list.run_count &&
	       (run_of(d->runs[n])->count <= INDEX_FOLD_ALWAYS || run_of(d->runs[n])->count <= count))
		count += run_of(d->runs[n++])->count;
	return n;
}

/* ---- packs ---- */

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, CHUNK_ID_SIZE);
}

static uint8_t *place_all(const struct index_addition *a, uint32_t number, uint8_t *out)
{
	size_t chunk = 0;
	for (uint32_t i = 0; i < a->content.segment_count; i++) {
		const struct pack_segment *s = &a->content.segments[i];
		uint32_t at = 0;
		for (uint32_t j = 0; j < s->chunk_count; j++, chunk++, out += RUN_ENTRY_SIZE) {
			const struct pack_chunk *c = &a->content.chunks[chunk];
			run_entry_write(
			    out, &c->id, &(struct place){number, s->offset, s->sealed_size, s->raw_size, at, c->size});
			at += c->size;
		}
	}
	return out;
}

static size_t each_once(uint8_t *entries, size_t count)
{
	size_t kept = count ? 1 : 0;
	qsort(entries, count, RUN_ENTRY_SIZE, by_id);
	for (size_t i = 1; i < count; i++) {
		const uint8_t *e = entries + i * RUN_ENTRY_SIZE, *last = entries + (kept - 1) * RUN_ENTRY_SIZE;
		if (by_id(last, e))
			memmove(entries + kept++ * RUN_ENTRY_SIZE, e, RUN_ENTRY_SIZE);
	}
	return kept;
}

static enum err_code draft_pack(struct draft *d, const struct index_addition *a, struct err *reterr)
{
	if (d->list.pack_count == d->pack_room) {
		struct index_pack *more = realloc(d->list.packs, 2 * d->pack_room * sizeof *more);
		if (!more)
			return no_memory(reterr);
		d->list.packs = more;
		d->pack_room *= 2;
	}
	d->list.packs[d->list.pack_count++] =
	    (struct index_pack){d->list.next_number++, a->id, a->size, 0, a->content.chunk_count};
	return ERR_OK;
}

static enum err_code draft_add(struct draft *d, const struct index_addition *packs, size_t count, struct err *reterr)
{
	size_t chunks = 0;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < count; i++)
		chunks += packs[i].content.chunk_count;
	CLEANUP(cleanup_free) uint8_t *entries = malloc(chunks * RUN_ENTRY_SIZE + 1);
	uint8_t *out = entries;
	if (!entries)
		return no_memory(reterr);
	for (size_t i = 0; i < count && !rc; i++) {
		out = place_all(&packs[i], d->list.next_number, out);
		rc = draft_pack(d, &packs[i], reterr);
	}
	if (rc || !chunks)
		return rc;
	chunks = each_once(entries, chunks);
	return fold(d, entries, chunks, worth_folding(d, chunks), NULL, NULL, reterr);
}

/* ---- commits ---- */

static void remove_unlisted(struct index *x, const struct index_state *before)
{
	for (size_t i = 0; i < before->list.run_count; i++) {
		char name[RUN_NAME_MAX];
		bool listed = false;
		for (size_t j = 0; j < x->now->list.run_count && !listed; j++)
			listed = x->now->runs[j] == before->runs[i];
		if (!listed)
			(void)unlinkat(x->folder_fd, run_name(before->list.runs[i].id, name), 0);
	}
}

static enum err_code seal_list(struct draft *d, struct index_state *next, struct err *reterr)
{
	struct index *x = d->x;
	d->list.generation++;
	d->list.runs = calloc(d->list.run_count + 1, sizeof *d->list.runs);
	if (!d->list.runs)
		return no_memory(reterr);
	for (size_t i = 0; i < d->list.run_count; i++)
		d->list.runs[i] = *run_of(d->runs[i]);
	enum err_code rc = index_list_write(x->folder, x->keys, &d->list, reterr);
	if (rc == ERR_OK) {
		atomic_init(&next->users, 1);
		next->list = d->list;
		next->runs = d->runs;
		d->list = (struct index_list){0};
		d->runs = NULL;
	}
	return rc;
}

/* Takes d over. */
static enum err_code commit(struct draft *d, struct err *reterr)
{
	struct index *x = d->x;
	struct index_state *next = calloc(1, sizeof *next);
	enum err_code rc = next ? seal_list(d, next, reterr) : no_memory(reterr);
	if (rc) {
		free(next);
		x->broken = rc != ERR_NOMEM && rc != ERR_LIMIT;
		draft_done(d, x->broken); /* what may be listed must stay */
		return rc;
	}
	uint8_t stamp[INDEX_STAMP_SIZE];
	(void)index_stamp(x, stamp);
	pthread_mutex_lock(&x->mutex);
	struct index_state *before = x->now;
	x->now = next;
	memcpy(x->stamp, stamp, sizeof stamp);
	pthread_mutex_unlock(&x->mutex);
	remove_unlisted(x, before);
	index_state_leave(before);
	draft_done(d, true);
	return ERR_OK;
}

/* Alone among threads and processes until end_change(), with the index's newest state at hand. */
static enum err_code begin_change(struct index *x, struct err *reterr)
{
	pthread_mutex_lock(&x->writers);
	enum err_code rc =
	    x->broken ? err_set(reterr, ERR_STATE, "%s: an earlier write failed; open the repository anew", x->folder)
		      : index_guard_take(x, reterr);
	if (!rc && (rc = index_refresh(x, reterr)))
		index_guard_give(x);
	if (rc)
		pthread_mutex_unlock(&x->writers);
	return rc;
}

static void end_change(struct index *x)
{
	index_guard_give(x);
	pthread_mutex_unlock(&x->writers);
}

static enum err_code full_or(enum err_code rc, const struct index *x, struct err *reterr)
{
	return rc == ERR_FULL ? err_set(reterr, rc, "%s: no room left for the index; free some or prune", x->folder)
			      : rc;
}

typedef enum err_code change_fn(struct draft *d, void *ctx, struct err *reterr);

static enum err_code change(struct index *x, bool empty, change_fn *make, void *ctx, struct err *reterr)
{
	struct draft d;
	enum err_code rc = begin_change(x, reterr);
	if (rc)
		return rc;
	rc = draft_new(x, empty, &d, reterr);
	if (!rc) {
		rc = make(&d, ctx, reterr);
		if (rc)
			draft_done(&d, false);
		else
			rc = commit(&d, reterr);
	}
	end_change(x);
	return full_or(rc, x, reterr);
}

/* ---- what changes ---- */

struct adding {
	const struct index_addition *packs;
	size_t count;
	uint32_t first;
};

static enum err_code add(struct draft *d, void *ctx, struct err *reterr)
{
	struct adding *a = ctx;
	a->first = d->list.next_number;
	return draft_add(d, a->packs, a->count, reterr);
}

enum err_code index_add(
    struct index *x, const struct index_addition *packs, size_t count, uint32_t *ret_first, struct err *reterr)
{
	struct adding a = {packs, count, 0};
	enum err_code rc = change(x, false, add, &a, reterr);
	if (!rc)
		*ret_first = a.first;
	return rc;
}

struct replacing {
	index_next_fn *next;
	void *ctx;
};

enum { GATHER_PACKS = 64 };

static enum err_code replace(struct draft *d, void *ctx, struct err *reterr)
{
	const struct replacing *r = ctx;
	bool end = false;
	enum err_code rc = ERR_OK;
	while (!end && !rc) {
		struct index_addition some[GATHER_PACKS] = {0};
		size_t count = 0, chunks = 0;
		while (!rc && !end && count < GATHER_PACKS && chunks < RUN_CHUNKS_MAX) {
			rc = r->next(r->ctx, &some[count], &end, reterr);
			if (!rc && !end)
				chunks += some[count++].content.chunk_count;
		}
		if (!rc)
			rc = draft_add(d, some, count, reterr);
		for (size_t i = 0; i < count; i++)
			pack_index_done(&some[i].content);
	}
	return rc;
}

enum err_code index_replace(struct index *x, index_next_fn *next, void *ctx, struct err *reterr)
{
	return change(x, true, replace, &(struct replacing){next, ctx}, reterr);
}

struct chosen {
	const struct index_pack *packs;
	size_t count;
};

static const struct index_pack *find_chosen(const struct chosen *c, uint32_t number)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->packs[i].number == number)
			return &c->packs[i];
	return NULL;
}

static enum err_code doom(struct draft *d, void *ctx, struct err *reterr)
{
	(void)reterr;
	for (size_t i = 0; i < d->list.pack_count; i++) {
		const struct index_pack *k = find_chosen(ctx, d->list.packs[i].number);
		if (k)
			d->list.packs[i].doomed_ms = k->doomed_ms;
	}
	return ERR_OK;
}

enum err_code index_doom(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr)
{
	return change(x, false, doom, &(struct chosen){packs, count}, reterr);
}

struct leaving { /* by number */
	uint8_t *gone;
	size_t count;
};

static bool stays(void *ctx, const struct place *p)
{
	const struct leaving *l = ctx;
	return p->pack >= l->count || !l->gone[p->pack];
}

static enum err_code drop(struct draft *d, void *ctx, struct err *reterr)
{
	const struct chosen *c = ctx;
	struct leaving l = {calloc((size_t)d->list.next_number + 1, 1), (size_t)d->list.next_number + 1};
	size_t kept = 0;
	if (!l.gone)
		return no_memory(reterr);
	for (size_t i = 0; i < c->count; i++)
		if (c->packs[i].number < l.count)
			l.gone[c->packs[i].number] = 1;
	for (size_t i = 0; i < d->list.pack_count; i++)
		if (!l.gone[d->list.packs[i].number])
			d->list.packs[kept++] = d->list.packs[i];
	d->list.pack_count = kept;
	enum err_code rc = fold(d, NULL, 0, d->list.run_count, stays, &l, reterr);
	free(l.gone);
	return rc;
}

enum err_code index_remove(struct index *x, const struct index_pack *packs, size_t count, struct err *reterr)
{
	return count ? change(x, false, drop, &(struct chosen){packs, count}, reterr) : ERR_OK;
}
