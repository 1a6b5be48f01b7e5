/* Two trees side by side. */
#include "agent/snapshot/live.h"
#include "agent/snapshot/roots.h"
#include "agent/snapshot/taking.h"

#include "shared/base/text.h"

enum { NANO_PER_MS = 1000000 };

/* One tree as a sequence of directories, each a run of blocks. */
struct side {
	struct paged_walk walk; /* block: where the next directory begins; NULL: no more */
	const struct snapshot_component *about;
	bool live;
};
struct comparing {
	struct side a, b;
	enum component component;
	snapshot_change_fn *on_change;
	void *ctx;
	struct diff_component *result;
	uint16_t b_roots[SNAPSHOT_ROOTS_MAX + 1]; /* the first's index of each root of the second */
	bool enough;
	bool recut;               /* a large file may be the same and only cut in another way */
	uint8_t path[PATH_LIMIT]; /* of the directory at hand */
	enum err_code rc;
	struct err err; /* a page could not be read */
};
struct names { /* walks the entries of one directory */
	struct comparing *c;
	struct side *side; /* NULL: it is not there */
	uint32_t at;
	const uint8_t *entry; /* NULL: no more */
};

static void next_block(struct comparing *c, struct side *s)
{
	enum err_code rc = paged_walk_next(&s->walk, &c->err);
	if (rc) {
		c->rc = rc;
		c->enough = true;
	}
}

/* The side moves along, at last behind the directory. */
static void names_settle(struct names *n, const struct tree_block *where)
{
	while (n->entry && n->at == n->side->walk.block->count) {
		next_block(n->c, n->side);
		const struct tree_block *b = n->side->walk.block;
		n->at = 0;
		n->entry = b && tree_same_directory(where, b) ? b->entries : NULL;
	}
}

static void names_next(struct names *n, const struct tree_block *where)
{
	n->entry += entry_size(n->entry);
	n->at++;
	names_settle(n, where);
}

static struct names take_directory(struct comparing *c, struct side *s)
{
	return (struct names){c, s, 0, s->walk.block->entries};
}

static int compare_names(const uint8_t *a, const uint8_t *b)
{
	size_t n = entry_name_size(a), m = entry_name_size(b);
	int order = memcmp(entry_name(a), entry_name(b), n < m ? n : m);
	return order ? order : (n > m) - (n < m);
}

static uint64_t to_ms(int64_t ns)
{
	return ns > 0 ? (uint64_t)ns / NANO_PER_MS : 0;
}

static uint64_t changed_at(const struct comparing *c, const uint8_t *after)
{
	if (!after)
		return 0;
	uint64_t mtime = to_ms(entry_mtime(after)), ctime = c->b.live ? to_ms(entry_ctime(after)) : 0;
	return mtime > ctime ? mtime : ctime;
}

static void count(struct comparing *c, enum change_kind kind, uint64_t changed_ms)
{
	struct diff_component *r = c->result;
	switch (kind) {
	case CHANGE_ADDED:
		r->added++;
		break;
	case CHANGE_REMOVED:
		r->removed++;
		break;
	case CHANGE_CONTENT:
		r->content++;
		break;
	default:
		r->metadata++;
		break;
	}
	if (changed_ms > r->newest_change_ms)
		r->newest_change_ms = changed_ms;
}

static void tell(
    struct comparing *c, enum change_kind kind, uint32_t root, const char *path, const uint8_t *a, const uint8_t *b)
{
	struct snapshot_entry before, after;
	bool prepared = c->b.live && root < c->a.about->roots.count &&
			LIST_AT(c->a.about->roots, struct snapshot_root, root).kind == ROOT_PREPARED;
	if (prepared)
		return;
	struct snapshot_change change = {.kind = kind, .component = c->component, .root = root, .path = path};
	/* What is gone shows in its folder's times only. */
	change.changed_ms = changed_at(c, b);
	if (a && snapshot_entry_fill(c->a.about, c->component, root, path, a, &before))
		change.before = &before;
	if (b && snapshot_entry_fill(c->a.about, c->component, root, path, b, &after))
		change.after = &after;
	change.root_path = change.before ? change.before->root_path : change.after ? change.after->root_path : "";
	count(c, kind, change.changed_ms);
	if (c->on_change && !c->on_change(c->ctx, &change))
		c->enough = true;
}

static void compare_pair(struct comparing *c, uint32_t root, const char *path, const uint8_t *a, const uint8_t *b)
{
	bool devices = entry_kind(a) == ENTRY_CHARACTER || entry_kind(a) == ENTRY_BLOCK;
	if (c->b.live && entry_kind(a) == ENTRY_FILE && entry_kind(b) == ENTRY_FILE &&
	    entry_length(a) == entry_length(b) &&
	    (entry_chunking(a) != entry_chunking(b) || entry_pages(a) != entry_pages(b)))
		c->recut = true;
	if (!entry_same_content(a, b) || (!devices && entry_link(a) != entry_link(b)))
		tell(c, CHANGE_CONTENT, root, path, a, b);
	else if (!entry_same_metadata(a, b))
		tell(c, CHANGE_METADATA, root, path, a, b);
}

