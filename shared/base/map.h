/* shared/base/map.h: a hash map from byte strings to pointers (open addressing, SipHash-keyed so that a peer cannot
 * choose collisions).  Keys are copied, values are borrowed.  Iteration order is insertion order.  Not thread-safe. */
#ifndef KEDGE_SHARED_BASE_MAP_H
#define KEDGE_SHARED_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map *m);                                         /* values are the caller's */
void *map_get(const struct map *m, const void *key, size_t key_size); /* NULL: not there */
bool map_put(
    struct map *m, const void *key, size_t key_size, void *value); /* replaces; value non-NULL; false: no memory */
void *map_remove(struct map *m, const void *key, size_t key_size); /* the value that was there, or NULL */
size_t map_count(const struct map *m);
/* for (size_t at = 0; map_next(m, &at, &key, &key_size, &value);) — do not add while iterating; removing the current
 * one is fine. */
bool map_next(const struct map *m, size_t *at, const void **key, size_t *key_size, void **value);

#endif
