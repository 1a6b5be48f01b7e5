/* Trees in memory and their digest. */
#include "agent/snapshot/tree.h"

#include "agent/repository/seal.h"

/* '/' cannot be part of a name, NUL neither: read '/' as NUL and byte order is depth-first order. */
int tree_path_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	size_t n = a_size < b_size ? a_size : b_size, i = 0;
	while (i < n && a[i] == b[i])
		i++;
	if (i == n)
		return (a_size > b_size) - (a_size < b_size);
	int x = a[i] == '/' ? 0 : a[i], y = b[i] == '/' ? 0 : b[i];
	return x - y;
}

/* The roots' block comes first. */
int tree_directory_compare(
    uint16_t a_root, const uint8_t *a, size_t a_size, uint16_t b_root, const uint8_t *b, size_t b_size)
{
	uint16_t x = (uint16_t)(a_root + 1), y = (uint16_t)(b_root + 1);
	return x != y ? (x > y) - (x < y) : tree_path_compare(a, a_size, b, b_size);
}

void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->page_count; i++)
		free(t->pages[i]);
	free(t->pages);
	free(t->blocks);
	*t = (struct tree){0};
}

static const uint8_t *last_entry(const struct tree_block *b)
{
	const uint8_t *e = b->entries;
	for (uint32_t i = 1; i < b->count; i++)
		e += entry_size(e);
	return e;
}

static int names_compare(const uint8_t *e, const void *name, size_t size)
{
	size_t n = entry_name_size(e);
	int order = memcmp(entry_name(e), name, n < size ? n : size);
	return order ? order : (n > size) - (n < size);
}

