/* Entries, blocks and pages as bytes.  Pure. */
#include "agent/snapshot/tree.h"

#include <assert.h>

#include "agent/repository/chunker.h"
#include "shared/base/siphash.h"

enum { PAGE_MAGIC = 0x3150544b, PAGE_END_MASK = 0x7f, REFERENCES_MAX_BYTES = CHUNKS_PER_LIST_MAX * REFERENCE_SIZE };

static size_t padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

void reference_write(struct buf *out, const struct chunk_id *id, uint32_t size)
{
	uint8_t *p = buf_reserve(out, REFERENCE_SIZE);
	if (!p)
		return;
	memcpy(p, id->b, CHUNK_ID_SIZE);
	put32(p + CHUNK_ID_SIZE, size);
	out->size += REFERENCE_SIZE;
}

void entry_write(const struct entry_fields *f, struct buf *out)
{
	size_t target_size = f->type == ENTRY_SYMLINK ? (size_t)f->length : 0;
	size_t references_size = (size_t)f->reference_count * REFERENCE_SIZE, extra_size = target_size + f->xattrs_size;
	size_t size = padded(ENTRY_HEADER_SIZE + f->name_size + references_size + extra_size);
	uint8_t *e = buf_reserve(out, size);
	if (!e)
		return;
	assert(size <= ENTRY_SIZE_LIMIT);
	memset(e, 0, ENTRY_HEADER_SIZE);
	put32(e, (uint32_t)size);
	e[4] = (uint8_t)f->type;
	e[5] = f->chunking;
	put16(e + 6, (uint16_t)f->name_size);
	put32(e + 8, f->mode);
	put32(e + 12, f->flags);
	put32(e + 16, f->uid);
	put32(e + 20, f->gid);
	put64(e + 24, f->length);
	put64(e + 32, (uint64_t)f->mtime_ns);
	put64(e + 40, (uint64_t)f->ctime_ns);
	put64(e + 48, f->inode);
	put64(e + 56, f->link);
	put32(e + 64, f->reference_count);
	put32(e + 68, (uint32_t)extra_size);
	put16(e + 72, f->pages);
	e[74] = f->depth;
	uint8_t *p = e + ENTRY_HEADER_SIZE;
	memcpy(p, f->name, f->name_size);
	p += f->name_size;
	if (references_size)
		memcpy(p, f->references, references_size);
	p += references_size;
	if (target_size)
		memcpy(p, f->target, target_size);
	p += target_size;
	if (f->xattrs_size)
		memcpy(p, f->xattrs, f->xattrs_size);
	p += f->xattrs_size;
	memset(p, 0, (size_t)(e + size - p));
	out->size += size;
}

bool entry_same_content(const uint8_t *a, const uint8_t *b)
{
	if (entry_kind(a) != entry_kind(b) || entry_length(a) != entry_length(b) ||
	    ((entry_flags(a) | entry_flags(b)) & ENTRY_UNREAD))
		return false;
	switch (entry_kind(a)) {
	case ENTRY_FILE:
		return entry_references(a) == entry_references(b) && entry_depth(a) == entry_depth(b) &&
		       !memcmp(
			   entry_reference(a, 0), entry_reference(b, 0), (size_t)entry_references(a) * REFERENCE_SIZE);
	case ENTRY_SYMLINK:
		return !memcmp(entry_extra(a), entry_extra(b), (size_t)entry_length(a));
	case ENTRY_CHARACTER:
	case ENTRY_BLOCK:
		return entry_link(a) == entry_link(b);
	default:
		return true;
	}
}

bool entry_same_metadata(const uint8_t *a, const uint8_t *b)
{
	size_t a_size, b_size;
	const uint8_t *a_xattrs = entry_xattrs(a, &a_size), *b_xattrs = entry_xattrs(b, &b_size);
	return entry_mode(a) == entry_mode(b) && entry_uid(a) == entry_uid(b) && entry_gid(a) == entry_gid(b) &&
	       entry_mtime(a) == entry_mtime(b) && a_size == b_size && !memcmp(a_xattrs, b_xattrs, a_size);
}

/* ---- parsing ---- */

static enum err_code bad(const char *what, struct err *reterr)
{
	return err_set(reterr, ERR_CORRUPT, "malformed tree: %s", what);
}

bool tree_references_valid(const uint8_t *data, size_t size)
{
	if (size % REFERENCE_SIZE || size > REFERENCES_MAX_BYTES)
		return false;
	for (size_t i = 0; i < size; i += REFERENCE_SIZE) {
		uint32_t n = reference_size(data + i);
		if (n == 0 || (n > CHUNK_MAX && !reference_is_hole(data + i)))
			return false;
	}
	return true;
}

