/* agent/snapshot/tree.h: a component's names and metadata as bytes.
 *
 * A tree is a sequence of blocks, one a directory, in depth-first order with names sorted by their bytes; the first
 * block lists the roots. Blocks fill pages; a page ends behind a name whose keyed hash says so (between TREE_PAGE_MIN
 * and TREE_PAGE_MAX), so that a change leaves most pages as they were.  Pages are stored as chunks, so unchanged ones
 * cost nothing, and the manifest lists their ids.
 *
 *   page    "KTP1", u32 blocks
 *   block   u32 size of the block, u32 entries, u16 root (TREE_ROOTS: the block of roots), u16 path length, u32 flags
 * (1: goes on from the page before); the directory's path below its root, without slashes at either end; padded to 8
 *   entry   u32 size of the entry, u8 type, u8 chunking, u16 name length, u32 mode, u32 flags, u32 uid, u32 gid, u64
 * size, i64 mtime_ns, i64 ctime_ns, u64 inode, u64 link number (files) or device number, u32 references, u32 extra
 * size, u16 pages per chunk, u8 list depth, 5 zeros; name; references: id (20), u32 size; extra: symlink target (size
 * bytes), then xattrs sorted by name: u16 name length, u32 value length, name, value; padded to 8
 *
 * References cover the file from its first byte to its last.  A reference whose id is zero is a hole of that size. With
 * a list depth above 0 they name list chunks instead, which hold references in the same form (to list chunks again if
 * the depth says so): for files of more than CHUNKS_INLINE_MAX chunks. ctime and inode are only there to know an
 * unchanged file again; digests leave them out.
 *
 * Pure.  Numbers are little-endian; entries are read with the accessors below, which need a parsed page. */
#ifndef KEDGE_AGENT_SNAPSHOT_TREE_H
#define KEDGE_AGENT_SNAPSHOT_TREE_H

#include "agent/repository/bytes.h"
#include "agent/repository/key.h"
#include "agent/snapshot/snapshot.h"
#include "shared/base/buf.h"

enum {
	TREE_ROOTS = 0xffff,
	PAGE_HEADER_SIZE = 8,
	BLOCK_HEADER_SIZE = 16,
	ENTRY_HEADER_SIZE = 80,
	REFERENCE_SIZE = CHUNK_ID_SIZE + 4,
	BLOCK_CONTINUED = 1,
	ENTRY_NAME_MAX = 255,
	ENTRY_SIZE_LIMIT =
	    ENTRY_HEADER_SIZE + PATH_LIMIT * 2 + CHUNKS_INLINE_MAX * REFERENCE_SIZE + SNAPSHOT_XATTR_BYTES_MAX + 8,
};
_Static_assert(ENTRY_SIZE_LIMIT + PATH_LIMIT + 64 < TREE_PAGE_MAX, "any entry fits a page");

enum entry_flag {
	ENTRY_TORN = 1u << 0,   /* kept changing while it was read */
	ENTRY_RACY = 1u << 1,   /* changed so shortly before it was read that its times may not show the next change */
	ENTRY_SPARSE = 1u << 3, /* has holes */
	ENTRY_LINKED = 1u << 4, /* has several names, here or outside */
	ENTRY_UNREAD = 1u << 5, /* content not known (live comparison by metadata); never stored */
	ENTRY_FLAGS_STORED = ENTRY_TORN | ENTRY_RACY | ENTRY_SPARSE | ENTRY_LINKED,
};

/* ---- an entry's bytes ---- */

