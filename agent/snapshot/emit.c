/* From the folders of a scan, in order, to the pages and the digest of a tree.
 *
 * Folders go straight into pages until one holds a name of a file that has several.  Which of those names are in this
 * tree is only known at the end, and the first of them is written differently then; so from that folder on everything
 * waits in a spool, outside of memory, sealed under a key that nobody keeps. */
#include <errno.h>
#include <fcntl.h>

#include "agent/snapshot/io.h"
#include "agent/snapshot/scan_internal.h"
#include "agent/snapshot/seal.h"
#include "shared/base/map.h"
#include "shared/base/random.h"
#include "shared/base/secret.h"

enum { SPOOL_BLOCK = 1 << 20, SPOOL_BLOCKS_MAX = 1 << 24 };
static const char aad[] = "spool";

struct group { /* names of one file */
	struct group *next;
	uint64_t count, number;
};

struct spool {
	bool begun;
	int fd; /* -1: the file system has no unnamed files, so all stays in the block */
	struct buf block;
	struct buf sizes; /* uint64_t of each block that was written */
	uint64_t at;
	struct sealer *sealer;
};

struct emitter {
	const struct scan_options *o;
	struct tree_pager pager;
	struct packer *packer; /* of the thread at work */
	struct tree_digest *digest;
	struct map *groups;
	struct group *all;
	uint64_t last_number;
	struct spool spool;
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
	e->spool.fd = -1;
	e->spool.block.limit = SIZE_MAX;
	e->spool.sizes.limit = SPOOL_BLOCKS_MAX * sizeof(uint64_t);
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
	sealer_free(e->spool.sealer);
	buf_done(&e->spool.block);
	buf_done(&e->spool.sizes);
	if (e->spool.fd >= 0)
		close(e->spool.fd);
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

static enum err_code spool_begin(struct emitter *e, struct err *reterr)
{
	uint8_t key[KEY_SIZE];
	struct random random;
	random_init_system(&random);
	random_fill(&random, key, sizeof key);
	enum err_code rc = sealer_new(key, &e->spool.sealer, reterr);
	secret_wipe(key, sizeof key);
	if (rc)
		return rc;
	e->spool.begun = true;
	e->spool.fd = openat(e->o->repo->packs_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return ERR_OK;
}

static enum err_code spool_flush(struct spool *s, struct err *reterr)
{
	size_t size = s->block.size;
	uint64_t number = s->sizes.size / sizeof(uint64_t), kept = size;
	if (!size || s->fd < 0)
		return ERR_OK;
	if (!buf_reserve(&s->block, SEAL_TAG_SIZE))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = sealer_seal(s->sealer, number, aad, sizeof aad, s->block.data, size, reterr);
	if (!rc)
		rc = io_pwrite(s->fd, s->block.data, size + SEAL_TAG_SIZE, s->at, reterr);
	if (rc)
		return rc;
	s->at += size + SEAL_TAG_SIZE;
	buf_append(&s->sizes, &kept, sizeof kept);
	buf_clear(&s->block);
	return s->sizes.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

static enum err_code spool_add(struct emitter *e, const struct scan_node *n, struct err *reterr)
{
	struct spool *s = &e->spool;
	struct spooled head = {n->root, (uint32_t)strlen(n->path) + 1, n->link_count, n->entries.size};
	buf_append(&s->block, &head, sizeof head);
	buf_append(&s->block, n->path, head.path_size);
	buf_append(&s->block, n->links, n->link_count * sizeof *n->links);
	buf_append(&s->block, n->entries.data, n->entries.size);
	if (s->block.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return s->block.size >= SPOOL_BLOCK ? spool_flush(s, reterr) : ERR_OK;
}

/* A block is what spool_add wrote: our own memory, or authenticated. */
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

static enum err_code spool_write(struct emitter *e, struct err *reterr)
{
	struct spool *s = &e->spool;
	if (s->fd < 0)
		return write_block(e, s->block.data, s->block.size, reterr);
	enum err_code rc = spool_flush(s, reterr);
	uint64_t at = 0;
	for (uint64_t i = 0; !rc && i < s->sizes.size / sizeof(uint64_t); i++) {
		uint64_t size;
		memcpy(&size, s->sizes.data + i * sizeof size, sizeof size);
		buf_clear(&s->block);
		uint8_t *block = buf_reserve(&s->block, size + SEAL_TAG_SIZE);
		if (!block)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		rc = io_pread_exact(s->fd, block, size + SEAL_TAG_SIZE, at, reterr);
		if (!rc && !sealer_open(s->sealer, i, aad, sizeof aad, block, size))
			rc = err_set(reterr, ERR_CORRUPT, "what was written aside came back changed");
		if (!rc)
			rc = write_block(e, block, size, reterr);
		at += size + SEAL_TAG_SIZE;
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
	if (n->link_count && !e->spool.begun)
		rc = spool_begin(e, reterr);
	if (!rc)
		rc = count_links(e, n, reterr);
	if (rc)
		return rc;
	return e->spool.begun ? spool_add(e, n, reterr)
			      : write_folder(e, n->root, n->path, n->entries.data, n->entries.size, reterr);
}

enum err_code emitter_end(struct emitter *e, struct packer *packer, struct scan_totals *ret, struct err *reterr)
{
	e->packer = packer;
	enum err_code rc = e->spool.begun ? spool_write(e, reterr) : ERR_OK;
	if (!rc && e->o->put)
		rc = tree_pager_end(&e->pager, reterr);
	if (!rc)
		tree_digest_end(e->digest, &ret->digest, &ret->entries, &ret->files, &ret->bytes);
	return rc;
}
