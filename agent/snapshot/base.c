#include "agent/snapshot/base.h"

#include <pthread.h>
#include <string.h>

#include "shared/base/log.h"

/* Each worker holds one, and a few more save fetching neighbours again. */
enum { BASE_HELD = 2 * SNAPSHOT_WORKERS_MAX };

struct folder { /* of a block */
	uint16_t root;
	const uint8_t *path;
	size_t size;
};
struct page_key { /* the folder that a page begins with; path is malloc'd */
	uint8_t *path;
	uint16_t size, root;
	bool known, continued, bad;
};
struct base_slot {
	size_t page;
	unsigned users;
	uint64_t used; /* 0: empty */
	struct tree loaded;
	const struct tree *tree;
};
struct base {
	pthread_mutex_t mutex;
	struct reader *reader;
	struct bytes pages;
	size_t count;
	struct page_key *keys;
	struct base_slot slots[BASE_HELD];
	uint64_t clock;
};

static enum err_code base_alloc(size_t count, struct base **ret, struct err *reterr)
{
	CLEANUP(base_cleanup) struct base *b = calloc(1, sizeof *b);
	if (!b)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	pthread_mutex_init(&b->mutex, NULL);
	b->keys = calloc(count + 1, sizeof *b->keys);
	if (!b->keys)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	b->count = count;
	*ret = TAKE_PTR(b);
	return ERR_OK;
}

enum err_code base_new(struct repo *r, struct bytes pages, struct base **ret, struct err *reterr)
{
	CLEANUP(base_cleanup) struct base *b = NULL;
	enum err_code rc = base_alloc(pages.size / REFERENCE_SIZE, &b, reterr);
	if (!rc)
		rc = reader_new(r, &b->reader, reterr);
	if (rc)
		return rc;
	b->pages = pages;
	*ret = TAKE_PTR(b);
	return ERR_OK;
}

enum err_code base_of_tree(const struct tree *t, struct base **ret, struct err *reterr)
{
	CLEANUP(base_cleanup) struct base *b = NULL;
	enum err_code rc = base_alloc(1, &b, reterr);
	if (rc)
		return rc;
	b->keys[0] = (struct page_key){.known = true, .root = TREE_ROOTS};
	b->slots[0] = (struct base_slot){.users = 1, .used = 1, .tree = t};
	*ret = TAKE_PTR(b);
	return ERR_OK;
}

void base_free(struct base *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < BASE_HELD; i++)
		tree_done(&b->slots[i].loaded);
	for (size_t i = 0; b->keys && i < b->count; i++)
		free(b->keys[i].path);
	free(b->keys);
	reader_free(b->reader);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

/* ---- pages; with the mutex held ---- */

static bool remember_key(struct page_key *k, const struct tree_block *first)
{
	if (k->known)
		return true;
	uint8_t *path = malloc(first->path_size + 1u);
	if (!path)
		return false;
	memcpy(path, first->path, first->path_size);
	*k = (struct page_key){path, first->path_size, first->root, true, first->continued, false};
	return true;
}

/* NULL: it cannot be read. */
static struct base_slot *load(struct base *b, size_t page)
{
	struct base_slot *oldest = NULL;
	struct tree tree = {0};
	struct err err = ERR_INIT;
	for (size_t i = 0; i < BASE_HELD; i++) {
		struct base_slot *s = &b->slots[i];
		if (s->used && s->page == page) {
			s->used = ++b->clock;
			return s;
		}
		if (!s->users && (!oldest || s->used < oldest->used))
			oldest = s;
	}
	if (!oldest || b->keys[page].bad)
		return NULL;
	if (reader_page(b->reader, b->pages.data + page * REFERENCE_SIZE, &tree, &err) || !remember_key(&b->keys[page], &tree.blocks[0])) {
		log_warn("snapshot", "reading anew what an unreadable page of the last tree held: %s", err.msg);
		tree_done(&tree);
		b->keys[page].bad = true;
		return NULL;
	}
	tree_done(&oldest->loaded);
	oldest->page = page;
	oldest->used = ++b->clock;
	oldest->loaded = tree;
	oldest->tree = &oldest->loaded;
	return oldest;
}

/* ---- which page ---- */

static int compare_block(const struct tree_block *x, const struct folder *f)
{
	return tree_directory_compare(x->root, x->path, x->path_size, f->root, f->path, f->size);
}

