/* Two trees side by side. */
#include "agent/snapshot/live.h"
#include "agent/snapshot/roots.h"
#include "agent/snapshot/taking.h"

#include "shared/base/text.h"

enum { NANO_PER_MS = 1000000 };

/* One tree as a sequence of directories, each a run of blocks. */
struct side {
	const struct tree *tree;
	const struct snapshot_component *about;
	size_t block;
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
	bool recut; /* a large file may be the same and only cut in another way */
};
struct names { /* walks the entries of one directory */
	const struct tree *tree;
	size_t block, end;
	uint32_t at;
	const uint8_t *entry; /* NULL: no more */
};

static void names_settle(struct names *n)
{
	while (n->entry && n->at == n->tree->blocks[n->block].count) {
		n->at = 0;
		n->entry = ++n->block < n->end ? n->tree->blocks[n->block].entries : NULL;
	}
}

static void names_next(struct names *n)
{
	n->entry += entry_size(n->entry);
	n->at++;
	names_settle(n);
}

/* The directory at s->block; the side moves behind it. */
static struct names take_directory(struct side *s)
{
	size_t first = s->block;
	while (
	    s->block < s->tree->block_count && tree_same_directory(&s->tree->blocks[first], &s->tree->blocks[s->block]))
		s->block++;
	struct names n = {s->tree, first, s->block, 0, s->tree->blocks[first].entries};
	names_settle(&n);
	return n;
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
	if (c->a.block == c->a.tree->block_count)
		return 1;
	if (c->b.block == c->b.tree->block_count)
		return -1;
	const struct tree_block *a = &c->a.tree->blocks[c->a.block], *b = &c->b.tree->blocks[c->b.block];
	uint16_t x = (uint16_t)(root_of(c, &c->a, a) + 1), y = (uint16_t)(root_of(c, &c->b, b) + 1);
	return x != y ? (x > y) - (x < y) : tree_path_compare(a->path, a->path_size, b->path, b->path_size);
}

static void compare_directory(
    struct comparing *c, uint16_t root, const struct tree_block *where, struct names a, struct names b)
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
		if (tree_entry_path(where, one ? one : other, path) && !(root == TREE_ROOTS && !one)) {
			if (one && other)
				compare_pair(c, root_number, path, one, other);
			else
				tell(c, one ? CHANGE_REMOVED : CHANGE_ADDED, root_number, path, one, other);
		}
		if (one)
			names_next(&a);
		if (other)
			names_next(&b);
	}
}

/* Roots that only the second has are no part of the comparison. */
static void skip_unmatched(struct comparing *c)
{
	while (c->b.block < c->b.tree->block_count && c->b.tree->blocks[c->b.block].root != TREE_ROOTS &&
	       root_of(c, &c->b, &c->b.tree->blocks[c->b.block]) == SNAPSHOT_ROOTS_MAX)
		(void)take_directory(&c->b);
}

