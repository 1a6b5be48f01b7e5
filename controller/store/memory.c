/* The memory store: a treap whose nodes are shared between versions.  A commit copies the path it changes; a view holds
 * the root that it opened, so that it is a snapshot for nothing.  Priorities are hashes of the keys: the shape depends
 * on the contents alone. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "controller/store/internal.h"

struct node {
	atomic_uint refs;
	uint64_t priority;
	struct node *left, *right; /* owned references */
	size_t key_size, value_size;
	uint8_t data[]; /* key, then value */
};

struct memory {
	struct store base;
	pthread_mutex_t lock; /* root, counters */
	struct node *root;
	uint64_t commits, writes, good_left;
	enum store_fault fault;
	uint32_t views;
	bool low;
};
struct memory_view {
	struct store_view base;
	struct node *root;
};

static struct bytes key_of(const struct node *n)
{
	return (struct bytes){n->data, n->key_size};
}

static struct bytes value_of(const struct node *n)
{
	return (struct bytes){n->data + n->key_size, n->value_size};
}

static int compare(struct bytes a, struct bytes b)
{
	size_t least = a.size < b.size ? a.size : b.size;
	int c = least ? memcmp(a.data, b.data, least) : 0;
	return c ? c : (a.size > b.size) - (a.size < b.size);
}

static struct node *hold(struct node *n)
{
	if (n)
		atomic_fetch_add(&n->refs, 1);
	return n;
}

/* Depth is that of the treap: some 3 log2 n. */
static void drop(struct node *n)
{
	if (!n || atomic_fetch_sub(&n->refs, 1) != 1)
		return;
	drop(n->left);
	drop(n->right);
	free(n);
}

static uint64_t hash(struct bytes key)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, then mixed (splitmix64) */
	for (size_t i = 0; i < key.size; i++)
		h = (h ^ key.data[i]) * 0x100000001b3u;
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return h ^ h >> 31;
}

static struct node *node_new(struct bytes key, struct bytes value, uint64_t priority)
{
	struct node *n = malloc(sizeof(*n) + key.size + value.size);
	if (!n)
		abort(); /* tests and simulations only: nothing to save */
	*n = (struct node){.priority = priority, .key_size = key.size, .value_size = value.size};
	atomic_init(&n->refs, 1);
	memcpy(n->data, key.data, key.size);
	if (value.size)
		memcpy(n->data + key.size, value.data, value.size);
	return n;
}

/* Takes a reference, gives back one to a node that nobody else holds. */
static struct node *own(struct node *n)
{
	if (atomic_load(&n->refs) == 1)
		return n;
	struct node *copy = node_new(key_of(n), value_of(n), n->priority);
	copy->left = hold(n->left);
	copy->right = hold(n->right);
	drop(n);
	return copy;
}

/* Takes n; gives what is below and above key; an equal node is dropped. */
static void split(struct node *n, struct bytes key, struct node **less, struct node **greater)
{
	while (n) {
		int c = compare(key_of(n), key);
		if (!c) {
			*less = hold(n->left);
			*greater = hold(n->right);
			drop(n);
			return;
		}
		n = own(n);
		struct node **edge = c < 0 ? less : greater;
		*edge = n;
		if (c < 0) {
			less = &n->right;
			n = n->right;
		} else {
			greater = &n->left;
			n = n->left;
		}
		*(c < 0 ? less : greater) = NULL;
	}
	*less = *greater = NULL;
}

/* Takes both; all keys of a are below those of b. */
static struct node *join(struct node *a, struct node *b)
{
	struct node *root = NULL, **at = &root;
	while (a && b) {
		if (a->priority >= b->priority) {
			*at = a = own(a);
			at = &a->right;
			a = a->right;
		} else {
			*at = b = own(b);
			at = &b->left;
			b = b->left;
		}
	}
	*at = a ? a : b;
	return root;
}

static struct node *apply(struct node *root, const struct turn_write *w)
{
	struct node *less, *greater;
	split(root, w->key, &less, &greater);
	if (!w->deleted)
		less = join(less, node_new(w->key, w->value, hash(w->key)));
	return join(less, greater);
}

static enum err_code view_get(void *ctx, struct bytes key, struct bytes *ret_value, bool *ret_found, struct err *reterr)
{
	(void)reterr;
	const struct node *n = ((struct memory_view *)ctx)->root;
	int c = 1;
	while (n && (c = compare(key, key_of(n))) != 0)
		n = c < 0 ? n->left : n->right;
	if (n)
		*ret_value = value_of(n);
	*ret_found = n != NULL;
	return ERR_OK;
}

