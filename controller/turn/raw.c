/* Entries as bytes, through the three layers: the turn's overlay, the batch's write-set, the view. */
#include "controller/turn/internal.h"

#include <assert.h>

enum err_code turn_raw_get(struct turn *t, struct bytes key, struct bytes *ret, bool *ret_found, struct err *reterr)
{
	const struct tree_node *n = tree_find(&t->overlay, key);
	if (!n && t->batch)
		n = tree_find(&t->batch->tree, key);
	if (!n)
		return t->view->get(t->view->ctx, key, ret, ret_found, reterr);
	*ret_found = !n->write.deleted;
	if (*ret_found)
		*ret = n->write.value;
	return ERR_OK;
}

/* The nearer of two candidates; on a tie the upper layer, which is asked first, hides the lower. */
static void nearer(struct turn_write *best, bool *found, const struct turn_write *other, enum turn_seek how)
{
	int c = *found ? bytes_compare(other->key, best->key) : 0;
	if (!*found || (how == SEEK_BEFORE ? c > 0 : c < 0))
		*best = *other;
	*found = true;
}

enum err_code turn_raw_seek(struct turn *t, struct bytes key, enum turn_seek how, struct bytes *ret_key,
    struct bytes *ret_value, bool *ret_found, struct err *reterr)
{
	for (;;) {
		struct turn_write best = {0}, below = {0};
		bool found = false, found_below = false;
		const struct tree_node *n = tree_seek(&t->overlay, key, how);
		if (n)
			nearer(&best, &found, &n->write, how);
		n = t->batch ? tree_seek(&t->batch->tree, key, how) : NULL;
		if (n)
			nearer(&best, &found, &n->write, how);
		enum err_code rc =
		    t->view->seek(t->view->ctx, key, how, &below.key, &below.value, &found_below, reterr);
		if (rc != ERR_OK)
			return rc;
		if (found_below)
			nearer(&best, &found, &below, how);
		if (found && best.deleted) { /* go on from the grave; its bytes live as long as the batch */
			key = best.key;
			how = how == SEEK_BEFORE ? SEEK_BEFORE : SEEK_AFTER;
			continue;
		}
		if (found) {
			*ret_key = best.key;
			*ret_value = best.value;
		}
		*ret_found = found;
		return ERR_OK;
	}
}

static enum err_code overlay_write(
    struct turn *t, struct bytes key, struct bytes value, bool deleted, struct err *reterr)
{
	assert(t->batch); /* a read-only turn cannot write */
	assert(key.size && key.size <= TURN_KEY_MAX && value.size <= TURN_VALUE_MAX);
	struct turn_write w = {.deleted = deleted};
	if (value.size) {
		w.value = (struct bytes){arena_dup(t->arena, value.data, value.size), value.size};
		if (!w.value.data)
			goto no_memory;
	}
	struct tree_node *n = tree_find(&t->overlay, key);
	if (n) {
		w.key = n->write.key;
		n->write = w;
		return ERR_OK;
	}
	n = arena_alloc(t->arena, sizeof(*n));
	w.key = (struct bytes){arena_dup(t->arena, key.data, key.size), key.size};
	if (!n || !w.key.data)
		goto no_memory;
	n->write = w;
	tree_insert(&t->overlay, n);
	return ERR_OK;
no_memory:
	t->failed = true;
	return err_set(reterr, ERR_NOMEM, "out of memory in a turn (limit %u MiB)", (unsigned)(TURN_ARENA_LIMIT >> 20));
}

enum err_code turn_raw_put(struct turn *t, struct bytes key, struct bytes value, struct err *reterr)
{
	return overlay_write(t, key, value, false, reterr);
}

enum err_code turn_raw_delete(struct turn *t, struct bytes key, struct err *reterr)
{
	return overlay_write(t, key, (struct bytes){0}, true, reterr);
}
