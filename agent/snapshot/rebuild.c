/* The index anew from the packs' own. */
#include "agent/snapshot/repo_internal.h"

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

enum err_code repo_rebuild_index(
    struct repo *r, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr)
{
	CLEANUP(cleanup_free) struct pack_id *ids = NULL;
	size_t id_count = 0, count = 0;
	uint64_t chunks = 0;
	enum err_code rc = repo_pack_files(r, &ids, &id_count, reterr);
	if (rc)
		return rc;
	struct index_addition *all = calloc(id_count + 1, sizeof *all);
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	rc = read_all(r, ids, id_count, on_finding, ctx, all, &count, &chunks, reterr);
	if (!rc)
		rc = index_add(r->index, all, count, true, reterr);
	additions_done(all, count);
	if (!rc)
		*ret_chunks = chunks;
	return rc;
}