static inline uint32_t entry_size(const uint8_t *e)
{
	return get32(e);
}
static inline enum entry_type entry_kind(const uint8_t *e)
{
	return (enum entry_type)e[4];
}
static inline uint8_t entry_chunking(const uint8_t *e)
{
	return e[5];
}
static inline uint16_t entry_name_size(const uint8_t *e)
{
	return get16(e + 6);
}
static inline uint32_t entry_mode(const uint8_t *e)
{
	return get32(e + 8);
}
static inline uint32_t entry_flags(const uint8_t *e)
{
	return get32(e + 12);
}
static inline uint32_t entry_uid(const uint8_t *e)
{
	return get32(e + 16);
}
static inline uint32_t entry_gid(const uint8_t *e)
{
	return get32(e + 20);
}
static inline uint64_t entry_length(const uint8_t *e)
{
	return get64(e + 24);
}
static inline int64_t entry_mtime(const uint8_t *e)
{
	return (int64_t)get64(e + 32);
}
static inline int64_t entry_ctime(const uint8_t *e)
{
	return (int64_t)get64(e + 40);
}
static inline uint64_t entry_inode(const uint8_t *e)
{
	return get64(e + 48);
}
static inline uint64_t entry_link(const uint8_t *e)
{
	return get64(e + 56);
} /* device number of device nodes */
static inline uint32_t entry_references(const uint8_t *e)
{
	return get32(e + 64);
}
static inline uint32_t entry_extra_size(const uint8_t *e)
{
	return get32(e + 68);
}
static inline uint16_t entry_pages(const uint8_t *e)
{
	return get16(e + 72);
}
static inline uint8_t entry_depth(const uint8_t *e)
{
	return e[74];
}
static inline const uint8_t *entry_name(const uint8_t *e)
{
	return e + ENTRY_HEADER_SIZE;
}
static inline const uint8_t *entry_reference(const uint8_t *e, uint32_t i)
{
	return entry_name(e) + entry_name_size(e) + (size_t)i * REFERENCE_SIZE;
}
static inline const uint8_t *entry_extra(const uint8_t *e)
{
	return entry_reference(e, entry_references(e));
}
static inline void entry_set_link(uint8_t *e, uint64_t link)
{
	put64(e + 56, link);
}
static inline void entry_set_flags(uint8_t *e, uint32_t flags)
{
	put32(e + 12, flags);
}

/* What an entry is made of. */
struct entry_fields {
	enum entry_type type;
	uint8_t chunking;
	uint16_t pages;
	uint8_t depth;
	uint32_t mode, flags, uid, gid;
	uint64_t length, inode, link;
	int64_t mtime_ns, ctime_ns;
	const void *name;
	size_t name_size;
	const uint8_t *references; /* REFERENCE_SIZE each */
	uint32_t reference_count;
	const void *target;    /* symlinks: length bytes */
	const uint8_t *xattrs; /* encoded, see xattrs.h */
	size_t xattrs_size;
};
void entry_write(const struct entry_fields *f, struct buf *out);
void reference_write(struct buf *out, const struct chunk_id *id, uint32_t size);
static inline bool reference_is_hole(const uint8_t *r)
{
	static const uint8_t zero[CHUNK_ID_SIZE];
	return !memcmp(r, zero, CHUNK_ID_SIZE);
}
static inline uint32_t reference_size(const uint8_t *r)
{
	return get32(r + CHUNK_ID_SIZE);
}
static inline const uint8_t *entry_xattrs(const uint8_t *e, size_t *ret_size)
{
	size_t target = entry_kind(e) == ENTRY_SYMLINK ? (size_t)entry_length(e) : 0;
	*ret_size = entry_extra_size(e) - target;
	return entry_extra(e) + target;
}

/* Same to whoever restores it: all but ctime, inode and flags. */
bool entry_same_content(
    const uint8_t *a, const uint8_t *b); /* type, size, references, target, device; not the link number */
bool entry_same_metadata(const uint8_t *a, const uint8_t *b); /* mode, owner, mtime, xattrs */

/* ---- pages ---- */

struct tree_block {
	const uint8_t *path;
	uint16_t path_size, root;
	bool continued;
	uint32_t count;
	const uint8_t *entries; /* count of them, end to end */
};
/* Checks a whole page and calls visit for each block; live: entries may be ENTRY_UNREAD.  Everything lies within data
 * afterwards: sizes, order and form of names, types, references that add up, xattrs.  ERR_CORRUPT; visit's own error
 * ends it. */
typedef enum err_code tree_block_fn(void *ctx, const struct tree_block *b, struct err *reterr);
ERR_CHECK enum err_code tree_page_parse(
    const uint8_t *data, size_t size, bool live, tree_block_fn *visit, void *ctx, struct err *reterr);
