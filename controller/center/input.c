#include "controller/center/input.h"

#include <assert.h>

struct input *input_new(enum input_kind kind, size_t arena_limit_bytes)
{
	assert((unsigned)kind < INPUT_KIND_COUNT);
	struct arena *arena = arena_new(arena_limit_bytes);
	struct input *in = arena ? arena_alloc(arena, sizeof(*in)) : NULL;
	if (!in) {
		arena_free(arena);
		return NULL;
	}
	in->kind = kind;
	in->arena = arena;
	return in;
}

void input_free(struct input *in)
{
	if (in)
		arena_free(in->arena); /* in lives there too */
}
