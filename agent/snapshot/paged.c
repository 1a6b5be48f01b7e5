/* A tree page by page. */
#include "agent/snapshot/paged.h"

#include <pthread.h>
#include <string.h>

#include "agent/repository/spool.h"
#include "shared/base/arena.h"
#include "shared/base/log.h"
#include "shared/base/map.h"

enum {
	RECENT = 2 * SNAPSHOT_WORKERS_MAX, /* pages that are looked at first: workers come back to where they were */
	HELD_LEAST = 2 * SNAPSHOT_WORKERS_MAX,
	OFFSET_BITS = 20, /* of an entry in its page */
};
_Static_assert(CHUNK_MAX < 1 << OFFSET_BITS, "an entry's number tells its place");

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
struct paged {
	pthread_mutex_t mutex;
	struct repo *repo;
	struct reader *reader; /* NULL: made here */
	struct bytes pages;
	struct spool *spool; /* of pages made here, NULL: none is there yet */
	size_t *asides;      /* by page: its record */
	struct buf back;     /* from the spool */
	size_t count, room;
	struct page_key *keys;
	struct paged_slot **of_page; /* by page; NULL: not in memory */
	struct paged_slot **held;    /* those that are */
	size_t held_count, held_room, held_bytes, held_limit;
	size_t recent[RECENT], recent_at;
	uint64_t clock;
	struct map *kept; /* page and offset -> copy of an entry */
	struct arena *arena;
};

static enum err_code no_memory(struct err *reterr)
{
	return err_set(reterr, ERR_NOMEM, "out of memory");
}

static bool grow(struct paged *p, size_t count)
{
	size_t room = p->room ? p->room : 64;
	while (room < count)
		room *= 2;
	if (room == p->room)
		return true;
	struct page_key *keys = realloc(p->keys, room * sizeof *keys);
	p->keys = keys ? keys : p->keys;
	struct paged_slot **of_page = realloc(p->of_page, room * sizeof(struct paged_slot *));
	p->of_page = of_page ? of_page : p->of_page;
	size_t *asides = realloc(p->asides, room * sizeof *asides);
	p->asides = asides ? asides : p->asides;
	if (!keys || !of_page || !asides)
		return false;
	for (size_t i = p->room; i < room; i++) {
		keys[i] = (struct page_key){0};
		of_page[i] = NULL;
		asides[i] = 0;
	}
	p->room = room;
	return true;
}

enum err_code paged_made(struct repo *r, size_t held_bytes, struct paged **ret, struct err *reterr)
{
	CLEANUP(paged_cleanup) struct paged *p = calloc(1, sizeof *p);
	if (!p)
		return no_memory(reterr);
	pthread_mutex_init(&p->mutex, NULL);
	p->repo = r;
	p->held_limit = held_bytes;
	p->back.limit = SIZE_MAX;
	if (!grow(p, 1))
		return no_memory(reterr);
	*ret = TAKE_PTR(p);
	return ERR_OK;
}

enum err_code paged_of(struct repo *r, struct bytes pages, size_t held_bytes, struct paged **ret, struct err *reterr)
{
	CLEANUP(paged_cleanup) struct paged *p = NULL;
	enum err_code rc = paged_made(r, held_bytes, &p, reterr);
	if (!rc)
		rc = reader_new(r, &p->reader, reterr);
	if (rc)
		return rc;
	if (!grow(p, pages.size / REFERENCE_SIZE + 1))
		return no_memory(reterr);
	p->pages = pages;
	p->count = pages.size / REFERENCE_SIZE;
	*ret = TAKE_PTR(p);
	return ERR_OK;
}

static void slot_free(struct paged_slot *s)
{
	tree_done(&s->tree);
	free(s);
}

void paged_free(struct paged *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->held_count; i++)
		slot_free(p->held[i]);
	for (size_t i = 0; p->keys && i < p->count; i++)
		free(p->keys[i].path);
	free(p->held);
	free(p->of_page);
	free(p->asides);
	free(p->keys);
	buf_done(&p->back);
	spool_free(p->spool);
	map_free(p->kept);
	arena_free(p->arena);
	reader_free(p->reader);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