/* ---- directories ---- */

static uint16_t root_of(const struct comparing *c, const struct side *s, const struct tree_block *b)
{
	return b->root == TREE_ROOTS || s == &c->a ? b->root : c->b_roots[b->root];
}

static int directory_order(const struct comparing *c)
{
	const struct tree_block *a = c->a.walk.block, *b = c->b.walk.block;
	if (!a)
		return 1;
	if (!b)
		return -1;
	uint16_t x = (uint16_t)(root_of(c, &c->a, a) + 1), y = (uint16_t)(root_of(c, &c->b, b) + 1);
	return x != y ? (x > y) - (x < y) : tree_path_compare(a->path, a->path_size, b->path, b->path_size);
}

/* where_a, where_b: the directory as each numbers it. */
static void compare_directory(struct comparing *c, uint16_t root, struct names a, const struct tree_block *where_a,
    struct names b, const struct tree_block *where_b)
{
	uint32_t number = 0;
	char path[PATH_LIMIT];
	while ((a.entry || b.entry) && !c->enough) {
		int order = !a.entry ? 1 : !b.entry ? -1 : compare_names(a.entry, b.entry);
		const uint8_t *one = order <= 0 ? a.entry : NULL, *other = order >= 0 ? b.entry : NULL;
		/* Roots are counted by the first; what only the second has lies under no root of the first, and is not
		 * told. */
		uint32_t root_number = root == TREE_ROOTS ? number : root;
		if (one && root == TREE_ROOTS)
			number++;
		if (tree_entry_path(where_a, one ? one : other, path) && !(root == TREE_ROOTS && !one)) {
			if (one && other)
				compare_pair(c, root_number, path, one, other);
			else
				tell(c, one ? CHANGE_REMOVED : CHANGE_ADDED, root_number, path, one, other);
		}
		if (one)
			names_next(&a, where_a);
		if (other)
			names_next(&b, where_b);
	}
}

/* Roots that only the second has are no part of the comparison. */
static void skip_unmatched(struct comparing *c)
{
	while (!c->enough && c->b.walk.block && c->b.walk.block->root != TREE_ROOTS &&
	       root_of(c, &c->b, c->b.walk.block) == SNAPSHOT_ROOTS_MAX)
		next_block(c, &c->b);
}

/* Its path is kept, for the page that it stands in may go while its entries are walked. */
static void compare_next(struct comparing *c)
{
	static const struct names none;
	int order = directory_order(c);
	const struct side *s = order <= 0 ? &c->a : &c->b;
	struct tree_block where_a = *s->walk.block, where_b = where_a;
	memcpy(c->path, where_a.path, where_a.path_size);
	where_a.path = where_b.path = c->path;
	if (order >= 0)
		where_b.root = c->b.walk.block->root;
	struct names a = order <= 0 ? take_directory(c, &c->a) : none;
	struct names b = order >= 0 ? take_directory(c, &c->b) : none;
	compare_directory(c, root_of(c, s, &where_a), a, &where_a, b, &where_b);
}

static enum err_code compare_trees(struct comparing *c, struct err *reterr)
{
	next_block(c, &c->a);
	if (!c->enough)
		next_block(c, &c->b);
	skip_unmatched(c);
	while (!c->enough && (c->a.walk.block || c->b.walk.block)) {
		compare_next(c);
		skip_unmatched(c);
	}
	paged_walk_end(&c->a.walk);
	paged_walk_end(&c->b.walk);
	if (c->rc && reterr)
		*reterr = c->err;
	return c->rc;
}

/* Roots by path. */
static void match_roots(struct comparing *c)
{
	for (size_t j = 0; j <= SNAPSHOT_ROOTS_MAX; j++)
		c->b_roots[j] = SNAPSHOT_ROOTS_MAX;
	for (size_t j = 0; j < c->b.about->roots.count; j++)
		for (size_t i = 0; i < c->a.about->roots.count; i++)
			if (text_equal(LIST_AT(c->b.about->roots, struct snapshot_root, j).path,
				LIST_AT(c->a.about->roots, struct snapshot_root, i).path))
				c->b_roots[j] = (uint16_t)i;
}

static bool is_chosen(const struct diff_options *o, uint32_t component)
{
	return !o->components || (o->components & 1u << component);
}

/* ---- two restore points ---- */