static void compare_trees(struct comparing *c)
{
	skip_unmatched(c);
	while (!c->enough && (c->a.block < c->a.tree->block_count || c->b.block < c->b.tree->block_count)) {
		static const struct names none;
		int order = directory_order(c);
		struct side *s = order <= 0 ? &c->a : &c->b;
		const struct tree_block *where = &s->tree->blocks[s->block];
		uint16_t root = root_of(c, s, where);
		struct names a = order <= 0 ? take_directory(&c->a) : none;
		struct names b = order >= 0 ? take_directory(&c->b) : none;
		compare_directory(c, root, where, a, b);
		skip_unmatched(c);
	}
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
		struct comparing c = {{&first->trees[which], a, 0, false}, {&second->trees[which], b, 0, false},
		    (enum component)which, on_change, ctx, r, {0}, false, false};
		r->compared = true;
		r->digest = b->digest;
		r->entries = b->entries;
		r->size_bytes = b->size_bytes;
		text_copy(r->version_before, sizeof r->version_before, a->version ? a->version : "");
		text_copy(r->version_now, sizeof r->version_now, b->version ? b->version : "");
		match_roots(&c);
		if (memcmp(a->digest.b, b->digest.b, sizeof a->digest.b))
			compare_trees(&c);
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
	struct tree live = {0};
	struct scan_totals totals;
	struct diff_component *r = c->result;
	bool by_digest = o->likely_same && !o->stat_only;
	enum err_code rc = live_scan(s->repo, about, c->a.tree, &lo, by_digest ? NULL : &live, &totals, reterr);
	if (!rc && by_digest && memcmp(totals.digest.b, about->digest.b, sizeof totals.digest.b))
		rc = live_scan(s->repo, about, c->a.tree, &lo, &live, &totals, reterr);
	if (rc)
		return rc;
	r->compared = true;
	r->entries = totals.entries;
	r->size_bytes = totals.bytes;
	if (!o->stat_only)
		r->digest = totals.digest;
	text_copy(r->version_before, sizeof r->version_before, about->version ? about->version : "");
	roots_version_now(about, r->version_now);
	c->b = (struct side){&live, about, 0, true};
	match_live_roots(c);
	if (o->stat_only || memcmp(totals.digest.b, about->digest.b, sizeof totals.digest.b))
		compare_trees(c);
	tree_done(&live);
	return ERR_OK;
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
		struct comparing c = {.a = {&s->trees[which], about, 0, false},
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

static void compare_with(struct comparing *c, const struct snapshot_component *now, struct diff_component *r)
{
	r->compared = true;
	r->digest = now->digest;
	r->entries = now->entries;
	r->size_bytes = now->size_bytes;
	text_copy(r->version_before, sizeof r->version_before, c->a.about->version ? c->a.about->version : "");
	text_copy(r->version_now, sizeof r->version_now, now->version ? now->version : "");
	match_roots(c);
	if (memcmp(c->a.about->digest.b, now->digest.b, sizeof now->digest.b))
		compare_trees(c);
}

static bool diff_taking(struct snapshot *s, const struct snapshot_taking *taken, const struct diff_options *o,
    snapshot_change_fn *on_change, void *ctx, struct diff_result *ret)
{
	*ret = (struct diff_result){0};
	for (uint32_t which = 0; which < COMPONENT_COUNT; which++) {
		const struct snapshot_component *a =
		    snapshot_summary_component(snapshot_about(s), (enum component)which);
		const struct snapshot_component *b = taking_about(taken, (enum component)which);
		if ((!a && !b) || !is_chosen(o, which) || (a && only_prepared(a)))
			continue;
		if (!same_roots(a, b))
			return false;
		struct comparing c = {.a = {&s->trees[which], a, 0, false},
		    .b = {taking_tree(taken, (enum component)which), b, 0, true},
		    .component = (enum component)which,
		    .on_change = on_change,
		    .ctx = ctx,
		    .result = &ret->component[which]};
		compare_with(&c, b, c.result);
		if (c.recut)
			return false;
		if (c.enough)
			break;
	}
	return true;
}

enum err_code snapshot_diff_taking(struct snapshot *s, const struct snapshot_taking *taken,
    const struct diff_options *o, snapshot_change_fn *on_change, void *ctx, bool *ret_comparable,
    struct diff_result *ret, struct err *reterr)
{
	struct diff_result result;
	if (o->cancel && atomic_load(o->cancel))
		return err_set(reterr, ERR_CANCELLED, "cancelled");
	*ret_comparable = diff_taking(s, taken, o, on_change, ctx, &result);
	if (*ret_comparable)
		*ret = result;
	return ERR_OK;
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
	rc = live_scan(r, &about, reference ? &reference->trees[component] : NULL, &o, NULL, &totals, reterr);
	if (rc)
		return rc;
	*ret = totals.digest;
	if (ret_entries)
		*ret_entries = totals.entries;
	if (ret_bytes)
		*ret_bytes = totals.bytes;
	return ERR_OK;
}
