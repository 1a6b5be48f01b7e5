#include "agent/snapshot/live.h"

#include "agent/snapshot/roots.h"

static enum err_code keep_page(void *ctx, struct packer *packer, const uint8_t *data, size_t size, struct err *reterr)
{
	(void)packer;
	return paged_add(ctx, data, size, reterr);
}

static enum err_code scan_all(struct repo *r, struct store_run *run, const struct snapshot_component *about,
    struct paged *base, const struct live_options *o, struct arena *arena, struct paged *tree,
    struct scan_totals *ret_totals, struct err *reterr)
{
	struct component_roots roots;
	struct scan_packers packers = {0};
	struct scan_counts counts;
	size_t count;
	enum err_code rc = roots_recorded(about, arena, &roots, &count, reterr);
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
	    .base = o->known ? o->known : base,
	    .cut = base,
	    .trust_base = o->trust,
	    .missing_ok = true,
	    .put = tree ? keep_page : NULL,
	    .put_ctx = tree,
	    .workers = o->workers,
	    .cancel = o->cancel,
	};
	rc = scan_run(&so, &packers, &counts, ret_totals, reterr);
	scan_packers_done(&packers);
	return rc;
}

enum err_code live_scan(struct repo *r, const struct snapshot_component *about, struct paged *base,
    const struct live_options *o, struct paged *tree, struct scan_totals *ret_totals, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	CLEANUP(store_run_cleanup) struct store_run *run = NULL;
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = store_run_new(r, false, &run, reterr);
	return rc ? rc : scan_all(r, run, about, base, o, arena, tree, ret_totals, reterr);
}