size_t paged_count(const struct paged *p)
{
	return p ? p->count : 0;
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

static size_t weight(const struct paged_slot *s)
{
	return sizeof *s + (size_t)s->tree.bytes + s->tree.block_room * sizeof(struct tree_block);
}

static enum err_code put_aside(struct paged *p, struct paged_slot *s, struct err *reterr)
{
	enum err_code rc = p->spool ? ERR_OK : spool_new(p->repo, &p->spool, reterr);
	if (!rc) {
		p->asides[s->page] = spool_count(p->spool);
		rc = spool_add(p->spool, s->tree.pages[0], (size_t)s->tree.bytes, reterr);
	}
	s->aside = !rc;
	return rc;
}

/* Those unused for longest go. */
static enum err_code make_room(struct paged *p, struct err *reterr)
{
	while (p->held_bytes > p->held_limit && p->held_count > HELD_LEAST) {
		size_t oldest = p->held_count;
		for (size_t i = 0; i < p->held_count; i++)
			if (!p->held[i]->users && (oldest == p->held_count || p->held[i]->used < p->held[oldest]->used))
				oldest = i;
		if (oldest == p->held_count)
			return ERR_OK;
		struct paged_slot *s = p->held[oldest];
		enum err_code rc = s->aside ? ERR_OK : put_aside(p, s, reterr);
		if (rc)
			return rc;
		p->held_bytes -= weight(s);
		p->of_page[s->page] = NULL;
		p->held[oldest] = p->held[--p->held_count];
		slot_free(s);
	}
	return ERR_OK;
}

/* Takes the slot over, also when it fails. */
static enum err_code keep_slot(struct paged *p, struct paged_slot *s, struct err *reterr)
{
	if (p->held_count == p->held_room) {
		size_t room = p->held_room ? 2 * p->held_room : 16;
		struct paged_slot **more = realloc(p->held, room * sizeof(struct paged_slot *));
		if (!more) {
			slot_free(s);
			return no_memory(reterr);
		}
		p->held = more;
		p->held_room = room;
	}
	p->held[p->held_count++] = s;
	p->of_page[s->page] = s;
	p->held_bytes += weight(s);
	s->used = ++p->clock;
	s->users++; /* not this one */
	enum err_code rc = make_room(p, reterr);
	s->users--;
	return rc;
}

static enum err_code fetch(struct paged *p, struct paged_slot *s, struct err *reterr)
{
	enum err_code rc;
	if (p->reader) {
		rc = reader_page(p->reader, p->pages.data + s->page * REFERENCE_SIZE, &s->tree, reterr);
	} else {
		rc = spool_get(p->spool, p->asides[s->page], &p->back, reterr);
		if (!rc)
			rc = tree_add_loose_page(&s->tree, p->back.data, p->back.size, true, reterr);
	}
	if (!rc && !remember_key(&p->keys[s->page], &s->tree.blocks[0]))
		rc = no_memory(reterr);
	return rc;
}

static enum err_code load(struct paged *p, size_t page, struct paged_slot **ret, struct err *reterr)
{
	struct paged_slot *s = p->of_page[page];
	enum err_code rc = ERR_OK;
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return no_memory(reterr);
		s->page = page;
		s->aside = true;
		rc = fetch(p, s, reterr);
		if (rc) {
			slot_free(s);
			return rc;
		}
		rc = keep_slot(p, s, reterr);
	}
	if (rc)
		return rc;
	s->used = ++p->clock;
	*ret = s;
	return ERR_OK;
}

enum err_code paged_add(struct paged *p, const uint8_t *data, size_t size, struct err *reterr)
{
	struct paged_slot *s = calloc(1, sizeof *s);
	if (!s)
		return no_memory(reterr);
	enum err_code rc = tree_add_loose_page(&s->tree, data, size, true, reterr);
	if (rc) {
		slot_free(s);
		return rc;
	}
	pthread_mutex_lock(&p->mutex);
	s->page = p->count;
	if (grow(p, p->count + 1) && remember_key(&p->keys[p->count], &s->tree.blocks[0])) {
		p->count++;
		rc = keep_slot(p, s, reterr);
	} else {
		slot_free(s);
		rc = no_memory(reterr);
	}
	pthread_mutex_unlock(&p->mutex);
	return rc;
}