static enum err_code view_seek(void *ctx, struct bytes key, enum turn_seek how, struct bytes *ret_key,
    struct bytes *ret_value, bool *ret_found, struct err *reterr)
{
	(void)reterr;
	const struct node *best = NULL;
	for (const struct node *n = ((struct memory_view *)ctx)->root; n;) {
		int c = compare(key_of(n), key);
		bool fits = how == SEEK_BEFORE ? c < 0 : how == SEEK_AFTER ? c > 0 : c >= 0;
		if (fits)
			best = n;
		n = fits == (how == SEEK_BEFORE) ? n->right : n->left;
	}
	if (best) {
		*ret_key = key_of(best);
		*ret_value = value_of(best);
	}
	*ret_found = best != NULL;
	return ERR_OK;
}

static enum err_code memory_view_open(struct store *s, const char *who, struct store_view **ret, struct err *reterr)
{
	(void)who;
	struct memory *m = (struct memory *)s;
	struct memory_view *v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(reterr, ERR_NOMEM, "out of memory for a view");
	v->base = (struct store_view){.turn = {.ctx = v, .get = view_get, .seek = view_seek}, .store = s};
	pthread_mutex_lock(&m->lock);
	v->root = hold(m->root);
	m->views++;
	pthread_mutex_unlock(&m->lock);
	*ret = &v->base;
	return ERR_OK;
}

static void memory_view_close(struct store_view *base)
{
	struct memory_view *v = (struct memory_view *)base;
	struct memory *m = (struct memory *)base->store;
	pthread_mutex_lock(&m->lock);
	m->views--;
	pthread_mutex_unlock(&m->lock);
	drop(v->root);
	free(v);
}

static enum err_code memory_commit(struct store *s, const struct turn_write *writes, size_t count, struct err *reterr)
{
	struct memory *m = (struct memory *)s;
	pthread_mutex_lock(&m->lock);
	enum store_fault fault = m->fault && !m->good_left ? m->fault : STORE_FAULT_NONE;
	if (m->fault && m->good_left)
		m->good_left--;
	for (size_t i = 0; fault != STORE_FAULT_LOST && i < count; i++)
		m->root = apply(m->root, &writes[i]);
	m->commits++;
	m->writes += count;
	pthread_mutex_unlock(&m->lock);
	return fault ? err_set(reterr, ERR_IO, "commit failed (injected)") : ERR_OK;
}

static void memory_check(struct store *s, struct store_stats *ret)
{
	struct memory *m = (struct memory *)s;
	pthread_mutex_lock(&m->lock);
	*ret = (struct store_stats){.disk_free_bytes = UINT64_MAX,
	    .low = m->low,
	    .commits = m->commits,
	    .writes = m->writes,
	    .views = m->views};
	pthread_mutex_unlock(&m->lock);
}

static void memory_close(struct store *s)
{
	struct memory *m = (struct memory *)s;
	assert(!m->views);
	drop(m->root);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_ops memory_ops = {
    .view_open = memory_view_open,
    .view_close = memory_view_close,
    .commit = memory_commit,
    .check = memory_check,
    .close = memory_close,
};

enum err_code store_open_memory(struct store **ret, struct err *reterr)
{
	struct memory *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(reterr, ERR_NOMEM, "out of memory for a store");
	m->base.ops = &memory_ops;
	pthread_mutex_init(&m->lock, NULL);
	*ret = &m->base;
	return ERR_OK;
}

void store_memory_low(struct store *s, bool low)
{
	assert(s->ops == &memory_ops);
	struct memory *m = (struct memory *)s;
	pthread_mutex_lock(&m->lock);
	m->low = low;
	pthread_mutex_unlock(&m->lock);
}

void store_memory_fail(struct store *s, enum store_fault fault, uint64_t after)
{
	assert(s->ops == &memory_ops);
	struct memory *m = (struct memory *)s;
	pthread_mutex_lock(&m->lock);
	m->fault = fault;
	m->good_left = after;
	pthread_mutex_unlock(&m->lock);
}

void store_memory_restart(struct store *s)
{
	assert(s->ops == &memory_ops);
	struct memory *m = (struct memory *)s;
	assert(!m->views);
	store_memory_fail(s, STORE_FAULT_NONE, 0);
	s->broken = false;
}