/* Whether the folder's first block must be in the slot's page, if there is one: < 0: the page ends before it. */
static int covers(const struct base_slot *s, const struct folder *f)
{
	const struct tree_block *first = &s->tree->blocks[0], *last = &s->tree->blocks[s->tree->block_count - 1];
	int order = compare_block(first, f);
	if (compare_block(last, f) < 0)
		return -1;
	return order < 0 || (order == 0 && !first->continued) ? 0 : 1;
}

static int compare_key(struct base *b, size_t page, const struct folder *f)
{
	struct page_key *k = &b->keys[page];
	if (!k->known && !load(b, page))
		return 1; /* then only what is before it can be found */
	int order = tree_directory_compare(k->root, k->path, k->size, f->root, f->path, f->size);
	return order ? order : k->continued ? 1 : 0;
}

/* The last page that does not begin behind the folder. */
static struct base_slot *search(struct base *b, const struct folder *f)
{
	size_t low = 0, high = b->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_key(b, middle, f) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? load(b, low - 1) : NULL;
}

static struct base_slot *locate(struct base *b, const struct folder *f)
{
	size_t before = SIZE_MAX; /* the nearest page in memory that ends before it */
	for (size_t i = 0; i < BASE_HELD; i++) {
		struct base_slot *s = &b->slots[i];
		int order = s->used ? covers(s, f) : 1;
		if (order == 0) {
			s->used = ++b->clock;
			return s;
		}
		if (order < 0 && (before == SIZE_MAX || s->page > before))
			before = s->page;
	}
	if (before != SIZE_MAX && before + 1 < b->count) { /* as walks go, it is the next one, or not there */
		struct base_slot *s = load(b, before + 1);
		int order = s ? covers(s, f) : -1;
		if (order >= 0)
			return order ? NULL : s;
	}
	return search(b, f);
}

/* ---- cursors ---- */

static void let_go(struct base_cursor *c)
{
	c->entry = NULL;
	if (!c->slot)
		return;
	pthread_mutex_lock(&c->base->mutex);
	c->slot->users--;
	pthread_mutex_unlock(&c->base->mutex);
	c->slot = NULL;
}

/* On to the next page, if the folder goes on there. */
static void turn_page(struct base_cursor *c)
{
	struct base *b = c->base;
	const struct folder f = {c->root, (const uint8_t *)c->path, strlen(c->path)};
	pthread_mutex_lock(&b->mutex);
	size_t next = c->slot->page + 1;
	c->slot->users--;
	c->slot = next < b->count ? load(b, next) : NULL;
	if (c->slot && compare_block(&c->slot->tree->blocks[0], &f))
		c->slot = NULL;
	if (c->slot)
		c->slot->users++;
	pthread_mutex_unlock(&b->mutex);
	c->block = c->at = 0;
	c->entry = c->slot ? c->slot->tree->blocks[0].entries : NULL;
}

static void settle(struct base_cursor *c)
{
	const struct tree *t = c->slot->tree;
	if (c->at < t->blocks[c->block].count)
		return;
	if (c->block + 1 == t->block_count) {
		turn_page(c);
		return;
	}
	bool more = tree_same_directory(&t->blocks[c->block], &t->blocks[c->block + 1]);
	c->block++;
	c->at = 0;
	c->entry = more ? t->blocks[c->block].entries : NULL;
}

void base_begin(struct base *b, uint16_t root, const char *path, struct base_cursor *ret)
{
	const struct folder f = {root, (const uint8_t *)path, strlen(path)};
	*ret = (struct base_cursor){.base = b, .path = path, .root = root};
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	ret->slot = locate(b, &f);
	if (ret->slot)
		ret->slot->users++;
	pthread_mutex_unlock(&b->mutex);
	if (!ret->slot)
		return;
	ret->block = tree_find_block(ret->slot->tree, root, path, f.size);
	if (ret->block < ret->slot->tree->block_count)
		ret->entry = ret->slot->tree->blocks[ret->block].entries;
	else
		let_go(ret);
}

void base_next(struct base_cursor *c)
{
	c->entry += entry_size(c->entry);
	c->at++;
	settle(c);
}

const uint8_t *base_find(struct base_cursor *c, const char *name, size_t size)
{
	while (c->entry) {
		size_t n = entry_name_size(c->entry);
		int order = memcmp(entry_name(c->entry), name, n < size ? n : size);
		if (order == 0)
			order = (n > size) - (n < size);
		if (order >= 0)
			return order ? NULL : c->entry;
		base_next(c);
	}
	return NULL;
}

void base_end(struct base_cursor *c)
{
	let_go(c);
}
