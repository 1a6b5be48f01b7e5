/* From the directories of a scan to a tree: links numbered, blocks in order, pages and digest. */
#include "agent/snapshot/scan_internal.h"

#include "shared/base/map.h"

/* Depth-first; directories without entries have no block. */
static struct scan_node *next_node(struct scan_node *n)
{
	if (n->child)
		return n->child;
	while (n && !n->sibling)
		n = n->parent;
	return n ? n->sibling : NULL;
}

/* ---- hard links ---- */

struct group {
	struct group *next;
	uint64_t count, number;
};

static enum err_code count_links(struct scan *s, struct map *groups, struct group **all, struct err *reterr)
{
	for (struct scan_node *n = s->top; n; n = next_node(n))
		for (size_t i = 0; i < n->link_count; i++) {
			const uint64_t key[2] = {n->links[i].device, n->links[i].inode};
			struct group *g = map_get(groups, key, sizeof key);
			if (!g) {
				g = calloc(1, sizeof *g);
				if (!g || !map_put(groups, key, sizeof key, g)) {
					free(g);
					return err_set(reterr, ERR_NOMEM, "out of memory");
				}
				g->next = *all;
				*all = g;
			}
			g->count++;
		}
	return ERR_OK;
}

/* Numbers in order of first appearance, so that the same tree always gets the same ones; a name whose other names are
 * elsewhere has none. */
static void number_links(struct scan *s, struct map *groups)
{
	uint64_t last = 0;
	for (struct scan_node *n = s->top; n; n = next_node(n))
		for (size_t i = 0; i < n->link_count; i++) {
			const uint64_t key[2] = {n->links[i].device, n->links[i].inode};
			struct group *g = map_get(groups, key, sizeof key);
			if (g->count < 2)
				continue;
			if (!g->number)
				g->number = ++last;
			entry_set_link(n->entries.data + n->links[i].at, g->number);
		}
}

static enum err_code resolve_links(struct scan *s, struct err *reterr)
{
	struct group *all = NULL;
	struct map *groups = map_new();
	if (!groups)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = count_links(s, groups, &all, reterr);
	if (!rc)
		number_links(s, groups);
	map_free(groups);
	while (all) {
		struct group *next = all->next;
		free(all);
		all = next;
	}
	return rc;
}

/* ---- pages and digest ---- */

static void digest_block(struct tree_digest *d, const struct scan_node *n)
{
	tree_digest_directory(d, n->root, n->path, strlen(n->path));
	for (size_t at = 0; at < n->entries.size; at += entry_size(n->entries.data + at))
		tree_digest_entry(d, n->entries.data + at);
}

enum err_code scan_assemble(struct scan *s, tree_page_fn *put, void *ctx, struct scan_totals *ret, struct err *reterr)
{
	struct tree_pager pager = {.key = s->o.repo->page_key, .put = put, .ctx = ctx};
	CLEANUP(tree_digest_cleanup) struct tree_digest *digest = tree_digest_new();
	if (!digest)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = resolve_links(s, reterr);
	for (struct scan_node *n = s->top; n && !rc; n = next_node(n)) {
		if (!n->entries.size)
			continue;
		digest_block(digest, n);
		rc = tree_pager_block(&pager, n->root, n->path, n->entries.data, n->entries.size, reterr);
		buf_done(&n->entries);
	}
	if (!rc)
		rc = tree_pager_end(&pager, reterr);
	tree_pager_done(&pager);
	if (!rc)
		tree_digest_end(digest, &ret->digest, &ret->entries, &ret->files, &ret->bytes);
	return rc;
}
