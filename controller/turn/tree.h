/* controller/turn/tree.h: an ordered map in memory (a treap), private to this folder.
 * Nodes are the caller's, from an arena; nothing is ever taken out: a deletion is a node marked so. */
#ifndef KEDGE_CONTROLLER_TURN_TREE_H
#define KEDGE_CONTROLLER_TURN_TREE_H

#include "controller/turn/batch.h"

struct tree_node {
	struct tree_node *left, *right;
	struct tree_node *made_next; /* in order of insertion */
	uint64_t priority;
	struct turn_write write;
};
struct tree {
	struct tree_node *root, *made_first, *made_last;
	size_t count;
};

int bytes_compare(struct bytes a, struct bytes b);
bool bytes_start(struct bytes s, struct bytes prefix);
struct tree_node *tree_find(const struct tree *t, struct bytes key);
struct tree_node *tree_seek(const struct tree *t, struct bytes key, enum turn_seek how);
/* node->write is set; its key must not be there yet. */
void tree_insert(struct tree *t, struct tree_node *node);

#endif