enum err_code paged_hold(struct paged *p, size_t page, struct paged_slot **ret, struct err *reterr)
{
	pthread_mutex_lock(&p->mutex);
	enum err_code rc = load(p, page, ret, reterr);
	if (!rc)
		(*ret)->users++;
	pthread_mutex_unlock(&p->mutex);
	return rc;
}

void paged_hold_more(struct paged *p, struct paged_slot *s)
{
	pthread_mutex_lock(&p->mutex);
	s->users++;
	pthread_mutex_unlock(&p->mutex);
}

void paged_let_go(struct paged *p, struct paged_slot *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&p->mutex);
	s->users--;
	pthread_mutex_unlock(&p->mutex);
}

enum err_code paged_check(struct paged *p, struct err *reterr)
{
	struct paged_slot *before = NULL;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; !rc && i < paged_count(p); i++) {
		struct paged_slot *s = NULL;
		rc = paged_hold(p, i, &s, reterr);
		if (!rc && !tree_page_follows(before ? &before->tree : NULL, &s->tree))
			rc = err_set(reterr, ERR_CORRUPT, "malformed tree: folders out of order");
		paged_let_go(p, before);
		before = s;
	}
	paged_let_go(p, before);
	return rc;
}

/* ---- walks ---- */

enum err_code paged_walk_next(struct paged_walk *w, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	if (w->slot && ++w->at < w->slot->tree.block_count) {
		w->block = &w->slot->tree.blocks[w->at];
		return ERR_OK;
	}
	paged_walk_end(w);
	if (w->next < paged_count(w->paged))
		rc = paged_hold(w->paged, w->next++, &w->slot, reterr);
	if (!rc && w->slot)
		w->block = &w->slot->tree.blocks[0];
	return rc;
}

void paged_walk_end(struct paged_walk *w)
{
	if (w->slot)
		paged_let_go(w->paged, TAKE_PTR(w->slot));
	w->block = NULL;
	w->at = 0;
}

/* ---- which page; with the mutex held ---- */

/* NULL: it cannot be read. */
static struct paged_slot *try_load(struct paged *p, size_t page)
{
	struct err err = ERR_INIT;
	struct paged_slot *s = NULL;
	if (p->keys[page].bad)
		return NULL;
	if (load(p, page, &s, &err)) {
		log_warn("snapshot", "a page of a tree is unreadable; what it holds counts as not known: %s", err.msg);
		p->keys[page].bad = true;
		return NULL;
	}
	p->recent[p->recent_at++ % RECENT] = page;
	return s;
}

static int compare_block(const struct tree_block *x, const struct folder *f)
{
	return tree_directory_compare(x->root, x->path, x->path_size, f->root, f->path, f->size);
}

/* Whether the folder's first block must be in the slot's page, if there is one: < 0: the page ends before it. */
static int covers(const struct paged_slot *s, const struct folder *f)
{
	const struct tree_block *first = &s->tree.blocks[0], *last = &s->tree.blocks[s->tree.block_count - 1];
	int order = compare_block(first, f);
	if (compare_block(last, f) < 0)
		return -1;
	return order < 0 || (order == 0 && !first->continued) ? 0 : 1;
}

static int compare_key(struct paged *p, size_t page, const struct folder *f)
{
	struct page_key *k = &p->keys[page];
	if (!k->known && !try_load(p, page))
		return 1; /* then only what is before it can be found */
	int order = tree_directory_compare(k->root, k->path, k->size, f->root, f->path, f->size);
	return order ? order : k->continued ? 1 : 0;
}

/* The last page that does not begin behind the folder. */
static struct paged_slot *search(struct paged *p, const struct folder *f)
{
	size_t low = 0, high = p->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_key(p, middle, f) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? try_load(p, low - 1) : NULL;
}

static struct paged_slot *locate(struct paged *p, const struct folder *f)
{
	size_t before = SIZE_MAX; /* the nearest page in memory that ends before it */
	for (size_t i = 0; i < RECENT && p->count; i++) {
		struct paged_slot *s = p->of_page[p->recent[i]];
		int order = s ? covers(s, f) : 1;
		if (order == 0) {
			s->used = ++p->clock;
			return s;
		}
		if (order < 0 && (before == SIZE_MAX || s->page > before))
			before = s->page;
	}
	if (before != SIZE_MAX && before + 1 < p->count) { /* as walks go, it is the next one, or not there */
		struct paged_slot *s = try_load(p, before + 1);
		int order = s ? covers(s, f) : -1;
		if (order >= 0)
			return order ? NULL : s;
	}
	return search(p, f);
}

