#include "shared/mining/table.h"

#include <stdlib.h>

#include "shared/mining/token.h"

enum { CAPACITY_LEAST = 64 };

void table_done(struct table *t)
{
	free(t->keys);
	free(t->values);
	*t = (struct table){0};
}

static size_t home(const struct table *t, uint64_t key)
{
	return token_mix(key) & (t->capacity - 1);
}

static size_t find(const struct table *t, uint64_t key)
{
	size_t at = home(t, key);
	while (t->keys[at] && t->keys[at] != key)
		at = (at + 1) & (t->capacity - 1);
	return at;
}

bool table_get(const struct table *t, uint64_t key, uint32_t *ret)
{
	if (!t->count)
		return false;
	size_t at = find(t, key ? key : 1);
	if (!t->keys[at])
		return false;
	*ret = t->values[at];
	return true;
}

static bool grow(struct table *t)
{
	struct table bigger = {.capacity = t->capacity ? 2 * t->capacity : CAPACITY_LEAST, .count = t->count};
	bigger.keys = calloc(bigger.capacity, sizeof *bigger.keys);
	bigger.values = calloc(bigger.capacity, sizeof *bigger.values);
	if (!bigger.keys || !bigger.values) {
		table_done(&bigger);
		return false;
	}
	for (size_t i = 0; i < t->capacity; i++)
		if (t->keys[i]) {
			size_t at = find(&bigger, t->keys[i]);
			bigger.keys[at] = t->keys[i];
			bigger.values[at] = t->values[i];
		}
	table_done(t);
	*t = bigger;
	return true;
}

bool table_put(struct table *t, uint64_t key, uint32_t value)
{
	if (t->count * 4 >= t->capacity * 3 && !grow(t))
		return false;
	key = key ? key : 1;
	size_t at = find(t, key);
	t->count += t->keys[at] == 0;
	t->keys[at] = key;
	t->values[at] = value;
	return true;
}

void table_remove(struct table *t, uint64_t key)
{
	if (!t->count)
		return;
	size_t at = find(t, key ? key : 1);
	if (!t->keys[at])
		return;
	t->count--;
	for (size_t next = at;;) { /* close the gap */
		next = (next + 1) & (t->capacity - 1);
		if (!t->keys[next])
			break;
		size_t wanted = home(t, t->keys[next]);
		if (((next - wanted) & (t->capacity - 1)) < ((next - at) & (t->capacity - 1)))
			continue;
		t->keys[at] = t->keys[next];
		t->values[at] = t->values[next];
		at = next;
	}
	t->keys[at] = 0;
}
