/* Proving a restore point: signature, trees, chunks, digests. */
#include "agent/snapshot/findings.h"
#include "agent/snapshot/needs.h"
#include "agent/snapshot/opened.h"
#include "agent/snapshot/sample.h"
#include "agent/snapshot/scan.h"
#include "shared/base/text.h"

enum { ARENA_LIMIT = 256 << 20, PROGRESS_MS = 100 };

struct verifying {
	struct repo *repo;
	const struct verify_options *o;
	struct findings findings;
	struct needs needs;
	struct sample sample;
	pthread_mutex_t mutex;
	pthread_cond_t done;
	size_t next;      /* need to take next */
	uint64_t earlier; /* needs of batches that are done */
	unsigned running;
	enum err_code rc; /* could not be verified, which is not the same as wrong */
	struct err err;
	_Atomic uint64_t chunks, bytes;
};

/* ---- chunks ---- */

static bool same_segment(const struct need *a, const struct need *b)
{
	return a->place.pack == b->place.pack && a->place.offset == b->place.offset;
}

static bool take_segment(struct verifying *v, size_t *ret_first, size_t *ret_end)
{
	pthread_mutex_lock(&v->mutex);
	size_t first = v->next, end = first;
	bool stop = v->rc || (v->o->cancel && atomic_load(v->o->cancel));
	while (!stop && end < v->needs.count && same_segment(&v->needs.all[first], &v->needs.all[end]))
		end++;
	v->next = end;
	pthread_mutex_unlock(&v->mutex);
	*ret_first = first;
	*ret_end = end;
	return first < end;
}

static enum err_code check_segment(struct verifying *v, struct reader *rd, size_t first, size_t end, struct err *reterr)
{
	const uint8_t *raw;
	struct err why = ERR_INIT;
	enum err_code rc = reader_segment(rd, &v->needs.all[first].place, &raw, &why);
	if (rc == ERR_CORRUPT) {
		findings_add(&v->findings, "%s (%zu chunks)", why.msg, end - first);
		return ERR_OK;
	}
	if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	for (size_t i = first; i < end; i++) {
		const struct need *n = &v->needs.all[i];
		struct chunk_id id;
		reader_name(rd, raw + n->place.at, n->place.size, &id);
		if (memcmp(id.b, n->id.b, CHUNK_ID_SIZE)) {
			struct index_pack about;
			char name[PACK_NAME_MAX] = "?";
			if (index_find_pack(reader_index(rd), n->place.pack, &about))
				pack_name(about.id, ".pack", name);
			findings_add(
			    &v->findings, "packs/%s at %u: a chunk is not what was stored", name, n->place.offset);
		}
		atomic_fetch_add(&v->chunks, 1);
		atomic_fetch_add(&v->bytes, n->place.size);
	}
	return ERR_OK;
}

static void *check_segments(void *arg)
{
	struct verifying *v = arg;
	CLEANUP(reader_cleanup) struct reader *rd = NULL;
	struct err err = ERR_INIT;
	size_t first, end;
	enum err_code rc = reader_new(v->repo, &rd, &err);
	while (!rc && take_segment(v, &first, &end))
		rc = check_segment(v, rd, first, end, &err);
	pthread_mutex_lock(&v->mutex);
	if (rc && !v->rc) {
		v->rc = rc;
		v->err = err;
	}
	v->running--;
	pthread_cond_signal(&v->done);
	pthread_mutex_unlock(&v->mutex);
	return NULL;
}

static void report(const struct verifying *v)
{
	if (v->o->progress)
		v->o->progress(v->o->progress_ctx,
		    &(struct snapshot_progress){
			.entries = v->chunks, .entries_total = v->earlier + v->needs.count, .bytes_read = v->bytes});
}

static void wait_for_workers(struct verifying *v)
{
	pthread_mutex_lock(&v->mutex);
	while (v->running) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&v->done, &v->mutex, &until);
		pthread_mutex_unlock(&v->mutex);
		report(v);
		findings_tell(&v->findings, v->o->on_finding, v->o->ctx);
		pthread_mutex_lock(&v->mutex);
	}
	pthread_mutex_unlock(&v->mutex);
}

static enum err_code check_chunks(struct verifying *v, struct err *reterr)
{
	pthread_t threads[SNAPSHOT_WORKERS_MAX];
	unsigned count = scan_workers(v->o->workers), started = 0;
	v->running = count;
	while (started < count && !pthread_create(&threads[started], NULL, check_segments, v))
		started++;
	if (started < count) {
		pthread_mutex_lock(&v->mutex);
		v->running -= count - started;
		pthread_mutex_unlock(&v->mutex);
	}
	if (!started)
		return err_set(reterr, ERR_NOMEM, "cannot start a thread");
	wait_for_workers(v);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (v->rc && reterr)
		*reterr = v->err;
	if (!v->rc && v->o->cancel && atomic_load(v->o->cancel))
		return err_set(reterr, ERR_CANCELLED, "cancelled");
	return v->rc;
}

/* ---- trees ---- */

/* All that has gathered: the order of a tree is mostly that of the packs, so that batches of it hardly overlap. */
static enum err_code check_batch(struct verifying *v, struct err *reterr)
{
	needs_sort(&v->needs);
	enum err_code rc = check_chunks(v, reterr);
	v->earlier += v->needs.count;
	v->needs.count = v->next = 0;
	return rc;
}

