/* The index anew from the packs' own. */
#include "agent/snapshot/catalogue.h"

static void additions_done(struct index_addition *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pack_index_done(&all[i].content);
	free(all);
}

static enum err_code read_all(struct repo *r, const struct pack_id *ids, size_t id_count, repo_finding_fn *on_finding,
    void *ctx, struct index_addition *all, size_t *ret_count, uint64_t *ret_chunks, struct err *reterr)
{
	size_t count = 0;
	for (size_t i = 0; i < id_count; i++) {
		CLEANUP(pack_cleanup) struct pack *pack = NULL;
		struct err why = ERR_INIT;
		struct index_addition *a = &all[count];
		enum err_code rc = pack_open(r->packs_fd, ids[i], r->keys, &pack, &why);
		if (!rc)
			rc = pack_read_index(pack, &a->content, &why);
		if (rc == ERR_NOMEM) {
			*ret_count = count;
			return err_set(reterr, rc, "out of memory");
		}
		if (rc) {
			if (on_finding)
				on_finding(ctx, why.msg);
			continue;
		}
		a->id = ids[i];
		a->size = pack_size(pack);
		*ret_chunks += a->content.chunk_count;
		count++;
	}
	*ret_count = count;
	return ERR_OK;
}

struct rebuilding {
	struct repo *repo;
	repo_finding_fn *on_finding;
	void *ctx;
	struct index_addition *all;
	size_t count;
	uint64_t chunks;
};

static enum err_code gather(void *ctx, const struct index_addition **ret, size_t *ret_count, struct err *reterr)
{
	struct rebuilding *b = ctx;
	CLEANUP(cleanup_free) struct pack_id *ids = NULL;
	size_t id_count = 0;
	enum err_code rc = repo_pack_files(b->repo, &ids, &id_count, reterr);
	if (rc)
		return rc;
	b->all = calloc(id_count + 1, sizeof *b->all);
	if (!b->all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rc = read_all(b->repo, ids, id_count, b->on_finding, b->ctx, b->all, &b->count, &b->chunks, reterr);
	*ret = b->all;
	*ret_count = b->count;
	return rc;
}

enum err_code repo_fill_index(
    struct repo *r, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr)
{
	struct rebuilding b = {.repo = r, .on_finding = on_finding, .ctx = ctx};
	enum err_code rc = index_replace(r->index, gather, &b, reterr);
	additions_done(b.all, b.count);
	if (!rc)
		*ret_chunks = b.chunks;
	return rc;
}

enum err_code repo_rebuild_index(
    struct repo *r, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr)
{
	enum err_code rc = repo_fill_index(r, on_finding, ctx, ret_chunks, reterr);
	return rc ? rc : catalogue_remake(r, reterr);
}
