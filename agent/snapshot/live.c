#include "agent/snapshot/live.h"

#include "agent/snapshot/roots.h"

static enum err_code keep_page(void *ctx, struct packer *packer, const uint8_t *data, size_t size, struct err *reterr)
{
	(void)packer;
	return tree_add_live_page(ctx, data, size, reterr);
}

static enum err_code scan_all(struct repo *r, struct store_run *run, const struct snapshot_component *about,
    const struct tree *base, const struct live_options *o, struct arena *arena, struct tree *ret_tree,
    struct scan_totals *ret_totals, struct err *reterr)
{
	struct component_roots roots;
	struct scan_packers packers = {0};
	struct scan_counts counts;
	size_t count;
	CLEANUP(base_cleanup) struct base *known = NULL, *cut = NULL;
	const struct tree *like = o->known ? o->known : base;
	enum err_code rc = roots_recorded(about, arena, &roots, &count, reterr);
	if (!rc && like && like->block_count)
		rc = base_of_tree(like, &known, reterr);
	if (!rc && o->known && base && base->block_count)
		rc = base_of_tree(base, &cut, reterr);
	if (rc)
		return rc;
	struct scan_options so = {
	    .repo = r,
	    .run = run,
	    .mode = o->mode,
	    .roots = roots.scan,
	    .root_count = count,
	    .exclude = roots.exclude,
	    .exclude_too = o->exclude_too,
	    .base = known,
	    .cut = o->known ? cut : known,
	    .trust_base = o->trust,
	    .missing_ok = true,
	    .put = ret_tree ? keep_page : NULL,
	    .put_ctx = ret_tree,
	    .workers = o->workers,
	    .cancel = o->cancel,
	};
	rc = scan_run(&so, &packers, &counts, ret_totals, reterr);
	scan_packers_done(&packers);
	return rc;
}

enum err_code live_scan(struct repo *r, const struct snapshot_component *about, const struct tree *base,
    const struct live_options *o, struct tree *ret_tree, struct scan_totals *ret_totals, struct err *reterr)
{
	struct tree tree = {0};
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(store_run_cleanup) struct store_run *run = NULL;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = store_run_new(r, false, &run, reterr);
	if (!rc)
		rc = scan_all(r, run, about, base, o, arena, ret_tree ? &tree : NULL, ret_totals, reterr);
	if (rc) {
		tree_done(&tree);
		return rc;
	}
	if (ret_tree)
		*ret_tree = tree;
	return ERR_OK;
}