/* Is [data, data+size) a list of references? */
bool tree_references_valid(const uint8_t *data, size_t size);
bool tree_xattrs_valid(const uint8_t *data, size_t size);

/* Makes pages of blocks that come in order. */
typedef enum err_code tree_page_fn(void *ctx, const uint8_t *data, size_t size, struct err *reterr);
struct tree_pager {
	const uint64_t *key; /* SipHash key */
	tree_page_fn *put;
	void *ctx;
	struct buf page;
	uint32_t blocks;
	size_t block_at; /* where the open block begins; 0: none is open */
	struct tree_block block;
	uint32_t entries;
};
/* Entries of one directory: a run of encoded entries. */
ERR_CHECK enum err_code tree_pager_block(
    struct tree_pager *p, uint16_t root, const char *path, const uint8_t *entries, size_t size, struct err *reterr);
ERR_CHECK enum err_code tree_pager_end(struct tree_pager *p, struct err *reterr);
void tree_pager_done(struct tree_pager *p);

/* ---- a whole tree in memory ---- */

struct tree {
	uint8_t **pages;
	struct tree_block *blocks; /* in order; one directory may have several in a row */
	size_t page_count, page_room, block_count, block_room;
	size_t last_page; /* the first block of the page that came last */
	uint64_t bytes;
};
/* Parses a copy of the page and adds its blocks, which must come after what is there.  ERR_CORRUPT. */
ERR_CHECK enum err_code tree_add_page(struct tree *t, const uint8_t *data, size_t size, struct err *reterr);
/* A single page from anywhere in a tree, into an empty t.  live: this process has just made it of a live tree, where
 * entries may be ENTRY_UNREAD. */
ERR_CHECK enum err_code tree_add_loose_page(
    struct tree *t, const uint8_t *data, size_t size, bool live, struct err *reterr);
/* Does the loose page follow that one (NULL: does it begin a tree), and are its folders in order? */
bool tree_page_follows(const struct tree *before, const struct tree *page);
/* Lets all pages but the last go, for who walks a tree page by page: the next one is held against it. */
void tree_keep_last(struct tree *t);
void tree_done(struct tree *t);
/* Depth-first order: as bytes, but '/' sorts before all else. */
int tree_path_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);
/* The order of blocks: the roots' block first, then root by root. */
int tree_directory_compare(
    uint16_t a_root, const uint8_t *a, size_t a_size, uint16_t b_root, const uint8_t *b, size_t b_size);
/* The first block of the directory; block_count: it has none (empty, or no such directory). */
size_t tree_find_block(const struct tree *t, uint16_t root, const char *path, size_t path_size);
/* The entry of that name in that directory, or NULL. */
const uint8_t *tree_find(
    const struct tree *t, uint16_t root, const char *path, size_t path_size, const void *name, size_t name_size);
static inline bool tree_same_directory(const struct tree_block *a, const struct tree_block *b)
{
	return a->root == b->root && a->path_size == b->path_size && !memcmp(a->path, b->path, a->path_size);
}

/* ---- the digest of a component ---- */

struct tree_digest;                        /* SHA-256 over what a restore brings back, in tree order */
struct tree_digest *tree_digest_new(void); /* NULL: out of memory */
void tree_digest_free(struct tree_digest *d);
CLEANUP_DEFINE(struct tree_digest, tree_digest_cleanup, tree_digest_free)
void tree_digest_directory(struct tree_digest *d, uint16_t root, const void *path, size_t path_size);
void tree_digest_entry(struct tree_digest *d, const uint8_t *entry);
void tree_digest_blocks(struct tree_digest *d, const struct tree *t, size_t first); /* from that block on */
void tree_digest_end(
    struct tree_digest *d, struct digest *ret, uint64_t *ret_entries, uint64_t *ret_files, uint64_t *ret_bytes);
/* Of a whole tree. */
ERR_CHECK enum err_code tree_digest_of(
    const struct tree *t, struct digest *ret, uint64_t *ret_entries, uint64_t *ret_bytes, struct err *reterr);

#endif