enum err_code snapshot_diff(struct snapshot *first, struct snapshot *second, const struct diff_options *o,
    snapshot_change_fn *on_change, void *ctx, struct diff_result *ret, struct err *reterr)
{
	struct diff_result result = {0};
	for (uint32_t which = 0; which < COMPONENT_COUNT; which++) {
		const struct snapshot_component *a =
		    snapshot_summary_component(snapshot_about(first), (enum component)which);
		const struct snapshot_component *b =
		    snapshot_summary_component(snapshot_about(second), (enum component)which);
		if (!a || !b || !is_chosen(o, which))
			continue;
		if (o->cancel && atomic_load(o->cancel))
			return err_set(reterr, ERR_CANCELLED, "cancelled");
		struct diff_component *r = &result.component[which];
		struct comparing c = {{PAGED_WALK(first->trees[which]), a, false},
		    {PAGED_WALK(second->trees[which]), b, false}, (enum component)which, on_change, ctx, r, {0}, false,
		    false, {0}, ERR_OK, ERR_INIT};
		r->compared = true;
		r->digest = b->digest;
		r->entries = b->entries;
		r->size_bytes = b->size_bytes;
		text_copy(r->version_before, sizeof r->version_before, a->version ? a->version : "");
		text_copy(r->version_now, sizeof r->version_now, b->version ? b->version : "");
		match_roots(&c);
		enum err_code rc =
		    memcmp(a->digest.b, b->digest.b, sizeof a->digest.b) ? compare_trees(&c, reterr) : ERR_OK;
		if (rc)
			return rc;
		if (c.enough)
			break;
	}
	*ret = result;
	return ERR_OK;
}

/* ---- a restore point and the live tree ---- */

static bool only_prepared(const struct snapshot_component *c)
{
	for (size_t i = 0; i < c->roots.count; i++)
		if (LIST_AT(c->roots, struct snapshot_root, i).kind != ROOT_PREPARED)
			return false;
	return true;
}

/* Roots that are not there are left out of the live tree, so numbers differ: read them off its own block of roots. */
static void match_live_roots(struct comparing *c)
{
	uint32_t number = 0;
	for (size_t j = 0; j <= SNAPSHOT_ROOTS_MAX; j++)
		c->b_roots[j] = SNAPSHOT_ROOTS_MAX;
	for (size_t i = 0; i < c->a.about->roots.count; i++)
		if (LIST_AT(c->a.about->roots, struct snapshot_root, i).kind != ROOT_PREPARED)
			c->b_roots[number++] = (uint16_t)i;
}

static enum err_code diff_live_component(struct snapshot *s, const struct snapshot_component *about,
    const struct service_config *service, const struct diff_options *o, struct comparing *c, struct err *reterr)
{
	const struct component_config *now = service ? components_get(&service->components, c->component) : NULL;
	struct live_options lo = {
	    .mode = o->stat_only ? SCAN_STAT : SCAN_READ,
	    .trust = !o->exact,
	    .known = o->known && taking_about(o->known, c->component) ? taking_tree(o->known, c->component) : NULL,
	    .exclude_too = now ? &now->exclude : NULL,
	    .workers = o->workers,
	    .cancel = o->cancel,
	};
	CLEANUP(paged_cleanup) struct paged *live = NULL;
	struct scan_totals totals;
	struct diff_component *r = c->result;
	bool by_digest = o->likely_same && !o->stat_only;
	enum err_code rc = paged_made(s->repo, PAGED_LIVE_BYTES, &live, reterr);
	if (!rc)
		rc = live_scan(s->repo, about, c->a.walk.paged, &lo, by_digest ? NULL : live, &totals, reterr);
	if (!rc && by_digest && memcmp(totals.digest.b, about->digest.b, sizeof totals.digest.b))
		rc = live_scan(s->repo, about, c->a.walk.paged, &lo, live, &totals, reterr);
	if (rc)
		return rc;
	r->compared = true;
	r->entries = totals.entries;
	r->size_bytes = totals.bytes;
	if (!o->stat_only)
		r->digest = totals.digest;
	text_copy(r->version_before, sizeof r->version_before, about->version ? about->version : "");
	roots_version_now(about, r->version_now);
	c->b = (struct side){PAGED_WALK(live), about, true};
	match_live_roots(c);
	if (o->stat_only || memcmp(totals.digest.b, about->digest.b, sizeof totals.digest.b))
		rc = compare_trees(c, reterr);
	return rc;
}

