#include "controller/turn/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum err_code no_memory(struct err *reterr)
{
	return err_set(reterr, ERR_NOMEM, "out of memory in a turn");
}

enum err_code batch_new(
    const struct turn_view *view, uint64_t now_ms, struct random *random, struct batch **ret, struct err *reterr)
{
	struct batch *b = calloc(1, sizeof(*b));
	if (!b)
		return no_memory(reterr);
	b->scratch = arena_new(TURN_ARENA_LIMIT);
	if (!b->scratch) {
		free(b);
		return no_memory(reterr);
	}
	b->view = view;
	b->now_ms = now_ms;
	b->random = random;
	*ret = b;
	return ERR_OK;
}

static void turn_done(struct turn *t)
{
	buf_done(&t->key);
	buf_done(&t->old_key);
	buf_done(&t->value);
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	assert(!b->open);
	for (size_t i = 0; i < b->arena_count; i++)
		arena_free(b->arenas[i]);
	arena_free(b->scratch);
	free(b->arenas);
	free(b->effects);
	free(b->writes);
	free(b);
}

enum err_code batch_begin(struct batch *b, struct turn **ret, struct err *reterr)
{
	assert(!b->open);
	struct arena *arena = arena_new(TURN_ARENA_LIMIT);
	struct turn *t = arena ? arena_alloc(arena, sizeof(*t)) : NULL;
	if (!t) {
		arena_free(arena);
		return no_memory(reterr);
	}
	*t = (struct turn){.batch = b, .view = b->view, .now_ms = b->now_ms, .arena = arena};
	*ret = b->open = t;
	return ERR_OK;
}

/* Room for what is kept, before anything of it is moved. */
static bool make_room(struct batch *b, const struct turn *t)
{
	if (b->arena_count == b->arena_capacity) {
		size_t capacity = b->arena_capacity ? 2 * b->arena_capacity : 64;
		struct arena **more = realloc(b->arenas, capacity * sizeof(*more));
		if (!more)
			return false;
		b->arenas = more;
		b->arena_capacity = capacity;
	}
	size_t need = b->effect_count + t->effect_count;
	if (need > b->effect_capacity) {
		size_t capacity = 2 * need;
		struct effect *more = realloc(b->effects, capacity * sizeof(*more));
		if (!more)
			return false;
		b->effects = more;
		b->effect_capacity = capacity;
	}
	return true;
}

static void merge(struct batch *b, struct turn *t)
{
	for (struct tree_node *n = t->overlay.made_first, *next; n; n = next) {
		next = n->made_next;
		struct tree_node *there = tree_find(&b->tree, n->write.key);
		if (there)
			there->write = n->write;
		else
			tree_insert(&b->tree, n);
	}
	if (t->effect_count)
		memcpy(b->effects + b->effect_count, t->effects, t->effect_count * sizeof(*t->effects));
	b->effect_count += t->effect_count;
	b->arenas[b->arena_count++] = t->arena;
	b->used += arena_used(t->arena);
}

enum err_code batch_end(struct batch *b, struct turn *t, bool keep, struct err *reterr)
{
	assert(b->open == t && t->batch == b);
	b->open = NULL;
	turn_done(t);
	enum err_code rc = ERR_OK;
	if (keep && (t->failed || !make_room(b, t)))
		rc = no_memory(reterr);
	if (keep && rc == ERR_OK)
		merge(b, t);
	else
		arena_free(t->arena);
	return rc;
}

enum err_code batch_apply(struct batch *b, batch_fn fn, void *ctx, struct err *reterr)
{
	struct turn *t;
	enum err_code rc = batch_begin(b, &t, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = fn(t, ctx, reterr);
	if (rc == ERR_OK)
		return batch_end(b, t, true, reterr);
	(void)!batch_end(b, t, false, NULL); /* dropping cannot fail */
	return rc;
}

enum err_code batch_writes(struct batch *b, const struct turn_write **ret, size_t *ret_count, struct err *reterr)
{
	assert(!b->open);
	free(b->writes);
	b->writes = calloc(b->tree.count + 1, sizeof(*b->writes));
	if (!b->writes)
		return no_memory(reterr);
	size_t count = 0;
	struct tree_node *n = tree_seek(&b->tree, (struct bytes){0}, SEEK_AT_OR_AFTER);
	for (; n; n = tree_seek(&b->tree, n->write.key, SEEK_AFTER))
		b->writes[count++] = n->write;
	assert(count == b->tree.count);
	*ret = b->writes;
	*ret_count = count;
	return ERR_OK;
}

const struct effect *batch_effects(const struct batch *b, size_t *ret_count)
{
	assert(!b->open);
	*ret_count = b->effect_count;
	return b->effects;
}

size_t batch_used(const struct batch *b)
{
	return b->used;
}

enum err_code turn_open_read(
    const struct turn_view *view, uint64_t now_ms, struct arena *arena, struct turn **ret, struct err *reterr)
{
	struct turn *t = arena_alloc(arena, sizeof(*t));
	if (!t)
		return no_memory(reterr);
	*t = (struct turn){.view = view, .now_ms = now_ms, .arena = arena};
	*ret = t;
	return ERR_OK;
}

void turn_close_read(struct turn *t)
{
	if (t)
		turn_done(t);
}

uint64_t turn_now_ms(const struct turn *t)
{
	return t->now_ms;
}

struct arena *turn_arena(struct turn *t)
{
	return t->arena;
}

struct random *turn_random(struct turn *t)
{
	assert(t->batch); /* what only reads needs no chance */
	return t->batch->random;
}

struct id turn_id(struct turn *t)
{
	return id_new(t->now_ms, turn_random(t));
}
