/* shared/base/map.c: entries in insertion order, and beside them a table of places in it (linear probing).
 *
 * Removal leaves a hole in the entries and a mark in the table; both go when the entries are full and are laid out
 * anew. So places do not move while somebody iterates and removes. */
#include "shared/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/random.h"
#include "shared/base/siphash.h"

enum { FIRST_CAPACITY = 8, NONE = 0, REMOVED = 1, FIRST_PLACE = 2 }; /* table values: else place + FIRST_PLACE */

struct entry {
	void *key; /* NULL: a hole */
	size_t key_size;
	uint64_t hash;
	void *value;
};

struct map {
	uint64_t hash_key[2];
	size_t count;          /* entries that are there */
	size_t used, capacity; /* entries with holes; capacity is a power of two, or 0 */
	struct entry *entries;
	uint32_t *table; /* twice capacity: never more than half full, so that a probe ends */
};

struct map *map_new(void)
{
	struct map *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	struct random random;
	random_init_system(&random);
	random_fill(&random, m->hash_key, sizeof(m->hash_key));
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->table);
	free(m);
}

static bool same_key(const struct entry *e, uint64_t hash, const void *key, size_t key_size)
{
	return e->key && e->hash == hash && e->key_size == key_size &&
	       (key_size == 0 || memcmp(e->key, key, key_size) == 0);
}

/* The slot of the table that leads to key, or NULL. */
static uint32_t *find(const struct map *m, uint64_t hash, const void *key, size_t key_size)
{
	if (m->capacity == 0)
		return NULL;
	size_t mask = 2 * m->capacity - 1;
	for (size_t i = hash & mask; m->table[i] != NONE; i = (i + 1) & mask)
		if (m->table[i] != REMOVED && same_key(&m->entries[m->table[i] - FIRST_PLACE], hash, key, key_size))
			return &m->table[i];
	return NULL;
}

static void enter(uint32_t *table, size_t mask, uint64_t hash, size_t place)
{
	size_t i = hash & mask;
	while (table[i] != NONE)
		i = (i + 1) & mask;
	table[i] = (uint32_t)place + FIRST_PLACE;
}

/* Lay the entries out anew, without holes and with room for one more. */
static bool make_room(struct map *m)
{
	size_t capacity = m->capacity ? m->capacity : FIRST_CAPACITY;
	if (m->count > capacity / 2)
		capacity *= 2;
	if (capacity > UINT32_MAX / 4)
		return false;
	struct entry *entries = malloc(capacity * sizeof(*entries));
	uint32_t *table = calloc(2 * capacity, sizeof(*table));
	if (!entries || !table) {
		free(entries);
		free(table);
		return false;
	}
	size_t used = 0;
	for (size_t i = 0; i < m->used; i++) {
		if (!m->entries[i].key)
			continue;
		entries[used] = m->entries[i];
		enter(table, 2 * capacity - 1, entries[used].hash, used);
		used++;
	}
	free(m->entries);
	free(m->table);
	m->entries = entries;
	m->table = table;
	m->used = used;
	m->capacity = capacity;
	return true;
}

void *map_get(const struct map *m, const void *key, size_t key_size)
{
	const uint32_t *slot = find(m, siphash(m->hash_key, key, key_size), key, key_size);
	return slot ? m->entries[*slot - FIRST_PLACE].value : NULL;
}

bool map_put(struct map *m, const void *key, size_t key_size, void *value)
{
	assert(value);
	uint64_t hash = siphash(m->hash_key, key, key_size);
	uint32_t *slot = find(m, hash, key, key_size);
	if (slot) {
		m->entries[*slot - FIRST_PLACE].value = value;
		return true;
	}
	if (m->used == m->capacity && !make_room(m))
		return false;
	void *copy = malloc(key_size ? key_size : 1);
	if (!copy)
		return false;
	if (key_size > 0)
		memcpy(copy, key, key_size);
	m->entries[m->used] = (struct entry){copy, key_size, hash, value};
	enter(m->table, 2 * m->capacity - 1, hash, m->used);
	m->used++;
	m->count++;
	return true;
}

void *map_remove(struct map *m, const void *key, size_t key_size)
{
	uint32_t *slot = find(m, siphash(m->hash_key, key, key_size), key, key_size);
	if (!slot)
		return NULL;
	struct entry *e = &m->entries[*slot - FIRST_PLACE];
	void *value = e->value;
	*slot = REMOVED;
	free(e->key);
	*e = (struct entry){0};
	m->count--;
	return value;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

bool map_next(const struct map *m, size_t *at, const void **key, size_t *key_size, void **value)
{
	while (*at < m->used && !m->entries[*at].key)
		(*at)++;
	if (*at >= m->used)
		return false;
	const struct entry *e = &m->entries[(*at)++];
	if (key)
		*key = e->key;
	if (key_size)
		*key_size = e->key_size;
	if (value)
		*value = e->value;
	return true;
}
