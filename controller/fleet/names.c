#include <string.h>

#include "controller/fleet/internal.h"

bool names_has(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->items[i], name) == 0)
			return true;
	return false;
}

enum err_code names_append(struct turn *t, struct names *n, const char *name, struct err *reterr)
{
	if (n->count == n->capacity) {
		size_t capacity = n->capacity ? 2 * n->capacity : 16;
		const char **grown = arena_array(turn_arena(t), capacity, sizeof(*grown));
		if (!grown)
			return err_set(reterr, ERR_NOMEM, "out of memory for %zu names", capacity);
		if (n->count > 0)
			memcpy(grown, n->items, n->count * sizeof(*grown));
		n->items = grown;
		n->capacity = capacity;
	}
	n->items[n->count++] = name;
	return ERR_OK;
}

enum err_code names_add(struct turn *t, struct names *n, const char *name, struct err *reterr)
{
	size_t at = 0;
	while (at < n->count && strcmp(n->items[at], name) < 0)
		at++;
	if (at < n->count && strcmp(n->items[at], name) == 0)
		return ERR_OK;
	enum err_code rc = names_append(t, n, name, reterr);
	if (rc != ERR_OK)
		return rc;
	memmove(n->items + at + 1, n->items + at, (n->count - 1 - at) * sizeof(*n->items));
	n->items[at] = name;
	return ERR_OK;
}
