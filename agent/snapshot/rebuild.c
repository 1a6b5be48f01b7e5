/* Index and catalogue anew from what is there. */
#include "agent/snapshot/catalogue.h"
#include "agent/snapshot/upkeep.h"

enum err_code repo_rebuild_index(
    struct repo *r, repo_finding_fn *on_finding, void *ctx, uint64_t *ret_chunks, struct err *reterr)
{
	struct index *x;
	enum err_code rc = repo_index(r, &x, reterr);
	if (!rc)
		rc = repo_fill_index(r, x, on_finding, ctx, ret_chunks, reterr);
	return rc ? rc : catalogue_remake(r, reterr);
}
