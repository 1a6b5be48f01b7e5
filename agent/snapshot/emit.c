/* From the folders of a scan, in order, to the pages and the digest of a tree.
 *
 * Folders go straight into pages until one holds a name of a file that has several.  Which of those names are in this
 * tree is only known at the end, and the first of them is written differently then; so from that folder on everything
 * waits in a spool, outside of memory, sealed under a key that nobody keeps. */
#include "agent/repository/spool.h"
#include "agent/snapshot/scan_internal.h"
#include "shared/base/map.h"

enum { SPOOL_BLOCK = 1 << 20 };

struct group { /* names of one file */
	struct group *next;
	uint64_t count, number;
};

struct emitter {
	const struct scan_options *o;
	struct tree_pager pager;
	struct packer *packer; /* of the thread at work */
	struct tree_digest *digest;
	struct map *groups;
	struct group *all;
	uint64_t last_number;
	struct spool *spool; /* NULL: not begun */
	struct buf block;    /* of folders, on its way there */
};

/* What a folder in the spool begins with; then its path, its links and its entries. */
struct spooled {
	uint16_t root;
	uint32_t path_size;
	uint64_t link_count, entries_size;
};

static enum err_code put_page(void *ctx, const uint8_t *data, size_t size, struct err *reterr)
{
	const struct emitter *e = ctx;
	return e->o->put(e->o->put_ctx, e->packer, data, size, reterr);
}

enum err_code emitter_new(const struct scan_options *o, struct emitter **ret, struct err *reterr)
{
	struct emitter *e = calloc(1, sizeof *e);
	if (!e)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	e->o = o;
	e->pager = (struct tree_pager){.key = o->repo->page_key, .put = put_page, .ctx = e};
	e->block.limit = SIZE_MAX;
	e->digest = tree_digest_new();
	e->groups = map_new();
	if (!e->digest || !e->groups) {
		emitter_free(e);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	*ret = e;
	return ERR_OK;
}

void emitter_free(struct emitter *e)
{
	if (!e)
		return;
	while (e->all) {
		struct group *next = e->all->next;
		free(e->all);
		e->all = next;
	}
	map_free(e->groups);
	tree_pager_done(&e->pager);
	tree_digest_free(e->digest);
	spool_free(e->spool);
	buf_done(&e->block);
	free(e);
}

/* ---- pages and digest ---- */

static enum err_code write_folder(
    struct emitter *e, uint16_t root, const char *path, const uint8_t *entries, size_t size, struct err *reterr)
{
	tree_digest_directory(e->digest, root, path, strlen(path));
	for (size_t at = 0; at < size; at += entry_size(entries + at))
		tree_digest_entry(e->digest, entries + at);
	return e->o->put ? tree_pager_block(&e->pager, root, path, entries, size, reterr) : ERR_OK;
}

/* ---- hard links ---- */

static struct group *group_of(const struct emitter *e, const struct scan_link *l)
{
	const uint64_t key[2] = {l->device, l->inode};
	return map_get(e->groups, key, sizeof key);
}

static enum err_code count_links(struct emitter *e, const struct scan_node *n, struct err *reterr)
{
	for (size_t i = 0; i < n->link_count; i++) {
		const uint64_t key[2] = {n->links[i].device, n->links[i].inode};
		struct group *g = group_of(e, &n->links[i]);
		if (!g) {
			g = calloc(1, sizeof *g);
			if (!g || !map_put(e->groups, key, sizeof key, g)) {
				free(g);
				return err_set(reterr, ERR_NOMEM, "out of memory");
			}
			g->next = e->all;
			e->all = g;
		}
		g->count++;
	}
	return ERR_OK;
}

/* Numbers in order of first appearance, so that the same tree always gets the same ones; a name whose other names are
 * elsewhere has none. */
static void number_link(struct emitter *e, const struct scan_link *l, uint8_t *entries)
{
	struct group *g = group_of(e, l);
	if (g->count < 2)
		return;
	if (!g->number)
		g->number = ++e->last_number;
	entry_set_link(entries + l->at, g->number);
}

/* ---- the spool ---- */

static enum err_code put_aside(struct emitter *e, struct err *reterr)
{
	enum err_code rc = e->block.size ? spool_add(e->spool, e->block.data, e->block.size, reterr) : ERR_OK;
	buf_clear(&e->block);
	return rc;
}

static enum err_code add_folder(struct emitter *e, const struct scan_node *n, struct err *reterr)
{
	struct buf *b = &e->block;
	struct spooled head = {n->root, (uint32_t)strlen(n->path) + 1, n->link_count, n->entries.size};
	buf_append(b, &head, sizeof head);
	buf_append(b, n->path, head.path_size);
	buf_append(b, n->links, n->link_count * sizeof *n->links);
	buf_append(b, n->entries.data, n->entries.size);
	if (b->failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return b->size >= SPOOL_BLOCK ? put_aside(e, reterr) : ERR_OK;
}

/* A block is what add_folder made: our own memory, or authenticated. */
static enum err_code write_block(struct emitter *e, uint8_t *block, size_t size, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (uint8_t *p = block; p < block + size && !rc;) {
		struct spooled head;
		memcpy(&head, p, sizeof head);
		const char *path = (const char *)p + sizeof head;
		const uint8_t *links = p + sizeof head + head.path_size;
		uint8_t *entries = p + sizeof head + head.path_size + head.link_count * sizeof(struct scan_link);
		for (uint64_t i = 0; i < head.link_count; i++) {
			struct scan_link l;
			memcpy(&l, links + i * sizeof l, sizeof l);
			number_link(e, &l, entries);
		}
		rc = write_folder(e, head.root, path, entries, head.entries_size, reterr);
		p = entries + head.entries_size;
	}
	return rc;
}

static enum err_code write_spooled(struct emitter *e, struct err *reterr)
{
	enum err_code rc = put_aside(e, reterr);
	for (size_t i = 0; !rc && i < spool_count(e->spool); i++) {
		rc = spool_get(e->spool, i, &e->block, reterr);
		if (!rc)
			rc = write_block(e, e->block.data, e->block.size, reterr);
	}
	return rc;
}

/* ---- the whole ---- */

/* Directories without entries have no block. */
enum err_code emitter_add(struct emitter *e, struct packer *packer, struct scan_node *n, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (!n->entries.size)
		return ERR_OK;
	e->packer = packer;
	if (n->link_count && !e->spool)
		rc = spool_new(e->o->repo, &e->spool, reterr);
	if (!rc)
		rc = count_links(e, n, reterr);
	if (rc)
		return rc;
	return e->spool ? add_folder(e, n, reterr)
			: write_folder(e, n->root, n->path, n->entries.data, n->entries.size, reterr);
}

enum err_code emitter_end(struct emitter *e, struct packer *packer, struct scan_totals *ret, struct err *reterr)
{
	e->packer = packer;
	enum err_code rc = e->spool ? write_spooled(e, reterr) : ERR_OK;
	if (!rc && e->o->put)
		rc = tree_pager_end(&e->pager, reterr);
	if (!rc)
		tree_digest_end(e->digest, &ret->digest, &ret->entries, &ret->files, &ret->bytes);
	return rc;
}