/* ---- cursors ---- */

static void let_go(struct paged_cursor *c)
{
	c->entry = NULL;
	if (!c->slot)
		return;
	pthread_mutex_lock(&c->paged->mutex);
	c->slot->users--;
	pthread_mutex_unlock(&c->paged->mutex);
	c->slot = NULL;
}

/* On to the next page, if the folder goes on there. */
static void turn_page(struct paged_cursor *c)
{
	struct paged *b = c->paged;
	const struct folder f = {c->root, (const uint8_t *)c->path, strlen(c->path)};
	pthread_mutex_lock(&b->mutex);
	size_t next = c->slot->page + 1;
	c->slot->users--;
	c->slot = next < b->count ? try_load(b, next) : NULL;
	if (c->slot && compare_block(&c->slot->tree.blocks[0], &f))
		c->slot = NULL;
	if (c->slot)
		c->slot->users++;
	pthread_mutex_unlock(&b->mutex);
	c->block = c->at = 0;
	c->entry = c->slot ? c->slot->tree.blocks[0].entries : NULL;
}

static void settle(struct paged_cursor *c)
{
	const struct tree *t = &c->slot->tree;
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

void paged_begin(struct paged *b, uint16_t root, const char *path, struct paged_cursor *ret)
{
	const struct folder f = {root, (const uint8_t *)path, strlen(path)};
	*ret = (struct paged_cursor){.paged = b, .path = path, .root = root};
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	ret->slot = locate(b, &f);
	if (ret->slot)
		ret->slot->users++;
	pthread_mutex_unlock(&b->mutex);
	if (!ret->slot)
		return;
	ret->block = tree_find_block(&ret->slot->tree, root, path, f.size);
	if (ret->block < ret->slot->tree.block_count)
		ret->entry = ret->slot->tree.blocks[ret->block].entries;
	else
		let_go(ret);
}

void paged_next(struct paged_cursor *c)
{
	c->entry += entry_size(c->entry);
	c->at++;
	settle(c);
}

const uint8_t *paged_find(struct paged_cursor *c, const char *name, size_t size)
{
	while (c->entry) {
		size_t n = entry_name_size(c->entry);
		int order = memcmp(entry_name(c->entry), name, n < size ? n : size);
		if (order == 0)
			order = (n > size) - (n < size);
		if (order >= 0)
			return order ? NULL : c->entry;
		paged_next(c);
	}
	return NULL;
}

void paged_end(struct paged_cursor *c)
{
	let_go(c);
}

/* ---- one entry ---- */

/* With the mutex held. */
static const uint8_t *keep_entry(struct paged *p, const struct paged_slot *s, const uint8_t *e)
{
	uint64_t key = (uint64_t)s->page << OFFSET_BITS | (uint64_t)(e - s->tree.pages[0]);
	if (!p->kept && !(p->kept = map_new()))
		return NULL;
	if (!p->arena && !(p->arena = arena_new(SIZE_MAX)))
		return NULL;
	uint8_t *copy = map_get(p->kept, &key, sizeof key);
	if (!copy && (copy = arena_dup(p->arena, e, entry_size(e))) && !map_put(p->kept, &key, sizeof key, copy))
		copy = NULL;
	return copy;
}

const uint8_t *paged_lookup(struct paged *p, uint32_t root, const char *path)
{
	char folder[PATH_LIMIT];
	struct paged_cursor c;
	const uint8_t *e, *copy = NULL;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t size = slash ? (size_t)(slash - path) : 0;
	if (size >= sizeof folder || root >= TREE_ROOTS)
		return NULL;
	memcpy(folder, path, size);
	folder[size] = 0;
	paged_begin(p, *path ? (uint16_t)root : TREE_ROOTS, folder, &c);
	if (*path)
		e = paged_find(&c, name, strlen(name));
	else
		for (e = c.entry; e && root--; e = c.entry)
			paged_next(&c);
	if (e) {
		pthread_mutex_lock(&p->mutex);
		copy = keep_entry(p, c.slot, e);
		pthread_mutex_unlock(&p->mutex);
	}
	paged_end(&c);
	return copy;
}
