/* The index anew from the packs' own. */
#include <stdlib.h>

#include "agent/repository/repo_internal.h"

struct rebuilding {
	struct repo *repo;
	repo_finding_fn *on_finding;
	void *ctx;
	struct pack_id *ids; /* NULL: not looked for yet */
	size_t count, next;
	uint64_t chunks;
};

/* ERR_OK with a size of 0: it was named, and is left out. */
static enum err_code read_pack(struct rebuilding *b, struct pack_id id, struct index_addition *ret, struct err *reterr)
{
	CLEANUP(pack_cleanup) struct pack *pack = NULL;
	struct err why = ERR_INIT;
	*ret = (struct index_addition){.id = id};
	enum err_code rc = pack_open(b->repo->packs_fd, id, b->repo->keys, &pack, &why);
	if (!rc)
		rc = pack_read_index(pack, &ret->content, &why);
	if (rc == ERR_NOMEM)
		return err_set(reterr, rc, "out of memory");
	if (rc && b->on_finding)
		b->on_finding(b->ctx, why.msg);
	if (!rc) {
		ret->size = pack_size(pack);
		b->chunks += ret->content.chunk_count;
	}
	return ERR_OK;
}

static enum err_code next_pack(void *ctx, struct index_addition *ret, bool *ret_end, struct err *reterr)
{
	struct rebuilding *b = ctx;
	enum err_code rc = b->ids ? ERR_OK : repo_pack_files(b->repo, &b->ids, &b->count, reterr);
	for (ret->size = 0; !rc && !ret->size && b->next < b->count;)
		rc = read_pack(b, b->ids[b->next++], ret, reterr);
	*ret_end = !ret->size;
	return rc;
}

enum err_code repo_fill_index(
    struct repo *r, struct index *x, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr)
{
	struct rebuilding b = {.repo = r, .on_finding = on_finding, .ctx = ctx};
	enum err_code rc = index_replace(x, next_pack, &b, reterr);
	free(b.ids);
	if (!rc)
		*ret_chunks = b.chunks;
	return rc;
}
