#include "controller/turn/tree.h"

#include <assert.h>
#include <string.h>

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t least = a.size < b.size ? a.size : b.size;
	int c = least ? memcmp(a.data, b.data, least) : 0;
	return c ? c : (a.size > b.size) - (a.size < b.size);
}

bool bytes_start(struct bytes s, struct bytes prefix)
{
	return s.size >= prefix.size && (!prefix.size || memcmp(s.data, prefix.data, prefix.size) == 0);
}

struct tree_node *tree_find(const struct tree *t, struct bytes key)
{
	struct tree_node *n = t->root;
	while (n) {
		int c = bytes_compare(key, n->write.key);
		if (!c)
			break;
		n = c < 0 ? n->left : n->right;
	}
	return n;
}

struct tree_node *tree_seek(const struct tree *t, struct bytes key, enum turn_seek how)
{
	struct tree_node *best = NULL;
	for (struct tree_node *n = t->root; n;) {
		int c = bytes_compare(n->write.key, key);
		bool fits = how == SEEK_BEFORE ? c < 0 : how == SEEK_AFTER ? c > 0 : c >= 0;
		if (fits)
			best = n;
		/* A node that fits may have a nearer one on the side of the key. */
		n = fits == (how == SEEK_BEFORE) ? n->right : n->left;
	}
	return best;
}

/* splitmix64 of a counter: the shape depends on the order of insertion only, so that runs repeat. */
static uint64_t next_priority(size_t count)
{
	uint64_t z = (uint64_t)count * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void split(struct tree_node *n, struct bytes key, struct tree_node **less, struct tree_node **greater)
{
	while (n) {
		if (bytes_compare(n->write.key, key) < 0) {
			*less = n;
			less = &n->right;
			n = n->right;
		} else {
			*greater = n;
			greater = &n->left;
			n = n->left;
		}
	}
	*less = *greater = NULL;
}

void tree_insert(struct tree *t, struct tree_node *node)
{
	node->priority = next_priority(t->count++);
	node->left = node->right = node->made_next = NULL;
	*(t->made_last ? &t->made_last->made_next : &t->made_first) = node;
	t->made_last = node;
	struct tree_node **at = &t->root;
	while (*at && (*at)->priority >= node->priority) {
		int c = bytes_compare(node->write.key, (*at)->write.key);
		assert(c);
		at = c < 0 ? &(*at)->left : &(*at)->right;
	}
	split(*at, node->write.key, &node->left, &node->right);
	*at = node;
}