bool tree_xattrs_valid(const uint8_t *data, size_t size)
{
	const uint8_t *last = NULL;
	size_t last_size = 0;
	while (size) {
		if (size < 6)
			return false;
		size_t name_size = get16(data), value_size = get32(data + 2);
		if (name_size == 0 || name_size > ENTRY_NAME_MAX || value_size > SNAPSHOT_XATTR_BYTES_MAX ||
		    6 + name_size + value_size > size || memchr(data + 6, 0, name_size))
			return false;
		const uint8_t *name = data + 6;
		size_t common = name_size < last_size ? name_size : last_size;
		int order = last ? memcmp(last, name, common) : -1;
		if (order > 0 || (order == 0 && last_size >= name_size))
			return false;
		last = name;
		last_size = name_size;
		data += 6 + name_size + value_size;
		size -= 6 + name_size + value_size;
	}
	return true;
}

/* Names of roots are absolute paths, or a prepared root's label; all others are single components. */
static bool name_valid(const uint8_t *name, size_t size, bool roots)
{
	if (size == 0 || memchr(name, 0, size))
		return false;
	if (roots)
		return size < PATH_LIMIT;
	if (size > ENTRY_NAME_MAX || memchr(name, '/', size))
		return false;
	return !(name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')));
}

static bool path_valid(const uint8_t *path, size_t size)
{
	if (size >= PATH_LIMIT)
		return false;
	for (size_t at = 0; at < size;) {
		const uint8_t *slash = memchr(path + at, '/', size - at);
		size_t n = slash ? (size_t)(slash - path) - at : size - at;
		if (!name_valid(path + at, n, false) || (slash && at + n + 1 == size))
			return false;
		at += n + 1;
	}
	return true;
}

static bool file_valid(const uint8_t *e)
{
	uint32_t count = entry_references(e);
	uint64_t sum = 0;
	if (entry_flags(e) & ENTRY_UNREAD)
		return count == 0;
	if (!tree_references_valid(entry_reference(e, 0), (size_t)count * REFERENCE_SIZE))
		return false;
	if (entry_depth(e))
		return count > 0 && entry_depth(e) <= LIST_DEPTH_MAX;
	for (uint32_t i = 0; i < count; i++)
		sum += reference_size(entry_reference(e, i));
	return sum == entry_length(e);
}

static bool kind_valid(const uint8_t *e)
{
	uint32_t extra = entry_extra_size(e);
	if (entry_kind(e) == ENTRY_FILE)
		return file_valid(e);
	if (entry_references(e) || entry_depth(e) || (entry_flags(e) & ENTRY_SPARSE))
		return false;
	if (entry_kind(e) == ENTRY_SYMLINK)
		return entry_length(e) > 0 && entry_length(e) < PATH_LIMIT && entry_length(e) <= extra &&
		       !memchr(entry_extra(e), 0, (size_t)entry_length(e));
	return entry_length(e) == 0;
}

static bool entry_valid(const uint8_t *e, size_t left, bool roots, uint32_t flags)
{
	if (left < ENTRY_HEADER_SIZE)
		return false;
	size_t size = entry_size(e);
	if (size > left || size > ENTRY_SIZE_LIMIT || size % 8 || entry_references(e) > CHUNKS_INLINE_MAX ||
	    entry_extra_size(e) > SNAPSHOT_XATTR_BYTES_MAX + PATH_LIMIT)
		return false;
	if (padded(ENTRY_HEADER_SIZE + (size_t)entry_name_size(e) + (size_t)entry_references(e) * REFERENCE_SIZE +
		   entry_extra_size(e)) != size)
		return false;
	if ((unsigned)entry_kind(e) >= ENTRY_TYPE_COUNT || entry_chunking(e) >= CHUNKING_COUNT ||
	    entry_pages(e) > CHUNK_PAGES_MAX || (entry_chunking(e) == CHUNKING_PAGES && !entry_pages(e)) ||
	    entry_mode(e) > 07777 || (entry_flags(e) & ~flags))
		return false;
	if (!name_valid(entry_name(e), entry_name_size(e), roots) || !kind_valid(e))
		return false;
	size_t xattrs_size;
	const uint8_t *xattrs = entry_xattrs(e, &xattrs_size);
	return tree_xattrs_valid(xattrs, xattrs_size);
}

static int name_compare(const uint8_t *a, const uint8_t *b)
{
	size_t n = entry_name_size(a), m = entry_name_size(b);
	int order = memcmp(entry_name(a), entry_name(b), n < m ? n : m);
	return order ? order : (n > m) - (n < m);
}

static enum err_code block_parse(
    const uint8_t *data, size_t left, uint32_t flags, struct tree_block *ret, size_t *ret_size, struct err *reterr)
{
	if (left < BLOCK_HEADER_SIZE)
		return bad("a block is cut off", reterr);
	size_t size = get32(data), path_size = get16(data + 10);
	struct tree_block b = {.path = data + BLOCK_HEADER_SIZE,
	    .path_size = (uint16_t)path_size,
	    .root = get16(data + 8),
	    .continued = get32(data + 12) & BLOCK_CONTINUED,
	    .count = get32(data + 4)};
	size_t at = padded(BLOCK_HEADER_SIZE + path_size);
	if (size > left || at > size || b.count == 0 || (get32(data + 12) & ~(uint32_t)BLOCK_CONTINUED))
		return bad("a block's sizes do not fit", reterr);
	bool roots = b.root == TREE_ROOTS;
	if ((roots && path_size) || (!roots && b.root >= SNAPSHOT_ROOTS_MAX) || !path_valid(b.path, path_size))
		return bad("a folder's path", reterr);
	b.entries = data + at;
	const uint8_t *last = NULL;
	for (uint32_t i = 0; i < b.count; i++) {
		const uint8_t *e = data + at;
		if (!entry_valid(e, size - at, roots, flags))
			return bad("an entry", reterr);
		if (last && name_compare(last, e) >= 0)
			return bad("names out of order", reterr);
		last = e;
		at += entry_size(e);
	}
	if (at != size)
		return bad("bytes behind a block's entries", reterr);
	*ret = b;
	*ret_size = size;
	return ERR_OK;
}

enum err_code tree_page_parse(
    const uint8_t *data, size_t size, bool live, tree_block_fn *visit, void *ctx, struct err *reterr)
{
	if (size < PAGE_HEADER_SIZE || size > CHUNK_MAX || get32(data) != PAGE_MAGIC)
		return bad("not a page", reterr);
	uint32_t count = get32(data + 4), flags = ENTRY_FLAGS_STORED | (live ? ENTRY_UNREAD : 0u);
	size_t at = PAGE_HEADER_SIZE;
	for (uint32_t i = 0; i < count; i++) {
		struct tree_block b;
		size_t block_size;
		enum err_code rc = block_parse(data + at, size - at, flags, &b, &block_size, reterr);
		if (!rc)
			rc = visit(ctx, &b, reterr);
		if (rc)
			return rc;
		at += block_size;
	}
	return at == size && count ? ERR_OK : bad("bytes behind the last block", reterr);
}

/* ---- making pages ---- */

static void close_block(struct tree_pager *p)
{
	if (!p->block_at)
		return;
	uint8_t *b = p->page.data + p->block_at;
	put32(b, (uint32_t)(p->page.size - p->block_at));
	put32(b + 4, p->entries);
	p->block_at = 0;
}

static enum err_code end_page(struct tree_pager *p, struct err *reterr)
{
	close_block(p);
	if (!p->blocks)
		return ERR_OK;
	if (p->page.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	put32(p->page.data, PAGE_MAGIC);
	put32(p->page.data + 4, p->blocks);
	enum err_code rc = p->put(p->ctx, p->page.data, p->page.size, reterr);
	buf_clear(&p->page);
	p->blocks = 0;
	return rc;
}

static void open_block(struct tree_pager *p, uint16_t root, const char *path, bool continued)
{
	static const uint8_t zeros[PAGE_HEADER_SIZE];
	if (!p->page.size)
		buf_append(&p->page, zeros, PAGE_HEADER_SIZE);
	size_t path_size = strlen(path), size = padded(BLOCK_HEADER_SIZE + path_size);
	p->block_at = p->page.size;
	uint8_t *b = buf_reserve(&p->page, size);
	if (!b)
		return;
	memset(b, 0, size);
	put16(b + 8, root);
	put16(b + 10, (uint16_t)path_size);
	put32(b + 12, continued ? BLOCK_CONTINUED : 0);
	memcpy(b + BLOCK_HEADER_SIZE, path, path_size);
	p->page.size += size;
	p->entries = 0;
	p->blocks++;
}

static bool ends_page(const struct tree_pager *p, const uint8_t *e)
{
	return p->page.size >= TREE_PAGE_MIN && !(siphash(p->key, entry_name(e), entry_name_size(e)) & PAGE_END_MASK);
}

enum err_code tree_pager_block(
    struct tree_pager *p, uint16_t root, const char *path, const uint8_t *entries, size_t size, struct err *reterr)
{
	size_t overhead = padded(BLOCK_HEADER_SIZE + strlen(path));
	bool begun = false;
	for (size_t at = 0; at < size;) {
		const uint8_t *e = entries + at;
		size_t n = entry_size(e);
		if (p->blocks && p->page.size + overhead + n > TREE_PAGE_MAX) {
			enum err_code rc = end_page(p, reterr);
			if (rc)
				return rc;
		}
		if (!p->block_at)
			open_block(p, root, path, begun);
		begun = true;
		buf_append(&p->page, e, n);
		p->entries++;
		if (ends_page(p, e)) {
			enum err_code rc = end_page(p, reterr);
			if (rc)
				return rc;
		}
		at += n;
	}
	close_block(p);
	return p->page.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

enum err_code tree_pager_end(struct tree_pager *p, struct err *reterr)
{
	return end_page(p, reterr);
}
void tree_pager_done(struct tree_pager *p)
{
	buf_done(&p->page);
}