enum err_code snapshot_diff_live(struct snapshot *s, const struct service_config *service, const struct diff_options *o,
    snapshot_change_fn *on_change, void *ctx, struct diff_result *ret, struct err *reterr)
{
	struct diff_result result = {0};
	for (uint32_t which = 0; which < COMPONENT_COUNT; which++) {
		const struct snapshot_component *about =
		    snapshot_summary_component(snapshot_about(s), (enum component)which);
		if (!about || !is_chosen(o, which) || only_prepared(about))
			continue;
		struct comparing c = {.a = {PAGED_WALK(s->trees[which]), about, false},
		    .component = (enum component)which,
		    .on_change = on_change,
		    .ctx = ctx,
		    .result = &result.component[which]};
		enum err_code rc = diff_live_component(s, about, service, o, &c, reterr);
		if (rc)
			return err_prefix(reterr, rc, "comparing %s", enum_name(&component_enum, which));
		if (c.enough)
			break;
	}
	*ret = result;
	return ERR_OK;
}

/* ---- a restore point and what is being taken ---- */

/* Entry by entry only where both have the same roots in the same order. */
static bool same_roots(const struct snapshot_component *a, const struct snapshot_component *b)
{
	if (!a || !b || a->roots.count != b->roots.count)
		return false;
	for (size_t i = 0; i < a->roots.count; i++)
		if (!text_equal(LIST_AT(a->roots, struct snapshot_root, i).path,
			LIST_AT(b->roots, struct snapshot_root, i).path))
			return false;
	return true;
}

static enum err_code compare_with(
    struct comparing *c, const struct snapshot_component *now, struct diff_component *r, struct err *reterr)
{
	r->compared = true;
	r->digest = now->digest;
	r->entries = now->entries;
	r->size_bytes = now->size_bytes;
	text_copy(r->version_before, sizeof r->version_before, c->a.about->version ? c->a.about->version : "");
	text_copy(r->version_now, sizeof r->version_now, now->version ? now->version : "");
	match_roots(c);
	return memcmp(c->a.about->digest.b, now->digest.b, sizeof now->digest.b) ? compare_trees(c, reterr) : ERR_OK;
}

static enum err_code diff_taking(struct snapshot *s, const struct snapshot_taking *taken, const struct diff_options *o,
    snapshot_change_fn *on_change, void *ctx, bool *ret_comparable, struct diff_result *ret, struct err *reterr)
{
	*ret_comparable = false;
	for (uint32_t which = 0; which < COMPONENT_COUNT; which++) {
		const struct snapshot_component *a =
		    snapshot_summary_component(snapshot_about(s), (enum component)which);
		const struct snapshot_component *b = taking_about(taken, (enum component)which);
		if ((!a && !b) || !is_chosen(o, which) || (a && only_prepared(a)))
			continue;
		if (!same_roots(a, b))
			return ERR_OK;
		struct comparing c = {.a = {PAGED_WALK(s->trees[which]), a, false},
		    .b = {PAGED_WALK(taking_tree(taken, (enum component)which)), b, true},
		    .component = (enum component)which,
		    .on_change = on_change,
		    .ctx = ctx,
		    .result = &ret->component[which]};
		enum err_code rc = compare_with(&c, b, c.result, reterr);
		if (rc || c.recut)
			return rc;
		if (c.enough)
			break;
	}
	*ret_comparable = true;
	return ERR_OK;
}

enum err_code snapshot_diff_taking(struct snapshot *s, const struct snapshot_taking *taken,
    const struct diff_options *o, snapshot_change_fn *on_change, void *ctx, bool *ret_comparable,
    struct diff_result *ret, struct err *reterr)
{
	struct diff_result result = {0};
	if (o->cancel && atomic_load(o->cancel))
		return err_set(reterr, ERR_CANCELLED, "cancelled");
	enum err_code rc = diff_taking(s, taken, o, on_change, ctx, ret_comparable, &result, reterr);
	if (!rc && *ret_comparable)
		*ret = result;
	return rc;
}

enum err_code snapshot_digest_live(struct repo *r, const struct service_config *service, enum component component,
    struct snapshot *reference, struct digest *ret, uint64_t *ret_entries, uint64_t *ret_bytes, struct err *reterr)
{
	struct component_roots roots;
	struct snapshot_component about = {.component = component};
	struct scan_totals totals;
	const struct component_config *config = components_get(&service->components, component);
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(0);
	if (!arena)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = roots_declared(config, component, NULL, 0, arena, &roots, reterr);
	if (rc)
		return rc;
	about.roots = roots.roots;
	if (config)
		about.exclude = config->exclude;
	struct live_options o = {.mode = SCAN_READ, .trust = true};
	rc = live_scan(r, &about, reference ? reference->trees[component] : NULL, &o, NULL, &totals, reterr);
	if (rc)
		return rc;
	*ret = totals.digest;
	if (ret_entries)
		*ret_entries = totals.entries;
	if (ret_bytes)
		*ret_bytes = totals.bytes;
	return ERR_OK;
}