static enum err_code check_page(
    struct verifying *v, struct reader *rd, const struct tree *page, const char *name, struct err *reterr)
{
	enum err_code rc = needs_add_tree(&v->needs, rd, page, NULL, 0, name, &v->findings, reterr);
	if (!rc && v->o->sample)
		sample_take(&v->sample, &v->needs);
	return !rc && v->needs.count >= VERIFY_BATCH ? check_batch(v, reterr) : rc;
}

static enum err_code check_pages(struct verifying *v, struct reader *rd, struct bytes references, const char *name,
    struct tree_digest *digest, struct err *why)
{
	struct reader_pages pages = READER_PAGES(references);
	bool more = true;
	enum err_code rc = ERR_OK;
	while (!rc && (rc = reader_next_page(rd, &pages, &more, why)) == ERR_OK && more) {
		tree_digest_blocks(digest, &pages.tree, 0);
		rc = check_page(v, rd, &pages.tree, name, why);
	}
	reader_pages_done(&pages);
	return rc;
}

static enum err_code check_tree(struct verifying *v, struct reader *rd, const struct snapshot_component *c,
    const struct manifest_tree *t, struct err *reterr)
{
	const char *name = enum_name(&component_enum, c->component);
	struct digest digest;
	struct err why = ERR_INIT;
	CLEANUP(tree_digest_cleanup) struct tree_digest *d = tree_digest_new();
	if (!d)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = needs_add_pages(&v->needs, rd, t->pages, NULL, 0, name, &v->findings, reterr);
	if (rc)
		return rc;
	rc = check_pages(v, rd, t->pages, name, d, &why);
	if (rc == ERR_CORRUPT) {
		findings_add(&v->findings, "%s: %s", name, why.msg);
		return ERR_OK;
	}
	if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	tree_digest_end(d, &digest, NULL, NULL, NULL);
	if (memcmp(digest.b, c->digest.b, sizeof digest.b))
		findings_add(&v->findings, "%s: its digest is not the one that was signed", name);
	return ERR_OK;
}

static enum err_code check_trees(struct verifying *v, const struct manifest *m, struct err *reterr)
{
	CLEANUP(reader_cleanup) struct reader *rd = NULL;
	enum err_code rc = reader_new(v->repo, &rd, reterr);
	for (size_t i = 0; i < m->trees.count && !rc; i++)
		rc = check_tree(v, rd, &LIST_AT(m->summary.components, struct snapshot_component, i),
		    &LIST_AT(m->trees, struct manifest_tree, i), reterr);
	return rc;
}

/* ---- the whole ---- */

struct verdict_of {
	const struct verify_options *o;
	const char *damage;
};

static void set_verdict(void *ctx, struct snapshot_marks *marks)
{
	const struct verdict_of *d = ctx;
	if (d->damage) {
		marks->damage = d->damage;
		marks->verified_ms = 0;
		return;
	}
	if (d->o->sample) {
		marks->sampled_ms = d->o->now_ms;
		return;
	}
	marks->damage = NULL;
	marks->verified_ms = d->o->now_ms;
}

static enum err_code verify(
    struct verifying *v, struct id id, struct arena *arena, uint64_t *ret_total, struct err *reterr)
{
	struct manifest m;
	struct err why = ERR_INIT;
	enum err_code rc = manifest_read(v->repo, id, arena, &m, &why);
	if (rc == ERR_CORRUPT) {
		findings_add(&v->findings, "%s", why.msg);
		return ERR_OK;
	}
	if (rc)
		return err_set(reterr, rc, "%s", why.msg);
	sample_begin(&v->sample);
	rc = check_trees(v, &m, reterr);
	if (v->o->sample) {
		sample_end(&v->sample, &v->needs, ret_total);
	} else {
		needs_sort(&v->needs);
		*ret_total = v->earlier + v->needs.count;
	}
	return rc ? rc : check_chunks(v, reterr);
}

enum err_code snapshot_verify(
    struct repo *r, struct id id, const struct verify_options *o, struct verify_result *ret, struct err *reterr)
{
	struct verifying v = {.repo = r, .o = o};
	struct verify_result result = {0};
	char name[ID_TEXT_MAX], damage[TEXT_LINE_MAX];
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(ARENA_LIMIT);
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	findings_init(&v.findings);
	pthread_mutex_init(&v.mutex, NULL);
	pthread_cond_init(&v.done, NULL);
	enum err_code rc = verify(&v, id, arena, &result.chunks_total, reterr);
	findings_tell(&v.findings, o->on_finding, o->ctx);
	report(&v);
	result.chunks = v.chunks;
	result.bytes = v.bytes;
	result.findings = v.findings.count;
	struct verdict_of verdict = {o, NULL};
	if (!rc && result.findings) {
		const char *first = findings_first(&v.findings);
		text_copy(damage, sizeof damage, first ? first : "damaged");
		verdict.damage = damage;
	}
	if (!rc && o->now_ms)
		rc = snapshot_mark(r, id, set_verdict, &verdict, reterr);
	if (!rc) {
		*ret = result;
		if (result.findings)
			rc = err_set(reterr, ERR_CORRUPT, "%s is damaged (%llu findings): %s",
			    id_format(ID_SNAPSHOT, id, name), (unsigned long long)result.findings, damage);
	}
	findings_done(&v.findings);
	needs_done(&v.needs);
	pthread_mutex_destroy(&v.mutex);
	pthread_cond_destroy(&v.done);
	return rc;
}