static enum err_code append_block(struct tree *t, const struct tree_block *b, struct err *reterr)
{
	if (t->block_count == t->block_room) {
		size_t room = t->block_room ? t->block_room * 2 : 64;
		struct tree_block *more = realloc(t->blocks, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		t->blocks = more;
		t->block_room = room;
	}
	t->blocks[t->block_count++] = *b;
	return ERR_OK;
}

static enum err_code add_loose_block(void *ctx, const struct tree_block *b, struct err *reterr)
{
	return append_block(ctx, b, reterr);
}

static bool block_follows(const struct tree_block *last, const struct tree_block *b)
{
	int order = tree_directory_compare(last->root, last->path, last->path_size, b->root, b->path, b->path_size);
	return b->continued ? order == 0 && names_compare(last_entry(last), entry_name(b->entries),
						entry_name_size(b->entries)) < 0
			    : order < 0;
}

bool tree_page_follows(const struct tree *before, const struct tree *page)
{
	const struct tree_block *last = before ? &before->blocks[before->block_count - 1] : NULL;
	for (size_t i = 0; i < page->block_count; i++) {
		const struct tree_block *b = &page->blocks[i];
		if (last ? !block_follows(last, b) : b->root != TREE_ROOTS)
			return false;
		last = b;
	}
	return true;
}

static enum err_code add_block(void *ctx, const struct tree_block *b, struct err *reterr)
{
	struct tree *t = ctx;
	if (!t->block_count)
		return b->root == TREE_ROOTS
			   ? append_block(t, b, reterr)
			   : err_set(reterr, ERR_CORRUPT, "malformed tree: it does not begin with its roots");
	return block_follows(&t->blocks[t->block_count - 1], b)
		   ? append_block(t, b, reterr)
		   : err_set(reterr, ERR_CORRUPT, "malformed tree: folders out of order");
}

static enum err_code add_page(
    struct tree *t, const uint8_t *data, size_t size, bool live, tree_block_fn *add, struct err *reterr)
{
	if (t->page_count == t->page_room) {
		size_t room = t->page_room ? t->page_room * 2 : 16;
		uint8_t **more = realloc(t->pages, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		t->pages = more;
		t->page_room = room;
	}
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	memcpy(copy, data, size);
	t->pages[t->page_count++] = copy; /* blocks point into it, also after an error */
	t->bytes += size;
	t->last_page = t->block_count;
	return tree_page_parse(copy, size, live, add, t, reterr);
}

void tree_keep_last(struct tree *t)
{
	for (size_t i = 0; i + 1 < t->page_count; i++)
		free(t->pages[i]);
	if (t->page_count > 1)
		t->pages[0] = t->pages[t->page_count - 1];
	t->page_count = t->page_count ? 1 : 0;
	t->block_count -= t->last_page;
	memmove(t->blocks, t->blocks + t->last_page, t->block_count * sizeof *t->blocks);
	t->last_page = 0;
}

enum err_code tree_add_page(struct tree *t, const uint8_t *data, size_t size, struct err *reterr)
{
	return add_page(t, data, size, false, add_block, reterr);
}

enum err_code tree_add_loose_page(struct tree *t, const uint8_t *data, size_t size, bool live, struct err *reterr)
{
	return add_page(t, data, size, live, add_loose_block, reterr);
}

size_t tree_find_block(const struct tree *t, uint16_t root, const char *path, size_t path_size)
{
	size_t low = 0, high = t->block_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct tree_block *b = &t->blocks[middle];
		if (tree_directory_compare(b->root, b->path, b->path_size, root, (const uint8_t *)path, path_size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < t->block_count) {
		const struct tree_block *b = &t->blocks[low];
		if (!tree_directory_compare(b->root, b->path, b->path_size, root, (const uint8_t *)path, path_size))
			return low;
	}
	return t->block_count;
}

const uint8_t *tree_find(
    const struct tree *t, uint16_t root, const char *path, size_t path_size, const void *name, size_t name_size)
{
	size_t at = tree_find_block(t, root, path, path_size);
	for (size_t first = at; at < t->block_count && tree_same_directory(&t->blocks[first], &t->blocks[at]); at++) {
		const uint8_t *e = t->blocks[at].entries;
		for (uint32_t i = 0; i < t->blocks[at].count; i++, e += entry_size(e)) {
			int order = names_compare(e, name, name_size);
			if (order == 0)
				return e;
			if (order > 0)
				return NULL;
		}
	}
	return NULL;
}

/* ---- digest ---- */

struct tree_digest {
	struct sha256 *sha;
	struct buf pending; /* so that SHA-256 gets long runs */
	uint64_t entries, files, bytes;
	uint64_t link_seen; /* highest link number met: bytes of a linked file count once */
};
enum { PENDING_MAX = 64 << 10 };

struct tree_digest *tree_digest_new(void)
{
	struct tree_digest *d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	d->sha = sha256_new();
	if (!d->sha) {
		free(d);
		return NULL;
	}
	return d;
}

void tree_digest_free(struct tree_digest *d)
{
	if (!d)
		return;
	sha256_free(d->sha);
	buf_done(&d->pending);
	free(d);
}

static uint8_t *pending_room(struct tree_digest *d, size_t size)
{
	if (d->pending.size + size > PENDING_MAX) {
		sha256_add(d->sha, d->pending.data, d->pending.size);
		buf_clear(&d->pending);
	}
	uint8_t *p = buf_reserve(&d->pending, size);
	if (!p)
		abort(); /* a wrong digest must never get out */
	d->pending.size += size;
	return p;
}

void tree_digest_directory(struct tree_digest *d, uint16_t root, const void *path, size_t path_size)
{
	uint8_t *p = pending_room(d, 8 + path_size);
	memcpy(p, "DIR", 4);
	put16(p + 4, root);
	put16(p + 6, (uint16_t)path_size);
	memcpy(p + 8, path, path_size);
}

void tree_digest_entry(struct tree_digest *d, const uint8_t *e)
{
	size_t name_size = entry_name_size(e), references_size = (size_t)entry_references(e) * REFERENCE_SIZE;
	size_t extra_size = entry_extra_size(e);
	uint8_t *p = pending_room(d, 56 + name_size + references_size + extra_size);
	put16(p, (uint16_t)entry_kind(e));
	put16(p + 2, (uint16_t)name_size);
	put32(p + 4, entry_mode(e));
	put32(p + 8, entry_uid(e));
	put32(p + 12, entry_gid(e));
	put64(p + 16, entry_length(e));
	put64(p + 24, (uint64_t)entry_mtime(e));
	put64(p + 32, entry_link(e));
	put64(p + 40, references_size);
	put64(p + 48, extra_size);
	memcpy(p + 56, entry_name(e), name_size + references_size + extra_size); /* they lie side by side */
	d->entries++;
	if (entry_kind(e) == ENTRY_FILE) {
		d->files++;
		if (entry_link(e) == 0 || entry_link(e) > d->link_seen)
			d->bytes += entry_length(e);
		if (entry_link(e) > d->link_seen)
			d->link_seen = entry_link(e);
	}
}

void tree_digest_end(
    struct tree_digest *d, struct digest *ret, uint64_t *ret_entries, uint64_t *ret_files, uint64_t *ret_bytes)
{
	if (d->pending.size)
		sha256_add(d->sha, d->pending.data, d->pending.size);
	buf_clear(&d->pending);
	sha256_end(d->sha, ret->b);
	if (ret_entries)
		*ret_entries = d->entries;
	if (ret_files)
		*ret_files = d->files;
	if (ret_bytes)
		*ret_bytes = d->bytes;
}

void tree_digest_blocks(struct tree_digest *d, const struct tree *t, size_t first)
{
	for (size_t i = first; i < t->block_count; i++) {
		const struct tree_block *b = &t->blocks[i];
		if (!b->continued)
			tree_digest_directory(d, b->root, b->path, b->path_size);
		const uint8_t *e = b->entries;
		for (uint32_t j = 0; j < b->count; j++, e += entry_size(e))
			tree_digest_entry(d, e);
	}
}

enum err_code tree_digest_of(
    const struct tree *t, struct digest *ret, uint64_t *ret_entries, uint64_t *ret_bytes, struct err *reterr)
{
	CLEANUP(tree_digest_cleanup) struct tree_digest *d = tree_digest_new();
	if (!d)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	tree_digest_blocks(d, t, 0);
	tree_digest_end(d, ret, ret_entries, NULL, ret_bytes);
	return ERR_OK;
}
